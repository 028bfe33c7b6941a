//! A file that is given to the wrong connector: its events are refused, with the name of the right one, not recorded as
//! events of an unknown type.

#![allow(clippy::unwrap_used)] // A test stops where it fails.

#[path = "fixtures/support.rs"]
mod support;

use counterfoil_ingest::connectors::{by_name, names};
use counterfoil_ingest::json::parse;
use counterfoil_proto::v1::RejectReason;
use support::read_all;

/// Documents, and the connector that each is for.
const DOCUMENTS: [(&str, &str); 28] = [
    ("cloudtrail", include_str!("fixtures/cloudtrail-file.json")),
    ("cloudtrail", include_str!("fixtures/cloudtrail-bridge.json")),
    (
        "cloudtrail",
        r#"{"eventTime":"2026-03-01T09:00:00Z","eventSource":"iam.amazonaws.com","eventName":"NotKnownYet"}"#,
    ),
    (
        "cloudtrail",
        r#"{"Events":[{"EventId":"1","CloudTrailEvent":"{\"eventTime\":\"2026-03-01T09:00:00Z\",\"eventSource\":\"iam.amazonaws.com\",\"eventName\":\"GetUser\"}"}]}"#,
    ),
    (
        "github",
        r#"{"action":"team.add_member","actor":"a","created_at":1772357400000,"org":"o","team":"o/t","user":"b"}"#,
    ),
    ("github", r#"{"@timestamp":1772357400000,"_document_id":"x","action":"not.known_yet"}"#),
    ("kubernetes", include_str!("fixtures/kubernetes-events.json")),
    (
        "kubernetes",
        r#"{"kind":"Event","apiVersion":"audit.k8s.io/v1","auditID":"1","stage":"ResponseComplete","verb":"get","stageTimestamp":"2026-03-01T09:00:00Z"}"#,
    ),
    ("kubernetes", r#"{"auditID":"1","stage":"RequestReceived","verb":"x","stageTimestamp":"2026-03-01T09:00:00Z"}"#),
    ("okta", include_str!("fixtures/okta-grant.json")),
    ("okta", include_str!("fixtures/okta-hook.json")),
    ("okta", r#"{"uuid":"u","published":"2026-03-01T09:00:00Z","eventType":"not.known.yet"}"#),
    (
        "okta",
        r#"{"id":"00u1","status":"ACTIVE","created":"2026-03-01T09:00:00Z","profile":{"login":"a","email":"a@example.com"}}"#,
    ),
    (
        "okta",
        r#"{"id":"00g1","created":"2026-03-01T09:00:00Z","objectClass":["okta:user_group"],"profile":{"name":"Ops"}}"#,
    ),
    (
        "okta",
        r#"{"id":"00u1","scope":"USER","syncState":"DISABLED","status":"ACTIVE","created":"2026-03-01T09:00:00Z"}"#,
    ),
    ("okta", r#"{"id":"irb1","label":"Super","type":"SUPER_ADMIN","status":"ACTIVE","assignmentType":"USER"}"#),
    ("freshservice", include_str!("fixtures/freshservice-ticket.json")),
    ("freshservice", include_str!("fixtures/freshservice-agent.json")),
    (
        "freshservice",
        r#"{"ticket_id":1,"approvals":[{"id":31,"created_at":"2026-03-01T08:00:00Z","approver_id":5,"approval_status":{"id":1}}]}"#,
    ),
    ("freshservice", r#"{"id":31,"created_at":"2026-03-01T08:00:00Z","approver_id":5,"approval_status":{"id":1}}"#),
    ("freshservice", r#"{"id":1,"requester_id":5,"status":2,"created_at":"2026-03-01T08:00:00Z"}"#),
    ("freshservice", r#"{"id":1,"planned_start_date":"2026-03-01T08:00:00Z","created_at":"2026-03-01T08:00:00Z"}"#),
    ("freshservice", r#"{"requester":{"id":1,"primary_email":"a@example.com","created_at":"2026-03-01T08:00:00Z"}}"#),
    (
        "freshservice",
        r#"{"groups":[{"id":1,"name":"Ops","members":[1],"observers":[],"created_at":"2026-03-01T08:00:00Z"}]}"#,
    ),
    (
        "freshservice",
        r#"{"event":"onTicketUpdate","data":{"actor":{"id":1},"ticket":{"id":1,"status":2,"updated_at":"2026-03-01T08:00:00Z"}}}"#,
    ),
    ("freshservice", r#"{"freshservice_webhook":{"ticket_id":"SR-1","ticket_status":"Open"}}"#),
    (
        "fact",
        r#"{"id":"e","source":{"system":"ci","instance":"p","stream":"s"},"facts":[{"kind":"account.created","occurred_at":"2026-03-01T08:00:00Z","subject":{"id":"u1"}}]}"#,
    ),
    (
        "fact",
        r#"{"source":{"system":"ci","instance":"p","stream":"s"},"facts":[{"kind":"auth.event","occurred_at":"2026-03-01T08:00:00Z","subject":{"id":"u1"}}]}"#,
    ),
];

#[test]
fn an_event_of_another_connector_is_refused_and_the_right_one_is_named() {
    for (owner, document) in DOCUMENTS {
        assert!(by_name(owner).unwrap().recognises(&parse(document.as_bytes()).unwrap()), "{owner}: {document}");
        for connector in names() {
            let mut readings = read_all(connector, document);
            if connector != owner {
                readings.extend(read_all(connector, &format!("[{document},{document}]")));
            }
            for reading in readings {
                match reading {
                    Ok(_) => assert_eq!(connector, owner, "{document}"),
                    Err(reject) => {
                        assert_ne!(connector, owner, "{reject}: {document}");
                        assert_eq!(reject.reason, RejectReason::NotAnEvent, "{connector}: {reject}");
                        let advice = format!("it looks like one for the connector {owner}: import the file with that");
                        assert!(reject.message.ends_with(&advice), "{connector}: {reject}");
                    }
                }
            }
        }
    }
}

#[test]
fn an_event_of_no_connector_is_refused_too() {
    for document in [r#"{"meta":1}"#, r#"{"eventID":"1","eventSource":"iam.amazonaws.com"}"#, r#"{"a":{"b":[{}]}}"#] {
        for connector in ["cloudtrail", "github", "kubernetes", "okta", "freshservice"] {
            let [Err(reject)] = &read_all(connector, document)[..] else { panic!("{connector}: {document}") };
            assert_eq!(reject.reason, RejectReason::NotAnEvent);
            assert!(reject.message.contains("import it with the connector of its system"), "{reject}");
        }
    }
}
