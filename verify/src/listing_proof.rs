//! Whether something was in a listing, shown without the listing.
//!
//! Owns the making and the judgement of both proofs: that an item was listed, by its place in the tree; and that none
//! with a key was, by the two items between which it would stand. Count and root are from the end of the listing, a record
//! of the log. That the items are in order is the word of whoever wrote the root, which anybody with the whole list can
//! refute.

use std::convert::Infallible;

use counterfoil_proto::v1::fact::Detail;
use counterfoil_proto::v1::{Completeness, FactKind, GetListingProofResponse, ListedItem, Record, Snapshot};

use crate::batch::{self, Batch, BatchError};
use crate::hash::{Hash, HashError, LeafHash, leaf_hash};
use crate::listing::{Item, ItemKey, Listing, ListingError};
use crate::policy::Policy;
use crate::proof::{ProofError, verify_inclusion};
use crate::record::{RecordError, decode, event_of};
use crate::tree::{Frontier, NodeSource, RecordIndex, TreeSize, inclusion_proof};

/// What is shown about a key.
#[derive(Clone, Debug, PartialEq)]
pub struct Shown<'p> {
    /// The item, if it was listed.
    pub item: Option<Item>,
    /// Whether the listing says that it is complete. Otherwise what it did not see may be there all the same.
    pub is_complete: bool,
    /// The record of its end.
    pub end: Record,
    /// The checkpoint that this record is shown to be under.
    pub batch: Batch<'p>,
}

/// What the end of a listing commits to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ListingHead {
    /// How many items there are.
    pub count: u64,
    /// The root over them.
    pub root: Hash,
}

/// An item and its place in the tree.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Listed {
    /// The bytes of the item.
    pub item: Vec<u8>,
    /// Its place among the items, from 0.
    pub index: u64,
    /// The path to the root (RFC 6962, section 2.1.1).
    pub path: Vec<Hash>,
}

/// What a listing says about a key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ListingProof {
    /// It was listed.
    Present(Listed),
    /// It was not: these stand next to each other, and it would stand between them. None before the first, none after
    /// the last.
    Absent {
        /// The last item before it.
        before: Option<Listed>,
        /// The first item after it.
        after: Option<Listed>,
    },
}

/// Why such a proof is rejected.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ListingProofError {
    /// The bytes of an item.
    #[error("read an item of the proof")]
    Item(#[from] ListingError),
    /// The place in the tree.
    #[error("check the place of an item in the listing")]
    Place(#[from] ProofError),
    /// The record of the listing's end is not shown to be in the log.
    #[error("check the record of the listing's end")]
    End(#[from] BatchError),
    /// The bytes of that record.
    #[error("read the record of the listing's end")]
    Record(#[from] RecordError),
    /// It is the end of no listing, or another record than the one in the log.
    #[error("expected the record of a listing's end, as it is in the log, got another: reject the proof")]
    OtherRecord,
    /// A hash has another length.
    #[error("read a hash of the proof")]
    Hash(#[from] HashError),
    /// The item is another one than asked for.
    #[error("expected the item that was asked for, got another: reject the proof")]
    OtherItem,
    /// The two items are no neighbours, or not those of the key.
    #[error("expected two items next to each other with the key between them, got others: reject the proof")]
    NotBetween,
}

/// The number of the fact by which a listing ended, and what it says of the listing.
pub fn end_of(record: &Record) -> Option<(u32, &Snapshot)> {
    let facts = (0..).zip(&event_of(record)?.facts);
    facts.filter(|(_, fact)| fact.kind() == FactKind::SnapshotEnd).find_map(|(number, fact)| match &fact.detail {
        Some(Detail::Snapshot(snapshot)) => Some((number, snapshot)),
        _ => None,
    })
}

/// Checks what a server says of a key, by a policy.
///
/// # Errors
/// [`ListingProofError`]; nothing is proved then.
pub fn check<'p>(
    response: &GetListingProofResponse,
    key: &ItemKey,
    policy: &'p Policy,
) -> Result<Shown<'p>, ListingProofError> {
    let proof = response.basis.as_ref().and_then(|basis| basis.proof.as_ref()).ok_or(ListingProofError::OtherRecord)?;
    let batch = batch::check(proof, policy)?;
    let end = decode(&response.end)?;
    if batch.records.get(&RecordIndex(end.index)) != Some(&leaf_hash(&response.end)) {
        return Err(ListingProofError::OtherRecord);
    }
    let (_, said) = end_of(&end).ok_or(ListingProofError::OtherRecord)?;
    let head = ListingHead { count: said.count, root: Hash::from_slice(&said.root)? };
    let is_complete = said.completeness() == Completeness::Complete;
    let read = |item: &Option<ListedItem>| item.as_ref().map(Listed::read).transpose();
    let proof = match read(&response.listed)? {
        Some(listed) => ListingProof::Present(listed),
        None => ListingProof::Absent { before: read(&response.before)?, after: read(&response.after)? },
    };
    Ok(Shown { item: head.verify(key, &proof)?, is_complete, end, batch })
}

impl Listed {
    fn read(item: &ListedItem) -> Result<Self, HashError> {
        let path = item.path.iter().map(|hash| Hash::from_slice(hash)).collect::<Result<_, _>>()?;
        Ok(Self { item: item.item.clone(), index: item.index, path })
    }
}

impl Listing {
    /// What its end commits to.
    pub fn head(&self) -> ListingHead {
        ListingHead { count: self.count(), root: self.root() }
    }

    /// Shows whether there is an item with that key.
    pub fn prove(&self, key: &ItemKey) -> ListingProof {
        let leaves = self.leaves();
        let listed = |at: usize| {
            let index = at as u64;
            let size = TreeSize(leaves.len() as u64);
            let Ok(path) = inclusion_proof(&Leaves(&leaves), RecordIndex(index), size) else {
                unreachable!("every item is in the tree, and its hashes are in memory");
            };
            Listed { item: self.items()[at].1.to_bytes(), index, path }
        };
        match self.position(key) {
            Ok(at) => ListingProof::Present(listed(at)),
            Err(at) => ListingProof::Absent {
                before: at.checked_sub(1).map(listed),
                after: Some(at).filter(|at| *at < leaves.len()).map(listed),
            },
        }
    }
}

impl ListingHead {
    /// Checks a proof about a key. Gives the item that was listed, or none that is shown not to have been.
    ///
    /// # Errors
    /// [`ListingProofError`]; nothing is proved then.
    pub fn verify(&self, key: &ItemKey, proof: &ListingProof) -> Result<Option<Item>, ListingProofError> {
        match proof {
            ListingProof::Present(listed) => {
                let item = self.check(listed)?;
                if item.key() == *key { Ok(Some(item)) } else { Err(ListingProofError::OtherItem) }
            }
            ListingProof::Absent { before, after } => {
                let (first, end) = (before.as_ref().map_or(0, |before| before.index + 1), self.count);
                if after.as_ref().map_or(end, |after| after.index) != first {
                    return Err(ListingProofError::NotBetween);
                }
                if (before, after) == (&None, &None) && self.root != crate::hash::empty_root() {
                    return Err(ListingProofError::NotBetween);
                }
                let before = before.as_ref().map(|listed| self.check(listed)).transpose()?;
                let after = after.as_ref().map(|listed| self.check(listed)).transpose()?;
                let is_between =
                    before.is_none_or(|item| item.key() < *key) && after.is_none_or(|item| *key < item.key());
                if is_between { Ok(None) } else { Err(ListingProofError::NotBetween) }
            }
        }
    }

    /// Checks that an item stands where it says.
    fn check(&self, listed: &Listed) -> Result<Item, ListingProofError> {
        let item = Item::from_bytes(&listed.item)?;
        let leaf = leaf_hash(&listed.item);
        verify_inclusion(leaf, RecordIndex(listed.index), TreeSize(self.count), &listed.path, self.root)?;
        Ok(item)
    }
}

/// The nodes of a tree whose leaves are in memory.
struct Leaves<'a>(&'a [LeafHash]);

impl NodeSource for Leaves<'_> {
    type Error = Infallible;

    fn node(&self, level: u8, index: u64) -> Result<Hash, Infallible> {
        let mut frontier = Frontier::new();
        let start = index << level;
        for leaf in &self.0[start as usize..(start + (1 << level)) as usize] {
            frontier.append(*leaf, |_| ());
        }
        Ok(frontier.root())
    }
}
