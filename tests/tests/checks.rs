//! Who has a ledger, and whether it is sound.
#![allow(clippy::unwrap_used, reason = "a test stops where it fails")]

mod common;

use std::fs;
use std::process::Stdio;

use common::{basis_of, events, import};
use counterfoil_ledger::{Ledger, Location, Options, Sealing, SystemClock};
use counterfoil_proto::v1::FsckReport;
use counterfoil_tests::files::lines;
use counterfoil_tests::okta::login;
use counterfoil_tests::program::{LedgerFolder, ORIGIN, command};

/// Opens a ledger in this process, which others then find in use.
fn held(ledger: &LedgerFolder) -> Ledger {
    let options = Options {
        clock: Box::new(SystemClock::new()),
        accept_clock: false,
        holder: "a test that holds it".to_owned(),
        sealing: Sealing::Never,
    };
    Ledger::open(&Location::new(&ledger.data(), None), options).unwrap()
}

#[test]
fn two_processes_cannot_own_one_ledger() {
    let ledger = LedgerFolder::init();
    let file = ledger.file("a.jsonl", lines(&events(1)));
    let import = ["import", "okta", file.to_str().unwrap()];
    let holder = held(&ledger);
    let words = format!("in use by process {} (a test that holds it)", std::process::id());
    // All at once, since each waits before it gives up.
    std::thread::scope(|scope| {
        for (arguments, code) in
            [(&["state", "x"][..], 1), (&["checkpoint"], 1), (&["sources"], 1), (&import, 1), (&["fsck"], 2)]
        {
            let (ledger, words) = (&ledger, &words);
            scope.spawn(move || {
                let refused = ledger.run(arguments).ended(code);
                assert!(refused.stderr.contains(words), "{}", refused.stderr);
                assert!(refused.stderr.contains("wait until it ends, or stop it"), "what to do: {}", refused.stderr);
            });
        }
    });
    drop(holder);
    ledger.run(&import).ended(0);
}

#[test]
fn a_question_waits_for_a_run_that_is_about_to_end() {
    let ledger = LedgerFolder::init();
    for verb in ["checkpoint", "fsck"] {
        let holder = held(&ledger);
        let mut question = command();
        question.arg(verb).arg("--data").arg(ledger.data()).stdout(Stdio::null()).stderr(Stdio::piped());
        let mut child = question.spawn().unwrap();
        // The kernel lists who waits for which lock: "12: -> FLOCK ADVISORY WRITE 4711 00:2a:99 0 EOF".
        let id = format!(" {} ", child.id());
        let waits = || {
            let locks = fs::read_to_string("/proc/locks").unwrap();
            locks.lines().any(|line| line.contains("->") && line.contains(&id))
        };
        while !waits() && child.try_wait().unwrap().is_none() {
            std::thread::yield_now();
        }
        drop(holder);
        let ended = child.wait_with_output().unwrap();
        assert!(ended.status.success(), "{verb}: {}", String::from_utf8_lossy(&ended.stderr));
    }
}

#[test]
fn whoever_has_the_ledger_is_named_with_verb_and_time() {
    let ledger = LedgerFolder::init();
    // An import of standard input holds the ledger for as long as its input goes on.
    let mut import = command();
    import.args(["import", "okta", "-", "--data"]).arg(ledger.data());
    let mut import = import.stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
    let lock = ledger.data().join("lock");
    while fs::read_to_string(&lock).unwrap_or_default().is_empty() {
        assert!(import.try_wait().unwrap().is_none(), "it waits for its input");
        std::thread::yield_now();
    }
    let refused = ledger.run(&["state", "x"]).ended(1);
    let words = format!("in use by process {} (counterfoil import, since 2", import.id());
    assert!(refused.stderr.contains(&words), "{}", refused.stderr);
    drop(import.stdin.take());
    assert!(import.wait().unwrap().success());
    assert_eq!(fs::read_to_string(&lock).unwrap(), "", "nobody has it any more");
}

/// As for whoever sets nothing: every other test runs the program without seals.
#[test]
fn a_run_that_appends_is_sealed_at_its_end() {
    let ledger = LedgerFolder::init();
    let with_seals = |arguments: &[&str], value: Option<&str>| {
        let mut run = command();
        run.args(arguments).arg("--data").arg(ledger.data()).env_remove("COUNTERFOIL_SEAL");
        value.map(|value| run.env("COUNTERFOIL_SEAL", value));
        run.output().unwrap()
    };
    let check = |records: u64| {
        let report: FsckReport = ledger.run(&["fsck", "--output", "json"]).json();
        assert_eq!((report.sound, report.records), (true, records));
    };
    let file = |name: &str, count| ledger.file(name, lines(&events(count))).to_str().unwrap().to_owned();
    let (some, more) = (file("a.jsonl", 3), file("b.jsonl", 8));
    let refused = with_seals(&["import", "okta", &some], Some("sometimes"));
    let words = String::from_utf8_lossy(&refused.stderr).into_owned();
    assert!(refused.status.code() == Some(2) && words.contains("COUNTERFOIL_SEAL: expected never"), "{words}");
    check(1);
    // Again, and a question: neither has anything to seal.
    for (file, records) in [(&some, 5), (&some, 5), (&more, 11), (&more, 11)] {
        for arguments in [&["import", "okta", file][..], &["state", &login(1)]] {
            let ended = with_seals(arguments, None);
            assert!(ended.status.success(), "{}", String::from_utf8_lossy(&ended.stderr));
            check(records);
        }
    }
}

#[test]
fn records_that_a_crash_left_beyond_the_anchor_are_told_and_caught_up() {
    let ledger = LedgerFolder::init();
    let anchor = ledger.beside("ledger.anchor");
    import(&ledger, &ledger.file("a.jsonl", lines(&events(3))));
    let before = fs::read(&anchor).unwrap();
    import(&ledger, &ledger.file("b.jsonl", lines(&events(8))));
    // As if the process had ended between the commit and the anchor.
    fs::write(&anchor, before).unwrap();
    let checked = ledger.run(&["fsck"]).ended(0);
    assert!(checked.text().contains("5 records beyond the anchor's size"), "{}", checked.text());
    let report: FsckReport = ledger.run(&["fsck", "--output", "json"]).json();
    assert_eq!((report.sound, report.records, report.beyond_anchor), (true, 9, 5));
    let first = ledger.run(&["state", &login(1)]).ended(0);
    assert!(first.stderr.contains("5 records beyond the anchor's size were caught up"), "{}", first.stderr);
    let second = ledger.run(&["state", &login(1)]).ended(0);
    assert_eq!(second.stderr, "", "once");
    let report: FsckReport = ledger.run(&["fsck", "--output", "json"]).json();
    assert_eq!((report.sound, report.beyond_anchor), (true, 0));
}

#[test]
fn a_check_says_what_it_checked() {
    let ledger = LedgerFolder::init();
    import(&ledger, &ledger.file("a.jsonl", lines(&events(3))));
    let basis = basis_of(&ledger);
    let report: FsckReport = ledger.run(&["fsck", "--output", "json"]).json();
    assert_eq!((report.sound, report.basis.as_ref(), report.records), (true, Some(&basis), basis.tree_size));
    let table = ledger.run(&["fsck"]).ended(0);
    let said = format!("Basis: {ORIGIN} at 4 records, root ");
    for words in ["Sound: 4 records", &said, "Views are not checked: where "] {
        assert!(table.text().contains(words), "{words:?} is missing in {}", table.text());
    }
}
