//! Effective access, its inverse and what a change of meaning does, asked of the views of a real ledger: against the same
//! naive walk as the verifier, whatever the order of arrival, at any T and K, page by page.
#![allow(clippy::unwrap_used)] // A test stops where it fails.

mod common;
#[path = "../../verify/tests/effective/drawn.rs"]
mod drawn;
#[path = "../../verify/tests/effective/naive.rs"]
mod naive;

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet};

use common::{Native, START, TestLedger, occurred, recorded, time};
use counterfoil_proto::v1::{AffectedKind, EffectiveAccess, FactKind, GrantMode, Record, record::Body};
use counterfoil_query::{AccessRequest, ChangeSelector, Page, Query};
use counterfoil_verify::entity::EntityId;
use counterfoil_verify::tree::RecordIndex;
use drawn::{Drawn, PEOPLE, drawn, everything, text};
use naive::{Cost, Graph, NEVER, Order, Place, graph, graph_until};
use proptest::prelude::*;

/// The system and instance of everything.
const PLACE: &str = "okta:default";
const ALL: u64 = u64::MAX;

/// Each event in a commit of its own, a second after the one before: record n is known at second n.
fn ledger_of(drawn: &[Drawn]) -> TestLedger {
    let ledger = TestLedger::new();
    for (second, drawn) in (1..).zip(drawn) {
        ledger.at(second).record_one(Native::new("okta", vec![drawn.fact()]));
    }
    ledger
}

fn records(ledger: &TestLedger) -> Vec<Record> {
    let size = ledger.reader().head().size;
    ledger.reader().records(0..size.0).collect::<Result<_, _>>().unwrap()
}

fn place_and_cost(access: &EffectiveAccess) -> (Place, Cost) {
    let path = &access.paths[0];
    let end = access.expires_at.map_or(NEVER, |end| end.seconds);
    let place = (access.what.as_ref().unwrap().id.clone(), access.scope.clone());
    let is_eligible = access.mode() == GrantMode::Eligible;
    assert_eq!(access.inherited, path.steps.len() > 1, "no grant of these says that it is inherited");
    (place, (is_eligible, access.conditional, path.steps.len(), Reverse(end)))
}

/// All pages of an answer, each of `size` entries.
fn pages<A>(size: usize, ask: impl Fn(&Page) -> A, next: impl Fn(&A) -> String) -> Vec<A> {
    let mut page = Page { size, token: String::new() };
    let mut all = Vec::new();
    loop {
        let answer = ask(&page);
        page.token = next(&answer);
        all.push(answer);
        if page.token.is_empty() {
            return all;
        }
    }
}

fn accesses(query: &Query<'_>, entity: &EntityId, at: i64, known: i64) -> BTreeMap<Place, Cost> {
    let ask = |page: &Page| {
        let (at, known) = (occurred(at), Some(recorded(known)));
        let request =
            AccessRequest { entity: entity.clone(), at, known, to: None, all_paths: false, page: page.clone() };
        query.access(&request).unwrap()
    };
    let answers = pages(2, ask, |answer| answer.next_page_token.clone());
    let found: Vec<_> = answers.iter().flat_map(|answer| &answer.accesses).map(place_and_cost).collect();
    let count = found.len();
    let found: BTreeMap<Place, Cost> = found.into_iter().collect();
    assert_eq!(found.len(), count, "each once");
    found
}

fn holders(query: &Query<'_>, what: &EntityId, at: i64, known: i64) -> BTreeMap<Place, Cost> {
    let ask = |page: &Page| query.effective_holders(what, occurred(at), Some(recorded(known)), page).unwrap();
    let answers = pages(2, ask, |answer| answer.next_page_token.clone());
    let mut found = BTreeMap::new();
    for holder in answers.iter().flat_map(|answer| &answer.effective) {
        let ((entity, scope), cost) = place_and_cost(holder.access.as_ref().unwrap());
        assert_eq!(entity, what.to_string());
        let who = holder.holder.as_ref().unwrap().party.as_ref().unwrap().id.clone();
        assert_eq!(found.insert((who, scope), cost), None, "each once for a scope");
    }
    found
}

/// The accesses that somebody gained, lost, or has in another way.
type Sets = BTreeMap<String, [BTreeSet<Place>; 3]>;

fn affected(query: &Query<'_>, record: u64) -> Sets {
    let selector = ChangeSelector::Record(RecordIndex(record), None);
    let answers =
        pages(1, |page| query.affected(&selector, None, page).unwrap(), |answer| answer.next_page_token.clone());
    let mut found = Sets::new();
    for affected in answers.iter().flat_map(|answer| &answer.affected) {
        let who = affected.holder.as_ref().unwrap().party.as_ref().unwrap().id.clone();
        let (place, _) = place_and_cost(affected.access.as_ref().unwrap());
        let set = match affected.kind() {
            AffectedKind::Gained => 0,
            AffectedKind::Lost => 1,
            _ => 2,
        };
        assert!(found.entry(who).or_default()[set].insert(place), "each once");
    }
    found
}

/// The difference of naive walks just before and just after the fact of a record.
fn difference(records: &[Record], record: &Record) -> Option<Sets> {
    let Some(Body::Event(event)) = &record.body else { return None };
    let fact = &event.facts[0];
    let of_group = fact.subject.as_ref().filter(|subject| subject.id.starts_with("group_member/"));
    let own = match fact.kind() {
        FactKind::EntitlementDefined | FactKind::EntitlementChanged | FactKind::EntitlementRemoved => {
            fact.object.as_ref()
        }
        FactKind::GrantAdded | FactKind::GrantRemoved => of_group,
        _ => None,
    };
    let own = text(own?);
    let at = fact.occurred_at.unwrap().seconds;
    let (last, whole): (Order, _) = ((at, record.index, 0), || graph(records, at, ALL));
    let just_before = (last.0, last.1 - 1, usize::MAX);
    let before = whole().but(&own, &graph_until(records, just_before, ALL));
    let after = whole().but(&own, &graph_until(records, last, ALL));
    let mut sets = Sets::new();
    for who in people() {
        let (was, is) = (before.reach(&who, at), after.reach(&who, at));
        let gained = is.keys().filter(|place| !was.contains_key(*place)).cloned().collect();
        let lost = was.keys().filter(|place| !is.contains_key(*place)).cloned().collect();
        let how = |graph: &BTreeMap<Place, Cost>, place: &Place| graph.get(place).map(|cost| (cost.0, cost.1));
        let both = is.keys().filter(|place| was.contains_key(*place));
        let another = both.filter(|place| how(&was, place) != how(&is, place)).cloned().collect();
        sets.insert(who, [gained, lost, another]);
    }
    Some(sets)
}

fn people() -> Vec<String> {
    PEOPLE.iter().map(|id| format!("account:{PLACE}:{id}")).collect()
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 48, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn the_service_answers_as_a_naive_walk_does(
        drawn in prop::collection::vec(drawn(), 1..50),
        questions in prop::collection::vec((-1..22_i64, 0..52_i64), 4),
    ) {
        let ledger = ledger_of(&drawn);
        let (views, records) = (ledger.views(), records(&ledger));
        let query = views.query().unwrap();
        for (at, known) in questions {
            // Record 0 is there from the start.
            let size = u64::try_from(known).unwrap() + 1;
            let naive: Graph = graph(&records, START + at, size);
            let mut held: BTreeMap<String, BTreeMap<Place, Cost>> = BTreeMap::new();
            for entity in everything() {
                let expected = naive.reach(&entity.to_string(), START + at);
                prop_assert_eq!(accesses(&query, &entity, at, known), expected.clone(), "{} at {}, {}", entity, at, known);
                for ((what, scope), cost) in expected.into_iter().filter(|_| people().contains(&entity.to_string())) {
                    held.entry(what).or_default().insert((entity.to_string(), scope), cost);
                }
            }
            for what in everything() {
                let expected = held.remove(&what.to_string()).unwrap_or_default();
                prop_assert_eq!(holders(&query, &what, at, known), expected, "{} at {}, {}", what, at, known);
            }
        }
    }

    #[test]
    fn whoever_is_affected_is_the_difference_of_two_walks(drawn in prop::collection::vec(drawn(), 1..40)) {
        let ledger = ledger_of(&drawn);
        let (views, records) = (ledger.views(), records(&ledger));
        let query = views.query().unwrap();
        for record in &records[1..] {
            let Some(expected) = difference(&records, record) else {
                let selector = ChangeSelector::Record(RecordIndex(record.index), None);
                prop_assert!(query.affected(&selector, None, &Page::default()).is_err());
                continue;
            };
            let mut found = affected(&query, record.index);
            for (who, [gained, lost, another]) in expected {
                let [found_gained, found_lost, found_another] = found.remove(&who).unwrap_or_default();
                prop_assert_eq!((&found_gained, &found_lost), (&gained, &lost), "{} by {:?}", who, record);
                prop_assert!(found_another.is_superset(&another), "{} by {:?}", who, record);
            }
            prop_assert!(found.is_empty(), "{:?}", found);
        }
    }
}

/// A meaning that is said anew alters what everybody holds who holds it, although they hold the same as before.
#[test]
fn another_version_of_a_policy_is_a_change_for_every_holder() {
    use counterfoil_proto::v1::{Entitlement, Fact, fact::Detail};
    let ledger = TestLedger::new();
    let who = |id: &str| Some(ledger.who(id, &[]));
    let policy = who("entitlement:okta:default:policy/p");
    let means = |seconds, version: &str| {
        let implies_added = vec![ledger.who("entitlement:okta:default:permission/p", &[])];
        let detail = Entitlement { version: version.to_owned(), implies_added, implies_removed: Vec::new() };
        let fact = common::fact(FactKind::EntitlementChanged, seconds, None, policy.clone());
        common::of_system("okta", Fact { detail: Some(Detail::Entitlement(detail)), ..fact })
    };
    let held = common::fact(FactKind::GrantAdded, 1, who("account:okta:default:u0"), policy.clone());
    let facts = [means(0, "v1"), common::of_system("okta", held), means(2, "v2")];
    let indexes: Vec<u64> = facts.into_iter().map(|fact| ledger.record_one(Native::new("okta", vec![fact]))).collect();
    let views = ledger.views();
    let query = views.query().unwrap();
    let changed = |record: u64| {
        let selector = ChangeSelector::Record(RecordIndex(record), Some(0));
        query.affected(&selector, None, &Page::default()).unwrap()
    };
    assert_eq!(changed(indexes[0]).affected, [], "nobody held it yet");
    let answer = changed(indexes[2]);
    assert_eq!(answer.changed[0].version, "v2");
    let told: Vec<_> = answer
        .affected
        .iter()
        .map(|one| (one.kind(), one.access.as_ref().unwrap().what.as_ref().unwrap().id.as_str()))
        .collect();
    assert_eq!(told, [(AffectedKind::Changed, "entitlement:okta:default:permission/p")]);
    let state =
        query.state(&common::entity("entitlement:okta:default:policy/p"), occurred(9), None).unwrap().state.unwrap();
    assert_eq!((state.version.as_str(), state.implied.len()), ("v2", 1));
}
