//! A small ledger for tests: its clock and its keys are the test's, and its events say nothing but who they are.
//!
//! Owns the model too: a list of records, and a tree that anyone can read in a minute. It never decides what is right
//! for one test only.
#![allow(dead_code, reason = "each test uses another part of it")]
#![allow(clippy::unwrap_used, reason = "a test stops where it fails")]

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};

use counterfoil_ledger::{
    Advance, Batch, ChannelPosition, Clock, Ledger, LedgerError, Location, Options, Outcome, PreparedEvent, Reader,
    Reading, Receipt, Sealing, init,
};
use counterfoil_proto::v1::record::Body;
use counterfoil_proto::v1::{
    Authentication, Delivery, EntityKind, Event, Fact, FactKind, Mapping, Outcome as FactOutcome, Position, Precision,
    Provenance, RedactedParts, Redaction, Ref, Source, Time,
};
use counterfoil_verify::beside;
use counterfoil_verify::checkpoint::{Checkpoint, Origin};
use counterfoil_verify::entity::EntityId;
use counterfoil_verify::hash::{Hash, LeafHash, empty_root, node_hash};
use counterfoil_verify::note::VerifierKey;
use counterfoil_verify::policy::Policy;
use counterfoil_verify::record;
use counterfoil_verify::time::{Moment, RecordedAt};
use counterfoil_verify::tree::{RecordIndex, TreeSize};
use prost::Message;
use tempfile::TempDir;

pub const ORIGIN: &str = "tests.example/ledger";
pub const CHANNEL: &str = "test/channel";
/// 2027-01-01T00:00:00Z.
pub const START: i64 = 1_798_761_600;

/// A folder with a ledger in it.
pub struct Home {
    pub folder: TempDir,
    pub location: Location,
    pub clock: TestClock,
}

/// Both clocks, as the test sets them.
#[derive(Clone)]
pub struct TestClock(Arc<Mutex<Reading>>);

impl Clock for TestClock {
    fn read(&self) -> Reading {
        self.0.lock().unwrap().clone()
    }
}

impl TestClock {
    pub fn new() -> Self {
        let wall = Moment { seconds: START, nanos: 0 };
        Self(Arc::new(Mutex::new(Reading { wall, since_boot: 1_000, boot_id: "boot".to_owned() })))
    }

    /// Lets time pass on both clocks.
    pub fn pass(&self, seconds: i64) {
        let mut reading = self.0.lock().unwrap();
        reading.wall.seconds += seconds;
        reading.since_boot += seconds;
    }

    /// Somebody sets the wall clock.
    pub fn jump(&self, seconds: i64) {
        self.0.lock().unwrap().wall.seconds += seconds;
    }

    /// The machine starts again.
    pub fn reboot(&self) {
        let mut reading = self.0.lock().unwrap();
        reading.since_boot = 0;
        reading.boot_id.push('+');
    }

    pub fn now(&self) -> RecordedAt {
        RecordedAt(self.read().wall)
    }
}

impl Home {
    /// A new ledger whose keys follow from a number.
    pub fn new(number: u8) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let location = Location::new(&folder.path().join("ledger"), None);
        let clock = TestClock::new();
        let mut byte = number;
        let mut entropy = |bytes: &mut [u8]| {
            for place in bytes {
                byte = byte.wrapping_mul(5).wrapping_add(7);
                *place = byte;
            }
        };
        init(&location, ORIGIN, &clock, &mut entropy).unwrap();
        Self { folder, location, clock }
    }

    /// The same as this ledger is on the disk now, somewhere else: what a crash would leave, or a copy of somebody's.
    pub fn copy(&self) -> Self {
        let folder = tempfile::tempdir().unwrap();
        copy_folder(self.folder.path(), folder.path());
        let location = Location::new(&folder.path().join("ledger"), None);
        Self { folder, location, clock: TestClock(Arc::new(Mutex::new(self.clock.read()))) }
    }

    pub fn open(&self) -> Ledger {
        self.try_open().unwrap()
    }

    pub fn try_open(&self) -> Result<Ledger, LedgerError> {
        self.open_with(false)
    }

    pub fn open_with(&self, accept_clock: bool) -> Result<Ledger, LedgerError> {
        Ledger::open(&self.location, self.options(accept_clock, Sealing::Never))
    }

    /// A ledger that seals.
    pub fn open_sealing(&self, sealing: Sealing) -> Ledger {
        Ledger::open(&self.location, self.options(false, sealing)).unwrap()
    }

    fn options(&self, accept_clock: bool, sealing: Sealing) -> Options {
        Options { clock: Box::new(self.clock.clone()), accept_clock, holder: "a test".to_owned(), sealing }
    }

    /// Why it does not open.
    #[track_caller]
    pub fn refusal(&self) -> LedgerError {
        match self.try_open() {
            Ok(_) => panic!("expected the ledger not to open"),
            Err(error) => error,
        }
    }

    /// The bytes of the anchor, read as `docs/formats.md` says.
    pub fn anchor(&self) -> Vec<u8> {
        let lock = fs::File::open(self.location.anchor.with_added_extension("lock"));
        // A copy of a ledger has none, and nobody who writes.
        let _held = lock.map(|lock| lock.lock_shared().map(|()| lock));
        fs::read(&self.location.anchor).unwrap()
    }

    /// What the anchor holds, if it is signed with the key that verifiers have.
    pub fn anchored(&self) -> Checkpoint {
        checkpoint(&self.anchor(), &self.verifier_key())
    }

    pub fn verifier_key(&self) -> VerifierKey {
        Policy::parse(&fs::read(self.location.policy()).unwrap()).unwrap().logs()[0].key.clone()
    }

    pub fn part(&self, name: &str) -> PathBuf {
        self.location.data.join(name)
    }
}

/// Reads a signed checkpoint as a verifier does.
pub fn checkpoint(note: &[u8], key: &VerifierKey) -> Checkpoint {
    Checkpoint::open(note, &Origin::new(ORIGIN).unwrap(), key).unwrap()
}

pub fn copy_folder(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    for entry in fs::read_dir(from).unwrap() {
        let path = entry.unwrap().path();
        let target = to.join(path.file_name().unwrap());
        if path.is_dir() {
            copy_folder(&path, &target);
        } else {
            fs::copy(&path, &target).unwrap();
        }
    }
}

/// An event of one record: `content` is what it says.
pub fn event(id: &str, content: u64) -> PreparedEvent {
    event_of_parts(id, content, 1)
}

/// An event that needs so many records.
pub fn event_of_parts(id: &str, content: u64, parts: u32) -> PreparedEvent {
    event_with(id, content, parts, None)
}

/// An event of one record that came in an envelope.
pub fn event_in_an_envelope(id: &str, content: u64) -> PreparedEvent {
    event_with(id, content, 1, Some(b"{}".to_vec()))
}

fn event_with(id: &str, content: u64, parts: u32, envelope: Option<Vec<u8>>) -> PreparedEvent {
    let sealed = beside::seal([7; 32], format!("payload of {id}: {content}").into_bytes(), &[], envelope);
    let commitment = beside::commitment(&sealed).unwrap();
    let body = |part| {
        Body::Event(Event {
            native_type: "test".to_owned(),
            mapping: Mapping::Unmapped.into(),
            part,
            parts,
            facts: Vec::new(),
        })
    };
    let provenance = provenance(id, content);
    PreparedEvent::new(provenance, (0..parts).map(body).collect(), Some(commitment), Some(sealed.encode_to_vec()))
        .unwrap()
}

/// An event of a stream that says that each of these accounts was updated.
pub fn about(stream: &str, number: u64, accounts: &[u64]) -> PreparedEvent {
    let fact = |account: &u64| Fact {
        kind: FactKind::AccountUpdated.into(),
        occurred_at: Some(Time { seconds: START, nanos: 0, precision: Precision::Second.into() }),
        outcome: FactOutcome::Success.into(),
        confidence: 1,
        subject: Some(Ref { kind: EntityKind::Account.into(), id: format!("a{account}"), ..Ref::default() }),
        ..Fact::default()
    };
    let mapping = if accounts.is_empty() { Mapping::Unmapped } else { Mapping::Mapped };
    let body = Body::Event(Event {
        native_type: "test".to_owned(),
        mapping: mapping.into(),
        part: 0,
        parts: 1,
        facts: accounts.iter().map(fact).collect(),
    });
    let source = Some(Source { stream: stream.to_owned(), ..source() });
    let provenance = Provenance { source, ..provenance(&format!("{stream}-{number}"), number) };
    PreparedEvent::new(provenance, vec![body], None, None).unwrap()
}

fn source() -> Source {
    Source { system: "test".to_owned(), instance: "default".to_owned(), stream: "log".to_owned() }
}

fn provenance(id: &str, content: u64) -> Provenance {
    Provenance {
        source: Some(source()),
        position: Some(Position { channel: CHANNEL.to_owned(), sequence: content }),
        event_id: id.to_owned(),
        content_digest: u128::from(content).to_be_bytes().to_vec(),
        connector: "test".to_owned(),
        connector_version: 1,
        delivery: Delivery::Live.into(),
        authentication: Authentication::OperatorFile.into(),
        assumed_zone: String::new(),
        retry_of: 0,
    }
}

pub fn batch(events: Vec<PreparedEvent>) -> Batch {
    Batch { events, positions: Vec::new() }
}

/// A batch that brings the channel from a position to another.
pub fn batch_over(positions: std::ops::Range<u64>, events: Vec<PreparedEvent>) -> Batch {
    let to = ChannelPosition { next: positions.end, ..ChannelPosition::default() };
    Batch { positions: vec![Advance { channel: CHANNEL.to_owned(), from: positions.start, to }], ..batch(events) }
}

/// The events of a range of numbers: each is new, and each says its number.
pub fn numbered(range: std::ops::Range<u64>) -> Vec<PreparedEvent> {
    range.map(|number| event(&format!("event-{number}"), number)).collect()
}

pub fn append(ledger: &Ledger, events: Vec<PreparedEvent>) -> Receipt {
    ledger.append(batch(events)).unwrap()
}

pub fn recorded(index: u64) -> Outcome {
    Outcome::Recorded(RecordIndex(index))
}

pub fn duplicate(index: u64) -> Outcome {
    Outcome::Duplicate(RecordIndex(index))
}

pub fn conflict(index: u64) -> Outcome {
    Outcome::Conflict(RecordIndex(index))
}

/// Every record's bytes.
pub fn bytes(reader: &Reader) -> Vec<Vec<u8>> {
    (0..reader.head().size.0).map(|index| reader.record_bytes(RecordIndex(index)).unwrap()).collect()
}

/// What each record after the first is, in a word: its event id, with the part and what else it may be.
pub fn told(reader: &Reader) -> Vec<String> {
    let word = |record: counterfoil_proto::v1::Record| {
        let id = record.provenance.unwrap().event_id;
        match record.body.unwrap() {
            Body::Event(event) if event.parts == 1 => id,
            Body::Event(event) => format!("{id} part {} of {}", event.part, event.parts),
            Body::EventConflict(conflict) => format!("{id} conflicts with {}", conflict.first_index),
            other => format!("{other:?}"),
        }
    };
    reader.records(1..u64::MAX).map(|record| word(record.unwrap())).collect()
}

/// The root of RFC 6962 section 2.1, as it is written there.
pub fn naive_root(leaves: &[LeafHash]) -> Hash {
    match leaves {
        [] => empty_root(),
        [leaf] => leaf.0,
        _ => {
            let split = leaves.len().next_power_of_two() / 2;
            node_hash(naive_root(&leaves[..split]), naive_root(&leaves[split..]))
        }
    }
}

/// Everything that a reader shows is what a verifier expects: each record in its canonical form, after the one before it,
/// its commitment opened; and the head is the signed root over all.
#[track_caller]
pub fn check_sound(home: &Home, reader: &Reader) {
    let records = bytes(reader);
    let mut previous = None;
    let mut leaves = Vec::new();
    for (index, bytes) in (0..).zip(&records) {
        let decoded = record::decode(bytes).unwrap();
        record::check_link(&decoded, RecordIndex(index), previous).unwrap();
        let leaf = record::hash(bytes);
        previous = Some((leaf, record::recorded_at(&decoded)));
        leaves.push(leaf);
        let beside = reader.beside(RecordIndex(index)).unwrap();
        assert_eq!(beside.is_some(), !decoded.commitment.is_empty(), "record {index}");
    }
    let head = reader.head();
    assert_eq!((head.size, head.root), (TreeSize(records.len() as u64), naive_root(&leaves)));
    let signed = checkpoint(&head.checkpoint, &home.verifier_key());
    assert_eq!((signed.size, signed.root), (head.size, head.root));
    assert_eq!(home.anchored(), signed, "what readers see, the anchor holds");
}

/// A redaction that removes these parts beside these records, each a run of consecutive ones: first, how many, parts.
pub fn redaction(number: u64, removed: &[(u64, u64, &[u32])]) -> PreparedEvent {
    let range = |(first, records, parts): &(u64, u64, &[u32])| RedactedParts {
        first: *first,
        records: *records,
        parts: parts.to_vec(),
    };
    let by = EntityId::new(EntityKind::Account, "test", "default", "operator").unwrap();
    let redaction = Redaction {
        removed: removed.iter().map(range).collect(),
        reason: "erasure-request".to_owned(),
        rule: "rule-1".to_owned(),
        by: by.as_bytes().to_vec(),
        ..Redaction::default()
    };
    let provenance = provenance(&format!("redaction-{number}"), number);
    PreparedEvent::new(provenance, vec![Body::Redaction(redaction)], None, None).unwrap()
}

/// What the payload of a record says; nothing where it was removed.
pub fn payload(reader: &Reader, index: u64) -> Option<String> {
    let beside = reader.beside(RecordIndex(index)).unwrap().unwrap();
    let payload = beside.payload.filter(|payload| payload.commitment.is_empty())?;
    Some(String::from_utf8(payload.content).unwrap())
}
