//! Service accounts, their tokens, secrets, requests for certificates, and what a request was made with.

use counterfoil_proto::v1::Mapping;
use serde_json::{Value, json};

use crate::made::{check, event, told, with};
use crate::support::{digest_key, read, values};

#[test]
fn service_accounts() {
    let about = "/serviceaccounts ci deployer";
    let line = |kind: &str, tokens: &str, detail: &str| {
        format!("{kind} subject=service_account/~{tokens}<service_account> BY {detail}AT")
    };
    let made = json!({"metadata": {"name": "deployer", "uid": "1d6c348d-a771-49dd-9eb7-655167f26501"}});
    let reading = check(
        event("create", about, Value::Null, made.clone()),
        "serviceaccounts:create",
        &[&line("account.created", "###", "")],
    );
    let id = format!("account:kubernetes:default:{}", reading.facts[0].subject.as_ref().unwrap().id);
    assert_eq!(
        values(&reading, &id),
        ["login=ci/deployer", "login=system:serviceaccount:ci:deployer", "uid=1d6c348d-a771-49dd-9eb7-655167f26501"]
    );
    check(
        event("delete", about, Value::Null, Value::Null),
        "serviceaccounts:delete",
        &[&line("account.deleted", "##", "")],
    );
    let changed = line("account.updated", "##", "{changed=other} ");
    check(event("patch", about, json!({"metadata": {}}), Value::Null), "serviceaccounts:patch", &[&changed]);
    // A name that the API server made up stands in the response alone.
    let nameless = event("create", "/serviceaccounts ci -", json!({"metadata": {"generateName": "x-"}}), made);
    assert_eq!(told(&read("kubernetes", &nameless.to_string())), [line("account.created", "###", "")]);
    let nameless = event("create", "/serviceaccounts ci -", json!({}), Value::Null);
    assert_eq!(read("kubernetes", &nameless.to_string()).mapping, Mapping::Incomplete);
}

/// Trap 16: a token runs out by itself.
#[test]
fn trap_16_tokens_of_service_accounts() {
    let about = "/serviceaccounts/token ci deployer";
    let ends = |seconds: i64, precision: &str| {
        format!(
            "Credential(Credential {{ expires_at: Some(Time {{ seconds: {seconds}, nanos: {}, precision: {precision} }}), last_used_at: None, rotation_interval_seconds: 0 }}) ",
            if precision == "Second" { 0 } else { 131_904_000 }
        )
    };
    let line = |id: &str, detail: &str| {
        format!(
            "credential.created subject=service_account/~##<service_account> object=token/{id}<token> BY {detail}AT"
        )
    };
    let issued =
        json!({"authentication.kubernetes.io/issued-credential-id": "JTI=3d6c348d-a771-49dd-9eb7-655167f26501"});
    let response =
        json!({"metadata": {"uid": ""}, "status": {"token": "planted", "expirationTimestamp": "2026-03-01T10:30:00Z"}});
    let request = json!({"spec": {"expirationSeconds": 600}});
    let id = "3d6c348d-a771-49dd-9eb7-655167f26501";
    let made = with(event("create", about, request.clone(), response), "annotations", issued.clone());
    let reading = check(made, "serviceaccounts/token:create", &[&line(id, &ends(1_772_361_000, "Second"))]);
    assert!(!format!("{reading:?}").contains("planted"));
    let asked = with(event("create", about, request, Value::Null), "annotations", issued.clone());
    check(asked, "serviceaccounts/token:create", &[&line(id, &ends(1_772_358_000, "Microsecond"))]);
    let bare = with(event("create", about, Value::Null, Value::Null), "annotations", issued);
    check(bare, "serviceaccounts/token:create", &[&line(id, "")]);
    // Older clusters do not say which token it was: then it is the one that this request was for.
    let line = line(&format!("request-{}", crate::made::ID), "");
    check(event("create", about, Value::Null, Value::Null), "serviceaccounts/token:create", &[&line]);
    let endless = json!({"spec": {"expirationSeconds": u64::MAX}});
    check(event("create", about, endless, Value::Null), "serviceaccounts/token:create", &[&line]);
}

#[test]
fn secrets_of_a_cluster() {
    let line = |kind: &str| format!("{kind} object=secret/~<secret> BY AT");
    let about = "/secrets production database";
    check(event("create", about, Value::Null, Value::Null), "secrets:create", &[&line("credential.created")]);
    check(event("patch", about, Value::Null, Value::Null), "secrets:patch", &[&line("credential.rotated")]);
    check(event("delete", about, Value::Null, Value::Null), "secrets:delete", &[&line("credential.revoked")]);
    let listed = read("kubernetes", &event("list", "/secrets production -", Value::Null, Value::Null).to_string());
    assert_eq!(listed.mapping, Mapping::NoFacts);
    let all =
        read("kubernetes", &event("deletecollection", "/secrets production -", Value::Null, Value::Null).to_string());
    assert_eq!((all.mapping, all.native_type.as_str()), (Mapping::Unmapped, "secrets:deletecollection"));
}

/// Trap 21: what is in a secret goes before anything is kept, wherever the event has it and in whatever form.
#[test]
fn trap_21_what_a_cluster_keeps_as_a_secret_is_kept_by_nobody_else() {
    let applied = json!({"kind": "Secret", "data": {"config": "planted-1"}}).to_string();
    let secret = json!({
        "kind": "Secret", "apiVersion": "v1", "type": "Opaque",
        "metadata": {"name": "database", "annotations": {"kubectl.kubernetes.io/last-applied-configuration": applied, "why": "SR-12"}},
        "data": {"config": "planted-2", "user": ["planted-3"]}, "stringData": {"dsn": "planted-4", "port": 54_321_987},
    });
    let list = json!({"kind": "SecretList", "items": [secret.clone(), "planted-5"]});
    let operations = json!([{"op": "replace", "path": "/data/config", "value": "planted-6"}]);
    for (verb, request, response) in [
        ("create", secret.clone(), secret.clone()),
        ("patch", json!({"data": {"config": "planted-7"}}), secret.clone()),
        ("patch", operations, Value::Null),
        ("patch", json!("planted-8"), Value::Null),
        ("list", Value::Null, list),
    ] {
        let event = event(verb, "/secrets production database", request, response);
        let text = event.to_string();
        assert!(counterfoil_ingest::secrets::may_hold_secrets(&text), "{verb}");
        let json = counterfoil_ingest::json::parse(text.as_bytes()).unwrap();
        let redacted = counterfoil_ingest::secrets::redact_json(&json, &digest_key()).unwrap();
        assert_eq!(counterfoil_ingest::secrets::redact_json(&redacted, &digest_key()), None, "twice is once");
        let redacted = redacted.to_text();
        assert!(!redacted.contains("planted") && !redacted.contains("54321987"), "{verb}: {redacted}");
        assert!(
            redacted.contains(r#""resource":"secrets""#) && redacted.contains(r#""name":"database""#),
            "{redacted}"
        );
        // Cut off, or as a text within another document, it does not parse.
        let cut = &text[..text.rfind("planted").unwrap() + "planted-".len()];
        let inner = json!({"message": text}).to_string();
        for text in [cut.to_owned(), inner.clone(), inner[..inner.len() - 1].to_owned(), text.replace(':', " : ")] {
            let bytes = counterfoil_ingest::secrets::redact_bytes(text.as_bytes(), &digest_key()).into_owned();
            let left = String::from_utf8(bytes).unwrap();
            assert!(!left.contains("planted"), "{verb}: {left}");
        }
    }
    let read_of = |event: Value| read("kubernetes", &event.to_string());
    let reading = read_of(event("create", "/secrets production database", secret.clone(), Value::Null));
    assert!(!format!("{reading:?}").contains("planted"), "{reading:?}");
    assert_eq!(reading.facts[0].correlation.as_ref().unwrap().tickets[0].id, "ticket/12");
    // What is no secret stays: a role that lets somebody read them is only about them.
    let role = json!({"metadata": {"name": "r"}, "rules": [{"resources": ["secrets"], "verbs": ["get"]}], "data": {"a": "kept"}});
    let role = crate::made::rbac("create", "clusterroles - r", role, Value::Null).to_string();
    let json = counterfoil_ingest::json::parse(role.as_bytes()).unwrap();
    assert_eq!(counterfoil_ingest::secrets::redact_json(&json, &digest_key()), None);
}

/// A request for a certificate: asked for, decided, issued, and then what somebody is seen to act with.
#[test]
fn requests_for_certificates() {
    let about = |part: &str| format!("certificates.k8s.io/certificatesigningrequests{part} - csr-7x2");
    let spec = json!({"username": "yuki.moreau@tallyhall.example", "groups": ["system:authenticated"], "request": "LS0t", "signerName": "kubernetes.io/kube-apiserver-client"});
    let asked = json!({"metadata": {"name": "csr-7x2"}, "spec": spec});
    let ticket = "object=certificate_request/~ BY";
    check(
        event("create", &about(""), json!({"spec": {}}), asked.clone()),
        "certificates.k8s.io/certificatesigningrequests:create",
        &[&format!(
            "ticket.opened subject=user/~# {ticket} {{access_request open requester=user/svc-ops#<service_account> add:kubernetes:certificate decision=requested}} AT"
        )],
    );
    // Whoever asks may write anybody into the request; without a response it is for whoever asks, or is acted as.
    let forged = || event("create", &about(""), asked.clone(), Value::Null);
    let impersonated = json!({"username": "bot-x"});
    for (event, who) in
        [(forged(), "svc-ops#<service_account>"), (with(forged(), "impersonatedUser", impersonated), "bot-x#<bot>")]
    {
        let told = told(&read("kubernetes", &event.to_string())).remove(0);
        assert!(told.starts_with(&format!("ticket.opened subject=user/{who} object=")), "{told}");
    }
    let decided = |condition: Value| {
        let mut object = asked.clone();
        object["status"] = json!({"conditions": [condition]});
        object
    };
    let by = "approver=user/svc-ops#<service_account>";
    let native = "certificates.k8s.io/certificatesigningrequests/approval:update";
    for (condition, kind, decision) in
        [("Approved", "approval.granted", "approved"), ("Denied", "approval.rejected", "rejected")]
    {
        let line = format!("{kind} subject=user/~# {ticket} {{ level=1 unspecified {by} decision={decision}}} AT");
        let object = decided(json!({"type": condition, "status": "True", "reason": "x"}));
        check(event("update", &about("/approval"), object.clone(), object), native, &[&line]);
    }
    // At the level Metadata nobody can tell which it was; the signer's own condition decides nothing.
    for object in [Value::Null, decided(json!({"type": "Failed"}))] {
        let unknown = read("kubernetes", &event("update", &about("/approval"), object, Value::Null).to_string());
        assert_eq!((unknown.mapping, unknown.facts.len()), (Mapping::Incomplete, 0));
    }
    // The text of an empty certificate, and the SHA-256 of the bytes `abc`, which stand for one.
    let pem = "LS0tLS1CRUdJTiBDRVJUSUZJQ0FURS0tLS0tCllXSmoKLS0tLS1FTkQgQ0VSVElGSUNBVEUtLS0tLQo=";
    let sha256 = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";
    let mut object = asked.clone();
    object["status"] = json!({"certificate": pem});
    let line = format!(
        "credential.created subject=user/~# object=certificate/{sha256}<certificate> BY ticket=certificate_request/~ AT"
    );
    let native = "certificates.k8s.io/certificatesigningrequests/status:update";
    let issued = check(event("update", &about("/status"), object.clone(), object), native, &[&line]);
    let used = json!({"username": "yuki.moreau@tallyhall.example", "extra": {"authentication.kubernetes.io/credential-id": [format!("X509SHA256={sha256}")]}});
    let used = with(event("delete", "/serviceaccounts ci deployer", Value::Null, Value::Null), "user", used);
    let used = read("kubernetes", &used.to_string());
    assert_eq!(used.facts[0].via, issued.facts[0].object);
    for broken in ["", "x", "LS0tLS1CRUdJTiBDRVJUSUZJQ0FURS0tLS0t"] {
        let mut object = asked.clone();
        object["status"] = json!({"certificate": broken});
        let unread = read("kubernetes", &event("update", &about("/status"), object, Value::Null).to_string());
        assert_eq!(unread.mapping, Mapping::Incomplete, "{broken}");
    }
    check(
        event("delete", &about(""), Value::Null, Value::Null),
        "certificates.k8s.io/certificatesigningrequests:delete",
        &[&format!("ticket.closed {ticket} {{access_request closed}} AT")],
    );
}

/// What a request was made with, and by whom, for each kind of user.
#[test]
fn who_acts_and_with_what() {
    let acting = |user: Value| {
        let event = with(event("delete", "/secrets production database", Value::Null, Value::Null), "user", user);
        told(&read("kubernetes", &event.to_string()))
            .remove(0)
            .replace("credential.revoked object=secret/~<secret>", "")
            .replace("AT", "")
            .trim()
            .to_owned()
    };
    let extra = |id: Value| json!({"authentication.kubernetes.io/credential-id": id});
    for (user, expected) in [
        (json!({"username": "system:serviceaccount:ci:deployer"}), "actor=service_account/~##<service_account>"),
        (json!({"username": "system:node:ip-10-0-0-7.internal"}), "actor=node/~##<system>"),
        (json!({"username": "system:apiserver"}), "actor=service/system:apiserver#<system>"),
        (json!({"username": "system:anonymous"}), "actor=service/system:anonymous#<system>"),
        (json!({"username": "yuki.moreau@tallyhall.example", "uid": "u-1"}), "actor=user/~##"),
        (json!({"username": "bot-x"}), "actor=user/bot-x#<bot>"),
        (json!({"username": ""}), ""),
        (Value::Null, ""),
        (
            json!({"username": "bot-x", "extra": extra(json!(["JTI=2d6c348d-a771-49dd-9eb7-655167f26501"]))}),
            "actor=user/bot-x#<bot> via=token/2d6c348d-a771-49dd-9eb7-655167f26501<token>",
        ),
        (
            json!({"username": "bot-x", "extra": extra(json!(["X509SHA256=00aa11bb22cc33dd"]))}),
            "actor=user/bot-x#<bot> via=certificate/00aa11bb22cc33dd<certificate>",
        ),
        (json!({"username": "bot-x", "extra": extra(json!("JTI=7"))}), "actor=user/bot-x#<bot> via=token/7<token>"),
        (
            json!({"username": "bot-x", "extra": extra(json!(["of another kind"]))}),
            "actor=user/bot-x#<bot> via=token/~<token>",
        ),
        (json!({"username": "bot-x", "extra": extra(json!([]))}), "actor=user/bot-x#<bot>"),
    ] {
        assert_eq!(acting(user.clone()), expected, "{user}");
    }
}
