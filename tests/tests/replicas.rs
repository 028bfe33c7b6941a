//! Replicas, as somebody runs them: they answer as the ledger does, whatever happens to them, and to no other log.
#![allow(clippy::unwrap_used, reason = "a test stops where it fails")]

mod common;

use std::fs;
use std::path::PathBuf;
use std::sync::mpsc;
use std::time::Duration;

use common::{company_ledger, events, log_key, questions};
use counterfoil_tests::files::{all_files, lines};
use counterfoil_tests::http::{curl, curl_with};
use counterfoil_tests::okta::joined;
use counterfoil_tests::program::{LedgerFolder, ORIGIN, Run, run};
use counterfoil_tests::server::Server;
use counterfoil_verify::checkpoint::{Checkpoint, Origin};
use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::{Rng, SeedableRng};
use serde_json::Value;

/// A replica that believes the policy of a ledger.
struct Replica {
    folder: LedgerFolder,
    policy: PathBuf,
}

impl Replica {
    fn of(ledger: &LedgerFolder) -> Self {
        Self { folder: LedgerFolder::empty(), policy: ledger.policy() }
    }

    fn follow(&self, url: &str) -> Server {
        Server::query(&self.folder, &self.policy, url, &[] as &[&str])
    }
}

fn size(server: &Server) -> u64 {
    let head = curl(&[format!("{}/v1/checkpoint", server.url())]).json(200);
    head["basis"]["treeSize"].as_str().unwrap().parse().unwrap()
}

/// Waits until the views of a server hold so many records.
fn reach(server: &Server, size: u64) {
    for _ in 0..12 {
        if curl(&[format!("{}/v1/sources?minTreeSize={size}", server.url())]).status == 200 {
            return;
        }
    }
    panic!("{size} records are not reached: {}", ready(server).1);
}

/// Whether a server counts as ready, and what it says.
fn ready(server: &Server) -> (u16, String) {
    let answer = curl(&[format!("{}/readyz", server.url())]);
    (answer.status, String::from_utf8(answer.body).unwrap())
}

/// Waits until a server says such a thing of itself.
#[track_caller]
fn says(server: &Server, status: u16, words: &[&str]) -> String {
    let mut last = String::new();
    for _ in 0..600 {
        let (found, what) = ready(server);
        if found == status && words.iter().all(|word| what.contains(word)) {
            return what;
        }
        last = format!("{found} {what}");
        rest(50);
    }
    panic!("expected {status} and {words:?}, got {last}");
}

/// Lets so many milliseconds pass.
fn rest(milliseconds: u64) {
    let (_never, nothing) = mpsc::channel::<()>();
    let _ = nothing.recv_timeout(Duration::from_millis(milliseconds));
}

fn metric(server: &Server, name: &str) -> f64 {
    let text = String::from_utf8(curl(&[format!("{}/metrics", server.url())]).body).unwrap();
    let line = text.lines().find(|line| line.split(' ').next() == Some(name));
    line.unwrap_or_else(|| panic!("there is no {name}: {text}")).split(' ').nth(1).unwrap().parse().unwrap()
}

/// Every record of a server's log, and what lies beside it, as lines of JSON.
fn log(server: &Server) -> Vec<Value> {
    let answer = curl(&[format!("{}/v1/records?withBeside=true", server.url())]);
    assert_eq!(answer.status, 200);
    let messages = answer.body.split(|byte| *byte == b'\n').filter(|line| !line.is_empty());
    let records = messages.map(|line| serde_json::from_slice::<Value>(line).unwrap());
    records.flat_map(|message| message["records"].as_array().cloned().unwrap_or_default()).collect()
}

fn append(server: &Server, events: &[Value]) {
    let url = format!("{}/v1/ingest/okta", server.url());
    let posted = ["--header", "content-type: application/x-ndjson", "--data-binary", "@-", &url];
    let answer = curl_with(&posted, &lines(events));
    assert_eq!(answer.status, 200, "{answer}");
}

/// Events that are other ones than those of [`events`].
fn others(range: std::ops::Range<u32>) -> Vec<Value> {
    range.map(|number| joined(100_000 + number, "2026-04-01T09:00:00Z", number, 1)).collect()
}

fn copied(ledger: &LedgerFolder) -> LedgerFolder {
    let copy = LedgerFolder::empty();
    for file in all_files(ledger.folder.path()) {
        let target = copy.folder.path().join(file.strip_prefix(ledger.folder.path()).unwrap());
        fs::create_dir_all(target.parent().unwrap()).unwrap();
        fs::copy(&file, target).unwrap();
    }
    copy
}

#[test]
fn a_replica_answers_as_the_ledger_does() {
    let (ledger, company) = company_ledger();
    // Delivered again: counts that no record holds.
    ledger.import("okta", &ledger.beside("company").join("okta"), &["--backfill"]).ended(0);
    let asked = questions(&company);
    let told = |run: Run| (run.code, run.stdout, run.stderr);
    let embedded: Vec<_> = asked.iter().map(|question| told(ledger.run(question))).collect();
    assert!(embedded.iter().filter(|(code, ..)| *code == 0).count() > 60, "most of these have an answer");

    let ingest = Server::ingest(&ledger);
    let replica = Replica::of(&ledger);
    let query = replica.follow(&ingest.url());
    reach(&query, size(&ingest));
    for (question, embedded) in asked.iter().zip(embedded) {
        let question = [&question[..], &["--server".to_owned(), query.url()]].concat();
        assert_eq!(told(run(&question)), embedded, "{question:?}");
    }
    assert_eq!(log(&query), log(&ingest));
    assert_eq!(metric(&query, "counterfoil_log_records"), size(&ingest) as f64);
    assert_eq!(metric(&query, "counterfoil_source_records"), size(&ingest) as f64);
    assert_eq!((metric(&query, "counterfoil_following"), metric(&query, "counterfoil_source_refused")), (1.0, 0.0));
    let told = ingest.stop();
    assert!(!told.contains("cut off"), "whoever follows it holds up no stop: {told}");
    query.stop();
}

#[test]
fn each_side_says_what_it_has_not() {
    let ledger = LedgerFolder::init();
    let ingest = Server::ingest(&ledger);
    let replica = Replica::of(&ledger);
    let query = replica.follow(&ingest.url());
    let events = ["--header", "content-type: application/json", "--data-binary", "{}"];
    for path in ["v1/ingest/okta", "v1/ingest/okta/hook", "v1/snapshots/okta", "v1/append"] {
        let refused = curl(&[&events[..], &[&format!("{}/{path}", query.url())]].concat());
        assert!(refused.error(501).contains("takes no events"), "{path}: {refused}");
    }
    for path in ["v1/sources", "v1/identities", "v1/changes"] {
        let refused = curl(&[format!("{}/{path}", ingest.url())]);
        assert!(refused.error(501).contains("counterfoil query"), "{path}: {refused}");
    }
    let asked = run(&["sources", "--server", &ingest.url()]).ended(1);
    assert!(asked.stderr.contains("counterfoil query"), "{}", asked.stderr);
    reach(&query, 1);
    assert_eq!((ready(&ingest).0, ready(&query).0), (200, 200));

    let second =
        replica.folder.run(&["query", "--follow", &ingest.url(), "--policy", replica.policy.to_str().unwrap()]);
    assert!(second.stderr.contains(&query.url()), "it says who has the folder: {}", second.stderr);
    let opened = replica.folder.run(&["sources"]).ended(1);
    assert!(opened.stderr.contains(&query.url()), "{}", opened.stderr);
    query.stop();
    let opened = replica.folder.run(&["sources"]).ended(1);
    assert!(opened.stderr.contains("replica"), "{}", opened.stderr);
    let wrong = ledger.run(&["query", "--follow", "http://127.0.0.1:1"]).ended(1);
    assert!(wrong.stderr.contains("folder of its own") || wrong.stderr.contains("answers on"), "{}", wrong.stderr);
    let wrong = ledger.run(&["query"]).ended(2);
    assert!(wrong.stderr.contains("--follow URL"), "{}", wrong.stderr);
    let wrong = run(&["query", "--data", "no-such-folder", "--follow", "http://127.0.0.1:1"]).ended(1);
    assert!(wrong.stderr.contains("no-such-folder.policy"), "{}", wrong.stderr);
}

#[test]
fn a_replica_that_is_killed_again_and_again_copies_each_record_once() {
    let ledger = LedgerFolder::init();
    let file = ledger.file("events.jsonl", lines(&events(20_000)));
    ledger.import("okta", &file, &[]).ended(0);
    let ingest = Server::ingest(&ledger);
    let replica = Replica::of(&ledger);
    let mut random = ChaCha8Rng::seed_from_u64(7);
    for kill in 0..12 {
        let query = replica.follow(&ingest.url());
        rest(random.next_u64() % 250);
        query.kill();
        append(&ingest, &others(10 * kill..10 * kill + 10));
    }
    let query = replica.follow(&ingest.url());
    reach(&query, size(&ingest));
    assert_eq!(size(&query), 20_000 + 120 + 1);
    assert!(log(&query) == log(&ingest), "record for record the same");
}

#[test]
fn a_replica_goes_on_answering_while_its_source_is_away_and_catches_up() {
    let ledger = LedgerFolder::init();
    let ingest = Server::ingest(&ledger);
    let replica = Replica::of(&ledger);
    append(&ingest, &events(50));
    let query = replica.follow(&ingest.url());
    reach(&query, 51);
    let address = ingest.address.clone();
    ingest.kill();
    while metric(&query, "counterfoil_following") != 0.0 {}
    assert_eq!(ready(&query).0, 200, "it answers from what it has");
    assert_eq!(size(&query), 51);

    let ingest = Server::ingest_at(&ledger, &address);
    append(&ingest, &others(0..50));
    reach(&query, 101);
    assert_eq!(metric(&query, "counterfoil_following"), 1.0);
    assert_eq!(log(&query), log(&ingest));

    let told = query.stop();
    append(&ingest, &others(50..90));
    let query = replica.follow(&ingest.url());
    reach(&query, 141);
    assert_eq!(log(&query), log(&ingest));
    assert!(told.contains("for now"), "{told}");
}

#[test]
fn a_log_that_was_forked_or_rolled_back_is_refused_and_proved() {
    let ledger = LedgerFolder::init();
    let before = ledger.file("before.jsonl", lines(&events(300)));
    ledger.import("okta", &before, &[]).ended(0);
    let old = copied(&ledger);
    let ingest = Server::ingest(&ledger);
    let replica = Replica::of(&ledger);
    append(&ingest, &others(0..200));
    let query = replica.follow(&ingest.url());
    reach(&query, 501);
    let answers = |query: &Server| run(&["sources", "--server", &query.url(), "--output", "json"]).ended(0).stdout;
    let answered = answers(&query);
    query.stop();

    // Rolled back, with its anchor.
    let rolled_back = Server::ingest(&old);
    let query = replica.follow(&rolled_back.url());
    reach(&query, 501);
    while metric(&query, "counterfoil_following") != 0.0 {}
    let refused = query.stop();
    assert!(refused.contains("301 records") && refused.contains("501 were signed"), "{refused}");

    // And gone on from there: as long, longer.
    for (from, to, size) in [(1_000, 1_100, 401), (1_100, 1_300, 601)] {
        append(&rolled_back, &others(from..to));
        let query = replica.follow(&rolled_back.url());
        let what = says(&query, 503, &["record 301 is another one", "there can be no proof"]);
        assert_eq!(metric(&query, "counterfoil_source_refused"), 1.0);
        assert_eq!(answers(&query), answered, "it goes on answering from what it has");
        let log = query.stop();
        assert!(log.contains("\"ERROR\""), "{log}");
        let file = all_files(&replica.folder.data().join("forks"))
            .into_iter()
            .find(|file| what.contains(file.file_name().unwrap().to_str().unwrap()));
        let evidence = String::from_utf8(fs::read(file.unwrap()).unwrap()).unwrap();
        let second = evidence.rfind(ORIGIN).and_then(|_| evidence.find(&format!("\n\n{ORIGIN}\n"))).unwrap() + 2;
        let key = log_key(&old);
        let open = |note: &str| Checkpoint::open(note.as_bytes(), &Origin::new(ORIGIN).unwrap(), &key).unwrap();
        let (first, second) = (open(&evidence[..second - 1]), open(&evidence[second..]));
        assert_eq!((first.size.0, second.size.0), (501, size));
    }
    // The right log again: it is followed as if nothing had been.
    append(&ingest, &others(200..210));
    let query = replica.follow(&ingest.url());
    reach(&query, 511);
    assert_eq!(ready(&query).0, 200);
    assert_eq!(log(&query), log(&ingest));

    // A log of somebody else's, which has nothing to do with the policy.
    let other = LedgerFolder::empty();
    other.run(&["init", "--origin", "tests.example/other"]).ended(0);
    let other = Server::ingest(&other);
    let fresh = Replica::of(&ledger);
    let query = fresh.follow(&other.url());
    says(&query, 503, &["not signed by the log's key"]);
}
