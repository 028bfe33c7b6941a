//! Events in which logins stand where ids, codes, types and names of fields do.

use counterfoil_tests::okta::joined;
use serde_json::{Value, json};

/// What people log in as: it looks like an id, and stands where ids do.
pub const LOGINS: [&str; 4] = ["quill.plumtreely", "plumtreely-quill", "plumtreelyquill", "qplumtreely42"];

/// Events that have a login in the place of every id, code, type and name of a field.
pub fn events_with_logins_for_ids() -> Vec<(&'static str, Vec<Value>)> {
    let (mut okta, mut freshservice, mut facts) = (Vec::new(), Vec::new(), Vec::new());
    let (mut cloudtrail, mut people, mut register) = (Vec::new(), Vec::new(), Vec::new());
    let (mut github, mut kubernetes) = (Vec::new(), Vec::new());
    for (number, login) in (500..).zip(LOGINS) {
        for (source, name) in [
            ("iam", "CreateUser"),
            ("iam", "UpdateUser"),
            ("iam", "AddUserToGroup"),
            ("iam", "AttachUserPolicy"),
            ("iam", "PutUserPolicy"),
            ("iam", "CreatePolicyVersion"),
            ("iam", "CreateAccessKey"),
            ("iam", "CreateLoginProfile"),
            ("iam", "EnableMFADevice"),
            ("sts", "AssumeRole"),
            ("sso", "CreateAccountAssignment"),
            ("identitystore", "AddMemberToGroup"),
            (login, login),
        ] {
            for kind in ["IAMUser", "AssumedRole", "FederatedUser", "SAMLUser", "AWSService", "Unknown", login] {
                cloudtrail.push(json!({
                    "eventVersion": login, "eventTime": "2026-03-01T09:00:00Z", "recipientAccountId": login,
                    "eventSource": format!("{source}.amazonaws.com"), "eventName": name, "readOnly": false,
                    "eventID": format!("{login}/{name}/{kind}"), "requestID": login, "sharedEventID": login,
                    "errorCode": if name == "CreateUser" { json!(login) } else { Value::Null },
                    "userIdentity": {
                        "type": kind, "principalId": format!("{login}:{login}"), "accountId": login, "userName": login,
                        "arn": format!("arn:aws:sts::1:federated-user/{login}"), "accessKeyId": login,
                        "invokedBy": login, "sessionContext": {"sessionIssuer": {"userName": login, "arn": login}},
                    },
                    "requestParameters": {
                        "userName": login, "newUserName": login, "groupName": login, "groupId": login,
                        "policyArn": login, "policyName": login, "versionId": login, "accessKeyId": login,
                        "serialNumber": login, "roleSessionName": login, "roleArn": login, "targetId": login,
                        "permissionSetArn": login, "principalType": login, "principalId": login,
                        "member": {"memberId": login}, "setAsDefault": true,
                    },
                    "responseElements": {"user": {"userId": login, "arn": login}},
                }));
            }
        }
        for action in [
            "team.add_member",
            "team.add_repository",
            "team.rename",
            "repo.add_member",
            "org.add_member",
            "org.invite_member",
            "business.add_admin",
            "public_key.create",
            "hook.create",
            "repo.create_actions_secret",
            "personal_access_token.access_granted",
            "oauth_access.create",
            "oauth_authorization.create",
            "oauth_application.create",
            "org_credential_authorization.grant",
            "integration_installation.create",
            "protected_branch.policy_override",
            login,
        ] {
            let mut event = json!({"@timestamp": 1_772_357_400_000_u64, "action": action});
            event["_document_id"] = json!(format!("{login}/{action}"));
            for key in [
                "actor",
                "actor_id",
                "user",
                "user_id",
                "org",
                "org_id",
                "business",
                "business_id",
                "team",
                "old_name",
                "repo",
                "repo_id",
                "permission",
                "fingerprint",
                "title",
                "hook_id",
                "key",
                "environment_name",
                "user_programmatic_access_id",
                "user_programmatic_access_name",
                "user_programmatic_access_request_id",
                "oauth_application_id",
                "oauth_application_name",
                "application_client_id",
                "integration",
                "name",
                "managed_hashed_token",
                "programmatic_access_type",
                "hashed_token",
                "token_id",
                "request_id",
                "visibility",
            ] {
                event[key] = json!(login);
            }
            event["repositories_added"] = json!([login]);
            github.push(event);
        }
        for (group, resource, part, verb) in [
            ("rbac.authorization.k8s.io", "rolebindings", "", "create"),
            ("rbac.authorization.k8s.io", "clusterrolebindings", "", "patch"),
            ("rbac.authorization.k8s.io", "rolebindings", "", "delete"),
            ("", "serviceaccounts", "", "create"),
            ("", "serviceaccounts", "token", "create"),
            ("", "secrets", "", "update"),
            ("certificates.k8s.io", "certificatesigningrequests", "", "create"),
            ("certificates.k8s.io", "certificatesigningrequests", "approval", "update"),
            (login, login, login, login),
            ("", login, login, login),
        ] {
            let user = json!({
                "username": login, "uid": login, "groups": [login],
                "extra": {"authentication.kubernetes.io/credential-id": [login]},
            });
            let subject = |kind: &str| json!({"kind": kind, "name": login, "namespace": login});
            kubernetes.push(json!({
                "kind": "Event", "apiVersion": "audit.k8s.io/v1", "stage": "ResponseComplete", "verb": verb,
                "auditID": format!("{login}/{group}/{resource}/{part}/{verb}"), "user": user, "impersonatedUser": user,
                "objectRef": {
                    "apiGroup": group, "resource": resource, "subresource": part, "namespace": login, "name": login,
                },
                "responseStatus": {"code": 200, "reason": login, "message": login},
                "annotations": {"authentication.kubernetes.io/issued-credential-id": login},
                "requestObject": {
                    "metadata": {"name": login, "annotations": {login: login}}, "roleRef": {"kind": "Role", "name": "reader"},
                    "subjects": [subject("User"), subject("Group"), subject("ServiceAccount"), subject(login)],
                    "spec": {"username": login}, "status": {"conditions": [{"type": "Approved", "message": login}]},
                },
                "stageTimestamp": "2026-03-01T09:00:00.000100Z",
            }));
        }
        for event_type in [
            "group.user_membership.add",
            "user.account.update_profile",
            "application.user_membership.add",
            "system.api_token.create",
            "app.oauth2.as.consent.grant",
            "access.request.create",
            login,
        ] {
            let mut event = joined(number, "2026-03-01T09:00:00Z", 1, 1);
            event["uuid"] = json!(format!("{login}/{event_type}"));
            event["eventType"] = json!(event_type);
            event["outcome"]["reason"] = json!(login);
            event["actor"] = json!({"id": login, "type": "User", "alternateId": "unknown", "displayName": "unknown"});
            event["transaction"] = json!({"id": login, "detail": {"requestApiTokenId": login}});
            event["debugContext"]["debugData"] = json!({"requestId": login, "changedAttributes": login, "scopes": "x"});
            let target =
                |kind: &str| json!({"id": login, "type": kind, "alternateId": "unknown", "displayName": login});
            let mut user = target("User");
            user["changeDetails"] = json!({"to": {login: "x", "managerId": login, "department": login}});
            event["target"] = json!([
                user,
                target("UserGroup"),
                target("AppInstance"),
                target("Token"),
                target("AccessRequest"),
                target("PublicClientApp"),
            ]);
            okta.push(event);
        }
        for account in [login.to_owned(), format!("user/{login}"), format!("{login}/{login}")] {
            people.push(json!({
                "row": login, "person": login, "person_name": login, "person_email": login, "system": "okta",
                "account": account, "login": login, "email": login,
            }));
            people.push(json!({"person": login, "system": "aws", "login": account}));
        }
        for id in [format!("api_token/{login}"), login.to_owned(), format!("user/{login}")] {
            register.push(json!({
                "row": login, "system": "okta", "id": id, "login": login, "name": login, "type": "token", "owner": login,
                "purpose": login, "stored_in": login,
            }));
            register.push(json!({
                "system": "okta", "login": login, "type": "bot", "owner": login, "owner_system": "okta",
                "name": id,
            }));
        }
        let times = json!({"created_at": "2026-03-01T09:00:00Z", "updated_at": "2026-03-02T09:00:00Z"});
        let mut resources = vec![
            json!({
                "event": format!("on{login}"),
                "ticket": {
                    "id": login, "type": login, "status": login, "requester_id": login, "requested_for_id": login,
                    "responder_id": login, "approval_status": login,
                    "custom_fields": {"access_items": format!(
                        "okta/account/{login}, okta/group_member/{login}, okta/api_token/{login}, ci/account/={login}"
                    )},
                    "created_at": "2026-03-01T09:00:00Z", "updated_at": "2026-03-02T09:00:00Z",
                },
            }),
            json!({
                "id": login, "role_ids": [login], "roles": [{"role_id": 7, "assignment_scope": login}],
                "member_of": [login], "active": true, "occasional": false, "department_ids": [login],
                "reporting_manager_id": login,
            }),
            json!({"id": login, "approver_id": login, "approval_status": {"id": 1}, "ticket_id": login, "user_id": login}),
            json!({"id": login, "ticket_id": login, "requester_id": login, "fields": {"cf_department": login}}),
            json!({"id": login, "name": "x", "members": [login], "observers": [login], "leaders": [login]}),
        ];
        for resource in &mut resources[1..] {
            resource.as_object_mut().unwrap().extend(times.as_object().unwrap().clone());
        }
        // What a role is called is no person's name, but an id of a role is one of Freshservice's.
        resources[1]["role_ids"] = json!([7]);
        freshservice.append(&mut resources);
        for (place, fact) in [
            json!({"kind": "grant.added", "subject": {"id": login}, "object": {"id": format!("group_member/{login}")}}),
            json!({"kind": "credential.created", "subject": {"id": login}, "object": {"id": format!("ssh_key/{login}")}}),
            json!({"kind": "account.updated", "subject": {"id": login}, "changed": {login: "x"}, "department": login}),
            json!({"kind": "approval.granted", "object": {"id": format!("ticket/{login}")}, "approval_id": login}),
            json!({"kind": "lifecycle.mover", "subject": {"kind": "person", "id": login}, "department": login}),
            json!({
                "kind": "policy.decision", "subject": {"kind": "integration", "id": login}, "effect": "allow",
                "policy": login, "policy_version": login,
            }),
        ]
        .into_iter()
        .enumerate()
        {
            let mut fact = fact;
            for (field, value) in [
                ("occurred_at", json!("2026-03-01T09:30:00Z")), ("scope", json!(login)), ("reason", json!(login)),
                ("transaction", json!(login)), ("request", json!(login)), ("actor", json!({"id": login})),
                ("tickets", json!([{"id": format!("ticket/{login}")}])),
            ] {
                fact[field] = value;
            }
            facts.push(json!({
                "id": format!("{login}{}", "-x".repeat(place)), "type": login, "facts": [fact],
                "source": {"system": "ci", "instance": "prod", "stream": "deploy"},
            }));
        }
    }
    let tables = [("people", people), ("nhi", register), ("github", github), ("kubernetes", kubernetes)];
    [("okta", okta), ("freshservice", freshservice), ("fact", facts), ("cloudtrail", cloudtrail)]
        .into_iter()
        .chain(tables)
        .collect()
}
