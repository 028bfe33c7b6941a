//! The folder of an export, which came from anybody.
//!
//! Owns how its files are read: they lie in the folder itself, and nowhere a link leads; what is no file is refused before it
//! is opened, so that nothing waits for it; and nothing is read past the size that it may have. What files should hold is for
//! `counterfoil_verify::export` to say.

use std::collections::BTreeSet;
use std::fs::{self, File, FileType};
use std::io::{ErrorKind, Read};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use anyhow::{Context, bail};
use counterfoil_verify::evidence::Rejected;
use counterfoil_verify::export::Files;
use counterfoil_verify::hash::Hash;
use counterfoil_verify::note::NOTE_BYTES_MAX;
use counterfoil_verify::tile::{BUNDLE_BYTES_MAX, Tile, TileContent};

/// An export in a folder.
pub struct Folder {
    path: PathBuf,
    /// Folders in it that are folders, and no links to others.
    known: Mutex<BTreeSet<PathBuf>>,
}

/// Why an export is not proved.
#[derive(Debug)]
pub enum Failure {
    /// It proves nothing.
    Rejected(Rejected),
    /// It cannot be read.
    Unreadable(anyhow::Error),
}

impl From<Rejected> for Failure {
    fn from(rejected: Rejected) -> Self {
        Self::Rejected(rejected)
    }
}

impl Folder {
    /// The folder, if it is one.
    pub fn open(path: &Path) -> anyhow::Result<Self> {
        let found = fs::metadata(path).with_context(|| format!("read {}", path.display()))?;
        if !found.is_dir() {
            bail!("{} is no folder: give the folder that `counterfoil export` wrote", path.display());
        }
        Ok(Self { path: path.to_owned(), known: Mutex::default() })
    }

    /// The signed checkpoint.
    pub fn checkpoint(&self) -> anyhow::Result<Vec<u8>> {
        let path = self.path.display();
        let expected =
            || format!("{path} holds no checkpoint: it is no export, or its first run did not come to its end");
        self.file("checkpoint", NOTE_BYTES_MAX)?.with_context(expected)
    }

    /// What a file holds, named by the way to it from the folder; none if it is not there.
    fn file(&self, name: &str, bytes_max: usize) -> anyhow::Result<Option<Vec<u8>>> {
        let path = self.path.join(name);
        let folders: Vec<&Path> = Path::new(name).ancestors().skip(1).filter(|path| **path != *Path::new("")).collect();
        for folder in folders.into_iter().rev() {
            let folder = self.path.join(folder);
            if self.known.lock().unwrap_or_else(PoisonError::into_inner).contains(&folder) {
                continue;
            }
            let Some(found) = kind(&folder)? else { return Ok(None) };
            if !found.is_dir() {
                bail!("{} is no folder: an export has folders and files of its own, and no links", folder.display());
            }
            self.known.lock().unwrap_or_else(PoisonError::into_inner).insert(folder);
        }
        let Some(found) = kind(&path)? else { return Ok(None) };
        if !found.is_file() {
            bail!("{} is no file: an export has folders and files of its own, and no links", path.display());
        }
        let mut bytes = Vec::new();
        let file = File::open(&path).with_context(|| format!("read {}", path.display()))?;
        let length = file.metadata().map_or(0, |found| found.len());
        bytes.reserve(usize::try_from(length).map_or(bytes_max, |length| length.min(bytes_max)) + 1);
        file.take(bytes_max as u64 + 1).read_to_end(&mut bytes).with_context(|| format!("read {}", path.display()))?;
        if bytes.len() > bytes_max {
            bail!("{} has {length} bytes: expected at most {bytes_max}", path.display());
        }
        Ok(Some(bytes))
    }
}

impl Files for Folder {
    type Error = Failure;

    fn read(&self, tile: Tile) -> Result<Option<Vec<u8>>, Failure> {
        let bytes_max = match tile.content() {
            TileContent::Entries => BUNDLE_BYTES_MAX,
            TileContent::Hashes { .. } => tile.width() as usize * Hash::LENGTH,
        };
        self.file(&format!("tile/{tile}"), bytes_max).map_err(Failure::Unreadable)
    }
}

/// What lies at a place, whatever it leads to; none if nothing does.
fn kind(path: &Path) -> anyhow::Result<Option<FileType>> {
    match fs::symlink_metadata(path) {
        Ok(found) => Ok(Some(found.file_type())),
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error).with_context(|| format!("read {}", path.display())),
    }
}
