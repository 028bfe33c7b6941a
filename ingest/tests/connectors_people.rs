//! The connectors of tables that people keep: mapping files and matching rules, and the register of non-human identities.
#![allow(clippy::unwrap_used)] // A test stops where it fails.

#[path = "fixtures/support.rs"]
mod support;

use counterfoil_ingest::connectors::EventId;
use counterfoil_proto::v1::fact::Detail;
use counterfoil_proto::v1::{EntityKind, FactKind, MatchedBy, MatchingRule};
use support::{lines, read, read_all, reject, values};

/// A row of a table as the file source makes a document of it: every cell is text.
fn row(cells: &[(&str, &str)]) -> String {
    let cells: Vec<String> = cells.iter().map(|(name, cell)| format!("{name:?}:{cell:?}")).collect();
    format!("{{{}}}", cells.join(","))
}

fn check_row(cells: &[(&str, &str)], expected: &[&str]) {
    let base = [("person", "E-17"), ("system", "okta")];
    assert_eq!(lines(&read("people", &row(&[&base, cells].concat()))), expected, "{cells:?}");
}

const PERSON: &str = "subject=E-17<human>";
const ALWAYS: &str = "@0001-01-01T00:00:00Z+0ns~always";
const RECEIVED: &str = "@2026-05-01T00:00:00Z+0ns~received";

#[test]
fn a_row_links_one_account_with_one_person() {
    let linked = |object: &str, at: &str| format!("identity.linked {PERSON} object={object} {at}");
    check_row(&[("account", "00u1")], &[&linked("okta:default:00u1", ALWAYS)]);
    check_row(&[("login", "ann@example.com")], &[&linked("okta:default:#", ALWAYS)]);
    check_row(&[("account", "00u1"), ("instance", "emea")], &[&linked("okta:emea:00u1", ALWAYS)]);
    check_row(
        &[("account", "00u1"), ("from", "2026-03-01T09:30:00Z")],
        &[&linked("okta:default:00u1", "@2026-03-01T09:30:00Z")],
    );
    // A day begins with its first second and ends with its last.
    check_row(
        &[("account", "00u1"), ("from", "2026-03-01"), ("until", "2026-03-31")],
        &[
            &linked("okta:default:00u1", "@2026-03-01T00:00:00Z+0ns~day"),
            &format!("identity.unlinked {PERSON} object=okta:default:00u1 @2026-03-31T23:59:59Z+0ns~day"),
        ],
    );
    // What an account and a person are called is said apart: it does not hold as long.
    check_row(
        &[("account", "00u1"), ("login", "ann"), ("email", "ann@example.com"), ("person_email", "ann.ode@example.com")],
        &[
            &linked("okta:default:00u1", ALWAYS),
            &format!("identifier.bound {PERSON} object=# {RECEIVED}"),
            &format!("identifier.bound subject=okta:default:00u1 object=okta:default:## {RECEIVED}"),
        ],
    );
}

#[test]
fn ids_are_those_that_the_systems_connectors_give() {
    let cloud = r#"{"eventVersion":"1.08","eventID":"e1","eventTime":"2026-03-01T09:30:00Z","eventSource":"iam.amazonaws.com",
        "eventName":"CreateUser","awsRegion":"us-east-1","recipientAccountId":"111122223333","eventType":"AwsApiCall",
        "userIdentity":{"type":"Root","accountId":"111122223333","arn":"arn:aws:iam::111122223333:root"},
        "requestParameters":{"userName":"jane"},"responseElements":{"user":{"userName":"jane"}}}"#;
    let created = read("cloudtrail", cloud);
    let theirs = created.facts[0].subject.clone().unwrap();
    let cells = [("person", "E-17"), ("system", "aws"), ("instance", "111122223333"), ("account", "user/jane")];
    let ours = read("people", &row(&cells)).facts[0].object.clone().unwrap();
    assert!(theirs.id.starts_with("user/~"), "{}", theirs.id);
    assert_eq!((ours.kind(), &ours.id), (theirs.kind(), &theirs.id));
}

#[test]
fn names_of_persons_lie_beside_the_record() {
    let reading = read(
        "people",
        &row(&[("person", "ann.ode"), ("person_name", "Ann Ode"), ("system", "okta"), ("login", "ann"), ("row", "7")]),
    );
    let person = reading.facts[0].subject.clone().unwrap();
    assert!(person.id.starts_with('~') && !format!("{:?}", reading.facts).contains("ann"), "{:?}", reading.facts);
    let known = values(&reading, &format!("person:people:default:{}", person.id));
    assert_eq!(known, ["display_name=Ann Ode", "login=ann.ode"]);
    assert_eq!(reading.event_id, EventId::Version("row/7".to_owned()));
}

#[test]
fn a_rule_is_a_version_of_a_record_of_its_own() {
    let reading = read(
        "people",
        &row(&[
            ("rule", "same address"),
            ("version", "2"),
            ("matched_by", "email"),
            ("systems", "okta; aws"),
            ("declared_at", "2026-03-01"),
        ]),
    );
    let fact = &reading.facts[0];
    assert_eq!(fact.kind(), FactKind::RuleDeclared);
    let object = fact.object.clone().unwrap();
    assert_eq!(object.kind(), EntityKind::Rule);
    assert!(object.id.starts_with('~'), "a name with a space stands in no record: {}", object.id);
    let rule = MatchingRule {
        version: 2,
        matched_by: MatchedBy::Email.into(),
        systems: vec!["aws".to_owned(), "okta".to_owned()],
        withdrawn: false,
    };
    assert_eq!(fact.detail, Some(Detail::MatchingRule(rule)));
    assert_eq!(reading.event_id, EventId::Version(format!("rule/{}/2", object.id)));
    let withdrawn = read("people", r#"{"rule":"by-mail","version":3,"matched_by":"email","withdrawn":true}"#);
    let Some(Detail::MatchingRule(rule)) = &withdrawn.facts[0].detail else { panic!("{withdrawn:?}") };
    assert!(rule.withdrawn && rule.systems.is_empty() && rule.version == 3);
    assert_eq!(withdrawn.facts[0].object.clone().unwrap().id, "by-mail");
}

#[test]
fn rows_that_say_too_little_or_too_much_are_refused() {
    for (document, expected) in [
        (r#"{"person":"E-1","account":"00u1"}"#, "the system that the account is in in system"),
        (r#"{"system":"okta","account":"00u1","person":""}"#, "the id of a person in person"),
        (r#"{"person":"E-1","system":"okta"}"#, "the account's id in account, or else its login or email"),
        (r#"{"person":"E-1","system":"okta","account":"00u1","since":"2026-03-01"}"#, "\"since\" is no field"),
        (r#"{"person":"E-1","system":"o k","account":"00u1"}"#, "a system and an instance"),
        (
            r#"{"person":"E-1","system":"okta","account":"00u1","from":"2026-03-02","until":"2026-03-01"}"#,
            "a time after from in until",
        ),
        (r#"{"person":"E-1","system":"okta","account":"00u1","from":"yesterday"}"#, "a time of year 1 to 9999"),
        (r#"{"rule":"r","matched_by":"email","version":"0"}"#, "the rule's version, from 1"),
        (r#"{"rule":"r","matched_by":"name","version":"1"}"#, "one of email"),
        (r#"{"rule":"r","matched_by":"email","version":"1","systems":"ok ta"}"#, "names of systems"),
        ("[1]", "another value"),
    ] {
        let told = reject("people", document).message;
        assert!(told.contains(expected), "{document}: {told}");
    }
    let nhi = |cells: &str| reject("nhi", &format!(r#"{{"system":"okta","id":"api_token/00T1",{cells}}}"#)).message;
    for (cells, expected) in [
        (r#""type":"human","owner":"E-1""#, "the type of a non-human identity"),
        (r#""owner":"E-1""#, "the type of a non-human identity"),
        (r#""type":"token","rotation_interval":"3 months""#, "a span of time such as 90d"),
        (r#""type":"token","rotation_interval":"0d""#, "a span of time such as 90d"),
        (r#""type":"token","operations":"users:write;who knows""#, "codes of operations"),
        (r#""type":"token","owner_system":"okta""#, "the login of the owner's account"),
        (r#""type":"token","secret":"x""#, "\"secret\" is no field"),
    ] {
        let told = nhi(cells);
        assert!(told.contains(expected), "{cells}: {told}");
    }
}

#[test]
fn a_row_of_the_register_is_all_that_it_says() {
    let reading = read(
        "nhi",
        &row(&[
            ("row", "n-3"),
            ("system", "okta"),
            ("id", "api_token/00T1"),
            ("type", "token"),
            ("name", "provisioner"),
            ("owner", "E-17"),
            ("purpose", "Provisions accounts from tickets"),
            ("expires_at", "2026-12-31"),
            ("rotation_interval", "90d"),
            ("stored_in", "vault: kv/okta"),
            ("systems", "okta"),
            ("operations", "okta.users.manage;okta.groups.manage"),
            ("suspected_at", "2026-02-01"),
            ("retired_at", "2026-03-01T09:30:00Z"),
            ("updated_at", "2026-01-05"),
        ]),
    );
    let subject = "subject=okta:default:api_token/00T1<token>";
    let shown = lines(&reading);
    assert!(shown[0].starts_with(&format!("nhi.registered {subject} Ownership")), "{shown:?}");
    let Some(Detail::Ownership(said)) = &reading.facts[0].detail else { panic!("{shown:?}") };
    assert_eq!(said.rotation_interval_seconds, 90 * 86_400);
    assert_eq!(said.expires_at.unwrap().seconds, 1_798_761_599, "through its last second");
    assert_eq!(said.operations, ["okta.groups.manage", "okta.users.manage"]);
    assert!(said.storage_declared && said.suspected_at.is_some() && said.retired_at.is_some());
    assert!(shown[1].starts_with(&format!("owner.assigned {subject}")), "{shown:?}");
    let Some(Detail::Ownership(owned)) = &reading.facts[1].detail else { panic!("{shown:?}") };
    assert_eq!(support::shown(owned.owner.as_ref().unwrap()), "people:default:E-17");
    assert_eq!(shown[2], format!("purpose.declared {subject} @2026-01-05T00:00:00Z+0ns~day"));
    assert_eq!(shown[3], format!("nhi.retired {subject} @2026-03-01T09:30:00Z"));
    let beside = values(&reading, "credential:okta:default:api_token/00T1");
    assert_eq!(
        beside,
        ["display_name=provisioner", "purpose=Provisions accounts from tickets", "stored_in=vault: kv/okta"]
    );
    assert!(!format!("{:?}", reading.facts).contains("vault"), "where a secret is kept stands in no record");
}

#[test]
fn whoever_answers_for_one_is_a_person_an_address_or_an_account() {
    let owner = |cells: &str| {
        let reading =
            read("nhi", &format!(r#"{{"system":"okta","login":"svc-sync","type":"service_account",{cells}}}"#));
        let Some(Detail::Ownership(owned)) = reading.facts[1].detail.clone() else { panic!("{reading:?}") };
        let owner = owned.owner.unwrap();
        (owner.kind(), support::shown(&owner))
    };
    assert_eq!(owner(r#""owner":"E-1""#), (EntityKind::Person, "people:default:E-1".to_owned()));
    assert_eq!(owner(r#""owner":"ann@example.com""#), (EntityKind::Person, "#".to_owned()));
    let account = owner(r#""owner":"ann","owner_system":"okta""#);
    assert_eq!(account, (EntityKind::Account, "okta:default:#".to_owned()));
}

#[test]
fn a_name_that_an_application_has_for_a_user_links_where_it_is_another() {
    let event = |name: &str, kind: &str| {
        format!(
            r#"{{"uuid":"e1","published":"2026-03-01T09:30:00.000Z","eventType":"application.user_membership.{kind}",
            "outcome":{{"result":"SUCCESS"}},"target":[
              {{"id":"0oa1","type":"AppInstance","displayName":"Payroll"}},
              {{"id":"0ua1","type":"AppUser","alternateId":"{name}"}},
              {{"id":"00u2","type":"User","alternateId":"jane@example.com"}}]}}"#
        )
    };
    let linked = "identity.linked [derived] subject=00u2#<human> object=# @2026-03-01T09:30:00Z+0ms";
    let count = |document: &str| lines(&read("okta", document)).iter().filter(|line| *line == linked).count();
    assert_eq!(count(&event("j.doe@example.com", "add")), 1);
    for nothing in [event("Jane@example.com", "add"), event("jdoe", "add"), event("j.doe@example.com", "remove")] {
        assert_eq!(count(&nothing), 0, "{nothing}");
    }
}

#[test]
fn a_whole_table_may_come_as_one_document() {
    let rows = [row(&[("person", "E-1"), ("system", "okta"), ("account", "00u1")]), "{\"person\":\"E-2\"}".to_owned()];
    let read = read_all("people", &format!("[{}]", rows.join(",")));
    assert!(read[0].is_ok() && read[1].is_err());
}
