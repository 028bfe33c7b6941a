//! What the auditor's program takes: memory within a bound, whatever is in the file.
#![allow(clippy::unwrap_used, reason = "a test stops where it fails")]
#![allow(dead_code, reason = "it makes files as the tests of `verify` do, and uses a part of that")]

#[path = "../../verify/tests/common/mod.rs"]
mod common;
#[path = "../../verify/tests/evidence/made.rs"]
mod made;
#[path = "../../verify/tests/support/mod.rs"]
mod support;

use std::fs;
use std::process::Command;

use counterfoil_proto::v1::{Fact, FactKind, Time};
use counterfoil_verify::evidence::Question;
use counterfoil_verify::population::Period;
use counterfoil_verify::time::{Moment, OccurredAt};

/// The memory that the program may take: of itself, and for each byte of the file.
const OWN_BYTES: usize = 48 << 20;
const BYTES_PER_BYTE: usize = 80;

#[test]
fn a_file_takes_eighty_times_its_size_at_most() {
    let mut log = made::Log::new();
    // Of all that a file can hold, the smallest facts weigh most once they are read.
    let smallest = Fact {
        subject: Some(support::account("a")),
        occurred_at: Some(Time { seconds: 1, nanos: 0, precision: 1 }),
        ..support::fact(FactKind::AccountCreated, 0)
    };
    for _ in 0..300 {
        log.add(vec![smallest.clone(); 1_000], &[]);
    }
    log.seal();
    is_within_the_bound(&log, made::state_of("a"));
    // Each of these facts is a row of what is printed.
    let period = Period::new(OccurredAt(Moment::MIN), OccurredAt(Moment::MAX)).unwrap();
    is_within_the_bound(&log, Question::Period { period, known_at: None });
}

fn is_within_the_bound(log: &made::Log, question: Question) {
    let file = log.evidence(question);
    assert!(file.len() > 5 << 20, "{} bytes", file.len());
    let folder = tempfile::tempdir().unwrap();
    let (evidence, policy) = (folder.path().join("evidence"), folder.path().join("policy"));
    fs::write(&evidence, &file).unwrap();
    fs::write(&policy, log.policy().format()).unwrap();
    // No room for one more: a program that asks for more ends there.
    let limited = |bytes: usize| {
        let mut program = Command::new("prlimit");
        program.arg(format!("--as={bytes}")).arg(env!("CARGO_BIN_EXE_counterfoil-verify"));
        program.arg(&evidence).arg("--policy").arg(&policy).output().unwrap()
    };
    let run = limited(OWN_BYTES + BYTES_PER_BYTE * file.len());
    assert!(run.status.success(), "{}", String::from_utf8_lossy(&run.stderr));
    // The limit is one.
    assert!(!limited(OWN_BYTES / 4).status.success());
}
