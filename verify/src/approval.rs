//! What the approvals of a ticket come to.
//!
//! Owns the derivation of one decision from the approvers' decisions, level by level. It never trusts the source's own
//! final value: that is kept beside it, so that the two can be compared.

use std::collections::BTreeSet;

use counterfoil_proto::v1::{ApprovalRule, Decision};

use crate::state::{ApprovalState, Evidence, TicketState};

/// What the approvals come to, and the decision that completed it.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Derived {
    /// Approved, rejected, cancelled, expired, or still requested.
    pub decision: Decision,
    /// The last decision that was needed; none while it is pending.
    pub completed_by: Option<Evidence>,
}

/// Who decided a row, against who was asked to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DecidedBy {
    /// The approver.
    Approver,
    /// Whom the approver, or the source, named to decide instead.
    Delegate,
    /// Neither of them: an administrator, or an automation.
    SomebodyElse,
    /// The source does not say who decided, or who was asked.
    Unnamed,
}

/// Who decided a row, by the ids that its source gave; none while nobody has.
pub fn decided_by(row: &ApprovalState) -> Option<DecidedBy> {
    match row.decision() {
        Decision::Requested | Decision::NotRequested | Decision::Unspecified => None,
        _ if row.decided_by.is_empty() || row.approver.is_empty() => Some(DecidedBy::Unnamed),
        _ if row.decided_by == row.approver => Some(DecidedBy::Approver),
        _ if row.decided_by == row.delegate => Some(DecidedBy::Delegate),
        _ => Some(DecidedBy::SomebodyElse),
    }
}

/// Derives the decision of a ticket: approved once every level is, rejected once one is. A ticket without approvals
/// has none.
pub fn derive(ticket: &TicketState) -> Option<Derived> {
    let mut levels: Vec<u32> = ticket.approvals.values().map(|approval| approval.level).collect();
    levels.sort_unstable();
    levels.dedup();
    let derived: Vec<Derived> = levels
        .into_iter()
        .map(|level| {
            let rows: Vec<&ApprovalState> =
                ticket.approvals.values().filter(|approval| approval.level == level).collect();
            derive_level(&rows)
        })
        .collect();
    let rejected = derived.iter().filter(|level| level.decision == Decision::Rejected);
    if let Some(first) = rejected.min_by_key(|level| level.completed_by.map(|by| by.order())) {
        return Some(*first);
    }
    let mut whole: Option<Derived> = None;
    for derived in derived {
        whole = Some(match (whole, derived.decision) {
            (Some(earlier), Decision::Approved) => {
                Derived { completed_by: later(earlier.completed_by, derived.completed_by), ..derived }
            }
            _ => derived,
        });
        if derived.decision != Decision::Approved {
            break;
        }
    }
    whole
}

/// What the approvals come to; where none is recorded, what the source itself says.
pub fn final_decision(ticket: &TicketState) -> Option<Derived> {
    derive(ticket).or_else(|| {
        let decision = ticket.version.source_decision();
        (decision != Decision::Unspecified).then_some(Derived { decision, completed_by: ticket.source_decided })
    })
}

/// Derives the decision of one level under its rule. Rows that were cancelled, or made moot by a peer's answer, do not
/// vote; a row that expired was asked and never approved. A level in which nobody votes is cancelled.
fn derive_level(rows: &[&ApprovalState]) -> Derived {
    let with = |decisions: &[Decision]| {
        let mut found: Vec<&ApprovalState> =
            rows.iter().copied().filter(|row| decisions.contains(&row.decision())).collect();
        found.sort_by_key(|row| row.evidence.order());
        found
    };
    let approved = with(&[Decision::Approved]);
    let lost = with(&[Decision::Rejected, Decision::Expired]);
    let voters = approved.len() + lost.len() + with(&[Decision::Requested]).len();
    if voters == 0 {
        let moot = rows.iter().map(|row| row.evidence).max_by_key(Evidence::order);
        return Derived { decision: Decision::Cancelled, completed_by: moot };
    }
    // Where rows of one level differ, the strictest rule holds.
    let rule = rows.iter().map(|row| row.rule()).max_by_key(|rule| strictness(*rule)).unwrap_or_default();
    let quorum = rows.iter().map(|row| row.quorum as usize).max().unwrap_or_default();
    let needed = match rule {
        ApprovalRule::All | ApprovalRule::Unspecified => voters,
        ApprovalRule::Majority => voters / 2 + 1,
        // Never fewer than asked for: the rows of those who did not answer yet may not be recorded.
        ApprovalRule::Quorum => quorum.max(1),
        ApprovalRule::Any | ApprovalRule::First => 1,
    };
    if rule == ApprovalRule::First
        && let Some(first) = with(&[Decision::Approved, Decision::Rejected]).first()
    {
        return decided(first.decision(), first.evidence);
    }
    let counted = match rule {
        ApprovalRule::Quorum | ApprovalRule::Majority => by_distinct(&approved),
        _ => approved,
    };
    if let Some(last_needed) = counted.get(needed - 1) {
        return decided(Decision::Approved, last_needed.evidence);
    }
    // Lost as soon as the approvals that are needed can no longer be reached.
    match lost.get(voters.saturating_sub(needed)) {
        Some(last_needed) => {
            let is_rejected = lost.iter().any(|row| {
                row.decision() == Decision::Rejected && row.evidence.order() <= last_needed.evidence.order()
            });
            decided(if is_rejected { Decision::Rejected } else { Decision::Expired }, last_needed.evidence)
        }
        None => Derived { decision: Decision::Requested, completed_by: None },
    }
}

/// The first row of each person: whoever decides twice is still one.
fn by_distinct<'r>(rows: &[&'r ApprovalState]) -> Vec<&'r ApprovalState> {
    let mut seen = BTreeSet::new();
    let mut is_first = |row: &ApprovalState| {
        let decider = if row.decided_by.is_empty() { &row.approver } else { &row.decided_by };
        decider.is_empty() || seen.insert(decider.clone())
    };
    rows.iter().copied().filter(|row| is_first(row)).collect()
}

fn strictness(rule: ApprovalRule) -> u8 {
    match rule {
        ApprovalRule::Unspecified => 0,
        ApprovalRule::Any => 1,
        ApprovalRule::First => 2,
        ApprovalRule::Majority => 3,
        ApprovalRule::All => 4,
        ApprovalRule::Quorum => 5,
    }
}

fn decided(decision: Decision, by: Evidence) -> Derived {
    Derived { decision, completed_by: Some(by) }
}

fn later(one: Option<Evidence>, other: Option<Evidence>) -> Option<Evidence> {
    one.into_iter().chain(other).max_by_key(Evidence::order)
}
