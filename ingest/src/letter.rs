//! What is kept of what cannot be read: its bytes beside a record that says why, and how it was read.
//!
//! Owns the dead letter as it is written, and what it says to whoever reads it again: the record has where it came from and
//! on whose word, and the member `reading` of its envelope what else its connector was told. It never reads one again.

use counterfoil_ledger::ContentDigest;
use counterfoil_proto::v1::{Beside, Source, SourceRejected, Value, Values, record::Body};
use counterfoil_verify::beside;
use counterfoil_verify::entity::EntityId;
use counterfoil_verify::time::Moment;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value as Member};

use crate::connectors::PartContext;
use crate::json::{self, DigestKey, Reject};
use crate::prepare::{Delivered, Document, Made, Prepared};
use crate::secrets;

/// The stream of events that could not be read far enough to tell theirs.
pub(crate) const UNREAD_STREAM: &str = "unread";
/// Under which name the words about what is wrong lie beside a record.
const ERROR: &str = "error";
/// The member of an envelope that says how it was read.
const READING: &str = "reading";

/// What cannot be read, and what is known of it.
#[derive(Default)]
pub(crate) struct Rejected<'r> {
    /// Its bytes.
    pub(crate) raw: &'r [u8],
    /// Of what is JSON, its bytes without the secrets; otherwise they are looked for as in any text.
    pub(crate) payload: Option<Vec<u8>>,
    /// What makes its content itself; otherwise its bytes do.
    pub(crate) content: Option<ContentDigest>,
    /// Of what is one event, what its envelope says about it.
    pub(crate) context: Option<&'r PartContext>,
}

/// How something was read that could not be read: what its record does not say.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct Reading {
    /// When it was received: seconds since 1970, and nanoseconds.
    pub(crate) received_at: (i64, u32),
    /// The tenant whose tickets it mentions.
    pub(crate) ticket_instance: String,
    /// Of what is one event, what its envelope said about it. Otherwise it is a document, and may be an envelope itself.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub(crate) event: Option<PartContext>,
    /// Its bytes are what its source got, which another format may make another document of.
    #[serde(skip_serializing_if = "std::ops::Not::not", default)]
    pub(crate) undecoded: bool,
}

impl<'r> Rejected<'r> {
    /// Bytes of which nothing is known.
    pub(crate) fn of(raw: &'r [u8]) -> Self {
        Self { raw, ..Self::default() }
    }
}

impl Reading {
    /// Adds it to an envelope, if there is one.
    fn add_to(&self, envelope: Option<&str>) -> String {
        let mut members = envelope.map(members).unwrap_or_default();
        // It is plain text and numbers, which JSON has a form for.
        members.insert(READING.to_owned(), serde_json::to_value(self).unwrap_or_default());
        Member::Object(members).to_string()
    }

    /// Takes it out of an envelope: what is left is what it came in. None where it is not there, or in another form.
    pub(crate) fn take_from(envelope: &[u8]) -> Option<(Self, Map<String, Member>)> {
        let mut members = members(std::str::from_utf8(envelope).ok()?);
        let reading = serde_json::from_value(members.remove(READING)?).ok()?;
        Some((reading, members))
    }
}

fn members(envelope: &str) -> Map<String, Member> {
    serde_json::from_str(envelope).unwrap_or_default()
}

/// What makes bytes themselves that nobody can read.
pub(crate) fn digest_of_bytes(raw: &[u8], key: &DigestKey) -> ContentDigest {
    key.digest("counterfoil/rejected/v1", raw)
}

/// The words about what is wrong that lie beside a rejected event.
pub(crate) fn words(beside: &Beside) -> Option<String> {
    let mut values = beside::values(beside).flat_map(|(_, values)| values.values);
    values.find(|value| value.name == ERROR).map(|value| value.value)
}

impl Delivered<'_> {
    /// Keeps what could not be read: its bytes, freed from secrets, why, and how it was read.
    pub(crate) fn reject(&self, document: &Document, part: usize, rejected: Rejected<'_>, reject: &Reject) -> Prepared {
        let Rejected { raw, payload, content, context } = rejected;
        let content = content.unwrap_or_else(|| digest_of_bytes(raw, self.context.digest_key));
        let source = Source {
            system: self.connector.system().to_owned(),
            instance: self.context.instance.to_owned(),
            stream: UNREAD_STREAM.to_owned(),
        };
        let payload = payload.unwrap_or_else(|| secrets::redact_bytes(raw, self.context.digest_key).into_owned());
        let message = format!("{}: {}", document.place, reject.message);
        let message = secrets::redact_bytes(message.as_bytes(), self.context.digest_key).into_owned();
        let values = Values {
            entity: EntityId::source(&source).as_bytes().to_vec(),
            values: vec![Value { name: ERROR.to_owned(), value: String::from_utf8_lossy(&message).into_owned() }],
        };
        let body = Body::SourceRejected(SourceRejected {
            reason: reject.reason.into(),
            size: document.oversized.unwrap_or(raw.len() as u64),
        });
        let Moment { seconds, nanos } = self.received_at(document);
        let reading = Reading {
            received_at: (seconds, nanos),
            ticket_instance: self.context.ticket_instance.to_owned(),
            event: context.cloned(),
            undecoded: document.undecoded && context.is_none(),
        };
        let envelope = reading.add_to(document.envelope.as_deref().filter(|_| part == 0));
        let provenance = self.provenance(document, source, format!("rejected/{}", json::hex(&content)), content);
        let event = self
            .seal(document, part, provenance, vec![body], (payload, &[values], Some(envelope)))
            .expect("a rejected event holds nothing that came from outside but its commitment");
        Prepared { event, facts: 0, made: Made::Rejected(reject.reason) }
    }
}
