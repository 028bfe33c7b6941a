//! The rules for RBAC: roles, and the bindings that give them.
//!
//! Owns who gains what from such an event. A binding is what its subjects hold, and its role is what that means: taken
//! away, it is named and its subjects are not. What a role says is never read: an event that changes one says that its
//! holders have its permissions anew. Where the log leaves out what was changed, nothing is said but that it was.

use std::borrow::Cow;

use counterfoil_proto::v1::{Entitlement, FactKind, Ref, fact::Detail};

use super::event::{LogEvent, Named};
use super::{naming, who};
use crate::connectors::draft::permissions;
use crate::json::Json;

type Event<'a, 'e, 'j, 'c> = &'a mut LogEvent<'e, 'j, 'c>;

/// Who is in a binding is all of its list.
const SUBJECTS: &str = "subjects";

/// A role that was made, or changed.
pub fn role(event: Event<'_, '_, '_, '_>, kind: FactKind) {
    let Some(role) = event.named().and_then(|named| naming::role(&mut event.draft, &named)) else { return };
    let has_content = event.object("rules").or_else(|| event.object("aggregationRule")).is_some();
    let gained = if has_content { permissions(&role) } else { Vec::new() };
    means(event, kind, role, gained, has_content);
}

/// What a role or a binding means from then on; without its content, only that it is not what it was.
fn means(event: Event<'_, '_, '_, '_>, kind: FactKind, object: Ref, gained: Vec<Ref>, has_content: bool) {
    let mut fact = if has_content { event.fact(kind) } else { event.concluded(FactKind::EntitlementChanged) };
    let detail = Entitlement { implies_added: gained, ..Entitlement::default() };
    fact.scope = scope(event);
    fact.object = Some(object);
    fact.detail = (detail != Entitlement::default()).then_some(Detail::Entitlement(detail));
    event.push(fact);
}

/// The namespace that the event stays within, as a record may hold it.
fn scope(event: &LogEvent<'_, '_, '_>) -> String {
    event.json.text("objectRef.namespace").map_or_else(String::new, |namespace| event.draft.scope(namespace))
}

/// A role that is no more.
pub fn role_removed(event: Event<'_, '_, '_, '_>, kind: FactKind) {
    let Some(role) = event.named().and_then(|named| naming::role(&mut event.draft, &named)) else { return };
    removed(event, kind, role);
}

fn removed(event: Event<'_, '_, '_, '_>, kind: FactKind, object: Ref) {
    let mut fact = event.fact(kind);
    fact.scope = scope(event);
    fact.object = Some(object);
    event.push(fact);
}

/// A binding that was made, or changed. Whom a change left out, it does not say.
pub fn binding(event: Event<'_, '_, '_, '_>, kind: FactKind) {
    let Some(binding) = event.named().and_then(|named| naming::binding(&mut event.draft, &named)) else { return };
    let role = bound_role(event);
    let subjects = event.object(SUBJECTS).map_or(&[][..], |object| object.items(SUBJECTS));
    let has_content = role.is_some() || !subjects.is_empty();
    means(event, kind, binding.clone(), role.into_iter().collect(), has_content);
    for subject in subjects {
        hold(event, FactKind::GrantAdded, kind, subject, &binding);
    }
}

/// A binding that is no more: what its subjects held by it ends, whoever they were. Where the response has it as it was,
/// they are named.
pub fn binding_removed(event: Event<'_, '_, '_, '_>, kind: FactKind) {
    let Some(binding) = event.named().and_then(|named| naming::binding(&mut event.draft, &named)) else { return };
    removed(event, kind, binding.clone());
    let subjects = event.object(SUBJECTS).map_or(&[][..], |object| object.items(SUBJECTS));
    for subject in subjects {
        hold(event, FactKind::GrantRemoved, kind, subject, &binding);
    }
}

/// The role that a binding gives: of its own namespace, or of the cluster.
fn bound_role(event: Event<'_, '_, '_, '_>) -> Option<Ref> {
    let reference = event.object("roleRef")?.get("roleRef")?;
    let name: Cow<'_, str> = reference.id_at("name")?;
    let namespace = match reference.text("kind") {
        Some("Role") => event.json.text("objectRef.namespace"),
        _ => None,
    };
    naming::role(&mut event.draft, &Named { namespace, name })
}

/// That a subject of a binding holds it, or no longer. A group means it: its members follow from their membership.
fn hold(event: Event<'_, '_, '_, '_>, grant: FactKind, kind: FactKind, subject: &Json<'_>, binding: &Ref) {
    let Some(name) = subject.text("name") else { return };
    let is_group = subject.text("kind") == Some("Group");
    let fact_kind = if is_group { FactKind::EntitlementChanged } else { grant };
    // Whoever is in a list that was changed may have been in it before.
    let is_new = kind == FactKind::EntitlementDefined || grant == FactKind::GrantRemoved;
    let mut fact = if is_new { event.fact(fact_kind) } else { event.concluded(fact_kind) };
    if is_group {
        let mut detail = Entitlement::default();
        match grant {
            FactKind::GrantRemoved => detail.implies_removed.push(binding.clone()),
            _ => detail.implies_added.push(binding.clone()),
        }
        fact.object = naming::group(&mut event.draft, name);
        fact.detail = Some(Detail::Entitlement(detail));
    } else {
        let holder = match subject.text("kind") {
            Some("ServiceAccount") => {
                let namespace = subject.text("namespace").or_else(|| event.json.text("objectRef.namespace"));
                who::service_account(&Named { namespace, name: name.into() }, None, &mut event.draft)
            }
            _ => who::named(name, None, &mut event.draft),
        };
        let Some(holder) = holder else { return };
        fact.subject = Some(holder);
        fact.object = Some(binding.clone());
    }
    event.push(fact);
}
