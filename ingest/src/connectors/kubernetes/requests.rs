//! The rules for requests for certificates: asked for, approved or denied, issued.
//!
//! Owns what such a request is a ticket of, and which certificate comes of it. An approval issues nothing: the signer does,
//! afterwards, and only then there is a credential. It is known by the digest by which authenticators know it when it is
//! used.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use counterfoil_proto::v1::{
    AccessItem, AccessOperation, Approval, Decision, FactKind, Ref, Ticket, TicketStatus, TicketType, fact::Detail,
};
use sha2::{Digest, Sha256};

use super::event::LogEvent;
use super::who;
use crate::json::hex;

type Event<'a, 'e, 'j, 'c> = &'a mut LogEvent<'e, 'j, 'c>;

fn request(event: Event<'_, '_, '_, '_>) -> Option<Ref> {
    let named = event.named()?;
    Some(event.draft.own_ticket("certificate_request", &named.name))
}

/// For whom a request asks: the API server writes that into its response, and whoever asks cannot. What the request says
/// of it is no more than what its sender wrote.
fn beneficiary(event: Event<'_, '_, '_, '_>) -> Option<Ref> {
    let spec = event.json.path("responseObject.spec")?;
    who::user(spec, &mut event.draft)
}

/// Somebody asks for a certificate: for themselves, or for whom they act as.
pub fn asked(event: Event<'_, '_, '_, '_>, kind: FactKind) {
    let Some(ticket) = request(event) else { return };
    let item = AccessItem {
        operation: AccessOperation::Add.into(),
        target: None,
        target_type: "kubernetes:certificate".to_owned(),
        from: None,
        until: None,
    };
    let detail = Ticket {
        r#type: TicketType::AccessRequest.into(),
        status: TicketStatus::Open.into(),
        requester: event.actor.clone(),
        items: vec![item],
        source_decision: Decision::Requested.into(),
        ..Ticket::default()
    };
    let beneficiary = beneficiary(event).or_else(|| who::impersonated(event)).or_else(|| event.actor.clone());
    let mut fact = event.fact(kind);
    fact.object = Some(ticket);
    fact.subject = beneficiary;
    fact.detail = Some(Detail::Ticket(detail));
    event.push(fact);
}

/// Somebody decided: the last condition of the request says how. Without its content nobody knows.
pub fn decided(event: Event<'_, '_, '_, '_>, _kind: FactKind) {
    let Some(ticket) = request(event) else { return };
    let conditions = event.object("status").map_or(&[][..], |object| object.items("status.conditions"));
    let (kind, decision) = match conditions.iter().rev().find_map(|condition| condition.text("type")) {
        Some("Approved") => (FactKind::ApprovalGranted, Decision::Approved),
        Some("Denied") => (FactKind::ApprovalRejected, Decision::Rejected),
        _ => return,
    };
    let detail =
        Approval { level: 1, approver: event.actor.clone(), source_decision: decision.into(), ..Approval::default() };
    let beneficiary = beneficiary(event);
    let mut fact = event.fact(kind);
    fact.object = Some(ticket);
    fact.subject = beneficiary;
    fact.detail = Some(Detail::Approval(detail));
    event.push(fact);
}

/// A signer issued the certificate.
pub fn issued(event: Event<'_, '_, '_, '_>, kind: FactKind) {
    let Some(ticket) = request(event) else { return };
    let certificate = event.object("status").and_then(|object| object.text("status.certificate"));
    let Some(digest) = certificate.and_then(digest) else { return };
    let object = who::certificate(&digest, &mut event.draft);
    let owner = beneficiary(event);
    let mut fact = event.fact(kind);
    fact.object = Some(object);
    fact.subject = owner;
    fact.correlation.get_or_insert_default().tickets.push(ticket);
    event.push(fact);
}

/// The SHA-256 of the first certificate of a chain in PEM (RFC 7468), which stands in JSON in base64.
fn digest(chain: &str) -> Option<String> {
    let text = String::from_utf8(STANDARD.decode(chain.trim()).ok()?).ok()?;
    let (_, rest) = text.split_once("-----BEGIN CERTIFICATE-----")?;
    let (body, _) = rest.split_once("-----END CERTIFICATE-----")?;
    let body: String = body.split_ascii_whitespace().collect();
    Some(hex(&Sha256::digest(STANDARD.decode(body).ok()?)))
}

/// A request that is no more, whatever became of it.
pub fn withdrawn(event: Event<'_, '_, '_, '_>, kind: FactKind) {
    let Some(ticket) = request(event) else { return };
    let detail =
        Ticket { r#type: TicketType::AccessRequest.into(), status: TicketStatus::Closed.into(), ..Ticket::default() };
    let mut fact = event.fact(kind);
    fact.object = Some(ticket);
    fact.detail = Some(Detail::Ticket(detail));
    event.push(fact);
}
