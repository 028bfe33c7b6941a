//! The arguments of the verbs that take tables which people keep: who is who, and the register of non-human identities.

use std::path::PathBuf;

use clap::{Args, Subcommand};
use counterfoil_proto::v1::{IdentityType, RegisterGap};

use crate::cli::{AskArguments, LedgerArguments, MomentArguments, OutputArguments};
use crate::nhi;

/// Whether a question about an account is one about whoever has it.
#[derive(Args)]
pub struct PersonArguments {
    /// With all that is the same person's: their other accounts, in every system. A person is always meant so
    #[arg(long)]
    pub person: bool,
}

/// Files of rows, and the ledger that they go into.
#[derive(Args)]
pub struct TableArguments {
    #[command(flatten)]
    pub ledger: LedgerArguments,
    /// Files and folders: CSV with the names of the columns in its first row, or JSON lines; - is standard input
    #[arg(required = true, value_name = "FILES")]
    pub files: Vec<PathBuf>,
    /// Whose table it is, where there are several
    #[arg(long, value_name = "NAME", default_value = "default")]
    pub instance: String,
    /// The zone of times that lost theirs; without it, such a row is rejected
    #[arg(long, value_name = "ZONE", value_parser = ["UTC"])]
    pub assume_zone: Option<String>,
    /// The wall clock is right although it jumped
    #[arg(long)]
    pub accept_clock: bool,
    #[command(flatten)]
    pub output: OutputArguments,
}

/// Which accounts are one person's, and by which rules accounts are matched
#[derive(Args)]
#[command(after_help = "Example:\n  counterfoil people import accounts.csv --data ledger")]
pub struct PeopleArguments {
    #[command(subcommand)]
    pub verb: PeopleVerb,
}

#[derive(Subcommand)]
pub enum PeopleVerb {
    /// Import mapping files and matching rules
    #[command(after_help = "A row of a mapping is one account of one person. Its columns: row, person, person_name, \
        person_email, system, instance, account, login, email, from, until.\n\
        A row of a rule has: rule, version, matched_by (email), systems, withdrawn, declared_at. Until one is declared, the \
        built-in rule holds: equal e-mail addresses of any systems mean one person.\n\n\
        A row that comes again unchanged adds nothing. Rows that contradict each other are all kept, and answers show \
        each.\n\n\
        Example:\n  counterfoil people import accounts.csv rules.csv --data ledger")]
    Import(TableArguments),
}

/// The register of non-human identities: owner, purpose, expiry, rotation, what acts where, and what is missing
#[derive(Args)]
#[command(after_help = "Examples:\n  counterfoil nhi import register.csv --data ledger\n  \
    counterfoil nhi list --data ledger --gap no-owner --gap owner-left\n  \
    counterfoil nhi paths --data ledger --system okta --gap target-not-declared\n  \
    counterfoil nhi report --data ledger --at 2026-03-01Z")]
pub struct NhiArguments {
    #[command(subcommand)]
    pub verb: NhiVerb,
}

#[derive(Subcommand)]
pub enum NhiVerb {
    /// Import a register
    #[command(
        after_help = "A row is one identity or credential, and all that the register says of it. Its columns: row, \
        system, instance, id, login, email, name, type, owner, owner_system, owner_instance, purpose, expires_at, \
        rotation_interval (90d), stored_in (in words, never the secret), systems and operations (with ';' between them), \
        suspected_at, retired_at, updated_at.\n\n\
        Example:\n  counterfoil nhi import register.csv --data ledger"
    )]
    Import(TableArguments),
    /// List them as they were at any past moment: those in the register, and those that were only seen
    List(NhiListArguments),
    /// List the integration paths at any past moment: which of them acts through which credential in which system
    Paths(NhiPathsArguments),
    /// Say how complete the inventory is: how many identities, credentials and integration paths there are, and which gaps
    Report(NhiReportArguments),
}

#[derive(Args)]
#[command(after_help = "Example:\n  counterfoil nhi list --data ledger --at 2026-03-01Z --output csv")]
pub struct NhiListArguments {
    #[command(flatten)]
    pub ask: AskArguments,
    /// Only those of this system
    #[arg(long, value_name = "SYSTEM")]
    pub system: Option<String>,
    /// Only those of this type; may be given several times
    #[arg(long = "type", value_name = "TYPE", value_parser = nhi::types())]
    pub types: Vec<IdentityType>,
    /// Only those with this gap; may be given several times
    #[arg(long = "gap", value_name = "GAP", value_parser = nhi::gaps())]
    pub gaps: Vec<RegisterGap>,
    #[command(flatten)]
    pub moment: MomentArguments,
    #[command(flatten)]
    pub output: OutputArguments,
}

#[derive(Args)]
#[command(after_help = "Only what succeeded counts: a path is one that something was changed or read by.\n\n\
    Example:\n  counterfoil nhi paths --data ledger --gap used-after-revocation")]
pub struct NhiPathsArguments {
    #[command(flatten)]
    pub ask: AskArguments,
    /// Only those into this system
    #[arg(long, value_name = "SYSTEM")]
    pub system: Option<String>,
    /// Only those with this gap; may be given several times
    #[arg(long = "gap", value_name = "GAP", value_parser = nhi::gaps())]
    pub gaps: Vec<RegisterGap>,
    #[command(flatten)]
    pub moment: MomentArguments,
    #[command(flatten)]
    pub output: OutputArguments,
}

#[derive(Args)]
#[command(after_help = "Example:\n  counterfoil nhi report --data ledger --at 2026-03-01Z --output csv")]
pub struct NhiReportArguments {
    #[command(flatten)]
    pub ask: AskArguments,
    #[command(flatten)]
    pub moment: MomentArguments,
    #[command(flatten)]
    pub output: OutputArguments,
}
