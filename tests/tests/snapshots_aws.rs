//! Listings of AWS through the program: what they list, and what makes them incomplete. What they say against CloudTrail's
//! log is in `reconcile_aws`.
#![allow(clippy::unwrap_used, reason = "a test stops where it fails")]

mod stored;

use std::collections::BTreeMap;

use counterfoil_ingest::snapshot::{SnapshotOptions, read, take};
use counterfoil_ingest::sources::file::Input;
use counterfoil_proto::v1::{
    AccountStatus, Authentication, Completeness, FactKind, ListDeadLettersResponse, ListingSummary, Precision, Time,
    fact::Detail, record::Body,
};
use counterfoil_tests::aws::{
    ACCOUNT, JANE, JOHN, NOON, ORG, OTHER_SET, SET, TEAM, arn, assignment, details, document, encoded, group, managed,
    report, report_row, role, snapshot, user, whole,
};
use counterfoil_tests::inside::InsideLedger;
use counterfoil_tests::program::LedgerFolder;
use counterfoil_verify::entity::EntityId;
use counterfoil_verify::listing::{Item, Listing};
use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::{Rng, SeedableRng};
use serde_json::{Value, json};
use stored::{Stored, indexes, open};

fn scope(summary: &ListingSummary) -> String {
    summary.scope.strip_prefix("snapshot_scope:aws:").unwrap().to_owned()
}

/// "subject object scope" (or, of who is locked out, "subject - disabled") of each item of the newest listing of each scope, without digests.
fn items(ledger: &LedgerFolder) -> BTreeMap<String, Vec<String>> {
    let ledger = open(ledger);
    let reader = ledger.reader();
    let short = |entity: &EntityId| entity.native_id().split_inclusive('~').next().unwrap().to_owned();
    let show = |item: &Item| {
        let object = item.object.as_ref().map_or_else(|| "-".to_owned(), short);
        let status = if item.status == AccountStatus::Disabled { "disabled" } else { "" };
        format!("{} {object} {}{status}", short(&item.subject), item.scope).trim_end().to_owned()
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
            {"Document": of(&document("*")), "VersionId": "v1", "IsDefaultVersion": false},
            {"Document": of(&document("s3:*")), "VersionId": "v2", "IsDefaultVersion": true},
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
    // Of a managed policy, only the version that counts.
    for (said, expected) in
        [("s3:Get*", [1, 0, 0, 0]), ("ec2:*", [0, 1, 0, 0]), ("s3:*", [0, 0, 0, 1]), ("*", [0, 0, 0, 0])]
    {
        let other = |plain: &Value| if *plain == document(said) { document("sqs:*") } else { plain.clone() };
        let taken = whole(&ledger, &[account(other)], &[]);
        let new: Vec<u64> = taken.listings.iter().map(|listing| listing.events).collect();
        assert_eq!(new, expected, "the document that allowed {said} has changed");
    }
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
    check(&details(&[], &[], &[], &[], None), &[], "log tells of it in instance");
    check(&page(&["svc-1"], None), &["--instance", "999900001111"], "got one of 111122223333");
    let assigned = json!({"AccountAssignments": [assignment(ACCOUNT, SET, "USER", JANE)]});
    check(&assigned, ORG, "whose call scope names, such as list-account-assignments");
    check(&assigned, &["--scope", "list-account-assignments"], "log tells of it in instance");
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
    check(&json!({"Users": []}), ORG, "whose call scope names");
    check(&json!({"Users": [{"UserName": "x", "Arn": arn("user/x")}]}), ORG, "whose call scope names");
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
    let of_team = json!({"AccountAssignments": [assignment("444455556666", SET, "GROUP", TEAM)]});
    let for_team = format!("list-account-assignments-for-principal?principal-id={TEAM}&principal-type=GROUP");
    let cases: [(&str, Value, String, Vec<String>); 10] = [
        ("", people, "accounts/sso_user/".to_owned(), vec![format!("{jane} -"), format!("{john} - disabled")]),
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
        (&for_team, of_team, format!("implied/role/{team}"), vec![format!("{team} {set} 444455556666")]),
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
    // What a call was not asked for is nothing that it can have given.
    let of_set = format!("list-account-assignments?account-id=444455556666&permission-set-arn={SET}");
    for (call, body) in [
        (format!("list-group-memberships?group-id={TEAM}"), json!({"GroupMemberships": [member("other", JANE)]})),
        (
            format!("list-group-memberships-for-member?user-id={JANE}"),
            json!({"GroupMemberships": [member(TEAM, JOHN)]}),
        ),
        (of_set.clone(), json!({"AccountAssignments": [assignment("777788889999", SET, "USER", JANE)]})),
        (of_set, json!({"AccountAssignments": [assignment("444455556666", OTHER_SET, "USER", JANE)]})),
        (for_jane, json!({"AccountAssignments": [assignment("444455556666", SET, "USER", JOHN)]})),
    ] {
        let taken = whole(&ledger, &[body.to_string()], &[ORG, &["--scope", &call]].concat());
        let [summary] = &taken.listings[..] else { panic!("{call}: {taken:?}") };
        assert_eq!((summary.reason.as_str(), summary.rejected, summary.count), ("element-unreadable", 1, 0), "{call}");
    }
    let filtered = [ORG, &["--scope", "list-users?filters=x", "--complete", "--as-of", NOON]].concat();
    let people = json!({"Users": [{"UserName": "x", "UserId": JANE, "IdentityStoreId": "d-1"}]}).to_string();
    assert_eq!(snapshot(&ledger, &[people], &filtered).listings[0].reason, "filtered");
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
            authentication: Authentication::OperatorFile,
            received_at: ledger.now().0,
            seed_secret,
        };
        let taken = take(&ledger.ledger, connector.as_ref(), &read(&[Input::new(&file)]).unwrap(), &options).unwrap();
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
