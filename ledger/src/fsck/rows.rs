//! The rows of a log for fsck: read in order by one thread, checked by themselves by one for each core.
//!
//! Owns how they are spread over threads and put in order again. What a row can be told wrong for is `row`'s to say.

use std::collections::BTreeMap;

use counterfoil_verify::tree::RecordIndex;
use crossbeam_channel::{Receiver, bounded};

use super::{Step, Stop};
use crate::row::{self, Checked};
use crate::store::{self, BESIDE, LogDb, RECORDS, cf};

/// Records that go through the check together.
const CHUNK_RECORDS: usize = 512;

/// Gives every row, checked by itself, in order to `chain`, up to the first that is wrong.
pub(super) fn check(
    log: &LogDb,
    chain: impl FnOnce(std::iter::Flatten<InOrder<Vec<Step<Checked>>>>) -> Step<()>,
) -> Step<()> {
    std::thread::scope(|scope| {
        let threads = std::thread::available_parallelism().map_or(1, usize::from);
        let (read, to_check) = bounded::<(u64, Vec<Step<Row>>)>(2 * threads);
        let (checked, to_chain) = bounded(2 * threads);
        scope.spawn(move || {
            for chunk in (0..).zip(Rows::new(log)) {
                if read.send(chunk).is_err() {
                    break;
                }
            }
        });
        for _ in 0..threads {
            let (to_check, checked) = (to_check.clone(), checked.clone());
            scope.spawn(move || {
                for (number, chunk) in to_check {
                    let rows = chunk.into_iter().map(|row| check_row(&row?)).collect();
                    if checked.send((number, rows)).is_err() {
                        break;
                    }
                }
            });
        }
        drop((to_check, checked));
        chain(InOrder::new(to_chain).flatten())
    })
}

/// One record as read, with what lies beside it.
struct Row {
    index: RecordIndex,
    record: Box<[u8]>,
    beside: Option<Box<[u8]>>,
}

fn check_row(row: &Row) -> Step<Checked> {
    row::check(row.index, &row.record, row.beside.as_deref(), None).map_err(|error| Stop::at(row.index, error))
}

/// Numbered parts in the order of their numbers, whatever order they come in.
pub(super) struct InOrder<T> {
    parts: Receiver<(u64, T)>,
    early: BTreeMap<u64, T>,
    next: u64,
}

impl<T> InOrder<T> {
    fn new(parts: Receiver<(u64, T)>) -> Self {
        Self { parts, early: BTreeMap::new(), next: 0 }
    }
}

impl<T> Iterator for InOrder<T> {
    type Item = T;

    fn next(&mut self) -> Option<T> {
        loop {
            if let Some(part) = self.early.remove(&self.next) {
                self.next += 1;
                return Some(part);
            }
            let (number, part) = self.parts.recv().ok()?;
            self.early.insert(number, part);
        }
    }
}

type KeyValue = (Box<[u8]>, Box<[u8]>);

/// All rows of a log in order, records and what lies beside them side by side, in chunks. Ends with the first error.
struct Rows<'a> {
    records: rocksdb::DBIterator<'a>,
    beside: std::iter::Peekable<rocksdb::DBIterator<'a>>,
    next: u64,
    has_ended: bool,
}

impl<'a> Rows<'a> {
    fn new(log: &'a LogDb) -> Self {
        let iterator = |family| {
            let mut options = rocksdb::ReadOptions::default();
            options.fill_cache(false);
            options.set_readahead_size(4 << 20);
            log.0.iterator_cf_opt(cf(&log.0, family), options, rocksdb::IteratorMode::Start)
        };
        Self { records: iterator(RECORDS), beside: iterator(BESIDE).peekable(), next: 0, has_ended: false }
    }

    fn row(&mut self) -> Step<Option<Row>> {
        let Some(row) = self.records.next() else {
            return match self.beside.next().transpose()? {
                None => Ok(None),
                Some(_) => Err(Stop::wrong(None, "something lies beside no record")),
            };
        };
        let (key, record) = row?;
        let index = RecordIndex(self.next);
        if store::number(&key, "a record's key")? != index.0 {
            return Err(Stop::wrong(Some(index), "it is missing"));
        }
        self.next += 1;
        let is_own = |row: &Result<KeyValue, rocksdb::Error>| row.as_ref().map_or(true, |(beside, _)| *beside == key);
        let beside = self.beside.next_if(is_own).transpose()?.map(|(_, value)| value);
        Ok(Some(Row { index, record, beside }))
    }
}

impl Iterator for Rows<'_> {
    type Item = Vec<Step<Row>>;

    fn next(&mut self) -> Option<Self::Item> {
        let mut rows = Vec::with_capacity(CHUNK_RECORDS);
        while rows.len() < CHUNK_RECORDS && !self.has_ended {
            let row = self.row().transpose();
            self.has_ended = !matches!(row, Some(Ok(_)));
            rows.extend(row);
        }
        Some(rows).filter(|rows| !rows.is_empty())
    }
}
