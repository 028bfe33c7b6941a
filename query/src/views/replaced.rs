//! Which records were read again, and from which size of the log on something else counts in their place.
//!
//! Owns the rows, and the table in memory that whatever is asked about a known-at size is compared with: 16 bytes for each
//! record that was replaced, so that a million take 16 MB; a log in which nothing was read again pays nothing. It never
//! says what a record says.
//!
//! ```text
//! replaced   u64 index   →   u64 index of the first record of the reading that replaces it
//! ```
//! A record counts for K exactly if index < K ≤ that of its replacement, or if it has none. Each is replaced once, by a
//! record that comes later, so that a newer table gives the same answers to whoever asks about an older K.

use std::collections::BTreeMap;
use std::sync::Arc;

use counterfoil_ledger::Reader;
use counterfoil_proto::v1::Record;
use counterfoil_verify::entity::EntityId;
use counterfoil_verify::record::event_of;
use counterfoil_verify::remap;
use counterfoil_verify::replay::{bearers, facts_of};
use counterfoil_verify::tree::{RecordIndex, TreeSize};

use crate::error::Result;
use crate::views::database::{Batch, Column, Row, View};
use crate::views::keys::{Position, read_u64};

/// The replaced records, each with what replaces it, in ascending order.
#[derive(Clone, Debug, Default)]
pub(crate) struct Replaced(Vec<(u64, u64)>);

impl Replaced {
    /// Reads what the database holds.
    pub(crate) fn load(view: &View<'_>) -> Result<Self> {
        let read = |row: Result<Row>| {
            let (key, value) = row?;
            let read = read_u64(&key).zip(read_u64(&value));
            read.ok_or_else(|| view.damaged("which record was replaced cannot be read"))
        };
        view.forward(Column::Replaced, &[], &[])?.map(read).collect::<Result<_>>().map(Self)
    }

    /// The first record of what replaces a record.
    pub(crate) fn by(&self, index: RecordIndex) -> Option<u64> {
        let place = self.0.binary_search_by_key(&index.0, |(replaced, _)| *replaced).ok()?;
        Some(self.0[place].1)
    }

    /// Whether what a record says counts by the first `known` records.
    pub(crate) fn counts(&self, index: RecordIndex, known: TreeSize) -> bool {
        index.0 < known.0 && self.by(index).is_none_or(|by| known.0 <= by)
    }

    /// From how many records on it stays as it is now whether a record counts.
    pub(crate) fn settled_from(&self, index: RecordIndex) -> u64 {
        self.by(index).unwrap_or(index.0) + 1
    }

    /// With more of them. What was replaced already stays so.
    fn with(&self, more: &BTreeMap<u64, u64>) -> Self {
        let new = more.iter().filter(|(index, _)| self.by(RecordIndex(**index)).is_none());
        let mut all = self.clone();
        all.0.extend(new.map(|(index, by)| (*index, *by)));
        all.0.sort_unstable();
        all
    }
}

/// The readings that records of one batch replace: the first record of each, with the first record of what replaces it.
#[derive(Default)]
pub(crate) struct Gathered(Vec<(u64, u64)>);

impl Gathered {
    /// Adds a record.
    pub(crate) fn add(&mut self, record: &Record) {
        let remapped = remap::remapped(record).filter(|_| remap::reading_of(record).0 == record.index);
        self.0.extend(remapped.map(|remapped| (remapped.replaces, record.index)));
    }
}

/// What one batch of records replaces.
#[derive(Default)]
pub(crate) struct Withdrawn {
    by: BTreeMap<u64, u64>,
    /// The replaced records.
    pub(crate) records: Vec<Record>,
}

impl Withdrawn {
    /// Reads it from the log.
    pub(crate) fn read(gathered: Gathered, reader: &Reader) -> Result<Self> {
        let mut withdrawn = Self::default();
        for (first, by) in gathered.0 {
            let record = reader.record(RecordIndex(first))?;
            let parts = event_of(&record).map_or(1, |event| u64::from(event.parts));
            let rest = (first + 1..first + parts).map(|index| reader.record(RecordIndex(index)));
            for record in std::iter::once(Ok(record)).chain(rest) {
                let record = record?;
                withdrawn.by.entry(record.index).or_insert(by);
                withdrawn.records.push(record);
            }
        }
        Ok(withdrawn)
    }

    /// Adds the rows to a batch, and gives the table with them.
    pub(crate) fn project(&self, held: &Arc<Replaced>, batch: &mut Batch) -> Arc<Replaced> {
        if self.by.is_empty() {
            return held.clone();
        }
        for (index, by) in &self.by {
            batch.put(Column::Replaced, &[&index.to_be_bytes()], &by.to_be_bytes());
        }
        Arc::new(held.with(&self.by))
    }

    /// The deltas that count no longer, by whose they are, each with the record from which on that is known.
    pub(crate) fn deltas(&self) -> BTreeMap<EntityId, BTreeMap<Position, u64>> {
        let mut deltas: BTreeMap<EntityId, BTreeMap<Position, u64>> = BTreeMap::new();
        for fact in self.records.iter().flat_map(facts_of) {
            let Some(by) = self.by.get(&fact.evidence.index) else { continue };
            for bearer in bearers(fact.fact, fact.source) {
                deltas.entry(bearer).or_default().insert(fact.evidence.order(), *by);
            }
        }
        deltas
    }
}
