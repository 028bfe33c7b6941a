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
    bytes: usize,
}

/// A grant, held from after so many deltas until after so many.
struct Held {
    key: String,
    grant: GrantState,
    from: usize,
    until: usize,
}

/// What held a grant's place in memory, beside its texts.
const HELD_BYTES: usize = size_of::<Held>() + 32;

impl Segment {
    /// Applies at most `max` deltas of `entity` to the state before them.
    pub(crate) fn read(
        entity: &EntityId,
        mut state: State,
        mut deltas: impl Iterator<Item = Result<(Position, Rc<Delta>)>>,
        max: usize,
    ) -> Result<Self> {
        let mut made =
            Self { places: Vec::new(), end: None, newest: 0, rests: Vec::new(), grants: Vec::new(), bytes: 0 };
        let mut open = BTreeMap::new();
        made.compare(&mut state, &mut open);
        for delta in deltas.by_ref().take(max) {
            let (position, delta) = delta?;
            delta.apply(&mut state, entity, position);
            made.newest = made.newest.max(position.1.0 + 1);
            made.places.push(position);
            made.compare(&mut state, &mut open);
        }
        made.end = deltas.next().transpose()?.map(|(position, _)| position.0);
        made.grants.sort_by(|one, other| (&one.key, one.from).cmp(&(&other.key, other.from)));
        let texts = |held: &Held| {
            let GrantState { counterpart, scope, inherited_via, actor, .. } = &held.grant;
            held.key.len() + counterpart.len() + scope.len() + inherited_via.len() + actor.len()
        };
        let rests: usize = made.rests.iter().map(|(_, rest)| size_of::<State>() + 2 * rest.encoded_len()).sum();
        made.bytes = size_of::<Self>()
            + made.places.len() * size_of::<Position>()
            + made.grants.iter().map(|held| HELD_BYTES + texts(held)).sum::<usize>()
            + rests;
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
                self.grants.push(Held { key: key.clone(), grant: grant.clone(), from: after, until: usize::MAX });
            }
        }
        let grants = std::mem::take(&mut state.grants);
        if self.rests.last().is_none_or(|(_, rest)| rest != state) {
            self.rests.push((after, state.clone()));
        }
        state.grants = grants;
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

    /// How many grants were ever held in it.
    pub(crate) fn grants(&self) -> usize {
        self.grants.len()
    }

    /// What it takes in memory.
    pub(crate) fn bytes(&self) -> usize {
        self.bytes
    }
}
