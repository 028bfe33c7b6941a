//! fsck: whoever can write to the disk can change anything, and is found out; the first record that is wrong is named.
#![allow(clippy::unwrap_used, reason = "a test stops where it fails")]

mod common;

use std::fs;
use std::path::Path;

use common::*;
use counterfoil_ledger::{LedgerError, Problem, Sealing, fsck};
use counterfoil_proto::v1::{Record, Seal, record::Body};
use counterfoil_verify::beside;
use counterfoil_verify::record;
use counterfoil_verify::tree::{Frontier, RecordIndex};
use prost::Message;
use rocksdb::{DB, IteratorMode, Options};

const EVENTS: u64 = 600;

/// A ledger with a bit of everything, closed.
fn sound() -> Home {
    let home = Home::new(1);
    let ledger = home.open();
    append(&ledger, numbered(0..EVENTS / 2));
    append(&ledger, vec![event("event-5", 1_000), event_of_parts("parts", 1, 3), event("event-6", 6)]);
    home.clock.pass(100);
    ledger.append(batch_over(0..EVENTS, numbered(EVENTS / 2..EVENTS))).unwrap();
    drop(ledger);
    home
}

/// The databases of a closed ledger, open for whoever falsifies it.
struct Hand {
    log: DB,
    derived: DB,
}

impl Hand {
    fn on(home: &Home) -> Self {
        let open = |name: &str, families: &[&str]| DB::open_cf(&Options::default(), home.part(name), families).unwrap();
        Self {
            log: open("log", &["default", "records", "beside"]),
            derived: open("derived", &["default", "nodes", "events", "map"]),
        }
    }

    fn family<'a>(db: &'a DB, name: &str) -> &'a rocksdb::ColumnFamily {
        db.cf_handle(name).unwrap()
    }

    fn get(&self, family: &str, index: u64) -> Vec<u8> {
        self.log.get_cf(Self::family(&self.log, family), index.to_be_bytes()).unwrap().unwrap()
    }

    fn put(&self, family: &str, index: u64, value: &[u8]) {
        self.log.put_cf(Self::family(&self.log, family), index.to_be_bytes(), value).unwrap();
    }

    fn delete(&self, family: &str, index: u64) {
        self.log.delete_cf(Self::family(&self.log, family), index.to_be_bytes()).unwrap();
    }

    /// Changes a record, and leaves it valid by itself.
    fn change(&self, index: u64, change: impl FnOnce(&mut Record)) {
        let mut record = record::decode(&self.get("records", index)).unwrap();
        change(&mut record);
        self.put("records", index, &record::encode(&record).unwrap());
    }

    /// Makes chain and stored edge fit again, from a record on.
    fn chain_again(&self, from: u64) {
        let records = Self::family(&self.log, "records");
        let count = self.log.iterator_cf(records, IteratorMode::Start).count() as u64;
        for index in from..count {
            let previous = record::hash(&self.get("records", index - 1));
            self.change(index, |record| {
                record.index = index;
                record.prev = previous.0.as_bytes().to_vec();
            });
        }
        let mut frontier = Frontier::new();
        for index in 0..count {
            frontier.append(record::hash(&self.get("records", index)), |_| ());
        }
        let mut edge = vec![1];
        edge.extend_from_slice(&frontier.size().0.to_be_bytes());
        frontier.hashes().iter().for_each(|hash| edge.extend_from_slice(hash.as_bytes()));
        self.log.put("edge", edge).unwrap();
    }

    /// The first entry of a derived family, and a key that is not there.
    fn first(&self, family: &str) -> (Box<[u8]>, Box<[u8]>) {
        self.derived.iterator_cf(Self::family(&self.derived, family), IteratorMode::Start).next().unwrap().unwrap()
    }

    fn put_derived(&self, family: &str, key: &[u8], value: &[u8]) {
        self.derived.put_cf(Self::family(&self.derived, family), key, value).unwrap();
    }

    fn delete_derived(&self, family: &str, key: &[u8]) {
        self.derived.delete_cf(Self::family(&self.derived, family), key).unwrap();
    }
}

fn problem(home: &Home) -> Option<Problem> {
    let report = fsck(&home.location, "a test", &mut |_, _| ()).unwrap();
    report.problem
}

/// What is falsified is found, at this record, for this reason.
#[track_caller]
fn check(home: &Home, falsify: impl FnOnce(&Hand), record: Option<u64>, why: &str) {
    let copy = home.copy();
    falsify(&Hand::on(&copy));
    let found = problem(&copy).expect("fsck finds it");
    assert_eq!(found.record, record.map(RecordIndex), "{found:?}");
    assert!(found.what.contains(why), "{found:?}");
}

#[test]
fn a_sound_ledger_is_sound() {
    let home = sound();
    let mut calls = Vec::new();
    let report = fsck(&home.location, "a test", &mut |done, total| calls.push((done, total))).unwrap();
    assert_eq!(report.problem, None);
    let size = EVENTS + 1 + 1 + 3;
    assert_eq!(report.records, size);
    assert_eq!(calls.last(), Some(&(size, size)), "progress ends at the end");
    assert_eq!((report.origin.unwrap().as_str(), report.root), (ORIGIN, home.anchored().root));
    assert_eq!(report.beyond_anchor, 0);
    let report = fsck(&home.location, "a test", &mut |_, _| ()).unwrap();
    Hand::on(&home);
    let again = fsck(&home.location, "a test", &mut |_, _| ()).unwrap();
    assert_eq!(again, report, "looking changes nothing");
}

#[test]
fn a_changed_record_is_found() {
    let home = sound();
    let digest = |record: &mut Record| record.provenance.as_mut().unwrap().content_digest[3] ^= 1;
    for index in [1, 255, 256, 511, EVENTS] {
        let why = format!("it was changed: record {} follows one with another hash", index + 1);
        check(&home, |hand| hand.change(index, digest), Some(index), &why);
    }
    // The last record is followed by none; the anchor knows it.
    let last = EVENTS + 4;
    check(&home, |hand| hand.change(last, digest), None, "beside its anchor");
    check(&home, |hand| hand.change(last - 1, digest), Some(last - 1), "it was changed");
    // Not even the hash chain helps whoever chains everything again.
    for index in [1, 256, last] {
        let falsify = |hand: &Hand| {
            hand.change(index, digest);
            hand.chain_again(index + 1);
        };
        check(&home, falsify, None, "beside its anchor");
    }
}

#[test]
fn a_record_out_of_its_form_is_found() {
    let home = sound();
    let bytes = |change: fn(&mut Vec<u8>)| {
        move |hand: &Hand| {
            let mut record = hand.get("records", 77);
            change(&mut record);
            hand.put("records", 77, &record);
        }
    };
    check(&home, bytes(|record| record.push(0)), Some(77), "protobuf");
    check(&home, bytes(|record| record.truncate(9)), Some(77), "protobuf");
    check(&home, bytes(|record| record.clear()), Some(77), "breaks a rule");
    check(&home, bytes(|record| record.extend_from_slice(&[0xf8, 0x01, 0x01])), Some(77), "canonical");
    check(&home, bytes(|record| *record = vec![0x08; 70_000]), Some(77), "too large");
    // Where two are wrong, the first is named.
    let two = |hand: &Hand| {
        hand.put("records", 90, &[]);
        hand.delete("records", 95);
        hand.put("records", 88, &[1]);
    };
    check(&home, two, Some(88), "");
}

#[test]
fn a_record_of_a_newer_version_is_unreadable_and_not_falsified() {
    let home = sound();
    let hand = Hand::on(&home);
    let mut record = hand.get("records", 77);
    assert_eq!(record[..2], [0x08, 1]);
    record[1] = 2;
    hand.put("records", 77, &record);
    drop(hand);
    let error = fsck(&home.location, "a test", &mut |_, _| ()).unwrap_err();
    assert!(matches!(error, LedgerError::Newer { index: RecordIndex(77), format: 2 }), "{error}");
}

#[test]
fn a_changed_place_in_the_chain_is_found() {
    let home = sound();
    check(&home, |hand| hand.change(40, |record| record.prev[0] ^= 1), Some(40), "prev is not the hash");
    let last = EVENTS + 4;
    let swap = |hand: &Hand| {
        let (one, other) = (hand.get("records", 40), hand.get("records", 41));
        hand.put("records", 40, &other);
        hand.put("records", 41, &one);
        let (one, other) = (hand.get("beside", 40), hand.get("beside", 41));
        hand.put("beside", 40, &other);
        hand.put("beside", 41, &one);
    };
    check(&home, swap, Some(40), "index 41 stands at place 40");
    check(&home, |hand| (swap(hand), hand.chain_again(40)).1, None, "beside its anchor");
    check(&home, |hand| hand.delete("records", 40), Some(40), "missing");
    check(&home, |hand| hand.delete("records", 0), None, "record 0");
    check(&home, |hand| (hand.delete("records", last), hand.delete("beside", last)).1, None, "behind its anchor");
    // Time that goes back, in an otherwise perfect chain.
    let earlier = |hand: &Hand| {
        hand.change(EVENTS, |record| record.recorded_at.as_mut().unwrap().seconds -= 1_000);
        hand.chain_again(EVENTS + 1);
    };
    check(&home, earlier, Some(EVENTS), "recorded_at is earlier");
}

#[test]
fn what_lies_beside_is_checked() {
    let home = sound();
    let change = |change: fn(&mut Vec<u8>)| {
        move |hand: &Hand| {
            let mut bytes = hand.get("beside", 33);
            change(&mut bytes);
            hand.put("beside", 33, &bytes);
        }
    };
    check(&home, change(|bytes| *bytes.last_mut().unwrap() ^= 1), Some(33), "does not match its commitment");
    check(&home, change(|bytes| bytes[5] ^= 1), Some(33), "does not match its commitment");
    check(&home, change(|bytes| bytes.push(0)), Some(33), "canonical form");
    check(&home, |hand| hand.delete("beside", 33), Some(33), "does not lie beside it");
    let other = |hand: &Hand| hand.put("beside", 33, &hand.get("beside", 34));
    check(&home, other, Some(33), "does not match its commitment");
    // Record 0, and the later parts of an event, commit to nothing.
    let anything = beside::seal([1; 32], b"anything".to_vec(), &[], None).encode_to_vec();
    check(&home, |hand| hand.put("beside", 0, &anything), Some(0), "does not commit to");
    let later_part = EVENTS / 2 + 4;
    check(&home, |hand| hand.put("beside", later_part, &anything), Some(later_part), "does not commit to");
    check(&home, |hand| hand.put("beside", 9_999, &anything), None, "beside no record");
}

#[test]
fn what_is_stored_of_the_tree_is_checked() {
    let home = sound();
    let edge = |change: fn(&mut Vec<u8>)| {
        move |hand: &Hand| {
            let mut edge = hand.log.get("edge").unwrap().unwrap();
            change(&mut edge);
            hand.log.put("edge", edge).unwrap();
        }
    };
    check(&home, edge(|edge| *edge.last_mut().unwrap() ^= 1), None, "right edge");
    check(&home, edge(|edge| edge[8] ^= 1), None, "right edge");
    check(&home, edge(Vec::clear), None, "right edge");
    check(&home, |hand| hand.log.delete("edge").unwrap(), None, "right edge");
    let node = |hand: &Hand| {
        let (key, mut value) = hand.first("nodes");
        value[0] ^= 1;
        hand.put_derived("nodes", &key, &value);
    };
    check(&home, node, None, "a stored node of the tree is not that");
    check(&home, |hand| hand.put_derived("nodes", &[8; 9], &[0; 32]), None, "a stored node of the tree is not that");
    check(
        &home,
        |hand| hand.delete_derived("nodes", &hand.first("nodes").0),
        None,
        "a stored node of the tree is missing",
    );
    // Beside what the anchor holds, the start refuses what would sign a wrong head.
    for falsify in [&edge(|edge| *edge.last_mut().unwrap() ^= 1) as &dyn Fn(&Hand), &node] {
        let copy = home.copy();
        falsify(&Hand::on(&copy));
        assert!(matches!(copy.refusal(), LedgerError::Falsified { .. }));
    }
}

#[test]
fn what_the_ledger_keeps_for_its_own_use_is_checked() {
    let home = sound();
    let log = |key: &[u8], value: &[u8]| {
        let (key, value) = (key.to_vec(), value.to_vec());
        move |hand: &Hand| hand.log.put(&key, &value).unwrap()
    };
    let number = 7_u64.to_be_bytes();
    let form = |rest: &[u8]| [&[1], &number[..], rest].concat();
    let channel = format!("position/{CHANNEL}");
    let count = b"count/test\0default\0log\0test";
    for (key, value) in [(channel.as_bytes(), form(&[1])), (b"position/other", form(&[0])), (count, form(&[]))] {
        let copy = home.copy();
        log(key, &value)(&Hand::on(&copy));
        assert_eq!(problem(&copy), None, "what the program could have written");
    }
    for (key, value) in [
        (channel.as_bytes(), form(&[])),
        (channel.as_bytes(), form(&[2])),
        (channel.as_bytes(), [&[2], &form(&[1])[1..]].concat()),
        (channel.as_bytes(), Vec::new()),
        (b"position/", form(&[1])),
        (b"position/no blank", form(&[1])),
        (count, form(&[0])),
        (count, vec![1]),
        (b"count/test\0default\0log", form(&[])),
        (b"count/test\0default\0log\0test\0more", form(&[])),
        (b"count/te st\0default\0log\0test", form(&[])),
        (b"count/\xff\0default\0log\0test", form(&[])),
        (b"clock", vec![1, 2, 3]),
    ] {
        let named = format!("the row \"{}\" of the log database has another form", key.escape_ascii());
        check(&home, log(key, &value), None, &named);
    }
    for key in [&b"positions"[..], b"note", b"\x1b[2J"] {
        let named =
            format!("the log database holds a row that this program does not write: \"{}\"", key.escape_ascii());
        check(&home, log(key, b"1"), None, &named);
    }
    let derived = |hand: &Hand| hand.derived.put("curso", [0; 8]).unwrap();
    check(&home, derived, None, "the derived database holds a row that this program does not write: \"curso\"");
}

#[test]
fn the_known_events_are_checked() {
    let home = sound();
    let (key, value) = Hand::on(&home).first("events");
    let of = |value: &[u8]| u64::from_be_bytes(value[..8].try_into().unwrap());
    let index = of(&value);
    check(&home, |hand| hand.delete_derived("events", &key), Some(index), "lack its entry");
    check(&home, |hand| hand.put_derived("events", &[0; 16], &value), Some(index), "that no record gives");
    check(&home, |hand| hand.put_derived("events", &[0xff; 16], &value), Some(index), "that no record gives");
    let other = [&value[..23], &[value[23] ^ 1]].concat();
    check(&home, |hand| hand.put_derived("events", &key, &other), Some(index), "another entry");
    check(&home, |hand| hand.put_derived("events", &key, &value[..20]), None, "an entry is not 24 bytes");
    check(
        &home,
        |hand| hand.derived.put("cursor", 9_999_u64.to_be_bytes()).unwrap(),
        None,
        "more records than there are",
    );
}

/// Whoever forges a ledger with its own key: chain, tree and anchor are right, and one event is there twice.
#[test]
fn an_event_that_is_recorded_twice_is_found() {
    let home = Home::new(1);
    append(&home.open(), numbered(0..10));
    fs::remove_dir_all(home.part("derived")).unwrap();
    home.open();
    let hand = Hand::on(&home);
    let entries: Vec<_> = hand
        .derived
        .iterator_cf(Hand::family(&hand.derived, "events"), IteratorMode::Start)
        .map(Result::unwrap)
        .collect();
    let forgotten = entries.iter().find(|(_, value)| value[..8] == 4_u64.to_be_bytes()).unwrap();
    hand.delete_derived("events", &forgotten.0);
    drop(hand);
    // An owner that has forgotten an event records it again.
    assert_eq!(append(&home.open(), numbered(3..5)).outcomes, [recorded(11), duplicate(5)]);
    let found = problem(&home).unwrap();
    assert_eq!((found.record, found.what.as_str()), (Some(RecordIndex(11)), "its event is in record 4 already"));
}

/// A tail past the anchor is signed at the next start, so it has to fit what the commit stored with it.
#[test]
fn a_record_without_its_commit_is_not_signed() {
    let home = sound();
    let copy = home.copy();
    let hand = Hand::on(&copy);
    let last = EVENTS + 4;
    let bytes = hand.get("records", last);
    let mut forged = record::decode(&bytes).unwrap();
    forged.index = last + 1;
    forged.commitment.clear();
    let Some(Body::Event(event)) = &mut forged.body else { panic!("the last record is an event") };
    event.native_type = "forged".to_owned();
    forged.provenance.as_mut().unwrap().event_id = "forged".to_owned();
    forged.prev = record::hash(&bytes).0.as_bytes().to_vec();
    assert_eq!(record::recorded_at(&forged), home.clock.now());
    hand.put("records", last + 1, &record::encode(&forged).unwrap());
    drop(hand);
    let found = problem(&copy).unwrap();
    assert!(found.what.contains("right edge"), "{found:?}");
    assert!(matches!(copy.refusal(), LedgerError::Falsified { .. }), "it is not signed at the next start");
}

/// A ledger with two seals, closed: they are records 21 and 42.
fn sealed() -> Home {
    let home = Home::new(1);
    for round in 0..2 {
        let ledger = home.open_sealing(Sealing::AtTheEnd);
        let accounts = |number: u64| [number, number % 3, 100 + number];
        append(&ledger, (round * 20..round * 20 + 20).map(|number| about("one", number, &accounts(number))).collect());
    }
    assert_eq!(problem(&home), None);
    home
}

/// Whoever changes a seal, and chains everything behind it again, is told the seal that is wrong.
#[test]
fn a_wrong_seal_is_named() {
    let home = sealed();
    let wrong = |place: u64, change: fn(&mut Seal), record: u64, why: &str| {
        let falsify = |hand: &Hand| {
            hand.change(place, |record| {
                let Some(Body::Seal(seal)) = &mut record.body else { panic!("record {place} is no seal") };
                change(seal);
            });
            hand.chain_again(place + 1);
        };
        check(&home, falsify, Some(record), why);
        let copy = home.copy();
        falsify(&Hand::on(&copy));
        fs::remove_dir_all(copy.part("derived")).unwrap();
        let refusal = copy.refusal();
        assert!(matches!(&refusal, LedgerError::Falsified { place, .. } if *place == format!("record {record}")));
    };
    for place in [21, 42] {
        wrong(place, |seal| seal.map_root[0] ^= 1, place, "the map root");
        wrong(place, |seal| seal.sources[0].events -= 1, place, "events");
        wrong(place, |seal| seal.sources[0].facts += 1, place, "facts");
        wrong(place, |seal| seal.sources[0].unmapped += 1, place, "unmapped");
        wrong(place, |seal| seal.sources[0].rejected += 1, place, "rejected");
        wrong(place, |seal| seal.sources.clear(), place, "new counts");
    }
    wrong(21, |seal| seal.continued = true, 22, "continues");
}

/// The map that the ledger goes on from: wherever it is changed, fsck says so.
#[test]
fn a_falsified_entity_map_is_found() {
    let home = sealed();
    let rows = |family: &str| {
        let copy = home.copy();
        let hand = Hand::on(&copy);
        let rows = hand.derived.iterator_cf(Hand::family(&hand.derived, family), IteratorMode::Start);
        rows.map(Result::unwrap).collect::<Vec<_>>()
    };
    let pages = rows("map");
    assert!(pages.len() > 16);
    for (key, value) in &pages {
        let why = "expected the page of the entity map";
        check(&home, |hand| hand.delete_derived("map", key), None, why);
        for place in [0, 3, 4, value.len() - 1] {
            let mut other = value.to_vec();
            other[place] ^= 1;
            check(&home, |hand| hand.put_derived("map", key, &other), None, why);
        }
        check(&home, |hand| hand.put_derived("map", key, &[value, &[0][..]].concat()), None, why);
    }
    check(&home, |hand| hand.put_derived("map", &[9, 1, 2, 3, 4, 5], &pages[0].1), None, "a page that is not in it");
    for (key, value) in rows("default") {
        if key.starts_with(b"sealed/") {
            check(&home, |hand| hand.delete_derived("default", &key), None, "a source's counts");
            let last = [&value[..value.len() - 1], &[value[value.len() - 1] ^ 1]].concat();
            check(&home, |hand| hand.put_derived("default", &key, &last), None, "a source's counts");
            check(&home, |hand| hand.put_derived("default", &key, &[&[2], &value[1..]].concat()), None, "another form");
            check(&home, |hand| hand.put_derived("default", b"sealed/a\0b\0c", &value), None, "another form");
        }
        if &*key == b"covered" {
            check(&home, |hand| hand.put_derived("default", &key, &value[1..]), None, "another form");
            for (place, why) in [(8, "counts"), (20, "the page of the entity map"), (48, "counts"), (49, "counts")] {
                let mut other = value.to_vec();
                other[place] ^= 1;
                check(&home, |hand| hand.put_derived("default", &key, &other), None, why);
            }
            check(&home, |hand| hand.delete_derived("default", &key), None, "a page that is not in it");
        }
    }
}

#[test]
fn what_cannot_be_read_is_an_error() {
    let home = sound();
    let check = |damage: &dyn Fn(&Path)| {
        let copy = home.copy();
        damage(&copy.location.data);
        assert!(fsck(&copy.location, "a test", &mut |_, _| ()).is_err());
        assert!(copy.try_open().is_err());
    };
    check(&|data| fs::write(data.join("log/CURRENT"), "MANIFEST-999999\n").unwrap());
    check(&|data| fs::remove_file(data.join("keys/index.key")).unwrap());
    check(&|data| fs::remove_dir_all(data.join("log")).unwrap());
    check(&|data| {
        let tables = fs::read_dir(data.join("log")).unwrap().map(|entry| entry.unwrap().path());
        let manifest = tables.filter(|path| path.to_string_lossy().contains("MANIFEST")).max().unwrap();
        fs::write(manifest, "").unwrap();
    });
}

/// Where the records of a file begin that RocksDB logs for itself: u32 checksum, u16 length, u8 kind, content. The file has one
/// block.
fn logged(bytes: &[u8]) -> Vec<usize> {
    let mut starts = vec![0];
    while let Some(start) = starts.last().copied().filter(|start| start + 7 <= bytes.len()) {
        starts.push(start + 7 + usize::from(u16::from_le_bytes([bytes[start + 4], bytes[start + 5]])));
    }
    assert_eq!(starts.pop(), Some(bytes.len()));
    starts
}

/// RocksDB reads a record of a kind that only files have which are used again for ever: such a file is refused before.
#[test]
fn what_rocksdb_would_read_for_ever_is_refused() {
    let home = sound();
    let mut tried = 0;
    for database in ["log", "derived"] {
        for entry in home.part(database).read_dir().unwrap() {
            let path = entry.unwrap().path();
            let name = path.file_name().unwrap().to_str().unwrap();
            let bytes = fs::read(&path).unwrap();
            if !(name.starts_with("MANIFEST-") || name.ends_with(".log")) || bytes.len() > 32 << 10 {
                continue;
            }
            for start in logged(&bytes).into_iter().take(5) {
                let mut turned = bytes.clone();
                turned[start + 6] ^= 4;
                fs::write(&path, &turned).unwrap();
                let refusal = home.refusal();
                let is_named = matches!(&refusal, LedgerError::Falsified { place, .. } if place.ends_with(name));
                assert!(is_named, "{name} at {start}: {refusal}");
                tried += 1;
            }
            fs::write(&path, &bytes).unwrap();
        }
    }
    assert!(tried > 5, "{tried}");
    home.open();
}
