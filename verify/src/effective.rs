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
use std::collections::{BTreeMap, BTreeSet, BinaryHeap};

use counterfoil_proto::v1::CredentialStatus;

use crate::entity::EntityId;
use crate::state::{AccountState, CredentialState, Evidence, State};
use crate::time::{Moment, OccurredAt};

mod edges;
mod holders;
mod paths;

pub use edges::{By, Hop, WITHIN_BOUNDARY, is_switched_off};
pub use holders::{Holder, Holders, holders};
pub use paths::Paths;

use edges::{Edge, edges, limit_of};

/// How far a walk goes.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// The most entities that are looked at, one in several scopes counted as often. Beyond that the answer is cut.
    pub entities: usize,
    /// The most paths that are kept to one access: 1 is the best one alone.
    pub paths: usize,
}

/// How good a path is: the least is the best.
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

/// An entity that was reached, or where the walk began.
#[derive(Debug)]
struct Node {
    entity: EntityId,
    scope: String,
    cost: Cost,
    /// From which node, and how; none where the walk began.
    from: Option<(usize, Hop)>,
}

/// One access: what is gained, and where it holds.
#[derive(Clone, Copy, Debug)]
pub struct Access<'a> {
    walk: &'a Effective,
    node: usize,
}

/// What a walk came to.
#[derive(Debug)]
pub struct Effective {
    nodes: Vec<Node>,
    /// Every step between nodes, by where it leads to; only where more than the best path was asked for.
    into: BTreeMap<usize, Vec<(usize, Hop)>>,
    limits: Limits,
    /// Where the walk began, in the order in which it was asked for.
    pub principals: Vec<Principal>,
    /// The limits of the accounts that were met.
    pub bounds: BTreeMap<EntityId, Bound>,
    /// There is more than was looked at.
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
        walk.wait(Pending { entity: (*start).clone(), scope: String::new(), cost: Cost::NONE, from: None });
    }
    while let Some(pending) = walk.next() {
        let is_start = pending.from.is_none();
        let state = state_of(&pending.entity)?;
        let state: &State = state.borrow();
        if is_start {
            walk.made.principals.push(Principal::of(&pending.entity, state));
        }
        if state.removed.is_some() {
            continue;
        }
        if let Some(bound) = limit_of(state) {
            walk.made.bounds.insert(pending.entity.clone(), bound);
        }
        let node = walk.settle(pending);
        for edge in edges(&walk.made.nodes[node].entity, state, is_start, at) {
            walk.follow(node, edge);
        }
        let own = |session: &&Session| is_start && session.by == walk.made.nodes[node].entity;
        let seen: Vec<&Session> = sessions.iter().filter(own).collect();
        seen.into_iter().for_each(|session| walk.follow(node, Edge::of_session(session)));
    }
    Ok(walk.finish())
}

impl Effective {
    /// What was reached, in no particular order. Where the walk began is none of it.
    pub fn accesses(&self) -> impl Iterator<Item = Access<'_>> {
        let is_start = |entity: &EntityId| self.principals.iter().any(|start| start.entity == *entity);
        let reached = self.nodes.iter().enumerate().filter(move |(_, node)| !is_start(&node.entity));
        reached.map(|(node, _)| Access { walk: self, node })
    }
}

impl<'a> Access<'a> {
    /// What is gained: an entitlement, or an account that can be acted as.
    pub fn entity(&self) -> &'a EntityId {
        &self.walk.nodes[self.node].entity
    }

    /// Where it holds, in the source's own id; empty where it holds everywhere.
    pub fn scope(&self) -> &'a str {
        &self.walk.nodes[self.node].scope
    }

    /// How good the best path is.
    pub fn cost(&self) -> &'a Cost {
        &self.walk.nodes[self.node].cost
    }

    /// Whether it is held through something else: another entitlement, or what the source itself says.
    pub fn is_inherited(&self) -> bool {
        let node = &self.walk.nodes[self.node];
        node.cost.steps > 1 || node.from.as_ref().is_some_and(|(_, hop)| !hop.inherited_via.is_empty())
    }

    /// The best path.
    pub fn path(&self) -> Vec<Step<'a>> {
        let nodes = &self.walk.nodes;
        let mut path = Vec::with_capacity(nodes[self.node].cost.steps);
        let mut at = self.node;
        while let Some((from, hop)) = &nodes[at].from {
            path.push(Step { from: &nodes[*from].entity, to: &nodes[at].entity, hop });
            at = *from;
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

/// Something that was found and not looked at yet.
struct Pending {
    entity: EntityId,
    scope: String,
    cost: Cost,
    from: Option<(usize, Hop)>,
}

/// A walk under way: what is reached by the best path comes first.
struct Walk {
    made: Effective,
    settled: BTreeMap<(EntityId, String), usize>,
    pending: Vec<Option<Pending>>,
    queue: BinaryHeap<Reverse<(Cost, usize)>>,
    /// Every step that was met, by what it leads to.
    met: Vec<(usize, (EntityId, String), Hop)>,
    looked_at: usize,
}

impl Walk {
    fn new(limits: Limits) -> Self {
        let made = Effective {
            nodes: Vec::new(),
            into: BTreeMap::new(),
            limits,
            principals: Vec::new(),
            bounds: BTreeMap::new(),
            is_cut: false,
        };
        let (settled, pending, queue) = (BTreeMap::new(), Vec::new(), BinaryHeap::new());
        Self { made, settled, pending, queue, met: Vec::new(), looked_at: 0 }
    }

    fn wait(&mut self, pending: Pending) {
        self.queue.push(Reverse((pending.cost, self.pending.len())));
        self.pending.push(Some(pending));
    }

    /// The best that was not looked at yet.
    fn next(&mut self) -> Option<Pending> {
        while let Some(Reverse((_, place))) = self.queue.pop() {
            let Some(pending) = self.pending[place].take() else { continue };
            let key = (pending.entity.clone(), pending.scope.clone());
            if self.settled.contains_key(&key) {
                continue;
            }
            if self.looked_at == self.made.limits.entities {
                self.made.is_cut = true;
                return None;
            }
            self.looked_at += 1;
            self.settled.insert(key, usize::MAX);
            return Some(pending);
        }
        None
    }

    fn settle(&mut self, pending: Pending) -> usize {
        let Pending { entity, scope, cost, from } = pending;
        let node = self.made.nodes.len();
        self.settled.insert((entity.clone(), scope.clone()), node);
        self.made.nodes.push(Node { entity, scope, cost, from });
        node
    }

    fn follow(&mut self, from: usize, edge: Edge) {
        let Edge { to, hop, .. } = edge;
        let node = &self.made.nodes[from];
        let scope = if hop.scope.is_empty() { node.scope.clone() } else { hop.scope.clone() };
        let cost = node.cost.with(&hop);
        let key = (to, scope);
        if self.made.limits.paths > 1 {
            self.met.push((from, key.clone(), hop.clone()));
        }
        if !self.settled.contains_key(&key) {
            let (entity, scope) = key;
            self.wait(Pending { entity, scope, cost, from: Some((from, hop)) });
        }
    }

    fn finish(mut self) -> Effective {
        for (from, key, hop) in self.met {
            // What was removed, or not looked at, is no node.
            if let Some(&to) = self.settled.get(&key).filter(|to| **to != usize::MAX) {
                self.made.into.entry(to).or_default().push((from, hop));
            }
        }
        self.made
    }
}
