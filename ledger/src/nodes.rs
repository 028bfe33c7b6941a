//! The tree's nodes up to the published head, a tile at a time.
//!
//! Owns what is kept of tiles in memory. Of the nodes of a tile only the lowest can be read: leaves are in the records, and
//! of those above them every eighth level is stored. A proof asks for one of each level, so what was read of a tile is
//! kept with all that is over it. What is below the published head never changes, and nothing here is ever outdated.

use std::ops::Range;
use std::sync::{Arc, Mutex, PoisonError};

use counterfoil_verify::hash::{Hash, node_hash};
use counterfoil_verify::tile::TILE_HEIGHT;
use counterfoil_verify::tree::NodeSource;
use quick_cache::sync::Cache;

use crate::error::{LedgerError, Result};
use crate::read::{Published, Reader};
use crate::store::StoredNodes;

/// How many tiles are kept: 16 KiB each.
const TILES_MAX: usize = 128;

/// What is kept, by the height of a tile and its number there.
pub(crate) struct Tiles(Cache<(u8, u64), Arc<Mutex<Tile>>>);

/// The beginning of a tile, as far as it was read: its nodes, and those over them, from the lowest level on.
#[derive(Default)]
struct Tile {
    levels: [Vec<Hash>; TILE_HEIGHT as usize],
}

/// The nodes up to a head that is published.
pub(crate) struct PublishedNodes<'r> {
    pub(crate) reader: &'r Reader,
    pub(crate) published: Published,
}

impl Tiles {
    pub(crate) fn new() -> Self {
        Self(Cache::new(TILES_MAX))
    }

    fn tile(&self, height: u8, number: u64) -> Arc<Mutex<Tile>> {
        let Ok(tile) =
            self.0.get_or_insert_with(&(height, number), || Ok::<_, std::convert::Infallible>(Arc::default()));
        tile
    }
}

impl Tile {
    fn width(&self) -> u64 {
        self.levels[0].len() as u64
    }

    fn push(&mut self, lowest: Hash) {
        let mut node = lowest;
        for level in &mut self.levels {
            level.push(node);
            match level.as_slice() {
                [.., left, right] if level.len().is_multiple_of(2) => node = node_hash(*left, *right),
                _ => return,
            }
        }
    }

    fn node(&self, level: u8, index: u64) -> Option<Hash> {
        self.levels.get(usize::from(level))?.get(usize::try_from(index).ok()?).copied()
    }
}

impl PublishedNodes<'_> {
    /// The lowest nodes of tiles of a height.
    fn lowest(&self, height: u8, range: Range<u64>) -> Result<Vec<Hash>> {
        if height == 0 {
            return self.reader.leaves(range, &self.published);
        }
        let (log, derived) = (self.reader.log(), self.reader.derived());
        let stored = StoredNodes { log, derived, size: self.published.size };
        range.map(|index| stored.node(height * TILE_HEIGHT, index)).collect()
    }
}

impl NodeSource for PublishedNodes<'_> {
    type Error = LedgerError;

    fn node(&self, level: u8, index: u64) -> Result<Hash> {
        let (height, within) = (level / TILE_HEIGHT, level % TILE_HEIGHT);
        let number = index >> (TILE_HEIGHT - within);
        let tile = self.reader.tiles().tile(height, number);
        let mut tile = tile.lock().unwrap_or_else(PoisonError::into_inner);
        let (read, wanted) = ((number << TILE_HEIGHT) + tile.width(), (index + 1) << within);
        if read < wanted {
            self.lowest(height, read..wanted)?.into_iter().for_each(|node| tile.push(node));
        }
        let missing = || LedgerError::falsified(format!("node {level}/{index}"), "it is missing");
        tile.node(within, index - (number << (TILE_HEIGHT - within))).ok_or_else(missing)
    }
}
