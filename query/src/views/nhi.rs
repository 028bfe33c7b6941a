//! Which entities are no human's: what some record calls so, and whatever a register of non-human identities names.
//!
//! Owns the list from which the inventory starts. It never decides what an entity is at a moment: its state does.
//!
//! ```text
//! nhi   entity   →   u64 index of the first record that says so
//! ```

use std::collections::BTreeMap;

use counterfoil_proto::v1::{EntityKind, IdentityType};
use counterfoil_verify::entity::EntityId;
use counterfoil_verify::fact::{Group, Role, kind_group, references};
use counterfoil_verify::replay::{FactAt, named};
use counterfoil_verify::tree::TreeSize;
use foldhash::HashMap;

use crate::error::Result;
use crate::views::database::{Batch, Column, View};
use crate::views::firsts::REMEMBERED_MAX;
use crate::views::keys::{entity_prefix, read_u64};

/// Those that a batch of records says are no human's, each with the first record that does.
#[derive(Default)]
pub(crate) struct Gathered(BTreeMap<EntityId, u64>);

/// Those that are in the list already, as far as the projector remembers.
#[derive(Default)]
pub(crate) struct Remembered(HashMap<EntityId, ()>);

/// Whether a type of identity is that of a non-human one.
pub(crate) fn is_non_human(identity_type: IdentityType) -> bool {
    !matches!(identity_type, IdentityType::Unspecified | IdentityType::Human)
}

impl Gathered {
    /// Adds what one fact says.
    pub(crate) fn add(&mut self, fact: &FactAt<'_>) {
        let is_register = kind_group(fact.fact.kind()) == Group::Governance;
        for (role, reference) in references(fact.fact) {
            let is_entry = is_register && role == Role::Subject;
            if !is_entry && !is_non_human(reference.identity_type()) {
                continue;
            }
            for entity in named(reference, fact.source) {
                if is_entry || may_be(&entity) {
                    self.0.entry(entity).or_insert(fact.evidence.index);
                }
            }
        }
    }
}

/// What has an id of its own and can act, or can be acted with.
fn may_be(entity: &EntityId) -> bool {
    matches!(entity.kind(), EntityKind::Account | EntityKind::Credential | EntityKind::Integration)
}

/// Adds the rows of a batch of records.
pub(crate) fn project(
    view: &View<'_>,
    gathered: Gathered,
    remembered: &mut Remembered,
    batch: &mut Batch,
) -> Result<()> {
    let Remembered(known) = remembered;
    let asked: Vec<(EntityId, u64)> = gathered.0.into_iter().filter(|(one, _)| !known.contains_key(one)).collect();
    let keys: Vec<Vec<u8>> = asked.iter().map(|(one, _)| entity_prefix(one)).collect();
    let held = view.get_many(Column::Nhi, &keys)?;
    if known.len() + asked.len() > REMEMBERED_MAX {
        known.clear();
    }
    for (((entity, first), key), held) in asked.into_iter().zip(keys).zip(held) {
        if held.is_none() {
            batch.put(Column::Nhi, &[&key], &first.to_be_bytes());
        }
        known.insert(entity, ());
    }
    Ok(())
}

/// Whether an entity is in the list by the first `known` records.
pub(crate) fn is_listed(view: &View<'_>, entity: &EntityId, known: TreeSize) -> Result<bool> {
    let first = view.get(Column::Nhi, &entity_prefix(entity))?;
    Ok(first.and_then(|first| read_u64(&first)).is_some_and(|first| first < known.0))
}

/// At most `max` of those that are in the list by the first `known` records, after the entity with these bytes.
pub(crate) fn after(view: &View<'_>, last: &[u8], known: TreeSize, max: usize) -> Result<Vec<EntityId>> {
    let malformed = || view.damaged("a row of the non-human identities cannot be read");
    let from = match last {
        [] => Vec::new(),
        id => entity_prefix(&EntityId::from_bytes(id).map_err(|_| malformed())?),
    };
    let mut found = Vec::new();
    for row in view.forward(Column::Nhi, &from, &[])? {
        let (key, first) = row?;
        if found.len() == max {
            break;
        }
        if *key != *from && read_u64(&first).ok_or_else(malformed)? < known.0 {
            let id = key.get(2..).ok_or_else(malformed)?;
            found.push(EntityId::from_bytes(id).map_err(|_| malformed())?);
        }
    }
    Ok(found)
}
