//! Listings of AWS against CloudTrail's log, through the program: what is approved, unapproved, unrecorded, taken away and
//! live, or gone, exactly; and where a listing says nothing.
#![allow(clippy::unwrap_used, reason = "a test stops where it fails")]

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use counterfoil_proto::Shared;
use counterfoil_proto::v1::{Completeness, ReconcileResponse, ReconciledItem};
use counterfoil_tests::aws::{
    ACCOUNT, JANE, JOHN, NOON, ORG, SET, TEAM, arn, assignment, details, document, event, group, iam, managed, report,
    report_row, role, snapshot, user, whole,
};
use counterfoil_tests::files::lines;
use counterfoil_tests::program::LedgerFolder;
use counterfoil_verify::entity::EntityId;
use serde_json::{Value, json};

fn import(ledger: &LedgerFolder, events: &[Value]) {
    ledger.import("cloudtrail", &ledger.file("log.jsonl", lines(events)), &["--backfill"]).ended(0);
}

/// "kind who what scope" of each access.
fn found(ledger: &LedgerFolder, further: &[&str]) -> Vec<String> {
    let response: ReconcileResponse = ledger.run(&[&["reconcile", "aws", "--output", "json"], further].concat()).json();
    let id = |party: &Option<Shared<counterfoil_proto::v1::Party>>| {
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
    assert_eq!(found(&ledger, &[]), sorted(&expected));

    // The listing of another account says nothing about this one, and one without users nothing about any.
    let elsewhere = listing.to_string().replace(ACCOUNT, "999900001111");
    whole(&ledger, &[elsewhere], &[]);
    assert_eq!(found(&ledger, ORG), sorted(&expected));
    let roles = details(&[], &[], &[role("Deploy", &[]), role("Break", &["AdministratorAccess"])], &[], None);
    snapshot(&ledger, &[roles.to_string()], &["--as-of", "2026-03-03T12:00:00Z", "--complete"]);
    assert_eq!(found(&ledger, ORG), sorted(&expected));
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
    assert_eq!(found(&ledger, &[]), of_one, "and nothing of the other account");
    whole(&ledger, &[live(two, &[JANE])], &call);
    let of_two = [format!("missing {john} role/{SET} {two}"), format!("unapproved {jane} role/{SET} {two}")];
    let mut both = [&of_one[..], &of_two[..]].concat();
    both.sort();
    assert_eq!(found(&ledger, &[]), both);
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
    assert_eq!(
        summary.scope,
        format!("snapshot_scope:aws:{ACCOUNT}:accounts/root/+accounts/user/+credentials/password")
    );
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
    assert_eq!(found(&ledger, &[]), sorted(&expected));
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
