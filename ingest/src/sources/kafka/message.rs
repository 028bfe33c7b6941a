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
use crate::secrets;
use crate::sources::documents::{DOCUMENT_BYTES_MAX, KEPT_BYTES};

/// What is kept of a key, and of headers, at most; of more it is said how much it was.
const KEY_BYTES_MAX: usize = 16 << 10;
const HEADER_BYTES_MAX: usize = 32 << 10;
const HEADERS_MAX: usize = 256;
/// Where headers stand in an envelope, and where it says that they do not.
const HEADERS: &str = "headers";
const HEADERS_LEFT_OUT: &str = "headersLeftOut";

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
                true => (HEADERS, shown.collect()),
                false => (HEADERS_LEFT_OUT, json!({ "count": headers.len(), "bytes": bytes })),
            };
            envelope.insert(name.to_owned(), shown);
        }
        Err(unreadable) => drop(envelope.insert("headersUnreadable".to_owned(), (*unreadable).into())),
    }
    let headers = headers.unwrap_or_default();
    let place = format!("topic {topic}, partition {partition}, offset {offset}");
    let about = Document { sequence: sequence(offset), place, received_at: Some(received_at), ..Document::default() };
    of_value(message.payload(), &headers, format, envelope, about)
}

/// The document of a value; `about` says where it stood and when it came.
fn of_value(
    raw: Option<&[u8]>,
    headers: &[(&str, &[u8])],
    format: &Format,
    mut envelope: Map<String, Value>,
    about: Document,
) -> Document {
    let read = raw.ok_or_else(tombstone).and_then(|value| read(value, headers, format, &mut envelope));
    let (bytes, unreadable, undecoded) = match read {
        Ok((bytes, is_as_it_came)) => (bytes, None, is_as_it_came),
        Err(reject) => (raw.unwrap_or_default().to_vec(), Some(reject), true),
    };
    let size = bytes.len();
    let (bytes, oversized) = match size > DOCUMENT_BYTES_MAX {
        true => (bytes[..KEPT_BYTES].to_vec(), Some(size as u64)),
        false => (bytes, None),
    };
    let envelope = (!envelope.is_empty()).then(|| Value::Object(envelope).to_string());
    Document { bytes, envelope, unreadable, oversized, undecoded, ..about }
}

/// The document of a value that was kept as it came, with the envelope of its message.
pub(super) fn again(kept: Document, format: &Format) -> Document {
    let envelope: Map<String, Value> =
        kept.envelope.as_deref().and_then(|envelope| serde_json::from_str(envelope).ok()).unwrap_or_default();
    let lost = |why: &str| Some(Reject::new(RejectReason::NotAnEvent, why));
    if envelope.contains_key(HEADERS_LEFT_OUT) {
        let unreadable = lost("its headers, which say what it is, were too large to be kept");
        return Document { unreadable, ..kept };
    }
    if matches!(format, Format::Protobuf(_)) && secrets::has_fingerprint(&kept.bytes) {
        let unreadable = lost("a secret in it was replaced when it was kept, and what is left is no message");
        return Document { unreadable, ..kept };
    }
    let named = envelope.get(HEADERS).and_then(Value::as_array).into_iter().flatten().filter_map(Value::as_object);
    let headers: Vec<(String, Vec<u8>)> =
        named.flatten().map(|(name, value)| (name.clone(), bytes_of(value))).collect();
    let headers: Vec<(&str, &[u8])> = headers.iter().map(|(name, value)| (&name[..], &value[..])).collect();
    let raw = kept.bytes.clone();
    // Nothing was kept of a value that was not there.
    of_value(Some(&raw[..]).filter(|raw| !raw.is_empty()), &headers, format, envelope, kept)
}

/// What [`text_or_base64`] shows.
fn bytes_of(shown: &Value) -> Vec<u8> {
    let encoded = shown.get("base64").and_then(Value::as_str);
    let decoded = encoded.and_then(|encoded| STANDARD.decode(encoded).ok());
    decoded.unwrap_or_else(|| shown.as_str().unwrap_or_default().as_bytes().to_vec())
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

/// The document in a value, which is the native event in JSON, and whether that is the value as it came.
fn read(
    value: &[u8],
    headers: &[(&str, &[u8])],
    format: &Format,
    envelope: &mut Map<String, Value>,
) -> Result<(Vec<u8>, bool), Reject> {
    let Unpacked { data, attributes, is_json } = cloud_events::unpack(value, headers)?;
    let is_unpacked = attributes.is_some();
    if let Some(attributes) = attributes {
        envelope.insert("cloudEvent".to_owned(), attributes);
    }
    match format {
        Format::Protobuf(schema) if !is_json => Ok((schema.to_json(&data)?, false)),
        Format::Protobuf(_) | Format::Json => Ok((data.into_owned(), !is_unpacked)),
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
    use prost::Message as _;
    use prost_types::field_descriptor_proto::{Label, Type};
    use prost_types::{DescriptorProto, FieldDescriptorProto, FileDescriptorProto, FileDescriptorSet};
    use rdkafka::message::{Header, OwnedHeaders, OwnedMessage};

    use super::super::Schema;
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

    /// The description of a message `T` with a text `a` and a number `b`.
    fn schema(confluent: bool) -> Format {
        let field = |name: &str, number, kind: Type| FieldDescriptorProto {
            name: Some(name.to_owned()),
            number: Some(number),
            r#type: Some(kind.into()),
            label: Some(Label::Optional.into()),
            ..FieldDescriptorProto::default()
        };
        let message = DescriptorProto {
            name: Some("T".to_owned()),
            field: vec![field("a", 1, Type::String), field("b", 2, Type::Int64)],
            ..DescriptorProto::default()
        };
        let file = FileDescriptorProto {
            name: Some("t.proto".to_owned()),
            syntax: Some("proto3".to_owned()),
            message_type: vec![message],
            ..FileDescriptorProto::default()
        };
        let files = FileDescriptorSet { file: vec![file] };
        Format::Protobuf(Schema::read(&files.encode_to_vec(), "T", confluent).unwrap())
    }

    #[test]
    fn what_was_kept_as_it_came_is_read_as_if_it_came_now() {
        let formats = [Format::Json, schema(false), schema(true)];
        let plain: &[u8] = b"\x0a\x02hi\x10\x07";
        let values = [
            Some(plain.to_vec()),
            Some([&[0, 0, 0, 0, 9, 0], plain].concat()),
            Some(b"{\"a\":\"hi\"}".to_vec()),
            Some(
                format!(r#"{{"specversion":"1.0","id":"1","data_base64":"{}"}}"#, STANDARD.encode(plain)).into_bytes(),
            ),
            Some(br#"{"specversion":"1.0","id":"1","data":{"a":"hi"}}"#.to_vec()),
            Some(br#"{"specversion":"2.0","id":"1","data":{"a":"hi"}}"#.to_vec()),
            Some(b"\xff\xfe".to_vec()),
            None,
        ];
        let all_headers: [&[(&str, &[u8])]; 4] = [
            &[],
            &[("content-type", b"application/cloudevents+json; charset=utf-8")],
            &[("blob", &[0xff, 0x00]), ("ce_specversion", b"0.3")],
            &[("trace", b"abc"), ("ce_specversion", b"1.0")],
        ];
        let (time, now) = (Timestamp::CreateTime(5), Moment { seconds: 1_800_000_000, nanos: 0 });
        let mut decoded = 0;
        for (value, headers) in values.iter().flat_map(|value| all_headers.map(|headers| (value, headers))) {
            let named = headers
                .iter()
                .fold(OwnedHeaders::new(), |all, (key, value)| all.insert(Header { key, value: Some(*value) }));
            let key = Some(b"key".to_vec());
            let message = OwnedMessage::new(value.clone(), key, "t".to_owned(), time, 0, 7, Some(named));
            for (then, today) in formats.iter().flat_map(|then| formats.iter().map(move |today| (then, today))) {
                let kept = document(&message, then, now);
                if !kept.undecoded {
                    continue;
                }
                let fresh = document(&message, today, now);
                decoded += u32::from(kept.unreadable.is_some() && fresh.unreadable.is_none());
                let again = again(Document { unreadable: None, ..kept }, today);
                let of = |document: &Document| {
                    let Document { bytes, envelope, unreadable, undecoded, .. } = document.clone();
                    (bytes, envelope, unreadable, undecoded)
                };
                assert_eq!(of(&again), of(&fresh), "{value:?} {headers:?}");
            }
        }
        assert!(decoded > 5, "{decoded}");
    }

    #[test]
    fn a_value_that_is_not_what_came_is_not_decoded() {
        let kept = |bytes: &[u8], envelope: &str| Document {
            bytes: bytes.to_vec(),
            envelope: Some(envelope.to_owned()),
            ..Document::default()
        };
        let cut = again(kept(b"{}", r#"{"headersLeftOut":{"count":300,"bytes":9}}"#), &Format::Json);
        assert!(cut.unreadable.unwrap().message.contains("headers"));
        let text = format!("{}{}", secrets::FINGERPRINT_PREFIX, "0".repeat(32));
        assert!(again(kept(text.as_bytes(), "{}"), &schema(false)).unreadable.unwrap().message.contains("secret"));
        assert_eq!(again(kept(text.as_bytes(), "{}"), &Format::Json).unreadable, None);
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
