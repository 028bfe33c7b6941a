//! The replay: what an entity's records come to at (occurred_at ≤ T, recorded_at ≤ K).
//!
//! Owns what each kind of fact does to the state of each entity that it names. Facts apply by when they happened, not by
//! when they arrived. Only a success changes state; an approval never creates access; a listing adds what it saw and
//! takes nothing away that a log says. Expiry is not replayed: it lapses by the clock of the question.

use std::collections::BTreeMap;

use counterfoil_proto::v1::{
    AccountStatus, Completeness, Confidence, CredentialStatus, EntityKind, Fact, FactKind, Outcome, Ownership, Record,
    Ref, Source, fact::Detail,
};

use crate::entity::{EntityId, place_of};
use crate::fact::{Group, Role, entities_of, gives_access, kind_group, references, takes_access};
use crate::record::event_of;
use crate::remap::Counting;
use crate::state::{
    AccountState, CredentialState, EndState, Evidence, GrantState, ImpliedState, LifecycleState, LinkState,
    ListingsState, RegisterState, RuleState, State, VersionState,
};
use crate::time::{Moment, OccurredAt};
use crate::tree::TreeSize;

mod tickets;

pub(crate) use tickets::approval_row;

/// A fact, the source that fills in what its references leave out, and its place.
#[derive(Clone, Copy, Debug)]
pub struct FactAt<'a> {
    /// The fact.
    pub fact: &'a Fact,
    /// The source of its record.
    pub source: &'a Source,
    /// Its place and both its times.
    pub evidence: Evidence,
}

/// The state of `entity` at `at`, as far as the first `known` records tell. `records` are those that the entity belongs
/// to, in any order; others do no harm. What was read again counts as its newest reading says.
pub fn replay<'a>(
    entity: &EntityId,
    records: impl IntoIterator<Item = &'a Record>,
    at: OccurredAt,
    known: TreeSize,
) -> State {
    let records: Vec<&Record> = records.into_iter().collect();
    let mut facts = facts_known(&records, known);
    facts.retain(|fact| fact.evidence.occurred_at() <= at);
    facts.sort_by_key(|fact| fact.evidence.order());
    let mut state = State::default();
    for fact in &facts {
        apply(&mut state, entity, fact);
    }
    state
}

/// The facts that count by the first `known` records of the log, of these records, in their order.
pub fn facts_known<'a>(records: &[&'a Record], known: TreeSize) -> Vec<FactAt<'a>> {
    let counting = Counting::of(records.iter().copied(), known);
    records.iter().filter(|record| counting.counts(record)).flat_map(|record| facts_of(record)).collect()
}

/// The facts of a record, each with its place, whether they count still or were read otherwise since.
pub fn facts_of(record: &Record) -> impl Iterator<Item = FactAt<'_>> {
    let count = event_of(record).map_or(0, |event| event.facts.len());
    (0..).take(count).filter_map(|number| fact_of(record, number))
}

/// The fact of that number of a record.
pub fn fact_of(record: &Record, number: u32) -> Option<FactAt<'_>> {
    let source = record.provenance.as_ref()?.source.as_ref()?;
    let fact = event_of(record)?.facts.get(number as usize)?;
    let occurred_at = OccurredAt(fact.occurred_at.as_ref().map_or(Moment::MIN, Moment::of));
    Some(FactAt { fact, source, evidence: Evidence::of(record, number, occurred_at) })
}

/// The entities whose state a fact may change, without doubles. A reference with a native id stands for that id alone;
/// one without stands for each of its identifiers. What is taken away is taken from the id and from the identifiers,
/// since another source may have given it to either.
pub fn bearers(fact: &Fact, source: &Source) -> Vec<EntityId> {
    if fact.outcome() != Outcome::Success {
        return Vec::new();
    }
    let roles = bearing_roles(fact);
    let mut bearers: Vec<EntityId> = references(fact)
        .filter(|(role, _)| roles.contains(role))
        .flat_map(|(_, reference)| bearing(fact, reference, source))
        .collect();
    bearers.sort_unstable();
    bearers.dedup();
    bearers
}

/// The roles in which an entity's state changes by a fact of this kind.
fn bearing_roles(fact: &Fact) -> &'static [Role] {
    match kind_group(fact.kind()) {
        Group::Ticket | Group::Approval | Group::Entitlement | Group::Rule => &[Role::Object],
        Group::Account | Group::Governance | Group::Lifecycle => &[Role::Subject],
        Group::Grant | Group::Credential | Group::Snapshot | Group::Identity => &[Role::Subject, Role::Object],
        Group::Review | Group::Use | Group::Source => &[],
    }
}

/// What a reference stands for in a state: its id, or its identifiers where it has none.
pub fn named(reference: &Ref, source: &Source) -> Vec<EntityId> {
    match EntityId::of(reference, source) {
        Some(entity) => vec![entity],
        None => entities_of(reference, source).collect(),
    }
}

/// What a reference of a fact stands for where the fact takes effect.
fn bearing(fact: &Fact, reference: &Ref, source: &Source) -> Vec<EntityId> {
    match fact.kind() {
        FactKind::GrantRemoved | FactKind::GrantExpired | FactKind::IdentityUnlinked => {
            entities_of(reference, source).collect()
        }
        _ => named(reference, source),
    }
}

/// Whether an entity is what a reference of a fact stands for where the fact takes effect.
fn is_borne_by(entity: &EntityId, reference: &Ref, fact: &FactAt<'_>) -> bool {
    match entity.kind() {
        EntityKind::Identifier => bearing(fact.fact, reference, fact.source).contains(entity),
        // What has an id of its own is meant by that id alone.
        _ => entity.is_id_of(reference, fact.source),
    }
}

/// Applies one fact to the state of `entity`. Facts come in the order of [`Evidence::order`].
pub fn apply(state: &mut State, entity: &EntityId, fact: &FactAt<'_>) {
    if fact.fact.outcome() != Outcome::Success {
        return;
    }
    let roles = bearing_roles(fact.fact);
    let is = |role: Role, reference: &Option<Ref>| {
        roles.contains(&role) && reference.as_ref().is_some_and(|reference| is_borne_by(entity, reference, fact))
    };
    let is_subject = is(Role::Subject, &fact.fact.subject);
    let is_object = is(Role::Object, &fact.fact.object);
    if !is_subject && !is_object {
        return;
    }
    let own = if is_subject { &fact.fact.subject } else { &fact.fact.object };
    if let Some(own) = own.as_ref().filter(|own| own.identity_type != 0) {
        state.identity_type = own.identity_type;
    }
    match kind_group(fact.fact.kind()) {
        Group::Account => apply_account(state, fact),
        Group::Grant => {
            if is_subject {
                let grants = if is_of_entitlement(fact.fact) { &mut state.held } else { &mut state.grants };
                apply_grant(grants, fact, &fact.fact.object);
            }
            if is_object {
                apply_grant(&mut state.grants, fact, &fact.fact.subject);
            }
        }
        Group::Credential => apply_credential(state, fact),
        Group::Snapshot => apply_snapshot(state, fact, is_subject),
        Group::Ticket => tickets::apply_ticket(state, fact),
        Group::Approval => tickets::apply_approval(state, fact),
        Group::Entitlement => apply_entitlement(state, fact),
        Group::Governance => apply_governance(state, fact),
        Group::Lifecycle => apply_lifecycle(state, fact),
        Group::Identity => {
            let ends = (&fact.fact.subject, &fact.fact.object);
            apply_link(state, entity, fact, if is_subject { ends } else { (ends.1, ends.0) });
        }
        Group::Rule => apply_rule(state, fact),
        Group::Review | Group::Use | Group::Source => {}
    }
}

fn keys(reference: &Option<Ref>, fact: &FactAt<'_>) -> Vec<String> {
    let bearing = |reference| bearing(fact.fact, reference, fact.source);
    reference.iter().flat_map(bearing).map(|entity| entity.to_text()).collect()
}

fn key(reference: &Option<Ref>, fact: &FactAt<'_>) -> String {
    keys(reference, fact).into_iter().next().unwrap_or_default()
}

/// That two are one, or are one no longer. What is known by an identifier alone is somebody in one system, and is kept
/// with it; a reference to the identifier itself is not.
fn apply_link(state: &mut State, entity: &EntityId, fact: &FactAt<'_>, (own, other): (&Option<Ref>, &Option<Ref>)) {
    let counterparts = other.iter().flat_map(|reference| bearing(fact.fact, reference, fact.source));
    for counterpart in counterparts {
        let end = [(&counterpart, other), (entity, own)].into_iter().find(|(one, _)| one.token().is_some());
        let end = end.and_then(|(_, reference)| reference.as_ref()).filter(|end| end.kind() != EntityKind::Identifier);
        let (system, instance) = end.map_or(("", ""), |end| place_of(end, fact.source));
        let link = LinkState {
            counterpart: counterpart.to_text(),
            system: system.to_owned(),
            instance: instance.to_owned(),
            evidence: fact.evidence,
        };
        match fact.fact.kind() {
            FactKind::IdentityLinked => drop(state.linked.insert(link.key(), link)),
            FactKind::IdentityUnlinked => drop(state.linked.remove(&link.key())),
            _ => {}
        }
    }
}

fn apply_rule(state: &mut State, fact: &FactAt<'_>) {
    if let Some(Detail::MatchingRule(rule)) = &fact.fact.detail {
        state.rule = Some(RuleState { rule: rule.clone(), evidence: fact.evidence });
    }
}

fn apply_account(state: &mut State, fact: &FactAt<'_>) {
    let account = state.account.get_or_insert_with(AccountState::default);
    if account.status == 0 {
        account.set_status(AccountStatus::Seen);
    }
    let detail = match &fact.fact.detail {
        Some(Detail::Account(detail)) => Some(detail),
        _ => None,
    };
    match fact.fact.kind() {
        FactKind::AccountCreated => account.set_status(AccountStatus::Created),
        FactKind::AccountEnabled => account.set_status(AccountStatus::Enabled),
        FactKind::AccountDisabled => {
            account.set_status(AccountStatus::Disabled);
            account.reversible = detail.is_some_and(|detail| detail.reversible);
        }
        FactKind::AccountDeleted => account.set_status(AccountStatus::Deleted),
        FactKind::AccountLocked => account.locked = true,
        FactKind::AccountUnlocked => account.locked = false,
        _ => {}
    }
    account.reversible &= account.status() == AccountStatus::Disabled;
    if let Some(detail) = detail.filter(|detail| !detail.department.is_empty()) {
        account.department.clone_from(&detail.department);
    }
    account.evidence = fact.evidence;
}

/// Whether it is an entitlement that a fact gives something to, or takes it from: a group, say, that is a member of
/// another. Such a grant stands in [`State::held`] of the one that holds.
pub fn is_of_entitlement(fact: &Fact) -> bool {
    fact.subject.as_ref().is_some_and(|subject| subject.kind() == EntityKind::Entitlement)
}

/// Whether a fact changed access: of a kind that does, a success, and said by a log rather than seen in a listing.
pub fn changes_access(fact: &FactAt<'_>) -> bool {
    let took_place = fact.fact.outcome() == Outcome::Success && fact.fact.confidence() != Confidence::Snapshot;
    took_place && (gives_access(fact.fact) || takes_access(fact.fact))
}

/// Whether a fact says what an entitlement holds: a group that is a member of another, say.
pub fn is_held(fact: &Fact) -> bool {
    is_of_entitlement(fact) && (kind_group(fact.kind()) == Group::Grant || fact.kind() == FactKind::SnapshotItem)
}

/// Whether a fact says what one of its [`bearers`] is, apart from who holds it: whom it is linked with, whether it is
/// switched off, which rule it is, and of an entitlement whether it was removed, what it implies and what it holds.
pub fn is_trait_of(fact: &FactAt<'_>, bearer: &EntityId) -> bool {
    let is_own = || fact.fact.subject.iter().flat_map(|own| entities_of(own, fact.source)).any(|own| own == *bearer);
    is_trait(fact.fact.kind()) || is_held(fact.fact) && is_own()
}

fn is_trait(kind: FactKind) -> bool {
    matches!(
        kind,
        FactKind::IdentityLinked
            | FactKind::IdentityUnlinked
            | FactKind::RuleDeclared
            | FactKind::AccountCreated
            | FactKind::AccountEnabled
            | FactKind::AccountDisabled
            | FactKind::AccountDeleted
            | FactKind::EntitlementDefined
            | FactKind::EntitlementChanged
            | FactKind::EntitlementRemoved
    )
}

/// The keys of [`State::grants`] under which the state of `entity` has the grants that a fact is about.
pub fn grant_keys(entity: &EntityId, fact: &FactAt<'_>) -> Vec<String> {
    let is = |reference: &Option<Ref>| reference.as_ref().is_some_and(|reference| is_borne_by(entity, reference, fact));
    let Fact { subject, object, .. } = fact.fact;
    let counterparts = [(object, subject), (subject, object)];
    let counterparts = &counterparts[..if is_of_entitlement(fact.fact) { 1 } else { 2 }];
    let counterparts = counterparts.iter().filter(|(own, _)| is(own));
    counterparts.flat_map(|(_, other)| keys(other, fact)).map(|other| scoped_key(&other, fact)).collect()
}

/// The key of a grant, or of what is implied, in a map of a state.
fn scoped_key(counterpart: &str, fact: &FactAt<'_>) -> String {
    [counterpart, &fact.fact.scope].join(" ")
}

fn apply_grant(grants: &mut BTreeMap<String, GrantState>, fact: &FactAt<'_>, counterpart: &Option<Ref>) {
    for counterpart in keys(counterpart, fact) {
        let key = scoped_key(&counterpart, fact);
        match fact.fact.kind() {
            FactKind::GrantRemoved | FactKind::GrantExpired => {
                grants.remove(&key);
            }
            FactKind::GrantModified => {
                let held = grants.remove(&key);
                let mut modified = grant_state(counterpart, fact);
                if let Some(held) = held {
                    keep_unless_given(&mut modified, held);
                }
                grants.insert(key, modified);
            }
            _ => {
                grants.insert(key, grant_state(counterpart, fact));
            }
        }
    }
}

/// What a modification leaves out stays as it was.
fn keep_unless_given(modified: &mut GrantState, held: GrantState) {
    let (Some(grant), Some(held_grant)) = (&mut modified.grant, &held.grant) else {
        if modified.grant.is_none() {
            modified.grant = held.grant;
            modified.inherited_via = held.inherited_via;
        }
        return;
    };
    grant.expires_at = grant.expires_at.or(held_grant.expires_at);
    if grant.mode == 0 {
        grant.mode = held_grant.mode;
    }
    if grant.inherited_via.is_none() {
        grant.inherited_via.clone_from(&held_grant.inherited_via);
        modified.inherited_via = held.inherited_via;
    }
}

fn grant_state(counterpart: String, fact: &FactAt<'_>) -> GrantState {
    let grant = match &fact.fact.detail {
        Some(Detail::Grant(grant)) => Some(grant.clone()),
        _ => None,
    };
    GrantState {
        counterpart,
        scope: fact.fact.scope.clone(),
        inherited_via: grant.as_ref().map(|grant| key(&grant.inherited_via, fact)).unwrap_or_default(),
        grant,
        actor: key(&fact.fact.actor, fact),
        confidence: fact.fact.confidence,
        evidence: fact.evidence,
    }
}

/// What a listing says, or a version of a resource. Its beginning and its end are its scope's; an item is that of whom it
/// lists.
fn apply_snapshot(state: &mut State, fact: &FactAt<'_>, is_subject: bool) {
    match fact.fact.kind() {
        FactKind::SnapshotItem => apply_item(state, fact, is_subject),
        _ if is_subject => {}
        FactKind::SnapshotBegin => {
            state.listings.get_or_insert_with(ListingsState::default).begun = Some(fact.evidence);
        }
        _ => apply_end(state.listings.get_or_insert_with(ListingsState::default), fact),
    }
}

/// One that is complete has a root; without it nobody could tell what it lists.
fn apply_end(listings: &mut ListingsState, fact: &FactAt<'_>) {
    let detail = match &fact.fact.detail {
        Some(Detail::Snapshot(detail)) => detail.clone(),
        _ => Default::default(),
    };
    let is_complete = detail.completeness() == Completeness::Complete && !detail.root.is_empty();
    let end = EndState {
        as_of: detail.as_of,
        count: detail.count,
        root: detail.root,
        reason: fact.fact.reason.clone(),
        evidence: fact.evidence,
    };
    if is_complete {
        listings.complete_before = listings.complete.replace(end.clone());
    }
    listings.ended = Some(end);
}

/// An item adds what it saw. Only the account's own item (without an object) of a complete version, which lists all that
/// the account holds, takes away what was seen before it and no log says: the version's other items come after it. That
/// somebody is not in a listing changes nothing here: it is told beside the state, from the end of the listing. So is that
/// a credential is in one: it is no grant, and its status is the log's to say.
fn apply_item(state: &mut State, fact: &FactAt<'_>, is_subject: bool) {
    let is_group = is_subject && is_of_entitlement(fact.fact);
    if is_subject && !is_group {
        let account = state.account.get_or_insert_with(AccountState::default);
        if account.status == 0 {
            account.set_status(AccountStatus::Seen);
            account.evidence = fact.evidence;
        }
        let lists_all = matches!(&fact.fact.detail, Some(Detail::Snapshot(detail))
            if detail.completeness() == Completeness::Complete);
        if lists_all && fact.fact.object.is_none() {
            state.grants.retain(|_, grant| grant.confidence() != Confidence::Snapshot);
        }
    }
    if fact.fact.object.as_ref().is_some_and(|object| object.kind() == EntityKind::Credential) {
        return;
    }
    let counterpart = if is_subject { &fact.fact.object } else { &fact.fact.subject };
    let grants = if is_group { &mut state.held } else { &mut state.grants };
    for counterpart in keys(counterpart, fact) {
        let key = scoped_key(&counterpart, fact);
        let logged = grants.get(&key).is_some_and(|held| held.confidence() != Confidence::Snapshot);
        if !logged {
            let seen = GrantState { confidence: Confidence::Snapshot.into(), ..grant_state(counterpart, fact) };
            grants.insert(key, seen);
        }
    }
}

fn apply_credential(state: &mut State, fact: &FactAt<'_>) {
    for credential in keys(&fact.fact.object, fact) {
        let held = state
            .credentials
            .entry(credential)
            .or_insert_with(|| CredentialState { evidence: fact.evidence, ..CredentialState::default() });
        let owner = key(&fact.fact.subject, fact);
        if !owner.is_empty() {
            held.owner = owner;
        }
        if let Some(Detail::Credential(detail)) = &fact.fact.detail
            && detail.expires_at.is_some()
        {
            held.expires_at = detail.expires_at;
        }
        match fact.fact.kind() {
            FactKind::CredentialCreated => {
                held.set_status(CredentialStatus::Active);
                held.created = Some(fact.evidence);
            }
            FactKind::CredentialEnabled => held.set_status(CredentialStatus::Active),
            FactKind::CredentialRotated => {
                held.set_status(CredentialStatus::Active);
                held.rotated = Some(fact.evidence);
            }
            FactKind::CredentialDisabled => held.set_status(CredentialStatus::Disabled),
            FactKind::CredentialRevoked => held.set_status(CredentialStatus::Revoked),
            FactKind::CredentialExpired => held.set_status(CredentialStatus::Expired),
            FactKind::CredentialUsed => {
                held.last_used = Some(fact.evidence);
                continue;
            }
            _ => {}
        }
        held.evidence = fact.evidence;
    }
}

fn apply_entitlement(state: &mut State, fact: &FactAt<'_>) {
    let is_removed = fact.fact.kind() == FactKind::EntitlementRemoved;
    state.removed = is_removed.then_some(fact.evidence);
    let detail = match &fact.fact.detail {
        Some(Detail::Entitlement(detail)) if !is_removed => Some(detail),
        _ => None,
    };
    if is_removed || (detail.is_some() && fact.fact.kind() == FactKind::EntitlementDefined) {
        state.implies.clear();
        state.version = None;
    }
    if let Some(detail) = detail.filter(|detail| !detail.version.is_empty()) {
        state.version = Some(VersionState { version: detail.version.clone(), evidence: fact.evidence });
    }
    for removed in detail.iter().flat_map(|detail| &detail.implies_removed) {
        for entity in named(removed, fact.source) {
            state.implies.remove(&scoped_key(&entity.to_text(), fact));
        }
    }
    for added in detail.iter().flat_map(|detail| &detail.implies_added) {
        for implied in named(added, fact.source).iter().map(EntityId::to_text) {
            let scope = fact.fact.scope.clone();
            let key = scoped_key(&implied, fact);
            state.implies.insert(key, ImpliedState { implied, scope, evidence: fact.evidence });
        }
    }
}

fn apply_governance(state: &mut State, fact: &FactAt<'_>) {
    let detail = match &fact.fact.detail {
        Some(Detail::Ownership(detail)) => Some(detail),
        _ => None,
    };
    let owners = detail.map(|detail| keys(&detail.owner, fact)).unwrap_or_default();
    if fact.fact.kind() == FactKind::OwnerRemoved {
        owners.iter().for_each(|owner| {
            state.owners.remove(owner);
        });
        return;
    }
    // An entry is all that the register says from then on: what an earlier one said and this one leaves out is gone.
    if fact.fact.kind() == FactKind::NhiRegistered {
        state.owners.clear();
        state.register =
            Some(RegisterState { registered: true, entry: Some(fact.evidence), ..RegisterState::default() });
    }
    state.owners.extend(owners.into_iter().map(|owner| (owner, fact.evidence)));
    if fact.fact.kind() == FactKind::OwnerAssigned {
        return;
    }
    let register = state.register.get_or_insert_with(RegisterState::default);
    if let Some(detail) = detail {
        declare(register, detail, fact);
    }
    match fact.fact.kind() {
        FactKind::NhiRetired => {
            register.retired = true;
            register.retired_at = fact.fact.occurred_at;
        }
        FactKind::PurposeDeclared => {
            register.purpose_declared = true;
            register.purpose = Some(fact.evidence);
        }
        _ => {}
    }
    register.evidence = fact.evidence;
}

/// What a fact says of a non-human identity; what it leaves out stays as it was.
fn declare(register: &mut RegisterState, detail: &Ownership, fact: &FactAt<'_>) {
    if detail.purpose_declared {
        register.purpose_declared = true;
        register.purpose = Some(fact.evidence);
    }
    register.storage_declared |= detail.storage_declared;
    register.expires_at = detail.expires_at.or(register.expires_at);
    if detail.rotation_interval_seconds != 0 {
        register.rotation_interval_seconds = detail.rotation_interval_seconds;
    }
    for (said, held) in [(&detail.systems, &mut register.systems), (&detail.operations, &mut register.operations)] {
        if !said.is_empty() {
            held.clone_from(said);
        }
    }
    register.suspected_at = detail.suspected_at.or(register.suspected_at);
    if let Some(retired_at) = detail.retired_at {
        register.retired |= Moment::of(&retired_at) <= fact.evidence.occurred_at().0;
        register.retired_at = Some(retired_at);
    }
}

fn apply_lifecycle(state: &mut State, fact: &FactAt<'_>) {
    let detail = match &fact.fact.detail {
        Some(Detail::Lifecycle(detail)) => detail.clone(),
        _ => Default::default(),
    };
    state.lifecycle =
        Some(LifecycleState { kind: fact.fact.kind, effective_at: detail.effective_at, evidence: fact.evidence });
    if !detail.department.is_empty()
        && let Some(account) = &mut state.account
    {
        account.department = detail.department;
    }
}
