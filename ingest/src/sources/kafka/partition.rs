//! One partition: how far it was read, and what to do where its messages are not there any more.
//!
//! Owns the comparison of what was read last with what is there now, and the gaps. A broker does not say that a topic was
//! deleted and made anew: so the last message that was read is read again whenever a partition is assigned, and has to be
//! the same. It stops before what is damaged, and says so.

use std::collections::BTreeSet;
use std::io;
use std::sync::Arc;
use std::time::Duration;

use counterfoil_ledger::{ChannelPosition, LastRead};
use counterfoil_proto::v1::{GapReason, SourceGap};
use rdkafka::consumer::base_consumer::PartitionQueue;
use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::message::{BorrowedMessage, Message};
use rdkafka::topic_partition_list::{Offset, TopicPartitionList};

use super::message::{self, sequence};
use super::watch::Watch;
use super::{Environment, Start, Topic};
use crate::json::DigestKey;
use crate::pipeline::{Chunk, Feed};
use crate::prepare::Delivered;

/// How long a broker may take to say which messages it has.
const WATERMARKS_PATIENCE: Duration = Duration::from_secs(10);

/// A partition that is being read.
pub(super) struct Partition<'a> {
    topic: &'a Topic,
    number: i32,
    /// What it is called where something is told of it.
    label: String,
    delivered: Arc<Delivered<'a>>,
    /// Its messages; none while it is not assigned.
    queue: Option<PartitionQueue<Watch>>,
    /// What was handed over; none before anything ever was.
    to: Option<ChannelPosition>,
    /// What was read last has to be read again and be the same, before anything else is read.
    check: Option<LastRead>,
    environment: Environment,
}

/// What there is of a partition.
struct Watermarks {
    /// The first message.
    low: u64,
    /// One past the last one that may be read.
    high: u64,
}

/// What is wrong where something was asked for.
enum Missing {
    /// It is not there.
    Gone,
    /// Something else is there.
    Replaced,
}

/// What filling a chunk came to.
pub(super) enum Filled {
    /// Nothing is there now.
    Nothing,
    /// Messages were handed over.
    Something,
    /// The pipeline takes nothing more.
    Stopped,
}

impl<'a> Partition<'a> {
    /// A partition, and how far the ledger has it.
    pub(super) fn new(
        topic: &'a Topic,
        number: i32,
        delivered: Arc<Delivered<'a>>,
        to: Option<ChannelPosition>,
        environment: Environment,
    ) -> Self {
        let label = format!("{}/{number}", topic.topic);
        Self { topic, number, label, delivered, queue: None, to, check: None, environment }
    }

    /// Its topic, if anything of the partition was read before.
    pub(super) fn known_topic(&self) -> Option<&'a str> {
        self.to.map(|_| self.topic.topic.as_str())
    }

    /// Whether it is being read.
    pub(super) fn is_assigned(&self) -> bool {
        self.queue.is_some()
    }

    /// What it is called where something is told of it.
    pub(super) fn label(&self) -> &str {
        &self.label
    }

    /// Its topic and its number.
    pub(super) fn name(&self) -> (&'a str, i32) {
        (&self.topic.topic, self.number)
    }

    /// The channel of its positions.
    pub(super) fn channel(&self) -> &str {
        &self.delivered.channel
    }

    /// Begins to read where the ledger stands. What is missing there is recorded first. False where the pipeline takes
    /// nothing more.
    pub(super) fn assign(
        &mut self,
        consumer: &Arc<BaseConsumer<Watch>>,
        feed: &mut Feed<'_, 'a>,
        known_topics: &BTreeSet<&str>,
        wake: impl Fn() + Send + Sync + 'static,
    ) -> io::Result<bool> {
        let there = self.watermarks(consumer)?;
        let start = match (self.to, self.topic.start) {
            (Some(to), _) if there.low > to.next => {
                if !self.skip(GapReason::Retention, to.next, there.low, feed) {
                    return Ok(false);
                }
                there.low
            }
            (Some(to), _) => {
                self.check = to.last.filter(|last| last.sequence >= there.low);
                self.check.map_or(to.next, |last| last.sequence)
            }
            (None, start) => {
                let is_later = known_topics.contains(self.topic.topic.as_str());
                let begin = if start == Start::Latest && !is_later { there.high } else { there.low };
                // From here on nothing is left out, also where nothing comes for long.
                let mut chunk = Chunk::new(self.delivered.clone(), 0);
                chunk.to.next = begin;
                self.to = Some(chunk.to);
                if !feed.send(chunk) {
                    return Ok(false);
                }
                begin
            }
        };
        // It may be assigned still, from where it failed.
        let _ = consumer.incremental_unassign(&self.list(None)?);
        self.read_from(start, consumer, wake)?;
        Ok(true)
    }

    /// Hands over what is there, as far as a chunk goes.
    pub(super) fn fill(
        &mut self,
        consumer: &Arc<BaseConsumer<Watch>>,
        feed: &mut Feed<'_, 'a>,
        digest_key: &DigestKey,
        wake: impl Fn() + Send + Sync + 'static,
    ) -> Filled {
        let Some(queue) = self.queue.take() else { return Filled::Nothing };
        let mut chunk = Chunk::new(self.delivered.clone(), self.to.unwrap_or_default().next);
        let mut last: Option<BorrowedMessage<'_>> = None;
        let (mut missing, mut is_damaged) = (None, false);
        while !chunk.is_full() {
            match queue.poll(Duration::ZERO) {
                None => break,
                Some(Ok(message)) => {
                    consumer.context().reads(&self.label);
                    let offset = sequence(message.offset());
                    match self.check.take_if(|check| check.sequence <= offset) {
                        Some(check) if check.sequence == offset => {
                            if message::digest(&message, digest_key) != check.digest {
                                missing = Some(Missing::Replaced);
                                break;
                            }
                            continue;
                        }
                        _ => {}
                    }
                    chunk.push(message::document(&message, &self.topic.format, (self.environment.now)()));
                    chunk.to.next = offset + 1;
                    last = Some(message);
                }
                Some(Err(KafkaError::PartitionEOF(_))) => {
                    consumer.context().reads(&self.label);
                    // It ends where the message should be that was read last.
                    if self.check.is_some() {
                        missing = Some(Missing::Gone);
                        break;
                    }
                }
                Some(Err(KafkaError::MessageConsumption(RDKafkaErrorCode::AutoOffsetReset))) => {
                    missing = Some(Missing::Gone);
                    break;
                }
                Some(Err(KafkaError::MessageConsumption(
                    RDKafkaErrorCode::BadMessage | RDKafkaErrorCode::BadCompression,
                ))) => {
                    is_damaged = true;
                    break;
                }
                Some(Err(error)) => consumer.context().fails(&self.label, &format!("{}: {error}", self.label)),
            }
        }
        let mut filled = Filled::Nothing;
        if let Some(last) = last {
            let digest = message::digest(&last, digest_key);
            chunk.to.last = Some(LastRead { sequence: sequence(last.offset()), digest });
            self.to = Some(chunk.to);
            filled = if feed.send(chunk) { Filled::Something } else { Filled::Stopped };
        }
        match missing {
            None if is_damaged => {
                drop(queue);
                self.stop_at_damage(consumer);
            }
            None => self.queue = Some(queue),
            Some(missing) => {
                drop(queue);
                match self.recover(missing, consumer, feed, wake) {
                    Ok(true) => {}
                    Ok(false) => filled = Filled::Stopped,
                    // The others go on; it is tried again at the next look.
                    Err(error) => consumer.context().fails(&self.label, &format!("{}: {error}", self.label)),
                }
            }
        }
        filled
    }

    /// Reads nothing more until it is assigned again at the next look: what is damaged may have been damaged on its way, and
    /// nothing behind it is taken before it.
    fn stop_at_damage(&self, consumer: &BaseConsumer<Watch>) {
        let next = self.to.unwrap_or_default().next;
        let what = format!("{}: what is there from offset {next} on is damaged: nothing behind it is read", self.label);
        consumer.context().fails(&self.label, &what);
        if let Err(error) = self.list(None).and_then(|list| consumer.incremental_unassign(&list).map_err(failed)) {
            consumer.context().fails(&self.label, &format!("{}: {error}", self.label));
        }
    }

    /// Goes on where there is something, after a broker had not what was asked for, or had something else. False where the
    /// pipeline takes nothing more.
    fn recover(
        &mut self,
        missing: Missing,
        consumer: &Arc<BaseConsumer<Watch>>,
        feed: &mut Feed<'_, 'a>,
        wake: impl Fn() + Send + Sync + 'static,
    ) -> io::Result<bool> {
        let Watermarks { low, high } = self.watermarks(consumer)?;
        let next = self.to.unwrap_or_default().next;
        // What is there at least: up to what is to be read again, or up to what comes next.
        let check = self.check.take();
        let (asked, end) = check.map_or((next, next), |check| (check.sequence, check.sequence + 1));
        let (reason, goes_on) = match missing {
            Missing::Replaced => (Some(GapReason::Recreated), low),
            Missing::Gone if low > next => (Some(GapReason::Retention), low),
            // What is gone was read already: it cannot be compared any more.
            Missing::Gone if low > asked => (None, next),
            Missing::Gone if end > high => (Some(GapReason::Truncated), low),
            Missing::Gone => {
                self.check = check;
                (None, asked)
            }
        };
        if let Some(reason) = reason
            && !self.skip(reason, next, low, feed)
        {
            return Ok(false);
        }
        consumer.incremental_unassign(&self.list(None)?).map_err(failed)?;
        self.read_from(goes_on, consumer, wake)?;
        Ok(true)
    }

    /// Records that something will never be read. False where the pipeline takes nothing more.
    fn skip(&mut self, reason: GapReason, from: u64, to: u64, feed: &mut Feed<'_, 'a>) -> bool {
        let Topic { topic, .. } = self.topic;
        let reason_name = reason.as_str_name();
        tracing::warn!(topic, partition = self.number, from, to, reason_name, "messages will never be read");
        let mut chunk = Chunk::new(self.delivered.clone(), from);
        let gap = SourceGap { from, to, reason: reason.into() };
        chunk.before.push(self.delivered.gap(gap, &(self.environment.entropy)()));
        chunk.to.next = to;
        self.to = Some(chunk.to);
        // Positions may come again with other messages: nothing derives from the same randomness twice.
        Arc::make_mut(&mut self.delivered).seed_secret = (self.environment.entropy)();
        feed.send(chunk)
    }

    fn read_from(
        &mut self,
        start: u64,
        consumer: &Arc<BaseConsumer<Watch>>,
        wake: impl Fn() + Send + Sync + 'static,
    ) -> io::Result<()> {
        // Before it is assigned: nothing of it may come by another way.
        let queue = consumer.split_partition_queue(&self.topic.topic, self.number);
        let mut queue = queue.ok_or_else(|| io::Error::other("librdkafka has no queue for a partition"))?;
        queue.set_nonempty_callback(wake);
        consumer.incremental_assign(&self.list(Some(start))?).map_err(failed)?;
        self.queue = Some(queue);
        Ok(())
    }

    fn list(&self, start: Option<u64>) -> io::Result<TopicPartitionList> {
        let mut list = TopicPartitionList::new();
        match start {
            None => drop(list.add_partition(&self.topic.topic, self.number)),
            Some(start) => {
                let offset = Offset::Offset(i64::try_from(start).map_err(io::Error::other)?);
                list.add_partition_offset(&self.topic.topic, self.number, offset).map_err(failed)?;
            }
        }
        Ok(list)
    }

    fn watermarks(&self, consumer: &BaseConsumer<Watch>) -> io::Result<Watermarks> {
        let found = consumer.fetch_watermarks(&self.topic.topic, self.number, WATERMARKS_PATIENCE);
        let (low, high) = found.map_err(failed)?;
        Ok(Watermarks { low: sequence(low), high: sequence(high) })
    }
}

/// An error of librdkafka as one of the source.
pub(super) fn failed(error: KafkaError) -> io::Error {
    io::Error::other(error)
}
