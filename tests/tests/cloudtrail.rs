//! CloudTrail through the whole program: one event in every envelope, and what a user named in many ways could do.
#![allow(clippy::unwrap_used, reason = "a test stops where it fails")]

use counterfoil_proto::v1::{
    GetStateResponse, ImportResponse, ImportSummary, ListChangesResponse, ListSourcesResponse,
};
use counterfoil_tests::files::lines;
use counterfoil_tests::program::LedgerFolder;
use serde_json::{Value, json};

/// An event by the user `svc-sync`, at this minute of an hour.
fn event(minute: u32, source: &str, name: &str, request: Value, response: Value) -> Value {
    json!({
        "eventVersion": "1.09", "eventTime": format!("2026-03-01T09:{minute:02}:00Z"),
        "eventSource": format!("{source}.amazonaws.com"), "eventName": name, "readOnly": false,
        "eventID": format!("5f0e8c3a-1111-4222-8333-{minute:012}"), "recipientAccountId": "111122223333",
        "userIdentity": {
            "type": "IAMUser", "principalId": "AIDAEXAMPLE1SYNC0001", "accountId": "111122223333",
            "arn": "arn:aws:iam::111122223333:user/svc-sync", "userName": "svc-sync",
        },
        "requestParameters": request, "responseElements": response,
    })
}

/// What happened to jane: created, put into a group, given a policy, and refused another.
fn events() -> Vec<Value> {
    let jane = json!({"user": {"userName": "jane.roe", "userId": "AIDAEXAMPLE1JANE0001", "arn": "arn:aws:iam::111122223333:user/jane.roe"}});
    let policy = |name: &str| json!({"userName": "jane.roe", "policyArn": format!("arn:aws:iam::aws:policy/{name}")});
    let mut refused = event(4, "iam", "AttachUserPolicy", policy("AdministratorAccess"), Value::Null);
    refused["errorCode"] = json!("AccessDenied");
    let assignment = json!({
        "targetId": "444455556666", "permissionSetArn": "arn:aws:sso:::permissionSet/ssoins-1/ps-1",
        "principalType": "USER", "principalId": "f81d4fae-7dec-11d0-a765-00a0c91e6bf6",
    });
    let status = json!({"accountAssignmentCreationStatus": {"status": "IN_PROGRESS"}});
    vec![
        event(1, "iam", "CreateUser", json!({"userName": "jane.roe"}), jane),
        event(2, "iam", "AddUserToGroup", json!({"userName": "jane.roe", "groupName": "Readers"}), Value::Null),
        event(3, "iam", "AttachUserPolicy", policy("ReadOnlyAccess"), Value::Null),
        refused,
        event(5, "sso", "CreateAccountAssignment", assignment, status),
    ]
}

fn summary(ledger: &LedgerFolder, name: &str, bytes: impl AsRef<[u8]>) -> ImportSummary {
    let run = ledger.import("cloudtrail", &ledger.file(name, bytes), &["--output", "json"]);
    run.json::<ImportResponse>().total.unwrap()
}

#[test]
fn an_event_that_comes_through_another_envelope_is_a_duplicate() {
    let ledger = LedgerFolder::init();
    let events = events();
    let first = summary(&ledger, "a.json", json!({"Records": events}).to_string());
    assert_eq!((first.events, first.unmapped, first.incomplete, first.rejected), (5, 0, 0, 0), "{first:?}");
    let known = ImportSummary { input: "total".to_owned(), duplicates: 5, ..ImportSummary::default() };
    let bridged = |event: &Value| json!({"version": "0", "detail-type": "AWS API Call via CloudTrail", "account": "1", "detail": event});
    let bridged: Vec<Value> = events.iter().map(bridged).collect();
    assert_eq!(summary(&ledger, "b.jsonl", lines(&bridged)), known);
    let looked_up = |event: &Value| json!({"EventId": event["eventID"], "CloudTrailEvent": event.to_string()});
    let looked_up: Vec<Value> = events.iter().map(looked_up).collect();
    let page = serde_json::to_string_pretty(&json!({"Events": looked_up, "NextToken": "t"})).unwrap();
    assert_eq!(summary(&ledger, "c.json", page), known);
    assert_eq!(summary(&ledger, "d.jsonl", lines(&events)), known);
    // Another content under a known id changes nothing.
    let mut forged = events[2].clone();
    forged["requestParameters"]["policyArn"] = json!("arn:aws:iam::aws:policy/PowerUserAccess");
    assert_eq!(summary(&ledger, "e.jsonl", lines(&[forged])).conflicts, 1);
    assert_eq!(held(&ledger, "jane.roe"), ["Readers", "ReadOnlyAccess"]);
    // What was known counts for the account that it is of, as the events do.
    let sources: ListSourcesResponse = ledger.run(&["sources", "--output", "json"]).json();
    let counts: Vec<_> = sources.sources.iter().map(|source| (source.events, source.duplicates)).collect();
    assert_eq!(counts, [(5, 15)], "{sources:?}");
}

fn held(ledger: &LedgerFolder, who: &str) -> Vec<String> {
    let state: GetStateResponse = ledger.run(&["state", who, "--system", "aws", "--output", "json"]).json();
    let mut names: Vec<String> =
        state.state.unwrap().grants.into_iter().map(|grant| grant.counterpart.unwrap().name.clone()).collect();
    names.sort_unstable_by_key(|name| name.len());
    names
}

#[test]
fn a_user_has_what_was_given_to_the_name_whichever_name_is_asked_for() {
    let ledger = LedgerFolder::init();
    summary(&ledger, "a.jsonl", lines(&events()));
    for who in ["jane.roe", "AIDAEXAMPLE1JANE0001", "arn:aws:iam::111122223333:user/jane.roe"] {
        assert_eq!(held(&ledger, who), ["Readers", "ReadOnlyAccess"], "{who}");
    }
    // What AWS has only begun is no access yet.
    let pending = held(&ledger, "account:aws:111122223333:sso_user/f81d4fae-7dec-11d0-a765-00a0c91e6bf6");
    assert!(pending.is_empty(), "{pending:?}");
    let explained: ListChangesResponse = ledger.run(&["explain", "--unapproved", "--output", "json"]).json();
    assert_eq!(explained.explanations.len(), 3, "the user, the group, the policy: {explained:?}");
}

/// A busy account's log file has more values than one document may have: its events are read one by one.
#[test]
fn a_large_log_file_is_read_event_by_event() {
    const EVENTS: u32 = 12_000;
    let ledger = LedgerFolder::init();
    let mut event = event(1, "iam", "GetUser", json!({"userName": "jane.roe"}), Value::Null);
    event["resources"] = json!(vec![0; 80]);
    let id = event["eventID"].as_str().unwrap().to_owned();
    let text = event.to_string();
    let events: Vec<String> = (0..EVENTS).map(|number| text.replace(&id, &format!("{id}{number}"))).collect();
    let list = format!("[{}]", events.join(","));
    let large = summary(&ledger, "a.json", format!("{{\"Records\":{list}}}"));
    assert_eq!((large.events, large.rejected), (EVENTS.into(), 0), "{large:?}");
    // What is no such envelope, or hides a list behind another one, is refused whole.
    for other in [format!("{{\"Records\":[],\"Records\":{list}}}"), format!("{{\"Other\":{list}}}")] {
        let refused = summary(&ledger, "b.json", other);
        assert_eq!((refused.events, refused.duplicates, refused.rejected), (0, 0, 1), "{refused:?}");
    }
}
