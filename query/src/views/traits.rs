//! What an entity is, apart from what it holds: the facts that link it with another, switch an account on or off, or say
//! what an entitlement means.
//!
//! Owns these rows, so that asking for such a thing costs what was ever said of it, however many grants the entity has. It
//! never decides what a fact does: `verify::replay` does.
//!
//! ```text
//! traits     entity ‖ position                         →  Delta, as protobuf: the row of `deltas` again
//! implying   entity that is implied ‖ binary entity id →  empty: the entitlement that ever implied it
//! ```

use std::rc::Rc;

use counterfoil_proto::v1::{FactKind, fact::Detail};
use counterfoil_verify::entity::EntityId;
use counterfoil_verify::replay::{FactAt, named};
use counterfoil_verify::state::State;
use counterfoil_verify::time::{Moment, OccurredAt};
use counterfoil_verify::tree::TreeSize;

use crate::error::Result;
use crate::views::database::{Batch, Column, View};
use crate::views::deltas::{self, Delta};
use crate::views::keys::{Position, entity_prefix, key, position_bytes};

/// Every fact that says what one entity is, by all records.
#[derive(Debug)]
pub(crate) struct Traits {
    entity: EntityId,
    facts: Vec<(Position, Rc<Delta>)>,
    /// Whether any of them links it with somebody.
    pub(crate) is_linked: bool,
    /// Whether any of them switches it off.
    pub(crate) is_ended: bool,
}

impl Traits {
    /// Reads those of an entity.
    pub(crate) fn read(view: &View<'_>, entity: &EntityId) -> Result<Self> {
        let prefix = entity_prefix(entity);
        let rows = deltas::decoded(view, view.forward(Column::Traits, &prefix, &prefix)?);
        let facts = rows.collect::<Result<Vec<(Position, Rc<Delta>)>>>()?;
        let has = |kinds: &[FactKind]| facts.iter().any(|(_, delta)| kinds.contains(&delta.fact.kind()));
        let is_linked = has(&[FactKind::IdentityLinked]);
        let is_ended = has(&[FactKind::AccountDisabled, FactKind::AccountDeleted]);
        Ok(Self { entity: entity.clone(), facts, is_linked, is_ended })
    }

    /// When it was made: the last time, if it was made anew.
    pub(crate) fn created_at(&self, known: TreeSize) -> Option<OccurredAt> {
        let created = self
            .facts(OccurredAt(Moment::MAX), known)
            .filter(|(_, delta)| delta.fact.kind() == FactKind::AccountCreated);
        created.last().map(|(position, _)| position.0)
    }

    /// When each of them happened.
    pub(crate) fn times(&self) -> impl Iterator<Item = OccurredAt> {
        self.facts.iter().map(|(position, _)| position.0)
    }

    /// Those up to a time, of the first `known` records, in their order.
    pub(crate) fn facts(&self, at: OccurredAt, known: TreeSize) -> impl Iterator<Item = &(Position, Rc<Delta>)> {
        let by_then = self.facts.iter().take_while(move |(position, _)| position.0 <= at);
        by_then.filter(move |(position, _)| position.1.0 < known.0)
    }

    /// Whom it is linked with, whether it is switched off, what it implies, and what it is as a rule: these parts of its state are what the
    /// replay of all its records gives. The other parts are not there.
    pub(crate) fn at(&self, at: OccurredAt, known: TreeSize) -> State {
        let mut state = State::default();
        self.facts(at, known).for_each(|(position, delta)| delta.apply(&mut state, &self.entity, *position));
        state
    }
}

/// Adds the rows of a fact; `delta` is its row for whoever bears it.
pub(crate) fn project(fact: &FactAt<'_>, bearers: &[EntityId], delta: &[u8], batch: &mut Batch) {
    if !is_trait(fact.fact.kind()) {
        return;
    }
    let position = position_bytes(&fact.evidence.order());
    for bearer in bearers {
        batch.put(Column::Traits, key(&entity_prefix(bearer), &[&position]), delta.to_vec());
    }
    let Some(Detail::Entitlement(detail)) = &fact.fact.detail else { return };
    for implied in detail.implies_added.iter().flat_map(|implied| named(implied, fact.source)) {
        for bearer in bearers {
            batch.put(Column::Implying, key(&entity_prefix(&implied), &[bearer.as_bytes()]), Vec::new());
        }
    }
}

/// The entitlements that ever implied an entity, in any record.
pub(crate) fn implying(view: &View<'_>, implied: &EntityId) -> Result<Vec<EntityId>> {
    let prefix = entity_prefix(implied);
    let rows = view.forward(Column::Implying, &prefix, &prefix)?;
    rows.map(|row| EntityId::from_bytes(&row?.0[prefix.len()..]).map_err(|error| view.damaged(error.to_string())))
        .collect()
}

fn is_trait(kind: FactKind) -> bool {
    matches!(
        kind,
        FactKind::IdentityLinked
            | FactKind::IdentityUnlinked
            | FactKind::RuleDeclared
            | FactKind::AccountCreated
            | FactKind::AccountEnabled
            | FactKind::AccountDisabled
            | FactKind::AccountDeleted
            | FactKind::EntitlementDefined
            | FactKind::EntitlementChanged
            | FactKind::EntitlementRemoved
    )
}
