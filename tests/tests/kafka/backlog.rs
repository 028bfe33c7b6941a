//! Far more waits in a topic than fits into memory: it is read as it can be kept, however much there is.

use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::sync::atomic::{AtomicBool, Ordering};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use counterfoil_ledger::{Ledger, Location, Options, Sealing, SystemClock};
use counterfoil_proto::v1::SourceGap;
use counterfoil_proto::v1::record::Body;
use counterfoil_tests::kafka::{Sent, until};
use counterfoil_tests::okta;
use counterfoil_tests::program::{LedgerFolder, run};
use counterfoil_tests::server::Server;
use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::{Rng, SeedableRng};
use serde_json::Value;

use crate::{PUBLISHED, broker_with, configure, event, position, size};

/// What a large message holds besides its event: bytes that no compression makes smaller.
const BALLAST_BYTES: usize = 12 << 10;
/// The messages that wait, all in all 256 MiB.
const MESSAGES: u32 = 16_000;
/// The most memory that reading them takes.
const MEMORY_MAX_MIB: u64 = 400;

/// An event of that number of 16 KiB.
fn large(number: u32) -> Sent {
    let mut ballast = vec![0; BALLAST_BYTES];
    ChaCha8Rng::seed_from_u64(u64::from(number)).fill_bytes(&mut ballast);
    let mut event = okta::joined(number, PUBLISHED, number % 1_000, 1);
    event["debugContext"]["debugData"]["ballast"] = STANDARD.encode(&ballast).into();
    Sent::value(event.to_string())
}

fn ingest(ledger: &LedgerFolder) -> Server {
    let config = ledger.beside("config.toml");
    Server::ingest_with(ledger, &["--listen", "127.0.0.1:0", "--config", config.to_str().expect("a path of ASCII")])
}

#[test]
fn however_much_waits_in_a_topic_memory_is_bounded() {
    let Some((broker, topic)) = broker_with(4) else { return };
    for partition in 0..4 {
        let first = partition as u32 * MESSAGES / 4;
        broker.send(&topic, partition, (first..first + MESSAGES / 4).map(large));
    }
    let ledger = LedgerFolder::init();
    configure(&ledger, &broker, &topic, "");
    let server = ingest(&ledger);
    until("everything is there", || size(&server) > u64::from(MESSAGES));
    let most = server.memory_mib("VmHWM");
    println!("{most} MiB at most");
    assert!(most <= MEMORY_MAX_MIB, "{most} MiB");
    server.stop();
    ledger.run(&["fsck"]).ended(0);
}

#[test]
fn a_partition_that_a_topic_gets_is_read_however_much_there_is_in_the_others() {
    let Some((broker, topic)) = broker_with(1) else { return };
    let ledger = LedgerFolder::init();
    configure(&ledger, &broker, &topic, "");
    let server = ingest(&ledger);
    let is_read = AtomicBool::new(false);
    std::thread::scope(|scope| {
        // More than can be read, until the other partition is.
        let known: Vec<Sent> = (0..1_000).map(|number| Sent::value(event(number))).collect();
        let (broker, topic, is_read) = (&broker, &topic, &is_read);
        let without_end = known.into_iter().cycle().take_while(|_| !is_read.load(Ordering::Relaxed));
        scope.spawn(move || broker.send(topic, 0, without_end));
        until("reading has begun", || size(&server) > 100);
        broker.widen(topic, 2);
        broker.send(topic, 1, [Sent::value(event(1_000))]);
        let read = catch_unwind(AssertUnwindSafe(|| until("it is read", || size(&server) > 1_001)));
        is_read.store(true, Ordering::Relaxed);
        read.unwrap_or_else(|panic| resume_unwind(panic));
    });
    server.stop();
}

#[test]
fn what_retention_eats_of_what_is_being_read_is_one_gap() {
    const WAITING: u32 = 8_000;
    const LEFT: u32 = 7_900;
    let Some((broker, topic)) = broker_with(1) else { return };
    broker.send(&topic, 0, (0..WAITING).map(large));
    let ledger = LedgerFolder::init();
    configure(&ledger, &broker, &topic, "");
    let server = ingest(&ledger);
    until("reading has begun", || size(&server) > 100);
    server.pause();
    broker.delete_before(&topic, 0, i64::from(LEFT));
    server.go_on();
    // What was fetched before is read, and then what is left.
    until("the last message is there", || {
        let last = (size(&server) - 1).to_string();
        let last: Value = run(&["record", &last, "--server", &server.url(), "--output", "json"]).json();
        position(&last).1 == u64::from(WAITING) - 1
    });
    server.stop();
    let (mut read, mut missing) = (Vec::new(), Vec::new());
    {
        let options = Options {
            clock: Box::new(SystemClock::new()),
            accept_clock: false,
            holder: "a test".to_owned(),
            sealing: Sealing::Never,
        };
        let ledger = Ledger::open(&Location::new(&ledger.data(), None), options).unwrap();
        for record in ledger.reader().records(1..u64::MAX) {
            let record = record.unwrap();
            match record.body.unwrap() {
                Body::SourceGap(SourceGap { from, to, .. }) => missing.push(from..to),
                _ => read.push(record.provenance.unwrap().position.unwrap().sequence),
            }
        }
    }
    let [missing] = &missing[..] else { panic!("expected one gap, got {missing:?}") };
    assert_eq!(missing.end, u64::from(LEFT));
    assert!(missing.start > 100, "{missing:?}");
    assert!(read.into_iter().eq((0..missing.start).chain(missing.end..u64::from(WAITING))));
    ledger.run(&["fsck"]).ended(0);
}
