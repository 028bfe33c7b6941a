//! What facts about tickets and approvals do to a ticket's state.
//!
//! Owns which later version stands for an earlier one, and which facts are about one and the same approval.

use counterfoil_proto::v1::{AccessItem, Approval, Confidence, Decision, FactKind, Ticket, TicketStatus, fact::Detail};

use super::{FactAt, key, keys};
use crate::state::{ApprovalState, Evidence, ItemState, State, TicketState};

pub(super) fn apply_ticket(state: &mut State, fact: &FactAt<'_>) {
    let Some(Detail::Ticket(newer)) = &fact.fact.detail else {
        return;
    };
    let is_new = state.ticket.is_none();
    let ticket = state.ticket.get_or_insert_with(TicketState::default);
    if fact.fact.confidence() == Confidence::Derived {
        return apply_derived_opening(ticket, newer, fact, is_new);
    }
    ticket.versioned = true;
    let version = &mut ticket.version;
    version.r#type = newer.r#type;
    match fact.fact.kind() {
        _ if newer.status != 0 => version.status = newer.status,
        FactKind::TicketClosed => version.set_status(TicketStatus::Closed),
        FactKind::TicketCancelled => version.set_status(TicketStatus::Cancelled),
        _ => {}
    }
    let since = |is_so: bool, held: Option<Evidence>| is_so.then(|| held.unwrap_or(fact.evidence));
    ticket.cancelled = since(version.status() == TicketStatus::Cancelled, ticket.cancelled);
    ticket.closed = since(matches!(version.status(), TicketStatus::Closed | TicketStatus::Resolved), ticket.closed);
    version.window_start = newer.window_start.or(version.window_start);
    version.window_end = newer.window_end.or(version.window_end);
    if newer.source_decision != 0 {
        if newer.source_decision != version.source_decision {
            ticket.source_decided = Some(fact.evidence);
        }
        version.source_decision = newer.source_decision;
    }
    if newer.requester.is_some() {
        ticket.requester = key(&newer.requester, fact);
    }
    if newer.assignee.is_some() {
        ticket.assignee = key(&newer.assignee, fact);
    }
    if fact.fact.subject.is_some() {
        ticket.beneficiary = keys(&fact.fact.subject, fact);
    }
    if !newer.items.is_empty() {
        let item = |item: &AccessItem| ItemState { item: item.clone(), targets: keys(&item.target, fact) };
        ticket.items = newer.items.iter().map(item).collect();
    }
    if fact.fact.kind() == FactKind::TicketOpened {
        ticket.opened = ticket.opened.or(Some(fact.evidence));
    }
    ticket.evidence = fact.evidence;
}

/// That a ticket was opened, as a connector concluded it from a later version: it says when, and nothing about what the
/// ticket asked for then.
fn apply_derived_opening(ticket: &mut TicketState, known: &Ticket, fact: &FactAt<'_>, is_new: bool) {
    if fact.fact.kind() == FactKind::TicketOpened {
        ticket.opened = ticket.opened.or(Some(fact.evidence));
    }
    if ticket.versioned {
        return;
    }
    ticket.version.r#type = known.r#type;
    ticket.version.status = known.status;
    if known.requester.is_some() {
        ticket.requester = key(&known.requester, fact);
    }
    if is_new {
        ticket.evidence = fact.evidence;
    }
}

/// The key of [`TicketState::approvals`] of the row that a fact is about. Without an id of its own a row is known by its
/// approver; who decided is one, where nobody else is named.
pub(crate) fn approval_row(fact: &FactAt<'_>, detail: &Approval) -> String {
    if !detail.id.is_empty() {
        return detail.id.clone();
    }
    let approver = key(&detail.approver, fact);
    let asked = if approver.is_empty() { key(&fact.fact.actor, fact) } else { approver };
    format!("{} {asked}", detail.level)
}

pub(super) fn apply_approval(state: &mut State, fact: &FactAt<'_>) {
    let Some(Detail::Approval(detail)) = &fact.fact.detail else {
        return;
    };
    let ticket = state.ticket.get_or_insert_with(TicketState::default);
    let approver = key(&detail.approver, fact);
    let row = approval_row(fact, detail);
    let decision = match fact.fact.kind() {
        FactKind::ApprovalGranted => Decision::Approved,
        FactKind::ApprovalRejected => Decision::Rejected,
        FactKind::ApprovalCancelled => {
            if detail.source_decision() == Decision::PeerResponded {
                Decision::PeerResponded
            } else {
                Decision::Cancelled
            }
        }
        FactKind::ApprovalExpired => Decision::Expired,
        _ => Decision::Requested,
    };
    let mut approval = ApprovalState {
        level: detail.level,
        rule: detail.rule,
        quorum: detail.quorum,
        approver,
        decided_by: String::new(),
        decision: decision.into(),
        evidence: fact.evidence,
        delegate: key(&detail.delegate, fact),
        delegated: detail.delegate.as_ref().map(|_| fact.evidence),
    };
    if decision != Decision::Requested {
        approval.decided_by = key(&fact.fact.actor, fact);
    }
    if let Some(held) = ticket.approvals.remove(&row) {
        // What a later fact leaves out stays as it was, above all the rule.
        if approval.rule == 0 {
            (approval.rule, approval.quorum) = (held.rule, held.quorum);
        }
        if approval.approver.is_empty() {
            approval.approver = held.approver;
        }
        if approval.delegate.is_empty() || approval.delegate == held.delegate {
            (approval.delegate, approval.delegated) = (held.delegate, held.delegated);
        }
        // A row that is delivered again with the same decision was decided when it was first.
        let both = [&approval.decided_by, &held.decided_by];
        if approval.decision == held.decision && (both.contains(&&String::new()) || both[0] == both[1]) {
            approval.evidence = held.evidence;
            if approval.decided_by.is_empty() {
                approval.decided_by = held.decided_by;
            }
        }
    }
    ticket.approvals.insert(row, approval);
    if ticket.version == Default::default() {
        ticket.evidence = fact.evidence;
    }
}
