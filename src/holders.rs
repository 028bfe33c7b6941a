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
        let response = query.holders(&entity, at, known)?;
        output::print(format, &response, &response.holders, &tables::holders(&response), response.basis.as_ref())
    })
}
