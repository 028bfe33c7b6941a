//! Everything in the log that changes nobody's access: sign-ins, locks, refused calls, events no connector maps; and the
//! incidents in the ticket queue. Owns volume. Never touches what people hold.

use jiff::Timestamp;

use crate::action::{Deed, Executor};
use crate::approvals::{Course, Ending};
use crate::calendar::{hours, minutes, seconds, some_time};
use crate::case::{Case, Operation};
use crate::chronicle::Chronicle;
use crate::company::IdentityIndex;
use crate::names::INCIDENTS;

const SIGN_INS_PER_MONTH: i64 = 10;
const MONTH_SECONDS: i64 = 30 * 86_400;

pub(crate) fn play(chronicle: &mut Chronicle) {
    for who in chronicle.company.people().collect::<Vec<_>>() {
        sign_in(chronicle, who);
    }
    deliver_some_late(chronicle);
    lock_out(chronicle);
    refuse(chronicle);
    call_interfaces(chronicle);
    report_incidents(chronicle);
}

/// About ten a month, none before the account exists, while it is suspended, or after it is gone.
fn sign_in(chronicle: &mut Chronicle, who: IdentityIndex) {
    let (from, until) = present(chronicle, who);
    let count = (until.as_second() - from.as_second()) * SIGN_INS_PER_MONTH / MONTH_SECONDS;
    for _ in 0..count {
        let at = some_time(&mut chronicle.random, from, until) + chronicle.random.milliseconds();
        let away =
            chronicle.company.breaks.iter().any(|pause| pause.who == who && (pause.from..pause.to).contains(&at));
        if away {
            continue;
        }
        let console = Executor::Console(who);
        chronicle.act(at, console, who, Deed::SignIn, None);
        if chronicle.random.chance(20) {
            chronicle.act(at, console, who, Deed::SignOnPolicy, None);
        }
        if chronicle.random.chance(25) {
            let app = *chronicle.random.pick(&[0, 1]);
            chronicle.act(at + seconds(40), console, who, Deed::SingleSignOn(app), None);
        }
    }
}

/// A few sign-ins of the first half of the span are delivered with the late file.
fn deliver_some_late(chronicle: &mut Chronicle) {
    let middle = chronicle.span.permille(500);
    let early =
        chronicle.actions.iter_mut().filter(|action| action.okta() == Some(&Deed::SignIn) && action.at < middle);
    for action in early.step_by(97).take(9) {
        action.late = true;
    }
}

/// Somebody mistypes a password too often; an administrator helps within the hour.
fn lock_out(chronicle: &mut Chronicle) {
    let people: Vec<_> = chronicle.company.people().collect();
    for _ in 0..(people.len() as i64 * chronicle.span.days() / 2000).max(2) {
        let who = *chronicle.random.pick(&people);
        let (from, until) = present(chronicle, who);
        let at = some_time(&mut chronicle.random, from, until) + chronicle.random.milliseconds();
        let unlocked_at = at + minutes(chronicle.random.between(3, 60));
        let taken = chronicle.company.breaks.iter().any(|pause| pause.who == who) || unlocked_at >= until;
        if !taken {
            let admin = chronicle.admin(who);
            chronicle.act(at, Executor::System, who, Deed::Lock, None);
            chronicle.act(unlocked_at, admin, who, Deed::Unlock, None);
        }
    }
}

/// People try to let themselves into groups and are refused.
fn refuse(chronicle: &mut Chronicle) {
    let people: Vec<_> = chronicle.company.people().collect();
    for _ in 0..4 + people.len() / 10 {
        let who = *chronicle.random.pick(&people);
        let group = *chronicle.random.pick(&chronicle.company.elective_groups);
        let (from, until) = present(chronicle, who);
        let at = some_time(&mut chronicle.random, from, until) + chronicle.random.milliseconds();
        chronicle.fail(at, Executor::Console(who), who, Deed::JoinGroup(group), None);
    }
}

/// Rate limit warnings of the provisioner, and tokens that the agents' OAuth clients draw.
fn call_interfaces(chronicle: &mut Chronicle) {
    let end = chronicle.span.end - minutes(2);
    for _ in 0..chronicle.span.days() / 3 {
        let at = some_time(&mut chronicle.random, chronicle.span.permille(50), chronicle.span.end)
            + chronicle.random.milliseconds();
        let (executor, provisioner) = (chronicle.provisioner(at), chronicle.company.provisioner);
        chronicle.act(at, executor, provisioner, Deed::RateLimit, None);
    }
    for client in 0..chronicle.clients.len() {
        let owner = chronicle.clients[client].owner;
        let from = chronicle.company.of(owner).from + hours(24);
        for _ in 0..30 {
            let at = some_time(&mut chronicle.random, from, end) + chronicle.random.milliseconds();
            chronicle.act(at, Executor::Console(owner), owner, Deed::ClientToken(client), None);
        }
    }
}

/// One in three people reports something every month. Nobody approves an incident.
fn report_incidents(chronicle: &mut Chronicle) {
    let people: Vec<_> = chronicle.company.people().collect();
    for n in 0..people.len() * chronicle.span.days() as usize / 90 {
        let who = *chronicle.random.pick(&people);
        let (from, until) = present(chronicle, who);
        let opened_at = some_time(&mut chronicle.random, from, until);
        let solved_at = opened_at + hours(chronicle.random.between(1, 72));
        let subject = INCIDENTS[n % INCIDENTS.len()].to_owned();
        chronicle.file(Case {
            number: 0,
            requester: who,
            beneficiary: who,
            items: Vec::new(),
            is_for_any: false,
            operation: Operation::Add,
            from: None,
            until: None,
            subject,
            justification: "",
            opened_at,
            ending: Ending::Approved,
            course: Course { approvals: Vec::new(), decided_at: None },
            finished_at: Some(solved_at),
        });
    }
}

/// From the day after the account came to be, to shortly before its end or the end of the span.
fn present(chronicle: &Chronicle, who: IdentityIndex) -> (Timestamp, Timestamp) {
    let identity = chronicle.company.of(who);
    (identity.from + hours(24), identity.until.unwrap_or(chronicle.span.end) - minutes(2))
}
