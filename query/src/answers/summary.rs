//! One sentence for people about a change and its approval.
//!
//! Owns the wording. It never decides anything: every word follows from the verdict and what it rests on.

use counterfoil_proto::v1::{Confidence, Decision, Explanation, LinkRule, Outcome, Verdict};
use counterfoil_verify::judge::Judged;
use counterfoil_verify::replay::FactAt;
use counterfoil_verify::state::{Evidence, TicketState};

use crate::answers::convert::{moment_text, span_text, words};
use crate::answers::parties::{Parties, label, short_id};
use crate::error::Result;

impl Parties<'_, '_> {
    /// The sentence about an explained change, such as "Approved by Ann Ode (level 1, 2026-02-03T10:00:00Z) on
    /// ticket/1042 before the change; executed by Freshservice provisioner with api_token/00T1."
    pub(crate) fn summary(&self, explained: &Explanation, fact: &FactAt<'_>, judged: &[Judged]) -> Result<String> {
        let verdict = explained.verdict();
        let mut sentence = match (verdict, judged) {
            (Verdict::Ambiguous, _) => format!("{} fit, and nothing tells which is meant", list(judged)),
            (Verdict::TicketUnknown, _) => format!("{} is named by the change and not recorded", list(judged)),
            (_, [best, ..]) => self.about_ticket(best, fact)?,
            (Verdict::NotAChange, []) => not_a_change(fact),
            (_, []) => "No approval is recorded".to_owned(),
        };
        // Of several that merely fit, the first was chosen.
        let counting = if explained.rule() == LinkRule::Window { 1 } else { judged.len() };
        if judged.iter().take(counting).any(|one| one.verdict == verdict && one.self_approved) {
            sentence.push_str("; whoever gets the access approved it");
        }
        if let Some(executor) = &explained.executor {
            sentence.push_str(&format!("; executed by {}", label(executor)));
        }
        if let Some(credential) = &explained.credential {
            sentence.push_str(&format!(" with {}", short_id(credential)));
        }
        if explained.order_on_sources_word {
            sentence.push_str("; both come from imported old logs, so that their order is the sources' word");
        }
        if explained.beneficiary_cut {
            sentence.push_str(
                "; more entities stand for the beneficiary than are followed, so that tickets may be missing",
            );
        }
        sentence.push('.');
        Ok(sentence)
    }

    fn about_ticket(&self, judged: &Judged, fact: &FactAt<'_>) -> Result<String> {
        let ticket = judged.ticket.native_id();
        let approved = match judged.basis() {
            Some(basis) => self.approved_by(basis)?,
            None => String::new(),
        };
        let by = judged.judgement.and_then(|judgement| judgement.decision).and_then(|derived| derived.completed_by);
        Ok(match (judged.verdict, by) {
            (Verdict::Approved, _) => format!("Approved{approved} on {ticket} before the change"),
            (Verdict::ApprovedRecordedLate, Some(by)) => {
                format!("Approved{approved} on {ticket}, recorded {} the change", recorded_later(&by, fact))
            }
            (Verdict::ApprovedLate, Some(by)) => {
                let late = by.occurred_at().0.seconds - fact.evidence.occurred_at().0.seconds;
                match late {
                    // The last decision came before the change, and what made it suffice came after.
                    ..=0 => format!("Approved{approved} on {ticket}, complete only after the change"),
                    late => format!("Approved{approved} on {ticket} only {} after the change", span_text(late)),
                }
            }
            (Verdict::Rejected, _) if let Some(cancelled) = judged.cancelled() => {
                format!("{ticket} was cancelled at {}", moment_text(cancelled.occurred_at().0))
            }
            (Verdict::Rejected, Some(by)) => {
                let decision = judged.judgement.and_then(|judgement| judgement.decision);
                let word = decision
                    .map_or("rejected".to_owned(), |derived| words(derived.decision.as_str_name(), "DECISION_"));
                format!("{ticket} was {word} at {}", moment_text(by.occurred_at().0))
            }
            (Verdict::Rejected, None) => format!("{ticket} was rejected or cancelled"),
            (Verdict::Pending, _) => format!("{ticket} asks for this, and its approval is not complete"),
            (Verdict::OtherBeneficiary, _) => format!("{ticket}, which the change names, is for somebody else"),
            (Verdict::OutOfScope, _) => format!("{ticket}, which the change names, asks for something else"),
            (Verdict::EditedAfterApproval, _) => {
                format!(
                    "{ticket} was approved{approved} before the change, and covers it only as it was edited afterwards"
                )
            }
            (Verdict::OutOfWindow, _) => format!("{ticket}, which the change names, is for another time"),
            (Verdict::ApprovedUnspecific, _) => format!(
                "{ticket}, which the change names, was approved{approved} before the change, but does not say for whom or for what"
            ),
            (verdict, _) => format!("{ticket}: {}", words(verdict.as_str_name(), "VERDICT_")),
        })
    }

    /// " by Ann Ode (level 1, 2026-02-03T10:00:00Z) and Bo Li (level 2, …)", or what the source alone says.
    fn approved_by(&self, ticket: &TicketState) -> Result<String> {
        let mut rows: Vec<_> = ticket.approvals.values().filter(|row| row.decision() == Decision::Approved).collect();
        rows.sort_by_key(|row| (row.level, row.evidence.order()));
        let mut approvers = Vec::with_capacity(rows.len());
        for row in rows {
            let who = if row.decided_by.is_empty() { &row.approver } else { &row.decided_by };
            let name = self.of(who)?.map_or("somebody unnamed".to_owned(), |party| label(&party));
            let when = moment_text(row.evidence.occurred_at().0);
            approvers.push(format!("{name} (level {}, {when})", row.level));
        }
        Ok(match (approvers.is_empty(), ticket.source_decided) {
            (false, _) => format!(" by {}", approvers.join(" and ")),
            (true, Some(by)) => format!(" according to its source ({})", moment_text(by.occurred_at().0)),
            (true, None) => " according to its source".to_owned(),
        })
    }
}

fn not_a_change(fact: &FactAt<'_>) -> String {
    match fact.fact.outcome() {
        Outcome::Success if fact.fact.confidence() == Confidence::Snapshot => {
            "This changed no access: it was seen in a listing".to_owned()
        }
        Outcome::Success => "This changed no access".to_owned(),
        outcome => format!("This changed no access (outcome: {})", words(outcome.as_str_name(), "OUTCOME_")),
    }
}

fn list(judged: &[Judged]) -> String {
    judged.iter().map(|one| one.ticket.native_id()).collect::<Vec<_>>().join(" and ")
}

fn recorded_later(by: &Evidence, fact: &FactAt<'_>) -> String {
    match by.recorded_at().0.seconds - fact.evidence.recorded_at().0.seconds {
        ..=0 => "after".to_owned(),
        seconds => format!("{} later than", span_text(seconds)),
    }
}
