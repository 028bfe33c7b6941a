//! People and machines of a made-up company: whose accounts are whose, and the inventory of what is no human's, against the
//! list of what is true of that company.
#![allow(clippy::unwrap_used, reason = "a test stops where it fails")]

mod common;
#[path = "identities/paths.rs"]
mod paths;

use std::collections::{BTreeMap, BTreeSet};

use common::{check_answer, total};
use counterfoil_proto::v1::{
    EntityKind, Explanation, GetHistoryResponse, GetStateResponse, ListChangesResponse, ListHoldersResponse,
    ListNonHumanIdentitiesResponse, NonHumanIdentity, RegisterGap,
};
use counterfoil_query::{NhiRequest, Page, Query};
use counterfoil_scenario::{Company, Options, Whose, generate};
use counterfoil_tests::files::lines;
use counterfoil_tests::inside::{InsideLedger, moment};
use counterfoil_tests::program::LedgerFolder;
use counterfoil_verify::entity::EntityId;
use counterfoil_verify::fact::{Group, kind_group, references};
use counterfoil_verify::replay::facts_of;
use counterfoil_verify::time::{OccurredAt, RecordedAt};
use serde_json::json;

/// A company, and a ledger that has everything of it, in the order of import or in another one.
fn ledger_of(seed: u64, identities_first: bool) -> (InsideLedger, Company) {
    let (people, months) = [(24, 2), (12, 1), (40, 3), (60, 4), (16, 12)][usize::try_from(seed).unwrap() % 5];
    let company = generate(&Options { seed, people, months, ..Options::default() });
    let ledger = InsideLedger::new();
    let folder = ledger.folder.path().join("company");
    company.write_to(&folder).unwrap();
    let (first, then) = match identities_first {
        true => (&company.identities, &company.files),
        false => (&company.files, &company.identities),
    };
    for file in first.iter().chain(then) {
        let summary = ledger.import(file.connector, &folder.join(&file.name), true);
        assert_eq!(summary.rejected, 0, "seed {seed}: {}", file.name);
        ledger.pass(1);
    }
    (ledger, company)
}

fn at(time: jiff::Timestamp) -> OccurredAt {
    OccurredAt(moment(time))
}

/// The e-mail address of each person, as the mapping file has it.
fn addresses(company: &Company) -> BTreeMap<String, String> {
    let file = company.identities.iter().find(|file| file.name.ends_with("accounts.csv")).unwrap();
    let mut reader = csv::Reader::from_reader(&file.bytes[..]);
    let row = |row: csv::StringRecord| (format!("person:people:default:{}", &row[1]), row[3].to_owned());
    reader.records().map(|record| row(record.unwrap())).filter(|(_, address)| !address.is_empty()).collect()
}

fn check_people(seed: u64, identities_first: bool) {
    let (ledger, company) = ledger_of(seed, identities_first);
    let views = ledger.views();
    let query = views.query().unwrap();
    let addresses = addresses(&company);
    assert!(company.truth.whose.len() > 15 && company.truth.whose.iter().any(|whose| !whose.contested.is_empty()));
    for whose in &company.truth.whose {
        let entity: EntityId = whose.person.parse().unwrap();
        let state = query.state_of_person(&entity, at(whose.at), None).unwrap().state.unwrap();
        assert!(!state.members_cut);
        let (mut theirs, mut contested) = (Vec::new(), Vec::new());
        for member in &state.members {
            let party = member.state.as_ref().unwrap().entity.clone().unwrap();
            if !["account:okta:", "account:freshservice:"].iter().any(|system| party.id.starts_with(system)) {
                // In AWS, an address is all that tells.
                let address = addresses.get(&whose.person).unwrap();
                assert!(party.login == *address || party.email == *address, "seed {seed}: {party:?} is not {address}");
                continue;
            }
            if member.contested_by.is_empty() {
                theirs.push(party.id.clone())
            } else {
                contested.push(party.id.clone())
            }
        }
        theirs.sort();
        let got = (&theirs, &contested);
        assert_eq!(got, (&whose.accounts, &whose.contested), "seed {seed}: {} at {}", whose.person, whose.at);
    }
}

#[test]
fn everybody_has_their_own_accounts_and_no_others() {
    for seed in 1..=5 {
        check_people(seed, seed % 2 == 0);
    }
}

#[test]
fn who_is_who_changes_no_verdict() {
    let (ledger, company) = ledger_of(2, false);
    let views = ledger.views();
    let query = views.query().unwrap();
    let known: RecordedAt = ledger.now();
    let verdicts = |query: &Query<'_>| -> Vec<(u64, u32, i32)> {
        let all = query
            .explain_all(counterfoil_query::Period::ALWAYS, Some(known), counterfoil_query::ExplainFilter::All)
            .unwrap();
        let verdict = |one: Explanation| (one.change.unwrap().record, one.change.unwrap().fact, one.verdict);
        all.map(|one| verdict(one.unwrap())).collect()
    };
    let with = verdicts(&query);
    let without = {
        let ledger = InsideLedger::new();
        let folder = ledger.folder.path().join("company");
        company.write_to(&folder).unwrap();
        for file in &company.files {
            ledger.import(file.connector, &folder.join(&file.name), true);
        }
        let views = ledger.views();
        let query = views.query().unwrap();
        verdicts(&query)
    };
    // The files came first: their records have the same numbers in both.
    let with: Vec<_> =
        with.into_iter().filter(|(record, ..)| without.iter().any(|(other, ..)| other == record)).collect();
    assert!(without.len() > 100);
    assert_eq!(with, without);
}

/// What the first records of the log name as no human's by a moment, as a plain reading of them gives it.
fn naive_inventory(ledger: &InsideLedger, at: OccurredAt, size: u64) -> BTreeSet<String> {
    let reader = ledger.ledger.reader();
    let (mut non_human, mut named, mut registered) = (BTreeSet::new(), BTreeSet::new(), BTreeSet::new());
    for entry in reader.entries(0..size) {
        let entry = entry.unwrap();
        for fact in facts_of(&entry.record) {
            for (_, reference) in references(fact.fact) {
                let Some(entity) = EntityId::of(reference, fact.source) else { continue };
                if !["UNSPECIFIED", "HUMAN"].iter().any(|kind| reference.identity_type().as_str_name().ends_with(kind))
                {
                    non_human.insert(entity.to_text());
                }
                if fact.evidence.occurred_at() <= at {
                    named.insert(entity.to_text());
                }
            }
            let is_entry = kind_group(fact.fact.kind()) == Group::Governance && fact.evidence.occurred_at() <= at;
            let subjects = fact.fact.subject.iter().filter(|_| is_entry);
            registered.extend(subjects.filter_map(|one| EntityId::of(one, fact.source)).map(|one| one.to_text()));
        }
    }
    let kinds = [EntityKind::Account, EntityKind::Credential, EntityKind::Integration];
    let is_meant = |id: &String| kinds.contains(&id.parse::<EntityId>().unwrap().kind());
    non_human.intersection(&named).filter(|id| is_meant(id)).cloned().chain(registered).collect()
}

fn inventory(
    query: &Query<'_>,
    at: OccurredAt,
    known: Option<RecordedAt>,
    size: usize,
) -> BTreeMap<String, NonHumanIdentity> {
    let mut listed = BTreeMap::new();
    let mut token = String::new();
    loop {
        let request = NhiRequest {
            system: String::new(),
            types: Vec::new(),
            gaps: Vec::new(),
            at,
            known,
            page: Page { size, token },
        };
        let page = query.non_human_identities(&request).unwrap();
        for one in page.identities {
            assert!(listed.insert(one.entity.as_ref().unwrap().id.clone(), one).is_none(), "each is listed once");
        }
        token = page.next_page_token;
        if token.is_empty() {
            return listed;
        }
    }
}

#[test]
fn s1_10_the_inventory_has_every_non_human_identity() {
    for seed in 1..=5 {
        let (ledger, company) = ledger_of(seed, false);
        let views = ledger.views();
        let query = views.query().unwrap();
        let truth = &company.truth;
        let end = truth.whose.iter().map(|whose| whose.at).max().unwrap();
        let middle = truth.changes[truth.changes.len() / 2].occurred_at;
        for moment in [middle, end] {
            let listed = inventory(&query, at(moment), None, 7);
            // Of what the register knows by a login, the login stands for it until somebody is called so.
            let found = listed.keys().filter(|id| !id.starts_with("identifier:"));
            let found: BTreeSet<String> = found.cloned().collect();
            let all = ledger.ledger.reader().head().size.0;
            assert_eq!(found, naive_inventory(&ledger, at(moment), all), "seed {seed} at {moment}");
            for (id, one) in &listed {
                let is_seen = one.last_seen.is_some();
                assert_eq!(is_seen, !one.source.is_empty(), "{id}");
                if let Some(seen) = &one.last_seen {
                    let seen = seen.occurred_at.as_ref().unwrap();
                    assert!((seen.seconds, seen.nanos) <= (moment.as_second(), moment.subsec_nanosecond()), "{id}");
                }
            }
        }
        let listed = inventory(&query, at(end), None, 1_000);
        for expected in &truth.non_human {
            let one = listed.get(&expected.entity).unwrap_or_else(|| panic!("seed {seed}: {expected:?}"));
            let gaps: Vec<&str> = one.gaps().map(|gap| gap.as_str_name().trim_start_matches("REGISTER_GAP_")).collect();
            assert_eq!(gaps, expected.gaps, "seed {seed}: {}", expected.entity);
            let owner = one.owners.first().map(|owner| {
                let named = owner.owner.iter().chain(&owner.persons).map(|party| party.id.clone());
                (named.collect::<Vec<_>>(), owner.left)
            });
            match (&expected.owner, &owner) {
                (None, None) => {}
                (Some(expected), Some((named, left))) => {
                    assert!(named.contains(&expected.person), "seed {seed}: {named:?} is not {expected:?}");
                    assert_eq!(*left, expected.left, "seed {seed}: {expected:?}");
                }
                other => panic!("seed {seed}: {other:?}"),
            }
            assert!(one.last_seen.is_some(), "the logs tell of each: {}", expected.entity);
        }
        let is_unregistered = |one: &&NonHumanIdentity| one.gaps().any(|gap| gap == RegisterGap::NotRegistered);
        assert!(listed.values().filter(is_unregistered).count() > 3, "what is only seen is listed too");
    }
}

/// A ledger with a token, a service account and an integration, of which the register knows some.
fn register(rows: &str) -> LedgerFolder {
    let ledger = LedgerFolder::init();
    let target = |id: &str, kind: &str, login: &str| json!({"id": id, "type": kind, "alternateId": login, "displayName": "A name"});
    let event = |number: u32, kind: &str, at: &str, targets: &[serde_json::Value]| {
        counterfoil_tests::okta::event(number, kind, at, targets)
    };
    let group = json!({"id": "00g1", "type": "UserGroup", "alternateId": "unknown", "displayName": "Automation"});
    let service = target("00u91", "User", "svc-sync@example.com");
    let events = [
        event(1, "system.api_token.create", "2026-03-01T09:00:00Z", &[target("00T1", "Token", "unknown")]),
        event(
            2,
            "app.oauth2.client.lifecycle.create",
            "2026-03-01T09:00:00Z",
            &[target("0oc1", "PublicClientApp", "unknown")],
        ),
        event(3, "user.lifecycle.create", "2026-03-01T09:00:00Z", std::slice::from_ref(&service)),
        event(4, "group.user_membership.add", "2026-03-01T10:00:00Z", &[service, group.clone()]),
        event(5, "user.lifecycle.create", "2026-03-01T09:00:00Z", &[target("00u92", "User", "ann@example.com")]),
        event(
            6,
            "group.user_membership.add",
            "2026-03-01T10:00:00Z",
            &[target("00u92", "User", "ann@example.com"), group],
        ),
    ];
    ledger.import("okta", &ledger.file("okta.jsonl", lines(&events)), &[]).ended(0);
    ledger.run(&["nhi", "import", ledger.file("register.csv", rows).to_str().unwrap()]).ended(0);
    ledger
}

const ROWS: &str = "row,system,id,login,type,owner,purpose,expires_at,rotation_interval,stored_in,systems,operations,updated_at\r\n\
    n-1,okta,api_token/00T1,,token,E-1,\"Syncs people, hourly\",2026-12-31,90d,vault: kv/okta,okta,okta.users.manage,2026-03-02T00:00:00Z\r\n\
    n-2,okta,,svc-sync@example.com,service_account,ann@example.com,,,,,okta,,2026-03-02T00:00:00Z\r\n";

#[test]
fn s1_01_a_non_human_identity_answers_what_an_account_answers() {
    let ledger = register(ROWS);
    let (service, person, token) =
        ("account:okta:default:00u91", "account:okta:default:00u92", "credential:okta:default:api_token/00T1");
    for who in [service, person, token, "svc-sync@example.com"] {
        let history: GetHistoryResponse = check_answer(&ledger, &["history", who, "--at", "2026-04-01Z"]);
        assert!(!history.entries.is_empty(), "{who}");
        let state: GetStateResponse = check_answer(&ledger, &["state", who, "--at", "2026-04-01Z"]);
        let state = state.state.unwrap();
        assert!(state.known, "{who}");
        assert_eq!(state.register.is_some(), who != person, "{who}");
        let changed =
            ledger.run(&["diff", who, "--from", "2026-02-01Z", "--at", "2026-04-01Z", "--output", "json"]).ended(0);
        assert!(changed.text().contains("DIFFERENCE_KIND_ADDED"), "{who}: {}", changed.text());
        let whose: GetStateResponse = check_answer(&ledger, &["state", who, "--person", "--at", "2026-04-01Z"]);
        assert!(whose.state.unwrap().known, "{who}");
        ledger.run(&["history", who, "--person", "--output", "json"]).ended(0);
        ledger.run(&["explain", "--all", "--by", who, "--person", "--output", "json"]).ended(0);
    }
    // Of a token and of an account by its login: all that the register says, and what it is called there stays outside the
    // records.
    let state: GetStateResponse = ledger.run(&["state", token, "--at", "2026-04-01Z", "--output", "json"]).json();
    let entry = state.state.unwrap().register.unwrap();
    assert_eq!((entry.purpose.as_str(), entry.stored_in.as_str()), ("Syncs people, hourly", "vault: kv/okta"));
    assert_eq!((entry.rotation_interval_seconds, entry.systems.len(), entry.operations.len()), (90 * 86_400, 1, 1));
    let early: GetStateResponse =
        ledger.run(&["state", token, "--at", "2026-03-01T12:00:00Z", "--output", "json"]).json();
    assert!(early.state.unwrap().register.is_none(), "the register began later");
    let holders: ListHoldersResponse =
        ledger.run(&["holders", "Automation", "--at", "2026-04-01Z", "--output", "json"]).json();
    let holders: Vec<String> = holders.holders.iter().map(|one| one.counterpart.as_ref().unwrap().id.clone()).collect();
    assert_eq!(holders, [service, person]);
    for who in [service, person] {
        let changes: ListChangesResponse = ledger.run(&["explain", "--all", "--for", who, "--output", "json"]).json();
        assert_eq!(changes.explanations.len(), 2, "{who}");
    }
}

#[test]
fn s1_11_each_credential_has_an_owner_a_purpose_and_an_expiry_or_a_gap() {
    let ledger = register(ROWS);
    let gaps = |further: &[&str]| -> BTreeMap<String, Vec<RegisterGap>> {
        let arguments = [&["nhi", "list", "--at", "2026-04-01Z", "--output", "json"], further].concat();
        let listed: ListNonHumanIdentitiesResponse = ledger.run(&arguments).json();
        let one = |one: &NonHumanIdentity| (one.entity.as_ref().unwrap().id.clone(), one.gaps().collect());
        listed.identities.iter().map(one).collect()
    };
    use RegisterGap as G;
    let all = gaps(&[]);
    let expect = |id: &str, expected: &[G]| assert_eq!(all.get(id).unwrap(), expected, "{id}: {all:?}");
    expect("credential:okta:default:api_token/00T1", &[]);
    expect("account:okta:default:00u91", &[G::NoPurpose, G::NoExpiry]);
    let client = all.keys().find(|id| id.contains("0oc1")).unwrap();
    assert!(all[client].starts_with(&[G::NotRegistered, G::NoOwner, G::NoPurpose, G::NoExpiry]), "{all:?}");
    assert!(!all.keys().any(|id| id.contains("00u92")), "a person's account is none");
    let without_owner = gaps(&["--gap", "no-owner"]);
    let expected: BTreeMap<_, _> = all
        .iter()
        .filter(|(_, gaps)| gaps.contains(&G::NoOwner))
        .map(|(id, gaps)| (id.clone(), gaps.clone()))
        .collect();
    assert_eq!(without_owner, expected);
    assert!(expected.len() < all.len());
    assert_eq!(gaps(&["--type", "token"]).len(), 1);
    assert_eq!(gaps(&["--system", "github"]).len(), 0);
    let answer: ListNonHumanIdentitiesResponse = check_answer(&ledger, &["nhi", "list", "--at", "2026-04-01Z"]);
    assert_eq!(answer.identities.len(), all.len());
    let table = ledger.run(&["nhi", "list", "--at", "2026-04-01Z"]).ended(0);
    for words in ["Syncs people, hourly", "no expiry", "kept in vault: kv/okta", "in no register"] {
        assert!(table.text().contains(words), "{words:?} is missing in {}", table.text());
    }

    // Later, the token has run out; the owner of the account is gone; and an edited row is all that it says.
    let late = ["nhi", "list", "--at", "2027-02-01Z", "--output", "json"];
    let gap_of = |id: &str| {
        let listed: ListNonHumanIdentitiesResponse = ledger.run(&late).json();
        let one = listed.identities.into_iter().find(|one| one.entity.as_ref().unwrap().id == id).unwrap();
        one.gaps().collect::<Vec<_>>()
    };
    let token = "credential:okta:default:api_token/00T1";
    assert_eq!(gap_of(token), [G::Expired]);
    assert_eq!(gap_of("account:okta:default:00u91"), [G::NoPurpose, G::NoExpiry]);
    let target = json!({"id": "00u92", "type": "User", "alternateId": "ann@example.com", "displayName": "Ann"});
    let gone = counterfoil_tests::okta::event(9, "user.lifecycle.deactivate", "2026-06-01T09:00:00Z", &[target]);
    ledger.import("okta", &ledger.file("gone.jsonl", lines(&[gone])), &[]).ended(0);
    assert_eq!(gap_of("account:okta:default:00u91"), [G::OwnerLeft, G::NoPurpose, G::NoExpiry]);
    assert_eq!(gaps(&[])["account:okta:default:00u91"], [G::NoPurpose, G::NoExpiry], "they were there at that time");
    let edited = "row,system,id,type,owner,updated_at\r\nn-1,okta,api_token/00T1,token,E-1,2026-05-01\r\n";
    ledger.run(&["nhi", "import", ledger.file("edited.csv", edited).to_str().unwrap()]).ended(0);
    assert_eq!(gap_of(token), [G::NoPurpose, G::NoExpiry, G::NoRotation, G::NoStorage]);
    let retired = "row,system,id,type,updated_at,retired_at\nn-1,okta,api_token/00T1,token,2026-07-01,2026-06-15\n";
    ledger.run(&["nhi", "import", ledger.file("retired.csv", retired).to_str().unwrap()]).ended(0);
    assert_eq!(gap_of(token), [], "nothing is asked of what is out of use");
}

/// Those who asked, approved and executed, as far as the sources' logs name them: each is a person of the mapping file.
#[test]
fn s2_18_each_signed_in_identity_is_resolved_to_a_person() {
    for seed in [1, 3] {
        let (ledger, company) = ledger_of(seed, false);
        let views = ledger.views();
        let query = views.query().unwrap();
        let persons: BTreeMap<String, String> =
            addresses(&company).into_iter().map(|(person, address)| (address, person)).collect();
        let mut resolved = BTreeSet::new();
        for change in &company.truth.changes {
            // At the moment of the change: later, an address may be somebody else's.
            let moment = at(change.occurred_at);
            let asked = change.requester_email.iter().chain(&change.approver_emails).chain([&change.executor_login]);
            for login in asked {
                let Some(person) = persons.get(login).filter(|_| resolved.insert(login.clone())) else { continue };
                let found = query.resolve(login, counterfoil_query::Wanted::default(), moment, None).unwrap();
                let accounts = found.identities.iter().filter(|party| party.id.starts_with("account:"));
                // Whoever gets the address later is listed too.
                let is_anothers = |account: &str| {
                    let of = |whose: &Whose| whose.accounts.iter().any(|own| own == account) && whose.person != *person;
                    company.truth.whose.iter().any(of)
                };
                let mut own = 0;
                for account in accounts.filter(|account| !is_anothers(&account.id)) {
                    let state =
                        query.state_of_person(&account.id.parse().unwrap(), moment, None).unwrap().state.unwrap();
                    assert_eq!(&state.entity.unwrap().id, person, "seed {seed}: {login} by {}", account.id);
                    own += 1;
                }
                assert!(own > 0, "seed {seed}: {login} has no account");
            }
        }
        assert!(resolved.len() >= 5, "{resolved:?}");
    }
}

#[test]
fn tables_come_as_csv_or_as_json_and_unchanged_rows_add_nothing() {
    let ledger = LedgerFolder::init();
    let import = |name: &str, content: &str| {
        let file = ledger.file(name, content);
        total(ledger.run(&["people", "import", file.to_str().unwrap(), "--output", "json"]))
    };
    let csv = "\u{feff}row,person,system,account,person_name\r\n1,E-1,okta,00u1,\"Ode, Ann\"\r\n2,E-2,okta,00u2,\"Bea \"\"B\"\" Li\"\r\n";
    let first = import("a.csv", csv);
    assert_eq!((first.events, first.facts, first.duplicates, first.rejected), (2, 2, 0, 0));
    let json = "{\"row\":\"2\",\"person\":\"E-2\",\"system\":\"okta\",\"account\":\"00u2\",\"person_name\":\"Bea \\\"B\\\" Li\"}\n";
    for (name, content, events, duplicates) in [("b.jsonl", json, 0, 1), ("c.csv", csv, 0, 2)] {
        let again = import(name, content);
        assert_eq!((again.events, again.duplicates), (events, duplicates), "{name}");
    }
    // One broken row takes none of its neighbours with it.
    let broken =
        "row,person,system,account\n3,E-3,okta,00u3\n4,E-4,okta\n5,E-5,\"okta,00u5\n6,E-6,okta,00u6\n\n7,,okta,00u7\n";
    let mended = import("d.csv", broken);
    assert_eq!((mended.events, mended.rejected), (2, 3));
    let letters = ledger.run(&["deadletter", "list"]).ended(0);
    for words in ["expected 4 cells", "line 3", "a quotation mark", "the id of a person"] {
        assert!(letters.text().contains(words), "{words:?} is missing in {}", letters.text());
    }
    let state: GetStateResponse = ledger.run(&["state", "Ode, Ann", "--output", "json"]).json();
    assert_eq!(state.state.unwrap().members.len(), 1);
}
