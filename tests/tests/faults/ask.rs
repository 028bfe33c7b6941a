//! Everything that a ledger says, before a fault and after it.
//!
//! Owns the questions. It never decides what may have changed.

use std::fs;

use counterfoil_ledger::{Ledger, Location};
use counterfoil_query::{ExplainFilter, Period, Query, Views};
use counterfoil_scenario::{Delivery, generate};
use counterfoil_tests::files::all_files;
use counterfoil_tests::oracle;
use counterfoil_tests::program::LedgerFolder;
use counterfoil_verify::time::{Moment, OccurredAt};
use counterfoil_verify::tree::RecordIndex;
use serde_json::Value;

/// 2026-03-01T00:00:00Z, when the companies of these tests have been at work for two months.
const AT: OccurredAt = OccurredAt(Moment { seconds: 1_772_323_200, nanos: 0 });

/// What a ledger says: all that is in it, and what is made of it; or why it does not say it.
#[derive(Debug, PartialEq)]
pub struct Asked {
    pub records: Result<Vec<Vec<u8>>, String>,
    pub answers: Result<Vec<Value>, String>,
}

pub fn ask(location: &Location) -> Asked {
    let ledger = match open(location) {
        Ok(ledger) => ledger,
        Err(error) => return Asked { records: Err(error.clone()), answers: Err(error) },
    };
    Asked { records: export(&ledger), answers: answers(&ledger, location) }
}

pub fn open(location: &Location) -> Result<Ledger, String> {
    oracle::open(location).map_err(|error| error.to_string())
}

/// Every record and everything beside it, as bytes.
fn export(ledger: &Ledger) -> Result<Vec<Vec<u8>>, String> {
    let reader = ledger.reader();
    let one = |index| {
        let mut bytes = reader.record_bytes(RecordIndex(index))?;
        bytes.extend_from_slice(format!("{:?}", reader.beside(RecordIndex(index))?).as_bytes());
        Ok(bytes)
    };
    (0..reader.head().size.0)
        .map(one)
        .collect::<Result<_, counterfoil_ledger::LedgerError>>()
        .map_err(|e| e.to_string())
}

/// Every explanation, the sources, and the state of everybody whom these name.
fn answers(ledger: &Ledger, location: &Location) -> Result<Vec<Value>, String> {
    let ask = || {
        let views = Views::open(&location.views(), ledger.reader())?;
        views.catch_up(&mut |_, _| ())?;
        let query = views.query()?;
        questions(&query)
    };
    let result: Result<Vec<Value>, counterfoil_query::QueryError> = ask();
    result.map_err(|error| error.to_string())
}

fn questions(query: &Query<'_>) -> Result<Vec<Value>, counterfoil_query::QueryError> {
    let always = Period::ALWAYS;
    let explanations = query.explain_all(always, None, ExplainFilter::All)?.collect::<Result<Vec<_>, _>>()?;
    let explanations = &explanations[..explanations.len().min(300)];
    let parties = explanations.iter().flat_map(|explanation| [&explanation.subject, &explanation.object]);
    let mut entities: Vec<String> = parties.flatten().map(|party| party.id.clone()).collect();
    entities.sort();
    entities.dedup();
    let mut found = vec![json(&query.sources()?)];
    found.extend(explanations.iter().map(json));
    for entity in &entities {
        found.push(json(&query.state(&entity.parse().unwrap(), AT, None)?));
    }
    Ok(found)
}

fn json(message: &impl serde::Serialize) -> Value {
    serde_json::to_value(message).unwrap()
}

/// Answers without what the ledger's own clock decides.
pub fn without_clock(answers: Vec<Value>) -> Vec<Value> {
    fn strip(value: Value) -> Value {
        let is_kept = |name: &str| !["recordedAt", "knownAt", "root", "duplicates"].contains(&name);
        match value {
            Value::Object(fields) => {
                fields.into_iter().filter(|(name, _)| is_kept(name)).map(|(name, field)| (name, strip(field))).collect()
            }
            Value::Array(items) => items.into_iter().map(strip).collect(),
            other => other,
        }
    }
    answers.into_iter().map(strip).collect()
}

pub fn location(ledger: &LedgerFolder) -> Location {
    Location::new(&ledger.data(), None)
}

/// The same ledger somewhere else.
pub fn copied(ledger: &LedgerFolder) -> LedgerFolder {
    let copy = LedgerFolder::empty();
    for file in all_files(ledger.folder.path()) {
        let target = copy.folder.path().join(file.strip_prefix(ledger.folder.path()).unwrap());
        fs::create_dir_all(target.parent().unwrap()).unwrap();
        fs::copy(&file, target).unwrap();
    }
    copy
}

/// A company of a dozen people, imported and asked about once; then its late logs.
pub fn small_company() -> LedgerFolder {
    let ledger = LedgerFolder::init();
    let company = generate(&counterfoil_scenario::Options { people: 12, months: 1, ..Default::default() });
    let sources = LedgerFolder::empty();
    for delivery in [Delivery::OnTime, Delivery::Late] {
        for file in company.files.iter().filter(|file| file.delivery == delivery) {
            let path = sources.file(&file.name.replace('/', "-"), &file.bytes);
            ledger.import(file.connector, &path, &[]).ended(0);
        }
        if delivery == Delivery::OnTime {
            ledger.run(&["sources"]).ended(0);
        }
    }
    ledger
}
