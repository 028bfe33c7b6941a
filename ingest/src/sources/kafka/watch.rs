//! What librdkafka tells about a cluster besides messages: errors, logs, and how far behind the partitions are.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use rdkafka::client::ClientContext;
use rdkafka::config::RDKafkaLogLevel;
use rdkafka::consumer::ConsumerContext;
use rdkafka::error::{KafkaError, KafkaResult, RDKafkaErrorCode};
use rdkafka::statistics::{Partition, Statistics};
use rdkafka::topic_partition_list::TopicPartitionList;

/// How many kinds of failures of one thing are told until all is well with it again.
const TOLD_MAX: usize = 16;
/// What is wrong with a cluster as a whole; partitions and topics are named.
pub(super) const CLUSTER: &str = "the cluster";

/// What is wrong with a cluster, its topics and its partitions, so that each of it is told once, however often it is tried
/// again. What is well with one of them says nothing of another.
pub(super) struct Troubles {
    cluster: String,
    /// What was told, by what it is about.
    told: Mutex<BTreeMap<String, BTreeSet<String>>>,
    /// Something was: who reads need not look.
    are_some: AtomicBool,
}

impl Troubles {
    pub(super) fn new(cluster: &str) -> Self {
        Self { cluster: cluster.to_owned(), told: Mutex::default(), are_some: AtomicBool::new(false) }
    }

    /// Tells that something fails, unless that was told since all was well with it.
    pub(super) fn fails(&self, about: &str, what: &str) {
        let mut told = self.told.lock().unwrap_or_else(PoisonError::into_inner);
        let about = told.entry(about.to_owned()).or_default();
        if about.len() < TOLD_MAX && about.insert(what.to_owned()) {
            tracing::warn!(cluster = self.cluster, "kafka: {what}");
        }
        self.set_failing(true);
    }

    /// Tells that it is well again, if something failed.
    pub(super) fn is_well(&self, about: &str) {
        if !self.are_some.load(Ordering::Relaxed) {
            return;
        }
        let mut told = self.told.lock().unwrap_or_else(PoisonError::into_inner);
        if told.remove(about).is_some() {
            tracing::info!(cluster = self.cluster, "kafka: {about} is well again");
            self.set_failing(!told.is_empty());
        }
    }

    /// With the lock of what was told.
    fn set_failing(&self, is_failing: bool) {
        self.are_some.store(is_failing, Ordering::Relaxed);
        let is_failing = f64::from(u8::from(is_failing));
        metrics::gauge!("counterfoil_kafka_failing", "cluster" => self.cluster.clone()).set(is_failing);
    }
}

/// Watches one client.
pub(super) struct Watch {
    cluster: String,
    troubles: Arc<Troubles>,
    /// The group takes no commits.
    commits_fail: AtomicBool,
}

impl Watch {
    pub(super) fn new(troubles: &Arc<Troubles>) -> Self {
        let (cluster, troubles) = (troubles.cluster.clone(), troubles.clone());
        Self { cluster, troubles, commits_fail: AtomicBool::new(false) }
    }

    /// Tells that something fails, unless that was told since all was well with it.
    pub(super) fn fails(&self, about: &str, what: &str) {
        self.troubles.fails(about, what);
    }

    /// Tells that it is well again, if something failed.
    pub(super) fn is_well(&self, about: &str) {
        self.troubles.is_well(about);
    }

    /// A broker gives what a partition has: both are well.
    pub(super) fn reads(&self, partition: &str) {
        self.troubles.is_well(partition);
        self.troubles.is_well(CLUSTER);
    }

    /// Whether the group takes no commits.
    pub(super) fn commits_fail(&self) -> bool {
        self.commits_fail.load(Ordering::Relaxed)
    }

    fn tell_lag(&self, topic: &str, partition: &Partition) {
        let Some(Lag { messages, held }) = Lag::of(partition) else { return };
        let number = partition.partition.to_string();
        let labels = [("cluster", self.cluster.clone()), ("topic", topic.to_owned()), ("partition", number)];
        metrics::gauge!("counterfoil_kafka_lag_messages", &labels).set(messages as f64);
        metrics::gauge!("counterfoil_kafka_held_messages", &labels).set(held as f64);
    }
}

/// How far behind a partition is, in its offsets.
#[derive(Debug, PartialEq, Eq)]
struct Lag {
    /// Not read yet, up to the partition's end.
    messages: u64,
    /// Of these, the ones that a transaction holds back which has not ended, and whatever is behind its beginning.
    held: u64,
}

impl Lag {
    /// None before the broker has told where the partition ends.
    fn of(partition: &Partition) -> Option<Self> {
        let (end, stable) = (u64::try_from(partition.hi_offset).ok()?, u64::try_from(partition.ls_offset).ok()?);
        // Where nothing waits to be read, everything that was fetched is read: marks of transactions too, which no
        // message tells of.
        let fetched = partition.next_offset.max(partition.app_offset);
        let read = if partition.fetchq_cnt == 0 { fetched } else { partition.app_offset };
        let read = u64::try_from(read).ok()?;
        Some(Self { messages: end.saturating_sub(read), held: end.saturating_sub(stable) })
    }
}

impl ClientContext for Watch {
    fn log(&self, level: RDKafkaLogLevel, fac: &str, message: &str) {
        if matches!(level, RDKafkaLogLevel::Emerg | RDKafkaLogLevel::Alert | RDKafkaLogLevel::Critical) {
            tracing::error!(cluster = self.cluster, "kafka: {fac}: {message}");
        } else {
            tracing::debug!(cluster = self.cluster, "kafka: {fac}: {message}");
        }
    }

    fn error(&self, error: KafkaError, reason: &str) {
        // That a partition ends is told here too; what happened to connections is told with numbers that change.
        if error.rdkafka_error_code() != Some(RDKafkaErrorCode::PartitionEOF) {
            tracing::debug!(cluster = self.cluster, "kafka: {error}: {reason}");
            self.fails(CLUSTER, &error.to_string());
        }
    }

    fn stats(&self, statistics: Statistics) {
        for topic in statistics.topics.values() {
            for partition in topic.partitions.values().filter(|partition| partition.desired) {
                self.tell_lag(&topic.topic, partition);
                let about = format!("the leader of {}/{}", topic.topic, partition.partition);
                match partition.leader {
                    0.. => self.is_well(&about),
                    _ => self.fails(&about, &format!("{}/{} has no leader", topic.topic, partition.partition)),
                }
            }
        }
    }
}

impl ConsumerContext for Watch {
    fn commit_callback(&self, result: KafkaResult<()>, _: &TopicPartitionList) {
        if let Err(error) = result
            && !self.commits_fail.swap(true, Ordering::Relaxed)
        {
            tracing::warn!(cluster = self.cluster, "kafka: positions are not committed to the group any more: {error}");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_lag_goes_to_the_end_of_the_partition_whatever_a_transaction_holds_back() {
        let lag = |[hi_offset, ls_offset, next_offset, app_offset, fetchq_cnt]: [i64; 5]| {
            let partition =
                Partition { hi_offset, ls_offset, next_offset, app_offset, fetchq_cnt, ..Partition::default() };
            Lag::of(&partition).map(|Lag { messages, held }| (messages, held))
        };
        // Half of what was fetched is read.
        assert_eq!(lag([100, 100, 80, 40, 40]), Some((60, 0)));
        // All is read, and behind it stands the mark of a commit.
        assert_eq!(lag([101, 101, 101, 100, 0]), Some((0, 0)));
        // What is fetched is counted later than what is read.
        assert_eq!(lag([100, 100, 50, 100, 0]), Some((0, 0)));
        // An open transaction, with what was read before it.
        assert_eq!(lag([1000, 100, 100, 100, 0]), Some((900, 900)));
        assert_eq!(lag([1000, 100, 100, 40, 60]), Some((960, 900)));
        // Nothing is known yet.
        assert_eq!(lag([-1001, -1001, 0, -1001, 0]), None);
        assert_eq!(lag([10, 10, -1001, -1001, 0]), None);
    }

    #[test]
    fn what_is_well_with_one_partition_says_nothing_of_another() {
        let troubles = Arc::new(Troubles::new("main"));
        let watch = Watch::new(&troubles);
        let is_failing = || troubles.are_some.load(Ordering::Relaxed);
        watch.fails("a/0", "a/0: not authorised");
        watch.fails(CLUSTER, "no broker answers");
        watch.reads("a/1");
        assert!(is_failing(), "a/0 still fails");
        assert_eq!(troubles.told.lock().unwrap().keys().collect::<Vec<_>>(), ["a/0"]);
        watch.reads("a/0");
        assert!(!is_failing());

        let led_by = |leader| {
            let partition = Partition { partition: 3, leader, desired: true, ..Partition::default() };
            let topic = rdkafka::statistics::Topic {
                topic: "a".to_owned(),
                partitions: [(3, partition)].into(),
                ..Default::default()
            };
            Statistics { topics: [("a".to_owned(), topic)].into(), ..Statistics::default() }
        };
        watch.stats(led_by(-1));
        assert!(is_failing());
        watch.reads("a/1");
        assert!(is_failing(), "nobody leads a/3");
        watch.stats(led_by(1));
        assert!(!is_failing());
    }
}
