//! Ingest.

pub mod connectors;
pub mod digests;
pub mod import;
pub mod incarnation;
pub mod intake;
pub mod json;
pub mod key;
mod letter;
mod pipeline;
pub mod prepare;
pub mod redact;
pub mod remap;
pub mod retry;
pub mod secrets;
pub mod snapshot;
pub mod sources;
mod statement;
pub mod times;
pub mod values;
