//! Freshservice: tickets, changes, approvals, people and groups, from the API, from app events, and from webhooks.
//!
//! Owns what a delivered document of Freshservice's is. Nearly everything is a version of a resource that changes: its
//! event id is the resource and the time of that version. The API keys of agents cannot be listed, so they never appear
//! here: such a key is known only once it is registered.

mod approval;
mod fields;
mod groups;
mod listings;
mod onboarding;
mod people;
mod ticket;
mod webhook;

use counterfoil_proto::v1::{Mapping, RejectReason, Time};

use super::draft::{Draft, version};
use super::split::elements;
use super::{Connector, Context, EventId, Lister, PartContext, Reading, Reject, Split};
use crate::json::Json;
use crate::times;

pub use fields::FieldMap;

#[derive(Clone, Debug, Default)]
pub struct Freshservice {
    fields: FieldMap,
}

/// The kinds of resources: the key of one, the key of a list of them, and the stream they belong to.
const KINDS: [(&str, &str, &str); 12] = [
    ("ticket", "tickets", "tickets"),
    ("change", "changes", "changes"),
    ("approval", "approvals", "approvals"),
    ("onboarding_request", "onboarding_requests", "onboarding"),
    ("agent", "agents", "agents"),
    ("requester", "requesters", "requesters"),
    ("requester_group", "requester_groups", "groups"),
    ("group", "groups", "groups"),
    ("role", "roles", "roles"),
    ("department", "departments", "departments"),
    ("task", "tasks", "tasks"),
    ("location", "locations", "locations"),
];

/// One version of a resource while it is read.
pub struct Resource<'e, 'j, 'c> {
    pub json: &'e Json<'j>,
    pub kind: &'static str,
    /// The ticket that it belongs to, where the envelope or the resource says so.
    pub parent: Option<String>,
    /// The event around it, such as an app event with its actor; the resource itself where there is none.
    pub envelope: &'e Json<'j>,
    pub fields: &'e FieldMap,
    pub draft: Draft<'c>,
}

/// The times of a version of a ticket, an approval or a request.
#[derive(Clone, Copy)]
pub struct VersionTimes {
    pub created: Option<Time>,
    pub updated: Option<Time>,
    /// When the version came to be, or else when it was received.
    pub seen: Time,
}

impl Connector for Freshservice {
    fn name(&self) -> &'static str {
        "freshservice"
    }

    fn version(&self) -> u32 {
        1
    }

    fn system(&self) -> &str {
        "freshservice"
    }

    fn recognises(&self, event: &Json<'_>) -> bool {
        webhook::body(event).is_some()
            || wrapped(event).is_some()
            || by_shape(event).is_some()
            || KINDS.iter().any(|(_, list, _)| matches!(event.get(list), Some(Json::Array(_))))
    }

    fn split<'a>(&self, document: &Json<'a>, raw: &'a str) -> Result<Split<'a>, Reject> {
        if let Json::Array(_) = document {
            return elements(raw, &[], &PartContext::default());
        }
        let list = KINDS.iter().find(|(_, list, _)| matches!(document.get(list), Some(Json::Array(_))));
        // A ticket may have tasks and approvals in it; then it is the event.
        let single = KINDS.iter().any(|(one, ..)| document.get(one).is_some());
        match list {
            Some((kind, list, _)) if !single && document.get("id").is_none() => {
                let context =
                    PartContext { kind: Some((*kind).into()), parent: parent(document), ..PartContext::default() };
                elements(raw, &[list], &context)
            }
            _ => Ok(Split::Event),
        }
    }

    fn read(&self, event: &Json<'_>, part: &PartContext, context: &Context<'_>) -> Result<Reading, Reject> {
        let Json::Object(members) = event else {
            return Err(Reject::new(
                RejectReason::NotAnEvent,
                "expected a JSON object, such as a ticket or an approval; got another value",
            ));
        };
        let draft = Draft::new(context, self.system(), context.instance);
        if let Some(body) = webhook::body(event) {
            return webhook::read(body, &self.fields, draft);
        }
        let found = part
            .kind
            .as_deref()
            .and_then(|named| KINDS.iter().find(|(kind, ..)| *kind == named))
            .map(|(kind, ..)| (*kind, event))
            .or_else(|| wrapped(event))
            .or_else(|| by_shape(event).map(|kind| (kind, event)));
        let Some((kind, json)) = found else {
            if members.is_empty() {
                return draft.finish("api", EventId::Content, "", Mapping::NoFacts);
            }
            if !is_like_one(event) || super::recognised_by_another(self, event).is_some() {
                const EXPECTED: &str = "a resource of Freshservice's, such as a ticket with its id and updated_at, an app event or a webhook's body";
                return Err(super::stranger(self, event, EXPECTED));
            }
            return draft.finish("api", EventId::Content, "", Mapping::Unmapped);
        };
        let resource = Resource {
            json,
            kind,
            parent: part.parent.clone().or_else(|| parent(json)),
            envelope: event,
            fields: &self.fields,
            draft,
        };
        match kind {
            "ticket" | "change" => ticket::read(resource),
            "approval" => approval::read(resource),
            "onboarding_request" => onboarding::read(resource),
            "agent" => people::agent(resource),
            "requester" => people::requester(resource),
            "group" | "requester_group" => groups::group(resource),
            "role" => groups::role(resource),
            _ => {
                let updated = resource.updated_at()?;
                resource.finish(updated, Mapping::NoFacts)
            }
        }
    }

    fn lister(&self) -> Option<&dyn Lister> {
        Some(&listings::Listings)
    }
}

impl Resource<'_, '_, '_> {
    /// The resource's own id.
    pub fn id(&self) -> Option<String> {
        self.json.id_at("id").map(|id| id.into_owned())
    }

    /// When this version came to be; none where the resource does not say.
    pub fn updated_at(&self) -> Result<Option<Time>, Reject> {
        Ok(self.time("updated_at")?.or(self.time("created_at")?))
    }

    /// When this version came to be, or else when it was received.
    pub fn seen_at(&self) -> Result<Time, Reject> {
        let received = || times::received(self.draft.context.received_at);
        Ok(self.updated_at()?.unwrap_or_else(received))
    }

    /// When the ticket, the approval or the request was opened, and when this version of it came to be. Without an
    /// updated_at only its receipt tells the latter: what it says need not have been so when it was opened. One without
    /// any time is refused.
    pub fn version(&self) -> Result<VersionTimes, Reject> {
        let (created, updated) = (self.time("created_at")?, self.time("updated_at")?);
        if created.is_none() && updated.is_none() {
            times::required(None, "updated_at", false)?;
        }
        let seen = updated.unwrap_or_else(|| times::received(self.draft.context.received_at));
        Ok(VersionTimes { created, updated, seen })
    }

    /// The time in a field.
    pub fn time(&self, field: &str) -> Result<Option<Time>, Reject> {
        times::optional(self.json.get(field), field, self.draft.context.assume_utc)
    }

    /// Closes the reading of a version of `updated` (none where the resource has no time).
    pub fn finish(self, updated: Option<Time>, otherwise: Mapping) -> Result<Reading, Reject> {
        let event_id = match (self.json.id_at("id"), updated) {
            (Some(id), Some(at)) => {
                EventId::Version(format!("{}/{}/{}", self.kind, self.draft.opaque(&id), version(&at)))
            }
            _ => EventId::Content,
        };
        let stream = KINDS.iter().find(|(kind, ..)| *kind == self.kind).map_or("api", |(.., stream)| *stream);
        let native_type = self.envelope.text("event").filter(|event| is_app_event(event)).unwrap_or(self.kind);
        self.draft.finish(stream, event_id, native_type, otherwise)
    }
}

/// Whether it is the name of an app event about a resource, such as "onTicketUpdate".
fn is_app_event(name: &str) -> bool {
    const OF: [&str; 6] = ["Ticket", "Change", "Task", "Approval", "Agent", "Requester"];
    const WHAT: [&str; 3] = ["Create", "Update", "Delete"];
    let of = name.strip_prefix("on").and_then(|name| OF.iter().find_map(|of| name.strip_prefix(of)));
    of.is_some_and(|what| WHAT.contains(&what))
}

/// The ticket that an object names as its own.
fn parent(json: &Json<'_>) -> Option<String> {
    let id = |key: &str, kind: &str| {
        let id = json.id_at(key)?;
        counterfoil_verify::entity::is_opaque(&id).then(|| format!("{kind}/{id}"))
    };
    id("ticket_id", "ticket").or_else(|| id("change_id", "change"))
}

/// The resource within `{"ticket": {…}}`, or within an app event, whose payload may stand under "data".
fn wrapped<'e, 'j>(event: &'e Json<'j>) -> Option<(&'static str, &'e Json<'j>)> {
    let inside = |json: &'e Json<'j>| {
        KINDS.iter().find_map(|(kind, ..)| {
            let resource = json.get(kind)?;
            matches!(resource, Json::Object(_)).then_some((*kind, resource))
        })
    };
    if event.get("id").is_some() {
        return None;
    }
    inside(event).or_else(|| inside(event.get("data")?))
}

/// Whether it may be a resource, a list or an event of a kind that is not known here: it, or something directly in it,
/// has what resources have.
fn is_like_one(json: &Json<'_>) -> bool {
    const USUAL: [&str; 4] = ["created_at", "updated_at", "workspace_id", "display_id"];
    let is_resource = |json: &Json<'_>| USUAL.iter().any(|key| json.get(key).is_some());
    let Json::Object(members) = json else { return false };
    let within = |(_, value): &(_, Json<'_>)| is_resource(value) || value.as_array().first().is_some_and(is_resource);
    is_resource(json) || members.iter().any(within)
}

/// What a resource without an envelope is, by the keys that only this kind has.
fn by_shape(json: &Json<'_>) -> Option<&'static str> {
    let has = |key: &str| json.get(key).is_some();
    if !has("id") {
        None
    } else if has("approver_id") {
        Some("approval")
    } else if has("planned_start_date") || has("change_type") {
        Some("change")
    } else if has("fields") && has("ticket_id") {
        Some("onboarding_request")
    } else if has("requester_id") && (has("status") || has("requested_for_id")) {
        Some("ticket")
    } else if has("role_ids") || has("occasional") {
        Some("agent")
    } else if has("primary_email") {
        Some("requester")
    } else if has("members") && has("observers") {
        Some("group")
    } else if has("head_user_id") || has("prime_user_id") {
        Some("department")
    } else if has("title") && has("due_date") {
        Some("task")
    } else {
        None
    }
}
