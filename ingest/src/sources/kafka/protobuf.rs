//! Values in Protocol Buffers, by a description of their messages.
//!
//! Owns their JSON form: the names that the description gives for JSON, enums by name, all numbers as numbers, and bytes in
//! base64. The value may have the head that Confluent's serialisers put before it.

use counterfoil_proto::v1::RejectReason;
use prost_reflect::{DescriptorPool, DynamicMessage, MessageDescriptor, SerializeOptions};

use crate::json::Reject;

/// What a Confluent serialiser puts before a value: a zero, and the number of a schema.
const CONFLUENT_HEAD_BYTES: usize = 5;

/// The description of the messages of a topic.
pub struct Schema {
    message: MessageDescriptor,
    /// Each value has the head of Confluent's serialisers.
    confluent: bool,
}

/// Why there is no description.
#[derive(Debug, thiserror::Error)]
pub enum SchemaError {
    /// It is none.
    #[error(
        "expected a FileDescriptorSet, as protoc --include_imports --descriptor_set_out and buf build write it: {0}"
    )]
    NotDescriptors(prost_reflect::DescriptorError),
    /// It has no such message.
    #[error("there is no message {0:?} in it: name it with its package, such as acme.access.Ticket")]
    NoMessage(String),
}

impl Schema {
    /// Reads a description.
    ///
    /// # Errors
    /// [`SchemaError`] if it does not describe the message.
    pub fn read(descriptors: &[u8], message: &str, confluent: bool) -> Result<Self, SchemaError> {
        let pool = DescriptorPool::decode(descriptors).map_err(SchemaError::NotDescriptors)?;
        let found = pool.get_message_by_name(message);
        Ok(Self { message: found.ok_or_else(|| SchemaError::NoMessage(message.to_owned()))?, confluent })
    }

    /// The JSON form of a value.
    pub(super) fn to_json(&self, value: &[u8]) -> Result<Vec<u8>, Reject> {
        let value = if self.confluent { behind_head(value)? } else { value };
        let unreadable = |why: String| {
            Reject::new(RejectReason::NotAnEvent, format!("expected a message {}: {why}", self.message.full_name()))
        };
        let message =
            DynamicMessage::decode(self.message.clone(), value).map_err(|error| unreadable(error.to_string()))?;
        let mut json = serde_json::Serializer::new(Vec::with_capacity(2 * value.len()));
        let options = SerializeOptions::new().stringify_64_bit_integers(false);
        message.serialize_with_options(&mut json, &options).map_err(|error| unreadable(error.to_string()))?;
        Ok(json.into_inner())
    }
}

/// The value behind Confluent's head: a zero, four bytes of a schema's number, and which message of the schema it is, as
/// zigzag varints: how many numbers, then the numbers; a single zero stands for the first message.
fn behind_head(value: &[u8]) -> Result<&[u8], Reject> {
    let broken = || {
        let why = "expected the head of a Confluent serialiser: a zero, and the number of a schema";
        Reject::new(RejectReason::NotAnEvent, why)
    };
    let Some((0, _)) = value.split_first() else { return Err(broken()) };
    let mut rest = value.get(CONFLUENT_HEAD_BYTES..).ok_or_else(broken)?;
    let count = varint(&mut rest).ok_or_else(broken)?;
    for _ in 0..count >> 1 {
        varint(&mut rest).ok_or_else(broken)?;
    }
    Ok(rest)
}

/// Takes a varint off the beginning; none where there is none.
fn varint(bytes: &mut &[u8]) -> Option<u64> {
    let length = bytes.iter().take(10).position(|byte| byte & 0x80 == 0)? + 1;
    let (varint, rest) = bytes.split_at(length);
    *bytes = rest;
    Some(varint.iter().rev().fold(0, |number, byte| number << 7 | u64::from(byte & 0x7f)))
}
