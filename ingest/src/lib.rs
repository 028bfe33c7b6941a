//! Ingest.

pub mod connectors;
pub mod digests;
pub mod import;
pub mod incarnation;
pub mod intake;
pub mod json;
mod letter;
mod pipeline;
pub mod prepare;
pub mod redact;
pub mod remap;
pub mod retry;
pub mod secrets;
pub mod snapshot;
pub mod sources;
pub mod times;
pub mod values;
