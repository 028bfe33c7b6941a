//! The list of access-giving changes with what stands behind each: joins a finished chronicle's actions with its tickets.
//! Owns the wording of the ground truth's changes. The verdicts themselves were decided where the change was planned.

use crate::action::{Deed, Event, Executor, PlannedChange};
use crate::chronicle::Chronicle;
use crate::cloud::{Holder, trail};
use crate::company::{Access, IdentityIndex};
use crate::okta;
use crate::random::uuid_text;
use crate::truth::{Change, Verdict, Widened};

/// By time, then by entitlement.
pub(crate) fn list(chronicle: &Chronicle) -> Vec<Change> {
    let mut changes: Vec<_> = chronicle.changes.iter().map(|change| describe(chronicle, change)).collect();
    changes.sort_by(|a, b| {
        (a.occurred_at, &a.event_uuid, &a.entitlement).cmp(&(b.occurred_at, &b.event_uuid, &b.entitlement))
    });
    changes
}

/// What groups came to give, by time.
pub(crate) fn widened(chronicle: &Chronicle) -> Vec<Widened> {
    let item = |access| chronicle.company.item(access);
    let widened = chronicle.actions.iter().filter(|action| action.succeeded).filter_map(|action| {
        let (entitlement, gained) = match &action.event {
            Event::Okta(Deed::AssignGroupApp { group, app }) => (item(Access::Group(*group)), item(Access::App(*app))),
            Event::Okta(_) => return None,
            Event::Cloud(deed) => deed.widens()?,
        };
        Some(Widened { event_uuid: uuid_text(action.uuid), occurred_at: action.at, entitlement, gained })
    });
    let mut widened: Vec<_> = widened.collect();
    widened.sort_by(|a, b| (a.occurred_at, &a.event_uuid).cmp(&(b.occurred_at, &b.event_uuid)));
    widened
}

fn describe(chronicle: &Chronicle, change: &PlannedChange) -> Change {
    let company = &chronicle.company;
    let action = &chronicle.actions[change.action.0];
    let basis = &change.basis;
    let (event_type, holder) = match &action.event {
        Event::Okta(deed) => (okta::event_type(deed).to_owned(), None),
        Event::Cloud(deed) => (trail::event_type(*deed), Some(Holder::of(*deed, action.subject))),
    };
    let subject = company.of(action.subject);
    let (subject_login, subject_id) = match holder {
        None => (subject.login.clone(), subject.okta_id.clone()),
        Some(holder) => (holder.login(company), holder.id(company)),
    };
    let login = |who: IdentityIndex| company.of(who).login.clone();
    let decided = basis.case.filter(|_| basis.verdict != Verdict::Ambiguous);
    let case = decided.map(|case| &chronicle.cases[case.0]);
    let approved_at = case.and_then(|case| case.approved_at());
    let candidates = match (basis.case, basis.rival) {
        (Some(case), Some(rival)) => vec![chronicle.ticket(case), chronicle.ticket(rival)],
        _ => Vec::new(),
    };
    let approvers = case.filter(|_| approved_at.is_some()).map(|case| case.approvers()).unwrap_or_default();
    Change {
        event_uuid: uuid_text(action.uuid),
        event_type,
        occurred_at: action.at,
        subject_login,
        subject_id,
        entitlement: company.item(change.access),
        credential_id: match action.event {
            Event::Okta(Deed::CreateToken(token)) => Some(chronicle.tokens[token].id.clone()),
            Event::Okta(Deed::CreateClient(client)) => Some(chronicle.clients[client].id.clone()),
            _ => None,
        },
        executor_login: match action.event {
            Event::Okta(_) => chronicle.executor_identity(action.executor).map_or("system@okta.com".to_owned(), login),
            Event::Cloud(_) => trail::executor_login(chronicle, action),
        },
        api_token_id: match action.executor {
            Executor::Token(token) if action.okta().is_some() => Some(chronicle.tokens[token].id.clone()),
            _ => None,
        },
        verdict: basis.verdict,
        ticket: decided.map(|case| chronicle.ticket(case)),
        rule: basis.rule,
        candidates,
        requester_email: case.map(|case| login(case.requester)),
        approver_emails: approvers.into_iter().map(login).collect(),
        approved_at,
        late_delivery: action.late,
    }
}
