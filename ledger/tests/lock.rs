//! One process has a ledger at a time, and whoever finds it taken is told by whom.
#![allow(clippy::unwrap_used, reason = "a test stops where it fails")]

mod common;

use std::fs;
use std::sync::mpsc;
use std::time::Duration;

use common::*;
use counterfoil_ledger::{LedgerError, fsck};

/// Longer than any machine needs for what is waited for here.
const LONG: Duration = Duration::from_secs(60);

#[track_caller]
fn check_in_use(refusal: &LedgerError, who: &str) {
    let LedgerError::InUse { holder } = refusal else { panic!("{refusal}") };
    assert_eq!(*holder, format!("process {} ({who})", std::process::id()));
    assert!(refusal.to_string().contains("wait until it ends, or stop it"), "what to do: {refusal}");
}

fn words(home: &Home) -> String {
    fs::read_to_string(home.part("lock")).unwrap()
}

#[test]
fn whoever_has_a_ledger_says_so_until_the_end() {
    let home = Home::new(1);
    // What a process that was killed has left behind.
    fs::write(
        home.part("lock"),
        "process 4194305 (somebody with a long name who was killed in the middle of something)\n",
    )
    .unwrap();
    let ledger = home.open();
    check_in_use(&home.refusal(), "a test");
    check_in_use(&fsck(&home.location, "another test", &mut |_, _| ()).unwrap_err(), "a test");
    append(&ledger, numbered(0..3));
    drop(ledger);
    assert_eq!(words(&home), "", "nobody has it, and nobody is named");
    home.open();
}

#[test]
fn a_check_says_that_it_has_the_ledger() {
    let home = Home::new(1);
    append(&home.open(), numbered(0..3));
    let mut refusals = Vec::new();
    fsck(&home.location, "a check", &mut |_, _| refusals.push(home.refusal())).unwrap();
    check_in_use(refusals.first().expect("there is progress"), "a check");
    assert_eq!(words(&home), "");
}

#[test]
fn a_ledger_can_be_waited_for() {
    let home = Home::new(1);
    assert!(home.location.wait_until_free(LONG).unwrap(), "nobody has it");
    let ledger = home.open();
    assert!(!home.location.wait_until_free(Duration::from_millis(20)).unwrap(), "somebody has it");
    let (started, is_started) = mpsc::channel();
    std::thread::scope(|scope| {
        let waits = scope.spawn(|| {
            started.send(()).unwrap();
            home.location.wait_until_free(LONG).unwrap()
        });
        is_started.recv().unwrap();
        drop(ledger);
        assert!(waits.join().unwrap());
    });
}
