//! What the services cost whoever calls them: a question and an append over gRPC, against calls that do nothing, and
//! against syncing the same bytes.

use std::future::Future;
use std::io::Write;
use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use counterfoil_ledger::{Location, SystemClock};
use counterfoil_proto::v1::identity_service_client::IdentityServiceClient;
use counterfoil_proto::v1::ingest_service_client::IngestServiceClient;
use counterfoil_proto::v1::{AppendRequest, GetStateRequest, ListIdentitiesRequest};
use counterfoil_query::Views;
use counterfoil_scenario::okta_events;
use counterfoil_server::{Environment, Events, Offer, Protection, Server, listen};
use pbjson_types::Timestamp;
use tokio::runtime::Runtime;
use tokio::sync::oneshot;
use tonic::transport::{Channel, Endpoint};
use tonic_health::pb::HealthCheckRequest;
use tonic_health::pb::health_client::HealthClient;

use crate::figure::{Figure, Rounds};
use crate::stopwatch::{median, tell, timed, timed_briefly};
use crate::{raw, subject};

/// Rounds of each figure: one client's latency jumps with the placement of threads.
const ROUNDS: usize = 5;
/// Calls of one client in a round.
const CALLS: usize = 1_000;
/// Appends of one client in a round.
const APPENDS: usize = 200;
/// Clients that ask at the same time, each over a connection of its own, and the calls of each.
const ASKING: usize = 32;
const ASKED: usize = 250;
/// Clients that append at the same time, and the appends of each.
const APPENDING: usize = 64;
const APPENDED: usize = 40;
/// An event's bytes in a synced write.
const EVENT_BYTES: usize = 600;
/// The seed of the events that are appended: not those that were imported.
const SEED: u64 = 77;

/// The services over a ledger that was filled.
pub fn measure(location: &Location) -> Result<Vec<Figure>> {
    let served = Served::start(location)?;
    let mut figures = Vec::new();
    figures.extend(served.questions()?);
    figures.extend(served.appends(&location.data.with_extension("synced"))?);
    served.stop()?;
    Ok(figures)
}

/// A server in a runtime of its own, and the clients in another.
pub struct Served {
    pub clients: Runtime,
    server: Runtime,
    running: tokio::task::JoinHandle<std::io::Result<()>>,
    stop: oneshot::Sender<()>,
    address: SocketAddr,
}

impl Served {
    pub fn start(location: &Location) -> Result<Self> {
        let server = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
        let clients = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
        let ledger = Arc::new(subject::open(location)?);
        let views = Arc::new(Views::open(&location.views(), ledger.reader())?);
        views.catch_up(&mut |_, _| ())?;
        let listener = server.block_on(listen(SocketAddr::from(([127, 0, 0, 1], 0)), &Protection::default()))?;
        let address = listener.address()?;
        let environment = Environment { now: SystemClock::wall, entropy, otlp: None };
        let events = Events { ledger: ledger.clone(), hooks: Vec::new(), clusters: Vec::new() };
        let offer = Offer { events: Some(events), views: Some(views), following: None };
        let (stop, stopped) = oneshot::channel::<()>();
        let service = server.block_on(async { Server::new(listener, ledger.reader(), offer, environment) })?;
        let running = server.spawn(service.run(async {
            // Whoever would tell it to stop is gone: that is the same.
            let _ = stopped.await;
        }));
        let served = Self { clients, server, running, stop, address };
        served.clients.block_on(async { wait_until_ready(served.connect().await?).await })?;
        Ok(served)
    }

    pub fn stop(self) -> Result<()> {
        ensure!(self.stop.send(()).is_ok(), "expected the server to run until it is told to stop");
        Ok(self.server.block_on(self.running).context("the server ended badly")??)
    }

    pub async fn connect(&self) -> Result<Channel> {
        Ok(Endpoint::from_shared(format!("http://{}", self.address))?.tcp_nodelay(true).connect().await?)
    }

    fn questions(&self) -> Result<Vec<Figure>> {
        let requests = Arc::new(self.clients.block_on(async { questions(self.connect().await?).await })?);
        let mut rounds = Rounds::default();
        for round in 1..=ROUNDS {
            let channel = self.clients.block_on(self.connect())?;
            let mut identity = IdentityServiceClient::new(channel.clone());
            let mut health = HealthClient::new(channel);
            let (mut asked, mut empty) = (Vec::new(), Vec::new());
            for call in 0..CALLS {
                let request = requests[call * 7_919 % requests.len()].clone();
                asked.push(timed_briefly(|| Ok(self.clients.block_on(identity.get_state(request))?))?);
                let request = HealthCheckRequest::default();
                empty.push(timed_briefly(|| Ok(self.clients.block_on(health.check(request))?))?);
            }
            let (asked, empty) = (median(asked), median(empty));
            tell(&format!("round {round}: GetState {asked:.1?}, an empty call {empty:.1?}"));
            rounds.push(asked, empty);
        }
        let one = rounds.at_most(1.6, "GetState over gRPC, one client, p50");

        let mut rounds = Rounds::default();
        for round in 1..=ROUNDS {
            let all = requests.clone();
            let asked = self.at_once(ASKING, move |client, channel| {
                let (requests, mut identity) = (all.clone(), IdentityServiceClient::new(channel));
                async move {
                    for call in 0..ASKED {
                        let request = requests[(client * ASKED + call) * 7_919 % requests.len()].clone();
                        identity.get_state(request).await?;
                    }
                    Ok(())
                }
            })?;
            let empty = self.at_once(ASKING, |_, channel| {
                let mut health = HealthClient::new(channel);
                async move {
                    for _ in 0..ASKED {
                        health.check(HealthCheckRequest::default()).await?;
                    }
                    Ok(())
                }
            })?;
            tell(&format!("round {round}: {ASKING} clients {asked:.2?}, empty calls {empty:.2?}"));
            rounds.push(asked, empty);
        }
        let name = format!("GetState over gRPC, {ASKING} clients");
        Ok(vec![one, rounds.at_least(0.5, &name, (ASKING * ASKED) as f64, "calls/s")])
    }

    fn appends(&self, synced: &Path) -> Result<Vec<Figure>> {
        std::fs::create_dir_all(synced)?;
        let mut events = okta_events(SEED);
        let mut rounds = Rounds::default();
        for round in 1..=ROUNDS {
            let channel = self.clients.block_on(self.connect())?;
            let mut ingest = IngestServiceClient::new(channel.clone());
            let mut health = HealthClient::new(channel);
            let mut file = std::fs::File::create(synced.join("one"))?;
            let (mut appended, mut syncs, mut empty) = (Vec::new(), Vec::new(), Vec::new());
            for event in events.by_ref().take(APPENDS) {
                let request = append(event);
                appended.push(timed_briefly(|| Ok(self.clients.block_on(ingest.append(request))?))?);
                syncs.push(timed_briefly(|| {
                    file.write_all(&[7; EVENT_BYTES])?;
                    Ok(file.sync_data()?)
                })?);
                let request = HealthCheckRequest::default();
                empty.push(timed_briefly(|| Ok(self.clients.block_on(health.check(request))?))?);
            }
            let floor = 2 * median(syncs) + median(empty);
            let appended = median(appended);
            tell(&format!("round {round}: Append {appended:.1?}, two syncs and an empty call {floor:.1?}"));
            rounds.push(appended, floor);
        }
        let one = rounds.at_most(1.5, "Append over gRPC, one client, p50");

        let mut rounds = Rounds::default();
        for round in 1..=ROUNDS {
            let mut of_clients: Vec<Vec<AppendRequest>> =
                (0..APPENDING).map(|_| events.by_ref().take(APPENDED).map(append).collect()).collect();
            let appended = self.at_once(APPENDING, move |client, channel| {
                let (requests, mut ingest) =
                    (std::mem::take(&mut of_clients[client]), IngestServiceClient::new(channel));
                async move {
                    for request in requests {
                        ingest.append(request).await?;
                    }
                    Ok(())
                }
            })?;
            let folder = synced.join(format!("raw{round}"));
            let (put, ()) = timed(|| raw::synced_puts(&folder, APPENDING, APPENDED, EVENT_BYTES))?;
            tell(&format!("round {round}: {APPENDING} clients {appended:.2?}, {APPENDING} threads' puts {put:.2?}"));
            rounds.push(appended, put);
        }
        let name = format!("Append over gRPC, {APPENDING} clients against synced puts");
        Ok(vec![one, rounds.at_least(0.5, &name, (APPENDING * APPENDED) as f64, "events/s")])
    }

    /// How long so many clients take, each with a connection of its own that is there already.
    fn at_once<F>(&self, clients: usize, mut client: impl FnMut(usize, Channel) -> F) -> Result<Duration>
    where
        F: Future<Output = Result<()>> + Send + 'static,
    {
        let mut work = Vec::new();
        for number in 0..clients {
            let channel = self.clients.block_on(self.connect())?;
            work.push(client(number, channel));
        }
        let (taken, ()) = timed(|| {
            self.clients.block_on(async {
                let tasks: Vec<_> = work.into_iter().map(tokio::spawn).collect();
                for task in tasks {
                    task.await??;
                }
                Ok(())
            })
        })?;
        Ok(taken)
    }
}

fn append(event: Vec<u8>) -> AppendRequest {
    AppendRequest { connector: "okta".to_owned(), documents: vec![event], ..AppendRequest::default() }
}

/// A question to every account of the first page, at moments between the first and the last event.
async fn questions(channel: Channel) -> Result<Vec<GetStateRequest>> {
    let mut identity = IdentityServiceClient::new(channel);
    let listed = identity.list_identities(ListIdentitiesRequest::default()).await?.into_inner();
    ensure!(listed.identities.len() > 100, "expected accounts to ask about, got {}", listed.identities.len());
    let question = |(number, party): (usize, counterfoil_proto::v1::Party)| GetStateRequest {
        who: party.id,
        at: Some(Timestamp { seconds: 1_767_225_600 + number as i64 * 3_600, nanos: 0 }),
        ..GetStateRequest::default()
    };
    Ok(listed.identities.into_iter().enumerate().map(question).collect())
}

async fn wait_until_ready(channel: Channel) -> Result<()> {
    let mut identity = IdentityServiceClient::new(channel);
    identity.list_identities(ListIdentitiesRequest { min_tree_size: 2, ..Default::default() }).await?;
    Ok(())
}

fn entropy() -> [u8; 32] {
    let mut bytes = [0; 32];
    getrandom::fill(&mut bytes).expect("the operating system has randomness");
    bytes
}
