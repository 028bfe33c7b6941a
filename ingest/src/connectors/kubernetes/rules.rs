//! Which facts a request to the API server gives.
//!
//! Owns the table from verb and resource to rule. Requests that only read, and resources of Kubernetes' own that say
//! nothing about who has which access, are known to say nothing; whatever else is not in the table shows up as unmapped,
//! among it the resources that an organisation defined itself.

use counterfoil_proto::v1::FactKind;

use super::event::LogEvent;
use super::{rbac, requests, secrets, service_accounts as sa};
use crate::connectors::rule::Rule;
use crate::json::Json;

/// Gives the facts of an event; none where the event lacks what they need.
pub type Apply = fn(&mut LogEvent<'_, '_, '_>, FactKind);

/// A group of the API, a resource, a subresource, and what requests of a verb do to it.
type Row = (&'static str, &'static str, &'static str, &'static str, FactKind, Apply);

use FactKind as K;

const RBAC: &str = "rbac.authorization.k8s.io";
const CERTIFICATES: &str = "certificates.k8s.io";
/// What of an object changes, whether it is sent whole or in part.
const CHANGED: &str = "update patch";

const ROWS: &[Row] = &[
    (RBAC, "clusterroles", "", "create", K::EntitlementDefined, rbac::role),
    (RBAC, "clusterroles", "", CHANGED, K::EntitlementChanged, rbac::role),
    (RBAC, "clusterroles", "", "delete", K::EntitlementRemoved, rbac::role_removed),
    (RBAC, "roles", "", "create", K::EntitlementDefined, rbac::role),
    (RBAC, "roles", "", CHANGED, K::EntitlementChanged, rbac::role),
    (RBAC, "roles", "", "delete", K::EntitlementRemoved, rbac::role_removed),
    (RBAC, "clusterrolebindings", "", "create", K::EntitlementDefined, rbac::binding),
    (RBAC, "clusterrolebindings", "", CHANGED, K::EntitlementChanged, rbac::binding),
    (RBAC, "clusterrolebindings", "", "delete", K::EntitlementRemoved, rbac::binding_removed),
    (RBAC, "rolebindings", "", "create", K::EntitlementDefined, rbac::binding),
    (RBAC, "rolebindings", "", CHANGED, K::EntitlementChanged, rbac::binding),
    (RBAC, "rolebindings", "", "delete", K::EntitlementRemoved, rbac::binding_removed),
    ("", "serviceaccounts", "", "create", K::AccountCreated, sa::account),
    ("", "serviceaccounts", "", CHANGED, K::AccountUpdated, sa::account),
    ("", "serviceaccounts", "", "delete", K::AccountDeleted, sa::account),
    ("", "serviceaccounts", "token", "create", K::CredentialCreated, sa::token),
    ("", "secrets", "", "create", K::CredentialCreated, secrets::secret),
    ("", "secrets", "", CHANGED, K::CredentialRotated, secrets::secret),
    ("", "secrets", "", "delete", K::CredentialRevoked, secrets::secret),
    (CERTIFICATES, "certificatesigningrequests", "", "create", K::TicketOpened, requests::asked),
    (CERTIFICATES, "certificatesigningrequests", "approval", CHANGED, K::ApprovalGranted, requests::decided),
    (CERTIFICATES, "certificatesigningrequests", "status", CHANGED, K::CredentialCreated, requests::issued),
    (CERTIFICATES, "certificatesigningrequests", "", "delete", K::TicketClosed, requests::withdrawn),
];

/// Verbs of requests that change nothing.
const READING: [&str; 6] = ["get", "list", "watch", "head", "options", "proxy"];
/// Verbs of requests that change something.
const CHANGING: [&str; 5] = ["create", "update", "patch", "delete", "deletecollection"];

/// The groups of Kubernetes' own API.
const GROUPS: [&str; 20] = [
    "",
    "admissionregistration.k8s.io",
    "apiextensions.k8s.io",
    "apiregistration.k8s.io",
    "apps",
    "authentication.k8s.io",
    "authorization.k8s.io",
    "autoscaling",
    "batch",
    CERTIFICATES,
    "coordination.k8s.io",
    "discovery.k8s.io",
    "events.k8s.io",
    "flowcontrol.apiserver.k8s.io",
    "networking.k8s.io",
    "node.k8s.io",
    "policy",
    RBAC,
    "scheduling.k8s.io",
    "storage.k8s.io",
];

/// Resources of these groups that say nothing about who has which access.
const SILENT: [&str; 38] = [
    "bindings",
    "configmaps",
    "controllerrevisions",
    "cronjobs",
    "csidrivers",
    "csinodes",
    "csistoragecapacities",
    "daemonsets",
    "deployments",
    "endpoints",
    "endpointslices",
    "events",
    "flowschemas",
    "horizontalpodautoscalers",
    "ingressclasses",
    "ingresses",
    "jobs",
    "leases",
    "limitranges",
    "localsubjectaccessreviews",
    "networkpolicies",
    "nodes",
    "persistentvolumeclaims",
    "persistentvolumes",
    "poddisruptionbudgets",
    "pods",
    "podtemplates",
    "priorityclasses",
    "prioritylevelconfigurations",
    "replicasets",
    "replicationcontrollers",
    "resourcequotas",
    "runtimeclasses",
    "selfsubjectaccessreviews",
    "services",
    "statefulsets",
    "subjectaccessreviews",
    "tokenreviews",
];

/// Other resources of these groups. What no rule reads of them may be about access all the same: what is in a namespace
/// ends with it, and what checks requests may let others through.
const UNREAD: [&str; 15] = [
    "apiservices",
    "certificatesigningrequests",
    "clusterrolebindings",
    "clusterroles",
    "customresourcedefinitions",
    "mutatingadmissionpolicies",
    "mutatingwebhookconfigurations",
    "namespaces",
    "rolebindings",
    "roles",
    "secrets",
    "serviceaccounts",
    "validatingadmissionpolicies",
    "validatingadmissionpolicybindings",
    "validatingwebhookconfigurations",
];

/// Parts of resources.
const PARTS: [&str; 14] = [
    "approval",
    "attach",
    "binding",
    "ephemeralcontainers",
    "eviction",
    "exec",
    "finalize",
    "log",
    "portforward",
    "proxy",
    "resize",
    "scale",
    "status",
    "token",
];

struct Request<'e> {
    verb: &'e str,
    group: &'e str,
    resource: &'e str,
    subresource: &'e str,
}

impl<'e> Request<'e> {
    fn of(json: &'e Json<'_>) -> Self {
        let text = |path| json.text(path).unwrap_or_default();
        Self {
            verb: text("verb"),
            group: text("objectRef.apiGroup"),
            resource: text("objectRef.resource"),
            subresource: text("objectRef.subresource"),
        }
    }
}

/// The rule for an event.
pub fn rule(json: &Json<'_>) -> Rule<Apply> {
    let Request { verb, group, resource, subresource } = Request::of(json);
    let row = ROWS.iter().find(|(of, name, part, verbs, ..)| {
        (*of, *name, *part) == (group, resource, subresource) && verbs.split(' ').any(|known| known == verb)
    });
    if let Some((.., kind, apply)) = row {
        return Rule::Facts(*kind, *apply);
    }
    let is_silent = GROUPS.contains(&group) && SILENT.contains(&resource);
    match READING.contains(&verb) || is_silent {
        true => Rule::NoFacts,
        false => Rule::Unknown,
    }
}

/// The type of an event as a record may hold it: group, resource and verb, where they are Kubernetes' own.
pub fn native_type(json: &Json<'_>) -> String {
    let Request { verb, group, resource, subresource } = Request::of(json);
    let is_known = [&SILENT[..], &UNREAD].iter().any(|known| known.contains(&resource));
    let is_part = subresource.is_empty() || PARTS.contains(&subresource);
    let is_verb = READING.contains(&verb) || CHANGING.contains(&verb);
    if !(GROUPS.contains(&group) && is_known && is_part && is_verb) {
        return String::new();
    }
    let path: Vec<&str> = [group, resource, subresource].into_iter().filter(|part| !part.is_empty()).collect();
    format!("{}:{verb}", path.join("/"))
}
