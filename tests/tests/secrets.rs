//! No secret is stored: one of every kind is planted in every place where one may stand, and then everything that is
//! stored is searched.
#![allow(clippy::unwrap_used, reason = "a test stops where it fails")]

mod stored;

use counterfoil_ingest::secrets::FINGERPRINT_PREFIX;
use counterfoil_tests::files::holds;
use counterfoil_tests::okta::joined;
use counterfoil_tests::program::LedgerFolder;
use prost::Message;
use serde_json::{Value, json};
use stored::{Stored, import, indexes, open};

/// Secrets that are known by their form, put together here so that no scanner takes them for leaked ones. Each ends in
/// a number of its own, so that none is found in the place of another.
fn secrets_by_form() -> Vec<String> {
    let long = "Zx9Kq2Lm8Rt5Vb1Nc7Wd3Yf6Hj4";
    let forms: [&[&str]; 17] = [
        &["AK", "IA", "Q3EXAMPLE4567A01"],
        &["AS", "IA", "Q3EXAMPLE4567A02"],
        &["gh", "p_", long, "03"],
        &["github", "_pat_", long, "_04"],
        &["gl", "pat-", "x9Kq2Lm8Rt5Vb1Nc7W05"],
        &["xo", "xb-", "123456789012-abcdefgh06"],
        &["ey", "JhbGciOiJIUzI1NiJ9", ".", "eyJzdWIiOiIxMjM0In0", ".", long, "07"],
        &["-----BEGIN RSA PRIV", "ATE KEY-----\nMIIEow", long, "08\n-----END RSA PRIV", "ATE KEY-----"],
        &["-----BEGIN OPENSSH PRIV", "ATE KEY-----\nb3BlbnNzaC1r", long, "09\n-----END OPENSSH PRIV", "ATE KEY-----"],
        &["AI", "za", "SyA1234567890abcdefghijklmnopqrst10"],
        &["sk", "_live_", long, "11"],
        &["sk", "-proj-", long, "12"],
        &["sk", "-ant-api03-", long, "13"],
        &["hv", "s.", long, "14"],
        &["np", "m_", long, "abcdefgh15"],
        &["py", "pi-", "AgEIcHlwaS5vcmc", long, "16"],
        &["GOC", "SPX-", long, "17"],
    ];
    forms.iter().map(|parts| parts.concat()).collect()
}

/// Secrets that are known by what stands around them: before, the secret, after.
const SECRETS_BY_CONTEXT: [(&str, &str, &str); 11] = [
    ("Authorization used SSWS ", "00abcDEF123_ghi-456JKL789mnoPQR31", " here"),
    ("curl -H 'X: Bearer ", "mF_9.B5f-4.1JqM32", "' x"),
    ("sent Basic ", "dXNlcjpwYXNzMTIz33", " then"),
    ("postgres://app:", "hunter2planted34", "@db.example.com/x"),
    ("https://x.example.com/callback?a=1&token=", "planted35abc", "&b=2"),
    ("https://x.example.com/maps?x=1&api_key=", "planted36abc", ""),
    ("export DB_PASSWORD=", "hunter2planted37", " ; run"),
    ("body {\"user\":\"x\",\"clientSecret\": \"", "hunter2planted38", "\"} end"),
    ("aws_secret_access_key = ", "wJalrXUtnFEMIK7MDENGbPxRfiCYEXAMPLEKEY39", ""),
    ("https://hooks.slack.com/services/", "T00000000/B00000000/XXXXXXXXXX40", ""),
    ("with counterfoil_0123456789abcdef_", "Zx9Kq2Lm8Rt5Vb1Nc7Wd3Yf6Hj4-Zx9Kq2Lm8Rt5_42", " to"),
];

/// Names of keys whose values are secrets, whatever they look like.
const SECRET_KEYS: [&str; 36] = [
    "password",
    "passwd",
    "tempPassword",
    "passphrase",
    "passcode",
    "pwd",
    "secret",
    "client_secret",
    "private_key",
    "api_key",
    "X-Api-Key",
    "secretAccessKey",
    "signing_key",
    "encryption_key",
    "access_token",
    "refresh_token",
    "id_token",
    "sessionToken",
    "api_token",
    "stateToken",
    "token",
    "jwt",
    "Authorization",
    "Set-Cookie",
    "resetPasswordUrl",
    "recovery_answer",
    "pass_phrase_2",
    "api__key__value",
    "client.secret",
    "otp",
    "P I N",
    "client_assertion",
    "tokenCode",
    "authenticationCode1",
    "deviceCode",
    "base32StringSeed",
];

/// A secret that only its key gives away.
fn secret_under(key: &str) -> String {
    format!("plain-{}-planted", key.to_lowercase().replace(['_', '-', '.', ' '], "x"))
}

/// Everything that has to be gone: the text itself, and as JSON would write it.
fn needles() -> Vec<Vec<u8>> {
    let by_context = SECRETS_BY_CONTEXT.iter().map(|(_, secret, _)| (*secret).to_owned());
    let by_key = SECRET_KEYS.iter().map(|key| secret_under(key));
    let rest = ["Rex-the-dog-planted", "planted-in-nested-41", "907531948"].map(str::to_owned);
    let all = secrets_by_form().into_iter().chain(by_context).chain(by_key).chain(rest);
    // A key of several lines is searched by its middle.
    let core = |secret: String| secret.lines().nth(1).map_or(secret.clone(), str::to_owned);
    let mut needles: Vec<Vec<u8>> = all.map(|secret| core(secret).into_bytes()).collect();
    let escaped = |needle: &Vec<u8>| {
        needle
            .windows(1)
            .any(|byte| byte == b"/")
            .then(|| String::from_utf8_lossy(needle).replace('/', "\\/").into_bytes())
    };
    needles.extend(needles.iter().filter_map(escaped).collect::<Vec<_>>());
    needles
}

/// Events of Okta with this text in every place where a text may stand.
fn okta_with(number: u32, text: &str) -> Vec<Value> {
    let mut inside = joined(number, "2026-03-01T09:00:00Z", number, number);
    inside["debugContext"]["debugData"]["note"] = json!(text);
    inside["debugContext"]["debugData"]["requestUri"] = json!(format!("/api?x=1 {text}"));
    inside["outcome"]["reason"] = json!(format!("because {text}"));
    inside["displayMessage"] = json!(text);
    inside["client"]["userAgent"]["rawUserAgent"] = json!(format!("agent {text}"));
    inside["actor"]["displayName"] = json!(text);
    inside["target"][0]["displayName"] = json!(format!("is {text}"));
    inside["target"][1]["displayName"] = json!(text);
    inside["unknown"] = json!({"deep": [{"list": [text]}], text: 1});
    let mut known = joined(number, "2026-03-01T09:00:00Z", number, number);
    known["conflicting"] = json!(text);
    let mut unknown = joined(number + 10_000, "2026-03-01T09:00:00Z", number, number);
    unknown["eventType"] = json!(text);
    let mut id = joined(number + 20_000, "2026-03-01T09:00:00Z", number, number);
    id["uuid"] = json!(text);
    id["transaction"]["id"] = json!(text);
    id["actor"]["id"] = json!(text);
    id["actor"]["alternateId"] = json!(text);
    // What is rejected: for its time, with the text in the message about it, and for its keys.
    let mut rejected = joined(number + 30_000, text, number, number);
    rejected["note"] = json!(text);
    let mut no_zone = joined(number + 40_000, "2026-03-01 09:00:00", number, number);
    no_zone["note"] = json!(text);
    vec![inside, known, unknown, id, rejected, no_zone]
}

/// Bytes that do not parse, with this text in them.
fn broken_with(number: u32, text: &str) -> Vec<Vec<u8>> {
    let quoted = json!(text).to_string();
    let event = okta_with(number + 50_000, text).swap_remove(0).to_string();
    let mut truncated = event.clone().into_bytes();
    truncated.pop();
    let mut invalid = event.clone().into_bytes();
    invalid.splice(1..1, *b"\"x\":\"\xff\xfe\",");
    let deep = format!("{{\"a\":{}{quoted}{}}}", "[".repeat(40), "]".repeat(40));
    let doubled = format!("{{\"note\":{quoted},\"note\":{quoted}}}");
    let bare = format!("no json at all: {}", text.replace('\n', "\\n"));
    vec![truncated, invalid, deep.into_bytes(), doubled.into_bytes(), bare.into_bytes()]
}

fn tickets_with(number: u32, text: &str) -> Vec<Value> {
    let times = json!({"created_at": "2026-03-01T09:00:00Z", "updated_at": "2026-03-02T09:00:00Z"});
    let mut ticket = json!({
        "id": number, "subject": text, "description": format!("<p>{text}</p>"), "description_text": text,
        "type": "Service Request", "status": 2, "requester_id": 5, "requested_for_id": 6,
        "custom_fields": {
            "justification": text, "rollback_plan": text, "revocation_trigger": text, "access_items": text,
            "access_until": text, "other": text,
        },
        "tags": [text],
    });
    let mut agent = json!({
        "id": number + 100, "first_name": text, "last_name": text, "email": format!("agent{number}@example.com"),
        "role_ids": [1], "occasional": false, "active": true, "job_title": text, "signature": text,
    });
    let mut approval = json!({
        "id": number + 200, "approver_id": 7, "approver_name": text, "approval_type": 1, "user_id": 5, "level": 1,
        "approval_status": {"id": 1, "name": "approved"}, "latest_remark": text, "ticket_id": number,
    });
    for resource in [&mut ticket, &mut agent, &mut approval] {
        resource.as_object_mut().unwrap().extend(times.as_object().unwrap().clone());
    }
    let webhook = json!({"freshservice_webhook": {
        "ticket_id": format!("SR-{}", number + 300), "ticket_subject": text, "ticket_requester_name": text,
        "ticket_status": "Open", "note": text,
    }});
    vec![json!({"ticket": ticket}), agent, approval, webhook]
}

/// Events of CloudTrail with this text in every place where a text may stand.
fn cloudtrail_with(number: u32, text: &str) -> Vec<Value> {
    let event = |event_name: &str, at: &str| {
        json!({
            "eventVersion": "1.09", "eventTime": at, "eventSource": "iam.amazonaws.com", "eventName": event_name,
            "eventID": format!("{event_name}-{number}"), "readOnly": false, "recipientAccountId": "111122223333",
            "sourceIPAddress": text, "userAgent": text, "errorMessage": text, "requestID": text,
            "userIdentity": {
                "type": "IAMUser", "principalId": text, "arn": text, "accountId": text, "userName": text,
                "accessKeyId": text, "sessionContext": {"sessionIssuer": {"arn": text, "userName": text}},
            },
            "requestParameters": {
                "userName": text, "groupName": text, "policyArn": text, "policyName": text, "accessKeyId": text,
                "policyDocument": json!({"Sid": text}).to_string(), "tags": [{"key": text, "value": text}],
            },
            "responseElements": {"user": {"userId": text}, "accessKey": {"accessKeyId": text}},
        })
    };
    let create = event("CreateAccessKey", "2026-03-01T09:00:00Z");
    vec![
        json!({"Events": [{"EventId": "1", "CloudTrailEvent": event("AttachUserPolicy", "2026-03-01T09:00:00Z").to_string()}]}),
        json!({"Events": [{"EventId": "2", "CloudTrailEvent": format!("{create}}}")}]}),
        json!({"Records": [create, event("PutUserPolicy", text)]}),
        json!({"detail-type": text, "detail": event("AddUserToGroup", "2026-03-01T09:00:00Z")}),
    ]
}

/// An event of GitHub and one of Kubernetes, likewise.
fn github_with(number: u32, text: &str) -> Value {
    json!({
        "@timestamp": 1_772_357_400_000_u64, "_document_id": format!("evt-{number}"), "action": "team.add_member",
        "actor": text, "actor_id": number, "user": text, "team": text, "org": text, "org_id": text, "token_id": text,
        "hashed_token": text, "explanation": text, "external_identity_nameid": text, "user_agent": text,
        "config": {"url": text}, "data": {"deep": [{text: text}]},
    })
}

fn kubernetes_with(number: u32, text: &str) -> Value {
    json!({
        "kind": "Event", "apiVersion": "audit.k8s.io/v1", "auditID": format!("evt-{number}"), "stage": "ResponseComplete",
        "verb": "create", "requestURI": format!("/apis?x=1 {text}"), "userAgent": text, "sourceIPs": [text],
        "user": {"username": text, "uid": text, "extra": {"authentication.kubernetes.io/credential-id": [text]}},
        "objectRef": {
            "apiGroup": "rbac.authorization.k8s.io", "resource": "rolebindings", "namespace": text, "name": text,
        },
        "responseStatus": {"code": 201, "message": text},
        "requestObject": {
            "metadata": {"annotations": {"note": text}}, "roleRef": {"kind": "ClusterRole", "name": text},
            "subjects": [{"kind": "User", "name": text}],
        },
        "stageTimestamp": "2026-03-01T09:00:00.000100Z",
    })
}

/// What a cluster keeps as a secret, which nothing but its place gives away.
fn kept_by_a_cluster(number: u32) -> Value {
    let mut event = kubernetes_with(number, "nothing");
    event["objectRef"] = json!({"resource": "secrets", "namespace": "ci", "name": "deploy"});
    let applied = json!({"kind": "Secret", "data": {"file": "planted-in-nested-41"}}).to_string();
    event["requestObject"] = json!({
        "kind": "Secret", "data": {"file": "planted-in-nested-41"}, "stringData": {"port": 907_531_948},
        "metadata": {"annotations": {"kubectl.kubernetes.io/last-applied-configuration": applied}},
    });
    event["responseObject"] = event["requestObject"].clone();
    event
}

fn fact_with(number: u32, text: &str) -> Value {
    json!({
        "id": format!("fact-{number}"), "source": {"system": "ci", "instance": "prod", "stream": "deploy"},
        "facts": [{
            "kind": "ticket.opened", "occurred_at": "2026-03-01T09:30:00Z",
            "actor": {"id": "u1", "login": "jane", "name": text}, "object": {"id": format!("ticket/{number}"), "name": text},
            "texts": {"subject": text, "justification": text},
        }],
    })
}

/// A ledger into which all of this went, and whose answers were asked for, so that the views are there too.
fn filled_ledger() -> LedgerFolder {
    let ledger = LedgerFolder::init();
    let by_context = SECRETS_BY_CONTEXT.iter().map(|(before, secret, after)| format!("{before}{secret}{after}"));
    // Behind the end of a line, which JSON writes with a letter.
    let on_a_line = secrets_by_form().into_iter().map(|secret| format!("this is it:\n{secret}"));
    let texts: Vec<String> = secrets_by_form().into_iter().chain(by_context).chain(on_a_line).collect();
    let (mut okta, mut freshservice, mut facts) = (Vec::new(), Vec::new(), Vec::new());
    let (mut cloudtrail, mut github, mut kubernetes) = (Vec::new(), Vec::new(), Vec::new());
    let push = |file: &mut Vec<u8>, bytes: &[u8]| {
        file.extend_from_slice(bytes);
        file.push(b'\n');
    };
    for (number, text) in (1..).zip(&texts) {
        for event in okta_with(number, text) {
            push(&mut okta, event.to_string().as_bytes());
            // The same text, its slashes escaped, as some producers write them.
            push(&mut okta, event.to_string().replace('/', "\\/").as_bytes());
        }
        broken_with(number, text).iter().for_each(|bytes| push(&mut okta, bytes));
        for resource in tickets_with(number, text) {
            push(&mut freshservice, resource.to_string().as_bytes());
        }
        push(&mut facts, fact_with(number, text).to_string().as_bytes());
        push(&mut github, github_with(number, text).to_string().as_bytes());
        push(&mut kubernetes, kubernetes_with(number, text).to_string().as_bytes());
        for document in cloudtrail_with(number, text) {
            push(&mut cloudtrail, document.to_string().as_bytes());
        }
    }
    for (number, key) in (60_000..).zip(SECRET_KEYS) {
        let secret = secret_under(key);
        let mut event = joined(number, "2026-03-01T09:00:00Z", 1, 1);
        event["debugContext"]["debugData"][key] = json!(secret);
        event["request"] = json!({key: {"value": [secret, 1, {"nested": "planted-in-nested-41"}]}});
        push(&mut okta, event.to_string().as_bytes());
        let mut broken = joined(number, "2026-03-01T09:00:00Z", 1, 1);
        broken["debugContext"]["debugData"][key] = json!(secret);
        let broken = broken.to_string();
        push(&mut okta, &broken.as_bytes()[..broken.len() - 1]);
        let mut ticket = tickets_with(number, "nothing").swap_remove(0);
        ticket["ticket"]["custom_fields"][key] = json!(secret);
        push(&mut freshservice, ticket.to_string().as_bytes());
        let mut handed_out = cloudtrail_with(number, "nothing").swap_remove(3);
        handed_out["detail"]["requestParameters"][key] = json!(secret);
        handed_out["detail"]["responseElements"] = json!({"credentials": {key: secret}, "sAMLAssertion": secret});
        let embedded = handed_out["detail"].to_string().replace("AddUserToGroup", "UpdateLoginProfile");
        push(&mut cloudtrail, handed_out.to_string().as_bytes());
        push(&mut cloudtrail, json!({"CloudTrailEvent": embedded}).to_string().as_bytes());
        let mut hook = github_with(number, "nothing");
        hook["config"][key] = json!(secret);
        push(&mut github, hook.to_string().as_bytes());
        let mut object = kubernetes_with(number, "nothing");
        object["responseObject"] = json!({"status": {key: secret}});
        push(&mut kubernetes, object.to_string().as_bytes());
        // Cut short, within a string within a document.
        let cut = json!({"CloudTrailEvent": &embedded[..embedded.len() - 1]}).to_string();
        push(&mut cloudtrail, cut.as_bytes());
        push(&mut cloudtrail, &cut.as_bytes()[..cut.len() - 2]);
    }
    // Okta's own object with credentials in it, and a password that is a number.
    let credentials = json!({
        "id": "00u9", "status": "ACTIVE", "created": "2026-03-01T09:00:00Z", "lastUpdated": "2026-03-01T09:00:00Z",
        "profile": {"login": "someone@example.com", "email": "someone@example.com"},
        "credentials": {
            "password": {"value": secret_under("password")},
            "recovery_question": {"question": "Which pet?", "answer": "Rex-the-dog-planted"},
        },
        "passcode": 907_531_948,
    });
    push(&mut okta, credentials.to_string().as_bytes());
    let kept = kept_by_a_cluster(80_000).to_string();
    push(&mut kubernetes, kept.as_bytes());
    push(&mut kubernetes, &kept.as_bytes()[..kept.rfind("planted").unwrap() + "planted-in-nested-41".len()]);
    // One that is too large to be read, with a secret at its end.
    let mut large = joined(70_000, "2026-03-01T09:00:00Z", 1, 1);
    large["padding"] = json!("x".repeat(5 << 20));
    large["zz"] = json!({"password": secret_under("password"), "note": secrets_by_form()[2]});
    push(&mut okta, large.to_string().as_bytes());

    for (connector, bytes, name) in [
        ("okta", &okta, "o.jsonl"),
        ("freshservice", &freshservice, "f.jsonl"),
        ("fact", &facts, "a.jsonl"),
        ("cloudtrail", &cloudtrail, "c.jsonl"),
        ("github", &github, "g.jsonl"),
        ("kubernetes", &kubernetes, "k.jsonl"),
    ] {
        let summary = import(&ledger, connector, name, bytes);
        assert!(summary.events > 20, "{connector}: {summary:?}");
        if connector == "okta" {
            assert!(summary.rejected > 100 && summary.conflicts > 20, "{summary:?}");
        }
    }
    ledger.run(&["explain", "--all"]).ended(0);
    ledger
}

#[test]
fn no_secret_is_stored() {
    let ledger = filled_ledger();
    let needles = needles();
    let stored = Stored::of(&ledger);
    let found = stored.find(&needles);
    assert!(found.is_empty(), "{} places, such as {:#?}", found.len(), &found[..found.len().min(20)]);

    let opened = open(&ledger);
    let reader = opened.reader();
    let (mut fingerprints, mut kept) = (0, Vec::new());
    for index in indexes(&reader) {
        kept.push((format!("record {index}"), reader.record_bytes(index).unwrap()));
        if let Some(beside) = reader.beside(index).unwrap() {
            let payload = beside.payload.clone().unwrap().content;
            fingerprints += usize::from(holds(&payload, FINGERPRINT_PREFIX.as_bytes()));
            kept.push((format!("beside {index}"), beside.encode_to_vec()));
        }
    }
    let found = Stored { parts: kept }.find(&needles);
    assert!(found.is_empty(), "{} places, such as {:#?}", found.len(), &found[..found.len().min(20)]);
    assert!(fingerprints > 200, "what stands in their place: {fingerprints}");
    drop((reader, opened));
    // What is printed comes from there.
    for arguments in [&["explain", "--all", "--output", "json"][..], &["deadletter", "list"], &["sources"]] {
        let run = ledger.run(arguments).ended(0);
        assert!(Stored { parts: vec![(String::new(), run.stdout)] }.find(&needles).is_empty(), "{arguments:?}");
    }
}

/// Okta puts a password into an object: `"credentials": {"password": {"value": …}}`. Cut short, such a document does not
/// parse, and what stands under a key that says secret is a secret all the same.
#[test]
fn no_secret_is_stored_of_a_document_that_is_cut_short() {
    for key in ["password", "clientSecret", "token"] {
        for under in [json!({"value": "planted-51"}), json!(["planted-51"]), json!({"a": {"b": [1, "planted-51"]}})] {
            let ledger = LedgerFolder::init();
            let mut event = joined(1, "2026-03-01T09:00:00Z", 1, 1);
            event["credentials"] = json!({key: under});
            let text = event.to_string();
            let summary = import(&ledger, "okta", "cut.jsonl", &text.as_bytes()[..text.len() - 1]);
            assert_eq!(summary.rejected, 1);
            ledger.run(&["deadletter", "list"]).ended(0);
            let found = Stored::of(&ledger).find(&[b"planted-51".to_vec()]);
            assert!(found.is_empty(), "{}: {found:#?}", json!({key: under}));
        }
    }
}
