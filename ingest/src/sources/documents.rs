//! How a stream of bytes falls into documents: lines, values one after another, elements of arrays, rows of a table.
//!
//! Owns that a broken document never takes its neighbours with it, and that no byte between two documents is anything but
//! white space, commas and the brackets of arrays. It never parses JSON beyond finding where a value ends.
//!
//! A value ends where its brackets close. One whose brackets, strings, colons or commas break goes to where the next
//! value begins (`resync`), or else to where its brackets close after all, or else to the end; it is one document, and
//! what comes behind it is read on.

use std::io::{self, BufRead, BufReader, Read};
use std::sync::Arc;
use std::sync::atomic::AtomicU64;

use super::csv::{self, Header};
use super::resync::{Found, Shape};
use super::structure::{Brackets, Step, Structure, Unclosed};
use crate::json::Reject;
use crate::prepare::Document;

mod rows;

/// The largest document, in bytes. Of a larger one the beginning is kept, and the rest is skipped.
pub const DOCUMENT_BYTES_MAX: usize = 64 << 20;
/// How much of a document that is too large is kept.
pub const KEPT_BYTES: usize = 1 << 20;
/// How much text behind a place is looked at before it is taken for the beginning of a value, in bytes.
const LOOK_AHEAD_BYTES: usize = 1 << 16;
/// How much of the beginning of a value is enough to know it by its line and its first key, in bytes.
const LINE_BYTES: usize = 1 << 10;
/// What some programs put before UTF-8. It is no part of the first document.
const BYTE_ORDER_MARK: &[u8] = &[0xef, 0xbb, 0xbf];

/// How a file falls into documents.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Layout {
    /// Each line is a document.
    Lines,
    /// Values one after another, or the elements of arrays.
    Values,
    /// Each row of comma-separated values behind the first, which names the columns.
    Rows,
}

/// The documents of one input, in order.
pub struct Documents {
    reader: Unread,
    layout: Layout,
    sequence: u64,
    line: u64,
    in_array: bool,
    shape: Shape,
    /// Of rows: their columns, or why nobody can tell.
    header: Option<Result<Header, Reject>>,
    read_bytes: Arc<AtomicU64>,
}

impl Documents {
    /// `layout` is what the input's name says of it, if that says anything.
    pub fn new(inner: Box<dyn Read + Send>, layout: Option<Layout>, read_bytes: Arc<AtomicU64>) -> io::Result<Self> {
        let mut reader = BufReader::with_capacity(1 << 18, inner);
        if reader.fill_buf()?.starts_with(BYTE_ORDER_MARK) {
            reader.consume(BYTE_ORDER_MARK.len());
        }
        let layout = match layout {
            Some(layout) => layout,
            None => guess_layout(reader.fill_buf()?),
        };
        let reader = Unread { again: Vec::new(), at: 0, inner: reader };
        let (shape, header) = (Shape::default(), None);
        Ok(Self { reader, layout, sequence: 0, line: 0, in_array: false, shape, header, read_bytes })
    }

    /// How the input falls into documents: their numbers mean something only together with it.
    pub fn layout(&self) -> &'static str {
        match self.layout {
            Layout::Lines => "lines",
            Layout::Values => "values",
            Layout::Rows => "rows",
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
            Layout::Rows => return self.next_row(),
        };
        Ok(collected.map(|collected| {
            let sequence = self.sequence;
            self.sequence += 1;
            let place = match self.layout {
                Layout::Values => format!("value {}", sequence + 1),
                Layout::Lines | Layout::Rows => format!("line {}", self.line),
            };
            let oversized = (collected.size > DOCUMENT_BYTES_MAX as u64).then_some(collected.size);
            Document { sequence, bytes: collected.bytes, oversized, place, ..Document::default() }
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

    fn next_value(&mut self) -> io::Result<Option<Collected>> {
        if !self.skip_gap()? {
            // An array that was cut off between two elements: its open bracket is what cannot be read.
            let cut = std::mem::take(&mut self.in_array).then(|| Collected { bytes: b"[".to_vec(), size: 1 });
            return Ok(cut);
        }
        let mut value = Partial::default();
        let mut structure = Structure::new(self.in_array);
        loop {
            let buffer = self.reader.fill_buf()?;
            let is_end = buffer.is_empty();
            let end = buffer.iter().map(|byte| structure.push(*byte)).enumerate().find(|(_, step)| *step != Step::More);
            let length = match end {
                Some((at, Step::Ends)) => at + 1,
                Some((at, _)) => at,
                None => buffer.len(),
            };
            value.text.extend_from_slice(&buffer[..length]);
            self.reader.consume(length);
            match end {
                Some((_, Step::Ends | Step::Ended)) => break,
                None if is_end && structure.is_flat() => break,
                None if !is_end && value.text.len() <= DOCUMENT_BYTES_MAX => {}
                // It is too large to be read, but what is behind it may not be.
                None if !is_end && !self.shape.is_certain() => value.give_up(value.text.len() - LOOK_AHEAD_BYTES),
                _ => return self.broken_value(value).map(Some),
            }
        }
        if value.given_up.size == 0 {
            self.shape.is_good(&value.text);
        }
        Ok(Some(value.collected()))
    }

    /// Skips what stands between values. False at the end of the input.
    fn skip_gap(&mut self) -> io::Result<bool> {
        let mut gap = Vec::new();
        // Behind the outermost array stands nothing that goes on with what is in it: then a broken value closed it.
        let (mut has_closed, mut goes_on) = (false, false);
        loop {
            let buffer = self.reader.fill_buf()?;
            if buffer.is_empty() {
                return Ok(false);
            }
            let mut used = 0;
            for &byte in buffer {
                goes_on |= has_closed && matches!(byte, b',' | b':' | b'}' | b']');
                match byte {
                    b' ' | b'\t' | b'\r' | b',' => gap.push(byte),
                    b'\n' => {
                        gap.clear();
                        gap.push(byte);
                    }
                    b'[' if !self.in_array => (self.in_array, goes_on) = (true, false),
                    b']' if self.in_array => (self.in_array, has_closed) = (false, true),
                    _ => break,
                }
                used += 1;
            }
            let is_over = used < buffer.len();
            self.reader.consume(used);
            if is_over {
                self.in_array |= goes_on;
                self.shape.begins(&gap);
                return Ok(true);
            }
        }
    }

    /// A broken value that begins like this: up to where the next one begins, or to where its brackets close after all,
    /// or to the end. What was read behind that is read again.
    fn broken_value(&mut self, mut value: Partial) -> io::Result<Collected> {
        let key = self.shape.key_of(value.beginning());
        let mut brackets = (value.given_up.size == 0).then(Brackets::default);
        let (mut counted, mut closed, mut searched) = (0, None, 1);
        let mut more = 2 * LINE_BYTES;
        loop {
            let is_end = self.reader.read_more(&mut value.text, more)?;
            more = (2 * more).min(LOOK_AHEAD_BYTES);
            let text = &value.text;
            match brackets.as_mut().map(|brackets| brackets.closes_after(&text[counted..])) {
                None | Some(Ok(None)) => {}
                Some(Err(Unclosed)) => brackets = None,
                Some(Ok(Some(length))) => {
                    brackets = None;
                    closed = Some(counted + length).filter(|&closed| self.may_end(text.first(), &text[closed..]));
                }
            }
            counted = text.len();
            let certain = if is_end { text.len() } else { text.len().saturating_sub(LINE_BYTES).max(searched) };
            let until = closed.filter(|closed| *closed <= certain).unwrap_or(certain);
            let next = match self.shape.next_value(text, searched..until, key.as_deref(), self.in_array) {
                Found::At(at) => Some(at),
                Found::Perhaps(at) if is_end || text.len() - at >= LOOK_AHEAD_BYTES => Some(at),
                Found::Perhaps(at) => {
                    searched = at;
                    continue;
                }
                Found::Nowhere => closed.filter(|closed| *closed <= until),
            };
            if let Some(end) = next {
                let end = end - length_between(&value.text[..end]);
                self.reader.unread(value.text.split_off(end));
                return Ok(value.collected());
            }
            if is_end {
                // The bracket of the array went with it.
                self.in_array &= !value.text.trim_ascii_end().ends_with(b"]");
                return Ok(value.collected());
            }
            searched = until;
            if value.text.len() > DOCUMENT_BYTES_MAX {
                (brackets, closed) = (None, None);
                let length = searched.saturating_sub(LOOK_AHEAD_BYTES);
                counted -= length;
                searched -= length;
                value.give_up(length);
            }
        }
    }

    /// Whether a value that begins with this byte may end before this text: what comes next begins like it.
    fn may_end(&self, first: Option<&u8>, text: &[u8]) -> bool {
        let next = text.trim_ascii_start();
        match next.first() {
            None => true,
            // Behind the outermost array stands nothing that goes on with what is in it.
            Some(b']') => {
                self.in_array && !matches!(next[1..].trim_ascii_start().first(), Some(b',' | b':' | b'}' | b']'))
            }
            Some(b',') => self.in_array && [None, first].contains(&next[1..].trim_ascii_start().first()),
            next => !self.in_array && next == first,
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
    if start.split_inclusive(|&byte| byte == b'\n').next().is_some_and(csv::is_header) {
        return Layout::Rows;
    }
    let mut lines = start.splitn(3, |&byte| byte == b'\n');
    let first = lines.next().unwrap_or_default();
    let mut structure = Structure::new(false);
    let closes = first.iter().any(|&byte| structure.push(byte) == Step::Ends);
    match lines.next() {
        _ if closes => Layout::Lines,
        Some(second) if second.first() == Some(&b'{') => Layout::Lines,
        Some(_) => Layout::Values,
        None => Layout::Lines,
    }
}

/// A value in the making: its text, less what was given up of one that is too large.
#[derive(Default)]
struct Partial {
    given_up: Collected,
    text: Vec<u8>,
}

impl Partial {
    fn give_up(&mut self, length: usize) {
        self.given_up.push(&self.text[..length]);
        self.text.drain(..length);
    }

    fn beginning(&self) -> &[u8] {
        if self.given_up.size > 0 { &self.given_up.bytes } else { &self.text }
    }

    /// The document, less the white space and the commas behind it.
    fn collected(mut self) -> Collected {
        self.text.truncate(self.text.len() - length_between(&self.text));
        if self.given_up.size == 0 && self.text.len() <= DOCUMENT_BYTES_MAX {
            return Collected { size: self.text.len() as u64, bytes: self.text };
        }
        self.given_up.push(&self.text);
        self.given_up
    }
}

/// How long the white space and the commas are that text ends with.
fn length_between(text: &[u8]) -> usize {
    text.iter().rev().take_while(|byte| byte.is_ascii_whitespace() || **byte == b',').count()
}

/// A reader that can be given back what was read from it.
struct Unread {
    again: Vec<u8>,
    at: usize,
    inner: BufReader<Box<dyn Read + Send>>,
}

impl Unread {
    fn fill_buf(&mut self) -> io::Result<&[u8]> {
        if self.at < self.again.len() {
            return Ok(&self.again[self.at..]);
        }
        self.again.clear();
        self.at = 0;
        self.inner.fill_buf()
    }

    fn consume(&mut self, length: usize) {
        if self.again.is_empty() {
            self.inner.consume(length);
        } else {
            self.at += length;
        }
    }

    /// Adds at most this many of the bytes that come next to the text. True at the end of the input.
    fn read_more(&mut self, text: &mut Vec<u8>, length: usize) -> io::Result<bool> {
        let buffer = self.fill_buf()?;
        let length = buffer.len().min(length);
        text.extend_from_slice(&buffer[..length]);
        self.consume(length);
        Ok(length == 0)
    }

    /// Takes back what was read last.
    fn unread(&mut self, text: Vec<u8>) {
        // Usually it is still there.
        match self.again[..self.at].strip_suffix(text.as_slice()) {
            Some(before) => self.at = before.len(),
            None => {
                let rest = self.again.split_off(self.at);
                self.again = [text, rest].concat();
                self.at = 0;
            }
        }
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
            let room = KEPT_BYTES.saturating_sub(self.bytes.len());
            self.bytes.extend_from_slice(&more[..room.min(more.len())]);
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
