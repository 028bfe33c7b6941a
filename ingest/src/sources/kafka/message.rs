//! From a message to a document: its value as JSON, and the envelope that it came in.

use counterfoil_proto::v1::RejectReason;
use counterfoil_verify::time::Moment;
use rdkafka::Timestamp;
use rdkafka::message::{Headers, Message};
use serde_json::{Map, Value, json};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;

use super::Format;
use super::cloud_events::{self, Unpacked};
use crate::json::{DigestKey, Reject};
use crate::prepare::Document;

/// The document of a message.
pub(super) fn document(message: &impl Message, format: &Format) -> Document {
    let (topic, partition, offset) = (message.topic(), message.partition(), message.offset());
    let mut envelope = Map::new();
    if let Some(key) = message.key() {
        envelope.extend([text_or_base64("key", key)]);
    }
    let mut received_at = None;
    if let Timestamp::CreateTime(millis) | Timestamp::LogAppendTime(millis) = message.timestamp() {
        let kind = if matches!(message.timestamp(), Timestamp::CreateTime(_)) { "createTime" } else { "logAppendTime" };
        envelope.insert(format!("{kind}Ms"), millis.into());
        received_at = moment(millis);
    }
    let mut headers: Vec<(&str, &[u8])> = Vec::new();
    if let Some(found) = message.headers() {
        headers = found.iter().map(|header| (header.key, header.value.unwrap_or_default())).collect();
        let shown = headers.iter().map(|(name, value)| Value::Object(Map::from_iter([text_or_base64(name, value)])));
        envelope.insert("headers".to_owned(), shown.collect());
    }
    let raw = message.payload();
    let read = raw.ok_or_else(tombstone).and_then(|value| read(value, &headers, format, &mut envelope));
    let (bytes, unreadable) = match read {
        Ok(bytes) => (bytes, None),
        Err(reject) => (raw.unwrap_or_default().to_vec(), Some(reject)),
    };
    Document {
        sequence: sequence(offset),
        bytes,
        place: format!("topic {topic}, partition {partition}, offset {offset}"),
        envelope: (!envelope.is_empty()).then(|| Value::Object(envelope).to_string()),
        received_at,
        unreadable,
        ..Document::default()
    }
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
