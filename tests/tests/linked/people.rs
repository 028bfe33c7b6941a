//! The naive model of who is who: whom an address means at a moment, and who else somebody is by it.
//!
//! It knows what the made-up companies have: accounts, addresses that are given away, and no other records of who is
//! who.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use counterfoil_proto::v1::{EntityKind, FactKind, Outcome, fact::Detail};
use counterfoil_verify::entity::EntityId;
use counterfoil_verify::fact::references;
use counterfoil_verify::identifier::Token;
use counterfoil_verify::replay::{FactAt, named};
use counterfoil_verify::time::Moment;

/// When something happened, and in which record and fact.
pub type Place = (Moment, u64, u32);

pub fn place(fact: &FactAt<'_>) -> Place {
    (fact.evidence.occurred_at().0, fact.evidence.index, fact.evidence.fact)
}

#[derive(Default)]
pub struct People {
    /// Who was called what, and since when: each time that a record told of an earlier moment than those before it.
    holders: BTreeMap<Token, BTreeMap<EntityId, Vec<Place>>>,
    called: BTreeMap<EntityId, BTreeSet<Token>>,
    /// What became of accounts, in order.
    fates: BTreeMap<EntityId, Vec<(Place, Fate)>>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Fate {
    Made,
    On,
    Off,
    OffForGood,
}

impl People {
    pub fn read(facts: &[FactAt<'_>]) -> Self {
        let mut people = Self::default();
        for fact in facts {
            people.add(fact);
        }
        people.fates.values_mut().for_each(|fates| fates.sort_by_key(|(place, _)| *place));
        people
    }

    fn add(&mut self, fact: &FactAt<'_>) {
        let kind = fact.fact.kind();
        let is_other = matches!(kind, FactKind::IdentityLinked | FactKind::IdentityUnlinked | FactKind::RuleDeclared);
        assert!(!is_other, "the naive model knows addresses only: {:?}", fact.fact);
        for (_, reference) in references(fact.fact).filter(|(_, reference)| !reference.id.is_empty()) {
            for entity in named(reference, fact.source) {
                for token in reference.tokens.iter().map(|token| Token::from_slice(token).unwrap()) {
                    let since = self.holders.entry(token).or_default().entry(entity.clone()).or_default();
                    if since.last().is_none_or(|earliest| place(fact) < *earliest) {
                        since.push(place(fact));
                    }
                    self.called.entry(entity.clone()).or_default().insert(token);
                }
            }
        }
        let is_reversible = matches!(&fact.fact.detail, Some(Detail::Account(detail)) if detail.reversible);
        let fate = match kind {
            FactKind::AccountCreated => Fate::Made,
            FactKind::AccountEnabled => Fate::On,
            FactKind::AccountDisabled if is_reversible => Fate::Off,
            FactKind::AccountDisabled | FactKind::AccountDeleted => Fate::OffForGood,
            _ => return,
        };
        if fact.fact.outcome() == Outcome::Success {
            for entity in fact.fact.subject.iter().flat_map(|subject| named(subject, fact.source)) {
                self.fates.entry(entity).or_default().push((place(fact), fate));
            }
        }
    }

    /// Everything that stands for `start` at a moment, by the first `known` records.
    pub fn stands_for(&self, start: Vec<EntityId>, at: Moment, known: u64) -> BTreeSet<EntityId> {
        let mut found = BTreeSet::new();
        let mut next: VecDeque<(EntityId, bool)> = start.into_iter().map(|entity| (entity, true)).collect();
        while let Some((entity, is_start)) = next.pop_front() {
            if !found.insert(entity.clone()) {
                continue;
            }
            match entity.token() {
                // Whoever has the same address is the same one, unless one got it when the other was gone.
                Some(token) => {
                    for meant in self.meant_by(&token, is_start, at, known) {
                        let is_other = |one: &EntityId| one.token().is_none() && self.are_two(one, &meant, at, known);
                        if is_start || !found.iter().any(is_other) {
                            next.push_back((meant, false));
                        }
                    }
                }
                None => {
                    let called = self.called.get(&entity).into_iter().flatten();
                    let own = called.filter(|token| self.meant_by(token, false, at, known).contains(&entity));
                    next.extend(own.map(|token| (EntityId::identifier(token), false)));
                }
            }
        }
        found
    }

    /// Those who had an address by then and are there; or else the last who had it. Where it is named by itself, as in a
    /// ticket for somebody who is to come, the next one who got it goes before that.
    fn meant_by(&self, token: &Token, is_named: bool, at: Moment, known: u64) -> Vec<EntityId> {
        let mut systems: BTreeMap<_, Vec<(Place, &EntityId)>> = BTreeMap::new();
        for (entity, since) in self.holders.get(token).into_iter().flatten() {
            let Some(first) = since.iter().rfind(|place| place.1 < known) else { continue };
            systems.entry((entity.kind(), entity.system(), entity.instance())).or_default().push((*first, entity));
        }
        let mut meant = Vec::new();
        for mut holders in systems.into_values() {
            holders.sort();
            let is_there = |(first, entity): &&(Place, &EntityId)| {
                first.0 <= at && !matches!(self.fate(entity, at, known), Some(Fate::Off | Fate::OffForGood))
            };
            let there: Vec<_> = holders.iter().filter(is_there).collect();
            let last = holders.iter().rfind(|(first, _)| first.0 <= at);
            let next = holders.iter().find(|(first, _)| first.0 > at);
            let free = if is_named { next.or(last) } else { last.or(next) };
            let holders = match &holders[..] {
                [only] => vec![only],
                _ if there.is_empty() => free.into_iter().collect(),
                _ => there,
            };
            meant.extend(holders.iter().map(|(_, entity)| (*entity).clone()));
        }
        meant
    }

    /// What had last become of an account.
    fn fate(&self, entity: &EntityId, at: Moment, known: u64) -> Option<Fate> {
        let fates = self.fates.get(entity)?.iter();
        fates.filter(|(place, _)| place.0 <= at && place.1 < known).map(|(_, fate)| *fate).next_back()
    }

    /// Whether one was made when the other was gone for good.
    fn are_two(&self, one: &EntityId, other: &EntityId, at: Moment, known: u64) -> bool {
        let replaced = |new: &EntityId, old: &EntityId| {
            let mut fates = self.fates.get(new).into_iter().flatten();
            let made = fates.rfind(|(place, fate)| place.1 < known && *fate == Fate::Made);
            let is_over = |at| self.fate(old, at, known) == Some(Fate::OffForGood);
            made.is_some_and(|(made, _)| is_over(at) && is_over(made.0))
        };
        replaced(one, other) || replaced(other, one)
    }
}

/// Whether it is an account or a person, and not what one is called.
pub fn is_somebody(entity: &EntityId) -> bool {
    entity.kind() != EntityKind::Identifier
}
