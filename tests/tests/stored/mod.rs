//! Everything that a ledger stores, row by row, to be searched for what must not be there.
//!
//! RocksDB compresses its blocks, so a search of the files alone would prove little: every row of every database is read
//! too, and every record and what lies beside it through the ledger's own reader.
#![allow(dead_code, reason = "each test file uses its part")]

use std::fs;
use std::path::{Path, PathBuf};

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
    /// The files as they are, also of a process that runs: one that goes away meanwhile is left out.
    pub fn of_files(ledger: &LedgerFolder) -> Self {
        let files = all_files(ledger.folder.path()).into_iter();
        let read = files.filter_map(|file| Some((file.display().to_string(), fs::read(&file).ok()?)));
        Self { parts: read.collect() }
    }

    /// Adds the rows of each file of each database by itself, which is a database of its own then: also those that are
    /// hidden where all files are read together, since a newer one replaced or deleted them.
    pub fn with_history(mut self, ledger: &LedgerFolder) -> Self {
        let is_table = |file: &PathBuf| file.extension().is_some_and(|extension| extension == "sst");
        let mut count = 0;
        for file in all_files(&ledger.data()).into_iter().filter(is_table) {
            let alone = tempfile::tempdir().unwrap();
            fs::copy(&file, alone.path().join(file.file_name().unwrap())).unwrap();
            let options = rocksdb::Options::default();
            DB::repair(&options, alone.path()).unwrap();
            count += self.add_rows(alone.path(), &format!("{}, alone", file.display()));
        }
        assert!(count > 10, "the files were read");
        self
    }

    /// Adds every row of a database.
    fn add_rows(&mut self, path: &Path, name: &str) -> usize {
        let options = rocksdb::Options::default();
        let columns = DB::list_cf(&options, path).unwrap();
        let db = DB::open_cf_for_read_only(&options, path, &columns, false).unwrap();
        let mut rows = 0;
        for column in &columns {
            let handle = db.cf_handle(column).unwrap();
            for row in db.iterator_cf(&handle, IteratorMode::Start) {
                let (key, value) = row.unwrap();
                rows += 1;
                self.parts.push((format!("{name}/{column}: {}", String::from_utf8_lossy(&key)), key.into_vec()));
                self.parts.push((format!("{name}/{column}"), value.into_vec()));
            }
        }
        rows
    }

    pub fn of(ledger: &LedgerFolder) -> Self {
        let mut stored = Self::of_files(ledger);
        let databases = ["log", "derived", "views"];
        let rows: usize = databases.map(|name| stored.add_rows(&ledger.data().join(name), name)).iter().sum();
        assert!(rows > 10, "the databases were read");
        stored
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
