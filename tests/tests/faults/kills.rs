//! A server is killed at random moments, while clients over HTTP and gRPC and a topic of Kafka feed it.
//!
//! The supervisor and the log of what was acknowledged are in this process.

use std::sync::mpsc;
use std::time::Duration;

use counterfoil_tests::campaign::Campaign;
use counterfoil_tests::feed::{Feed, event};
use counterfoil_tests::kafka::{Broker, Sent, until};
use counterfoil_tests::okta;
use counterfoil_tests::oracle;
use counterfoil_tests::program::{LedgerFolder, command, run};
use counterfoil_tests::server::Server;
use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::Rng;

use crate::ask::location;

/// A ledger lives through so many kills; then all of it is checked, and there is a new one.
const KILLS_OF_A_LEDGER: u64 = 25;
/// The messages that come between two kills, and the number of the first one of all: nobody else sends these.
const MESSAGES: u32 = 40;
const FIRST_MESSAGE: u32 = 1_000_000;

#[test]
fn a_server_that_is_killed_at_any_moment_loses_and_doubles_nothing() {
    let campaign = Campaign::new("kill -9 of a server fed by HTTP, gRPC and Kafka", 10, 1_000);
    let broker = Broker::start();
    let (mut first, mut acknowledged) = (0, 0);
    while first < campaign.count() {
        let kills = first..(first + KILLS_OF_A_LEDGER).min(campaign.count());
        first = kills.end;
        let ledger = LedgerFolder::init();
        let topic = broker.as_ref().map(|broker| Topic::new(broker, &ledger, kills.start));
        let feed = Feed::default();
        let mut sizes = vec![oracle::anchored(&location(&ledger)).size];
        for kill in kills {
            let mut random = campaign.random(kill);
            if let Some(topic) = &topic {
                topic.send(sizes.len() as u32 - 1);
            }
            let is_early = random.next_u64().is_multiple_of(5);
            if is_early {
                kill_early(&ledger, &mut random)
            } else {
                kill_while_fed(&ledger, &feed, &mut random)
            }
            let size = oracle::anchored(&location(&ledger)).size;
            assert!(*sizes.last().unwrap() <= size, "acknowledged once is acknowledged for ever");
            sizes.push(size);
            oracle::check(&location(&ledger), &sent(&feed, &topic, sizes.len()), &feed.acknowledged());
            campaign.passed();
        }

        let server = serve(&ledger);
        assert!(feed.settle(&server.address), "nobody kills this one");
        let all = sent(&feed, &topic, sizes.len());
        until("everything that was sent is there", || size(&server) > all.len() as u64);
        server.stop();
        let messages = oracle::check(&location(&ledger), &all, &feed.acknowledged());
        assert_eq!(messages + feed.acknowledged().len(), all.len(), "each of them once");
        acknowledged += feed.acknowledged().len() + messages;
    }
    let fed = if broker.is_some() { "" } else { " (without Kafka)" };
    campaign.end(&format!("{acknowledged} events acknowledged{fed}: 0 lost, 0 doubled"));
}

fn arguments(ledger: &LedgerFolder) -> Vec<String> {
    let config = ledger.beside("config.toml");
    let config = config.exists().then(|| ["--config".to_owned(), config.to_str().unwrap().to_owned()]);
    ["--listen".to_owned(), "127.0.0.1:0".to_owned()].into_iter().chain(config.into_iter().flatten()).collect()
}

fn serve(ledger: &LedgerFolder) -> Server {
    Server::start_with(ledger, &arguments(ledger))
}

fn size(server: &Server) -> u64 {
    let checkpoint = run(&["checkpoint", "--server", &server.url()]).ended(0);
    checkpoint.text().lines().nth(1).unwrap().parse().unwrap()
}

/// All events that anybody has sent.
fn sent(feed: &Feed, topic: &Option<Topic<'_>>, rounds: usize) -> Vec<String> {
    let mut sent = feed.sent();
    if topic.is_some() {
        let messages = MESSAGES * (rounds as u32 - 1);
        sent.extend((FIRST_MESSAGE..FIRST_MESSAGE + messages).map(okta::uuid));
    }
    sent
}

/// Kills a server while it starts.
fn kill_early(ledger: &LedgerFolder, random: &mut ChaCha8Rng) {
    let mut server = command();
    server.arg("serve").arg("--data").arg(ledger.data()).args(arguments(ledger));
    let mut child = server.stderr(std::process::Stdio::null()).spawn().unwrap();
    wait(random.next_u64() % 250);
    child.kill().unwrap();
    child.wait().unwrap();
}

/// Kills a server while clients feed it.
fn kill_while_fed(ledger: &LedgerFolder, feed: &Feed, random: &mut ChaCha8Rng) {
    let server = serve(ledger);
    let address = server.address.clone();
    std::thread::scope(|scope| {
        for _ in 0..2 {
            scope.spawn(|| feed.post(&address));
            scope.spawn(|| feed.call(&address));
        }
        wait(5 + random.next_u64() % 300);
        server.kill();
    });
}

/// Nothing is ever sent: only the time runs out.
fn wait(milliseconds: u64) {
    let (_never, timer) = mpsc::channel::<()>();
    timer.recv_timeout(Duration::from_millis(milliseconds)).unwrap_err();
}

/// A topic that one ledger reads.
struct Topic<'a> {
    broker: &'a Broker,
    name: String,
}

impl<'a> Topic<'a> {
    fn new(broker: &'a Broker, ledger: &LedgerFolder, number: u64) -> Self {
        let name = format!("kills-{number}-{}", std::process::id());
        broker.create(&name, 1);
        let config = format!(
            "[kafka.main]\nbootstrap = \"{}\"\n[kafka.main.topics.okta]\ntopic = \"{name}\"\nconnector = \"okta\"\n",
            broker.bootstrap
        );
        ledger.file("config.toml", config);
        Self { broker, name }
    }

    fn send(&self, round: u32) {
        let first = FIRST_MESSAGE + round * MESSAGES;
        self.broker.send(&self.name, 0, (first..first + MESSAGES).map(|number| Sent::value(event(number))));
    }
}
