//! From when until when an access was held, against the replay of what was known at each moment.
#![allow(clippy::unwrap_used, reason = "helpers of tests fail as tests do")]

mod support;

use counterfoil_proto::v1::{
    AccessStanding, Completeness, Confidence, Fact, FactKind, Grant, Record, Snapshot, fact::Detail,
};
use counterfoil_verify::entity::EntityId;
use counterfoil_verify::holding::{Standing, account as account_standing, credential as credential_standing, holdings};
use counterfoil_verify::replay::{FactAt, facts_of, replay};
use counterfoil_verify::tree::TreeSize;
use proptest::collection::vec;
use proptest::prelude::*;
use support::*;

const SPAN: i64 = 60;

fn any_fact() -> impl Strategy<Value = Fact> {
    let until = prop_oneof![2 => Just(None), 1 => (0..SPAN).prop_map(Some)];
    (0_u8..6, 0..3_u8, 0..SPAN, until).prop_map(|(what, number, at, until)| {
        let kind = match what {
            0 | 1 => FactKind::GrantAdded,
            2 => FactKind::GrantRemoved,
            3 => FactKind::GrantModified,
            _ => FactKind::SnapshotItem,
        };
        let listed = Snapshot { completeness: Completeness::Complete.into(), ..Snapshot::default() };
        let base = Fact { subject: Some(account("u1")), ..fact(kind, at) };
        match what {
            // All that the account holds is listed anew.
            5 => Fact { confidence: Confidence::Snapshot.into(), detail: Some(Detail::Snapshot(listed)), ..base },
            4 => Fact { confidence: Confidence::Snapshot.into(), object: Some(group(&format!("g{number}"))), ..base },
            _ => {
                let grant = Grant { expires_at: until.map(time), ..Grant::default() };
                let detail = until.is_some().then_some(Detail::Grant(grant));
                Fact { object: Some(group(&format!("g{number}"))), detail, ..base }
            }
        }
    })
}

fn id(text: &str) -> EntityId {
    text.parse().unwrap()
}

fn in_order(records: &[Record], until: i64) -> Vec<FactAt<'_>> {
    let mut facts: Vec<FactAt<'_>> = records.iter().flat_map(facts_of).collect();
    facts.retain(|fact| fact.evidence.occurred_at() <= at(until));
    facts.sort_by_key(|fact| fact.evidence.order());
    facts
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 256, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn a_standing_is_what_replay_says_at_that_moment(facts in vec(any_fact(), 1..25), moment in 0..SPAN) {
        let records: Vec<Record> =
            facts.into_iter().zip(1..).map(|(fact, index)| record_of(index, vec![fact])).collect();
        let who = id("account:okta:acme:u1");
        let wanted = "entitlement:okta:acme:group_member/g1";
        let happened = in_order(&records, moment);
        let found = holdings(&who, &happened, |other| other == wanted);
        prop_assert!(found.keys().all(|key| key.starts_with(wanted)));
        let times = found.into_values().next().unwrap_or_default();
        // One after the other, and only the last may go on.
        for pair in times.windows(2) {
            let ended = pair[0].ended.unwrap();
            prop_assert!(pair[0].given.order() <= ended.order() && ended.order() <= pair[1].given.order());
        }
        let found = times.last().map_or(Standing::NEVER, |last| last.standing(at(moment)));
        let state = replay(&who, &records, at(moment), TreeSize(1_000));
        let expected = match state.grants.get(&format!("{wanted} ")) {
            Some(grant) => {
                let end = grant.grant.as_ref().and_then(|grant| grant.expires_at.as_ref()).map(|end| end.seconds);
                let standing = match end {
                    Some(end) if end <= moment => AccessStanding::Lapsed,
                    _ if grant.confidence() == Confidence::Snapshot => AccessStanding::SeenOnly,
                    _ => AccessStanding::Held,
                };
                (standing, Some(grant.evidence))
            }
            // The fact after which it was not held any more.
            None => {
                let held = |until: &FactAt<'_>| {
                    let mut state = counterfoil_verify::state::State::default();
                    let so_far = happened.iter().take_while(|fact| fact.evidence.order() <= until.evidence.order());
                    so_far.for_each(|fact| counterfoil_verify::replay::apply(&mut state, &who, fact));
                    state.grants.contains_key(&format!("{wanted} "))
                };
                let ended = happened.windows(2).rfind(|pair| held(&pair[0]) && !held(&pair[1]));
                match ended {
                    Some(pair) => (AccessStanding::Removed, Some(pair[1].evidence)),
                    None => (AccessStanding::NeverGiven, None),
                }
            }
        };
        prop_assert_eq!((found.standing, found.evidence), expected);
    }
}

#[test]
fn accounts_and_credentials_by_hand() {
    use AccessStanding as S;
    use FactKind as K;
    let about = |kind, seconds| Fact { subject: Some(account("u1")), ..fact(kind, seconds) };
    let key = |kind, seconds| Fact { object: Some(credential("c1")), ..about(kind, seconds) };
    let facts = vec![
        about(K::AccountCreated, 10),
        about(K::AccountUpdated, 15),
        key(K::CredentialCreated, 20),
        key(K::CredentialUsed, 25),
        about(K::AccountDisabled, 30),
        key(K::CredentialRevoked, 40),
        about(K::AccountEnabled, 50),
    ];
    let records: Vec<Record> = facts.into_iter().zip(1..).map(|(fact, index)| record_of(index, vec![fact])).collect();
    let all = in_order(&records, SPAN);
    let (who, what) = (id("account:okta:acme:u1"), id("credential:okta:acme:api_token/c1"));
    let by = |standing: Standing| (standing.standing, standing.evidence.map(|by| by.index));
    for (moment, of_account, of_credential) in [
        (9, (S::NeverGiven, None), (S::NeverGiven, None)),
        (19, (S::Held, Some(1)), (S::NeverGiven, None)),
        (29, (S::Held, Some(1)), (S::Held, Some(3))),
        (39, (S::Removed, Some(5)), (S::Held, Some(3))),
        (49, (S::Removed, Some(5)), (S::Removed, Some(6))),
        (59, (S::Held, Some(7)), (S::Removed, Some(6))),
    ] {
        assert_eq!(by(account_standing(&who, &all, at(moment))), of_account, "account at {moment}");
        assert_eq!(by(credential_standing(&what, &all, at(moment))), of_credential, "credential at {moment}");
    }
}
