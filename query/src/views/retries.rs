//! What became of dead letters that were retried.
//!
//! Owns which of them were put through, and as which record first. It never judges whether what was read from one is right.
//!
//! ```text
//! retried   u64 index of the letter   →   u64 index of the first record that was read from it
//! ```

use std::collections::BTreeMap;

use counterfoil_ledger::Reader;
use counterfoil_proto::v1::{Record, record::Body};
use counterfoil_verify::tree::RecordIndex;

use crate::error::Result;
use crate::views::database::{Batch, Column, View};
use crate::views::keys::read_u64;
use crate::views::sources::Counters;

/// The letters that records of one batch were read from, each with the first of these.
#[derive(Default)]
pub(crate) struct Retried(BTreeMap<u64, u64>);

impl Retried {
    /// Adds a record.
    pub(crate) fn add(&mut self, record: &Record) {
        if let Some(provenance) = record.provenance.as_ref().filter(|provenance| provenance.retry_of > 0) {
            self.0.entry(provenance.retry_of).or_insert(record.index);
        }
    }
}

/// Adds the rows of letters that were never put through before, and counts them.
pub(crate) fn project(
    view: &View<'_>,
    reader: &Reader,
    retried: Retried,
    counters: &mut Counters,
    batch: &mut Batch,
) -> Result<()> {
    for (letter, first) in retried.0 {
        if record_of(view, RecordIndex(letter))?.is_some() {
            continue;
        }
        let record = reader.record(RecordIndex(letter))?;
        if let Some(Body::SourceRejected(_)) = &record.body {
            batch.put(Column::Retried, &[&letter.to_be_bytes()], &first.to_be_bytes());
            counters.add_retried(&record);
        }
    }
    Ok(())
}

/// The first record that was read from a letter; none where it was not put through.
pub(crate) fn record_of(view: &View<'_>, letter: RecordIndex) -> Result<Option<RecordIndex>> {
    let Some(row) = view.get(Column::Retried, &letter.0.to_be_bytes())? else { return Ok(None) };
    let record = read_u64(&row).ok_or_else(|| view.damaged("what became of a dead letter cannot be read"))?;
    Ok(Some(RecordIndex(record)))
}
