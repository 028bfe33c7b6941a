//! The bytes of a record: one canonical form, and everything else rejected.
#![allow(clippy::unwrap_used, reason = "helpers of tests fail as tests do")]

mod support;

use std::collections::{BTreeMap, BTreeSet};

use counterfoil_proto::v1::{
    Approval, Entitlement, EventConflict, Fact, FactKind, Record, Review, Ticket, fact::Detail, record::Body,
};
use counterfoil_verify::fact::{Group, kind_group};
use counterfoil_verify::hash::{Hash, LeafHash};
use counterfoil_verify::record::{
    HEAD_BYTES_MAX, RECORD_BYTES_MAX, RecordError, RecordTail, check_link, decode, encode, hash,
};
use counterfoil_verify::time::{Moment, RecordedAt, SECONDS_MAX, SECONDS_MIN};
use counterfoil_verify::tree::RecordIndex;
use proptest::prelude::*;
use prost::Message;
use support::*;

// ---------------------------------------------------------------------------------------------------------------------
// Round trip

proptest! {
    #![proptest_config(ProptestConfig { cases: 1_500, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn every_valid_record_survives_the_round_trip(record in any_record()) {
        let bytes = encode(&record).unwrap();
        prop_assert_eq!(decode(&bytes).unwrap(), record);
    }

    #[test]
    fn a_tail_at_its_place_is_the_whole_record(record in any_record()) {
        let Some(provenance) = record.provenance.clone() else { return Ok(()) };
        let commitment = Hash::from_slice(&record.commitment).ok();
        let tail = RecordTail::new(provenance, commitment, record.body.clone().unwrap()).unwrap();
        let moment = Moment::of(record.recorded_at.as_ref().unwrap());
        let prev = LeafHash(Hash::from_slice(&record.prev).unwrap());
        let bytes = tail.at(RecordIndex(record.index), prev, RecordedAt(moment));
        prop_assert_eq!(&bytes, &encode(&record).unwrap());
        prop_assert!(bytes.len() <= tail.size() + HEAD_BYTES_MAX);
    }

    #[test]
    fn no_bytes_make_the_decoder_panic(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
        prop_assert!(decode(&bytes).is_err());
    }
}

fn every_detail() -> Vec<Detail> {
    vec![
        Detail::Grant(counterfoil_proto::v1::Grant { conditional: true, ..Default::default() }),
        Detail::Ticket(Ticket { r#type: 1, ..Ticket::default() }),
        Detail::Approval(Approval { level: 1, ..Approval::default() }),
        Detail::Account(counterfoil_proto::v1::Account { reversible: true, ..Default::default() }),
        Detail::Credential(counterfoil_proto::v1::Credential { rotation_interval_seconds: 1, ..Default::default() }),
        Detail::Entitlement(Entitlement { version: "v2".into(), ..Entitlement::default() }),
        Detail::Ownership(counterfoil_proto::v1::Ownership { purpose_declared: true, ..Default::default() }),
        Detail::Lifecycle(counterfoil_proto::v1::Lifecycle { department: "d/1".into(), ..Default::default() }),
        Detail::Snapshot(counterfoil_proto::v1::Snapshot { completeness: 1, ..Default::default() }),
        Detail::Review(Review { decision: 1, ..Review::default() }),
        Detail::PolicyDecision(counterfoil_proto::v1::PolicyDecision { effect: 1, ..Default::default() }),
        Detail::MatchingRule(counterfoil_proto::v1::MatchingRule { version: 1, matched_by: 1, ..Default::default() }),
    ]
}

#[test]
fn every_kind_goes_with_every_detail() {
    for kind in fact_kinds() {
        for detail in every_detail() {
            let fact = Fact { detail: Some(detail), ..fact(kind, 5) };
            let record = record_of(1, vec![fact]);
            assert_eq!(decode(&encode(&record).unwrap()).unwrap(), record, "{kind:?}");
        }
    }
}

/// SPEC-facts, section 1: the vocabulary, and what each kind is about.
#[test]
fn the_vocabulary_is_complete() {
    let vocabulary = [
        (Group::Ticket, "ticket.opened ticket.updated ticket.closed ticket.cancelled"),
        (
            Group::Approval,
            "approval.requested approval.granted approval.rejected approval.cancelled approval.expired \
             approval.delegated",
        ),
        (
            Group::Account,
            "account.created account.enabled account.disabled account.locked account.unlocked account.deleted \
             account.updated",
        ),
        (Group::Grant, "grant.added grant.removed grant.modified grant.expired"),
        (Group::Entitlement, "entitlement.defined entitlement.changed entitlement.removed"),
        (
            Group::Credential,
            "credential.created credential.rotated credential.disabled credential.enabled credential.revoked \
             credential.expired credential.used",
        ),
        (Group::Governance, "owner.assigned owner.removed purpose.declared nhi.registered nhi.retired"),
        (Group::Lifecycle, "lifecycle.joiner lifecycle.mover lifecycle.leaver"),
        (Group::Snapshot, "snapshot.begin snapshot.item snapshot.end"),
        (Group::Identity, "identifier.bound identity.linked identity.unlinked"),
        (Group::Rule, "rule.declared"),
        (Group::Review, "review.opened review.decision review.closed"),
        (Group::Use, "session.assumed auth.event policy.decision"),
        (Group::Source, "source.heartbeat source.audit_config_changed"),
    ];
    let mut known: BTreeSet<&str> = fact_kinds().iter().map(FactKind::as_str_name).collect();
    for (group, names) in vocabulary {
        for name in names.split_whitespace() {
            let wire = format!("FACT_KIND_{}", name.replace('.', "_").to_uppercase());
            let kind = FactKind::from_str_name(&wire).unwrap_or_else(|| panic!("{name} is no kind of fact"));
            assert_eq!(kind_group(kind), group, "{name}");
            known.remove(wire.as_str());
        }
    }
    assert!(known.is_empty(), "kinds that the vocabulary does not have: {known:?}");
    // The rest of the vocabulary has bodies of its own: source.rejected, source.gap, event.conflict.
}

// ---------------------------------------------------------------------------------------------------------------------
// Golden bytes

#[test]
fn the_bytes_of_each_body_do_not_change() {
    let written: String = one_of_each_body()
        .iter()
        .map(|(name, record)| {
            let bytes = encode(record).unwrap();
            format!("{name} {}\nleaf {}\n", hex(&bytes), hash(&bytes))
        })
        .collect();
    assert_eq!(written, include_str!("golden/records.txt"), "format 1 is frozen: a change of bytes needs a new format");
}

// ---------------------------------------------------------------------------------------------------------------------
// Everything else is rejected

/// What the protobuf files say of each message: the fields by number.
struct Schema(BTreeMap<String, BTreeMap<u32, Declared>>);

#[derive(Clone)]
struct Declared {
    kind: String,
    repeated: bool,
}

impl Schema {
    /// Reads the very files that the types are generated from.
    fn read() -> Self {
        let mut messages: BTreeMap<String, BTreeMap<u32, Declared>> = BTreeMap::new();
        let mut current = None;
        let files = [
            include_str!("../../proto/counterfoil/v1/record.proto"),
            include_str!("../../proto/counterfoil/v1/fact.proto"),
        ];
        for line in files.iter().flat_map(|file| file.lines()) {
            let words: Vec<&str> = line.split_whitespace().collect();
            match words.as_slice() {
                ["message", name, "{"] => {
                    current = Some((*name).to_owned());
                    messages.insert((*name).to_owned(), BTreeMap::new());
                }
                ["enum", ..] => current = None,
                [front @ .., kind, _, "=", number] if !line.trim_start().starts_with("//") => {
                    let (Some(message), Ok(number)) = (&current, number.trim_end_matches(';').parse()) else {
                        continue;
                    };
                    let declared = Declared { kind: (*kind).to_owned(), repeated: front == ["repeated"] };
                    messages.entry(message.clone()).or_default().insert(number, declared);
                }
                _ => {}
            }
        }
        Self(messages)
    }

    fn wire(&self, kind: &str) -> u64 {
        match kind {
            "string" | "bytes" => 2,
            kind if self.0.contains_key(kind) => 2,
            _ => 0,
        }
    }
}

/// One field as it stands on the wire.
#[derive(Clone)]
struct Field {
    number: u32,
    wire: u64,
    /// Without tag and length.
    content: Vec<u8>,
}

fn varint(mut value: u64) -> Vec<u8> {
    let mut bytes = Vec::new();
    while value >= 0x80 {
        bytes.push(value as u8 | 0x80);
        value >>= 7;
    }
    bytes.push(value as u8);
    bytes
}

/// The same number in one byte more.
fn long(mut varint: Vec<u8>) -> Vec<u8> {
    *varint.last_mut().unwrap() |= 0x80;
    varint.push(0);
    varint
}

fn take_varint(bytes: &mut &[u8]) -> u64 {
    let mut value = 0;
    for shift in (0..).step_by(7) {
        let byte = bytes[0];
        *bytes = &bytes[1..];
        value |= u64::from(byte & 0x7f) << shift;
        if byte < 0x80 {
            break;
        }
    }
    value
}

fn fields(mut bytes: &[u8]) -> Vec<Field> {
    let mut found = Vec::new();
    while !bytes.is_empty() {
        let tag = take_varint(&mut bytes);
        let before = bytes;
        let value = take_varint(&mut bytes);
        let content = if tag & 7 == 2 {
            let (content, rest) = bytes.split_at(value as usize);
            bytes = rest;
            content.to_vec()
        } else {
            before[..before.len() - bytes.len()].to_vec()
        };
        found.push(Field { number: (tag >> 3) as u32, wire: tag & 7, content });
    }
    found
}

impl Field {
    fn bytes(&self) -> Vec<u8> {
        let mut bytes = varint(u64::from(self.number) << 3 | self.wire);
        if self.wire == 2 {
            bytes.extend(varint(self.content.len() as u64));
        }
        bytes.extend(&self.content);
        bytes
    }
}

fn joined(fields: &[Field]) -> Vec<u8> {
    fields.iter().flat_map(Field::bytes).collect()
}

/// Bytes that say what a message says in another way, or say what it must not, each with what was done to it.
fn mutants(
    schema: &Schema,
    message: &str,
    bytes: &[u8],
    wrap: &dyn Fn(Vec<u8>) -> Vec<u8>,
    found: &mut Vec<(String, Vec<u8>)>,
) {
    let declared = &schema.0[message];
    let fields = fields(bytes);
    let mut add = |what: String, bytes: Vec<u8>| found.push((format!("{message}: {what}"), wrap(bytes)));
    let with = |place: usize, replacement: Vec<u8>| {
        let (before, after) = (joined(&fields[..place]), joined(&fields[place + 1..]));
        [before, replacement, after].concat()
    };
    for (place, field) in fields.iter().enumerate() {
        let number = field.number;
        let tag = varint(u64::from(number) << 3 | field.wire);
        let length = if field.wire == 2 { varint(field.content.len() as u64) } else { Vec::new() };
        add(
            format!("tag {number} long"),
            with(place, [long(tag.clone()), length.clone(), field.content.clone()].concat()),
        );
        if field.wire == 2 {
            add(format!("length {number} long"), with(place, [tag, long(length), field.content.clone()].concat()));
        } else {
            add(format!("varint {number} long"), with(place, [tag, long(field.content.clone())].concat()));
        }
        if !declared[&number].repeated {
            add(format!("{number} doubled"), with(place, [field.bytes(), field.bytes()].concat()));
        }
        if fields.get(place + 1).is_some_and(|next| next.number != number) {
            let mut swapped = fields.clone();
            swapped.swap(place, place + 1);
            add(format!("{number} swapped"), joined(&swapped));
        }
        for wire in [0, 1, 2, 3, 4, 5, 6, 7].into_iter().filter(|wire| *wire != field.wire) {
            add(format!("{number} of wire type {wire}"), with(place, Field { wire, ..field.clone() }.bytes()));
        }
        let kind = declared[&number].kind.as_str();
        if kind == "string" {
            add(format!("{number} not UTF-8"), with(place, Field { content: vec![0xff], ..field.clone() }.bytes()));
            add(
                format!("{number} an address"),
                with(place, Field { content: b"bob@x.y".to_vec(), ..field.clone() }.bytes()),
            );
        }
        let is_enum = schema.wire(kind) == 0 && kind.starts_with(char::is_uppercase);
        if is_enum && field.wire == 0 {
            for value in [0, 99, u64::MAX, 1 << 31, (1 << 32) + 1] {
                add(
                    format!("{number} has value {value}"),
                    with(place, Field { content: varint(value), ..field.clone() }.bytes()),
                );
            }
        }
        if is_enum && field.wire == 2 {
            let unpacked: Vec<u8> = field.content.iter().flat_map(|&value| [number as u8 * 8, value]).collect();
            add(format!("{number} unpacked"), with(place, unpacked));
            add(format!("{number} unknown"), with(place, Field { content: vec![99], ..field.clone() }.bytes()));
        }
        if matches!(kind, "uint32" | "bool") {
            let wide = varint(take_varint(&mut field.content.as_slice()) | 1 << 35);
            add(format!("{number} too wide"), with(place, Field { content: wide, ..field.clone() }.bytes()));
        }
    }
    for (&number, Declared { kind, repeated }) in declared {
        let present = fields.iter().any(|field| field.number == number);
        if present && !repeated {
            continue;
        }
        let wire = schema.wire(kind);
        // An absent field with its default; an empty element; an empty list.
        let wire = if *repeated { 2 } else { wire };
        let content = if wire == 0 { vec![0] } else { Vec::new() };
        let place = fields.iter().take_while(|field| field.number <= number).count();
        let mut more = fields.clone();
        more.insert(place, Field { number, wire, content });
        add(format!("{number} explicit"), joined(&more));
    }
    let last = declared.keys().max().unwrap();
    for number in [last + 1, last + 2, 1_000, (1 << 29) - 1] {
        let unknown = Field { number, wire: 0, content: vec![1] };
        add(format!("unknown {number}"), [bytes.to_vec(), unknown.bytes()].concat());
    }
    for extra in [vec![0], vec![0x80], vec![0x0b, 0x0c]] {
        add(format!("trailing {extra:?}"), [bytes.to_vec(), extra].concat());
    }
    for (place, field) in fields.iter().enumerate() {
        let kind = &declared[&field.number].kind;
        if field.wire == 2 && schema.0.contains_key(kind) {
            let wrap_field = |content| wrap(with(place, Field { content, ..field.clone() }.bytes()));
            mutants(schema, kind, &field.content, &wrap_field, found);
        }
    }
}

#[test]
fn the_decoder_rejects_every_other_way_to_write_a_record() {
    let schema = Schema::read();
    assert!(schema.0["Fact"].len() == 23 && schema.0["Record"].len() == 15, "the files were not read as expected");
    let mut records: Vec<Record> = one_of_each_body().into_iter().map(|(_, record)| record).collect();
    for detail in every_detail() {
        records.push(record_of(1, vec![Fact { detail: Some(detail), ..full_fact() }]));
    }
    // Into these, every part that is left out goes as an empty one.
    let bare = Ticket { r#type: 1, items: vec![item(None, "okta:role")], ..Ticket::default() };
    let bare = Fact { detail: Some(Detail::Ticket(bare)), ..fact(FactKind::TicketOpened, 5) };
    records.push(record_of(1, vec![bare]));
    records.push(record_of(1, vec![fact(FactKind::AuthEvent, 5)]));
    records.push(Record { commitment: Vec::new(), ..record_of(1, Vec::new()) });
    let mut tried = 0;
    for record in records {
        let bytes = encode(&record).unwrap();
        let mut found = Vec::new();
        mutants(&schema, "Record", &bytes, &|bytes| bytes, &mut found);
        for (what, mutant) in found {
            assert_ne!(mutant, bytes, "{what}");
            // An origin may hold any visible ASCII; everything else may not hold an address.
            let of_origin = ["Origin: 1 an address", "Predecessor: 1 an address", "KeyAnnouncement: 1 an address"];
            if of_origin.contains(&what.as_str()) {
                continue;
            }
            assert!(decode(&mutant).is_err(), "accepted: {what}: {:?}", decode(&mutant));
            tried += 1;
        }
    }
    assert!(tried > 10_000, "only {tried} ways were tried");
}

/// A flipped bit is rejected, or it makes another record with another hash: never the same record from other bytes.
#[test]
fn every_flipped_bit_is_noticed() {
    for (name, record) in one_of_each_body() {
        let bytes = encode(&record).unwrap();
        let index = RecordIndex(record.index);
        let prev = LeafHash(Hash::from_slice(&record.prev).unwrap());
        let previous = (record.index > 0).then_some((prev, recorded(0)));
        assert_eq!(check_link(&record, index, previous), Ok(()), "{name}");
        for bit in 0..bytes.len() * 8 {
            let mut flipped = bytes.clone();
            flipped[bit / 8] ^= 1 << (bit % 8);
            assert_ne!(hash(&flipped), hash(&bytes));
            let Ok(other) = decode(&flipped) else { continue };
            assert_ne!(other, record, "{name}: bit {bit}");
            assert_eq!(encode(&other).unwrap(), flipped, "{name}: bit {bit}");
            let head = |record: &Record| (record.index, record.prev.clone());
            if head(&other) != head(&record) {
                assert!(check_link(&other, index, previous).is_err(), "{name}: bit {bit}");
            }
        }
    }
}

#[test]
fn a_higher_format_is_unreadable_and_not_falsified() {
    let (_, record) = &one_of_each_body()[1];
    let bytes = encode(record).unwrap();
    for format in [2, 3, 127, 128, 300, u32::MAX] {
        let other = [vec![0x08], varint(u64::from(format)), bytes[2..].to_vec()].concat();
        assert_eq!(decode(&other), Err(RecordError::Unreadable(format)));
        // Later formats may have other fields, or be nothing that this version can parse.
        let other = [vec![0x08], varint(u64::from(format)), vec![0xff; 40]].concat();
        assert_eq!(decode(&other), Err(RecordError::Unreadable(format)));
    }
    assert!(matches!(decode(&bytes[2..]), Err(RecordError::Rule(_))), "no format at all");
    assert!(matches!(decode(&[]), Err(RecordError::Rule(_))));
}

#[test]
fn a_record_has_at_most_65_535_bytes() {
    let with_facts = |facts, text: usize| {
        let filler = Fact { reason: "r".repeat(text), ..fact(FactKind::AuthEvent, 1) };
        let full = Fact { reason: "r".repeat(128), ..fact(FactKind::AuthEvent, 1) };
        record_of(1, [vec![full; facts], vec![filler]].concat())
    };
    let full = with_facts(10, 1).encoded_len();
    let each = (with_facts(20, 1).encoded_len() - full) / 10;
    let facts = 10 + (RECORD_BYTES_MAX - full) / each - 1;
    let sizes: Vec<usize> = (0..=128).map(|text| with_facts(facts + 1, text).encoded_len()).collect();
    assert!(sizes.contains(&RECORD_BYTES_MAX) && sizes.contains(&(RECORD_BYTES_MAX + 1)), "{sizes:?}");
    for (text, size) in sizes.into_iter().enumerate() {
        let record = with_facts(facts + 1, text);
        let bytes = record.encode_to_vec();
        let Body::Event(event) = record.body.clone().unwrap() else { unreachable!() };
        let tail = RecordTail::new(record.provenance.clone().unwrap(), None, Body::Event(event));
        if size <= RECORD_BYTES_MAX {
            assert_eq!(encode(&record).unwrap(), bytes);
            assert_eq!(decode(&bytes).unwrap(), record);
        } else {
            assert_eq!(encode(&record), Err(RecordError::TooLarge(size)));
            assert_eq!(decode(&bytes), Err(RecordError::TooLarge(size)));
        }
        // A tail is accepted only if it fits in any place.
        if let Ok(tail) = tail {
            assert!(at_the_extremes(&tail).len() <= RECORD_BYTES_MAX);
        }
    }
}

fn at_the_extremes(tail: &RecordTail) -> Vec<u8> {
    let prev = LeafHash(Hash::from_bytes([0xff; 32]));
    [SECONDS_MIN, SECONDS_MAX]
        .map(|seconds| tail.at(RecordIndex(u64::MAX), prev, RecordedAt(Moment { seconds, nanos: 999_999_999 })))
        .into_iter()
        .max_by_key(Vec::len)
        .unwrap()
}

#[test]
fn the_head_holds_its_limit_at_the_extremes() {
    let tail = RecordTail::new(provenance(okta()), None, event(Vec::new())).unwrap();
    let bytes = at_the_extremes(&tail);
    assert!(bytes.len() - tail.size() <= HEAD_BYTES_MAX, "{}", bytes.len() - tail.size());
    assert!(bytes.len() - tail.size() > HEAD_BYTES_MAX - 8, "the limit is far from what is needed");
    let record = decode(&bytes).unwrap();
    assert_eq!((record.index, record.prev), (u64::MAX, vec![0xff; 32]));
}

#[test]
fn the_tail_of_a_conflict_is_a_valid_record() {
    let tail = RecordTail::new(provenance(okta()), None, event(vec![full_fact()])).unwrap();
    let bytes = tail.conflict_with(RecordIndex(4)).at(RecordIndex(9), LeafHash(Hash::from_bytes([1; 32])), recorded(7));
    let record = decode(&bytes).unwrap();
    assert_eq!(record.body, Some(Body::EventConflict(EventConflict { first_index: 4 })));
    assert_eq!(record.provenance, Some(provenance(okta())));
}
