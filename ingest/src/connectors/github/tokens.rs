//! The rules for tokens: fine-grained ones that an organization lets in, and all others.
//!
//! Owns which token such an event is about, and the request for its access. The request is a ticket of GitHub's own,
//! whose beneficiary is the token: so is whoever holds the access then.

use counterfoil_proto::v1::{
    AccessItem, AccessOperation, Approval, Decision, EntityKind, FactKind, IdentityType, Ref, Ticket, TicketStatus,
    TicketType, fact::Detail,
};

use super::credentials::about;
use super::entitlements;
use super::event::LogEvent;
use super::grants::grant;
use super::who;
use crate::connectors::draft::Principal;

type Event<'a, 'e, 'j, 'c> = &'a mut LogEvent<'e, 'j, 'c>;

/// The fine-grained token that the event is about.
fn fine_grained(event: Event<'_, '_, '_, '_>) -> Option<Ref> {
    let id = event.id("user_programmatic_access_id").or_else(|| named_by_id(event))?;
    Some(event.draft.credential("api_token", &id, event.text("user_programmatic_access_name"), IdentityType::Token))
}

/// The id of the token that the event is about, unless it is that of the one that was used.
fn named_by_id(event: &LogEvent<'_, '_, '_>) -> Option<String> {
    event.id("token_id").filter(|_| !who::is_programmatic(event.json))
}

/// Whose token it is.
fn owner(event: Event<'_, '_, '_, '_>) -> Option<Ref> {
    who::subject(event).or_else(|| who::user(event, "requester", "requester_id"))
}

/// A fine-grained token itself.
pub fn fine_grained_token(event: Event<'_, '_, '_, '_>, kind: FactKind) {
    let Some(token) = fine_grained(event) else { return };
    let owner = owner(event).or_else(|| event.actor.clone());
    about(event, kind, token, owner);
}

/// A classic personal access token, or one that an application has of a user.
pub fn token(event: Event<'_, '_, '_, '_>, kind: FactKind) {
    let Some(id) = named_by_id(event) else { return };
    let token = event.draft.credential("token", &id, event.text("oauth_application_name"), IdentityType::Token);
    let owner = who::subject(event).or_else(|| event.actor.clone());
    about(event, kind, token, owner);
}

/// Asks for a fine-grained token's access to an organization.
pub fn requested(event: Event<'_, '_, '_, '_>, kind: FactKind) {
    version(event, FactKind::TicketOpened, TicketStatus::Open, Decision::Requested);
    decision(event, kind, Decision::Requested);
}

pub fn denied(event: Event<'_, '_, '_, '_>, kind: FactKind) {
    decision(event, kind, Decision::Rejected);
    version(event, FactKind::TicketClosed, TicketStatus::Closed, Decision::Rejected);
}

pub fn cancelled(event: Event<'_, '_, '_, '_>, kind: FactKind) {
    version(event, kind, TicketStatus::Cancelled, Decision::Cancelled);
}

/// A token got its access: by an approval, where somebody had to be asked.
pub fn granted(event: Event<'_, '_, '_, '_>, kind: FactKind) {
    decision(event, FactKind::ApprovalGranted, Decision::Approved);
    version(event, FactKind::TicketClosed, TicketStatus::Closed, Decision::Approved);
    access(event, kind);
}

/// A fine-grained token's access to the resources of an organization.
pub fn access(event: Event<'_, '_, '_, '_>, kind: FactKind) {
    let Some(token) = fine_grained(event) else { return };
    let resources = entitlements::resources(event);
    let ticket = request(event);
    let before = event.draft.facts.len();
    grant(event, kind, &token, resources);
    for fact in &mut event.draft.facts[before..] {
        if let Some(ticket) = &ticket {
            fact.correlation.get_or_insert_default().tickets.push(ticket.clone());
        }
    }
}

/// A credential that single sign-on lets into an organization, or no longer. GitHub names it by its hash or fingerprint.
pub fn sign_on_authorization(event: Event<'_, '_, '_, '_>, kind: FactKind) {
    let key = event.text("fingerprint").map(|fingerprint| ("ssh_key", fingerprint, IdentityType::Secret));
    let token = || event.text("managed_hashed_token").map(|hash| ("token", hash, IdentityType::Token));
    let Some((within, id, identity_type)) = key.or_else(token) else { return };
    let credential = event.draft.principal(Principal {
        kind: EntityKind::Credential,
        within,
        id: Some(id),
        logins: &[("hashed_token", id)],
        identity_type,
        ..Principal::default()
    });
    let resources = entitlements::resources(event);
    if let Some(credential) = credential {
        grant(event, kind, &credential, resources);
    }
}

fn request(event: Event<'_, '_, '_, '_>) -> Option<Ref> {
    let id = event.id("user_programmatic_access_request_id")?;
    Some(event.draft.own_ticket("access_request", &id))
}

fn version(event: Event<'_, '_, '_, '_>, kind: FactKind, status: TicketStatus, decision: Decision) {
    let Some(ticket) = request(event) else { return };
    let item = entitlements::resources(event).map(|resources| AccessItem {
        operation: AccessOperation::Add.into(),
        target: Some(resources),
        target_type: "github:permission".to_owned(),
        from: None,
        until: None,
    });
    let requester = owner(event).filter(|_| kind == FactKind::TicketOpened);
    let detail = Ticket {
        r#type: TicketType::AccessRequest.into(),
        status: status.into(),
        requester,
        items: item.into_iter().collect(),
        source_decision: decision.into(),
        ..Ticket::default()
    };
    let token = fine_grained(event);
    let mut fact = event.fact(kind);
    fact.object = Some(ticket);
    fact.subject = token;
    fact.detail = Some(Detail::Ticket(detail));
    event.push(fact);
}

/// Who decided is the approver: GitHub names nobody else, and one is enough.
fn decision(event: Event<'_, '_, '_, '_>, kind: FactKind, decision: Decision) {
    let Some(ticket) = request(event) else { return };
    let decided = decision != Decision::Requested;
    let detail = Approval {
        level: 1,
        approver: event.actor.clone().filter(|_| decided),
        source_decision: decision.into(),
        ..Approval::default()
    };
    let token = fine_grained(event);
    let mut fact = event.fact(kind);
    fact.object = Some(ticket);
    fact.subject = token;
    fact.detail = Some(Detail::Approval(detail));
    event.push(fact);
}
