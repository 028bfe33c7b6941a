//! What callers are told when the server itself is in trouble: that it is, and not what lies on its disk.
#![allow(clippy::unwrap_used, reason = "a test stops where it fails")]

use std::fs;

use counterfoil_proto::v1::ingest_service_client::IngestServiceClient;
use counterfoil_proto::v1::snapshot_request::Part;
use counterfoil_proto::v1::{AppendRequest, SnapshotOptions, SnapshotPage, SnapshotRequest};
use counterfoil_query::services::reason_of;
use counterfoil_tests::http::{Answer, curl};
use counterfoil_tests::okta::{joined, response, user_object};
use counterfoil_tests::program::LedgerFolder;
use counterfoil_tests::server::Server;
use serde_json::json;
use tonic::transport::Channel;
use tonic::{Code, Status};

/// A way to hand something over, and what is told of it: over gRPC, or over HTTP.
enum Told {
    Grpc(Box<Status>),
    Http(Answer),
}

fn event() -> String {
    joined(1, "2026-03-01T09:00:00Z", 1, 1).to_string()
}

fn page() -> String {
    response("groups/00g1/users", None, "Mon, 02 Mar 2026 09:00:00 GMT", &json!([user_object(1, "ACTIVE")]))
}

fn grpc(server: &Server, is_listing: bool) -> Told {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let channel = Channel::from_shared(server.url()).unwrap().connect().await.unwrap();
        let mut ingest = IngestServiceClient::new(channel);
        let connector = "okta".to_owned();
        Told::Grpc(Box::new(match is_listing {
            false => {
                let documents = vec![event().into_bytes()];
                let append = AppendRequest { connector, documents, ..AppendRequest::default() };
                ingest.append(append).await.unwrap_err()
            }
            true => {
                let options = SnapshotOptions { connector, ..SnapshotOptions::default() };
                let content = SnapshotPage { name: "page".to_owned(), content: page().into_bytes() };
                let parts = [Part::Options(options), Part::Page(content)];
                let parts = parts.map(|part| SnapshotRequest { part: Some(part) });
                ingest.snapshot(tokio_stream::iter(parts)).await.unwrap_err()
            }
        }))
    })
}

fn http(server: &Server, ledger: &LedgerFolder, is_listing: bool) -> Told {
    let url = |path: &str| format!("{}{path}", server.url());
    Told::Http(match is_listing {
        false => curl(&["--json".to_owned(), event(), url("/v1/ingest/okta")]),
        true => {
            let file = ledger.file("page", page());
            curl(&["--form".to_owned(), format!("page=@{}", file.display()), url("/v1/snapshots/okta")])
        }
    })
}

#[test]
fn a_caller_is_told_the_reason_and_the_log_has_the_place() {
    for (is_grpc, is_listing) in [(true, false), (true, true), (false, false), (false, true)] {
        let ledger = LedgerFolder::init();
        let server = Server::start(&ledger);
        let place = ledger.folder.path().to_str().unwrap().to_owned();
        // Something else stands where the anchor was.
        let anchor = ledger.beside("ledger.anchor");
        fs::rename(&anchor, ledger.beside("anchor.kept")).unwrap();
        fs::create_dir(&anchor).unwrap();
        let told = if is_grpc { grpc(&server, is_listing) } else { http(&server, &ledger, is_listing) };
        match told {
            Told::Grpc(status) => {
                let reason = reason_of(&status).unwrap();
                let is_internal = status.code() == Code::Internal;
                assert!(["STORAGE", "LEDGER"].contains(&reason.as_str()) && is_internal, "{status:?}");
                assert!(!status.message().contains(&place) && status.message().contains("log"), "{status:?}");
                assert!(!String::from_utf8_lossy(status.details()).contains(&place), "{status:?}");
            }
            Told::Http(answer) => {
                let message = answer.error(500);
                assert!(!message.contains(&place) && message.contains("log"), "{answer}");
            }
        }
        // Only a restart can tell what became durable.
        let log = server.fails();
        let lines = log.lines().filter(|line| line.contains("a request failed") && line.contains(&place));
        assert_eq!(lines.count(), 1, "{log}");
    }
}
