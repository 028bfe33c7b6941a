//! Import: a file's documents, through a connector, into the ledger.
//!
//! Owns the pipeline: one thread reads, several prepare, and the caller's thread hands batches to the ledger in the
//! file's order. A batch carries the position that it brings the file to, so an interrupted import goes on where the
//! ledger stands, and a repeated one finds everything known.

use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Condvar, Mutex, PoisonError};

use counterfoil_ledger::{Batch, ChannelPosition, Ledger, LedgerError, Outcome, PendingReceipt, SourceKey};
use counterfoil_proto::v1::{Authentication, Delivery, Mapping};
use counterfoil_verify::time::Moment;
use crossbeam_channel::{Receiver, Sender, bounded};

use crate::connectors::{Connector, Context};
use crate::json::{self, DigestKey};
use crate::prepare::{Delivered, Document, Prepared};
use crate::sources::file::Input;

/// Documents in a batch, and bytes after which it is closed early.
const BATCH_DOCUMENTS: usize = 1_000;
const BATCH_BYTES: usize = 4 << 20;
/// Batches that are handed over and not acknowledged yet.
const PENDING_BATCHES: usize = 6;
/// Bytes of documents that are read and not handed over yet. One document may be larger than this by itself.
const IN_FLIGHT_BYTES_MAX: usize = 64 << 20;

/// How a file is imported.
pub struct ImportOptions {
    /// The tenant that it comes from.
    pub instance: String,
    /// The tenant whose tickets are meant where an event of another system mentions one.
    pub ticket_instance: String,
    /// A first import of old logs.
    pub backfill: bool,
    /// Times that lost their zone are in UTC.
    pub assume_utc: bool,
    /// How its producer was authenticated.
    pub authentication: Authentication,
    /// When it was received.
    pub received_at: Moment,
    /// Fresh randomness, never used before.
    pub seed_secret: [u8; 32],
    /// How many threads prepare events.
    pub threads: usize,
}

/// What an import came to.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Summary {
    /// Events newly recorded.
    pub events: u64,
    /// Facts in them.
    pub facts: u64,
    /// Of the events, those of unknown type.
    pub unmapped: u64,
    /// Of the events, those that lack what their facts need.
    pub incomplete: u64,
    /// Events that were known, with the same content.
    pub duplicates: u64,
    /// Events that were known with other content; each is recorded as a conflict.
    pub conflicts: u64,
    /// What could not be read; each is recorded with its bytes.
    pub rejected: u64,
    /// Documents that an earlier, interrupted import had done.
    pub resumed_documents: u64,
}

/// Why an import stopped. What was acknowledged before stays.
#[derive(Debug, thiserror::Error)]
pub enum ImportError {
    /// The input cannot be read.
    #[error("read {name}")]
    Input {
        /// The input.
        name: String,
        /// Why not.
        source: io::Error,
    },
    /// The ledger does not take it.
    #[error(transparent)]
    Ledger(#[from] LedgerError),
}

/// How far an import is.
#[derive(Clone, Copy, Debug)]
pub struct Progress {
    /// Bytes of the input read so far.
    pub read_bytes: u64,
    /// Bytes in all, where that is known.
    pub total_bytes: Option<u64>,
    /// Events acknowledged.
    pub acknowledged: u64,
}

/// Imports one input.
///
/// # Errors
/// [`ImportError`] if the input cannot be read or the ledger fails. An event that cannot be read is no error: it is
/// recorded as rejected.
pub fn import(
    ledger: &Ledger,
    connector: &dyn Connector,
    input: &Input,
    options: &ImportOptions,
    progress: &mut dyn FnMut(Progress),
) -> Result<Summary, ImportError> {
    let failed = |source| ImportError::Input { name: input.name(), source };
    let identity = input.identity(ledger.keys().ingest()).map_err(failed)?;
    let total_bytes = identity.as_ref().map(|(_, size)| *size);
    let name = match &identity {
        Some((digest, _)) => format!("file/{digest}"),
        None => format!("stream/{}", json::hex(&options.seed_secret[..8])),
    };
    let documents = input.documents().map_err(failed)?;
    let read_bytes = documents.read_bytes();
    let digest_key = DigestKey::new(*ledger.keys().ingest());
    // Whatever makes other events of the same bytes starts from the beginning: what is known is a duplicate.
    let mut manner = format!(
        "{} {} {} {} {}",
        documents.layout(),
        connector.version(),
        options.backfill,
        options.assume_utc,
        options.ticket_instance
    );
    if options.authentication != Authentication::OperatorFile {
        manner.push(' ');
        manner.push_str(options.authentication.as_str_name());
    }
    let manner = &digest_key.hex("counterfoil/manner/v1", manner.as_bytes())[..8];
    let channel = format!("{name}/{}/{}/{manner}", connector.name(), options.instance);
    let position = ledger.reader().position(&channel)?.unwrap_or_default();
    let start = if position.complete { 0 } else { position.next };

    let delivered = Delivered {
        connector,
        context: Context {
            instance: &options.instance,
            ticket_system: "freshservice",
            ticket_instance: &options.ticket_instance,
            index_key: ledger.keys().index(),
            digest_key: &digest_key,
            assume_utc: options.assume_utc,
            received_at: options.received_at,
        },
        channel: &channel,
        delivery: if options.backfill { Delivery::Backfill } else { Delivery::Live },
        authentication: options.authentication,
        seed_secret: &options.seed_secret,
    };
    let source = SourceKey {
        system: connector.system().to_owned(),
        instance: options.instance.clone(),
        connector: connector.name().to_owned(),
    };

    let mut committer = Committer { ledger, pending: Vec::new(), summary: Summary::default() };
    committer.summary.resumed_documents = start;
    let stop = AtomicBool::new(false);
    let threads = options.threads.max(1);
    let room = Room::default();
    let (chunks, to_prepare) = bounded::<Chunk>(threads * 2);
    let (prepared, to_commit) = bounded::<(u64, io::Result<PreparedChunk>)>(threads * 2);
    let result = std::thread::scope(|scope| {
        let failures = prepared.clone();
        let (stopped, room) = (&stop, &room);
        scope.spawn(move || read(documents, start, &chunks, &failures, room, stopped));
        for _ in 0..threads {
            let (to_prepare, prepared, delivered) = (to_prepare.clone(), prepared.clone(), &delivered);
            scope.spawn(move || prepare(&to_prepare, &prepared, delivered));
        }
        drop((prepared, to_prepare));
        let result = committer.commit_in_order(&to_commit, &channel, &source, room, |acknowledged| {
            progress(Progress { read_bytes: read_bytes.load(Ordering::Relaxed), total_bytes, acknowledged });
        });
        stop.store(true, Ordering::Relaxed);
        room.open();
        // What is still on its way is taken off the hands of the other threads, so that they end.
        to_commit.iter().for_each(drop);
        result
    });
    match result {
        Ok(()) => Ok(committer.summary),
        Err(Stopped::Input(source)) => Err(failed(source)),
        Err(Stopped::Ledger(error)) => Err(error.into()),
    }
}

/// Documents on their way to be prepared.
struct Chunk {
    number: u64,
    documents: Vec<Document>,
    bytes: usize,
    position: ChannelPosition,
}

/// Events on their way to the ledger.
struct PreparedChunk {
    events: Vec<Prepared>,
    /// Of the documents that they came from.
    bytes: usize,
    position: ChannelPosition,
}

/// How much is on its way, so that a slow chunk does not let those behind it pile up.
#[derive(Default)]
struct Room {
    in_flight_bytes: Mutex<usize>,
    less: Condvar,
}

impl Room {
    /// Waits until there is room for more, and takes it. There always is where nothing is on its way.
    fn take(&self, bytes: usize) {
        let full = |in_flight: &mut usize| *in_flight > 0 && in_flight.saturating_add(bytes) > IN_FLIGHT_BYTES_MAX;
        let in_flight = self.in_flight_bytes.lock().unwrap_or_else(PoisonError::into_inner);
        let mut in_flight = self.less.wait_while(in_flight, full).unwrap_or_else(PoisonError::into_inner);
        *in_flight = in_flight.saturating_add(bytes);
    }

    fn give_back(&self, bytes: usize) {
        let mut in_flight = self.in_flight_bytes.lock().unwrap_or_else(PoisonError::into_inner);
        *in_flight = in_flight.saturating_sub(bytes);
        self.less.notify_all();
    }

    /// Nobody waits any more.
    fn open(&self) {
        self.give_back(usize::MAX);
    }
}

enum Stopped {
    Input(io::Error),
    Ledger(LedgerError),
}

/// Reads documents into chunks. The last chunk says that the file is complete, even if it is empty.
fn read(
    documents: impl Iterator<Item = io::Result<Document>>,
    start: u64,
    chunks: &Sender<Chunk>,
    failures: &Sender<(u64, io::Result<PreparedChunk>)>,
    room: &Room,
    stop: &AtomicBool,
) {
    let empty = |number, position| Chunk { number, documents: Vec::new(), bytes: 0, position };
    let send = |chunk: Chunk| {
        room.take(chunk.bytes);
        chunks.send(chunk).is_ok()
    };
    let mut chunk = empty(0, ChannelPosition { next: start, complete: false });
    for document in documents {
        if stop.load(Ordering::Relaxed) {
            return;
        }
        let document = match document {
            Ok(document) => document,
            Err(error) => {
                // What was read before the failure is committed; the position then says where it ended.
                let number = chunk.number + u64::from(!chunk.documents.is_empty());
                if !chunk.documents.is_empty() && !send(chunk) {
                    return;
                }
                let _ = failures.send((number, Err(error)));
                return;
            }
        };
        if document.sequence < start {
            continue;
        }
        chunk.bytes += document.bytes.len();
        chunk.position.next = document.sequence + 1;
        chunk.documents.push(document);
        if chunk.documents.len() == BATCH_DOCUMENTS || chunk.bytes >= BATCH_BYTES {
            let next = empty(chunk.number + 1, chunk.position);
            if !send(std::mem::replace(&mut chunk, next)) {
                return;
            }
        }
    }
    chunk.position.complete = true;
    send(chunk);
}

fn prepare(chunks: &Receiver<Chunk>, prepared: &Sender<(u64, io::Result<PreparedChunk>)>, delivered: &Delivered<'_>) {
    for chunk in chunks {
        let events = chunk.documents.iter().flat_map(|document| delivered.prepare(document)).collect();
        let done = PreparedChunk { events, bytes: chunk.bytes, position: chunk.position };
        if prepared.send((chunk.number, Ok(done))).is_err() {
            return;
        }
    }
}

/// What an event counts as, until its receipt says whether it was new.
struct Counted {
    facts: usize,
    mapping: Option<Mapping>,
}

struct Committer<'a> {
    ledger: &'a Ledger,
    pending: Vec<(PendingReceipt, Vec<Counted>)>,
    summary: Summary,
}

impl Committer<'_> {
    fn commit_in_order(
        &mut self,
        prepared: &Receiver<(u64, io::Result<PreparedChunk>)>,
        channel: &str,
        source: &SourceKey,
        room: &Room,
        mut progress: impl FnMut(u64),
    ) -> Result<(), Stopped> {
        let mut early: BTreeMap<u64, io::Result<PreparedChunk>> = BTreeMap::new();
        let mut next = 0;
        for (number, chunk) in prepared {
            early.insert(number, chunk);
            while let Some(chunk) = early.remove(&next) {
                next += 1;
                let chunk = match chunk {
                    Ok(chunk) => chunk,
                    Err(error) => {
                        self.settle(0, &mut progress).map_err(Stopped::Ledger)?;
                        return Err(Stopped::Input(error));
                    }
                };
                let bytes = chunk.bytes;
                self.submit(chunk, channel, source).map_err(Stopped::Ledger)?;
                room.give_back(bytes);
                self.settle(PENDING_BATCHES, &mut progress).map_err(Stopped::Ledger)?;
            }
        }
        self.settle(0, &mut progress).map_err(Stopped::Ledger)
    }

    fn submit(&mut self, chunk: PreparedChunk, channel: &str, source: &SourceKey) -> Result<(), LedgerError> {
        let mut counted = Vec::with_capacity(chunk.events.len());
        let mut events = Vec::with_capacity(chunk.events.len());
        for prepared in chunk.events {
            counted.push(Counted { facts: prepared.facts, mapping: prepared.mapping });
            events.push(prepared.event);
        }
        let positions = vec![(channel.to_owned(), chunk.position)];
        let receipt = self.ledger.submit(Batch { source: source.clone(), events, positions })?;
        self.pending.push((receipt, counted));
        Ok(())
    }

    /// Waits for receipts until at most `left` are outstanding.
    fn settle(&mut self, left: usize, progress: &mut impl FnMut(u64)) -> Result<(), LedgerError> {
        while self.pending.len() > left {
            let (receipt, counted) = self.pending.remove(0);
            for (outcome, counted) in receipt.wait()?.outcomes.iter().zip(&counted) {
                self.count(outcome, counted);
            }
            progress(self.summary.acknowledged());
        }
        Ok(())
    }

    fn count(&mut self, outcome: &Outcome, counted: &Counted) {
        let summary = &mut self.summary;
        match (outcome, counted.mapping) {
            (Outcome::Duplicate(_), _) => summary.duplicates += 1,
            (Outcome::Conflict(_), _) => summary.conflicts += 1,
            (Outcome::Recorded(_), None) => summary.rejected += 1,
            (Outcome::Recorded(_), Some(mapping)) => {
                summary.events += 1;
                summary.facts += counted.facts as u64;
                summary.unmapped += u64::from(mapping == Mapping::Unmapped);
                summary.incomplete += u64::from(mapping == Mapping::Incomplete);
            }
        }
    }
}

impl Summary {
    /// How many events were recorded, rejected or counted.
    pub fn acknowledged(&self) -> u64 {
        self.events + self.duplicates + self.conflicts + self.rejected
    }

    /// Adds another import's counts.
    pub fn add(&mut self, other: &Self) {
        self.events += other.events;
        self.facts += other.facts;
        self.unmapped += other.unmapped;
        self.incomplete += other.incomplete;
        self.duplicates += other.duplicates;
        self.conflicts += other.conflicts;
        self.rejected += other.rejected;
        self.resumed_documents += other.resumed_documents;
    }
}

/// The files that an argument stands for: itself, or, of a folder, every file in it and in the folders in it, in order of
/// their names. A link that leads to a folder that is already listed adds nothing.
///
/// # Errors
/// If a folder cannot be listed, or has something in it that is no file, such as a pipe.
pub fn expand(argument: PathBuf) -> io::Result<Vec<PathBuf>> {
    if !argument.is_dir() {
        return Ok(vec![argument]);
    }
    let (mut files, mut listed) = (Vec::new(), BTreeSet::new());
    list(&argument, &mut files, &mut listed)?;
    files.sort();
    Ok(files)
}

fn list(folder: &Path, files: &mut Vec<PathBuf>, listed: &mut BTreeSet<PathBuf>) -> io::Result<()> {
    if !listed.insert(folder.canonicalize()?) {
        return Ok(());
    }
    for entry in std::fs::read_dir(folder)? {
        let path = entry?.path();
        let about = |error: io::Error| io::Error::new(error.kind(), format!("{}: {error}", path.display()));
        let kind = path.metadata().map_err(about)?;
        if kind.is_dir() {
            list(&path, files, listed)?;
        } else if kind.is_file() {
            files.push(path);
        } else {
            return Err(about(io::Error::other("expected a file or a folder; name a pipe or a device by itself")));
        }
    }
    Ok(())
}
