//! What redactions remove is gone and stays so, here and in replicas; what is gone without one is missing.
#![allow(clippy::unwrap_used, reason = "a test stops where it fails")]

mod common;

use std::fs;

use common::*;
use counterfoil_ledger::{LedgerError, Location, Outcome, Problem, Reader, Replica, Row, fsck};
use counterfoil_proto::v1::Beside;
use counterfoil_verify::beside;
use counterfoil_verify::policy::Policy;
use counterfoil_verify::proof::verify_inclusion;
use counterfoil_verify::record;
use counterfoil_verify::tree::{RecordIndex, TreeSize};
use prost::Message;
use rocksdb::{ColumnFamilyDescriptor, DB, Options};

fn database(home: &Home) -> DB {
    let (options, path) = (Options::default(), home.part("log"));
    let families = DB::list_cf(&options, &path).unwrap();
    let families = families.into_iter().map(|name| ColumnFamilyDescriptor::new(name, Options::default()));
    DB::open_cf_descriptors(&options, path, families).unwrap()
}

fn kept_beside(home: &Home, index: u64) -> Vec<u8> {
    stored_beside(&home.location, index)
}

/// What lies beside a record in the database, whoever has that open.
fn stored_beside(location: &Location, index: u64) -> Vec<u8> {
    let (options, path) = (Options::default(), location.data.join("log"));
    let families = DB::list_cf(&options, &path).unwrap();
    let db = DB::open_cf_for_read_only(&options, &path, families, false).unwrap();
    db.get_cf(db.cf_handle("beside").unwrap(), index.to_be_bytes()).unwrap().unwrap()
}

/// Puts something beside a record, as an old copy of the files would.
fn put_beside(home: &Home, index: u64, bytes: &[u8]) {
    let db = database(home);
    db.put_cf(db.cf_handle("beside").unwrap(), index.to_be_bytes(), bytes).unwrap();
}

fn checked(home: &Home) -> (Option<Problem>, u64) {
    let report = fsck(&home.location, "a test", &mut |_, _| ()).unwrap();
    (report.problem, report.redacted)
}

fn payloads(reader: &Reader, indexes: std::ops::Range<u64>) -> Vec<bool> {
    indexes.map(|index| payload(reader, index).is_some()).collect()
}

#[test]
fn what_is_redacted_is_gone_and_every_proof_stays() {
    let home = Home::new(1);
    let ledger = home.open();
    append(&ledger, numbered(0..6));
    let (reader, before) = (ledger.reader(), ledger.reader().head());
    let records = bytes(&reader);
    let proofs: Vec<_> = (0..7).map(|index| reader.inclusion_proof(RecordIndex(index), before.size).unwrap()).collect();

    assert_eq!(append(&ledger, vec![redaction(7, &[(2, 2, &[0]), (6, 1, &[0])])]).outcomes, [recorded(7)]);
    assert_eq!(payloads(&reader, 1..7), [true, false, false, true, true, false]);
    ledger.purge().unwrap();
    assert_eq!(payloads(&reader, 1..7), [true, false, false, true, true, false]);
    for ((index, bytes), proof) in (0..).map(RecordIndex).zip(&records).zip(&proofs) {
        assert_eq!(&reader.record_bytes(index).unwrap(), bytes, "no record changes");
        verify_inclusion(record::hash(bytes), index, before.size, proof, before.root).unwrap();
    }
    check_sound(&home, &reader);
    // What comes again is known, and stays away.
    let again = append(&ledger, numbered(0..6)).outcomes;
    assert_eq!(again, (1..7).map(duplicate).collect::<Vec<Outcome>>());
    assert_eq!(payload(&reader, 2), None);
    // More of the same record, and what is gone already.
    append(&ledger, vec![redaction(8, &[(1, 2, &[0])])]);
    assert_eq!(payloads(&reader, 1..7), [false, false, false, true, true, false]);
    drop((ledger, reader));
    assert_eq!(checked(&home), (None, 4));
    drop(home.open());
    assert_eq!(checked(&home), (None, 4));
    // The derived data can be deleted.
    fs::remove_dir_all(home.part("derived")).unwrap();
    assert_eq!(checked(&home), (None, 4));
    assert_eq!(payloads(&home.open().reader(), 1..7), [false, false, false, true, true, false]);
    assert_eq!(checked(&home), (None, 4));
}

#[test]
fn what_never_was_is_not_redacted() {
    let home = Home::new(1);
    let ledger = home.open();
    append(&ledger, numbered(0..3));
    for (removed, why) in [
        (&[(2, 1, &[1][..])], "part 1 never lay beside"),
        (&[(2, 9, &[0])], "nothing lies beside it"),
        (&[(2, u64::MAX - 2, &[0])], "nothing lies beside it"),
    ] {
        let refused = ledger.append(batch(vec![redaction(9, removed)])).unwrap_err();
        assert!(matches!(&refused, LedgerError::Redaction { problem, .. } if problem.contains(why)), "{refused}");
    }
    assert_eq!(append(&ledger, numbered(3..4)).outcomes, [recorded(4)], "it goes on");
    assert_eq!(payloads(&ledger.reader(), 1..5), [true; 4]);
}

/// Whoever brings an old copy of the files back finds it redacted again, before anything is served.
#[test]
fn what_is_brought_back_is_removed_at_the_next_start() {
    let home = Home::new(1);
    append(&home.open(), numbered(0..3));
    let old = kept_beside(&home, 2);
    let ledger = home.open();
    append(&ledger, vec![redaction(9, &[(2, 1, &[0])])]);
    ledger.purge().unwrap();
    drop(ledger);
    assert_eq!(checked(&home), (None, 1));
    put_beside(&home, 2, &old);
    let (problem, redacted) = checked(&home);
    let problem = problem.unwrap();
    assert_eq!((problem.record, redacted), (Some(RecordIndex(2)), 0));
    assert!(problem.what.contains("record 4 says that it was removed"), "{problem:?}");
    assert_eq!(payload(&home.open().reader(), 2), None);
    assert_eq!(checked(&home), (None, 1));
    assert_ne!(kept_beside(&home, 2), old);
    assert!(database(&home).iterator(rocksdb::IteratorMode::Start).all(|row| !row.unwrap().0.starts_with(b"purge/")));
}

/// Two redactions of one commit, which remove two parts beside one record.
#[test]
fn what_several_redactions_remove_beside_one_record_is_all_gone() {
    let home = Home::new(1);
    let ledger = home.open();
    append(&ledger, vec![event_in_an_envelope("event-0", 0)]);
    drop(ledger);
    let old = kept_beside(&home, 1);
    let ledger = home.open();
    append(&ledger, vec![redaction(8, &[(1, 1, &[0])]), redaction(9, &[(1, 1, &[beside::ENVELOPE])])]);
    drop(ledger);
    assert_eq!(checked(&home), (None, 2));
    put_beside(&home, 1, &old);
    drop(home.open());
    assert_eq!(checked(&home), (None, 2));
}

#[test]
fn what_is_gone_without_a_redaction_is_missing() {
    let home = Home::new(1);
    append(&home.open(), numbered(0..3));
    let whole = Beside::decode(kept_beside(&home, 2).as_slice()).unwrap();
    put_beside(&home, 2, &beside::remove(&whole, &[0]).unwrap().encode_to_vec());
    let (problem, _) = checked(&home);
    let problem = problem.unwrap();
    assert_eq!(problem.record, Some(RecordIndex(2)));
    assert!(problem.what.contains("missing") && problem.what.contains("no redaction says so"), "{problem:?}");
    // A redaction of another record does not explain it.
    let ledger = home.open();
    append(&ledger, vec![redaction(9, &[(3, 1, &[0])])]);
    drop(ledger);
    assert_eq!(checked(&home).0, Some(problem));
    let ledger = home.open();
    append(&ledger, vec![redaction(10, &[(2, 1, &[0])])]);
    drop(ledger);
    assert_eq!(checked(&home), (None, 2));
}

#[test]
fn a_replica_removes_what_was_confirmed_and_takes_what_is_gone() {
    let home = Home::new(1);
    let ledger = home.open();
    append(&ledger, numbered(0..4));
    let reader = ledger.reader();
    let rows = |range: std::ops::Range<u64>| -> Vec<Row> {
        let kept = reader.kept(range.clone()).zip(range);
        let row = kept.map(|(kept, index)| {
            let kept = kept.unwrap();
            Row::check(RecordIndex(index), kept.record.into(), kept.beside.map(Into::into)).unwrap()
        });
        row.collect()
    };
    let folder = tempfile::tempdir().unwrap();
    let location = Location::new(&folder.path().join("replica"), None);
    let policy = Policy::parse(&fs::read(home.location.policy()).unwrap()).unwrap();
    let mut replica = Replica::open(&location, &policy, "a test").unwrap();
    // The first half comes as it was, the second one as the redaction left it.
    replica.take(rows(0..3)).unwrap();
    append(&ledger, vec![redaction(9, &[(2, 2, &[0])])]);
    replica.take(rows(3..6)).unwrap();
    let whole = Beside::decode(stored_beside(&location, 2).as_slice()).unwrap();
    let content = whole.payload.unwrap().content;
    assert_eq!(content, b"payload of event-1: 1", "what no checkpoint confirmed removes nothing");
    replica.confirm(&reader.head().checkpoint).unwrap();
    let copied = replica.reader();
    assert_eq!(copied.head().size, TreeSize(6));
    assert_eq!(payloads(&copied, 1..5), [true, false, false, true]);
    for (ours, theirs) in copied.kept(0..6).zip(reader.kept(0..6)) {
        assert_eq!(format!("{:?}", ours.unwrap()), format!("{:?}", theirs.unwrap()));
    }
    drop((replica, copied));
    // What is brought back is removed before it is shown.
    let home_of_replica = Home { folder, location: location.clone(), clock: home.clock.clone() };
    let sealed = beside::seal([7; 32], b"payload of event-1: 1".to_vec(), &[], None);
    put_beside(&home_of_replica, 2, &sealed.encode_to_vec());
    let replica = Replica::open(&location, &policy, "a test").unwrap();
    assert_eq!(payloads(&replica.reader(), 1..5), [true, false, false, true]);
}
