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
use crate::views::keys::Position;
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
        let mut steps = Vec::new();
        match entity.token() {
            Some(token) => steps.extend(self.meant_by(&token, at, known)?),
            None => {
                for token in names::identifiers_of(&self.view, entity, known)? {
                    let mut meant = self.meant_by(&token, at, known)?.into_iter();
                    let own = meant.find(|(meant, _)| meant == entity);
                    steps.extend(own.map(|(_, index)| (EntityId::identifier(&token), index)));
                }
            }
        }
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

    /// The entities that an identifier meant at a moment, each with the record that first said so. Identifiers are given
    /// away again: within one kind and one system it means those that had it by then and were not gone; if all of them
    /// were, the next one that got it; or else the last that had it.
    fn meant_by(&self, token: &Token, at: OccurredAt, known: TreeSize) -> Result<Vec<(EntityId, u64)>> {
        let mut bound: BTreeMap<(EntityKind, String, String), Vec<(EntityId, Position)>> = BTreeMap::new();
        for (entity, first) in names::bound_to(&self.view, token, known)? {
            let place = (entity.kind(), entity.system().to_owned(), entity.instance().to_owned());
            bound.entry(place).or_default().push((entity, first));
        }
        let mut meant = Vec::with_capacity(bound.len());
        for mut holders in bound.into_values() {
            holders.sort_by_key(|(_, first)| *first);
            let later = holders.partition_point(|(_, first)| first.0 <= at);
            let mut present = Vec::new();
            for (entity, first) in &holders[..later] {
                if holders.len() == 1 || !self.is_gone(entity, at, known)? {
                    present.push((entity.clone(), first.1.0));
                }
            }
            if present.is_empty() {
                let next = holders.get(later).or(holders.last());
                present.extend(next.map(|(entity, first)| (entity.clone(), first.1.0)));
            }
            meant.extend(present);
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
