//! A hash chain in a table of PostgreSQL, against the ledger: filled in batches, and by many clients at its head.
//!
//! Each event is a row of its index, the hash before, its own hash, the payload as it came, and the personal values in it,
//! which may have to go one day. The client computes the hashes. That is all: no event is recognised that comes again,
//! nothing is made of it that could be asked for, no secret is looked for, nothing is signed.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{BufRead, BufReader};
use std::path::Path;
use std::pin::pin;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use counterfoil_scenario::okta_events;
use counterfoil_verify::hash::leaf_hash;
use serde_json::Value;
use tokio::runtime::Runtime;
use tokio::sync::mpsc;
use tokio_postgres::binary_copy::BinaryCopyInWriter;
use tokio_postgres::types::{ToSql, Type};
use tokio_postgres::{Client, Statement};

use crate::figure::{Figure, Rounds};
use crate::peers::postgres::Postgres;
use crate::served::{Served, at_once};
use crate::stopwatch::{tell, timed};
use crate::{appends, import, subject};

const ROUNDS: usize = 5;
/// Rows of a COPY, which is a transaction.
const BATCH_EVENTS: usize = 1_000;
/// Batches that are ready while another one is sent.
const BATCHES_AHEAD: usize = 2;
/// Clients that append at the same time, and the appends of each.
const APPENDING: usize = 64;
const APPENDED: usize = 100;
/// Rounds of these: PostgreSQL takes seconds for each.
const APPENDING_ROUNDS: usize = 3;
const SEED: u64 = 1;
const SEED_APPENDED: u64 = 78;

const TABLES: &str = "
    DROP TABLE IF EXISTS chain, head;
    CREATE TABLE chain (index bigint PRIMARY KEY, prev bytea NOT NULL, hash bytea NOT NULL, payload bytea NOT NULL,
        personal bytea NOT NULL);
    CREATE TABLE head (is_only boolean PRIMARY KEY, size bigint NOT NULL, hash bytea NOT NULL) WITH (fillfactor = 10);
    INSERT INTO head VALUES (true, 0, decode(repeat('00', 32), 'hex'));
    CHECKPOINT;";
const COLUMNS: [Type; 5] = [Type::INT8, Type::BYTEA, Type::BYTEA, Type::BYTEA, Type::BYTEA];

/// A row of the chain.
struct Row {
    index: i64,
    prev: Vec<u8>,
    hash: Vec<u8>,
    payload: Vec<u8>,
    personal: Vec<u8>,
}

impl Row {
    fn new(index: i64, prev: Vec<u8>, payload: Vec<u8>) -> Result<Self> {
        let personal = personal(&payload)?;
        let hash = leaf_hash(&[&prev, payload.as_slice(), &personal].concat()).0.as_bytes().to_vec();
        Ok(Self { index, prev, hash, payload, personal })
    }
}

/// Who is called what in an event.
fn personal(payload: &[u8]) -> Result<Vec<u8>> {
    let event: Value = serde_json::from_slice(payload)?;
    let targets = event["target"].as_array().into_iter().flatten();
    let called = [&event["actor"]].into_iter().chain(targets).filter_map(|who| {
        let login = who["alternateId"].as_str().or(who["displayName"].as_str())?;
        Some((who["id"].as_str()?, login))
    });
    Ok(serde_json::to_vec(&called.collect::<BTreeMap<_, _>>())?)
}

/// Both figures of the chain.
pub fn measure(folder: &Path, clients: &Runtime, postgres: &Postgres, events: usize) -> Result<Vec<Figure>> {
    let file = folder.join("events.jsonl");
    import::write_events(&file, okta_events(SEED).take(events))?;
    let mut rounds = Rounds::default();
    for round in 1..=ROUNDS {
        let location = subject::create(&folder.join(format!("ledger{round}")))?;
        let ledger = subject::open(&location)?;
        let (ours, _) = timed(|| subject::import_okta(&ledger, &file, events))?;
        drop(ledger);
        std::fs::remove_dir_all(&location.data)?;
        let theirs = fill(clients, postgres, &file, events)?;
        tell(&format!("round {round}: acknowledged {ours:.2?}, COPY of {BATCH_EVENTS} into a hash chain {theirs:.2?}"));
        rounds.push(ours, theirs);
    }
    let name = format!("import, acknowledged, against COPY of {BATCH_EVENTS} into a hash chain in PostgreSQL");
    let filled = rounds.at_least(1.0, &name, events as f64, "events/s");

    let location = subject::create(&folder.join("appended"))?;
    let served = Served::start(&location)?;
    let (mut ours_of, mut theirs_of) = (okta_events(SEED_APPENDED), okta_events(SEED_APPENDED));
    let mut rounds = Rounds::default();
    for round in 1..=APPENDING_ROUNDS {
        let ours = appends::at_once(&served, &mut ours_of, APPENDING, APPENDED)?;
        let theirs = append_at_once(clients, postgres, &mut theirs_of)?;
        tell(&format!("round {round}: {APPENDING} clients {ours:.2?}, as many on the chain's head {theirs:.2?}"));
        rounds.push(ours, theirs);
    }
    served.stop()?;
    let name = format!("Append over gRPC, {APPENDING} clients, against as many on a chain's head in PostgreSQL");
    Ok(vec![filled, rounds.at_least(10.0, &name, (APPENDING * APPENDED) as f64, "events/s")])
}

/// How long it takes until a chain of all events is committed.
fn fill(clients: &Runtime, postgres: &Postgres, file: &Path, events: usize) -> Result<Duration> {
    let client = clients.block_on(postgres.connect())?;
    clients.block_on(client.batch_execute(TABLES))?;
    let copy = clients.block_on(client.prepare("COPY chain FROM STDIN (FORMAT binary)"))?;
    let (taken, ()) = timed(|| {
        let (ready, batches) = mpsc::channel(BATCHES_AHEAD);
        std::thread::scope(|scope| {
            let preparing = scope.spawn(|| prepare(file, ready));
            clients.block_on(send(&client, &copy, batches))?;
            preparing.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic))
        })
    })?;
    let count: i64 = clients.block_on(client.query_one("SELECT count(*) FROM chain", &[]))?.get(0);
    ensure!(count == events as i64, "expected {events} rows, got {count}");
    Ok(taken)
}

/// Reads, chains and hashes events, a batch ahead of what is sent.
fn prepare(file: &Path, ready: mpsc::Sender<Vec<Row>>) -> Result<()> {
    let mut lines = BufReader::new(File::open(file)?).split(b'\n');
    let (mut index, mut prev) = (0, vec![0; 32]);
    loop {
        let mut batch = Vec::with_capacity(BATCH_EVENTS);
        for line in lines.by_ref().take(BATCH_EVENTS) {
            let row = Row::new(index, prev, line?)?;
            prev = row.hash.clone();
            index += 1;
            batch.push(row);
        }
        if batch.is_empty() {
            return Ok(());
        }
        ready.blocking_send(batch).ok().context("nobody sends the batches")?;
    }
}

async fn send(client: &Client, copy: &Statement, mut batches: mpsc::Receiver<Vec<Row>>) -> Result<()> {
    while let Some(batch) = batches.recv().await {
        let mut rows = pin!(BinaryCopyInWriter::new(client.copy_in(copy).await?, &COLUMNS));
        for Row { index, prev, hash, payload, personal } in &batch {
            rows.as_mut().write(&[index, prev, hash, payload, personal]).await?;
        }
        rows.as_mut().finish().await?;
    }
    Ok(())
}

/// How long as many clients take for as many events, each by itself at the head of the chain.
fn append_at_once(
    clients: &Runtime,
    postgres: &Postgres,
    events: &mut impl Iterator<Item = Vec<u8>>,
) -> Result<Duration> {
    let client = clients.block_on(postgres.connect())?;
    clients.block_on(client.batch_execute(TABLES))?;
    let mut of_clients: Vec<Vec<Vec<u8>>> = (0..APPENDING).map(|_| events.by_ref().take(APPENDED).collect()).collect();
    let appending = clients.block_on(async {
        let mut appending = Vec::new();
        for client in postgres.connect_often(APPENDING).await? {
            appending.push(Appending::new(client).await?);
        }
        Ok::<_, anyhow::Error>(appending)
    })?;
    let taken = at_once(clients, appending, |number, appending| {
        let events = std::mem::take(&mut of_clients[number]);
        async move {
            for event in events {
                appending.append(event).await?;
            }
            Ok(())
        }
    })?;
    let size: i64 = clients.block_on(client.query_one("SELECT size FROM head", &[]))?.get(0);
    ensure!(size == (APPENDING * APPENDED) as i64, "expected every event in the chain, got {size}");
    Ok(taken)
}

/// A client that appends.
struct Appending {
    client: Client,
    lock: Statement,
    insert: Statement,
    update: Statement,
}

impl Appending {
    async fn new(client: Client) -> Result<Self> {
        Ok(Self {
            lock: client.prepare("SELECT size, hash FROM head FOR UPDATE").await?,
            insert: client.prepare("INSERT INTO chain VALUES ($1, $2, $3, $4, $5)").await?,
            update: client.prepare("UPDATE head SET size = $1, hash = $2").await?,
            client,
        })
    }

    /// Two round trips: what can be sent together is.
    async fn append(&self, event: Vec<u8>) -> Result<()> {
        let client = &self.client;
        let begun = client.batch_execute("BEGIN");
        let ((), head) = tokio::try_join!(biased; begun, client.query_one(&self.lock, &[]))?;
        let row = Row::new(head.get(0), head.get(1), event)?;
        let Row { index, prev, hash, payload, personal } = &row;
        let size = index + 1;
        let values: [&(dyn ToSql + Sync); 5] = [index, prev, hash, payload, personal];
        let head: [&(dyn ToSql + Sync); 2] = [&size, hash];
        let inserted = client.execute(&self.insert, &values);
        let updated = client.execute(&self.update, &head);
        tokio::try_join!(biased; inserted, updated, client.batch_execute("COMMIT"))?;
        Ok(())
    }
}
