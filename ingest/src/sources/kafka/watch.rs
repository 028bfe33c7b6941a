//! What librdkafka tells about a cluster besides messages: errors, logs, and how far behind the partitions are.

use std::collections::BTreeSet;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use rdkafka::client::ClientContext;
use rdkafka::config::RDKafkaLogLevel;
use rdkafka::consumer::ConsumerContext;
use rdkafka::error::{KafkaError, KafkaResult, RDKafkaErrorCode};
use rdkafka::statistics::Statistics;
use rdkafka::topic_partition_list::TopicPartitionList;

/// How many kinds of failures are told until all is well again.
const TOLD_MAX: usize = 16;

/// What is wrong with a cluster since all was well, so that each of it is told once, however often it is tried again.
pub(super) struct Troubles {
    cluster: String,
    told: Mutex<BTreeSet<String>>,
}

impl Troubles {
    pub(super) fn new(cluster: &str) -> Self {
        Self { cluster: cluster.to_owned(), told: Mutex::default() }
    }

    /// Tells that something fails, unless that was told since all was well.
    pub(super) fn fails(&self, what: &str) {
        let mut told = self.told.lock().unwrap_or_else(PoisonError::into_inner);
        if told.len() < TOLD_MAX && told.insert(what.to_owned()) {
            tracing::warn!(cluster = self.cluster, "kafka: {what}");
        }
        self.set_failing(true);
    }

    /// Tells that things are well again, if something failed.
    fn are_over(&self) {
        let told = std::mem::take(&mut *self.told.lock().unwrap_or_else(PoisonError::into_inner));
        if !told.is_empty() {
            tracing::info!(cluster = self.cluster, "kafka: the broker answers again");
            self.set_failing(false);
        }
    }

    fn set_failing(&self, is_failing: bool) {
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

    /// Tells that something fails, unless that was told since all was well.
    pub(super) fn fails(&self, what: &str) {
        self.troubles.fails(what);
    }

    /// Tells that things are well again, if something failed.
    pub(super) fn is_well(&self) {
        self.troubles.are_over();
    }

    /// Whether the group takes no commits.
    pub(super) fn commits_fail(&self) -> bool {
        self.commits_fail.load(Ordering::Relaxed)
    }

    /// How many messages of a partition are there and not read yet.
    pub(super) fn lag(&self, topic: &str, partition: i32, messages: u64) {
        let labels =
            [("cluster", self.cluster.clone()), ("topic", topic.to_owned()), ("partition", partition.to_string())];
        metrics::gauge!("counterfoil_kafka_lag_messages", &labels).set(messages as f64);
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
            self.fails(&error.to_string());
        }
    }

    fn stats(&self, statistics: Statistics) {
        for topic in statistics.topics.values() {
            for partition in topic.partitions.values() {
                // The end of what may be read, and what was read of it; -1 or less where that is not known.
                let (end, read) = (partition.ls_offset, partition.app_offset);
                if let (Ok(end), Ok(read)) = (u64::try_from(end), u64::try_from(read)) {
                    self.lag(&topic.topic, partition.partition, end.saturating_sub(read));
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
