//! Each method needs the role that its .proto file names: nothing less lets in, and nothing else.

use counterfoil_tests::program::LedgerFolder;
use counterfoil_tests::server::Server;
use serde_json::{Value, json};
use tonic::Code;
use tonic_types::StatusExt;

use crate::calls::{Client, ROLES, http, methods, reason, token};

const HEALTH: &str = "/grpc.health.v1.Health/Check";
const REFLECTION: [&str; 2] = [
    "/grpc.reflection.v1.ServerReflection/ServerReflectionInfo",
    "/grpc.reflection.v1alpha.ServerReflection/ServerReflectionInfo",
];

#[test]
fn every_method_needs_its_role_and_no_other() {
    let ledger = LedgerFolder::init();
    let tokens: Vec<(&str, String)> = ROLES.iter().map(|role| (*role, token(&ledger, role, &[role]))).collect();
    let server = Server::start(&ledger);
    let client = Client::plain(&server);
    for method in methods() {
        let path = &method.path;
        let refused = client.call(path, None, &[]).unwrap_err();
        assert_eq!(
            (refused.code(), &reason(&refused)[..]),
            (Code::Unauthenticated, "counterfoil/TOKEN_ABSENT"),
            "{path}"
        );
        for (role, token) in &tokens {
            let answer = client.call(path, Some(token), &[]);
            if *role == method.role {
                // The empty request may be refused for what it lacks, or since this server keeps no backups.
                let code = answer.map_or_else(|status| status.code(), |_| Code::Ok);
                let is_let_in = match path.rsplit('/').next() {
                    Some("CreateBackup" | "ListBackups") => code == Code::FailedPrecondition,
                    _ => matches!(code, Code::Ok | Code::InvalidArgument | Code::NotFound),
                };
                assert!(is_let_in, "{path} as {role}: {code}");
                continue;
            }
            let refused = answer.unwrap_err();
            assert_eq!(refused.code(), Code::PermissionDenied, "{path} as {role}");
            let info = refused.get_details_error_info().unwrap();
            assert_eq!((info.domain, info.reason), ("counterfoil".to_owned(), "ROLE_MISSING".to_owned()), "{path}");
            assert_eq!(info.metadata.get("role"), Some(&method.role), "{path}: it says which one");
        }
    }
    // Whoever has several may do what each of them lets do.
    let all = token(&ledger, "all", &["read", "write"]);
    let path = "/counterfoil.v1.IngestService/Append";
    while client.call(path, Some(&all), &[]).is_err_and(|status| status.code() == Code::Unauthenticated) {
        client.pause();
    }
    assert_eq!(client.call(path, Some(&all), &[]).unwrap_err().code(), Code::InvalidArgument);
    client.call("/counterfoil.v1.LedgerService/GetCheckpoint", Some(&all), &[]).unwrap();
}

#[test]
fn every_route_needs_the_role_of_its_method() {
    let ledger = LedgerFolder::init();
    let tokens: Vec<(&str, String)> = ROLES.iter().map(|role| (*role, token(&ledger, role, &[role]))).collect();
    let server = Server::start(&ledger);
    let routes = methods().into_iter().filter_map(|method| Some((method.route?, method.role)));
    let own = [
        ("GET", "/metrics", "operate"),
        ("POST", "/v1/ingest/okta", "write"),
        ("POST", "/v1/snapshots/okta", "write"),
        ("GET", "/checkpoint", "payload"),
        ("GET", "/tile/0/x001/000", "payload"),
        ("GET", "/tile/entries/999", "payload"),
    ];
    let own = own.map(|(verb, path, role)| ((verb.to_owned(), path.to_owned()), role.to_owned()));
    let mut count = 0;
    for ((verb, template), needed) in routes.chain(own) {
        let path: String = template
            .split('/')
            .map(|part| if part.starts_with('{') { "1" } else { part })
            .collect::<Vec<_>>()
            .join("/");
        let line = format!("{verb} {path}?page_size=1");
        let absent = http(&server, &line, &[]);
        assert_eq!(
            (absent.code, absent.header("www-authenticate")),
            (401, Some("Bearer realm=\"counterfoil\"")),
            "{line}"
        );
        for (role, token) in &tokens {
            let answer = http(&server, &line, &[&format!("authorization: Bearer {token}")]);
            if *role == needed {
                assert!(!matches!(answer.code, 401 | 403), "{line} as {role}: {}", answer.code);
                continue;
            }
            assert_eq!(answer.code, 403, "{line} as {role}");
            let challenge = format!("Bearer realm=\"counterfoil\", error=\"insufficient_scope\", scope=\"{needed}\"");
            assert_eq!(answer.header("www-authenticate"), Some(&challenge[..]), "{line}");
            assert_eq!(answer.header("content-type"), Some("application/json"));
            let body: Value = serde_json::from_str(&answer.body).unwrap();
            let status = &body["error"];
            let info = json!({
                "@type": "type.googleapis.com/google.rpc.ErrorInfo", "reason": "ROLE_MISSING", "domain": "counterfoil",
                "metadata": {"role": needed},
            });
            assert_eq!((&status["code"], &status["details"]), (&json!(403), &json!([info])), "{line}");
            assert!(status["message"].as_str().unwrap().contains(&needed), "{status}");
        }
        count += 1;
    }
    assert!(count > 15, "{count}");
}

#[test]
fn health_is_open_reflection_is_for_callers_and_nothing_else_is_there() {
    let ledger = LedgerFolder::init();
    let operate = token(&ledger, "prober", &["operate"]);
    let server = Server::start(&ledger);
    let client = Client::plain(&server);
    client.call(HEALTH, None, &[]).unwrap();
    // A token that nobody knows is none of its business either.
    client.call(HEALTH, Some("counterfoil_unknown"), &[]).unwrap();
    assert_eq!(http(&server, "GET /healthz", &[]).code, 200);
    assert!(matches!(http(&server, "HEAD /readyz", &[]).code, 200 | 503));
    for path in REFLECTION {
        assert_eq!(client.call(path, None, &[]).unwrap_err().code(), Code::Unauthenticated, "{path}");
        // The empty question is refused by the service itself.
        let code = client.call(path, Some(&operate), &[]).map_or_else(|status| status.code(), |_| Code::Ok);
        assert!(
            !matches!(code, Code::Unauthenticated | Code::PermissionDenied | Code::Unimplemented),
            "{path}: {code}"
        );
    }
    for path in [
        "/counterfoil.v1.LedgerService/Forge",
        "/counterfoil.v1.Nothing/GetRecord",
        "/counterfoil.v1.LedgerService/getcheckpoint",
        "/counterfoil.v1.LedgerService//GetCheckpoint",
        "//counterfoil.v1.LedgerService/GetCheckpoint",
        "/counterfoil.v1.LedgerService/GetCheckpoint/",
        "/counterfoil.v1.LedgerService/Get%43heckpoint",
        "/grpc.health.v1.Health/Forge",
        "/",
    ] {
        assert_eq!(client.call(path, None, &[]).unwrap_err().code(), Code::Unauthenticated, "{path}");
        assert_eq!(client.call(path, Some(&operate), &[]).unwrap_err().code(), Code::Unimplemented, "{path}");
    }
    assert_eq!(http(&server, "GET /nowhere", &[]).code, 401);
    let nowhere = http(&server, "GET /nowhere", &[&format!("authorization: Bearer {operate}")]);
    let body: Value = serde_json::from_str(&nowhere.body).unwrap();
    assert_eq!((nowhere.code, &body["error"]["status"]), (404, &json!("NOT_FOUND")), "{body}");
    assert_eq!(http(&server, "DELETE /healthz", &[]).code, 401);
    assert_eq!(http(&server, "GET /openapi.json", &[]).code, 401);
    assert_eq!(http(&server, "GET /openapi.json", &[&format!("authorization: Bearer {operate}")]).code, 200);
}
