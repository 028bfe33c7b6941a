//! Who holds something through any path: the other direction of the same walk.
//!
//! Owns the walk from an entitlement back to whoever holds it. Each step is one that leads on from the state of whoever it
//! leads from, so that this is the exact inverse of effective access. It never guesses who may lead to something: the
//! caller names them, and too many do no harm.

use std::borrow::Borrow;
use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet, BinaryHeap};

use counterfoil_proto::v1::EntityKind;

use super::edges::{Hop, edges, is_switched_off};
use super::{Bound, Cost, Limits, Principal, Step, limit_of};
use crate::entity::EntityId;
use crate::state::State;
use crate::time::OccurredAt;

/// What a walk back came to.
#[derive(Debug)]
pub struct Holders {
    nodes: Vec<Node>,
    /// The places of those who hold it themselves or through something, with their status.
    holders: Vec<(usize, Principal)>,
    /// The limits of the accounts that were met.
    pub bounds: BTreeMap<EntityId, Bound>,
    /// There are more than was looked at.
    pub is_cut: bool,
}

/// An entity on the way back.
#[derive(Debug)]
struct Node {
    entity: EntityId,
    /// Where it holds, as far as a step named it.
    scope: Option<String>,
    cost: Cost,
    /// The step towards what is held, and to which node; none where the walk began.
    to: Option<(Hop, usize)>,
}

/// Somebody who holds it, in one scope.
#[derive(Clone, Copy, Debug)]
pub struct Holder<'a> {
    walk: &'a Holders,
    node: usize,
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
    let mut made = Holders { nodes: Vec::new(), holders: Vec::new(), bounds: BTreeMap::new(), is_cut: false };
    if !even_removed && state_of(what)?.borrow().removed.is_some() {
        return Ok(made);
    }
    let start = Node { entity: what.clone(), scope: None, cost: Cost::NONE, to: None };
    let mut pending = vec![Some((start, true, None))];
    let mut queue = BinaryHeap::from([Reverse((Cost::NONE, 0))]);
    let mut settled: BTreeSet<(EntityId, Option<String>, bool)> = BTreeSet::new();
    while let Some(Reverse((_, place))) = queue.pop() {
        let Some((node, leads_on, holder)) = pending[place].take() else { continue };
        if !settled.insert((node.entity.clone(), node.scope.clone(), leads_on)) {
            continue;
        }
        if made.nodes.len() == limits.entities {
            made.is_cut = true;
            break;
        }
        let number = made.nodes.len();
        let (entity, cost) = (node.entity.clone(), node.cost);
        let scope = node.scope.clone();
        made.nodes.push(node);
        made.holders.extend(holder.filter(|_| entity != *what).map(|holder| (number, holder)));
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
                let holder = acts.then(|| Principal::of(&from, state));
                if let Some(bound) = limit_of(state).filter(|_| acts) {
                    made.bounds.insert(from.clone(), bound);
                }
                let named = (!edge.hop.scope.is_empty()).then(|| edge.hop.scope.clone());
                let cost = cost.with(&edge.hop);
                let scope = scope.clone().or(named);
                let node = Node { entity: from.clone(), scope, cost, to: Some((edge.hop, number)) };
                queue.push(Reverse((cost, pending.len())));
                pending.push(Some((node, leads_on, holder)));
            }
        }
    }
    Ok(made)
}

impl Holders {
    /// Those who hold it, in no particular order.
    pub fn holders(&self) -> impl Iterator<Item = Holder<'_>> {
        self.holders.iter().map(|(node, principal)| Holder { walk: self, node: *node, principal })
    }
}

impl<'a> Holder<'a> {
    /// Where it holds, in the source's own id; empty where it holds everywhere.
    pub fn scope(&self) -> &'a str {
        self.walk.nodes[self.node].scope.as_deref().unwrap_or_default()
    }

    /// How good the best path is.
    pub fn cost(&self) -> &'a Cost {
        &self.walk.nodes[self.node].cost
    }

    /// Whether it is held through something else: another entitlement, or what the source itself says.
    pub fn is_inherited(&self) -> bool {
        let node = &self.walk.nodes[self.node];
        node.cost.steps > 1 || node.to.as_ref().is_some_and(|(hop, _)| !hop.inherited_via.is_empty())
    }

    /// The best path, from the holder on.
    pub fn path(&self) -> Vec<Step<'a>> {
        let nodes = &self.walk.nodes;
        let mut path = Vec::with_capacity(nodes[self.node].cost.steps);
        let mut at = self.node;
        while let Some((hop, to)) = &nodes[at].to {
            path.push(Step { from: &nodes[at].entity, to: &nodes[*to].entity, hop });
            at = *to;
        }
        path
    }

    /// The limits that the path is within, with whose they are.
    pub fn bounds(&self) -> Vec<(&'a EntityId, &'a Bound)> {
        self.path().iter().filter_map(|step| self.walk.bounds.get_key_value(step.from)).collect()
    }
}
