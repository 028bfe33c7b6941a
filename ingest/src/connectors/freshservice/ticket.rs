//! Tickets and changes: who asks for which access, for whom, from when until when.
//!
//! Owns what a version of a ticket says. A version that is not the first also says that the ticket was opened, when and
//! by whom; what it asked for at that time only the first version tells. The first is the one whose updated_at is its
//! created_at: only its ticket.opened is explicit, any other's is derived. A version without an updated_at is dated by
//! its receipt.

use std::borrow::Cow;

use counterfoil_proto::v1::{
    AccessOperation, Confidence, Decision, Fact, FactKind, IdentityType, Mapping, Ref, Ticket, TicketStatus,
    TicketText, TicketType, Time, fact::Detail,
};

use super::fields::{self, FieldMap};
use super::{Reading, Reject, Resource};
use crate::connectors::access::{self, Terms};
use crate::connectors::draft::{Draft, Principal, fact};
use crate::json::Json;
use crate::times;

/// Reads a version of a ticket or of a change.
pub fn read(mut resource: Resource<'_, '_, '_>) -> Result<Reading, Reject> {
    let Some(id) = resource.id() else {
        let seen = resource.updated_at()?;
        return resource.finish(seen, Mapping::Incomplete);
    };
    let json = resource.json;
    let at = resource.version()?;
    let is_change = resource.kind == "change";
    let mut detail = Ticket {
        r#type: ticket_type(json, is_change).into(),
        status: status(json, is_change).into(),
        requester: person(json, &["requester_id"], resource.envelope, &mut resource.draft),
        assignee: person(json, &["responder_id", "agent_id"], resource.envelope, &mut resource.draft),
        window_start: resource.time("planned_start_date")?,
        window_end: resource.time("planned_end_date")?,
        source_decision: decision_of(json).into(),
        ..Ticket::default()
    };
    let ticket = resource.draft.own_ticket(resource.kind, &id);
    let beneficiary = person(json, &["requested_for_id"], resource.envelope, &mut resource.draft);
    let none = Json::Null;
    let custom = json.get("custom_fields").unwrap_or(&none);
    asks((json, custom), &ticket, resource.fields, &mut detail, &mut resource.draft);
    let actor = actor(resource.envelope, &mut resource.draft);
    let version = Version { ticket, beneficiary, actor, created_at: at.created, updated_at: at.seen };
    version.push(detail, &mut resource.draft);
    resource.finish(at.updated, Mapping::Incomplete)
}

/// A version of a ticket: what it is about, and when it came to be.
pub struct Version {
    pub ticket: Ref,
    pub beneficiary: Option<Ref>,
    pub actor: Option<Ref>,
    /// None where the source does not tell when the ticket was opened.
    pub created_at: Option<Time>,
    /// When it came to be, or else when it was received.
    pub updated_at: Time,
}

impl Version {
    /// Adds the facts of this version.
    pub fn push(self, detail: Ticket, draft: &mut Draft<'_>) {
        let same = |opened: &Time| (opened.seconds, opened.nanos) == (self.updated_at.seconds, self.updated_at.nanos);
        let end = match detail.status() {
            TicketStatus::Closed | TicketStatus::Resolved => Some(FactKind::TicketClosed),
            TicketStatus::Cancelled => Some(FactKind::TicketCancelled),
            _ => None,
        };
        let is_first = self.created_at.as_ref().is_some_and(same);
        match self.created_at {
            Some(opened) if is_first => {
                let fact = self.fact(FactKind::TicketOpened, opened, detail.clone());
                draft.facts.push(fact);
            }
            Some(opened) => {
                let known = Ticket {
                    r#type: detail.r#type,
                    status: TicketStatus::Open.into(),
                    requester: detail.requester.clone(),
                    texts: detail
                        .texts
                        .iter()
                        .copied()
                        .filter(|text| *text == i32::from(TicketText::Subject))
                        .collect(),
                    ..Ticket::default()
                };
                draft.facts.push(Fact {
                    actor: detail.requester.clone(),
                    confidence: Confidence::Derived.into(),
                    ..self.fact(FactKind::TicketOpened, opened, known)
                });
            }
            None => {}
        }
        if let Some(kind) = end.or((!is_first).then_some(FactKind::TicketUpdated)) {
            draft.facts.push(self.fact(kind, self.updated_at, detail));
        }
    }

    fn fact(&self, kind: FactKind, at: Time, detail: Ticket) -> Fact {
        Fact {
            actor: self.actor.clone(),
            subject: self.beneficiary.clone(),
            object: Some(self.ticket.clone()),
            detail: Some(Detail::Ticket(detail)),
            ..fact(kind, at)
        }
    }
}

/// Reads what a ticket asks for and why, from its own fields and from its custom ones; texts go beside the record.
pub fn asks(
    (json, custom): (&Json<'_>, &Json<'_>),
    ticket: &Ref,
    fields: &FieldMap,
    detail: &mut Ticket,
    draft: &mut Draft<'_>,
) {
    let plan = |path: &str| json.text(path).map(str::to_owned);
    let texts = [
        (TicketText::Subject, "subject", fields::text(json, &fields.subject)),
        (
            TicketText::Justification,
            "justification",
            fields::text(custom, &fields.justification)
                .or_else(|| plan("planning_fields.reason_for_change.description_text")),
        ),
        (
            TicketText::RollbackPlan,
            "rollback_plan",
            fields::text(custom, &fields.rollback_plan)
                .or_else(|| plan("planning_fields.backout_plan.description_text")),
        ),
        (TicketText::RevocationTrigger, "revocation_trigger", fields::text(custom, &fields.revocation_trigger)),
    ];
    for (text, name, value) in texts {
        if let Some(value) = value {
            detail.texts.push(text.into());
            draft.text(ticket, name, &value);
        }
    }
    let removes = fields::text(custom, &fields.access_operation)
        .is_some_and(|operation| operation.trim().eq_ignore_ascii_case("remove"));
    let terms = Terms {
        operation: if removes { AccessOperation::Remove } else { AccessOperation::Add },
        from: moment(custom, &fields.access_from, ticket, draft),
        until: moment(custom, &fields.access_until, ticket, draft).map(times::through),
    };
    if let Some(written) = fields::text(custom, &fields.access_items) {
        let (items, unread) = access::items(&written, terms, "freshservice", draft);
        detail.items = items;
        for written in unread {
            draft.text(ticket, "unread.access_items", written);
        }
    }
}

/// A time that people typed. One that cannot be read does not stop the ticket: it is kept as text beside the record.
fn moment(custom: &Json<'_>, names: &[String], ticket: &Ref, draft: &mut Draft<'_>) -> Option<Time> {
    let text = fields::text(custom, names)?;
    let assume_utc = draft.context.assume_utc;
    let read = times::day(&text).or_else(|| times::rfc3339(&text, "", assume_utc).ok());
    if read.is_none() {
        let name = names.first().map_or("time", String::as_str);
        draft.text(ticket, &format!("unread.{name}"), &text);
    }
    read.filter(|time| !times::is_never(time))
}

/// The account that one of these fields gives the id of. What else the envelope knows of that person goes with it.
fn person(json: &Json<'_>, fields: &[&str], envelope: &Json<'_>, draft: &mut Draft<'_>) -> Option<Ref> {
    let id = fields.iter().find_map(|field| json.id_at(field))?;
    let known = [json, envelope]
        .into_iter()
        .flat_map(|holder| [holder.get("requester"), holder.get("actor"), holder.get("requested_for")])
        .flatten()
        .find(|person| person.id_at("id").as_deref() == Some(id.as_ref()));
    account(&id, known, draft)
}

/// Who did it, according to an app event.
fn actor(envelope: &Json<'_>, draft: &mut Draft<'_>) -> Option<Ref> {
    let actor = envelope.present("actor").or_else(|| envelope.present("data.actor"))?;
    account(&actor.id_at("id")?, Some(actor), draft)
}

/// An account, with what a nested object tells of it.
pub fn account(id: &str, known: Option<&Json<'_>>, draft: &mut Draft<'_>) -> Option<Ref> {
    let text = |key: &str| known.and_then(|known| known.text(key));
    let logins = text("email").or_else(|| text("primary_email")).map(|email| ("email", email));
    let values = text("name").map(|name| ("display_name", name));
    draft.principal(Principal {
        id: Some(id),
        logins: logins.as_slice(),
        values: values.as_slice(),
        identity_type: IdentityType::Unspecified,
        ..Principal::default()
    })
}

fn ticket_type(json: &Json<'_>, is_change: bool) -> TicketType {
    if is_change {
        return TicketType::Change;
    }
    ticket_type_of(json.text("type").unwrap_or_default())
}

/// The type that a ticket's own name for it stands for; organisations add types of their own, which ask for something.
pub fn ticket_type_of(name: &str) -> TicketType {
    match name.to_ascii_lowercase().as_str() {
        "incident" | "major incident" | "" => TicketType::Incident,
        _ => TicketType::ServiceRequest,
    }
}

fn status(json: &Json<'_>, is_change: bool) -> TicketStatus {
    if json.get("deleted").and_then(Json::as_bool) == Some(true) {
        return TicketStatus::Cancelled;
    }
    let Some(value) = json.present("status") else {
        return TicketStatus::Unspecified;
    };
    if is_change && let Some(number) = value.as_u64() {
        return match number {
            1 => TicketStatus::Open,
            2..=5 => TicketStatus::Pending,
            6 => TicketStatus::Closed,
            _ => TicketStatus::Custom,
        };
    }
    status_of(value)
}

/// A ticket's status, as a number or by name.
pub fn status_of(value: &Json<'_>) -> TicketStatus {
    match enumerated(value).as_ref() {
        "2" | "open" => TicketStatus::Open,
        "3" | "pending" => TicketStatus::Pending,
        "4" | "resolved" => TicketStatus::Resolved,
        "5" | "closed" => TicketStatus::Closed,
        "cancelled" | "canceled" => TicketStatus::Cancelled,
        _ => TicketStatus::Custom,
    }
}

fn decision_of(json: &Json<'_>) -> Decision {
    let value = json.present("approval_status").or_else(|| json.present("approval_status_name"));
    value.map_or(Decision::Unspecified, decision)
}

/// The state of an approval: a number, a name, or both in an object.
pub fn decision(value: &Json<'_>) -> Decision {
    match enumerated(value).as_ref() {
        "0" | "requested" => Decision::Requested,
        "1" | "approved" => Decision::Approved,
        "2" | "rejected" => Decision::Rejected,
        "3" | "cancelled" | "canceled" => Decision::Cancelled,
        "4" | "not requested" => Decision::NotRequested,
        "5" | "peer responded" => Decision::PeerResponded,
        _ => Decision::Unspecified,
    }
}

/// The number or the name of an enumerated value, in lower case with spaces between words.
pub fn enumerated<'v>(value: &'v Json<'_>) -> Cow<'v, str> {
    let value = value.present("id").or_else(|| value.present("name")).unwrap_or(value);
    let text = value.id().unwrap_or_default();
    Cow::Owned(text.to_lowercase().replace(['_', '-'], " "))
}
