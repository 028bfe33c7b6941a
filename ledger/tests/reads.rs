//! Reading: whoever changes a record in its place, and leaves it valid by itself, gets no reader to believe it.
#![allow(clippy::unwrap_used, reason = "a test stops where it fails")]

mod common;

use common::*;
use counterfoil_ledger::{LedgerError, Reader, Sealing};
use counterfoil_proto::v1::Record;
use counterfoil_verify::record;
use counterfoil_verify::tree::RecordIndex;
use rocksdb::{DB, Options};

/// Two full tiles of the tree and a part of a third.
const RECORDS: u64 = 600;

/// A closed ledger of so many records.
fn sound(records: u64) -> Home {
    let home = Home::new(1);
    append(&home.open(), numbered(1..records));
    home
}

/// Changes a record of a closed ledger, and leaves it valid by itself.
fn change(home: &Home, index: u64, change: impl FnOnce(&mut Record)) {
    let log = DB::open_cf(&Options::default(), home.part("log"), ["default", "records", "beside"]).unwrap();
    let records = log.cf_handle("records").unwrap();
    let mut record = record::decode(&log.get_cf(records, index.to_be_bytes()).unwrap().unwrap()).unwrap();
    change(&mut record);
    log.put_cf(records, index.to_be_bytes(), record::encode(&record).unwrap()).unwrap();
}

fn content(record: &mut Record) {
    record.provenance.as_mut().unwrap().content_digest[3] ^= 1;
}

/// Exactly these records are refused, however they are read, and the others are what they were.
#[track_caller]
fn check_refused(reader: &Reader, refused: &[u64], before: &[Vec<u8>]) {
    let is_refused = |place: u64, error: &LedgerError| {
        let named = matches!(error, LedgerError::Falsified { place: named, .. } if *named == format!("record {place}"));
        assert!(named, "record {place}: {error}");
    };
    for (index, before) in (0..).zip(before) {
        let place = RecordIndex(index);
        match reader.record_bytes(place) {
            Ok(bytes) => assert!(!refused.contains(&index) && bytes == *before, "record {index}"),
            Err(error) => {
                assert!(refused.contains(&index), "{error}");
                is_refused(index, &error);
                is_refused(index, &reader.record(place).unwrap_err());
                is_refused(index, &reader.beside(place).unwrap_err());
            }
        }
    }
    // In order, from different places to different ends: up to the first that is refused.
    let size = before.len() as u64;
    for start in [0, 1, 77, 255, 256, 257, 300, size - 1, size] {
        for end in [0, 77, 78, 79, 256, 257, size - 1, size, size + 9, u64::MAX] {
            let expected: Vec<u64> = (start..end.min(size)).collect();
            let first = expected.iter().position(|index| refused.contains(index));
            let mut told = reader.records(start..end);
            let entries: Vec<_> = reader.entries(start..end).collect();
            assert_eq!(entries.len(), first.map_or(expected.len(), |first| first + 1), "{start}..{end}");
            for (number, (index, entry)) in expected.iter().zip(entries).enumerate() {
                let record = told.next().unwrap();
                if Some(number) == first {
                    is_refused(*index, &record.unwrap_err());
                    is_refused(*index, &entry.unwrap_err());
                } else {
                    assert_eq!(record::encode(&record.unwrap()).unwrap(), before[*index as usize]);
                    assert_eq!(record::encode(&entry.unwrap().record).unwrap(), before[*index as usize]);
                }
            }
            assert!(told.next().is_none(), "{start}..{end}: nothing follows an end");
        }
    }
}

#[test]
fn what_nobody_changed_is_read() {
    let home = sound(RECORDS);
    let ledger = home.open();
    check_refused(&ledger.reader(), &[], &bytes(&ledger.reader()));
    // A reader goes on while the owner appends: the last record of then is followed by others now.
    append(&ledger, numbered(RECORDS..RECORDS + 3));
    check_refused(&ledger.reader(), &[], &bytes(&ledger.reader()));
}

#[test]
fn a_record_that_was_changed_in_its_place_is_refused() {
    let home = Home::new(1);
    // What no seal covers is read again at the start, and found there.
    append(&home.open_sealing(Sealing::AtTheEnd), numbered(1..RECORDS));
    let before = bytes(&home.open().reader());
    for index in [1, 77, 255, 256, 511, RECORDS - 2] {
        let copy = home.copy();
        change(&copy, index, content);
        check_refused(&copy.open().reader(), &[index], &before);
    }
    // A changed link refuses both: nothing tells which of the two is wrong.
    let copy = home.copy();
    change(&copy, 78, |record| record.prev[0] ^= 1);
    check_refused(&copy.open().reader(), &[77, 78], &before);
    // Whoever makes the next one fit is found one later.
    let copy = home.copy();
    change(&copy, 77, content);
    let forged = {
        let log = DB::open_cf(&Options::default(), copy.part("log"), ["default", "records", "beside"]).unwrap();
        record::hash(&log.get_cf(log.cf_handle("records").unwrap(), 77_u64.to_be_bytes()).unwrap().unwrap())
    };
    change(&copy, 78, |record| record.prev = forged.0.as_bytes().to_vec());
    let reader = copy.open().reader();
    assert!(reader.record(RecordIndex(78)).is_err());
    assert!(reader.records(0..u64::MAX).any(|record| record.is_err()));
}

/// The last record is followed by none: the tree knows it, also where its last tile is full and kept as one node.
#[test]
fn a_ledger_whose_last_record_was_changed_does_not_open() {
    for records in [2, 255, 256, 257, 512] {
        let home = sound(records);
        change(&home, records - 1, content);
        let refusal = home.refusal();
        assert!(matches!(refusal, LedgerError::Falsified { .. } | LedgerError::Beside { .. }), "{records}: {refusal}");
    }
}

/// Whoever chains everything after a changed record again, and leaves the nodes of the tree as they are, is found at the
/// start: the leaves of the last tile are no longer those of its node, or of the edge.
#[test]
fn a_ledger_that_was_chained_again_does_not_open() {
    for records in [255, 256, 300, 512] {
        let home = sound(records);
        change(&home, 100, content);
        let log = DB::open_cf(&Options::default(), home.part("log"), ["default", "records", "beside"]).unwrap();
        let family = log.cf_handle("records").unwrap();
        for index in 101..records {
            let get = |index: u64| log.get_cf(family, index.to_be_bytes()).unwrap().unwrap();
            let mut record = record::decode(&get(index)).unwrap();
            record.prev = record::hash(&get(index - 1)).0.as_bytes().to_vec();
            log.put_cf(family, index.to_be_bytes(), record::encode(&record).unwrap()).unwrap();
        }
        drop(log);
        let refusal = home.refusal();
        assert!(matches!(refusal, LedgerError::Falsified { .. } | LedgerError::Beside { .. }), "{records}: {refusal}");
    }
}
