//! A walk under way: what was reached, what waits, and in which order it is looked at.
//!
//! Owns that each way to a place is looked at once, the shortest first, and only where none that is known is as good in every
//! respect; and that it ends. It reads no state.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BinaryHeap};

use super::edges::{Edge, Hop};
use super::{Cost, Effective, Limits, Place, Way};
use crate::entity::EntityId;
use crate::time::Moment;

/// A place by what it is of.
type Key = (EntityId, String);

/// A way that was found, and not looked at yet.
pub(super) struct Found {
    pub(super) key: Key,
    cost: Cost,
    pub(super) from: Option<(usize, Hop)>,
}

/// A walk under way.
pub(super) struct Walk {
    pub(super) made: Effective,
    /// The places that were looked at; none for what was removed.
    places: BTreeMap<Key, Option<usize>>,
    found: Vec<Option<Found>>,
    queue: BinaryHeap<Reverse<((usize, Reverse<Moment>), usize)>>,
    /// Every step that was met, by what it leads to.
    met: Vec<(usize, Key, Hop)>,
}

impl Walk {
    pub(super) fn new(limits: Limits) -> Self {
        let made = Effective {
            places: Vec::new(),
            ways: Vec::new(),
            into: BTreeMap::new(),
            limits,
            principals: Vec::new(),
            bounds: BTreeMap::new(),
            is_cut: false,
        };
        Self { made, places: BTreeMap::new(), found: Vec::new(), queue: BinaryHeap::new(), met: Vec::new() }
    }

    pub(super) fn wait(&mut self, key: Key, cost: Cost, from: Option<(usize, Hop)>) {
        if !self.is_known(&key, &cost) {
            self.queue.push(Reverse((cost.length(), self.found.len())));
            self.found.push(Some(Found { key, cost, from }));
        }
    }

    /// Whether what was looked at is there no more, or a way to it is known that is as good in every respect. Those that
    /// are known are no longer than those that come.
    fn is_known(&self, key: &Key, cost: &Cost) -> bool {
        match self.places.get(key) {
            None => false,
            Some(None) => true,
            Some(Some(place)) => {
                let ways = &self.made.places[*place].ways;
                ways.iter().any(|way| self.made.ways[*way].cost.is_no_worse(cost))
            }
        }
    }

    /// The shortest way that was not looked at yet.
    pub(super) fn next(&mut self) -> Option<Found> {
        while let Some(Reverse((_, number))) = self.queue.pop() {
            let Some(found) = self.found[number].take() else { continue };
            if self.is_known(&found.key, &found.cost) {
                continue;
            }
            if self.places.contains_key(&found.key) {
                return Some(found);
            }
            if self.places.len() == self.made.limits.entities {
                self.made.is_cut = true;
                continue;
            }
            self.places.insert(found.key.clone(), None);
            return Some(found);
        }
        None
    }

    pub(super) fn settle(&mut self, found: Found) -> usize {
        let Found { key, cost, from } = found;
        let known = self.places.entry(key.clone()).or_default();
        let place = *known.get_or_insert(self.made.places.len());
        if place == self.made.places.len() {
            let (entity, scope) = key;
            self.made.places.push(Place { entity, scope, ways: Vec::new() });
        }
        let way = self.made.ways.len();
        self.made.ways.push(Way { place, cost, from });
        self.made.places[place].ways.push(way);
        way
    }

    pub(super) fn follow(&mut self, from: usize, edge: Edge) {
        let Edge { to, hop, .. } = edge;
        let way = &self.made.ways[from];
        let place = &self.made.places[way.place];
        let scope = if hop.scope.is_empty() { place.scope.clone() } else { hop.scope.clone() };
        let cost = way.cost.with(&hop);
        let key = (to, scope);
        // Every way to a place leads on by the same steps.
        if self.made.limits.paths > 1 && place.ways.len() == 1 {
            self.met.push((way.place, key.clone(), hop.clone()));
        }
        self.wait(key, cost, Some((from, hop)));
    }

    pub(super) fn finish(mut self) -> Effective {
        for (from, key, hop) in self.met {
            // What was removed, or not looked at, is no place.
            if let Some(Some(to)) = self.places.get(&key) {
                self.made.into.entry(*to).or_default().push((from, hop));
            }
        }
        self.made
    }
}
