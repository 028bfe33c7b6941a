//! Whom an identifier means at a moment, and what else the views hold of somebody.
//!
//! Owns what is read of people, once for any number of moments, since many changes are about the same ones; and what
//! becomes of identifiers that are given away. It never goes on from one entity to the next: `aliases` does.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::rc::Rc;

use counterfoil_proto::v1::{AccountStatus, EntityKind};
use counterfoil_verify::entity::EntityId;
use counterfoil_verify::identifier::Token;
use counterfoil_verify::identity::{MatchingRules, contested};
use counterfoil_verify::state::State;
use counterfoil_verify::time::{Moment, OccurredAt};
use counterfoil_verify::tree::{RecordIndex, TreeSize};

use crate::answers::Query;
use crate::answers::aliases::Aliases;
use crate::answers::kept::Kept;
use crate::error::Result;
use crate::views::database::View;
use crate::views::histories::{self, Runs};
use crate::views::keys::Position;
use crate::views::recent::Standing;
use crate::views::traits::Traits;
use crate::views::{changes, names};

/// A time in which nothing changes about who is who, as far as anybody was looked at.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Span {
    pub(crate) from: OccurredAt,
    /// Not included, where there is an end.
    pub(crate) until: Option<OccurredAt>,
}

impl Span {
    pub(crate) const ALWAYS: Self = Self { from: OccurredAt(Moment::MIN), until: None };

    /// The part of it around `at` in which it makes no difference that something happened.
    fn narrow(&mut self, at: OccurredAt, happened: OccurredAt) {
        match happened <= at {
            true => self.from = self.from.max(happened),
            false => self.until = Some(self.until.map_or(happened, |until| until.min(happened))),
        }
    }
}

/// The moment of a question about who is who, the records that count, and how long its answer holds.
pub(crate) struct Asked {
    pub(crate) at: OccurredAt,
    pub(crate) known: TreeSize,
    pub(crate) span: Span,
}

impl Asked {
    fn happened(&mut self, times: impl IntoIterator<Item = OccurredAt>) {
        times.into_iter().for_each(|happened| self.span.narrow(self.at, happened));
    }
}

/// The closures over somebody, by the start of the time in which each holds.
pub(crate) type Closures = BTreeMap<OccurredAt, (Span, Rc<Aliases>)>;

/// Who is who, as of one moment of the views: asked about many, at many moments.
pub(crate) struct People<'q, 'a> {
    view: &'q View<'a>,
    standing: &'q Standing,
    identifiers: Kept<EntityId, Vec<(Token, RecordIndex)>>,
    bindings: Kept<Token, Vec<(EntityId, Position)>>,
    traits: Kept<EntityId, Traits>,
    requests: Kept<EntityId, Vec<EntityId>>,
    runs: Kept<(EntityId, TreeSize), Option<Runs>>,
    rules: Kept<TreeSize, MatchingRules>,
    pub(crate) closures: Kept<(Vec<EntityId>, TreeSize), RefCell<Closures>>,
}

impl<'q, 'a> People<'q, 'a> {
    pub(crate) fn new(query: &'q Query<'a>) -> Self {
        Self {
            view: &query.view,
            standing: &query.standing,
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
    pub(crate) fn traits(&mut self, entity: &EntityId) -> Result<Rc<Traits>> {
        self.traits.get(entity, || Traits::read(self.view, entity))
    }

    /// The identifiers that an entity ever had.
    pub(crate) fn identifiers(&mut self, entity: &EntityId) -> Result<Rc<Vec<(Token, RecordIndex)>>> {
        self.identifiers.get(entity, || names::identifiers_of(self.view, entity))
    }

    /// The tickets that may be for somebody.
    pub(crate) fn requests(&mut self, beneficiary: &EntityId) -> Result<Rc<Vec<EntityId>>> {
        self.requests.get(beneficiary, || changes::requests_for(self.view, beneficiary))
    }

    fn bindings(&mut self, token: &Token) -> Result<Rc<Vec<(EntityId, Position)>>> {
        self.bindings.get(token, || names::bindings_of(self.view, token))
    }

    /// The matching rules that hold by the first `known` records: whenever they were declared, they say how evidence is
    /// read from then on.
    pub(crate) fn rules(&mut self, known: TreeSize) -> Result<Rc<MatchingRules>> {
        let (view, standing) = (self.view, self.standing);
        if let Some(rules) = self.rules.kept(&known) {
            return Ok(rules);
        }
        let mut declared = Vec::new();
        for (system, instance) in &standing.ruled {
            for rule in names::of_kind(view, EntityKind::Rule, (system.as_str(), instance.as_str()), "", known)? {
                let state = self.traits(&rule)?.at(OccurredAt(Moment::MAX), known);
                declared.extend(state.rule.map(|declared| (rule, declared)));
            }
        }
        self.rules.get(&known, || Ok(MatchingRules::in_force(declared)))
    }

    /// What an entity is at a moment; none where nothing was ever said, and so it is of most.
    pub(crate) fn traits_at(&mut self, entity: &EntityId, asked: &mut Asked) -> Result<Option<State>> {
        let traits = self.traits(entity)?;
        asked.happened(traits.times());
        Ok(traits.times().next().map(|_| traits.at(asked.at, asked.known)))
    }

    /// The entities that an identifier meant at a moment, each with the record that first said so. Identifiers are given
    /// away again: within one kind and one system it means those that had it by then and were neither gone nor called
    /// otherwise since. If there is none, it means the last that had it. Only where it is `named` by itself, as in a ticket
    /// for somebody who is to come, the next one that got it goes before that.
    pub(crate) fn meant_by(&mut self, token: &Token, named: bool, asked: &mut Asked) -> Result<Vec<(EntityId, u64)>> {
        let bindings = self.bindings(token)?;
        let mut since: Vec<(&EntityId, Position)> = Vec::with_capacity(bindings.len());
        for (entity, position) in bindings.iter().filter(|(_, position)| self.view.counts(position, asked.known)) {
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
    ) -> Result<Vec<(EntityId, u64)>> {
        let mut still = Vec::with_capacity(held_by.len());
        for (entity, first) in &held_by {
            let (view, known) = (self.view, asked.known);
            let runs = self.runs.get(&(entity.clone(), known), || histories::runs(view, entity, known))?;
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
    pub(crate) fn are_two(&mut self, one: &EntityId, other: &EntityId, asked: &mut Asked) -> Result<bool> {
        let (first, second) = (self.traits(one)?, self.traits(other)?);
        asked.happened(first.times().chain(second.times()));
        let (at, known) = (asked.at, asked.known);
        // Who is switched on again was not replaced.
        let has_replaced = |new: &Traits, old: &Traits| {
            let is_over_at = |at| is_over(&old.at(at, known));
            old.is_ended && is_over_at(at) && new.created_at(known).is_some_and(is_over_at)
        };
        if has_replaced(&first, &second) || has_replaced(&second, &first) {
            return Ok(true);
        }
        let persons = |entity: &EntityId, traits: &Traits| match entity.kind() {
            EntityKind::Person => vec![entity.clone()],
            _ if traits.is_linked => linked_persons(entity, &traits.at(at, known)),
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
    fn is_gone(&mut self, entity: &EntityId, asked: &mut Asked) -> Result<bool> {
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
