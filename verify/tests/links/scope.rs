//! Whom and what a ticket is for.

use crate::cases::*;
use crate::support::*;
use std::sync::Arc;

use counterfoil_proto::v1::{
    AccessItem, AccessOperation, Correlation, Delivery, Entitlement, EntityKind, Fact, FactKind, Ref, Verdict,
    fact::Detail,
};
use counterfoil_verify::link::{Candidate, Change, explicit_tickets, judge_explicit, judge_window};
use counterfoil_verify::replay::facts_of;
use counterfoil_verify::state::ItemState;
use counterfoil_verify::ticket::TicketHistory;

#[test]
fn what_an_item_covers() {
    let name = known_as(EntityKind::Entitlement, 5);
    let named_text = format!("identifier:{}", "05".repeat(16));
    let both = Ref { tokens: vec![vec![5; 16]], ..group("g1") };
    let elsewhere = Ref { system: "github".into(), instance: "acme".into(), ..group("g1") };
    let of = |kind, object: Option<Ref>| Fact { subject: Some(account("u1")), object, ..fact(kind, CHANGED) };
    use FactKind as K;
    let add = AccessOperation::Add;
    let remove = AccessOperation::Remove;
    // The change; what the ticket's item asks for; its target, if any; whether it covers the change.
    for (fact, operation, target_type, target, covered) in [
        (of(K::GrantAdded, Some(group("g1"))), add, "okta:group_member", Some(G1), true),
        (of(K::GrantModified, Some(group("g1"))), add, "okta:group_member", Some(G1), true),
        (of(K::GrantRemoved, Some(group("g1"))), remove, "okta:group_member", Some(G1), true),
        (of(K::GrantRemoved, Some(group("g1"))), add, "okta:group_member", Some(G1), false),
        (of(K::GrantExpired, Some(group("g1"))), remove, "okta:group_member", Some(G1), true),
        // A ticket may know a name alone, the change both.
        (of(K::GrantAdded, Some(both.clone())), add, "okta:group_member", Some(named_text.as_str()), true),
        (of(K::GrantAdded, Some(name.clone())), add, "okta:group_member", Some(named_text.as_str()), true),
        (of(K::GrantAdded, Some(name)), add, "okta:group_member", Some(G1), false),
        (of(K::GrantAdded, Some(elsewhere.clone())), add, "okta:group_member", Some(G1), false),
        (of(K::GrantAdded, Some(elsewhere.clone())), add, "github:group_member", None, true),
        (of(K::GrantAdded, Some(elsewhere)), add, "okta:group_member", None, false),
        // Accounts have no object: any account of the system is meant.
        (of(K::AccountCreated, None), add, "okta:account", None, true),
        (of(K::AccountEnabled, None), add, "okta:account", None, true),
        (of(K::AccountDisabled, None), remove, "okta:account", None, true),
        (of(K::AccountDeleted, None), add, "okta:account", None, false),
        (of(K::AccountCreated, None), add, "github:account", None, false),
        (of(K::CredentialCreated, Some(credential("c1"))), add, "okta:api_token", None, true),
        (of(K::CredentialRevoked, Some(credential("c1"))), remove, "okta:api_token", None, true),
        (of(K::CredentialExpired, Some(credential("c1"))), remove, "okta:api_token", None, true),
        (of(K::CredentialExpired, Some(credential("c1"))), add, "okta:api_token", None, false),
    ] {
        let mut ticket = approved();
        let item = AccessItem { operation: operation.into(), target_type: target_type.into(), ..AccessItem::default() };
        let other = ItemState { item: item.clone(), targets: vec!["ticket:x:y:z".into()] };
        ticket.items = vec![other, ItemState { item, targets: target.map(str::to_owned).into_iter().collect() }];
        let judgement = judge(fact.clone(), &ticket, LIVE, judge_explicit);
        let expected = if covered { Verdict::Approved } else { Verdict::OutOfScope };
        assert_eq!(judgement.verdict, expected, "{:?} {operation:?} {target_type} {target:?}", fact.kind());
        assert_eq!(judge(fact, &ticket, LIVE, judge_window).is_some(), covered);
    }
}

#[test]
fn the_tickets_that_a_change_names() {
    let elsewhere = Ref { system: "freshservice".into(), instance: "acme".into(), ..ticket("7") };
    let tickets = vec![ticket("1042"), elsewhere, known_as(EntityKind::Ticket, 1)];
    let fact = Fact { correlation: Some(Correlation { tickets, ..Correlation::default() }), ..grant_of(group("g1")) };
    let record = record_of(1, vec![fact, grant_of(group("g1"))]);
    let named: Vec<Vec<String>> =
        facts_of(&record).map(|fact| explicit_tickets(&fact).iter().map(ToString::to_string).collect()).collect();
    let token = format!("identifier:{}", "01".repeat(16));
    assert_eq!(named[0], ["ticket:okta:acme:ticket/1042", "ticket:freshservice:acme:ticket/7", &token]);
    assert_eq!(named[1], [""; 0]);
}

/// Who the ticket was for when it was opened, and whose access changed: the same only if nothing says otherwise.
#[test]
fn who_a_ticket_is_for() {
    /// What it is; whether the change names its subject by id; who stood for that; whom the ticket was for; the same?
    type Case = (&'static str, bool, &'static [&'static str], &'static [&'static str], bool);
    const PERSON: &str = "person:hr:acme:7";
    const U2: &str = "account:okta:acme:u2";
    const DESK: &str = "account:freshservice:acme:5";
    const OTHER_DESK: &str = "account:freshservice:acme:6";
    const BY_ID: &[&str] = &[U1, ID1, DESK];
    const BY_NAME: &[&str] = &[ID1, U1, DESK];
    let cases: &[Case] = &[
        ("the account itself", true, BY_ID, &[U1], true),
        ("the account, whose desk account is another now", true, BY_ID, &[U1, OTHER_DESK], true),
        ("a desk account with the same identifier", true, BY_ID, &[DESK, ID1], true),
        ("an identifier that meant nobody there yet", true, BY_ID, &[ID1], true),
        ("an identifier that meant another account then", true, BY_ID, &[ID1, U2], false),
        ("a desk account shared, another account then", true, BY_ID, &[DESK, ID1, U2], false),
        ("two accounts of one person", true, &[U1, PERSON], &[U2, PERSON, U1], true),
        ("nobody known", true, BY_ID, &["identifier:00000000000000000000000000000000"], false),
        ("named by an identifier alone", false, BY_NAME, &[ID1], true),
        ("named so, another account then", false, BY_NAME, &[ID1, U2], false),
        ("named so, the same account then", false, BY_NAME, &[ID1, U1, OTHER_DESK], true),
    ];
    for (what, has_id, change, ticket, expected) in cases {
        let subject = if *has_id { account("u1") } else { known_as(EntityKind::Account, 0xff) };
        let record = record_of(CHANGE_INDEX, vec![Fact { subject: Some(subject), ..grant_of(group("g1")) }]);
        let stood_for = entities(change);
        let change = Change::new(facts_of(&record).next().unwrap(), Delivery::Live, &stood_for);
        let state = approved();
        let beneficiary = entities(ticket);
        let history = TicketHistory { last: Arc::new(state), ..TicketHistory::default() };
        let candidate = Candidate {
            history: &history,
            beneficiary: &beneficiary,
            edited_beneficiary: &beneficiary,
            delivery: Delivery::Live,
        };
        let verdict = judge_explicit(&change, &candidate).verdict;
        assert_eq!(verdict, if *expected { Verdict::Approved } else { Verdict::OtherBeneficiary }, "{what}");
        assert_eq!(judge_window(&change, &candidate).is_some(), *expected, "{what}");
    }
}

/// What an entitlement comes to mean is about nobody in particular: a ticket that the change names has to be about this
/// entitlement, and to ask for all that it gains and loses.
#[test]
fn a_changed_entitlement_is_covered_by_all_its_items() {
    const ROLE: &str = "entitlement:okta:acme:role/ORG_ADMIN";
    const OTHER: &str = "entitlement:okta:acme:role/OTHER";
    let (add, remove) = (AccessOperation::Add, AccessOperation::Remove);
    let role = |id: &str| reference(EntityKind::Entitlement, &format!("role/{id}"));
    let gains = Entitlement { implies_added: vec![role("ORG_ADMIN")], ..Entitlement::default() };
    let loses = Entitlement { implies_removed: vec![role("ORG_ADMIN")], ..Entitlement::default() };
    let swaps = Entitlement { implies_removed: vec![role("OTHER")], ..gains.clone() };
    type Asked<'a> = &'a [(AccessOperation, &'a str)];
    let cases: &[(&str, &Entitlement, Asked<'_>, Option<&str>, Verdict)] = &[
        ("the role and the group", &gains, &[(add, ROLE), (add, G1)], None, Verdict::Approved),
        ("the role, for the group", &gains, &[(add, ROLE)], Some(G1), Verdict::Approved),
        ("the role, for somebody", &gains, &[(add, ROLE)], Some(U1), Verdict::OutOfScope),
        ("the role, for nobody", &gains, &[(add, ROLE)], None, Verdict::OutOfScope),
        ("membership in the group", &gains, &[(add, G1)], Some(U1), Verdict::OutOfScope),
        ("another role", &gains, &[(add, OTHER)], Some(G1), Verdict::OutOfScope),
        ("the opposite", &gains, &[(remove, ROLE)], Some(G1), Verdict::OutOfScope),
        ("its removal", &loses, &[(remove, ROLE)], Some(G1), Verdict::Approved),
        ("the opposite of its removal", &loses, &[(add, ROLE)], Some(G1), Verdict::OutOfScope),
        ("half of a swap", &swaps, &[(add, ROLE)], Some(G1), Verdict::OutOfScope),
        ("a swap", &swaps, &[(add, ROLE), (remove, OTHER)], Some(G1), Verdict::Approved),
    ];
    for (what, detail, asked, beneficiary, expected) in cases {
        let detail = Some(Detail::Entitlement((*detail).clone()));
        let fact = Fact { object: Some(group("g1")), detail, ..fact(FactKind::EntitlementChanged, CHANGED) };
        let mut ticket = approved();
        ticket.beneficiary = beneficiary.iter().map(|one| (*one).to_owned()).collect();
        let item = |(operation, target): &(AccessOperation, &str)| ItemState {
            item: AccessItem { operation: (*operation).into(), ..AccessItem::default() },
            targets: vec![(*target).to_owned()],
        };
        ticket.items = asked.iter().map(item).collect();
        assert_eq!(judge(fact.clone(), &ticket, LIVE, judge_explicit).verdict, *expected, "{what}");
    }
}

/// Access that was asked for up to a moment is also approved to be taken away then, and not before.
#[test]
fn the_end_of_access_is_approved_with_it() {
    let mut ticket = approved();
    ticket.items[0].item.until = Some(time(CHANGED));
    for (seconds, expected) in
        [(CHANGED - 61, Verdict::OutOfScope), (CHANGED - 60, Verdict::Approved), (CHANGED + 99_999, Verdict::Approved)]
    {
        let removed =
            Fact { subject: Some(account("u1")), object: Some(group("g1")), ..fact(FactKind::GrantRemoved, seconds) };
        assert_eq!(judge(removed, &ticket, LIVE, judge_explicit).verdict, expected, "{seconds}");
    }
    ticket.items[0].item.until = None;
    let removed =
        Fact { subject: Some(account("u1")), object: Some(group("g1")), ..fact(FactKind::GrantRemoved, CHANGED) };
    assert_eq!(judge(removed, &ticket, LIVE, judge_explicit).verdict, Verdict::OutOfScope);
}

#[test]
fn whoever_it_is_for_has_to_be_known() {
    // A credential without an owner: nobody knows for whom the ticket was.
    let created = Fact { object: Some(credential("c1")), ..fact(FactKind::CredentialCreated, CHANGED) };
    let mut ticket = approved();
    ticket.items[0].targets = vec!["credential:okta:acme:api_token/c1".into()];
    assert_eq!(judge(created.clone(), &ticket, LIVE, judge_explicit).verdict, Verdict::ApprovedUnspecific);
    assert_eq!(judge(created, &ticket, LIVE, judge_window), None);
}
