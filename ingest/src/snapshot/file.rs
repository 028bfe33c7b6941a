//! Files of pages as they are handed over.
//!
//! Owns what a run holds in memory of its input. What a file means it never asks.

use super::SnapshotError;
use crate::sources::file::Input;

/// All files of one run, in bytes: they are held in memory together.
const RUN_BYTES_MAX: u64 = 1 << 30;

/// A file of pages.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct File {
    /// Its name for people.
    pub name: String,
    /// Its bytes, as they were before they were compressed.
    pub bytes: Vec<u8>,
}

/// Reads files for one run.
///
/// # Errors
/// [`SnapshotError::File`] if one cannot be read, or if they are too large together.
pub fn read(inputs: &[Input]) -> Result<Vec<File>, SnapshotError> {
    let mut left = RUN_BYTES_MAX;
    let mut files = Vec::with_capacity(inputs.len());
    for input in inputs {
        let failed = |source| SnapshotError::File { name: input.name(), source };
        let bytes = input.whole(left).map_err(failed)?;
        left -= bytes.len() as u64;
        files.push(File { name: input.name(), bytes });
    }
    Ok(files)
}
