//! The population of a period: all that changed in it, out of records of which none is missing.
//!
//! Owns which facts are of a period, which of them are changes that somebody may draw a sample from, and the totals over all
//! that was read: every record and every fact is counted once in each of them, so that whoever looks at the changes sees what
//! they are not. That the records are all is for `evidence` to show.

use std::collections::{BTreeMap, BTreeSet};
use std::rc::Rc;

use counterfoil_proto::v1::{Confidence, Event, Mapping, Outcome, Record, record::Body};

use crate::fact::{Group, kind_group};
use crate::record::event_of;
use crate::redaction::redaction_of;
use crate::remap::Counting;
use crate::replay::{FactAt, changes_access, fact_of, facts_of};
use crate::ticket::CLOCK_TOLERANCE_SECONDS;
use crate::time::{OccurredAt, RecordedAt};
use crate::tree::TreeSize;

/// A period by the sources' clocks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Period {
    from: OccurredAt,
    to: OccurredAt,
}

impl Period {
    /// From one moment on, up to another one, which is not in it any more; none if that is no later.
    pub fn new(from: OccurredAt, to: OccurredAt) -> Option<Self> {
        (from < to).then_some(Self { from, to })
    }

    /// Its first moment.
    pub fn from(&self) -> OccurredAt {
        self.from
    }

    /// The first moment behind it.
    pub fn to(&self) -> OccurredAt {
        self.to
    }

    /// From when on records may tell of it. What happened is recorded afterwards, by clocks that differ by no more than is
    /// tolerated.
    pub fn recorded_from(&self) -> RecordedAt {
        RecordedAt(self.from.0.plus_seconds(-CLOCK_TOLERANCE_SECONDS))
    }
}

/// What some records say of a period.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Population {
    /// The changes: each a record and the number of the fact in it, in the order of the replay.
    pub changes: Vec<(Rc<Record>, u32)>,
    /// The records that were read, by what they are.
    pub records: RecordCounts,
    /// The facts in them.
    pub facts: FactCounts,
    /// The facts of the period by their kind, by its number.
    pub kinds: BTreeMap<i32, Counts>,
    /// What came from each source, by system, instance and stream.
    pub sources: BTreeMap<[String; 3], SourceCounts>,
    /// The records that say that a source lost something.
    pub gaps: Vec<Rc<Record>>,
}

/// How many records there are of each kind.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct RecordCounts {
    /// The first one of the log.
    pub origin: u64,
    /// Of events as they first came.
    pub events: u64,
    /// Of events that were read again.
    pub read_again: u64,
    /// Of events that came again with other content.
    pub conflicts: u64,
    /// Of documents that could not be read.
    pub rejected: u64,
    /// Those of them whose bytes were read later.
    pub rejected_read_since: u64,
    /// Of what a source lost.
    pub gaps: u64,
    /// Of what was removed beside others.
    pub redactions: u64,
    /// Those beside which something was removed.
    pub redacted: u64,
    /// Of new keys of the log.
    pub key_announcements: u64,
    /// Of seals.
    pub seals: u64,
}

impl RecordCounts {
    /// How many were read.
    pub fn total(&self) -> u64 {
        let Self { origin, events, read_again, conflicts, rejected, gaps, .. } = self;
        let Self { redactions, key_announcements, seals, .. } = self;
        origin + events + read_again + conflicts + rejected + gaps + redactions + key_announcements + seals
    }
}

/// How many facts there are.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct FactCounts {
    /// Those that count no longer, since their event was read again.
    pub replaced: u64,
    /// Of those that count: what happened before the period, in it and behind it.
    pub before: u64,
    /// In it.
    pub within: u64,
    /// Behind it.
    pub after: u64,
}

impl FactCounts {
    /// How many were read.
    pub fn total(&self) -> u64 {
        self.replaced + self.before + self.within + self.after
    }
}

/// How many facts of a period there are, and how many of them are changes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// Facts.
    pub facts: u64,
    /// Changes among them.
    pub changes: u64,
}

/// What came from a source.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct SourceCounts {
    /// Records that it is the source of.
    pub records: u64,
    /// The facts of the period in them, and the changes.
    pub counts: Counts,
    /// Events of a type that its connector does not know.
    pub unmapped: u64,
    /// Events that lack what their facts need.
    pub incomplete: u64,
    /// Documents that could not be read.
    pub rejected: u64,
    /// Gaps.
    pub gaps: u64,
}

/// Whether a fact is a change of the population: it changed access, or somebody joined, moved or left.
fn is_change(fact: &FactAt<'_>) -> bool {
    let is_step = kind_group(fact.fact.kind()) == Group::Lifecycle
        && fact.fact.outcome() == Outcome::Success
        && fact.fact.confidence() != Confidence::Snapshot;
    is_step || changes_access(fact)
}

/// What records say of a period by the first `known` of the log. They are all that were recorded from
/// [`Period::recorded_from`] on, in the order of the log.
pub fn of(period: Period, records: &[Rc<Record>], known: TreeSize) -> Population {
    let counting = Counting::of(records.iter().map(|record| &**record), known);
    let mut population = Population::default();
    for record in records {
        let counts = counting.counts(record);
        population.count_record(record, counts);
        for fact in facts_of(record) {
            population.count_fact(period, record, &fact, counts);
        }
    }
    population.changes.sort_unstable_by_key(|(record, fact)| fact_of(record, *fact).map(|fact| fact.evidence.order()));
    population.records.rejected_read_since = read_since(records);
    population.records.redacted = redacted(records);
    population
}

impl Population {
    fn count_record(&mut self, record: &Rc<Record>, counts: bool) {
        let records = &mut self.records;
        *match &record.body {
            Some(Body::Origin(_)) | None => &mut records.origin,
            Some(Body::Event(_)) => &mut records.events,
            Some(Body::EventRemapped(_)) => &mut records.read_again,
            Some(Body::EventConflict(_)) => &mut records.conflicts,
            Some(Body::SourceRejected(_)) => &mut records.rejected,
            Some(Body::SourceGap(_)) => &mut records.gaps,
            Some(Body::Redaction(_)) => &mut records.redactions,
            Some(Body::KeyAnnouncement(_)) => &mut records.key_announcements,
            Some(Body::Seal(_)) => &mut records.seals,
        } += 1;
        let Some(source) = self.source(record) else { return };
        source.records += 1;
        match event_of(record).filter(|_| counts).map(Event::mapping) {
            Some(Mapping::Unmapped) => source.unmapped += 1,
            Some(Mapping::Incomplete) => source.incomplete += 1,
            _ => {}
        }
        source.rejected += u64::from(matches!(record.body, Some(Body::SourceRejected(_))));
        if let Some(Body::SourceGap(_)) = record.body {
            source.gaps += 1;
            self.gaps.push(record.clone());
        }
    }

    fn count_fact(&mut self, period: Period, record: &Rc<Record>, fact: &FactAt<'_>, counts: bool) {
        let at = fact.evidence.occurred_at();
        let FactCounts { replaced, before, within, after } = &mut self.facts;
        *match counts {
            false => replaced,
            true if at < period.from => before,
            true if at >= period.to => after,
            true => within,
        } += 1;
        if !counts || at < period.from || at >= period.to {
            return;
        }
        let is_change = is_change(fact);
        let add = |counts: &mut Counts| {
            counts.facts += 1;
            counts.changes += u64::from(is_change);
        };
        add(self.kinds.entry(fact.fact.kind).or_default());
        self.source(record).map(|source| &mut source.counts).into_iter().for_each(add);
        if is_change {
            self.changes.push((record.clone(), fact.evidence.fact));
        }
    }

    fn source(&mut self, record: &Record) -> Option<&mut SourceCounts> {
        let source = record.provenance.as_ref()?.source.as_ref()?;
        let names = [&source.system, &source.instance, &source.stream].map(Clone::clone);
        Some(self.sources.entry(names).or_default())
    }
}

/// How many of the documents that could not be read were read later.
fn read_since(records: &[Rc<Record>]) -> u64 {
    let is_read = |record: &&Rc<Record>| matches!(record.body, Some(Body::Event(_) | Body::EventConflict(_)));
    let retries: BTreeSet<u64> = records
        .iter()
        .filter(is_read)
        .filter_map(|record| record.provenance.as_ref().map(|provenance| provenance.retry_of))
        .collect();
    let is_rejected = |record: &&Rc<Record>| matches!(record.body, Some(Body::SourceRejected(_)));
    records.iter().filter(is_rejected).filter(|record| retries.contains(&record.index)).count() as u64
}

/// Beside how many of these records, which stand one behind the other, something was removed.
fn redacted(records: &[Rc<Record>]) -> u64 {
    let first = records.first().map_or(0, |record| record.index);
    let removed = records.iter().filter_map(|record| redaction_of(record)).flat_map(|said| &said.removed);
    let mut ranges: Vec<(u64, u64)> =
        removed.map(|range| (range.first, range.first.saturating_add(range.records))).collect();
    ranges.sort_unstable();
    let (mut count, mut counted) = (0, first);
    for (from, to) in ranges {
        let from = from.max(counted);
        count += to.saturating_sub(from);
        counted = counted.max(to);
    }
    count
}
