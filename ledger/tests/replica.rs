//! A replica shows what the log's key has signed, and nothing else, whatever it is given.
#![allow(clippy::unwrap_used, reason = "a test stops where it fails")]

mod common;

use std::fs;

use common::*;
use counterfoil_ledger::{Entry, LedgerError, Location, Reader, Replica, Row, SourceKey};
use counterfoil_proto::v1::{
    Confidence, EntityKind, Event, Fact, FactKind, Mapping, Outcome, Precision, Record, Ref, Source, Time, Value,
    Values, record::Body,
};
use counterfoil_verify::beside;
use counterfoil_verify::entity::EntityId;
use counterfoil_verify::identifier::{IdentifierKind, IndexKey};
use counterfoil_verify::note::SigningKey;
use counterfoil_verify::policy::Policy;
use counterfoil_verify::record;
use counterfoil_verify::tree::{RecordIndex, TreeSize};
use prost::Message;
use tempfile::TempDir;

/// Two full tiles of the tree and a part of a third.
const RECORDS: u64 = 600;

/// What an owner gives to a replica.
struct Given {
    rows: Vec<(Vec<u8>, Option<Vec<u8>>)>,
    checkpoint: Vec<u8>,
    policy: Policy,
}

fn given(home: &Home, reader: &Reader) -> Given {
    let row =
        |entry: Entry| (record::encode(&entry.record).unwrap(), entry.beside.map(|beside| beside.encode_to_vec()));
    Given {
        rows: reader.entries(0..u64::MAX).map(|entry| row(entry.unwrap())).collect(),
        checkpoint: reader.head().checkpoint.to_vec(),
        policy: Policy::parse(&fs::read(home.location.policy()).unwrap()).unwrap(),
    }
}

/// An owner with so many records, and what it gives.
fn owner(records: u64) -> (Home, Given) {
    let home = Home::new(1);
    let ledger = home.open();
    append(&ledger, numbered(1..records));
    let given = given(&home, &ledger.reader());
    drop(ledger);
    (home, given)
}

/// An owner that goes on from a copy of another's ledger, with other events than that one.
fn fork(home: &Home, from: u64, to: u64) -> Given {
    let other = home.copy();
    let ledger = other.open();
    append(&ledger, (from..to).map(|number| event(&format!("other-{number}"), number)).collect());
    given(&other, &ledger.reader())
}

struct Kept {
    _folder: TempDir,
    location: Location,
}

impl Kept {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let location = Location::new(&folder.path().join("replica"), None);
        Self { _folder: folder, location }
    }

    fn open(&self, policy: &Policy) -> Replica {
        Replica::open(&self.location, policy, "a test").unwrap()
    }
}

impl Given {
    /// The rows of a range, each checked by itself.
    fn rows(&self, range: std::ops::Range<usize>) -> Vec<Row> {
        let row = |index: usize| {
            let (record, beside) = self.rows[index].clone();
            Row::check(RecordIndex(index as u64), record, beside).unwrap()
        };
        range.map(row).collect()
    }
}

#[track_caller]
fn shows(replica: &Replica, given: &Given, size: usize) {
    let reader = replica.reader();
    let shown: Vec<_> = reader.entries(0..u64::MAX).map(|entry| entry.unwrap()).collect();
    let shown: Vec<_> = shown
        .into_iter()
        .map(|entry| (record::encode(&entry.record).unwrap(), entry.beside.map(|beside| beside.encode_to_vec())))
        .collect();
    assert!(shown == given.rows[..size], "{} of {size} records are shown", shown.len());
    assert_eq!(reader.head().size, TreeSize(size as u64));
}

#[test]
fn what_was_signed_is_shown_and_proved_as_by_its_owner() {
    let (home, given) = owner(RECORDS);
    let kept = Kept::new();
    let mut replica = kept.open(&given.policy);
    shows(&replica, &given, 0);
    for start in (0..RECORDS as usize).step_by(70) {
        replica.take(given.rows(start..(start + 70).min(RECORDS as usize))).unwrap();
        shows(&replica, &given, 0);
    }
    replica.confirm(&given.checkpoint).unwrap();
    shows(&replica, &given, RECORDS as usize);
    replica.confirm(&given.checkpoint).unwrap();

    let ledger = home.open();
    let (owned, copied) = (ledger.reader(), replica.reader());
    assert_eq!(owned.head().checkpoint, copied.head().checkpoint);
    for (old, new) in [(1, 600), (255, 256), (256, 599), (300, 513)] {
        let (old, new) = (TreeSize(old), TreeSize(new));
        assert_eq!(owned.consistency_proof(old, new).unwrap(), copied.consistency_proof(old, new).unwrap());
        let index = RecordIndex(old.0 - 1);
        assert_eq!(owned.inclusion_proof(index, new).unwrap(), copied.inclusion_proof(index, new).unwrap());
    }
    assert_eq!(owned.index_key().as_bytes(), copied.index_key().as_bytes());
    drop((replica, copied));
    shows(&kept.open(&given.policy), &given, RECORDS as usize);
}

#[test]
fn what_no_checkpoint_confirmed_survives_a_restart_and_is_shown_once_one_does() {
    let (_, given) = owner(RECORDS);
    let kept = Kept::new();
    let mut replica = kept.open(&given.policy);
    replica.take(given.rows(0..300)).unwrap();
    assert!(matches!(replica.confirm(&given.checkpoint), Err(LedgerError::NoSuchRecord { .. })));
    drop(replica);
    let mut replica = kept.open(&given.policy);
    shows(&replica, &given, 0);
    assert_eq!(replica.size(), TreeSize(300));
    replica.take(given.rows(300..RECORDS as usize)).unwrap();
    replica.confirm(&given.checkpoint).unwrap();
    shows(&replica, &given, RECORDS as usize);
}

#[test]
fn a_row_that_was_changed_is_not_a_row() {
    let (_, given) = owner(8);
    let falsified =
        |index: u64, record: Vec<u8>, beside: Option<Vec<u8>>| match Row::check(RecordIndex(index), record, beside) {
            Ok(_) => panic!("record {index} passes"),
            Err(error) => assert!(matches!(error, LedgerError::Falsified { .. }), "{error}"),
        };
    let (record, beside) = given.rows[5].clone();
    falsified(5, record.clone(), None);
    falsified(0, given.rows[0].0.clone(), beside.clone());
    falsified(5, record.clone(), given.rows[6].1.clone());
    for place in 0..beside.as_ref().unwrap().len() {
        let mut changed = beside.clone().unwrap();
        changed[place] ^= 1;
        falsified(5, record.clone(), Some(changed));
    }
    falsified(5, record[..record.len() - 1].to_vec(), beside.clone());
    let mut newer = record::decode(&record).unwrap();
    newer.format = 2;
    assert!(matches!(Row::check(RecordIndex(5), newer.encode_to_vec(), beside), Err(LedgerError::Newer { .. })));
}

#[test]
fn a_record_that_is_out_of_place_is_not_taken_nor_is_what_came_with_it() {
    let (home, given) = owner(40);
    let forked = fork(&home, 40, 60);
    let kept = Kept::new();
    let mut replica = kept.open(&given.policy);
    replica.take(given.rows(0..20)).unwrap();
    let unlinked = |replica: &mut Replica, rows: Vec<Row>, at: u64| {
        let refused = replica.take(rows).unwrap_err();
        assert!(matches!(refused, LedgerError::Unlinked { index: RecordIndex(index), .. } if index == at), "{refused}");
        assert_eq!(replica.size(), TreeSize(20));
    };
    unlinked(&mut replica, given.rows(21..22), 20);
    unlinked(&mut replica, given.rows(19..20), 20);
    unlinked(&mut replica, [given.rows(20..30), given.rows(31..40)].into_iter().flatten().collect(), 30);
    unlinked(&mut replica, [given.rows(20..40), forked.rows(50..51)].into_iter().flatten().collect(), 40);
    let mut changed: Record = record::decode(&given.rows[20].0).unwrap();
    changed.provenance.as_mut().unwrap().content_digest[3] ^= 1;
    let changed = Row::check(RecordIndex(20), record::encode(&changed).unwrap(), given.rows[20].1.clone()).unwrap();
    unlinked(&mut replica, [vec![changed], given.rows(21..22)].into_iter().flatten().collect(), 21);
    replica.take(given.rows(20..40)).unwrap();
    replica.confirm(&given.checkpoint).unwrap();
    shows(&replica, &given, 40);
}

#[test]
fn another_history_that_was_signed_is_refused_and_both_checkpoints_are_kept() {
    let (home, given) = owner(40);
    let kept = Kept::new();
    let mut replica = kept.open(&given.policy);
    replica.take(given.rows(0..40)).unwrap();
    replica.confirm(&given.checkpoint).unwrap();

    // The same size, a smaller one and a larger one, all of another history.
    let older = Home::new(1);
    append(&older.open(), numbered(1..20));
    for (from, to) in [(20, 40), (20, 30), (20, 90)] {
        let forked = fork(&older, from, to);
        let refused = match to > 40 {
            true => replica.take(forked.rows(40..to as usize)).unwrap_err(),
            false => replica.confirm(&forked.checkpoint).unwrap_err(),
        };
        let is_told = matches!(refused, LedgerError::Forked { .. } | LedgerError::Unlinked { .. });
        assert!(is_told, "{refused}");
        shows(&replica, &given, 40);
        let file = replica.keep_evidence(&forked.checkpoint).unwrap().unwrap();
        assert_eq!(replica.keep_evidence(&forked.checkpoint).unwrap(), Some(file.clone()));
        let evidence = fs::read(file).unwrap();
        let second = [b"\n", forked.checkpoint.as_slice()].concat();
        let first = evidence.strip_suffix(second.as_slice()).unwrap();
        let (first, second) = (checkpoint(first, &home.verifier_key()), checkpoint(&second[1..], &home.verifier_key()));
        assert_eq!((first.size, second.size), (TreeSize(40), TreeSize(to)));
    }
    // An earlier checkpoint of the same history is none of that.
    let earlier = Home::new(1);
    let ledger = earlier.open();
    append(&ledger, numbered(1..40));
    assert_eq!(ledger.reader().head().root, replica.reader().head().root, "the clocks stand still");
    replica.confirm(&older.anchor()).unwrap();
    shows(&replica, &given, 40);
}

#[test]
fn what_was_taken_of_another_history_can_be_forgotten() {
    for confirmed in [0, 20, 256, 300] {
        let older = Home::new(1);
        append(&older.open(), numbered(1..confirmed.max(2)));
        let ours = older.copy();
        let ledger = ours.open();
        append(&ledger, numbered(confirmed.max(2)..RECORDS));
        let given = given(&ours, &ledger.reader());
        let forked = fork(&older, confirmed.max(2), 580);
        let kept = Kept::new();
        let mut replica = kept.open(&given.policy);
        if confirmed > 0 {
            replica.take(given.rows(0..confirmed as usize)).unwrap();
            replica.confirm(&older.anchor()).unwrap();
        }
        replica.take(forked.rows(confirmed as usize..580)).unwrap();
        assert!(matches!(replica.take(given.rows(580..581)), Err(LedgerError::Unlinked { .. })), "{confirmed}");
        replica.forget_unconfirmed().unwrap();
        shows(&replica, &given, confirmed as usize);
        replica.take(given.rows(confirmed as usize..400)).unwrap();
        drop(replica);
        // What is derived is that of the rows that are there: it opens, and goes on.
        let mut replica = kept.open(&given.policy);
        replica.take(given.rows(400..RECORDS as usize)).unwrap();
        replica.confirm(&given.checkpoint).unwrap();
        shows(&replica, &given, RECORDS as usize);
        drop(replica);
        fs::remove_dir_all(kept.location.data.join("derived")).unwrap();
        let rebuilt = kept.open(&given.policy);
        shows(&rebuilt, &given, RECORDS as usize);
        for (old, new) in [(255, 600), (256, 512), (300, 599)] {
            let proof = rebuilt.reader().consistency_proof(TreeSize(old), TreeSize(new)).unwrap();
            assert_eq!(proof, ledger.reader().consistency_proof(TreeSize(old), TreeSize(new)).unwrap());
        }
    }
}

#[test]
fn nobody_else_signs() {
    let (home, given) = owner(40);
    let kept = Kept::new();
    let mut replica = kept.open(&given.policy);
    replica.take(given.rows(0..40)).unwrap();
    let signed = checkpoint(&given.checkpoint, &home.verifier_key());
    let stranger = SigningKey::from_seed(home.verifier_key().name().clone(), &[9; 32]);
    let refused = replica.confirm(&signed.sign(&stranger).unwrap().format()).unwrap_err();
    assert!(matches!(refused, LedgerError::NotSigned { .. }), "{refused}");
    assert_eq!(replica.keep_evidence(&signed.sign(&stranger).unwrap().format()).unwrap(), None);
    assert!(matches!(replica.confirm(b""), Err(LedgerError::NotSigned { .. })));
    shows(&replica, &given, 0);
}

#[test]
fn another_log_is_not_begun() {
    let (_, given) = owner(40);
    let other = Home::new(2);
    let policy = Policy::parse(&fs::read(other.location.policy()).unwrap()).unwrap();
    let kept = Kept::new();
    let mut replica = kept.open(&policy);
    // Its origin is the same, and its index key is not.
    let refused = replica.take(given.rows(0..1)).unwrap_err();
    assert!(matches!(refused, LedgerError::OtherLog { .. }), "{refused}");
    drop(replica);

    let mut replica = kept.open(&given.policy);
    replica.take(given.rows(0..1)).unwrap();
    drop(replica);
    let refused = Replica::open(&kept.location, &policy, "a test").err().unwrap();
    assert!(matches!(refused, LedgerError::OtherLog { .. }), "{refused}");

    let refused = Replica::open(&other.location, &policy, "a test").err().unwrap();
    assert!(matches!(refused, LedgerError::NotAReplica { .. }), "{refused}");
    let text = String::from_utf8(fs::read(other.location.policy()).unwrap()).unwrap();
    let keyless: Vec<&str> = text.lines().filter(|line| !line.starts_with("#counterfoil index-key")).collect();
    let keyless = Policy::parse((keyless.join("\n") + "\n").as_bytes()).unwrap();
    assert!(matches!(Replica::open(&kept.location, &keyless, "a test"), Err(LedgerError::Policy { .. })));
    assert!(matches!(home_of(&kept).refusal(), LedgerError::Replica { .. }), "it has no keys");
}

/// The folder of a replica, as somebody would open it who takes it for a ledger.
fn home_of(kept: &Kept) -> Home {
    Home { folder: tempfile::tempdir().unwrap(), location: kept.location.clone(), clock: TestClock::new() }
}

#[test]
fn one_process_has_a_replica_and_counts_are_kept() {
    let (_, given) = owner(4);
    let kept = Kept::new();
    let replica = kept.open(&given.policy);
    assert!(matches!(Replica::open(&kept.location, &given.policy, "another"), Err(LedgerError::InUse { .. })));
    let [system, instance, stream, connector] = ["test", "default", "log", "test"].map(str::to_owned);
    let counts = vec![(SourceKey { system, instance, stream, connector }, 7)];
    replica.set_duplicates(&counts).unwrap();
    assert_eq!(replica.reader().duplicates().unwrap(), counts);
}

/// A record whose token is of no value beside it, as somebody writes it who runs the log: a replica takes it, a replayer does
/// not.
#[test]
fn a_token_that_was_made_up_is_refused_by_a_replayer() {
    let key = IndexKey::new([5; 32]);
    let (_home, given) = owner(3);
    let token = |login: &str| key.token(IdentifierKind::Login, "okta", "default", login).unwrap();
    let subject = |login: &str| Ref {
        kind: EntityKind::Account.into(),
        id: "00u1".to_owned(),
        tokens: vec![token(login).as_bytes().to_vec()],
        ..Ref::default()
    };
    let row = |said: &str, beside_it: &str, key: Option<&IndexKey>| {
        let source = Source { system: "okta".into(), instance: "default".into(), stream: "system-log".into() };
        let entity = EntityId::of(&subject(said), &source).unwrap();
        let value = Value { name: "login".to_owned(), value: beside_it.to_owned() };
        let values = Values { entity: entity.as_bytes().to_vec(), values: vec![value] };
        let beside = beside::seal([1; 32], b"{}".to_vec(), &[values], None);
        let mut record = record::decode(&given.rows[1].0).unwrap();
        record.commitment = beside::commitment(&beside).unwrap().as_bytes().to_vec();
        record.provenance.as_mut().unwrap().source = Some(source);
        let created = Fact {
            kind: FactKind::AccountCreated.into(),
            occurred_at: Some(Time { seconds: 1, nanos: 0, precision: Precision::Second.into() }),
            outcome: Outcome::Success.into(),
            confidence: Confidence::Explicit.into(),
            subject: Some(subject(said)),
            ..Fact::default()
        };
        let mapping = Mapping::Mapped.into();
        let facts = vec![created];
        record.body = Some(Body::Event(Event { native_type: "a.b".to_owned(), mapping, part: 0, parts: 1, facts }));
        let (record, beside) = (record::encode(&record).unwrap(), Some(beside.encode_to_vec()));
        match key {
            Some(key) => Row::check_all(RecordIndex(1), record, beside, key),
            None => Row::check(RecordIndex(1), record, beside),
        }
    };
    assert!(row("ada", "ada", Some(&key)).is_ok());
    assert!(row("ada", "bo", None).is_ok());
    assert!(matches!(row("ada", "bo", Some(&key)), Err(LedgerError::Falsified { .. })));
}
