//! What is live in AWS when the story ends: who holds what by the log, and what each of it is. Owns who may hold something
//! there. The drift is [`drift`](super::drift)'s, the shapes are [`listings`](super::listings)'.

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;

use super::{ACCOUNT, CloudAccess, CloudDeed, ROLES, drift, ids, listings};
use crate::Listings;
use crate::action::ActionIndex;
use crate::calendar::hours;
use crate::chronicle::Chronicle;
use crate::company::{Access, Company, IdentityIndex};
use crate::live::kind;
use crate::random::Random;
use crate::truth::{Live, LiveKind};

/// Who may hold something in AWS.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(crate) enum Holder {
    Root,
    User(IdentityIndex),
    /// In the directory of Identity Center.
    Person(IdentityIndex),
    Role(usize),
    /// A user of whom no log tells.
    Stranger,
}

/// The user that somebody made behind the log's back.
const STRANGER: &str = "svc-shadow-copy";

pub(crate) type Pair = (Holder, CloudAccess);

/// What is live, and what each of it is.
pub(crate) struct Now {
    pub(crate) at: Timestamp,
    /// Accounts are held by themselves.
    pub(crate) held: BTreeSet<Pair>,
    pub(crate) kinds: BTreeMap<Pair, LiveKind>,
    /// What the log took away, and did not give again.
    pub(crate) taken: BTreeSet<Pair>,
}

/// The listings, and what is true of each access that is in them or should be.
pub(crate) fn listings(chronicle: &Chronicle, random: &mut Random) -> (Vec<Listings>, Vec<Live>) {
    let mut now = Now::of(chronicle);
    drift::plant(&mut now, chronicle, random);
    let company = &chronicle.company;
    let live = now.kinds.iter().map(|((holder, access), kind)| Live {
        login: holder.login(company),
        subject_id: holder.id(company),
        entitlement: access.item(),
        kind: *kind,
    });
    (listings::render(chronicle, &now), live.collect())
}

impl Now {
    /// As the log has it. Access keys have no ids in any listing, and are left out.
    fn of(chronicle: &Chronicle) -> Now {
        let calls = chronicle.actions.iter().enumerate().filter(|(_, action)| action.succeeded);
        let mut calls: Vec<_> = calls.filter_map(|(number, action)| Some((number, action, action.cloud()?))).collect();
        calls.sort_by_key(|(number, action, _)| (action.at, *number));
        let mut given: BTreeMap<Pair, usize> = BTreeMap::new();
        let mut taken = BTreeSet::new();
        for (number, action, deed) in calls {
            let holder = Holder::of(deed, action.subject);
            match deed {
                CloudDeed::Give(CloudAccess::AccessKey) | CloudDeed::Take(CloudAccess::AccessKey) => {}
                CloudDeed::Give(access) => drop(given.insert((holder, access), number)),
                CloudDeed::Enter | CloudDeed::CreateRole(_) => drop(given.insert((holder, CloudAccess::User), number)),
                CloudDeed::AttachRolePolicy(role) => {
                    given.insert((holder, CloudAccess::Policy(ROLES[role].1)), number);
                }
                CloudDeed::Take(access) => drop(taken.insert((holder, access))),
                CloudDeed::Leave => drop(taken.insert((holder, CloudAccess::User))),
                CloudDeed::DetachRolePolicy(role) => {
                    taken.insert((holder, CloudAccess::Policy(ROLES[role].1)));
                }
                _ => {}
            }
        }
        // Nobody is given anything again.
        given.retain(|pair, _| !taken.contains(pair));
        let at = chronicle.span.end + hours(1);
        let kind =
            |(pair, action): (&Pair, &usize)| (*pair, kind(chronicle, ActionIndex(*action), Access::Cloud(pair.1), at));
        let mut kinds: BTreeMap<Pair, LiveKind> = given.iter().map(kind).collect();
        let held = kinds.keys().copied().collect();
        // No log tells of the making of the root user, which every account has.
        kinds.insert((Holder::Root, CloudAccess::User), LiveKind::Unrecorded);
        Now { at, held, kinds, taken }
    }
}

impl Holder {
    /// Whoever a call is about.
    pub(crate) fn of(deed: CloudDeed, subject: IdentityIndex) -> Holder {
        match (deed, deed.role()) {
            (_, Some(role)) => Holder::Role(role),
            (CloudDeed::Give(CloudAccess::Assignment(_)) | CloudDeed::Take(CloudAccess::Assignment(_)), None)
            | (CloudDeed::Enter | CloudDeed::Leave, None) => Holder::Person(subject),
            _ => Holder::User(subject),
        }
    }

    /// What it is called in AWS, without a type before it.
    pub(crate) fn name(self, company: &Company) -> String {
        match self {
            Holder::Root => ACCOUNT.to_owned(),
            Holder::User(who) => company.of(who).login.clone(),
            Holder::Person(who) => ids(who).person,
            Holder::Role(role) => ROLES[role].0.to_owned(),
            Holder::Stranger => STRANGER.to_owned(),
        }
    }

    /// As the ground truth names it.
    pub(crate) fn id(self, company: &Company) -> String {
        let kind = match self {
            Holder::Root => "root",
            Holder::User(_) | Holder::Stranger => "user",
            Holder::Person(_) => "sso_user",
            Holder::Role(_) => "role",
        };
        format!("{kind}/{}", self.name(company))
    }

    pub(crate) fn login(self, company: &Company) -> String {
        match self {
            Holder::Person(who) => company.of(who).login.clone(),
            Holder::Root => super::arn("root"),
            Holder::Role(_) => self.id(company),
            Holder::User(_) | Holder::Stranger => self.name(company),
        }
    }
}
