//! The rows of a table as documents.
//!
//! Owns where a row ends, and that a broken one takes none of its neighbours with it. What a row says is `csv`'s to read.

use std::io;

use super::{Documents, Unread};
use crate::prepare::Document;
use crate::sources::csv::{self, Header};

impl Documents {
    /// The next row as an object. Where a quotation mark is missing, the first line alone is broken.
    pub(super) fn next_row(&mut self) -> io::Result<Option<Document>> {
        loop {
            let first = self.line + 1;
            let Some(row) = self.whole_row()? else { return Ok(None) };
            if row.trim_ascii().is_empty() {
                continue;
            }
            let read = match &self.header {
                None => {
                    let header = Header::read(&row);
                    let failed = header.as_ref().err().cloned();
                    self.header = Some(header);
                    let Some(reject) = failed else { continue };
                    Err(reject)
                }
                Some(Ok(header)) => header.document(&row),
                Some(Err(reject)) => Err(reject.clone()),
            };
            let sequence = self.sequence;
            self.sequence += 1;
            let (bytes, unreadable) = match read {
                Ok(bytes) => (bytes, None),
                Err(reject) => (row, Some(reject)),
            };
            let place = format!("line {first}");
            return Ok(Some(Document { sequence, bytes, place, unreadable, ..Document::default() }));
        }
    }

    /// The lines up to where no quotation mark is open.
    fn whole_row(&mut self) -> io::Result<Option<Vec<u8>>> {
        let (mut row, mut ends) = (Vec::new(), Vec::new());
        loop {
            let (is_line, is_end) = self.reader.read_line(&mut row, csv::ROW_BYTES_MAX)?;
            if is_line {
                ends.push(row.len());
            }
            if csv::is_whole(&row) || is_end || row.len() >= csv::ROW_BYTES_MAX {
                break;
            }
        }
        if let (false, Some(first)) = (csv::is_whole(&row), ends.first()) {
            self.reader.unread(row.split_off(*first));
            ends.truncate(1);
        }
        self.line += ends.len() as u64;
        Ok((!row.is_empty()).then_some(row))
    }
}

impl Unread {
    /// Adds a line to the text, or as much of it as the text may have. Whether it did add one, and whether the input ends
    /// there.
    fn read_line(&mut self, text: &mut Vec<u8>, max: usize) -> io::Result<(bool, bool)> {
        let start = text.len();
        loop {
            let buffer = self.fill_buf()?;
            if buffer.is_empty() {
                return Ok((text.len() > start, true));
            }
            let end = buffer.iter().position(|byte| *byte == b'\n');
            let length = end.map_or(buffer.len(), |end| end + 1);
            text.extend_from_slice(&buffer[..length]);
            self.consume(length);
            if end.is_some() || text.len() >= max {
                return Ok((true, false));
            }
        }
    }
}
