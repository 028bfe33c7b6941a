//! The GitHub connector: each action to its facts, and the traps of its audit log.
//!
//! Traps of the mapping that apply here: 1 (milliseconds since 1970), 2 (ids as text), 3 (absence), 6 (one event, several
//! facts), 7 (failures), 9 (duplicates), 11 (renamed), 14 (a team that means something else), 20 (hostile text), 21
//! (secrets).

#![allow(clippy::unwrap_used)] // A test stops where it fails.

mod access;
mod credentials;
mod log;
mod made;
#[path = "../fixtures/support.rs"]
mod support;
