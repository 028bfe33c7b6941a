//! The demo's ledger on a running server, asked by a client that is not ours: grpcurl, by reflection alone.
//!
//! Starts the server as an operator does, on a free port, and ends it by its own process id, whatever happens between.

use std::io::{BufRead, BufReader, Read};
use std::path::PathBuf;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::thread::JoinHandle;

use anyhow::{Context, Result, bail, ensure};
use counterfoil_ledger::Location;
use rustix::process::{Pid, Signal, kill_process};
use serde_json::{Value, json};

use super::{quoted, say};

const METHOD: &str = "counterfoil.v1.LinkageService/ExplainChange";
/// The longest that a call may take, in seconds.
const CALL_SECONDS: &str = "30";

/// Serves the ledger, asks which approval covers a change, and stops the server again.
pub fn tell(location: &Location, change: &str) -> Result<()> {
    let Some(grpcurl) = grpcurl() else {
        say(
            "  grpcurl is not installed, so nobody asks: scripts/install test installs it, make demo does so by itself",
        );
        return Ok(());
    };
    let server = Running::start(location)?;
    let call = |arguments: &[&str]| {
        let mut command = Command::new(&grpcurl);
        command.args(["-plaintext", "-max-time", CALL_SECONDS]).args(arguments).stdin(Stdio::null());
        let output = command.output().with_context(|| format!("run {}", grpcurl.display()))?;
        ensure!(output.status.success(), "grpcurl failed: {}", String::from_utf8_lossy(&output.stderr).trim());
        Ok(String::from_utf8(output.stdout)?)
    };
    let address = server.address.as_str();
    say(&format!("  $ grpcurl -plaintext {address} list"));
    let services = call(&[address, "list"])?;
    let own = services.lines().filter_map(|service| service.strip_prefix("counterfoil.v1."));
    say(&format!("  {}", own.collect::<Vec<_>>().join(", ")));

    let request = json!({ "change": change }).to_string();
    say(&format!("  $ grpcurl -plaintext -d {} {address} {METHOD}", quoted(&request)));
    let answer: Value = serde_json::from_str(&call(&["-d", &request, address, METHOD])?)?;
    let explanation = &answer["explanations"][0];
    for key in ["verdict", "summary"] {
        let said = explanation[key].as_str().with_context(|| format!("the answer has no {key}: {answer}"))?;
        say(&format!("  \"{key}\": {}", json!(said)));
    }
    let ended = server.stop()?;
    ensure!(ended.success(), "the server ended with {ended}");
    say("  the server was told to stop, and ended");
    Ok(())
}

/// Where it is, if the shell would find it.
fn grpcurl() -> Option<PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    std::env::split_paths(&path).map(|folder| folder.join("grpcurl")).find(|file| file.is_file())
}

/// A server. It does not outlive this.
struct Running {
    child: Child,
    address: String,
    /// Reads what it tells, so that it never waits for a reader.
    log: Option<JoinHandle<()>>,
}

impl Running {
    /// Starts it on a free port, and waits until it says which.
    fn start(location: &Location) -> Result<Self> {
        let program = std::env::current_exe().context("find this program")?;
        let mut command = Command::new(program);
        command.args(["serve", "--listen", "127.0.0.1:0", "--log-format", "json", "--data"]).arg(&location.data);
        command.arg("--anchor").arg(&location.anchor).env("RUST_LOG", "info").stdin(Stdio::null());
        let mut child = command.stdout(Stdio::null()).stderr(Stdio::piped()).spawn().context("start the server")?;
        let log = child.stderr.take().context("the server's log was asked for")?;
        let mut running = Self { child, address: String::new(), log: None };
        let mut log = BufReader::new(log);
        let mut told = String::new();
        while running.address.is_empty() {
            let mut line = String::new();
            if log.read_line(&mut line)? == 0 {
                bail!("the server ended instead of serving: {}", told.trim());
            }
            let event: Value = serde_json::from_str(&line).unwrap_or_default();
            running.address = event["fields"]["address"].as_str().unwrap_or_default().to_owned();
            told.push_str(&line);
        }
        running.log = Some(std::thread::spawn(move || {
            let _ = log.read_to_end(&mut Vec::new());
        }));
        Ok(running)
    }

    /// Stops it as an operator does.
    fn stop(mut self) -> Result<ExitStatus> {
        kill_process(Pid::from_child(&self.child), Signal::TERM).context("stop the server")?;
        let ended = self.child.wait()?;
        if let Some(log) = self.log.take() {
            let _ = log.join();
        }
        Ok(ended)
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        // It may have ended already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
