//! Owns the shape of the RFC 6962 tree: its right edge while it grows, and which perfect subtrees make
//! a root or a proof. Never judges a proof (that is `proof`), and never stores or reads a node itself.

use std::convert::Infallible;
use std::fmt;
use std::str::FromStr;

use crate::hash::{Hash, LeafHash, empty_root, node_hash};

/// The right edge of a tree: its size and the roots of the perfect subtrees it falls into. This is all
/// that appending needs, at most 64 hashes.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Frontier {
    size: TreeSize,
    hashes: Vec<Hash>,
}

/// The position of a record in the log, from 0. An index is not a count: see [`TreeSize`].
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RecordIndex(pub u64);

/// The number of records in a tree. A count is not an index: see [`RecordIndex`].
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TreeSize(pub u64);

/// The root of a perfect subtree: the one over the `2^level` leaves from `index << level` on.
/// Level 0 is a leaf.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SubtreeRoot {
    /// Height of the subtree, 0 to 63.
    pub level: u8,
    /// Position among the subtrees of this level, from 0.
    pub index: u64,
    /// Its root.
    pub hash: Hash,
}

/// Where proof construction gets its hashes: storage, or a list in memory.
pub trait NodeSource {
    /// Why a node could not be had.
    type Error: std::error::Error + 'static;

    /// The root of the perfect subtree over the leaves `[index << level, (index + 1) << level)`.
    ///
    /// Only asked for subtrees that lie wholly within the tree the proof is for.
    fn node(&self, level: u8, index: u64) -> Result<Hash, Self::Error>;
}

/// Why a frontier, a number or a proof could not be had. `E` is the error of the [`NodeSource`].
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TreeError<E = Infallible> {
    /// The stored hashes cannot be the right edge of a tree of this size.
    #[error(
        "expected {expected} hashes for the right edge of a tree of {size} records, got {found}: \
         rebuild the right edge from the log"
    )]
    FrontierLength {
        /// Size of the tree.
        size: TreeSize,
        /// Number of hashes a tree of this size has: one for each set bit of the size.
        expected: usize,
        /// Number of hashes given.
        found: usize,
    },
    /// The record is not in the tree.
    #[error("expected an index below the tree size {size}, got {index}: ask for a tree that holds it")]
    IndexOutsideTree {
        /// Index asked for.
        index: RecordIndex,
        /// Size of the tree.
        size: TreeSize,
    },
    /// The older tree is larger than the newer one.
    #[error("expected an old tree of at most {new} records, got {old}: swap the two sizes")]
    ShrinkingTree {
        /// Size of the older tree.
        old: TreeSize,
        /// Size of the newer tree.
        new: TreeSize,
    },
    /// Text that is not a number in the one accepted spelling.
    #[error(
        "expected a decimal number from 0 to {} without sign or leading zeros, got {found:?}: \
         write it as C2SP tlog-checkpoint does",
        u64::MAX
    )]
    Number {
        /// The beginning of the text given.
        found: String,
    },
    /// The source of nodes failed.
    #[error("read a node of the tree")]
    Node(#[source] E),
}

/// The inclusion proof for the record at `index` in the tree of `size` records: the leaf's sibling
/// first, the root's child last, at most 64 hashes (RFC 6962 section 2.1.1, RFC 9162 section 2.1.3.1).
///
/// # Errors
/// [`TreeError::IndexOutsideTree`], or [`TreeError::Node`] when the source fails.
pub fn inclusion_proof<S: NodeSource>(
    source: &S,
    index: RecordIndex,
    size: TreeSize,
) -> Result<Vec<Hash>, TreeError<S::Error>> {
    if index.0 >= size.0 {
        return Err(TreeError::IndexOutsideTree { index, size });
    }
    let mut path = Vec::new();
    let (mut start, mut end) = (0, size.0);
    while end - start > 1 {
        let middle = start + split(end - start);
        if index.0 < middle {
            path.push(range_root(source, middle, end)?);
            end = middle;
        } else {
            path.push(range_root(source, start, middle)?);
            start = middle;
        }
    }
    path.reverse();
    Ok(path)
}

/// The consistency proof from the tree of `old` records to the tree of `new` records (RFC 6962 section
/// 2.1.2, RFC 9162 section 2.1.4.1). Empty when the sizes are equal or `old` is 0.
///
/// # Errors
/// [`TreeError::ShrinkingTree`], or [`TreeError::Node`] when the source fails.
pub fn consistency_proof<S: NodeSource>(
    source: &S,
    old: TreeSize,
    new: TreeSize,
) -> Result<Vec<Hash>, TreeError<S::Error>> {
    if old > new {
        return Err(TreeError::ShrinkingTree { old, new });
    }
    if old.0 == 0 {
        return Ok(Vec::new());
    }
    let mut path = Vec::new();
    let (mut start, mut end) = (0, new.0);
    while end != old.0 {
        let middle = start + split(end - start);
        if old.0 <= middle {
            path.push(range_root(source, middle, end)?);
            end = middle;
        } else {
            path.push(range_root(source, start, middle)?);
            start = middle;
        }
    }
    // A subtree that starts at 0 is the old tree itself, whose root the verifier has.
    if start > 0 {
        path.push(range_root(source, start, end)?);
    }
    path.reverse();
    Ok(path)
}

/// The root of the tree over the first `size` records (RFC 6962 section 2.1).
///
/// # Errors
/// [`TreeError::Node`] when the source fails.
pub fn root_at<S: NodeSource>(source: &S, size: TreeSize) -> Result<Hash, TreeError<S::Error>> {
    range_root(source, 0, size.0)
}

impl Frontier {
    /// The frontier of the empty tree.
    pub fn new() -> Frontier {
        Frontier::default()
    }

    /// The frontier of a tree of `size` records from the roots of its perfect subtrees, the leftmost
    /// and largest first.
    ///
    /// # Errors
    /// [`TreeError::FrontierLength`] unless there is one hash for each set bit of `size`. That the
    /// hashes are the right ones shows only when [`Frontier::root`] is compared with a signed root.
    pub fn from_parts(size: TreeSize, hashes: Vec<Hash>) -> Result<Frontier, TreeError> {
        let found = hashes.len();
        let expected = size.0.count_ones() as usize;
        if found != expected {
            return Err(TreeError::FrontierLength { size, expected, found });
        }
        Ok(Frontier { size, hashes })
    }

    /// Appends one leaf and returns its index.
    ///
    /// `completed` is called with the root of every perfect subtree that this leaf completes, from the
    /// leaf itself (level 0) upwards. A caller that stores whole tiles keeps levels 8, 16, and so on.
    pub fn append(&mut self, leaf: LeafHash, mut completed: impl FnMut(SubtreeRoot)) -> RecordIndex {
        let index = RecordIndex(self.size.0);
        let mut subtree = SubtreeRoot { level: 0, index: index.0, hash: leaf.0 };
        completed(subtree);
        while subtree.index % 2 == 1 {
            let left = self.hashes.pop().expect("an odd index has a left sibling, which ends the right edge");
            subtree =
                SubtreeRoot { level: subtree.level + 1, index: subtree.index / 2, hash: node_hash(left, subtree.hash) };
            completed(subtree);
        }
        self.hashes.push(subtree.hash);
        self.size = TreeSize(index.0 + 1);
        index
    }

    /// The root of the tree (RFC 6962 section 2.1).
    pub fn root(&self) -> Hash {
        join_perfect_subtrees(&self.hashes)
    }

    /// The number of records in the tree.
    pub fn size(&self) -> TreeSize {
        self.size
    }

    /// The roots of the perfect subtrees, the leftmost and largest first; one for each set bit of the
    /// size.
    pub fn hashes(&self) -> &[Hash] {
        &self.hashes
    }
}

/// The largest power of two strictly below `width`, which is at least 2 (RFC 6962 section 2.1).
fn split(width: u64) -> u64 {
    1 << (width - 1).ilog2()
}

/// The root over the leaves `[start, end)`, where `start` is 0 or a split point of the tree, so that
/// every perfect subtree of the range is aligned.
fn range_root<S: NodeSource>(source: &S, start: u64, end: u64) -> Result<Hash, TreeError<S::Error>> {
    let mut roots = Vec::new();
    let mut position = start;
    for level in (0..=63_u8).rev() {
        if (end - start) >> level & 1 == 1 {
            let root = source.node(level, position >> level).map_err(TreeError::Node)?;
            roots.push(root);
            position += 1 << level;
        }
    }
    Ok(join_perfect_subtrees(&roots))
}

/// The root over perfect subtrees of falling size, joined from the right.
fn join_perfect_subtrees(roots: &[Hash]) -> Hash {
    roots.iter().rev().copied().reduce(|right, left| node_hash(left, right)).unwrap_or_else(empty_root)
}

impl fmt::Display for RecordIndex {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.0, formatter)
    }
}

impl fmt::Display for TreeSize {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.0, formatter)
    }
}

/// Decimal without sign or leading zeros; [`TreeError::Number`] otherwise.
impl FromStr for RecordIndex {
    type Err = TreeError;

    fn from_str(text: &str) -> Result<RecordIndex, TreeError> {
        parse_decimal(text).map(RecordIndex)
    }
}

/// Decimal without sign or leading zeros; [`TreeError::Number`] otherwise.
impl FromStr for TreeSize {
    type Err = TreeError;

    fn from_str(text: &str) -> Result<TreeSize, TreeError> {
        parse_decimal(text).map(TreeSize)
    }
}

/// The one spelling of a number: what `Display` writes (C2SP tlog-checkpoint, tlog-proof).
fn parse_decimal(text: &str) -> Result<u64, TreeError> {
    match text.parse::<u64>() {
        Ok(number) if number.to_string() == text => Ok(number),
        _ => Err(TreeError::Number { found: text.chars().take(40).collect() }),
    }
}
