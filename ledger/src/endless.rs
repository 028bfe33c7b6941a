//! Files that RocksDB would read for ever.
//!
//! Owns the look at what a database logs for itself, its manifest and its write-ahead logs, before it is opened. At a record
//! of a kind that only files have which are written over again, `log_reader.cc` of RocksDB 11.8 stays where it is, and asks
//! again and again (`kBadRecord`, with nothing left out of the buffer). No file here is written over again: such a kind is a
//! bit that turned over. Everything else that is wrong in these files RocksDB finds by itself.
//!
//! ```text
//! file    = blocks of 32 KiB, each of records as long as 7 bytes are left
//! record  = u32 masked CRC-32C of what follows the length ‖ u16 length ‖ u8 kind ‖ as many bytes    all numbers little-endian
//! ```

use std::fs::File;
use std::io::{self, Read};
use std::path::Path;

use crate::error::{LedgerError, Result};

const BLOCK_BYTES: u64 = 32 << 10;
const HEADER_BYTES: usize = 7;

/// Whether a kind is one that only files have which are written over again (`log_format.h`).
fn is_of_reused(kind: u8) -> bool {
    matches!(kind, 5..=8 | 11 | 131)
}

/// Looks at the files of the database in a folder; there may be none.
///
/// # Errors
/// [`LedgerError::Falsified`] if RocksDB would read one of them for ever.
pub fn check_logs(database: &Path) -> Result<()> {
    let of_file = |error| LedgerError::file(database, error);
    let entries = match database.read_dir() {
        Ok(entries) => entries,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        Err(error) => return Err(of_file(error)),
    };
    for entry in entries {
        let path = entry.map_err(of_file)?.path();
        let name = path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
        if name.starts_with("MANIFEST-") || name.ends_with(".log") {
            let file = File::open(&path).map_err(|error| LedgerError::file(&path, error))?;
            if let Some(offset) = find(file).map_err(|error| LedgerError::file(&path, error))? {
                let problem = format!("at byte {offset} it has a record of a kind that no file of a ledger has");
                return Err(LedgerError::falsified(path.display(), problem));
            }
        }
    }
    Ok(())
}

/// Where the first record of such a kind begins that RocksDB would come to.
fn find(mut file: impl Read) -> io::Result<Option<u64>> {
    let mut block = Vec::new();
    for start in (0..).step_by(BLOCK_BYTES as usize) {
        block.clear();
        if file.by_ref().take(BLOCK_BYTES).read_to_end(&mut block)? == 0 {
            break;
        }
        let mut rest = &block[..];
        while let Some((header, _)) = rest.split_first_chunk::<HEADER_BYTES>() {
            let [c0, c1, c2, c3, l0, l1, kind] = *header;
            if is_of_reused(kind) {
                return Ok(Some(start + (block.len() - rest.len()) as u64));
            }
            let length = HEADER_BYTES + usize::from(u16::from_le_bytes([l0, l1]));
            let Some((record, after)) = rest.split_at_checked(length) else { break };
            // What is wrong otherwise makes RocksDB leave out the rest of the block.
            let is_whole = masked(crc32c::crc32c(&record[HEADER_BYTES - 1..])) == u32::from_le_bytes([c0, c1, c2, c3]);
            if kind == 0 && length == HEADER_BYTES || !is_whole {
                break;
            }
            rest = after;
        }
    }
    Ok(None)
}

/// A checksum as it is stored (`util/crc32c.h`).
fn masked(crc: u32) -> u32 {
    crc.rotate_right(15).wrapping_add(0xa282_ead8)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn record(kind: u8, content: &[u8]) -> Vec<u8> {
        let checked = [&[kind], content].concat();
        let length = u16::try_from(content.len()).unwrap();
        [&masked(crc32c::crc32c(&checked)).to_le_bytes()[..], &length.to_le_bytes(), &checked].concat()
    }

    #[test]
    fn such_a_record_is_found_where_rocksdb_comes_to_it() {
        let whole = record(1, b"one");
        let turned = [&whole[..], &record(1, b"two")].concat();
        let with_kind = |kind: u8| {
            let mut bytes = turned.clone();
            bytes[whole.len() + 6] = kind;
            find(&bytes[..]).unwrap()
        };
        for kind in 0..=u8::MAX {
            let expected = is_of_reused(kind).then_some(whole.len() as u64);
            assert_eq!(with_kind(kind), expected, "{kind}");
        }
        // Behind what is broken, the rest of the block is left out, and the next block is read.
        let mut broken = record(1, b"one");
        broken[9] ^= 1;
        let behind = [&broken[..], &record(5, b"two")].concat();
        assert_eq!(find(&behind[..]).unwrap(), None);
        let mut next_block = behind;
        next_block.resize(BLOCK_BYTES as usize, 0);
        next_block.extend(record(5, b"three"));
        assert_eq!(find(&next_block[..]).unwrap(), Some(BLOCK_BYTES));
        assert_eq!(find(&[0; 100][..]).unwrap(), None, "room that was set aside");
        assert_eq!(find(&whole[..9]).unwrap(), None, "a torn end");
    }
}
