//! What identities truly were at some moments: a replay of the actions, late ones included, failures left out.
//! Owns the choice of moments and the replay. Reads no rendered file.

use std::collections::BTreeSet;

use jiff::Timestamp;

use crate::action::{Action, Deed};
use crate::calendar::{days, seconds, whole_second};
use crate::chronicle::Chronicle;
use crate::company::{Access, IdentityIndex, Nature};
use crate::random::Random;
use crate::truth::{AccountStatus, State, Story};

const MOMENTS: usize = 34;

/// About forty moments: those of the story, and random ones. Sorted by login and time.
pub(crate) fn sample(chronicle: &Chronicle, story: &Story, random: &mut Random) -> Vec<State> {
    let company = &chronicle.company;
    let last_second = whole_second(chronicle.span.end - days(1));
    let cast = &company.cast;
    let mut moments = BTreeSet::from([
        (cast.hero, story.past_at),
        (cast.hero, last_second),
        (cast.latecomer, story.late_at),
        (cast.passer, chronicle.span.permille(350)),
    ]);
    moments.extend(company.movers.first().map(|mover| (mover.who, last_second)));
    moments.extend(company.people().find(|who| company.of(*who).until.is_some()).map(|leaver| (leaver, last_second)));
    let is_known = |who: &IdentityIndex| company.of(*who).nature != Nature::Lookalike;
    let known: Vec<_> = (0..company.identities.len()).map(IdentityIndex).filter(is_known).collect();
    while moments.len() < MOMENTS + 6 {
        let who = *random.pick(&known);
        // Accounts of machines are few and short of events: one in four draws is enough of them.
        if company.of(who).nature == Nature::Person || random.chance(25) {
            let second = random.between(chronicle.span.start.as_second() + 3 * 86_400, chronicle.span.end.as_second());
            moments.insert((who, chronicle.span.start + seconds(second - chronicle.span.start.as_second())));
        }
    }
    let mut actions: Vec<_> = chronicle.actions.iter().filter(|action| action.succeeded).collect();
    actions.sort_by_key(|action| action.at);
    let mut states: Vec<_> = moments.into_iter().map(|(who, at)| state(chronicle, &actions, who, at)).collect();
    states.sort_by(|a, b| (&a.login, a.at).cmp(&(&b.login, b.at)));
    states
}

fn state(chronicle: &Chronicle, actions: &[&Action], who: IdentityIndex, at: Timestamp) -> State {
    let mut account = AccountStatus::Absent;
    let mut held = BTreeSet::new();
    let until = actions.iter().filter(|action| action.subject == who && action.at <= at);
    for deed in until.filter_map(|action| action.okta()) {
        match deed {
            Deed::CreateAccount => account = AccountStatus::Created,
            Deed::Activate | Deed::Unsuspend | Deed::Unlock => account = AccountStatus::Active,
            Deed::Deactivate => account = AccountStatus::Deactivated,
            Deed::Suspend => account = AccountStatus::Suspended,
            Deed::Lock => account = AccountStatus::Locked,
            Deed::JoinGroup(group) => drop(held.insert(Access::Group(*group))),
            Deed::LeaveGroup(group) => drop(held.remove(&Access::Group(*group))),
            Deed::AssignApp(app) => drop(held.insert(Access::App(*app))),
            Deed::UnassignApp(app) => drop(held.remove(&Access::App(*app))),
            Deed::GrantRoles(roles) => held.extend(roles.iter().map(|role| Access::Role(*role))),
            Deed::RevokeRoles(roles) => held.retain(|access| !roles.iter().any(|role| *access == Access::Role(*role))),
            _ => {}
        }
    }
    let mut entitlements: Vec<_> = held.into_iter().map(|access| chronicle.company.item(access)).collect();
    entitlements.sort();
    State { login: chronicle.company.of(who).login.clone(), at, account, entitlements }
}
