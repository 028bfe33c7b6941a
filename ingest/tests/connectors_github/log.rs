//! The log itself: its forms, and what every event has in common.

use std::collections::BTreeSet;

use counterfoil_ingest::connectors::{EventId, Reading};
use counterfoil_proto::v1::{Mapping, RejectReason};
use serde_json::{Value, json};

use crate::made::{about_yuki, event, in_ledger, told};
use crate::support::{read, read_all, read_with, reject, values};

const EVENTS: &str = include_str!("../fixtures/github-events.json");

#[test]
fn events_in_native_shape() {
    let readings: Vec<Reading> = read_all("github", EVENTS).into_iter().map(Result::unwrap).collect();
    let by = "actor=50000002##<human>";
    assert_eq!(
        readings.iter().map(told).collect::<Vec<_>>(),
        [
            vec![
                "grant.added subject=50000001#<human> object=group_member/~# actor=40000001#<bot> \
                 via=session/880001#<token> AT"
                    .to_owned()
            ],
            vec![format!(
                "entitlement.changed object=group_member/~# {by} {{+repo_access/123456# -}} @2026-03-01T09:31:00Z+500ms"
            )],
            vec![
                "approval.granted subject=api_token/98716<token> object=access_request/25381 BY \
                 ticket=freshservice:default:ticket/1042 { level=1 unspecified approver=50000002#<human> \
                 decision=approved} @2026-03-01T09:32:00Z+0ms"
                    .to_owned(),
                "ticket.closed subject=api_token/98716<token> object=access_request/25381 BY \
                 ticket=freshservice:default:ticket/1042 {access_request closed add:github:permission \
                 target=permission/org/9001/resources# decision=approved} @2026-03-01T09:32:00Z+0ms"
                    .to_owned(),
                "grant.added subject=api_token/98716<token> object=permission/org/9001/resources# BY \
                 ticket=freshservice:default:ticket/1042 ticket=access_request/25381 @2026-03-01T09:32:00Z+0ms"
                    .to_owned(),
            ],
        ]
    );
    assert_eq!(
        values(&readings[0], "account:github:default:40000001"),
        [
            "access_type=GitHub App server-to-server token",
            "ip_address=198.51.100.7",
            "login=provision-bot[bot]",
            "user_agent=provisioner/2.1 (CHN-99)",
        ]
    );
    // The address of an identity provider says who somebody is elsewhere.
    assert!(
        values(&readings[1], "account:github:default:50000002")
            .contains(&"external_identity=omar.haddad@tallyhall.example".to_owned())
    );
    assert_eq!(readings[0].stream, "audit-log");
    assert_eq!((readings[0].system.as_ref(), readings[0].instance.as_ref()), (None, None));
    // One by one, as a stream of the log has them, they are the same.
    let alone: Vec<Value> = serde_json::from_str(EVENTS).unwrap();
    let alone: Vec<Reading> = alone.iter().map(|event| read("github", &event.to_string())).collect();
    assert_eq!(alone, readings);
}

/// Traps 2 and 3: flags and ids as texts, and what stands for nothing.
#[test]
fn trap_2_and_3_who_acts() {
    let actor = |further: Value| {
        let reading = read("github", &event("audit_log_streaming.create", further).to_string());
        told(&reading).remove(0).replace("source.audit_config_changed ", "").replace(" AT", "")
    };
    for flag in [json!(false), json!("False"), json!("false"), Value::Null, json!("")] {
        assert_eq!(actor(json!({"actor_is_bot": flag})), "BY", "{flag}");
    }
    for flag in [json!(true), json!("True")] {
        assert_eq!(actor(json!({"actor_is_bot": flag})), "actor=50000002#<bot>", "{flag}");
    }
    assert_eq!(actor(json!({"actor_is_bot": true, "actor_is_agent": true})), "actor=50000002#<ai_agent>");
    assert_eq!(actor(json!({"actor": "dependabot[bot]"})), "actor=50000002#<bot>");
    assert_eq!(actor(json!({"actor": "svc-deploy"})), "actor=50000002#<service_account>");
    assert_eq!(actor(json!({"actor_id": "50000002"})), "BY");
    // Without an id, the login is all that is known; without both, nobody is.
    assert_eq!(actor(json!({"actor_id": 0})), "actor=#<human>");
    assert_eq!(actor(json!({"actor_id": "", "actor": ""})), "AT");
    assert_eq!(actor(json!({"external_identity_nameid": "not an address"})), "BY");
}

/// Trap 1: GitHub counts milliseconds; what a copy wrote as text is read as any time is.
#[test]
fn trap_1_times() {
    let at = |further: Value| {
        let reading = read("github", &event("team.create", further).to_string());
        told(&reading).remove(0).rsplit(' ').next().unwrap().to_owned()
    };
    let of = |time: Value| at(json!({"team": "t", "@timestamp": time}));
    assert_eq!(of(json!(1_772_357_400_123_u64)), "@2026-03-01T09:30:00Z+123ms");
    assert_eq!(of(json!(1_772_357_400_123.0)), "@2026-03-01T09:30:00Z+123ms");
    assert_eq!(of(json!("1772357400123")), "@2026-03-01T09:30:00Z+123ms");
    assert_eq!(of(json!("2026-03-01T09:30:00.123Z")), "@2026-03-01T09:30:00Z+123ms");
    assert_eq!(of(json!(-1)), "@1969-12-31T23:59:59Z+999ms");
    assert_eq!(of(Value::Null), "AT", "then created_at says it");
    let rejected = |time: Value| {
        let event = event("team.create", json!({"@timestamp": time, "created_at": null}));
        reject("github", &event.to_string()).reason
    };
    assert_eq!(rejected(Value::Null), RejectReason::TimeMissing);
    assert_eq!(rejected(json!("yesterday")), RejectReason::TimeInvalid);
    assert_eq!(rejected(json!(u64::MAX)), RejectReason::TimeInvalid);
    assert_eq!(rejected(json!(9_000_000_000_000_000_000_u64)), RejectReason::TimeInvalid);
    assert_eq!(rejected(json!("2026-03-01 09:30:00.123")), RejectReason::TimeWithoutZone);
    let zoneless = event("team.create", json!({"team": "t", "@timestamp": "2026-03-01 09:30:00"})).to_string();
    assert_eq!(read_with("github", &zoneless, true).remove(0).unwrap().facts.len(), 1);
}

#[test]
fn ids_and_strangers() {
    let anonymous = read("github", &event("team.create", json!({"_document_id": null})).to_string());
    assert_eq!(anonymous.event_id, EventId::Content);
    for strange in [r#"{"action":"team.create"}"#, r#"{"actor":"x","org":"y"}"#, "7", r#"{"kind":"Event"}"#] {
        assert_eq!(reject("github", strange).reason, RejectReason::NotAnEvent, "{strange}");
    }
    assert!(read_all("github", "[]").is_empty());
}

#[test]
fn what_is_not_known_is_kept_as_unmapped() {
    for (action, mapping, native_type) in [
        ("git.clone", Mapping::NoFacts, "git.clone"),
        ("workflows.completed_workflow_run", Mapping::NoFacts, "workflows.completed_workflow_run"),
        ("repo.update", Mapping::NoFacts, "repo.update"),
        ("org.invented_yesterday", Mapping::Unmapped, "org.invented_yesterday"),
        ("jane.roe", Mapping::Unmapped, ""),
        ("repo.Jane Roe", Mapping::Unmapped, ""),
        ("invite_member", Mapping::Unmapped, ""),
        ("team.add_member", Mapping::Incomplete, "team.add_member"),
        ("hook.create", Mapping::Incomplete, "hook.create"),
        ("repo.rename", Mapping::Incomplete, "repo.rename"),
    ] {
        let reading = read("github", &event(action, json!({})).to_string());
        assert_eq!((reading.mapping, reading.native_type.as_str()), (mapping, native_type), "{action}");
        assert!(reading.facts.is_empty() && reading.values.is_empty(), "{action}");
    }
}

#[test]
fn tickets_are_read_from_what_people_write_and_not_from_the_user_agent() {
    let with =
        json!({"team": "t", "explanation": "asked for in SR-7", "user_agent": "x CHN-9", "data": {"note": "SR-8"}});
    let reading = read("github", &event("team.create", with).to_string());
    let correlation = reading.facts[0].correlation.as_ref().unwrap();
    let tickets: BTreeSet<&str> = correlation.tickets.iter().map(|ticket| ticket.id.as_str()).collect();
    assert_eq!(tickets, ["ticket/7", "ticket/8"].into());
    let with = json!({"team": "t", "request_id": "A1B2:C3D4:1:2:65F00001"});
    let reading = read("github", &event("team.create", with).to_string());
    assert_eq!(reading.facts[0].correlation.as_ref().unwrap().request, "A1B2:C3D4:1:2:65F00001");
}

#[test]
fn trap_20_hostile_text_stays_beside_the_record() {
    let hostile = "x\u{1b}[31m=cmd|' /C calc'!A0\r\n,";
    let keys = ["actor", "user", "team", "repo", "org", "permission", "fingerprint", "key", "name", "integration"];
    for action in
        ["team.add_member", "repo.add_member", "org.add_member", "public_key.create", "repo.create_actions_secret"]
    {
        let mut event = event(action, about_yuki(in_ledger(json!({}))));
        keys.iter().for_each(|key| event[*key] = json!(hostile));
        for key in
            ["_document_id", "request_id", "hashed_token", "token_id", "actor_id", "user_id", "org_id", "repo_id"]
        {
            event[key] = json!(hostile);
        }
        let reading = read("github", &event.to_string());
        assert!(!reading.facts.is_empty(), "{action}");
        assert!(!format!("{:?}", reading.facts).contains("calc"), "{:?}", reading.facts);
        assert!(!format!("{:?}", reading.event_id).contains("calc"));
    }
}

/// Logins, names of teams and of repositories are beside the record alone.
#[test]
fn no_name_is_in_a_fact() {
    for action in
        ["team.add_member", "team.add_repository", "repo.add_member", "org.add_member", "oauth_authorization.create"]
    {
        let further =
            about_yuki(in_ledger(json!({"team": "tallyhall-eng/release", "oauth_application_name": "board"})));
        let shown = format!("{:?}", read("github", &event(action, further).to_string()).facts);
        for name in ["yuki", "omar", "tallyhall", "ledger", "release", "board"] {
            assert!(!shown.contains(name), "{action}: {name}: {shown}");
        }
    }
}

/// Trap 21: what a webhook signs with, and a token that somebody wrote into a name.
#[test]
fn trap_21_secrets_never_reach_a_reading() {
    let token = ["gh", "p_", "Zx9Kq2Lm8Rt5Vb1Nc7Wd3Yf6Hj4Zx9Kq2Lm8"].concat();
    let config = json!({"url": format!("https://x.example/?token={token}"), "secret": "planted-1"});
    let hook = event("hook.create", json!({"hook_id": 7, "config": config, "name": token}));
    let shown = format!("{:?}", read("github", &hook.to_string()));
    assert!(!shown.contains("planted") && !shown.contains(&token), "{shown}");
}
