//! Events of the Okta System Log, written by hand in their real shape.

use serde_json::{Value, json};

/// A person of the tests: id, login and name all follow from one number.
pub fn user(number: u32) -> Value {
    json!({
        "id": user_id(number), "type": "User", "alternateId": login(number), "displayName": format!("Person {number}"),
    })
}

/// The id of that person.
pub fn user_id(number: u32) -> String {
    format!("00u{number:017}")
}

/// The login of that person.
pub fn login(number: u32) -> String {
    format!("person{number}@example.com")
}

/// The group of a number.
pub fn group(number: u32) -> Value {
    json!({
        "id": format!("00g{number:017}"), "type": "UserGroup", "alternateId": "unknown",
        "displayName": format!("Group {number}"),
    })
}

/// An event: its number is in its uuid.
pub fn event(number: u32, event_type: &str, published: &str, targets: &[Value]) -> Value {
    json!({
        "uuid": uuid(number), "published": published, "eventType": event_type, "version": "0", "severity": "INFO",
        "actor": user(0), "outcome": {"result": "SUCCESS", "reason": null},
        "client": {"ipAddress": "203.0.113.7", "userAgent": {"rawUserAgent": "curl/8"}},
        "transaction": {"type": "WEB", "id": format!("transaction{number}"), "detail": {}},
        "debugContext": {"debugData": {"requestId": format!("request{number}")}},
        "target": targets,
    })
}

/// The uuid of an event.
pub fn uuid(number: u32) -> String {
    format!("00000000-0000-4000-8000-{number:012}")
}

/// Somebody joins a group.
pub fn joined(number: u32, published: &str, who: u32, what: u32) -> Value {
    event(number, "group.user_membership.add", published, &[user(who), group(what)])
}

/// Somebody leaves a group.
pub fn left(number: u32, published: &str, who: u32, what: u32) -> Value {
    event(number, "group.user_membership.remove", published, &[user(who), group(what)])
}

/// An application is given to the members of a group.
pub fn implied(number: u32, published: &str, what: u32, app: u32) -> Value {
    let app = json!({
        "id": format!("0oa{app:017}"), "type": "AppInstance", "alternateId": "unknown", "displayName": format!("App {app}"),
    });
    event(number, "group.application_assignment.add", published, &[group(what), app])
}

/// A user of the management API.
pub fn user_object(number: u32, status: &str) -> Value {
    json!({
        "id": user_id(number), "status": status, "created": "2025-01-01T00:00:00.000Z",
        "lastUpdated": "2025-06-01T00:00:00.000Z", "lastLogin": "2026-02-28T08:00:00.000Z",
        "profile": {"login": login(number), "email": login(number), "firstName": "Person", "lastName": number.to_string()},
        "credentials": {"password": {}, "provider": {"type": "OKTA", "name": "OKTA"}},
        "_links": {"self": {"href": format!("https://acme.okta.com/api/v1/users/{}", user_id(number))}},
    })
}

/// A response of the management API as `curl -i` keeps it: what it is of, what comes behind it, when it was given.
pub fn response(own: &str, next: Option<&str>, date: &str, body: &Value) -> String {
    const ROOT: &str = "https://acme.okta.com/api/v1/";
    let next = next.map(|next| format!("link: <{ROOT}{next}>; rel=\"next\"\r\n")).unwrap_or_default();
    format!(
        "HTTP/2 200 \r\ndate: {date}\r\ncontent-type: application/json\r\nlink: <{ROOT}{own}>; rel=\"self\"\r\n{next}\r\n\
         {body}\n"
    )
}
