//! One copy of a ledger moves its anchor at a time, and whoever takes over has everything that was acknowledged.
#![allow(clippy::unwrap_used, reason = "a test stops where it fails")]

mod common;

use std::fs;

use common::*;
use counterfoil_ledger::{Ledger, LedgerError, Location, Options, Reader, Replica, Row, Sealing, init};
use counterfoil_verify::policy::Policy;
use counterfoil_verify::tree::RecordIndex;
use prost::Message;
use tempfile::TempDir;

/// A standby of a ledger: a folder of its own, the same keys, the same anchor.
struct Standby {
    _folder: TempDir,
    location: Location,
    policy: Policy,
}

impl Standby {
    fn of(home: &Home) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let location = Location::new(&folder.path().join("standby"), Some(&home.location.anchor));
        let policy = Policy::parse(&fs::read(home.location.policy()).unwrap()).unwrap();
        copy_folder(&home.part("keys"), &location.data.join("keys"));
        Self { _folder: folder, location, policy }
    }

    fn open(&self) -> Replica {
        let replica = Replica::open(&self.location, &self.policy, "a standby").unwrap();
        replica.standing_by(&self.location, &mut |bytes| bytes.fill(9)).unwrap()
    }

    /// Copies what an owner shows.
    fn copy(&self, replica: &mut Replica, reader: &Reader) {
        let from = replica.size().0;
        let rows = reader.entries(from..u64::MAX).zip(from..).map(|(entry, index)| {
            let entry = entry.unwrap();
            let beside = entry.beside.map(|beside| beside.encode_to_vec());
            Row::check(RecordIndex(index), entry.record.encode_to_vec(), beside).unwrap()
        });
        replica.take(rows.collect()).unwrap();
        replica.confirm(&reader.head().checkpoint).unwrap();
    }

    fn own(&self, home: &Home) -> Result<Ledger, LedgerError> {
        let options = Options {
            clock: Box::new(home.clock.clone()),
            accept_clock: false,
            holder: "new".to_owned(),
            sealing: Sealing::Never,
        };
        Ledger::open(&self.location, options)
    }
}

#[test]
fn whoever_takes_over_has_all_that_was_acknowledged_and_the_former_owner_fails_at_the_anchor() {
    let home = Home::new(1);
    let standby = Standby::of(&home);
    let owner = home.open();
    owner.append(batch_over(0..30, numbered(0..30))).unwrap();
    owner.append(batch_over(30..35, Vec::new())).unwrap();
    let mut replica = standby.open();
    standby.copy(&mut replica, &owner.reader());
    let seen = home.location.lease().unwrap();
    assert!(seen.is_some());
    replica.take_over(&standby.location, seen.as_ref()).unwrap();

    // The former owner is alive: it commits in its own folder, and acknowledges nothing.
    let before = owner.reader().head();
    let refused = owner.append(batch(numbered(100..110))).unwrap_err();
    assert!(matches!(refused, LedgerError::Held { .. }), "{refused}");
    assert!(matches!(owner.append(batch(numbered(110..111))), Err(LedgerError::Closed(_))));
    assert_eq!(owner.reader().head().checkpoint, before.checkpoint, "nobody is shown it");
    drop(owner);
    assert!(matches!(home.refusal(), LedgerError::Held { .. }));

    let new = standby.own(&home).unwrap();
    assert_eq!(told(&new.reader()), (0..30).map(|number| format!("event-{number}")).collect::<Vec<_>>());
    // As far as records tell, reading goes on where it was; what is read again is known.
    assert_eq!(new.reader().position(CHANNEL).unwrap().unwrap().next, 30);
    let receipt = new.append(batch_over(30..40, numbered(25..40))).unwrap();
    assert_eq!(receipt.outcomes[..5], (26..31).map(duplicate).collect::<Vec<_>>());
    assert_eq!(receipt.outcomes[5..], (31..41).map(recorded).collect::<Vec<_>>());
    drop(new);
    // It opens again and again, and the other one never.
    append(&standby.own(&home).unwrap(), numbered(200..201));
    assert!(matches!(home.refusal(), LedgerError::Held { .. }));
    let refused = Replica::open(&standby.location, &standby.policy, "a replica").err().unwrap();
    assert!(matches!(refused, LedgerError::NotAReplica { .. }), "{refused}");
}

#[test]
fn a_lease_is_not_taken_from_the_living_nor_by_whoever_lacks_something() {
    let home = Home::new(1);
    let standby = Standby::of(&home);
    let owner = home.open();
    append(&owner, numbered(0..10));
    let mut replica = standby.open();
    standby.copy(&mut replica, &owner.reader());
    let seen = home.location.lease().unwrap();

    // Renewed since.
    while home.location.lease().unwrap() == seen {
        std::thread::yield_now();
    }
    assert!(matches!(replica.take_over(&standby.location, seen.as_ref()), Err(LedgerError::Renewed)));
    append(&owner, numbered(10..20));
    // Behind: the owner has acknowledged more than was copied.
    let lack = |owner: Ledger| {
        drop(owner);
        let seen = home.location.lease().unwrap();
        let refused = standby.open().take_over(&standby.location, seen.as_ref()).unwrap_err();
        assert!(matches!(refused, LedgerError::Behind { .. }), "{refused}");
        home.open()
    };
    let owner = lack(owner);
    append(&owner, numbered(20..30));
    let mut replica = standby.open();
    standby.copy(&mut replica, &owner.reader());
    drop(owner);

    // Without the keys, with those of another log, and with the right ones.
    let seen = home.location.lease().unwrap();
    let keys = standby.location.data.join("keys");
    fs::remove_dir_all(&keys).unwrap();
    assert!(matches!(replica.take_over(&standby.location, seen.as_ref()), Err(LedgerError::File { .. })));
    copy_folder(&Home::new(2).part("keys"), &keys);
    assert!(matches!(standby.open().take_over(&standby.location, seen.as_ref()), Err(LedgerError::Key { .. })));
    append(&home.open(), numbered(30..31));
    fs::remove_dir_all(&keys).unwrap();
    copy_folder(&home.part("keys"), &keys);
    let refused = standby.open().take_over(&standby.location, home.location.lease().unwrap().as_ref()).unwrap_err();
    assert!(matches!(refused, LedgerError::Behind { .. }), "one more was acknowledged: {refused}");
    let mut replica = standby.open();
    let owner = home.open();
    standby.copy(&mut replica, &owner.reader());
    drop(owner);
    replica.take_over(&standby.location, home.location.lease().unwrap().as_ref()).unwrap();
    // Whoever has the lease already goes on from there, whatever was seen: a standby that died while it took over.
    assert_eq!(standby.own(&home).unwrap().reader().head().size.0, 32);
    assert!(matches!(home.refusal(), LedgerError::Held { .. }));
}

#[test]
fn a_lease_that_a_power_cut_damaged_is_nobodys() {
    let home = Home::new(1);
    append(&home.open(), numbered(0..3));
    let file = home.location.anchor.with_added_extension("lease");
    let other = "counterfoil-lease v2 0123456789abcdef 00000000000000000001\n";
    for (damaged, fresh) in ["", "counterfoil-lease v1 00", other].into_iter().zip(90..) {
        fs::write(&file, damaged).unwrap();
        let owner = home.open();
        append(&owner, numbered(0..3));
        // While it is owned: nobody else may have written this, and it counts as lost.
        fs::write(&file, damaged).unwrap();
        let refused = owner.append(batch(numbered(fresh..fresh + 1))).unwrap_err();
        assert!(matches!(refused, LedgerError::Held { .. }), "{refused}");
    }
    fs::remove_file(&file).unwrap();
    append(&home.open(), numbered(3..4));
}

#[test]
fn a_lease_that_a_deleted_ledger_left_locks_nobody_out() {
    let home = Home::new(1);
    append(&home.open(), numbered(0..3));
    fs::remove_dir_all(&home.location.data).unwrap();
    fs::remove_file(&home.location.anchor).unwrap();
    fs::remove_file(home.location.policy()).unwrap();
    init(&home.location, ORIGIN, &home.clock, &mut |bytes| bytes.fill(3)).unwrap();
    append(&home.open(), numbered(0..3));
}
