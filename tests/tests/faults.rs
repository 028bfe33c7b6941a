//! Faults: the process dies at any moment, a bit turns over anywhere, what is derived is gone. Nothing acknowledged is
//! lost, nothing is there twice, and no answer is ever wrong.
#![allow(clippy::unwrap_used, reason = "a test stops where it fails")]

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, mpsc};
use std::time::Duration;

use counterfoil_ledger::{Ledger, Location, Options, SystemClock, fsck};
use counterfoil_proto::v1::{FsckReport, ImportResponse, ListExplanationsResponse, Outcome, record::Body};
use counterfoil_query::{ExplainFilter, Period, Query, Views};
use counterfoil_scenario::{Delivery, generate, okta_events};
use counterfoil_tests::files::all_files;
use counterfoil_tests::program::{LedgerFolder, command};
use counterfoil_verify::checkpoint::{Checkpoint, Origin};
use counterfoil_verify::note::VerifierKey;
use counterfoil_verify::policy::Policy;
use counterfoil_verify::proof::verify_consistency;
use counterfoil_verify::record;
use counterfoil_verify::time::{Moment, OccurredAt};
use counterfoil_verify::tree::RecordIndex;
use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::{Rng, SeedableRng};
use serde_json::Value;

const KILLS: usize = 50;
const KILLED_EVENTS: usize = 50_000;
const FLIPS: u64 = 200;

/// 2026-03-01T00:00:00Z, when the companies of these tests have been at work for two months.
const AT: OccurredAt = OccurredAt(Moment { seconds: 1_772_323_200, nanos: 0 });

#[test]
fn an_import_that_is_killed_fifty_times_loses_and_doubles_nothing() {
    let ledger = LedgerFolder::init();
    let uninterrupted = copied(&ledger);
    let events: Vec<Vec<u8>> = okta_events(3).take(KILLED_EVENTS).collect();
    let file = ledger.file("system-log.jsonl", events.join(&b'\n'));
    let mut random = ChaCha8Rng::seed_from_u64(50);

    let (mut acknowledged, mut midway) = (1, 0);
    for kill in 0..KILLS {
        // Killed once it has acknowledged a few more than are there, at any moment of the commits that follow; later, while
        // it finds out that it has everything.
        let is_complete = acknowledged > KILLED_EVENTS as u64;
        let size = if is_complete { 0 } else { acknowledged + random.next_u64() % 1_000 };
        kill_import(&ledger, &file, size, random.next_u64() % if is_complete { 200 } else { 20 });
        let anchored = anchored(&ledger);
        assert!(anchored.size.0 >= acknowledged, "acknowledged once is acknowledged for ever");
        acknowledged = anchored.size.0;
        midway += usize::from(acknowledged <= KILLED_EVENTS as u64);
        // Half of the time the next import finds things as they are; else somebody looks at them first.
        if kill % 2 == 0 {
            check_recovered(&ledger, &anchored, is_complete);
        }
    }
    eprintln!("{midway} of {KILLS} kills hit an import that was not complete");
    let last: ImportResponse = ledger.import("okta", &file, &["--output", "json"]).json();
    let total = last.total.unwrap();
    let known = total.events + total.duplicates + total.resumed_documents;
    assert_eq!((known, total.rejected, total.conflicts), (KILLED_EVENTS as u64, 0, 0), "{total:?}");
    let report: FsckReport = ledger.run(&["fsck", "--output", "json"]).json();
    assert!(report.sound, "{report:?}");

    let expected: Vec<String> = events.iter().map(|event| native_id(event)).collect();
    assert_eq!(event_ids(&ledger), expected, "each event once, in the order of the file");
    uninterrupted.import("okta", &file, &[]).ended(0);
    let (interrupted, expected) = (ask(&location(&ledger)), ask(&location(&uninterrupted)));
    assert_eq!(without_clock(interrupted.answers.unwrap()), without_clock(expected.answers.unwrap()));
}

/// Starts an import and kills it: so many milliseconds after the anchor holds more than `size` records, or when it ends.
fn kill_import(ledger: &LedgerFolder, file: &Path, size: u64, milliseconds: u64) {
    let mut import = command();
    import.args(["import", "okta"]).arg(file).arg("--data").arg(ledger.data());
    let mut child = import.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
    // Nothing is ever sent: only the time runs out.
    let (_never, timer) = mpsc::channel::<()>();
    let wait = |milliseconds| timer.recv_timeout(Duration::from_millis(milliseconds)).unwrap_err();
    while child.try_wait().unwrap().is_none() && anchored(ledger).size.0 <= size {
        wait(1);
    }
    wait(milliseconds);
    child.kill().unwrap();
    child.wait().unwrap();
}

/// Opens the ledger, and checks that it goes on from what was acknowledged, and that its position is that of its records;
/// or behind it, where a complete file is read once more.
fn check_recovered(ledger: &LedgerFolder, anchored: &Checkpoint, is_read_again: bool) {
    let opened = open(&location(ledger)).unwrap();
    let reader = opened.reader();
    let head = reader.head();
    let path = reader.consistency_proof(anchored.size, head.size).unwrap();
    verify_consistency(anchored.size, anchored.root, head.size, head.root, &path).unwrap();
    let Ok(first) = reader.record(RecordIndex(1)) else { return };
    let channel = first.provenance.unwrap().position.unwrap().channel;
    let next = reader.position(&channel).unwrap().unwrap().next;
    assert!(next == head.size.0 - 1 || is_read_again && next < head.size.0, "{next} of {}", head.size);
}

fn anchored(ledger: &LedgerFolder) -> Checkpoint {
    let location = location(ledger);
    let policy = Policy::parse(&fs::read(location.policy()).unwrap()).unwrap();
    let key: &VerifierKey = &policy.logs()[0].key;
    let origin = Origin::new(key.name().as_str()).unwrap();
    Checkpoint::open(&fs::read(&location.anchor).unwrap(), &origin, key).unwrap()
}

fn native_id(event: &[u8]) -> String {
    let event: Value = serde_json::from_slice(event).unwrap();
    event["uuid"].as_str().unwrap().to_owned()
}

fn event_ids(ledger: &LedgerFolder) -> Vec<String> {
    let opened = open(&location(ledger)).unwrap();
    let reader = opened.reader();
    reader.records(1..u64::MAX).map(|record| record.unwrap().provenance.unwrap().event_id).collect()
}

/// Programs that ask die too, while they bring the views up to date.
#[test]
fn views_that_are_killed_while_they_are_built_give_the_same_answers() {
    let ledger = small_company();
    let expected = ask(&location(&ledger));
    let mut random = ChaCha8Rng::seed_from_u64(7);
    for _ in 0..10 {
        fs::remove_dir_all(location(&ledger).views()).unwrap();
        let mut asking = command();
        asking.args(["sources", "--data"]).arg(ledger.data());
        let mut child = asking.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
        let (_never, timer) = mpsc::channel::<()>();
        timer.recv_timeout(Duration::from_millis(random.next_u64() % 300)).unwrap_err();
        child.kill().unwrap();
        child.wait().unwrap();
        assert_eq!(ask(&location(&ledger)), expected);
    }
}

#[test]
fn views_and_derived_data_that_were_deleted_come_back_the_same() {
    let ledger = small_company();
    let location = location(&ledger);
    let before = ask(&location);
    assert!(before.records.as_ref().unwrap().len() > 200 && before.answers.as_ref().unwrap().len() > 100);
    let check = |folders: &[PathBuf]| {
        folders.iter().for_each(|folder| fs::remove_dir_all(folder).unwrap());
        assert_eq!(ask(&location), before);
    };
    let derived = location.data.join("derived");
    check(&[location.views()]);
    check(std::slice::from_ref(&derived));
    check(&[location.views(), derived]);
    let report: FsckReport = ledger.run(&["fsck", "--output", "json"]).json();
    assert!(report.sound, "{report:?}");
}

/// Whoever changes one record in its place, with every checksum of the disk, and leaves it valid by itself, gets no verb
/// to repeat it.
#[test]
fn a_record_that_was_changed_in_its_place_is_refused_by_every_verb() {
    let ledger = small_company();
    let all: ListExplanationsResponse = ledger.run(&["explain", "--all", "--output", "json"]).json();
    let change = &all.explanations[all.explanations.len() / 2];
    let place = change.change.as_ref().unwrap();
    let (index, event) = (place.record.to_string(), change.event_id.as_str());
    let who = change.subject.as_ref().unwrap().id.as_str();
    let what = change.object.as_ref().unwrap().id.as_str();
    let states = |ledger: &LedgerFolder| {
        let answer: Value = ledger.run(&["state", who, "--at", "2026-06-01Z", "--output", "json"]).json();
        answer["state"].clone()
    };
    let before = states(&ledger);

    let copy = copied(&ledger);
    say_that_it_failed(&copy, place.record, place.fact as usize);
    let refused = |arguments: &[&str]| {
        let run = copy.run(arguments).ended(1);
        assert!(run.stdout.is_empty(), "{arguments:?}: {}", run.text());
        assert!(
            run.stderr.contains(&format!("falsified or damaged at record {index}: ")),
            "{arguments:?}: {}",
            run.stderr
        );
    };
    for arguments in [
        &["record", &index][..],
        &["record", &index, "--raw"],
        &["proof", &index],
        &["explain", &index],
        &["explain", event],
        &["explain", "--all"],
        &["history", who],
        &["history", what],
    ] {
        refused(arguments);
    }
    assert_eq!(states(&copy), before, "the views know what the record said");
    fs::remove_dir_all(copy.data().join("views")).unwrap();
    for arguments in [
        &["state", who][..],
        &["diff", who, "--from", "2026-01-01Z"],
        &["holders", what],
        &["history", who],
        &["explain", event],
        &["explain", "--unapproved"],
        &["sources"],
        &["deadletter", "list"],
    ] {
        refused(arguments);
    }
    let checked = copy.run(&["fsck"]).ended(1);
    assert!(checked.text().starts_with(&format!("Falsified from record {index} on: ")), "{}", checked.text());
}

/// Makes a fact of a closed ledger a failure, in a record that is otherwise what it was.
fn say_that_it_failed(ledger: &LedgerFolder, index: u64, fact: usize) {
    let options = rocksdb::Options::default();
    let log = rocksdb::DB::open_cf(&options, ledger.data().join("log"), ["default", "records", "beside"]).unwrap();
    let records = log.cf_handle("records").unwrap();
    let mut held = record::decode(&log.get_cf(records, index.to_be_bytes()).unwrap().unwrap()).unwrap();
    let Some(Body::Event(event)) = &mut held.body else { panic!("a change is in an event") };
    event.facts[fact].set_outcome(Outcome::Failure);
    log.put_cf(records, index.to_be_bytes(), record::encode(&held).unwrap()).unwrap();
}

/// What came of a flipped bit.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Fsck {
    Sound,
    Falsified,
    Unreadable,
}

#[test]
fn a_flipped_bit_never_gives_a_wrong_answer() {
    static PANICS: AtomicUsize = AtomicUsize::new(0);
    let report = std::panic::take_hook();
    std::panic::set_hook(Box::new(move |panic| {
        PANICS.fetch_add(1, Ordering::SeqCst);
        report(panic);
    }));
    let ledger = small_company();
    // The last import is in the write-ahead log alone; what was before, in tables.
    let expected = ask(&location(&copied(&ledger)));
    let next = AtomicUsize::new(0);
    let tally: Mutex<BTreeMap<(Fsck, bool, bool), usize>> = Mutex::default();
    std::thread::scope(|scope| {
        for _ in 0..2 {
            scope.spawn(|| {
                while let Some(seed) = Some(next.fetch_add(1, Ordering::SeqCst) as u64).filter(|seed| *seed < FLIPS) {
                    let came = flip_and_ask(&ledger, seed, &expected);
                    *tally.lock().unwrap().entry(came).or_default() += 1;
                }
            });
        }
    });
    for ((found, records, answers), count) in tally.lock().unwrap().iter() {
        let word = |refused: &bool| if *refused { "refused" } else { "unchanged" };
        eprintln!("{count:4}: fsck {found:?}, records {}, answers {}", word(records), word(answers));
    }
    assert_eq!(PANICS.load(Ordering::SeqCst), 0);
}

/// Flips one bit of a copy. What can still be read is what was there before; or else it is refused.
fn flip_and_ask(ledger: &LedgerFolder, seed: u64, expected: &Asked) -> (Fsck, bool, bool) {
    let copy = copied(ledger);
    let location = location(&copy);
    let (file, bit) = flip(&copy, seed);
    let place = format!("seed {seed}: bit {bit} of {}", file.display());
    let found = match fsck(&location, "a test", &mut |_, _| ()) {
        Ok(report) if report.problem.is_none() => Fsck::Sound,
        Ok(_) => Fsck::Falsified,
        Err(_) => Fsck::Unreadable,
    };
    let asked = ask(&location);
    let records_hold = asked.records.is_err() || asked.records == expected.records;
    assert!(records_hold, "{place}: other records than before; fsck: {found:?}");
    let answers_hold = asked.answers.is_err() || asked.answers == expected.answers;
    assert!(answers_hold, "{place}: another answer than before; fsck: {found:?}");
    (found, asked.records.is_err(), asked.answers.is_err())
}

/// Half of the flips hit any byte of any file, the other half any file, so that the small ones are hit as well.
fn flip(ledger: &LedgerFolder, seed: u64) -> (PathBuf, u64) {
    let mut random = ChaCha8Rng::seed_from_u64(seed);
    let mut files = all_files(&ledger.data());
    files.push(location(ledger).anchor);
    files.retain(|file| file.metadata().unwrap().len() > 0);
    let size = |file: &PathBuf| file.metadata().unwrap().len();
    let (file, bit) = if seed.is_multiple_of(2) {
        let file = files[random.next_u64() as usize % files.len()].clone();
        let bit = random.next_u64() % (8 * size(&file));
        (file, bit)
    } else {
        let mut bit = random.next_u64() % files.iter().map(|file| 8 * size(file)).sum::<u64>();
        let holds = |file: &&PathBuf| {
            let is_here = bit < 8 * size(file);
            bit -= if is_here { 0 } else { 8 * size(file) };
            is_here
        };
        let file = files.iter().find(holds).unwrap().clone();
        (file, bit)
    };
    let mut bytes = fs::read(&file).unwrap();
    bytes[(bit / 8) as usize] ^= 1 << (bit % 8);
    fs::write(&file, bytes).unwrap();
    (file, bit)
}

/// What a ledger says: all that is in it, and what is made of it; or why it does not say it.
#[derive(Debug, PartialEq)]
struct Asked {
    records: Result<Vec<Vec<u8>>, String>,
    answers: Result<Vec<Value>, String>,
}

fn ask(location: &Location) -> Asked {
    let ledger = match open(location) {
        Ok(ledger) => ledger,
        Err(error) => return Asked { records: Err(error.clone()), answers: Err(error) },
    };
    Asked { records: export(&ledger), answers: answers(&ledger, location) }
}

fn open(location: &Location) -> Result<Ledger, String> {
    let options = Options { clock: Box::new(SystemClock::new()), accept_clock: false, holder: "a test".to_owned() };
    Ledger::open(location, options).map_err(|error| error.to_string())
}

/// Every record and everything beside it, as bytes.
fn export(ledger: &Ledger) -> Result<Vec<Vec<u8>>, String> {
    let reader = ledger.reader();
    let one = |index| {
        let mut bytes = reader.record_bytes(RecordIndex(index))?;
        bytes.extend_from_slice(format!("{:?}", reader.beside(RecordIndex(index))?).as_bytes());
        Ok(bytes)
    };
    (0..reader.head().size.0)
        .map(one)
        .collect::<Result<_, counterfoil_ledger::LedgerError>>()
        .map_err(|e| e.to_string())
}

/// Every explanation, the sources, and the state of everybody whom these name.
fn answers(ledger: &Ledger, location: &Location) -> Result<Vec<Value>, String> {
    let ask = || {
        let views = Views::open(&location.views(), ledger.reader())?;
        views.catch_up(&mut |_, _| ())?;
        let query = views.query()?;
        questions(&query)
    };
    let result: Result<Vec<Value>, counterfoil_query::QueryError> = ask();
    result.map_err(|error| error.to_string())
}

fn questions(query: &Query<'_>) -> Result<Vec<Value>, counterfoil_query::QueryError> {
    let always = Period::ALWAYS;
    let explanations = query.explain_all(always, None, ExplainFilter::All)?.collect::<Result<Vec<_>, _>>()?;
    let explanations = &explanations[..explanations.len().min(300)];
    let parties = explanations.iter().flat_map(|explanation| [&explanation.subject, &explanation.object]);
    let mut entities: Vec<String> = parties.flatten().map(|party| party.id.clone()).collect();
    entities.sort();
    entities.dedup();
    let mut found = vec![json(&query.sources()?)];
    found.extend(explanations.iter().map(json));
    for entity in &entities {
        found.push(json(&query.state(&entity.parse().unwrap(), AT, None)?));
    }
    Ok(found)
}

fn json(message: &impl serde::Serialize) -> Value {
    serde_json::to_value(message).unwrap()
}

/// Answers without what the ledger's own clock decides.
fn without_clock(answers: Vec<Value>) -> Vec<Value> {
    fn strip(value: Value) -> Value {
        let is_kept = |name: &str| !["recordedAt", "knownAt", "root", "duplicates"].contains(&name);
        match value {
            Value::Object(fields) => {
                fields.into_iter().filter(|(name, _)| is_kept(name)).map(|(name, field)| (name, strip(field))).collect()
            }
            Value::Array(items) => items.into_iter().map(strip).collect(),
            other => other,
        }
    }
    answers.into_iter().map(strip).collect()
}

fn location(ledger: &LedgerFolder) -> Location {
    Location::new(&ledger.data(), None)
}

/// The same ledger somewhere else.
fn copied(ledger: &LedgerFolder) -> LedgerFolder {
    let copy = LedgerFolder::empty();
    for file in all_files(ledger.folder.path()) {
        let target = copy.folder.path().join(file.strip_prefix(ledger.folder.path()).unwrap());
        fs::create_dir_all(target.parent().unwrap()).unwrap();
        fs::copy(&file, target).unwrap();
    }
    copy
}

/// A company of a dozen people, imported and asked about once; then its late logs.
fn small_company() -> LedgerFolder {
    let ledger = LedgerFolder::init();
    let company = generate(&counterfoil_scenario::Options { people: 12, months: 1, ..Default::default() });
    let sources = LedgerFolder::empty();
    for delivery in [Delivery::OnTime, Delivery::Late] {
        for file in company.files.iter().filter(|file| file.delivery == delivery) {
            let path = sources.file(&file.name.replace('/', "-"), &file.bytes);
            ledger.import(file.connector, &path, &[]).ended(0);
        }
        if delivery == Delivery::OnTime {
            ledger.run(&["sources"]).ended(0);
        }
    }
    ledger
}
