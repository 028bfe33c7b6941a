//! Integration paths and the report on the inventory: of a made-up company against a plain reading of all its records,
//! and by hand for each gap.

use counterfoil_proto::v1::{
    GetInventoryReportResponse, IntegrationPath, InventoryPart, ListIntegrationPathsResponse, Outcome, Ref,
};
use counterfoil_query::{PathsRequest, QueryError};
use counterfoil_verify::entity::place_of;
use counterfoil_verify::record::recorded_at;
use counterfoil_verify::time::{Moment, RecordedAt};
use serde_json::Value;

use super::*;

/// Source, credential, system and tenant.
type Ends = (String, String, String);
/// The first and the last fact, and how many.
type Seen = (OccurredAt, OccurredAt, u64);

/// Every way on which something of the inventory succeeded in something.
fn naive_paths(ledger: &InsideLedger, at: OccurredAt, size: u64) -> BTreeMap<Ends, Seen> {
    let inventory = naive_inventory(ledger, at, size);
    let reader = ledger.ledger.reader();
    let mut paths: BTreeMap<Ends, Seen> = BTreeMap::new();
    for entry in reader.entries(0..size) {
        let entry = entry.unwrap();
        for one in facts_of(&entry.record) {
            let (fact, happened) = (one.fact, one.evidence.occurred_at());
            let is_said_only = matches!(kind_group(fact.kind()), Group::Governance | Group::Identity | Group::Rule);
            if happened > at || fact.outcome() != Outcome::Success || is_said_only {
                continue;
            }
            let id = |reference: &Option<Ref>| Some(EntityId::of(reference.as_ref()?, one.source)?.to_text());
            let (actor, via) = (id(&fact.actor), id(&fact.via));
            let source = [&actor, &via].into_iter().flatten().find(|one| inventory.contains(*one));
            let is_session = |id: &str| id.starts_with("credential:") && id.contains(":session/");
            let Some(source) = source.filter(|source| !is_session(source)) else { continue };
            let credential = via.as_ref().filter(|via| *via != source && !is_session(via)).cloned();
            let about = fact.object.as_ref().or(fact.subject.as_ref());
            let own = (&one.source.system[..], &one.source.instance[..]);
            let (system, instance) = about.map_or(own, |about| place_of(about, one.source));
            let ends = (source.clone(), credential.unwrap_or_default(), format!("{system}/{instance}"));
            let seen = paths.entry(ends).or_insert((happened, happened, 0));
            *seen = (seen.0.min(happened), seen.1.max(happened), seen.2 + 1);
        }
    }
    paths
}

fn ends(path: &IntegrationPath) -> Ends {
    let id = |party: &Option<counterfoil_proto::Shared<counterfoil_proto::v1::Party>>| {
        party.as_ref().map(|party| party.id.clone()).unwrap_or_default()
    };
    (id(&path.source), id(&path.credential), format!("{}/{}", path.system, path.instance))
}

fn paths(query: &Query<'_>, at: OccurredAt, known: Option<RecordedAt>, size: usize) -> BTreeMap<Ends, IntegrationPath> {
    let mut listed = BTreeMap::new();
    let mut request =
        PathsRequest { system: String::new(), gaps: Vec::new(), at, known, page: Page { size, token: String::new() } };
    loop {
        let page = query.integration_paths(&request).unwrap();
        for path in page.paths {
            assert!(listed.insert(ends(&path), path).is_none(), "each is listed once");
        }
        request.page.token = page.next_page_token;
        if request.page.token.is_empty() {
            return listed;
        }
        // A token is good for its own question alone.
        let other = PathsRequest { system: "okta".to_owned(), ..request.clone() };
        assert!(matches!(query.integration_paths(&other), Err(QueryError::PageToken(_))));
    }
}

/// By part and system: how many, how many without a gap, and how many with which.
type Counts = BTreeMap<(i32, String), (u64, u64, BTreeMap<i32, u64>)>;

fn counted<'l>(
    identities: impl Iterator<Item = &'l NonHumanIdentity>,
    paths: impl Iterator<Item = &'l IntegrationPath>,
) -> Counts {
    let identity = |one: &'l NonHumanIdentity| {
        let entity: EntityId = one.entity.as_ref().unwrap().id.parse().unwrap();
        let is_credential = entity.kind() == EntityKind::Credential;
        let part = if is_credential { InventoryPart::Credentials } else { InventoryPart::Identities };
        (part, entity.system().to_owned(), &one.gaps)
    };
    let path = |path: &'l IntegrationPath| (InventoryPart::Paths, path.system.clone(), &path.gaps);
    let mut counts: Counts = BTreeMap::new();
    for part in [InventoryPart::Identities, InventoryPart::Credentials, InventoryPart::Paths] {
        counts.entry((part.into(), String::new())).or_default();
    }
    for (part, system, gaps) in identities.map(identity).chain(paths.map(path)) {
        for system in BTreeSet::from([String::new(), system]) {
            let count = counts.entry((part.into(), system)).or_default();
            count.0 += 1;
            count.1 += u64::from(gaps.is_empty());
            gaps.iter().for_each(|gap| *count.2.entry(*gap).or_default() += 1);
        }
    }
    counts
}

fn reported(report: &GetInventoryReportResponse) -> Counts {
    let counts = report.counts.iter().map(|one| {
        let gaps = one.gaps.iter().map(|gap| (gap.gap, gap.count)).collect();
        ((one.part, one.system.clone()), (one.count, one.without_gap, gaps))
    });
    counts.collect()
}

#[test]
fn s1_03_every_integration_path_with_its_gaps() {
    let mut seen = BTreeSet::new();
    for seed in 1..=4 {
        let (ledger, company) = ledger_of(seed, false);
        let views = ledger.views();
        let query = views.query().unwrap();
        let truth = &company.truth;
        let end = truth.whose.iter().map(|whose| whose.at).max().unwrap();
        let middle = truth.changes[truth.changes.len() / 2].occurred_at;
        let reader = ledger.ledger.reader();
        let all = reader.head().size.0;
        let times: Vec<RecordedAt> = reader.entries(0..all).map(|entry| recorded_at(&entry.unwrap().record)).collect();
        let early = times[times.len() / 2];
        let early_size = times.iter().filter(|time| **time <= early).count() as u64;
        assert!(early_size < all, "something was learned later");
        for (moment, known, size) in
            [(middle, None, all), (end, None, all), (middle, Some(early), early_size), (end, Some(early), early_size)]
        {
            let told = format!("seed {seed} at {moment} by {size} records");
            let listed = paths(&query, at(moment), known, 1_000);
            let time = |seen: &Option<counterfoil_proto::v1::Evidence>| {
                let happened = seen.as_ref().unwrap().occurred_at.unwrap();
                OccurredAt(Moment { seconds: happened.seconds, nanos: u32::try_from(happened.nanos).unwrap() })
            };
            let found = listed.iter().filter(|((source, ..), _)| !source.starts_with("identifier:"));
            let found = found.map(|(ends, path)| {
                assert!(!path.cut, "{told}: {ends:?}");
                (ends.clone(), (time(&path.first_seen), time(&path.last_seen), path.facts))
            });
            let found: BTreeMap<Ends, Seen> = found.collect();
            assert_eq!(found, naive_paths(&ledger, at(moment), size), "{told}");
            assert!(!found.is_empty(), "{told}");
            for pages in [1, 7] {
                assert_eq!(paths(&query, at(moment), known, pages), listed, "{told}, {pages} to a page");
            }
            let identities = inventory(&query, at(moment), known, 1_000);
            for ((source, ..), path) in &listed {
                let is_unregistered = identities[source].gaps().any(|gap| gap == RegisterGap::NotRegistered);
                assert_eq!(
                    path.gaps().any(|gap| gap == RegisterGap::NotRegistered),
                    is_unregistered,
                    "{told}: {source}"
                );
            }
            let report = query.inventory_report(at(moment), known).unwrap();
            assert!(!report.cut);
            assert_eq!(reported(&report), counted(identities.values(), listed.values()), "{told}");
        }
        let listed = paths(&query, at(end), None, 1_000);
        seen.extend(listed.values().flat_map(|path| path.gaps()));
        assert!(listed.values().any(|path| path.credential.is_some()), "seed {seed}");
    }
    for gap in [RegisterGap::NotRegistered, RegisterGap::CredentialNotRegistered] {
        assert!(seen.contains(&gap), "{gap:?} goes unchecked: {seen:?}");
    }
}

/// An entry of the register that lacks nothing, but for what is said otherwise: nothing at all, or other cells.
fn entry(id: &str, identity_type: &str, said: &Option<Value>) -> Option<Value> {
    let mut entry = json!({
        "system": "ci", "id": id, "type": identity_type, "owner": "E-1", "purpose": "Deploys", "expires_at": "2026-12-31",
        "rotation_interval": "90d", "stored_in": "vault", "systems": "ci", "updated_at": "2026-01-01",
    });
    for (name, cell) in said.as_ref()?.as_object().unwrap() {
        match cell.is_null() {
            true => drop(entry.as_object_mut().unwrap().remove(name)),
            false => entry[name] = cell.clone(),
        }
    }
    Some(entry)
}

fn service(number: usize) -> Value {
    json!({"kind": "account", "id": format!("svc-{number}"), "type": "service_account"})
}

fn token(number: usize) -> Value {
    json!({"kind": "credential", "id": format!("api_token/{number}"), "type": "token"})
}

/// A service gives somebody a role, through its token.
fn used(number: usize, day: &str) -> Value {
    json!({
        "kind": "grant.added", "occurred_at": format!("{day}T09:00:00Z"), "actor": service(number), "via": token(number),
        "subject": {"kind": "account", "id": "u-1", "type": "human"}, "object": {"id": "role/deployer"},
    })
}

/// Something becomes of the token of a service.
fn became(kind: &str, number: usize, day: &str) -> Value {
    json!({
        "kind": kind, "occurred_at": format!("{day}T09:00:00Z"), "subject": service(number), "object": token(number),
    })
}

fn event(number: usize, facts: &[Value]) -> Value {
    let source = json!({"system": "ci", "instance": "default", "stream": "log"});
    json!({"id": format!("evt-{number}"), "source": source, "type": "deploy.grant", "facts": facts})
}

#[test]
fn each_gap_of_a_path_is_said_and_no_other() {
    use RegisterGap as G;
    let nothing: Option<Value> = None;
    let good = || Some(json!({}));
    let (early, late) = ("2026-03-10", "2026-03-20");
    type Happened = fn(usize) -> Vec<Value>;
    /// What is so, the entries of source and credential, what happened, and what the path lacks.
    type Case = (&'static str, Option<Value>, Option<Value>, Happened, &'static [G]);
    let once: Happened = |number| vec![used(number, "2026-03-10")];
    let twice: Happened = |number| vec![used(number, "2026-03-10"), used(number, "2026-03-20")];
    let cases: Vec<Case> = vec![
        ("all is there", good(), good(), twice, &[]),
        (
            "nothing is registered",
            nothing.clone(),
            nothing.clone(),
            once,
            &[
                G::NotRegistered,
                G::NoOwner,
                G::NoExpiry,
                G::NoRotation,
                G::CredentialNotRegistered,
                G::TargetNotDeclared,
            ],
        ),
        ("only the credential is registered", nothing.clone(), good(), once, &[G::NotRegistered]),
        (
            "only the source is registered",
            good(),
            nothing.clone(),
            once,
            &[G::NoExpiry, G::NoRotation, G::CredentialNotRegistered],
        ),
        (
            "no entry names systems",
            Some(json!({"systems": null})),
            Some(json!({"systems": null})),
            once,
            &[G::TargetNotDeclared],
        ),
        ("one entry names the target", Some(json!({"systems": null})), good(), once, &[]),
        ("one entry names others only", good(), Some(json!({"systems": "okta;aws"})), once, &[G::TargetNotDeclared]),
        ("nobody answers for it", Some(json!({"owner": null})), Some(json!({"owner": null})), once, &[G::NoOwner]),
        ("somebody answers for the credential", Some(json!({"owner": null})), good(), once, &[]),
        ("the owner left", Some(json!({"owner": "E-9"})), good(), once, &[G::OwnerLeft]),
        ("no term", good(), Some(json!({"expires_at": null})), once, &[G::NoExpiry]),
        ("no rotation", good(), Some(json!({"rotation_interval": null})), once, &[G::NoRotation]),
        (
            "revoked, and used",
            good(),
            good(),
            |number| {
                let mut facts = vec![became("credential.revoked", number, "2026-03-15")];
                facts.extend([used(number, "2026-03-10"), used(number, "2026-03-20")]);
                facts
            },
            &[G::UsedAfterRevocation],
        ),
        (
            "disabled, and used",
            good(),
            good(),
            |number| vec![became("credential.disabled", number, "2026-03-15"), used(number, "2026-03-20")],
            &[G::UsedAfterRevocation],
        ),
        (
            "revoked, and not used since",
            good(),
            good(),
            |number| vec![used(number, "2026-03-10"), became("credential.revoked", number, "2026-03-15")],
            &[],
        ),
        (
            "revoked, and tried in vain",
            good(),
            good(),
            |number| {
                let mut refused = used(number, "2026-03-20");
                refused["outcome"] = json!("denied");
                vec![used(number, "2026-03-10"), became("credential.revoked", number, "2026-03-15"), refused]
            },
            &[],
        ),
        (
            "ran out by the log, and used",
            good(),
            good(),
            |number| vec![became("credential.expired", number, "2026-03-15"), used(number, "2026-03-20")],
            &[G::UsedAfterExpiry],
        ),
        (
            "ran out by the register, and used",
            good(),
            Some(json!({"expires_at": "2026-03-15"})),
            twice,
            &[G::UsedAfterExpiry],
        ),
        (
            "the source ran out, and was used",
            Some(json!({"expires_at": "2026-03-15"})),
            good(),
            twice,
            &[G::UsedAfterExpiry],
        ),
        ("ran out, and not used since", good(), Some(json!({"expires_at": "2026-03-15"})), once, &[]),
        (
            "out of use, and used",
            Some(json!({"retired_at": "2026-03-15", "owner": null})),
            good(),
            twice,
            &[G::UsedAfterRetirement],
        ),
        ("out of use", Some(json!({"retired_at": "2026-03-15", "systems": null, "owner": null})), nothing, once, &[]),
    ];
    let ledger = LedgerFolder::init();
    let (mut rows, mut events) = (Vec::new(), Vec::new());
    for (number, (_, source, credential, happened, _)) in cases.iter().enumerate() {
        rows.extend(entry(&format!("svc-{number}"), "service_account", source));
        rows.extend(entry(&format!("api_token/{number}"), "token", credential));
        events.push(event(number, &happened(number)));
    }
    // A person's token that acts is a source, and a machine elsewhere is another target.
    let person = json!({"kind": "account", "id": "u-2", "type": "human"});
    let mut own = used(900, early);
    own["actor"] = person.clone();
    let mut elsewhere = used(900, late);
    elsewhere["actor"] = person;
    elsewhere["object"] = json!({"system": "vault", "instance": "eu", "id": "role/reader"});
    let leaver = json!({
        "kind": "lifecycle.leaver", "occurred_at": "2026-02-01T00:00:00Z",
        "subject": {"kind": "person", "system": "people", "instance": "default", "id": "E-9"},
    });
    events.push(event(900, &[own, elsewhere, leaver]));
    rows.extend(entry("api_token/900", "token", &good()));
    ledger.import("fact", &ledger.file("facts.jsonl", lines(&events)), &[]).ended(0);
    ledger.run(&["nhi", "import", ledger.file("register.jsonl", lines(&rows)).to_str().unwrap()]).ended(0);

    let now = ["--at", "2026-04-01Z"];
    let ask = |further: &[&str]| -> BTreeMap<Ends, IntegrationPath> {
        let arguments = [&["nhi", "paths", "--output", "json"][..], &now, further].concat();
        let answer: ListIntegrationPathsResponse = ledger.run(&arguments).json();
        answer.paths.into_iter().map(|path| (ends(&path), path)).collect()
    };
    let all = ask(&[]);
    let id = |kind: &str, id: String| format!("{kind}:ci:default:{id}");
    let gaps = |path: &IntegrationPath| path.gaps().collect::<Vec<_>>();
    for (number, (what, .., expected)) in cases.iter().enumerate() {
        let of = (id("account", format!("svc-{number}")), id("credential", format!("api_token/{number}")));
        let path = all.get(&(of.0, of.1, "ci/default".to_owned())).unwrap_or_else(|| panic!("{what}: {all:?}"));
        assert_eq!(gaps(path), *expected, "{what}");
    }
    let of_person =
        |target: &str| all.get(&(id("credential", "api_token/900".to_owned()), String::new(), target.into()));
    assert_eq!(of_person("ci/default").map(gaps), Some(Vec::new()));
    assert_eq!(of_person("vault/eu").map(gaps), Some(vec![G::TargetNotDeclared]));
    assert_eq!(all.len(), cases.len() + 2);

    // What is asked for, and nothing else; and all forms of the answer.
    let wanted = |is: &dyn Fn(&IntegrationPath) -> bool| -> BTreeMap<Ends, IntegrationPath> {
        all.iter().filter(|(_, path)| is(path)).map(|(ends, path)| (ends.clone(), path.clone())).collect()
    };
    assert_eq!(ask(&["--system", "vault"]), wanted(&|path| path.system == "vault"));
    assert_eq!(ask(&["--gap", "owner-left"]), wanted(&|path| path.gaps().any(|gap| gap == G::OwnerLeft)));
    assert_eq!(ask(&["--gap", "used-after-expiry"]).len(), 3);
    let answer: ListIntegrationPathsResponse = check_answer(&ledger, &[&["nhi", "paths"][..], &now].concat());
    assert_eq!(answer.paths.len(), all.len());
    let table = ledger.run(&[&["nhi", "paths"][..], &now].concat()).ended(0);
    for words in ["vault/eu", "used after revocation", "target not declared", "integration paths"] {
        assert!(table.text().contains(words), "{words:?} is missing in {}", table.text());
    }
    let report: GetInventoryReportResponse = check_answer(&ledger, &[&["nhi", "report"][..], &now].concat());
    let listed: ListNonHumanIdentitiesResponse =
        ledger.run(&[&["nhi", "list", "--output", "json"][..], &now].concat()).json();
    assert_eq!(reported(&report), counted(listed.identities.iter(), all.values()));
    let table = ledger.run(&[&["nhi", "report"][..], &now].concat()).ended(0);
    for words in ["paths", "vault", "3 used after expiry"] {
        assert!(table.text().contains(words), "{words:?} is missing in {}", table.text());
    }
    // Before any of it was used there is no path, and each part has its line.
    let early: GetInventoryReportResponse =
        ledger.run(&["nhi", "report", "--at", "2026-02-01Z", "--output", "json"]).json();
    assert!(early.counts.iter().any(|one| one.part() == InventoryPart::Paths && one.count == 0), "{early:?}");
}

#[test]
fn of_more_facts_than_are_looked_at_a_path_has_the_newest_and_says_so() {
    const LOOKED_AT: usize = 10_000;
    let ledger = InsideLedger::new();
    // Each in another second, the first of them elsewhere.
    let fact = |number: usize| {
        let mut fact = used(1, "2026-03-01");
        fact["occurred_at"] = json!({"epoch_s": 1_772_323_200 + number});
        if number == 0 {
            fact["object"] = json!({"system": "vault", "instance": "eu", "id": "role/reader"});
        }
        fact
    };
    let facts: Vec<Value> = (0..LOOKED_AT + 1).map(fact).collect();
    let events: Vec<Value> = facts.chunks(1_000).enumerate().map(|(number, facts)| event(number, facts)).collect();
    let file = ledger.folder.path().join("facts.jsonl");
    std::fs::write(&file, lines(&events)).unwrap();
    assert_eq!(ledger.import("fact", &file, false).rejected, 0);
    let views = ledger.views();
    let query = views.query().unwrap();
    let second = |number: usize| {
        let seconds = 1_772_323_200 + i64::try_from(number).unwrap();
        OccurredAt(Moment { seconds, nanos: 0 })
    };
    for (last, is_cut) in [(LOOKED_AT - 1, false), (LOOKED_AT, true)] {
        let listed = paths(&query, second(last), None, 1_000);
        let in_ci: Vec<&IntegrationPath> = listed.values().filter(|path| path.system == "ci").collect();
        let [path] = in_ci[..] else { panic!("{listed:?}") };
        let first = path.first_seen.as_ref().unwrap().occurred_at.as_ref().unwrap().seconds;
        assert_eq!((path.facts, path.cut, first), (last as u64, is_cut, second(1).0.seconds), "{last}");
        assert_eq!(listed.len(), if is_cut { 1 } else { 2 }, "what was not looked at is not listed");
        assert_eq!(query.inventory_report(second(last), None).unwrap().cut, is_cut);
    }
}
