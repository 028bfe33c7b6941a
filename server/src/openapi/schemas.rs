//! The messages as JSON schemas, in the JSON mapping of protobuf: what is 0, empty or not set is left out.

use std::collections::BTreeMap;

use prost_reflect::{Cardinality, EnumDescriptor, FieldDescriptor, Kind, MessageDescriptor};
use serde_json::{Map, Value, json};

use super::comments::Comments;

/// The type of times.
const TIMESTAMP: &str = "google.protobuf.Timestamp";

/// The messages and enums that are spoken of.
#[derive(Default)]
pub(super) struct Needed {
    waiting: Vec<Described>,
    names: BTreeMap<String, ()>,
}

enum Described {
    Message(MessageDescriptor),
    Enum(EnumDescriptor),
}

impl Needed {
    /// A reference to a message.
    pub(super) fn reference(&mut self, message: &MessageDescriptor) -> Value {
        self.refer(message.full_name(), || Described::Message(message.clone()))
    }

    fn refer(&mut self, full_name: &str, described: impl FnOnce() -> Described) -> Value {
        let name = short(full_name);
        if self.names.insert(name.clone(), ()).is_none() {
            self.waiting.push(described());
        }
        json!({"$ref": format!("#/components/schemas/{name}")})
    }

    /// What a field holds.
    pub(super) fn of_field(&mut self, field: &FieldDescriptor) -> Value {
        let one = self.of_kind(&field.kind());
        match field.cardinality() {
            Cardinality::Repeated => json!({"type": "array", "items": one}),
            _ => one,
        }
    }

    fn of_kind(&mut self, kind: &Kind) -> Value {
        match kind {
            Kind::String => json!({"type": "string"}),
            Kind::Bool => json!({"type": "boolean"}),
            Kind::Bytes => json!({"type": "string", "contentEncoding": "base64"}),
            Kind::Int32 | Kind::Sint32 | Kind::Sfixed32 => json!({"type": "integer", "format": "int32"}),
            Kind::Uint32 | Kind::Fixed32 => json!({"type": "integer", "format": "int64", "minimum": 0}),
            Kind::Int64 | Kind::Sint64 | Kind::Sfixed64 => {
                json!({"type": "string", "format": "int64", "pattern": "^-?[0-9]+$"})
            }
            Kind::Uint64 | Kind::Fixed64 => json!({"type": "string", "format": "uint64", "pattern": "^[0-9]+$"}),
            Kind::Float | Kind::Double => json!({"type": "number"}),
            Kind::Message(message) if message.full_name() == TIMESTAMP => {
                json!({"type": "string", "format": "date-time"})
            }
            Kind::Message(message) => self.reference(message),
            Kind::Enum(kind) => self.refer(kind.full_name(), || Described::Enum(kind.clone())),
        }
    }

    /// The schemas of all of them, and of those that they speak of.
    pub(super) fn into_schemas(mut self, comments: &Comments) -> BTreeMap<String, Value> {
        let mut schemas = BTreeMap::new();
        while let Some(described) = self.waiting.pop() {
            let (name, schema) = match described {
                Described::Message(message) => (short(message.full_name()), self.message(&message, comments)),
                Described::Enum(kind) => (short(kind.full_name()), enumeration(&kind, comments)),
            };
            schemas.insert(name, schema);
        }
        schemas
    }

    fn message(&mut self, message: &MessageDescriptor, comments: &Comments) -> Value {
        let mut properties = Map::new();
        for field in message.fields() {
            let property = with(self.of_field(&field), comments.of_field(&field));
            properties.insert(field.json_name().to_owned(), property);
        }
        with(json!({"type": "object", "properties": properties}), comments.of_message(message))
    }
}

/// The shape of every error.
pub(super) fn error() -> Value {
    json!({
        "type": "object",
        "description": "What was wrong, where, and what to do: google.rpc.Status, as Google's services write it.",
        "required": ["error"],
        "properties": {
            "error": {
                "type": "object",
                "required": ["code", "status", "message"],
                "properties": {
                    "code": {"type": "integer", "description": "The HTTP status."},
                    "status": {"type": "string", "description": "The name of the code, as google/rpc/code.proto has it."},
                    "message": {"type": "string", "description": "For people."},
                    "details": {
                        "type": "array",
                        "description": "For programs: google.rpc.ErrorInfo with a reason that never changes, and others.",
                        "items": {
                            "type": "object",
                            "required": ["@type"],
                            "properties": {"@type": {"type": "string"}},
                        },
                    },
                },
            },
        },
    })
}

fn enumeration(kind: &EnumDescriptor, comments: &Comments) -> Value {
    let names: Vec<String> = kind.values().map(|value| value.name().to_owned()).collect();
    with(json!({"type": "string", "enum": names}), comments.of_enum(kind))
}

fn with(mut schema: Value, comment: String) -> Value {
    if !comment.is_empty() {
        schema["description"] = comment.into();
    }
    schema
}

/// The name of a message in the document.
fn short(full_name: &str) -> String {
    full_name.trim_start_matches("counterfoil.v1.").to_owned()
}
