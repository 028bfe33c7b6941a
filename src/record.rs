//! `counterfoil record`.

use std::io::Write;

use anyhow::Result;
use counterfoil_proto::v1::{Basis, EntityValues, GetRecordResponse, record::Body};
use counterfoil_verify::{beside, record};

use crate::cli::{Exit, RecordArguments};
use crate::output::{self, Rows};
use crate::{open, when, words};

pub fn run(arguments: &RecordArguments) -> Result<Exit> {
    let ledger = open::ledger(&open::location(&arguments.ledger), false)?;
    let (reader, index) = (ledger.reader(), arguments.place.record);
    open::check(&reader, arguments.place)?;
    let head = reader.head();
    let bytes = reader.record_bytes(index)?;
    if arguments.raw {
        std::io::stdout().write_all(&bytes)?;
        return Ok(Exit::Done);
    }
    let mut response = GetRecordResponse {
        basis: Some(Basis {
            origin: head.origin.as_str().to_owned(),
            tree_size: head.size.0,
            root: head.root.as_bytes().to_vec(),
        }),
        leaf_hash: record::hash(&bytes).0.as_bytes().to_vec(),
        record: Some(reader.record(index)?),
        record_bytes: bytes,
        ..GetRecordResponse::default()
    };
    if let Some(beside) = reader.beside(index)? {
        response.values = beside::values(&beside)
            .map(|(entity, values)| EntityValues { entity: entity.to_string(), values: values.values })
            .collect();
        response.payload = beside.payload.as_ref().map(|sealed| sealed.content.clone()).unwrap_or_default();
        response.beside = Some(beside);
    }
    output::print(arguments.output.output, &response, &[&response], &rows(&response), response.basis.as_ref())?;
    Ok(Exit::Done)
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
    }
    match &record.body {
        Some(Body::Event(event)) => {
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
        Some(Body::Origin(origin)) => push("origin", origin.origin.clone()),
        Some(Body::EventConflict(conflict)) => {
            push("conflict", format!("with record {}: its event came again with this content", conflict.first_index))
        }
        Some(Body::SourceRejected(rejected)) => {
            push("rejected", words::word(rejected.reason().as_str_name(), "REJECT_REASON_"));
            push("its bytes", format!("`counterfoil deadletter show {}`", record.index));
        }
        Some(Body::SourceGap(gap)) => push("gap", format!("{} to {}", gap.from, gap.to)),
        None => {}
    }
    for values in &response.values {
        for value in &values.values {
            push(&value.name, format!("{}   {}", value.value, values.entity));
        }
    }
    if !response.payload.is_empty() {
        push("payload", String::from_utf8_lossy(&response.payload).into_owned());
    }
    Rows { title: Vec::new(), columns: vec!["", ""], rows }
}
