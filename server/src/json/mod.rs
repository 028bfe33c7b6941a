//! The services over HTTP: JSON instead of protobuf, in both directions.
//!
//! Owns the way from an HTTP request to a gRPC call of the same services in the same process, and back. What a method is
//! and where it stands is the descriptors' to say (`rpc`); what it answers, the services'.

pub(crate) mod body;
mod call;
mod codec;
mod endpoint;
pub(crate) mod fields;
pub(crate) mod problem;

pub(crate) use endpoint::add_to;
