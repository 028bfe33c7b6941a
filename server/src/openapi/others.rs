//! What is served over HTTP and is no method of a service: posted documents, health, metrics, and this document.

use serde_json::{Map, Value, json};

use crate::hooks::{HOOK_PATH, PUSH_PATH};
use crate::snapshots::{FORM, PART};
use crate::tiles::CHECKPOINT_PATH;

/// What stands at the head of the document.
pub(super) const DESCRIPTION: &str = "What was asked, who approved it, and what then changed: an append-only ledger.\n\n\
    Every method of the gRPC services, in the JSON mapping of protobuf: 64-bit numbers are strings, bytes are base64, \
    times are RFC 3339, and what is 0, empty or not set is left out. In a path and in a query fields have their names of \
    the .proto files (or their JSON names), a repeated field is given once for each value, and a / in a path is %2F.";

/// The tags of these paths.
pub(super) fn tags() -> [Value; 3] {
    [
        json!({"name": "Tiles", "description": "The log as existing tools read one (c2sp.org/tlog-tiles)."}),
        json!({"name": "Ingest", "description": "Documents as their sources give them."}),
        json!({"name": "Operation", "description": "How the server is doing."}),
    ]
}

/// These paths.
pub(super) fn paths() -> Vec<(String, Map<String, Value>)> {
    let plain = |id: &str, summary: &str, kind: &str, others: Value| {
        let mut responses = json!({"200": {"description": summary, "content": {kind: {"schema": {"type": "string"}}}}});
        if kind == "application/json" {
            responses["200"]["content"][kind]["schema"] = json!({"type": "object"});
        }
        if let (Some(responses), Value::Object(others)) = (responses.as_object_mut(), others) {
            responses.extend(others);
        }
        json!({"operationId": id, "tags": ["Operation"], "summary": summary, "responses": responses})
    };
    let unready = json!({"503": {
        "description": "Not now, and why.",
        "content": {"text/plain": {"schema": {"type": "string"}}},
    }});
    let error = json!({"default": {"$ref": "#/components/responses/Error"}});
    vec![
        path(PUSH_PATH, [("post", push())]),
        path(HOOK_PATH, [("post", hook()), ("get", handshake())]),
        path("/healthz", [("get", plain("healthz", "The process lives", "text/plain", json!({})))]),
        path(
            "/readyz",
            [("get", plain("readyz", "Events are taken, and questions are answered", "text/plain", unready))],
        ),
        path(
            "/metrics",
            [("get", plain("metrics", "What Prometheus reads; see docs/metrics.md", "text/plain", error.clone()))],
        ),
        path("/openapi.json", [("get", plain("openapi", "This document", "application/json", error))]),
        path(
            CHECKPOINT_PATH,
            [("get", tiled("checkpoint", "The newest signed checkpoint", "text/plain; charset=utf-8"))],
        ),
        path("/tile/{tile}", [("get", tile())]),
    ]
}

fn path<const N: usize>(path: &str, operations: [(&str, Value); N]) -> (String, Map<String, Value>) {
    (path.to_owned(), operations.into_iter().map(|(verb, operation)| (verb.to_owned(), operation)).collect())
}

/// What one reads of the tiled log.
fn tiled(id: &str, summary: &str, kind: &str) -> Value {
    json!({
        "operationId": id,
        "tags": ["Tiles"],
        "summary": summary,
        "description": format!("{summary}, as c2sp.org/tlog-tiles has it.\n\nNeeds the role `ROLE_PAYLOAD`."),
        "x-role": "ROLE_PAYLOAD",
        "responses": {
            "200": {"description": summary, "content": {kind: {"schema": {"type": "string"}}}},
            "default": {"$ref": "#/components/responses/Error"},
        },
    })
}

fn tile() -> Value {
    let mut operation = tiled("tile", "A tile of hashes, or a bundle of records", "application/octet-stream");
    let name = "LEVEL/N or entries/N, with .p/WIDTH behind that of a partial one. It has slashes, which stand there as they \
        are: OpenAPI has no way to say so. What the newest checkpoint does not cover is answered 404.";
    operation["parameters"] = json!([in_path("tile", name)]);
    operation
}

fn push() -> Value {
    let mut operation = posted(
        "Ingest_push",
        "Posts documents, all in one commit",
        vec![
            in_path("connector", "The connector that reads them, such as okta."),
            in_query(
                "instance",
                json!({"type": "string"}),
                "The tenant that they come from; default, if it is left out.",
            ),
            in_query(
                "ticket_instance",
                json!({"type": "string"}),
                "The tenant whose tickets are meant where a log mentions one; default, if it is left out.",
            ),
        ],
    );
    operation["description"] =
        "One document, JSON lines, or an array, as they are or compressed: at most 10,000 documents, \
        and 16 MiB together. The answer comes once they are durable, signed and anchored. What was posted before adds \
        nothing, and gets the same indexes.\n\nNeeds the role `ROLE_WRITE`."
            .into();
    operation["x-role"] = "ROLE_WRITE".into();
    operation
}

/// The posting of listings, with the parameters that say something about their pages.
pub(super) fn snapshot(mut parameters: Vec<Value>, response: Value) -> Value {
    parameters.insert(0, json!({"$ref": "#/components/parameters/ServerTimeout"}));
    json!({
        "operationId": "Ingest_snapshot",
        "tags": ["Ingest"],
        "summary": "Posts the pages of listings of what is live",
        "description": "A form of files, each with responses of an API one behind the other, with their heads (curl -i) or \
            without, as they are or each compressed: at most 10,000 files of 16 MiB, and 64 MiB together. A listing that \
            lacks anything is recorded as incomplete, and proves nobody's absence. What was posted before adds nothing.\n\n\
            Needs the role `ROLE_WRITE`.",
        "x-role": "ROLE_WRITE",
        "parameters": parameters,
        "requestBody": {
            "required": true,
            "content": {FORM: {"schema": {
                "type": "object",
                "required": [PART],
                "properties": {PART: {
                    "type": "array",
                    "items": {"type": "string", "contentMediaType": "application/octet-stream"},
                    "description": "The files; the name of each is kept where it cannot be read.",
                }},
            }}},
        },
        "responses": {
            "200": {
                "description": "What became of each listing.",
                "content": {"application/json": {"schema": response}},
            },
            "default": {"$ref": "#/components/responses/Error"},
        },
    })
}

fn hook() -> Value {
    let mut operation = posted(
        "Ingest_hook",
        "Takes what a webhook of a configured source sends",
        vec![
            in_path("connector", "The connector of the source."),
            in_path("source", "The name of the source in the configuration: [ingest.NAME]."),
        ],
    );
    operation["description"] = "As /v1/ingest/{connector}, of a source that shows who it is by the secret or the \
        signature that its configuration names."
        .into();
    operation["security"] = json!([{"source": []}]);
    operation["responses"]["429"] = json!({
        "description": "The source makes more requests than its configuration allows.",
        "headers": {"Retry-After": {"description": "Seconds.", "schema": {"type": "integer"}}},
        "content": {"application/json": {"schema": {"$ref": "#/components/schemas/Error"}}},
    });
    operation
}

fn handshake() -> Value {
    let challenge = json!({
        "name": "X-Okta-Verification-Challenge", "in": "header", "required": true, "schema": {"type": "string"},
    });
    json!({
        "operationId": "Ingest_verify",
        "tags": ["Ingest"],
        "summary": "Tells Okta that its event hook is wanted",
        "security": [{}],
        "parameters": [
            in_path("connector", "The connector of the source."),
            in_path("source", "The name of the source in the configuration."),
            challenge,
        ],
        "responses": {
            "200": {
                "description": "What Okta sent.",
                "content": {"application/json": {"schema": {
                    "type": "object",
                    "properties": {"verification": {"type": "string"}},
                }}},
            },
            "default": {"$ref": "#/components/responses/Error"},
        },
    })
}

fn posted(id: &str, summary: &str, mut parameters: Vec<Value>) -> Value {
    parameters.extend([
        in_query("backfill", json!({"type": "boolean"}), "Old logs: their lateness is held against nobody."),
        in_query("assume_zone", json!({"type": "string", "enum": ["UTC"]}), "The zone of times that lost theirs."),
        json!({
            "name": "Content-Encoding", "in": "header",
            "schema": {"type": "string", "enum": ["gzip", "zstd", "identity"]},
        }),
    ]);
    json!({
        "operationId": id,
        "tags": ["Ingest"],
        "summary": summary,
        "parameters": parameters,
        "requestBody": {
            "required": true,
            "content": {"application/json": {"schema": {}}, "application/x-ndjson": {"schema": {}}},
        },
        "responses": {
            "200": {
                "description": "What became of each event.",
                "content": {"application/json": {"schema": {"$ref": "#/components/schemas/AppendResponse"}}},
            },
            "default": {"$ref": "#/components/responses/Error"},
        },
    })
}

fn in_path(name: &str, description: &str) -> Value {
    json!({"name": name, "in": "path", "required": true, "schema": {"type": "string"}, "description": description})
}

fn in_query(name: &str, schema: Value, description: &str) -> Value {
    json!({"name": name, "in": "query", "schema": schema, "description": description})
}

/// The header by which a caller sets a deadline.
pub(super) fn server_timeout() -> Value {
    json!({
        "name": "X-Server-Timeout",
        "in": "header",
        "description": "How long the caller waits, in seconds. Then the answer is the status 504.",
        "schema": {"type": "number"},
    })
}

/// The answer to whatever goes wrong.
pub(super) fn error_response() -> Value {
    json!({
        "description": "Why there is no answer. 400: the request is wrong; 401, 403: the caller may not; 404: nothing fits; \
            408: the body did not arrive in time; 413: it is too large; 415: it is of another type; 429: too many; \
            503: not now; 504: the deadline passed.",
        "content": {"application/json": {"schema": {"$ref": "#/components/schemas/Error"}}},
    })
}

/// How callers show who they are.
pub(super) fn security_schemes() -> Value {
    json!({
        "bearer": {
            "type": "http",
            "scheme": "bearer",
            "description": "A token with the role that the method needs. On a loopback address none is asked for, unless \
                tokens are configured.",
        },
        "source": {
            "type": "apiKey",
            "in": "header",
            "name": "Authorization",
            "description": "The secret or the signature of a source, in the header that its configuration names.",
        },
    })
}
