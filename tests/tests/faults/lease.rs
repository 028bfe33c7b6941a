//! An owner is stopped past its lease while clients feed it, and goes on later: a standby has taken over meanwhile, or it
//! could not, since it lacked what was acknowledged last (copying is asynchronous; clients leave it a moment). Either way
//! there is one history, and what was acknowledged is in it.

use std::sync::mpsc;
use std::time::Duration;

use counterfoil_ledger::Location;
use counterfoil_tests::campaign::Campaign;
use counterfoil_tests::feed::{Feed, post};
use counterfoil_tests::http::try_curl_with;
use counterfoil_tests::kafka::until;
use counterfoil_tests::oracle;
use counterfoil_tests::program::LedgerFolder;
use counterfoil_tests::server::Server;
use rand_chacha::rand_core::Rng;

/// How often a standby is looked at before it counts as one that cannot take over, 50 milliseconds apart: three times as
/// long as it waits for the lease.
const LOOKS: usize = 180;

#[test]
fn an_owner_that_is_stopped_past_its_lease_leaves_one_history() {
    let campaign = Campaign::new("an owner is stopped past its lease", 2, 50);
    let (mut taken, mut acknowledged) = (0, 0);
    for case in 0..campaign.count() {
        let mut random = campaign.random(case);
        let ledger = LedgerFolder::init();
        let folder = ledger.standby();
        let owner = Server::ingest(&ledger);
        let standby = Server::standby(&folder, &ledger, &owner.url());
        until("the standby has begun", || answers(&standby, "/v1/checkpoint"));
        let feed = Feed::default();
        let address = owner.address.clone();
        let is_taken = std::thread::scope(|scope| {
            for pace in [7, 23] {
                let (feed, address) = (&feed, &address);
                scope.spawn(move || {
                    while feed.send(|number| post(address, number)) {
                        wait(pace);
                    }
                });
            }
            wait(random.next_u64() % 500);
            owner.pause();
            let mut looks = 0..LOOKS;
            let is_taken = looks.any(|_| {
                wait(50);
                answers(&standby, "/readyz")
            });
            // What it had not acknowledged is known to nobody, and is not acknowledged now.
            owner.go_on();
            if is_taken {
                let told = owner.fails();
                assert!(told.contains("another copy of this ledger has taken over"), "{told}");
            } else {
                owner.kill();
            }
            is_taken
        });
        let (location, others) = match is_taken {
            true => {
                assert!(feed.settle(&standby.address));
                standby.stop();
                (Location::new(&folder.data(), Some(&ledger.beside("ledger.anchor"))), ledger.data())
            }
            false => {
                standby.stop();
                let owner = Server::ingest(&ledger);
                assert!(feed.settle(&owner.address));
                owner.stop();
                (Location::new(&ledger.data(), None), folder.data())
            }
        };
        assert_eq!(oracle::check(&location, &feed.sent(), &feed.acknowledged()), 0);
        let other = Location::new(&others, Some(&ledger.beside("ledger.anchor")));
        assert!(oracle::open(&other).is_err(), "there is one owner");
        taken += u64::from(is_taken);
        acknowledged += feed.acknowledged().len();
        campaign.passed();
    }
    let words = format!("{taken} taken over, else the standby lacked something; {acknowledged} events acknowledged");
    campaign.end(&format!("{words}: one history, 0 lost, 0 doubled"));
    assert!(taken > 0, "it is possible to take over");
}

/// Whether a server is there and says yes.
fn answers(server: &Server, path: &str) -> bool {
    try_curl_with(&[format!("{}{path}", server.url())], b"").is_ok_and(|answer| answer.status == 200)
}

/// Nothing is ever sent: only the time runs out.
fn wait(milliseconds: u64) {
    let (_never, timer) = mpsc::channel::<()>();
    let _ = timer.recv_timeout(Duration::from_millis(milliseconds));
}
