//! Differences between what is live in AWS and what the log says, of each kind: planted here, and nowhere in the log.

use super::live::{Holder, Now, Pair};
use super::{CloudAccess, ELECTIVE_POLICIES, electives};
use crate::chronicle::Chronicle;
use crate::company::IdentityIndex;
use crate::random::Random;
use crate::truth::LiveKind;

/// How many differences of each kind are planted, where there is enough to plant them in.
const PLANTED: usize = 3;

pub(crate) fn plant(now: &mut Now, chronicle: &Chronicle, random: &mut Random) {
    lose_a_user(now, random);
    let exists = |now: &Now, (holder, _): &Pair| now.held.contains(&(*holder, CloudAccess::User));
    let is_logged = |now: &Now, pair: &Pair| matches!(now.kinds[pair], LiveKind::Approved | LiveKind::Unapproved);

    let held = now.held.iter().copied().filter(|pair| pair.1 != CloudAccess::User && is_logged(now, pair));
    for pair in some(held.collect(), random) {
        now.held.remove(&pair);
        now.kinds.insert(pair, LiveKind::Missing);
    }
    let taken = now.taken.iter().copied().filter(|pair| pair.1 != CloudAccess::User && exists(now, pair));
    let back = some(taken.collect(), random);
    // Users who were deleted, and are there.
    let deleted = now.taken.iter().copied().filter(|pair| pair.1 == CloudAccess::User);
    let deleted = some(deleted.collect(), random).into_iter().take(1);
    for pair in back.into_iter().chain(deleted) {
        now.held.insert(pair);
        now.kinds.insert(pair, LiveKind::Revoked);
    }
    let strange: Vec<Pair> = strangers(now, chronicle).into_iter().filter(|pair| exists(now, pair)).collect();
    let unknown = strange.into_iter().filter(|pair| !now.kinds.contains_key(pair) && !now.taken.contains(pair));
    let made = [(Holder::Stranger, CloudAccess::User), (Holder::Stranger, CloudAccess::Policy(0))];
    for pair in some(unknown.collect(), random).into_iter().chain(made) {
        now.held.insert(pair);
        now.kinds.insert(pair, LiveKind::Unrecorded);
    }
}

/// A user who was deleted behind the log's back, and all that user had. What had run out by then is not missed.
fn lose_a_user(now: &mut Now, random: &mut Random) {
    let users = now.held.iter().filter(|(holder, access)| {
        let is_expired = |pair: &Pair| pair.0 == *holder && now.kinds[pair] == LiveKind::Expired;
        matches!(holder, Holder::User(_)) && *access == CloudAccess::User && !now.held.iter().any(is_expired)
    });
    let users: Vec<Holder> = users.map(|(holder, _)| *holder).collect();
    let user = *random.pick(&users);
    for pair in now.held.extract_if(.., |(holder, _)| *holder == user) {
        now.kinds.insert(pair, LiveKind::Missing);
    }
}

/// What users, people and roles might have and do not.
fn strangers(now: &Now, chronicle: &Chronicle) -> Vec<Pair> {
    let holders = now.held.iter().filter(|pair| pair.1 == CloudAccess::User).map(|(holder, _)| *holder);
    let of = |who: IdentityIndex| electives(&chronicle.company, who);
    let is_assignment = |access: &CloudAccess| matches!(access, CloudAccess::Assignment(_));
    let policy = |access: &CloudAccess| matches!(access, CloudAccess::Policy(_));
    let group = |access: &CloudAccess| matches!(access, CloudAccess::Group(_));
    let may_have = |holder: Holder| -> Vec<CloudAccess> {
        match holder {
            Holder::User(who) => of(who).into_iter().filter(|access| policy(access) || group(access)).collect(),
            Holder::Person(who) => of(who).into_iter().filter(is_assignment).collect(),
            Holder::Role(_) => (0..ELECTIVE_POLICIES).map(CloudAccess::Policy).collect(),
            Holder::Root | Holder::Stranger => Vec::new(),
        }
    };
    holders.flat_map(|holder| may_have(holder).into_iter().map(move |access| (holder, access))).collect()
}

fn some(mut pairs: Vec<Pair>, random: &mut Random) -> Vec<Pair> {
    random.shuffle(&mut pairs);
    pairs.truncate(PLANTED);
    pairs
}
