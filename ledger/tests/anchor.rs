//! The anchor: what it holds was acknowledged, and a ledger that does not fit it does not start.
#![allow(clippy::unwrap_used, reason = "a test stops where it fails")]

mod common;

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};

use common::*;
use counterfoil_ledger::{LedgerError, fsck};
use counterfoil_verify::proof::verify_consistency;
use counterfoil_verify::tree::{RecordIndex, TreeSize};

#[test]
fn an_old_copy_is_recognised() {
    let home = Home::new(1);
    let ledger = home.open();
    append(&ledger, numbered(0..5));
    let old = home.copy();
    append(&ledger, numbered(5..9));
    drop(ledger);
    fs::copy(&home.location.anchor, &old.location.anchor).unwrap();
    let refusal = old.refusal();
    assert!(matches!(refusal, LedgerError::Behind { size: TreeSize(6), anchored: TreeSize(10) }), "{refusal}");
    assert!(refusal.to_string().contains("bring back the newest copy"), "{refusal}");
    let problem = fsck(&old.location, "a test", &mut |_, _| ()).unwrap().problem.unwrap();
    assert!(problem.what.contains("behind its anchor"), "{problem:?}");
}

#[test]
fn another_history_of_the_same_ledger_is_recognised() {
    let home = Home::new(1);
    append(&home.open(), numbered(0..5));
    let other = home.copy();
    append(&home.open(), numbered(5..9));
    // Of the same size, of a greater size, and of one that the anchor has not reached.
    for count in [4, 7] {
        let beside = other.copy();
        append(&beside.open(), numbered(100..100 + count));
        fs::copy(&home.location.anchor, &beside.location.anchor).unwrap();
        let refusal = beside.refusal();
        assert!(matches!(refusal, LedgerError::Beside { anchored: TreeSize(10) }), "{refusal}");
        let problem = fsck(&beside.location, "a test", &mut |_, _| ()).unwrap().problem.unwrap();
        assert!(problem.what.contains("beside its anchor"), "{problem:?}");
    }
    let behind = other.copy();
    append(&behind.open(), numbered(100..102));
    fs::copy(&home.location.anchor, &behind.location.anchor).unwrap();
    assert!(matches!(behind.refusal(), LedgerError::Behind { .. }));
}

#[test]
fn an_anchor_of_another_ledger_or_of_none_is_refused() {
    let home = Home::new(1);
    append(&home.open(), numbered(0..5));
    let other = Home::new(2);
    append(&other.open(), numbered(0..5));

    let foreign = home.copy();
    fs::copy(&other.location.anchor, &foreign.location.anchor).unwrap();
    check_refused(&foreign, "is not this ledger's");

    let missing = home.copy();
    fs::remove_file(&missing.location.anchor).unwrap();
    check_refused(&missing, "cannot be read");

    let empty = home.copy();
    fs::write(&empty.location.anchor, "").unwrap();
    check_refused(&empty, "is not this ledger's");
}

#[track_caller]
fn check_refused(home: &Home, why: &str) {
    let refusal = home.refusal();
    assert!(matches!(&refusal, LedgerError::Anchor { problem, .. } if problem.contains(why)), "{refusal}");
    assert!(fsck(&home.location, "a test", &mut |_, _| ()).is_err(), "nothing says which ledger it should be");
}

#[test]
fn every_damaged_byte_of_the_anchor_is_noticed() {
    let home = Home::new(1);
    append(&home.open(), numbered(0..5));
    let anchor = fs::read(&home.location.anchor).unwrap();
    for place in (0..anchor.len()).step_by(5) {
        let mut damaged = anchor.clone();
        damaged[place] ^= 1 << (place % 8);
        fs::write(&home.location.anchor, damaged).unwrap();
        let refusal = home.refusal();
        assert!(matches!(refusal, LedgerError::Anchor { .. }), "byte {place}: {refusal}");
    }
    fs::write(&home.location.anchor, anchor).unwrap();
    check_sound(&home, &home.open().reader());
}

#[test]
fn every_damaged_bit_of_a_key_is_noticed() {
    let home = Home::new(1);
    for name in ["log", "index", "ingest"] {
        let path = home.part("keys").join(format!("{name}.key"));
        let key = fs::read(&path).unwrap();
        for bit in 0..8 * key.len() {
            let mut damaged = key.clone();
            damaged[bit / 8] ^= 1 << (bit % 8);
            fs::write(&path, damaged).unwrap();
            let refusal = home.refusal();
            assert!(matches!(refusal, LedgerError::Key { .. } | LedgerError::File { .. }), "bit {bit}: {refusal}");
        }
        fs::write(&path, key).unwrap();
    }
    home.open();
}

#[test]
fn keys_of_another_ledger_are_refused() {
    let (home, other) = (Home::new(1), Home::new(2));
    let key = |home: &Home, name: &str| home.part("keys").join(format!("{name}.key"));
    for (name, why) in [("index", "is not the one that record 0 commits to"), ("log", "is not this ledger's")] {
        let changed = home.copy();
        fs::copy(key(&other, name), key(&changed, name)).unwrap();
        let refusal = changed.refusal().to_string();
        assert!(refusal.contains(why), "{refusal}");
    }
    let missing = home.copy();
    fs::remove_file(key(&missing, "log")).unwrap();
    assert!(missing.refusal().to_string().contains("log.key"));
    // One key's file in another's place: its checksum knows its name.
    let swapped = home.copy();
    fs::copy(key(&home, "ingest"), key(&swapped, "log")).unwrap();
    assert!(matches!(swapped.refusal(), LedgerError::Key { .. }));
}

#[test]
fn nothing_is_overwritten_and_nothing_is_guessed() {
    let home = Home::new(1);
    let mut entropy = |_: &mut [u8]| panic!("no key is made");
    let made = counterfoil_ledger::init(&home.location, ORIGIN, &home.clock, &mut entropy);
    assert!(matches!(made, Err(LedgerError::Exists { .. })));
    let elsewhere = counterfoil_ledger::Location::new(&home.folder.path().join("nothing"), None);
    assert!(matches!(fsck(&elsewhere, "a test", &mut |_, _| ()), Err(LedgerError::NotALedger { .. })));
    for origin in ["", "a b", "a+b", "a\nb"] {
        let made = counterfoil_ledger::init(&elsewhere, origin, &home.clock, &mut entropy);
        assert!(matches!(made, Err(LedgerError::Origin { .. })), "{origin:?}");
        assert!(!elsewhere.data.exists(), "{origin:?} leaves nothing behind");
    }
}

/// Whoever reads the file with the tools of the notes' specification finds nothing else in it.
#[test]
fn the_anchor_is_the_newest_checkpoint_and_nothing_besides() {
    let home = Home::new(1);
    let ledger = home.open();
    let mut lengths = BTreeSet::new();
    for number in 0..120 {
        append(&ledger, numbered(number..number + 1));
        let anchored = fs::read(&home.location.anchor).unwrap();
        assert_eq!(anchored, *ledger.reader().head().checkpoint, "{number}");
        lengths.insert(anchored.len());
    }
    assert_eq!(lengths.len(), 3, "sizes of one, two and three digits: {lengths:?}");
}

#[test]
fn a_tail_that_was_committed_and_not_anchored_is_signed_at_the_next_start() {
    let home = Home::new(1);
    let ledger = home.open();
    ledger.append(batch_over(0..5, numbered(0..5))).unwrap();
    let before = fs::read(&home.location.anchor).unwrap();
    ledger.append(batch_over(5..300, numbered(5..300))).unwrap();
    // As if the process had ended between the commit and the anchor.
    let crashed = home.copy();
    fs::write(&crashed.location.anchor, &before).unwrap();
    assert_eq!(crashed.anchored().size, TreeSize(6));
    let report = fsck(&crashed.location, "a test", &mut |_, _| ()).unwrap();
    assert_eq!((report.problem, report.beyond_anchor), (None, 295), "a crash is no falsification, and is told");
    let recovered = crashed.open();
    assert_eq!((ledger.caught_up(), recovered.caught_up()), (0, 295));
    assert_eq!(bytes(&recovered.reader()), bytes(&ledger.reader()));
    assert_eq!(recovered.reader().head().checkpoint, ledger.reader().head().checkpoint);
    check_sound(&crashed, &recovered.reader());
    assert_eq!(crashed.anchored().size, TreeSize(301), "from now on the anchor holds them");
    // The source delivers again what nobody acknowledged: it is known.
    assert_eq!(append(&recovered, numbered(299..301)).outcomes, [duplicate(300), recorded(301)]);
}

#[test]
fn an_owner_whose_anchor_was_moved_acknowledges_nothing() {
    let home = Home::new(1);
    let ledger = home.open();
    append(&ledger, numbered(0..5));
    let own = fs::read(&home.location.anchor).unwrap();
    let before = ledger.reader().head();
    let other = home.copy();
    append(&other.open(), numbered(100..101));
    fs::copy(&other.location.anchor, &home.location.anchor).unwrap();

    let pending = [ledger.submit(batch(numbered(5..8))).unwrap(), ledger.submit(batch(numbered(8..9))).unwrap()];
    let errors: Vec<String> = pending.into_iter().map(|pending| pending.wait().unwrap_err().to_string()).collect();
    assert!(errors[0].contains("was moved by another owner of this ledger: nothing was acknowledged"), "{errors:?}");
    let after = ledger.reader().head();
    assert_eq!((after.size, after.root, &after.checkpoint), (before.size, before.root, &before.checkpoint));
    assert!(matches!(ledger.reader().record(RecordIndex(6)), Err(LedgerError::NoSuchRecord { .. })));
    assert!(matches!(ledger.append(batch(numbered(9..10))), Err(LedgerError::Closed(_))), "it takes no more");
    drop(ledger);
    assert!(matches!(home.refusal(), LedgerError::Beside { .. }), "two histories went on from one");

    // The anchor comes back, as if it had only been taken away for a moment: what was durable is there, once.
    fs::write(&home.location.anchor, own).unwrap();
    let ledger = home.open();
    assert_eq!(append(&ledger, numbered(5..8)).outcomes, [duplicate(6), duplicate(7), duplicate(8)]);
    check_sound(&home, &ledger.reader());
}

#[test]
fn an_owner_without_its_anchor_acknowledges_nothing() {
    let home = Home::new(1);
    let ledger = home.open();
    append(&ledger, numbered(0..5));
    let own = fs::read(&home.location.anchor).unwrap();
    fs::remove_file(&home.location.anchor).unwrap();
    assert!(ledger.append(batch(numbered(5..8))).is_err());
    assert!(!home.location.anchor.exists(), "it is not made again");
    assert_eq!(ledger.reader().head().size, TreeSize(6));
    drop(ledger);
    fs::write(&home.location.anchor, own).unwrap();
    assert_eq!(home.open().reader().head().size, TreeSize(9));
}

/// Somebody watches while batches are appended: whatever they see published, the anchor holds already; and whatever they
/// copy, a ledger can go on from it.
#[test]
fn nothing_is_acknowledged_before_the_anchor_holds_it() {
    let home = Home::new(1);
    let ledger = home.open();
    let key = home.verifier_key();
    let done = AtomicBool::new(false);
    std::thread::scope(|scope| {
        scope.spawn(|| {
            for number in 0..200 {
                let receipt = append(&ledger, numbered(number * 3..number * 3 + 3));
                assert!(home.anchored().size >= receipt.size, "acknowledged, and not anchored");
            }
            done.store(true, Ordering::SeqCst);
        });
        let reader = ledger.reader();
        let mut last = reader.head();
        while !done.load(Ordering::SeqCst) {
            let head = reader.head();
            let anchored = home.anchored();
            assert!(anchored.size >= head.size, "published, and not anchored");
            let signed = checkpoint(&head.checkpoint, &key);
            assert_eq!((signed.size, signed.root), (head.size, head.root));
            let path = reader.consistency_proof(last.size, head.size).unwrap();
            verify_consistency(last.size, last.root, head.size, head.root, &path).unwrap();
            last = head;
        }
    });
    check_sound(&home, &ledger.reader());
}

/// Whatever moment a machine loses its power at: position and records are of the same batches, and what was acknowledged
/// before is there.
#[test]
fn positions_are_stored_with_their_records() {
    let home = Home::new(1);
    let ledger = home.open();
    let done = AtomicBool::new(false);
    let mut seen = 0;
    std::thread::scope(|scope| {
        scope.spawn(|| {
            let mut next = 0;
            while !done.load(Ordering::SeqCst) {
                let count = 1 + next % 7;
                ledger.append(batch_over(next..next + count, numbered(next..next + count))).unwrap();
                next += count;
            }
        });
        for _ in 0..12 {
            // The anchor first: it is never ahead of the data.
            let crashed = Home::new(1);
            fs::remove_dir_all(&crashed.location.data).unwrap();
            let anchor = home.anchor();
            copy_folder(&home.location.data, Path::new(&crashed.location.data));
            fs::write(&crashed.location.anchor, anchor).unwrap();
            let anchored = crashed.anchored().size;
            let recovered = crashed.open();
            let size = recovered.reader().head().size;
            assert!(size >= anchored);
            let position = recovered.reader().position(CHANNEL).unwrap().map_or(0, |position| position.next);
            assert_eq!(position, size.0 - 1, "as many as are recorded");
            check_sound(&crashed, &recovered.reader());
            seen = seen.max(size.0);
        }
        done.store(true, Ordering::SeqCst);
    });
    assert!(seen > 1, "something was appended meanwhile");
}
