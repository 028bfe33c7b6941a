//! The changes of access, the tickets that might cover them, and the events that could not be read.
//!
//! Owns the lists from which links start. It never judges a link: `verify::link` does.
//!
//! ```text
//! changes        position                                            →  u8 effect: 1 gave access, 2 took it
//! event_ids      u64 hash of the event id ‖ u64 index                →  empty
//! requests       entity of the beneficiary ‖ binary id of the ticket →  empty
//! dead_letters   u64 index                                           →  empty
//! ```
//! `changes` has the facts that gave access or took it away: of a kind that does, a success, and said by a log rather than
//! seen in a listing. `event_ids` has the records with a fact that could change access, whatever came of it.

use counterfoil_proto::v1::{Fact, Record, record::Body};
use counterfoil_verify::entity::EntityId;
use counterfoil_verify::fact::{gives_access, takes_access};
use counterfoil_verify::hash::domain_hash;
use counterfoil_verify::mention::requests;
use counterfoil_verify::replay::{self, FactAt, facts_of};
use counterfoil_verify::time::OccurredAt;
use counterfoil_verify::tree::{RecordIndex, TreeSize};

use crate::error::Result;
use crate::views::database::{Batch, Column, Row, View};
use crate::views::keys::{Position, entity_prefix, position_bytes, read_position, read_u64};

/// Adds the rows of a record.
pub(crate) fn project(record: &Record, batch: &mut Batch) {
    let mut could_change = false;
    for fact in facts_of(record) {
        could_change |= changes_access(fact.fact);
        if let Some(effect) = Effect::of(&fact) {
            batch.put(Column::Changes, &[&position_bytes(&fact.evidence.order())], &[effect as u8]);
        }
        project_request(&fact, batch);
    }
    let event_id = record.provenance.as_ref().map(|provenance| provenance.event_id.as_str());
    if let (true, Some(event_id)) = (could_change, event_id) {
        batch.put(Column::EventIds, &[&event_hash(event_id), &record.index.to_be_bytes()], &[]);
    }
    if let Some(Body::SourceRejected(_)) = &record.body {
        batch.put(Column::DeadLetters, &[&record.index.to_be_bytes()], &[]);
    }
}

fn project_request(fact: &FactAt<'_>, batch: &mut Batch) {
    for (beneficiary, ticket) in requests(fact) {
        batch.put(Column::Requests, &[&entity_prefix(&beneficiary), ticket.as_bytes()], &[]);
    }
}

/// What a change did.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub(crate) enum Effect {
    /// It gave access, which somebody has to have approved.
    Gave = 1,
    /// It took access away, and gave none.
    Took = 2,
}

impl Effect {
    /// None of a fact that changed no access, whatever its kind.
    pub(crate) fn of(fact: &FactAt<'_>) -> Option<Self> {
        let effect = if gives_access(fact.fact) { Self::Gave } else { Self::Took };
        replay::changes_access(fact).then_some(effect)
    }

    fn read(view: &View<'_>, value: &[u8]) -> Result<Self> {
        match value {
            [1] => Ok(Self::Gave),
            [2] => Ok(Self::Took),
            _ => Err(view.damaged("a row of the changes cannot be read")),
        }
    }
}

/// Whether a fact gives access or takes it away, where it succeeds.
pub(crate) fn changes_access(fact: &Fact) -> bool {
    gives_access(fact) || takes_access(fact)
}

/// The changes from one place up to a time, of the first `known` records, in their order.
pub(crate) fn read<'v>(
    view: &'v View<'_>,
    from: Position,
    to: OccurredAt,
    known: TreeSize,
) -> Result<impl Iterator<Item = Result<(Position, Effect)>> + 'v> {
    let from = position_bytes(&from);
    let read = |row: Result<Row>| {
        let (key, value) = row?;
        let position = read_position(&key).ok_or_else(|| view.damaged("a row of the changes cannot be read"))?;
        Ok((position, Effect::read(view, &value)?))
    };
    Ok(view
        .forward(Column::Changes, &from, &[])?
        .map(read)
        .take_while(move |change| change.as_ref().map_or(true, |(position, _)| position.0 <= to))
        .filter(move |change| change.as_ref().map_or(true, |(position, _)| view.counts(position, known))))
}

/// What the fact at a place changed, if it did.
pub(crate) fn effect_at(view: &View<'_>, position: &Position) -> Result<Option<Effect>> {
    let row = view.get(Column::Changes, &position_bytes(position))?;
    row.map(|value| Effect::read(view, &value)).transpose()
}

/// The records that an event with that id may have, of those that count by the first `known` records; another id may have
/// the same hash.
pub(crate) fn records_of(view: &View<'_>, event_id: &str, known: TreeSize) -> Result<Vec<RecordIndex>> {
    let hash = event_hash(event_id);
    let rows = view.forward(Column::EventIds, &hash, &hash)?;
    let found = rows.map(|row| index_of(view, &row?.0[hash.len()..])).collect::<Result<Vec<_>>>()?;
    Ok(found.into_iter().filter(|index| view.replaced().counts(*index, known)).collect())
}

/// The tickets for a beneficiary.
pub(crate) fn requests_for(view: &View<'_>, beneficiary: &EntityId) -> Result<Vec<EntityId>> {
    let prefix = entity_prefix(beneficiary);
    let ticket = |row: Result<Row>| {
        EntityId::from_bytes(&row?.0[prefix.len()..]).map_err(|error| view.damaged(error.to_string()))
    };
    view.forward(Column::Requests, &prefix, &prefix)?.map(ticket).collect()
}

/// The records of events that could not be read, from one on.
pub(crate) fn dead_letters<'v>(
    view: &'v View<'_>,
    from: RecordIndex,
) -> Result<impl Iterator<Item = Result<RecordIndex>> + 'v> {
    let rows = view.forward(Column::DeadLetters, &from.0.to_be_bytes(), &[])?;
    Ok(rows.map(|row| index_of(view, &row?.0)))
}

fn index_of(view: &View<'_>, bytes: &[u8]) -> Result<RecordIndex> {
    read_u64(bytes).map(RecordIndex).ok_or_else(|| view.damaged("the index of a record cannot be read"))
}

fn event_hash(event_id: &str) -> [u8; 8] {
    let hash = domain_hash("counterfoil/view/event-id/v1", &[event_id.as_bytes()]);
    let mut short = [0; 8];
    short.copy_from_slice(&hash.as_bytes()[..8]);
    short
}
