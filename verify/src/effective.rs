//! Effective access: everything that somebody could do at a moment, and by which path.
//!
//! Owns the walk from a principal over what it holds, what that implies and what that holds in turn, and the order of the
//! paths: active before eligible, without conditions before conditional, then the shortest, then the one that lasts
//! longest. It is a pure function over the states of entities at (T, K), which the caller looks up, so that an auditor
//! computes it from replayed records alone. It never reads what a policy says: where permissions stay within a limit it
//! says so, and what is left within it is not its to tell. It never says that somebody can act: whoever asks is told the
//! status of the account and of the credential beside it.
//!
//! ```text
//! principal ──grant──▶ entitlement ──implies──▶ entitlement or account ──grant──▶ …
//!                      group ──grant──▶ group (nested)          renamed ──link── same
//! ```
//! What was removed is no access and implies nothing; what lapsed is not held; nobody acts as an account that is switched
//! off. A scope holds for all that follows it on a path until a step names another.

use std::borrow::Borrow;
use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet};

use counterfoil_proto::v1::CredentialStatus;

use crate::entity::EntityId;
use crate::state::{AccountState, CredentialState, Evidence, State};
use crate::time::{Moment, OccurredAt};

mod edges;
mod holders;
mod paths;
mod walk;

pub use edges::{By, Hop, WITHIN_BOUNDARY, is_switched_off};
pub use holders::{Holder, Holders, holders};
pub use paths::Paths;

use edges::{Edge, edges, limit_of};
use walk::Walk;

/// How far a walk goes.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// The most entities that are looked at, one in several scopes counted as often. Beyond that the answer is cut.
    pub entities: usize,
    /// The most paths that are kept to one access: 1 is the best one alone.
    pub paths: usize,
}

/// How good a path is: the least is the best. What makes it worse is never undone by a further step; but of two paths to one
/// entity the worse may lead on to the better of two others, since a step may make both eligible. So the walk goes by length,
/// and keeps what is shorter and worse beside what is longer and better.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Cost {
    /// Something on it is not active, and could be made so.
    pub is_eligible: bool,
    /// Something on it holds under conditions of its source.
    pub is_conditional: bool,
    /// How many steps it has.
    pub steps: usize,
    /// When the first step of it runs out, the latest moment first; that of a path which does not is the last there is.
    lasts: Reverse<Moment>,
}

/// What paths are found by: the shortest first, and of these the one that lasts longest.
type Length = (usize, Reverse<Moment>);

impl Cost {
    /// That of no step.
    const NONE: Self = Self { is_eligible: false, is_conditional: false, steps: 0, lasts: Reverse(Moment::MAX) };

    fn with(&self, hop: &Hop) -> Self {
        Self {
            is_eligible: self.is_eligible || hop.is_eligible,
            is_conditional: self.is_conditional || hop.is_conditional,
            steps: self.steps + 1,
            lasts: Reverse(hop.expires_at.map_or(self.lasts.0, |end| end.min(self.lasts.0))),
        }
    }

    fn length(&self) -> Length {
        (self.steps, self.lasts)
    }

    /// Whether it is in no respect worse than one that is as long, or longer.
    fn is_no_worse(&self, other: &Self) -> bool {
        self.is_eligible <= other.is_eligible && self.is_conditional <= other.is_conditional
    }

    /// When the first step of the path runs out.
    pub fn expires_at(&self) -> Option<Moment> {
        (self.lasts.0 < Moment::MAX).then_some(self.lasts.0)
    }
}

/// Somebody whose access was asked for, and what says whether they can use it.
#[derive(Clone, Debug, PartialEq)]
pub struct Principal {
    /// Who.
    pub entity: EntityId,
    /// The status as an account.
    pub account: Option<AccountState>,
    /// The status as a credential.
    pub credential: Option<CredentialState>,
}

impl Principal {
    fn of(entity: &EntityId, state: &State) -> Self {
        let credential = state.credentials.get(&entity.to_text()).cloned();
        Self { entity: entity.clone(), account: state.account.clone(), credential }
    }

    /// Whether nothing says that it cannot be used at a moment: an account that is switched off or locked cannot, nor can
    /// a credential that was disabled or revoked, or has run out.
    pub fn may_act(&self, at: OccurredAt) -> bool {
        let is_usable = |credential: &CredentialState| {
            let has_ended = credential.expires_at.as_ref().is_some_and(|end| Moment::of(end) <= at.0);
            matches!(credential.status(), CredentialStatus::Unspecified | CredentialStatus::Active) && !has_ended
        };
        !is_switched_off(self.account.as_ref())
            && !self.account.as_ref().is_some_and(|account| account.locked)
            && self.credential.as_ref().is_none_or(is_usable)
    }
}

/// A limit that an account's permissions stay within.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Bound {
    /// The policy that is the limit, in text form; empty where the source does not say which.
    pub by: String,
    /// The fact that says so.
    pub evidence: Evidence,
}

/// One step of a path.
#[derive(Clone, Copy, Debug)]
pub struct Step<'a> {
    /// Who holds it, or what implies it.
    pub from: &'a EntityId,
    /// What is gained.
    pub to: &'a EntityId,
    /// How.
    pub hop: &'a Hop,
}

/// An entity that was reached in one scope, or where the walk began.
#[derive(Debug)]
struct Place {
    entity: EntityId,
    scope: String,
    /// The ways to it, of which none is as good as another in every respect; none, where it is not reached after all.
    ways: Vec<usize>,
}

/// A way to a place.
#[derive(Debug)]
struct Way {
    place: usize,
    cost: Cost,
    /// From which way, and how; none where the walk began.
    from: Option<(usize, Hop)>,
}

/// One access: what is gained, and where it holds.
#[derive(Clone, Copy, Debug)]
pub struct Access<'a> {
    walk: &'a Effective,
    place: usize,
}

/// What a walk came to.
#[derive(Debug)]
pub struct Effective {
    places: Vec<Place>,
    ways: Vec<Way>,
    /// Every step between places, by where it leads to; only where more than the best path was asked for.
    into: BTreeMap<usize, Vec<(usize, Hop)>>,
    limits: Limits,
    /// Where the walk began.
    pub principals: Vec<Principal>,
    /// The limits of the accounts that were met.
    pub bounds: BTreeMap<EntityId, Bound>,
    /// There is more than was looked at: accesses may be missing, and better paths.
    pub is_cut: bool,
}

/// Somebody was seen in a session of a role: it could be assumed then.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Session {
    /// Who assumed it, or with what.
    pub by: EntityId,
    /// What whoever may assume the role holds.
    pub role: EntityId,
    /// The fact that says so.
    pub evidence: Evidence,
}

/// Everything that `starts` could do at `at`, all together: an account and its identifiers, say, or a credential and its
/// owner. `state_of` gives the state of an entity at the moment of the question: as `replay` gives it, or the parts of it
/// that say what somebody is and holds. Of an entitlement, its holders need not be there.
///
/// # Errors
/// Those of `state_of`.
pub fn effective<S: Borrow<State>, E>(
    starts: &[EntityId],
    at: OccurredAt,
    limits: Limits,
    state_of: impl FnMut(&EntityId) -> Result<S, E>,
) -> Result<Effective, E> {
    effective_with(starts, &[], at, limits, state_of)
}

/// The same, and what sessions that were seen let them do: no grant may say who can assume a role.
///
/// # Errors
/// Those of `state_of`.
pub fn effective_with<S: Borrow<State>, E>(
    starts: &[EntityId],
    sessions: &[Session],
    at: OccurredAt,
    limits: Limits,
    mut state_of: impl FnMut(&EntityId) -> Result<S, E>,
) -> Result<Effective, E> {
    let mut walk = Walk::new(limits);
    let starts: BTreeSet<&EntityId> = starts.iter().collect();
    for start in &starts {
        walk.begin((*start).clone());
    }
    while let Some(found) = walk.next() {
        let entity = walk.made.places[found.place].entity.clone();
        let is_start = found.from.is_none();
        let state = state_of(&entity)?;
        let state: &State = state.borrow();
        if is_start {
            walk.made.principals.push(Principal::of(&entity, state));
        }
        if state.removed.is_some() {
            continue;
        }
        if let Some(bound) = limit_of(state) {
            walk.made.bounds.insert(entity.clone(), bound);
        }
        let way = walk.settle(found);
        for edge in edges(&entity, state, is_start, at) {
            walk.follow(way, edge);
        }
        let own = sessions.iter().filter(|session| is_start && session.by == entity);
        own.for_each(|session| walk.follow(way, Edge::of_session(session)));
    }
    Ok(walk.finish())
}

impl Effective {
    /// What was reached, in no particular order. Where the walk began is none of it.
    pub fn accesses(&self) -> impl Iterator<Item = Access<'_>> {
        let is_start = |entity: &EntityId| self.principals.iter().any(|start| start.entity == *entity);
        let is_there = move |place: &Place| !place.ways.is_empty() && !is_start(&place.entity);
        let reached = self.places.iter().enumerate().filter(move |(_, place)| is_there(place));
        reached.map(|(place, _)| Access { walk: self, place })
    }

    /// The best of the ways to a place.
    fn best(&self, place: usize) -> &Way {
        let ways = self.places[place].ways.iter().map(|way| &self.ways[*way]);
        ways.min_by_key(|way| way.cost).expect("only places with a way are given out")
    }

    fn entity_of(&self, way: usize) -> &EntityId {
        &self.places[self.ways[way].place].entity
    }
}

impl<'a> Access<'a> {
    /// What is gained: an entitlement, or an account that can be acted as.
    pub fn entity(&self) -> &'a EntityId {
        &self.walk.places[self.place].entity
    }

    /// Where it holds, in the source's own id; empty where it holds everywhere.
    pub fn scope(&self) -> &'a str {
        &self.walk.places[self.place].scope
    }

    /// How good the best path is.
    pub fn cost(&self) -> &'a Cost {
        &self.walk.best(self.place).cost
    }

    /// Whether it is held through something else: another entitlement, or what the source itself says.
    pub fn is_inherited(&self) -> bool {
        let best = self.walk.best(self.place);
        best.cost.steps > 1 || best.from.as_ref().is_some_and(|(_, hop)| !hop.inherited_via.is_empty())
    }

    /// The best path.
    pub fn path(&self) -> Vec<Step<'a>> {
        let mut way = self.walk.best(self.place);
        let mut path = Vec::with_capacity(way.cost.steps);
        while let Some((from, hop)) = &way.from {
            let to = &self.walk.places[way.place].entity;
            path.push(Step { from: self.walk.entity_of(*from), to, hop });
            way = &self.walk.ways[*from];
        }
        path.reverse();
        path
    }

    /// The limits that the best path is within, with whose they are.
    pub fn bounds(&self) -> Vec<(&'a EntityId, &'a Bound)> {
        let bounded = |step: &Step<'a>| self.walk.bounds.get_key_value(step.from);
        self.path().iter().filter_map(bounded).collect()
    }
}
