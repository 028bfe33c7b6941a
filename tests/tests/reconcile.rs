//! Live access against the log, through the program: whoever is meant by whatever name, which listings count, and the
//! forms of the answer. The verdicts and the kinds at scale are those of `scenario_live`.
#![allow(clippy::unwrap_used, reason = "a test stops where it fails")]

mod common;

use common::check_answer;
use counterfoil_proto::Shared;
use counterfoil_proto::v1::{GetStateResponse, ListingSight, ReconcileKind, ReconcileResponse, ReconciledItem};
use counterfoil_tests::files::lines;
use counterfoil_tests::okta::{event, group, joined, left, login, response, user, user_id, user_object};
use counterfoil_tests::program::LedgerFolder;
use serde_json::{Value, json};

const NOON: &str = "Mon, 02 Mar 2026 12:00:00 GMT";
const GROUP: &str = "00g00000000000000001";

fn members(numbers: &[u32]) -> Value {
    numbers.iter().map(|number| user_object(*number, "ACTIVE")).collect()
}

fn take(ledger: &LedgerFolder, own: &str, date: &str, body: &Value) {
    let file = ledger.file("page", response(own, None, date, body));
    ledger.run(&["snapshot", "okta", file.to_str().unwrap()]).ended(0);
}

fn import(ledger: &LedgerFolder, events: &[Value]) {
    ledger.import("okta", &ledger.file("log.jsonl", lines(events)), &["--backfill"]).ended(0);
}

fn reconciled(ledger: &LedgerFolder, further: &[&str]) -> ReconcileResponse {
    ledger.run(&[&["reconcile", "okta", "--output", "json"], further].concat()).json()
}

/// "kind who what" for each item.
fn found(response: &ReconcileResponse) -> Vec<String> {
    let show = |item: &ReconciledItem| {
        let last = |party: &Option<Shared<counterfoil_proto::v1::Party>>| {
            party.as_ref().map_or("-".to_owned(), |party| party.id.rsplit([':', '/']).next().unwrap().to_owned())
        };
        let kind = item.kind().as_str_name().trim_start_matches("RECONCILE_KIND_").to_lowercase();
        format!("{kind} {} {}", last(&item.subject), last(&item.object))
    };
    let mut found: Vec<String> = response.items.iter().map(show).collect();
    found.sort();
    found
}

fn expected(items: &[(&str, u32)]) -> Vec<String> {
    let mut all: Vec<String> = items.iter().map(|(kind, who)| format!("{kind} {} {GROUP}", user_id(*who))).collect();
    all.sort();
    all
}

#[test]
fn a_group_against_its_log() {
    let ledger = LedgerFolder::init();
    let day = |hour: u32| format!("2026-03-02T{hour:02}:00:00Z");
    let only_login = json!({"id": "unknown", "type": "User", "alternateId": login(5), "displayName": "unknown"});
    import(
        &ledger,
        &[
            joined(1, &day(8), 1, 1),
            joined(2, &day(8), 2, 1),
            left(3, &day(9), 2, 1),
            joined(4, &day(8), 4, 1),
            // The log knows 5 by login alone.
            event(5, "group.user_membership.add", &day(8), &[only_login, group(1)]),
            // After the listing.
            joined(6, &day(13), 6, 1),
            left(7, &day(13), 1, 1),
            // Just before it.
            joined(8, "2026-03-02T11:59:30Z", 7, 1),
            joined(9, &day(8), 8, 1),
            left(10, "2026-03-02T11:59:30Z", 8, 1),
            // Another group.
            joined(11, &day(8), 1, 2),
        ],
    );
    take(&ledger, &format!("groups/{GROUP}/users"), NOON, &members(&[1, 2, 3, 5, 8]));
    let answer = reconciled(&ledger, &[]);
    let people = expected(&[
        ("unapproved", 1),
        ("revoked", 2),
        ("unrecorded", 3),
        ("missing", 4),
        ("unapproved", 5),
        ("unapproved", 8),
    ]);
    assert_eq!(found(&answer), people);
    let total = answer.total.unwrap();
    assert_eq!((total.unapproved, total.revoked, total.unrecorded, total.missing), (3, 1, 1, 1));
    let listing = &answer.listings[0];
    assert_eq!((listing.count, listing.totals), (5, Some(total)), "all but missing come to the count");
    assert!(listing.complete && !listing.later_incomplete);
    // Each names the records that it rests on: the end of the listing, and what the log says.
    let end = listing.end.unwrap().record;
    for item in &answer.items {
        let by: Vec<u64> = item.change.iter().map(|change| change.record).collect();
        assert!(item.records.contains(&end) && by.iter().all(|record| item.records.contains(record)), "{item:?}");
        assert_eq!(item.change.is_none(), item.kind() == ReconcileKind::Unrecorded, "{item:?}");
    }
    // Later everything is as the last listing has it, whatever the log says since.
    assert_eq!(found(&reconciled(&ledger, &["--at", "2026-06-01Z"])), people);
    // Before it there was none; and the ledger did not know it before it was taken.
    assert_eq!(reconciled(&ledger, &["--at", "2026-03-02T11:00:00Z"]).listings, []);
    assert_eq!(reconciled(&ledger, &["--known-at", "2020-01-01Z"]).listings, []);
    let same: ReconcileResponse = check_answer(&ledger, &["reconcile", "OKTA", "--at", "2026-06-01Z"]);
    assert_eq!(found(&same), people);
}

#[test]
fn only_complete_listings_count() {
    let ledger = LedgerFolder::init();
    import(&ledger, &[joined(1, "2026-03-01T08:00:00Z", 1, 1)]);
    let own = format!("groups/{GROUP}/users");
    take(&ledger, &format!("{own}?search=x"), NOON, &members(&[]));
    let answer = reconciled(&ledger, &[]);
    assert_eq!((found(&answer), answer.listings[0].complete), (Vec::new(), false), "it proves no absence");
    assert_eq!(answer.listings[0].reason, "filtered");
    let told = ledger.run(&["reconcile", "okta"]).ended(0);
    assert!(told.text().contains("nothing to compare with (filtered)"), "{}", told.text());

    take(&ledger, &own, "Tue, 03 Mar 2026 12:00:00 GMT", &members(&[]));
    assert_eq!(found(&reconciled(&ledger, &[])), expected(&[("missing", 1)]));
    take(&ledger, &own, "Wed, 04 Mar 2026 12:00:00 GMT", &members(&[1, 2]));
    assert_eq!(found(&reconciled(&ledger, &[])), expected(&[("unapproved", 1), ("unrecorded", 2)]));
    let tuesday = reconciled(&ledger, &["--at", "2026-03-03T13:00:00Z"]);
    assert_eq!(found(&tuesday), expected(&[("missing", 1)]), "as the listing of then has it");
    take(&ledger, &format!("{own}?q=x"), "Thu, 05 Mar 2026 12:00:00 GMT", &members(&[]));
    let thursday = reconciled(&ledger, &[]);
    assert_eq!(found(&thursday), expected(&[("unapproved", 1), ("unrecorded", 2)]));
    assert!(thursday.listings[0].later_incomplete);
}

#[test]
fn accounts_and_what_groups_imply() {
    let ledger = LedgerFolder::init();
    let at = "2026-03-01T08:00:00Z";
    let app =
        json!({"id": "0oa00000000000000001", "type": "AppInstance", "alternateId": "Vault", "displayName": "Vault"});
    import(
        &ledger,
        &[
            event(1, "user.lifecycle.create", at, &[user(1)]),
            event(2, "user.lifecycle.create", at, &[user(2)]),
            event(3, "user.lifecycle.deactivate", "2026-03-01T09:00:00Z", &[user(2)]),
            event(4, "user.lifecycle.create", at, &[user(3)]),
            event(5, "user.lifecycle.create", at, &[user(5)]),
            joined(6, at, 1, 1),
            joined(8, at, 7, 1),
            event(7, "group.application_assignment.add", at, &[group(1), app]),
        ],
    );
    let app_users = json!([
        {"id": user_id(1), "scope": "GROUP", "status": "ACTIVE", "syncState": "DISABLED"},
        {"id": user_id(5), "scope": "USER", "status": "ACTIVE", "syncState": "DISABLED"},
        {"id": user_id(7), "scope": "USER", "status": "ACTIVE", "syncState": "DISABLED"},
    ]);
    take(&ledger, "apps/0oa00000000000000001/users", NOON, &app_users);
    let users = json!([
        user_object(1, "ACTIVE"),
        user_object(2, "ACTIVE"),
        user_object(4, "STAGED"),
        user_object(5, "SUSPENDED")
    ]);
    let live = response("users?limit=200", None, NOON, &users);
    let gone = response(
        "users?filter=status%20eq%20%22DEPROVISIONED%22",
        None,
        NOON,
        &json!([user_object(6, "DEPROVISIONED")]),
    );
    let file = ledger.file("pages", live + &gone);
    ledger.run(&["snapshot", "okta", file.to_str().unwrap()]).ended(0);
    let answer = reconciled(&ledger, &[]);
    let mut people: Vec<String> =
        [("unapproved", 1), ("revoked", 2), ("missing", 3), ("unrecorded", 4), ("missing", 5)]
            .iter()
            .map(|(kind, who)| format!("{kind} {} -", user_id(*who)))
            .collect();
    // 1 has the application through the group, and 5 by nothing that is in the log; nor 7, who would have it through the
    // group as well.
    people.push(format!("unapproved {} 0oa00000000000000001", user_id(1)));
    people.push(format!("unrecorded {} 0oa00000000000000001", user_id(5)));
    people.push(format!("unrecorded {} 0oa00000000000000001", user_id(7)));
    people.sort();
    assert_eq!(found(&answer), people);
    let accounts = answer.listings.iter().find(|listing| listing.scope.ends_with(":accounts")).unwrap();
    let totals = accounts.totals.unwrap();
    assert_eq!((accounts.count, totals.no_access), (5, 2), "5 is suspended, 6 deprovisioned");
    assert_eq!(totals.unapproved + totals.revoked + totals.unrecorded + totals.no_access, accounts.count);
}

/// What `state` says of each sight: "who present differs".
fn sights(ledger: &LedgerFolder, who: &str, further: &[&str]) -> Vec<String> {
    let answer: GetStateResponse = ledger.run(&[&["state", who, "--output", "json"], further].concat()).json();
    let show = |sight: &ListingSight| {
        let who = sight.party.as_ref().map_or("-", |party| party.id.rsplit([':', '/']).next().unwrap());
        assert!(sight.end.is_some());
        let since = sight.before.map_or("", |_| " again");
        let word = |is: bool, one: &str, other: &str| if is { one } else { other }.to_owned();
        format!("{who} {} {}{since}", word(sight.present, "there", "gone"), word(sight.differs, "differs", "agrees"))
    };
    let mut shown: Vec<String> = answer.state.unwrap().sights.iter().map(show).collect();
    shown.sort();
    shown
}

#[test]
fn a_state_shows_what_the_last_complete_listing_saw() {
    let ledger = LedgerFolder::init();
    let own = format!("groups/{GROUP}/users");
    import(
        &ledger,
        &[
            joined(1, "2026-03-01T08:00:00Z", 1, 1),
            joined(2, "2026-03-01T08:00:00Z", 2, 1),
            left(3, "2026-03-03T18:00:00Z", 1, 1),
        ],
    );
    let group = format!("entitlement:okta:default:group_member/{GROUP}");
    let of = |numbers: &[(u32, &str)]| -> Vec<String> {
        numbers.iter().map(|(number, how)| format!("{} {how}", user_id(*number))).collect()
    };
    assert_eq!(sights(&ledger, &group, &[]), Vec::<String>::new());
    take(&ledger, &own, NOON, &members(&[1, 3]));
    let monday = of(&[(1, "there agrees"), (2, "gone differs"), (3, "there differs")]);
    assert_eq!(sights(&ledger, &group, &["--at", "2026-03-02T13:00:00Z"]), monday);
    // 3 is gone on Tuesday, and back on Wednesday, when the log has taken 1 out: no item is new, and all of it shows.
    take(&ledger, &own, "Tue, 03 Mar 2026 12:00:00 GMT", &members(&[1, 2]));
    let tuesday = of(&[(1, "there agrees again"), (2, "there agrees again"), (3, "gone agrees again")]);
    assert_eq!(sights(&ledger, &group, &["--at", "2026-03-03T13:00:00Z"]), tuesday);
    take(&ledger, &own, "Wed, 04 Mar 2026 12:00:00 GMT", &members(&[1, 2, 3]));
    let wednesday = of(&[(1, "there differs again"), (2, "there agrees again"), (3, "there differs again")]);
    assert_eq!(sights(&ledger, &group, &[]), wednesday);
    assert_eq!(sights(&ledger, &group, &["--at", "2026-03-02T13:00:00Z"]), monday, "the past stays");
    // From the account's side, and for people.
    let account = format!("account:okta:default:{}", user_id(1));
    assert_eq!(sights(&ledger, &account, &[]), [format!("{GROUP} there differs again")]);
    let text = ledger.run(&["state", &account]).ended(0);
    assert!(text.text().contains("listed as of 2026-03-04T12:00:00Z, and not in the log"), "{}", text.text());

    let users = json!([user_object(1, "SUSPENDED"), user_object(2, "ACTIVE")]);
    let both = response("users", None, NOON, &users)
        + &response("users?filter=status+eq+%22DEPROVISIONED%22", None, NOON, &json!([]));
    ledger.run(&["snapshot", "okta", ledger.file("both", both).to_str().unwrap()]).ended(0);
    import(&ledger, &[event(9, "user.lifecycle.create", "2026-03-01T08:00:00Z", &[user(1)])]);
    assert_eq!(sights(&ledger, &account, &[])[0], "- there differs", "suspended, and the log created it");
}

#[test]
fn what_cannot_be_asked() {
    let ledger = LedgerFolder::init();
    import(&ledger, &[joined(1, "2026-03-01T08:00:00Z", 1, 1)]);
    let unknown = ledger.run(&["reconcile", "oktopus"]).ended(3);
    assert!(unknown.stderr.contains("there are okta"), "{}", unknown.stderr);
    let none = ledger.run(&["reconcile", "okta"]).ended(0);
    assert!(none.text().contains("has no complete listing"), "{}", none.text());
}
