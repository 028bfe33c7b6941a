//! One call of the operating system fails: each write, sync, rename and change of length of an import, one after the other.

use std::collections::BTreeMap;
use std::ops::Range;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};

use counterfoil_tests::campaign::{Campaign, is_torture};
use counterfoil_tests::feed::event;
use counterfoil_tests::program::LedgerFolder;
use counterfoil_tests::{okta, oracle};
use rand_chacha::rand_core::Rng;

use crate::ask::{copied, location};
use crate::preload::{EIO, ENOSPC, Library};

const ERRORS: [i32; 2] = [EIO, ENOSPC];
/// More calls than an import makes.
const CALLS_MAX: u64 = 250;
/// The events that are there before, and those that are imported.
const BEFORE: u32 = 50;
const EVENTS: u32 = 300;

#[test]
fn an_import_of_which_a_call_fails_goes_on_later() {
    let campaign = Campaign::new("a write, sync or rename of an import fails", 24, CALLS_MAX * ERRORS.len() as u64);
    let library = Library::compile();
    let ledger = LedgerFolder::init();
    let lines = |numbers: Range<u32>| numbers.map(event).collect::<Vec<_>>().join(&b'\n');
    ledger.import("okta", &ledger.file("before.jsonl", lines(0..BEFORE)), &[]).ended(0);
    ledger.file("events.jsonl", lines(BEFORE..BEFORE + EVENTS));

    let (next, struck) = (AtomicU64::new(0), Mutex::new(0));
    std::thread::scope(|scope| {
        for _ in 0..2 {
            scope.spawn(|| {
                while let Some(case) = Some(next.fetch_add(1, Ordering::SeqCst)).filter(|case| *case < campaign.count())
                {
                    let call = if is_torture() { case / 2 } else { campaign.random(case).next_u64() % 120 };
                    let is_struck = check(&copied(&ledger), &library, ERRORS[case as usize % 2], call);
                    assert!(!is_struck || call + 1 < CALLS_MAX, "there are more calls than {CALLS_MAX}");
                    *struck.lock().unwrap() += usize::from(is_struck);
                    campaign.passed();
                }
            });
        }
    });
    let struck = struck.into_inner().unwrap();
    assert!(struck > 0, "some of them fail");
    campaign.end(&format!("{struck} had a call that failed; each went on later: 0 lost, 0 doubled"));
}

/// Lets one call of an import fail, and imports again. Whether there was such a call.
fn check(ledger: &LedgerFolder, library: &Library, error: i32, call: u64) -> bool {
    let file = ledger.beside("events.jsonl");
    let mut import = library.command(ledger.folder.path().to_str().unwrap(), call, error);
    let ended = import.args(["import", "okta"]).arg(&file).arg("--data").arg(ledger.data()).output().unwrap();
    let told = String::from_utf8_lossy(&ended.stderr);
    let place = format!("error {error} of call {call}: {told}");
    assert!(!told.contains("panicked"), "{place}");

    let sent: Vec<String> = (0..BEFORE + EVENTS).map(okta::uuid).collect();
    let there = oracle::check(&location(ledger), &sent, &BTreeMap::new());
    assert!(there >= BEFORE as usize, "{place}");
    assert!(!ended.status.success() || there == sent.len(), "it ended well, and {there} are there: {place}");
    ledger.import("okta", &file, &[]).ended(0);
    assert_eq!(oracle::check(&location(ledger), &sent, &BTreeMap::new()), sent.len(), "{place}");
    told.contains("FAILED A CALL")
}
