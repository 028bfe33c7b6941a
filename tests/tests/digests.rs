//! CloudTrail's digests through the whole program: who vouches for a record, and what happens to a file that was changed.
#![allow(clippy::unwrap_used, reason = "a test stops where it fails")]

#[path = "../../ingest/tests/fixtures/trail.rs"]
mod trail;

use std::path::Path;
use std::sync::LazyLock;

use counterfoil_proto::v1::{Authentication, GetRecordResponse, ImportResponse};
use counterfoil_tests::program::{LedgerFolder, Run};
use serde_json::{Value, json};
use trail::{Hour, Key};

static KEY: LazyLock<Key> = LazyLock::new(|| Key::new("0123456789abcdef0123456789abcdef"));

fn events(hour: usize) -> Value {
    json!([{
        "eventVersion": "1.09", "eventTime": format!("2026-03-01T{hour:02}:30:00Z"), "readOnly": false,
        "eventSource": "iam.amazonaws.com", "eventName": "CreateUser", "recipientAccountId": "111122223333",
        "eventID": format!("5f0e8c3a-1111-4222-8333-{hour:012}"), "requestParameters": {"userName": format!("svc-{hour}")},
    }])
}

/// A ledger, and a trail of three hours beside it.
fn made() -> (LedgerFolder, Vec<Hour>) {
    let ledger = LedgerFolder::init();
    let hours = trail::write(&ledger.beside("trail"), &KEY, 3, events);
    (ledger, hours)
}

fn import(ledger: &LedgerFolder, logs: &Path, further: &[&str]) -> Run {
    let (digests, keys) = (ledger.beside("trail/digests"), ledger.beside("trail/keys.json"));
    let of_digests = ["--digests", digests.to_str().unwrap(), "--digest-keys", keys.to_str().unwrap()];
    ledger.import("cloudtrail", logs, &[&of_digests, further].concat())
}

fn authentication(ledger: &LedgerFolder, record: u64) -> Authentication {
    let answer: GetRecordResponse = ledger.run(&["record", &record.to_string(), "--output", "json"]).json();
    answer.record.unwrap().provenance.unwrap().authentication()
}

#[test]
fn a_verified_log_file_is_on_the_sources_own_word() {
    let (ledger, hours) = made();
    std::fs::remove_file(&hours[1].log).unwrap();
    let own = json!({"Records": events(7)}).to_string();
    std::fs::write(ledger.beside("trail/logs/own.json"), own).unwrap();
    let run = import(&ledger, &ledger.beside("trail/logs"), &[]).ended(0);
    for told in [
        "3 digests verified; of 3 files, the source vouches for 2",
        "1 log file of these digests not among the files: 111122223333_CloudTrail_us-east-1_20260301T0110Z",
    ] {
        assert!(run.stderr.contains(told), "{told}: {}", run.stderr);
    }
    assert_eq!(
        [1, 2, 3].map(|record| authentication(&ledger, record)),
        [Authentication::SourceSignature, Authentication::SourceSignature, Authentication::OperatorFile,]
    );
    let explained = ledger.run(&["explain", "--all"]).ended(0);
    assert!(explained.text().contains("the source's signature"), "{}", explained.text());
    ledger.run(&["fsck"]).ended(0);
    // What is known already is graded as it came first.
    let again: ImportResponse = import(&ledger, &ledger.beside("trail/logs"), &["--output", "json"]).json();
    assert_eq!(again.total.unwrap().duplicates, 3);
}

#[test]
fn a_changed_log_file_is_refused_and_the_others_go_in() {
    let (ledger, hours) = made();
    trail::flip(&hours[1].log, "CreateUser");
    let run = import(&ledger, &ledger.beside("trail/logs"), &["--output", "json"]).ended(1);
    assert!(run.stderr.contains("is not what CloudTrail delivered under this name"), "{}", run.stderr);
    let response: ImportResponse = serde_json::from_slice(&run.stdout).unwrap();
    assert_eq!((response.inputs.len(), response.total.unwrap().events), (2, 2));
    assert_eq!(response.basis.unwrap().tree_size, 3, "record 0, and one event of each of the other files");
    assert_eq!([1, 2].map(|record| authentication(&ledger, record)), [Authentication::SourceSignature; 2]);
    // Whoever wants it all the same brings it on their own word.
    ledger.import("cloudtrail", &hours[1].log, &[]).ended(0);
    assert_eq!(authentication(&ledger, 3), Authentication::OperatorFile);
}

#[test]
fn a_changed_digest_vouches_for_nothing_and_is_told() {
    let (ledger, hours) = made();
    trail::flip(&hours[0].digest, "T00:00:00Z");
    let run = import(&ledger, &hours[0].log, &["--output", "json"]).ended(1);
    assert!(run.stderr.contains("its signature does not fit"), "{}", run.stderr);
    let response: ImportResponse = serde_json::from_slice(&run.stdout).unwrap();
    assert_eq!(response.total.unwrap().events, 1, "the file itself is as good as any other");
    assert_eq!(authentication(&ledger, 1), Authentication::OperatorFile);
}

#[test]
fn digests_need_their_keys_and_their_connector() {
    let (ledger, hours) = made();
    let digests = ledger.beside("trail/digests");
    let run = ledger.import("cloudtrail", &hours[0].log, &["--digests", digests.to_str().unwrap()]).ended(2);
    assert!(run.stderr.contains("--digest-keys"), "{}", run.stderr);
    let (keys, digests) = (ledger.beside("trail/keys.json"), digests.to_str().unwrap().to_owned());
    let further = ["--digests", &digests, "--digest-keys", keys.to_str().unwrap()];
    let run = ledger.import("okta", &hours[0].log, &further).ended(2);
    assert!(run.stderr.contains("only CloudTrail has digest files"), "{}", run.stderr);
    std::fs::write(&keys, "{}").unwrap();
    let run = ledger.import("cloudtrail", &hours[0].log, &further).ended(1);
    assert!(run.stderr.contains("aws cloudtrail list-public-keys"), "{}", run.stderr);
}
