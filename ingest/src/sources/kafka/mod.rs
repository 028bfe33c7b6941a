//! Source `kafka`: topics of a cluster, each partition from where the ledger stands.
//!
//! Owns which topics there are and who reads them, and the thread of a cluster. Partitions are assigned by hand: the ledger
//! alone knows how far each was read, and what is committed to the group is for tools that show how far behind it is.
//! What was read again is known, so nothing is lost and nothing doubled, whatever fails.

mod cloud_events;
mod message;
mod partition;
mod protobuf;
mod reader;
mod watch;

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;

use counterfoil_ledger::{Ledger, LedgerError};
use counterfoil_proto::v1::Authentication;
use counterfoil_verify::time::Moment;
use rdkafka::ClientConfig;
use rdkafka::config::RDKafkaLogLevel;
use rdkafka::consumer::BaseConsumer;
use rdkafka::error::KafkaError;

use crate::connectors;
use crate::pipeline::Stopped;
use crate::prepare::{Delivered, Document};

pub use protobuf::{Schema, SchemaError};
use watch::{CLUSTER, Troubles, Watch};

/// The longest name of a topic: with the cluster's id and the partition it has to fit into a record.
pub const TOPIC_BYTES_MAX: usize = 200;
/// What the channels of this source begin with; then come the cluster's id, the topic and the partition.
const CHANNEL: &str = "kafka/";
/// What this program says itself; a setting of the same name is refused.
const OWN_PROPERTIES: [&str; 13] = [
    "bootstrap.servers",
    "metadata.broker.list",
    "session.timeout.ms",
    "queued.min.messages",
    "group.id",
    "enable.auto.commit",
    "enable.auto.offset.store",
    "enable.partition.eof",
    "auto.offset.reset",
    "check.crcs",
    "isolation.level",
    "statistics.interval.ms",
    "queued.max.messages.kbytes",
];
/// What waits in memory for the pipeline, of all partitions of a cluster together: bytes, and messages, since each takes
/// some memory besides its value.
const QUEUED_KBYTES: usize = 32 << 10;
const QUEUED_MESSAGES: usize = 100_000;
/// What one answer of a broker has, of all partitions and of one. It comes on top of what waits; a message that is larger
/// comes by itself.
const FETCHED_BYTES: usize = 16 << 20;
const FETCHED_OF_PARTITION_BYTES: usize = 1 << 20;
/// How soon a partition whose queue was full is asked for more, in milliseconds: in the second that the library takes by
/// itself, a queue of this length has long run dry.
const FULL_QUEUE_REST_MS: u32 = 10;
/// What each partition has of these, however many there are.
const QUEUED_KBYTES_MIN: usize = 64;
const QUEUED_MESSAGES_MIN: usize = 100;
const FETCHED_OF_PARTITION_BYTES_MIN: usize = 64 << 10;
/// What each has of the messages, however few partitions there are.
const QUEUED_MESSAGES_MAX: usize = 10_000;
/// How long to wait before a cluster that failed is tried again.
const AGAIN_AFTER: Duration = Duration::from_secs(2);

/// A cluster, and what is read from it.
pub struct Cluster {
    /// What the configuration calls it.
    pub name: String,
    /// Addresses of brokers, with commas between them.
    pub bootstrap: String,
    /// Under which name the positions are committed, for tools that show how far behind it is.
    pub group: String,
    /// Further settings of librdkafka, such as "security.protocol".
    pub properties: BTreeMap<String, String>,
    /// What is read.
    pub topics: Vec<Topic>,
}

/// A topic, and who reads its messages.
pub struct Topic {
    /// Its name.
    pub topic: String,
    /// The connector that reads it.
    pub connector: String,
    /// The tenant that it comes from.
    pub instance: String,
    /// The tenant whose tickets it mentions.
    pub ticket_instance: String,
    /// What the values of its messages are.
    pub format: Format,
    /// Where reading begins when the ledger has nothing of a partition.
    pub start: Start,
    /// A first import of old logs.
    pub backfill: bool,
    /// Times that lost their zone are in UTC.
    pub assume_utc: bool,
}

/// What the values of messages are. Either may come as a CloudEvent.
pub enum Format {
    /// The native event.
    Json,
    /// A message of Protocol Buffers, whose JSON form is the native event.
    Protobuf(Schema),
}

/// Where reading of a partition begins.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Start {
    /// With the oldest message that is there.
    Earliest,
    /// With the next one to come.
    Latest,
}

/// What reading gets from the program.
#[derive(Clone, Copy)]
pub struct Environment {
    /// The time.
    pub now: fn() -> Moment,
    /// Randomness that was never used before.
    pub entropy: fn() -> [u8; 32],
    /// How many threads prepare events.
    pub threads: usize,
}

/// Why a cluster cannot be read.
#[derive(Debug, thiserror::Error)]
pub enum KafkaSourceError {
    /// A property of the configuration.
    #[error("kafka.{cluster}.properties: {why}")]
    Property {
        /// The cluster's name.
        cluster: String,
        /// What librdkafka says about it, without its value.
        why: String,
    },
    /// There is no such connector.
    #[error("kafka.{cluster}: there is no connector {connector:?}: the connectors are {known}", known = connectors::names().join(", "))]
    NoConnector {
        /// The cluster's name.
        cluster: String,
        /// What was asked for.
        connector: String,
    },
    /// The operating system has no thread for it.
    #[error("kafka.{cluster}: no thread: {error}")]
    Thread {
        /// The cluster's name.
        cluster: String,
        /// Why not.
        error: std::io::Error,
    },
}

impl Cluster {
    /// Whether a property may be set in the configuration.
    ///
    /// # Errors
    /// Why not.
    pub fn check_property(name: &str) -> Result<(), String> {
        if OWN_PROPERTIES.contains(&name) {
            return Err("is set by the program itself".to_owned());
        }
        Ok(())
    }

    /// How the producers of its messages were authenticated, as far as the credentials tell that the broker asked for.
    fn authentication(&self) -> Authentication {
        let property = |name: &str| self.properties.get(name).map(String::as_str).unwrap_or_default();
        let certificates = ["ssl.certificate.location", "ssl.certificate.pem", "ssl.keystore.location"];
        let protocol = property("security.protocol").to_ascii_lowercase();
        let asks = protocol.starts_with("sasl")
            || protocol == "ssl" && certificates.iter().any(|name| !property(name).is_empty());
        if asks { Authentication::BrokerCredentials } else { Authentication::OpenBroker }
    }

    fn consumer(&self, partitions: usize, troubles: &Arc<Troubles>) -> Result<BaseConsumer<Watch>, KafkaError> {
        let partitions = partitions.max(1);
        let queued = (QUEUED_KBYTES / partitions).max(QUEUED_KBYTES_MIN);
        let messages = (QUEUED_MESSAGES / partitions).clamp(QUEUED_MESSAGES_MIN, QUEUED_MESSAGES_MAX);
        let fetched = (FETCHED_BYTES / partitions).clamp(FETCHED_OF_PARTITION_BYTES_MIN, FETCHED_OF_PARTITION_BYTES);
        let mut config = ClientConfig::new();
        config.set("reconnect.backoff.max.ms", "1000").set("client.id", "counterfoil");
        config.set("fetch.max.bytes", FETCHED_BYTES.to_string()).set("fetch.message.max.bytes", fetched.to_string());
        config.set("fetch.queue.backoff.ms", FULL_QUEUE_REST_MS.to_string());
        config.extend(self.properties.clone());
        config
            .set("bootstrap.servers", &self.bootstrap)
            .set("group.id", &self.group)
            .set("enable.auto.commit", "false")
            .set("enable.auto.offset.store", "false")
            .set("enable.partition.eof", "true")
            .set("auto.offset.reset", "error")
            .set("isolation.level", "read_committed")
            // Otherwise what is damaged is read as if it were not.
            .set("check.crcs", "true")
            .set("statistics.interval.ms", "2000")
            .set("queued.max.messages.kbytes", queued.to_string())
            .set("queued.min.messages", messages.to_string())
            // How long a commit waits for a coordinator, and with it whoever stops: nobody is in the group.
            .set("session.timeout.ms", "6000")
            .set_log_level(RDKafkaLogLevel::Warning)
            .create_with_context(Watch::new(troubles))
    }
}

/// Clusters that are being read.
pub struct Running {
    stop: Arc<Stop>,
    threads: Vec<JoinHandle<()>>,
}

impl Running {
    /// Stops reading, once what was read is acknowledged.
    pub fn stop(self) {
        self.stop.set();
        for thread in self.threads {
            // It logged why, if it failed.
            let _ = thread.join();
        }
    }
}

/// Starts to read clusters into a ledger.
///
/// # Errors
/// [`KafkaSourceError`] if the configuration of one of them cannot be right. A broker that does not answer is no error: it
/// is asked again and again.
pub fn start(
    ledger: &Arc<Ledger>,
    clusters: &[Arc<Cluster>],
    environment: Environment,
) -> Result<Running, KafkaSourceError> {
    let (stop, claims) = (Arc::new(Stop::default()), Arc::new(Claims::default()));
    for cluster in clusters {
        let about = |error| {
            let why = match error {
                KafkaError::ClientConfig(_, why, name, _) => format!("{name}: {why}"),
                error => error.to_string(),
            };
            KafkaSourceError::Property { cluster: cluster.name.clone(), why }
        };
        cluster.consumer(1, &Arc::new(Troubles::new(&cluster.name))).map_err(about)?;
        for Topic { connector, .. } in &cluster.topics {
            let unknown =
                || KafkaSourceError::NoConnector { cluster: cluster.name.clone(), connector: connector.clone() };
            connectors::by_name(connector).ok_or_else(unknown)?;
        }
    }
    let mut threads = Vec::with_capacity(clusters.len());
    for cluster in clusters {
        let (ledger, cluster, name) = (ledger.clone(), cluster.clone(), cluster.name.clone());
        let (claims, stop) = (claims.clone(), stop.clone());
        let thread = std::thread::Builder::new().name(format!("kafka-{name}"));
        let thread = thread.spawn(move || keep_reading(&ledger, &cluster, environment, &claims, &stop));
        threads.push(thread.map_err(|error| KafkaSourceError::Thread { cluster: name, error })?);
    }
    Ok(Running { stop, threads })
}

/// Makes the document of a value that was kept as it came, in the format that its topic has now. Where the topic is not read
/// here, or it cannot be told which one it is, the value itself is the document.
pub(crate) fn decode_again(clusters: &[Arc<Cluster>], delivered: &Delivered<'_>, document: &mut Document) {
    let Some(name) = topic_of(&delivered.channel) else { return };
    let is_it = |topic: &&Topic| {
        (&topic.topic[..], &topic.connector[..], &topic.instance[..])
            == (name, delivered.connector.name(), delivered.context.instance)
    };
    let mut found = clusters.iter().flat_map(|cluster| &cluster.topics).filter(is_it);
    match (found.next(), found.next()) {
        (Some(topic), None) => *document = message::again(std::mem::take(document), &topic.format),
        _ => document.place.push_str(&format!(", as it came, since topic {name} is not read here")),
    }
}

/// The topic of a channel of this source.
fn topic_of(channel: &str) -> Option<&str> {
    let (_, rest) = channel.strip_prefix(CHANNEL)?.split_once('/')?;
    rest.rsplit_once('/').map(|(topic, _)| topic)
}

/// Reads a cluster until it is told to stop, or the ledger takes nothing more.
fn keep_reading(ledger: &Ledger, cluster: &Cluster, environment: Environment, claims: &Claims, stop: &Stop) {
    let troubles = Arc::new(Troubles::new(&cluster.name));
    while !stop.is_set() {
        match reader::run(ledger, cluster, environment, &troubles, claims, stop) {
            Ok(()) => {}
            Err(Stopped::Input(error)) => troubles.fails(CLUSTER, &format!("it is tried again and again: {error}")),
            Err(Stopped::Ledger(error @ LedgerError::Closed(_))) => {
                tracing::error!(cluster = cluster.name, "kafka is not read any more: {error}");
                return;
            }
            Err(Stopped::Ledger(error)) => {
                tracing::error!(
                    cluster = cluster.name,
                    "kafka is read again soon, from where the ledger stands: {error}"
                );
            }
        }
        stop.wait(AGAIN_AFTER);
    }
}

/// Which section of the configuration reads which topic of which cluster: two that lead to the same one would take each
/// other's messages for their own.
#[derive(Default)]
struct Claims(Mutex<BTreeMap<(String, String), String>>);

impl Claims {
    /// The section that reads a topic of the cluster with that id, where it is another one. From now on `section` does,
    /// where none did.
    fn other_than(&self, section: &str, id: &str, topic: &str) -> Option<String> {
        let mut claims = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let claimed = claims.entry((id.to_owned(), topic.to_owned())).or_insert_with(|| section.to_owned());
        (claimed != section).then(|| claimed.clone())
    }
}

/// Whether to stop, for whoever reads and for whoever waits.
#[derive(Default)]
struct Stop {
    is_set: AtomicBool,
    lock: Mutex<()>,
    told: Condvar,
}

impl Stop {
    fn set(&self) {
        self.is_set.store(true, Ordering::Relaxed);
        let _lock = self.lock.lock().unwrap_or_else(PoisonError::into_inner);
        self.told.notify_all();
    }

    fn is_set(&self) -> bool {
        self.is_set.load(Ordering::Relaxed)
    }

    /// Waits for so long, or until it is set.
    fn wait(&self, patience: Duration) {
        let lock = self.lock.lock().unwrap_or_else(PoisonError::into_inner);
        let _ = self.told.wait_timeout_while(lock, patience, |()| !self.is_set());
    }
}
