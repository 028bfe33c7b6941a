//! The arguments of `counterfoil deadletter`.

use clap::{Args, Subcommand};

use super::{AskArguments, OutputArguments, Place};

/// What could not be read
#[derive(Args)]
#[command(
    after_help = "Examples:\n  counterfoil deadletter list --data ledger\n  counterfoil deadletter show 17 --data ledger\n  \
    counterfoil deadletter retry 17 --data ledger"
)]
pub struct DeadletterArguments {
    #[command(subcommand)]
    pub verb: DeadletterVerb,
}

#[derive(Subcommand)]
pub enum DeadletterVerb {
    /// List those that were not put through since, with the reason of each
    #[command(after_help = "Example:\n  counterfoil deadletter list --data ledger --output csv")]
    List {
        #[command(flatten)]
        ask: AskArguments,
        /// Only those after this record
        #[arg(long, value_name = "INDEX")]
        after: Option<u64>,
        /// The most that are listed, the earliest first; 0 is all
        #[arg(long, value_name = "COUNT", default_value_t = 0)]
        limit: usize,
        /// Also those that were put through since, with the first record that was read from each
        #[arg(long)]
        all: bool,
        #[command(flatten)]
        output: OutputArguments,
    },
    /// Read them again, with the connectors as they are now, and append what they give
    Retry(RetryArguments),
    /// Show one: its bytes as they came, less their secrets
    #[command(after_help = "Example:\n  counterfoil deadletter show 17 --data ledger")]
    Show {
        /// The record's index, also with the number of a fact in it (17.0)
        #[arg(value_name = "INDEX")]
        place: Place,
        #[command(flatten)]
        ask: AskArguments,
        #[command(flatten)]
        output: OutputArguments,
    },
}

#[derive(Args)]
#[command(after_help = "Examples:\n  counterfoil deadletter retry 17 --assume-zone UTC --data ledger\n  \
    counterfoil deadletter retry --all --server http://127.0.0.1:7401\n\n\
    What is read keeps the place that it had in its source, and says which dead letter it was. What cannot be read still \
    adds nothing, and the exit code is then 1. Retrying again adds nothing either. A message of Kafka whose value could not \
    be decoded is best retried with --server, on a server that reads its topic and knows its format.")]
pub struct RetryArguments {
    /// Their records' indexes, also with the number of a fact (17.0)
    #[arg(value_name = "INDEX", required_unless_present = "all", conflicts_with = "all")]
    pub places: Vec<Place>,
    /// All that were not put through yet
    #[arg(long)]
    pub all: bool,
    /// The zone of times that lost theirs; without it, that is as it was
    #[arg(long, value_name = "ZONE", value_parser = ["UTC"])]
    pub assume_zone: Option<String>,
    /// The tenant whose tickets they mention, where it is another one than it was
    #[arg(long, value_name = "NAME")]
    pub ticket_instance: Option<String>,
    #[command(flatten)]
    pub ask: AskArguments,
    /// The wall clock is right although it jumped; with --server, that is for the server to be told
    #[arg(long)]
    pub accept_clock: bool,
    #[command(flatten)]
    pub output: OutputArguments,
}
