//! The integration paths: which non-human identity acts through what in which system.
//!
//! Owns whose path a fact is of, where it leads, and what a path must have. What each of its ends lacks by itself, the
//! inventory says.

use std::collections::BTreeMap;

use counterfoil_proto::v1::{
    CredentialStatus, EntityKind, IntegrationPath, ListIntegrationPathsResponse, NonHumanIdentity, NonHumanOwner,
    Outcome, Ref, RegisterGap,
};
use counterfoil_verify::entity::{EntityId, place_of};
use counterfoil_verify::replay::{FactAt, named};
use counterfoil_verify::state::Evidence;
use counterfoil_verify::time::{OccurredAt, RecordedAt};
use pbjson_types::Timestamp;

use crate::answers::convert::{evidence, timestamp};
use crate::answers::nhi::{Inventory, gaps_part, is_sight};
use crate::answers::pages::{Page, Question, recorded_part};
use crate::answers::{Period, Query};
use crate::error::Result;

/// How many that may be sources are looked at for a page, where nothing else is asked for.
const PAGE_SOURCES: usize = 100;
/// A page ends with the source that brings it to so many paths.
const PAGE_PATHS: usize = 1_000;

/// Which integration paths to list.
#[derive(Clone, Debug, PartialEq)]
pub struct PathsRequest {
    /// Those into one system; into every system where it is empty.
    pub system: String,
    /// Those with one of these gaps; all, if there are none.
    pub gaps: Vec<RegisterGap>,
    /// As of when.
    pub at: OccurredAt,
    /// Which records count.
    pub known: Option<RecordedAt>,
    /// Which page: of so many that may be sources, at most 1,000; 0 means 100.
    pub page: Page,
}

/// The ways on which one source acts: through what, and in which system and tenant.
type Way = (Option<EntityId>, String, String);

/// The facts of a path.
struct Seen {
    first: Evidence,
    last: Evidence,
    facts: u64,
}

impl Query<'_> {
    /// A page of the integration paths at a moment.
    ///
    /// # Errors
    /// [`crate::QueryError::PageToken`] if the token belongs to another question.
    pub fn integration_paths(&self, request: &PathsRequest) -> Result<ListIntegrationPathsResponse> {
        let question = request.question();
        let stretch = self.stretch(&question, (request.at, request.known), &request.page, PAGE_SOURCES)?;
        let mut inventory = Inventory::new(self, stretch.at, stretch.size);
        let (mut paths, mut looked_at) = (Vec::new(), 0);
        for entity in stretch.entities() {
            if let Some(source) = inventory.one(entity)? {
                paths.extend(inventory.paths(entity, &source)?.into_iter().filter(|path| request.wants(path)));
            }
            looked_at += 1;
            if paths.len() >= PAGE_PATHS {
                break;
            }
        }
        Ok(ListIntegrationPathsResponse {
            basis: Some(self.basis()),
            moment: Some(self.moment(Some(stretch.at), request.known, stretch.size)?),
            paths,
            next_page_token: stretch.token_after(&question, looked_at),
        })
    }
}

impl Inventory<'_, '_> {
    /// The paths of one of the inventory.
    pub(crate) fn paths(&mut self, entity: &EntityId, source: &NonHumanIdentity) -> Result<Vec<IntegrationPath>> {
        if is_session(entity) {
            return Ok(Vec::new());
        }
        let period = Period { from: Period::ALWAYS.from, to: self.at };
        let query = self.query;
        let acts = query.acts(entity, period, self.size)?;
        let mut ways: BTreeMap<Way, Seen> = BTreeMap::new();
        // They come with the latest first.
        query.each_fact(acts.places.into_iter().rev().map(|place| (place, ())), |fact, ()| {
            if fact.fact.outcome() == Outcome::Success && is_sight(fact) && self.is_source(entity, fact)? {
                let (system, instance) = target(fact);
                let way = (credential(entity, fact), system.to_owned(), instance.to_owned());
                let seen = Seen { first: fact.evidence, last: fact.evidence, facts: 0 };
                let seen = ways.entry(way).or_insert(seen);
                (seen.last, seen.facts) = (fact.evidence, seen.facts + 1);
            }
            Ok(())
        })?;
        let path = |(way, seen): (Way, Seen)| self.path(source, way, &seen, acts.is_cut);
        ways.into_iter().map(path).collect()
    }

    /// Whether a fact that an entity acts in is of its path: what another one of the inventory acts through is no source.
    fn is_source(&mut self, entity: &EntityId, fact: &FactAt<'_>) -> Result<bool> {
        let actors = all_named(&fact.fact.actor, fact);
        if actors.contains(entity) {
            return Ok(true);
        }
        for actor in &actors {
            if self.has(actor)? {
                return Ok(false);
            }
        }
        Ok(true)
    }

    fn path(&mut self, source: &NonHumanIdentity, way: Way, seen: &Seen, cut: bool) -> Result<IntegrationPath> {
        let (credential, system, instance) = way;
        let credential = credential.map(|credential| self.of(&credential)).transpose()?;
        let gaps = gaps(source, credential.as_ref(), &system, timestamp(seen.last.occurred_at().0));
        Ok(IntegrationPath {
            source: source.entity.clone(),
            owners: owners(source, credential.as_ref()).to_vec(),
            credential: credential.and_then(|credential| credential.entity),
            system,
            instance,
            first_seen: Some(evidence(&seen.first)),
            last_seen: Some(evidence(&seen.last)),
            facts: seen.facts,
            cut,
            gaps: gaps.into_iter().map(i32::from).collect(),
        })
    }
}

/// Whether it is the key of a session. It is issued for a while, to somebody who has another way in.
fn is_session(entity: &EntityId) -> bool {
    entity.kind() == EntityKind::Credential && entity.native_id().starts_with("session/")
}

fn all_named(reference: &Option<Ref>, fact: &FactAt<'_>) -> Vec<EntityId> {
    reference.iter().flat_map(|reference| named(reference, fact.source)).collect()
}

/// What a source acts through in a fact, where that is something of its own.
fn credential(source: &EntityId, fact: &FactAt<'_>) -> Option<EntityId> {
    let through = all_named(&fact.fact.via, fact);
    let is_other = !through.contains(source);
    through.into_iter().next().filter(|through| is_other && !is_session(through))
}

/// The system and the tenant that a fact is about.
fn target<'f>(fact: &FactAt<'f>) -> (&'f str, &'f str) {
    let about = fact.fact.object.as_ref().or(fact.fact.subject.as_ref());
    let own = (fact.source.system.as_str(), fact.source.instance.as_str());
    about.map_or(own, |about| place_of(about, fact.source))
}

/// Who answers for the source, or else for what it acts through.
fn owners<'n>(source: &'n NonHumanIdentity, credential: Option<&'n NonHumanIdentity>) -> &'n [NonHumanOwner] {
    match credential.filter(|_| source.owners.is_empty()) {
        Some(credential) => &credential.owners,
        None => &source.owners,
    }
}

/// What a path must have, and has not. Of what is out of use nothing is asked but that it is not used.
fn gaps(
    source: &NonHumanIdentity,
    credential: Option<&NonHumanIdentity>,
    system: &str,
    last_seen: Timestamp,
) -> Vec<RegisterGap> {
    let both = || [Some(source), credential].into_iter().flatten();
    let registers = || both().filter_map(|one| one.register.as_ref());
    let lacks = |one: &NonHumanIdentity, gap| one.gaps().any(|lacking| lacking == gap);
    let owners = owners(source, credential);
    // What has a term and is renewed is the credential, where there is one.
    let renewed = credential.unwrap_or(source);
    let systems: Vec<_> = registers().map(|register| &register.systems).filter(|systems| !systems.is_empty()).collect();
    let is_declared = !systems.is_empty() && systems.iter().all(|systems| systems.iter().any(|one| one == system));
    let asked = [
        (RegisterGap::NotRegistered, lacks(source, RegisterGap::NotRegistered)),
        (RegisterGap::NoOwner, owners.is_empty()),
        (RegisterGap::OwnerLeft, !owners.is_empty() && owners.iter().all(|owner| owner.left)),
        (RegisterGap::NoExpiry, lacks(renewed, RegisterGap::NoExpiry)),
        (RegisterGap::NoRotation, lacks(renewed, RegisterGap::NoRotation)),
        (RegisterGap::CredentialNotRegistered, credential.is_some_and(|one| lacks(one, RegisterGap::NotRegistered))),
        (RegisterGap::TargetNotDeclared, !is_declared),
    ];
    let used = [RegisterGap::UsedAfterRevocation, RegisterGap::UsedAfterExpiry, RegisterGap::UsedAfterRetirement];
    let used = used.map(|gap| (gap, both().flat_map(ends).any(|(of, end)| of == gap && is_before(&end, &last_seen))));
    let is_retired = registers().any(|register| register.retired);
    let asked = asked.into_iter().filter(|_| !is_retired);
    asked.chain(used).filter(|(_, is_so)| *is_so).map(|(gap, _)| gap).collect()
}

/// When one of the inventory ended, and what it is to use it after that.
fn ends(one: &NonHumanIdentity) -> [(RegisterGap, Option<Timestamp>); 4] {
    let (register, held) = (one.register.as_ref(), one.credential.as_ref());
    let since = |is_over: fn(CredentialStatus) -> bool| {
        held.filter(|held| is_over(held.status())).and_then(|held| held.evidence.as_ref()?.occurred_at)
    };
    let is_taken = |status| matches!(status, CredentialStatus::Revoked | CredentialStatus::Disabled);
    let term = register.and_then(|register| register.expires_at).or_else(|| held.and_then(|held| held.expires_at));
    [
        (RegisterGap::UsedAfterRevocation, since(is_taken)),
        (RegisterGap::UsedAfterExpiry, since(|status| status == CredentialStatus::Expired)),
        (RegisterGap::UsedAfterExpiry, term),
        (RegisterGap::UsedAfterRetirement, register.and_then(|register| register.retired_at)),
    ]
}

fn is_before(one: &Option<Timestamp>, other: &Timestamp) -> bool {
    one.as_ref().is_some_and(|one| (one.seconds, one.nanos) < (other.seconds, other.nanos))
}

impl PathsRequest {
    fn question(&self) -> Question {
        let parts = [self.system.as_bytes(), &gaps_part(&self.gaps), &recorded_part(self.known)];
        Question::new("integration-paths", &parts)
    }

    fn wants(&self, path: &IntegrationPath) -> bool {
        (self.system.is_empty() || self.system.eq_ignore_ascii_case(&path.system))
            && (self.gaps.is_empty() || path.gaps().any(|gap| self.gaps.contains(&gap)))
    }
}
