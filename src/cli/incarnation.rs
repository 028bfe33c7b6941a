//! The arguments of `counterfoil incarnation`.

use std::path::PathBuf;

use clap::Args;

use super::{LedgerArguments, OutputArguments};

/// Go on, under a new name, from what is left of a ledger that lost its newest records
#[derive(Args)]
#[command(after_help = "Example:\n  counterfoil incarnation --from restored --from-anchor anchors/ledger \\\n    \
    --data ledger2 --anchor anchors/ledger2 --origin example.com/audit/2 \\\n    \
    --reason disk-lost --by ops@example.com --why 'both disks of the array failed'\n\n\
    A new ledger is made: every record that is left, under its number and with its times, and a\n\
    record that says what was lost, why, and on whose word. It has a key and a policy of its own: hand\n\
    that policy to everybody who has the old one, since nobody who believes the old one believes the\n\
    new ledger. The old folder stays as it is, and does not open any more: keep it, with its anchor.")]
pub struct IncarnationArguments {
    /// The data folder of what is left, as `counterfoil restore` made it
    #[arg(long, value_name = "DIR")]
    pub from: PathBuf,
    /// The newest signed checkpoint that is known of the old log: its anchor, where that is not FROM.anchor, or what a replica,
    /// a witness or a backup has
    #[arg(long, value_name = "FILE")]
    pub from_anchor: Option<PathBuf>,
    /// The folder with the old ledger's keys, where that is not FROM/keys
    #[arg(long, value_name = "FOLDER")]
    pub from_keys: Option<PathBuf>,
    #[command(flatten)]
    pub ledger: LedgerArguments,
    /// The new log's name for ever, such as example.com/audit/2
    #[arg(long, value_name = "NAME")]
    pub origin: String,
    /// The code of the reason, such as disk-lost
    #[arg(long, value_name = "CODE")]
    pub reason: String,
    /// Who decided it: an entity id, an e-mail address or a login
    #[arg(long, value_name = "WHO")]
    pub by: String,
    /// Why, in words
    #[arg(long, value_name = "TEXT", default_value = "")]
    pub why: String,
    /// The file that says what was redacted, where it does not lie beside the old anchor
    #[arg(long, value_name = "FILE")]
    pub redactions: Option<PathBuf>,
    /// There is no such file any more
    #[arg(long, conflicts_with = "redactions")]
    pub redactions_lost: bool,
    #[command(flatten)]
    pub output: OutputArguments,
}
