//! What whoever starts and watches a server is told of it.

use std::net::TcpListener;

use counterfoil_tests::kafka::until;
use counterfoil_tests::program::{LedgerFolder, Run, run};
use counterfoil_tests::server::Server;

fn health(url: &str) -> Run {
    run(&["health", "--server", url])
}

#[track_caller]
fn is_not_ready(url: &str, why: &str) {
    let said = health(url).ended(1);
    assert!(said.text().is_empty(), "{}", said.text());
    assert!(said.stderr.starts_with(&format!("counterfoil: {url} ")), "{}", said.stderr);
    assert!(said.stderr.contains(why), "{}", said.stderr);
}

#[test]
fn health_says_whether_a_server_is_ready_and_why_it_is_not() {
    let ledger = LedgerFolder::init();
    let server = Server::start(&ledger);
    until("the server is ready", || health(&server.url()).code == 0);
    assert_eq!(health(&server.url()).ended(0).text(), "ready\n");
    let url = server.url();
    server.stop();
    is_not_ready(&url, "cannot be reached");

    let replica = LedgerFolder::empty();
    let lost = Server::query(&replica, &ledger.policy(), &url, &[] as &[&str]);
    is_not_ready(&lost.url(), "nothing of the log was copied yet");
}

#[test]
fn a_server_that_says_nothing_is_not_waited_for() {
    let silent = TcpListener::bind("127.0.0.1:0").expect("a port is free");
    is_not_ready(&format!("http://{}", silent.local_addr().expect("it has one")), "within 5 s");
    health("127.0.0.1:7401").ended(2);
}
