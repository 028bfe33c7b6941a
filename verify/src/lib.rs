//! Counterfoil's verifier: what an auditor has to trust. No I/O, no clock, no randomness, no threads.
#![deny(missing_docs)]

pub mod approval;
pub mod beside;
pub mod capability;
pub mod checkpoint;
pub mod effective;
pub mod entity;
pub mod fact;
pub mod hash;
pub mod holding;
pub mod identifier;
pub mod identity;
pub mod link;
pub mod listing;
pub mod listing_proof;
pub mod map;
pub mod note;
pub mod policy;
pub mod proof;
pub mod reconcile;
pub mod record;
pub mod redaction;
pub mod remap;
pub mod replay;
pub mod reversal;
pub mod rules;
pub mod scope;
pub mod score;
pub mod seal;
pub mod state;
pub mod ticket;
pub mod time;
pub mod trail;
pub mod tree;
pub mod verdict;
