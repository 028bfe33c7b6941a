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
use counterfoil_verify::replay::{FactAt, facts_of};
use counterfoil_verify::state::{Evidence, RegisterState, State};
use counterfoil_verify::time::{Moment, OccurredAt, RecordedAt};
use counterfoil_verify::tree::TreeSize;

use crate::answers::aliases::Aliases;
use crate::answers::convert::{evidence, is_lapsed};
use crate::answers::pages::{Page, Question, occurred_part, recorded_part};
use crate::answers::people::{Asked, People, Span};
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

impl Query<'_> {
    /// A page of the non-human identities at a moment: those in the register and those that were only seen.
    ///
    /// # Errors
    /// [`QueryError::PageToken`] if the token belongs to another question.
    pub fn non_human_identities(&self, request: &NhiRequest) -> Result<ListNonHumanIdentitiesResponse> {
        let question = request.question();
        let (size, at, after) = match request.page.read(&question, self.basis.size)? {
            None => (self.known_size(request.known)?, request.at, Vec::new()),
            Some((size, place)) => {
                let (at, last) = place.split_first_chunk::<12>().ok_or(QueryError::PageToken("names no place"))?;
                (size, OccurredAt(Moment::from_sortable_bytes(at)), last.to_vec())
            }
        };
        let count = request.page.count(PAGE_MAX, PAGE_MAX);
        let looked_at = nhi::after(&self.view, &after, size, count + 1)?;
        let mut people = People::new(self);
        let mut identities = Vec::new();
        for entity in looked_at.iter().take(count).filter(|entity| request.is_of_system(entity)) {
            let listed = self.non_human_identity(entity, at, size, &mut people)?;
            identities.extend(listed.filter(|identity| request.wants(identity)));
        }
        let next_page_token = match looked_at.get(count.wrapping_sub(1)).filter(|_| looked_at.len() > count) {
            Some(last) => question.token(size, &[&occurred_part(at), last.as_bytes()].concat()),
            None => String::new(),
        };
        Ok(ListNonHumanIdentitiesResponse {
            basis: Some(self.basis()),
            moment: Some(self.moment(Some(at), request.known, size)?),
            identities,
            next_page_token,
        })
    }

    /// One of them; none of what is none at that moment, or is known by another entity of the list.
    fn non_human_identity(
        &self,
        entity: &EntityId,
        at: OccurredAt,
        size: TreeSize,
        people: &mut People<'_, '_>,
    ) -> Result<Option<NonHumanIdentity>> {
        if self.stands_for_another(entity, at, size, people)? {
            return Ok(None);
        }
        let state = timelines::state_at(&self.view, entity, at, size)?;
        let parties = self.parties(size);
        let mut party = parties.party(entity)?;
        if state.identity_type != 0 && state.identity_type != party.identity_type {
            party.to_mut().identity_type = state.identity_type;
        }
        let entry = self.entry(entity, &state, at, size)?;
        let has_own = entry.as_ref().is_some_and(|entry| entry.bearer == *entity);
        let is_meant = has_own || is_non_human(party.identity_type());
        if !is_meant || !has_own && !histories::is_known(&self.view, entity, at, size)? {
            return Ok(None);
        }
        let mut owners = Vec::new();
        for (owner, by) in entry.iter().flat_map(|entry| &entry.state.owners) {
            owners.extend(self.owner(owner, by, (at, size), people)?);
        }
        let (last_seen, source) = self.last_seen(entity, at, size)?.unzip();
        let own = parties.credentials(&state.credentials, at)?;
        let credential = own.into_iter().find(|held| held.credential.as_ref().is_some_and(|one| one.id == party.id));
        let register = entry.as_ref().and_then(|entry| entry.state.register.as_ref());
        let expires_at = register.and_then(|register| register.expires_at);
        let expires_at = expires_at.or_else(|| state.credentials.get(&party.id).and_then(|held| held.expires_at));
        let gaps = gaps(register, &owners, &expires_at, party.identity_type(), at);
        Ok(Some(NonHumanIdentity {
            register: match (&entry, register) {
                (Some(entry), Some(register)) => Some(self.register(&entry.bearer, register)?),
                _ => None,
            },
            owners,
            credential,
            account_status: state.account.as_ref().map_or(AccountStatus::Unspecified, |held| held.status()).into(),
            last_seen: last_seen.as_ref().map(evidence),
            source: source.unwrap_or_default(),
            gaps: gaps.into_iter().map(i32::from).collect(),
            entity: Some(party),
        }))
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
        let mut asked = Asked { at, known: size, span: Span::ALWAYS };
        for (meant, _) in people.meant_by(&token, &mut asked)? {
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

    /// The newest fact by a moment that a source reports of an entity, and the source. What registers and mappings say is
    /// no sight of it.
    fn last_seen(&self, entity: &EntityId, at: OccurredAt, size: TreeSize) -> Result<Option<(Evidence, String)>> {
        // It is nearly always the newest.
        for max in [1, SEEN_MAX] {
            for position in histories::newest(&self.view, entity, at, size, max)? {
                let record = self.read_record(position.2)?;
                let seen = facts_of(&record).find(|fact| fact.evidence.fact == position.3);
                let is_sight = |fact: &FactAt<'_>| {
                    !matches!(kind_group(fact.fact.kind()), Group::Governance | Group::Identity | Group::Rule)
                };
                if let Some(FactAt { source, evidence, .. }) = seen.filter(is_sight) {
                    return Ok(Some((evidence, format!("{}/{}/{}", source.system, source.instance, source.stream))));
                }
            }
        }
        Ok(None)
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

impl NhiRequest {
    fn question(&self) -> Question {
        let types: Vec<u8> = self.types.iter().flat_map(|one| i32::from(*one).to_be_bytes()).collect();
        let gaps: Vec<u8> = self.gaps.iter().flat_map(|gap| i32::from(*gap).to_be_bytes()).collect();
        Question::new("nhi", &[self.system.as_bytes(), &types, &gaps, &recorded_part(self.known)])
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
