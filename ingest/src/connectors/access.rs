//! Which access a ticket asks for, as people write it into a field: "okta/group_member/00g1, okta/account".
//!
//! Owns this notation and the types of entitlements and credentials. It never looks anything up: a name stays a name,
//! known by its token.
//!
//! ```text
//! items  = item *( ("," | newline) item )
//! item   = system [ "@" instance ] "/" type [ "/" ( native id | "=" name ) ]
//! type   = "account" | an entitlement type | a credential type
//! ```
//! Without an instance, "default" is meant, or the ticket's own instance where the system is the ticket's own. Without
//! an id and a name, anything of that type is.

use counterfoil_proto::v1::{AccessItem, AccessOperation, EntityKind, Ref, Time};

use super::draft::{Draft, Principal};
use super::shape::is_impersonal;

/// The types of entitlements: the first part of an entitlement's id.
pub const ENTITLEMENT_TYPES: [&str; 11] = [
    "group_member",
    "group_owner",
    "role",
    "app_assignment",
    "policy",
    "permission",
    "oauth_scope",
    "repo_access",
    "license",
    "rbac_binding",
    "session_role",
];
/// The types of credentials: the first part of a credential's id.
pub const CREDENTIAL_TYPES: [&str; 12] = [
    "api_token",
    "api_key",
    "access_key",
    "oauth_client",
    "webhook_secret",
    "certificate",
    "ssh_key",
    "deploy_key",
    "secret",
    "password",
    "session",
    "token",
];
/// The most items of one ticket: with the longest ids they still fit one record.
pub const ITEMS_MAX: usize = 100;
/// The longest name of a system or an instance in an item, for the same reason.
const NAME_BYTES_MAX: usize = 64;

/// What holds for every item of a ticket.
#[derive(Clone, Copy, Debug)]
pub struct Terms {
    pub operation: AccessOperation,
    pub from: Option<Time>,
    pub until: Option<Time>,
}

/// Reads items. Gives those that could be read, and the texts of those that could not.
pub fn items<'t>(
    text: &'t str,
    terms: Terms,
    own_system: &str,
    draft: &mut Draft<'_>,
) -> (Vec<AccessItem>, Vec<&'t str>) {
    let (mut items, mut unread) = (Vec::new(), Vec::new());
    for written in text.split([',', '\n']).map(str::trim) {
        if written.is_empty() {
            continue;
        }
        match item(written, terms, own_system, draft) {
            Some(item) if items.len() < ITEMS_MAX => items.push(item),
            _ => unread.push(written),
        }
    }
    (items, unread)
}

/// What kind of entity a type stands for.
pub fn entity_kind(kind: &str) -> Option<EntityKind> {
    if kind == "account" {
        Some(EntityKind::Account)
    } else if ENTITLEMENT_TYPES.contains(&kind) {
        Some(EntityKind::Entitlement)
    } else if CREDENTIAL_TYPES.contains(&kind) {
        Some(EntityKind::Credential)
    } else {
        None
    }
}

fn item(written: &str, terms: Terms, own_system: &str, draft: &mut Draft<'_>) -> Option<AccessItem> {
    let mut parts = written.splitn(3, '/').map(str::trim);
    let (place, kind) = (parts.next()?, parts.next()?);
    let target = parts.next().filter(|target| !target.is_empty());
    let (system, instance) = match place.split_once('@') {
        Some(place) => place,
        None if place == own_system => (place, draft.context.instance),
        None => (place, "default"),
    };
    for name in [system, instance] {
        let short = name.len() <= NAME_BYTES_MAX;
        if !short || counterfoil_verify::entity::check_name(name).is_err() {
            return None;
        }
    }
    let entity_kind = entity_kind(kind)?;
    Some(AccessItem {
        operation: terms.operation.into(),
        target: match target {
            None => None,
            Some(target) => Some(reference(entity_kind, kind, target, (system, instance), draft)?),
        },
        target_type: format!("{system}:{kind}"),
        from: terms.from,
        until: terms.until,
    })
}

fn reference(
    entity_kind: EntityKind,
    kind: &str,
    target: &str,
    home: (&str, &str),
    draft: &mut Draft<'_>,
) -> Option<Ref> {
    match entity_kind {
        EntityKind::Entitlement => match target.strip_prefix('=') {
            Some(name) => draft.entitlement(None, Some(name), Some(home)),
            None => draft.entitlement(Some(draft.typed(kind, target)), None, Some(home)),
        },
        EntityKind::Account => {
            let login = target.strip_prefix('=').unwrap_or(target);
            let is_id = login == target && is_impersonal(target);
            let logins = [("login", login)];
            draft.principal(Principal {
                id: is_id.then_some(target),
                logins: if is_id { &[] } else { &logins },
                home: Some(home),
                ..Principal::default()
            })
        }
        _ => {
            let (system, instance) = draft.home(Some(home));
            let id = draft.typed(kind, target);
            Some(Ref { kind: entity_kind.into(), system, instance, id, ..Ref::default() })
        }
    }
}
