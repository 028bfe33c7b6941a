//! Lists of changes and of holders with filters: the same as looking at every one of them.
#![allow(clippy::unwrap_used)] // A test stops where it fails.

mod common;

use common::{Native, TestLedger, approval, fact, grant, of_system, ticket, time};
use counterfoil_proto::v1::fact::Detail;
use counterfoil_proto::v1::{ChangeEffect, Explanation, Fact, FactKind, Grant, GrantMode, GrantState, Verdict};
use counterfoil_query::{ChangeSelector, ChangesRequest, Page, Query, QueryError};
use counterfoil_verify::tree::RecordIndex;
use proptest::collection::vec;
use proptest::prelude::*;

const SPAN: i64 = 600;

/// Something that happened: a kind, whom it is about, what, who did it, with what, when, naming which ticket.
#[derive(Clone, Copy, Debug)]
struct Step {
    what: u8,
    person: usize,
    group: usize,
    actor: usize,
    via: Option<usize>,
    number: Option<u32>,
    at: i64,
}

fn any_step() -> impl Strategy<Value = Step> {
    let named = proptest::option::weighted(0.3, 1_u32..3);
    let via = proptest::option::weighted(0.6, 0..2_usize);
    (0_u8..8, 0..3_usize, 0..2_usize, 0..2_usize, via, named, 0..SPAN)
        .prop_map(|(what, person, group, actor, via, number, at)| Step { what, person, group, actor, via, number, at })
}

fn native(ledger: &TestLedger, step: Step) -> Native {
    let person = ledger.who(&format!("account:okta:default:u{}", step.person), &[]);
    let group = ledger.who(&format!("entitlement:okta:default:group_member/g{}", step.group), &[]);
    let number = step.number.unwrap_or(1);
    let base = match step.what {
        0..3 => grant(step.at, person, group, step.number.as_slice()),
        3 => fact(FactKind::GrantRemoved, step.at, Some(person), Some(group)),
        4 => fact(FactKind::AccountDisabled, step.at, Some(person), None),
        5 => fact(FactKind::AccountUpdated, step.at, Some(person), None),
        6 => {
            return Native::new(
                "freshservice",
                vec![ticket(FactKind::TicketOpened, step.at, number, Some(person), Some(group))],
            );
        }
        _ => {
            let approver = ledger.who("account:freshservice:default:9", &[]);
            return Native::new("freshservice", vec![approval(FactKind::ApprovalGranted, step.at, number, approver)]);
        }
    };
    let via = step.via.map(|via| ledger.who(&format!("credential:okta:default:api_token/T{via}"), &[]));
    let actor = Some(ledger.who(&format!("account:okta:default:a{}", step.actor), &[]));
    Native::new("okta", vec![of_system("okta", Fact { via, actor, ..base })])
}

fn told(steps: &[Step]) -> TestLedger {
    let ledger = TestLedger::new();
    // Whom the filters name has to be there.
    let named = |id: &str| of_system("okta", fact(FactKind::AuthEvent, 0, Some(ledger.who(id, &[])), None));
    let mut facts: Vec<Fact> = (0..2)
        .flat_map(|n| [format!("a{n}"), format!("u{n}")])
        .map(|id| named(&format!("account:okta:default:{id}")))
        .collect();
    facts.extend((0..2).map(|n| named(&format!("credential:okta:default:api_token/T{n}"))));
    facts.extend((0..2).map(|n| named(&format!("entitlement:okta:default:group_member/g{n}"))));
    ledger.at(0).record_one(Native::new("okta", facts));
    let about = |number| ticket(FactKind::TicketOpened, 0, number, None, None);
    ledger.record_one(Native::new("freshservice", (1..3).map(about).collect()));
    for (second, step) in (1..).zip(steps) {
        ledger.at(second).record_one(native(&ledger, *step));
    }
    ledger
}

/// Every change there is, each explained by itself, in the order in which they happened.
fn every_change(ledger: &TestLedger, query: &Query<'_>) -> Vec<Explanation> {
    let mut all = Vec::new();
    for index in 1..ledger.reader().head().size.0 {
        let answer = query.explain(&ChangeSelector::Record(RecordIndex(index), None), None).unwrap();
        all.extend(answer.explanations.into_iter().filter(|one| one.verdict() != Verdict::NotAChange));
    }
    all.sort_by_key(|one| {
        let change = one.change.unwrap();
        (change.occurred_at.unwrap().seconds, change.record, change.fact)
    });
    all
}

fn id(party: &Option<counterfoil_proto::Shared<counterfoil_proto::v1::Party>>) -> String {
    party.as_ref().map(|party| party.id.clone()).unwrap_or_default()
}

type Wanted = fn(&Explanation) -> bool;

/// A filter, and what it means.
fn filters() -> Vec<(&'static str, Wanted)> {
    let names_1: Wanted = |one| one.tickets.iter().any(|ticket| id(&ticket.ticket).ends_with("ticket/1"));
    vec![
        ("", |_| true),
        ("via = \"credential:okta:default:api_token/T0\"", |one| id(&one.credential).ends_with("T0")),
        ("actor = \"account:okta:default:a1\" AND NOT via:*", |one| {
            id(&one.executor).ends_with("a1") && one.credential.is_none()
        }),
        ("subject = \"account:okta:default:u0\" AND kind = grant.removed", |one| {
            id(&one.subject).ends_with("u0") && one.kind() == FactKind::GrantRemoved
        }),
        ("subject = \"account:okta:default:u0\" OR object = \"entitlement:okta:default:group_member/g1\"", |one| {
            id(&one.subject).ends_with("u0") || id(&one.object).ends_with("g1")
        }),
        ("-actor = \"account:okta:default:a1\"", |one| !id(&one.executor).ends_with("a1")),
        ("effect = takes", |one| matches!(one.kind(), FactKind::GrantRemoved | FactKind::AccountDisabled)),
        ("occurred_at >= 2026-01-01T00:02:00Z AND occurred_at < 2026-01-01T00:05:00Z", |one| {
            (120..300).contains(&(one.change.unwrap().occurred_at.unwrap().seconds - common::START))
        }),
        ("verdict = none_recorded OR verdict = VERDICT_PENDING", |one| {
            matches!(one.verdict(), Verdict::NoneRecorded | Verdict::Pending)
        }),
        ("ticket = \"ticket:freshservice:default:ticket/1\"", names_1),
        ("object = \"entitlement:okta:default:group_member/g0\" AND NOT ticket:*", |one| {
            id(&one.object).ends_with("g0") && one.tickets.is_empty()
        }),
        ("record > 5 AND system = OKTA", |one| one.change.unwrap().record > 5),
        ("system = aws", |_| false),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 24, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn a_list_with_a_filter_is_what_looking_at_every_change_gives(
        steps in vec(any_step(), 1..40),
        size in 1_usize..6,
        effect in 0..4_i32,
    ) {
        let ledger = told(&steps);
        let views = ledger.views();
        let query = views.query().unwrap();
        let all = every_change(&ledger, &query);
        let effect = ChangeEffect::try_from(effect).unwrap();
        let takes = |one: &Explanation| matches!(one.kind(), FactKind::GrantRemoved | FactKind::AccountDisabled);
        let has_effect = |one: &Explanation| match effect {
            ChangeEffect::Any => true,
            ChangeEffect::Takes => takes(one),
            ChangeEffect::Gives | ChangeEffect::Unspecified => !takes(one),
        };
        for (filter, is_wanted) in filters() {
            let mut found = Vec::new();
            let mut token = String::new();
            loop {
                let page = Page { size, token };
                let request = ChangesRequest { effect, filter: filter.to_owned(), page, ..ChangesRequest::default() };
                let answer = query.changes(&request).unwrap();
                prop_assert!(answer.explanations.len() <= size);
                found.extend(answer.explanations);
                token = answer.next_page_token;
                if token.is_empty() {
                    break;
                }
            }
            let expected: Vec<&Explanation> = all.iter().filter(|one| has_effect(one) && is_wanted(one)).collect();
            prop_assert_eq!(found.iter().collect::<Vec<_>>(), expected, "{}", filter);
        }
    }
}

#[test]
fn a_filter_says_what_is_wrong_with_it_and_a_token_is_bound_to_it() {
    let ledger = told(&[]);
    let step = Step { what: 0, person: 0, group: 0, actor: 0, via: Some(0), number: None, at: 5 };
    ledger.at(9).record((0..3).map(|at| native(&ledger, Step { at, ..step })).collect());
    let views = ledger.views();
    let query = views.query().unwrap();
    let ask = |filter: &str, token: &str| {
        let page = Page { size: 1, token: token.to_owned() };
        query.changes(&ChangesRequest { filter: filter.to_owned(), page, ..ChangesRequest::default() })
    };
    let via = "via = api_token/T0";
    let first = ask(via, "").unwrap();
    assert_eq!(first.explanations.len(), 1);
    assert!(ask(via, &first.next_page_token).is_ok());
    assert!(matches!(ask("via = api_token/T1", &first.next_page_token), Err(QueryError::PageToken(_))));
    assert!(matches!(ask("vi = x", ""), Err(QueryError::Filter(_))));
    assert!(
        matches!(ask("actor = \"no such thing\"", ""), Err(QueryError::NobodyCalled(name)) if name == "no such thing")
    );
    assert!(matches!(ask("ticket = SR-77", ""), Err(QueryError::NobodyCalled(_))));
}

/// What a filter comes to, in plain words.
type Model<'m> = &'m dyn Fn(&GrantState) -> bool;

#[test]
fn holders_are_filtered_by_what_is_known_of_their_grants() {
    let ledger = TestLedger::new();
    let group = || Some(ledger.who("entitlement:okta:default:group_member/g1", &[]));
    let given = |who: &str, detail: Option<Grant>, actor: &str| {
        let who = Some(ledger.who(&format!("account:{who}"), &[]));
        let actor = Some(ledger.who(&format!("account:okta:default:{actor}"), &[]));
        let detail = detail.map(Detail::Grant);
        Native::new(
            "okta",
            vec![of_system("okta", Fact { actor, detail, ..fact(FactKind::GrantAdded, 10, who, group()) })],
        )
    };
    let ends = |at| Grant { expires_at: Some(time(at)), ..Grant::default() };
    let eligible = Grant { mode: GrantMode::Eligible.into(), ..Grant::default() };
    ledger.record(vec![
        given("okta:default:u1", None, "a1"),
        given("okta:default:u2", Some(ends(50)), "a1"),
        given("okta:default:u3", Some(ends(500)), "a2"),
        given("okta:other:u4", Some(eligible), "a2"),
    ]);
    let views = ledger.views();
    let query = views.query().unwrap();
    let entitlement = common::entity("entitlement:okta:default:group_member/g1");
    let at = common::occurred(100);
    let everybody = query.holders(&entitlement, at, None, &Page::default()).unwrap().holders;
    let end = |holder: &GrantState| holder.expires_at.map(|end| end.seconds - common::START);
    let cases: [(&str, Model<'_>); 9] = [
        ("", &|_| true),
        ("lapsed = true", &|holder| holder.lapsed),
        ("NOT expires_at:*", &|holder| end(holder).is_none()),
        ("expires_at > 2026-01-01T00:01:00Z", &|holder| end(holder).is_some_and(|end| end > 60)),
        ("mode = eligible OR expires_at < 2026-01-01T00:01:00Z", &|holder| {
            holder.mode() == GrantMode::Eligible || end(holder).is_some_and(|end| end < 60)
        }),
        ("granted_by = \"account:okta:default:a2\"", &|holder| id(&holder.actor).ends_with("a2")),
        ("instance = other", &|holder| id(&holder.counterpart).contains(":other:")),
        ("holder = \"account:okta:default:u3\"", &|holder| id(&holder.counterpart).ends_with("u3")),
        ("confidence = snapshot", &|_| false),
    ];
    for (filter, is_wanted) in cases {
        for size in [1, 10] {
            let (mut found, mut token) = (Vec::new(), String::new());
            loop {
                let page = Page { size, token };
                let answer = query.holders_where(&entitlement, at, None, filter, &page).unwrap();
                found.extend(answer.holders);
                token = answer.next_page_token;
                if token.is_empty() {
                    break;
                }
            }
            let expected: Vec<&GrantState> = everybody.iter().filter(|holder| is_wanted(holder)).collect();
            assert_eq!(found.iter().collect::<Vec<_>>(), expected, "{filter}");
        }
    }
}
