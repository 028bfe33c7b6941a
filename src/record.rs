//! `counterfoil record`.

use std::io::Write;

use anyhow::Result;
use counterfoil_proto::v1::{EventRemapped, GetRecordRequest, GetRecordResponse, Predecessor, Redaction, record::Body};
use counterfoil_verify::beside;
use counterfoil_verify::checkpoint::Origin;
use counterfoil_verify::entity::EntityId;
use counterfoil_verify::succession::announced;

use crate::cli::{Place, RecordArguments};
use crate::client::Client;
use crate::exit::{Exit, Refused};
use crate::output::{self, Rows};
use crate::words::counted;
use crate::{when, words};

pub fn run(arguments: &RecordArguments) -> Result<Exit> {
    let response = read(&Client::of_log(&arguments.ask)?, arguments.place)?;
    if arguments.raw {
        std::io::stdout().write_all(&response.record_bytes)?;
        return Ok(Exit::Done);
    }
    output::print(arguments.output.output, &response, &[&response], &rows(&response), response.basis.as_ref())?;
    Ok(Exit::Done)
}

/// A record. The place of a fact that it does not have is refused; one without facts stands in lists as if it had one.
pub fn read(client: &Client, place: Place) -> Result<GetRecordResponse> {
    let request = GetRecordRequest { index: place.record.0, min_tree_size: 0 };
    let response = client.log(|mut log| async move { log.get_record(request).await })?;
    let Some(fact) = place.fact.filter(|fact| *fact > 0) else { return Ok(response) };
    let count = match response.record.as_ref().and_then(|record| record.body.as_ref()) {
        Some(Body::Event(event)) => event.facts.len(),
        Some(Body::EventRemapped(remapped)) => remapped.event.as_ref().map_or(0, |event| event.facts.len()),
        _ => 0,
    };
    if usize::try_from(fact).is_ok_and(|fact| fact < count) {
        return Ok(response);
    }
    let facts = counted(count as u64, "fact");
    let why = format!("record {} has {facts}, numbered from 0: there is no fact {fact}", place.record);
    Err(Refused::NotFound(why).into())
}

fn entity(bytes: &[u8]) -> String {
    EntityId::from_bytes(bytes).map(|entity| entity.to_text()).unwrap_or_default()
}

/// What a redaction says.
fn redaction_rows(redaction: &Redaction) -> Vec<(&'static str, String)> {
    let records: u64 = redaction.removed.iter().map(|range| range.records).sum();
    let mut rows = vec![
        ("redaction", format!("of what lay beside {}", counted(records, "record"))),
        ("decided by", entity(&redaction.by)),
        ("reason", redaction.reason.clone()),
        ("rule", redaction.rule.clone()),
    ];
    rows.extend(redaction.callers.iter().map(|caller| ("called by", caller.clone())));
    rows.extend(redaction.entities.iter().map(|named| ("of", entity(named))));
    rows
}

fn rows(response: &GetRecordResponse) -> Rows {
    use base64::prelude::{BASE64_STANDARD, Engine};
    let Some(record) = &response.record else { return Rows::default() };
    let mut rows = Vec::new();
    let mut push = |what: &str, which: String| rows.push(vec![what.to_owned(), which]);
    push("record", record.index.to_string());
    let recorded = record.recorded_at.as_ref().map(|time| when::show(time.seconds, time.nanos as i32));
    push("recorded", recorded.unwrap_or_default());
    push("leaf hash", BASE64_STANDARD.encode(&response.leaf_hash));
    if let Some(provenance) = &record.provenance {
        let source = provenance.source.clone().unwrap_or_default();
        push("source", format!("{}/{}/{}", source.system, source.instance, source.stream));
        push("event", provenance.event_id.clone());
        push("connector", format!("{} v{}", provenance.connector, provenance.connector_version));
        push("delivery", words::word(provenance.delivery().as_str_name(), "DELIVERY_"));
        push("vouched for by", words::authentication(provenance.authentication()).to_owned());
        if !provenance.assumed_zone.is_empty() {
            push("assumed zone", provenance.assumed_zone.clone());
        }
        if provenance.retry_of > 0 {
            push("read from", format!("the dead letter {}", provenance.retry_of));
        }
    }
    if let Some(Body::EventRemapped(remapped)) = &record.body {
        let by = record.provenance.as_ref().map(|of| format!("{} {}", of.connector, of.connector_version));
        push("read again", format!("by {}: replaces record {}", by.unwrap_or_default(), remapped.replaces));
        push("its payload", format!("beside record {}", remapped.first_index));
    }
    match &record.body {
        Some(Body::Event(event)) | Some(Body::EventRemapped(EventRemapped { event: Some(event), .. })) => {
            let part =
                if event.parts > 1 { format!(", part {} of {}", event.part + 1, event.parts) } else { String::new() };
            let mapping = words::word(event.mapping().as_str_name(), "MAPPING_");
            push("event type", format!("{} ({mapping}){part}", event.native_type));
            for (number, fact) in event.facts.iter().enumerate() {
                let at = fact.occurred_at.as_ref().map(|time| when::show(time.seconds, time.nanos as i32));
                let outcome = words::word(fact.outcome().as_str_name(), "OUTCOME_");
                push("fact", format!("{number}: {} {outcome} {}", words::kind(fact.kind()), at.unwrap_or_default()));
            }
        }
        Some(Body::Origin(origin)) => {
            push("origin", origin.origin.clone());
            if let Some(Predecessor { origin, size, known_size, .. }) = &origin.predecessor {
                push("goes on from", format!("{} of {origin}", counted(*size, "record")));
                push("lost of it", format!("{}, as far as is known", counted(known_size - size, "record")));
            }
        }
        Some(Body::EventConflict(conflict)) => {
            push("conflict", format!("with record {}: its event came again with this content", conflict.first_index))
        }
        Some(Body::SourceRejected(rejected)) => {
            push("rejected", words::word(rejected.reason().as_str_name(), "REJECT_REASON_"));
            push("its bytes", format!("`counterfoil deadletter show {}`", record.index));
        }
        Some(Body::SourceGap(gap)) => {
            let why = words::word(gap.reason().as_str_name(), "GAP_REASON_");
            push("gap", format!("{why}: what begins at {} is missing, and it goes on at {}", gap.from, gap.to));
        }
        Some(Body::Seal(seal)) => {
            let sources = counted(seal.sources.len() as u64, "source");
            push("seal", format!("over all records before it, with new counts of {sources}"));
            push("map root", BASE64_STANDARD.encode(&seal.map_root));
        }
        Some(Body::Redaction(redaction)) => {
            let said = redaction_rows(redaction);
            said.into_iter().for_each(|(what, which)| push(what, which));
        }
        Some(Body::KeyAnnouncement(said)) => {
            let key = Origin::new(&said.origin).ok().and_then(|origin| announced(said, &origin).ok());
            push("new key", key.map_or_else(|| BASE64_STANDARD.encode(&said.public_key), |key| key.to_string()));
            push("decided by", entity(&said.by));
            push("reason", said.reason.clone());
        }
        Some(Body::EventRemapped(EventRemapped { event: None, .. })) | None => {}
    }
    for (number, _) in response.beside.iter().flat_map(beside::parts).filter(|(_, sealed)| beside::is_removed(sealed)) {
        let part = match number {
            0 => "its payload".to_owned(),
            beside::ENVELOPE => "its envelope".to_owned(),
            _ => format!("values {number}"),
        };
        push("removed", part);
    }
    for values in &response.values {
        for value in &values.values {
            push(&value.name, format!("{}   {}", value.value, values.entity));
        }
    }
    if !response.payload.is_empty() {
        push("payload", String::from_utf8_lossy(&response.payload).into_owned());
    }
    if !response.envelope.is_empty() {
        push("envelope", String::from_utf8_lossy(&response.envelope).into_owned());
    }
    Rows { title: Vec::new(), columns: vec!["", ""], rows }
}
