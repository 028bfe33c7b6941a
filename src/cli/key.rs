//! The arguments of `counterfoil key`.

use clap::{Args, Subcommand};

use super::{LedgerArguments, OutputArguments};

/// Change the key that signs the log
#[derive(Args)]
#[command(
    arg_required_else_help = true,
    after_help = "Examples:\n  counterfoil key rotate --data ledger --by ops@example.com --reason yearly\n  \
    counterfoil key retire --data ledger"
)]
pub struct KeyArguments {
    #[command(subcommand)]
    pub verb: KeyVerb,
}

#[derive(Subcommand)]
pub enum KeyVerb {
    /// Announce a new key in the log, and sign with it from then on
    #[command(after_help = "Example:\n  counterfoil key rotate --data ledger --by ops@example.com --reason yearly\n\n\
        Stop the server first. The former key goes on to sign beside the new one, so that nobody notices\n\
        until it is retired. Whoever has a policy with a quorum of witnesses takes the new key from a proof\n\
        of the record that announces it, once those have cosigned it:\n\n  \
        counterfoil proof RECORD --with-record --server URL > key.tlog-proof\n  \
        counterfoil-verify --succession key.tlog-proof --policy old.policy > new.policy\n\n\
        Everybody else needs a new policy, by the way that the old one came. Witnesses are told the new key\n\
        as they were told the old one. Keep a copy of the keys, and of DIR.policy, as you did of the old ones.\n\
        A run that was cut off is done again with the same command.")]
    Rotate(RotateArguments),
    /// Have the former key sign no more, and delete it
    #[command(after_help = "Example:\n  counterfoil key retire --data ledger\n\n\
        Stop the server first. From then on no proof of the announcement can be made that a policy with the\n\
        former key accepts: make it before. From the next checkpoint on, whoever still has such a policy\n\
        believes none. Its public half is kept, by which backups are known that it signed.")]
    Retire {
        #[command(flatten)]
        ledger: LedgerArguments,
        #[command(flatten)]
        output: OutputArguments,
    },
}

#[derive(Args)]
pub struct RotateArguments {
    #[command(flatten)]
    pub ledger: LedgerArguments,
    /// The code of the reason, such as yearly
    #[arg(long, value_name = "CODE")]
    pub reason: String,
    /// Who decided it: an entity id, an e-mail address or a login
    #[arg(long, value_name = "WHO")]
    pub by: String,
    /// Why, in words
    #[arg(long, value_name = "TEXT", default_value = "")]
    pub why: String,
    #[command(flatten)]
    pub output: OutputArguments,
}
