//! The replay against a naive one, for random histories.
#![allow(clippy::unwrap_used, reason = "helpers of tests fail as tests do")]

mod histories;
mod naive;
#[path = "../support/mod.rs"]
mod support;

use std::collections::BTreeSet;

use counterfoil_proto::v1::{Authentication, Event, Precision, Provenance, Record, record::Body};
use counterfoil_verify::entity::EntityId;
use counterfoil_verify::fact::entity_set;
use counterfoil_verify::replay::{apply, bearers, facts_of, replay};
use counterfoil_verify::rules;
use counterfoil_verify::state::{Evidence, State};
use counterfoil_verify::time::{Moment, OccurredAt, RecordedAt};
use counterfoil_verify::tree::{RecordIndex, TreeSize};
use histories::any_history;
use naive::naive;
use proptest::prelude::*;
use support::*;

fn entities(records: &[Record]) -> BTreeSet<EntityId> {
    records.iter().flat_map(entity_set).collect()
}

fn event_mut(record: &mut Record) -> Option<&mut Event> {
    match &mut record.body {
        Some(Body::Event(event)) => Some(event),
        Some(Body::EventRemapped(remapped)) => remapped.event.as_mut(),
        _ => None,
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 1_500, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn the_replay_equals_the_naive_one(records in any_history(), at_seconds in -1..13i64, known in 0..27u64) {
        prop_assert!(records.iter().all(|record| rules::check(record).is_ok()));
        let mut world = naive(&records, at_seconds, known);
        for entity in entities(&records) {
            let state = replay(&entity, &records, at(at_seconds), TreeSize(known));
            let expected = world.remove(&entity.to_string()).unwrap_or_default();
            prop_assert_eq!(state, expected, "{}", entity);
        }
        prop_assert!(world.is_empty(), "not in any entity set: {:?}", world.keys());
    }

    #[test]
    fn neither_order_nor_strangers_matter(records in any_history().prop_shuffle(), at_seconds in 0..13i64, known in 0..27u64) {
        let mut sorted = records.clone();
        sorted.sort_by_key(|record| record.index);
        for entity in entities(&records) {
            let own = sorted.iter().filter(|record| entity_set(record).contains(&entity));
            let expected = replay(&entity, own, at(at_seconds), TreeSize(known));
            prop_assert_eq!(&replay(&entity, &records, at(at_seconds), TreeSize(known)), &expected, "shuffled");
            prop_assert_eq!(&replay(&entity, records.iter().rev(), at(at_seconds), TreeSize(known)), &expected);
        }
    }

    /// A view keeps deltas of bearers alone: whoever is none must not change.
    #[test]
    fn only_bearers_change(records in any_history(), before in any_history()) {
        for record in &records {
            for fact in facts_of(record) {
                let bearers = bearers(fact.fact, fact.source);
                prop_assert!(bearers.iter().all(|bearer| entity_set(record).contains(bearer)));
                for entity in entities(&records) {
                    let mut state = replay(&entity, &before, OccurredAt(Moment::MAX), TreeSize(u64::MAX));
                    let unchanged = state.clone();
                    apply(&mut state, &entity, &fact);
                    prop_assert!(bearers.contains(&entity) || state == unchanged, "{} by {:?}", entity, fact.fact);
                }
            }
        }
    }

    /// Whatever is not a success is evidence alone, and so are the kinds that change nothing.
    #[test]
    fn failures_change_nothing(records in any_history(), outcome in 2..=4) {
        let failed: Vec<Record> = records.into_iter().map(|mut record| {
            if let Some(event) = event_mut(&mut record) {
                event.facts.iter_mut().for_each(|fact| fact.outcome = outcome);
            }
            record
        }).collect();
        for entity in entities(&failed) {
            prop_assert_eq!(replay(&entity, &failed, OccurredAt(Moment::MAX), TreeSize(u64::MAX)), State::default());
        }
    }

    #[test]
    fn no_ticket_and_no_approval_creates_access(records in any_history()) {
        let asked: Vec<Record> = records.into_iter().map(|mut record| {
            if let Some(event) = event_mut(&mut record) {
                event.facts.retain(|fact| {
                    let name = fact.kind().as_str_name();
                    name.contains("TICKET") || name.contains("APPROVAL") || name.contains("REVIEW")
                });
            }
            record
        }).collect();
        for entity in entities(&asked) {
            let state = replay(&entity, &asked, OccurredAt(Moment::MAX), TreeSize(u64::MAX));
            prop_assert!(state.grants.is_empty() && state.credentials.is_empty() && state.account.is_none());
        }
    }

    #[test]
    fn evidence_survives_the_round_trip(index in any::<u64>(), number in any::<u32>(), seconds in any::<i64>(), nanos in 0..1_000_000_000u32) {
        let (occurred, recorded) = (Moment { seconds, nanos }, Moment { seconds: 7, nanos: 8 });
        let recorded_at = Some(recorded.to_time(Precision::Nanosecond));
        let signed = Provenance { authentication: 5, ..Provenance::default() };
        let record = Record { index, recorded_at, provenance: Some(signed), ..Record::default() };
        let evidence = Evidence::of(&record, number, OccurredAt(occurred));
        prop_assert_eq!(evidence.authentication(), Authentication::SourceSignature);
        prop_assert_eq!((evidence.occurred_at(), evidence.recorded_at()), (OccurredAt(occurred), RecordedAt(recorded)));
        prop_assert_eq!(evidence.order(), (OccurredAt(occurred), RecordIndex(index), RecordIndex(index), number));
        prop_assert_eq!(Moment::from_sortable_bytes(&occurred.to_sortable_bytes()), occurred);
    }

    #[test]
    fn sortable_bytes_sort_as_moments_do(one in any_time(), other in any_time()) {
        let (one, other) = (Moment::of(&one), Moment::of(&other));
        prop_assert_eq!(one.cmp(&other), one.to_sortable_bytes().cmp(&other.to_sortable_bytes()));
    }
}
