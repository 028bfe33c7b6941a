//! What the log says about one entity at a moment.
//!
//! Owns the shape of a replayed state. It is a protobuf message so that a view can keep it as a snapshot, and it holds
//! ids, codes and times only: names are added where an answer is made for people. It never decides what a fact does
//! (that is `replay`).

use std::collections::BTreeMap;
use std::ops::Bound;

use counterfoil_proto::v1::Record;

use crate::record::recorded_at;
use crate::remap::place_of;
use crate::time::{Moment, OccurredAt, RecordedAt};
use crate::tree::RecordIndex;

/// The state of one entity. Keys of maps are entity ids in text form; that of a grant, and of what is implied, ends in a
/// space and its scope.
#[derive(Clone, PartialEq, prost::Message)]
pub struct State {
    /// Its status as an account.
    #[prost(message, optional, tag = "1")]
    pub account: Option<AccountState>,
    /// Of an account: what it holds, by entitlement. Of an entitlement: who holds it, by holder.
    #[prost(btree_map = "string, message", tag = "2")]
    pub grants: BTreeMap<String, GrantState>,
    /// Of an account: the credentials it owns. Of a credential: itself.
    #[prost(btree_map = "string, message", tag = "3")]
    pub credentials: BTreeMap<String, CredentialState>,
    /// Its version and approvals as a ticket.
    #[prost(message, optional, tag = "4")]
    pub ticket: Option<TicketState>,
    /// What an entitlement implies for its holders, by entity and scope.
    #[prost(btree_map = "string, message", tag = "5")]
    pub implies: BTreeMap<String, ImpliedState>,
    /// Who answers for it.
    #[prost(btree_map = "string, message", tag = "6")]
    pub owners: BTreeMap<String, Evidence>,
    /// What a register of non-human identities says.
    #[prost(message, optional, tag = "7")]
    pub register: Option<RegisterState>,
    /// The accounts and persons it is linked with, by [`LinkState::key`].
    #[prost(btree_map = "string, message", tag = "8")]
    pub linked: BTreeMap<String, LinkState>,
    /// The latest step of its lifecycle.
    #[prost(message, optional, tag = "9")]
    pub lifecycle: Option<LifecycleState>,
    /// The type of identity that the latest fact about it gave.
    #[prost(enumeration = "counterfoil_proto::v1::IdentityType", tag = "10")]
    pub identity_type: i32,
    /// The fact that removed it as an entitlement.
    #[prost(message, optional, tag = "11")]
    pub removed: Option<Evidence>,
    /// Of the scope of listings: how they ended.
    #[prost(message, optional, tag = "12")]
    pub listings: Option<ListingsState>,
    /// Of an entitlement: what it holds itself, as a group does that is a member of another. Its `grants` are its holders.
    #[prost(btree_map = "string, message", tag = "13")]
    pub held: BTreeMap<String, GrantState>,
    /// Of an entitlement: the version of its definition that the latest fact to name one gave.
    #[prost(message, optional, tag = "14")]
    pub version: Option<VersionState>,
    /// Of a matching rule: what was declared last.
    #[prost(message, optional, tag = "15")]
    pub rule: Option<RuleState>,
}

impl State {
    /// Whether an entitlement implies an entity, given in text form, in any scope.
    pub fn implies_anywhere(&self, implied: &str) -> bool {
        let first = format!("{implied} ");
        let next = self.implies.range::<str, _>((Bound::Included(first.as_str()), Bound::Unbounded)).next();
        next.is_some_and(|(key, _)| key.starts_with(&first))
    }
}

/// The fact that something rests on, and both its times.
#[derive(Clone, Copy, PartialEq, Eq, prost::Message)]
pub struct Evidence {
    /// The record.
    #[prost(uint64, tag = "1")]
    pub index: u64,
    /// The fact within it, from 0.
    #[prost(uint32, tag = "2")]
    pub fact: u32,
    /// When it happened, in seconds since 1970.
    #[prost(sint64, tag = "3")]
    pub occurred_seconds: i64,
    /// The nanoseconds of that second.
    #[prost(uint32, tag = "4")]
    pub occurred_nanos: u32,
    /// When the ledger learned it, in seconds since 1970.
    #[prost(sint64, tag = "5")]
    pub recorded_seconds: i64,
    /// The nanoseconds of that second.
    #[prost(uint32, tag = "6")]
    pub recorded_nanos: u32,
    /// How the producer of the record was authenticated.
    #[prost(enumeration = "counterfoil_proto::v1::Authentication", tag = "7")]
    pub authentication: i32,
    /// The record in which its event first came: another one than `index` where it was read again since.
    #[prost(uint64, tag = "8")]
    pub place: u64,
}

/// The order in which facts apply: by when they happened; at the same moment, by where their event first came, then by
/// their record and their number in it. What is read again keeps the event's place.
pub type ReplayOrder = (OccurredAt, RecordIndex, RecordIndex, u32);

impl Evidence {
    /// The evidence that fact number `fact` of a record is.
    pub fn of(record: &Record, fact: u32, occurred_at: OccurredAt) -> Self {
        let recorded_at = recorded_at(record);
        Self {
            index: record.index,
            fact,
            occurred_seconds: occurred_at.0.seconds,
            occurred_nanos: occurred_at.0.nanos,
            recorded_seconds: recorded_at.0.seconds,
            recorded_nanos: recorded_at.0.nanos,
            authentication: record.provenance.as_ref().map_or(0, |provenance| provenance.authentication),
            place: place_of(record).0,
        }
    }

    /// When it happened.
    pub fn occurred_at(&self) -> OccurredAt {
        OccurredAt(Moment { seconds: self.occurred_seconds, nanos: self.occurred_nanos })
    }

    /// When the ledger learned it.
    pub fn recorded_at(&self) -> RecordedAt {
        RecordedAt(Moment { seconds: self.recorded_seconds, nanos: self.recorded_nanos })
    }

    /// Its place in the order of replay.
    pub fn order(&self) -> ReplayOrder {
        (self.occurred_at(), RecordIndex(self.place), RecordIndex(self.index), self.fact)
    }
}

/// The status of an account.
#[derive(Clone, PartialEq, prost::Message)]
pub struct AccountState {
    /// The latest status that a fact gave.
    #[prost(enumeration = "counterfoil_proto::v1::AccountStatus", tag = "1")]
    pub status: i32,
    /// Locked and not unlocked since.
    #[prost(bool, tag = "2")]
    pub locked: bool,
    /// Disabled by a suspension that is meant to be lifted.
    #[prost(bool, tag = "3")]
    pub reversible: bool,
    /// The department, in the source's own id.
    #[prost(string, tag = "4")]
    pub department: String,
    /// The fact that it rests on.
    #[prost(message, required, tag = "5")]
    pub evidence: Evidence,
}

/// A grant that holds, seen from one of its ends.
#[derive(Clone, PartialEq, prost::Message)]
pub struct GrantState {
    /// The entitlement or the holder, in text form.
    #[prost(string, tag = "1")]
    pub counterpart: String,
    /// Where it holds, in the source's own id.
    #[prost(string, tag = "2")]
    pub scope: String,
    /// Its expiry, mode and conditions.
    #[prost(message, optional, tag = "3")]
    pub grant: Option<counterfoil_proto::v1::Grant>,
    /// What the grant is inherited through, in text form; empty for a direct grant.
    #[prost(string, tag = "4")]
    pub inherited_via: String,
    /// Who granted it, in text form.
    #[prost(string, tag = "5")]
    pub actor: String,
    /// Whether a log or a listing says so.
    #[prost(enumeration = "counterfoil_proto::v1::Confidence", tag = "6")]
    pub confidence: i32,
    /// The fact that it rests on.
    #[prost(message, required, tag = "7")]
    pub evidence: Evidence,
}

/// What an entitlement implies.
#[derive(Clone, PartialEq, prost::Message)]
pub struct ImpliedState {
    /// What its holders gain, in text form.
    #[prost(string, tag = "1")]
    pub implied: String,
    /// Where they do, in the source's own id.
    #[prost(string, tag = "2")]
    pub scope: String,
    /// The fact that it rests on.
    #[prost(message, required, tag = "3")]
    pub evidence: Evidence,
}

/// Which version of a definition counts.
#[derive(Clone, PartialEq, prost::Message)]
pub struct VersionState {
    /// The source's id of it.
    #[prost(string, tag = "1")]
    pub version: String,
    /// The fact that it rests on.
    #[prost(message, required, tag = "2")]
    pub evidence: Evidence,
}

/// A credential and its owner.
#[derive(Clone, PartialEq, prost::Message)]
pub struct CredentialState {
    /// Whose it is, in text form.
    #[prost(string, tag = "1")]
    pub owner: String,
    /// The latest status that a fact gave.
    #[prost(enumeration = "counterfoil_proto::v1::CredentialStatus", tag = "2")]
    pub status: i32,
    /// When it runs out.
    #[prost(message, optional, tag = "3")]
    pub expires_at: Option<counterfoil_proto::v1::Time>,
    /// The fact that created it.
    #[prost(message, optional, tag = "4")]
    pub created: Option<Evidence>,
    /// The latest rotation.
    #[prost(message, optional, tag = "5")]
    pub rotated: Option<Evidence>,
    /// The latest use.
    #[prost(message, optional, tag = "6")]
    pub last_used: Option<Evidence>,
    /// The fact that it rests on.
    #[prost(message, required, tag = "7")]
    pub evidence: Evidence,
}

/// A ticket, its newest version and its approvals.
#[derive(Clone, PartialEq, prost::Message)]
pub struct TicketState {
    /// The newest version: a field that it leaves out keeps what an earlier version said.
    #[prost(message, required, tag = "1")]
    pub version: counterfoil_proto::v1::Ticket,
    /// Who asked, in text form.
    #[prost(string, tag = "2")]
    pub requester: String,
    /// Who works on it, in text form.
    #[prost(string, tag = "3")]
    pub assignee: String,
    /// The beneficiary's entities in text form: its id, or its identifiers where there is no id.
    #[prost(string, repeated, tag = "4")]
    pub beneficiary: Vec<String>,
    /// What access it asks for.
    #[prost(message, repeated, tag = "5")]
    pub items: Vec<ItemState>,
    /// Since when the source itself says what it says of the whole approval.
    #[prost(message, optional, tag = "6")]
    pub source_decided: Option<Evidence>,
    /// The fact that opened it.
    #[prost(message, optional, tag = "7")]
    pub opened: Option<Evidence>,
    /// By the source's id of the approval, or by level and approver.
    #[prost(btree_map = "string, message", tag = "8")]
    pub approvals: BTreeMap<String, ApprovalState>,
    /// The newest version's evidence; of a ticket known by its approvals alone, that of the last approval.
    #[prost(message, required, tag = "9")]
    pub evidence: Evidence,
    /// Since when it is cancelled, where it is.
    #[prost(message, optional, tag = "10")]
    pub cancelled: Option<Evidence>,
    /// Since when it is closed or resolved, where it is.
    #[prost(message, optional, tag = "11")]
    pub closed: Option<Evidence>,
    /// A version of it is recorded, and not only that it was opened, or its approvals.
    #[prost(bool, tag = "12")]
    pub versioned: bool,
}

/// One access that a ticket asks for.
#[derive(Clone, PartialEq, prost::Message)]
pub struct ItemState {
    /// What is asked for.
    #[prost(message, required, tag = "1")]
    pub item: counterfoil_proto::v1::AccessItem,
    /// The target's entities in text form; none where any of its type is meant.
    #[prost(string, repeated, tag = "2")]
    pub targets: Vec<String>,
}

/// One approver's part.
#[derive(Clone, PartialEq, prost::Message)]
pub struct ApprovalState {
    /// The level of approval, from 1.
    #[prost(uint32, tag = "1")]
    pub level: u32,
    /// How many of the level must approve.
    #[prost(enumeration = "counterfoil_proto::v1::ApprovalRule", tag = "2")]
    pub rule: i32,
    /// How many, under the rule quorum.
    #[prost(uint32, tag = "3")]
    pub quorum: u32,
    /// Who was asked, in text form.
    #[prost(string, tag = "4")]
    pub approver: String,
    /// Who decided, in text form.
    #[prost(string, tag = "5")]
    pub decided_by: String,
    /// The latest decision.
    #[prost(enumeration = "counterfoil_proto::v1::Decision", tag = "6")]
    pub decision: i32,
    /// The fact that it rests on.
    #[prost(message, required, tag = "7")]
    pub evidence: Evidence,
    /// Who may decide instead of the approver, in text form.
    #[prost(string, tag = "8")]
    pub delegate: String,
    /// The fact that named the delegate first.
    #[prost(message, optional, tag = "9")]
    pub delegated: Option<Evidence>,
}

/// An entry in a register of non-human identities.
#[derive(Clone, PartialEq, prost::Message)]
pub struct RegisterState {
    /// It is in the register.
    #[prost(bool, tag = "1")]
    pub registered: bool,
    /// It was retired.
    #[prost(bool, tag = "2")]
    pub retired: bool,
    /// Its purpose is declared.
    #[prost(bool, tag = "3")]
    pub purpose_declared: bool,
    /// When it runs out.
    #[prost(message, optional, tag = "4")]
    pub expires_at: Option<counterfoil_proto::v1::Time>,
    /// How often its secret is to be rotated.
    #[prost(uint64, tag = "5")]
    pub rotation_interval_seconds: u64,
    /// The fact that it rests on.
    #[prost(message, required, tag = "6")]
    pub evidence: Evidence,
    /// It is said where its secret is kept.
    #[prost(bool, tag = "7")]
    pub storage_declared: bool,
    /// The systems that it may touch.
    #[prost(string, repeated, tag = "8")]
    pub systems: Vec<String>,
    /// The operations that it may use.
    #[prost(string, repeated, tag = "9")]
    pub operations: Vec<String>,
    /// Since when it is suspected of misuse.
    #[prost(message, optional, tag = "10")]
    pub suspected_at: Option<counterfoil_proto::v1::Time>,
    /// Since when it is out of use, where it is retired.
    #[prost(message, optional, tag = "11")]
    pub retired_at: Option<counterfoil_proto::v1::Time>,
    /// The newest entry as a whole: beside its record lies where the secret is kept.
    #[prost(message, optional, tag = "12")]
    pub entry: Option<Evidence>,
    /// The fact that declares its purpose: beside its record lies the text.
    #[prost(message, optional, tag = "13")]
    pub purpose: Option<Evidence>,
}

/// Somebody whom an identity is linked with.
#[derive(Clone, PartialEq, prost::Message)]
pub struct LinkState {
    /// The account, the person or the identifier, in text form.
    #[prost(string, tag = "1")]
    pub counterpart: String,
    /// The system and the tenant in which an identifier at either end is meant, where the link gives no id: whoever is
    /// called so elsewhere is another one. Empty where both ends have ids, and where the identifier itself is meant.
    #[prost(string, tag = "2")]
    pub system: String,
    /// The tenant.
    #[prost(string, tag = "3")]
    pub instance: String,
    /// The fact that it rests on.
    #[prost(message, required, tag = "4")]
    pub evidence: Evidence,
}

impl LinkState {
    /// Its key in [`State::linked`]: the counterpart, and behind a space where an identifier is meant.
    pub fn key(&self) -> String {
        match self.system.is_empty() {
            true => self.counterpart.clone(),
            false => format!("{} {}:{}", self.counterpart, self.system, self.instance),
        }
    }
}

/// A matching rule, as it was declared last.
#[derive(Clone, PartialEq, prost::Message)]
pub struct RuleState {
    /// What was declared.
    #[prost(message, required, tag = "1")]
    pub rule: counterfoil_proto::v1::MatchingRule,
    /// The fact that declares it.
    #[prost(message, required, tag = "2")]
    pub evidence: Evidence,
}

/// A step of a lifecycle.
#[derive(Clone, PartialEq, prost::Message)]
pub struct LifecycleState {
    /// Joiner, mover or leaver.
    #[prost(enumeration = "counterfoil_proto::v1::FactKind", tag = "1")]
    pub kind: i32,
    /// From when on.
    #[prost(message, optional, tag = "2")]
    pub effective_at: Option<counterfoil_proto::v1::Time>,
    /// The fact that it rests on.
    #[prost(message, required, tag = "3")]
    pub evidence: Evidence,
}

/// The listings of one scope.
#[derive(Clone, PartialEq, prost::Message)]
pub struct ListingsState {
    /// The latest beginning. If no end came after it, that listing never ended, and proves nothing.
    #[prost(message, optional, tag = "1")]
    pub begun: Option<Evidence>,
    /// The latest end, whatever it says.
    #[prost(message, optional, tag = "2")]
    pub ended: Option<EndState>,
    /// The latest end of a complete listing.
    #[prost(message, optional, tag = "3")]
    pub complete: Option<EndState>,
    /// The end of the complete listing before that.
    #[prost(message, optional, tag = "4")]
    pub complete_before: Option<EndState>,
}

/// How a listing ended.
#[derive(Clone, PartialEq, prost::Message)]
pub struct EndState {
    /// From when on it may lack what changed; its end is when it happened.
    #[prost(message, optional, tag = "1")]
    pub as_of: Option<counterfoil_proto::v1::Time>,
    /// How many items it has.
    #[prost(uint64, tag = "2")]
    pub count: u64,
    /// The root over its items, 32 bytes.
    #[prost(bytes = "vec", tag = "3")]
    pub root: Vec<u8>,
    /// Why it is incomplete, or on whose word it is complete.
    #[prost(string, tag = "4")]
    pub reason: String,
    /// The fact that says so.
    #[prost(message, required, tag = "5")]
    pub evidence: Evidence,
}

impl ListingsState {
    /// Whether the latest listing has begun and not ended.
    pub fn is_open(&self) -> bool {
        let ended = self.ended.as_ref().map(|ended| ended.evidence.order());
        self.begun.is_some_and(|begun| ended.is_none_or(|ended| ended < begun.order()))
    }
}
