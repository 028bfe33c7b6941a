//! Sources: where documents come from. A source delivers bytes with a position and knows nothing of what they mean.

pub mod backups;
mod csv;
pub(crate) mod documents;
pub mod file;
pub mod grpc;
pub mod http;
pub mod kafka;
pub mod pages;
pub mod receipt;
pub mod redactions;
pub mod remaps;
mod resync;
mod structure;
