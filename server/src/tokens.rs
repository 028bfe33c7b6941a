//! The file that says who may call: `DIR.tokens` beside the data folder.
//!
//! Owns its format, its limits, and how it is changed: as a whole, so that a server that reads it sees one or the other.
//! It never holds a token: of each, only the SHA-256 of 32 random bytes.

use std::collections::HashSet;
use std::fs::{File, OpenOptions};
use std::io::{Read, Write};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use counterfoil_proto::v1::{AccessEntry, AccessFile, Role};
use counterfoil_verify::hash::domain_hash;
use counterfoil_verify::time::Moment;
use pbjson_types::Timestamp;
use prost::Message;
use rustix::fs::{FlockOperation, flock};
use sha2::{Digest, Sha256};

use crate::access::register;

/// The format that this program writes, and the only one that it reads.
const FORMAT: u32 = 1;
/// The largest file.
const BYTES_MAX: u64 = 8 << 20;
const ENTRIES_MAX: usize = 10_000;
const NAME_CHARACTERS_MAX: usize = 100;
const CERTIFICATE_BYTES_MAX: usize = 2_048;

/// Why the file says nothing, or cannot be changed.
#[derive(Debug, thiserror::Error)]
pub enum TokensError {
    /// It cannot be read or written.
    #[error("{path}: {source}")]
    File {
        /// The file.
        path: PathBuf,
        /// Why not.
        source: std::io::Error,
    },
    /// Others than its owner can write it, and so let anybody in.
    #[error("{path} can be written by others than its owner, who could let anybody in: chmod 600 {path}")]
    Open {
        /// The file.
        path: PathBuf,
    },
    /// It is not what it should be.
    #[error("{path}: {problem}")]
    Content {
        /// The file.
        path: PathBuf,
        /// What is wrong, and where.
        problem: String,
    },
    /// What is to be added is not what it should be.
    #[error("{0}")]
    Entry(String),
    /// No entry has the id.
    #[error("{path} has no entry {id}: `counterfoil token list` lists them")]
    NoSuchEntry {
        /// The file.
        path: PathBuf,
        /// The id.
        id: String,
    },
}

/// What a caller will be known by.
#[derive(Clone, Debug)]
pub struct NewEntry {
    /// What people call it.
    pub name: String,
    /// What it may do.
    pub roles: Vec<Role>,
    /// The origin of the ledger.
    pub audience: String,
    /// From when on it counts no more.
    pub expires: Moment,
    /// The name or digest of a certificate, where no token is to be made.
    pub certificate: Option<String>,
}

/// Reads and checks the file.
///
/// # Errors
/// [`TokensError`] if it cannot be read, is not what it should be, or can be written by others.
pub fn read(path: &Path) -> Result<AccessFile, TokensError> {
    let file = File::open(path).map_err(|source| failed(path, source))?;
    let metadata = file.metadata().map_err(|source| failed(path, source))?;
    if metadata.mode() & 0o022 != 0 {
        return Err(TokensError::Open { path: path.to_owned() });
    }
    let mut bytes = Vec::new();
    file.take(BYTES_MAX + 1).read_to_end(&mut bytes).map_err(|source| failed(path, source))?;
    let content = |problem: String| TokensError::Content { path: path.to_owned(), problem };
    if bytes.len() as u64 > BYTES_MAX {
        return Err(content(format!("expected at most {BYTES_MAX} bytes")));
    }
    let file: AccessFile = serde_json::from_slice(&bytes).map_err(|error| content(error.to_string()))?;
    check(&file).map_err(content)?;
    Ok(file)
}

/// Adds an entry, and gives it with the token that was made, which is kept nowhere. A file that is not there is made.
///
/// # Errors
/// [`TokensError`] if the entry is not what it should be, or the file cannot be changed.
pub fn create(
    path: &Path,
    new: NewEntry,
    now: Moment,
    entropy: fn() -> [u8; 32],
) -> Result<(AccessEntry, Option<String>), TokensError> {
    let drawn = entropy();
    let id: String = drawn[..register::ID_DIGITS / 2].iter().map(|byte| format!("{byte:02x}")).collect();
    let secret = new.certificate.is_none().then(entropy);
    let entry = AccessEntry {
        id: id.clone(),
        name: new.name,
        roles: new.roles.into_iter().map(Into::into).collect(),
        audience: new.audience,
        created_at: Some(timestamp(now)),
        expires_at: Some(timestamp(new.expires)),
        revoked_at: None,
        secret_sha256: secret.map(|secret| Sha256::digest(secret).to_vec()).unwrap_or_default(),
        certificate: new.certificate.unwrap_or_default(),
    };
    check_entry(&entry).map_err(TokensError::Entry)?;
    if new.expires <= now {
        return Err(TokensError::Entry("it would have expired already: name a later moment".to_owned()));
    }
    let entry = change(path, |file| {
        file.entries.push(entry);
        file.entries.last().cloned().ok_or_else(|| TokensError::Entry("nothing was added".to_owned()))
    })?;
    Ok((entry, secret.map(|secret| register::write(&id, &secret))))
}

/// Revokes an entry, for ever. One that is revoked already stays as it is.
///
/// # Errors
/// [`TokensError`] if there is none, or the file cannot be changed.
pub fn revoke(path: &Path, id: &str, now: Moment) -> Result<AccessEntry, TokensError> {
    // Before anything is locked or made.
    read(path)?;
    change(path, |file| {
        let entry = file.entries.iter_mut().find(|entry| entry.id == id);
        let entry = entry.ok_or_else(|| TokensError::NoSuchEntry { path: path.to_owned(), id: id.to_owned() })?;
        entry.revoked_at.get_or_insert_with(|| timestamp(now));
        Ok(entry.clone())
    })
}

/// Changes the file while nobody else does.
fn change<T>(path: &Path, change: impl FnOnce(&mut AccessFile) -> Result<T, TokensError>) -> Result<T, TokensError> {
    let lock_path = sibling(path, "lock");
    let lock = private(&lock_path)
        .and_then(|lock| flock(&lock, FlockOperation::LockExclusive).map(|()| lock).map_err(Into::into));
    let _lock = lock.map_err(|source| failed(&lock_path, source))?;
    let mut file = match read(path) {
        Err(TokensError::File { source, .. }) if source.kind() == std::io::ErrorKind::NotFound => {
            AccessFile { format: FORMAT, ..AccessFile::default() }
        }
        read => read?,
    };
    let changed = change(&mut file)?;
    file.checksum = checksum(&file);
    check(&file).map_err(|problem| TokensError::Content { path: path.to_owned(), problem })?;
    let mut text = serde_json::to_vec_pretty(&file).map_err(|error| failed(path, error.into()))?;
    text.push(b'\n');
    replace(path, &text)?;
    Ok(changed)
}

/// Writes the whole file beside the old one, syncs it, and puts it in the old one's place.
fn replace(path: &Path, bytes: &[u8]) -> Result<(), TokensError> {
    let new = sibling(path, "new");
    let written = private(&new).and_then(|mut file| {
        file.set_len(0)?;
        file.write_all(bytes)?;
        file.sync_all()
    });
    written.map_err(|source| failed(&new, source))?;
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let placed = std::fs::rename(&new, path).and_then(|()| File::open(folder)?.sync_all());
    placed.map_err(|source| failed(path, source))
}

/// A file that only its owner reads and writes.
fn private(path: &Path) -> std::io::Result<File> {
    OpenOptions::new().write(true).create(true).truncate(false).mode(0o600).open(path)
}

fn sibling(path: &Path, extension: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(".");
    name.push(extension);
    PathBuf::from(name)
}

fn failed(path: &Path, source: std::io::Error) -> TokensError {
    TokensError::File { path: path.to_owned(), source }
}

fn timestamp(moment: Moment) -> Timestamp {
    Timestamp { seconds: moment.seconds, nanos: moment.nanos as i32 }
}

/// A hash over everything else in a file.
fn checksum(file: &AccessFile) -> Vec<u8> {
    let rest = AccessFile { checksum: Vec::new(), ..file.clone() };
    domain_hash("counterfoil/access-file/v1", &[&rest.encode_to_vec()]).as_bytes().to_vec()
}

/// What is wrong with a file.
fn check(file: &AccessFile) -> Result<(), String> {
    if file.format != FORMAT {
        return Err(format!("expected format {FORMAT}, got {}: another version of the program wrote it", file.format));
    }
    if !file.checksum.is_empty() && file.checksum != checksum(file) {
        return Err(
            "its checksum is not that of its entries: it is damaged, or was changed by hand. Bring back the file that \
                    was written, or take the line of the checksum out if every entry is right"
                .to_owned(),
        );
    }
    if file.entries.len() > ENTRIES_MAX {
        return Err(format!("expected at most {ENTRIES_MAX} entries, got {}", file.entries.len()));
    }
    let mut ids = HashSet::new();
    for (number, entry) in file.entries.iter().enumerate() {
        check_entry(entry).map_err(|problem| format!("entry {number}: {problem}"))?;
        if !ids.insert(&entry.id) {
            return Err(format!("entry {number}: its id is that of an earlier one"));
        }
    }
    Ok(())
}

/// What is wrong with an entry.
fn check_entry(entry: &AccessEntry) -> Result<(), String> {
    if entry.id.len() != register::ID_DIGITS || !is_hexadecimal(&entry.id) {
        return Err(format!("id: expected {} hexadecimal digits in lower case", register::ID_DIGITS));
    }
    let characters = entry.name.chars().count();
    if !(1..=NAME_CHARACTERS_MAX).contains(&characters) || entry.name.chars().any(char::is_control) {
        return Err(format!("name: expected 1 to {NAME_CHARACTERS_MAX} characters, and no control characters"));
    }
    let is_role = |role: &i32| Role::try_from(*role).is_ok_and(|role| role != Role::Unspecified);
    if entry.roles.is_empty() || !entry.roles.iter().all(is_role) {
        return Err("roles: expected read, payload, write or operate, at least one of them".to_owned());
    }
    if entry.audience.is_empty() {
        return Err("audience: expected the origin of a ledger".to_owned());
    }
    let is_time = |time: &Option<Timestamp>| {
        time.as_ref().is_some_and(|time| {
            let seconds = Moment::MIN.seconds..=Moment::MAX.seconds;
            seconds.contains(&time.seconds) && (0..1_000_000_000).contains(&time.nanos)
        })
    };
    if !is_time(&entry.created_at) || !is_time(&entry.expires_at) {
        return Err("createdAt, expiresAt: expected times".to_owned());
    }
    match (entry.secret_sha256.len(), entry.certificate.as_str()) {
        (32, "") => Ok(()),
        (0, certificate) => check_certificate(certificate),
        _ => Err("expected secretSha256 with 32 bytes, or certificate, and not both".to_owned()),
    }
}

fn check_certificate(certificate: &str) -> Result<(), String> {
    let (kind, name) = certificate.split_once(':').unwrap_or_default();
    let is_right = match kind {
        "uri" => name.contains(':'),
        // Names of hosts are compared in lower case.
        "dns" => !name.is_empty() && !name.bytes().any(|byte| byte.is_ascii_uppercase()),
        "sha256" => name.len() == 64 && is_hexadecimal(name),
        _ => false,
    };
    let is_plain = certificate.bytes().all(|byte| byte.is_ascii_graphic());
    if is_right && is_plain && certificate.len() <= CERTIFICATE_BYTES_MAX {
        return Ok(());
    }
    Err("certificate: expected uri:spiffe://example.com/gate, dns:gate.example.com, or sha256: and 64 hexadecimal \
         digits, all but the URI in lower case"
        .to_owned())
}

fn is_hexadecimal(text: &str) -> bool {
    text.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'))
}
