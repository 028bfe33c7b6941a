//! Tokens: what they are, where they count, and when they no longer do.

use std::collections::HashSet;
use std::fs;
use std::os::unix::fs::PermissionsExt;

use base64::prelude::{BASE64_STANDARD, BASE64_URL_SAFE_NO_PAD, Engine};
use counterfoil_proto::v1::{CreateTokenResponse, ListTokensResponse, ReadRecordsRequest, RevokeTokenResponse, Role};
use counterfoil_tests::program::{LedgerFolder, ORIGIN, run};
use counterfoil_tests::server::Server;
use prost::Message;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use tonic::Code;

use crate::calls::{Client, http, reason, token};

const CHECKPOINT: &str = "/counterfoil.v1.LedgerService/GetCheckpoint";
const LONG_AGO: &str = "2020-01-01T00:00:00Z";
const FAR_OFF: &str = "2999-01-01T00:00:00Z";

/// A token and its entry, written by hand.
fn by_hand(number: u8, change: fn(&mut Value)) -> (String, Value) {
    let (id, secret) = (format!("{number:016x}"), [number; 32]);
    let mut entry = json!({
        "id": id, "name": format!("caller {number}"), "roles": ["ROLE_READ"], "audience": ORIGIN, "createdAt": LONG_AGO,
        "expiresAt": FAR_OFF, "secretSha256": BASE64_STANDARD.encode(Sha256::digest(secret)),
    });
    change(&mut entry);
    (format!("counterfoil_{id}_{}", BASE64_URL_SAFE_NO_PAD.encode(secret)), entry)
}

/// The file of these entries, which only its owner reads.
fn tokens_file(ledger: &LedgerFolder, entries: &[Value]) {
    let text = json!({"format": 1, "entries": entries}).to_string();
    let path = ledger.file("ledger.tokens", text);
    fs::set_permissions(path, fs::Permissions::from_mode(0o600)).unwrap();
}

fn refusal(client: &Client, token: &str) -> String {
    match client.call(CHECKPOINT, Some(token), &[]) {
        Ok(_) => "none".to_owned(),
        Err(status) => format!("{:?} {}", status.code(), reason(&status)),
    }
}

#[test]
fn a_token_that_does_not_count_says_why() {
    let ledger = LedgerFolder::init();
    let (good, good_entry) = by_hand(1, |_| ());
    let (expired, expired_entry) = by_hand(2, |entry| entry["expiresAt"] = LONG_AGO.into());
    let (revoked, revoked_entry) = by_hand(3, |entry| entry["revokedAt"] = LONG_AGO.into());
    let (elsewhere, elsewhere_entry) = by_hand(4, |entry| entry["audience"] = "other.example/audit".into());
    let (unknown, _) = by_hand(5, |_| ());
    tokens_file(&ledger, &[good_entry, expired_entry, revoked_entry, elsewhere_entry]);
    let server = Server::start(&ledger);
    let client = Client::plain(&server);
    let (head, secret) = good.rsplit_once('_').unwrap();
    let other_secret = format!("{head}_{}", BASE64_URL_SAFE_NO_PAD.encode([9; 32]));
    let other_id = good.replace("0001_", "0002_");
    for (shown, expected) in [
        (&good[..], "none"),
        (&expired, "Unauthenticated counterfoil/TOKEN_EXPIRED"),
        (&revoked, "Unauthenticated counterfoil/TOKEN_REVOKED"),
        (&elsewhere, "Unauthenticated counterfoil/TOKEN_AUDIENCE"),
        (&unknown, "Unauthenticated counterfoil/TOKEN_UNKNOWN"),
        // Whoever does not know the secret learns nothing of the entry.
        (&other_secret, "Unauthenticated counterfoil/TOKEN_UNKNOWN"),
        (&other_id, "Unauthenticated counterfoil/TOKEN_UNKNOWN"),
        (&good.to_uppercase(), "Unauthenticated counterfoil/TOKEN_UNKNOWN"),
        (&format!("{good}A"), "Unauthenticated counterfoil/TOKEN_UNKNOWN"),
        (&good[..good.len() - 1], "Unauthenticated counterfoil/TOKEN_UNKNOWN"),
        (secret, "Unauthenticated counterfoil/TOKEN_UNKNOWN"),
        ("counterfoil_0000000000000001_", "Unauthenticated counterfoil/TOKEN_UNKNOWN"),
        ("", "Unauthenticated counterfoil/TOKEN_UNKNOWN"),
    ] {
        assert_eq!(refusal(&client, shown), expected, "{shown}");
    }
    let answer = http(&server, "GET /v1/sources", &[&format!("authorization: Bearer {expired}")]);
    let challenge = "Bearer realm=\"counterfoil\", error=\"invalid_token\"";
    assert_eq!((answer.code, answer.header("www-authenticate")), (401, Some(challenge)));
    let body: Value = serde_json::from_str(&answer.body).unwrap();
    assert_eq!(
        (&body["error"]["code"], &body["error"]["details"][0]["reason"]),
        (&json!(401), &json!("TOKEN_EXPIRED"))
    );
    drop(client);
    let log = server.stop();
    for told in [&good, &expired, &other_secret, secret] {
        assert!(!log.contains(told), "no token is logged: {log}");
    }
}

#[test]
fn a_token_counts_in_one_place_only() {
    let ledger = LedgerFolder::init();
    let token = token(&ledger, "siem", &["read"]);
    let server = Server::start(&ledger);
    let bearer = format!("authorization: Bearer {token}");
    assert_eq!(http(&server, "GET /v1/nothing", &[&bearer]).code, 404, "here it counts");
    assert_eq!(http(&server, "GET /v1/nothing", &[&bearer.replace("Bearer", "bearer")]).code, 404);
    for (line, header, expected) in [
        ("GET /v1/sources?access_token=TOKEN", "x: y", "TOKEN_ABSENT"),
        ("GET /v1/sources?authorization=Bearer%20TOKEN", "x: y", "TOKEN_ABSENT"),
        ("GET /v1/sources", "cookie: authorization=TOKEN", "TOKEN_ABSENT"),
        ("GET /v1/sources", "x-api-key: TOKEN", "TOKEN_ABSENT"),
        ("GET /v1/sources", "x-api-key: Bearer TOKEN", "TOKEN_ABSENT"),
        ("GET /v1/sources", "proxy-authorization: Bearer TOKEN", "TOKEN_ABSENT"),
        ("GET /v1/sources", "authorization: TOKEN", "TOKEN_ABSENT"),
        ("GET /v1/sources", "authorization: Basic TOKEN", "TOKEN_ABSENT"),
        ("GET /v1/sources", "authorization: Bearer TOKEN\r\nauthorization: Bearer TOKEN", "TOKEN_UNKNOWN"),
    ] {
        let with = |text: &str| text.replace("TOKEN", &token);
        let answer = http(&server, &with(line), &[&with(header)]);
        assert_eq!(answer.code, 401, "{line} {header}");
        let body: Value = serde_json::from_str(&answer.body).unwrap();
        assert_eq!(body["error"]["details"][0]["reason"], expected, "{line} {header}");
        assert!(!answer.body.contains(&token), "it is not repeated");
        let message = body["error"]["message"].as_str().unwrap();
        assert!(expected != "TOKEN_ABSENT" || message.contains("header Authorization"), "{message}");
    }
    let stream = std::net::TcpStream::connect(&server.address).unwrap();
    let body = format!("access_token={token}");
    let kind = "content-type: application/x-www-form-urlencoded";
    let answer = crate::calls::converse(stream, "POST /v1/append", &["host: localhost", kind], &body);
    assert_eq!(answer.code, 401);
    let client = Client::plain(&server);
    let refused = client.call_with(CHECKPOINT, &[("x-api-key", &token)], &[]).unwrap_err();
    assert_eq!(reason(&refused), "counterfoil/TOKEN_ABSENT");
}

#[test]
fn a_token_is_shown_once_and_kept_nowhere() {
    let ledger = LedgerFolder::init();
    let path = ledger.beside("ledger.tokens");
    let create = ["token", "create", "--name", "siem", "--role", "read", "--role", "payload", "--expires", "90d"];
    let made = ledger.run(&create).ended(0);
    let token = made.text().trim().to_owned();
    assert!(token.starts_with("counterfoil_") && token.len() == 12 + 16 + 1 + 43, "{token}");
    assert!(!made.stderr.contains(&token) && made.stderr.contains("once"), "{}", made.stderr);
    assert!(made.stderr.contains("started again"), "{}", made.stderr);
    assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
    let secret = BASE64_URL_SAFE_NO_PAD.decode(&token[29..]).unwrap();
    let file: Value = serde_json::from_slice(&fs::read(&path).unwrap()).unwrap();
    assert_eq!(file["entries"][0]["secretSha256"], BASE64_STANDARD.encode(Sha256::digest(&secret)));
    for bytes in counterfoil_tests::files::all_files(ledger.folder.path()).into_iter().map(fs::read) {
        assert!(!counterfoil_tests::files::holds(&bytes.unwrap(), &token.as_bytes()[29..]));
    }

    let other = ledger.run(&[&create[..], &["--output", "json"]].concat()).ended(0);
    assert!(!other.stderr.contains("started again"), "{}", other.stderr);
    let other: CreateTokenResponse = other.json();
    let entry = other.entry.unwrap();
    assert_eq!(entry.roles().collect::<Vec<_>>(), [Role::Read, Role::Payload]);
    assert_eq!((&entry.name[..], &entry.audience[..]), ("siem", ORIGIN));
    let days = entry.expires_at.unwrap().seconds - entry.created_at.unwrap().seconds;
    assert_eq!(days, 90 * 86_400);
    assert!(other.token.contains(&entry.id) && other.token != token);

    let revoked: RevokeTokenResponse = ledger.run(&["token", "revoke", &entry.id, "--output", "json"]).json();
    assert!(revoked.entry.as_ref().unwrap().revoked_at.is_some());
    let again: RevokeTokenResponse = ledger.run(&["token", "revoke", &entry.id, "--output", "json"]).json();
    assert_eq!(again, revoked, "it stays revoked since then");
    let listed: ListTokensResponse = ledger.run(&["token", "list", "--output", "json"]).json();
    let ids: HashSet<_> = listed.entries.iter().map(|entry| &entry.id[..]).collect();
    assert_eq!(ids, HashSet::from([&token[12..28], &entry.id]));
    let table = ledger.run(&["token", "list"]).ended(0);
    assert!(table.text().contains("until ") && table.text().contains("revoked ") && !table.text().contains("Basis"));
    for form in ["table", "json", "jsonl", "csv"] {
        let text = ledger.run(&["token", "list", "--output", form]).ended(0).text().to_owned();
        assert!(text.contains(&entry.id) && !text.contains(&token[29..]), "{text}");
        assert!(!text.contains(file["entries"][0]["secretSha256"].as_str().unwrap()), "{text}");
    }
    ledger.run(&["token", "revoke", "0123456789abcdef"]).ended(3);
    for (wrong, told) in [
        (&["--name", "x", "--role", "root"][..], "read, payload, write, operate"),
        (&["--name", "", "--role", "read"], "name"),
        (&["--name", "x"], "--role"),
        (&["--name", "x", "--role", "read", "--expires", "2020-01-01Z"], "expired already"),
        (&["--name", "x", "--role", "read", "--expires", "soon"], "soon"),
        (&["--name", "x", "--role", "read", "--certificate", "gate"], "uri:spiffe://"),
    ] {
        let refused = ledger.run(&[&["token", "create"], wrong].concat()).ended(2);
        assert!(refused.stderr.contains(told), "{wrong:?}: {}", refused.stderr);
    }
    let nothing = LedgerFolder::empty();
    let refused = nothing.run(&create).ended(1);
    assert!(refused.stderr.contains("holds no ledger"), "{}", refused.stderr);
    assert!(!nothing.beside("ledger.tokens").exists());
}

#[test]
fn who_may_call_changes_while_the_server_runs() {
    let ledger = LedgerFolder::init();
    let (siem, gate) = (token(&ledger, "siem", &["read"]), token(&ledger, "gate", &["read"]));
    let path = ledger.beside("ledger.tokens");
    let server = Server::start(&ledger);
    let client = Client::plain(&server);
    let wait = |token: &str, expected: &str| {
        while refusal(&client, token) != expected {
            client.pause();
        }
    };
    // A stream that has begun ends as well.
    let follow = ReadRecordsRequest { follow: true, ..Default::default() }.encode_to_vec();
    let bearer = format!("Bearer {siem}");
    let read = "/counterfoil.v1.LedgerService/ReadRecords";
    let mut stream = client.open(read, &[("authorization", &bearer)], &follow).unwrap();
    assert!(client.next(&mut stream).unwrap().is_some(), "the records that are there");
    ledger.run(&["token", "revoke", &siem[12..28]]).ended(0);
    let ended = client.next(&mut stream).unwrap_err();
    assert_eq!((ended.code(), &reason(&ended)[..]), (Code::Unauthenticated, "counterfoil/TOKEN_REVOKED"));
    wait(&siem, "Unauthenticated counterfoil/TOKEN_REVOKED");
    assert_eq!(refusal(&client, &gate), "none", "the other one counts on");
    let new = token(&ledger, "new", &["read"]);
    wait(&new, "none");

    let whole = fs::read(&path).unwrap();
    let ways: [(&str, &dyn Fn()); 5] = [
        ("is no JSON", &|| fs::write(&path, "{").unwrap()),
        ("is of another format", &|| fs::write(&path, r#"{"format": 2}"#).unwrap()),
        ("says more than is understood", &|| fs::write(&path, r#"{"format": 1, "open": true}"#).unwrap()),
        ("is gone", &|| fs::remove_file(&path).unwrap()),
        ("can be written by others", &|| fs::set_permissions(&path, fs::Permissions::from_mode(0o666)).unwrap()),
    ];
    for (way, spoil) in ways {
        spoil();
        println!("the file {way}");
        wait(&gate, "Unavailable counterfoil/TOKENS_UNREADABLE");
        assert_eq!(http(&server, "GET /v1/sources", &[&format!("authorization: Bearer {gate}")]).code, 503);
        assert_eq!(http(&server, "GET /healthz", &[]).code, 200);
        fs::write(&path, &whole).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).unwrap();
        wait(&gate, "none");
    }
    drop((stream, client));
    let log = server.stop();
    let told = log.lines().filter(|line| line.contains("nobody is let in")).count();
    assert!((5..=10).contains(&told), "each time once, or twice where the file was seen half changed: {log}");
    assert!(!log.contains(&gate) && !log.contains(&siem) && !log.contains(&new), "{log}");
}

#[test]
fn a_file_that_cannot_be_believed_does_not_start() {
    let (_, entry) = by_hand(1, |_| ());
    let broken = |change: fn(&mut Value)| {
        let (_, entry) = by_hand(1, change);
        json!({"format": 1, "entries": [entry]})
    };
    for (file, told) in [
        (json!({"entries": []}), "format"),
        (json!({"format": 1, "entries": [entry.clone(), entry]}), "earlier"),
        (broken(|entry| entry["id"] = "1".into()), "id"),
        (broken(|entry| entry["roles"] = json!([])), "roles"),
        (broken(|entry| entry["roles"] = json!(["ROLE_UNSPECIFIED"])), "roles"),
        (broken(|entry| entry["roles"] = json!(["ROLE_ROOT"])), "ROLE_ROOT"),
        (broken(|entry| entry["expiresAt"] = Value::Null), "expiresAt"),
        (broken(|entry| entry["secretSha256"] = "AAAA".into()), "secretSha256"),
        (broken(|entry| entry["certificate"] = "dns:gate.example.com".into()), "not both"),
        (broken(|entry| entry["audience"] = "".into()), "audience"),
        (broken(|entry| entry["name"] = "a\nb".into()), "name"),
    ] {
        let ledger = LedgerFolder::init();
        let path = ledger.file("ledger.tokens", file.to_string());
        fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).unwrap();
        let refused = ledger.run(&["serve", "--listen", "127.0.0.1:0"]).ended(1);
        let said = refused.stderr.lines().last().unwrap();
        assert!(said.contains("ledger.tokens") && said.contains(told), "{file}: {said}");
    }
    let ledger = LedgerFolder::init();
    let missing = ledger.run(&["serve", "--listen", "127.0.0.1:0", "--tokens", "/nowhere/tokens"]).ended(1);
    assert!(missing.stderr.contains("/nowhere/tokens"), "{}", missing.stderr);
}

/// The command line asks with a token, and says what a refusal means.
#[test]
fn the_command_line_shows_its_token() {
    let ledger = LedgerFolder::init();
    let token = ledger.file("siem.token", token(&ledger, "siem", &["read"]) + "\n");
    let writer = ledger.run(&["token", "create", "--name", "w", "--role", "write"]).ended(0);
    let writer = ledger.file("writer.token", writer.text());
    let server = Server::start(&ledger);
    let ask = |further: &[&str]| run(&[&["checkpoint", "--server", &server.url()], further].concat());
    ask(&["--token-file", token.to_str().unwrap()]).ended(0);
    let absent = ask(&[]).ended(1);
    assert!(absent.stderr.contains("header Authorization"), "{}", absent.stderr);
    let missing = ask(&["--token-file", writer.to_str().unwrap()]).ended(1);
    assert!(missing.stderr.contains("role read"), "{}", missing.stderr);
    let away = ["checkpoint", "--server", "http://ledger.example.com", "--token-file", token.to_str().unwrap()];
    let refused = run(&away).ended(2);
    assert!(refused.stderr.contains("without TLS"), "{}", refused.stderr);
}
