//! What callers are told when the server itself is in trouble: that it is, and not what lies on its disk.
#![allow(clippy::unwrap_used, reason = "a test stops where it fails")]

use std::fs;

use counterfoil_proto::v1::ingest_service_client::IngestServiceClient;
use counterfoil_proto::v1::snapshot_request::Part;
use counterfoil_proto::v1::{AppendRequest, SnapshotOptions, SnapshotPage, SnapshotRequest};
use counterfoil_query::services::reason_of;
use counterfoil_tests::http::curl;
use counterfoil_tests::okta::{joined, response, user_object};
use counterfoil_tests::program::LedgerFolder;
use counterfoil_tests::server::Server;
use serde_json::json;
use tonic::transport::Channel;
use tonic::{Code, Status};

#[test]
fn a_caller_is_told_the_reason_and_the_log_has_the_place() {
    let ledger = LedgerFolder::init();
    let server = Server::start(&ledger);
    let place = ledger.folder.path().to_str().unwrap().to_owned();
    // Something else stands where the anchor was.
    let anchor = ledger.beside("ledger.anchor");
    fs::rename(&anchor, ledger.beside("anchor.kept")).unwrap();
    fs::create_dir(&anchor).unwrap();
    let event = joined(1, "2026-03-01T09:00:00Z", 1, 1).to_string();
    let page = response("groups/00g1/users", None, "Mon, 02 Mar 2026 09:00:00 GMT", &json!([user_object(1, "ACTIVE")]));
    let page_file = ledger.file("page", &page);
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let mut told: Vec<Status> = Vec::new();
    runtime.block_on(async {
        let channel = Channel::from_shared(server.url()).unwrap().connect().await.unwrap();
        let mut ingest = IngestServiceClient::new(channel);
        let append = AppendRequest {
            connector: "okta".to_owned(),
            documents: vec![event.clone().into_bytes()],
            ..AppendRequest::default()
        };
        // The first one meets the disk, those behind it what is left of that.
        told.push(ingest.append(append.clone()).await.unwrap_err());
        told.push(ingest.append(append).await.unwrap_err());
        let options = SnapshotOptions { connector: "okta".to_owned(), ..SnapshotOptions::default() };
        let content = SnapshotPage { name: "page".to_owned(), content: page.into_bytes() };
        let parts = [Part::Options(options), Part::Page(content)].map(|part| SnapshotRequest { part: Some(part) });
        told.push(ingest.snapshot(tokio_stream::iter(parts)).await.unwrap_err());
    });
    let reasons: Vec<Option<String>> = told.iter().map(reason_of).collect();
    let reasons: Vec<&str> = reasons.iter().map(|reason| reason.as_deref().unwrap()).collect();
    assert_eq!(reasons[1..], ["CLOSED", "CLOSED"], "{told:?}");
    assert!(["STORAGE", "LEDGER"].contains(&reasons[0]) && told[0].code() == Code::Internal, "{told:?}");
    for status in &told {
        assert!(!status.message().contains(&place) && status.message().contains("log"), "{status:?}");
        assert!(!String::from_utf8_lossy(status.details()).contains(&place), "{status:?}");
    }
    let url = |path: &str| format!("{}{path}", server.url());
    for arguments in [
        ["--json".to_owned(), event, url("/v1/ingest/okta")],
        ["--form".to_owned(), format!("page=@{}", page_file.display()), url("/v1/snapshots/okta")],
    ] {
        let answer = curl(&arguments);
        let message = answer.error(503);
        assert!(!message.contains(&place) && message.contains("log"), "{answer}");
    }
    drop(runtime);
    fs::remove_dir(&anchor).unwrap();
    fs::rename(ledger.beside("anchor.kept"), &anchor).unwrap();
    let log = server.stop();
    let lines = log.lines().filter(|line| line.contains("a request failed") && line.contains(&place));
    assert_eq!(lines.count(), 5, "{log}");
}
