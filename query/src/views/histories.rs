//! The history view: every fact that names an entity, in any role, whatever its outcome.
//!
//! Owns which entities a fact is listed under, the order of an entity's facts, and what an entity was called at a moment.
//! It never holds a fact itself: the log does.
//!
//! ```text
//! history   entity ‖ u8 bound ‖ position   →   u16 roles (bit n: role number n) ‖ 16 bytes per token
//! ```
//! A reference with an id is listed under that id, with the tokens that it binds to it; one without, under each of its
//! identifiers. `bound` is 1 exactly if there are tokens, so that the newest binding is one seek away however many facts
//! bind nothing. A fact that names nobody is listed under its system's `unresolved`; rejected events, conflicts and gaps
//! under their `source`, at the time when they were recorded. So is a redaction under whom it names, and an event that was
//! read again under whoever was named by an earlier reading of it only.

use std::collections::{BTreeMap, BTreeSet};
use std::iter::Peekable;

use counterfoil_proto::v1::{Record, Redaction, record::Body};
use counterfoil_verify::entity::EntityId;
use counterfoil_verify::fact::Role;
use counterfoil_verify::identifier::{TOKEN_BYTES, Token};
use counterfoil_verify::mention::{self, Mention, RUNS_FACTS_MAX, Runs};
use counterfoil_verify::record::recorded_at;
use counterfoil_verify::remap;
use counterfoil_verify::replay::facts_of;
use counterfoil_verify::time::OccurredAt;
use counterfoil_verify::tree::{RecordIndex, TreeSize};

use crate::error::Result;
use crate::views::database::{Batch, Column, Row, Rows, View};
use crate::views::keys::{FIRST, Position, entity_prefix, key, last_at, position_bytes, read_position};

/// The entities that a record is listed under, with the place of each.
pub(crate) fn mentions(record: &Record) -> Vec<(Position, BTreeMap<EntityId, Mention>)> {
    let source = record.provenance.as_ref().and_then(|provenance| provenance.source.as_ref());
    match (&record.body, source) {
        (Some(Body::EventConflict(_) | Body::SourceRejected(_) | Body::SourceGap(_)), Some(source)) => {
            let position = recorded_position(record);
            vec![(position, BTreeMap::from([(EntityId::source(source), Mention::default())]))]
        }
        (Some(Body::Redaction(said)), _) => vec![(recorded_position(record), of_redaction(said))],
        (Some(Body::KeyAnnouncement(said)), _) => {
            vec![(recorded_position(record), decided_by(&said.by).into_iter().collect())]
        }
        _ => {
            let mut found: Vec<_> =
                facts_of(record).map(|fact| (fact.evidence.order(), mention::mentions(&fact))).collect();
            found.extend(corrected(record, &found).map(|mentions| (recorded_position(record), mentions)));
            found
        }
    }
}

fn part(role: Role) -> Mention {
    Mention { roles: 1 << role as u8, ..Mention::default() }
}

/// Whoever decided something about the ledger.
fn decided_by(entity: &[u8]) -> Option<(EntityId, Mention)> {
    Some((EntityId::from_bytes(entity).ok()?, part(Role::Actor)))
}

/// Those whose values were removed, and who decided that.
fn of_redaction(redaction: &Redaction) -> BTreeMap<EntityId, Mention> {
    let subjects = redaction.entities.iter().filter_map(|entity| EntityId::from_bytes(entity).ok());
    let mut found: BTreeMap<EntityId, Mention> = subjects.map(|entity| (entity, part(Role::Subject))).collect();
    if let Some((by, actor)) = decided_by(&redaction.by) {
        found.entry(by).or_default().roles |= actor.roles;
    }
    found
}

/// Those that an earlier reading of an event named and this one does not, if there are any: they see the correction.
fn corrected(
    record: &Record,
    named: &[(Position, BTreeMap<EntityId, Mention>)],
) -> Option<BTreeMap<EntityId, Mention>> {
    let is_named = |entity: &EntityId| named.iter().any(|(_, mentions)| mentions.contains_key(entity));
    let repeated = remap::remapped(record).into_iter().flat_map(remap::repeated);
    let corrected: BTreeMap<_, _> =
        repeated.filter(|entity| !is_named(entity)).map(|entity| (entity, Mention::default())).collect();
    (!corrected.is_empty()).then_some(corrected)
}

/// Where a record without facts of its own stands: when it was recorded.
fn recorded_position(record: &Record) -> Position {
    (OccurredAt(recorded_at(record).0), RecordIndex(record.index), RecordIndex(record.index), u32::MAX)
}

/// When an entity is first known by an identifier, of all records that are in the rows and count.
pub(crate) fn first_bound(view: &View<'_>, entity: &EntityId, token: &Token) -> Result<Option<Position>> {
    let prefix = key(&entity_prefix(entity), &[&[1]]);
    for row in view.forward(Column::History, &prefix, &prefix)? {
        let (row_key, value) = row?;
        let (position, _) = read_row(view, &row_key[prefix.len()..], &value)?;
        if view.counts(&position, TreeSize(u64::MAX)) && tokens_of(&value).any(|one| one == *token) {
            return Ok(Some(position));
        }
    }
    Ok(None)
}

/// Adds one fact's rows.
pub(crate) fn project(position: Position, mentions: &BTreeMap<EntityId, Mention>, batch: &mut Batch) {
    for (entity, mention) in mentions {
        let bound = u8::from(!mention.tokens.is_empty());
        let mut value = mention.roles.to_be_bytes().to_vec();
        mention.tokens.iter().for_each(|token| value.extend_from_slice(token.as_bytes()));
        batch.put(Column::History, &[&entity_prefix(entity), &[bound], &position_bytes(&position)], &value);
    }
}

/// The records of an entity's facts that bind such identifiers to it, or none: whether they count or not.
pub(crate) fn records_of(
    view: &View<'_>,
    entity: &EntityId,
    is_wanted: impl Fn(&[Token]) -> bool,
) -> Result<BTreeSet<RecordIndex>> {
    let prefix = entity_prefix(entity);
    let mut records = BTreeSet::new();
    for row in view.forward(Column::History, &prefix, &prefix)? {
        let (row_key, value) = row?;
        // The half that the row is in stands before its position.
        let (position, _) = read_row(view, row_key.get(prefix.len() + 1..).unwrap_or_default(), &value)?;
        if is_wanted(&tokens_of(&value).collect::<Vec<_>>()) {
            records.insert(position.2);
        }
    }
    Ok(records)
}

/// Whether an entity has one of these roles in a fact.
pub(crate) fn has_role(roles: u16, wanted: &[Role]) -> bool {
    wanted.iter().any(|role| roles & (1 << *role as u8) != 0)
}

/// The roles of an entity in a fact, by name.
pub(crate) fn role_names(roles: u16) -> Vec<String> {
    let held = |role: &&Role| roles & (1 << **role as u8) != 0;
    Role::ALL.iter().filter(held).map(|role| role.name().to_owned()).collect()
}

/// The facts of an entity after a position and up to a time, of the first `known` records, in their order: each with
/// the entity's roles in it.
pub(crate) fn read<'v, 'a>(
    view: &'v View<'a>,
    entity: &EntityId,
    after: Position,
    to: OccurredAt,
    known: TreeSize,
) -> Result<Merged<'v, 'a>> {
    let prefix = entity_prefix(entity);
    let half = |bound: u8| -> Result<Peekable<Half<'v, 'a>>> {
        let half = key(&prefix, &[&[bound]]);
        let from = key(&half, &[&position_bytes(&after), &[0]]);
        let rows = view.forward(Column::History, &from, &half)?;
        Ok(Half { rows, view, length: half.len(), to, known }.peekable())
    };
    Ok(Merged { unbound: half(0)?, bound: half(1)? })
}

/// The same from the end: the latest facts of a period first.
pub(crate) fn latest<'v>(
    view: &'v View<'_>,
    entity: &EntityId,
    (from, to): (OccurredAt, OccurredAt),
    known: TreeSize,
) -> Result<impl Iterator<Item = Result<(Position, u16)>> + 'v> {
    let prefix = entity_prefix(entity);
    let half = |bound: u8| -> Result<_> {
        let half = key(&prefix, &[&[bound]]);
        let rows = view.backward(Column::History, &key(&half, &[&position_bytes(&last_at(to))]), &half)?;
        let read = move |row: Result<Row>| row.and_then(|(key, value)| read_row(view, &key[half.len()..], &value));
        let is_within =
            move |row: &Result<(Position, u16)>| row.as_ref().map_or(true, |(position, _)| position.0 >= from);
        let counts = move |row: &Result<(Position, u16)>| {
            row.as_ref().map_or(true, |(position, _)| view.counts(position, known))
        };
        Ok(rows.map(read).take_while(is_within).filter(counts).peekable())
    };
    let (mut unbound, mut bound) = (half(0)?, half(1)?);
    Ok(std::iter::from_fn(move || match (unbound.peek(), bound.peek()) {
        (Some(Ok(one)), Some(Ok(other))) if other.0 > one.0 => bound.next(),
        (Some(_), _) => unbound.next(),
        (None, _) => bound.next(),
    }))
}

/// The place of a fact, and the parts that each of some entities has in it, by its number among them.
pub(crate) type Shared = (Position, Vec<(usize, u16)>);

/// The facts of several entities in one order, each once, with the parts that each of these has in it.
pub(crate) fn read_all<'v, 'a>(
    view: &'v View<'a>,
    entities: &[EntityId],
    after: Position,
    to: OccurredAt,
    known: TreeSize,
) -> Result<impl Iterator<Item = Result<Shared>> + use<'v, 'a>> {
    let read = |entity: &EntityId| Ok(read(view, entity, after, to, known)?.peekable());
    let mut histories = entities.iter().map(read).collect::<Result<Vec<_>>>()?;
    Ok(std::iter::from_fn(move || {
        let mut next: Option<Position> = None;
        for history in &mut histories {
            match history.peek() {
                Some(Ok((position, _))) => next = Some(next.map_or(*position, |next| next.min(*position))),
                Some(Err(_)) => return history.next().map(|error| error.map(|_| (FIRST, Vec::new()))),
                None => {}
            }
        }
        let next = next?;
        let is_next = |row: &Result<(Position, u16)>| matches!(row, Ok((position, _)) if *position == next);
        let roles = histories.iter_mut().enumerate().filter_map(|(of, history)| {
            let (_, roles) = history.next_if(is_next)?.ok()?;
            Some((of, roles))
        });
        Some(Ok((next, roles.collect())))
    }))
}

/// The places of the newest facts of an entity by a time, of the first `known` records, the newest first.
pub(crate) fn newest(
    view: &View<'_>,
    entity: &EntityId,
    at: OccurredAt,
    known: TreeSize,
    max: usize,
) -> Result<Vec<Position>> {
    let prefix = entity_prefix(entity);
    let mut found = Vec::new();
    for bound in [0, 1] {
        let half = key(&prefix, &[&[bound]]);
        let rows = view.backward(Column::History, &key(&half, &[&position_bytes(&last_at(at))]), &half)?;
        let mut count = 0;
        for row in rows {
            let (row_key, value) = row?;
            let (position, _) = read_row(view, &row_key[half.len()..], &value)?;
            if view.counts(&position, known) {
                found.push(position);
                count += 1;
            }
            if count == max {
                break;
            }
        }
    }
    found.sort_unstable_by(|one, other| other.cmp(one));
    found.truncate(max);
    Ok(found)
}

/// Whether anything about the entity happened by `at` and is in the first `known` records.
pub(crate) fn is_known(view: &View<'_>, entity: &EntityId, at: OccurredAt, known: TreeSize) -> Result<bool> {
    Ok(read(view, entity, FIRST, at, known)?.next().transpose()?.is_some())
}

/// What an entity was called: the newest binding by `at`, or the first one after it where nobody said so before.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Binding {
    pub(crate) position: Position,
    pub(crate) tokens: Vec<Token>,
}

/// What an entity was called over time by the first `known` records; none where there is too much of it.
pub(crate) fn runs(view: &View<'_>, entity: &EntityId, known: TreeSize) -> Result<Option<Runs>> {
    let prefix = key(&entity_prefix(entity), &[&[1]]);
    let (mut runs, mut count) = (Runs::default(), 0);
    for row in view.forward(Column::History, &prefix, &prefix)? {
        let (row_key, value) = row?;
        let (position, _) = read_row(view, &row_key[prefix.len()..], &value)?;
        if !view.counts(&position, known) {
            continue;
        }
        count += 1;
        if count > RUNS_FACTS_MAX {
            return Ok(None);
        }
        runs.push(position.0, tokens_of(&value).collect());
    }
    Ok(Some(runs))
}

/// The identifiers of an entity over time.
pub(crate) struct Bindings {
    /// In order, and only where they are others than before.
    runs: Vec<(OccurredAt, Box<[Token]>)>,
    /// One past the newest record that any of them is of; nobody knows as much where there are too many.
    newest: u64,
}

/// The most rows that are read to keep what they come to.
const BINDINGS_MAX: usize = 1_000;

impl Bindings {
    fn read(view: &View<'_>, entity: &EntityId) -> Result<Self> {
        view.slow()?;
        let mut bindings = Self { runs: Vec::new(), newest: 0 };
        let prefix = key(&entity_prefix(entity), &[&[1]]);
        for (count, row) in view.forward(Column::History, &prefix, &prefix)?.enumerate() {
            if count == BINDINGS_MAX {
                return Ok(Self { runs: Vec::new(), newest: u64::MAX });
            }
            let (row_key, value) = row?;
            let (position, _) = read_row(view, &row_key[prefix.len()..], &value)?;
            bindings.newest = bindings.newest.max(view.settled_from(&position));
            if !view.counts(&position, TreeSize(u64::MAX)) {
                continue;
            }
            let tokens: Box<[Token]> = tokens_of(&value).collect();
            if bindings.runs.last().is_none_or(|(_, before)| *before != tokens) {
                bindings.runs.push((position.0, tokens));
            }
        }
        bindings.runs.shrink_to_fit();
        Ok(bindings)
    }

    fn at(&self, at: OccurredAt) -> &[Token] {
        let begun = self.runs.partition_point(|(from, _)| *from <= at);
        self.runs.get(begun.saturating_sub(1)).map_or(&[], |(_, tokens)| tokens)
    }

    /// What it takes in memory.
    pub(crate) fn bytes(&self) -> usize {
        let each =
            |(_, tokens): &(OccurredAt, Box<[Token]>)| size_of::<(OccurredAt, Box<[Token]>)>() + size_of_val(&**tokens);
        size_of::<Self>() + self.runs.iter().map(each).sum::<usize>()
    }
}

/// What [`binding_at`] finds, for entities that are asked about again: from the second question on it is kept.
pub(crate) fn tokens_kept(view: &View<'_>, entity: &EntityId, at: OccurredAt, known: TreeSize) -> Result<Vec<Token>> {
    let bindings = view.recent().bindings(view.since(), entity, || Bindings::read(view, entity))?;
    if let Some(bindings) = bindings.filter(|bindings| bindings.newest <= known.0) {
        return Ok(bindings.at(at).to_vec());
    }
    let binding = binding_at(view, entity, at, known)?;
    view.recent().keep_asked(view.since(), entity);
    Ok(binding.map(|binding| binding.tokens).unwrap_or_default())
}

/// The identifiers of an entity at a moment.
pub(crate) fn binding_at(
    view: &View<'_>,
    entity: &EntityId,
    at: OccurredAt,
    known: TreeSize,
) -> Result<Option<Binding>> {
    let prefix = key(&entity_prefix(entity), &[&[1]]);
    let from = key(&prefix, &[&position_bytes(&last_at(at))]);
    let before = view.backward(Column::History, &from, &prefix)?;
    if let Some(found) = first_binding(view, before, prefix.len(), known)? {
        return Ok(Some(found));
    }
    first_binding(view, view.forward(Column::History, &from, &prefix)?, prefix.len(), known)
}

fn first_binding(view: &View<'_>, rows: Rows<'_, '_>, length: usize, known: TreeSize) -> Result<Option<Binding>> {
    for row in rows {
        let (row_key, value) = row?;
        let (position, _) = read_row(view, &row_key[length..], &value)?;
        if view.counts(&position, known) {
            return Ok(Some(Binding { position, tokens: tokens_of(&value).collect() }));
        }
    }
    Ok(None)
}

fn tokens_of(value: &[u8]) -> impl Iterator<Item = Token> {
    value[2..].chunks(TOKEN_BYTES).filter_map(|token| Token::from_slice(token).ok())
}

fn read_row(view: &View<'_>, position: &[u8], value: &[u8]) -> Result<(Position, u16)> {
    let roles = value.first_chunk::<2>().map(|roles| u16::from_be_bytes(*roles));
    match (read_position(position), roles) {
        (Some(position), Some(roles)) => Ok((position, roles)),
        _ => Err(view.damaged("a row of a history cannot be read")),
    }
}

/// The facts that bind identifiers to an entity, or those that do not.
struct Half<'v, 'a> {
    rows: Rows<'v, 'a>,
    view: &'v View<'a>,
    length: usize,
    to: OccurredAt,
    known: TreeSize,
}

impl Iterator for Half<'_, '_> {
    type Item = Result<(Position, u16)>;

    fn next(&mut self) -> Option<Self::Item> {
        loop {
            let read = self.rows.next()?.and_then(|(key, value)| read_row(self.view, &key[self.length..], &value));
            match read {
                Ok((position, _)) if position.0 > self.to => return None,
                Ok((position, _)) if !self.view.counts(&position, self.known) => {}
                other => return Some(other),
            }
        }
    }
}

/// The facts of an entity in one order.
pub(crate) struct Merged<'v, 'a> {
    unbound: Peekable<Half<'v, 'a>>,
    bound: Peekable<Half<'v, 'a>>,
}

impl Iterator for Merged<'_, '_> {
    type Item = Result<(Position, u16)>;

    fn next(&mut self) -> Option<Self::Item> {
        match (self.unbound.peek(), self.bound.peek()) {
            (Some(Ok(unbound)), Some(Ok(bound))) if bound.0 < unbound.0 => self.bound.next(),
            (Some(_), _) => self.unbound.next(),
            (None, _) => self.bound.next(),
        }
    }
}
