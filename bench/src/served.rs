//! The services in this process, and clients that call them over TCP: a runtime for each side.

use std::future::Future;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use counterfoil_ledger::{Location, SystemClock};
use counterfoil_proto::v1::ListIdentitiesRequest;
use counterfoil_proto::v1::identity_service_client::IdentityServiceClient;
use counterfoil_query::Views;
use counterfoil_server::{Environment, Events, Offer, Protection, Server, listen};
use counterfoil_verify::tree::TreeSize;
use tokio::runtime::Runtime;
use tokio::sync::oneshot;
use tonic::transport::{Channel, Endpoint};

use crate::stopwatch::timed;
use crate::subject;

/// A server in a runtime of its own, and the clients in another.
pub struct Served {
    pub clients: Runtime,
    server: Runtime,
    running: tokio::task::JoinHandle<std::io::Result<()>>,
    stop: oneshot::Sender<()>,
    address: SocketAddr,
}

impl Served {
    /// Serves a ledger, once its views have all that is in it.
    pub fn start(location: &Location) -> Result<Self> {
        let server = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
        let clients = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
        let ledger = Arc::new(subject::open(location)?);
        let views = Arc::new(Views::open(&location.views(), ledger.reader())?);
        views.catch_up(&mut |_, _| ())?;
        let listener = server.block_on(listen(SocketAddr::from(([127, 0, 0, 1], 0)), &Protection::default()))?;
        let address = listener.address()?;
        let size = ledger.reader().head().size;
        let environment = Environment { now: SystemClock::wall, entropy: subject::seed_secret, otlp: None };
        let events = Events { ledger: ledger.clone(), hooks: Vec::new(), clusters: Vec::new(), backups: None };
        let offer = Offer { events: Some(events), views: Some(views), ..Offer::default() };
        let (stop, stopped) = oneshot::channel::<()>();
        let service = server.block_on(async { Server::new(listener, ledger.reader(), offer, environment) })?;
        let running = server.spawn(service.run(async {
            // Whoever would tell it to stop is gone: that is the same.
            let _ = stopped.await;
        }));
        let served = Self { clients, server, running, stop, address };
        served.clients.block_on(async { wait_until_ready(served.connect().await?, size).await })?;
        Ok(served)
    }

    pub fn stop(self) -> Result<()> {
        ensure!(self.stop.send(()).is_ok(), "expected the server to run until it is told to stop");
        Ok(self.server.block_on(self.running).context("the server ended badly")??)
    }

    pub async fn connect(&self) -> Result<Channel> {
        let endpoint = Endpoint::from_shared(format!("http://{}", self.address))?.tcp_nodelay(true);
        // As the program's own clients have them.
        Ok(endpoint.initial_stream_window_size(1 << 20).initial_connection_window_size(2 << 20).connect().await?)
    }

    /// How long so many clients take, each with a connection of its own that is there already.
    pub fn at_once<F>(&self, clients: usize, client: impl FnMut(usize, Channel) -> F) -> Result<Duration>
    where
        F: Future<Output = Result<()>> + Send + 'static,
    {
        let channels = (0..clients).map(|_| self.clients.block_on(self.connect())).collect::<Result<Vec<_>>>()?;
        at_once(&self.clients, channels, client)
    }
}

/// How long clients take, each with a connection that is there already.
pub fn at_once<C, F>(clients: &Runtime, connections: Vec<C>, mut client: impl FnMut(usize, C) -> F) -> Result<Duration>
where
    F: Future<Output = Result<()>> + Send + 'static,
{
    let work: Vec<F> =
        connections.into_iter().enumerate().map(|(number, connection)| client(number, connection)).collect();
    let (taken, ()) = timed(|| {
        clients.block_on(async {
            let tasks: Vec<_> = work.into_iter().map(tokio::spawn).collect();
            for task in tasks {
                task.await??;
            }
            Ok(())
        })
    })?;
    Ok(taken)
}

async fn wait_until_ready(channel: Channel, size: TreeSize) -> Result<()> {
    let mut identity = IdentityServiceClient::new(channel);
    identity.list_identities(ListIdentitiesRequest { min_tree_size: size.0, ..Default::default() }).await?;
    Ok(())
}
