//! Trap 21: one secret of every kind is planted; none may be left, and nothing else may change.

#![allow(clippy::unwrap_used)] // A test stops where it fails.

#[path = "fixtures/support.rs"]
mod support;

use counterfoil_ingest::json::{Json, parse};
use counterfoil_ingest::secrets::{FINGERPRINT_PREFIX, may_hold_secrets, redact_bytes, redact_json};
use support::digest_key;

/// A secret, put together here so that no scanner of this repository takes it for a leaked one.
fn planted() -> Vec<(&'static str, String)> {
    let long = "Zx9Kq2Lm8Rt5Vb1Nc7Wd3Yf6Hj4";
    let join = |parts: &[&str]| parts.concat();
    vec![
        ("AWS key id", join(&["AK", "IA", "Q3EXAMPLE4567ABC"])),
        ("AWS temporary key id", join(&["AS", "IA", "Q3EXAMPLE4567ABC"])),
        ("GitHub token", join(&["gh", "p_", long, long])),
        ("GitHub fine-grained token", join(&["github", "_pat_", long, "_", long])),
        ("GitLab token", join(&["gl", "pat-", "x9Kq2Lm8Rt5Vb1Nc7Wd3"])),
        ("Slack token", join(&["xo", "xb-", "123456789012-abcdefghij"])),
        ("JSON web token", join(&["ey", "JhbGciOiJIUzI1NiJ9", ".", "eyJzdWIiOiIxMjM0In0", ".", long])),
        (
            "private key",
            join(&["-----BEGIN RSA PRIV", "ATE KEY-----\nMIIEow", long, "\n-----END RSA PRIV", "ATE KEY-----"]),
        ),
        ("truncated private key", join(&["-----BEGIN PRIV", "ATE KEY-----\nMIIEow", long])),
        ("Google key", join(&["AI", "za", "SyA1234567890abcdefghijklmnopqrstuv"])),
        ("Stripe key", join(&["sk", "_live_", long])),
        ("OpenAI key", join(&["sk", "-proj-", long, long])),
        ("Anthropic key", join(&["sk", "-ant-api03-", long, long])),
        ("Vault token", join(&["hv", "s.", long])),
        ("npm token", join(&["np", "m_", long, "abcdefgh"])),
        ("PyPI token", join(&["py", "pi-", "AgEIcHlwaS5vcmc", long])),
    ]
}

/// Where only part of a text is the secret: before, secret, after.
const IN_CONTEXT: [(&str, &str, &str, &str); 13] = [
    ("Okta token", "Authorization used SSWS ", "00abcDEF123_ghi-456JKL789mnoPQR0", " here"),
    ("bearer header", "curl -H 'X: Bearer ", "mF_9.B5f-4.1JqM", "' x"),
    ("basic header", "sent Basic ", "dXNlcjpwYXNzMTIz", " then"),
    ("password in a URL", "postgres://app:", "hunter2", "@db.example.com/x"),
    ("token in a query", "/callback?a=1&token=", "abc123", "&b=2"),
    ("key in a query", "/maps?key=", "abc123", ""),
    ("API key in a query", "/maps?x=1&api_key=", "abc123", ""),
    ("password in a query", "/login?password=", "hunter2", "#top"),
    ("assignment", "export DB_PASSWORD=", "hunter2", " ; run"),
    ("JSON within text", r#"body {"user":"x","clientSecret": ""#, "hunter2", r#""} end"#),
    ("AWS secret key", "aws_secret_access_key = ", "wJalrXUtnFEMIK7MDENGbPxRfiCYEXAMPLEKEYab", ""),
    (
        "token of this program",
        "with counterfoil_0123456789abcdef_",
        "Zx9Kq2Lm8Rt5Vb1Nc7Wd3Yf6Hj4-Zx9Kq2Lm8Rt5_01",
        " to",
    ),
    ("Slack webhook", "https://hooks.slack.com/services/", "T00000000/B00000000/XXXXXXXXXXXX", ""),
];

const SECRET_KEYS: [&str; 24] = [
    "password",
    "passwd",
    "tempPassword",
    "secret",
    "client_secret",
    "clientSecret",
    "private_key",
    "api_key",
    "apikey",
    "X-Api-Key",
    "access_token",
    "refresh_token",
    "id_token",
    "Authorization",
    "cookie",
    "Set-Cookie",
    "session_token",
    "sessionToken",
    "secret_key",
    "secretAccessKey",
    "webhook_secret",
    "token",
    "resetPasswordUrl",
    "recovery_answer",
];

const OTHER_KEYS: [&str; 14] = [
    "requestApiTokenId",
    "externalSessionId",
    "hashed_token",
    "token_id",
    "accessKeyId",
    "passwordChanged",
    "secretName",
    "token_type",
    "tokenEndpointAuthMethod",
    "privilegeGranted",
    "keyboard",
    "cookies_accepted",
    "answer",
    "author",
];

fn quote(text: &str) -> String {
    Json::Str(text.into()).to_text()
}

/// Redacts a document, and checks that the fast test sees what there is to see.
fn redacted(document: &str) -> String {
    let json = parse(document.as_bytes()).unwrap();
    match redact_json(&json, &digest_key()) {
        None => document.to_owned(),
        Some(redacted) => {
            assert!(may_hold_secrets(document), "the fast test misses {document}");
            assert_eq!(redact_json(&redacted, &digest_key()), None, "twice is once");
            redacted.to_text()
        }
    }
}

fn check(name: &str, document: &str, secret: &str) {
    let clean = redacted(document);
    assert!(!clean.contains(&quote(secret)[1..=secret.len().min(12)]), "{name}: {clean}");
    assert!(clean.contains(FINGERPRINT_PREFIX), "{name}: {clean}");
    // The same bytes, cut short so that they do not parse.
    let broken = format!("{document} x");
    let bytes = redact_bytes(broken.as_bytes(), &digest_key());
    let bytes = String::from_utf8(bytes.into_owned()).unwrap();
    assert!(!bytes.contains(&quote(secret)[1..=secret.len().min(12)]), "{name}: {bytes}");
}

#[test]
fn no_form_of_secret_stays() {
    for (name, secret) in planted() {
        for text in
            [secret.clone(), format!("see {secret}, thanks"), format!("\"{secret}\""), format!("a\n{secret}\tb")]
        {
            let document = format!(r#"{{"id":1,"deep":[{{"note":{}}}]}}"#, quote(&text));
            check(name, &document, &secret);
        }
        check(name, &format!(r#"{{{}:1}}"#, quote(&secret)), &secret);
        // In JSON within JSON, whole and cut off.
        let document =
            format!(r#"{{"policy":{}}}"#, quote(&format!(r#"{{"Sid":{}}}"#, quote(&format!("a\n{secret}")))));
        check(name, &document, &secret);
        let inner = quote(&quote(&format!("a\n{secret}")));
        let clean = redact_bytes(&inner.as_bytes()[..inner.len() - 1], &digest_key()).into_owned();
        assert!(!String::from_utf8(clean).unwrap().contains(&secret[..secret.len().min(12)]), "{name}: {inner}");
    }
}

#[test]
fn only_the_secret_part_of_a_text_goes() {
    for (name, before, secret, after) in IN_CONTEXT {
        let document = format!(r#"{{"note":{}}}"#, quote(&format!("{before}{secret}{after}")));
        check(name, &document, secret);
        let clean = redacted(&document);
        let quoted = |text: &str| quote(text)[1..quote(text).len() - 1].to_owned();
        let (left, right) = clean.split_once(FINGERPRINT_PREFIX).unwrap();
        assert_eq!(left, format!(r#"{{"note":"{}"#, quoted(before)), "{name}");
        assert_eq!(right[32..], format!(r#"{}"}}"#, quoted(after)), "{name}: nothing of the secret is left");
    }
}

#[test]
fn a_key_that_says_secret_hides_whatever_is_under_it() {
    for key in SECRET_KEYS {
        for value in [r#""hunter2zz""#, r#"["hunter2zz"]"#, r#"{"value":{"v":"hunter2zz"}}"#] {
            let document = format!(r#"{{"a":{{"{key}":{value}}}}}"#);
            let clean = redacted(&document);
            assert!(!clean.contains("hunter2zz"), "{clean}");
        }
        for nothing in ["null", r#""""#, "{}", "true"] {
            let document = format!(r#"{{"{key}":{nothing}}}"#);
            assert_eq!(redacted(&document), document);
        }
        let broken = format!(r#"{{"{key}" : "hunter2zz", "#);
        let bytes = redact_bytes(broken.as_bytes(), &digest_key());
        assert!(!String::from_utf8_lossy(&bytes).contains("hunter2zz"), "{key}");
    }
    let clean =
        redacted(r#"{"password":123456,"credentials":{"recovery_question":{"question":"Pet?","answer":"Rex"}}}"#);
    assert!(!clean.contains("123456") && !clean.contains("Rex") && clean.contains("Pet?"), "{clean}");
}

/// What answers a question is a secret beside that question, and nowhere else.
#[test]
fn answers_to_questions_for_recovery_go() {
    for (name, is_secret) in [("recovery_question", true), ("Security-Question", true), ("survey", false)] {
        let document = format!(r#"{{"{name}":{{"question":"Pet?","answer":"Rex of the house"}},"next":1}}"#);
        assert_eq!(!redacted(&document).contains("Rex"), is_secret, "{name}");
        let broken = &document.as_bytes()[..document.len() - 1];
        let clean = redact_bytes(broken, &digest_key());
        let clean = String::from_utf8_lossy(&clean);
        assert_eq!(!clean.contains("Rex"), is_secret, "{clean}");
        assert!(clean.contains("Pet?"), "{clean}");
    }
}

#[test]
fn what_is_no_secret_stays() {
    for key in OTHER_KEYS {
        let document = format!(r#"{{"{key}":"00T1abcdef"}}"#);
        assert_eq!(redacted(&document), document);
    }
    for text in [
        "Basic authentication is used",
        "Bearer of bad news",
        "the password: reset requested",
        "task-management-for-everyone-in-the-team",
        "https://example.com/reset?state=open&ticket=SR-12",
        "https://example.com:8443/a@b",
        "/api/v1/users/00u3m90rxKjGQ0G6L1d6/roles",
        "Token",
        "risk-assessment-of-the-production-systems",
        "0d6c348d-a771-49dd-9eb7-655167f26501",
        "counterfoil_0123456789abcdef_has-expired",
        "counterfoil_database_delayed_write_bytes_per_second_of_the_log",
    ] {
        let document = format!(r#"{{"note":{}}}"#, quote(text));
        assert_eq!(redacted(&document), document);
    }
    let link = r#"{"_links":{"resetPassword":{"href":"https://example.com/x","method":"POST"}}}"#;
    assert_eq!(redacted(link), link);
}

#[test]
fn a_secret_has_one_fingerprint_wherever_it_stands_and_another_under_another_key() {
    let fingerprint = |document: &str| {
        let clean = redacted(document);
        let start = clean.find(FINGERPRINT_PREFIX).unwrap();
        clean[start..start + FINGERPRINT_PREFIX.len() + 32].to_owned()
    };
    let first = fingerprint(r#"{"password":"mF_9.B5f-4.1JqM"}"#);
    assert_eq!(first, fingerprint(r#"{"x":["a Bearer mF_9.B5f-4.1JqM b"]}"#));
    assert_eq!(first, fingerprint(r#"{"Authorization":"Bearer mF_9.B5f-4.1JqM"}"#));
    assert_ne!(first, fingerprint(r#"{"password":"mF_9.B5f-4.1JqN"}"#));
}

#[test]
fn escapes_in_the_text_hide_nothing() {
    let clean = redacted(r#"{"pass\u0077ord":"hunter2zz"}"#);
    assert!(clean.contains(FINGERPRINT_PREFIX), "{clean}");
    check("header on two lines", "{\"note\":\"Bearer\\nmF_9.B5f-4.1JqM\"}", "mF_9.B5f-4.1JqM");
    check("escaped slashes", r#"{"u":"https:\/\/a:hunter2zz@b.example.com"}"#, "hunter2zz");
}

/// JSON within a text, as AWS writes its policies.
#[test]
fn a_percent_encoding_hides_nothing() {
    let encoded = |text: &str| -> String {
        let byte = |byte: u8| match byte.is_ascii_alphanumeric() || b"-_.~".contains(&byte) {
            true => char::from(byte).to_string(),
            false => format!("%{byte:02X}"),
        };
        text.bytes().map(byte).collect()
    };
    let document = |inner: &str| format!("{{\"policyDocument\": {}}}", quote(&encoded(inner)));
    for (name, secret) in planted() {
        let document = document(&format!("{{\"Condition\": {}}}", quote(&secret)));
        assert!(may_hold_secrets(&document), "{name}");
        let left = redacted(&document);
        assert!(left.contains(FINGERPRINT_PREFIX) && !left.contains(&encoded(&secret)), "{name}: {left}");
        assert!(!left.contains(&secret), "{name}: {left}");
        let bytes = redact_bytes(&document.as_bytes()[..document.len() - 1], &digest_key()).into_owned();
        assert!(!String::from_utf8(bytes).unwrap().contains(&encoded(&secret)), "{name}");
    }
    let left = redacted(&document(r#"{"password": "hunter2"}"#));
    assert!(!left.contains("hunter2"), "{left}");
    let innocent = document(r#"{"Statement": [{"Action": "s3:*"}]}"#);
    assert_eq!(redacted(&innocent), innocent, "what hides nothing stays as it is");
}

#[test]
fn bytes_that_are_no_text_are_scanned_too() {
    let mut bytes = b"\xff\xfe password=hunter2zz \xff".to_vec();
    let clean = redact_bytes(&bytes, &digest_key()).into_owned();
    assert!(!clean.windows(9).any(|part| part == b"hunter2zz"));
    assert!(clean.starts_with(b"\xff\xfe password=") && clean.ends_with(b" \xff"));
    bytes.truncate(3);
    assert_eq!(*redact_bytes(&bytes, &digest_key()), *bytes);
}
