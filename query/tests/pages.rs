//! Lists page by page: the pages together are the whole list as it was when its first page was asked for, however large
//! they are, and whatever is recorded between them.
#![allow(clippy::unwrap_used)] // A test stops where it fails.

mod common;

use common::{Native, TestLedger, approval, fact, grant, occurred, of_system, recorded, ticket};
use counterfoil_proto::Shared;
use counterfoil_proto::v1::{ChangeEffect, EntityKind, Explanation, Fact, FactKind, Party, Verdict};
use counterfoil_query::{ChangesRequest, ExplainFilter, Page, Period, Views};
use counterfoil_verify::fact::entity_set;
use counterfoil_verify::record::recorded_at;
use proptest::collection::vec;
use proptest::prelude::*;

/// Seconds in which everything happens.
const SPAN: i64 = 600;
const STEPS_PER_COMMIT: usize = 6;
/// More than the changes that are explained for one page.
const CHANGES: i64 = 5_001;
const EVERYTHING: ChangesRequest = ChangesRequest {
    which: ExplainFilter::All,
    period: Period::ALWAYS,
    known: None,
    by: String::new(),
    for_whom: String::new(),
    person: false,
    verdicts: Vec::new(),
    kinds: Vec::new(),
    effect: ChangeEffect::Unspecified,
    filter: String::new(),
    page: Page { size: 0, token: String::new() },
};
/// The second after the last one of a ledger.
const LATER: i64 = 100;

/// Something that is told of a person and a group: by either system, when it happened, and about which ticket.
#[derive(Clone, Copy, Debug)]
struct Step {
    what: u8,
    person: usize,
    group: usize,
    number: u32,
    at: i64,
}

fn any_step() -> impl Strategy<Value = Step> {
    (0_u8..9, 0..6_usize, 0..3_usize, 0_u32..3, 0..SPAN).prop_map(|(what, person, group, number, at)| Step {
        what,
        person,
        group,
        number,
        at,
    })
}

fn native(ledger: &TestLedger, step: Step) -> Native {
    let Step { what, person, group, number, at } = step;
    let account = |system: &str| ledger.who(&format!("account:{system}:default:u{person}"), &[]);
    let group = ledger.who(&format!("entitlement:okta:default:group_member/g{group}"), &[]);
    let okta = |fact| Native::new("okta", vec![of_system("okta", fact)]);
    let desk = |fact| Native::new("freshservice", vec![fact]);
    match what {
        0..3 => okta(grant(at, account("okta"), group, &[])),
        3 => okta(grant(at, account("okta"), group, &[number])),
        4 => okta(fact(FactKind::GrantRemoved, at, Some(account("okta")), Some(group))),
        5 => desk(ticket(FactKind::TicketOpened, at, number, Some(account("okta")), Some(group))),
        6 => desk(approval(FactKind::ApprovalGranted, at, number, account("freshservice"))),
        7 => {
            let name = format!("Person {}", number);
            let created = fact(FactKind::AccountCreated, at, Some(account("okta")), None);
            okta(created).named(&format!("account:okta:default:u{person}"), "display_name", &name)
        }
        _ => {
            let person = ledger.who(&format!("person:hr:default:u{person}"), &[]);
            okta(fact(FactKind::IdentityLinked, at, Some(account("okta")), Some(person)))
        }
    }
}

/// A ledger with these steps in it, some at a time, each time a second later.
fn told(steps: &[Step]) -> TestLedger {
    let ledger = TestLedger::new();
    for (second, steps) in (1..).zip(steps.chunks(STEPS_PER_COMMIT)) {
        tell(&ledger, second, steps);
    }
    ledger
}

fn tell(ledger: &TestLedger, second: i64, steps: &[Step]) {
    ledger.at(second).record(steps.iter().map(|step| native(ledger, *step)).collect());
}

/// The entries of all pages, each got by `ask`; behind the first, more is recorded.
fn together<T>(
    views: &Views,
    mut later: impl FnMut(),
    mut ask: impl FnMut(Page) -> (Vec<T>, String),
    size: usize,
) -> Vec<T> {
    let mut all = Vec::new();
    let mut token = String::new();
    loop {
        let (entries, next) = ask(Page { size, token });
        assert!(entries.len() <= size, "{} on a page of {size}", entries.len());
        all.extend(entries);
        if next.is_empty() {
            return all;
        }
        later();
        views.catch_up(&mut |_, _| ()).unwrap();
        token = next;
    }
}

#[test]
fn a_page_on_which_nothing_was_found_is_not_the_last_one() {
    let ledger = TestLedger::new();
    let change = |kind, at| fact(kind, at, Some(ledger.who("account:okta:default:u1", &[])), None);
    // More than are looked at for one page, and behind them what is looked for.
    let created: Vec<Fact> = (0..CHANGES).map(|at| of_system("okta", change(FactKind::AccountCreated, at))).collect();
    let natives = created.chunks(100).map(|facts| Native::new("okta", facts.to_vec())).collect();
    ledger.record(natives);
    let group = ledger.who("entitlement:okta:default:group_member/g1", &[]);
    let granted = grant(CHANGES, ledger.who("account:okta:default:u1", &[]), group, &[]);
    let granted = ledger.record_one(Native::new("okta", vec![granted]));
    let views = ledger.views();
    let mut pages = Vec::new();
    let ask = |page: Page| {
        let request = ChangesRequest { kinds: vec![FactKind::GrantAdded], page, ..EVERYTHING };
        let answer = views.query().unwrap().changes(&request).unwrap();
        pages.push(answer.explanations.len());
        (answer.explanations, answer.next_page_token)
    };
    let found = together(&views, || (), ask, 10);
    assert_eq!(found.iter().map(|one| one.change.unwrap().record).collect::<Vec<_>>(), [granted]);
    assert_eq!(pages, [0, 1]);
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 48, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn pages_of_explanations_together_are_all_that_explain_all_gives(
        steps in vec(any_step(), 1..40),
        later in vec(any_step(), 1..4),
        size in 1_usize..7,
        period in (0..SPAN, 0..2 * SPAN),
        known in proptest::option::of(0_i64..8),
        is_unapproved in any::<bool>(),
        only in proptest::option::of((any::<bool>(), any::<bool>())),
    ) {
        let ledger = told(&steps);
        let views = ledger.views();
        let which = if is_unapproved { ExplainFilter::Unapproved } else { ExplainFilter::All };
        let period = match period {
            (from, to) if from <= to => Period { from: occurred(from / 2), to: occurred(to) },
            _ => Period::ALWAYS,
        };
        let known = known.map(recorded);
        let (verdicts, kinds) = match only {
            None => (Vec::new(), Vec::new()),
            Some((verdict, kind)) => (
                if verdict { vec![Verdict::NoneRecorded, Verdict::TicketUnknown] } else { Vec::new() },
                if kind { vec![FactKind::GrantAdded] } else { Vec::new() },
            ),
        };
        let is_listed = |one: &Explanation| {
            (verdicts.is_empty() || verdicts.contains(&one.verdict())) && (kinds.is_empty() || kinds.contains(&one.kind()))
        };
        let all: Vec<Explanation> =
            views.query().unwrap().explain_all(period, known, which).unwrap().map(Result::unwrap).filter(is_listed).collect();
        let later = || tell(&ledger, LATER, &later);
        let ask = |page: Page| {
            let (verdicts, kinds) = (verdicts.clone(), kinds.clone());
            let request = ChangesRequest { which, period, known, verdicts, kinds, page, ..EVERYTHING };
            let answer = views.query().unwrap().changes(&request).unwrap();
            (answer.explanations, answer.next_page_token)
        };
        prop_assert_eq!(together(&views, later, ask, size), all);
    }

    #[test]
    fn pages_of_identities_together_are_the_list_without_pages(
        steps in vec(any_step(), 1..40),
        later in vec(any_step(), 1..4),
        size in 1_usize..7,
        known in proptest::option::of(0_i64..8),
        system in prop_oneof![Just(None), Just(Some("okta")), Just(Some("freshservice")), Just(Some("hr"))],
    ) {
        let ledger = told(&steps);
        let views = ledger.views();
        let known = known.map(recorded);
        let ask = |page: Page| {
            let answer = views.query().unwrap().identities(system, known, &page).unwrap();
            (answer.identities, answer.next_page_token)
        };
        let (all, token) = ask(Page::default());
        prop_assert_eq!(token, "");
        // Everybody in the entity set of a record that counts.
        let reader = ledger.reader();
        let records = reader.records(0..reader.head().size.0).map(Result::unwrap);
        let counts = records.filter(|record| known.is_none_or(|known| recorded_at(record) <= known));
        let is_listed = |kind, of: &str| {
            matches!(kind, EntityKind::Account | EntityKind::Person) && system.is_none_or(|system| system == of)
        };
        let mut expected: Vec<String> = counts
            .flat_map(|record| entity_set(&record))
            .filter(|entity| is_listed(entity.kind(), entity.system()))
            .map(|entity| entity.to_string())
            .collect();
        expected.sort();
        expected.dedup();
        let mut ids: Vec<String> = all.iter().map(|party: &Shared<Party>| party.id.clone()).collect();
        ids.sort();
        prop_assert_eq!(ids, expected);
        let later = || tell(&ledger, LATER, &later);
        prop_assert_eq!(together(&views, later, ask, size), all);
    }
}
