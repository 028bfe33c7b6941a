//! Live access of a made-up company against its logs and its tickets: in each system each planted difference is found with
//! its kind, and nothing else is, in whatever order the logs were delivered.
#![allow(clippy::unwrap_used, reason = "a test stops where it fails")]

use std::collections::{BTreeMap, BTreeSet};

use counterfoil_proto::v1::{ReconcileKind, ReconcileResponse, ReconcileTotals, Verdict};
use counterfoil_scenario::{Company, File, LiveKind, Options, generate};
use counterfoil_tests::inside::InsideLedger;
use counterfoil_tests::named;
use counterfoil_verify::time::{Moment, OccurredAt};
use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::{Rng, SeedableRng};

/// Whose, and what: as the ground truth names them.
type Access = (String, String);

const KINDS: [LiveKind; 6] = [
    LiveKind::Approved,
    LiveKind::Unapproved,
    LiveKind::Unrecorded,
    LiveKind::Missing,
    LiveKind::Expired,
    LiveKind::Revoked,
];

fn company(seed: u64) -> Company {
    let (people, months) = [(60, 6), (12, 1), (40, 4), (25, 12), (33, 3)][usize::try_from(seed).unwrap() % 5];
    generate(&Options { seed, people, months, ..Options::default() })
}

#[test]
fn the_live_access_of_seeds_1_to_5() {
    (1..=5).for_each(|seed| check_seed(seed, false));
}

#[test]
fn the_live_access_of_seeds_6_to_10() {
    (6..=10).for_each(|seed| check_seed(seed, false));
}

#[test]
fn the_live_access_in_any_order_of_delivery() {
    (1..=10).filter(|seed| seed % 5 != 0 && seed % 5 != 3).for_each(|seed| check_seed(seed, true));
}

fn check_seed(seed: u64, is_shuffled: bool) {
    let company = company(seed);
    let ledger = InsideLedger::new();
    let folder = ledger.folder.path().join("company");
    company.write_to(&folder).unwrap();
    let mut files: Vec<&File> = company.files.iter().collect();
    if is_shuffled {
        let mut random = ChaCha8Rng::seed_from_u64(seed);
        for last in (1..files.len()).rev() {
            files.swap(last, usize::try_from(random.next_u64() % (last as u64 + 1)).unwrap());
        }
    }
    for file in files {
        let summary = ledger.import(file.connector, &folder.join(&file.name), true);
        assert_eq!((summary.rejected, summary.conflicts, summary.unmapped), (0, 0, 0), "seed {seed}: {}", file.name);
        ledger.pass(1);
    }
    let take = || {
        for listings in &company.listings {
            let taken = ledger.snapshot(listings, &folder);
            assert_eq!(taken.strange, 0, "seed {seed}: {:?}", listings.scope);
            for listing in &taken.listings {
                assert!(listing.is_complete, "seed {seed}: {listing:?}");
            }
        }
    };
    take();
    let views = ledger.views();
    let query = views.query().unwrap();
    for system in ["okta", "aws"] {
        let response = query.reconcile(system, None, OccurredAt(Moment::MAX), None).unwrap();
        check_truth(seed, system, &company, &response);
        check_totals(&response);
    }

    // The same again adds nothing and changes nothing.
    let size = ledger.ledger.reader().head().size;
    take();
    assert_eq!(ledger.ledger.reader().head().size, size, "seed {seed}");
}

/// Whose, what, and what it is.
fn check_truth(seed: u64, system: &str, company: &Company, response: &ReconcileResponse) {
    let found = found(seed, response);
    let is_here = |entitlement: &str| entitlement.split(['@', '/']).next() == Some(system);
    let live = || company.truth.live.iter().filter(|live| is_here(&live.entitlement));
    let mut expected: BTreeMap<Access, LiveKind> =
        live().map(|live| ((live.subject_id.clone(), live.entitlement.clone()), live.kind)).collect();
    assert_eq!(expected.len(), live().count(), "seed {seed}: the truth names each access once");
    // Members of Okta's reading circle have one application through it, which its listing has and nobody approved. AWS
    // lists what somebody has directly.
    let through = company.truth.widened.iter().find(|widened| widened.entitlement.starts_with("okta/")).unwrap();
    for live in live().filter(|live| live.entitlement == through.entitlement) {
        expected.entry((live.subject_id.clone(), through.gained.clone())).or_insert(live.kind);
    }
    let differences: Vec<String> = expected
        .iter()
        .filter(|(key, kind)| found.get(key) != Some(kind))
        .map(|(key, kind)| format!("{key:?} is {kind:?}, found {:?}", found.get(key)))
        .chain(found.iter().filter(|(key, _)| !expected.contains_key(key)).map(|found| format!("found {found:?}")))
        .collect();
    assert!(differences.is_empty(), "seed {seed}, {system}:\n{}", differences.join("\n"));
    let planted: BTreeSet<LiveKind> = found.values().copied().collect();
    // A short story has no access in Okta whose time is over.
    for kind in KINDS.into_iter().filter(|kind| system == "aws" || *kind != LiveKind::Expired) {
        assert!(planted.contains(&kind), "seed {seed}, {system}: {kind:?} is not planted");
    }
}

/// Every access of an answer. What several listings show is the same in each.
fn found(seed: u64, response: &ReconcileResponse) -> BTreeMap<Access, LiveKind> {
    let mut found: BTreeMap<Access, LiveKind> = BTreeMap::new();
    let mut places: BTreeSet<(Access, String)> = BTreeSet::new();
    for item in &response.items {
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
        let subject = item.subject.as_ref().unwrap();
        let access = (named::subject(subject), named::object(subject, item.object.as_ref()));
        assert!(places.insert((access.clone(), item.listing.clone())), "seed {seed}: twice {item:?}");
        let before = found.insert(access, kind);
        assert!(before.is_none_or(|before| before == kind), "seed {seed}: another kind elsewhere {item:?}");
    }
    found
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
