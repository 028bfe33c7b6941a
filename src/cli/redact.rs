//! The arguments of `counterfoil redact`.

use clap::{ArgGroup, Args};

use super::{AskArguments, OutputArguments};

/// Remove what lies beside records: payloads, or all that is personal about somebody
#[derive(Args)]
#[command(
    group = ArgGroup::new("what").required(true).args(["records", "people"]),
    after_help = "Examples:\n  counterfoil redact --data ledger --person jane.doe@example.com --reason erasure-request \\\n    \
    --rule gdpr/17-1-a --by dpo@example.com --dry-run\n  \
    counterfoil redact --data ledger --record 1042 --reason disclosed --rule policy/7 \\\n    \
    --by account:okta:default:00u1 --why \"ticket 1042 quotes a medical report\"\n\n\
    No record is changed, and every proof stays valid. A record says what was removed, on whose word, under which rule and\n\
    for which reason; the words of --why lie beside it, and are not removed with the rest: leave names out. What is removed\n\
    cannot be brought back. It covers what is recorded so far: what comes later about the same person is kept, until it is\n\
    asked again. Copies of the files of the ledger that were made before hold it still."
)]
pub struct RedactArguments {
    #[command(flatten)]
    pub ask: AskArguments,
    /// All that lies beside this record; give it again for more
    #[arg(long = "record", value_name = "RECORD")]
    pub records: Vec<u64>,
    /// What is personal about somebody: an entity id (account:okta:default:00u1) or an e-mail address, with all accounts and
    /// identifiers that are theirs alone; give it again for more
    #[arg(long = "person", value_name = "WHO")]
    pub people: Vec<String>,
    /// The code of the reason, such as erasure-request
    #[arg(long, value_name = "CODE")]
    pub reason: String,
    /// The id of the rule that allows or demands it, such as gdpr/17-1-a
    #[arg(long, value_name = "ID")]
    pub rule: String,
    /// Who decided it: an entity id, an e-mail address or a login
    #[arg(long, value_name = "WHO")]
    pub by: String,
    /// Why, in words
    #[arg(long, value_name = "TEXT", default_value = "")]
    pub why: String,
    /// Only tell what would be removed
    #[arg(long)]
    pub dry_run: bool,
    /// The wall clock is right although it jumped
    #[arg(long)]
    pub accept_clock: bool,
    #[command(flatten)]
    pub output: OutputArguments,
}
