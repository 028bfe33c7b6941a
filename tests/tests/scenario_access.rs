//! Effective access in the company's directory, of groups within groups, against what is true: several seeds, at several
//! moments, and what each change of the directory gave and took although it is about no person.
#![allow(clippy::unwrap_used)] // A test stops where it fails.

use std::collections::BTreeSet;

use counterfoil_proto::v1::AffectedKind;
use counterfoil_query::{AccessRequest, ChangeSelector, Page, Query};
use counterfoil_scenario::{Options, Reach, Redefinition, generate};
use counterfoil_tests::inside::{InsideLedger, moment};
use counterfoil_verify::entity::EntityId;
use counterfoil_verify::time::OccurredAt;

const SEEDS: std::ops::RangeInclusive<u64> = 1..=8;

/// "directory/group_member/300" of an entity's id.
fn native(id: &str) -> String {
    let entity: EntityId = id.parse().unwrap();
    format!("{}/{}", entity.system(), entity.native_id())
}

fn account(id: &str) -> EntityId {
    format!("account:directory:default:{id}").parse().unwrap()
}

fn check_reach(query: &Query<'_>, expected: &Reach) -> usize {
    let at = OccurredAt(moment(expected.at));
    let entity = account(&expected.subject_id);
    let request =
        AccessRequest { entity: entity.clone(), at, known: None, to: None, all_paths: false, page: Page::default() };
    let answer = query.access(&request).unwrap();
    let found: BTreeSet<String> =
        answer.accesses.iter().map(|access| native(&access.what.as_ref().unwrap().id)).collect();
    assert_eq!(found, expected.entitlements.iter().cloned().collect(), "{entity} at {}", expected.at);
    // The same the other way round.
    for entitlement in &expected.entitlements {
        let (system, id) = entitlement.split_once('/').unwrap();
        let entitlement: EntityId = format!("entitlement:{system}:default:{id}").parse().unwrap();
        let holders =
            query.effective_holders(&entitlement, at, None, &Page { size: 10_000, ..Page::default() }).unwrap();
        let is_here = |holder: &&counterfoil_proto::v1::EffectiveHolder| {
            holder.holder.as_ref().unwrap().party.as_ref().unwrap().id == entity.to_string()
        };
        assert_eq!(holders.effective.iter().filter(is_here).count(), 1, "{entitlement}");
    }
    answer.accesses.iter().map(|access| access.paths[0].steps.len()).max().unwrap_or_default()
}

fn check_redefinition(query: &Query<'_>, expected: &Redefinition) {
    let change = ChangeSelector::Event(expected.event_id.clone());
    let answer = query.affected(&change, None, &Page { size: 1_000, ..Page::default() }).unwrap();
    assert!(!answer.cut && answer.next_page_token.is_empty());
    let of = |kind: AffectedKind| -> BTreeSet<(String, String)> {
        let affected = answer.affected.iter().filter(|one| one.kind() == kind);
        let pair = |one: &counterfoil_proto::v1::Affected| {
            let who: EntityId = one.holder.as_ref().unwrap().party.as_ref().unwrap().id.parse().unwrap();
            (who.native_id().to_owned(), native(&one.access.as_ref().unwrap().what.as_ref().unwrap().id))
        };
        affected.map(pair).collect()
    };
    let set = |pairs: &[(String, String)]| pairs.iter().cloned().collect::<BTreeSet<_>>();
    assert_eq!(of(AffectedKind::Gained), set(&expected.gained), "{}", expected.event_id);
    assert_eq!(of(AffectedKind::Lost), set(&expected.lost), "{}", expected.event_id);
}

#[test]
fn groups_within_groups_give_what_is_true() {
    for seed in SEEDS {
        let company = generate(&Options { seed, people: 20, months: 2, ..Options::default() });
        let ledger = InsideLedger::new();
        let path = ledger.folder.path().join("changes.jsonl");
        std::fs::write(&path, &company.directory.bytes).unwrap();
        ledger.import(company.directory.connector, &path, true);
        let views = ledger.views();
        let query = views.query().unwrap();
        let truth = &company.truth;
        let deepest = truth.reach.iter().map(|reach| check_reach(&query, reach)).max();
        assert!(deepest >= Some(4), "seed {seed}: department, division, everybody, and what that gives");
        truth.redefinitions.iter().for_each(|redefinition| check_redefinition(&query, redefinition));
        let many = truth.redefinitions.iter().map(|one| one.gained.len()).max();
        assert!(many >= Some(10), "seed {seed}: one change gives access to many, {many:?}");
        assert!(truth.redefinitions.iter().any(|one| !one.lost.is_empty()), "seed {seed}");
    }
}
