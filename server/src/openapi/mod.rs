//! The OpenAPI document of everything that is served over HTTP.
//!
//! Owns its paths: one for each method that the descriptors give a place, with their comments, and those that are no
//! methods. `schemas` has the messages.

use std::collections::BTreeMap;
use std::sync::Arc;

use axum::response::{IntoResponse, Response};
use http::{Method, header};
use prost_reflect::{DescriptorPool, FieldDescriptor, MessageDescriptor};
use serde_json::{Map, Value, json};

use crate::ServerError;
use crate::rpc::{self, Binding, Rpc};
use crate::snapshots::{self, SNAPSHOT_PATH};

mod comments;
mod others;
mod schemas;

use comments::Comments;

/// The document, as it is served and printed.
///
/// # Errors
/// [`ServerError::Methods`] if the descriptors are damaged, which is a defect.
pub(crate) fn document() -> Result<Value, ServerError> {
    let pool = rpc::pool()?;
    let comments = Comments::of(&pool);
    let mut needed = schemas::Needed::default();
    let mut paths: BTreeMap<String, Map<String, Value>> = BTreeMap::new();
    let mut tags = Vec::new();
    for service in pool.services() {
        tags.push(json!({"name": service.name(), "description": comments.of_service(&service)}));
    }
    for rpc in rpc::all(&pool)? {
        let Some(binding) = &rpc.binding else { continue };
        let operation = operation(&rpc, binding, &comments, &mut needed);
        let verb = if binding.method == Method::POST { "post" } else { "get" };
        paths.entry(binding.path.clone()).or_default().insert(verb.to_owned(), operation);
    }
    let (path, snapshot) = snapshot(&pool, &comments, &mut needed)?;
    tags.extend(others::tags());
    paths.extend(others::paths());
    paths.insert(path, snapshot);
    let mut schemas = needed.into_schemas(&comments);
    schemas.insert("Error".to_owned(), schemas::error());
    Ok(json!({
        "openapi": "3.1.0",
        "info": {
            "title": "Counterfoil",
            "version": "v1",
            "description": others::DESCRIPTION,
            "license": {"name": "Apache-2.0", "identifier": "Apache-2.0"},
        },
        "servers": [{"url": "/"}],
        "security": [{}, {"bearer": []}],
        "tags": tags,
        "paths": paths,
        "components": {
            "schemas": schemas,
            "parameters": {"ServerTimeout": others::server_timeout()},
            "responses": {"Error": others::error_response()},
            "securitySchemes": others::security_schemes(),
        },
    }))
}

/// Gives the document to whoever asks for it.
pub(crate) fn serve(document: &Value) -> impl Fn() -> std::future::Ready<Response> + Clone + Send + Sync + 'static {
    let text: Arc<str> = document.to_string().into();
    move || {
        let json = [(header::CONTENT_TYPE, "application/json")];
        std::future::ready((json, text.to_string()).into_response())
    }
}

fn operation(rpc: &Rpc, binding: &Binding, comments: &Comments, needed: &mut schemas::Needed) -> Value {
    let method = &rpc.descriptor;
    let comment = comments.of_method(method);
    let role = rpc.role.as_str_name();
    let mut operation = json!({
        "operationId": method.full_name().rsplit('.').take(2).collect::<Vec<_>>().into_iter().rev().collect::<Vec<_>>().join("_"),
        "tags": [method.parent_service().name()],
        "summary": summary(&comment),
        "description": format!("{comment}\n\nNeeds the role `{role}`."),
        "x-role": role,
        "responses": {
            "200": {
                "description": if method.is_server_streaming() { "A value a line, for as long as there are more." } else { "The answer." },
                "content": content(method.is_server_streaming(), needed.reference(&method.output())),
            },
            "default": {"$ref": "#/components/responses/Error"},
        },
    });
    let mut parameters = vec![json!({"$ref": "#/components/parameters/ServerTimeout"})];
    if binding.has_body {
        operation["requestBody"] = json!({
            "required": true,
            "content": {"application/json": {"schema": needed.reference(&method.input())}},
        });
    }
    parameters.extend(self::parameters(&method.input(), binding, comments, needed));
    operation["parameters"] = parameters.into();
    operation
}

/// The posting of listings: a method whose requests are a stream, which HTTP has as a form.
fn snapshot(
    pool: &DescriptorPool,
    comments: &Comments,
    needed: &mut schemas::Needed,
) -> Result<(String, Map<String, Value>), ServerError> {
    // Its body is a form, so that the fields stand in the query.
    let binding = Binding { method: Method::POST, path: SNAPSHOT_PATH.to_owned(), has_body: false };
    let parameters = parameters(&snapshots::options(pool)?, &binding, comments, needed);
    let response = pool.get_message_by_name("counterfoil.v1.SnapshotResponse");
    let response = response.ok_or_else(|| ServerError::Methods("SnapshotResponse is missing".to_owned()))?;
    let operation = others::snapshot(parameters, needed.reference(&response));
    Ok((binding.path, Map::from_iter([("post".to_owned(), operation)])))
}

/// What the answer is written as. Of a stream, each line is one.
fn content(is_stream: bool, schema: Value) -> Value {
    let kind = if is_stream { "application/x-ndjson" } else { "application/json" };
    json!({kind: {"schema": schema}})
}

fn parameters(
    request: &MessageDescriptor,
    binding: &Binding,
    comments: &Comments,
    needed: &mut schemas::Needed,
) -> Vec<Value> {
    let mut parameter = |field: FieldDescriptor| {
        let is_in_path = binding.path_fields().any(|name| name == field.name());
        let mut parameter = json!({
            "name": field.name(),
            "in": if is_in_path { "path" } else { "query" },
            "required": is_in_path,
            "schema": needed.of_field(&field),
        });
        let comment = comments.of_field(&field);
        if !comment.is_empty() {
            parameter["description"] = comment.into();
        }
        parameter
    };
    let is_in_body =
        |field: &FieldDescriptor| binding.has_body && !binding.path_fields().any(|name| name == field.name());
    request.fields().filter(|field| !is_in_body(field)).map(&mut parameter).collect()
}

/// The first sentence, without its full stop.
fn summary(comment: &str) -> String {
    let line = comment.split("\n\n").next().unwrap_or_default().replace('\n', " ");
    line.split(". ").next().unwrap_or_default().trim_end_matches('.').to_owned()
}

#[cfg(test)]
mod tests;
