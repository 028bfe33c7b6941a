//! The arguments of `counterfoil remap`.

use clap::Args;
use clap::builder::PossibleValuesParser;
use counterfoil_ingest::connectors;
use counterfoil_verify::entity::check_name;

use super::{AskArguments, OutputArguments};

/// Read kept events again with the connector as it is now
#[derive(Args)]
#[command(after_help = "Examples:\n  counterfoil remap okta --data ledger --dry-run\n  \
    counterfoil remap okta --data ledger --source okta/acme\n  \
    counterfoil remap okta --server http://127.0.0.1:7401\n\n\
    Where an event says something else by now, a record is appended that says what, and counts from then on; answers as\n\
    of an earlier --known-at stay what they were. Nothing is changed or removed. To do it again adds nothing, and an\n\
    interrupted run goes on by being done again.")]
pub struct RemapArguments {
    #[command(flatten)]
    pub ask: AskArguments,
    /// Which connector's events
    #[arg(value_parser = PossibleValuesParser::new(connectors::names()))]
    pub connector: String,
    /// Only what came from this system and tenant
    #[arg(long, value_name = "SYSTEM/INSTANCE", value_parser = source)]
    pub source: Option<(String, String)>,
    /// The tenant whose tickets are meant where an event mentions one and did not so far
    #[arg(long, value_name = "NAME", default_value = "default")]
    pub ticket_instance: String,
    /// Only count what would be appended
    #[arg(long)]
    pub dry_run: bool,
    /// The wall clock is right although it jumped
    #[arg(long)]
    pub accept_clock: bool,
    #[command(flatten)]
    pub output: OutputArguments,
}

fn source(text: &str) -> Result<(String, String), String> {
    let (system, instance) = text.split_once('/').ok_or("expected a system and a tenant, such as okta/default")?;
    for name in [system, instance] {
        check_name(name).map_err(|error| error.to_string())?;
    }
    Ok((system.to_owned(), instance.to_owned()))
}
