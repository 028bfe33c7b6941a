//! Roles and bindings: who gains what, and what is known of that at each level of the log.

use counterfoil_proto::v1::Mapping;
use serde_json::{Value, json};

use crate::made::{check, rbac, told, with};
use crate::support::read;

fn subjects() -> Value {
    json!([
        {"kind": "User", "name": "yuki.moreau@tallyhall.example"},
        {"kind": "Group", "name": "release-managers"},
        {"kind": "ServiceAccount", "name": "deployer", "namespace": "ci"},
        {"kind": "ServiceAccount", "name": "runner"},
        {"kind": "Group", "name": "system:authenticated"},
        {"kind": "User", "name": "system:serviceaccount:ci:deployer"},
        {"kind": "User", "name": "system:kube-scheduler"},
    ])
}

fn binding(kind: &str, role: &str, subjects: Value) -> Value {
    json!({"metadata": {"name": "b"}, "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": kind, "name": role}, "subjects": subjects})
}

const DEPLOYER: &str = "service_account/~##<service_account>";
const YUKI: &str = "user/~#";

/// Trap 6: one binding gives its role to each of its subjects; a group means it.
#[test]
fn trap_6_a_binding_is_what_its_subjects_hold() {
    let made = rbac(
        "create",
        "rolebindings production release",
        binding("ClusterRole", "edit", subjects()),
        binding("ClusterRole", "edit", subjects()),
    );
    let grant = |subject: &str| format!("grant.added subject={subject} object=rbac_binding/~# BY AT");
    let group = |id: &str| format!("entitlement.changed object=group_member/{id}# BY {{+rbac_binding/~# -}} AT");
    check(
        made,
        "rbac.authorization.k8s.io/rolebindings:create",
        &[
            "entitlement.defined object=rbac_binding/~# BY scope=production {+role/edit# -} AT",
            &grant(YUKI),
            &group("~"),
            &grant(DEPLOYER),
            &grant(DEPLOYER),
            &group("system:authenticated"),
            &grant(DEPLOYER),
            &grant("service/system:kube-scheduler#<system>"),
        ],
    );
    let one = json!([{"kind": "User", "name": "yuki.moreau@tallyhall.example"}]);
    let of_namespace = binding("Role", "reader", one.clone());
    check(
        rbac("create", "rolebindings production release", of_namespace, Value::Null),
        "rbac.authorization.k8s.io/rolebindings:create",
        &[
            "entitlement.defined object=rbac_binding/~# BY scope=production {+role/production/reader# -} AT",
            &grant(YUKI),
        ],
    );
    check(
        rbac("create", "clusterrolebindings - ops", binding("ClusterRole", "cluster-admin", one), Value::Null),
        "rbac.authorization.k8s.io/clusterrolebindings:create",
        &["entitlement.defined object=rbac_binding/~# BY {+role/cluster-admin# -} AT", &grant(YUKI)],
    );
    // A binding without subjects gives nobody anything yet.
    check(
        rbac("create", "clusterrolebindings - ops", binding("ClusterRole", "view", Value::Null), Value::Null),
        "rbac.authorization.k8s.io/clusterrolebindings:create",
        &["entitlement.defined object=rbac_binding/~# BY {+role/view# -} AT"],
    );
}

/// Trap 17: what a binding gave ends with it, whoever had it. Its request names nobody.
#[test]
fn trap_17_a_binding_that_is_no_more() {
    let removed = "entitlement.removed object=rbac_binding/~# BY scope=production AT";
    let about = "rolebindings production release";
    let native = "rbac.authorization.k8s.io/rolebindings:delete";
    check(rbac("delete", about, json!({"kind": "DeleteOptions"}), json!({"kind": "Status"})), native, &[removed]);
    let was = binding(
        "ClusterRole",
        "edit",
        json!([{"kind": "User", "name": "yuki.moreau@tallyhall.example"}, {"kind": "Group", "name": "friends"}]),
    );
    check(
        rbac("delete", about, Value::Null, was),
        native,
        &[
            removed,
            &format!("grant.removed subject={YUKI} object=rbac_binding/~# BY AT"),
            "entitlement.changed object=group_member/~# BY {+ -rbac_binding/~#} AT",
        ],
    );
    check(
        rbac("delete", "clusterroles - edit", Value::Null, Value::Null),
        "rbac.authorization.k8s.io/clusterroles:delete",
        &["entitlement.removed object=role/edit# BY AT"],
    );
}

/// A patch has what it changes alone: the response has the whole.
#[test]
fn a_patch_is_read_by_its_response() {
    let one = |name: &str| json!([{"kind": "User", "name": name}]);
    let about = "clusterrolebindings - ops";
    let native = "rbac.authorization.k8s.io/clusterrolebindings:patch";
    let both = json!([{"kind": "User", "name": "svc-a"}, {"kind": "User", "name": "svc-b"}]);
    let defined = "entitlement.changed object=rbac_binding/~# BY {+role/view# -} AT";
    let held = |name: &str| {
        format!("grant.added [derived] subject=user/{name}#<service_account> object=rbac_binding/~# BY AT")
    };
    check(
        rbac("patch", about, json!({"subjects": one("svc-b")}), binding("ClusterRole", "view", both)),
        native,
        &[defined, &held("svc-a"), &held("svc-b")],
    );
    // Of one whose response the log leaves out, what the fragment says; of one in operations, that there was one.
    check(
        rbac("patch", about, json!({"subjects": one("svc-b")}), Value::Null),
        native,
        &["entitlement.changed object=rbac_binding/~# BY AT", &held("svc-b")],
    );
    let operations = json!([{"op": "add", "path": "/subjects/-", "value": {"kind": "User", "name": "svc-b"}}]);
    check(
        rbac("patch", about, operations, Value::Null),
        native,
        &["entitlement.changed [derived] object=rbac_binding/~# BY AT"],
    );
    check(
        rbac("update", about, binding("ClusterRole", "view", one("svc-b")), Value::Null),
        "rbac.authorization.k8s.io/clusterrolebindings:update",
        &[defined, &held("svc-b")],
    );
}

/// At the level Metadata the log says that something changed, and not what.
#[test]
fn without_its_content_a_change_is_known_and_what_it_is_is_not() {
    for (verb, about, object) in [
        ("create", "rolebindings production release", "rbac_binding/~# BY scope=production"),
        ("update", "clusterrolebindings - ops", "rbac_binding/~# BY"),
        ("patch", "clusterroles - edit", "role/edit# BY"),
        ("create", "roles production reader", "role/production/reader# BY scope=production"),
    ] {
        let mut event = with(rbac(verb, about, Value::Null, Value::Null), "level", json!("Metadata"));
        event.as_object_mut().unwrap().retain(|key, _| !matches!(key.as_str(), "requestObject" | "responseObject"));
        let reading = read("kubernetes", &event.to_string());
        assert_eq!(told(&reading), [format!("entitlement.changed [derived] object={object} AT")], "{verb} {about}");
        assert_eq!(reading.mapping, Mapping::Mapped);
    }
}

/// Trap 14: a role that means something else changes what everybody can do who holds it.
#[test]
fn trap_14_roles() {
    let rules =
        json!({"metadata": {"name": "edit"}, "rules": [{"apiGroups": [""], "resources": ["secrets"], "verbs": ["*"]}]});
    check(
        rbac("create", "clusterroles - edit", rules.clone(), rules.clone()),
        "rbac.authorization.k8s.io/clusterroles:create",
        &["entitlement.defined object=role/edit# BY {+permission/edit -} AT"],
    );
    check(
        rbac("patch", "clusterroles - edit", json!({"metadata": {}}), rules.clone()),
        "rbac.authorization.k8s.io/clusterroles:patch",
        &["entitlement.changed object=role/edit# BY {+permission/edit -} AT"],
    );
    check(
        rbac("update", "roles production reader", rules, Value::Null),
        "rbac.authorization.k8s.io/roles:update",
        &[
            "entitlement.changed object=role/production/reader# BY scope=production {+permission/production/reader -} AT",
        ],
    );
    let aggregated = json!({"aggregationRule": {"clusterRoleSelectors": []}});
    check(
        rbac("create", "clusterroles - all", aggregated, Value::Null),
        "rbac.authorization.k8s.io/clusterroles:create",
        &["entitlement.defined object=role/all# BY {+permission/all -} AT"],
    );
    // A resource of the same name in a group that somebody made up is not RBAC.
    let other =
        crate::made::event("create", "iam.example.com/roles production reader", json!({"rules": []}), Value::Null);
    let reading = read("kubernetes", &other.to_string());
    assert_eq!((reading.mapping, reading.native_type.as_str()), (Mapping::Unmapped, ""));
}
