//! What an entitlement lets its holder do to other identities, as far as its id alone says.
//!
//! Owns one small table with a version, from the ids that a vendor gave its own roles, policies and scopes. An id that an
//! organisation made itself is unknown, and so is whatever is not in the table: unknown is never taken for harmless. It
//! never reads a label, a description or a policy.

use counterfoil_proto::v1::{Capability, EntityKind, RiskTier};

use crate::entity::EntityId;

/// Raised with every change of the table or of how tiers follow from it: an answer says by which version it was made.
pub const TABLE_VERSION: u32 = 1;

/// What the table says of something that can be held.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Meaning {
    /// It lets its holder do this by itself, and nothing else of the kind.
    Known(&'static [Capability]),
    /// Nobody can tell by its id.
    Unknown,
}

use Capability as C;

const NOTHING: &[C] = &[];
/// Everything, among it what no version of this table has a name for.
const ALL: &[C] = &[
    C::CreateUsers,
    C::ResetPasswords,
    C::ChangeEntitlements,
    C::ManageCredentials,
    C::Approve,
    C::ReadSecrets,
    C::Administer,
];

/// What vendors call their own: the system, the id of the entitlement, and what it lets its holder do. Okta's standard
/// administrator roles and scopes of its management API; AWS's managed policies.
const TABLE: &[(&str, &str, &[C])] = &[
    ("okta", "role/SUPER_ADMIN", ALL),
    ("okta", "role/ORG_ADMIN", &[C::CreateUsers, C::ResetPasswords, C::ChangeEntitlements]),
    ("okta", "role/APP_ADMIN", &[C::ChangeEntitlements, C::ManageCredentials]),
    ("okta", "role/USER_ADMIN", &[C::CreateUsers, C::ResetPasswords, C::ChangeEntitlements]),
    ("okta", "role/HELP_DESK_ADMIN", &[C::ResetPasswords]),
    ("okta", "role/GROUP_MEMBERSHIP_ADMIN", &[C::ChangeEntitlements]),
    ("okta", "role/API_ACCESS_MANAGEMENT_ADMIN", &[C::ChangeEntitlements, C::ManageCredentials]),
    ("okta", "role/MOBILE_ADMIN", NOTHING),
    ("okta", "role/READ_ONLY_ADMIN", NOTHING),
    ("okta", "role/REPORT_ADMIN", NOTHING),
    ("okta", "oauth_scope/okta.users.manage", &[C::CreateUsers, C::ResetPasswords]),
    ("okta", "oauth_scope/okta.groups.manage", &[C::ChangeEntitlements]),
    ("okta", "oauth_scope/okta.apps.manage", &[C::ChangeEntitlements, C::ManageCredentials]),
    ("okta", "oauth_scope/okta.roles.manage", &[C::ChangeEntitlements]),
    ("okta", "oauth_scope/okta.apiTokens.manage", &[C::ManageCredentials]),
    ("okta", "oauth_scope/okta.users.read", NOTHING),
    ("okta", "oauth_scope/okta.groups.read", NOTHING),
    ("okta", "oauth_scope/okta.apps.read", NOTHING),
    ("okta", "oauth_scope/okta.roles.read", NOTHING),
    ("okta", "oauth_scope/okta.logs.read", NOTHING),
    ("okta", "oauth_scope/openid", NOTHING),
    ("okta", "oauth_scope/profile", NOTHING),
    ("okta", "oauth_scope/email", NOTHING),
    ("aws", "policy/arn:aws:iam::aws:policy/AdministratorAccess", ALL),
    (
        "aws",
        "policy/arn:aws:iam::aws:policy/IAMFullAccess",
        &[C::CreateUsers, C::ResetPasswords, C::ChangeEntitlements, C::ManageCredentials],
    ),
    ("aws", "policy/arn:aws:iam::aws:policy/PowerUserAccess", &[C::ReadSecrets]),
    ("aws", "policy/arn:aws:iam::aws:policy/SecretsManagerReadWrite", &[C::ReadSecrets]),
    (
        "aws",
        "policy/arn:aws:iam::aws:policy/AWSSSOMasterAccountAdministrator",
        &[C::ChangeEntitlements, C::ManageCredentials],
    ),
    ("aws", "policy/arn:aws:iam::aws:policy/AWSSSODirectoryAdministrator", &[C::CreateUsers, C::ChangeEntitlements]),
    ("aws", "policy/arn:aws:iam::aws:policy/ReadOnlyAccess", NOTHING),
    ("aws", "policy/arn:aws:iam::aws:policy/SecurityAudit", NOTHING),
    ("aws", "policy/arn:aws:iam::aws:policy/IAMReadOnlyAccess", NOTHING),
    ("aws", "policy/arn:aws:iam::aws:policy/IAMUserChangePassword", NOTHING),
    ("aws", "policy/arn:aws:iam::aws:policy/job-function/ViewOnlyAccess", NOTHING),
    ("aws", "policy/arn:aws:iam::aws:policy/job-function/Billing", NOTHING),
];

/// What something that can be held lets its holder do by itself. A group and a role that can be assumed give what they
/// imply and nothing else; what they imply is asked for by itself, and so is what an account holds that is acted as. The
/// permissions of a policy are the policy's.
pub fn meaning(entity: &EntityId) -> Meaning {
    if entity.kind() == EntityKind::Account {
        return Meaning::Known(NOTHING);
    }
    let native = entity.native_id();
    match native.split_once('/') {
        Some(("group_member" | "session_role", _)) => Meaning::Known(NOTHING),
        Some(("permission", of)) => of_id(entity.system(), &["policy/", of].concat()),
        _ => of_id(entity.system(), native),
    }
}

fn of_id(system: &str, native: &str) -> Meaning {
    let row = TABLE.iter().find(|(of, id, _)| *of == system && *id == native);
    row.map_or(Meaning::Unknown, |(.., capabilities)| Meaning::Known(capabilities))
}

/// The entitlements that give a capability by themselves: their systems and native ids.
pub fn giving(capability: Capability) -> impl Iterator<Item = (&'static str, String)> {
    let rows = TABLE.iter().filter(move |(.., capabilities)| capabilities.contains(&capability));
    rows.flat_map(|(system, id, _)| {
        let permissions = id.strip_prefix("policy/").map(|of| (*system, format!("permission/{of}")));
        [Some((*system, (*id).to_owned())), permissions].into_iter().flatten()
    })
}

/// The capabilities by which identities are altered.
pub const ALTERING: [Capability; 6] =
    [C::CreateUsers, C::ResetPasswords, C::ChangeEntitlements, C::ManageCredentials, C::Approve, C::Administer];

/// How much can go wrong with somebody: what it can do, and whether it holds anything of which nobody can tell. More
/// access never gives a lower tier. Whatever alters identities, or reads secrets with which others do, is high, whatever
/// it is called and however little it is used.
pub fn tier(capabilities: impl IntoIterator<Item = Capability>, has_unknown: bool) -> RiskTier {
    let of = |capability| match capability {
        C::Administer => RiskTier::Critical,
        _ => RiskTier::High,
    };
    let known = capabilities.into_iter().map(of).max();
    known.unwrap_or(if has_unknown { RiskTier::Undetermined } else { RiskTier::Low })
}
