//! Reads a generated company the slow and obvious way, from its files alone: the other half of every check.
//! Shares no code with the generator and never looks at the ground truth.

use std::collections::{BTreeMap, BTreeSet};
use std::io::Read;

use counterfoil_scenario::{Company, Delivery, File};
use jiff::Timestamp;
use serde_json::Value;

/// What an auditor could read out of the files.
pub struct Reading {
    /// Distinct System Log events by time.
    pub events: Vec<(Timestamp, Value)>,
    /// Uuids of what the late file brought.
    pub late: BTreeSet<String>,
    /// The newest version of each ticket.
    pub tickets: BTreeMap<u64, Ticket>,
}

pub struct Ticket {
    pub incident: bool,
    pub requester: String,
    pub beneficiary: String,
    pub items: Vec<String>,
    pub adds: bool,
    pub until: Option<Timestamp>,
    /// What Freshservice itself calls the outcome.
    pub approval_status_name: String,
    /// The newest version of each approval row.
    pub rows: BTreeMap<u64, Row>,
}

pub struct Row {
    pub level: u64,
    pub approval_type: u64,
    pub approver: String,
    pub status: u64,
    pub at: Timestamp,
}

/// Reads every file of the company, or all but the late one.
pub fn read(company: &Company, with_late: bool) -> Reading {
    let emails = emails(company);
    let email = |id: &Value| emails[&id.as_u64().unwrap()].clone();
    let mut tickets = BTreeMap::new();
    for line in named(company, "freshservice/tickets.jsonl") {
        let ticket = &line["ticket"];
        let asked = &ticket["custom_fields"];
        let rows = tickets.remove(&ticket["id"].as_u64().unwrap()).map(|old: Ticket| old.rows).unwrap_or_default();
        let new = Ticket {
            incident: ticket["type"] == "Incident",
            requester: email(&ticket["requester_id"]),
            beneficiary: email(&ticket["requested_for_id"]),
            items: asked["access_items"].as_str().unwrap_or("").split(',').map(str::to_owned).collect(),
            adds: asked["access_operation"] == "add",
            until: asked["access_until"].as_str().map(|at| at.parse().unwrap()),
            approval_status_name: text(&ticket["approval_status_name"]),
            rows,
        };
        tickets.insert(ticket["id"].as_u64().unwrap(), new);
    }
    for line in named(company, "freshservice/approvals.jsonl") {
        for row in line["approvals"].as_array().unwrap() {
            let new = Row {
                level: row["level"].as_u64().unwrap(),
                approval_type: row["approval_type"].as_u64().unwrap(),
                approver: email(&row["approver_id"]),
                status: row["approval_status"]["id"].as_u64().unwrap(),
                at: time(&row["updated_at"]),
            };
            let ticket = tickets.get_mut(&line["ticket_id"].as_u64().unwrap()).unwrap();
            ticket.rows.insert(row["id"].as_u64().unwrap(), new);
        }
    }
    let mut events = BTreeMap::new();
    let mut late = BTreeSet::new();
    for file in company.files.iter().filter(|file| file.name.starts_with("okta/system-log")) {
        if file.delivery == Delivery::OnTime || with_late {
            for event in values(file) {
                if file.delivery == Delivery::Late {
                    late.insert(text(&event["uuid"]));
                }
                events.insert(text(&event["uuid"]), event);
            }
        }
    }
    let mut events: Vec<_> = events.into_values().map(|event| (time(&event["published"]), event)).collect();
    events.sort_by_key(|(at, _)| *at);
    Reading { events, late, tickets }
}

impl Ticket {
    /// When the last level had its quorum; `Err` says whether it was rejected.
    pub fn approved_at(&self) -> Result<Timestamp, bool> {
        let levels: BTreeSet<_> = self.rows.values().map(|row| row.level).collect();
        let mut complete_at = Err(false);
        for level in levels {
            let rows: Vec<_> = self.rows.values().filter(|row| row.level == level).collect();
            let of = |status| {
                let mut times: Vec<_> = rows.iter().filter(|row| row.status == status).map(|row| row.at).collect();
                times.sort();
                times
            };
            let needed = match rows[0].approval_type {
                1 => rows.len(),
                2 => 1,
                3 => rows.len() / 2 + 1,
                other => panic!("approval type {other}"),
            };
            match of(1).get(needed - 1) {
                Some(at) => complete_at = Ok(*at),
                None => return Err(of(2).len() > rows.len() - needed),
            }
        }
        complete_at
    }
}

/// The access an event gives, if it succeeded: the beneficiary's login and the items.
pub fn gives(event: &Value) -> Option<(String, Vec<String>)> {
    if event["outcome"]["result"] != "SUCCESS" {
        return None;
    }
    let user = || text(&target(event, "User")["alternateId"]);
    Some(match event["eventType"].as_str().unwrap() {
        "user.lifecycle.create" | "user.lifecycle.activate" | "user.lifecycle.unsuspend" => {
            (user(), vec!["okta/account".to_owned()])
        }
        "system.api_token.create" => (text(&event["actor"]["alternateId"]), vec!["okta/api_token".to_owned()]),
        "app.oauth2.client.lifecycle.create" => (user(), vec!["okta/oauth_client".to_owned()]),
        "group.user_membership.add" | "application.user_membership.add" | "user.account.privilege.grant" => {
            (user(), entitlements(event))
        }
        _ => return None,
    })
}

/// Account status and entitlements of a login at a moment.
pub fn state(reading: &Reading, login: &str, at: Timestamp) -> (&'static str, Vec<String>) {
    let mut account = "absent";
    let mut held = BTreeSet::new();
    for (_, event) in reading.events.iter().take_while(|(published, _)| *published <= at) {
        let mut targets = event["target"].as_array().into_iter().flatten();
        let about = targets.any(|target| target["type"] == "User" && target["alternateId"] == login);
        if !about || event["outcome"]["result"] != "SUCCESS" {
            continue;
        }
        match event["eventType"].as_str().unwrap() {
            "user.lifecycle.create" => account = "created",
            "user.lifecycle.activate" | "user.lifecycle.unsuspend" | "user.account.unlock" => account = "active",
            "user.lifecycle.deactivate" => account = "deactivated",
            "user.lifecycle.suspend" => account = "suspended",
            "user.account.lock" => account = "locked",
            "group.user_membership.add" | "application.user_membership.add" | "user.account.privilege.grant" => {
                held.extend(entitlements(event));
            }
            "group.user_membership.remove" | "application.user_membership.remove" | "user.account.privilege.revoke" => {
                for entitlement in entitlements(event) {
                    assert!(held.remove(&entitlement), "{login} loses {entitlement} without having it");
                }
            }
            _ => {}
        }
    }
    (account, held.into_iter().collect())
}

/// The ticket number in the call, if it names one.
pub fn reference(event: &Value) -> Option<u64> {
    let url = event["debugContext"]["debugData"]["url"].as_str()?;
    Some(url.split_once("ticket=SR-")?.1.parse().unwrap())
}

pub fn time(value: &Value) -> Timestamp {
    value.as_str().unwrap().parse().unwrap()
}

pub fn text(value: &Value) -> String {
    value.as_str().unwrap().to_owned()
}

/// The file's text, whatever it was compressed with.
pub fn plain(file: &File) -> String {
    let mut plain = String::new();
    if file.name.ends_with(".gz") {
        flate2::read::GzDecoder::new(file.bytes.as_slice()).read_to_string(&mut plain).unwrap();
    } else if file.name.ends_with(".zst") {
        plain = String::from_utf8(zstd::decode_all(file.bytes.as_slice()).unwrap()).unwrap();
    } else {
        plain = String::from_utf8(file.bytes.clone()).unwrap();
    }
    plain
}

/// The file's JSON values: lines, the elements of an array, or the one document.
pub fn values(file: &File) -> Vec<Value> {
    let text = plain(file);
    if file.name.ends_with(".json") {
        match serde_json::from_str(&text).unwrap() {
            Value::Array(events) => events,
            document => vec![document],
        }
    } else {
        text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
    }
}

pub fn named(company: &Company, name: &str) -> Vec<Value> {
    values(company.files.iter().find(|file| file.name == name).unwrap())
}

fn emails(company: &Company) -> BTreeMap<u64, String> {
    let initial = named(company, "freshservice/requesters.json").remove(0);
    let new = named(company, "freshservice/requesters-new.jsonl");
    let all = initial["requesters"].as_array().unwrap().iter().chain(new.iter().map(|line| &line["requester"]));
    all.map(|person| (person["id"].as_u64().unwrap(), text(&person["primary_email"]))).collect()
}

fn target<'a>(event: &'a Value, kind: &str) -> &'a Value {
    event["target"].as_array().unwrap().iter().find(|target| target["type"] == kind).unwrap()
}

fn entitlements(event: &Value) -> Vec<String> {
    let kind = event["eventType"].as_str().unwrap();
    if kind.starts_with("group.") {
        return vec![format!("okta/group_member/{}", text(&target(event, "UserGroup")["id"]))];
    }
    if kind.starts_with("application.") {
        return vec![format!("okta/app_assignment/{}", text(&target(event, "AppInstance")["id"]))];
    }
    let labels = text(&event["debugContext"]["debugData"]["privilegeGranted"]);
    let code = |label: &str| match label {
        "Super administrator" => "SUPER_ADMIN",
        "Organization administrator" => "ORG_ADMIN",
        "Application administrator (all)" => "APP_ADMIN",
        "Help Desk administrator" => "HELP_DESK_ADMIN",
        "Read-only administrator" => "READ_ONLY_ADMIN",
        "Report administrator" => "REPORT_ADMIN",
        other => panic!("unknown role {other}"),
    };
    labels.split(", ").map(|label| format!("okta/role/{}", code(label))).collect()
}
