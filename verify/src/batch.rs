//! Many proofs under one checkpoint, as an answer carries them.
//!
//! Owns the check: that the policy accepts the checkpoint, that each record is in its tree, and what the map of a seal in it
//! says of each entity. What an answer says of these records it does not judge: `evidence` does, from the records themselves.

use std::collections::BTreeMap;

use counterfoil_proto::v1::{EntityProof, Proof, RecordProof, record::Body};

use crate::attest::{AttestError, Attested};
use crate::entity::{EntityError, EntityId};
use crate::hash::{Hash, HashError, LeafHash, leaf_hash};
use crate::map::proof::{MapProof, MapProofError};
use crate::map::{EntityChain, MapRoot};
use crate::policy::Policy;
use crate::proof::{ProofError, verify_inclusion};
use crate::record::{RecordError, decode};
use crate::tree::{RecordIndex, TreeSize};

/// What such proofs show.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Batch<'p> {
    /// The checkpoint, and who stands behind it.
    pub attested: Attested<'p>,
    /// The records that the seal covers: what is said of entities is said of these. None where there is no seal.
    pub covered: Option<TreeSize>,
    /// The leaf hash of each record.
    pub records: BTreeMap<RecordIndex, LeafHash>,
    /// How many records each entity has, with the head of the chain over them; none where it has no record.
    pub entities: BTreeMap<EntityId, Option<EntityChain>>,
}

/// Why proofs are rejected.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BatchError {
    /// The checkpoint.
    #[error("check the checkpoint of the proofs")]
    Checkpoint(#[from] AttestError),
    /// A hash has another length.
    #[error("read a hash of the proofs")]
    Hash(#[from] HashError),
    /// A record is not shown to be in the tree.
    #[error("check the place of record {index}")]
    Place {
        /// Which.
        index: u64,
        /// Why not.
        source: ProofError,
    },
    /// The seal is no record, or none of a seal.
    #[error("expected the seal at record {index}, got {got}: reject the proofs")]
    Seal {
        /// Where it is said to be.
        index: u64,
        /// What is there.
        got: String,
    },
    /// The bytes of the seal.
    #[error("read the seal of the proofs")]
    Record(#[from] RecordError),
    /// What is said to be the id of an entity.
    #[error("read the id of an entity of the proofs")]
    Entity(#[from] EntityError),
    /// What the map says.
    #[error("check what the map says of {entity}")]
    Map {
        /// Of whom.
        entity: EntityId,
        /// Why that is not so.
        source: MapProofError,
    },
    /// How many records an entity is said to have is not what the map says.
    #[error("expected the {expected} records that the map has of {entity}, got {got}: reject the proofs")]
    Count {
        /// Of whom.
        entity: EntityId,
        /// By the map.
        expected: u64,
        /// By the proofs.
        got: u64,
    },
}

/// Checks proofs by a policy.
///
/// # Errors
/// [`BatchError`]; nothing is shown then.
pub fn check<'p>(proof: &Proof, policy: &'p Policy) -> Result<Batch<'p>, BatchError> {
    let Proof { checkpoint, covered, seal, seal_path, records, entities } = proof;
    let attested = Attested::open(checkpoint, policy)?;
    let placed = |index: u64, leaf: LeafHash, path: &[Vec<u8>]| -> Result<(), BatchError> {
        let path = path.iter().map(|hash| Hash::from_slice(hash)).collect::<Result<Vec<_>, _>>()?;
        let (size, root) = (attested.checkpoint.size, attested.checkpoint.root);
        verify_inclusion(leaf, RecordIndex(index), size, &path, root)
            .map_err(|source| BatchError::Place { index, source })
    };
    let mut of_records = BTreeMap::new();
    for RecordProof { index, leaf, path } in records {
        let leaf = LeafHash(Hash::from_slice(leaf)?);
        placed(*index, leaf, path)?;
        of_records.insert(RecordIndex(*index), leaf);
    }
    let mut of_entities = BTreeMap::new();
    let has_seal = !seal.is_empty() || !entities.is_empty();
    if has_seal {
        let record = decode(seal)?;
        let got = |what: String| BatchError::Seal { index: *covered, got: what };
        if record.index != *covered {
            return Err(got(format!("record {}", record.index)));
        }
        let Some(Body::Seal(said)) = &record.body else { return Err(got("another record".to_owned())) };
        placed(*covered, leaf_hash(seal), seal_path)?;
        let root = MapRoot(Hash::from_slice(&said.map_root)?);
        for EntityProof { entity, count, proof } in entities {
            let entity: EntityId = entity.parse()?;
            let map = |source| BatchError::Map { entity: entity.clone(), source };
            let chain = MapProof::from_bytes(proof).and_then(|proof| proof.verify(root, &entity)).map_err(map)?;
            let expected = chain.map_or(0, |chain| chain.count);
            if expected != *count {
                return Err(BatchError::Count { entity, expected, got: *count });
            }
            of_entities.insert(entity, chain);
        }
    }
    let covered = has_seal.then_some(TreeSize(*covered));
    Ok(Batch { attested, covered, records: of_records, entities: of_entities })
}
