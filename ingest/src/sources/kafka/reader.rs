//! One cluster: its partitions, read in turn by one thread.

use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::sync::Arc;
use std::time::Duration;

use counterfoil_ledger::Ledger;
use counterfoil_proto::v1::Delivery;
use crossbeam_channel::{Receiver, Sender, bounded, tick};
use rdkafka::consumer::{BaseConsumer, CommitMode, Consumer};
use rdkafka::error::RDKafkaErrorCode;
use rdkafka::message::Message;
use rdkafka::topic_partition_list::{Offset, TopicPartitionList};

use super::partition::{Filled, Partition, failed};
use super::watch::{CLUSTER, Troubles, Watch};
use super::{CHANNEL, Claims, Cluster, Environment, Stop, Topic};
use crate::connectors::{self, Connector, Context};
use crate::intake::count;
use crate::json::{DigestKey, quoted};
use crate::pipeline::{self, Acknowledged, Feed, Stopped, Summary};
use crate::prepare::Delivered;

/// The longest id of a cluster: with a topic and a partition it has to fit into a record.
const CLUSTER_ID_BYTES_MAX: usize = 32;
/// How long a broker may take to tell about itself and its topics.
const METADATA_PATIENCE: Duration = Duration::from_secs(5);
/// The events of a client that are looked at once it was asked.
const TOLD_EVENTS: usize = 64;
/// How long to wait for messages before looking whether to stop.
const IDLE: Duration = Duration::from_millis(100);
/// How often it is looked whether topics have more partitions, and whether those that failed can be read again.
const LOOK_EVERY: Duration = Duration::from_secs(5);
/// Where there are so many times the partitions that the memory was shared among, it is shared out anew.
const GROWTH_MAX: usize = 2;
/// After so many batches, and whenever there is nothing to read, positions are committed to the group.
const COMMIT_BATCHES: usize = 64;

/// Reads a cluster until it is told to stop.
pub(super) fn run(
    ledger: &Ledger,
    cluster: &Cluster,
    environment: Environment,
    troubles: &Arc<Troubles>,
    claims: &Claims,
    stop: &Stop,
) -> Result<(), Stopped> {
    let connectors: Vec<Box<dyn Connector>> =
        cluster.topics.iter().filter_map(|topic| connectors::by_name(&topic.connector)).collect();
    let digest_key = DigestKey::new(*ledger.keys().ingest());
    let create = |partitions| cluster.consumer(partitions, troubles).map_err(|error| Stopped::Input(failed(error)));
    let probe = create(1)?;
    let found = find(&probe, cluster);
    // Why a broker does not answer is told to whoever polls.
    (0..TOLD_EVENTS).for_each(|_| drop(probe.poll(Duration::ZERO)));
    let (id, partitions) = found.map_err(Stopped::Input)?;
    drop(probe);
    let consumer = Arc::new(create(partitions.len())?);
    let (wake, woken) = bounded::<()>(1);
    let (advanced, positions) = crossbeam_channel::unbounded();
    let mut reader = Reader {
        ledger,
        cluster,
        connectors: &connectors,
        digest_key: &digest_key,
        environment,
        claims,
        id,
        consumer,
        shares: partitions.len().max(1),
        partitions: Vec::new(),
        wake,
        woken,
        positions,
    };
    pipeline::run(ledger, environment.threads, |feed| reader.read(feed, stop), &mut |acknowledged| {
        count_all(&acknowledged);
        // Whoever reads commits what is acknowledged; there is nobody else to tell.
        let _ = advanced.send((acknowledged.delivered.channel.clone(), acknowledged.to.next));
    })
}

fn count_all(Acknowledged { delivered, counts, .. }: &Acknowledged<'_>) {
    let connector = delivered.connector.name();
    let Summary { events, duplicates, conflicts, rejected, gaps, .. } = counts;
    for (outcome, number) in [
        ("recorded", *events),
        ("duplicate", *duplicates),
        ("conflict", *conflicts),
        ("rejected", *rejected),
        ("gap", *gaps),
    ] {
        if number > 0 {
            count(connector, outcome, number);
        }
    }
}

/// The cluster's id, and the partitions of its topics: the place of a topic in the configuration, and a number.
fn find(consumer: &BaseConsumer<Watch>, cluster: &Cluster) -> io::Result<(String, Vec<(usize, i32)>)> {
    let mut found = Vec::new();
    for (place, Topic { topic, .. }) in cluster.topics.iter().enumerate() {
        let metadata = consumer.fetch_metadata(Some(topic), METADATA_PATIENCE).map_err(failed)?;
        let of_topic = metadata.topics().iter().find(|found| found.name() == topic);
        let numbers: Vec<i32> =
            of_topic.iter().flat_map(|topic| topic.partitions()).map(|partition| partition.id()).collect();
        let error = of_topic.and_then(|topic| topic.error()).map(RDKafkaErrorCode::from);
        match error {
            Some(RDKafkaErrorCode::TopicAuthorizationFailed) => {
                let why = format!("topic {topic} may not be read with these credentials, or is not there");
                consumer.context().fails(topic, &why);
            }
            Some(error) if error != RDKafkaErrorCode::UnknownTopicOrPartition => {
                consumer.context().fails(topic, &format!("topic {topic}: {error}"));
            }
            _ if numbers.is_empty() => consumer.context().fails(topic, &format!("there is no topic {topic}")),
            _ => consumer.context().is_well(topic),
        }
        found.extend(numbers.into_iter().map(|number| (place, number)));
    }
    let id = consumer.client().fetch_cluster_id(METADATA_PATIENCE);
    let id = id.ok_or_else(|| io::Error::other("the cluster does not say which one it is"))?;
    let is_id = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.');
    if id.is_empty() || id.len() > CLUSTER_ID_BYTES_MAX || !id.chars().all(is_id) {
        return Err(io::Error::other(format!(
            "expected a cluster's id of letters, digits, - and _, got {}",
            quoted(&id)
        )));
    }
    Ok((id, found))
}

/// Reads the partitions of a cluster.
struct Reader<'a> {
    ledger: &'a Ledger,
    cluster: &'a Cluster,
    connectors: &'a [Box<dyn Connector>],
    digest_key: &'a DigestKey,
    environment: Environment,
    /// Which section reads which topic.
    claims: &'a Claims,
    /// The cluster's own id: positions of another cluster of the same name are other positions.
    id: String,
    consumer: Arc<BaseConsumer<Watch>>,
    /// How many partitions its memory is shared among.
    shares: usize,
    partitions: Vec<Partition<'a>>,
    wake: Sender<()>,
    woken: Receiver<()>,
    /// How far channels are acknowledged.
    positions: Receiver<(String, u64)>,
}

impl<'a> Reader<'a> {
    fn read(&mut self, feed: &mut Feed<'_, 'a>, stop: &Stop) -> io::Result<()> {
        let looks = tick(LOOK_EVERY);
        let mut is_time = true;
        while !stop.is_set() && !feed.is_stopped() {
            // However much there is to read.
            if is_time && !self.assign_new(feed, stop)? {
                break;
            }
            is_time = looks.try_recv().is_ok();
            self.listen()?;
            let mut is_idle = true;
            for partition in &mut self.partitions {
                let wake = waker(&self.wake);
                match partition.fill(&self.consumer, feed, self.digest_key, wake) {
                    Filled::Nothing => {}
                    Filled::Something => is_idle = false,
                    Filled::Stopped => return Ok(()),
                }
            }
            if is_idle || self.positions.len() >= COMMIT_BATCHES {
                self.commit();
            }
            if is_idle {
                let _ = self.woken.recv_timeout(IDLE);
            }
        }
        Ok(())
    }

    /// Begins to read partitions that are not read yet, or not any more. False where this reader cannot go on: the pipeline
    /// takes nothing more, or there are many more partitions than it is made for.
    fn assign_new(&mut self, feed: &mut Feed<'_, 'a>, stop: &Stop) -> io::Result<bool> {
        let (id, found) = find(&self.consumer, self.cluster)?;
        if id != self.id {
            return Err(io::Error::other(format!("another cluster answers: {id} where {} was", self.id)));
        }
        if found.len() > GROWTH_MAX * self.shares {
            return Ok(false);
        }
        let mut new = Vec::new();
        for (place, number) in found {
            let topic = &self.cluster.topics[place];
            if !self.claim(&topic.topic) {
                continue;
            }
            if !self.partitions.iter().any(|partition| partition.name() == (topic.topic.as_str(), number)) {
                let delivered = Arc::new(self.delivered(topic, self.connectors[place].as_ref(), number));
                let stands = self.ledger.reader().position(&delivered.channel).map_err(io::Error::other)?;
                new.push(Partition::new(topic, number, delivered, stands, self.environment));
            }
        }
        // Of a topic that was read before, everything in a new partition is new.
        self.partitions.append(&mut new);
        let known: BTreeSet<&str> = self.partitions.iter().filter_map(Partition::known_topic).collect();
        for partition in self.partitions.iter_mut().filter(|partition| !partition.is_assigned()) {
            if stop.is_set() {
                return Ok(false);
            }
            match partition.assign(&self.consumer, feed, &known, waker(&self.wake)) {
                Ok(true) => {}
                Ok(false) => return Ok(false),
                // The others go on; it is tried again at the next look.
                Err(error) => {
                    let label = partition.label();
                    self.consumer.context().fails(label, &format!("{label}: {error}"));
                }
            }
        }
        Ok(true)
    }

    /// Whether this section of the configuration reads a topic, and no other one that leads to the same cluster does.
    fn claim(&self, topic: &str) -> bool {
        let Some(other) = self.claims.other_than(&self.cluster.name, &self.id, topic) else { return true };
        let about = format!("topic {topic}, which kafka.{other} reads");
        let why = format!(
            "topic {topic} is read by kafka.{other} of the configuration already, which leads to the same cluster: leave \
             it out of one of the two"
        );
        self.consumer.context().fails(&about, &why);
        false
    }

    /// Serves what does not belong to a partition. A message that was on its way here before its partition had a queue of
    /// its own would be out of order: everything is then assigned anew.
    fn listen(&self) -> io::Result<()> {
        while let Some(event) = self.consumer.poll(Duration::ZERO) {
            match event {
                Ok(message) => {
                    let (topic, number) = (message.topic(), message.partition());
                    return Err(io::Error::other(format!("a message of {topic}/{number} came out of order")));
                }
                Err(error) => self.consumer.context().fails(CLUSTER, &error.to_string()),
            }
        }
        Ok(())
    }

    /// Commits to the group how far channels are acknowledged, for tools that show how far behind it is.
    fn commit(&self) {
        if self.consumer.context().commits_fail() {
            return self.positions.try_iter().for_each(drop);
        }
        let newest: BTreeMap<String, u64> = self.positions.try_iter().collect();
        let mut list = TopicPartitionList::new();
        for partition in &self.partitions {
            if let Some(Ok(next)) = newest.get(partition.channel()).map(|next| i64::try_from(*next)) {
                let (topic, number) = partition.name();
                // It can only fail for an offset that is none.
                let _ = list.add_partition_offset(topic, number, Offset::Offset(next));
            }
        }
        if list.count() > 0
            && let Err(error) = self.consumer.commit(&list, CommitMode::Async)
        {
            tracing::debug!(cluster = self.cluster.name, "positions are not committed to the group: {error}");
        }
    }

    fn delivered(&self, topic: &'a Topic, connector: &'a dyn Connector, number: i32) -> Delivered<'a> {
        Delivered {
            connector,
            context: Context {
                instance: &topic.instance,
                ticket_system: "freshservice",
                ticket_instance: &topic.ticket_instance,
                index_key: self.ledger.keys().index(),
                digest_key: self.digest_key,
                assume_utc: topic.assume_utc,
                received_at: (self.environment.now)(),
            },
            channel: format!("{CHANNEL}{}/{}/{number}", self.id, topic.topic),
            delivery: if topic.backfill { Delivery::Backfill } else { Delivery::Live },
            authentication: self.cluster.authentication(),
            seed_secret: (self.environment.entropy)(),
            retry_of: None,
        }
    }
}

/// Wakes whoever waits for messages.
fn waker(wake: &Sender<()>) -> impl Fn() + Send + Sync + 'static {
    let wake = wake.clone();
    move || {
        // It is awake, if there is no room.
        let _ = wake.try_send(());
    }
}
