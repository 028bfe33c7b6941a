//! Who else somebody is: the identifiers, accounts and persons that stand for the beneficiary of a change.
//!
//! Owns the closure over bindings and identity links at one moment, and which record each step rests on. It links nothing
//! by similarity: a step is a fact that somebody recorded.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use counterfoil_proto::v1::{AccountStatus, EntityKind};
use counterfoil_verify::entity::EntityId;
use counterfoil_verify::identifier::Token;
use counterfoil_verify::time::OccurredAt;
use counterfoil_verify::tree::TreeSize;

use crate::answers::Query;
use crate::error::Result;
use crate::views::histories::{self, Binding};
use crate::views::{changes, names, timelines};

/// The most entities that one beneficiary is followed to. More would be a shared mailbox, not a person.
const ALIASES_MAX: usize = 256;

/// Every entity that stands for one, each with the records that say so.
#[derive(Clone, Debug, Default)]
pub(crate) struct Aliases {
    found: BTreeMap<EntityId, BTreeSet<u64>>,
    /// There are more than were followed.
    pub(crate) is_cut: bool,
}

impl Aliases {
    /// The entities.
    pub(crate) fn entities(&self) -> impl Iterator<Item = &EntityId> {
        self.found.keys()
    }

    /// Whether an entity is one of them.
    pub(crate) fn contains(&self, entity: &EntityId) -> bool {
        self.found.contains_key(entity)
    }

    /// The same, as a set.
    pub(crate) fn set(&self) -> BTreeSet<EntityId> {
        self.found.keys().cloned().collect()
    }

    /// The records by which those of the entities stand for whom they stand for that are also in `others`.
    pub(crate) fn records<'s>(&'s self, others: &'s Self) -> impl Iterator<Item = u64> + 's {
        let shared = |entity: &EntityId| others.contains(entity);
        self.found.iter().filter(move |(entity, _)| shared(entity)).flat_map(|(_, records)| records.iter().copied())
    }
}

impl Query<'_> {
    /// Everything that stands for `start` at a moment.
    pub(crate) fn aliases(&self, start: Vec<EntityId>, at: OccurredAt, known: TreeSize) -> Result<Aliases> {
        let mut aliases = Aliases::default();
        let mut next: VecDeque<(EntityId, BTreeSet<u64>)> =
            start.into_iter().map(|entity| (entity, BTreeSet::new())).collect();
        while let Some((entity, records)) = next.pop_front() {
            if aliases.found.contains_key(&entity) {
                continue;
            }
            if aliases.found.len() == ALIASES_MAX {
                aliases.is_cut = true;
                break;
            }
            for (alias, by) in self.steps_from(&entity, at, known)? {
                let mut records = records.clone();
                records.insert(by);
                next.push_back((alias, records));
            }
            aliases.found.insert(entity, records);
        }
        Ok(aliases)
    }

    /// The entities one step away, each with the record that says so.
    fn steps_from(&self, entity: &EntityId, at: OccurredAt, known: TreeSize) -> Result<Vec<(EntityId, u64)>> {
        let mut steps = match entity.token() {
            Some(token) => self.meant_by(&token, at, known)?,
            None => {
                let binding = histories::binding_at(&self.view, entity, at, known)?;
                let identifier = |binding: Binding| {
                    let index = binding.position.1.0;
                    binding.tokens.into_iter().map(move |token| (EntityId::identifier(&token), index))
                };
                binding.into_iter().flat_map(identifier).collect()
            }
        };
        if matches!(entity.kind(), EntityKind::Account | EntityKind::Person | EntityKind::Identifier) {
            let state = timelines::state_at(&self.view, entity, at, known)?;
            let linked = state.linked.into_iter();
            steps.extend(linked.filter_map(|(id, by)| Some((id.parse().ok()?, by.index))));
        }
        Ok(steps)
    }

    /// The tickets that may be for somebody: those for any of the entities that stand for them, and those for an
    /// identifier that they once had.
    pub(crate) fn tickets_for(&self, aliases: &Aliases, known: TreeSize) -> Result<BTreeSet<EntityId>> {
        let mut asked: BTreeSet<EntityId> = aliases.set();
        for entity in aliases.entities() {
            let had = names::identifiers_of(&self.view, entity, known)?;
            asked.extend(had.iter().map(EntityId::identifier));
        }
        let mut tickets = BTreeSet::new();
        for entity in &asked {
            tickets.extend(changes::requests_for(&self.view, entity)?);
        }
        Ok(tickets)
    }

    /// The entities that an identifier meant: those that it was the identifier of at that moment. Within one kind and one
    /// system it means one of them only, since identifiers are given away again: the one it was bound to last, unless that
    /// one was gone by then and another came after it.
    fn meant_by(&self, token: &Token, at: OccurredAt, known: TreeSize) -> Result<Vec<(EntityId, u64)>> {
        let mut bound: BTreeMap<(EntityKind, String, String), Vec<(EntityId, Binding)>> = BTreeMap::new();
        for entity in names::bound_to(&self.view, token, known)? {
            let binding = histories::binding_at(&self.view, &entity, at, known)?;
            let Some(binding) = binding.filter(|binding| binding.tokens.contains(token)) else { continue };
            let place = (entity.kind(), entity.system().to_owned(), entity.instance().to_owned());
            bound.entry(place).or_default().push((entity, binding));
        }
        let mut meant = Vec::with_capacity(bound.len());
        for mut held in bound.into_values() {
            held.sort_by_key(|(_, binding)| binding.position);
            let later = held.partition_point(|(_, binding)| binding.position.0 <= at);
            let newest = later.checked_sub(1);
            let is_free = match newest {
                Some(newest) if later < held.len() => self.is_gone(&held[newest].0, at, known)?,
                newest => newest.is_none(),
            };
            let chosen = if is_free { later } else { later - 1 };
            let (entity, binding) = held.swap_remove(chosen);
            meant.push((entity, binding.position.1.0));
        }
        Ok(meant)
    }

    /// Whether an account was disabled or deleted by then.
    fn is_gone(&self, entity: &EntityId, at: OccurredAt, known: TreeSize) -> Result<bool> {
        let account = timelines::state_at(&self.view, entity, at, known)?.account;
        let gone = [AccountStatus::Disabled, AccountStatus::Deleted];
        Ok(account.is_some_and(|account| gone.contains(&account.status())))
    }
}
