//! The file with the newest cosigned checkpoint, so that a restart does not make verifiers wait for witnesses.
//!
//! Owns that nothing in it is believed: it is served again only where the log has signed it, and has that root.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use counterfoil_ledger::{Head, Reader};
use counterfoil_verify::checkpoint::Checkpoint;
use counterfoil_verify::note::{Note, VerifierKey};
use counterfoil_verify::proof::verify_consistency;

/// Reads it: the checkpoint as it was served, if it is one of this log; `keys` are the log's and the cosigners'.
pub(super) fn read(path: &Path, log: &Reader, log_key: &VerifierKey, keys: &[VerifierKey]) -> Option<(Head, Note)> {
    let bytes = std::fs::read(path).ok()?;
    let head = log.head();
    let Checkpoint { origin, size, root } = Checkpoint::open(&bytes, &head.origin, log_key).ok()?;
    let note = Note::parse(&bytes).ok()?;
    note.verify(keys).ok()?;
    let goes_on = log.consistency_proof(size, head.size).ok()?;
    verify_consistency(size, root, head.size, head.root, &goes_on).ok()?;
    Some((Head { origin, size, root, checkpoint: Arc::from(bytes) }, note))
}

/// Writes it. It is not synced: what is lost, witnesses sign again.
pub(super) fn write(path: &PathBuf, note: &[u8]) -> std::io::Result<()> {
    let new = path.with_added_extension("new");
    std::fs::write(&new, note)?;
    std::fs::rename(&new, path)
}
