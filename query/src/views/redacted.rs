//! What redactions of a batch removed, for the views that keep values.
//!
//! Owns which records and which entities that concerns. What was removed is not beside the records any more when they are
//! projected, so that views which are built anew never see it.

use std::collections::BTreeSet;
use std::ops::Range;

use counterfoil_proto::v1::Record;
use counterfoil_verify::entity::EntityId;
use counterfoil_verify::redaction::redaction_of;

/// What was removed.
#[derive(Default)]
pub(crate) struct Redacted {
    /// Whose values.
    pub(crate) entities: BTreeSet<EntityId>,
    records: Vec<Range<u64>>,
}

impl Redacted {
    /// Adds what a record removed, if it is a redaction.
    pub(crate) fn add(&mut self, record: &Record) {
        let Some(redaction) = redaction_of(record) else { return };
        self.entities.extend(redaction.entities.iter().filter_map(|entity| EntityId::from_bytes(entity).ok()));
        let ranges = redaction.removed.iter().map(|range| range.first..range.first.saturating_add(range.records));
        self.records.extend(ranges);
    }

    /// Whether nothing was.
    pub(crate) fn is_empty(&self) -> bool {
        self.records.is_empty()
    }

    /// Whether something was removed beside a record.
    pub(crate) fn has(&self, index: u64) -> bool {
        self.records.iter().any(|range| range.contains(&index))
    }
}
