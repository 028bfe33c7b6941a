//! Owns the C2SP checkpoint, the head of the log as it is signed:
//!
//! ```text
//! example.com/auditledger
//! 7
//! 3bib5AOAnjJXUNPSY814kpwpQreUKjS3fhIslZSnTIw=
//! ```
//!
//! Never decides whether a head may be signed: the ledger does, once its records are durable and it is
//! known to extend every head signed before.

use std::fmt;

use crate::hash::{Hash, HashError, empty_root};
use crate::note::{KeyName, Note, NoteError, SignatureType, SigningKey, VerifierKey};
use crate::tree::{TreeError, TreeSize};

/// The head of a log: who, how many records, which root (C2SP tlog-checkpoint, "Note text").
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Checkpoint {
    /// The log.
    pub origin: Origin,
    /// Number of records.
    pub size: TreeSize,
    /// Root of the tree over them (RFC 6962 section 2.1).
    pub root: Hash,
}

/// The identity of a log, for its whole life: 1 to 255 visible ASCII characters, no space, no `+`.
/// Narrower than C2SP tlog-checkpoint, so that every origin is also a key name and fits an ML-DSA
/// cosignature.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Origin(String);

/// Why a checkpoint is refused.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CheckpointError {
    /// Not an origin.
    #[error(
        "expected an origin of 1 to {} visible ASCII characters without '+', got {found:?}: \
         use a name like example.com/log",
        Origin::BYTES_MAX
    )]
    Origin {
        /// The beginning of the text given.
        found: String,
    },
    /// The text does not have three lines.
    #[error(
        "expected three lines (origin, size, root), each ended by a newline, got {found}: \
         check that this is a checkpoint"
    )]
    Lines {
        /// Number of lines given.
        found: usize,
    },
    /// The checkpoint has extension lines.
    #[error(
        "expected no lines after the root, got {found}: extension lines are not accepted, \
         because monitors cannot audit them; ask the log for a checkpoint without them"
    )]
    ExtensionLines {
        /// Number of lines after the root.
        found: usize,
    },
    /// The second line is not a number.
    #[error("read the size of the checkpoint")]
    Size(#[source] TreeError),
    /// The third line is not a hash.
    #[error("read the root of the checkpoint")]
    Root(#[source] HashError),
    /// The tree is empty, and the root is not that of the empty tree.
    #[error("expected the root of the empty tree for size 0, got {found}: reject the checkpoint")]
    EmptyTreeRoot {
        /// Root given.
        found: Hash,
    },
    /// The checkpoint is another log's.
    #[error("expected a checkpoint of {expected}, got one of {found}: ask the right log")]
    OtherLog {
        /// Origin that was asked for.
        expected: Origin,
        /// Origin in the checkpoint.
        found: Origin,
    },
    /// The key given for the log is a cosigner's.
    #[error("expected a log key of type 0x01 for {name}, got a cosigner's: use the log's own key")]
    CosignerKey {
        /// Name of the key.
        name: KeyName,
    },
    /// The signing key does not carry the name of the log.
    #[error("expected a signing key named like the origin {origin}, got {name}: name the key so")]
    KeyName {
        /// Origin of the checkpoint.
        origin: Origin,
        /// Name of the key.
        name: KeyName,
    },
    /// The signed note is refused.
    #[error("open the signed checkpoint")]
    Note(#[source] NoteError),
}

impl Checkpoint {
    /// Reads a signed checkpoint, verifies the log's signature and only then reads the text.
    ///
    /// Signatures by other keys are ignored; cosignatures are judged by
    /// [`Note::verify`] with the cosigners' keys.
    ///
    /// # Errors
    /// Any [`CheckpointError`] but [`CheckpointError::KeyName`].
    pub fn open(note_bytes: &[u8], origin: &Origin, key: &VerifierKey) -> Result<Checkpoint, CheckpointError> {
        if key.signature_type() != SignatureType::Ed25519 {
            let name = key.name().clone();
            return Err(CheckpointError::CosignerKey { name });
        }
        let note = Note::parse(note_bytes).map_err(CheckpointError::Note)?;
        note.verify(std::slice::from_ref(key)).map_err(CheckpointError::Note)?;
        let checkpoint = Checkpoint::parse(note.text())?;
        if checkpoint.origin != *origin {
            return Err(CheckpointError::OtherLog { expected: origin.clone(), found: checkpoint.origin });
        }
        Ok(checkpoint)
    }

    /// Signs the checkpoint. The key carries the name of the origin, as C2SP tlog-checkpoint recommends
    /// and tlog-policy requires.
    ///
    /// # Errors
    /// [`CheckpointError::KeyName`], or [`CheckpointError::EmptyTreeRoot`].
    pub fn sign(&self, key: &SigningKey) -> Result<Note, CheckpointError> {
        if key.name().as_str() != self.origin.as_str() {
            return Err(CheckpointError::KeyName { origin: self.origin.clone(), name: key.name().clone() });
        }
        self.check_empty_tree()?;
        key.sign(&self.format()).map_err(CheckpointError::Note)
    }

    /// Reads the text of a checkpoint in the one spelling that [`Checkpoint::format`] writes. A text by
    /// itself proves nothing: see [`Checkpoint::open`].
    ///
    /// # Errors
    /// [`CheckpointError::Lines`], [`CheckpointError::ExtensionLines`], [`CheckpointError::Origin`],
    /// [`CheckpointError::Size`], [`CheckpointError::Root`] or [`CheckpointError::EmptyTreeRoot`].
    pub fn parse(text: &str) -> Result<Checkpoint, CheckpointError> {
        let lines: Vec<&str> = text.split_terminator('\n').collect();
        let found = lines.len();
        let (origin, size, root) = match lines[..] {
            [origin, size, root] if text.ends_with('\n') => (origin, size, root),
            [_, _, _, _, ..] => return Err(CheckpointError::ExtensionLines { found: found - 3 }),
            _ => return Err(CheckpointError::Lines { found }),
        };
        let checkpoint = Checkpoint {
            origin: Origin::new(origin)?,
            size: size.parse().map_err(CheckpointError::Size)?,
            root: Hash::from_base64(root).map_err(CheckpointError::Root)?,
        };
        checkpoint.check_empty_tree()?;
        Ok(checkpoint)
    }

    /// The text that is signed: three lines, each ended by a newline.
    pub fn format(&self) -> String {
        format!("{}\n{}\n{}\n", self.origin, self.size, self.root.to_base64())
    }

    fn check_empty_tree(&self) -> Result<(), CheckpointError> {
        if self.size == TreeSize(0) && self.root != empty_root() {
            return Err(CheckpointError::EmptyTreeRoot { found: self.root });
        }
        Ok(())
    }
}

impl Origin {
    /// Bytes of an origin, at most.
    pub const BYTES_MAX: usize = 255;

    /// The origin, or [`CheckpointError::Origin`].
    pub fn new(origin: &str) -> Result<Origin, CheckpointError> {
        let accepted = |byte: u8| byte.is_ascii_graphic() && byte != b'+';
        if !(1..=Origin::BYTES_MAX).contains(&origin.len()) || !origin.bytes().all(accepted) {
            return Err(CheckpointError::Origin { found: origin.chars().take(40).collect() });
        }
        Ok(Origin(origin.to_owned()))
    }

    /// The origin as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The name that the log's own key carries: the origin.
    pub fn key_name(&self) -> KeyName {
        KeyName::new(&self.0).expect("an origin has no space, '+' or control character")
    }
}

impl fmt::Display for Origin {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.0)
    }
}
