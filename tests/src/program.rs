//! The program as a process, and a ledger that is only reached through it.

use std::ffi::OsStr;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use counterfoil_verify::note::{KeyName, SigningKey};
use serde::de::DeserializeOwned;
use tempfile::TempDir;

/// The origin of every ledger that the tests make.
pub const ORIGIN: &str = "tests.example/audit";

/// How a run of the program ended.
#[derive(Debug)]
pub struct Run {
    /// The exit code; -1 where a signal ended it.
    pub code: i32,
    pub stdout: Vec<u8>,
    pub stderr: String,
}

/// A ledger in a folder of its own.
pub struct LedgerFolder {
    pub folder: TempDir,
}

/// The program `counterfoil`: what `COUNTERFOIL_BIN` names, or else the one that was built with these tests.
///
/// # Panics
/// If there is none.
pub fn program() -> PathBuf {
    if let Some(named) = std::env::var_os("COUNTERFOIL_BIN") {
        return PathBuf::from(named);
    }
    let test = std::env::current_exe().expect("a test knows where it is");
    // The test is TARGET/release/deps/NAME-HASH.
    let built = test.ancestors().nth(2).expect("a test is in a target folder").join("counterfoil");
    assert!(
        built.is_file(),
        "these tests run the program {}, and it is not there: build it with `cargo build --release`, \
         or name another one in COUNTERFOIL_BIN",
        built.display()
    );
    built
}

/// The program, ready for arguments, without anything of this process's environment that it would obey. It does not seal, so
/// that records have the numbers that tests know, unless a test removes `COUNTERFOIL_SEAL`.
pub fn command() -> Command {
    let mut command = Command::new(program());
    let own = [
        "DATA",
        "ANCHOR",
        "CONFIG",
        "SERVER",
        "TOKEN_FILE",
        "TOKENS",
        "CA",
        "CLIENT_CERT",
        "CLIENT_KEY",
        "FOLLOW",
        "POLICY",
        "WITNESSES",
        "OTLP_ENDPOINT",
        "OTLP_TOKEN_FILE",
        "OTLP_CA",
        "OTLP_SECONDS",
        "OTLP_PERCENT",
    ];
    for name in own.map(|name| format!("COUNTERFOIL_{name}")) {
        command.env_remove(name);
    }
    command.env("COUNTERFOIL_SEAL", "never");
    command.env_remove("COLUMNS").env_remove("CLICOLOR_FORCE");
    command.env("NO_COLOR", "1").stdin(Stdio::null());
    command
}

/// Runs the program.
pub fn run<S: AsRef<OsStr>>(arguments: &[S]) -> Run {
    finish(command().args(arguments))
}

/// Runs the program with these bytes as its standard input.
pub fn run_with_input<S: AsRef<OsStr>>(arguments: &[S], input: &[u8]) -> Run {
    let mut command = command();
    command.args(arguments).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().expect("the program starts");
    let mut pipe = child.stdin.take().expect("it was asked for");
    std::thread::scope(|scope| {
        // A program that ends early closes the pipe; what it says then is the test's business.
        scope.spawn(move || pipe.write_all(input));
        Run::of(child.wait_with_output().expect("the program ends"))
    })
}

fn finish(command: &mut Command) -> Run {
    Run::of(command.output().expect("the program starts"))
}

impl Run {
    fn of(output: std::process::Output) -> Self {
        Self {
            code: output.status.code().unwrap_or(-1),
            stdout: output.stdout,
            stderr: String::from_utf8_lossy(&output.stderr).into_owned(),
        }
    }

    /// What it printed.
    ///
    /// # Panics
    /// If that is no text.
    pub fn text(&self) -> &str {
        std::str::from_utf8(&self.stdout).expect("the program prints text")
    }

    /// The same, if the program ended with this code.
    ///
    /// # Panics
    /// If it ended with another one.
    #[track_caller]
    pub fn ended(self, code: i32) -> Self {
        assert_eq!(self.code, code, "stderr: {}\nstdout: {}", self.stderr, String::from_utf8_lossy(&self.stdout));
        self
    }

    /// The one JSON message that it printed.
    ///
    /// # Panics
    /// If it failed, or printed anything else.
    #[track_caller]
    pub fn json<T: DeserializeOwned>(self) -> T {
        let run = self.ended(0);
        serde_json::from_slice(&run.stdout).unwrap_or_else(|error| panic!("{error}: {}", run.text()))
    }
}

impl LedgerFolder {
    /// Makes a ledger.
    ///
    /// # Panics
    /// If the program does not.
    pub fn init() -> Self {
        let made = Self::empty();
        made.run(&["init", "--origin", ORIGIN]).ended(0);
        made
    }

    /// A folder without a ledger in it.
    ///
    /// # Panics
    /// If the disk is full.
    pub fn empty() -> Self {
        Self { folder: tempfile::tempdir().expect("a temporary folder") }
    }

    /// The folder of a standby of this ledger: its keys, and its policy beside it.
    ///
    /// # Panics
    /// If they cannot be copied.
    pub fn standby(&self) -> Self {
        let standby = Self::empty();
        let keys = standby.data().join("keys");
        std::fs::create_dir_all(&keys).expect("a temporary folder takes folders");
        for key in std::fs::read_dir(self.data().join("keys")).expect("a ledger has keys") {
            let key = key.expect("the folder of the keys can be read");
            std::fs::copy(key.path(), keys.join(key.file_name())).expect("a key can be copied");
        }
        std::fs::copy(self.policy(), standby.policy()).expect("the policy can be copied");
        standby
    }

    /// The data folder.
    pub fn data(&self) -> PathBuf {
        self.folder.path().join("ledger")
    }

    /// What verifiers are given.
    pub fn policy(&self) -> PathBuf {
        self.beside("ledger.policy")
    }

    /// The log's own key, with which whoever has the ledger signs what it likes.
    ///
    /// # Panics
    /// If there is none.
    pub fn signing_key(&self) -> SigningKey {
        let text = std::fs::read_to_string(self.data().join("keys/log.key")).expect("the ledger has a key");
        let seed = text.split(' ').nth(3).and_then(|seed| STANDARD.decode(seed).ok()?.try_into().ok());
        SigningKey::from_seed(KeyName::new(ORIGIN).expect("it is one"), &seed.expect("a seed of 32 bytes"))
    }

    /// A file or folder beside the data folder.
    pub fn beside(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// Writes a file beside the data folder.
    ///
    /// # Panics
    /// If the disk is full.
    pub fn file(&self, name: &str, bytes: impl AsRef<[u8]>) -> PathBuf {
        let path = self.beside(name);
        std::fs::write(&path, bytes).expect("a temporary folder takes files");
        path
    }

    /// Runs the program on this ledger: a verb, and its arguments.
    pub fn run<S: AsRef<OsStr>>(&self, arguments: &[S]) -> Run {
        finish(command().args(arguments).arg("--data").arg(self.data()))
    }

    /// Runs the program on this ledger, with this standard input.
    pub fn run_with_input(&self, arguments: &[&str], input: &[u8]) -> Run {
        let data = self.data();
        let all: Vec<&OsStr> =
            arguments.iter().map(OsStr::new).chain([OsStr::new("--data"), data.as_os_str()]).collect();
        run_with_input(&all, input)
    }

    /// Appends an event of no consequence, and seals what there is.
    ///
    /// # Panics
    /// If that fails.
    pub fn seal(&self) {
        let event = r#"{"uuid":"sealed","published":"2026-01-01T00:00:00Z","eventType":"system.sealed","outcome":{"result":"SUCCESS"}}"#;
        let file = self.file("sealed.jsonl", format!("{event}\n"));
        let file = file.to_str().expect("a path of UTF-8");
        self.run_sealing(&["import", "okta", file]).ended(0);
    }

    /// Runs the program on this ledger as people do: what it appends is sealed at its end.
    pub fn run_sealing<S: AsRef<OsStr>>(&self, arguments: &[S]) -> Run {
        finish(command().env_remove("COUNTERFOIL_SEAL").args(arguments).arg("--data").arg(self.data()))
    }

    /// Imports one file through a connector, with further arguments.
    pub fn import(&self, connector: &str, file: &Path, further: &[&str]) -> Run {
        let verb = ["import", connector].into_iter().map(OsStr::new);
        let arguments: Vec<&OsStr> = verb.chain([file.as_os_str()]).chain(further.iter().map(OsStr::new)).collect();
        self.run(&arguments)
    }
}
