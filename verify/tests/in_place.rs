//! A record that is read where it lies: nothing is accepted or refused that decoding it, and writing it again, would not
//! accept or refuse.
#![allow(clippy::unwrap_used, reason = "helpers of tests fail as tests do")]

mod support;

use counterfoil_proto::v1::{Fact, FactKind, Grant, Record, Review, Snapshot, fact::Detail};
use counterfoil_verify::record::{Place, decode, decode_place, encode};
use proptest::prelude::*;
use proptest::sample::Index;
use prost::Message;
use support::*;

/// What a record is, the obvious way: a message that, written again, has the same bytes.
fn naive(bytes: &[u8]) -> Option<Record> {
    Record::decode(bytes).ok().filter(|record| encode(record).is_ok_and(|again| again == bytes))
}

#[track_caller]
fn says_the_same(bytes: &[u8]) -> Result<(), TestCaseError> {
    let expected = naive(bytes);
    prop_assert_eq!(decode(bytes).ok(), expected.clone(), "{:02x?}", bytes);
    prop_assert_eq!(decode_place(bytes).ok(), expected.as_ref().map(Place::of), "{:02x?}", bytes);
    prop_assert_eq!(decode(bytes).err(), decode_place(bytes).err());
    Ok(())
}

/// A field as it is written: its key, and what stands behind it.
type Field = (Vec<u8>, Vec<u8>);

/// What is done to one field of a message, somewhere in a record.
#[derive(Clone, Copy, Debug)]
enum Change {
    Drop,
    Repeat,
    Swap,
    Lengthen,
    Empty,
    Unknown,
    Content(Index, u8),
    Copy(Index),
}

fn any_change() -> impl Strategy<Value = Change> {
    prop_oneof![
        1 => Just(Change::Drop),
        1 => Just(Change::Repeat),
        1 => Just(Change::Swap),
        1 => Just(Change::Lengthen),
        1 => Just(Change::Empty),
        1 => Just(Change::Unknown),
        4 => (any::<Index>(), any::<u8>()).prop_map(|(place, byte)| Change::Content(place, byte)),
        2 => any::<Index>().prop_map(Change::Copy),
    ]
}

fn varint(number: u64) -> Vec<u8> {
    let mut bytes = Vec::new();
    prost::encoding::encode_varint(number, &mut bytes);
    bytes
}

/// Falls a message into its fields; none if it is no message.
fn fields(mut message: &[u8]) -> Option<Vec<Field>> {
    let mut found = Vec::new();
    while !message.is_empty() {
        let before = message;
        let key = prost::encoding::decode_varint(&mut message).ok()?;
        let key_bytes = before[..before.len() - message.len()].to_vec();
        let before = message;
        let number = prost::encoding::decode_varint(&mut message).ok()?;
        let value = match key & 7 {
            0 => before[..before.len() - message.len()].to_vec(),
            2 => {
                let (value, behind) = message.split_at_checked(usize::try_from(number).ok()?)?;
                message = behind;
                value.to_vec()
            }
            _ => return None,
        };
        found.push((key_bytes, value));
    }
    Some(found)
}

fn joined(fields: &[Field]) -> Vec<u8> {
    let written = |(key, value): &Field| match key[0] & 7 {
        0 => [key.clone(), value.clone()].concat(),
        _ => [key.clone(), varint(value.len() as u64), value.clone()].concat(),
    };
    fields.iter().flat_map(written).collect()
}

/// Changes a field of a message, or of a message in it, as deep as the way leads.
fn changed(message: &[u8], way: &[Index], change: Change) -> Vec<u8> {
    let Some(mut fields) = fields(message).filter(|fields| !fields.is_empty()) else { return message.to_vec() };
    let Some((here, below)) = way.split_first() else { return message.to_vec() };
    let place = here.index(fields.len());
    if !below.is_empty() && fields[place].0[0] & 7 == 2 {
        fields[place].1 = changed(&fields[place].1, below, change);
        return joined(&fields);
    }
    match change {
        Change::Drop => drop(fields.remove(place)),
        Change::Repeat => fields.insert(place, fields[place].clone()),
        Change::Swap => fields.swap(place, 0),
        Change::Empty if fields[place].0[0] & 7 == 0 => fields[place].1 = vec![0],
        Change::Empty => fields[place].1.clear(),
        Change::Unknown => fields.push((vec![0xfa, 0x01], vec![1])),
        Change::Copy(from) => fields[place].1 = fields[from.index(fields.len())].1.clone(),
        Change::Lengthen => {
            let (key, value) = &mut fields[place];
            let longer = if key[0] & 7 == 0 { value } else { key };
            *longer.last_mut().unwrap() |= 0x80;
            longer.push(0);
        }
        Change::Content(at, byte) if !fields[place].1.is_empty() => {
            let at = at.index(fields[place].1.len());
            fields[place].1[at] = byte;
        }
        Change::Content(_, byte) => fields[place].1.push(byte),
    }
    joined(&fields)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 3_000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn what_is_a_record_is_read(record in any_record()) {
        let bytes = encode(&record).unwrap();
        prop_assert!(naive(&bytes).is_some());
        says_the_same(&bytes)?;
    }

    #[test]
    fn what_was_changed_is_judged_as_its_message_is(
        record in any_record(),
        changes in proptest::collection::vec((proptest::collection::vec(any::<Index>(), 1..6), any_change()), 1..3),
    ) {
        let mut bytes = encode(&record).unwrap();
        for (way, change) in changes {
            bytes = changed(&bytes, &way, change);
            says_the_same(&bytes)?;
        }
    }

    #[test]
    fn what_was_cut_or_overwritten_is_judged_as_its_message_is(
        record in any_record(),
        (cut, at, byte) in (any::<Index>(), any::<Index>(), any::<u8>()),
    ) {
        let mut bytes = encode(&record).unwrap();
        says_the_same(&bytes[..cut.index(bytes.len())])?;
        let at = at.index(bytes.len());
        bytes[at] = byte;
        says_the_same(&bytes)?;
    }
}

/// The longest numbers there are, and numbers that are longer.
#[test]
fn numbers_of_ten_bytes_are_read_as_protobuf_reads_them() {
    let record = record_of(1, Vec::new());
    let bytes = encode(&Record { index: u64::MAX, ..record }).unwrap();
    assert!(naive(&bytes).is_some());
    let number = bytes.windows(10).position(|window| window == varint(u64::MAX)).unwrap();
    for (last, byte) in [(9, 0), (9, 2), (9, 0x81), (8, 0x7f)] {
        let mut bytes = bytes.clone();
        bytes[number + last] = byte;
        says_the_same(&bytes).unwrap();
    }
}

/// Decoding keeps the last of several details; a record that is written has one.
#[test]
fn a_fact_has_one_detail() {
    let details = [
        Detail::Grant(Grant { conditional: true, ..Grant::default() }),
        Detail::Snapshot(Snapshot { completeness: 1, ..Snapshot::default() }),
        Detail::Review(Review { decision: 1, ..Review::default() }),
    ];
    let field_of = |detail: Detail| {
        let fact = Fact { detail: Some(detail), ..fact(FactKind::GrantAdded, 5) };
        fields(&fact.encode_to_vec()).unwrap().pop().unwrap()
    };
    let record = encode(&record_of(1, vec![fact(FactKind::GrantAdded, 5)])).unwrap();
    for one in &details {
        for other in &details {
            let mut bytes = fields(&record).unwrap();
            let mut event = fields(&bytes.last().unwrap().1).unwrap();
            let mut fact = fields(&event.last().unwrap().1).unwrap();
            fact.push(field_of(one.clone()));
            let with_one = {
                event.last_mut().unwrap().1 = joined(&fact);
                bytes.last_mut().unwrap().1 = joined(&event);
                joined(&bytes)
            };
            assert!(naive(&with_one).is_some());
            fact.push(field_of(other.clone()));
            event.last_mut().unwrap().1 = joined(&fact);
            bytes.last_mut().unwrap().1 = joined(&event);
            assert!(naive(&joined(&bytes)).is_none());
            says_the_same(&joined(&bytes)).unwrap();
        }
    }
}
