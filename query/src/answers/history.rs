//! Every fact about an entity, page by page.
//!
//! Owns the page tokens. A token is bound to the question and to the records that counted when its first page was asked
//! for, so that the pages together are one answer whatever is appended meanwhile.
//!
//! ```text
//! token   = hexadecimal of: u8 1 ‖ u64 hash of the question ‖ u64 known size ‖ position of the last entry
//! ```

use counterfoil_proto::v1::{GetHistoryResponse, HistoryEntry, Record, record::Body};
use counterfoil_verify::entity::EntityId;
use counterfoil_verify::hash::domain_hash;

use counterfoil_verify::replay::{FactAt, facts_of, named};
use counterfoil_verify::state::Evidence;
use counterfoil_verify::time::RecordedAt;
use counterfoil_verify::tree::TreeSize;

use crate::answers::convert::evidence;
use crate::answers::parties::Parties;
use crate::answers::{Period, Query};
use crate::error::{QueryError, Result};
use crate::views::histories::{self, role_names};
use crate::views::keys::{POSITION_BYTES, Position, first_at, key, position_bytes, read_position, read_u64};

/// The entries of a page where nothing else is asked for, and the most of one page.
const PAGE_ENTRIES: usize = 100;
const PAGE_ENTRIES_MAX: usize = 1_000;
const TOKEN_FORMAT: u8 = 1;

/// What to list of an entity's history.
#[derive(Clone, Debug, PartialEq)]
pub struct HistoryRequest {
    /// Whose.
    pub entity: EntityId,
    /// When it happened.
    pub period: Period,
    /// Which records count.
    pub known: Option<RecordedAt>,
    /// The most entries of a page: 1 to 1,000, or 0 for 100.
    pub page_size: usize,
    /// `next_page_token` of the page before, or empty.
    pub page_token: String,
}

impl Query<'_> {
    /// A page of an entity's history, by when the facts happened.
    ///
    /// # Errors
    /// [`QueryError::PageToken`] if the token belongs to another question.
    pub fn history(&self, request: &HistoryRequest) -> Result<GetHistoryResponse> {
        let question = question_hash(request);
        let (after, size) = match request.page_token.as_str() {
            "" => (first_at(request.period.from), self.known_size(request.known)?),
            token => self.read_token(token, &question)?,
        };
        let count = match request.page_size {
            0 => PAGE_ENTRIES,
            asked => asked.min(PAGE_ENTRIES_MAX),
        };
        let mut rows = histories::read(&self.view, &request.entity, after, request.period.to, size)?;
        let parties = self.parties(size);
        let mut entries = Vec::new();
        let mut last = after;
        let mut record: Option<Record> = None;
        for row in rows.by_ref().take(count) {
            let (position, roles) = row?;
            let held = record.take().filter(|record| record.index == position.1.0);
            let read = held.map_or_else(|| self.reader.record(position.1), Ok)?;
            entries.push(parties.entry(&read, position, roles)?);
            record = Some(read);
            last = position;
        }
        let next_page_token = match rows.next().transpose()? {
            Some(_) => token(&question, size, &last),
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

    fn read_token(&self, token: &str, question: &[u8; 8]) -> Result<(Position, TreeSize)> {
        let bytes = from_hex(token).ok_or(QueryError::PageToken("is none that this program gives"))?;
        let read = || {
            let (&TOKEN_FORMAT, rest) = bytes.split_first()? else { return None };
            let (asked, rest) = rest.split_at_checked(8)?;
            let (size, position) = rest.split_at_checked(8)?;
            Some((asked, TreeSize(read_u64(size)?), read_position(position)?))
        };
        let (asked, size, position) = read().ok_or(QueryError::PageToken("is none that this program gives"))?;
        if asked != question {
            return Err(QueryError::PageToken("belongs to another question"));
        }
        if size > self.basis.size {
            return Err(QueryError::PageToken("rests on records that these views do not hold yet"));
        }
        Ok((position, size))
    }
}

impl Parties<'_> {
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

fn question_hash(request: &HistoryRequest) -> [u8; 8] {
    let Period { from, to } = request.period;
    let times = [from.0, to.0].map(|moment| moment.to_sortable_bytes()).concat();
    let known = request.known.map(|known| known.0.to_sortable_bytes().to_vec()).unwrap_or_default();
    let parts = [&times[..], &[u8::from(request.known.is_some())], &known, request.entity.as_bytes()];
    let hash = domain_hash("counterfoil/query/history/v1", &parts);
    let mut short = [0; 8];
    short.copy_from_slice(&hash.as_bytes()[..8]);
    short
}

fn token(question: &[u8; 8], size: TreeSize, last: &Position) -> String {
    let bytes = key(&[TOKEN_FORMAT], &[question, &size.0.to_be_bytes(), &position_bytes(last)]);
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn from_hex(text: &str) -> Option<Vec<u8>> {
    let digits = text.as_bytes();
    let is_token = digits.len() == 2 * (1 + 8 + 8 + POSITION_BYTES) && digits.iter().all(u8::is_ascii_hexdigit);
    let byte = |start: usize| u8::from_str_radix(text.get(start..start + 2)?, 16).ok();
    is_token.then(|| (0..digits.len()).step_by(2).map(byte).collect()).flatten()
}
