//! Which approval covers a change.
#![allow(clippy::unwrap_used, reason = "helpers of tests fail as tests do")]

mod cases;
mod chosen;
mod scope;
#[path = "../support/mod.rs"]
mod support;
mod verdicts;
