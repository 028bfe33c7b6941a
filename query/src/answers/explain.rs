//! Which approval covers a change.
//!
//! Owns which facts of a record are explained, and the message. What the approvals say is `judge`'s to find.

use counterfoil_proto::v1::{ExplainChangeResponse, Explanation, LinkRule, LinkScore, LinkedTicket, Record, Verdict};
use counterfoil_verify::judge::Judged;
use counterfoil_verify::link::{Change, RULE_VERSION, is_provisional};
use counterfoil_verify::replay::{FactAt, facts_of};
use counterfoil_verify::score::Score;
use counterfoil_verify::time::RecordedAt;
use counterfoil_verify::tree::{RecordIndex, TreeSize};

use crate::answers::Query;
use crate::answers::convert::{evidence, rule_use, timestamp};
use crate::answers::judge::Judge;
use crate::answers::parties::Parties;
use crate::answers::reversal::Timelines;
use crate::error::{QueryError, Result};
use crate::views::changes::{self, Effect};

/// Which change.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ChangeSelector {
    /// A record, and the number of a fact in it; without one, every change of access in it.
    Record(RecordIndex, Option<u32>),
    /// An event, by its id at the source.
    Event(String),
}

impl Query<'_> {
    /// Which approval covers a change: one explanation for each fact that changed access.
    ///
    /// # Errors
    /// [`QueryError::NoSuchEvent`], [`QueryError::NoSuchFact`] and [`QueryError::NotKnownThen`].
    pub fn explain(&self, change: &ChangeSelector, known: Option<RecordedAt>) -> Result<ExplainChangeResponse> {
        let size = self.known_size(known)?;
        let (records, fact) = self.asked_about(change, size)?;
        let (mut judge, mut timelines) = (self.judge(), Timelines::new(self, size)?);
        let mut explanations = Vec::new();
        for record in &records {
            for fact in chosen(record, fact)? {
                let mut explanation = self.explain_fact(record, &fact, size, &mut judge)?;
                self.rule(&mut explanation, &fact, &mut timelines, &mut judge)?;
                explanations.push(explanation);
            }
        }
        Ok(ExplainChangeResponse {
            basis: Some(self.basis()),
            moment: Some(self.moment(None, known, size)?),
            explanations,
        })
    }

    /// The record and the number of the one fact that is meant.
    ///
    /// # Errors
    /// Those, and [`QueryError::SeveralChanges`].
    pub fn one_change(&self, change: &ChangeSelector, known: Option<RecordedAt>) -> Result<(RecordIndex, u32)> {
        let size = self.known_size(known)?;
        let (records, fact) = self.asked_about(change, size)?;
        let mut places = Vec::new();
        for record in &records {
            places.extend(chosen(record, fact)?.iter().map(|fact| (RecordIndex(record.index), fact.evidence.fact)));
        }
        match places[..] {
            [one] => Ok(one),
            _ => {
                let named: Vec<String> = places.iter().map(|(record, fact)| format!("{record}.{fact}")).collect();
                Err(QueryError::SeveralChanges(named.join(", ")))
            }
        }
    }

    fn asked_about(&self, change: &ChangeSelector, size: TreeSize) -> Result<(Vec<Record>, Option<u32>)> {
        match change {
            ChangeSelector::Record(index, fact) => {
                self.check_known(*index, size)?;
                Ok((vec![self.read_record(*index)?], *fact))
            }
            ChangeSelector::Event(event_id) => Ok((self.records_of_event(event_id, size)?, None)),
        }
    }

    /// The records of the event with an id.
    pub(crate) fn records_of_event(&self, event_id: &str, size: TreeSize) -> Result<Vec<Record>> {
        let mut records = Vec::new();
        for index in changes::records_of(&self.view, event_id, size)? {
            let record = self.read_record(index)?;
            if record.provenance.as_ref().is_some_and(|provenance| provenance.event_id == event_id) {
                records.push(record);
            }
        }
        if records.is_empty() {
            return Err(QueryError::NoSuchEvent(event_id.to_owned()));
        }
        Ok(records)
    }

    /// What covers one fact, by the first `size` records.
    pub(crate) fn explain_fact(
        &self,
        record: &Record,
        fact: &FactAt<'_>,
        size: TreeSize,
        judge: &mut Judge<'_, '_>,
    ) -> Result<Explanation> {
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
        if Effect::of(fact).is_some() {
            let aliases = judge.beneficiary(fact, size)?;
            let change = Change::new(*fact, provenance.delivery(), aliases.entities());
            let found = judge.judge(&change, &aliases, size)?;
            explanation.order_on_sources_word =
                found.covering().filter_map(|one| one.judgement).any(|judgement| judgement.order_on_sources_word);
            explanation.set_verdict(found.overall.verdict);
            explanation.margin = found.overall.margin;
            explanation.set_rule(if found.judged.is_empty() { LinkRule::Unspecified } else { found.rule });
            explanation.rule_version = RULE_VERSION;
            explanation.beneficiary_cut = aliases.is_cut || found.judged.iter().any(|one| one.is_cut());
            let known_until = judge.tickets_known_until(size)?;
            explanation.provisional = is_provisional(fact, known_until);
            explanation.tickets_known_until = known_until.map(timestamp);
            judged = found.judged;
        }
        explanation.tickets = judged.iter().map(|one| parties.linked_ticket(one)).collect::<Result<_>>()?;
        explanation.summary = parties.summary(&explanation, fact, &judged)?;
        Ok(explanation)
    }
}

impl Parties<'_, '_> {
    fn linked_ticket(&self, judged: &Judged) -> Result<LinkedTicket> {
        Ok(LinkedTicket {
            ticket: Some(self.party(&judged.ticket)?),
            state: judged.state().map(|state| self.ticket_message(state)).transpose()?,
            verdict: judged.verdict.into(),
            records: judged.records.iter().copied().collect(),
            self_approved: judged.self_approved,
            score: judged.score.map(|Score { beneficiary, entitlement, time }| LinkScore {
                beneficiary,
                entitlement,
                time,
            }),
            rules: judged.rules.iter().map(|rule| rule_use(rule)).collect(),
        })
    }
}

/// One fact of a record; or every change of access in it; or, where there is none, its first fact.
fn chosen(record: &Record, number: Option<u32>) -> Result<Vec<FactAt<'_>>> {
    let facts: Vec<FactAt<'_>> = facts_of(record).collect();
    let mut chosen: Vec<FactAt<'_>> = match number {
        Some(number) => facts.iter().filter(|fact| fact.evidence.fact == number).copied().collect(),
        None => facts.iter().filter(|fact| changes::changes_access(fact.fact)).copied().collect(),
    };
    if number.is_none() && chosen.is_empty() {
        chosen.extend(facts.first());
    }
    if chosen.is_empty() {
        let (index, count) = (RecordIndex(record.index), facts.len());
        return Err(QueryError::NoSuchFact { index, fact: number.unwrap_or_default(), count });
    }
    Ok(chosen)
}
