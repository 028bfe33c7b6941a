//! What a record must keep beyond being a canonical protobuf message: what is required, in which range, in which
//! characters, in which order.
//!
//! Owns these rules and nothing else. Two implementations that keep them never read one record differently, and no
//! personal value passes them in a field that is meant for an opaque id.

use counterfoil_proto::v1::{
    AccessItem, AccessOperation, Account, Approval, ApprovalRule, Authentication, Completeness, Confidence, Decision,
    Delivery, Entitlement, EntityKind, EventRemapped, FactKind, GapReason, Grant, GrantMode, IdentityType,
    KeyAnnouncement, Lifecycle, Mapping, MatchedBy, MatchingRule, Origin, Outcome, Ownership, PolicyDecision,
    PolicyEffect, Precision, Record, RejectReason, Review, ReviewDecision, Seal, SealedSource, Snapshot, Ticket,
    TicketStatus, TicketText, TicketType, Time, fact::Detail, record::Body,
};

use crate::checkpoint::Origin as OriginName;
use crate::entity::{EntityId, are_code, are_opaque, check_name, check_name_bytes, is_code};
use crate::identifier::TOKEN_BYTES;
use crate::record::FORMAT;
use crate::view::{CorrelationView, EventRecord, EventView, FactView, Head, ProvenanceView, RefView, SourceView};
use crate::{redaction, time};

/// Which rule a record breaks, and where.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct Violation(pub String);

/// The most facts in one record, and the most references in one list of a fact.
pub const FACTS_MAX: usize = 1_000;
/// The most parts that one event is split into.
pub const PARTS_MAX: u32 = 1_000;
/// The length of the keyed digest of an event's content, in bytes.
pub const CONTENT_DIGEST_BYTES: usize = 16;
/// The largest record 0 of a predecessor, which holds that of its own predecessor in turn: some thirty incarnations.
pub const FIRST_RECORD_BYTES_MAX: usize = 8_192;

type Checked = Result<(), Violation>;

fn fail<T>(message: impl Into<String>) -> Result<T, Violation> {
    Err(Violation(message.into()))
}

fn ensure(holds: bool, message: &str) -> Checked {
    if holds { Ok(()) } else { fail(message) }
}

/// Checks a whole record.
pub fn check(record: &Record) -> Checked {
    check_head(&Head::of(record))?;
    if let Some(Body::Origin(origin)) = &record.body {
        ensure(record.index == 0, "an origin stands in record 0 only")?;
        ensure(record.provenance.is_none(), "record 0 has no provenance")?;
        ensure(record.commitment.is_empty(), "nothing lies beside record 0")?;
        return check_origin(origin);
    }
    ensure(record.index > 0, "record 0 states the origin")?;
    if let Some(Body::Seal(seal)) = &record.body {
        ensure(record.provenance.is_none(), "a seal has no provenance")?;
        ensure(record.commitment.is_empty(), "nothing lies beside a seal")?;
        return check_seal(seal);
    }
    if let Some(Body::EventConflict(conflict)) = &record.body {
        ensure(conflict.first_index < record.index, "event_conflict.first_index is not an earlier record")?;
    }
    if let Some(Body::EventRemapped(remapped)) = &record.body {
        let part = remapped.event.as_ref().map_or(0, |event| u64::from(event.part));
        ensure(remapped.first_index <= remapped.replaces, "event_remapped.replaces comes before first_index")?;
        let is_earlier = remapped.replaces < record.index.saturating_sub(part);
        ensure(is_earlier, "event_remapped.replaces is not an earlier record")?;
    }
    if let Some(Body::Redaction(said)) = &record.body {
        redaction::check_place(said, record.index)?;
    }
    let retry_of = record.provenance.as_ref().map_or(0, |provenance| provenance.retry_of);
    check_retry(retry_of, record.index)?;
    check_tail(record)
}

/// Checks the record of an event as [`check`] does.
pub(crate) fn check_event_record(record: &EventRecord<'_>) -> Checked {
    let EventRecord { head, provenance, event } = record;
    check_head(head)?;
    ensure(head.index > 0, "record 0 states the origin")?;
    check_retry(provenance.retry_of, head.index)?;
    let source = check_provenance(provenance)?;
    check_commitment(head.commitment)?;
    check_event(event, source)
}

fn check_head(head: &Head<'_>) -> Checked {
    ensure(head.format == FORMAT, "format is not 1")?;
    ensure(head.prev.len() == 32, "prev is not 32 bytes")?;
    check_time(&head.recorded_at, "recorded_at")?;
    let is_exact = head.recorded_at.is_some_and(|time| time.precision() == Precision::Nanosecond);
    ensure(is_exact, "recorded_at is not given to the nanosecond")
}

fn check_retry(retry_of: u64, index: u64) -> Checked {
    ensure(retry_of < index, "provenance.retry_of is not an earlier record")
}

fn check_commitment(commitment: &[u8]) -> Checked {
    ensure(matches!(commitment.len(), 0 | 32), "commitment is not 32 bytes")
}

/// Checks the part of a record that does not depend on its place.
pub fn check_tail(record: &Record) -> Checked {
    let Some(provenance) = &record.provenance else {
        return fail("provenance is missing");
    };
    let viewed = ProvenanceView::of(provenance);
    let source = check_provenance(&viewed)?;
    check_commitment(&record.commitment)?;
    match &record.body {
        None => fail("the record has no body"),
        Some(Body::Origin(_)) => fail("an origin stands in record 0 only"),
        Some(Body::Seal(_)) => fail("a seal has no provenance"),
        Some(Body::Event(event)) => check_event(&EventView::of(event), source),
        Some(Body::EventConflict(conflict)) => {
            ensure(conflict.first_index > 0, "event_conflict.first_index is missing")
        }
        Some(Body::EventRemapped(remapped)) => check_remapped(remapped, source),
        Some(Body::Redaction(said)) => {
            ensure(provenance.retry_of == 0, "a redaction is read from no dead letter")?;
            redaction::check(said)
        }
        Some(Body::KeyAnnouncement(said)) => {
            ensure(provenance.retry_of == 0, "a key announcement is read from no dead letter")?;
            check_announcement(said)
        }
        Some(Body::SourceRejected(rejected)) => {
            check_enum::<RejectReason>(rejected.reason, "source_rejected.reason")?;
            ensure(record.commitment.len() == 32, "the rejected bytes have no commitment")
        }
        Some(Body::SourceGap(gap)) => {
            check_enum::<GapReason>(gap.reason, "source_gap.reason")?;
            ensure(provenance.retry_of == 0, "a gap is read from no dead letter")?;
            let begins_anew = matches!(gap.reason(), GapReason::Truncated | GapReason::Recreated);
            let goes_on = begins_anew || gap.from < gap.to;
            ensure(goes_on, "source_gap.from is not before source_gap.to")
        }
    }
}

fn check_origin(origin: &Origin) -> Checked {
    let valid_name = |name: &str| OriginName::new(name).is_ok();
    ensure(valid_name(&origin.origin), "origin is not a valid origin")?;
    ensure(origin.index_key_commitment.len() == 32, "index_key_commitment is not 32 bytes")?;
    if let Some(predecessor) = &origin.predecessor {
        ensure(valid_name(&predecessor.origin), "predecessor.origin is not a valid origin")?;
        ensure(predecessor.size > 0, "predecessor.size is missing")?;
        ensure(predecessor.root.len() == 32, "predecessor.root is not 32 bytes")?;
        let first = predecessor.first_record.len();
        ensure(
            (1..=FIRST_RECORD_BYTES_MAX).contains(&first),
            "predecessor.first_record has no record, or a large one",
        )?;
        ensure(predecessor.known_size >= predecessor.size, "predecessor.known_size is below predecessor.size")?;
        ensure(predecessor.known_root.len() == 32, "predecessor.known_root is not 32 bytes")?;
    }
    Ok(())
}

fn check_announcement(said: &KeyAnnouncement) -> Checked {
    ensure(OriginName::new(&said.origin).is_ok(), "key_announcement.origin is not a valid origin")?;
    ensure(said.public_key.len() == 32, "key_announcement.public_key is not 32 bytes")?;
    ensure(said.former_key.len() == 32, "key_announcement.former_key is not 32 bytes")?;
    ensure(is_code(&said.reason), "key_announcement.reason is not a code")?;
    ensure(EntityId::from_bytes(&said.by).is_ok(), "key_announcement.by is not an entity")
}

/// Checks what a seal says, by itself.
pub(crate) fn check_seal(seal: &Seal) -> Checked {
    ensure(seal.map_root.len() == 32, "seal.map_root is not 32 bytes")?;
    for sealed in &seal.sources {
        let Some(source) = &sealed.source else {
            return fail("seal.sources has one without a source");
        };
        check_source(SourceView::of(source))?;
        ensure(sealed.unmapped <= sealed.events, "seal.sources has more unmapped events than events")?;
        let counts = [sealed.events, sealed.facts, sealed.duplicates, sealed.conflicts, sealed.rejected];
        ensure(counts.iter().any(|count| *count > 0), "seal.sources has a source from which nothing came")?;
    }
    let ascends = seal.sources.is_sorted_by(|one, other| name_of(one) < name_of(other));
    ensure(ascends, "seal.sources are not in ascending order")?;
    seal.next.iter().try_for_each(|position| check_opaque(&position.channel, "seal.next.channel"))?;
    let ascends = seal.next.is_sorted_by(|one, other| one.channel < other.channel);
    ensure(ascends, "seal.next is not in ascending order")?;
    let is_empty = seal.sources.is_empty() && seal.next.is_empty();
    ensure(!(seal.continued && is_empty), "a seal is continued that had room for more")
}

fn name_of(sealed: &SealedSource) -> Option<[&str; 3]> {
    sealed.source.as_ref().map(|source| [source.system.as_str(), &source.instance, &source.stream])
}

fn check_source(source: SourceView<'_>) -> Checked {
    let parts = [("system", source.system), ("instance", source.instance), ("stream", source.stream)];
    parts
        .into_iter()
        .try_for_each(|(part, name)| check_name_bytes(name).or_else(|error| fail(format!("source.{part}: {error}"))))
}

fn check_provenance<'a>(provenance: &ProvenanceView<'a>) -> Result<SourceView<'a>, Violation> {
    let Some(source) = provenance.source else {
        return fail("provenance.source is missing");
    };
    check_source(source)?;
    let Some(position) = &provenance.position else {
        return fail("provenance.position is missing");
    };
    check_opaque(position.channel, "position.channel")?;
    check_opaque(provenance.event_id, "provenance.event_id")?;
    ensure(provenance.content_digest.len() == CONTENT_DIGEST_BYTES, "provenance.content_digest is not 16 bytes")?;
    check_name_bytes(provenance.connector).or_else(|error| fail(format!("provenance.connector: {error}")))?;
    ensure(provenance.connector_version > 0, "provenance.connector_version is missing")?;
    check_enum::<Delivery>(provenance.delivery, "provenance.delivery")?;
    check_enum::<Authentication>(provenance.authentication, "provenance.authentication")?;
    check_optional_code(provenance.assumed_zone, "provenance.assumed_zone")?;
    Ok(source)
}

fn check_event(event: &EventView<'_>, source: SourceView<'_>) -> Checked {
    let mapping = check_event_head(event)?;
    ensure(event.facts.len() <= FACTS_MAX, "the event has more than 1,000 facts in one record")?;
    ensure((mapping == Mapping::Mapped) != event.facts.is_empty(), "facts and event.mapping contradict each other")?;
    event.facts.iter().try_for_each(|fact| check_fact(fact, source))
}

fn check_event_head(event: &EventView<'_>) -> Result<Mapping, Violation> {
    check_optional_code(event.native_type, "event.native_type")?;
    ensure((1..=PARTS_MAX).contains(&event.parts), "event.parts is not in 1 to 1,000")?;
    ensure(event.part < event.parts, "event.part is not below event.parts")?;
    check_enum_value::<Mapping>(event.mapping, "event.mapping")
}

/// Whether it fits what it replaces is for `remap` to say, to whoever has that.
fn check_remapped(remapped: &EventRemapped, source: SourceView<'_>) -> Checked {
    ensure(remapped.first_index > 0, "event_remapped.first_index is missing")?;
    ensure(remapped.replaces_leaf.len() == 32, "event_remapped.replaces_leaf is not 32 bytes")?;
    let are_ids = remapped.entities.iter().all(|entity| EntityId::from_bytes(entity).is_ok());
    ensure(are_ids, "event_remapped.entities has something else than ids of entities")?;
    let is_ascending = remapped.entities.is_sorted_by(|one, other| one < other);
    ensure(is_ascending, "event_remapped.entities are not in ascending order")?;
    match remapped.event.as_ref().map(EventView::of) {
        // What is repeated may need records of its own.
        Some(event) if event.parts > 1 && event.facts.is_empty() => check_event_head(&event).map(drop),
        Some(event) => check_event(&event, source),
        None => fail("event_remapped.event is missing"),
    }
}

fn check_fact(fact: &FactView<'_>, source: SourceView<'_>) -> Checked {
    check_enum::<FactKind>(fact.kind, "fact.kind")?;
    check_time(&fact.occurred_at, "fact.occurred_at")?;
    check_enum::<Outcome>(fact.outcome, "fact.outcome")?;
    check_optional_code(fact.reason, "fact.reason")?;
    check_enum::<Confidence>(fact.confidence, "fact.confidence")?;
    check_optional_opaque(fact.scope, "fact.scope")?;
    let mut count = 0;
    for (role, reference) in fact.references() {
        count += 1;
        check_ref(&reference, source).or_else(|error| fail(format!("the fact's {}: {error}", role.name())))?;
    }
    ensure(count <= FACTS_MAX, "a fact names more than 1,000 entities")?;
    if let Some(correlation) = &fact.correlation {
        check_correlation(correlation)?;
    }
    match fact.detail() {
        None => Ok(()),
        Some(Detail::Grant(grant)) => check_grant(grant),
        Some(Detail::Ticket(ticket)) => check_ticket(ticket),
        Some(Detail::Approval(approval)) => check_approval(approval),
        Some(Detail::Account(account)) => check_account(account),
        Some(Detail::Credential(credential)) => {
            ensure(*credential != Default::default(), "an empty credential is left out")?;
            check_optional_time(&credential.expires_at, "credential.expires_at")?;
            check_optional_time(&credential.last_used_at, "credential.last_used_at")
        }
        Some(Detail::Entitlement(entitlement)) => check_entitlement(entitlement),
        Some(Detail::Ownership(ownership)) => check_ownership(ownership),
        Some(Detail::Lifecycle(lifecycle)) => check_lifecycle(lifecycle),
        Some(Detail::Snapshot(snapshot)) => check_snapshot(snapshot),
        Some(Detail::Review(review)) => check_review(review),
        Some(Detail::PolicyDecision(decision)) => check_policy_decision(decision),
        Some(Detail::MatchingRule(rule)) => check_matching_rule(rule),
    }
}

fn check_ref(reference: &RefView<'_>, source: SourceView<'_>) -> Checked {
    let kind = check_enum_value::<EntityKind>(reference.kind, "kind")?;
    ensure(
        !matches!(kind, EntityKind::Unresolved | EntityKind::Source | EntityKind::Correlation),
        "unresolved, source and correlation are no kinds of a reference",
    )?;
    ensure(
        reference.system.is_empty() == reference.instance.is_empty(),
        "system and instance are given both, or neither",
    )?;
    if !reference.system.is_empty() {
        check_name_bytes(reference.system).or_else(|error| fail(error.to_string()))?;
        check_name_bytes(reference.instance).or_else(|error| fail(error.to_string()))?;
        ensure(
            (reference.system, reference.instance) != (source.system, source.instance),
            "the source's own system and instance are left out",
        )?;
    }
    check_optional_opaque(reference.id, "id")?;
    ensure(!reference.id.is_empty() || !reference.tokens.is_empty(), "neither an id nor an identifier is given")?;
    ensure(kind != EntityKind::Identifier || reference.id.is_empty(), "an identifier has no id")?;
    ensure(reference.tokens.iter().all(|token| token.len() == TOKEN_BYTES), "a token is not 16 bytes")?;
    ensure(reference.tokens.iter().is_sorted_by(|a, b| a < b), "tokens are not in ascending order")?;
    check_enum_or_none::<IdentityType>(reference.identity_type, "identity_type")
}

fn check_correlation(correlation: &CorrelationView<'_>) -> Checked {
    ensure(!correlation.is_empty(), "an empty correlation is left out")?;
    check_optional_opaque(correlation.transaction, "correlation.transaction")?;
    check_optional_opaque(correlation.request, "correlation.request")
}

fn check_grant(grant: &Grant) -> Checked {
    ensure(*grant != Grant::default(), "an empty grant is left out")?;
    check_optional_time(&grant.expires_at, "grant.expires_at")?;
    check_enum_or_none::<GrantMode>(grant.mode, "grant.mode")
}

fn check_ticket(ticket: &Ticket) -> Checked {
    check_enum::<TicketType>(ticket.r#type, "ticket.type")?;
    check_enum_or_none::<TicketStatus>(ticket.status, "ticket.status")?;
    check_optional_time(&ticket.window_start, "ticket.window_start")?;
    check_optional_time(&ticket.window_end, "ticket.window_end")?;
    check_enum_or_none::<Decision>(ticket.source_decision, "ticket.source_decision")?;
    ensure(ticket.texts.is_sorted_by(|a, b| a < b), "ticket.texts are not in ascending order")?;
    ticket.texts.iter().try_for_each(|&text| check_enum::<TicketText>(text, "ticket.texts"))?;
    ticket.items.iter().try_for_each(check_item)
}

fn check_item(item: &AccessItem) -> Checked {
    check_enum::<AccessOperation>(item.operation, "item.operation")?;
    ensure(is_code(&item.target_type), "item.target_type is not a code")?;
    check_optional_time(&item.from, "item.from")?;
    check_optional_time(&item.until, "item.until")
}

fn check_approval(approval: &Approval) -> Checked {
    check_optional_opaque(&approval.id, "approval.id")?;
    ensure(approval.level > 0, "approval.level is missing")?;
    check_enum_or_none::<ApprovalRule>(approval.rule, "approval.rule")?;
    check_enum_or_none::<Decision>(approval.source_decision, "approval.source_decision")
}

fn check_account(account: &Account) -> Checked {
    ensure(*account != Account::default(), "an empty account is left out")?;
    ensure(account.changed.iter().all(|name| is_code(name)), "account.changed holds something that is not a code")?;
    ensure(account.changed.is_sorted_by(|a, b| a < b), "account.changed is not in ascending order")?;
    check_optional_opaque(&account.department, "account.department")
}

fn check_entitlement(entitlement: &Entitlement) -> Checked {
    ensure(*entitlement != Entitlement::default(), "an empty entitlement is left out")?;
    check_optional_opaque(&entitlement.version, "entitlement.version")
}

fn check_ownership(ownership: &Ownership) -> Checked {
    ensure(*ownership != Ownership::default(), "an empty ownership is left out")?;
    check_optional_time(&ownership.expires_at, "ownership.expires_at")?;
    check_systems(&ownership.systems, "ownership.systems")?;
    let operations = &ownership.operations;
    ensure(operations.iter().all(|name| is_code(name)), "ownership.operations holds something that is not a code")?;
    ensure(operations.is_sorted_by(|a, b| a < b), "ownership.operations are not in ascending order")?;
    check_optional_time(&ownership.suspected_at, "ownership.suspected_at")?;
    check_optional_time(&ownership.retired_at, "ownership.retired_at")
}

fn check_matching_rule(rule: &MatchingRule) -> Checked {
    ensure(rule.version > 0, "matching_rule.version is missing")?;
    check_enum::<MatchedBy>(rule.matched_by, "matching_rule.matched_by")?;
    check_systems(&rule.systems, "matching_rule.systems")
}

fn check_systems(systems: &[String], name: &str) -> Checked {
    ensure(systems.len() <= FACTS_MAX, "a list of systems has more than 1,000")?;
    systems.iter().try_for_each(|system| check_name(system).or_else(|error| fail(format!("{name}: {error}"))))?;
    ensure(systems.is_sorted_by(|a, b| a < b), "a list of systems is not in ascending order")
}

fn check_lifecycle(lifecycle: &Lifecycle) -> Checked {
    ensure(*lifecycle != Lifecycle::default(), "an empty lifecycle is left out")?;
    check_optional_time(&lifecycle.effective_at, "lifecycle.effective_at")?;
    check_optional_opaque(&lifecycle.department, "lifecycle.department")
}

fn check_snapshot(snapshot: &Snapshot) -> Checked {
    check_enum::<Completeness>(snapshot.completeness, "snapshot.completeness")?;
    check_optional_time(&snapshot.as_of, "snapshot.as_of")?;
    ensure(matches!(snapshot.root.len(), 0 | 32), "snapshot.root is not 32 bytes")
}

fn check_review(review: &Review) -> Checked {
    ensure(*review != Review::default(), "an empty review is left out")?;
    check_enum_or_none::<ReviewDecision>(review.decision, "review.decision")
}

fn check_policy_decision(decision: &PolicyDecision) -> Checked {
    check_enum::<PolicyEffect>(decision.effect, "policy_decision.effect")?;
    check_optional_opaque(&decision.policy, "policy_decision.policy")?;
    check_optional_opaque(&decision.policy_version, "policy_decision.policy_version")
}

fn check_time(value: &Option<Time>, name: &str) -> Checked {
    match value {
        Some(_) => check_optional_time(value, name),
        None => fail(format!("{name} is missing")),
    }
}

fn check_optional_time(value: &Option<Time>, name: &str) -> Checked {
    match value {
        Some(time) if !time::is_valid(time) => fail(format!("{name} is not in year 1 to 9999, or has no precision")),
        _ => Ok(()),
    }
}

fn check_opaque(value: impl AsRef<[u8]>, name: &str) -> Checked {
    if are_opaque(value.as_ref()) {
        return Ok(());
    }
    fail(format!("{name} is not an opaque id of 1 to 255 visible ASCII characters without '@'"))
}

fn check_optional_opaque(value: impl AsRef<[u8]>, name: &str) -> Checked {
    if value.as_ref().is_empty() { Ok(()) } else { check_opaque(value, name) }
}

fn check_optional_code(value: impl AsRef<[u8]>, name: &str) -> Checked {
    if value.as_ref().is_empty() || are_code(value.as_ref()) {
        return Ok(());
    }
    fail(format!("{name} is not a code of 1 to 128 letters, digits and . _ - / :"))
}

fn check_enum<E: TryFrom<i32>>(value: i32, name: &str) -> Checked {
    check_enum_value::<E>(value, name).map(drop)
}

fn check_enum_value<E: TryFrom<i32>>(value: i32, name: &str) -> Result<E, Violation> {
    match E::try_from(value) {
        Ok(known) if value != 0 => Ok(known),
        _ => fail(format!("{name} has the value {value}, which is not known")),
    }
}

fn check_enum_or_none<E: TryFrom<i32>>(value: i32, name: &str) -> Checked {
    if value == 0 { Ok(()) } else { check_enum::<E>(value, name) }
}
