//! What an entity is, apart from who holds it: the facts that link it with another, switch an account on or off, or say
//! what an entitlement means and what it holds itself.
//!
//! Owns these rows, so that asking for such a thing costs what was ever said of it, however many hold the entity. It never
//! decides what a fact does: `verify::replay` does.
//!
//! ```text
//! traits     entity ‖ position                         →  Delta, as protobuf: the row of `deltas` again
//! implying   entity that is implied ‖ binary entity id →  empty: the entitlement that ever implied it
//! ```

use std::borrow::Borrow;
use std::rc::Rc;
use std::sync::Arc;

use counterfoil_proto::v1::{FactKind, fact::Detail};
use counterfoil_verify::entity::EntityId;
use counterfoil_verify::fact::{Group, kind_group};
use counterfoil_verify::people::{self, Traits as _};
use counterfoil_verify::replay::{FactAt, is_trait_of, named};
use counterfoil_verify::state::State;
use counterfoil_verify::time::{Moment, OccurredAt};
use counterfoil_verify::tree::TreeSize;

use crate::error::Result;
use crate::views::database::{Batch, Column, View};
use crate::views::deltas::{self, Delta};
use crate::views::keys::{Position, entity_prefix, position_bytes};
use crate::views::replaced::Replaced;
use crate::views::segments::Segment;

/// Every fact that says what one entity is, by all records.
#[derive(Debug)]
pub(crate) struct Traits {
    entity: EntityId,
    /// By all records, also by those that count no longer.
    facts: Vec<(Position, Rc<Delta>)>,
    replaced: Arc<Replaced>,
    is_linked: bool,
    is_ended: bool,
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
        Ok(Self { entity: entity.clone(), facts, replaced: view.replaced().clone(), is_linked, is_ended })
    }

    /// Those up to a time, of the first `known` records, in their order.
    pub(crate) fn facts(&self, at: OccurredAt, known: TreeSize) -> impl Iterator<Item = &(Position, Rc<Delta>)> {
        let by_then = self.facts.iter().take_while(move |(position, _)| position.0 <= at);
        by_then.filter(move |(position, _)| self.replaced.counts(position.2, known))
    }
}

impl people::Traits for Traits {
    fn times(&self) -> impl Iterator<Item = OccurredAt> {
        self.facts.iter().map(|(position, _)| position.0)
    }

    fn at(&self, at: OccurredAt, known: TreeSize) -> State {
        let mut state = State::default();
        self.facts(at, known).for_each(|(position, delta)| delta.apply(&mut state, &self.entity, *position));
        state
    }

    fn created_at(&self, known: TreeSize) -> Option<OccurredAt> {
        let created = self
            .facts(OccurredAt(Moment::MAX), known)
            .filter(|(_, delta)| delta.fact.kind() == FactKind::AccountCreated);
        created.last().map(|(position, _)| position.0)
    }

    fn is_linked(&self) -> bool {
        self.is_linked
    }

    fn is_ended(&self) -> bool {
        self.is_ended
    }
}

/// What [`Traits::at`] gives, for entities that are asked about again: what their facts come to is kept for the next
/// question.
pub(crate) fn state_kept(view: &View<'_>, entity: &EntityId, at: OccurredAt, known: TreeSize) -> Result<Kept> {
    view.take(1)?;
    let segment = view.recent().traits(view.since(), entity, || {
        let prefix = entity_prefix(entity);
        let facts = deltas::decoded(view, view.forward(Column::Traits, &prefix, &prefix)?);
        Segment::read(entity, State::default(), facts, view.replaced(), usize::MAX)
    })?;
    match segment.applied(at, known) {
        Some(applied) => Ok(Kept::Segment(segment, applied)),
        None => Ok(Kept::State(Box::new(Traits::read(view, entity)?.at(at, known)))),
    }
}

/// A state that may be part of what is kept.
pub(crate) enum Kept {
    /// That after so many of its facts.
    Segment(Arc<Segment>, usize),
    /// One that is kept nowhere.
    State(Box<State>),
}

impl Borrow<State> for Kept {
    fn borrow(&self) -> &State {
        match self {
            Self::Segment(segment, applied) => segment.rest(*applied),
            Self::State(state) => state,
        }
    }
}

/// Adds the rows of a fact; `delta` is its row for whoever bears it.
pub(crate) fn project(fact: &FactAt<'_>, bearers: &[EntityId], delta: &[u8], batch: &mut Batch) {
    let position = position_bytes(&fact.evidence.order());
    for bearer in bearers.iter().filter(|bearer| is_trait_of(fact, bearer)) {
        batch.put(Column::Traits, &[&entity_prefix(bearer), &position], delta);
    }
    let Some(Detail::Entitlement(detail)) = &fact.fact.detail else { return };
    if kind_group(fact.fact.kind()) != Group::Entitlement {
        return;
    }
    for implied in detail.implies_added.iter().flat_map(|implied| named(implied, fact.source)) {
        for bearer in bearers {
            batch.put(Column::Implying, &[&entity_prefix(&implied), bearer.as_bytes()], &[]);
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
