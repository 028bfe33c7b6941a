//! The first days: the groups are made, the first administrator and the provisioner are set up, and every employee's
//! account and department access is entered again under a ticket of its own, so that every grant in the log is explained.

use jiff::{SignedDuration, Timestamp};

use crate::action::{Basis, Deed, Executor};
use crate::approvals::{Pace, Panel};
use crate::calendar::{hours, minutes, seconds};
use crate::case::{CaseIndex, Operation, Request};
use crate::chronicle::Chronicle;
use crate::cloud::plots;
use crate::company::{AUTOMATION, Access, IdentityIndex, READING_CIRCLE};
use crate::names::{APPS, ROLES};
use crate::random::Random;
use crate::truth::Verdict;

pub(crate) fn play(chronicle: &mut Chronicle) {
    let start = chronicle.span.start;
    make_groups(chronicle, start + hours(5));
    plots::set_up(chronicle, start + hours(5));
    let founder = chronicle.company.admins[0];
    set_up_founder(chronicle, founder, start + hours(6));
    set_up_provisioner(chronicle, founder, start + hours(9));

    let employees =
        chronicle.company.people().filter(|who| *who != founder && chronicle.company.of(*who).from == start);
    for who in employees.collect::<Vec<_>>() {
        let opened_at = start + hours(6) + minutes(chronicle.random.between(0, 90));
        let mut items = chronicle.company.baseline(chronicle.company.of(who).department);
        let admin_roles = chronicle.company.admins.contains(&who).then(|| vec![role("ORG_ADMIN"), role("APP_ADMIN")]);
        items.extend(admin_roles.iter().flatten().map(|role| Access::Role(*role)));
        items.extend(plots::first_access(&chronicle.company, who));
        let (case, _) = enter(chronicle, who, items.clone(), opened_at);
        let at = start + hours(13) + seconds(chronicle.random.between(0, 55 * 3600));
        chronicle.company.identities[who.0].from = at;
        let provisioner = chronicle.provisioner(at);
        items.retain(|item| !matches!(item, Access::Role(_)));
        let end = give_all(chronicle, at, provisioner, who, &items, Basis::explicit(Verdict::Approved, case));
        if let Some(roles) = admin_roles {
            chronicle.give_roles(end, provisioner, who, roles, Basis::explicit(Verdict::Approved, case));
        }
    }
}

/// Gives everything under one basis, a few seconds apart. Returns the moment after the last.
pub(crate) fn give_all(
    chronicle: &mut Chronicle,
    mut at: Timestamp,
    executor: Executor,
    subject: IdentityIndex,
    items: &[Access],
    basis: Basis,
) -> Timestamp {
    for item in items {
        chronicle.give(at, executor, subject, *item, basis);
        at += pause(&mut chronicle.random);
    }
    at
}

/// Two to six seconds, to the millisecond.
pub(crate) fn pause(random: &mut Random) -> SignedDuration {
    SignedDuration::from_millis(random.between(2000, 6000))
}

/// The index of an administrator role.
pub(crate) fn role(code: &str) -> usize {
    ROLES.iter().position(|(known, _)| *known == code).expect("the role is one of Okta's")
}

fn make_groups(chronicle: &mut Chronicle, mut at: Timestamp) {
    let founder = chronicle.company.admins[0];
    for group in 0..chronicle.company.groups.len() {
        chronicle.act(at, Executor::System, founder, Deed::CreateGroup(group), None);
        at += pause(&mut chronicle.random);
    }
    let app = APPS.len() - 1;
    chronicle.act(at, Executor::System, founder, Deed::AssignGroupApp { group: READING_CIRCLE, app }, None);
}

fn set_up_founder(chronicle: &mut Chronicle, founder: IdentityIndex, opened_at: Timestamp) {
    let mut items = chronicle.company.baseline(chronicle.company.of(founder).department);
    items.push(Access::Role(role("SUPER_ADMIN")));
    let in_cloud = plots::first_access(&chronicle.company, founder);
    let all = items.iter().chain(&in_cloud).copied().collect();
    let (case, approved_at) = enter(chronicle, founder, all, opened_at);
    let at = approved_at + minutes(2);
    chronicle.company.identities[founder.0].from = at;
    let at = give_all(chronicle, at, Executor::System, founder, &items, Basis::explicit(Verdict::Approved, case));
    // The root user cannot name a ticket.
    give_all(chronicle, at, Executor::System, founder, &in_cloud, Basis::window(case));
}

/// The founder makes the account in the console; the account then makes its own token.
fn set_up_provisioner(chronicle: &mut Chronicle, founder: IdentityIndex, opened_at: Timestamp) {
    let provisioner = chronicle.company.provisioner;
    let by_hand = [Access::Account, Access::Group(AUTOMATION), Access::Role(role("ORG_ADMIN"))];
    let items = by_hand.into_iter().chain([Access::ApiToken]).collect();
    let (case, approved_at) = enter(chronicle, provisioner, items, opened_at);
    let basis = Basis::explicit(Verdict::Approved, case);
    let at = approved_at + minutes(3);
    chronicle.company.identities[provisioner.0].from = at;
    let ready = give_all(chronicle, at, Executor::Console(founder), provisioner, &by_hand, basis);
    chronicle.give(ready, Executor::Console(provisioner), provisioner, Access::ApiToken, basis);
    chronicle.provisioner_tokens.push((ready, chronicle.tokens.len() - 1));
}

fn enter(
    chronicle: &mut Chronicle,
    who: IdentityIndex,
    items: Vec<Access>,
    opened_at: Timestamp,
) -> (CaseIndex, Timestamp) {
    let request = Request {
        // The heads of IT and of operations ask for all; each for the other.
        requester: IdentityIndex(usize::from(who.0 == 0)),
        beneficiary: who,
        items,
        operation: Operation::Add,
        subject: format!("Migration: access of {}", chronicle.company.of(who).display_name()),
        justification: "Existing access, entered again for the new directory",
        opened_at,
    };
    chronicle.approved(request, Panel::Single, Pace::Prompt)
}
