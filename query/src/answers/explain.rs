//! Which approval covers a change.
//!
//! Owns the gathering of what `verify::link` judges: the change, who it is about, and the tickets that might cover it; and
//! the one verdict over several tickets. It never judges a single ticket, and never prefers one of several that fit.

use std::collections::BTreeSet;

use counterfoil_proto::v1::{
    Decision, Delivery, ExplainChangeResponse, Explanation, LinkRule, LinkedTicket, Record, Verdict,
};
use counterfoil_verify::entity::EntityId;
use counterfoil_verify::link::{
    Candidate, Change, Judgement, RULE_VERSION, asked_until, explicit_tickets, in_order, is_in_time, judge_explicit,
    judge_window,
};
use counterfoil_verify::reconcile::Approval;
use counterfoil_verify::replay::{FactAt, facts_of, named};
use counterfoil_verify::state::{Evidence, TicketState};
use counterfoil_verify::ticket::TicketHistory;
use counterfoil_verify::time::{Moment, OccurredAt, RecordedAt};
use counterfoil_verify::tree::{RecordIndex, TreeSize};

use crate::answers::Query;
use crate::answers::aliases::Aliases;
use crate::answers::convert::evidence;
use crate::answers::parties::Parties;
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

/// A ticket as it stood at last, and what it says about the change.
pub(crate) struct Judged {
    pub(crate) ticket: EntityId,
    pub(crate) state: Option<TicketState>,
    /// The ticket as the verdict found it: approved around the change, or else as at last.
    pub(crate) basis: Option<TicketState>,
    pub(crate) cancelled: Option<Evidence>,
    pub(crate) verdict: Verdict,
    pub(crate) judgement: Option<Judgement>,
    pub(crate) self_approved: bool,
    /// More entities stand for its beneficiary than were followed.
    is_cut: bool,
    records: BTreeSet<u64>,
}

/// What the approvals say about a change, and the records that this rests on.
#[derive(Clone, Debug)]
pub(crate) struct Cover {
    pub(crate) approval: Approval,
    pub(crate) records: BTreeSet<u64>,
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

    /// What covers one fact, by the first `size` records.
    pub(crate) fn explain_fact(&self, record: &Record, fact: &FactAt<'_>, size: TreeSize) -> Result<Explanation> {
        let provenance = record.provenance.clone().unwrap_or_default();
        let parties = self.parties(size);
        let mut explanation = Explanation {
            change: Some(evidence(&fact.evidence)),
            event_id: provenance.event_id.clone(),
            kind: fact.fact.kind,
            outcome: fact.fact.outcome,
            subject: parties.named(&fact.fact.subject, fact.source)?,
            object: parties.named(&fact.fact.object, fact.source)?,
            executor: parties.named(&fact.fact.actor, fact.source)?,
            credential: parties.named(&fact.fact.via, fact.source)?,
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
            explanation.beneficiary_cut = aliases.is_cut || judged.iter().any(|one| one.is_cut);
        }
        explanation.tickets = judged.iter().map(|one| parties.linked_ticket(one)).collect::<Result<_>>()?;
        explanation.summary = parties.summary(&explanation, fact, &judged)?;
        Ok(explanation)
    }

    /// What the approvals say about a fact that changed access, in short.
    pub(crate) fn cover(&self, fact: &FactAt<'_>, delivery: Delivery, size: TreeSize) -> Result<Cover> {
        let aliases = self.beneficiary(fact, size)?;
        let beneficiary = aliases.set();
        let change = Change { fact: *fact, delivery, beneficiary: &beneficiary };
        let (rule, judged) = self.judge(&change, &aliases, size)?;
        let verdict = overall(rule, &judged);
        let covering: Vec<&Judged> = judged.iter().filter(|one| one.verdict == verdict).collect();
        // As long as one of them asks for it.
        let until: Vec<_> =
            covering.iter().filter_map(|one| one.basis.as_ref()).map(|basis| asked_until(fact, basis)).collect();
        let mut records = BTreeSet::from([fact.evidence.index]);
        records.extend(covering.iter().flat_map(|one| one.records.iter().copied()));
        let until = if until.contains(&None) { None } else { until.into_iter().flatten().max() };
        Ok(Cover { approval: Approval { verdict, until }, records })
    }

    /// Everyone whose access the change was about. What an entitlement means is about nobody in particular.
    fn beneficiary(&self, fact: &FactAt<'_>, size: TreeSize) -> Result<Aliases> {
        let subject = fact.fact.subject.as_ref();
        let start = subject.map(|subject| named(subject, fact.source)).unwrap_or_default();
        self.aliases(start, fact.evidence.occurred_at(), size)
    }

    fn judge(&self, change: &Change<'_>, aliases: &Aliases, size: TreeSize) -> Result<(LinkRule, Vec<Judged>)> {
        let mut named = explicit_tickets(&change.fact);
        named.dedup();
        let mut judged = Vec::new();
        for ticket in &named {
            let judgement = self.judge_one(ticket, LinkRule::Explicit, change, aliases, size)?;
            judged.push(judgement.unwrap_or_else(|| Judged {
                ticket: ticket.clone(),
                state: None,
                basis: None,
                cancelled: None,
                verdict: Verdict::TicketUnknown,
                judgement: None,
                self_approved: false,
                is_cut: false,
                records: BTreeSet::from([change.fact.evidence.index]),
            }));
        }
        if !named.is_empty() {
            judged.sort_by_key(|one| rank(one.verdict));
            return Ok((LinkRule::Explicit, judged));
        }
        for ticket in &self.tickets_for(aliases, size)? {
            judged.extend(self.judge_one(ticket, LinkRule::Window, change, aliases, size)?);
        }
        // What was approved in time leaves no doubt; what was approved late, none beside what never was.
        for is_preferred in [is_in_time, is_approved] {
            if judged.iter().any(|one| is_preferred(one.verdict)) {
                judged.retain(|one| is_preferred(one.verdict));
            }
        }
        judged.sort_by_key(|one| rank(one.verdict));
        Ok((LinkRule::Window, judged))
    }

    /// What one ticket says about a change; none if it says nothing.
    fn judge_one(
        &self,
        ticket: &EntityId,
        rule: LinkRule,
        change: &Change<'_>,
        aliases: &Aliases,
        size: TreeSize,
    ) -> Result<Option<Judged>> {
        let Some(read) = self.ticket(ticket, change, size)? else { return Ok(None) };
        let Some(now) = read.judge(rule, change) else { return Ok(None) };
        let records = read.rests_on(change, aliases);
        // Whether it was approved by what the ledger knew before the change; among old logs that order says nothing.
        let before = TreeSize(change.fact.evidence.index + 1);
        let is_late = records.last().is_some_and(|last| *last >= before.0) && !now.order_on_sources_word;
        let judgement = match now.verdict == Verdict::Approved && is_late {
            false => now,
            true => {
                let aliases = self.beneficiary(&change.fact, before)?.set();
                let change = Change { beneficiary: &aliases, ..*change };
                let then = self.ticket(ticket, &change, before)?.and_then(|read| read.judge(rule, &change));
                in_order(&change, &read.candidate(), now, then)
            }
        };
        Ok(Some(Judged {
            ticket: ticket.clone(),
            self_approved: read.is_self_approved(aliases),
            is_cut: read.aliases.is_cut,
            verdict: judgement.verdict,
            judgement: Some(judgement),
            records,
            basis: Some(read.history.basis().clone()),
            cancelled: read.history.cancelled(),
            state: Some(read.history.last),
        }))
    }

    /// A ticket as its known records leave it at the moments that count; none if they say nothing about it.
    fn ticket(&self, ticket: &EntityId, change: &Change<'_>, size: TreeSize) -> Result<Option<ReadTicket>> {
        let end = OccurredAt(Moment::MAX);
        let deltas = deltas::read(&self.view, &entity_prefix(ticket), FIRST, end, size)?;
        let deltas = deltas.collect::<Result<Vec<_>>>()?;
        let facts: Vec<FactAt<'_>> = deltas.iter().map(|(position, delta)| delta.at(*position)).collect();
        let Some(history) = TicketHistory::replay(ticket, &facts, &change.fact) else { return Ok(None) };
        let is_backfill = deltas.iter().all(|(_, delta)| delta.delivery() == Delivery::Backfill);
        let opened = OccurredAt(history.opened_at());
        let stands_for = |version: &TicketState| {
            let named = version.beneficiary.iter().filter_map(|id| id.parse().ok()).collect();
            self.aliases(named, opened, size)
        };
        let aliases = stands_for(history.approved())?;
        let edited = stands_for(history.at_change())?;
        Ok(Some(ReadTicket {
            beneficiary: aliases.set(),
            edited_beneficiary: edited.set(),
            aliases,
            delivery: if is_backfill { Delivery::Backfill } else { Delivery::Live },
            records: deltas.iter().map(|(position, _)| position.1.0).collect(),
            history,
        }))
    }
}

impl Parties<'_, '_> {
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
    history: TicketHistory,
    /// Everyone who stood for its beneficiary when it was opened.
    aliases: Aliases,
    beneficiary: BTreeSet<EntityId>,
    edited_beneficiary: BTreeSet<EntityId>,
    delivery: Delivery,
    records: BTreeSet<u64>,
}

impl ReadTicket {
    fn candidate(&self) -> Candidate<'_> {
        Candidate {
            history: &self.history,
            beneficiary: &self.beneficiary,
            edited_beneficiary: &self.edited_beneficiary,
            delivery: self.delivery,
        }
    }

    fn judge(&self, rule: LinkRule, change: &Change<'_>) -> Option<Judgement> {
        match rule {
            LinkRule::Explicit => Some(judge_explicit(change, &self.candidate())),
            _ => judge_window(change, &self.candidate()),
        }
    }

    /// Whether somebody approved it who stands for the one whose access changed, or for the ticket's beneficiary.
    fn is_self_approved(&self, aliases: &Aliases) -> bool {
        let rows = self.history.basis().approvals.values();
        let approved = rows.filter(|row| row.decision() == Decision::Approved);
        let mut deciders = approved.map(|row| if row.decided_by.is_empty() { &row.approver } else { &row.decided_by });
        deciders.any(|decider| {
            let entity = decider.parse::<EntityId>();
            entity.is_ok_and(|entity| self.beneficiary.contains(&entity) || aliases.contains(&entity))
        })
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
    is_in_time(verdict) || verdict == Verdict::ApprovedLate
}

fn rank(verdict: Verdict) -> u8 {
    match verdict {
        Verdict::Approved => 0,
        Verdict::ApprovedRecordedLate => 1,
        Verdict::ApprovedUnspecific => 2,
        Verdict::ApprovedLate => 3,
        Verdict::EditedAfterApproval => 4,
        Verdict::Pending => 5,
        Verdict::Rejected => 6,
        Verdict::OutOfWindow => 7,
        Verdict::OutOfScope => 8,
        Verdict::OtherBeneficiary => 9,
        _ => 10,
    }
}
