//! The command line: what it says, in which form, and with which exit code.
#![allow(clippy::unwrap_used, reason = "a test stops where it fails")]

use std::collections::BTreeSet;
use std::fs;
use std::io::Write;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::Stdio;

use counterfoil_ledger::{Ledger, Location, Options, SystemClock};
use counterfoil_proto::v1::{
    Basis, DiffStateResponse, DifferenceKind, ExplainChangeResponse, FsckReport, GetConsistencyProofResponse,
    GetHistoryResponse, GetInclusionProofResponse, GetRecordResponse, GetStateResponse, ImportResponse, ImportSummary,
    ListDeadLettersResponse, ListHoldersResponse, ListMatchesResponse, ListSourcesResponse, Verdict,
};
use counterfoil_scenario::{Company, generate};
use counterfoil_tests::files::{all_files, lines};
use counterfoil_tests::okta::{joined, left, login, user_id, uuid};
use counterfoil_tests::program::{LedgerFolder, ORIGIN, Run, command, run};
use counterfoil_verify::checkpoint::{Checkpoint, Origin};
use counterfoil_verify::hash::{Hash, LeafHash};
use counterfoil_verify::note::VerifierKey;
use counterfoil_verify::policy::Policy;
use counterfoil_verify::proof::{TlogProof, verify_consistency, verify_inclusion};
use counterfoil_verify::record;
use counterfoil_verify::tree::{RecordIndex, TreeSize};
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};
use signed_note::{Note, StandardVerifier, VerifierList};

const VERBS: [&str; 15] = [
    "init",
    "import",
    "state",
    "history",
    "diff",
    "holders",
    "explain",
    "record",
    "proof",
    "checkpoint",
    "fsck",
    "sources",
    "deadletter",
    "demo",
    "completions",
];

/// A ledger of a small made-up company, with one line that cannot be read.
fn company_ledger() -> (LedgerFolder, Company) {
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

fn events(count: u32) -> Vec<Value> {
    (1..=count).map(|number| joined(number, "2026-03-01T09:00:00Z", number, 1)).collect()
}

fn total(run: Run) -> ImportSummary {
    run.json::<ImportResponse>().total.unwrap()
}

fn import(ledger: &LedgerFolder, file: &Path) -> ImportSummary {
    total(ledger.import("okta", file, &["--output", "json"]))
}

#[test]
fn every_verb_has_help_with_an_example() {
    let sub_verbs = [vec!["deadletter", "list"], vec!["deadletter", "show"]];
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
        let refused = other.run(&["init", "--origin", origin]).ended(1);
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
fn several_matches_are_listed_and_not_guessed() {
    let ledger = LedgerFolder::init();
    import(&ledger, &ledger.file("a.jsonl", lines(&events(3))));
    let run = ledger.run(&["state", "Person"]).ended(4);
    assert!(run.stderr.contains("4 entities fit \"Person\"") && run.stderr.contains("--system"), "{}", run.stderr);
    for number in 0..=3 {
        assert!(run.text().contains(&format!("account:okta:default:{}", user_id(number))), "{}", run.text());
    }
    assert!(run.text().contains(&format!("Basis: {ORIGIN} at 4 records")), "{}", run.text());
    let run = ledger.run(&["history", "Person", "--output", "json"]).ended(4);
    let listed: ListMatchesResponse = serde_json::from_slice(&run.stdout).unwrap();
    assert_eq!(listed.matches.len(), 4);
    assert!(listed.basis.is_some());
    for id in listed.matches.iter().map(|party| &party.id) {
        ledger.run(&["state", id]).ended(0);
    }
    // A whole name means one, though it is a part of others.
    ledger.run(&["state", "Person 1"]).ended(0);
    ledger.run(&["state", "PERSON1@Example.com"]).ended(0);
    ledger.run(&["state", "Person", "--system", "freshservice"]).ended(3);
    for verb in ["state", "history", "holders"] {
        let run = ledger.run(&[verb, "Nobody Known"]).ended(3);
        assert!(run.stdout.is_empty());
        assert!(run.stderr.contains("\"Nobody Known\"") && run.stderr.contains("entity id"), "{}", run.stderr);
    }
    ledger.run(&["diff", "Nobody Known", "--from", "2026-01-01Z"]).ended(3);
    // A ticket's number is a name too.
    ledger.run(&["history", "SR-4711"]).ended(3);
    // What is no entity's id is a name like any other.
    ledger.run(&["state", "account:okta:default"]).ended(3);
}

/// An answer in JSON is its protobuf message, in every other form the same rows, and in each it states its basis.
fn check_answer<T: DeserializeOwned + Serialize>(ledger: &LedgerFolder, arguments: &[&str]) -> T {
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
    assert_eq!(reader.headers().unwrap().is_empty(), items.is_empty(), "{arguments:?}");
    for row in reader.records() {
        row.unwrap_or_else(|error| panic!("{arguments:?}: {error}"));
    }
    assert!(rows.stderr.contains(&said), "{arguments:?}: {}", rows.stderr);

    let table = in_form("table");
    let is_proof = table.text().starts_with("c2sp.org/tlog-proof@v1\n");
    let checkpoint = ledger.run(&["checkpoint"]).ended(0);
    let stated = if is_proof { table.text().ends_with(checkpoint.text()) } else { table.text().contains(&said) };
    assert!(stated, "{arguments:?}: {}", table.text());
    message
}

fn basis_of(ledger: &LedgerFolder) -> Basis {
    let checkpoint = read_checkpoint(ledger);
    Basis {
        origin: checkpoint.origin.as_str().to_owned(),
        tree_size: checkpoint.size.0,
        root: checkpoint.root.as_bytes().to_vec(),
    }
}

fn read_policy(ledger: &LedgerFolder) -> Policy {
    Policy::parse(&fs::read(ledger.beside("ledger.policy")).unwrap()).unwrap()
}

fn log_key(ledger: &LedgerFolder) -> VerifierKey {
    read_policy(ledger).logs()[0].key.clone()
}

fn read_checkpoint(ledger: &LedgerFolder) -> Checkpoint {
    let note = ledger.run(&["checkpoint"]).ended(0).stdout;
    Checkpoint::open(&note, &Origin::new(ORIGIN).unwrap(), &log_key(ledger)).unwrap()
}

#[test]
fn every_answer_in_every_form() {
    let (ledger, company) = company_ledger();
    let story = &company.truth.story;
    let hero = story.identity_login.as_str();
    let past = story.past_at.to_string();

    let then: GetStateResponse = check_answer(&ledger, &["state", hero, "--system", "okta", "--at", &past]);
    let id = then.state.as_ref().unwrap().entity.as_ref().unwrap().id.clone();
    let names = |answer: &GetStateResponse| -> BTreeSet<String> {
        let grants = &answer.state.as_ref().unwrap().grants;
        grants.iter().map(|grant| grant.counterpart.as_ref().unwrap().name.clone()).collect()
    };
    let now: GetStateResponse = check_answer(&ledger, &["state", &id]);
    assert!(names(&then).contains(&story.past_entitlement_name));
    assert!(!names(&now).contains(&story.past_entitlement_name));

    let diff: DiffStateResponse = check_answer(&ledger, &["diff", &id, "--from", &past]);
    let removed: BTreeSet<String> = diff
        .differences
        .iter()
        .filter(|difference| difference.kind() == DifferenceKind::Removed && difference.what == "grant")
        .map(|difference| difference.party.as_ref().unwrap().name.clone())
        .collect();
    assert_eq!(removed, &names(&then) - &names(&now));

    let entitlement = story.past_entitlement.replacen("okta/", "entitlement:okta:default:", 1);
    let holders: ListHoldersResponse = check_answer(&ledger, &["holders", &entitlement, "--at", &past]);
    assert!(holders.holders.iter().any(|holder| holder.counterpart.as_ref().unwrap().id == id));

    let history: GetHistoryResponse = check_answer(&ledger, &["history", &id]);
    assert!(history.entries.len() > 5);
    let few: GetHistoryResponse = check_answer(&ledger, &["history", &id, "--limit", "3"]);
    assert_eq!(few.entries, history.entries[..3]);
    let some: GetHistoryResponse = check_answer(&ledger, &["history", &id, "--from", &past, "--at", &past]);
    assert!(some.entries.len() < history.entries.len());
    let ticket: GetHistoryResponse = check_answer(&ledger, &["history", &story.explained_ticket]);
    assert!(!ticket.entries.is_empty());

    let explained: ExplainChangeResponse = check_answer(&ledger, &["explain", &story.explained_change_uuid]);
    assert_eq!(explained.explanations[0].verdict(), Verdict::Approved);
    let unapproved: ExplainChangeResponse = check_answer(&ledger, &["explain", &story.unapproved_change_uuid]);
    assert_eq!(unapproved.explanations[0].verdict(), Verdict::NoneRecorded);
    let change = explained.explanations[0].change.as_ref().unwrap();
    let place = format!("{}.{}", change.record, change.fact);
    let by_place: ExplainChangeResponse = check_answer(&ledger, &["explain", &place]);
    assert_eq!(by_place.explanations, explained.explanations);
    let table = ledger.run(&["explain", &story.explained_change_uuid]).ended(0);
    for words in ["APPROVED", "requested by", "approver", "executed by", "linked", "record"] {
        assert!(table.text().contains(words), "{words:?} is missing in {}", table.text());
    }

    let record: GetRecordResponse = check_answer(&ledger, &["record", &change.record.to_string()]);
    let held = record.record.unwrap();
    assert_eq!(held.provenance.as_ref().unwrap().event_id, story.explained_change_uuid);
    assert_eq!(record::hash(&record::encode(&held).unwrap()).0.as_bytes(), &record.leaf_hash[..]);

    let all: ExplainChangeResponse = check_answer(&ledger, &["explain", "--all"]);
    let lines = ledger.run(&["explain", "--all", "--output", "jsonl"]).ended(0);
    assert_eq!(lines.text().lines().count(), all.explanations.len());
    let rows = ledger.run(&["explain", "--all", "--output", "csv"]).ended(0);
    assert_eq!(csv::Reader::from_reader(&rows.stdout[..]).records().count(), all.explanations.len());
    check_answer::<ExplainChangeResponse>(&ledger, &["explain", "--unapproved"]);
    check_answer::<ListSourcesResponse>(&ledger, &["sources"]);
    let dead: ListDeadLettersResponse = check_answer(&ledger, &["deadletter", "list"]);
    assert_eq!(dead.dead_letters.len(), 1);
    check_answer::<GetInclusionProofResponse>(&ledger, &["proof", "7"]);
    check_answer::<GetConsistencyProofResponse>(&ledger, &["proof", "--since", "7"]);
    let again = ledger.beside("bad.jsonl");
    check_answer::<ImportResponse>(&ledger, &["import", "okta", again.to_str().unwrap()]);

    let fsck: FsckReport = ledger.run(&["fsck", "--output", "json"]).json();
    let basis = basis_of(&ledger);
    assert_eq!((fsck.records, fsck.root, fsck.sound), (basis.tree_size, basis.root, true));
    // The views are derived: without them the same answers come back.
    fs::remove_dir_all(ledger.data().join("views")).unwrap();
    fs::remove_dir_all(ledger.data().join("derived")).unwrap();
    let rebuilt: ExplainChangeResponse = check_answer(&ledger, &["explain", "--all"]);
    assert_eq!(rebuilt, all);
    assert_eq!(check_answer::<GetHistoryResponse>(&ledger, &["history", &id]), history);
}

#[test]
fn what_does_not_exist_is_not_found() {
    let ledger = LedgerFolder::init();
    import(&ledger, &ledger.file("a.jsonl", lines(&events(1))));
    for (arguments, words) in [
        (&["record", "99"][..], "record 99 is not in the ledger, which holds 2 records"),
        (&["proof", "99"], "record 99 is not in the ledger, which holds 2 records"),
        (&["proof", "--since", "99"], "holds 2 records"),
        (&["explain", "99"], "99"),
        (&["explain", "1.7"], "there is no fact 7"),
        (&["explain", "no-such-event"], "\"no-such-event\""),
        (&["deadletter", "show", "1"], "record 1 is no rejected event"),
        (&["explain", "99999999999999999999999"], "too large"),
    ] {
        let run = ledger.run(arguments);
        assert!(matches!(run.code, 1 | 3), "{arguments:?}: {}", run.code);
        assert!(run.stderr.contains(words), "{words:?} is missing in {}", run.stderr);
        assert!(run.stdout.is_empty(), "{arguments:?}: {}", run.text());
    }
}

#[test]
fn proofs_verify_with_the_policy_alone() {
    let ledger = LedgerFolder::init();
    import(&ledger, &ledger.file("a.jsonl", lines(&events(11))));
    let (origin, key) = (Origin::new(ORIGIN).unwrap(), log_key(&ledger));
    let oracle = VerifierList::new(vec![Box::new(StandardVerifier::new(&key.to_string()).unwrap())]);
    let earlier = read_checkpoint(&ledger);
    import(&ledger, &ledger.file("b.jsonl", lines(&events(300))));
    let checkpoint = read_checkpoint(&ledger);
    assert_eq!((earlier.size, checkpoint.size), (TreeSize(12), TreeSize(301)));
    let theirs = |hash: &Hash| tlog_tiles::Hash(*hash.as_bytes());
    for index in [0, 1, 11, 12, 255, 256, 299, 300] {
        let text = index.to_string();
        let answer: GetRecordResponse = ledger.run(&["record", &text, "--output", "json"]).json();
        let bytes = record::encode(&answer.record.unwrap()).unwrap();
        let leaf = record::hash(&bytes);
        let proof = TlogProof::parse(&ledger.run(&["proof", &text]).ended(0).stdout).unwrap();
        assert_eq!(proof.index, RecordIndex(index));
        let proved = Checkpoint::open(&proof.checkpoint_note, &origin, &key).unwrap();
        assert_eq!((proved.size, proved.root), (checkpoint.size, checkpoint.root));
        verify_inclusion(leaf, proof.index, proved.size, &proof.path, proved.root).unwrap();
        let mut other = leaf.0.as_bytes().to_vec();
        other[31] ^= 1;
        let other = LeafHash(Hash::from_slice(&other).unwrap());
        assert!(verify_inclusion(other, proof.index, proved.size, &proof.path, proved.root).is_err());

        // The same with other people's code.
        let note = Note::from_bytes(&proof.checkpoint_note).unwrap();
        let (verified, unverified) = note.verify(&oracle).unwrap();
        assert_eq!((verified.len(), unverified.len()), (1, 0));
        let head = tlog_tiles::Checkpoint::from_bytes(note.text()).unwrap();
        assert_eq!(head.origin(), ORIGIN);
        let path = proof.path.iter().map(theirs).collect();
        let leaf = tlog_tiles::record_hash(&bytes);
        tlog_tiles::check_record(&path, head.size(), *head.hash(), index, leaf).unwrap();
    }

    let answer: GetConsistencyProofResponse = ledger.run(&["proof", "--since", "12", "--output", "json"]).json();
    let path: Vec<Hash> = answer.path.iter().map(|hash| Hash::from_slice(hash).unwrap()).collect();
    verify_consistency(earlier.size, earlier.root, checkpoint.size, checkpoint.root, &path).unwrap();
    let path = path.iter().map(theirs).collect();
    let (old, new) = (theirs(&earlier.root), theirs(&checkpoint.root));
    tlog_tiles::check_tree(&path, checkpoint.size.0, new, earlier.size.0, old).unwrap();
    let wrong = verify_consistency(earlier.size, checkpoint.root, checkpoint.size, checkpoint.root, &[]);
    assert!(wrong.is_err());
}

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

fn import_folder(ledger: &LedgerFolder, system: &str, folder: &Path) -> ImportSummary {
    total(ledger.import(system, folder, &["--output", "json"]))
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
fn two_processes_cannot_own_one_ledger() {
    let ledger = LedgerFolder::init();
    let location = Location::new(&ledger.data(), None);
    let options =
        Options { clock: Box::new(SystemClock::new()), accept_clock: false, holder: "a test that holds it".to_owned() };
    let held = Ledger::open(&location, options).unwrap();
    let file = ledger.file("a.jsonl", lines(&events(1)));
    let import = ["import", "okta", file.to_str().unwrap()];
    for arguments in [&["state", "x"][..], &["checkpoint"], &["sources"], &import] {
        let refused = ledger.run(arguments).ended(1);
        let holder = format!("in use by process {} (a test that holds it)", std::process::id());
        assert!(refused.stderr.contains(&holder), "{}", refused.stderr);
        assert!(refused.stderr.contains("wait until it ends, or stop it"), "what to do: {}", refused.stderr);
    }
    drop(held);
    ledger.run(&import).ended(0);
}

#[test]
fn access_whose_time_ran_out_lapses_by_the_clock_of_the_question() {
    let ledger = LedgerFolder::init();
    let granted = json!({
        "id": "grant-1", "source": {"system": "ci", "instance": "prod", "stream": "deploy"}, "type": "deploy.grant",
        "facts": [{
            "kind": "grant.added", "occurred_at": "2026-03-01T09:30:00Z", "actor": {"id": "u1", "login": "jane@example.com"},
            "subject": {"id": "svc-7", "login": "deployer-seven", "type": "service_account"},
            "object": {"id": "role/deployer", "name": "Deployer"}, "expires_at": "2026-04-01T00:00:00Z",
        }],
    });
    let file = ledger.file("facts.json", serde_json::to_vec_pretty(&granted).unwrap());
    ledger.import("fact", &file, &[]).ended(0);
    for (at, lapsed) in [
        ("2026-03-01T09:30:00Z", false),
        ("2026-03-31T23:59:59.999Z", false),
        ("2026-04-01Z", true),
        ("2026-05-01Z", true),
    ] {
        let answer: GetStateResponse = ledger.run(&["state", "deployer-seven", "--at", at, "--output", "json"]).json();
        let state = answer.state.unwrap();
        assert_eq!(state.grants.len(), 1, "{at}: it is not hidden: {state:?}");
        assert_eq!(state.grants[0].lapsed, lapsed, "{at}");
        let table = ledger.run(&["state", "deployer-seven", "--at", at]).ended(0);
        assert_eq!(table.text().contains("lapsed on 2026-04-01"), lapsed, "{}", table.text());
        let holders: ListHoldersResponse = ledger.run(&["holders", "Deployer", "--at", at, "--output", "json"]).json();
        assert_eq!(holders.holders[0].lapsed, lapsed, "{at}");
    }
    let before: GetStateResponse =
        ledger.run(&["state", "deployer-seven", "--at", "2026-03-01T09:29:59Z", "--output", "json"]).json();
    assert!(before.state.unwrap().grants.is_empty());
}

#[test]
fn what_was_known_by_a_time_counts_only_what_was_recorded_by_then() {
    let ledger = LedgerFolder::init();
    import(&ledger, &ledger.file("a.jsonl", lines(&[joined(1, "2026-03-01T09:00:00Z", 1, 1)])));
    let recorded = |index: &str| -> String {
        let answer: Value = ledger.run(&["record", index, "--output", "json"]).json();
        let at = &answer["record"]["recordedAt"];
        let seconds: i64 = at["seconds"].as_str().unwrap().parse().unwrap();
        let nanos = i32::try_from(at["nanos"].as_i64().unwrap_or_default()).unwrap();
        jiff::Timestamp::new(seconds, nanos).unwrap().to_string()
    };
    import(&ledger, &ledger.file("late.jsonl", lines(&[left(2, "2026-03-02T09:00:00Z", 1, 1)])));
    let state = |known: Option<&str>| -> GetStateResponse {
        let who = login(1);
        let mut arguments = vec!["state", &who, "--at", "2026-03-03Z", "--output", "json"];
        arguments.extend(known.iter().flat_map(|known| ["--known-at", known]));
        ledger.run(&arguments).json()
    };
    let (first, second) = (recorded("1"), recorded("2"));
    assert_ne!(first, second);
    let then = state(Some(&first));
    assert_eq!(then.moment.as_ref().unwrap().known_size, 2);
    assert_eq!(then.state.unwrap().grants.len(), 1);
    assert!(state(Some(&second)).state.unwrap().grants.is_empty());
    assert!(state(None).state.unwrap().grants.is_empty());
    // Before anything was known, nobody had that name.
    ledger.run(&["state", &login(1), "--known-at", "2000-01-01Z"]).ended(3);
    let diff: DiffStateResponse = {
        let who = login(1);
        let at = "2026-03-03Z";
        ledger.run(&["diff", &who, "--from", at, "--from-known-at", &first, "--at", at, "--output", "json"]).json()
    };
    assert!(diff.differences.iter().any(|difference| difference.kind() == DifferenceKind::Removed), "{diff:?}");
    let not_yet = ledger.run(&["explain", "2", "--known-at", &first]);
    assert!(matches!(not_yet.code, 1 | 3));
    assert!(not_yet.stderr.contains("was not known then"), "{}", not_yet.stderr);
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

#[test]
fn the_demo_tells_its_story_and_its_commands_work_as_printed() {
    let ledger = LedgerFolder::empty();
    let demo = ledger.run(&["demo", "--people", "12", "--months", "1", "--seed", "3"]).ended(0);
    for words in
        ["\n1. ", "\n2. ", "\n3. ", "\n4. ", "\n5. ", "APPROVED", "NONE RECORDED", "sound, ", "Try on the same ledger:"]
    {
        assert!(demo.text().contains(words), "{words:?} is missing in {}", demo.text());
    }
    assert!(demo.text().contains("FALSIFIED") || demo.text().contains("UNREADABLE"), "{}", demo.text());
    let (_, commands) = demo.text().split_once("Try on the same ledger:\n").unwrap();
    let commands: Vec<&str> = commands.lines().map(str::trim).collect();
    assert_eq!(commands.len(), 3, "{commands:?}");
    for line in commands {
        let run = std::process::Command::new("sh").args(["-c", line]).output().unwrap();
        assert!(run.status.success(), "{line}: {}", String::from_utf8_lossy(&run.stderr));
        assert!(!run.stdout.is_empty(), "{line}");
    }
    ledger.run(&["fsck"]).ended(0);
    let again = ledger.run(&["demo"]).ended(1);
    assert!(again.stderr.contains("exists"), "{}", again.stderr);
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
