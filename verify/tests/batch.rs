//! Many proofs under one checkpoint: what is shown, and that nothing else is.
#![allow(clippy::unwrap_used, reason = "a test stops where it fails")]

mod common;
mod support;

use std::collections::{BTreeMap, BTreeSet};

use counterfoil_proto::v1::{EntityProof, FactKind, Proof, Record, RecordProof, Seal, record::Body};
use counterfoil_verify::batch::{Batch, BatchError, check};
use counterfoil_verify::checkpoint::{Checkpoint, Origin};
use counterfoil_verify::entity::EntityId;
use counterfoil_verify::fact::entity_set;
use counterfoil_verify::hash::{Hash, LeafHash};
use counterfoil_verify::identifier::IndexKey;
use counterfoil_verify::map::memory::MemoryMap;
use counterfoil_verify::map::{EntityChain, Link, MapKey};
use counterfoil_verify::policy::Policy;
use counterfoil_verify::record::{encode, hash};
use counterfoil_verify::tree::{RecordIndex, TreeSize};
use prost::Message;
use support::{account, event, fact, group, record};

const SEAL: u64 = 9;

/// Records of three accounts, a seal, and a record after it; and the proofs of some of them.
struct Made {
    records: Vec<Vec<u8>>,
    leaves: Vec<LeafHash>,
    entities: BTreeMap<EntityId, Vec<u64>>,
    map: MemoryMap,
}

fn made() -> Made {
    let mut map = MemoryMap::default();
    let (mut records, mut entities) = (Vec::new(), BTreeMap::<EntityId, Vec<u64>>::new());
    for index in 0..11 {
        let facts = || {
            let subject = Some(account(&format!("00u{}", index % 3)));
            vec![counterfoil_proto::v1::Fact { subject, object: Some(group("00g1")), ..fact(FactKind::GrantAdded, 1) }]
        };
        let root = map.root().0.as_bytes().to_vec();
        let made = match index {
            // It has to be a record, and need not be record 0 to be proved.
            0 => record(1, 0, event(facts())),
            SEAL => {
                let seal = record(index, 9, Body::Seal(Seal { map_root: root, ..Seal::default() }));
                Record { provenance: None, commitment: Vec::new(), ..seal }
            }
            _ => record(index, index as i64, event(facts())),
        };
        let bytes = encode(&made).unwrap();
        let leaf = hash(&bytes);
        if index < SEAL {
            let link = |entity: &EntityId| Link { key: MapKey::of(entity), index: RecordIndex(index), leaf };
            let set = entity_set(&made);
            map.append(set.iter().map(link).collect());
            set.into_iter().for_each(|entity| entities.entry(entity).or_default().push(index));
        }
        records.push(bytes);
    }
    let leaves = records.iter().map(|bytes| hash(bytes)).collect();
    Made { records, leaves, entities, map }
}

impl Made {
    fn path(&self, index: u64) -> Vec<Vec<u8>> {
        let path = common::inclusion_path(index as usize, &self.leaves);
        path.iter().map(|hash| hash.as_bytes().to_vec()).collect()
    }

    fn proof(&self, records: &[u64], entities: &BTreeSet<EntityId>) -> Proof {
        let size = TreeSize(self.leaves.len() as u64);
        let root = common::tree_head(&self.leaves);
        let checkpoint = Checkpoint { origin: Origin::new(common::ORIGIN).unwrap(), size, root };
        let of_record = |index: &u64| RecordProof {
            index: *index,
            leaf: self.leaves[*index as usize].0.as_bytes().to_vec(),
            path: self.path(*index),
        };
        let of_entity = |entity: &EntityId| EntityProof {
            entity: entity.to_text(),
            count: self.entities.get(entity).map_or(0, |records| records.len() as u64),
            proof: self.map.prove(&MapKey::of(entity)).to_bytes(),
        };
        Proof {
            checkpoint: checkpoint.sign(&common::log_key()).unwrap().format(),
            covered: SEAL,
            seal: self.records[SEAL as usize].clone(),
            seal_path: self.path(SEAL),
            records: records.iter().map(of_record).collect(),
            entities: entities.iter().map(of_entity).collect(),
        }
    }
}

fn policy() -> Policy {
    Policy::of_log(common::log_key().verifier_key(), IndexKey::new([5; 32]))
}

fn entity(id: &str) -> EntityId {
    EntityId::new(counterfoil_proto::v1::EntityKind::Account, "okta", "acme", id).unwrap()
}

/// All that there is to prove: each record, whoever has records, and somebody who has none.
fn whole(made: &Made) -> Proof {
    let mut entities: BTreeSet<EntityId> = made.entities.keys().cloned().collect();
    entities.insert(entity("nobody"));
    made.proof(&(0..11).collect::<Vec<_>>(), &entities)
}

#[test]
fn records_and_histories_are_shown() {
    let made = made();
    let (policy, proof) = (policy(), whole(&made));
    let Batch { attested, covered, records, entities } = check(&proof, &policy).unwrap();
    assert_eq!((attested.checkpoint.size, covered), (TreeSize(11), Some(TreeSize(SEAL))));
    assert!(records.iter().map(|(index, leaf)| (index.0, *leaf)).eq((0..).zip(made.leaves.iter().copied())));
    for (entity, chain) in &entities {
        let indexes = made.entities.get(entity).cloned().unwrap_or_default();
        let chained = indexes
            .iter()
            .fold(EntityChain::EMPTY, |chain, index| chain.append(RecordIndex(*index), made.leaves[*index as usize]));
        assert_eq!(chain.unwrap_or(EntityChain::EMPTY), chained, "{entity}");
    }
    assert_eq!(entities[&entity("nobody")], None);
    assert_eq!(entities.len(), made.entities.len() + 1);
    // Without a seal there is nothing to be said of entities.
    let alone = Proof { covered: 0, seal: Vec::new(), seal_path: Vec::new(), entities: Vec::new(), ..proof };
    assert_eq!(check(&alone, &policy).unwrap().covered, None);
}

#[test]
fn nothing_else_is_shown() {
    let made = made();
    let (policy, proof) = (policy(), whole(&made));
    let reject = |change: &dyn Fn(&mut Proof)| {
        let mut changed = proof.clone();
        change(&mut changed);
        check(&changed, &policy).expect_err("it was changed")
    };
    let is_place = |error: BatchError| matches!(error, BatchError::Place { .. });
    assert!(is_place(reject(&|proof| proof.records[3].index = 4)), "mixed-up index");
    assert!(is_place(reject(&|proof| proof.records[3].leaf = proof.records[4].leaf.clone())), "swapped record");
    assert!(is_place(reject(&|proof| drop(proof.records[3].path.pop()))), "short path");
    assert!(is_place(reject(&|proof| proof.seal_path.swap(0, 1))), "another path");
    assert!(matches!(reject(&|proof| proof.records[3].leaf.truncate(31)), BatchError::Hash(_)));
    assert!(matches!(reject(&|proof| proof.seal = made.records[8].clone()), BatchError::Seal { .. }), "another record");
    assert!(matches!(reject(&|proof| proof.covered = 8), BatchError::Seal { index: 8, .. }), "another place");
    let is_no_seal = reject(&|proof| (proof.covered, proof.seal) = (8, made.records[8].clone()));
    assert!(matches!(is_no_seal, BatchError::Seal { .. }), "no seal");
    assert!(matches!(reject(&|proof| proof.seal.clear()), BatchError::Record(_)), "no seal at all");
    assert!(matches!(reject(&|proof| proof.entities[0].count += 1), BatchError::Count { .. }), "another count");
    let names_other = |proof: &mut Proof| proof.entities[0].entity = entity("nobody").to_text();
    assert!(matches!(reject(&names_other), BatchError::Map { .. } | BatchError::Count { .. }), "swapped entity");
    assert!(matches!(reject(&|proof| proof.entities[0].entity.clear()), BatchError::Entity(_)));
    let other = Policy::of_log(
        counterfoil_verify::note::SigningKey::from_seed(common::key_name(common::ORIGIN), &[9; 32]).verifier_key(),
        IndexKey::new([5; 32]),
    );
    assert!(matches!(check(&proof, &other), Err(BatchError::Checkpoint(_))), "another key");
}

/// Whatever bit turns over: what is shown after that is what was shown before.
#[test]
fn a_bit_that_turns_over_shows_nothing_new() {
    let made = made();
    let (policy, proof) = (policy(), made.proof(&[2, 5], &BTreeSet::from([entity("00u1"), entity("nobody")])));
    let shown = check(&proof, &policy).unwrap();
    for (at, bytes) in common::bit_flips(&proof.encode_to_vec()) {
        let Ok(changed) = Proof::decode(bytes.as_slice()) else { continue };
        let Ok(now) = check(&changed, &policy) else { continue };
        let count = |chain: &Option<EntityChain>| chain.map_or(0, |chain| chain.count);
        let has = |entity: &EntityId| made.entities.get(entity).map_or(0, |records| records.len() as u64);
        assert!(now.records.iter().all(|(index, leaf)| made.leaves[index.0 as usize] == *leaf), "byte {at}");
        assert!(now.entities.iter().all(|(entity, chain)| count(chain) == has(entity)), "byte {at}");
        assert_eq!(now.attested.checkpoint, shown.attested.checkpoint, "byte {at}");
    }
    assert_ne!(shown.records[&RecordIndex(2)], LeafHash(Hash::from_slice(&[0; 32]).unwrap()));
}
