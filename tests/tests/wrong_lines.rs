//! Command lines that cannot be right: refused with exit code 2 before anything is read or written.
#![allow(clippy::unwrap_used, reason = "a test stops where it fails")]

mod common;

use common::{basis_of, events, import};
use counterfoil_tests::files::{all_files, lines};
use counterfoil_tests::okta::login;
use counterfoil_tests::program::LedgerFolder;

fn one_event() -> LedgerFolder {
    let ledger = LedgerFolder::init();
    import(&ledger, &ledger.file("a.jsonl", lines(&events(1))));
    ledger
}

#[test]
fn a_period_that_ends_before_it_begins() {
    let ledger = one_event();
    let who = login(1);
    for question in [&["explain", "--all"][..], &["explain", "--unapproved"], &["history", &who], &["diff", &who]] {
        let swapped = ["--from", "2026-04-01Z", "--at", "2026-03-01Z"];
        let refused = ledger.run(&[question, &swapped].concat()).ended(2);
        assert!(refused.stderr.contains("--from is after --at"), "{question:?}: {}", refused.stderr);
        assert!(refused.stdout.is_empty(), "{question:?}: {}", refused.text());
        let one_moment = ["--from", "2026-03-01Z", "--at", "2026-03-01Z"];
        ledger.run(&[question, &one_moment].concat()).ended(0);
    }
}

#[test]
fn names_that_no_ledger_takes() {
    let ledger = one_event();
    let file = ledger.beside("a.jsonl");
    let before = basis_of(&ledger);
    for option in ["--instance", "--ticket-instance"] {
        let refused = ledger.import("okta", &file, &[option, "a b"]).ended(2);
        assert!(refused.stderr.contains(option) && refused.stderr.contains("\"a b\""), "{}", refused.stderr);
    }
    assert_eq!(basis_of(&ledger), before);
    for origin in ["a b", "https://example.com/audit", ""] {
        let none = LedgerFolder::empty();
        let refused = none.run(&["init", "--origin", origin]).ended(2);
        assert!(refused.stderr.contains("origin"), "{}", refused.stderr);
        assert!(all_files(none.folder.path()).is_empty(), "nothing is made");
    }
}

#[test]
fn what_is_no_number_of_a_record() {
    let ledger = one_event();
    for verb in [&["record"][..], &["proof"], &["deadletter", "show"]] {
        for number in ["x", "1.x", "1.", ".1", "1.0.0", "99999999999999999999999", "1.99999999999", "+1"] {
            let refused = ledger.run(&[verb, &[number]].concat()).ended(2);
            assert!(refused.stdout.is_empty(), "{verb:?} {number}");
            assert!(refused.stderr.contains("number of a record"), "{verb:?} {number}: {}", refused.stderr);
        }
    }
    let refused = ledger.run(&["explain", "99999999999999999999999"]).ended(2);
    assert!(refused.stderr.contains("number of a record"), "{}", refused.stderr);
}

#[test]
fn a_place_is_taken_as_it_is_printed() {
    let ledger = one_event();
    ledger.import("okta", &ledger.file("bad.jsonl", "{\n"), &[]).ended(0);
    for verb in [&["record"][..], &["proof"]] {
        let by_number = ledger.run(&[verb, &["1"]].concat()).ended(0);
        assert_eq!(ledger.run(&[verb, &["1.0"]].concat()).ended(0).stdout, by_number.stdout, "{verb:?}");
    }
    let by_number = ledger.run(&["deadletter", "show", "2"]).ended(0);
    assert_eq!(ledger.run(&["deadletter", "show", "2.0"]).ended(0).stdout, by_number.stdout);
    let table = ledger.run(&["history", &login(1)]).ended(0);
    assert!(table.text().contains("1.0"), "{}", table.text());
}
