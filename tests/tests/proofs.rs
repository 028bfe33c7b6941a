//! Answers that carry proofs: every question of `IdentityService` and `LinkageService`, many records and entities at once, and
//! what a listing saw. Each is checked as a client checks it, by a policy alone.
#![allow(clippy::unwrap_used, reason = "a test stops where it fails")]

mod common;

use std::collections::{BTreeMap, BTreeSet};

use common::{company_ledger, read_policy};
use counterfoil_ledger::{Ledger, Location, Options, Sealing, SystemClock};
use counterfoil_proto::v1::{EntityKind, GetListingProofResponse, Proof};
use counterfoil_tests::http::{Answer, curl, get, segment};
use counterfoil_tests::kafka::until;
use counterfoil_tests::okta::{response, user_id, user_object};
use counterfoil_tests::program::LedgerFolder;
use counterfoil_tests::server::Server;
use counterfoil_verify::batch;
use counterfoil_verify::entity::EntityId;
use counterfoil_verify::fact::entity_set;
use counterfoil_verify::listing::ItemKey;
use counterfoil_verify::listing_proof;
use counterfoil_verify::policy::Policy;
use counterfoil_verify::record::{encode, hash};
use counterfoil_verify::tree::RecordIndex;
use serde_json::Value;

/// The proof that an answer carries, checked.
fn checked<'p>(answer: &Value, policy: &'p Policy) -> batch::Batch<'p> {
    let proof: Proof = serde_json::from_value(answer["basis"]["proof"].clone()).unwrap();
    batch::check(&proof, policy).unwrap()
}

/// The records and the entities that some JSON names: numbers of records, and whatever is written as the id of an entity by
/// itself.
fn named(value: &Value, records: &mut BTreeSet<RecordIndex>, entities: &mut BTreeSet<EntityId>) {
    match value {
        Value::Object(fields) => {
            for (name, value) in fields.iter().filter(|(name, _)| *name != "basis") {
                let numbers = value.as_array().map_or(std::slice::from_ref(value), Vec::as_slice);
                if name == "record" || name == "records" {
                    let numbers = numbers.iter().filter_map(Value::as_str);
                    records.extend(numbers.map(|number| RecordIndex(number.parse().unwrap())));
                }
                if name == "id" {
                    entities.extend(value.as_str().and_then(|id| id.parse::<EntityId>().ok()));
                }
                named(value, records, entities);
            }
        }
        Value::Array(values) => values.iter().for_each(|value| named(value, records, entities)),
        _ => {}
    }
}

#[test]
fn every_answer_carries_the_proof_of_what_it_names() {
    let (ledger, company) = company_ledger();
    let users: Value = [user_object(1, "ACTIVE")].into_iter().collect();
    let listing = response("users?limit=200", None, "Mon, 01 Jun 2026 09:00:00 GMT", &users);
    ledger.run(&["snapshot", "okta", ledger.file("users", listing).to_str().unwrap()]).ended(0);
    let policy = read_policy(&ledger);
    let server = Server::sealing(&ledger);
    until("there is an answer", || get(&server, "/v1/identities", &[("system", "okta")]).status == 200);
    let story = &company.truth.story;
    let id = |query: &str| {
        let found = get(&server, "/v1/identities", &[("query", query), ("system", "okta")]).json(200);
        found["identities"][0]["id"].as_str().unwrap().to_owned()
    };
    let (who, what) = (id(&story.identity_login), id(&story.past_entitlement_name));
    let (in_path, what) = (segment(&who), segment(&what));
    let (at, change) = (story.past_at.to_string(), story.explained_change_uuid.as_str());
    let of = |what: &str| format!("/v1/identities/{in_path}/{what}");
    let questions: Vec<(String, Vec<(&str, &str)>)> = vec![
        ("/v1/identities".to_owned(), vec![("page_size", "20")]),
        (of("state"), vec![("at", &at)]),
        (of("state"), vec![("person", "true")]),
        (of("history"), vec![]),
        (of("diff"), vec![("from", "2026-01-05T00:00:00Z")]),
        (of("access"), vec![("at", &at)]),
        (of("blast-radius"), vec![("at", &at)]),
        (format!("/v1/entitlements/{what}/holders"), vec![("at", &at)]),
        (format!("/v1/entitlements/{what}/holders"), vec![("at", &at), ("effective", "true")]),
        (format!("/v1/changes/{change}"), vec![]),
        (format!("/v1/changes/{change}/affected"), vec![]),
        ("/v1/changes".to_owned(), vec![("page_size", "50")]),
        ("/v1/capable-identities".to_owned(), vec![("at", &at), ("page_size", "20")]),
        ("/v1/non-human-identities".to_owned(), vec![]),
        ("/v1/integration-paths".to_owned(), vec![]),
        ("/v1/inventory-report".to_owned(), vec![]),
        (format!("/v1/tickets/{}/trail", story.explained_ticket), vec![("at", &at)]),
        (format!("/v1/identities/{in_path}/grants/{what}"), vec![("at", &at)]),
        ("/v1/reversal".to_owned(), vec![("change", change)]),
        ("/v1/systems/okta/reconciliation".to_owned(), vec![]),
    ];
    let (mut all, mut records_named) = (BTreeMap::new(), BTreeMap::new());
    for (path, parameters) in &questions {
        let plain = get(&server, path, parameters);
        let proved = get(&server, path, &[&parameters[..], &[("with_proof", "true")]].concat());
        if path.ends_with("/affected") && plain.status != 200 {
            // It is about changes of what an entitlement means.
            assert_eq!(proved.status, plain.status, "{proved}");
            continue;
        }
        // Of a stream the last message has what there is of all.
        let last = |answer: Answer| -> Value {
            assert_eq!(answer.status, 200, "{answer}");
            serde_json::from_slice(answer.body.trim_ascii_end().rsplit(|byte| *byte == b'\n').next().unwrap()).unwrap()
        };
        let (plain, mut proved) = (last(plain), last(proved));
        let shown = checked(&proved, &policy);
        let (mut records, mut entities) = (BTreeSet::new(), BTreeSet::new());
        named(&proved, &mut records, &mut entities);
        assert!(shown.records.keys().eq(&records), "{path}: {records:?}");
        assert!(shown.entities.keys().eq(&entities), "{path}: {entities:?} {:?}", shown.entities.keys());
        assert!(plain["basis"].get("proof").is_none());
        proved["basis"].as_object_mut().unwrap().remove("proof");
        // "Now" is another moment.
        if !parameters.iter().any(|(name, _)| *name == "at") {
            (proved["moment"], proved["basis"]) = (plain["moment"].clone(), plain["basis"].clone());
        }
        if parameters.iter().any(|(name, _)| *name == "at") {
            assert_eq!(proved, plain, "{path}: all else is the same");
        }
        records_named.extend(shown.records);
        all.extend(shown.entities);
    }
    assert!(records_named.len() > 100 && all.len() > 20, "{} {}", records_named.len(), all.len());

    // Many at once, and of whom nothing is recorded.
    let nobody = "account:okta:default:nobody";
    let many: Vec<(&str, &str)> = vec![("records", "0"), ("records", "7"), ("entities", &who), ("entities", nobody)];
    let answer = get(&server, "/v1/proofs", &many).json(200);
    let shown = checked(&answer, &policy);
    assert_eq!(shown.records.keys().map(|index| index.0).collect::<Vec<_>>(), [0, 7]);
    assert_eq!(shown.entities[&nobody.parse::<EntityId>().unwrap()], None);
    all.extend(shown.entities);
    records_named.extend(shown.records);
    let last = answer["basis"]["treeSize"].as_str().unwrap().to_owned();
    assert!(get(&server, "/v1/proofs", &[("records", &last)]).error(404).contains(&last));
    assert!(get(&server, "/v1/proofs", &[("entities", "ada")]).error(400).contains("ada"));
    let too_many: Vec<String> = (0..1_001).map(|index| format!("records={index}")).collect();
    let url = format!("{}/v1/proofs?{}", server.url(), too_many.join("&"));
    assert!(curl(&[url]).error(429).contains("1000"));
    server.stop();

    // What was shown is what the whole log says.
    let log = read(&ledger);
    let reader = log.reader();
    let mut counts: BTreeMap<EntityId, u64> = BTreeMap::new();
    let covered = shown_covered(&answer);
    for record in reader.records(0..covered) {
        let record = record.unwrap();
        for entity in entity_set(&record) {
            *counts.entry(entity).or_default() += 1;
        }
        if let Some(leaf) = records_named.get(&RecordIndex(record.index)) {
            assert_eq!(*leaf, hash(&encode(&record).unwrap()), "record {}", record.index);
        }
    }
    for (entity, chain) in all {
        assert_eq!(chain.map_or(0, |chain| chain.count), counts.get(&entity).copied().unwrap_or(0), "{entity}");
    }
}

fn shown_covered(answer: &Value) -> u64 {
    answer["basis"]["proof"]["covered"].as_str().unwrap().parse().unwrap()
}

fn read(ledger: &LedgerFolder) -> Ledger {
    let options = Options {
        clock: Box::new(SystemClock::new()),
        accept_clock: false,
        holder: "a test".to_owned(),
        sealing: Sealing::Never,
    };
    Ledger::open(&Location::new(&ledger.data(), None), options).unwrap()
}

#[test]
fn what_a_listing_saw_and_did_not_see_is_shown_without_it() {
    let ledger = LedgerFolder::init();
    let members: Value = [1, 3, 5].iter().map(|number| user_object(*number, "ACTIVE")).collect();
    let page = response("groups/00g00000000000000001/users?limit=200", None, "Mon, 02 Mar 2026 09:00:00 GMT", &members);
    ledger.run(&["snapshot", "okta", ledger.file("page", page).to_str().unwrap()]).ended(0);
    let policy = read_policy(&ledger);
    let server = Server::sealing(&ledger);
    let size: u64 =
        get(&server, "/v1/checkpoint", &[]).json(200)["basis"]["treeSize"].as_str().unwrap().parse().unwrap();
    let account = |number: u32| EntityId::new(EntityKind::Account, "okta", "default", &user_id(number)).unwrap();
    let group = EntityId::new(EntityKind::Entitlement, "okta", "default", "group_member/00g00000000000000001").unwrap();
    let ask = |record: u64, subject: &EntityId| {
        let (subject, object) = (subject.to_text(), group.to_text());
        get(&server, &format!("/v1/listings/{record}/proof"), &[("subject", &subject), ("object", &object)])
    };
    let end = (0..size).rev().find(|record| ask(*record, &account(1)).status == 200).expect("a listing ended");
    for number in 0..7 {
        let answer: GetListingProofResponse = serde_json::from_value(ask(end, &account(number)).json(200)).unwrap();
        let key = ItemKey::new(&account(number), Some(&group), "");
        let shown = listing_proof::check(&answer, &key, &policy).unwrap();
        assert_eq!(shown.item.is_some(), [1, 3, 5].contains(&number), "{number}");
        assert!(shown.is_complete && shown.end.index == end);
        // It shows nothing of anybody else.
        let other = ItemKey::new(&account(number + 1), Some(&group), "");
        let of_other = listing_proof::check(&answer, &other, &policy);
        assert!(of_other.is_err() || (number == 6 && of_other.unwrap().item.is_none()), "{number}");
        // Another record is not the one that the proof has the place of.
        let mut changed = answer.clone();
        changed.end = answer.basis.as_ref().unwrap().proof.as_ref().unwrap().seal.clone();
        assert!(listing_proof::check(&changed, &key, &policy).is_err());
    }
    assert!(ask(0, &account(1)).error(404).contains("record 0"));
    server.stop();
}
