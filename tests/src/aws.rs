//! Events of CloudTrail and responses of AWS's APIs, written by hand in their real shape.

use counterfoil_proto::v1::SnapshotResponse;
use serde_json::{Value, json};

use crate::program::LedgerFolder;

/// The account that everything here is of.
pub const ACCOUNT: &str = "111122223333";

/// When the listings here are taken.
pub const NOON: &str = "2026-03-02T12:00:00Z";
/// Two permission sets of Identity Center, two people and a group of its directory.
pub const SET: &str = "arn:aws:sso:::permissionSet/ssoins-7223abcdef012345/ps-0123456789abcdef";
pub const OTHER_SET: &str = "arn:aws:sso:::permissionSet/ssoins-7223abcdef012345/ps-fedcba9876543210";
pub const JANE: &str = "f81d4fae-7dec-11d0-a765-00a0c91e6bf6";
pub const JOHN: &str = "90677c3c4a-0c1b2d3e-4f50-4a6b-8c7d-9e0f1a2b3c4d";
pub const TEAM: &str = "11111111-2222-4333-8444-555555555555";
/// The arguments that name the account of Identity Center.
pub const ORG: &[&str] = &["--instance", ACCOUNT];

/// The ARN of something in IAM, such as "user/jane".
pub fn arn(resource: &str) -> String {
    format!("arn:aws:iam::{ACCOUNT}:{resource}")
}

/// The ARN of a policy that AWS manages.
pub fn managed(name: &str) -> String {
    format!("arn:aws:iam::aws:policy/{name}")
}

/// An event by the user `svc-sync` that succeeded.
pub fn event(number: u32, time: &str, source: &str, name: &str, request: Value, response: Value) -> Value {
    json!({
        "eventVersion": "1.09", "eventTime": time, "eventSource": format!("{source}.amazonaws.com"), "eventName": name,
        "readOnly": false, "eventID": format!("5f0e8c3a-1111-4222-8333-{number:012}"), "recipientAccountId": ACCOUNT,
        "userIdentity": {
            "type": "IAMUser", "principalId": "AIDAEXAMPLE1SYNC0001", "accountId": ACCOUNT, "arn": arn("user/svc-sync"),
            "userName": "svc-sync",
        },
        "requestParameters": request, "responseElements": response,
    })
}

/// An event of IAM whose request says all.
pub fn iam(number: u32, time: &str, name: &str, request: Value) -> Value {
    event(number, time, "iam", name, request, Value::Null)
}

/// A policy document.
pub fn document(action: &str) -> Value {
    json!({"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": action, "Resource": "*"}]})
}

/// The same as IAM's API gives it.
pub fn encoded(document: &Value) -> String {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.' | b'~');
    let text = document.to_string();
    text.bytes().map(|byte| if plain(byte) { char::from(byte).to_string() } else { format!("%{byte:02X}") }).collect()
}

/// A user as `get-account-authorization-details` has one.
pub fn user(name: &str, groups: &[&str], policies: &[&str]) -> Value {
    json!({
        "Path": "/", "UserName": name, "UserId": unique_id("AIDA", name), "Arn": arn(&format!("user/{name}")),
        "CreateDate": "2025-01-01T00:00:00+00:00", "GroupList": groups,
        "AttachedManagedPolicies": policies.iter().map(|name| attached(name)).collect::<Vec<_>>(), "Tags": [],
    })
}

/// A role as `get-account-authorization-details` has one.
pub fn role(name: &str, policies: &[&str]) -> Value {
    json!({
        "Path": "/", "RoleName": name, "RoleId": unique_id("AROA", name), "Arn": arn(&format!("role/{name}")),
        "CreateDate": "2025-01-01T00:00:00+00:00", "AssumeRolePolicyDocument": document("sts:AssumeRole"),
        "InstanceProfileList": [], "RolePolicyList": [],
        "AttachedManagedPolicies": policies.iter().map(|name| attached(name)).collect::<Vec<_>>(), "Tags": [],
        "RoleLastUsed": {"LastUsedDate": "2026-02-28T08:00:00+00:00", "Region": "eu-central-1"},
    })
}

/// A group as `get-account-authorization-details` has one.
pub fn group(name: &str, policies: &[&str]) -> Value {
    json!({
        "Path": "/", "GroupName": name, "GroupId": unique_id("AGPA", name), "Arn": arn(&format!("group/{name}")),
        "CreateDate": "2025-01-01T00:00:00+00:00", "GroupPolicyList": [],
        "AttachedManagedPolicies": policies.iter().map(|name| attached(name)).collect::<Vec<_>>(),
    })
}

/// A response of `get-account-authorization-details`: what it lists, and the marker of the one behind it.
pub fn details(users: &[Value], groups: &[Value], roles: &[Value], policies: &[Value], marker: Option<&str>) -> Value {
    let mut details = json!({
        "UserDetailList": users, "GroupDetailList": groups, "RoleDetailList": roles, "Policies": policies,
        "IsTruncated": marker.is_some(),
    });
    if let Some(marker) = marker {
        details["Marker"] = json!(marker);
    }
    details
}

/// An assignment of Identity Center.
pub fn assignment(account: &str, set: &str, kind: &str, principal: &str) -> Value {
    json!({"AccountId": account, "PermissionSetArn": set, "PrincipalType": kind, "PrincipalId": principal})
}

/// A row of the credential report: a password, and the first access key.
pub fn report_row(user: &str, password: &str, key: &str) -> String {
    let resource = if user == "<root_account>" { "root".to_owned() } else { format!("user/{user}") };
    let rotated = if key == "true" { "2025-06-01T00:00:00+00:00" } else { "N/A" };
    format!(
        "{user},{},2025-01-01T00:00:00+00:00,{password},no_information,2025-01-01T00:00:00+00:00,N/A,false,{key},{rotated},\
         N/A,N/A,N/A,false,N/A,N/A,N/A,N/A,false,N/A,false,N/A",
        arn(&resource)
    )
}

/// A credential report.
pub fn report(rows: &[String]) -> String {
    const HEADER: &str = "user,arn,user_creation_time,password_enabled,password_last_used,password_last_changed,\
        password_next_rotation,mfa_active,access_key_1_active,access_key_1_last_rotated,access_key_1_last_used_date,\
        access_key_1_last_used_region,access_key_1_last_used_service,access_key_2_active,access_key_2_last_rotated,\
        access_key_2_last_used_date,access_key_2_last_used_region,access_key_2_last_used_service,cert_1_active,\
        cert_1_last_rotated,cert_2_active,cert_2_last_rotated";
    format!("{HEADER}\n{}\n", rows.join("\n"))
}

fn attached(name: &str) -> Value {
    json!({"PolicyName": name, "PolicyArn": managed(name)})
}

fn unique_id(prefix: &str, name: &str) -> String {
    let digits: u32 = name.bytes().map(u32::from).sum();
    format!("{prefix}EXAMPLE{digits:09}")
}

/// Takes listings through the program: a file for each page.
///
/// # Panics
/// If that fails.
#[track_caller]
pub fn snapshot(ledger: &LedgerFolder, pages: &[String], further: &[&str]) -> SnapshotResponse {
    let files: Vec<String> = pages
        .iter()
        .enumerate()
        .map(|(number, text)| ledger.file(&format!("page{number}"), text).to_str().expect("a name in ASCII").to_owned())
        .collect();
    let mut arguments: Vec<&str> = ["snapshot", "cloudtrail", "--output", "json"].to_vec();
    arguments.extend(files.iter().map(String::as_str));
    arguments.extend(further);
    ledger.run(&arguments).json()
}

/// Takes pages as of noon, on the operator's word.
///
/// # Panics
/// If that fails, or one of them is strange.
#[track_caller]
pub fn whole(ledger: &LedgerFolder, pages: &[String], further: &[&str]) -> SnapshotResponse {
    let response = snapshot(ledger, pages, &[&["--as-of", NOON, "--complete"], further].concat());
    assert_eq!(response.strange, 0, "{response:?}");
    response
}
