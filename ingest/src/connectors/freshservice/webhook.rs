//! Webhooks of the workflow automator, whose body an administrator composes.
//!
//! Owns how such a body is read through the field map: the fields that are there, and no others. A body without the
//! time of its version is dated by its receipt, and says so: when the ticket was created tells nothing of its status and
//! of the decision.

use counterfoil_proto::v1::{Mapping, Ref, Ticket, TicketType};

use super::fields::{self, FieldMap};
use super::ticket::{Version, asks, decision, status_of, ticket_type_of};
use super::{Reading, Reject};
use crate::connectors::draft::{Draft, Principal, version};
use crate::connectors::{EventId, mentions};
use crate::json::Json;
use crate::times;

/// The body within a webhook's document.
pub fn body<'e, 'j>(event: &'e Json<'j>) -> Option<&'e Json<'j>> {
    ["freshservice_webhook", "freshdesk_webhook"].iter().find_map(|key| event.get(key))
}

/// Reads a body.
pub fn read(body: &Json<'_>, map: &FieldMap, mut draft: Draft<'_>) -> Result<Reading, Reject> {
    const STREAM: &str = "webhook";
    let Some((kind, number)) = ticket_of(body, map) else {
        return draft.finish(STREAM, EventId::Content, STREAM, Mapping::Incomplete);
    };
    let assume_utc = draft.context.assume_utc;
    let time = |names: &[String]| {
        let name = names.first().map_or("", String::as_str);
        times::optional(fields::field(body, names), name, assume_utc)
    };
    let (created_at, updated_at) = (time(&map.created_at)?, time(&map.updated_at)?);
    let seen_at = updated_at.unwrap_or_else(|| times::received(draft.context.received_at));
    let requester = person(body, &map.requester_id, &map.requester_email, &map.requester_name, &mut draft);
    let beneficiary = person(body, &map.requested_for_id, &map.requested_for_email, &[], &mut draft);
    let mut detail = Ticket {
        r#type: match (kind.as_str(), fields::text(body, &map.ticket_type)) {
            ("change", _) => TicketType::Change,
            (_, Some(name)) => ticket_type_of(&name),
            (_, None) => TicketType::ServiceRequest,
        }
        .into(),
        status: fields::field(body, &map.status).map(status_of).unwrap_or_default().into(),
        requester,
        assignee: person(body, &[], &map.agent_email, &[], &mut draft),
        source_decision: fields::field(body, &map.approval_status).map(decision).unwrap_or_default().into(),
        ..Ticket::default()
    };
    let ticket = draft.own_ticket(&kind, &number);
    let custom = body.get("custom_fields").unwrap_or(body);
    asks((body, custom), &ticket, map, &mut detail, &mut draft);
    let ticket_version = Version { ticket, beneficiary, actor: None, created_at, updated_at: seen_at };
    ticket_version.push(detail, &mut draft);
    let event_id = match updated_at {
        Some(at) => EventId::Version(format!("{kind}/{number}/{}", version(&at))),
        None => EventId::Content,
    };
    draft.finish(STREAM, event_id, STREAM, Mapping::Incomplete)
}

/// The ticket's kind and number: "SR-123", "CHN-17", or a bare number, which is a ticket's.
fn ticket_of(body: &Json<'_>, map: &FieldMap) -> Option<(String, String)> {
    let written = fields::text(body, &map.ticket_id)?;
    let id = mentions::ticket_number(&written).or_else(|| {
        let number = written.trim_start_matches('#');
        let valid = !number.is_empty() && number.bytes().all(|byte| byte.is_ascii_digit());
        valid.then(|| format!("ticket/{number}"))
    })?;
    let (kind, number) = id.split_once('/')?;
    Some((kind.to_owned(), number.to_owned()))
}

fn person(body: &Json<'_>, ids: &[String], emails: &[String], names: &[String], draft: &mut Draft<'_>) -> Option<Ref> {
    let id = fields::text(body, ids);
    let email = fields::text(body, emails);
    let name = fields::text(body, names);
    let logins = email.as_deref().map(|email| ("email", email));
    let values = name.as_deref().map(|name| ("display_name", name));
    draft.principal(Principal {
        id: id.as_deref(),
        logins: logins.as_slice(),
        values: values.as_slice(),
        ..Principal::default()
    })
}
