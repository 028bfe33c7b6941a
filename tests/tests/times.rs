//! Times on the command line: what is read, and what is refused with the fix spelled out.
#![allow(clippy::unwrap_used, reason = "a test stops where it fails")]

mod common;

use common::{events, import};
use counterfoil_tests::files::lines;
use counterfoil_tests::okta::login;
use counterfoil_tests::program::{LedgerFolder, run};
use serde_json::Value;

fn one_event() -> LedgerFolder {
    let ledger = LedgerFolder::init();
    import(&ledger, &ledger.file("a.jsonl", lines(&events(1))));
    ledger
}

#[test]
fn a_time_that_was_never_or_twice_or_contradicts_itself_is_refused() {
    let ledger = one_event();
    for (written, what, fixes) in [
        (
            "2026-03-01T00:00:00+05:00[Europe/Berlin]",
            "the clocks of Europe/Berlin were at +01:00",
            &["2026-03-01T00:00:00+05:00", "2026-03-01T00:00:00[Europe/Berlin]"][..],
        ),
        (
            "2026-07-01T00:00:00+01:00[Europe/Berlin]",
            "the clocks of Europe/Berlin were at +02:00",
            &["2026-07-01T00:00:00+01:00", "2026-07-01T00:00:00[Europe/Berlin]"],
        ),
        (
            "2026-03-29T02:30:00[Europe/Berlin]",
            "was skipped there",
            &["2026-03-29T02:30:00+01:00", "2026-03-29T02:30:00+02:00"],
        ),
        (
            "2026-10-25T02:30:00[Europe/Berlin]",
            "was there twice",
            &["2026-10-25T02:30:00+02:00", "2026-10-25T02:30:00+01:00"],
        ),
        (
            "2026-11-01T01:30[America/New_York]",
            "was there twice",
            &["2026-11-01T01:30-04:00", "2026-11-01T01:30-05:00"],
        ),
        ("2026-03-01T09:30:60Z", "second 60", &[]),
        ("2026-03-01T09:30:60.5+01:00", "second 60", &[]),
        ("20260301T093060Z", "second 60", &[]),
        ("2026-03-01 09:30:60[Europe/Berlin]", "second 60", &[]),
        ("0000-06-01T00:00:00Z", "before the year 0001", &["0001-01-01Z"]),
        ("0000-12-31Z", "before the year 0001", &["0001-01-01Z"]),
        ("0001-01-01T00:00:00+05:00", "before the year 0001", &["0001-01-01Z"]),
        ("2026-03-01[Europe/Berln]", "there is no place \"Europe/Berln\": expected a name of the IANA", &[]),
        ("2026-03-01T09:30:00[Berln]", "there is no place \"Berln\": expected a name of the IANA", &[]),
        ("2026-03-01T09:30:00+05:00Z", "is no time", &[]),
        ("2026-03-01T09:30:00[Europe/Berlin", "is no time", &[]),
        ("2026-03-01T09:30:00[Europe/Berlin]Z", "is no time", &[]),
    ] {
        let refused = ledger.run(&["state", &login(1), "--at", written]).ended(2);
        assert!(refused.stderr.contains(what), "{written}: {}", refused.stderr);
        for fix in fixes {
            assert!(
                refused.stderr.contains(&format!(" {fix} ")) || refused.stderr.contains(&format!(" {fix}\n")),
                "{fix}: {}",
                refused.stderr
            );
            ledger.run(&["state", &login(1), "--at", fix]).ended(0);
        }
    }
}

#[test]
fn a_place_tells_the_moment_where_there_is_one() {
    let ledger = one_event();
    for (written, meant) in [
        ("2026-03-29T01:59:59[Europe/Berlin]", "2026-03-29T00:59:59+00:00"),
        ("2026-03-29T03:00:00[Europe/Berlin]", "2026-03-29T01:00:00+00:00"),
        ("2026-10-25T02:30:00+02:00[Europe/Berlin]", "2026-10-25T00:30:00+00:00"),
        ("2026-10-25T02:30:00+01:00[Europe/Berlin]", "2026-10-25T01:30:00+00:00"),
        ("2026-10-25T00:30:00Z[Europe/Berlin]", "2026-10-25T00:30:00+00:00"),
        ("2026-03-01T09:30:00[+01:00]", "2026-03-01T08:30:00+00:00"),
        ("2026-03-01 09:30[!Asia/Kathmandu]", "2026-03-01T03:45:00+00:00"),
        // There the day of the change began at one o'clock.
        ("2018-11-04[America/Sao_Paulo]", "2018-11-04T03:00:00+00:00"),
        ("2026-03-01T09:30:59Z", "2026-03-01T09:30:59+00:00"),
        ("2026-03-01T09:30:00.60Z", "2026-03-01T09:30:00.600+00:00"),
        ("2026-03-01T09:30:00.5-03:30", "2026-03-01T13:00:00.500+00:00"),
    ] {
        let answer: Value = ledger.run(&["state", &login(1), "--at", written, "--output", "json"]).json();
        assert_eq!(answer["moment"]["at"], meant, "{written}");
    }
    ledger.run(&["state", &login(1), "--at", "now"]).ended(0);
    assert!(run(&["--help"]).ended(0).text().contains("or now"));
}
