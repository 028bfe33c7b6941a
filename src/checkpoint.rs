//! `counterfoil checkpoint`.

use std::io::Write;

use anyhow::Result;

use crate::cli::{CheckpointArguments, Exit};
use crate::open;

pub fn run(arguments: &CheckpointArguments) -> Result<Exit> {
    let ledger = open::ledger(&open::location(&arguments.ledger), false)?;
    std::io::stdout().write_all(&ledger.reader().head().checkpoint)?;
    Ok(Exit::Done)
}
