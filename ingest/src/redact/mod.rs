//! Redaction: what lies beside records is removed, and records say so.
//!
//! Owns the way from who or what was named to the records that say what was removed, on whose word and why. The ledger
//! carries them out. A record never holds a personal value: whoever is named is there as an entity, and what people say
//! about why lies beside it.

use std::collections::BTreeSet;

use counterfoil_ledger::{Batch, LedgerError, Outcome, PreparedEvent};
use counterfoil_proto::v1::{Authentication, RedactedParts, Redaction, Values, record::Body};
use counterfoil_verify::entity::EntityId;
use counterfoil_verify::record::RecordError;
use counterfoil_verify::tree::RecordIndex;
use prost::Message;

use crate::intake::Intake;
use crate::statement::{self, Speaker, Way, decided_by};
use search::{Found, Search};

mod search;
mod whose;

/// The most records that are named at a time.
pub const RECORDS_MAX: usize = 1_000;
/// The most people.
pub const PEOPLE_MAX: usize = 100;
/// What the ranges and entities of one record may take, so that it fits whatever else it says; and what those of it take
/// that every record repeats.
const RECORD_BYTES: usize = 48 << 10;
const ENTITIES_BYTES_MAX: usize = 24 << 10;
/// What says that something was removed.
pub(crate) const SPEAKER: Speaker = Speaker { stream: "redactions", kind: "redaction", connector: ("redact", 1) };

/// What is to be removed.
#[derive(Clone, Debug)]
pub enum What {
    /// All that lies beside these records.
    Records(Vec<RecordIndex>),
    /// What is about these people: ids of entities, or e-mail addresses.
    People(Vec<String>),
}

/// A redaction as it is asked for.
#[derive(Clone, Debug)]
pub struct Redact {
    /// What is removed.
    pub what: What,
    /// The code of the reason.
    pub reason: String,
    /// The id of the rule.
    pub rule: String,
    /// Who decided it: an entity's id, an e-mail address or a login.
    pub by: String,
    /// Why, in words.
    pub why: String,
    /// The entries by which the caller is known.
    pub callers: Vec<String>,
    /// How the caller was authenticated.
    pub authentication: Authentication,
    /// Only tell.
    pub dry_run: bool,
}

/// What came of it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Redacted {
    /// The records that say so.
    pub redactions: Vec<RecordIndex>,
    /// Of people, all that was looked for.
    pub entities: BTreeSet<EntityId>,
    /// Beside how many records something was removed.
    pub records: u64,
    /// How many parts.
    pub parts: u64,
}

/// Why nothing was removed.
#[derive(Debug, thiserror::Error)]
pub enum RedactError {
    /// A field says what no record may hold, or nothing.
    #[error("{field}: {why}")]
    Field {
        /// Which.
        field: &'static str,
        /// What was expected.
        why: String,
    },
    /// Nobody can be found by a name.
    #[error("{name:?}: {why}")]
    Named {
        /// As it was given.
        name: String,
        /// What was expected.
        why: String,
    },
    /// No record says what was to be removed.
    #[error("no record can hold the redaction: {0}")]
    Record(#[from] RecordError),
    /// The ledger cannot be read, or takes nothing.
    #[error(transparent)]
    Ledger(#[from] LedgerError),
}

/// Removes what is asked for, and answers once nothing of it is in the ledger's files.
///
/// # Errors
/// [`RedactError`] if nothing was removed; [`RedactError::Ledger`] also where it was, and is in files still: to ask again,
/// or the next start, goes on from there.
pub fn redact(intake: &Intake, redact: &Redact) -> Result<Redacted, RedactError> {
    check(redact)?;
    let reader = intake.ledger().reader();
    let mut done = Redacted::default();
    match &redact.what {
        What::Records(records) => {
            let mut found = Vec::new();
            for index in BTreeSet::from_iter(records) {
                found.extend(reader.beside(*index)?.and_then(|beside| search::all(*index, &beside)));
            }
            append(intake, redact, (&found, 0), &mut done)?;
        }
        What::People(named) => {
            done.entities = whose::whose(&reader, named)?;
            let theirs = done.entities.clone();
            let bytes: usize = theirs.iter().map(|entity| entity.as_bytes().len()).sum();
            if bytes > ENTITIES_BYTES_MAX {
                let why = format!("{} accounts and identifiers are theirs: name fewer people", theirs.len());
                return Err(RedactError::Field { field: "people", why });
            }
            let mut search = Search::new(&reader, &theirs, named);
            let mut searched = 0..reader.head().size.0;
            // What came meanwhile is looked through too, until nothing did.
            loop {
                let mut found = search.of(searched.clone())?;
                // What was said about why is no reason to go on.
                found.retain(|found| !done.redactions.contains(&found.index));
                append(intake, redact, (&found, searched.end), &mut done)?;
                searched = searched.end..reader.head().size.0;
                if found.is_empty() || redact.dry_run {
                    break;
                }
            }
        }
    }
    // What an earlier call did not get to, too.
    intake.ledger().purge()?;
    Ok(done)
}

fn check(redact: &Redact) -> Result<(), RedactError> {
    statement::check(&redact.reason, &redact.by, &redact.why)?;
    statement::check_code("rule", &redact.rule)?;
    let field = |field, why: String| Err(RedactError::Field { field, why });
    match &redact.what {
        What::Records(records) if records.is_empty() || records.len() > RECORDS_MAX => {
            field("records", format!("expected 1 to {RECORDS_MAX} records, or people, got {}", records.len()))
        }
        What::People(people) if people.is_empty() || people.len() > PEOPLE_MAX => {
            field("people", format!("expected 1 to {PEOPLE_MAX} people, got {}", people.len()))
        }
        _ => Ok(()),
    }
}

/// Appends the records that say what was found, all in one commit.
fn append(
    intake: &Intake,
    redact: &Redact,
    (found, searched): (&[Found], u64),
    done: &mut Redacted,
) -> Result<(), RedactError> {
    done.records += found.len() as u64;
    done.parts += found.iter().map(|found| found.parts.len() as u64).sum::<u64>();
    if found.is_empty() || redact.dry_run {
        return Ok(());
    }
    let (by, values) = decided_by(intake.ledger().keys().index(), &redact.by)?;
    let said = Redaction {
        reason: redact.reason.clone(),
        rule: redact.rule.clone(),
        by: by.as_bytes().to_vec(),
        callers: BTreeSet::from_iter(redact.callers.iter().cloned()).into_iter().collect(),
        searched,
        ..Redaction::default()
    };
    let way = Way {
        speaker: SPEAKER,
        key: intake.digest_key(),
        entropy: &|| intake.entropy(),
        authentication: redact.authentication,
    };
    let parts = in_records(&done.entities, found).into_iter();
    let events = parts.map(|(removed, entities)| {
        let entities = entities.iter().map(|entity| entity.as_bytes().to_vec()).collect();
        prepare(&way, Redaction { removed, entities, ..said.clone() }, &redact.why, &values)
    });
    let batch = Batch { events: events.collect::<Result<_, _>>()?, positions: Vec::new() };
    let outcomes = intake.ledger().append(batch)?.outcomes;
    done.redactions.extend(outcomes.iter().map(|outcome| match outcome {
        Outcome::Recorded(index) | Outcome::Duplicate(index) | Outcome::Conflict(index) => *index,
    }));
    Ok(())
}

/// What was found in as many records as it needs, each with the entities whose values it removes and with those that were
/// looked for.
fn in_records(theirs: &BTreeSet<EntityId>, found: &[Found]) -> Vec<(Vec<RedactedParts>, BTreeSet<EntityId>)> {
    let size = |entity: &EntityId| entity.as_bytes().len() + 4;
    let begun = || (Vec::new(), theirs.clone());
    let begun_bytes: usize = theirs.iter().map(size).sum();
    let mut records: Vec<(Vec<RedactedParts>, BTreeSet<EntityId>)> = vec![begun()];
    let mut bytes = begun_bytes;
    for Found { index, parts, entities } in found {
        let range = RedactedParts { first: index.0, records: 1, parts: parts.clone() };
        let adds = range.encoded_len() + 4 + entities.iter().map(size).sum::<usize>();
        if bytes + adds > RECORD_BYTES && bytes > begun_bytes {
            records.push(begun());
            bytes = begun_bytes;
        }
        let Some((removed, named)) = records.last_mut() else { break };
        named.extend(entities.iter().cloned());
        match removed.last_mut() {
            Some(last) if last.first + last.records == index.0 && last.parts == *parts => last.records += 1,
            _ => removed.push(range),
        }
        bytes += adds;
    }
    records
}

/// The record that says it; `values` is what whoever decided it is called.
pub(crate) fn prepare(
    way: &Way<'_>,
    redaction: Redaction,
    why: &str,
    values: &[Values],
) -> Result<PreparedEvent, RedactError> {
    let content = way.key.digest("counterfoil/redaction/v1", &(way.entropy)());
    let why = serde_json::json!({ "why": why }).to_string();
    way.prepare(content, Body::Redaction(redaction), &why, values)
}
