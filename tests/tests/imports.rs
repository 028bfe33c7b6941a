//! Imports on the command line: whatever form files have, however often and wherever they are interrupted.
#![allow(clippy::unwrap_used, reason = "a test stops where it fails")]

mod common;

use common::{basis_of, check_answer, company_ledger, events, import, import_folder, total};
use counterfoil_proto::v1::{GetRecordResponse, ImportSummary, ListSourcesResponse};
use counterfoil_tests::files::lines;
use counterfoil_tests::okta::{joined, uuid};
use counterfoil_tests::program::{LedgerFolder, command};
use serde_json::Value;
use std::fs;
use std::io::Write;
use std::process::Stdio;

#[test]
fn every_form_of_file_holds_the_same_events() {
    let events = events(20);
    let in_lines = lines(&events);
    let array = Value::Array(events.clone()).to_string().into_bytes();
    let pretty = serde_json::to_vec_pretty(&events).unwrap();
    let pretty_values: Vec<u8> =
        events.iter().flat_map(|event| [&serde_json::to_vec_pretty(event).unwrap()[..], b"\n"].concat()).collect();
    let gzip = |bytes: &[u8]| {
        let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
        encoder.write_all(bytes).unwrap();
        encoder.finish().unwrap()
    };
    let windows = String::from_utf8(in_lines.clone()).unwrap().replace('\n', "\r\n").into_bytes();
    let two_members = [gzip(&in_lines[..in_lines.len() / 2]), gzip(&in_lines[in_lines.len() / 2..])].concat();
    let forms: Vec<(&str, Vec<u8>)> = vec![
        ("a.jsonl", in_lines.clone()),
        ("b.json", array.clone()),
        ("c.json", pretty.clone()),
        ("d.json", pretty_values),
        ("e.json", in_lines.clone()),
        ("f.ndjson", windows),
        ("g.jsonl.gz", gzip(&in_lines)),
        ("h.json.gz", gzip(&pretty)),
        ("i.jsonl.zst", zstd::encode_all(&in_lines[..], 3).unwrap()),
        ("j.json.zst", zstd::encode_all(&array[..], 3).unwrap()),
        ("k.log", gzip(&array)),
        ("l.jsonl.gz", two_members),
        ("m.jsonl", in_lines[..in_lines.len() - 1].to_vec()),
        ("n.jsonl", [&b"\n\n  \n"[..], &in_lines, b"\n\n"].concat()),
    ];
    let together = LedgerFolder::init();
    for (name, bytes) in &forms {
        let alone = LedgerFolder::init();
        let summary = import(&alone, &alone.file(name, bytes));
        assert_eq!((summary.events, summary.facts, summary.rejected), (20, 20, 0), "{name}: {summary:?}");
        let summary = total(alone.run_with_input(&["import", "okta", "-", "--output", "json"], bytes));
        assert_eq!((summary.events, summary.duplicates), (0, 20), "standard input, {name}: {summary:?}");
        let summary = import(&together, &together.file(name, bytes));
        assert_eq!(summary.events + summary.duplicates, 20, "{name}: {summary:?}");
        assert_eq!(summary.events > 0, *name == "a.jsonl", "{name}: {summary:?}");
    }
    assert_eq!(basis_of(&together).tree_size, 21);
    together.run(&["fsck"]).ended(0);
    let nothing = LedgerFolder::init();
    for empty in ["", "\n", "[]", "[ ]\n"] {
        let summary = total(nothing.run_with_input(&["import", "okta", "-", "--output", "json"], empty.as_bytes()));
        assert_eq!(summary, ImportSummary { input: "total".to_owned(), ..Default::default() }, "{empty:?}");
    }
}

#[test]
fn a_repeated_import_adds_nothing() {
    let (ledger, _) = company_ledger();
    let before = (basis_of(&ledger), ledger.run(&["sources", "--output", "json"]).json::<ListSourcesResponse>());
    let checkpoint = ledger.run(&["checkpoint"]).stdout;
    for system in ["freshservice", "okta"] {
        let folder = ledger.beside("company").join(system);
        let summary = import_folder(&ledger, system, &folder);
        assert_eq!((summary.events, summary.conflicts, summary.rejected), (0, 0, 0), "{summary:?}");
        assert!(summary.duplicates > 50, "{summary:?}");
    }
    assert_eq!(basis_of(&ledger), before.0);
    assert_eq!(ledger.run(&["checkpoint"]).stdout, checkpoint, "counts alone cause no new checkpoint");
    let after: ListSourcesResponse = ledger.run(&["sources", "--output", "json"]).json();
    for (before, after) in before.1.sources.iter().zip(&after.sources) {
        assert_eq!((before.events, before.facts), (after.events, after.facts));
        assert!(after.duplicates > before.duplicates, "and they are counted: {after:?}");
    }
}

#[test]
fn an_interrupted_import_goes_on_where_it_stopped() {
    const EVENTS: u32 = 30_000;
    let bytes = lines(&events(EVENTS));
    // A process that is quick may end before it is killed; then another one is tried.
    for _ in 0..5 {
        let ledger = LedgerFolder::init();
        let file = ledger.file("many.jsonl", &bytes);
        let anchor = ledger.beside("ledger.anchor");
        let first = fs::read(&anchor).unwrap();
        let mut child = command();
        child.arg("import").arg("okta").arg(&file).arg("--data").arg(ledger.data());
        let mut child = child.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
        while fs::read(&anchor).unwrap() == first && child.try_wait().unwrap().is_none() {
            std::thread::yield_now();
        }
        child.kill().unwrap();
        let killed = !child.wait().unwrap().success();

        let acknowledged = basis_of(&ledger).tree_size - 1;
        let summary = import(&ledger, &file);
        if !killed || acknowledged == u64::from(EVENTS) {
            continue;
        }
        assert!(acknowledged > 0);
        assert_eq!(summary.resumed_documents, acknowledged, "it says so: {summary:?}");
        assert_eq!(summary.events, u64::from(EVENTS) - acknowledged, "{summary:?}");
        assert_eq!(summary.duplicates, 0, "{summary:?}");
        assert_eq!(basis_of(&ledger).tree_size, u64::from(EVENTS) + 1);
        ledger.run(&["fsck"]).ended(0);
        let again = import(&ledger, &file);
        assert_eq!((again.events, again.duplicates, again.resumed_documents), (0, u64::from(EVENTS), 0));
        return;
    }
    panic!("the import ended before it could be killed, five times over");
}

#[test]
fn a_path_that_is_not_there_stops_an_import_before_it_begins() {
    let ledger = LedgerFolder::init();
    let good = ledger.file("a.jsonl", lines(&events(2)));
    let nowhere = ledger.beside("nowhere.jsonl");
    let run = ledger.import("okta", &good, &[nowhere.to_str().unwrap()]).ended(1);
    assert!(run.stderr.contains("nowhere.jsonl") && run.stderr.contains("No such file"), "{}", run.stderr);
    assert!(run.stdout.is_empty(), "{}", run.text());
    assert_eq!(basis_of(&ledger).tree_size, 1, "nothing was read");
}

#[test]
fn a_file_that_cannot_be_read_stops_no_other() {
    let ledger = LedgerFolder::init();
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    encoder.write_all(&lines(&events(3_000))).unwrap();
    let whole = encoder.finish().unwrap();
    let cut = ledger.file("cut.jsonl.gz", &whole[..whole.len() / 2]);
    let late = |number| joined(number, "2026-03-01T09:00:00Z", number, 1);
    let first = ledger.file("first.jsonl", lines(&[late(4_001)]));
    let last = ledger.file("last.jsonl", lines(&[late(4_002), late(4_003)]));
    let further = [cut.to_str().unwrap(), last.to_str().unwrap()];
    let run = ledger.import("okta", &first, &further).ended(1);
    assert!(run.stderr.contains("counterfoil: read ") && run.stderr.contains("cut.jsonl.gz"), "{}", run.stderr);
    for words in ["first.jsonl", "last.jsonl", "total", "Basis: "] {
        assert!(run.text().contains(words), "{words}: {}", run.text());
    }
    assert!(!run.text().contains("cut.jsonl.gz"), "{}", run.text());
    let kept = basis_of(&ledger).tree_size - 4;
    if kept > 0 {
        assert!(run.stderr.contains(&format!("; {kept} records of what came before are kept")), "{}", run.stderr);
    }
    for number in [4_001, 4_003] {
        ledger.run(&["explain", &uuid(number)]).ended(0);
    }
}

#[test]
fn what_of_an_import_deserves_a_look_is_told() {
    let ledger = LedgerFolder::init();
    let unknown = |number| counterfoil_tests::okta::event(number, "brand.new.type", "2026-03-01T09:00:00Z", &[]);
    let first = joined(1, "2026-03-01T09:00:00Z", 1, 1);
    let run = ledger.import("okta", &ledger.file("a.jsonl", lines(&[first, unknown(2)])), &[]).ended(0);
    assert!(run.stderr.contains("1 event of unknown type: see `counterfoil sources`"), "{}", run.stderr);
    let other = joined(1, "2026-03-01T09:00:00Z", 1, 2);
    let run = ledger.import("okta", &ledger.file("b.jsonl", lines(&[other, unknown(3), unknown(4)])), &[]).ended(0);
    let told = "2 events of unknown type, 1 that came again with other content: see `counterfoil sources`";
    assert!(run.stderr.contains(told), "{}", run.stderr);
    let run = ledger.import("okta", &ledger.file("c.jsonl", lines(&events(1))), &[]).ended(0);
    assert!(!run.stderr.contains("counterfoil sources"), "{}", run.stderr);
}

#[test]
fn types_that_nobody_knows_are_counted_with_an_example() {
    let ledger = LedgerFolder::init();
    let unknown = |number| counterfoil_tests::okta::event(number, "brand.new.type", "2026-03-01T09:00:00Z", &[]);
    let summary = import(
        &ledger,
        &ledger.file("a.jsonl", lines(&[joined(1, "2026-03-01T09:00:00Z", 1, 1), unknown(2), unknown(3)])),
    );
    assert_eq!((summary.events, summary.unmapped), (3, 2), "{summary:?}");
    let answer: ListSourcesResponse = check_answer(&ledger, &["sources"]);
    let [unmapped] = &answer.sources[0].unmapped_types[..] else { panic!("{answer:?}") };
    assert_eq!((unmapped.native_type.as_str(), unmapped.count, unmapped.example_record), ("brand.new.type", 2, 2));
    let example: GetRecordResponse = ledger.run(&["record", "2", "--output", "json"]).json();
    assert_eq!(example.record.unwrap().provenance.unwrap().event_id, uuid(2));
    let table = ledger.run(&["sources"]).ended(0);
    assert!(table.text().contains("brand.new.type, 2 times"), "{}", table.text());
}
