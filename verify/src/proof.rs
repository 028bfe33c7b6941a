//! Owns the judgement on proofs of inclusion, of whole ranges and of consistency, and the C2SP tlog-proof text:
//!
//! ```text
//! c2sp.org/tlog-proof@v1
//! index 5
//! vBoGQ7EuTS18d5GPROD095qDi2z57FtcKD4fTYhZnms=
//! sIaT7C5yFZcTBkHoIR5+7cy0wmQTlj7ubB4u0W/7Gl8=
//! 037kGJdt2VdTwcc4Yrk5j6Kiz5tP8P3+izDNlSCWFLc=
//!
//! example.com/auditledger
//! 7
//! ...the rest of the signed checkpoint, byte for byte
//! ```
//!
//! Never builds a path (that is `tree`) and never trusts a root: the caller brings one that is signed, or takes the one that a
//! path leads to and verifies a signature over it.

use std::collections::VecDeque;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;

use crate::hash::{Hash, HashError, LeafHash, empty_root, node_hash};
use crate::note::NOTE_BYTES_MAX;
use crate::tree::{RecordIndex, TreeError, TreeSize};

/// Hashes in a path, at most: a path of 63 reaches every leaf of a tree of `2^63` records, and C2SP
/// tlog-witness allows no more.
pub const PATH_HASHES_MAX: usize = 63;

/// Bytes of extra data in a tlog-proof, at most. The format sets no limit; this one is ours.
pub const EXTRA_BYTES_MAX: usize = 1 << 20;

/// Bytes of a whole tlog-proof, at most: extra data in base64, 63 lines of 45 bytes, the checkpoint,
/// and less than a KiB of headings.
pub const TLOG_PROOF_BYTES_MAX: usize = EXTRA_BYTES_MAX.div_ceil(3) * 4 + PATH_HASHES_MAX * 45 + NOTE_BYTES_MAX + 1024;

const TLOG_PROOF_HEADING: &str = "c2sp.org/tlog-proof@v1";

/// Checks that `leaf` is the record at `index` of the tree with `size` records and this `root`
/// (RFC 9162 section 2.1.3.2, the same trees as RFC 6962).
///
/// # Errors
/// [`ProofError`], of the kinds that name an index, a path or a root; nothing is proved then.
pub fn verify_inclusion(
    leaf: LeafHash,
    index: RecordIndex,
    size: TreeSize,
    path: &[Hash],
    root: Hash,
) -> Result<(), ProofError> {
    check_root(root, including_root(leaf, index, size, path)?)
}

/// The root that a path leads to from `leaf` as the record at `index` of a tree with `size` records: for whoever has no root
/// to compare with, and verifies a signature over this one instead. By itself it proves nothing.
///
/// # Errors
/// As of [`verify_inclusion`], but for [`ProofError::Root`].
pub fn including_root(leaf: LeafHash, index: RecordIndex, size: TreeSize, path: &[Hash]) -> Result<Hash, ProofError> {
    check_path_bound(path)?;
    if index.0 >= size.0 {
        return Err(ProofError::IndexOutsideTree { index, size });
    }
    let mut walk = Walk { node: index.0, last: size.0 - 1 };
    let mut found = leaf.0;
    for sibling in path {
        found = match walk.climb() {
            Some(Side::Left) => node_hash(*sibling, found),
            Some(Side::Right) => node_hash(found, *sibling),
            None => return Err(ProofError::PathGoesOn { found: path.len() }),
        };
    }
    check_arrived(&walk, path)?;
    Ok(found)
}

/// Checks that `leaves` are the records from `first` on of the tree with `size` records and this `root`, none of them left
/// out: the root is recomputed from them, from the siblings to the left on the inclusion path of the first, and from those to
/// the right on that of the last.
///
/// # Errors
/// [`ProofError`], as of [`verify_inclusion`] of the first and of the last one; nothing is proved then.
pub fn verify_range(
    leaves: &[LeafHash],
    first: RecordIndex,
    size: TreeSize,
    (first_path, last_path): (&[Hash], &[Hash]),
    root: Hash,
) -> Result<(), ProofError> {
    let (Some(first_leaf), Some(last_leaf)) = (leaves.first(), leaves.last()) else {
        return Err(ProofError::NoRecords);
    };
    let last = RecordIndex(first.0.saturating_add(leaves.len() as u64 - 1));
    verify_inclusion(*first_leaf, first, size, first_path, root)?;
    verify_inclusion(*last_leaf, last, size, last_path, root)?;
    let mut nodes: VecDeque<Hash> = leaves.iter().map(|leaf| leaf.0).collect();
    let mut left = Border { walk: Walk { node: first.0, last: size.0 - 1 }, path: first_path.iter() };
    let mut right = Border { walk: Walk { node: last.0, last: size.0 - 1 }, path: last_path.iter() };
    while left.walk.last > 0 {
        if let Some((Side::Left, sibling)) = left.rise() {
            nodes.push_front(sibling);
        }
        if let Some((Side::Right, sibling)) = right.rise() {
            nodes.push_back(sibling);
        }
        // The last node of a level may have no sibling there: it is the node above as well.
        let level = nodes.make_contiguous();
        nodes = level.chunks(2).filter_map(|pair| pair.iter().copied().reduce(node_hash)).collect();
    }
    nodes.front().map_or(Err(ProofError::NoRecords), |found| check_root(root, *found))
}

/// Checks that the tree of `old` records and `old_root` is a prefix of the tree of `new` records and
/// `new_root` (RFC 9162 section 2.1.4.2, the same trees as RFC 6962).
///
/// With equal sizes the path is empty and the roots are compared. With `old` = 0 the path is empty and
/// `old_root` must be the empty root; every tree extends the empty one, so `new_root` is not judged.
///
/// # Errors
/// [`ProofError`], of the kinds that name sizes, a path or a root; nothing is proved then.
pub fn verify_consistency(
    old: TreeSize,
    old_root: Hash,
    new: TreeSize,
    new_root: Hash,
    path: &[Hash],
) -> Result<(), ProofError> {
    if old.0 == 0 {
        check_path_bound(path)?;
        check_old_root(old_root, empty_root())?;
        if new.0 == 0 {
            check_root(new_root, old_root)?;
        }
        return check_no_path(path);
    }
    check_root(new_root, extending_root(old, old_root, new, path)?)
}

/// The root of the tree of `new` records that a path leads to from the tree of `old` records and `old_root`: for whoever has
/// no newer root to compare with, and verifies a signature over this one instead. By itself it proves nothing.
///
/// # Errors
/// As of [`verify_consistency`], but for [`ProofError::Root`]; [`ProofError::PathEndsEarly`] for `old` = 0, since no path
/// leads from a tree without records to any other.
pub fn extending_root(old: TreeSize, old_root: Hash, new: TreeSize, path: &[Hash]) -> Result<Hash, ProofError> {
    check_path_bound(path)?;
    if old > new {
        return Err(ProofError::ShrinkingTree { old, new });
    }
    if old.0 == 0 {
        return Err(ProofError::PathEndsEarly { found: path.len() });
    }
    if old == new {
        return check_no_path(path).map(|()| old_root);
    }

    // An old tree that is perfect is itself the first node of the path, and not repeated there.
    let (first, rest) = match path {
        [first, rest @ ..] if !old.0.is_power_of_two() => (*first, rest),
        _ if old.0.is_power_of_two() => (old_root, path),
        _ => return Err(ProofError::PathEndsEarly { found: path.len() }),
    };
    let mut walk = Walk { node: old.0 - 1, last: new.0 - 1 };
    walk.skip_right_turns();
    let (mut old_found, mut new_found) = (first, first);
    for sibling in rest {
        match walk.climb() {
            Some(Side::Left) => {
                old_found = node_hash(*sibling, old_found);
                new_found = node_hash(*sibling, new_found);
            }
            Some(Side::Right) => new_found = node_hash(new_found, *sibling),
            None => return Err(ProofError::PathGoesOn { found: path.len() }),
        }
    }
    check_arrived(&walk, path)?;
    check_old_root(old_root, old_found)?;
    Ok(new_found)
}

/// Why a proof is rejected.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ProofError {
    /// The record cannot be in the tree.
    #[error("expected an index below the tree size {size}, got {index}: use a checkpoint that covers it")]
    IndexOutsideTree {
        /// Index claimed.
        index: RecordIndex,
        /// Size of the tree.
        size: TreeSize,
    },
    /// There are no records to show.
    #[error("expected one record at least, got none: an empty range shows nothing")]
    NoRecords,
    /// The older tree is larger than the newer one.
    #[error("expected an old tree of at most {new} records, got {old}: the log went backwards")]
    ShrinkingTree {
        /// Size of the older tree.
        old: TreeSize,
        /// Size of the newer tree.
        new: TreeSize,
    },
    /// The path is longer than any tree needs.
    #[error("expected at most {PATH_HASHES_MAX} hashes in the path, got {found}: reject the proof")]
    PathTooLong {
        /// Number of hashes given.
        found: usize,
    },
    /// The path ends below the root.
    #[error("expected more than {found} hashes in the path for these sizes: fetch the whole proof")]
    PathEndsEarly {
        /// Number of hashes given.
        found: usize,
    },
    /// The path goes on above the root.
    #[error("expected fewer than {found} hashes in the path for these sizes: reject the proof")]
    PathGoesOn {
        /// Number of hashes given.
        found: usize,
    },
    /// The path leads to another root than the newer, or only, one.
    #[error("expected the path to lead to the root {expected}, got {found}: reject the proof")]
    Root {
        /// Root that is trusted.
        expected: Hash,
        /// Root that the path leads to.
        found: Hash,
    },
    /// The path leads to another root than the older one.
    #[error("expected the path to lead to the old root {expected}, got {found}: reject the proof")]
    OldRoot {
        /// Root that was trusted before.
        expected: Hash,
        /// Root that the path leads to.
        found: Hash,
    },
    /// The text is longer than [`TLOG_PROOF_BYTES_MAX`], or its extra data than [`EXTRA_BYTES_MAX`].
    #[error("expected at most {limit} bytes in the {part} of a tlog-proof, got {found}: shorten it")]
    TooLarge {
        /// Which part is too large.
        part: &'static str,
        /// Bytes allowed.
        limit: usize,
        /// Bytes given.
        found: usize,
    },
    /// The text before the checkpoint is not a C2SP tlog-proof v1.
    #[error("expected {expected} on line {line} of the tlog-proof: check that it is C2SP tlog-proof v1")]
    Format {
        /// Line number, from 1.
        line: usize,
        /// What should have been there.
        expected: &'static str,
    },
    /// The index is not a number.
    #[error("read the index of the tlog-proof")]
    Index(#[source] TreeError),
    /// A line of the path is not a hash.
    #[error("read the path of the tlog-proof at line {line}")]
    PathHash {
        /// Line number, from 1.
        line: usize,
        /// What is wrong with it.
        #[source]
        source: HashError,
    },
}

/// The way from a node to the root: `fn` and `sn` of RFC 9162, the node's position at the current level
/// and that of the level's last node.
struct Walk {
    node: u64,
    last: u64,
}

/// One end of a range of nodes on its way to the root, level by level, with what is left of its path.
struct Border<'p> {
    walk: Walk,
    path: std::slice::Iter<'p, Hash>,
}

impl Border<'_> {
    /// Rises by one level. Gives the sibling that it had on the level it leaves, and its side, where it had one.
    fn rise(&mut self) -> Option<(Side, Hash)> {
        let Walk { node, last } = self.walk;
        self.walk.up();
        match (node % 2 == 1, node < last) {
            (true, _) => self.path.next().map(|sibling| (Side::Left, *sibling)),
            (false, true) => self.path.next().map(|sibling| (Side::Right, *sibling)),
            (false, false) => None,
        }
    }
}

/// The side on which the next hash of a path stands.
enum Side {
    Left,
    Right,
}

impl Walk {
    /// Climbs past the next sibling, and says on which side it stands; `None` at the root.
    fn climb(&mut self) -> Option<Side> {
        if self.last == 0 {
            return None;
        }
        let side = if self.node % 2 == 1 || self.node == self.last {
            // The last node of a level may have no sibling there: climb to where it has one.
            while self.node.is_multiple_of(2) && self.node != 0 {
                self.up();
            }
            Side::Left
        } else {
            Side::Right
        };
        self.up();
        Some(side)
    }

    /// Climbs while the node is a right child (RFC 9162 section 2.1.4.2, step 4).
    fn skip_right_turns(&mut self) {
        while self.node % 2 == 1 {
            self.up();
        }
    }

    fn up(&mut self) {
        self.node /= 2;
        self.last /= 2;
    }
}

fn check_path_bound(path: &[Hash]) -> Result<(), ProofError> {
    match path.len() {
        found if found > PATH_HASHES_MAX => Err(ProofError::PathTooLong { found }),
        _ => Ok(()),
    }
}

fn check_no_path(path: &[Hash]) -> Result<(), ProofError> {
    match path {
        [] => Ok(()),
        _ => Err(ProofError::PathGoesOn { found: path.len() }),
    }
}

fn check_arrived(walk: &Walk, path: &[Hash]) -> Result<(), ProofError> {
    match walk.last {
        0 => Ok(()),
        _ => Err(ProofError::PathEndsEarly { found: path.len() }),
    }
}

fn check_root(expected: Hash, found: Hash) -> Result<(), ProofError> {
    if found == expected { Ok(()) } else { Err(ProofError::Root { expected, found }) }
}

fn check_old_root(expected: Hash, found: Hash) -> Result<(), ProofError> {
    if found == expected { Ok(()) } else { Err(ProofError::OldRoot { expected, found }) }
}

/// A C2SP tlog-proof v1: the evidence that one record is in the log, in a file of its own.
///
/// Parsing judges only the text. Whoever relies on it opens the checkpoint
/// ([`Checkpoint::open`](crate::checkpoint::Checkpoint::open)) and then calls [`verify_inclusion`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TlogProof {
    /// Data for the application. **Not authenticated**: nothing signs it. At most [`EXTRA_BYTES_MAX`].
    pub extra: Option<Vec<u8>>,
    /// Where the record is.
    pub index: RecordIndex,
    /// The inclusion path, leaf's sibling first. At most [`PATH_HASHES_MAX`] hashes.
    pub path: Vec<Hash>,
    /// The signed checkpoint, byte for byte, cosignatures included.
    pub checkpoint_note: Vec<u8>,
}

impl TlogProof {
    /// The bytes of the `.tlog-proof` file.
    pub fn format(&self) -> Vec<u8> {
        let mut text = format!("{TLOG_PROOF_HEADING}\n");
        if let Some(extra) = &self.extra {
            text.push_str(&format!("extra {}\n", STANDARD.encode(extra)));
        }
        text.push_str(&format!("index {}\n", self.index));
        for hash in &self.path {
            text.push_str(&format!("{}\n", hash.to_base64()));
        }
        text.push('\n');
        let mut bytes = text.into_bytes();
        bytes.extend_from_slice(&self.checkpoint_note);
        bytes
    }

    /// Reads the bytes of a `.tlog-proof` file, in the one spelling that [`TlogProof::format`] writes.
    ///
    /// # Errors
    /// [`ProofError::TooLarge`], [`ProofError::Format`], [`ProofError::Index`], [`ProofError::PathHash`]
    /// or [`ProofError::PathTooLong`].
    pub fn parse(bytes: &[u8]) -> Result<TlogProof, ProofError> {
        check_size("whole", TLOG_PROOF_BYTES_MAX, bytes.len())?;
        let mut lines = Lines { rest: bytes, number: 0 };
        if lines.next("the heading \"c2sp.org/tlog-proof@v1\"")? != TLOG_PROOF_HEADING {
            return Err(lines.expected("the heading \"c2sp.org/tlog-proof@v1\""));
        }
        let mut line = lines.next("\"extra <base64>\" or \"index <number>\"")?;
        let mut extra = None;
        if let Some(encoded) = line.strip_prefix("extra ") {
            let Ok(decoded) = STANDARD.decode(encoded) else {
                return Err(lines.expected("padded standard base64 after \"extra \""));
            };
            check_size("extra data", EXTRA_BYTES_MAX, decoded.len())?;
            extra = Some(decoded);
            line = lines.next("\"index <number>\"")?;
        }
        let Some(index) = line.strip_prefix("index ") else {
            return Err(lines.expected("\"index <number>\""));
        };
        let index = index.parse().map_err(ProofError::Index)?;
        let path = parse_path(&mut lines)?;
        Ok(TlogProof { extra, index, path, checkpoint_note: lines.rest.to_vec() })
    }
}

fn parse_path(lines: &mut Lines<'_>) -> Result<Vec<Hash>, ProofError> {
    let mut path = Vec::new();
    loop {
        let line = lines.next("a hash of the path, or the empty line after it")?;
        if line.is_empty() {
            return Ok(path);
        }
        let hash = Hash::from_base64(line).map_err(|source| ProofError::PathHash { line: lines.number, source })?;
        path.push(hash);
        check_path_bound(&path)?;
    }
}

fn check_size(part: &'static str, limit: usize, found: usize) -> Result<(), ProofError> {
    if found <= limit { Ok(()) } else { Err(ProofError::TooLarge { part, limit, found }) }
}

/// The lines before the checkpoint, taken one at a time, so that what follows them stays untouched.
struct Lines<'a> {
    rest: &'a [u8],
    number: usize,
}

impl<'a> Lines<'a> {
    fn next(&mut self, expected: &'static str) -> Result<&'a str, ProofError> {
        self.number += 1;
        let end = self.rest.iter().position(|byte| *byte == b'\n');
        let Some((line, rest)) = end.and_then(|end| self.rest.split_at_checked(end)) else {
            return Err(self.expected(expected));
        };
        self.rest = &rest[1..];
        std::str::from_utf8(line).map_err(|_| self.expected(expected))
    }

    fn expected(&self, expected: &'static str) -> ProofError {
        ProofError::Format { line: self.number, expected }
    }
}
