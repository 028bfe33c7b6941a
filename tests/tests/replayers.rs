//! Replayers: a copy of the log cosigns what it has recomputed, and nothing else; evidence says then that it is whole on more
//! than the operator's word.
#![allow(clippy::unwrap_used, reason = "a test stops where it fails")]

use std::fs;
use std::net::TcpListener;

use counterfoil_tests::files::lines;
use counterfoil_tests::http::curl_with;
use counterfoil_tests::kafka::until;
use counterfoil_tests::okta::joined;
use counterfoil_tests::program::{LedgerFolder, ORIGIN, command, run};
use counterfoil_tests::server::Server;
use counterfoil_verify::checkpoint::{Checkpoint, Origin};
use counterfoil_verify::evidence::verify;
use counterfoil_verify::hash::Hash;
use counterfoil_verify::note::{CosigningKey, KeyName};
use counterfoil_verify::policy::Policy;
use counterfoil_verify::tree::TreeSize;
use counterfoil_verify::witness::AddCheckpoint;

/// The replayer's key, by hand: policies name it before it runs.
fn key() -> CosigningKey {
    CosigningKey::from_seed(KeyName::new("replayer.example/r1").unwrap(), &[9; 32])
}

/// An address that was free a moment ago.
fn free_address() -> String {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().to_string()
}

#[test]
fn evidence_is_whole_on_a_replayers_word_and_other_histories_are_not_cosigned() {
    let ledger = LedgerFolder::init();
    let events: Vec<_> = (1..=20).map(|number| joined(number, "2026-03-01T09:00:00Z", number, 1)).collect();
    ledger.import("okta", &ledger.file("a.jsonl", lines(&events)), &[]).ended(0);
    let address = free_address();
    let own = fs::read_to_string(ledger.policy()).unwrap();
    let line = format!(
        "#counterfoil replayer r1 {} http://{address}\n#counterfoil replayer-quorum r1\n",
        key().verifier_key()
    );
    let policy = ledger.file("replayed.policy", own + &line);
    let mut sealing = command();
    sealing.env_remove("COUNTERFOIL_SEAL");
    let server =
        Server::start_as(sealing, &ledger, &["--listen", "127.0.0.1:0", "--witnesses", policy.to_str().unwrap()]);
    let read = Policy::parse(&fs::read(&policy).unwrap()).unwrap();
    let out = ledger.beside("evidence");
    let is_replayed = || {
        let _ = fs::remove_file(&out);
        let url = server.url();
        run(&["evidence", "absence", "nobody@example.com", "--server", &url, "--out", out.to_str().unwrap()]).ended(0);
        verify(&fs::read(&out).unwrap(), &read).unwrap().attested.is_replayed
    };
    assert!(!is_replayed(), "nobody has cosigned");

    // A copy that was taken without looking at tokens: they are looked at before anything is cosigned.
    let replica = LedgerFolder::empty();
    let copying = Server::query(&replica, &ledger.policy(), &server.url(), &[] as &[&str]);
    let size = || -> u64 {
        let listed = run(&["checkpoint", "--server", &copying.url()]);
        listed.text().lines().nth(1).and_then(|size| size.parse().ok()).unwrap_or_default()
    };
    until("the log is copied", || size() > 20);
    copying.stop();
    let folder = replica.beside("replayer");
    fs::create_dir_all(&folder).unwrap();
    fs::write(folder.join("cosigner.key"), format!("{}\n", *key().to_text())).unwrap();
    let further = ["--replayer", folder.to_str().unwrap(), "--replayer-listen", &address];
    let replayer = Server::query(&replica, &ledger.policy(), &server.url(), &further);
    until("it is cosigned", is_replayed);
    // And so is what comes later.
    let later = ledger.file("b.jsonl", lines(&[joined(30, "2026-03-02T09:00:00Z", 30, 1)]));
    let body = fs::read(later).unwrap();
    let posted = curl_with(
        &["-H", "content-type: application/jsonl", "--data-binary", "@-", &format!("{}/v1/ingest/okta", server.url())],
        &body,
    );
    assert_eq!(posted.status, 200, "{posted}");
    until("it is cosigned again", is_replayed);

    // What it has not recomputed, and what has another root, whoever signs it.
    let log_key = ledger.signing_key();
    let root = Hash::from_slice(&[7; 32]).unwrap();
    let ask = |size: u64, root: Hash| {
        let checkpoint = Checkpoint { origin: Origin::new(ORIGIN).unwrap(), size: TreeSize(size), root };
        let checkpoint_note = checkpoint.sign(&log_key).unwrap().format();
        let request = AddCheckpoint { old: TreeSize(0), path: Vec::new(), checkpoint_note };
        let url = format!("http://{address}/add-checkpoint");
        curl_with(&["--data-binary", "@-", &url], &request.format()).status
    };
    assert_eq!(ask(5, root), 422);
    assert_eq!(ask(5_000, root), 503);
    replayer.stop();
    server.stop();
}
