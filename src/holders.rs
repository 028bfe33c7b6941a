//! `counterfoil holders`.

use anyhow::{Result, bail};
use counterfoil_proto::v1::EntityKind;

use crate::cli::{Exit, HoldersArguments};
use crate::{output, tables, who};

pub fn run(arguments: &HoldersArguments) -> Result<Exit> {
    let (at, known) = (arguments.moment.at(), arguments.moment.known_at());
    let format = arguments.output.output;
    who::ask(&arguments.ledger, &arguments.who, (at, known), format, |query, entity| {
        if !matches!(entity.kind(), EntityKind::Entitlement | EntityKind::Identifier) {
            bail!(
                "{entity} is no entitlement, and nobody holds it: for what an account holds, ask `counterfoil state`"
            );
        }
        let mut response = query.holders(&entity, at, known)?;
        // What had run out comes last.
        response.holders.sort_by_key(|holder| holder.lapsed);
        let rows = tables::holders(&response, query.is_known(&entity, at, known)?);
        output::print(format, &response, &response.holders, &rows, response.basis.as_ref())
    })
}
