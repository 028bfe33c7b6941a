//! The demo: it tells its story to the end, with what is true of its company, and leaves nothing running.
#![allow(clippy::unwrap_used, reason = "a test stops where it fails")]

use std::path::Path;

use counterfoil_scenario::{LiveKind, Options, generate};
use counterfoil_tests::program::{LedgerFolder, run};
use counterfoil_tests::server::tool;
use serde_json::Value;

#[test]
fn the_demo_tells_its_story_and_its_commands_work_as_printed() {
    let ledger = LedgerFolder::empty();
    let demo = ledger.run_sealing(&["demo", "--people", "12", "--months", "1", "--seed", "3"]).ended(0);
    let headings = (1..=8).map(|number| format!("\n{number}. "));
    let said = [
        "APPROVED",
        "NONE RECORDED",
        "sound, ",
        "verified: none recorded for the change",
        "with one bit altered: rejected, malformed (archive)",
        "Try on the same ledger:",
    ]
    .map(str::to_owned);
    for words in headings.chain(said) {
        assert!(demo.text().contains(&words), "{words:?} is missing in {}", demo.text());
    }
    check_live_access(demo.text());
    check_served(demo.text());
    let (_, flipped) = demo.text().split_once("flipped: one bit of record ").unwrap();
    let index: u64 = flipped.split(',').next().unwrap().parse().unwrap();
    let found = format!("fsck of the copy: FALSIFIED from record {index} on: it was changed");
    assert!(demo.text().contains(&found), "{}", demo.text());
    let (_, commands) = demo.text().split_once("Try on the same ledger:\n").unwrap();
    let commands: Vec<&str> = commands.lines().map(str::trim).collect();
    assert_eq!(commands.len(), 3, "{commands:?}");
    let told = |line: &str| {
        let run = std::process::Command::new("sh").args(["-c", line]).output().unwrap();
        assert!(run.status.success(), "{line}: {}", String::from_utf8_lossy(&run.stderr));
        assert!(!run.stdout.is_empty(), "{line}");
        String::from_utf8(run.stdout).unwrap()
    };
    let answers: Vec<String> = commands.iter().map(|line| told(line)).collect();
    let rows = |text: &str| -> Vec<String> {
        text.lines().skip(2).filter(|line| !line.starts_with("Basis")).map(str::to_owned).collect()
    };
    let (what, known_at) = commands[2].split_once(" --known-at ").unwrap();
    let (_, data) = known_at.split_once(" --data ").unwrap();
    let now = told(&format!("{what} --data {data}"));
    assert_ne!(rows(&now), rows(&answers[2]), "something else was known");
    ledger.run(&["fsck"]).ended(0);
    let again = ledger.run(&["demo"]).ended(1);
    assert!(again.stderr.contains("exists"), "{}", again.stderr);
}

/// What topics would carry is what the files hold: after the one, the other adds nothing.
#[test]
fn messages_of_the_company_are_those_of_its_files() {
    let ledger = LedgerFolder::init();
    let messages = ledger.beside("messages");
    let company = ["--people", "12", "--months", "1", "--seed", "3"];
    run(&[&["demo", "--messages", messages.to_str().unwrap()], &company[..]].concat()).ended(0);
    let files = ledger.beside("company");
    generate(&Options { people: 12, months: 1, seed: 3, ..Options::default() }).write_to(&files).unwrap();
    for connector in ["cloudtrail", "freshservice", "okta"] {
        let import = |path: &Path| -> Value {
            let imported: Value = ledger.run(&["import", connector, path.to_str().unwrap(), "--output", "json"]).json();
            imported["total"].clone()
        };
        let sent = import(&messages.join(format!("{connector}.jsonl")));
        assert!(sent["events"].is_string() && sent.get("rejected").is_none(), "{connector}: {sent}");
        let known = import(&files.join(connector));
        assert!(known.get("events").is_none() && known["duplicates"].is_string(), "{connector}: {known}");
    }
    run(&["demo"]).ended(2);
}

/// The table of live access has what is true of the company, system by system.
fn check_live_access(text: &str) {
    let truth = generate(&Options { people: 12, months: 1, seed: 3, ..Options::default() }).truth;
    let through = truth.widened.iter().find(|widened| widened.entitlement.starts_with("okta/")).unwrap();
    let members =
        |kind| truth.live.iter().filter(move |live| live.kind == kind && live.entitlement == through.entitlement);
    for (kind, meaning) in [
        (LiveKind::Approved, "live, logged, approved"),
        (LiveKind::Unapproved, "live and logged, not approved in time"),
        (LiveKind::Unrecorded, "live, and no log tells of it"),
        (LiveKind::Revoked, "live, though the log says it was taken away"),
        (LiveKind::Expired, "live, though the approved time is over"),
        (LiveKind::Missing, "not live, though the log says it is held"),
    ] {
        let of = |system: &str| {
            truth.live.iter().filter(|live| live.kind == kind && live.entitlement.starts_with(system)).count()
        };
        // Members of the reading circle have one application through it.
        let okta = of("okta/") + members(kind).count();
        let row =
            text.lines().find(|line| line.trim().starts_with(meaning)).unwrap_or_else(|| panic!("{meaning}: {text}"));
        let mut counts = row.trim().strip_prefix(meaning).unwrap().split_whitespace();
        let counts: [usize; 2] = [counts.next().unwrap().parse().unwrap(), counts.next().unwrap().parse().unwrap()];
        assert_eq!(counts, [okta, of("aws@")], "{meaning}: {text}");
    }
}

/// A client that is not ours got the answer that the story has, from a server that is gone.
fn check_served(text: &str) {
    let (_, served) = text.split_once("\n7. ").unwrap();
    if tool("grpcurl").is_none() {
        assert!(served.contains("scripts/install test installs it"), "{text}");
        return;
    }
    for words in ["LinkageService", "\"verdict\": \"VERDICT_APPROVED\"", "told to stop, and ended"] {
        assert!(served.contains(words), "{words:?} is missing in {text}");
    }
    let (_, call) = served.split_once("$ grpcurl -plaintext 127.0.0.1:").unwrap();
    let address = format!("127.0.0.1:{}", call.split_whitespace().next().unwrap());
    assert!(std::net::TcpStream::connect(&address).is_err(), "somebody answers at {address}");
}
