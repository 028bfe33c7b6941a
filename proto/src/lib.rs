//! The types generated from `counterfoil/v1/*.proto`, with their protobuf JSON mapping; with the feature `services`, also
//! the gRPC clients and servers. No logic, but that what stands in many answers is shared.

mod shared;

pub use shared::Shared;

/// The encoded `google.protobuf.FileDescriptorSet` of all of them, with the options and comments of methods.
pub const DESCRIPTORS: &[u8] = include_bytes!(concat!(env!("OUT_DIR"), "/descriptors.bin"));

#[cfg(feature = "services")]
include!(concat!(env!("OUT_DIR"), "/messages.rs"));

/// Version 1 of the record and of every answer.
pub mod v1 {
    #![allow(missing_docs, clippy::all)]
    include!(concat!(env!("OUT_DIR"), "/counterfoil.v1.rs"));
    include!(concat!(env!("OUT_DIR"), "/counterfoil.v1.serde.rs"));
}
