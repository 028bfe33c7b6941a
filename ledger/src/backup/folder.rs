//! The folder of backups: each file once, by its SHA-256, and a signed description of each backup.
//!
//! Owns the layout, and that a description is written last: what it names is there, was read back, and is durable. It never
//! decides which backups are kept.
//!
//! ```text
//! FOLDER/00000007.backup   what backup 7 says of itself (`description`)
//! FOLDER/files/SHA-256     a file of the log, or a list: a line "SHA-256  log/NAME" for each file, as sha256sum has it
//! FOLDER/lock              held by whoever writes, or reads
//! ```

use std::collections::BTreeSet;
use std::fs::{File, OpenOptions};
use std::io::{ErrorKind, Read, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use counterfoil_verify::checkpoint::{Checkpoint, Origin};
use counterfoil_verify::note::SigningKey;
use sha2::{Digest, Sha256};

use super::description::Backup;
use crate::error::{LedgerError, Result};
use crate::files;
use crate::keys::Keys;

/// What a description and a list may have at most: more than a hundred thousand files.
const DESCRIPTION_BYTES_MAX: u64 = 1 << 20;
const LIST_BYTES_MAX: u64 = 16 << 20;
/// What is read in one go.
const CHUNK_BYTES: usize = 1 << 20;
/// What the names in a list begin with.
const LOG: &str = "log/";

/// A folder of backups, as long as nobody else writes to it.
pub(crate) struct Folder {
    path: PathBuf,
    _lock: Option<File>,
}

/// A file of a backup.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Listed {
    /// Its name in the folder `log`.
    pub(crate) name: String,
    /// The SHA-256 of its bytes, in hexadecimal digits.
    pub(crate) hash: String,
}

/// What was copied for a backup.
#[derive(Default)]
pub(crate) struct Copied {
    listed: Vec<Listed>,
    all_bytes: u64,
    /// Of files that were not there.
    pub(crate) files: u64,
    pub(crate) bytes: u64,
    /// Files that were there, and damaged.
    pub(crate) mended: u64,
}

impl Folder {
    /// The folder, to write to it; made where there is none.
    pub(crate) fn to_write(path: &Path) -> Result<Self> {
        files::create_folder(&path.join("files"))?;
        let lock = OpenOptions::new().write(true).create(true).truncate(false).open(path.join("lock"));
        let lock = lock.map_err(|error| LedgerError::file(path, error))?;
        if lock.try_lock().is_err() {
            let problem = "is in use by another process: wait until its backup is made, or read".to_owned();
            return Err(LedgerError::Backup { path: path.to_owned(), problem });
        }
        Ok(Self { path: path.to_owned(), _lock: Some(lock) })
    }

    /// The folder, to read from it. Nobody writes meanwhile.
    pub(crate) fn to_read(path: &Path) -> Result<Self> {
        if !path.join("files").is_dir() {
            let problem = "is no folder of backups: `counterfoil backup` makes one".to_owned();
            return Err(LedgerError::Backup { path: path.to_owned(), problem });
        }
        // A copy of such a folder may have none, or be where nothing can be written.
        let lock = match File::open(path.join("lock")) {
            Ok(lock) => Some(lock.lock_shared().map(|()| lock).map_err(|error| LedgerError::file(path, error))?),
            Err(error) if error.kind() == ErrorKind::NotFound => None,
            Err(error) => return Err(LedgerError::file(path, error)),
        };
        Ok(Self { path: path.to_owned(), _lock: lock })
    }

    /// The numbers of the backups that are there, ascending.
    pub(crate) fn ids(&self) -> Result<Vec<u64>> {
        let mut ids = Vec::new();
        for entry in std::fs::read_dir(&self.path).map_err(|error| LedgerError::file(&self.path, error))? {
            let name = entry.map_err(|error| LedgerError::file(&self.path, error))?.file_name();
            let id = name.to_str().and_then(|name| name.strip_suffix(".backup")?.parse().ok());
            ids.extend(id.filter(|id| self.path_of(*id).file_name() == Some(&name)));
        }
        ids.sort_unstable();
        Ok(ids)
    }

    /// Where a backup is described.
    pub(crate) fn path_of(&self, id: u64) -> PathBuf {
        self.path.join(format!("{id:08}.backup"))
    }

    /// Of which log a backup says that it is; nothing is verified.
    pub(crate) fn origin(&self, id: u64) -> Result<Option<Origin>> {
        Ok(Backup::origin(&read_at_most(&self.path_of(id), DESCRIPTION_BYTES_MAX)?))
    }

    /// What a backup says of itself.
    ///
    /// # Errors
    /// [`LedgerError::Backup`] if it is not there, damaged, or signed by another key.
    pub(crate) fn read(&self, id: u64, keys: &Keys) -> Result<Backup> {
        let path = self.path_of(id);
        let damaged = |problem: String| LedgerError::Backup { path: path.clone(), problem };
        let bytes = read_at_most(&path, DESCRIPTION_BYTES_MAX)?;
        let backup = Backup::read(&bytes, keys).map_err(damaged)?;
        match backup.id == id {
            true => Ok(backup),
            false => Err(damaged(format!("is the description of backup {}", backup.id))),
        }
    }

    /// The files of a backup, in the order of their names.
    ///
    /// # Errors
    /// [`LedgerError::Backup`] if the list is not the one that was signed.
    pub(crate) fn list(&self, backup: &Backup) -> Result<Vec<Listed>> {
        let path = self.file(&backup.list);
        let damaged = || LedgerError::Backup {
            path: path.clone(),
            problem: "is damaged: it is the list of its files".to_owned(),
        };
        let bytes = read_at_most(&path, LIST_BYTES_MAX)?;
        if hex(Sha256::digest(&bytes)) != backup.list {
            return Err(damaged());
        }
        let text = String::from_utf8(bytes).map_err(|_| damaged())?;
        let listed: Option<Vec<Listed>> = text.lines().map(Listed::parse).collect();
        listed.filter(|listed| listed.len() as u64 == backup.files && listed.is_sorted()).ok_or_else(damaged)
    }

    /// Copies files that are not there yet, and reads each of them back.
    ///
    /// # Errors
    /// [`LedgerError::Backup`] if what was written is not what is read.
    pub(crate) fn copy(&self, sources: &[PathBuf]) -> Result<Copied> {
        let mut copied = Copied::default();
        for source in sources {
            let name = source.file_name().and_then(|name| name.to_str()).filter(|name| is_name(name));
            let name = name.ok_or_else(|| LedgerError::falsified(source.display(), "it is no file of a log"))?;
            let (hash, bytes) = pour(source, None)?;
            let target = self.file(&hash);
            let is_there = target.exists();
            if !is_there || pour(&target, None)?.0 != hash {
                self.put(source, &target, &hash)?;
                copied.mended += u64::from(is_there);
                copied.files += 1;
                copied.bytes += bytes;
            }
            copied.all_bytes += bytes;
            copied.listed.push(Listed { name: name.to_owned(), hash });
        }
        copied.listed.sort();
        Ok(copied)
    }

    fn put(&self, source: &Path, target: &Path, hash: &str) -> Result<()> {
        let new = target.with_added_extension("new");
        pour(source, Some(&new))?;
        std::fs::rename(&new, target).map_err(|error| LedgerError::file(target, error))?;
        match pour(target, None)?.0 == hash {
            true => Ok(()),
            false => {
                let problem = "cannot be read back as it was written: check the disk".to_owned();
                Err(LedgerError::Backup { path: target.to_owned(), problem })
            }
        }
    }

    /// Adds the backup of what was copied: from then on it is there.
    pub(crate) fn add(
        &self,
        copied: &Copied,
        (at, (checkpoint, note)): (i64, &(Checkpoint, Vec<u8>)),
        (origin, key): (&Origin, &SigningKey),
    ) -> Result<Backup> {
        let list: String = copied.listed.iter().map(Listed::format).collect();
        let hash = hex(Sha256::digest(list.as_bytes()));
        files::replace(&self.file(&hash), list.as_bytes())?;
        let backup = Backup {
            id: self.ids()?.last().map_or(1, |last| last + 1),
            at,
            checkpoint: Checkpoint { origin: origin.clone(), ..checkpoint.clone() },
            note: note.clone(),
            files: copied.listed.len() as u64,
            bytes: copied.all_bytes,
            list: hash,
        };
        let described = backup.sign(key).map_err(|error| LedgerError::falsified("the description", error))?;
        // The files have their names for good before anything rests on them.
        files::sync_folder(&self.path.join("files"))?;
        files::replace(&self.path_of(backup.id), &described)?;
        Ok(backup)
    }

    /// Copies a file of a backup.
    ///
    /// # Errors
    /// [`LedgerError::Backup`] if it is missing or damaged.
    pub(crate) fn fetch(&self, listed: &Listed, to: &Path) -> Result<()> {
        let path = self.file(&listed.hash);
        let damaged = |problem: &str| {
            let name = &listed.name;
            let problem =
                format!("{problem}: it is {LOG}{name}. Take another backup (--backup ID), or another copy of this one");
            LedgerError::Backup { path: path.clone(), problem }
        };
        if !path.exists() {
            return Err(damaged("is missing"));
        }
        match pour(&path, Some(to))?.0 == listed.hash {
            true => Ok(()),
            false => Err(damaged("is damaged")),
        }
    }

    /// Reads every file of these backups, and says what is wrong.
    pub(crate) fn check(&self, backups: &[Backup]) -> Result<Vec<String>> {
        let (mut problems, mut seen) = (Vec::new(), BTreeSet::new());
        for backup in backups {
            let listed = match self.list(backup) {
                Ok(listed) => listed,
                Err(error) => {
                    problems.push(format!("backup {}: {error}", backup.id));
                    continue;
                }
            };
            for Listed { name, hash } in listed {
                let path = self.file(&hash);
                if !seen.insert(hash.clone()) {
                    continue;
                }
                let found = if path.exists() { Some(pour(&path, None)?.0) } else { None };
                let what = match found {
                    Some(found) if found == hash => continue,
                    Some(_) => "is damaged",
                    None => "is missing",
                };
                problems.push(format!("backup {}: {} {what}: it is {LOG}{name}", backup.id, path.display()));
            }
        }
        Ok(problems)
    }

    /// Removes backups.
    pub(crate) fn remove(&self, ids: &[u64]) -> Result<()> {
        for path in ids.iter().map(|id| self.path_of(*id)) {
            std::fs::remove_file(&path).map_err(|error| LedgerError::file(&path, error))?;
        }
        files::sync_folder(&self.path)
    }

    /// Removes the files that none of these backups has: of removed ones, and of one that was not made to its end.
    pub(crate) fn collect(&self, backups: &[Backup]) -> Result<()> {
        let mut needed = BTreeSet::new();
        for backup in backups {
            needed.insert(backup.list.clone());
            needed.extend(self.list(backup)?.into_iter().map(|listed| listed.hash));
        }
        for path in files_of(&self.path.join("files"))? {
            let is_needed = path.file_name().and_then(|name| name.to_str()).is_some_and(|name| needed.contains(name));
            if !is_needed {
                std::fs::remove_file(&path).map_err(|error| LedgerError::file(&path, error))?;
            }
        }
        files::sync_folder(&self.path.join("files"))
    }

    fn file(&self, hash: &str) -> PathBuf {
        self.path.join("files").join(hash)
    }
}

impl Listed {
    fn parse(line: &str) -> Option<Self> {
        let (hash, name) = line.split_once("  ")?;
        let name = name.strip_prefix(LOG).filter(|name| is_name(name))?;
        let is_hash = hash.len() == 64 && hash.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'));
        is_hash.then(|| Self { name: name.to_owned(), hash: hash.to_owned() })
    }

    fn format(&self) -> String {
        format!("{}  {LOG}{}\n", self.hash, self.name)
    }
}

/// Whether RocksDB may call a file so; it leads to no other folder.
fn is_name(name: &str) -> bool {
    let is_known = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'-' | b'_');
    !name.is_empty() && name.len() <= 255 && !name.starts_with('.') && name.bytes().all(is_known)
}

/// The files in a folder, in the order of their names.
pub(crate) fn files_of(folder: &Path) -> Result<Vec<PathBuf>> {
    let entries = std::fs::read_dir(folder).map_err(|error| LedgerError::file(folder, error))?;
    let paths = entries.map(|entry| entry.map(|entry| entry.path()).map_err(|error| LedgerError::file(folder, error)));
    let mut paths = paths.collect::<Result<Vec<_>>>()?;
    paths.sort();
    Ok(paths)
}

/// The SHA-256 and the length of a file, which is written to another one on the way, if there is one, and synced.
fn pour(from: &Path, into: Option<&Path>) -> Result<(String, u64)> {
    let mut source = File::open(from).map_err(|error| LedgerError::file(from, error))?;
    let mut target = match into {
        Some(path) => {
            let opened = OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(path);
            Some((path, opened.map_err(|error| LedgerError::file(path, error))?))
        }
        None => None,
    };
    let (mut hasher, mut length, mut chunk) = (Sha256::new(), 0, vec![0; CHUNK_BYTES]);
    loop {
        let read = source.read(&mut chunk).map_err(|error| LedgerError::file(from, error))?;
        if read == 0 {
            break;
        }
        hasher.update(&chunk[..read]);
        length += read as u64;
        if let Some((path, file)) = &mut target {
            file.write_all(&chunk[..read]).map_err(|error| LedgerError::file(path, error))?;
        }
    }
    if let Some((path, file)) = target {
        file.sync_all().map_err(|error| LedgerError::file(path, error))?;
    }
    Ok((hex(hasher.finalize()), length))
}

fn read_at_most(path: &Path, bytes_max: u64) -> Result<Vec<u8>> {
    let missing = |problem: String| LedgerError::Backup { path: path.to_owned(), problem };
    let file = match File::open(path) {
        Err(error) if error.kind() == ErrorKind::NotFound => return Err(missing("is not there".to_owned())),
        opened => opened.map_err(|error| LedgerError::file(path, error))?,
    };
    let mut bytes = Vec::new();
    file.take(bytes_max + 1).read_to_end(&mut bytes).map_err(|error| LedgerError::file(path, error))?;
    match bytes.len() as u64 > bytes_max {
        true => Err(missing(format!("has more than {bytes_max} bytes"))),
        false => Ok(bytes),
    }
}

fn hex(digest: impl AsRef<[u8]>) -> String {
    digest.as_ref().iter().map(|byte| format!("{byte:02x}")).collect()
}
