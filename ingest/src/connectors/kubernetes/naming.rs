//! How names of Kubernetes become ids.
//!
//! Owns which names of namespaces, objects and groups may stand in a record. Kubernetes refers to everything by its name
//! within a namespace or within the cluster: an object's uid stands in its own events alone (docs/decisions/0059).

use counterfoil_proto::v1::Ref;

use super::event::Named;
use crate::connectors::draft::Draft;

/// What only Kubernetes itself may call something.
const RESERVED: &str = "system:";

/// A role: its name, and before that of one within a namespace the namespace.
pub fn role(draft: &mut Draft<'_>, named: &Named<'_>) -> Option<Ref> {
    let name = draft.name(&named.name);
    let id = match named.namespace {
        Some(namespace) => format!("role/{}/{name}", draft.scope(namespace)),
        None => format!("role/{name}"),
    };
    draft.entitlement(Some(id), Some(&called(named)), None)
}

/// A binding. It is what its subjects hold, and lets them do what its role does.
pub fn binding(draft: &mut Draft<'_>, named: &Named<'_>) -> Option<Ref> {
    let name = called(named);
    let id = format!("rbac_binding/{}", chosen(draft, &name));
    draft.entitlement(Some(id), Some(&name), None)
}

/// A group that an identity provider or Kubernetes says users are in.
pub fn group(draft: &mut Draft<'_>, name: &str) -> Option<Ref> {
    let id = format!("group_member/{}", chosen(draft, name));
    draft.entitlement(Some(id), Some(name), None)
}

/// What people call an object: its name, behind its namespace.
pub fn called(named: &Named<'_>) -> String {
    match named.namespace {
        Some(namespace) => format!("{namespace}/{}", named.name),
        None => named.name.to_string(),
    }
}

/// A name that people choose, and that may be somebody's; Kubernetes' own are not.
fn chosen(draft: &Draft<'_>, name: &str) -> String {
    if name.starts_with(RESERVED) { draft.name(name) } else { draft.opaque(name) }
}
