//! `counterfoil health`: whether a server does what it is there for, for whoever starts and watches it.
//!
//! Asks `/readyz`, which answers everybody: it says why not, where `grpc.health.v1` only says no.

use std::time::Duration;

use anyhow::{Context, Result, anyhow, bail};
use http::{Request, StatusCode};
use http_body_util::{BodyExt, Limited};
use tonic::body::Body;
use tower::ServiceExt;

use crate::cli::HealthArguments;
use crate::exit::Exit;
use crate::transport::Remote;

/// How long a server may take to say how it is doing.
const PATIENCE: Duration = Duration::from_secs(5);
/// The longest reason that is read.
const REASON_BYTES_MAX: usize = 64 << 10;

pub fn run(arguments: &HealthArguments) -> Result<Exit> {
    let server = &arguments.server;
    let remote = Remote { url: server.clone(), token_file: None, ca: arguments.ca.clone(), client: None };
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let asked = runtime.block_on(async { tokio::time::timeout(PATIENCE, ask(&remote)).await });
    let (status, said) = asked.with_context(|| format!("{server} says nothing within {} s", PATIENCE.as_secs()))??;
    match status {
        StatusCode::OK => anstream::println!("ready"),
        StatusCode::SERVICE_UNAVAILABLE => bail!("{server} is not ready: {said}"),
        _ => bail!("{server} does not say whether it is ready, it answers {status}: {said}"),
    }
    Ok(Exit::Done)
}

async fn ask(remote: &Remote) -> Result<(StatusCode, String)> {
    let lost = |error| anyhow!("{} does not answer: {error}", remote.url);
    let request = Request::get("/readyz").body(Body::empty())?;
    let answer = remote.connect("--server").await?.oneshot(request).await.map_err(lost)?;
    let status = answer.status();
    let said = Limited::new(answer.into_body(), REASON_BYTES_MAX).collect().await.map_err(lost)?.to_bytes();
    Ok((status, String::from_utf8_lossy(&said).trim().to_owned()))
}
