//! Who and what a fact names, and in which role.
//!
//! Owns the walk over a fact's references and, from it, the entity set of a record: a pure function of the record's
//! bytes, on which the histories of all entities rest. It never resolves one name to another.

use std::collections::BTreeSet;

use counterfoil_proto::v1::{Entitlement, Fact, FactKind, Record, Ref, Source, fact::Detail, record::Body};

use crate::correlation::correlated;
use crate::entity::{EntityId, EntityName};
use crate::identifier::Token;
use crate::record::event_of;
use crate::redaction;
use crate::remap::repeated;
use crate::view::{EventView, FactView, SourceView};

/// The part that a reference has in a fact.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(u8)]
pub enum Role {
    /// Who did it.
    Actor,
    /// What it was done with.
    Via,
    /// Whose account, access or credential it is about.
    Subject,
    /// The entitlement, credential, ticket or scope it is about.
    Object,
    /// A ticket that the event refers to.
    Ticket,
    /// Who asked for a ticket.
    Requester,
    /// Who works on a ticket.
    Assignee,
    /// What a ticket asks for.
    Item,
    /// Who was asked to approve.
    Approver,
    /// Who asked for the approval.
    AskedBy,
    /// Who was to approve in the approver's place.
    Delegate,
    /// What a grant is inherited through.
    InheritedVia,
    /// What an entitlement implies, or no longer implies.
    Implied,
    /// Who answers for it, or whose manager it is.
    Owner,
    /// Who reviews it.
    Reviewer,
}

impl Role {
    /// The role's name in answers.
    pub fn name(self) -> &'static str {
        match self {
            Self::Actor => "actor",
            Self::Via => "via",
            Self::Subject => "subject",
            Self::Object => "object",
            Self::Ticket => "ticket",
            Self::Requester => "requester",
            Self::Assignee => "assignee",
            Self::Item => "item",
            Self::Approver => "approver",
            Self::AskedBy => "asked_by",
            Self::Delegate => "delegate",
            Self::InheritedVia => "inherited_via",
            Self::Implied => "implied",
            Self::Owner => "owner",
            Self::Reviewer => "reviewer",
        }
    }

    /// Every role, by its number.
    pub const ALL: [Self; 15] = [
        Self::Actor,
        Self::Via,
        Self::Subject,
        Self::Object,
        Self::Ticket,
        Self::Requester,
        Self::Assignee,
        Self::Item,
        Self::Approver,
        Self::AskedBy,
        Self::Delegate,
        Self::InheritedVia,
        Self::Implied,
        Self::Owner,
        Self::Reviewer,
    ];
}

/// Every reference of a fact with its role, in the order of the fields.
pub fn references(fact: &Fact) -> impl Iterator<Item = (Role, &Ref)> {
    let named = |role: Role| move |reference| (role, reference);
    let mut found: Vec<(Role, &Ref)> = Vec::with_capacity(8);
    found.extend(fact.actor.iter().map(named(Role::Actor)));
    found.extend(fact.via.iter().map(named(Role::Via)));
    found.extend(fact.subject.iter().map(named(Role::Subject)));
    found.extend(fact.object.iter().map(named(Role::Object)));
    if let Some(correlation) = &fact.correlation {
        found.extend(correlation.tickets.iter().map(named(Role::Ticket)));
    }
    if let Some(detail) = &fact.detail {
        references_in(detail, &mut |role, reference| found.push((role, reference)));
    }
    found.into_iter()
}

/// Every reference of a detail with its role, in the order of the fields.
pub(crate) fn references_in<'d>(detail: &'d Detail, found: &mut impl FnMut(Role, &'d Ref)) {
    let mut named = |role, references: &mut dyn Iterator<Item = &'d Ref>| {
        references.for_each(|reference| found(role, reference));
    };
    match detail {
        Detail::Grant(grant) => named(Role::InheritedVia, &mut grant.inherited_via.iter()),
        Detail::Ticket(ticket) => {
            named(Role::Requester, &mut ticket.requester.iter());
            named(Role::Assignee, &mut ticket.assignee.iter());
            named(Role::Item, &mut ticket.items.iter().filter_map(|item| item.target.as_ref()));
        }
        Detail::Approval(approval) => {
            named(Role::Approver, &mut approval.approver.iter());
            named(Role::AskedBy, &mut approval.asked_by.iter());
            named(Role::Delegate, &mut approval.delegate.iter());
        }
        Detail::Account(account) => named(Role::Owner, &mut account.manager.iter()),
        Detail::Entitlement(entitlement) => {
            named(Role::Implied, &mut entitlement.implies_added.iter());
            named(Role::Implied, &mut entitlement.implies_removed.iter());
        }
        Detail::Ownership(ownership) => named(Role::Owner, &mut ownership.owner.iter()),
        Detail::Review(review) => named(Role::Reviewer, &mut review.reviewer.iter()),
        Detail::Credential(_)
        | Detail::Lifecycle(_)
        | Detail::Snapshot(_)
        | Detail::PolicyDecision(_)
        | Detail::MatchingRule(_) => {}
    }
}

/// The entities that one reference names: its id, where it has one, and each of its identifiers.
pub fn entities_of(reference: &Ref, source: &Source) -> impl Iterator<Item = EntityId> {
    let identifiers = reference.tokens.iter().filter_map(|token| Token::from_slice(token).ok());
    EntityId::of(reference, source).into_iter().chain(identifiers.map(|token| EntityId::identifier(&token)))
}

/// Whether a fact is about a ticket, or refers to one.
pub fn names_tickets(fact: &Fact) -> bool {
    let tickets = fact.correlation.as_ref().map_or(0, |correlation| correlation.tickets.len());
    has_tickets(fact.kind(), fact.object.is_some(), tickets)
}

fn has_tickets(kind: FactKind, has_object: bool, tickets: usize) -> bool {
    let is_about = matches!(kind_group(kind), Group::Ticket | Group::Approval) && has_object;
    is_about || tickets > 0
}

/// Whether a fact about a ticket names nobody: such a fact also belongs to its system's unresolved entity.
pub fn is_unresolved(fact: &Fact) -> bool {
    names_nobody(fact.kind(), fact.subject.is_some(), fact.object.is_some())
}

fn names_nobody(kind: FactKind, has_subject: bool, has_object: bool) -> bool {
    match kind_group(kind) {
        Group::Ticket => !has_subject,
        Group::Approval => !has_object,
        _ => false,
    }
}

/// The entities that a record belongs to, in ascending order: a pure function of the record.
pub fn entity_set(record: &Record) -> BTreeSet<EntityId> {
    let mut entities = BTreeSet::new();
    let Some(source) = record.provenance.as_ref().and_then(|provenance| provenance.source.as_ref()) else {
        return entities;
    };
    if let Some(event) = event_of(record) {
        let facts = EventView::of(event).facts;
        each_entity(SourceView::of(source), &facts, &mut |name| {
            entities.insert(name.to_id());
        });
    }
    match &record.body {
        Some(Body::EventRemapped(remapped)) => entities.extend(repeated(remapped)),
        Some(Body::Redaction(said)) => entities.extend(redaction::entities(said)),
        Some(Body::KeyAnnouncement(said)) => entities.extend(EntityId::from_bytes(&said.by).ok()),
        Some(Body::EventConflict(_) | Body::SourceRejected(_) | Body::SourceGap(_)) => {
            entities.insert(EntityId::source(source));
        }
        Some(Body::Event(_) | Body::Origin(_) | Body::Seal(_)) | None => {}
    }
    entities
}

/// The entities that facts of a source belong to, some of them more than once.
pub(crate) fn each_entity(source: SourceView<'_>, facts: &[FactView<'_>], found: &mut impl FnMut(EntityName<'_>)) {
    for fact in facts {
        let kind = FactKind::try_from(fact.kind).unwrap_or_default();
        for (_, reference) in fact.references() {
            EntityName::of(&reference, source).map(&mut *found);
            let tokens = reference.tokens.iter().filter_map(|token| Token::from_slice(token).ok());
            tokens.for_each(|token| found(EntityName::identifier(&token)));
        }
        if names_nobody(kind, fact.subject.is_some(), fact.object.is_some()) {
            found(EntityName::unresolved(source));
        }
        if kind_group(kind) == Group::Rule {
            found(EntityId::matching_rules().name());
        }
        if let Some(correlation) =
            fact.correlation.as_ref().filter(|_| has_tickets(kind, fact.object.is_some(), fact.tickets().len()))
        {
            correlated(correlation.transaction, correlation.request, source).for_each(|shared| found(shared.name()));
        }
    }
}

/// What a kind of fact is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Group {
    /// A request or a change, as a ticket.
    Ticket,
    /// One approver's part in a ticket.
    Approval,
    /// An account in one system.
    Account,
    /// Who holds which entitlement.
    Grant,
    /// What an entitlement means.
    Entitlement,
    /// A key, token, secret or certificate.
    Credential,
    /// Owner, purpose and register of a non-human identity.
    Governance,
    /// Joiner, mover, leaver.
    Lifecycle,
    /// A listing of live access.
    Snapshot,
    /// Which identifiers and accounts are one.
    Identity,
    /// By which rule accounts are taken for one person's.
    Rule,
    /// A recertification.
    Review,
    /// Access that was used.
    Use,
    /// What a source says of itself.
    Source,
}

/// What a kind of fact is about.
pub fn kind_group(kind: FactKind) -> Group {
    use FactKind as K;
    match kind {
        K::TicketOpened | K::TicketUpdated | K::TicketClosed | K::TicketCancelled => Group::Ticket,
        K::ApprovalRequested
        | K::ApprovalGranted
        | K::ApprovalRejected
        | K::ApprovalCancelled
        | K::ApprovalExpired
        | K::ApprovalDelegated => Group::Approval,
        K::AccountCreated
        | K::AccountEnabled
        | K::AccountDisabled
        | K::AccountLocked
        | K::AccountUnlocked
        | K::AccountDeleted
        | K::AccountUpdated => Group::Account,
        K::GrantAdded | K::GrantRemoved | K::GrantModified | K::GrantExpired => Group::Grant,
        K::EntitlementDefined | K::EntitlementChanged | K::EntitlementRemoved => Group::Entitlement,
        K::CredentialCreated
        | K::CredentialRotated
        | K::CredentialDisabled
        | K::CredentialEnabled
        | K::CredentialRevoked
        | K::CredentialExpired
        | K::CredentialUsed => Group::Credential,
        K::OwnerAssigned | K::OwnerRemoved | K::PurposeDeclared | K::NhiRegistered | K::NhiRetired => Group::Governance,
        K::LifecycleJoiner | K::LifecycleMover | K::LifecycleLeaver => Group::Lifecycle,
        K::SnapshotBegin | K::SnapshotItem | K::SnapshotEnd => Group::Snapshot,
        K::IdentifierBound | K::IdentityLinked | K::IdentityUnlinked => Group::Identity,
        K::RuleDeclared => Group::Rule,
        K::ReviewOpened | K::ReviewDecision | K::ReviewClosed => Group::Review,
        K::SessionAssumed | K::AuthEvent | K::PolicyDecision => Group::Use,
        K::SourceHeartbeat | K::SourceAuditConfigChanged | K::Unspecified => Group::Source,
    }
}

/// Whether facts of a kind can give access.
pub fn can_give_access(kind: FactKind) -> bool {
    matches!(
        kind,
        FactKind::AccountCreated
            | FactKind::AccountEnabled
            | FactKind::GrantAdded
            | FactKind::GrantModified
            | FactKind::CredentialCreated
            | FactKind::CredentialEnabled
            | FactKind::EntitlementDefined
            | FactKind::EntitlementChanged
    )
}

/// Whether facts of a kind can give access or take it away.
pub fn can_change_access(kind: FactKind) -> bool {
    can_give_access(kind) || can_take_access(kind)
}

/// Whether facts of a kind can take access away.
pub fn can_take_access(kind: FactKind) -> bool {
    matches!(
        kind,
        FactKind::AccountDisabled
            | FactKind::AccountDeleted
            | FactKind::GrantRemoved
            | FactKind::GrantExpired
            | FactKind::CredentialDisabled
            | FactKind::CredentialRevoked
            | FactKind::CredentialExpired
            | FactKind::EntitlementChanged
            | FactKind::EntitlementRemoved
    )
}

/// Whether a fact, where it succeeded, gives somebody access that they did not have: what an approval is asked for. What
/// an entitlement comes to imply is given to all its holders; if it implies nothing more than before, nothing is.
pub fn gives_access(fact: &Fact) -> bool {
    let implies_more = || matches!(&fact.detail, Some(Detail::Entitlement(detail)) if !detail.implies_added.is_empty());
    can_give_access(fact.kind()) && (kind_group(fact.kind()) != Group::Entitlement || implies_more())
}

/// Whether a fact, where it succeeded, takes access away and gives none.
pub fn takes_access(fact: &Fact) -> bool {
    match fact.kind() {
        FactKind::AccountDisabled
        | FactKind::AccountDeleted
        | FactKind::GrantRemoved
        | FactKind::GrantExpired
        | FactKind::CredentialDisabled
        | FactKind::CredentialRevoked
        | FactKind::CredentialExpired
        | FactKind::EntitlementRemoved => true,
        FactKind::EntitlementChanged => {
            let removes = |detail: &Entitlement| !detail.implies_removed.is_empty();
            !gives_access(fact) && matches!(&fact.detail, Some(Detail::Entitlement(detail)) if removes(detail))
        }
        _ => false,
    }
}
