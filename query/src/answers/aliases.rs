//! Who else somebody is: the identifiers, accounts and persons that stand for the beneficiary of a change.
//!
//! Owns the closure over bindings and identity links at one moment, and which record each step rests on. It links nothing
//! by similarity: a step is a fact that somebody recorded.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use counterfoil_proto::v1::EntityKind;
use counterfoil_verify::entity::EntityId;
use counterfoil_verify::identifier::Token;
use counterfoil_verify::time::OccurredAt;
use counterfoil_verify::tree::TreeSize;

use crate::answers::Query;
use crate::error::Result;
use crate::views::histories::{self, Binding};
use crate::views::{names, timelines};

/// The most entities that one beneficiary is followed to. More would be a shared mailbox, not a person.
const ALIASES_MAX: usize = 256;

/// Every entity that stands for one, each with the records that say so.
#[derive(Clone, Debug, Default)]
pub(crate) struct Aliases(BTreeMap<EntityId, BTreeSet<u64>>);

impl Aliases {
    /// The entities.
    pub(crate) fn entities(&self) -> impl Iterator<Item = &EntityId> {
        self.0.keys()
    }

    /// Their ids in text form.
    pub(crate) fn texts(&self) -> BTreeSet<String> {
        self.0.keys().map(EntityId::to_string).collect()
    }

    /// The records by which those entities stand for the beneficiary.
    pub(crate) fn records<'s>(&'s self, texts: &'s [String]) -> impl Iterator<Item = u64> + 's {
        let named = |entity: &EntityId| texts.contains(&entity.to_string());
        self.0.iter().filter(move |(entity, _)| named(entity)).flat_map(|(_, records)| records.iter().copied())
    }
}

impl Query<'_> {
    /// Everything that stands for `start` at a moment.
    pub(crate) fn aliases(&self, start: Vec<EntityId>, at: OccurredAt, known: TreeSize) -> Result<Aliases> {
        let mut found = Aliases::default();
        let mut next: VecDeque<(EntityId, BTreeSet<u64>)> =
            start.into_iter().map(|entity| (entity, BTreeSet::new())).collect();
        while let Some((entity, records)) = next.pop_front() {
            if found.0.len() == ALIASES_MAX || found.0.contains_key(&entity) {
                continue;
            }
            for (alias, by) in self.steps_from(&entity, at, known)? {
                let mut records = records.clone();
                records.insert(by);
                next.push_back((alias, records));
            }
            found.0.insert(entity, records);
        }
        Ok(found)
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

    /// The entities that an identifier meant: those that it was the identifier of at that moment. Within one kind and one
    /// system it means one of them only, the one it was bound to last, since identifiers are given away again.
    fn meant_by(&self, token: &Token, at: OccurredAt, known: TreeSize) -> Result<Vec<(EntityId, u64)>> {
        let mut meant: BTreeMap<(EntityKind, String, String), (EntityId, Binding)> = BTreeMap::new();
        for entity in names::bound_to(&self.view, token, known)? {
            let binding = histories::binding_at(&self.view, &entity, at, known)?;
            let Some(binding) = binding.filter(|binding| binding.tokens.contains(token)) else { continue };
            let place = (entity.kind(), entity.system().to_owned(), entity.instance().to_owned());
            let is_later = meant.get(&place).is_none_or(|(_, held)| is_later(&binding, held, at));
            if is_later {
                meant.insert(place, (entity, binding));
            }
        }
        Ok(meant.into_values().map(|(entity, binding)| (entity, binding.position.1.0)).collect())
    }
}

/// Whether a binding counts before another: the newest by `at`; where both came after it, the first.
fn is_later(one: &Binding, other: &Binding, at: OccurredAt) -> bool {
    match (one.position.0 <= at, other.position.0 <= at) {
        (true, true) => one.position > other.position,
        (false, false) => one.position < other.position,
        (by_then, _) => by_then,
    }
}
