//! A stretch of an entity's history in memory: what its state was after each of some deltas that follow one another.
//!
//! Owns how such a stretch is kept small: a grant is there once, with the deltas between which it held. What a delta does
//! is asked of `verify::replay`, and then compared with what was before.

use std::collections::{BTreeMap, BTreeSet};
use std::rc::Rc;
use std::sync::Arc;

use counterfoil_proto::v1::Grant;
use counterfoil_verify::entity::EntityId;
use counterfoil_verify::state::{Evidence, GrantState, State};
use counterfoil_verify::time::OccurredAt;
use counterfoil_verify::tree::TreeSize;
use prost::Message;

use crate::error::Result;
use crate::views::deltas::Delta;
use crate::views::keys::Position;
use crate::views::replaced::Replaced;
use crate::views::timelines::entries;

/// What held so far, while a segment is made.
#[derive(Default)]
struct Open {
    /// By their keys: where each grant is, and what it rests on.
    grants: BTreeMap<String, (usize, Evidence)>,
    /// Whoever granted any of the segment's.
    actors: BTreeSet<Arc<str>>,
}

/// The states between a snapshot and the next deltas but some.
pub(crate) struct Segment {
    /// Of each delta, in order.
    places: Vec<Position>,
    /// When the first delta happened that is not in it.
    end: Option<OccurredAt>,
    /// From so many records on it holds: all of its deltas are known, and so is what replaced others.
    newest: u64,
    /// The states less their grants, each from after so many deltas on.
    rests: Vec<(usize, State)>,
    /// In the order of their keys.
    grants: Vec<Held>,
    /// When each of them held. They stand apart, since every question looks at all of them, and at few of the grants.
    spans: Vec<Span>,
    /// The most that any of the states lists.
    largest: usize,
    bytes: usize,
}

/// From after so many deltas until after so many.
#[derive(Clone, Copy)]
struct Span {
    from: u32,
    until: u32,
}

/// A grant. Most have neither terms nor anything that they are inherited through, and few have granted most of them.
struct Held {
    /// The counterpart, a space and the scope.
    key: Box<str>,
    scope_bytes: usize,
    terms: Option<Box<Grant>>,
    inherited_via: Box<str>,
    actor: Arc<str>,
    confidence: i32,
    evidence: Evidence,
}

/// A grant of a state, wherever that is kept.
#[derive(Clone, Copy)]
pub(crate) struct HeldGrant<'s> {
    /// The entitlement or the holder, in text form.
    pub(crate) counterpart: &'s str,
    /// Where it holds.
    pub(crate) scope: &'s str,
    /// Its expiry, mode and conditions.
    pub(crate) terms: Option<&'s Grant>,
    /// What it is inherited through, in text form.
    pub(crate) inherited_via: &'s str,
    /// Who granted it, in text form.
    pub(crate) actor: &'s str,
    /// Whether a log or a listing says so.
    pub(crate) confidence: i32,
    /// The fact that it rests on.
    pub(crate) evidence: &'s Evidence,
}

impl<'s> From<&'s GrantState> for HeldGrant<'s> {
    fn from(grant: &'s GrantState) -> Self {
        Self {
            counterpart: &grant.counterpart,
            scope: &grant.scope,
            terms: grant.grant.as_ref(),
            inherited_via: &grant.inherited_via,
            actor: &grant.actor,
            confidence: grant.confidence,
            evidence: &grant.evidence,
        }
    }
}

impl HeldGrant<'_> {
    fn to_state(self) -> GrantState {
        GrantState {
            counterpart: self.counterpart.to_owned(),
            scope: self.scope.to_owned(),
            grant: self.terms.cloned(),
            inherited_via: self.inherited_via.to_owned(),
            actor: self.actor.to_owned(),
            confidence: self.confidence,
            evidence: *self.evidence,
        }
    }
}

impl Held {
    /// `actor` is that of the grant.
    fn new(key: &str, grant: &GrantState, actor: Arc<str>) -> Self {
        Self {
            key: key.into(),
            scope_bytes: grant.scope.len(),
            terms: grant.grant.clone().map(Box::new),
            inherited_via: grant.inherited_via.as_str().into(),
            actor,
            confidence: grant.confidence,
            evidence: grant.evidence,
        }
    }

    fn bytes(&self) -> usize {
        let terms = self.terms.as_ref().map_or(0, |terms| size_of::<Grant>() + terms.encoded_len());
        size_of::<Self>() + size_of::<Span>() + self.key.len() + terms + self.inherited_via.len()
    }

    fn grant(&self) -> HeldGrant<'_> {
        // A space stands between them.
        let (counterpart, scope) = self.key.split_at(self.key.len() - self.scope_bytes);
        HeldGrant {
            counterpart: &counterpart[..counterpart.len() - 1],
            scope,
            terms: self.terms.as_deref(),
            inherited_via: &self.inherited_via,
            actor: &self.actor,
            confidence: self.confidence,
            evidence: &self.evidence,
        }
    }
}

/// What a segment takes in memory at most, but for its last state, and how many things are compared to make it. A state
/// that lists thousands has short segments, or none.
const BYTES_MAX: usize = 1 << 20;
const COMPARED_MAX: usize = 100_000;

impl Segment {
    /// Applies at most `max` deltas of `entity` to the state before them, less those that count no longer.
    pub(crate) fn read(
        entity: &EntityId,
        mut state: State,
        mut deltas: impl Iterator<Item = Result<(Position, Rc<Delta>)>>,
        replaced: &Replaced,
        max: usize,
    ) -> Result<Self> {
        let mut made = Self {
            places: Vec::new(),
            end: None,
            newest: 0,
            rests: Vec::new(),
            grants: Vec::new(),
            spans: Vec::new(),
            largest: 0,
            bytes: size_of::<Self>(),
        };
        let (mut open, mut compared) = (Open::default(), 0);
        made.compare(&mut state, &mut open);
        while let Some((position, delta)) = deltas.next().transpose()? {
            if made.places.len() == max || made.bytes > BYTES_MAX || compared > COMPARED_MAX {
                made.end = Some(position.0);
                break;
            }
            made.newest = made.newest.max(replaced.settled_from(position.2));
            if replaced.by(position.2).is_some() {
                continue;
            }
            delta.apply(&mut state, entity, position);
            made.places.push(position);
            made.bytes += size_of::<Position>();
            made.compare(&mut state, &mut open);
            compared += 1 + entries(&state);
        }
        let mut held: Vec<(Held, Span)> = made.grants.into_iter().zip(made.spans).collect();
        held.sort_by(|(one, one_span), (other, other_span)| {
            (&one.key, one_span.from).cmp(&(&other.key, other_span.from))
        });
        (made.grants, made.spans) = held.into_iter().unzip();
        made.places.shrink_to_fit();
        made.rests.shrink_to_fit();
        made.grants.shrink_to_fit();
        made.spans.shrink_to_fit();
        Ok(made)
    }

    /// Notes what is another than before.
    fn compare(&mut self, state: &mut State, Open { grants: open, actors }: &mut Open) {
        let after = u32::try_from(self.places.len()).unwrap_or(u32::MAX);
        open.retain(|key, (place, evidence)| {
            let still = state.grants.get(key).is_some_and(|grant| grant.evidence == *evidence);
            if !still {
                self.spans[*place].until = after;
            }
            still
        });
        if open.len() < state.grants.len() {
            for (key, grant) in state.grants.iter().filter(|(key, _)| !open.contains_key(*key)).collect::<Vec<_>>() {
                let actor = actors.get(grant.actor.as_str()).cloned().unwrap_or_else(|| {
                    let actor: Arc<str> = grant.actor.as_str().into();
                    self.bytes += size_of::<Arc<str>>() + actor.len();
                    actors.insert(actor.clone());
                    actor
                });
                let held = Held::new(key, grant, actor);
                open.insert(key.clone(), (self.grants.len(), grant.evidence));
                self.bytes += held.bytes();
                self.grants.push(held);
                self.spans.push(Span { from: after, until: u32::MAX });
            }
        }
        let grants = std::mem::take(&mut state.grants);
        if self.rests.last().is_none_or(|(_, rest)| rest != state) {
            self.bytes += size_of::<(usize, State)>() + 2 * state.encoded_len();
            self.rests.push((self.places.len(), state.clone()));
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

    /// The grants after so many deltas, in the order of their keys.
    pub(crate) fn held(&self, applied: usize) -> impl Iterator<Item = HeldGrant<'_>> {
        self.after(applied).map(Held::grant)
    }

    /// All of the state after so many deltas.
    pub(crate) fn state(&self, applied: usize) -> State {
        let grants = self.after(applied).map(|held| (held.key.to_string(), held.grant().to_state())).collect();
        State { grants, ..self.rest(applied).clone() }
    }

    fn after(&self, applied: usize) -> impl Iterator<Item = &Held> {
        let applied = u32::try_from(applied).unwrap_or(u32::MAX);
        let spans = self.spans.iter().zip(&self.grants);
        spans.filter(move |(span, _)| span.from <= applied && applied < span.until).map(|(_, held)| held)
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
