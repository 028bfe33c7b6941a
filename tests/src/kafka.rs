//! A real broker, and what tests do to its topics. On a cluster that others use too each test has topics of its own.

use std::collections::BTreeMap;
use std::hash::{BuildHasher, Hasher, RandomState};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

use rdkafka::ClientConfig;
use rdkafka::admin::{AdminClient, AdminOptions, NewPartitions, NewTopic, TopicReplication, TopicResult};
use rdkafka::client::DefaultClientContext;
use rdkafka::error::{KafkaResult, RDKafkaErrorCode};
use rdkafka::message::{Header, OwnedHeaders};
use rdkafka::producer::{BaseProducer, BaseRecord, Producer};
use rdkafka::topic_partition_list::{Offset, TopicPartitionList};
use tempfile::TempDir;

/// How long anything may take that a broker is asked for.
const PATIENCE: Duration = Duration::from_secs(30);
/// How long a request to change topics may take before it is sent again, by another client: a client of which nobody knows
/// which node controls the cluster waits a minute and then gives up.
const CHANGE_PATIENCE: Duration = Duration::from_secs(15);
/// How long to wait for the broker where a producer has no room.
const FULL_PATIENCE: Duration = Duration::from_millis(100);

/// A broker of its own, or the cluster that `KAFKA_BOOTSTRAP` names.
pub struct Broker {
    /// Where clients reach it.
    pub bootstrap: String,
    /// What the names of this test's topics end with.
    suffix: String,
    own: Option<TempDir>,
}

/// A transaction that has not ended.
pub struct Transaction(BaseProducer);

impl Transaction {
    /// Commits it.
    ///
    /// # Panics
    /// If the broker does not.
    pub fn commit(self) {
        self.0.commit_transaction(PATIENCE).expect("it is committed");
    }

    /// Aborts it.
    ///
    /// # Panics
    /// If the broker does not.
    pub fn abort(self) {
        self.0.abort_transaction(PATIENCE).expect("it is aborted");
    }
}

/// A message for a topic.
#[derive(Clone, Default)]
pub struct Sent {
    pub key: Option<Vec<u8>>,
    pub value: Option<Vec<u8>>,
    pub headers: Vec<(String, Vec<u8>)>,
}

impl Sent {
    /// A value alone.
    pub fn value(value: impl Into<Vec<u8>>) -> Self {
        Self { value: Some(value.into()), ..Self::default() }
    }
}

impl Broker {
    /// The cluster that `KAFKA_BOOTSTRAP` names, or else a broker of its own. None where there is neither, which is said
    /// aloud; in CI nothing may be missing.
    ///
    /// # Panics
    /// If it does not start, or there is none in CI.
    pub fn start() -> Option<Self> {
        match std::env::var("KAFKA_BOOTSTRAP") {
            Ok(bootstrap) => Some(Self { bootstrap, suffix: suffix(), own: None }),
            Err(_) => Self::start_own(""),
        }
    }

    /// A broker of its own, with further settings, whatever `KAFKA_BOOTSTRAP` names: for what a test may not do to a cluster
    /// that others use.
    ///
    /// # Panics
    /// As [`Broker::start`].
    pub fn start_own(settings: &str) -> Option<Self> {
        let is_ci = std::env::var_os("CI").is_some_and(|ci| ci == "true");
        let is_installed = run(&["installed"]).is_some();
        assert!(is_installed || !is_ci, "Kafka is missing: run scripts/install test");
        if !is_installed {
            let test = std::thread::current().name().unwrap_or_default().to_owned();
            // Not with `eprintln!`, which says nothing of a test that passes.
            let said =
                writeln!(std::io::stderr(), "SKIPPED: {test}: it needs a broker of its own: scripts/kafka install");
            said.expect("stderr takes text");
            return None;
        }
        let folder = tempfile::tempdir().expect("a temporary folder");
        let file = folder.path().join("settings");
        std::fs::write(&file, settings).expect("a temporary folder takes files");
        let mut broker = Self { bootstrap: String::new(), suffix: suffix(), own: Some(folder) };
        broker.run_own();
        Some(broker)
    }

    /// Where the broker is that leads a partition.
    ///
    /// # Panics
    /// If none does.
    pub fn leader(&self, topic: &str, partition: i32) -> String {
        let metadata = self.admin().inner().fetch_metadata(Some(topic), PATIENCE).expect("the broker answers");
        let partitions = metadata.topics().iter().flat_map(|topic| topic.partitions());
        let leader = partitions.filter(|found| found.id() == partition).map(|found| found.leader()).next();
        let leader = metadata.brokers().iter().find(|broker| Some(broker.id()) == leader).expect("a leader");
        format!("{}:{}", leader.host(), leader.port())
    }

    /// The name of a topic that no other test has.
    pub fn topic(&self, name: &str) -> String {
        format!("{name}-{}", self.suffix)
    }

    /// Starts its own broker, again after a kill or a stop.
    ///
    /// # Panics
    /// If it does not start.
    pub fn run_own(&mut self) {
        let folder = self.folder();
        let settings = folder.join("settings");
        let listeners = run(&["start".as_ref(), folder.join("broker").as_os_str(), settings.as_os_str()]);
        let listeners = listeners.expect("the broker starts");
        std::fs::write(folder.join("listeners"), &listeners).expect("a temporary folder takes files");
        self.bootstrap = format!("127.0.0.1:{}", port(&listeners, "PLAINTEXT"));
    }

    /// Where another listener of its own broker is.
    pub fn listener(&self, name: &str) -> String {
        let listeners = std::fs::read_to_string(self.folder().join("listeners")).expect("it was written at the start");
        format!("127.0.0.1:{}", port(&listeners, name))
    }

    /// Ends its own broker at once.
    ///
    /// # Panics
    /// If it has none.
    pub fn kill(&self) {
        run(&["kill".as_ref(), self.folder().join("broker").as_os_str()]).expect("it is killed");
    }

    /// Lets its own broker end, with everything in its files.
    ///
    /// # Panics
    /// If it has none.
    pub fn stop(&self) {
        run(&["stop".as_ref(), self.folder().join("broker").as_os_str()]).expect("it ends");
    }

    /// The file of its own broker in which a partition of few messages is.
    pub fn segment(&self, topic: &str, partition: i32) -> PathBuf {
        self.folder().join(format!("broker/data/{topic}-{partition}/00000000000000000000.log"))
    }

    fn folder(&self) -> &Path {
        self.own.as_ref().expect("a broker of its own").path()
    }

    /// Runs a tool of Kafka's on its own broker.
    ///
    /// # Panics
    /// If it fails.
    pub fn tool(&self, class: &str, arguments: &[&str]) {
        let all = [&["tool", class, "--bootstrap-server", &self.bootstrap], arguments].concat();
        run(&all).unwrap_or_else(|| panic!("{class} {arguments:?} failed"));
    }

    /// Makes a topic.
    ///
    /// # Panics
    /// If the broker does not.
    pub fn create(&self, topic: &str, partitions: i32) {
        self.change(RDKafkaErrorCode::TopicAlreadyExists, async |admin, options| {
            admin.create_topics(&[NewTopic::new(topic, partitions, TopicReplication::Fixed(1))], options).await
        });
    }

    /// Gives a topic so many partitions in all.
    ///
    /// # Panics
    /// If the broker does not.
    pub fn widen(&self, topic: &str, partitions: usize) {
        self.change(RDKafkaErrorCode::InvalidPartitions, async |admin, options| {
            admin.create_partitions(&[NewPartitions::new(topic, partitions)], options).await
        });
    }

    /// Deletes a topic, and waits until it is gone.
    ///
    /// # Panics
    /// If the broker does not.
    pub fn delete(&self, topic: &str) {
        self.change(RDKafkaErrorCode::UnknownTopicOrPartition, async |admin, options| {
            admin.delete_topics(&[topic], options).await
        });
        until("the topic is gone", || {
            let metadata = self.admin().inner().fetch_metadata(None, PATIENCE).expect("the broker answers");
            metadata.topics().iter().all(|found| found.name() != topic)
        });
    }

    /// Deletes all messages before an offset, as retention does.
    ///
    /// # Panics
    /// If the broker does not.
    pub fn delete_before(&self, topic: &str, partition: i32, offset: i64) {
        let mut list = TopicPartitionList::new();
        list.add_partition_offset(topic, partition, Offset::Offset(offset)).expect("an offset");
        wait(self.admin().delete_records(&list, &options())).expect("they are deleted");
    }

    /// Sends messages to a partition, and waits until the broker has them.
    ///
    /// # Panics
    /// If it does not take them.
    pub fn send(&self, topic: &str, partition: i32, messages: impl IntoIterator<Item = Sent>) {
        let producer = self.producer(&[]);
        send_all(&producer, topic, partition, messages);
    }

    /// Sends messages in a transaction.
    ///
    /// # Panics
    /// If the broker does not take it.
    pub fn transact(&self, topic: &str, partition: i32, messages: impl IntoIterator<Item = Sent>) -> Transaction {
        let producer = self.producer(&[("transactional.id", self.suffix.as_str())]);
        producer.init_transactions(PATIENCE).expect("transactions");
        producer.begin_transaction().expect("a transaction");
        send_all(&producer, topic, partition, messages);
        Transaction(producer)
    }

    /// Changes a topic. A request that was not answered is sent again; what a broker then says that had done it the first
    /// time is `done`.
    fn change(
        &self,
        done: RDKafkaErrorCode,
        ask: impl AsyncFn(&AdminClient<DefaultClientContext>, &AdminOptions) -> KafkaResult<Vec<TopicResult>>,
    ) {
        let options = options().request_timeout(Some(CHANGE_PATIENCE));
        for attempt in 0..4 {
            let results = match wait(ask(&self.admin(), &options)) {
                Ok(results) => results,
                Err(error) if error.rdkafka_error_code() == Some(RDKafkaErrorCode::OperationTimedOut) => continue,
                Err(error) => panic!("the broker answers: {error}"),
            };
            for result in results {
                let is_done = result.is_ok() || attempt > 0 && matches!(&result, Err((_, code)) if *code == done);
                assert!(is_done, "the topic is changed: {result:?}");
            }
            return;
        }
        let log = self.own.as_ref().map(|own| std::fs::read_to_string(own.path().join("broker/log")));
        panic!("the broker does not answer; its log: {log:?}");
    }

    fn producer(&self, settings: &[(&str, &str)]) -> BaseProducer {
        let mut config = ClientConfig::new();
        config.set("bootstrap.servers", &self.bootstrap).set("enable.idempotence", "true").set("linger.ms", "5");
        config.set("reconnect.backoff.max.ms", "500").set("queue.buffering.max.messages", "2000000");
        config.set("queue.buffering.max.kbytes", "65536");
        config.extend(settings.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())));
        config.create().expect("a producer")
    }

    fn admin(&self) -> AdminClient<DefaultClientContext> {
        ClientConfig::new().set("bootstrap.servers", &self.bootstrap).create().expect("a client")
    }
}

impl Drop for Broker {
    fn drop(&mut self) {
        if let Some(folder) = &self.own {
            // It may have been killed already.
            let _ = run(&["kill".as_ref(), folder.path().join("broker").as_os_str()]);
            return;
        }
        // What is left on a cluster of others is in nobody's way.
        let Ok(metadata) = self.admin().inner().fetch_metadata(None, PATIENCE) else { return };
        let own: Vec<&str> =
            metadata.topics().iter().map(|topic| topic.name()).filter(|name| name.ends_with(&self.suffix)).collect();
        let _ = wait(self.admin().delete_topics(&own, &options()));
    }
}

/// What no other test has.
fn suffix() -> String {
    format!("{:016x}", RandomState::new().build_hasher().finish())
}

/// Waits until something is so.
///
/// # Panics
/// If it is not within a minute.
pub fn until(what: &str, mut is_so: impl FnMut() -> bool) {
    let (_never, nothing) = std::sync::mpsc::channel::<()>();
    for _ in 0..600 {
        if is_so() {
            return;
        }
        let _ = nothing.recv_timeout(Duration::from_millis(100));
    }
    panic!("waited a minute, and this is still not so: {what}");
}

fn send_all(producer: &BaseProducer, topic: &str, partition: i32, messages: impl IntoIterator<Item = Sent>) {
    for Sent { key, value, headers } in messages {
        let headers = headers.iter().fold(OwnedHeaders::new(), |headers, (name, value)| {
            headers.insert(Header { key: name, value: Some(value) })
        });
        let mut record = BaseRecord::<[u8], [u8]>::to(topic).partition(partition).headers(headers);
        record.key = key.as_deref();
        record.payload = value.as_deref();
        while let Err((error, again)) = producer.send(record) {
            let is_full = error.rdkafka_error_code() == Some(RDKafkaErrorCode::QueueFull);
            assert!(is_full, "the producer takes no more: {error}");
            producer.poll(FULL_PATIENCE);
            record = again;
        }
        producer.poll(Duration::ZERO);
    }
    producer.flush(PATIENCE).expect("the broker has them");
}

fn options() -> AdminOptions {
    AdminOptions::new().operation_timeout(Some(PATIENCE))
}

fn wait<T>(future: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread().build().expect("a runtime").block_on(future)
}

/// Runs `scripts/kafka`; none if it fails.
fn run<S: AsRef<std::ffi::OsStr>>(arguments: &[S]) -> Option<String> {
    let script = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../scripts/kafka");
    let mut command = Command::new(script);
    let output = command.args(arguments).stdin(Stdio::null()).stderr(Stdio::inherit()).output().expect("a script");
    output.status.success().then(|| String::from_utf8(output.stdout).expect("the script prints text"))
}

fn port(listeners: &str, name: &str) -> String {
    let ports: BTreeMap<&str, &str> = listeners.lines().filter_map(|line| line.split_once(' ')).collect();
    (*ports.get(name).unwrap_or_else(|| panic!("no listener {name} in {listeners:?}"))).to_owned()
}
