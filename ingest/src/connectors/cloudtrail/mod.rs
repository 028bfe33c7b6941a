//! AWS CloudTrail: events of IAM, IAM Identity Center, STS and sign-in, and the log's own configuration.
//!
//! Owns what a delivered document of CloudTrail's is: a log file of S3, an event, an envelope of EventBridge, or what
//! `lookup-events` prints. The same event is the same through each of them: its content is the event's own, never the
//! envelope's. It reads keys exactly as AWS spells them. docs/decisions/0012 says who is who.

mod credentials;
mod directory;
mod entitlements;
mod event;
mod iam;
mod identity;
mod listings;
mod report;
mod rules;
mod sessions;
mod sso;

use counterfoil_proto::v1::{Mapping, RejectReason};

use super::draft::Draft;
use super::rule::Rule;
use super::split::{items, member};
use super::{Connector, Context, EventId, Lister, Part, PartContext, Reading, Reject, Split};
use crate::json::Json;
use event::LogEvent;

pub struct CloudTrail;

/// The system of AWS accounts. Its instances are the accounts' numbers.
const SYSTEM: &str = "aws";
/// The one log of an account.
const STREAM: &str = "cloudtrail";
/// What every event has.
const ESSENTIAL: [&str; 3] = ["eventSource", "eventName", "eventTime"];
/// Where a log file has its events.
const RECORDS: &str = "Records";
/// Where `lookup-events` puts the text of an event.
const EMBEDDED: &str = "CloudTrailEvent";

impl Connector for CloudTrail {
    fn name(&self) -> &'static str {
        "cloudtrail"
    }

    fn version(&self) -> u32 {
        1
    }

    fn system(&self) -> &str {
        SYSTEM
    }

    fn recognises(&self, event: &Json<'_>) -> bool {
        let is_event = |event: &Json<'_>| ESSENTIAL.iter().all(|key| event.get(key).is_some());
        is_event(event)
            || event.get("detail").is_some_and(is_event)
            || event.items(RECORDS).first().is_some_and(is_event)
            || event.items("Events").first().is_some_and(is_wrapped)
    }

    fn split<'a>(&self, document: &Json<'a>, raw: &'a str) -> Result<Split<'a>, Reject> {
        let mut parts = Vec::new();
        match list(document, raw)? {
            Some(elements) => elements.into_iter().try_for_each(|(json, raw)| unwrap(json, raw, &mut parts))?,
            None if is_wrapped(document) => unwrap(document, raw, &mut parts)?,
            None => return Ok(Split::Event),
        }
        Ok(Split::Parts(parts))
    }

    fn split_large<'a>(&self, raw: &'a str) -> Option<Vec<Part<'a>>> {
        let events = items(raw, &[RECORDS]).ok()?;
        Some(events.into_iter().map(|raw| Part { raw: raw.into(), context: PartContext::default() }).collect())
    }

    fn read(&self, event: &Json<'_>, _part: &PartContext, context: &Context<'_>) -> Result<Reading, Reject> {
        let Json::Object(_) = event else {
            return Err(Reject::new(
                RejectReason::NotAnEvent,
                "expected a JSON object, an event of CloudTrail; got another value",
            ));
        };
        if !is_log_event(event) || !self.recognises(event) && super::recognised_by_another(self, event).is_some() {
            const EXPECTED: &str = "an event of CloudTrail, with eventSource, eventName and eventTime";
            return Err(super::stranger(self, event, EXPECTED));
        }
        read_log_event(event, context)
    }

    fn lister(&self) -> Option<&dyn Lister> {
        Some(&listings::Listings)
    }
}

/// The elements of a list, each with its text: those of an array, of a log file, or of a page of whatever else.
fn list<'j, 'a>(json: &'j Json<'a>, raw: &'a str) -> Result<Option<Vec<(&'j Json<'a>, &'a str)>>, Reject> {
    let path: &[&str] = match json {
        Json::Array(_) => &[],
        Json::Object(members) => match &members[..] {
            [(key, Json::Array(_))] => &[key.as_ref()],
            _ if matches!(json.get(RECORDS), Some(Json::Array(_))) => &[RECORDS],
            _ if json.items("Events").first().is_some_and(is_wrapped) => &["Events"],
            _ => return Ok(None),
        },
        _ => return Ok(None),
    };
    let elements = path.iter().try_fold(json, |json, key| json.get(key)).map_or(&[][..], Json::as_array);
    Ok(Some(elements.iter().zip(items(raw, path)?).collect()))
}

/// Whether an object is an envelope around one event.
fn is_wrapped(json: &Json<'_>) -> bool {
    let is_event = |detail: &Json<'_>| detail.get("eventSource").is_some() && detail.get("eventName").is_some();
    json.text(EMBEDDED).is_some() || json.get("detail-type").is_some() && json.get("detail").is_some_and(is_event)
}

/// Adds the event that an element of a list is, or is an envelope of.
fn unwrap<'a>(json: &Json<'a>, raw: &'a str, parts: &mut Vec<Part<'a>>) -> Result<(), Reject> {
    let raw = match json.text(EMBEDDED) {
        Some(text) => text.to_owned().into(),
        None if is_wrapped(json) => member(raw, "detail")?.into(),
        None => raw.into(),
    };
    parts.push(Part { raw, context: PartContext::default() });
    Ok(())
}

/// Whether an object is an event of the log, whole or not.
fn is_log_event(event: &Json<'_>) -> bool {
    const USUAL: [&str; 4] = ["eventVersion", "userIdentity", "recipientAccountId", "requestParameters"];
    event.get("eventName").is_some()
        && ESSENTIAL.iter().chain(&USUAL).any(|key| *key != "eventName" && event.get(key).is_some())
}

fn read_log_event(json: &Json<'_>, context: &Context<'_>) -> Result<Reading, Reject> {
    let (source, name) = (json.text("eventSource").unwrap_or_default(), json.text("eventName").unwrap_or_default());
    let occurred_at = crate::times::required(json.get("eventTime"), "eventTime", context.assume_utc)?;
    let recipient = json.text("recipientAccountId").filter(|account| identity::is_account(account));
    let draft = Draft::new(context, SYSTEM, recipient.unwrap_or(context.instance));
    let event_id = json.text("eventID").map_or(EventId::Content, |id| EventId::Native(id.to_owned()));
    let native_type = if rules::is_event_type(source, name) { format!("{source}:{name}") } else { String::new() };
    let mut event = LogEvent::new(json, draft, occurred_at);
    let otherwise = match rules::rule(source, name) {
        Rule::NoFacts => Mapping::NoFacts,
        Rule::Unknown => Mapping::Unmapped,
        Rule::Facts(kind, apply) => {
            event.prepare();
            apply(&mut event, kind);
            event.keep_refusal(kind);
            Mapping::Incomplete
        }
    };
    let reading = event.draft.finish(STREAM, event_id, &native_type, otherwise)?;
    Ok(Reading { instance: recipient.map(str::to_owned), ..reading })
}
