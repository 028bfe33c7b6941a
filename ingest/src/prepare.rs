//! From a delivered document to events that the ledger takes.
//!
//! Owns what happens to every event whatever its source: split, free from secrets, read by the connector, digest, seal
//! beside the record, encode. What cannot be read becomes a rejected event with its bytes; nothing is dropped. It never
//! touches the ledger and may run in many threads at once.

use counterfoil_ledger::{ContentDigest, PreparedEvent};
use counterfoil_proto::v1::{
    Authentication, Delivery, Event, Fact, Mapping, Position, Provenance, RejectReason, Source, SourceGap, Values,
    record::Body,
};
use counterfoil_verify::beside;
use counterfoil_verify::record::RECORD_BYTES_MAX;
use counterfoil_verify::rules::{FACTS_MAX, PARTS_MAX};
use counterfoil_verify::time::Moment;
use counterfoil_verify::tree::RecordIndex;
use hmac::{Hmac, KeyInit, Mac};
use prost::Message;
use sha2::Sha256;

use crate::connectors::{Connector, Context, EventId, Part, PartContext, Reading, Split};
use crate::json::{self, Json, Reject};
use crate::letter::{Rejected, UNREAD_STREAM};
use crate::secrets;

/// The largest event, in bytes. A document may be larger: it may be an envelope of many.
pub const EVENT_BYTES_MAX: usize = 4 << 20;
/// The events of a document that are read, however small they are; beyond that, one for so many of its bytes. What is
/// kept of each takes more memory than the least that it could be written in.
const EVENTS_OF_DOCUMENT: usize = 1_000;
const BYTES_PER_EVENT: usize = 256;
/// What the facts of one record may take, leaving room for its head and its provenance.
pub(crate) const FACT_BYTES_MAX: usize = RECORD_BYTES_MAX - 4_096;

/// What is the same for every event of one delivery.
#[derive(Clone)]
pub struct Delivered<'a> {
    /// The connector that reads it.
    pub connector: &'a dyn Connector,
    /// What the connector may know.
    pub context: Context<'a>,
    /// The channel of every position.
    pub channel: String,
    /// Live, or a first import of old logs.
    pub delivery: Delivery,
    /// How the producer was authenticated.
    pub authentication: Authentication,
    /// Randomness from which the seed of every record derives.
    pub seed_secret: [u8; 32],
    /// The dead letter that the documents were, where it is retried.
    pub retry_of: Option<RecordIndex>,
}

/// One document as a source delivers it.
#[derive(Clone, Debug, Default)]
pub struct Document {
    /// Its number in the channel, from 0.
    pub sequence: u64,
    /// Its bytes; of one that is too large, the beginning.
    pub bytes: Vec<u8>,
    /// How large it was, where that was too much.
    pub oversized: Option<u64>,
    /// Where it stood, for people: "line 12" or "element 3".
    pub place: String,
    /// What it came in, where that says more than where it stood: a JSON object.
    pub envelope: Option<String>,
    /// When it was received, where its source knows that.
    pub received_at: Option<Moment>,
    /// Why its source could make no document of it; its bytes are what it got.
    pub unreadable: Option<Reject>,
    /// Its bytes are what its source got, which another format may make another document of.
    pub undecoded: bool,
}

/// An event for the ledger, and what it counts as.
#[derive(Clone, Debug)]
pub struct Prepared {
    /// What the ledger takes.
    pub event: PreparedEvent,
    /// How many facts it has.
    pub facts: usize,
    /// What was made of it.
    pub made: Made,
}

/// What a document, or a gap where documents should be, became.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Made {
    /// An event that was read.
    Event(Mapping),
    /// A record of what could not be read, and why.
    Rejected(RejectReason),
    /// A record that says what will never be read.
    Gap,
}

impl Delivered<'_> {
    /// Prepares a document again that was rejected. Of one event, this is what its envelope said about it, and what makes
    /// its content itself, if that is known: secrets that were replaced are in it.
    pub(crate) fn prepare_again(
        &self,
        document: &Document,
        event: Option<(&PartContext, Option<ContentDigest>)>,
    ) -> Vec<Prepared> {
        match event {
            None => self.prepare(document),
            Some((context, content)) => match std::str::from_utf8(&document.bytes) {
                Ok(raw) => vec![self.prepare_text(document, 0, raw, context, content)],
                Err(_) => self.prepare(document),
            },
        }
    }

    /// Prepares every event of a document. There is always at least one, unless the document is an empty envelope.
    pub fn prepare(&self, document: &Document) -> Vec<Prepared> {
        match self.prepare_document(document) {
            Ok(events) => events,
            Err(reject) => {
                // What has no bytes is known by where it stood.
                let place = document.bytes.is_empty().then(|| format!("{} {}", self.channel, document.sequence));
                let digest = |place: String| self.context.digest_key.digest("counterfoil/empty/v1", place.as_bytes());
                let content = place.map(digest);
                let rejected = Rejected { content, ..Rejected::of(&document.bytes) };
                vec![self.reject(document, 0, rejected, &reject)]
            }
        }
    }

    fn prepare_document(&self, document: &Document) -> Result<Vec<Prepared>, Reject> {
        if let Some(size) = document.oversized {
            return Err(too_large(size));
        }
        if let Some(reject) = &document.unreadable {
            return Err(reject.clone());
        }
        let parsed = match json::parse(&document.bytes) {
            Err(reject) if reject.reason != RejectReason::TooLarge => return Err(reject),
            parsed => parsed,
        };
        let text = std::str::from_utf8(&document.bytes)
            .map_err(|error| Reject::new(RejectReason::NotUtf8, format!("the document is not UTF-8: {error}")))?;
        let parts = match parsed {
            Ok(parsed) => match self.connector.split(&parsed, text)? {
                Split::Event => {
                    return Ok(vec![self.prepare_event(document, 0, text, &parsed, &PartContext::default(), None)]);
                }
                Split::Parts(parts) => parts,
            },
            Err(reject) => self.connector.split_large(text).ok_or(reject)?,
        };
        let (count, bytes) = (parts.len(), document.bytes.len());
        let most = EVENTS_OF_DOCUMENT + bytes / BYTES_PER_EVENT;
        if count > most {
            let why = format!(
                "at most {most} events are read from a document of {bytes} bytes, got {count}; send it in pages"
            );
            return Err(Reject::new(RejectReason::TooLarge, why));
        }
        let prepare =
            |(number, part): (usize, &Part<'_>)| self.prepare_text(document, number, &part.raw, &part.context, None);
        Ok(parts.iter().enumerate().map(prepare).collect())
    }

    fn prepare_text(
        &self,
        document: &Document,
        part: usize,
        raw: &str,
        context: &PartContext,
        content: Option<ContentDigest>,
    ) -> Prepared {
        match json::parse(raw.as_bytes()) {
            Ok(event) => self.prepare_event(document, part, raw, &event, context, content),
            Err(reject) => {
                let rejected = Rejected { context: Some(context), ..Rejected::of(raw.as_bytes()) };
                self.reject(document, part, rejected, &reject)
            }
        }
    }

    fn prepare_event(
        &self,
        document: &Document,
        part: usize,
        raw: &str,
        event: &Json<'_>,
        context: &PartContext,
        content: Option<ContentDigest>,
    ) -> Prepared {
        let content = content.unwrap_or_else(|| json::content_digest(event, raw.as_bytes(), self.context.digest_key));
        self.try_event(document, part, raw, event, context, content).unwrap_or_else(|reject| {
            let payload = Some(self.payload(raw, event).0);
            let rejected = Rejected { raw: raw.as_bytes(), payload, content: Some(content), context: Some(context) };
            self.reject(document, part, rejected, &reject)
        })
    }

    /// The bytes of an event without its secrets, and the event so, where it had any.
    fn payload<'e>(&self, raw: &str, event: &Json<'e>) -> (Vec<u8>, Option<Json<'e>>) {
        let redacted =
            secrets::may_hold_secrets(raw).then(|| secrets::redact_json(event, self.context.digest_key)).flatten();
        match redacted {
            Some(redacted) => (redacted.to_text().into_bytes(), Some(redacted)),
            None => (raw.as_bytes().to_vec(), None),
        }
    }

    fn try_event(
        &self,
        document: &Document,
        part: usize,
        raw: &str,
        event: &Json<'_>,
        context: &PartContext,
        content: ContentDigest,
    ) -> Result<Prepared, Reject> {
        if raw.len() > EVENT_BYTES_MAX {
            return Err(too_large(raw.len() as u64));
        }
        let (payload, redacted) = self.payload(raw, event);
        let known = Context { received_at: self.received_at(document), ..self.context };
        let reading = self.connector.read(redacted.as_ref().unwrap_or(event), context, &known)?;
        self.prepare_reading(document, part, content, payload, reading)
    }

    pub(crate) fn received_at(&self, document: &Document) -> Moment {
        document.received_at.unwrap_or(self.context.received_at)
    }

    /// Prepares an event that has been read. `payload` is free from secrets.
    pub(crate) fn prepare_reading(
        &self,
        document: &Document,
        part: usize,
        content: ContentDigest,
        payload: Vec<u8>,
        reading: Reading,
    ) -> Result<Prepared, Reject> {
        let (source, event_id) = self.identity(&reading, &content);
        let provenance = self.provenance(document, source, event_id, content);
        let facts = reading.facts.len();
        let mapping = reading.mapping;
        let values = reading.values.clone();
        let bodies = bodies(reading)?;
        // It stands beside the first event of a document.
        let envelope = document.envelope.clone().filter(|_| part == 0);
        let event = self.seal(document, part, provenance, bodies, (payload, &values, envelope))?;
        Ok(Prepared { event, facts, made: Made::Event(mapping) })
    }

    /// Where an event that was read comes from, and its id.
    pub(crate) fn identity(&self, reading: &Reading, content: &ContentDigest) -> (Source, String) {
        let source = Source {
            system: reading.system.clone().unwrap_or_else(|| self.connector.system().to_owned()),
            instance: reading.instance.clone().unwrap_or_else(|| self.context.instance.to_owned()),
            stream: reading.stream.to_string(),
        };
        let event_id = match &reading.event_id {
            EventId::Native(id) => id.clone(),
            EventId::Version(version) => format!("{version}/{}", json::hex(content)),
            EventId::Content => format!("content/{}", json::hex(content)),
        };
        (source, event_id)
    }

    /// Says that positions of the channel will never be read. `nonce` makes the gap itself: the same positions may be
    /// missing again, where a source begins anew.
    pub(crate) fn gap(&self, gap: SourceGap, nonce: &[u8; 32]) -> Prepared {
        let source = Source {
            system: self.connector.system().to_owned(),
            instance: self.context.instance.to_owned(),
            stream: UNREAD_STREAM.to_owned(),
        };
        let content = self.context.digest_key.digest("counterfoil/gap/v1", nonce);
        let place = Document { sequence: gap.from, ..Document::default() };
        let provenance = self.provenance(&place, source, format!("gap/{}", json::hex(&content)), content);
        let event = PreparedEvent::new(provenance, vec![Body::SourceGap(gap)], None, None)
            .expect("a gap holds nothing that came from outside");
        Prepared { event, facts: 0, made: Made::Gap }
    }

    pub(crate) fn provenance(
        &self,
        document: &Document,
        source: Source,
        event_id: String,
        content: ContentDigest,
    ) -> Provenance {
        Provenance {
            source: Some(source),
            position: Some(Position { channel: self.channel.clone(), sequence: document.sequence }),
            event_id,
            content_digest: content.to_vec(),
            connector: self.connector.name().to_owned(),
            connector_version: self.connector.version(),
            delivery: self.delivery.into(),
            authentication: self.authentication.into(),
            assumed_zone: if self.context.assume_utc { "UTC".to_owned() } else { String::new() },
            retry_of: self.retry_of.map_or(0, |letter| letter.0),
        }
    }

    /// An envelope without its secrets.
    fn without_secrets(&self, envelope: &str) -> Vec<u8> {
        if !secrets::may_hold_secrets(envelope) {
            return envelope.as_bytes().to_vec();
        }
        let parsed =
            json::parse(envelope.as_bytes()).map(|parsed| secrets::redact_json(&parsed, self.context.digest_key));
        match parsed {
            Ok(redacted) => redacted.map_or_else(|| envelope.to_owned(), |redacted| redacted.to_text()).into_bytes(),
            Err(_) => secrets::redact_bytes(envelope.as_bytes(), self.context.digest_key).into_owned(),
        }
    }

    /// Seals what lies beside an event: its payload, the values of entities, and what it came in.
    pub(crate) fn seal(
        &self,
        document: &Document,
        part: usize,
        provenance: Provenance,
        bodies: Vec<Body>,
        (payload, values, envelope): (Vec<u8>, &[Values], Option<String>),
    ) -> Result<PreparedEvent, Reject> {
        let mut mac = Hmac::<Sha256>::new_from_slice(&self.seed_secret).expect("HMAC takes a key of any length");
        mac.update(&document.sequence.to_be_bytes());
        mac.update(&(part as u64).to_be_bytes());
        let envelope = envelope.map(|envelope| self.without_secrets(&envelope));
        let sealed = beside::seal(mac.finalize().into_bytes().into(), payload, values, envelope);
        let commitment = beside::commitment(&sealed).expect("what was just sealed has a seed and contents");
        PreparedEvent::new(provenance, bodies, Some(commitment), Some(sealed.encode_to_vec()))
            .map_err(|error| Reject::new(RejectReason::FieldInvalid, format!("no record can hold the event: {error}")))
    }
}

fn too_large(size: u64) -> Reject {
    let message = format!("expected at most {EVENT_BYTES_MAX} bytes for one event, got {size}: deliver it in parts");
    Reject::new(RejectReason::TooLarge, message)
}

/// The bodies of an event's records: one, or as many as its facts need.
fn bodies(reading: Reading) -> Result<Vec<Body>, Reject> {
    let mut parts: Vec<Vec<Fact>> = vec![Vec::new()];
    let mut bytes = 0;
    for fact in reading.facts {
        let size = fact.encoded_len() + 8;
        let part = parts.last_mut().expect("there is always a part");
        if !part.is_empty() && (bytes + size > FACT_BYTES_MAX || part.len() == FACTS_MAX) {
            parts.push(vec![fact]);
            bytes = size;
        } else {
            part.push(fact);
            bytes += size;
        }
    }
    let count = u32::try_from(parts.len()).unwrap_or(u32::MAX);
    if count > PARTS_MAX {
        let message =
            format!("expected facts for at most {PARTS_MAX} records, got {count}: deliver the event in parts");
        return Err(Reject::new(RejectReason::TooManyFacts, message));
    }
    let native_type = reading.native_type;
    let body = |(part, facts)| {
        Body::Event(Event {
            native_type: native_type.clone(),
            mapping: reading.mapping.into(),
            part,
            parts: count,
            facts,
        })
    };
    Ok((0..count).zip(parts).map(body).collect())
}
