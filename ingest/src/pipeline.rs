//! The pipeline: documents in the order of their sources, prepared by several threads, into the ledger in that order.
//!
//! Owns the threads between a source and the ledger, and how much is on its way between them. A batch carries the position
//! that it brings its channel to, so that whoever reads on later starts where the ledger stands. It opens no source: files
//! and Kafka feed it.

use std::collections::BTreeMap;
use std::io;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Condvar, Mutex, PoisonError};

use counterfoil_ledger::{Advance, Batch, ChannelPosition, Ledger, LedgerError, Outcome, PendingReceipt};
use counterfoil_proto::v1::Mapping;
use crossbeam_channel::{Receiver, Sender, bounded};

use crate::prepare::{Delivered, Document, Made, Prepared};

/// Documents in a batch, and bytes after which it is closed early.
const BATCH_DOCUMENTS: usize = 1_000;
const BATCH_BYTES: usize = 2 << 20;
/// Batches that are handed over and not acknowledged yet.
const PENDING_BATCHES: usize = 6;
/// Bytes of documents that are read and not handed over yet. One document may be larger than this by itself.
const IN_FLIGHT_BYTES_MAX: usize = 32 << 20;

/// Documents on their way to be prepared: one batch of the ledger.
pub(crate) struct Chunk<'a> {
    /// What is the same for all documents of their channel.
    pub(crate) delivered: Arc<Delivered<'a>>,
    /// What is recorded before them.
    pub(crate) before: Vec<Prepared>,
    documents: Vec<Document>,
    bytes: usize,
    /// Where the channel stands before them, and behind them.
    pub(crate) from: u64,
    pub(crate) to: ChannelPosition,
}

impl<'a> Chunk<'a> {
    /// One without documents, of a channel that stands there.
    pub(crate) fn new(delivered: Arc<Delivered<'a>>, from: u64) -> Self {
        let to = ChannelPosition { next: from, ..ChannelPosition::default() };
        Self { delivered, before: Vec::new(), documents: Vec::new(), bytes: 0, from, to }
    }

    pub(crate) fn push(&mut self, document: Document) {
        self.bytes += document.bytes.len() + document.envelope.as_ref().map_or(0, String::len);
        self.documents.push(document);
    }

    /// Whether it is as large as a batch is to be.
    pub(crate) fn is_full(&self) -> bool {
        self.documents.len() >= BATCH_DOCUMENTS || self.bytes >= BATCH_BYTES
    }
}

/// The way in for whoever reads a source.
pub(crate) struct Feed<'p, 'a> {
    number: u64,
    chunks: Sender<(u64, Chunk<'a>)>,
    room: &'p Room,
    stop: &'p AtomicBool,
}

impl<'a> Feed<'_, 'a> {
    /// Hands over a chunk, once there is room. False where nothing is taken any more.
    pub(crate) fn send(&mut self, chunk: Chunk<'a>) -> bool {
        self.room.take(chunk.bytes);
        let number = self.number;
        self.number += 1;
        !self.is_stopped() && self.chunks.send((number, chunk)).is_ok()
    }

    /// Whether nothing is taken any more.
    pub(crate) fn is_stopped(&self) -> bool {
        self.stop.load(Ordering::Relaxed)
    }
}

/// A batch that is durable, signed and anchored.
pub(crate) struct Acknowledged<'r> {
    pub(crate) delivered: &'r Delivered<'r>,
    /// Where its channel goes on.
    pub(crate) to: ChannelPosition,
    /// What its events came to.
    pub(crate) counts: Summary,
}

/// Why the pipeline stopped. What was acknowledged before stays.
pub(crate) enum Stopped {
    /// The source cannot be read.
    Input(io::Error),
    /// The ledger does not take it.
    Ledger(LedgerError),
}

/// What events came to.
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
    /// Stretches that will never be read, each recorded.
    pub gaps: u64,
    /// Documents that an earlier, interrupted import had done.
    pub resumed_documents: u64,
}

/// Runs the pipeline until `read` has fed it everything, or something fails. What was read before a source failed is
/// committed.
pub(crate) fn run<'a>(
    ledger: &Ledger,
    threads: usize,
    read: impl FnOnce(&mut Feed<'_, 'a>) -> io::Result<()> + Send,
    acknowledged: &mut dyn FnMut(Acknowledged<'_>),
) -> Result<(), Stopped> {
    let threads = threads.max(1);
    let (stop, room) = (AtomicBool::new(false), Room::default());
    let (chunks, to_prepare) = bounded::<(u64, Chunk<'a>)>(threads * 2);
    let (prepared, to_commit) = bounded::<(u64, PreparedChunk<'a>)>(threads * 2);
    let (committed, receipts) = bounded::<Result<Pending<'a>, LedgerError>>(PENDING_BATCHES);
    std::thread::scope(|scope| {
        let (room, stop) = (&room, &stop);
        let reading = scope.spawn(move || read(&mut Feed { number: 0, chunks, room, stop }));
        for _ in 0..threads {
            let (to_prepare, prepared) = (to_prepare.clone(), prepared.clone());
            scope.spawn(move || {
                let _guard = Guard { room, stop };
                prepare(&to_prepare, &prepared);
            });
        }
        drop((prepared, to_prepare));
        scope.spawn(move || commit_in_order(ledger, &to_commit, &committed, room));
        let settled = receipts.iter().try_for_each(|pending| pending?.settle(acknowledged));
        if settled.is_err() {
            stop.store(true, Ordering::Relaxed);
            room.open();
            // What is still on its way is taken off the hands of the other threads, so that they end.
            receipts.iter().for_each(drop);
        }
        let read = reading.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic));
        settled.map_err(Stopped::Ledger).and(read.map_err(Stopped::Input))
    })
}

/// Stops the pipeline where one of its threads panics: nobody waits for what it had.
struct Guard<'p> {
    room: &'p Room,
    stop: &'p AtomicBool,
}

impl Drop for Guard<'_> {
    fn drop(&mut self) {
        if std::thread::panicking() {
            self.stop.store(true, Ordering::Relaxed);
            self.room.open();
        }
    }
}

/// Events on their way to the ledger.
struct PreparedChunk<'a> {
    delivered: Arc<Delivered<'a>>,
    events: Vec<Prepared>,
    /// Of the documents that they came from.
    bytes: usize,
    from: u64,
    to: ChannelPosition,
}

fn prepare<'a>(chunks: &Receiver<(u64, Chunk<'a>)>, prepared: &Sender<(u64, PreparedChunk<'a>)>) {
    for (number, chunk) in chunks {
        let Chunk { delivered, before: mut events, documents, bytes, from, to } = chunk;
        events.extend(documents.iter().flat_map(|document| delivered.prepare(document)));
        if prepared.send((number, PreparedChunk { delivered, events, bytes, from, to })).is_err() {
            return;
        }
    }
}

/// Hands prepared chunks to the ledger in the order in which they were read.
fn commit_in_order<'a>(
    ledger: &Ledger,
    prepared: &Receiver<(u64, PreparedChunk<'a>)>,
    committed: &Sender<Result<Pending<'a>, LedgerError>>,
    room: &Room,
) {
    let mut early: BTreeMap<u64, PreparedChunk<'a>> = BTreeMap::new();
    let mut next = 0;
    for (number, chunk) in prepared {
        early.insert(number, chunk);
        while let Some(chunk) = early.remove(&next) {
            next += 1;
            let bytes = chunk.bytes;
            // Whoever settles ends the pipeline at the first failure, and takes the rest without looking.
            let _ = committed.send(Pending::submit(ledger, chunk));
            room.give_back(bytes);
        }
    }
}

/// A batch that the ledger has, until its receipt is there.
struct Pending<'a> {
    delivered: Arc<Delivered<'a>>,
    to: ChannelPosition,
    receipt: PendingReceipt,
    counted: Vec<Counted>,
}

/// What an event counts as, until its receipt says whether it was new.
struct Counted {
    facts: usize,
    made: Made,
}

impl<'a> Pending<'a> {
    fn submit(ledger: &Ledger, chunk: PreparedChunk<'a>) -> Result<Self, LedgerError> {
        let PreparedChunk { delivered, events: prepared, from, to, .. } = chunk;
        let mut counted = Vec::with_capacity(prepared.len());
        let mut events = Vec::with_capacity(prepared.len());
        for prepared in prepared {
            counted.push(Counted { facts: prepared.facts, made: prepared.made });
            events.push(prepared.event);
        }
        let positions = vec![Advance { channel: delivered.channel.clone(), from, to }];
        let receipt = ledger.submit(Batch { events, positions })?;
        Ok(Self { delivered, to, receipt, counted })
    }

    fn settle(self, acknowledged: &mut dyn FnMut(Acknowledged<'_>)) -> Result<(), LedgerError> {
        let mut counts = Summary::default();
        for (outcome, counted) in self.receipt.wait()?.outcomes.iter().zip(&self.counted) {
            counts.count(outcome, counted);
        }
        acknowledged(Acknowledged { delivered: &self.delivered, to: self.to, counts });
        Ok(())
    }
}

impl Summary {
    fn count(&mut self, outcome: &Outcome, counted: &Counted) {
        match (outcome, counted.made) {
            (Outcome::Duplicate(_), _) => self.duplicates += 1,
            (Outcome::Conflict(_), _) => self.conflicts += 1,
            (Outcome::Recorded(_), Made::Rejected(_)) => self.rejected += 1,
            (Outcome::Recorded(_), Made::Gap) => self.gaps += 1,
            (Outcome::Recorded(_), Made::Event(mapping)) => {
                self.events += 1;
                self.facts += counted.facts as u64;
                self.unmapped += u64::from(mapping == Mapping::Unmapped);
                self.incomplete += u64::from(mapping == Mapping::Incomplete);
            }
        }
    }

    /// How many events were recorded, rejected or counted.
    pub fn acknowledged(&self) -> u64 {
        self.events + self.duplicates + self.conflicts + self.rejected
    }

    /// Adds what others came to.
    pub fn add(&mut self, other: &Self) {
        self.events += other.events;
        self.facts += other.facts;
        self.unmapped += other.unmapped;
        self.incomplete += other.incomplete;
        self.duplicates += other.duplicates;
        self.conflicts += other.conflicts;
        self.rejected += other.rejected;
        self.gaps += other.gaps;
        self.resumed_documents += other.resumed_documents;
    }
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
