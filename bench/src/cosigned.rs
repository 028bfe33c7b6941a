//! How soon an append is provable, and how soon a checkpoint is cosigned: by the program as processes, a ledger's, those of
//! three witnesses, and a replayer's.

use std::fs;
use std::net::TcpListener;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use counterfoil_proto::v1::AppendRequest;
use counterfoil_proto::v1::ingest_service_client::IngestServiceClient;
use counterfoil_scenario::okta_events;
use counterfoil_tests::program::{LedgerFolder, command};
use counterfoil_tests::server::Server;
use counterfoil_verify::attest::Attested;
use counterfoil_verify::note::{CosigningKey, KeyName};
use counterfoil_verify::policy::Policy;
use tokio::runtime::Runtime;
use tokio::task::JoinSet;
use tokio::time::{Instant, MissedTickBehavior, interval, sleep};
use tonic::transport::{Channel, Endpoint};

use crate::figure::Figure;
use crate::process;
use crate::stopwatch::tell;

const WITNESSES: u8 = 3;
/// Clients at full load, each with one event on its way, and how many events each sends.
const CLIENTS: usize = 64;
const EACH: usize = 200;
/// How long half of that load lasts.
const HALF: Duration = Duration::from_secs(10);
/// Checkpoints that are waited for, and how long it is from one to the next.
const CHECKPOINTS: usize = 100;
const PAUSE: Duration = Duration::from_millis(150);
/// How often it is looked whether one is cosigned, and how often at most.
const STEP: Duration = Duration::from_millis(2);
const STEPS_MAX: usize = 10_000;
/// The seed of the events that are appended.
const SEED: u64 = 900;

/// The figures.
pub fn measure() -> Result<Vec<Figure>> {
    let ledger = LedgerFolder::init();
    let own = fs::read_to_string(ledger.policy())?;
    let folders: Vec<LedgerFolder> = (0..WITNESSES).map(|_| LedgerFolder::empty()).collect();
    let witnesses: Vec<Server> =
        folders.iter().map(|folder| Server::witness(folder, &ledger.policy(), "127.0.0.1:0")).collect();
    let mut policy = own.replace("quorum none\n", "");
    for (number, (folder, witness)) in folders.iter().zip(&witnesses).enumerate() {
        let key = fs::read_to_string(folder.data().join("cosigner.key"))?;
        let key = CosigningKey::parse(key.trim_end())?.verifier_key();
        policy += &format!("witness w{number} {key} {}\n", witness.url());
    }
    let replayer_key = CosigningKey::from_seed(KeyName::new("replayer.example/r")?, &[9; 32]);
    let address = TcpListener::bind("127.0.0.1:0")?.local_addr()?.to_string();
    policy += &format!(
        "group all all w0 w1 w2\nquorum all\n#counterfoil replayer r {} http://{address}\n#counterfoil replayer-quorum r\n",
        replayer_key.verifier_key()
    );
    let file = ledger.file("cosigned.policy", &policy);
    let mut sealing = command();
    sealing.env_remove("COUNTERFOIL_SEAL");
    let with_witnesses = ["--listen".as_ref(), "127.0.0.1:0".as_ref(), "--witnesses".as_ref(), file.as_os_str()];
    let server = Server::start_as(sealing, &ledger, &with_witnesses);
    let replica = LedgerFolder::empty();
    let folder = replica.beside("replayer");
    fs::create_dir_all(&folder)?;
    fs::write(folder.join("cosigner.key"), format!("{}\n", *replayer_key.to_text()))?;
    let further = ["--replayer".as_ref(), folder.as_os_str(), "--replayer-listen".as_ref(), address.as_ref()];
    let replayer = Server::query(&replica, &ledger.policy(), &server.url(), &further);

    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build()?;
    let policy = Policy::parse(policy.as_bytes())?;
    let mut events = okta_events(SEED);
    let cosigned = cosigned(&runtime, &server, &policy, &mut events)?;
    let provable = provable(&runtime, &server, &mut events)?;
    replayer.stop();
    server.stop();
    witnesses.into_iter().for_each(|witness| drop(witness.stop()));
    Ok(vec![provable, cosigned])
}

/// How long it takes from an append until a checkpoint that covers it has every cosignature.
fn cosigned(
    runtime: &Runtime,
    server: &Server,
    policy: &Policy,
    events: &mut impl Iterator<Item = Vec<u8>>,
) -> Result<Figure> {
    let mut taken = Vec::new();
    runtime.block_on(async {
        let mut ingest = IngestServiceClient::new(connect(server).await?);
        for number in 0..=CHECKPOINTS {
            let start = Instant::now();
            let size = append(&mut ingest, events.next().context("there are events")?).await?;
            let mut steps = 0;
            loop {
                let answer = process::get(&server.address, "/checkpoint")?;
                let (_, note) = answer.split_once("\r\n\r\n").context("an answer has a body")?;
                let attested = Attested::open(note.as_bytes(), policy).ok();
                if attested.is_some_and(|attested| attested.is_replayed && attested.checkpoint.size.0 >= size) {
                    break;
                }
                steps += 1;
                ensure!(steps < STEPS_MAX, "expected a checkpoint of {size} records to be cosigned");
                sleep(STEP).await;
            }
            // The first waits for everybody to have begun.
            if number > 0 {
                taken.push(start.elapsed());
            }
            sleep(PAUSE).await;
        }
        anyhow::Ok(())
    })?;
    let name = format!("a checkpoint cosigned by {WITNESSES} local witnesses and a replayer, p99 of {CHECKPOINTS}");
    Ok(Figure::within(2.0, &name, p99(taken).as_secs_f64(), "s"))
}

/// How long a client waits for a receipt, whose checkpoint covers its record, where events come at half the rate that the
/// server can take. The time runs from when the event should have been sent.
fn provable(runtime: &Runtime, server: &Server, events: &mut impl Iterator<Item = Vec<u8>>) -> Result<Figure> {
    let channels: Vec<Channel> = (0..CLIENTS).map(|_| runtime.block_on(connect(server))).collect::<Result<Vec<_>>>()?;
    let (taken, ()) = crate::stopwatch::timed(|| {
        let of_clients: Vec<Vec<Vec<u8>>> = (0..CLIENTS).map(|_| events.by_ref().take(EACH).collect()).collect();
        runtime.block_on(async {
            let mut clients = JoinSet::new();
            for (channel, own) in channels.iter().cloned().zip(of_clients) {
                clients.spawn(async move {
                    let mut ingest = IngestServiceClient::new(channel);
                    for event in own {
                        append(&mut ingest, event).await?;
                    }
                    anyhow::Ok(())
                });
            }
            while let Some(ended) = clients.join_next().await {
                ended??;
            }
            anyhow::Ok(())
        })
    })?;
    let full = (CLIENTS * EACH) as f64 / taken.as_secs_f64();
    tell(&format!("{CLIENTS} clients: {full:.0} events a second; half of that for {HALF:?}"));
    let count = (full / 2.0 * HALF.as_secs_f64()) as usize;
    let own: Vec<Vec<u8>> = events.by_ref().take(count).collect();
    let channels = Arc::new(channels);
    let waited = runtime.block_on(async {
        let mut ticks = interval(HALF.div_f64(count.max(1) as f64));
        ticks.set_missed_tick_behavior(MissedTickBehavior::Burst);
        let mut appends = JoinSet::new();
        for (number, event) in own.into_iter().enumerate() {
            let due = ticks.tick().await;
            let channels = channels.clone();
            appends.spawn(async move {
                let channel = channels[number % CLIENTS].clone();
                append(&mut IngestServiceClient::new(channel), event).await?;
                anyhow::Ok(due.elapsed())
            });
        }
        let mut waited = Vec::new();
        while let Some(ended) = appends.join_next().await {
            waited.push(ended??);
        }
        anyhow::Ok(waited)
    })?;
    let name = format!("receipt with a checkpoint that covers it, at half load ({:.0} events/s), p99", full / 2.0);
    Ok(Figure::within(50.0, &name, p99(waited).as_secs_f64() * 1e3, "ms"))
}

/// Appends an event; gives the size of a tree that its receipt shows it to be in.
async fn append(ingest: &mut IngestServiceClient<Channel>, event: Vec<u8>) -> Result<u64> {
    let request = AppendRequest { connector: "okta".to_owned(), documents: vec![event], ..AppendRequest::default() };
    let receipt = ingest.append(request).await?.into_inner();
    let index = receipt.events.first().context("a receipt has its event")?.index;
    let size = receipt.basis.context("a receipt has a basis")?.tree_size;
    ensure!(size > index, "expected the receipt's checkpoint to cover record {index}, and it has {size}");
    Ok(size)
}

async fn connect(server: &Server) -> Result<Channel> {
    Ok(Endpoint::from_shared(server.url())?.tcp_nodelay(true).connect().await?)
}

fn p99(mut durations: Vec<Duration>) -> Duration {
    durations.sort_unstable();
    let place = (durations.len() * 99).div_ceil(100).saturating_sub(1);
    durations.get(place).copied().unwrap_or_default()
}
