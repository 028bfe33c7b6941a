//! Who is who: persons, their accounts, and the rules by which accounts are matched, at any moment and by what was known.
#![allow(clippy::unwrap_used)] // A test stops where it fails.

mod common;

use std::collections::{BTreeMap, BTreeSet};

use common::{Native, TestLedger, entity, fact, grant, occurred, of_system, recorded};
use counterfoil_proto::v1::fact::Detail;
use counterfoil_proto::v1::record::Body;
use counterfoil_proto::v1::{
    EntityKind, Fact, FactKind, GetHistoryResponse, IdentityStep, MatchedBy, MatchingRule, MemberState, Ref,
};
use counterfoil_query::{HistoryRequest, Page, Period, Query};
use counterfoil_verify::entity::EntityId;
use counterfoil_verify::fact::entities_of;
use counterfoil_verify::identifier::Token;
use counterfoil_verify::replay::facts_of;
use counterfoil_verify::time::RecordedAt;
use proptest::collection::vec;
use proptest::prelude::*;

const SYSTEMS: [&str; 3] = ["aws", "freshservice", "okta"];
const PERSONS: [&str; 2] = ["person:people:default:E-1", "person:people:default:E-2"];
const GROUP: &str = "entitlement:okta:default:group_member/00g1";

fn account(system: &str, number: usize) -> String {
    format!("account:{system}:default:u{number}")
}

fn address(number: usize) -> String {
    format!("a{number}@example.com")
}

fn people(fact: Fact) -> Native {
    Native::new("people", vec![of_system("people", fact)])
}

fn link(ledger: &TestLedger, kind: FactKind, at: i64, person: &str, account: Ref) -> Native {
    people(fact(kind, at, Some(ledger.who(person, &[])), Some(account)))
}

/// That an account of a system is called so.
fn called(ledger: &TestLedger, at: i64, account: &str, logins: &[&str]) -> Native {
    let system = SYSTEMS.into_iter().find(|system| account.contains(&format!(":{system}:"))).unwrap();
    let said = fact(FactKind::AccountUpdated, at, Some(ledger.who(account, logins)), None);
    Native::new(system, vec![of_system(system, said)])
}

fn rule(id: &str, version: u32, systems: &[&str], withdrawn: bool, at: i64) -> Native {
    let systems = systems.iter().map(|system| (*system).to_owned()).collect();
    let detail = MatchingRule { version, matched_by: MatchedBy::Email.into(), systems, withdrawn };
    let object = Ref { kind: EntityKind::Rule.into(), id: id.to_owned(), ..Ref::default() };
    let declared = fact(FactKind::RuleDeclared, at, None, Some(object));
    Native::new("people", vec![Fact { detail: Some(Detail::MatchingRule(detail)), ..declared }])
}

fn members(query: &Query<'_>, who: &str, at: i64, known: Option<RecordedAt>) -> Vec<MemberState> {
    query.state_of_person(&entity(who), occurred(at), known).unwrap().state.unwrap().members
}

fn id(member: &MemberState) -> String {
    member.state.as_ref().unwrap().entity.as_ref().unwrap().id.clone()
}

/// What is somebody's, and nobody else's.
fn theirs(query: &Query<'_>, who: &str, at: i64) -> Vec<String> {
    sorted(members(query, who, at, None).iter().filter(|member| member.contested_by.is_empty()))
}

/// What several records say of.
fn contested(query: &Query<'_>, who: &str, at: i64) -> Vec<String> {
    sorted(members(query, who, at, None).iter().filter(|member| !member.contested_by.is_empty()))
}

fn sorted<'m>(members: impl Iterator<Item = &'m MemberState>) -> Vec<String> {
    let mut ids: Vec<String> = members.map(id).collect();
    ids.sort();
    ids
}

#[test]
fn a_person_has_the_accounts_that_records_say_from_then_until_then() {
    let ledger = TestLedger::new();
    let [okta, aws] = ["okta", "aws"].map(|system| account(system, 1));
    ledger.at(100).record(vec![
        called(&ledger, 10, &okta, &["ann@example.com"]),
        link(&ledger, FactKind::IdentityLinked, 20, PERSONS[0], ledger.who(&okta, &[])),
        link(&ledger, FactKind::IdentityUnlinked, 60, PERSONS[0], ledger.who(&okta, &[])),
        link(&ledger, FactKind::IdentityLinked, 60, PERSONS[1], ledger.who(&okta, &[])),
    ]);
    ledger.at(200).record(vec![link(&ledger, FactKind::IdentityLinked, 30, PERSONS[0], ledger.who(&aws, &[]))]);
    let views = ledger.views();
    let query = views.query().unwrap();
    for (at, first, second) in [
        (15, vec![], vec![]),
        (25, vec![&okta], vec![]),
        (59, vec![&aws, &okta], vec![]),
        (60, vec![&aws], vec![&okta]),
        (99, vec![&aws], vec![&okta]),
    ] {
        assert_eq!(theirs(&query, PERSONS[0], at), first.into_iter().cloned().collect::<Vec<_>>(), "at {at}");
        assert_eq!(theirs(&query, PERSONS[1], at), second.into_iter().cloned().collect::<Vec<_>>(), "at {at}");
    }
    // By what was known before the second row came.
    let known: Vec<String> = members(&query, PERSONS[0], 59, Some(recorded(150))).iter().map(id).collect();
    assert_eq!(known, std::slice::from_ref(&okta));
    // An account stands for whose it is.
    let of_account = query.state_of_person(&entity(&aws), occurred(59), None).unwrap().state.unwrap();
    assert_eq!(of_account.entity.unwrap().id, PERSONS[0]);
    assert_eq!(of_account.members.iter().map(id).collect::<Vec<_>>(), [aws, okta]);
}

#[test]
fn records_that_contradict_each_other_are_all_shown_and_lead_nowhere() {
    let ledger = TestLedger::new();
    let [okta, aws] = ["okta", "aws"].map(|system| account(system, 1));
    let natives = [(PERSONS[0], &okta), (PERSONS[0], &aws), (PERSONS[1], &okta)]
        .map(|(person, account)| link(&ledger, FactKind::IdentityLinked, 20, person, ledger.who(account, &[])));
    let records = ledger.record(natives.to_vec());
    let views = ledger.views();
    let query = views.query().unwrap();
    assert_eq!((theirs(&query, PERSONS[0], 30), contested(&query, PERSONS[0], 30)), (vec![aws], vec![okta.clone()]));
    assert_eq!((theirs(&query, PERSONS[1], 30), contested(&query, PERSONS[1], 30)), (vec![], vec![okta.clone()]));
    let claimed = members(&query, PERSONS[1], 30, None).remove(0);
    assert_eq!(claimed.steps.iter().map(|step| step.record).collect::<Vec<_>>(), [records[2]]);
    let against: Vec<(String, u64)> = claimed
        .contested_by
        .iter()
        .map(|by| (by.party.as_ref().unwrap().id.clone(), by.evidence.as_ref().unwrap().record))
        .collect();
    assert_eq!(against, [(PERSONS[0].to_owned(), records[0])]);
    let state = query.state(&entity(&okta), occurred(30), None).unwrap().state.unwrap();
    assert_eq!(state.linked.iter().filter(|linked| linked.contested).count(), 2, "both are there: {:?}", state.linked);
    assert_eq!(theirs(&query, &okta, 30), [""; 0], "nobody is picked");
}

#[test]
fn an_address_that_is_given_away_drags_nobody_along() {
    let ledger = TestLedger::new();
    let (former, next) = (account("okta", 1), account("okta", 2));
    let (desk, other_desk) = (account("freshservice", 1), account("freshservice", 2));
    let address = "ann@example.com";
    let okta = |fact| Native::new("okta", vec![of_system("okta", fact)]);
    ledger.record(vec![
        called(&ledger, 10, &former, &[address]),
        called(&ledger, 11, &desk, &[address]),
        okta(fact(FactKind::AccountDisabled, 40, Some(ledger.who(&former, &[])), None)),
        okta(fact(FactKind::AccountCreated, 60, Some(ledger.who(&next, &[address])), None)),
        link(&ledger, FactKind::IdentityLinked, 10, PERSONS[0], ledger.who(&former, &[])),
        link(&ledger, FactKind::IdentityLinked, 10, PERSONS[0], ledger.who(&desk, &[])),
        link(&ledger, FactKind::IdentityLinked, 60, PERSONS[1], ledger.who(&next, &[])),
    ]);
    let views = ledger.views();
    let query = views.query().unwrap();
    let both = vec![desk.clone(), former.clone()];
    for at in [20, 50, 70] {
        assert_eq!(theirs(&query, PERSONS[0], at), both, "at {at}");
    }
    assert_eq!(theirs(&query, PERSONS[1], 70), std::slice::from_ref(&next));
    assert_eq!(theirs(&query, PERSONS[1], 50), [""; 0]);
    // The address alone means both, and nothing else that is theirs.
    let named = ledger.email(address);
    let named = EntityId::identifier(&Token::from_slice(&named.tokens[0]).unwrap()).to_text();
    assert_eq!(theirs(&query, &named, 70), [desk.clone(), next.clone()]);
    drop(query);
    drop(views);

    // Without a mapping, an account that was made when the former holder's was gone is another person's all the same.
    let ledger = TestLedger::new();
    let desk_of = |fact| Native::new("freshservice", vec![of_system("freshservice", fact)]);
    let okta = |fact| Native::new("okta", vec![of_system("okta", fact)]);
    ledger.record(vec![
        called(&ledger, 10, &desk, &[address]),
        desk_of(fact(FactKind::AccountDisabled, 40, Some(ledger.who(&desk, &[])), None)),
        okta(fact(FactKind::AccountCreated, 60, Some(ledger.who(&next, &[address])), None)),
        // This one was only seen later, and may have been there all along.
        called(&ledger, 61, &account("aws", 1), &[address]),
        called(&ledger, 10, &other_desk, &["bea@example.com"]),
    ]);
    let views = ledger.views();
    let query = views.query().unwrap();
    assert_eq!(theirs(&query, &next, 70), [account("aws", 1)]);
    assert_eq!(theirs(&query, &other_desk, 70), [""; 0]);
}

#[test]
fn whoever_is_called_otherwise_has_lost_the_name() {
    let ledger = TestLedger::new();
    let (ann, next, desk) = (account("okta", 1), account("okta", 2), account("freshservice", 1));
    ledger.record(vec![
        called(&ledger, 10, &ann, &["ann@example.com", "ann.ode@example.com"]),
        // That something is not said again is no other name.
        called(&ledger, 20, &ann, &["ann.ode@example.com"]),
        called(&ledger, 25, &desk, &["ann@example.com"]),
        called(&ledger, 40, &ann, &["ann.li@example.com"]),
        called(&ledger, 50, &next, &["ann@example.com"]),
    ]);
    let views = ledger.views();
    let query = views.query().unwrap();
    assert_eq!(theirs(&query, &desk, 30), std::slice::from_ref(&ann));
    assert_eq!(
        theirs(&query, &desk, 60),
        std::slice::from_ref(&next),
        "she is called otherwise, and another one has the address"
    );
    assert_eq!(theirs(&query, &ann, 60), [""; 0]);
    assert_eq!(theirs(&query, &ann, 30), [desk]);
}

#[test]
fn a_login_alone_is_meant_in_its_system() {
    let ledger = TestLedger::new();
    let (okta, desk) = (account("okta", 1), account("freshservice", 1));
    let by_mail = |system: &str| Ref {
        system: system.to_owned(),
        instance: "default".to_owned(),
        ..ledger.email("ann@example.com")
    };
    ledger.record(vec![
        called(&ledger, 10, &okta, &["ann@example.com"]),
        called(&ledger, 10, &desk, &["ann@example.com"]),
        // No rule joins the two.
        rule("none", 1, &[], true, 1),
        link(&ledger, FactKind::IdentityLinked, 10, PERSONS[0], by_mail("okta")),
        link(&ledger, FactKind::IdentityLinked, 10, PERSONS[1], by_mail("freshservice")),
        link(&ledger, FactKind::IdentityUnlinked, 50, PERSONS[1], by_mail("freshservice")),
    ]);
    let views = ledger.views();
    let query = views.query().unwrap();
    assert_eq!(theirs(&query, PERSONS[0], 20), std::slice::from_ref(&okta));
    assert_eq!(theirs(&query, PERSONS[1], 20), [desk]);
    assert_eq!((theirs(&query, PERSONS[0], 60), theirs(&query, PERSONS[1], 60)), (vec![okta], vec![]));
}

/// What one made-up log has.
#[derive(Clone, Debug)]
enum Said {
    Called(usize, usize, usize),
    Linked(bool, usize, usize, usize),
    Declared(usize, bool),
}

fn any_said() -> impl Strategy<Value = (i64, Said)> {
    let said = prop_oneof![
        6 => (0..3usize, 1..3usize, 1..4usize).prop_map(|(system, number, address)| Said::Called(system, number, address)),
        4 => (any::<bool>(), 0..2usize, 0..3usize, 1..3usize).prop_map(|(linked, person, system, number)| {
            Said::Linked(linked, person, system, number)
        }),
        1 => (0..4usize, any::<bool>()).prop_map(|(which, withdrawn)| Said::Declared(which, withdrawn)),
    ];
    (1..20i64, said)
}

/// The systems that a rule joins, by its number; none are all.
const JOINED: [&[&str]; 4] = [&["aws", "freshservice"], &["freshservice", "okta", "people"], &["aws", "okta"], &[]];

fn write(ledger: &TestLedger, said: &[(i64, Said)]) {
    let native = |(at, said): &(i64, Said)| match said {
        Said::Called(system, number, name) => {
            called(ledger, *at, &account(SYSTEMS[*system], *number), &[&address(*name)])
        }
        Said::Linked(linked, person, system, number) => {
            let kind = if *linked { FactKind::IdentityLinked } else { FactKind::IdentityUnlinked };
            link(ledger, kind, *at, PERSONS[*person], ledger.who(&account(SYSTEMS[*system], *number), &[]))
        }
        Said::Declared(which, withdrawn) => rule(&format!("r{which}"), 1, JOINED[*which], *withdrawn, *at),
    };
    ledger.record(said.iter().map(native).collect());
}

/// The explicit persons of each account at a moment, as a plain reading of the list gives them.
fn persons_of(said: &[(i64, Said)], at: i64) -> BTreeMap<String, BTreeSet<usize>> {
    let mut sorted: Vec<(usize, &(i64, Said))> = said.iter().enumerate().filter(|(_, (when, _))| *when <= at).collect();
    sorted.sort_by_key(|(index, (when, _))| (*when, *index));
    let mut persons: BTreeMap<String, BTreeSet<usize>> = BTreeMap::new();
    for (_, (_, said)) in sorted {
        if let Said::Linked(linked, person, system, number) = said {
            let of = persons.entry(account(SYSTEMS[*system], *number)).or_default();
            if *linked {
                of.insert(*person)
            } else {
                of.remove(person)
            };
        }
    }
    persons
}

/// Whether a rule that holds joins two systems: the last declaration of each rule counts.
fn joins(said: &[(i64, Said)], one: &str, other: &str) -> bool {
    let mut sorted: Vec<(usize, &(i64, Said))> = said.iter().enumerate().collect();
    sorted.sort_by_key(|(index, (when, _))| (*when, *index));
    let mut held: BTreeMap<usize, bool> = BTreeMap::new();
    for (_, (_, said)) in sorted {
        if let Said::Declared(which, withdrawn) = said {
            held.insert(*which, !withdrawn);
        }
    }
    let covers =
        |which: &usize| JOINED[*which].is_empty() || JOINED[*which].contains(&one) && JOINED[*which].contains(&other);
    held.is_empty() || held.iter().any(|(which, holds)| *holds && covers(which))
}

/// Checks a step against the record that it names.
fn check_step(ledger: &TestLedger, step: &IdentityStep, said: &[(i64, Said)]) -> Result<(), TestCaseError> {
    let (from, to) = (step.from.as_ref().unwrap().id.clone(), step.to.as_ref().unwrap().id.clone());
    let record = ledger.reader().record(counterfoil_verify::tree::RecordIndex(step.record)).unwrap();
    let Some(Body::Event(_)) = &record.body else { panic!("{record:?}") };
    let names = |reference: &Option<Ref>, source| -> BTreeSet<String> {
        reference.iter().flat_map(|one| entities_of(one, source)).map(|one: EntityId| one.to_text()).collect()
    };
    let says = facts_of(&record).any(|fact| {
        let (subject, object) = (names(&fact.fact.subject, fact.source), names(&fact.fact.object, fact.source));
        match fact.fact.kind() {
            FactKind::IdentityLinked => {
                subject.contains(&from) && object.contains(&to) || subject.contains(&to) && object.contains(&from)
            }
            _ => subject.contains(&from) && subject.contains(&to),
        }
    });
    prop_assert!(says, "record {} does not say that {} is {}", step.record, from, to);
    // From a system into another one leads a rule, by an address.
    if let Some(used) = &step.rule {
        prop_assert!(from.starts_with("identifier:"));
        prop_assert_eq!(
            used.rule == "built-in:email",
            !said.iter().any(|(_, said)| matches!(said, Said::Declared(..)))
        );
    }
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 120, failure_persistence: None, ..ProptestConfig::default() })]

    /// Every account that records give to one person alone is theirs; none that is another's is; each step says what it
    /// rests on, and rests on it; and no address leads from one system into another that no rule joins.
    #[test]
    fn what_is_a_persons_rests_on_records_and_rules(said in vec(any_said(), 1..25), at in 0..22i64) {
        let ledger = TestLedger::new();
        write(&ledger, &said);
        let views = ledger.views();
        let query = views.query().unwrap();
        let persons = persons_of(&said, at);
        for (number, person) in PERSONS.iter().enumerate() {
            let members = members(&query, person, at, None);
            let listed: BTreeMap<String, bool> =
                members.iter().map(|member| (id(member), member.contested_by.is_empty())).collect();
            for (account, of) in &persons {
                let is_own = of.contains(&number);
                match (is_own, of.len()) {
                    (true, 1) => prop_assert_eq!(listed.get(account), Some(&true), "{}", account),
                    (true, _) => prop_assert_eq!(listed.get(account), Some(&false), "{}", account),
                    (false, 0) => {}
                    (false, 1) => prop_assert_eq!(listed.get(account), None, "{}", account),
                    (false, _) => {}
                }
            }
            for member in &members {
                let mut here = person.to_string();
                let mut system: Option<String> = None;
                for step in &member.steps {
                    prop_assert_eq!(&step.from.as_ref().unwrap().id, &here, "the steps are a way");
                    check_step(&ledger, step, &said)?;
                    here = step.to.as_ref().unwrap().id.clone();
                    if let Ok(entity) = here.parse::<EntityId>()
                        && entity.kind() == EntityKind::Account
                    {
                        if let (Some(before), Some(_)) = (&system, &step.rule) {
                            prop_assert!(joins(&said, before, entity.system()), "{} and {}", before, entity.system());
                        }
                        system = Some(entity.system().to_owned());
                    }
                }
                prop_assert_eq!(here, id(member), "the steps end there");
            }
        }
    }

    /// Without a mapping, whoever shares an address with somebody is the same one exactly where a rule joins the two.
    #[test]
    fn addresses_join_where_a_rule_says_so(
        names in vec((0..3usize, 1..3usize, 1..4usize), 1..8),
        rules in vec((0..4usize, any::<bool>()), 0..3),
    ) {
        let ledger = TestLedger::new();
        let mut said: Vec<(i64, Said)> = Vec::new();
        // Each account has one address, which nobody else of its system has.
        let mut taken: BTreeMap<(usize, usize), usize> = BTreeMap::new();
        for (system, number, name) in names {
            let is_free = !taken.contains_key(&(system, number)) && !taken.iter().any(|((other, _), held)| *other == system && *held == name);
            if is_free {
                taken.insert((system, number), name);
                said.push((5, Said::Called(system, number, name)));
            }
        }
        said.extend(rules.into_iter().map(|(which, withdrawn)| (6, Said::Declared(which, withdrawn))));
        write(&ledger, &said);
        let views = ledger.views();
        let query = views.query().unwrap();
        let accounts: Vec<((usize, usize), usize)> = taken.into_iter().collect();
        for ((system, number), _) in &accounts {
            // Those that can be reached from one to the next.
            let mut reached = BTreeSet::from([(*system, *number)]);
            let mut has_grown = true;
            while has_grown {
                has_grown = false;
                for (one, name) in &accounts {
                    let is_joined = accounts.iter().any(|(other, same)| {
                        reached.contains(other) && same == name && joins(&said, SYSTEMS[other.0], SYSTEMS[one.0])
                    });
                    has_grown |= is_joined && reached.insert(*one);
                }
            }
            let own = account(SYSTEMS[*system], *number);
            let expected: BTreeSet<String> =
                reached.iter().map(|(system, number)| account(SYSTEMS[*system], *number)).filter(|one| *one != own).collect();
            let found: BTreeSet<String> = theirs(&query, &own, 9).into_iter().collect();
            prop_assert_eq!(found, expected, "{}", own);
        }
    }

    /// The history of a person is that of each member, in one order, each fact once, however it is paged.
    #[test]
    fn a_persons_history_is_that_of_all_that_is_theirs(said in vec(any_said(), 1..25), size in 1..7usize) {
        let ledger = TestLedger::new();
        write(&ledger, &said);
        let views = ledger.views();
        let query = views.query().unwrap();
        let at = occurred(30);
        let mut whose = vec![PERSONS[0].to_owned()];
        whose.extend(members(&query, PERSONS[0], 30, None).iter().map(id));
        let read = |entity_id: &str, person, page| {
            let (entity, period) = (entity(entity_id), Period::ALWAYS);
            query.history(&HistoryRequest { entity, person, period, known: None, page }).unwrap()
        };
        let places = |response: &GetHistoryResponse| -> Vec<(i64, u64, u32)> {
            let place = |entry: &counterfoil_proto::v1::HistoryEntry| {
                let by = entry.evidence.as_ref().unwrap();
                (by.occurred_at.as_ref().unwrap().seconds, by.record, by.fact)
            };
            response.entries.iter().map(place).collect()
        };
        let mut expected: BTreeMap<(i64, u64, u32), BTreeSet<String>> = BTreeMap::new();
        for member in &whose {
            for place in places(&read(member, None, Page::default())) {
                expected.entry(place).or_default().insert(member.clone());
            }
        }
        let mut found = Vec::new();
        let mut token = String::new();
        loop {
            let page = read(PERSONS[0], Some(at), Page { size, token });
            let of = |entry: &counterfoil_proto::v1::HistoryEntry| -> BTreeSet<String> {
                entry.members.iter().map(|member| member.id.clone()).collect()
            };
            found.extend(places(&page).into_iter().zip(page.entries.iter().map(of)));
            token = page.next_page_token;
            if token.is_empty() {
                break;
            }
        }
        prop_assert_eq!(found, expected.into_iter().collect::<Vec<_>>());
    }
}

#[test]
fn rules_hold_by_what_was_known() {
    let ledger = TestLedger::new();
    let (okta, desk) = (account("okta", 1), account("freshservice", 1));
    ledger.at(100).record(vec![
        called(&ledger, 10, &okta, &["ann@example.com"]),
        called(&ledger, 10, &desk, &["ann@example.com"]),
    ]);
    ledger.at(200).record_one(rule("by-mail", 1, &["aws", "okta"], false, 150));
    ledger.at(300).record_one(rule("by-mail", 2, &["freshservice", "okta"], false, 250));
    ledger.at(400).record_one(rule("by-mail", 3, &["freshservice", "okta"], true, 350));
    let views = ledger.views();
    let query = views.query().unwrap();
    // Whatever the moment, the newest rules say how to read what was recorded.
    for at in [20, 1_000] {
        for (known, expected) in [
            (150, Some(("built-in:email", 1))),
            (250, None),
            (350, Some(("rule:people:default:by-mail", 2))),
            (450, None),
        ] {
            let members = members(&query, &okta, at, Some(recorded(known)));
            let used = members.first().and_then(|member| member.steps.last()).and_then(|step| step.rule.clone());
            let used = used.as_ref().map(|used| (used.rule.as_str(), used.version));
            assert_eq!((members.len(), used), (usize::from(expected.is_some()), expected), "known at {known}");
        }
    }
    let state = query.state(&entity("rule:people:default:by-mail"), occurred(260), None).unwrap().state.unwrap();
    let held = state.rule.unwrap();
    assert_eq!((held.version, held.withdrawn, held.systems.len()), (2, false, 2));
}

#[test]
fn a_difference_of_a_person_is_of_what_was_theirs_then() {
    let ledger = TestLedger::new();
    let [okta, aws] = ["okta", "aws"].map(|system| account(system, 1));
    let group = ledger.who(GROUP, &[]);
    ledger.record(vec![
        Native::new("okta", vec![grant(10, ledger.who(&okta, &[]), group.clone(), &[])]),
        link(&ledger, FactKind::IdentityLinked, 20, PERSONS[0], ledger.who(&okta, &[])),
        link(&ledger, FactKind::IdentityLinked, 20, PERSONS[0], ledger.who(&aws, &[])),
        link(&ledger, FactKind::IdentityUnlinked, 40, PERSONS[0], ledger.who(&aws, &[])),
    ]);
    let views = ledger.views();
    let query = views.query().unwrap();
    let differ = |from: i64, at: i64| -> Vec<(String, String, String)> {
        let (before, after) = ((occurred(from), None), (occurred(at), None));
        let diff = query.diff_of_person(&entity(PERSONS[0]), before, after).unwrap();
        let of = |party: &Option<counterfoil_proto::Shared<counterfoil_proto::v1::Party>>| {
            party.as_ref().map(|party| party.id.clone()).unwrap_or_default()
        };
        diff.differences.iter().map(|one| (of(&one.member), one.what.clone(), of(&one.party))).collect()
    };
    let linked = |account: &str| (String::new(), "linked".to_owned(), account.to_owned());
    let held = (okta.clone(), "grant".to_owned(), GROUP.to_owned());
    let gained = differ(15, 30);
    assert!(gained.contains(&held) && gained.contains(&linked(&okta)) && gained.contains(&linked(&aws)), "{gained:?}");
    assert_eq!(differ(30, 35), []);
    let lost = differ(30, 50);
    assert!(lost.contains(&linked(&aws)) && !lost.contains(&held), "{lost:?}");
}
