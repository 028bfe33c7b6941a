//! The sections `[ingest.NAME]`: webhooks, and how each shows who it is.

use std::num::NonZeroU32;
use std::str::FromStr;

use counterfoil_ingest::sources::http::{Algorithm, Check, Encoding, Hook, Secrets, Signature, Signed};
use http::HeaderName;

use super::origin::{self, Origin};
use super::reader::Reader;

/// How many requests a source makes in a minute, unless its section says so.
const PER_MINUTE: u32 = 600;
const PER_MINUTE_MAX: u32 = 600_000;
/// How old a signed request may be, in seconds, unless its section says so.
const TOLERANCE_S: u32 = 300;
const TOLERANCE_S_MAX: u32 = 86_400;
/// What stands for the body and for the time in `signed`.
const BODY: &str = "{body}";
const TIMESTAMP: &str = "{timestamp}";

/// Reads one section. What is wrong with it, the reader keeps.
pub fn read(reader: &mut Reader<'_>, name: &str) -> Option<Hook> {
    let path = |key: &str| format!("ingest.{name}.{key}");
    let is_name = |c: char| c.is_ascii_alphanumeric() || c == '-' || c == '_';
    if name.is_empty() || name.len() > 64 || !name.chars().all(is_name) {
        reader.problem(&format!("ingest.{name}"), "is wrong: expected a name of letters, digits, - and _");
    }
    let origin = origin::read(reader, &path);
    let per_minute = reader.count(&path("requests_per_minute"), PER_MINUTE, 1..=PER_MINUTE_MAX);
    let secrets = secrets(reader, &path("secret_file"));
    let is_signed = reader.needed(&path("auth"), |text| match text {
        "secret" => Ok(false),
        "hmac" => Ok(true),
        _ => Err("expected secret or hmac".to_owned()),
    });
    let check = match is_signed? {
        false => {
            let header = reader.parsed(&path("header"), Some("authorization"), header);
            Check::Secret { header: header?, secrets: secrets? }
        }
        true => Check::Signature(signature(reader, &path, secrets)?),
    };
    let per_minute = NonZeroU32::new(per_minute)?;
    let Origin { connector, instance, ticket_instance } = origin?;
    Some(Hook { name: name.to_owned(), connector, instance, ticket_instance, check, per_minute })
}

fn signature(reader: &mut Reader<'_>, path: &dyn Fn(&str) -> String, secrets: Option<Secrets>) -> Option<Signature> {
    let header_name = reader.needed(&path("header"), header);
    let algorithm = reader.parsed(&path("algorithm"), Some("sha256"), |text| match text {
        "sha256" => Ok(Algorithm::Sha256),
        "sha512" => Ok(Algorithm::Sha512),
        "sha1" => Ok(Algorithm::Sha1),
        _ => Err("expected sha256, sha512 or sha1".to_owned()),
    });
    let encoding = reader.parsed(&path("encoding"), Some("hex"), |text| match text {
        "hex" => Ok(Encoding::Hex),
        "base64" => Ok(Encoding::Base64),
        _ => Err("expected hex or base64".to_owned()),
    });
    let prefix = reader.parsed(&path("prefix"), Some(""), |text| Ok(text.to_owned()));
    let template = reader.parsed(&path("signed"), Some(BODY), template);
    let signed = match template? {
        None => Signed::Body,
        Some((before, between)) => {
            let timestamp_header = reader.needed(&path("timestamp_header"), header);
            let tolerance_s = reader.count(&path("tolerance_seconds"), TOLERANCE_S, 1..=TOLERANCE_S_MAX);
            Signed::Timed { header: timestamp_header?, before, between, tolerance_s }
        }
    };
    let (header, prefix) = (header_name?, prefix?);
    Some(Signature { header, prefix, algorithm: algorithm?, encoding: encoding?, signed, secrets: secrets? })
}

/// What stands before the time, and between it and the body; none where the body alone is signed.
fn template(text: &str) -> Result<Option<(String, String)>, String> {
    let expected = || format!("expected {BODY}, or a text with {TIMESTAMP} in it that ends with {BODY}");
    let head = text.strip_suffix(BODY).filter(|head| !head.contains(BODY)).ok_or_else(expected)?;
    match head.split_once(TIMESTAMP) {
        None if head.is_empty() => Ok(None),
        Some((before, between)) if !between.contains(TIMESTAMP) => Ok(Some((before.to_owned(), between.to_owned()))),
        _ => Err(expected()),
    }
}

fn secrets(reader: &mut Reader<'_>, path: &str) -> Option<Secrets> {
    let Some(file) = reader.path(path) else {
        // A wrong one was told already.
        reader.needed(path, |_| Ok(()));
        return None;
    };
    let read = std::fs::read(&file).map_err(|error| error.to_string()).and_then(|content| Secrets::read(&content));
    read.map_err(|why| reader.problem(path, &format!("names {}: {why}", file.display()))).ok()
}

fn header(text: &str) -> Result<HeaderName, String> {
    HeaderName::from_str(text).map_err(|_| "expected the name of a header".to_owned())
}
