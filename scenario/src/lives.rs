//! What happens to identities over time: joining, moving, pausing, leaving, and the lives of service accounts and agents.
//! Each is a ticket and what was done under it. Plants the access that a mover and a leaver keep.

use jiff::Timestamp;

use crate::action::{Basis, Deed, Executor};
use crate::approvals::{Pace, Panel};
use crate::calendar::{days, hours, minutes, working};
use crate::case::{CaseIndex, Operation, Request};
use crate::chronicle::Chronicle;
use crate::cloud::plots;
use crate::company::{AUTOMATION, Access, IdentityIndex};
use crate::migration::{give_all, pause};
use crate::truth::{KeptReason, Verdict};

/// Everybody who comes, and every machine.
pub(crate) fn arrivals(chronicle: &mut Chronicle) {
    let start = chronicle.span.start;
    let joiners: Vec<_> =
        chronicle.company.people().filter(|who| chronicle.company.of(*who).from > start + days(11)).collect();
    for who in joiners {
        join(chronicle, who);
    }
    for who in chronicle.company.services.clone() {
        start_service(chronicle, who);
    }
    for who in chronicle.company.agents.clone() {
        start_agent(chronicle, who);
    }
    start_ghost(chronicle);
    renew_provisioner_token(chronicle);
}

/// Everybody who changes department or takes a break.
pub(crate) fn changes(chronicle: &mut Chronicle) {
    for n in 0..chronicle.company.movers.len() {
        move_department(chronicle, n);
    }
    for n in 0..chronicle.company.breaks.len() {
        take_break(chronicle, n);
    }
}

/// Everybody who leaves; last of all, so that whatever they hold is known.
pub(crate) fn departures(chronicle: &mut Chronicle) {
    let leavers: Vec<_> =
        chronicle.company.people().filter_map(|who| Some((who, chronicle.company.of(who).until?))).collect();
    for (n, (who, at)) in leavers.into_iter().enumerate() {
        leave(chronicle, who, at, n == 0);
    }
}

fn join(chronicle: &mut Chronicle, who: IdentityIndex) {
    let at = chronicle.company.of(who).from;
    let mut items = chronicle.company.baseline(chronicle.company.of(who).department);
    items.extend(plots::first_access(&chronicle.company, who));
    let subject = format!("Onboarding of {}", chronicle.company.of(who).display_name());
    let (case, _) = ask(chronicle, who, items.clone(), Operation::Add, subject, at - days(8), Panel::Single);
    let provisioner = chronicle.provisioner(at);
    give_all(chronicle, at, provisioner, who, &items, Basis::explicit(Verdict::Approved, case));
}

fn start_service(chronicle: &mut Chronicle, who: IdentityIndex) {
    let subject = format!("New {}", chronicle.company.of(who).display_name());
    let group = *chronicle.random.pick(&chronicle.company.elective_groups);
    let mut given = vec![Access::Account, Access::Group(AUTOMATION), Access::Group(group)];
    given.extend(plots::first_access_of_service(who));
    let items = given.iter().copied().chain([Access::ApiToken]).collect();
    let opened_at = chronicle.company.of(who).from - days(2);
    let (case, approved_at) = ask(chronicle, who, items, Operation::Add, subject, opened_at, Panel::TwoLevels);
    let at = approved_at + minutes(chronicle.random.between(5, 300));
    chronicle.company.identities[who.0].from = at;
    let basis = Basis::explicit(Verdict::Approved, case);
    let provisioner = chronicle.provisioner(at);
    let ready = give_all(chronicle, at, provisioner, who, &given, basis);
    chronicle.give(ready, Executor::Console(who), who, Access::ApiToken, basis);
}

/// An agent has a service login, an OAuth client and a token of its own, with which it executes what others approved.
fn start_agent(chronicle: &mut Chronicle, who: IdentityIndex) {
    let subject = format!("New AI agent: {}", chronicle.company.of(who).display_name());
    let given = [Access::Account, Access::Group(AUTOMATION)];
    let items = given.into_iter().chain([Access::OauthClient, Access::ApiToken]).collect();
    let opened_at = chronicle.company.of(who).from - days(2);
    let (case, approved_at) = ask(chronicle, who, items, Operation::Add, subject, opened_at, Panel::TwoLevels);
    let at = approved_at + minutes(chronicle.random.between(5, 60));
    chronicle.company.identities[who.0].from = at;
    let basis = Basis::explicit(Verdict::Approved, case);
    let provisioner = chronicle.provisioner(at);
    let ready = give_all(chronicle, at, provisioner, who, &given, basis);
    let admin = chronicle.admin(who);
    chronicle.give(ready + minutes(4), admin, who, Access::OauthClient, basis);
    chronicle.give(ready + minutes(9), Executor::Console(who), who, Access::ApiToken, basis);
    chronicle.agent_tokens.push((ready + minutes(10), chronicle.tokens.len() - 1));
    chronicle.agent_tokens.sort();
}

/// An account that an administrator made for an old script, without a word to anybody.
fn start_ghost(chronicle: &mut Chronicle) {
    let ghost = chronicle.company.ghost;
    let at = chronicle.company.of(ghost).from;
    let admin = chronicle.admin(ghost);
    give_all(chronicle, at, admin, ghost, &[Access::Account, Access::Group(AUTOMATION)], Basis::NONE);
}

/// Halfway through, the provisioner gets a new token and gives the old one up.
fn renew_provisioner_token(chronicle: &mut Chronicle) {
    if chronicle.span.days() < 56 {
        return;
    }
    let who = chronicle.company.provisioner;
    let subject = "Yearly renewal of the provisioner's token".to_owned();
    let opened_at = chronicle.span.permille(500);
    let (case, approved_at) =
        ask(chronicle, who, vec![Access::ApiToken], Operation::Add, subject, opened_at, Panel::Single);
    let at = approved_at + minutes(30);
    chronicle.give(at, Executor::Console(who), who, Access::ApiToken, Basis::explicit(Verdict::Approved, case));
    let (_, old) = chronicle.provisioner_tokens[0];
    chronicle.provisioner_tokens.push((at + minutes(1), chronicle.tokens.len() - 1));
    chronicle.act(at + hours(20), Executor::Console(who), who, Deed::RevokeToken(old), Some(case));
}

fn move_department(chronicle: &mut Chronicle, n: usize) {
    let mover = &chronicle.company.movers[n];
    let (who, at, to) = (mover.who, mover.at, mover.to);
    let name = chronicle.company.of(who).display_name();
    let department = chronicle.company.departments[to].name;
    let gained = chronicle.company.departments[to].baseline.clone();
    let mut lost = chronicle.company.departments[chronicle.company.of(who).department].baseline.clone();
    if n == 0 {
        chronicle.kept.push((who, lost.remove(0), KeptReason::Mover, at));
    }
    let subject = format!("{name} moves to {department}: new access");
    let (case, approved_at) =
        ask(chronicle, who, gained.clone(), Operation::Add, subject, at - days(8), Panel::TwoLevels);
    let subject = format!("{name} moves to {department}: old access");
    let (removal, _) = ask(chronicle, who, lost.clone(), Operation::Remove, subject, at - days(7), Panel::Single);

    let admin = chronicle.admin(who);
    chronicle.act(at, admin, who, Deed::UpdateProfile("department"), None);
    // Some moves are done by hand, within days of the approval.
    if chronicle.random.chance(30) {
        give_all(chronicle, (approved_at + hours(2)).max(at), admin, who, &gained, Basis::window(case));
    } else {
        let provisioner = chronicle.provisioner(at);
        give_all(
            chronicle,
            at.max(approved_at) + minutes(1),
            provisioner,
            who,
            &gained,
            Basis::explicit(Verdict::Approved, case),
        );
    }
    take_all(chronicle, at + hours(1), who, &lost, removal);
}

/// Suspended for a while, and back again.
fn take_break(chronicle: &mut Chronicle, n: usize) {
    let pause = &chronicle.company.breaks[n];
    let (who, from, to) = (pause.who, pause.from, pause.to);
    let name = chronicle.company.of(who).display_name();
    let subject = format!("Leave of absence of {name}");
    let (case, approved_at) =
        ask(chronicle, who, vec![Access::Account], Operation::Remove, subject, from - days(4), Panel::Single);
    let from = from.max(approved_at + minutes(5));
    let provisioner = chronicle.provisioner(from);
    chronicle.act(from, provisioner, who, Deed::Suspend, Some(case));

    let subject = format!("{name} is back from leave");
    let (case, approved_at) =
        ask(chronicle, who, vec![Access::Account], Operation::Add, subject, to - days(4), Panel::Single);
    let to = to.max(approved_at + minutes(5));
    let provisioner = chronicle.provisioner(to);
    chronicle.unsuspend(to, provisioner, who, case);
    let pause = &mut chronicle.company.breaks[n];
    (pause.from, pause.to) = (from, to);
}

/// Everything is taken away within the hour, but for one app of the first to leave.
fn leave(chronicle: &mut Chronicle, who: IdentityIndex, at: Timestamp, keeps_an_app: bool) {
    let mut items: Vec<_> =
        chronicle.held.iter().filter(|(holder, _)| *holder == who).map(|(_, access)| *access).collect();
    if keeps_an_app {
        let app =
            items.iter().rposition(|item| matches!(item, Access::App(_))).expect("every account comes with two apps");
        chronicle.kept.push((who, items.remove(app), KeptReason::Leaver, at));
    }
    let subject = format!("Offboarding of {}", chronicle.company.of(who).display_name());
    let (case, approved_at) =
        ask(chronicle, who, items.clone(), Operation::Remove, subject, at - days(6), Panel::Single);
    take_all(chronicle, at.max(approved_at + minutes(1)), who, &items, case);
}

fn take_all(chronicle: &mut Chronicle, mut at: Timestamp, who: IdentityIndex, items: &[Access], case: CaseIndex) {
    let provisioner = chronicle.provisioner(at);
    for item in items {
        chronicle.take(at, provisioner, who, *item, Some(case));
        at += pause(&mut chronicle.random);
    }
}

/// A manager's request, approved in time.
fn ask(
    chronicle: &mut Chronicle,
    who: IdentityIndex,
    items: Vec<Access>,
    operation: Operation,
    subject: String,
    opened_at: Timestamp,
    panel: Panel,
) -> (CaseIndex, Timestamp) {
    let opened_at = working(&mut chronicle.random, opened_at);
    let requester = chronicle.company.of(who).manager.unwrap_or(IdentityIndex(0));
    let request =
        Request { requester, beneficiary: who, items, operation, subject, justification: "Part of the job", opened_at };
    chronicle.approved(request, panel, Pace::Usual)
}
