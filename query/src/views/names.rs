//! Who is who: the entities behind an identifier, and what people call an entity.
//!
//! Owns the way from a token or a name to entities, and from an entity to the newest values that lie beside its records.
//! These values are personal: they are here and beside the records, and nowhere else. It never decides which of several
//! entities is meant.
//!
//! ```text
//! identifiers   token (16 bytes) ‖ entity ‖ position     →  empty
//! bound         entity ‖ token (16 bytes)                →  u64 index of the first record that binds it
//! seen          entity                                    →  u64 index of the first record that names it
//! names         searchable name ‖ 0 ‖ binary entity id    →  u64 index of the first record that says it
//! values        entity ‖ name of the value                →  occurred_at (12 bytes) ‖ u64 index ‖ the value
//! former        entity ‖ name of the value ‖ 0 ‖ u64 index of the record that replaced it  →  as the row of `values` was
//! ```
//! `identifiers` has rows as `firsts` has them. `names` holds every name that an entity ever had, and the last part of its
//! native id. `values` holds the newest value of each name, and under [`IDENTITY_TYPE`] the number of its type; `former`
//! what was the newest before, so that for each K the newest of its records is known.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use counterfoil_ledger::Reader;
use counterfoil_proto::Shared;
use counterfoil_proto::v1::{Beside, EntityKind, Party, Record};
use counterfoil_verify::beside;
use counterfoil_verify::entity::EntityId;
use counterfoil_verify::fact::references;
use counterfoil_verify::identifier::{TOKEN_BYTES, Token, canonical};
use counterfoil_verify::mention::Mention;
use counterfoil_verify::record::event_of;
use counterfoil_verify::replay::{facts_of, named};
use counterfoil_verify::tree::{RecordIndex, TreeSize};
use foldhash::HashMap;

use unicode_normalization::UnicodeNormalization;
use unicode_normalization::char::is_combining_mark;

use crate::error::Result;
use crate::views::database::{Batch, Column, Row, View};
use crate::views::firsts::{Firsts, REMEMBERED_MAX, Remembered, split};
use crate::views::histories;
use crate::views::keys::{Position, entity_prefix, key, position_bytes, read_u64};
use crate::views::projector::position_of;
use crate::views::redacted::Redacted;

/// The name under which an entity's type of identity is kept: no connector's values have a '#'.
const IDENTITY_TYPE: &str = "#identity_type";
/// The values that people look an entity up by.
const SEARCHABLE: [&str; 5] = ["display_name", "name", "login", "email", "subject"];
/// The longest name that is searched for, in bytes.
const NAME_BYTES_MAX: usize = 256;
/// occurred_at and index: the newest value is the one with the greatest.
const STAMP_BYTES: usize = 20;

/// What one projector batch says about names.
#[derive(Default)]
pub(crate) struct Gathered {
    /// When each identifier was bound.
    bound: Firsts<Binding>,
    seen: HashMap<EntityId, u64>,
    values: HashMap<(EntityId, String), Vec<Stamped>>,
}

/// That an identifier is bound to an entity.
type Binding = (Token, EntityId);
/// A value and when it was said.
type Stamped = ([u8; STAMP_BYTES], String);

impl Gathered {
    /// Adds one fact's mentions.
    pub(crate) fn add_mentions(&mut self, position: Position, mentions: &BTreeMap<EntityId, Mention>) {
        for (entity, mention) in mentions {
            if !self.seen.contains_key(entity) {
                self.seen.insert(entity.clone(), position.2.0);
            }
            for token in &mention.tokens {
                self.bound.add((*token, entity.clone()), position);
            }
        }
    }

    /// Takes back the identifiers that a record bound which counts no longer.
    pub(crate) fn withdraw(&mut self, record: &Record) {
        for (_, mentions) in histories::mentions(record) {
            for (entity, mention) in mentions {
                mention.tokens.into_iter().for_each(|token| self.bound.withdraw((token, entity.clone())));
            }
        }
    }

    /// Adds the values that lie beside a record, and the types of identity in it. What is no event names nobody: a
    /// conflict's values are kept, and have no effect.
    pub(crate) fn add_values(&mut self, record: &Record, position: Position, beside: Option<&Beside>) {
        if event_of(record).is_none() {
            return;
        }
        let stamp = stamp(&position);
        for (entity, values) in beside.into_iter().flat_map(beside::values) {
            for value in values.values.into_iter().filter(|value| SEARCHABLE.contains(&value.name.as_str())) {
                self.values.entry((entity.clone(), value.name)).or_default().push((stamp, value.value));
            }
        }
        for fact in facts_of(record) {
            for (_, reference) in references(fact.fact).filter(|(_, reference)| reference.identity_type != 0) {
                for entity in named(reference, fact.source) {
                    let said = self.values.entry((entity, IDENTITY_TYPE.to_owned())).or_default();
                    said.push((stamp, reference.identity_type.to_string()));
                }
            }
        }
    }
}

/// What the projector remembers between batches, so that it need not ask the database again.
#[derive(Default)]
pub(crate) struct Memory {
    bound: Remembered<Binding>,
    seen: HashMap<EntityId, ()>,
    values: HashMap<Vec<u8>, Stamped>,
}

/// The entities that a batch says something new of.
pub(crate) struct Named {
    /// Never named before.
    pub(crate) new: Vec<EntityId>,
    /// Called otherwise than before.
    pub(crate) renamed: Vec<EntityId>,
    /// Bound to identifiers, to new ones or again.
    pub(crate) bound: BTreeSet<EntityId>,
}

/// Adds what a batch says about names.
pub(crate) fn project(view: &View<'_>, gathered: Gathered, memory: &mut Memory, batch: &mut Batch) -> Result<Named> {
    let prefix_of = |(token, entity): &Binding| key(token.as_bytes(), &[&entity_prefix(entity)]);
    let identifiers = (view, Column::Identifiers);
    let bound = gathered.bound.things().map(|(_, entity)| entity.clone()).collect();
    let earliest = |(token, entity): &Binding| histories::first_bound(view, entity, token);
    gathered.bound.project(
        identifiers,
        prefix_of,
        &mut memory.bound,
        batch,
        earliest,
        |(token, entity), first, batch| {
            batch.put(Column::Bound, &[&entity_prefix(entity), token.as_bytes()], &first.2.0.to_be_bytes());
        },
    )?;
    let mut named = BTreeMap::new();
    let new = absent(view, Column::Seen, gathered.seen, &mut memory.seen, entity_prefix)?;
    for (entity, first) in &new {
        batch.put(Column::Seen, &[&entity_prefix(entity)], &first.to_be_bytes());
        name_natively(entity, *first, &mut named);
    }
    let renamed = project_values(view, gathered.values, &mut memory.values, &mut named, batch)?;
    project_names(view, named, batch)?;
    Ok(Named { new: new.into_iter().map(|(entity, _)| entity).collect(), renamed, bound })
}

/// Those of `found` that are neither remembered nor in the database; from now on they are remembered.
fn absent<K: std::hash::Hash + Eq + Clone>(
    view: &View<'_>,
    column: Column,
    found: HashMap<K, u64>,
    remembered: &mut HashMap<K, ()>,
    key: impl Fn(&K) -> Vec<u8>,
) -> Result<Vec<(K, u64)>> {
    let asked: Vec<(K, u64)> = found.into_iter().filter(|(one, _)| !remembered.contains_key(one)).collect();
    let keys: Vec<Vec<u8>> = asked.iter().map(|(one, _)| key(one)).collect();
    let held = view.get_many(column, &keys)?;
    if remembered.len() + asked.len() > REMEMBERED_MAX {
        remembered.clear();
    }
    remembered.extend(asked.iter().map(|(one, _)| (one.clone(), ())));
    Ok(asked.into_iter().zip(held).filter(|(_, held)| held.is_none()).map(|(one, _)| one).collect())
}

/// A value that is said again keeps the stamp of the first time, so that most records write nothing here. Adds the names
/// by which an entity may not have been found so far, each with the first record that says it. Gives the entities whose
/// values changed.
fn project_values(
    view: &View<'_>,
    values: HashMap<(EntityId, String), Vec<Stamped>>,
    remembered: &mut HashMap<Vec<u8>, Stamped>,
    named: &mut BTreeMap<Vec<u8>, u64>,
    batch: &mut Batch,
) -> Result<Vec<EntityId>> {
    if remembered.len() + values.len() > REMEMBERED_MAX {
        remembered.clear();
    }
    let asked: Vec<Vec<u8>> = values.keys().map(value_key).filter(|key| !remembered.contains_key(key)).collect();
    let held = view.get_many(Column::Values, &asked)?;
    for (key, held) in asked.into_iter().zip(held) {
        if let Some(row) = held {
            remembered.insert(key, read_value(view, &row)?);
        }
    }
    Ok(say(values, remembered, named, batch))
}

/// Adds values to those that are remembered, which are all that were said of these entities before.
fn say(
    values: HashMap<(EntityId, String), Vec<Stamped>>,
    remembered: &mut HashMap<Vec<u8>, Stamped>,
    named: &mut BTreeMap<Vec<u8>, u64>,
    batch: &mut Batch,
) -> Vec<EntityId> {
    let mut changed = Vec::new();
    for (of, said) in values {
        let key = value_key(&of);
        let before = remembered.get(&key).cloned();
        let mut newest = before.clone();
        for (stamp, value) in said {
            let index = index_of(&stamp);
            if before.as_ref().is_none_or(|(_, old)| value != *old) && SEARCHABLE.contains(&of.1.as_str()) {
                let first = named.entry(name_key(&value, &of.0)).or_insert(index);
                *first = index.min(*first);
            }
            let is_newest = newest.as_ref().is_none_or(|(held, old)| stamp > *held && value != *old);
            if is_newest && let Some(replaced) = newest.replace((stamp, value)) {
                batch.put(Column::Former, &[&former_key(&key, index)], &value_row(&replaced));
            }
        }
        if let Some(newest) = newest.filter(|newest| before.as_ref() != Some(newest)) {
            batch.put(Column::Values, &[&key], &value_row(&newest));
            remembered.insert(key, newest);
            changed.push(of.0);
        }
    }
    changed
}

/// Forgets what redactions removed: the rows of each entity of which one rests on what these records said are made anew from
/// what its first `size` records say still. Gives these entities.
pub(crate) fn forget(
    view: &View<'_>,
    reader: &Reader,
    redacted: &Redacted,
    size: TreeSize,
    batch: &mut Batch,
) -> Result<Vec<EntityId>> {
    let (mut stale, mut rows, mut names) = (BTreeSet::new(), Vec::new(), Vec::new());
    for entity in &redacted.entities {
        let prefix = entity_prefix(entity);
        for column in [Column::Values, Column::Former] {
            for row in view.forward(column, &prefix, &prefix)? {
                let (row_key, row) = row?;
                if redacted.has(index_of(&read_value(view, &row)?.0)) {
                    stale.insert(entity.clone());
                }
                rows.push((entity, column, row_key));
            }
        }
    }
    for row in view.forward(Column::Names, &[], &[])? {
        let (row_key, first) = row?;
        let end = row_key.iter().position(|&byte| byte == 0).unwrap_or(row_key.len());
        let Some(entity) = redacted.entities.get(&read_entity(view, row_key.get(end + 1..).unwrap_or_default())?)
        else {
            continue;
        };
        if read_u64(&first).is_some_and(|first| redacted.has(first)) {
            stale.insert(entity.clone());
        }
        names.push((entity, Column::Names, row_key));
    }
    let forgotten = rows.iter().chain(&names).filter(|(entity, ..)| stale.contains(*entity));
    forgotten.for_each(|(_, column, row_key)| batch.delete(*column, row_key));

    let mut records = BTreeSet::new();
    let mut named = BTreeMap::new();
    for entity in &stale {
        records.extend(histories::records_of(view, entity, |_| true)?);
        let first = view.get(Column::Seen, &entity_prefix(entity))?.and_then(|first| read_u64(&first));
        name_natively(entity, first.unwrap_or_default(), &mut named);
    }
    let mut gathered = Gathered::default();
    for index in records.into_iter().filter(|index| index.0 < size.0) {
        let record = reader.record(index)?;
        gathered.add_values(&record, position_of(&record), reader.beside(index)?.as_ref());
    }
    gathered.values.retain(|(entity, _), _| stale.contains(entity));
    say(gathered.values, &mut HashMap::default(), &mut named, batch);
    named.into_iter().for_each(|(row_key, first)| batch.put(Column::Names, &[&row_key], &first.to_be_bytes()));
    Ok(stale.into_iter().collect())
}

fn value_key((entity, name): &(EntityId, String)) -> Vec<u8> {
    key(&entity_prefix(entity), &[name.as_bytes()])
}

/// The last part of an entity's native id is a name of it.
fn name_natively(entity: &EntityId, first: u64, named: &mut BTreeMap<Vec<u8>, u64>) {
    let native = entity.native_id().rsplit('/').next().unwrap_or_default();
    if !native.is_empty() {
        named.insert(name_key(native, entity), first);
    }
}

/// A name that the entity had before keeps the record that said it first.
fn project_names(view: &View<'_>, named: BTreeMap<Vec<u8>, u64>, batch: &mut Batch) -> Result<()> {
    let (keys, firsts): (Vec<_>, Vec<_>) = named.into_iter().unzip();
    let held = view.get_many(Column::Names, &keys)?;
    for ((key, first), held) in keys.into_iter().zip(firsts).zip(held) {
        if held.is_none() {
            batch.put(Column::Names, &[&key], &first.to_be_bytes());
        }
    }
    Ok(())
}

/// What people call an entity: the newest value of each name.
#[derive(Debug)]
pub(crate) struct Called {
    pub(crate) party: Shared<Party>,
    /// One past the newest record that any of it is from.
    newest: u64,
    /// For some of it a newer record has another value.
    is_former: bool,
}

impl Called {
    /// What it takes in memory.
    pub(crate) fn bytes(&self) -> usize {
        let Party { id, name, login, email, .. } = &*self.party;
        let strings = [id, name, login, email].into_iter().map(String::len).sum::<usize>();
        // The strings, and the bytes of all as they are sent.
        size_of::<Self>() + size_of::<Party>() + 2 * strings
    }

    fn read(&mut self, view: &View<'_>, entity: &EntityId, known: TreeSize) -> Result<()> {
        let prefix = entity_prefix(entity);
        let mut values = BTreeMap::new();
        for row in view.forward(Column::Values, &prefix, &prefix)? {
            let (row_key, row) = row?;
            let newest = read_value(view, &row)?;
            let known_value = match index_of(&newest.0) < known.0 {
                true => Some(newest),
                false => {
                    self.is_former = true;
                    former(view, &row_key, known)?
                }
            };
            let Some((stamp, value)) = known_value else { continue };
            self.newest = self.newest.max(index_of(&stamp) + 1);
            values.insert(String::from_utf8_lossy(&row_key[prefix.len()..]).into_owned(), value);
        }
        let mut take = |name: &str| values.remove(name);
        let party = self.party.to_mut();
        party.name = ["display_name", "name", "subject"].into_iter().find_map(&mut take).unwrap_or_default();
        party.login = take("login").unwrap_or_default();
        party.email = take("email").unwrap_or_default();
        party.identity_type = take(IDENTITY_TYPE).and_then(|number| number.parse().ok()).unwrap_or_default();
        Ok(())
    }
}

/// The same as [`called`], where it was read lately.
pub(crate) fn called_lately(view: &View<'_>, id: &str, known: TreeSize) -> Option<Arc<Called>> {
    view.recent().called(id).filter(|called| called.newest <= known.0)
}

/// What people call the entity with that id by the first `known` records; nothing where it is no id.
pub(crate) fn called(view: &View<'_>, id: &str, known: TreeSize) -> Result<Arc<Called>> {
    let mut called =
        Called { party: Party { id: id.to_owned(), ..Party::default() }.into(), newest: 0, is_former: false };
    let Ok(entity) = id.parse::<EntityId>() else { return Ok(Arc::new(called)) };
    called.read(view, &entity, known)?;
    let called = Arc::new(called);
    if !called.is_former {
        view.recent().keep_called(view.since(), id, &called);
    }
    Ok(called)
}

/// What was the newest value by the first `known` records, of one that was replaced by a later record.
fn former(view: &View<'_>, value_key: &[u8], known: TreeSize) -> Result<Option<Stamped>> {
    let prefix = key(value_key, &[&[0]]);
    let replaced = view.forward(Column::Former, &former_key(value_key, known.0), &prefix)?.next().transpose()?;
    let value = replaced.map(|(_, row)| read_value(view, &row)).transpose()?;
    Ok(value.filter(|(stamp, _)| index_of(stamp) < known.0))
}

/// Each entity that a token was ever bound to, with each time at which a record says so that is earlier than what the
/// records before it say.
pub(crate) fn bindings_of(view: &View<'_>, token: &Token) -> Result<Vec<(EntityId, Position)>> {
    let mut found = Vec::new();
    for row in view.forward(Column::Identifiers, token.as_bytes(), token.as_bytes())? {
        let (row_key, _) = row?;
        let (what, position) = split(view, &row_key)?;
        let entity = what.get(TOKEN_BYTES + 2..).unwrap_or_default();
        found.push((read_entity(view, entity)?, position));
    }
    Ok(found)
}

/// The entities that a token was ever bound to, by the first `known` records.
pub(crate) fn bound_to(view: &View<'_>, token: &Token, known: TreeSize) -> Result<BTreeSet<EntityId>> {
    let bindings = bindings_of(view, token)?;
    Ok(bindings.into_iter().filter(|(_, position)| view.counts(position, known)).map(|(entity, _)| entity).collect())
}

/// The identifiers that were ever bound to an entity, each with the first record that binds it.
pub(crate) fn identifiers_of(view: &View<'_>, entity: &EntityId) -> Result<Vec<(Token, RecordIndex)>> {
    let prefix = entity_prefix(entity);
    let read = |row: Result<Row>| {
        let (row_key, first) = row?;
        let read = read_u64(&first).zip(Token::from_slice(&row_key[prefix.len()..]).ok());
        let (first, token) = read.ok_or_else(|| view.damaged("a row of the bound identifiers cannot be read"))?;
        Ok((token, RecordIndex(first)))
    };
    view.forward(Column::Bound, &prefix, &prefix)?.map(read).collect()
}

/// Whether an entity is named in the first `known` records.
pub(crate) fn is_seen(view: &View<'_>, entity: &EntityId, known: TreeSize) -> Result<bool> {
    let first = view.get(Column::Seen, &entity_prefix(entity))?;
    Ok(first.and_then(|first| read_u64(&first)).is_some_and(|first| first < known.0))
}

/// At most `max` entities that are wanted, of those named in the first `known` records: the next ones after the entity
/// with these bytes, or from the first one on.
pub(crate) fn seen_after(
    view: &View<'_>,
    after: &[u8],
    known: TreeSize,
    max: usize,
    is_wanted: impl Fn(&EntityId) -> bool,
) -> Result<Vec<EntityId>> {
    let from = match after {
        [] => Vec::new(),
        id => entity_prefix(&read_entity(view, id)?),
    };
    let mut found = Vec::new();
    for row in view.forward(Column::Seen, &from, &[])? {
        let (row_key, first) = row?;
        let first = read_u64(&first).ok_or_else(|| view.damaged("a row of the seen entities cannot be read"))?;
        if first >= known.0 || *row_key == *from {
            continue;
        }
        let entity = read_entity(view, row_key.get(2..).unwrap_or_default())?;
        if is_wanted(&entity) {
            found.push(entity);
        }
        if found.len() == max {
            break;
        }
    }
    Ok(found)
}

/// The entities of a kind in one system and instance that are named in the first `known` records and whose native ids
/// begin like this. Ids of one length lie together: one look for each length that any entity has.
pub(crate) fn of_kind(
    view: &View<'_>,
    kind: EntityKind,
    (system, instance): (&str, &str),
    start: &str,
    known: TreeSize,
) -> Result<Vec<EntityId>> {
    let Ok(shortest) = EntityId::new(kind, system, instance, "-") else { return Ok(Vec::new()) };
    // The last byte is the id, and the one before it its length.
    let head = &shortest.as_bytes()[..shortest.as_bytes().len() - 2];
    let (mut found, mut length) = (Vec::new(), start.len().max(1));
    while let (Ok(total), Ok(bytes)) = (u16::try_from(head.len() + 1 + length), u8::try_from(length)) {
        let prefix = key(&total.to_be_bytes(), &[head, &[bytes], start.as_bytes()]);
        let mut rows = view.forward(Column::Seen, &prefix, &[])?;
        let behind = loop {
            let Some((id, first)) = rows.next().transpose()? else { return Ok(found) };
            if !id.starts_with(&prefix) {
                break id;
            }
            if read_u64(&first).is_some_and(|first| first < known.0) {
                found.push(read_entity(view, &id[2..])?);
            }
        };
        // No id has a length between this one and that of the next row.
        let total = behind.first_chunk().map_or(0, |total| usize::from(u16::from_be_bytes(*total)));
        length = total.saturating_sub(head.len() + 1).max(length + 1);
    }
    Ok(found)
}

/// How a name must match.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Match {
    /// The whole name, apart from case, form and accents.
    Whole,
    /// How it starts.
    Start,
    /// Any part of it.
    Part,
}

/// At most `max` entities whose name, now or once, matches by the first `known` records, and that are wanted.
pub(crate) fn search(
    view: &View<'_>,
    name: &str,
    how: Match,
    known: TreeSize,
    max: usize,
    is_wanted: impl Fn(&EntityId) -> bool,
) -> Result<Vec<EntityId>> {
    let name = searchable(name);
    let prefix = match how {
        Match::Whole => [name.as_bytes(), &[0]].concat(),
        Match::Start => name.as_bytes().to_vec(),
        Match::Part => Vec::new(),
    };
    let (mut found, mut listed) = (Vec::new(), BTreeSet::new());
    for row in view.forward(Column::Names, &prefix, &prefix)? {
        let (row_key, first) = row?;
        let end = row_key.iter().position(|&byte| byte == 0).unwrap_or(row_key.len());
        if how == Match::Part && !String::from_utf8_lossy(&row_key[..end]).contains(&name) {
            continue;
        }
        let first = read_u64(&first).ok_or_else(|| view.damaged("a row of the names cannot be read"))?;
        let entity = read_entity(view, row_key.get(end + 1..).unwrap_or_default())?;
        if first < known.0 && is_wanted(&entity) && listed.insert(entity.clone()) {
            found.push(entity);
        }
        if found.len() == max {
            break;
        }
    }
    Ok(found)
}

fn name_key(name: &str, entity: &EntityId) -> Vec<u8> {
    key(searchable(name).as_bytes(), &[&[0], entity.as_bytes()])
}

/// What a name is searched by: its canonical form without accents ("Zoë" is found as "zoe"), cut at a length. It holds no
/// zero byte, so that in a key it ends at the first one.
fn searchable(name: &str) -> String {
    let canonical = canonical(name).replace('\0', " ");
    let mut plain: String = match canonical.is_ascii() {
        true => canonical,
        false => canonical.nfd().filter(|&character| !is_combining_mark(character)).collect(),
    };
    plain.truncate(plain.floor_char_boundary(NAME_BYTES_MAX));
    plain
}

fn stamp(position: &Position) -> [u8; STAMP_BYTES] {
    let mut stamp = [0; STAMP_BYTES];
    let bytes = position_bytes(position);
    stamp[..12].copy_from_slice(&bytes[..12]);
    stamp[12..].copy_from_slice(&position.2.0.to_be_bytes());
    stamp
}

/// The index of the record that a stamp is of.
fn index_of(stamp: &[u8; STAMP_BYTES]) -> u64 {
    stamp.last_chunk().map_or(0, |index| u64::from_be_bytes(*index))
}

fn former_key(value_key: &[u8], replaced_by: u64) -> Vec<u8> {
    key(value_key, &[&[0], &replaced_by.to_be_bytes()])
}

fn value_row((stamp, value): &Stamped) -> Vec<u8> {
    [&stamp[..], value.as_bytes()].concat()
}

fn read_value(view: &View<'_>, row: &[u8]) -> Result<Stamped> {
    let (stamp, value) =
        row.split_first_chunk::<STAMP_BYTES>().ok_or_else(|| view.damaged("a value cannot be read"))?;
    Ok((*stamp, String::from_utf8_lossy(value).into_owned()))
}

fn read_entity(view: &View<'_>, bytes: &[u8]) -> Result<EntityId> {
    EntityId::from_bytes(bytes).map_err(|error| view.damaged(error.to_string()))
}
