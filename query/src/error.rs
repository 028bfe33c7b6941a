//! What can go wrong with a question, by what the asker does about it.

use std::path::{Path, PathBuf};

use counterfoil_ledger::LedgerError;
use counterfoil_verify::entity::EntityId;
use counterfoil_verify::tree::{RecordIndex, TreeSize};

use crate::filter::FilterError;

/// Why a question has no answer.
#[derive(Debug, thiserror::Error)]
pub enum QueryError {
    /// The views hold something that this program did not write.
    #[error("the views in {path} are damaged ({problem}): delete that folder and ask again; nothing is lost by it")]
    Damaged {
        /// The folder of the views.
        path: PathBuf,
        /// What the storage engine says, or which row is wrong.
        problem: String,
    },
    /// Another process holds the views.
    #[error("the views in {path} are in use by another process: wait until it ends, or ask it")]
    InUse {
        /// The folder of the views.
        path: PathBuf,
    },
    /// The disk failed, or is full.
    #[error(
        "the views in {path} could not be read or written ({problem}): check the disk; if it is well, delete that folder \
         and ask again, nothing is lost by it"
    )]
    Storage {
        /// The folder of the views.
        path: PathBuf,
        /// What the storage engine says.
        problem: String,
    },
    /// The views were never brought up to a signed head of the log.
    #[error("the views end at record {size}, between two heads of the log: bring them up to date first")]
    Behind {
        /// How many records they cover.
        size: TreeSize,
    },
    /// No seal covers what is asked for, or none covers anything yet.
    #[error(
        "no seal covers these records yet: the owner of the log seals when nothing comes for a moment; ask again, or, of a \
         folder that was only ever read, start a server on it"
    )]
    NotSealed,
    /// A file of evidence is about one change, and several were meant.
    #[error("there are several changes: name one of {0}")]
    SeveralChanges(String),
    /// A file of evidence would have too many records.
    #[error("the histories that this needs have more than {0} records: ask about a part of it")]
    TooLarge(usize),
    /// An answer would carry too many proofs.
    #[error(
        "the answer would carry proofs of {asked} records or entities, and of {most} at most: ask for a smaller page"
    )]
    TooManyProofs {
        /// How many there are.
        asked: usize,
        /// How many there may be.
        most: usize,
    },
    /// No listing ended with the record, or what it saw is gone.
    #[error(
        "record {0} is not the end of a listing whose items are still there: reconcile names the record of each listing"
    )]
    NoListing(RecordIndex),
    /// A file of evidence would have to hold too much of what was recorded from a moment on.
    #[error(
        "{count} records were recorded from {from} on, and one file of evidence holds {limit} at most: ask as of an earlier \
         moment (known_at), or for a period that begins later"
    )]
    TooMuchRecorded {
        /// How many records there are.
        count: u64,
        /// From when on, by the ledger's clock, for people.
        from: String,
        /// What a file has too much of, and how much it may have.
        limit: String,
    },
    /// Something is recorded of whom evidence of an absence was asked for.
    #[error("{0} is recorded: ask for evidence of its state")]
    Recorded(EntityId),
    /// A file of evidence cannot be written.
    #[error("the evidence cannot be written: {0}")]
    Evidence(String),
    /// The log could not be read.
    #[error(transparent)]
    Ledger(#[from] LedgerError),
    /// The record was not in the ledger by the moment of the question.
    #[error("record {index} was not known then: by that moment the ledger held {size} record{}", plural(size.0))]
    NotKnownThen {
        /// Asked for.
        index: RecordIndex,
        /// Known then.
        size: TreeSize,
    },
    /// What the record says was read again since, and counts no longer.
    #[error(
        "what record {index} says was read again: record {by} replaces it; ask about that one, or as of before it was known"
    )]
    ReadAgain {
        /// Asked for.
        index: RecordIndex,
        /// The first record of what counts in its place.
        by: RecordIndex,
    },
    /// No access-changing event has that id.
    #[error(
        "no event that changes access has the id {0:?}: give the event's id as its source writes it, or the number of its record"
    )]
    NoSuchEvent(String),
    /// The record has no fact of that number.
    #[error("record {index} has {count} fact{}, numbered from 0: there is no fact {fact}", plural(*count as u64))]
    NoSuchFact {
        /// The record.
        index: RecordIndex,
        /// Asked for.
        fact: u32,
        /// How many it has.
        count: usize,
    },
    /// The record holds something else than an event that could not be read.
    #[error("record {0} is no rejected event: list them to see which are")]
    NotRejected(RecordIndex),
    /// The ledger holds nothing of it, whenever that was recorded.
    #[error("the ledger holds nothing of {0}")]
    NoSuchEntity(EntityId),
    /// It is nothing that anybody could hold.
    #[error("{0} is no entitlement, and nobody holds it: for what an account holds, ask for its state")]
    NoEntitlement(EntityId),
    /// The change said of no entitlement what it means.
    #[error(
        "{0} changed what no entitlement means: ask about a fact of the kinds entitlement.defined, entitlement.changed or \
         entitlement.removed, or about a grant to a group"
    )]
    NoDefinition(String),
    /// Nobody is called so.
    #[error(
        "nothing in the ledger is called {0:?}: give a login, an e-mail address, a name, a ticket number or an entity id"
    )]
    NobodyCalled(String),
    /// More are called so than can be followed.
    #[error("too many are called {0:?}: give a longer part of the name")]
    TooManyCalled(String),
    /// Nobody waits for the answer any more.
    #[error("the question was given up before there was an answer")]
    GivenUp,
    /// The answer needs more than a quick one may read: ask in a thread that may block.
    #[error("the answer needs more than can be read quickly")]
    NotQuick,
    /// The filter is none, or not one of this list.
    #[error("filter: {0}")]
    Filter(#[from] FilterError),
    /// The name fits no ticket, or several.
    #[error("{count} tickets are called {name:?}: give a ticket's number, such as SR-1042, or its id")]
    NotOneTicket {
        /// As it was asked for.
        name: String,
        /// How many there are.
        count: usize,
    },
    /// The page token belongs to another question, or to none.
    #[error("the page token {0}: give it back exactly as it came, with the same question")]
    PageToken(&'static str),
}

impl QueryError {
    /// What an error of the storage engine means for whoever asked.
    pub(crate) fn storage(path: &Path, error: rocksdb::Error) -> Self {
        let (path, problem) = (path.to_owned(), error.to_string());
        match error.kind() {
            rocksdb::ErrorKind::IOError if problem.contains("lock") => Self::InUse { path },
            rocksdb::ErrorKind::IOError if !problem.contains("No such file") => Self::Storage { path, problem },
            _ => Self::Damaged { path, problem },
        }
    }
}

fn plural(count: u64) -> &'static str {
    if count == 1 { "" } else { "s" }
}

/// A result of this crate.
pub(crate) type Result<T> = std::result::Result<T, QueryError>;
