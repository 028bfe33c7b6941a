//! What changed in a period, and the totals of what that was drawn from.
//!
//! Owns the rows. They are made where they are written, one at a time: there may be more of them than fit beside the file.

use std::rc::Rc;

use counterfoil_proto::v1::{Delivery, GapReason, Record, Ref, Source, record::Body};
use counterfoil_verify::entity::EntityId;
use counterfoil_verify::evidence::{Answer, Verified};
use counterfoil_verify::population::{Population, SourceCounts};
use counterfoil_verify::record::recorded_at;
use counterfoil_verify::remap::{place_of, remapped};
use counterfoil_verify::replay::{fact_of, named};
use counterfoil_verify::time::Moment;
use serde::{Serialize, Serializer};

use crate::change::{kind_name, word};
use crate::report::{Names, shown_at};

/// What changed in a period.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub struct PeriodOf<'v> {
    pub from: String,
    pub to: String,
    /// From when on records may tell of it, and the first that does.
    pub recorded_from: String,
    pub first: u64,
    pub records: RecordsOf,
    pub facts: FactsOf,
    /// The facts of the period by their kind.
    pub kinds: Vec<KindOf>,
    /// What came from each source.
    pub sources: Vec<SourceOf>,
    /// What a source lost.
    pub gaps: Vec<GapOf>,
    pub changes: Changes<'v>,
}

/// The records that were read.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub struct RecordsOf {
    pub total: u64,
    pub origin: u64,
    pub events: u64,
    pub read_again: u64,
    pub conflicts: u64,
    pub rejected: u64,
    /// Those that were rejected and whose bytes were read later.
    pub rejected_read_since: u64,
    pub gaps: u64,
    pub redactions: u64,
    /// Those beside which something was removed.
    pub redacted: u64,
    pub key_announcements: u64,
    pub seals: u64,
}

/// The facts in them.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub struct FactsOf {
    pub total: u64,
    pub replaced: u64,
    pub before: u64,
    pub within: u64,
    pub after: u64,
}

/// The facts of one kind in the period, and the changes among them.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub struct KindOf {
    pub kind: String,
    pub facts: u64,
    pub changes: u64,
}

/// What came from one source: records, and what they say of the period.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub struct SourceOf {
    pub source: String,
    pub records: u64,
    pub facts: u64,
    pub changes: u64,
    pub unmapped: u64,
    pub incomplete: u64,
    pub rejected: u64,
    pub gaps: u64,
}

/// What a source lost: positions from one to another.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub struct GapOf {
    pub record: u64,
    pub source: String,
    pub from: u64,
    pub to: u64,
    pub reason: String,
}

/// The changes, in the order in which they happened.
pub struct Changes<'v> {
    population: &'v Population,
    names: Names<'v>,
}

/// One change.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Row {
    pub record: u64,
    pub fact: u32,
    pub kind: String,
    pub happened: String,
    pub recorded: String,
    /// How long after it happened it was recorded, rounded down: below 0 where its source dated it later.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub late_seconds: Option<i64>,
    /// It came with a first import of old logs.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub backfill: bool,
    /// The record in which its event first came, where it was read again.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub first_came: Option<u64>,
    pub source: String,
    /// The event's id at its source.
    pub event: String,
    #[serde(skip_serializing_if = "Who::is_nobody")]
    pub subject: Who,
    #[serde(skip_serializing_if = "Who::is_nobody")]
    pub object: Who,
    #[serde(skip_serializing_if = "String::is_empty")]
    pub scope: String,
    #[serde(skip_serializing_if = "Who::is_nobody")]
    pub actor: Who,
    /// The tickets that the change itself names.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub tickets: Vec<String>,
}

/// Somebody, and what they are called.
#[derive(Default, Serialize)]
pub struct Who {
    pub entity: String,
    #[serde(skip_serializing_if = "String::is_empty")]
    pub name: String,
}

impl Who {
    fn of(reference: &Option<Ref>, source: &Source, names: &Names<'_>) -> Self {
        let entity = reference.as_ref().and_then(|reference| named(reference, source).into_iter().next());
        entity.map_or_else(Self::default, |entity| Self { name: names.of(&entity), entity: entity.to_text() })
    }

    fn is_nobody(&self) -> bool {
        self.entity.is_empty()
    }

    /// For people.
    pub fn shown(&self) -> String {
        match self.name.as_str() {
            "" => self.entity.clone(),
            name => format!("{name} ({})", self.entity),
        }
    }
}

impl Row {
    fn of(record: &Rc<Record>, number: u32, names: &Names<'_>) -> Option<Self> {
        let fact = fact_of(record, number)?;
        let provenance = record.provenance.as_ref()?;
        let (happened, recorded) = (fact.evidence.occurred_at().0, recorded_at(record).0);
        let is_read_again = remapped(record).is_some();
        let who = |reference| Who::of(reference, fact.source, names);
        let tickets = fact.fact.correlation.iter().flat_map(|correlation| &correlation.tickets);
        Some(Self {
            record: record.index,
            fact: number,
            kind: kind_name(fact.fact.kind()),
            happened: shown_at(happened),
            recorded: shown_at(recorded),
            late_seconds: (!is_read_again).then(|| seconds_between(happened, recorded)),
            backfill: provenance.delivery() == Delivery::Backfill,
            first_came: is_read_again.then(|| place_of(record).0),
            source: source_name(fact.source),
            event: provenance.event_id.clone(),
            subject: who(&fact.fact.subject),
            object: who(&fact.fact.object),
            scope: fact.fact.scope.clone(),
            actor: who(&fact.fact.actor),
            tickets: tickets
                .flat_map(|ticket| named(ticket, fact.source))
                .map(|ticket: EntityId| ticket.to_text())
                .collect(),
        })
    }

    /// What happened, and to whom.
    pub fn what(&self) -> String {
        let (subject, object) = (self.subject.shown(), self.object.shown());
        [&self.kind, &subject, &object]
            .into_iter()
            .filter(|part| !part.is_empty())
            .cloned()
            .collect::<Vec<_>>()
            .join(" ")
    }

    /// What a line or a cell says of it, beside when, what, whom and which record.
    pub fn remarks(&self) -> String {
        let mut remarks = Vec::new();
        if !self.scope.is_empty() {
            remarks.push(format!("in {}", self.scope));
        }
        if !self.actor.is_nobody() {
            remarks.push(format!("by {}", self.actor.shown()));
        }
        if !self.tickets.is_empty() {
            remarks.push(format!("names {}", self.tickets.join(", ")));
        }
        remarks.extend(self.late_seconds.map(|late| format!("recorded {late} s later")));
        remarks.extend(self.first_came.map(|first| format!("first came as record {first}, read again")));
        if self.backfill {
            remarks.push("old logs".to_owned());
        }
        remarks.join(", ")
    }
}

/// Whole seconds from one moment to another, rounded down.
fn seconds_between(from: Moment, to: Moment) -> i64 {
    to.seconds - from.seconds - i64::from(to.nanos < from.nanos)
}

impl Changes<'_> {
    /// How many there are.
    pub fn len(&self) -> usize {
        self.population.changes.len()
    }

    /// Each of them.
    pub fn rows(&self) -> impl Iterator<Item = Row> {
        self.population.changes.iter().filter_map(|(record, fact)| Row::of(record, *fact, &self.names))
    }
}

impl Serialize for Changes<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_seq(self.rows())
    }
}

impl PeriodOf<'_> {
    /// The totals for people.
    pub fn totals(&self) -> [String; 2] {
        let RecordsOf { total, origin, events, read_again, conflicts, rejected, rejected_read_since, .. } =
            &self.records;
        let RecordsOf { gaps, redactions, redacted, key_announcements, seals, .. } = &self.records;
        let FactsOf { total: facts, replaced, before, within, after } = &self.facts;
        [
            format!(
                "{total} records read, from number {} on: {origin} origin, {events} events, {read_again} read again, \
                 {conflicts} conflicts, {rejected} rejected ({rejected_read_since} read since), {gaps} gaps, \
                 {redactions} redactions (of {redacted} of these records), {key_announcements} new keys, {seals} seals",
                self.first
            ),
            format!(
                "{facts} facts read: {within} of the period, {before} before it, {after} behind it, {replaced} read \
                 otherwise since"
            ),
        ]
    }
}

impl KindOf {
    /// For people.
    pub fn shown(&self) -> String {
        format!("{}: {} facts, {} changes", self.kind, self.facts, self.changes)
    }
}

impl SourceOf {
    /// For people.
    pub fn shown(&self) -> String {
        let Self { source, records, facts, changes, unmapped, incomplete, rejected, gaps } = self;
        format!(
            "{source}: {records} records, {facts} facts, {changes} changes, {unmapped} unmapped, {incomplete} incomplete, \
             {rejected} rejected, {gaps} gaps"
        )
    }
}

impl GapOf {
    fn of(record: &Record) -> Option<Self> {
        let Some(Body::SourceGap(gap)) = &record.body else { return None };
        let source = record.provenance.as_ref()?.source.as_ref()?;
        let reason: GapReason = gap.reason();
        Some(Self {
            record: record.index,
            source: source_name(source),
            from: gap.from,
            to: gap.to,
            reason: word(reason.as_str_name(), "GAP_REASON_"),
        })
    }

    /// For people.
    pub fn shown(&self) -> String {
        let Self { record, source, from, to, reason } = self;
        format!("gap of {source}: positions {from} to {to}, {reason} [record {record}]")
    }
}

/// Of an answer about a period.
pub fn of<'v>(verified: &'v Verified<'_>, names: Names<'v>) -> Option<PeriodOf<'v>> {
    let Answer::Period { period, population } = &verified.answer else { return None };
    let Population { records, facts, kinds, sources, gaps, .. } = population;
    let kind = |number: i32| counterfoil_proto::v1::FactKind::try_from(number).unwrap_or_default();
    Some(PeriodOf {
        from: shown_at(period.from().0),
        to: shown_at(period.to().0),
        recorded_from: shown_at(period.recorded_from().0),
        first: verified.first.0,
        records: RecordsOf {
            total: records.total(),
            origin: records.origin,
            events: records.events,
            read_again: records.read_again,
            conflicts: records.conflicts,
            rejected: records.rejected,
            rejected_read_since: records.rejected_read_since,
            gaps: records.gaps,
            redactions: records.redactions,
            redacted: records.redacted,
            key_announcements: records.key_announcements,
            seals: records.seals,
        },
        facts: FactsOf {
            total: facts.total(),
            replaced: facts.replaced,
            before: facts.before,
            within: facts.within,
            after: facts.after,
        },
        kinds: kinds
            .iter()
            .map(|(number, counts)| KindOf {
                kind: kind_name(kind(*number)),
                facts: counts.facts,
                changes: counts.changes,
            })
            .collect(),
        sources: sources.iter().map(source_of).collect(),
        gaps: gaps.iter().filter_map(|record| GapOf::of(record)).collect(),
        changes: Changes { population, names },
    })
}

fn source_of((names, counted): (&[String; 3], &SourceCounts)) -> SourceOf {
    let SourceCounts { records, counts, unmapped, incomplete, rejected, gaps } = *counted;
    SourceOf {
        source: names.join(":"),
        records,
        facts: counts.facts,
        changes: counts.changes,
        unmapped,
        incomplete,
        rejected,
        gaps,
    }
}

fn source_name(source: &Source) -> String {
    format!("{}:{}:{}", source.system, source.instance, source.stream)
}
