//! What no caller can do to a server: wait for ever, ask for everything at once, or hold what others need.
#![allow(clippy::unwrap_used, reason = "a test stops where it fails")]

use std::io::{Read, Write};
use std::net::TcpStream;
use std::process::Command;
use std::time::Duration;

use counterfoil_proto::v1::identity_service_client::IdentityServiceClient;
use counterfoil_proto::v1::ingest_service_client::IngestServiceClient;
use counterfoil_proto::v1::ledger_service_client::LedgerServiceClient;
use counterfoil_proto::v1::{
    AppendRequest, AppendStreamRequest, Appended, GetCheckpointRequest, GetHistoryRequest, GetStateRequest,
    ListHoldersRequest, ListIdentitiesRequest, ReadRecordsRequest,
};
use counterfoil_query::services::reason_of;
use counterfoil_tests::files::lines;
use counterfoil_tests::http::curl_with;
use counterfoil_tests::okta::{joined, login};
use counterfoil_tests::program::LedgerFolder;
use counterfoil_tests::server::Server;
use prost::Message;
use serde_json::Value;
use tokio::runtime::Runtime;
use tonic::Code;
use tonic::transport::Channel;
use tonic_types::StatusExt;

/// Events of the ledger that is served: enough for several messages of a stream.
const EVENTS: u32 = 2_500;

fn served() -> (LedgerFolder, Server, Runtime, Channel) {
    let ledger = LedgerFolder::init();
    let events: Vec<Value> = (1..=EVENTS).map(|number| joined(number, "2026-03-01T09:00:00Z", number, 1)).collect();
    ledger.import("okta", &ledger.file("a.jsonl", lines(&events)), &[]).ended(0);
    let server = Server::start(&ledger);
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
    let channel = runtime.block_on(Channel::from_shared(server.url()).unwrap().connect()).unwrap();
    let ready = ListIdentitiesRequest { min_tree_size: u64::from(EVENTS) + 1, ..ListIdentitiesRequest::default() };
    runtime.block_on(IdentityServiceClient::new(channel.clone()).list_identities(ready)).unwrap();
    (ledger, server, runtime, channel)
}

/// A call as its bytes, by a client that leaves deadlines to the server: the headers of the answer.
fn call(server: &Server, request: &GetStateRequest, timeout: &str) -> String {
    let message = request.encode_to_vec();
    let frame = [&[0][..], &(message.len() as u32).to_be_bytes(), &message].concat();
    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(file.path(), frame).unwrap();
    let url = format!("{}/counterfoil.v1.IdentityService/GetState", server.url());
    let answer = Command::new("curl")
        .args(["-s", "--http2-prior-knowledge", "-o", "/dev/null", "-D", "-", "-H", "content-type: application/grpc"])
        .args(["-H", "te: trailers", "-H", &format!("grpc-timeout: {timeout}"), "--data-binary"])
        .args([&format!("@{}", file.path().display()), &url])
        .output()
        .unwrap();
    String::from_utf8(answer.stdout).unwrap()
}

#[test]
fn a_caller_waits_no_longer_than_it_says() {
    let (_ledger, server, runtime, channel) = served();
    let now = GetStateRequest { who: login(1), ..GetStateRequest::default() };
    let never = GetStateRequest { min_tree_size: 1 << 40, ..now.clone() };
    let answer = call(&server, &never, "300m");
    assert!(answer.contains("grpc-status: 4"), "{answer}");
    let answer = call(&server, &now, "60S");
    assert!(answer.contains("HTTP/2 200") && !answer.contains("grpc-status: 4"), "{answer}");
    // What is no time is refused, before the body is there: curl may see no more than that its body is not wanted.
    let mut soon = tonic::Request::new(now);
    soon.metadata_mut().insert("grpc-timeout", "soon".parse().unwrap());
    let refused = runtime.block_on(IdentityServiceClient::new(channel).get_state(soon)).unwrap_err();
    assert_eq!(refused.code(), tonic::Code::InvalidArgument, "{refused:?}");
    server.stop();
}

#[test]
fn no_answer_is_larger_than_its_page() {
    let (_ledger, server, runtime, channel) = served();
    let mut identity = IdentityServiceClient::new(channel);
    runtime.block_on(async {
        let all = ListIdentitiesRequest { page_size: 1_000_000, ..ListIdentitiesRequest::default() };
        let mut listed = Vec::new();
        let mut page = identity.list_identities(all.clone()).await.unwrap().into_inner();
        assert_eq!(page.identities.len(), 1_000);
        let token = page.next_page_token.clone();
        loop {
            listed.extend(page.identities.iter().map(|party| party.id.clone()));
            if page.next_page_token.is_empty() {
                break;
            }
            let next = ListIdentitiesRequest { page_token: page.next_page_token, ..all.clone() };
            page = identity.list_identities(next).await.unwrap().into_inner();
        }
        assert_eq!(listed.len(), EVENTS as usize + 1, "everybody, and who put them there");
        listed.sort();
        listed.dedup();
        assert_eq!(listed.len(), EVENTS as usize + 1, "everybody once");
        let of_okta = ListIdentitiesRequest { system: "okta".to_owned(), page_token: token.clone(), ..all };
        let status = identity.list_identities(of_okta).await.unwrap_err();
        assert_eq!(reason_of(&status).as_deref(), Some("PAGE_TOKEN"), "it belongs to another question: {status:?}");

        let holders = ListHoldersRequest { who: "Group 1".to_owned(), page_size: 900, ..Default::default() };
        let (mut held, mut next) = (Vec::new(), String::new());
        loop {
            let request = ListHoldersRequest { page_token: next, ..holders.clone() };
            let page = identity.list_holders(request).await.unwrap().into_inner();
            assert!(page.holders.len() <= 900);
            held.extend(page.holders.into_iter().map(|holder| holder.counterpart.unwrap().id.clone()));
            next = page.next_page_token;
            if next.is_empty() {
                break;
            }
        }
        assert_eq!(held.len(), EVENTS as usize);
        held.sort();
        held.dedup();
        assert_eq!(held.len(), EVENTS as usize, "everybody once");

        let other = |page_token: &str| GetHistoryRequest {
            who: login(1),
            page_token: page_token.to_owned(),
            ..GetHistoryRequest::default()
        };
        for token in [token.as_str(), "x", "00", &"f".repeat(60_000)] {
            let status = identity.get_history(other(token)).await.unwrap_err();
            assert_eq!(status.code(), Code::InvalidArgument, "{status:?}");
            assert_eq!(reason_of(&status).as_deref(), Some("PAGE_TOKEN"));
        }
        let negative = GetHistoryRequest { page_size: -1, ..other("") };
        assert_eq!(identity.get_history(negative).await.unwrap_err().code(), Code::InvalidArgument);
        let huge = GetStateRequest { who: "x".repeat(1 << 20), ..GetStateRequest::default() };
        assert_eq!(identity.get_state(huge).await.unwrap_err().code(), Code::OutOfRange);
        let long = GetStateRequest { who: "x".repeat(2_000), ..GetStateRequest::default() };
        assert_eq!(identity.get_state(long).await.unwrap_err().code(), Code::InvalidArgument);
    });
    server.stop();
}

#[test]
fn a_client_that_reads_nothing_holds_nobody_up() {
    let (ledger, server, runtime, channel) = served();
    let mut log = LedgerServiceClient::new(channel.clone());
    let endpoint = Channel::from_shared(server.url()).unwrap();
    runtime.block_on(async {
        // What is not read fills the window of its connection, and of no other.
        let mut unread = LedgerServiceClient::new(endpoint.connect().await.unwrap());
        let follow = ReadRecordsRequest { follow: true, with_beside: true, ..ReadRecordsRequest::default() };
        let mut streams = Vec::new();
        for _ in 0..99 {
            streams.push(unread.read_records(follow).await.unwrap().into_inner());
        }
        let mut reading = LedgerServiceClient::new(endpoint.connect().await.unwrap());
        let mut stream = reading.read_records(follow).await.unwrap().into_inner();
        let status = log.read_records(follow).await.unwrap_err();
        assert_eq!(status.code(), Code::ResourceExhausted, "{status:?}");
        let mut ingest = IngestServiceClient::new(channel.clone());
        for number in 0..20 {
            let event = joined(10_000 + number, "2026-03-02T09:00:00Z", 1, 2).to_string().into_bytes();
            let append =
                AppendRequest { connector: "okta".to_owned(), documents: vec![event], ..AppendRequest::default() };
            let receipt = ingest.append(append).await.unwrap().into_inner();
            assert_eq!(receipt.events[0].outcome(), Appended::Recorded);
        }
        // One of them is read, and misses nothing that was appended meanwhile.
        let mut next = 0;
        while next < u64::from(EVENTS) + 21 {
            for record in stream.message().await.unwrap().unwrap().records {
                assert_eq!(record.index, next);
                next += 1;
            }
        }
        let head = log.get_checkpoint(GetCheckpointRequest::default()).await.unwrap().into_inner();
        assert_eq!(head.basis.unwrap().tree_size, next);
    });
    drop((log, channel, runtime));
    server.stop();
    ledger.run(&["fsck"]).ended(0);
}

#[test]
fn what_cannot_be_appended_is_refused_or_kept() {
    let (_ledger, server, runtime, channel) = served();
    let mut ingest = IngestServiceClient::new(channel);
    let append = |connector: &str, documents: Vec<Vec<u8>>| AppendRequest {
        connector: connector.to_owned(),
        documents,
        ..AppendRequest::default()
    };
    runtime.block_on(async {
        for request in [
            append("no-such-connector", vec![b"{}".to_vec()]),
            append("okta", Vec::new()),
            append("okta", vec![Vec::new(); 10_001]),
            append("okta", vec![vec![b' '; (16 << 20) + 1]]),
            AppendRequest { request_id: "x".repeat(65), ..append("okta", vec![b"{}".to_vec()]) },
            AppendRequest { assume_zone: "CET".to_owned(), ..append("okta", vec![b"{}".to_vec()]) },
            AppendRequest { instance: "a\u{1b}b".to_owned(), ..append("okta", vec![b"{}".to_vec()]) },
        ] {
            let status = ingest.append(request).await.unwrap_err();
            assert_eq!(status.code(), Code::InvalidArgument, "{status:?}");
        }
        let good = joined(9_000, "2026-03-02T09:00:00Z", 1, 2).to_string().into_bytes();
        let documents = vec![b"{\"uuid\": 1".to_vec(), good.clone(), b"\xff\xfe".to_vec(), good];
        let receipt = ingest.append(append("okta", documents)).await.unwrap().into_inner();
        let outcomes: Vec<Appended> = receipt.events.iter().map(|event| event.outcome()).collect();
        assert_eq!(outcomes, [Appended::Rejected, Appended::Recorded, Appended::Rejected, Appended::Duplicate]);
        assert_eq!(receipt.events[1].index, receipt.events[3].index);
        assert_eq!(receipt.events[1].leaf_hash, receipt.events[3].leaf_hash);
    });
    server.stop();
}

/// A call whose message was begun and never ends: so much of it is sent, and the answer is not read.
fn begun(server: &Server, method: &str, length: usize, sent: usize) -> TcpStream {
    let mut stream = TcpStream::connect(&server.address).unwrap();
    let head = format!(
        "POST /counterfoil.v1.IngestService/{method} HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/grpc\r\n\
         TE: trailers\r\nContent-Length: {}\r\n\r\n",
        length + 5
    );
    let frame = [&[0][..], &u32::try_from(length).unwrap().to_be_bytes(), &vec![0; sent]].concat();
    stream.write_all(&[head.as_bytes(), &frame].concat()).unwrap();
    stream
}

#[test]
fn all_bodies_share_the_room_and_what_has_none_is_told_so() {
    const MIB: usize = 1 << 20;
    let ledger = LedgerFolder::init();
    let server = Server::start(&ledger);
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
    let channel = runtime.block_on(Channel::from_shared(server.url()).unwrap().connect()).unwrap();
    let mut ingest = IngestServiceClient::new(channel);
    // Of 256 MiB 252 are taken by callers who never end.
    let mut holders: Vec<TcpStream> = (0..15).map(|_| begun(&server, "Append", 16 * MIB, 16 * MIB - 1)).collect();
    holders.push(begun(&server, "Snapshot", 16 * MIB, 12 * MIB));
    let mut push = |bytes: usize| {
        let request = AppendRequest {
            connector: "none".to_owned(),
            documents: vec![vec![b' '; bytes]],
            ..AppendRequest::default()
        };
        runtime.block_on(ingest.append(request)).unwrap_err()
    };
    // Until the last of it has arrived.
    let refused = (0..500).map(|_| push(5 * MIB)).find(|status| status.code() != Code::InvalidArgument).unwrap();
    assert_eq!((refused.code(), reason_of(&refused).as_deref()), (Code::ResourceExhausted, Some("NO_ROOM")));
    assert_eq!(refused.get_details_retry_info().unwrap().retry_delay, Some(Duration::from_secs(1)));
    assert_eq!(push(100).code(), Code::InvalidArgument, "what is small has room");
    let url = format!("{}/v1/ingest/okta", server.url());
    let kind = ["--header", "Content-Type: application/json", "--data-binary", "@-", &url];
    let answer = curl_with(&kind, &vec![b' '; 5 * MIB]);
    assert!(answer.error(503).contains("as much as it has room for") && answer.has("retry-after: "), "{answer}");
    drop(holders);
    let taken = (0..500).map(|_| push(5 * MIB)).find(|status| status.code() == Code::InvalidArgument);
    assert!(taken.is_some(), "they are gone, and so is what they held");

    // A stream may take more than there is room for, one message after another.
    let mut event = joined(1, "2026-03-01T09:00:00Z", 1, 1).to_string().into_bytes();
    event.resize(4 * MIB - 1_000, b' ');
    let append = AppendRequest { connector: "okta".to_owned(), documents: vec![event; 4], ..AppendRequest::default() };
    let requests = (0..17).map(move |_| AppendStreamRequest { append: Some(append.clone()) });
    let count = runtime.block_on(async {
        let mut receipts = ingest.append_stream(tokio_stream::iter(requests)).await.unwrap().into_inner();
        let mut count = 0;
        while let Some(receipt) = receipts.message().await.unwrap() {
            assert_eq!(receipt.receipt.unwrap().events[3].outcome(), Appended::Duplicate);
            count += 1;
        }
        count
    });
    assert_eq!(count, 17);
    server.stop();
}

#[test]
fn a_message_that_never_ends_is_not_waited_for() {
    let ledger = LedgerFolder::init();
    let server = Server::start(&ledger);
    // The server's patience ends, which is shorter than the test's.
    for mut stream in ["Append", "Snapshot"].map(|method| begun(&server, method, 1_000, 10)) {
        stream.set_read_timeout(Some(Duration::from_secs(120))).unwrap();
        let (mut answer, mut some) = (String::new(), [0; 1_024]);
        while !answer.contains("grpc-status") {
            let count = stream.read(&mut some).unwrap();
            assert!(count > 0, "{answer}");
            answer.push_str(&String::from_utf8_lossy(&some[..count]));
        }
        assert!(answer.contains("grpc-status: 4") || answer.contains("grpc-status:4"), "{answer}");
    }
    server.stop();
}
