//! Listings of AWS through the program: what they list, what makes them incomplete, and what they say against CloudTrail's
//! log.
#![allow(clippy::unwrap_used, reason = "a test stops where it fails")]

mod stored;

use std::collections::BTreeMap;

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use counterfoil_ingest::snapshot::{SnapshotOptions, take};
use counterfoil_ingest::sources::file::Input;
use counterfoil_proto::v1::{
    Completeness, FactKind, ListDeadLettersResponse, ListingSummary, Precision, ReconcileResponse, ReconciledItem,
    SnapshotResponse, Time, fact::Detail, record::Body,
};
use counterfoil_tests::aws::{
    ACCOUNT, arn, assignment, details, document, encoded, event, group, iam, managed, report, report_row, role, user,
};
use counterfoil_tests::files::lines;
use counterfoil_tests::inside::InsideLedger;
use counterfoil_tests::program::LedgerFolder;
use counterfoil_verify::entity::EntityId;
use counterfoil_verify::listing::{Item, Listing};
use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::{Rng, SeedableRng};
use serde_json::{Value, json};
use stored::{Stored, indexes, open};

const NOON: &str = "2026-03-02T12:00:00Z";
const SET: &str = "arn:aws:sso:::permissionSet/ssoins-7223abcdef012345/ps-0123456789abcdef";
const OTHER_SET: &str = "arn:aws:sso:::permissionSet/ssoins-7223abcdef012345/ps-fedcba9876543210";
const JANE: &str = "f81d4fae-7dec-11d0-a765-00a0c91e6bf6";
const JOHN: &str = "90677c3c4a-0c1b2d3e-4f50-4a6b-8c7d-9e0f1a2b3c4d";
const TEAM: &str = "11111111-2222-4333-8444-555555555555";
const ORG: &[&str] = &["--instance", ACCOUNT];

fn snapshot(ledger: &LedgerFolder, pages: &[String], further: &[&str]) -> SnapshotResponse {
    let files: Vec<String> = pages
        .iter()
        .enumerate()
        .map(|(number, text)| ledger.file(&format!("page{number}"), text).to_str().unwrap().to_owned())
        .collect();
    let mut arguments: Vec<&str> = ["snapshot", "cloudtrail", "--output", "json"].to_vec();
    arguments.extend(files.iter().map(String::as_str));
    arguments.extend(further);
    ledger.run(&arguments).json()
}

/// Takes pages as of noon, on the operator's word.
fn whole(ledger: &LedgerFolder, pages: &[String], further: &[&str]) -> SnapshotResponse {
    let response = snapshot(ledger, pages, &[&["--as-of", NOON, "--complete"], further].concat());
    assert_eq!(response.strange, 0, "{response:?}");
    response
}

fn scope(summary: &ListingSummary) -> String {
    summary.scope.strip_prefix("snapshot_scope:aws:").unwrap().to_owned()
}

/// "subject object scope" of each item of the newest listing of each scope, without digests.
fn items(ledger: &LedgerFolder) -> BTreeMap<String, Vec<String>> {
    let ledger = open(ledger);
    let reader = ledger.reader();
    let short = |entity: &EntityId| entity.native_id().split_inclusive('~').next().unwrap().to_owned();
    let show = |item: &Item| {
        let object = item.object.as_ref().map_or_else(|| "-".to_owned(), short);
        format!("{} {object} {}", short(&item.subject), item.scope).trim_end().to_owned()
    };
    let mut newest = BTreeMap::new();
    for index in indexes(&reader) {
        let Some(Body::Event(event)) = reader.record(index).unwrap().body else { continue };
        let Some(end) = event.facts.first().filter(|fact| fact.kind() == FactKind::SnapshotEnd) else { continue };
        let listing = Listing::from_bytes(&reader.beside(index).unwrap().unwrap().payload.unwrap().content).unwrap();
        let mut shown: Vec<String> = listing.items().iter().map(|(_, item)| show(item)).collect();
        shown.sort();
        newest.insert(end.object.as_ref().unwrap().id.clone(), shown);
    }
    newest
}

/// A user with everything that a user may have, with documents as the API or as the command line gives them.
fn jane(of: impl Fn(&Value) -> Value) -> Value {
    let mut jane = user("svc-jane", &["group-1"], &["ReadOnlyAccess"]);
    jane["UserPolicyList"] = json!([{"PolicyName": "own", "PolicyDocument": of(&document("s3:Get*"))}]);
    jane["PermissionsBoundary"] =
        json!({"PermissionsBoundaryType": "PermissionsBoundaryPolicy", "PermissionsBoundaryArn": arn("policy/Limit")});
    jane["Tags"] = json!([{"Key": "owner", "Value": "Jane Roe"}]);
    jane
}

fn account(of: impl Fn(&Value) -> Value) -> String {
    let mut robot = role("Deploy", &["PowerUserAccess"]);
    robot["AssumeRolePolicyDocument"] = of(&document("sts:AssumeRole"));
    robot["InstanceProfileList"] = json!([{
        "InstanceProfileName": "Deploy", "InstanceProfileId": "AIPAEXAMPLE1", "Path": "/",
        "Arn": arn("instance-profile/Deploy"), "Roles": [],
    }]);
    let mut team = group("group-1", &["ReadOnlyAccess"]);
    team["GroupPolicyList"] = json!([{"PolicyName": "own", "PolicyDocument": of(&document("ec2:*"))}]);
    let policy = json!({
        "PolicyName": "Limit", "PolicyId": "ANPAEXAMPLE1", "Arn": arn("policy/Limit"), "Path": "/",
        "DefaultVersionId": "v2", "AttachmentCount": 1, "IsAttachable": true,
        "PolicyVersionList": [
            {"Document": of(&document("s3:*")), "VersionId": "v2", "IsDefaultVersion": true},
            {"Document": of(&document("*")), "VersionId": "v1", "IsDefaultVersion": false},
        ],
    });
    details(&[jane(&of)], &[team], &[robot], &[policy], None).to_string()
}

const USERS: &str = "accounts/user/+held/group_member/user/+held/policy/user/";
const ROLES: &str = "accounts/role/+definitions/session_role+held/policy/role/";

#[test]
fn what_a_whole_account_lists() {
    let ledger = LedgerFolder::init();
    let taken = whole(&ledger, &[account(|plain| plain.clone())], &[]);
    let scopes: Vec<String> = taken.listings.iter().map(scope).collect();
    let named = |scope: &str| format!("{ACCOUNT}:{scope}");
    assert_eq!(scopes, [USERS, "definitions/iam_group", ROLES, "definitions/iam_policy"].map(named));
    for listing in &taken.listings {
        assert_eq!((listing.completeness(), listing.reason.as_str()), (Completeness::Complete, "stated-by-operator"));
    }
    let (read_only, power) = (managed("ReadOnlyAccess"), managed("PowerUserAccess"));
    let items = items(&ledger);
    let check = |scope: &str, expected: &[String]| assert_eq!(items[scope], expected, "{scope}");
    let user = |what: &str| format!("user/svc-jane {what}");
    check(
        USERS,
        &[
            user("-"),
            user("group_member/group-1"),
            user("permission/within-boundary"),
            user(&format!("policy/{read_only}")),
            user("policy/~"),
        ],
    );
    check(
        "definitions/iam_group",
        &[
            "group_member/group-1 -".to_owned(),
            format!("group_member/group-1 policy/{read_only}"),
            "group_member/group-1 policy/~".to_owned(),
        ],
    );
    check(
        ROLES,
        &[
            "role/Deploy -".to_owned(),
            format!("role/Deploy policy/{power}"),
            "session_role/Deploy role/Deploy".to_owned(),
        ],
    );
    check("definitions/iam_policy", &[format!("policy/{} -", arn("policy/Limit"))]);

    // The API writes documents percent-encoded: nothing is new. One that says something else is.
    let again = whole(&ledger, &[account(|plain| encoded(plain).into())], &[]);
    assert_eq!(again.basis, taken.basis, "{again:?}");
    let other = account(|plain| plain.to_string().replace("sts:AssumeRole", "sts:*").into());
    let other = whole(&ledger, &[other], &[]);
    let new: Vec<u64> = other.listings.iter().map(|listing| listing.events).collect();
    assert_eq!(new, [0, 0, 1, 0], "only who may assume the role has changed");
    ledger.run(&["fsck"]).ended(0);
}

fn page(users: &[&str], marker: Option<&str>) -> Value {
    let users: Vec<Value> = users.iter().map(|name| user(name, &[], &[])).collect();
    details(&users, &[], &[role("Deploy", &[])], &[], marker)
}

#[test]
fn whatever_is_missing_makes_a_listing_of_an_account_incomplete() {
    let call = "get-account-authorization-details";
    let (first, last) = (page(&["svc-1"], Some("m1")), page(&["svc-2"], None));
    let last_of_roles = details(&[], &[], &[role("Other", &[])], &[], None);
    let mut merged = page(&["svc-1"], None);
    merged.as_object_mut().unwrap().remove("IsTruncated");
    let mut cut = merged.clone();
    cut["NextToken"] = json!("t");
    let mut unmarked = page(&["svc-1"], None);
    unmarked["IsTruncated"] = json!(true);
    let mut in_words = unmarked.clone();
    in_words["IsTruncated"] = json!("yes");
    let mut without = page(&["svc-1"], None);
    without.as_object_mut().unwrap().remove("UserDetailList");
    let stranger = json!({"UserName": "svc-3", "Arn": "arn:aws:iam::999900001111:user/svc-3"});
    let mixed = details(&[user("svc-1", &[], &[]), stranger], &[], &[], &[], None);
    let odd = details(&[json!({"UserName": "svc-1", "Arn": arn("user/svc-1"), "GroupList": "x"})], &[], &[], &[], None);
    let filtered = format!("{call}?filter=Role");
    let both = format!("{call}?filter=User,Role");
    let word: &[&str] = &["--complete"];
    let with = |scope: &'static str| -> Vec<&str> { vec!["--complete", "--scope", scope] };
    let (filtered, both) = (filtered.leak(), both.leak());
    // The pages, what the operator says, and the reason for the users' listing; "+" where it is complete.
    let cases: [(&str, &[&Value], Vec<&str>, &str); 18] = [
        ("one page", &[&last], word.to_vec(), "+"),
        ("one page alone", &[&last], vec![], "not-shown-by-pages"),
        ("two pages", &[&first, &last], word.to_vec(), "+"),
        ("the second holds no users", &[&first, &last_of_roles], word.to_vec(), "+"),
        ("the second is not there", &[&first], word.to_vec(), "page-missing"),
        ("in another order", &[&last, &first], word.to_vec(), "page-that-nothing-leads-to"),
        ("twice", &[&first, &last, &last], word.to_vec(), "page-that-nothing-leads-to"),
        ("as the command line merges them", &[&merged], word.to_vec(), "+"),
        ("as it cuts them", &[&cut], word.to_vec(), "page-missing"),
        ("truncated, without a marker", &[&unmarked], word.to_vec(), "page-missing"),
        ("no user at all", &[&last_of_roles], word.to_vec(), "empty-or-filtered"),
        ("no user at all, and asked for", &[&last_of_roles], with(call), "+"),
        ("asked for roles alone", &[&last_of_roles], with(filtered), "filtered"),
        ("asked for users too", &[&last], with(both), "+"),
        ("truncated in words", &[&in_words], word.to_vec(), "page-missing"),
        ("without the list", &[&without], word.to_vec(), "list-missing"),
        ("of two accounts", &[&mixed], word.to_vec(), "element-unreadable"),
        ("an odd element", &[&odd], word.to_vec(), "element-unreadable"),
    ];
    for (name, pages, further, reason) in cases {
        let ledger = LedgerFolder::init();
        let pages: Vec<String> = pages.iter().map(|page| page.to_string()).collect();
        let taken = snapshot(&ledger, &pages, &[&["--as-of", NOON], &further[..]].concat());
        let users = taken.listings.iter().find(|listing| listing.scope.ends_with(USERS)).unwrap();
        let expected = if reason == "+" { "stated-by-operator" } else { reason };
        assert_eq!(users.reason, expected, "{name}: {taken:?}");
        assert_eq!(users.completeness() == Completeness::Complete, reason == "+", "{name}");
        let kept: ListDeadLettersResponse = ledger.run(&["deadletter", "list", "--output", "json"]).json();
        assert_eq!(kept.dead_letters.len(), usize::from(reason == "element-unreadable"), "{name}");
    }
}

#[test]
fn what_does_not_say_whose_it_is() {
    let ledger = LedgerFolder::init();
    let check = |text: &Value, further: &[&str], told: &str| {
        let taken = snapshot(&ledger, &[text.to_string()], &[&["--as-of", NOON], further].concat());
        assert_eq!((taken.listings.len(), taken.strange), (0, 1), "{told}: {taken:?}");
        let kept: ListDeadLettersResponse = ledger.run(&["deadletter", "list", "--output", "json"]).json();
        assert!(kept.dead_letters.iter().any(|letter| letter.error.contains(told)), "{told}: {kept:?}");
    };
    check(&details(&[], &[], &[], &[], None), &[], "--instance NUMBER");
    check(&page(&["svc-1"], None), &["--instance", "999900001111"], "got one of 111122223333");
    let assigned = json!({"AccountAssignments": [assignment(ACCOUNT, SET, "USER", JANE)]});
    check(&assigned, ORG, "--scope list-account-assignments");
    check(&assigned, &["--scope", "list-account-assignments"], "--instance NUMBER");
    let call = [ORG, &["--scope", "list-account-assignments"]].concat();
    check(&json!({"AccountAssignments": []}), &call, "the same account-id");
    let two = json!({"AccountAssignments": [
        assignment(ACCOUNT, SET, "USER", JANE), assignment("444455556666", SET, "USER", JANE)
    ]});
    check(&two, &call, "got 2 of them");
    let forged = format!("{SET}+accounts");
    check(
        &json!({"AccountAssignments": [assignment(ACCOUNT, &forged, "USER", JANE)]}),
        &call,
        "permission-set-arn as AWS",
    );
    check(&json!({"AccountAssignments": [assignment("all/x", SET, "USER", JANE)]}), &call, "account-id as AWS");
    check(&json!({"AccountAssignments": [assignment("A1", SET, "USER", JANE)]}), &call, "the number of an account");
    let members = [ORG, &["--scope", "list-group-memberships?group-id=svc-x%2Baccounts"]].concat();
    check(&json!({"GroupMemberships": []}), &members, "group-id as AWS");
    check(&json!({"Users": []}), ORG, "--scope");
    check(&json!({"Users": [{"UserName": "x", "Arn": arn("user/x")}]}), ORG, "--scope");
}

/// Each call of Identity Center: how it is named, its response, the scope of its listing, and its items.
#[test]
fn every_listing_of_identity_center() {
    let ledger = LedgerFolder::init();
    let member = |group: &str, who: &str| json!({"IdentityStoreId": "d-1234567890", "MembershipId": "m-1", "GroupId": group, "MemberId": {"UserId": who}});
    let people = json!({"Users": [
        {"UserName": "jane@example.com", "UserId": JANE, "DisplayName": "Jane Roe", "IdentityStoreId": "d-1234567890",
         "Name": {"FamilyName": "Roe", "GivenName": "Jane"}, "Emails": [{"Value": "jane@example.com", "Primary": true}]},
        {"UserName": "john", "UserId": JOHN, "UserStatus": "DISABLED", "IdentityStoreId": "d-1234567890"},
    ]});
    let groups = json!({"Groups": [{"GroupId": TEAM, "DisplayName": "Team", "IdentityStoreId": "d-1234567890"}]});
    let assignments = json!({"AccountAssignments": [
        assignment("444455556666", SET, "USER", JANE), assignment("444455556666", SET, "GROUP", TEAM)
    ]});
    let of_jane = json!({"AccountAssignments": [
        assignment("444455556666", SET, "USER", JANE), assignment("777788889999", OTHER_SET, "GROUP", TEAM)
    ]});
    let empty = json!({"AccountAssignments": []});
    let (jane, john, set) = (format!("sso_user/{JANE}"), format!("sso_user/{JOHN}"), format!("role/{SET}"));
    let other_set = format!("role/{OTHER_SET}");
    let nobody = format!("list-account-assignments?account-id=444455556666&permission-set-arn={OTHER_SET}");
    let for_jane = format!("list-account-assignments-for-principal?principal-id={JANE}&principal-type=USER");
    let of_set = format!("list-managed-policies-in-permission-set?permission-set-arn={SET}");
    let team = format!("group_member/{TEAM}");
    let cases: [(&str, Value, String, Vec<String>); 9] = [
        ("", people, "accounts/sso_user/".to_owned(), vec![format!("{jane} -"), format!("{john} -")]),
        ("", groups, "definitions/sso_group".to_owned(), vec![format!("{team} -")]),
        (
            "list-group-memberships",
            json!({"GroupMemberships": [member(TEAM, JANE), member(TEAM, JOHN)]}),
            format!("holders/{team}"),
            vec![format!("{jane} {team}"), format!("{john} {team}")],
        ),
        (
            "list-group-memberships-for-member",
            json!({"GroupMemberships": [member(TEAM, JANE)]}),
            format!("held/group_member/{jane}"),
            vec![format!("{jane} {team}")],
        ),
        ("", json!({"PermissionSets": [SET, OTHER_SET]}), "definitions/permission_set".to_owned(), {
            vec![format!("{set} -"), format!("{other_set} -")]
        }),
        (
            &of_set,
            json!({"AttachedManagedPolicies": [{"Name": "ReadOnlyAccess", "Arn": managed("ReadOnlyAccess")}]}),
            format!("implied/policy/{set}"),
            vec![format!("{set} policy/{}", managed("ReadOnlyAccess"))],
        ),
        (
            "list-account-assignments",
            assignments,
            format!("within/444455556666/holders/{set}"),
            vec![format!("{jane} {set} 444455556666"), format!("{team} {set} 444455556666")],
        ),
        (&nobody, empty, format!("within/444455556666/holders/{other_set}"), vec![]),
        (
            &for_jane,
            of_jane,
            format!("held/role/{jane}"),
            vec![format!("{jane} {set} 444455556666"), format!("{team} {other_set} 777788889999")],
        ),
    ];
    for (call, body, scope_name, expected) in cases {
        let named: &[&str] = if call.is_empty() { &[] } else { &["--scope", call] };
        let further = [ORG, named].concat();
        let alone = snapshot(&ledger, &[body.to_string()], &[&["--as-of", NOON], &further[..]].concat());
        assert_eq!(alone.listings[0].reason, "not-shown-by-pages", "{call}: {alone:?}");
        let taken = whole(&ledger, &[body.to_string()], &further);
        let [summary] = &taken.listings[..] else { panic!("{call}: {taken:?}") };
        assert_eq!(scope(summary), format!("{ACCOUNT}:{scope_name}"), "{call}");
        assert_eq!((summary.completeness(), summary.rejected), (Completeness::Complete, 0), "{call}: {summary:?}");
        let mut expected = expected;
        expected.sort();
        assert_eq!(items(&ledger)[&scope_name], expected, "{call}");
        let mut more = body.clone();
        more["NextToken"] = json!("AAAA");
        let more = snapshot(&ledger, &[more.to_string()], &[&["--as-of", NOON, "--complete"], &further[..]].concat());
        assert_eq!(more.listings[0].reason, "page-missing", "{call}: {more:?}");
    }
    let filtered = [ORG, &["--scope", "list-users?filters=x", "--complete", "--as-of", NOON]].concat();
    let people = json!({"Users": [{"UserName": "x", "UserId": JANE, "IdentityStoreId": "d-1"}]}).to_string();
    assert_eq!(snapshot(&ledger, &[people], &filtered).listings[0].reason, "filtered");
    ledger.run(&["fsck"]).ended(0);
}

fn import(ledger: &LedgerFolder, events: &[Value]) {
    ledger.import("cloudtrail", &ledger.file("log.jsonl", lines(events)), &["--backfill"]).ended(0);
}

/// "kind who what scope" of each access.
fn found(ledger: &LedgerFolder) -> Vec<String> {
    let response: ReconcileResponse = ledger.run(&["reconcile", "aws", "--output", "json"]).json();
    let id = |party: &Option<counterfoil_proto::v1::Party>| {
        party.as_ref().map_or("-".to_owned(), |party| {
            party.id.parse::<EntityId>().unwrap().native_id().split_inclusive('~').next().unwrap().to_owned()
        })
    };
    let show = |item: &ReconciledItem| {
        let kind = item.kind().as_str_name().trim_start_matches("RECONCILE_KIND_").to_lowercase();
        format!("{kind} {} {} {}", id(&item.subject), id(&item.object), item.scope).trim_end().to_owned()
    };
    let mut found: Vec<String> = response.items.iter().map(show).collect();
    found.sort();
    found
}

fn sorted(lines: &[&str]) -> Vec<String> {
    let mut sorted: Vec<String> = lines.iter().map(|line| (*line).to_owned()).collect();
    sorted.sort();
    sorted
}

/// A ticket of Freshservice by which `svc@example.com` may have a policy, approved at eight.
fn approve(ledger: &LedgerFolder, policy: &str) {
    let people = json!({"requesters": [
        {"id": 2001, "primary_email": "svc@example.com", "active": true, "updated_at": "2026-03-01T07:00:00Z"},
        {"id": 2002, "primary_email": "boss@example.com", "active": true, "updated_at": "2026-03-01T07:00:00Z"},
    ]});
    let ticket = json!({"ticket": {
        "id": 1042, "type": "Service Request", "status": 2, "created_at": "2026-03-02T07:00:00Z",
        "updated_at": "2026-03-02T07:00:00Z", "requester_id": 2001, "requested_for_id": 2001, "approval_status": 0,
        "custom_fields": {"access_items": format!("aws@{ACCOUNT}/policy/{policy}"), "access_operation": "add"},
    }});
    let approval = json!({"approvals": [{
        "id": 31, "level": 1, "approval_type": 1, "approval_status": {"id": 1, "name": "approved"}, "approver_id": 2002,
        "user_id": 2001, "created_at": "2026-03-02T07:00:00Z", "updated_at": "2026-03-02T08:00:00Z",
    }], "ticket_id": 1042});
    for (name, document) in [("people.json", people), ("ticket.json", ticket), ("approval.json", approval)] {
        let file = ledger.file(name, document.to_string());
        ledger.import("freshservice", &file, &["--backfill"]).ended(0);
    }
}

#[test]
fn an_account_against_its_log() {
    let ledger = LedgerFolder::init();
    let at = |minute: u32| format!("2026-03-02T09:{minute:02}:00Z");
    let (read_only, admin, power) =
        (managed("ReadOnlyAccess"), managed("AdministratorAccess"), managed("PowerUserAccess"));
    approve(&ledger, &read_only);
    let of = |name: &str, policy: &str| json!({"userName": name, "policyArn": policy});
    let to = |name: &str, group: &str| json!({"userName": name, "groupName": group});
    let inline =
        |name: &str| json!({"userName": name, "policyName": "own", "policyDocument": document("*").to_string()});
    import(
        &ledger,
        &[
            iam(1, &at(1), "CreateUser", json!({"userName": "svc@example.com"})),
            iam(2, &at(2), "CreateUser", json!({"userName": "svc-gone"})),
            iam(3, &at(3), "CreateUser", json!({"userName": "svc-back"})),
            iam(4, &at(4), "DeleteUser", json!({"userName": "svc-back"})),
            iam(5, &at(5), "AttachUserPolicy", of("svc@example.com", &read_only)),
            iam(6, &at(6), "AttachUserPolicy", of("svc@example.com", &admin)),
            iam(7, &at(7), "AttachUserPolicy", of("svc@example.com", &power)),
            iam(8, &at(8), "DetachUserPolicy", of("svc@example.com", &power)),
            iam(9, &at(9), "AddUserToGroup", to("svc@example.com", "group-1")),
            iam(10, &at(10), "AddUserToGroup", to("svc@example.com", "group-2")),
            iam(11, &at(11), "PutUserPolicy", inline("svc@example.com")),
            iam(12, &at(12), "CreateRole", json!({"roleName": "Deploy", "assumeRolePolicyDocument": "{}"})),
            iam(13, &at(13), "AttachRolePolicy", json!({"roleName": "Deploy", "policyArn": power})),
            iam(
                14,
                &at(14),
                "PutUserPermissionsBoundary",
                json!({
                    "userName": "svc@example.com", "permissionsBoundary": arn("policy/Limit")
                }),
            ),
            // Of the directory, whose groups and people are none of IAM's.
            event(
                15,
                &at(15),
                "identitystore",
                "CreateGroupMembership",
                json!({
                    "groupId": TEAM, "memberId": {"userId": JANE}
                }),
                Value::Null,
            ),
        ],
    );
    let mut svc = user("svc@example.com", &["group-1"], &["ReadOnlyAccess", "AdministratorAccess", "PowerUserAccess"]);
    svc["UserPolicyList"] = json!([
        {"PolicyName": "own", "PolicyDocument": document("*")}, {"PolicyName": "other", "PolicyDocument": document("*")}
    ]);
    svc["PermissionsBoundary"] =
        json!({"PermissionsBoundaryType": "PermissionsBoundaryPolicy", "PermissionsBoundaryArn": arn("policy/Limit")});
    let users = [svc, user("svc-back", &[], &["ReadOnlyAccess"])];
    let listing = details(
        &users,
        &[group("group-1", &[])],
        &[role("Deploy", &[]), role("Break", &["AdministratorAccess"])],
        &[],
        None,
    );
    whole(&ledger, &[listing.to_string()], &[]);
    let expected = [
        "unapproved user/~ -",
        &format!("approved user/~ policy/{read_only}"),
        &format!("unapproved user/~ policy/{admin}"),
        &format!("revoked user/~ policy/{power}"),
        "unapproved user/~ group_member/group-1",
        "missing user/~ group_member/group-2",
        "unapproved user/~ policy/~",
        "unrecorded user/~ policy/~",
        "unapproved user/~ permission/within-boundary",
        "missing user/svc-gone -",
        "revoked user/svc-back -",
        &format!("unrecorded user/svc-back policy/{read_only}"),
        "unapproved role/Deploy -",
        &format!("missing role/Deploy policy/{power}"),
        "unrecorded role/Break -",
        &format!("unrecorded role/Break policy/{admin}"),
    ];
    assert_eq!(found(&ledger), sorted(&expected));

    // The listing of another account says nothing about this one, and an incomplete one nothing at all.
    let elsewhere = listing.to_string().replace(ACCOUNT, "999900001111");
    let mut nobody: Value = serde_json::from_str(&elsewhere).unwrap();
    nobody["UserDetailList"].as_array_mut().unwrap().truncate(1);
    let before = found(&ledger);
    whole(&ledger, &[nobody.to_string()], &[]);
    let here: Vec<String> = ledger
        .run(&["reconcile", "aws", "--instance", ACCOUNT, "--output", "json"])
        .json::<ReconcileResponse>()
        .items
        .iter()
        .map(|item| item.kind().as_str_name().to_owned())
        .collect();
    assert_eq!(here.len(), before.len());
    snapshot(&ledger, &[page(&[], None).to_string()], &["--as-of", "2026-03-03T12:00:00Z", "--complete"]);
    let roles_alone = found(&ledger);
    assert!(roles_alone.contains(&"missing user/svc-gone -".to_owned()), "{roles_alone:?}");
    ledger.run(&["fsck"]).ended(0);
}

#[test]
fn assignments_are_compared_account_by_account() {
    let ledger = LedgerFolder::init();
    let assign = |number: u32, name: &str, account: &str, who: &str, status: &str| {
        let request = json!({
            "targetId": account, "targetType": "AWS_ACCOUNT", "permissionSetArn": SET, "principalType": "USER", "principalId": who
        });
        let key = if name.starts_with("Create") {
            "accountAssignmentCreationStatus"
        } else {
            "accountAssignmentDeletionStatus"
        };
        let time = format!("2026-03-02T09:{number:02}:00Z");
        event(number, &time, "sso", name, request, json!({ key: {"status": status} }))
    };
    let (one, two) = ("444455556666", "777788889999");
    import(
        &ledger,
        &[
            assign(1, "CreateAccountAssignment", one, JANE, "SUCCEEDED"),
            assign(2, "CreateAccountAssignment", two, JANE, "SUCCEEDED"),
            assign(3, "CreateAccountAssignment", one, JOHN, "SUCCEEDED"),
            assign(4, "DeleteAccountAssignment", one, JOHN, "SUCCEEDED"),
            assign(5, "CreateAccountAssignment", two, JOHN, "SUCCEEDED"),
            assign(6, "CreateAccountAssignment", one, TEAM, "IN_PROGRESS"),
        ],
    );
    let call = [ORG, &["--scope", "list-account-assignments"]].concat();
    let live = |account: &str, people: &[&str]| {
        let assignments: Vec<Value> = people.iter().map(|who| assignment(account, SET, "USER", who)).collect();
        json!({"AccountAssignments": assignments}).to_string()
    };
    whole(&ledger, &[live(one, &[JOHN, TEAM])], &call);
    let (jane, john, team) = (format!("sso_user/{JANE}"), format!("sso_user/{JOHN}"), format!("sso_user/{TEAM}"));
    let of_one = [
        format!("missing {jane} role/{SET} {one}"),
        format!("revoked {john} role/{SET} {one}"),
        format!("unrecorded {team} role/{SET} {one}"),
    ];
    assert_eq!(found(&ledger), of_one, "and nothing of the other account");
    whole(&ledger, &[live(two, &[JANE])], &call);
    let of_two = [format!("missing {john} role/{SET} {two}"), format!("unapproved {jane} role/{SET} {two}")];
    let mut both = [&of_one[..], &of_two[..]].concat();
    both.sort();
    assert_eq!(found(&ledger), both);
    // The state tells where the log and the listings differ, account by account.
    let state = ledger.run(&["state", &format!("account:aws:{ACCOUNT}:{jane}")]).ended(0);
    assert!(state.text().contains("not listed as of 2026-03-02T12:00:00Z in scope 444455556666"), "{}", state.text());
    assert!(!state.text().contains("in scope 777788889999, and"), "{}", state.text());
    assert!(state.text().contains("1 of 2 not as the log has it"), "{}", state.text());
}

#[test]
fn the_credential_report_against_the_log() {
    let ledger = LedgerFolder::init();
    let at = |minute: u32| format!("2026-03-02T09:{minute:02}:00Z");
    let mut events = Vec::new();
    for (number, (name, event)) in [
        ("svc-1", "CreateLoginProfile"),
        ("svc-2", "CreateLoginProfile"),
        ("svc-2", "DeleteLoginProfile"),
        ("svc-4", "CreateLoginProfile"),
    ]
    .into_iter()
    .enumerate()
    {
        let number = u32::try_from(number).unwrap();
        events.push(iam(number, &at(number), event, json!({"userName": name})));
    }
    events.push(iam(9, &at(9), "CreateAccessKey", json!({"userName": "svc-1"})));
    import(&ledger, &events);
    let rows = [
        ("<root_account>", "not_supported", "true"),
        ("svc-1", "true", "true"),
        ("svc-2", "true", "false"),
        ("svc-3", "true", "false"),
        ("svc-4", "false", "false"),
    ];
    let rows: Vec<String> = rows.iter().map(|(user, password, key)| report_row(user, password, key)).collect();
    let text = report(&rows);
    // As the console gives it, a report may have been cut, and does not say when it was made.
    let file = ledger.file("report.csv", &text);
    ledger.run(&["snapshot", "cloudtrail", file.to_str().unwrap()]).ended(2);
    let alone = snapshot(&ledger, std::slice::from_ref(&text), &["--as-of", NOON]);
    assert_eq!(alone.listings[0].reason, "not-shown-by-pages");
    // As the API gives it, it is whole and says so.
    let given = json!({
        "Content": BASE64_STANDARD.encode(&text), "ReportFormat": "text/csv", "GeneratedTime": "2026-03-02T12:00:00+00:00"
    });
    let taken = snapshot(&ledger, &[given.to_string()], &[]);
    let [summary] = &taken.listings[..] else { panic!("{taken:?}") };
    assert_eq!(scope(summary), format!("{ACCOUNT}:accounts/root/+accounts/user/+credentials/password"));
    assert_eq!((summary.completeness(), summary.reason.as_str(), summary.count), (Completeness::Complete, "", 8));
    assert_eq!((summary.events, summary.duplicates, summary.rejected), (0, 5, 0), "the same rows are known");
    let expected = [
        "unrecorded root/111122223333 -",
        "unrecorded user/svc-1 -",
        "unrecorded user/svc-2 -",
        "unrecorded user/svc-3 -",
        "unrecorded user/svc-4 -",
        "unapproved user/svc-1 password/user/svc-1",
        "revoked user/svc-2 password/user/svc-2",
        "unrecorded user/svc-3 password/user/svc-3",
        "missing user/svc-4 password/user/svc-4",
    ];
    assert_eq!(found(&ledger), sorted(&expected));
    let state = ledger.run(&["state", &format!("account:aws:{ACCOUNT}:user/svc-2")]).ended(0);
    assert!(
        state.text().contains("password/user/svc-2") && state.text().contains("and not in the log"),
        "{}",
        state.text()
    );
    // An access key has no id there: what the report says of it is noted, and is new when it changes.
    let later = given.to_string().replace(
        &BASE64_STANDARD.encode(&text),
        &BASE64_STANDARD.encode(report(&[&rows[..4], &[report_row("svc-4", "false", "true")]].concat())),
    );
    let later = snapshot(&ledger, &[later], &[]);
    assert_eq!((later.listings[0].events, later.listings[0].count), (1, 8));

    let reason = |text: String| snapshot(&ledger, &[text], &["--as-of", NOON, "--complete"]).listings[0].reason.clone();
    assert_eq!(reason(report(&rows)), "stated-by-operator");
    assert_eq!(reason(report(&rows[1..])), "root-missing");
    assert_eq!(
        reason(report(&rows).replace("svc-3,arn:aws:iam::1111", "svc-3,arn:aws:iam::9999")),
        "element-unreadable"
    );
    assert_eq!(reason(report(&rows).replace(",true,no_information", ",maybe,no_information")), "element-unreadable");
    for broken in [
        report(&rows).replace("svc-2,", ""),
        json!({"Content": "%%%", "ReportFormat": "text/csv", "GeneratedTime": "2026-03-02T12:00:00Z"}).to_string(),
        json!({"Content": "eA==", "ReportFormat": "text/html", "GeneratedTime": "2026-03-02T12:00:00Z"}).to_string(),
        given.to_string().replace("2026-03-02T12:00:00+00:00", "lately"),
    ] {
        let taken = snapshot(&ledger, std::slice::from_ref(&broken), &["--as-of", NOON]);
        assert_eq!((taken.listings.len(), taken.strange), (0, 1), "{broken}");
    }
    ledger.run(&["fsck"]).ended(0);
}

#[test]
fn nothing_personal_and_nothing_secret_of_a_listing_is_where_it_must_not_be() {
    let ledger = LedgerFolder::init();
    let key = ["AK", "IAEXAMPLE7SECRETQX"].concat();
    let mut policy = document("s3:*");
    policy["Statement"][0]["Condition"] = json!({"StringEquals": {"aws:ResourceTag/key": key}});
    let mut zelda = user("zelda.quimbleford", &["Quimbleford-Fans"], &[]);
    zelda["Tags"] = json!([{"Key": "owner", "Value": "Zelda Quimbleford"}]);
    zelda["UserPolicyList"] = json!([
        {"PolicyName": "plain", "PolicyDocument": policy}, {"PolicyName": "encoded", "PolicyDocument": encoded(&policy)}
    ]);
    whole(&ledger, &[details(&[zelda], &[], &[], &[], None).to_string()], &[]);
    whole(
        &ledger,
        &[report(&[
            report_row("<root_account>", "not_supported", "false"),
            report_row("zelda.quimbleford", "true", "true"),
        ])],
        &[],
    );
    std::fs::remove_file(ledger.beside("page0")).unwrap();
    ledger.run(&["sources"]).ended(0);
    assert_eq!(Stored::of(&ledger).find(&[key.as_bytes().to_vec()]), Vec::<String>::new());
    let opened = open(&ledger);
    let reader = opened.reader();
    for index in indexes(&reader) {
        let record = String::from_utf8_lossy(&reader.record_bytes(index).unwrap()).to_lowercase();
        assert!(!record.contains("quimbleford"), "record {index}");
        if let Some(Body::Event(event)) = reader.record(index).unwrap().body
            && event.facts.iter().any(|fact| matches!(&fact.detail, Some(Detail::Snapshot(detail)) if detail.count > 0))
        {
            let list = reader.beside(index).unwrap().unwrap().payload.unwrap().content;
            assert!(!String::from_utf8_lossy(&list).to_lowercase().contains("quimbleford"), "the list of {index}");
        }
    }
}

/// Puts something else into one place of a value.
fn spoil(value: &mut Value, random: &mut ChaCha8Rng) {
    let stop = random.next_u32().is_multiple_of(4);
    let inner: Vec<&mut Value> = match value {
        Value::Array(items) => items.iter_mut().collect(),
        Value::Object(members) => members.values_mut().collect(),
        _ => Vec::new(),
    };
    if inner.is_empty() || stop {
        let others = [json!(null), json!(0), json!(-1.5), json!(""), json!("x y@z"), json!("%zz%41"), json!(true)];
        let more = [json!([]), json!({}), json!([[null]]), json!({"Arn": 1}), json!("~"), json!("a/".repeat(2_000))];
        let others: Vec<Value> = others.into_iter().chain(more).collect();
        *value = others[random.next_u32() as usize % others.len()].clone();
        return;
    }
    let count = inner.len();
    let place = random.next_u32() as usize % count;
    spoil(inner.into_iter().nth(place).unwrap(), random);
}

/// Whatever stands in a response: each of its elements is an item's or is kept as rejected, and a listing that lacks one is
/// never complete.
#[test]
fn spoilt_responses_lose_nothing() {
    const LISTS: [&str; 5] = ["UserDetailList", "GroupDetailList", "RoleDetailList", "Policies", "AccountAssignments"];
    let ledger = InsideLedger::new();
    let connector = counterfoil_ingest::connectors::by_name("cloudtrail").unwrap();
    let mut random = ChaCha8Rng::seed_from_u64(17);
    let sound: Value = serde_json::from_str(&account(|plain| plain.clone())).unwrap();
    let assigned = json!({"AccountAssignments": [
        assignment(ACCOUNT, SET, "USER", JANE), assignment(ACCOUNT, SET, "GROUP", TEAM)
    ]});
    let (mut strange, mut rejected) = (0, 0);
    for round in 0..400u32 {
        let is_account = round % 4 != 0;
        let mut response = if is_account { sound.clone() } else { assigned.clone() };
        spoil(&mut response, &mut random);
        let file = ledger.folder.path().join("page");
        std::fs::write(&file, response.to_string()).unwrap();
        let mut seed_secret = [3; 32];
        seed_secret[..4].copy_from_slice(&round.to_be_bytes());
        let options = SnapshotOptions {
            instance: ACCOUNT.to_owned(),
            target: (!is_account).then(|| "list-account-assignments".to_owned()),
            as_of: Some(Time { seconds: 1_772_452_800, nanos: 0, precision: Precision::Second.into() }),
            stated: true,
            received_at: ledger.now().0,
            seed_secret,
        };
        let taken = take(&ledger.ledger, connector.as_ref(), &[Input::new(&file)], &options).unwrap();
        let list = |key: &&str| response[*key].as_array().map_or(0, Vec::len);
        let elements: usize = LISTS.iter().map(list).sum();
        let read: u64 = taken.listings.iter().map(|one| one.events + one.duplicates + one.rejected).sum();
        if taken.strange == 0 {
            assert_eq!(read, elements as u64, "{response}");
        } else {
            assert!(taken.listings.is_empty(), "{response}");
        }
        for listing in &taken.listings {
            assert!(!(listing.is_complete && listing.rejected > 0), "{response}");
            rejected += listing.rejected;
        }
        strange += taken.strange;
    }
    assert!(strange > 10 && rejected > 10, "it was spoilt in every way: {strange} {rejected}");
}
