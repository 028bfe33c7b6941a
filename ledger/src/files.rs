//! Files and folders that are there after a power failure: their bytes are synced, and so is the folder that names them.
//!
//! Owns how they are made. It never decides what is in them.

use std::fs::{File, OpenOptions};
use std::io::{ErrorKind, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use crate::error::{LedgerError, Result};

/// Makes a folder, and those above it that are missing.
pub(crate) fn create_folder(path: &Path) -> Result<()> {
    let missing: Vec<&Path> = path.ancestors().take_while(|folder| !folder.exists()).collect();
    std::fs::create_dir_all(path).map_err(|error| LedgerError::file(path, error))?;
    missing.into_iter().filter(|made| !made.as_os_str().is_empty()).try_for_each(|made| sync_folder(folder_of(made)))
}

/// Writes a new file that only the owner may read. Its folder is still to be synced.
pub(crate) fn write_private(path: &Path, bytes: &[u8]) -> Result<()> {
    let mut file = OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(path)
        .map_err(|error| LedgerError::file(path, error))?;
    file.write_all(bytes).and_then(|()| file.sync_all()).map_err(|error| LedgerError::file(path, error))
}

/// Puts a new file in the place of one that only the owner may read: a reader sees one or the other, also after a crash.
pub(crate) fn replace_private(path: &Path, bytes: &[u8]) -> Result<()> {
    let new = unfinished(path);
    remove_if_there(&new)?;
    write_private(&new, bytes)?;
    std::fs::rename(&new, path).map_err(|error| LedgerError::file(path, error))?;
    sync_folder(folder_of(path))
}

/// Writes the whole file beside the old one, syncs it, and puts it in the old one's place: a reader sees one or the
/// other, also after a crash.
pub(crate) fn replace(path: &Path, bytes: &[u8]) -> Result<()> {
    let new = unfinished(path);
    let mut file = OpenOptions::new()
        .write(true)
        .create(true)
        .truncate(true)
        .open(&new)
        .map_err(|error| LedgerError::file(&new, error))?;
    file.write_all(bytes).and_then(|()| file.sync_data()).map_err(|error| LedgerError::file(&new, error))?;
    std::fs::rename(&new, path).map_err(|error| LedgerError::file(path, error))?;
    sync_folder(folder_of(path))
}

/// Where a file lies that will take another one's place.
pub(crate) fn unfinished(path: &Path) -> PathBuf {
    path.with_added_extension("new")
}

/// Removes a file, if there is one.
pub(crate) fn remove_if_there(path: &Path) -> Result<()> {
    match std::fs::remove_file(path) {
        Err(error) if error.kind() != ErrorKind::NotFound => Err(LedgerError::file(path, error)),
        _ => Ok(()),
    }
}

/// Makes durable which files a folder names.
pub(crate) fn sync_folder(folder: &Path) -> Result<()> {
    File::open(folder).and_then(|folder| folder.sync_all()).map_err(|error| LedgerError::file(folder, error))
}

/// The folder that names a file or folder.
pub(crate) fn folder_of(path: &Path) -> &Path {
    match path.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent,
        _ => Path::new("."),
    }
}
