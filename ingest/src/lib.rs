//! Ingest.

pub mod connectors;
pub mod import;
pub mod json;
pub mod prepare;
pub mod secrets;
pub mod snapshot;
pub mod sources;
pub mod times;
pub mod values;
