//! `counterfoil proof`.

use anyhow::{Context, Result};
use base64::prelude::{BASE64_STANDARD, Engine};
use counterfoil_proto::v1::{Basis, GetConsistencyProofResponse, GetInclusionProofResponse};
use counterfoil_verify::hash::Hash;
use counterfoil_verify::proof::TlogProof;
use counterfoil_verify::record;
use counterfoil_verify::tree::TreeSize;
use std::io::Write;

use crate::cli::{Exit, Format, ProofArguments, Refused};
use crate::open;
use crate::output::{self, Rows};
use crate::words::counted;

pub fn run(arguments: &ProofArguments) -> Result<Exit> {
    let ledger = open::ledger(&open::location(&arguments.ledger), false)?;
    let reader = ledger.reader();
    let head = reader.head();
    let basis = Some(Basis {
        origin: head.origin.as_str().to_owned(),
        tree_size: head.size.0,
        root: head.root.as_bytes().to_vec(),
    });
    let format = arguments.output.output;
    if let Some(old_size) = arguments.since {
        if old_size > head.size.0 {
            let why = format!(
                "the ledger holds {}: expected an earlier size, got {old_size}",
                counted(head.size.0, "record")
            );
            return Err(Refused::NotFound(why).into());
        }
        let path = reader.consistency_proof(TreeSize(old_size), head.size)?;
        let response = GetConsistencyProofResponse { basis, old_size, path: bytes_of(&path) };
        let rows = Rows { title: Vec::new(), columns: vec!["hash"], rows: lines(&path) };
        output::print(format, &response, &[&response], &rows, response.basis.as_ref())?;
        return Ok(Exit::Done);
    }
    let place = arguments.place.context("neither a record nor an earlier size is given")?;
    open::check(&reader, place)?;
    let index = place.record;
    let leaf = record::hash(&reader.record_bytes(index)?);
    let path = reader.inclusion_proof(index, head.size)?;
    if format == Format::Table {
        let proof = TlogProof { extra: None, index, path, checkpoint_note: head.checkpoint.to_vec() };
        std::io::stdout().write_all(&proof.format())?;
        return Ok(Exit::Done);
    }
    let rows = Rows { title: Vec::new(), columns: vec!["hash"], rows: lines(&path) };
    let response = GetInclusionProofResponse {
        basis,
        index: index.0,
        leaf_hash: leaf.0.as_bytes().to_vec(),
        path: bytes_of(&path),
    };
    output::print(format, &response, &[&response], &rows, response.basis.as_ref())?;
    Ok(Exit::Done)
}

fn bytes_of(path: &[Hash]) -> Vec<Vec<u8>> {
    path.iter().map(|hash| hash.as_bytes().to_vec()).collect()
}

fn lines(path: &[Hash]) -> Vec<Vec<String>> {
    path.iter().map(|hash| vec![BASE64_STANDARD.encode(hash.as_bytes())]).collect()
}
