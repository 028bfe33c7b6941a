//! The credential report of IAM: a row for each user and one for the root user, in CSV, as the console gives it or as
//! `get-credential-report` does, in Base64 with the time when it was made.
//!
//! Owns what a row lists: the account, and its password. Access keys and certificates have no ids in the report, and MFA
//! devices neither: which of them are active is noted beside the record, and is an item of none.

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use counterfoil_proto::v1::{RejectReason, Time};
use serde::Deserialize;
use serde_json::{Map, Value, json};

use super::credentials::the_password;
use super::identity;
use super::listings::{ALL, account, exists, held, text, unexpected};
use crate::connectors::draft::Draft;
use crate::connectors::{Next, Own, PARTS_MAX, Page, Reject, Response, Seen, Shows};
use crate::json::Json;
use crate::times;

pub const OPERATION: &str = "get-credential-report";
pub const KIND: &str = "credential_report";
/// Where the rows stand once the report is JSON.
pub const ROWS: &str = "CredentialReport";

const GENERATED: &str = "GeneratedTime";
/// How a report begins.
const HEADER: &str = "user,arn,user_creation_time,";
/// The largest report, in bytes: a row has some 500, and an account 5,000 users.
const BYTES_MAX: usize = 64 << 20;
const ROOT: &str = "<root_account>";

/// What is noted of a row. When something was used last is left out: it changes with every use.
const NOTED: [&str; 9] = [
    "mfa_active",
    "access_key_1_active",
    "access_key_1_last_rotated",
    "access_key_2_active",
    "access_key_2_last_rotated",
    "cert_1_active",
    "cert_1_last_rotated",
    "cert_2_active",
    "cert_2_last_rotated",
];
/// What the report writes where there is nothing to tell, besides "N/A".
const NOTHING: [&str; 2] = ["not_supported", "no_information"];

/// What `get-credential-report` prints.
#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Envelope {
    content: String,
    report_format: String,
    generated_time: Value,
}

/// A report as the JSON of a page; none where the text is none.
pub fn as_json(text: &str) -> Option<Result<String, Reject>> {
    let text = text.trim_start_matches('\u{feff}').trim_start();
    if text.starts_with(HEADER) {
        return Some(rows(text.as_bytes()).map(|rows| json!({ ROWS: rows }).to_string()));
    }
    let first = text.strip_prefix('{')?.trim_start();
    let may_be = ["\"Content\"", "\"ReportFormat\"", "\"GeneratedTime\""].iter().any(|key| first.starts_with(key));
    let envelope: Envelope = may_be.then(|| serde_json::from_str(text).ok()).flatten()?;
    Some(opened(&envelope))
}

fn opened(envelope: &Envelope) -> Result<String, Reject> {
    let refused = |message: &str| Reject::new(RejectReason::NotAnEvent, message);
    if envelope.report_format != "text/csv" {
        return Err(refused("expected a credential report in text/csv: ask for it again"));
    }
    let content = BASE64_STANDARD.decode(envelope.content.trim());
    let content =
        content.map_err(|_| refused("expected a credential report in Base64: give the response unchanged"))?;
    let rows = rows(&content)?;
    Ok(json!({ ROWS: rows, GENERATED: envelope.generated_time }).to_string())
}

/// The rows, each as an object with the names of the columns.
fn rows(content: &[u8]) -> Result<Vec<Value>, Reject> {
    let broken = |error: csv::Error| {
        Reject::new(
            RejectReason::NotAnEvent,
            format!("expected a credential report in CSV: {error}; give it unchanged"),
        )
    };
    let too_large = || {
        let message = format!("expected a credential report of at most {PARTS_MAX} rows and {BYTES_MAX} bytes");
        Reject::new(RejectReason::TooLarge, message)
    };
    if content.len() > BYTES_MAX {
        return Err(too_large());
    }
    let mut reader = csv::Reader::from_reader(content);
    let columns = reader.headers().map_err(broken)?.clone();
    let mut rows = Vec::new();
    for record in reader.records() {
        let record = record.map_err(broken)?;
        let cell = |(column, cell): (&str, &str)| (column.to_owned(), Value::from(cell));
        let row: Map<String, Value> = columns.iter().zip(&record).map(cell).collect();
        if row.len() != columns.len() {
            return Err(Reject::new(RejectReason::DuplicateKey, "a column stands twice in the credential report"));
        }
        if rows.len() == PARTS_MAX {
            return Err(too_large());
        }
        rows.push(row.into());
    }
    Ok(rows)
}

/// The page that a report is: the only one. One in CSV alone may have been cut, and does not say when it was made.
pub fn page(response: &Response<'_, '_>) -> Result<Page, Reject> {
    let rows = response.body.items(ROWS);
    let account = account(rows.iter().filter_map(|row| row.text("arn")), response)?;
    let generated = response.body.get(GENERATED);
    Ok(Page {
        scope: "accounts/root/+accounts/user/+credentials/password".to_owned(),
        instance: Some(account.clone()),
        taken: generated.map(|time| times::required(Some(time), GENERATED, false)).transpose()?,
        shows: if generated.is_some() { Shows::All } else { Shows::Items },
        strand: ALL[0],
        strands: &ALL,
        kind: format!("{KIND} {account}"),
        path: &[ROWS],
        own: Own::First,
        next: Next::Nothing,
        flaw: (!rows.iter().any(|row| row.text("user") == Some(ROOT))).then_some("root-missing"),
        total: None,
    })
}

/// What a row lists.
pub fn row(json: &Json<'_>, account: &str, at: Time, draft: &mut Draft<'_>) -> Result<Vec<Seen>, Reject> {
    let (name, arn) = (text(json, "user")?, text(json, "arn")?);
    if identity::Arn::parse(arn).is_none_or(|arn| arn.account != account) {
        return Err(unexpected(&format!("a row of the account {account}"), json));
    }
    let owner = match name {
        ROOT => identity::root(draft, account, Some(arn)),
        name => identity::user(draft, name, &[("arn", arn)], None),
    };
    let mut seen = vec![exists(at, owner.clone())];
    let Some(owner) = owner else { return Ok(seen) };
    for column in NOTED {
        let said = json.text(column).filter(|said| !NOTHING.contains(said));
        if let Some(said) = said {
            draft.text(&owner, column, said);
        }
    }
    match text(json, "password_enabled")? {
        "true" => seen.push(held(at, Some(owner.clone()), the_password(&owner), "").into()),
        "false" => {}
        // That of the root user is always there, and the report does not tell.
        "not_supported" if name == ROOT => {}
        _ => return Err(unexpected("true or false as password_enabled", json)),
    }
    Ok(seen)
}
