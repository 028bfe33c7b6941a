//! How far identities reach: a small company with a known answer, who can alter identities, and that more access never
//! makes anything reach less.
#![allow(clippy::unwrap_used)] // A test stops where it fails.

mod common;
#[path = "../../verify/tests/effective/drawn.rs"]
mod drawn;

use std::collections::{BTreeMap, BTreeSet};

use common::{Native, TestLedger, entity, fact, occurred, of_system, time};
use counterfoil_proto::v1::{
    AccessPath, Capability, CapableIdentity, EffectiveAccess, Entitlement, Fact, FactKind, GetBlastRadiusResponse,
    Grant, GrantMode, IdentityType, Outcome, Ref, RiskTier, StepKind, fact::Detail,
};
use counterfoil_query::{AccessRequest, CapableRequest, Page, Query};
use drawn::drawn;
use proptest::prelude::*;

/// The system and instance of everything that is drawn.
const PLACE: &str = "okta:default";

const BOT: &str = "account:okta:default:00u1";
const TOKEN: &str = "credential:okta:default:api_token/T1";
const HUMAN: &str = "account:okta:default:00u2";
const READER: &str = "account:okta:default:00u3";
const WIDGET: &str = "account:okta:default:00u4";
const OUTER: &str = "entitlement:okta:default:group_member/00g1";
const INNER: &str = "entitlement:okta:default:group_member/00g2";
const APP: &str = "entitlement:okta:default:app_assignment/0oa1";
const HELP_DESK: &str = "entitlement:okta:default:role/HELP_DESK_ADMIN";
const USER: &str = "account:aws:default:user/deploy";
const ROLE: &str = "account:aws:default:role/Batch";
const SESSION: &str = "entitlement:aws:default:session_role/Batch";
const ADMINISTRATOR: &str = "entitlement:aws:default:policy/arn:aws:iam::aws:policy/AdministratorAccess";

struct Company {
    ledger: TestLedger,
}

impl Company {
    fn new() -> Self {
        Self { ledger: TestLedger::new() }
    }

    fn reference(&self, id: &str, identity_type: IdentityType) -> Option<Ref> {
        Some(Ref { identity_type: identity_type.into(), ..self.ledger.who(id, &[]) })
    }

    fn record(&self, system: &'static str, made: Fact) -> u64 {
        self.ledger.record_one(Native::new(system, vec![of_system(system, made)]))
    }

    fn grant(&self, seconds: i64, who: &str, what: &str, grant: Option<Grant>) -> u64 {
        let system = if who.contains(":aws:") { "aws" } else { "okta" };
        let (subject, object) = (Some(self.ledger.who(who, &[])), Some(self.ledger.who(what, &[])));
        let detail = grant.map(Detail::Grant);
        self.record(system, Fact { detail, ..fact(FactKind::GrantAdded, seconds, subject, object) })
    }

    fn implies(&self, seconds: i64, of: &str, what: &str) -> u64 {
        let system = if of.contains(":aws:") { "aws" } else { "okta" };
        let implies_added = vec![self.ledger.who(what, &[])];
        let detail = Some(Detail::Entitlement(Entitlement { implies_added, ..Entitlement::default() }));
        let object = Some(self.ledger.who(of, &[]));
        self.record(system, Fact { detail, ..fact(FactKind::EntitlementChanged, seconds, None, object) })
    }

    /// A bot with a token, in a group within a group; a human administrator; a reader; an integration that is called a
    /// convenience; and a deploy user that was seen as a role.
    fn fill(&self) {
        for (id, kind) in [
            (BOT, IdentityType::ServiceAccount),
            (HUMAN, IdentityType::Human),
            (READER, IdentityType::Bot),
            (WIDGET, IdentityType::Integration),
        ] {
            self.record("okta", fact(FactKind::AccountCreated, 1, self.reference(id, kind), None));
        }
        let token = self.reference(TOKEN, IdentityType::Token);
        self.record("okta", fact(FactKind::CredentialCreated, 2, Some(self.ledger.who(BOT, &[])), token.clone()));
        self.grant(3, BOT, INNER, None);
        self.grant(4, INNER, OUTER, None);
        self.implies(5, OUTER, HELP_DESK);
        self.implies(6, OUTER, APP);
        let eligible = Grant { mode: GrantMode::Eligible.into(), ..Grant::default() };
        self.grant(7, BOT, "entitlement:okta:default:role/ORG_ADMIN", Some(eligible));
        self.grant(8, HUMAN, "entitlement:okta:default:role/SUPER_ADMIN", None);
        self.grant(8, READER, "entitlement:okta:default:role/READ_ONLY_ADMIN", None);
        self.grant(8, WIDGET, "entitlement:okta:default:role/~made-here", None);
        for (seconds, outcome) in [(10, Outcome::Success), (11, Outcome::Success), (12, Outcome::Failure)] {
            let made = fact(
                FactKind::GrantAdded,
                seconds,
                Some(self.ledger.who(WIDGET, &[])),
                Some(self.ledger.who(APP, &[])),
            );
            let (actor, outcome) = (Some(self.ledger.who(BOT, &[])), outcome.into());
            self.record("okta", Fact { actor, via: token.clone(), outcome, ..made });
        }
        // What the bot does without its token is not the token's.
        let made = fact(FactKind::AccountUpdated, 13, self.reference(READER, IdentityType::Bot), None);
        self.record("okta", Fact { actor: Some(self.ledger.who(BOT, &[])), ..made });
        self.implies(1, SESSION, ROLE);
        self.grant(2, ROLE, ADMINISTRATOR, None);
        for seconds in [20, 30] {
            let user = Some(self.ledger.who(USER, &[]));
            let made = fact(FactKind::SessionAssumed, seconds, user.clone(), Some(self.ledger.who(SESSION, &[])));
            self.record("aws", Fact { actor: user, ..made });
        }
    }
}

fn ids(accesses: &[EffectiveAccess]) -> BTreeSet<&str> {
    accesses.iter().map(|access| access.what.as_ref().unwrap().id.as_str()).collect()
}

fn capabilities(answer: &GetBlastRadiusResponse) -> BTreeMap<Capability, u64> {
    answer.capabilities.iter().map(|held| (held.capability(), held.count)).collect()
}

fn blast(query: &Query<'_>, who: &str, at: i64) -> GetBlastRadiusResponse {
    query.blast_radius(&entity(who), occurred(at), None, Some(occurred(0))).unwrap()
}

fn through(path: &AccessPath) -> Vec<(StepKind, &str)> {
    path.steps.iter().map(|step| (step.kind(), step.to.as_ref().unwrap().id.as_str())).collect()
}

#[test]
fn s0_18_blast_radius_of_a_credential() {
    let company = Company::new();
    company.fill();
    let views = company.ledger.views();
    let query = views.query().unwrap();
    let answer = blast(&query, TOKEN, 100);
    let all = BTreeSet::from([INNER, OUTER, HELP_DESK, APP, "entitlement:okta:default:role/ORG_ADMIN"]);
    assert_eq!(ids(&answer.reached), all, "its owner's access is its own");
    assert_eq!((answer.reached_count, answer.cut), (5, false));
    let principals: Vec<_> =
        answer.principals.iter().map(|one| (one.party.as_ref().unwrap().id.as_str(), one.may_act)).collect();
    assert_eq!(principals, [(BOT, true), (TOKEN, true)]);
    assert_eq!(answer.tier(), RiskTier::High);
    let can = [(Capability::CreateUsers, 1), (Capability::ResetPasswords, 2), (Capability::ChangeEntitlements, 1)];
    assert_eq!(capabilities(&answer), BTreeMap::from(can));
    let [system] = &answer.systems[..] else { panic!("{:?}", answer.systems) };
    let counts: Vec<_> = system.entitlements.iter().map(|one| (one.kind.as_str(), one.count)).collect();
    assert_eq!(counts, [("app_assignment", 1), ("group_member", 2), ("role", 2)]);
    assert_eq!((system.accounts, system.unknown), (0, 1), "what an application lets somebody do, its id does not say");
    let [action] = &answer.past[..] else { panic!("{:?}", answer.past) };
    assert_eq!((action.kind(), action.succeeded, action.failed), (FactKind::GrantAdded, 2, 1));
    let of_bot: Vec<_> = blast(&query, BOT, 100).past.iter().map(|action| (action.kind(), action.succeeded)).collect();
    assert_eq!(of_bot, [(FactKind::AccountUpdated, 1), (FactKind::GrantAdded, 2)]);
    // What is taken away is reached no more; what was done stays done.
    let removed =
        fact(FactKind::GrantRemoved, 40, Some(company.ledger.who(INNER, &[])), Some(company.ledger.who(OUTER, &[])));
    company.record("okta", removed);
    company.record("okta", fact(FactKind::CredentialRevoked, 50, None, Some(company.ledger.who(TOKEN, &[]))));
    drop(query);
    views.catch_up(&mut |_, _| ()).unwrap();
    let query = views.query().unwrap();
    assert_eq!(ids(&blast(&query, TOKEN, 39).reached), all);
    let later = blast(&query, TOKEN, 60);
    assert_eq!(ids(&later.reached), BTreeSet::from([INNER, "entitlement:okta:default:role/ORG_ADMIN"]));
    assert!(later.principals.iter().any(|one| !one.may_act), "a revoked token acts no more, and that is said");
    assert_eq!(later.past.len(), 1);
}

#[test]
fn a_role_that_was_assumed_counts_with_all_that_it_holds() {
    let company = Company::new();
    company.fill();
    let views = company.ledger.views();
    let query = views.query().unwrap();
    assert_eq!(blast(&query, USER, 19).reached, [], "before it was seen in a session, the log says nothing of it");
    let answer = blast(&query, USER, 25);
    assert_eq!(ids(&answer.reached), BTreeSet::from([SESSION, ROLE, ADMINISTRATOR]));
    assert_eq!(answer.tier(), RiskTier::Critical);
    let held = answer.capabilities.iter().find(|held| held.capability() == Capability::Administer).unwrap();
    let steps = [(StepKind::Session, SESSION), (StepKind::Implication, ROLE), (StepKind::Grant, ADMINISTRATOR)];
    assert_eq!(through(&held.by[0].paths[0]), steps);
    let counts = |at| blast(&query, USER, at).assumed.iter().map(|role| role.count).collect::<Vec<_>>();
    assert_eq!((counts(25), counts(99)), (vec![1], vec![2]));
    // No grant says so: whoever asks what it holds is not told that it holds it.
    let at = occurred(99);
    let page = Page::default();
    let request = AccessRequest { entity: entity(USER), at, known: None, to: None, all_paths: false, page };
    assert_eq!(query.access(&request).unwrap().accesses, []);
}

fn able(query: &Query<'_>, request: &CapableRequest) -> Vec<CapableIdentity> {
    let mut request = request.clone();
    let mut found = Vec::new();
    loop {
        request.page.size = 1;
        let answer = query.capable(&request).unwrap();
        found.extend(answer.identities);
        request.page.token = answer.next_page_token;
        if request.page.token.is_empty() {
            return found;
        }
    }
}

fn altering(at: i64) -> CapableRequest {
    CapableRequest {
        capabilities: Vec::new(),
        system: None,
        at: occurred(at),
        known: None,
        non_human: false,
        may_act: false,
        page: Page::default(),
    }
}

fn who(identities: &[CapableIdentity]) -> Vec<&str> {
    identities.iter().map(|one| one.identity.as_ref().unwrap().party.as_ref().unwrap().id.as_str()).collect()
}

#[test]
fn s0_21_identities_that_can_alter_identities() {
    let company = Company::new();
    company.fill();
    company.record("okta", fact(FactKind::AccountDisabled, 70, Some(company.ledger.who(BOT, &[])), None));
    let views = company.ledger.views();
    let query = views.query().unwrap();
    let non_human = CapableRequest { non_human: true, ..altering(60) };
    let found = able(&query, &non_human);
    assert_eq!(who(&found), [ROLE, BOT], "not the human, the reader, or whoever holds what nobody knows");
    let of_bot = &found[1];
    let can = [Capability::CreateUsers, Capability::ResetPasswords, Capability::ChangeEntitlements];
    assert_eq!(of_bot.capabilities().collect::<Vec<_>>(), can);
    let credentials: Vec<_> =
        of_bot.credentials.iter().map(|one| one.credential.as_ref().unwrap().id.as_str()).collect();
    assert_eq!(credentials, [TOKEN], "whoever has it acts as the bot");
    assert_eq!(who(&able(&query, &altering(60))), [ROLE, BOT, HUMAN]);
    assert_eq!(who(&able(&query, &CapableRequest { may_act: true, ..altering(75) })), [ROLE, HUMAN]);
    assert_eq!(who(&able(&query, &altering(4))), [ROLE], "at that moment only");
    assert_eq!(who(&able(&query, &CapableRequest { system: Some("okta".to_owned()), ..altering(60) })), [BOT, HUMAN]);
    let resets = CapableRequest { capabilities: vec![Capability::ResetPasswords], ..altering(6) };
    assert_eq!(who(&able(&query, &resets)), [ROLE, BOT]);
}

#[test]
fn s1_02_capabilities_and_the_paths_to_them() {
    let company = Company::new();
    company.fill();
    company.grant(9, BOT, OUTER, Some(Grant { conditional: true, ..Grant::default() }));
    let views = company.ledger.views();
    let query = views.query().unwrap();
    let answer = blast(&query, BOT, 99);
    let resets = answer.capabilities.iter().find(|held| held.capability() == Capability::ResetPasswords).unwrap();
    let steps = [(StepKind::Grant, INNER), (StepKind::Grant, OUTER), (StepKind::Implication, HELP_DESK)];
    assert_eq!(through(&resets.by[0].paths[0]), steps, "without conditions, although another path is shorter");
    let request = AccessRequest {
        entity: entity(BOT),
        at: occurred(99),
        known: None,
        to: Some(entity(HELP_DESK)),
        all_paths: true,
        page: Page::default(),
    };
    let answer = query.access(&request).unwrap();
    let [access] = &answer.accesses[..] else { panic!("{:?}", answer.accesses) };
    let paths: Vec<_> = access.paths.iter().map(through).collect();
    assert_eq!(paths, [&steps[..], &[(StepKind::Grant, OUTER), (StepKind::Implication, HELP_DESK)]]);
    assert!(!access.conditional && access.inherited && !access.more_paths);
}

#[test]
fn s1_16_risk_follows_from_capabilities_and_not_from_labels() {
    let company = Company::new();
    company.fill();
    let named = |id: &str, name: &str| {
        let made = fact(FactKind::AccountUpdated, 9, Some(company.ledger.who(id, &[])), None);
        company.ledger.record_one(Native::new("okta", vec![of_system("okta", made)]).named(id, "display_name", name));
    };
    named(WIDGET, "Read-only convenience widget");
    named(READER, "Super administrator");
    let views = company.ledger.views();
    let query = views.query().unwrap();
    let tier = |who: &str| blast(&query, who, 99).tier();
    assert_eq!(tier(READER), RiskTier::Low);
    assert_eq!(tier(WIDGET), RiskTier::Undetermined, "what an organisation made itself is not taken for harmless");
    assert_eq!(tier(HUMAN), RiskTier::Critical);
    drop(query);
    company.grant(100, WIDGET, "entitlement:okta:default:oauth_scope/okta.groups.manage", None);
    views.catch_up(&mut |_, _| ()).unwrap();
    let query = views.query().unwrap();
    assert_eq!(blast(&query, WIDGET, 101).tier(), RiskTier::High);
    assert_eq!(blast(&query, WIDGET, 99).tier(), RiskTier::Undetermined);
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 24, failure_persistence: None, ..ProptestConfig::default() })]

    /// Whatever there is, another grant takes nothing away.
    #[test]
    fn more_access_never_reaches_less(
        facts in prop::collection::vec(drawn(), 1..30),
        more in prop::collection::vec(prop::sample::select(vec![APP, HELP_DESK, "entitlement:okta:default:role/~made-here"]), 1..3),
    ) {
        let company = Company::new();
        for drawn in &facts {
            company.ledger.record_one(Native::new("okta", vec![drawn.fact()]));
        }
        let views = company.ledger.views();
        let start = format!("account:{PLACE}:u0");
        let of = |query: &Query<'_>| {
            let answer = blast(query, &start, 30);
            let reached: BTreeSet<String> = ids(&answer.reached).into_iter().map(str::to_owned).collect();
            (reached, capabilities(&answer), answer.tier())
        };
        let mut before = of(&views.query().unwrap());
        for what in more {
            company.grant(25, &start, what, None);
            views.catch_up(&mut |_, _| ()).unwrap();
            let after = of(&views.query().unwrap());
            prop_assert!(after.0.is_superset(&before.0) && after.0.contains(what));
            prop_assert!(before.1.iter().all(|(capability, count)| after.1.get(capability) >= Some(count)));
            prop_assert!(after.2 >= before.2);
            before = after;
        }
    }
}
