//! Approvals: one row per approver and level of a ticket.
//!
//! Owns what a version of a row says. It never derives the ticket's decision: that follows from the rows, and the verifier
//! does it. A row was asked for when it was created; whatever else it says dates from its updated_at, or else from its
//! receipt.

use counterfoil_proto::v1::{Approval, ApprovalRule, Decision, Fact, FactKind, Mapping, Ref, fact::Detail};

use super::ticket::{account, decision, enumerated};
use super::{Reading, Reject, Resource};
use crate::connectors::draft::{Draft, fact};
use crate::json::Json;

/// Reads a version of a row.
pub fn read(mut resource: Resource<'_, '_, '_>) -> Result<Reading, Reject> {
    let json = resource.json;
    let at = resource.version()?;
    let (created_at, updated_at) = (at.created.unwrap_or(at.seen), at.seen);
    let source_decision = json.present("approval_status").map_or(Decision::Unspecified, decision);
    let draft = &mut resource.draft;
    let approver = named(json, "approver_id", "approver_name", draft);
    let asked_by = named(json, "user_id", "user_name", draft);
    let delegate = delegate(json, draft);
    let is_delegated = delegate.is_some();
    let (kind, actor, occurred_at) = match source_decision {
        Decision::Approved => (FactKind::ApprovalGranted, approver.clone(), updated_at),
        Decision::Rejected => (FactKind::ApprovalRejected, approver.clone(), updated_at),
        Decision::Cancelled | Decision::PeerResponded => (FactKind::ApprovalCancelled, None, updated_at),
        Decision::Requested if is_delegated => (FactKind::ApprovalDelegated, approver.clone(), updated_at),
        // A row whose turn has not come is asked for all the same: its level still has to be decided.
        Decision::Requested | Decision::NotRequested => (FactKind::ApprovalRequested, asked_by.clone(), created_at),
        Decision::Unspecified | Decision::Expired => {
            return resource.finish(at.updated, Mapping::Incomplete);
        }
    };
    let object = resource.parent.as_deref().and_then(|parent| {
        let (kind, id) = parent.split_once('/')?;
        Some(draft.own_ticket(kind, id))
    });
    if let (Some(remark), Some(about)) = (json.text("latest_remark"), object.as_ref().or(approver.as_ref())) {
        draft.text(about, "remark", remark);
    }
    let level = json.get("level").and_then(Json::as_u64).and_then(|level| u32::try_from(level).ok());
    let detail = Approval {
        id: json.id_at("id").map_or_else(String::new, |id| draft.opaque(&id)),
        level: level.filter(|level| *level > 0).unwrap_or(1),
        rule: rule(json).into(),
        approver,
        asked_by,
        delegate,
        source_decision: source_decision.into(),
        ..Approval::default()
    };
    draft.facts.push(Fact { actor, object, detail: Some(Detail::Approval(detail)), ..fact(kind, occurred_at) });
    resource.finish(at.updated, Mapping::Incomplete)
}

fn rule(json: &Json<'_>) -> ApprovalRule {
    let Some(value) = json.present("approval_type") else {
        return ApprovalRule::Unspecified;
    };
    match enumerated(value).as_ref() {
        "1" | "everyone" => ApprovalRule::All,
        "2" | "anyone" => ApprovalRule::Any,
        "3" | "majority" => ApprovalRule::Majority,
        "4" | "first responder" => ApprovalRule::First,
        _ => ApprovalRule::Unspecified,
    }
}

fn named(json: &Json<'_>, id: &str, name: &str, draft: &mut Draft<'_>) -> Option<Ref> {
    let account = account(&json.id_at(id)?, None, draft)?;
    if let Some(name) = json.text(name) {
        draft.text(&account, "display_name", name);
    }
    Some(account)
}

/// Whoever was to approve instead: an id, or an object with one.
fn delegate(json: &Json<'_>, draft: &mut Draft<'_>) -> Option<Ref> {
    let delegate = json.present("delegatee")?;
    let id = delegate.id().or_else(|| delegate.id_at("id"))?;
    account(&id, Some(delegate), draft)
}
