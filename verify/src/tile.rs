//! Owns the names of tiles and entry bundles (C2SP tlog-tiles), and which of them a tree of a size has:
//!
//! ```text
//! 0/x001/000          256 leaf hashes from leaf 256,000 on        tile/0/x001/000
//! 1/000.p/17          the roots over 17 full tiles of level 0     tile/1/000.p/17
//! entries/002.p/191   191 records from record 512 on              tile/entries/002.p/191
//! ```
//!
//! Never holds a hash: the log has them.

use std::fmt;
use std::ops::Range;

use crate::tree::TreeSize;

/// Hashes of a full tile, and records of a full bundle.
pub const TILE_WIDTH: u64 = 256;

/// Levels of the tree between two levels of tiles: the logarithm of [`TILE_WIDTH`].
pub const TILE_HEIGHT: u8 = 8;

/// Levels of tiles, at most, as C2SP tlog-tiles writes them. A tree of `2^63` records has 8 of them.
const LEVELS_MAX: u8 = 64;

/// One tile or bundle, by its name: what stands behind `tile/`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Tile {
    content: TileContent,
    /// Position among the tiles of its level, from 0.
    index: u64,
    /// How many it holds: 1 to 256.
    width: u64,
}

/// What a tile holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TileContent {
    /// Records, each behind its length as a `u16`.
    Entries,
    /// Roots of perfect subtrees of `256^level` leaves. Level 0 has the leaf hashes.
    Hashes {
        /// The level of the tile, 0 to 63; that of the tree is 8 times as high.
        level: u8,
    },
}

impl Tile {
    /// Reads a name, in the one spelling that `Display` writes; none if it is no name.
    pub fn parse(name: &str) -> Option<Tile> {
        let (content, path) = name.split_once('/')?;
        let content = match content {
            "entries" => TileContent::Entries,
            level => TileContent::Hashes { level: level.parse().ok().filter(|level| *level < LEVELS_MAX)? },
        };
        let (path, width) = match path.split_once(".p/") {
            Some((path, width)) => (path, width.parse().ok().filter(|width| (1..TILE_WIDTH).contains(width))?),
            None => (path, TILE_WIDTH),
        };
        let mut index: u64 = 0;
        for group in path.split('/') {
            let digits = group.strip_prefix('x').unwrap_or(group);
            let number: u64 = digits.parse().ok().filter(|_| digits.len() == 3)?;
            index = index.checked_mul(1_000)?.checked_add(number)?;
        }
        let tile = Tile { content, index, width };
        // Signs, doubled zeros and groups that are marked wrongly: a name has one spelling.
        (tile.to_string() == name).then_some(tile)
    }

    /// What it holds.
    pub fn content(&self) -> TileContent {
        self.content
    }

    /// Which subtrees of its level, or which records, a tree of this size has in it; none if the tree has
    /// not so many yet. Only full tiles are hashed upwards, so that what a tile holds never changes.
    pub fn range(&self, size: TreeSize) -> Option<Range<u64>> {
        let height = match self.content {
            TileContent::Entries => 0,
            TileContent::Hashes { level } => u32::from(level) * u32::from(TILE_HEIGHT),
        };
        let count = size.0.checked_shr(height).unwrap_or(0);
        let start = self.index.checked_mul(TILE_WIDTH)?;
        let end = start.checked_add(self.width)?;
        (end <= count).then_some(start..end)
    }
}

/// The name, as C2SP tlog-tiles writes it behind `tile/`.
impl fmt::Display for Tile {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.content {
            TileContent::Entries => formatter.write_str("entries/")?,
            TileContent::Hashes { level } => write!(formatter, "{level}/")?,
        }
        // Groups of three digits, all but the last marked.
        let mut divisor: u64 = 1;
        while self.index / divisor >= 1_000 {
            divisor *= 1_000;
        }
        while divisor > 1 {
            write!(formatter, "x{:03}/", self.index / divisor % 1_000)?;
            divisor /= 1_000;
        }
        write!(formatter, "{:03}", self.index % 1_000)?;
        match self.width {
            TILE_WIDTH => Ok(()),
            width => write!(formatter, ".p/{width}"),
        }
    }
}
