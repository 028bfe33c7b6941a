//! The tickets that belong to a transaction or a request of a source.
//!
//! Owns the way from what several events of a source share to the tickets that any of them names. Which of them count, and
//! what a transaction is, `verify::correlation` says; whether such a ticket covers a change, `verify::link`.
//!
//! ```text
//! correlations   entity of the transaction or the request ‖ u64 index ‖ binary id of the ticket   →  empty
//! ```
//! Only what names a ticket has rows.

use std::collections::BTreeSet;

use counterfoil_proto::v1::Record;
use counterfoil_verify::correlation::{correlations, first_tickets, tickets};
use counterfoil_verify::entity::EntityId;
use counterfoil_verify::replay::{FactAt, facts_of};
use counterfoil_verify::tree::{RecordIndex, TreeSize};

use crate::error::Result;
use crate::views::database::{Batch, Column, Row, View};
use crate::views::keys::entity_prefix;

/// Adds the rows of a record.
pub(crate) fn project(record: &Record, batch: &mut Batch) {
    for fact in facts_of(record) {
        let tickets = tickets(&fact);
        // Most facts name no ticket, and many have a transaction.
        if tickets.is_empty() {
            continue;
        }
        for shared in correlations(fact.fact.correlation.as_ref(), fact.source) {
            for ticket in &tickets {
                let key = [&entity_prefix(&shared), &record.index.to_be_bytes()[..], ticket.as_bytes()];
                batch.put(Column::Correlations, &key, &[]);
            }
        }
    }
}

/// The tickets that the first `known` records name in the same transaction or request as a fact.
pub(crate) fn tickets_with(view: &View<'_>, fact: &FactAt<'_>, known: TreeSize) -> Result<BTreeSet<EntityId>> {
    let mut found = BTreeSet::new();
    for shared in correlations(fact.fact.correlation.as_ref(), fact.source) {
        let prefix = entity_prefix(&shared);
        let read = |row: Result<Row>| -> Result<(RecordIndex, EntityId)> {
            let (row, _) = row?;
            let (index, ticket) = row[prefix.len()..].split_first_chunk::<8>().unwrap_or((&[0; 8], &[]));
            let ticket = EntityId::from_bytes(ticket).map_err(|error| view.damaged(error.to_string()))?;
            Ok((RecordIndex(u64::from_be_bytes(*index)), ticket))
        };
        let rows = view.forward(Column::Correlations, &prefix, &prefix)?.map(read);
        first_tickets(rows, |index| view.replaced().counts(index, known), known, &mut found)?;
    }
    Ok(found)
}

/// The records that name a ticket in a transaction or a request.
pub(crate) fn records_of(view: &View<'_>, shared: &EntityId) -> Result<BTreeSet<RecordIndex>> {
    let prefix = entity_prefix(shared);
    let read = |row: Result<Row>| {
        let (row, _) = row?;
        let index = row[prefix.len()..].first_chunk::<8>();
        let index = index.ok_or_else(|| view.damaged("a row of the correlations cannot be read"))?;
        Ok(RecordIndex(u64::from_be_bytes(*index)))
    };
    view.forward(Column::Correlations, &prefix, &prefix)?.map(read).collect()
}
