//! The program as a process of its own: whether it serves, what it says of itself, and how much memory it has.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::sync::mpsc;
use std::time::Duration;

use anyhow::{Context, Result, bail, ensure};
use counterfoil_tests::program::LedgerFolder;
use counterfoil_tests::server::Server;

use crate::stopwatch::timed_at_once;

/// How often it is looked whether a server is ready.
const STEP: Duration = Duration::from_millis(2);
/// How long it may take until a server is ready, in such steps: two minutes.
const STEPS_MAX: usize = 60_000;
/// How long a server may take for an answer.
const PATIENCE: Duration = Duration::from_secs(10);

/// Memory that a process has, in MiB: now, and the most that it ever had.
#[derive(Clone, Copy)]
pub struct Resident {
    pub now: f64,
    pub peak: f64,
}

/// The memory of a process.
pub fn resident(process: u32) -> Result<Resident> {
    let path = format!("/proc/{process}/status");
    let status = std::fs::read_to_string(&path).with_context(|| format!("read {path}"))?;
    let mebibytes = |name: &str| -> Result<f64> {
        let line = status.lines().find_map(|line| line.strip_prefix(name)?.strip_suffix("kB"));
        let kibibytes: f64 = line.with_context(|| format!("{path} says no {name}"))?.trim().parse()?;
        Ok(kibibytes / 1024.0)
    };
    Ok(Resident { now: mebibytes("VmRSS:")?, peak: mebibytes("VmHWM:")? })
}

/// Starts a server; how long it takes from there until it is ready.
pub fn start(server: impl FnOnce() -> Server) -> Result<(Duration, Server)> {
    timed_at_once(|| {
        let server = server();
        let (_never, nothing) = mpsc::channel::<()>();
        for _ in 0..STEPS_MAX {
            // One that listens and does not serve yet may let a connection wait.
            if get(&server.address, "/readyz").is_ok_and(|answer| answer.starts_with("HTTP/1.1 200 ")) {
                return Ok(server);
            }
            let _ = nothing.recv_timeout(STEP);
        }
        bail!("the server is not ready: {}", get(&server.address, "/readyz")?)
    })
}

/// Serves a ledger; how long it takes until it is ready.
pub fn serve(ledger: &LedgerFolder) -> Result<(Duration, Server)> {
    start(|| Server::start(ledger))
}

/// The value of a metric without labels.
pub fn metric(address: &str, name: &str) -> Result<f64> {
    let answer = get(address, "/metrics")?;
    ensure!(answer.starts_with("HTTP/1.1 200 "), "expected metrics, got {answer}");
    let value = answer.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(' '));
    Ok(value.with_context(|| format!("there is no metric {name}"))?.trim().parse()?)
}

/// The answer to a request, with its head.
pub fn get(address: &str, path: &str) -> Result<String> {
    let mut stream = TcpStream::connect(address)?;
    stream.set_read_timeout(Some(PATIENCE))?;
    stream.write_all(format!("GET {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n").as_bytes())?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer)?;
    Ok(answer)
}
