//! Redacted or missing, for fsck: what is gone beside records, against what redaction records say.
//!
//! Owns the comparison. A part that is gone is redacted if a redaction record names it, and missing if none does; a part
//! that one names has to be gone.

use std::collections::{BTreeMap, BTreeSet};

use counterfoil_proto::v1::{RedactedParts, Redaction};
use counterfoil_verify::redaction::removed;
use counterfoil_verify::tree::{RecordIndex, TreeSize};

use super::{Step, Stop};
use crate::redaction;
use crate::removals::Removal;
use crate::store::DerivedDb;

/// A part beside a record.
type Place = (RecordIndex, u32);

/// What the records read so far say, and what lies beside them.
#[derive(Default)]
pub(super) struct Redacted {
    gone: BTreeSet<Place>,
    /// By which record, the first that says so.
    named: BTreeMap<Place, RecordIndex>,
    redactions: Vec<RecordIndex>,
}

impl Redacted {
    /// Adds a record: the parts beside it that are gone, and what it says where it is a redaction.
    pub(super) fn add(&mut self, index: RecordIndex, gone: Vec<u32>, redaction: Option<Redaction>) {
        self.gone.extend(gone.into_iter().map(|part| (index, part)));
        let Some(redaction) = redaction else { return };
        self.redactions.push(index);
        for (of, parts) in removed(&redaction) {
            for part in parts {
                self.named.entry((of, *part)).or_insert(index);
            }
        }
    }

    /// Adds what a redaction removed that may come behind the records: then nothing of it has to be gone.
    pub(super) fn know(&mut self, removal: &Removal) {
        for RedactedParts { first, records, parts } in &removal.removed {
            for index in *first..first.saturating_add(*records).min(removal.by.0) {
                for part in parts {
                    self.named.entry((RecordIndex(index), *part)).or_insert(removal.by);
                }
            }
        }
    }

    /// How many parts are gone.
    pub(super) fn gone(&self) -> u64 {
        self.gone.len() as u64
    }

    /// Compares the one with the other. What a record beyond the anchor removes may be there still: it is removed at the
    /// next start, before that record is signed.
    pub(super) fn check(&self, anchored: TreeSize) -> Step<()> {
        let missing = self.gone.iter().find(|place| !self.named.contains_key(place));
        let is_due = |(place, by): &(&Place, &RecordIndex)| by.0 < anchored.0 && !self.gone.contains(place);
        let left = self.named.iter().find(is_due);
        match (missing, left) {
            (Some((index, part)), left) if left.is_none_or(|(place, _)| (*index, *part) < *place) => {
                let what = format!("part {part} beside it is missing: it was removed, and no redaction says so");
                Err(Stop::wrong(Some(*index), what))
            }
            (_, Some(((index, part), by))) => {
                let what = format!(
                    "part {part} beside it is there, or never was, and record {by} says that it was removed: what is there \
                     is removed at the next start"
                );
                Err(Stop::wrong(Some(*index), what))
            }
            (_, None) => Ok(()),
        }
    }

    /// Compares the list of redaction records that is kept with those that were read.
    pub(super) fn check_derived(&self, derived: &DerivedDb) -> Step<()> {
        let covered = derived.cursor()?;
        let read: Vec<RecordIndex> = self.redactions.iter().copied().filter(|index| index.0 < covered.0).collect();
        match redaction::list(derived, 0..u64::MAX)? == read {
            true => Ok(()),
            false => Err(Stop::wrong(None, "the list of redactions is not that of the records")),
        }
    }
}
