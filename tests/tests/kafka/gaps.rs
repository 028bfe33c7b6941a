//! What is not there any more, what is held back, and what is damaged.

use std::time::Duration;

use counterfoil_tests::kafka::{Broker, until};
use counterfoil_tests::okta;
use counterfoil_tests::program::LedgerFolder;

use super::{TOPIC, broker_with, configure, events, gap, gaps, gauge, is_failing, serve, size, wait_for};

/// When a request that waits at a broker has long ended, on a busy machine too: it waits 10 ms.
const FETCH_ENDS: Duration = Duration::from_secs(1);

/// A broker with a topic of one partition of which the first ten messages were read, and the ledger that has them.
fn read_ten() -> Option<(Broker, String, LedgerFolder)> {
    let (broker, topic) = broker_with(1)?;
    broker.send(&topic, 0, events(0..10));
    let ledger = LedgerFolder::init();
    configure(&ledger, &broker, &topic, "");
    let server = serve(&ledger);
    wait_for(&server, 10);
    server.stop();
    Some((broker, topic, ledger))
}

#[test]
fn what_retention_ate_is_a_gap_and_reading_goes_on() {
    let Some((broker, topic, ledger)) = read_ten() else { return };
    broker.send(&topic, 0, events(10..30));
    broker.delete_before(&topic, 0, 25);
    let server = serve(&ledger);
    wait_for(&server, 10 + 1 + 5);
    assert_eq!(gaps(&server), gap(10, 25, "RETENTION"));

    // While it is being read, too: the broker is asked for what it has not any more.
    server.pause();
    let (_never, nothing) = std::sync::mpsc::channel::<()>();
    let _ = nothing.recv_timeout(FETCH_ENDS);
    broker.send(&topic, 0, events(50..60));
    broker.delete_before(&topic, 0, 35);
    server.go_on();
    wait_for(&server, 16 + 1 + 5);
    assert_eq!(gaps(&server).last(), gap(30, 35, "RETENTION").last());

    broker.send(&topic, 0, events(30..40));
    wait_for(&server, 32);
    server.stop();
    // What was read last is gone, but everything was read.
    broker.send(&topic, 0, events(40..41));
    broker.delete_before(&topic, 0, 50);
    let server = serve(&ledger);
    wait_for(&server, 33);
    assert_eq!(gaps(&server).len(), 2);
    server.stop();
    ledger.run(&["fsck"]).ended(0);
}

#[test]
fn a_topic_made_anew_is_noticed_however_many_messages_it_has() {
    for (number, reason) in [(3, "TRUNCATED"), (9, "TRUNCATED"), (10, "RECREATED"), (20, "RECREATED")] {
        let Some((broker, topic, ledger)) = read_ten() else { return };
        broker.delete(&topic);
        broker.create(&topic, 1);
        broker.send(&topic, 0, events(100..100 + number));
        let server = serve(&ledger);
        until("everything is read", || size(&server) >= 10 + 2 + u64::from(number));
        assert_eq!(gaps(&server), gap(10, 0, reason), "{number} messages");
        wait_for(&server, 11 + u64::from(number));
        // What comes then is read once.
        broker.send(&topic, 0, events(200..201));
        wait_for(&server, 12 + u64::from(number));
        server.stop();
        ledger.run(&["fsck"]).ended(0);
    }
}

#[test]
fn messages_that_come_again_in_a_topic_made_anew_are_known() {
    let Some((broker, topic, ledger)) = read_ten() else { return };
    broker.delete(&topic);
    broker.create(&topic, 1);
    broker.send(&topic, 0, events(5..15));
    let server = serve(&ledger);
    wait_for(&server, 10 + 1 + 5);
    assert_eq!(gaps(&server).len(), 1);
    server.stop();
}

#[test]
fn what_is_damaged_where_it_is_kept_stops_its_partition_alone_and_is_told() {
    let Some(mut broker) = Broker::start_own("") else { return };
    let topic = broker.topic(TOPIC);
    broker.create(&topic, 2);
    // A batch each.
    (0..4).for_each(|number| broker.send(&topic, 0, events(number..number + 1)));
    broker.stop();
    let file = broker.segment(&topic, 0);
    let mut bytes = std::fs::read(&file).unwrap();
    let uuid = okta::uuid(2);
    let place = bytes.windows(uuid.len()).position(|found| found == uuid.as_bytes()).unwrap();
    bytes[place + 3] = b'7';
    std::fs::write(&file, bytes).unwrap();
    broker.run_own();
    let ledger = LedgerFolder::init();
    configure(&ledger, &broker, &topic, "");
    let server = serve(&ledger);
    wait_for(&server, 2);
    until("it is told", || is_failing(&server));
    broker.send(&topic, 1, events(10..13));
    wait_for(&server, 5);
    assert!(is_failing(&server), "the other partition says nothing of this one");
    assert!(gaps(&server).is_empty());
    let log = server.stop();
    assert!(log.contains("from offset 2 on is damaged"), "{log}");
    ledger.run(&["fsck"]).ended(0);
}

#[test]
fn messages_behind_an_open_transaction_are_lag_and_are_told_to_be_held() {
    let Some((broker, topic)) = broker_with(1) else { return };
    broker.send(&topic, 0, events(0..3));
    let transaction = broker.transact(&topic, 0, events(3..8));
    broker.send(&topic, 0, events(8..10));
    let ledger = LedgerFolder::init();
    configure(&ledger, &broker, &topic, "");
    let server = serve(&ledger);
    wait_for(&server, 3);
    let lag = || gauge(&server, "counterfoil_kafka_lag_messages", 0);
    let held = || gauge(&server, "counterfoil_kafka_held_messages", 0);
    until("the lag goes to the end of the log", || lag() == Some(7) && held() == Some(7));
    transaction.commit();
    wait_for(&server, 10);
    // Behind the last message stands the mark of the commit.
    until("there is no lag", || lag() == Some(0) && held() == Some(0));
    server.stop();
}

#[test]
fn an_aborted_transaction_is_neither_read_nor_a_gap() {
    let Some((broker, topic)) = broker_with(1) else { return };
    broker.transact(&topic, 0, events(0..10)).commit();
    broker.transact(&topic, 0, events(10..20)).abort();
    broker.transact(&topic, 0, events(20..30)).commit();
    let ledger = LedgerFolder::init();
    configure(&ledger, &broker, &topic, "");
    let server = serve(&ledger);
    wait_for(&server, 20);
    server.stop();
    // The position stands before the mark of the commit: what follows is read from there.
    broker.transact(&topic, 0, events(30..31)).commit();
    let server = serve(&ledger);
    wait_for(&server, 21);
    assert!(gaps(&server).is_empty());
    server.stop();
}
