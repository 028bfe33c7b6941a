//! The facts that change an entity's state, as the state view keeps them.
//!
//! Owns the row of one such fact, so that a replay needs no record from the log. It never decides whose state a fact
//! changes, nor how: `verify::replay` does.
//!
//! ```text
//! deltas    entity ‖ position    →  Delta, as protobuf
//! ```

use std::rc::Rc;

use counterfoil_proto::v1::{Authentication, Confidence, Delivery, Fact, Source};
use counterfoil_verify::entity::EntityId;
use counterfoil_verify::replay::{FactAt, apply};
use counterfoil_verify::state::{Evidence, State};
use counterfoil_verify::time::OccurredAt;
use counterfoil_verify::tree::TreeSize;
use prost::Message;
use prost::encoding::message;

use crate::error::Result;
use crate::views::database::{Column, Row, View};
use crate::views::keys::{Position, key, position_bytes, split_position};

/// A fact without its place, which is in the key.
#[derive(Clone, PartialEq, Message)]
pub(crate) struct Delta {
    /// When the ledger learned it, in seconds since 1970.
    #[prost(sint64, tag = "1")]
    recorded_seconds: i64,
    /// The nanoseconds of that second.
    #[prost(uint32, tag = "2")]
    recorded_nanos: u32,
    /// How its record was delivered.
    #[prost(enumeration = "Delivery", tag = "3")]
    pub(crate) delivery: i32,
    /// The source of its record.
    #[prost(message, required, tag = "4")]
    pub(crate) source: Source,
    /// The fact.
    #[prost(message, required, tag = "5")]
    pub(crate) fact: Fact,
    /// How the producer of its record was authenticated.
    #[prost(enumeration = "Authentication", tag = "6")]
    authentication: i32,
    /// A listing saw it, and no log says so.
    #[prost(bool, tag = "7")]
    is_seen: bool,
}

const SOURCE: u32 = 4;
const FACT: u32 = 5;

/// What a [`Delta`] holds besides source and fact, under the same numbers.
#[derive(Clone, PartialEq, Message)]
struct Head {
    #[prost(sint64, tag = "1")]
    recorded_seconds: i64,
    #[prost(uint32, tag = "2")]
    recorded_nanos: u32,
    #[prost(enumeration = "Delivery", tag = "3")]
    delivery: i32,
    #[prost(enumeration = "Authentication", tag = "6")]
    authentication: i32,
    #[prost(bool, tag = "7")]
    is_seen: bool,
}

impl Delta {
    /// The row for a fact: the bytes of its delta. Source and fact are written from where they are.
    pub(crate) fn encode(fact: &FactAt<'_>, delivery: Delivery) -> Vec<u8> {
        let head = Head {
            recorded_seconds: fact.evidence.recorded_seconds,
            recorded_nanos: fact.evidence.recorded_nanos,
            delivery: delivery.into(),
            authentication: fact.evidence.authentication,
            is_seen: fact.fact.confidence() == Confidence::Snapshot,
        };
        let mut bytes = Vec::with_capacity(48 + fact.source.encoded_len() + fact.fact.encoded_len());
        head.encode(&mut bytes).expect("a Vec grows as needed");
        message::encode(SOURCE, fact.source, &mut bytes);
        message::encode(FACT, fact.fact, &mut bytes);
        bytes
    }

    /// Reads a row. A fact has room for everything that one may say, so that many of them are not moved around.
    pub(crate) fn read(view: &View<'_>, bytes: &[u8]) -> Result<Rc<Self>> {
        Self::decode(bytes).map(Rc::new).map_err(|_| view.damaged("a delta cannot be read"))
    }

    /// The fact at its place.
    pub(crate) fn at(&self, position: Position) -> FactAt<'_> {
        FactAt { fact: &self.fact, source: &self.source, evidence: self.evidence(position) }
    }

    /// Applies it to the state of `entity`.
    pub(crate) fn apply(&self, state: &mut State, entity: &EntityId, position: Position) {
        apply(state, entity, &self.at(position));
    }

    /// Its place and both its times.
    pub(crate) fn evidence(&self, (occurred_at, place, index, fact): Position) -> Evidence {
        Evidence {
            index: index.0,
            fact,
            occurred_seconds: occurred_at.0.seconds,
            occurred_nanos: occurred_at.0.nanos,
            recorded_seconds: self.recorded_seconds,
            recorded_nanos: self.recorded_nanos,
            authentication: self.authentication,
            place: place.0,
        }
    }
}

/// The deltas of the entity with that key prefix, after one position and up to a time, of the first `known` records.
pub(crate) fn read<'v>(
    view: &'v View<'_>,
    prefix: &[u8],
    after: Position,
    at: OccurredAt,
    known: TreeSize,
) -> Result<impl Iterator<Item = Result<(Position, Rc<Delta>)>> + 'v> {
    let from = key(prefix, &[&position_bytes(&after), &[0]]);
    let rows = placed(view, view.forward(Column::Deltas, &from, prefix)?);
    let decode = move |(position, value): (Position, Box<[u8]>)| Ok((position, Delta::read(view, &value)?));
    Ok(rows
        .take_while(move |row| row.as_ref().map_or(true, |(position, _)| position.0 <= at))
        .filter(move |row| row.as_ref().map_or(true, |(position, _)| view.counts(position, known)))
        .map(move |row| row.and_then(decode)))
}

/// All deltas of that entity after one position, also those of records that count no longer.
pub(crate) fn read_all<'v>(
    view: &'v View<'_>,
    prefix: &[u8],
    after: Position,
) -> Result<impl Iterator<Item = Result<(Position, Rc<Delta>)>> + 'v> {
    let from = key(prefix, &[&position_bytes(&after), &[0]]);
    Ok(decoded(view, view.forward(Column::Deltas, &from, prefix)?))
}

/// The deltas that count, less what listings saw: only what a log says. Nothing else is read of the others.
pub(crate) fn read_logged(
    view: &View<'_>,
    prefix: &[u8],
    at: OccurredAt,
    known: TreeSize,
) -> Result<Vec<(Position, Rc<Delta>)>> {
    let mut found = Vec::new();
    for row in placed(view, view.forward(Column::Deltas, prefix, prefix)?) {
        let (position, bytes) = row?;
        if position.0 > at {
            break;
        }
        let head = Head::decode(&*bytes).map_err(|_| view.damaged("a delta cannot be read"))?;
        if view.counts(&position, known) && !head.is_seen {
            found.push((position, Delta::read(view, &bytes)?));
        }
    }
    Ok(found)
}

/// The deltas in rows whose keys end in their positions.
pub(crate) fn decoded<'v>(
    view: &'v View<'_>,
    rows: impl Iterator<Item = Result<Row>> + 'v,
) -> impl Iterator<Item = Result<(Position, Rc<Delta>)>> + 'v {
    placed(view, rows).map(move |row| row.and_then(|(position, value)| Ok((position, Delta::read(view, &value)?))))
}

/// The rows of deltas by their positions, in which their keys end.
pub(crate) fn placed<'v>(
    view: &'v View<'_>,
    rows: impl Iterator<Item = Result<Row>> + 'v,
) -> impl Iterator<Item = Result<(Position, Box<[u8]>)>> + 'v {
    rows.map(move |row| {
        let (key, value) = row?;
        let (_, position) = split_position(&key).ok_or_else(|| view.damaged("a delta cannot be read"))?;
        Ok((position, value))
    })
}
