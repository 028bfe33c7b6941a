//! The company's account in AWS, read from its log files and listings alone: every change has the verdict that its ticket
//! gives it, and what is live differs from the log in what was planted, and in nothing else.

use std::collections::btree_map::Entry;
use std::collections::{BTreeMap, BTreeSet};

use crate::reader::{plain, text, time};
use crate::truth::{COMPANIES, check_basis, told};
use counterfoil_scenario::{Company, LiveKind, Verdict};
use jiff::{SignedDuration, Timestamp};
use serde_json::Value;

const ACCOUNT: &str = "111122223333";

/// Who, and what: as the ground truth names them.
type Access = (String, String);

/// The events of the log, each once, by time.
pub fn calls(company: &Company) -> Vec<Value> {
    let mut events = BTreeMap::new();
    for event in delivered(company).into_iter().flat_map(|(_, events)| events) {
        let id = text(&event["eventID"]);
        let before = events.insert(id, event.clone());
        assert!(before.is_none_or(|before| before == event), "a second delivery says something else");
    }
    let mut events: Vec<Value> = events.into_values().collect();
    events.sort_by_key(|event| time(&event["eventTime"]));
    events
}

/// The files of the log, each with its name.
fn delivered(company: &Company) -> Vec<(&str, Vec<Value>)> {
    let files = company.files.iter().filter(|file| file.connector == "cloudtrail");
    files
        .map(|file| {
            let document: Value = serde_json::from_str(&plain(file)).unwrap();
            (&*file.name, document["Records"].as_array().unwrap().clone())
        })
        .collect()
}

/// What somebody holds after these events, by login.
pub fn held(events: &[Value], login: &str) -> BTreeSet<String> {
    let people = people(events);
    let mut held = BTreeSet::new();
    for ((who, what), is_given) in events.iter().filter_map(|event| effect(event, &people)) {
        if who.ends_with(&format!("/{login}")) || people.get(&who).is_some_and(|of| of == login) {
            if is_given {
                held.insert(what)
            } else {
                held.remove(&what)
            };
        }
    }
    held
}

/// Everybody whom the directory of Identity Center has had, and how they log in.
fn people(events: &[Value]) -> BTreeMap<String, String> {
    let entered = events.iter().filter(|event| event["eventSource"] == "identitystore.amazonaws.com");
    let entered = entered.filter(|event| event["eventName"] == "CreateUser");
    entered
        .map(|event| {
            let id = format!("sso_user/{}", text(&event["responseElements"]["userId"]));
            (id, text(&event["requestParameters"]["userName"]))
        })
        .collect()
}

/// Whose access an event gives or takes, and which.
fn effect(event: &Value, people: &BTreeMap<String, String>) -> Option<(Access, bool)> {
    let (request, response) = (&event["requestParameters"], &event["responseElements"]);
    if event.get("errorCode").is_some() {
        return None;
    }
    let user = || format!("user/{}", text(&request["userName"]));
    let role = || format!("role/{}", text(&request["roleName"]));
    let policy = || format!("policy/{}", text(&request["policyArn"]));
    let group = || format!("group_member/{}", text(&request["groupName"]));
    let set = |status: &Value| {
        assert_eq!(status["status"], "SUCCEEDED");
        (format!("sso_user/{}", text(&status["principalId"])), format!("role/{}", text(&status["permissionSetArn"])))
    };
    let of_directory = event["eventSource"] == "identitystore.amazonaws.com";
    let ((who, what), is_given) = match event["eventName"].as_str().unwrap() {
        "CreateUser" if of_directory => ((format!("sso_user/{}", text(&response["userId"])), "account".into()), true),
        "DeleteUser" if of_directory => ((format!("sso_user/{}", text(&request["userId"])), "account".into()), false),
        "CreateUser" => ((user(), "account".into()), true),
        "DeleteUser" => ((user(), "account".into()), false),
        "CreateLoginProfile" => ((user(), "password".into()), true),
        "DeleteLoginProfile" => ((user(), "password".into()), false),
        "CreateAccessKey" => ((user(), "access_key".into()), true),
        "DeleteAccessKey" => ((user(), "access_key".into()), false),
        "AddUserToGroup" => ((user(), group()), true),
        "RemoveUserFromGroup" => ((user(), group()), false),
        "AttachUserPolicy" => ((user(), policy()), true),
        "DetachUserPolicy" => ((user(), policy()), false),
        "CreateRole" => ((role(), "account".into()), true),
        "AttachRolePolicy" => ((role(), policy()), true),
        "DetachRolePolicy" => ((role(), policy()), false),
        "DescribeAccountAssignmentCreationStatus" => (set(&response["accountAssignmentCreationStatus"]), true),
        "DescribeAccountAssignmentDeletionStatus" => (set(&response["accountAssignmentDeletionStatus"]), false),
        _ => return None,
    };
    assert!(!who.starts_with("sso_user/") || people.contains_key(&who), "{who} is nobody of the directory");
    Some(((who, format!("aws@{ACCOUNT}/{what}")), is_given))
}

#[test]
fn every_verdict_in_aws_follows_from_the_files() {
    for (company, reading) in &*COMPANIES {
        let (told, calls) = (told(company, "aws@"), calls(company));
        let people = people(&calls);
        let mut seen = 0;
        for event in &calls {
            let Some(((who, item), true)) = effect(event, &people) else { continue };
            let id = event["eventID"].as_str().unwrap();
            let change = told.get(&(id, &*item)).unwrap_or_else(|| panic!("{id} {item} is not told"));
            let login = match who.split_once('/').unwrap() {
                ("user", name) => name,
                ("sso_user", _) => &people[&who],
                _ => &who,
            };
            assert_eq!((&*change.subject_id, &*change.subject_login), (&*who, login));
            let source = text(&event["eventSource"]);
            assert_eq!(change.event_type, format!("{source}:{}", text(&event["eventName"])));
            assert_eq!(change.occurred_at, time(&event["eventTime"]));
            let session = event["userIdentity"]["arn"].as_str().unwrap().rsplit('/').next().unwrap();
            let reference = session.strip_prefix("SR-").map(|number| number.parse().unwrap());
            check_basis(change, reading, reference, login, &item, change.occurred_at);
            seen += 1;
        }
        assert_eq!(seen, told.len(), "a change is told that did not happen");
        let widening = ["AttachGroupPolicy", "AttachManagedPolicyToPermissionSet", "CreateRole"];
        let widened = calls.iter().filter(|event| widening.contains(&event["eventName"].as_str().unwrap()));
        let widened: BTreeSet<&str> = widened.map(|event| event["eventID"].as_str().unwrap()).collect();
        let told = company.truth.widened.iter().filter(|widened| widened.entitlement.starts_with("aws@"));
        assert_eq!(told.map(|widened| &*widened.event_uuid).collect::<BTreeSet<_>>(), widened);
    }
    let told = told(&COMPANIES[0].0, "aws@");
    for verdict in [Verdict::Approved, Verdict::ApprovedLate, Verdict::None] {
        assert!(told.values().any(|change| change.verdict == verdict), "{verdict:?}");
    }
}

#[test]
fn what_is_live_in_aws_differs_from_the_log_as_told() {
    for (company, reading) in &*COMPANIES {
        let events = calls(company);
        let people = people(&events);
        let mut last: BTreeMap<Access, (bool, &str)> = BTreeMap::new();
        for event in &events {
            if let Some((access, is_given)) = effect(event, &people) {
                last.insert(access, (is_given, event["eventID"].as_str().unwrap()));
            }
        }
        last.retain(|(_, what), _| !what.ends_with("/access_key"));
        let listed = listed(company);
        let changes = told(company, "aws@");
        let taken_at = company.listings.iter().find_map(|listings| listings.as_of).unwrap();
        // Of what the log gave and did not take: what the approvals say.
        let given = |access: &Access, id: &str| {
            let change = changes[&(id, &*access.1)];
            let number = change.ticket.as_ref().map(|ticket| ticket.strip_prefix("SR-").unwrap().parse().unwrap());
            let until: Option<Timestamp> = number.and_then(|number: u64| reading.tickets[&number].until);
            match change.verdict {
                Verdict::Approved if until.is_some_and(|until| until < taken_at - SignedDuration::from_secs(60)) => {
                    LiveKind::Expired
                }
                Verdict::Approved => LiveKind::Approved,
                _ => LiveKind::Unapproved,
            }
        };
        let mut expected: BTreeMap<Access, LiveKind> = BTreeMap::new();
        for access in &listed {
            let kind = match last.get(access) {
                None => LiveKind::Unrecorded,
                Some((false, _)) => LiveKind::Revoked,
                Some((true, id)) => given(access, id),
            };
            expected.insert(access.clone(), kind);
        }
        for (access, (_, id)) in last.iter().filter(|(_, (is_given, _))| *is_given) {
            if !listed.contains(access) && given(access, id) != LiveKind::Expired {
                expected.insert(access.clone(), LiveKind::Missing);
            }
        }
        let told = company.truth.live.iter().filter(|live| live.entitlement.starts_with("aws@"));
        let told: BTreeMap<Access, LiveKind> =
            told.map(|live| ((live.subject_id.clone(), live.entitlement.clone()), live.kind)).collect();
        assert_eq!(told, expected);
        let kinds: BTreeSet<LiveKind> = told.values().copied().collect();
        assert_eq!(kinds.len(), 6, "{kinds:?}");
    }
}

/// Everything that the listings show.
fn listed(company: &Company) -> BTreeSet<Access> {
    let mut listed = BTreeSet::new();
    let files = company.listings.iter().flat_map(|listings| &listings.files);
    for file in files.filter(|file| file.connector == "cloudtrail") {
        let text = plain(file);
        let mut add = |who: String, what: &str| listed.insert((who, format!("aws@{ACCOUNT}/{what}")));
        let Ok(page) = serde_json::from_str::<Value>(&text) else {
            for row in text.lines().skip(1) {
                let cells: Vec<&str> = row.split(',').collect();
                match cells[0] {
                    "<root_account>" => drop(add(format!("root/{ACCOUNT}"), "account")),
                    user => {
                        add(format!("user/{user}"), "account");
                        if cells[3] == "true" {
                            add(format!("user/{user}"), "password");
                        }
                    }
                }
            }
            continue;
        };
        let of = |key: &str| page[key].as_array().into_iter().flatten();
        for (list, kind, name) in [("UserDetailList", "user", "UserName"), ("RoleDetailList", "role", "RoleName")] {
            for one in of(list) {
                let who = format!("{kind}/{}", one[name].as_str().unwrap());
                add(who.clone(), "account");
                for group in one["GroupList"].as_array().into_iter().flatten() {
                    add(who.clone(), &format!("group_member/{}", group.as_str().unwrap()));
                }
                for policy in one["AttachedManagedPolicies"].as_array().unwrap() {
                    add(who.clone(), &format!("policy/{}", policy["PolicyArn"].as_str().unwrap()));
                }
            }
        }
        for person in of("Users") {
            add(format!("sso_user/{}", person["UserId"].as_str().unwrap()), "account");
        }
        for one in of("AccountAssignments") {
            let set = one["PermissionSetArn"].as_str().unwrap();
            add(format!("sso_user/{}", one["PrincipalId"].as_str().unwrap()), &format!("role/{set}"));
        }
    }
    listed
}

#[test]
fn the_log_of_aws_is_as_untidy_as_promised() {
    let (company, _) = &COMPANIES[0];
    let counts = &company.truth.counts;
    let files = delivered(company);
    let delivered_at = |name: &str| text_between(name, "us-east-1_", "_").parse::<jiff::civil::DateTime>().unwrap();
    // For each event whether its first delivery was late.
    let mut seen: BTreeMap<String, bool> = BTreeMap::new();
    let (mut twice, mut disordered) = (0, 0);
    for (name, events) in &files {
        let end = delivered_at(name).to_zoned(jiff::tz::TimeZone::UTC).unwrap().timestamp();
        for event in events {
            let at = time(&event["eventTime"]);
            assert!(at < end, "{name} tells of what is to come");
            let is_late = at < end - SignedDuration::from_hours(7 * 24);
            match seen.entry(text(&event["eventID"])) {
                Entry::Vacant(place) => drop(place.insert(is_late)),
                Entry::Occupied(mut place) => {
                    twice += 1;
                    *place.get_mut() &= is_late;
                }
            }
        }
        disordered +=
            events.windows(2).filter(|pair| time(&pair[0]["eventTime"]) > time(&pair[1]["eventTime"])).count();
    }
    let postponed = seen.values().filter(|is_late| **is_late).count();
    assert_eq!((seen.len(), twice), (counts.cloudtrail_events, counts.cloudtrail_duplicates));
    assert_eq!(postponed, counts.cloudtrail_postponed);
    assert!(twice > 5 && postponed > 5 && disordered > 50, "{twice} twice, {postponed} later, {disordered} swapped");
    let names: Vec<&str> = files.iter().map(|(name, _)| *name).collect();
    assert!(!names.is_sorted(), "files come in their order");
}

fn text_between<'t>(text: &'t str, before: &str, after: &str) -> &'t str {
    text.rsplit_once(before).unwrap().1.split_once(after).unwrap().0.trim_end_matches('Z')
}
