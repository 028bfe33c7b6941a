//! No personal value is in a record: one of every kind is planted in every field, and then everything that is hashed or
//! handed out is searched.
#![allow(clippy::unwrap_used, reason = "a test stops where it fails")]

#[path = "personal/logins.rs"]
mod logins;
mod stored;

use std::fs;

use counterfoil_tests::okta::{group, joined};
use counterfoil_tests::program::LedgerFolder;
use logins::{LOGINS, events_with_logins_for_ids};
use rocksdb::{DB, IteratorMode};
use serde_json::{Value, json};
use stored::{Stored, import, indexes, open};

/// Personal values, each a word that stands nowhere else.
const PERSONAL: [&str; 22] = [
    "Zelda Quimbleford",
    "zelda.quimbleford@mailbox.example",
    "zquimbleford",
    "Quimbleford",
    "+49 1512 3456789",
    "0049-30-7654321",
    "Plumtreeallee 17, 10999 Berlinchen",
    "203.0.113.77",
    "2001:db8::77aa",
    "QuimblefordBrowser/9.1",
    "Vicepresident-of-Quibbling",
    "Department of Quibbles",
    "She is on sick leave, plumtree",
    "Her badge is 77-plumtree-99",
    "/srv/people/zquimbleford/plumtree.txt",
    "Plumtreeville",
    "bo.plumtree@mailbox.example",
    "Bo Plumtree",
    "boplumtree",
    "Zélda Ünderplumtree",
    "plumtree-laptop-0042",
    "personnel number 4711-plumtree",
];

/// Events that carry each of them in every field that is meant for such a value, and in those that are not.
fn personal_events() -> Vec<(&'static str, Vec<Value>)> {
    let [
        name,
        email,
        login,
        surname,
        phone,
        desk_phone,
        street,
        ip,
        ip6,
        agent,
        title,
        department,
        note,
        badge,
        path,
        city,
        other_email,
        other_name,
        other_login,
        accents,
        device,
        number,
    ] = PERSONAL;
    let person = json!({"id": "00uzelda", "type": "User", "alternateId": email, "displayName": name});
    let by_login = json!({"id": "00uother", "type": "User", "alternateId": other_login, "displayName": other_name});
    let by_email_alone = json!({"id": other_email, "type": "User", "alternateId": other_email, "displayName": accents});
    let mut okta = Vec::new();
    for (place, (who, event_type)) in (1..).zip([
        (&person, "group.user_membership.add"),
        (&by_login, "group.user_membership.add"),
        (&by_email_alone, "group.user_membership.remove"),
        (&person, "user.lifecycle.create"),
        (&person, "user.account.update_profile"),
        (&by_login, "user.account.privilege.grant"),
        (&person, "user.session.start"),
        (&person, "application.user_membership.add"),
        (&person, "not.known.at.all"),
    ]) {
        let mut event = joined(place, "2026-03-01T09:00:00Z", 1, 1);
        event["eventType"] = json!(event_type);
        event["actor"] = who.clone();
        event["displayMessage"] = json!(note);
        event["outcome"]["reason"] = json!(badge);
        event["client"] = json!({
            "ipAddress": if place % 2 == 0 { ip } else { ip6 }, "device": device, "userAgent": {"rawUserAgent": agent},
            "geographicalContext": {"city": city, "street": street},
        });
        event["debugContext"]["debugData"] = json!({
            "requestUri": path, "privilegeGranted": "Super administrator", "changedAttributes": "mobilePhone,title",
            "note": number, "requestId": format!("for {login}"),
        });
        event["transaction"]["id"] = json!(format!("by {surname}"));
        let mut target = who.clone();
        target["changeDetails"] = json!({
            "from": {"mobilePhone": desk_phone},
            "to": {"mobilePhone": phone, "title": title, "department": department, "managerId": other_email, "streetAddress": street},
        });
        let app = json!({"id": "0oa1", "type": "AppInstance", "displayName": "Mail", "alternateId": "Mail"});
        let app_user = json!({"id": "0ua1", "type": "AppUser", "alternateId": login, "displayName": name});
        event["target"] = json!([target, group(1), app, app_user]);
        okta.push(event);
    }
    okta.push(json!({
        "id": "00uzelda", "status": "ACTIVE", "created": "2026-03-01T09:00:00Z", "lastUpdated": "2026-03-01T09:00:00Z",
        "profile": {
            "login": email, "email": other_email, "firstName": "Zelda", "lastName": surname, "displayName": name,
            "mobilePhone": phone, "primaryPhone": desk_phone, "title": title, "department": department,
            "streetAddress": street, "city": city, "employeeNumber": number, "manager": other_name,
        },
    }));
    // Rejected ones hold the same.
    let mut rejected = okta[0].clone();
    rejected["published"] = json!(name);
    okta.push(rejected);

    let times = json!({"created_at": "2026-03-01T09:00:00Z", "updated_at": "2026-03-02T09:00:00Z"});
    let mut freshservice = vec![
        json!({
            "id": 1, "subject": note, "description_text": badge, "type": "Service Request", "status": 2,
            "requester_id": 5, "requested_for_id": 6, "email": email, "phone": phone, "cc_emails": [other_email],
            "custom_fields": {
                "justification": note, "rollback_plan": path, "revocation_trigger": badge, "access_items": name,
                "access_until": number, "access_operation": other_name, "badge": badge,
            },
        }),
        json!({
            "id": 2, "first_name": "Zelda", "last_name": surname, "email": email, "role_ids": [1], "occasional": true,
            "active": true, "job_title": title, "mobile_phone_number": phone, "work_phone_number": desk_phone,
            "address": street, "background_information": note, "department_names": [department],
        }),
        json!({
            "id": 3, "first_name": "Bo", "last_name": "Plumtree", "primary_email": other_email, "active": true,
            "secondary_emails": [email], "job_title": title, "mobile_phone_number": phone, "address": street,
            "location_name": city,
        }),
        json!({
            "id": 4, "approver_id": 7, "approver_name": name, "approval_type": 1, "user_id": 5, "level": 1,
            "approval_status": {"id": 2, "name": "rejected"}, "latest_remark": note, "ticket_id": 1,
            "delegatee": other_name,
        }),
        json!({
            "id": 5, "ticket_id": 1, "requester_id": 5, "status": 1, "subject": accents,
            "fields": {
                "cf_employee_name": name, "cf_email": email, "cf_job_title": title, "cf_department": department,
                "cf_location": city, "cf_date_of_joining": badge,
            },
            "actors": {"HR Manager": other_name}, "lookup_values": {},
        }),
        json!({
            "id": 6, "name": other_name, "description": note, "members": [5], "observers": [], "leaders": [],
        }),
    ];
    for resource in &mut freshservice {
        resource.as_object_mut().unwrap().extend(times.as_object().unwrap().clone());
    }
    freshservice.push(json!({"freshservice_webhook": {
        "ticket_id": "SR-9", "ticket_subject": note, "ticket_status": name, "ticket_type": surname,
        "ticket_requester_id": email, "ticket_requester_email": email, "ticket_requester_name": name,
        "ticket_agent_email": other_email, "ticket_requested_for_email": other_email, "ticket_approval_status": other_name,
    }}));

    let document = |fact: Value| {
        let mut fact = fact;
        fact["occurred_at"] = json!("2026-03-01T09:30:00Z");
        json!({
            "id": format!("{} of {name}", fact["kind"]), "facts": [fact],
            "source": {"system": "ci", "instance": "prod", "stream": "deploy"},
        })
    };
    let mut facts: Vec<Value> = [
        json!({
            "kind": "grant.added", "actor": {"id": email, "login": login, "email": email, "name": name},
            "subject": {"login": other_login, "email": other_email, "name": other_name},
            "object": {"id": "role/deployer", "name": accents}, "transaction": format!("by {surname}"), "request": number,
        }),
        json!({
            "kind": "account.updated", "subject": {"id": "u1", "login": login},
            "changed": {"phone": phone, "title": title}, "department": department,
            "manager": {"login": other_login, "name": other_name},
        }),
        json!({"kind": "lifecycle.mover", "subject": {"id": "u1", "login": login}, "department": department}),
        json!({
            "kind": "approval.rejected", "object": {"id": "ticket/1"}, "approval_id": number,
            "approver": {"email": email, "name": name}, "remark": note,
        }),
        json!({"kind": "purpose.declared", "subject": {"id": "u1", "login": login}, "object": {"kind": "credential", "id": "api_key/1", "name": device}, "purpose": badge}),
    ]
    .map(document)
    .to_vec();
    // Rejected: a name where a code has to be.
    facts.push(json!({"id": email, "source": {"system": name, "instance": "prod", "stream": "deploy"}, "facts": []}));

    let mut cloudtrail = Vec::new();
    for (place, event_name) in
        (1..).zip(["CreateUser", "AddUserToGroup", "PutUserPolicy", "CreateLoginProfile", "TagUser"])
    {
        cloudtrail.push(json!({
            "eventVersion": "1.09", "eventTime": "2026-03-01T09:00:00Z", "eventSource": "iam.amazonaws.com",
            "eventName": event_name, "eventID": format!("{place} by {surname}"), "readOnly": false,
            "recipientAccountId": "111122223333", "requestID": format!("for {login}"),
            "sourceIPAddress": if place % 2 == 0 { ip } else { ip6 }, "userAgent": agent,
            "errorMessage": if place == 5 { json!(badge) } else { Value::Null },
            "userIdentity": {
                "type": "AssumedRole", "principalId": format!("AROA1:{email}"), "accountId": "111122223333",
                "arn": format!("arn:aws:sts::111122223333:assumed-role/AWSReservedSSO_Admins_1/{email}"),
                "sessionContext": {"sourceIdentity": accents},
            },
            "requestParameters": {
                "userName": if place % 2 == 0 { other_login } else { other_email }, "groupName": department,
                "policyName": other_name, "policyDocument": format!("{{\"Sid\":\"{note}\",\"ip\":\"{phone}\"}}"),
                "tags": [{"key": "owner", "value": name}, {"key": desk_phone, "value": street}], "path": path,
                "description": title,
            },
            "responseElements": {"user": {"userName": number, "path": device, "arn": city}},
        }));
    }
    // Rejected.
    let mut rejected = cloudtrail[0].clone();
    rejected["eventTime"] = json!(name);
    cloudtrail.push(rejected);
    let logs = [("github", personal_events_of_github()), ("kubernetes", personal_events_of_kubernetes())];
    [("okta", okta), ("freshservice", freshservice), ("fact", facts), ("cloudtrail", cloudtrail)]
        .into_iter()
        .chain(logs)
        .collect()
}

fn personal_events_of_github() -> Vec<Value> {
    let [name, email, login, surname, phone, .., other_login, accents, device, number] = PERSONAL;
    let [.., ip, _, agent, title, department, note, badge, path, city, _, other_name, _, _, _, _] = PERSONAL;
    let actions = ["team.add_member", "repo.add_member", "public_key.create", "org.invite_member", "git.push"];
    let mut events: Vec<Value> = (1..)
        .zip(actions)
        .map(|(place, action)| {
            json!({
                "@timestamp": 1_772_357_400_000_u64, "_document_id": format!("{place} by {surname}"), "action": action,
                "actor": login, "actor_id": 7, "actor_ip": ip, "actor_location": {"country_code": "DE", "city": city},
                "external_identity_nameid": email, "user": other_login, "user_id": if place == 1 { 8 } else { 0 },
                "org": department, "org_id": 9, "team": format!("{department}/{title}"), "repo": format!("{surname}/{path}"),
                "title": device, "fingerprint": number, "explanation": note, "user_agent": agent, "name": name,
                "invitee_email": email, "data": {"note": badge, "phone": phone}, "inviter": other_name, "branch": accents,
            })
        })
        .collect();
    // Rejected.
    let mut rejected = events[0].clone();
    rejected["@timestamp"] = json!(name);
    events.push(rejected);
    events
}

fn personal_events_of_kubernetes() -> Vec<Value> {
    let [name, email, login, surname, phone, .., other_login, accents, device, number] = PERSONAL;
    let [.., ip, _, agent, title, department, note, badge, path, city, other_email, other_name, _, _, _, _] = PERSONAL;
    let mut events: Vec<Value> = (1..)
        .zip(["rolebindings", "clusterrolebindings", "pods"])
        .map(|(place, resource)| {
            json!({
                "kind": "Event", "apiVersion": "audit.k8s.io/v1", "auditID": format!("{place} by {surname}"),
                "stage": "ResponseComplete", "verb": "create", "requestURI": format!("/apis?note={note}"),
                "user": {"username": email, "uid": number, "groups": [department], "extra": {"name": [name]}},
                "impersonatedUser": {"username": other_email, "groups": [title]}, "sourceIPs": [ip], "userAgent": agent,
                "objectRef": {
                    "apiGroup": "rbac.authorization.k8s.io", "resource": resource, "namespace": login, "name": surname,
                },
                "responseStatus": {"code": 201, "message": badge},
                "requestObject": {
                    "metadata": {"name": surname, "labels": {"phone": phone, "city": city}, "annotations": {"why": note}},
                    "roleRef": {"kind": "ClusterRole", "name": "edit"},
                    "subjects": [
                        {"kind": "User", "name": other_name}, {"kind": "Group", "name": accents},
                        {"kind": "ServiceAccount", "name": device, "namespace": other_login}, {"kind": "User", "name": path},
                    ],
                },
                "stageTimestamp": "2026-03-01T09:00:00.000100Z",
            })
        })
        .collect();
    // Rejected.
    let mut rejected = events[0].clone();
    rejected["stageTimestamp"] = json!(name);
    events.push(rejected);
    events
}

#[test]
fn no_personal_value_is_in_a_record() {
    let ledger = LedgerFolder::init();
    for (connector, events) in events_with_logins_for_ids() {
        let file: Vec<u8> = events.iter().flat_map(|event| format!("{event}\n").into_bytes()).collect();
        let summary = import(&ledger, connector, "logins.jsonl", &file);
        let letters = ledger.run(&["deadletter", "list"]).ended(0);
        assert_eq!((summary.events, summary.rejected), (events.len() as u64, 0), "{summary:?}\n{}", letters.text());
    }
    for (connector, events) in personal_events() {
        let mut bytes: Vec<u8> = events.iter().flat_map(|event| format!("{event}\n").into_bytes()).collect();
        bytes.extend_from_slice(format!("broken by {}, {}\n", PERSONAL[0], PERSONAL[1]).as_bytes());
        let summary = import(&ledger, connector, &format!("{}.jsonl", PERSONAL[2]), &bytes);
        let expected = u64::try_from(events.len()).unwrap() + 1;
        assert_eq!(summary.events + summary.rejected, expected, "{connector}: {summary:?}");
        let letters = ledger.run(&["deadletter", "list"]).ended(0);
        assert!(summary.rejected <= 2, "{connector}: {summary:?}\n{}", letters.text());
    }
    let needles: Vec<Vec<u8>> = PERSONAL.iter().chain(&LOGINS).map(|value| value.as_bytes().to_vec()).collect();
    let opened = open(&ledger);
    let reader = opened.reader();
    let (mut records, mut beside) = (Vec::new(), Vec::new());
    for index in indexes(&reader) {
        let record = reader.record(index).unwrap();
        records.push((format!("{:#?}", record.body), reader.record_bytes(index).unwrap()));
        if let Some(found) = reader.beside(index).unwrap() {
            beside.push((format!("beside {index}"), found.payload.unwrap().content));
        }
    }
    let found = Stored { parts: records }.find(&needles);
    assert!(found.is_empty(), "{} places, such as {}", found.len(), found.join("\n"));
    // The search finds what is there: the payloads hold all of it.
    let beside = Stored { parts: beside };
    for needle in &needles {
        assert!(!beside.find(std::slice::from_ref(needle)).is_empty(), "{}", String::from_utf8_lossy(needle));
    }
    drop((reader, opened));

    // Nor is it in what is made of the records, or in what is handed out: nodes, known events, positions, anchor, policy.
    let mut parts = Vec::new();
    for name in ["ledger.anchor", "ledger.policy"] {
        parts.push((name.to_owned(), fs::read(ledger.beside(name)).unwrap()));
    }
    let options = rocksdb::Options::default();
    for (name, columns) in [("log", &["default", "records"][..]), ("derived", &["default", "nodes", "events", "map"])] {
        let path = ledger.data().join(name);
        let all = DB::list_cf(&options, &path).unwrap();
        let db = DB::open_cf_for_read_only(&options, &path, &all, false).unwrap();
        for column in columns {
            for row in db.iterator_cf(&db.cf_handle(column).unwrap(), IteratorMode::Start) {
                let (key, value) = row.unwrap();
                parts.push((format!("{name}/{column}"), [key, value].concat()));
            }
        }
    }
    let found = Stored { parts }.find(&needles);
    assert!(found.is_empty(), "{found:#?}");
}

/// Whom a search may find although no record names them: the views do that, and they are read back from beside.
#[test]
fn people_are_found_by_what_no_record_holds() {
    let ledger = LedgerFolder::init();
    let (_, events) = personal_events().swap_remove(0);
    let bytes: Vec<u8> = events.iter().flat_map(|event| format!("{event}\n").into_bytes()).collect();
    import(&ledger, "okta", "a.jsonl", &bytes);
    for name in [PERSONAL[1], PERSONAL[0], "account:okta:default:00uzelda"] {
        ledger.run(&["state", name]).ended(0);
    }
}
