//! What it costs to read events from a topic, against reading the same from a file.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;
use std::sync::mpsc;
use std::time::Duration;

use anyhow::{Result, ensure};
use counterfoil_ingest::sources::kafka::{self, Cluster, Environment, Format, Start, Topic};
use counterfoil_ledger::SystemClock;
use counterfoil_tests::kafka::{Broker, Sent};

use crate::figure::{Figure, Rounds};
use crate::stopwatch::{tell, timed};
use crate::subject;

const ROUNDS: usize = 3;
const TOPIC: &str = "okta.system-log";
const PARTITIONS: i32 = 4;
/// How often it is looked whether everything is there.
const STEP: Duration = Duration::from_millis(5);

/// A filled topic of a real broker against the file of the same events; nothing where there is no broker.
pub fn measure(folder: &Path, file: &Path, events: usize) -> Result<Option<Figure>> {
    let Some(broker) = Broker::start() else {
        tell("there is no Kafka: `make test` fetches it");
        return Ok(None);
    };
    broker.create(TOPIC, PARTITIONS);
    let text = std::fs::read(file)?;
    let lines: Vec<&[u8]> = text.split(|byte| *byte == b'\n').filter(|line| !line.is_empty()).collect();
    for (partition, part) in (0..).zip(lines.chunks(lines.len().div_ceil(PARTITIONS as usize))) {
        broker.send(TOPIC, partition, part.iter().map(|line| Sent::value(*line)));
    }
    let mut rounds = Rounds::default();
    for round in 1..=ROUNDS {
        let read = {
            let ledger = Arc::new(subject::open(&subject::create(&folder.join(format!("kafka{round}")))?)?);
            timed(|| {
                let running = kafka::start(&ledger, &[Arc::new(cluster(&broker))], environment())?;
                let (_never, nothing) = mpsc::channel::<()>();
                while ledger.reader().head().size.0 <= events as u64 {
                    let _ = nothing.recv_timeout(STEP);
                }
                running.stop();
                ensure!(ledger.reader().head().size.0 == events as u64 + 1, "expected each event once");
                Ok(())
            })?
            .0
        };
        let ledger = subject::open(&subject::create(&folder.join(format!("file{round}")))?)?;
        let (imported, _) = timed(|| subject::import_okta(&ledger, file, events))?;
        tell(&format!("round {round}: from a topic {read:.2?}, from a file {imported:.2?}"));
        rounds.push(read, imported);
    }
    Ok(Some(rounds.at_least(0.8, "ingest from Kafka against a file", events as f64, "events/s")))
}

fn cluster(broker: &Broker) -> Cluster {
    Cluster {
        name: "bench".to_owned(),
        bootstrap: broker.bootstrap.clone(),
        group: "bench".to_owned(),
        properties: BTreeMap::new(),
        topics: vec![Topic {
            topic: TOPIC.to_owned(),
            connector: "okta".to_owned(),
            instance: "default".to_owned(),
            ticket_instance: "default".to_owned(),
            format: Format::Json,
            start: Start::Earliest,
            backfill: true,
            assume_utc: false,
        }],
    }
}

fn environment() -> Environment {
    Environment { now: SystemClock::wall, entropy: subject::seed_secret, threads: subject::threads() }
}
