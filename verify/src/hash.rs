//! Owns the hashes: the three of the RFC 6962 tree and the domain-separated hash of everything else.
//! Never compares secrets, never reads anything, and never hashes without a prefix that says what for.

use std::fmt;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use sha2::{Digest, Sha256};

/// A SHA-256 hash: 32 bytes. `Debug` and `Display` write 64 lower-case hexadecimal digits.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Hash([u8; Hash::LENGTH]);

/// The hash of one record as a leaf of the tree. Never the root of a subtree of two or more records.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct LeafHash(pub Hash);

/// What is wrong with the bytes or the text that should be a [`struct@Hash`].
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum HashError {
    /// Not 32 bytes.
    #[error("expected a hash of 32 bytes, got {found} bytes: pass the whole hash and nothing else")]
    Length {
        /// Number of bytes given.
        found: usize,
    },
    /// Not the one base64 text that encodes 32 bytes.
    #[error(
        "expected a hash as 44 characters of padded standard base64 (RFC 4648 section 4), \
         got {found} bytes of something else: copy the line unchanged"
    )]
    Base64 {
        /// Length of the text given, in bytes.
        found: usize,
    },
}

/// The leaf hash of a record: `SHA-256(0x00 || record)` (RFC 6962 section 2.1).
///
/// `record` is the exact byte string that the log stores and serves.
pub fn leaf_hash(record: &[u8]) -> LeafHash {
    LeafHash(sha256(&[&[0x00], record]))
}

/// The hash of an inner node: `SHA-256(0x01 || left || right)` (RFC 6962 section 2.1).
pub fn node_hash(left: Hash, right: Hash) -> Hash {
    sha256(&[&[0x01], left.as_bytes(), right.as_bytes()])
}

/// The root of the tree without records: `SHA-256("")` (RFC 6962 section 2.1).
pub fn empty_root() -> Hash {
    sha256(&[])
}

/// The hash for every purpose outside the tree: `SHA-256(domain || 0x00 || parts concatenated)`.
///
/// `domain` is a constant such as `counterfoil/entity/v1`: non-empty, without a zero byte, one per
/// purpose; its first byte keeps it apart from leaves (0x00) and nodes (0x01). The parts are not
/// delimited, so for one domain every part but the last has a fixed length or carries its length.
pub fn domain_hash(domain: &str, parts: &[&[u8]]) -> Hash {
    debug_assert!(
        !domain.is_empty() && !domain.contains('\0'),
        "a domain is a non-empty constant without a zero byte, got {domain:?}"
    );
    let mut hasher = Sha256::new();
    hasher.update(domain.as_bytes());
    hasher.update([0x00]);
    for part in parts {
        hasher.update(part);
    }
    Hash(hasher.finalize().into())
}

impl Hash {
    /// Bytes in a hash.
    pub const LENGTH: usize = 32;

    /// The hash with these bytes.
    pub const fn from_bytes(bytes: [u8; Hash::LENGTH]) -> Hash {
        Hash(bytes)
    }

    /// The hash with these bytes; [`HashError::Length`] unless there are exactly 32.
    pub fn from_slice(bytes: &[u8]) -> Result<Hash, HashError> {
        match bytes.try_into() {
            Ok(bytes) => Ok(Hash(bytes)),
            Err(_) => Err(HashError::Length { found: bytes.len() }),
        }
    }

    /// The hash from its base64 text as C2SP formats write it: 44 characters, padded, no other
    /// spelling accepted. [`HashError::Base64`] otherwise.
    pub fn from_base64(text: &str) -> Result<Hash, HashError> {
        let malformed = HashError::Base64 { found: text.len() };
        let bytes = STANDARD.decode(text).map_err(|_| malformed.clone())?;
        Hash::from_slice(&bytes).map_err(|_| malformed)
    }

    /// The base64 text of the hash: 44 characters (RFC 4648 section 4).
    pub fn to_base64(&self) -> String {
        STANDARD.encode(self.0)
    }

    /// The 32 bytes of the hash.
    pub const fn as_bytes(&self) -> &[u8; Hash::LENGTH] {
        &self.0
    }
}

impl fmt::Display for Hash {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        for byte in self.0 {
            write!(formatter, "{byte:02x}")?;
        }
        Ok(())
    }
}

impl fmt::Debug for Hash {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, formatter)
    }
}

impl fmt::Display for LeafHash {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.0, formatter)
    }
}

fn sha256(parts: &[&[u8]]) -> Hash {
    let mut hasher = Sha256::new();
    for part in parts {
        hasher.update(part);
    }
    Hash(hasher.finalize().into())
}
