//! A stretch of an entity's history in memory: what its state was after each of some deltas that follow one another.
//!
//! Owns how such a stretch is kept small: a grant is there once, with the deltas between which it held. What a delta does
//! is asked of `verify::replay`, and then compared with what was before.

use std::collections::BTreeMap;
use std::rc::Rc;

use counterfoil_verify::entity::EntityId;
use counterfoil_verify::state::{Evidence, GrantState, State};
use counterfoil_verify::time::OccurredAt;
use counterfoil_verify::tree::TreeSize;
use prost::Message;

use crate::error::Result;
use crate::views::deltas::Delta;
use crate::views::keys::Position;
use crate::views::timelines::entries;

/// The states between a snapshot and the next deltas but some.
pub(crate) struct Segment {
    /// Of each delta, in order.
    places: Vec<Position>,
    /// When the first delta happened that is not in it.
    end: Option<OccurredAt>,
    /// One past the newest record that any of the deltas is of.
    newest: u64,
    /// The states less their grants, each from after so many deltas on.
    rests: Vec<(usize, State)>,
    /// In the order of their keys.
    grants: Vec<Held>,
    /// The most that any of the states lists.
    largest: usize,
    bytes: usize,
}

/// A grant, held from after so many deltas until after so many.
struct Held {
    key: String,
    grant: GrantState,
    from: usize,
    until: usize,
}

/// What a segment takes in memory at most, but for its last state, and how many things are compared to make it. A state
/// that lists thousands has short segments, or none.
const BYTES_MAX: usize = 1 << 20;
const COMPARED_MAX: usize = 100_000;

impl Segment {
    /// Applies at most `max` deltas of `entity` to the state before them.
    pub(crate) fn read(
        entity: &EntityId,
        mut state: State,
        mut deltas: impl Iterator<Item = Result<(Position, Rc<Delta>)>>,
        max: usize,
    ) -> Result<Self> {
        let mut made = Self {
            places: Vec::new(),
            end: None,
            newest: 0,
            rests: Vec::new(),
            grants: Vec::new(),
            largest: 0,
            bytes: size_of::<Self>(),
        };
        let (mut open, mut compared) = (BTreeMap::new(), 0);
        made.compare(&mut state, &mut open);
        while let Some((position, delta)) = deltas.next().transpose()? {
            if made.places.len() == max || made.bytes > BYTES_MAX || compared > COMPARED_MAX {
                made.end = Some(position.0);
                break;
            }
            delta.apply(&mut state, entity, position);
            made.newest = made.newest.max(position.1.0 + 1);
            made.places.push(position);
            made.bytes += size_of::<Position>();
            made.compare(&mut state, &mut open);
            compared += 1 + entries(&state);
        }
        made.grants.sort_by(|one, other| (&one.key, one.from).cmp(&(&other.key, other.from)));
        made.places.shrink_to_fit();
        made.rests.shrink_to_fit();
        made.grants.shrink_to_fit();
        Ok(made)
    }

    /// Notes what is another than before. `open` are the grants that held so far: where each is, and what it rests on.
    fn compare(&mut self, state: &mut State, open: &mut BTreeMap<String, (usize, Evidence)>) {
        let after = self.places.len();
        open.retain(|key, (place, evidence)| {
            let still = state.grants.get(key).is_some_and(|grant| grant.evidence == *evidence);
            if !still {
                self.grants[*place].until = after;
            }
            still
        });
        if open.len() < state.grants.len() {
            for (key, grant) in state.grants.iter().filter(|(key, _)| !open.contains_key(*key)).collect::<Vec<_>>() {
                open.insert(key.clone(), (self.grants.len(), grant.evidence));
                self.bytes += size_of::<Held>() + key.len() + grant.encoded_len();
                self.grants.push(Held { key: key.clone(), grant: grant.clone(), from: after, until: usize::MAX });
            }
        }
        let grants = std::mem::take(&mut state.grants);
        if self.rests.last().is_none_or(|(_, rest)| rest != state) {
            self.bytes += size_of::<(usize, State)>() + 2 * state.encoded_len();
            self.rests.push((after, state.clone()));
        }
        state.grants = grants;
        self.largest = self.largest.max(entries(state));
    }

    /// How many deltas have applied at a moment that is not before the snapshot, as the first `known` records tell; none
    /// if it cannot say.
    pub(crate) fn applied(&self, at: OccurredAt, known: TreeSize) -> Option<usize> {
        let can_tell = self.newest <= known.0 && self.end.is_none_or(|end| at < end);
        can_tell.then(|| self.places.partition_point(|place| place.0 <= at))
    }

    /// The state less its grants, after so many deltas.
    pub(crate) fn rest(&self, applied: usize) -> &State {
        let after = self.rests.partition_point(|(from, _)| *from <= applied);
        &self.rests[after - 1].1
    }

    /// The grants by their keys, after so many deltas.
    pub(crate) fn held(&self, applied: usize) -> impl Iterator<Item = (&String, &GrantState)> {
        let held = self.grants.iter().filter(move |held| held.from <= applied && applied < held.until);
        held.map(|held| (&held.key, &held.grant))
    }

    /// The most that any of the states lists.
    pub(crate) fn largest(&self) -> usize {
        self.largest
    }

    /// What it takes in memory.
    pub(crate) fn bytes(&self) -> usize {
        self.bytes
    }
}
