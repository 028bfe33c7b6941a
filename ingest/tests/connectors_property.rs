//! Whatever JSON of the shapes of any connector comes: nothing panics, and every reading keeps
//! the rules of a record (the shared `read_with` checks them) and keeps what is personal out of it.

#![allow(clippy::unwrap_used)] // A test stops where it fails.

#[path = "fixtures/support.rs"]
mod support;

use counterfoil_ingest::json::{Json, content_digest, parse};
use counterfoil_ingest::secrets;
use proptest::prelude::*;
use support::{digest_key, read_with};

/// Words that the connectors look for, as keys and as values.
const WORDS: [&str; 159] = [
    "id",
    "uuid",
    "eventType",
    "published",
    "actor",
    "target",
    "type",
    "User",
    "UserGroup",
    "AppInstance",
    "AppUser",
    "Token",
    "PublicClientApp",
    "alternateId",
    "displayName",
    "outcome",
    "result",
    "SUCCESS",
    "reason",
    "transaction",
    "detail",
    "requestApiTokenId",
    "debugContext",
    "debugData",
    "privilegeGranted",
    "requestId",
    "client",
    "userAgent",
    "rawUserAgent",
    "changeDetails",
    "to",
    "department",
    "managerId",
    "profile",
    "login",
    "email",
    "name",
    "status",
    "lastUpdated",
    "statusChanged",
    "objectClass",
    "assignmentType",
    "_links",
    "assignee",
    "href",
    "scope",
    "syncState",
    "ticket",
    "tickets",
    "change",
    "approvals",
    "approval",
    "agents",
    "groups",
    "requesters",
    "roles",
    "ticket_id",
    "requester_id",
    "requested_for_id",
    "responder_id",
    "subject",
    "created_at",
    "updated_at",
    "custom_fields",
    "access_items",
    "access_until",
    "access_operation",
    "approval_status",
    "approver_id",
    "approval_type",
    "level",
    "user_id",
    "delegatee",
    "latest_remark",
    "members",
    "observers",
    "leaders",
    "role_ids",
    "role_id",
    "active",
    "occasional",
    "department_ids",
    "reporting_manager_id",
    "primary_email",
    "fields",
    "cf_date_of_joining",
    "onboarding_request",
    "freshservice_webhook",
    "ticket_status",
    "source",
    "system",
    "instance",
    "stream",
    "facts",
    "kind",
    "occurred_at",
    "object",
    "via",
    "items",
    "target_type",
    "operation",
    "expires_at",
    "changed",
    "data",
    "events",
    "password",
    "planned_start_date",
    "deleted",
    "texts",
    "owner",
    "purpose",
    "tickets",
    "approver",
    "implies_added",
    "root",
    "2026-03-01T09:30:00Z",
    "2026-03-01",
    "25-03-2026",
    "action",
    "actor_id",
    "actor_is_bot",
    "@timestamp",
    "_document_id",
    "org",
    "org_id",
    "repo",
    "repo_id",
    "team",
    "user",
    "hashed_token",
    "token_id",
    "programmatic_access_type",
    "user_programmatic_access_id",
    "hook_id",
    "fingerprint",
    "permission",
    "auditID",
    "stage",
    "ResponseComplete",
    "stageTimestamp",
    "verb",
    "objectRef",
    "apiGroup",
    "resource",
    "subresource",
    "namespace",
    "requestObject",
    "responseObject",
    "responseStatus",
    "code",
    "subjects",
    "roleRef",
    "username",
    "extra",
    "impersonatedUser",
    "annotations",
    "metadata",
    "spec",
    "conditions",
];

/// Values that mean something to a connector, or that are apt to break one.
const TEXTS: [&str; 44] = [
    "user.lifecycle.create",
    "group.user_membership.add",
    "user.account.privilege.grant",
    "access.request.reject",
    "app.oauth2.as.consent.grant",
    "system.api_token.create",
    "user.authentication.sso",
    "user.account.update_profile",
    "Super administrator, Custom (a, b), (",
    "SR-1042 CHN-7",
    "okta/group_member/00g1, okta/account\nfreshservice/role/=X",
    "okta@x/app_assignment/ä",
    "jane@example.com",
    "svc-sync",
    "unknown",
    "N/A",
    "null",
    "",
    "ä€𝄞 \u{0}\u{1b}[31m",
    "~0123456789abcdef0123456789abcdef",
    "0001-01-01T00:00:00Z",
    "9999-12-31T23:59:59.999999999Z",
    "Approved",
    "grant.added",
    "ticket.opened",
    "approval.granted",
    "account.updated",
    "nhi.registered",
    "group_member/1",
    "api_token/1",
    "https://e.okta.com/api/v1/users/00u1",
    "human",
    "team.add_member",
    "repo.add_member",
    "org.update_member",
    "personal_access_token.access_granted",
    "public_key.create",
    "rbac.authorization.k8s.io",
    "rolebindings",
    "serviceaccounts",
    "secrets",
    "create",
    "system:serviceaccount:ci:deployer",
    "JTI=1",
];

fn value() -> impl Strategy<Value = Json<'static>> {
    let long = Just(Json::Str("x".repeat(300).into()));
    let leaf = prop_oneof![
        Just(Json::Null),
        any::<bool>().prop_map(Json::Bool),
        any::<u64>().prop_map(Json::U64),
        (0_u64..7).prop_map(Json::U64),
        (i64::MIN..0).prop_map(Json::I64),
        (-1e18..1e18_f64).prop_map(Json::F64),
        prop::sample::select(&WORDS[..]).prop_map(|word| Json::Str(word.into())),
        prop::sample::select(&TEXTS[..]).prop_map(|text| Json::Str(text.into())),
        ".{0,40}".prop_map(|text: String| Json::Str(text.into())),
        long,
    ];
    leaf.prop_recursive(5, 60, 10, |inner| {
        prop_oneof![prop::collection::vec(inner.clone(), 0..4).prop_map(Json::Array), members(inner),]
    })
}

fn members(inner: impl Strategy<Value = Json<'static>>) -> impl Strategy<Value = Json<'static>> {
    let name = prop::sample::select(&WORDS[..]);
    prop::collection::btree_map(name, inner, 0..10).prop_map(|members| {
        let members = members.into_iter();
        Json::Object(members.map(|(name, value)| (name.into(), value)).collect())
    })
}

/// A real event with some of its values replaced.
fn mutated(template: &'static str) -> impl Strategy<Value = Json<'static>> {
    prop::collection::vec((any::<prop::sample::Index>(), value()), 1..6).prop_map(move |changes| {
        let mut json = parse(template.as_bytes()).unwrap();
        for (place, new) in changes {
            let mut chosen = place.index(nodes(&json));
            replace(&mut json, &mut chosen, &new);
        }
        json
    })
}

fn children<'v>(json: &'v Json<'static>) -> Vec<&'v Json<'static>> {
    match json {
        Json::Array(items) => items.iter().collect(),
        Json::Object(members) => members.iter().map(|(_, value)| value).collect(),
        _ => Vec::new(),
    }
}

fn nodes(json: &Json<'static>) -> usize {
    1 + children(json).into_iter().map(nodes).sum::<usize>()
}

/// Replaces one value of a document, counted from the root.
fn replace(json: &mut Json<'static>, left: &mut usize, new: &Json<'static>) {
    if *left == 0 {
        *json = new.clone();
    }
    *left = left.wrapping_sub(1);
    match json {
        Json::Array(items) => items.iter_mut().for_each(|item| replace(item, left, new)),
        Json::Object(members) => {
            members.iter_mut().for_each(|(_, value)| replace(value, left, new));
        }
        _ => {}
    }
}

const FACT: &str = r#"{"id":"e1","source":{"system":"ci","instance":"prod","stream":"deploy"},"type":"deploy.grant","facts":[
    {"kind":"grant.added","occurred_at":"2026-03-01T09:30:00Z","actor":{"id":"u1","login":"jane@example.com"},"subject":{"id":"u2","type":"human"},"object":{"id":"role/a","name":"A"},"scope":"x","expires_at":"2026-04-01T00:00:00Z","tickets":["SR-1"]},
    {"kind":"ticket.opened","occurred_at":{"epoch_ms":1},"object":{"id":"ticket/5"},"subject":{"login":"x"},"items":[{"target_type":"okta:role","target":{"name":"A"}}],"texts":{"subject":"s"}},
    {"kind":"account.updated","occurred_at":"2026-03-01T09:30:00Z","subject":{"id":"u2"},"changed":{"title":"x"},"manager":{"email":"m@example.com"}}]}"#;
const APPROVALS: &str = r#"{"ticket_id":1,"approvals":[{"id":31,"created_at":"2026-03-01T08:00:00Z","updated_at":"2026-03-01T09:00:00Z","approver_id":5,"approver_name":"O","approval_type":2,"user_id":1,"user_name":"A","level":2,"approval_status":{"id":1,"name":"approved"},"delegatee":{"id":6},"latest_remark":"ok"}]}"#;
const ONBOARDING: &str = r#"{"onboarding_request":{"id":1,"created_at":"2026-03-01T15:55:19Z","updated_at":"2026-03-01T15:55:19Z","status":3,"requester_id":21,"subject":"x","ticket_id":192,"fields":{"cf_employee_name":"John","cf_employee_email":"j@example.com","cf_date_of_joining":"25-03-2026","cf_department":2}}}"#;

fn event() -> impl Strategy<Value = Json<'static>> {
    prop_oneof![
        value(),
        mutated(include_str!("fixtures/okta-grant.json")),
        mutated(include_str!("fixtures/okta-hook.json")),
        mutated(include_str!("fixtures/cloudtrail-file.json")),
        mutated(include_str!("fixtures/cloudtrail-bridge.json")),
        mutated(include_str!("fixtures/github-events.json")),
        mutated(include_str!("fixtures/kubernetes-events.json")),
        mutated(include_str!("fixtures/freshservice-ticket.json")),
        mutated(include_str!("fixtures/freshservice-agent.json")),
        mutated(FACT),
        mutated(APPROVALS),
        mutated(ONBOARDING),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 3_000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn every_reading_keeps_the_rules(json in event(), assume_utc: bool) {
        let document = json.to_text();
        for connector in counterfoil_ingest::connectors::names() {
            let readings = read_with(connector, &document, assume_utc);
            // The same event gives the same reading.
            prop_assert_eq!(readings, read_with(connector, &document, assume_utc));
        }
    }

    #[test]
    fn text_and_tree_say_the_same(json in value()) {
        let text = json.to_text();
        let again = parse(text.as_bytes()).unwrap();
        prop_assert_eq!(again.to_text(), text.clone());
        let digest = |json: &Json<'_>| content_digest(json, text.as_bytes(), &digest_key());
        prop_assert_eq!(digest(&again), digest(&again.clone()));
    }

    #[test]
    fn bytes_never_panic(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        let _ = parse(&bytes);
        let once = secrets::redact_bytes(&bytes, &digest_key()).into_owned();
        let twice = secrets::redact_bytes(&once, &digest_key());
        prop_assert_eq!(&*twice, once.as_slice());
    }
}
