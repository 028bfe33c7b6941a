//! The fields of a request that stand in a path and in a query.
//!
//! Owns how each is written there: numbers and words as they are, enums by name, times as RFC 3339, bytes in base64, a
//! repeated field once for each of its values. A parameter that is no field of the request is refused, and so is a field
//! that is given twice.

use base64::Engine;
use base64::prelude::{BASE64_STANDARD, BASE64_URL_SAFE};
use counterfoil_query::services::{invalid, shown};
use prost_reflect::{FieldDescriptor, Kind, MessageDescriptor};
use serde_json::{Map, Value};
use tonic::Status;

/// The type of times.
const TIMESTAMP: &str = "google.protobuf.Timestamp";

/// The request that these parameters make, in JSON. `in_path` are those that the path holds.
pub(crate) fn gather<'a>(
    request: &MessageDescriptor,
    in_path: impl Iterator<Item = (&'a str, &'a str)>,
    in_query: impl Iterator<Item = (&'a str, &'a str)>,
) -> Result<Value, Status> {
    let mut gathered = Map::new();
    let mut path_fields = Vec::new();
    for (name, text) in in_path {
        path_fields.push(name);
        put(&mut gathered, request, name, text)?;
    }
    for (name, text) in in_query {
        if path_fields.contains(&name) {
            return Err(invalid(name, "it stands in the path: leave it out of the query".to_owned()));
        }
        put(&mut gathered, request, name, text)?;
    }
    Ok(Value::Object(gathered))
}

fn put(gathered: &mut Map<String, Value>, request: &MessageDescriptor, name: &str, text: &str) -> Result<(), Status> {
    let field = request.get_field_by_name(name).or_else(|| request.get_field_by_json_name(name));
    let Some(field) = field else {
        let known: Vec<String> = request.fields().map(|field| field.name().to_owned()).collect();
        let why = format!("there is no such parameter: expected {}", known.join(", "));
        return Err(invalid(&short(name), why));
    };
    let value = value(&field, text)?;
    let slot = gathered.entry(field.json_name());
    match slot {
        serde_json::map::Entry::Vacant(slot) => {
            slot.insert(if field.is_list() { Value::Array(vec![value]) } else { value });
        }
        serde_json::map::Entry::Occupied(mut slot) => match slot.get_mut() {
            Value::Array(values) => values.push(value),
            _ => return Err(invalid(name, "expected it once, got it again".to_owned())),
        },
    }
    Ok(())
}

/// One value, as the JSON mapping of protobuf has it.
fn value(field: &FieldDescriptor, text: &str) -> Result<Value, Status> {
    let expected = |what: &str| invalid(field.name(), format!("expected {what}, got {}", shown(text)));
    match field.kind() {
        Kind::String => Ok(text.into()),
        Kind::Bool => text.parse::<bool>().map(Value::from).map_err(|_| expected("true or false")),
        Kind::Int32 | Kind::Sint32 | Kind::Sfixed32 => {
            integer::<i32>(text).ok_or_else(|| expected("a number of 32 bits"))
        }
        Kind::Int64 | Kind::Sint64 | Kind::Sfixed64 => {
            integer::<i64>(text).ok_or_else(|| expected("a number of 64 bits"))
        }
        Kind::Uint32 | Kind::Fixed32 => integer::<u32>(text).ok_or_else(|| expected("a number from 0 to 2^32 - 1")),
        Kind::Uint64 | Kind::Fixed64 => integer::<u64>(text).ok_or_else(|| expected("a number from 0 to 2^64 - 1")),
        Kind::Enum(kind) if kind.get_value_by_name(text).is_some() => Ok(text.into()),
        Kind::Enum(kind) => {
            // 0 says nothing.
            let said = kind.values().filter(|value| value.number() != 0);
            let names: Vec<String> = said.map(|value| value.name().to_owned()).collect();
            Err(expected(&format!("one of {}", names.join(", "))))
        }
        Kind::Bytes => {
            let is_base64 = BASE64_STANDARD.decode(text).or_else(|_| BASE64_URL_SAFE.decode(text)).is_ok();
            is_base64.then(|| text.into()).ok_or_else(|| expected("base64"))
        }
        Kind::Message(message) if message.full_name() == TIMESTAMP => {
            let time: Result<pbjson_types::Timestamp, _> = serde_json::from_value(text.into());
            time.map(|_| text.into()).map_err(|_| match text.contains(' ') {
                true => expected("a time such as 2026-03-01T09:30:00Z, with a + written as %2B"),
                false => expected("a time such as 2026-03-01T09:30:00Z"),
            })
        }
        Kind::Message(_) | Kind::Float | Kind::Double => Err(expected("nothing: it cannot stand in a query")),
    }
}

/// A number, written as its digits and nothing else.
fn integer<N: std::str::FromStr + Into<Value>>(text: &str) -> Option<Value> {
    let digits = text.strip_prefix('-').unwrap_or(text);
    let is_plain = !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit());
    text.parse::<N>().ok().filter(|_| is_plain).map(Into::into)
}

/// A name that came from outside, as an error repeats it.
fn short(name: &str) -> String {
    name.chars().filter(|c| !c.is_control()).take(64).collect()
}
