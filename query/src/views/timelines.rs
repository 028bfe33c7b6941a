//! The state view: what an entity's facts come to at (occurred_at ≤ T, the first K records), without replaying them all.
//!
//! Owns the snapshots of states along an entity's history, and for which K each holds. What it answers always equals
//! `verify::replay::replay` over the entity's records; it never decides what a fact does.
//!
//! ```text
//! snapshots   entity ‖ position ‖ u64 created   →  u64 valid_from ‖ u64 valid_until ‖ u64 ordinal ‖ u32 entries
//! states      the same key                      →  verify::state::State, as protobuf
//! timelines   entity                            →  u64 count ‖ u64 credit ‖ u64 created ‖ u64 valid_from ‖ u64 ordinal
//!                                                  ‖ u32 entries ‖ position
//! ```
//! A snapshot at position P, made when the log had `created` records, holds every delta up to P among these. It answers
//! for K exactly if valid_from ≤ K ≤ valid_until: `valid_from` is one past the largest index in it, and `valid_until` the
//! index of the first delta up to P that arrived later, or the largest number while there is none. While there is none
//! the snapshot is open. A late delta closes every open snapshot behind it; closed ones stay and serve an earlier K. What
//! replaces a delta, since its event was read again, does both as one that arrives late: it closes what is behind the
//! delta, and is in the `valid_from` of whatever leaves it out.
//!
//! `ordinal` counts the deltas up to P that count, `entries` what the state lists. A timeline's row counts its deltas and names its
//! newest open snapshot, which is all that an append in order needs to know.

use std::collections::{BTreeMap, BTreeSet};
use std::rc::Rc;
use std::sync::Arc;

use counterfoil_verify::entity::EntityId;
use counterfoil_verify::state::State;
use counterfoil_verify::time::OccurredAt;
use counterfoil_verify::tree::TreeSize;
use foldhash::HashMap;
use prost::Message;

use crate::error::Result;
use crate::views::database::{Batch, Column, View};
use crate::views::deltas::{self, Delta};
use crate::views::keys::{FIRST, Position, entity_prefix, key, last_at, position_bytes, read_position, read_u64};
use crate::views::recent::Outline;
use crate::views::segments::{HeldGrant, Segment};

/// The fewest deltas between two snapshots. A state that lists more than that is kept only as often as it has entries,
/// so that the snapshots of a group with thousands of members stay in proportion to its history.
const SPACING_MIN: u64 = 64;
/// The most that a snapshot lists where what follows it is kept in memory.
const KEPT_ENTRIES_MAX: u32 = 2_000;
/// How many deltas each arriving delta allows to be read again for new snapshots. In order 1 is needed; a history that
/// arrives backwards, one batch at a time, would need its square, and waits for its new snapshots instead.
const CREDIT_PER_DELTA: u64 = 8;
/// `valid_until` of an open snapshot.
const OPEN: u64 = u64::MAX;

/// The state of `entity` at `at`, as far as the first `known` records tell. Costs one snapshot and the deltas after it.
pub(crate) fn state_at(view: &View<'_>, entity: &EntityId, at: OccurredAt, known: TreeSize) -> Result<State> {
    let prefix = entity_prefix(entity);
    let (base, _) = base_at(view, &prefix, at, known)?;
    replay_from(view, (entity, &prefix), base, at, known)
}

/// The same, for entities that are asked about again: from the second question on, what follows the snapshot is kept.
pub(crate) fn state_kept(view: &View<'_>, entity: &EntityId, at: OccurredAt, known: TreeSize) -> Result<Replayed> {
    let prefix = entity_prefix(entity);
    let newest = || Ok(Timeline::read(view, view.get(Column::Timelines, &prefix)?)?.base);
    let outline = view.recent().outline(view.since(), entity, newest)?;
    if let Some((segment, applied)) = outline.and_then(|outline| view.recent().applied(outline, at, known)) {
        view.take(segment.largest())?;
        return Ok(Replayed::Kept { segment, applied });
    }
    let admits = |outline: &Outline| {
        view.since().includes(outline.since) && outline.newest.is_by(at) && outline.newest.is_known(known)
    };
    let (base, is_open) = match &outline {
        Some(outline) if admits(outline) => (outline.newest, true),
        _ => base_at(view, &prefix, at, known)?,
    };
    // To keep what follows costs several times what one answer does. And a state that lists thousands is not worth its
    // place, and is no shorter to copy than to read.
    let is_worth_it = |outline: &Outline| base.entries <= KEPT_ENTRIES_MAX && view.recent().is_answered(*outline);
    if let Some(outline) = outline.filter(is_worth_it) {
        let spacing = usize::try_from(base.spacing()).unwrap_or(usize::MAX);
        let segment = view.recent().segment(view.since(), outline, base, || {
            view.slow()?;
            let all = deltas::read_all(view, &prefix, base.position)?;
            let state = base.load(view, &prefix)?;
            Segment::read(entity, state, all, view.replaced(), spacing.saturating_mul(2))
        })?;
        view.take(segment.largest())?;
        if is_open {
            view.recent().keep_base(view.since(), outline, base);
        }
        if let Some(applied) = segment.applied(at, known) {
            return Ok(Replayed::Kept { segment, applied });
        }
    }
    let state = replay_from(view, (entity, &prefix), base, at, known)?;
    if let Some(outline) = outline {
        view.recent().keep_answered(view.since(), outline);
    }
    Ok(Replayed::Fresh(Box::new(state)))
}

/// A state that may be part of what is kept.
pub(crate) enum Replayed {
    /// That after so many deltas of a segment.
    Kept {
        /// What follows a snapshot.
        segment: Arc<Segment>,
        /// How many deltas of it.
        applied: usize,
    },
    /// One that is kept nowhere.
    Fresh(Box<State>),
}

impl Replayed {
    /// All of it but its grants, which may be there or not.
    pub(crate) fn rest(&self) -> &State {
        match self {
            Self::Kept { segment, applied } => segment.rest(*applied),
            Self::Fresh(state) => state,
        }
    }

    /// Its grants, in the order of their keys.
    pub(crate) fn grants(&self) -> Box<dyn Iterator<Item = HeldGrant<'_>> + '_> {
        match self {
            Self::Kept { segment, applied } => Box::new(segment.held(*applied)),
            Self::Fresh(state) => Box::new(state.grants.values().map(HeldGrant::from)),
        }
    }

    /// All of it.
    pub(crate) fn to_state(&self) -> State {
        match self {
            Self::Kept { segment, applied } => segment.state(*applied),
            Self::Fresh(state) => State::clone(state),
        }
    }
}

/// The newest snapshot that answers, and whether it is open.
fn base_at(view: &View<'_>, prefix: &[u8], at: OccurredAt, known: TreeSize) -> Result<(Base, bool)> {
    let from = key(prefix, &[&position_bytes(&last_at(at)), &[0xff; 8]]);
    for row in view.backward(Column::Snapshots, &from, prefix)? {
        let (row_key, value) = row?;
        let (snapshot, valid_until) = read_snapshot(view, &row_key[prefix.len()..], &value)?;
        if snapshot.valid_from <= known.0 && known.0 <= valid_until {
            return Ok((snapshot, valid_until == OPEN));
        }
    }
    Ok((Base::NONE, true))
}

fn replay_from(
    view: &View<'_>,
    (entity, prefix): (&EntityId, &[u8]),
    base: Base,
    at: OccurredAt,
    known: TreeSize,
) -> Result<State> {
    let mut state = base.load(view, prefix)?;
    for delta in deltas::read(view, prefix, base.position, at, known)? {
        let (position, delta) = delta?;
        delta.apply(&mut state, entity, position);
    }
    Ok(state)
}

/// The rows of the deltas of one projector batch, by entity, those of each in the order in which they apply.
pub(crate) type Arrived = HashMap<EntityId, BTreeMap<Position, Arc<[u8]>>>;

/// The deltas that a projector batch takes back, by entity, each with the record that replaces it.
pub(crate) type Withdrawn = BTreeMap<EntityId, BTreeMap<Position, u64>>;

/// Adds the deltas of a batch of records that ends at `size`, and takes back those that count no longer.
pub(crate) fn project(
    view: &View<'_>,
    arrived: &Arrived,
    withdrawn: &Withdrawn,
    size: TreeSize,
    batch: &mut Batch,
) -> Result<()> {
    let entities: BTreeSet<&EntityId> = arrived.keys().chain(withdrawn.keys()).collect();
    let prefixes: Vec<Vec<u8>> = entities.iter().map(|entity| entity_prefix(entity)).collect();
    let held = view.get_many(Column::Timelines, &prefixes)?;
    let (none_arrived, none_withdrawn) = (BTreeMap::new(), BTreeMap::new());
    for ((entity, prefix), held) in entities.into_iter().zip(prefixes).zip(held) {
        let timeline = Timeline::read(view, held)?;
        let arrived = arrived.get(entity).unwrap_or(&none_arrived);
        let withdrawn = withdrawn.get(entity).unwrap_or(&none_withdrawn);
        let written = Writer { view, entity, prefix: &prefix, timeline, size }.write(arrived, withdrawn, batch)?;
        batch.put(Column::Timelines, &[&prefix], &written.to_bytes());
    }
    Ok(())
}

/// Writes one entity's part of a batch.
struct Writer<'w, 'a> {
    view: &'w View<'a>,
    entity: &'w EntityId,
    prefix: &'w [u8],
    timeline: Timeline,
    size: TreeSize,
}

impl Writer<'_, '_> {
    fn write(
        mut self,
        arrived: &BTreeMap<Position, Arc<[u8]>>,
        withdrawn: &BTreeMap<Position, u64>,
        batch: &mut Batch,
    ) -> Result<Timeline> {
        let news = arrived.keys().map(|position| (*position, position.2.0));
        // What comes and is taken back in one batch does both.
        let mut since: BTreeMap<Position, u64> = withdrawn.clone();
        since.extend(news);
        let late = since.keys().next().filter(|first| **first <= self.timeline.base.position);
        if let Some(&first) = late {
            self.timeline.base = self.close_from(first, &since, batch)?;
        }
        self.timeline.count = (self.timeline.count + arrived.len() as u64).saturating_sub(withdrawn.len() as u64);
        self.timeline.credit = self.timeline.credit.saturating_add(CREDIT_PER_DELTA * arrived.len() as u64);
        for (position, delta) in arrived {
            batch.put(Column::Deltas, &[self.prefix, &position_bytes(position)], delta);
        }
        let uncovered = self.timeline.count.saturating_sub(self.timeline.base.ordinal);
        if uncovered >= self.timeline.base.spacing() && self.timeline.credit >= uncovered {
            self.timeline.credit -= uncovered;
            self.cover(arrived, batch)?;
        }
        Ok(self.timeline)
    }

    /// Closes the open snapshots from `first` on and gives the newest open one before it. `since` has the record by which
    /// each delta came, or was taken back.
    fn close_from(&self, first: Position, since: &BTreeMap<Position, u64>, batch: &mut Batch) -> Result<Base> {
        let from = key(self.prefix, &[&position_bytes(&first)]);
        for row in self.view.forward(Column::Snapshots, &from, self.prefix)? {
            let (row_key, mut value) = row?;
            let (snapshot, valid_until) = read_snapshot(self.view, &row_key[self.prefix.len()..], &value)?;
            let late = since.range(..=snapshot.position).map(|(_, index)| *index).min();
            if let (OPEN, Some(late)) = (valid_until, late) {
                value[8..16].copy_from_slice(&late.to_be_bytes());
                batch.put(Column::Snapshots, &[&row_key], &value);
            }
        }
        for row in self.view.backward(Column::Snapshots, &from, self.prefix)? {
            let (row_key, value) = row?;
            let (snapshot, valid_until) = read_snapshot(self.view, &row_key[self.prefix.len()..], &value)?;
            if valid_until == OPEN && snapshot.position < first {
                return Ok(snapshot);
            }
        }
        Ok(Base::NONE)
    }

    /// Applies all deltas after the base, those of this batch too, and leaves snapshots on the way.
    fn cover(&mut self, arrived: &BTreeMap<Position, Arc<[u8]>>, batch: &mut Batch) -> Result<()> {
        let mut base = self.timeline.base;
        let mut pending: BTreeMap<Position, Rc<Delta>> =
            deltas::read_all(self.view, self.prefix, base.position)?.collect::<Result<_>>()?;
        for (position, bytes) in arrived {
            pending.insert(*position, Delta::read(self.view, bytes)?);
        }
        let mut state = base.load(self.view, self.prefix)?;
        let (mut ordinal, mut valid_from) = (base.ordinal, base.valid_from);
        for (position, delta) in pending {
            valid_from = valid_from.max(self.view.settled_from(&position));
            if !self.view.counts(&position, self.size) {
                continue;
            }
            delta.apply(&mut state, self.entity, position);
            ordinal += 1;
            if ordinal - base.ordinal >= base.spacing() {
                let entries = u32::try_from(entries(&state)).unwrap_or(u32::MAX);
                base = Base { position, created: self.size.0, valid_from, ordinal, entries };
                let key = base.key(self.prefix);
                batch.put(Column::Snapshots, &[&key], &base.to_row());
                batch.put(Column::States, &[&key], &state.encode_to_vec());
            }
        }
        self.timeline.base = base;
        Ok(())
    }
}

/// A snapshot, less its state.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct Base {
    position: Position,
    created: u64,
    valid_from: u64,
    ordinal: u64,
    entries: u32,
}

impl Base {
    /// The empty state before every delta.
    const NONE: Self = Self { position: FIRST, created: 0, valid_from: 0, ordinal: 0, entries: 0 };

    /// Whether everything in it had happened by then.
    pub(crate) fn is_by(&self, at: OccurredAt) -> bool {
        self.position <= last_at(at)
    }

    /// Whether everything in it is in the first `known` records.
    pub(crate) fn is_known(&self, known: TreeSize) -> bool {
        self.valid_from <= known.0
    }

    /// How many deltas later the next snapshot is due.
    fn spacing(&self) -> u64 {
        SPACING_MIN.max(u64::from(self.entries))
    }

    fn key(&self, prefix: &[u8]) -> Vec<u8> {
        key(prefix, &[&position_bytes(&self.position), &self.created.to_be_bytes()])
    }

    fn load(&self, view: &View<'_>, prefix: &[u8]) -> Result<State> {
        if *self == Self::NONE {
            return Ok(State::default());
        }
        let bytes = view.get(Column::States, &self.key(prefix))?;
        let bytes = bytes.ok_or_else(|| view.damaged("the state of a snapshot is missing"))?;
        State::decode(bytes.as_slice()).map_err(|_| view.damaged("the state of a snapshot cannot be read"))
    }

    fn to_row(self) -> Vec<u8> {
        let numbers = [self.valid_from, OPEN, self.ordinal].map(u64::to_be_bytes).concat();
        key(&numbers, &[&self.entries.to_be_bytes()])
    }
}

/// Reads a row of `snapshots`, its key without the entity.
fn read_snapshot(view: &View<'_>, key: &[u8], value: &[u8]) -> Result<(Base, u64)> {
    let read = || {
        let (position, created) = key.split_last_chunk::<8>()?;
        let base = Base {
            position: read_position(position)?,
            created: u64::from_be_bytes(*created),
            valid_from: read_u64(value.get(..8)?)?,
            ordinal: read_u64(value.get(16..24)?)?,
            entries: u32::from_be_bytes(value.get(24..)?.try_into().ok()?),
        };
        Some((base, read_u64(value.get(8..16)?)?))
    };
    read().ok_or_else(|| view.damaged("a snapshot cannot be read"))
}

/// What the projector has to know of an entity.
struct Timeline {
    count: u64,
    credit: u64,
    /// The newest open snapshot.
    base: Base,
}

impl Timeline {
    fn read(view: &View<'_>, row: Option<Vec<u8>>) -> Result<Self> {
        match row {
            Some(bytes) => Self::from_bytes(&bytes).ok_or_else(|| view.damaged("a timeline cannot be read")),
            None => Ok(Self { count: 0, credit: 0, base: Base::NONE }),
        }
    }

    fn to_bytes(&self) -> Vec<u8> {
        let Base { position, created, valid_from, ordinal, entries } = &self.base;
        let numbers = [self.count, self.credit, *created, *valid_from, *ordinal].map(u64::to_be_bytes).concat();
        key(&numbers, &[&entries.to_be_bytes(), &position_bytes(position)])
    }

    fn from_bytes(bytes: &[u8]) -> Option<Self> {
        let (numbers, rest) = bytes.split_first_chunk::<40>()?;
        let (entries, position) = rest.split_first_chunk::<4>()?;
        let number = |place: usize| read_u64(&numbers[8 * place..8 * (place + 1)]);
        let base = Base {
            position: read_position(position)?,
            created: number(2)?,
            valid_from: number(3)?,
            ordinal: number(4)?,
            entries: u32::from_be_bytes(*entries),
        };
        Some(Self { count: number(0)?, credit: number(1)?, base })
    }
}

/// How many things a state lists.
pub(crate) fn entries(state: &State) -> usize {
    let ticket = state.ticket.as_ref().map_or(0, |ticket| ticket.approvals.len() + ticket.items.len());
    state.grants.len()
        + state.credentials.len()
        + state.implies.len()
        + state.held.len()
        + state.owners.len()
        + state.linked.len()
        + ticket
}
