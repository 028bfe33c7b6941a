//! The arguments of `counterfoil backup` and `counterfoil restore`.

use std::num::NonZeroU32;
use std::path::PathBuf;

use clap::Args;

use super::{AskArguments, LedgerArguments, OutputArguments};

/// Copy the log into a folder of backups; what is there already is not copied again
#[derive(Args)]
#[command(after_help = "Examples:\n  counterfoil backup --data ledger --to backups --keep 14\n  \
    counterfoil backup --server http://127.0.0.1:7401 --keep 14\n  \
    counterfoil backup --list --check --data ledger --to backups\n\n\
    A backup is of one signed checkpoint, and holds all that cannot be made again but the keys: keep\n\
    a copy of DIR/keys apart. A server makes it where its --backups says, and goes on meanwhile. The\n\
    newest backup holds all that older ones do, but for what was redacted since.")]
pub struct BackupArguments {
    #[command(flatten)]
    pub ask: AskArguments,
    /// The folder of backups; it is made where there is none
    #[arg(long, value_name = "FOLDER", required_unless_present = "server", conflicts_with = "server")]
    pub to: Option<PathBuf>,
    /// How many backups are kept, the new one among them: the oldest are removed
    #[arg(long, value_name = "COUNT", conflicts_with = "list")]
    pub keep: Option<NonZeroU32>,
    /// Remove earlier backups that hold what was redacted since
    #[arg(long, conflicts_with = "list")]
    pub forget_redacted: bool,
    /// Make none, and list those that are there
    #[arg(long)]
    pub list: bool,
    /// With --list: read every file of them
    #[arg(long, requires = "list")]
    pub check: bool,
    #[command(flatten)]
    pub output: OutputArguments,
}

/// Make a data folder of a backup, checked whole, and redacted again
#[derive(Args)]
#[command(
    after_help = "Examples:\n  counterfoil restore --from backups --keys keys --data ledger --anchor anchors/ledger\n  \
    counterfoil restore --from backups --keys keys --data rehearsal --backup 7 \\\n    \
    --redactions anchors/ledger.redactions\n\n\
    The folder is empty or not there yet, and no ledger before the end. Where the anchor covers no\n\
    more than the backup holds, the ledger opens. Where it covers more, that is lost, and the ledger\n\
    does not open: bring back a newer copy of it, or go on under a new name with\n\
    `counterfoil incarnation`.\n\
    What was redacted since the backup is removed again: the file ANCHOR.redactions says what.\n\
    Exit code 0: it was restored, whether it opens or not; 1: it was not, and why."
)]
pub struct RestoreArguments {
    /// The folder of backups
    #[arg(long, value_name = "FOLDER")]
    pub from: PathBuf,
    /// Which backup; the newest, if it is left out
    #[arg(long, value_name = "ID")]
    pub backup: Option<u64>,
    /// The folder with the ledger's keys, or a copy of it
    #[arg(long, value_name = "FOLDER")]
    pub keys: PathBuf,
    #[command(flatten)]
    pub ledger: LedgerArguments,
    /// The file that says what was redacted, where it is not ANCHOR.redactions
    #[arg(long, value_name = "FILE")]
    pub redactions: Option<PathBuf>,
    /// There is no such file any more: what was redacted since the backup is there again
    #[arg(long, conflicts_with = "redactions")]
    pub redactions_lost: bool,
    #[command(flatten)]
    pub output: OutputArguments,
}
