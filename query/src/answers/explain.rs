//! Which approval covers a change.
//!
//! Owns which facts of a record are explained, and the message. What the approvals say is `judge`'s to find.

use counterfoil_proto::v1::{ExplainChangeResponse, Explanation, LinkRule, LinkedTicket, Record, Verdict};
use counterfoil_verify::link::{Change, RULE_VERSION};
use counterfoil_verify::replay::{FactAt, facts_of};
use counterfoil_verify::time::RecordedAt;
use counterfoil_verify::tree::{RecordIndex, TreeSize};

use crate::answers::Query;
use crate::answers::convert::{evidence, rule_use};
use crate::answers::judge::{Judge, Judged, overall};
use crate::answers::parties::Parties;
use crate::error::{QueryError, Result};
use crate::views::changes;

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
        let mut judge = Judge::new(self);
        let explanations = match change {
            ChangeSelector::Record(index, fact) => {
                self.check_known(*index, size)?;
                self.explain_record(&self.read_record(*index)?, *fact, size, &mut judge)?
            }
            ChangeSelector::Event(event_id) => self.explain_event(event_id, size, &mut judge)?,
        };
        Ok(ExplainChangeResponse {
            basis: Some(self.basis()),
            moment: Some(self.moment(None, known, size)?),
            explanations,
        })
    }

    fn explain_event(&self, event_id: &str, size: TreeSize, judge: &mut Judge<'_, '_>) -> Result<Vec<Explanation>> {
        let mut explanations = Vec::new();
        for index in changes::records_of(&self.view, event_id)? {
            let record = self.read_record(index)?;
            let is_meant = record.provenance.as_ref().is_some_and(|provenance| provenance.event_id == event_id);
            if is_meant && index.0 < size.0 {
                explanations.extend(self.explain_record(&record, None, size, judge)?);
            }
        }
        if explanations.is_empty() {
            return Err(QueryError::NoSuchEvent(event_id.to_owned()));
        }
        Ok(explanations)
    }

    /// Explains one fact; or every change of access in the record; or, where there is none, its first fact.
    fn explain_record(
        &self,
        record: &Record,
        fact: Option<u32>,
        size: TreeSize,
        judge: &mut Judge<'_, '_>,
    ) -> Result<Vec<Explanation>> {
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
        chosen.into_iter().map(|fact| self.explain_fact(record, fact, size, judge)).collect()
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
        if changed_access(fact) {
            let aliases = judge.beneficiary(fact, size)?;
            let change = Change::new(*fact, provenance.delivery(), aliases.entities());
            let (rule, found) = judge.judge(&change, &aliases, size)?;
            judged = found;
            let verdict = overall(rule, &judged);
            let decisive = judged.iter().filter(|one| one.verdict == verdict).filter_map(|one| one.judgement);
            explanation.set_verdict(verdict);
            explanation.order_on_sources_word = decisive.clone().any(|judgement| judgement.order_on_sources_word);
            explanation.set_rule(if judged.is_empty() { LinkRule::Unspecified } else { rule });
            explanation.rule_version = RULE_VERSION;
            explanation.beneficiary_cut = aliases.is_cut || judged.iter().any(|one| one.is_cut());
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
            rules: judged.rules.iter().map(|rule| rule_use(rule)).collect(),
        })
    }
}

/// Whether a fact is a change of access that took place.
fn changed_access(fact: &FactAt<'_>) -> bool {
    let is_success = fact.fact.outcome() == counterfoil_proto::v1::Outcome::Success;
    let is_logged = fact.fact.confidence() != counterfoil_proto::v1::Confidence::Snapshot;
    changes::changes_access(fact.fact) && is_success && is_logged
}
