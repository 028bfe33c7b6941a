//! The entity map: of each entity how many records it has, and a hash chain over them, all under one root.
//!
//! Owns the bytes that are hashed: keys, chains, leaves, branches, and so the root. Which records an entity has is the
//! word of [`entity_set`](crate::fact::entity_set); that a root is the right one, that of whoever computed it from all
//! records.
//!
//! ```text
//! key     H("counterfoil/map-key/v1", entity id)
//! head    H("counterfoil/entity/v1", head before it ‖ u64 index ‖ leaf hash); 32 zero bytes before the first record
//! leaf    H("counterfoil/map-leaf/v1", key ‖ u64 count ‖ head)
//! branch  H("counterfoil/map-branch/v1", u8 bit ‖ root of the keys with 0 there ‖ root of those with 1)
//! empty   H("counterfoil/map-empty/v1", "")
//! ```
//!
//! The root of one key is its leaf. The root of several is the branch at the first bit in which they differ (bit 0 is
//! the highest of the first byte). Nothing else goes in: it is the same in whatever order and in however many steps the
//! map was filled, and from a root every key leads to one leaf alone, whoever made the root.

use crate::entity::{EntityId, EntityName};
use crate::hash::{Hash, LeafHash, domain_hash};
use crate::tree::RecordIndex;

pub mod memory;
pub mod pages;
pub mod proof;

/// Bits of a key.
pub const KEY_BITS: u16 = 256;

/// Where an entity stands in the map: 32 bytes, spread evenly whatever the ids are.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct MapKey(pub Hash);

/// The root over a whole map.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct MapRoot(pub Hash);

/// How many records an entity has, and the chain over all of them in their order. Whoever has the records can compute
/// it, and nobody finds others with the same.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct EntityChain {
    /// How many records.
    pub count: u64,
    /// The hash over the last of them and the head before it; 32 zero bytes where there is none.
    pub head: Hash,
}

/// That a record belongs to an entity.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Link {
    /// The entity.
    pub key: MapKey,
    /// The record.
    pub index: RecordIndex,
    /// The hash of its bytes.
    pub leaf: LeafHash,
}

impl MapKey {
    /// The key of an entity.
    pub fn of(entity: &EntityId) -> Self {
        Self(domain_hash("counterfoil/map-key/v1", &[entity.as_bytes()]))
    }

    /// The key of an entity whose id is not made yet.
    pub(crate) fn of_name(name: EntityName<'_>) -> Self {
        Self(name.pieces(|pieces| domain_hash("counterfoil/map-key/v1", pieces)))
    }

    /// The bit at a position below [`KEY_BITS`]; 0 is the highest of the first byte.
    pub(crate) fn bit(&self, position: u16) -> bool {
        self.0.as_bytes()[usize::from(position / 8)] >> (7 - position % 8) & 1 == 1
    }

    /// The half-byte at a position below 64: a number from 0 to 15.
    pub(crate) fn half_byte(&self, position: u8) -> u8 {
        let byte = self.0.as_bytes()[usize::from(position / 2)];
        if position.is_multiple_of(2) { byte >> 4 } else { byte & 15 }
    }

    /// The first 64 bits.
    pub(crate) fn prefix(&self) -> u64 {
        self.0.as_bytes().first_chunk().map_or(0, |bytes| u64::from_be_bytes(*bytes))
    }

    /// The first bit in which two keys differ; [`KEY_BITS`] where they are the same.
    pub(crate) fn parting(&self, other: &Self) -> u16 {
        let pairs = self.0.as_bytes().iter().zip(other.0.as_bytes());
        (0..)
            .zip(pairs)
            .find(|(_, (one, other))| one != other)
            .map_or(KEY_BITS, |(byte, (one, other))| 8 * byte + (one ^ other).leading_zeros() as u16)
    }
}

impl EntityChain {
    /// Of an entity without records, which is in no map.
    pub const EMPTY: Self = Self { count: 0, head: Hash::from_bytes([0; Hash::LENGTH]) };

    /// The chain with one record more. The caller goes through the records in their order, and never twice.
    #[must_use]
    pub fn append(self, index: RecordIndex, leaf: LeafHash) -> Self {
        let parts: [&[u8]; 3] = [self.head.as_bytes(), &index.0.to_be_bytes(), leaf.0.as_bytes()];
        Self { count: self.count + 1, head: domain_hash("counterfoil/entity/v1", &parts) }
    }

    /// The chain with these records more, which are all of one entity and in their order.
    #[must_use]
    pub(crate) fn append_all(self, links: &[Link]) -> Self {
        links.iter().fold(self, |chain, link| chain.append(link.index, link.leaf))
    }
}

impl MapRoot {
    /// The root of the map without entities.
    pub fn empty() -> Self {
        Self(domain_hash("counterfoil/map-empty/v1", &[]))
    }
}

/// The hash of one entity and its chain.
pub(crate) fn leaf_of(key: &MapKey, chain: &EntityChain) -> Hash {
    domain_hash("counterfoil/map-leaf/v1", &[key.0.as_bytes(), &chain.count.to_be_bytes(), chain.head.as_bytes()])
}

/// The hash over two subtrees whose keys first differ in `bit`.
pub(crate) fn branch_of(bit: u8, zero: Hash, one: Hash) -> Hash {
    domain_hash("counterfoil/map-branch/v1", &[&[bit], zero.as_bytes(), one.as_bytes()])
}

/// The links whose keys have 0 at a position, and those that have 1: they are sorted, and agree before it.
pub(crate) fn split_at(links: &[Link], position: u16) -> (&[Link], &[Link]) {
    links.split_at(links.partition_point(|link| !link.key.bit(position)))
}
