//! Owns the check of a stretch: the records that a period needs, one behind the other, from the first that may tell of it to
//! the last that counts. That none of them is missing follows from the tree alone, and where they begin from their times.

use std::collections::BTreeMap;
use std::ops::Range;

use counterfoil_proto::v1::EvidenceBasis;

use super::histories::Records;
use super::question::Question;
use super::{Rejected, Step};
use crate::checkpoint::Checkpoint;
use crate::hash::{Hash, LeafHash};
use crate::proof::verify_range;
use crate::record::recorded_at;
use crate::tree::RecordIndex;

/// The places of these records; none where the question is about no period.
pub(super) fn of(question: &Question, basis: &EvidenceBasis) -> Range<u64> {
    question.period().map_or(0..0, |_| basis.first..basis.known)
}

/// Checks that they do not begin behind where they end.
pub(super) fn check_size(question: &Question, basis: &EvidenceBasis) -> Result<(), Rejected> {
    let stretch = of(question, basis);
    match stretch.start > stretch.end {
        true => falsified(Step::Seal, format!("expected first {} ≤ known {}", stretch.start, stretch.end)),
        false => Ok(()),
    }
}

/// Checks that all of them are there, by the paths of the first and the last one.
pub(super) fn check_whole(
    records: &Records,
    stretch: &Range<u64>,
    paths: &BTreeMap<u64, Vec<Hash>>,
    checkpoint: &Checkpoint,
) -> Result<(), Rejected> {
    if stretch.is_empty() {
        return Ok(());
    }
    let wanted = stretch.end - stretch.start;
    let there = records.within(stretch.clone());
    let leaves: Vec<LeafHash> = there.filter_map(|record| records.leaf(record.index)).collect();
    if leaves.len() as u64 != wanted {
        let (last, found) = (stretch.end - 1, leaves.len());
        let what = format!("expected the {wanted} records from {} to {last}, got {found} of them", stretch.start);
        return falsified(Step::Inclusion, what);
    }
    let path = |index: u64| paths.get(&index).map_or(&[][..], Vec::as_slice);
    let ends = (path(stretch.start), path(stretch.end - 1));
    let found = verify_range(&leaves, RecordIndex(stretch.start), checkpoint.size, ends, checkpoint.root);
    found.or_else(|error| falsified(Step::Inclusion, format!("the records from {} on: {error}", stretch.start)))
}

/// Checks that they begin where the period's do, and that their times ascend.
pub(super) fn check_times(records: &Records, question: &Question, basis: &EvidenceBasis) -> Result<(), Rejected> {
    let Some(period) = question.period() else { return Ok(()) };
    let (from, stretch) = (period.recorded_from(), of(question, basis));
    let at = |index: u64| records.get(index).map(|record| recorded_at(record));
    if let Some(before) = stretch.start.checked_sub(1).filter(|before| at(*before).is_none_or(|at| at >= from)) {
        return falsified(
            Step::Seal,
            format!("record {before} may tell of the period, and is not there as one of its"),
        );
    }
    if !stretch.is_empty() && at(stretch.start).is_none_or(|at| at < from) {
        return falsified(Step::Seal, format!("record {} came before any that may tell of the period", stretch.start));
    }
    match records.within(stretch).is_sorted_by_key(|record| recorded_at(record)) {
        true => Ok(()),
        false => falsified(Step::Seal, "a record was recorded before the one that it stands behind".to_owned()),
    }
}

fn falsified(step: Step, what: String) -> Result<(), Rejected> {
    Err(Rejected::falsified(step, what))
}
