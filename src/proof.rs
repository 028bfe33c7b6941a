//! `counterfoil proof`.

use std::io::Write;

use anyhow::{Context, Result};
use base64::prelude::{BASE64_STANDARD, Engine};
use counterfoil_proto::v1::{GetConsistencyProofRequest, GetInclusionProofRequest};
use counterfoil_verify::hash::Hash;
use counterfoil_verify::proof::TlogProof;
use counterfoil_verify::tree::RecordIndex;

use crate::cli::{Format, ProofArguments};
use crate::client::Client;
use crate::exit::{Exit, Refused};
use crate::output::{self, Rows};
use crate::record;

pub fn run(arguments: &ProofArguments) -> Result<Exit> {
    #[cfg(feature = "cose")]
    if arguments.cose {
        return receipt(arguments);
    }
    let client = Client::of_log(&arguments.ask)?;
    let format = arguments.output.output;
    if let Some(old_size) = arguments.since {
        let request = GetConsistencyProofRequest { old_size, ..GetConsistencyProofRequest::default() };
        let response = client.log(|mut log| async move { log.get_consistency_proof(request).await })?;
        let rows = Rows { title: Vec::new(), columns: vec!["hash"], rows: lines(&response.path) };
        output::print(format, &response, &[&response], &rows, response.basis.as_ref())?;
        return Ok(Exit::Done);
    }
    if arguments.with_record && format != Format::Table {
        return Err(Refused::Wrong(
            "--with-record: only the file of a proof carries the record: leave out --output".into(),
        )
        .into());
    }
    let place = arguments.place.context("neither a record nor an earlier size is given")?;
    let read = record::read(&client, place)?;
    let request = GetInclusionProofRequest { index: place.record.0, ..GetInclusionProofRequest::default() };
    let response = client.log(|mut log| async move { log.get_inclusion_proof(request).await })?;
    if format == Format::Table {
        let path = response.path.iter().map(|hash| Hash::from_slice(hash)).collect::<Result<_, _>>()?;
        let index = RecordIndex(response.index);
        let extra = arguments.with_record.then_some(read.record_bytes);
        let proof = TlogProof { extra, index, path, checkpoint_note: response.checkpoint };
        std::io::stdout().write_all(&proof.format())?;
        return Ok(Exit::Done);
    }
    let rows = Rows { title: Vec::new(), columns: vec!["hash"], rows: lines(&response.path) };
    output::print(format, &response, &[&response], &rows, response.basis.as_ref())?;
    Ok(Exit::Done)
}

/// Writes the COSE receipt of a record.
#[cfg(feature = "cose")]
fn receipt(arguments: &ProofArguments) -> Result<Exit> {
    if arguments.ask.server.is_some() {
        let keyless = "--cose: a receipt is signed with the ledger's own key, which no server hands out: name the data folder \
                       with --data, and leave out --server, COUNTERFOIL_SERVER too";
        return Err(Refused::Wrong(keyless.to_owned()).into());
    }
    let client = Client::of_log(&arguments.ask)?;
    let place = arguments.place.context("no record is given")?;
    record::read(&client, place)?;
    let ledger = client.ledger().context("no data folder is given")?;
    std::io::stdout().write_all(ledger.cose_receipt(place.record)?.bytes())?;
    Ok(Exit::Done)
}

fn lines(path: &[Vec<u8>]) -> Vec<Vec<String>> {
    path.iter().map(|hash| vec![BASE64_STANDARD.encode(hash)]).collect()
}
