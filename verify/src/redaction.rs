//! What redaction records say: which parts were removed beside which records.
//!
//! Owns that it is decidable from these records alone, and what they must keep. Whether the parts are gone is for whoever
//! has what lies beside.

use counterfoil_proto::v1::{Record, RedactedParts, Redaction, record::Body};

use crate::entity::{EntityId, is_code, is_opaque};
use crate::rules::Violation;
use crate::tree::RecordIndex;

/// The redaction that a record is.
pub fn redaction_of(record: &Record) -> Option<&Redaction> {
    match &record.body {
        Some(Body::Redaction(redaction)) => Some(redaction),
        _ => None,
    }
}

/// Each record beside which something was removed, ascending, with the numbers of its parts.
pub fn removed(redaction: &Redaction) -> impl Iterator<Item = (RecordIndex, &[u32])> {
    redaction.removed.iter().flat_map(|range| {
        let last = range.first.saturating_add(range.records);
        (range.first..last).map(|index| (RecordIndex(index), range.parts.as_slice()))
    })
}

/// The entities that a redaction names: whose values were removed, and who decided it.
pub fn entities(redaction: &Redaction) -> impl Iterator<Item = EntityId> {
    let named = redaction.entities.iter().chain([&redaction.by]);
    named.filter_map(|entity| EntityId::from_bytes(entity).ok())
}

/// Checks what a redaction says, by itself.
pub(crate) fn check(redaction: &Redaction) -> Result<(), Violation> {
    let Redaction { removed, entities, reason, rule, by, callers, searched: _ } = redaction;
    ensure(!removed.is_empty(), "a redaction has removed nothing")?;
    for range in removed {
        let RedactedParts { first, records, parts } = range;
        ensure(*first > 0 && *records > 0, "redaction.removed has a range of no records, or record 0")?;
        ensure(first.checked_add(*records).is_some(), "redaction.removed goes past the largest record")?;
        ensure(!parts.is_empty(), "redaction.removed has records without parts")?;
        ensure(parts.is_sorted_by(|one, other| one < other), "redaction.parts are not in ascending order")?;
    }
    let follows = |one: &RedactedParts, other: &RedactedParts| one.first.saturating_add(one.records) <= other.first;
    ensure(removed.is_sorted_by(follows), "redaction.removed is not in ascending order")?;
    let are_ids = entities.iter().all(|entity| EntityId::from_bytes(entity).is_ok());
    ensure(are_ids, "redaction.entities has something else than ids of entities")?;
    ensure(entities.is_sorted_by(|one, other| one < other), "redaction.entities are not in ascending order")?;
    ensure(EntityId::from_bytes(by).is_ok(), "redaction.by is not the id of an entity")?;
    ensure(is_code(reason), "redaction.reason is not a code")?;
    ensure(is_code(rule), "redaction.rule is not a code")?;
    ensure(callers.iter().all(|caller| is_opaque(caller)), "redaction.callers has something else than opaque ids")?;
    ensure(callers.is_sorted_by(|one, other| one < other), "redaction.callers are not in ascending order")
}

/// Checks that all of it lies before a place in the log.
pub(crate) fn check_place(redaction: &Redaction, index: u64) -> Result<(), Violation> {
    let last = redaction.removed.last().map_or(0, |range| range.first.saturating_add(range.records));
    ensure(last <= index, "redaction.removed names a record that is not an earlier one")?;
    ensure(redaction.searched <= index, "redaction.searched counts records that are not earlier ones")
}

fn ensure(holds: bool, message: &str) -> Result<(), Violation> {
    if holds { Ok(()) } else { Err(Violation(message.to_owned())) }
}
