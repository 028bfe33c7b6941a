//! What people ask for in daily work, and how it goes: mostly right, now and then not. Plants the violations, dealt from
//! a deck so that every kind occurs however the dice fall. Each request is for something nobody has asked for before on
//! that person's behalf, so a change can be traced to one ticket, or to none.

use jiff::Timestamp;

use crate::action::{Basis, Deed, Executor};
use crate::approvals::{Ending, Pace, Panel};
use crate::calendar::{day_of, days, hours, midnight, minutes, seconds, some_time, working};
use crate::case::{Case, Operation, Request};
use crate::chronicle::Chronicle;
use crate::cloud::{self, CloudAccess};
use crate::company::{Access, IdentityIndex};
use crate::names::{JUSTIFICATIONS, ROLES};
use crate::truth::Verdict;

/// How a request goes.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Fate {
    Approved,
    ApprovedLate,
    OtherBeneficiary,
    RejectedButDone,
    PendingButDone,
    /// Done, and never asked for.
    Unasked,
    /// Rejected, and not done: as it should be.
    Rejected,
    /// Approved, and nobody got round to it.
    NotDone,
}

/// How many of a hundred requests go which way.
const DECK: [(Fate, usize); 8] = [
    (Fate::Approved, 64),
    (Fate::ApprovedLate, 6),
    (Fate::OtherBeneficiary, 5),
    (Fate::RejectedButDone, 4),
    (Fate::PendingButDone, 4),
    (Fate::Unasked, 8),
    (Fate::Rejected, 7),
    (Fate::NotDone, 2),
];

pub(crate) fn play(chronicle: &mut Chronicle) {
    plant_ambiguity(chronicle);
    agent_helps_itself(chronicle);
    let mut moments = Vec::new();
    for who in chronicle.company.people() {
        let identity = chronicle.company.of(who);
        let (from, until) = (identity.from + days(7), identity.until.unwrap_or(chronicle.span.end) - days(3));
        // Two requests a month.
        let requests = (until.as_second() - from.as_second()) / (15 * 86_400);
        for _ in 0..requests.max(0) {
            moments.push((some_time(&mut chronicle.random, from, until), who));
        }
    }
    moments.sort();
    let mut deck = Vec::new();
    for (at, who) in moments {
        if deck.is_empty() {
            deck = DECK.iter().flat_map(|(fate, count)| vec![*fate; *count]).collect();
            chronicle.random.shuffle(&mut deck);
        }
        // A fate that does not fit this person stays in the deck for the next one.
        if let Some(fate) = deck.last().copied()
            && request(chronicle, who, at, fate).is_some()
        {
            deck.pop();
        }
    }
}

/// One request and all that follows, unless it would reach past the end of the person's time, or of the company's.
fn request(chronicle: &mut Chronicle, who: IdentityIndex, opened_at: Timestamp, fate: Fate) -> Option<()> {
    let access = choose(chronicle, who, fate == Fate::OtherBeneficiary)?;
    let ending = match fate {
        Fate::RejectedButDone | Fate::Rejected => Ending::Rejected,
        Fate::PendingButDone => Ending::Undecided,
        _ => Ending::Approved,
    };
    let case = compose(chronicle, who, access, opened_at, ending);
    let decided_at = case.course.decided_at.unwrap_or(opened_at);
    // A person creates their own tokens; everything else is done by somebody else, after the fact in minutes or hours.
    let own_token = (access == Access::ApiToken).then_some(Executor::Console(who));
    let delay = seconds(chronicle.random.between(400, 4 * 3600));
    let later = working(&mut chronicle.random, decided_at + delay);
    let at = match fate {
        Fate::ApprovedLate => opened_at + seconds((decided_at.as_second() - opened_at.as_second()) / 2),
        Fate::Approved => decided_at + seconds(60) + delay / 4,
        _ => later,
    };
    let at = at + chronicle.random.milliseconds();
    if !in_time(chronicle, who, at.max(decided_at)) {
        return None;
    }
    let admin = chronicle.admin(who);
    let by_hand = own_token.unwrap_or(admin);
    match fate {
        Fate::Approved => done_as_approved(chronicle, case, access, at, own_token)?,
        Fate::OtherBeneficiary => done_for_another(chronicle, case, access, at)?,
        Fate::Unasked => {
            chronicle.give(at, by_hand, who, access, Basis::NONE);
        }
        Fate::ApprovedLate | Fate::RejectedButDone | Fate::PendingButDone => {
            let verdict = match fate {
                Fate::ApprovedLate => Verdict::ApprovedLate,
                Fate::RejectedButDone => Verdict::Rejected,
                _ => Verdict::Pending,
            };
            let case = chronicle.file(case);
            chronicle.give(at, by_hand, who, access, Basis::explicit(verdict, case));
        }
        Fate::Rejected | Fate::NotDone => {
            chronicle.file(case);
        }
    }
    Some(())
}

/// By the provisioner or an agent with a reference, or by an administrator within days without one.
fn done_as_approved(
    chronicle: &mut Chronicle,
    mut case: Case,
    access: Access,
    at: Timestamp,
    own_token: Option<Executor>,
) -> Option<()> {
    let who = case.beneficiary;
    let can_end = matches!(access, Access::Group(_) | Access::App(_))
        || matches!(access, Access::Cloud(cloud) if cloud != CloudAccess::AccessKey);
    let time_bound = can_end && chronicle.random.chance(15);
    if time_bound {
        case.from = Some(midnight(day_of(case.opened_at)));
        case.until = Some(midnight(day_of(at)) + days(chronicle.random.between(14, 60)));
    }
    let until = case.until;
    let by_hand = own_token.is_some() || chronicle.random.chance(30);
    let case = if by_hand {
        let wait = hours(chronicle.random.between(1, 5 * 24));
        let at = working(&mut chronicle.random, at + wait) + chronicle.random.milliseconds();
        if !in_time(chronicle, who, at) || until.is_some_and(|until| until <= at) {
            return None;
        }
        let admin = chronicle.admin(who);
        let case = chronicle.file(case);
        chronicle.give(at, own_token.unwrap_or(admin), who, access, Basis::window(case));
        case
    } else {
        let agent = chronicle.agent(at).filter(|_| chronicle.random.chance(15));
        let executor = agent.unwrap_or_else(|| chronicle.provisioner(at));
        let case = chronicle.file(case);
        if let Access::Group(group) = access
            && chronicle.random.chance(5)
        {
            // The call fails once and is repeated.
            chronicle.fail(at - seconds(45), executor, who, Deed::JoinGroup(group), Some(case));
        }
        chronicle.give(at, executor, who, access, Basis::explicit(Verdict::Approved, case));
        case
    };
    match until {
        // Half of it is taken away in time; the rest lapses by the clock alone.
        Some(until) if chronicle.random.chance(50) && in_time(chronicle, who, until) => {
            let provisioner = chronicle.provisioner(until);
            chronicle.take(until - minutes(5), provisioner, who, access, Some(case));
        }
        Some(_) => chronicle.lapses.push((who, access, case)),
        None if chronicle.random.chance(15) => give_back(chronicle, who, access, at + days(20)),
        None => {}
    }
    Some(())
}

/// The right person gets it, and somebody else under the same ticket.
fn done_for_another(chronicle: &mut Chronicle, case: Case, access: Access, at: Timestamp) -> Option<()> {
    let who = case.beneficiary;
    let at_other = at + minutes(chronicle.random.between(2, 90));
    let others: Vec<_> = (chronicle.company.people())
        .filter(|other| *other != who && chronicle.company.of(*other).settled_at(at_other))
        .filter(|other| !chronicle.spoken_for.contains(&(*other, access)))
        .collect();
    if others.is_empty() {
        return None;
    }
    let other = *chronicle.random.pick(&others);
    let case = chronicle.file(case);
    let provisioner = chronicle.provisioner(at);
    chronicle.give(at, provisioner, who, access, Basis::explicit(Verdict::Approved, case));
    let admin = chronicle.admin(other);
    chronicle.give(at_other, admin, other, access, Basis::explicit(Verdict::OtherBeneficiary, case));
    Some(())
}

fn give_back(chronicle: &mut Chronicle, who: IdentityIndex, access: Access, from: Timestamp) {
    let opened_at = some_time(&mut chronicle.random, from, from + days(30));
    let request = Request {
        requester: who,
        beneficiary: who,
        items: vec![access],
        operation: Operation::Remove,
        subject: format!("No longer needed: {}", chronicle.company.name(access)),
        justification: "The work is done",
        opened_at,
    };
    let case = chronicle.draft(request, Panel::Single, Ending::Approved, Pace::Usual);
    let at = case.course.decided_at.unwrap_or(opened_at) + minutes(7);
    if in_time(chronicle, who, at) {
        let case = chronicle.file(case);
        let provisioner = chronicle.provisioner(at);
        chronicle.take(at, provisioner, who, access, Some(case));
    }
}

/// Two tickets for the same person and group, both approved, and a change that fits both and names neither.
fn plant_ambiguity(chronicle: &mut Chronicle) {
    let who = chronicle.company.cast.passer;
    let access = choose(chronicle, who, true).expect("nobody has asked for anything yet");
    let opened_at = working_at(chronicle, chronicle.span.permille(250).max(chronicle.span.start + days(5)));
    let first = compose(chronicle, who, access, opened_at, Ending::Approved);
    let again_at = working_at(chronicle, opened_at + hours(20));
    let second = compose(chronicle, who, access, again_at, Ending::Approved);
    let both_at = first.course.decided_at.max(second.course.decided_at).unwrap_or(again_at);
    let (first, second) = (chronicle.file(first), chronicle.file(second));
    let at = working_at(chronicle, both_at + hours(3));
    let admin = chronicle.admin(who);
    chronicle.give(at, admin, who, access, Basis::ambiguous(first, second));
}

/// The agent uses its token to put itself into a group.
fn agent_helps_itself(chronicle: &mut Chronicle) {
    let who = chronicle.company.agents[0];
    let access = choose(chronicle, who, true).expect("the agent has asked for no elective group");
    let (since, token) = chronicle.agent_tokens[0];
    let at =
        working_at(chronicle, since.max(chronicle.span.permille(650)) + hours(5)) + chronicle.random.milliseconds();
    chronicle.give(at, Executor::Token(token), who, access, Basis::NONE);
}

fn compose(
    chronicle: &mut Chronicle,
    who: IdentityIndex,
    access: Access,
    opened_at: Timestamp,
    ending: Ending,
) -> Case {
    let manager = chronicle.company.of(who).manager.filter(|_| chronicle.random.chance(20));
    let requester = manager.unwrap_or(who);
    let justification = *chronicle.random.pick(&JUSTIFICATIONS);
    let subject = format!("{} for {}", chronicle.company.name(access), chronicle.company.of(who).display_name());
    let approvers = chronicle.approvers(who, requester).len();
    let panel = Panel::any(&mut chronicle.random, approvers);
    let request = Request {
        requester,
        beneficiary: who,
        items: vec![access],
        operation: Operation::Add,
        subject,
        justification,
        opened_at,
    };
    chronicle.draft(request, panel, ending, Pace::Usual)
}

/// Something this person has never asked for or been given.
fn choose(chronicle: &mut Chronicle, who: IdentityIndex, shared: bool) -> Option<Access> {
    let company = &chronicle.company;
    let mut free: Vec<_> = company.elective_groups.iter().map(|group| Access::Group(*group)).collect();
    free.extend(company.elective_apps.iter().map(|app| Access::App(*app)));
    if !shared && company.departments[company.of(who).department].technical {
        free.extend((1..ROLES.len()).map(Access::Role));
        free.push(Access::ApiToken);
    }
    if !shared && chronicle.held.contains(&(who, Access::Cloud(CloudAccess::User))) {
        free.extend(cloud::electives(company, who).into_iter().map(Access::Cloud));
    }
    free.retain(|access| !chronicle.spoken_for.contains(&(who, *access)));
    (!free.is_empty()).then(|| *chronicle.random.pick(&free))
}

fn in_time(chronicle: &Chronicle, who: IdentityIndex, at: Timestamp) -> bool {
    at < chronicle.span.end - hours(6) && chronicle.company.of(who).settled_at(at)
}

fn working_at(chronicle: &mut Chronicle, at: Timestamp) -> Timestamp {
    working(&mut chronicle.random, at)
}
