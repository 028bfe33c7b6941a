//! Owns the hashes: the three of the RFC 6962 tree and the domain-separated hash of everything else.
//! Never compares secrets, never reads anything, and never hashes without a prefix that says what for.

use std::fmt;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use sha2::block_api::compress256;
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
    LeafHash(long([&[0x00], record].into_iter()))
}

/// The hash of an inner node: `SHA-256(0x01 || left || right)` (RFC 6962 section 2.1).
pub fn node_hash(left: Hash, right: Hash) -> Hash {
    short([&[0x01], &left.as_bytes()[..], right.as_bytes()].into_iter(), 1 + 2 * Hash::LENGTH)
}

/// The root of the tree without records: `SHA-256("")` (RFC 6962 section 2.1).
pub fn empty_root() -> Hash {
    short([].into_iter(), 0)
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
    let length = domain.len() + 1 + parts.iter().map(|part| part.len()).sum::<usize>();
    let parts = || [domain.as_bytes(), &[0x00]].into_iter().chain(parts.iter().copied());
    if length <= SHORT_BYTES_MAX { short(parts(), length) } else { long(parts()) }
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

/// The most bytes that fit into [`SHORT_BLOCKS`] with their padding: a bit, and the length in 8 bytes.
const SHORT_BYTES_MAX: usize = SHORT_BLOCKS * 64 - 9;
const SHORT_BLOCKS: usize = 2;

/// What SHA-256 begins with (FIPS 180-4 section 5.3.3).
const START: [u32; 8] =
    [0x6a09_e667, 0xbb67_ae85, 0x3c6e_f372, 0xa54f_f53a, 0x510e_527f, 0x9b05_688c, 0x1f83_d9ab, 0x5be0_cd19];

/// SHA-256 of what has at most [`SHORT_BYTES_MAX`] bytes, which nearly all but records has. Its blocks are put together at once
/// (FIPS 180-4 section 5.1.1): a hasher that is given the parts one by one takes half as long again.
#[inline]
fn short<'a>(parts: impl Iterator<Item = &'a [u8]>, length: usize) -> Hash {
    let mut blocks = [[0; 64]; SHORT_BLOCKS];
    let mut rest = blocks.as_flattened_mut();
    for part in parts {
        let (place, behind) = rest.split_at_mut(part.len());
        place.copy_from_slice(part);
        rest = behind;
    }
    rest[0] = 0x80;
    let blocks = &mut blocks[..(length + 9).div_ceil(64)];
    if let Some(end) = blocks.as_flattened_mut().last_chunk_mut() {
        *end = (8 * length as u64).to_be_bytes();
    }
    let mut state = START;
    compress256(&mut state, blocks);
    let mut hash = [0; Hash::LENGTH];
    for (bytes, word) in hash.as_chunks_mut().0.iter_mut().zip(state) {
        *bytes = word.to_be_bytes();
    }
    Hash(hash)
}

fn long<'a>(parts: impl Iterator<Item = &'a [u8]>) -> Hash {
    let mut hasher = Sha256::new();
    parts.for_each(|part| hasher.update(part));
    Hash(hasher.finalize().into())
}
