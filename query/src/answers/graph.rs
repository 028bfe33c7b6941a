//! Where entities lead to, as the views have it: what `verify::effective` asks for on its way.
//!
//! Owns who stands for whom a question is about, and that each look costs what was ever said of an entity, not what is
//! said of its holders. It walks nowhere itself.

use std::borrow::Borrow;
use std::collections::{BTreeMap, BTreeSet};

use counterfoil_proto::v1::EntityKind;
use counterfoil_verify::effective::{Effective, Holders, Limits, Session, effective_with, holders};
use counterfoil_verify::entity::EntityId;
use counterfoil_verify::state::{Evidence, ReplayOrder, State};
use counterfoil_verify::time::OccurredAt;
use counterfoil_verify::tree::TreeSize;

use crate::answers::Query;
use crate::error::Result;
use crate::views::traits::{self, Traits};
use crate::views::{histories, timelines};

/// The most entities that one walk looks at.
pub(crate) const ENTITIES_MAX: usize = 100_000;
/// The most paths to one access.
const PATHS_MAX: usize = 20;

/// The best path of each access alone.
pub(crate) const BEST: Limits = Limits { entities: ENTITIES_MAX, paths: 1 };
/// The others as well.
pub(crate) const ALL: Limits = Limits { entities: ENTITIES_MAX, paths: PATHS_MAX };

/// The state of an entity, or those parts of it that say where it leads to.
pub(crate) enum Looked {
    Traits(traits::Kept),
    State(Box<State>),
}

impl Borrow<State> for Looked {
    fn borrow(&self) -> &State {
        match self {
            Self::Traits(kept) => kept.borrow(),
            Self::State(state) => state,
        }
    }
}

impl Looked {
    /// The fact that removed it as an entitlement.
    pub(crate) fn removed(&self) -> Option<&Evidence> {
        let state: &State = self.borrow();
        state.removed.as_ref()
    }
}

/// The meaning of some entitlements up to a place in the order of replay, and everything else as of a moment.
pub(crate) type Meanings = BTreeMap<EntityId, State>;

/// The graph at one moment, by the first `known` records.
pub(crate) struct Graph<'q, 'a> {
    query: &'q Query<'a>,
    pub(crate) at: OccurredAt,
    pub(crate) known: TreeSize,
}

impl<'q, 'a> Graph<'q, 'a> {
    pub(crate) fn new(query: &'q Query<'a>, at: OccurredAt, known: TreeSize) -> Self {
        Self { query, at, known }
    }

    /// Everything that stands for somebody: the identifiers of an account, the accounts of a person or of an integration,
    /// the owner of a credential.
    pub(crate) fn stands_for(&self, entity: &EntityId) -> Result<Vec<EntityId>> {
        let view = &self.query.view;
        Ok(match entity.kind() {
            EntityKind::Account => {
                let tokens = histories::tokens_kept(view, entity, self.at, self.known)?;
                [entity.clone()].into_iter().chain(tokens.iter().map(EntityId::identifier)).collect()
            }
            EntityKind::Person | EntityKind::Integration => {
                let aliases = self.query.people().aliases(vec![entity.clone()], self.at, self.known)?;
                aliases.entities().iter().cloned().collect()
            }
            EntityKind::Credential => {
                let held = timelines::state_at(view, entity, self.at, self.known)?;
                let owner =
                    held.credentials.get(&entity.to_text()).and_then(|held| held.owner.parse::<EntityId>().ok());
                let mut found = vec![entity.clone()];
                if let Some(owner) = owner.filter(|owner| owner.kind() != EntityKind::Credential) {
                    found.extend(self.stands_for(&owner)?);
                }
                found
            }
            _ => vec![entity.clone()],
        })
    }

    /// Everything that these could do, together.
    pub(crate) fn effective(&self, starts: &[EntityId], limits: Limits) -> Result<Effective> {
        self.effective_with(starts, &[], limits)
    }

    /// The same, and what sessions that were seen let them do.
    pub(crate) fn effective_with(
        &self,
        starts: &[EntityId],
        sessions: &[Session],
        limits: Limits,
    ) -> Result<Effective> {
        effective_with(starts, sessions, self.at, limits, |entity| self.state(entity))
    }

    /// The same, where some entitlements mean something else.
    pub(crate) fn effective_where(&self, meanings: &Meanings, starts: &[EntityId]) -> Result<Effective> {
        effective_with(starts, &[], self.at, BEST, |entity| match meanings.get(entity) {
            Some(state) => Ok(Looked::State(Box::new(state.clone()))),
            None => self.state(entity),
        })
    }

    /// Who holds something through any path.
    pub(crate) fn holders(&self, what: &EntityId, even_removed: bool) -> Result<Holders> {
        let leading_to = |entity: &EntityId| self.leading_to(entity);
        holders(what, even_removed, self.at, BEST, leading_to, |entity| self.state(entity))
    }

    /// What an entitlement means by its facts up to one place, or up to and with it.
    pub(crate) fn meaning(&self, of: &EntityId, until: ReplayOrder, is_included: bool) -> Result<State> {
        let mut state = State::default();
        for (position, delta) in Traits::read(&self.query.view, of)?.facts(self.at, self.known) {
            if *position < until || is_included && *position == until {
                delta.apply(&mut state, of, *position);
            }
        }
        Ok(state)
    }

    /// An entitlement without its holders; anybody else whole.
    pub(crate) fn state(&self, entity: &EntityId) -> Result<Looked> {
        let view = &self.query.view;
        Ok(match entity.kind() {
            EntityKind::Entitlement => Looked::Traits(traits::state_kept(view, entity, self.at, self.known)?),
            _ => {
                let state = timelines::state_kept(view, entity, self.at, self.known)?.to_state();
                Looked::State(Box::new(state))
            }
        })
    }

    /// Whoever may hold an entity, or imply it, or is the same: no less than those whose states lead to it.
    fn leading_to(&self, entity: &EntityId) -> Result<Vec<EntityId>> {
        let view = &self.query.view;
        let mut found: BTreeSet<EntityId> = traits::implying(view, entity)?.into_iter().collect();
        if matches!(entity.kind(), EntityKind::Entitlement | EntityKind::Identifier) {
            let state = timelines::state_at(view, entity, self.at, self.known)?;
            found.extend(state.grants.values().filter_map(|grant| grant.counterpart.parse().ok()));
            found.extend(state.linked.values().filter_map(|link| link.counterpart.parse().ok()));
        }
        Ok(found.into_iter().collect())
    }
}
