//! The command line: its help, where a ledger is, and how times and names are written.
#![allow(clippy::unwrap_used, reason = "a test stops where it fails")]

mod common;

use common::{company_ledger, events, import, read_policy};
use counterfoil_tests::files::{all_files, lines};
use counterfoil_tests::okta::login;
use counterfoil_tests::program::{LedgerFolder, ORIGIN, command, run};
use serde_json::Value;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::Stdio;

const VERBS: [&str; 40] = [
    "init",
    "import",
    "remap",
    "redact",
    "snapshot",
    "state",
    "history",
    "diff",
    "holders",
    "access",
    "affected",
    "blast",
    "identities",
    "explain",
    "reconcile",
    "record",
    "proof",
    "export",
    "verify",
    "evidence",
    "checkpoint",
    "fsck",
    "backup",
    "restore",
    "incarnation",
    "key",
    "sources",
    "deadletter",
    "serve",
    "ingest",
    "query",
    "witness",
    "health",
    "config",
    "token",
    "demo",
    "completions",
    "trace",
    "explain-grant",
    "reversal",
];
#[test]
fn every_verb_has_help_with_an_example() {
    let sub_verbs = [
        vec!["deadletter", "list"],
        vec!["deadletter", "retry"],
        vec!["deadletter", "show"],
        vec!["config", "check"],
        vec!["token", "create"],
        vec!["token", "list"],
        vec!["token", "revoke"],
    ];
    for verb in VERBS.iter().map(|verb| vec![*verb]).chain(sub_verbs) {
        let help = run(&[&verb[..], &["--help"]].concat()).ended(0);
        let text = help.text();
        let (_, examples) = text.split_once("\nExample").unwrap_or_else(|| panic!("{verb:?} has none:\n{text}"));
        let command = format!("  counterfoil {}", verb.join(" "));
        let example = examples.lines().find(|line| line.starts_with(&command));
        assert!(example.is_some(), "{verb:?}:\n{text}");
        let mut goes_on = false;
        for line in examples.lines().skip(1).take_while(|line| !line.is_empty()) {
            assert!(goes_on || line.starts_with("  counterfoil "), "an example works as printed: {text}");
            goes_on = line.ends_with('\\');
        }
        assert!(!goes_on, "{text}");
    }
    let help = run(&["--help"]).ended(0);
    for verb in VERBS {
        assert!(help.text().contains(&format!("\n  {verb} ")), "{verb} is missing in {}", help.text());
    }
    for (code, meaning) in [(0, "done"), (1, "failed"), (2, "command line is wrong"), (3, "nothing"), (4, "several")] {
        let line = help.text().lines().find(|line| line.starts_with(&format!("  {code}  ")));
        assert!(line.is_some_and(|line| line.contains(meaning)), "exit code {code}: {}", help.text());
    }
    run(&["frobnicate"]).ended(2);
    run(&["state"]).ended(2);
}

#[test]
fn init_refuses_to_overwrite() {
    let ledger = LedgerFolder::init();
    let everything = || {
        let files = all_files(ledger.folder.path());
        files.into_iter().map(|path| (fs::read(&path).unwrap(), path)).collect::<Vec<_>>()
    };
    let before = everything();
    let again = ledger.run(&["init", "--origin", "other.example/audit"]).ended(1);
    assert!(again.stderr.contains("exists") && again.stderr.contains("name another data folder"), "{}", again.stderr);
    assert!(again.stderr.contains(&ledger.data().display().to_string()), "{}", again.stderr);
    assert_eq!(everything(), before, "nothing was touched");

    for in_the_way in ["ledger.anchor", "ledger.policy"] {
        let other = LedgerFolder::empty();
        other.file(in_the_way, "precious");
        let refused = other.run(&["init", "--origin", ORIGIN]).ended(1);
        assert!(refused.stderr.contains(in_the_way), "{}", refused.stderr);
        assert_eq!(fs::read(other.beside(in_the_way)).unwrap(), b"precious");
        assert!(!other.data().exists(), "nothing half made is left");
    }
    for origin in ["", "with space", "https://example.com/audit+1"] {
        let other = LedgerFolder::empty();
        let refused = other.run(&["init", "--origin", origin]).ended(2);
        assert!(refused.stderr.contains("origin"), "{}", refused.stderr);
        assert!(!other.data().exists(), "nothing half made is left");
    }
}

#[test]
fn a_folder_without_a_ledger_is_said_to_be_none() {
    let nothing = LedgerFolder::empty();
    for arguments in [&["checkpoint"][..], &["state", "x"], &["import", "okta", "-"], &["sources"]] {
        let refused = nothing.run(arguments).ended(1);
        assert!(refused.stderr.contains("holds no ledger"), "{}", refused.stderr);
        assert!(refused.stderr.contains("counterfoil init --data"), "what to do: {}", refused.stderr);
        assert!(!nothing.data().exists());
    }
    nothing.run(&["fsck"]).ended(2);
}

#[test]
fn the_policy_is_for_verifiers_and_for_nobody_else() {
    let ledger = LedgerFolder::init();
    let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
    assert_eq!(mode(&ledger.beside("ledger.policy")), 0o600);
    for key in all_files(&ledger.data().join("keys")) {
        assert_eq!(mode(&key), 0o600, "{}", key.display());
    }
    let policy = read_policy(&ledger);
    assert!(policy.index_key().is_some());
    assert_eq!(policy.logs().len(), 1);
    assert_eq!(policy.logs()[0].key.name().as_str(), ORIGIN);
    let checkpoint = ledger.run(&["checkpoint"]).ended(0);
    assert_eq!(checkpoint.stdout, fs::read(ledger.beside("ledger.anchor")).unwrap(), "as it is");
}

#[test]
fn a_time_without_a_zone_is_refused_with_the_fix_spelled_out() {
    let ledger = LedgerFolder::init();
    for (written, fix) in [
        ("2026-03-01T09:30:00", "2026-03-01T09:30:00Z"),
        ("2026-03-01 09:30:00", "2026-03-01T09:30:00Z"),
        ("2026-03-01T09:30", "2026-03-01T09:30Z"),
        ("2026-03-01", "2026-03-01Z"),
    ] {
        for arguments in [
            &["state", "x", "--at", written][..],
            &["state", "x", "--known-at", written],
            &["history", "x", "--from", written],
            &["diff", "x", "--from", written],
            &["diff", "x", "--from", "2026-03-01Z", "--from-known-at", written],
            &["holders", "x", "--at", written],
            &["explain", "--all", "--at", written],
        ] {
            let refused = ledger.run(arguments).ended(2);
            for words in ["has no zone", &format!("{fix} for UTC"), "+01:00 for an offset"] {
                assert!(refused.stderr.contains(words), "{words:?} is missing in {}", refused.stderr);
            }
        }
        // The fix is one.
        ledger.run(&["explain", "--all", "--at", fix]).ended(0);
    }
    for written in ["yesterday", "2026-13-01Z", "2026-03-01T09:30:00Q", "03/01/2026", ""] {
        let refused = ledger.run(&["state", "x", "--at", written]).ended(2);
        assert!(
            refused.stderr.contains("is no time") && refused.stderr.contains("2026-03-01T09:30:00Z"),
            "{}",
            refused.stderr
        );
    }
}

#[test]
fn a_date_with_a_zone_is_its_first_moment() {
    let ledger = LedgerFolder::init();
    let file = ledger.file("a.jsonl", lines(&events(1)));
    import(&ledger, &file);
    for (written, meant) in [
        ("2026-03-01Z", "2026-03-01T00:00:00+00:00"),
        ("2026-03-01+01:00", "2026-02-28T23:00:00+00:00"),
        ("2026-03-01-0530", "2026-03-01T05:30:00+00:00"),
        ("2026-07-01[Europe/Berlin]", "2026-06-30T22:00:00+00:00"),
        ("2026-03-01T09:30:00+01:00", "2026-03-01T08:30:00+00:00"),
        ("2026-03-01T09:30:00.25Z", "2026-03-01T09:30:00.250+00:00"),
        ("2026-03-01T09:30:00+01:00[Europe/Berlin]", "2026-03-01T08:30:00+00:00"),
    ] {
        let answer: Value = ledger.run(&["state", &login(1), "--at", written, "--output", "json"]).json();
        assert_eq!(answer["moment"]["at"], meant, "{written}");
    }
}

#[test]
fn the_anchor_may_lie_elsewhere_and_the_environment_may_name_both() {
    let ledger = LedgerFolder::empty();
    let anchor = ledger.beside("elsewhere.anchor");
    let anchor_text = anchor.to_str().unwrap();
    ledger.run(&["init", "--origin", ORIGIN, "--anchor", anchor_text]).ended(0);
    assert!(anchor.exists() && !ledger.beside("ledger.anchor").exists());
    let refused = ledger.run(&["checkpoint"]).ended(1);
    assert!(refused.stderr.contains("--anchor"), "what to do: {}", refused.stderr);
    let note = ledger.run(&["checkpoint", "--anchor", anchor_text]).ended(0);
    let environment = command()
        .arg("checkpoint")
        .env("COUNTERFOIL_DATA", ledger.data())
        .env("COUNTERFOIL_ANCHOR", &anchor)
        .output()
        .unwrap();
    assert_eq!(environment.stdout, note.stdout);
    // The path of the anchor is nowhere in the data folder.
    for file in all_files(&ledger.data()) {
        let bytes = fs::read(&file).unwrap();
        assert!(!counterfoil_tests::files::holds(&bytes, b"elsewhere.anchor"), "{}", file.display());
    }
}

#[test]
fn completions_are_printed_for_every_shell() {
    for shell in ["bash", "zsh", "fish", "elvish", "powershell"] {
        let script = run(&["completions", shell]).ended(0);
        assert!(VERBS.iter().all(|verb| script.text().contains(verb)), "{shell}");
    }
    run(&["completions", "tcsh"]).ended(2);
}

#[test]
fn a_reader_that_has_seen_enough_is_no_error() {
    let (ledger, _) = company_ledger();
    let mut child = command()
        .args(["explain", "--all", "--output", "jsonl", "--data"])
        .arg(ledger.data())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    drop(child.stdout.take());
    let ended = child.wait_with_output().unwrap();
    assert!(ended.status.success(), "{}", String::from_utf8_lossy(&ended.stderr));
    assert!(!String::from_utf8_lossy(&ended.stderr).contains("panicked"));
}
