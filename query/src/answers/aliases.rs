//! Who else somebody is: the identifiers, accounts and persons that stand for the beneficiary of a change.
//!
//! Owns the closure over bindings and identity links at one moment, and which record each step rests on. It links nothing
//! by similarity: a step is a fact that somebody recorded. What the views hold of somebody is read once for any number of
//! moments, since many changes are about the same people.

use std::cell::{OnceCell, RefCell};
use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::rc::Rc;

use counterfoil_proto::v1::{AccountStatus, EntityKind};
use counterfoil_verify::entity::EntityId;
use counterfoil_verify::identifier::Token;
use counterfoil_verify::state::State;
use counterfoil_verify::time::{Moment, OccurredAt};
use counterfoil_verify::tree::{RecordIndex, TreeSize};

use crate::answers::kept::Kept;
use crate::error::Result;
use crate::views::database::View;
use crate::views::keys::Position;
use crate::views::traits::Traits;
use crate::views::{changes, names};

mod during;

/// The most entities that one beneficiary is followed to. More would be a shared mailbox, not a person.
const ALIASES_MAX: usize = 256;

/// Every entity that stands for one, each with the records that say so.
#[derive(Debug, Default)]
pub(crate) struct Aliases {
    entities: BTreeSet<EntityId>,
    records: BTreeMap<EntityId, BTreeSet<u64>>,
    /// There are more than were followed.
    pub(crate) is_cut: bool,
    /// The tickets that may be for them, once they were asked for.
    tickets: OnceCell<Rc<[EntityId]>>,
}

impl Aliases {
    /// The entities.
    pub(crate) fn entities(&self) -> &BTreeSet<EntityId> {
        &self.entities
    }

    /// The records by which those of the entities stand for whom they stand for that are also in `others`.
    pub(crate) fn records<'s>(&'s self, others: &'s Self) -> impl Iterator<Item = u64> + 's {
        let shared = |entity: &EntityId| others.entities.contains(entity);
        self.records.iter().filter(move |(entity, _)| shared(entity)).flat_map(|(_, records)| records.iter().copied())
    }
}

/// A time in which nothing changes about who is who, as far as anybody was looked at.
#[derive(Clone, Copy, Debug)]
struct Span {
    from: OccurredAt,
    /// Not included, where there is an end.
    until: Option<OccurredAt>,
}

impl Span {
    const ALWAYS: Self = Self { from: OccurredAt(Moment::MIN), until: None };

    /// The part of it around `at` in which it makes no difference that something happened.
    fn narrow(&mut self, at: OccurredAt, happened: OccurredAt) {
        match happened <= at {
            true => self.from = self.from.max(happened),
            false => self.until = Some(self.until.map_or(happened, |until| until.min(happened))),
        }
    }
}

/// The closures over somebody, by the start of the time in which each holds.
type Closures = BTreeMap<OccurredAt, (Span, Rc<Aliases>)>;

/// Who is who, as of one moment of the views: asked about many, at many moments.
pub(crate) struct People<'q, 'a> {
    view: &'q View<'a>,
    identifiers: Kept<EntityId, Vec<(Token, RecordIndex)>>,
    bindings: Kept<Token, Vec<(EntityId, Position)>>,
    traits: Kept<EntityId, Traits>,
    requests: Kept<EntityId, Vec<EntityId>>,
    closures: Kept<(Vec<EntityId>, TreeSize), RefCell<Closures>>,
}

impl<'q, 'a> People<'q, 'a> {
    pub(crate) fn new(view: &'q View<'a>) -> Self {
        let (identifiers, bindings, traits, requests) = (Kept::new(), Kept::new(), Kept::new(), Kept::new());
        Self { view, identifiers, bindings, traits, requests, closures: Kept::new() }
    }

    /// What an entity is, at any moment.
    pub(crate) fn traits(&mut self, entity: &EntityId) -> Result<Rc<Traits>> {
        self.traits.get(entity, || Traits::read(self.view, entity))
    }

    fn identifiers(&mut self, entity: &EntityId) -> Result<Rc<Vec<(Token, RecordIndex)>>> {
        self.identifiers.get(entity, || names::identifiers_of(self.view, entity))
    }

    fn bindings(&mut self, token: &Token) -> Result<Rc<Vec<(EntityId, Position)>>> {
        self.bindings.get(token, || names::bindings_of(self.view, token))
    }

    fn requests(&mut self, beneficiary: &EntityId) -> Result<Rc<Vec<EntityId>>> {
        self.requests.get(beneficiary, || changes::requests_for(self.view, beneficiary))
    }

    /// Everything that stands for `start` at a moment.
    pub(crate) fn aliases(&mut self, start: Vec<EntityId>, at: OccurredAt, known: TreeSize) -> Result<Rc<Aliases>> {
        let of = (start, known);
        let closures = self.closures.get(&of, || Ok(RefCell::default()))?;
        if let Some((_, (span, aliases))) = closures.borrow().range(..=at).next_back()
            && span.until.is_none_or(|until| at < until)
        {
            return Ok(aliases.clone());
        }
        let mut span = Span::ALWAYS;
        let aliases = Rc::new(self.closure(of.0, at, known, &mut span)?);
        closures.borrow_mut().insert(span.from, (span, aliases.clone()));
        Ok(aliases)
    }

    fn closure(&mut self, start: Vec<EntityId>, at: OccurredAt, known: TreeSize, span: &mut Span) -> Result<Aliases> {
        let mut aliases = Aliases::default();
        let mut next: VecDeque<(EntityId, BTreeSet<u64>)> =
            start.into_iter().map(|entity| (entity, BTreeSet::new())).collect();
        while let Some((entity, records)) = next.pop_front() {
            if aliases.entities.contains(&entity) {
                continue;
            }
            if aliases.entities.len() == ALIASES_MAX {
                aliases.is_cut = true;
                break;
            }
            for (alias, by) in self.steps_from(&entity, at, known, span)? {
                let mut records = records.clone();
                records.insert(by);
                next.push_back((alias, records));
            }
            aliases.entities.insert(entity.clone());
            aliases.records.insert(entity, records);
        }
        Ok(aliases)
    }

    /// The entities one step away, each with the record that says so.
    fn steps_from(
        &mut self,
        entity: &EntityId,
        at: OccurredAt,
        known: TreeSize,
        span: &mut Span,
    ) -> Result<Vec<(EntityId, u64)>> {
        let mut steps = Vec::new();
        match entity.token() {
            Some(token) => steps.extend(self.meant_by(&token, at, known, span)?),
            None => {
                let identifiers = self.identifiers(entity)?;
                for (token, _) in identifiers.iter().filter(|(_, first)| first.0 < known.0) {
                    let mut meant = self.meant_by(token, at, known, span)?.into_iter();
                    let own = meant.find(|(meant, _)| meant == entity);
                    steps.extend(own.map(|(_, index)| (EntityId::identifier(token), index)));
                }
            }
        }
        if matches!(entity.kind(), EntityKind::Account | EntityKind::Person | EntityKind::Identifier) {
            let linked = self.traits_at(entity, at, known, span)?.into_iter().flat_map(|state| state.linked);
            steps.extend(linked.filter_map(|(id, by)| Some((id.parse().ok()?, by.index))));
        }
        Ok(steps)
    }

    /// The tickets that may be for somebody: those for any of the entities that stand for them, and those for an
    /// identifier that they once had.
    pub(crate) fn tickets_for(&mut self, aliases: &Aliases, known: TreeSize) -> Result<Rc<[EntityId]>> {
        if let Some(tickets) = aliases.tickets.get() {
            return Ok(tickets.clone());
        }
        let mut asked = aliases.entities.clone();
        for entity in &aliases.entities {
            let had = self.identifiers(entity)?;
            let had = had.iter().filter(|(_, first)| first.0 < known.0);
            asked.extend(had.map(|(token, _)| EntityId::identifier(token)));
        }
        let mut tickets = BTreeSet::new();
        for entity in &asked {
            tickets.extend(self.requests(entity)?.iter().cloned());
        }
        Ok(aliases.tickets.get_or_init(|| tickets.into_iter().collect()).clone())
    }

    /// The entities that an identifier meant at a moment, each with the record that first said so. Identifiers are given
    /// away again: within one kind and one system it means those that had it by then and were not gone; if all of them
    /// were, the next one that got it; or else the last that had it.
    fn meant_by(
        &mut self,
        token: &Token,
        at: OccurredAt,
        known: TreeSize,
        span: &mut Span,
    ) -> Result<Vec<(EntityId, u64)>> {
        let bindings = self.bindings(token)?;
        let mut since: Vec<(&EntityId, Position)> = Vec::with_capacity(bindings.len());
        for (entity, position) in bindings.iter().filter(|(_, position)| position.1.0 < known.0) {
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
                meant.extend(holders.iter().map(|(entity, first)| ((*entity).clone(), first.1.0)));
                continue;
            };
            holders.iter().for_each(|(_, first)| span.narrow(at, first.0));
            let later = holders.partition_point(|(_, first)| first.0 <= at);
            let count = meant.len();
            for (entity, first) in &holders[..later] {
                if !self.is_gone(entity, at, known, span)? {
                    meant.push(((*entity).clone(), first.1.0));
                }
            }
            if meant.len() == count {
                let next = holders.get(later).or(holders.last());
                meant.extend(next.map(|(entity, first)| ((*entity).clone(), first.1.0)));
            }
        }
        Ok(meant)
    }

    /// Whether an account was disabled or deleted by then.
    fn is_gone(&mut self, entity: &EntityId, at: OccurredAt, known: TreeSize, span: &mut Span) -> Result<bool> {
        let account = self.traits_at(entity, at, known, span)?.and_then(|state| state.account);
        let gone = [AccountStatus::Disabled, AccountStatus::Deleted];
        Ok(account.is_some_and(|account| gone.contains(&account.status())))
    }

    /// None where nothing was ever said: so it is of most.
    fn traits_at(
        &mut self,
        entity: &EntityId,
        at: OccurredAt,
        known: TreeSize,
        span: &mut Span,
    ) -> Result<Option<State>> {
        let traits = self.traits(entity)?;
        traits.times().for_each(|happened| span.narrow(at, happened));
        Ok(traits.times().next().map(|_| traits.at(at, known)))
    }
}

/// Within a place, an identifier is one entity's at a time.
fn place(entity: &EntityId) -> (EntityKind, &str, &str) {
    (entity.kind(), entity.system(), entity.instance())
}
