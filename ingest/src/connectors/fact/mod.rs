//! The `fact` connector: JSON for producers that speak this ledger's own vocabulary.
//!
//! Owns the shape of such a document. It guesses nothing: a field that it does not know is an error that names those it
//! does. Wherever a value is not given, the field is left out.
//!
//! ```json
//! {"id": "evt-1", "source": {"system": "ci", "instance": "prod", "stream": "deploy"}, "type": "deploy.grant",
//!  "facts": [{"kind": "grant.added", "occurred_at": "2026-03-01T09:30:00Z",
//!             "actor": {"id": "u1", "login": "jane@example.com"}, "subject": {"id": "svc-7", "type": "service_account"},
//!             "object": {"id": "role/deployer"}, "expires_at": "2026-04-01T00:00:00Z", "tickets": ["SR-1042"]}]}
//! ```
//! | field of the document | meaning |
//! |---|---|
//! | `id` | the event's own id; without it, its content makes the event |
//! | `source` | `system`, `instance`, `stream`: where it happened; all required. Not a system that has a connector of its own |
//! | `type` | the producer's own name of the event's type |
//! | `facts` | 1 to 1,000 facts |
//!
//! | field of a fact | meaning |
//! |---|---|
//! | `kind` | "grant.added", "approval.granted", "nhi.registered", …: every kind there is but rule.declared; required |
//! | `occurred_at` | RFC 3339, or `{"epoch_ms": 1772357400000}` (also `_s`, `_us`, `_ns`); required |
//! | `outcome` | success (default), failure, denied, pending |
//! | `reason` | the source's code for the outcome |
//! | `confidence` | explicit (default), derived; snapshot for `snapshot.*` alone |
//! | `actor`, `via`, `subject`, `object` | references: who, with what, whose, what |
//! | `scope`, `transaction`, `request` | opaque ids |
//! | `tickets` | "SR-1042", "CHN-17" (of the configured ticket system), or `{"system", "instance", "id": "ticket/1042"}` |
//!
//! A reference has `kind`, `system` and `instance` (both or neither), `id`, `login`, `email`, `name`, `type`: human,
//! service_account, api_key, token, secret, certificate, webhook_secret, integration, workload_identity, bot, ai_agent,
//! system. Its `kind` (person, account, credential, entitlement, ticket, integration, snapshot_scope, identifier) follows
//! from the field where it is left out. The id of an entitlement, a credential or a ticket is "type/id". Logins, addresses
//! and names never reach a record: they are kept beside it. Nor does an id, a scope, a `reason` or a `type` that could be
//! somebody's name: give ids as machines make them (numbers, UUIDs, "evt-17") where records are to show them.
//!
//! The object of `ticket.*` and `approval.*` is a ticket of the document's own source. An approval has an `approval_id`, an
//! `approver` or an `actor`.
//!
//! | kinds | further fields |
//! |---|---|
//! | `ticket.*` | `ticket_type`, `status`, `requester`, `assignee`, `items` (`operation`, `target`, `target_type`, `from`, `until`), `window_start`, `window_end`, `decision`, `texts` (`subject`, `justification`, `rollback_plan`, `revocation_trigger`) |
//! | `approval.*` | `approval_id`, `level` (default 1), `rule`, `quorum`, `approver`, `asked_by`, `delegate`, `decision`, `remark` |
//! | `account.*` | `changed` (attribute: new value), `reversible`, `department`, `manager` |
//! | `grant.*` | `expires_at`, `mode`, `inherited_via`, `conditional` |
//! | `entitlement.*` | `version`, `implies_added`, `implies_removed` |
//! | `credential.*` | `expires_at`, `last_used_at`, `rotation_interval_seconds` |
//! | `owner.*`, `purpose.declared`, `nhi.*` | `owner`, `expires_at`, `rotation_interval_seconds`, `purpose`, `stored_in`, `systems`, `operations`, `suspected_at`, `retired_at` |
//! | `lifecycle.*` | `effective_at`, `department` |
//! | `snapshot.*` | `completeness` (default not_a_listing), `as_of`, `count`, `root` |
//! | `review.*` | `decision`, `reviewer`, `remark` |
//! | `policy.decision` | `effect`, `policy`, `policy_version` |
//! | `identifier.*`, `identity.*`, `session.*`, `auth.*`, `source.*` | none |

mod details;
mod references;

use counterfoil_proto::v1::{Confidence, EntityKind, Fact, FactKind, Mapping, Outcome, RejectReason};
use counterfoil_verify::entity::{check_name, is_code};
use counterfoil_verify::fact::{Group, kind_group};

use super::draft::{Draft, correlation, fact};
use super::fields::Fields;
use super::shape::{self, is_machine_made};
use super::split::elements;
use super::{Connector, Context, EventId, PartContext, Reading, Reject, Split, owner_of};
use crate::json::Json;
use references::{reference, tickets};

pub struct FactConnector;

/// The connector's name.
pub const NAME: &str = "fact";

/// The most facts of one document.
const DOCUMENT_FACTS_MAX: usize = 1_000;

impl Connector for FactConnector {
    fn name(&self) -> &'static str {
        NAME
    }

    fn version(&self) -> u32 {
        1
    }

    fn system(&self) -> &str {
        "fact"
    }

    fn recognises(&self, event: &Json<'_>) -> bool {
        event.get("facts").is_some() && event.get("source").is_some()
    }

    fn split<'a>(&self, document: &Json<'a>, raw: &'a str) -> Result<Split<'a>, Reject> {
        match document {
            Json::Array(_) => elements(raw, &[], &PartContext::default()),
            _ => Ok(Split::Event),
        }
    }

    fn read(&self, event: &Json<'_>, _part: &PartContext, context: &Context<'_>) -> Result<Reading, Reject> {
        if !matches!(event, Json::Object(_)) {
            return Err(Reject::new(
                RejectReason::NotAnEvent,
                "expected a JSON object with source and facts, got another value",
            ));
        }
        if !self.recognises(event) && super::recognised_by_another(self, event).is_some() {
            return Err(super::stranger(self, event, "a document with source and facts"));
        }
        let document = Fields::new(event, String::new());
        let id = document.id("id")?;
        let native_type = document.text("type")?.unwrap_or_default();
        if !native_type.is_empty() && !is_code(native_type) {
            return Err(document.invalid("type", "a code such as deploy.grant"));
        }
        let native_type = if shape::is_event_type(native_type) { native_type } else { "" };
        let (system, instance, stream) = source(&document)?;
        let mut draft = Draft::new(context, &system, &instance);
        let facts = document.list("facts", DOCUMENT_FACTS_MAX)?;
        if facts.is_empty() {
            return Err(document.invalid("facts", "an array of 1 to 1,000 facts"));
        }
        for (number, json) in facts.iter().enumerate() {
            read_fact(&Fields::of(json, format!("facts[{number}]"))?, &mut draft)?;
        }
        document.finish("a document")?;
        let event_id = id.map_or(EventId::Content, EventId::Native);
        Ok(Reading {
            system: Some(system),
            instance: Some(instance),
            ..draft.finish(stream, event_id, native_type, Mapping::NoFacts)?
        })
    }
}

fn source(document: &Fields<'_, '_>) -> Result<(String, String, String), Reject> {
    let source = document.required("source")?;
    let source = Fields::of(source, "source".to_owned())?;
    let name = |field: &'static str| {
        let name = source.text(field)?.unwrap_or_default();
        if check_name(name).is_err() {
            return Err(source.invalid(field, "1 to 128 of a-z, A-Z, 0-9, '.', '_', '-'"));
        }
        Ok(name.to_owned())
    };
    let names = (name("system")?, name("instance")?, name("stream")?);
    source.finish("a source")?;
    if let Some(owner) = owner_of(&names.0) {
        return Err(Reject::new(
            RejectReason::FieldInvalid,
            format!(
                "expected the system of a producer in source.system, got {:?}, which is reported by the connector {owner}: \
                 import its own events with it, or name your producer's system, such as {owner}-bridge",
                names.0
            ),
        ));
    }
    Ok(names)
}

/// Only a ticket's own system says what it asks for and who approved it.
fn check_own(fields: &Fields<'_, '_>, fact: &Fact) -> Result<(), Reject> {
    let Some(ticket) = fact.object.as_ref().filter(|ticket| !ticket.system.is_empty()) else {
        return Ok(());
    };
    Err(Reject::new(
        RejectReason::FieldInvalid,
        format!(
            "expected a ticket of the document's own source in {}, got one of {} in {}: only a ticket's own system says what \
             it asks for and who approved it; other facts may refer to it in tickets",
            fields.path("object"),
            ticket.system,
            ticket.instance
        ),
    ))
}

fn read_fact(fields: &Fields<'_, '_>, draft: &mut Draft<'_>) -> Result<(), Reject> {
    let kind: FactKind = fields
        .choice("kind", "FACT_KIND_", FactKind::as_str_name)?
        .ok_or_else(|| fields.invalid("kind", "the fact's kind, such as grant.added"))?;
    let occurred_at = fields.time("occurred_at", draft.context.assume_utc)?.ok_or_else(|| {
        Reject::new(RejectReason::TimeMissing, format!("expected a time in {}, got none", fields.path("occurred_at")))
    })?;
    let group = kind_group(kind);
    if group == Group::Rule {
        const EXPECTED: &str = "a kind that a producer states: matching rules are declared with the connector people";
        return Err(fields.invalid("kind", EXPECTED));
    }
    let outcome = fields.choice("outcome", "OUTCOME_", Outcome::as_str_name)?;
    let confidence = fields.choice("confidence", "CONFIDENCE_", Confidence::as_str_name)?;
    if confidence == Some(Confidence::Snapshot) && group != Group::Snapshot {
        const EXPECTED: &str = "explicit or derived: only the kinds snapshot.* say what a listing shows";
        return Err(fields.invalid("confidence", EXPECTED));
    }
    let reason = fields.text("reason")?.unwrap_or_default();
    if !reason.is_empty() && !is_code(reason) {
        return Err(fields.invalid("reason", "a code such as INVALID_CREDENTIALS"));
    }
    let (transaction, request) = (fields.opaque("transaction", draft)?, fields.opaque("request", draft)?);
    let mut fact = Fact {
        outcome: outcome.unwrap_or(Outcome::Success).into(),
        confidence: confidence.unwrap_or(Confidence::Explicit).into(),
        reason: if is_machine_made(reason) { reason.to_owned() } else { String::new() },
        actor: reference(fields, "actor", EntityKind::Account, draft)?,
        via: reference(fields, "via", EntityKind::Credential, draft)?,
        subject: reference(fields, "subject", EntityKind::Account, draft)?,
        object: reference(fields, "object", object_kind(kind), draft)?,
        scope: fields.id("scope")?.map_or_else(String::new, |scope| draft.scope(&scope)),
        correlation: correlation(transaction, request, tickets(fields, draft)?),
        ..fact(kind, occurred_at)
    };
    require(fields, group, &fact)?;
    if matches!(group, Group::Ticket | Group::Approval) {
        check_own(fields, &fact)?;
    }
    if !reason.is_empty() && fact.reason.is_empty() {
        details::note(&fact, "reason", reason, draft);
    }
    fact.detail = details::read(fields, &fact, draft)?;
    fields.finish("a fact of this kind")?;
    draft.facts.push(fact);
    Ok(())
}

/// What kind of thing a fact of this kind is about, unless its reference says otherwise.
fn object_kind(kind: FactKind) -> EntityKind {
    match (kind_group(kind), kind) {
        (Group::Ticket | Group::Approval | Group::Lifecycle, _) => EntityKind::Ticket,
        (Group::Credential, _) => EntityKind::Credential,
        (_, FactKind::SnapshotBegin | FactKind::SnapshotEnd) => EntityKind::SnapshotScope,
        (_, FactKind::IdentityLinked | FactKind::IdentityUnlinked) => EntityKind::Account,
        _ => EntityKind::Entitlement,
    }
}

/// Checks that a fact names what its kind is about.
fn require(fields: &Fields<'_, '_>, group: Group, fact: &Fact) -> Result<(), Reject> {
    let (subject, object) = match (group, fact.kind()) {
        (Group::Grant, _) | (_, FactKind::IdentityLinked | FactKind::IdentityUnlinked) => (true, true),
        (_, FactKind::SnapshotBegin | FactKind::SnapshotEnd) => (false, true),
        (Group::Account | Group::Governance | Group::Lifecycle | Group::Snapshot, _) => (true, false),
        (Group::Ticket | Group::Entitlement | Group::Credential, _) => (false, true),
        _ => (false, false),
    };
    if subject && fact.subject.is_none() {
        return Err(fields.invalid("subject", "a reference: this kind of fact is about somebody"));
    }
    if object && fact.object.is_none() {
        return Err(fields.invalid("object", "a reference: this kind of fact is about something"));
    }
    Ok(())
}
