//! What a backup says of itself: a note that is signed by the log's key (C2SP signed-note).
//!
//! Owns its text. What it does not name is not in the backup, and what is not as it says is refused.
//!
//! ```text
//! counterfoil-backup/v1
//! example.com/audit
//! id 7
//! at 1772357400
//! checkpoint ZXhhbXBsZS5jb20vYXVkaXQKMTA0Mgo…        the signed checkpoint, in base64
//! list 4f0b…                                          the SHA-256 of the list of its files
//! files 12 1048576                                    how many, and their bytes
//! ```
//! The first line is no origin of a log that has this key, so that no such note is taken for a checkpoint.

use base64::prelude::{BASE64_STANDARD, Engine};
use counterfoil_verify::checkpoint::{Checkpoint, Origin};
use counterfoil_verify::note::{Note, NoteError, SigningKey};

use crate::keys::Keys;

const HEADING: &str = "counterfoil-backup/v1";

/// A backup, as its signed description says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Backup {
    /// Its number among those in its folder.
    pub id: u64,
    /// When it was made, in seconds since 1970.
    pub at: i64,
    /// What it is of: all records of this checkpoint.
    pub checkpoint: Checkpoint,
    /// The same as it was signed, with the cosignatures that it had.
    pub note: Vec<u8>,
    /// How many files it has.
    pub files: u64,
    /// Their bytes.
    pub bytes: u64,
    /// The SHA-256 of the list of its files, in hexadecimal digits.
    pub(crate) list: String,
}

impl Backup {
    /// The description, signed.
    pub(crate) fn sign(&self, key: &SigningKey) -> Result<Vec<u8>, NoteError> {
        key.sign(&self.text()).map(|note| note.format())
    }

    /// Of which log a description says that it is.
    pub(crate) fn origin(bytes: &[u8]) -> Option<Origin> {
        let mut lines = std::str::from_utf8(bytes).ok()?.lines();
        lines.next().filter(|line| *line == HEADING).and_then(|_| Origin::new(lines.next()?).ok())
    }

    /// Reads a description that the key of its log has signed.
    pub(crate) fn read(bytes: &[u8], keys: &Keys) -> Result<Self, String> {
        let note = Note::parse(bytes).map_err(|error| format!("is no description of a backup ({error})"))?;
        let origin = Self::origin(bytes).ok_or("is no description of a backup")?;
        let mut lines = note.text().lines().skip(2);
        note.verify(&keys.verifier_keys(&origin))
            .map_err(|error| format!("is not signed by the key of {origin} ({error})"))?;
        let mut next = |name: &str| lines.next()?.strip_prefix(name)?.strip_prefix(' ');
        let parsed = (|| {
            let (id, at) = (next("id")?.parse().ok()?, next("at")?.parse().ok()?);
            let checkpoint = BASE64_STANDARD.decode(next("checkpoint")?).ok()?;
            let list = next("list")?.to_owned();
            let (files, bytes) = next("files")?.split_once(' ')?;
            Some((id, at, checkpoint, list, files.parse().ok()?, bytes.parse().ok()?))
        })();
        let (id, at, note_bytes, list, files, bytes) = parsed.ok_or("lacks a line")?;
        let checkpoint = keys
            .open(&note_bytes, &origin)
            .map_err(|error| format!("has no checkpoint that {origin} signed ({error})"))?;
        let backup = Self { id, at, checkpoint, note: note_bytes, files, bytes, list };
        match backup.text() == note.text() {
            true => Ok(backup),
            false => Err("has another form".to_owned()),
        }
    }

    fn text(&self) -> String {
        let Self { id, at, checkpoint, note, files, bytes, list } = self;
        format!(
            "{HEADING}\n{}\nid {id}\nat {at}\ncheckpoint {}\nlist {list}\nfiles {files} {bytes}\n",
            checkpoint.origin,
            BASE64_STANDARD.encode(note)
        )
    }
}
