//! The log of Counterfoil on RocksDB: append, read, prove, recover, check.
//!
//! One thread owns the head; everything else reads. Nothing is signed before it is durable; nothing is acknowledged
//! before it is signed and the anchor holds it.
#![deny(missing_docs)]

mod anchor;
mod append;
mod clock;
mod derive;
mod error;
mod files;
mod fsck;
mod keys;
mod ledger;
mod lock;
mod owner;
mod pressure;
mod read;
mod store;

pub use append::{
    Advance, Batch, ChannelPosition, ContentDigest, EventKey, LastRead, Outcome, PreparedEvent, Receipt, SourceKey,
};
pub use clock::{Clock, JUMP_SECONDS_MAX, Reading, SystemClock};
pub use error::{LedgerError, Result};
pub use fsck::{Problem, Report, fsck};
pub use keys::Keys;
pub use ledger::{Ledger, Location, Options, PendingReceipt, init};
pub use pressure::WritePressure;
pub use read::{Entry, Head, Reader};
