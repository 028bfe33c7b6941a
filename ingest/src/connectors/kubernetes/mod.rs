//! Kubernetes: the audit log of a cluster's API server, as far as it tells of accounts, of RBAC, and of credentials.
//!
//! Owns what a delivered document of the log is: one event, a list of events as webhooks get them, or an array. It reads
//! keys exactly as Kubernetes spells them. The log does not name its cluster: that is the instance. docs/decisions/0059
//! says who is who.

mod event;
mod naming;
mod rbac;
mod requests;
mod rules;
mod secrets;
mod service_accounts;
mod who;

use counterfoil_proto::v1::{Mapping, RejectReason};

use super::draft::Draft;
use super::rule::Rule;
use super::split::elements;
use super::{Connector, Context, EventId, PartContext, Reading, Reject, Split};
use crate::json::Json;
use event::LogEvent;

pub struct Kubernetes;

/// The system. An instance is one cluster.
const SYSTEM: &str = "kubernetes";
/// The one log of a cluster.
const STREAM: &str = "audit";
/// Where every event says what it is.
const GROUP: &str = "audit.k8s.io/";
/// The stage at which a request has ended, and its event says how.
const ENDED: &str = "ResponseComplete";

impl Connector for Kubernetes {
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
        let is_of_group = event.text("apiVersion").is_some_and(|version| version.starts_with(GROUP));
        is_of_group || event.get("auditID").is_some() && event.get("verb").is_some()
    }

    fn split<'a>(&self, document: &Json<'a>, raw: &'a str) -> Result<Split<'a>, Reject> {
        match document {
            Json::Array(_) => elements(raw, &[], &PartContext::default()),
            _ if document.text("kind") == Some("EventList") => elements(raw, &["items"], &PartContext::default()),
            _ => Ok(Split::Event),
        }
    }

    fn read(&self, event: &Json<'_>, _part: &PartContext, context: &Context<'_>) -> Result<Reading, Reject> {
        let Json::Object(_) = event else {
            return Err(Reject::new(
                RejectReason::NotAnEvent,
                "expected a JSON object, an event of Kubernetes' audit log; got another value",
            ));
        };
        if !is_log_event(event) || !self.recognises(event) && super::recognised_by_another(self, event).is_some() {
            const EXPECTED: &str = "an event of Kubernetes' audit log, with auditID, stage and verb";
            return Err(super::stranger(self, event, EXPECTED));
        }
        read_log_event(event, context)
    }
}

/// Whether an object is an event of the log, whole or not.
fn is_log_event(event: &Json<'_>) -> bool {
    const USUAL: [&str; 5] = ["auditID", "objectRef", "requestURI", "stage", "verb"];
    let is_event = event.text("kind").is_none_or(|kind| kind == "Event");
    is_event && USUAL.iter().any(|key| event.get(key).is_some())
}

fn read_log_event(json: &Json<'_>, context: &Context<'_>) -> Result<Reading, Reject> {
    let time = json.get("stageTimestamp");
    let occurred_at = crate::times::required(time, "stageTimestamp", context.assume_utc)?;
    let draft = Draft::new(context, SYSTEM, context.instance);
    let native_type = rules::native_type(json);
    let ended = json.text("stage") == Some(ENDED);
    let event_id = json.text("auditID").map_or(EventId::Content, |id| EventId::Native(id_at_stage(id, json)));
    if !ended {
        // The same request comes again when it has ended; without a stage nobody says that it has.
        let mapping = if json.text("stage").is_some() { Mapping::NoFacts } else { Mapping::Incomplete };
        return draft.finish(STREAM, event_id, &native_type, mapping);
    }
    let rule = rules::rule(json);
    let is_impersonated = json.present("impersonatedUser").is_some();
    let mut event = LogEvent::new(json, draft, occurred_at);
    if is_impersonated || matches!(rule, Rule::Facts(..)) {
        event.prepare();
    }
    let otherwise = match rule {
        Rule::NoFacts => Mapping::NoFacts,
        Rule::Unknown => Mapping::Unmapped,
        Rule::Facts(kind, apply) => {
            apply(&mut event, kind);
            Mapping::Incomplete
        }
    };
    if is_impersonated {
        who::impersonation(&mut event);
    }
    event.draft.finish(STREAM, event_id, &native_type, otherwise)
}

/// A request has one id in the events of all its stages: that of its end is the event's own.
fn id_at_stage(id: &str, json: &Json<'_>) -> String {
    match json.text("stage") {
        Some(ENDED) => id.to_owned(),
        Some("RequestReceived") => format!("RECEIVED:{id}"),
        Some("ResponseStarted") => format!("STARTED:{id}"),
        Some("Panic") => format!("PANIC:{id}"),
        _ => format!("UNKNOWN:{id}"),
    }
}
