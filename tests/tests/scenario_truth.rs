//! What a made-up company's ledger answers, against the list of what is true of that company.
//!
//! Every change is linked to its ticket, every unapproved one is named, and nothing else is; every sampled state is what
//! it was; what was known before the late files stays what was known then; and the order of import changes nothing.
#![allow(clippy::unwrap_used, reason = "a test stops where it fails")]

use std::collections::{BTreeMap, BTreeSet};

use counterfoil_proto::Shared;
use counterfoil_proto::v1::{
    self, AccountStatus, Decision, Explanation, FactKind, GetStateResponse, LinkRule, ListHoldersResponse, State,
    TicketState,
};
use counterfoil_query::{AccessRequest, ChangeSelector, ExplainFilter, Page, Period, Query, Wanted};
use counterfoil_scenario::{AccountStatus as TrueStatus, State as TrueState};
use counterfoil_scenario::{Change, Company, Delivery, File, Options, Rule, Truth, Verdict, generate};
use counterfoil_tests::inside::{InsideLedger, moment};
use counterfoil_tests::named;
use counterfoil_tests::program::LedgerFolder;
use counterfoil_verify::entity::EntityId;
use counterfoil_verify::time::{OccurredAt, RecordedAt};
use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::{Rng, SeedableRng};

const ALWAYS: Period = Period::ALWAYS;
/// Between the import of what came on time and that of what came late.
const PAUSE_SECONDS: i64 = 3_600;

fn company(seed: u64) -> Company {
    let (people, months) = [(60, 6), (12, 1), (40, 4), (25, 12), (33, 3)][usize::try_from(seed).unwrap() % 5];
    generate(&Options { seed, people, months, ..Options::default() })
}

#[test]
fn the_truth_of_seeds_1_to_5() {
    (1..=5).for_each(check_seed);
}

#[test]
fn the_truth_of_seeds_6_to_10() {
    (6..=10).for_each(check_seed);
}

fn check_seed(seed: u64) {
    let company = company(seed);
    let truth = &company.truth;
    let ledger = InsideLedger::new();
    company.write_to(&ledger.folder.path().join("company")).unwrap();
    for file in files(&company, Delivery::OnTime) {
        import(&ledger, file, true);
    }
    let before_late = ledger.now();
    let known_before = {
        let views = ledger.views();
        Answers::all(&views.query().unwrap(), truth, &ledger, None)
    };

    ledger.pass(PAUSE_SECONDS);
    let late = files(&company, Delivery::Late);
    assert!(!late.is_empty());
    for file in late {
        import(&ledger, file, false);
    }
    let views = ledger.views();
    let query = views.query().unwrap();
    check_changes(seed, &query, truth);
    check_states(seed, &query, truth, &ledger);

    let known_then = Answers::all(&query, truth, &ledger, Some(before_late));
    known_then.assert_same(&known_before, seed);
    let story = &truth.story;
    let who = account(&query, &story.late_identity_login, &ledger);
    let late_at = OccurredAt(moment(story.late_at));
    let held = |known| held(&query.state(&who, late_at, known).unwrap().state.unwrap());
    assert!(held(Some(before_late)).contains(&story.late_entitlement), "seed {seed}");
    assert!(!held(None).contains(&story.late_entitlement), "seed {seed}");
}

#[test]
fn any_order_of_import_gives_the_same_answers() {
    for seed in 11..=14 {
        let company = company(seed);
        let folder = tempfile::tempdir().unwrap();
        company.write_to(folder.path()).unwrap();
        let mut random = ChaCha8Rng::seed_from_u64(seed);
        let mut first: Option<Answers> = None;
        for round in 0..2 {
            let mut files: Vec<&File> = company.files.iter().collect();
            for last in (1..files.len()).rev() {
                files.swap(last, usize::try_from(random.next_u64() % (last as u64 + 1)).unwrap());
            }
            let order: Vec<&str> = files.iter().map(|file| file.name.as_str()).collect();
            let ledger = InsideLedger::new();
            for file in &files {
                ledger.import(file.connector, &folder.path().join(&file.name), true);
                ledger.pass(1);
            }
            let views = ledger.views();
            let query = views.query().unwrap();
            eprintln!("seed {seed}, round {round}: {}", order.join(" "));
            check_changes(seed, &query, &company.truth);
            check_states(seed, &query, &company.truth, &ledger);
            let answers = Answers::all(&query, &company.truth, &ledger, None).without_places();
            match &first {
                Some(first) => answers.assert_same(first, seed),
                None => first = Some(answers),
            }
        }
    }
}

#[test]
fn the_program_tells_the_truth_too() {
    let company = generate(&Options { seed: 21, people: 14, months: 1, ..Options::default() });
    let truth = &company.truth;
    let ledger = LedgerFolder::init();
    let folder = ledger.beside("company");
    company.write_to(&folder).unwrap();
    for file in &company.files {
        let backfill: &[&str] = if file.delivery == Delivery::OnTime { &["--backfill"] } else { &[] };
        ledger.import(file.connector, &folder.join(&file.name), backfill).ended(0);
    }
    let all: v1::ListChangesResponse = ledger.run(&["explain", "--all", "--output", "json"]).json();
    let expected = by_key(truth);
    let all = without_widened(all.explanations, truth);
    assert_eq!(keys(&all), expected.keys().cloned().collect::<Vec<_>>());
    for explanation in &all {
        check_explanation(expected[&key_of(explanation)], explanation);
    }
    let unapproved: v1::ListChangesResponse = ledger.run(&["explain", "--unapproved", "--output", "json"]).json();
    assert_eq!(keys(&unapproved.explanations), unapproved_keys(truth));
    for expected in truth.states.iter().step_by(7) {
        let at = expected.at.to_string();
        let arguments = ["state", &expected.login, "--system", "okta", "--at", &at, "--output", "json"];
        let answer: GetStateResponse = ledger.run(&arguments).json();
        check_state(expected, &answer.state.unwrap());
    }
    let change = &truth.story.explained_change_uuid;
    let answer: v1::ExplainChangeResponse = ledger.run(&["explain", change, "--output", "json"]).json();
    assert_eq!(answer.explanations.len(), 1);
    assert_eq!(ticket_number(&answer.explanations[0].tickets[0]), truth.story.explained_ticket);
    ledger.run(&["fsck"]).ended(0);
}

fn files(company: &Company, delivery: Delivery) -> Vec<&File> {
    company.files.iter().filter(|file| file.delivery == delivery).collect()
}

fn import(ledger: &InsideLedger, file: &File, backfill: bool) {
    let path = ledger.folder.path().join("company").join(&file.name);
    let summary = ledger.import(file.connector, &path, backfill);
    assert_eq!((summary.rejected, summary.conflicts, summary.unmapped), (0, 0, 0), "{}: {summary:?}", file.name);
    ledger.pass(1);
}

/// What makes a change itself: its event, and what it gave.
type Key = (String, String);

fn by_key(truth: &Truth) -> BTreeMap<Key, &Change> {
    let map: BTreeMap<Key, &Change> = truth.changes.iter().map(|change| (true_key(change), change)).collect();
    assert_eq!(map.len(), truth.changes.len(), "the truth names each change once");
    map
}

fn true_key(change: &Change) -> Key {
    let gave = match &change.credential_id {
        Some(id) => format!("{}/{id}", change.entitlement),
        None => change.entitlement.clone(),
    };
    (change.event_uuid.clone(), gave)
}

fn key_of(explanation: &Explanation) -> Key {
    let about = explanation.subject.as_ref().or(explanation.object.as_ref()).unwrap();
    (explanation.event_id.clone(), named::object(about, explanation.object.as_ref()))
}

fn keys(explanations: &[Explanation]) -> Vec<Key> {
    let mut keys: Vec<Key> = explanations.iter().map(key_of).collect();
    keys.sort();
    keys
}

fn unapproved_keys(truth: &Truth) -> Vec<Key> {
    let mut keys: Vec<Key> =
        truth.changes.iter().filter(|change| change.verdict != Verdict::Approved).map(true_key).collect();
    keys.extend(truth.widened.iter().map(|widened| (widened.event_uuid.clone(), widened.entitlement.clone())));
    keys.sort();
    keys
}

/// An id as the truth writes it: "entitlement:okta:default:role/APP_ADMIN" is "okta/role/APP_ADMIN".
fn native(id: &str) -> String {
    let entity: EntityId = id.parse().unwrap();
    assert_eq!(entity.instance(), "default");
    format!("{}/{}", entity.system(), entity.native_id())
}

fn check_changes(seed: u64, query: &Query<'_>, truth: &Truth) {
    let expected = by_key(truth);
    let all: Vec<Explanation> =
        query.explain_all(ALWAYS, None, ExplainFilter::All).unwrap().collect::<Result<_, _>>().unwrap();
    let all = without_widened(all, truth);
    let found = keys(&all);
    let wanted: Vec<Key> = expected.keys().cloned().collect();
    if found != wanted {
        let (found_set, wanted_set): (BTreeSet<_>, BTreeSet<_>) = (found.iter().collect(), wanted.iter().collect());
        panic!(
            "seed {seed}: {} listed, {} are true;\nnot listed: {:?}\nlisted without need: {:?}",
            found.len(),
            wanted.len(),
            wanted_set.difference(&found_set).collect::<Vec<_>>(),
            found_set.difference(&wanted_set).collect::<Vec<_>>(),
        );
    }
    for explanation in &all {
        check_explanation(expected[&key_of(explanation)], explanation);
    }
    let unapproved: Vec<Explanation> =
        query.explain_all(ALWAYS, None, ExplainFilter::Unapproved).unwrap().collect::<Result<_, _>>().unwrap();
    assert_eq!(keys(&unapproved), unapproved_keys(truth), "seed {seed}");
}

/// Those but of what groups came to give, which is checked here: nobody in particular got it, and nobody approved it.
fn without_widened(all: Vec<Explanation>, truth: &Truth) -> Vec<Explanation> {
    let is_about_nobody =
        |one: &Explanation| matches!(one.kind(), FactKind::EntitlementChanged | FactKind::EntitlementDefined);
    let (found, all): (Vec<_>, Vec<_>) = all.into_iter().partition(is_about_nobody);
    let expected: Vec<Key> =
        truth.widened.iter().map(|widened| (widened.event_uuid.clone(), widened.entitlement.clone())).collect();
    assert_eq!(found.iter().map(key_of).collect::<Vec<_>>(), expected);
    for explanation in found {
        assert_eq!((explanation.verdict(), explanation.subject), (v1::Verdict::NoneRecorded, None));
    }
    all
}

fn check_explanation(change: &Change, explanation: &Explanation) {
    let context = format!("{change:#?}\n{explanation:#?}");
    let verdict = match change.verdict {
        Verdict::Approved => v1::Verdict::Approved,
        Verdict::ApprovedLate => v1::Verdict::ApprovedLate,
        Verdict::OtherBeneficiary => v1::Verdict::OtherBeneficiary,
        Verdict::Rejected => v1::Verdict::Rejected,
        Verdict::Pending => v1::Verdict::Pending,
        Verdict::None => v1::Verdict::NoneRecorded,
        Verdict::Ambiguous => v1::Verdict::Ambiguous,
    };
    assert_eq!(explanation.verdict(), verdict, "{context}");
    let subject = explanation.subject.as_ref().unwrap();
    assert_eq!((named::subject(subject), named::called(subject)), (change.subject_id.clone(), &*change.subject_login));
    let occurred = explanation.change.as_ref().unwrap().occurred_at.as_ref().unwrap();
    assert_eq!(timestamp(occurred), change.occurred_at, "{context}");

    let executor = explanation.executor.as_ref().unwrap();
    if change.executor_login == "system@okta.com" {
        assert_eq!((executor.identity_type(), executor.login.as_str()), (v1::IdentityType::System, ""), "{context}");
    } else {
        assert_eq!(named::called(executor), change.executor_login, "{context}");
    }
    check_credential(change, explanation, &context);

    let tickets: BTreeSet<String> = explanation.tickets.iter().map(ticket_number).collect();
    assert_eq!(tickets.len(), explanation.tickets.len(), "each ticket once: {context}");
    let expected = match change.verdict {
        Verdict::Ambiguous => change.candidates.iter().cloned().collect(),
        _ => change.ticket.iter().cloned().collect::<BTreeSet<_>>(),
    };
    assert_eq!(tickets, expected, "{context}");
    let rule = match (change.rule, change.verdict) {
        (Some(Rule::Explicit), _) => LinkRule::Explicit,
        (Some(Rule::Transaction), _) => LinkRule::Correlation,
        // Tickets that fit, and that the change does not name, were found by the window.
        (Some(Rule::Window), _) | (None, Verdict::Ambiguous) => LinkRule::Window,
        (None, _) => LinkRule::Unspecified,
    };
    assert_eq!(explanation.rule(), rule, "{context}");
    if change.ticket.is_some() {
        check_ticket(change, explanation.tickets[0].state.as_ref().unwrap(), &context);
    }
}

/// What it was done with: in Okta a token, in AWS the key of a session, or a role.
fn check_credential(change: &Change, explanation: &Explanation, context: &str) {
    let credential = explanation.credential.as_ref().map(|credential| credential.id.clone());
    if change.entitlement.starts_with("okta/") {
        let expected = change.api_token_id.as_ref().map(|token| format!("credential:okta:default:api_token/{token}"));
        assert_eq!(credential, expected, "{context}");
    } else {
        assert_eq!(credential.is_none(), change.executor_login.ends_with(":root"), "{context}");
    }
}

fn check_ticket(change: &Change, ticket: &TicketState, context: &str) {
    let email = |party: &Option<Shared<v1::Party>>| party.as_ref().map(|party| party.email.clone());
    assert_eq!(email(&ticket.requester), change.requester_email, "{context}");
    let Some(approved_at) = change.approved_at else {
        assert!(change.approver_emails.is_empty());
        assert_ne!(ticket.decision(), Decision::Approved, "{context}");
        return;
    };
    assert_eq!(ticket.decision(), Decision::Approved, "{context}");
    assert_eq!(timestamp(ticket.decided_at.as_ref().unwrap()), approved_at, "{context}");
    let mut approved: Vec<&v1::ApprovalState> =
        ticket.approvals.iter().filter(|row| row.decision() == Decision::Approved).collect();
    approved.sort_by_key(|row| timestamp(row.decided_at.as_ref().unwrap()));
    let mut emails: Vec<String> = Vec::new();
    for row in approved {
        let email = email(&row.approver).unwrap();
        if !emails.contains(&email) {
            emails.push(email);
        }
    }
    assert_eq!(emails, change.approver_emails, "{context}");
}

fn ticket_number(linked: &v1::LinkedTicket) -> String {
    let entity: EntityId = linked.ticket.as_ref().unwrap().id.parse().unwrap();
    assert_eq!(entity.system(), "freshservice");
    match entity.native_id().split_once('/').unwrap() {
        ("ticket", number) => format!("SR-{number}"),
        ("change", number) => format!("CHN-{number}"),
        other => panic!("{other:?}"),
    }
}

fn timestamp(time: &impl serde::Serialize) -> jiff::Timestamp {
    serde_json::from_value::<String>(serde_json::to_value(time).unwrap()).unwrap().parse().unwrap()
}

fn account(query: &Query<'_>, login: &str, ledger: &InsideLedger) -> EntityId {
    let matches = query.resolve(login, Wanted::default(), OccurredAt(ledger.now().0), None).unwrap().identities;
    let mut okta = matches.iter().filter(|party| party.id.starts_with("account:okta:"));
    let found = okta.next().unwrap_or_else(|| panic!("no account {login} in {matches:?}")).id.parse().unwrap();
    assert!(okta.next().is_none(), "{matches:?}");
    found
}

fn check_states(seed: u64, query: &Query<'_>, truth: &Truth, ledger: &InsideLedger) {
    for expected in &truth.states {
        let who = account(query, &expected.login, ledger);
        let at = OccurredAt(moment(expected.at));
        let state = query.state(&who, at, None).unwrap().state.unwrap();
        eprintln!("seed {seed}: {} at {}", expected.login, expected.at);
        check_state(expected, &state);
        // The same the other way round.
        for entitlement in &expected.entitlements {
            let (system, id) = entitlement.split_once('/').unwrap();
            let entitlement: EntityId = format!("entitlement:{system}:default:{id}").parse().unwrap();
            let ListHoldersResponse { holders, .. } =
                query.holders(&entitlement, at, None, &Page { size: 10_000, ..Page::default() }).unwrap();
            let ids: Vec<&str> =
                holders.iter().map(|holder| holder.counterpart.as_ref().unwrap().id.as_str()).collect();
            assert_eq!(ids.iter().filter(|id| **id == who.to_string()).count(), 1, "{entitlement}: {ids:?}");
        }
        check_effective(query, truth, expected, &who);
    }
}

/// Beside what is held itself, what the groups among it give their members.
fn check_effective(query: &Query<'_>, truth: &Truth, expected: &TrueState, who: &EntityId) {
    let mut all: BTreeSet<String> = expected.entitlements.iter().cloned().collect();
    let by_then = truth.widened.iter().filter(|widened| widened.occurred_at <= expected.at);
    all.extend(
        by_then
            .filter(|widened| all.contains(&widened.entitlement))
            .map(|widened| widened.gained.clone())
            .collect::<Vec<_>>(),
    );
    let at = OccurredAt(moment(expected.at));
    let page = Page::default();
    let request = AccessRequest { entity: who.clone(), at, known: None, to: None, all_paths: false, page };
    let found = query.access(&request).unwrap();
    let found: BTreeSet<String> =
        found.accesses.iter().map(|access| native(&access.what.as_ref().unwrap().id)).collect();
    assert_eq!(found, all, "{who} at {}", expected.at);
}

fn held(state: &State) -> BTreeSet<String> {
    state.grants.iter().map(|grant| native(&grant.counterpart.as_ref().unwrap().id)).collect()
}

fn check_state(expected: &TrueState, state: &State) {
    let context = format!("{expected:#?}\n{state:#?}");
    assert_eq!(held(state), expected.entitlements.iter().cloned().collect(), "{context}");
    assert_eq!(state.grants.len(), expected.entitlements.len(), "{context}");
    let account = state.account.as_ref().map(|account| (account.status(), account.locked, account.reversible));
    let right = match (expected.account, account) {
        (TrueStatus::Absent, account) => account.is_none(),
        (_, None) => false,
        (TrueStatus::Created, Some(found)) => found == (AccountStatus::Created, false, false),
        (TrueStatus::Active, Some(found)) => found == (AccountStatus::Enabled, false, false),
        (TrueStatus::Suspended, Some(found)) => found == (AccountStatus::Disabled, false, true),
        (TrueStatus::Locked, Some(found)) => found == (AccountStatus::Enabled, true, false),
        (TrueStatus::Deactivated, Some(found)) => found == (AccountStatus::Disabled, false, false),
    };
    assert!(right, "{context}");
}

/// Everything that a test compares as a whole.
struct Answers {
    states: Vec<State>,
    explanations: Vec<Explanation>,
    one_by_one: Vec<Explanation>,
}

impl Answers {
    fn all(query: &Query<'_>, truth: &Truth, ledger: &InsideLedger, known: Option<RecordedAt>) -> Self {
        let state = |expected: &TrueState| {
            let who = account(query, &expected.login, ledger);
            query.state(&who, OccurredAt(moment(expected.at)), known).unwrap().state.unwrap()
        };
        let explanations = query.explain_all(ALWAYS, known, ExplainFilter::All).unwrap();
        let explanations: Vec<Explanation> = explanations.collect::<Result<_, _>>().unwrap();
        let some = explanations.iter().step_by(50);
        let one_by_one = some.flat_map(|one| {
            let change = ChangeSelector::Event(one.event_id.clone());
            query.explain(&change, known).unwrap().explanations
        });
        Self { states: truth.states.iter().map(state).collect(), one_by_one: one_by_one.collect(), explanations }
    }

    #[track_caller]
    fn assert_same(&self, other: &Self, seed: u64) {
        for (one, other) in self.states.iter().zip(&other.states) {
            assert_eq!(one, other, "seed {seed}");
        }
        for (one, other) in self.explanations.iter().zip(&other.explanations) {
            assert_eq!(one, other, "seed {seed}");
        }
        assert_eq!(self.explanations.len(), other.explanations.len(), "seed {seed}");
        assert_eq!(self.one_by_one, other.one_by_one, "seed {seed}");
    }

    /// Without what says where and when a record came: that is all that the order of import may change.
    fn without_places(mut self) -> Self {
        for state in &mut self.states {
            *state = serde_json::from_value(placeless(serde_json::to_value(&*state).unwrap())).unwrap();
        }
        for explanation in &mut self.explanations {
            *explanation = serde_json::from_value(placeless(serde_json::to_value(&*explanation).unwrap())).unwrap();
        }
        let place = |one: &Explanation| (one.event_id.clone(), key_of(one));
        self.explanations.sort_by_key(place);
        self.one_by_one.clear();
        self
    }
}

fn placeless(json: serde_json::Value) -> serde_json::Value {
    use serde_json::Value;
    match json {
        Value::Object(members) => Value::Object(
            members
                .into_iter()
                .filter(|(name, _)| !matches!(name.as_str(), "record" | "records" | "fact" | "recordedAt"))
                .map(|(name, value)| (name, placeless(value)))
                .collect(),
        ),
        Value::Array(items) => Value::Array(items.into_iter().map(placeless).collect()),
        other => other,
    }
}

/// The companies of these tests hold every verdict and every rule, so that none goes unchecked.
#[test]
fn the_companies_hold_what_the_tests_are_about() {
    let companies: Vec<Company> = (1..=10).map(company).collect();
    let changes: Vec<&Change> = companies.iter().flat_map(|company| &company.truth.changes).collect();
    let verdicts: BTreeSet<Verdict> = changes.iter().map(|change| change.verdict).collect();
    assert_eq!(verdicts.len(), 7, "{verdicts:?}");
    let rules: Vec<Rule> = changes.iter().filter_map(|change| change.rule).collect();
    assert!(rules.contains(&Rule::Explicit) && rules.contains(&Rule::Window));
    assert!(changes.iter().any(|change| change.late_delivery));
    for company in &companies {
        let counts = &company.truth.counts;
        assert!(counts.okta_duplicates > 0 && counts.hook_events > 0 && counts.okta_late_events > 0);
    }
}
