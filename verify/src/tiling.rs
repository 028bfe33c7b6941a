//! A tree that grows, with the tiles of hashes that it falls into (C2SP tlog-tiles).
//!
//! Owns the hashes of tiles that are not full yet: at most 255 for each level. It never stores a tile, and never reads one.

use crate::hash::{Hash, LeafHash, node_hash};
use crate::tile::{TILE_HEIGHT, TILE_WIDTH, Tile, TileContent};
use crate::tree::{Frontier, SubtreeRoot, TreeError, TreeSize};

/// A tree, and the tiles on its right edge.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Tiling {
    frontier: Frontier,
    /// Of each level the hashes of the tile that is not full yet.
    filling: Vec<Vec<Hash>>,
}

impl Tiling {
    /// Of the tree without records.
    pub fn new() -> Self {
        Self::default()
    }

    /// Of a tree of this size whose partial tiles hold these hashes, those of level 0 first; of a level without a partial tile
    /// none.
    ///
    /// # Errors
    /// [`TreeError::FrontierLength`] if these are not as many as the tree has. That they are the right ones shows when the root
    /// is compared.
    pub fn from_partial(size: TreeSize, filling: Vec<Vec<Hash>>) -> Result<Self, TreeError> {
        let mut edge = Vec::new();
        for hashes in filling.iter().rev() {
            let mut rest = &hashes[..];
            for height in (0..TILE_HEIGHT).rev() {
                if hashes.len() >> height & 1 == 1 {
                    let (subtree, behind) = rest.split_at(1 << height);
                    edge.push(perfect_root(subtree));
                    rest = behind;
                }
            }
        }
        Ok(Self { frontier: Frontier::from_parts(size, edge)?, filling })
    }

    /// Appends a leaf. Gives the tiles that it fills, with their hashes, the lowest first; `completed` is called with the root
    /// of each perfect subtree that it completes.
    pub fn append(&mut self, leaf: LeafHash, mut completed: impl FnMut(SubtreeRoot)) -> Vec<(Tile, Vec<Hash>)> {
        let filling = &mut self.filling;
        self.frontier.append(leaf, |node| {
            completed(node);
            if node.level.is_multiple_of(TILE_HEIGHT) {
                let level = usize::from(node.level / TILE_HEIGHT);
                filling.resize_with(filling.len().max(level + 1), Vec::new);
                filling[level].push(node.hash);
            }
        });
        let size = self.frontier.size();
        let mut full = Vec::new();
        for (content, hashes) in TileContent::levels(size).zip(&mut self.filling) {
            if hashes.len() as u64 == TILE_WIDTH {
                let tile = Tile::at(content, content.count(size) / TILE_WIDTH - 1, size);
                full.extend(tile.map(|tile| (tile, std::mem::take(hashes))));
            }
        }
        full
    }

    /// The tiles that are not full, with their hashes, the lowest first.
    pub fn partial(&self) -> impl Iterator<Item = (Tile, &[Hash])> {
        let size = self.frontier.size();
        TileContent::levels(size).zip(&self.filling).filter_map(move |(content, hashes)| {
            let tile = Tile::at(content, content.count(size) / TILE_WIDTH, size)?;
            Some((tile, &hashes[..]))
        })
    }

    /// How many leaves there are.
    pub fn size(&self) -> TreeSize {
        self.frontier.size()
    }

    /// The root over them.
    pub fn root(&self) -> Hash {
        self.frontier.root()
    }
}

/// The root over a perfect subtree, from the hashes of one of its levels: as many as a power of two.
fn perfect_root(hashes: &[Hash]) -> Hash {
    match hashes {
        [one] => *one,
        hashes => {
            let (left, right) = hashes.split_at(hashes.len() / 2);
            node_hash(perfect_root(left), perfect_root(right))
        }
    }
}
