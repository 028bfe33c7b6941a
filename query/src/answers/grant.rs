//! What gave somebody an access that they have or had: the change, its approvals, and what took it away.
//!
//! Owns which accesses are meant, and what an explained grant lacks. When each was held is `verify::holding`'s to say, and
//! which approval covers a change `explain`'s.

use std::collections::BTreeSet;

use counterfoil_proto::Shared;
use counterfoil_proto::v1::{
    AccessStanding, Decision, EntityKind, ExplainGrantResponse, Explanation, GrantExplanation, MissingPart, Party,
    Verdict,
};
use counterfoil_verify::entity::EntityId;
use counterfoil_verify::holding::{Holding, holdings};
use counterfoil_verify::link::is_in_time;
use counterfoil_verify::replay::FactAt;
use counterfoil_verify::state::Evidence;
use counterfoil_verify::time::{Moment, OccurredAt, RecordedAt};
use counterfoil_verify::tree::{RecordIndex, TreeSize};

use crate::answers::Query;
use crate::answers::changes::fact_at;
use crate::answers::convert::{evidence, moment_text, timestamp};
use crate::answers::judge::Judge;
use crate::answers::parties::{label, short_id};
use crate::answers::reversal::Timelines;
use crate::error::{QueryError, Result};

/// Whose access, and which.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GrantRequest {
    /// Somebody: all that stand for them count.
    pub who: EntityId,
    /// The entitlement.
    pub entitlement: EntityId,
}

/// An access at the moment of the question, and what became of it.
struct Found {
    holder: EntityId,
    /// As it was then.
    then: Holding,
    /// The same time to its end, as all known facts have it.
    whole: Holding,
}

impl Query<'_> {
    /// What gave somebody an entitlement, by a moment, and what took it away, also later.
    ///
    /// # Errors
    /// [`QueryError::NoEntitlement`].
    pub fn explain_grant(
        &self,
        asked: &GrantRequest,
        at: OccurredAt,
        known: Option<RecordedAt>,
    ) -> Result<ExplainGrantResponse> {
        if !matches!(asked.entitlement.kind(), EntityKind::Entitlement | EntityKind::Identifier) {
            return Err(QueryError::NoEntitlement(asked.entitlement.clone()));
        }
        let size = self.known_size(known)?;
        let (mut judge, mut timelines) = (self.judge(), Timelines::new(self, size)?);
        let holders = judge.people.aliases(vec![asked.who.clone()], at, size)?;
        let (names, is_cut) = judge.people.names_of(&asked.entitlement, at, size)?;
        let wanted: BTreeSet<String> = names.iter().map(EntityId::to_text).collect();
        let mut grants = Vec::new();
        for holder in holders.entities() {
            for found in found(holder, &wanted, at, &mut timelines)? {
                grants.push(self.explained(&found, at, size, &mut timelines, &mut judge)?);
            }
        }
        let parties = self.parties(size);
        Ok(ExplainGrantResponse {
            basis: Some(self.basis()),
            moment: Some(self.moment(Some(at), known, size)?),
            holder: Some(parties.party(&asked.who)?),
            entitlement: Some(parties.party(&asked.entitlement)?),
            grants,
            cut: holders.is_cut || is_cut,
        })
    }

    fn explained(
        &self,
        found: &Found,
        at: OccurredAt,
        size: TreeSize,
        timelines: &mut Timelines<'_, '_>,
        judge: &mut Judge<'_, '_>,
    ) -> Result<GrantExplanation> {
        let parties = self.parties(size);
        let mut by = |by: &Evidence| self.explained_by(by, size, timelines, judge);
        let given = if found.then.is_seen_only { None } else { Some(by(&found.then.given)?) };
        let (given, asked_until) = given.map_or((None, None), |(given, until)| (Some(given), until));
        let removed = found.whole.ended.as_ref().map(&mut by).transpose()?.map(|(removed, _)| removed);
        let standing = found.then.standing(at);
        let mut explanation = GrantExplanation {
            holder: Some(parties.party(&found.holder)?),
            entitlement: parties.of(&found.then.counterpart)?,
            scope: found.then.scope.clone(),
            standing: standing.standing.into(),
            given,
            seen: found.then.is_seen_only.then(|| evidence(&found.then.given)),
            expires_at: found.then.expires_at.map(timestamp),
            asked_until: asked_until.map(timestamp),
            removed,
            missing: Vec::new(),
            summary: String::new(),
        };
        explanation.missing = missing(&explanation, asked_until, at).into_iter().map(Into::into).collect();
        explanation.summary = summary(&explanation);
        Ok(explanation)
    }

    /// The fact of a grant, explained, and until when the tickets that cover it ask for it.
    fn explained_by(
        &self,
        by: &Evidence,
        size: TreeSize,
        timelines: &mut Timelines<'_, '_>,
        judge: &mut Judge<'_, '_>,
    ) -> Result<(Explanation, Option<Moment>)> {
        let record = self.read_record(RecordIndex(by.index))?;
        let fact = fact_at(&record, by.order())?;
        let mut explanation = self.explain_fact(&record, &fact, size, judge)?;
        self.rule(&mut explanation, &fact, timelines, judge)?;
        let delivery = record.provenance.as_ref().map(|provenance| provenance.delivery()).unwrap_or_default();
        let cover = judge.cover(&fact, delivery, size)?;
        let until = cover.approval.until.filter(|_| is_in_time(cover.approval.verdict));
        Ok((explanation, until))
    }
}

/// The accesses of one holder by a moment: of each, the last time in which it was held.
fn found(
    holder: &EntityId,
    wanted: &BTreeSet<String>,
    at: OccurredAt,
    timelines: &mut Timelines<'_, '_>,
) -> Result<Vec<Found>> {
    let rows = timelines.of(holder)?;
    let facts: Vec<FactAt<'_>> = rows.iter().map(|(position, delta)| delta.at(*position)).collect();
    let happened = facts.partition_point(|fact| fact.evidence.occurred_at() <= at);
    let is_wanted = |other: &str| wanted.contains(other);
    let whole = holdings(holder, &facts, is_wanted);
    let mut found = Vec::new();
    for (key, times) in holdings(holder, &facts[..happened], is_wanted) {
        let Some(then) = times.last() else { continue };
        let whole = whole.get(&key).and_then(|whole| whole.get(times.len() - 1)).unwrap_or(then);
        found.push(Found { holder: holder.clone(), then: then.clone(), whole: whole.clone() });
    }
    Ok(found)
}

/// What an explained grant lacks.
fn missing(grant: &GrantExplanation, asked_until: Option<Moment>, at: OccurredAt) -> Vec<MissingPart> {
    let mut missing = Vec::new();
    match &grant.given {
        None => missing.extend([MissingPart::SeenInListingOnly, MissingPart::NoApprovalRecorded]),
        Some(given) => {
            match given.verdict() {
                verdict if is_in_time(verdict) => {}
                Verdict::NoneRecorded | Verdict::TicketUnknown => missing.push(MissingPart::NoApprovalRecorded),
                _ => missing.push(MissingPart::NotApprovedInTime),
            }
            missing.extend(given.executor.is_none().then_some(MissingPart::NoExecutor));
            missing.extend(given.credential.is_none().then_some(MissingPart::NoCredential));
        }
    }
    match &grant.removed {
        Some(removed) => missing.extend(removed.executor.is_none().then_some(MissingPart::NoRemover)),
        None if grant.standing() == AccessStanding::Lapsed => missing.push(MissingPart::LapsedNotRemoved),
        None if asked_until.is_some_and(|until| until <= at.0) => missing.push(MissingPart::ExpiredNotRemoved),
        None => missing.push(MissingPart::NotRemoved),
    }
    missing
}

/// The sentence about a grant: who gave it when, who approved that, and who took it away when.
fn summary(grant: &GrantExplanation) -> String {
    let name = |party: &Option<Shared<Party>>| party.as_ref().map_or("somebody unnamed".to_owned(), |one| label(one));
    let when = |by: &Option<counterfoil_proto::v1::Evidence>| {
        let at = by.as_ref().and_then(|by| by.occurred_at);
        at.map_or("at an unknown time".to_owned(), |at| {
            moment_text(Moment { seconds: at.seconds, nanos: at.nanos.unsigned_abs() })
        })
    };
    let with = |explained: &Explanation| match &explained.credential {
        Some(credential) => format!(" with {}", short_id(credential)),
        None => String::new(),
    };
    let mut sentence = match &grant.given {
        None => format!("Seen in a listing only, first at {}: no log says who gave it", when(&grant.seen)),
        Some(given) => {
            let covering = given.tickets.iter().find(|ticket| ticket.verdict() == given.verdict());
            let approved = covering.and_then(|ticket| ticket.state.as_ref()).map(|state| {
                let rows = state.approvals.iter().filter(|row| row.decision() == Decision::Approved);
                let names: Vec<String> = rows
                    .map(|row| {
                        let who = if row.decided_by.is_some() { &row.decided_by } else { &row.approver };
                        format!("{} (level {})", name(who), row.level)
                    })
                    .collect();
                names.join(" and ")
            });
            let ticket = covering.and_then(|ticket| ticket.ticket.as_deref()).map(short_id).unwrap_or_default();
            let approval = match approved.filter(|names| !names.is_empty()) {
                Some(names) if is_in_time(given.verdict()) => format!("approved by {names} on {ticket}"),
                _ if is_in_time(given.verdict()) => format!("approved on {ticket} according to its source"),
                _ if covering.is_some() => format!("not approved in time ({ticket})"),
                _ => "no approval recorded".to_owned(),
            };
            format!("Given at {} by {}{}; {approval}", when(&given.change), name(&given.executor), with(given))
        }
    };
    match &grant.removed {
        Some(removed) => sentence.push_str(&format!(
            "; removed at {} by {}{}",
            when(&removed.change),
            name(&removed.executor),
            with(removed)
        )),
        None if grant.standing() == AccessStanding::Lapsed => {
            sentence.push_str("; it ran out by itself, and was not removed")
        }
        None => sentence.push_str("; not removed"),
    }
    format!("{}: {sentence}.", name(&grant.holder))
}
