//! What is true of a generated company, as the files alone cannot say it: which approval stands behind each change,
//! what each identity could do, what was planted. Owns the shape of `ground-truth.json`; decides nothing.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

/// The whole ground truth.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Truth {
    /// Every successful change that gave access, by time. One event that grants two roles is two changes.
    pub changes: Vec<Change>,
    /// Every successful change of what a group gives its members, by time. It is about nobody in particular, and no ticket
    /// asks for it.
    pub widened: Vec<Widened>,
    /// What some identities could do at some moments, with late events taken into account.
    pub states: Vec<State>,
    /// Access whose approved time has run out and that nobody removed.
    pub lapsed: Vec<Lapsed>,
    /// Access that movers and leavers should have lost and kept.
    pub kept: Vec<Kept>,
    /// What is live when the story ends, or should be.
    pub live: Vec<Live>,
    /// What some people could do by the directory at some moments, through groups within groups.
    pub reach: Vec<Reach>,
    /// Every change of the directory that is about no person, and what it gave and took.
    pub redefinitions: Vec<Redefinition>,
    /// Whose accounts are whose, once the mapping file, the rules and the accounts beside them are imported.
    pub whose: Vec<Whose>,
    /// What the inventory has of some non-human identities at the end, once the register is imported too.
    pub non_human: Vec<NonHuman>,
    pub story: Story,
    pub counts: Counts,
}

/// What stands behind a change.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Verdict {
    /// The quorum was complete before the change.
    Approved,
    /// The quorum was complete only after the change.
    ApprovedLate,
    /// The change names an approved ticket that is for somebody else.
    OtherBeneficiary,
    /// The change names a rejected ticket.
    Rejected,
    /// The change names a ticket that was never decided.
    Pending,
    /// No ticket asks for this.
    None,
    /// Two approved tickets fit, and the change names neither.
    Ambiguous,
}

/// How a change leads to its ticket.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Rule {
    /// The change names the ticket.
    Explicit,
    /// Another event of the same transaction names the ticket.
    Transaction,
    /// Same beneficiary, same entitlement, at most 14 days after the approval.
    Window,
}

/// One access-giving change.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Change {
    pub event_uuid: String,
    pub event_type: String,
    pub occurred_at: Timestamp,
    pub subject_login: String,
    /// Of Okta, or in AWS `user/NAME`, `role/NAME` or `sso_user/…`.
    pub subject_id: String,
    /// As tickets write it: `okta/group_member/00g…`, `okta/app_assignment/0oa…`, `okta/role/APP_ADMIN`, `okta/account`,
    /// `okta/api_token`, `okta/oauth_client`; `aws@111122223333/account`, and so `/group_member/Name`, `/policy/arn:…`,
    /// `/role/arn:…` (a permission set), `/password` and `/access_key`.
    pub entitlement: String,
    /// The id of the token or client that a credential change created.
    pub credential_id: Option<String>,
    pub executor_login: String,
    pub api_token_id: Option<String>,
    pub verdict: Verdict,
    /// `SR-1042`; absent where the verdict is `none` or `ambiguous`.
    pub ticket: Option<String>,
    pub rule: Option<Rule>,
    /// The tickets an ambiguous change could belong to.
    pub candidates: Vec<String>,
    pub requester_email: Option<String>,
    /// Who said yes, in order, each once.
    pub approver_emails: Vec<String>,
    /// When the quorum was complete.
    pub approved_at: Option<Timestamp>,
    pub late_delivery: bool,
}

/// A group, or something like it, that gives its members more than before.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Widened {
    pub event_uuid: String,
    pub occurred_at: Timestamp,
    /// `okta/group_member/00g…`; in AWS a group, a permission set, or `aws@111122223333/session_role/NAME`, which those have
    /// who may assume the role.
    pub entitlement: String,
    /// `okta/app_assignment/0oa…`, or a policy; of a role that was made, the account that acts in its sessions.
    pub gained: String,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum AccountStatus {
    /// Not created yet.
    Absent,
    /// Created, not yet active.
    Created,
    Active,
    Suspended,
    Locked,
    Deactivated,
}

/// What one identity was at one moment.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct State {
    pub login: String,
    pub at: Timestamp,
    pub account: AccountStatus,
    /// Groups, apps and roles of Okta that were granted and not removed, sorted. Whether the account is active does not matter.
    pub entitlements: Vec<String>,
}

/// Time-bound access that is still held after the time the ticket allowed.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Lapsed {
    pub login: String,
    pub entitlement: String,
    pub ticket: String,
    pub until: Timestamp,
}

/// Access kept through a change of department or a departure.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Kept {
    pub login: String,
    pub entitlement: String,
    pub reason: KeptReason,
    /// When the move or the departure happened.
    pub since: Timestamp,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum KeptReason {
    Mover,
    Leaver,
}

/// An account, or an access that somebody has directly.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Live {
    pub login: String,
    /// As in [`Change::subject_id`], and `root/…`.
    pub subject_id: String,
    /// As in [`Change::entitlement`].
    pub entitlement: String,
    pub kind: LiveKind,
}

/// What a listing, the log and the approvals say of each other.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum LiveKind {
    Approved,
    /// Live and in the log, and not approved in time.
    Unapproved,
    /// Live, and never in the log.
    Unrecorded,
    /// In the log, and not live.
    Missing,
    /// Live although the time that the ticket allowed is over.
    Expired,
    /// Live although the log says that it was taken away.
    Revoked,
}

/// Everything that somebody could do by the directory at one moment.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Reach {
    /// The account's id in the directory.
    pub subject_id: String,
    pub at: Timestamp,
    /// `directory/group_member/…`, `directory/app_assignment/…`, `directory/role/…`, sorted.
    pub entitlements: Vec<String>,
}

/// A change of what groups mean, or of which groups are within others.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Redefinition {
    pub event_id: String,
    /// Whose access, and what, as in [`Reach`].
    pub gained: Vec<(String, String)>,
    pub lost: Vec<(String, String)>,
}

/// What is somebody's at a moment.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Whose {
    /// `person:people:default:E-1042`; or an account that nobody is said to have.
    pub person: String,
    pub at: Timestamp,
    /// Their accounts in Okta and in Freshservice, by their entities, sorted.
    pub accounts: Vec<String>,
    /// Those that a row says are theirs, and another row somebody else's.
    pub contested: Vec<String>,
}

/// A non-human identity.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct NonHuman {
    /// `account:okta:default:00u…`, `credential:okta:default:api_token/00T…`.
    pub entity: String,
    pub owner: Option<OwnerOf>,
    /// `NO_OWNER`, `OWNER_LEFT`, …: all that is missing.
    pub gaps: Vec<String>,
}

/// Whoever answers for one.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct OwnerOf {
    pub person: String,
    pub left: bool,
}

/// The few things worth showing to somebody who has five minutes.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Story {
    pub identity_login: String,
    pub identity_name: String,
    /// A moment when that identity had an access that it no longer has.
    pub past_at: Timestamp,
    pub past_entitlement: String,
    pub past_entitlement_name: String,
    pub past_removed_at: Timestamp,
    /// The change that gave it: approved on two levels, with a reference.
    pub explained_change_uuid: String,
    pub explained_ticket: String,
    /// A change of the same identity that nobody approved.
    pub unapproved_change_uuid: String,
    pub unapproved_entitlement: String,
    pub unapproved_entitlement_name: String,
    pub late_file: String,
    pub late_identity_login: String,
    pub late_identity_name: String,
    /// The moment whose answer changes when the late file arrives: it takes `late_entitlement` away.
    pub late_at: Timestamp,
    pub late_entitlement: String,
    pub late_entitlement_name: String,
    pub agent_login: String,
    pub agent_token_id: String,
}

/// Sizes, so that a reader of the files can tell whether it has seen everything.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Counts {
    pub people: usize,
    pub identities: usize,
    pub okta_groups: usize,
    pub tickets: usize,
    pub ticket_versions: usize,
    pub approval_rows: usize,
    pub approval_versions: usize,
    /// Distinct System Log events, those in the late file included.
    pub okta_events: usize,
    pub okta_late_events: usize,
    pub okta_failures: usize,
    /// Lines delivered twice.
    pub okta_duplicates: usize,
    pub hook_events: usize,
    /// Distinct events of CloudTrail.
    pub cloudtrail_events: usize,
    /// Those that come in a later file than their time.
    pub cloudtrail_postponed: usize,
    /// Those that come twice.
    pub cloudtrail_duplicates: usize,
    pub verdicts: BTreeMap<Verdict, usize>,
}

impl Truth {
    /// As `ground-truth.json` has it.
    pub fn to_json(&self) -> serde_json::Result<Vec<u8>> {
        let mut bytes = serde_json::to_vec_pretty(self)?;
        bytes.push(b'\n');
        Ok(bytes)
    }
}
