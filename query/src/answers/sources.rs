//! What each source has delivered, and what of it could not be read.
//!
//! Owns the summaries and the list of dead letters. It never retries anything.

use std::collections::BTreeMap;

use counterfoil_proto::v1::{
    DeadLetter, ListDeadLettersResponse, ListSourcesResponse, ObjectCount, Record, SourceSummary, UnmappedType,
    UnreadEvents, record::Body,
};
use counterfoil_verify::beside;
use counterfoil_verify::record::recorded_at;
use counterfoil_verify::time::OccurredAt;
use counterfoil_verify::tree::{RecordIndex, TreeSize};

use crate::answers::Query;
use crate::answers::convert::{timestamp, words};
use crate::answers::pages::{Page, Question};
use crate::error::{QueryError, Result};
use crate::views::keys::read_u64;
use crate::views::sources::SourceCounts;
use crate::views::{changes, retries, sources};

/// The most dead letters of a page.
const PAGE_LETTERS_MAX: usize = 1_000;

/// What stands where the bytes of a dead letter were, and what was wrong with them.
const REDACTED: &str = "a redaction removed what it said: there is nothing to read again";

impl Query<'_> {
    /// How many events no change could be read out of, in all sources.
    pub fn unread(&self) -> Result<UnreadEvents> {
        let mut unread = UnreadEvents::default();
        for counts in sources::sources(&self.view)?.into_values() {
            unread.incomplete += counts.incomplete;
            unread.unmapped += counts.unmapped;
            unread.conflicts += counts.conflicts;
            unread.rejected += counts.rejected.saturating_sub(counts.retried);
        }
        Ok(unread)
    }

    /// How many dead letters wait to be put through, by the connector that could not read them; 0 where all were.
    pub fn letters_waiting(&self) -> Result<BTreeMap<String, u64>> {
        let mut waiting = BTreeMap::new();
        for ((_, _, connector), counts) in sources::sources(&self.view)? {
            *waiting.entry(connector).or_default() += counts.rejected.saturating_sub(counts.retried);
        }
        Ok(waiting)
    }

    /// What each source has delivered, and how many objects of each kind its system has.
    pub fn sources(&self) -> Result<ListSourcesResponse> {
        let objects = sources::objects(&self.view)?;
        self.view.slow()?;
        let duplicates = self.reader.duplicates()?;
        let mut summaries = Vec::new();
        for ((system, instance, connector), counts) in sources::sources(&self.view)? {
            let of_source = objects.iter().filter(|((of, at, _), _)| (of, at) == (&system, &instance));
            let objects = of_source.map(|((_, _, kind), &count)| ObjectCount { kind: kind.clone(), count }).collect();
            let delivered_again = duplicates
                .iter()
                .filter(|(key, _)| (&key.system, &key.instance, &key.connector) == (&system, &instance, &connector));
            let duplicates = delivered_again.map(|(_, count)| count).sum();
            summaries.push(SourceSummary { duplicates, objects, ..summary((system, instance, connector), counts) });
        }
        Ok(ListSourcesResponse { basis: Some(self.basis()), sources: summaries })
    }

    /// A page of the events that could not be read, from record `from` on, without their content; with those that were put
    /// through since, or without.
    ///
    /// # Errors
    /// [`QueryError::PageToken`] if the token belongs to another question.
    pub fn dead_letters(&self, from: RecordIndex, with_retried: bool, page: &Page) -> Result<ListDeadLettersResponse> {
        let question = Question::new("dead-letters", &[&from.0.to_be_bytes(), &[u8::from(with_retried)]]);
        let (size, first) = match page.read(&question, self.basis.size)? {
            None => (self.basis.size, from),
            Some((size, place)) => {
                (size, RecordIndex(read_u64(&place).ok_or(QueryError::PageToken("names no place"))?))
            }
        };
        let is_counted = |index: &Result<RecordIndex>| index.as_ref().map_or(true, |index| index.0 < size.0);
        let is_listed =
            |index: RecordIndex| -> Result<bool> { Ok(with_retried || self.retried_as(index, size)?.is_none()) };
        let listed = |index: Result<RecordIndex>| match index {
            Ok(index) => is_listed(index).map(|listed| listed.then_some(index)).transpose(),
            Err(error) => Some(Err(error)),
        };
        let mut rest = changes::dead_letters(&self.view, first)?.take_while(is_counted).filter_map(listed);
        let mut dead_letters = Vec::new();
        for index in rest.by_ref().take(page.count(PAGE_LETTERS_MAX, PAGE_LETTERS_MAX)) {
            let letter = self.dead_letter(index?)?;
            dead_letters.push(DeadLetter { content: Vec::new(), ..letter });
        }
        let next_page_token = match rest.next().transpose()? {
            Some(next) => question.token(size, &next.0.to_be_bytes()),
            None => String::new(),
        };
        Ok(ListDeadLettersResponse { basis: Some(self.basis()), dead_letters, next_page_token })
    }

    /// One event that could not be read, with its bytes as they came, less their secrets; without them and without the
    /// words about them for whoever may not see names.
    ///
    /// # Errors
    /// [`QueryError::NotRejected`] if the record holds something else.
    pub fn dead_letter(&self, index: RecordIndex) -> Result<DeadLetter> {
        self.check_known(index, self.basis.size)?;
        let record: Record = self.read_record(index)?;
        let Some(Body::SourceRejected(rejected)) = &record.body else {
            return Err(QueryError::NotRejected(index));
        };
        let provenance = record.provenance.clone().unwrap_or_default();
        let position = provenance.position.unwrap_or_default();
        let beside = self.read_beside(index)?.filter(|_| self.shows_names).unwrap_or_default();
        let error = beside::values(&beside).flat_map(|(_, values)| values.values).find(|value| value.name == "error");
        let error = match beside.payload.as_ref().is_some_and(beside::is_removed) {
            true => REDACTED.to_owned(),
            false => error.map(|value| value.value).unwrap_or_default(),
        };
        Ok(DeadLetter {
            record: index.0,
            recorded_at: Some(timestamp(recorded_at(&record).0)),
            connector: provenance.connector,
            channel: position.channel,
            sequence: position.sequence,
            reason: words(rejected.reason().as_str_name(), "REJECT_REASON_"),
            error,
            size: rejected.size,
            retried_as: self.retried_as(index, self.basis.size)?.map_or(0, |record| record.0),
            content: beside.payload.map(|payload| payload.content).unwrap_or_default(),
        })
    }

    /// The first record of a tree that was read from a dead letter; none where it was not put through by then.
    fn retried_as(&self, letter: RecordIndex, size: TreeSize) -> Result<Option<RecordIndex>> {
        Ok(retries::record_of(&self.view, letter)?.filter(|record| record.0 < size.0))
    }
}

fn summary((system, instance, connector): sources::Name, counts: SourceCounts) -> SourceSummary {
    let when = |at: OccurredAt| timestamp(at.0);
    let (first, last) = counts.period();
    let unmapped = |(native_type, counted): (String, sources::TypeCount)| UnmappedType {
        native_type,
        count: counted.count,
        example_record: counted.example,
    };
    SourceSummary {
        system,
        instance,
        connector,
        events: counts.events,
        facts: counts.facts,
        unmapped: counts.unmapped,
        incomplete: counts.incomplete,
        conflicts: counts.conflicts,
        rejected: counts.rejected,
        retried: counts.retried,
        first_occurred_at: first.map(when),
        last_occurred_at: last.map(when),
        unmapped_types: counts.unmapped_types.into_iter().map(unmapped).collect(),
        ..SourceSummary::default()
    }
}
