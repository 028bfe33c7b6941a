//! The fact connector: the whole vocabulary, and strictness about everything else.

#![allow(clippy::unwrap_used)] // A test stops where it fails.

#[path = "fixtures/support.rs"]
mod support;

use counterfoil_ingest::connectors::{self, EventId};
use counterfoil_proto::v1::{Confidence, EntityKind, FactKind, IdentityType, Mapping, RejectReason};
use support::{lines, read, read_all, reject, values};

fn document(facts: &str) -> String {
    format!(
        r#"{{"id":"evt-1","source":{{"system":"ci","instance":"prod","stream":"deploy"}},"type":"deploy.grant","facts":[{facts}]}}"#
    )
}

fn fact(rest: &str) -> String {
    document(&format!(r#"{{"occurred_at":"2026-03-01T09:30:00Z",{rest}}}"#))
}

const AT: &str = "@2026-03-01T09:30:00Z";
const JANE: &str = r#"{"id":"u2","login":"jane","email":"jane@example.com","name":"Jane Doe","type":"human"}"#;

#[test]
fn the_document_says_where_it_comes_from() {
    let reading = read("fact", &fact(&format!(r#""kind":"account.created","subject":{JANE}"#)));
    assert_eq!(reading.system.as_deref(), Some("ci"));
    assert_eq!(reading.instance.as_deref(), Some("prod"));
    assert_eq!(reading.stream, "deploy");
    assert_eq!(reading.native_type, "deploy.grant");
    assert_eq!(reading.mapping, Mapping::Mapped);
    assert_eq!(reading.event_id, EventId::Native("evt-1".to_owned()));
    assert_eq!(lines(&reading), [format!("account.created subject=u2##<human> {AT}")]);
    assert_eq!(
        values(&reading, "account:ci:prod:u2"),
        ["display_name=Jane Doe", "email=jane@example.com", "login=jane"]
    );
    let anonymous =
        read("fact", &fact(&format!(r#""kind":"account.created","subject":{JANE}"#)).replace(r#""id":"evt-1","#, ""));
    assert_eq!(anonymous.event_id, EventId::Content);
}

#[test]
fn every_detail() {
    let check = |rest: &str, expected: &str| {
        assert_eq!(lines(&read("fact", &fact(rest))), [format!("{expected} {AT}")], "{rest}");
    };
    check(
        r#""kind":"ticket.opened","object":{"id":"ticket/5"},"subject":{"id":"u2"},"ticket_type":"change","requester":{"id":"u1"},"assignee":{"id":"u3"},"window_start":"2026-03-02T00:00:00Z","window_end":"2026-03-03T00:00:00Z","decision":"approved","texts":{"subject":"s","rollback_plan":"r"},"items":[{"operation":"remove","target_type":"okta:group_member","target":{"system":"okta","instance":"default","name":"Ops"},"until":"2026-04-01T00:00:00Z"}]"#,
        "ticket.opened subject=u2 object=ticket/5 {change open requester=u1 assignee=u3 remove:okta:group_member target=okta:default:# until=2026-04-01T00:00:00Z window=2026-03-02T00:00:00Z..2026-03-03T00:00:00Z decision=approved +subject +rollback_plan}",
    );
    check(
        r#""kind":"approval.granted","object":{"id":"ticket/5"},"actor":{"id":"u3"},"approval_id":"a1","level":2,"rule":"majority","approver":{"id":"u3"},"delegate":{"id":"u4"},"decision":"approved","remark":"ok""#,
        "approval.granted object=ticket/5 actor=u3 {a1 level=2 majority approver=u3 delegate=u4 decision=approved}",
    );
    check(
        r#""kind":"account.disabled","subject":{"id":"u2"},"reversible":true,"department":"d1","manager":{"id":"u9"},"changed":{"title":"Lead","active":false}"#,
        "account.disabled subject=u2 {changed=active,title reversible department=d1 manager=u9}",
    );
    check(
        r#""kind":"entitlement.changed","object":{"id":"role/admin"},"implies_added":[{"id":"permission/x"}],"implies_removed":[{"id":"permission/y"}],"version":"v2""#,
        "entitlement.changed object=role/admin {+permission/x -permission/y}",
    );
    check(
        r#""kind":"lifecycle.mover","subject":{"kind":"person","id":"p1"},"effective_at":"2026-03-05T00:00:00Z","department":"d2""#,
        "lifecycle.mover subject=p1 {effective=2026-03-05T00:00:00Z department=d2}",
    );
    check(
        r#""kind":"grant.added","subject":{"id":"u2"},"object":{"id":"role/admin"},"scope":"prod","outcome":"failure","reason":"QUOTA","confidence":"derived","via":{"id":"api_token/t1","type":"api_key"},"tickets":["SR-1042",{"system":"jira","instance":"main","id":"ticket/ABC-1"}],"transaction":"t-1""#,
        "grant.added (failure) [derived] subject=u2 object=role/admin via=api_token/t1<api_key> scope=prod reason=QUOTA ticket=freshservice:default:ticket/1042 ticket=jira:main:ticket/ABC-1",
    );
    for (rest, part) in [
        (
            r#""kind":"grant.added","subject":{"id":"u2"},"object":{"id":"role/admin"},"expires_at":"2026-04-01T00:00:00Z","mode":"eligible","inherited_via":{"id":"group_member/g"},"conditional":true"#,
            "conditional: true",
        ),
        (
            r#""kind":"credential.created","object":{"id":"api_key/k1"},"subject":{"id":"u2"},"expires_at":"2026-04-01T00:00:00Z","last_used_at":"2026-03-01T00:00:00Z","rotation_interval_seconds":86400"#,
            "rotation_interval_seconds: 86400",
        ),
        (
            r#""kind":"nhi.registered","subject":{"kind":"integration","id":"i1","type":"ai_agent"},"owner":{"id":"u2"},"purpose":"sync","expires_at":"2027-01-01T00:00:00Z""#,
            "purpose_declared: true",
        ),
        (
            r#""kind":"review.decision","subject":{"id":"u2"},"object":{"id":"role/admin"},"decision":"revoke","reviewer":{"id":"u3"}"#,
            "decision: Revoke",
        ),
        (
            r#""kind":"policy.decision","actor":{"id":"u2"},"effect":"deny","policy":"p1","policy_version":"3""#,
            "effect: Deny",
        ),
        (
            r#""kind":"snapshot.end","object":{"id":"group/g1"},"completeness":"complete","count":3,"root":"00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff""#,
            "complete",
        ),
    ] {
        let facts = lines(&read("fact", &fact(rest)));
        assert!(facts[0].contains(part), "{}", facts[0]);
    }
}

#[test]
fn every_kind_of_fact_can_be_said() {
    for number in (1..=54).filter(|number| *number != FactKind::RuleDeclared as i32) {
        let kind = FactKind::try_from(number).unwrap();
        let name = kind.as_str_name().trim_start_matches("FACT_KIND_").to_lowercase().replacen('_', ".", 1);
        let object = match name.split('.').next().unwrap() {
            "ticket" | "approval" | "lifecycle" => "ticket/5",
            "credential" => "api_token/t1",
            _ if name.starts_with("identity.") || name == "snapshot.begin" || name == "snapshot.end" => "x1",
            _ => "role/admin",
        };
        let more = match name.split('.').next().unwrap() {
            "policy" => r#","effect":"allow""#,
            "approval" => r#","approver":{"id":"u3"}"#,
            _ => "",
        };
        let rest = format!(r#""kind":"{name}","subject":{JANE},"object":{{"id":"{object}"}}{more}"#);
        let reading = read("fact", &fact(&rest));
        assert_eq!(reading.facts[0].kind(), kind, "{name}");
    }
    assert!(FactKind::try_from(55).is_err(), "a new kind of fact needs its fields here");
}

#[test]
fn every_type_of_identity_and_every_kind_of_reference_can_be_said() {
    for number in 1..=12 {
        let identity = IdentityType::try_from(number).unwrap();
        let name = identity.as_str_name().trim_start_matches("IDENTITY_TYPE_").to_lowercase();
        let reading = read("fact", &fact(&format!(r#""kind":"auth.event","actor":{{"id":"x","type":"{name}"}}"#)));
        assert_eq!(reading.facts[0].actor.as_ref().unwrap().identity_type(), identity);
    }
    for (kind, rest) in [
        (EntityKind::Person, r#""id":"p1""#),
        (EntityKind::Integration, r#""id":"i1""#),
        (EntityKind::SnapshotScope, r#""id":"s1""#),
        (EntityKind::Credential, r#""id":"ssh_key/k1""#),
        (EntityKind::Ticket, r#""id":"ticket/1""#),
        (EntityKind::Entitlement, r#""name":"Ops""#),
        (EntityKind::Identifier, r#""login":"arn:aws:iam::1:user/x""#),
    ] {
        let name = kind.as_str_name().trim_start_matches("ENTITY_KIND_").to_lowercase();
        let reading = read("fact", &fact(&format!(r#""kind":"auth.event","subject":{{"kind":"{name}",{rest}}}"#)));
        assert_eq!(reading.facts[0].subject.as_ref().unwrap().kind(), kind);
    }
}

#[test]
fn times_may_be_counted_and_never_is_no_expiry() {
    let at = |occurred: &str| {
        let reading = read("fact", &document(&format!(r#"{{"kind":"source.heartbeat","occurred_at":{occurred}}}"#)));
        support::moment(reading.facts[0].occurred_at.as_ref())
    };
    assert_eq!(at(r#"{"epoch_s":1772357400}"#), "2026-03-01T09:30:00Z");
    assert_eq!(at(r#"{"epoch_ms":1772357400123}"#), "2026-03-01T09:30:00Z+123ms");
    assert_eq!(at(r#"{"epoch_ns":-1}"#), "1969-12-31T23:59:59Z+999999999ns~nanosecond");
    assert_eq!(at(r#""0001-01-01T00:00:00Z""#), "0001-01-01T00:00:00Z");
    let grant =
        r#""kind":"grant.added","subject":{"id":"u"},"object":{"id":"role/a"},"expires_at":"0001-01-01T00:00:00Z""#;
    assert_eq!(read("fact", &fact(grant)).facts[0].detail, None);
}

#[track_caller]
fn check(document: &str, reason: RejectReason, message: &str) {
    let reject = reject("fact", document);
    assert_eq!(reject.reason, reason, "{reject}");
    assert!(reject.message.contains(message), "{reject}");
}

#[test]
fn whatever_is_wrong_is_named() {
    let invalid = RejectReason::FieldInvalid;
    let grant = r#""kind":"grant.added","subject":{"id":"u"},"object":{"id":"role/a"}"#;
    check(
        &fact(&format!(r#"{grant},"expiry":"x""#)),
        invalid,
        r#""facts[0].expiry" is no field of a fact of this kind: expected one of kind, occurred_at"#,
    );
    check(&fact(&format!(r#"{grant},"level":1"#)), invalid, "facts[0].level");
    check(&fact(r#""kind":"grant.add""#), invalid, "grant.added");
    check(&fact(r#""kind":"GRANT.ADDED""#), invalid, "facts[0].kind");
    check(&fact(r#""kind":"grant_added""#), invalid, "facts[0].kind");
    check(&fact(r#""kind":"grant.added","object":{"id":"role/a"}"#), invalid, "in facts[0].subject, got nothing");
    check(&fact(r#""kind":"grant.added","subject":{},"object":{"id":"role/a"}"#), invalid, "facts[0].subject.id");
    check(&fact(r#""kind":"grant.added","subject":{"id":"u"},"object":{"id":"car/a"}"#), invalid, "group_member");
    check(&fact(r#""kind":"grant.added","subject":{"id":"u"},"object":{"id":"role/"}"#), invalid, "type/id");
    check(
        &fact(r#""kind":"grant.added","subject":{"id":"u","mail":"x"},"object":{"id":"role/a"}"#),
        invalid,
        "facts[0].subject.mail",
    );
    check(
        &fact(r#""kind":"grant.added","subject":{"id":"u","system":"okta"},"object":{"id":"role/a"}"#),
        invalid,
        "both system and instance",
    );
    check(&fact(r#""kind":"auth.event","subject":{"id":"u","type":"robot"}"#), invalid, "workload_identity");
    check(&fact(r#""kind":"approval.granted","level":0"#), invalid, "level");
    check(&fact(r#""kind":"policy.decision""#), invalid, "allow or deny");
    check(&fact(r#""kind":"auth.event","tickets":["SR-x"]"#), invalid, "facts[0].tickets[0]");
    check(&fact(r#""kind":"auth.event","reason":"two words""#), invalid, "facts[0].reason");
    check(&document(r#"{"kind":"auth.event"}"#), RejectReason::TimeMissing, "facts[0].occurred_at");
    check(
        &document(r#"{"kind":"auth.event","occurred_at":"yesterday"}"#),
        RejectReason::TimeInvalid,
        "facts[0].occurred_at",
    );
    check(&document(r#"{"kind":"auth.event","occurred_at":{"epoch":1}}"#), RejectReason::TimeInvalid, "epoch_ms");
    check(
        &document(r#"{"kind":"auth.event","occurred_at":"2026-03-01 09:30:00"}"#),
        RejectReason::TimeWithoutZone,
        "--assume-zone UTC",
    );
    check(&document(""), invalid, "1 to 1,000 facts");
    check(&document("1"), invalid, "an object in facts[0]");
    check(&document("").replace("\"facts\":[]", "\"fact\":[]"), invalid, "facts");
    check(&document("").replace("\"ci\"", "\"c i\""), invalid, "source.system");
    check("[1]", RejectReason::NotAnEvent, "object");
}

/// What is seen in a listing changes nothing: whoever says so of a change would have it disregarded.
#[test]
fn only_listings_are_snapshots() {
    for number in (1..=54).filter(|number| *number != FactKind::RuleDeclared as i32) {
        let kind = FactKind::try_from(number).unwrap();
        let name = kind.as_str_name().trim_start_matches("FACT_KIND_").to_lowercase().replacen('_', ".", 1);
        let rest = format!(
            r#""kind":"{name}","confidence":"snapshot","subject":{JANE},"object":{{"kind":"account","id":"x1"}}"#
        );
        if name.starts_with("snapshot.") {
            assert_eq!(read("fact", &fact(&rest)).facts[0].confidence(), Confidence::Snapshot);
        } else {
            check(&fact(&rest), RejectReason::FieldInvalid, "explicit or derived: only the kinds snapshot.*");
            check(&fact(&rest), RejectReason::FieldInvalid, "facts[0].confidence, got");
        }
    }
    let grant = r#""kind":"grant.added","subject":{"id":"u"},"object":{"id":"role/a"},"confidence""#;
    for (said, confidence) in [("explicit", Confidence::Explicit), ("derived", Confidence::Derived)] {
        let reading = read("fact", &fact(&format!("{grant}:{said:?}")));
        assert_eq!(reading.facts[0].confidence(), confidence);
    }
}

#[test]
fn an_approval_can_be_told_from_another() {
    for kind in ["requested", "granted", "rejected", "cancelled", "expired", "delegated"] {
        let approval = |rest: &str| fact(&format!(r#""kind":"approval.{kind}","object":{{"id":"ticket/5"}}{rest}"#));
        for nothing in [
            "",
            r#","level":2,"subject":{"id":"u2"},"asked_by":{"id":"u1"},"delegate":{"id":"u4"}"#,
            r#","approval_id":null,"approver":null,"actor":null"#,
        ] {
            check(&approval(nothing), RejectReason::FieldInvalid, "facts[0].approval_id");
            check(&approval(nothing), RejectReason::FieldInvalid, "or else an approver or an actor");
        }
        for one in [r#""approval_id":"a1""#, r#""approver":{"login":"jane"}"#, r#""actor":{"id":"u3"}"#] {
            assert_eq!(read("fact", &approval(&format!(",{one}"))).facts.len(), 1, "{kind} {one}");
        }
    }
}

#[test]
fn an_array_is_several_documents() {
    let one = fact(&format!(r#""kind":"account.created","subject":{JANE}"#));
    let readings = read_all("fact", &format!("[{one}, {{}}]"));
    assert_eq!(readings.len(), 2);
    assert!(readings[0].is_ok() && readings[1].is_err());
}

/// What a connector of its own reports, nobody else can say: neither an event, nor a ticket or an approval.
#[test]
fn a_document_speaks_for_no_system_that_has_a_connector() {
    let grant = r#""kind":"grant.added","subject":{"system":"okta","instance":"default","id":"00u1"},"object":{"system":"okta","instance":"default","id":"role/ORG_ADMIN"},"tickets":["SR-1"]"#;
    // To speak about what is in it is what producers are for.
    assert_eq!(read("fact", &fact(grant)).facts.len(), 1);
    for connector in connectors::names().into_iter().filter(|name| *name != "fact") {
        let system = connectors::by_name(connector).unwrap().system().to_owned();
        for spelt in [system.clone(), system.to_uppercase()] {
            let document = fact(grant).replace("\"ci\"", &format!("{spelt:?}"));
            check(&document, RejectReason::FieldInvalid, &format!("reported by the connector {connector}"));
            check(&document, RejectReason::FieldInvalid, &format!("such as {connector}-bridge"));
        }
        let ticket = format!(r#"{{"system":"{system}","instance":"default","id":"ticket/1"}}"#);
        for kind in ["ticket.opened", "ticket.updated", "approval.requested", "approval.granted", "approval.delegated"]
        {
            for object in [ticket.as_str(), r#""SR-1""#] {
                let document = fact(&format!(r#""kind":"{kind}","object":{object}"#));
                check(
                    &document,
                    RejectReason::FieldInvalid,
                    "a ticket of the document's own source in facts[0].object",
                );
            }
        }
        let bridge = fact(r#""kind":"approval.granted","object":{"id":"ticket/1"},"approver":{"id":"u3"}"#);
        assert!(read_all("fact", &bridge.replace("\"ci\"", &format!("\"{system}-bridge\"")))[0].is_ok());
    }
}
