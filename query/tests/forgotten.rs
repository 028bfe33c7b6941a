//! The views forget what a redaction removed, and nothing else: they are those that never saw it.
#![allow(clippy::unwrap_used, reason = "a test stops where it fails")]

mod common;

use common::*;
use counterfoil_proto::v1::record::Body;
use counterfoil_proto::v1::{FactKind, RedactedParts, Redaction};
use counterfoil_query::{Views, Wanted};

const ADA: &str = "account:okta:default:00u1";
const BOB: &str = "account:okta:default:00u2";

/// An event about both, at a time of its own, which calls each something.
fn called(ledger: &TestLedger, seconds: i64, ada: &str, bob: &str) -> u64 {
    let fact = |id| of_system("okta", fact(FactKind::AccountUpdated, seconds, Some(ledger.who(id, &[])), None));
    let native = Native::new("okta", vec![fact(ADA), fact(BOB)]);
    ledger.record_one(native.named(ADA, "display_name", ada).named(BOB, "display_name", bob))
}

fn redact(ledger: &TestLedger, removed: &[(u64, &[u32])], entities: &[&str]) -> u64 {
    let range = |(first, parts): &(u64, &[u32])| RedactedParts { first: *first, records: 1, parts: parts.to_vec() };
    let said = Redaction {
        removed: removed.iter().map(range).collect(),
        entities: entities.iter().map(|id| entity(id).as_bytes().to_vec()).collect(),
        reason: "erasure-request".to_owned(),
        rule: "rule-1".to_owned(),
        by: entity(BOB).as_bytes().to_vec(),
        ..Redaction::default()
    };
    ledger.record_body("counterfoil", Body::Redaction(said))
}

/// What each is called, and who is found by each of these names, as far as the ledger went by then.
fn told(views: &Views, names: &[&str]) -> Vec<String> {
    let query = views.query().unwrap();
    let mut told = Vec::new();
    for seconds in [1_000, 35] {
        for id in [ADA, BOB] {
            let state = query.state(&entity(id), occurred(1_000), Some(recorded(seconds))).unwrap();
            told.push(format!("{id}: {:?}", state.state.unwrap().entity.unwrap().name));
        }
        for name in names {
            let found = query.resolve(name, Wanted::default(), occurred(1_000), Some(recorded(seconds))).unwrap();
            let found: Vec<String> = found.identities.iter().map(|party| party.id.clone()).collect();
            told.push(format!("{name}: {}", found.join(" ")));
        }
    }
    told
}

#[test]
fn the_views_are_those_that_never_saw_what_was_removed() {
    let names = ["Ada One", "Ada Two", "Ada Three", "Bob One", "Bob Two", "Bob Three", "00u1"];
    for (removed, entities, kept) in [
        // All of Ada's; of Bob's nothing.
        (&[(1, &[0, 1][..]), (2, &[0, 1]), (3, &[0, 1]), (4, &[0, 1])][..], &[ADA][..], ["", "Bob Three"]),
        // The newest of each: what was said before counts again.
        (&[(3, &[1, 2]), (4, &[1, 2])], &[ADA, BOB], ["Ada Two", "Bob Two"]),
        // One that was said again since, and one that was replaced.
        (&[(1, &[1]), (2, &[2])], &[ADA, BOB], ["Ada Three", "Bob Three"]),
        // Payloads alone.
        (&[(1, &[0]), (4, &[0])], &[], ["Ada Three", "Bob Three"]),
    ] {
        let ledger = TestLedger::new();
        for (seconds, ada, bob) in [
            (10, "Ada One", "Bob One"),
            (20, "Ada Two", "Bob Two"),
            (30, "Ada Three", "Bob Three"),
            (15, "Ada One", "Bob One"),
        ] {
            called(ledger.at(seconds), seconds, ada, bob);
        }
        let views = ledger.views();
        assert!(told(&views, &names)[0].ends_with("\"Ada Three\""));
        redact(ledger.at(40), removed, entities);
        views.catch_up(&mut |_, _| ()).unwrap();
        let found = told(&views, &names);
        for (line, kept) in found.iter().zip(kept) {
            assert!(line.ends_with(&format!("{kept:?}")), "{removed:?}: {found:?}");
        }
        assert_eq!(found, told(&ledger.views_elsewhere(), &names), "{removed:?}");
        drop(views);
        assert_eq!(found, told(&ledger.views(), &names), "{removed:?}: opened again");
    }
}

/// An answer that is being given sees what it saw when it began, and holds up nobody for good.
#[test]
fn who_asks_meanwhile_is_waited_for() {
    let ledger = TestLedger::new();
    called(ledger.at(10), 10, "Ada One", "Bob One");
    let views = ledger.views();
    let query = views.query().unwrap();
    redact(ledger.at(20), &[(1, &[0, 1, 2])], &[ADA, BOB]);
    std::thread::scope(|scope| {
        let catching_up = scope.spawn(|| views.catch_up(&mut |_, _| ()).unwrap());
        while views.query().unwrap().basis().tree_size < 3 {
            std::thread::yield_now();
        }
        assert!(!catching_up.is_finished(), "its files hold what that one may ask for");
        drop(query);
        assert_eq!(catching_up.join().unwrap().0, 3);
    });
}
