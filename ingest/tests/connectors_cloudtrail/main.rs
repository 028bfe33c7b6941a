//! The CloudTrail connector: each event to its facts, and the traps of such logs.
//!
//! Traps of the mapping that apply here: 1 (dates for people), 3 (absence), 4 (JSON in a URL's encoding), 7 (failures), 8
//! (not finished), 9 (duplicates), 11 (renamed), 14 (policies that mean something else), 20 (hostile text), 21 (secrets).

#![allow(clippy::unwrap_used)] // A test stops where it fails.

mod iam;
mod log;
mod made;
#[path = "../fixtures/support.rs"]
mod support;
mod who;
