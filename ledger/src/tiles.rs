//! Tiles and entry bundles (C2SP tlog-tiles), made from what is stored anyway: leaf hashes from the records, of which each
//! names the one before it, higher ones from the nodes that are kept.
//!
//! Owns their bytes. It shows nothing past the published head, and stores nothing.

use counterfoil_verify::hash::Hash;
use counterfoil_verify::tile::{TILE_HEIGHT, Tile, TileContent};
use counterfoil_verify::tree::{NodeSource, RecordIndex};

use crate::error::{LedgerError, Result};
use crate::read::{Published, Reader, missing, prev};
use crate::store::{RECORDS, StoredNodes};

impl Reader {
    /// The bytes of a tile or of an entry bundle; none if the published tree has not so much yet.
    ///
    /// # Errors
    /// [`LedgerError::Falsified`] if a record is not what was chained; [`LedgerError::Storage`].
    pub fn tile(&self, tile: Tile) -> Result<Option<Vec<u8>>> {
        let published = self.published();
        let Some(range) = tile.range(published.size) else { return Ok(None) };
        let bytes = match tile.content() {
            TileContent::Entries => self.bundle(range)?,
            TileContent::Hashes { level: 0 } => bytes_of(&self.leaves(range, &published)?),
            TileContent::Hashes { level } => {
                let nodes = StoredNodes { log: self.log(), derived: self.derived(), size: published.size };
                let hashes = range.map(|index| nodes.node(level * TILE_HEIGHT, index));
                bytes_of(&hashes.collect::<Result<Vec<_>>>()?)
            }
        };
        Ok(Some(bytes))
    }

    /// Records, each behind its length.
    fn bundle(&self, range: std::ops::Range<u64>) -> Result<Vec<u8>> {
        let mut bundle = Vec::new();
        for row in self.chained(range) {
            let (index, record) = row?;
            let length = u16::try_from(record.len());
            let length = length.map_err(|_| LedgerError::falsified(format!("record {index}"), "it is too long"))?;
            bundle.extend_from_slice(&length.to_be_bytes());
            bundle.extend_from_slice(&record);
        }
        Ok(bundle)
    }

    /// The leaf hashes of a range that is not empty: what the records one further on were chained to.
    pub(crate) fn leaves(&self, range: std::ops::Range<u64>, published: &Published) -> Result<Vec<Hash>> {
        let mut leaves = Vec::new();
        let last = range.end.min(published.size.0 - 1);
        for (row, next) in self.rows_of(RECORDS, range.start + 1..last + 1).zip(range.start + 1..) {
            let (index, record) = row?;
            if index.0 != next {
                return Err(missing(RecordIndex(next)));
            }
            leaves.push(prev(index, &record)?.0);
        }
        if range.end == published.size.0 {
            leaves.push(published.last.0);
        }
        match leaves.len() as u64 == range.end - range.start {
            true => Ok(leaves),
            false => Err(missing(RecordIndex(last))),
        }
    }
}

fn bytes_of(hashes: &[Hash]) -> Vec<u8> {
    hashes.iter().flat_map(|hash| *hash.as_bytes()).collect()
}
