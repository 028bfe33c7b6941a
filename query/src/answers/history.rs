//! Every fact about an entity, page by page.
//!
//! Owns how a record and a fact in it become an entry. It leaves no fact out, whatever its outcome.

use counterfoil_proto::v1::{GetHistoryResponse, HistoryEntry, Record, Remapping, record::Body};
use counterfoil_verify::entity::EntityId;
use counterfoil_verify::people::Covered;
use counterfoil_verify::record::event_of;
use counterfoil_verify::remap::remapped;
use counterfoil_verify::replay::{FactAt, facts_of, named};
use counterfoil_verify::state::Evidence;
use counterfoil_verify::time::{Moment, OccurredAt, RecordedAt};

use crate::answers::convert::evidence;
use crate::answers::pages::{Page, Question, occurred_part, recorded_part};
use crate::answers::parties::Parties;
use crate::answers::{Period, Query};
use crate::error::{QueryError, Result};
use crate::views::histories::{self, role_names};
use crate::views::keys::{Position, first_at, position_bytes, read_position};

/// The most entries of a page.
const PAGE_ENTRIES_MAX: usize = 1_000;

/// What to list of an entity's history.
#[derive(Clone, Debug, PartialEq)]
pub struct HistoryRequest {
    /// Whose.
    pub entity: EntityId,
    /// With the histories of all that is the same person's at this moment.
    pub person: Option<OccurredAt>,
    /// When it happened.
    pub period: Period,
    /// Which records count.
    pub known: Option<RecordedAt>,
    /// Which of it: 1 to 1,000 entries, or 0 for 1,000.
    pub page: Page,
}

impl Query<'_> {
    /// A page of an entity's history, by when the facts happened.
    ///
    /// # Errors
    /// [`QueryError::PageToken`] if the token belongs to another question.
    pub fn history(&self, request: &HistoryRequest) -> Result<GetHistoryResponse> {
        let Period { from, to } = request.period;
        let (period, known) = ([from, to].map(occurred_part).concat(), recorded_part(request.known));
        let is_person = [u8::from(request.person.is_some())];
        let question = Question::new("history", &[request.entity.as_bytes(), &period, &known, &is_person]);
        let (size, person, after) = match request.page.read(&question, self.basis.size)? {
            None => (self.known_size(request.known)?, request.person, first_at(from)),
            Some((size, place)) => {
                let (person, after) =
                    read_place(&place, request.person).ok_or(QueryError::PageToken("names no place"))?;
                (size, person, after)
            }
        };
        let covered = person.map(|at| self.covered(&request.entity, at, size)).transpose()?;
        let whose = covered.as_ref().map_or_else(|| vec![request.entity.clone()], Covered::entities);
        let count = request.page.count(PAGE_ENTRIES_MAX, PAGE_ENTRIES_MAX);
        let mut rows = histories::read_all(&self.view, &whose, after, request.period.to, size)?;
        let parties = self.parties(size);
        let mut entries = Vec::new();
        let mut last = after;
        let mut record: Option<Record> = None;
        for row in rows.by_ref().take(count) {
            let (position, roles) = row?;
            let held = record.take().filter(|record| record.index == position.2.0);
            let read = held.map_or_else(|| self.read_record(position.2), Ok)?;
            let mut entry = parties.entry(&read, position, roles.iter().fold(0, |all, (_, roles)| all | roles))?;
            if covered.is_some() {
                entry.members = roles.iter().map(|(of, _)| parties.party(&whose[*of])).collect::<Result<_>>()?;
            }
            entries.push(entry);
            record = Some(read);
            last = position;
        }
        let next_page_token = match rows.next().transpose()? {
            Some(_) => question.token(size, &place(&last, person)),
            None => String::new(),
        };
        Ok(GetHistoryResponse {
            basis: Some(self.basis()),
            moment: Some(self.moment(None, request.known, size)?),
            entity: Some(parties.party(&whose[0])?),
            entries,
            next_page_token,
            members: if covered.is_some() { parties.parties(&whose[1..])? } else { Vec::new() },
            members_cut: covered.is_some_and(|covered| covered.is_cut),
        })
    }
}

impl Parties<'_, '_> {
    fn entry(&self, record: &Record, position: Position, roles: u16) -> Result<HistoryEntry> {
        let provenance = record.provenance.clone().unwrap_or_default();
        let source = provenance.source.unwrap_or_default();
        let remapping = remapped(record).map(|remapped| Remapping {
            connector: provenance.connector,
            connector_version: provenance.connector_version,
            replaces: remapped.replaces,
        });
        let base = HistoryEntry {
            roles: role_names(roles),
            native_type: native_type(record),
            remapping,
            source: format!("{}/{}/{}", source.system, source.instance, source.stream),
            ..HistoryEntry::default()
        };
        let Some(FactAt { fact, source, evidence: at }) =
            facts_of(record).find(|fact| fact.evidence.fact == position.3)
        else {
            let at = Evidence::of(record, 0, position.0);
            return Ok(HistoryEntry { evidence: Some(evidence(&at)), ..base });
        };
        let tickets = fact.correlation.iter().flat_map(|correlation| &correlation.tickets);
        let tickets = tickets.flat_map(|ticket| named(ticket, source)).map(|ticket| self.party(&ticket));
        Ok(HistoryEntry {
            evidence: Some(evidence(&at)),
            kind: fact.kind,
            outcome: fact.outcome,
            actor: self.named(&fact.actor, source)?,
            via: self.named(&fact.via, source)?,
            subject: self.named(&fact.subject, source)?,
            object: self.named(&fact.object, source)?,
            tickets: tickets.collect::<Result<_>>()?,
            ..base
        })
    }
}

/// Where a page ends, and the moment at which a person is asked for: a later page is about the same accounts.
fn place(last: &Position, person: Option<OccurredAt>) -> Vec<u8> {
    [person.map(occurred_part).unwrap_or_default(), position_bytes(last).to_vec()].concat()
}

fn read_place(place: &[u8], person: Option<OccurredAt>) -> Option<(Option<OccurredAt>, Position)> {
    if person.is_none() {
        return Some((None, read_position(place)?));
    }
    let (at, last) = place.split_first_chunk::<12>()?;
    Some((Some(OccurredAt(Moment::from_sortable_bytes(at))), read_position(last)?))
}

/// The source's own name of an event's type, or what a record without facts says.
fn native_type(record: &Record) -> String {
    match &record.body {
        Some(Body::Event(_) | Body::EventRemapped(_)) => {
            event_of(record).map(|event| event.native_type.clone()).unwrap_or_default()
        }
        Some(Body::EventConflict(_)) => "event.conflict".to_owned(),
        Some(Body::SourceRejected(_)) => "source.rejected".to_owned(),
        Some(Body::SourceGap(_)) => "source.gap".to_owned(),
        Some(Body::Redaction(_)) => "redaction".to_owned(),
        Some(Body::KeyAnnouncement(_)) => "key.announced".to_owned(),
        Some(Body::Origin(_) | Body::Seal(_)) | None => String::new(),
    }
}
