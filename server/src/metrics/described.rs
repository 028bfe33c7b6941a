//! What is measured, in a line each: docs/metrics.md says more.
//!
//! Owns what the metrics are called where they are described, and the buckets of the histograms. The ledger and ingest
//! record some of them themselves.

use metrics_exporter_prometheus::{BuildError, Matcher, PrometheusBuilder};

/// Seconds; what lies above is in +Inf.
const SECONDS: [f64; 12] = [0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 1.0, 5.0, 10.0];
/// Seconds of commits, which take fractions of a millisecond where the disk is fast.
const COMMIT_SECONDS: [f64; 14] =
    [0.0001, 0.0002, 0.0005, 0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.25, 1.0, 5.0, 10.0];
/// Records of a commit: one event makes several where its facts need them.
const RECORDS: [f64; 9] = [1.0, 4.0, 16.0, 64.0, 256.0, 1_024.0, 4_096.0, 8_192.0, 16_384.0];
/// Bytes of a commit, up to about what one may have.
const BYTES: [f64; 9] =
    [1_024.0, 4_096.0, 16_384.0, 65_536.0, 262_144.0, 1_048_576.0, 4_194_304.0, 16_777_216.0, 67_108_864.0];

const HISTOGRAMS: [(&str, &[f64], &str); 7] = [
    ("counterfoil_request_seconds", &SECONDS, "From the head of a request to the end of its answer."),
    (
        "counterfoil_commit_seconds",
        &COMMIT_SECONDS,
        "From the moment when the owner begins with a batch until it is anchored.",
    ),
    ("counterfoil_commit_sync_seconds", &COMMIT_SECONDS, "Of a commit: until the log holds it durably."),
    (
        "counterfoil_commit_anchor_seconds",
        &COMMIT_SECONDS,
        "Of a commit: hashing it again, signing it, and moving the anchor.",
    ),
    (
        "counterfoil_witness_request_seconds",
        &SECONDS,
        "From the beginning of a request to a witness or a replayer to the end of its answer.",
    ),
    ("counterfoil_commit_records", &RECORDS, "The records of a commit."),
    ("counterfoil_commit_bytes", &BYTES, "The bytes that a commit writes to the log."),
];

const COUNTERS: [(&str, &str); 6] = [
    ("counterfoil_requests_total", "Requests that ended, by method, transport and code."),
    (
        "counterfoil_events_total",
        "Events that producers pushed, or that were read from Kafka or from retried dead letters, by what became of them.",
    ),
    ("counterfoil_remapped_total", "Events that say something else since they were read again."),
    (
        "counterfoil_database_write_stalls_total",
        "How often RocksDB's flushes or compactions were so far behind that writes had to be delayed or stopped.",
    ),
    ("counterfoil_witness_requests_total", "Requests to witnesses and replayers, by what became of them."),
    ("counterfoil_otlp_spans_total", "Spans that were sent by OTLP, and that were lost."),
];

const GAUGES: [(&str, &str); 18] = [
    ("counterfoil_streams", "Streams that are open, by method and transport."),
    ("counterfoil_dead_letters", "Events that could not be read, and were not put through since."),
    ("counterfoil_kafka_lag_messages", "Offsets up to the end of a partition that were not read yet."),
    (
        "counterfoil_kafka_held_messages",
        "Of the lag, what stands behind the beginning of a transaction that has not ended.",
    ),
    ("counterfoil_kafka_failing", "1 while anything is wrong with a cluster, a topic or a partition."),
    ("counterfoil_log_records", "The size of the log."),
    (
        "counterfoil_witnessed_records",
        "The size of the newest checkpoint that enough witnesses and replayers have cosigned.",
    ),
    ("counterfoil_witness_records", "The size of the newest checkpoint that a witness or a replayer has cosigned."),
    ("counterfoil_witness_failing", "1 while a witness or a replayer that is asked does not cosign."),
    ("counterfoil_views_records", "How many of its records the views hold."),
    ("counterfoil_views_failing", "1 while the views cannot be brought up to date."),
    ("counterfoil_source_records", "The size of the log that a replica copies."),
    ("counterfoil_following", "1 while a replica copies its log, 0 while it cannot."),
    ("counterfoil_source_refused", "1 while the log that a replica should copy is another one than it has."),
    (
        "counterfoil_database_writes_stopped",
        "1 while RocksDB lets no write into this database; NaN where it does not say.",
    ),
    (
        "counterfoil_database_delayed_write_bytes_per_second",
        "The bytes a second that RocksDB slows writes into this database down to; 0 while it does not.",
    ),
    ("counterfoil_otlp_failing", "1 while the endpoint of OTLP takes nothing."),
    ("counterfoil_build_info", "1, with the version of the program."),
];

/// What records, with the buckets of the histograms.
///
/// # Errors
/// One has no buckets, which is a defect.
pub(super) fn builder() -> Result<PrometheusBuilder, BuildError> {
    HISTOGRAMS.iter().try_fold(PrometheusBuilder::new(), |builder, (name, buckets, _)| {
        builder.set_buckets_for_metric(Matcher::Full((*name).to_owned()), buckets)
    })
}

/// Says what is measured, for whoever reads it.
pub(super) fn describe() {
    for (name, _, what) in HISTOGRAMS {
        metrics::describe_histogram!(name, what);
    }
    for (name, what) in COUNTERS {
        metrics::describe_counter!(name, what);
    }
    for (name, what) in GAUGES {
        metrics::describe_gauge!(name, what);
    }
}
