//! What the map says about an entity, shown without the map.
//!
//! Owns the judgement of such a proof and its bytes. One form shows both: the way that the entity's key takes from the
//! root ends at its own leaf, or at another's, or in an empty map. From a root a key has one way, whoever made the
//! root: nobody can show two different answers.

use counterfoil_proto::v1;
use prost::Message;

use crate::entity::EntityId;
use crate::hash::{Hash, LeafHash};
use crate::map::{EntityChain, KEY_BITS, MapKey, MapRoot, branch_of, leaf_of};
use crate::tree::RecordIndex;

/// The most bytes of a proof: a branch at each bit, each a byte and a hash, the key and the chain at the end, and what
/// protobuf puts before them. A map of a million entities has proofs of about 760 bytes.
pub const MAP_PROOF_BYTES_MAX: usize = KEY_BITS as usize * 33 + 128;

/// What the map says about an entity.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MapProof {
    /// The branches on the way, from the root on: their bits ascend.
    pub path: Vec<Step>,
    /// What the way ends at.
    pub end: End,
}

/// A branch on the way.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Step {
    /// The bit in which its two sides differ.
    pub bit: u8,
    /// The root of the side that the way does not take.
    pub sibling: Hash,
}

/// What the way of a key ends at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum End {
    /// Nothing: the map has no entity.
    Empty,
    /// The entity that was asked for, with its chain.
    Entity(EntityChain),
    /// Another entity, and so the one that was asked for is not in the map.
    Other(MapKey, EntityChain),
}

/// Why a proof is rejected.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum MapProofError {
    /// More bytes than any proof has.
    #[error("expected a map proof of at most {limit} bytes, got {0}: reject it", limit = MAP_PROOF_BYTES_MAX)]
    TooLarge(usize),
    /// Other bytes than a proof in canonical form.
    #[error("expected a map proof in canonical form, got something else: {0}")]
    Form(&'static str),
    /// The bits of the path do not ascend.
    #[error("expected the bits of the path to ascend, got {after} after {before}: reject the proof")]
    Order {
        /// The bit before.
        before: u8,
        /// The one after it.
        after: u8,
    },
    /// The other entity is the one that was asked for, or does not stand on its way.
    #[error("expected another entity on the way of the one that was asked for: reject the proof")]
    OtherWay,
    /// It leads to another root.
    #[error("expected the map root {expected}, got {found}: reject the proof")]
    Root {
        /// The root that the caller brought.
        expected: Hash,
        /// The root that the proof leads to.
        found: Hash,
    },
    /// The records are out of order, or one is there twice.
    #[error("expected record {after} before record {before}: give each record once, in the order of the log")]
    Records {
        /// The record before.
        before: RecordIndex,
        /// The one after it.
        after: RecordIndex,
    },
    /// The records are not all that the entity has.
    #[error("expected the {expected} records of the entity, got {found} that are not those: its history is incomplete")]
    Incomplete {
        /// How many there are.
        expected: u64,
        /// How many were given.
        found: u64,
    },
}

impl MapProof {
    /// Checks the proof about an entity. Gives its chain, or none if it is shown not to be in the map.
    ///
    /// # Errors
    /// [`MapProofError`]; nothing is proved then.
    pub fn verify(&self, root: MapRoot, entity: &EntityId) -> Result<Option<EntityChain>, MapProofError> {
        self.verify_key(root, &MapKey::of(entity))
    }

    /// The same, about a key.
    ///
    /// # Errors
    /// [`MapProofError`]; nothing is proved then.
    pub fn verify_key(&self, root: MapRoot, key: &MapKey) -> Result<Option<EntityChain>, MapProofError> {
        for (before, after) in self.path.iter().zip(self.path.iter().skip(1)) {
            if before.bit >= after.bit {
                return Err(MapProofError::Order { before: before.bit, after: after.bit });
            }
        }
        let (start, answer) = match &self.end {
            End::Empty if self.path.is_empty() => (MapRoot::empty().0, None),
            End::Empty => return Err(MapProofError::Form("a path that ends at nothing")),
            End::Entity(chain) => (leaf_of(key, chain), Some(*chain)),
            End::Other(other, chain) => {
                let is_on_the_way =
                    other != key && self.path.iter().all(|step| other.bit(step.bit.into()) == key.bit(step.bit.into()));
                if !is_on_the_way {
                    return Err(MapProofError::OtherWay);
                }
                (leaf_of(other, chain), None)
            }
        };
        let found = self.path.iter().rev().fold(start, |below, step| match key.bit(step.bit.into()) {
            false => branch_of(step.bit, below, step.sibling),
            true => branch_of(step.bit, step.sibling, below),
        });
        if found == root.0 { Ok(answer) } else { Err(MapProofError::Root { expected: root.0, found }) }
    }

    /// Checks that these are all records of an entity, in their order; of one that is not in the map, none.
    ///
    /// # Errors
    /// [`MapProofError`]; nothing is proved then.
    pub fn verify_complete(
        &self,
        root: MapRoot,
        entity: &EntityId,
        records: impl IntoIterator<Item = (RecordIndex, LeafHash)>,
    ) -> Result<(), MapProofError> {
        let expected = self.verify(root, entity)?.unwrap_or(EntityChain::EMPTY);
        let (mut found, mut last) = (EntityChain::EMPTY, None);
        for (index, leaf) in records {
            if let Some(before) = last.replace(index).filter(|before| *before >= index) {
                return Err(MapProofError::Records { before, after: index });
            }
            found = found.append(index, leaf);
        }
        let incomplete = MapProofError::Incomplete { expected: expected.count, found: found.count };
        if found == expected { Ok(()) } else { Err(incomplete) }
    }

    /// The bytes of the proof: `counterfoil.v1.MapProof`.
    pub fn to_bytes(&self) -> Vec<u8> {
        let (key, chain) = match &self.end {
            End::Empty => (Vec::new(), None),
            End::Entity(chain) => (Vec::new(), Some(chain)),
            End::Other(key, chain) => (key.0.as_bytes().to_vec(), Some(chain)),
        };
        let message = v1::MapProof {
            bits: self.path.iter().map(|step| step.bit).collect(),
            siblings: self.path.iter().flat_map(|step| *step.sibling.as_bytes()).collect(),
            key,
            count: chain.map_or(0, |chain| chain.count),
            head: chain.map_or_else(Vec::new, |chain| chain.head.as_bytes().to_vec()),
        };
        message.encode_to_vec()
    }

    /// Reads a proof. Accepts exactly the bytes that [`MapProof::to_bytes`] gives for one whose bits ascend.
    ///
    /// # Errors
    /// [`MapProofError::TooLarge`], [`MapProofError::Form`] or [`MapProofError::Order`].
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, MapProofError> {
        if bytes.len() > MAP_PROOF_BYTES_MAX {
            return Err(MapProofError::TooLarge(bytes.len()));
        }
        let message = v1::MapProof::decode(bytes).map_err(|_| MapProofError::Form("no such message"))?;
        if message.encode_to_vec() != bytes {
            return Err(MapProofError::Form("another spelling"));
        }
        let hash = |bytes: &[u8]| Hash::from_slice(bytes).map_err(|_| MapProofError::Form("a hash is not 32 bytes"));
        let siblings = message.siblings.chunks(Hash::LENGTH).map(hash).collect::<Result<Vec<Hash>, _>>()?;
        if siblings.len() != message.bits.len() {
            return Err(MapProofError::Form("bits and siblings do not match"));
        }
        if let Some(pair) = message.bits.windows(2).find(|pair| pair[0] >= pair[1]) {
            return Err(MapProofError::Order { before: pair[0], after: pair[1] });
        }
        let path = message.bits.iter().zip(siblings).map(|(&bit, sibling)| Step { bit, sibling }).collect();
        let end = match (message.key.is_empty(), message.count) {
            (true, 0) if message.head.is_empty() && message.bits.is_empty() => End::Empty,
            (_, 0) => return Err(MapProofError::Form("an entity without records")),
            (true, count) => End::Entity(EntityChain { count, head: hash(&message.head)? }),
            (false, count) => {
                End::Other(MapKey(hash(&message.key)?), EntityChain { count, head: hash(&message.head)? })
            }
        };
        Ok(Self { path, end })
    }
}

impl End {
    /// What the way of a key ends at, where that is this leaf.
    pub(crate) fn of(key: &MapKey, found: MapKey, chain: EntityChain) -> Self {
        if found == *key { Self::Entity(chain) } else { Self::Other(found, chain) }
    }
}
