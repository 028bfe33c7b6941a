//! The shapes of Freshservice: tickets and their versions, approval rows, people, groups, departments, changes and
//! onboarding requests. Owns every key of those payloads. Keys stand in alphabetical order, as in [`crate::okta`].

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde_json::{Map, Value, json};

use crate::approvals::{Answer, Approval, Ending};
use crate::calendar::{day_of, days, freshservice_time, hours};
use crate::case::{Case, CaseIndex, Operation};
use crate::chronicle::Chronicle;
use crate::company::{Company, Department, Identity, IdentityIndex, Nature};
use crate::names::CHANGES;

const SERVICE_DESK: u64 = 21_000_200_001;
const IDENTITY_TEAM: u64 = 21_000_200_012;
const AGENT_ROLE: u64 = 21_000_100_003;

/// Status and approval status, with its name, of a ticket version.
type Stage = (u8, u8, &'static str);

/// The versions of a ticket, each with the time of its update: opened, decided, resolved, closed.
pub(crate) fn ticket_versions(chronicle: &Chronicle, case: &Case) -> Vec<(Timestamp, Value)> {
    let approved: Stage = (3, 1, "Approved");
    let mut stages: Vec<(Timestamp, Stage)> = Vec::new();
    if case.items.is_empty() {
        stages.push((case.opened_at, (2, 4, "Not Requested")));
    } else {
        stages.push((case.opened_at, (2, 0, "Requested")));
    }
    let last: Stage = match (case.ending, case.course.decided_at) {
        (Ending::Approved, Some(at)) => {
            stages.push((at, approved));
            approved
        }
        (Ending::Rejected, Some(at)) => {
            stages.push((at, (2, 2, "Rejected")));
            (2, 2, "Rejected")
        }
        _ => stages[0].1,
    };
    if let Some(at) = case.resolved_at() {
        let status = if case.ending == Ending::Rejected { 5 } else { 4 };
        stages.push((at, (status, last.1, last.2)));
    }
    if let Some(at) = case.closed_at() {
        stages.push((at, (5, last.1, last.2)));
    }
    stages
        .into_iter()
        .map(|(at, stage)| (at, json!({ "ticket": ticket(&chronicle.company, case, at, stage) })))
        .collect()
}

fn ticket(company: &Company, case: &Case, updated_at: Timestamp, (status, approval, approval_name): Stage) -> Value {
    let incident = case.items.is_empty();
    let items: Vec<_> = case.items.iter().map(|item| asked_for(case, company.item(*item))).collect();
    let operation = if case.operation == Operation::Add { "add" } else { "remove" };
    let unless_incident = |value: Value| if incident { Value::Null } else { value };
    let beneficiary = company.of(case.beneficiary);
    let group = if incident { SERVICE_DESK } else { IDENTITY_TEAM };
    json!({
        "approval_status": approval,
        "approval_status_name": approval_name,
        "attachments": [],
        "category": if incident { "Hardware" } else { "Access" },
        "cc_emails": [],
        "created_at": freshservice_time(case.opened_at),
        "custom_fields": {
            "access_from": case.from.map(freshservice_time),
            "access_items": unless_incident(items.join(",").into()),
            "access_operation": unless_incident(operation.into()),
            "access_until": case.until.map(freshservice_time),
            "justification": unless_incident(case.justification.into())
        },
        "deleted": false,
        "department_id": company.departments[beneficiary.department].id,
        "description": format!("<div>{}</div>", case.justification),
        "description_text": case.justification,
        "due_by": freshservice_time(case.opened_at + days(3)),
        "email_config_id": null,
        "fr_due_by": freshservice_time(case.opened_at + hours(8)),
        "fr_escalated": false,
        "fwd_emails": [],
        "group_id": group,
        "id": case.number,
        "is_escalated": false,
        "item_category": null,
        "priority": 1 + case.number % 3,
        "reply_cc_emails": [],
        "requested_for_id": beneficiary.freshservice_id,
        "requester_id": company.of(case.requester).freshservice_id,
        "responder_id": company.of(company.admins[case.number as usize % company.admins.len()]).freshservice_id,
        "source": 2,
        "spam": false,
        "status": status,
        "sub_category": null,
        "subject": case.subject,
        "tags": if incident { json!([]) } else { json!(["access"]) },
        "to_emails": null,
        "type": if incident { "Incident" } else { "Service Request" },
        "updated_at": freshservice_time(updated_at),
        "workspace_id": 2
    })
}

/// As the ticket writes an item: the thing itself, or its type alone.
fn asked_for(case: &Case, item: String) -> String {
    match item.rsplit_once('/') {
        Some((kind, _)) if case.is_for_any => kind.to_owned(),
        _ => item,
    }
}

/// The versions of one approval row: asked, and answered.
pub(crate) fn approval_versions(company: &Company, case: &Case, row: &Approval, id: u64) -> Vec<(Timestamp, Value)> {
    let mut versions = vec![(row.asked_at, approval(company, case, row, id, row.asked_at, (0, "requested")))];
    if let Some((answer, at)) = row.answer {
        let name = match answer {
            Answer::Approved => "approved",
            Answer::Rejected => "rejected",
            Answer::Cancelled => "cancelled",
        };
        versions.push((at, approval(company, case, row, id, at, (answer as u8, name))));
    }
    versions
}

fn approval(
    company: &Company,
    case: &Case,
    row: &Approval,
    id: u64,
    updated_at: Timestamp,
    (status, name): (u8, &str),
) -> Value {
    let approver = company.of(row.approver);
    let asker = company.of(case.requester);
    let row = json!({
        "approval_status": { "id": status, "name": name },
        "approval_type": row.quorum as u8,
        "approver_id": approver.freshservice_id,
        "approver_name": approver.display_name(),
        "created_at": freshservice_time(row.asked_at),
        "delegatee": row.delegate.map(|delegate| company.of(delegate).freshservice_id),
        "id": id,
        "latest_remark": if status == 2 { Value::from("Not needed for this role") } else { Value::Null },
        "level": row.level,
        "updated_at": freshservice_time(updated_at),
        "user_id": asker.freshservice_id,
        "user_name": asker.display_name()
    });
    json!({ "approvals": [row], "ticket_id": case.number })
}

/// The service desk, as of the start.
pub(crate) fn agents(company: &Company, as_of: Timestamp) -> Value {
    let agents = initial(company, as_of).filter(|agent| agent.helpdesk);
    let agents: Vec<_> = agents.map(|agent| person(company, agent, as_of, "email", Some(agent_fields()))).collect();
    json!({ "agents": agents })
}

/// Everybody Freshservice knows at the start.
pub(crate) fn requesters(company: &Company, as_of: Timestamp) -> Value {
    let requesters: Vec<_> = initial(company, as_of).map(|identity| requester(company, identity, as_of)).collect();
    json!({ "requesters": requesters })
}

/// Those it learns of later, each with the time.
pub(crate) fn new_requesters(company: &Company, as_of: Timestamp) -> Vec<(Timestamp, Value)> {
    let mut new: Vec<_> = (company.identities.iter())
        .filter_map(|identity| Some((identity.known_from.filter(|from| *from > as_of)?, identity)))
        .map(|(from, identity)| (from, json!({ "requester": requester(company, identity, from) })))
        .collect();
    new.sort_by_key(|(from, _)| *from);
    new
}

pub(crate) fn groups(company: &Company, as_of: Timestamp) -> Value {
    let ids = |who: &[IdentityIndex]| who.iter().map(|who| company.of(*who).freshservice_id).collect::<Vec<_>>();
    let heads: Vec<_> = company.departments.iter().map(|department| department.head).collect();
    let group = |id: u64, name: &str, members: Vec<u64>| {
        json!({
            "agent_ids": members, "approval_required": false, "auto_ticket_assign": false, "business_hours_id": null,
            "created_at": freshservice_time(as_of - days(400)), "description": format!("{name} of Tally Hall"), "escalate_to": null,
            "id": id, "leaders": ids(&heads[..1]), "leaders_pending_approval": [], "members": members,
            "members_pending_approval": [], "name": name, "observers": [], "observers_pending_approval": [],
            "ocs_schedule_id": null, "restricted": id == IDENTITY_TEAM, "unassigned_for": null,
            "updated_at": freshservice_time(as_of - days(30))
        })
    };
    let both: Vec<_> = [ids(&heads), ids(&company.admins)].concat();
    json!({ "groups": [group(SERVICE_DESK, "IT Service Desk", both), group(IDENTITY_TEAM, "Identity Team", ids(&company.admins))] })
}

pub(crate) fn departments(company: &Company, as_of: Timestamp) -> Value {
    let department = |department: &Department| {
        let head = company.of(department.head).freshservice_id;
        json!({
            "created_at": freshservice_time(as_of - days(400)), "custom_fields": {}, "description": null, "domains": [],
            "head_user_id": head, "id": department.id, "name": department.name, "prime_user_id": head,
            "updated_at": freshservice_time(as_of - days(400))
        })
    };
    json!({ "departments": company.departments.iter().map(department).collect::<Vec<_>>() })
}

/// App events about infrastructure, each with a planned window, spread over the span.
pub(crate) fn changes(chronicle: &Chronicle) -> Vec<Value> {
    let company = &chronicle.company;
    let count = CHANGES.len() as i64;
    let change = |n: i64| {
        let created_at = chronicle.span.permille(100 + 800 * n / count);
        let starts_at = created_at + days(4);
        let actor = company.of(company.admins[n as usize % company.admins.len()]);
        let requester = company.of(company.departments[0].head);
        let who = |identity: &Identity| json!({ "email": identity.login, "id": identity.freshservice_id, "name": identity.display_name() });
        json!({
            "actor": who(actor),
            "change": {
                "agent_id": actor.freshservice_id, "approval_status": 4, "assets": [], "change_type": 1 + n % 3,
                "change_window_id": null, "created_at": freshservice_time(created_at),
                "department_id": company.departments[0].id, "group_id": SERVICE_DESK, "id": 11 + n, "impact": 1 + n % 3,
                "impacted_services": [], "planned_end_date": freshservice_time(starts_at + hours(3)),
                "planned_start_date": freshservice_time(starts_at), "priority": 2, "requester_id": requester.freshservice_id,
                "risk": 1 + n % 2, "status": 1, "subject": CHANGES[n as usize], "updated_at": freshservice_time(created_at)
            },
            "event": "onChangeCreate",
            "requester": who(requester)
        })
    };
    (0..count).map(change).collect()
}

/// One per joiner, pointing at the ticket that asks for the access.
pub(crate) fn onboarding_requests(chronicle: &Chronicle, cases: &[CaseIndex]) -> Value {
    let company = &chronicle.company;
    let request = |(n, case): (usize, &CaseIndex)| {
        let case = &chronicle.cases[case.0];
        let joiner = company.of(case.beneficiary);
        let joining = day_of(joiner.from);
        json!({
            "actors": { "Employee": null },
            "created_at": freshservice_time(case.opened_at),
            "fields": {
                "cf_date_of_joining": format!("{:02}-{:02}-{:04}", joining.day(), joining.month(), joining.year()),
                "cf_department": company.departments[joiner.department].id,
                "cf_employee_name": joiner.display_name(),
                "cf_job_title": joiner.job_title,
                "cf_location": 21_000_159_890_u64
            },
            "id": 1 + n,
            "lookup_values": {},
            "requester_id": company.of(case.requester).freshservice_id,
            "status": 3,
            "subject": "Employee Onboarding Request",
            "ticket_id": case.number,
            "updated_at": freshservice_time(case.opened_at)
        })
    };
    json!({ "onboarding_requests": cases.iter().enumerate().map(request).collect::<Vec<_>>() })
}

fn initial(company: &Company, as_of: Timestamp) -> impl Iterator<Item = &Identity> {
    company.identities.iter().filter(move |identity| identity.known_from.is_some_and(|from| from <= as_of))
}

fn requester(company: &Company, identity: &Identity, as_of: Timestamp) -> Value {
    person(company, identity, as_of, "primary_email", None)
}

/// What agents and requesters have in common, with an agent's own fields among it.
fn person(
    company: &Company,
    identity: &Identity,
    as_of: Timestamp,
    email: &str,
    more: Option<Vec<(&str, Value)>>,
) -> Value {
    let old = identity.known_from.is_none_or(|from| from < as_of)
        || identity.nature == Nature::Person && identity.from < as_of + days(3);
    let created_at = if old { as_of - days(200 + (identity.freshservice_id % 97) as i64) } else { as_of };
    let fields = vec![
        ("active", json!(true)),
        ("address", json!(null)),
        ("created_at", json!(freshservice_time(created_at))),
        ("custom_fields", json!({})),
        ("department_ids", json!([company.departments[identity.department].id])),
        ("first_name", json!(identity.first_name)),
        ("has_logged_in", json!(old)),
        ("id", json!(identity.freshservice_id)),
        ("is_agent", json!(identity.helpdesk)),
        ("job_title", json!(identity.job_title)),
        ("language", json!("en")),
        ("last_name", if identity.last_name.is_empty() { Value::Null } else { json!(identity.last_name) }),
        ("location_id", json!(null)),
        ("reporting_manager_id", json!(identity.manager.map(|manager| company.of(manager).freshservice_id))),
        ("time_zone", json!("UTC")),
        ("updated_at", json!(freshservice_time(created_at))),
        ("vip_user", json!(false)),
        ("work_phone_number", json!(null)),
        (email, json!(identity.login)),
    ];
    let fields: BTreeMap<_, _> = fields.into_iter().chain(more.unwrap_or_default()).collect();
    fields.into_iter().map(|(key, value)| (key.to_owned(), value)).collect::<Map<_, _>>().into()
}

fn agent_fields() -> Vec<(&'static str, Value)> {
    vec![
        ("auto_assign_tickets", json!(true)),
        ("group_ids", json!([])),
        ("last_active_at", json!(null)),
        ("last_login_at", json!(null)),
        ("member_of", json!([])),
        ("member_of_pending_approval", json!([])),
        ("observer_of", json!([])),
        ("observer_of_pending_approval", json!([])),
        ("occasional", json!(false)),
        ("role_ids", json!([AGENT_ROLE])),
        ("roles", json!([{ "assignment_scope": "entire_helpdesk", "groups": [], "role_id": AGENT_ROLE }])),
        (
            "scopes",
            json!({ "asset": null, "change": null, "contract": null, "problem": null, "release": null, "solution": null, "ticket": null }),
        ),
    ]
}
