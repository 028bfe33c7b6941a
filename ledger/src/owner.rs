//! The owner: the one thread that appends. Everything else reads.
//!
//! Owns the head of the log: its size, its right edge, the last leaf hash and the last time. A batch goes through
//! *number → commit → (remove, what it redacts) → sign → anchor → acknowledge → derive*. The commit is the point of no
//! return: from then on the records exist, and a crash before the acknowledgement leaves them there. If anything fails, the
//! owner takes no more appends, since only a restart, which runs the same checks as ever, can tell what became durable. A full
//! disk is the exception (`condition` says why): the owner waits for room, and goes on by the same checks (`room`).
//!
//! A seal is a record of the owner's own: it stands at the end of a commit, or makes one by itself. When that is, `sealing`
//! says; what it says, `coverage`, which takes it like any other record, and so compares it before it is written.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use counterfoil_proto::v1::{Position, Seal};
use counterfoil_verify::checkpoint::{Checkpoint, Origin};
use counterfoil_verify::hash::LeafHash;
use counterfoil_verify::note::SigningKey;
use counterfoil_verify::record::{self, RecordTail};
use counterfoil_verify::time::RecordedAt;
use counterfoil_verify::tree::{Frontier, RecordIndex, SubtreeRoot};
use rocksdb::WriteBatch;
use tokio::sync::{mpsc, oneshot, watch};

use crate::anchor::Anchor;
use crate::append::{Advance, Batch, ContentDigest, EventKey, Outcome, PreparedEvent, Receipt, SourceKey};
use crate::clock::{self, Clock, Reading};
use crate::condition::Condition;
use crate::coverage::Coverage;
use crate::derive;
use crate::error::{LedgerError, Result};
use crate::failpoint::{Point, reach};
use crate::measure::Stopwatch;
use crate::read::{Published, Reader, count_bytes, count_key, position_bytes};
use crate::redaction;
use crate::removals::Removals;
use crate::sealing::{Schedule, Turn};
use crate::store::{self, BESIDE, CLOCK, EDGE, EVENTS, FLUSH_RECORDS_MAX, RECORDS, VALUE_FORMAT, cf};

/// The most events that one commit takes in, and the most bytes.
const COMMIT_EVENTS_MAX: usize = 8_192;
const COMMIT_BYTES_MAX: usize = 16 << 20;

/// A batch to append, and where its receipt goes.
pub(crate) type Pending = (Batch, oneshot::Sender<Result<Receipt>>);

/// The state that only the owner thread has.
pub(crate) struct Owner {
    pub(crate) reader: Reader,
    /// Held from before anything is written until the head of it is published: a backup is made of nothing in between.
    pub(crate) commits: Arc<Mutex<()>>,
    pub(crate) anchor: Anchor,
    pub(crate) removals: Removals,
    pub(crate) key: SigningKey,
    pub(crate) origin: Origin,
    pub(crate) clock: Box<dyn Clock>,
    pub(crate) frontier: Frontier,
    pub(crate) last_leaf: LeafHash,
    pub(crate) last_time: RecordedAt,
    /// At the last append; none before the first one, and where an operator has confirmed the clock since.
    pub(crate) last_reading: Option<Reading>,
    pub(crate) is_clock_accepted: bool,
    pub(crate) unflushed: u64,
    pub(crate) coverage: Coverage,
    pub(crate) schedule: Schedule,
    pub(crate) condition: watch::Sender<Condition>,
}

/// A commit in the making.
struct Commit {
    log: WriteBatch,
    derived: WriteBatch,
    /// Every new record's bytes and leaf hash, to be hashed once more before anything is signed.
    records: Vec<(Vec<u8>, LeafHash)>,
    redactions: Vec<RecordIndex>,
    settled: Vec<Settled>,
}

/// A record without a place yet, with what lies beside it, and what it says where it is a seal.
struct Row<'a> {
    tail: &'a RecordTail,
    beside: Option<&'a [u8]>,
    seal: Option<&'a Seal>,
}

/// What became of the events of a batch, and the leaf hashes of what is new.
#[derive(Default)]
struct Settled {
    outcomes: Vec<Outcome>,
    leaves: Vec<Option<LeafHash>>,
}

impl Owner {
    /// Serves appends until the ledger is closed, and those that were handed over before.
    pub(crate) fn run(mut self, queue: &mut mpsc::Receiver<Pending>) {
        while let Some(turn) = self.schedule.next(queue) {
            match (turn, self.refusal()) {
                // The asker may have gone; there is nobody else to tell.
                (Turn::Append((_, reply)), Some(refusal)) => drop(reply.send(Err(refusal))),
                (Turn::Append(first), None) => {
                    let group = self.in_order(gather(first, queue));
                    self.turn(group, self.schedule.is_due());
                }
                (Turn::Seal, _) => self.turn(Vec::new(), true),
            }
            self.wait_for_room(queue);
        }
        if self.schedule.seals_at_the_end() && self.refusal().is_none() {
            self.turn(Vec::new(), true);
        }
        // What is not flushed is rebuilt at the next open.
        let _ = self.reader.derived().flush();
    }

    fn refusal(&self) -> Option<LedgerError> {
        self.condition.borrow().refusal()
    }

    /// Commits a group of batches, seals if that is due, and tells each what became of it.
    fn turn(&mut self, group: Vec<Pending>, is_seal_due: bool) {
        let commits = self.commits.clone();
        let on_its_way = commits.lock().unwrap_or_else(PoisonError::into_inner);
        let committed = self.commit(&group, is_seal_due);
        if let Err(error) = &committed {
            // First, so that whoever is told finds it so, and nobody backs up a log whose head is behind it.
            self.stands(Condition::after(error));
        }
        drop(on_its_way);
        match committed {
            Ok((receipts, derived)) => {
                for ((_, reply), receipt) in group.into_iter().zip(receipts) {
                    let _ = reply.send(Ok(receipt));
                }
                if let Err(error) = self.write_derived(derived) {
                    self.stands(Condition::after(&error));
                }
            }
            Err(error) => {
                let mut told = Condition::after(&error).passing().unwrap_or(error);
                for (_, reply) in group {
                    let others = told.shared();
                    let _ = reply.send(Err(std::mem::replace(&mut told, others)));
                }
            }
        }
        let is_open = self.refusal().is_none();
        self.schedule.committed(is_open && !self.coverage.is_sealed());
    }

    /// Tells in which condition the ledger is.
    pub(crate) fn stands(&self, condition: Condition) {
        self.condition.send_if_modified(|known| {
            let is_new = *known != condition;
            *known = condition;
            is_new
        });
    }

    /// Refuses the batches of a group that do not go on where the ledger stands in their channels, and redactions that name
    /// what never was: they could not be carried out.
    fn in_order(&self, group: Vec<Pending>) -> Vec<Pending> {
        let mut stands: HashMap<String, u64> = HashMap::new();
        let mut taken = Vec::with_capacity(group.len());
        for (batch, reply) in group {
            let redactions = batch.events.iter().filter_map(|event| event.redaction.as_ref());
            let are_possible =
                redactions.map(|said| redaction::check(self.reader.log(), said)).collect::<Result<Vec<()>>>();
            match are_possible.and_then(|_| self.follow(&batch.positions, &mut stands)) {
                Ok(()) => taken.push((batch, reply)),
                // The asker may have gone; there is nobody else to tell.
                Err(error) => drop(reply.send(Err(error))),
            }
        }
        taken
    }

    fn follow(&self, positions: &[Advance], stands: &mut HashMap<String, u64>) -> Result<()> {
        let stored = |channel: &str| -> Result<u64> { Ok(self.reader.position(channel)?.unwrap_or_default().next) };
        for Advance { channel, from, .. } in positions {
            let stands = stands.get(channel).map_or_else(|| stored(channel), |next| Ok(*next))?;
            if stands != *from {
                return Err(LedgerError::OutOfOrder { channel: channel.clone(), stands, from: *from });
            }
        }
        stands.extend(positions.iter().map(|Advance { channel, to, .. }| (channel.clone(), to.next)));
        Ok(())
    }

    fn commit(&mut self, group: &[Pending], is_seal_due: bool) -> Result<(Vec<Receipt>, WriteBatch)> {
        let mut stopwatch = Stopwatch::start();
        let reading = self.clock.read();
        let now = clock::next_time(&reading, self.last_reading.as_ref(), self.last_time, self.is_clock_accepted)?;
        let frontier_before = self.frontier.clone();
        let mut commit = self.number(group, now, is_seal_due)?;
        if commit.records.is_empty()
            && group.iter().all(|(batch, _)| batch.events.is_empty() && batch.positions.is_empty())
        {
            return Ok((self.receipts(commit.settled), commit.derived));
        }
        commit.log.put(EDGE, store::edge_value(&self.frontier));
        commit.log.put(CLOCK, clock_value(&reading));
        self.put_positions_and_counts(group, &mut commit)?;

        let bytes = commit.log.size_in_bytes();
        stopwatch.numbered();
        reach(Point::BeforeBatch)?;
        self.reader.log().write_synced(commit.log)?;
        reach(Point::AfterBatch)?;
        stopwatch.synced();
        self.last_reading = Some(reading);
        if !commit.records.is_empty() {
            self.last_time = now;
            // Hashed twice before anything is signed: one bit flipped in memory would end the log for good.
            let mut again = frontier_before;
            for (bytes, leaf) in &commit.records {
                let leaf_again = record::hash(bytes);
                if leaf_again != *leaf {
                    return Err(LedgerError::falsified("memory", "a record changed between hashing and writing"));
                }
                again.append(leaf_again, |_| ());
            }
            if again != self.frontier {
                return Err(LedgerError::falsified("memory", "the right edge changed while it was written"));
            }
            if !commit.redactions.is_empty() {
                reach(Point::BeforeRemoval)?;
                redaction::apply(self.reader.log(), &commit.redactions)?;
                self.removals.add(&self.anchor, self.reader.log(), &commit.redactions)?;
            }
            self.sign_and_publish()?;
            stopwatch.anchored();
        }
        stopwatch.done(commit.records.len(), bytes);
        self.unflushed += commit.records.len() as u64;
        reach(Point::BeforeAcknowledge)?;
        Ok((self.receipts(commit.settled), commit.derived))
    }

    /// Signs the head, moves the anchor to it, and lets readers see it: in this order.
    pub(crate) fn sign_and_publish(&mut self) -> Result<()> {
        reach(Point::BeforeSign)?;
        let checkpoint =
            Checkpoint { origin: self.origin.clone(), size: self.frontier.size(), root: self.frontier.root() };
        let note =
            checkpoint.sign(&self.key).map_err(|error| LedgerError::falsified("the checkpoint", error))?.format();
        reach(Point::BeforeAnchor)?;
        self.anchor.swap(note.clone())?;
        reach(Point::AfterAnchor)?;
        let Checkpoint { size, root, .. } = checkpoint;
        let (last, sealed) = (self.last_leaf, self.coverage.sealed());
        self.reader.publish(Published { size, root, last, note: Arc::from(note), sealed });
        Ok(())
    }

    fn receipts(&self, settled: Vec<Settled>) -> Vec<Receipt> {
        let size = self.frontier.size();
        settled.into_iter().map(|Settled { outcomes, leaves }| Receipt { outcomes, leaves, size }).collect()
    }

    /// Decides what is new, and gives every new record its place, and a seal behind them if it is due.
    fn number(&mut self, group: &[Pending], now: RecordedAt, is_seal_due: bool) -> Result<Commit> {
        let events: Vec<&PreparedEvent> = group.iter().flat_map(|(batch, _)| &batch.events).collect();
        let mut known = self.look_up(&events)?;
        let mut commit = Commit {
            log: WriteBatch::default(),
            derived: WriteBatch::default(),
            records: Vec::with_capacity(events.len()),
            redactions: Vec::new(),
            settled: Vec::with_capacity(group.len()),
        };
        let mut nodes = Vec::new();
        let mut fresh: Vec<(EventKey, RecordIndex, ContentDigest)> = Vec::with_capacity(events.len());
        for (batch, _) in group {
            let count = batch.events.len();
            let mut settled = Settled { outcomes: Vec::with_capacity(count), leaves: Vec::with_capacity(count) };
            for event in &batch.events {
                let first = commit.records.len();
                let outcome = match known.get(&event.key).copied() {
                    None => {
                        let index = RecordIndex(self.frontier.size().0);
                        for (part, tail) in event.tails.iter().enumerate() {
                            let beside = event.beside.as_deref().filter(|_| part == 0);
                            self.place(&mut commit, &mut nodes, Row { tail, beside, seal: None }, now)?;
                        }
                        known.insert(event.key, (index, event.content));
                        fresh.push((event.key, index, event.content));
                        commit.redactions.extend(event.redaction.iter().map(|_| index));
                        Outcome::Recorded(index)
                    }
                    Some((index, content)) if content == event.content => Outcome::Duplicate(index),
                    Some((known_first, _)) => {
                        let key = event.key.conflict(&event.content);
                        match self.known_conflict(&known, &key)? {
                            Some(index) => Outcome::Duplicate(index),
                            None => {
                                let index = RecordIndex(self.frontier.size().0);
                                let tail = event.tails[0].conflict_with(known_first);
                                let row = Row { tail: &tail, beside: event.beside.as_deref(), seal: None };
                                self.place(&mut commit, &mut nodes, row, now)?;
                                known.insert(key, (index, event.content));
                                fresh.push((key, index, event.content));
                                Outcome::Conflict(index)
                            }
                        }
                    }
                };
                settled.outcomes.push(outcome);
                settled.leaves.push(commit.records.get(first).map(|(_, leaf)| *leaf));
            }
            commit.settled.push(settled);
        }
        let advances = group.iter().flat_map(|(batch, _)| &batch.positions);
        advances.for_each(|advance| self.coverage.moves(advance.channel.clone()));
        if self.schedule.seals(is_seal_due, self.coverage.waiting()) && !self.coverage.is_sealed() {
            self.seal(group, &mut commit, &mut nodes, now)?;
        }
        let (derived, size) = (self.reader.derived(), self.frontier.size());
        derive::put(derived, &mut commit.derived, fresh, &commit.redactions, &nodes, size);
        self.coverage.put(self.reader.derived(), &mut commit.derived)?;
        Ok(commit)
    }

    /// Seals all records so far. Of duplicates it says how many there were before this commit.
    fn seal(
        &mut self,
        group: &[Pending],
        commit: &mut Commit,
        nodes: &mut Vec<SubtreeRoot>,
        now: RecordedAt,
    ) -> Result<()> {
        let advances = group.iter().flat_map(|(batch, _)| &batch.positions);
        let reached: HashMap<&str, u64> = advances.map(|advance| (advance.channel.as_str(), advance.to.next)).collect();
        let mut next = Vec::new();
        for channel in self.coverage.moved().cloned() {
            let sequence = match reached.get(channel.as_str()) {
                Some(sequence) => *sequence,
                None => self.reader.position(&channel)?.unwrap_or_default().next,
            };
            next.push(Position { channel, sequence });
        }
        let duplicates = self.reader.duplicates()?;
        for seal in self.coverage.seals(self.reader.derived(), &duplicates, next)? {
            let tail = RecordTail::of_seal(seal.clone()).map_err(|error| LedgerError::falsified("a seal", error))?;
            self.place(commit, nodes, Row { tail: &tail, beside: None, seal: Some(&seal) }, now)?;
        }
        Ok(())
    }

    /// Gives one record its place: encodes, hashes and chains it.
    fn place(
        &mut self,
        commit: &mut Commit,
        nodes: &mut Vec<SubtreeRoot>,
        Row { tail, beside, seal }: Row<'_>,
        now: RecordedAt,
    ) -> Result<()> {
        let index = RecordIndex(self.frontier.size().0);
        let bytes = tail.at(index, self.last_leaf, now);
        let leaf = record::hash(&bytes);
        self.coverage.take(self.reader.derived(), (index, leaf), tail.share(), seal)?;
        self.frontier.append(leaf, |node| {
            if derive::is_stored(&node) {
                nodes.push(node);
            }
        });
        self.last_leaf = leaf;
        let log = &self.reader.log().0;
        commit.log.put_cf(cf(log, RECORDS), index.0.to_be_bytes(), &bytes);
        if let Some(beside) = beside {
            commit.log.put_cf(cf(log, BESIDE), index.0.to_be_bytes(), beside);
        }
        commit.records.push((bytes, leaf));
        Ok(())
    }

    /// What is known of the events of a group: one sorted read of the derived data.
    fn look_up(&self, events: &[&PreparedEvent]) -> Result<HashMap<EventKey, (RecordIndex, ContentDigest)>> {
        let mut keys: Vec<EventKey> = events.iter().map(|event| event.key).collect();
        keys.sort_unstable();
        keys.dedup();
        let mut known = HashMap::with_capacity(keys.len());
        let derived = &self.reader.derived().0;
        let values = derived.batched_multi_get_cf(cf(derived, EVENTS), keys.iter().map(|key| &key.0), true);
        for (key, value) in keys.iter().zip(values) {
            if let Some(value) = value? {
                known.insert(*key, derive::event_value(&value)?);
            }
        }
        Ok(known)
    }

    fn known_conflict(
        &self,
        known: &HashMap<EventKey, (RecordIndex, ContentDigest)>,
        key: &EventKey,
    ) -> Result<Option<RecordIndex>> {
        if let Some((index, _)) = known.get(key) {
            return Ok(Some(*index));
        }
        self.reader.known(key)
    }

    fn put_positions_and_counts(&self, group: &[Pending], commit: &mut Commit) -> Result<()> {
        let mut duplicates: HashMap<SourceKey, u64> = HashMap::new();
        for ((batch, _), Settled { outcomes, .. }) in group.iter().zip(&commit.settled) {
            for Advance { channel, to, .. } in &batch.positions {
                commit.log.put(store::position_key(channel), position_bytes(to));
            }
            let known =
                batch.events.iter().zip(outcomes).filter(|(_, outcome)| matches!(outcome, Outcome::Duplicate(_)));
            for source in known.filter_map(|(event, _)| event.source()) {
                *duplicates.entry(source).or_default() += 1;
            }
        }
        for (source, count) in duplicates {
            let key = count_key(&source);
            let before = self.reader.duplicates_of(&key)?;
            commit.log.put(key, count_bytes(before + count));
        }
        Ok(())
    }

    fn write_derived(&mut self, batch: WriteBatch) -> Result<()> {
        self.reader.derived().write(batch)?;
        if self.unflushed >= FLUSH_RECORDS_MAX {
            self.reader.derived().flush()?;
            self.unflushed = 0;
        }
        Ok(())
    }
}

/// Takes in what has queued up behind the first batch, up to the limits of one commit: batches form while the commit
/// before them syncs.
fn gather(first: Pending, queue: &mut mpsc::Receiver<Pending>) -> Vec<Pending> {
    let mut events = first.0.events.len();
    let mut bytes: usize = first.0.events.iter().map(PreparedEvent::size).sum();
    let mut group = vec![first];
    while events < COMMIT_EVENTS_MAX
        && bytes < COMMIT_BYTES_MAX
        && let Ok((batch, reply)) = queue.try_recv()
    {
        events += batch.events.len();
        bytes += batch.events.iter().map(PreparedEvent::size).sum::<usize>();
        group.push((batch, reply));
    }
    group
}

fn clock_value(reading: &Reading) -> Vec<u8> {
    let mut value = vec![VALUE_FORMAT];
    value.extend_from_slice(&reading.wall.seconds.to_be_bytes());
    value.extend_from_slice(&reading.since_boot.to_be_bytes());
    value.extend_from_slice(reading.boot_id.as_bytes());
    value
}

/// Reads what [`clock_value`] wrote; a value of another form is as good as none.
pub(crate) fn read_clock_value(value: &[u8]) -> Option<Reading> {
    let [VALUE_FORMAT, rest @ ..] = value else { return None };
    let (wall, rest) = rest.split_first_chunk::<8>()?;
    let (since_boot, boot_id) = rest.split_first_chunk::<8>()?;
    Some(Reading {
        wall: counterfoil_verify::time::Moment { seconds: i64::from_be_bytes(*wall), nanos: 0 },
        since_boot: i64::from_be_bytes(*since_boot),
        boot_id: String::from_utf8(boot_id.to_vec()).ok()?,
    })
}
