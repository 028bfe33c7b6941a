//! CloudEvents 1.0 in messages of Kafka: the structured and the binary content mode.
//!
//! Owns where an event's data lies (CloudEvents 1.0, JSON event format; Kafka protocol binding 1.0.2). In the binary mode
//! the value is the data, and the attributes are headers, which are kept as such; in the structured mode both are members
//! of one JSON object.

use std::borrow::Cow;
use std::collections::BTreeMap;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use counterfoil_proto::v1::RejectReason;
use serde_json::Value;
use serde_json::value::RawValue;

use crate::json::{self, Reject, quoted};

/// The data of a message's value.
pub(super) struct Unpacked<'a> {
    pub(super) data: Cow<'a, [u8]>,
    /// The attributes of an event in the structured mode.
    pub(super) attributes: Option<Value>,
    /// The data came within JSON, so that they are JSON whatever the topic's format is.
    pub(super) is_json: bool,
}

/// The data of a value: of a CloudEvent what it carries, of anything else the value.
pub(super) fn unpack<'a>(value: &'a [u8], headers: &[(&str, &[u8])]) -> Result<Unpacked<'a>, Reject> {
    let header = |wanted: &str| {
        let found = headers.iter().find(|(name, _)| name.eq_ignore_ascii_case(wanted));
        found.and_then(|(_, value)| std::str::from_utf8(value).ok())
    };
    let media_type =
        header("content-type").map(|content_type| content_type.split(';').next().unwrap_or_default().trim());
    match media_type {
        Some(media_type) if media_type.eq_ignore_ascii_case("application/cloudevents+json") => structured(value),
        Some(media_type) if media_type.to_ascii_lowercase().starts_with("application/cloudevents") => {
            Err(unsupported(&format!("expected application/cloudevents+json, got {}", quoted(media_type))))
        }
        _ => {
            header("ce_specversion").map_or(Ok(()), check_version)?;
            Ok(Unpacked { data: value.into(), attributes: None, is_json: false })
        }
    }
}

fn structured(value: &[u8]) -> Result<Unpacked<'_>, Reject> {
    // Keys that stand twice are refused here; the texts of the members are needed as they stand.
    json::parse(value)?;
    let members: BTreeMap<String, &RawValue> = serde_json::from_slice(value)
        .map_err(|error| Reject::new(RejectReason::NotJson, format!("expected a CloudEvent in JSON: {error}")))?;
    let text = |name: &str| members.get(name).and_then(|raw| serde_json::from_str::<String>(raw.get()).ok());
    check_version(&text("specversion").unwrap_or_default())?;
    let (data, is_json) = match (members.get("data"), text("data_base64")) {
        (Some(data), None) => {
            // Text that is not JSON itself stands in a string.
            let string = serde_json::from_str::<String>(data.get()).ok();
            (string.unwrap_or_else(|| data.get().to_owned()).into_bytes(), true)
        }
        (None, Some(encoded)) => {
            let decoded = STANDARD.decode(encoded.as_bytes());
            let wrong =
                |error| Reject::new(RejectReason::FieldInvalid, format!("data_base64: expected base64: {error}"));
            (decoded.map_err(wrong)?, false)
        }
        _ => return Err(unsupported("expected a CloudEvent with data, or with data_base64")),
    };
    let attributes = members.into_iter().filter(|(name, _)| !matches!(name.as_str(), "data" | "data_base64"));
    let attributes = attributes.map(|(name, raw)| Ok((name, serde_json::from_str::<Value>(raw.get())?)));
    let attributes: Result<_, serde_json::Error> = attributes.collect();
    let attributes = attributes.map_err(|error| Reject::new(RejectReason::NotJson, error.to_string()))?;
    Ok(Unpacked { data: data.into(), attributes: Some(Value::Object(attributes)), is_json })
}

fn check_version(version: &str) -> Result<(), Reject> {
    if version.starts_with("1.") {
        return Ok(());
    }
    Err(unsupported(&format!("expected a CloudEvent of version 1.0, got {}", quoted(version))))
}

fn unsupported(why: &str) -> Reject {
    Reject::new(RejectReason::NotAnEvent, why)
}
