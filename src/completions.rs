//! `counterfoil completions`.

use anyhow::Result;
use clap::CommandFactory;

use crate::cli::{Cli, CompletionsArguments};
use crate::exit::Exit;

pub fn run(arguments: &CompletionsArguments) -> Result<Exit> {
    clap_complete::generate(arguments.shell, &mut Cli::command(), "counterfoil", &mut std::io::stdout());
    Ok(Exit::Done)
}
