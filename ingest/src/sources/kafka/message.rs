//! From a message to a document: its value as JSON, and the envelope that it came in.

use std::panic::{AssertUnwindSafe, catch_unwind};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use counterfoil_proto::v1::RejectReason;
use counterfoil_verify::time::Moment;
use rdkafka::Timestamp;
use rdkafka::message::{Headers, Message};
use serde_json::{Map, Value, json};

use super::Format;
use super::cloud_events::{self, Unpacked};
use crate::json::{DigestKey, Reject};
use crate::prepare::Document;
use crate::sources::documents::{DOCUMENT_BYTES_MAX, KEPT_BYTES};

/// What is kept of a key, and of headers, at most; of more it is said how much it was.
const KEY_BYTES_MAX: usize = 16 << 10;
const HEADER_BYTES_MAX: usize = 32 << 10;
const HEADERS_MAX: usize = 256;

/// The document of a message.
pub(super) fn document(message: &impl Message, format: &Format, now: Moment) -> Document {
    let (topic, partition, offset) = (message.topic(), message.partition(), message.offset());
    let mut envelope = Map::new();
    match message.key() {
        Some(key) if key.len() > KEY_BYTES_MAX => {
            drop(envelope.insert("keyLeftOut".to_owned(), json!({ "bytes": key.len() })));
        }
        Some(key) => envelope.extend([text_or_base64("key", key)]),
        None => {}
    }
    let mut received_at = now;
    match message.timestamp() {
        // It is the producer's word, and no time of receipt.
        Timestamp::CreateTime(millis) => drop(envelope.insert("createTimeMs".to_owned(), millis.into())),
        Timestamp::LogAppendTime(millis) => {
            envelope.insert("logAppendTimeMs".to_owned(), millis.into());
            received_at = moment(millis).unwrap_or(now);
        }
        Timestamp::NotAvailable => {}
    }
    let headers = headers(message);
    match &headers {
        Ok(headers) if headers.is_empty() => {}
        Ok(headers) => {
            let bytes: usize = headers.iter().map(|(name, value)| name.len() + value.len()).sum();
            let shown =
                headers.iter().map(|(name, value)| Value::Object(Map::from_iter([text_or_base64(name, value)])));
            let (name, shown) = match bytes <= HEADER_BYTES_MAX && headers.len() <= HEADERS_MAX {
                true => ("headers", shown.collect()),
                false => ("headersLeftOut", json!({ "count": headers.len(), "bytes": bytes })),
            };
            envelope.insert(name.to_owned(), shown);
        }
        Err(unreadable) => drop(envelope.insert("headersUnreadable".to_owned(), (*unreadable).into())),
    }
    let headers = headers.unwrap_or_default();
    let raw = message.payload();
    let read = raw.ok_or_else(tombstone).and_then(|value| read(value, &headers, format, &mut envelope));
    let (bytes, unreadable) = match read {
        Ok(bytes) => (bytes, None),
        Err(reject) => (raw.unwrap_or_default().to_vec(), Some(reject)),
    };
    let size = bytes.len();
    let (bytes, oversized) = match size > DOCUMENT_BYTES_MAX {
        true => (bytes[..KEPT_BYTES].to_vec(), Some(size as u64)),
        false => (bytes, None),
    };
    Document {
        sequence: sequence(offset),
        bytes,
        place: format!("topic {topic}, partition {partition}, offset {offset}"),
        envelope: (!envelope.is_empty()).then(|| Value::Object(envelope).to_string()),
        received_at: Some(received_at),
        unreadable,
        oversized,
    }
}

/// The headers of a message; what is wrong with them where they cannot be read.
fn headers(message: &impl Message) -> Result<Vec<(&str, &[u8])>, &'static str> {
    let Some(found) = message.headers() else { return Ok(Vec::new()) };
    let read = || found.iter().map(|header| (header.key, header.value.unwrap_or_default())).collect();
    // The library stops the thread where a name is no text; a producer may call a header anything.
    catch_unwind(AssertUnwindSafe(read)).map_err(|_| "a name is not UTF-8")
}

/// What makes a message recognisable when it is read again.
pub(super) fn digest(message: &impl Message, key: &DigestKey) -> [u8; 16] {
    let mut content = Vec::new();
    content.extend_from_slice(&message.timestamp().to_millis().unwrap_or(-1).to_be_bytes());
    for part in [message.key(), message.payload()] {
        // What is missing is another thing than what is empty.
        content.extend_from_slice(&part.map_or(u64::MAX, |part| part.len() as u64).to_be_bytes());
        content.extend_from_slice(part.unwrap_or_default());
    }
    key.digest("counterfoil/kafka-message/v1", &content)
}

/// A message's number in its partition.
pub(super) fn sequence(offset: i64) -> u64 {
    u64::try_from(offset).unwrap_or_default()
}

/// The document in a value: the native event, in JSON.
fn read(
    value: &[u8],
    headers: &[(&str, &[u8])],
    format: &Format,
    envelope: &mut Map<String, Value>,
) -> Result<Vec<u8>, Reject> {
    let Unpacked { data, attributes, is_json } = cloud_events::unpack(value, headers)?;
    if let Some(attributes) = attributes {
        envelope.insert("cloudEvent".to_owned(), attributes);
    }
    match format {
        Format::Protobuf(schema) if !is_json => schema.to_json(&data),
        Format::Protobuf(_) | Format::Json => Ok(data.into_owned()),
    }
}

fn tombstone() -> Reject {
    let why =
        "a message without a value, which tells of an event only that it may be forgotten: the ledger forgets none";
    Reject::new(RejectReason::NotAnEvent, why)
}

/// A name with text, or, where it is none, with its bytes in base64.
fn text_or_base64(name: &str, bytes: &[u8]) -> (String, Value) {
    match std::str::from_utf8(bytes) {
        Ok(text) => (name.to_owned(), text.into()),
        Err(_) => (name.to_owned(), json!({ "base64": STANDARD.encode(bytes) })),
    }
}

fn moment(millis: i64) -> Option<Moment> {
    let nanos = u32::try_from(millis.rem_euclid(1_000)).ok()? * 1_000_000;
    Some(Moment { seconds: millis.div_euclid(1_000), nanos })
}

#[cfg(test)]
mod tests {
    use rdkafka::message::OwnedMessage;

    use super::*;

    #[test]
    fn a_producer_does_not_say_when_its_message_was_received() {
        let now = Moment { seconds: 1_800_000_000, nanos: 0 };
        let received = |timestamp| {
            let message = OwnedMessage::new(Some(b"{}".to_vec()), None, "t".to_owned(), timestamp, 0, 7, None);
            document(&message, &Format::Json, now).received_at.unwrap()
        };
        assert_eq!(received(Timestamp::NotAvailable), now);
        assert_eq!(received(Timestamp::CreateTime(5)), now);
        assert_eq!(received(Timestamp::LogAppendTime(1_500)), Moment { seconds: 1, nanos: 500_000_000 });
        assert_eq!(received(Timestamp::LogAppendTime(-1)), Moment { seconds: -1, nanos: 999_000_000 });
    }

    #[test]
    fn a_message_is_recognised_by_its_time_its_key_and_its_value() {
        let key = DigestKey::new([1; 32]);
        let of = |payload: Option<&[u8]>, name: Option<&[u8]>, millis| {
            let (payload, name) = (payload.map(<[u8]>::to_vec), name.map(<[u8]>::to_vec));
            let time = Timestamp::CreateTime(millis);
            digest(&OwnedMessage::new(payload, name, "t".to_owned(), time, 0, 7, None), &key)
        };
        let all = [
            of(Some(b"ab"), Some(b"c"), 1),
            of(Some(b"ab"), Some(b"c"), 2),
            of(Some(b"b"), Some(b"ca"), 1),
            of(Some(b"abc"), None, 1),
            of(Some(b""), Some(b"abc"), 1),
            of(None, Some(b"abc"), 1),
        ];
        for (place, one) in all.iter().enumerate() {
            assert!(!all[..place].contains(one), "{place}");
        }
    }
}
