//! Metrics and spans by OTLP: a collector that is not ours gets them, and one that does not answer disturbs nothing.
#![allow(clippy::unwrap_used, reason = "a test stops where it fails")]

use std::collections::{BTreeMap, BTreeSet};
use std::io::Write;
use std::net::TcpListener;
use std::path::Path;
use std::time::Duration;

use counterfoil_proto::v1::GetCheckpointRequest;
use counterfoil_proto::v1::ledger_service_client::LedgerServiceClient;
use counterfoil_tests::collector::Collector;
use counterfoil_tests::http::{curl, curl_with};
use counterfoil_tests::kafka::until;
use counterfoil_tests::okta::joined;
use counterfoil_tests::program::{LedgerFolder, ORIGIN, command, run};
use counterfoil_tests::server::Server;
use serde_json::{Value, json};
use tokio::time::Instant;
use tonic::Request;
use tonic::transport::Channel;

const TRACE: &str = "4bf92f3577b34da6a3ce929d0e0e4736";
const UNSAMPLED: &str = "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa";
const PARENT: &str = "00f067aa0ba902b7";

fn serve(ledger: &LedgerFolder, endpoint: &str, further: &[&str]) -> Server {
    let own = ["--listen", "127.0.0.1:0", "--otlp-endpoint", endpoint, "--otlp-seconds", "1"];
    Server::start_with(ledger, &[&own, further].concat())
}

fn metrics(server: &Server) -> String {
    String::from_utf8(curl(&[format!("{}/metrics", server.url())]).body).unwrap()
}

fn append(server: &Server, number: u32) {
    let event = joined(number, "2026-03-01T09:00:00Z", number, 1).to_string();
    let url = format!("{}/v1/ingest/okta", server.url());
    let posted = ["--header", "content-type: application/json", "--data-binary", "@-", &url];
    curl_with(&posted, event.as_bytes()).json(200);
}

/// Asks for the checkpoint over HTTP, as part of a trace.
fn ask_within(server: &Server, trace: &str, flags: &str) {
    let context = format!("traceparent: 00-{trace}-{PARENT}-{flags}");
    curl(&["--header", &context, &format!("{}/v1/checkpoint", server.url())]).json(200);
}

/// Asks over gRPC, so many times.
fn ask(server: &Server, times: usize) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let channel = Channel::from_shared(server.url()).unwrap().connect().await.unwrap();
        let mut client = LedgerServiceClient::new(channel);
        for _ in 0..times {
            client.get_checkpoint(Request::new(GetCheckpointRequest::default())).await.unwrap();
        }
    });
}

/// Attributes as a map from names to text.
fn attributes(of: &Value) -> BTreeMap<String, String> {
    let text = |value: &Value| value["stringValue"].as_str().or(value["intValue"].as_str()).map(str::to_owned);
    let all = of["attributes"].as_array().cloned().unwrap_or_default();
    all.iter().filter_map(|one| Some((one["key"].as_str()?.to_owned(), text(&one["value"])?))).collect()
}

fn map(of: &[(&str, &str)]) -> BTreeMap<String, String> {
    of.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
}

/// The newest value that came of a metric with these labels: a number, or the count of a histogram.
fn value(collector: &Collector, name: &str, labels: &[(&str, &str)]) -> Option<String> {
    let mut of_name = collector.metrics().into_iter().filter(|(_, metric)| metric["name"] == name);
    let (_, metric) = of_name.next_back()?;
    let points = ["sum", "gauge", "histogram"].iter().find_map(|kind| metric[kind]["dataPoints"].as_array())?;
    let point = points.iter().find(|point| attributes(point) == map(labels))?;
    let text = |value: &Value| value.as_str().map(str::to_owned).or_else(|| value.as_f64().map(|of| of.to_string()));
    ["asInt", "asDouble", "count"].iter().find_map(|field| text(&point[field]))
}

/// With TLS and without.
#[test]
fn a_collector_gets_metrics_and_spans() {
    let ledger = LedgerFolder::init();
    let made = rcgen::generate_simple_self_signed(["127.0.0.1".to_owned()]).unwrap();
    let certificate = ledger.file("collector.pem", made.cert.pem());
    let key = ledger.file("collector.key", made.signing_key.serialize_pem());
    check_collected(&ledger, 1, None);
    check_collected(&ledger, 2, Some((&certificate, &key)));
}

/// Serves the ledger, which holds so many records, to a collector.
fn check_collected(ledger: &LedgerFolder, records: u32, tls: Option<(&Path, &Path)>) {
    let Some(collector) = Collector::start(tls) else { return };
    let server = match tls {
        None => serve(ledger, &format!("http://{}", collector.address), &[]),
        Some((certificate, _)) => {
            let endpoint = format!("https://{}", collector.address);
            serve(ledger, &endpoint, &["--otlp-ca", certificate.to_str().unwrap()])
        }
    };
    // What comes while it serves.
    append(&server, records);
    let size = (records + 1).to_string();
    until("the size of the log arrives", || value(&collector, "counterfoil_log_records", &[]).as_ref() == Some(&size));
    ask_within(&server, TRACE, "01");
    ask_within(&server, UNSAMPLED, "00");
    until("a span arrives", || collector.spans().iter().any(|(_, span)| span["traceId"] == TRACE));
    ask(&server, 1);
    let wrong = curl(&[format!("{}/v1/records/999", server.url())]);
    assert_eq!(wrong.status, 404, "{wrong}");
    let exposed = metrics(&server);
    // What comes last arrives when the server ends.
    let told = server.stop();
    assert!(!told.contains("OTLP"), "{told}");
    // The collector has it then, and writes it a moment later.
    let is_last = |span: &Value| span["name"].as_str().is_some_and(|name| name.ends_with("GetRecord"));
    until("what came last arrives", || collector.spans().iter().any(|(_, span)| is_last(span)));

    let sent: BTreeSet<String> =
        collector.metrics().iter().map(|(_, metric)| metric["name"].as_str().unwrap().to_owned()).collect();
    let of_types = exposed.lines().filter_map(|line| line.strip_prefix("# TYPE ")?.split(' ').next());
    let shown: BTreeSet<String> = of_types.map(str::to_owned).collect();
    assert_eq!(sent.union(&shown).collect::<Vec<_>>(), sent.iter().collect::<Vec<_>>(), "all that is exposed is sent");
    assert_eq!(sent.difference(&shown).collect::<Vec<_>>(), Vec::<&String>::new());
    let recorded = [("connector", "okta"), ("outcome", "recorded")];
    assert_eq!(value(&collector, "counterfoil_events_total", &recorded).as_deref(), Some("1"));
    assert_eq!(value(&collector, "counterfoil_commit_seconds", &[]).as_deref(), Some("1"));
    let method = "counterfoil.v1.LedgerService/GetCheckpoint";
    let of_grpc = [("method", method), ("transport", "grpc"), ("code", "OK")];
    assert_eq!(value(&collector, "counterfoil_requests_total", &of_grpc).as_deref(), Some("1"), "{exposed}");

    let spans = collector.spans();
    let (resource, span) = spans.iter().find(|(_, span)| span["traceId"] == TRACE).unwrap();
    let resource = attributes(resource);
    assert_eq!(resource["service.name"], "counterfoil-serve");
    assert_eq!(resource["service.version"], env!("CARGO_PKG_VERSION"));
    assert_eq!(resource["counterfoil.origin"], ORIGIN);
    assert_eq!(resource["service.instance.id"].len(), 32);
    assert_eq!(attributes(&collector.metrics()[0].0), resource);
    assert_eq!((&span["name"], &span["parentSpanId"], &span["kind"]), (&json!(method), &json!(PARENT), &json!(2)));
    let expected =
        [("http.request.method", "GET"), ("http.route", "/v1/checkpoint"), ("http.response.status_code", "200")];
    assert_eq!(attributes(span), map(&expected));
    let times = ["startTimeUnixNano", "endTimeUnixNano"].map(|name| span[name].as_str().unwrap().parse::<u64>());
    assert!(times[0].clone().unwrap() < times[1].clone().unwrap(), "{span}");
    assert!(spans.iter().all(|(_, span)| span["traceId"] != UNSAMPLED), "its caller does not want it traced");

    let of_grpc = spans.iter().find(|(_, span)| span["name"] == method && span["traceId"] != TRACE);
    let (_, span) = of_grpc.expect("a request without a trace begins one");
    assert_eq!(span["parentSpanId"].as_str().unwrap_or_default(), "");
    let expected = [
        ("rpc.system", "grpc"),
        ("rpc.service", "counterfoil.v1.LedgerService"),
        ("rpc.method", "GetCheckpoint"),
        ("rpc.grpc.status_code", "0"),
    ];
    assert_eq!(attributes(span), map(&expected));
    let (_, wrong) = spans.iter().find(|(_, span)| span["name"].as_str().unwrap().ends_with("GetRecord")).unwrap();
    assert_eq!(attributes(wrong)["http.response.status_code"], "404");
    assert_eq!(wrong["status"]["code"].as_i64().unwrap_or_default(), 0, "the server did nothing wrong: {wrong}");
}

#[test]
fn no_request_is_traced_where_none_shall_be() {
    let ledger = LedgerFolder::init();
    let Some(collector) = Collector::start(None) else { return };
    let server = serve(&ledger, &format!("http://{}", collector.address), &["--otlp-percent", "0"]);
    ask_within(&server, TRACE, "01");
    ask(&server, 3);
    server.stop();
    assert!(value(&collector, "counterfoil_log_records", &[]).is_some());
    assert_eq!(collector.spans(), []);
}

/// One that is not there, one that takes connections and says nothing, and one that talks nonsense.
#[test]
fn who_collects_and_does_not_answer_disturbs_nothing() {
    let silent = TcpListener::bind("127.0.0.1:0").unwrap();
    let gone = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let nonsense = TcpListener::bind("127.0.0.1:0").unwrap();
    let (silent_at, nonsense_at) = (silent.local_addr().unwrap(), nonsense.local_addr().unwrap());
    std::thread::spawn(move || {
        for mut connection in nonsense.incoming().flatten() {
            // The other side may be gone.
            let _ = connection.write_all(b"HTTP/1.1 400 Bad Request\r\ncontent-length: 0\r\n\r\n");
        }
    });
    for (which, address) in [("gone", gone), ("silent", silent_at), ("nonsense", nonsense_at)] {
        let ledger = LedgerFolder::init();
        let server = serve(&ledger, &format!("http://{address}"), &[]);
        for number in 1..=5 {
            append(&server, number);
        }
        until("it is known that nothing is taken", || {
            metrics(&server).lines().any(|line| line == "counterfoil_otlp_failing{signal=\"metrics\"} 1")
        });
        // More than wait for a collector.
        ask(&server, 6_000);
        until("spans are lost, and counted", || {
            metrics(&server).lines().any(|line| line.starts_with("counterfoil_otlp_spans_total{outcome=\"lost\"} "))
        });
        append(&server, 6);
        let began = Instant::now();
        let told = server.stop();
        assert!(began.elapsed() < Duration::from_secs(8), "{which}: it took {:?} to stop", began.elapsed());
        let of_metrics = told.lines().filter(|line| line.contains("metrics are not taken by OTLP")).count();
        assert_eq!(of_metrics, 1, "{which}: it is told once: {told}");
        ledger.run(&["fsck"]).ended(0);
    }
    drop(silent);
}

#[test]
fn a_wrong_endpoint_is_told_before_anything_is_served() {
    let ledger = LedgerFolder::init();
    let data = ledger.data();
    let check = |arguments: &[&str], expected: &str| {
        let given = [&["config", "check", "--data", data.to_str().unwrap()], arguments].concat();
        let told = run(&given).ended(2).stderr;
        assert!(told.contains(expected), "{arguments:?}: {told}");
    };
    check(
        &["--otlp-endpoint", "127.0.0.1:4317"],
        "expected a URL such as http://127.0.0.1:4317, got \"127.0.0.1:4317\"",
    );
    check(&["--otlp-ca", "ca.pem"], "otlp_ca stands alone: give otlp_endpoint too");
    let here = ["--otlp-endpoint", "http://127.0.0.1:4317"];
    check(&[&here[..], &["--otlp-percent", "101"]].concat(), "expected a number from 0 to 100");
    check(&[&here[..], &["--otlp-seconds", "0"]].concat(), "expected a number from 1 to 3600");
    let mut asked = command();
    asked.args(["config", "check", "--data", data.to_str().unwrap()]).env("COUNTERFOIL_OTLP_PERCENT", "5");
    asked.env("COUNTERFOIL_OTLP_ENDPOINT", "http://127.0.0.1:4317");
    let shown = String::from_utf8(asked.output().unwrap().stdout).unwrap();
    let has = |words: [&str; 3]| shown.lines().any(|line| words.iter().all(|word| line.contains(word)));
    assert!(has(["otlp_endpoint", "http://127.0.0.1:4317", "the environment, COUNTERFOIL_OTLP_ENDPOINT"]), "{shown}");
    assert!(has(["otlp_percent", "5", "the environment, COUNTERFOIL_OTLP_PERCENT"]), "{shown}");
    assert!(has(["otlp_seconds", "15", "default"]), "{shown}");
    // A token goes to no other machine without TLS.
    let token = ledger.file("token", "secret");
    let far = ["serve", "--listen", "127.0.0.1:0", "--otlp-endpoint", "http://192.0.2.1:4317", "--otlp-token-file"];
    let refused = ledger.run(&[&far[..], &[token.to_str().unwrap()]].concat()).ended(2);
    assert!(refused.stderr.contains("a token is not sent to another machine without TLS"), "{}", refused.stderr);
}
