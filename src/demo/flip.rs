//! One flipped bit, as somebody flips it who has the disk in hand: in a record's bytes in the storage engine's
//! write-ahead log, whose own checksum is made to fit, so that nothing but the ledger can notice.
//!
//! Owns what has to be known of RocksDB's log for that: blocks of 32 KiB, in each of them pieces of
//! `u32 checksum ‖ u16 length ‖ u8 type ‖ bytes`, little-endian; the checksum is the masked CRC-32C of type and bytes.

use std::fs;
use std::io;
use std::path::Path;

const BLOCK: usize = 32 << 10;
const HEADER: usize = 7;

/// Flips a bit of `place`, which is a part of the record `bytes`, in the file in `folder` that holds the record in one
/// piece. Says whether there is such a file.
pub fn flip(folder: &Path, bytes: &[u8], place: &[u8]) -> io::Result<bool> {
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        if path.extension().is_some_and(|extension| extension == "log") {
            let mut log = fs::read(&path)?;
            if flip_in(&mut log, bytes, place).is_some() {
                fs::write(&path, log)?;
                return Ok(true);
            }
        }
    }
    Ok(false)
}

fn flip_in(log: &mut [u8], bytes: &[u8], place: &[u8]) -> Option<()> {
    let flipped = find(log, bytes)? + find(bytes, place)?;
    let mut start = 0;
    loop {
        if BLOCK - start % BLOCK < HEADER {
            start = start.next_multiple_of(BLOCK);
        }
        let header = log.get(start..start + HEADER)?;
        let length = usize::from(u16::from_le_bytes([header[4], header[5]]));
        let end = start + HEADER + length;
        if (start + HEADER..end).contains(&flipped) {
            log[flipped] ^= 1;
            let checksum = masked_crc32c(log.get(start + HEADER - 1..end)?);
            log[start..start + 4].copy_from_slice(&checksum.to_le_bytes());
            return Some(());
        }
        start = end;
    }
}

fn find(bytes: &[u8], wanted: &[u8]) -> Option<usize> {
    let first = *wanted.first()?;
    let mut places = bytes.iter().enumerate().filter(|(_, byte)| **byte == first).map(|(place, _)| place);
    places.find(|&place| bytes[place..].starts_with(wanted))
}

fn masked_crc32c(bytes: &[u8]) -> u32 {
    let mut crc = u32::MAX;
    for byte in bytes {
        crc ^= u32::from(*byte);
        for _ in 0..8 {
            crc = if crc & 1 == 1 { crc >> 1 ^ 0x82f6_3b78 } else { crc >> 1 };
        }
    }
    (!crc).rotate_right(15).wrapping_add(0xa282_ead8)
}
