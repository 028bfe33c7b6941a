//! The state view against the naive replay: whatever the order of arrival, at any T and any K, both say the same.
#![allow(clippy::unwrap_used)] // A test stops where it fails.

mod common;

use common::{Native, TestLedger, approval, entity, fact, occurred, of_system, source, ticket, ticket_ref};
use counterfoil_proto::v1::fact::Detail;
use counterfoil_proto::v1::{EntityKind, Fact, FactKind, Grant, Record, Ref};
use counterfoil_verify::entity::EntityId;
use counterfoil_verify::fact::entity_set;
use counterfoil_verify::identifier::Token;
use counterfoil_verify::replay::replay;
use counterfoil_verify::tree::TreeSize;
use proptest::prelude::*;

/// The order in which facts that happened one after the other arrive.
#[derive(Clone, Copy, Debug)]
enum Arrival {
    InOrder,
    Reversed,
    Shuffled(u64),
}

/// A fact of a small company: few groups, more accounts.
fn company_fact(seconds: i64, kind: usize, account: usize, group: usize) -> Fact {
    let id = |text: String| Some(text.parse::<EntityId>().unwrap().to_ref(&source("none")));
    let subject = id(format!("account:okta:default:u{account}"));
    let object = id(format!("entitlement:okta:default:group_member/{group}"));
    let credential = id(format!("credential:okta:default:api_token/{group}"));
    let unnamed =
        Some(Ref { kind: EntityKind::Account.into(), tokens: vec![vec![account as u8; 16]], ..Ref::default() });
    let made = match kind {
        0..4 => fact(FactKind::GrantAdded, seconds, subject, object),
        4..6 => fact(FactKind::GrantRemoved, seconds, subject, object),
        6 => Fact {
            detail: Some(Detail::Grant(Grant { expires_at: Some(common::time(seconds + 50)), ..Grant::default() })),
            ..fact(FactKind::GrantModified, seconds, subject, object)
        },
        7 => fact(FactKind::AccountDisabled, seconds, subject, None),
        8 => fact(FactKind::SnapshotItem, seconds, subject, object),
        9 => fact(FactKind::CredentialCreated, seconds, subject, credential),
        10 => fact(FactKind::GrantAdded, seconds, unnamed, object),
        11 => ticket(FactKind::TicketUpdated, seconds, group as u32, subject, object),
        12 => approval(FactKind::ApprovalGranted, seconds, group as u32, subject.unwrap()),
        _ => fact(FactKind::AccountUpdated, seconds, subject, None),
    };
    of_system("okta", made)
}

fn arrange(mut facts: Vec<Fact>, arrival: Arrival) -> Vec<Fact> {
    match arrival {
        Arrival::InOrder => {}
        Arrival::Reversed => facts.reverse(),
        Arrival::Shuffled(seed) => {
            let mut state = seed | 1;
            for last in (1..facts.len()).rev() {
                state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
                facts.swap(last, (state >> 33) as usize % (last + 1));
            }
        }
    }
    facts
}

/// Each entity that is named, at each T and K, against the replay of all records.
fn check(ledger: &TestLedger, questions: &[(i64, u64)]) {
    let views = ledger.views();
    let query = views.query().unwrap();
    let size = ledger.reader().head().size;
    let records: Vec<Record> = ledger.reader().records(0..size.0).collect::<Result<_, _>>().unwrap();
    let entities: std::collections::BTreeSet<EntityId> = records.iter().flat_map(entity_set).collect();
    for (at, known) in questions.iter().copied().chain([(i64::from(i32::MAX), u64::MAX)]) {
        let known = TreeSize(known.min(size.0));
        for entity in &entities {
            let naive = replay(entity, &records, occurred(at), known);
            let viewed = query.replayed(entity, occurred(at), known).unwrap();
            assert_eq!(viewed, naive, "{entity} at {at} s, known {known}");
        }
    }
}

fn arrivals() -> impl Strategy<Value = Arrival> {
    prop_oneof![Just(Arrival::InOrder), Just(Arrival::Reversed), any::<u64>().prop_map(Arrival::Shuffled)]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 24, ..ProptestConfig::default() })]

    #[test]
    fn the_view_is_the_replay_at_any_t_and_k(
        facts in prop::collection::vec((0_usize..14, 0_usize..120, 0_usize..2), 1..700),
        gaps in prop::collection::vec(0_i64..3, 700),
        arrival in arrivals(),
        facts_per_event in 1_usize..4,
        events_per_commit in 1_usize..80,
        catches_up in any::<bool>(),
        again in prop::collection::vec((any::<prop::sample::Index>(), 0_usize..14, 0_usize..120, any::<bool>()), 0..80),
        questions in prop::collection::vec((-5_i64..1_500, 0_u64..720), 12),
    ) {
        let mut seconds = 0;
        let facts: Vec<Fact> = facts
            .into_iter()
            .zip(gaps)
            .map(|((kind, account, group), gap)| {
                seconds += gap;
                company_fact(seconds, kind, account, group)
            })
            .collect();
        let ledger = TestLedger::new();
        let facts = arrange(facts, arrival);
        let events: Vec<Native> = facts.chunks(facts_per_event).map(|facts| Native::new("okta", facts.to_vec())).collect();
        let mut recorded = Vec::new();
        let mut again = again.into_iter();
        for commit in events.chunks(events_per_commit) {
            let firsts = ledger.record(commit.to_vec());
            recorded.extend(firsts.into_iter().zip(commit.iter().map(|native| native.facts.clone())));
            // Some events are read again, and say something else of somebody else by then.
            for (which, kind, account, is_split) in again.by_ref().take(4) {
                let (first, facts) = which.get(&recorded);
                let at = facts[0].occurred_at.unwrap().seconds - common::START;
                let other = company_fact(at, kind, account, 1);
                ledger.remap(*first, vec![other, facts[0].clone()], is_split);
            }
            if catches_up {
                drop(ledger.views());
            }
        }
        check(&ledger, &questions);
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 24, ..ProptestConfig::default() })]

    // What a question read is kept for the next one: here others ask before and after each commit, also of an older view.
    #[test]
    fn what_was_read_lately_is_never_out_of_date(
        facts in prop::collection::vec((0_usize..14, 0_usize..3, 0_usize..2, 0_i64..3), 1..500),
        arrival in arrivals(),
        per_commit in 1_usize..60,
        questions in prop::collection::vec((0_usize..8, -5_i64..1_000, 0_u64..600), 10),
    ) {
        let mut seconds = 0;
        let facts: Vec<Fact> = facts
            .into_iter()
            .map(|(kind, account, group, gap)| {
                seconds += gap;
                company_fact(seconds, kind, account, group)
            })
            .collect();
        let ledger = TestLedger::new();
        let views = ledger.views();
        let asked: Vec<EntityId> = (0..8).map(|number| match number {
            0..3 => entity(&format!("account:okta:default:u{number}")),
            3..5 => entity(&format!("entitlement:okta:default:group_member/{}", number - 3)),
            5..7 => entity(&format!("credential:okta:default:api_token/{}", number - 5)),
            _ => EntityId::identifier(&Token::from_slice(&[1; 16]).unwrap()),
        }).collect();
        for commit in arrange(facts, arrival).chunks(per_commit) {
            let older = views.query().unwrap();
            ledger.record(commit.iter().map(|fact| Native::new("okta", vec![fact.clone()])).collect());
            views.catch_up(&mut |_, _| ()).unwrap();
            let newer = views.query().unwrap();
            let records: Vec<Record> =
                ledger.reader().records(0..ledger.reader().head().size.0).collect::<Result<_, _>>().unwrap();
            for &(number, at, known) in &questions {
                for query in [&newer, &older, &newer] {
                    let size = query.basis().tree_size;
                    for known in [known.min(size), size].map(TreeSize) {
                        let naive = replay(&asked[number], &records, occurred(at), known);
                        let viewed = query.replayed(&asked[number], occurred(at), known).unwrap();
                        prop_assert_eq!(viewed, naive, "{} at {} s, known {}", asked[number], at, known);
                    }
                }
            }
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 24, ..ProptestConfig::default() })]

    // The newest binding of those that were known by then, or the first one after it; asked as above.
    #[test]
    fn identifiers_are_those_of_the_time(
        bindings in prop::collection::vec((0_i64..60, 0_usize..3, any::<bool>()), 1..40),
        per_commit in 1_usize..6,
        questions in prop::collection::vec((-5_i64..70, 0_i64..40), 8),
    ) {
        let ledger = TestLedger::new();
        let views = ledger.views();
        let id = "account:okta:default:00u1";
        let logins = ["ann@example.com", "anna@example.com", "anne@example.com"].map(|login| ledger.who(id, &[login]));
        // When it happened, its record, the commit it came with, and whose login it binds.
        let mut model: Vec<(i64, u64, i64, usize)> = Vec::new();
        for (commit, bound) in (1..).zip(bindings.chunks(per_commit)) {
            let older = views.query().unwrap();
            for &(seconds, login, is_delta) in bound {
                let kind = if is_delta { FactKind::AccountUpdated } else { FactKind::AuthEvent };
                let said = of_system("okta", fact(kind, seconds, Some(logins[login].clone()), None));
                let record = ledger.at(commit).record_one(Native::new("okta", vec![said]));
                model.push((seconds, record, commit, login));
            }
            model.sort();
            views.catch_up(&mut |_, _| ()).unwrap();
            let newer = views.query().unwrap();
            for &(at, known) in &questions {
                for query in [&newer, &older, &newer] {
                    let known = known.min(commit);
                    let mut seen: Vec<_> = model.clone();
                    seen.retain(|(_, record, at, _)| *at <= known && *record < query.basis().tree_size);
                    let then = seen.iter().rev().find(|(seconds, ..)| *seconds <= at).or(seen.first());
                    let expected: Vec<String> = then.into_iter().map(|(.., login)| {
                        let token = Token::from_slice(&logins[*login].tokens[0]).unwrap();
                        EntityId::identifier(&token).to_text()
                    }).collect();
                    let state = query.state(&entity(id), occurred(at), Some(common::recorded(known))).unwrap().state.unwrap();
                    let found: Vec<String> = state.identifiers.into_iter().map(|party| party.id.clone()).collect();
                    prop_assert_eq!(if state.known { expected } else { Vec::new() }, found, "at {} s, known {} s", at, known);
                }
            }
        }
    }
}

// More bindings than are kept: each question reads the database.
#[test]
fn identifiers_that_changed_more_often_than_is_kept_are_right() {
    let ledger = TestLedger::new();
    let id = "account:okta:default:00u1";
    let logins = ["ann@example.com", "anna@example.com"].map(|login| ledger.who(id, &[login]));
    let bound = |seconds: i64| {
        let who = logins[seconds as usize % 2].clone();
        Native::new("okta", vec![of_system("okta", fact(FactKind::AccountUpdated, seconds, Some(who), None))])
    };
    ledger.record((0..1_100).map(bound).collect());
    let views = ledger.views();
    let query = views.query().unwrap();
    for at in [0, 1, 998, 999, 1_000, 1_001, 1_099, 5_000] {
        let login = &logins[at.min(1_099) as usize % 2];
        let expected = EntityId::identifier(&Token::from_slice(&login.tokens[0]).unwrap()).to_text();
        let state = query.state(&entity(id), occurred(at), None).unwrap().state.unwrap();
        let found: Vec<String> = state.identifiers.into_iter().map(|party| party.id.clone()).collect();
        assert_eq!(found, [expected], "at {at} s");
    }
}

// Late facts use up what may be read again for snapshots: a later batch then writes one of what came long before.
#[test]
fn an_older_view_reads_no_snapshot_that_came_after_it() {
    let ledger = TestLedger::new();
    let views = ledger.views();
    let who = entity("account:okta:default:u1");
    let commit = |seconds: std::ops::Range<i64>| {
        let updated = |seconds| Native::new("okta", vec![company_fact(seconds, 13, 1, 0)]);
        ledger.record(seconds.map(updated).collect());
        views.catch_up(&mut |_, _| ()).unwrap();
    };
    commit(10_000..11_000);
    (0..10).rev().for_each(|seconds| commit(seconds..seconds + 1));
    for seconds in 20_000..20_200 {
        let older = views.query().unwrap();
        commit(seconds..seconds + 1);
        let newer = views.query().unwrap();
        for query in [&newer, &older] {
            let size = query.basis().tree_size;
            let records: Vec<Record> = ledger.reader().records(0..size).collect::<Result<_, _>>().unwrap();
            let viewed = query.replayed(&who, occurred(99_999), TreeSize(size)).unwrap();
            assert_eq!(viewed, replay(&who, &records, occurred(99_999), TreeSize(size)));
        }
    }
}

#[test]
fn a_name_is_the_newest_that_was_known() {
    let ledger = TestLedger::new();
    let views = ledger.views();
    let id = "account:okta:default:00u1";
    let mut queries = Vec::new();
    for (seconds, name) in ["Ann", "Anna", "Anne"].into_iter().enumerate() {
        let who = ledger.who(id, &["ann@example.com"]);
        let updated = fact(FactKind::AccountUpdated, seconds as i64, Some(who), None);
        ledger.record_one(Native::new("okta", vec![of_system("okta", updated)]).named(id, "display_name", name));
        views.catch_up(&mut |_, _| ()).unwrap();
        queries.push((views.query().unwrap(), name));
        // Each asks again after what is newer was asked for, and the other way round.
        for (query, name) in queries.iter().chain(queries.iter().rev()) {
            let state = query.state(&entity(id), occurred(99), None).unwrap().state.unwrap();
            assert_eq!(state.entity.unwrap().name, *name);
        }
    }
}

#[test]
fn a_history_that_arrives_backwards_one_by_one_is_right_at_any_moment() {
    let ledger = TestLedger::new();
    let views = ledger.views();
    for seconds in (0..400).rev() {
        let kind = (seconds % 9) as usize;
        ledger.record_one(Native::new("okta", vec![company_fact(seconds, kind, (seconds % 100) as usize, 0)]));
        views.catch_up(&mut |_, _| ()).unwrap();
    }
    drop(views);
    let questions: Vec<(i64, u64)> = (0..40).map(|number| (number * 10, (number * 97) as u64 % 402)).collect();
    check(&ledger, &questions);
}

#[test]
fn s2_24_a_ticket_alone_gives_no_access() {
    let ledger = TestLedger::new();
    let ann = || ledger.who("account:okta:default:00u1", &["ann@example.com"]);
    let group = || ledger.who("entitlement:okta:default:group_member/00g1", &[]);
    ledger.record_one(Native::new(
        "freshservice",
        vec![
            ticket(FactKind::TicketOpened, 10, 7, Some(ann()), Some(group())),
            approval(FactKind::ApprovalGranted, 20, 7, ledger.who("account:freshservice:default:9", &[])),
            ticket(FactKind::TicketClosed, 30, 7, None, None),
        ],
    ));
    let views = ledger.views();
    let query = views.query().unwrap();
    let state = query.state(&entity("account:okta:default:00u1"), occurred(99), None).unwrap().state.unwrap();
    assert!(state.known, "the ticket names the account");
    assert_eq!((state.grants.len(), state.account), (0, None));
    let holders = query
        .holders(
            &entity("entitlement:okta:default:group_member/00g1"),
            occurred(99),
            None,
            &counterfoil_query::Page::default(),
        )
        .unwrap();
    assert_eq!(holders.holders.len(), 0);
    let ticket = query.state(&entity("ticket:freshservice:default:ticket/7"), occurred(99), None).unwrap();
    assert!(ticket.state.unwrap().ticket.unwrap().decided_at.is_some());
}

#[test]
fn s2_23_deleting_a_link_changes_no_state() {
    let account = "account:okta:default:00u1";
    let group = "entitlement:okta:default:group_member/00g1";
    let states = [true, false].map(|is_linked| {
        let ledger = TestLedger::new();
        let who = || ledger.who(account, &["ann@example.com"]);
        let tickets: &[u32] = if is_linked { &[7] } else { &[] };
        ledger.record(vec![
            Native::new(
                "freshservice",
                vec![ticket(FactKind::TicketOpened, 10, 7, Some(who()), Some(ledger.who(group, &[])))],
            ),
            Native::new("okta", vec![common::grant(20, who(), ledger.who(group, &[]), tickets)]),
        ]);
        let views = ledger.views();
        let query = views.query().unwrap();
        [account, group].map(|id| query.replayed(&entity(id), occurred(99), TreeSize(3)).unwrap())
    });
    assert_eq!(states[0], states[1]);
    assert_eq!(states[0][0].grants.len(), 1);
    assert_ne!(ticket_ref(7), Ref::default());
}

#[test]
fn a_grant_that_ran_out_is_shown_as_lapsed_from_that_moment_on() {
    let ledger = TestLedger::new();
    let expiry = Grant { expires_at: Some(common::time(50)), ..Grant::default() };
    let added = Fact { detail: Some(Detail::Grant(expiry)), ..company_fact(10, 0, 1, 1) };
    ledger.record_one(Native::new("okta", vec![added]));
    let views = ledger.views();
    let query = views.query().unwrap();
    let lapsed = |at| {
        let answer = query.state(&entity("account:okta:default:u1"), occurred(at), None).unwrap();
        answer.state.unwrap().grants[0].lapsed
    };
    assert_eq!([49, 50, 51].map(lapsed), [false, true, true]);
}
