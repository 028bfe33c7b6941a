//! Metrics: what is exposed is what docs/metrics.md says, no more and no less, and the dashboard asks for nothing else.
#![allow(clippy::unwrap_used, reason = "a test stops where it fails")]

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;

use counterfoil_tests::files::lines;
use counterfoil_tests::http::{curl, curl_with};
use counterfoil_tests::kafka::{Broker, Sent, until};
use counterfoil_tests::okta::{joined, left};
use counterfoil_tests::program::LedgerFolder;
use counterfoil_tests::server::Server;
use counterfoil_verify::note::CosigningKey;
use serde_json::Value;

/// What is known of a metric.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct Known {
    kind: String,
    labels: BTreeSet<String>,
}

type Metrics = BTreeMap<String, Known>;

/// What starts the names of metrics that only a server with Kafka has.
const OF_KAFKA: &str = "counterfoil_kafka_";

fn file(path: &str) -> String {
    fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap().join(path)).unwrap()
}

/// What docs/metrics.md says: rows of name, kind, labels and meaning.
fn documented() -> Metrics {
    let in_ticks = |cell: &str| cell.split('`').skip(1).step_by(2).map(str::to_owned).collect::<BTreeSet<_>>();
    let text = file("docs/metrics.md");
    let rows = text.lines().filter(|line| line.starts_with("| `"));
    rows.map(|row| {
        let cells: Vec<&str> = row.split('|').map(str::trim).collect();
        let name = in_ticks(cells[1]).pop_first().unwrap();
        (name, Known { kind: cells[2].to_owned(), labels: in_ticks(cells[3]) })
    })
    .collect()
}

fn read(server: &Server) -> String {
    String::from_utf8(curl(&[format!("{}/metrics", server.url())]).body).unwrap()
}

/// What is exposed.
fn exposed(text: &str) -> Metrics {
    let mut metrics = Metrics::new();
    let types = text.lines().filter_map(|line| line.strip_prefix("# TYPE ")?.split_once(' '));
    metrics.extend(types.map(|(name, kind)| (name.to_owned(), Known { kind: kind.to_owned(), ..Known::default() })));
    for line in text.lines().filter(|line| !line.is_empty() && !line.starts_with('#')) {
        let (sample, _) = line.rsplit_once(' ').unwrap();
        let (sample, labels) = sample.split_once('{').unwrap_or((sample, ""));
        let suffixes = ["", "_bucket", "_sum", "_count"];
        let name = suffixes.iter().filter_map(|end| sample.strip_suffix(end)).find(|name| metrics.contains_key(*name));
        let known = name.and_then(|name| metrics.get_mut(name)).unwrap_or_else(|| panic!("of no type: {line}"));
        let names = labels.trim_end_matches('}').split("\",").filter_map(|label| label.split_once('=')).map(|of| of.0);
        known.labels.extend(names.filter(|name| *name != "le").map(str::to_owned));
    }
    metrics
}

fn post(server: &Server, connector: &str, body: &[u8]) {
    let url = format!("{}/v1/ingest/{connector}", server.url());
    let posted = ["--header", "content-type: application/x-ndjson", "--data-binary", "@-", &url];
    curl_with(&posted, body).json(200);
}

/// Servers on which everything was measured once that there is to be measured: a ledger's, with topics of Kafka where
/// there is Kafka, and a replica's.
fn measured(broker: Option<&Broker>) -> Metrics {
    let ledger = LedgerFolder::init();
    let config = broker.map_or_else(String::new, |broker| {
        broker.create("measured", 1);
        broker.send("measured", 0, [Sent::value(joined(9, "2026-03-01T09:00:00Z", 9, 1).to_string())]);
        format!(
            "[kafka.main]\nbootstrap = \"{}\"\n[kafka.main.topics.measured]\nconnector = \"okta\"\n",
            broker.bootstrap
        )
    });
    let config = ledger.file("counterfoil.toml", config);
    let log = fs::read_to_string(ledger.policy()).unwrap();
    let watched = LedgerFolder::empty();
    let witness = Server::witness(&watched, &ledger.policy(), "127.0.0.1:0");
    let key = fs::read_to_string(watched.data().join("cosigner.key")).unwrap();
    let key = CosigningKey::parse(key.trim_end()).unwrap().verifier_key();
    let watched = log.replace("quorum none\n", &format!("witness w {key} {}\nquorum w\n", witness.url()));
    let watched = ledger.file("witnesses.policy", watched);
    // Nobody listens there.
    let arguments = ["--listen", "127.0.0.1:0", "--otlp-endpoint", "http://127.0.0.1:1", "--otlp-seconds", "1"];
    let further = ["--config", config.to_str().unwrap(), "--witnesses", watched.to_str().unwrap()];
    let server = Server::start_with(&ledger, &[&arguments[..], &further].concat());
    post(&server, "okta", &lines(&[joined(1, "2026-03-01T09:00:00Z", 1, 1)]));
    post(&server, "okta", &lines(&[joined(1, "2026-03-01T09:00:00Z", 1, 1)]));
    post(&server, "okta", &lines(&[left(1, "2026-03-02T09:00:00Z", 1, 1)]));
    post(&server, "okta", b"{\"uuid\": 1}\n");
    let again = curl(&["--json", "{}", &format!("{}/v1/connectors/okta/remap", server.url())]);
    assert_eq!(again.status, 200, "{again}");
    let replica = LedgerFolder::empty();
    let follower = Server::query(&replica, &ledger.policy(), &server.url(), &[] as &[&str]);
    until("the replica follows", || read(&follower).lines().any(|line| line == "counterfoil_following 1"));
    let rest = [
        "counterfoil_dead_letters{connector=\"okta\"} 1",
        "counterfoil_otlp_spans_total{outcome=\"lost\"} ",
        "counterfoil_witnessed_records ",
    ];
    let of_kafka =
        broker.map(|_| "counterfoil_kafka_lag_messages{cluster=\"main\",topic=\"measured\",partition=\"0\"} 0");
    let stream = "counterfoil_streams{method=\"counterfoil.v1.LedgerService/ReadRecords\",transport=\"grpc\"} 1";
    until("all of it is measured", || {
        let text = read(&server);
        let has = |start: &&str| text.lines().any(|line| line.starts_with(*start));
        rest.iter().chain(&of_kafka).all(&has) && has(&stream)
    });
    if let Some(broker) = broker {
        // There is nothing that fails before something has failed.
        broker.kill();
        until("the broker is missed", || read(&server).contains("counterfoil_kafka_failing{cluster=\"main\"} 1"));
    }
    let texts = [read(&server), read(&follower)];
    for (outcome, events) in
        [("recorded", 1 + u64::from(broker.is_some())), ("duplicate", 1), ("conflict", 1), ("rejected", 1)]
    {
        let line = format!("counterfoil_events_total{{connector=\"okta\",outcome=\"{outcome}\"}} {events}");
        assert!(texts[0].lines().any(|given| given == line), "{line}: {}", texts[0]);
    }
    check_commits(&texts[0]);
    let mut all = Metrics::new();
    for text in &texts {
        for (name, known) in exposed(text) {
            assert!(text.contains(&format!("# HELP {name} ")), "{name} says what it is");
            let before = all.entry(name).or_insert_with(|| known.clone());
            before.labels.extend(known.labels);
        }
    }
    follower.stop();
    server.stop();
    witness.stop();
    all
}

/// What is said of commits fits together.
fn check_commits(text: &str) {
    let number = |name: &str| -> f64 {
        let line = text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(' '));
        line.unwrap_or_else(|| panic!("there is no {name}: {text}")).parse().unwrap()
    };
    let records = number("counterfoil_log_records") - 1.0;
    assert_eq!(number("counterfoil_commit_records_sum"), records, "all but the first were committed here");
    let commits = number("counterfoil_commit_seconds_count");
    assert!(commits >= 4.0, "{text}");
    for name in ["counterfoil_commit_sync_seconds", "counterfoil_commit_bytes"] {
        assert_eq!(number(&format!("{name}_count")), commits, "{name}");
    }
    let steps = number("counterfoil_commit_sync_seconds_sum") + number("counterfoil_commit_anchor_seconds_sum");
    let whole = number("counterfoil_commit_seconds_sum");
    assert!(steps > 0.0 && steps <= whole, "{steps} of {whole}");
    assert!(number("counterfoil_commit_bytes_sum") > 200.0 * records, "{text}");
}

#[test]
fn what_is_exposed_is_what_is_documented() {
    let broker = Broker::start_own("");
    let mut documented = documented();
    let found = measured(broker.as_ref());
    if broker.is_none() {
        documented.retain(|name, _| !name.starts_with(OF_KAFKA));
    }
    let names = |metrics: &Metrics| metrics.keys().cloned().collect::<Vec<_>>();
    assert_eq!(names(&found), names(&documented));
    for (name, known) in &documented {
        assert_eq!(&found[name], known, "{name}: exposed and documented");
    }
}

/// The metrics that a query asks for, each as it stands there, and the labels that it names.
fn asked(query: &str) -> (BTreeSet<String>, BTreeSet<String>) {
    let (mut names, mut labels) = (BTreeSet::new(), BTreeSet::new());
    // What stands in quotes is no name.
    let plain: String = query.split('"').step_by(2).collect::<Vec<_>>().join(" ");
    let is_of_name = |character: char| character.is_ascii_alphanumeric() || character == '_';
    let (mut depth, mut word, mut before) = (0, String::new(), String::new());
    let mut is_grouping = false;
    for character in plain.chars().chain([' ']) {
        if is_of_name(character) {
            word.push(character);
            continue;
        }
        if !word.is_empty() {
            if depth > 0 || is_grouping {
                labels.insert(word.clone());
            } else if word.starts_with("counterfoil_") || word.starts_with("process_") {
                names.insert(word.clone());
            }
            before = std::mem::take(&mut word);
        }
        match character {
            '{' => depth += 1,
            '}' => depth -= 1,
            '(' => is_grouping = ["by", "without", "on", "ignoring", "group_left"].contains(&before.as_str()),
            ')' => is_grouping = false,
            _ => {}
        }
        if !character.is_whitespace() {
            before.clear();
        }
    }
    (names, labels)
}

#[test]
fn names_and_labels_are_found_in_queries() {
    let set = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect::<BTreeSet<_>>();
    let check = |query: &str, names: &[&str], labels: &[&str]| {
        assert_eq!(asked(query), (set(names), set(labels)), "{query}");
    };
    check("counterfoil_a", &["counterfoil_a"], &[]);
    check(
        "sum by (x, y) (rate(counterfoil_a{b=~\"$c\",d!=\"counterfoil_e\"}[5m]))",
        &["counterfoil_a"],
        &["b", "d", "x", "y"],
    );
    check("counterfoil_a - on(z) process_b == bool 1", &["counterfoil_a", "process_b"], &["z"]);
}

#[test]
fn the_dashboard_asks_for_what_there_is() {
    let documented = documented();
    let dashboard: Value = serde_json::from_str(&file("deploy/grafana/counterfoil.json")).unwrap();
    let panels = dashboard["panels"].as_array().unwrap();
    let ids: BTreeSet<_> = panels.iter().map(|panel| panel["id"].as_u64().unwrap()).collect();
    assert_eq!(ids.len(), panels.len(), "each panel has an id of its own");
    let mut used = BTreeSet::new();
    for panel in panels {
        let title = panel["title"].as_str().unwrap();
        let targets = panel["targets"].as_array().cloned().unwrap_or_default();
        assert_eq!(targets.is_empty(), panel["type"] == "row", "{title}");
        for target in targets {
            assert_eq!(target["datasource"]["uid"], "${datasource}", "{title}");
            let query = target["expr"].as_str().unwrap();
            let (names, labels) = asked(query);
            assert!(!names.is_empty(), "{title}: {query}");
            let mut allowed = BTreeSet::from(["instance".to_owned()]);
            for name in names {
                let of_histogram = ["_bucket", "_sum", "_count"].iter().find_map(|end| name.strip_suffix(end));
                let known = match of_histogram.and_then(|of| Some((of, documented.get(of)?))) {
                    Some((of, known)) => {
                        assert_eq!(known.kind, "histogram", "{title}: {query}");
                        allowed.extend(name.ends_with("_bucket").then(|| "le".to_owned()));
                        used.insert(of.to_owned());
                        known
                    }
                    None => {
                        let known = documented.get(&name);
                        used.insert(name.clone());
                        known.unwrap_or_else(|| panic!("{title} asks for {name}, which there is not"))
                    }
                };
                let is_rate =
                    ["rate(", "increase("].iter().any(|function| query.contains(&format!("{function}{name}")));
                assert_eq!(is_rate, known.kind != "gauge", "{title}: {query}");
                allowed.extend(known.labels.iter().cloned());
            }
            let unknown: Vec<_> = labels.difference(&allowed).collect();
            assert!(unknown.is_empty(), "{title} asks for labels that there are not: {unknown:?}");
            let legend = target["legendFormat"].as_str().unwrap();
            let shown = legend.split("{{").skip(1).filter_map(|part| part.split("}}").next());
            for label in shown {
                let is_kept = labels.contains(label) || !query.contains(" by ") && allowed.contains(label);
                assert!(is_kept, "{title} shows {label}, which {query} does not give");
            }
        }
    }
    // What nobody looks at there is of the process.
    let unused = documented.keys().filter(|name| !used.contains(*name) && !name.starts_with("process_"));
    assert_eq!(unused.collect::<Vec<_>>(), Vec::<&String>::new());
}
