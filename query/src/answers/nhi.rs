//! The inventory of non-human identities: what a register says of each, what was seen of it, and what is missing.
//!
//! Owns which fields an entry must have, and when its owner counts as gone. That something is only seen, and in no
//! register, is listed like everything else. It judges nothing beyond that: findings do.

use std::rc::Rc;

use counterfoil_proto::Shared;
use counterfoil_proto::v1::{
    AccountStatus, EntityKind, FactKind, IdentityType, ListNonHumanIdentitiesResponse, NonHumanIdentity, NonHumanOwner,
    Party, RegisterGap, Time,
};
use counterfoil_verify::entity::EntityId;
use counterfoil_verify::fact::{Group, kind_group};
use counterfoil_verify::kept::Kept;
use counterfoil_verify::people::{Aliases, Asked};
use counterfoil_verify::replay::{FactAt, facts_of};
use counterfoil_verify::state::{Evidence, RegisterState, State};
use counterfoil_verify::time::{Moment, OccurredAt, RecordedAt};
use counterfoil_verify::tree::TreeSize;

use crate::answers::convert::{evidence, is_lapsed};
use crate::answers::pages::{Page, Question, occurred_part, recorded_part};
use crate::answers::people::People;
use crate::answers::{Query, Wanted};
use crate::error::{QueryError, Result};
use crate::views::{histories, nhi, timelines};

pub(crate) use crate::views::nhi::is_non_human;

/// The most that are looked at for one page.
const PAGE_MAX: usize = 1_000;
/// How many of the newest facts about one are looked at for the last that is none of the register's.
const SEEN_MAX: usize = 100;

/// Which of the non-human identities to list.
#[derive(Clone, Debug, PartialEq)]
pub struct NhiRequest {
    /// Those of one system; of every system where it is empty.
    pub system: String,
    /// Those of these types; all, if there are none.
    pub types: Vec<IdentityType>,
    /// Those with one of these gaps; all, if there are none.
    pub gaps: Vec<RegisterGap>,
    /// As of when.
    pub at: OccurredAt,
    /// Which records count.
    pub known: Option<RecordedAt>,
    /// Which page: of so many that are looked at, at most 1,000, which is also what 0 means.
    pub page: Page,
}

/// Where an entry of the register stands: that of an entity may be that of a login of its.
struct Entry {
    bearer: EntityId,
    state: State,
}

/// A part of the list of those that may be non-human identities.
pub(crate) struct Stretch {
    pub(crate) at: OccurredAt,
    pub(crate) size: TreeSize,
    /// Those of the part, and the next one, where there is one.
    entities: Vec<EntityId>,
    count: usize,
}

/// The non-human identities at a moment, by some records.
pub(crate) struct Inventory<'q, 'a> {
    pub(crate) query: &'q Query<'a>,
    pub(crate) at: OccurredAt,
    pub(crate) size: TreeSize,
    people: People<'q, 'a>,
    /// Whether an entity is one of them.
    kept: Kept<EntityId, bool>,
}

/// An entity, its state, and its entry, where a register has one.
struct Found {
    party: Shared<Party>,
    state: State,
    entry: Option<Entry>,
}

impl Query<'_> {
    /// A page of the non-human identities at a moment: those in the register and those that were only seen.
    ///
    /// # Errors
    /// [`QueryError::PageToken`] if the token belongs to another question.
    pub fn non_human_identities(&self, request: &NhiRequest) -> Result<ListNonHumanIdentitiesResponse> {
        let question = request.question();
        let stretch = self.stretch(&question, (request.at, request.known), &request.page, PAGE_MAX)?;
        let mut inventory = Inventory::new(self, stretch.at, stretch.size);
        let mut identities = Vec::new();
        for entity in stretch.entities().iter().filter(|entity| request.is_of_system(entity)) {
            identities.extend(inventory.one(entity)?.filter(|identity| request.wants(identity)));
        }
        Ok(ListNonHumanIdentitiesResponse {
            basis: Some(self.basis()),
            moment: Some(self.moment(Some(stretch.at), request.known, stretch.size)?),
            identities,
            next_page_token: stretch.token_after(&question, stretch.entities().len()),
        })
    }

    /// The part of the list that is looked at for a page, which may be so long where nothing else is asked for.
    ///
    /// # Errors
    /// [`QueryError::PageToken`] if the token belongs to another question.
    pub(crate) fn stretch(
        &self,
        question: &Question,
        (at, known): (OccurredAt, Option<RecordedAt>),
        page: &Page,
        usual: usize,
    ) -> Result<Stretch> {
        let (size, at, after) = match page.read(question, self.basis.size)? {
            None => (self.known_size(known)?, at, Vec::new()),
            Some((size, place)) => {
                let (at, last) = place.split_first_chunk::<12>().ok_or(QueryError::PageToken("names no place"))?;
                (size, OccurredAt(Moment::from_sortable_bytes(at)), last.to_vec())
            }
        };
        let count = page.count(usual, PAGE_MAX);
        Ok(Stretch { at, size, entities: nhi::after(&self.view, &after, size, count + 1)?, count })
    }

    /// What a register says of an entity, or of whoever is called as it is at that moment.
    fn entry(&self, entity: &EntityId, state: &State, at: OccurredAt, size: TreeSize) -> Result<Option<Entry>> {
        let says = |state: &State| state.register.is_some() || !state.owners.is_empty();
        if says(state) {
            return Ok(Some(Entry { bearer: entity.clone(), state: state.clone() }));
        }
        if entity.token().is_some() {
            return Ok(None);
        }
        for token in histories::tokens_kept(&self.view, entity, at, size)? {
            let bearer = EntityId::identifier(&token);
            if nhi::is_listed(&self.view, &bearer, size)? {
                let state = timelines::state_at(&self.view, &bearer, at, size)?;
                if says(&state) {
                    return Ok(Some(Entry { bearer, state }));
                }
            }
        }
        Ok(None)
    }

    /// What a register says of an entity that has no entry by its id, and whose it is by that.
    pub(crate) fn entry_by_login(
        &self,
        entity: &EntityId,
        at: OccurredAt,
        size: TreeSize,
    ) -> Result<Option<(EntityId, State)>> {
        let entry = self.entry(entity, &State::default(), at, size)?;
        Ok(entry.map(|entry| (entry.bearer, entry.state)))
    }

    /// Whether the register knows it by a login alone, and somebody is called so: then that one is listed.
    fn stands_for_another(
        &self,
        entity: &EntityId,
        at: OccurredAt,
        size: TreeSize,
        people: &mut People<'_, '_>,
    ) -> Result<bool> {
        let Some(token) = entity.token() else { return Ok(false) };
        let mut asked = Asked::new(at, size);
        for (meant, _) in people.meant_by(&token, false, &mut asked)? {
            if nhi::is_listed(&self.view, &meant, size)? && histories::is_known(&self.view, &meant, at, size)? {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// An owner, whom that comes to, and whether all of these have left.
    fn owner(
        &self,
        owner: &str,
        by: &Evidence,
        (at, size): (OccurredAt, TreeSize),
        people: &mut People<'_, '_>,
    ) -> Result<Option<NonHumanOwner>> {
        let Ok(entity) = owner.parse::<EntityId>() else { return Ok(None) };
        let aliases = people.aliases(vec![entity.clone()], at, size)?;
        let parties = self.parties(size);
        let persons = aliases.entities().iter().filter(|one| one.kind() == EntityKind::Person && **one != entity);
        let persons: Vec<Shared<Party>> = persons.map(|person| parties.party(person)).collect::<Result<_>>()?;
        Ok(Some(NonHumanOwner {
            owner: Some(parties.party(&entity)?),
            evidence: Some(evidence(by)),
            persons,
            left: self.has_left(&aliases, at, size)?,
        }))
    }

    /// Whether somebody has left: it is said so, or they have accounts and all of them are switched off or deleted.
    fn has_left(&self, aliases: &Rc<Aliases>, at: OccurredAt, size: TreeSize) -> Result<bool> {
        let (mut accounts, mut gone) = (0, 0);
        for one in aliases.entities() {
            let state = timelines::state_at(&self.view, one, at, size)?;
            if state.lifecycle.as_ref().is_some_and(|step| step.kind == i32::from(FactKind::LifecycleLeaver)) {
                let effective = state.lifecycle.and_then(|step| step.effective_at);
                if effective.is_none_or(|effective| Moment::of(&effective) <= at.0) {
                    return Ok(true);
                }
            }
            if let Some(account) = state.account {
                accounts += 1;
                let is_gone = matches!(account.status(), AccountStatus::Disabled | AccountStatus::Deleted);
                gone += usize::from(is_gone && !account.reversible);
            }
        }
        Ok(accounts > 0 && accounts == gone)
    }

    /// The newest sight of an entity by a moment, and the source that reports it.
    fn last_seen(&self, entity: &EntityId, at: OccurredAt, size: TreeSize) -> Result<Option<(Evidence, String)>> {
        // It is nearly always the newest.
        for max in [1, SEEN_MAX] {
            for position in histories::newest(&self.view, entity, at, size, max)? {
                let record = self.read_record(position.2)?;
                let seen = facts_of(&record).find(|fact| fact.evidence.fact == position.3);
                if let Some(FactAt { source, evidence, .. }) = seen.filter(is_sight) {
                    return Ok(Some((evidence, format!("{}/{}/{}", source.system, source.instance, source.stream))));
                }
            }
        }
        Ok(None)
    }
}

/// Whether a fact is a sight of those that it names. What registers and mappings say is none.
pub(crate) fn is_sight(fact: &FactAt<'_>) -> bool {
    !matches!(kind_group(fact.fact.kind()), Group::Governance | Group::Identity | Group::Rule)
}

impl Stretch {
    /// Those to be looked at.
    pub(crate) fn entities(&self) -> &[EntityId] {
        &self.entities[..self.count.min(self.entities.len())]
    }

    /// The token for what follows the first so many of them; empty where nothing does.
    pub(crate) fn token_after(&self, question: &Question, looked_at: usize) -> String {
        match (looked_at.checked_sub(1).and_then(|last| self.entities.get(last)), self.entities.get(looked_at)) {
            (Some(last), Some(_)) => question.token(self.size, &[&occurred_part(self.at), last.as_bytes()].concat()),
            _ => String::new(),
        }
    }
}

impl<'q, 'a> Inventory<'q, 'a> {
    pub(crate) fn new(query: &'q Query<'a>, at: OccurredAt, size: TreeSize) -> Self {
        Self { query, at, size, people: query.people(), kept: Kept::new() }
    }

    /// One of them; none of what is none at that moment, or is known by another entity of the list.
    pub(crate) fn one(&mut self, entity: &EntityId) -> Result<Option<NonHumanIdentity>> {
        let found = self.found(entity)?;
        found.map(|found| self.told(entity, found)).transpose()
    }

    /// Whether an entity is one of them.
    pub(crate) fn has(&mut self, entity: &EntityId) -> Result<bool> {
        if let Some(kept) = self.kept.kept(entity) {
            return Ok(*kept);
        }
        let is_one = nhi::is_listed(&self.query.view, entity, self.size)? && self.found(entity)?.is_some();
        self.kept.get(entity, || Ok(is_one)).map(|kept| *kept)
    }

    /// What is said of an entity, whether or not it is one of them.
    pub(crate) fn of(&mut self, entity: &EntityId) -> Result<NonHumanIdentity> {
        let found = self.look_up(entity)?;
        self.told(entity, found)
    }

    fn found(&mut self, entity: &EntityId) -> Result<Option<Found>> {
        let (at, size) = (self.at, self.size);
        if self.query.stands_for_another(entity, at, size, &mut self.people)? {
            return Ok(None);
        }
        let found = self.look_up(entity)?;
        let has_own = found.entry.as_ref().is_some_and(|entry| entry.bearer == *entity);
        let is_meant = has_own || is_non_human(found.party.identity_type());
        let is_there = is_meant && (has_own || histories::is_known(&self.query.view, entity, at, size)?);
        Ok(Some(found).filter(|_| is_there))
    }

    fn look_up(&self, entity: &EntityId) -> Result<Found> {
        let (query, at, size) = (self.query, self.at, self.size);
        let state = timelines::state_at(&query.view, entity, at, size)?;
        let mut party = query.parties(size).party(entity)?;
        if state.identity_type != 0 && state.identity_type != party.identity_type {
            party.to_mut().identity_type = state.identity_type;
        }
        let entry = query.entry(entity, &state, at, size)?;
        Ok(Found { party, state, entry })
    }

    fn told(&mut self, entity: &EntityId, found: Found) -> Result<NonHumanIdentity> {
        let (query, at, size) = (self.query, self.at, self.size);
        let Found { party, state, entry } = found;
        let mut owners = Vec::new();
        for (owner, by) in entry.iter().flat_map(|entry| &entry.state.owners) {
            owners.extend(query.owner(owner, by, (at, size), &mut self.people)?);
        }
        let (last_seen, source) = query.last_seen(entity, at, size)?.unzip();
        let own = query.parties(size).credentials(&state.credentials, at)?;
        let credential = own.into_iter().find(|held| held.credential.as_ref().is_some_and(|one| one.id == party.id));
        let register = entry.as_ref().and_then(|entry| entry.state.register.as_ref());
        let expires_at = register.and_then(|register| register.expires_at);
        let expires_at = expires_at.or_else(|| state.credentials.get(&party.id).and_then(|held| held.expires_at));
        let gaps = gaps(register, &owners, &expires_at, party.identity_type(), at);
        Ok(NonHumanIdentity {
            register: match (&entry, register) {
                (Some(entry), Some(register)) => Some(query.register(&entry.bearer, register)?),
                _ => None,
            },
            owners,
            credential,
            account_status: state.account.as_ref().map_or(AccountStatus::Unspecified, |held| held.status()).into(),
            last_seen: last_seen.as_ref().map(evidence),
            source: source.unwrap_or_default(),
            gaps: gaps.into_iter().map(i32::from).collect(),
            entity: Some(party),
        })
    }
}

/// What an inventory must have of one, and has not. Nothing is asked of what is out of use.
fn gaps(
    register: Option<&RegisterState>,
    owners: &[NonHumanOwner],
    expires_at: &Option<Time>,
    identity_type: IdentityType,
    at: OccurredAt,
) -> Vec<RegisterGap> {
    if register.is_some_and(|register| register.retired) {
        return Vec::new();
    }
    let is = |says: fn(&RegisterState) -> bool| register.is_some_and(says);
    let has_secret = matches!(
        identity_type,
        IdentityType::ApiKey
            | IdentityType::Token
            | IdentityType::Secret
            | IdentityType::Certificate
            | IdentityType::WebhookSecret
    );
    let found = [
        (RegisterGap::NotRegistered, !is(|register| register.registered)),
        (RegisterGap::NoOwner, owners.is_empty()),
        (RegisterGap::OwnerLeft, !owners.is_empty() && owners.iter().all(|owner| owner.left)),
        (RegisterGap::NoPurpose, !is(|register| register.purpose_declared)),
        (RegisterGap::NoExpiry, expires_at.is_none()),
        (RegisterGap::Expired, is_lapsed(expires_at, at)),
        (RegisterGap::NoRotation, has_secret && !is(|register| register.rotation_interval_seconds > 0)),
        (RegisterGap::NoStorage, has_secret && !is(|register| register.storage_declared)),
    ];
    found.into_iter().filter(|(_, is_so)| *is_so).map(|(gap, _)| gap).collect()
}

/// The gaps of a question.
pub(crate) fn gaps_part(gaps: &[RegisterGap]) -> Vec<u8> {
    gaps.iter().flat_map(|gap| i32::from(*gap).to_be_bytes()).collect()
}

impl NhiRequest {
    fn question(&self) -> Question {
        let types: Vec<u8> = self.types.iter().flat_map(|one| i32::from(*one).to_be_bytes()).collect();
        Question::new("nhi", &[self.system.as_bytes(), &types, &gaps_part(&self.gaps), &recorded_part(self.known)])
    }

    fn is_of_system(&self, entity: &EntityId) -> bool {
        let system = Some(self.system.as_str()).filter(|system| !system.is_empty());
        Wanted { system, ..Wanted::default() }.is_of_system(entity)
    }

    fn wants(&self, identity: &NonHumanIdentity) -> bool {
        let identity_type = identity.entity.as_ref().map(|entity| entity.identity_type()).unwrap_or_default();
        (self.types.is_empty() || self.types.contains(&identity_type))
            && (self.gaps.is_empty() || identity.gaps().any(|gap| self.gaps.contains(&gap)))
    }
}
