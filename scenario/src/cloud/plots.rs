//! What happens in AWS beside what people ask for: the account is set up, a role loses its policy, somebody's access runs
//! out and somebody's is given back, an assignment is never carried out, and there is noise. Decides what happens, and
//! renders nothing.

use jiff::Timestamp;

use super::{
    CloudAccess, CloudDeed, ELECTIVE_POLICIES, GROUPS, POLICIES, PROVISIONER, ROLES, SETS, baseline, electives,
};
use crate::action::{Basis, Executor};
use crate::approvals::{Pace, Panel};
use crate::calendar::{days, hours, minutes, seconds, some_time};
use crate::case::{CaseIndex, Operation, Request};
use crate::chronicle::Chronicle;
use crate::company::{Access, Company, IdentityIndex};
use crate::migration::pause;
use crate::truth::Verdict;

/// What somebody has in AWS from the first day on.
pub(crate) fn first_access(company: &Company, who: IdentityIndex) -> Vec<Access> {
    baseline(company, who).into_iter().map(Access::Cloud).collect()
}

/// A service has a user with a key, and a policy.
pub(crate) fn first_access_of_service(who: IdentityIndex) -> Vec<Access> {
    let policy = CloudAccess::Policy(who.0 % ELECTIVE_POLICIES);
    [CloudAccess::User, CloudAccess::AccessKey, policy].map(Access::Cloud).into()
}

/// The root user makes groups, permission sets and roles. Nobody asked for the roles, and each is an account.
pub(crate) fn set_up(chronicle: &mut Chronicle, mut at: Timestamp) {
    let founder = chronicle.company.admins[0];
    let groups =
        (0..GROUPS.len()).flat_map(|group| [CloudDeed::CreateGroup(group), CloudDeed::AttachGroupPolicy(group)]);
    let sets = (0..SETS.len()).flat_map(|set| [CloudDeed::CreateSet(set), CloudDeed::AttachSetPolicy(set)]);
    for deed in groups.chain(sets) {
        chronicle.act(at, Executor::System, founder, deed, None);
        at += pause(&mut chronicle.random);
    }
    for (role, (_, policy)) in ROLES.iter().enumerate() {
        chronicle.unasked(at, founder, CloudDeed::CreateRole(role), CloudAccess::User);
        at += pause(&mut chronicle.random);
        chronicle.unasked(at, founder, CloudDeed::AttachRolePolicy(role), CloudAccess::Policy(*policy));
        at += pause(&mut chronicle.random);
    }
}

/// After everything that people ask for.
pub(crate) fn play(chronicle: &mut Chronicle) {
    let admin = Executor::Console(chronicle.company.admins[0]);
    let last_role = ROLES.len() - 1;
    let at = chronicle.span.permille(600);
    chronicle.act(at, admin, chronicle.company.admins[0], CloudDeed::DetachRolePolicy(last_role), None);
    let settled: Vec<IdentityIndex> = (chronicle.company.people())
        .filter(|who| chronicle.held.contains(&(*who, Access::Cloud(CloudAccess::User))))
        .filter(|who| chronicle.company.of(*who).settled_at(chronicle.span.permille(300)))
        .filter(|who| chronicle.company.of(*who).until.is_none())
        .collect();
    for who in &settled {
        if let Some(access) = unspoken(chronicle, *who) {
            runs_out(chronicle, *who, access);
            break;
        }
    }
    for who in settled.iter().rev() {
        if let Some(access) = unspoken(chronicle, *who) {
            is_given_back(chronicle, *who, access);
            break;
        }
    }
    is_not_carried_out(chronicle);
    make_noise(chronicle);
}

/// AWS accepts an assignment, and never says that anybody has it.
fn is_not_carried_out(chronicle: &mut Chronicle) {
    let founder = chronicle.company.admins[0];
    let sets = (0..SETS.len()).rev();
    let is_free = |set: &usize| {
        let access = Access::Cloud(CloudAccess::Assignment(*set));
        !chronicle.spoken_for.contains(&(founder, access))
    };
    if let Some(set) = sets.into_iter().find(is_free) {
        let at = chronicle.span.permille(650);
        chronicle.act(at, Executor::Console(founder), founder, CloudDeed::Ask(set), None);
    }
}

/// A group or a policy that somebody has never asked for.
fn unspoken(chronicle: &Chronicle, who: IdentityIndex) -> Option<Access> {
    let all = electives(&chronicle.company, who).into_iter().map(Access::Cloud);
    all.into_iter().find(|access| !chronicle.spoken_for.contains(&(who, *access)))
}

/// Asked for until a day in the span, and never taken away.
fn runs_out(chronicle: &mut Chronicle, who: IdentityIndex, access: Access) {
    let request = request(chronicle, who, access, Operation::Add, 350);
    let mut case = chronicle.draft(request, Panel::Single, crate::approvals::Ending::Approved, Pace::Prompt);
    let approved_at = case.course.decided_at.unwrap_or(case.opened_at);
    case.from = Some(case.opened_at);
    case.until = Some(approved_at + days(5));
    let case = chronicle.file(case);
    give(chronicle, approved_at, who, access, case);
    chronicle.lapses.push((who, access, case));
}

fn is_given_back(chronicle: &mut Chronicle, who: IdentityIndex, access: Access) {
    let wanted = request(chronicle, who, access, Operation::Add, 350);
    let (case, approved_at) = chronicle.approved(wanted, Panel::Single, Pace::Prompt);
    give(chronicle, approved_at, who, access, case);
    let unwanted = request(chronicle, who, access, Operation::Remove, 700);
    let (case, approved_at) = chronicle.approved(unwanted, Panel::Single, Pace::Prompt);
    let at = approved_at + minutes(20);
    let provisioner = chronicle.provisioner(at);
    chronicle.take(at, provisioner, who, access, Some(case));
}

fn give(chronicle: &mut Chronicle, approved_at: Timestamp, who: IdentityIndex, access: Access, case: CaseIndex) {
    let at = approved_at + minutes(2);
    let provisioner = chronicle.provisioner(at);
    chronicle.give(at, provisioner, who, access, Basis::explicit(Verdict::Approved, case));
}

fn request(
    chronicle: &mut Chronicle,
    who: IdentityIndex,
    access: Access,
    operation: Operation,
    permille: i64,
) -> Request {
    let from = chronicle.span.permille(permille).max(chronicle.span.start + days(5));
    let opened_at = some_time(&mut chronicle.random, from, from + hours(30));
    Request {
        requester: who,
        beneficiary: who,
        items: vec![access],
        operation,
        subject: format!("AWS: {} for {}", chronicle.company.name(access), chronicle.company.of(who).display_name()),
        justification: "Part of the migration of the data platform",
        opened_at,
    }
}

/// Sign-ins and questions of administrators, sessions of roles, and calls that are refused.
fn make_noise(chronicle: &mut Chronicle) {
    let (from, to) = (chronicle.span.permille(50).max(chronicle.span.start + days(4)), chronicle.span.end - hours(1));
    for n in 0..chronicle.span.days() {
        let at = some_time(&mut chronicle.random, from, to);
        let who = *chronicle.random.pick(&chronicle.company.admins);
        let console = Executor::Console(who);
        chronicle.act(at, console, who, CloudDeed::SignIn, None);
        chronicle.act(at + seconds(50), console, who, CloudDeed::ListUsers, None);
        let provisioner = chronicle.provisioner(at);
        chronicle.act(at + minutes(3), provisioner, who, CloudDeed::AssumeRole(PROVISIONER), None);
        if n % 9 == 0 {
            let policy = n as usize % POLICIES.len();
            chronicle.fail(at + minutes(5), console, who, CloudDeed::Give(CloudAccess::Policy(policy)), None);
        }
    }
}
