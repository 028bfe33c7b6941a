//! The content of a native event, once parsed, and its keyed digest.
//!
//! Owns the borrowed tree that connectors read, the rules by which text is refused as JSON, and what makes two contents
//! the same. It never looks at what the content means, and never changes it.

use std::borrow::Cow;
use std::cell::Cell;
use std::fmt;

use counterfoil_proto::v1::RejectReason;
use hmac::{Hmac, KeyInit, Mac};
use serde::de::{self, DeserializeSeed, MapAccess, SeqAccess, Visitor};
use serde::ser::{Serialize, Serializer};
use sha2::Sha256;
use zeroize::Zeroizing;

/// How deep arrays and objects may nest: real events stay below 12.
pub const DEPTH_MAX: usize = 32;

/// How many values one document may have, keys included: a bound on memory, of which a value of two bytes takes 32 and
/// more. Real events stay below 10,000.
pub const VALUES_MAX: usize = 1_000_000;

/// A JSON value. An object keeps the order of its keys, and has each of them once.
#[derive(Clone, Debug, PartialEq)]
pub enum Json<'a> {
    Null,
    Bool(bool),
    U64(u64),
    I64(i64),
    F64(f64),
    Str(Cow<'a, str>),
    Array(Vec<Json<'a>>),
    Object(Vec<(Cow<'a, str>, Json<'a>)>),
}

/// Why bytes cannot become a record, for the record that says so and for whoever has to mend it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reject {
    pub reason: RejectReason,
    /// What was expected, what came, and what to do. It may quote the event, so it never goes into a record.
    pub message: String,
}

impl Reject {
    /// A reject for `reason`.
    pub fn new(reason: RejectReason, message: impl Into<String>) -> Self {
        Self { reason, message: message.into() }
    }
}

impl fmt::Display for Reject {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(&self.message)
    }
}

impl std::error::Error for Reject {}

/// Quotes text from outside for a message: escaped, and cut to 60 characters.
pub fn quoted(text: &str) -> String {
    match text.char_indices().nth(60) {
        Some((end, _)) => format!("{:?}…", &text[..end]),
        None => format!("{text:?}"),
    }
}

/// Parses one JSON value (RFC 8259). Refuses what is not UTF-8, anything after the value, an object with a key twice,
/// nesting deeper than [`DEPTH_MAX`], and more than [`VALUES_MAX`] values; integers of 64 bits stay exact.
pub fn parse(bytes: &[u8]) -> Result<Json<'_>, Reject> {
    let text = std::str::from_utf8(bytes).map_err(|error| {
        let at = error.valid_up_to();
        Reject::new(
            RejectReason::NotUtf8,
            format!("expected UTF-8, got another byte at offset {at}; send the event in UTF-8"),
        )
    })?;
    let (reason, values) = (Cell::new(RejectReason::NotJson), Cell::new(0));
    let seed = Seed { depth: 0, values: &values, reason: &reason };
    let mut deserializer = serde_json::Deserializer::from_str(text);
    seed.deserialize(&mut deserializer)
        .and_then(|json| deserializer.end().map(|()| json))
        .map_err(|error| Reject::new(reason.get(), format!("expected one JSON value: {error}")))
}

impl<'a> Json<'a> {
    /// The value of a key, compared exactly; none if this is no object.
    pub fn get(&self, key: &str) -> Option<&Json<'a>> {
        match self {
            Self::Object(members) => members.iter().find(|(name, _)| name == key).map(|(_, value)| value),
            _ => None,
        }
    }

    /// The value behind a path of keys, such as "debugContext.debugData".
    pub fn path(&self, path: &str) -> Option<&Json<'a>> {
        path.split('.').try_fold(self, |json, key| json.get(key))
    }

    /// The value behind a path, unless it is absent.
    pub fn present(&self, path: &str) -> Option<&Json<'a>> {
        self.path(path).filter(|value| !value.is_absent())
    }

    /// The text behind a path, unless it is absent.
    pub fn text(&self, path: &str) -> Option<&str> {
        self.present(path).and_then(Self::as_str)
    }

    /// The id behind a path, unless it is absent.
    pub fn id_at(&self, path: &str) -> Option<Cow<'_, str>> {
        self.path(path).and_then(Self::id)
    }

    /// The elements of the array behind a path; none of them if there is no array.
    pub fn items(&self, path: &str) -> &[Json<'a>] {
        self.path(path).map_or(&[], Self::as_array)
    }

    pub fn as_str(&self) -> Option<&str> {
        match self {
            Self::Str(text) => Some(text),
            _ => None,
        }
    }

    pub fn as_bool(&self) -> Option<bool> {
        match self {
            Self::Bool(value) => Some(*value),
            _ => None,
        }
    }

    /// A truth value, which some sources and some copies of logs have as a text.
    pub fn as_truth(&self) -> Option<bool> {
        self.as_bool().or_else(|| match self.as_str()?.trim() {
            text if text.eq_ignore_ascii_case("true") => Some(true),
            text if text.eq_ignore_ascii_case("false") => Some(false),
            _ => None,
        })
    }

    pub fn as_array(&self) -> &[Json<'a>] {
        match self {
            Self::Array(items) => items,
            _ => &[],
        }
    }

    /// A whole number that is not negative, in whatever way the source writes it: 3, 3.0 or "3".
    pub fn as_u64(&self) -> Option<u64> {
        match self {
            Self::U64(value) => Some(*value),
            _ => self.id()?.parse().ok(),
        }
    }

    /// An id, in whatever way the source writes it: an integer, a float without a fraction, or text.
    pub fn id(&self) -> Option<Cow<'_, str>> {
        match self {
            Self::U64(value) => Some(value.to_string().into()),
            Self::I64(value) => Some(value.to_string().into()),
            Self::F64(value) if value.fract() == 0.0 && value.abs() < INTEGER_LIMIT => {
                Some(format!("{value:.0}").into())
            }
            Self::Str(text) if !self.is_absent() => Some(Cow::Borrowed(text.trim())),
            _ => None,
        }
    }

    /// Whether it stands for "nothing": null, or one of the texts that sources write in its place.
    pub fn is_absent(&self) -> bool {
        match self {
            Self::Null => true,
            Self::Str(text) => matches!(text.trim(), "" | "null" | "N/A" | "<null>"),
            _ => false,
        }
    }

    /// Whether it is an array or an object.
    pub fn is_container(&self) -> bool {
        matches!(self, Self::Array(_) | Self::Object(_))
    }

    /// The value as compact JSON.
    pub fn to_text(&self) -> String {
        serde_json::to_string(self).expect("a tree of text keys and finite numbers is always JSON")
    }
}

/// From here on a float may stand for several integers: 2^53.
const INTEGER_LIMIT: f64 = 9_007_199_254_740_992.0;

/// The key of all keyed digests of ingest: of contents, of ids that are not opaque, of secrets. Only ingest holds it.
#[derive(Clone)]
pub struct DigestKey(Zeroizing<[u8; 32]>);

impl DigestKey {
    /// Takes the key's 32 bytes.
    pub fn new(bytes: [u8; 32]) -> Self {
        Self(Zeroizing::new(bytes))
    }

    /// The first 16 bytes of HMAC-SHA-256(key, domain ‖ 0 ‖ content).
    pub fn digest(&self, domain: &str, content: &[u8]) -> [u8; 16] {
        let mut mac = Hmac::<Sha256>::new_from_slice(self.0.as_slice()).expect("HMAC takes a key of any length");
        mac.update(domain.as_bytes());
        mac.update(b"\0");
        mac.update(content);
        let mut digest = [0; 16];
        digest.copy_from_slice(&mac.finalize().into_bytes()[..16]);
        digest
    }

    /// The digest as 32 hexadecimal digits.
    pub fn hex(&self, domain: &str, content: &[u8]) -> String {
        hex(&self.digest(domain, content))
    }
}

impl fmt::Debug for DigestKey {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str("DigestKey(…)")
    }
}

/// Bytes as lower-case hexadecimal digits.
pub fn hex(bytes: &[u8]) -> String {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    let mut text = String::with_capacity(2 * bytes.len());
    for byte in bytes {
        text.push(char::from(DIGITS[usize::from(byte >> 4)]));
        text.push(char::from(DIGITS[usize::from(byte & 15)]));
    }
    text
}

/// The keyed digest of a content: the same for the same content, whatever its white space and the order of its keys.
///
/// It is taken over an encoding in which no two contents are equal: each value behind a letter for its type, text and
/// containers behind their lengths, keys sorted. A float of 2^53 or more may have lost digits, so such a content is only
/// the same if its text is.
pub fn content_digest(json: &Json<'_>, raw: &[u8], key: &DigestKey) -> [u8; 16] {
    let mut encoding = Vec::with_capacity(raw.len() + raw.len() / 2 + 64);
    let exact = encode(json, &mut encoding);
    if !exact {
        encoding.push(b'r');
        encoding.extend_from_slice(raw);
    }
    key.digest("counterfoil/content/v1", &encoding)
}

fn encode(json: &Json<'_>, out: &mut Vec<u8>) -> bool {
    match json {
        Json::Null => out.push(b'n'),
        Json::Bool(value) => out.push(if *value { b't' } else { b'f' }),
        Json::U64(value) => encode_number(b'u', *value, out),
        Json::I64(value) => encode_number(b'i', value.cast_unsigned(), out),
        Json::F64(value) => {
            encode_number(b'd', value.to_bits(), out);
            return value.abs() < INTEGER_LIMIT;
        }
        Json::Str(text) => encode_text(text, out),
        Json::Array(items) => {
            encode_number(b'a', items.len() as u64, out);
            let mut exact = true;
            for item in items {
                exact &= encode(item, out);
            }
            return exact;
        }
        Json::Object(members) => {
            encode_number(b'o', members.len() as u64, out);
            let mut sorted: Vec<&(Cow<'_, str>, Json<'_>)> = members.iter().collect();
            sorted.sort_unstable_by(|a, b| a.0.cmp(&b.0));
            let mut exact = true;
            for (name, value) in sorted {
                encode_text(name, out);
                exact &= encode(value, out);
            }
            return exact;
        }
    }
    true
}

fn encode_number(tag: u8, value: u64, out: &mut Vec<u8>) {
    out.push(tag);
    out.extend_from_slice(&value.to_le_bytes());
}

fn encode_text(text: &str, out: &mut Vec<u8>) {
    encode_number(b's', text.len() as u64, out);
    out.extend_from_slice(text.as_bytes());
}

impl Serialize for Json<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Null => serializer.serialize_unit(),
            Self::Bool(value) => serializer.serialize_bool(*value),
            Self::U64(value) => serializer.serialize_u64(*value),
            Self::I64(value) => serializer.serialize_i64(*value),
            Self::F64(value) => serializer.serialize_f64(*value),
            Self::Str(text) => serializer.serialize_str(text),
            Self::Array(items) => serializer.collect_seq(items),
            Self::Object(members) => serializer.collect_map(members.iter().map(|(name, value)| (name, value))),
        }
    }
}

/// Builds the tree. It knows its depth and counts its values, and leaves the reason of a refusal where `parse` finds it.
#[derive(Clone, Copy)]
struct Seed<'r> {
    depth: usize,
    values: &'r Cell<usize>,
    reason: &'r Cell<RejectReason>,
}

impl Seed<'_> {
    fn inner<E: de::Error>(self) -> Result<Self, E> {
        if self.depth == DEPTH_MAX {
            self.reason.set(RejectReason::TooDeep);
            return Err(E::custom(format!(
                "at most {DEPTH_MAX} levels of arrays and objects are read, got more; flatten the event"
            )));
        }
        Ok(Self { depth: self.depth + 1, ..self })
    }
}

impl<'de> DeserializeSeed<'de> for Seed<'_> {
    type Value = Json<'de>;

    fn deserialize<D: de::Deserializer<'de>>(self, deserializer: D) -> Result<Json<'de>, D::Error> {
        if self.values.get() == VALUES_MAX {
            self.reason.set(RejectReason::TooLarge);
            return Err(de::Error::custom(format!(
                "at most {VALUES_MAX} values and keys are read from one document, got more; send it in pages"
            )));
        }
        self.values.set(self.values.get() + 1);
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Seed<'_> {
    type Value = Json<'de>;

    fn expecting(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str("a JSON value")
    }

    fn visit_unit<E>(self) -> Result<Json<'de>, E> {
        Ok(Json::Null)
    }

    fn visit_bool<E>(self, value: bool) -> Result<Json<'de>, E> {
        Ok(Json::Bool(value))
    }

    fn visit_u64<E>(self, value: u64) -> Result<Json<'de>, E> {
        Ok(Json::U64(value))
    }

    fn visit_i64<E>(self, value: i64) -> Result<Json<'de>, E> {
        Ok(Json::I64(value))
    }

    fn visit_f64<E>(self, value: f64) -> Result<Json<'de>, E> {
        Ok(Json::F64(value))
    }

    fn visit_borrowed_str<E>(self, text: &'de str) -> Result<Json<'de>, E> {
        Ok(Json::Str(Cow::Borrowed(text)))
    }

    fn visit_str<E>(self, text: &str) -> Result<Json<'de>, E> {
        Ok(Json::Str(Cow::Owned(text.to_owned())))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Json<'de>, A::Error> {
        let inner = self.inner()?;
        let mut items = Vec::new();
        while let Some(item) = seq.next_element_seed(inner)? {
            items.push(item);
        }
        Ok(Json::Array(items))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Json<'de>, A::Error> {
        let inner = self.inner()?;
        let mut members = Vec::new();
        while let Some(Json::Str(name)) = map.next_key_seed(inner)? {
            members.push((name, map.next_value_seed(inner)?));
        }
        if let Some(name) = doubled(&members) {
            self.reason.set(RejectReason::DuplicateKey);
            return Err(de::Error::custom(format!(
                "the key {} stands twice in one object, so it cannot be told which one is meant; send it once",
                quoted(name)
            )));
        }
        Ok(Json::Object(members))
    }
}

/// A key that an object has twice.
fn doubled<'m>(members: &'m [(Cow<'_, str>, Json<'_>)]) -> Option<&'m str> {
    let mut names: Vec<&str> = members.iter().map(|(name, _)| name.as_ref()).collect();
    names.sort_unstable();
    names.windows(2).find(|pair| pair[0] == pair[1]).map(|pair| pair[0])
}
