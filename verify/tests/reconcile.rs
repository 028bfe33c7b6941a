//! Live access against log and approvals: by hand, one case for each rule, and against a naive judge of random histories.
#![allow(clippy::unwrap_used, reason = "helpers of tests fail as tests do")]

mod support;

use std::collections::BTreeMap;

use counterfoil_proto::v1::{
    AccountStatus, Confidence, Fact, FactKind, Grant, ReconcileKind, Record, Verdict, fact::Detail,
};
use counterfoil_verify::entity::EntityId;
use counterfoil_verify::listing::{Inheritance, Item, Listing};
use counterfoil_verify::reconcile::{
    Access, Approval, Known, Taken, account as access_of_account, credential as access_of_credential, grants, reconcile,
};
use counterfoil_verify::replay::{FactAt, facts_of};
use counterfoil_verify::state::Evidence;
use counterfoil_verify::time::Moment;
use proptest::collection::vec;
use proptest::prelude::*;
use support::*;

const HOUR: i64 = 3_600;
/// The listing is taken from 100 h to 101 h.
const FROM: i64 = 100 * HOUR;
const TO: i64 = 101 * HOUR;

fn moment(seconds: i64) -> Moment {
    Moment { seconds, nanos: 0 }
}

fn taken() -> Taken {
    Taken { from: moment(FROM), to: moment(TO) }
}

fn id(text: &str) -> EntityId {
    text.parse().unwrap()
}

fn by(seconds: i64) -> Option<Evidence> {
    Some(Evidence { index: 7, occurred_seconds: seconds, ..Evidence::default() })
}

fn membership(user: &str) -> Item {
    Item {
        subject: id(&format!("account:okta:acme:{user}")),
        object: Some(id("entitlement:okta:acme:group_member/g1")),
        scope: String::new(),
        status: AccountStatus::Unspecified,
        inheritance: Inheritance::Unsaid,
        tokens: Vec::new(),
    }
}

fn known(access: Access, verdict: Verdict, until: Option<i64>) -> Known {
    Known { access, approval: Approval { verdict, until: until.map(moment) } }
}

#[test]
fn each_kind_by_hand() {
    use ReconcileKind::{Approved, Expired, Missing, Revoked, Unapproved, Unrecorded};
    use Verdict as V;
    let held = |at| Access { held: by(at), ..Access::default() };
    let expiring = |at, end| Access { expires_at: Some(moment(end)), ..held(at) };
    let gone = |at| Access { revoked: by(at), ..Access::default() };
    let just_gone = |at| Access { before: by(HOUR), ..gone(at) };
    let early = FROM - 61;
    let cases: [(&str, Known, Option<ReconcileKind>, Option<ReconcileKind>); 22] = [
        // What is known of it; what it is where it is listed; what where it is not.
        ("approved", known(held(HOUR), V::Approved, None), Some(Approved), Some(Missing)),
        ("recorded late", known(held(HOUR), V::ApprovedRecordedLate, None), Some(Approved), Some(Missing)),
        ("approved late", known(held(HOUR), V::ApprovedLate, None), Some(Unapproved), Some(Missing)),
        ("no ticket", known(held(HOUR), V::NoneRecorded, None), Some(Unapproved), Some(Missing)),
        ("pending", known(held(HOUR), V::Pending, None), Some(Unapproved), Some(Missing)),
        ("nothing", Known::default(), Some(Unrecorded), None),
        ("revoked", known(gone(early), V::Unspecified, None), Some(Revoked), None),
        ("revoked while it was listed", known(just_gone(FROM), V::Approved, None), Some(Approved), None),
        ("revoked just before", known(just_gone(FROM - 59), V::NoneRecorded, None), Some(Unapproved), None),
        ("revoked just before, and never given", known(gone(FROM), V::Unspecified, None), Some(Unrecorded), None),
        ("expired", known(expiring(HOUR, early), V::Approved, None), Some(Expired), None),
        ("expired and never approved", known(expiring(HOUR, early), V::NoneRecorded, None), Some(Expired), None),
        ("expires later", known(expiring(HOUR, TO + HOUR), V::Approved, None), Some(Approved), Some(Missing)),
        ("expires while it is listed", known(expiring(HOUR, FROM + 9), V::Approved, None), Some(Approved), None),
        ("the ticket's time is over", known(held(HOUR), V::Approved, Some(early)), Some(Expired), None),
        ("the ticket's time goes on", known(held(HOUR), V::Approved, Some(TO + HOUR)), Some(Approved), Some(Missing)),
        (
            "of a ticket that does not cover it",
            known(held(HOUR), V::Rejected, Some(early)),
            Some(Unapproved),
            Some(Missing),
        ),
        ("the earlier end counts", known(expiring(HOUR, TO + HOUR), V::Approved, Some(early)), Some(Expired), None),
        ("the other one too", known(expiring(HOUR, early), V::Approved, Some(TO + HOUR)), Some(Expired), None),
        ("given while it was listed", known(held(FROM + 5), V::Approved, None), Some(Approved), None),
        ("given just before", known(held(FROM - 59), V::Approved, None), Some(Approved), None),
        ("given before that", known(held(early), V::Approved, None), Some(Approved), Some(Missing)),
    ];
    for (name, known, listed, unlisted) in cases {
        let item = membership("u1");
        let map = BTreeMap::from([(item.key(), (item.clone(), known.clone()))]);
        for (items, expected) in [(vec![item.clone()], listed), (Vec::new(), unlisted)] {
            let count = items.len() as u64;
            let (listing, _) = Listing::new(items).unwrap();
            let (lines, totals) = reconcile(&listing, &map, true, &taken());
            assert_eq!(lines.iter().map(|line| line.kind).collect::<Vec<_>>(), Vec::from_iter(expected), "{name}");
            assert!(lines.iter().all(|line| line.item == item && line.known == known), "{name}");
            assert_eq!(totals.listed(), count, "{name}: they come to the count");
        }
        // What is not in an incomplete listing may be live all the same.
        let (lines, _) = reconcile(&Listing::default(), &map, false, &taken());
        assert_eq!(lines, [], "{name}");
    }
}

#[test]
fn what_is_no_access_is_counted() {
    let account = |status| Item { object: None, status, ..membership("u1") };
    let group = Item { subject: id("entitlement:okta:acme:group_member/g1"), ..account(AccountStatus::Unspecified) };
    let held = known(Access { held: by(HOUR), ..Access::default() }, Verdict::Approved, None);
    let check = |item: &Item, known: &Known, expected: &[ReconcileKind], no_access: u64| {
        let map = BTreeMap::from([(item.key(), (item.clone(), known.clone()))]);
        let (listing, _) = Listing::new([item.clone()]).unwrap();
        let (lines, totals) = reconcile(&listing, &map, true, &taken());
        assert_eq!(lines.iter().map(|line| line.kind).collect::<Vec<_>>(), expected, "{item:?}");
        assert_eq!((totals.no_access, totals.listed()), (no_access, 1), "{item:?}");
    };
    check(&group, &Known::default(), &[], 1);
    check(&account(AccountStatus::Disabled), &Known::default(), &[], 1);
    check(&account(AccountStatus::Enabled), &held, &[ReconcileKind::Approved], 0);
    check(&account(AccountStatus::Created), &held, &[ReconcileKind::Approved], 0);
    // Listed as switched off, and switched on in the log.
    check(&account(AccountStatus::Disabled), &held, &[ReconcileKind::Missing], 1);
}

/// A change of one grant, or of one account, at a time; or something seen, or a failure, which counts for nothing.
#[derive(Clone, Copy, Debug)]
struct Step {
    gives: bool,
    at: i64,
    user: usize,
    counts: bool,
}

const TIMES: [i64; 7] = [HOUR, FROM - 90, FROM - 30, FROM + HOUR / 2, TO + 30, TO + 90, 2 * HOUR];

fn any_steps() -> impl Strategy<Value = Vec<Step>> {
    let step = (any::<bool>(), 0..TIMES.len(), 0..2usize, prop::bool::weighted(0.85));
    vec(step.prop_map(|(gives, at, user, counts)| Step { gives, at: TIMES[at], user, counts }), 0..9)
}

/// The naive judge: what held at each of the two moments, by looking at every step.
fn naive(steps: &[Step], user: usize) -> (Option<usize>, Option<usize>, Option<usize>) {
    let last = |until: i64| {
        let mut last: Option<usize> = None;
        for (place, step) in steps.iter().enumerate() {
            let counts = step.counts && step.user == user && step.at <= until;
            if counts && last.is_none_or(|last| steps[last].at <= step.at) {
                last = Some(place);
            }
        }
        last
    };
    let (late, early) = (last(TO + 60), last(FROM - 60));
    let given = |place: Option<usize>| place.filter(|place| steps[*place].gives);
    let held = given(late);
    let revoked = late.filter(|place| !steps[*place].gives);
    let before = given(early).filter(|_| held.is_none());
    (held, before, revoked)
}

fn places(access: &Access) -> (Option<usize>, Option<usize>, Option<usize>) {
    let place = |evidence: Option<Evidence>| evidence.map(|evidence| evidence.index as usize - 1);
    (place(access.held), place(access.before), place(access.revoked))
}

fn traced(steps: &[Step], fact_of: impl Fn(&Step) -> Fact) -> Vec<Record> {
    let fact = |step: &Step| {
        let fact = fact_of(step);
        match step.counts {
            true => fact,
            false if step.gives => Fact { confidence: Confidence::Snapshot.into(), ..fact },
            false => Fact { outcome: 2, ..fact },
        }
    };
    (1..).zip(steps).map(|(index, step)| record_of(index, vec![fact(step)])).collect()
}

fn in_order(records: &[Record]) -> Vec<FactAt<'_>> {
    let mut facts: Vec<FactAt<'_>> = records.iter().flat_map(facts_of).collect();
    facts.sort_by_key(|fact| fact.evidence.order());
    facts
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 2_000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn grants_are_what_the_naive_judge_says(steps in any_steps()) {
        let users = ["u1", "u2"];
        let records = traced(&steps, |step| {
            let kind = if step.gives { FactKind::GrantAdded } else { FactKind::GrantRemoved };
            Fact { subject: Some(account(users[step.user])), object: Some(group("g1")), ..fact(kind, step.at) }
        });
        let facts = in_order(&records);
        let of_group = grants(&id("entitlement:okta:acme:group_member/g1"), &facts, &taken());
        for (number, user) in users.iter().enumerate() {
            let expected = naive(&steps, number);
            let found = of_group.get(&format!("account:okta:acme:{user} ")).cloned().unwrap_or_default();
            prop_assert_eq!(places(&found), expected, "{} of the group", user);
            let of_user = grants(&id(&format!("account:okta:acme:{user}")), &facts, &taken());
            let found = of_user.get("entitlement:okta:acme:group_member/g1 ").cloned().unwrap_or_default();
            prop_assert_eq!(places(&found), expected, "the group of {}", user);
        }
    }

    /// The steps of the one are about an account, those of the other about its credential: neither tells of the other.
    #[test]
    fn accounts_and_credentials_are_what_the_naive_judge_says(steps in any_steps()) {
        let records = traced(&steps, |step| {
            let (on, off, object) = match step.user {
                0 => (FactKind::AccountEnabled, FactKind::AccountDisabled, None),
                _ => (FactKind::CredentialCreated, FactKind::CredentialRevoked, Some(credential("k1"))),
            };
            let kind = if step.gives { on } else { off };
            Fact { subject: Some(account("u1")), object, ..fact(kind, step.at) }
        });
        let facts = in_order(&records);
        prop_assert_eq!(places(&access_of_account(&facts, &taken())), naive(&steps, 0));
        prop_assert_eq!(places(&access_of_credential(&facts, &taken())), naive(&steps, 1));
    }
}

#[test]
fn the_expiry_is_that_of_the_replayed_grant() {
    let until = |kind, seconds, end: Option<i64>| {
        let grant = Grant { expires_at: end.map(time), mode: 1, ..Grant::default() };
        let detail = Some(Detail::Grant(grant));
        Fact { subject: Some(account("u1")), object: Some(group("g1")), detail, ..fact(kind, seconds) }
    };
    let added = until(FactKind::GrantAdded, HOUR, Some(50 * HOUR));
    let check = |second: Option<Fact>, expected: Option<i64>| {
        let records: Vec<Record> = (1..)
            .zip([added.clone()].into_iter().chain(second))
            .map(|(index, fact)| record_of(index, vec![fact]))
            .collect();
        let found = grants(&id("account:okta:acme:u1"), &in_order(&records), &taken());
        assert_eq!(found["entitlement:okta:acme:group_member/g1 "].expires_at, expected.map(moment));
    };
    check(None, Some(50 * HOUR));
    check(Some(until(FactKind::GrantModified, 2 * HOUR, Some(60 * HOUR))), Some(60 * HOUR));
    check(Some(until(FactKind::GrantModified, 2 * HOUR, None)), Some(50 * HOUR));
    check(Some(until(FactKind::GrantAdded, 2 * HOUR, None)), None);
    check(Some(until(FactKind::GrantModified, TO + HOUR, Some(1))), Some(50 * HOUR));
}
