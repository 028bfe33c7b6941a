//! The parts that keys of several views have in common.
//!
//! Owns how an entity and a place in the order of replay are written into a key, so that rows of one entity lie together
//! and sort as facts apply. It never reads or writes a row.
//!
//! ```text
//! entity    = u16 length ‖ binary entity id           all numbers big-endian
//! position  = occurred_at (12 bytes, sortable) ‖ u64 place ‖ u64 index ‖ u32 fact
//! ```
//! The place is where a fact's event first came, which is another record than the fact's own where it was read again.

use counterfoil_verify::entity::EntityId;
use counterfoil_verify::state::ReplayOrder;
use counterfoil_verify::time::{Moment, OccurredAt};
use counterfoil_verify::tree::RecordIndex;

/// A fact's place in the order of replay.
pub(crate) type Position = ReplayOrder;

/// The length of a position in a key.
pub(crate) const POSITION_BYTES: usize = 32;

/// Before every fact: record 0 has none.
pub(crate) const FIRST: Position = (OccurredAt(Moment::MIN), RecordIndex(0), RecordIndex(0), 0);

/// The last position there can be at that time.
pub(crate) fn last_at(at: OccurredAt) -> Position {
    (at, RecordIndex(u64::MAX), RecordIndex(u64::MAX), u32::MAX)
}

/// The first position there can be at that time.
pub(crate) fn first_at(at: OccurredAt) -> Position {
    (at, RecordIndex(0), RecordIndex(0), 0)
}

/// The position as part of a key.
pub(crate) fn position_bytes(position: &Position) -> [u8; POSITION_BYTES] {
    let mut bytes = [0; POSITION_BYTES];
    bytes[..12].copy_from_slice(&position.0.0.to_sortable_bytes());
    bytes[12..20].copy_from_slice(&position.1.0.to_be_bytes());
    bytes[20..28].copy_from_slice(&position.2.0.to_be_bytes());
    bytes[28..].copy_from_slice(&position.3.to_be_bytes());
    bytes
}

/// Reads what [`position_bytes`] wrote.
pub(crate) fn read_position(bytes: &[u8]) -> Option<Position> {
    let bytes: &[u8; POSITION_BYTES] = bytes.try_into().ok()?;
    let (time, rest) = bytes.split_first_chunk::<12>()?;
    let (place, rest) = rest.split_first_chunk::<8>()?;
    let (index, fact) = rest.split_first_chunk::<8>()?;
    Some((
        OccurredAt(Moment::from_sortable_bytes(time)),
        RecordIndex(u64::from_be_bytes(*place)),
        RecordIndex(u64::from_be_bytes(*index)),
        u32::from_be_bytes(fact.try_into().ok()?),
    ))
}

/// What every key of an entity's rows starts with: no entity's is the beginning of another's.
pub(crate) fn entity_prefix(entity: &EntityId) -> Vec<u8> {
    let id = entity.as_bytes();
    let length = u16::try_from(id.len()).expect("an entity id has at most 769 bytes");
    let mut key = Vec::with_capacity(2 + id.len() + POSITION_BYTES + 8);
    key.extend_from_slice(&length.to_be_bytes());
    key.extend_from_slice(id);
    key
}

/// `prefix`, then `parts`.
pub(crate) fn key(prefix: &[u8], parts: &[&[u8]]) -> Vec<u8> {
    let mut key = Vec::with_capacity(prefix.len() + parts.iter().map(|part| part.len()).sum::<usize>());
    key.extend_from_slice(prefix);
    parts.iter().for_each(|part| key.extend_from_slice(part));
    key
}

/// Reads eight bytes as a number.
pub(crate) fn read_u64(bytes: &[u8]) -> Option<u64> {
    bytes.try_into().ok().map(u64::from_be_bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn positions_sort_as_facts_apply() {
        let at = |seconds, place, index, fact| {
            (OccurredAt(Moment { seconds, nanos: 5 }), RecordIndex(place), RecordIndex(index), fact)
        };
        let again = at(0, 1, 9, 0);
        let sorted = [FIRST, at(-7, 9, 9, 9), at(0, 1, 1, 0), at(0, 1, 1, 1), again, at(0, 2, 2, 0), at(1, 0, 0, 0)];
        assert!(sorted.is_sorted() && sorted[6] < last_at(sorted[6].0));
        let bytes = sorted.map(|position| position_bytes(&position));
        assert!(bytes.is_sorted());
        assert_eq!(bytes.map(|bytes| read_position(&bytes).unwrap()), sorted);
    }
}
