//! What records themselves tell of who is who.
//!
//! Owns the reading of whole histories, one entity at a time, for whoever has no views: a verifier, and whoever writes
//! evidence for one. It notes whose histories were asked for, which is what the evidence has to hold.

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};
use std::marker::PhantomData;
use std::rc::Rc;

use counterfoil_proto::v1::{Delivery, Fact, FactKind, Record, Source};

use crate::correlation::{correlations, first_tickets, tickets};
use crate::entity::EntityId;
use crate::identifier::Token;
use crate::mention::{RUNS_FACTS_MAX, Runs, mentions, requests};
use crate::people::{Told, ToldFact, ToldTicket, Traits};
use crate::remap::Readings;
use crate::replay::{FactAt, apply, bearers, facts_of, is_trait_of, replay};
use crate::state::{Evidence, ReplayOrder, RuleState, State};
use crate::time::{Moment, OccurredAt, RecordedAt};
use crate::tree::{RecordIndex, TreeSize};

/// Whole histories of entities.
pub trait Histories {
    /// Why there is none.
    type Error;

    /// The records that an entity belongs to, in the order of the log. Those that are past the size which a question is
    /// about may be left out.
    ///
    /// # Errors
    /// Of whoever has them.
    fn records(&self, entity: &EntityId) -> Result<Vec<Rc<Record>>, Self::Error>;

    /// One record, by its index.
    ///
    /// # Errors
    /// Likewise.
    fn record(&self, index: u64) -> Result<Rc<Record>, Self::Error>;

    /// Every record that was recorded at a moment or later, of those that count, in the order of the log.
    ///
    /// # Errors
    /// Likewise.
    fn since(&self, from: RecordedAt) -> Result<Vec<Rc<Record>>, Self::Error>;
}

/// What histories tell.
pub struct Recorded<H> {
    histories: H,
    read: RefCell<Read>,
}

/// What was read so far.
#[derive(Default)]
struct Read {
    histories: BTreeMap<EntityId, Rc<[Rc<Record>]>>,
    records: BTreeMap<RecordIndex, Rc<Record>>,
    readings: Readings,
}

impl<H: Histories> Recorded<H> {
    /// Of these histories.
    pub fn new(histories: H) -> Self {
        Self { histories, read: RefCell::default() }
    }

    /// The histories, with whatever they noted.
    pub fn into_histories(self) -> H {
        self.histories
    }

    /// The entities whose histories were asked for.
    pub fn asked(&self) -> BTreeSet<EntityId> {
        self.read.borrow().histories.keys().cloned().collect()
    }

    /// The state of an entity, as all its records give it.
    ///
    /// # Errors
    /// Of whoever has the histories.
    pub fn state(&self, entity: &EntityId, at: OccurredAt, known: TreeSize) -> Result<State, H::Error> {
        Ok(replay(entity, self.records(entity)?.iter().map(|record| &**record), at, known))
    }

    /// One record, by its index.
    ///
    /// # Errors
    /// Of whoever has it.
    pub fn record(&self, index: u64) -> Result<Rc<Record>, H::Error> {
        self.histories.record(index)
    }

    /// Every record that was recorded at a moment or later, of those that count, in the order of the log.
    ///
    /// # Errors
    /// Of whoever has them.
    pub fn since(&self, from: RecordedAt) -> Result<Vec<Rc<Record>>, H::Error> {
        self.histories.since(from)
    }

    /// Whether what a record says counts by the first `known` records, as far as the histories say that were asked for.
    pub fn counts(&self, record: &Record, known: TreeSize) -> bool {
        self.read.borrow().readings.count(record, known)
    }

    /// The history of an entity.
    ///
    /// # Errors
    /// Of whoever has it.
    pub fn records(&self, entity: &EntityId) -> Result<Rc<[Rc<Record>]>, H::Error> {
        if let Some(records) = self.read.borrow().histories.get(entity) {
            return Ok(records.clone());
        }
        let records: Rc<[Rc<Record>]> = self.histories.records(entity)?.into();
        let mut read = self.read.borrow_mut();
        for record in &*records {
            read.readings.add(record);
            read.records.insert(RecordIndex(record.index), record.clone());
        }
        read.histories.insert(entity.clone(), records.clone());
        Ok(records)
    }
}

/// The facts of records, in the order in which they apply.
fn facts(records: &[Rc<Record>]) -> Vec<FactAt<'_>> {
    let mut facts: Vec<FactAt<'_>> = records.iter().flat_map(|record| facts_of(record)).collect();
    facts.sort_by_key(|fact| fact.evidence.order());
    facts
}

impl<H: Histories> Told for &Recorded<H> {
    type Error = H::Error;
    type Traits = RecordedTraits;
    type Ticket = RecordedTicket<H::Error>;
    type Fact = RecordedFact;

    fn traits(&self, entity: &EntityId) -> Result<RecordedTraits, H::Error> {
        let records = self.records(entity)?;
        let mut readings = Readings::default();
        records.iter().for_each(|record| readings.add(record));
        let mut traits =
            RecordedTraits { entity: entity.clone(), records, readings, times: Vec::new(), kinds: Vec::new() };
        let own: Vec<_> = traits.facts().map(|(fact, _)| (fact.evidence.occurred_at(), fact.fact.kind())).collect();
        (traits.times, traits.kinds) = own.into_iter().unzip();
        Ok(traits)
    }

    fn identifiers(&self, entity: &EntityId) -> Result<Vec<(Token, RecordIndex)>, H::Error> {
        let mut first: BTreeMap<Token, RecordIndex> = BTreeMap::new();
        for record in &*self.records(entity)? {
            for mention in facts_of(record).filter_map(|fact| mentions(&fact).remove(entity)) {
                for token in mention.tokens {
                    first.entry(token).or_insert(RecordIndex(record.index));
                }
            }
        }
        Ok(first.into_iter().collect())
    }

    fn bindings(&self, token: &Token) -> Result<Vec<(EntityId, ReplayOrder)>, H::Error> {
        let mut bindings = Vec::new();
        for fact in facts(&self.records(&EntityId::identifier(token))?) {
            let bound = mentions(&fact).into_iter().filter(|(_, mention)| mention.tokens.contains(token));
            bindings.extend(bound.map(|(entity, _)| (entity, fact.evidence.order())));
        }
        bindings.sort();
        Ok(bindings)
    }

    fn counts(&self, (_, _, index, _): &ReplayOrder, known: TreeSize) -> bool {
        let read = self.read.borrow();
        read.records.get(index).is_some_and(|record| read.readings.count(record, known))
    }

    fn runs(&self, entity: &EntityId, known: TreeSize) -> Result<Option<Runs>, H::Error> {
        let (mut runs, mut count) = (Runs::default(), 0);
        for fact in facts(&self.records(entity)?) {
            let tokens = mentions(&fact).remove(entity).map(|mention| mention.tokens).unwrap_or_default();
            if tokens.is_empty() || !self.counts(&fact.evidence.order(), known) {
                continue;
            }
            count += 1;
            if count > RUNS_FACTS_MAX {
                return Ok(None);
            }
            runs.push(fact.evidence.occurred_at(), tokens.into_iter().collect());
        }
        Ok(Some(runs))
    }

    fn requests(&self, beneficiary: &EntityId) -> Result<Vec<EntityId>, H::Error> {
        let mut tickets = BTreeSet::new();
        for fact in facts(&self.records(beneficiary)?) {
            let own = requests(&fact).into_iter().filter(|(of, _)| of == beneficiary);
            tickets.extend(own.map(|(_, ticket)| ticket));
        }
        Ok(tickets.into_iter().collect())
    }

    fn ticket(&self, ticket: &EntityId) -> Result<RecordedTicket<H::Error>, H::Error> {
        let mut facts = Vec::new();
        for record in &*self.records(ticket)? {
            let delivery = record.provenance.as_ref().map_or(Delivery::Unspecified, |provenance| provenance.delivery());
            let own = facts_of(record).filter(|fact| bearers(fact.fact, fact.source).contains(ticket));
            facts.extend(own.map(|FactAt { fact, source, evidence }| RecordedFact {
                fact: fact.clone(),
                source: source.clone(),
                evidence,
                delivery,
            }));
        }
        facts.sort_by_key(|fact| fact.evidence.order());
        Ok(RecordedTicket {
            places: facts.iter().map(|fact| fact.evidence.order()).collect(),
            facts,
            errors: PhantomData,
        })
    }

    fn tickets_with(&self, fact: &FactAt<'_>, known: TreeSize) -> Result<BTreeSet<EntityId>, H::Error> {
        let mut found = BTreeSet::new();
        for shared in correlations(fact.fact.correlation.as_ref(), fact.source) {
            let records = self.records(&shared)?;
            let rows = records.iter().flat_map(|record| {
                let own = facts_of(record)
                    .filter(|fact| correlations(fact.fact.correlation.as_ref(), fact.source).any(|one| one == shared));
                let tickets: BTreeSet<EntityId> = own.flat_map(|fact| tickets(&fact)).collect();
                tickets.into_iter().map(|ticket| Ok((RecordIndex(record.index), ticket)))
            });
            let read = self.read.borrow();
            let counts = |index| read.records.get(&index).is_some_and(|record| read.readings.count(record, known));
            first_tickets(rows, counts, known, &mut found)?;
        }
        Ok(found)
    }

    /// Evidence shows records, and not when others would have come.
    fn tickets_known_until(&self, _: TreeSize) -> Result<Option<Moment>, H::Error> {
        Ok(None)
    }

    fn declared_rules(&self, known: TreeSize) -> Result<Vec<(EntityId, RuleState)>, H::Error> {
        let records = self.records(&EntityId::matching_rules())?;
        let declares = |fact: &FactAt<'_>| fact.fact.kind() == FactKind::RuleDeclared;
        let rules: BTreeSet<EntityId> = facts(&records)
            .iter()
            .filter(|fact| declares(fact))
            .flat_map(|fact| bearers(fact.fact, fact.source))
            .collect();
        let declared = rules.into_iter().filter_map(|rule| {
            let state = replay(&rule, records.iter().map(|record| &**record), OccurredAt(Moment::MAX), known);
            state.rule.map(|declared| (rule, declared))
        });
        Ok(declared.collect())
    }
}

/// What records say that a ticket is.
pub struct RecordedTicket<E> {
    places: Vec<ReplayOrder>,
    facts: Vec<RecordedFact>,
    /// Nothing goes wrong here that has not gone wrong before.
    errors: PhantomData<E>,
}

impl<E> ToldTicket for RecordedTicket<E> {
    type Error = E;
    type Fact = RecordedFact;

    fn places(&self) -> &[ReplayOrder] {
        &self.places
    }

    fn fact(&self, number: usize) -> Result<RecordedFact, E> {
        Ok(self.facts[number].clone())
    }
}

/// A fact with what its record says of it.
#[derive(Clone, Debug)]
pub struct RecordedFact {
    fact: Fact,
    source: Source,
    evidence: Evidence,
    delivery: Delivery,
}

impl ToldFact for RecordedFact {
    fn at(&self) -> FactAt<'_> {
        FactAt { fact: &self.fact, source: &self.source, evidence: self.evidence }
    }

    fn delivery(&self) -> Delivery {
        self.delivery
    }
}

/// What one entity is, by its records.
pub struct RecordedTraits {
    entity: EntityId,
    records: Rc<[Rc<Record>]>,
    readings: Readings,
    times: Vec<OccurredAt>,
    kinds: Vec<FactKind>,
}

impl RecordedTraits {
    /// Those facts that say what it is, in their order, each with its record.
    fn facts(&self) -> impl Iterator<Item = (FactAt<'_>, &Record)> {
        let mut facts: Vec<(FactAt<'_>, &Record)> =
            self.records.iter().flat_map(|record| facts_of(record).map(move |fact| (fact, &**record))).collect();
        facts.sort_by_key(|(fact, _)| fact.evidence.order());
        facts.into_iter().filter(|(fact, _)| {
            bearers(fact.fact, fact.source).contains(&self.entity) && is_trait_of(fact, &self.entity)
        })
    }
}

impl Traits for RecordedTraits {
    fn times(&self) -> impl Iterator<Item = OccurredAt> {
        self.times.iter().copied()
    }

    fn at(&self, at: OccurredAt, known: TreeSize) -> State {
        let mut state = State::default();
        let counting = self.facts().filter(|(_, record)| self.readings.count(record, known));
        for (fact, _) in counting.take_while(|(fact, _)| fact.evidence.occurred_at() <= at) {
            apply(&mut state, &self.entity, &fact);
        }
        state
    }

    fn created_at(&self, known: TreeSize) -> Option<OccurredAt> {
        let created = self.facts().filter(|(fact, record)| {
            fact.fact.kind() == FactKind::AccountCreated && self.readings.count(record, known)
        });
        created.last().map(|(fact, _)| fact.evidence.occurred_at())
    }

    fn is_linked(&self) -> bool {
        self.kinds.contains(&FactKind::IdentityLinked)
    }

    fn is_ended(&self) -> bool {
        [FactKind::AccountDisabled, FactKind::AccountDeleted].iter().any(|kind| self.kinds.contains(kind))
    }
}
