//! Changes at GitHub and in a cluster of Kubernetes, by the credential that made each.

use std::collections::BTreeSet;

use counterfoil_query::{ChangesRequest, Query, Wanted};
use counterfoil_tests::files::lines;
use counterfoil_tests::inside::InsideLedger;
use counterfoil_verify::time::OccurredAt;
use serde_json::{Value, json};

const HASH: &str = "kQ3v0bM8sXyZ1+2aBcDeFgHiJkLmNoPqRsTuVwXyZ01=";
const FINE_GRAINED: &str = "credential:github:default:api_token/98716";
const INSTALLED: &str = "credential:github:default:session/880001";
const ISSUED: &str = "credential:kubernetes:default:token/3d6c348d-a771-49dd-9eb7-655167f26501";
/// That of the bytes `abc`, which stand for a certificate here.
const CERTIFICATE: &str =
    "credential:kubernetes:default:certificate/ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";
const PEM: &str = "LS0tLS1CRUdJTiBDRVJUSUZJQ0FURS0tLS0tCllXSmoKLS0tLS1FTkQgQ0VSVElGSUNBVEUtLS0tLQo=";

fn at_github(number: u64, action: &str, further: Value) -> Value {
    let mut event = json!({
        "@timestamp": 1_772_357_400_000_u64 + number * 60_000, "_document_id": format!("evt-{number}"), "action": action,
        "actor": "omar-h", "actor_id": 50_000_002, "org": "tallyhall-eng", "org_id": 9001, "user": "yuki-m",
        "user_id": 50_000_001, "team": "tallyhall-eng/release", "repo": "tallyhall-eng/ledger", "repo_id": 123_456,
    });
    further.as_object().unwrap().iter().for_each(|(key, value)| event[key] = value.clone());
    event
}

/// A token is made and let in by people in a browser, and used; so is one of an installed application; somebody adds a
/// member by hand.
fn of_github() -> Vec<Value> {
    let token = json!({"user_programmatic_access_id": 98_716, "user_programmatic_access_name": "release notes"});
    let used = |id: u64, hash: &str, kind: &str| json!({"token_id": id, "hashed_token": hash, "programmatic_access_type": kind});
    let fine_grained = used(98_716, HASH, "Fine-grained personal access token");
    let installed = used(880_001, "0000bM8sXyZ1+2aBcDeFgHiJkLmNoPqRsTuVwXyZ01=", "GitHub App server-to-server token");
    vec![
        at_github(1, "personal_access_token.create", token.clone()),
        at_github(2, "personal_access_token.access_granted", token),
        at_github(3, "team.add_member", fine_grained.clone()),
        at_github(4, "repo.add_member", installed.clone()),
        at_github(5, "team.add_repository", fine_grained),
        at_github(6, "org.add_member", installed),
        at_github(7, "repo.add_member", json!({"user": "lena-k", "user_id": 50_000_003})),
    ]
}

fn in_cluster(number: u64, verb: &str, about: Value, request: Value, credential: Option<&str>) -> Value {
    let extra = credential.map(|id| json!({"authentication.kubernetes.io/credential-id": [id]}));
    json!({
        "kind": "Event", "apiVersion": "audit.k8s.io/v1", "auditID": format!("k8s-{number}"), "stage": "ResponseComplete",
        "verb": verb, "user": {"username": "system:serviceaccount:ci:deployer", "extra": extra}, "objectRef": about,
        "responseStatus": {"code": 200}, "requestObject": request,
        "stageTimestamp": format!("2026-03-01T10:{number:02}:00.000100Z"),
    })
}

/// A token and a certificate are issued, and used: each before and after the other.
fn of_kubernetes() -> Vec<Value> {
    let rbac = |resource: &str, name: &str| json!({"apiGroup": "rbac.authorization.k8s.io", "resource": resource, "namespace": "production", "name": name});
    let binding =
        |who: &str| json!({"roleRef": {"kind": "Role", "name": "reader"}, "subjects": [{"kind": "User", "name": who}]});
    let request = json!({"apiGroup": "certificates.k8s.io", "resource": "certificatesigningrequests", "subresource": "status", "name": "csr-7"});
    let certificate = json!({"spec": {"username": "yuki.moreau@tallyhall.example"}, "status": {"certificate": PEM}});
    let account = json!({"resource": "serviceaccounts", "subresource": "token", "namespace": "ci", "name": "deployer"});
    let (jti, x509) = (ISSUED.rsplit('/').next().unwrap(), CERTIFICATE.rsplit('/').next().unwrap());
    let (jti, x509) = (format!("JTI={jti}"), format!("X509SHA256={x509}"));
    let mut signed = in_cluster(2, "update", request, Value::Null, None);
    signed["responseObject"] = certificate;
    let mut issued = in_cluster(1, "create", account, Value::Null, None);
    issued["annotations"] = json!({"authentication.kubernetes.io/issued-credential-id": jti});
    let begun = |number: u64| {
        let mut begun = in_cluster(number, "create", rbac("rolebindings", "b"), binding("yuki"), Some(&jti));
        begun["stage"] = json!("RequestReceived");
        begun
    };
    vec![
        issued,
        signed,
        begun(3),
        in_cluster(3, "create", rbac("rolebindings", "b"), binding("yuki"), Some(&jti)),
        in_cluster(4, "create", rbac("rolebindings", "c"), binding("lena"), Some(&x509)),
        in_cluster(5, "update", rbac("roles", "reader"), json!({"rules": []}), Some(&jti)),
        in_cluster(6, "create", rbac("rolebindings", "d"), binding("omar"), None),
    ]
}

/// The events of the changes that a filter lets through, each of which says that it was made with `credential`.
fn made_with(query: &Query<'_>, filter: &str, credential: &str) -> BTreeSet<String> {
    let request = ChangesRequest { filter: filter.to_owned(), ..ChangesRequest::default() };
    let answer = query.changes(&request).unwrap();
    assert_eq!(answer.next_page_token, "");
    for one in &answer.explanations {
        assert_eq!(one.credential.as_ref().unwrap().id, credential, "{one:#?}");
    }
    answer.explanations.into_iter().map(|one| one.event_id).collect()
}

pub fn check() {
    let ledger = InsideLedger::new();
    for (connector, events) in [("github", of_github()), ("kubernetes", of_kubernetes())] {
        let file = ledger.folder.path().join(format!("{connector}.jsonl"));
        std::fs::write(&file, lines(&events)).unwrap();
        let summary = ledger.import(connector, &file, true);
        assert_eq!((summary.events, summary.unmapped, summary.incomplete), (7, 0, 0), "{connector}: {summary:?}");
    }
    let views = ledger.views();
    let query = views.query().unwrap();
    let now = OccurredAt(ledger.now().0);
    for (credential, expected) in [
        (FINE_GRAINED, ["evt-3", "evt-5"]),
        (INSTALLED, ["evt-4", "evt-6"]),
        (ISSUED, ["k8s-3", "k8s-5"]),
        (CERTIFICATE, ["k8s-4", "k8s-4"]),
    ] {
        let found = made_with(&query, &format!("via = \"{credential}\""), credential);
        assert_eq!(found, expected.map(str::to_owned).into(), "{credential}");
        // By the part of its id that the system itself gave it, and who it is.
        let native = credential.splitn(4, ':').last().unwrap();
        assert_eq!(made_with(&query, &format!("via = \"{native}\""), credential), found, "{native}");
        let resolved = query.resolve(native, Wanted::default(), now, None).unwrap().identities;
        assert_eq!(resolved.iter().map(|party| party.id.as_str()).collect::<Vec<_>>(), [credential]);
    }
    // Whoever finds a token that leaked has its hash, and nothing else.
    assert_eq!(made_with(&query, &format!("via = \"{HASH}\""), FINE_GRAINED).len(), 2);
    // What made a change is what was made before it: known with its owner.
    for credential in [FINE_GRAINED, ISSUED, CERTIFICATE] {
        let state = query.state(&credential.parse().unwrap(), now, None).unwrap().state.unwrap();
        assert!(state.credentials.iter().any(|known| known.owner.is_some()), "{credential}: {state:#?}");
    }
    // What was made with no credential is found by none.
    let filter = "(system = github OR system = kubernetes) AND NOT via:*";
    let by_none = query.changes(&ChangesRequest { filter: filter.to_owned(), ..ChangesRequest::default() }).unwrap();
    let by_none: BTreeSet<String> = by_none.explanations.into_iter().map(|one| one.event_id).collect();
    let expected = ["evt-1", "evt-2", "evt-7", "k8s-1", "k8s-2", "k8s-6"];
    assert_eq!(by_none, expected.map(str::to_owned).into());
}
