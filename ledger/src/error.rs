//! What can go wrong with a ledger, by what an operator does about it.

use std::path::PathBuf;

use counterfoil_verify::record::RecordError;
use counterfoil_verify::tree::{RecordIndex, TreeSize};

/// Why a ledger could not be opened, read or written.
#[derive(Debug, thiserror::Error)]
pub enum LedgerError {
    /// There is nothing to open.
    #[error("{path} holds no ledger: make one with `counterfoil init --data {path} --origin NAME`")]
    NotALedger {
        /// The data folder.
        path: PathBuf,
    },
    /// There is something that must not be overwritten.
    #[error("{path} exists: name another data folder, or remove it if nothing in it is needed")]
    Exists {
        /// What is in the way.
        path: PathBuf,
    },
    /// Another process owns it.
    #[error("the ledger is in use by {holder}: wait until it ends, or stop it")]
    InUse {
        /// The process, as it described itself.
        holder: String,
    },
    /// The anchor is missing or cannot be read.
    #[error(
        "the anchor {path} {problem}: bring back the file that `counterfoil init` made, or name it with --anchor; \
         without it nobody can tell whether this ledger was rolled back"
    )]
    Anchor {
        /// The anchor file.
        path: PathBuf,
        /// What is wrong with it.
        problem: String,
    },
    /// The ledger is shorter than what was signed and acknowledged.
    #[error(
        "the ledger is behind its anchor: it holds {size} records, and {anchored} were acknowledged. \
         An old copy was restored, or records were lost: bring back the newest copy of the data folder. If there is none, \
         `counterfoil incarnation` goes on from here under a new name, and says what was lost"
    )]
    Behind {
        /// Records that are there.
        size: TreeSize,
        /// Records that the anchor knows.
        anchored: TreeSize,
    },
    /// The ledger holds another history than the one that was signed.
    #[error(
        "the ledger is beside its anchor: at {anchored} records its root is not the anchor's. \
         This is another history than the one that was acknowledged: run `counterfoil fsck`, and bring back the right copy"
    )]
    Beside {
        /// Records that the anchor knows.
        anchored: TreeSize,
    },
    /// Another copy of the ledger has the anchor's lease.
    #[error(
        "another copy of this ledger has taken over the anchor {path}: nothing that was acknowledged is in this copy alone. \
         Delete its log, derived and views, and start it as a standby (`counterfoil ingest --follow URL`)"
    )]
    Held {
        /// The anchor file.
        path: PathBuf,
    },
    /// The holder of a lease that was to be taken over is alive.
    #[error("the lease was renewed: its holder is alive")]
    Renewed,
    /// Another owner has moved the anchor.
    #[error(
        "the anchor {path} was moved by another owner of this ledger: nothing was acknowledged; \
         stop the other owner, and start again"
    )]
    AnchorMoved {
        /// The anchor file.
        path: PathBuf,
    },
    /// Stored bytes are not what was written.
    #[error("the ledger is falsified or damaged at {place}: {problem}. Run `counterfoil fsck`")]
    Falsified {
        /// The record or file.
        place: String,
        /// What is wrong there.
        problem: String,
    },
    /// A newer version has written it.
    #[error(
        "record {index} has format {format}, which this version cannot read: use the version that wrote it, or a newer one"
    )]
    Newer {
        /// The first record of that format.
        index: RecordIndex,
        /// Its format.
        format: u32,
    },
    /// The storage engine failed.
    #[error("the storage failed: {0}: check the disk, or bring back a copy of the data folder")]
    Storage(#[from] rocksdb::Error),
    /// A file could not be read or written.
    #[error("read or write {path}")]
    File {
        /// The file.
        path: PathBuf,
        /// Why not.
        source: std::io::Error,
    },
    /// A key file is damaged, or does not belong to this ledger.
    #[error("the key file {path} {problem}: bring back the one that this ledger had last")]
    Key {
        /// The key file.
        path: PathBuf,
        /// What is wrong with it.
        problem: String,
    },
    /// The log's key cannot be changed now.
    #[error("{problem}")]
    Rotation {
        /// Why not, and what to do.
        problem: String,
    },
    /// The origin cannot be used.
    #[error("the origin {origin:?} cannot be used: {problem}")]
    Origin {
        /// As given.
        origin: String,
        /// Why not.
        problem: String,
    },
    /// The wall clock jumped against the boot clock.
    #[error(
        "the clock jumped by {seconds} s against the time since boot, and nothing was appended: one wrong jump would spoil \
         the known-at times for ever. Set the clock right, or confirm it with --accept-clock"
    )]
    ClockJumped {
        /// How far, forwards positive.
        seconds: i64,
    },
    /// The record is not there.
    #[error("record {index} is not in the ledger, which holds {size} records")]
    NoSuchRecord {
        /// Asked for.
        index: RecordIndex,
        /// Held.
        size: TreeSize,
    },
    /// A batch that does not go on where its channel stands: an earlier one was not taken, or somebody else reads it too.
    #[error(
        "{channel} stands at {stands} in the ledger, and the batch goes on at {from}: nothing of it was appended. Read \
             on from where the ledger stands"
    )]
    OutOfOrder {
        /// The channel.
        channel: String,
        /// Where it goes on, as the ledger has it.
        stands: u64,
        /// Where the batch goes on.
        from: u64,
    },
    /// A redaction names what never was.
    #[error("record {index} cannot be redacted so, and nothing was removed: {problem}")]
    Redaction {
        /// The record beside which something was to be removed.
        index: RecordIndex,
        /// Why not.
        problem: String,
    },
    /// A disk is full.
    #[error(
        "there is no room left on a disk of the ledger ({0}), and nothing was acknowledged: free some, and append it again"
    )]
    NoSpace(String),
    /// The folder of a ledger holds a replica.
    #[error("{path} holds a replica of a ledger: it is opened by `counterfoil query`, and asked with --server")]
    Replica {
        /// The data folder.
        path: PathBuf,
    },
    /// The folder for a replica holds a ledger.
    #[error("{path} holds a ledger and no replica of one: give the replica a folder of its own")]
    NotAReplica {
        /// The data folder.
        path: PathBuf,
    },
    /// The policy does not say which log is copied.
    #[error("the policy cannot be used for a replica: {problem}")]
    Policy {
        /// What is wrong with it.
        problem: String,
    },
    /// Another log than the policy's is offered.
    #[error("this is another log than the policy's: {problem}")]
    OtherLog {
        /// What tells them apart.
        problem: String,
    },
    /// A record that does not go on from those before it.
    #[error("record {index} does not go on from those of the replica: {problem}")]
    Unlinked {
        /// Where it is said to belong.
        index: RecordIndex,
        /// Why it does not.
        problem: String,
    },
    /// A checkpoint that the log's key has not signed.
    #[error("the checkpoint is not signed by the log's key in the policy: {problem}")]
    NotSigned {
        /// What is wrong with it.
        problem: String,
    },
    /// A signed checkpoint with another root than the records.
    #[error("the signed checkpoint of {size} records has another root than the first {size} records of the replica")]
    Forked {
        /// Its size.
        size: TreeSize,
    },
    /// A backup, or the folder of backups, cannot be used.
    #[error("the backup {path} {problem}")]
    Backup {
        /// The file or folder.
        path: PathBuf,
        /// What is wrong with it, and what to do.
        problem: String,
    },
    /// It cannot be told what was redacted.
    #[error(
        "the list of redactions {path} {problem}: bring back the one beside the newest anchor, or name a copy with \
         --redactions. With --redactions-lost, whatever was redacted since the backup is there again"
    )]
    Redactions {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        problem: String,
    },
    /// A new incarnation cannot be declared so.
    #[error("no new incarnation was declared: {problem}")]
    Incarnation {
        /// Why not, and what to do.
        problem: String,
    },
    /// The owner has ended after an earlier failure.
    #[error("the ledger takes no more appends: {0}")]
    Closed(String),
}

impl LedgerError {
    /// A file error with its path.
    pub(crate) fn file(path: &std::path::Path, source: std::io::Error) -> Self {
        Self::File { path: path.to_owned(), source }
    }

    /// What it means that a record cannot be decoded.
    pub(crate) fn record(index: RecordIndex, error: RecordError) -> Self {
        match error {
            RecordError::Unreadable(format) => Self::Newer { index, format },
            error => Self::falsified(format!("record {index}"), error),
        }
    }

    /// The same, for another whose batch was in the same commit.
    pub(crate) fn shared(&self) -> Self {
        match self {
            Self::ClockJumped { seconds } => Self::ClockJumped { seconds: *seconds },
            Self::NoSpace(what) => Self::NoSpace(what.clone()),
            Self::Closed(why) => Self::Closed(why.clone()),
            error => Self::Closed(error.to_string()),
        }
    }

    /// Something stored that is not what was written.
    pub(crate) fn falsified(place: impl ToString, problem: impl ToString) -> Self {
        Self::Falsified { place: place.to_string(), problem: problem.to_string() }
    }
}

/// A result of this crate.
pub type Result<T> = std::result::Result<T, LedgerError>;
