//! `counterfoil redact`.

use anyhow::Result;
use counterfoil_proto::v1::{RedactRequest, RedactResponse};

use crate::cli::RedactArguments;
use crate::client::Client;
use crate::exit::Exit;
use crate::output::{self, Rows};

pub fn run(arguments: &RedactArguments) -> Result<Exit> {
    let client = Client::appending(&arguments.ask, arguments.accept_clock)?;
    let request = RedactRequest {
        records: arguments.records.clone(),
        people: arguments.people.clone(),
        reason: arguments.reason.clone(),
        rule: arguments.rule.clone(),
        by: arguments.by.clone(),
        why: arguments.why.clone(),
        dry_run: arguments.dry_run,
    };
    let response = client.ingest(|mut ingest| async move { ingest.redact(request).await })?;
    drop(client);
    if arguments.ask.server.is_none() && !response.dry_run {
        // Views that are there hold what was removed until they are brought up to date.
        drop(Client::new(&arguments.ask)?);
    }
    output::print(arguments.output.output, &response, &[&response], &rows(&response), response.basis.as_ref())?;
    Ok(Exit::Done)
}

fn rows(response: &RedactResponse) -> Rows {
    let said_by: Vec<String> = response.redactions.iter().map(u64::to_string).collect();
    let mut title = Vec::new();
    if response.dry_run {
        title.push("Nothing was removed: this only tells.".to_owned());
    }
    title.extend(response.entities.iter().map(|entity| format!("looked for {entity}")));
    Rows {
        title,
        columns: vec!["records", "parts", "redactions"],
        rows: vec![vec![response.records.to_string(), response.parts.to_string(), said_by.join(" ")]],
    }
}
