//! Random histories: records with facts about a few entities, whose facts happened in any order.

use counterfoil_proto::v1::{
    Account, Approval, Credential, Entitlement, EntityKind, Fact, FactKind, Grant, Lifecycle, MatchingRule, Ownership,
    Record, Ref, Snapshot, Ticket, Time, fact::Detail,
};
use counterfoil_verify::remap::place_of;
use proptest::collection::vec;
use proptest::option;
use proptest::prelude::*;

use crate::support::*;

/// Records with facts about a few entities, whose facts happened in any order; some events are read again, and again.
pub fn any_history() -> BoxedStrategy<Vec<Record>> {
    let again = option::weighted(0.3, any::<prop::sample::Index>());
    vec((vec(any_event_fact(), 1..4), again), 1..25)
        .prop_map(|events| {
            let mut records: Vec<Record> = Vec::new();
            for (index, (facts, again)) in (1..).zip(events) {
                let event = again.filter(|_| !records.is_empty()).map(|again| place_of(again.get(&records)));
                let newest = records.iter().rev().find(|record| Some(place_of(record)) == event);
                records.push(newest.map_or_else(
                    || record_of(index, facts.clone()),
                    |newest| remapped(index, &[newest], facts.clone()),
                ));
            }
            records
        })
        .boxed()
}

fn any_event_fact() -> BoxedStrategy<Fact> {
    let kind = prop::sample::select(fact_kinds());
    let outcome = prop_oneof![8 => Just(1), 1 => 2..=4];
    let confidence = prop_oneof![4 => Just(1), 1 => 2..=3];
    (kind, 0..12i64, outcome, confidence, "[st]?")
        .prop_flat_map(|(kind, seconds, outcome, confidence, scope)| {
            let name = kind.as_str_name();
            let object = if name.contains("GRANT") || name.contains("ENTITLEMENT") || name.contains("SNAPSHOT_ITEM") {
                any_group()
            } else if name.contains("CREDENTIAL") {
                prop::sample::select(vec![credential("c1"), credential("c2")]).boxed()
            } else if name.contains("RULE") {
                let rule = |id: &str| Ref { kind: EntityKind::Rule.into(), id: id.to_owned(), ..Ref::default() };
                prop::sample::select(vec![rule("r1"), rule("r2")]).boxed()
            } else if name.contains("TICKET") || name.contains("APPROVAL") {
                prop::sample::select(vec![ticket("t1"), ticket("t2")]).boxed()
            } else {
                any_person()
            };
            let head = Fact { outcome, confidence, scope, ..fact(kind, seconds) };
            let subject = if name.contains("GRANT") || name.contains("SNAPSHOT_ITEM") {
                prop_oneof![3 => any_person(), 1 => any_group()].boxed()
            } else {
                any_person()
            };
            let ends = (option::of(any_person()), option::weighted(0.9, subject), option::weighted(0.9, object));
            (Just(head), ends, option::weighted(0.8, any_detail(kind)))
        })
        .prop_map(|(head, (actor, subject, object), detail)| Fact { actor, subject, object, detail, ..head })
        .boxed()
}

fn any_group() -> BoxedStrategy<Ref> {
    prop::sample::select(vec![group("g1"), group("g2"), known_as(EntityKind::Entitlement, 8)]).boxed()
}

fn any_person() -> BoxedStrategy<Ref> {
    let person = prop::sample::select(vec![account("u1"), account("u2"), known_as(EntityKind::Account, 9)]);
    (person, prop_oneof![3 => Just(0), 1 => 1..=3])
        .prop_map(|(person, identity_type)| Ref { identity_type, ..person })
        .boxed()
}

fn some_time() -> BoxedStrategy<Option<Time>> {
    option::of((0..100i64).prop_map(time)).boxed()
}

/// A detail that goes with the kind.
fn any_detail(kind: FactKind) -> BoxedStrategy<Detail> {
    let name = kind.as_str_name().trim_start_matches("FACT_KIND_");
    let (group_name, _) = name.split_once('_').unwrap();
    let person = || option::of(any_person());
    match group_name {
        "GRANT" => (some_time(), 0..=2, option::of(Just(group("g9"))))
            .prop_map(|(expires_at, mode, inherited_via)| {
                Detail::Grant(Grant { expires_at, mode, inherited_via, conditional: true })
            })
            .boxed(),
        "ACCOUNT" => (any::<bool>(), "(d/[12])?")
            .prop_map(|(reversible, department)| {
                Detail::Account(Account { changed: vec!["x".into()], reversible, department, manager: None })
            })
            .boxed(),
        "CREDENTIAL" => some_time()
            .prop_map(|expires_at| {
                Detail::Credential(Credential { expires_at, last_used_at: None, rotation_interval_seconds: 1 })
            })
            .boxed(),
        "ENTITLEMENT" => ("(v[12])?", vec(0..3usize, 0..3), vec(0..3usize, 0..3))
            .prop_map(|(version, added, removed)| {
                let refs = |numbers: &[usize]| numbers.iter().map(|number| group(&format!("i{number}"))).collect();
                let (implies_added, implies_removed) = (refs(&added), refs(&removed));
                let is_empty = version.is_empty() && added.is_empty() && removed.is_empty();
                // An empty detail is left out.
                let version = if is_empty { "v".to_owned() } else { version };
                Detail::Entitlement(Entitlement { version, implies_added, implies_removed })
            })
            .boxed(),
        "OWNER" | "PURPOSE" | "NHI" => {
            let codes = || prop_oneof![Just(Vec::new()), Just(vec!["a".to_owned()]), Just(vec!["b".to_owned()])];
            let head = (person(), some_time(), 0..3u64, any::<bool>());
            (head, (any::<bool>(), codes(), codes(), some_time(), some_time()))
                .prop_map(|((owner, expires_at, interval, purpose_declared), more)| {
                    let (storage_declared, systems, operations, suspected_at, retired_at) = more;
                    Detail::Ownership(Ownership {
                        owner,
                        expires_at,
                        rotation_interval_seconds: if purpose_declared { interval } else { interval + 1 },
                        purpose_declared,
                        storage_declared,
                        systems,
                        operations,
                        suspected_at,
                        retired_at,
                    })
                })
                .boxed()
        }
        "RULE" => (1..4u32, any::<bool>())
            .prop_map(|(version, withdrawn)| {
                let systems = vec!["okta".to_owned()];
                Detail::MatchingRule(MatchingRule { version, matched_by: 1, systems, withdrawn })
            })
            .boxed(),
        "LIFECYCLE" => some_time()
            .prop_map(|effective_at| Detail::Lifecycle(Lifecycle { effective_at, department: "d/9".into() }))
            .boxed(),
        "SNAPSHOT" => {
            let root = prop_oneof![Just(Vec::new()), any::<[u8; 32]>().prop_map(Vec::from)];
            (1..=3, some_time(), 0..3u64, root)
                .prop_map(|(completeness, as_of, count, root)| {
                    Detail::Snapshot(Snapshot { completeness, as_of, count, root })
                })
                .boxed()
        }
        "TICKET" => {
            let items = vec(option::of(Just(group("g1"))).prop_map(|target| item(target, "okta:group_member")), 0..2);
            (1..=5, 0..=6, person(), person(), items, some_time(), some_time(), 0..=3)
                .prop_map(|(r#type, status, requester, assignee, items, window_start, window_end, source_decision)| {
                    let texts = Vec::new();
                    Detail::Ticket(Ticket {
                        r#type,
                        status,
                        requester,
                        assignee,
                        items,
                        window_start,
                        window_end,
                        source_decision,
                        texts,
                    })
                })
                .boxed()
        }
        "APPROVAL" => ("(r[12])?", 1..=2u32, 0..=5, 0..3u32, person(), prop_oneof![Just(0), Just(6)])
            .prop_map(|(id, level, rule, quorum, approver, source_decision)| {
                let (asked_by, delegate) = (None, None);
                Detail::Approval(Approval { id, level, rule, quorum, approver, asked_by, delegate, source_decision })
            })
            .boxed(),
        _ => Just(Detail::Review(counterfoil_proto::v1::Review { decision: 1, reviewer: None })).boxed(),
    }
}
