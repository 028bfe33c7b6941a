//! One event of a log, Okta's System Log or CloudTrail, and what an access-giving event rests on. Owns the vocabulary of deeds.
//! Decides nothing and renders nothing.

use jiff::Timestamp;

use crate::case::CaseIndex;
use crate::cloud::CloudDeed;
use crate::company::{Access, IdentityIndex};
use crate::truth::{Rule, Verdict};

/// One event of a log.
pub(crate) struct Action {
    pub(crate) at: Timestamp,
    pub(crate) uuid: u128,
    pub(crate) event: Event,
    pub(crate) subject: IdentityIndex,
    pub(crate) executor: Executor,
    /// The ticket that the call names.
    pub(crate) reference: Option<CaseIndex>,
    /// The transaction that it shares with others; most have one of their own.
    pub(crate) transaction: Option<u128>,
    pub(crate) succeeded: bool,
    pub(crate) late: bool,
}

/// In whose log it is, and what it says there.
pub(crate) enum Event {
    Okta(Deed),
    Cloud(CloudDeed),
}

impl From<Deed> for Event {
    fn from(deed: Deed) -> Event {
        Event::Okta(deed)
    }
}

impl From<CloudDeed> for Event {
    fn from(deed: CloudDeed) -> Event {
        Event::Cloud(deed)
    }
}

impl Action {
    pub(crate) fn okta(&self) -> Option<&Deed> {
        match &self.event {
            Event::Okta(deed) => Some(deed),
            Event::Cloud(_) => None,
        }
    }

    pub(crate) fn cloud(&self) -> Option<CloudDeed> {
        match self.event {
            Event::Okta(_) => None,
            Event::Cloud(deed) => Some(deed),
        }
    }
}

/// What happens in Okta.
#[derive(Clone, PartialEq, Eq)]
pub(crate) enum Deed {
    CreateAccount,
    Activate,
    Deactivate,
    Suspend,
    Unsuspend,
    Lock,
    Unlock,
    UpdateProfile(&'static str),
    JoinGroup(usize),
    LeaveGroup(usize),
    AssignApp(usize),
    UnassignApp(usize),
    GrantRoles(Vec<usize>),
    RevokeRoles(Vec<usize>),
    CreateToken(usize),
    RevokeToken(usize),
    CreateClient(usize),
    CreateGroup(usize),
    AssignGroupApp { group: usize, app: usize },
    SignIn,
    SignOnPolicy,
    SingleSignOn(usize),
    RateLimit,
    ClientToken(usize),
}

#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Executor {
    /// Okta itself; in AWS, the root user.
    System,
    /// In the console.
    Console(IdentityIndex),
    /// Through the API, with this token.
    Token(usize),
}

/// The ground truth of an action, before tickets have numbers.
pub(crate) struct PlannedChange {
    pub(crate) action: ActionIndex,
    pub(crate) access: Access,
    pub(crate) basis: Basis,
}

/// What an access-giving action rests on.
#[derive(Clone, Copy)]
pub(crate) struct Basis {
    pub(crate) verdict: Verdict,
    pub(crate) rule: Option<Rule>,
    pub(crate) case: Option<CaseIndex>,
    pub(crate) rival: Option<CaseIndex>,
}

impl Basis {
    pub(crate) const NONE: Basis = Basis { verdict: Verdict::None, rule: None, case: None, rival: None };

    pub(crate) fn explicit(verdict: Verdict, case: CaseIndex) -> Basis {
        Basis { verdict, rule: Some(Rule::Explicit), case: Some(case), rival: None }
    }

    pub(crate) fn window(case: CaseIndex) -> Basis {
        Basis { verdict: Verdict::Approved, rule: Some(Rule::Window), case: Some(case), rival: None }
    }

    pub(crate) fn transaction(case: CaseIndex) -> Basis {
        Basis { verdict: Verdict::Approved, rule: Some(Rule::Transaction), case: Some(case), rival: None }
    }

    pub(crate) fn ambiguous(case: CaseIndex, rival: CaseIndex) -> Basis {
        Basis { verdict: Verdict::Ambiguous, rule: None, case: Some(case), rival: Some(rival) }
    }

    /// The ticket that the call is to name.
    pub(crate) fn reference(&self) -> Option<CaseIndex> {
        self.case.filter(|_| self.rule == Some(Rule::Explicit))
    }
}

#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(crate) struct ActionIndex(pub(crate) usize);

/// A token or an OAuth client.
pub(crate) struct Credential {
    pub(crate) id: String,
    pub(crate) name: String,
    pub(crate) owner: IdentityIndex,
}
