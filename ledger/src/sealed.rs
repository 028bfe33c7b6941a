//! The entity map as of the newest seal, for whoever shows that a history is whole, or that there is none.
//!
//! Owns that all it proves is of one moment: the pages, the counts and the seal are read from one snapshot of the derived
//! data. It never writes.

use counterfoil_proto::v1::{SealedSource, record::Body};
use counterfoil_verify::entity::EntityId;
use counterfoil_verify::evidence::{Asked, Rejected};
use counterfoil_verify::hash::LeafHash;
use counterfoil_verify::map::pages::{self, Page, PagePlace, Pages};
use counterfoil_verify::map::proof::MapProof;
use counterfoil_verify::map::{MapKey, MapRoot};
use counterfoil_verify::record;
use counterfoil_verify::tree::{RecordIndex, TreeSize};
use rocksdb::SnapshotWithThreadMode;

use crate::coverage::{self, pages as stored};
use crate::error::{LedgerError, Result};
use crate::read::Reader;
use crate::store::{COVERED, MAP, cf};

/// The entity map as of a seal.
pub struct SealedMap<'r> {
    reader: &'r Reader,
    snapshot: SnapshotWithThreadMode<'r, rocksdb::DB>,
    covered: TreeSize,
    root: MapRoot,
}

impl Reader {
    /// The map as of the newest seal; none where there is no seal, or where the map has just gone on from it: the next seal
    /// comes soon.
    ///
    /// # Errors
    /// [`LedgerError::Falsified`] if what is kept of the map has another form.
    pub fn sealed_map(&self) -> Result<Option<SealedMap<'_>>> {
        let snapshot = self.derived().0.snapshot();
        let Some(value) = snapshot.get(COVERED)? else { return Ok(None) };
        let kept = coverage::Kept::read(&value)?;
        if kept.sealed >= self.head().size || kept.sealed == TreeSize(0) {
            return Ok(None);
        }
        let seal = self.record(RecordIndex(kept.sealed.0))?;
        let is_of_seal = matches!(&seal.body, Some(Body::Seal(seal)) if seal.map_root == kept.root.0.as_bytes());
        let map = SealedMap { reader: self, snapshot, covered: kept.sealed, root: kept.root };
        Ok(Some(map).filter(|_| is_of_seal))
    }

    /// A record, as hashed, with its leaf hash.
    ///
    /// # Errors
    /// As of [`Reader::record_bytes`].
    pub fn leaf(&self, index: RecordIndex) -> Result<(LeafHash, Vec<u8>)> {
        let bytes = self.record_bytes(index)?;
        Ok((record::hash(&bytes), bytes))
    }

    /// The note of who asked for evidence, signed by the log's key; empty where this is a copy of somebody else's log.
    ///
    /// # Errors
    /// [`Rejected`] if what it says has no place in a note.
    pub fn sign_asked(
        &self,
        asked: &Asked,
        manifest: &[u8],
        cosignatures: &[u8],
    ) -> std::result::Result<Vec<u8>, Rejected> {
        match self.signer() {
            Some(key) => asked.sign(key, &self.head().origin, (manifest, cosignatures)),
            None => Ok(Vec::new()),
        }
    }
}

impl SealedMap<'_> {
    /// The records that it covers. The record with this index is the seal.
    pub fn covered(&self) -> TreeSize {
        self.covered
    }

    /// What it says of an entity.
    ///
    /// # Errors
    /// [`LedgerError::Falsified`] if a page is not the one that it has to be.
    pub fn prove(&self, entity: &EntityId) -> Result<MapProof> {
        pages::prove(self, self.root, &MapKey::of(entity)).map_err(stored::told)
    }

    /// What came from each source before the seal, ascending.
    ///
    /// # Errors
    /// [`LedgerError::Falsified`] if a count has another form.
    pub fn sources(&self) -> Result<Vec<SealedSource>> {
        let rows = self.snapshot.iterator(coverage::sources_from());
        Ok(coverage::read_sources(rows)?.into_iter().map(|(counts, _)| counts).collect())
    }
}

impl Pages for SealedMap<'_> {
    type Error = LedgerError;

    fn read(&self, place: &PagePlace) -> Result<Option<Page>> {
        let row = self.snapshot.get_pinned_cf(cf(&self.reader.derived().0, MAP), stored::key(place))?;
        Ok(row.and_then(|row| stored::page(&row)))
    }
}
