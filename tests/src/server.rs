//! The program as a server, as somebody runs it who then asks it from elsewhere.

use std::ffi::OsStr;
use std::io::{BufRead, BufReader, Read};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::thread::JoinHandle;

use crate::kafka::until;
use crate::program::{LedgerFolder, command};

/// A running server. It is killed when it goes out of scope, unless it was stopped.
pub struct Server {
    child: Child,
    /// Where it answers, such as "127.0.0.1:40123".
    pub address: String,
    /// http or https.
    scheme: String,
    log: Option<JoinHandle<String>>,
}

impl Server {
    /// Serves a ledger on a free port, and waits until it listens.
    ///
    /// # Panics
    /// If it ends instead.
    pub fn start(ledger: &LedgerFolder) -> Self {
        Self::start_with(ledger, &["--listen", "127.0.0.1:0"])
    }

    /// The same, which seals as time passes.
    ///
    /// # Panics
    /// If it ends instead.
    pub fn sealing(ledger: &LedgerFolder) -> Self {
        let mut sealing = command();
        sealing.env_remove("COUNTERFOIL_SEAL");
        Self::start_as(sealing, ledger, &["--listen", "127.0.0.1:0"])
    }

    /// The same, with these arguments.
    ///
    /// # Panics
    /// If it ends instead.
    pub fn start_with<S: AsRef<OsStr>>(ledger: &LedgerFolder, arguments: &[S]) -> Self {
        Self::start_as(command(), ledger, arguments)
    }

    /// The same, by a command that has something in its environment.
    ///
    /// # Panics
    /// If it ends instead.
    pub fn start_as<S: AsRef<OsStr>>(command: Command, ledger: &LedgerFolder, arguments: &[S]) -> Self {
        Self::service_as(command, "serve", ledger, arguments)
    }

    /// Takes events into a ledger on a free port, and answers no questions; with further arguments.
    ///
    /// # Panics
    /// If it ends instead.
    pub fn ingest_with<S: AsRef<OsStr>>(ledger: &LedgerFolder, arguments: &[S]) -> Self {
        Self::service("ingest", ledger, arguments)
    }

    /// Takes events into a ledger on a free port, and answers no questions.
    ///
    /// # Panics
    /// If it ends instead.
    pub fn ingest(ledger: &LedgerFolder) -> Self {
        Self::ingest_at(ledger, "127.0.0.1:0")
    }

    /// The same, at an address.
    ///
    /// # Panics
    /// If it ends instead.
    pub fn ingest_at(ledger: &LedgerFolder, address: &str) -> Self {
        Self::service("ingest", ledger, &["--listen", address])
    }

    /// Answers from a replica of the log that is at `url`, on a free port.
    ///
    /// # Panics
    /// If it ends instead.
    pub fn query<S: AsRef<OsStr>>(replica: &LedgerFolder, policy: &Path, url: &str, further: &[S]) -> Self {
        let own: [&OsStr; 6] = [
            "--listen".as_ref(),
            "127.0.0.1:0".as_ref(),
            "--follow".as_ref(),
            url.as_ref(),
            "--policy".as_ref(),
            policy.as_ref(),
        ];
        let arguments: Vec<&OsStr> = own.into_iter().chain(further.iter().map(AsRef::as_ref)).collect();
        Self::service("query", replica, &arguments)
    }

    /// Copies the log of the owner at `url`, and takes over when its lease was not renewed for 3 seconds.
    ///
    /// # Panics
    /// If it ends instead.
    pub fn standby(standby: &LedgerFolder, owner: &LedgerFolder, url: &str) -> Self {
        let (policy, anchor) = (owner.policy(), owner.beside("ledger.anchor"));
        let arguments: [&OsStr; 10] = [
            "--listen".as_ref(),
            "127.0.0.1:0".as_ref(),
            "--follow".as_ref(),
            url.as_ref(),
            "--policy".as_ref(),
            policy.as_ref(),
            "--anchor".as_ref(),
            anchor.as_ref(),
            "--lease-seconds".as_ref(),
            "3".as_ref(),
        ];
        Self::service("ingest", standby, &arguments)
    }

    /// Cosigns, from this folder, the checkpoints of the logs that a policy names, at an address.
    ///
    /// # Panics
    /// If it ends instead.
    pub fn witness(folder: &LedgerFolder, policy: &Path, address: &str) -> Self {
        let own: [&OsStr; 6] = [
            "--listen".as_ref(),
            address.as_ref(),
            "--name".as_ref(),
            "witness.example/w".as_ref(),
            "--policy".as_ref(),
            policy.as_ref(),
        ];
        Self::service("witness", folder, &own)
    }

    fn service<S: AsRef<OsStr>>(verb: &str, ledger: &LedgerFolder, arguments: &[S]) -> Self {
        Self::service_as(command(), verb, ledger, arguments)
    }

    fn service_as<S: AsRef<OsStr>>(mut command: Command, verb: &str, ledger: &LedgerFolder, arguments: &[S]) -> Self {
        command.arg(verb).arg("--data").arg(ledger.data()).args(arguments);
        command.args(["--log-format", "json"]).env("RUST_LOG", "info").stderr(Stdio::piped());
        let mut child = command.spawn().expect("the program starts");
        let mut lines = BufReader::new(child.stderr.take().expect("it was asked for"));
        let mut told = String::new();
        let (address, scheme) = loop {
            let mut line = String::new();
            let is_over = lines.read_line(&mut line).expect("its log is text") == 0;
            assert!(!is_over, "the server ended: {told}");
            told.push_str(&line);
            let event: serde_json::Value = serde_json::from_str(&line).unwrap_or_default();
            if let Some(address) = event["fields"]["address"].as_str() {
                let scheme = event["fields"]["scheme"].as_str().expect("it is told with the address");
                break (address.to_owned(), scheme.to_owned());
            }
        };
        let log = std::thread::spawn(move || {
            let mut rest = String::new();
            // What is no text is no log of ours.
            let _ = lines.read_to_string(&mut rest);
            told + &rest
        });
        Self { child, address, scheme, log: Some(log) }
    }

    /// Where it answers, as a URL.
    pub fn url(&self) -> String {
        format!("{}://{}", self.scheme, self.address)
    }

    /// Lets it do nothing until it may go on.
    pub fn pause(&self) {
        self.signal("-STOP");
    }

    /// Lets it go on.
    pub fn go_on(&self) {
        self.signal("-CONT");
    }

    fn signal(&self, signal: &str) {
        let pid = self.child.id().to_string();
        let told = Command::new("kill").args([signal, &pid]).status().expect("kill is there");
        assert!(told.success());
    }

    /// Its process.
    pub fn process(&self) -> u32 {
        self.child.id()
    }

    /// The memory that its process takes, or took at most, in MiB: `VmRSS` or `VmHWM`.
    ///
    /// # Panics
    /// If Linux does not say.
    pub fn memory_mib(&self, name: &str) -> u64 {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.process())).expect("it runs");
        let line = status.lines().find(|line| line.starts_with(name)).expect("Linux says so");
        let kib = line.split_whitespace().nth(1).and_then(|kib| kib.parse::<u64>().ok());
        kib.expect("a number of KiB") / 1_024
    }

    /// Kills it, as `kill -9` does.
    ///
    /// # Panics
    /// If it had ended before.
    pub fn kill(mut self) {
        let ended = self.child.try_wait().expect("it can be looked at");
        assert!(ended.is_none(), "the server ended by itself: {ended:?}");
        self.child.kill().expect("it can be killed");
        self.child.wait().expect("it ends");
    }

    /// Waits until it fails by itself, and gives what it told.
    ///
    /// # Panics
    /// If it does not within a minute, or ends in another way.
    pub fn fails(mut self) -> String {
        let mut ended = None;
        until("the server ends by itself", || {
            ended = self.child.try_wait().expect("it can be looked at");
            ended.is_some()
        });
        let log = self.log.take().map(|log| log.join().expect("the log is read")).unwrap_or_default();
        assert_eq!(ended.and_then(|ended| ended.code()), Some(1), "{ended:?}: {log}");
        log
    }

    /// Stops it as an operator does, and gives what it told.
    ///
    /// # Panics
    /// If it does not end well.
    pub fn stop(mut self) -> String {
        self.signal("-TERM");
        let ended = self.child.wait().expect("it ends");
        let log = self.log.take().map(|log| log.join().expect("the log is read")).unwrap_or_default();
        assert!(ended.success(), "{ended}: {log}");
        log
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // It may have ended already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// A tool that `scripts/install` brings. Where it could not be installed the test is left out, which `scripts/test` says;
/// in CI nothing may be left out.
///
/// # Panics
/// In CI, if it is not there.
pub fn tool(name: &str) -> Option<PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let found = std::env::split_paths(&path).map(|folder| folder.join(name)).find(|file| file.is_file());
    let is_ci = std::env::var_os("CI").is_some_and(|ci| ci == "true");
    assert!(found.is_some() || !is_ci, "{name} is missing: run scripts/install test");
    found
}
