//! The parts that keys of several views have in common.
//!
//! Owns how an entity and a place in the order of replay are written into a key, so that rows of one entity lie together
//! and sort as facts apply. It never reads or writes a row.
//!
//! ```text
//! entity    = u16 length ‖ binary entity id           all numbers big-endian
//! position  = occurred_at (12 bytes, sortable) ‖ number place ‖ number index ‖ number fact ‖ u8 length of all of it
//! number    = u8 length ‖ as many bytes, of which the first is not 0
//! ```
//! The place is where a fact's event first came, which is another record than the fact's own where it was read again, and
//! then an earlier one: an index that is its place is written as 0. Numbers of this form sort as they are; the length at
//! the end is for whoever finds a position behind something else.

use std::ops::Deref;

use counterfoil_verify::entity::EntityId;
use counterfoil_verify::state::ReplayOrder;
use counterfoil_verify::time::{Moment, OccurredAt};
use counterfoil_verify::tree::RecordIndex;

/// A fact's place in the order of replay.
pub(crate) type Position = ReplayOrder;

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

/// The most bytes of a position: time, three numbers, length.
const POSITION_BYTES_MAX: usize = 12 + 9 + 9 + 5 + 1;

/// A position as part of a key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct PositionBytes {
    bytes: [u8; POSITION_BYTES_MAX],
    length: usize,
}

impl PositionBytes {
    fn push(&mut self, bytes: &[u8]) {
        self.bytes[self.length..self.length + bytes.len()].copy_from_slice(bytes);
        self.length += bytes.len();
    }

    fn push_number(&mut self, number: u64) {
        let bytes = number.to_be_bytes();
        let zeros = number.leading_zeros() as usize / 8;
        self.push(&[(bytes.len() - zeros) as u8]);
        self.push(&bytes[zeros..]);
    }
}

impl Deref for PositionBytes {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        &self.bytes[..self.length]
    }
}

/// The position as part of a key.
pub(crate) fn position_bytes(&(at, place, index, fact): &Position) -> PositionBytes {
    let mut written = PositionBytes { bytes: [0; POSITION_BYTES_MAX], length: 0 };
    written.push(&at.0.to_sortable_bytes());
    written.push_number(place.0);
    written.push_number(if index == place { 0 } else { index.0 });
    written.push_number(fact.into());
    written.push(&[written.length as u8 + 1]);
    written
}

/// Reads what [`position_bytes`] wrote.
pub(crate) fn read_position(bytes: &[u8]) -> Option<Position> {
    let (length, rest) = bytes.split_last()?;
    let (time, rest) = rest.split_first_chunk::<12>()?;
    let (place, rest) = read_number(rest)?;
    let (index, rest) = read_number(rest)?;
    let (fact, rest) = read_number(rest)?;
    let is_whole = rest.is_empty() && bytes.len() == usize::from(*length);
    is_whole.then_some((
        OccurredAt(Moment::from_sortable_bytes(time)),
        RecordIndex(place),
        RecordIndex(if index == 0 { place } else { index }),
        u32::try_from(fact).ok()?,
    ))
}

/// Reads the position in which a key ends; gives what is before it as well.
pub(crate) fn split_position(key: &[u8]) -> Option<(&[u8], Position)> {
    let before = key.len().checked_sub(usize::from(*key.last()?))?;
    let (before, position) = key.split_at(before);
    Some((before, read_position(position)?))
}

fn read_number(bytes: &[u8]) -> Option<(u64, &[u8])> {
    let (length, rest) = bytes.split_first()?;
    let (digits, rest) = rest.split_at_checked((*length).into())?;
    let is_shortest = digits.len() <= size_of::<u64>() && digits.first() != Some(&0);
    let number = digits.iter().fold(0, |number, digit| number << 8 | u64::from(*digit));
    is_shortest.then_some((number, rest))
}

/// What every key of an entity's rows starts with: no entity's is the beginning of another's.
pub(crate) fn entity_prefix(entity: &EntityId) -> Vec<u8> {
    let id = entity.as_bytes();
    let length = u16::try_from(id.len()).expect("an entity id has at most 769 bytes");
    let mut key = Vec::with_capacity(2 + id.len() + POSITION_BYTES_MAX + 8);
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
    use proptest::prelude::*;

    use super::*;

    /// A record of its own, or one that was read again later.
    fn any_position() -> impl Strategy<Value = Position> {
        let number = || prop_oneof![0_u64..3, 250_u64..260, 65_530_u64..65_540, any::<u64>()];
        let time = (prop_oneof![-2_i64..2, any::<i64>()], 0_u32..3);
        (time, number(), number(), prop_oneof![0_u32..3, 254_u32..258, any::<u32>()]).prop_map(
            |((seconds, nanos), one, other, fact)| {
                let (place, index) = (one.min(other), one.max(other));
                (OccurredAt(Moment { seconds, nanos }), RecordIndex(place), RecordIndex(index), fact)
            },
        )
    }

    proptest! {
        #[test]
        fn positions_sort_as_facts_apply(one in any_position(), other in any_position(), before in any::<[u8; 5]>()) {
            let (bytes, other_bytes) = (position_bytes(&one), position_bytes(&other));
            prop_assert_eq!((*bytes).cmp(&other_bytes), one.cmp(&other));
            prop_assert_eq!(read_position(&bytes), Some(one));
            prop_assert!(!bytes.starts_with(&other_bytes) || one == other);
            let whole = key(&before, &[&bytes]);
            prop_assert_eq!(split_position(&whole), Some((&before[..], one)));
            prop_assert!(*bytes <= *position_bytes(&last_at(one.0)) && *position_bytes(&first_at(one.0)) <= *bytes);
        }

        #[test]
        fn what_is_no_position_is_none(mut bytes in proptest::collection::vec(0_u8..10, 0..40)) {
            if let Some(read) = read_position(&bytes) {
                prop_assert_eq!(&*position_bytes(&read), &bytes[..]);
            }
            bytes.push(0);
            prop_assert_eq!(read_position(&bytes), None);
        }
    }

    #[test]
    fn a_position_is_short() {
        let at = OccurredAt(Moment { seconds: 1_800_000_000, nanos: 5 });
        let again = (at, RecordIndex(1_000_000), RecordIndex(1_000_007), 1);
        assert_eq!(position_bytes(&(at, again.1, again.1, 0)).len(), 12 + 4 + 1 + 1 + 1);
        assert_eq!(position_bytes(&again).len(), 12 + 4 + 4 + 2 + 1);
    }
}
