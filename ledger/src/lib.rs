//! The log of Counterfoil on RocksDB: append, read, prove, recover, check.
//!
//! One thread owns the head; everything else reads. Nothing is signed before it is durable; nothing is acknowledged
//! before it is signed and the anchor holds it.
#![deny(missing_docs)]

mod anchor;
mod append;
mod backup;
mod clock;
mod compression;
mod condition;
mod cosigner;
mod coverage;
mod derive;
mod endless;
mod error;
mod export;
#[cfg(not(feature = "failpoints"))]
mod failpoint;
#[cfg(feature = "failpoints")]
pub mod failpoint;
mod files;
mod fsck;
mod incarnation;
mod keys;
mod lease;
mod ledger;
mod lock;
mod measure;
mod memory;
mod nodes;
mod owner;
mod pressure;
mod read;
#[cfg(feature = "cose")]
mod receipt;
mod recover;
mod redaction;
mod remapped;
mod removals;
mod renewal;
mod replica;
mod restore;
mod room;
mod rotation;
mod row;
mod sealed;
mod sealing;
mod served;
mod store;
mod tiles;

pub use append::{
    Advance, Batch, ChannelPosition, ContentDigest, EventKey, LastRead, Outcome, PreparedEvent, Receipt, SourceKey,
};
pub use backup::{Backup, BackupList, BackupMade, BackupOrder};
pub use clock::{Clock, JUMP_SECONDS_MAX, Reading, SystemClock};
pub use compression::{compress, compress_for_good};
pub use condition::Condition;
pub use cosigner::{Cosigner, CosignerError};
pub use endless::check_logs;
pub use error::{LedgerError, Result};
pub use export::{ExportError, Exported, TileSource, export};
pub use fsck::{Problem, Report, fsck};
pub use incarnation::{Incarnated, IncarnationOrder, Loss, incarnate};
pub use keys::Keys;
pub use lease::Lease;
pub use ledger::{Ledger, Location, Options, PendingReceipt, init};
pub use memory::Memory;
pub use pressure::WritePressure;
pub use read::{Entry, Head, Kept, Reader};
pub use removals::KnownRedactions;
pub use replica::{Replica, Row};
pub use restore::{Anchored, RestoreOrder, Restored, restore};
pub use rotation::{PolicyFile, Rotation, finish as finish_rotation, retire as retire_key};
pub use sealed::SealedMap;
pub use sealing::Sealing;
