//! New incarnations: what is left of a log goes on under a new name, and gives back what was signed under the old one.
#![allow(clippy::unwrap_used, reason = "a test stops where it fails")]

mod common;

use std::fs;
use std::time::Duration;

use common::*;
use counterfoil_ledger::{
    Incarnated, IncarnationOrder, KnownRedactions, Ledger, LedgerError, Location, Loss, Options, PreparedEvent,
    Sealing, fsck, incarnate,
};
use counterfoil_proto::v1::{RedactedParts, record::Body};
use counterfoil_verify::policy::Policy;
use counterfoil_verify::record;
use counterfoil_verify::tree::TreeSize;

const SECOND: &str = "tests.example/ledger/2";

fn order(from: &Home, origin: &str) -> IncarnationOrder {
    IncarnationOrder {
        from: from.location.clone(),
        keys: None,
        redactions: KnownRedactions::BesideTheAnchor,
        origin: origin.to_owned(),
        patience: Duration::ZERO,
        holder: "a test".to_owned(),
    }
}

/// An event that says so, and a redaction for each that was lost.
fn declared(loss: &Loss) -> Vec<PreparedEvent> {
    let repeated = (0..).zip(&loss.redactions).map(|(number, removed)| {
        let range = |RedactedParts { first, records, parts }: &RedactedParts| (*first, *records, parts.clone());
        let removed: Vec<(u64, u64, Vec<u32>)> = removed.iter().map(range).collect();
        let removed: Vec<(u64, u64, &[u32])> =
            removed.iter().map(|(first, records, parts)| (*first, *records, parts.as_slice())).collect();
        redaction(900 + number, &removed)
    });
    std::iter::once(event(&format!("incarnation-{}", loss.left.size), 800)).chain(repeated).collect()
}

fn declare(order: &IncarnationOrder, home: &Home) -> (Home, Result<Incarnated, LedgerError>) {
    let folder = tempfile::tempdir().unwrap();
    let location = Location::new(&folder.path().join("ledger"), None);
    let mut byte = 77u8;
    let entropy = &mut |bytes: &mut [u8]| {
        bytes.fill_with(|| {
            byte = byte.wrapping_mul(5).wrapping_add(3);
            byte
        })
    };
    let done = incarnate(order, &location, &mut |_, loss| Ok(declared(loss)), (&home.clock, entropy), &mut |_, _| ());
    (Home { folder, location, clock: home.clock.clone() }, done)
}

/// The same home with the anchor, and what lies beside it, of one that went on: a copy that was brought back.
fn left_behind(copy: &Home, ahead: &Home) {
    for file in ["ledger.anchor", "ledger.anchor.redactions"] {
        fs::copy(ahead.folder.path().join(file), copy.folder.path().join(file)).unwrap();
    }
}

fn open(home: &Home, sealing: Sealing) -> Ledger {
    let options =
        Options { clock: Box::new(home.clock.clone()), accept_clock: false, holder: "a test".into(), sealing };
    Ledger::open(&home.location, options).unwrap()
}

fn checked(home: &Home) -> (u64, u64, String) {
    let report = fsck(&home.location, "a test", &mut |_, _| ()).unwrap();
    (report.records, report.redacted, report.problem.map(|problem| problem.what).unwrap_or_default())
}

fn problem(home: &Home) -> String {
    checked(home).2
}

#[test]
fn what_is_left_goes_on_under_a_new_name() {
    let home = Home::new(1);
    let ledger = open(&home, Sealing::AtTheEnd);
    ledger.append(batch_over(0..6, numbered(0..6))).unwrap();
    append(&ledger, vec![about("log", 1, &[1, 2]), about("other", 2, &[2])]);
    append(&ledger, vec![redaction(70, &[(6, 1, &[0])])]);
    append(&ledger, numbered(0..2));
    drop(ledger);
    let old = home.copy();
    let records = bytes(&old.copy().open().reader());
    let size = records.len() as u64;
    let ledger = open(&home, Sealing::AtTheEnd);
    append(&ledger, numbered(6..9));
    append(&ledger, vec![redaction(71, &[(2, 2, &[0]), (size, 2, &[0])]), redaction(72, &[(size, 1, &[0])])]);
    drop(ledger);
    left_behind(&old, &home);
    assert!(matches!(old.refusal(), LedgerError::Behind { .. }));

    let (new, done) = declare(&order(&old, SECOND), &home);
    let Incarnated { checkpoint, loss } = done.unwrap();
    let known = home.anchored();
    assert_eq!((loss.left.size, loss.known, checkpoint.size), (TreeSize(size), known.clone(), TreeSize(size + 2)));
    // The second redaction was of what is lost itself.
    assert_eq!(loss.redactions, [[RedactedParts { first: 2, records: 2, parts: vec![0] }]]);
    assert_eq!(checked(&new), (size + 2, 3, String::new()));
    assert!(!new.part("restoring").exists());

    let ledger = open(&new, Sealing::AtTheEnd);
    assert_eq!(ledger.caught_up(), 0);
    let renewed = bytes(&ledger.reader());
    for (ours, theirs) in renewed.iter().zip(&records).skip(1) {
        let (ours, theirs) = (record::decode(ours).unwrap(), record::decode(theirs).unwrap());
        assert_eq!(
            (ours.index, ours.recorded_at, ours.commitment),
            (theirs.index, theirs.recorded_at, theirs.commitment)
        );
        assert_eq!(ours.provenance, theirs.provenance);
    }
    let Some(Body::Origin(first)) = record::decode(&renewed[0]).unwrap().body else { panic!("record 0") };
    let predecessor = first.predecessor.unwrap();
    assert_eq!((first.origin.as_str(), predecessor.origin.as_str(), predecessor.size), (SECOND, ORIGIN, size));
    assert_eq!((predecessor.known_size, predecessor.known_root), (known.size.0, known.root.as_bytes().to_vec()));
    assert_eq!(predecessor.first_record, records[0]);
    let there: Vec<bool> = (1..7).map(|index| payload(&ledger.reader(), index).is_some()).collect();
    assert_eq!(there, [true, false, false, true, true, false]);
    // What it knows and where it stands came along; what was lost comes again.
    assert_eq!(ledger.reader().position(CHANNEL).unwrap().unwrap().next, 6);
    assert_eq!(ledger.reader().duplicates().unwrap().iter().map(|(_, count)| count).sum::<u64>(), 2);
    assert_eq!(append(&ledger, numbered(5..7)).outcomes, [duplicate(6), recorded(size + 2)]);
    drop(ledger);
    assert_eq!(problem(&new), "", "with a seal behind the old ones");
    // A name, a key and a policy of its own; the key of tokens is the same.
    let policy = |home: &Home| Policy::parse(&fs::read(home.location.policy()).unwrap()).unwrap();
    let (ours, theirs) = (policy(&new), policy(&home));
    assert_eq!(ours.logs()[0].key.name().as_str(), SECOND);
    assert_ne!(ours.logs()[0].key.public_key(), theirs.logs()[0].key.public_key());
    assert_eq!(ours.index_key().unwrap().as_bytes(), theirs.index_key().unwrap().as_bytes());
    // The old folder is as it was, and its lease is gone for good.
    assert!(matches!(old.refusal(), LedgerError::Held { .. }));
    assert_eq!(old.anchor(), home.anchor());
}

#[test]
fn a_second_loss_is_a_third_name() {
    let home = Home::new(1);
    append(&open(&home, Sealing::AtTheEnd), numbered(0..4));
    let (second, done) = declare(&order(&home, SECOND), &home);
    let done = done.unwrap();
    assert_eq!(done.loss.left, done.loss.known, "nothing is known to be lost");
    append(&open(&second, Sealing::AtTheEnd), numbered(4..6));
    for name in [ORIGIN, SECOND] {
        let refused = declare(&order(&second, name), &home).1.unwrap_err();
        assert!(matches!(refused, LedgerError::Incarnation { .. }), "{refused}");
    }
    let (third, done) = declare(&order(&second, "tests.example/ledger/3"), &home);
    assert_eq!(done.unwrap().loss.left.size, TreeSize(checked(&second).0));
    assert_eq!(problem(&third), "");
    append(&open(&third, Sealing::AtTheEnd), numbered(6..7));
    assert_eq!(problem(&third), "");
}

#[test]
fn nothing_is_declared_of_what_was_not_signed() {
    let home = Home::new(1);
    append(&home.open(), numbered(0..5));
    let (other, behind) = (home.copy(), home.copy());
    append(&other.open(), numbered(100..104));
    append(&home.open(), numbered(5..7));
    // Another history than the anchor's.
    left_behind(&other, &home);
    let (nothing, refused) = declare(&order(&other, SECOND), &home);
    assert!(matches!(refused, Err(LedgerError::Beside { anchored: TreeSize(8) })), "{refused:?}");
    assert!(!nothing.location.data.exists() && !nothing.location.anchor.exists());
    // An anchor of another log, none, and none of the redactions.
    left_behind(&behind, &home);
    let list = behind.location.anchor.with_added_extension("redactions");
    let kept = fs::read(&list).unwrap();
    fs::remove_file(&list).unwrap();
    assert!(matches!(declare(&order(&behind, SECOND), &home).1, Err(LedgerError::Redactions { .. })));
    fs::write(&list, kept).unwrap();
    let foreign = Home::new(2);
    fs::copy(&foreign.location.anchor, &behind.location.anchor).unwrap();
    assert!(matches!(declare(&order(&behind, SECOND), &home).1, Err(LedgerError::Anchor { .. })));
    fs::remove_file(&behind.location.anchor).unwrap();
    assert!(matches!(declare(&order(&behind, SECOND), &home).1, Err(LedgerError::Anchor { .. })));
    // Somebody who owns it still.
    left_behind(&behind, &home);
    let owner = home.open();
    let shared = IncarnationOrder {
        from: Location::new(&behind.location.data, Some(&home.location.anchor)),
        patience: Duration::from_millis(1_300),
        ..order(&behind, SECOND)
    };
    let refused = declare(&shared, &home).1;
    assert!(matches!(refused, Err(LedgerError::InUse { .. })), "{refused:?}");
    append(&owner, numbered(7..8));
    drop(owner);
    // And nothing is overwritten.
    let refused = declare(&order(&behind, SECOND), &home);
    refused.1.unwrap();
    let again = incarnate(
        &order(&behind, SECOND),
        &refused.0.location,
        &mut |_, loss| Ok(declared(loss)),
        (&home.clock, &mut |_| panic!("no key is made")),
        &mut |_, _| (),
    );
    assert!(matches!(again, Err(LedgerError::Exists { .. })), "{again:?}");
}

/// Whoever changes what a log goes on from is found by whoever reads it: record 0 says what it was.
#[test]
fn a_predecessor_that_never_was_is_found() {
    let home = Home::new(1);
    append(&home.open(), numbered(0..5));
    let honest = declare(&order(&home, SECOND), &home);
    honest.1.unwrap();
    assert_eq!(problem(&honest.0), "");
    // The liar has another history under the same name and key, and says that the signed one is what is left.
    let liar = Home::new(1);
    append(&liar.open(), numbered(100..105));
    let (new, done) = declare(&order(&liar, SECOND), &home);
    done.unwrap();
    let log = rocksdb_of(&new);
    let records = log.cf_handle("records").unwrap();
    let mut first = record::decode(&log.get_cf(records, 0u64.to_be_bytes()).unwrap().unwrap()).unwrap();
    let Some(Body::Origin(origin)) = &mut first.body else { panic!("record 0") };
    let predecessor = origin.predecessor.as_mut().unwrap();
    predecessor.root = home.anchored().root.as_bytes().to_vec();
    // All of it is chained anew, and signed.
    let forged = record::encode(&first).unwrap();
    let mut chained = counterfoil_verify::incarnation::Rechained::from(&forged).unwrap();
    log.put_cf(records, 0u64.to_be_bytes(), &forged).unwrap();
    for index in 1..7u64 {
        let record = record::decode(&log.get_cf(records, index.to_be_bytes()).unwrap().unwrap()).unwrap();
        log.put_cf(records, index.to_be_bytes(), chained.put(record).unwrap()).unwrap();
    }
    let mut edge = vec![1];
    edge.extend_from_slice(&chained.size().0.to_be_bytes());
    chained.frontier().hashes().iter().for_each(|hash| edge.extend_from_slice(hash.as_bytes()));
    log.put("edge", edge).unwrap();
    drop(log);
    let seed = fs::read_to_string(new.part("keys").join("log.key")).unwrap();
    let seed = seed.split(' ').nth(3).unwrap();
    use base64::prelude::{BASE64_STANDARD, Engine};
    let seed: [u8; 32] = BASE64_STANDARD.decode(seed).unwrap().try_into().unwrap();
    let origin = counterfoil_verify::checkpoint::Origin::new(SECOND).unwrap();
    let key = counterfoil_verify::note::SigningKey::from_seed(origin.key_name(), &seed);
    let signed = counterfoil_verify::checkpoint::Checkpoint { origin, size: chained.size(), root: chained.root() };
    fs::write(&new.location.anchor, signed.sign(&key).unwrap().format()).unwrap();
    let found = problem(&new);
    assert!(found.contains("what it says of the log tests.example/ledger is not so"), "{found}");
}

fn rocksdb_of(home: &Home) -> rocksdb::DB {
    let (options, path) = (rocksdb::Options::default(), home.part("log"));
    let families = rocksdb::DB::list_cf(&options, &path).unwrap();
    let families =
        families.into_iter().map(|name| rocksdb::ColumnFamilyDescriptor::new(name, rocksdb::Options::default()));
    rocksdb::DB::open_cf_descriptors(&options, &path, families).unwrap()
}
