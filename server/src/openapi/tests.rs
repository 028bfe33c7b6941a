use std::collections::BTreeSet;
use std::path::Path;

use super::*;

/// The committed document, relative to this package.
const COMMITTED: &str = "../docs/openapi.json";

fn printed() -> String {
    serde_json::to_string_pretty(&document().unwrap()).unwrap() + "\n"
}

#[test]
fn the_committed_document_is_up_to_date() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(COMMITTED);
    if std::env::var_os("COUNTERFOIL_WRITE_OPENAPI").is_some() {
        std::fs::write(&path, printed()).unwrap();
    }
    let committed = std::fs::read_to_string(&path).unwrap_or_default();
    assert!(
        committed == printed(),
        "docs/openapi.json is not what the descriptors say: run scripts/openapi, and look at what has changed"
    );
}

/// Every `$ref` in it.
fn references(value: &Value, found: &mut BTreeSet<String>) {
    match value {
        Value::Object(members) => {
            found.extend(members.get("$ref").and_then(Value::as_str).map(str::to_owned));
            members.values().for_each(|value| references(value, found));
        }
        Value::Array(elements) => elements.iter().for_each(|value| references(value, found)),
        _ => {}
    }
}

#[test]
fn every_reference_leads_somewhere_and_every_component_is_used() {
    let document = document().unwrap();
    let mut found = BTreeSet::new();
    references(&document, &mut found);
    assert!(found.len() > 30, "{found:?}");
    for reference in &found {
        assert!(document.pointer(reference.trim_start_matches('#')).is_some(), "{reference}");
    }
    for kind in ["schemas", "parameters", "responses"] {
        for name in document["components"][kind].as_object().unwrap().keys() {
            assert!(found.contains(&format!("#/components/{kind}/{name}")), "{kind}/{name} is used by nobody");
        }
    }
}

#[test]
fn every_method_with_a_place_is_in_it_with_its_role_and_its_parameters() {
    let document = document().unwrap();
    let mut ids = BTreeSet::new();
    let methods = rpc::all(&rpc::pool().unwrap()).unwrap();
    assert!(methods.len() > 15);
    for rpc in methods {
        assert_ne!(rpc.role, counterfoil_proto::v1::Role::Unspecified, "{} is refused to everybody", rpc.path());
        let is_streamed_in = rpc.descriptor.is_client_streaming();
        assert_eq!(rpc.binding.is_none(), is_streamed_in, "{}: only a stream of requests has no place", rpc.path());
        let Some(binding) = &rpc.binding else { continue };
        let operation = &document["paths"][&binding.path][binding.method.as_str().to_lowercase()];
        assert_eq!(operation["x-role"], rpc.role.as_str_name(), "{}", rpc.path());
        assert!(!operation["summary"].as_str().unwrap().is_empty(), "{}: a method has a comment", rpc.path());
        assert!(ids.insert(operation["operationId"].as_str().unwrap().to_owned()));
        let parameters = operation["parameters"].as_array().unwrap();
        let named = |place: &str| -> BTreeSet<&str> {
            let here = parameters.iter().filter(|parameter| parameter["in"] == place);
            here.map(|parameter| parameter["name"].as_str().unwrap()).collect()
        };
        assert_eq!(named("path"), binding.path_fields().collect(), "{}", rpc.path());
        // A path without one of its fields is another path, and what a query leaves out is 0 or empty.
        let mut named_ones = parameters.iter().filter(|parameter| parameter.get("name").is_some());
        assert!(named_ones.all(|parameter| parameter["required"] == (parameter["in"] == "path")), "{}", rpc.path());
        let all = rpc.descriptor.input().fields().count();
        let fields = if binding.has_body { binding.path_fields().count() } else { all };
        assert_eq!(named("path").len() + named("query").len(), fields, "{}", rpc.path());
    }
}
