//! TLS: who the server is, and callers that show a certificate.

use std::net::TcpStream;
use std::sync::Arc;

use counterfoil_tests::kafka::until;
use counterfoil_tests::program::{LedgerFolder, run};
use counterfoil_tests::server::Server;
use rustls::crypto::aws_lc_rs;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;
use rustls::{ClientConfig, ClientConnection, RootCertStore, StreamOwned};
use tonic::Code;
use tonic::transport::{Certificate, ClientTlsConfig, Identity};

use crate::calls::{Client, converse, http, reason, token};
use crate::pki::{self, Authority};

const CHECKPOINT: &str = "/counterfoil.v1.LedgerService/GetCheckpoint";
const APPEND: &str = "/counterfoil.v1.IngestService/Append";

/// Serves with TLS on every address of this machine.
fn start(ledger: &LedgerFolder, identity: &pki::Identity, client_ca: Option<&Authority>) -> Server {
    let (certificate, key) = identity.write(ledger, "server");
    let mut arguments = vec!["--listen", "0.0.0.0:0", "--tls-cert", &certificate, "--tls-key", &key];
    let ca = client_ca.map(|ca| ledger.file("clients.pem", &ca.pem));
    if let Some(ca) = &ca {
        arguments.extend(["--client-ca", ca.to_str().unwrap()]);
    }
    Server::start_with(ledger, &arguments)
}

fn url(server: &Server) -> String {
    server.url().replace("0.0.0.0", "127.0.0.1")
}

fn trusting(authority: &Authority) -> ClientTlsConfig {
    ClientTlsConfig::new().ca_certificate(Certificate::from_pem(&authority.pem))
}

fn connect(server: &Server, authority: &Authority, identity: Option<&pki::Identity>) -> Result<Client, String> {
    let mut config = trusting(authority);
    if let Some(identity) = identity {
        config = config.identity(Identity::from_pem(&identity.certificate, &identity.key));
    }
    Client::connect(&url(server), Some(config), None)
}

#[test]
fn other_machines_need_tls_and_a_name() {
    let ledger = LedgerFolder::init();
    let (certificate, key) = Authority::new().server().write(&ledger, "server");
    let tls = ["--tls-cert", &certificate[..], "--tls-key", &key];
    let serve = |further: &[&str]| ledger.run(&[&["serve"], further].concat());
    for (address, further, told) in [
        ("0.0.0.0:0", &[][..], "read along"),
        ("[::]:0", &[], "read along"),
        ("0.0.0.0:0", &tls, "nothing would ask who calls"),
    ] {
        let refused = serve(&[&["--listen", address], further].concat()).ended(1);
        assert!(refused.stderr.contains(told) && refused.stderr.contains("127.0.0.1"), "{}", refused.stderr);
    }
    let refused = serve(&[&["--listen", "127.0.0.1:0", "--client-ca", &certificate], &tls[..]].concat()).ended(1);
    assert!(refused.stderr.contains("counterfoil token create"), "{}", refused.stderr);
    serve(&["--tls-cert", &certificate]).ended(2);
    serve(&["--client-ca", &certificate]).ended(2);

    token(&ledger, "siem", &["read"]);
    let refused = serve(&["--listen", "0.0.0.0:0"]).ended(1);
    assert!(refused.stderr.contains("read along"), "a token alone is heard by others: {}", refused.stderr);
    let other = Authority::new().server().write(&ledger, "other").1;
    for (wrong, told) in [
        (["--tls-cert", &certificate, "--tls-key", &other], "cannot be used"),
        (["--tls-cert", &certificate, "--tls-key", &certificate], "server.pem"),
        (["--tls-cert", &key, "--tls-key", &key], "no certificate"),
        (["--tls-cert", "/nowhere.pem", "--tls-key", &key], "/nowhere.pem"),
    ] {
        let refused = serve(&[&["--listen", "127.0.0.1:0"], &wrong[..]].concat()).ended(1);
        assert!(refused.stderr.contains(told), "{wrong:?}: {}", refused.stderr);
        assert!(!refused.stderr.contains("PRIVATE KEY"), "{}", refused.stderr);
    }
}

#[test]
fn a_server_shows_who_it_is() {
    let ledger = LedgerFolder::init();
    let token = token(&ledger, "siem", &["read"]);
    let authority = Authority::new();
    let server = start(&ledger, &authority.server(), None);
    assert!(server.url().starts_with("https://"));
    let client = connect(&server, &authority, None).unwrap();
    client.call(CHECKPOINT, Some(&token), &[]).unwrap();
    assert_eq!(reason(&client.call(CHECKPOINT, None, &[]).unwrap_err()), "counterfoil/TOKEN_ABSENT");
    assert!(connect(&server, &Authority::new(), None).is_err(), "another authority");

    // Without TLS nothing is answered, not even that.
    let plain = TcpStream::connect(server.address.replace("0.0.0.0", "127.0.0.1")).unwrap();
    assert_eq!(converse(plain, "GET /healthz", &["host: localhost"], "").code, 0);
    let refused = Client::connect(&url(&server).replace("https", "http"), None, None);
    let refused =
        refused.and_then(|client| client.call(CHECKPOINT, Some(&token), &[]).map_err(|status| status.to_string()));
    assert!(refused.is_err());

    // The command line.
    let ca = ledger.file("ca.pem", &authority.pem);
    let file = ledger.file("siem.token", &token);
    let (ca, file) = (ca.to_str().unwrap(), file.to_str().unwrap());
    let url = url(&server);
    let ask = |further: &[&str]| run(&[&["checkpoint", "--server", &url, "--token-file", file], further].concat());
    ask(&["--ca", ca]).ended(0);
    let other = ledger.file("other.pem", Authority::new().pem);
    let refused = ask(&["--ca", other.to_str().unwrap()]).ended(1);
    assert!(refused.stderr.contains("certificate"), "{}", refused.stderr);
    ask(&[]).ended(1);
    // How it is doing is told to everybody, by a server that is believed to be the one.
    let health = |further: &[&str]| run(&[&["health", "--server", &url], further].concat());
    until("the server is ready", || health(&["--ca", ca]).code == 0);
    health(&[]).ended(1);

    // And HTTP/1.1, for programs that speak nothing newer.
    let answer = |protocol: &[u8]| {
        let mut roots = RootCertStore::empty();
        roots.add(CertificateDer::from_pem_slice(authority.pem.as_bytes()).unwrap()).unwrap();
        let mut config = ClientConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()))
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_root_certificates(roots)
            .with_no_client_auth();
        config.alpn_protocols = vec![protocol.to_vec()];
        let connection = ClientConnection::new(Arc::new(config), "localhost".try_into().unwrap()).unwrap();
        let socket = TcpStream::connect(server.address.replace("0.0.0.0", "127.0.0.1")).unwrap();
        // Another host's name is no reason to refuse somebody who shows a token.
        let headers = ["host: ledger.example.com", &format!("authorization: Bearer {token}")];
        converse(StreamOwned::new(connection, socket), "GET /v1/nothing", &headers, "").code
    };
    assert_eq!(answer(b"http/1.1"), 404);
}

#[test]
fn a_server_with_an_expired_certificate_is_not_believed() {
    let ledger = LedgerFolder::init();
    token(&ledger, "siem", &["read"]);
    let authority = Authority::new();
    let server = start(&ledger, &authority.expired(false), None);
    let refused = connect(&server, &authority, None).err().unwrap();
    assert!(refused.contains("Expired"), "{refused}");
}

#[test]
fn a_certificate_lets_in_whom_the_file_names() {
    let ledger = LedgerFolder::init();
    let (authority, clients) = (Authority::new(), Authority::new());
    let gate = clients.client("spiffe://example.com/gate", "gate.example.com");
    let both = clients.client("spiffe://example.com/both", "Both.example.com");
    let pinned = clients.client("spiffe://example.com/pinned", "pinned.example.com");
    let revoked = clients.client("spiffe://example.com/revoked", "revoked.example.com");
    let nobody = clients.client("spiffe://example.com/gate/other", "x.gate.example.com");
    let entry = |certificate: &str, role: &str| -> String {
        let arguments = ["token", "create", "--name", "c", "--role", role, "--certificate", certificate];
        let made = ledger.run(&arguments).ended(0);
        assert!(!made.text().contains("counterfoil_"), "no token is made: {}", made.text());
        let listed: serde_json::Value = ledger.run(&["token", "list", "--output", "json"]).json();
        listed["entries"].as_array().unwrap().last().unwrap()["id"].as_str().unwrap().to_owned()
    };
    entry("uri:spiffe://example.com/gate", "read");
    entry("uri:spiffe://example.com/both", "read");
    entry("dns:both.example.com", "write");
    entry(&format!("sha256:{}", pinned.fingerprint), "write");
    let id = entry("dns:revoked.example.com", "read");
    ledger.run(&["token", "revoke", &id]).ended(0);
    let reader = token(&ledger, "reader", &["read"]);
    let server = start(&ledger, &authority.server(), Some(&clients));

    let code = |identity: Option<&pki::Identity>, token: Option<&str>, path: &str| {
        let client = connect(&server, &authority, identity).unwrap();
        client
            .call(path, token, &[])
            .map_or_else(|status| (status.code(), reason(&status)), |_| (Code::Ok, String::new()))
    };
    let ok = (Code::Ok, String::new());
    // Empty requests to append are let in, and then refused for what they lack.
    let let_in = (Code::InvalidArgument, "counterfoil/INVALID_FIELD".to_owned());
    let missing = (Code::PermissionDenied, "counterfoil/ROLE_MISSING".to_owned());
    let unknown = |reason: &str| (Code::Unauthenticated, format!("counterfoil/{reason}"));
    assert_eq!(code(Some(&gate), None, CHECKPOINT), ok);
    assert_eq!(code(Some(&gate), None, APPEND), missing);
    assert_eq!((code(Some(&both), None, CHECKPOINT), code(Some(&both), None, APPEND)), (ok.clone(), let_in.clone()));
    assert_eq!((code(Some(&pinned), None, CHECKPOINT), code(Some(&pinned), None, APPEND)), (missing, let_in));
    assert_eq!(code(Some(&revoked), None, CHECKPOINT), unknown("CERTIFICATE_REVOKED"));
    assert_eq!(code(Some(&nobody), None, CHECKPOINT), unknown("CERTIFICATE_UNKNOWN"));
    assert_eq!(code(None, None, CHECKPOINT), unknown("TOKEN_ABSENT"));
    // A token says more than a certificate: also where it does not count.
    assert_eq!(code(None, Some(&reader), CHECKPOINT), ok);
    assert_eq!(code(Some(&nobody), Some(&reader), CHECKPOINT), ok);
    assert_eq!(code(Some(&gate), Some("forged"), CHECKPOINT), unknown("TOKEN_UNKNOWN"));

    // Certificates of others, and those that have expired, are not even heard.
    for stranger in [Authority::new().client("spiffe://example.com/gate", "gate.example.com"), clients.expired(true)] {
        let heard = connect(&server, &authority, Some(&stranger))
            .and_then(|client| client.call(CHECKPOINT, Some(&reader), &[]).map_err(|status| status.to_string()));
        assert!(heard.is_err());
    }

    let (certificate, key) = gate.write(&ledger, "gate");
    let ca = ledger.file("ca.pem", &authority.pem);
    let url = url(&server);
    let ask = ["checkpoint", "--server", &url, "--ca", ca.to_str().unwrap()];
    run(&[&ask[..], &["--client-cert", &certificate, "--client-key", &key]].concat()).ended(0);
    run(&ask).ended(1);
    run(&[&ask[..], &["--client-cert", &certificate]].concat()).ended(2);
}

/// TLS on this machine asks nobody who they are, as without it.
#[test]
fn tls_on_this_machine_needs_no_tokens() {
    let ledger = LedgerFolder::init();
    let authority = Authority::new();
    let (certificate, key) = authority.server().write(&ledger, "server");
    let server =
        Server::start_with(&ledger, &["--listen", "127.0.0.1:0", "--tls-cert", &certificate, "--tls-key", &key]);
    connect(&server, &authority, None).unwrap().call(CHECKPOINT, None, &[]).unwrap();
    assert_eq!(http(&server, "GET /healthz", &[]).code, 0, "and nobody without TLS");
}

#[test]
fn a_replica_shows_who_it_is_and_needs_to_see_everything() {
    let (ledger, clients) = (LedgerFolder::init(), Authority::new());
    let authority = Authority::new();
    let copier = clients.client("spiffe://example.com/replica", "replica.example.com");
    let entry = ["token", "create", "--name", "replica", "--role", "read", "--role", "payload"];
    ledger.run(&[&entry[..], &["--certificate", "uri:spiffe://example.com/replica"]].concat()).ended(0);
    let ca = ledger.file("ca.pem", &authority.pem);
    let reader = ledger.file("reader.token", token(&ledger, "reader", &["read"]));
    let full = ledger.file("full.token", token(&ledger, "full", &["read", "payload"]));
    let (certificate, key) = copier.write(&ledger, "replica");
    let server = start(&ledger, &authority.server(), Some(&clients));

    let follow = |further: &[&str]| {
        let replica = LedgerFolder::empty();
        let trusting = ["--follow-ca", ca.to_str().unwrap()];
        let query = Server::query(&replica, &ledger.policy(), &url(&server), &[&trusting, further].concat());
        // It says why it has nothing yet, as soon as it knows.
        let told = loop {
            let answer = http(&query, "GET /readyz", &[]);
            if answer.code == 200 || answer.body.contains(": ") {
                break answer.body;
            }
        };
        query.stop();
        told
    };
    assert_eq!(follow(&["--follow-token-file", full.to_str().unwrap()]).trim(), "ok");
    assert_eq!(follow(&["--follow-client-cert", &certificate, "--follow-client-key", &key]).trim(), "ok");
    let told = follow(&["--follow-token-file", reader.to_str().unwrap()]);
    assert!(told.contains("role payload"), "{told}");
    let told = follow(&[]);
    assert!(told.contains("does not let this replica read"), "{told}");
}
