//! Who is who: whom an identifier means at a moment, who else somebody is, and what all is theirs.
//!
//! Owns these questions, whatever answers single ones: a server's views, or the records of an evidence file. So a verifier
//! comes to the same closure as whoever wrote the evidence, entity by entity. Each thing is asked for once for any number of
//! moments, since many changes are about the same people.
//!
//! ```text
//! Told (what records tell of one entity) → meant_by (one step) → aliases (the closure) → covered (all that is a person's)
//! ```

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};
use std::rc::Rc;

use counterfoil_proto::v1::{AccountStatus, Delivery, EntityKind};

use crate::entity::EntityId;
use crate::identifier::Token;
use crate::identity::{MatchingRules, contested};
use crate::kept::Kept;
use crate::mention::Runs;
use crate::replay::FactAt;
use crate::state::{ReplayOrder, RuleState, State};
use crate::time::{Moment, OccurredAt};
use crate::tree::{RecordIndex, TreeSize};

mod aliases;
mod covered;
mod during;
pub mod recorded;

pub use aliases::{Aliases, Step};
pub use covered::{Covered, Member};

/// What records tell of single entities. Whoever implements it says where they are kept.
pub trait Told {
    /// Why something cannot be told.
    type Error;
    /// What one entity is, at any moment.
    type Traits: Traits;
    /// What is told of a ticket.
    type Ticket: ToldTicket<Fact = Self::Fact, Error = Self::Error>;
    /// A fact about one.
    type Fact: ToldFact;

    /// What an entity is, at any moment.
    ///
    /// # Errors
    /// Of whoever keeps the records; so with all others.
    fn traits(&self, entity: &EntityId) -> Result<Self::Traits, Self::Error>;

    /// The identifiers that an entity ever had, each with the first record that says so.
    ///
    /// # Errors
    /// Likewise.
    fn identifiers(&self, entity: &EntityId) -> Result<Vec<(Token, RecordIndex)>, Self::Error>;

    /// The entities that ever had an identifier, those of one entity together, each with the places of facts that say so:
    /// for any number of records the first of those that count is among them.
    ///
    /// # Errors
    /// Likewise.
    fn bindings(&self, token: &Token) -> Result<Vec<(EntityId, ReplayOrder)>, Self::Error>;

    /// Whether the fact at a place counts by the first `known` records.
    fn counts(&self, place: &ReplayOrder, known: TreeSize) -> bool;

    /// What an entity was called over time by the first `known` records; none where there is too much of it.
    ///
    /// # Errors
    /// Likewise.
    fn runs(&self, entity: &EntityId, known: TreeSize) -> Result<Option<Runs>, Self::Error>;

    /// The tickets that any of their records says are for somebody.
    ///
    /// # Errors
    /// Likewise.
    fn requests(&self, beneficiary: &EntityId) -> Result<Vec<EntityId>, Self::Error>;

    /// The facts that say what a ticket is, in their order, also those that count no longer.
    ///
    /// # Errors
    /// Likewise.
    fn ticket(&self, ticket: &EntityId) -> Result<Self::Ticket, Self::Error>;

    /// The tickets that the first `known` records name in the same transaction or request as a fact, as
    /// [`first_tickets`](crate::correlation::first_tickets) has them.
    ///
    /// # Errors
    /// Likewise.
    fn tickets_with(&self, fact: &FactAt<'_>, known: TreeSize) -> Result<BTreeSet<EntityId>, Self::Error>;

    /// Up to when the first `known` records tell of tickets, by the source that is furthest behind; none where there is no
    /// source of tickets, or where nobody can tell.
    ///
    /// # Errors
    /// Likewise.
    fn tickets_known_until(&self, known: TreeSize) -> Result<Option<Moment>, Self::Error>;

    /// The matching rules that were ever declared by the first `known` records, each as it was declared last.
    ///
    /// # Errors
    /// Likewise.
    fn declared_rules(&self, known: TreeSize) -> Result<Vec<(EntityId, RuleState)>, Self::Error>;
}

/// What is told of a ticket: facts that are read one by one, since there may be many, and few are asked for.
pub trait ToldTicket {
    /// Why one cannot be read.
    type Error;
    /// One of them.
    type Fact: ToldFact;

    /// Their places, in order.
    fn places(&self) -> &[ReplayOrder];

    /// One of them, by the number of its place.
    ///
    /// # Errors
    /// Of whoever keeps it.
    fn fact(&self, number: usize) -> Result<Self::Fact, Self::Error>;
}

/// A fact that is kept somewhere.
pub trait ToldFact {
    /// The fact at its place.
    fn at(&self) -> FactAt<'_>;

    /// How its record was delivered.
    fn delivery(&self) -> Delivery;
}

/// What one entity is, as far as it decides who is who: the facts of [`is_trait_of`](crate::replay::is_trait_of), also
/// those that count no longer.
pub trait Traits {
    /// When each of the facts happened, in their order.
    fn times(&self) -> impl Iterator<Item = OccurredAt>;

    /// What they come to at a moment by the first `known` records. The other parts of a state are not there.
    fn at(&self, at: OccurredAt, known: TreeSize) -> State;

    /// When it was made: the last time, if it was made anew.
    fn created_at(&self, known: TreeSize) -> Option<OccurredAt>;

    /// Whether any of them links it with somebody.
    fn is_linked(&self) -> bool;

    /// Whether any of them switches it off.
    fn is_ended(&self) -> bool;
}

/// A time in which nothing changes about who is who, as far as anybody was looked at.
#[derive(Clone, Copy, Debug)]
struct Span {
    from: OccurredAt,
    /// Not included, where there is an end.
    until: Option<OccurredAt>,
}

impl Span {
    /// All time.
    const ALWAYS: Self = Self { from: OccurredAt(Moment::MIN), until: None };

    /// The part of it around `at` in which it makes no difference that something happened.
    fn narrow(&mut self, at: OccurredAt, happened: OccurredAt) {
        match happened <= at {
            true => self.from = self.from.max(happened),
            false => self.until = Some(self.until.map_or(happened, |until| until.min(happened))),
        }
    }
}

/// The moment of a question about who is who, the records that count, and how long its answer holds.
pub struct Asked {
    at: OccurredAt,
    known: TreeSize,
    span: Span,
}

impl Asked {
    /// About that moment, by the first `known` records.
    pub fn new(at: OccurredAt, known: TreeSize) -> Self {
        Self { at, known, span: Span::ALWAYS }
    }

    fn happened(&mut self, times: impl IntoIterator<Item = OccurredAt>) {
        times.into_iter().for_each(|happened| self.span.narrow(self.at, happened));
    }
}

/// The closures over somebody, by the start of the time in which each holds.
type Closures = BTreeMap<OccurredAt, (Span, Rc<Aliases>)>;

/// An entity by the first so many records.
type Known = (EntityId, TreeSize);

/// Who is who, as of one size of the log: asked about many, at many moments.
pub struct People<T: Told> {
    told: T,
    identifiers: Kept<EntityId, Vec<(Token, RecordIndex)>>,
    bindings: Kept<Token, Vec<(EntityId, ReplayOrder)>>,
    traits: Kept<EntityId, T::Traits>,
    requests: Kept<EntityId, Vec<EntityId>>,
    runs: Kept<Known, Option<Runs>>,
    rules: Kept<TreeSize, MatchingRules>,
    closures: Kept<(Vec<EntityId>, TreeSize), RefCell<Closures>>,
}

impl<T: Told> People<T> {
    pub(crate) fn told(&self) -> &T {
        &self.told
    }

    /// By what is told.
    pub fn new(told: T) -> Self {
        Self {
            told,
            identifiers: Kept::new(),
            bindings: Kept::new(),
            traits: Kept::new(),
            requests: Kept::new(),
            runs: Kept::new(),
            rules: Kept::new(),
            closures: Kept::new(),
        }
    }

    /// What an entity is, at any moment.
    ///
    /// # Errors
    /// Of whoever tells of them.
    pub fn traits(&mut self, entity: &EntityId) -> Result<Rc<T::Traits>, T::Error> {
        self.traits.get(entity, || self.told.traits(entity))
    }

    /// The identifiers that an entity ever had.
    fn identifiers(&mut self, entity: &EntityId) -> Result<Rc<Vec<(Token, RecordIndex)>>, T::Error> {
        self.identifiers.get(entity, || self.told.identifiers(entity))
    }

    /// The tickets that may be for somebody.
    fn requests(&mut self, beneficiary: &EntityId) -> Result<Rc<Vec<EntityId>>, T::Error> {
        self.requests.get(beneficiary, || self.told.requests(beneficiary))
    }

    fn bindings(&mut self, token: &Token) -> Result<Rc<Vec<(EntityId, ReplayOrder)>>, T::Error> {
        self.bindings.get(token, || self.told.bindings(token))
    }

    /// The matching rules that hold by the first `known` records: whenever they were declared, they say how evidence is
    /// read from then on.
    fn rules(&mut self, known: TreeSize) -> Result<Rc<MatchingRules>, T::Error> {
        self.rules.get(&known, || Ok(MatchingRules::in_force(self.told.declared_rules(known)?)))
    }

    /// What an entity is at a moment; none where nothing was ever said, and so it is of most.
    fn traits_at(&mut self, entity: &EntityId, asked: &mut Asked) -> Result<Option<State>, T::Error> {
        let traits = self.traits(entity)?;
        asked.happened(traits.times());
        Ok(traits.times().next().map(|_| traits.at(asked.at, asked.known)))
    }

    /// The entities that an identifier meant at a moment, each with the record that first said so. Identifiers are given
    /// away again: within one kind and one system it means those that had it by then and were neither gone nor called
    /// otherwise since. If there is none, it means the last that had it. Only where it is `named` by itself, as in a ticket
    /// for somebody who is to come, the next one that got it goes before that.
    ///
    /// # Errors
    /// Of whoever tells of them; so with all others.
    pub fn meant_by(
        &mut self,
        token: &Token,
        named: bool,
        asked: &mut Asked,
    ) -> Result<Vec<(EntityId, u64)>, T::Error> {
        let bindings = self.bindings(token)?;
        let mut since: Vec<(&EntityId, ReplayOrder)> = Vec::with_capacity(bindings.len());
        for (entity, position) in bindings.iter().filter(|(_, position)| self.told.counts(position, asked.known)) {
            match since.last_mut() {
                Some((last, first)) if *last == entity => *first = *position.min(first),
                _ => since.push((entity, *position)),
            }
        }
        since.sort_by(|(one, one_first), (other, other_first)| {
            (place(one), one_first, one).cmp(&(place(other), other_first, other))
        });
        let mut meant = Vec::with_capacity(since.len());
        for holders in since.chunk_by(|(one, _), (other, _)| place(one) == place(other)) {
            // The only one that ever had it is meant at any time.
            let [(_, _), _, ..] = holders else {
                meant.extend(holders.iter().map(|(entity, first)| ((*entity).clone(), first.2.0)));
                continue;
            };
            asked.happened(holders.iter().map(|(_, first)| first.0));
            let later = holders.partition_point(|(_, first)| first.0 <= asked.at);
            let mut there = Vec::with_capacity(later);
            for (entity, first) in &holders[..later] {
                if !self.is_gone(entity, asked)? {
                    there.push(((*entity).clone(), first.2.0));
                }
            }
            if there.len() > 1 {
                there = self.still_called(token, there, asked)?;
            }
            if there.is_empty() {
                let (last, next) = (holders[..later].last(), holders.get(later));
                let free = if named { next.or(last) } else { last.or(next) };
                there.extend(free.map(|(entity, first)| ((*entity).clone(), first.2.0)));
            }
            meant.extend(there);
        }
        Ok(meant)
    }

    /// Of several that had an identifier, those that are not called otherwise since; all of them, if all are.
    fn still_called(
        &mut self,
        token: &Token,
        held_by: Vec<(EntityId, u64)>,
        asked: &mut Asked,
    ) -> Result<Vec<(EntityId, u64)>, T::Error> {
        let mut still = Vec::with_capacity(held_by.len());
        for (entity, first) in &held_by {
            let known = asked.known;
            let runs = self.runs.get(&(entity.clone(), known), || self.told.runs(entity, known))?;
            if let Some(runs) = &*runs {
                asked.happened(runs.times());
            }
            if !(*runs).as_ref().is_some_and(|runs| runs.has_lost(token, asked.at)) {
                still.push((entity.clone(), *first));
            }
        }
        Ok(if still.is_empty() { held_by } else { still })
    }

    /// Whether two that share an identifier are two persons all the same: other records say so of each, or one was made
    /// when the other was gone, and so was given what the other had been called.
    fn are_two(&mut self, one: &EntityId, other: &EntityId, asked: &mut Asked) -> Result<bool, T::Error> {
        let (first, second) = (self.traits(one)?, self.traits(other)?);
        asked.happened(first.times().chain(second.times()));
        let (at, known) = (asked.at, asked.known);
        // Who is switched on again was not replaced.
        let has_replaced = |new: &T::Traits, old: &T::Traits| {
            let is_over_at = |at| is_over(&old.at(at, known));
            old.is_ended() && is_over_at(at) && new.created_at(known).is_some_and(is_over_at)
        };
        if has_replaced(&first, &second) || has_replaced(&second, &first) {
            return Ok(true);
        }
        let persons = |entity: &EntityId, traits: &T::Traits| match entity.kind() {
            EntityKind::Person => vec![entity.clone()],
            _ if traits.is_linked() => linked_persons(entity, &traits.at(at, known)),
            _ => Vec::new(),
        };
        let (one, other) = (persons(one, &first), persons(other, &second));
        let has_another = |person: &EntityId| {
            let of_place = |among: &&EntityId| place(among) == place(person);
            other.iter().any(|one| of_place(&one)) && !other.contains(person)
        };
        Ok(one.iter().any(has_another))
    }

    /// Whether an account was disabled or deleted by then.
    fn is_gone(&mut self, entity: &EntityId, asked: &mut Asked) -> Result<bool, T::Error> {
        let account = self.traits_at(entity, asked)?.and_then(|state| state.account);
        let gone = [AccountStatus::Disabled, AccountStatus::Deleted];
        Ok(account.is_some_and(|account| gone.contains(&account.status())))
    }
}

/// Whether an account is switched off for good.
fn is_over(state: &State) -> bool {
    state.account.as_ref().is_some_and(|account| match account.status() {
        AccountStatus::Deleted => true,
        AccountStatus::Disabled => !account.reversible,
        _ => false,
    })
}

/// The persons whose an account is, by records that nothing contradicts.
fn linked_persons(entity: &EntityId, state: &State) -> Vec<EntityId> {
    let contradicted = contested(entity, &state.linked);
    let links = state.linked.values().filter(|link| !contradicted.contains(link));
    let persons = links.filter_map(|link| link.counterpart.parse::<EntityId>().ok());
    persons.filter(|person| person.kind() == EntityKind::Person).collect()
}

/// Within a place, an identifier is one entity's at a time.
fn place(entity: &EntityId) -> (EntityKind, &str, &str) {
    (entity.kind(), entity.system(), entity.instance())
}
