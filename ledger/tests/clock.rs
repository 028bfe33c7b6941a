//! The clock: one wrong jump would spoil the known-at axis for ever.
#![allow(clippy::unwrap_used, reason = "a test stops where it fails")]

mod common;

use common::*;
use counterfoil_ledger::{JUMP_SECONDS_MAX, Ledger, LedgerError};
use counterfoil_verify::record;
use counterfoil_verify::time::RecordedAt;
use counterfoil_verify::tree::TreeSize;

/// When each record was recorded, in seconds since the ledger was made.
fn times(ledger: &Ledger) -> Vec<i64> {
    let seconds = |time: RecordedAt| time.0.seconds - START;
    ledger.reader().records(1..u64::MAX).map(|record| seconds(record::recorded_at(&record.unwrap()))).collect()
}

#[track_caller]
fn check_refused(ledger: &Ledger, number: u64, jump: i64) {
    let size = ledger.reader().head().size;
    match ledger.append(batch_over(0..99, numbered(number..number + 1))) {
        Err(LedgerError::ClockJumped { seconds }) => assert_eq!(seconds, jump),
        other => panic!("expected a jump of {jump} s to be refused, got {other:?}"),
    }
    assert_eq!(ledger.reader().head().size, size);
    assert_eq!(ledger.reader().position(CHANNEL).unwrap(), None, "nothing of it is stored");
}

#[test]
fn a_jump_stops_appends_until_the_clock_is_right_again() {
    for jump in [JUMP_SECONDS_MAX + 1, -(JUMP_SECONDS_MAX + 1), 365 * 86_400, -7_200] {
        let home = Home::new(1);
        let ledger = home.open();
        append(&ledger, numbered(0..1));
        home.clock.pass(100);
        home.clock.jump(jump);
        check_refused(&ledger, 1, jump);
        home.clock.pass(1_000);
        check_refused(&ledger, 1, jump);
        home.clock.jump(-jump);
        append(&ledger, numbered(1..2));
        assert_eq!(times(&ledger), [0, 1_100]);
    }
}

#[test]
fn an_operator_confirms_a_jump() {
    for jump in [3_600, -3_600] {
        let home = Home::new(1);
        let ledger = home.open();
        append(&ledger, numbered(0..1));
        drop(ledger);
        home.clock.pass(7_200);
        home.clock.jump(jump);
        let ledger = home.open();
        check_refused(&ledger, 1, jump);
        drop(ledger);
        let ledger = home.open_with(true).unwrap();
        append(&ledger, numbered(1..2));
        home.clock.pass(5);
        append(&ledger, numbered(2..3));
        assert_eq!(times(&ledger), [0, 7_200 + jump, 7_205 + jump]);
        drop(ledger);
        append(&home.open(), numbered(3..4));
    }
}

#[test]
fn the_first_append_of_a_new_ledger_is_no_exception() {
    let home = Home::new(1);
    home.clock.jump(-3_600);
    let ledger = home.open();
    check_refused(&ledger, 1, -3_600);
}

#[test]
fn small_steps_are_allowed_and_never_go_back_in_the_log() {
    let home = Home::new(1);
    let ledger = home.open();
    for (step, number) in [(0, 0), (-20, 1), (-20, 2), (50, 3), (-60, 4), (60, 5)] {
        home.clock.jump(step);
        append(&ledger, numbered(number..number + 1));
    }
    assert_eq!(times(&ledger), [0, 0, 0, 10, 10, 10]);
    check_sound(&home, &ledger.reader());
}

/// Two boots have no clock in common: only going back behind what is recorded can be noticed.
#[test]
fn after_a_reboot_the_log_itself_is_the_measure() {
    let home = Home::new(1);
    let ledger = home.open();
    append(&ledger, numbered(0..1));
    drop(ledger);
    home.clock.reboot();
    home.clock.jump(86_400);
    let ledger = home.open();
    append(&ledger, numbered(1..2));
    drop(ledger);
    home.clock.reboot();
    home.clock.jump(-3_600);
    let ledger = home.open();
    assert!(matches!(ledger.append(batch(numbered(2..3))), Err(LedgerError::ClockJumped { seconds: -3_600 })));
    drop(ledger);
    assert_eq!(home.open().reader().head().size, TreeSize(3));
}

/// The clock was wrong when it was an hour ahead, and an operator says so: the log goes on, and its times wait.
#[test]
fn going_back_behind_the_last_record_can_be_confirmed_and_stays_so() {
    let home = Home::new(1);
    append(&home.open(), numbered(0..1));
    home.clock.pass(100);
    home.clock.jump(-3_600);
    assert!(matches!(home.open().append(batch(numbered(1..2))), Err(LedgerError::ClockJumped { seconds: -3_600 })));
    append(&home.open_with(true).unwrap(), numbered(1..2));
    let ledger = home.open();
    append(&ledger, numbered(2..3));
    home.clock.pass(3_600);
    append(&ledger, numbered(3..4));
    assert_eq!(times(&ledger), [0, 0, 0, 100]);
    check_sound(&home, &ledger.reader());
    drop(ledger);
    home.clock.reboot();
    append(&home.open(), numbered(4..5));
}
