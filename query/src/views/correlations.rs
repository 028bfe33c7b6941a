//! The tickets that belong to a transaction or a request of a source.
//!
//! Owns the way from what several events of a source share to the tickets that any of them names. Whether such a ticket
//! covers a change is for `verify::link` to say.
//!
//! ```text
//! correlations   16 bytes, a hash of system, instance and id ‖ u64 index ‖ binary id of the ticket   →  empty
//! ```
//! Only what names a ticket has rows. Another id of the same hash would only bring tickets that do not fit.

use std::collections::BTreeSet;

use counterfoil_proto::v1::{Correlation, Record, Source};
use counterfoil_verify::entity::EntityId;
use counterfoil_verify::fact::{Group, kind_group};
use counterfoil_verify::hash::domain_hash;
use counterfoil_verify::replay::{FactAt, facts_of, named};
use counterfoil_verify::tree::{RecordIndex, TreeSize};

use crate::error::Result;
use crate::views::database::{Batch, Column, View};

const HASH_BYTES: usize = 16;
/// The most tickets of one transaction, and the most rows that are read for them.
const TICKETS_MAX: usize = 64;
const ROWS_MAX: usize = 1_024;

/// Adds the rows of a record.
pub(crate) fn project(record: &Record, batch: &mut Batch) {
    for fact in facts_of(record) {
        let tickets = tickets(&fact);
        // Most facts name no ticket, and many have a transaction.
        if tickets.is_empty() {
            continue;
        }
        for hash in hashes(&fact) {
            for ticket in &tickets {
                batch.put(Column::Correlations, &[&hash, &record.index.to_be_bytes(), ticket.as_bytes()], &[]);
            }
        }
    }
}

/// The tickets that the first `known` records name in the same transaction or request as a fact.
pub(crate) fn tickets_with(view: &View<'_>, fact: &FactAt<'_>, known: TreeSize) -> Result<BTreeSet<EntityId>> {
    let mut found = BTreeSet::new();
    for hash in hashes(fact) {
        for row in view.forward(Column::Correlations, &hash, &hash)?.take(ROWS_MAX) {
            let (row, _) = row?;
            let read = row[HASH_BYTES..].split_first_chunk::<8>();
            let (index, ticket) = read.ok_or_else(|| view.damaged("a row of the correlations cannot be read"))?;
            let index = RecordIndex(u64::from_be_bytes(*index));
            if index.0 >= known.0 || found.len() == TICKETS_MAX {
                break;
            }
            if !view.replaced().counts(index, known) {
                continue;
            }
            found.insert(EntityId::from_bytes(ticket).map_err(|error| view.damaged(error.to_string()))?);
        }
    }
    Ok(found)
}

/// The tickets that a fact is about, and those that it refers to.
fn tickets(fact: &FactAt<'_>) -> Vec<EntityId> {
    let is_about = matches!(kind_group(fact.fact.kind()), Group::Ticket | Group::Approval);
    let own = fact.fact.object.iter().filter(|_| is_about);
    let referred = fact.fact.correlation.iter().flat_map(|correlation| &correlation.tickets);
    own.chain(referred).flat_map(|ticket| named(ticket, fact.source)).collect()
}

/// Of its transaction and its request, where it has them.
fn hashes(fact: &FactAt<'_>) -> Vec<[u8; HASH_BYTES]> {
    let Some(Correlation { transaction, request, .. }) = &fact.fact.correlation else { return Vec::new() };
    let ids = [("transaction", transaction), ("request", request)];
    ids.iter().filter(|(_, id)| !id.is_empty()).map(|(what, id)| hash(fact.source, what, id)).collect()
}

fn hash(source: &Source, what: &str, id: &str) -> [u8; HASH_BYTES] {
    let text = [&source.system, &source.instance, what, id].join("\0");
    let hash = domain_hash("counterfoil/view/correlation/v1", &[text.as_bytes()]);
    let mut short = [0; HASH_BYTES];
    short.copy_from_slice(&hash.as_bytes()[..HASH_BYTES]);
    short
}
