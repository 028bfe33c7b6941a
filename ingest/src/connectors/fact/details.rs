//! What a fact of each kind says beyond who and what.
//!
//! Owns the further fields of every kind. A detail that says nothing is left out, as the record's rules want it.

use counterfoil_proto::v1::{
    AccessItem, AccessOperation, Account, Approval, ApprovalRule, Completeness, Credential, Decision, Entitlement,
    EntityKind, Fact, FactKind, Grant, GrantMode, Lifecycle, Ownership, PolicyDecision, PolicyEffect, Review,
    ReviewDecision, Snapshot, Ticket, TicketStatus, TicketText, TicketType, fact::Detail,
};
use counterfoil_verify::entity::{check_name, is_code};
use counterfoil_verify::fact::{Group, kind_group};

use super::references::{list, reference};
use crate::connectors::access::{ITEMS_MAX, entity_kind};
use crate::connectors::draft::Draft;
use crate::connectors::fields::Fields;
use crate::connectors::shape::attribute;
use crate::connectors::{Reject, rows};
use crate::json::Json;

/// The most entitlements that one fact adds to, or takes from, what another implies.
const IMPLIED_MAX: usize = 50;
/// The most attributes that one fact changes.
const CHANGED_MAX: usize = 100;

/// Reads the detail of a fact whose references are read already.
pub fn read(fields: &Fields<'_, '_>, fact: &Fact, draft: &mut Draft<'_>) -> Result<Option<Detail>, Reject> {
    Ok(match kind_group(fact.kind()) {
        Group::Ticket => Some(Detail::Ticket(ticket(fields, fact, draft)?)),
        Group::Approval => Some(Detail::Approval(approval(fields, fact, draft)?)),
        Group::Account => said(account(fields, fact, draft)?, Detail::Account),
        Group::Grant => said(grant(fields, draft)?, Detail::Grant),
        Group::Entitlement => said(entitlement(fields, draft)?, Detail::Entitlement),
        Group::Credential => said(credential(fields, draft)?, Detail::Credential),
        Group::Governance => said(ownership(fields, fact, draft)?, Detail::Ownership),
        Group::Lifecycle => said(lifecycle(fields, fact, draft)?, Detail::Lifecycle),
        Group::Snapshot => Some(Detail::Snapshot(snapshot(fields, draft)?)),
        Group::Review => said(review(fields, fact, draft)?, Detail::Review),
        Group::Use if fact.kind() == FactKind::PolicyDecision => {
            Some(Detail::PolicyDecision(policy_decision(fields, draft)?))
        }
        Group::Identity | Group::Rule | Group::Use | Group::Source => None,
    })
}

fn said<D: Default + PartialEq>(detail: D, wrap: fn(D) -> Detail) -> Option<Detail> {
    (detail != D::default()).then(|| wrap(detail))
}

fn ticket(fields: &Fields<'_, '_>, fact: &Fact, draft: &mut Draft<'_>) -> Result<Ticket, Reject> {
    let assume_utc = draft.context.assume_utc;
    let usual = match fact.kind() {
        FactKind::TicketOpened => TicketStatus::Open,
        FactKind::TicketClosed => TicketStatus::Closed,
        FactKind::TicketCancelled => TicketStatus::Cancelled,
        _ => TicketStatus::Unspecified,
    };
    let mut detail = Ticket {
        r#type: fields
            .choice("ticket_type", "TICKET_TYPE_", TicketType::as_str_name)?
            .unwrap_or(TicketType::AccessRequest)
            .into(),
        status: fields.choice("status", "TICKET_STATUS_", TicketStatus::as_str_name)?.unwrap_or(usual).into(),
        requester: reference(fields, "requester", EntityKind::Account, draft)?,
        assignee: reference(fields, "assignee", EntityKind::Account, draft)?,
        window_start: fields.time("window_start", assume_utc)?,
        window_end: fields.expiry("window_end", assume_utc)?,
        source_decision: decision(fields)?.into(),
        ..Ticket::default()
    };
    for (number, json) in fields.list("items", ITEMS_MAX)?.iter().enumerate() {
        let at = format!("{}[{number}]", fields.path("items"));
        detail.items.push(item(&Fields::of(json, at)?, draft)?);
    }
    if let Some(texts) = fields.value("texts") {
        let texts = Fields::of(texts, fields.path("texts"))?;
        for (text, name) in [
            (TicketText::Subject, "subject"),
            (TicketText::Justification, "justification"),
            (TicketText::RollbackPlan, "rollback_plan"),
            (TicketText::RevocationTrigger, "revocation_trigger"),
        ] {
            if let Some(value) = texts.text(name)? {
                detail.texts.push(text.into());
                note(fact, name, value, draft);
            }
        }
        texts.finish("a ticket's texts")?;
    }
    Ok(detail)
}

fn item(fields: &Fields<'_, '_>, draft: &mut Draft<'_>) -> Result<AccessItem, Reject> {
    let assume_utc = draft.context.assume_utc;
    let operation =
        fields.choice("operation", "ACCESS_OPERATION_", AccessOperation::as_str_name)?.unwrap_or(AccessOperation::Add);
    let target_type = fields.text("target_type")?.unwrap_or_default();
    let parts = target_type.split_once(':');
    if !parts.is_some_and(|(system, kind)| check_name(system).is_ok() && entity_kind(kind).is_some()) {
        return Err(fields.invalid("target_type", "the system and what kind of thing, such as okta:group_member"));
    }
    let item = AccessItem {
        operation: operation.into(),
        target: reference(fields, "target", EntityKind::Entitlement, draft)?,
        target_type: target_type.to_owned(),
        from: fields.time("from", assume_utc)?,
        until: fields.expiry("until", assume_utc)?,
    };
    fields.finish("an item")?;
    Ok(item)
}

fn approval(fields: &Fields<'_, '_>, fact: &Fact, draft: &mut Draft<'_>) -> Result<Approval, Reject> {
    let level = fields.small_number("level")?.unwrap_or(1);
    if level == 0 {
        return Err(fields.invalid("level", "a level from 1 on"));
    }
    if let Some(remark) = fields.text("remark")? {
        note(fact, "remark", remark, draft);
    }
    let id = fields.opaque("approval_id", draft)?;
    let approver = reference(fields, "approver", EntityKind::Account, draft)?;
    if id.is_empty() && approver.is_none() && fact.actor.is_none() {
        const EXPECTED: &str = "the approval's id, or else an approver or an actor: nothing tells it from another one";
        return Err(fields.invalid("approval_id", EXPECTED));
    }
    Ok(Approval {
        id,
        level,
        rule: fields.choice("rule", "APPROVAL_RULE_", ApprovalRule::as_str_name)?.unwrap_or_default().into(),
        quorum: fields.small_number("quorum")?.unwrap_or_default(),
        approver,
        asked_by: reference(fields, "asked_by", EntityKind::Account, draft)?,
        delegate: reference(fields, "delegate", EntityKind::Account, draft)?,
        source_decision: decision(fields)?.into(),
    })
}

fn decision(fields: &Fields<'_, '_>) -> Result<Decision, Reject> {
    let decision = fields.choice("decision", "DECISION_", Decision::as_str_name)?;
    Ok(decision.unwrap_or_default())
}

fn account(fields: &Fields<'_, '_>, fact: &Fact, draft: &mut Draft<'_>) -> Result<Account, Reject> {
    let mut detail = Account {
        reversible: fields.flag("reversible")?,
        department: department(fields, fact, draft)?,
        manager: reference(fields, "manager", EntityKind::Account, draft)?,
        ..Account::default()
    };
    match fields.value("changed") {
        None => {}
        Some(Json::Object(members)) if members.len() <= CHANGED_MAX => {
            for (name, value) in members {
                if !is_code(name) {
                    return Err(fields.invalid("changed", "names of letters, digits and . _ - / :"));
                }
                detail.changed.push(attribute(name).to_owned());
                if let (Some(value), Some(subject)) = (value.id(), &fact.subject) {
                    draft.text(subject, &format!("changed.{name}"), &value);
                }
            }
        }
        Some(_) => {
            return Err(fields.invalid("changed", "an object of at most 100 attributes"));
        }
    }
    detail.changed.sort_unstable();
    detail.changed.dedup();
    Ok(detail)
}

fn grant(fields: &Fields<'_, '_>, draft: &mut Draft<'_>) -> Result<Grant, Reject> {
    Ok(Grant {
        expires_at: fields.expiry("expires_at", draft.context.assume_utc)?,
        mode: fields.choice("mode", "GRANT_MODE_", GrantMode::as_str_name)?.unwrap_or_default().into(),
        inherited_via: reference(fields, "inherited_via", EntityKind::Entitlement, draft)?,
        conditional: fields.flag("conditional")?,
    })
}

fn entitlement(fields: &Fields<'_, '_>, draft: &mut Draft<'_>) -> Result<Entitlement, Reject> {
    const KIND: EntityKind = EntityKind::Entitlement;
    Ok(Entitlement {
        version: fields.opaque("version", draft)?,
        implies_added: list(fields, "implies_added", IMPLIED_MAX, KIND, draft)?,
        implies_removed: list(fields, "implies_removed", IMPLIED_MAX, KIND, draft)?,
    })
}

fn credential(fields: &Fields<'_, '_>, draft: &mut Draft<'_>) -> Result<Credential, Reject> {
    let assume_utc = draft.context.assume_utc;
    Ok(Credential {
        expires_at: fields.expiry("expires_at", assume_utc)?,
        last_used_at: fields.time("last_used_at", assume_utc)?,
        rotation_interval_seconds: fields.number("rotation_interval_seconds")?.unwrap_or_default(),
    })
}

fn ownership(fields: &Fields<'_, '_>, fact: &Fact, draft: &mut Draft<'_>) -> Result<Ownership, Reject> {
    let (purpose, stored_in) = (fields.text("purpose")?, fields.text("stored_in")?);
    for (name, text) in [("purpose", purpose), ("stored_in", stored_in)] {
        if let (Some(text), Some(subject)) = (text, &fact.subject) {
            draft.text(subject, name, text);
        }
    }
    let assume_utc = draft.context.assume_utc;
    Ok(Ownership {
        owner: reference(fields, "owner", EntityKind::Account, draft)?,
        expires_at: fields.expiry("expires_at", assume_utc)?,
        rotation_interval_seconds: fields.number("rotation_interval_seconds")?.unwrap_or_default(),
        purpose_declared: purpose.is_some(),
        storage_declared: stored_in.is_some(),
        systems: rows::systems(fields, "systems")?,
        operations: rows::operations(fields, "operations")?,
        suspected_at: fields.time("suspected_at", assume_utc)?,
        retired_at: fields.time("retired_at", assume_utc)?,
    })
}

/// A department's id; its name, which may be one, lies beside the record.
fn department(fields: &Fields<'_, '_>, fact: &Fact, draft: &mut Draft<'_>) -> Result<String, Reject> {
    let id = fields.opaque("department", draft)?;
    if let (true, Some(name), Some(subject)) = (id.starts_with('~'), fields.id("department")?, &fact.subject) {
        draft.text(subject, "department", &name);
    }
    Ok(id)
}

fn lifecycle(fields: &Fields<'_, '_>, fact: &Fact, draft: &mut Draft<'_>) -> Result<Lifecycle, Reject> {
    Ok(Lifecycle {
        effective_at: fields.time("effective_at", draft.context.assume_utc)?,
        department: department(fields, fact, draft)?,
    })
}

fn snapshot(fields: &Fields<'_, '_>, draft: &mut Draft<'_>) -> Result<Snapshot, Reject> {
    let root = match fields.text("root")? {
        None => Vec::new(),
        Some(hex) => bytes(hex).ok_or_else(|| fields.invalid("root", "32 bytes as 64 hexadecimal digits"))?,
    };
    Ok(Snapshot {
        completeness: fields
            .choice("completeness", "COMPLETENESS_", Completeness::as_str_name)?
            .unwrap_or(Completeness::NotAListing)
            .into(),
        as_of: fields.time("as_of", draft.context.assume_utc)?,
        count: fields.number("count")?.unwrap_or_default(),
        root,
    })
}

fn bytes(hex: &str) -> Option<Vec<u8>> {
    let digits = hex.len() == 64 && hex.bytes().all(|digit| digit.is_ascii_hexdigit());
    let byte = |at: usize| u8::from_str_radix(&hex[at..at + 2], 16).ok();
    digits.then(|| (0..64).step_by(2).map(byte).collect())?
}

fn review(fields: &Fields<'_, '_>, fact: &Fact, draft: &mut Draft<'_>) -> Result<Review, Reject> {
    if let Some(remark) = fields.text("remark")? {
        note(fact, "remark", remark, draft);
    }
    Ok(Review {
        decision: fields
            .choice("decision", "REVIEW_DECISION_", ReviewDecision::as_str_name)?
            .unwrap_or_default()
            .into(),
        reviewer: reference(fields, "reviewer", EntityKind::Account, draft)?,
    })
}

fn policy_decision(fields: &Fields<'_, '_>, draft: &mut Draft<'_>) -> Result<PolicyDecision, Reject> {
    let effect: Option<PolicyEffect> = fields.choice("effect", "POLICY_EFFECT_", PolicyEffect::as_str_name)?;
    Ok(PolicyDecision {
        effect: effect.ok_or_else(|| fields.invalid("effect", "allow or deny"))?.into(),
        policy: fields.opaque("policy", draft)?,
        policy_version: fields.opaque("policy_version", draft)?,
    })
}

/// Keeps a text with what the fact is about.
pub fn note(fact: &Fact, name: &str, value: &str, draft: &mut Draft<'_>) {
    if let Some(about) = fact.object.as_ref().or(fact.subject.as_ref()) {
        draft.text(about, name, value);
    }
}
