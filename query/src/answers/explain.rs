//! Which approval covers a change.
//!
//! Owns the gathering of what `verify::link` judges: the change, who it is about, and the tickets that might cover it; and
//! the one verdict over several tickets. It never judges a single ticket, and never prefers one of several that fit.

use std::collections::BTreeSet;

use counterfoil_proto::v1::{
    Decision, Delivery, ExplainChangeResponse, Explanation, LinkRule, LinkedTicket, Record, Verdict,
};
use counterfoil_verify::entity::EntityId;
use counterfoil_verify::fact::{Group, kind_group};
use counterfoil_verify::link::{
    Candidate, Change, Judgement, RULE_VERSION, explicit_tickets, judge_explicit, judge_window, latest_moment,
    named_beneficiary,
};
use counterfoil_verify::replay::{FactAt, facts_of, named};
use counterfoil_verify::state::{State, TicketState};
use counterfoil_verify::time::{Moment, OccurredAt, RecordedAt};
use counterfoil_verify::tree::{RecordIndex, TreeSize};

use crate::answers::aliases::Aliases;
use crate::answers::convert::evidence;
use crate::answers::{Period, Query};
use crate::error::{QueryError, Result};
use crate::views::keys::{FIRST, entity_prefix};
use crate::views::{changes, deltas};

/// Which change.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ChangeSelector {
    /// A record, and the number of a fact in it; without one, every change of access in it.
    Record(RecordIndex, Option<u32>),
    /// An event, by its id at the source.
    Event(String),
}

/// Which of the changes to list.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ExplainFilter {
    /// Every change that gave access.
    All,
    /// Those that no approval is shown to have preceded: every verdict but approved and approved, recorded late.
    Unapproved,
}

/// A ticket as it stood at last, and what it says about the change.
pub(crate) struct Judged {
    pub(crate) ticket: EntityId,
    pub(crate) state: Option<TicketState>,
    pub(crate) verdict: Verdict,
    pub(crate) judgement: Option<Judgement>,
    pub(crate) self_approved: bool,
    records: BTreeSet<u64>,
}

impl Query<'_> {
    /// Which approval covers a change: one explanation for each fact that changed access.
    ///
    /// # Errors
    /// [`QueryError::NoSuchEvent`], [`QueryError::NoSuchFact`] and [`QueryError::NotKnownThen`].
    pub fn explain(&self, change: &ChangeSelector, known: Option<RecordedAt>) -> Result<ExplainChangeResponse> {
        let size = self.known_size(known)?;
        let explanations = match change {
            ChangeSelector::Record(index, fact) => {
                self.check_known(*index, size)?;
                self.explain_record(&self.reader.record(*index)?, *fact, size)?
            }
            ChangeSelector::Event(event_id) => self.explain_event(event_id, size)?,
        };
        Ok(ExplainChangeResponse {
            basis: Some(self.basis()),
            moment: Some(self.moment(None, known, size)?),
            explanations,
        })
    }

    /// Explains every change that gave access in a period, in the order in which they happened.
    pub fn explain_all(
        &self,
        period: Period,
        known: Option<RecordedAt>,
        filter: ExplainFilter,
    ) -> Result<impl Iterator<Item = Result<Explanation>> + '_> {
        let size = self.known_size(known)?;
        let explain = move |position: Result<_>| {
            let (_, index, fact) = position?;
            let record = self.reader.record(index)?;
            let found = facts_of(&record).find(|found| found.evidence.fact == fact);
            let found = found.ok_or(QueryError::NoSuchFact { index, fact, count: facts_of(&record).count() })?;
            self.explain_fact(&record, &found, size)
        };
        let is_listed = move |explanation: &Result<Explanation>| match (filter, explanation) {
            (ExplainFilter::Unapproved, Ok(explanation)) => {
                !matches!(explanation.verdict(), Verdict::Approved | Verdict::ApprovedRecordedLate)
            }
            _ => true,
        };
        Ok(changes::read(&self.view, period.from, period.to, size)?.map(explain).filter(is_listed))
    }

    fn explain_event(&self, event_id: &str, size: TreeSize) -> Result<Vec<Explanation>> {
        let mut explanations = Vec::new();
        for index in changes::records_of(&self.view, event_id)? {
            let record = self.reader.record(index)?;
            let is_meant = record.provenance.as_ref().is_some_and(|provenance| provenance.event_id == event_id);
            if is_meant && index.0 < size.0 {
                explanations.extend(self.explain_record(&record, None, size)?);
            }
        }
        if explanations.is_empty() {
            return Err(QueryError::NoSuchEvent(event_id.to_owned()));
        }
        Ok(explanations)
    }

    /// Explains one fact; or every change of access in the record; or, where there is none, its first fact.
    fn explain_record(&self, record: &Record, fact: Option<u32>, size: TreeSize) -> Result<Vec<Explanation>> {
        let facts: Vec<FactAt<'_>> = facts_of(record).collect();
        let mut chosen: Vec<&FactAt<'_>> = match fact {
            Some(number) => facts.iter().filter(|fact| fact.evidence.fact == number).collect(),
            None => facts.iter().filter(|fact| changes::changes_access(fact.fact)).collect(),
        };
        if fact.is_none() && chosen.is_empty() {
            chosen.extend(facts.first());
        }
        if chosen.is_empty() {
            let (index, count) = (RecordIndex(record.index), facts.len());
            return Err(QueryError::NoSuchFact { index, fact: fact.unwrap_or_default(), count });
        }
        chosen.into_iter().map(|fact| self.explain_fact(record, fact, size)).collect()
    }

    fn explain_fact(&self, record: &Record, fact: &FactAt<'_>, size: TreeSize) -> Result<Explanation> {
        let provenance = record.provenance.clone().unwrap_or_default();
        let mut explanation = Explanation {
            change: Some(evidence(&fact.evidence)),
            event_id: provenance.event_id.clone(),
            kind: fact.fact.kind,
            outcome: fact.fact.outcome,
            subject: self.party_named(&fact.fact.subject, fact.source)?,
            object: self.party_named(&fact.fact.object, fact.source)?,
            executor: self.party_named(&fact.fact.actor, fact.source)?,
            credential: self.party_named(&fact.fact.via, fact.source)?,
            verdict: Verdict::NotAChange.into(),
            ..Explanation::default()
        };
        let mut judged = Vec::new();
        if changed_access(fact) {
            let aliases = self.beneficiary(fact, size)?;
            let beneficiary = aliases.set();
            let change = Change { fact: *fact, delivery: provenance.delivery(), beneficiary: &beneficiary };
            let (rule, found) = self.judge(&change, &aliases, size)?;
            judged = found;
            let verdict = overall(rule, &judged);
            let decisive = judged.iter().filter(|one| one.verdict == verdict).filter_map(|one| one.judgement);
            explanation.set_verdict(verdict);
            explanation.order_on_sources_word = decisive.clone().any(|judgement| judgement.order_on_sources_word);
            explanation.set_rule(if judged.is_empty() { LinkRule::Unspecified } else { rule });
            explanation.rule_version = RULE_VERSION;
            explanation.beneficiary_cut = aliases.is_cut;
        }
        explanation.tickets = judged.iter().map(|one| self.linked_ticket(one)).collect::<Result<_>>()?;
        explanation.summary = self.summary(&explanation, fact, &judged)?;
        Ok(explanation)
    }

    /// Everyone whose access the change was about; where the fact names nobody, its object stands for itself. What an
    /// entitlement means is about nobody in particular.
    fn beneficiary(&self, fact: &FactAt<'_>, size: TreeSize) -> Result<Aliases> {
        if kind_group(fact.fact.kind()) == Group::Entitlement {
            return Ok(Aliases::default());
        }
        let reference = fact.fact.subject.as_ref().or(fact.fact.object.as_ref());
        let start = reference.map(|reference| named(reference, fact.source)).unwrap_or_default();
        self.aliases(start, fact.evidence.occurred_at(), size)
    }

    fn judge(&self, change: &Change<'_>, aliases: &Aliases, size: TreeSize) -> Result<(LinkRule, Vec<Judged>)> {
        let mut named = explicit_tickets(&change.fact);
        named.dedup();
        let mut judged = Vec::new();
        for ticket in &named {
            judged.push(match self.ticket(ticket, change, size)? {
                Some(read) => {
                    let judgement = judge_explicit(change, &read.candidate());
                    read.judged(ticket, change, judgement, aliases)
                }
                None => Judged {
                    ticket: ticket.clone(),
                    state: None,
                    verdict: Verdict::TicketUnknown,
                    judgement: None,
                    self_approved: false,
                    records: BTreeSet::from([change.fact.evidence.index]),
                },
            });
        }
        if !named.is_empty() {
            judged.sort_by_key(|one| rank(one.verdict));
            return Ok((LinkRule::Explicit, judged));
        }
        for ticket in &self.tickets_for(aliases, size)? {
            let Some(read) = self.ticket(ticket, change, size)? else { continue };
            if let Some(judgement) = judge_window(change, &read.candidate()) {
                judged.push(read.judged(ticket, change, judgement, aliases));
            }
        }
        if judged.iter().any(|one| is_approved(one.verdict)) {
            judged.retain(|one| is_approved(one.verdict));
        }
        judged.sort_by_key(|one| rank(one.verdict));
        Ok((LinkRule::Window, judged))
    }

    /// A ticket as all its known records leave it, and as it stood at the change; none if they say nothing about it.
    fn ticket(&self, ticket: &EntityId, change: &Change<'_>, size: TreeSize) -> Result<Option<ReadTicket>> {
        let changed_at = latest_moment(&change.fact);
        let mut at_change = None;
        let mut state = State::default();
        let mut records = BTreeSet::new();
        let mut is_backfill = true;
        let end = OccurredAt(Moment::MAX);
        for delta in deltas::read(&self.view, &entity_prefix(ticket), FIRST, end, size)? {
            let (position, delta) = delta?;
            if position.0.0 > changed_at && at_change.is_none() {
                at_change = Some(state.ticket.clone());
            }
            delta.apply(&mut state, ticket, position);
            is_backfill &= delta.delivery() == Delivery::Backfill;
            records.insert(position.1.0);
        }
        let delivery = if is_backfill { Delivery::Backfill } else { Delivery::Live };
        let at_change = at_change.unwrap_or_else(|| state.ticket.clone());
        let Some(state) = state.ticket else { return Ok(None) };
        let named = named_beneficiary(&state, at_change.as_ref()).iter().filter_map(|id| id.parse().ok()).collect();
        let opened = state.opened.as_ref().unwrap_or(&state.evidence).occurred_at();
        let aliases = self.aliases(named, opened, size)?;
        let beneficiary = aliases.set();
        Ok(Some(ReadTicket { state, at_change, aliases, beneficiary, delivery, records }))
    }

    fn linked_ticket(&self, judged: &Judged) -> Result<LinkedTicket> {
        Ok(LinkedTicket {
            ticket: Some(self.party(&judged.ticket)?),
            state: judged.state.as_ref().map(|state| self.ticket_message(state)).transpose()?,
            verdict: judged.verdict.into(),
            records: judged.records.iter().copied().collect(),
            self_approved: judged.self_approved,
        })
    }
}

/// A ticket and the records that it rests on.
struct ReadTicket {
    state: TicketState,
    at_change: Option<TicketState>,
    /// Everyone who stood for its beneficiary when it was opened.
    aliases: Aliases,
    beneficiary: BTreeSet<EntityId>,
    delivery: Delivery,
    records: BTreeSet<u64>,
}

impl ReadTicket {
    fn candidate(&self) -> Candidate<'_> {
        Candidate {
            state: &self.state,
            at_change: self.at_change.as_ref(),
            beneficiary: &self.beneficiary,
            delivery: self.delivery,
        }
    }

    /// Whether somebody approved it who stands for the one whose access changed, or for the ticket's beneficiary.
    fn is_self_approved(&self, aliases: &Aliases) -> bool {
        let approved = self.state.approvals.values().filter(|row| row.decision() == Decision::Approved);
        let mut deciders = approved.map(|row| if row.decided_by.is_empty() { &row.approver } else { &row.decided_by });
        deciders.any(|decider| {
            let entity = decider.parse::<EntityId>();
            entity.is_ok_and(|entity| self.beneficiary.contains(&entity) || aliases.contains(&entity))
        })
    }

    /// The link rests on the change, on the ticket, and on whatever makes its beneficiary that of the change.
    fn judged(mut self, ticket: &EntityId, change: &Change<'_>, judgement: Judgement, aliases: &Aliases) -> Judged {
        self.records.insert(change.fact.evidence.index);
        self.records.extend(aliases.records(&self.aliases));
        self.records.extend(self.aliases.records(aliases));
        Judged {
            ticket: ticket.clone(),
            self_approved: self.is_self_approved(aliases),
            verdict: judgement.verdict,
            judgement: Some(judgement),
            records: self.records,
            state: Some(self.state),
        }
    }
}

/// Whether a fact is a change of access that took place.
fn changed_access(fact: &FactAt<'_>) -> bool {
    let is_success = fact.fact.outcome() == counterfoil_proto::v1::Outcome::Success;
    let is_logged = fact.fact.confidence() != counterfoil_proto::v1::Confidence::Snapshot;
    changes::changes_access(fact.fact) && is_success && is_logged
}

/// The verdict over all tickets, the best first. A change that names several tickets is covered by the best of them;
/// of several that merely fit, nothing tells which is meant.
fn overall(rule: LinkRule, judged: &[Judged]) -> Verdict {
    match (rule, judged) {
        (_, []) => Verdict::NoneRecorded,
        (LinkRule::Explicit, [best, ..]) | (_, [best]) => best.verdict,
        _ => Verdict::Ambiguous,
    }
}

fn is_approved(verdict: Verdict) -> bool {
    matches!(verdict, Verdict::Approved | Verdict::ApprovedRecordedLate | Verdict::ApprovedLate)
}

fn rank(verdict: Verdict) -> u8 {
    match verdict {
        Verdict::Approved => 0,
        Verdict::ApprovedRecordedLate => 1,
        Verdict::ApprovedUnspecific => 2,
        Verdict::ApprovedLate => 3,
        Verdict::Pending => 4,
        Verdict::Rejected => 5,
        Verdict::OutOfWindow => 6,
        Verdict::OutOfScope => 7,
        Verdict::OtherBeneficiary => 8,
        _ => 9,
    }
}
