//! The types generated from `counterfoil/v1/*.proto`, with their protobuf JSON mapping. No logic.

/// Version 1 of the record and of every answer.
pub mod v1 {
    #![allow(missing_docs, clippy::all)]
    include!(concat!(env!("OUT_DIR"), "/counterfoil.v1.rs"));
    include!(concat!(env!("OUT_DIR"), "/counterfoil.v1.serde.rs"));
}
