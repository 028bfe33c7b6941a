//! Requirements that the whole program holds, each under the name that docs/requirements.md gives.
#![allow(clippy::unwrap_used, reason = "a test stops where it fails")]

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;

use counterfoil_proto::v1::{GetStateResponse, IdentityType, ListSourcesResponse, Record, Verdict};
use counterfoil_query::{ExplainFilter, Period, Query};
use counterfoil_scenario::{Options, generate};
use counterfoil_tests::files::lines;
use counterfoil_tests::inside::InsideLedger;
use counterfoil_tests::okta;
use counterfoil_tests::program::LedgerFolder;
use counterfoil_verify::entity::EntityId;
use counterfoil_verify::fact::entity_set;
use counterfoil_verify::replay::replay;
use counterfoil_verify::state::State;
use counterfoil_verify::time::{Moment, OccurredAt};
use counterfoil_verify::tree::TreeSize;
use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::{Rng, SeedableRng};
use serde_json::{Value, json};

#[test]
fn dc5_workspace_layout() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap();
    let manifest = fs::read_to_string(root.join("Cargo.toml")).unwrap();
    for package in ["proto", "verify", "ledger", "ingest", "query", "scenario", "bench", "tests"] {
        assert!(root.join(package).join("Cargo.toml").is_file(), "{package}");
        assert!(manifest.contains(&format!("\"{package}\"")), "{package} is a member of the workspace");
    }
    for file in ["Makefile", "ARCHITECTURE.md", "GLOSSARY.md", "CHANGELOG.md", "LICENSE", "deny.toml", "src/main.rs"] {
        assert!(root.join(file).is_file(), "{file}");
    }
    for package in ["serde", "prost", "sha2", "rocksdb", "tempfile"] {
        assert!(manifest.contains(&format!("\n{package} = ")), "{package} is a dependency");
    }
}

#[test]
fn s0_03_listings_reproduce_counts() {
    let ledger = LedgerFolder::init();
    let agents = (1..=3).map(|id| {
        json!({
            "id": id, "email": format!("agent{id}@example.com"), "first_name": "Agent", "last_name": format!("No {id}"),
            "active": true, "occasional": false, "role_ids": [100 + id], "member_of": [201, 200 + id],
            "created_at": "2026-02-20T10:48:16Z", "updated_at": "2026-02-20T10:48:16Z",
        })
    });
    let groups = (201..=214).map(|id| {
        json!({
            "id": id, "name": format!("Group {id}"), "members": [1 + id % 3], "observers": [], "leaders": [],
            "created_at": "2026-02-20T10:48:16Z", "updated_at": "2026-02-20T10:48:16Z",
        })
    });
    let roles =
        (101..=113).map(|id| json!({"id": id, "name": format!("Role {id}"), "created_at": "2026-02-20T10:48:16Z"}));
    let listings = [
        json!({"agents": agents.collect::<Vec<_>>()}),
        json!({"groups": groups.collect::<Vec<_>>()}),
        json!({"roles": roles.collect::<Vec<_>>()}),
    ];
    let file = ledger.file("listings.jsonl", lines(&listings));
    // Twice: what is listed again is no more than it was.
    for _ in 0..2 {
        ledger.import("freshservice", &file, &[]).ended(0);
        let response: ListSourcesResponse = ledger.run(&["sources", "--output", "json"]).json();
        let [source] = &response.sources[..] else { panic!("{response:?}") };
        let objects: BTreeMap<&str, u64> =
            source.objects.iter().map(|object| (object.kind.as_str(), object.count)).collect();
        let count = |kind: &str| objects.get(kind).copied();
        assert_eq!(
            (count("account"), count("group_member"), count("role")),
            (Some(3), Some(14), Some(13)),
            "{objects:?}"
        );
        assert_eq!(source.events, 30);
    }
}

fn fact_document(number: usize, fact: Value) -> Value {
    json!({
        "id": format!("evt-{number}"), "type": "test",
        "source": {"system": "ci", "instance": "prod", "stream": "audit"}, "facts": [fact],
    })
}

/// An identity's type as people write it in facts: "service_account".
fn written(identity_type: IdentityType) -> String {
    identity_type.as_str_name().trim_start_matches("IDENTITY_TYPE_").to_lowercase()
}

#[test]
fn s0_22_every_identity_type_round_trips() {
    let types: Vec<IdentityType> = (1..100).filter_map(|number| IdentityType::try_from(number).ok()).collect();
    assert_eq!(types.len(), 12, "{types:?}");
    let ledger = LedgerFolder::init();
    let mut documents = Vec::new();
    for (number, identity_type) in types.iter().enumerate() {
        let name = written(*identity_type);
        let at = "2026-03-01T09:30:00Z";
        let id = i32::from(*identity_type);
        let account = json!({"id": format!("account-{id}"), "type": name});
        let credential = json!({"id": format!("key/{id}"), "type": name});
        let integration = json!({"kind": "integration", "id": format!("integration-{id}"), "type": name});
        for fact in [
            json!({"kind": "account.created", "occurred_at": at, "subject": account}),
            json!({"kind": "credential.created", "occurred_at": at, "subject": account, "object": credential}),
            json!({"kind": "nhi.registered", "occurred_at": at, "subject": integration}),
        ] {
            documents.push(fact_document(10 * number + documents.len() % 3, fact));
        }
    }
    let file = ledger.file("identities.jsonl", lines(&documents));
    ledger.import("fact", &file, &[]).ended(0);
    for identity_type in types {
        let id = i32::from(identity_type);
        for entity in [
            format!("account:ci:prod:account-{id}"),
            format!("credential:ci:prod:key/{id}"),
            format!("integration:ci:prod:integration-{id}"),
        ] {
            let response: GetStateResponse = ledger.run(&["state", &entity, "--output", "json"]).json();
            let party = response.state.unwrap().entity.unwrap();
            assert_eq!((party.id.as_str(), party.identity_type()), (entity.as_str(), identity_type));
            let history: Value = ledger.run(&["history", &entity, "--output", "json"]).json();
            let text = history.to_string();
            assert!(text.contains(&format!("\"{}\"", identity_type.as_str_name())), "{text}");
        }
    }
}

/// What each source says of the credentials of machines is typed: nobody has to guess from a name.
#[test]
fn s1_05_credential_kinds_are_typed() {
    let ledger = LedgerFolder::init();
    let at = "2026-03-01T09:30:00Z";
    let target = |id: &str, kind: &str, login: &str| json!({"id": id, "type": kind, "alternateId": login, "displayName": "A name"});
    let okta = [
        okta::event(1, "system.api_token.create", at, &[target("00T1", "Token", "unknown")]),
        okta::event(2, "app.oauth2.client.lifecycle.create", at, &[target("0oc1", "PublicClientApp", "unknown")]),
        okta::event(3, "user.lifecycle.create", at, &[target("00u91", "User", "svc-directory-sync@example.com")]),
        okta::event(4, "user.lifecycle.create", at, &[target("00u92", "User", "person@example.com")]),
    ];
    ledger.import("okta", &ledger.file("okta.jsonl", lines(&okta)), &[]).ended(0);
    let kinds = [
        ("api_token/t1", "token"),
        ("webhook_secret/w1", "webhook_secret"),
        ("certificate/c1", "certificate"),
        ("api_key/k1", "api_key"),
        ("client_secret/s1", "secret"),
        ("oidc/run-1", "workload_identity"),
    ];
    let created = kinds.iter().enumerate().map(|(number, (id, kind))| {
        let fact = json!({
            "kind": "credential.created", "occurred_at": at, "expires_at": "2027-03-01T00:00:00Z",
            "subject": {"id": "svc-tickets", "type": "service_account"}, "object": {"id": id, "type": kind},
        });
        fact_document(number, fact)
    });
    ledger.import("fact", &ledger.file("facts.jsonl", lines(&created.collect::<Vec<_>>())), &[]).ended(0);

    let check = |entity: &str, expected: &str| {
        let response: GetStateResponse = ledger.run(&["state", entity, "--output", "json"]).json();
        let found = response.state.unwrap().entity.unwrap().identity_type();
        assert_eq!(written(found), expected, "{entity}");
    };
    check("credential:okta:default:api_token/00T1", "token");
    check("credential:okta:default:oauth_client/0oc1", "integration");
    check("account:okta:default:00u91", "service_account");
    check("account:okta:default:00u92", "human");
    check("account:ci:prod:svc-tickets", "service_account");
    kinds.iter().for_each(|(id, kind)| check(&format!("credential:ci:prod:{id}"), kind));
    let owner: GetStateResponse = ledger.run(&["state", "account:ci:prod:svc-tickets", "--output", "json"]).json();
    assert_eq!(owner.state.unwrap().credentials.len(), kinds.len(), "and each has its owner");
}

/// A company's files, imported one after the other.
fn import(ledger: &InsideLedger, files: &[&counterfoil_scenario::File]) {
    for file in files {
        let path = ledger.folder.path().join(file.name.replace('/', "-"));
        fs::write(&path, &file.bytes).unwrap();
        ledger.pass(60);
        ledger.import(file.connector, &path, true);
    }
}

/// Everybody who ever got or lost access, and everything that they got or lost.
fn parties(query: &Query<'_>) -> BTreeSet<EntityId> {
    let always = Period::ALWAYS;
    let explanations = query.explain_all(always, None, ExplainFilter::All).unwrap();
    let both = explanations.flat_map(|explanation| {
        let explanation = explanation.unwrap();
        [explanation.subject, explanation.object]
    });
    both.flatten().map(|party| party.id.parse().unwrap()).collect()
}

/// Tickets, approvals and the links to them are what changes are explained with. They change no state: without any of
/// them, everybody holds the same on the word of the same records.
#[test]
fn s2_23_links_change_no_state() {
    let company = generate(&Options { people: 12, months: 2, ..Options::default() });
    let (tickets, logs): (Vec<_>, Vec<_>) = company.files.iter().partition(|file| file.connector == "freshservice");
    let ledger = InsideLedger::new();
    let states = |entities: Option<&BTreeSet<EntityId>>| {
        let views = ledger.views();
        let query = views.query().unwrap();
        let entities = entities.cloned().unwrap_or_else(|| parties(&query));
        let size = ledger.ledger.reader().head().size;
        let moments = [Moment { seconds: 1_769_904_000, nanos: 0 }, Moment::MAX];
        let state = |entity: &EntityId| moments.map(|at| query.replayed(entity, OccurredAt(at), size).unwrap());
        let found: Vec<[State; 2]> = entities.iter().map(state).collect();
        let approved = company.truth.changes.iter().filter(|change| {
            let selector = counterfoil_query::ChangeSelector::Event(change.event_uuid.clone());
            let response = query.explain(&selector, None).unwrap();
            response.explanations.iter().any(|explanation| explanation.verdict() == Verdict::Approved)
        });
        (entities, found, approved.count())
    };
    import(&ledger, &logs);
    let (entities, before, approved_before) = states(None);
    import(&ledger, &tickets);
    let (_, after, approved_after) = states(Some(&entities));
    assert_eq!(approved_before, 0);
    assert!(entities.len() > 20 && approved_after > 20, "{} entities, {approved_after} approved", entities.len());
    assert!(before.iter().flatten().any(|state| state.grants.len() > 1));
    assert_eq!(before, after);
}

/// Every ticket of a company, most of them approved, and no log of what was done: nobody has any of it.
#[test]
fn s2_24_an_approval_alone_gives_no_access() {
    let company = generate(&Options { people: 12, months: 2, ..Options::default() });
    let (tickets, logs): (Vec<_>, Vec<_>) = company.files.iter().partition(|file| file.connector == "freshservice");
    let asked_for: BTreeSet<EntityId> = {
        let with_logs = InsideLedger::new();
        import(&with_logs, &logs);
        let views = with_logs.views();
        parties(&views.query().unwrap())
    };
    let ledger = InsideLedger::new();
    import(&ledger, &tickets);
    let views = ledger.views();
    let query = views.query().unwrap();
    let always = Period::ALWAYS;
    assert_eq!(query.explain_all(always, None, ExplainFilter::All).unwrap().count(), 0, "nothing gave access");
    let size = ledger.ledger.reader().head().size;
    for entity in &asked_for {
        let state = query.replayed(entity, OccurredAt(Moment::MAX), size).unwrap();
        assert_eq!((state.grants.len(), state.account), (0, None), "{entity}");
    }
    let records: Vec<Record> = ledger.ledger.reader().records(0..u64::MAX).map(Result::unwrap).collect();
    let approved = records.iter().flat_map(entity_set).collect::<BTreeSet<_>>().into_iter().filter(|entity| {
        let state = query.replayed(entity, OccurredAt(Moment::MAX), size).unwrap();
        state
            .ticket
            .as_ref()
            .and_then(counterfoil_verify::approval::derive)
            .is_some_and(|derived| derived.completed_by.is_some())
    });
    assert!(approved.count() > 20, "there are approvals");
}

/// The state of anybody, at any time, known by any time: through ledger and views it is the replay of all records.
#[test]
fn dc2_state_equals_naive_replay() {
    let mut random = ChaCha8Rng::seed_from_u64(2);
    for seed in 1..=3 {
        let company = generate(&Options { seed, people: 12, months: 1, ..Options::default() });
        let mut files: Vec<&counterfoil_scenario::File> = company.files.iter().collect();
        // In any order of arrival: late files make late facts.
        for last in (1..files.len()).rev() {
            files.swap(last, random.next_u64() as usize % (last + 1));
        }
        let ledger = InsideLedger::new();
        import(&ledger, &files);
        let views = ledger.views();
        let query = views.query().unwrap();
        let reader = ledger.ledger.reader();
        let records: Vec<Record> = reader.records(0..u64::MAX).map(Result::unwrap).collect();
        let entities: Vec<EntityId> =
            records.iter().flat_map(entity_set).collect::<BTreeSet<_>>().into_iter().collect();
        let (from, until) = (1_767_225_600, 1_767_225_600 + 40 * 86_400);
        let mut filled = 0;
        for _ in 0..1_000 {
            let entity = &entities[random.next_u64() as usize % entities.len()];
            let at =
                OccurredAt(Moment { seconds: from + (random.next_u64() % (until - from) as u64) as i64, nanos: 0 });
            let known = TreeSize(random.next_u64() % (records.len() as u64 + 1));
            let expected = replay(entity, &records, at, known);
            filled += usize::from(expected != State::default());
            assert_eq!(query.replayed(entity, at, known).unwrap(), expected, "{entity} at {at:?}, known {known:?}");
            // The same by the clock: what was recorded by the time of the last record that counts.
            let Some(last) = known.0.checked_sub(1) else { continue };
            let known_at = counterfoil_verify::record::recorded_at(&records[last as usize]);
            let size = reader.size_at(known_at).unwrap();
            let by_clock = query.state(entity, at, Some(known_at)).unwrap();
            assert_eq!(by_clock.moment.unwrap().known_size, size.0);
            let held = by_clock.state.unwrap().grants.len();
            assert_eq!(held, replay(entity, &records, at, size).grants.len(), "{entity} at {at:?}, by {known_at:?}");
        }
        assert!(filled > 50, "most questions have an answer: {filled}");
    }
}
