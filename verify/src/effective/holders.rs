//! Who holds something through any path: the other direction of the same walk.
//!
//! Owns the walk from an entitlement back to whoever holds it. Each step is one that leads on from the state of whoever it
//! leads from, so that this is the exact inverse of effective access. It never guesses who may lead to something: the
//! caller names them, and too many do no harm.

use std::borrow::Borrow;
use std::cmp::Reverse;
use std::collections::{BTreeMap, BinaryHeap};

use counterfoil_proto::v1::EntityKind;

use super::edges::{Hop, edges, is_switched_off};
use super::{Bound, Cost, Length, Limits, Principal, Step, limit_of};
use crate::entity::EntityId;
use crate::state::State;
use crate::time::OccurredAt;

/// What a walk back came to.
#[derive(Debug, Default)]
pub struct Holders {
    ways: Vec<Way>,
    /// Those who hold it themselves or through something, with their status and the ways from them.
    holders: BTreeMap<Key, (Principal, Vec<usize>)>,
    /// The limits of the accounts that were met.
    pub bounds: BTreeMap<EntityId, Bound>,
    /// There are more than was looked at: holders may be missing, and better paths.
    pub is_cut: bool,
}

/// An entity on the way back, and where what is held holds, as far as a step named it.
type Key = (EntityId, Option<String>);

/// A way from an entity to what is held.
#[derive(Debug)]
struct Way {
    entity: EntityId,
    cost: Cost,
    /// The step towards what is held, and the way that goes on from there; none where the walk began.
    to: Option<(Hop, usize)>,
}

/// A way that was found, and not looked at yet.
struct Found {
    key: Key,
    way: Way,
    /// Who holds it by this way; none of whom only others hold something through.
    holder: Option<Principal>,
    /// Others may hold it through this entity.
    leads_on: bool,
}

/// Somebody who holds it, in one scope.
#[derive(Clone, Copy, Debug)]
pub struct Holder<'a> {
    walk: &'a Holders,
    scope: &'a str,
    ways: &'a [usize],
    /// Who, and with which status.
    pub principal: &'a Principal,
}

/// Who holds `what` at `at` through any path: accounts, credentials and whoever else acts, each once for every scope. That
/// it was removed itself makes no difference where `even_removed`; else nobody holds what was removed. `leading_to` names
/// whoever may hold an entity or imply it; `state_of` gives states as for [`super::effective`].
///
/// # Errors
/// Those of `leading_to` and of `state_of`.
pub fn holders<S: Borrow<State>, E>(
    what: &EntityId,
    even_removed: bool,
    at: OccurredAt,
    limits: Limits,
    mut leading_to: impl FnMut(&EntityId) -> Result<Vec<EntityId>, E>,
    mut state_of: impl FnMut(&EntityId) -> Result<S, E>,
) -> Result<Holders, E> {
    let mut walk = Walk::default();
    if !even_removed && state_of(what)?.borrow().removed.is_some() {
        return Ok(walk.made);
    }
    let way = Way { entity: what.clone(), cost: Cost::NONE, to: None };
    walk.wait(Found { key: (what.clone(), None), way, holder: None, leads_on: true });
    while let Some(found) = walk.next(limits) {
        let (entity, scope) = found.key.clone();
        let (leads_on, cost) = (found.leads_on, found.way.cost);
        let way = walk.settle(found, what);
        if !leads_on {
            continue;
        }
        for from in leading_to(&entity)? {
            let state = state_of(&from)?;
            let state: &State = state.borrow();
            for edge in edges(&from, state, true, at).into_iter().filter(|edge| edge.to == entity) {
                let (acts, leads_on) = match from.kind() {
                    EntityKind::Entitlement => (false, true),
                    EntityKind::Identifier => (edge.is_own, !edge.is_own),
                    _ => (true, !is_switched_off(state.account.as_ref())),
                };
                if let Some(bound) = limit_of(state).filter(|_| acts) {
                    walk.made.bounds.insert(from.clone(), bound);
                }
                let named = (!edge.hop.scope.is_empty()).then(|| edge.hop.scope.clone());
                let key = (from.clone(), scope.clone().or(named));
                let next = Way { entity: from.clone(), cost: cost.with(&edge.hop), to: Some((edge.hop, way)) };
                let holder = acts.then(|| Principal::of(&from, state));
                walk.wait(Found { key, way: next, holder, leads_on });
            }
        }
    }
    Ok(walk.made)
}

/// A walk back under way.
#[derive(Default)]
struct Walk {
    made: Holders,
    /// The ways from each place that were looked at: of those from where others hold it too, and of the others.
    places: BTreeMap<(Key, bool), Vec<usize>>,
    found: Vec<Option<Found>>,
    queue: BinaryHeap<Reverse<(Length, usize)>>,
}

impl Walk {
    fn wait(&mut self, found: Found) {
        if !self.is_known(&found) {
            self.queue.push(Reverse((found.way.cost.length(), self.found.len())));
            self.found.push(Some(found));
        }
    }

    /// Whether a way is known that is as good in every respect. Those that are known are no longer than those that come.
    fn is_known(&self, found: &Found) -> bool {
        let known = self.places.get(&(found.key.clone(), found.leads_on));
        known.is_some_and(|ways| ways.iter().any(|way| self.made.ways[*way].cost.is_no_worse(&found.way.cost)))
    }

    /// The shortest way that was not looked at yet.
    fn next(&mut self, limits: Limits) -> Option<Found> {
        while let Some(Reverse((_, number))) = self.queue.pop() {
            let Some(found) = self.found[number].take() else { continue };
            if self.is_known(&found) {
                continue;
            }
            let is_new = !self.places.contains_key(&(found.key.clone(), found.leads_on));
            if is_new && self.places.len() == limits.entities {
                self.made.is_cut = true;
                continue;
            }
            return Some(found);
        }
        None
    }

    fn settle(&mut self, found: Found, what: &EntityId) -> usize {
        let Found { key, way, holder, leads_on } = found;
        let number = self.made.ways.len();
        self.made.ways.push(way);
        self.places.entry((key.clone(), leads_on)).or_default().push(number);
        if let Some(holder) = holder.filter(|holder| holder.entity != *what) {
            self.made.holders.entry(key).or_insert_with(|| (holder, Vec::new())).1.push(number);
        }
        number
    }
}

impl Holders {
    /// Those who hold it, in no particular order.
    pub fn holders(&self) -> impl Iterator<Item = Holder<'_>> {
        self.holders.iter().map(|((_, scope), (principal, ways))| Holder {
            walk: self,
            scope: scope.as_deref().unwrap_or_default(),
            ways,
            principal,
        })
    }
}

impl<'a> Holder<'a> {
    /// Where it holds, in the source's own id; empty where it holds everywhere.
    pub fn scope(&self) -> &'a str {
        self.scope
    }

    /// The best of the ways from it.
    fn best(&self) -> &'a Way {
        let ways = self.ways.iter().map(|way| &self.walk.ways[*way]);
        ways.min_by_key(|way| way.cost).expect("a holder is noted with the first way from it")
    }

    /// How good the best path is.
    pub fn cost(&self) -> &'a Cost {
        &self.best().cost
    }

    /// Whether it is held through something else: another entitlement, or what the source itself says.
    pub fn is_inherited(&self) -> bool {
        let best = self.best();
        best.cost.steps > 1 || best.to.as_ref().is_some_and(|(hop, _)| !hop.inherited_via.is_empty())
    }

    /// The best path, from the holder on.
    pub fn path(&self) -> Vec<Step<'a>> {
        let mut way = self.best();
        let mut path = Vec::with_capacity(way.cost.steps);
        while let Some((hop, to)) = &way.to {
            let next = &self.walk.ways[*to];
            path.push(Step { from: &way.entity, to: &next.entity, hop });
            way = next;
        }
        path
    }

    /// The limits that the path is within, with whose they are.
    pub fn bounds(&self) -> Vec<(&'a EntityId, &'a Bound)> {
        self.path().iter().filter_map(|step| self.walk.bounds.get_key_value(step.from)).collect()
    }
}
