//! Redaction, as somebody runs it: afterwards no byte of an address is left in any data folder, and all else is as it was.
#![allow(clippy::unwrap_used, reason = "a test stops where it fails")]

mod stored;

use std::fs;
use std::sync::mpsc;
use std::time::Duration;

use counterfoil_proto::v1::{
    DeadLetter, FsckReport, GetHistoryResponse, GetRecordResponse, ListDeadLettersResponse, RedactResponse,
    RemapResponse, record::Body,
};
use counterfoil_tests::http::{curl, curl_with};
use counterfoil_tests::okta::{joined, login, user, user_id};
use counterfoil_tests::program::{LedgerFolder, Run, run};
use counterfoil_tests::server::Server;
use counterfoil_verify::hash::{Hash, LeafHash};
use counterfoil_verify::proof::verify_inclusion;
use counterfoil_verify::tree::{RecordIndex, TreeSize};
use serde_json::{Value, json};
use stored::Stored;

/// Somebody whose address and name stand nowhere else.
const WHO: u32 = 424_242;
const REDACT: [&str; 9] = [
    "redact",
    "--reason",
    "erasure-request",
    "--rule",
    "gdpr/17-1-a",
    "--by",
    "dpo@authority.example",
    "--why",
    "asked to",
];

/// What is theirs, as bytes that are searched for.
fn theirs() -> [Vec<u8>; 2] {
    [login(WHO).into_bytes(), format!("Person {WHO}").into_bytes()]
}

/// Events about them as whom it is done to and as who does it, events about others, and a document that cannot be read.
fn documents() -> Vec<String> {
    let mut by_them = joined(3, "2026-03-01T11:00:00Z", 5, 1);
    by_them["actor"] = user(WHO);
    let broken = format!("{{\"uuid\": \"x\", \"actor\": {{\"alternateId\": \"{}\"}}, ", login(WHO));
    vec![
        joined(1, "2026-03-01T09:00:00Z", WHO, 1).to_string(),
        joined(2, "2026-03-01T10:00:00Z", 6, 1).to_string(),
        by_them.to_string(),
        joined(4, "2026-03-01T12:00:00Z", WHO, 2).to_string(),
        broken,
    ]
}

fn append(server: &Server, documents: &[String]) -> Value {
    use base64::prelude::{BASE64_STANDARD, Engine};
    let documents: Vec<String> = documents.iter().map(|document| BASE64_STANDARD.encode(document)).collect();
    let request = json!({"connector": "okta", "documents": documents});
    curl_with(&["--json", "@-", &format!("{}/v1/append", server.url())], request.to_string().as_bytes()).json(200)
}

/// Waits until the views of a server hold so many records.
fn reach(server: &Server, size: u64) {
    for _ in 0..12 {
        if curl(&[format!("{}/v1/sources?minTreeSize={size}", server.url())]).status == 200 {
            return;
        }
    }
    panic!("{size} records are not reached");
}

/// Lets so many milliseconds pass.
fn rest(milliseconds: u64) {
    let (_never, nothing) = mpsc::channel::<()>();
    let _ = nothing.recv_timeout(Duration::from_millis(milliseconds));
}

fn redact(ledger: &LedgerFolder, further: &[&str]) -> RedactResponse {
    ledger.run(&[&REDACT, further, &["--output", "json"]].concat()).json()
}

fn sound(ledger: &LedgerFolder) -> FsckReport {
    let report: FsckReport = ledger.run(&["fsck", "--output", "json"]).json();
    assert!(report.sound, "{report:?}");
    report
}

fn record(ledger: &LedgerFolder, index: u64) -> GetRecordResponse {
    ledger.run(&["record", &index.to_string(), "--output", "json"]).json()
}

/// Where any of theirs is, in files and in what any file holds, also where a newer row hides it.
fn found(folder: &LedgerFolder) -> Vec<String> {
    Stored::of(folder).with_history(folder).find(&theirs())
}

fn in_part(found: &[String], part: &str) -> bool {
    found.iter().any(|place| place.contains(part))
}

/// A ledger that serves, and a replica of it that answers: what was said about somebody is in the files of both, in the log
/// and in the views; and then it is in none.
#[test]
fn no_byte_of_an_address_is_left_in_any_data_folder() {
    let (ledger, replica) = (LedgerFolder::init(), LedgerFolder::empty());
    let no_arguments: &[&str] = &[];
    let begin = || {
        let owner = Server::start(&ledger);
        let follower = Server::query(&replica, &ledger.policy(), &owner.url(), no_arguments);
        (owner, follower)
    };
    let (owner, follower) = begin();
    append(&owner, &documents());
    [&owner, &follower].iter().for_each(|server| reach(server, 6));
    let before: Vec<GetRecordResponse> = (0..6)
        .map(|index| {
            let url = format!("{}/v1/records/{index}", owner.url());
            serde_json::from_value(curl(&[url]).json(200)).unwrap()
        })
        .collect();
    let proof = curl(&[format!("{}/v1/records/1/proof?treeSize=6", owner.url())]).json(200);
    owner.stop();
    follower.stop();
    for folder in [&ledger, &replica] {
        let found = found(folder);
        for part in ["log/beside", "views/names", "views/values"] {
            assert!(in_part(&found, part), "what is searched for is in {part}: {found:?}");
        }
        assert!(in_part(&found, "sst"), "it is in a file by itself: {found:?}");
    }

    let (owner, follower) = begin();
    let (who, url) = (login(WHO), owner.url());
    let asked = [&REDACT[..], &["--person", &who, "--server", &url, "--output", "json"]].concat();
    let done: RedactResponse = run(&asked).json();
    assert_eq!((done.records, done.redactions.as_slice()), (4, &[6][..]), "{done:?}");
    assert!(done.entities.contains(&format!("account:okta:default:{}", user_id(WHO))), "{done:?}");
    [&owner, &follower].iter().for_each(|server| reach(server, 7));
    // What comes again is known, and is not kept again.
    let outcomes = append(&owner, &documents());
    for event in outcomes["events"].as_array().unwrap() {
        assert_eq!(event["outcome"], "APPENDED_DUPLICATE", "{outcomes}");
    }
    for (server, folder) in [(owner, &ledger), (follower, &replica)] {
        // Its views forget when they get to it.
        let mut left = vec![String::new()];
        for _ in 0..100 {
            left = Stored::of_files(folder).find(&theirs());
            if left.is_empty() {
                break;
            }
            rest(100);
        }
        assert_eq!(left, Vec::<String>::new(), "of a running server");
        server.stop();
        assert_eq!(found(folder), Vec::<String>::new());
    }

    let report = sound(&ledger);
    assert_eq!((report.records, report.redacted), (7, done.parts));
    for (index, before) in before.iter().enumerate() {
        let after = record(&ledger, index as u64);
        assert_eq!(after.record_bytes, before.record_bytes, "record {index}");
        let is_theirs = [1, 3, 4, 5].contains(&index);
        assert_eq!(after.payload.is_empty(), is_theirs || index == 0, "record {index}");
    }
    let hash = |bytes: &[u8]| Hash::from_slice(bytes).unwrap();
    let after: counterfoil_proto::v1::GetInclusionProofResponse = serde_json::from_value(proof).unwrap();
    let path: Vec<Hash> = after.path.iter().map(|hash_bytes| hash(hash_bytes)).collect();
    let root = hash(&after.basis.unwrap().root);
    let leaf = LeafHash(hash(&record(&ledger, 1).leaf_hash));
    verify_inclusion(leaf, RecordIndex(1), TreeSize(6), &path, root).expect("a proof that was made before");
    said_and_forgotten(&ledger, &done);
}

/// What the ledger says of it, and what it does not say any more.
fn said_and_forgotten(ledger: &LedgerFolder, done: &RedactResponse) {
    let redaction = record(ledger, 6);
    let Some(Body::Redaction(said)) = redaction.record.unwrap().body else { panic!("a redaction") };
    assert_eq!((said.reason.as_str(), said.rule.as_str(), said.searched), ("erasure-request", "gdpr/17-1-a", 6));
    assert_eq!(String::from_utf8_lossy(&redaction.payload), "{\"why\":\"asked to\"}");
    let account = format!("account:okta:default:{}", user_id(WHO));
    let questions = |ledger: &LedgerFolder| -> Vec<(i32, Vec<u8>)> {
        let asked: [&[&str]; 5] = [
            &["state", &format!("Person {WHO}"), "--at", "2026-04-01T00:00:00Z", "--output", "json"],
            &["state", "Person 5", "--at", "2026-04-01T00:00:00Z", "--output", "json"],
            &["state", &account, "--at", "2026-04-01T00:00:00Z", "--output", "json"],
            &["history", &account, "--output", "json"],
            &["deadletter", "list", "--output", "json"],
        ];
        asked.iter().map(|question| ledger.run(question)).map(|Run { code, stdout, .. }| (code, stdout)).collect()
    };
    let answers = questions(ledger);
    assert_eq!(answers[0].0, 3, "nobody is called so any more");
    let history: GetHistoryResponse = serde_json::from_slice(&answers[3].1).unwrap();
    let types: Vec<&str> = history.entries.iter().map(|entry| entry.native_type.as_str()).collect();
    assert_eq!(types.iter().filter(|kind| **kind == "redaction").count(), 1, "{types:?}");
    assert_eq!(history.entity.unwrap().login, "");
    let letters: ListDeadLettersResponse = serde_json::from_slice(&answers[4].1).unwrap();
    let [DeadLetter { record: 5, error, content, .. }] = &letters.dead_letters[..] else { panic!("{letters:?}") };
    assert!(content.is_empty() && error.contains("redaction removed what it said"), "{error}");
    // The same from views that never saw it.
    fs::remove_dir_all(ledger.data().join("views")).unwrap();
    assert_eq!(questions(ledger), answers);

    let retried = ledger.run(&["deadletter", "retry", "5"]);
    assert!(retried.text().contains("what lay beside record 5 was removed"), "{}", retried.text());
    let remapped: RemapResponse = ledger.run(&["remap", "okta", "--output", "json"]).json();
    assert_eq!((remapped.removed, remapped.same), (3, 1), "{remapped:?}");
    // To do it again finds nothing.
    let again = redact(ledger, &["--person", &account]);
    assert_eq!((again.records, again.redactions.len()), (0, 0), "{again:?}");
    assert_eq!(again.entities, done.entities, "by whichever name they are called");
}

#[test]
fn a_payload_is_redacted_by_its_record() {
    let ledger = LedgerFolder::init();
    let server = Server::start(&ledger);
    append(&server, &documents());
    server.stop();
    ledger.run(&["sources"]).ended(0);
    let told = redact(&ledger, &["--record", "5", "--record", "2", "--dry-run"]);
    assert_eq!((told.records, told.redactions.len(), told.dry_run), (2, 0, true));
    assert_eq!(sound(&ledger).records, 6, "it only tells");
    let done = redact(&ledger, &["--record", "5", "--record", "2"]);
    assert_eq!((done.records, done.redactions.as_slice()), (2, &[6][..]));
    assert_eq!(sound(&ledger).redacted, done.parts);
    let left = Stored::of(&ledger).with_history(&ledger).find(&[login(6).into_bytes(), b"Person 6".to_vec()]);
    assert_eq!(left, Vec::<String>::new(), "nothing else says these, and the views have forgotten them");
    assert!(!found(&ledger).is_empty(), "what was not redacted is there");
    let record_2 = ledger.run(&["record", "2"]).ended(0);
    assert!(record_2.text().contains("removed"), "{}", record_2.text());
    let record_6 = ledger.run(&["record", "6"]).ended(0);
    assert!(record_6.text().contains("erasure-request"), "{}", record_6.text());

    for (arguments, code, why) in [
        (&["--record", "77"][..], 3, "not in the ledger"),
        (&["--person", "person7"], 1, "expected an entity id"),
        (&["--person", "ticket:freshservice:default:ticket/1"], 1, "no person's"),
        (&[], 2, "required"),
    ] {
        let ran = ledger.run(&[&REDACT, arguments].concat());
        assert!(ran.code != 0 && ran.stderr.contains(why), "{arguments:?}: {} {} for {code}", ran.code, ran.stderr);
    }
}
