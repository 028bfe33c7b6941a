//! The three verdicts on a change: explained, approved, reversible.
//!
//! Owns what each of them is made of. What the approvals say is `judge`'s to find, and what can be undone is
//! `verify::reversal`'s; the words hold no number of a record, so that they are the same whenever it was recorded.

use counterfoil_proto::v1::{Explanation, LinkedTicket, ReversalStatus, Ruling, ThreeVerdicts, Verdict};
use counterfoil_verify::fact::takes_access;
use counterfoil_verify::link::is_in_time;
use counterfoil_verify::replay::FactAt;
use counterfoil_verify::time::{Moment, OccurredAt};

use crate::answers::Query;
use crate::answers::convert::words;
use crate::answers::judge::Judge;
use crate::answers::parties::short_id;
use crate::answers::reversal::{Gathered, Planned, RULED_TIMELINE_MAX, Timelines};
use crate::error::Result;
use crate::views::changes::Effect;

/// A ruling and why.
pub(crate) type Ruled = (Ruling, String);

impl Query<'_> {
    /// Adds the three verdicts to the explanation of a fact.
    pub(crate) fn rule(
        &self,
        explanation: &mut Explanation,
        fact: &FactAt<'_>,
        timelines: &mut Timelines<'_, '_>,
        judge: &mut Judge<'_, '_>,
    ) -> Result<()> {
        let (explained, explained_because) = explained(explanation);
        let (approved, approved_because) = approved(explanation, takes_access(fact.fact));
        let (reversible, reversible_because) = match Effect::of(fact) {
            None => not_a_change(),
            Some(_) => {
                let gathered = Gathered::of([*fact], timelines, judge, RULED_TIMELINE_MAX)?;
                reversible(&gathered.plan(&[], OccurredAt(Moment::MAX), timelines.learned_at()))
            }
        };
        explanation.verdicts = Some(ThreeVerdicts {
            explained: explained.into(),
            approved: approved.into(),
            reversible: reversible.into(),
            explained_because,
            approved_because,
            reversible_because,
        });
        Ok(())
    }
}

fn not_a_change() -> Ruled {
    (Ruling::NotApplicable, "It changed no access.".to_owned())
}

fn explained(explanation: &Explanation) -> Ruled {
    let ticket = || explanation.tickets.first().map(ticket_name).unwrap_or_default();
    match explanation.verdict() {
        Verdict::NotAChange => not_a_change(),
        Verdict::Approved
        | Verdict::ApprovedLate
        | Verdict::ApprovedRecordedLate
        | Verdict::Rejected
        | Verdict::Pending => (Ruling::Yes, format!("{} asks for it.", ticket())),
        Verdict::EditedAfterApproval => (Ruling::Yes, format!("{} asks for it, since it was edited.", ticket())),
        Verdict::ApprovedUnspecific => {
            (Ruling::Partly, format!("It names {}, which does not say for whom or for what it is.", ticket()))
        }
        Verdict::OutOfWindow => (Ruling::Partly, format!("{} asks for it at another time.", ticket())),
        Verdict::Ambiguous => {
            let names: Vec<String> = explanation.tickets.iter().map(ticket_name).collect();
            (Ruling::Partly, format!("{} ask for it, and nothing tells which is meant.", names.join(" and ")))
        }
        Verdict::OtherBeneficiary => (Ruling::No, format!("It names {}, which is for somebody else.", ticket())),
        Verdict::OutOfScope => (Ruling::No, format!("It names {}, which asks for something else.", ticket())),
        Verdict::TicketUnknown => (Ruling::No, format!("It names {}, which is not recorded.", ticket())),
        Verdict::NoneRecorded | Verdict::Unspecified => (Ruling::No, "No recorded ticket asks for it.".to_owned()),
    }
}

fn approved(explanation: &Explanation, takes: bool) -> Ruled {
    let verdict = explanation.verdict();
    let said = words(verdict.as_str_name(), "VERDICT_");
    match verdict {
        Verdict::NotAChange => not_a_change(),
        Verdict::Approved => (Ruling::Yes, "The approval preceded it.".to_owned()),
        Verdict::ApprovedRecordedLate => {
            (Ruling::Yes, "By its source, the approval preceded it; it was recorded later.".to_owned())
        }
        _ if takes => (Ruling::NotApplicable, "It only takes access away, which needs no approval.".to_owned()),
        Verdict::ApprovedUnspecific => {
            (Ruling::Partly, "What was approved before does not say for whom or for what it is.".to_owned())
        }
        Verdict::Ambiguous if explanation.tickets.iter().all(|ticket| is_in_time(ticket.verdict())) => {
            (Ruling::Partly, "Each ticket that may be meant was approved before.".to_owned())
        }
        _ => (Ruling::No, format!("No approval is shown to have preceded it: {said}.")),
    }
}

/// Over all effects of the changes: no if one of them cannot be undone.
pub(crate) fn reversible(planned: &Planned<'_>) -> Ruled {
    use ReversalStatus as S;
    let worst = planned.steps.iter().map(|step| step.status).max_by_key(|status| match status {
        S::NoEffect | S::NotNeeded | S::Unspecified => 0,
        S::AlreadyUndone => 1,
        S::Applicable => 2,
        S::Superseded => 3,
        S::TargetGone => 4,
        S::Irreversible => 5,
    });
    let is_used = planned.steps.iter().any(|step| step.used.is_some());
    match worst {
        _ if planned.is_cut => (Ruling::Partly, "Too much happened to what it touched to follow it here.".to_owned()),
        None => (Ruling::Partly, "It names nobody whose access could be followed.".to_owned()),
        Some(S::Applicable) if is_used => {
            (Ruling::Partly, "It can be undone; what was done with what it gave stays done.".to_owned())
        }
        Some(S::Applicable) => (Ruling::Yes, "What it did can be undone.".to_owned()),
        Some(S::AlreadyUndone) => (Ruling::Yes, "It is as it was before.".to_owned()),
        Some(S::NoEffect | S::NotNeeded | S::Unspecified) => (Ruling::Yes, "It left everything as it was.".to_owned()),
        Some(S::Superseded) => {
            (Ruling::Partly, "A later change stands in its place: that one has to be undone first.".to_owned())
        }
        Some(S::TargetGone) => (Ruling::No, "Whom or what it is about is no more.".to_owned()),
        Some(S::Irreversible) => {
            let step = planned.steps.iter().find(|step| step.status == S::Irreversible);
            let why = step.map(|step| words(step.irreversible.as_str_name(), "IRREVERSIBLE_")).unwrap_or_default();
            (Ruling::No, format!("It cannot come back: {why}."))
        }
    }
}

/// The ruling over several: yes if all are, no if none is.
pub(crate) fn over_all(rulings: impl IntoIterator<Item = Ruling>) -> Ruling {
    let mut counted = rulings.into_iter().filter(|ruling| *ruling != Ruling::NotApplicable);
    let Some(first) = counted.next() else { return Ruling::NotApplicable };
    if counted.all(|ruling| ruling == first) { first } else { Ruling::Partly }
}

/// How a ticket is called in a sentence: by its number.
fn ticket_name(linked: &LinkedTicket) -> String {
    linked.ticket.as_deref().map(short_id).unwrap_or_default()
}
