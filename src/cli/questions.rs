//! The arguments of the verbs that ask about tickets, grants and what would undo changes.

use clap::{Args, ValueEnum};
use counterfoil_proto::v1::ChangeEffect;
use counterfoil_verify::time::Moment;

use super::{AskArguments, MomentArguments, OutputArguments};
use crate::when;

/// What a change did.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Effect {
    /// It gave access
    Gives,
    /// It took access away
    Takes,
    /// Either
    Any,
}

impl Effect {
    /// As a request has it.
    pub fn wire(self) -> ChangeEffect {
        match self {
            Self::Gives => ChangeEffect::Gives,
            Self::Takes => ChangeEffect::Takes,
            Self::Any => ChangeEffect::Any,
        }
    }
}

/// The whole trail of a ticket: who asked, approved, carried it out and closed it, what changed, and the access at each step
#[derive(Args)]
#[command(after_help = "Example:\n  counterfoil trace SR-1042 --data ledger\n\n\
    The steps: before the request, at approval, after the change, after expiry, and now, which is --at. What the chain lacks \
    is listed as a gap. At the end three verdicts over all its changes: explained, approved, reversible.")]
pub struct TraceArguments {
    /// The ticket: its number (SR-1042) or its id (ticket:freshservice:default:ticket/1042)
    pub ticket: String,
    #[command(flatten)]
    pub ask: AskArguments,
    #[command(flatten)]
    pub moment: MomentArguments,
    #[command(flatten)]
    pub output: OutputArguments,
}

/// What gave somebody an access, who approved that, and when and by whom it was taken away
#[derive(Args)]
#[command(
    after_help = "Example:\n  counterfoil explain-grant yuki.moreau@tallyhall.example 'Production Database Readers' \\\n    \
    --data ledger --system okta --at 2026-03-01Z\n\n\
    Every account that is linked with whom you name counts. What is missing is said: no approval recorded, not removed, \
    seen in a listing only."
)]
pub struct ExplainGrantArguments {
    /// Whose: an entity id, a login, an e-mail address or a name
    pub who: String,
    /// The entitlement (a group, a role, an application): its id or its name
    pub entitlement: String,
    /// Only entities of this system
    #[arg(long, value_name = "SYSTEM")]
    pub system: Option<String>,
    #[command(flatten)]
    pub ask: AskArguments,
    #[command(flatten)]
    pub moment: MomentArguments,
    #[command(flatten)]
    pub output: OutputArguments,
}

/// What would undo a change, a ticket, or all that somebody or a credential did in a time: nothing is carried out
#[derive(Args)]
#[command(after_help = "Examples:\n  counterfoil reversal 6221 --data ledger\n  \
    counterfoil reversal --ticket SR-1042 --data ledger\n  \
    counterfoil reversal --by api_token/00T1 --from 2026-03-01Z --to 2026-03-02Z --data ledger\n\n\
    The operations come in the order in which they are to be carried out, the newest change first. A change that another \
    one undid or replaced since is not undone, and what cannot come back is said, with the reason.")]
pub struct ReversalArguments {
    /// An event id, or the number of a record, also with that of a fact in it (1042.0)
    #[arg(required_unless_present_any = ["ticket", "by"], conflicts_with_all = ["ticket", "by"])]
    pub change: Option<String>,
    /// All that this ticket covers
    #[arg(long, value_name = "TICKET", conflicts_with = "by")]
    pub ticket: Option<String>,
    /// All that these did, or that was done with this credential: an id, a login, an e-mail address or a name
    #[arg(long, value_name = "WHO")]
    pub by: Option<String>,
    /// With --by: from this moment on
    #[arg(long, value_name = "TIME", value_parser = when::parse, requires = "by")]
    pub from: Option<Moment>,
    /// With --by: up to this moment, inclusive; 2026-03-31Z is the first moment of that day
    #[arg(long, value_name = "TIME", value_parser = when::parse, requires = "by")]
    pub to: Option<Moment>,
    #[command(flatten)]
    pub ask: AskArguments,
    #[command(flatten)]
    pub moment: MomentArguments,
    #[command(flatten)]
    pub output: OutputArguments,
}
