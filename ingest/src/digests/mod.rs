//! Which log files their source vouches for: CloudTrail's digest files, their signatures, and the chain they form.
//!
//! Owns what it takes that a log file counts as signed by the source: its SHA-256 stands in a digest whose signature
//! verifies with one of the given public keys. Whose keys those are is the operator's word. It never reads what stands
//! in a log file, and imports nothing. docs/decisions/0013 has the reasons.
//!
//! ```text
//! signed text = digestEndTime LF digestS3Bucket "/" digestS3Object LF SHA-256 of the digest file LF
//!               previousDigestSignature, or "null"
//! signature   = RSASSA-PKCS1-v1_5 with SHA-256 (RFC 8017, section 8.2), in hexadecimal digits
//! ```
//! A file's SHA-256 is that of its content before it was compressed. CloudTrail keeps the signature of a digest in the
//! metadata of its S3 object, which a copy on a disk has lost: it is taken from a file `NAME.sig` beside the digest, or
//! from the next digest, which repeats it.

mod chain;
mod digest;
mod keys;

use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::path::{Path, PathBuf};

use digest::Digest;
pub use keys::PublicKeys;

use crate::json::quoted;
use crate::sources::file::{Input, sha256};

/// The SHA-256 of a file's content.
pub type Sha256Hash = [u8; 32];

/// The log files that verified digests list.
#[derive(Debug, Default)]
pub struct Digests {
    /// The names that CloudTrail gave to a content.
    names: BTreeMap<Sha256Hash, BTreeSet<String>>,
    /// The contents that CloudTrail gave a name to.
    contents: BTreeMap<String, BTreeSet<Sha256Hash>>,
    /// The names of the files that were looked at and are what the digests say.
    given: BTreeSet<String>,
    verified: usize,
    signed: usize,
    notices: Vec<String>,
    failures: Vec<String>,
}

/// Whether the source vouches for a log file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Vouched {
    /// It is what a verified digest lists.
    Signed,
    /// No verified digest says anything of it.
    Unlisted,
}

/// Why digests, keys or a log file are of no use.
#[derive(Debug, thiserror::Error)]
pub enum DigestError {
    /// It cannot be read.
    #[error("read {name}")]
    Input {
        /// The file.
        name: String,
        /// Why not.
        source: io::Error,
    },
    /// It is not what it should be.
    #[error("{name}: {why}")]
    Malformed {
        /// The file.
        name: String,
        /// What was expected, and what came.
        why: String,
    },
    /// A log file is not the one that the source delivered under its name.
    #[error(
        "{name} is not what CloudTrail delivered under this name: its SHA-256 is {found}, and a verified digest has {expected}; \
         nothing of it was imported. Get the file from the bucket again, or import it without --digests, on your own word"
    )]
    Changed {
        /// The file.
        name: String,
        /// Its hash.
        found: String,
        /// What the digest has.
        expected: String,
    },
    /// A log file has the content of another one.
    #[error(
        "{name} has the content that CloudTrail delivered as {other}; nothing of it was imported. Give the files their own names again"
    )]
    Misnamed {
        /// The file.
        name: String,
        /// Whose content it is.
        other: String,
    },
}

impl Digests {
    /// Reads digest files and verifies them. A digest that does not verify vouches for nothing, and is told of.
    ///
    /// # Errors
    /// [`DigestError`] if a file cannot be read, or is no digest.
    pub fn verify(files: &[PathBuf], keys: &PublicKeys) -> Result<Self, DigestError> {
        let is_signature = |path: &&PathBuf| path.extension().is_some_and(|extension| extension == digest::SIGNATURE);
        let read = files.iter().filter(|path| !is_signature(path)).map(|path| Digest::read(path));
        let mut digests = read.collect::<Result<Vec<_>, _>>()?;
        let mut known = BTreeSet::new();
        digests.retain(|digest| known.insert((digest.place.clone(), digest.hash)));
        let mut verified = Self::default();
        let findings = chain::verify(&digests, keys);
        verified.notices = findings.notices;
        verified.failures = findings.failures;
        for digest in findings.verified {
            verified.verified += 1;
            for log in &digest.logs {
                let name = plain_name(&log.object);
                verified.names.entry(log.hash).or_default().insert(name.clone());
                verified.contents.entry(name).or_default().insert(log.hash);
            }
        }
        Ok(verified)
    }

    /// Whether the source vouches for a log file. A pipe can be read once only, so that nobody does.
    ///
    /// # Errors
    /// [`DigestError`] if it cannot be read, or is not what the source delivered under its name.
    pub fn check(&mut self, input: &Input) -> Result<Vouched, DigestError> {
        let Input::Path(path) = input else { return Ok(Vouched::Unlisted) };
        let failed = |source| DigestError::Input { name: input.name(), source };
        if !path.metadata().map_err(failed)?.is_file() {
            return Ok(Vouched::Unlisted);
        }
        let hash = sha256(input.content().map_err(failed)?).map_err(failed)?;
        let own = plain_name(&path.to_string_lossy());
        let name = input.name();
        match (self.contents.get(&own), self.names.get(&hash)) {
            (Some(contents), _) if contents.contains(&hash) => {
                self.given.insert(own);
                self.signed += 1;
                Ok(Vouched::Signed)
            }
            (Some(contents), None) => {
                let expected: Vec<String> = contents.iter().map(|hash| crate::json::hex(hash)).collect();
                Err(DigestError::Changed { name, found: crate::json::hex(&hash), expected: expected.join(" or ") })
            }
            (listed, Some(names)) => {
                // A copy may have any name but that of another log file.
                if listed.is_some() || is_delivered_name(&own) {
                    return Err(DigestError::Misnamed { name, other: names.first().cloned().unwrap_or_default() });
                }
                self.given.extend(names.iter().cloned());
                self.signed += 1;
                Ok(Vouched::Signed)
            }
            (None, None) => Ok(Vouched::Unlisted),
        }
    }

    /// How many digests verified.
    pub fn verified(&self) -> usize {
        self.verified
    }

    /// How many of the files that were looked at the source vouches for.
    pub fn signed(&self) -> usize {
        self.signed
    }

    /// What of the digests deserves a look, and fails nothing: where their chain begins, who has no signature.
    pub fn notices(&self) -> &[String] {
        &self.notices
    }

    /// What speaks of digests that were changed, or of keys that are not theirs.
    pub fn failures(&self) -> &[String] {
        &self.failures
    }

    /// The log files that verified digests list, and that were not looked at.
    pub fn missing(&self) -> impl Iterator<Item = &str> {
        self.contents.keys().filter(|name| !self.given.contains(*name)).map(String::as_str)
    }
}

/// The name of a file without its folder, and without what compression added.
fn plain_name(path: &str) -> String {
    let name = Path::new(path).file_name().map_or(path, |name| name.to_str().unwrap_or(path));
    name.strip_suffix(".gz").unwrap_or(name).to_owned()
}

/// Whether a name is of the form that CloudTrail gives to log files. A file of another name is a renamed copy.
fn is_delivered_name(name: &str) -> bool {
    name.contains("_CloudTrail_")
}

/// A file that is not what it should be.
fn malformed(path: &Path, why: impl Into<String>) -> DigestError {
    DigestError::Malformed { name: path.display().to_string(), why: why.into() }
}

/// Reads hexadecimal digits, in any case of letters.
fn from_hex(text: &str) -> Result<Vec<u8>, String> {
    let text = text.trim();
    let wrong = || format!("expected hexadecimal digits, got {}", quoted(text));
    if text.is_empty() || !text.len().is_multiple_of(2) || !text.bytes().all(|byte| byte.is_ascii_hexdigit()) {
        return Err(wrong());
    }
    (0..text.len()).step_by(2).map(|at| u8::from_str_radix(&text[at..at + 2], 16).map_err(|_| wrong())).collect()
}
