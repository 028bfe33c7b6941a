//! What AWS says is live, as its command line prints it: users, groups, roles and policies, the credential report, and what
//! Identity Center has. Owns the shapes of these responses, and how each of them is to be taken.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde_json::{Value, json};

use super::live::{Holder, Now};
use super::{
    ACCOUNT, CloudAccess, DIRECTORY, GROUPS, POLICIES, SETS, arn, ids, policy_arn, role_id, set_arn, unique_id,
};
use crate::calendar::freshservice_time as aws_time;
use crate::chronicle::Chronicle;
use crate::company::Company;
use crate::random::Random;
use crate::{Delivery, File, Listings};

/// Users on a page.
const PAGE: usize = 10;
const REPORT_HEADER: &str = "user,arn,user_creation_time,password_enabled,password_last_used,password_last_changed,\
    password_next_rotation,mfa_active,access_key_1_active,access_key_1_last_rotated,access_key_1_last_used_date,\
    access_key_1_last_used_region,access_key_1_last_used_service,access_key_2_active,access_key_2_last_rotated,\
    access_key_2_last_used_date,access_key_2_last_used_region,access_key_2_last_used_service,cert_1_active,\
    cert_1_last_rotated,cert_2_active,cert_2_last_rotated";

/// A run of `counterfoil snapshot` for each call: nothing in a response says which one it answers.
pub(crate) fn render(chronicle: &Chronicle, now: &Now) -> Vec<Listings> {
    let company = &chronicle.company;
    let run = |name: &str, scope: Option<String>, pages: Vec<String>| {
        let file = |(n, page): (usize, String)| File {
            name: format!("aws-live/{name}/page-{n:02}.json"),
            connector: "cloudtrail",
            delivery: Delivery::OnTime,
            bytes: page.into_bytes(),
        };
        Listings {
            connector: "cloudtrail",
            files: pages.into_iter().enumerate().map(file).collect(),
            scope,
            instance: Some(ACCOUNT),
            as_of: Some(now.at),
        }
    };
    let mut runs = vec![
        run("account", Some("get-account-authorization-details".to_owned()), account(company, now)),
        run("credential-report", None, vec![report(company, now)]),
        run("directory", Some("list-users".to_owned()), vec![people(company, now)]),
    ];
    for (set, (name, ..)) in SETS.iter().enumerate() {
        let scope = format!("list-account-assignments?account-id={ACCOUNT}&permission-set-arn={}", set_arn(set));
        runs.push(run(&format!("assignments-{name}"), Some(scope), vec![assignments(now, set)]));
    }
    runs
}

/// Who may assume a role.
pub(crate) fn trust() -> Value {
    json!({
        "Statement": [{ "Action": "sts:AssumeRole", "Effect": "Allow", "Principal": { "AWS": arn("root") } }],
        "Version": "2012-10-17"
    })
}

/// The pages of `get-account-authorization-details`; groups, roles and policies stand on the first.
fn account(company: &Company, now: &Now) -> Vec<String> {
    let users: Vec<Value> = (holders(now, |holder| matches!(holder, Holder::User(_) | Holder::Stranger)))
        .map(|holder| user(company, now, holder))
        .collect();
    let groups = GROUPS.iter().enumerate().map(|(n, (name, policy))| {
        json!({
            "Arn": arn(&format!("group/{name}")), "AttachedManagedPolicies": [attached(policy)],
            "CreateDate": aws_time(now.at), "GroupId": unique_id("AGPA", &mut Random::new(n as u64, "cloud groups")),
            "GroupName": name, "GroupPolicyList": [], "Path": "/"
        })
    });
    let roles = holders(now, |holder| matches!(holder, Holder::Role(_))).map(|holder| role(company, now, holder));
    let (groups, roles): (Vec<Value>, Vec<Value>) = (groups.collect(), roles.collect());
    let policies: Vec<Value> = POLICIES.iter().map(|policy| defined(policy)).collect();
    let pages: Vec<&[Value]> = users.chunks(PAGE).collect();
    let page = |(n, users): (usize, &&[Value])| {
        let first = |list: &[Value]| Value::from(if n == 0 { list.to_vec() } else { Vec::new() });
        let is_last = n + 1 == pages.len();
        let mut page = BTreeMap::from([
            ("GroupDetailList", first(&groups)),
            ("IsTruncated", (!is_last).into()),
            ("Policies", first(&policies)),
            ("RoleDetailList", first(&roles)),
            ("UserDetailList", users.to_vec().into()),
        ]);
        if !is_last {
            page.insert("Marker", format!("page-{}", n + 1).into());
        }
        format!("{:#}\n", json!(page))
    };
    pages.iter().enumerate().map(page).collect()
}

/// Accounts that are there.
fn holders(now: &Now, is_it: impl Fn(&Holder) -> bool) -> impl Iterator<Item = Holder> {
    let accounts = now.held.iter().filter(|(_, access)| *access == CloudAccess::User).map(|(holder, _)| *holder);
    accounts.filter(move |holder| is_it(holder))
}

fn held(now: &Now, holder: Holder) -> impl Iterator<Item = CloudAccess> {
    now.held.iter().filter(move |(by, _)| *by == holder).map(|(_, access)| *access)
}

fn policies(now: &Now, holder: Holder) -> Vec<Value> {
    let policy = |access| match access {
        CloudAccess::Policy(policy) => Some(attached(POLICIES[policy])),
        _ => None,
    };
    held(now, holder).filter_map(policy).collect()
}

/// A policy of AWS, with the document of its version.
fn defined(policy: &str) -> Value {
    let allowed = json!({ "Action": "*", "Effect": "Allow", "Resource": "*", "Sid": policy });
    json!({
        "Arn": policy_arn(policy), "DefaultVersionId": "v1", "IsAttachable": true, "Path": "/", "PolicyName": policy,
        "PolicyVersionList": [{
            "Document": { "Statement": [allowed], "Version": "2012-10-17" }, "IsDefaultVersion": true, "VersionId": "v1"
        }]
    })
}

fn attached(policy: &str) -> Value {
    json!({ "PolicyArn": policy_arn(policy), "PolicyName": policy })
}

fn user(company: &Company, now: &Now, holder: Holder) -> Value {
    let name = holder.name(company);
    let group = |access| match access {
        CloudAccess::Group(group) => Some(GROUPS[group].0),
        _ => None,
    };
    let id = match holder {
        Holder::User(who) => ids(who).user,
        _ => unique_id("AIDA", &mut Random::new(0, "cloud strangers")),
    };
    json!({
        "Arn": arn(&format!("user/{name}")), "AttachedManagedPolicies": policies(now, holder),
        "CreateDate": aws_time(created(company, now, holder)),
        "GroupList": held(now, holder).filter_map(group).collect::<Vec<_>>(), "Path": "/", "Tags": [], "UserId": id,
        "UserName": name
    })
}

fn role(company: &Company, now: &Now, holder: Holder) -> Value {
    let name = holder.name(company);
    let id = match holder {
        Holder::Role(role) => role_id(role),
        _ => String::new(),
    };
    json!({
        "Arn": arn(&format!("role/{name}")), "AssumeRolePolicyDocument": trust(),
        "AttachedManagedPolicies": policies(now, holder), "CreateDate": aws_time(now.at), "InstanceProfileList": [],
        "Path": "/", "RoleId": id, "RoleName": name, "RolePolicyList": [], "Tags": []
    })
}

fn created(company: &Company, now: &Now, holder: Holder) -> Timestamp {
    match holder {
        Holder::User(who) | Holder::Person(who) => company.of(who).from,
        _ => now.at,
    }
}

/// The credential report, in CSV as the console gives it.
fn report(company: &Company, now: &Now) -> String {
    let users = holders(now, |holder| matches!(holder, Holder::User(_) | Holder::Stranger));
    let rows = [Holder::Root].into_iter().chain(users).map(|holder| {
        let name = holder.name(company);
        let (user, resource, password) = match holder {
            Holder::Root => ("<root_account>", "root".to_owned(), "not_supported"),
            _ if held(now, holder).any(|access| access == CloudAccess::Password) => {
                (&*name, format!("user/{name}"), "true")
            }
            _ => (&*name, format!("user/{name}"), "false"),
        };
        let since = created(company, now, holder).strftime("%Y-%m-%dT%H:%M:%S+00:00");
        format!(
            "{user},{},{since},{password},no_information,{since},N/A,true,false,N/A,N/A,N/A,N/A,false,N/A,N/A,N/A,N/A,false,\
             N/A,false,N/A",
            arn(&resource)
        )
    });
    let rows: Vec<String> = rows.collect();
    format!("{REPORT_HEADER}\n{}\n", rows.join("\n"))
}

/// The directory of Identity Center.
fn people(company: &Company, now: &Now) -> String {
    let person = |holder: Holder| match holder {
        Holder::Person(who) => {
            let identity = company.of(who);
            Some(json!({
                "DisplayName": identity.display_name(),
                "Emails": [{ "Primary": true, "Type": "work", "Value": identity.login }],
                "IdentityStoreId": DIRECTORY, "UserId": ids(who).person, "UserName": identity.login, "UserStatus": "ENABLED"
            }))
        }
        _ => None,
    };
    let people: Vec<Value> = holders(now, |holder| matches!(holder, Holder::Person(_))).filter_map(person).collect();
    format!("{:#}\n", json!({ "Users": people }))
}

/// Who has a permission set in the account.
fn assignments(now: &Now, set: usize) -> String {
    let of_set = now.held.iter().filter(|(_, access)| *access == CloudAccess::Assignment(set));
    let assignment = |(holder, _): &(Holder, CloudAccess)| match holder {
        Holder::Person(who) => Some(json!({
            "AccountId": ACCOUNT, "PermissionSetArn": set_arn(set), "PrincipalId": ids(*who).person,
            "PrincipalType": "USER"
        })),
        _ => None,
    };
    let assignments: Vec<Value> = of_set.filter_map(assignment).collect();
    format!("{:#}\n", json!({ "AccountAssignments": assignments }))
}
