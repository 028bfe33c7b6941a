//! `counterfoil checkpoint`.

use std::io::Write;

use anyhow::Result;

use crate::cli::CheckpointArguments;
use crate::client::Client;
use crate::exit::Exit;

pub fn run(arguments: &CheckpointArguments) -> Result<Exit> {
    let checkpoint = Client::of_log(&arguments.ask)?.checkpoint()?.checkpoint;
    std::io::stdout().write_all(&checkpoint)?;
    Ok(Exit::Done)
}
