//! HTTP: the answers are those of the command line, in JSON; what is wrong with a request is said.
#![allow(clippy::unwrap_used, reason = "a test stops where it fails")]

mod common;

use std::collections::BTreeSet;
use std::io::{Read, Write};
use std::net::TcpStream;

use base64::prelude::{BASE64_STANDARD, Engine};
use common::company_ledger;
use counterfoil_proto::v1::{
    DiffStateResponse, ExplainChangeResponse, ExplainGrantResponse, GetHistoryResponse, GetStateResponse,
    ListChangesResponse, ListDeadLettersResponse, ListHoldersResponse, ListSourcesResponse, PlanReversalResponse,
    TraceTicketResponse,
};
use counterfoil_tests::files::lines;
use counterfoil_tests::http::{curl, curl_with, get, segment};
use counterfoil_tests::okta::{implied, joined, login, response, user_object, uuid};
use counterfoil_tests::program::{LedgerFolder, run};
use counterfoil_tests::server::Server;
use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::{Rng, SeedableRng};
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

/// A server whose views hold all of the log.
fn start(ledger: &LedgerFolder) -> Server {
    let server = Server::start(ledger);
    let size = get(&server, "/v1/checkpoint", &[]).json(200)["basis"]["treeSize"].take();
    get(&server, "/v1/identities", &[("min_tree_size", size.as_str().unwrap())]).json(200);
    server
}

/// The answer over HTTP is what the command line prints, and nothing that the message does not have.
fn check_same<T: Serialize + DeserializeOwned>(
    server: &Server,
    path: &str,
    parameters: &[(&str, &str)],
    question: &[&str],
) -> bool {
    let printed = run(&[question, &["--output", "json", "--server", &server.url()]].concat());
    let answer = get(server, path, parameters);
    if printed.code != 0 && printed.code != 4 {
        assert!(answer.status >= 400, "{question:?}: {answer}");
        return false;
    }
    if printed.code == 4 {
        // The command line lists whom the name fits; here the error says how.
        assert!(answer.error(400).contains("fit"), "{question:?}: {answer}");
        return false;
    }
    let given = answer.json(200);
    let printed: Value = serde_json::from_slice(&printed.stdout).unwrap();
    assert_eq!(given, printed, "{question:?}");
    let message: T = serde_json::from_value(given.clone()).unwrap();
    assert_eq!(serde_json::to_value(&message).unwrap(), given, "{question:?}: in the JSON mapping of protobuf");
    true
}

#[test]
fn answers_over_http_are_those_of_the_command_line() {
    let (ledger, company) = company_ledger();
    let server = start(&ledger);
    let mut random = ChaCha8Rng::seed_from_u64(17);
    let listed = get(&server, "/v1/identities", &[("system", "okta")]).json(200);
    let mut names: Vec<(String, String)> = Vec::new();
    for identity in listed["identities"].as_array().unwrap() {
        let id = identity["entityId"].as_str().or_else(|| identity["id"].as_str()).map(str::to_owned);
        names.extend(id.map(|id| (id, "okta".to_owned())));
    }
    let story = &company.truth.story;
    for name in [story.identity_login.as_str(), &story.late_identity_login, "nobody at all", "a", "SR-1/2 %41+?#"] {
        names.extend(["okta", "freshservice"].map(|system| (name.to_owned(), system.to_owned())));
    }
    assert!(names.len() > 12, "{listed}");
    let mut pick = |count: usize| usize::try_from(random.next_u32()).unwrap() % count;
    let mut answered = 0;
    for _ in 0..60 {
        let (who, system) = &names[pick(names.len())];
        let (who, system, at) =
            (who.as_str(), system.as_str(), format!("2026-0{}-1{}T08:30:00Z", 1 + pick(6), pick(10)));
        let known = format!("2026-1{}-01T00:00:00+01:00", pick(3));
        let from = "2026-01-05T00:00:00Z";
        let path = |what: &str| format!("/v1/identities/{}/{what}", segment(who));
        let [state, history, diff, holders] = ["state", "history", "diff", "holders"];
        let scope = ["--system", system, "--at", &at, "--known-at", &known];
        let scoped = [("system", system), ("at", &at), ("known_at", &known)];
        let with = |more: &[&'static str]| [&[more[0], who], &scope[..], &more[1..]].concat();
        let page = [&scoped[..], &[("from", from), ("pageSize", "1000")]].concat();
        answered += usize::from(match pick(4) {
            0 => check_same::<GetStateResponse>(&server, &path(state), &scoped, &with(&[state])),
            1 => {
                let question = with(&[history, "--from", "2026-01-05T00:00:00Z"]);
                check_same::<GetHistoryResponse>(&server, &path(history), &page, &question)
            }
            2 => {
                let scoped = [&scoped[..], &[("from", from)]].concat();
                let question = with(&[diff, "--from", "2026-01-05T00:00:00Z"]);
                check_same::<DiffStateResponse>(&server, &path(diff), &scoped, &question)
            }
            _ => {
                let path = format!("/v1/entitlements/{}/holders", segment(&story.late_entitlement_name));
                let question = ["holders", &story.late_entitlement_name, "--at", &at];
                check_same::<ListHoldersResponse>(&server, &path, &[("at", &at)], &question) || holders.is_empty()
            }
        });
    }
    assert!(answered > 20, "most of these have an answer: {answered}");
    let change = &story.explained_change_uuid;
    check_same::<ExplainChangeResponse>(&server, &format!("/v1/changes/{change}"), &[], &["explain", change]);
    let at = [("at", story.past_at.to_string())];
    let at: Vec<(&str, &str)> = at.iter().map(|(name, value)| (*name, value.as_str())).collect();
    let then = ["--at", at[0].1];
    let ticket = &story.explained_ticket;
    let trail = format!("/v1/tickets/{ticket}/trail");
    assert!(check_same::<TraceTicketResponse>(&server, &trail, &at, &[&["trace", ticket], &then[..]].concat()));
    let (who, what) = (&story.identity_login, story.past_entitlement.replacen("okta/", "entitlement:okta:default:", 1));
    let grant = format!("/v1/identities/{}/grants/{}", segment(who), segment(&what));
    let question = [&["explain-grant", who, &what, "--system", "okta"], &then[..]].concat();
    let scoped = [&at[..], &[("system", "okta")]].concat();
    assert!(check_same::<ExplainGrantResponse>(&server, &grant, &scoped, &question));
    let undo = [&at[..], &[("change", change.as_str())]].concat();
    let question = [&["reversal", change], &then[..]].concat();
    assert!(check_same::<PlanReversalResponse>(&server, "/v1/reversal", &undo, &question));
    let filter = "via:* AND occurred_at >= \"2026-01-05T00:00:00Z\"";
    let question = ["explain", "--all", "--effect", "any", "--filter", filter];
    let filtered = [("effect", "CHANGE_EFFECT_ANY"), ("filter", filter)];
    assert!(check_same::<ListChangesResponse>(&server, "/v1/changes", &filtered, &question));
    let verdicts = [("unapproved", "true"), ("verdicts", "VERDICT_NONE_RECORDED"), ("verdicts", "VERDICT_PENDING")];
    let question = ["explain", "--unapproved", "--verdict", "none-recorded", "--verdict", "pending"];
    assert!(check_same::<ListChangesResponse>(&server, "/v1/changes", &verdicts, &question));
    assert!(check_same::<ListSourcesResponse>(&server, "/v1/sources", &[], &["sources"]));
    assert!(check_same::<ListDeadLettersResponse>(&server, "/v1/dead-letters", &[], &["deadletter", "list"]));
}

/// What a reference of the document leads to; anything else is itself.
fn referred<'d>(document: &'d Value, value: &'d Value) -> &'d Value {
    let Some(reference) = value["$ref"].as_str() else { return value };
    document.pointer(reference.trim_start_matches('#')).unwrap_or_else(|| panic!("{reference} leads nowhere"))
}

/// Checks a value by a schema of the document. What is not set may be left out.
fn check_fits(document: &Value, schema: &Value, value: &Value, place: &str) {
    let schema = referred(document, schema);
    let fits = match (schema["type"].as_str().unwrap_or_else(|| panic!("{place} has the schema {schema}")), value) {
        ("object", Value::Object(members)) => {
            for required in schema["required"].as_array().into_iter().flatten() {
                assert!(members.contains_key(required.as_str().unwrap()), "{place}: {value} lacks {required}");
            }
            for (name, value) in members {
                let Some(properties) = schema.get("properties") else { continue };
                let property = properties.get(name);
                let is_open = name == "@type" || members.contains_key("@type");
                assert!(property.is_some() || is_open, "{place}: {name} is not in the document");
                property
                    .into_iter()
                    .for_each(|property| check_fits(document, property, value, &format!("{place}.{name}")));
            }
            true
        }
        ("array", Value::Array(items)) => {
            items.iter().for_each(|item| check_fits(document, &schema["items"], item, place));
            true
        }
        ("string", Value::String(text)) => {
            let is_known = schema["enum"].as_array().is_none_or(|names| names.contains(value));
            let is_encoded = schema["contentEncoding"] != "base64" || BASE64_STANDARD.decode(text).is_ok();
            is_known
                && is_encoded
                && match schema["format"].as_str() {
                    Some("int64") => text.parse::<i64>().is_ok(),
                    Some("uint64") => text.parse::<u64>().is_ok(),
                    Some("date-time") => text.parse::<jiff::Timestamp>().is_ok(),
                    other => other.is_none(),
                }
        }
        ("integer", value) => value.is_i64() || value.is_u64(),
        ("number", value) => value.is_number(),
        ("boolean", value) => value.is_boolean(),
        _ => false,
    };
    assert!(fits, "{place}: {value} is not what {schema} says");
}

#[test]
fn every_path_of_the_document_is_served() {
    let ledger = LedgerFolder::init();
    ledger.import("okta", &ledger.file("a.jsonl", lines(&[joined(1, "2026-03-01T09:00:00Z", 1, 1)])), &[]).ended(0);
    ledger.import("okta", &ledger.file("bad.jsonl", "{\"uuid\": 1\n"), &[]).ended(0);
    ledger.import("okta", &ledger.file("b.jsonl", lines(&[implied(3, "2026-03-01T09:00:00Z", 1, 1)])), &[]).ended(0);
    let widened = uuid(3);
    let asked = json!({"ticket": {
        "id": 7, "subject": "x", "type": "Request", "status": 2, "requester_id": 1, "requested_for_id": 2,
        "created_at": "2026-03-01T09:00:00Z", "updated_at": "2026-03-01T09:00:00Z",
    }});
    ledger.import("freshservice", &ledger.file("ticket.json", asked.to_string()), &[]).ended(0);
    let page = response("groups/00g1/users", None, "Mon, 02 Mar 2026 09:00:00 GMT", &json!([user_object(1, "ACTIVE")]));
    let page = ledger.file("page", page);
    let other =
        response("groups/00g2/users", None, "Mon, 02 Mar 2026 09:00:00 GMT", &json!([user_object(1, "ACTIVE")]));
    ledger.run(&["snapshot", "okta", ledger.file("other", other).to_str().unwrap()]).ended(0);
    ledger.seal();
    let secret = ledger.file("secret", "a-secret-of-the-tests");
    let config = ledger.file(
        "counterfoil.toml",
        format!("[ingest.hook]\nconnector = \"okta\"\nauth = \"secret\"\nsecret_file = {secret:?}\n"),
    );
    let backups = ledger.beside("backups");
    let further = ["--config", config.to_str().unwrap(), "--backups", backups.to_str().unwrap()];
    let server = Server::start_with(&ledger, &[&["--listen", "127.0.0.1:0"][..], &further].concat());
    get(&server, "/v1/identities", &[("min_tree_size", "4")]).json(200);
    let document = curl(&[format!("{}/openapi.json", server.url())]).json(200);
    let who = login(1);
    let record = joined(2, "2026-03-01T10:00:00Z", 2, 1).to_string();
    let append = json!({"connector": "okta", "documents": [BASE64_STANDARD.encode(&record)], "requestId": "r1"});
    let mut served = BTreeSet::new();
    for (path, operations) in document["paths"].as_object().unwrap() {
        for (verb, operation) in operations.as_object().unwrap() {
            let filled = [
                ("{who}", if path.contains("entitlements") { "Group%201" } else { &who }),
                ("{index}", "1"),
                ("{old_size}", "1"),
                ("{change}", if path.ends_with("affected") { &widened } else { "1" }),
                ("{record}", if path.contains("listings") { "7" } else { "2" }),
                ("{connector}", "okta"),
                ("{source}", "hook"),
                ("{system}", "okta"),
                ("{entitlement}", "Group%201"),
                ("{ticket}", "SR-7"),
                ("{question}", "EVIDENCE_QUESTION_STATE"),
                ("{tile}", "entries/000.p/1"),
            ];
            let filled = filled.iter().fold(path.clone(), |path, (name, value)| path.replace(name, value));
            let id = operation["operationId"].as_str().unwrap();
            let mut arguments = match id {
                "IngestService_Append" => vec!["--json".to_owned(), append.to_string()],
                "IngestService_RetryDeadLetter" | "IngestService_Remap" | "IngestService_CreateBackup" => {
                    vec!["--json".to_owned(), "{}".to_owned()]
                }
                "IngestService_Redact" => {
                    let asked =
                        json!({"records": [2], "reason": "disclosed", "rule": "policy/7", "by": "ops", "dryRun": true});
                    vec!["--json".to_owned(), asked.to_string()]
                }
                "Ingest_push" | "Ingest_hook" => vec!["--json".to_owned(), record.clone()],
                "Ingest_snapshot" => vec!["--form".to_owned(), format!("page=@{}", page.display())],
                "Ingest_verify" => vec!["--header".to_owned(), "X-Okta-Verification-Challenge: a\"b".to_owned()],
                "LinkageService_PlanReversal" => {
                    vec!["--get".to_owned(), "--data-urlencode".to_owned(), "change=1".to_owned()]
                }
                "IdentityService_DiffState" => {
                    vec!["--get".to_owned(), "--data-urlencode".to_owned(), "from=2026-01-01T00:00:00+01:00".to_owned()]
                }
                "ProofService_GetProofs" => ["--get", "--data-urlencode", "records=1"].map(str::to_owned).to_vec(),
                "ProofService_GetListingProof" => {
                    let subject = "subject=account:okta:default:nobody".to_owned();
                    vec!["--get".to_owned(), "--data-urlencode".to_owned(), subject]
                }
                "ProofService_GetPeriodEvidence" => {
                    let times = ["from=2026-03-01T00:00:00Z", "to=2026-04-01T00:00:00Z"];
                    let times = times.into_iter().flat_map(|time| ["--data-urlencode".to_owned(), time.to_owned()]);
                    ["--get".to_owned()].into_iter().chain(times).collect()
                }
                _ => Vec::new(),
            };
            if id == "Ingest_hook" {
                arguments.extend(["--header".to_owned(), "Authorization: a-secret-of-the-tests".to_owned()]);
            }
            arguments.push(format!("{}{filled}", server.url()));
            let answer = curl(&arguments);
            assert_eq!(answer.status, 200, "{verb} {path}: {answer}");
            let (expected, content) =
                operation["responses"]["200"]["content"].as_object().unwrap().iter().next().unwrap();
            assert!(answer.has(&format!("content-type: {expected}")), "{verb} {path}: {answer}");
            if expected.ends_with("json") {
                for value in serde_json::Deserializer::from_slice(&answer.body).into_iter::<Value>() {
                    check_fits(&document, &content["schema"], &value.unwrap(), &format!("{verb} {path}"));
                }
            }
            let security = operation.get("security").unwrap_or(&document["security"]).as_array().unwrap();
            if !security.contains(&json!({})) {
                let without = curl(&["--json", &record, &format!("{}{filled}", server.url())]);
                assert_eq!(without.status, 401, "{verb} {path}: {without}");
            } else {
                assert!(!arguments.iter().any(|argument| argument.starts_with("Authorization")), "{verb} {path}");
            }
            if id == "Ingest_snapshot" {
                let listing = &answer.json(200)["listings"][0];
                assert_eq!(
                    (&listing["completeness"], &listing["events"]),
                    (&json!("COMPLETENESS_COMPLETE"), &json!("1"))
                );
            }
            if id == "Ingest_verify" {
                assert_eq!(answer.json(200), json!({"verification": "a\"b"}));
            }
            if id == "Ingest_hook" {
                assert_eq!(answer.json(200)["events"][0]["outcome"], "APPENDED_DUPLICATE", "{answer}");
            }
            // What is in the document under another verb is not served.
            let other = if verb == "get" { "PUT" } else { "DELETE" };
            let wrong = curl(&["--request", other, &format!("{}{filled}", server.url())]);
            let allowed = wrong.error(405).contains(&verb.to_uppercase()) && wrong.has("allow: ");
            assert!(allowed, "{wrong}");
            if let Some(default) = operation["responses"].get("default") {
                let response = referred(&document, default);
                check_fits(&document, &response["content"]["application/json"]["schema"], &wrong.json(405), path);
            }
            served.insert(id.to_owned());
        }
    }
    assert!(served.len() > 20, "{served:?}");
    let metrics = String::from_utf8(curl(&[format!("{}/metrics", server.url())]).body).unwrap();
    for line in [
        "counterfoil_requests_total{method=\"counterfoil.v1.IngestService/Append\",transport=\"http\",code=\"OK\"} 1",
        "counterfoil_events_total{connector=\"okta\",outcome=\"recorded\"} 2",
        "counterfoil_events_total{connector=\"okta\",outcome=\"duplicate\"} 2",
        "counterfoil_log_records 14",
    ] {
        assert!(metrics.lines().any(|given| given == line), "{line}: {metrics}");
    }
    // How the databases hold back their writers: at rest not at all, and the help says in which unit.
    for (name, unit) in [("writes_stopped", "1 while"), ("delayed_write_bytes_per_second", "bytes a second")] {
        let help = format!("# HELP counterfoil_database_{name} ");
        let is_said = metrics.lines().any(|line| line.strip_prefix(&help).is_some_and(|text| text.contains(unit)));
        assert!(is_said, "{help}: {metrics}");
        for database in ["log", "derived", "views"] {
            let line = format!("counterfoil_database_{name}{{database=\"{database}\"}} 0");
            assert!(metrics.lines().any(|given| given == line), "{line}: {metrics}");
        }
    }
}

#[test]
fn a_stream_is_lines_that_hold_every_record() {
    let ledger = LedgerFolder::init();
    let events: Vec<Value> = (1..=700).map(|number| joined(number, "2026-03-01T09:00:00Z", number, 1)).collect();
    ledger.import("okta", &ledger.file("a.jsonl", lines(&events)), &[]).ended(0);
    let server = start(&ledger);
    let answer = get(&server, "/v1/records", &[("from", "3")]);
    assert!(answer.status == 200 && answer.has("content-type: application/x-ndjson"), "{answer}");
    let text = String::from_utf8(answer.body).unwrap();
    let batches = text.lines().map(|line| serde_json::from_str::<Value>(line).unwrap());
    let indexes: Vec<String> = batches
        .flat_map(|batch| batch["records"].as_array().unwrap().clone())
        .map(|record| record["index"].as_str().unwrap().to_owned())
        .collect();
    assert_eq!(indexes, (3..=700).map(|index| index.to_string()).collect::<Vec<_>>());
    // One who reads nothing holds up nobody.
    let idle: Vec<TcpStream> = (0..20)
        .map(|_| {
            let mut stream = TcpStream::connect(&server.address).unwrap();
            stream.write_all(b"GET /v1/records?follow=true HTTP/1.1\r\nHost: localhost\r\n\r\n").unwrap();
            stream
        })
        .collect();
    assert_eq!(get(&server, "/v1/checkpoint", &[]).json(200)["basis"]["treeSize"], "701");
    drop(idle);
}

#[test]
fn what_is_wrong_with_a_request_is_said() {
    let (ledger, _) = company_ledger();
    let server = start(&ledger);
    let url = |path: &str| format!("{}{path}", server.url());
    for (path, status, expected) in [
        ("/v1/nothing", 404, "nothing is served at this path"),
        ("/v1/identities?whom=a", 400, "whom: there is no such parameter: expected query, system, at"),
        ("/v1/identities?query=a&query=b", 400, "query: expected it once"),
        ("/v1/identities?query=%20", 400, "query: expected an entity id"),
        ("/v1/identities/%20/state", 400, "who: expected an entity id"),
        ("/v1/identities?page_size=many", 400, "page_size: expected a number of 32 bits"),
        ("/v1/identities?page_size=-1", 400, "page_size: expected a number of entries"),
        ("/v1/identities?page_size=2147483648", 400, "page_size: expected a number of 32 bits"),
        ("/v1/identities?at=yesterday", 400, "at: expected a time such as"),
        ("/v1/identities?at=2026-03-01T00:00:00+01:00", 400, "with a + written as %2B"),
        ("/v1/identities?page_token=AAAA", 400, "page"),
        ("/v1/identities/a/state?who=b", 400, "who: it stands in the path"),
        ("/v1/identities/%FF/state", 400, "UTF-8"),
        ("/v1/changes?unapproved=yes", 400, "unapproved: expected true or false"),
        ("/v1/changes?verdicts=APPROVED", 400, "verdicts: expected one of VERDICT_APPROVED"),
        ("/v1/records/-1", 400, "index: expected a number from 0"),
        ("/v1/records/%2B1", 400, "index: expected a number from 0"),
        ("/v1/records/99999999", 404, "99999999"),
        ("/v1/checkpoint?min_tree_size=99999999999", 400, "min_tree_size"),
        ("/v1/ingest/okta", 405, "only POST"),
        ("/v1/ingest/okta/nobody", 404, "no source \"nobody\""),
    ] {
        let answer = curl(&["--header", "X-Server-Timeout: 30", &url(path)]);
        let message = answer.error(status);
        assert!(message.contains(expected), "{path}: {message}");
    }
    for (header, expected) in [("X-Server-Timeout: soon", 400), ("X-Server-Timeout: 0.001", 504)] {
        curl(&["--header", header, &url("/v1/checkpoint?min_tree_size=99999999")]).error(expected);
    }
    assert!(curl(&["--header", "Origin: http://evil.example", &url("/v1/checkpoint")]).error(403).contains("origin"));
    let post = |arguments: &[&str], path: &str| curl(&[arguments, &[&url(path)]].concat());
    for (arguments, path, status, expected) in [
        (&["--request", "GET", "--data", "{}"][..], "/v1/checkpoint", 400, "expected no body"),
        (&["--data", "{}"], "/v1/append", 415, "expected the content type application/json"),
        (&["--json", "{"], "/v1/append", 400, "the request cannot be read"),
        (&["--json", "null"], "/v1/append", 400, "the request cannot be read"),
        (&["--json", "{\"conector\": \"okta\"}"], "/v1/append", 400, "unknown field `conector`"),
        (&["--json", "{\"documents\": [\"%\"]}"], "/v1/append", 400, "the request cannot be read"),
        (&["--json", "{}"], "/v1/append?connector=okta", 400, "expected nothing in the query"),
        (&["--json", "{}"], "/v1/append", 400, "documents"),
        (&["--json", "{}"], "/v1/ingest/nothing", 400, "there is no connector"),
        (&["--json", ""], "/v1/ingest/okta", 400, "expected 1 to 10000 documents"),
        (&["--json", "{}"], "/v1/ingest/okta?instanse=a", 400, "instanse"),
        (&["--json", "{}"], "/v1/ingest/okta?assume_zone=CET", 400, "assume_zone"),
        (&["--data", "{}"], "/v1/ingest/okta", 415, "expected the content type application/json or"),
        (&["--json", "{}", "--header", "Content-Encoding: br"], "/v1/ingest/okta", 400, "Content-Encoding"),
        (&["--json", "{}", "--header", "Content-Encoding: gzip"], "/v1/ingest/okta", 400, "cannot be unpacked"),
    ] {
        let message = post(arguments, path).error(status);
        assert!(message.contains(expected), "{path} {arguments:?}: {message}");
    }
    // A page of many is a page; and its token is for its question only.
    let page = get(&server, "/v1/changes", &[("page_size", "1000000")]).json(200);
    let count = page["explanations"].as_array().unwrap().len();
    assert!((1..=1_000).contains(&count), "{count}");
    let first = get(&server, "/v1/changes", &[("page_size", "2")]).json(200);
    let token = first["nextPageToken"].as_str().unwrap();
    let second = get(&server, "/v1/changes", &[("page_size", "2"), ("page_token", token)]).json(200);
    assert_ne!(first["explanations"], second["explanations"]);
    let other = get(&server, "/v1/changes", &[("unapproved", "true"), ("page_token", token)]);
    assert!(other.error(400).contains("the page token belongs to another question"), "{other}");
}

#[test]
fn a_body_that_is_too_large_or_never_ends_is_refused() {
    let ledger = LedgerFolder::init();
    let server = start(&ledger);
    let url = format!("{}/v1/ingest/okta", server.url());
    let large = vec![b' '; (16 << 20) + 1];
    let kind = ["--header", "Content-Type: application/json"];
    // Whoever goes on sending when the server has heard enough hears the answer all the same.
    let refused = |arguments: &[&str]| {
        let told = curl_with(arguments, &large);
        assert!(told.error(413).contains("at most 16777216 bytes"), "{told}");
    };
    refused(&[&kind[..], &["--data-binary", "@-", &url]].concat());
    refused(&[&kind[..], &["--header", "Transfer-Encoding: chunked", "--data-binary", "@-", &url]].concat());

    // What is announced and never comes: the server's patience ends, and not the test's.
    let mut stream = TcpStream::connect(&server.address).unwrap();
    let head = "POST /v1/ingest/okta HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: 9\r\n\r\n{";
    stream.write_all(head.as_bytes()).unwrap();
    let mut answer = [0; 12];
    stream.read_exact(&mut answer).unwrap();
    assert_eq!(&answer, b"HTTP/1.1 408");
    assert_eq!(get(&server, "/v1/checkpoint", &[]).json(200)["basis"]["treeSize"], "1", "nothing was taken");
}
