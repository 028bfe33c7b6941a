//! Live access of a made-up company against its log and its tickets: each planted difference is found with its kind, and
//! nothing else is.
#![allow(clippy::unwrap_used, reason = "a test stops where it fails")]

use std::collections::BTreeMap;
use std::path::PathBuf;

use counterfoil_proto::v1::{ReconcileKind, ReconcileResponse, ReconcileTotals, Verdict};
use counterfoil_scenario::{Company, LiveKind, Options, generate};
use counterfoil_tests::inside::InsideLedger;
use counterfoil_verify::entity::EntityId;
use counterfoil_verify::time::{Moment, OccurredAt};

fn company(seed: u64) -> Company {
    let (people, months) = [(60, 6), (12, 1), (40, 4), (25, 12), (33, 3)][usize::try_from(seed).unwrap() % 5];
    generate(&Options { seed, people, months, ..Options::default() })
}

#[test]
fn the_live_access_of_seeds_1_to_5() {
    (1..=5).for_each(check_seed);
}

#[test]
fn the_live_access_of_seeds_6_to_10() {
    (6..=10).for_each(check_seed);
}

fn check_seed(seed: u64) {
    let company = company(seed);
    let ledger = InsideLedger::new();
    let folder = ledger.folder.path().join("company");
    company.write_to(&folder).unwrap();
    for file in &company.files {
        ledger.import(file.connector, &folder.join(&file.name), true);
        ledger.pass(1);
    }
    let listings: Vec<PathBuf> = company.listings.iter().map(|file| folder.join(&file.name)).collect();
    let taken = ledger.snapshot("okta", &listings);
    assert_eq!(taken.strange, 0);
    for listing in &taken.listings {
        assert!(listing.is_complete, "seed {seed}: {listing:?}");
    }
    let views = ledger.views();
    let response = views.query().unwrap().reconcile("okta", None, OccurredAt(Moment::MAX), None).unwrap();
    check_truth(seed, &company, &response);
    check_totals(&response);

    // The same again adds nothing and changes nothing.
    let size = ledger.ledger.reader().head().size;
    ledger.snapshot("okta", &listings);
    assert_eq!(ledger.ledger.reader().head().size, size, "seed {seed}");
}

/// Whose, what, and what it is.
fn check_truth(seed: u64, company: &Company, response: &ReconcileResponse) {
    let mut found: BTreeMap<(String, String), LiveKind> = BTreeMap::new();
    for item in &response.items {
        let id = |party: &Option<counterfoil_proto::v1::Party>| {
            party.as_ref().map(|party| party.id.parse::<EntityId>().unwrap().native_id().to_owned())
        };
        let object = id(&item.object).map_or("okta/account".to_owned(), |object| format!("okta/{object}"));
        let kind = match item.kind() {
            ReconcileKind::Approved => LiveKind::Approved,
            ReconcileKind::Unapproved => LiveKind::Unapproved,
            ReconcileKind::Unrecorded => LiveKind::Unrecorded,
            ReconcileKind::Missing => LiveKind::Missing,
            ReconcileKind::Expired => LiveKind::Expired,
            ReconcileKind::Revoked => LiveKind::Revoked,
            ReconcileKind::Unspecified => panic!("{item:?}"),
        };
        assert_eq!(item.change.is_none(), kind == LiveKind::Unrecorded, "{item:?}");
        assert!(!item.records.is_empty(), "{item:?}");
        if kind == LiveKind::Approved {
            assert_eq!(item.verdict(), Verdict::Approved, "{item:?}");
        }
        let key = (id(&item.subject).unwrap(), object);
        assert_eq!(found.insert(key, kind), None, "seed {seed}: twice {item:?}");
    }
    // Members of the reading circle have one application through it, which nobody approved.
    let through = &company.truth.widened[0];
    let members: Vec<String> = found
        .iter()
        .filter(|((_, what), kind)| *what == through.entitlement && **kind != LiveKind::Missing)
        .map(|((who, _), _)| who.clone())
        .collect();
    for live in company.truth.live.iter().filter(|live| live.entitlement == through.entitlement) {
        assert!(members.contains(&live.subject_id), "seed {seed}: {live:?}");
    }
    let mut expected: BTreeMap<(String, String), LiveKind> = company
        .truth
        .live
        .iter()
        .map(|live| ((live.subject_id.clone(), live.entitlement.clone()), live.kind))
        .collect();
    for live in company.truth.live.iter().filter(|live| live.entitlement == through.entitlement) {
        expected.entry((live.subject_id.clone(), through.gained.clone())).or_insert(live.kind);
    }
    let differences: Vec<String> = expected
        .iter()
        .filter(|(key, kind)| found.get(key) != Some(kind))
        .map(|(key, kind)| format!("{key:?} is {kind:?}, found {:?}", found.get(key)))
        .chain(found.iter().filter(|(key, _)| !expected.contains_key(key)).map(|found| format!("found {found:?}")))
        .collect();
    assert!(differences.is_empty(), "seed {seed}:\n{}", differences.join("\n"));
    for kind in [LiveKind::Approved, LiveKind::Unapproved, LiveKind::Unrecorded, LiveKind::Missing, LiveKind::Revoked] {
        assert!(found.values().any(|found| *found == kind), "seed {seed}: {kind:?} is planted");
    }
}

/// Every listing's kinds come to its count, and all of them to the total.
fn check_totals(response: &ReconcileResponse) {
    let listed = |totals: &ReconcileTotals| {
        let ReconcileTotals { approved, unapproved, unrecorded, expired, revoked, no_access, missing: _ } = *totals;
        approved + unapproved + unrecorded + expired + revoked + no_access
    };
    let mut sum = 0;
    for listing in &response.listings {
        assert_eq!(listed(&listing.totals.unwrap()), listing.count, "{listing:?}");
        let of_it = response.items.iter().filter(|item| item.listing == listing.scope).count() as u64;
        let totals = listing.totals.unwrap();
        assert_eq!(of_it, listing.count - totals.no_access + totals.missing, "{listing:?}");
        sum += listing.count;
    }
    assert_eq!(listed(&response.total.unwrap()), sum);
}
