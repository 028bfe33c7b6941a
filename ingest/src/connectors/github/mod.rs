//! GitHub: the audit log of organizations and enterprises.
//!
//! Owns what a delivered document of GitHub's is: one event, or an array of events, as the API, an export or a stream of
//! the log gives them. It reads keys exactly as GitHub spells them. docs/decisions/0059 says who is who.

mod accounts;
mod apps;
mod credentials;
mod entitlements;
mod event;
mod grants;
mod rules;
mod tokens;
mod who;

use counterfoil_proto::v1::{Mapping, RejectReason};

use super::draft::Draft;
use super::rule::Rule;
use super::split::elements;
use super::{Connector, Context, EventId, PartContext, Reading, Reject, Split};
use crate::json::Json;
use crate::times::{self, EpochUnit};
use event::LogEvent;

pub struct GitHub;

/// The system. An instance is one GitHub: github.com, or a server of an enterprise's own.
const SYSTEM: &str = "github";
/// The one log.
const STREAM: &str = "audit-log";

impl Connector for GitHub {
    fn name(&self) -> &'static str {
        SYSTEM
    }

    fn version(&self) -> u32 {
        1
    }

    fn system(&self) -> &str {
        SYSTEM
    }

    fn recognises(&self, event: &Json<'_>) -> bool {
        let has = |key: &str| event.get(key).is_some();
        let is_dotted = event.text("action").is_some_and(|action| action.contains('.'));
        is_dotted && (has("_document_id") || has("@timestamp") || has("created_at") && has("actor"))
    }

    fn split<'a>(&self, document: &Json<'a>, raw: &'a str) -> Result<Split<'a>, Reject> {
        match document {
            Json::Array(_) => elements(raw, &[], &PartContext::default()),
            _ => Ok(Split::Event),
        }
    }

    fn read(&self, event: &Json<'_>, _part: &PartContext, context: &Context<'_>) -> Result<Reading, Reject> {
        let Json::Object(_) = event else {
            return Err(Reject::new(
                RejectReason::NotAnEvent,
                "expected a JSON object, an event of GitHub's audit log; got another value",
            ));
        };
        if !is_log_event(event) || !self.recognises(event) && super::recognised_by_another(self, event).is_some() {
            const EXPECTED: &str = "an event of GitHub's audit log, with action, actor and @timestamp";
            return Err(super::stranger(self, event, EXPECTED));
        }
        read_log_event(event, context)
    }
}

/// Whether an object is an event of the log, whole or not.
fn is_log_event(event: &Json<'_>) -> bool {
    const USUAL: [&str; 6] = ["@timestamp", "_document_id", "actor", "created_at", "org", "repo"];
    event.text("action").is_some() && USUAL.iter().any(|key| event.get(key).is_some())
}

fn read_log_event(json: &Json<'_>, context: &Context<'_>) -> Result<Reading, Reject> {
    let action = json.text("action").unwrap_or_default();
    let time = ["@timestamp", "created_at"].into_iter().find(|name| json.present(name).is_some());
    let name = time.unwrap_or("@timestamp");
    let occurred_at = times::required_epoch(json.get(name), name, EpochUnit::Millisecond, context.assume_utc)?;
    let draft = Draft::new(context, SYSTEM, context.instance);
    let event_id = json.id_at("_document_id").map_or(EventId::Content, |id| EventId::Native(id.into_owned()));
    let native_type = if rules::is_event_type(action) { action } else { "" };
    let mut event = LogEvent::new(json, draft, occurred_at);
    let otherwise = match rules::rule(action) {
        Rule::NoFacts => Mapping::NoFacts,
        Rule::Unknown => Mapping::Unmapped,
        Rule::Facts(kind, apply) => {
            event.prepare();
            apply(&mut event, kind);
            Mapping::Incomplete
        }
    };
    event.draft.finish(STREAM, event_id, native_type, otherwise)
}
