//! The arguments of the verbs that ask what somebody had, and who had something.

use clap::Args;
use counterfoil_verify::time::Moment;

use super::{AskArguments, MomentArguments, OutputArguments, PersonArguments, WhoArguments};
use crate::when;

/// What an identity could do, or what a ticket came to, at any past moment
#[derive(Args)]
#[command(
    after_help = "Example:\n  counterfoil state yuki.moreau@tallyhall.example --data ledger --system okta --at 2026-03-01Z"
)]
pub struct StateArguments {
    #[command(flatten)]
    pub who: WhoArguments,
    #[command(flatten)]
    pub person: PersonArguments,
    #[command(flatten)]
    pub ask: AskArguments,
    #[command(flatten)]
    pub moment: MomentArguments,
    #[command(flatten)]
    pub output: OutputArguments,
}

/// Every fact about an entity, in the order in which they happened
#[derive(Args)]
#[command(after_help = "Example:\n  counterfoil history SR-1042 --data ledger")]
pub struct HistoryArguments {
    #[command(flatten)]
    pub who: WhoArguments,
    #[command(flatten)]
    pub person: PersonArguments,
    #[command(flatten)]
    pub ask: AskArguments,
    /// From this moment on
    #[arg(long, value_name = "TIME", value_parser = when::parse)]
    pub from: Option<Moment>,
    /// Up to this moment, inclusive; 2026-03-31Z is the first moment of that day
    #[arg(long, value_name = "TIME", value_parser = when::parse)]
    pub at: Option<Moment>,
    /// Counting only what the ledger held by then
    #[arg(long, value_name = "TIME", value_parser = when::parse)]
    pub known_at: Option<Moment>,
    /// The most entries, the earliest first; 0 is all
    #[arg(long, value_name = "COUNT", default_value_t = 0)]
    pub limit: usize,
    #[command(flatten)]
    pub output: OutputArguments,
}

/// What differs between two moments of an entity
#[derive(Args)]
#[command(
    after_help = "Example:\n  counterfoil diff yuki.moreau@tallyhall.example --data ledger --system okta \\\n    --from 2026-01-01Z --at 2026-07-01Z"
)]
pub struct DiffArguments {
    #[command(flatten)]
    pub who: WhoArguments,
    #[command(flatten)]
    pub person: PersonArguments,
    #[command(flatten)]
    pub ask: AskArguments,
    /// The earlier moment
    #[arg(long, value_name = "TIME", value_parser = when::parse)]
    pub from: Moment,
    /// What the ledger held by then counts for the earlier moment; all, if it is left out
    #[arg(long, value_name = "TIME", value_parser = when::parse)]
    pub from_known_at: Option<Moment>,
    #[command(flatten)]
    pub moment: MomentArguments,
    #[command(flatten)]
    pub output: OutputArguments,
}

/// Who held an entitlement at any past moment
#[derive(Args)]
#[command(
    after_help = "Examples:\n  counterfoil holders 'Production Database Readers' --data ledger --at 2026-03-01Z\n  \
    counterfoil holders 'Production Database Readers' --effective --data ledger",
    mut_arg("who", |who| who.value_name("WHAT").help(
        "The entitlement (a group, a role, an application): its id (entitlement:okta:default:group_member/00g1) or its name"
    ))
)]
pub struct HoldersArguments {
    #[command(flatten)]
    pub who: WhoArguments,
    /// Everybody who holds it through any path, with the path, rather than those whom grants name
    #[arg(long)]
    pub effective: bool,
    #[command(flatten)]
    pub ask: AskArguments,
    #[command(flatten)]
    pub moment: MomentArguments,
    /// Only holders that this is true of (google.aip.dev/160), such as 'NOT expires_at:* AND mode = active'. Fields: system,
    /// instance, scope, mode, confidence, status, lapsed, conditional, expires_at, occurred_at, recorded_at, record, holder,
    /// granted_by, inherited_via
    #[arg(long, value_name = "FILTER")]
    pub filter: Option<String>,
    #[command(flatten)]
    pub output: OutputArguments,
}
