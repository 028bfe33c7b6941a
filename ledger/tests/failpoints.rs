//! The commit protocol fails at each of its points, and the process dies there: what was acknowledged is there once, what
//! was not is there once or not at all, and whoever sends again finds it so. Needs the feature `failpoints`, which no
//! program has: `scripts/test` runs it.
#![allow(clippy::unwrap_used, reason = "a test stops where it fails")]

mod common;

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

use common::*;
use counterfoil_ledger::failpoint::{Kind, Point, arm};
use counterfoil_ledger::{Condition, Ledger, LedgerError, Location, Options, Outcome, PreparedEvent, Sealing, fsck};
use counterfoil_proto::v1::Beside;
use counterfoil_verify::tree::{RecordIndex, TreeSize};
use prost::Message;

const POINTS: [Point; 6] = [
    Point::BeforeBatch,
    Point::AfterBatch,
    Point::BeforeSign,
    Point::BeforeAnchor,
    Point::AfterAnchor,
    Point::BeforeAcknowledge,
];
const KINDS: [Kind; 3] = [Kind::Crash, Kind::Error, Kind::Full];
/// The events of a batch, and the batches that a child sends.
const EVENTS: u64 = 3;
const BATCHES: u64 = 25;
/// The variables by which a child is told where the ledger is and what happens to it.
const FOLDER: &str = "FAILPOINTS_FOLDER";
const CASE: &str = "FAILPOINTS_CASE";

#[test]
fn a_commit_fails_and_dies_at_each_of_its_points() {
    let is_torture = std::env::var_os("COUNTERFOIL_TORTURE").is_some();
    let passes: Vec<u64> = if is_torture { (0..20).collect() } else { vec![2] };
    let mut count = 0;
    for (number, point) in POINTS.into_iter().enumerate() {
        for (kind_number, kind) in KINDS.into_iter().enumerate() {
            for passes in &passes {
                check(point, kind, *passes, &format!("{number} {kind_number} {passes}"));
                count += 1;
            }
        }
        eprintln!("points of a commit: {count} of {}", POINTS.len() * KINDS.len() * passes.len());
    }
    eprintln!("FAULT | a commit fails, dies or finds no room at each of its points | {count} | 0 lost, 0 doubled |");
}

/// What no seal covered when a disk was full is sealed once there is room, though nothing comes.
#[test]
fn what_waits_for_room_is_sealed() {
    let home = Home::new(1);
    let ledger = home.open_sealing(Sealing::AsTimePasses);
    arm(Point::AfterBatch, Kind::Full, 0);
    let refused = ledger.append(batch(events_of(0)));
    assert!(matches!(refused, Err(LedgerError::NoSpace(_))), "{refused:?}");
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
    let (reader, size) = (ledger.reader(), TreeSize(1 + EVENTS));
    let sealed = async { tokio::time::timeout(Duration::from_secs(60), reader.until_sealed(size)).await };
    runtime.block_on(sealed).unwrap();
}

fn check(point: Point, kind: Kind, passes: u64, case: &str) {
    let home = Home::new(1);
    let acknowledged = run_child(&home, kind, case);
    let place = format!("{kind:?} at {point:?} after {passes}");
    let expected = if kind == Kind::Full { BATCHES } else { passes };
    assert_eq!(acknowledged, (0..expected).collect::<Vec<_>>(), "{place}: what was acknowledged");

    let report = fsck(&home.location, "a test", &mut |_, _| ()).unwrap();
    assert!(report.problem.is_none(), "{place}: {report:?}");
    let ledger = home.open();
    // What is durable is there, though nobody was told of it.
    let is_durable = kind != Kind::Full && point != Point::BeforeBatch;
    let mut size = 1 + EVENTS * (expected + u64::from(is_durable));
    assert_eq!(ledger.reader().head().size, TreeSize(size), "{place}");
    check_sound(&home, &ledger.reader());

    // Whoever sends everything again finds what is there, and records the rest.
    for batch in 0..BATCHES {
        let first = 1 + EVENTS * batch;
        let place_of = |index| if first < size { duplicate(index) } else { recorded(index) };
        let outcomes: Vec<Outcome> = (first..first + EVENTS).map(place_of).collect();
        assert_eq!(append(&ledger, events_of(batch)).outcomes, outcomes, "{place}: batch {batch}");
        size = size.max(first + EVENTS);
    }
    let all: Vec<String> = (0..EVENTS * BATCHES).map(|number| format!("event-{number}")).collect();
    assert_eq!(told(&ledger.reader()), all, "{place}");
    check_sound(&home, &ledger.reader());
    assert!(ledger.reader().record_bytes(RecordIndex(size)).is_err(), "{place}");
}

/// The process dies, or its owner fails, between a redaction and the removal of what it names: the next start ends that.
#[test]
fn a_redaction_that_was_cut_off_is_ended_at_the_next_start() {
    for (kind_number, kind) in [Kind::Crash, Kind::Error].into_iter().enumerate() {
        let home = Home::new(1);
        let ledger = home.open();
        append(&ledger, events_of(0));
        let said = "payload of event-1: 1".to_owned();
        assert_eq!(payload(&ledger.reader(), 2), Some(said.clone()));
        drop(ledger);
        run_child(&home, kind, &format!("redact {kind_number}"));
        assert_eq!(stored_payload(&home, 2), said.as_bytes(), "{kind:?}: it was not removed yet");
        let report = fsck(&home.location, "a test", &mut |_, _| ()).unwrap();
        let told = (report.problem, report.records, report.beyond_anchor, report.redacted);
        assert_eq!(told, (None, 5, 1, 0), "{kind:?}: that is no falsification");

        let ledger = home.open();
        assert_eq!(ledger.reader().head().size, TreeSize(5), "{kind:?}: the redaction is signed");
        assert_eq!([1, 2, 3].map(|index| payload(&ledger.reader(), index).is_some()), [true, false, true]);
        check_sound(&home, &ledger.reader());
        drop(ledger);
        assert_eq!(stored_payload(&home, 2), b"", "{kind:?}");
        let report = fsck(&home.location, "a test", &mut |_, _| ()).unwrap();
        assert_eq!((report.problem, report.beyond_anchor, report.redacted), (None, 0, 1), "{kind:?}");
    }
}

/// What lies in the database as the payload of a record, whatever the ledger makes of it.
fn stored_payload(home: &Home, index: u64) -> Vec<u8> {
    let (options, path) = (rocksdb::Options::default(), home.part("log"));
    let families = rocksdb::DB::list_cf(&options, &path).unwrap();
    let db = rocksdb::DB::open_cf_for_read_only(&options, &path, families, false).unwrap();
    let bytes = db.get_cf(db.cf_handle("beside").unwrap(), index.to_be_bytes()).unwrap().unwrap();
    Beside::decode(bytes.as_slice()).unwrap().payload.unwrap().content
}

fn events_of(batch: u64) -> Vec<PreparedEvent> {
    numbered(EVENTS * batch..EVENTS * (batch + 1))
}

/// Lets a process of its own append to the ledger, and gives the batches that it saw acknowledged.
fn run_child(home: &Home, kind: Kind, case: &str) -> Vec<u64> {
    let mut child = Command::new(std::env::current_exe().unwrap());
    child.args(["--exact", "--nocapture", "child"]).env(FOLDER, home.folder.path()).env(CASE, case);
    let output = child.stderr(Stdio::inherit()).output().unwrap();
    assert_eq!(output.status.success(), kind != Kind::Crash, "{case}: {}", output.status);
    let text = String::from_utf8(output.stdout).unwrap();
    text.lines().filter_map(|line| line.strip_prefix("acknowledged ")?.parse().ok()).collect()
}

/// The process that fails: the other test runs it. By itself it does nothing.
#[test]
fn child() {
    let Some(folder) = std::env::var_os(FOLDER).map(PathBuf::from) else { return };
    let case = std::env::var(CASE).unwrap();
    if let Some(kind) = case.strip_prefix("redact ") {
        return redact_in(&folder, [Kind::Crash, Kind::Error][kind.parse::<usize>().unwrap()]);
    }
    let numbers: Vec<usize> = case.split(' ').map(|number| number.parse().unwrap()).collect();
    let kind = KINDS[numbers[1]];
    let ledger = open_in(&folder);
    println!();
    arm(POINTS[numbers[0]], kind, numbers[2] as u32);
    for number in 0..BATCHES {
        let receipt = match ledger.append(batch(events_of(number))) {
            Ok(receipt) => receipt,
            Err(LedgerError::NoSpace(_)) if kind == Kind::Full => {
                let mut condition = ledger.condition();
                let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
                runtime.block_on(condition.wait_for(|condition| *condition == Condition::Taking)).unwrap();
                ledger.append(batch(events_of(number))).unwrap()
            }
            Err(_) if kind == Kind::Error => {
                assert!(matches!(ledger.append(batch(events_of(number))), Err(LedgerError::Closed(_))), "it is over");
                return;
            }
            Err(error) => panic!("{error}"),
        };
        let last = EVENTS * (number + 1);
        assert!(receipt.size.0 > last && ledger.reader().head().size.0 > last, "it is signed, and readers see it");
        println!("acknowledged {number}");
    }
    assert_eq!(kind, Kind::Full, "it came by");
}

fn open_in(folder: &Path) -> Ledger {
    let location = Location::new(&folder.join("ledger"), None);
    let options = Options {
        clock: Box::new(TestClock::new()),
        accept_clock: false,
        holder: "a child".to_owned(),
        sealing: Sealing::Never,
    };
    Ledger::open(&location, options).unwrap()
}

/// What the child does that redacts.
fn redact_in(folder: &Path, kind: Kind) {
    let ledger = open_in(folder);
    arm(Point::BeforeRemoval, kind, 0);
    let refused = ledger.append(batch(vec![redaction(9, &[(2, 1, &[0])])]));
    assert!(matches!(refused, Err(LedgerError::Closed(_))), "{refused:?}");
}
