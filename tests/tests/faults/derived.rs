//! What is derived from the log dies while it is built, is deleted, or knows what a record said before it was changed.

use std::fs;
use std::path::PathBuf;
use std::process::Stdio;
use std::sync::mpsc;
use std::time::Duration;

use counterfoil_proto::v1::{FsckReport, ListChangesResponse, Outcome, record::Body};
use counterfoil_tests::program::{LedgerFolder, command};
use counterfoil_verify::record;
use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::{Rng, SeedableRng};
use serde_json::Value;

use crate::ask::{ask, copied, location, small_company};

/// Programs that ask die too, while they bring the views up to date.
#[test]
fn views_that_are_killed_while_they_are_built_give_the_same_answers() {
    let ledger = small_company();
    let expected = ask(&location(&ledger));
    let mut random = ChaCha8Rng::seed_from_u64(7);
    for _ in 0..10 {
        fs::remove_dir_all(location(&ledger).views()).unwrap();
        let mut asking = command();
        asking.args(["sources", "--data"]).arg(ledger.data());
        let mut child = asking.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
        let (_never, timer) = mpsc::channel::<()>();
        timer.recv_timeout(Duration::from_millis(random.next_u64() % 300)).unwrap_err();
        child.kill().unwrap();
        child.wait().unwrap();
        assert_eq!(ask(&location(&ledger)), expected);
    }
}

#[test]
fn views_and_derived_data_that_were_deleted_come_back_the_same() {
    let ledger = small_company();
    let location = location(&ledger);
    let before = ask(&location);
    assert!(before.records.as_ref().unwrap().len() > 200 && before.answers.as_ref().unwrap().len() > 100);
    let check = |folders: &[PathBuf]| {
        folders.iter().for_each(|folder| fs::remove_dir_all(folder).unwrap());
        assert_eq!(ask(&location), before);
    };
    let derived = location.data.join("derived");
    check(&[location.views()]);
    check(std::slice::from_ref(&derived));
    check(&[location.views(), derived]);
    let report: FsckReport = ledger.run(&["fsck", "--output", "json"]).json();
    assert!(report.sound, "{report:?}");
}

/// Whoever changes one record in its place, with every checksum of the disk, and leaves it valid by itself, gets no verb
/// to repeat it.
#[test]
fn a_record_that_was_changed_in_its_place_is_refused_by_every_verb() {
    let ledger = small_company();
    // What no seal covers is read at every start.
    ledger.seal();
    let all: ListChangesResponse = ledger.run(&["explain", "--all", "--output", "json"]).json();
    let change = &all.explanations[all.explanations.len() / 2];
    let place = change.change.as_ref().unwrap();
    let (index, event) = (place.record.to_string(), change.event_id.as_str());
    let who = change.subject.as_ref().unwrap().id.as_str();
    let what = change.object.as_ref().unwrap().id.as_str();
    let states = |ledger: &LedgerFolder| {
        let answer: Value = ledger.run(&["state", who, "--at", "2026-06-01Z", "--output", "json"]).json();
        answer["state"].clone()
    };
    let before = states(&ledger);

    let copy = copied(&ledger);
    say_that_it_failed(&copy, place.record, place.fact as usize);
    let refused = |arguments: &[&str]| {
        let run = copy.run(arguments).ended(1);
        assert!(run.stdout.is_empty(), "{arguments:?}: {}", run.text());
        assert!(
            run.stderr.contains(&format!("falsified or damaged at record {index}: ")),
            "{arguments:?}: {}",
            run.stderr
        );
    };
    for arguments in [
        &["record", &index][..],
        &["record", &index, "--raw"],
        &["proof", &index],
        &["explain", &index],
        &["explain", event],
        &["explain", "--all"],
        &["history", who],
        &["history", what],
    ] {
        refused(arguments);
    }
    assert_eq!(states(&copy), before, "the views know what the record said");
    fs::remove_dir_all(copy.data().join("views")).unwrap();
    for arguments in [
        &["state", who][..],
        &["diff", who, "--from", "2026-01-01Z"],
        &["holders", what],
        &["history", who],
        &["explain", event],
        &["explain", "--unapproved"],
        &["sources"],
        &["deadletter", "list"],
    ] {
        refused(arguments);
    }
    let checked = copy.run(&["fsck"]).ended(1);
    assert!(checked.text().starts_with(&format!("Falsified from record {index} on: ")), "{}", checked.text());
}

/// Makes a fact of a closed ledger a failure, in a record that is otherwise what it was.
fn say_that_it_failed(ledger: &LedgerFolder, index: u64, fact: usize) {
    let options = rocksdb::Options::default();
    let log = rocksdb::DB::open_cf(&options, ledger.data().join("log"), ["default", "records", "beside"]).unwrap();
    let records = log.cf_handle("records").unwrap();
    let mut held = record::decode(&log.get_cf(records, index.to_be_bytes()).unwrap().unwrap()).unwrap();
    let Some(Body::Event(event)) = &mut held.body else { panic!("a change is in an event") };
    event.facts[fact].set_outcome(Outcome::Failure);
    log.put_cf(records, index.to_be_bytes(), record::encode(&held).unwrap()).unwrap();
}
