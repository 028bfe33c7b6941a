//! What all services do: they listen, tell what they do on stderr, and stop when they are told to.

use std::path::Path;

use anyhow::{Context, Result};
use counterfoil_server::{Environment, Listener, Otlp, Protection, Server, Transport, listen};
use tokio::runtime::Runtime;
use tonic::Status;
use tower::ServiceExt;

use crate::cli::LogFormat;
use crate::config::{Collector, Front};
use crate::{open, output, signals, when};

/// A service that listens, and does nothing yet.
pub struct Service {
    pub runtime: Runtime,
    pub listener: Listener,
    /// How it describes itself to others that find its data folder in use.
    pub holder: String,
    pub started: Started,
}

/// What is told once it serves.
pub struct Started {
    pub address: std::net::SocketAddr,
    scheme: &'static str,
    callers: &'static str,
}

impl Service {
    /// Listens, once what it tells goes somewhere. `tokens` is the file that says who may call, unless the configuration names another.
    pub fn start(verb: &str, front: &Front, tokens: &Path) -> Result<Self> {
        let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
        let listener = runtime.block_on(listen(front.listen, &protection(front, tokens)))?;
        let address = listener.address().context("the address that is listened on cannot be told")?;
        let scheme = listener.scheme();
        let callers = if listener.asks() { "whom the file of tokens names" } else { "whoever is on this machine" };
        let holder = format!("counterfoil {verb}, which answers on {scheme}://{address}, {}", open::since());
        Ok(Self { runtime, listener, holder, started: Started { address, scheme, callers } })
    }
}

/// Why a service ended.
pub enum Ended<T> {
    /// It was told to.
    Told,
    /// What it waited for came to pass.
    ByItself(T),
}

/// Serves until the process is told to stop, or until `end` is there. Needs a runtime of tokio.
pub async fn run<T>(server: Server, told: &Started, end: impl Future<Output = T>) -> Result<Ended<T>> {
    let mut told_to_stop = signals::told_to_stop()?;
    let mut ended = Ended::Told;
    let stop = async {
        tokio::select! {
            // Nobody else can tell it: whoever would is gone only once it has.
            _ = told_to_stop.wait_for(|told| *told) => {}
            end = end => ended = Ended::ByItself(end),
        }
        tracing::info!("stopping: calls in flight may end");
    };
    let Started { address, scheme, callers } = told;
    tracing::info!(%address, scheme, callers, "serving gRPC and HTTP");
    server.run(stop).await?;
    Ok(ended)
}

/// What a server gets from this process. Needs a runtime of tokio.
pub fn environment(verb: &str, front: &Front) -> Result<Environment> {
    let otlp = front.otlp.as_ref().map(|Collector { server, every, percent }| {
        let transport = Transport::new(server.connect_lazily("--otlp-endpoint")?.map_err(Status::from_error));
        let (endpoint, service) = (server.url.clone(), format!("counterfoil-{verb}"));
        anyhow::Ok(Otlp { transport, endpoint, service, every: *every, percent: *percent })
    });
    Ok(Environment { now: when::now, entropy: open::entropy, otlp: otlp.transpose()? })
}

/// What stands between the server and its callers. A file of tokens that is there counts without being named: whoever
/// made it wants callers to be asked.
fn protection(front: &Front, tokens: &Path) -> Protection {
    let beside = Some(tokens.to_owned()).filter(|file| file.exists());
    Protection { tls: front.tls.clone(), tokens: front.tokens.clone().or(beside) }
}

/// Events of the service go to stderr.
pub fn start_log(format: LogFormat) {
    let filter = tracing_subscriber::EnvFilter::try_from_default_env().unwrap_or_else(|_| "info".into());
    let log = tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr).with_target(false);
    match format {
        LogFormat::Text => log.with_ansi(output::is_terminal()).init(),
        LogFormat::Json => log.json().init(),
    }
}
