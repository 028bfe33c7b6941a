//! What sources have delivered, and what could not be read, as rows.

use counterfoil_proto::v1::{AppendedEvent, DeadLetter, ListSourcesResponse, RetriedDeadLetter, SourceSummary};

use crate::output::Rows;
use crate::when::{show, show_timestamp};
use crate::words::{counted, word};

/// The events of one dead letter that a table shows.
const EVENTS_SHOWN: usize = 5;

pub fn sources(response: &ListSourcesResponse) -> Rows {
    let row = |source: &SourceSummary| {
        let objects: Vec<String> =
            source.objects.iter().map(|object| format!("{} {}", object.count, object.kind)).collect();
        vec![
            format!("{}/{}", source.system, source.instance),
            source.connector.clone(),
            source.events.to_string(),
            source.facts.to_string(),
            source.unmapped.to_string(),
            source.incomplete.to_string(),
            source.duplicates.to_string(),
            source.conflicts.to_string(),
            source.rejected.to_string(),
            show_timestamp(&source.first_occurred_at),
            show_timestamp(&source.last_occurred_at),
            objects.join(", "),
        ]
    };
    let unmapped = |source: &SourceSummary| {
        let name = format!("{}/{}", source.system, source.instance);
        source
            .unmapped_types
            .iter()
            .map(move |unmapped| {
                let native = if unmapped.native_type.is_empty() { "(no type)" } else { &unmapped.native_type };
                format!(
                    "unmapped in {name}: {native}, {}, first in record {}",
                    counted(unmapped.count, "time"),
                    unmapped.example_record
                )
            })
            .collect::<Vec<_>>()
    };
    Rows {
        title: response.sources.iter().flat_map(unmapped).collect(),
        columns: vec![
            "source",
            "connector",
            "events",
            "facts",
            "unmapped",
            "incomplete",
            "duplicates",
            "conflicts",
            "rejected",
            "first",
            "last",
            "objects",
        ],
        rows: response.sources.iter().map(row).collect(),
    }
}

pub fn dead_letters(letters: &[DeadLetter]) -> Rows {
    let mut columns = vec!["record", "connector", "reason", "error", "bytes", "number", "recorded"];
    let has_retried = letters.iter().any(|letter| letter.retried_as > 0);
    columns.extend(has_retried.then_some("put through as"));
    let row = |letter: &DeadLetter| {
        let retried_as = if letter.retried_as > 0 { letter.retried_as.to_string() } else { String::new() };
        let mut row = vec![
            letter.record.to_string(),
            letter.connector.clone(),
            letter.reason.clone(),
            letter.error.clone(),
            letter.size.to_string(),
            letter.sequence.to_string(),
            letter.recorded_at.as_ref().map(|at| show(at.seconds, at.nanos)).unwrap_or_default(),
        ];
        row.extend(has_retried.then_some(retried_as));
        row
    };
    Rows {
        title: if letters.is_empty() { vec!["Everything could be read.".to_owned()] } else { Vec::new() },
        columns,
        rows: letters.iter().map(row).collect(),
    }
}

pub fn retries(retries: &[RetriedDeadLetter]) -> Rows {
    let row = |retried: &RetriedDeadLetter| {
        let became =
            |event: &AppendedEvent| format!("{} as {}", word(event.outcome().as_str_name(), "APPENDED_"), event.index);
        let mut events: Vec<String> = retried.events.iter().take(EVENTS_SHOWN).map(became).collect();
        let more = retried.events.len() - events.len();
        events.extend((more > 0).then(|| format!("{more} more")));
        let events = if events.is_empty() { "not put through".to_owned() } else { events.join(", ") };
        vec![retried.record.to_string(), events, retried.reason.clone(), retried.error.clone()]
    };
    Rows {
        title: if retries.is_empty() { vec!["Everything could be read.".to_owned()] } else { Vec::new() },
        columns: vec!["record", "became", "reason", "error"],
        rows: retries.iter().map(row).collect(),
    }
}
