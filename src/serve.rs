//! `counterfoil serve`.

use std::sync::Arc;

use anyhow::{Context, Result};
use counterfoil_query::Views;
use counterfoil_server::{Environment, Server, listen};
use tokio::signal::unix::{SignalKind, signal};

use crate::cli::{Exit, LogFormat, ServeArguments};
use crate::{config, open, output, when};

pub fn run(arguments: &ServeArguments) -> Result<Exit> {
    let config = config::load(arguments)?;
    start_log(config.log_format);
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    let listener = runtime.block_on(listen(config.listen))?;
    let address = listener.local_addr().context("the address that is listened on cannot be told")?;
    let location = open::location(&config.ledger);
    let holder = format!("counterfoil serve, which answers on http://{address}, {}", open::since());
    let ledger = Arc::new(open::ledger_as(&location, config.accept_clock, &holder)?);
    let views = Arc::new(Views::open(&location.views(), ledger.reader())?);
    let environment = Environment { now: when::now, entropy };
    runtime.block_on(async {
        let mut terminated = signal(SignalKind::terminate())?;
        let stop = async move {
            tokio::select! {
                _ = tokio::signal::ctrl_c() => {}
                _ = terminated.recv() => {}
            }
            tracing::info!("stopping: calls in flight may end");
        };
        let server = Server::new(listener, ledger, views, environment, config.hooks)?;
        tracing::info!(%address, "serving gRPC and HTTP");
        server.run(stop).await;
        Ok(Exit::Done)
    })
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

fn entropy() -> [u8; 32] {
    let mut bytes = [0; 32];
    // Without randomness nothing may be sealed.
    getrandom::fill(&mut bytes).expect("the operating system gives randomness");
    bytes
}
