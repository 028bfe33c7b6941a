//! The arguments of the verbs about effective access.

use clap::Args;
use counterfoil_proto::v1::Capability;
use counterfoil_verify::time::Moment;

use super::{AskArguments, MomentArguments, OutputArguments, WhoArguments};
use crate::{identities, when};

/// Everything an identity could do at any past moment, and by which path
#[derive(Args)]
#[command(
    after_help = "Examples:\n  counterfoil access yuki.moreau@tallyhall.example --data ledger --at 2026-03-01Z\n  \
    counterfoil access credential:okta:default:api_token/00T1 --data ledger --to 'Payroll' --all-paths\n\n\
    What groups imply counts, and so does what groups hold that are members of others. What lapsed or was removed does \
    not. The best path is shown: active before eligible, without conditions before conditional, then the shortest. \
    Policies are not evaluated: where permissions stay within a boundary, that is said."
)]
pub struct AccessArguments {
    #[command(flatten)]
    pub who: WhoArguments,
    /// Only this entitlement, or this account that can be acted as: its id or its name
    #[arg(long, value_name = "WHAT")]
    pub to: Option<String>,
    /// Every path, up to 20 to one access
    #[arg(long)]
    pub all_paths: bool,
    #[command(flatten)]
    pub ask: AskArguments,
    #[command(flatten)]
    pub moment: MomentArguments,
    #[command(flatten)]
    pub output: OutputArguments,
}

/// Who gained or lost access because the meaning of an entitlement changed, without any grant
#[derive(Args)]
#[command(after_help = "Example:\n  counterfoil affected 2a992f80-d1ad-4f62-900e-8c68bb72a21b --data ledger\n\n\
    The change is one of what a group, a role or a policy means, or of what a group holds itself. What is compared is \
    effective access just before it and just after it.")]
pub struct AffectedArguments {
    /// An event id, or the number of a record, also with that of a fact in it (1042.0)
    pub change: String,
    #[command(flatten)]
    pub ask: AskArguments,
    /// Counting only what the ledger held by then
    #[arg(long, value_name = "TIME", value_parser = when::parse)]
    pub known_at: Option<Moment>,
    #[command(flatten)]
    pub output: OutputArguments,
}

/// How far a credential, an integration or an account reaches at any past moment, and what it has done
#[derive(Args)]
#[command(
    after_help = "Example:\n  counterfoil blast credential:okta:default:api_token/00T1 --data ledger --at 2026-03-01Z\n\n\
    The tier follows from what it can do: high, if it alters identities or reads secrets; undetermined, if it holds \
    something of which nobody can tell by its id. Labels count for nothing."
)]
pub struct BlastArguments {
    #[command(flatten)]
    pub who: WhoArguments,
    /// What it has done counts from this moment on; from 90 days before, if it is left out
    #[arg(long, value_name = "TIME", value_parser = when::parse)]
    pub from: Option<Moment>,
    #[command(flatten)]
    pub ask: AskArguments,
    #[command(flatten)]
    pub moment: MomentArguments,
    #[command(flatten)]
    pub output: OutputArguments,
}

/// Which identities can do something to others at any past moment, and by what
#[derive(Args)]
#[command(after_help = "Examples:\n  counterfoil identities --can alter-identities --non-human --data ledger\n  \
    counterfoil identities --can reset-passwords --system okta --data ledger --at 2026-03-01Z\n\n\
    Known are vendors' own roles, policies and scopes, by their ids. Who else can do it, by a role that an organisation \
    made itself, nobody can tell by ids.")]
pub struct IdentitiesArguments {
    /// What they can do; may be given several times
    #[arg(long, value_name = "WHAT", required = true, value_parser = identities::capabilities())]
    pub can: Vec<Option<Capability>>,
    /// Only by entitlements of this system
    #[arg(long, value_name = "SYSTEM")]
    pub system: Option<String>,
    /// Leave out those that are known to be human
    #[arg(long)]
    pub non_human: bool,
    /// Leave out those that cannot act then: switched off, locked, revoked
    #[arg(long)]
    pub may_act: bool,
    #[command(flatten)]
    pub ask: AskArguments,
    #[command(flatten)]
    pub moment: MomentArguments,
    #[command(flatten)]
    pub output: OutputArguments,
}
