//! Topics of a real broker, read into a ledger by the program as it is run.

mod backlog;
mod formats;
mod gaps;
mod troubles;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use counterfoil_tests::http::curl;
use counterfoil_tests::kafka::{Broker, Sent, until};
use counterfoil_tests::okta;
use counterfoil_tests::produce::produce;
use counterfoil_tests::program::{LedgerFolder, run};
use counterfoil_tests::server::Server;
use serde_json::Value;

/// What topics are called, but for what makes each another one.
const TOPIC: &str = "okta.system-log";
const PUBLISHED: &str = "2026-03-01T10:00:00.000Z";

/// An event of that number: somebody joins a group.
fn event(number: u32) -> Vec<u8> {
    okta::joined(number, PUBLISHED, number, 1).to_string().into_bytes()
}

fn events(numbers: std::ops::Range<u32>) -> impl Iterator<Item = Sent> {
    numbers.map(|number| Sent::value(event(number)))
}

/// A broker, or a cluster, with a topic of so many partitions that is this test's own.
fn broker_with(partitions: i32) -> Option<(Broker, String)> {
    let broker = Broker::start()?;
    let topic = broker.topic(TOPIC);
    broker.create(&topic, partitions);
    Some((broker, topic))
}

/// The section of a cluster, by the name of the section, that reads a topic, with further settings of it. A request for
/// messages waits at the broker for a moment only: of what is sent while a server stands still, nothing is on its way to it.
fn section(name: &str, bootstrap: &str, topic: &str, settings: &str) -> String {
    format!(
        "[kafka.{name}]\nbootstrap = \"{bootstrap}\"\n\
         [kafka.{name}.properties]\nreconnect.backoff.max.ms = 200\ntopic.metadata.refresh.interval.ms = 1000\n\
         fetch.wait.max.ms = 10\n\
         [kafka.{name}.topics.okta]\ntopic = \"{topic}\"\nconnector = \"okta\"\n{settings}\n"
    )
}

/// The configuration of a server that reads a topic, with further settings of it.
fn configure(ledger: &LedgerFolder, broker: &Broker, topic: &str, settings: &str) {
    ledger.file("config.toml", section("main", &broker.bootstrap, topic, settings));
}

fn serve(ledger: &LedgerFolder) -> Server {
    let config = ledger.beside("config.toml");
    Server::start_with(ledger, &["--listen", "127.0.0.1:0", "--config", config.to_str().expect("a path of ASCII")])
}

fn size(server: &Server) -> u64 {
    let checkpoint = run(&["checkpoint", "--server", &server.url()]).ended(0);
    checkpoint.text().lines().nth(1).and_then(|size| size.parse().ok()).expect("a checkpoint's second line is its size")
}

/// Waits until the log has so many records behind its origin, and no more.
#[track_caller]
fn wait_for(server: &Server, records: u64) {
    until(&format!("{records} records are there"), || size(server) > records);
    assert_eq!(size(server), records + 1);
}

/// All records behind the origin.
fn records(server: &Server) -> Vec<Value> {
    let asked = |index: u64| run(&["record", &index.to_string(), "--server", &server.url(), "--output", "json"]).json();
    (1..size(server)).map(asked).collect()
}

fn position(record: &Value) -> (String, u64) {
    let position = &record["record"]["provenance"]["position"];
    (position["channel"].as_str().expect("a position has a channel").to_owned(), number(&position["sequence"]))
}

/// A number as JSON of Protocol Buffers has it: in quotes, and not at all where it is 0.
fn number(value: &Value) -> u64 {
    value.as_str().map_or(0, |number| number.parse().expect("a number"))
}

/// Bytes as JSON of Protocol Buffers has them.
fn bytes(value: &Value) -> Vec<u8> {
    STANDARD.decode(value.as_str().unwrap_or_default()).expect("base64")
}

/// What the server measures.
fn metrics(server: &Server) -> String {
    String::from_utf8(curl(&[format!("{}/metrics", server.url())]).body).expect("metrics are text")
}

/// A gauge of a partition; none where it is not told.
fn gauge(server: &Server, name: &str, partition: i32) -> Option<u64> {
    let metrics = metrics(server);
    let partition = format!("partition=\"{partition}\"");
    let line = metrics.lines().find(|line| line.starts_with(name) && line.contains(&partition))?;
    Some(line.rsplit(' ').next()?.parse().expect("a number"))
}

/// Whether something is wrong with the cluster, by its gauge.
fn is_failing(server: &Server) -> bool {
    metrics(server).lines().any(|line| line.starts_with("counterfoil_kafka_failing") && line.ends_with(" 1"))
}

/// The gaps among the records: from, to, and why.
fn gaps(server: &Server) -> Vec<(u64, u64, String)> {
    let gap = |record: Value| {
        let gap = record["record"]["sourceGap"].as_object()?.clone();
        let at = |name: &str| gap.get(name).map_or(0, number);
        let reason = gap["reason"].as_str().expect("a gap has a reason").replace("GAP_REASON_", "");
        Some((at("from"), at("to"), reason))
    };
    records(server).into_iter().filter_map(gap).collect()
}

fn gap(from: u64, to: u64, reason: &str) -> Vec<(u64, u64, String)> {
    vec![(from, to, reason.to_owned())]
}

#[test]
fn each_message_is_recorded_once_with_its_place_and_its_envelope() {
    let Some((broker, topic)) = broker_with(3) else { return };
    for partition in 0..3 {
        let first = partition as u32 * 10;
        broker.send(&topic, partition, events(first..first + 10));
    }
    let ledger = LedgerFolder::init();
    configure(&ledger, &broker, &topic, "");
    let server = serve(&ledger);
    wait_for(&server, 30);
    let mut places: Vec<(String, u64)> = records(&server).iter().map(position).collect();
    places.sort();
    let parts: Vec<&str> = places[0].0.split('/').collect();
    assert_eq!((parts[0], &parts[2..]), ("kafka", &[&topic[..], "0"][..]), "{places:?}");
    assert!(parts[1].len() >= 10, "the cluster's own id: {}", parts[1]);
    let expected: Vec<u64> = (0..3).flat_map(|_| 0..10).collect();
    assert_eq!(places.iter().map(|(_, sequence)| *sequence).collect::<Vec<_>>(), expected);
    server.stop();

    // Nothing is read again, and what came meanwhile is.
    let headers = vec![
        ("trace".to_owned(), b"abc".to_vec()),
        ("authorization".to_owned(), b"Bearer abcdefghijklmnop".to_vec()),
        ("blob".to_owned(), vec![0xff, 0x00]),
    ];
    broker.send(&topic, 1, [Sent { key: Some(b"person100".to_vec()), value: Some(event(100)), headers }]);
    let server = serve(&ledger);
    wait_for(&server, 31);
    let record = records(&server).pop().unwrap();
    assert_eq!(position(&record).1, 10);
    assert_eq!(record["record"]["provenance"]["authentication"], "AUTHENTICATION_OPEN_BROKER");
    let envelope = String::from_utf8(bytes(&record["envelope"])).unwrap();
    let envelope: Value = serde_json::from_str(&envelope).unwrap();
    assert_eq!(envelope["key"], "person100");
    assert!(envelope["createTimeMs"].as_i64().unwrap() > 1_700_000_000_000);
    let headers = envelope["headers"].as_array().unwrap();
    assert_eq!(headers[0], serde_json::json!({"trace": "abc"}));
    let secret = headers[1]["authorization"].as_str().unwrap();
    assert!(secret.contains("redacted:hmac-sha256:") && !secret.contains("abcdefghijklmnop"), "{secret}");
    assert_eq!(headers[2], serde_json::json!({"blob": {"base64": "/wA="}}));
    let log = server.stop();
    assert!(!log.contains("\"level\":\"ERROR\""), "{log}");
    ledger.run(&["fsck"]).ended(0);
}

#[test]
fn what_cannot_be_read_is_kept_with_its_place_and_the_others_go_on() {
    let Some((broker, topic)) = broker_with(1) else { return };
    let poison: [(Option<Vec<u8>>, &str); 5] = [
        (Some(b"{\"uuid\": \"1\"".to_vec()), "NOT_JSON"),
        (None, "NOT_AN_EVENT"),
        (Some(vec![0xff, 0xfe]), "NOT_UTF8"),
        (Some(b"{\"hello\": 1}".to_vec()), "NOT_AN_EVENT"),
        (None, "NOT_AN_EVENT"),
    ];
    for (number, (value, _)) in (0..).zip(&poison) {
        broker.send(&topic, 0, events(number..number + 1));
        broker.send(&topic, 0, [Sent { key: Some(b"k".to_vec()), value: value.clone(), ..Sent::default() }]);
    }
    let ledger = LedgerFolder::init();
    configure(&ledger, &broker, &topic, "");
    let server = serve(&ledger);
    wait_for(&server, 10);
    let letters = run(&["deadletter", "list", "--server", &server.url(), "--output", "json"]).json::<Value>();
    let letters = letters["deadLetters"].as_array().unwrap();
    assert_eq!(letters.len(), poison.len(), "{letters:#?}");
    for (number, (letter, (value, reason))) in letters.iter().zip(&poison).enumerate() {
        let place = format!("topic {topic}, partition 0, offset {}", 2 * number + 1);
        assert!(letter["error"].as_str().unwrap().starts_with(&place), "{letter:#}");
        assert!(letter["reason"].as_str().unwrap().replace(' ', "_").to_uppercase() == *reason, "{letter:#}");
        let index = letter["record"].as_str().unwrap();
        let shown: Value = run(&["record", index, "--server", &server.url(), "--output", "json"]).json();
        assert_eq!(position(&shown).1, 2 * number as u64 + 1);
        assert_eq!(bytes(&shown["payload"]), value.clone().unwrap_or_default());
    }
    server.stop();
}

#[test]
fn from_the_latest_on_nothing_is_left_out() {
    let Some((broker, topic)) = broker_with(2) else { return };
    broker.send(&topic, 0, events(0..3));
    let ledger = LedgerFolder::init();
    configure(&ledger, &broker, &topic, "start = \"latest\"");
    let server = serve(&ledger);
    until("both partitions are read to their ends", || {
        metrics(&server).lines().filter(|line| line.starts_with("counterfoil_kafka_lag_messages")).count() == 2
    });
    server.stop();
    // What comes while nobody reads comes after the beginning.
    broker.send(&topic, 0, events(3..5));
    broker.send(&topic, 1, events(5..6));
    let server = serve(&ledger);
    wait_for(&server, 3);
    server.stop();
    // A partition that the topic gets later is new from its beginning.
    broker.widen(&topic, 3);
    broker.send(&topic, 2, events(6..8));
    let server = serve(&ledger);
    wait_for(&server, 5);
    assert!(gaps(&server).is_empty());
    server.stop();
}

#[test]
fn a_large_envelope_is_left_out_and_said_so() {
    let Some((broker, topic)) = broker_with(1) else { return };
    let headers = (0..40).map(|number| (format!("header{number}"), vec![b'x'; 1_000])).collect();
    broker.send(&topic, 0, [Sent { key: Some(vec![b'k'; 20_000]), value: Some(event(0)), headers }]);
    let ledger = LedgerFolder::init();
    configure(&ledger, &broker, &topic, "");
    let server = serve(&ledger);
    wait_for(&server, 1);
    let envelope: Value = serde_json::from_slice(&bytes(&records(&server)[0]["envelope"])).unwrap();
    assert_eq!(envelope["keyLeftOut"]["bytes"], 20_000);
    assert_eq!(envelope["headersLeftOut"]["count"], 40);
    assert!(envelope.get("headers").is_none());
    server.stop();
}

/// librdkafka gives such a name to nobody; its other headers are lost with it, and the message is not.
#[test]
fn a_header_whose_name_is_no_text_is_said_so_and_the_message_is_read() {
    let Some((broker, topic)) = broker_with(1) else { return };
    produce(&broker.leader(&topic, 0), &topic, 0, &event(0), (b"trace", b"abc"));
    produce(&broker.leader(&topic, 0), &topic, 0, &event(1), (b"tr\xffce", b"abc"));
    broker.send(&topic, 0, events(2..3));
    let ledger = LedgerFolder::init();
    configure(&ledger, &broker, &topic, "");
    let server = serve(&ledger);
    wait_for(&server, 3);
    let envelope = |record: &Value| {
        assert!(record["record"]["event"].is_object(), "{record:#}");
        serde_json::from_slice::<Value>(&bytes(&record["envelope"])).unwrap()
    };
    let records = records(&server);
    let [text, no_text, _] = &records[..] else { panic!("expected three messages: {records:#?}") };
    let (text, no_text) = (envelope(text), envelope(no_text));
    assert_eq!(text["headers"], serde_json::json!([{"trace": "abc"}]));
    assert_eq!(no_text["headersUnreadable"], "a name is not UTF-8");
    server.stop();
}

#[test]
fn what_is_wrong_in_the_configuration_is_said_and_no_secret_is() {
    let ledger = LedgerFolder::init();
    let topics = "[kafka.main.topics.okta]\nconnector = \"okta\"\n";
    let check = |text: String| {
        let file = ledger.file("wrong.toml", text);
        let file = file.to_str().unwrap();
        let checked = run(&["config", "check", "--config", file, "--data", ledger.data().to_str().unwrap()]);
        (checked.code, format!("{}{}", checked.text(), checked.stderr))
    };
    let of = |properties: &str| {
        check(format!("[kafka.main]\nbootstrap = \"b:1\"\n[kafka.main.properties]\n{properties}\n{topics}"))
    };
    assert_eq!(of("security.protocol = \"ssl\"").0, 0);
    for (properties, expected) in [
        ("\"security.protocol\" = \"ssl\"", "without quotes"),
        ("sasl.password = \"hunter22\"", "name the file that holds it, with sasl.password_file"),
        ("sasl.pasword = \"hunter22\"", "name the file"),
        ("sasl.jaas.config = \"x password=hunter22\"", "name the file"),
        ("sasl.password_file = \"nowhere\"", "nowhere"),
        ("auto.offset.reset = \"latest\"", "set by the program itself"),
        ("metadata.broker.list = \"x\"", "set by the program itself"),
    ] {
        let (code, told) = of(properties);
        assert_ne!(code, 0, "{properties}: {told}");
        assert!(told.contains(expected), "{properties}: {told}");
        assert!(!told.contains("hunter22"), "{properties}: {told}");
    }
    let twice = "[kafka.main.topics.other]\ntopic = \"okta\"\nconnector = \"freshservice\"\n";
    let (code, told) = check(format!("[kafka.main]\nbootstrap = \"b:1\"\n{topics}{twice}"));
    assert_ne!(code, 0, "{told}");
    assert!(told.contains("twice"), "{told}");
    let (code, told) = check("[kafka.main]\nbootstrap = \"b:1\"\n".to_owned());
    assert!(code != 0 && told.contains("name each topic"), "{told}");
}
