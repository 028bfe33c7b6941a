//! Owns the request of C2SP tlog-witness, by which a log asks for a cosignature, and the judgement on it:
//!
//! ```text
//! old 3
//! ApjRIpBtz8EIkstTpzmS/FufST6kybrbJ7eRtBJ6f+c=
//! B1Bqhf2d0vEg62lPhgEeW7RmLlxBWmKRcDPUqWJEh+c=
//! +sVCA+fMaWzw38tCySodnbr3CtnmIfS9jZhmLwDjwSU=
//! g327FS6bB5AQcX6E6GXaTrwPoZioBtWdMb8VrM7yLQ4=
//!
//! example.com/auditledger
//! 7
//! ...the rest of the signed checkpoint, byte for byte
//! ```
//!
//! Never cosigns, and never knows what was cosigned before: whoever keeps that says so.

use sha2::{Digest, Sha256};

use crate::checkpoint::{Checkpoint, CheckpointError, Origin};
use crate::hash::{Hash, empty_root};
use crate::note::{Note, VerifierKey};
use crate::policy::Log;
use crate::proof::{PATH_HASHES_MAX, ProofError, verify_consistency};
use crate::tree::TreeSize;

/// Bytes of a request, at most: 63 hashes take 2,835, and a checkpoint with some signatures the rest.
pub const REQUEST_BYTES_MAX: usize = 10 << 10;

/// The path of the request behind the URL of a witness.
pub const ADD_CHECKPOINT: &str = "/add-checkpoint";

/// The content type of an answer that says how large the tree is that the witness has seen.
pub const SIZE_TYPE: &str = "text/x.tlog.size";

/// How the read side of a witness names a log: the SHA-256 of its origin, in hexadecimal.
pub fn log_id(origin: &Origin) -> String {
    Sha256::digest(origin.as_str()).iter().map(|byte| format!("{byte:02x}")).collect()
}

/// A request for a cosignature.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AddCheckpoint {
    /// The size of the tree that the witness is believed to have cosigned last; 0 if it has cosigned none.
    pub old: TreeSize,
    /// The consistency proof from there. At most [`PATH_HASHES_MAX`] hashes.
    pub path: Vec<Hash>,
    /// The signed checkpoint, byte for byte.
    pub checkpoint_note: Vec<u8>,
}

/// The head of a log that was cosigned last.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Seen {
    /// Its size.
    pub size: TreeSize,
    /// Its root.
    pub root: Hash,
}

/// Why a checkpoint is not cosigned. Each has a status of HTTP in C2SP tlog-witness.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// The request is not of its form (400).
    #[error("expected {expected}: see c2sp.org/tlog-witness")]
    Form {
        /// What should have been there.
        expected: &'static str,
    },
    /// What was signed is no checkpoint, or has lines that nobody can audit (400).
    #[error("the checkpoint cannot be read: {0}")]
    Checkpoint(CheckpointError),
    /// The old size is larger than the new one (400).
    #[error("expected an old size of at most {new}, got {old}: a tree does not shrink")]
    Shrinking {
        /// Size said to be cosigned.
        old: TreeSize,
        /// Size of the checkpoint.
        new: TreeSize,
    },
    /// The log is not one of those that are watched (404).
    #[error(
        "the log {origin:?} is not watched here: ask whoever runs this witness; where it goes on after a loss under a new \
         name, that is to be added to the witness's policy"
    )]
    UnknownLog {
        /// The origin, or its beginning.
        origin: String,
    },
    /// No key that is trusted for the log has signed, or one has not made the signature under its name (403).
    #[error("no key that is trusted for this log has signed the checkpoint")]
    NotSigned,
    /// Another size was cosigned last (409, with that size).
    #[error("the tree that was cosigned last has {size} records: send a proof from there")]
    Conflict {
        /// That size.
        size: TreeSize,
    },
    /// Of a replayer: it has not recomputed as much yet (503).
    #[error("{size} records were recomputed here so far: ask again later")]
    NotReplayed {
        /// How many it has.
        size: TreeSize,
    },
    /// Of a replayer: what it recomputed has another root (422).
    #[error("expected the root {expected} that was recomputed here, got {found}")]
    OtherRoot {
        /// What the records come to.
        expected: Hash,
        /// What was signed.
        found: Hash,
    },
    /// The checkpoint does not go on from what was cosigned last (422).
    #[error("the checkpoint is not shown to go on from the tree that was cosigned last: {0}")]
    Inconsistent(ProofError),
}

impl AddCheckpoint {
    /// The body of the request.
    pub fn format(&self) -> Vec<u8> {
        let mut text = format!("old {}\n", self.old);
        for hash in &self.path {
            text.push_str(&hash.to_base64());
            text.push('\n');
        }
        text.push('\n');
        [text.as_bytes(), &self.checkpoint_note].concat()
    }

    /// Reads the body of a request, in the one spelling that [`AddCheckpoint::format`] writes.
    ///
    /// # Errors
    /// [`Refusal::Form`].
    pub fn parse(bytes: &[u8]) -> Result<AddCheckpoint, Refusal> {
        let form = |expected| Refusal::Form { expected };
        let (mut rest, mut lines) = (bytes, Vec::new());
        loop {
            let end = rest.iter().position(|byte| *byte == b'\n');
            let end = end.ok_or(form("an empty line between the proof and the checkpoint"))?;
            let line = std::str::from_utf8(&rest[..end]).map_err(|_| form("lines of text"))?;
            rest = &rest[end + 1..];
            if line.is_empty() {
                break;
            }
            if lines.len() > PATH_HASHES_MAX {
                return Err(form("at most 63 lines of a proof"));
            }
            lines.push(line);
        }
        let (first, path) = lines.split_first().ok_or(form("\"old <size>\" on the first line"))?;
        let old = first.strip_prefix("old ").and_then(|size| size.parse().ok());
        let old = old.ok_or(form("\"old <size>\" on the first line"))?;
        let path = path.iter().map(|line| Hash::from_base64(line).map_err(|_| form("hashes in base64, a line each")));
        Ok(AddCheckpoint { old, path: path.collect::<Result<_, _>>()?, checkpoint_note: rest.to_vec() })
    }

    /// Reads the checkpoint, if it is one of these logs, and that log has signed it.
    ///
    /// # Errors
    /// [`Refusal::Form`], [`Refusal::UnknownLog`], [`Refusal::NotSigned`], [`Refusal::Checkpoint`], or
    /// [`Refusal::Inconsistent`] of an empty tree whose root is not that of the empty tree.
    pub fn open(&self, logs: &[Log]) -> Result<(Checkpoint, Note), Refusal> {
        let note = Note::parse(&self.checkpoint_note).map_err(|_| Refusal::Form { expected: "a signed checkpoint" })?;
        let origin = note.text().split('\n').next().unwrap_or_default();
        let own = |log: &&Log| log.key.name().as_str() == origin;
        let keys: Vec<VerifierKey> = logs.iter().filter(own).map(|log| log.key.clone()).collect();
        if keys.is_empty() {
            return Err(Refusal::UnknownLog { origin: origin.chars().take(80).collect() });
        }
        note.verify(&keys).map_err(|_| Refusal::NotSigned)?;
        let checkpoint = Checkpoint::parse(note.text()).map_err(|error| match error {
            CheckpointError::EmptyTreeRoot { found } => {
                Refusal::Inconsistent(ProofError::Root { expected: empty_root(), found })
            }
            error => Refusal::Checkpoint(error),
        })?;
        Ok((checkpoint, note))
    }

    /// Checks that the checkpoint goes on from the one that was cosigned last: `seen`, or nothing yet.
    ///
    /// # Errors
    /// [`Refusal::Shrinking`], [`Refusal::Conflict`] or [`Refusal::Inconsistent`]. It must not be cosigned then.
    pub fn check(&self, checkpoint: &Checkpoint, seen: Option<Seen>) -> Result<(), Refusal> {
        let (old, new) = (self.old, checkpoint.size);
        if old > new {
            return Err(Refusal::Shrinking { old, new });
        }
        let Seen { size, root } = seen.unwrap_or(Seen { size: TreeSize(0), root: empty_root() });
        if old != size {
            return Err(Refusal::Conflict { size });
        }
        verify_consistency(size, root, new, checkpoint.root, &self.path).map_err(Refusal::Inconsistent)
    }
}
