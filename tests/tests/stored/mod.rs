//! Everything that a ledger stores, row by row, to be searched for what must not be there.
//!
//! RocksDB compresses its blocks, so a search of the files alone would prove little: every row of every database is read
//! too, and every record and what lies beside it through the ledger's own reader.
#![allow(dead_code, reason = "each test file uses its part")]

use std::fs;

use counterfoil_ledger::{Ledger, Location, Options, Reader, Sealing, SystemClock};
use counterfoil_proto::v1::{ImportResponse, ImportSummary};
use counterfoil_tests::files::{all_files, holds};
use counterfoil_tests::program::LedgerFolder;
use counterfoil_verify::tree::RecordIndex;
use rocksdb::{DB, IteratorMode};

pub fn import(ledger: &LedgerFolder, connector: &str, name: &str, bytes: &[u8]) -> ImportSummary {
    let file = ledger.file(name, bytes);
    let run = ledger.import(connector, &file, &["--output", "json"]).ended(0);
    fs::remove_file(&file).unwrap();
    run.json::<ImportResponse>().total.unwrap()
}

/// Everything that is stored, in parts with a name each.
pub struct Stored {
    pub parts: Vec<(String, Vec<u8>)>,
}

impl Stored {
    pub fn of(ledger: &LedgerFolder) -> Self {
        let mut parts = Vec::new();
        for file in all_files(ledger.folder.path()) {
            parts.push((file.display().to_string(), fs::read(&file).unwrap()));
        }
        let mut rows = 0;
        for name in ["log", "derived", "views"] {
            let path = ledger.data().join(name);
            let options = rocksdb::Options::default();
            let columns = DB::list_cf(&options, &path).unwrap();
            let db = DB::open_cf_for_read_only(&options, &path, &columns, false).unwrap();
            for column in &columns {
                let handle = db.cf_handle(column).unwrap();
                for row in db.iterator_cf(&handle, IteratorMode::Start) {
                    let (key, value) = row.unwrap();
                    rows += 1;
                    parts.push((format!("{name}/{column}: {}", String::from_utf8_lossy(&key)), key.into_vec()));
                    parts.push((format!("{name}/{column}"), value.into_vec()));
                }
            }
        }
        assert!(rows > 10, "the databases were read");
        Self { parts }
    }

    /// The parts that hold one of these.
    pub fn find(&self, needles: &[Vec<u8>]) -> Vec<String> {
        let mut found = Vec::new();
        for (name, bytes) in &self.parts {
            let lower = bytes.to_ascii_lowercase();
            for needle in needles.iter().filter(|needle| holds(&lower, &needle.to_ascii_lowercase())) {
                found.push(format!("{:?} in {name:?}", String::from_utf8_lossy(needle)));
            }
        }
        found
    }
}

pub fn open(ledger: &LedgerFolder) -> Ledger {
    let options = Options {
        clock: Box::new(SystemClock::new()),
        accept_clock: false,
        holder: "a test".to_owned(),
        sealing: Sealing::Never,
    };
    Ledger::open(&Location::new(&ledger.data(), None), options).unwrap()
}

pub fn indexes(reader: &Reader) -> impl Iterator<Item = RecordIndex> {
    (0..reader.head().size.0).map(RecordIndex)
}
