//! The Kubernetes connector: each request to its facts, and the traps of its audit log.
//!
//! Traps of the mapping that apply here: 1 (microseconds), 3 (absence), 6 (one event, several facts), 7 (failures, and
//! what was only tried), 9 (one request at every stage), 14 (a role that means something else), 16 (tokens that run out),
//! 17 (bindings that are gone with what they gave), 20 (hostile text), 21 (secrets).

#![allow(clippy::unwrap_used)] // A test stops where it fails.

mod credentials;
mod log;
mod made;
mod rbac;
#[path = "../fixtures/support.rs"]
mod support;
