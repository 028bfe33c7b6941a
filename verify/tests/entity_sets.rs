//! Which entities a record belongs to, and in which roles a fact names them.
#![allow(clippy::unwrap_used, reason = "helpers of tests fail as tests do")]

mod support;

use std::collections::BTreeSet;

use counterfoil_proto::v1::{Fact, FactKind, Record, Ref, Source, fact::Detail, record::Body};
use counterfoil_verify::entity::EntityId;
use counterfoil_verify::fact::{Role, entity_set, references};
use counterfoil_verify::identifier::Token;
use counterfoil_verify::record::{FORMAT, decode, encode};
use proptest::prelude::*;
use sha2::{Digest, Sha256};
use support::*;

/// What events have in common: a transaction or a request.
fn in_common(home: &str, what: &str, id: &str) -> String {
    let digest = Sha256::digest(format!("counterfoil/correlation/v1\0{what}\0{id}"));
    format!("correlation:{home}:{}", hex(&digest[..16]))
}

/// The same set, field by field and in text form, by the wording of the design alone.
fn naive_entities(record: &Record) -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    let Some(provenance) = &record.provenance else { return found };
    let source = provenance.source.as_ref().unwrap();
    let home = format!("{}:{}", source.system, source.instance);
    let event = match &record.body {
        Some(Body::Event(event)) => event,
        Some(Body::EventRemapped(remapped)) => {
            // Those of the generated records are accounts in one tenant.
            let head = [&[3, 4], &b"okta"[..], &[4], b"acme"].concat();
            let id = |entity: &Vec<u8>| String::from_utf8(entity[head.len() + 1..].to_vec()).unwrap();
            found.extend(remapped.entities.iter().map(|entity| format!("account:okta:acme:{}", id(entity))));
            remapped.event.as_ref().unwrap()
        }
        Some(Body::Redaction(said)) => {
            // So are these.
            let head = [&[3, 4], &b"okta"[..], &[4], b"acme"].concat();
            let id = |entity: &Vec<u8>| String::from_utf8(entity[head.len() + 1..].to_vec()).unwrap();
            let named = said.entities.iter().chain([&said.by]);
            return named.map(|entity| format!("account:okta:acme:{}", id(entity))).collect();
        }
        Some(Body::KeyAnnouncement(said)) => {
            // And so is whoever decided it.
            let head = [&[3, 4], &b"okta"[..], &[4], b"acme"].concat();
            let id = String::from_utf8(said.by[head.len() + 1..].to_vec()).unwrap();
            return BTreeSet::from([format!("account:okta:acme:{id}")]);
        }
        _ => return BTreeSet::from([format!("source:{home}:{}", source.stream)]),
    };
    let mut add = |reference: &Ref| {
        let kinds = ["", "person", "account", "credential", "entitlement", "ticket", "integration", "snapshot_scope"];
        if !reference.id.is_empty() {
            let home = if reference.system.is_empty() {
                home.clone()
            } else {
                format!("{}:{}", reference.system, reference.instance)
            };
            found.insert(format!("{}:{home}:{}", kinds[reference.kind as usize], reference.id));
        }
        for token in &reference.tokens {
            found.insert(format!("identifier:{}", hex(token)));
        }
    };
    let (mut unresolved, mut declares, mut found_in_common) = (false, false, BTreeSet::new());
    for fact in &event.facts {
        for one in [&fact.actor, &fact.via, &fact.subject, &fact.object] {
            one.iter().for_each(&mut add);
        }
        if let Some(correlation) = &fact.correlation {
            correlation.tickets.iter().for_each(&mut add);
        }
        let name = fact.kind().as_str_name();
        let is_about = name.starts_with("FACT_KIND_TICKET") || name.starts_with("FACT_KIND_APPROVAL");
        let is_about = is_about && fact.object.is_some();
        let common = fact.correlation.clone().unwrap_or_default();
        if is_about || !common.tickets.is_empty() {
            for (what, id) in [("transaction", &common.transaction), ("request", &common.request)] {
                if !id.is_empty() {
                    found_in_common.insert(in_common(&home, what, id));
                }
            }
        }
        match &fact.detail {
            Some(Detail::Grant(detail)) => detail.inherited_via.iter().for_each(&mut add),
            Some(Detail::Ticket(detail)) => {
                detail.requester.iter().for_each(&mut add);
                detail.assignee.iter().for_each(&mut add);
                for item in &detail.items {
                    item.target.iter().for_each(&mut add);
                }
            }
            Some(Detail::Approval(detail)) => {
                detail.approver.iter().for_each(&mut add);
                detail.asked_by.iter().for_each(&mut add);
                detail.delegate.iter().for_each(&mut add);
            }
            Some(Detail::Account(detail)) => detail.manager.iter().for_each(&mut add),
            Some(Detail::Entitlement(detail)) => {
                detail.implies_added.iter().for_each(&mut add);
                detail.implies_removed.iter().for_each(&mut add);
            }
            Some(Detail::Ownership(detail)) => detail.owner.iter().for_each(&mut add),
            Some(Detail::Review(detail)) => detail.reviewer.iter().for_each(&mut add),
            _ => {}
        }
        let kind = fact.kind().as_str_name();
        unresolved |= kind.starts_with("FACT_KIND_TICKET") && fact.subject.is_none();
        unresolved |= kind.starts_with("FACT_KIND_APPROVAL") && fact.object.is_none();
        declares |= kind.starts_with("FACT_KIND_RULE");
    }
    found.extend(found_in_common);
    if declares {
        found.insert("rule:counterfoil:ledger:declared".to_owned());
    }
    if unresolved {
        found.insert(format!("unresolved:{home}"));
    }
    found
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 1_500, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn the_entity_set_holds_every_entity_that_a_naive_walk_finds(record in any_record()) {
        let found: BTreeSet<String> = entity_set(&record).iter().map(EntityId::to_string).collect();
        prop_assert_eq!(found, naive_entities(&record));
        let again = decode(&encode(&record).unwrap()).unwrap();
        prop_assert_eq!(entity_set(&again), entity_set(&record));
    }
}

#[test]
fn entity_sets_of_hand_written_records() {
    let check = |name: &str, record: Record, expected: &[&str]| {
        let found: Vec<String> = entity_set(&record).iter().map(EntityId::to_string).collect();
        let mut expected = expected.to_vec();
        expected.sort_unstable();
        let mut found: Vec<&str> = found.iter().map(String::as_str).collect();
        found.sort_unstable();
        assert_eq!(found, expected, "{name}");
    };
    let bodies = one_of_each_body();
    let [transaction, request] =
        [("transaction", "tx1"), ("request", "rq1")].map(|(what, id)| in_common("okta:acme", what, id));
    check("origin", bodies[0].1.clone(), &[]);
    check("conflict", bodies[2].1.clone(), &["source:okta:acme:system-log"]);
    check("rejected", bodies[3].1.clone(), &["source:okta:acme:system-log"]);
    check("gap", bodies[4].1.clone(), &["source:okta:acme:system-log"]);
    check(
        "an approval that was a grant",
        bodies[5].1.clone(),
        &[
            "account:okta:acme:00u1",
            "account:okta:acme:00u2",
            "account:okta:acme:00u4",
            "account:okta:acme:00u5",
            &transaction,
            &request,
            "credential:okta:acme:api_token/00T1",
            "entitlement:github:acme:group_member/00g1",
            "entitlement:okta:acme:group_member/00g0",
            &format!("identifier:{}", "01".repeat(16)),
            &format!("identifier:{}", "02".repeat(16)),
            &format!("identifier:{}", "03".repeat(16)),
            "ticket:okta:acme:ticket/1042",
        ],
    );
    let redacted = ["account:okta:acme:00u1", "account:okta:acme:00u2", "account:okta:acme:00u9"];
    check("a redaction, and who decided it", bodies[6].1.clone(), &redacted);
    check("a new key, and who decided it", bodies[7].1.clone(), &["account:okta:acme:00u9"]);
    check("seal", bodies[8].1.clone(), &[]);
    check("an event without facts", record_of(1, vec![]), &[]);
    let one = format!("identifier:{}", "01".repeat(16));
    let two = format!("identifier:{}", "02".repeat(16));
    let three = format!("identifier:{}", "03".repeat(16));
    check(
        "a grant",
        record_of(1, vec![full_fact()]),
        &[
            "account:okta:acme:00u1",
            &one,
            &two,
            &transaction,
            &request,
            "credential:okta:acme:api_token/00T1",
            &three,
            "entitlement:github:acme:group_member/00g1",
            "ticket:okta:acme:ticket/1042",
            "entitlement:okta:acme:group_member/00g0",
        ],
    );
    check(
        "a ticket and its approval",
        record_of(1, vec![ticket_fact(), approval_fact()]),
        &[
            "ticket:okta:acme:ticket/1042",
            "account:okta:acme:00u1",
            "account:okta:acme:00u2",
            "account:okta:acme:00u3",
            "account:okta:acme:00u4",
            "account:okta:acme:00u5",
            "entitlement:okta:acme:group_member/00g1",
        ],
    );
    check(
        "a ticket for nobody",
        record_of(1, vec![Fact { subject: None, detail: None, ..ticket_fact() }]),
        &["ticket:okta:acme:ticket/1042", "unresolved:okta:acme"],
    );
    check(
        "an approval of nothing",
        record_of(1, vec![Fact { object: None, detail: None, ..approval_fact() }]),
        &["account:okta:acme:00u4", "unresolved:okta:acme"],
    );
    check(
        "an approval of a ticket names no beneficiary and is resolved",
        record_of(1, vec![Fact { detail: None, ..approval_fact() }]),
        &["account:okta:acme:00u4", "ticket:okta:acme:ticket/1042"],
    );
    check(
        "a failure is history too",
        record_of(1, vec![Fact { outcome: 2, subject: Some(account("00u1")), ..fact(FactKind::AuthEvent, 1) }]),
        &["account:okta:acme:00u1"],
    );
}

/// Whoever calls it with a record that no decoder would accept gets no panic.
#[test]
fn an_unchecked_reference_has_no_entity() {
    for id in ["a".repeat(256), "é".repeat(200), "bob@x.y".into()] {
        let reference = account(&id);
        assert_eq!(EntityId::of(&reference, &okta()), None);
    }
    assert_eq!(EntityId::of(&account("u"), &Source::default()), None);
    let token = Ref { tokens: vec![vec![1; 3]], ..account("") };
    assert_eq!(entity_set(&record_of(1, vec![Fact { subject: Some(token), ..fact(FactKind::AuthEvent, 1) }])).len(), 0);
    assert!(Token::from_slice(&[1; 3]).is_err());
}

#[test]
fn references_come_with_their_roles() {
    let roles = |fact: &Fact| references(fact).map(|(role, _)| role).collect::<Vec<_>>();
    assert_eq!(
        roles(&full_fact()),
        [Role::Actor, Role::Via, Role::Subject, Role::Object, Role::Ticket, Role::InheritedVia]
    );
    assert_eq!(roles(&ticket_fact()), [Role::Subject, Role::Object, Role::Requester, Role::Assignee, Role::Item]);
    assert_eq!(roles(&approval_fact()), [Role::Actor, Role::Object, Role::Approver, Role::AskedBy, Role::Delegate]);
    for (number, role) in Role::ALL.into_iter().enumerate() {
        assert_eq!(role as usize, number, "a role's number is its place");
    }
    assert_eq!(Role::ALL.iter().map(|role| role.name()).collect::<BTreeSet<_>>().len(), Role::ALL.len());
    assert_eq!(FORMAT, 1);
}
