//! Listings of live access through the program: what is recorded of them, what a second one adds, and which of them
//! prove that somebody is absent.
#![allow(clippy::unwrap_used, reason = "a test stops where it fails")]

mod stored;

use std::collections::BTreeSet;

use counterfoil_proto::v1::{
    Completeness, Fact, FactKind, ListDeadLettersResponse, ListingSummary, SnapshotResponse, fact::Detail, record::Body,
};
use counterfoil_tests::okta::{login, response, user_id, user_object};
use counterfoil_tests::program::{LedgerFolder, Run};
use counterfoil_verify::entity::EntityId;
use counterfoil_verify::hash::Hash;
use counterfoil_verify::identifier::IdentifierKind;
use counterfoil_verify::listing::{ItemKey, Listing};
use counterfoil_verify::listing_proof::{ListingHead, ListingProof};
use serde_json::{Value, json};
use stored::{Stored, indexes, open};

const MONDAY: &str = "Mon, 02 Mar 2026 09:00:00 GMT";
const GROUP: &str = "00g00000000000000001";

fn snapshot(ledger: &LedgerFolder, files: &[(&str, &str)], further: &[&str]) -> Run {
    let mut arguments: Vec<String> = ["snapshot", "okta", "--output", "json"].map(str::to_owned).to_vec();
    for (name, text) in files {
        arguments.push(ledger.file(name, text).to_str().unwrap().to_owned());
    }
    arguments.extend(further.iter().map(|&one| one.to_owned()));
    ledger.run(&arguments)
}

fn taken(ledger: &LedgerFolder, text: &str) -> SnapshotResponse {
    snapshot(ledger, &[("pages", text)], &[]).json()
}

fn members(numbers: &[u32]) -> Value {
    numbers.iter().map(|number| user_object(*number, "ACTIVE")).collect()
}

fn one_page(numbers: &[u32], date: &str) -> String {
    response(&format!("groups/{GROUP}/users?limit=200"), None, date, &members(numbers))
}

/// What lies in the ledger, newest last: the facts of each record, and the payload beside it.
fn records(ledger: &LedgerFolder) -> Vec<(Vec<Fact>, Vec<u8>)> {
    let ledger = open(ledger);
    let reader = ledger.reader();
    indexes(&reader)
        .map(|index| {
            let facts = match reader.record(index).unwrap().body {
                Some(Body::Event(event)) => event.facts,
                _ => Vec::new(),
            };
            let payload = reader.beside(index).unwrap().and_then(|beside| beside.payload);
            (facts, payload.map(|payload| payload.content).unwrap_or_default())
        })
        .collect()
}

fn detail(fact: &Fact) -> &counterfoil_proto::v1::Snapshot {
    match &fact.detail {
        Some(Detail::Snapshot(detail)) => detail,
        other => panic!("{other:?}"),
    }
}

/// The facts and the list of the newest listing's end.
fn newest_end(ledger: &LedgerFolder) -> (Fact, Listing) {
    let all = records(ledger);
    let is_end = |facts: &Vec<Fact>| facts.first().is_some_and(|fact| fact.kind() == FactKind::SnapshotEnd);
    let (facts, payload) = all.iter().rev().find(|(facts, _)| is_end(facts)).unwrap();
    (facts[0].clone(), Listing::from_bytes(payload).unwrap())
}

fn member(number: u32) -> ItemKey {
    let group: EntityId = format!("entitlement:okta:default:group_member/{GROUP}").parse().unwrap();
    let user: EntityId = format!("account:okta:default:{}", user_id(number)).parse().unwrap();
    ItemKey::new(&user, Some(&group), "")
}

#[test]
fn a_listing_is_begin_items_and_an_end_that_proves_who_was_not_in_it() {
    let ledger = LedgerFolder::init();
    let path = format!("groups/{GROUP}/users");
    let first =
        response(&format!("{path}?limit=2"), Some(&format!("{path}?after=00u2&limit=2")), MONDAY, &members(&[3, 1]));
    let later = "Mon, 02 Mar 2026 09:00:09 GMT";
    let second = response(&format!("{path}?after=00u2&limit=2"), None, later, &members(&[5]));
    // The order of the files does not matter.
    let response: SnapshotResponse = snapshot(&ledger, &[("b", &second), ("a", &first)], &[]).json();
    let [summary] = &response.listings[..] else { panic!("{response:?}") };
    assert_eq!(summary.scope, format!("snapshot_scope:okta:default:holders/group_member/{GROUP}"));
    assert_eq!(summary.completeness(), Completeness::Complete, "{summary:?}");
    assert_eq!((summary.pages, summary.count, summary.events, summary.duplicates, summary.facts), (2, 3, 3, 0, 5));

    let records = records(&ledger);
    let kinds: Vec<FactKind> = records.iter().flat_map(|(facts, _)| facts).map(Fact::kind).collect();
    use FactKind::{SnapshotBegin, SnapshotEnd, SnapshotItem};
    assert_eq!(kinds, [SnapshotBegin, SnapshotItem, SnapshotItem, SnapshotItem, SnapshotEnd]);
    let (end, listing) = newest_end(&ledger);
    let (as_of, ended) = (detail(&end).as_of.unwrap(), end.occurred_at.unwrap());
    assert_eq!((as_of.seconds, ended.seconds), (1_772_442_000, 1_772_442_009), "its first page, and its last");
    assert_eq!(detail(&records[1].0[0]).completeness(), Completeness::Incomplete, "until its end says otherwise");
    let keys: BTreeSet<&ItemKey> = listing.items().iter().map(|(key, _)| key).collect();
    assert_eq!(keys, [member(1), member(3), member(5)].iter().collect());
    // A log that names somebody by the address alone means the same.
    let index_key = open(&ledger).reader().index_key().clone();
    for number in [1, 3, 5] {
        let token = index_key.token(IdentifierKind::Login, "", "", &login(number)).unwrap();
        assert_eq!(listing.get(&member(number)).unwrap().tokens, [token], "{number}");
    }
    let head = ListingHead { count: detail(&end).count, root: Hash::from_slice(&detail(&end).root).unwrap() };
    assert_eq!(head, listing.head(), "the end commits to the list beside it");
    for number in 0..7 {
        let proof = listing.prove(&member(number));
        let is_in = [1, 3, 5].contains(&number);
        assert_eq!(matches!(proof, ListingProof::Present(_)), is_in);
        assert_eq!(head.verify(&member(number), &proof).unwrap().is_some(), is_in, "{number}");
    }
    ledger.run(&["fsck"]).ended(0);
}

#[test]
fn an_unchanged_item_is_a_duplicate_and_a_listing_again_adds_nothing() {
    let ledger = LedgerFolder::init();
    let monday = taken(&ledger, &one_page(&[1, 2, 3], MONDAY));
    let again = taken(&ledger, &one_page(&[1, 2, 3], MONDAY));
    assert_eq!(again.basis, monday.basis, "a second time it is all known");
    assert_eq!((again.listings[0].events, again.listings[0].duplicates, again.listings[0].facts), (0, 3, 0));

    // On Tuesday 1 has logged in, 2 has married, 3 is gone and 4 is new.
    let mut people = members(&[1, 2, 4]);
    people[0]["lastLogin"] = json!("2026-03-03T07:00:00.000Z");
    people[1]["profile"]["lastName"] = json!("Married");
    let own = format!("groups/{GROUP}/users?limit=200");
    let tuesday = taken(&ledger, &response(&own, None, "Tue, 03 Mar 2026 09:00:00 GMT", &people));
    let [summary] = &tuesday.listings[..] else { panic!("{tuesday:?}") };
    assert_eq!((summary.count, summary.events, summary.duplicates), (3, 2, 1), "{summary:?}");
    let (end, listing) = newest_end(&ledger);
    assert_eq!(detail(&end).count, 3);
    assert!(listing.get(&member(3)).is_none() && listing.get(&member(1)).is_some());
}

#[test]
fn users_are_two_listings_in_one() {
    let ledger = LedgerFolder::init();
    let active =
        response("users?limit=200", None, MONDAY, &json!([user_object(1, "ACTIVE"), user_object(2, "SUSPENDED")]));
    let gone = json!([user_object(3, "DEPROVISIONED")]);
    let gone = response("users?filter=status+eq+%22DEPROVISIONED%22&limit=200", None, MONDAY, &gone);
    let half = taken(&ledger, &active);
    assert_eq!(
        (half.listings[0].completeness(), half.listings[0].reason.as_str()),
        (Completeness::Incomplete, "part-missing")
    );
    let both = taken(&ledger, &format!("{active}{gone}"));
    let [summary] = &both.listings[..] else { panic!("{both:?}") };
    assert_eq!((summary.completeness(), summary.count, summary.pages), (Completeness::Complete, 3, 2), "{summary:?}");
    assert_eq!((summary.events, summary.duplicates), (1, 2));
    let (_, listing) = newest_end(&ledger);
    let live: Vec<bool> = listing.items().iter().map(|(_, item)| item.is_live()).collect();
    assert_eq!(live, [true, false, false]);
}

/// A name, the files, further arguments, and the reason: empty where the listing is complete and its pages say so.
type Case<'a> = (&'a str, Vec<String>, &'a [&'a str], &'a str);

#[test]
fn whatever_is_missing_makes_a_listing_incomplete() {
    let path = format!("groups/{GROUP}/users");
    let (next, people) = (format!("{path}?after=00u2"), members(&[1, 2]));
    let page = |own: &str, next: Option<&str>, body: &Value| response(own, next, MONDAY, body);
    let alone = people.to_string();
    let said: &[&str] = &["--scope", &path, "--as-of", "2026-03-02T09:00:00Z"];
    let stated: &[&str] = &[said, &["--complete"]].concat();
    let broken = json!([user_object(1, "ACTIVE"), {"status": "ACTIVE"}]);
    let twice = members(&[1, 2, 1]);
    let whole = page(&path, None, &people);
    let error =
        response("groups/00g00000000000000002/users", None, MONDAY, &people).replace("HTTP/2 200", "HTTP/2 500");
    assert!(error.starts_with("HTTP/2 500"), "{error}");
    let cases: [Case<'_>; 12] = [
        ("whole", vec![whole.clone()], &[], ""),
        ("the second page is not there", vec![page(&path, Some(&next), &people)], &[], "page-missing"),
        ("the first page is not there", vec![page(&next, None, &people)], &[], "first-page-missing"),
        (
            "a page that nothing leads to",
            vec![whole.clone(), page(&next, None, &people)],
            &[],
            "page-that-nothing-leads-to",
        ),
        ("a filter", vec![page(&format!("{path}?limit=2&search=x"), None, &people)], &[], "filtered"),
        ("an element without an id", vec![page(&path, None, &broken)], &[], "element-unreadable"),
        ("somebody twice", vec![page(&path, None, &twice)], &[], "listed-twice"),
        ("a body alone", vec![alone.clone()], said, "last-page-unknown"),
        ("a body alone, on the operator's word", vec![alone.clone()], stated, "stated-by-operator"),
        (
            "an error among the pages",
            vec![format!("{whole}HTTP/2 429\r\n\r\n{{\"errorCode\":\"E0000047\"}}")],
            &[],
            "page-unreadable",
        ),
        ("an error that looks like a page", vec![whole.clone(), error], &[], "page-unreadable"),
        ("what is no JSON", vec![format!("{whole}<html>")], &[], "page-unreadable"),
    ];
    for (name, files, further, reason) in cases {
        let ledger = LedgerFolder::init();
        let names = ["one", "two"];
        let files: Vec<(&str, &str)> = names.into_iter().zip(files.iter().map(String::as_str)).collect();
        let run = snapshot(&ledger, &files, further).ended(0);
        let told = run.stderr.clone();
        let response: SnapshotResponse = run.json();
        let [summary] = &response.listings[..] else { panic!("{name}: {response:?}") };
        let is_complete = reason.is_empty() || reason == "stated-by-operator";
        assert_eq!(summary.reason, reason, "{name}");
        assert_eq!(summary.completeness() == Completeness::Complete, is_complete, "{name}");
        assert_eq!(told.contains("1 listing incomplete"), !is_complete, "{name}: {told}");
        let (end, _) = newest_end(&ledger);
        assert_eq!((detail(&end).completeness(), end.reason.as_str()), (summary.completeness(), reason), "{name}");
        let kept: ListDeadLettersResponse = ledger.run(&["deadletter", "list", "--output", "json"]).json();
        assert_eq!(kept.dead_letters.len() as u64, summary.rejected + response.strange, "{name}");
        assert_eq!(kept.dead_letters.is_empty(), !reason.ends_with("unreadable"), "{name}");
    }
}

#[test]
fn what_says_nothing_of_itself_is_refused_or_kept() {
    let ledger = LedgerFolder::init();
    let body = members(&[1]).to_string();
    let path = format!("groups/{GROUP}/users");
    // Without a time nothing is recorded at all.
    let run = snapshot(&ledger, &[("body", &body)], &["--scope", &path]).ended(2);
    assert!(run.stderr.contains("say it in as_of"), "{}", run.stderr);
    // Without a scope it is kept as what it is: bytes of no known listing.
    let check = |scope: &[&str], text: &str, told: &str| {
        let response: SnapshotResponse =
            snapshot(&ledger, &[("body", text)], &[&["--as-of", "2026-03-02Z"], scope].concat()).json();
        assert_eq!((response.listings.len(), response.strange), (0, 1), "{told}");
        let kept: ListDeadLettersResponse = ledger.run(&["deadletter", "list", "--output", "json"]).json();
        assert!(kept.dead_letters.iter().any(|letter| letter.error.contains(told)), "{told}: {kept:?}");
    };
    check(&[], &body, "name that in scope, such as users or groups/00g1/users");
    check(&["--scope", "zones"], "[ ]", "known are users, groups");
    check(&["--scope", "users/some.body/roles"], "[  ]", "with an id as Okta makes them");
    check(&["--scope", "groups/svc-x+accounts/users"], "[   ]", "with an id as Okta makes them");
    check(&["--scope", &path], "{\"errorCode\": 1}", "an array");
    ledger.run(&["snapshot", "fact", "x"]).ended(2);
    let empty: SnapshotResponse = snapshot(&ledger, &[("body", "")], &[]).json();
    assert_eq!((empty.listings.len(), empty.strange), (0, 0));
}

/// Each listing of the API, with one element, and the facts that it gives.
#[test]
fn a_scope_that_is_too_long_for_the_id_of_an_event_has_a_listing_all_the_same() {
    let ledger = LedgerFolder::init();
    // Those of the two differ behind what such an id holds.
    let [one, other] = [1, 2].map(|last| format!("groups/00g{}{last}/users", "0".repeat(230)));
    for (path, numbers) in [(&one, &[1, 2][..]), (&other, &[1])] {
        let taken = taken(&ledger, &response(path, None, MONDAY, &members(numbers)));
        let [listing] = &taken.listings[..] else { panic!("{taken:?}") };
        assert_eq!((listing.reason.as_str(), listing.events), ("", numbers.len() as u64), "{listing:?}");
    }
    ledger.run(&["fsck"]).ended(0);
}

#[test]
fn every_listing_of_okta() {
    let ledger = LedgerFolder::init();
    let (user, app) = (user_id(1), "0oa00000000000000001");
    let group = json!({"id": GROUP, "objectClass": ["okta:user_group"], "profile": {"name": "Admins"}});
    let role = |id: &str, kind: &str, label: &str, status: &str| json!({"id": id, "type": kind, "label": label, "status": status, "assignmentType": "USER"});
    let roles = json!([
        role("JBCUYUC7IRCVGS27IFCE2SKO", "HELP_DESK_ADMIN", "Help Desk Administrator", "ACTIVE"),
        role("IFIFAX2BIRGUSTQ", "SUPER_ADMIN", "Super Administrator", "INACTIVE"),
        role("irb1q92TFAHzySt3x0g4", "CUSTOM", "Password Police", "ACTIVE"),
    ]);
    let app_user = |status: &str| json!({"id": user, "scope": "USER", "status": status, "syncState": "DISABLED"});
    let cases = [
        ("groups".to_owned(), json!([group]), 1, vec![format!("entitlement:okta:default:group_member/{GROUP} -")]),
        (
            "apps".to_owned(),
            json!([{"id": app, "label": "Vault", "signOnMode": "SAML_2_0"}]),
            1,
            vec![format!("entitlement:okta:default:app_assignment/{app} -")],
        ),
        (
            format!("groups/{GROUP}/users"),
            members(&[1]),
            1,
            vec![format!("account:okta:default:{user} group_member/{GROUP}")],
        ),
        (
            format!("users/{user}/groups"),
            json!([group]),
            1,
            vec![format!("account:okta:default:{user} group_member/{GROUP}")],
        ),
        (
            format!("apps/{app}/users"),
            json!([app_user("PROVISIONED"), app_user("DEPROVISIONED")]),
            2,
            vec![format!("account:okta:default:{user} app_assignment/{app}")],
        ),
        (
            format!("apps/{app}/groups"),
            json!([{"id": GROUP, "priority": 0}]),
            1,
            vec![format!("entitlement:okta:default:group_member/{GROUP} app_assignment/{app}")],
        ),
        (
            format!("users/{user}/roles"),
            roles.clone(),
            3,
            vec![
                format!("account:okta:default:{user} role/HELP_DESK_ADMIN"),
                format!("account:okta:default:{user} role/~"),
            ],
        ),
        (
            format!("groups/{GROUP}/roles"),
            roles,
            3,
            vec![
                format!("entitlement:okta:default:group_member/{GROUP} role/HELP_DESK_ADMIN"),
                format!("entitlement:okta:default:group_member/{GROUP} role/~"),
            ],
        ),
    ];
    for (path, body, elements, expected) in cases {
        let response = taken(&ledger, &response(&path, None, MONDAY, &body));
        let [summary] = &response.listings[..] else { panic!("{response:?}") };
        assert_eq!(summary.completeness(), Completeness::Complete, "{path}: {summary:?}");
        assert_eq!((summary.events, summary.rejected), (elements, 0), "{path}");
        let (_, listing) = newest_end(&ledger);
        let shown: Vec<String> = listing
            .items()
            .iter()
            .map(|(_, item)| {
                let object = item.object.as_ref().map_or("-", EntityId::native_id);
                format!("{} {}", item.subject, object.split_inclusive('~').next().unwrap())
            })
            .collect();
        let mut expected = expected;
        expected.sort();
        let mut sorted = shown.clone();
        sorted.sort();
        assert_eq!(sorted, expected, "{path}");
    }
    ledger.run(&["fsck"]).ended(0);
}

#[test]
fn nothing_personal_and_nothing_secret_of_a_listing_is_where_it_must_not_be() {
    let ledger = LedgerFolder::init();
    let mut people = members(&[1]);
    people[0]["profile"]["displayName"] = json!("Zelda Quimbleford");
    people[0]["credentials"]["password"] = json!({"value": "hunter2-and-more"});
    people[0]["credentials"]["recovery_question"] = json!({"question": "Colour?", "answer": "plumtree-purple"});
    let own = format!("groups/{GROUP}/users");
    taken(&ledger, &response(&own, None, MONDAY, &people));
    std::fs::remove_file(ledger.beside("pages")).unwrap();
    ledger.run(&["sources"]).ended(0);
    let stored = Stored::of(&ledger);
    let secrets = ["hunter2-and-more", "plumtree-purple"].map(|secret| secret.as_bytes().to_vec());
    assert_eq!(stored.find(&secrets), Vec::<String>::new());
    let opened = open(&ledger);
    let reader = opened.reader();
    let personal = ["Quimbleford".to_owned(), login(1)];
    for index in indexes(&reader) {
        let record = String::from_utf8_lossy(&reader.record_bytes(index).unwrap()).into_owned();
        assert!(personal.iter().all(|value| !record.contains(value.as_str())), "record {index}");
    }
    let (_, list) = reader_list(&reader);
    assert!(personal.iter().all(|value| !String::from_utf8_lossy(&list).contains(value.as_str())));
}

/// The list beside the last record, which is an end.
fn reader_list(reader: &counterfoil_ledger::Reader) -> (u64, Vec<u8>) {
    let index = indexes(reader).last().unwrap();
    (index.0, reader.beside(index).unwrap().unwrap().payload.unwrap().content)
}

#[test]
fn the_forms_of_the_answer() {
    let ledger = LedgerFolder::init();
    let file = ledger.file("pages", one_page(&[1], MONDAY));
    let run = ledger.run(&["snapshot", "okta", file.to_str().unwrap()]).ended(0);
    assert!(
        run.text().contains(&format!("holders/group_member/{GROUP}")) && run.text().contains("complete"),
        "{}",
        run.text()
    );
    let csv = ledger.run(&["snapshot", "okta", file.to_str().unwrap(), "--output", "csv"]).ended(0);
    let expected = "scope,completeness,reason,asOf,pages,count,events,duplicates,rejected,facts,begin,end\r\n";
    assert!(csv.text().starts_with(expected), "{}", csv.text());
    assert_eq!(csv.text().lines().count(), 2);
    let none: Vec<ListingSummary> = Vec::new();
    assert_eq!(taken(&ledger, "").listings, none);
}

/// Freshservice's lists say themselves what they are of; the link of a page names the next one.
#[test]
fn every_listing_of_freshservice() {
    let agent = |id: u64, active: bool| {
        json!({
            "id": id, "email": format!("agent{id}@example.com"), "first_name": "Ann", "last_name": "Ode", "active": active,
            "occasional": false, "role_ids": [7], "roles": [{"role_id": 7, "assignment_scope": "entire_helpdesk", "groups": []}],
            "member_of": [70], "last_login_at": "2026-02-28T08:00:00Z"
        })
    };
    let group = json!({
        "id": 70, "name": "Database", "members": [1], "observers": [2], "leaders": [1], "members_pending_approval": [3]
    });
    let page = |next: Option<&str>, body: &Value| {
        let link = next.map(|next| format!("link: <https://acme.freshservice.com/api/v2/{next}>; rel=\"next\"\r\n"));
        format!("HTTP/2 200 \r\ndate: {MONDAY}\r\n{}\r\n{body}\n", link.unwrap_or_default())
    };
    let ledger = LedgerFolder::init();
    let take = |text: &str, further: &[&str]| -> ListingSummary {
        let file = ledger.file("list", text);
        let arguments = [&["snapshot", "freshservice", file.to_str().unwrap(), "--output", "json"], further].concat();
        let response: SnapshotResponse = ledger.run(&arguments).json();
        let [summary] = &response.listings[..] else { panic!("{response:?}") };
        summary.clone()
    };
    let agents = [json!({"agents": [agent(1, true)]}), json!({"agents": [agent(2, false)]})];
    let both = page(Some("agents?page=2&per_page=1"), &agents[0]) + &page(None, &agents[1]);
    let cases = [
        (both, "accounts/agent+holders/license+holders/role", 5),
        (
            page(None, &json!({"groups": [group]})),
            "definitions/group_member+holders/group_member+holders/group_owner",
            4,
        ),
        (
            page(None, &json!({"requesters": [{"id": 9, "primary_email": "bo@example.com", "active": true}]})),
            "accounts/requester",
            1,
        ),
        (page(None, &json!({"roles": [{"id": 7, "name": "Admin"}]})), "definitions/role", 1),
        (page(None, &json!({"requester_groups": [{"id": 8, "name": "Staff"}]})), "definitions/requester_group", 1),
    ];
    for (text, scope, count) in cases {
        let summary = take(&text, &[]);
        assert_eq!(summary.scope, format!("snapshot_scope:freshservice:default:{scope}"));
        assert_eq!(
            (summary.completeness(), summary.count, summary.rejected),
            (Completeness::Complete, count, 0),
            "{scope}"
        );
    }
    let reason = |text: &str, further: &[&str]| take(text, further).reason;
    assert_eq!(reason(&page(Some("agents?page=2"), &agents[0]), &[]), "page-missing");
    assert_eq!(reason(&agents[0].to_string(), &["--as-of", "2026-03-02Z"]), "last-page-unknown");
    assert_eq!(reason(&agents[0].to_string(), &["--as-of", "2026-03-02Z", "--complete"]), "stated-by-operator");
    let short = json!({"agents": [agent(1, true)], "total": 2});
    assert_eq!(reason(&page(None, &short), &[]), "count-mismatch");
    let moved = json!({"agents": [agent(1, true), agent(1, true)]});
    assert_eq!(reason(&page(None, &moved), &[]), "listed-twice", "a page that moved under the reader");
    ledger.run(&["fsck"]).ended(0);
    let answer = ledger.run(&["reconcile", "freshservice"]).ended(0);
    assert!(answer.text().contains("12 items in 5 complete listings"), "{}", answer.text());
}
