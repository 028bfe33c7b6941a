//! Source `http`: documents that are posted, by producers of one's own or by the webhooks of a system.
//!
//! Owns what a posted body is (a document, JSON lines, an array; also compressed), and whom a webhook source believes. It
//! opens no port: whoever serves HTTP hands it requests, whose bodies are limited already.

use std::io::{self, Cursor, Read};
use std::sync::Arc;

use ::http::HeaderMap;
use ::http::header::{CONTENT_ENCODING, CONTENT_TYPE};
use counterfoil_proto::v1::{AppendResponse, Authentication};
use tonic::Status;

use super::documents::{Documents, Layout};
use super::receipt::{self, assume_utc, instance_or_default, invalid};
use crate::intake::{BYTES_MAX, DOCUMENTS_MAX, Intake, Push};

mod check;
mod secret;

pub use check::{Algorithm, Check, Encoding, Refusal, Signature, Signed};
pub use secret::{Secret, Secrets};

/// The content types of bodies that are taken.
pub const CONTENT_TYPES: [&str; 4] =
    ["application/json", JSON_LINES, "application/jsonl", "application/cloudevents+json"];
/// The content type of JSON lines.
const JSON_LINES: &str = "application/x-ndjson";

/// What unpacking zstd may take, as a power of two: no more than what is unpacked.
const WINDOW_LOG_MAX: u32 = BYTES_MAX.ilog2();

/// A webhook of some system.
#[derive(Debug)]
pub struct Hook {
    /// Its name in the configuration, and in the path.
    pub name: String,
    /// The connector that reads what it sends.
    pub connector: String,
    /// The tenant that it comes from.
    pub instance: String,
    /// The tenant whose tickets it mentions.
    pub ticket_instance: String,
    /// How it shows who it is.
    pub check: Check,
    /// How many requests it may make in a minute.
    pub per_minute: std::num::NonZeroU32,
}

/// What a producer says about a body, in the query.
#[derive(Clone, Debug, Default, serde::Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Told {
    /// The tenant; "default", if it is left out. A hook has its own.
    pub instance: String,
    /// The tenant whose tickets it mentions; "default", if it is left out. A hook has its own.
    pub ticket_instance: String,
    /// Old logs: their lateness is held against nobody.
    pub backfill: bool,
    /// The zone of times that lost theirs: UTC, or none.
    pub assume_zone: String,
}

/// Takes a body for a connector, in one commit.
///
/// # Errors
/// A status if nothing was taken.
pub async fn receive(
    intake: Arc<Intake>,
    connector: String,
    told: Told,
    headers: &HeaderMap,
    body: impl AsRef<[u8]> + Send + 'static,
    authentication: Authentication,
) -> Result<AppendResponse, Status> {
    let compression = Compression::of(headers)?;
    let is_lines = headers.get(CONTENT_TYPE).is_some_and(|value| {
        value.as_bytes().starts_with(JSON_LINES.as_bytes()) || value.as_bytes().starts_with(b"application/jsonl")
    });
    let read = tokio::task::spawn_blocking(move || documents(body, compression, is_lines)).await;
    let documents = read.map_err(|error| Status::unavailable(format!("the service is stopping: {error}")))??;
    let push = Push {
        connector,
        instance: instance_or_default(told.instance),
        ticket_instance: instance_or_default(told.ticket_instance),
        channel: "http",
        documents,
        backfill: told.backfill,
        assume_utc: assume_utc(&told.assume_zone)?,
        authentication,
    };
    receipt::push(intake, push, String::new()).await
}

/// How a body is compressed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Compression {
    None,
    Gzip,
    Zstd,
}

impl Compression {
    fn of(headers: &HeaderMap) -> Result<Self, Status> {
        let Some(named) = headers.get(CONTENT_ENCODING) else { return Ok(Self::None) };
        match named.as_bytes().trim_ascii() {
            b"identity" => Ok(Self::None),
            b"gzip" | b"x-gzip" => Ok(Self::Gzip),
            b"zstd" => Ok(Self::Zstd),
            _ => Err(invalid("Content-Encoding", "expected gzip, zstd or identity".to_owned())),
        }
    }
}

/// The documents of a body.
fn documents(
    body: impl AsRef<[u8]> + Send + 'static,
    compression: Compression,
    is_lines: bool,
) -> Result<Vec<Vec<u8>>, Status> {
    let unpacked: Box<dyn Read + Send> = match compression {
        Compression::None => Box::new(Cursor::new(body)),
        Compression::Gzip => unpack(flate2::read::MultiGzDecoder::new(body.as_ref()))?,
        Compression::Zstd => {
            let mut decoder = zstd::stream::read::Decoder::new(body.as_ref()).map_err(|error| unreadable(&error))?;
            decoder.window_log_max(WINDOW_LOG_MAX).map_err(|error| unreadable(&error))?;
            unpack(decoder)?
        }
    };
    let mut left = BYTES_MAX;
    let mut found = Vec::new();
    let layout = is_lines.then_some(Layout::Lines);
    for document in Documents::new(unpacked, layout, Arc::default()).map_err(|error| unreadable(&error))? {
        let document = document.map_err(|error| unreadable(&error))?;
        let too_large = document.bytes.len() > left || document.oversized.is_some();
        if too_large || found.len() == DOCUMENTS_MAX {
            return Err(too_much());
        }
        left -= document.bytes.len();
        found.push(document.bytes);
    }
    Ok(found)
}

/// Unpacks as much as may be, and refuses more.
fn unpack(packed: impl Read) -> Result<Box<dyn Read + Send>, Status> {
    let mut unpacked = Vec::new();
    // One byte more than may be: then it is noticed.
    let count = packed.take(BYTES_MAX as u64 + 1).read_to_end(&mut unpacked).map_err(|error| unreadable(&error))?;
    if count > BYTES_MAX { Err(too_much()) } else { Ok(Box::new(Cursor::new(unpacked))) }
}

fn too_much() -> Status {
    let most = format!("at most {DOCUMENTS_MAX} documents of {BYTES_MAX} bytes together");
    invalid("body", format!("expected {most}: send it in parts"))
}

fn unreadable(error: &io::Error) -> Status {
    invalid("body", format!("it cannot be unpacked: {error}"))
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use super::*;

    fn read(body: &[u8], compression: Compression, is_lines: bool) -> Result<Vec<String>, Status> {
        let found = documents(body.to_vec(), compression, is_lines)?;
        Ok(found.into_iter().map(|bytes| String::from_utf8(bytes).unwrap()).collect())
    }

    #[test]
    fn a_body_is_a_document_lines_or_an_array() {
        for body in ["{\"a\":1}\n{\"a\":2}\n", "[{\"a\":1},{\"a\":2}]"] {
            assert_eq!(read(body.as_bytes(), Compression::None, false).unwrap(), ["{\"a\":1}", "{\"a\":2}"], "{body}");
        }
        assert_eq!(read(b"{\n\"a\": 1}", Compression::None, false).unwrap(), ["{\n\"a\": 1}"]);
        assert_eq!(read(b"", Compression::None, false).unwrap(), Vec::<String>::new());
    }

    #[test]
    fn a_body_may_be_compressed_and_no_bomb_goes_off() {
        let mut gzip = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
        gzip.write_all(b"{\"a\":1}").unwrap();
        assert_eq!(read(&gzip.finish().unwrap(), Compression::Gzip, false).unwrap(), ["{\"a\":1}"]);
        let zstd = zstd::encode_all(&b"{\"a\":1}"[..], 1).unwrap();
        assert_eq!(read(&zstd, Compression::Zstd, false).unwrap(), ["{\"a\":1}"]);
        assert!(read(b"{\"a\":1}", Compression::Gzip, false).unwrap_err().message().contains("cannot be unpacked"));

        let bomb = zstd::encode_all(&vec![b'a'; BYTES_MAX + 1][..], 1).unwrap();
        assert!(bomb.len() < 64 << 10);
        assert!(read(&bomb, Compression::Zstd, false).unwrap_err().message().contains("send it in parts"));
        // What lies behind a gap is not cut off in silence.
        let gap = [&b"1"[..], &vec![b' '; BYTES_MAX], b"2"].concat();
        let gap = zstd::encode_all(&gap[..], 1).unwrap();
        assert!(read(&gap, Compression::Zstd, false).unwrap_err().message().contains("send it in parts"));
        let whole = zstd::encode_all(&vec![b'a'; BYTES_MAX][..], 1).unwrap();
        assert_eq!(read(&whole, Compression::Zstd, false).unwrap().len(), 1);
        assert!(read(&b"1\n".repeat(DOCUMENTS_MAX + 1), Compression::None, true).is_err());
    }
}
