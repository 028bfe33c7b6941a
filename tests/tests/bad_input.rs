//! Bad input: a clear answer, kept where it can be looked at, harmless to everything else.
//!
//! Every case is a file in which one bad event stands between two good ones.
#![allow(clippy::unwrap_used, reason = "a test stops where it fails")]

use std::fs;
use std::os::unix::fs::symlink;
use std::process::Command;

use counterfoil_proto::v1::{
    DeadLetter, EventConflict, FsckReport, GetHistoryResponse, GetRecordResponse, GetStateResponse, ImportResponse,
    ImportSummary, ListDeadLettersResponse, ListIdentitiesResponse, ListSourcesResponse, record::Body,
};
use counterfoil_tests::files::{holds, lines};
use counterfoil_tests::okta::{event, group, joined, login, user, uuid};
use counterfoil_tests::program::{LedgerFolder, Run};
use serde_json::{Value, json};

const JSON: [&str; 2] = ["--output", "json"];

/// A good event, the bad bytes, and another good event, on a line each.
fn between_good_ones(bad: &[u8]) -> Vec<u8> {
    let good = [joined(1, "2026-03-01T09:00:00Z", 1, 1), joined(2, "2026-03-01T10:00:00Z", 2, 1)];
    let [before, after] = good.map(|event| event.to_string().into_bytes());
    [before.as_slice(), b"\n", bad, b"\n", after.as_slice(), b"\n"].concat()
}

fn import(ledger: &LedgerFolder, name: &str, bytes: &[u8], further: &[&str]) -> ImportSummary {
    let file = ledger.file(name, bytes);
    let run = ledger.import("okta", &file, &[further, &JSON].concat());
    if run.stderr.contains("could not be read") {
        assert!(run.stderr.contains("counterfoil deadletter list"), "it says where to look: {}", run.stderr);
    }
    let response: ImportResponse = run.json();
    assert!(response.basis.is_some());
    response.total.unwrap()
}

fn dead_letters(ledger: &LedgerFolder) -> Vec<DeadLetter> {
    let response: ListDeadLettersResponse = ledger.run(&["deadletter", "list", "--output", "json"]).json();
    response.dead_letters
}

fn show(ledger: &LedgerFolder, letter: &DeadLetter, form: &str) -> Run {
    ledger.run(&["deadletter", "show", &letter.record.to_string(), "--output", form]).ended(0)
}

fn assert_sound(ledger: &LedgerFolder) {
    let report: FsckReport = ledger.run(&["fsck", "--output", "json"]).json();
    assert!(report.sound, "{report:?}");
}

fn assert_neighbours_are_there(ledger: &LedgerFolder) {
    for number in [1, 2] {
        let arguments = ["state", &login(number), "--at", "2026-04-01Z", "--output", "json"];
        let answer: GetStateResponse = ledger.run(&arguments).json();
        let state = answer.state.unwrap();
        let names: Vec<String> =
            state.grants.into_iter().map(|grant| grant.counterpart.unwrap().name.clone()).collect();
        assert_eq!(names, ["Group 1"], "person {number}");
    }
}

/// The bad bytes are rejected for this reason, in words that say what and where and what to do; they are kept, and
/// nothing else suffers. The same again adds nothing.
fn check(bad: &[u8], reason: &str, words: &[&str]) {
    let ledger = LedgerFolder::init();
    let bytes = between_good_ones(bad);
    let summary = import(&ledger, "bad.jsonl", &bytes, &[]);
    assert_eq!((summary.events, summary.facts, summary.rejected), (2, 2, 1), "{summary:?}");

    let [letter] = &dead_letters(&ledger)[..] else { panic!("{:?}", dead_letters(&ledger)) };
    assert_eq!(letter.reason, reason, "{letter:?}");
    assert!(letter.error.starts_with("line 2: "), "it says where: {}", letter.error);
    for word in words {
        assert!(letter.error.contains(word), "{word:?} is missing in {}", letter.error);
    }
    assert_eq!((letter.connector.as_str(), letter.sequence, letter.size), ("okta", 1, bad.len() as u64), "{letter:?}");
    let shown: DeadLetter = show(&ledger, letter, "json").json();
    assert!(shown.content == bad, "the bytes as they came: {:?}", String::from_utf8_lossy(&shown.content));
    assert_eq!((&shown.reason, &shown.error), (&letter.reason, &letter.error));
    let table = show(&ledger, letter, "table");
    assert!(table.stderr.contains(reason) && table.stderr.contains(words[0]), "{}", table.stderr);
    assert_plain(table.text());
    let list = ledger.run(&["deadletter", "list"]).ended(0);
    assert!(list.text().contains(reason), "{}", list.text());
    assert_plain(list.text());

    assert_neighbours_are_there(&ledger);
    let again = import(&ledger, "again.jsonl", &[&bytes[..], b"\n"].concat(), &[]);
    assert_eq!((again.events, again.duplicates, again.rejected), (0, 3, 0), "{again:?}");
    assert_sound(&ledger);
}

/// Nothing in it that a terminal obeys, or that turns the direction of writing.
#[track_caller]
fn assert_plain(text: &str) {
    let hostile = |c: &char| {
        c.is_control() && *c != '\n'
            || matches!(c, '\u{61c}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{2069}')
            || matches!(c, '\u{feff}' | '\u{e0000}'..='\u{e007f}')
    };
    let found: Vec<char> = text.chars().filter(hostile).collect();
    assert!(found.is_empty(), "{found:?} in {text:?}");
}

#[test]
fn invalid_utf_8() {
    let good = joined(3, "2026-03-01T09:30:00Z", 3, 1).to_string();
    let bad = good.replace("Person 3", "Pers\u{1}n 3").into_bytes();
    let bad: Vec<u8> = bad.into_iter().map(|byte| if byte == 1 { 0xff } else { byte }).collect();
    let at = bad.iter().position(|&byte| byte == 0xff).unwrap();
    check(&bad, "not utf8", &["UTF-8", &format!("offset {at}"), "send the event in UTF-8"]);
}

#[test]
fn truncated_json() {
    let good = joined(3, "2026-03-01T09:30:00Z", 3, 1).to_string();
    for length in [1, 20, good.len() / 2, good.len() - 1] {
        check(&good.as_bytes()[..length], "not json", &["expected one JSON value", "EOF"]);
    }
}

#[test]
fn json_that_is_64_deep() {
    let deep = format!("{}1{}", "[".repeat(60), "]".repeat(60));
    let mut bad = joined(3, "2026-03-01T09:30:00Z", 3, 1).to_string();
    bad.insert_str(bad.len() - 1, &format!(r#","deep":{{"deep":{{"deep":{deep}}}}}"#));
    check(bad.as_bytes(), "too deep", &["at most 32 levels", "flatten the event"]);
}

#[test]
fn a_key_twice() {
    let mut bad = joined(3, "2026-03-01T09:30:00Z", 3, 1).to_string();
    bad.insert_str(bad.len() - 1, r#","eventType":"group.user_membership.remove""#);
    check(bad.as_bytes(), "duplicate key", &["\"eventType\"", "stands twice", "send it once"]);
}

#[test]
fn an_event_of_16_mib() {
    let mut large = joined(3, "2026-03-01T09:30:00Z", 3, 1);
    large["padding"] = Value::from("x".repeat(16 << 20));
    let bad = large.to_string();
    check(bad.as_bytes(), "too large", &["4194304 bytes", &bad.len().to_string(), "deliver it in parts"]);
}

#[test]
fn values_that_are_no_events() {
    for bad in ["42", "\"text\"", "true", "null"] {
        check(bad.as_bytes(), "not an event", &["expected a JSON object", "got another value"]);
    }
}

#[test]
fn a_time_without_a_zone_and_what_mends_it() {
    let bad = joined(3, "2026-03-01 09:30:00.123", 3, 1).to_string();
    let words = ["published", "with its zone", "2026-03-01 09:30:00.123", "--assume-zone UTC"];
    check(bad.as_bytes(), "time without zone", &words);

    let ledger = LedgerFolder::init();
    let bytes = between_good_ones(bad.as_bytes());
    assert_eq!(import(&ledger, "a.jsonl", &bytes, &[]).rejected, 1);
    let mended = import(&ledger, "a.jsonl", &bytes, &["--assume-zone", "UTC"]);
    assert_eq!((mended.events, mended.duplicates, mended.rejected), (1, 2, 0), "{mended:?}");
    let history: GetHistoryResponse = ledger.run(&["history", &login(3), "--output", "json"]).json();
    let [entry] = &history.entries[..] else { panic!("{history:?}") };
    let evidence = entry.evidence.as_ref().unwrap();
    assert_eq!(serde_json::to_value(evidence).unwrap()["occurredAt"], "2026-03-01T09:30:00.123+00:00");
    let record: GetRecordResponse = ledger.run(&["record", &evidence.record.to_string(), "--output", "json"]).json();
    assert_eq!(record.record.unwrap().provenance.unwrap().assumed_zone, "UTC", "the provenance says so");
    // A zone that nobody knows how to assume.
    let run = ledger.import("okta", &ledger.beside("a.jsonl"), &["--assume-zone", "CET"]).ended(2);
    assert!(run.stderr.contains("CET") && run.stderr.contains("UTC"), "{}", run.stderr);
    assert_sound(&ledger);
}

#[test]
fn times_that_are_none() {
    for bad in
        ["yesterday", "10/24/2023 7:07:31", "2026-02-30T00:00:00Z", "2026-03-01T25:00:00Z", "10000-01-01T00:00:00Z"]
    {
        let event = joined(3, bad, 3, 1).to_string();
        check(event.as_bytes(), "time invalid", &["year 1 to 9999", "published", bad]);
    }
    let mut none = joined(3, "", 3, 1);
    check(none.to_string().as_bytes(), "time missing", &["expected a time in published", "send the event whole"]);
    none["published"] = json!(1_772_357_400_000_u64);
    check(none.to_string().as_bytes(), "time invalid", &["published", "1772357400000"]);
}

#[test]
fn year_1_and_year_9999_are_times_like_any_other() {
    let ledger = LedgerFolder::init();
    let events = [
        joined(1, "0001-01-01T00:00:00Z", 1, 1),
        joined(2, "9999-12-31T23:59:59.999Z", 2, 1),
        joined(3, "2026-03-01T09:00:00Z", 3, 1),
        joined(4, "1969-12-31T23:59:59.250Z", 4, 1),
    ];
    let summary = import(&ledger, "ends.jsonl", &lines(&events), &[]);
    assert_eq!((summary.events, summary.facts, summary.rejected), (4, 4, 0), "{summary:?}");
    let holders = |at: &str| {
        let run = ledger.run(&["holders", "Group 1", "--at", at, "--output", "csv"]).ended(0);
        run.text().lines().count() - 1
    };
    assert_eq!(holders("0001-01-01T00:00:00Z"), 1);
    assert_eq!(holders("1969-12-31T23:59:59.249Z"), 1);
    assert_eq!(holders("1969-12-31T23:59:59.250Z"), 2);
    assert_eq!(holders("2026-03-02Z"), 3);
    assert_eq!(holders("9999-12-31T23:59:59.998Z"), 3);
    assert_eq!(holders("9999-12-31T23:59:59.999Z"), 4);
    for number in [1, 2, 4] {
        let history = ledger.run(&["history", &login(number)]).ended(0);
        // The first moment there is stands for all time before anything was known.
        let year = ["", "always", "9999-12-31", "", "1969-12-31T23:59:59Z"][number as usize];
        assert!(history.text().contains(year), "{}", history.text());
    }
    ledger.run(&["explain", "--all"]).ended(0);
    ledger.run(&["sources"]).ended(0);
    assert_sound(&ledger);
}

#[test]
fn an_unknown_connector() {
    let ledger = LedgerFolder::init();
    let file = ledger.file("a.jsonl", lines(&[joined(1, "2026-03-01T09:00:00Z", 1, 1)]));
    let run = ledger.import("octa", &file, &[]).ended(2);
    assert!(run.stderr.contains("octa"), "what is wrong: {}", run.stderr);
    for known in ["cloudtrail", "fact", "freshservice", "github", "kubernetes", "okta"] {
        assert!(run.stderr.contains(known), "what to do: {}", run.stderr);
    }
    assert!(run.stdout.is_empty());
    let sources: ListSourcesResponse = ledger.run(&["sources", "--output", "json"]).json();
    assert!(sources.sources.is_empty());
    assert_eq!(sources.basis.unwrap().tree_size, 1);
}

#[test]
fn a_file_that_is_not_there() {
    let ledger = LedgerFolder::init();
    let run = ledger.import("okta", &ledger.beside("nowhere.jsonl"), &[]).ended(1);
    assert!(run.stderr.contains("nowhere.jsonl") && run.stderr.contains("No such file"), "{}", run.stderr);
}

#[test]
fn a_pipe_is_read_like_standard_input() {
    let ledger = LedgerFolder::init();
    let events = lines(&[joined(1, "2026-03-01T09:00:00Z", 1, 1), joined(2, "2026-03-01T10:00:00Z", 2, 1)]);
    let response: ImportResponse =
        ledger.run_with_input(&["import", "okta", "/dev/stdin", "--output", "json"], &events).json();
    assert_eq!(response.total.unwrap().events, 2);
    let pipe = ledger.beside("pipe.jsonl");
    assert!(Command::new("mkfifo").arg(&pipe).status().unwrap().success());
    let writer = std::thread::spawn({
        let pipe = pipe.clone();
        move || fs::write(pipe, zstd::encode_all(&events[..], 1).unwrap()).unwrap()
    });
    let response: ImportResponse = ledger.import("okta", &pipe, &JSON).json();
    writer.join().unwrap();
    let summary = response.total.unwrap();
    assert_eq!((summary.events, summary.duplicates, summary.rejected), (0, 2, 0), "{summary:?}");
    assert_sound(&ledger);
}

#[test]
fn folders_with_nothing_with_loops_and_with_what_is_no_file() {
    let ledger = LedgerFolder::init();
    let logs = ledger.beside("logs");
    let inner = logs.join("a").join("b");
    fs::create_dir_all(&inner).unwrap();
    let run = ledger.import("okta", &logs, &[]).ended(0);
    assert!(run.stderr.contains("logs holds no files"), "{}", run.stderr);

    // Links back to where they are, and to a folder that is listed already.
    symlink(&logs, inner.join("loop")).unwrap();
    symlink(".", logs.join("self")).unwrap();
    symlink("a", logs.join("z")).unwrap();
    fs::write(inner.join("1.jsonl"), lines(&[joined(1, "2026-03-01T09:00:00Z", 1, 1)])).unwrap();
    fs::write(logs.join("2.jsonl"), lines(&[joined(2, "2026-03-01T10:00:00Z", 2, 1)])).unwrap();
    let run = ledger.import("okta", &logs, &JSON);
    assert!(run.stderr.contains("logs holds 2 files"), "{}", run.stderr);
    let response: ImportResponse = run.json();
    assert_eq!((response.inputs.len(), response.total.unwrap().events), (2, 2));

    assert!(Command::new("mkfifo").arg(logs.join("pipe")).status().unwrap().success());
    let run = ledger.import("okta", &logs, &[]).ended(1);
    assert!(run.stderr.contains("pipe") && run.stderr.contains("name a pipe or a device by itself"), "{}", run.stderr);
}

#[test]
fn compressed_files_that_are_cut_short_keep_what_was_before_the_cut() {
    let ledger = LedgerFolder::init();
    let events: Vec<Value> = (1..=3_000).map(|number| joined(number, "2026-03-01T09:00:00Z", number, 1)).collect();
    let whole = zstd::encode_all(&lines(&events)[..], 3).unwrap();
    let file = ledger.file("cut.jsonl.zst", &whole[..whole.len() / 2]);
    let run = ledger.import("okta", &file, &[]).ended(1);
    assert!(run.stderr.contains("cut.jsonl.zst"), "{}", run.stderr);
    let summary = import(&ledger, "whole.jsonl.zst", &whole, &[]);
    assert_eq!(summary.events + summary.duplicates, 3_000, "{summary:?}");
    assert_eq!(summary.rejected, 0, "{summary:?}");
    assert_sound(&ledger);
}

#[test]
fn a_ticket_that_names_nobody() {
    let ledger = LedgerFolder::init();
    let ticket = |id: u32, requester: Value, requested_for: Value| {
        json!({"ticket": {
            "id": id, "subject": "Access please", "type": "Service Request", "status": 2,
            "requester_id": requester, "requested_for_id": requested_for,
            "created_at": "2026-03-01T09:00:00Z", "updated_at": "2026-03-01T09:00:00Z",
        }})
    };
    let nobody = [Value::Null, json!(""), json!("N/A")];
    let mut tickets = vec![ticket(1, json!(5), json!(6))];
    tickets.extend((2..).zip(&nobody).map(|(id, nobody)| ticket(id, nobody.clone(), nobody.clone())));
    let mut absent = ticket(5, Value::Null, Value::Null);
    for key in ["requester_id", "requested_for_id"] {
        absent["ticket"].as_object_mut().unwrap().remove(key);
    }
    tickets.push(absent);
    let file = ledger.file("tickets.jsonl", lines(&tickets));
    let response: ImportResponse = ledger.import("freshservice", &file, &JSON).json();
    let summary = response.total.unwrap();
    assert_eq!((summary.events, summary.facts, summary.rejected), (5, 5, 0), "{summary:?}");
    for id in 1..=5 {
        let answer: GetStateResponse = ledger.run(&["state", &format!("SR-{id}"), "--output", "json"]).json();
        let ticket = answer.state.unwrap().ticket.unwrap();
        assert_eq!(ticket.beneficiary.is_some(), id == 1, "ticket {id}: {ticket:?}");
        assert_eq!(ticket.requester.is_some(), id == 1, "ticket {id}: {ticket:?}");
    }
    // It also belongs to what its system could not resolve, so that it is found where absence is asked for.
    let record =
        |index: u64| -> GetRecordResponse { ledger.run(&["record", &index.to_string(), "--output", "json"]).json() };
    for index in 1..=5 {
        let bytes = counterfoil_verify::record::encode(&record(index).record.unwrap()).unwrap();
        let entities = counterfoil_verify::fact::entity_set(&counterfoil_verify::record::decode(&bytes).unwrap());
        let unresolved = entities.iter().filter(|entity| entity.to_string().starts_with("unresolved:")).count();
        assert_eq!(unresolved, usize::from(index != 1), "{entities:?}");
    }
    assert_sound(&ledger);
}

#[test]
fn an_event_without_an_id_is_known_by_its_content() {
    let ledger = LedgerFolder::init();
    let without_id = |who: u32| {
        let mut event = joined(9, "2026-03-01T09:30:00Z", who, 1);
        event.as_object_mut().unwrap().remove("uuid");
        event
    };
    let mut other_order: Vec<(String, Value)> = without_id(3).as_object().unwrap().clone().into_iter().collect();
    other_order.reverse();
    let reordered: Vec<String> = other_order.iter().map(|(key, value)| format!(" {key:?} : {value}")).collect();
    let text = format!("{}\n{}\n{{{}}}\n", without_id(3), without_id(4), reordered.join(" ,"));
    let summary = import(&ledger, "a.jsonl", &between_good_ones(text.trim_end().as_bytes()), &[]);
    assert_eq!((summary.events, summary.duplicates, summary.rejected), (4, 1, 0), "{summary:?}");
    let history: GetHistoryResponse = ledger.run(&["history", &login(3), "--output", "json"]).json();
    assert_eq!(history.entries.len(), 1);
    assert_neighbours_are_there(&ledger);
    assert_sound(&ledger);
}

#[test]
fn an_id_that_is_used_again_with_other_content() {
    let ledger = LedgerFolder::init();
    let first = lines(&[joined(1, "2026-03-01T09:00:00Z", 1, 1), joined(2, "2026-03-01T10:00:00Z", 2, 1)]);
    import(&ledger, "first.jsonl", &first, &[]);
    let state = |number| -> GetStateResponse {
        ledger.run(&["state", &login(number), "--at", "2026-04-01Z", "--output", "json"]).json()
    };
    let before = state(1).state;
    let mut renamed = joined(1, "2026-03-01T09:00:00Z", 3, 1);
    renamed["target"][1]["displayName"] = json!("Another Name");
    let other = lines(&[renamed]);
    let summary = import(&ledger, "other.jsonl", &other, &[]);
    assert_eq!((summary.events, summary.conflicts, summary.duplicates), (0, 1, 0), "{summary:?}");
    // It has no effect on any state.
    assert_eq!(state(1).state, before);
    ledger.run(&["state", &login(3)]).ended(3);
    let record: GetRecordResponse = ledger.run(&["record", "3", "--output", "json"]).json();
    assert_eq!(record.record.unwrap().body, Some(Body::EventConflict(EventConflict { first_index: 1 })));
    assert!(holds(&record.payload, login(3).as_bytes()), "the other content is kept");
    let table = ledger.run(&["record", "3"]).ended(0);
    assert!(table.text().contains("conflict") && table.text().contains("record 1"), "{}", table.text());

    for (name, bytes) in [("other again.jsonl", &other), ("first again.jsonl", &first)] {
        let again = import(&ledger, name, bytes, &[]);
        assert_eq!((again.events, again.conflicts), (0, 0), "{again:?}");
        assert!(again.duplicates > 0);
    }
    let third = import(&ledger, "third.jsonl", &lines(&[joined(1, "2026-03-01T09:00:00Z", 4, 2)]), &[]);
    assert_eq!((third.conflicts, third.duplicates), (1, 0), "a third content is another conflict");
    let sources: ListSourcesResponse = ledger.run(&["sources", "--output", "json"]).json();
    assert_eq!((sources.sources[0].events, sources.sources[0].conflicts), (2, 2), "{sources:?}");
    assert_sound(&ledger);
}

/// Names that hurt whoever prints them as they are.
const HOSTILE: [&str; 11] = [
    "\u{1b}[2J\u{1b}[1;1HAll is well",
    "\u{1b}]0;owned\u{7}title",
    "bell\u{7}back\u{8}\u{8}\u{8}\u{8}space",
    "line\nfeed\r\n\tand return",
    "evil\u{202e}txt.exe\u{202c}",
    "isolate\u{2066}d\u{2069} zero\u{200b}width\u{feff}",
    "c1 \u{9b}31m control",
    "nul \u{0} byte",
    "line\u{2028}separator",
    "arabic\u{61c}mark",
    "tagged\u{e0041}\u{e0042}name",
];

/// Names that spreadsheets take for formulas.
const FORMULAS: [&str; 6] = ["=cmd|' /C calc'!A0", "+1+2", "-2+3", "@SUM(A1)", "\t=1+1", "\r=1+1"];

fn hostile_ledger() -> (LedgerFolder, Vec<String>) {
    let ledger = LedgerFolder::init();
    let names: Vec<String> = HOSTILE.iter().chain(&FORMULAS).map(|&name| name.to_owned()).collect();
    let events: Vec<Value> = (1..)
        .zip(&names)
        .map(|(number, name)| {
            let (mut who, mut what) = (user(number), group(number));
            who["displayName"] = json!(name);
            what["displayName"] = json!(name);
            let mut event = event(number, "group.user_membership.add", "2026-03-01T09:00:00Z", &[who.clone(), what]);
            event["actor"] = who;
            event["outcome"]["reason"] = json!(name);
            event
        })
        .collect();
    let summary = import(&ledger, "hostile.jsonl", &lines(&events), &[]);
    assert_eq!((summary.events, summary.facts), (names.len() as u64, names.len() as u64));
    // One that is rejected, with the same in its bytes and in its message.
    let bad = format!(r#"{{"published": "{}", "eventType": "x"}}"#, "\u{1b}[2Jnow\u{202e}".escape_unicode())
        .replace("\\u{", "\\u");
    let bad = bad.replace("\\u1b}", "\\u001b").replace('}', "") + "} \u{1b}[2J \u{202e}";
    import(&ledger, "rejected.jsonl", bad.as_bytes(), &[]);
    // A type that nobody knows, written by whoever wrote the log.
    let unknown = event(99, "\u{1b}[2Jevil.\u{202e}type", "2026-03-01T09:00:00Z", &[]);
    import(&ledger, "unknown.jsonl", &lines(&[unknown]), &[]);
    (ledger, names)
}

#[test]
fn hostile_names_are_harmless_in_tables() {
    let (ledger, names) = hostile_ledger();
    let group_id = |number: usize| format!("entitlement:okta:default:group_member/00g{number:017}");
    let mut questions: Vec<Vec<String>> = vec![
        vec!["explain".into(), "--all".into()],
        vec!["sources".into()],
        vec!["deadletter".into(), "list".into()],
        vec!["state".into(), "a".into()],
        vec!["state".into(), "\u{1b}[2J nobody \u{202e}".into()],
    ];
    for number in 1..=names.len() {
        let login = login(u32::try_from(number).unwrap());
        questions.push(vec!["state".into(), login.clone()]);
        questions.push(vec!["history".into(), login.clone()]);
        questions.push(vec!["holders".into(), group_id(number)]);
        questions.push(vec!["explain".into(), uuid(u32::try_from(number).unwrap())]);
        questions.push(vec!["record".into(), number.to_string()]);
        questions.push(["diff", &login, "--from", "2026-02-01Z", "--at", "2026-04-01Z"].map(str::to_owned).to_vec());
    }
    for letter in dead_letters(&ledger) {
        questions.push(vec!["deadletter".into(), "show".into(), letter.record.to_string()]);
    }
    for question in &questions {
        let forms: &[&str] =
            if matches!(question[0].as_str(), "history" | "record") { &["table"] } else { &["table", "csv"] };
        for &form in forms {
            let run = ledger.run(&[question.clone(), vec!["--output".into(), form.into()]].concat());
            assert!(matches!(run.code, 0 | 3 | 4), "{question:?}: {}", run.stderr);
            // Lines of CSV end in CRLF.
            assert_plain(&if form == "csv" { run.text().replace("\r\n", "\n") } else { run.text().to_owned() });
            assert_plain(&run.stderr);
        }
    }
    let shown = ledger.run(&["state", &login(1)]).ended(0);
    assert!(shown.text().contains(r"\u{1b}[2J"), "escapes are shown, not dropped: {}", shown.text());
}

#[test]
fn formulas_are_harmless_in_csv() {
    let (ledger, names) = hostile_ledger();
    let run = ledger.run(&["explain", "--all", "--output", "csv"]).ended(0);
    let mut reader = csv::Reader::from_reader(&run.stdout[..]);
    let mut cells = 0;
    for row in reader.records() {
        for cell in &row.unwrap() {
            cells += 1;
            assert!(!cell.starts_with(['=', '+', '-', '@', '\t', '\r']), "{cell:?} is a formula");
        }
    }
    assert!(cells > names.len() * 5);
    let matches = ledger.run(&["state", "person", "--output", "csv"]).ended(4);
    assert!(matches.text().lines().count() > 2);
    for row in csv::Reader::from_reader(&matches.stdout[..]).records() {
        assert!(row.unwrap().iter().all(|cell| !cell.starts_with(['=', '+', '-', '@', '\t', '\r'])));
    }
}

#[test]
fn hostile_names_are_exact_in_json() {
    let (ledger, names) = hostile_ledger();
    for (number, name) in (1..).zip(&names) {
        let answer: GetStateResponse = ledger.run(&["state", &login(number), "--output", "json"]).json();
        let state = answer.state.unwrap();
        // White space around a name is no part of it; the payload has it all the same.
        assert_eq!(state.entity.unwrap().name, name.trim());
        assert_eq!(state.grants[0].counterpart.as_ref().unwrap().name, name.trim());
        let record: GetRecordResponse = ledger.run(&["record", &number.to_string(), "--output", "json"]).json();
        let payload: Value = serde_json::from_slice(&record.payload).unwrap();
        assert_eq!(payload["actor"]["displayName"], json!(name));
        let run = ledger.run(&["state", &login(number), "--output", "json"]);
        assert_plain_json(run.text());
    }
    // A hostile name finds what it names.
    let matches: ListIdentitiesResponse = {
        let run = ledger.run(&["state", HOSTILE[0], "--output", "json"]).ended(4);
        serde_json::from_slice(&run.stdout).unwrap()
    };
    assert_eq!(matches.identities.len(), 2, "the person and the group: {matches:?}");
    assert_sound(&ledger);
}

/// JSON escapes control characters below 0x20 by itself; whatever it leaves is still no escape sequence.
fn assert_plain_json(text: &str) {
    assert!(text.chars().all(|c| c == '\n' || c >= ' '), "{text:?}");
}
