//! Okta: the System Log, event hooks, and the objects of the management API.
//!
//! Owns what a delivered document of Okta's is: one event, an array of events, an event hook's envelope, or a resource.
//! It reads keys exactly as Okta spells them: a copy with other spellings is kept, and is not understood.

mod event;
mod grants;
mod listings;
mod requests;
mod resources;
mod roles;
mod rules;

use counterfoil_proto::v1::{Mapping, RejectReason};

use super::draft::Draft;
use super::split::elements;
use super::{Connector, Context, EventId, Lister, PartContext, Reading, Reject, Split};
use crate::json::Json;
use event::LogEvent;

pub struct Okta;

impl Connector for Okta {
    fn name(&self) -> &'static str {
        "okta"
    }

    fn version(&self) -> u32 {
        1
    }

    fn system(&self) -> &str {
        "okta"
    }

    fn recognises(&self, event: &Json<'_>) -> bool {
        (event.get("eventType").is_some() && event.get("published").is_some())
            || event.path("data.events").is_some()
            || resources::is_known(event)
    }

    fn split<'a>(&self, document: &Json<'a>, raw: &'a str) -> Result<Split<'a>, Reject> {
        match document {
            Json::Array(_) => elements(raw, &[], &PartContext::default()),
            Json::Object(_) if matches!(document.path("data.events"), Some(Json::Array(_))) => {
                let context = PartContext { hook: true, ..PartContext::default() };
                elements(raw, &["data", "events"], &context)
            }
            _ => Ok(Split::Event),
        }
    }

    fn read(&self, event: &Json<'_>, part: &PartContext, context: &Context<'_>) -> Result<Reading, Reject> {
        let Json::Object(_) = event else {
            return Err(Reject::new(
                RejectReason::NotAnEvent,
                "expected a JSON object, an event of the System Log or an object of the API; got another value",
            ));
        };
        let is_strange = !is_log_event(event) && !resources::is_known(event) && !resources::is_like_one(event);
        if is_strange || !self.recognises(event) && super::recognised_by_another(self, event).is_some() {
            const EXPECTED: &str =
                "an event of Okta's System Log, with eventType and published, or an object of its API";
            return Err(super::stranger(self, event, EXPECTED));
        }
        let draft = Draft::new(context, self.system(), context.instance);
        if is_log_event(event) { read_log_event(event, part, draft) } else { resources::read(event, draft) }
    }

    fn lister(&self) -> Option<&dyn Lister> {
        Some(&listings::Listings)
    }
}

/// Whether an object is an event of the log, whole or not, rather than a resource.
fn is_log_event(event: &Json<'_>) -> bool {
    ["eventType", "published", "legacyEventType", "displayMessage"].iter().any(|key| event.get(key).is_some())
        || (event.get("actor").is_some() && event.get("outcome").is_some())
}

fn read_log_event(json: &Json<'_>, part: &PartContext, draft: Draft<'_>) -> Result<Reading, Reject> {
    let stream = if part.hook { "event-hook" } else { "system-log" };
    let uuid = json.text("uuid");
    let event_type = json.text("eventType").unwrap_or_default();
    let native_type = if rules::is_event_type(event_type) { event_type } else { "" };
    let occurred_at = crate::times::required(json.get("published"), "published", draft.context.assume_utc)?;
    let event_id = |prefix: &str| uuid.map_or(EventId::Content, |uuid| EventId::Native(format!("{prefix}{uuid}")));
    if part.hook && is_half_empty(json) {
        return draft.finish(stream, event_id(HALF_EMPTY), native_type, Mapping::Incomplete);
    }
    let rule = rules::rule(event_type);
    let mut event = LogEvent::new(json, draft, occurred_at);
    let otherwise = match rule {
        rules::Rule::NoFacts => Mapping::NoFacts,
        rules::Rule::Unknown => Mapping::Unmapped,
        _ => {
            event.prepare();
            // A rule that finds no target gives no fact: the event lacks what its type needs.
            rules::apply(rule, &mut event);
            Mapping::Incomplete
        }
    };
    let is_lacking = part.hook && otherwise == Mapping::Incomplete && event.draft.facts.is_empty();
    let event_id = event_id(if is_lacking { HALF_EMPTY } else { "" });
    event.draft.finish(stream, event_id, native_type, otherwise)
}

/// What stands before the uuid of a hook's event that lacks something. The same event comes whole through the log, under
/// its own uuid: one that told half of it must neither stand in its way nor be counted beside it.
const HALF_EMPTY: &str = "hook:";

/// Whether a hook's event lacks anything that facts are made of and that the log's event has. A transaction's detail is
/// there even where it is empty; everything else has to say something.
fn is_half_empty(json: &Json<'_>) -> bool {
    let is_named = |json: &Json<'_>| {
        json.id_at("id").is_some_and(|id| id != "unknown") || event::known(json, "alternateId").is_some()
    };
    let targets = json.items("target");
    let has_debug_data = match json.path("debugContext.debugData") {
        Some(Json::Object(members)) => members.iter().any(|(_, value)| !value.is_absent()),
        _ => false,
    };
    !json.get("actor").is_some_and(is_named)
        || targets.is_empty()
        || !targets.iter().all(is_named)
        || json.text("outcome.result").is_none()
        || !has_debug_data
        || json.present("transaction.detail").is_none()
}
