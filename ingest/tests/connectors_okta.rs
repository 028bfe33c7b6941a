//! The Okta connector: each event type to its facts, and the traps of such logs.
//!
//! Traps of the mapping that apply here: 1 (times), 2 (ids), 3 (absence), 5 (unordered targets), 6 (one event, many
//! facts), 7 (failures), 8 (not finished), 9 (duplicates), 13 and 14 (groups and roles that imply others), 17 (resources),
//! 20 (hostile text), 21 (secrets).

#![allow(clippy::unwrap_used)] // A test stops where it fails.

#[path = "fixtures/support.rs"]
mod support;

use counterfoil_ingest::connectors::{EventId, Reading};
use counterfoil_proto::v1::{Mapping, RejectReason};
use support::{lines, read, read_all, read_with, reject, values};

const USER: &str = r#"{"id":"00u2","type":"User","alternateId":"jane@example.com","displayName":"Jane Doe"}"#;
const GROUP: &str = r#"{"id":"00g1","type":"UserGroup","alternateId":"unknown","displayName":"Prod Deployers"}"#;
const APP: &str = r#"{"id":"0oa1","type":"AppInstance","alternateId":"Payroll","displayName":"Payroll"}"#;
const APP_USER: &str = r#"{"id":"0ua1","type":"AppUser","alternateId":"jane@example.com","displayName":"Jane Doe"}"#;
const TOKEN: &str = r#"{"id":"00T9","type":"Token","alternateId":"unknown","displayName":"hr-sync"}"#;
const CLIENT: &str = r#"{"id":"0oc1","type":"PublicClientApp","alternateId":"0oc1","displayName":"deploy bot"}"#;

/// An event of the log by `svc-sync`, with these targets, debug data and outcome.
fn event(event_type: &str, targets: &[&str], debug: &str, outcome: &str) -> String {
    format!(
        r#"{{"uuid":"e1","published":"2026-03-01T09:30:00.000Z","eventType":"{event_type}","version":"0","severity":"INFO",
        "actor":{{"id":"00u1","type":"User","alternateId":"svc-sync","displayName":"Sync"}},
        "outcome":{outcome},"target":[{}],"transaction":{{"type":"WEB","id":"unknown","detail":{{}}}},
        "debugContext":{{"debugData":{{{debug}}}}}}}"#,
        targets.join(",")
    )
}

const DONE: &str = r#"{"result":"SUCCESS","reason":null}"#;
/// How the actor of `event` is shown, and its moment.
const BY: &str = "actor=00u1#<service_account>";
const AT: &str = "@2026-03-01T09:30:00Z+0ms";

/// Checks the facts of a type. In the expectation, BY and AT stand for the actor and the moment.
fn check(event_type: &str, targets: &[&str], debug: &str, expected: &[&str]) {
    let mut reversed = targets.to_vec();
    reversed.reverse();
    for targets in [targets, &reversed] {
        let reading = read("okta", &event(event_type, targets, debug, DONE));
        let expected: Vec<String> = expected.iter().map(|line| line.replace("BY", BY).replace("AT", AT)).collect();
        assert_eq!(lines(&reading), expected, "{event_type}");
        assert_eq!(reading.native_type, event_type);
        assert_eq!(reading.mapping, Mapping::Mapped);
        assert_eq!(reading.stream, "system-log");
        assert_eq!(reading.event_id, EventId::Native("e1".to_owned()));
    }
}

#[test]
fn a_whole_event_in_native_shape() {
    let reading = read("okta", include_str!("fixtures/okta-grant.json"));
    assert_eq!(
        lines(&reading),
        ["grant.added subject=00u2#<human> object=group_member/00g1# actor=00u1admin#<human> \
             via=api_token/00Tsync1<token> ticket=freshservice:default:ticket/1042 \
             ticket=freshservice:default:ticket/77 ticket=freshservice:default:ticket/5 @2026-03-01T09:30:00Z+123ms"]
    );
    let correlation = reading.facts[0].correlation.as_ref().unwrap();
    assert_eq!(correlation.transaction, "Zb1AbC");
    assert!(correlation.request.starts_with('~'), "an id with '@' is not opaque");
    assert_eq!(correlation.request.len(), 33);
    assert_eq!(
        values(&reading, "account:okta:default:00u1admin"),
        [
            "display_name=Ada Admin",
            "ip_address=198.51.100.7",
            "login=Ada.Admin@example.com",
            "reason=Approved under SR-1042, see also XSR-9 and SR-1042-b",
            "user_agent=okta-sdk/1.0 (change CHN-0017)",
        ]
    );
    assert_eq!(values(&reading, "entitlement:okta:default:group_member/00g1"), ["display_name=Prod Deployers"]);
    assert_eq!(reading.event_id, EventId::Native("5b0e8c3a-1111-2222-3333-444455556666".to_owned()));
}

#[test]
fn accounts() {
    let user = |kind: &str| format!("{kind} subject=00u2#<human> BY AT");
    for (event_type, kind) in [
        ("user.lifecycle.create", "account.created"),
        ("user.lifecycle.activate", "account.enabled"),
        ("user.lifecycle.unsuspend", "account.enabled"),
        ("user.lifecycle.deactivate", "account.disabled"),
        ("user.lifecycle.delete.completed", "account.deleted"),
        ("user.account.lock", "account.locked"),
        ("user.account.unlock", "account.unlocked"),
        ("user.account.update_profile", "account.updated"),
    ] {
        check(event_type, &[USER], "", &[&user(kind)]);
    }
    check(
        "user.lifecycle.suspend",
        &[USER],
        "",
        &["account.disabled subject=00u2#<human> BY {changed= reversible} AT"],
    );
    // Trap 8: begun is not done.
    check("user.lifecycle.delete.initiated", &[USER], "", &["account.deleted (pending) subject=00u2#<human> BY AT"]);
}

#[test]
fn a_changed_profile_names_attributes_and_keeps_values_aside() {
    let target = r#"{"id":"00u2","type":"User","alternateId":"jane@example.com","changeDetails":{"from":{"department":"Sales"},"to":{"title":"Lead","department":"Finance","managerId":"00u7","odd name":"x"}}}"#;
    let reading = read("okta", &event("user.account.update_profile", &[target], "", DONE));
    let line = &lines(&reading)[0];
    assert!(line.contains("{changed=department,managerId,title department=~"), "{line}");
    assert!(line.contains("manager=00u7}") && !line.contains("Finance"), "{line}");
    assert_eq!(
        values(&reading, "account:okta:default:00u2"),
        ["changed.department=Finance", "changed.managerId=00u7", "changed.title=Lead", "login=jane@example.com"]
    );
}

#[test]
fn grants_and_what_groups_imply() {
    check(
        "group.user_membership.remove",
        &[GROUP, USER],
        "",
        &["grant.removed subject=00u2#<human> object=group_member/00g1# BY AT"],
    );
    for (event_type, kind) in [
        ("application.user_membership.add", "grant.added"),
        ("application.user_membership.remove", "grant.removed"),
        ("application.user_membership.update", "grant.modified"),
    ] {
        let line = format!("{kind} subject=00u2#<human> object=app_assignment/0oa1# BY AT");
        check(event_type, &[APP_USER, APP, USER], "", &[&line]);
    }
    // The id of an AppUser is not the user's: without the user, only the login tells.
    check(
        "application.user_membership.add",
        &[APP_USER, APP],
        "",
        &["grant.added subject=#<human> object=app_assignment/0oa1# BY AT"],
    );
    check(
        "group.application_assignment.add",
        &[APP, GROUP],
        "",
        &["entitlement.changed object=group_member/00g1# BY {+app_assignment/0oa1# -} AT"],
    );
    check(
        "group.application_assignment.remove",
        &[APP, GROUP],
        "",
        &["entitlement.changed object=group_member/00g1# BY {+ -app_assignment/0oa1#} AT"],
    );
    for (event_type, kind) in [
        ("group.lifecycle.create", "entitlement.defined"),
        ("group.lifecycle.delete", "entitlement.removed"),
        ("group.profile.update", "identifier.bound"),
    ] {
        check(event_type, &[GROUP], "", &[&format!("{kind} object=group_member/00g1# BY AT")]);
    }
}

#[test]
fn trap_6_administrator_roles_come_as_a_list_of_labels() {
    check(
        "user.account.privilege.grant",
        &[USER],
        r#""privilegeGranted":"Organization administrator, Application administrator (all), Read only admin, Read only admin""#,
        &[
            "grant.added subject=00u2#<human> object=role/ORG_ADMIN# BY AT",
            "grant.added subject=00u2#<human> object=role/APP_ADMIN# BY scope=all AT",
            "grant.added subject=00u2#<human> object=role/READ_ONLY_ADMIN# BY AT",
        ],
    );
    check(
        "group.privilege.grant",
        &[GROUP],
        r#""privilegeGranted":"Help Desk Administrator""#,
        &["entitlement.changed object=group_member/00g1# BY {+role/HELP_DESK_ADMIN# -} AT"],
    );
    check(
        "app.oauth2.client.privilege.grant",
        &[CLIENT],
        r#""privilegeGranted":"Group Membership Admin""#,
        &["grant.added subject=0oc1<integration> object=role/GROUP_MEMBERSHIP_ADMIN# BY AT"],
    );
    // A comma within parentheses separates nothing; names do not get into the record.
    let debug = r#""privilegeRevoked":"Application administrator (Payroll, Wiki), Regional Auditor""#;
    let reading = read("okta", &event("user.account.privilege.revoke", &[USER], debug, DONE));
    let facts = lines(&reading);
    assert_eq!(facts.len(), 2);
    assert!(facts[0].starts_with("grant.removed subject=00u2#<human> object=role/APP_ADMIN#"));
    assert!(facts[0].contains(" scope=~") && !facts[0].contains("Payroll"), "{}", facts[0]);
    assert!(facts[1].contains("object=role/~"), "{}", facts[1]);
    let role = format!("entitlement:okta:default:{}", reading.facts[1].object.as_ref().unwrap().id);
    assert_eq!(values(&reading, &role), ["display_name=Regional Auditor"]);
    assert_eq!(
        values(&reading, "entitlement:okta:default:role/APP_ADMIN"),
        ["display_name=Application administrator", "scope=Payroll, Wiki"]
    );
}

#[test]
fn credentials_and_consents() {
    check(
        "system.api_token.create",
        &[TOKEN],
        "",
        &["credential.created subject=00u1#<service_account> object=api_token/00T9<token> BY AT"],
    );
    check("system.api_token.revoke", &[TOKEN], "", &["credential.revoked object=api_token/00T9<token> BY AT"]);
    check(
        "app.oauth2.client.lifecycle.create",
        &[CLIENT],
        "",
        &["credential.created subject=00u1#<service_account> object=oauth_client/0oc1<integration> BY AT"],
    );
    check(
        "app.oauth2.client.lifecycle.create",
        &[CLIENT, USER],
        "",
        &["credential.created subject=00u2#<human> object=oauth_client/0oc1<integration> BY AT"],
    );
    check(
        "app.oauth2.client.lifecycle.deactivate",
        &[CLIENT],
        "",
        &["credential.disabled object=oauth_client/0oc1<integration> BY AT"],
    );
    check(
        "app.oauth2.as.consent.grant",
        &[CLIENT, USER],
        r#""requestedScopes":"okta.users.read,okta.groups.manage""#,
        &[
            "grant.added subject=00u2#<human> object=oauth_scope/okta.users.read BY scope=0oc1 AT",
            "grant.added subject=00u2#<human> object=oauth_scope/okta.groups.manage BY scope=0oc1 AT",
        ],
    );
}

#[test]
fn use_and_configuration() {
    check(
        "user.authentication.sso",
        &[APP],
        "",
        &["auth.event subject=00u1#<service_account> object=app_assignment/0oa1# BY AT"],
    );
    check("user.session.start", &[], "", &["auth.event subject=00u1#<service_account> BY AT"]);
    check("system.log_stream.lifecycle.deactivate", &[], "", &["source.audit_config_changed BY AT"]);
}

#[test]
fn access_requests() {
    let version = |kind: &str, status: &str, decision: &str| {
        format!(
            "ticket.{kind} subject=00u2#<human> object=access_request/00u2.0oa1 BY \
             {{access_request {status} add:okta:app_assignment target=app_assignment/0oa1#{decision}}} AT"
        )
    };
    let approval = |kind: &str, approver: &str, decision: &str| {
        format!(
            "approval.{kind} subject=00u2#<human> object=access_request/00u2.0oa1 BY {} AT",
            format_args!("{{ level=1 unspecified{approver} decision={decision}}}")
        )
    };
    let by = " approver=00u1#<service_account>";
    let check = |event_type: &str, expected: &[String]| {
        let expected: Vec<&str> = expected.iter().map(String::as_str).collect();
        check(event_type, &[USER, APP], "", &expected);
    };
    let asked = version("opened", "open requester=00u1#<service_account>", " decision=requested");
    check("app.access_request.request", &[asked]);
    check("app.access_request.approver.approve", &[approval("granted", by, "approved")]);
    check("app.access_request.approver.deny", &[approval("rejected", by, "rejected")]);
    check(
        "app.access_request.grant",
        &["grant.added subject=00u2#<human> object=app_assignment/0oa1# BY \
           ticket=access_request/00u2.0oa1 AT"
            .to_owned()],
    );
    check("app.access_request.deny", &[version("closed", "closed", " decision=rejected")]);
    check("app.access_request.expire", &[approval("expired", "", "expired")]);
    check("app.access_request.delete", &[version("cancelled", "cancelled", " decision=cancelled")]);
    check("access.request.resolve", &[version("closed", "resolved", "")]);
    check(
        "access.request.reject",
        &[approval("rejected", by, "rejected"), version("closed", "closed", " decision=rejected")],
    );
    // A request with an id of its own is known by that.
    let request = r#"{"id":"req7","type":"AccessRequest","displayName":"x"}"#;
    let reading = read("okta", &event("access.request.create", &[request, USER], "", DONE));
    assert!(lines(&reading)[0].contains("object=access_request/req7 "));
}

#[test]
fn trap_7_only_what_succeeded_succeeds() {
    for (outcome, expected) in [
        (r#"{"result":"SUCCESS"}"#, "grant.added subject"),
        (r#"{"result":"Success"}"#, "grant.added subject"),
        (r#"{"result":"ALLOW"}"#, "grant.added subject"),
        (r#"{"result":"FAILURE","reason":"INSUFFICIENT_RIGHTS"}"#, "grant.added (failure) subject"),
        (r#"{"result":"DENY"}"#, "grant.added (denied) subject"),
        (r#"{"result":"CHALLENGE"}"#, "grant.added (pending) subject"),
        (r#"{"result":"SKIPPED"}"#, "grant.added (failure) subject"),
        (r#"{"result":"BRAND_NEW"}"#, "grant.added (failure) subject"),
        ("null", "grant.added (pending) [derived] subject"),
        (r#"{"result":null}"#, "grant.added (pending) [derived] subject"),
    ] {
        let reading = read("okta", &event("group.user_membership.add", &[GROUP, USER], "", outcome));
        let line = &lines(&reading)[0];
        assert!(line.starts_with(expected), "{outcome}: {line}");
        assert_eq!(outcome.contains("INSUFFICIENT"), line.contains("reason=INSUFFICIENT_RIGHTS"));
    }
}

#[test]
fn what_gives_no_facts_is_told_apart() {
    let mapping = |event_type: &str, targets: &[&str]| {
        let reading = read("okta", &event(event_type, targets, "", DONE));
        assert!(reading.facts.is_empty() && reading.values.is_empty());
        reading.mapping
    };
    for known in [
        "policy.evaluate_sign_on",
        "system.org.rate_limit.warning",
        "user.session.end",
        "user.mfa.factor.update",
        "application.user_membership.show_password",
        "access.request.sequence.create",
        "group.user_membership.rule.trigger",
    ] {
        assert_eq!(mapping(known, &[USER]), Mapping::NoFacts, "{known}");
    }
    for unknown in ["brand.new.type", "iam.role.create", "policyx", "user.session.ends"] {
        assert_eq!(mapping(unknown, &[USER]), Mapping::Unmapped, "{unknown}");
    }
    for lacking in [
        "group.user_membership.add",
        "user.account.privilege.grant",
        "system.api_token.create",
        "app.access_request.request",
    ] {
        assert_eq!(mapping(lacking, &[USER]), Mapping::Incomplete, "{lacking}");
    }
}

#[test]
fn a_hooks_envelope_is_opened_and_its_half_empty_events_wait_for_the_log() {
    let readings = read_all("okta", include_str!("fixtures/okta-hook.json"));
    let [half, whole] = readings.as_slice() else { panic!("two events") };
    let (half, whole) = (half.as_ref().unwrap(), whole.as_ref().unwrap());
    assert_eq!(half.event_id, EventId::Native("hook:bbbbbbbb-0000-0000-0000-000000000002".to_owned()));
    assert_eq!((half.mapping, half.facts.len()), (Mapping::Incomplete, 0));
    assert_eq!(half.native_type, "group.user_membership.add");
    assert_eq!(half.stream, "event-hook");
    assert_eq!(whole.event_id, EventId::Native("bbbbbbbb-0000-0000-0000-000000000003".to_owned()));
    assert_eq!(
        lines(whole),
        [
            "account.disabled subject=00u2#<human> actor=00u1admin#<human> {changed= reversible} @2026-03-01T09:31:00Z+0ms"
        ]
    );
}

/// The event as a hook's envelope delivers it.
fn hooked(event: &str) -> Reading {
    let mut readings = read_all("okta", &format!(r#"{{"data":{{"events":[{event}]}}}}"#));
    assert_eq!(readings.len(), 1);
    readings.remove(0).unwrap()
}

#[test]
fn a_hooks_event_that_lacks_anything_is_not_the_logs() {
    let debug = r#""requestUri":"/api/v1/groups/00g1?why=SR-5""#;
    let whole = event("group.user_membership.add", &[GROUP, USER], debug, DONE);
    let (log, same) = (read("okta", &whole), hooked(&whole));
    assert_eq!((same.event_id, &same.facts), (log.event_id, &log.facts), "as complete as the log's, it is the same");
    let actor = r#"{"id":"00u1","type":"User","alternateId":"svc-sync","displayName":"Sync"}"#;
    let targets = format!("[{GROUP},{USER}]");
    let debug_data = format!(r#"{{"debugData":{{{debug}}}}}"#);
    for (part, nothings) in [
        (actor, &["null", r#""""#, "{}", r#"{"id":null,"type":"User","alternateId":"unknown"}"#][..]),
        (&targets, &["null", "[]", "[null]", r#"[{"id":"unknown","type":"User"}]"#]),
        (DONE, &["null", "{}", r#"{"result":null,"reason":"SR-5"}"#]),
        (&debug_data, &["null", "{}", r#"{"debugData":null}"#, r#"{"debugData":{}}"#, r#"{"debugData":{"x":null}}"#]),
        (r#"{"type":"WEB","id":"unknown","detail":{}}"#, &["null", "{}", r#"{"type":null,"id":"Zb2","detail":null}"#]),
        // What facts are made of is there, and not what this type needs: who, and the whole of the targets.
        (&targets, &[USER, GROUP].map(|target| format!("[{target}]")).each_ref().map(String::as_str)),
        (&targets, &[format!("[{GROUP},{USER},{{\"id\":null,\"type\":\"User\"}}]").as_str()]),
    ] {
        assert!(whole.contains(part), "{part}");
        for nothing in nothings {
            let half = hooked(&whole.replace(part, nothing));
            assert_eq!(half.event_id, EventId::Native("hook:e1".to_owned()), "{nothing} for {part}");
            assert_eq!((half.mapping, half.facts.len(), half.values.len()), (Mapping::Incomplete, 0, 0), "{nothing}");
            assert_eq!((half.stream.as_ref(), half.native_type.as_str()), ("event-hook", "group.user_membership.add"));
        }
    }
    for key in ["actor", "target", "outcome", "debugContext", "transaction"] {
        let half = hooked(&whole.replace(&format!("\"{key}\":"), &format!("\"no_{key}\":")));
        assert_eq!(half.event_id, EventId::Native("hook:e1".to_owned()), "no {key}");
        assert_eq!((half.mapping, half.facts.len()), (Mapping::Incomplete, 0), "no {key}");
    }
    let without_targets = event("user.session.start", &[], debug, DONE);
    assert_eq!(read("okta", &without_targets).facts.len(), 1);
    let half = hooked(&without_targets);
    assert_eq!((half.event_id, half.facts.len()), (EventId::Native("hook:e1".to_owned()), 0));
    // The log's own event is itself, whatever it lacks.
    let lacking = read("okta", &event("group.user_membership.add", &[USER], debug, DONE));
    assert_eq!((lacking.event_id, lacking.mapping), (EventId::Native("e1".to_owned()), Mapping::Incomplete));
    let lacking = read("okta", &whole.replace(actor, "null").replace(&debug_data, "null"));
    assert_eq!((lacking.event_id, lacking.facts.len()), (EventId::Native("e1".to_owned()), 1));
    // Without any uuid the content makes the event.
    assert_eq!(hooked(&whole.replace(actor, "null").replace(r#""uuid":"e1","#, "")).event_id, EventId::Content);
}

#[test]
fn times_and_ids_that_are_missing() {
    let without = |from: &str, to: &str| event("user.lifecycle.create", &[USER], "", DONE).replace(from, to);
    let published = r#""published":"2026-03-01T09:30:00.000Z","#;
    assert_eq!(reject("okta", &without(published, "")).reason, RejectReason::TimeMissing);
    let null = without("\"2026-03-01T09:30:00.000Z\"", "null");
    assert_eq!(reject("okta", &null).reason, RejectReason::TimeMissing);
    let zoneless = without("2026-03-01T09:30:00.000Z", "2026-03-01 09:30:00.000");
    assert_eq!(reject("okta", &zoneless).reason, RejectReason::TimeWithoutZone);
    let assumed = read_with("okta", &zoneless, true).remove(0).unwrap();
    assert!(lines(&assumed)[0].ends_with(AT));
    assert_eq!(reject("okta", "7").reason, RejectReason::NotAnEvent);
    let anonymous = read("okta", &without(r#""uuid":"e1","#, ""));
    assert_eq!(anonymous.event_id, EventId::Content);
    let odd = read("okta", &without("\"uuid\":\"e1\"", "\"uuid\":\"a b@c\""));
    assert!(matches!(&odd.event_id, EventId::Native(id) if id.starts_with('~') && id.len() == 33));
    // Keys are read as Okta spells them; another spelling is kept, and not understood.
    let respelt = read("okta", &without("\"eventType\"", "\"eventtype\""));
    assert_eq!((respelt.mapping, respelt.native_type.as_str()), (Mapping::Unmapped, ""));
}

#[test]
fn unknown_is_nothing_and_a_digest_cannot_be_forged() {
    let user = USER.replace("jane@example.com", "unknown");
    let reading = read("okta", &event("user.lifecycle.create", &[&user], "", DONE));
    assert_eq!(reading.facts[0].correlation, None);
    assert!(lines(&reading)[0].contains("subject=00u2<human>"));
    let odd = read("okta", &event("user.lifecycle.create", &[&USER.replace("00u2", "a b")], "", DONE));
    let digest = odd.facts[0].subject.as_ref().unwrap().id.clone();
    let forged = read("okta", &event("user.lifecycle.create", &[&USER.replace("00u2", &digest)], "", DONE));
    assert_ne!(forged.facts[0].subject.as_ref().unwrap().id, digest);
}

#[test]
fn identities_have_their_types() {
    for (login, expected) in [
        ("jane@example.com", "human"),
        ("svc-backup@example.com", "service_account"),
        ("SVC_backup", "service_account"),
        ("service-desk@example.com", "service_account"),
        ("agent-triage", "ai_agent"),
        ("bot-release", "bot"),
        ("agentina@example.com", "human"),
    ] {
        let user = USER.replace("jane@example.com", login);
        let reading = read("okta", &event("user.lifecycle.create", &[&user], "", DONE));
        assert!(lines(&reading)[0].contains(&format!("subject=00u2#<{expected}>")), "{login}");
    }
    for (kind, expected) in [("SystemPrincipal", "<system>"), ("PublicClientApp", "<integration>")] {
        let document = event("user.lifecycle.create", &[USER], "", DONE)
            .replace(r#""id":"00u1","type":"User""#, &format!(r#""id":"00u1","type":"{kind}""#));
        assert!(lines(&read("okta", &document))[0].contains(&format!("actor=00u1{expected}")));
    }
}

#[test]
fn trap_20_hostile_text_reaches_no_record() {
    let user = r#"{"id":"00u2 \u001b[31m","type":"User","alternateId":"=cmd|x\nSR-1","displayName":"<script>"}"#;
    let group = r#"{"id":"00g1\u0000","type":"UserGroup","displayName":"a\r\nb"}"#;
    let reading = read("okta", &event("group.user_membership.add", &[user, group], "", DONE));
    let fact = &reading.facts[0];
    assert!(fact.subject.as_ref().unwrap().id.starts_with('~'));
    assert!(fact.object.as_ref().unwrap().id.starts_with("group_member/~"));
    let text = format!("{fact:?}");
    assert!(!text.contains("script") && !text.contains("cmd"), "{text}");
}

#[test]
fn mentions_of_tickets_stand_between_word_boundaries() {
    let tickets = |reason: &str| {
        let outcome = format!(r#"{{"result":"SUCCESS","reason":"{reason}"}}"#);
        let reading = read("okta", &event("user.lifecycle.create", &[USER], "", &outcome));
        reading.facts[0]
            .correlation
            .as_ref()
            .map_or_else(Vec::new, |correlation| correlation.tickets.iter().map(|ticket| ticket.id.clone()).collect())
    };
    assert_eq!(tickets("SR-1"), ["ticket/1"]);
    assert_eq!(tickets("(SR-12),INC-3.CHN-4"), ["ticket/12", "ticket/3", "change/4"]);
    assert_eq!(tickets("SR-0007 and SR-7"), ["ticket/7"]);
    assert_eq!(tickets("SR-999999999999"), ["ticket/999999999999"]);
    for none in ["SR-", "SR-0", "sr-1", "XSR-1", "SR-1x", "SR-1_", "_SR-1", "SR-1234567890123", "éSR-1", "PSR 1"] {
        assert!(tickets(none).is_empty(), "{none}");
    }
    let many: Vec<String> = (1..40).map(|number| format!("SR-{number}")).collect();
    assert_eq!(tickets(&many.join(" ")).len(), 16);
}

#[test]
fn trap_17_objects_of_the_api_are_versions_of_resources() {
    let check = |document: &str, event_id: &str, expected: &[&str]| {
        let reading = read("okta", document);
        assert_eq!(reading.event_id, EventId::Version(event_id.to_owned()));
        assert_eq!(lines(&reading), expected, "{document}");
        assert_eq!(reading.stream, "api");
    };
    let user = |status: &str| {
        format!(
            r#"{{"id":"00u2","status":"{status}","created":"2025-01-01T00:00:00.000Z","statusChanged":"2025-02-01T00:00:00.000Z","lastUpdated":"2025-03-01T00:00:00.000Z","profile":{{"login":"jane@example.com","email":"jane@example.com","firstName":"Jane","lastName":"Doe"}},"credentials":{{"password":{{}}}}}}"#
        )
    };
    let item = "snapshot.item [snapshot] subject=00u2#<human> {not_a_listing} @2025-03-01T00:00:00Z+0ms";
    for (status, facts) in [
        ("ACTIVE", "account.enabled [snapshot] subject=00u2#<human> @2025-02-01T00:00:00Z+0ms"),
        ("DEPROVISIONED", "account.disabled [snapshot] subject=00u2#<human> @2025-02-01T00:00:00Z+0ms"),
        (
            "SUSPENDED",
            "account.disabled [snapshot] subject=00u2#<human> {changed= reversible} @2025-02-01T00:00:00Z+0ms",
        ),
    ] {
        check(&user(status), "user/00u2/2025-03-01T00:00:00Z", &[item, facts]);
    }
    check(&user("STAGED"), "user/00u2/2025-03-01T00:00:00Z", &[item]);
    check(
        r#"{"id":"00g1","lastUpdated":"2025-03-01T00:00:00.000Z","objectClass":["okta:user_group"],"type":"OKTA_GROUP","profile":{"name":"Prod Deployers"}}"#,
        "group/00g1/2025-03-01T00:00:00Z",
        &["entitlement.defined [snapshot] object=group_member/00g1# @2025-03-01T00:00:00Z+0ms"],
    );
    let role = |assignee: &str| {
        format!(
            r#"{{"id":"JB1","label":"Help Desk Administrator","type":"HELP_DESK_ADMIN","status":"ACTIVE","lastUpdated":"2025-03-01T00:00:00.000Z","assignmentType":"USER","_links":{{"assignee":{{"href":"http://example.okta.com/api/v1/{assignee}"}}}}}}"#
        )
    };
    check(
        &role("users/00u2"),
        "role/JB1/2025-03-01T00:00:00Z",
        &[
            "snapshot.item [snapshot] subject=00u2 object=role/HELP_DESK_ADMIN# {not_a_listing} @2025-03-01T00:00:00Z+0ms",
        ],
    );
    check(
        &role("groups/00g1"),
        "role/JB1/2025-03-01T00:00:00Z",
        &[
            "entitlement.changed [snapshot] object=group_member/00g1 {+role/HELP_DESK_ADMIN# -} @2025-03-01T00:00:00Z+0ms",
        ],
    );
    check(
        r#"{"id":"00u2","scope":"USER","status":"PROVISIONED","lastUpdated":"2025-03-01T00:00:00.000Z","syncState":"SYNCHRONIZED","credentials":{"userName":"jane"},"_links":{"app":{"href":"https://e.okta.com/api/v1/apps/0oa1"},"user":{"href":"https://e.okta.com/api/v1/users/00u2"}}}"#,
        "app_user/00u2/2025-03-01T00:00:00Z",
        &["snapshot.item [snapshot] subject=00u2 object=app_assignment/0oa1 {not_a_listing} @2025-03-01T00:00:00Z+0ms"],
    );
    assert!(read_all("okta", "[]").is_empty());
    assert_eq!(read("okta", "{}").mapping, Mapping::NoFacts);
    assert_eq!(read("okta", r#"{"factorResult":"WAITING"}"#).mapping, Mapping::Unmapped);
}
