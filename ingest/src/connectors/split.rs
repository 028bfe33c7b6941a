//! Cutting an envelope into its events.
//!
//! Owns the exact text of each event within a document. It never reads the events: whoever gets a text parses it, and
//! finds out by that whether it is JSON without doubled keys.

use std::fmt;

use counterfoil_proto::v1::RejectReason;
use serde::de::{DeserializeSeed, Deserializer, IgnoredAny, MapAccess, Visitor};
use serde_json::value::RawValue;

use super::{PARTS_MAX, Part, PartContext, Reject, Split};

/// The elements of the array behind a path of keys, each an event of the same context.
pub fn elements<'a>(raw: &'a str, path: &[&str], context: &PartContext) -> Result<Split<'a>, Reject> {
    let part = |raw: &'a str| Part { raw: raw.into(), context: context.clone() };
    Ok(Split::Parts(items(raw, path)?.into_iter().map(part).collect()))
}

/// The texts of the elements of the array behind a path of keys.
pub fn items<'a>(raw: &'a str, path: &[&str]) -> Result<Vec<&'a str>, Reject> {
    let array = path.iter().try_fold(raw, |raw, key| member(raw, key))?;
    let items: Vec<&RawValue> = serde_json::from_str(array).map_err(|error| {
        Reject::new(RejectReason::NotAnEvent, format!("expected an array of events at {path:?}: {error}"))
    })?;
    if items.len() > PARTS_MAX {
        return Err(Reject::new(
            RejectReason::TooLarge,
            format!("expected at most {PARTS_MAX} events in one document, got {}; send it in pages", items.len()),
        ));
    }
    Ok(items.into_iter().map(RawValue::get).collect())
}

/// The text of the value of one key of an object.
pub fn member<'a>(raw: &'a str, key: &str) -> Result<&'a str, Reject> {
    let mut deserializer = serde_json::Deserializer::from_str(raw);
    let value = Member(key).deserialize(&mut deserializer).and_then(|value| deserializer.end().map(|()| value));
    let value = value.map_err(|error| {
        Reject::new(RejectReason::NotAnEvent, format!("expected an object with the key {key:?}: {error}"))
    })?;
    Ok(value.map_or("null", RawValue::get))
}

struct Member<'k>(&'k str);

impl<'de> DeserializeSeed<'de> for Member<'_> {
    type Value = Option<&'de RawValue>;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Self::Value, D::Error> {
        deserializer.deserialize_map(self)
    }
}

impl<'de> Visitor<'de> for Member<'_> {
    type Value = Option<&'de RawValue>;

    fn expecting(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
        let mut found = None;
        while let Some(name) = map.next_key::<std::borrow::Cow<'de, str>>()? {
            if name == self.0 {
                if found.is_some() {
                    return Err(serde::de::Error::custom(format_args!("the key {:?} stands there twice", self.0)));
                }
                found = Some(map.next_value()?);
            } else {
                map.next_value::<IgnoredAny>()?;
            }
        }
        Ok(found)
    }
}
