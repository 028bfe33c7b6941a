//! The personal values of an event, gathered per entity, for what lies beside the record.
//!
//! Owns their grouping, their order and their limits. It never decides which values are personal: a connector puts here
//! whatever is no code, no time, no number and no opaque id.

use std::collections::{BTreeMap, BTreeSet};

use counterfoil_proto::v1::{Value, Values};
use counterfoil_verify::entity::EntityId;

/// The longest value kept, in bytes; the payload beside the record has the rest.
pub const VALUE_BYTES_MAX: usize = 4_096;
/// The most values kept per entity and event; the payload has the rest.
pub const VALUES_MAX: usize = 200;

/// The values gathered so far.
#[derive(Debug, Default)]
pub struct Book(BTreeMap<EntityId, BTreeSet<(String, String)>>);

impl Book {
    /// Notes a value of an entity. Blank values are nothing; a longer one than the limit is cut at a character.
    pub fn add(&mut self, entity: EntityId, name: &str, value: &str) {
        let value = value.trim();
        let values = self.0.entry(entity).or_default();
        if !value.is_empty() && values.len() < VALUES_MAX {
            let end = value.floor_char_boundary(VALUE_BYTES_MAX);
            values.insert((name.to_owned(), value[..end].to_owned()));
        }
    }

    /// One message per entity of `named` that something is known of, in the order of the entities' ids.
    pub fn into_values(self, named: &BTreeSet<EntityId>) -> Vec<Values> {
        self.0
            .into_iter()
            .filter(|(entity, values)| !values.is_empty() && named.contains(entity))
            .map(|(entity, values)| Values {
                entity: entity.as_bytes().to_vec(),
                values: values.into_iter().map(|(name, value)| Value { name, value }).collect(),
            })
            .collect()
    }
}
