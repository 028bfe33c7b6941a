//! The trail of a ticket has exactly the changes whose explanations have the ticket, whoever is who, and whatever was known.
#![allow(clippy::unwrap_used)] // A test stops where it fails.

mod common;

use std::collections::BTreeSet;

use common::{Native, TestLedger, approval, entity, fact, grant, occurred, of_system, recorded, ticket};
use counterfoil_proto::v1::{AccessStanding, FactKind, Ref, TraceMoment, Verdict};
use counterfoil_query::{ChangeSelector, Query};
use counterfoil_verify::time::RecordedAt;
use counterfoil_verify::tree::RecordIndex;
use proptest::collection::vec;
use proptest::prelude::*;

const HOUR: i64 = 3_600;
/// Longer than a ticket without an end covers anything.
const HOURS: i64 = 24 * 25;

/// Something that happened: what, to whom, with which address, about which group and ticket, when.
#[derive(Clone, Copy, Debug)]
struct Step {
    what: u8,
    person: usize,
    address: usize,
    group: usize,
    number: u32,
    is_named: bool,
    at: i64,
}

fn any_step() -> impl Strategy<Value = Step> {
    (0_u8..12, 0..3_usize, 0..2_usize, 0..2_usize, 1_u32..3, prop::bool::weighted(0.25), 0..HOURS).prop_map(
        |(what, person, address, group, number, is_named, at)| Step {
            what,
            person,
            address,
            group,
            number,
            is_named,
            at: at * HOUR,
        },
    )
}

fn native(ledger: &TestLedger, step: Step) -> Native {
    let Step { what, person, address, group, number, is_named, at } = step;
    let email = format!("a{address}@example.com");
    let email = email.as_str();
    let account = |system: &str, logins: &[&str]| ledger.who(&format!("account:{system}:default:u{person}"), logins);
    let group = ledger.who(&format!("entitlement:okta:default:group_member/g{group}"), &[]);
    let tickets: &[u32] = if is_named { std::slice::from_ref(&number) } else { &[] };
    let okta = |fact| Native::new("okta", vec![of_system("okta", fact)]);
    let desk = |fact| Native::new("freshservice", vec![of_system("freshservice", fact)]);
    let asked = |whom: Ref| desk(ticket(FactKind::TicketOpened, at, number, Some(whom), Some(group.clone())));
    match what {
        0 | 1 => okta(grant(at, account("okta", &[email]), group, tickets)),
        2 => okta(grant(at, account("okta", &[]), group, tickets)),
        3 => okta(fact(FactKind::GrantRemoved, at, Some(account("okta", &[])), Some(group))),
        4 => asked(account("okta", &[])),
        5 => asked(account("freshservice", &[])),
        6 => asked(ledger.email(email)),
        7 => desk(approval(FactKind::ApprovalGranted, at, number, ledger.who("account:freshservice:default:9", &[]))),
        8 => desk(fact(FactKind::AccountUpdated, at, Some(account("freshservice", &[email])), None)),
        9 => {
            let person = ledger.who(&format!("person:hr:default:p{person}"), &[]);
            let system = if is_named { "okta" } else { "freshservice" };
            okta(fact(FactKind::IdentityLinked, at, Some(account(system, &[])), Some(person)))
        }
        10 => okta(fact(FactKind::AccountDeleted, at, Some(account("okta", &[email])), None)),
        _ => okta(fact(FactKind::AccountCreated, at, Some(account("okta", &[email])), None)),
    }
}

type Place = (u64, u32, i32);

/// Every change whose explanation has a ticket, with what that says about it.
fn explained(ledger: &TestLedger, query: &Query<'_>, ticket: &str, known: Option<RecordedAt>) -> BTreeSet<Place> {
    let mut found = BTreeSet::new();
    for index in 1..ledger.reader().head().size.0 {
        // What was not known then is no change then.
        let Ok(answer) = query.explain(&ChangeSelector::Record(RecordIndex(index), None), known) else { continue };
        for one in answer.explanations {
            let change = one.change.unwrap();
            let own = one.tickets.iter().find(|linked| linked.ticket.as_ref().unwrap().id == ticket);
            found.extend(own.map(|linked| (change.record, change.fact, linked.verdict)));
        }
    }
    found
}

/// That both ways find the same, of every ticket there is after these steps.
fn check(steps: &[Step], known: Option<i64>) -> Result<(), TestCaseError> {
    let ledger = TestLedger::new();
    for (second, step) in (1..).zip(steps) {
        ledger.at(second).record_one(native(&ledger, *step));
    }
    let views = ledger.views();
    let query = views.query().unwrap();
    let known = known.map(recorded);
    for number in 1..3 {
        let id = format!("ticket:freshservice:default:ticket/{number}");
        let answer = query.trace(&entity(&id), occurred(1_000 * 24 * HOUR), known).unwrap();
        prop_assert!(!answer.cut);
        let place = |one: &counterfoil_proto::v1::TracedChange| {
            let change = one.explanation.as_ref().unwrap().change.unwrap();
            (change.record, change.fact, one.verdict)
        };
        let found: BTreeSet<Place> = answer.changes.iter().map(place).collect();
        prop_assert_eq!(found.len(), answer.changes.len());
        prop_assert_eq!(found, explained(&ledger, &query, &id, known), "{}", id);
        // What a ticket covers, no other one covers.
        for one in answer.changes.iter().filter(|one| one.covered) {
            let verdict = one.explanation.as_ref().unwrap().verdict();
            prop_assert!(verdict == one.verdict() && verdict != Verdict::Ambiguous);
        }
    }
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 96, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn both_ways_of_a_link_are_the_same(
        steps in vec(any_step(), 1..40),
        known in proptest::option::of(0..40_i64),
    ) {
        check(&steps, known)?;
    }
}

/// A ticket for two accounts of two persons, one after the other: each version is for its own, and what tells the two apart
/// takes nothing from either.
#[test]
fn each_version_of_a_ticket_has_its_own_beneficiary() {
    let step = |what, person, address, number, at: i64| Step {
        what,
        person,
        address,
        group: 0,
        number,
        is_named: false,
        at: at * HOUR,
    };
    let steps = [
        step(4, 0, 0, 2, 45),
        step(10, 1, 0, 1, 0),
        step(8, 0, 0, 1, 0),
        step(11, 0, 0, 1, 203),
        step(5, 0, 0, 2, 45),
        step(0, 1, 0, 1, 45),
    ];
    check(&steps, None).unwrap();
}

#[test]
fn the_steps_are_those_of_what_was_known() {
    let ledger = TestLedger::new();
    let step =
        |what, at: i64| Step { what, person: 0, address: 0, group: 0, number: 1, is_named: false, at: at * HOUR };
    for (day, step) in (1..).zip([step(4, 1), step(7, 2), step(2, 3), step(3, 9)]) {
        ledger.at(24 * HOUR * day).record_one(native(&ledger, step));
    }
    let views = ledger.views();
    let query = views.query().unwrap();
    let id = entity("ticket:freshservice:default:ticket/1");
    let standings = |at: i64, known: Option<i64>| -> Vec<(TraceMoment, AccessStanding)> {
        let known = known.map(|day| recorded(24 * HOUR * day));
        let answer = query.trace(&id, occurred(at * HOUR), known).unwrap();
        let had = |step: &counterfoil_proto::v1::TraceStep| {
            (step.step(), step.access.first().map_or(AccessStanding::Unspecified, |access| access.standing()))
        };
        answer.steps.iter().map(had).collect()
    };
    use AccessStanding as S;
    use TraceMoment as M;
    let of = |after: S, now: S| {
        vec![
            (M::BeforeRequest, S::NeverGiven),
            (M::AtApproval, S::NeverGiven),
            (M::AfterChange, after),
            (M::AfterExpiry, S::Unspecified),
            (M::Now, now),
        ]
    };
    assert_eq!(standings(100, None), of(S::Held, S::Removed));
    assert_eq!(standings(5, None), of(S::Held, S::Held), "before it was taken away");
    assert_eq!(standings(100, Some(3)), of(S::Held, S::Held), "as long as the removal was not known");
    assert_eq!(standings(100, Some(2)), of(S::Unspecified, S::NeverGiven), "nor that it was given");
}
