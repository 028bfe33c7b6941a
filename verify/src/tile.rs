//! Owns the names of tiles and entry bundles (C2SP tlog-tiles), and which of them a tree of a size has:
//!
//! ```text
//! 0/x001/000          256 leaf hashes from leaf 256,000 on        tile/0/x001/000
//! 1/000.p/17          the roots over 17 full tiles of level 0     tile/1/000.p/17
//! entries/002.p/191   191 records from record 512 on              tile/entries/002.p/191
//! ```
//!
//! and how a bundle falls into records. Never holds a hash: the log has them.

use std::fmt;
use std::ops::Range;

use crate::record::RECORD_BYTES_MAX;
use crate::tree::TreeSize;

/// Hashes of a full tile, and records of a full bundle.
pub const TILE_WIDTH: u64 = 256;

/// Levels of the tree between two levels of tiles: the logarithm of [`TILE_WIDTH`].
pub const TILE_HEIGHT: u8 = 8;

/// Bytes of a bundle, at most: each record behind its length.
pub const BUNDLE_BYTES_MAX: usize = TILE_WIDTH as usize * (2 + RECORD_BYTES_MAX);

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

    /// What a tree of this size has at a place of the tiles of one kind: a full tile, or one as wide as the tree has it yet;
    /// none if it has nothing there.
    pub fn at(content: TileContent, index: u64, size: TreeSize) -> Option<Tile> {
        let start = index.checked_mul(TILE_WIDTH)?;
        let width = content.count(size).checked_sub(start).filter(|width| *width > 0)?.min(TILE_WIDTH);
        Some(Tile { content, index, width })
    }

    /// The full tile of its place; itself if it is full.
    #[must_use]
    pub fn full(self) -> Tile {
        Tile { width: TILE_WIDTH, ..self }
    }

    /// What it holds.
    pub fn content(&self) -> TileContent {
        self.content
    }

    /// Position among the tiles of its kind, from 0.
    pub fn index(&self) -> u64 {
        self.index
    }

    /// How many hashes or records it holds: 1 to [`TILE_WIDTH`].
    pub fn width(&self) -> u64 {
        self.width
    }

    /// Which subtrees of its level, or which records, a tree of this size has in it; none if the tree has
    /// not so many yet. Only full tiles are hashed upwards, so that what a tile holds never changes.
    pub fn range(&self, size: TreeSize) -> Option<Range<u64>> {
        let start = self.index.checked_mul(TILE_WIDTH)?;
        let end = start.checked_add(self.width)?;
        (end <= self.content.count(size)).then_some(start..end)
    }
}

impl TileContent {
    /// The levels of hashes that a tree of this size has tiles of, the lowest first.
    pub fn levels(size: TreeSize) -> impl Iterator<Item = TileContent> {
        let levels = (0..LEVELS_MAX).map(|level| TileContent::Hashes { level });
        levels.take_while(move |level| level.count(size) > 0)
    }

    /// How many hashes of a level, or records, a tree of this size has in its tiles.
    pub fn count(self, size: TreeSize) -> u64 {
        let height = match self {
            TileContent::Entries => 0,
            TileContent::Hashes { level } => u32::from(level) * u32::from(TILE_HEIGHT),
        };
        size.0.checked_shr(height).unwrap_or(0)
    }
}

/// The records of a bundle that holds so many, each as it is hashed (C2SP tlog-tiles, "Log entries").
///
/// # Errors
/// Where it ends too early, or too late.
pub fn records_in(bundle: &[u8], count: u64) -> Result<Vec<&[u8]>, BundleError> {
    let mut records = Vec::new();
    let mut rest = bundle;
    while let Some((length, behind)) = rest.split_first_chunk() {
        let Some((record, behind)) = behind.split_at_checked(u16::from_be_bytes(*length).into()) else { break };
        records.push(record);
        rest = behind;
        if records.len() as u64 > count {
            break;
        }
    }
    match records.len() as u64 == count && rest.is_empty() {
        true => Ok(records),
        false => Err(BundleError { expected: count, found: records.len() as u64, bytes: rest.len() }),
    }
}

/// A bundle does not hold as many records as it should, and nothing else.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("expected {expected} records, each behind its length, got {found} and {bytes} bytes behind them")]
pub struct BundleError {
    expected: u64,
    found: u64,
    bytes: usize,
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
