//! Webhooks and their configuration: who is believed, what is recorded of it, and what a wrong configuration is told.
#![allow(clippy::unwrap_used, reason = "a test stops where it fails")]

use aws_lc_rs::hmac;
use base64::prelude::{BASE64_STANDARD, Engine};
use counterfoil_tests::files::lines;
use counterfoil_tests::http::{Answer, curl, curl_with};
use counterfoil_tests::okta::joined;
use counterfoil_tests::program::{LedgerFolder, command, run};
use counterfoil_tests::server::Server;
use serde_json::{Value, json};

const SECRET: &str = "okta-hook-secret-8d1f";
const KEY: &[u8] = b"a-key-that-the-source-signs-with";

/// A server with a source that knows a secret, one that signs, and one that may send once a minute.
fn serve(ledger: &LedgerFolder) -> Server {
    ledger.file("secret", format!("{SECRET}\n"));
    ledger.file("key", KEY);
    let config = ledger.file(
        "counterfoil.toml",
        "listen = \"127.0.0.1:0\"\n\n\
         [ingest.prod]\nconnector = \"okta\"\ninstance = \"tenant\"\nauth = \"secret\"\nsecret_file = \"secret\"\n\n\
         [ingest.signed]\nconnector = \"fact\"\nauth = \"hmac\"\nheader = \"X-Signature\"\nprefix = \"v0=\"\n\
         encoding = \"base64\"\nsecret_file = \"key\"\n\n\
         [ingest.rare]\nconnector = \"okta\"\nauth = \"secret\"\nheader = \"X-Secret\"\nsecret_file = \"secret\"\n\
         requests_per_minute = 1\n",
    );
    Server::start_with(ledger, &["--config", config.to_str().unwrap()])
}

fn post(server: &Server, path: &str, headers: &[String], body: &[u8]) -> Answer {
    let mut arguments: Vec<String> = vec!["--header".to_owned(), "Content-Type: application/json".to_owned()];
    arguments.extend(headers.iter().flat_map(|header| ["--header".to_owned(), header.clone()]));
    arguments.extend(["--data-binary".to_owned(), "@-".to_owned(), format!("{}{path}", server.url())]);
    curl_with(&arguments, body)
}

fn provenance(server: &Server, index: &Value) -> Value {
    let url = format!("{}/v1/records/{}", server.url(), index.as_str().unwrap());
    curl(&[url]).json(200)["record"]["provenance"].take()
}

/// What Okta's event hooks send.
fn hook(numbers: std::ops::Range<u32>) -> Vec<u8> {
    let events: Vec<Value> = numbers.map(|number| joined(number, "2026-03-01T09:00:00Z", number, 1)).collect();
    let envelope = json!({
        "eventType": "com.okta.event_hook", "eventTypeVersion": "1.0", "cloudEventsVersion": "0.1",
        "source": "https://example.okta.com/api/v1/eventHooks/who1", "eventId": "0b0a", "data": {"events": events},
        "eventTime": "2026-03-01T09:00:01.000Z", "contentType": "application/json",
    });
    envelope.to_string().into_bytes()
}

#[test]
fn a_hook_with_its_secret_is_taken_once_and_says_so_twice() {
    let ledger = LedgerFolder::init();
    let server = serve(&ledger);
    let path = "/v1/ingest/okta/prod";
    let sent = |authorization: &[&str]| {
        let headers: Vec<String> = authorization.iter().map(|value| format!("Authorization: {value}")).collect();
        post(&server, path, &headers, &hook(1..4))
    };
    for wrong in [&[][..], &["wrong"], &[&SECRET[1..]], &["okta-hook-secret-8d1F"]] {
        let refused = sent(wrong);
        assert!(!refused.error(401).contains(SECRET) && !String::from_utf8_lossy(&refused.body).contains("wrong\""));
    }
    let elsewhere = post(&server, "/v1/ingest/fact/prod", &[format!("Authorization: {SECRET}")], &hook(1..4));
    assert!(elsewhere.error(404).contains("no source \"prod\" is configured for the connector \"fact\""));
    assert_eq!(curl(&[format!("{}/v1/checkpoint", server.url())]).json(200)["basis"]["treeSize"], "1");

    let first = sent(&[SECRET]).json(200);
    let again = sent(&[SECRET]).json(200);
    let of = |answer: &Value, field: &str| -> Vec<Value> {
        answer["events"].as_array().unwrap().iter().map(|event| event[field].clone()).collect()
    };
    assert_eq!(of(&first, "outcome"), vec![json!("APPENDED_RECORDED"); 3]);
    assert_eq!(of(&again, "outcome"), vec![json!("APPENDED_DUPLICATE"); 3]);
    assert_eq!(of(&first, "index"), of(&again, "index"));
    assert_eq!(again["basis"]["treeSize"], "4", "it is durable when it is acknowledged, and counted once");
    let provenance = provenance(&server, &first["events"][0]["index"]);
    assert_eq!(provenance["authentication"], "AUTHENTICATION_WEBHOOK_SECRET");
    assert_eq!(provenance["source"]["instance"], "tenant");

    let challenge = ["--header", "X-Okta-Verification-Challenge: c6a9d0"];
    let url = format!("{}{path}", server.url());
    assert_eq!(curl(&[&challenge[..], &[&url]].concat()).json(200), json!({"verification": "c6a9d0"}));
    assert!(curl(&[&url]).error(400).contains("X-Okta-Verification-Challenge"));
    let told = server.stop();
    assert!(!told.contains(SECRET), "{told}");
}

const CLOUDTRAIL: &[u8] = include_bytes!("../../ingest/tests/fixtures/cloudtrail-file.json");

/// A log mentions a ticket by its number; whose tickets are meant is said beside it, and the tenant of the log is not.
#[test]
fn a_mentioned_ticket_is_of_the_tenant_that_was_named() {
    for (query, tenant) in [("instance=prod", "default"), ("instance=prod&ticket_instance=desk", "desk")] {
        let ledger = LedgerFolder::init();
        let server = serve(&ledger);
        let pushed = post(&server, &format!("/v1/ingest/cloudtrail?{query}"), &[], CLOUDTRAIL).json(200);
        let url = format!("{}/v1/records/{}", server.url(), pushed["events"][0]["index"].as_str().unwrap());
        let ticket = curl(&[url]).json(200)["record"]["event"]["facts"][0]["correlation"]["tickets"][0].take();
        assert_eq!((&ticket["instance"], &ticket["id"]), (&json!(tenant), &json!("ticket/1042")), "{query}");
    }
    let ledger = LedgerFolder::init();
    let server = serve(&ledger);
    for field in ["instance", "ticket_instance"] {
        let wrong = post(&server, &format!("/v1/ingest/cloudtrail?{field}=a%20b"), &[], CLOUDTRAIL);
        assert!(wrong.error(400).contains(field));
    }
}

/// Many small events in one document would take many times its memory: the document is kept, and none of them is read.
#[test]
fn more_events_than_the_bytes_of_a_document_allow_are_not_read() {
    let ledger = LedgerFolder::init();
    let server = serve(&ledger);
    for (count, outcomes) in [(500, 500), (5_000, 1)] {
        let document = json!({"Records": vec![1; count]}).to_string();
        let answer = post(&server, "/v1/ingest/cloudtrail", &[], document.as_bytes()).json(200);
        let events = answer["events"].as_array().unwrap();
        assert_eq!(events.len(), outcomes);
    }
}

/// A hook shows who it is by itself: neither a token nor the name by which it calls counts.
#[test]
fn a_hook_needs_its_secret_and_no_token() {
    let path = "/v1/ingest/okta/prod";
    let secret = format!("Authorization: {SECRET}");
    let ledger = LedgerFolder::init();
    let server = serve(&ledger);
    // As a proxy on the same machine passes it on.
    let proxied = "Host: ledger.example.com".to_owned();
    post(&server, path, &[secret.clone(), proxied.clone()], &hook(1..2)).json(200);
    post(&server, path, std::slice::from_ref(&proxied), &hook(2..3)).error(401);
    post(&server, "/v1/ingest/okta", &[proxied], &hook(2..3)).error(403);
    server.stop();

    let create = ["token", "create", "--name", "all", "--role", "write", "--role", "operate", "--expires", "3650d"];
    let token = ledger.run(&create).ended(0).text().trim().to_owned();
    let server = serve(&ledger);
    post(&server, path, &[secret], &hook(2..3)).json(200);
    post(&server, path, &[format!("Authorization: Bearer {token}")], &hook(3..4)).error(401);
    post(&server, "/v1/ingest/okta", &[format!("Authorization: Bearer {token}")], &hook(3..4)).json(200);
    post(&server, "/v1/ingest/okta", &[format!("Authorization: {SECRET}")], &hook(4..5)).error(401);
}

#[test]
fn what_a_source_signs_counts_as_signed_and_a_changed_body_does_not() {
    let ledger = LedgerFolder::init();
    let server = serve(&ledger);
    let body = json!({"kind": "nonsense"}).to_string().into_bytes();
    let tag = BASE64_STANDARD.encode(hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, KEY), &body));
    let signed = [format!("X-Signature: v0={tag}")];
    let path = "/v1/ingest/fact/signed";
    let taken = post(&server, path, &signed, &body).json(200);
    assert_eq!(taken["events"][0]["outcome"], "APPENDED_REJECTED", "what cannot be read is kept, with its reason");
    let provenance = provenance(&server, &taken["events"][0]["index"]);
    assert_eq!(provenance["authentication"], "AUTHENTICATION_SOURCE_SIGNATURE");
    post(&server, path, &signed, b"{\"kind\": \"nonsense\"}").error(401);
    post(&server, path, &[format!("X-Signature: {tag}")], &body).error(401);
    post(&server, path, &[], &body).error(401);
}

#[test]
fn a_source_that_asks_too_often_is_told_when_to_come_back() {
    let ledger = LedgerFolder::init();
    let server = serve(&ledger);
    let secret = [format!("X-Secret: {SECRET}")];
    // Whoever does not know the secret uses up nothing.
    post(&server, "/v1/ingest/okta/rare", &["X-Secret: wrong".to_owned()], &hook(1..2)).error(401);
    post(&server, "/v1/ingest/okta/rare", &secret, &hook(1..2)).json(200);
    let refused = post(&server, "/v1/ingest/okta/rare", &secret, &hook(2..3));
    assert!(refused.error(429).contains("source rare may make 1 requests in a minute"), "{refused}");
    assert!(refused.has("retry-after: "), "{refused}");
    post(&server, "/v1/ingest/okta/prod", &[format!("Authorization: {SECRET}")], &hook(2..3)).json(200);
}

#[test]
fn a_producer_posts_lines_arrays_and_compressed_bodies() {
    let ledger = LedgerFolder::init();
    let server = Server::start(&ledger);
    let events: Vec<Value> = (1..=3).map(|number| joined(number, "2026-03-01T09:00:00Z", number, 1)).collect();
    let (as_lines, as_array) = (lines(&events), Value::from(events).to_string().into_bytes());
    let zstd = zstd::encode_all(&as_lines[..], 1).unwrap();
    let path = "/v1/ingest/okta?instance=tenant&backfill=true";
    let mut outcomes = Vec::new();
    for (header, body) in
        [("X-Nothing: 1", as_lines), ("Content-Encoding: identity", as_array), ("Content-Encoding: zstd", zstd)]
    {
        let answer = post(&server, path, &[header.to_owned()], &body).json(200);
        outcomes.extend(answer["events"].as_array().unwrap().iter().map(|event| event["outcome"].clone()));
    }
    assert_eq!(outcomes[..3], vec![json!("APPENDED_RECORDED"); 3]);
    assert_eq!(outcomes[3..], vec![json!("APPENDED_DUPLICATE"); 6]);
    let provenance = provenance(&server, &json!("1"));
    assert_eq!(provenance["authentication"], "AUTHENTICATION_LOCAL_CONNECTION");
    assert_eq!(provenance["delivery"], "DELIVERY_BACKFILL");
}

#[test]
fn config_check_says_every_setting_where_it_stands_and_everything_that_is_wrong() {
    let ledger = LedgerFolder::init();
    ledger.file("secret", SECRET);
    ledger.file("short", "short");
    let config = ledger.file(
        "counterfoil.toml",
        "data = \"ledger\"\nlisten = \"127.0.0.1:1\"\n\n[ingest.prod]\nconnector = \"okta\"\nauth = \"secret\"\n\
         secret_file = \"secret\"\n",
    );
    let config = config.to_str().unwrap();
    let mut asked = command();
    asked
        .args(["config", "check", "--config", config, "--log-format", "json"])
        .env("COUNTERFOIL_LISTEN", "127.0.0.1:2");
    asked.env("COUNTERFOIL_INGEST__PROD__REQUESTS_PER_MINUTE", "7").env("COUNTERFOIL_SERVER", "http://a.example");
    let output = asked.output().unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    assert!(output.status.success(), "{text} {}", String::from_utf8_lossy(&output.stderr));
    let cells: Vec<Vec<&str>> =
        text.lines().map(|line| line.split("  ").map(str::trim).filter(|cell| !cell.is_empty()).collect()).collect();
    let file = |line: u32| format!("{config}, line {line}");
    for expected in [
        ["data", "ledger", &file(1)],
        ["listen", "127.0.0.1:2", "the environment, COUNTERFOIL_LISTEN"],
        ["accept_clock", "false", "default"],
        ["log_format", "json", "the command line, --log-format"],
        ["ingest.prod.connector", "okta", &file(5)],
        ["ingest.prod.instance", "default", "default"],
        ["ingest.prod.requests_per_minute", "7", "the environment, COUNTERFOIL_INGEST__PROD__REQUESTS_PER_MINUTE"],
        ["ingest.prod.secret_file", "secret", &file(7)],
    ] {
        assert!(cells.iter().any(|cells| cells[..] == expected), "{expected:?}: {text}");
    }
    assert!(!text.contains(SECRET));

    let wrong = ledger.file(
        "wrong.toml",
        "data = 1\nlisten = \"here\"\nsecret = \"do-not-show-me\"\n\n[ingest.a]\nconnector = \"okat\"\nauth = \"secret\"\n\
         secret_file = \"short\"\nrequests_per_minute = 0\n\n[ingest.b]\nauth = \"hmac\"\nsecret_file = \"missing\"\n\
         signed = \"{body}{timestamp}\"\n\n[ingest.\"c d\"]\nconnector = \"okta\"\nauth = \"none\"\n",
    );
    let wrong = wrong.to_str().unwrap();
    let run_wrong = run(&["config", "check", "--config", wrong]).ended(2);
    let told = &run_wrong.stderr;
    for expected in [
        "line 1: data is wrong: expected a text in quotes",
        "line 2: listen is wrong: expected an address and a port, such as 127.0.0.1:7401, got \"here\"",
        "line 3: there is no setting secret: expected accept_clock, anchor, backups, client_ca, data, \
         listen, log_format, otlp_endpoint, tls_cert, tls_key, tokens",
        "line 6: ingest.a.connector is wrong: expected one of cloudtrail, fact, freshservice, github, kubernetes, nhi, okta, people, got \"okat\"",
        "line 8: ingest.a.secret_file names ",
        "expected at least 16 characters in each secret",
        "line 9: ingest.a.requests_per_minute is wrong: expected a number from 1 to 600000",
        "ingest.b.connector is missing",
        "ingest.b.header is missing",
        "line 13: ingest.b.secret_file names ",
        "line 14: ingest.b.signed is wrong: expected {body}, or a text with {timestamp} in it that ends with {body}",
        "line 16: ingest.c d is wrong: expected a name of letters, digits, - and _",
        "ingest.c d.secret_file is missing",
        "line 18: ingest.c d.auth is wrong: expected secret or hmac, got \"none\"",
    ] {
        assert!(told.contains(expected), "{expected}: {told}");
    }
    assert!(!told.contains("do-not-show-me") && !run_wrong.text().contains("do-not-show-me"), "{told}");
    assert!(run(&["serve", "--config", wrong]).ended(2).stderr.contains("line 2: listen is wrong"));
    let broken = ledger.file("broken.toml", "data = \"a\"\nsecret = do-not-show-me\n");
    let told = run(&["config", "check", "--config", broken.to_str().unwrap()]).ended(2).stderr;
    assert!(told.contains("broken.toml, line 2: ") && !told.contains("do-not-show-me"), "{told}");
    let alone = run(&["config", "check", "--data", "ledger", "--client-ca", "ca.pem"]).ended(2).stderr;
    assert!(alone.contains("the command line, --client-ca: client_ca stands alone: give tls_cert too"), "{alone}");
    let missing = run(&["config", "check"]).ended(2).stderr;
    assert!(missing.contains("data is missing: give --data DIR, COUNTERFOIL_DATA"), "{missing}");
}
