//! The server under the load of clients that are not ours, ghz and wrk: a little of it, to see that `scripts/load` works.
#![allow(clippy::unwrap_used, reason = "a test stops where it fails")]

use std::path::Path;
use std::process::{Command, Stdio};

use counterfoil_tests::program::program;
use counterfoil_tests::server::tool;

const REQUESTS: u64 = 300;

#[test]
fn nothing_is_refused_or_lost_under_load_by_clients_that_are_not_ours() {
    if tool("ghz").is_none() || tool("wrk").is_none() {
        return;
    }
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap();
    let mut script = Command::new(root.join("scripts/load"));
    script.args([&REQUESTS.to_string(), "1", "--people", "12", "--months", "1", "--seed", "3"]);
    let run = script.env("COUNTERFOIL_BIN", program()).stdin(Stdio::null()).output().unwrap();
    let (told, complaints) = (String::from_utf8_lossy(&run.stdout), String::from_utf8_lossy(&run.stderr));
    assert!(run.status.success(), "{complaints}{told}");
    let all_ok = format!("[OK]   {REQUESTS} responses");
    assert_eq!(told.matches(&all_ok).count(), 2, "{told}");
    let summary = told.lines().last().unwrap();
    let (_, http) = summary.split_once(&format!("{REQUESTS} states and {REQUESTS} events over gRPC, ")).unwrap();
    let (answered, rest) = http.split_once(' ').unwrap();
    assert!(answered.parse::<u64>().unwrap() > 0, "{summary}");
    assert_eq!(rest, "states over HTTP, all answered; fsck is sound");
}
