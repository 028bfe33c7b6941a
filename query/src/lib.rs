//! Counterfoil's reading side: views that are derived from the log, and the answers made from them.
//!
//! `Views` owns one RocksDB in `DIR/views` and brings it up to date from the log; `Query` answers questions at
//! (occurred_at ≤ T, recorded_at ≤ K) from one consistent moment of it. Nothing here is ever the only copy of anything:
//! delete the folder, and the same answers come back. `follow` copies the log of another server, for a query service that
//! has none of its own. This crate never writes to a log that it does not copy, and never reads a clock.
#![deny(missing_docs)]

mod answers;
mod error;
pub mod filter;
pub mod follow;
pub mod services;
mod views;

pub use answers::{
    AccessRequest, CapableRequest, ChangeSelector, ChangesRequest, ExplainFilter, GrantRequest, HistoryRequest,
    NhiRequest, Page, PathsRequest, Period, Query, ReversalOf, Wanted,
};
pub use error::QueryError;
pub use views::Views;
