//! What is proved, sentence by sentence, and on whose word.
//!
//! Owns the sentences. They say no more than what was checked: what rests on somebody's word names whose.

use std::collections::BTreeMap;

use counterfoil_proto::v1::Authentication;
use counterfoil_verify::attest::{Attestation, Attested};
use counterfoil_verify::entity::EntityId;
use counterfoil_verify::evidence::{Answer, Verified};
use counterfoil_verify::incarnation::predecessor_of;
use counterfoil_verify::population::{Period, Population, RecordCounts};
use counterfoil_verify::record::event_of;
use counterfoil_verify::ticket::CLOCK_TOLERANCE_SECONDS;
use counterfoil_verify::time::Moment;
use jiff::Timestamp;
use serde::Serialize;

use crate::change::{self, ChangeOf};
use crate::period::{self, PeriodOf};
use crate::state::{Line, lines};

/// What a file proves.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Report<'v> {
    /// Always "proved": whatever is not is rejected before.
    pub verdict: &'static str,
    pub question: String,
    pub basis: Basis,
    pub claims: Vec<Claim>,
    /// The state of each entity that the question is about.
    pub states: Vec<StateOf>,
    /// What the tickets say about a change.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub change: Option<ChangeOf>,
    /// What changed in a period.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub period: Option<PeriodOf<'v>>,
    /// Who else has some of it, by other records.
    pub contested: Vec<String>,
    pub histories: BTreeMap<String, u64>,
    pub sources: Vec<Source>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub asked: Option<AskedBy>,
}

/// The log, and how much of it counts.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Basis {
    pub origin: String,
    pub tree_size: u64,
    pub root: String,
    pub covered: u64,
    pub known: u64,
    pub known_at: String,
}

/// A sentence, and whose word it rests on.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Claim {
    pub claim: String,
    pub rests_on: String,
    /// Whether it rests on more than the word of whoever runs the log.
    pub independent: bool,
}

/// The state of one entity.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub struct StateOf {
    pub entity: String,
    pub name: String,
    /// How one comes to it, from whom was asked about.
    pub steps: Vec<String>,
    pub lines: Vec<Line>,
}

/// What came from a source.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Source {
    pub source: String,
    pub events: u64,
    pub facts: u64,
    pub unmapped: u64,
    pub duplicates: u64,
    pub conflicts: u64,
    pub rejected: u64,
}

/// Who asked.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub struct AskedBy {
    pub at: String,
    pub by: String,
    pub about: String,
}

impl Claim {
    /// A sentence that rests on more than the word of whoever runs the log.
    pub fn new(claim: impl Into<String>, rests_on: String) -> Self {
        Self { claim: claim.into(), rests_on, independent: true }
    }

    /// A sentence that rests on that word alone.
    pub fn on_word(claim: impl Into<String>, rests_on: String) -> Self {
        Self { independent: false, ..Self::new(claim, rests_on) }
    }
}

impl<'v> Report<'v> {
    pub fn of(verified: &'v Verified<'_>) -> Self {
        let names = Names(&verified.opened.values);
        let checkpoint = &verified.attested.checkpoint;
        let (mut states, mut contested) = (Vec::new(), Vec::new());
        let question = match &verified.answer {
            Answer::State { entity, at, covered, states: of } => {
                for (entity, state) in of {
                    let member = covered.members.iter().find(|member| member.entity == *entity);
                    let steps = member.iter().flat_map(|member| &member.steps).map(|step| {
                        let by =
                            step.rule.as_ref().map_or_else(String::new, |rule| format!(", by the rule {}", rule.id));
                        format!("{} → {} (record {}{by})", names.shown(&step.from), names.shown(&step.to), step.record)
                    });
                    states.push(StateOf {
                        entity: entity.to_text(),
                        name: names.of(entity),
                        steps: steps.collect(),
                        lines: lines(state, at.as_ref().map(|at| at.0), &names),
                    });
                }
                for member in &covered.members {
                    contested.extend(member.contested_by.iter().map(|by| {
                        format!(
                            "{} is also said to be that of {} (record {})",
                            names.shown(&member.entity),
                            by.counterpart,
                            by.evidence.index
                        )
                    }));
                }
                if covered.is_cut {
                    contested.push("more is theirs than was followed".to_owned());
                }
                let when =
                    at.map_or_else(|| "by all that is recorded".to_owned(), |at| format!("at {}", shown_at(at.0)));
                format!("What could {} do {when}?", names.shown(entity))
            }
            Answer::Change { record, fact, .. } => {
                format!("Which approval covers fact {fact} of record {}?", record.index)
            }
            Answer::Absence(entities) => {
                let shown: Vec<String> = entities.iter().map(|entity| names.shown(entity)).collect();
                format!("Is anything recorded of {}?", shown.join(", "))
            }
            Answer::Period { period, .. } => {
                format!("What changed from {} until {}?", shown_at(period.from().0), shown_at(period.to().0))
            }
        };
        Self {
            verdict: "proved",
            question,
            basis: Basis {
                origin: checkpoint.origin.to_string(),
                tree_size: checkpoint.size.0,
                root: checkpoint.root.to_base64(),
                covered: verified.covered.0,
                known: verified.known.0,
                known_at: verified.known_at.map_or_else(String::new, |at| shown_at(at.0)),
            },
            claims: claims(verified),
            states,
            change: change::of(&verified.answer, &names),
            period: period::of(verified, names),
            contested,
            histories: verified.histories.iter().map(|(entity, count)| (entity.to_text(), *count)).collect(),
            sources: verified.sources.iter().map(source).collect(),
            asked: verified.asked.as_ref().map(|asked| AskedBy {
                at: shown_at(Moment { seconds: asked.at, nanos: 0 }),
                by: asked.by.clone(),
                about: asked.about.clone(),
            }),
        }
    }

    /// On whose word the counts of sources are.
    pub fn sources_title(&self) -> String {
        let whose = if self.asked.is_some() { "on the word of whoever runs the log" } else { "on nobody's word" };
        format!("Sources before the seal, {whose}")
    }
}

/// What entities are called, as far as values were opened.
#[derive(Clone, Copy)]
pub struct Names<'v>(&'v BTreeMap<EntityId, BTreeMap<String, String>>);

impl Names<'_> {
    /// The name, the login or the address of an entity; empty where none is open.
    pub fn of(&self, entity: &EntityId) -> String {
        let values = self.0.get(entity);
        let named = |name: &&str| values.and_then(|values| values.get(*name)).cloned();
        ["display_name", "name", "subject", "login", "email"].iter().find_map(named).unwrap_or_default()
    }

    /// The same with the id.
    pub fn shown(&self, entity: &EntityId) -> String {
        match self.of(entity) {
            name if name.is_empty() => entity.to_text(),
            name => format!("{name} ({})", entity.to_text()),
        }
    }

    /// The same of an id in text form, without that.
    pub fn of_id(&self, id: &str) -> String {
        id.parse::<EntityId>().map_or_else(|_| String::new(), |entity| self.of(&entity))
    }
}

fn claims(verified: &Verified<'_>) -> Vec<Claim> {
    let attested = &verified.attested;
    let checkpoint = &attested.checkpoint;
    let operator = format!("the key of {}", checkpoint.origin);
    let witnesses = named(&attested.witnesses);
    let has_witnesses = !attested.witnesses.is_empty();
    let mut claims = vec![
        unchanged(
            attested,
            format!(
                "These records are in the log in this order, unchanged since the checkpoint of {} records.",
                checkpoint.size
            ),
        ),
        existed(attested),
    ];
    let mut claim = |claim: String, rests_on: String, independent: bool| {
        claims.push(Claim { claim, rests_on, independent });
    };
    if let Some(predecessor) = verified.records.get(&0).and_then(|first| predecessor_of(first)) {
        let (origin, left) = (&predecessor.origin, predecessor.size);
        let lost = predecessor.known_size - left;
        claim(
            format!(
                "The first {left} records are those of the log {origin}, which this one goes on from; {lost} more of it are \
                 known to be lost."
            ),
            format!("{operator}: whoever has the whole log can recompute the root that {origin} had"),
            false,
        );
    }
    let whole = match &verified.answer {
        Answer::Absence(_) => Some(format!("None of the first {} records names any of these.", verified.covered)),
        Answer::State { .. } | Answer::Change { .. } => Some(format!(
            "The histories are whole: up to record {} no record of these {} entities is left out.",
            verified.covered,
            verified.histories.len()
        )),
        Answer::Period { period, population } => {
            let said = [whole_stretch(verified, *period), within_the_stretch(), lost(population)];
            let seen = if has_witnesses { format!("{operator}, and {witnesses}") } else { format!("{operator} alone") };
            let rests_on = [
                format!("{seen}; the times of records are the word of whoever runs the log"),
                "the clocks of the log and of its sources".to_owned(),
                "the sources, and whoever delivered what they said".to_owned(),
            ];
            for (number, (said, rests_on)) in said.into_iter().zip(rests_on).enumerate() {
                claim(said, rests_on, number == 0 && has_witnesses);
            }
            None
        }
    };
    match (whole, attested.is_replayed) {
        (Some(whole), true) => claim(whole, format!("{}, who recomputed every seal", named(&attested.replayers)), true),
        (Some(whole), false) => claim(
            whole,
            format!("{operator}: whoever has the whole log can refute it, and no quorum of replayers has confirmed it"),
            false,
        ),
        (None, _) => {}
    }
    let recomputed = match &verified.answer {
        Answer::Absence(_) => None,
        Answer::State { .. } => Some("state"),
        Answer::Change { .. } => Some("verdict"),
        Answer::Period { .. } => Some("population"),
    };
    if let Some(what) = recomputed {
        claim(
            format!(
                "The {what} below follows from these records, as far as {} of them {} known.",
                verified.known,
                if verified.known.0 == 1 { "was" } else { "were" }
            ),
            "recomputed here".to_owned(),
            true,
        );
    }
    let opened = &verified.opened;
    if opened.tokens_shown + opened.tokens_on_word > 0 {
        claim(
            format!("{} of the tokens in these records are those of the identifiers beside them.", opened.tokens_shown),
            "recomputed here with the policy's key of tokens".to_owned(),
            true,
        );
    }
    if opened.tokens_on_word > 0 {
        claim(
            format!("{} more tokens stand for identifiers that are not in this file.", opened.tokens_on_word),
            operator.clone(),
            false,
        );
    }
    claims.extend(said(grades(verified)));
    if verified.asked.is_none() && !verified.sources.is_empty() {
        let nobody = "nobody's word: the log's key has not signed who asked for this file";
        claims.push(Claim::on_word("What came from each source is as this file has it.", nobody.to_owned()));
    }
    claims
}

/// That nothing is left out of what a period needs.
fn whole_stretch(verified: &Verified<'_>, period: Period) -> String {
    let (from, first, known) = (shown_at(period.recorded_from().0), verified.first, verified.known);
    match known.0.checked_sub(1).filter(|last| *last >= first.0) {
        Some(last) => format!(
            "Of the first {known} records none is left out that was recorded at {from} or later: these are the numbers \
             {first} to {last}."
        ),
        None => format!("None of the first {known} records was recorded at {from} or later."),
    }
}

/// That what happened in a period is among these records.
fn within_the_stretch() -> String {
    format!(
        "What happened in the period is among these records, as far as it was recorded by then, unless its source's clock \
         was more than {CLOCK_TOLERANCE_SECONDS} seconds ahead."
    )
}

/// What a period is known to lack.
fn lost(population: &Population) -> String {
    let (unmapped, incomplete) = population
        .sources
        .values()
        .fold((0, 0), |(unmapped, incomplete), source| (unmapped + source.unmapped, incomplete + source.incomplete));
    let RecordCounts { gaps, rejected, rejected_read_since, .. } = population.records;
    format!(
        "Complete is what was recorded: gaps of sources {gaps}, rejected documents {rejected} (read since: \
         {rejected_read_since}), events of unknown type {unmapped}, incomplete events {incomplete}. What a source lost, or \
         never delivered, is in no record."
    )
}

/// That records are those of the checkpoint, in these words.
pub fn unchanged(attested: &Attested<'_>, claim: String) -> Claim {
    let operator = format!("the key of {}", attested.checkpoint.origin);
    match attested.witnesses.is_empty() {
        true => Claim::on_word(claim, format!("{operator} alone: no witness says that others are shown the same log")),
        false => {
            let witnesses = named(&attested.witnesses);
            Claim::new(claim, format!("{operator}, and {witnesses}, who show everybody the same log"))
        }
    }
}

/// When the records of a checkpoint existed.
pub fn existed(attested: &Attested<'_>) -> Claim {
    match attested.witnesses.iter().map(|witness| witness.at.0).min() {
        Some(first) => Claim::new(
            format!("They existed no later than {}.", seconds_shown(first)),
            format!("{}; a finer order of times is the word of whoever runs the log", named(&attested.witnesses)),
        ),
        None => Claim::on_word(
            "When they were recorded is what they say themselves.",
            format!("the key of {} alone: no witness gives a time", attested.checkpoint.origin),
        ),
    }
}

/// On whose word each record's content is, with how many there are of each kind.
fn grades(verified: &Verified<'_>) -> BTreeMap<Authentication, u64> {
    let mut grades = BTreeMap::new();
    for record in verified.records.values().filter(|record| event_of(record).is_some()) {
        let authentication = record.provenance.as_ref().map(|provenance| provenance.authentication());
        *grades.entry(authentication.unwrap_or_default()).or_default() += 1;
    }
    grades
}

/// That records hold what the source said, so many of each kind, and on whose word.
pub fn said(grades: BTreeMap<Authentication, u64>) -> impl Iterator<Item = Claim> {
    let by_word: BTreeMap<&str, (u64, bool)> = grades
        .into_iter()
        .map(|(authentication, count)| {
            (word(authentication), (count, authentication == Authentication::SourceSignature))
        })
        .collect();
    by_word.into_iter().map(|(word, (count, independent))| {
        let records = if count == 1 { "1 record holds".to_owned() } else { format!("{count} records hold") };
        Claim { claim: format!("{records} what the source said."), rests_on: word.to_owned(), independent }
    })
}

fn word(authentication: Authentication) -> &'static str {
    match authentication {
        Authentication::SourceSignature => "the source's own signature, which the log says it verified",
        Authentication::OperatorFile => "a file that an operator brought",
        Authentication::WebhookSecret => "whoever holds the secret of a webhook",
        Authentication::BrokerCredentials => "whoever may write to a topic of Kafka",
        Authentication::OpenBroker => "whoever can reach a broker that asks for no credentials",
        Authentication::ClientCredentials => "a client with a token or a certificate",
        Authentication::LocalConnection => "whoever has an account on the machine of the log",
        Authentication::Unspecified => "nobody in particular",
    }
}

fn named(attestations: &[Attestation<'_>]) -> String {
    attestations.iter().map(|one| one.by.name.clone()).collect::<Vec<_>>().join(", ")
}

/// The counts of a source.
pub fn source(counts: &counterfoil_proto::v1::SealedSource) -> Source {
    let source = counts.source.clone().unwrap_or_default();
    Source {
        source: format!("{}:{}:{}", source.system, source.instance, source.stream),
        events: counts.events,
        facts: counts.facts,
        unmapped: counts.unmapped,
        duplicates: counts.duplicates,
        conflicts: counts.conflicts,
        rejected: counts.rejected,
    }
}

/// A time in RFC 3339.
pub fn shown_at(moment: Moment) -> String {
    let nanos = i32::try_from(moment.nanos).unwrap_or_default();
    Timestamp::new(moment.seconds, nanos).map_or_else(|_| format!("{} s", moment.seconds), |at| at.to_string())
}

fn seconds_shown(seconds: u64) -> String {
    shown_at(Moment { seconds: i64::try_from(seconds).unwrap_or(i64::MAX), nanos: 0 })
}
