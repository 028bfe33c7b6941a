//! Listings that are handed over to a server, by gRPC, HTTP and the command line: the same records and the same answer as
//! over the folder, and nothing at all of what breaks off or cannot be taken.
#![allow(clippy::unwrap_used, reason = "a test stops where it fails")]

mod stored;

use std::fs;
use std::io::{Read, Write};
use std::net::TcpStream;

use counterfoil_proto::v1::ingest_service_client::IngestServiceClient;
use counterfoil_proto::v1::snapshot_request::Part;
use counterfoil_proto::v1::{
    Authentication, Basis, Completeness, Position, SnapshotOptions, SnapshotPage, SnapshotRequest, SnapshotResponse,
    record::Body,
};
use counterfoil_query::services::reason_of;
use counterfoil_tests::http::{Answer, curl, curl_with};
use counterfoil_tests::okta::{response, user_object};
use counterfoil_tests::program::{LedgerFolder, run};
use counterfoil_tests::server::Server;
use serde_json::{Value, json};
use stored::{indexes, open};
use tokio::runtime::Runtime;
use tokio::sync::mpsc;
use tokio::task::JoinHandle;
use tokio_stream::wrappers::ReceiverStream;
use tonic::transport::Channel;
use tonic::{Code, Status};
use tonic_types::StatusExt;

const MONDAY: &str = "Mon, 02 Mar 2026 09:00:00 GMT";
const GROUP: &str = "00g00000000000000001";
/// The largest page, and what all of a run may be.
const PAGE_BYTES_MAX: usize = 16 << 20;
/// The most pages of a run.
const PAGES_MAX: usize = 10_000;

/// A listing: the connector, what is said about its pages, and its files.
struct Case {
    name: &'static str,
    connector: &'static str,
    scope: &'static str,
    /// On the operator's word all pages, taken on Monday.
    stated: bool,
    files: Vec<Vec<u8>>,
    /// Empty where it is complete by itself.
    reason: &'static str,
}

fn members(numbers: &[u32]) -> Value {
    numbers.iter().map(|number| user_object(*number, "ACTIVE")).collect()
}

/// Two pages of a group's members.
fn two_pages() -> [Vec<u8>; 2] {
    let path = format!("groups/{GROUP}/users");
    let next = format!("{path}?after=00u2");
    let first = response(&path, Some(&next), MONDAY, &members(&[3, 1]));
    [first.into_bytes(), response(&next, None, MONDAY, &members(&[5])).into_bytes()]
}

fn agents(total: u32) -> Vec<u8> {
    let agent = json!({"id": 1, "email": "ann@example.com", "first_name": "Ann", "active": true, "roles": []});
    let body = json!({"agents": [agent], "total": total});
    format!("HTTP/2 200 \r\ndate: {MONDAY}\r\n\r\n{body}\n").into_bytes()
}

fn cases() -> Vec<Case> {
    let [first, second] = two_pages();
    let gzip = {
        let mut packed = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
        packed.write_all(&second).unwrap();
        packed.finish().unwrap()
    };
    let okta =
        |name, files: Vec<Vec<u8>>, reason| Case { name, connector: "okta", scope: "", stated: false, files, reason };
    let alone = |name, stated, reason| Case {
        scope: "groups/00g00000000000000001/users",
        stated,
        ..okta(name, vec![members(&[1, 2]).to_string().into_bytes()], reason)
    };
    let agents = |name, total, reason| Case { connector: "freshservice", ..okta(name, vec![agents(total)], reason) };
    vec![
        okta("whole", vec![first.clone(), second.clone()], ""),
        okta("one of its files is compressed", vec![first.clone(), gzip], ""),
        okta("a page is missing", vec![first.clone()], "page-missing"),
        okta("what is no page", vec![first.clone(), second.clone(), b"<html>".to_vec()], "page-unreadable"),
        alone("on the operator's word", true, "stated-by-operator"),
        agents("the count is right", 1, ""),
        agents("the count is another", 2, "count-mismatch"),
    ]
}

impl Case {
    fn options(&self) -> SnapshotOptions {
        SnapshotOptions {
            connector: self.connector.to_owned(),
            scope: self.scope.to_owned(),
            as_of: self.stated.then_some(pbjson_types::Timestamp { seconds: 1_772_442_000, nanos: 0 }),
            complete: self.stated,
            ..SnapshotOptions::default()
        }
    }

    /// Its files beside a ledger, as arguments.
    fn files(&self, ledger: &LedgerFolder) -> Vec<String> {
        let names = (1..).map(|number| format!("page{number}"));
        let files = names.zip(&self.files).map(|(name, bytes)| ledger.file(&name, bytes));
        files.map(|path| path.to_str().unwrap().to_owned()).collect()
    }

    fn by_program(&self, ledger: &LedgerFolder, server: Option<&Server>) -> SnapshotResponse {
        let mut arguments = ["snapshot", self.connector, "--output", "json"].map(str::to_owned).to_vec();
        arguments.extend(self.files(ledger));
        if self.stated {
            let more = ["--scope", self.scope, "--as-of", "2026-03-02T09:00:00Z", "--complete"];
            arguments.extend(more.map(str::to_owned));
        }
        match server {
            None => ledger.run(&arguments),
            Some(server) => run(&[&arguments[..], &["--server".to_owned(), server.url()]].concat()),
        }
        .json()
    }

    fn by_http(&self, ledger: &LedgerFolder, server: &Server) -> SnapshotResponse {
        let mut arguments: Vec<String> =
            self.files(ledger).into_iter().flat_map(|path| ["--form".to_owned(), format!("page=@{path}")]).collect();
        let query = match self.stated {
            true => format!("?scope={}&as_of=2026-03-02T09:00:00Z&complete=true", self.scope),
            false => String::new(),
        };
        arguments.push(format!("{}/v1/snapshots/{}{query}", server.url(), self.connector));
        serde_json::from_value(curl(&arguments).json(200)).unwrap()
    }

    fn by_grpc(&self, server: &Server) -> SnapshotResponse {
        let pages = self.files.iter().enumerate().map(|(number, content)| page(&format!("page{number}"), content));
        let (runtime, channel) = connect(server);
        let parts = std::iter::once(Part::Options(self.options())).chain(pages);
        runtime.block_on(call(channel, parts.collect())).unwrap()
    }
}

fn page(name: &str, content: &[u8]) -> Part {
    Part::Page(SnapshotPage { name: name.to_owned(), content: content.to_vec() })
}

fn connect(server: &Server) -> (Runtime, Channel) {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
    let channel = runtime.block_on(Channel::from_shared(server.url()).unwrap().connect()).unwrap();
    (runtime, channel)
}

async fn call(channel: Channel, parts: Vec<Part>) -> Result<SnapshotResponse, Status> {
    let parts = parts.into_iter().map(|part| SnapshotRequest { part: Some(part) });
    let answer = IngestServiceClient::new(channel).snapshot(tokio_stream::iter(parts.collect::<Vec<_>>())).await;
    answer.map(tonic::Response::into_inner)
}

/// What a ledger holds of an event, but for the times, the randomness of recording it, and the names of files.
#[derive(Debug, PartialEq)]
struct Recorded {
    body: Body,
    event_id: String,
    position: Option<Position>,
    payload: Vec<u8>,
}

fn recorded(ledger: &LedgerFolder, authentication: Authentication) -> Vec<Recorded> {
    let ledger = open(ledger);
    let reader = ledger.reader();
    let mut all = Vec::new();
    for index in indexes(&reader) {
        let record = reader.record(index).unwrap();
        let Some(provenance) = record.provenance else { continue };
        assert_eq!(provenance.authentication(), authentication);
        let payload = reader.beside(index).unwrap().and_then(|beside| beside.payload);
        all.push(Recorded {
            body: record.body.unwrap(),
            event_id: provenance.event_id,
            position: provenance.position,
            payload: payload.map(|payload| payload.content).unwrap_or_default(),
        });
    }
    all
}

/// A ledger with the keys of another, so that the same content has the same tokens and digests.
fn copy(ledger: &LedgerFolder) -> LedgerFolder {
    let made = LedgerFolder::empty();
    let status = std::process::Command::new("cp")
        .args(["-a", &format!("{}/.", ledger.folder.path().display()), made.folder.path().to_str().unwrap()])
        .status();
    assert!(status.unwrap().success());
    made
}

#[test]
fn a_listing_is_the_same_whichever_way_it_is_handed_over() {
    let empty = LedgerFolder::init();
    for case in cases() {
        let name = case.name;
        let here = copy(&empty);
        let expected = case.by_program(&here, None);
        let [listing] = &expected.listings[..] else { panic!("{name}: {expected:?}") };
        let is_complete = case.reason.is_empty() || case.stated;
        assert_eq!(listing.reason, case.reason, "{name}");
        assert_eq!(listing.completeness() == Completeness::Complete, is_complete, "{name}");
        assert_eq!(listing.begin + listing.events + 1, listing.end, "{name}: {listing:?}");
        let records = recorded(&here, Authentication::OperatorFile);
        assert_eq!(records.len() as u64, listing.events + 2 + expected.strange, "{name}");
        for way in ["grpc", "http", "program"] {
            let ledger = copy(&empty);
            let server = Server::start(&ledger);
            let take = || match way {
                "grpc" => case.by_grpc(&server),
                "http" => case.by_http(&ledger, &server),
                _ => case.by_program(&ledger, Some(&server)),
            };
            let (first, again) = (take(), take());
            let checkpoint = String::from_utf8(first.checkpoint.clone()).unwrap();
            let size = first.basis.as_ref().unwrap().tree_size;
            assert!(checkpoint.contains(&format!("\n{size}\n")), "{name}: {checkpoint}");
            assert_eq!(again.basis, first.basis, "{name} by {way}: a second time it is all known");
            server.stop();
            let plain = |response: SnapshotResponse| SnapshotResponse {
                basis: response.basis.map(|basis| Basis { root: Vec::new(), ..basis }),
                checkpoint: Vec::new(),
                ..response
            };
            assert_eq!(plain(first), plain(expected.clone()), "{name} by {way}");
            assert_eq!(recorded(&ledger, Authentication::LocalConnection), records, "{name} by {way}");
            ledger.run(&["fsck"]).ended(0);
        }
    }
}

/// What a server recorded: nothing but the first record.
fn check_untouched(ledger: &LedgerFolder, server: Server) {
    server.stop();
    let reader_of = open(ledger);
    assert_eq!(reader_of.reader().head().size.0, 1, "nothing was recorded");
}

#[test]
fn what_cannot_be_taken_over_grpc_is_refused_and_nothing_is_recorded() {
    let ledger = LedgerFolder::init();
    let server = Server::start(&ledger);
    let (runtime, channel) = connect(&server);
    let options = || SnapshotOptions { connector: "okta".to_owned(), ..SnapshotOptions::default() };
    let said = |options: SnapshotOptions| Part::Options(options);
    let [first, _] = two_pages();
    let good = || page("first", &first);
    let large = vec![b' '; PAGE_BYTES_MAX + 1];
    let body = members(&[1]).to_string();
    let untimed = SnapshotOptions { scope: format!("groups/{GROUP}/users"), ..options() };
    let no_time = pbjson_types::Timestamp { seconds: i64::MAX, nanos: 0 };
    let cases: Vec<(Vec<Part>, &str, &str)> = vec![
        (vec![], "options", "expected them first"),
        (vec![good()], "options", "expected them first"),
        (vec![said(options())], "page", "at least one page"),
        (vec![said(options()), good(), said(options())], "options", "once"),
        (vec![said(SnapshotOptions { connector: "none".to_owned(), ..options() }), good()], "connector", "there is no"),
        (vec![said(SnapshotOptions { connector: "fact".to_owned(), ..options() }), good()], "connector", "okta"),
        (vec![said(SnapshotOptions { instance: "a b".to_owned(), ..options() }), good()], "instance", "a b"),
        (vec![said(SnapshotOptions { scope: "x".repeat(2_049), ..options() }), good()], "scope", "at most 2048 bytes"),
        (vec![said(SnapshotOptions { as_of: Some(no_time), ..options() }), good()], "as_of", "between the years"),
        (vec![said(untimed), page("body", body.as_bytes())], "as_of", "body, response 1 does not say when"),
        (vec![said(options()), page(&"x".repeat(1_025), b"[]")], "name", "at most 1024 bytes"),
        (vec![said(options()), page("a\nb", b"[]")], "name", "without control characters"),
        (vec![said(options()), good(), page("big", &large)], "page", "\"big\": expected at most 16777216 bytes"),
        (vec![said(options()), good(), page("packed", b"\x1f\x8bno gzip")], "page", "\"packed\" cannot be unpacked"),
    ];
    for (parts, field, told) in cases {
        let refused = runtime.block_on(call(channel.clone(), parts)).unwrap_err();
        assert_eq!(refused.code(), Code::InvalidArgument, "{told}: {refused:?}");
        let violations = refused.get_details_bad_request().unwrap().field_violations;
        assert_eq!(violations[0].field, field, "{told}: {refused:?}");
        assert!(refused.message().contains(told), "{told}: {refused:?}");
    }
    // A part that is neither, and a message that no limit allows.
    let neither = async {
        let parts = [Some(Part::Options(options())), None].map(|part| SnapshotRequest { part });
        IngestServiceClient::new(channel.clone()).snapshot(tokio_stream::iter(parts)).await
    };
    assert_eq!(runtime.block_on(neither).unwrap_err().code(), Code::InvalidArgument);
    let huge = vec![said(options()), page("huge", &vec![b' '; PAGE_BYTES_MAX + (1 << 20)])];
    let refused = runtime.block_on(call(channel.clone(), huge)).unwrap_err();
    assert_eq!(reason_of(&refused).as_deref(), Some("MESSAGE_TOO_LARGE"), "{refused:?}");
    // More than a run may be, as it comes and as it is unpacked.
    let sixteen = vec![b' '; PAGE_BYTES_MAX];
    let many = (0..5).map(|number| page(&number.to_string(), &sixteen));
    let many = std::iter::once(said(options())).chain(many).collect();
    let refused = runtime.block_on(call(channel.clone(), many)).unwrap_err();
    assert!(refused.message().contains("67108864 bytes in all pages"), "{refused:?}");
    let small = std::iter::once(said(options())).chain((0..=PAGES_MAX).map(|number| page(&number.to_string(), b"[]")));
    let refused = runtime.block_on(call(channel.clone(), small.collect())).unwrap_err();
    assert!(refused.message().contains("at most 10000 pages"), "{refused:?}");
    let bomb = zstd::encode_all(&vec![b' '; (64 << 20) + 1][..], 1).unwrap();
    let refused = runtime.block_on(call(channel.clone(), vec![said(options()), page("bomb", &bomb)])).unwrap_err();
    assert!(refused.message().contains("\"bomb\" cannot be unpacked: expected at most"), "{refused:?}");
    drop((channel, runtime));
    check_untouched(&ledger, server);
}

/// How many calls of the method have ended, by the server's own count.
fn ended(server: &Server) -> u64 {
    let metrics = String::from_utf8(curl(&[format!("{}/metrics", server.url())]).body).unwrap();
    let is_its =
        |line: &&str| line.starts_with("counterfoil_requests_total{method=\"counterfoil.v1.IngestService/Snapshot\"");
    let counts = metrics.lines().filter(is_its).map(|line| line.rsplit(' ').next().unwrap().parse::<u64>().unwrap());
    counts.sum()
}

#[test]
fn of_a_run_that_breaks_off_nothing_is_recorded() {
    let ledger = LedgerFolder::init();
    let server = Server::start(&ledger);
    let (runtime, channel) = connect(&server);
    let options = Part::Options(SnapshotOptions { connector: "okta".to_owned(), ..SnapshotOptions::default() });
    let [first, second] = two_pages();
    // A caller that gives up after the first page: to the service this must not look like the end of the pages.
    for round in 1..=5 {
        let (sender, parts) = mpsc::channel(4);
        let mut client = IngestServiceClient::new(channel.clone());
        runtime.block_on(async {
            let asking = client.snapshot(ReceiverStream::new(parts));
            let sending = async {
                for part in [options.clone(), page("first", &first)] {
                    sender.send(SnapshotRequest { part: Some(part) }).await.unwrap();
                }
                // Nobody tells when they have arrived; the sooner it ends, the less of it there is to be mistaken.
                tokio::time::sleep(std::time::Duration::from_millis(30)).await;
            };
            tokio::select! {
                answer = asking => panic!("{answer:?}"),
                () = sending => {}
            }
        });
        while ended(&server) < round {
            std::thread::yield_now();
        }
    }
    // A message that is cut, and the stream then ends in order.
    let frame = |part: &Part| {
        let message = prost::Message::encode_to_vec(&SnapshotRequest { part: Some(part.clone()) });
        [&[0][..], &u32::try_from(message.len()).unwrap().to_be_bytes(), &message].concat()
    };
    let whole = [frame(&options), frame(&page("first", &first)), frame(&page("second", &second))].concat();
    let cut = ledger.file("cut", &whole[..whole.len() - 1]);
    let url = format!("{}/counterfoil.v1.IngestService/Snapshot", server.url());
    let answer = std::process::Command::new("curl")
        .args(["-s", "--http2-prior-knowledge", "-o", "/dev/null", "-D", "-", "-H", "content-type: application/grpc"])
        .args(["-H", "te: trailers", "--data-binary", &format!("@{}", cut.display()), &url])
        .output()
        .unwrap();
    let head = String::from_utf8(answer.stdout).unwrap();
    assert!(head.contains("grpc-status: 10"), "{head}");
    drop((channel, runtime));
    check_untouched(&ledger, server);
}

/// As many runs as are taken at a time.
const RUNS_MAX: usize = 2;

/// A run over gRPC that the server has begun to read: one page is there, and another one is still to come.
async fn begun_call(
    channel: Channel,
) -> (mpsc::Sender<SnapshotRequest>, JoinHandle<Result<tonic::Response<SnapshotResponse>, Status>>) {
    let (sender, parts) = mpsc::channel(1);
    let mut client = IngestServiceClient::new(channel);
    let asking = tokio::spawn(async move { client.snapshot(ReceiverStream::new(parts)).await });
    let options = SnapshotOptions { connector: "okta".to_owned(), ..SnapshotOptions::default() };
    let [first, _] = two_pages();
    // What comes behind a page that is larger than every window is sent only if the server reads.
    let blank = page("blank", &vec![b' '; PAGE_BYTES_MAX / 2]);
    for part in [Part::Options(options), blank, page("first", &first)] {
        sender.send(SnapshotRequest { part: Some(part) }).await.unwrap();
    }
    drop(sender.reserve().await.unwrap());
    (sender, asking)
}

/// The same over HTTP.
fn begun_form(server: &Server) -> TcpStream {
    let mut stream = TcpStream::connect(&server.address).unwrap();
    let head = "POST /v1/snapshots/okta HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\nExpect: 100-continue\r\n\
                Transfer-Encoding: chunked\r\nContent-Type: multipart/form-data; boundary=x\r\n\r\n";
    stream.write_all(head.as_bytes()).unwrap();
    // It asks for the body when it reads the first of it.
    let (expected, mut told) = (b"HTTP/1.1 100 Continue\r\n\r\n", [0; 25]);
    stream.read_exact(&mut told).unwrap();
    assert_eq!(&told, expected);
    send_page(&mut stream, &two_pages()[0]);
    stream
}

fn send_page(stream: &mut TcpStream, content: &[u8]) {
    let head = b"--x\r\nContent-Disposition: form-data; name=\"page\"\r\n\r\n";
    send_chunk(stream, &[&head[..], content, b"\r\n"].concat());
}

fn send_chunk(stream: &mut TcpStream, bytes: &[u8]) {
    stream.write_all(&[format!("{:x}\r\n", bytes.len()).as_bytes(), bytes, b"\r\n"].concat()).unwrap();
}

#[test]
fn whose_pages_are_on_their_way_keeps_nobody_waiting() {
    let ledger = LedgerFolder::init();
    let server = Server::start(&ledger);
    let (runtime, channel) = connect(&server);
    let [first, second] = two_pages();
    let check = |response: SnapshotResponse| {
        let [listing] = &response.listings[..] else { panic!("{response:?}") };
        assert_eq!((listing.completeness(), listing.pages), (Completeness::Complete, 2), "{response:?}");
    };
    let whole = || {
        let options = Part::Options(SnapshotOptions { connector: "okta".to_owned(), ..SnapshotOptions::default() });
        let parts = vec![options, page("first", &first), page("second", &second)];
        check(runtime.block_on(call(channel.clone(), parts)).unwrap());
    };
    let calls: Vec<_> = (0..RUNS_MAX).map(|_| runtime.block_on(begun_call(channel.clone()))).collect();
    whole();
    // Had it waited for them, they would have ended by the server's patience.
    for (sender, asking) in calls {
        let answer = runtime.block_on(async {
            sender.send(SnapshotRequest { part: Some(page("second", &second)) }).await.unwrap();
            drop(sender);
            asking.await.unwrap()
        });
        check(answer.unwrap().into_inner());
    }
    let forms: Vec<TcpStream> = (0..RUNS_MAX).map(|_| begun_form(&server)).collect();
    whole();
    for mut form in forms {
        send_page(&mut form, &second);
        send_chunk(&mut form, b"--x--\r\n");
        send_chunk(&mut form, b"");
        let mut answer = String::new();
        form.read_to_string(&mut answer).unwrap();
        let (head, body) = answer.split_once("\r\n\r\n").unwrap();
        assert!(head.starts_with("HTTP/1.1 200 "), "{answer}");
        check(serde_json::from_str(body).unwrap());
    }
    drop((channel, runtime));
    server.stop();
    ledger.run(&["fsck"]).ended(0);
}

#[test]
fn what_cannot_be_taken_over_http_is_refused_and_nothing_is_recorded() {
    let ledger = LedgerFolder::init();
    let server = Server::start(&ledger);
    let [first, _] = two_pages();
    let first = ledger.file("first", first);
    let large = ledger.file("large", vec![b' '; PAGE_BYTES_MAX + 1]);
    let form = format!("page=@{}", first.display());
    let post = |arguments: &[&str], path: &str| -> Answer {
        curl(&[arguments, &[&format!("{}{path}", server.url())[..]]].concat())
    };
    let large = format!("page=@{};filename=big", large.display());
    let named = format!("{form};filename={}", "x".repeat(1_025));
    let (okta, kind) = ("/v1/snapshots/okta", "Content-Type: multipart/form-data; boundary=x");
    for (arguments, path, status, told) in [
        (&["--json", "{}"][..], okta, 415, "expected the content type multipart/form-data"),
        (&["--form", &form], "/v1/snapshots/none", 400, "connector: there is no connector"),
        (&["--form", &form], "/v1/snapshots/fact", 400, "connector: the connector fact reads no listings"),
        (&["--form", &form], "/v1/snapshots/okta?scop=x", 400, "scop: there is no such parameter: expected connector"),
        (&["--form", &form], "/v1/snapshots/okta?connector=okta", 400, "connector: it stands in the path"),
        (&["--form", &form], "/v1/snapshots/okta?scope=a&scope=b", 400, "scope: expected it once"),
        (&["--form", &form], "/v1/snapshots/okta?as_of=monday", 400, "as_of: expected a time such as"),
        (&["--form", &form], "/v1/snapshots/okta?instance=a%20b", 400, "instance"),
        (&["--form", "file=x"], okta, 400, "expected parts called page, each a file of pages, got \"file\""),
        (&["--form", "page=[]"], "/v1/snapshots/okta?scope=users", 400, "as_of: page 1, response 1 does not say when"),
        (&["--form", &named], okta, 400, "name: expected at most 1024 bytes"),
        (&["--form", &large], okta, 400, "page: \"big\": expected at most 16777216 bytes"),
        (&["--form", &form, "--header", "Content-Encoding: gzip"], okta, 400, "Content-Encoding: expected identity"),
        (&["--header", kind, "--data", "--x--\r\n"], okta, 400, "page: expected at least one page"),
        (
            &["--header", kind, "--data", "--x\r\nContent-Disposition: form-data; name=\"page\"\r\n\r\n[]"],
            okta,
            400,
            "body: the form cannot be read",
        ),
        (&["--header", "Content-Type: multipart/form-data", "--data", "x"], okta, 400, "boundary"),
        (&["--get"], okta, 405, "only POST"),
    ] {
        let message = post(arguments, path).error(status);
        assert!(message.contains(told), "{path} {arguments:?}: {message}");
    }
    // More than a run may be, without saying so before.
    let part = "--x\r\nContent-Disposition: form-data; name=\"page\"\r\n\r\n";
    let pages = [part.as_bytes(), &vec![b' '; PAGE_BYTES_MAX], b"\r\n"].concat().repeat(5);
    let url = format!("{}{okta}", server.url());
    let told =
        curl_with(&["--header", kind, "--header", "Transfer-Encoding: chunked", "--data-binary", "@-", &url], &pages);
    assert!(told.error(400).contains("67108864 bytes in all pages"), "{told}");
    let padding = vec![b' '; 80 << 20];
    let told = curl_with(&["--header", kind, "--data-binary", "@-", &url], &padding);
    assert!(told.error(413).contains("expected a body of at most"), "{told}");
    check_untouched(&ledger, server);
}

#[test]
fn the_program_is_told_the_same_by_a_server_as_by_itself() {
    let ledger = LedgerFolder::init();
    let body = ledger.file("body", members(&[1]).to_string());
    let scope = format!("groups/{GROUP}/users");
    let arguments = ["snapshot", "okta", body.to_str().unwrap(), "--scope", &scope];
    let here = ledger.run(&arguments).ended(2);
    let server = Server::start(&ledger);
    let url = server.url();
    let there = run(&[&arguments[..], &["--server", &url]].concat()).ended(2);
    assert_eq!(there.stderr, here.stderr);
    let clock = run(&[&arguments[..], &["--server", &url, "--accept-clock"]].concat()).ended(2);
    assert!(clock.stderr.contains("start the server with it"), "{}", clock.stderr);
    let missing = run(&["snapshot", "okta", "no-such-file", "--server", &url]).ended(1);
    assert!(missing.stderr.contains("no-such-file"), "{}", missing.stderr);
    assert!(fs::metadata(ledger.data()).is_ok());
    check_untouched(&ledger, server);
}
