//! The shapes of CloudTrail: how a call looks in the log. Owns every key of these events. Keys stand in alphabetical order,
//! as in [`crate::okta`].

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde_json::{Map, Value, json};

use super::{
    ACCOUNT, AGENT, BY_HAND, BY_TICKET, CloudAccess, CloudDeed, DIRECTORY, GROUPS, POLICIES, PROVISIONER, ROLES, SETS,
    SSO_INSTANCE, arn, ids, policy_arn, role_id, set_arn, unique_id,
};
use crate::action::{Action, Executor};
use crate::calendar::freshservice_time as aws_time;
use crate::chronicle::Chronicle;
use crate::company::IdentityIndex;
use crate::random::{Random, uuid_text};

/// Who signs a call.
enum Caller {
    Root,
    /// A person of Identity Center, through the administrators' role.
    Person(IdentityIndex),
    /// A session of a role, which may be named after a ticket. An administrator who opened it stands in it.
    Role {
        role: usize,
        session: String,
        opened_by: Option<IdentityIndex>,
    },
}

/// A call as one event of the log.
pub(crate) fn event(chronicle: &Chronicle, action: &Action, deed: CloudDeed, random: &mut Random) -> Value {
    let (source, name, read_only) = deed.event();
    let (request, response) = match action.succeeded {
        true => (request(chronicle, action, deed), response(chronicle, action, deed)),
        // What was refused is not told.
        false => (Value::Null, Value::Null),
    };
    let caller = caller(chronicle, action);
    let mut event = BTreeMap::from([
        ("awsRegion", "us-east-1".into()),
        ("eventCategory", "Management".into()),
        ("eventID", uuid_text(action.uuid).into()),
        ("eventName", name.into()),
        ("eventSource", format!("{source}.amazonaws.com").into()),
        ("eventTime", aws_time(action.at).into()),
        ("eventType", if deed == CloudDeed::SignIn { "AwsConsoleSignIn" } else { "AwsApiCall" }.into()),
        ("eventVersion", "1.11".into()),
        ("managementEvent", true.into()),
        ("readOnly", read_only.into()),
        ("recipientAccountId", ACCOUNT.into()),
        ("requestID", uuid_text(random.uuid()).into()),
        ("requestParameters", request),
        ("responseElements", response),
        ("sourceIPAddress", address(&caller, random).into()),
        (
            "tlsDetails",
            json!({
                "cipherSuite": "TLS_AES_128_GCM_SHA256",
                "clientProvidedHostHeader": format!("{source}.amazonaws.com"),
                "tlsVersion": "TLSv1.3"
            }),
        ),
        ("userAgent", agent(&caller).into()),
        ("userIdentity", identity(chronicle, &caller, action.at, random)),
    ]);
    if !action.succeeded {
        event.insert("errorCode", "AccessDenied".into());
        event.insert("errorMessage", format!("The caller is not authorized to perform: {source}:{name}").into());
    }
    event.into_iter().map(|(key, value)| (key.to_owned(), value)).collect::<Map<_, _>>().into()
}

/// As the ledger has the type of a call's event.
pub(crate) fn event_type(deed: CloudDeed) -> String {
    let (source, name, _) = deed.event();
    format!("{source}.amazonaws.com:{name}")
}

/// The login of whoever executes a call.
pub(crate) fn executor_login(chronicle: &Chronicle, action: &Action) -> String {
    match caller(chronicle, action) {
        Caller::Root => arn("root"),
        Caller::Person(who) => chronicle.company.of(who).login.clone(),
        Caller::Role { role, .. } => format!("role/{}", ROLES[role].0),
    }
}

/// The account is set up by its root user. Machines have roles, whose sessions are named after the ticket; so are those
/// of administrators who follow one.
fn caller(chronicle: &Chronicle, action: &Action) -> Caller {
    let ticket = action.reference.map(|case| chronicle.ticket(case));
    match (action.executor, ticket) {
        (Executor::System, _) => Caller::Root,
        (Executor::Console(who), None) => Caller::Person(who),
        (Executor::Console(who), Some(session)) => Caller::Role { role: BY_TICKET, session, opened_by: Some(who) },
        (Executor::Token(token), ticket) => {
            let is_provisioner = chronicle.tokens[token].owner == chronicle.company.provisioner;
            let role = if is_provisioner { PROVISIONER } else { AGENT };
            Caller::Role { role, session: ticket.unwrap_or_else(|| "routine".to_owned()), opened_by: None }
        }
    }
}

fn identity(chronicle: &Chronicle, caller: &Caller, at: Timestamp, random: &mut Random) -> Value {
    let session = |role: usize, name: &str, more: Vec<(&str, Value)>, random: &mut Random| {
        let (role_name, role_id) = (ROLES[role].0, role_id(role));
        let mut context = BTreeMap::from([
            ("attributes", json!({ "creationDate": aws_time(at), "mfaAuthenticated": "false" })),
            (
                "sessionIssuer",
                json!({
                    "accountId": ACCOUNT, "arn": arn(&format!("role/{role_name}")), "principalId": role_id, "type": "Role",
                    "userName": role_name
                }),
            ),
        ]);
        let mut identity = BTreeMap::from([
            ("accessKeyId", unique_id("ASIA", random).into()),
            ("accountId", ACCOUNT.into()),
            ("arn", format!("arn:aws:sts::{ACCOUNT}:assumed-role/{role_name}/{name}").into()),
            ("principalId", format!("{role_id}:{name}").into()),
            ("type", "AssumedRole".into()),
        ]);
        for (key, value) in more {
            if key == "sourceIdentity" {
                context.insert(key, value)
            } else {
                identity.insert(key, value)
            };
        }
        identity.insert("sessionContext", json!(context));
        json!(identity)
    };
    let login = |who: &IdentityIndex| chronicle.company.of(*who).login.as_str();
    match caller {
        Caller::Root => json!({ "accountId": ACCOUNT, "arn": arn("root"), "principalId": ACCOUNT, "type": "Root" }),
        Caller::Person(who) => {
            let directory = format!("arn:aws:identitystore::{ACCOUNT}:identitystore/{DIRECTORY}");
            let behind = json!({ "identityStoreArn": directory, "userId": ids(*who).person });
            session(BY_HAND, login(who), vec![("onBehalfOf", behind)], random)
        }
        Caller::Role { role, session: name, opened_by } => {
            let opened_by = opened_by.iter().map(|who| ("sourceIdentity", login(who).into())).collect();
            session(*role, name, opened_by, random)
        }
    }
}

fn address(caller: &Caller, random: &mut Random) -> String {
    match caller {
        Caller::Role { opened_by: None, .. } => "192.0.2.17".to_owned(),
        _ => format!("198.51.100.{}", random.between(2, 250)),
    }
}

fn agent(caller: &Caller) -> &'static str {
    match caller {
        Caller::Role { .. } => "aws-sdk-go-v2/1.30.3 os/linux lang/go#1.22.4",
        _ => "Mozilla/5.0 (X11; Linux x86_64; rv:128.0) Gecko/20100101 Firefox/128.0",
    }
}

fn request(chronicle: &Chronicle, action: &Action, deed: CloudDeed) -> Value {
    let user = chronicle.company.of(action.subject).login.as_str();
    let ids = ids(action.subject);
    let instance = format!("arn:aws:sso:::instance/{SSO_INSTANCE}");
    match deed {
        CloudDeed::Give(CloudAccess::User | CloudAccess::AccessKey)
        | CloudDeed::Take(CloudAccess::User | CloudAccess::Password) => json!({ "userName": user }),
        CloudDeed::Give(CloudAccess::Password) => json!({ "passwordResetRequired": true, "userName": user }),
        CloudDeed::Take(CloudAccess::AccessKey) => json!({ "accessKeyId": ids.key, "userName": user }),
        CloudDeed::Give(CloudAccess::Group(group)) | CloudDeed::Take(CloudAccess::Group(group)) => {
            json!({ "groupName": GROUPS[group].0, "userName": user })
        }
        CloudDeed::Give(CloudAccess::Policy(policy)) | CloudDeed::Take(CloudAccess::Policy(policy)) => {
            json!({ "policyArn": policy_arn(POLICIES[policy]), "userName": user })
        }
        CloudDeed::Ask(set) | CloudDeed::AskEnd(set) => json!({
            "instanceArn": instance, "permissionSetArn": set_arn(set), "principalId": ids.person, "principalType": "USER",
            "targetId": ACCOUNT, "targetType": "AWS_ACCOUNT"
        }),
        CloudDeed::Give(CloudAccess::Assignment(set)) => {
            json!({ "accountAssignmentCreationRequestId": request_id(action, set), "instanceArn": instance })
        }
        CloudDeed::Take(CloudAccess::Assignment(set)) => {
            json!({ "accountAssignmentDeletionRequestId": request_id(action, set), "instanceArn": instance })
        }
        CloudDeed::Enter => json!({ "identityStoreId": DIRECTORY, "userName": user }),
        CloudDeed::Leave => json!({ "identityStoreId": DIRECTORY, "userId": ids.person }),
        CloudDeed::CreateGroup(group) => json!({ "groupName": GROUPS[group].0 }),
        CloudDeed::AttachGroupPolicy(group) => {
            json!({ "groupName": GROUPS[group].0, "policyArn": policy_arn(GROUPS[group].1) })
        }
        CloudDeed::CreateSet(set) => json!({ "instanceArn": instance, "name": SETS[set].0 }),
        CloudDeed::AttachSetPolicy(set) => json!({
            "instanceArn": instance, "managedPolicyArn": policy_arn(SETS[set].2), "permissionSetArn": set_arn(set)
        }),
        CloudDeed::CreateRole(role) => {
            json!({ "assumeRolePolicyDocument": super::listings::trust().to_string(), "roleName": ROLES[role].0 })
        }
        CloudDeed::AttachRolePolicy(role) | CloudDeed::DetachRolePolicy(role) => {
            json!({ "policyArn": policy_arn(POLICIES[ROLES[role].1]), "roleName": ROLES[role].0 })
        }
        CloudDeed::AssumeRole(role) => {
            json!({ "roleArn": arn(&format!("role/{}", ROLES[role].0)), "roleSessionName": "routine" })
        }
        CloudDeed::ListUsers | CloudDeed::SignIn => Value::Null,
    }
}

fn response(chronicle: &Chronicle, action: &Action, deed: CloudDeed) -> Value {
    let user = chronicle.company.of(action.subject).login.as_str();
    let (ids, created) = (ids(action.subject), action.at.strftime("%b %-d, %Y %-I:%M:%S %p").to_string());
    let assignment = |set: usize, status: &str| {
        json!({
            "permissionSetArn": set_arn(set), "principalId": ids.person, "principalType": "USER",
            "requestId": request_id(action, set), "status": status, "targetId": ACCOUNT, "targetType": "AWS_ACCOUNT"
        })
    };
    match deed {
        CloudDeed::Give(CloudAccess::User) => json!({ "user": {
            "arn": arn(&format!("user/{user}")), "createDate": created, "path": "/", "userId": ids.user, "userName": user
        } }),
        CloudDeed::Give(CloudAccess::Password) => {
            json!({ "loginProfile": { "createDate": created, "passwordResetRequired": true, "userName": user } })
        }
        CloudDeed::Give(CloudAccess::AccessKey) => json!({ "accessKey": {
            "accessKeyId": ids.key, "createDate": created, "status": "Active", "userName": user
        } }),
        CloudDeed::Ask(set) => json!({ "accountAssignmentCreationStatus": assignment(set, "IN_PROGRESS") }),
        CloudDeed::AskEnd(set) => json!({ "accountAssignmentDeletionStatus": assignment(set, "IN_PROGRESS") }),
        CloudDeed::Give(CloudAccess::Assignment(set)) => {
            json!({ "accountAssignmentCreationStatus": assignment(set, "SUCCEEDED") })
        }
        CloudDeed::Take(CloudAccess::Assignment(set)) => {
            json!({ "accountAssignmentDeletionStatus": assignment(set, "SUCCEEDED") })
        }
        CloudDeed::Enter => json!({ "identityStoreId": DIRECTORY, "userId": ids.person }),
        CloudDeed::CreateGroup(group) => json!({ "group": {
            "arn": arn(&format!("group/{}", GROUPS[group].0)), "createDate": created, "groupName": GROUPS[group].0, "path": "/"
        } }),
        CloudDeed::CreateSet(set) => json!({ "permissionSet": {
            "name": SETS[set].0, "permissionSetArn": set_arn(set)
        } }),
        CloudDeed::CreateRole(role) => json!({ "role": {
            "arn": arn(&format!("role/{}", ROLES[role].0)), "createDate": created, "path": "/", "roleId": role_id(role),
            "roleName": ROLES[role].0
        } }),
        CloudDeed::SignIn => json!({ "ConsoleLogin": "Success" }),
        _ => Value::Null,
    }
}

/// The id under which AWS carries out an assignment: the same when it is asked how far that has come.
fn request_id(action: &Action, set: usize) -> String {
    let number = action.subject.0 * SETS.len() + set;
    uuid_text(Random::new(number as u64, "cloud assignments").uuid())
}
