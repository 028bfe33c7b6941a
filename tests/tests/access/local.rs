//! A server that only this machine reaches, without tokens: open to programs, closed to pages in browsers.

use counterfoil_tests::program::LedgerFolder;
use counterfoil_tests::server::Server;
use tonic::Code;

use crate::calls::{Client, http, methods, reason};

#[test]
fn on_this_machine_programs_may_do_everything() {
    let ledger = LedgerFolder::init();
    let server = Server::start(&ledger);
    let client = Client::plain(&server);
    for method in methods() {
        let code = client.call(&method.path, None, &[]).map_or_else(|status| status.code(), |_| Code::Ok);
        assert!(!matches!(code, Code::Unauthenticated | Code::PermissionDenied), "{}: {code}", method.path);
    }
    for route in ["/healthz", "/readyz"] {
        assert!(matches!(http(&server, &format!("GET {route}"), &[]).code, 200 | 503), "{route}");
    }
    let nothing = client.call("/counterfoil.v1.LedgerService/Forge", None, &[]).unwrap_err();
    assert_eq!(nothing.code(), Code::Unimplemented);
    assert_eq!(http(&server, "GET /nowhere", &[]).code, 404);
}

/// A page cannot choose what its browser says about it: where it is from, and whom it believes to call.
#[test]
fn a_page_in_a_browser_may_do_nothing() {
    let ledger = LedgerFolder::init();
    let server = Server::start(&ledger);
    let port = server.address.rsplit_once(':').unwrap().1;
    for (line, headers, expected, reason) in [
        ("GET /healthz", vec!["origin: https://example.com"], 403, "ORIGIN"),
        ("GET /healthz", vec!["origin: null"], 403, "ORIGIN"),
        ("GET /v1/sources", vec!["origin: http://localhost"], 403, "ORIGIN"),
        (
            "OPTIONS /v1/append",
            vec!["origin: https://example.com", "access-control-request-method: POST"],
            403,
            "ORIGIN",
        ),
        // Where a name was made to point here, the request names it.
        ("GET /healthz", vec!["host: rebound.example.com"], 403, "HOST"),
        ("GET http://rebound.example.com/healthz", vec!["host: localhost"], 403, "HOST"),
    ] {
        let own = format!("host: localhost:{port}");
        let headers = if headers[0].starts_with("host") { headers } else { [&[&own[..]], &headers[..]].concat() };
        let stream = std::net::TcpStream::connect(&server.address).unwrap();
        let answer = crate::calls::converse(stream, line, &headers, "");
        assert_eq!(answer.code, expected, "{line} {headers:?}: {}", answer.body);
        let body: serde_json::Value = serde_json::from_str(&answer.body).unwrap();
        assert_eq!(
            (&body["error"]["code"], &body["error"]["details"][0]["reason"]),
            (&403.into(), &reason.into()),
            "{body}"
        );
        assert!(!answer.headers.iter().any(|(name, _)| name.starts_with("access-control")), "{:?}", answer.headers);
    }
    let rebound = Client::connect(&server.url(), None, Some("http://rebound.example.com")).unwrap();
    let refused = rebound.call("/counterfoil.v1.LedgerService/GetCheckpoint", None, &[]).unwrap_err();
    assert_eq!((refused.code(), &reason(&refused)[..]), (Code::PermissionDenied, "counterfoil/HOST"));
    for name in ["localhost", "127.0.0.1", "[::1]", "ledger.localhost"] {
        let client = Client::connect(&server.url(), None, Some(&format!("http://{name}:{port}"))).unwrap();
        client.call("/counterfoil.v1.LedgerService/GetCheckpoint", None, &[]).unwrap();
    }
}

/// What anybody may send costs little.
#[test]
fn heads_of_requests_have_a_limit() {
    let ledger = LedgerFolder::init();
    let server = Server::start(&ledger);
    let long = "a".repeat(80_000);
    assert!(matches!(http(&server, &format!("GET /{long}"), &[]).code, 414 | 431));
    assert_eq!(http(&server, "GET /healthz", &[&format!("authorization: Bearer {long}")]).code, 431);
    let many = vec!["x: y"; 200];
    assert_eq!(http(&server, "GET /healthz", &many).code, 431);
    let refused = Client::plain(&server).call("/counterfoil.v1.LedgerService/GetCheckpoint", Some(&long), &[]);
    assert!(refused.is_err(), "over HTTP/2");
    assert_eq!(http(&server, "GET /healthz", &[]).code, 200, "it goes on");
}
