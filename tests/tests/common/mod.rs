//! What the tests of the command line share: a ledger with something in it, and the check of an answer in all its forms.
//!
//! Owns what every answer has to keep, whatever it is about. It never decides what is right for one question only.
#![allow(dead_code, reason = "each test uses another part of it")]
#![allow(clippy::unwrap_used, reason = "a test stops where it fails")]

use counterfoil_proto::v1::{Basis, ImportResponse, ImportSummary};
use counterfoil_scenario::{Company, generate};
use counterfoil_tests::okta::joined;
use counterfoil_tests::program::{LedgerFolder, ORIGIN, Run};
use counterfoil_tests::server::tool;
use counterfoil_verify::checkpoint::{Checkpoint, Origin};
use counterfoil_verify::note::VerifierKey;
use counterfoil_verify::policy::Policy;
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;
use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};

/// A ledger of a small made-up company, with one line that cannot be read.
pub fn company_ledger() -> (LedgerFolder, Company) {
    let company = generate(&counterfoil_scenario::Options { seed: 5, people: 12, months: 1, ..Default::default() });
    let ledger = LedgerFolder::init();
    let folder = ledger.beside("company");
    company.write_to(&folder).unwrap();
    for system in ["freshservice", "okta"] {
        ledger.import(system, &folder.join(system), &["--backfill"]).ended(0);
    }
    ledger.import("okta", &ledger.file("bad.jsonl", "{\"uuid\": 1\n"), &[]).ended(0);
    (ledger, company)
}

pub fn events(count: u32) -> Vec<Value> {
    (1..=count).map(|number| joined(number, "2026-03-01T09:00:00Z", number, 1)).collect()
}

pub fn total(run: Run) -> ImportSummary {
    run.json::<ImportResponse>().total.unwrap()
}

pub fn import(ledger: &LedgerFolder, file: &Path) -> ImportSummary {
    total(ledger.import("okta", file, &["--output", "json"]))
}

pub fn import_folder(ledger: &LedgerFolder, system: &str, folder: &Path) -> ImportSummary {
    total(ledger.import(system, folder, &["--output", "json"]))
}

/// An answer in JSON is its protobuf message, in every other form the same rows, and in each it states its basis.
pub fn check_answer<T: DeserializeOwned + Serialize>(ledger: &LedgerFolder, arguments: &[&str]) -> T {
    let in_form = |form: &str| ledger.run(&[arguments, &["--output", form]].concat()).ended(0);
    let run = in_form("json");
    let value: Value = serde_json::from_slice(&run.stdout).unwrap();
    let message: T = serde_json::from_slice(&run.stdout).unwrap_or_else(|error| panic!("{arguments:?}: {error}"));
    assert_eq!(serde_json::to_value(&message).unwrap(), value, "{arguments:?}: the message holds all of it");
    let basis: Basis = serde_json::from_value(value["basis"].clone()).unwrap();
    assert_eq!(basis, basis_of(ledger), "{arguments:?}");
    let said = format!("Basis: {ORIGIN} at {} records, root ", basis.tree_size);

    let lines = in_form("jsonl");
    let items: Vec<Value> = lines.text().lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert!(items.iter().all(Value::is_object), "{arguments:?}");
    assert!(lines.stderr.contains(&said), "{arguments:?}: {}", lines.stderr);

    let rows = in_form("csv");
    let mut reader = csv::ReaderBuilder::new().flexible(false).from_reader(&rows.stdout[..]);
    assert!(!reader.headers().unwrap().is_empty(), "{arguments:?}");
    assert_eq!(reader.records().map(Result::unwrap).count(), items.len(), "{arguments:?}");
    assert!(rows.stderr.contains(&said), "{arguments:?}: {}", rows.stderr);

    let table = in_form("table");
    let is_proof = table.text().starts_with("c2sp.org/tlog-proof@v1\n");
    let checkpoint = ledger.run(&["checkpoint"]).ended(0);
    let stated = if is_proof { table.text().ends_with(checkpoint.text()) } else { table.text().contains(&said) };
    assert!(stated, "{arguments:?}: {}", table.text());
    message
}

pub fn basis_of(ledger: &LedgerFolder) -> Basis {
    let checkpoint = read_checkpoint(ledger);
    Basis {
        origin: checkpoint.origin.as_str().to_owned(),
        tree_size: checkpoint.size.0,
        root: checkpoint.root.as_bytes().to_vec(),
        ..Basis::default()
    }
}

pub fn read_policy(ledger: &LedgerFolder) -> Policy {
    Policy::parse(&fs::read(ledger.beside("ledger.policy")).unwrap()).unwrap()
}

pub fn log_key(ledger: &LedgerFolder) -> VerifierKey {
    read_policy(ledger).logs()[0].key.clone()
}

/// Runs Tessera's fsck on the tiled log at a URL: what it says. Its status is 0 whatever it finds, and it may wait for ever.
pub fn tessera_fsck(url: &str, ledger: &LedgerFolder) -> Option<String> {
    let fsck = tool("tessera-fsck")?;
    let key = ledger.file("log.vkey", log_key(ledger).to_string());
    let run = Command::new("timeout")
        .arg("60")
        .arg(fsck)
        .arg(format!("--storage_url={url}"))
        .arg(format!("--public_key={}", key.display()))
        .args(["--ui=false", "--N=8"])
        .stdin(Stdio::null())
        .output()
        .unwrap();
    Some(format!(
        "{:?} {}{}",
        run.status.code(),
        String::from_utf8_lossy(&run.stdout),
        String::from_utf8_lossy(&run.stderr)
    ))
}

pub fn read_checkpoint(ledger: &LedgerFolder) -> Checkpoint {
    let note = ledger.run(&["checkpoint"]).ended(0).stdout;
    Checkpoint::open(&note, &Origin::new(ORIGIN).unwrap(), &log_key(ledger)).unwrap()
}

/// Questions of every kind about a company, each as the command line takes it, in the forms for people and for programs.
pub fn questions(company: &Company) -> Vec<Vec<String>> {
    let story = &company.truth.story;
    let at = "2026-06-01T00:00:00Z";
    let mut questions: Vec<Vec<&str>> = vec![
        vec!["state", "account:okta:default:never", "--at", at],
        vec!["state", "nobody at all", "--at", at],
        vec!["state", "a", "--at", at],
        vec!["holders", &story.identity_login, "--system", "okta", "--at", at],
        vec!["holders", &story.late_entitlement_name, "--at", at],
        vec!["explain", &story.explained_change_uuid],
        vec!["explain", &story.unapproved_change_uuid],
        vec!["explain", "0"],
        vec!["explain", "no-such-event"],
        vec!["explain", "--all"],
        vec!["explain", "--unapproved", "--verdict", "none-recorded"],
        vec!["explain", "--all", "--for", &story.identity_login],
        vec!["sources"],
        vec!["reconcile", "okta", "--at", at],
        vec!["reconcile", "github", "--at", at],
        vec!["checkpoint"],
        vec!["record", "7"],
        vec!["record", "7", "--raw"],
        vec!["record", "7.99"],
        vec!["record", "99999999"],
        vec!["proof", "7"],
        vec!["proof", "--since", "3"],
        vec!["proof", "--since", "99999999"],
        vec!["deadletter", "list"],
    ];
    for login in [&story.identity_login, &story.late_identity_login] {
        for system in ["okta", "freshservice", "github"] {
            questions.push(vec!["state", login, "--system", system, "--at", at]);
            questions.push(vec!["state", login, "--system", system, "--at", at, "--known-at", "2026-01-01Z"]);
            questions.push(vec!["history", login, "--system", system, "--limit", "7"]);
            questions.push(vec!["history", login, "--system", system, "--from", "2026-02-01Z", "--at", at]);
            questions.push(vec!["diff", login, "--system", system, "--from", "2026-02-01Z", "--at", at]);
        }
    }
    let mut asked: Vec<Vec<String>> = Vec::new();
    for question in &questions {
        let plain: Vec<String> = question.iter().map(ToString::to_string).collect();
        if !question.contains(&"checkpoint") {
            for form in ["json", "csv"] {
                asked.push([&plain[..], &["--output".to_owned(), form.to_owned()]].concat());
            }
        }
        asked.push(plain);
    }
    asked
}
