//! Connectors: one per system, each turning a native event into facts.
//!
//! Owns the interface between a connector and the pipeline, and the list of connectors. A connector is a pure function
//! of the event and its context: it never reads a clock, a file or the ledger, and never keeps anything.

use std::borrow::Cow;
use std::sync::LazyLock;

use counterfoil_proto::v1::{Fact, Mapping, RejectReason, Values};
use counterfoil_verify::identifier::IndexKey;
use counterfoil_verify::time::Moment;
use serde::{Deserialize, Serialize};

use crate::json::{DigestKey, Json, quoted};

pub use crate::json::Reject;

mod access;
mod cloudtrail;
pub(crate) mod draft;
mod fact;
mod fields;
mod freshservice;
mod github;
mod kubernetes;
mod lister;
mod mentions;
mod naming;
mod nhi;
mod okta;
mod people;
mod rows;
mod rule;
mod shape;
pub(crate) mod split;

pub use freshservice::FieldMap;
pub use lister::{Lister, Next, Own, Page, Response, Seen, Shows};

/// The most facts that one native event gives: a listing of one group with that many members.
pub const FACTS_MAX: usize = 100_000;
/// The most events in one delivered document.
pub const PARTS_MAX: usize = 100_000;

/// What reads the events of one system.
pub trait Connector: Send + Sync {
    /// The connector's name in records and configuration.
    fn name(&self) -> &'static str;

    /// Its version: raised whenever the same event would give other facts.
    fn version(&self) -> u32;

    /// The system that its events come from, unless a reading says otherwise.
    fn system(&self) -> &str;

    /// Whether an event certainly is one of this system's, by the keys that it has.
    fn recognises(&self, event: &Json<'_>) -> bool;

    /// Tells whether a delivered document is one event, or an envelope of several. `raw` is the document's text.
    fn split<'a>(&self, document: &Json<'a>, raw: &'a str) -> Result<Split<'a>, Reject>;

    /// The events of an envelope that has too many values to be read as one document; none where it is no envelope that
    /// may be so large.
    fn split_large<'a>(&self, _raw: &'a str) -> Option<Vec<Part<'a>>> {
        None
    }

    /// Reads one event, already freed from secrets.
    fn read(&self, event: &Json<'_>, part: &PartContext, context: &Context<'_>) -> Result<Reading, Reject>;

    /// What reads its system's listings of live access, where it knows any.
    fn lister(&self) -> Option<&dyn Lister> {
        None
    }
}

/// What a delivered document holds.
#[derive(Debug)]
pub enum Split<'a> {
    Event,
    Parts(Vec<Part<'a>>),
}

/// One event within an envelope.
#[derive(Debug)]
pub struct Part<'a> {
    /// Its text, exactly as it stands in the document; or, of one that stands in a string, as that string has it.
    pub raw: Cow<'a, str>,
    pub context: PartContext,
}

/// What an envelope says about an event in it. The default is that of an event that is the whole document.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct PartContext {
    /// What kind of resource it is, such as "agent", where only the envelope tells.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub kind: Option<Cow<'static, str>>,
    /// The ticket that it belongs to, such as "ticket/1042" or "change/17".
    #[serde(skip_serializing_if = "Option::is_none")]
    pub parent: Option<String>,
    /// It came through an event hook.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub hook: bool,
}

/// What a connector may know besides the event.
#[derive(Clone, Copy, Debug)]
pub struct Context<'a> {
    /// The tenant that the event comes from.
    pub instance: &'a str,
    /// The system and tenant whose tickets are meant where an event of another system mentions one.
    pub ticket_system: &'a str,
    pub ticket_instance: &'a str,
    pub index_key: &'a IndexKey,
    pub digest_key: &'a DigestKey,
    /// The operator says that times without a zone are in UTC.
    pub assume_utc: bool,
    /// When the event was received, for the sources that give no time.
    pub received_at: Moment,
}

/// What a connector makes of one event.
#[derive(Clone, Debug, PartialEq)]
pub struct Reading {
    /// The system and the tenant that the event itself names, where it does.
    pub system: Option<String>,
    pub instance: Option<String>,
    /// The log or listing within the system.
    pub stream: Cow<'static, str>,
    pub event_id: EventId,
    /// The source's own name of the event's type; empty where it is no code.
    pub native_type: String,
    pub mapping: Mapping,
    pub facts: Vec<Fact>,
    /// What lies beside the record, one for each entity.
    pub values: Vec<Values>,
}

/// What makes an event itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum EventId {
    /// The source's own id of the event.
    Native(String),
    /// A version of a resource that changes: the pipeline appends "/" and the content digest in hexadecimal.
    Version(String),
    /// The content alone: the pipeline uses its digest.
    Content,
}

/// Makes one connector.
type Make = fn() -> Box<dyn Connector>;

/// Every connector, by its name.
const CONNECTORS: [(&str, Make); 8] = [
    ("cloudtrail", || Box::new(cloudtrail::CloudTrail)),
    (fact::NAME, || Box::new(fact::FactConnector)),
    ("freshservice", || Box::new(freshservice::Freshservice::default())),
    ("github", || Box::new(github::GitHub)),
    ("kubernetes", || Box::new(kubernetes::Kubernetes)),
    (nhi::NAME, || Box::new(nhi::Register)),
    ("okta", || Box::new(okta::Okta)),
    (people::NAME, || Box::new(people::People)),
];

/// One of each connector, for questions about events that need no settings.
fn made() -> impl Iterator<Item = &'static dyn Connector> {
    static MADE: LazyLock<[Box<dyn Connector>; CONNECTORS.len()]> =
        LazyLock::new(|| CONNECTORS.map(|(_, make)| make()));
    MADE.iter().map(Box::as_ref)
}

/// The connector of that name.
pub fn by_name(name: &str) -> Option<Box<dyn Connector>> {
    CONNECTORS.iter().find(|(known, _)| *known == name).map(|(_, make)| make())
}

/// The names of all connectors.
pub fn names() -> [&'static str; CONNECTORS.len()] {
    CONNECTORS.map(|(name, _)| name)
}

/// The names of the connectors that read listings of live access.
pub fn listers() -> Vec<&'static str> {
    made().filter(|connector| connector.lister().is_some()).map(Connector::name).collect()
}

/// The connector that reports what happens in a system, however the system's name is spelt; none where only producers of
/// facts speak for it.
pub fn owner_of(system: &str) -> Option<&'static str> {
    let owns =
        |connector: &dyn Connector| connector.name() != fact::NAME && connector.system().eq_ignore_ascii_case(system);
    made().find(|connector| owns(*connector)).map(Connector::name)
}

/// Why an event that has nothing of what the events of `connector` have is refused: most likely the file is for another
/// connector.
fn stranger(connector: &dyn Connector, event: &Json<'_>, expected: &str) -> Reject {
    const KEYS_SHOWN: usize = 5;
    let keys: Vec<String> = match event {
        Json::Object(members) => members.iter().take(KEYS_SHOWN).map(|(name, _)| quoted(name)).collect(),
        _ => Vec::new(),
    };
    let advice = match recognised_by_another(connector, event) {
        Some(other) => format!("it looks like one for the connector {other}: import the file with that"),
        None => "import it with the connector of its system, or write it as facts for the connector fact".to_owned(),
    };
    let message = format!("expected {expected}, got an object with the keys {}; {advice}", keys.join(", "));
    Reject::new(RejectReason::NotAnEvent, message)
}

/// Another connector that certainly knows the event.
fn recognised_by_another(connector: &dyn Connector, event: &Json<'_>) -> Option<&'static str> {
    made().find(|other| other.name() != connector.name() && other.recognises(event)).map(Connector::name)
}
