//! Faults: the process dies at any moment, a disk is full or fails, a bit turns over anywhere, what is derived is gone,
//! clients are hostile. Nothing acknowledged is lost, nothing is there twice, and no answer is ever wrong. docs/faults.md
//! says how often.
#![allow(clippy::unwrap_used, reason = "a test stops where it fails")]

mod ask;
mod calls;
mod clients;
mod derived;
mod full;
mod import;
mod kills;
mod lease;
mod preload;
mod rot;
mod sync;
