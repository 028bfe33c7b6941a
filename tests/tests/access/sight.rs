//! Callers without the role payload: what people are called, and what sources have sent, is in none of their answers.
//!
//! Owns its own idea of what is personal: every text of the native events but the ids, times and words that records are
//! made of.

use counterfoil_proto::v1::{
    AppendRequest, Basis, DiffStateRequest, EvidenceQuestion, ExplainChangeRequest, ExplainGrantRequest,
    GetBlastRadiusRequest, GetConsistencyProofRequest, GetDeadLetterRequest, GetEffectiveAccessRequest,
    GetEntityProofRequest, GetEvidenceRequest, GetHistoryRequest, GetInclusionProofRequest, GetInventoryReportRequest,
    GetListingProofRequest, GetPeriodEvidenceRequest, GetProofsRequest, GetRecordRequest, GetStateRequest,
    ListAffectedRequest, ListCapableIdentitiesRequest, ListChangesRequest, ListDeadLettersRequest, ListHoldersRequest,
    ListIdentitiesRequest, ListIntegrationPathsRequest, ListNonHumanIdentitiesRequest, PlanReversalRequest,
    ReadRecordsRequest, ReconcileRequest, RetryDeadLetterRequest, RetryDeadLetterResponse, TraceTicketRequest,
    Withheld,
};
use counterfoil_tests::files::{holds, lines};
use counterfoil_tests::okta::{group, implied, joined, login, response, user_id, user_object, uuid};
use counterfoil_tests::program::LedgerFolder;
use counterfoil_tests::server::Server;
use prost::Message;
use serde_json::{Value, json};
use tonic::Code;

use crate::calls::{Client, methods, token};

const AT: &str = "2026-03-01T09:00:00Z";
const TICKET: &str = "ticket:freshservice:default:ticket/7";
const DEAD: &str = "{\"uuid\": \"mallory@example.net\", \"eventType\":";

/// What every answer begins with.
#[derive(Clone, PartialEq, Message)]
struct Answer {
    #[prost(message, optional, tag = "1")]
    basis: Option<Basis>,
}

/// Every text of an event that is neither an id of the source's own, nor a time, nor a word of its vocabulary.
fn personal(value: &Value, key: &str, found: &mut Vec<String>) {
    match value {
        Value::Object(fields) => fields.iter().for_each(|(key, value)| personal(value, key, found)),
        Value::Array(items) => items.iter().for_each(|item| personal(item, key, found)),
        Value::String(text)
            if !["uuid", "published", "eventType", "id", "type", "version", "requestId"].contains(&key) =>
        {
            found.push(text.clone());
        }
        _ => {}
    }
}

/// For each method, requests that have an answer with something in it.
fn requests(path: &str) -> Vec<Vec<u8>> {
    let who = format!("account:okta:default:{}", user_id(1));
    let what = format!("entitlement:okta:default:group_member/{}", group(1)["id"].as_str().unwrap());
    let from = Some(pbjson_types::Timestamp { seconds: 1_767_225_600, nanos: 0 });
    let request = match path.rsplit('/').next().unwrap() {
        "ListIdentities" => ListIdentitiesRequest::default().encode_to_vec(),
        "GetState" => GetStateRequest { who, ..Default::default() }.encode_to_vec(),
        "GetHistory" => GetHistoryRequest { who, ..Default::default() }.encode_to_vec(),
        "DiffState" => DiffStateRequest { who, from, ..Default::default() }.encode_to_vec(),
        "GetEffectiveAccess" => GetEffectiveAccessRequest { who, ..Default::default() }.encode_to_vec(),
        "GetBlastRadius" => GetBlastRadiusRequest { who, ..Default::default() }.encode_to_vec(),
        "ListAffected" => ListAffectedRequest { change: uuid(3), ..Default::default() }.encode_to_vec(),
        "ListCapableIdentities" => ListCapableIdentitiesRequest::default().encode_to_vec(),
        "ListNonHumanIdentities" => ListNonHumanIdentitiesRequest::default().encode_to_vec(),
        "ListIntegrationPaths" => ListIntegrationPathsRequest::default().encode_to_vec(),
        "GetInventoryReport" => GetInventoryReportRequest::default().encode_to_vec(),
        "ListHolders" => ListHoldersRequest { who: what, ..Default::default() }.encode_to_vec(),
        "ExplainChange" => ExplainChangeRequest { change: uuid(1), ..Default::default() }.encode_to_vec(),
        "ListChanges" => ListChangesRequest::default().encode_to_vec(),
        "TraceTicket" => TraceTicketRequest { ticket: TICKET.to_owned(), ..Default::default() }.encode_to_vec(),
        "ExplainGrant" => ExplainGrantRequest { who, entitlement: what, ..Default::default() }.encode_to_vec(),
        "PlanReversal" => PlanReversalRequest { change: uuid(1), ..Default::default() }.encode_to_vec(),
        "Reconcile" => ReconcileRequest { system: "okta".to_owned(), ..Default::default() }.encode_to_vec(),
        "GetRecord" => GetRecordRequest { index: 1, ..Default::default() }.encode_to_vec(),
        "GetInclusionProof" => GetInclusionProofRequest { index: 1, ..Default::default() }.encode_to_vec(),
        "GetConsistencyProof" => GetConsistencyProofRequest { old_size: 1, ..Default::default() }.encode_to_vec(),
        "ReadRecords" => {
            let read =
                |beside_as_bytes| ReadRecordsRequest { with_beside: true, beside_as_bytes, ..Default::default() };
            return [false, true].map(|as_bytes| read(as_bytes).encode_to_vec()).to_vec();
        }
        "ListDeadLetters" => ListDeadLettersRequest::default().encode_to_vec(),
        "GetDeadLetter" => GetDeadLetterRequest { record: 3, ..Default::default() }.encode_to_vec(),
        "GetEntityProof" => GetEntityProofRequest { who, ..Default::default() }.encode_to_vec(),
        "GetEvidence" => {
            let question = EvidenceQuestion::State.into();
            GetEvidenceRequest { question, who, ..Default::default() }.encode_to_vec()
        }
        "GetProofs" => GetProofsRequest { records: vec![1], entities: vec![who], ..Default::default() }.encode_to_vec(),
        "GetListingProof" => {
            GetListingProofRequest { record: 8, subject: who, object: what, ..Default::default() }.encode_to_vec()
        }
        "GetPeriodEvidence" => {
            let to = Some(pbjson_types::Timestamp { seconds: 1_798_761_600, nanos: 0 });
            GetPeriodEvidenceRequest { from, to, ..Default::default() }.encode_to_vec()
        }
        "GetCheckpoint" | "ListSources" => Vec::new(),
        other => panic!("{other} is new: say here what to ask it"),
    };
    vec![request]
}

#[test]
fn names_and_payloads_are_for_callers_with_the_role_payload() {
    let ledger = LedgerFolder::init();
    let events = [joined(1, AT, 1, 1), joined(2, AT, 2, 1)];
    ledger.import("okta", &ledger.file("a.jsonl", lines(&events)), &[]).ended(0);
    ledger.import("okta", &ledger.file("bad.jsonl", DEAD), &[]).ended(0);
    ledger.import("okta", &ledger.file("b.jsonl", lines(&[implied(3, AT, 1, 1)])), &[]).ended(0);
    let asked = json!({"ticket": {
        "id": 7, "subject": "Let her in", "type": "Request", "status": 2, "requester_id": 1, "requested_for_id": 2,
        "created_at": AT, "updated_at": AT,
    }});
    ledger.import("freshservice", &ledger.file("ticket.json", asked.to_string()), &[]).ended(0);
    let own = "groups/00g00000000000000001/users";
    let live = response(own, None, "Mon, 02 Mar 2026 12:00:00 GMT", &json!([user_object(1, "ACTIVE")]));
    ledger.run(&["snapshot", "okta", ledger.file("page", live).to_str().unwrap()]).ended(0);
    let mut secret = Vec::new();
    events.iter().for_each(|event| personal(event, "", &mut secret));
    secret.extend([
        "Let her in".to_owned(),
        "mallory".to_owned(),
        "transaction1".to_owned(),
        "debugContext".to_owned(),
    ]);
    secret.retain(|text| !["SUCCESS", "INFO", "WEB", "unknown"].contains(&&text[..]));
    secret.sort();
    secret.dedup();
    assert!(secret.contains(&login(1)) && secret.contains(&"Person 2".to_owned()) && secret.len() > 10, "{secret:?}");

    let (reader, seer) = (token(&ledger, "reader", &["read"]), token(&ledger, "seer", &["read", "payload"]));
    // Proofs need a seal.
    let server = Server::sealing(&ledger);
    let client = Client::plain(&server);
    let mut seen = vec![0; secret.len()];
    let methods = methods();
    let asked = methods.iter().filter(|method| method.role == "read").flat_map(|method| {
        let path = &method.path;
        requests(path).into_iter().map(move |request| (path, request))
    });
    for (path, request) in asked {
        let ask = |token: &str| loop {
            match client.call(path, Some(token), &request) {
                // The views are still being built.
                Err(status) if matches!(status.code(), Code::NotFound | Code::Unavailable) => client.pause(),
                answer => break answer.unwrap_or_else(|status| panic!("{path}: {status:?}")),
            }
        };
        let (told, shown) = (ask(&reader), ask(&seer));
        assert!(!told.is_empty() && told.concat().len() > 40, "{path} has an answer");
        for (number, text) in secret.iter().enumerate() {
            assert!(!holds(&told.concat(), text.as_bytes()), "{path} tells {text:?}");
            seen[number] += usize::from(holds(&shown.concat(), text.as_bytes()));
        }
        let withheld = |messages: &[Vec<u8>]| -> Vec<Withheld> {
            let basis = Answer::decode(&messages[0][..]).unwrap().basis.unwrap();
            basis.withheld().collect()
        };
        // Whatever differs is said to be missing, and what is said to be missing could be.
        assert_eq!(withheld(&shown), [], "{path}");
        let expected: &[Withheld] = match path.rsplit('/').next().unwrap() {
            "GetCheckpoint" | "GetInclusionProof" | "GetConsistencyProof" => &[],
            "GetEntityProof" | "GetProofs" | "GetListingProof" => &[],
            "GetRecord" | "ReadRecords" | "GetDeadLetter" | "GetEvidence" | "GetPeriodEvidence" => {
                &[Withheld::PersonalValues, Withheld::Payloads]
            }
            _ => &[Withheld::PersonalValues],
        };
        assert_eq!(withheld(&told), expected, "{path}");
        assert!(!expected.is_empty() || told == shown, "{path}");
    }
    for (text, count) in secret.iter().zip(seen) {
        assert!(count > 0, "{text:?} is shown to callers who may see it");
    }

    // By name nobody is found either, so that no name can be tried; a login finds its account.
    let state = "/counterfoil.v1.IdentityService/GetState";
    let by = |who: &str| GetStateRequest { who: who.to_owned(), ..Default::default() }.encode_to_vec();
    assert!(client.call(state, Some(&seer), &by("Person 1")).is_ok());
    let unknown = client.call(state, Some(&reader), &by("Person 1")).unwrap_err();
    assert_eq!(unknown.code(), Code::NotFound);
}

/// Whoever may only append learns why a dead letter cannot be read, and not what it says.
#[test]
fn a_retry_repeats_nothing_to_callers_without_the_role_payload() {
    let ledger = LedgerFolder::init();
    let mut event = joined(1, AT, 1, 1);
    event["published"] = json!("mallory@example.net");
    ledger.import("okta", &ledger.file("a.json", event.to_string()), &[]).ended(0);
    let (writer, seer) = (token(&ledger, "writer", &["write"]), token(&ledger, "seer", &["write", "payload"]));
    let server = Server::start(&ledger);
    let client = Client::plain(&server);
    let retry = RetryDeadLetterRequest { record: 1, ..Default::default() }.encode_to_vec();
    let ask = |token: &str| {
        let answer = client.call("/counterfoil.v1.IngestService/RetryDeadLetter", Some(token), &retry).unwrap();
        RetryDeadLetterResponse::decode(&answer[0][..]).unwrap()
    };
    let (told, shown) = (ask(&writer), ask(&seer));
    assert_eq!(told.basis.unwrap().withheld().collect::<Vec<_>>(), [Withheld::PersonalValues]);
    assert_eq!(shown.basis.unwrap().withheld().count(), 0);
    let (told, shown) = (told.retried.unwrap(), shown.retried.unwrap());
    assert_eq!((&told.reason[..], &told.error[..]), ("time invalid", ""));
    assert!(shown.error.contains("mallory") && shown.reason == "time invalid", "{shown:?}");
}

/// Whoever may append is recorded as a client that showed who it is.
#[test]
fn what_a_caller_appends_says_how_it_was_authenticated() {
    let ledger = LedgerFolder::init();
    let writer = token(&ledger, "producer", &["write"]);
    let server = Server::start(&ledger);
    let client = Client::plain(&server);
    let documents = vec![joined(1, AT, 1, 1).to_string().into_bytes()];
    let append = AppendRequest { connector: "okta".to_owned(), documents, ..Default::default() }.encode_to_vec();
    let answer = client.call("/counterfoil.v1.IngestService/Append", Some(&writer), &append).unwrap();
    assert!(!holds(&answer.concat(), login(1).as_bytes()));
    drop(client);
    server.stop();
    let record: Value = ledger.run(&["record", "1", "--output", "json"]).json();
    assert_eq!(record["record"]["provenance"]["authentication"], "AUTHENTICATION_CLIENT_CREDENTIALS");
}
