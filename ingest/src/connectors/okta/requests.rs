//! Access requests that are made and decided within Okta.
//!
//! Owns which ticket such an event is about. The older self-service requests have no id of their own: what makes one is
//! who asks and for which application.

use counterfoil_proto::v1::{
    AccessItem, AccessOperation, Approval, Decision, FactKind, Ref, Ticket, TicketStatus, TicketType, fact::Detail,
};

use super::event::LogEvent;

/// How far a request has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step {
    Asked,
    /// One approver's decision.
    Approved,
    Rejected,
    /// The access was given.
    Granted,
    Denied,
    Expired,
    Cancelled,
    Resolved,
    RejectedAndClosed,
    ExpiredAndClosed,
}

/// Gives the facts of a step; none where the event does not say which request it is.
pub fn apply(event: &mut LogEvent<'_, '_, '_>, step: Step) {
    let beneficiary = match (event.user(), step) {
        (None, Step::Asked) => event.actor.clone(),
        (user, _) => user,
    };
    let app = event.entitlement("app_assignment", &["AppInstance"]);
    let Some(ticket) = ticket(event, beneficiary.as_ref(), app.as_ref()) else {
        return;
    };
    let about = About { ticket, beneficiary, app };
    use Decision as D;
    use FactKind as K;
    use TicketStatus as S;
    match step {
        Step::Asked => about.version(event, K::TicketOpened, S::Open, D::Requested),
        Step::Approved => about.decision(event, K::ApprovalGranted, D::Approved),
        Step::Rejected => about.decision(event, K::ApprovalRejected, D::Rejected),
        Step::Expired => about.decision(event, K::ApprovalExpired, D::Expired),
        Step::Granted => about.grant(event),
        Step::Denied => about.version(event, K::TicketClosed, S::Closed, D::Rejected),
        Step::Cancelled => about.version(event, K::TicketCancelled, S::Cancelled, D::Cancelled),
        Step::Resolved => about.version(event, K::TicketClosed, S::Resolved, D::Unspecified),
        Step::RejectedAndClosed => {
            about.decision(event, K::ApprovalRejected, D::Rejected);
            about.version(event, K::TicketClosed, S::Closed, D::Rejected);
        }
        Step::ExpiredAndClosed => {
            about.decision(event, K::ApprovalExpired, D::Expired);
            about.version(event, K::TicketClosed, S::Closed, D::Expired);
        }
    }
}

/// The request's own id; or, of a request without one, that of its beneficiary and application.
fn ticket(event: &LogEvent<'_, '_, '_>, beneficiary: Option<&Ref>, app: Option<&Ref>) -> Option<Ref> {
    let request = event.target(&["AccessRequest", "Request", "ACCESS_REQUEST", "REQUEST"]);
    if let Some(id) = request.and_then(|request| request.id_at("id")) {
        return Some(event.draft.own_ticket("access_request", &id));
    }
    let (_, app) = app?.id.split_once('/')?;
    let user = &beneficiary?.id;
    if user.is_empty() {
        return None;
    }
    let id = format!("{user}.{app}");
    Some(event.draft.own_ticket("access_request", &id))
}

struct About {
    ticket: Ref,
    beneficiary: Option<Ref>,
    app: Option<Ref>,
}

impl About {
    fn version(&self, event: &mut LogEvent<'_, '_, '_>, kind: FactKind, status: TicketStatus, decision: Decision) {
        let asks = |app: &Ref| AccessItem {
            operation: AccessOperation::Add.into(),
            target: Some(app.clone()),
            target_type: "okta:app_assignment".to_owned(),
            from: None,
            until: None,
        };
        let opened = kind == FactKind::TicketOpened;
        let detail = Ticket {
            r#type: TicketType::AccessRequest.into(),
            status: status.into(),
            requester: event.actor.clone().filter(|_| opened),
            items: self.app.iter().map(asks).collect(),
            source_decision: decision.into(),
            ..Ticket::default()
        };
        let mut fact = event.fact(kind);
        fact.object = Some(self.ticket.clone());
        fact.subject.clone_from(&self.beneficiary);
        fact.detail = Some(Detail::Ticket(detail));
        event.push(fact);
    }

    /// Who decided is the approver: Okta names nobody else, and has one level of these requests at a time.
    fn decision(&self, event: &mut LogEvent<'_, '_, '_>, kind: FactKind, decision: Decision) {
        let level = event.debug("level").and_then(|level| level.parse().ok()).filter(|level| *level > 0);
        let decided = kind != FactKind::ApprovalExpired;
        let detail = Approval {
            level: level.unwrap_or(1),
            approver: event.actor.clone().filter(|_| decided),
            source_decision: decision.into(),
            ..Approval::default()
        };
        let mut fact = event.fact(kind);
        fact.object = Some(self.ticket.clone());
        fact.subject.clone_from(&self.beneficiary);
        fact.detail = Some(Detail::Approval(detail));
        event.push(fact);
    }

    fn grant(&self, event: &mut LogEvent<'_, '_, '_>) {
        let (Some(user), Some(app)) = (&self.beneficiary, &self.app) else {
            return;
        };
        let mut fact = event.fact(FactKind::GrantAdded);
        fact.subject = Some(user.clone());
        fact.object = Some(app.clone());
        fact.correlation.get_or_insert_default().tickets.push(self.ticket.clone());
        event.push(fact);
    }
}
