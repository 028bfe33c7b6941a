//! Up to when each source is known, at every size of the log.
//!
//! Owns the newest moment that a source has told of: what it tells next is mostly later. A moment after that at which the
//! ledger recorded it counts as that one, since no clock of a source moves the mark beyond the present. Marks are kept to
//! the minute, so that a source has a row for each minute at most; they are a function of the records alone.
//!
//! ```text
//! watermarks   system ‖ 0 ‖ instance ‖ 0 ‖ connector ‖ 0 ‖ u64 index   →  i64 minute since 1970 ‖ u8 has told of tickets
//! ```

use std::collections::BTreeMap;

use counterfoil_proto::v1::Record;
use counterfoil_verify::fact::{Group, kind_group};
use counterfoil_verify::record::recorded_at;
use counterfoil_verify::replay::facts_of;
use counterfoil_verify::time::Moment;
use counterfoil_verify::tree::TreeSize;

use crate::error::Result;
use crate::views::database::{Batch, Column, Row, View};
use crate::views::keys::key;
use crate::views::sources::{self, Name};

/// Where a source stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Mark {
    minute: i64,
    /// It has told of tickets or approvals.
    has_tickets: bool,
}

impl Mark {
    const NONE: Self = Self { minute: i64::MIN, has_tickets: false };

    fn with(self, later: Self) -> Self {
        Self { minute: self.minute.max(later.minute), has_tickets: self.has_tickets || later.has_tickets }
    }

    fn to_row(self) -> Vec<u8> {
        key(&self.minute.to_be_bytes(), &[&[u8::from(self.has_tickets)]])
    }

    fn from_row(row: &[u8]) -> Option<Self> {
        let (minute, rest) = row.split_first_chunk::<8>()?;
        let [has_tickets @ (0 | 1)] = rest else { return None };
        Some(Self { minute: i64::from_be_bytes(*minute), has_tickets: *has_tickets == 1 })
    }
}

/// The marks that a batch of records moved, each with the record that did.
#[derive(Default)]
pub(crate) struct Gathered(BTreeMap<Name, Vec<(u64, Mark)>>);

impl Gathered {
    /// Adds those of a record.
    pub(crate) fn add(&mut self, record: &Record) {
        let mut told: Option<Mark> = None;
        for fact in facts_of(record) {
            let minute = fact.evidence.occurred_at().0.min(recorded_at(record).0).seconds.div_euclid(60);
            let has_tickets = matches!(kind_group(fact.fact.kind()), Group::Ticket | Group::Approval);
            let mark = Mark { minute, has_tickets };
            told = Some(told.map_or(mark, |told| told.with(mark)));
        }
        let (Some(told), Some(source)) = (told, sources::source_of(record)) else { return };
        let moved = self.0.entry(source).or_default();
        let before = moved.last().map_or(Mark::NONE, |(_, mark)| *mark);
        if before.with(told) != before {
            moved.push((record.index, before.with(told)));
        }
    }
}

/// Where each source stands, kept in memory by the projector.
pub(crate) struct Marks(BTreeMap<Name, Mark>);

impl Marks {
    /// Reads what the database holds.
    pub(crate) fn load(view: &View<'_>) -> Result<Self> {
        let mut marks = BTreeMap::new();
        for source in sources::sources(view)?.into_keys() {
            if let Some(mark) = mark(view, &source, TreeSize(u64::MAX))? {
                marks.insert(source, mark);
            }
        }
        Ok(Self(marks))
    }

    /// Adds the rows of a batch.
    pub(crate) fn project(&mut self, gathered: Gathered, batch: &mut Batch) {
        for (source, moved) in gathered.0 {
            let held = self.0.entry(source.clone()).or_insert(Mark::NONE);
            for (index, mark) in moved {
                if held.with(mark) != *held {
                    *held = held.with(mark);
                    batch.put(Column::Watermarks, &[&prefix(&source), &index.to_be_bytes()], &held.to_row());
                }
            }
        }
    }
}

/// Up to when the first `known` records tell of tickets: by the source of tickets that is furthest behind; none where there
/// is no such source.
pub(crate) fn tickets_known_until(view: &View<'_>, known: TreeSize) -> Result<Option<Moment>> {
    let mut until: Option<i64> = None;
    for source in sources::sources(view)?.into_keys() {
        if let Some(Mark { minute, has_tickets: true }) = mark(view, &source, known)? {
            until = Some(until.map_or(minute, |until| until.min(minute)));
        }
    }
    Ok(until.map(|minute| Moment { seconds: minute.saturating_mul(60), nanos: 0 }))
}

/// Where a source stood after the first `known` records.
fn mark(view: &View<'_>, source: &Name, known: TreeSize) -> Result<Option<Mark>> {
    let Some(last) = known.0.checked_sub(1) else { return Ok(None) };
    let prefix = prefix(source);
    let row = view.backward(Column::Watermarks, &key(&prefix, &[&last.to_be_bytes()]), &prefix)?.next().transpose()?;
    let read = |(_, value): Row| Mark::from_row(&value).ok_or_else(|| view.damaged("a watermark cannot be read"));
    row.map(read).transpose()
}

fn prefix((system, instance, connector): &Name) -> Vec<u8> {
    format!("{system}\0{instance}\0{connector}\0").into_bytes()
}
