//! A standby that takes over, step by step: what its owner hears when it goes on, and how that one comes back.
#![allow(clippy::unwrap_used, reason = "a test stops where it fails")]

use std::collections::BTreeSet;
use std::fs;

use counterfoil_tests::http::{Answer, curl, try_curl_with};
use counterfoil_tests::kafka::until;
use counterfoil_tests::okta::{joined, uuid};
use counterfoil_tests::program::LedgerFolder;
use counterfoil_tests::server::Server;
use serde_json::Value;

/// Appends one event.
fn append(server: &Server, number: u32) -> Answer {
    try_append(server, number).unwrap()
}

/// The same, where the server may be ending.
fn try_append(server: &Server, number: u32) -> Result<Answer, String> {
    let event = joined(number, "2026-03-01T09:00:00Z", number, 1).to_string();
    let url = format!("{}/v1/ingest/okta", server.url());
    try_curl_with(&["--header", "content-type: application/json", "--data-binary", "@-", &url], event.as_bytes())
}

/// How many records it has; 0 where it has nothing yet.
fn size(server: &Server) -> u64 {
    let answer = curl(&[format!("{}/v1/checkpoint", server.url())]);
    if answer.status == 503 {
        return 0;
    }
    let head = answer.json(200);
    head["basis"]["treeSize"].as_str().unwrap().parse().unwrap()
}

/// Whether it counts as ready; not while it becomes something else.
fn is_ready(server: &Server) -> bool {
    try_curl_with(&[format!("{}/readyz", server.url())], b"").is_ok_and(|answer| answer.status == 200)
}

/// The ids of all events of a log, in its order.
fn ids(server: &Server) -> Vec<String> {
    let answer = curl(&[format!("{}/v1/records?withBeside=true", server.url())]);
    let messages = answer.body.split(|byte| *byte == b'\n').filter(|line| !line.is_empty());
    let records = messages.flat_map(|line| {
        serde_json::from_slice::<Value>(line).unwrap()["records"].as_array().cloned().unwrap_or_default()
    });
    records
        .skip(1)
        .map(|record| {
            let index = record["index"].as_str().unwrap().to_owned();
            let record = curl(&[format!("{}/v1/records/{index}", server.url())]).json(200);
            record["record"]["provenance"]["eventId"].as_str().unwrap().to_owned()
        })
        .collect()
}

#[test]
fn a_standby_takes_over_and_the_former_owner_stands_by() {
    let ledger = LedgerFolder::init();
    let folder = ledger.standby();
    let owner = Server::ingest(&ledger);
    let standby = Server::standby(&folder, &ledger, &owner.url());
    let mut acknowledged: BTreeSet<u32> = BTreeSet::new();
    let mut append_all = |server: &Server, numbers: std::ops::Range<u32>| {
        for number in numbers {
            append(server, number).json(200);
            acknowledged.insert(number);
        }
    };
    append_all(&owner, 1..30);
    until("the standby has all of it", || size(&standby) == size(&owner));
    assert!(!is_ready(&standby), "it takes no events yet");
    assert!(append(&standby, 900).error(503).contains("standby"));

    owner.pause();
    until("the standby has taken over", || is_ready(&standby));
    append_all(&standby, 30..40);
    let metrics = String::from_utf8(curl(&[format!("{}/metrics", standby.url())]).body).unwrap();
    assert!(metrics.lines().any(|line| line == "counterfoil_following NaN"), "it follows nobody any more: {metrics}");

    // It was alive all the time, and is asked at once.
    owner.go_on();
    let late = try_append(&owner, 999);
    assert!(late.as_ref().is_ok_and(|answer| answer.status != 200) || late.is_err(), "{late:?}");
    let told = owner.fails();
    assert!(told.contains("another copy of this ledger has taken over"), "{told}");
    let again = ledger.run(&["checkpoint"]).ended(1);
    assert!(again.stderr.contains("another copy of this ledger has taken over"), "{}", again.stderr);

    let expected: Vec<String> = acknowledged.iter().copied().map(uuid).collect();
    assert_eq!(ids(&standby), expected, "each acknowledged event once, in order, and nothing else");
    let told = standby.stop();
    assert!(told.contains("this standby is the owner now"), "{told}");
    let anchor = ledger.beside("ledger.anchor");
    folder.run(&["fsck", "--anchor", anchor.to_str().unwrap()]).ended(0);

    // The same command again, and the former owner as a standby of the new one.
    let standby = Server::standby(&folder, &ledger, "http://127.0.0.1:1");
    assert!(is_ready(&standby));
    for part in ["log", "derived"] {
        fs::remove_dir_all(ledger.data().join(part)).unwrap();
    }
    let former = Server::standby(&ledger, &ledger, &standby.url());
    until("the former owner has all of it", || size(&former) == size(&standby));
    append(&standby, 998).json(200);
}
