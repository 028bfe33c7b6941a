//! The log as tools that are not ours read it: tiles, proofs that verify offline, and Tessera's fsck and hammer.
#![allow(clippy::unwrap_used, reason = "a test stops where it fails")]

mod common;

use std::process::{Command, Stdio};

use base64::prelude::{BASE64_STANDARD, Engine};
use common::{log_key, read_checkpoint, tessera_fsck};
use counterfoil_tests::files::lines;
use counterfoil_tests::http::{Answer, curl, curl_with};
use counterfoil_tests::kafka::until;
use counterfoil_tests::okta::joined;
use counterfoil_tests::program::{LedgerFolder, run};
use counterfoil_tests::server::{Server, tool};

fn events(range: std::ops::RangeInclusive<u32>) -> Vec<u8> {
    lines(&range.map(|number| joined(number, "2026-03-01T09:00:00Z", number, 1)).collect::<Vec<_>>())
}

/// A ledger of so many records, the first of which is its origin.
fn ledger_of(records: u32) -> LedgerFolder {
    let ledger = LedgerFolder::init();
    if records > 1 {
        ledger.import("okta", &ledger.file("a.jsonl", events(1..=records - 1)), &[]).ended(0);
    }
    ledger
}

fn get(server: &Server, path: &str) -> Answer {
    // As it stands there: curl would tidy it up.
    curl(&["--path-as-is".to_owned(), format!("{}{path}", server.url())])
}

fn push(server: &Server, events: &[u8]) {
    let url = format!("{}/v1/ingest/okta", server.url());
    let posted = ["--header", "content-type: application/x-ndjson", "--data-binary", "@-", &url];
    curl_with(&posted, events).json(200);
}

#[test]
fn tiles_are_served_as_the_specification_has_it() {
    let ledger = ledger_of(703);
    let expected = ledger.run(&["checkpoint"]).ended(0).stdout;
    let records: Vec<Vec<u8>> = [0, 511, 512, 702]
        .map(|index: u32| ledger.run(&["record", &index.to_string(), "--raw"]).ended(0).stdout)
        .into();
    let server = Server::start(&ledger);
    let checkpoint = get(&server, "/checkpoint");
    assert_eq!((checkpoint.status, &checkpoint.body), (200, &expected), "{checkpoint}");
    assert!(checkpoint.has("content-type: text/plain; charset=utf-8") && checkpoint.has("cache-control: no-cache"));
    for (path, bytes) in [
        ("/tile/0/000", Some(8_192)),
        ("/tile/0/001.p/3", Some(96)),
        ("/tile/0/002.p/191", Some(191 * 32)),
        ("/tile/1/000.p/2", Some(64)),
        ("/tile/entries/000", None),
        ("/tile/entries/002.p/191", None),
        ("/tile/entries/002.p/1", Some(records[2].len() + 2)),
    ] {
        let tile = get(&server, path);
        assert_eq!(tile.status, 200, "{path}: {tile}");
        assert!(tile.has("content-type: application/octet-stream"), "{path}: {tile}");
        assert!(tile.has("cache-control: private, max-age=31536000, immutable"), "{path}: {tile}");
        assert!(bytes.is_none_or(|bytes| tile.body.len() == bytes), "{path}: {}", tile.body.len());
    }
    let bundle = get(&server, "/tile/entries/002.p/191").body;
    assert!(bundle.starts_with(&[&u16::try_from(records[2].len()).unwrap().to_be_bytes()[..], &records[2]].concat()));
    assert!(bundle.ends_with(&records[3]));
    // What is not there, in whatever way, is not there.
    for path in [
        "/tile/0/002",
        "/tile/0/002.p/192",
        "/tile/0/003.p/1",
        "/tile/1/000.p/3",
        "/tile/1/000",
        "/tile/2/000.p/1",
        "/tile/63/000",
        "/tile/64/000",
        "/tile/entries/002",
        "/tile/entries/003",
        "/tile/0/000.p/0",
        "/tile/0/000.p/256",
        "/tile/0/000.p/01",
        "/tile/0/0",
        "/tile/0/x000/000",
        "/tile/0/%300",
        "/tile/0/000/",
        "/tile/0//000",
        "/tile/0/../0/000",
        "/tile/00/000",
        "/tile/-1/000",
        "/tile/entries",
        "/tile/0/x999/x999/x999/x999/x999/x999/999",
        "/tile/x",
        "/tile/",
        "/tile",
        "/checkpoint/",
    ] {
        let absent = get(&server, path);
        assert_eq!(absent.status, 404, "{path}: {absent}");
        assert!(!path.starts_with("/tile/0") || absent.has("cache-control: no-store"), "{path}: {absent}");
    }
    let head = curl(&["--head".to_owned(), format!("{}/tile/0/000", server.url())]);
    assert!(head.status == 200 && head.body.is_empty() && head.has("content-length: 8192"), "{head}");
    assert_eq!(curl(&["--data".to_owned(), "x".to_owned(), format!("{}/checkpoint", server.url())]).status, 405);
    // What grows is there at once, and what was there stays.
    let before = get(&server, "/tile/0/002.p/191").body;
    push(&server, &events(703..=800));
    assert_eq!(get(&server, "/tile/0/002.p/191").body, before);
    assert_eq!(get(&server, "/tile/0/002").status, 200);
    assert!(String::from_utf8(get(&server, "/checkpoint").body).unwrap().contains("\n801\n"));
    server.stop();
}

#[test]
fn a_proof_verifies_offline_by_a_policy_and_nothing_else_does() {
    let ledger = ledger_of(40);
    let proof = ledger.file("17.tlog-proof", ledger.run(&["proof", "17"]).ended(0).stdout);
    let record = ledger.file("17.record", ledger.run(&["record", "17", "--raw"]).ended(0).stdout);
    let other = ledger.file("18.record", ledger.run(&["record", "18", "--raw"]).ended(0).stdout);
    let verify =
        |proof: &str, record: &str, policy: &str| run(&["verify", proof, "--record", record, "--policy", policy]);
    let [proof, record, other] = [proof, record, other].map(|path| path.to_str().unwrap().to_owned());
    let policy = ledger.policy().to_str().unwrap().to_owned();
    let shown = verify(&proof, &record, &policy).ended(0);
    assert!(
        shown.text().starts_with("Record 17 is in the tree of 40 records of tests.example/audit"),
        "{}",
        shown.text()
    );
    assert!(shown.text().contains("The policy asks for no witness") && shown.text().contains("no replayer"));

    let refused = verify(&proof, &other, &policy).ended(1);
    assert!(refused.stderr.contains("17.tlog-proof is refused") && refused.stdout.is_empty(), "{}", refused.stderr);
    let text = std::fs::read_to_string(&proof).unwrap();
    let moved = ledger.file("moved", text.replacen("index 17", "index 18", 1));
    verify(moved.to_str().unwrap(), &record, &policy).ended(1);
    let stranger = LedgerFolder::init();
    verify(&proof, &record, stranger.policy().to_str().unwrap()).ended(1);
    // The witness that this policy asks for has not cosigned.
    let key = counterfoil_verify::note::CosigningKey::from_seed(
        counterfoil_verify::note::KeyName::new("witness.example/w").unwrap(),
        &[7; 32],
    );
    let watched = std::fs::read_to_string(&policy)
        .unwrap()
        .replace("quorum none", &format!("witness w {}\nquorum w", key.verifier_key()));
    let watched = ledger.file("watched.policy", watched);
    let refused = verify(&proof, &record, watched.to_str().unwrap()).ended(1);
    assert!(refused.stderr.contains("quorum \"w\""), "{}", refused.stderr);
}

#[test]
fn fsck_of_tessera_walks_the_log() {
    for records in [1, 255, 256, 257, 703] {
        let ledger = ledger_of(records);
        let checkpoint = read_checkpoint(&ledger);
        let server = Server::start(&ledger);
        let Some(told) = tessera_fsck(&format!("{}/", server.url()), &ledger) else { return };
        let expected = format!("Successfully fsck'd log with size {records} and root {}", checkpoint.root);
        let in_base64 = format!("{records} and root {}", BASE64_STANDARD.encode(checkpoint.root.as_bytes()));
        assert!(told.contains(&expected) || told.contains(&in_base64), "{records}: {told}");
        server.stop();
    }
}

/// How many tiles a server has given out, by the code of the answer.
fn tiles(server: &Server, code: &str) -> u64 {
    let metrics = String::from_utf8(curl(&[format!("{}/metrics", server.url())]).body).unwrap();
    let start = "counterfoil_requests_total{method=\"/tile/{*tile}\",transport=\"http\",code=\"";
    let rest = format!("{start}{code}\"}} ");
    metrics.lines().find_map(|line| line.strip_prefix(&rest)).map_or(0, |count| count.parse().unwrap())
}

#[test]
fn hammer_of_tessera_reads_while_the_log_grows() {
    let ledger = ledger_of(600);
    let Some(hammer) = tool("tessera-hammer") else { return };
    let server = Server::start(&ledger);
    // It ends well once the log has grown by so many records, and badly after a minute.
    let reading = Command::new(hammer)
        .arg(format!("--log_url={}/", server.url()))
        .arg(format!("--log_public_key={}", log_key(&ledger)))
        .args(["--show_ui=false", "--num_readers_random=4", "--num_readers_full=2", "--max_read_ops=300"])
        .args(["--num_writers=0", "--leaf_write_goal=300", "--max_runtime=60s"])
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    until("it reads", || tiles(&server, "OK") > 20);
    for first in (600..900).step_by(10) {
        push(&server, &events(first..=first + 9));
    }
    let output = reading.wait_with_output().unwrap();
    let told = format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success(), "{:?} {told}", output.status);
    // What it warns of is a proof that is wrong, or an answer that it cannot use; or, at its end, what it has asked for and
    // calls off itself.
    let is_trouble = |line: &&str| line.starts_with(['W', 'E', 'F']) && !line.contains("context canceled");
    let troubles: Vec<&str> = told.lines().filter(is_trouble).collect();
    assert_eq!(troubles, Vec::<&str>::new(), "{told}");
    server.stop();
}
