//! What must be so after every fault, by a model that anyone can read in a minute: what was acknowledged is there once,
//! what was sent is there at most once, nothing else is there, and the root is that of the records, computed as RFC 6962
//! writes it.
//!
//! It shares no code with the ledger but the forms of records, notes and policies.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use counterfoil_ledger::{Ledger, LedgerError, Location, Options, Sealing, SystemClock, fsck};
use counterfoil_verify::checkpoint::{Checkpoint, Origin};
use counterfoil_verify::policy::Policy;
use counterfoil_verify::record;
use counterfoil_verify::tree::RecordIndex;
use sha2::{Digest, Sha256};

/// Where an event is, as its client was told: the index of its record, and the record's leaf hash.
pub type Place = (u64, Vec<u8>);

/// What the anchor holds: how many records, and their root.
///
/// # Panics
/// If it cannot be verified.
pub fn anchored(location: &Location) -> Checkpoint {
    let policy =
        Policy::parse(&std::fs::read(location.policy()).expect("a policy")).expect("a policy that can be read");
    let key = &policy.logs()[0].key;
    let origin = Origin::new(key.name().as_str()).expect("an origin");
    Checkpoint::open(&std::fs::read(&location.anchor).expect("an anchor"), &origin, key).expect("a signed anchor")
}

/// Checks a ledger that no process has: `sent` are the ids of all events, in no order, and `acknowledged` says of some of
/// them where they are. Gives how many of those that were not acknowledged are there all the same.
///
/// # Panics
/// If it is not as it must be.
#[track_caller]
pub fn check(location: &Location, sent: &[String], acknowledged: &BTreeMap<String, Place>) -> usize {
    let report =
        in_turn(location, || fsck(location, "a test", &mut |_, _| ())).unwrap_or_else(|error| panic!("{error}"));
    assert!(report.problem.is_none(), "{report:?}");
    let before = anchored(location);
    let ledger = open(location).unwrap_or_else(|error| panic!("{error}"));
    let (reader, after) = (ledger.reader(), anchored(location));
    let head = reader.head();
    assert_eq!((head.size, head.root), (after.size, after.root), "the anchor holds what readers see");

    let mut places: BTreeMap<String, Place> = BTreeMap::new();
    let mut leaves: Vec<[u8; 32]> = Vec::new();
    for index in 0..head.size.0 {
        let bytes = reader.record_bytes(RecordIndex(index)).unwrap_or_else(|error| panic!("{error}"));
        let record = record::decode(&bytes).unwrap_or_else(|error| panic!("record {index}: {error}"));
        if let Some(last) = leaves.last() {
            assert_eq!(record.prev, last, "record {index} is chained to the one before it");
        }
        leaves.push(leaf(&bytes));
        if let Some(provenance) = record.provenance {
            let known = places.insert(provenance.event_id.clone(), (index, leaf(&bytes).to_vec()));
            assert!(known.is_none(), "{} is there twice: {index}, {known:?}", provenance.event_id);
        }
    }
    let root = |size: u64| root(&leaves[..usize::try_from(size).expect("a size")]);
    assert_eq!(head.root.as_bytes(), &root(head.size.0), "the root over all records");
    assert_eq!(before.root.as_bytes(), &root(before.size.0), "the root that was anchored before");

    for (id, place) in acknowledged {
        assert_eq!(places.get(id), Some(place), "{id} was acknowledged");
    }
    let sent: BTreeSet<&String> = sent.iter().collect();
    let unsent: Vec<&String> = places.keys().filter(|id| !sent.contains(id)).collect();
    assert!(unsent.is_empty(), "nobody sent {unsent:?}");
    places.len() - acknowledged.len()
}

/// Opens a ledger.
///
/// # Errors
/// Why it does not open.
pub fn open(location: &Location) -> Result<Ledger, LedgerError> {
    in_turn(location, || {
        let options = Options {
            clock: Box::new(SystemClock::new()),
            accept_clock: false,
            holder: "a test".to_owned(),
            sealing: Sealing::Never,
        };
        Ledger::open(location, options)
    })
}

/// Takes what needs a ledger for itself. A process that another thread of the test is starting has for a moment what this
/// one has let go of.
///
/// # Errors
/// Why it is not taken.
pub fn in_turn<T>(location: &Location, mut take: impl FnMut() -> Result<T, LedgerError>) -> Result<T, LedgerError> {
    loop {
        match take() {
            Err(LedgerError::InUse { .. }) if location.wait_until_free(Duration::from_secs(10))? => {}
            taken => return taken,
        }
    }
}

/// RFC 6962, section 2.1: the hash of a leaf.
fn leaf(bytes: &[u8]) -> [u8; 32] {
    Sha256::new().chain_update([0]).chain_update(bytes).finalize().into()
}

/// RFC 6962, section 2.1: the hash of a list.
fn root(leaves: &[[u8; 32]]) -> [u8; 32] {
    match leaves {
        [] => Sha256::digest([]).into(),
        [leaf] => *leaf,
        _ => {
            let (left, right) = leaves.split_at(leaves.len().next_power_of_two() / 2);
            Sha256::new().chain_update([1]).chain_update(root(left)).chain_update(root(right)).finalize().into()
        }
    }
}
