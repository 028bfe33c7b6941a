//! `counterfoil reconcile`.

use anyhow::Result;
use counterfoil_proto::v1::{ReconcileRequest, ReconcileResponse};
use tonic::Response;

use crate::cli::ReconcileArguments;
use crate::client::{Client, timestamp};
use crate::exit::Exit;
use crate::{output, tables};

pub fn run(arguments: &ReconcileArguments) -> Result<Exit> {
    let client = Client::new(&arguments.ask)?;
    client.tell_beginning(arguments.moment.known_at)?;
    let request = ReconcileRequest {
        system: arguments.system.clone(),
        instance: arguments.instance.clone().unwrap_or_default(),
        at: timestamp(arguments.moment.at),
        known_at: timestamp(arguments.moment.known_at),
        min_tree_size: 0,
        with_proof: false,
    };
    let response = client.linkage(|mut linkage| async move {
        let mut parts = linkage.reconcile(request).await?.into_inner();
        let mut whole = ReconcileResponse::default();
        while let Some(part) = parts.message().await? {
            let mut items = std::mem::take(&mut whole.items);
            items.extend(part.items);
            whole = ReconcileResponse { items, ..part };
        }
        Ok(Response::new(whole))
    })?;
    let rows = tables::reconciled(&response);
    output::print(arguments.output.output, &response, &response.items, &rows, response.basis.as_ref())?;
    Ok(Exit::Done)
}
