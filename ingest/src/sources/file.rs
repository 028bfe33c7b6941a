//! Source file: JSON, JSON lines, JSON arrays, comma-separated values, each also gzip or zstd, from a file or from standard
//! input.
//!
//! Owns what an input is: its name, what makes it itself, and its bytes as they were before they were compressed. It never
//! looks at what they mean; how they fall into documents is `documents`' to say.

use std::fs::File;
use std::io::{self, BufRead, BufReader, Cursor, Read};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use hmac::{Hmac, KeyInit, Mac};
use sha2::{Digest, Sha256};

use super::documents::{Documents, Layout};
use crate::json;

/// How compressed bytes begin (RFC 1952, RFC 8878).
const GZIP: [u8; 2] = [0x1f, 0x8b];
const ZSTD: [u8; 4] = [0x28, 0xb5, 0x2f, 0xfd];

/// What is imported: a file, or standard input.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Input {
    /// A file, which may be read again; or, where the path names a pipe or a device, a stream, which may not.
    Path(PathBuf),
    /// Standard input, a stream.
    Stdin,
}

impl Input {
    /// `-` is standard input.
    pub fn new(argument: &Path) -> Self {
        if argument == Path::new("-") { Self::Stdin } else { Self::Path(argument.to_owned()) }
    }

    /// Its name for people.
    pub fn name(&self) -> String {
        match self {
            Self::Path(path) => path.display().to_string(),
            Self::Stdin => "standard input".to_owned(),
        }
    }

    /// What makes the file itself: a keyed digest of its bytes, 32 hexadecimal digits; and its size in bytes.
    /// None for a stream: it can be read once only, so that an interrupted import of it is not resumed.
    pub fn identity(&self, key: &[u8; 32]) -> io::Result<Option<(String, u64)>> {
        let Self::Path(path) = self else { return Ok(None) };
        if !path.metadata()?.is_file() {
            return Ok(None);
        }
        let mut file = File::open(path)?;
        let mut mac = Hmac::<Sha256>::new_from_slice(key).expect("HMAC takes a key of any length");
        mac.update(b"counterfoil/file/v1\0");
        let mut buffer = vec![0; 1 << 20];
        let mut size = 0;
        loop {
            let count = file.read(&mut buffer)?;
            if count == 0 {
                break;
            }
            mac.update(&buffer[..count]);
            size += count as u64;
        }
        Ok(Some((json::hex(&mac.finalize().into_bytes()[..16]), size)))
    }

    /// All of its bytes, as they were before they were compressed.
    ///
    /// # Errors
    /// If it cannot be read, or is larger than `limit`.
    pub fn whole(&self, limit: u64) -> io::Result<Vec<u8>> {
        read_whole(self.content()?, limit)
    }

    /// Opens it for reading documents.
    pub fn documents(&self) -> io::Result<Documents> {
        let read_bytes = Arc::new(AtomicU64::new(0));
        let by_name = match self {
            Self::Path(path) => layout_by_name(path),
            Self::Stdin => None,
        };
        Documents::new(self.open(read_bytes.clone())?, by_name, read_bytes)
    }

    /// Opens it for reading its bytes as they were before they were compressed.
    pub fn content(&self) -> io::Result<Box<dyn Read + Send>> {
        self.open(Arc::default())
    }

    fn open(&self, count: Arc<AtomicU64>) -> io::Result<Box<dyn Read + Send>> {
        let inner: Box<dyn Read + Send> = match self {
            Self::Path(path) => Box::new(File::open(path)?),
            Self::Stdin => Box::new(io::stdin()),
        };
        decompress(Counted { inner, count })
    }
}

/// Bytes as they were before they were compressed, if they are.
///
/// # Errors
/// If they cannot be unpacked, or are more than `limit` then.
pub fn unpack(bytes: Vec<u8>, limit: u64) -> io::Result<Vec<u8>> {
    if bytes.starts_with(&GZIP) || bytes.starts_with(&ZSTD) {
        return read_whole(decompress(Cursor::new(bytes))?, limit);
    }
    if bytes.len() as u64 > limit { Err(too_large(limit)) } else { Ok(bytes) }
}

fn read_whole(content: impl Read, limit: u64) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    content.take(limit + 1).read_to_end(&mut bytes)?;
    if bytes.len() as u64 > limit { Err(too_large(limit)) } else { Ok(bytes) }
}

fn too_large(limit: u64) -> io::Error {
    io::Error::other(format!("expected at most {limit} bytes in all: list in several scopes"))
}

/// The SHA-256 of whatever is read.
pub fn sha256(mut content: impl Read) -> io::Result<[u8; 32]> {
    let mut hasher = Sha256::new();
    let mut buffer = vec![0; 1 << 16];
    loop {
        match content.read(&mut buffer)? {
            0 => return Ok(hasher.finalize().into()),
            count => hasher.update(&buffer[..count]),
        }
    }
}

fn layout_by_name(path: &Path) -> Option<Layout> {
    let name = path.to_string_lossy().to_ascii_lowercase();
    let name = name.trim_end_matches(".gz").trim_end_matches(".zst");
    if name.ends_with(".jsonl") || name.ends_with(".ndjson") {
        return Some(Layout::Lines);
    }
    name.ends_with(".csv").then_some(Layout::Rows)
}

fn decompress(raw: impl Read + Send + 'static) -> io::Result<Box<dyn Read + Send>> {
    let mut reader = BufReader::with_capacity(1 << 18, raw);
    let start = reader.fill_buf()?;
    Ok(if start.starts_with(&GZIP) {
        Box::new(flate2::read::MultiGzDecoder::new(reader))
    } else if start.starts_with(&ZSTD) {
        Box::new(zstd::stream::read::Decoder::with_buffer(reader)?)
    } else {
        Box::new(reader)
    })
}

struct Counted {
    inner: Box<dyn Read + Send>,
    count: Arc<AtomicU64>,
}

impl Read for Counted {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let count = self.inner.read(buffer)?;
        self.count.fetch_add(count as u64, Ordering::Relaxed);
        Ok(count)
    }
}
