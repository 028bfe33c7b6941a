//! An OpenTelemetry Collector, which is not ours: what it takes by OTLP it writes into a file.

use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use serde_json::Value;
use tempfile::TempDir;

use crate::server::tool;

/// A running collector. It is killed when it goes out of scope.
pub struct Collector {
    child: Child,
    folder: TempDir,
    /// Where it takes OTLP over gRPC, such as "127.0.0.1:40123".
    pub address: String,
}

impl Collector {
    /// Starts one on a free port, with TLS if there are a certificate and its key. None where it could not be installed,
    /// which `scripts/test` says.
    ///
    /// # Panics
    /// If it does not start, or is missing in CI.
    pub fn start(tls: Option<(&Path, &Path)>) -> Option<Self> {
        let program = tool("otelcol")?;
        let folder = tempfile::tempdir().expect("a temporary folder");
        let config = folder.path().join("config.yaml");
        std::fs::write(&config, configuration(&taken_by(&folder), tls)).expect("a temporary folder takes files");
        let mut command = Command::new(program);
        command.arg("--config").arg(format!("file:{}", config.display()));
        let mut child = command.stdin(Stdio::null()).stderr(Stdio::piped()).spawn().expect("the collector starts");
        let mut lines = BufReader::new(child.stderr.take().expect("it was asked for")).lines();
        let (mut address, mut told) = (None, String::new());
        // It tells where it listens, and then that it does.
        while !told.contains("Everything is ready") {
            let line = lines.next().unwrap_or_else(|| panic!("the collector ended: {told}")).expect("its log is text");
            let event: Value = serde_json::from_str(&line).unwrap_or_default();
            address = address.or_else(|| event["endpoint"].as_str().map(str::to_owned));
            told.push_str(&line);
        }
        // What it tells from now on is read, so that it can go on.
        std::thread::spawn(move || lines.for_each(drop));
        let address = address.unwrap_or_else(|| panic!("the collector does not tell where it listens: {told}"));
        Some(Self { child, folder, address })
    }

    /// Everything that it has taken of one kind, in the order of its coming: each with the resource that it is of. `kind`
    /// is "Metrics" or "Spans", and `item` what each of them is called.
    fn taken(&self, kind: &str, item: &str) -> Vec<(Value, Value)> {
        let text = std::fs::read_to_string(taken_by(&self.folder)).unwrap_or_default();
        // The last line may not be whole yet.
        let messages = text.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok());
        let list = |value: &Value, name: &str| value[name].as_array().cloned().unwrap_or_default();
        let mut taken = Vec::new();
        for of_resource in messages.flat_map(|message| list(&message, &format!("resource{kind}"))) {
            for scope in list(&of_resource, &format!("scope{kind}")) {
                let items = list(&scope, item).into_iter();
                taken.extend(items.map(|item| (of_resource["resource"].clone(), item)));
            }
        }
        taken
    }

    /// The metrics, each with its resource.
    pub fn metrics(&self) -> Vec<(Value, Value)> {
        self.taken("Metrics", "metrics")
    }

    /// The spans, each with its resource.
    pub fn spans(&self) -> Vec<(Value, Value)> {
        self.taken("Spans", "spans")
    }
}

impl Drop for Collector {
    fn drop(&mut self) {
        // It may have ended already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn taken_by(folder: &TempDir) -> PathBuf {
    folder.path().join("taken.jsonl")
}

fn configuration(taken: &Path, tls: Option<(&Path, &Path)>) -> String {
    let tls = tls.map_or_else(String::new, |(certificate, key)| {
        format!("\n        tls: {{cert_file: {}, key_file: {}}}", certificate.display(), key.display())
    });
    format!(
        "receivers:
  otlp:
    protocols:
      grpc:
        endpoint: 127.0.0.1:0{tls}
exporters:
  file:
    path: {}
    flush_interval: 50ms
service:
  telemetry:
    metrics: {{level: none}}
    logs: {{encoding: json}}
  pipelines:
    metrics: {{receivers: [otlp], exporters: [file]}}
    traces: {{receivers: [otlp], exporters: [file]}}
",
        taken.display()
    )
}
