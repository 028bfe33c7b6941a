//! `counterfoil checkpoint`.

use std::io::Write;

use anyhow::Result;

use crate::cli::{CheckpointArguments, Exit};
use crate::client::Client;

pub fn run(arguments: &CheckpointArguments) -> Result<Exit> {
    let checkpoint = Client::of_log(&arguments.ask)?.checkpoint()?.checkpoint;
    std::io::stdout().write_all(&checkpoint)?;
    Ok(Exit::Done)
}
