//! Clients that append events to a server, many at a time, as fast as it takes them.
//!
//! Events are taken from their source as they are sent: no more of them are in memory than are on their way.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use anyhow::{Context, Result, ensure};
use counterfoil_proto::v1::ingest_service_client::IngestServiceClient;
use counterfoil_proto::v1::{AppendRequest, Appended};
use tokio::runtime::Runtime;
use tokio::task::JoinHandle;
use tonic::transport::{Channel, Endpoint};

/// Clients, each with a connection of its own and one request on its way.
const CLIENTS: usize = 4;
/// Events of a request.
const REQUEST_EVENTS: usize = 1_000;

/// Clients that are running.
pub struct Feeder {
    runtime: Runtime,
    clients: Vec<JoinHandle<Result<()>>>,
    acknowledged: Arc<AtomicU64>,
}

impl Feeder {
    /// Starts clients of the server at `url` that append events until there are none any more, or until it is gone.
    pub fn start(url: &str, events: impl Iterator<Item = Vec<u8>> + Send + 'static) -> Result<Self> {
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build()?;
        let (events, acknowledged) = (Arc::new(Mutex::new(events)), Arc::<AtomicU64>::default());
        let mut clients = Vec::new();
        for _ in 0..CLIENTS {
            let channel = runtime.block_on(Endpoint::from_shared(url.to_owned())?.tcp_nodelay(true).connect())?;
            clients.push(runtime.spawn(feed(channel, events.clone(), acknowledged.clone())));
        }
        Ok(Self { runtime, clients, acknowledged })
    }

    /// How many events were acknowledged so far.
    pub fn acknowledged(&self) -> u64 {
        self.acknowledged.load(Ordering::Relaxed)
    }

    /// Whether every client has ended, well or not.
    pub fn has_ended(&self) -> bool {
        self.clients.iter().all(JoinHandle::is_finished)
    }

    /// Waits until all clients have ended. It fails as the first of them that failed.
    pub fn end(self) -> Result<()> {
        let Self { runtime, clients, .. } = self;
        clients.into_iter().try_for_each(|client| runtime.block_on(client)?)
    }
}

async fn feed(
    channel: Channel,
    events: Arc<Mutex<impl Iterator<Item = Vec<u8>>>>,
    acknowledged: Arc<AtomicU64>,
) -> Result<()> {
    let mut ingest = IngestServiceClient::new(channel);
    loop {
        let documents: Vec<Vec<u8>> =
            events.lock().unwrap_or_else(PoisonError::into_inner).by_ref().take(REQUEST_EVENTS).collect();
        if documents.is_empty() {
            return Ok(());
        }
        let count = documents.len();
        let request = AppendRequest { connector: "okta".to_owned(), documents, backfill: true, ..Default::default() };
        let receipt = ingest.append(request).await.context("append")?.into_inner();
        let recorded = receipt.events.iter().filter(|event| event.outcome() == Appended::Recorded).count();
        ensure!(recorded == count, "expected {count} events to be recorded, and {recorded} were");
        acknowledged.fetch_add(count as u64, Ordering::Relaxed);
    }
}
