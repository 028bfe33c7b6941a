//! A walk under way: what was reached, what waits, and in which order it is looked at.
//!
//! Owns that each way to a place is looked at once, the shortest first, and only where none that is known is as good in every
//! respect; and that it ends. It reads no state.

use std::cmp::Reverse;
use std::collections::btree_map::Entry;
use std::collections::{BTreeMap, BinaryHeap};

use super::edges::{Edge, Hop};
use super::{Cost, Effective, Length, Limits, Place, Way};
use crate::entity::EntityId;

/// A way that was found, and not looked at yet.
pub(super) struct Found {
    pub(super) place: usize,
    cost: Cost,
    pub(super) from: Option<(usize, Hop)>,
}

/// A walk under way.
pub(super) struct Walk {
    pub(super) made: Effective,
    /// The places by what they are of.
    numbers: BTreeMap<(EntityId, String), usize>,
    /// Of each place, whether it was looked at. One that was and has no way is there no more.
    is_seen: Vec<bool>,
    seen: usize,
    found: Vec<Option<Found>>,
    queue: BinaryHeap<Reverse<(Length, usize)>>,
    /// Every step that was met: from which place, and to which.
    met: Vec<(usize, usize, Hop)>,
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
        let (numbers, is_seen, found) = (BTreeMap::new(), Vec::new(), Vec::new());
        Self { made, numbers, is_seen, seen: 0, found, queue: BinaryHeap::new(), met: Vec::new() }
    }

    /// Begins at an entity.
    pub(super) fn begin(&mut self, entity: EntityId) {
        let place = self.place(entity, String::new());
        self.wait(Found { place, cost: Cost::NONE, from: None });
    }

    fn place(&mut self, entity: EntityId, scope: String) -> usize {
        match self.numbers.entry((entity, scope)) {
            Entry::Occupied(known) => *known.get(),
            Entry::Vacant(new) => {
                let (entity, scope) = new.key().clone();
                self.made.places.push(Place { entity, scope, ways: Vec::new() });
                self.is_seen.push(false);
                *new.insert(self.made.places.len() - 1)
            }
        }
    }

    fn wait(&mut self, found: Found) {
        if !self.is_known(&found) {
            self.queue.push(Reverse((found.cost.length(), self.found.len())));
            self.found.push(Some(found));
        }
    }

    /// Whether what was looked at is there no more, or a way to it is known that is as good in every respect. Those that
    /// are known are no longer than those that come.
    fn is_known(&self, found: &Found) -> bool {
        let ways = &self.made.places[found.place].ways;
        let is_as_good = |way: &usize| self.made.ways[*way].cost.is_no_worse(&found.cost);
        self.is_seen[found.place] && (ways.is_empty() || ways.iter().any(is_as_good))
    }

    /// The shortest way that was not looked at yet.
    pub(super) fn next(&mut self) -> Option<Found> {
        while let Some(Reverse((_, number))) = self.queue.pop() {
            let Some(found) = self.found[number].take() else { continue };
            if self.is_known(&found) {
                continue;
            }
            if !self.is_seen[found.place] {
                if self.seen == self.made.limits.entities {
                    self.made.is_cut = true;
                    continue;
                }
                self.is_seen[found.place] = true;
                self.seen += 1;
            }
            return Some(found);
        }
        None
    }

    /// Keeps a way to something that is there.
    pub(super) fn settle(&mut self, found: Found) -> usize {
        let Found { place, cost, from } = found;
        self.made.ways.push(Way { place, cost, from });
        let way = self.made.ways.len() - 1;
        self.made.places[place].ways.push(way);
        way
    }

    /// Goes on by a step.
    pub(super) fn follow(&mut self, from: usize, edge: Edge) {
        let Edge { to, hop, .. } = edge;
        let (own, cost) = (self.made.ways[from].place, self.made.ways[from].cost.with(&hop));
        let scope = match hop.scope.is_empty() {
            true => self.made.places[own].scope.clone(),
            false => hop.scope.clone(),
        };
        let place = self.place(to, scope);
        // Every way to a place leads on by the same steps.
        if self.made.limits.paths > 1 && self.made.places[own].ways.len() == 1 {
            self.met.push((own, place, hop.clone()));
        }
        self.wait(Found { place, cost, from: Some((from, hop)) });
    }

    pub(super) fn finish(mut self) -> Effective {
        for (from, to, hop) in self.met {
            // What was removed, or not looked at, leads nowhere.
            if !self.made.places[to].ways.is_empty() {
                self.made.into.entry(to).or_default().push((from, hop));
            }
        }
        self.made
    }
}
