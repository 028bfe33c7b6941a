//! One digest file of CloudTrail.
//!
//! Owns its form, and the text that its signature is over. It never decides whether it is genuine.

use std::io::Read;
use std::path::{Path, PathBuf};

use super::{DigestError, Sha256Hash, from_hex, malformed};
use crate::json::{self, Json};
use crate::sources::file::{Input, sha256};

/// What the name of the file with a digest's signature ends in, behind the digest's own name.
pub const SIGNATURE: &str = "sig";
/// The largest digest, in bytes before compression: an hour of a hundred thousand log files.
const BYTES_MAX: u64 = 64 << 20;
/// The longest file of a signature, in bytes: one of 8,192 bits has 2,048 digits.
const SIGNATURE_BYTES_MAX: u64 = 4_096;

/// One digest file.
#[derive(Debug)]
pub struct Digest {
    pub path: PathBuf,
    /// Where CloudTrail put it: bucket and object.
    pub place: (String, String),
    pub start: String,
    pub end: String,
    pub fingerprint: String,
    /// The SHA-256 of its content.
    pub hash: Sha256Hash,
    /// The digest before it; none of the first one.
    pub previous: Option<Previous>,
    /// The signature that lies beside it.
    pub signature: Option<Vec<u8>>,
    pub logs: Vec<Log>,
    previous_signature: String,
}

/// What a digest says of the one before it.
#[derive(Debug)]
pub struct Previous {
    pub place: (String, String),
    pub hash: Sha256Hash,
    pub signature: Vec<u8>,
}

/// A log file that a digest lists.
#[derive(Debug)]
pub struct Log {
    pub object: String,
    pub hash: Sha256Hash,
}

impl Digest {
    pub fn read(path: &Path) -> Result<Self, DigestError> {
        let failed = |source| DigestError::Input { name: path.display().to_string(), source };
        let mut content = Vec::new();
        let reader = Input::Path(path.to_owned()).content().map_err(failed)?;
        reader.take(BYTES_MAX + 1).read_to_end(&mut content).map_err(failed)?;
        if content.len() as u64 > BYTES_MAX {
            return Err(malformed(path, format!("expected a digest of at most {BYTES_MAX} bytes")));
        }
        let json = json::parse(&content).map_err(|reject| malformed(path, reject.message))?;
        let hash = sha256(content.as_slice()).map_err(failed)?;
        Self::parse(&json, path, hash).map_err(|why| malformed(path, why))
    }

    fn parse(json: &Json<'_>, path: &Path, hash: Sha256Hash) -> Result<Self, String> {
        let text = |key: &str| {
            let text = json.text(key).map(str::to_owned);
            text.ok_or_else(|| {
                format!("expected a digest file of CloudTrail, got none of its {key}; name digests only")
            })
        };
        let algorithm = text("digestSignatureAlgorithm")?;
        if algorithm != "SHA256withRSA" {
            return Err(format!("expected the signature algorithm SHA256withRSA, got {}", json::quoted(&algorithm)));
        }
        let previous = match json.text("previousDigestS3Object") {
            None => None,
            Some(object) => Some(Previous {
                place: (text("previousDigestS3Bucket")?, object.to_owned()),
                hash: hash_of(json, "previousDigestHashValue", "previousDigestHashAlgorithm")?,
                signature: from_hex(&text("previousDigestSignature")?)?,
            }),
        };
        let log = |log: &Json<'_>| {
            let object = log.text("s3Object").ok_or("expected the s3Object of each of its logFiles")?.to_owned();
            Ok(Log { object, hash: hash_of(log, "hashValue", "hashAlgorithm")? })
        };
        Ok(Self {
            path: path.to_owned(),
            place: (text("digestS3Bucket")?, text("digestS3Object")?),
            start: text("digestStartTime")?,
            end: text("digestEndTime")?,
            fingerprint: text("digestPublicKeyFingerprint")?,
            hash,
            previous,
            signature: signature_beside(path)?,
            logs: json.items("logFiles").iter().map(log).collect::<Result<_, String>>()?,
            previous_signature: json.text("previousDigestSignature").unwrap_or("null").to_owned(),
        })
    }

    /// The text that its signature is over.
    pub fn signed_text(&self) -> String {
        let (bucket, object) = &self.place;
        format!("{}\n{bucket}/{object}\n{}\n{}", self.end, json::hex(&self.hash), self.previous_signature)
    }

    /// Its name for people.
    pub fn name(&self) -> std::path::Display<'_> {
        self.path.display()
    }

    /// The digests that it belongs to: those of one account, trail and region, in one bucket. What stands behind the last
    /// "_" of its name is its time.
    pub fn series(&self) -> (&str, &str) {
        let (bucket, object) = &self.place;
        let name = object.rsplit('/').next().unwrap_or(object);
        (bucket, name.rsplit_once('_').map_or(name, |(series, _)| series))
    }
}

fn hash_of(json: &Json<'_>, value: &str, algorithm: &str) -> Result<Sha256Hash, String> {
    match json.text(algorithm) {
        Some("SHA-256") => {}
        other => return Err(format!("expected {algorithm} SHA-256, got {}", json::quoted(other.unwrap_or_default()))),
    }
    let hash = from_hex(json.text(value).unwrap_or_default()).map_err(|why| format!("{value}: {why}"))?;
    let length = hash.len();
    hash.try_into().map_err(|_| format!("{value}: expected 32 bytes, got {length}"))
}

/// The signature in a file of its own beside the digest, where there is one.
fn signature_beside(path: &Path) -> Result<Option<Vec<u8>>, String> {
    let mut name = path.as_os_str().to_owned();
    name.push(".");
    name.push(SIGNATURE);
    let file = match std::fs::File::open(&name) {
        Ok(file) => file,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(format!("{}: {error}", Path::new(&name).display())),
    };
    let mut text = String::new();
    let read = file.take(SIGNATURE_BYTES_MAX).read_to_string(&mut text).map_err(|error| error.to_string());
    read.and_then(|_| from_hex(&text)).map(Some).map_err(|why| format!("{}: {why}", Path::new(&name).display()))
}
