//! Tiles and entry bundles: what they hold is what a list of records comes to, at every size, and nothing past the head.
#![allow(clippy::unwrap_used, reason = "a test stops where it fails")]

mod common;

use common::*;
use counterfoil_ledger::{LedgerError, Sealing};
use counterfoil_verify::hash::LeafHash;
use counterfoil_verify::record;
use counterfoil_verify::tile::Tile;
use rocksdb::{DB, Options};

/// The bytes of a tile of the tree over these leaves, as C2SP tlog-tiles says it; none where it is not full enough.
fn naive(leaves: &[LeafHash], level: u32, index: usize, width: usize) -> Option<Vec<u8>> {
    let span = 256_usize.pow(level);
    let root = |at: usize| leaves.get(at * span..(at + 1) * span).map(|leaves| *naive_root(leaves).as_bytes());
    let hashes: Option<Vec<_>> = (index * 256..index * 256 + width).map(root).collect();
    Some(hashes?.concat())
}

fn tile(level: &str, index: usize, width: usize) -> Tile {
    let suffix = if width == 256 { String::new() } else { format!(".p/{width}") };
    Tile::parse(&format!("{level}/{index:03}{suffix}")).unwrap()
}

#[test]
fn tiles_are_what_the_records_come_to_and_go_no_further_than_the_head() {
    let home = Home::new(1);
    let ledger = home.open();
    let reader = ledger.reader();
    for size in [1, 2, 255, 256, 257, 511, 512, 513, 700] {
        let next = reader.head().size.0;
        append(&ledger, numbered(next..size));
        assert_eq!(reader.head().size.0, size);
        let records = bytes(&reader);
        let leaves: Vec<LeafHash> = records.iter().map(|bytes| record::hash(bytes)).collect();
        for index in 0..4 {
            for width in [1, 2, 3, 187, 188, 189, 254, 255, 256] {
                for level in 0..3 {
                    let found = reader.tile(tile(&level.to_string(), index, width)).unwrap();
                    assert_eq!(
                        found,
                        naive(&leaves, level, index, width),
                        "{level}/{index} of {width}, {size} records"
                    );
                }
                let expected = records.get(index * 256..index * 256 + width).map(|records| {
                    let length = |record: &Vec<u8>| u16::try_from(record.len()).unwrap().to_be_bytes();
                    records.iter().flat_map(|record| [&length(record)[..], record].concat()).collect::<Vec<u8>>()
                });
                let found = reader.tile(tile("entries", index, width)).unwrap();
                assert_eq!(found, expected, "entries {index} of {width}, {size} records");
            }
        }
    }
}

#[test]
fn a_record_that_was_changed_is_in_no_bundle() {
    let home = Home::new(1);
    // What no seal covers is read again at the start, and found there.
    append(&home.open_sealing(Sealing::AtTheEnd), numbered(1..300));
    let log = DB::open_cf(&Options::default(), home.part("log"), ["default", "records", "beside"]).unwrap();
    let records = log.cf_handle("records").unwrap();
    let mut record = record::decode(&log.get_cf(records, 270_u64.to_be_bytes()).unwrap().unwrap()).unwrap();
    record.provenance.as_mut().unwrap().content_digest[3] ^= 1;
    log.put_cf(records, 270_u64.to_be_bytes(), record::encode(&record).unwrap()).unwrap();
    drop(log);
    let ledger = home.open();
    let reader = ledger.reader();
    assert!(reader.tile(tile("entries", 0, 256)).unwrap().is_some());
    assert!(reader.tile(tile("entries", 1, 14)).unwrap().is_some());
    let refused = reader.tile(tile("entries", 1, 15)).unwrap_err();
    assert!(matches!(refused, LedgerError::Falsified { .. }), "{refused}");
    // Its hash is the one that was chained.
    assert!(reader.tile(tile("0", 1, 44)).unwrap().is_some());
}
