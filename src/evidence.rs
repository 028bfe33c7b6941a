//! `counterfoil evidence`.

use std::fs::OpenOptions;
use std::io::Write;
use std::path::Path;

use anyhow::{Context, Result};
use counterfoil_proto::v1::{EvidenceQuestion, GetEvidenceRequest, GetPeriodEvidenceRequest};
use tonic::{Response, Status, Streaming};

use crate::cli::{EvidenceArguments, EvidenceVerb, Format};
use crate::client::{Client, timestamp};
use crate::exit::Exit;
use crate::who;

pub fn run(arguments: &EvidenceArguments) -> Result<Exit> {
    match &arguments.question {
        EvidenceVerb::State(asked) => {
            let client = Client::new(&asked.ask)?;
            let moments = (asked.moment.at, asked.moment.known_at);
            let request = GetEvidenceRequest {
                question: EvidenceQuestion::State.into(),
                who: asked.who.who.clone(),
                system: asked.who.system.clone().unwrap_or_default(),
                at: timestamp(moments.0),
                known_at: timestamp(moments.1),
                min_tree_size: 0,
            };
            let file = fetch(&client, request);
            who::answered(&client, &asked.who, moments, Format::Table, file, |file| write(&asked.out.out, file))
        }
        EvidenceVerb::Change(asked) => {
            let client = Client::new(&asked.ask)?;
            client.tell_beginning(asked.known_at)?;
            let request = GetEvidenceRequest {
                question: EvidenceQuestion::Change.into(),
                who: asked.change.clone(),
                known_at: timestamp(asked.known_at),
                ..GetEvidenceRequest::default()
            };
            write(&asked.out.out, &fetch(&client, request)?)?;
            Ok(Exit::Done)
        }
        EvidenceVerb::Period(asked) => {
            let client = Client::new(&asked.ask)?;
            client.tell_beginning(asked.known_at)?;
            let request = GetPeriodEvidenceRequest {
                from: timestamp(Some(asked.from)),
                to: timestamp(Some(asked.to)),
                known_at: timestamp(asked.known_at),
                min_tree_size: 0,
            };
            let file = client.proof(|mut proof| async move {
                joined(proof.get_period_evidence(request).await?.into_inner(), |piece| piece.data).await
            });
            write(&asked.out.out, &file?)?;
            Ok(Exit::Done)
        }
        EvidenceVerb::Absence(asked) => {
            let client = Client::new(&asked.ask)?;
            let request = GetEvidenceRequest {
                question: EvidenceQuestion::Absence.into(),
                who: asked.who.clone(),
                ..GetEvidenceRequest::default()
            };
            write(&asked.out.out, &fetch(&client, request)?)?;
            Ok(Exit::Done)
        }
    }
}

fn fetch(client: &Client, request: GetEvidenceRequest) -> Result<Vec<u8>> {
    client.proof(|mut proof| async move {
        joined(proof.get_evidence(request).await?.into_inner(), |piece| piece.data).await
    })
}

/// A file out of its pieces.
async fn joined<P>(mut pieces: Streaming<P>, data: impl Fn(P) -> Vec<u8>) -> Result<Response<Vec<u8>>, Status> {
    let mut file = Vec::new();
    while let Some(piece) = pieces.message().await? {
        file.extend_from_slice(&data(piece));
    }
    Ok(Response::new(file))
}

/// Nobody's evidence is replaced by another.
fn write(path: &Path, file: &[u8]) -> Result<()> {
    let written = OpenOptions::new().write(true).create_new(true).open(path).and_then(|mut out| out.write_all(file));
    written.with_context(|| format!("write {}", path.display()))?;
    anstream::eprintln!("counterfoil: {} bytes of evidence written to {}", file.len(), path.display());
    Ok(())
}
