//! The projector: reads records from the log in order and writes the rows of all views.
//!
//! Owns the one cursor: the rows of a batch of records, the cursor and, at the head, the basis are written together. If
//! the process dies, the database is as of an earlier cursor, and the records after it are read again. It never skips a
//! record and never writes anything that the records and what lies beside them do not determine.

use std::sync::Arc;

use counterfoil_ledger::{Entry, Head, LedgerError, Reader};
use counterfoil_proto::v1::{Delivery, Record};
use counterfoil_verify::record;
use counterfoil_verify::replay::{bearers, facts_of};
use counterfoil_verify::time::{Moment, OccurredAt, RecordedAt};
use counterfoil_verify::tree::{RecordIndex, TreeSize};

use crate::error::Result;
use crate::views::database::{Batch, Database};
use crate::views::deltas::Delta;
use crate::views::firsts::{Firsts, Remembered};
use crate::views::keys::Position;
use crate::views::meta::{self, Basis, Cursor};
use crate::views::recent::Changed;
use crate::views::redacted::Redacted;
use crate::views::replaced::{self, Withdrawn};
use crate::views::retries::{self, Retried};
use crate::views::sources::{Counted, Counters};
use crate::views::watermarks::{self, Marks};
use crate::views::{changes, correlations, histories, listed, names, nhi, timelines, traits};

/// The most records of one batch: entities that many of them name are then written once.
pub(crate) const BATCH_RECORDS: u64 = 2_000;
/// How many records may be lost by a crash, and are then projected again.
const FLUSH_RECORDS: u64 = 25_000;

/// Where the projection stands, and what it remembers. After an error it is loaded afresh.
pub(crate) struct Projector {
    size: TreeSize,
    unflushed: u64,
    memory: names::Memory,
    listed: Remembered<listed::Seen>,
    nhi: nhi::Remembered,
    counters: Counters,
    marks: Marks,
}

impl Projector {
    /// Goes on where the database ends.
    pub(crate) fn load(database: &Database) -> Result<Self> {
        let view = database.view();
        Ok(Self {
            size: meta::cursor(&view)?.map_or(TreeSize(0), |cursor| cursor.size),
            unflushed: 0,
            memory: names::Memory::default(),
            listed: Remembered::default(),
            nhi: nhi::Remembered::default(),
            counters: Counters::load(&view)?,
            marks: Marks::load(&view)?,
        })
    }

    /// How many records are projected.
    pub(crate) fn size(&self) -> TreeSize {
        self.size
    }

    /// Projects the next records, in order, on the way to `head`.
    pub(crate) fn advance(&mut self, database: &Database, reader: &Reader, rows: Rows, head: &Head) -> Result<()> {
        let is_forgotten = self.forget(database, reader, &rows.redacted)?;
        self.write(database, reader, rows, head)?;
        if is_forgotten { database.purge() } else { Ok(()) }
    }

    /// Forgets what redactions removed, in a batch of its own before theirs: what comes in between repeats it.
    fn forget(&mut self, database: &Database, reader: &Reader, redacted: &Redacted) -> Result<bool> {
        if redacted.is_empty() {
            return Ok(false);
        }
        let mut batch = Batch::default();
        let names = names::forget(&database.view(), reader, redacted, self.size, &mut batch)?;
        let is_forgotten = !names.is_empty();
        if is_forgotten {
            meta::owe_purge(&mut batch);
            database.write(batch, &Changed { names, ..Changed::default() })?;
            self.memory = names::Memory::default();
        }
        Ok(is_forgotten)
    }

    fn write(&mut self, database: &Database, reader: &Reader, rows: Rows, head: &Head) -> Result<()> {
        let start = self.size.0;
        let Rows {
            size,
            recorded_at,
            mut batch,
            arrived,
            replaced,
            mut listed,
            nhi,
            mut gathered,
            counted,
            retried,
            moved,
            redacted: _,
        } = rows;
        if size.0 <= start {
            return Err(LedgerError::NoSuchRecord { index: RecordIndex(start), size: head.size }.into());
        }
        let withdrawn = Withdrawn::read(replaced, reader)?;
        database.set_replaced(withdrawn.project(&database.replaced(), &mut batch));
        let view = database.view();
        for record in &withdrawn.records {
            facts_of(record).for_each(|fact| listed::withdraw(&fact, &mut listed));
            gathered.withdraw(record);
        }
        let taken_back = withdrawn.deltas();
        timelines::project(&view, &arrived, &taken_back, size, &mut batch)?;
        listed::project(&view, listed, &mut self.listed, &mut batch)?;
        nhi::project(&view, nhi, &mut self.nhi, &mut batch)?;
        self.counters.add(counted);
        withdrawn.records.iter().for_each(|record| self.counters.take_back(record));
        self.marks.project(moved, &mut batch);
        let named = names::project(&view, gathered, &mut self.memory, &mut batch)?;
        named.new.iter().for_each(|entity| self.counters.add_object(entity));
        retries::project(&view, reader, retried, &mut self.counters, &mut batch)?;
        self.counters.project(&mut batch);
        let leaf = record::hash(&reader.record_bytes(RecordIndex(size.0 - 1))?);
        let reached = Basis { size, root: head.root, recorded_at };
        meta::project(&Cursor { size, leaf }, (size == head.size).then_some(&reached), &mut batch);
        let histories = arrived.into_keys().chain(taken_back.into_keys()).collect();
        let changed = Changed { histories, names: named.renamed, bindings: named.bound };
        database.write(batch, &changed)?;
        self.unflushed += size.0 - start;
        self.size = size;
        if self.unflushed >= FLUSH_RECORDS {
            database.begin_flush()?;
            self.unflushed = 0;
        }
        Ok(())
    }
}

/// The rows of one batch of records, as far as they need nothing that is in the database.
pub(crate) struct Rows {
    /// How many records there are up to and with the last of them.
    size: TreeSize,
    /// When that one was recorded.
    recorded_at: RecordedAt,
    batch: Batch,
    arrived: timelines::Arrived,
    replaced: replaced::Gathered,
    listed: Firsts<listed::Seen>,
    nhi: nhi::Gathered,
    gathered: names::Gathered,
    counted: Counted,
    retried: Retried,
    moved: watermarks::Gathered,
    redacted: Redacted,
}

impl Rows {
    /// The rows of the next records, in order.
    pub(crate) fn of(
        entries: impl Iterator<Item = std::result::Result<Entry, LedgerError>>,
    ) -> std::result::Result<Self, LedgerError> {
        let mut rows = Self {
            size: TreeSize(0),
            recorded_at: RecordedAt(Moment::MIN),
            batch: Batch::default(),
            arrived: timelines::Arrived::default(),
            replaced: replaced::Gathered::default(),
            listed: Firsts::default(),
            nhi: nhi::Gathered::default(),
            gathered: names::Gathered::default(),
            counted: Counted::default(),
            retried: Retried::default(),
            moved: watermarks::Gathered::default(),
            redacted: Redacted::default(),
        };
        for entry in entries {
            rows.add(&entry?);
        }
        rows.batch.sort();
        Ok(rows)
    }

    fn add(&mut self, entry: &Entry) {
        let record = &entry.record;
        self.size = TreeSize(record.index + 1);
        self.recorded_at = record::recorded_at(record);
        self.counted.add(record);
        self.replaced.add(record);
        self.retried.add(record);
        self.moved.add(record);
        self.redacted.add(record);
        let delivery = record.provenance.as_ref().map_or(Delivery::Unspecified, |provenance| provenance.delivery());
        for fact in facts_of(record) {
            let position = fact.evidence.order();
            self.nhi.add(&fact);
            let bearers = bearers(fact.fact, fact.source);
            if !bearers.is_empty() {
                let delta: Arc<[u8]> = Delta::encode(&fact, delivery).into();
                traits::project(&fact, &bearers, &delta, &mut self.batch);
                listed::add(&fact, &bearers, &mut self.listed);
                for bearer in bearers {
                    self.arrived.entry(bearer).or_default().insert(position, delta.clone());
                }
            }
        }
        for (position, mentions) in histories::mentions(record) {
            histories::project(position, &mentions, &mut self.batch);
            self.gathered.add_mentions(position, &mentions);
        }
        self.gathered.add_values(record, position_of(record), entry.beside.as_ref());
        changes::project(record, &mut self.batch);
        correlations::project(record, &mut self.batch);
    }
}

/// The place of a record: that of its first fact, or when it was recorded.
pub(crate) fn position_of(record: &Record) -> Position {
    let recorded_at = OccurredAt(record::recorded_at(record).0);
    let first = facts_of(record).next().map(|fact| fact.evidence.order());
    first.unwrap_or((recorded_at, RecordIndex(record.index), RecordIndex(record.index), 0))
}
