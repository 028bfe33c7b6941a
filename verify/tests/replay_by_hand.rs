//! The replay, by hand: one small case for each rule.
#![allow(clippy::unwrap_used, reason = "helpers of tests fail as tests do")]

mod support;

use counterfoil_proto::v1::{
    Account, AccountStatus, Completeness, Confidence, CredentialStatus, EntityKind, Fact, FactKind, Grant,
    IdentityType, Record, Ref, Snapshot, Ticket, TicketStatus, fact::Detail,
};
use counterfoil_verify::fact::entity_set;
use counterfoil_verify::replay::replay;
use counterfoil_verify::state::State;
use counterfoil_verify::tree::TreeSize;
use support::*;

const U1: &str = "account:okta:acme:u1";
const G1: &str = "entitlement:okta:acme:group_member/g1";

fn state(entity: &str, records: &[Record], at_seconds: i64, known: u64) -> State {
    replay(&entity.parse().unwrap(), records, at(at_seconds), TreeSize(known))
}

fn grant(kind: FactKind, seconds: i64) -> Fact {
    Fact { subject: Some(account("u1")), object: Some(group("g1")), ..fact(kind, seconds) }
}

fn of_account(kind: FactKind, seconds: i64, reversible: bool) -> Fact {
    let changed = vec!["title".into()];
    let detail = Account { changed, reversible, ..Account::default() };
    Fact { subject: Some(account("u1")), detail: Some(Detail::Account(detail)), ..fact(kind, seconds) }
}

fn seen(seconds: i64, object: Option<Ref>, completeness: Completeness) -> Fact {
    Fact {
        subject: Some(account("u1")),
        object,
        confidence: Confidence::Snapshot.into(),
        detail: Some(Detail::Snapshot(Snapshot { completeness: completeness.into(), ..Snapshot::default() })),
        ..fact(FactKind::SnapshotItem, seconds)
    }
}

#[test]
fn a_late_fact_changes_what_was_true_and_not_what_was_known() {
    let records = [
        record_of(1, vec![grant(FactKind::GrantAdded, 10)]),
        // Learned last, happened in between.
        record_of(2, vec![grant(FactKind::GrantRemoved, 30)]),
        record_of(3, vec![grant(FactKind::GrantRemoved, 20)]),
    ];
    for (at, known, held) in [
        (9, 4, false),
        (10, 4, true),
        (10, 1, false),
        (25, 3, true),
        (25, 4, false),
        (30, 2, true),
        (30, 3, false),
        (i64::MAX, 0, false),
    ] {
        assert_eq!(state(U1, &records, at, known).grants.len(), usize::from(held), "at {at}, known {known}");
        assert_eq!(state(G1, &records, at, known).grants.len(), usize::from(held), "the other end at {at}, {known}");
    }
}

#[test]
fn a_modified_grant_keeps_what_it_is_not_told() {
    let with = |kind, seconds, grant_detail: Grant| {
        let detail = (grant_detail != Grant::default()).then_some(Detail::Grant(grant_detail));
        record_of(seconds as u64, vec![Fact { detail, ..grant(kind, seconds) }])
    };
    let first = Grant { expires_at: Some(time(100)), mode: 2, inherited_via: Some(group("g0")), conditional: false };
    let added = with(FactKind::GrantAdded, 1, first.clone());
    let check = |change: Grant, expected: Grant| {
        let records = [added.clone(), with(FactKind::GrantModified, 2, change.clone())];
        let held = &state(U1, &records, 5, 9).grants["entitlement:okta:acme:group_member/g1 "];
        assert_eq!(held.grant.as_ref(), Some(&expected), "{change:?}");
        assert_eq!(held.inherited_via, "entitlement:okta:acme:group_member/g0", "{change:?}");
        assert_eq!(held.evidence.index, 2);
    };
    check(Grant::default(), first.clone());
    check(Grant { mode: 1, ..Grant::default() }, Grant { mode: 1, ..first.clone() });
    check(
        Grant { expires_at: Some(time(200)), ..Grant::default() },
        Grant { expires_at: Some(time(200)), ..first.clone() },
    );
    check(Grant { conditional: true, ..Grant::default() }, Grant { conditional: true, ..first });
}

#[test]
fn a_listing_never_overrides_a_log() {
    let logged = || record_of(1, vec![grant(FactKind::GrantAdded, 10)]);
    let expiring = Some(Detail::Grant(Grant { expires_at: Some(time(99)), ..Grant::default() }));
    let logged_until = record_of(1, vec![Fact { detail: expiring, ..grant(FactKind::GrantAdded, 10) }]);
    let listed = |index, seconds| {
        record_of(
            index,
            vec![seen(seconds, None, Completeness::Complete), seen(seconds, Some(group("g1")), Completeness::Complete)],
        )
    };
    let of =
        |records: &[Record]| state(U1, records, 100, 99).grants.get("entitlement:okta:acme:group_member/g1 ").cloned();
    let held = of(&[logged_until, listed(2, 20)]).unwrap();
    assert_eq!((held.evidence.index, held.confidence()), (1, Confidence::Explicit));
    assert_eq!(held.grant.unwrap().expires_at, Some(time(99)), "its expiry is the log's");
    // A listing that does not have it takes nothing away.
    let other = record_of(2, vec![seen(20, None, Completeness::Complete)]);
    assert!(of(&[logged(), other]).is_some());
    // Seen first, then logged: the log takes over.
    assert_eq!(of(&[listed(2, 5), logged()]).unwrap().confidence(), Confidence::Explicit);
    // Seen after the log removed it: shown, on the listing's word.
    let removed = record_of(2, vec![grant(FactKind::GrantRemoved, 20)]);
    assert_eq!(of(&[logged(), removed, listed(3, 30)]).unwrap().confidence(), Confidence::Snapshot);
}

#[test]
fn only_a_version_that_lists_everything_takes_back_what_was_seen() {
    let keys = |records: &[Record]| state(U1, records, 100, 99).grants.into_keys().collect::<Vec<_>>();
    let g = |id: &str| format!("entitlement:okta:acme:group_member/{id} ");
    use Completeness::{Complete, NotAListing};
    // Items of several listings, each in a record of its own: none hides another.
    let one = |index, id| record_of(index, vec![seen(10 + index as i64, Some(group(id)), NotAListing)]);
    assert_eq!(keys(&[one(1, "g1"), one(2, "g2")]), [g("g1"), g("g2")]);
    // A version of the account that says nothing of what it holds hides nothing.
    assert_eq!(keys(&[one(1, "g1"), record_of(2, vec![seen(50, None, NotAListing)])]), [g("g1")]);
    // A complete version replaces what was seen before, also where it spans two records.
    let version = [
        record_of(3, vec![seen(60, None, Complete), seen(60, Some(group("g3")), Complete)]),
        record_of(4, vec![seen(60, Some(group("g4")), Complete)]),
    ];
    assert_eq!(keys(&[&[one(1, "g1")], &version[..]].concat()), [g("g3"), g("g4")]);
}

#[test]
fn a_credential_that_was_listed_is_no_grant() {
    let listed = seen(10, Some(credential("k1")), Completeness::NotAListing);
    let held = state(U1, &[record_of(1, vec![listed.clone()])], 100, 99);
    assert_eq!((held.grants.len(), held.credentials.len()), (0, 0));
    assert_eq!(held.account.unwrap().status(), AccountStatus::Seen, "and its owner is there");
    let of_credential = state("credential:okta:acme:api_token/k1", &[record_of(1, vec![listed])], 100, 99);
    assert_eq!(of_credential, State::default());
}

#[test]
fn the_status_of_an_account() {
    use FactKind::*;
    let check = |kinds: &[(FactKind, bool)], expected: (AccountStatus, bool, bool)| {
        let facts = (0..).zip(kinds).map(|(seconds, (kind, reversible))| of_account(*kind, seconds, *reversible));
        let account = state(U1, &[record_of(1, facts.collect())], 100, 2).account.unwrap();
        assert_eq!((account.status(), account.locked, account.reversible), expected, "{kinds:?}");
    };
    use AccountStatus::*;
    check(&[(AccountUpdated, false)], (Seen, false, false));
    check(&[(AccountCreated, false)], (Created, false, false));
    check(&[(AccountCreated, false), (AccountEnabled, false)], (Enabled, false, false));
    check(&[(AccountEnabled, false), (AccountLocked, false)], (Enabled, true, false));
    check(&[(AccountLocked, false), (AccountUnlocked, false)], (Seen, false, false));
    check(&[(AccountDisabled, true)], (Disabled, false, true));
    check(&[(AccountDisabled, true), (AccountUpdated, false)], (Disabled, false, true));
    check(&[(AccountDisabled, true), (AccountDisabled, false)], (Disabled, false, false));
    check(&[(AccountDisabled, true), (AccountEnabled, false)], (Enabled, false, false));
    check(&[(AccountDisabled, true), (AccountDeleted, false)], (Deleted, false, false));
    check(&[(AccountUpdated, true)], (Seen, false, false));
}

#[test]
fn a_use_is_no_status() {
    let of =
        |kind, seconds| Fact { subject: Some(account("u1")), object: Some(credential("c1")), ..fact(kind, seconds) };
    let used = record_of(4, vec![of(FactKind::CredentialUsed, 10)]);
    let known_by_its_use =
        &state(U1, std::slice::from_ref(&used), 100, 99).credentials["credential:okta:acme:api_token/c1"];
    assert_eq!((known_by_its_use.status(), known_by_its_use.evidence.index), (CredentialStatus::Unspecified, 4));
    let revoked = record_of(5, vec![of(FactKind::CredentialRevoked, 5)]);
    let held = &state(U1, &[used, revoked], 100, 99).credentials["credential:okta:acme:api_token/c1"];
    assert_eq!((held.status(), held.evidence.index), (CredentialStatus::Revoked, 5));
    assert_eq!(held.last_used.unwrap().index, 4);
}

#[test]
fn an_identity_type_comes_from_what_bears_on_the_entity() {
    let bot = Ref { identity_type: IdentityType::Bot.into(), ..account("u1") };
    let facts = vec![
        Fact { subject: Some(bot.clone()), ..of_account(FactKind::AccountCreated, 1, false) },
        Fact {
            subject: Some(Ref { identity_type: IdentityType::Human.into(), ..bot }),
            object: Some(ticket("t1")),
            ..fact(FactKind::TicketOpened, 2)
        },
    ];
    assert_eq!(state(U1, &[record_of(1, facts)], 10, 9).identity_type(), IdentityType::Bot);
}

#[test]
fn a_closing_fact_closes_a_ticket_that_gives_no_status() {
    let of = |kind, seconds, status: TicketStatus| Fact {
        object: Some(ticket("t1")),
        detail: Some(Detail::Ticket(Ticket { r#type: 1, status: status.into(), ..Ticket::default() })),
        ..fact(kind, seconds)
    };
    for (kind, given, expected) in [
        (FactKind::TicketCancelled, TicketStatus::Unspecified, TicketStatus::Cancelled),
        (FactKind::TicketClosed, TicketStatus::Unspecified, TicketStatus::Closed),
        (FactKind::TicketClosed, TicketStatus::Resolved, TicketStatus::Resolved),
        (FactKind::TicketUpdated, TicketStatus::Unspecified, TicketStatus::Open),
    ] {
        let records = [record_of(1, vec![of(FactKind::TicketOpened, 1, TicketStatus::Open), of(kind, 2, given)])];
        let ticket = state("ticket:okta:acme:ticket/t1", &records, 9, 9).ticket.unwrap();
        assert_eq!(ticket.version.status(), expected, "{kind:?}");
        assert_eq!(ticket.opened.unwrap().fact, 0);
    }
}

#[test]
fn the_same_moment_applies_in_the_order_of_the_log() {
    let removed_last = [record_of(1, vec![grant(FactKind::GrantAdded, 5), grant(FactKind::GrantRemoved, 5)])];
    assert!(state(U1, &removed_last, 5, 9).grants.is_empty());
    let added_last =
        [record_of(2, vec![grant(FactKind::GrantAdded, 5)]), record_of(1, vec![grant(FactKind::GrantRemoved, 5)])];
    assert_eq!(state(U1, &added_last, 5, 9).grants.len(), 1);
}

#[test]
fn an_id_and_its_identifiers_are_not_mixed_up() {
    let both = Ref { tokens: vec![vec![9; 16]], ..account("u1") };
    let records = [record_of(1, vec![Fact { subject: Some(both), ..grant(FactKind::GrantAdded, 1) }])];
    let token = format!("identifier:{}", "09".repeat(16));
    assert_eq!(state(U1, &records, 5, 9).grants.len(), 1);
    assert_eq!(state(&token, &records, 5, 9), State::default(), "the id bears the grant, the identifier only belongs");
    assert!(entity_set(&records[0]).contains(&token.parse().unwrap()));
    assert_eq!(state(G1, &records, 5, 9).grants.into_keys().collect::<Vec<_>>(), [format!("{U1} ")]);
}

#[test]
fn what_is_taken_by_id_is_taken_from_the_identifiers_too() {
    let ends = |subject: Ref, kind, seconds| {
        record_of(seconds as u64, vec![Fact { subject: Some(subject), ..grant(kind, seconds) }])
    };
    let login = known_as(EntityKind::Account, 9);
    let both = Ref { tokens: login.tokens.clone(), ..account("u1") };
    let token = format!("identifier:{}", "09".repeat(16));
    for kind in [FactKind::GrantRemoved, FactKind::GrantExpired] {
        let given = [ends(login.clone(), FactKind::GrantAdded, 1), ends(account("u1"), FactKind::GrantAdded, 2)];
        let held = |taken: Record| {
            let records = [&given[..], &[taken]].concat();
            [U1, token.as_str(), G1].map(|entity| state(entity, &records, 9, 9).grants.len())
        };
        assert_eq!(held(ends(both.clone(), kind, 3)), [0, 0, 0]);
        assert_eq!(held(ends(account("u1"), kind, 3)), [0, 1, 1], "nothing says whose the login is");
        assert_eq!(held(ends(login.clone(), kind, 3)), [1, 0, 1], "a login may be given to somebody else");
    }
}

#[test]
fn an_entitlement_that_is_removed_says_so_until_it_is_defined_again() {
    let of_group =
        |kind, seconds| record_of(seconds as u64, vec![Fact { object: Some(group("g1")), ..fact(kind, seconds) }]);
    let records = [
        of_group(FactKind::EntitlementDefined, 1),
        record_of(2, vec![grant(FactKind::GrantAdded, 2)]),
        of_group(FactKind::EntitlementRemoved, 3),
        of_group(FactKind::EntitlementChanged, 4),
        of_group(FactKind::EntitlementRemoved, 5),
        of_group(FactKind::EntitlementDefined, 6),
    ];
    let removed = |at| state(G1, &records, at, 9).removed.map(|by| by.index);
    assert_eq!([1, 2, 3, 4, 5, 6].map(removed), [None, None, Some(3), None, Some(5), None]);
    assert_eq!(state(G1, &records, 3, 9).grants.len(), 1, "that the group is gone is no removal of a member");
}
