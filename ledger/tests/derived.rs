//! Derived data and proofs: delete the one, and the same of everything comes back.
#![allow(clippy::unwrap_used, reason = "a test stops where it fails")]

mod common;

use std::fs;

use common::*;
use counterfoil_ledger::{Reader, fsck};
use counterfoil_verify::hash::{Hash, LeafHash};
use counterfoil_verify::proof::{verify_consistency, verify_inclusion};
use counterfoil_verify::record;
use counterfoil_verify::tree::{RecordIndex, TreeSize};

/// Enough for stored nodes: two full tiles and a part.
const EVENTS: u64 = 700;

#[test]
fn proofs_verify_for_any_record_and_any_sizes() {
    let home = Home::new(1);
    let ledger = home.open();
    append(&ledger, numbered(0..EVENTS));
    let reader = ledger.reader();
    let leaves: Vec<LeafHash> = bytes(&reader).iter().map(|bytes| record::hash(bytes)).collect();
    let root = |size: u64| naive_root(&leaves[..size as usize]);
    let interesting = [1, 2, 3, 4, 7, 8, 255, 256, 257, 511, 512, 513, 640, 700, 701];
    for size in interesting {
        for index in interesting.into_iter().map(|one| one - 1).filter(|index| *index < size) {
            let path = reader.inclusion_proof(RecordIndex(index), TreeSize(size)).unwrap();
            verify_inclusion(leaves[index as usize], RecordIndex(index), TreeSize(size), &path, root(size)).unwrap();
            let wrong = LeafHash(Hash::from_bytes([1; 32]));
            verify_inclusion(wrong, RecordIndex(index), TreeSize(size), &path, root(size)).unwrap_err();
        }
        for old in [0].into_iter().chain(interesting).filter(|old| *old <= size) {
            let path = reader.consistency_proof(TreeSize(old), TreeSize(size)).unwrap();
            verify_consistency(TreeSize(old), root(old), TreeSize(size), root(size), &path).unwrap();
        }
    }
}

/// What was read of the tree for one proof serves the next one, at a larger size.
#[test]
fn proofs_verify_while_the_log_grows() {
    let home = Home::new(1);
    let ledger = home.open();
    let reader = ledger.reader();
    for size in [2, 3, 100, 101, 255, 256, 257, 300, 511, 513, 700] {
        append(&ledger, numbered(reader.head().size.0..size));
        let leaves: Vec<LeafHash> = bytes(&reader).iter().map(|bytes| record::hash(bytes)).collect();
        for (index, old) in
            [0, 1, size / 3, size / 2, size - 2, size - 1].into_iter().zip([1, 2, size / 2 + 1, size - 1, size, size])
        {
            for size in [old, size].into_iter().filter(|size| index < *size) {
                let path = reader.inclusion_proof(RecordIndex(index), TreeSize(size)).unwrap();
                let root = naive_root(&leaves[..size as usize]);
                verify_inclusion(leaves[index as usize], RecordIndex(index), TreeSize(size), &path, root).unwrap();
            }
        }
    }
}

/// What is derived, as far as anyone can ask for it.
#[derive(Debug, PartialEq)]
struct Answers {
    proofs: Vec<Vec<Hash>>,
    root: Hash,
    records: Vec<Vec<u8>>,
}

fn answers(reader: &Reader) -> Answers {
    let head = reader.head();
    let inclusion = (0..head.size.0).step_by(7).map(|index| reader.inclusion_proof(RecordIndex(index), head.size));
    let consistency = (0..head.size.0).step_by(11).map(|old| reader.consistency_proof(TreeSize(old), head.size));
    let proofs = inclusion.chain(consistency).collect::<Result<_, _>>().unwrap();
    Answers { proofs, root: head.root, records: bytes(reader) }
}

/// A process that dies while it makes the derived database leaves a folder, or a database without families.
#[test]
fn derived_data_that_were_never_made_to_the_end_are_made() {
    let home = Home::new(1);
    append(&home.open(), numbered(0..5));
    let derived = home.part("derived");
    let begun: [fn(&std::path::Path); 2] =
        [|path| fs::create_dir(path).unwrap(), |path| drop(rocksdb::DB::open_default(path).unwrap())];
    for begin in begun {
        fs::remove_dir_all(&derived).unwrap();
        begin(&derived);
        let report = fsck(&home.location, "a test", &mut |_, _| ()).unwrap();
        assert!(report.problem.is_none(), "{report:?}");
        let ledger = home.open();
        check_sound(&home, &ledger.reader());
        assert_eq!(append(&ledger, numbered(0..5)).outcomes, (1..6).map(duplicate).collect::<Vec<_>>());
    }
}

#[test]
fn derived_data_can_be_deleted() {
    let home = Home::new(1);
    let ledger = home.open();
    append(&ledger, numbered(0..EVENTS));
    append(&ledger, vec![event("event-5", 1_000), event_of_parts("parts", 1, 4)]);
    let before = answers(&ledger.reader());
    drop(ledger);
    fs::remove_dir_all(home.part("derived")).unwrap();
    assert_eq!(fsck(&home.location, "a test", &mut |_, _| ()).unwrap().problem, None, "a ledger without them is sound");
    let ledger = home.open();
    assert_eq!(answers(&ledger.reader()), before);
    let known =
        vec![event("event-5", 5), event("event-5", 1_000), event_of_parts("parts", 1, 4), event("event-699", 699)];
    let expected = [duplicate(6), duplicate(EVENTS + 1), duplicate(EVENTS + 2), duplicate(EVENTS)];
    assert_eq!(append(&ledger, known).outcomes, expected);
    drop(ledger);
    assert_eq!(fsck(&home.location, "a test", &mut |_, _| ()).unwrap().problem, None);
}

#[test]
fn derived_data_of_any_age_are_brought_up_to_date() {
    let home = Home::new(1);
    let mut older = Vec::new();
    for round in 0..4 {
        let ledger = home.open();
        append(&ledger, numbered(round * 200..round * 200 + 200));
        drop(ledger);
        older.push(home.copy());
    }
    let before = answers(&home.open().reader());
    for old in older {
        fs::remove_dir_all(home.part("derived")).unwrap();
        copy_folder(&old.part("derived"), &home.part("derived"));
        assert_eq!(
            fsck(&home.location, "a test", &mut |_, _| ()).unwrap().problem,
            None,
            "being behind is no falsification"
        );
        let ledger = home.open();
        assert_eq!(answers(&ledger.reader()), before);
        assert_eq!(append(&ledger, numbered(799..800)).outcomes, [duplicate(800)]);
    }
}

/// The log lost a tail that nobody was told of, and the derived data did not.
#[test]
fn derived_data_ahead_of_the_log_start_over() {
    let home = Home::new(1);
    append(&home.open(), numbered(0..5));
    let early = home.copy();
    append(&home.open(), numbered(5..300));
    fs::remove_dir_all(early.part("derived")).unwrap();
    copy_folder(&home.part("derived"), &early.part("derived"));
    let ledger = early.open();
    assert_eq!(ledger.reader().head().size, TreeSize(6));
    let receipt = append(&ledger, numbered(4..400));
    assert_eq!(receipt.outcomes[..2], [duplicate(5), recorded(6)], "what was lost is new again");
    check_sound(&early, &ledger.reader());
    drop(ledger);
    assert_eq!(fsck(&early.location, "a test", &mut |_, _| ()).unwrap().problem, None);
}
