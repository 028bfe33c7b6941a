//! Source file: JSON, JSON lines, JSON arrays, each also gzip or zstd, from a file or from standard input.
//!
//! Owns how a file falls into documents: a broken one never takes its neighbours with it. It never parses JSON beyond
//! finding where a value ends.

use std::fs::File;
use std::io::{self, BufRead, BufReader, Read, Seek};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;

use crate::json;
use crate::prepare::Document;

/// The largest document, in bytes. Of a larger one the beginning is kept, and the rest is skipped.
pub const DOCUMENT_BYTES_MAX: usize = 64 << 20;
/// What some programs put before UTF-8. It is no part of the first document.
const BYTE_ORDER_MARK: &[u8] = &[0xef, 0xbb, 0xbf];
/// How much of a document that is too large is kept.
const KEPT_BYTES: usize = 1 << 20;

/// What is imported: a file, or standard input.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Input {
    /// A file, which may be read again.
    Path(PathBuf),
    /// Standard input, which may not.
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
    /// None for standard input.
    pub fn identity(&self, key: &[u8; 32]) -> io::Result<Option<(String, u64)>> {
        let Self::Path(path) = self else { return Ok(None) };
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

    /// Opens it for reading documents.
    pub fn documents(&self) -> io::Result<Documents> {
        let read_bytes = Arc::new(AtomicU64::new(0));
        let lines_by_name = match self {
            Self::Path(path) => has_lines_extension(path),
            Self::Stdin => false,
        };
        let raw: Box<dyn Read + Send> = match self {
            Self::Path(path) => {
                let mut file = File::open(path)?;
                file.rewind()?;
                Box::new(file)
            }
            Self::Stdin => Box::new(io::stdin()),
        };
        let counted = Counted { inner: raw, count: read_bytes.clone() };
        Documents::new(Box::new(decompress(counted)?), lines_by_name, read_bytes)
    }
}

fn has_lines_extension(path: &Path) -> bool {
    let name = path.to_string_lossy().to_ascii_lowercase();
    let name = name.trim_end_matches(".gz").trim_end_matches(".zst");
    name.ends_with(".jsonl") || name.ends_with(".ndjson")
}

fn decompress(raw: Counted) -> io::Result<Box<dyn Read + Send>> {
    let mut reader = BufReader::with_capacity(1 << 18, raw);
    let start = reader.fill_buf()?;
    Ok(if start.starts_with(&[0x1f, 0x8b]) {
        Box::new(flate2::read::MultiGzDecoder::new(reader))
    } else if start.starts_with(&[0x28, 0xb5, 0x2f, 0xfd]) {
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

/// How a file falls into documents.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Layout {
    /// Each line is a document.
    Lines,
    /// Values one after another, or the elements of arrays.
    Values,
}

/// The documents of one input, in order.
pub struct Documents {
    reader: BufReader<Box<dyn Read + Send>>,
    layout: Layout,
    sequence: u64,
    line: u64,
    in_array: bool,
    read_bytes: Arc<AtomicU64>,
}

impl Documents {
    fn new(inner: Box<dyn Read + Send>, lines_by_name: bool, read_bytes: Arc<AtomicU64>) -> io::Result<Self> {
        let mut reader = BufReader::with_capacity(1 << 18, inner);
        if reader.fill_buf()?.starts_with(BYTE_ORDER_MARK) {
            reader.consume(BYTE_ORDER_MARK.len());
        }
        let layout = if lines_by_name { Layout::Lines } else { guess_layout(reader.fill_buf()?) };
        Ok(Self { reader, layout, sequence: 0, line: 0, in_array: false, read_bytes })
    }

    /// How the input falls into documents: their numbers mean something only together with it.
    pub fn layout(&self) -> &'static str {
        match self.layout {
            Layout::Lines => "lines",
            Layout::Values => "values",
        }
    }

    /// How many bytes of the input, as they lie there, have been read.
    pub fn read_bytes(&self) -> Arc<AtomicU64> {
        self.read_bytes.clone()
    }

    fn next_document(&mut self) -> io::Result<Option<Document>> {
        let collected = match self.layout {
            Layout::Lines => self.next_line()?,
            Layout::Values => self.next_value()?,
        };
        Ok(collected.map(|collected| {
            let sequence = self.sequence;
            self.sequence += 1;
            let place = match self.layout {
                Layout::Lines => format!("line {}", self.line),
                Layout::Values => format!("value {}", sequence + 1),
            };
            let oversized = (collected.size > DOCUMENT_BYTES_MAX as u64).then_some(collected.size);
            Document { sequence, bytes: collected.bytes, oversized, place }
        }))
    }

    fn next_line(&mut self) -> io::Result<Option<Collected>> {
        loop {
            let mut collected = Collected::default();
            let mut ended = false;
            while !ended {
                let buffer = self.reader.fill_buf()?;
                if buffer.is_empty() {
                    break;
                }
                let length = match buffer.iter().position(|&byte| byte == b'\n') {
                    Some(end) => {
                        ended = true;
                        end + 1
                    }
                    None => buffer.len(),
                };
                collected.push(&buffer[..length]);
                self.reader.consume(length);
            }
            if collected.size == 0 {
                return Ok(None);
            }
            self.line += 1;
            if !collected.bytes.trim_ascii().is_empty() {
                collected.trim();
                return Ok(Some(collected));
            }
        }
    }

    /// The next value, or the next element of an array. A value ends where its brackets close; text that opens none
    /// ends at the end of its line.
    fn next_value(&mut self) -> io::Result<Option<Collected>> {
        let mut collected = Collected::default();
        let mut scan = Scan::default();
        loop {
            let buffer = self.reader.fill_buf()?;
            if buffer.is_empty() {
                collected.trim();
                if collected.size == 0 && self.in_array {
                    // The array was cut off between two elements: its open bracket is what cannot be read.
                    self.in_array = false;
                    collected.push(b"[");
                }
                return Ok((collected.size > 0).then_some(collected));
            }
            let mut used = 0;
            let mut ended = false;
            let mut start = 0;
            for &byte in buffer {
                if collected.size == 0 && used == start {
                    // Between values.
                    let skipped = match byte {
                        b' ' | b'\t' | b'\r' | b'\n' | b',' => true,
                        b'[' if !self.in_array => {
                            self.in_array = true;
                            true
                        }
                        b']' if self.in_array => {
                            self.in_array = false;
                            true
                        }
                        _ => false,
                    };
                    if skipped {
                        used += 1;
                        start = used;
                        continue;
                    }
                }
                if scan.ends_before(byte, self.in_array) {
                    ended = true;
                    break;
                }
                used += 1;
                if scan.ends_after(byte) {
                    ended = true;
                    break;
                }
            }
            collected.push(&buffer[start..used]);
            self.reader.consume(used);
            if ended {
                collected.trim();
                return Ok(Some(collected));
            }
        }
    }
}

impl Iterator for Documents {
    type Item = io::Result<Document>;

    fn next(&mut self) -> Option<Self::Item> {
        self.next_document().transpose()
    }
}

/// Whether a file is lines of JSON. An array, or a value that goes over several lines, is not; but a file whose first
/// line is merely broken is.
fn guess_layout(start: &[u8]) -> Layout {
    let start = start.trim_ascii_start();
    if start.first() == Some(&b'[') {
        return Layout::Values;
    }
    let mut lines = start.splitn(3, |&byte| byte == b'\n');
    let first = lines.next().unwrap_or_default();
    let mut scan = Scan::default();
    let closes = first.iter().any(|&byte| scan.ends_after(byte));
    match lines.next() {
        _ if closes => Layout::Lines,
        Some(second) if second.first() == Some(&b'{') => Layout::Lines,
        Some(_) => Layout::Values,
        None => Layout::Lines,
    }
}

/// Where a JSON value ends, byte by byte.
#[derive(Default)]
struct Scan {
    depth: usize,
    in_string: bool,
    escaped: bool,
}

impl Scan {
    /// Whether a value without brackets ends before this byte.
    fn ends_before(&self, byte: u8, in_array: bool) -> bool {
        self.depth == 0 && !self.in_string && (byte == b'\n' || in_array && matches!(byte, b',' | b']'))
    }

    /// Whether the value ends with this byte: its last bracket closes.
    fn ends_after(&mut self, byte: u8) -> bool {
        if self.in_string {
            match byte {
                _ if self.escaped => self.escaped = false,
                b'\\' => self.escaped = true,
                b'"' => self.in_string = false,
                _ => {}
            }
            return false;
        }
        match byte {
            b'"' => self.in_string = true,
            b'{' | b'[' => self.depth += 1,
            b'}' | b']' => {
                self.depth = self.depth.saturating_sub(1);
                return self.depth == 0;
            }
            _ => {}
        }
        false
    }
}

/// A document in the making: kept up to a limit, counted beyond it.
#[derive(Default)]
struct Collected {
    bytes: Vec<u8>,
    size: u64,
}

impl Collected {
    fn push(&mut self, more: &[u8]) {
        self.size += more.len() as u64;
        if self.size > DOCUMENT_BYTES_MAX as u64 {
            self.bytes.truncate(KEPT_BYTES);
        } else {
            self.bytes.extend_from_slice(more);
        }
    }

    fn trim(&mut self) {
        if self.size <= DOCUMENT_BYTES_MAX as u64 {
            let end = self.bytes.trim_ascii_end().len();
            self.bytes.truncate(end);
            let start = self.bytes.len() - self.bytes.trim_ascii_start().len();
            self.bytes.drain(..start);
            self.size = self.bytes.len() as u64;
        }
    }
}
