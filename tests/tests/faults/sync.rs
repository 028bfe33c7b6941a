//! A sync fails: the process ends. What it should have made durable is lost, and was acknowledged to nobody.

use counterfoil_tests::campaign::Campaign;
use counterfoil_tests::feed::Feed;
use counterfoil_tests::oracle;
use counterfoil_tests::program::LedgerFolder;
use counterfoil_tests::server::Server;
use rand_chacha::rand_core::Rng;

use crate::ask::location;
use crate::preload::{EIO, Library};

/// What is synced for each commit: what its path holds, and whether it only grows.
const FILES: [(&str, bool); 2] = [("/log/0", true), (".anchor", false)];
/// The syncs of a file that succeed before, at most.
const SYNCS_MAX: u64 = 200;

#[test]
fn a_failed_sync_ends_the_process_and_nothing_acknowledged_is_lost() {
    let campaign = Campaign::new("a sync fails", 2, 20);
    let library = Library::compile();
    let mut acknowledged = 0;
    for case in 0..campaign.count() {
        let ledger = LedgerFolder::init();
        let feed = Feed::default();
        let (file, loses) = FILES[case as usize % FILES.len()];
        let mut failing = library.command(file, campaign.random(case).next_u64() % SYNCS_MAX, EIO);
        failing.env("FAILS_SYNCS", "1");
        if loses {
            failing.env("FAILS_LOSES", "1");
        }
        let server = Server::start_as(failing, &ledger, &["--listen", "127.0.0.1:0"]);
        let address = server.address.clone();
        let log = std::thread::scope(|scope| {
            for _ in 0..2 {
                scope.spawn(|| feed.post(&address));
                scope.spawn(|| feed.call(&address));
            }
            server.fails()
        });
        assert!(log.contains("the ledger takes no more appends"), "it says why it ends: {log}");
        oracle::check(&location(&ledger), &feed.sent(), &feed.acknowledged());

        let server = Server::start(&ledger);
        assert!(feed.settle(&server.address));
        server.stop();
        assert_eq!(oracle::check(&location(&ledger), &feed.sent(), &feed.acknowledged()), 0);
        acknowledged += feed.acknowledged().len();
        campaign.passed();
    }
    campaign.end(&format!("each ended the process; {acknowledged} events acknowledged: 0 lost, 0 doubled"));
}
