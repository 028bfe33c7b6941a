//! Live access against the log and the approvals: for each item of a listing, and for each access that the log says is
//! held, what one says of the other.
//!
//! Owns this judgement. It is a function of the items, of the facts about whoever is named, and of the verdicts on the
//! facts that gave access; it looks nothing up. Clocks differ and a listing takes time, so that what changed while it was
//! taken, or within [`CLOCK_TOLERANCE_SECONDS`] of it, is held against nobody.

use std::collections::BTreeMap;

use counterfoil_proto::v1::{Confidence, FactKind, ReconcileKind, Verdict};

use crate::entity::EntityId;
use crate::link::is_in_time;
use crate::listing::{Item, ItemKey, Listing};
use crate::replay::{FactAt, apply, grant_keys};
use crate::state::{Evidence, GrantState, State};
use crate::ticket::CLOCK_TOLERANCE_SECONDS;
use crate::time::{Moment, OccurredAt};

/// When a listing was taken: its first and its last page.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Taken {
    /// The first page.
    pub from: Moment,
    /// The last page.
    pub to: Moment,
}

impl Taken {
    /// What had happened by then, the listing shows.
    pub fn early(&self) -> Moment {
        self.from.plus_seconds(-CLOCK_TOLERANCE_SECONDS)
    }

    /// What happens after this, it does not.
    pub fn late(&self) -> Moment {
        self.to.plus_seconds(CLOCK_TOLERANCE_SECONDS)
    }
}

/// What the log says about one access around a listing.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Access {
    /// The fact by which it was held right after the listing.
    pub held: Option<Evidence>,
    /// When that runs out by itself.
    pub expires_at: Option<Moment>,
    /// Where it is not held any more: the fact by which it was right before the listing.
    pub before: Option<Evidence>,
    /// Where it is not held: the fact that took it away last.
    pub revoked: Option<Evidence>,
}

impl Access {
    /// The fact whose approval counts.
    pub fn given_by(&self) -> Option<Evidence> {
        self.held.or(self.before)
    }
}

/// What the approvals say about the fact that gave an access.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Approval {
    /// Whether they cover it.
    pub verdict: Verdict,
    /// Until when the tickets that cover it ask for it.
    pub until: Option<Moment>,
}

/// An access that the log knows, with its approval.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Known {
    /// What the log says.
    pub access: Access,
    /// What the approvals say.
    pub approval: Approval,
}

impl Known {
    /// When it runs out: by itself, or by the ticket that covers it.
    pub fn ends_at(&self) -> Option<Moment> {
        let until = self.approval.until.filter(|_| is_in_time(self.approval.verdict));
        self.access.expires_at.into_iter().chain(until).min()
    }
}

/// One access and what was found of it.
#[derive(Clone, Debug, PartialEq)]
pub struct Line {
    /// Which access.
    pub item: Item,
    /// What was found.
    pub kind: ReconcileKind,
    /// What the log and the approvals say; the default where they say nothing.
    pub known: Known,
}

/// How many accesses there are of each kind.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Totals {
    /// By [`ReconcileKind`], which counts from 1.
    pub by_kind: [u64; 7],
    /// Items that are no access by themselves: entitlements, and accounts that are switched off.
    pub no_access: u64,
}

impl Totals {
    /// How many there are of a kind.
    pub fn of(&self, kind: ReconcileKind) -> u64 {
        self.by_kind[kind as usize]
    }

    /// Adds those of another listing.
    pub fn add(&mut self, other: &Self) {
        self.by_kind.iter_mut().zip(other.by_kind).for_each(|(count, more)| *count += more);
        self.no_access += other.no_access;
    }

    /// How many items they come to: what is missing is not in the listing.
    pub fn listed(&self) -> u64 {
        self.by_kind.iter().sum::<u64>() - self.of(ReconcileKind::Missing) + self.no_access
    }
}

/// Compares a listing with what is known. `known` has, under the key of an item, what the log says about it, by whatever
/// names; and what else the log says is held that the listing would have, where it is complete.
pub fn reconcile(
    listing: &Listing,
    known: &BTreeMap<ItemKey, (Item, Known)>,
    is_complete: bool,
    taken: &Taken,
) -> (Vec<Line>, Totals) {
    let mut lines = Vec::with_capacity(listing.items().len());
    let mut totals = Totals::default();
    let mut add = |item: &Item, kind, known: &Known| {
        totals.by_kind[kind as usize] += 1;
        lines.push(Line { item: item.clone(), kind, known: known.clone() });
    };
    let unknown = Known::default();
    let mut not_live = 0;
    for (key, item) in listing.items() {
        let known = known.get(key).map_or(&unknown, |(_, known)| known);
        if item.is_live() {
            add(item, judge_live(known, taken), known);
        } else {
            not_live += 1;
            if item.object.is_none() && is_missing(known, taken) {
                add(item, ReconcileKind::Missing, known);
            }
        }
    }
    for (key, (item, known)) in known {
        if is_complete && listing.get(key).is_none() && is_missing(known, taken) {
            add(item, ReconcileKind::Missing, known);
        }
    }
    totals.no_access = not_live;
    (lines, totals)
}

/// What a live access is.
fn judge_live(known: &Known, taken: &Taken) -> ReconcileKind {
    let Known { access, approval } = known;
    let was_just_revoked = access.revoked.is_some_and(|by| by.occurred_at().0 > taken.early());
    match (access.held.is_some(), access.revoked) {
        (false, None) => return ReconcileKind::Unrecorded,
        (false, Some(_)) if !was_just_revoked => return ReconcileKind::Revoked,
        (false, Some(_)) if access.before.is_none() => return ReconcileKind::Unrecorded,
        _ => {}
    }
    let has_ended = known.ends_at().is_some_and(|end| end <= taken.early());
    match is_in_time(approval.verdict) {
        _ if has_ended => ReconcileKind::Expired,
        true => ReconcileKind::Approved,
        false => ReconcileKind::Unapproved,
    }
}

/// Whether what the log says is held should have been listed. What was given while the listing was taken, or ran out by
/// then, need not be.
fn is_missing(known: &Known, taken: &Taken) -> bool {
    let held = known.access.held.is_some_and(|by| by.occurred_at().0 <= taken.early());
    held && known.ends_at().is_none_or(|end| end > taken.late())
}

/// What the facts about an entitlement, or about an account, say of each grant around a listing: by counterpart and
/// scope, as in the keys of [`State::grants`]. Facts come in the order of replay; only what a log says counts.
pub fn grants(entity: &EntityId, facts: &[FactAt<'_>], taken: &Taken) -> BTreeMap<String, Access> {
    let mut state = State::default();
    let mut before: Option<BTreeMap<String, GrantState>> = None;
    let mut revoked: BTreeMap<String, Evidence> = BTreeMap::new();
    for fact in facts.iter().filter(|fact| is_logged(fact)) {
        let at = fact.evidence.occurred_at();
        if at > OccurredAt(taken.late()) {
            break;
        }
        if at.0 > taken.early() && before.is_none() {
            before = Some(state.grants.clone());
        }
        match fact.fact.kind() {
            FactKind::GrantRemoved | FactKind::GrantExpired => {
                revoked.extend(grant_keys(entity, fact).into_iter().map(|key| (key, fact.evidence)));
                apply(&mut state, entity, fact);
            }
            _ => apply(&mut state, entity, fact),
        }
    }
    let before = before.unwrap_or_default();
    let mut accesses: BTreeMap<String, Access> = BTreeMap::new();
    for (key, evidence) in revoked.into_iter().filter(|(key, _)| !state.grants.contains_key(key)) {
        let before = before.get(&key).map(|grant| grant.evidence);
        accesses.insert(key, Access { revoked: Some(evidence), before, ..Access::default() });
    }
    for (key, grant) in state.grants {
        let expires_at = grant.grant.as_ref().and_then(|grant| grant.expires_at.as_ref()).map(Moment::of);
        accesses.insert(key, Access { held: Some(grant.evidence), expires_at, ..Access::default() });
    }
    accesses
}

/// What the facts about an account say of it around a listing: the fact that last made it usable, or switched it off.
pub fn account(facts: &[FactAt<'_>], taken: &Taken) -> Access {
    let on = [FactKind::AccountCreated, FactKind::AccountEnabled];
    switched(facts, taken, &on, &[FactKind::AccountDisabled, FactKind::AccountDeleted])
}

/// The same of a credential.
pub fn credential(facts: &[FactAt<'_>], taken: &Taken) -> Access {
    let on = [FactKind::CredentialCreated, FactKind::CredentialEnabled];
    let off = [FactKind::CredentialDisabled, FactKind::CredentialRevoked, FactKind::CredentialExpired];
    switched(facts, taken, &on, &off)
}

fn switched(facts: &[FactAt<'_>], taken: &Taken, on: &[FactKind], off: &[FactKind]) -> Access {
    let mut access = Access::default();
    let mut before = None;
    for fact in facts.iter().filter(|fact| is_logged(fact)) {
        let at = fact.evidence.occurred_at().0;
        if at > taken.late() {
            break;
        }
        let kind = fact.fact.kind();
        if on.contains(&kind) {
            access = Access { held: Some(fact.evidence), ..Access::default() };
        } else if off.contains(&kind) {
            access = Access { revoked: Some(fact.evidence), ..Access::default() };
        }
        if at <= taken.early() {
            before = access.held;
        }
    }
    access.before = before.filter(|_| access.held.is_none());
    access
}

fn is_logged(fact: &FactAt<'_>) -> bool {
    fact.fact.confidence() != Confidence::Snapshot && fact.fact.outcome() == counterfoil_proto::v1::Outcome::Success
}
