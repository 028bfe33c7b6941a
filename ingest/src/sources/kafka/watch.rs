//! What librdkafka tells about a cluster besides messages: errors, logs, and how far behind the partitions are.

use std::collections::BTreeSet;
use std::sync::{Mutex, PoisonError};

use rdkafka::client::ClientContext;
use rdkafka::config::RDKafkaLogLevel;
use rdkafka::consumer::ConsumerContext;
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::statistics::Statistics;

/// How many kinds of failures are told until all is well again.
const TOLD_MAX: usize = 16;

/// Watches one client.
pub(super) struct Watch {
    cluster: String,
    /// What is wrong since all was well, so that each of it is told once.
    failing: Mutex<BTreeSet<String>>,
}

impl Watch {
    pub(super) fn new(cluster: &str) -> Self {
        Self { cluster: cluster.to_owned(), failing: Mutex::default() }
    }

    /// Tells that something fails, unless that was told since all was well.
    pub(super) fn fails(&self, what: &str) {
        let mut failing = self.failing.lock().unwrap_or_else(PoisonError::into_inner);
        if failing.len() < TOLD_MAX && failing.insert(what.to_owned()) {
            tracing::warn!(cluster = self.cluster, "kafka: {what}");
        }
        self.set_failing(true);
    }

    /// Tells that things are well again, if something failed.
    pub(super) fn is_well(&self) {
        let failed = std::mem::take(&mut *self.failing.lock().unwrap_or_else(PoisonError::into_inner));
        if !failed.is_empty() {
            tracing::info!(cluster = self.cluster, "kafka: the broker answers again");
            self.set_failing(false);
        }
    }

    fn set_failing(&self, is_failing: bool) {
        let is_failing = f64::from(u8::from(is_failing));
        metrics::gauge!("counterfoil_kafka_failing", "cluster" => self.cluster.clone()).set(is_failing);
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

impl ConsumerContext for Watch {}
