//! `counterfoil serve`.

use std::sync::Arc;

use anyhow::{Context, Result};
use counterfoil_ingest::sources::kafka;
use counterfoil_ledger::Location;
use counterfoil_query::Views;
use counterfoil_server::{Environment, Protection, Server, listen};
use tokio::signal::unix::{SignalKind, signal};

use crate::cli::{LogFormat, ServeArguments};
use crate::config::{self, Config};
use crate::exit::Exit;
use crate::{import, open, output, when};

pub fn run(arguments: &ServeArguments) -> Result<Exit> {
    let config = config::load(arguments)?;
    start_log(config.log_format);
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    let location = open::location(&config.ledger);
    let listener = runtime.block_on(listen(config.listen, &protection(&config, &location)))?;
    let address = listener.address().context("the address that is listened on cannot be told")?;
    let (scheme, asks) = (listener.scheme(), listener.asks());
    let holder = format!("counterfoil serve, which answers on {scheme}://{address}, {}", open::since());
    let ledger = Arc::new(open::ledger_as(&location, config.accept_clock, &holder)?);
    let views = Arc::new(Views::open(&location.views(), ledger.reader())?);
    let environment = Environment { now: when::now, entropy: open::entropy };
    let reading = kafka::Environment { now: when::now, entropy: open::entropy, threads: import::threads() };
    runtime.block_on(async {
        let mut terminated = signal(SignalKind::terminate())?;
        let stop = async move {
            tokio::select! {
                _ = tokio::signal::ctrl_c() => {}
                _ = terminated.recv() => {}
            }
            tracing::info!("stopping: calls in flight may end");
        };
        let server = Server::new(listener, ledger.clone(), views, environment, config.hooks)?;
        let reading = kafka::start(&ledger, config.clusters, reading)?;
        let callers = if asks { "whom the file of tokens names" } else { "whoever is on this machine" };
        tracing::info!(%address, scheme, callers, "serving gRPC and HTTP");
        let served = server.run(stop).await;
        tokio::task::spawn_blocking(move || reading.stop()).await?;
        served?;
        Ok(Exit::Done)
    })
}

/// What stands between the server and its callers. A file of tokens that is there counts without being named: whoever
/// made it wants callers to be asked.
fn protection(config: &Config, location: &Location) -> Protection {
    let beside = Some(location.tokens()).filter(|file| file.exists());
    Protection { tls: config.tls.clone(), tokens: config.tokens.clone().or(beside) }
}

/// Events of the service go to stderr.
fn start_log(format: LogFormat) {
    let filter = tracing_subscriber::EnvFilter::try_from_default_env().unwrap_or_else(|_| "info".into());
    let log = tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr).with_target(false);
    match format {
        LogFormat::Text => log.with_ansi(output::is_terminal()).init(),
        LogFormat::Json => log.json().init(),
    }
}
