//! What has happened so far: tickets opened, actions taken, access held, and the verdict each access-giving action earns.
//! Owns these lists and keeps them consistent with each other. The plots (migration, lives, requests, story) decide what
//! happens; the renderers only read.

use std::collections::BTreeSet;

use jiff::{SignedDuration, Timestamp};

use crate::action::{Action, ActionIndex, Basis, Credential, Deed, Event, Executor, PlannedChange};
use crate::approvals::{Ending, Pace, Panel, decide};
use crate::calendar::{Span, whole_second};
use crate::case::{Case, CaseIndex, Operation, Request};
use crate::cloud::{CloudAccess, CloudDeed, is_in_directory};
use crate::company::{Access, Company, IdentityIndex};
use crate::random::Random;
use crate::truth::{Kept, KeptReason, Lapsed, Verdict};

/// How long AWS takes to carry out an assignment.
const CARRIED_OUT_AFTER: SignedDuration = SignedDuration::from_secs(3);

pub(crate) struct Chronicle {
    pub(crate) span: Span,
    pub(crate) company: Company,
    pub(crate) random: Random,
    /// In no order until they are numbered.
    pub(crate) cases: Vec<Case>,
    /// In no order; by time, then by index.
    pub(crate) actions: Vec<Action>,
    pub(crate) changes: Vec<PlannedChange>,
    pub(crate) tokens: Vec<Credential>,
    pub(crate) clients: Vec<Credential>,
    /// The provisioner's tokens, oldest first: each in use from its time on.
    pub(crate) provisioner_tokens: Vec<(Timestamp, usize)>,
    pub(crate) agent_tokens: Vec<(Timestamp, usize)>,
    /// What is held and not yet taken away.
    pub(crate) held: BTreeSet<(IdentityIndex, Access)>,
    /// What was ever asked for or given: nobody asks for the same access twice.
    pub(crate) spoken_for: BTreeSet<(IdentityIndex, Access)>,
    pub(crate) lapses: Vec<(IdentityIndex, Access, CaseIndex)>,
    pub(crate) kept: Vec<(IdentityIndex, Access, KeptReason, Timestamp)>,
    pub(crate) story: StoryMarks,
}

/// What the story needs to find again.
#[derive(Default)]
pub(crate) struct StoryMarks {
    pub(crate) explained: Option<ActionIndex>,
    pub(crate) unapproved: Option<ActionIndex>,
    pub(crate) past_removed: Option<ActionIndex>,
    pub(crate) late_removed: Option<ActionIndex>,
}

impl Chronicle {
    pub(crate) fn new(span: Span, company: Company, random: Random) -> Chronicle {
        Chronicle {
            span,
            company,
            random,
            cases: Vec::new(),
            actions: Vec::new(),
            changes: Vec::new(),
            tokens: Vec::new(),
            clients: Vec::new(),
            provisioner_tokens: Vec::new(),
            agent_tokens: Vec::new(),
            held: BTreeSet::new(),
            spoken_for: BTreeSet::new(),
            lapses: Vec::new(),
            kept: Vec::new(),
            story: StoryMarks::default(),
        }
    }

    /// A ticket with its approvals, not yet filed: the caller may look at its times and let it go.
    pub(crate) fn draft(&mut self, request: Request, panel: Panel, ending: Ending, pace: Pace) -> Case {
        let approvers = self.approvers(request.beneficiary, request.requester);
        let course = decide(&mut self.random, &approvers, panel, ending, pace, request.opened_at);
        let Request { requester, beneficiary, items, operation, subject, justification, opened_at } = request;
        let (from, until, finished_at) = (None, None, None);
        let number = 0;
        Case {
            number,
            requester,
            beneficiary,
            items,
            is_for_any: false,
            operation,
            from,
            until,
            subject,
            justification,
            opened_at,
            ending,
            course,
            finished_at,
        }
    }

    /// The manager first, then heads of departments; nobody approves their own request or their own access.
    pub(crate) fn approvers(&mut self, beneficiary: IdentityIndex, requester: IdentityIndex) -> Vec<IdentityIndex> {
        let mut heads: Vec<_> = self.company.departments.iter().map(|department| department.head).collect();
        self.random.shuffle(&mut heads);
        let manager = self.company.of(beneficiary).manager;
        heads.retain(|head| Some(*head) != manager);
        manager.into_iter().chain(heads).filter(|who| *who != beneficiary && *who != requester).collect()
    }

    pub(crate) fn file(&mut self, case: Case) -> CaseIndex {
        if case.operation == Operation::Add {
            self.spoken_for.extend(case.items.iter().map(|item| (case.beneficiary, *item)));
        }
        self.cases.push(case);
        CaseIndex(self.cases.len() - 1)
    }

    /// Approved, and filed at once.
    pub(crate) fn approved(&mut self, request: Request, panel: Panel, pace: Pace) -> (CaseIndex, Timestamp) {
        let case = self.draft(request, panel, Ending::Approved, pace);
        let decided_at = case.course.decided_at.unwrap_or(case.opened_at);
        (self.file(case), decided_at)
    }

    /// Gives access; the last of the events that do it.
    pub(crate) fn give(
        &mut self,
        at: Timestamp,
        executor: Executor,
        subject: IdentityIndex,
        access: Access,
        basis: Basis,
    ) -> ActionIndex {
        let deed = match access {
            Access::Account => {
                self.change(at, executor, subject, Deed::CreateAccount, access, basis);
                return self.change(
                    at + SignedDuration::from_millis(640),
                    executor,
                    subject,
                    Deed::Activate,
                    access,
                    basis,
                );
            }
            Access::ApiToken => {
                let credential = self.credential("00T", subject);
                self.tokens.push(credential);
                Deed::CreateToken(self.tokens.len() - 1)
            }
            Access::OauthClient => {
                let credential = self.credential("0oa", subject);
                self.clients.push(credential);
                Deed::CreateClient(self.clients.len() - 1)
            }
            Access::Group(group) => Deed::JoinGroup(group),
            Access::App(app) => Deed::AssignApp(app),
            Access::Role(role) => Deed::GrantRoles(vec![role]),
            Access::Cloud(cloud) => return self.give_in_cloud(at, executor, subject, cloud, basis),
        };
        self.change(at, executor, subject, deed, access, basis)
    }

    /// Gives somebody something in AWS, in as many calls as that takes.
    fn give_in_cloud(
        &mut self,
        at: Timestamp,
        executor: Executor,
        subject: IdentityIndex,
        cloud: CloudAccess,
        basis: Basis,
    ) -> ActionIndex {
        let mut at = at;
        if let CloudAccess::Assignment(set) = cloud {
            self.act(at, executor, subject, CloudDeed::Ask(set), basis.reference());
            at += CARRIED_OUT_AFTER;
        }
        let deed = match cloud {
            CloudAccess::User if is_in_directory(&self.company, subject) => CloudDeed::Enter,
            cloud => CloudDeed::Give(cloud),
        };
        self.change(at, executor, subject, deed, Access::Cloud(cloud), basis)
    }

    /// Several roles in one event.
    pub(crate) fn give_roles(
        &mut self,
        at: Timestamp,
        executor: Executor,
        subject: IdentityIndex,
        roles: Vec<usize>,
        basis: Basis,
    ) {
        let action = self.act(at, executor, subject, Deed::GrantRoles(roles.clone()), basis.reference());
        for role in roles {
            self.record(action, subject, Access::Role(role), basis);
        }
    }

    /// An account that is switched on again.
    pub(crate) fn unsuspend(&mut self, at: Timestamp, executor: Executor, subject: IdentityIndex, case: CaseIndex) {
        self.change(at, executor, subject, Deed::Unsuspend, Access::Account, Basis::explicit(Verdict::Approved, case));
    }

    /// Takes access away, whoever asked for that.
    pub(crate) fn take(
        &mut self,
        at: Timestamp,
        executor: Executor,
        subject: IdentityIndex,
        access: Access,
        reference: Option<CaseIndex>,
    ) -> ActionIndex {
        self.held.remove(&(subject, access));
        let deed = match access {
            Access::Group(group) => Deed::LeaveGroup(group),
            Access::App(app) => Deed::UnassignApp(app),
            Access::Role(role) => Deed::RevokeRoles(vec![role]),
            Access::ApiToken => {
                let owned = self.tokens.iter().rposition(|token| token.owner == subject);
                Deed::RevokeToken(owned.expect("a token that is held was created"))
            }
            // A client goes with the account it belongs to.
            Access::Account | Access::OauthClient => Deed::Deactivate,
            Access::Cloud(cloud) => return self.take_in_cloud(at, executor, subject, cloud, reference),
        };
        self.act(at, executor, subject, deed, reference)
    }

    fn take_in_cloud(
        &mut self,
        at: Timestamp,
        executor: Executor,
        subject: IdentityIndex,
        cloud: CloudAccess,
        reference: Option<CaseIndex>,
    ) -> ActionIndex {
        let mut at = at;
        if let CloudAccess::Assignment(set) = cloud {
            self.act(at, executor, subject, CloudDeed::AskEnd(set), reference);
            at += CARRIED_OUT_AFTER;
        }
        let deed = match cloud {
            CloudAccess::User if is_in_directory(&self.company, subject) => CloudDeed::Leave,
            cloud => CloudDeed::Take(cloud),
        };
        self.act(at, executor, subject, deed, reference)
    }

    pub(crate) fn act(
        &mut self,
        at: Timestamp,
        executor: Executor,
        subject: IdentityIndex,
        event: impl Into<Event>,
        reference: Option<CaseIndex>,
    ) -> ActionIndex {
        let event = event.into();
        // CloudTrail tells whole seconds.
        let at = if matches!(event, Event::Cloud(_)) { whole_second(at) } else { at };
        if let Some(case) = reference {
            let finished = &mut self.cases[case.0].finished_at;
            *finished = (*finished).max(Some(whole_second(at)));
        }
        let uuid = self.random.uuid();
        let (transaction, succeeded, late) = (None, true, false);
        self.actions.push(Action { at, uuid, event, subject, executor, reference, transaction, succeeded, late });
        ActionIndex(self.actions.len() - 1)
    }

    /// A call that is refused: an event, and no change.
    pub(crate) fn fail(
        &mut self,
        at: Timestamp,
        executor: Executor,
        subject: IdentityIndex,
        event: impl Into<Event>,
        reference: Option<CaseIndex>,
    ) {
        let action = self.act(at, executor, subject, event, reference);
        self.actions[action.0].succeeded = false;
    }

    /// The provisioner with the token it uses at `at`.
    pub(crate) fn provisioner(&self, at: Timestamp) -> Executor {
        token_in_use(&self.provisioner_tokens, at).unwrap_or(Executor::Console(self.company.admins[0]))
    }

    /// The newest AI agent, once there is one.
    pub(crate) fn agent(&self, at: Timestamp) -> Option<Executor> {
        token_in_use(&self.agent_tokens, at)
    }

    /// An administrator in the console, never the beneficiary.
    pub(crate) fn admin(&mut self, subject: IdentityIndex) -> Executor {
        let others: Vec<_> = self.company.admins.iter().copied().filter(|admin| *admin != subject).collect();
        Executor::Console(*self.random.pick(&others))
    }

    pub(crate) fn executor_identity(&self, executor: Executor) -> Option<IdentityIndex> {
        match executor {
            Executor::System => None,
            Executor::Console(who) => Some(who),
            Executor::Token(token) => Some(self.tokens[token].owner),
        }
    }

    /// Numbers the tickets in order of opening. Returns the cases in that order.
    pub(crate) fn number_cases(&mut self) -> Vec<CaseIndex> {
        let mut order: Vec<_> = (0..self.cases.len()).map(CaseIndex).collect();
        order.sort_by_key(|case| (self.cases[case.0].opened_at, *case));
        for (n, case) in order.iter().enumerate() {
            self.cases[case.0].number = 1001 + n as u64;
        }
        order
    }

    pub(crate) fn ticket(&self, case: CaseIndex) -> String {
        format!("SR-{}", self.cases[case.0].number)
    }

    pub(crate) fn lapsed(&self) -> Vec<Lapsed> {
        let lapsed = |(who, access, case): &(IdentityIndex, Access, CaseIndex)| {
            let until = self.cases[case.0].until.filter(|until| *until < self.span.end)?;
            let still_held = self.held.contains(&(*who, *access));
            still_held.then(|| Lapsed {
                login: self.company.of(*who).login.clone(),
                entitlement: self.company.item(*access),
                ticket: self.ticket(*case),
                until,
            })
        };
        self.lapses.iter().filter_map(lapsed).collect()
    }

    pub(crate) fn kept(&self) -> Vec<Kept> {
        let kept = |(who, access, reason, since): &(IdentityIndex, Access, KeptReason, Timestamp)| Kept {
            login: self.company.of(*who).login.clone(),
            entitlement: self.company.item(*access),
            reason: *reason,
            since: *since,
        };
        self.kept.iter().map(kept).collect()
    }

    /// Something that nobody in particular asked for.
    pub(crate) fn unasked(&mut self, at: Timestamp, who: IdentityIndex, deed: CloudDeed, access: CloudAccess) {
        let (access, action) = (Access::Cloud(access), self.act(at, Executor::System, who, deed, None));
        self.changes.push(PlannedChange { action, access, basis: Basis::NONE });
    }

    fn change(
        &mut self,
        at: Timestamp,
        executor: Executor,
        subject: IdentityIndex,
        event: impl Into<Event>,
        access: Access,
        basis: Basis,
    ) -> ActionIndex {
        let action = self.act(at, executor, subject, event, basis.reference());
        self.record(action, subject, access, basis);
        action
    }

    fn record(&mut self, action: ActionIndex, subject: IdentityIndex, access: Access, basis: Basis) {
        if let Some(case) = basis.case {
            let finished = &mut self.cases[case.0].finished_at;
            *finished = (*finished).max(Some(whole_second(self.actions[action.0].at)));
        }
        self.held.insert((subject, access));
        self.spoken_for.insert((subject, access));
        self.changes.push(PlannedChange { action, access, basis });
    }

    fn credential(&mut self, prefix: &str, owner: IdentityIndex) -> Credential {
        let login = &self.company.of(owner).login;
        let name = login.split('@').next().unwrap_or(login).to_owned();
        Credential { id: self.random.okta_id(prefix), name, owner }
    }
}

fn token_in_use(tokens: &[(Timestamp, usize)], at: Timestamp) -> Option<Executor> {
    let (_, token) = tokens.iter().rev().find(|(since, _)| *since <= at)?;
    Some(Executor::Token(*token))
}
