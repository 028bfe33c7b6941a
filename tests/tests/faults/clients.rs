//! Clients that are slow, half open or hostile: others are served as before, and the server's memory stays bounded.
//!
//! How much longer others wait is measured and printed; a test asserts no time.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::sync::Mutex;
use std::sync::mpsc::{self, Receiver, RecvTimeoutError, Sender};
use std::time::Duration;

use counterfoil_proto::v1::ingest_service_client::IngestServiceClient;
use counterfoil_tests::campaign::{Campaign, is_torture};
use counterfoil_tests::feed::{Feed, call};
use counterfoil_tests::oracle;
use counterfoil_tests::program::LedgerFolder;
use counterfoil_tests::server::Server;
use tokio::runtime::Runtime;
use tokio::task::JoinSet;
use tokio::time::Instant;
use tonic::transport::Channel;

use crate::ask::location;

/// What a server may take more than before, whatever clients do. Bodies may take 256 MiB, and these send next to none.
const MEMORY_MAX_MIB: u64 = 192;
/// The clients that are measured, each with a connection of its own.
const GOOD_CLIENTS: usize = 4;

/// A way to be a nuisance, at a server's address.
type Attack = fn(&str, &Watch);

/// Tells an attack when to end, and others when it is under way.
struct Watch {
    stop: Receiver<()>,
    under_way: Sender<()>,
}

impl Watch {
    /// Whether it goes on, after so long.
    fn goes_on(&self, milliseconds: u64) -> bool {
        // Nobody has to listen.
        let _ = self.under_way.send(());
        self.stop.recv_timeout(Duration::from_millis(milliseconds)) == Err(RecvTimeoutError::Timeout)
    }
}

const ATTACKS: [(&str, Attack); 5] =
    [("slow", slow), ("idle", idle), ("oversized", oversized), ("rapid reset", rapid_reset), ("half open", half_open)];

#[test]
fn hostile_clients_hold_nobody_up_and_fill_no_memory() {
    let campaign = Campaign::new("slow, idle, half-open and hostile clients", 5, 5);
    let ledger = LedgerFolder::init();
    let server = Server::start(&ledger);
    let feed = Feed::default();
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    let mut clients: Vec<IngestServiceClient<Channel>> = (0..GOOD_CLIENTS)
        .map(|_| {
            IngestServiceClient::new(runtime.block_on(Channel::from_shared(server.url()).unwrap().connect()).unwrap())
        })
        .collect();
    let calls = if is_torture() { 250 } else { 50 };
    p99(&runtime, &mut clients, &feed, calls);
    let before = server.memory_mib("VmRSS");

    let mut measured = Vec::new();
    for (name, attack) in ATTACKS {
        let alone = p99(&runtime, &mut clients, &feed, calls);
        let beside = std::thread::scope(|scope| {
            let ((attacking, stop), (under_way, is_under_way)) = (mpsc::channel(), mpsc::channel());
            let address = server.address.clone();
            scope.spawn(move || attack(&address, &Watch { stop, under_way }));
            is_under_way.recv().unwrap();
            let beside = p99(&runtime, &mut clients, &feed, calls);
            drop::<Sender<()>>(attacking);
            beside
        });
        measured.push(format!("{name} {:.1}", beside.as_secs_f64() / alone.as_secs_f64()));
        campaign.passed();
    }
    let more = server.memory_mib("VmHWM").saturating_sub(before);
    assert!(more <= MEMORY_MAX_MIB, "{more} MiB more than the {before} MiB before");
    drop(clients);
    drop(runtime);
    assert!(feed.is_settled() && feed.send(|number| counterfoil_tests::feed::post(&server.address, number)));
    server.stop();
    assert_eq!(oracle::check(&location(&ledger), &feed.sent(), &feed.acknowledged()), 0);
    campaign.end(&format!(
        "{} good calls, none failed; at most {more} MiB more; p99 of good calls, times that without: {}",
        feed.acknowledged().len(),
        measured.join(", ")
    ));
}

/// How long one of a hundred calls took at least, of so many of each client. All are acknowledged.
fn p99(runtime: &Runtime, clients: &mut [IngestServiceClient<Channel>], feed: &Feed, calls: usize) -> Duration {
    let times = Mutex::new(Vec::new());
    std::thread::scope(|scope| {
        for client in clients {
            scope.spawn(|| {
                for _ in 0..calls {
                    let began = Instant::now();
                    assert!(feed.send(|number| runtime.block_on(call(client, number)).ok()), "good calls are served");
                    times.lock().unwrap().push(began.elapsed());
                }
            });
        }
    });
    let mut times = times.into_inner().unwrap();
    times.sort();
    times[times.len() * 99 / 100]
}

fn begin(address: &str, bytes: &[u8]) -> Option<TcpStream> {
    let mut stream = TcpStream::connect_timeout(&address.parse().unwrap(), Duration::from_secs(1)).ok()?;
    stream.set_read_timeout(Some(Duration::from_secs(1))).unwrap();
    stream.set_write_timeout(Some(Duration::from_secs(1))).unwrap();
    stream.write_all(bytes).ok()?;
    Some(stream)
}

const POST: &[u8] =
    b"POST /v1/ingest/okta HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: 100000\r\n";

/// Two hundred clients that send a byte a second, half of them of the head, half of the body.
fn slow(address: &str, watch: &Watch) {
    let body = [POST, b"\r\n"].concat();
    let mut streams: Vec<TcpStream> =
        (0..200).filter_map(|number| begin(address, if number % 2 == 0 { POST } else { &body })).collect();
    while watch.goes_on(1_000) {
        // Who was cut off stays so.
        streams.retain_mut(|stream| stream.write_all(b" ").is_ok());
    }
}

/// Connections on which nothing is ever said: ten thousand, or five hundred for a sample.
fn idle(address: &str, watch: &Watch) {
    let count = if is_torture() { 10_000 } else { 500 };
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
    let mut opening = JoinSet::new();
    let mut held = Vec::new();
    runtime.block_on(async {
        (0..count).for_each(|_| drop(opening.spawn(tokio::net::TcpStream::connect(address.to_owned()))));
        let all = async {
            while let Some(opened) = opening.join_next().await {
                held.push(opened);
            }
        };
        // The server takes a thousand, and the operating system some more: the others wait.
        let _ = tokio::time::timeout(Duration::from_secs(2), all).await;
    });
    while watch.goes_on(100) {}
}

/// Messages, frames and heads that say that they are larger than anything may be, or are.
fn oversized(address: &str, watch: &Watch) {
    let message = [
        &head("/counterfoil.v1.IngestService/Append")[..],
        &frame(0, 0, 1, &[&[0][..], &u32::MAX.to_be_bytes(), &[b'x'; 1_000]].concat()),
    ]
    .concat();
    let mut large_frame = frame(0, 0, 1, b"x");
    large_frame[..3].copy_from_slice(&[0xff; 3]);
    let large_head = [&b"GET /healthz HTTP/1.1\r\nHost: x\r\nX: "[..], &[b'x'; 1 << 20]].concat();
    let claims = b"POST /v1/ingest/okta HTTP/1.1\r\nHost: x\r\nContent-Length: 99999999999\r\n\r\n{".to_vec();
    loop {
        for bytes in [[&preface()[..], &message].concat(), [&preface()[..], &large_frame].concat()] {
            answer(begin(address, &bytes));
        }
        answer(begin(address, &large_head));
        drop(begin(address, &claims));
        if !watch.goes_on(1) {
            return;
        }
    }
}

/// Calls that are taken back as soon as they are made (CVE-2023-44487), as many as the server bears with.
fn rapid_reset(address: &str, watch: &Watch) {
    loop {
        let mut stream = begin(address, &preface());
        for call in 0..5_000 {
            let id = 1 + 2 * call;
            let mut made = head("/counterfoil.v1.IngestService/Append");
            made[5..9].copy_from_slice(&u32::to_be_bytes(id));
            made.extend(frame(3, 0, id, &8_u32.to_be_bytes()));
            if stream.as_mut().is_none_or(|stream| stream.write_all(&made).is_err()) {
                break;
            }
        }
        if !watch.goes_on(1) {
            return;
        }
    }
}

/// Calls whose client is gone before the answer, without a word.
fn half_open(address: &str, watch: &Watch) {
    let mut gone = Vec::new();
    while watch.goes_on(1) {
        gone.extend(begin(address, &[&preface()[..], &head("/counterfoil.v1.LedgerService/ReadRecords")].concat()));
        if gone.len() > 500 {
            gone.clear();
        }
    }
}

/// Reads what a server says until it has said everything, or nothing for a second.
fn answer(stream: Option<TcpStream>) {
    let Some(mut stream) = stream else { return };
    let mut bytes = [0; 4_096];
    while stream.read(&mut bytes).is_ok_and(|count| count > 0) {}
}

/// RFC 9113, section 3.4: how a client begins, with empty settings.
fn preface() -> Vec<u8> {
    [&b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"[..], &frame(4, 0, 0, b"")].concat()
}

/// RFC 9113, section 4.1.
fn frame(kind: u8, flags: u8, stream: u32, payload: &[u8]) -> Vec<u8> {
    let length = u32::try_from(payload.len()).unwrap().to_be_bytes();
    [&length[1..], &[kind, flags], &stream.to_be_bytes(), payload].concat()
}

/// The head of a call of gRPC on stream 1 (RFC 7541: indexed fields, and literals without indexing).
fn head(path: &str) -> Vec<u8> {
    let text = |text: &str| [&[u8::try_from(text.len()).unwrap()], text.as_bytes()].concat();
    let fields = [
        &[0x83, 0x86, 0x04][..],
        &text(path),
        &[0x01],
        &text("localhost"),
        &[0x0f, 0x10],
        &text("application/grpc"),
        &[0x00],
        &text("te"),
        &text("trailers"),
    ];
    frame(1, 4, 1, &fields.concat())
}
