//! Every fact about an entity, page by page.
//!
//! Owns how a record and a fact in it become an entry. It leaves no fact out, whatever its outcome.

use counterfoil_proto::v1::{GetHistoryResponse, HistoryEntry, Record, record::Body};
use counterfoil_verify::entity::EntityId;
use counterfoil_verify::replay::{FactAt, facts_of, named};
use counterfoil_verify::state::Evidence;
use counterfoil_verify::time::RecordedAt;

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
        let question = Question::new("history", &[request.entity.as_bytes(), &period, &known]);
        let (size, after) = match request.page.read(&question, self.basis.size)? {
            None => (self.known_size(request.known)?, first_at(from)),
            Some((size, place)) => (size, read_position(&place).ok_or(QueryError::PageToken("names no place"))?),
        };
        let count = request.page.count(PAGE_ENTRIES_MAX, PAGE_ENTRIES_MAX);
        let mut rows = histories::read(&self.view, &request.entity, after, request.period.to, size)?;
        let parties = self.parties(size);
        let mut entries = Vec::new();
        let mut last = after;
        let mut record: Option<Record> = None;
        for row in rows.by_ref().take(count) {
            let (position, roles) = row?;
            let held = record.take().filter(|record| record.index == position.1.0);
            let read = held.map_or_else(|| self.read_record(position.1), Ok)?;
            entries.push(parties.entry(&read, position, roles)?);
            record = Some(read);
            last = position;
        }
        let next_page_token = match rows.next().transpose()? {
            Some(_) => question.token(size, &position_bytes(&last)),
            None => String::new(),
        };
        Ok(GetHistoryResponse {
            basis: Some(self.basis()),
            moment: Some(self.moment(None, request.known, size)?),
            entity: Some(parties.party(&request.entity)?),
            entries,
            next_page_token,
        })
    }
}

impl Parties<'_, '_> {
    fn entry(&self, record: &Record, position: Position, roles: u16) -> Result<HistoryEntry> {
        let provenance = record.provenance.clone().unwrap_or_default();
        let source = provenance.source.unwrap_or_default();
        let base = HistoryEntry {
            roles: role_names(roles),
            native_type: native_type(record),
            source: format!("{}/{}/{}", source.system, source.instance, source.stream),
            ..HistoryEntry::default()
        };
        let Some(FactAt { fact, source, evidence: at }) =
            facts_of(record).find(|fact| fact.evidence.fact == position.2)
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

/// The source's own name of an event's type, or what a record without facts says.
fn native_type(record: &Record) -> String {
    match &record.body {
        Some(Body::Event(event)) => event.native_type.clone(),
        Some(Body::EventConflict(_)) => "event.conflict".to_owned(),
        Some(Body::SourceRejected(_)) => "source.rejected".to_owned(),
        Some(Body::SourceGap(_)) => "source.gap".to_owned(),
        Some(Body::Origin(_)) | None => String::new(),
    }
}
