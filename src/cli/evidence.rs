//! The arguments of `counterfoil evidence`.

use std::path::PathBuf;

use clap::{Args, Subcommand};
use counterfoil_verify::time::Moment;

use super::{AskArguments, MomentArguments, WhoArguments};
use crate::when;

/// One file that shows an answer to somebody who does not trust this program: verify it with counterfoil-verify
#[derive(Args)]
#[command(
    after_help = "Examples:\n  counterfoil evidence state yuki.moreau@tallyhall.example --data ledger --out yuki.evidence\n  \
    counterfoil evidence change 6221 --data ledger --out 6221.evidence\n  \
    counterfoil evidence period 2026-01-01Z 2026-04-01Z --data ledger --out quarter.evidence"
)]
pub struct EvidenceArguments {
    #[command(subcommand)]
    pub question: EvidenceVerb,
}

#[derive(Subcommand)]
pub enum EvidenceVerb {
    State(EvidenceStateArguments),
    Absence(EvidenceAbsenceArguments),
    Change(EvidenceChangeArguments),
    Period(EvidencePeriodArguments),
}

/// What an identity could do at any past moment, with all that is theirs
#[derive(Args)]
#[command(
    after_help = "Example:\n  counterfoil evidence state yuki.moreau@tallyhall.example --data ledger --system okta \\\n    \
    --at 2026-03-01Z --out yuki.evidence"
)]
pub struct EvidenceStateArguments {
    #[command(flatten)]
    pub who: WhoArguments,
    #[command(flatten)]
    pub ask: AskArguments,
    #[command(flatten)]
    pub moment: MomentArguments,
    #[command(flatten)]
    pub out: OutArguments,
}

/// That nothing is recorded of somebody
#[derive(Args)]
#[command(
    after_help = "Example:\n  counterfoil evidence absence nobody@tallyhall.example --data ledger --out nobody.evidence"
)]
pub struct EvidenceAbsenceArguments {
    /// Whom no record names: an e-mail address, a login, a name, or an entity id
    pub who: String,
    #[command(flatten)]
    pub ask: AskArguments,
    #[command(flatten)]
    pub out: OutArguments,
}

/// Which approval covers a change, or that none is recorded
#[derive(Args)]
#[command(after_help = "Example:\n  counterfoil evidence change 6221 --data ledger --out 6221.evidence")]
pub struct EvidenceChangeArguments {
    /// An event id, or the number of a record, also with that of a fact in it (1042.0)
    pub change: String,
    #[command(flatten)]
    pub ask: AskArguments,
    /// Counting only what the ledger held by then
    #[arg(long, value_name = "TIME", value_parser = when::parse)]
    pub known_at: Option<Moment>,
    #[command(flatten)]
    pub out: OutArguments,
}

/// What changed in a period, and that it is all: who joined, moved and left, and every change of access
#[derive(Args)]
#[command(
    after_help = "Example:\n  counterfoil evidence period 2026-01-01Z 2026-04-01Z --data ledger --known-at 2026-05-01Z \\\n    \
    --out quarter.evidence\n\n\
    The file has every record from a minute before FROM on, up to --known-at: the earlier that is, the smaller the file."
)]
pub struct EvidencePeriodArguments {
    /// The first moment of the period, by the sources' clocks
    #[arg(value_parser = when::parse)]
    pub from: Moment,
    /// Its end, which is not in it any more: 2026-04-01Z ends with the last moment of March
    #[arg(value_parser = when::parse)]
    pub to: Moment,
    #[command(flatten)]
    pub ask: AskArguments,
    /// Counting only what the ledger held by then
    #[arg(long, value_name = "TIME", value_parser = when::parse)]
    pub known_at: Option<Moment>,
    #[command(flatten)]
    pub out: OutArguments,
}

/// Where a file goes.
#[derive(Args)]
pub struct OutArguments {
    /// The file to write; one that is there is not replaced
    #[arg(long, value_name = "FILE")]
    pub out: PathBuf,
}
