//! The Freshservice connector: tickets, approvals, people and groups, in every wrapping they come in.
//!
//! Traps of the mapping that apply here: 1 (times and days), 2 and the enums that are numbers, names or both, 3 (absence),
//! 6 (one event, many facts), 9 (versions), 10 (late versions), 17 (resources without events), 20 (hostile text).

#![allow(clippy::unwrap_used)] // A test stops where it fails.

#[path = "fixtures/support.rs"]
mod support;

use counterfoil_ingest::connectors::EventId;
use counterfoil_proto::v1::{Confidence, Decision, Fact, FactKind, Mapping, RejectReason, TicketStatus, fact::Detail};
use support::{lines, read, read_all, read_in, reject, values};

fn version(id: &str) -> EventId {
    EventId::Version(id.to_owned())
}

fn check(document: &str, expected: &[&str]) {
    assert_eq!(lines(&read("freshservice", document)), expected, "{document}");
}

#[test]
fn a_later_version_of_a_ticket_says_when_it_was_opened_and_what_it_asks_for_now() {
    let reading = read("freshservice", include_str!("fixtures/freshservice-ticket.json"));
    let now = "service_request pending requester=21000400001 assignee=21000500001 \
               add:okta:group_member target=okta:default:group_member/00g1 until=2026-06-30T23:59:59Z+0ns~day \
               add:okta:account until=2026-06-30T23:59:59Z+0ns~day \
               add:okta:app_assignment target=okta:emea:# until=2026-06-30T23:59:59Z+0ns~day \
               add:freshservice:role target=role/21000001 until=2026-06-30T23:59:59Z+0ns~day \
               add:okta:group_member target=okta:default:group_member/~DIGEST until=2026-06-30T23:59:59Z+0ns~day \
               decision=approved +subject +justification +rollback_plan";
    let mut facts = lines(&reading);
    // An id that is not opaque stands there by its keyed digest.
    let digest = facts[1].split_once("group_member/~").unwrap().1[..32].to_owned();
    facts[1] = facts[1].replace(&digest, "DIGEST");
    assert_eq!(
        facts,
        [
            "ticket.opened [derived] subject=21000400002 object=ticket/1042 actor=21000400001 \
             {service_request open requester=21000400001 +subject} @2026-02-27T09:00:00Z"
                .to_owned(),
            format!("ticket.updated subject=21000400002 object=ticket/1042 {{{now}}} @2026-03-01T08:00:00Z"),
        ]
    );
    assert_eq!(reading.event_id, version("ticket/1042/2026-03-01T08:00:00Z"));
    assert_eq!((reading.stream.as_ref(), reading.native_type.as_str()), ("tickets", "ticket"));
    assert_eq!(
        values(&reading, "ticket:freshservice:default:ticket/1042"),
        [
            "justification=Joins the deploy rota",
            "rollback_plan=Remove from the group",
            "subject=Access for Jane Doe",
            "unread.access_items=nonsense",
        ]
    );
    let text = format!("{:?}", reading.facts);
    assert!(!text.contains("Payroll") && !text.contains("Jane") && !text.contains("rota"));
}

fn ticket(rest: &str) -> String {
    format!(
        r#"{{"id":7,"requester_id":1,"requested_for_id":2,"subject":"x","type":"Incident","created_at":"2026-03-01T08:00:00Z"{rest}}}"#
    )
}

#[test]
fn versions_and_states() {
    let opened = "ticket.opened subject=2 object=ticket/7";
    check(
        &ticket(r#","updated_at":"2026-03-01T08:00:00Z","status":2"#),
        &[&format!("{opened} {{incident open requester=1 +subject}} @2026-03-01T08:00:00Z")],
    );
    // Closed as soon as opened.
    check(
        &ticket(r#","updated_at":"2026-03-01T08:00:00Z","status":5"#),
        &[
            &format!("{opened} {{incident closed requester=1 +subject}} @2026-03-01T08:00:00Z"),
            "ticket.closed subject=2 object=ticket/7 {incident closed requester=1 +subject} @2026-03-01T08:00:00Z",
        ],
    );
    let later = |status: &str| {
        let reading = read("freshservice", &ticket(&format!(r#","updated_at":"2026-03-02T08:00:00Z",{status}"#)));
        lines(&reading)[1].split(" requester").next().unwrap().to_owned()
    };
    for (status, expected) in [
        (r#""status":4"#, "ticket.closed subject=2 object=ticket/7 {incident resolved"),
        (r#""status":4.0"#, "ticket.closed subject=2 object=ticket/7 {incident resolved"),
        (r#""status":"Resolved""#, "ticket.closed subject=2 object=ticket/7 {incident resolved"),
        (r#""status":{"id":5,"name":"Closed"}"#, "ticket.closed subject=2 object=ticket/7 {incident closed"),
        (r#""status":3"#, "ticket.updated subject=2 object=ticket/7 {incident pending"),
        (r#""status":17"#, "ticket.updated subject=2 object=ticket/7 {incident custom"),
        (r#""status":null"#, "ticket.updated subject=2 object=ticket/7 {incident unspecified"),
        (r#""status":2,"deleted":true"#, "ticket.cancelled subject=2 object=ticket/7 {incident cancelled"),
    ] {
        assert_eq!(later(status), expected, "{status}");
    }
}

#[test]
fn trap_2_the_decision_is_a_number_a_name_or_both() {
    let decision = |approval: &str| {
        let document = ticket(&format!(r#","updated_at":"2026-03-01T08:00:00Z",{approval}"#));
        let line = lines(&read("freshservice", &document)).remove(0);
        line.split_once("decision=").map(|(_, rest)| rest.split(' ').next().unwrap().to_owned()).unwrap_or_default()
    };
    for (approval, expected) in [
        (r#""approval_status":0"#, "requested"),
        (r#""approval_status":1"#, "approved"),
        (r#""approval_status":"2""#, "rejected"),
        (r#""approval_status":{"id":3,"name":"cancelled"}"#, "cancelled"),
        (r#""approval_status":"Not Requested""#, "not_requested"),
        (r#""approval_status":"peer_responded""#, "peer_responded"),
        (r#""approval_status":null,"approval_status_name":"Approved""#, "approved"),
        (r#""approval_status":9"#, ""),
        (r#""approval_status":null"#, ""),
    ] {
        assert_eq!(decision(approval), expected, "{approval}");
    }
}

#[test]
fn a_beneficiary_that_nobody_names_is_left_open() {
    let document = ticket(r#","updated_at":"2026-03-01T08:00:00Z""#)
        .replace(r#""requested_for_id":2"#, r#""requested_for_id":null"#);
    check(
        &document,
        &["ticket.opened object=ticket/7 {incident unspecified requester=1 +subject} @2026-03-01T08:00:00Z"],
    );
}

#[test]
fn what_people_typed_wrongly_does_not_stop_a_ticket() {
    let document = ticket(
        r#","updated_at":"2026-03-01T08:00:00Z","custom_fields":{"access_items":["okta/group_member/00g1","okta/car"],"access_operation":"Remove","access_until":"next Friday"}"#,
    );
    let reading = read("freshservice", &document);
    assert_eq!(
        lines(&reading),
        [
            "ticket.opened subject=2 object=ticket/7 {incident unspecified requester=1 remove:okta:group_member target=okta:default:group_member/00g1 +subject} @2026-03-01T08:00:00Z"
        ]
    );
    assert_eq!(
        values(&reading, "ticket:freshservice:default:ticket/7"),
        ["subject=x", "unread.access_items=okta/car", "unread.access_until=next Friday"]
    );
    // Beyond the limit items are kept as text: one fact must fit one record.
    let many: Vec<String> = (0..150).map(|n| format!("okta/group_member/{n}")).collect();
    let document = ticket(&format!(
        r#","updated_at":"2026-03-01T08:00:00Z","custom_fields":{{"access_items":"{}"}}"#,
        many.join(",")
    ));
    let reading = read("freshservice", &document);
    assert_eq!(lines(&reading)[0].matches(" add:").count(), 100);
    assert_eq!(values(&reading, "ticket:freshservice:default:ticket/7").len(), 51);
}

#[test]
fn changes() {
    check(
        r#"{"change":{"id":17,"requester_id":1,"agent_id":5,"status":3,"change_type":4,"approval_status":0,"planned_start_date":"2026-03-02T07:00:00Z","planned_end_date":"2026-03-02T09:00:00+0100","subject":"x","planning_fields":{"backout_plan":{"description_text":"undo"}},"created_at":"2026-03-01T08:00:00Z","updated_at":"2026-03-01T08:00:00Z"}}"#,
        &[
            "ticket.opened object=change/17 {change pending requester=1 assignee=5 window=2026-03-02T07:00:00Z..2026-03-02T08:00:00Z decision=requested +subject +rollback_plan} @2026-03-01T08:00:00Z",
        ],
    );
    let reading = read(
        "freshservice",
        r#"{"id":17,"change_type":1,"status":6,"created_at":"2026-03-01T08:00:00Z","updated_at":"2026-03-03T08:00:00Z"}"#,
    );
    assert!(lines(&reading)[1].starts_with("ticket.closed object=change/17 {change closed"));
    assert_eq!(reading.event_id, version("change/17/2026-03-03T08:00:00Z"));
}

fn approval(status: &str, rest: &str) -> String {
    format!(
        r#"{{"id":31,"created_at":"2026-03-01T08:00:00Z","updated_at":"2026-03-01T09:00:00Z","approver_id":5,"approver_name":"Olga Ops","approval_type":2,"user_id":1,"user_name":"Ada","level":2,"approval_status":{status},"delegatee":null,"latest_remark":null{rest}}}"#
    )
}

#[test]
fn approvals() {
    let row = |decision: &str| format!("{{31 level=2 any approver=5 asked_by=1 decision={decision}}}");
    let check = |status: &str, kind: &str, actor: &str, decision: &str, at: &str| {
        let document = format!(r#"{{"ticket_id":1042,"approvals":[{}]}}"#, approval(status, ""));
        let expected = format!("approval.{kind} object=ticket/1042{actor} {} @2026-03-01T{at}:00:00Z", row(decision));
        check(&document, &[&expected]);
    };
    check(r#"{"id":0,"name":"requested"}"#, "requested", " actor=1", "requested", "08");
    check("1", "granted", " actor=5", "approved", "09");
    check(r#""Rejected""#, "rejected", " actor=5", "rejected", "09");
    check("3", "cancelled", "", "cancelled", "09");
    check("4", "requested", " actor=1", "not_requested", "08");
    check(r#"{"id":5,"name":"peer responded"}"#, "cancelled", "", "peer_responded", "09");
}

#[test]
fn approvals_find_their_ticket_or_stay_unresolved() {
    let object = |document: &str| {
        let reading = read("freshservice", document);
        let object = reading.facts[0].object.clone();
        object.map(|object| object.id).unwrap_or_default()
    };
    let row = approval("1", "");
    assert_eq!(object(&format!(r#"{{"ticket_id":1042,"approvals":[{row}]}}"#)), "ticket/1042");
    assert_eq!(object(&format!(r#"{{"change_id":"17","approvals":[{row}]}}"#)), "change/17");
    assert_eq!(object(&approval("1", r#","change_id":17"#)), "change/17");
    assert_eq!(object(&format!(r#"{{"approvals":[{row}]}}"#)), "");
    assert_eq!(object(&row), "");
    assert_eq!(object(&format!("[{row}]")), "");
    let reading =
        read("freshservice", &approval("1", "").replace("\"latest_remark\":null", "\"latest_remark\":\"fine, Jane\""));
    assert_eq!(values(&reading, "account:freshservice:default:5"), ["display_name=Olga Ops", "remark=fine, Jane"]);
    assert_eq!(reading.event_id, version("approval/31/2026-03-01T09:00:00Z"));
    // Delegated: who was to decide instead is named, the decision stays the approver's row.
    let delegated = approval("0", "").replace("\"delegatee\":null", "\"delegatee\":{\"id\":6,\"name\":\"Max\"}");
    assert_eq!(
        lines(&read("freshservice", &delegated)),
        [
            "approval.delegated actor=5 {31 level=2 any approver=5 asked_by=1 delegate=6 decision=requested} @2026-03-01T09:00:00Z"
        ]
    );
    let unknown = read("freshservice", &approval("99", ""));
    assert_eq!(unknown.mapping, Mapping::Incomplete);
    let rules = ["all", "any", "majority", "first"];
    for (number, rule) in (1..).zip(rules) {
        let document = approval("1", "").replace("\"approval_type\":2", &format!("\"approval_type\":{number}"));
        assert!(lines(&read("freshservice", &document))[0].contains(&format!("level=2 {rule} ")));
    }
}

#[test]
fn an_agent_is_an_account_and_all_it_holds() {
    let readings = read_all("freshservice", include_str!("fixtures/freshservice-agent.json"));
    let [agent, day_pass] = readings.as_slice() else { panic!("two agents") };
    let (agent, day_pass) = (agent.as_ref().unwrap(), day_pass.as_ref().unwrap());
    let item = |rest: &str| {
        format!("snapshot.item [snapshot] subject=21000500001#{rest} {{not_a_listing}} @2026-02-20T10:48:16Z")
    };
    assert_eq!(
        lines(agent),
        [
            item(""),
            item(" object=role/21000001 scope=entire_helpdesk"),
            item(" object=role/21000002 scope=specified_groups"),
            item(" object=group_member/21000700001"),
            item(" object=group_member/21000700002 scope=observer"),
            item(" object=license/full"),
            "account.enabled [snapshot] subject=21000500001# {changed= department=21000300001 manager=21000500009} @2026-02-20T10:48:16Z".to_owned(),
        ]
    );
    assert_eq!(
        values(agent, "account:freshservice:default:21000500001"),
        [
            "display_name=Olga Ops",
            "email=Olga.Ops@example.com",
            "first_name=Olga",
            "job_title=Operator",
            "last_name=Ops"
        ]
    );
    assert_eq!(agent.event_id, version("agent/21000500001/2026-02-20T10:48:16Z"));
    let facts = lines(day_pass);
    assert_eq!(facts.len(), 4);
    assert!(facts[1].contains("object=role/21000003 {"));
    assert!(facts[2].contains("object=license/day_pass"));
    assert!(facts[3].starts_with("account.disabled [snapshot]"));
}

#[test]
fn who_is_neither_active_nor_occasional_takes_no_licence() {
    let agent = |rest: &str| {
        let document = format!(r#"{{"agent":{{"id":5,"updated_at":"2026-02-20T10:48:16Z",{rest}}}}}"#);
        lines(&read("freshservice", &document)).join("\n")
    };
    assert!(!agent(r#""active":false,"occasional":false"#).contains("license/"));
    assert!(agent(r#""active":true"#).contains("license/full"));
    assert!(agent(r#""active":true,"occasional":true"#).contains("license/day_pass"));
}

#[test]
fn what_an_item_leaves_out_is_the_default_tenant_or_the_tickets_own() {
    let document = ticket(
        r#","updated_at":"2026-03-01T08:00:00Z","custom_fields":{"access_items":"freshservice/role/1, freshservice@default/role/2, okta/role/3"}"#,
    );
    let reading = read_in("emea", "freshservice", &document, false).remove(0).unwrap();
    let line = &lines(&reading)[0];
    for target in ["target=role/1 ", "target=freshservice:default:role/2 ", "target=okta:default:role/3 "] {
        assert!(line.contains(target), "{line}");
    }
}

#[test]
fn groups_roles_requesters_and_the_rest() {
    check(
        r#"{"groups":[{"id":70,"name":"Ops","updated_at":"2026-02-20T10:48:16Z","members":[5,6],"observers":[7],"leaders":[5],"members_pending_approval":[8],"agent_ids":[5,6],"restricted":true}]}"#,
        &[
            "entitlement.defined [snapshot] object=group_member/70# @2026-02-20T10:48:16Z",
            "snapshot.item [snapshot] subject=5 object=group_member/70 {not_a_listing} @2026-02-20T10:48:16Z",
            "snapshot.item [snapshot] subject=6 object=group_member/70 {not_a_listing} @2026-02-20T10:48:16Z",
            "snapshot.item [snapshot] subject=7 object=group_member/70 scope=observer {not_a_listing} @2026-02-20T10:48:16Z",
            "snapshot.item [snapshot] subject=5 object=group_owner/70 {not_a_listing} @2026-02-20T10:48:16Z",
        ],
    );
    check(
        r#"{"requester_groups":[{"id":71,"name":"Staff","updated_at":"2026-02-20T10:48:16Z"}]}"#,
        &["entitlement.defined [snapshot] object=group_member/71# @2026-02-20T10:48:16Z"],
    );
    check(
        r#"{"roles":[{"id":21000001,"name":"Account Admin","created_at":"2026-02-20T10:48:16Z"}]}"#,
        &["entitlement.defined [snapshot] object=role/21000001# @2026-02-20T10:48:16Z"],
    );
    // A role without any time is seen when it is received.
    let undated = read("freshservice", r#"{"roles":[{"id":21000001,"name":"Account Admin"}]}"#);
    assert_eq!(
        lines(&undated),
        ["entitlement.defined [snapshot] object=role/21000001# @2026-05-01T00:00:00Z+0ns~received"]
    );
    assert_eq!(undated.event_id, EventId::Content);
    check(
        r#"{"requesters":[{"id":9,"primary_email":"jane@example.com","secondary_emails":["j@example.com",""],"first_name":"Jane","last_name":"Doe","active":true,"is_agent":false,"department_ids":[3],"reporting_manager_id":5,"has_logged_in":true,"updated_at":"2026-02-20T10:48:16Z"}]}"#,
        &[
            "snapshot.item [snapshot] subject=9## {not_a_listing} @2026-02-20T10:48:16Z",
            "account.enabled [snapshot] subject=9## {changed= department=3 manager=5} @2026-02-20T10:48:16Z",
        ],
    );
    for (document, stream) in [
        (r#"{"departments":[{"id":3,"name":"Ops","updated_at":"2026-02-20T10:48:16Z"}]}"#, "departments"),
        (r#"{"task":{"id":1,"title":"x","status":1,"updated_at":"2026-02-20T10:48:16Z"}}"#, "tasks"),
    ] {
        let reading = read("freshservice", document);
        assert_eq!((reading.mapping, reading.stream.as_ref()), (Mapping::NoFacts, stream));
        assert!(matches!(reading.event_id, EventId::Version(_)));
    }
    assert!(read_all("freshservice", r#"{"tickets":[]}"#).is_empty());
    for unknown in [
        r#"{"asset":{"id":1,"name":"Laptop","created_at":"2026-03-01T09:00:00Z"}}"#,
        r#"{"assets":[{"id":1,"updated_at":"2026-03-01T09:00:00Z"}],"meta":{}}"#,
        r#"{"id":1,"name":"Laptop","workspace_id":2}"#,
    ] {
        assert_eq!(read("freshservice", unknown).mapping, Mapping::Unmapped, "{unknown}");
    }
    assert_eq!(read("freshservice", "{}").mapping, Mapping::NoFacts);
    assert_eq!(reject("freshservice", "5").reason, RejectReason::NotAnEvent);
}

#[test]
fn an_onboarding_is_a_joiner_and_a_ticket() {
    let document = r#"{"onboarding_request":{"id":1,"created_at":"2026-03-01T15:55:19Z","updated_at":"2026-03-01T15:55:19Z","status":3,"requester_id":21,"subject":"Employee Onboarding Request","ticket_id":192,"actors":{"Employee":null},"fields":{"cf_employee_name":"John Smith","cf_job_title":"Analyst I","cf_date_of_joining":"25-03-2026","cf_department":21000097763,"cf_location":21000159890}}}"#;
    let reading = read("freshservice", document);
    assert_eq!(
        lines(&reading),
        [
            "lifecycle.joiner subject=onboarding/1<human> object=onboarding/1 actor=21 ticket=ticket/192 {effective=2026-03-25T00:00:00Z+0ns~day department=21000097763} @2026-03-01T15:55:19Z",
            "ticket.opened subject=onboarding/1<human> object=onboarding/1 actor=21 ticket=ticket/192 {onboarding unspecified requester=21 +subject} @2026-03-01T15:55:19Z",
        ]
    );
    assert_eq!(
        values(&reading, "person:freshservice:default:onboarding/1"),
        ["display_name=John Smith", "job_title=Analyst I"]
    );
    assert_eq!(reading.event_id, version("onboarding_request/1/2026-03-01T15:55:19Z"));
    let later = read(
        "freshservice",
        &document
            .replace("25-03-2026", "03/25/2026")
            .replace("\"updated_at\":\"2026-03-01T15", "\"updated_at\":\"2026-03-02T15"),
    );
    let facts = lines(&later);
    assert!(facts[0].contains("{effective=none department=21000097763} @2026-03-02"), "{}", facts[0]);
    assert!(facts[1].starts_with("ticket.opened [derived]") && facts[2].starts_with("ticket.updated"));
    assert!(
        values(&later, "ticket:freshservice:default:onboarding/1")
            .contains(&"unread.cf_date_of_joining=03/25/2026".to_owned())
    );
}

#[test]
fn app_events_name_their_actor() {
    let inner = ticket(r#","updated_at":"2026-03-02T08:00:00Z","status":2"#);
    let people = r#""actor":{"id":5,"email":"olga@example.com","name":"Olga Ops"},"requester":{"id":1,"email":"ada@example.com","name":"Ada"}"#;
    let expected =
        "ticket.updated subject=2 object=ticket/7 actor=5# {incident open requester=1# +subject} @2026-03-02T08:00:00Z";
    for (document, native_type) in [
        (format!(r#"{{"event":"onTicketUpdate",{people},"ticket":{inner}}}"#), "onTicketUpdate"),
        (format!(r#"{{{people},"ticket":{inner}}}"#), "ticket"),
        (format!(r#"{{"event":"onTicketUpdate","data":{{{people},"ticket":{inner}}}}}"#), "onTicketUpdate"),
    ] {
        let reading = read("freshservice", &document);
        let facts = lines(&reading);
        if document.contains("\"data\"") {
            // Under "data" the requester's address is not looked for.
            assert!(facts[1].starts_with("ticket.updated subject=2 object=ticket/7 actor=5#"));
        } else {
            assert_eq!(facts[1], expected);
        }
        assert_eq!(reading.native_type, native_type);
        assert_eq!(reading.event_id, version("ticket/7/2026-03-02T08:00:00Z"));
    }
}

#[test]
fn a_webhooks_body_is_read_through_the_field_map() {
    let reading = read(
        "freshservice",
        r#"{"freshservice_webhook":{"ticket_id":"SR-1042","ticket_subject":"Access","ticket_status":"Pending","ticket_approval_status":"Approved","ticket_requester_email":"ada@example.com","requested_for_email":"jane@example.com","access_items":"okta/group_member/00g1"}}"#,
    );
    assert_eq!(
        lines(&reading),
        [
            "ticket.updated subject=# object=ticket/1042 {service_request pending requester=# add:okta:group_member target=okta:default:group_member/00g1 decision=approved +subject} @2026-05-01T00:00:00Z+0ns~received"
        ]
    );
    assert_eq!((reading.event_id.clone(), reading.stream.as_ref()), (EventId::Content, "webhook"));
    let dated = read(
        "freshservice",
        r#"{"freshdesk_webhook":{"ticket_id":17,"ticket_status":"Closed","ticket_updated_at":"2026-03-02T08:00:00Z","ticket_created_at":"2026-03-01T08:00:00Z","requester_email":"N/A"}}"#,
    );
    assert_eq!(
        lines(&dated),
        [
            "ticket.opened [derived] object=ticket/17 {service_request open} @2026-03-01T08:00:00Z",
            "ticket.closed object=ticket/17 {service_request closed} @2026-03-02T08:00:00Z",
        ]
    );
    assert_eq!(dated.event_id, version("ticket/17/2026-03-02T08:00:00Z"));
    let change = read("freshservice", r##"{"freshservice_webhook":{"ticket_id":"#CHN-17"}}"##);
    assert!(lines(&change)[0].contains("object=change/17 {change "));
    let nothing = read("freshservice", r#"{"freshservice_webhook":{"hello":"x"}}"#);
    assert_eq!(nothing.mapping, Mapping::Incomplete);
}

#[test]
fn a_ticket_without_a_time_is_refused() {
    let undated = r#"{"ticket":{"id":7,"requester_id":1,"status":2}}"#;
    assert_eq!(reject("freshservice", undated).reason, RejectReason::TimeMissing);
    let zoneless = r#"{"ticket":{"id":7,"requester_id":1,"status":2,"updated_at":"2026-03-01 08:00:00"}}"#;
    assert_eq!(reject("freshservice", zoneless).reason, RejectReason::TimeWithoutZone);
}

/// Only the first version is what was opened: updated when it was created. Any other tells no more than when that was.
#[test]
fn what_was_opened_is_explicit_in_the_first_version_alone() {
    const FIRST: &str = r#""created_at":"2026-03-01T08:00:00Z","updated_at":"2026-03-01T08:00:00Z""#;
    const SAME: &str = r#""created_at":"2026-03-01T08:00:00Z","updated_at":"2026-03-01T09:00:00+01:00""#;
    const LATER: &str = r#""created_at":"2026-03-01T08:00:00Z","updated_at":"2026-03-01T08:00:01Z""#;
    const EARLIER: &str = r#""created_at":"2026-03-01T08:00:00Z","updated_at":"2026-03-01T07:00:00Z""#;
    const UNDATED: &str = r#""created_at":"2026-03-01T08:00:00Z","updated_at":null"#;
    const UNOPENED: &str = r#""updated_at":"2026-03-01T08:00:00Z""#;
    let documents: [fn(&str) -> String; 4] = [
        |times| format!(r#"{{"ticket":{{"id":7,"requester_id":1,"status":3,"approval_status":1,{times}}}}}"#),
        |times| format!(r#"{{"change":{{"id":7,"requester_id":1,"status":3,"approval_status":1,{times}}}}}"#),
        |times| format!(r#"{{"onboarding_request":{{"id":7,"requester_id":1,"fields":{{}},{times}}}}}"#),
        |times| format!(r#"{{"freshservice_webhook":{{"ticket_id":"SR-7","status":3,"approval_status":1,{times}}}}}"#),
    ];
    for document in documents {
        let facts = |times: &str| {
            let mut facts = read("freshservice", &document(times)).facts;
            facts.retain(|fact| fact.kind() != FactKind::LifecycleJoiner);
            facts
        };
        for times in [FIRST, SAME] {
            let facts = facts(times);
            assert_eq!(facts.len(), 1, "{}", document(times));
            assert_eq!((facts[0].kind(), facts[0].confidence()), (FactKind::TicketOpened, Confidence::Explicit));
        }
        for times in [LATER, EARLIER, UNDATED] {
            let facts = facts(times);
            let kinds: Vec<_> = facts.iter().map(|fact| (fact.kind(), fact.confidence())).collect();
            let expected =
                [(FactKind::TicketOpened, Confidence::Derived), (FactKind::TicketUpdated, Confidence::Explicit)];
            assert_eq!(kinds, expected, "{}", document(times));
            assert_eq!(support::moment(facts[0].occurred_at.as_ref()), "2026-03-01T08:00:00Z");
            let Some(Detail::Ticket(opened)) = &facts[0].detail else { panic!("a ticket's detail") };
            assert_eq!((opened.status(), opened.source_decision()), (TicketStatus::Open, Decision::Unspecified));
        }
        // Nobody says when it was opened.
        assert_eq!(facts(UNOPENED).iter().map(Fact::kind).collect::<Vec<_>>(), [FactKind::TicketUpdated]);
    }
}

/// When a ticket was created tells nothing of when it came to the status, or to the decision, that it is delivered with.
#[test]
fn what_has_no_time_of_its_version_is_dated_by_its_receipt() {
    const RECEIVED: &str = "@2026-05-01T00:00:00Z+0ns~received";
    for body in [
        r#"{"freshservice_webhook":{"ticket_id":"SR-7","ticket_status":"Closed","ticket_approval_status":"Approved","ticket_created_at":"2026-03-01T08:00:00Z"}}"#,
        r#"{"ticket":{"id":7,"type":"Request","status":5,"approval_status":1,"created_at":"2026-03-01T08:00:00Z"}}"#,
    ] {
        let reading = read("freshservice", body);
        assert_eq!(
            lines(&reading),
            [
                "ticket.opened [derived] object=ticket/7 {service_request open} @2026-03-01T08:00:00Z".to_owned(),
                format!("ticket.closed object=ticket/7 {{service_request closed decision=approved}} {RECEIVED}"),
            ],
            "{body}"
        );
        assert_eq!(reading.event_id, EventId::Content);
    }
    let undated = |status: &str| {
        let row = approval(status, "").replace(r#""updated_at":"2026-03-01T09:00:00Z","#, "");
        let reading = read("freshservice", &row);
        assert_eq!(reading.event_id, EventId::Content, "{row}");
        lines(&reading).first().map(|line| line.rsplit(' ').next().unwrap().to_owned()).unwrap_or_default()
    };
    for status in ["1", "2", "3", "5"] {
        assert_eq!(undated(status), RECEIVED, "{status}");
    }
    for status in ["0", "4"] {
        assert_eq!(undated(status), "@2026-03-01T08:00:00Z", "a row is asked for when it is created");
    }
    assert_eq!(undated("99"), "");
    let joiner = r#"{"onboarding_request":{"id":1,"created_at":"2026-03-01T15:55:19Z","fields":{"cf_department":3}}}"#;
    assert!(lines(&read("freshservice", joiner))[0].ends_with(RECEIVED));
    let timeless = r#"{"approvals":[{"id":31,"approver_id":5,"approval_status":1}]}"#;
    assert_eq!(reject("freshservice", timeless).reason, RejectReason::TimeMissing);
}

#[test]
fn trap_20_hostile_ids_and_texts_reach_no_record() {
    let reading = read(
        "freshservice",
        r#"{"ticket":{"id":"7\u001b[2J","requester_id":"a@b.c","requested_for_id":"../x y","subject":"=1+1|calc","type":"Incident","created_at":"2026-03-01T08:00:00Z","updated_at":"2026-03-01T08:00:00Z"}}"#,
    );
    let text = format!("{:?}", reading.facts);
    assert!(!text.contains("calc") && !text.contains("a@b") && !text.contains("[2J"), "{text}");
    assert!(reading.facts[0].object.as_ref().unwrap().id.starts_with("ticket/~"));
}
