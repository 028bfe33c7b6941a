//! A naive walk: a list of edges in plain sets, and every best way found by trying all edges until nothing gets better.
#![allow(dead_code, reason = "each test uses another part of it")]

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet};

use counterfoil_proto::v1::{Fact, FactKind as K, GrantMode, Record, Ref, fact::Detail, record::Body};

use super::drawn::text;

/// Eligible, conditional, steps, and when it ends, the latest first.
pub type Cost = (bool, bool, usize, Reverse<i64>);
/// An entity and a scope.
pub type Place = (String, String);

/// That no end is told.
pub const NEVER: i64 = i64::MAX;

/// From, to, scope.
type Key = (String, String, String);

#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Edge {
    pub by: &'static str,
    pub from: String,
    pub to: String,
    pub scope: String,
    pub until: i64,
    pub eligible: bool,
    pub conditional: bool,
}

/// What facts come to, in one graph.
#[derive(Debug, Default)]
pub struct Graph {
    held: BTreeMap<Key, (i64, bool, bool)>,
    implied: BTreeSet<Key>,
    linked: BTreeSet<(String, String)>,
    removed: BTreeSet<String>,
    off: BTreeSet<String>,
}

/// When a fact happened, and where it stands.
pub type Order = (i64, u64, usize);

pub fn graph(records: &[Record], at: i64, known: u64) -> Graph {
    graph_until(records, (at, u64::MAX, usize::MAX), known)
}

/// What facts come to up to and with one place in their order.
pub fn graph_until(records: &[Record], last: Order, known: u64) -> Graph {
    let mut facts: Vec<(Order, &Fact)> = Vec::new();
    for record in records.iter().filter(|record| record.index < known) {
        let Some(Body::Event(event)) = &record.body else { continue };
        let timed = event.facts.iter().enumerate();
        facts.extend(timed.map(|(n, fact)| ((fact.occurred_at.unwrap().seconds, record.index, n), fact)));
    }
    facts.retain(|(order, fact)| *order <= last && fact.outcome == 1);
    facts.sort_by_key(|(order, _)| *order);
    let mut graph = Graph::default();
    facts.into_iter().for_each(|(_, fact)| step(&mut graph, fact));
    graph
}

fn step(graph: &mut Graph, fact: &Fact) {
    let subject = fact.subject.as_ref().map(text).unwrap_or_default();
    let object = fact.object.as_ref().map(text).unwrap_or_default();
    let key = (subject.clone(), object.clone(), fact.scope.clone());
    match fact.kind() {
        K::GrantAdded => {
            let held = match &fact.detail {
                Some(Detail::Grant(grant)) => {
                    let until = grant.expires_at.map_or(NEVER, |end| end.seconds);
                    (until, grant.mode() == GrantMode::Eligible, grant.conditional)
                }
                _ => (NEVER, false, false),
            };
            graph.held.insert(key, held);
        }
        K::GrantRemoved => drop(graph.held.remove(&key)),
        K::EntitlementDefined | K::EntitlementChanged | K::EntitlementRemoved => {
            graph.removed.remove(&object);
            let detail = match &fact.detail {
                Some(Detail::Entitlement(detail)) => Some(detail),
                _ => None,
            };
            if fact.kind() == K::EntitlementRemoved || fact.kind() == K::EntitlementDefined && detail.is_some() {
                graph.implied.retain(|(from, ..)| *from != object);
            }
            if fact.kind() == K::EntitlementRemoved {
                graph.removed.insert(object);
                return;
            }
            let implied = |what: &Ref| (object.clone(), text(what), fact.scope.clone());
            for what in detail.iter().flat_map(|detail| &detail.implies_removed) {
                graph.implied.remove(&implied(what));
            }
            graph.implied.extend(detail.iter().flat_map(|detail| &detail.implies_added).map(implied));
        }
        K::AccountDisabled => drop(graph.off.insert(subject)),
        K::AccountEnabled => drop(graph.off.remove(&subject)),
        K::IdentityLinked => {
            graph.linked.insert((subject.clone(), object.clone()));
            graph.linked.insert((object, subject));
        }
        other => panic!("{other:?}"),
    }
}

impl Graph {
    /// The same, but that one entity leads where it does in another graph.
    pub fn but(mut self, entity: &str, other: &Self) -> Self {
        self.held.retain(|(from, ..), _| from != entity);
        self.held.extend(other.held.iter().filter(|((from, ..), _)| from == entity).map(|(k, v)| (k.clone(), *v)));
        self.implied.retain(|(from, ..)| from != entity);
        self.implied.extend(other.implied.iter().filter(|(from, ..)| from == entity).cloned());
        self.linked.retain(|(from, _)| from != entity);
        self.linked.extend(other.linked.iter().filter(|(from, _)| from == entity).cloned());
        self.removed.remove(entity);
        self.removed.extend(other.removed.get(entity).cloned());
        self
    }

    /// Every edge that counts, but for who may pass through an account.
    pub fn edges(&self, at: i64) -> Vec<Edge> {
        let held = self.held.iter().map(|((from, to, scope), (until, eligible, conditional))| Edge {
            by: "held",
            from: from.clone(),
            to: to.clone(),
            scope: scope.clone(),
            until: *until,
            eligible: *eligible,
            conditional: *conditional,
        });
        let plain = |by: &'static str, from: &String, to: &String, scope: &str| Edge {
            by,
            from: from.clone(),
            to: to.clone(),
            scope: scope.to_owned(),
            until: NEVER,
            eligible: false,
            conditional: false,
        };
        let implied = self.implied.iter().map(|(from, to, scope)| plain("implied", from, to, scope));
        let linked = self.linked.iter().map(|(from, to)| plain("linked", from, to, ""));
        let counts =
            |edge: &Edge| edge.until > at && !self.removed.contains(&edge.from) && !self.removed.contains(&edge.to);
        held.chain(implied).chain(linked).filter(counts).collect()
    }

    /// Whether a walk goes on from an entity that it came to.
    pub fn passes(&self, entity: &str) -> bool {
        !self.off.contains(entity)
    }

    /// The best cost of everything that `start` could do. Of paths that are eligible and conditional alike the shortest is
    /// the best, however they go on; of others a worse one may be the better beginning, so that all four are kept.
    pub fn reach(&self, start: &str, at: i64) -> BTreeMap<Place, Cost> {
        let edges = self.edges(at);
        let begin = (start.to_owned(), String::new());
        let mut best: BTreeMap<(Place, bool, bool), Cost> =
            BTreeMap::from([((begin.clone(), false, false), (false, false, 0, Reverse(NEVER)))]);
        loop {
            let before = best.clone();
            for ((place, ..), cost) in &before {
                if *place != begin && !self.passes(&place.0) {
                    continue;
                }
                for edge in edges.iter().filter(|edge| edge.from == place.0) {
                    let scope = if edge.scope.is_empty() { place.1.clone() } else { edge.scope.clone() };
                    let end = Reverse(cost.3.0.min(edge.until));
                    let cost = (cost.0 || edge.eligible, cost.1 || edge.conditional, cost.2 + 1, end);
                    let held = best.entry(((edge.to.clone(), scope), cost.0, cost.1)).or_insert(cost);
                    *held = cost.min(*held);
                }
            }
            if best == before {
                break;
            }
        }
        let mut reached: BTreeMap<Place, Cost> = BTreeMap::new();
        for ((place, ..), cost) in best.into_iter().filter(|((place, ..), _)| place.0 != start) {
            let held = reached.entry(place).or_insert(cost);
            *held = cost.min(*held);
        }
        reached
    }

    /// Every way from `start` to a place that passes no place twice.
    pub fn ways(&self, start: &str, to: &Place, at: i64) -> BTreeSet<Vec<Edge>> {
        let mut found = BTreeSet::new();
        let begin = (start.to_owned(), String::new());
        self.extend((&begin, to), &self.edges(at), &mut vec![begin.clone()], &mut Vec::new(), &mut found);
        found
    }

    fn extend(
        &self,
        (begin, to): (&Place, &Place),
        edges: &[Edge],
        passed: &mut Vec<Place>,
        way: &mut Vec<Edge>,
        found: &mut BTreeSet<Vec<Edge>>,
    ) {
        let here = passed.last().unwrap().clone();
        if here == *to {
            found.insert(way.clone());
            return;
        }
        if here != *begin && !self.passes(&here.0) {
            return;
        }
        for edge in edges.iter().filter(|edge| edge.from == here.0) {
            let scope = if edge.scope.is_empty() { here.1.clone() } else { edge.scope.clone() };
            let next = (edge.to.clone(), scope);
            if !passed.contains(&next) {
                passed.push(next);
                way.push(edge.clone());
                self.extend((begin, to), edges, passed, way, found);
                way.pop();
                passed.pop();
            }
        }
    }
}
