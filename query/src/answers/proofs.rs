//! Proofs of records, of histories and of listings, each under a checkpoint.
//!
//! Owns which checkpoint they are under, and how many there may be of one answer. `verify` checks them: `batch`, and
//! `listing_proof`. Whole answers that verify by themselves are `evidence`'s.

use std::collections::BTreeSet;

use counterfoil_ledger::{Head, SealedMap};
use counterfoil_proto::v1::{
    Basis, EntityProof, GetEntityProofResponse, GetListingProofResponse, ListedItem, Proof, RecordProof,
};
use counterfoil_verify::entity::EntityId;
use counterfoil_verify::hash::Hash;
use counterfoil_verify::listing::{ItemKey, Listing};
use counterfoil_verify::listing_proof::{Listed, ListingProof, end_of};
use counterfoil_verify::map::EntityChain;
use counterfoil_verify::map::proof::{End, MapProof};
use counterfoil_verify::tree::{RecordIndex, TreeSize};

use crate::answers::{Query, basis};
use crate::error::{QueryError, Result};

/// The most records, and the most entities, of which one answer carries proofs: a megabyte of them.
pub const PROOFS_MAX: usize = 1_000;

/// What proofs are asked for.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Proved {
    /// Records, which have to be in the log.
    pub records: BTreeSet<RecordIndex>,
    /// Entities; the ledger may hold nothing of them.
    pub entities: BTreeSet<EntityId>,
}

impl Query<'_> {
    /// What the map of the newest seal says of an entity.
    ///
    /// # Errors
    /// [`QueryError::NotSealed`] where no seal covers `min_covered` records of those that the views hold.
    pub fn entity_proof(&self, entity: &EntityId, min_covered: TreeSize) -> Result<GetEntityProofResponse> {
        let asked = Proved { entities: BTreeSet::from([entity.clone()]), ..Proved::default() };
        let (basis, proof) = self.proofs(&asked, min_covered)?;
        let Proof { checkpoint, covered, seal, seal_path, entities, .. } = proof;
        let EntityProof { entity, count, proof } = entities.into_iter().next().unwrap_or_default();
        Ok(GetEntityProofResponse {
            basis: Some(basis),
            checkpoint,
            entity,
            count,
            proof,
            covered,
            seal,
            path: seal_path,
        })
    }

    /// That records are in the log, and which records entities have, by the newest seal.
    ///
    /// # Errors
    /// [`QueryError::NotSealed`] likewise; [`QueryError::TooManyProofs`]; [`QueryError::Ledger`] if there is no such record.
    pub fn proofs(&self, asked: &Proved, min_covered: TreeSize) -> Result<(Basis, Proof)> {
        let (records, entities) = (&asked.records, &asked.entities);
        let most = records.len().max(entities.len());
        if most > PROOFS_MAX {
            return Err(QueryError::TooManyProofs { asked: most, most: PROOFS_MAX });
        }
        let (map, served) = self.sealed(min_covered)?;
        // Where somebody cosigns, the newest that they have cosigned, unless a record came later.
        let is_within = records.last().is_none_or(|last| last.0 < served.size.0);
        let head = if is_within { served } else { self.reader.head() };
        let covered = RecordIndex(map.covered().0);
        let of_record = |index: &RecordIndex| {
            self.view.slow()?;
            let (leaf, _) = self.reader.leaf(*index)?;
            Ok(RecordProof { index: index.0, leaf: leaf.0.as_bytes().to_vec(), path: self.path(*index, &head)? })
        };
        let of_entity = |entity: &EntityId| {
            self.view.slow()?;
            entity_proof(&map, entity)
        };
        let proof = Proof {
            checkpoint: head.checkpoint.to_vec(),
            covered: covered.0,
            seal: self.reader.record_bytes(covered)?,
            seal_path: self.path(covered, &head)?,
            records: records.iter().map(of_record).collect::<Result<_>>()?,
            entities: entities.iter().map(of_entity).collect::<Result<_>>()?,
        };
        Ok((basis(&head, Vec::new()), proof))
    }

    /// Whether the listing that ended with a record saw something.
    ///
    /// # Errors
    /// [`QueryError::NoListing`] if none ended there, or what it saw is not there any more; [`QueryError::NotSealed`] likewise.
    pub fn listing_proof(&self, end: RecordIndex, key: &ItemKey) -> Result<GetListingProofResponse> {
        let none = || QueryError::NoListing(end);
        let record = self.record(end)?;
        let (fact, said) = end_of(&record).ok_or_else(none)?;
        let payload = self.read_beside(end)?.and_then(|beside| beside.payload).ok_or_else(none)?;
        let listing = Listing::from_bytes(&payload.content).map_err(|_| none())?;
        if listing.count() != said.count || listing.root().as_bytes()[..] != said.root[..] {
            return Err(none());
        }
        let asked = Proved { records: BTreeSet::from([end]), ..Proved::default() };
        let (mut basis, proof) = self.proofs(&asked, TreeSize(0))?;
        basis.proof = Some(proof);
        let mut response = GetListingProofResponse {
            basis: Some(basis),
            end: self.reader.record_bytes(end)?,
            fact,
            ..GetListingProofResponse::default()
        };
        match listing.prove(key) {
            ListingProof::Present(listed) => response.listed = Some(item(listed)),
            ListingProof::Absent { before, after } => {
                (response.before, response.after) = (before.map(item), after.map(item));
            }
        }
        Ok(response)
    }

    fn path(&self, index: RecordIndex, head: &Head) -> Result<Vec<Vec<u8>>> {
        Ok(bytes(&self.reader.inclusion_proof(index, head.size)?))
    }
}

/// What the map of a seal says of an entity.
fn entity_proof(map: &SealedMap<'_>, entity: &EntityId) -> Result<EntityProof> {
    let proof = map.prove(entity)?;
    Ok(EntityProof { entity: entity.to_text(), count: chain_of(&proof).count, proof: proof.to_bytes() })
}

/// What a proof says of the entity that was asked for.
pub(crate) fn chain_of(proof: &MapProof) -> EntityChain {
    match proof.end {
        End::Entity(chain) => chain,
        End::Empty | End::Other(..) => EntityChain::EMPTY,
    }
}

fn item(listed: Listed) -> ListedItem {
    let Listed { item, index, path } = listed;
    ListedItem { item, index, path: bytes(&path) }
}

fn bytes(path: &[Hash]) -> Vec<Vec<u8>> {
    path.iter().map(|hash| hash.as_bytes().to_vec()).collect()
}
