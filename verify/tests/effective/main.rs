//! Effective access against a naive walk, on random graphs with cycles, ends, removals, redefinitions and late facts; who
//! holds something, as the exact inverse; all paths; limits and statuses by hand.
#![allow(clippy::unwrap_used, reason = "helpers of tests fail as tests do")]

mod drawn;
mod naive;
#[path = "../support/mod.rs"]
mod support;

use std::collections::{BTreeMap, BTreeSet};
use std::convert::Infallible;

use counterfoil_proto::v1::{EntityKind, Fact, FactKind as K, Grant, GrantMode, Record, fact::Detail};
use counterfoil_verify::effective::{
    Access, By, Effective, Holders, Limits, Step, WITHIN_BOUNDARY, effective, holders,
};
use counterfoil_verify::entity::EntityId;
use counterfoil_verify::replay::replay;
use counterfoil_verify::state::State;
use counterfoil_verify::time::Moment;
use counterfoil_verify::tree::TreeSize;
use drawn::{Drawn, PEOPLE, drawn, everything, text};
use naive::{Cost, Edge, NEVER, Place, graph};
use proptest::prelude::*;
use support::*;

const BEST: Limits = Limits { entities: 10_000, paths: 1 };

/// The system and instance of everything.
const PLACE: &str = "okta:acme";

fn records_of(drawn: &[Drawn]) -> Vec<Record> {
    (1..).zip(drawn).map(|(index, drawn)| record_of(index, vec![drawn.fact()])).collect()
}

fn walk(records: &[Record], start: &EntityId, seconds: i64, known: u64, limits: Limits) -> Effective {
    let state_of = |entity: &EntityId| Ok::<State, Infallible>(replay(entity, records, at(seconds), TreeSize(known)));
    effective(std::slice::from_ref(start), at(seconds), limits, state_of).unwrap()
}

fn walk_back(records: &[Record], what: &EntityId, seconds: i64, known: u64) -> Holders {
    let state_of = |entity: &EntityId| Ok::<State, Infallible>(replay(entity, records, at(seconds), TreeSize(known)));
    holders(what, false, at(seconds), BEST, |_| Ok(everything()), state_of).unwrap()
}

fn cost_of(cost: &counterfoil_verify::effective::Cost) -> Cost {
    let end = cost.expires_at().map_or(NEVER, |end| end.seconds);
    (cost.is_eligible, cost.is_conditional, cost.steps, std::cmp::Reverse(end))
}

fn place(access: &Access<'_>) -> Place {
    (access.entity().to_string(), access.scope().to_owned())
}

fn edge(step: &Step<'_>) -> Edge {
    let by = match step.hop.by {
        By::Grant => "held",
        By::Implication => "implied",
        By::Link => "linked",
        By::Session => "seen",
    };
    Edge {
        by,
        from: step.from.to_string(),
        to: step.to.to_string(),
        scope: step.hop.scope.clone(),
        until: step.hop.expires_at.map_or(NEVER, |end| end.seconds),
        eligible: step.hop.is_eligible,
        conditional: step.hop.is_conditional,
    }
}

/// What the steps of a path come to, each of them one that is there.
fn follow(start: &str, path: &[Step<'_>], edges: &[Edge]) -> (Place, Cost) {
    let mut here: Place = (start.to_owned(), String::new());
    let mut cost = (false, false, 0, std::cmp::Reverse(NEVER));
    for step in path.iter().map(edge) {
        assert_eq!(step.from, here.0, "a path goes on where it is");
        assert!(edges.contains(&step), "{step:?}");
        let scope = if step.scope.is_empty() { here.1 } else { step.scope };
        cost = (
            cost.0 || step.eligible,
            cost.1 || step.conditional,
            cost.2 + 1,
            cost.3.max(std::cmp::Reverse(step.until)),
        );
        here = (step.to, scope);
    }
    (here, cost)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 2_000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn effective_access_equals_a_naive_walk(drawn in prop::collection::vec(drawn(), 1..40), seconds in -1..22_i64, known in 0..42_u64) {
        let records = records_of(&drawn);
        let naive = graph(&records, seconds, known);
        let edges = naive.edges(seconds);
        for start in everything() {
            let made = walk(&records, &start, seconds, known, BEST);
            prop_assert!(!made.is_cut);
            let found: BTreeMap<Place, Cost> = made.accesses().map(|one| (place(&one), cost_of(one.cost()))).collect();
            prop_assert_eq!(made.accesses().count(), found.len(), "each once");
            prop_assert_eq!(&found, &naive.reach(&start.to_string(), seconds), "{}", start);
            for access in made.accesses() {
                let (to, cost) = follow(&start.to_string(), &access.path(), &edges);
                prop_assert_eq!((to, cost), (place(&access), cost_of(access.cost())));
            }
        }
    }

    #[test]
    fn who_holds_something_is_the_exact_inverse(drawn in prop::collection::vec(drawn(), 1..40), seconds in -1..22_i64, known in 0..42_u64) {
        let records = records_of(&drawn);
        let naive = graph(&records, seconds, known);
        let edges = naive.edges(seconds);
        for what in everything() {
            let made = walk_back(&records, &what, seconds, known);
            let mut found: BTreeMap<(String, String), Cost> = BTreeMap::new();
            for holder in made.holders() {
                let who = holder.principal.entity.to_string();
                let (to, cost) = follow(&who, &holder.path(), &edges);
                prop_assert_eq!((to, cost), ((what.to_string(), holder.scope().to_owned()), cost_of(holder.cost())));
                let before = found.insert((who, holder.scope().to_owned()), cost);
                prop_assert_eq!(before, None, "each once for a scope");
            }
            let mut expected = BTreeMap::new();
            for who in PEOPLE.map(|id| text(&account(id))) {
                let reached = naive.reach(&who, seconds).into_iter().filter(|((entity, _), _)| *entity == what.to_string());
                expected.extend(reached.map(|((_, scope), cost)| ((who.clone(), scope), cost)));
            }
            prop_assert_eq!(found, expected, "{}", what);
        }
    }

    #[test]
    fn all_paths_are_all_ways(drawn in prop::collection::vec(drawn(), 1..25), seconds in 0..22_i64) {
        let records = records_of(&drawn);
        let naive = graph(&records, seconds, u64::MAX);
        let start: EntityId = text(&account("u0")).parse().unwrap();
        let made = walk(&records, &start, seconds, u64::MAX, Limits { paths: 500, ..BEST });
        for access in made.accesses() {
            let found = access.paths();
            let paths: BTreeSet<Vec<Edge>> = found.paths.iter().map(|path| path.iter().map(edge).collect()).collect();
            prop_assert_eq!(paths.len(), found.paths.len(), "each once");
            let ways = naive.ways(&start.to_string(), &place(&access), seconds);
            if found.is_cut {
                prop_assert!(paths.is_subset(&ways));
            } else {
                prop_assert_eq!(paths, ways);
            }
            let best: Vec<Edge> = access.path().iter().map(edge).collect();
            prop_assert_eq!(&found.paths[0].iter().map(edge).collect::<Vec<_>>(), &best);
            prop_assert!(found.paths[1..].is_sorted_by_key(Vec::len), "shorter ones first");
        }
    }

    /// However small the limits, nothing is told that is not there, and whatever is missing is said to be.
    #[test]
    fn a_cut_walk_says_so(drawn in prop::collection::vec(drawn(), 1..40), entities in 0..8_usize) {
        let records = records_of(&drawn);
        let start: EntityId = text(&account("u0")).parse().unwrap();
        let whole = walk(&records, &start, 21, u64::MAX, BEST);
        let cut = walk(&records, &start, 21, u64::MAX, Limits { entities, paths: 1 });
        let all: BTreeMap<Place, Cost> = whole.accesses().map(|one| (place(&one), cost_of(one.cost()))).collect();
        let some: BTreeMap<Place, Cost> = cut.accesses().map(|one| (place(&one), cost_of(one.cost()))).collect();
        // A better path may be among what is missing.
        prop_assert!(some.iter().all(|(place, cost)| all.get(place).is_some_and(|best| best <= cost)));
        prop_assert!(cut.is_cut || some == all);
        prop_assert!(some.len() <= entities);
    }
}

/// A permission that is bounded, as AWS tells it.
fn limit(seconds: i64, policy: Option<&str>) -> Fact {
    let detail = match policy {
        Some(policy) => {
            let inherited_via = Some(reference(EntityKind::Entitlement, &format!("policy/{policy}")));
            Grant { conditional: true, inherited_via, ..Grant::default() }
        }
        None => Grant { mode: GrantMode::Active.into(), ..Grant::default() },
    };
    let object = Some(reference(EntityKind::Entitlement, WITHIN_BOUNDARY));
    Fact {
        subject: Some(account("u0")),
        object,
        detail: Some(Detail::Grant(detail)),
        ..fact(K::GrantModified, seconds)
    }
}

#[test]
fn a_boundary_is_said_and_is_no_access() {
    let held = Fact { subject: Some(account("u0")), object: Some(group("g")), ..fact(K::GrantAdded, 1) };
    let records: Vec<Record> = (1..)
        .zip([held, limit(2, Some("One")), limit(4, Some("Other")), limit(6, None)])
        .map(|(index, fact)| record_of(index, vec![fact]))
        .collect();
    let start: EntityId = text(&account("u0")).parse().unwrap();
    for (seconds, by) in [(1, None), (2, Some("One")), (4, Some("Other")), (6, None)] {
        let made = walk(&records, &start, seconds, u64::MAX, BEST);
        let accesses: Vec<Access<'_>> = made.accesses().collect();
        assert_eq!(accesses.len(), 1, "at {seconds}: {accesses:?}");
        let bounds: Vec<String> = accesses[0].bounds().iter().map(|(_, bound)| bound.by.clone()).collect();
        let expected: Vec<String> = by.iter().map(|by| format!("entitlement:okta:acme:policy/{by}")).collect();
        assert_eq!(bounds, expected, "at {seconds}");
    }
}

#[test]
fn whoever_is_switched_off_has_access_and_may_not_act() {
    let held = Fact { subject: Some(account("u0")), object: Some(group("g")), ..fact(K::GrantAdded, 1) };
    let steps = [held].into_iter().chain(
        [(K::AccountCreated, 2), (K::AccountLocked, 3), (K::AccountUnlocked, 4), (K::AccountDisabled, 5)]
            .map(|(kind, seconds)| Fact { subject: Some(account("u0")), ..fact(kind, seconds) }),
    );
    let records: Vec<Record> = (1..).zip(steps).map(|(index, fact)| record_of(index, vec![fact])).collect();
    let start: EntityId = text(&account("u0")).parse().unwrap();
    for (seconds, may_act) in [(1, true), (2, true), (3, false), (4, true), (5, false)] {
        let made = walk(&records, &start, seconds, u64::MAX, BEST);
        assert_eq!(made.accesses().count(), 1, "at {seconds}");
        assert_eq!(made.principals[0].may_act(at(seconds)), may_act, "at {seconds}");
    }
}

#[test]
fn a_credential_acts_until_it_is_revoked_or_runs_out() {
    let credential = |kind, seconds, expires: Option<i64>| Fact {
        subject: Some(account("u0")),
        object: Some(credential("k")),
        detail: expires.map(|end| {
            let expires_at = Some(time(end));
            Detail::Credential(counterfoil_proto::v1::Credential { expires_at, ..Default::default() })
        }),
        ..fact(kind, seconds)
    };
    let facts = [
        credential(K::CredentialUsed, 1, None),
        credential(K::CredentialCreated, 2, Some(5)),
        credential(K::CredentialRevoked, 7, None),
    ];
    let records: Vec<Record> = (1..).zip(facts).map(|(index, fact)| record_of(index, vec![fact])).collect();
    let start: EntityId = "credential:okta:acme:api_token/k".parse().unwrap();
    for (seconds, may_act) in [(1, true), (4, true), (5, false), (7, false)] {
        let made = walk(&records, &start, seconds, u64::MAX, BEST);
        assert_eq!(made.principals[0].may_act(at(seconds)), may_act, "at {seconds}");
    }
}

#[test]
fn several_starts_are_one_walk() {
    let one = Fact { subject: Some(account("u0")), object: Some(group("g0")), ..fact(K::GrantAdded, 1) };
    let named = known_as(EntityKind::Account, 7);
    let other = Fact { subject: Some(named), object: Some(group("g1")), ..fact(K::GrantAdded, 1) };
    let records = [record_of(1, vec![one, other])];
    let starts: Vec<EntityId> = [text(&account("u0")), format!("identifier:{}", "07".repeat(16))]
        .iter()
        .map(|id| id.parse().unwrap())
        .collect();
    let state_of = |entity: &EntityId| Ok::<State, Infallible>(replay(entity, &records, at(9), TreeSize(9)));
    let made = effective(&starts, at(9), BEST, state_of).unwrap();
    let found: BTreeSet<String> = made.accesses().map(|access| access.entity().to_string()).collect();
    assert_eq!(found, BTreeSet::from([text(&group("g0")), text(&group("g1"))]));
    assert_eq!(made.principals.len(), 2);
    assert!(made.accesses().all(|access| access.cost().expires_at().is_none_or(|end| end < Moment::MAX)));
}
