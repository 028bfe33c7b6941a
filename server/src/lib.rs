//! Counterfoil's services on one port.
//!
//! `Server` puts the services of `counterfoil-query` and of `counterfoil-ingest`, or those of one of them, on a port, over
//! one log: gRPC and HTTP. It keeps the views up to date while the log grows, and tells how it is doing. It answers no question and reads
//! no event itself.
#![deny(missing_docs)]

use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::middleware::{from_fn, from_fn_with_state};
use axum::routing::get;
use counterfoil_ingest::intake::Intake;
use counterfoil_ingest::retry::Retries;
use counterfoil_ingest::sources::grpc::Ingest;
use counterfoil_ingest::sources::pages::Listings;
use counterfoil_ledger::Reader;
use counterfoil_proto::DESCRIPTORS;
use counterfoil_query::services::{Answers, Log};
use counterfoil_verify::time::Moment;
use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio::task::JoinHandle;
use tokio_rustls::TlsAcceptor;
use tonic::service::RoutesBuilder;

mod access;
mod deadline;
mod discreet;
mod framed;
mod gather;
mod health;
mod hooks;
mod json;
mod listen;
mod metrics;
mod offer;
mod openapi;
mod otlp;
mod projection;
mod requests;
mod room;
mod rpc;
mod snapshots;
mod tiles;
mod tls;
pub mod tokens;
mod witness;
mod witnesses;

pub use offer::{Events, Offer};
pub use otlp::{Otlp, Transport};
pub use tls::{TlsError, TlsFiles};
pub use witness::WitnessServer;
pub use witnesses::Witnesses;

use access::Guard;
use access::keeper::Keeper;
use access::table::Table;
use framed::Bounds;
use health::Health;
use metrics::Metrics;
use otlp::Exporter;
use projection::Projection;
use requests::Watch;
use room::Room;
use witnesses::Asking;

/// How long calls in flight may take to end once the server is told to stop.
const DRAIN: Duration = Duration::from_secs(10);

/// Why a server cannot serve, or had to stop.
#[derive(Debug, thiserror::Error)]
pub enum ServerError {
    /// The address cannot be listened on.
    #[error("cannot listen on {address}: {source}")]
    Listen {
        /// The address.
        address: SocketAddr,
        /// Why not.
        source: std::io::Error,
    },
    /// Whoever can reach the address could read along, or read and write everything.
    #[error(
        "{address} can be reached from other machines, and {missing}: listen on 127.0.0.1, or give --tls-cert and --tls-key, \
         and say who may call with `counterfoil token create`"
    )]
    Open {
        /// The address.
        address: SocketAddr,
        /// What is missing.
        missing: &'static str,
    },
    /// Nobody can be asked to cosign.
    #[error("the policy of witnesses cannot be used: {0}")]
    Witnesses(String),
    /// A witness has no certificate of its own.
    #[error(
        "{address} can be reached from other machines: let the witness listen on 127.0.0.1, and a proxy with a certificate before it"
    )]
    WitnessOpen {
        /// The address.
        address: SocketAddr,
    },
    /// Clients may show certificates, and nothing says what they may do.
    #[error("--client-ca says who clients are, and nothing says what they may do: `counterfoil token create` does")]
    NoTokens,
    /// There is no TLS as it was asked for.
    #[error(transparent)]
    Tls(#[from] TlsError),
    /// It cannot be told who may call.
    #[error("it cannot be told who may call: {0}")]
    Tokens(#[from] tokens::TokensError),
    /// The descriptors of the services are damaged, which is a defect.
    #[error("the descriptors of the services cannot be read: {0}")]
    Descriptors(#[from] tonic_reflection::server::Error),
    /// Requests cannot be counted, which is a defect.
    #[error("nothing can be measured: {0}")]
    Metrics(String),
    /// A method of the services cannot be served, which is a defect.
    #[error("the methods of the services cannot be served: {0}")]
    Methods(String),
}

/// What stands between a server and whoever reaches its address.
#[derive(Clone, Debug, Default)]
pub struct Protection {
    /// The files of TLS, if it speaks TLS.
    pub tls: Option<TlsFiles>,
    /// The file that says who may call. Without one, whoever calls from the same machine may do everything.
    pub tokens: Option<PathBuf>,
}

/// What a server gets from the program that runs it: it reads no clock and draws no randomness itself.
pub struct Environment {
    /// The time of questions and of pushes.
    pub now: fn() -> Moment,
    /// Randomness that was never used before.
    pub entropy: fn() -> [u8; 32],
    /// Where metrics and spans are sent, if they are.
    pub otlp: Option<Otlp>,
}

/// An address that is listened on.
pub struct Listener {
    socket: TcpListener,
    tls: Option<TlsAcceptor>,
    tokens: Option<PathBuf>,
}

impl Listener {
    /// The address, with the port that was taken.
    ///
    /// # Errors
    /// If the operating system does not tell.
    pub fn address(&self) -> std::io::Result<SocketAddr> {
        self.socket.local_addr()
    }

    /// Which URLs lead there: http or https.
    pub fn scheme(&self) -> &'static str {
        if self.tls.is_some() { "https" } else { "http" }
    }

    /// Whether callers are asked who they are.
    pub fn asks(&self) -> bool {
        self.tokens.is_some()
    }
}

/// Listens on an address.
///
/// # Errors
/// [`ServerError`] if that is impossible, or would let in whoever can reach it.
pub async fn listen(address: SocketAddr, protection: &Protection) -> Result<Listener, ServerError> {
    if !address.ip().is_loopback() {
        let open = |missing| Err(ServerError::Open { address, missing });
        if protection.tls.is_none() {
            return open("whoever is on the way would read along");
        }
        if protection.tokens.is_none() {
            return open("nothing would ask who calls");
        }
    }
    if protection.tls.as_ref().is_some_and(|tls| tls.client_ca.is_some()) && protection.tokens.is_none() {
        return Err(ServerError::NoTokens);
    }
    let tls = protection.tls.as_ref().map(tls::config).transpose()?.map(TlsAcceptor::from);
    let socket = TcpListener::bind(address).await.map_err(|source| ServerError::Listen { address, source })?;
    Ok(Listener { socket, tls, tokens: protection.tokens.clone() })
}

/// A server that listens already, and serves once it is run.
pub struct Server {
    socket: TcpListener,
    tls: Option<TlsAcceptor>,
    router: Router,
    stopping: watch::Sender<bool>,
    keeper: Option<Keeper>,
    projection: Projection,
    health: Health,
    metrics: Metrics,
    asking: Option<Asking>,
    exporter: Option<Exporter>,
}

impl Server {
    /// A server of a log. Its views are brought up to date while it serves.
    ///
    /// # Errors
    /// [`ServerError::Tokens`] if it cannot be told who may call; [`ServerError::Witnesses`] if nobody can be asked to
    /// cosign; [`ServerError::Descriptors`],
    /// [`ServerError::Methods`] and [`ServerError::Metrics`] are defects.
    pub fn new(
        listener: Listener,
        log: Reader,
        offer: Offer,
        mut environment: Environment,
    ) -> Result<Self, ServerError> {
        let Listener { socket, tls, tokens } = listener;
        let origin = log.head().origin;
        let keeper = tokens.map(|path| Keeper::open(&path, origin.as_str())).transpose()?;
        let pool = rpc::pool()?;
        let rpcs = rpc::all(&pool)?;
        let guard = Guard::new(Table::new(&rpcs)?, keeper.clone(), environment.now);
        let services = offer.services();
        let Offer { events, views, following, witnesses } = offer;
        let asking = witnesses.map(|witnesses| Asking::new(witnesses, log.clone())).transpose()?;
        let projection = Projection::new(log.clone(), views.clone());
        let condition = events.as_ref().map(|events| events.ledger.condition());
        let (health, health_service) = Health::new(services.clone(), projection.clone(), condition, following.clone());

        let mut routes = RoutesBuilder::default();
        let stopping = watch::Sender::new(false);
        let tiled = log.clone();
        Log::new(log, projection.head(), stopping.subscribe()).add_to(&mut routes);
        if let Some(views) = views {
            Answers::new(views, projection.progress(), environment.now).add_to(&mut routes);
        }
        let intake = events.map(|Events { ledger, hooks, clusters, backups }| {
            let intake = Arc::new(Intake::new(ledger, environment.now, environment.entropy));
            let listings = Listings::new(intake.clone());
            let retries = Retries::new(intake.clone(), clusters);
            routes.add_service(Ingest::server(intake.clone(), listings.clone(), retries, backups));
            (intake, listings, hooks)
        });
        routes.add_service(health_service);
        let reflection = || {
            tonic_reflection::server::Builder::configure()
                .register_encoded_file_descriptor_set(DESCRIPTORS)
                .register_encoded_file_descriptor_set(tonic_health::pb::FILE_DESCRIPTOR_SET)
        };
        routes.add_service(reflection().build_v1()?);
        routes.add_service(reflection().build_v1alpha()?);

        let (live, ready) = (health.clone(), health.clone());
        let metrics = Metrics::install(projection.clone(), following, (environment.now)())?;
        let rendered = metrics.clone();
        let otlp = environment.otlp.take();
        let exporting = otlp.map(|otlp| Exporter::new(otlp, origin.as_str(), metrics.clone(), &environment));
        let (exporter, spans) = exporting.unzip();
        let mut routes = routes.routes();
        offer::refuse_others(&mut routes, &services, &rpcs);
        let routes = routes.prepare();
        let room = Room::new();
        let router = json::add_to(routes.clone().into_axum_router(), &rpcs, &routes, &room)?;
        let router = match intake {
            Some((intake, listings, hooks)) => {
                let router = snapshots::add_to(router, &pool, listings, room.clone())?;
                hooks::add_to(router, intake, room.clone(), hooks)
            }
            None => offer::refuse_events(router, &services),
        };
        let router = tiles::add_to(router, tiled)
            .route("/openapi.json", get(openapi::serve(&openapi::document()?)))
            .route("/metrics", get(move || rendered.clone().text()))
            .route("/healthz", get(move || async move { live.live() }))
            .route("/readyz", get(move || async move { ready.ready() }))
            .layer(from_fn_with_state(Arc::new(Bounds::new(&rpcs, room)), framed::bound))
            .layer(from_fn(deadline::keep))
            .layer(from_fn_with_state(Arc::new(guard), access::guard))
            .layer(from_fn(json::problem::translate))
            .layer(from_fn_with_state(Arc::new(Watch::new(&rpcs, spans)), requests::watch));
        Ok(Self { socket, tls, router, stopping, keeper, projection, health, metrics, asking, exporter })
    }

    /// Serves until `stop` is there, and then lets calls in flight end.
    ///
    /// # Errors
    /// The ledger takes no more appends, after a failure of which only a restart can tell what became durable.
    pub async fn run(self, stop: impl Future<Output = ()>) -> std::io::Result<()> {
        let health = self.health.clone();
        let (closed, failed) = tokio::sync::oneshot::channel();
        let stop = async move {
            tokio::select! {
                () = stop => {}
                why = health.closed() => drop(closed.send(why)),
            }
            self.stopping.send_replace(true);
        };
        let (stop_projecting, stopped) = tokio::sync::oneshot::channel::<()>();
        let projecting = tokio::spawn(self.projection.run(async {
            // Nobody sends anything: the other end goes.
            let _ = stopped.await;
        }));
        let mut tasks = vec![tokio::spawn(self.health.watch()), tokio::spawn(self.metrics.keep())];
        tasks.extend(self.keeper.map(|keeper| tokio::spawn(keeper.follow())));
        tasks.extend(self.asking.map(|asking| tokio::spawn(asking.run())));
        let (ended, end) = tokio::sync::oneshot::channel::<()>();
        let exporting = self.exporter.map(|exporter| tokio::spawn(exporter.run(end)));
        listen::serve(self.socket, self.tls, self.router, stop, DRAIN).await;
        tasks.iter().for_each(JoinHandle::abort);
        drop(stop_projecting);
        // It only reads the log, and says itself what fails.
        let _ = projecting.await;
        drop(ended);
        if let Some(exporting) = exporting {
            // It sends what is left, and ends by itself.
            let _ = exporting.await;
        }
        failed
            .await
            .map_or(Ok(()), |why| Err(std::io::Error::other(format!("the ledger takes no more appends: {why}"))))
    }
}
