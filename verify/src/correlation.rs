//! What several events of a source have in common: a transaction or a request.
//!
//! Owns the entity that each of them is, to which only those records belong that name a ticket as well: so it can be shown
//! which tickets there are, and that there is no other. Whether such a ticket covers a change is for `link` to say.

use std::collections::BTreeSet;

use counterfoil_proto::v1::{Correlation, EntityKind, Source};

use crate::entity::{EntityId, EntityName};
use crate::fact::{Group, kind_group};
use crate::hash::domain_hash;
use crate::replay::{FactAt, named};
use crate::tree::{RecordIndex, TreeSize};
use crate::view::SourceView;

/// The most tickets of one transaction, and the most rows that are looked at for them.
const TICKETS_MAX: usize = 64;
const ROWS_MAX: usize = 1_024;

/// The transaction and the request of a fact, where it has them.
pub fn correlations(correlation: Option<&Correlation>, source: &Source) -> impl Iterator<Item = EntityId> {
    let none = Correlation::default();
    let Correlation { transaction, request, .. } = correlation.unwrap_or(&none);
    correlated(transaction.as_bytes(), request.as_bytes(), SourceView::of(source)).collect::<Vec<_>>().into_iter()
}

/// The entities that a transaction and a request are, of which either may be empty.
pub(crate) fn correlated<'a>(
    transaction: &'a [u8],
    request: &'a [u8],
    source: SourceView<'a>,
) -> impl Iterator<Item = EntityId> + use<'a> {
    let ids = [("transaction", transaction), ("request", request)].into_iter().filter(|(_, id)| !id.is_empty());
    ids.filter_map(move |(what, id)| {
        // An id may be as long as one of an entity: its digest is not.
        let digest = domain_hash("counterfoil/correlation/v1", &[what.as_bytes(), b"\0", id]).to_string();
        let name = EntityName::new(EntityKind::Correlation, source.system, source.instance, &digest.as_bytes()[..32]);
        Some(name.ok()?.to_id())
    })
}

/// The tickets that a fact is about, and those that it refers to.
pub fn tickets(fact: &FactAt<'_>) -> Vec<EntityId> {
    let is_about = matches!(kind_group(fact.fact.kind()), Group::Ticket | Group::Approval);
    let own = fact.fact.object.iter().filter(|_| is_about);
    let referred = fact.fact.correlation.iter().flat_map(|correlation| &correlation.tickets);
    own.chain(referred).flat_map(|ticket| named(ticket, fact.source)).collect()
}

/// The tickets of a transaction or a request that count, of rows in the order of records and, in each, of tickets.
///
/// # Errors
/// Of whoever has the rows.
pub fn first_tickets<E>(
    rows: impl Iterator<Item = Result<(RecordIndex, EntityId), E>>,
    counts: impl Fn(RecordIndex) -> bool,
    known: TreeSize,
    found: &mut BTreeSet<EntityId>,
) -> Result<(), E> {
    for row in rows.take(ROWS_MAX) {
        let (index, ticket) = row?;
        if index.0 >= known.0 || found.len() == TICKETS_MAX {
            break;
        }
        if counts(index) {
            found.insert(ticket);
        }
    }
    Ok(())
}
