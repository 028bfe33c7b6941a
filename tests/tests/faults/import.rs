//! An import is killed again and again, and goes on each time.

use std::path::Path;
use std::process::Stdio;
use std::sync::mpsc;
use std::time::Duration;

use counterfoil_proto::v1::{FsckReport, ImportResponse};
use counterfoil_scenario::okta_events;
use counterfoil_tests::campaign::Campaign;
use counterfoil_tests::oracle::anchored;
use counterfoil_tests::program::{LedgerFolder, command};
use counterfoil_verify::checkpoint::Checkpoint;
use counterfoil_verify::proof::verify_consistency;
use counterfoil_verify::tree::RecordIndex;
use rand_chacha::rand_core::Rng;
use serde_json::Value;

use crate::ask::{ask, copied, location, open, without_clock};

const KILLED_EVENTS: usize = 50_000;

#[test]
fn an_import_that_is_killed_again_and_again_loses_and_doubles_nothing() {
    let campaign = Campaign::new("kill -9 of an import", 20, 50);
    let ledger = LedgerFolder::init();
    let uninterrupted = copied(&ledger);
    let events: Vec<Vec<u8>> = okta_events(3).take(KILLED_EVENTS).collect();
    let file = ledger.file("system-log.jsonl", events.join(&b'\n'));

    let (mut acknowledged, mut midway) = (1, 0);
    for kill in 0..campaign.count() {
        let mut random = campaign.random(kill);
        // Killed once it has acknowledged a few more than are there, at any moment of the commits that follow; later, while
        // it finds out that it has everything.
        let is_complete = acknowledged > KILLED_EVENTS as u64;
        let size = if is_complete { 0 } else { acknowledged + random.next_u64() % 1_000 };
        kill_import(&ledger, &file, size, random.next_u64() % if is_complete { 200 } else { 20 });
        let anchored = anchored(&location(&ledger));
        assert!(anchored.size.0 >= acknowledged, "acknowledged once is acknowledged for ever");
        acknowledged = anchored.size.0;
        midway += usize::from(acknowledged <= KILLED_EVENTS as u64);
        // Half of the time the next import finds things as they are; else somebody looks at them first.
        if kill % 2 == 0 {
            check_recovered(&ledger, &anchored, is_complete);
        }
        campaign.passed();
    }
    let last: ImportResponse = ledger.import("okta", &file, &["--output", "json"]).json();
    let total = last.total.unwrap();
    let known = total.events + total.duplicates + total.resumed_documents;
    assert_eq!((known, total.rejected, total.conflicts), (KILLED_EVENTS as u64, 0, 0), "{total:?}");
    let report: FsckReport = ledger.run(&["fsck", "--output", "json"]).json();
    assert!(report.sound, "{report:?}");

    let expected: Vec<String> = events.iter().map(|event| native_id(event)).collect();
    assert_eq!(event_ids(&ledger), expected, "each event once, in the order of the file");
    uninterrupted.import("okta", &file, &[]).ended(0);
    let (interrupted, expected) = (ask(&location(&ledger)), ask(&location(&uninterrupted)));
    assert_eq!(without_clock(interrupted.answers.unwrap()), without_clock(expected.answers.unwrap()));
    campaign.end(&format!("{midway} before it was complete; {KILLED_EVENTS} events: 0 lost, 0 doubled"));
}

/// Starts an import and kills it: so many milliseconds after the anchor holds more than `size` records, or when it ends.
fn kill_import(ledger: &LedgerFolder, file: &Path, size: u64, milliseconds: u64) {
    let mut import = command();
    import.args(["import", "okta"]).arg(file).arg("--data").arg(ledger.data());
    let mut child = import.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
    // Nothing is ever sent: only the time runs out.
    let (_never, timer) = mpsc::channel::<()>();
    let wait = |milliseconds| timer.recv_timeout(Duration::from_millis(milliseconds)).unwrap_err();
    while child.try_wait().unwrap().is_none() && anchored(&location(ledger)).size.0 <= size {
        wait(1);
    }
    wait(milliseconds);
    child.kill().unwrap();
    child.wait().unwrap();
}

/// Opens the ledger, and checks that it goes on from what was acknowledged, and that its position is that of its records;
/// or behind it, where a complete file is read once more.
fn check_recovered(ledger: &LedgerFolder, anchored: &Checkpoint, is_read_again: bool) {
    let opened = open(&location(ledger)).unwrap();
    let reader = opened.reader();
    let head = reader.head();
    let path = reader.consistency_proof(anchored.size, head.size).unwrap();
    verify_consistency(anchored.size, anchored.root, head.size, head.root, &path).unwrap();
    let Ok(first) = reader.record(RecordIndex(1)) else { return };
    let channel = first.provenance.unwrap().position.unwrap().channel;
    let next = reader.position(&channel).unwrap().unwrap().next;
    assert!(next == head.size.0 - 1 || is_read_again && next < head.size.0, "{next} of {}", head.size);
}

fn native_id(event: &[u8]) -> String {
    let event: Value = serde_json::from_slice(event).unwrap();
    event["uuid"].as_str().unwrap().to_owned()
}

fn event_ids(ledger: &LedgerFolder) -> Vec<String> {
    let opened = open(&location(ledger)).unwrap();
    let reader = opened.reader();
    reader.records(1..u64::MAX).map(|record| record.unwrap().provenance.unwrap().event_id).collect()
}
