//! What the approvals say about a change.
//!
//! Owns the gathering of what `link` judges, for any number of changes, whatever tells of single entities: who each is about,
//! and the tickets that might cover it. It judges no ticket, and prefers none of several (`verdict`). A ticket is read once,
//! and replayed once for all changes before which as many of its facts happened.

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};
use std::rc::Rc;

use counterfoil_proto::v1::{Decision, Delivery, LinkRule, Verdict};

use crate::entity::EntityId;
use crate::identity::MatchingRule;
use crate::kept::Kept;
use crate::link::{
    Candidate, Change, Judgement, asked_until, explicit_tickets, in_order, judge_explicit, judge_window,
};
use crate::people::{Aliases, People, Told, ToldFact, ToldTicket};
use crate::reconcile::Approval;
use crate::replay::{FactAt, named};
use crate::score::Score;
use crate::state::{Evidence, ReplayOrder, TicketState};
use crate::ticket::{Reached, TicketHistory};
use crate::time::{Moment, OccurredAt};
use crate::tree::TreeSize;
use crate::verdict::{Finding, Overall, choose, is_about_it};

/// A ticket, and what it says about the change.
#[derive(Debug)]
pub struct Judged {
    /// The ticket.
    pub ticket: EntityId,
    /// Whether it covers the change, and if not, why.
    pub verdict: Verdict,
    /// What that rests on; none of a ticket that is not recorded.
    pub judgement: Option<Judgement>,
    /// Somebody approved it who stands for the one whose access changed, or for its beneficiary.
    pub self_approved: bool,
    /// How well it fits, where the change does not name it.
    pub score: Option<Score>,
    /// None of one that is not recorded.
    read: Option<Rc<ReadTicket>>,
    /// The records that it rests on.
    pub records: BTreeSet<u64>,
    /// The matching rules that it rests on beside them.
    pub rules: Vec<Rc<MatchingRule>>,
}

impl Judged {
    /// The ticket as it stood at last.
    pub fn state(&self) -> Option<&TicketState> {
        self.read.as_ref().map(|read| &*read.history.last)
    }

    /// The ticket as the verdict found it: approved around the change, or else as at last.
    pub fn basis(&self) -> Option<&TicketState> {
        self.read.as_ref().map(|read| read.history.basis())
    }

    /// Since when it was cancelled, where it was.
    pub fn cancelled(&self) -> Option<Evidence> {
        self.read.as_ref().and_then(|read| read.history.cancelled())
    }

    /// Whether more entities stand for its beneficiary than were followed.
    pub fn is_cut(&self) -> bool {
        self.read.as_ref().is_some_and(|read| read.aliases.is_cut)
    }
}

/// The tickets that may cover a change, and what they come to.
#[derive(Debug)]
pub struct Found {
    /// How they were found.
    pub rule: LinkRule,
    /// The best first.
    pub judged: Vec<Judged>,
    /// What they come to.
    pub overall: Overall,
}

impl Found {
    fn new(rule: LinkRule, mut judged: Vec<Judged>) -> Self {
        let overall = choose(rule, &mut judged, |one| Finding { verdict: one.verdict, score: one.score });
        Self { rule, judged, overall }
    }

    /// The tickets that the verdict rests on: of several that merely fit, the one that was chosen.
    pub fn covering(&self) -> impl Iterator<Item = &Judged> {
        let count = if self.rule == LinkRule::Window { 1 } else { usize::MAX };
        self.judged.iter().filter(|one| one.verdict == self.overall.verdict).take(count)
    }
}

/// What the approvals say about a change, and the records that this rests on.
#[derive(Clone, Debug)]
pub struct Cover {
    /// The verdict, and until when the access was asked for.
    pub approval: Approval,
    /// The records.
    pub records: BTreeSet<u64>,
}

/// Judges changes by what is told of single entities.
pub struct Judge<T: Told> {
    /// Who is who.
    pub people: People<T>,
    tickets: Kept<EntityId, Ticket<T::Ticket>>,
    known_until: Kept<TreeSize, Option<Moment>>,
}

/// A ticket's facts, and what was replayed of them.
struct Ticket<F> {
    facts: F,
    replayed: RefCell<Replayed>,
}

/// By what was known, and how much of it had happened.
type Replayed = BTreeMap<(TreeSize, Reached), Option<Rc<ReadTicket>>>;

impl<T: Told> Judge<T> {
    /// By what is told.
    pub fn new(told: T) -> Self {
        Self { people: People::new(told), tickets: Kept::new(), known_until: Kept::new() }
    }

    /// What the approvals say about a fact that changed access, in short.
    pub fn cover(&mut self, fact: &FactAt<'_>, delivery: Delivery, size: TreeSize) -> Result<Cover, T::Error> {
        let aliases = self.beneficiary(fact, size)?;
        let change = Change::new(*fact, delivery, aliases.entities());
        let found = self.judge(&change, &aliases, size)?;
        let covering: Vec<&Judged> = found.covering().collect();
        // As long as one of them asks for it.
        let until: Vec<_> =
            covering.iter().filter_map(|one| one.basis()).map(|basis| asked_until(fact, basis)).collect();
        let mut records = BTreeSet::from([fact.evidence.index]);
        records.extend(covering.iter().flat_map(|one| one.records.iter().copied()));
        let until = if until.contains(&None) { None } else { until.into_iter().flatten().max() };
        Ok(Cover { approval: Approval { verdict: found.overall.verdict, until }, records })
    }

    /// Everyone whose access the change was about. What an entitlement means is about nobody in particular.
    pub fn beneficiary(&mut self, fact: &FactAt<'_>, size: TreeSize) -> Result<Rc<Aliases>, T::Error> {
        let subject = fact.fact.subject.as_ref();
        let start = subject.map(|subject| named(subject, fact.source)).unwrap_or_default();
        self.people.aliases(start, fact.evidence.occurred_at(), size)
    }

    /// Up to when the first `size` records tell of tickets; none where nobody can tell.
    ///
    /// # Errors
    /// Likewise.
    pub fn tickets_known_until(&mut self, size: TreeSize) -> Result<Option<Moment>, T::Error> {
        let told = self.people.told();
        self.known_until.get(&size, || told.tickets_known_until(size)).map(|until| *until)
    }

    /// What each ticket that may cover a change says about it: those that it names; where it names none, those that its
    /// transaction or request names and that are about it; or else those that fit.
    pub fn judge(&mut self, change: &Change<'_>, aliases: &Aliases, size: TreeSize) -> Result<Found, T::Error> {
        let mut named = explicit_tickets(&change.fact);
        named.dedup();
        if !named.is_empty() {
            let mut judged = Vec::with_capacity(named.len());
            for ticket in named {
                let judgement = self.judge_one(&ticket, LinkRule::Explicit, change, aliases, size)?;
                judged.push(judgement.unwrap_or_else(|| Judged {
                    ticket,
                    verdict: Verdict::TicketUnknown,
                    judgement: None,
                    self_approved: false,
                    score: None,
                    read: None,
                    records: BTreeSet::from([change.fact.evidence.index]),
                    rules: Vec::new(),
                }));
            }
            return Ok(Found::new(LinkRule::Explicit, judged));
        }
        let with = self.people.told().tickets_with(&change.fact, size)?;
        let mut correlated = self.judge_all(&with, LinkRule::Correlation, change, aliases, size)?;
        correlated.retain(|one| is_about_it(one.verdict));
        // What does not say for whom or what it is leaves room for one that does.
        if correlated.iter().any(|one| one.verdict != Verdict::ApprovedUnspecific) {
            return Ok(Found::new(LinkRule::Correlation, correlated));
        }
        let fitting = self.people.tickets_for(aliases, size)?;
        let fitting = self.judge_all(fitting.iter(), LinkRule::Window, change, aliases, size)?;
        Ok(match fitting.is_empty() && !correlated.is_empty() {
            true => Found::new(LinkRule::Correlation, correlated),
            false => Found::new(LinkRule::Window, fitting),
        })
    }

    fn judge_all<'t>(
        &mut self,
        tickets: impl IntoIterator<Item = &'t EntityId>,
        rule: LinkRule,
        change: &Change<'_>,
        aliases: &Aliases,
        size: TreeSize,
    ) -> Result<Vec<Judged>, T::Error> {
        let mut judged = Vec::new();
        for ticket in tickets {
            judged.extend(self.judge_one(ticket, rule, change, aliases, size)?);
        }
        Ok(judged)
    }

    /// What one ticket says about a change; none if it says nothing.
    fn judge_one(
        &mut self,
        ticket: &EntityId,
        rule: LinkRule,
        change: &Change<'_>,
        aliases: &Aliases,
        size: TreeSize,
    ) -> Result<Option<Judged>, T::Error> {
        let Some(read) = self.ticket(ticket, &change.fact, size)? else { return Ok(None) };
        let Some(now) = read.judge(rule, change) else { return Ok(None) };
        let records = read.rests_on(change, aliases);
        // Whether it was approved by what the ledger knew before the change; among old logs that order says nothing.
        let before = TreeSize(change.fact.evidence.place + 1);
        let is_late = records.last().is_some_and(|last| *last >= before.0) && !now.order_on_sources_word;
        let judgement = match now.verdict == Verdict::Approved && is_late {
            false => now,
            true => {
                let aliases = self.beneficiary(&change.fact, before)?;
                let change = Change::new(change.fact, change.delivery, aliases.entities());
                let then = self.ticket(ticket, &change.fact, before)?.and_then(|read| read.judge(rule, &change));
                in_order(&change, &read.candidate(), now, then)
            }
        };
        Ok(Some(Judged {
            ticket: ticket.clone(),
            verdict: judgement.verdict,
            judgement: Some(judgement),
            self_approved: read.is_self_approved(aliases),
            score: (rule == LinkRule::Window).then(|| Score::of(change, &read.candidate())),
            rules: read.rules(aliases),
            read: Some(read),
            records,
        }))
    }

    /// A ticket as its known records leave it at the moments that count; none if they say nothing about it.
    fn ticket(
        &mut self,
        ticket: &EntityId,
        change: &FactAt<'_>,
        size: TreeSize,
    ) -> Result<Option<Rc<ReadTicket>>, T::Error> {
        let told = self.people.told();
        let kept = self
            .tickets
            .get(ticket, || Ok::<_, T::Error>(Ticket { facts: told.ticket(ticket)?, replayed: RefCell::default() }))?;
        let places = kept.facts.places();
        let is_known = |place: &&ReplayOrder| told.counts(place, size);
        let reached = Reached::by(change, |moment| {
            let happened = places.partition_point(|place| place.0.0 <= moment);
            places[..happened].iter().filter(is_known).count()
        });
        if let Some(replayed) = kept.replayed.borrow().get(&(size, reached)) {
            return Ok(replayed.clone());
        }
        let known =
            places.iter().enumerate().filter(|(_, place)| is_known(place)).map(|(number, _)| kept.facts.fact(number));
        let known = known.collect::<Result<Vec<_>, _>>()?;
        let replayed = self.replay(ticket, &known, reached, size)?.map(Rc::new);
        kept.replayed.borrow_mut().insert((size, reached), replayed.clone());
        Ok(replayed)
    }

    fn replay(
        &mut self,
        ticket: &EntityId,
        known: &[T::Fact],
        reached: Reached,
        size: TreeSize,
    ) -> Result<Option<ReadTicket>, T::Error> {
        let facts: Vec<FactAt<'_>> = known.iter().map(ToldFact::at).collect();
        let Some(history) = TicketHistory::replay(ticket, &facts, reached) else { return Ok(None) };
        let is_backfill = known.iter().all(|fact| fact.delivery() == Delivery::Backfill);
        let opened = OccurredAt(history.opened_at());
        let mut stands_for = |version: &TicketState| {
            let named = version.beneficiary.iter().filter_map(|id| id.parse().ok()).collect();
            self.people.aliases(named, opened, size)
        };
        let aliases = stands_for(history.approved())?;
        let edited = stands_for(history.at_change())?;
        Ok(Some(ReadTicket {
            aliases,
            edited,
            delivery: if is_backfill { Delivery::Backfill } else { Delivery::Live },
            records: facts.iter().map(|fact| fact.evidence.index).collect(),
            history,
        }))
    }
}

/// A ticket and the records that it rests on.
#[derive(Debug)]
struct ReadTicket {
    history: TicketHistory,
    /// Everyone who stood for its beneficiary when it was opened.
    aliases: Rc<Aliases>,
    /// The same of the ticket as it was edited by the change.
    edited: Rc<Aliases>,
    delivery: Delivery,
    records: BTreeSet<u64>,
}

impl ReadTicket {
    fn candidate(&self) -> Candidate<'_> {
        Candidate {
            history: &self.history,
            beneficiary: self.aliases.entities(),
            edited_beneficiary: self.edited.entities(),
            delivery: self.delivery,
        }
    }

    fn judge(&self, rule: LinkRule, change: &Change<'_>) -> Option<Judgement> {
        match rule {
            LinkRule::Window => judge_window(change, &self.candidate()),
            _ => Some(judge_explicit(change, &self.candidate())),
        }
    }

    /// Whether somebody approved it who stands for the one whose access changed, or for the ticket's beneficiary.
    fn is_self_approved(&self, aliases: &Aliases) -> bool {
        let rows = self.history.basis().approvals.values();
        let approved = rows.filter(|row| row.decision() == Decision::Approved);
        let mut deciders = approved.map(|row| if row.decided_by.is_empty() { &row.approver } else { &row.decided_by });
        deciders.any(|decider| {
            let entity = decider.parse::<EntityId>();
            entity.is_ok_and(|entity| self.aliases.entities().contains(&entity) || aliases.entities().contains(&entity))
        })
    }

    /// The rules by which the ticket's beneficiary is that of the change.
    fn rules(&self, aliases: &Aliases) -> Vec<Rc<MatchingRule>> {
        let mut rules: Vec<Rc<MatchingRule>> = Vec::new();
        for rule in aliases.rules(&self.aliases).chain(self.aliases.rules(aliases)) {
            if !rules.contains(rule) {
                rules.push(rule.clone());
            }
        }
        rules
    }

    /// The link rests on the change, on the ticket, and on whatever makes its beneficiary that of the change.
    fn rests_on(&self, change: &Change<'_>, aliases: &Aliases) -> BTreeSet<u64> {
        let mut records = self.records.clone();
        records.insert(change.fact.evidence.index);
        records.extend(aliases.records(&self.aliases));
        records.extend(self.aliases.records(aliases));
        records
    }
}
