//! Import: a file's documents, through a connector, into the ledger.
//!
//! Owns what a file is to the ledger: a channel by its content, with the position that each batch brings it to, so that an
//! interrupted import goes on where the ledger stands, and a repeated one finds everything known.

use std::collections::BTreeSet;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::Ordering;

use counterfoil_ledger::{Ledger, LedgerError};
use counterfoil_proto::v1::{Authentication, Delivery};
use counterfoil_verify::time::Moment;

use crate::connectors::{Connector, Context};
use crate::json::{self, DigestKey};
use crate::pipeline::{self, Acknowledged, Chunk, Feed, Stopped};
use crate::prepare::{Delivered, Document};
use crate::sources::file::Input;

pub use crate::pipeline::Summary;

/// How a file is imported.
pub struct ImportOptions {
    /// The tenant that it comes from.
    pub instance: String,
    /// The tenant whose tickets are meant where an event of another system mentions one.
    pub ticket_instance: String,
    /// A first import of old logs.
    pub backfill: bool,
    /// Times that lost their zone are in UTC.
    pub assume_utc: bool,
    /// How its producer was authenticated.
    pub authentication: Authentication,
    /// When it was received.
    pub received_at: Moment,
    /// Fresh randomness, never used before.
    pub seed_secret: [u8; 32],
    /// How many threads prepare events.
    pub threads: usize,
}

/// Why an import stopped. What was acknowledged before stays.
#[derive(Debug, thiserror::Error)]
pub enum ImportError {
    /// The input cannot be read.
    #[error("read {name}")]
    Input {
        /// The input.
        name: String,
        /// Why not.
        source: io::Error,
    },
    /// The ledger does not take it.
    #[error(transparent)]
    Ledger(#[from] LedgerError),
}

/// How far an import is.
#[derive(Clone, Copy, Debug)]
pub struct Progress {
    /// Bytes of the input read so far.
    pub read_bytes: u64,
    /// Bytes in all, where that is known.
    pub total_bytes: Option<u64>,
    /// Events acknowledged.
    pub acknowledged: u64,
}

/// Imports one input.
///
/// # Errors
/// [`ImportError`] if the input cannot be read or the ledger fails. An event that cannot be read is no error: it is
/// recorded as rejected.
pub fn import(
    ledger: &Ledger,
    connector: &dyn Connector,
    input: &Input,
    options: &ImportOptions,
    progress: &mut dyn FnMut(Progress),
) -> Result<Summary, ImportError> {
    let failed = |source| ImportError::Input { name: input.name(), source };
    let identity = input.identity(ledger.keys().ingest()).map_err(failed)?;
    let total_bytes = identity.as_ref().map(|(_, size)| *size);
    let name = match &identity {
        Some((digest, _)) => format!("file/{digest}"),
        None => format!("stream/{}", json::hex(&options.seed_secret[..8])),
    };
    let documents = input.documents().map_err(failed)?;
    let read_bytes = documents.read_bytes();
    let digest_key = DigestKey::new(*ledger.keys().ingest());
    // Whatever makes other events of the same bytes starts from the beginning: what is known is a duplicate.
    let mut manner = format!(
        "{} {} {} {} {}",
        documents.layout(),
        connector.version(),
        options.backfill,
        options.assume_utc,
        options.ticket_instance
    );
    if options.authentication != Authentication::OperatorFile {
        manner.push(' ');
        manner.push_str(options.authentication.as_str_name());
    }
    let manner = &digest_key.hex("counterfoil/manner/v1", manner.as_bytes())[..8];
    let channel = format!("{name}/{}/{}/{manner}", connector.name(), options.instance);
    let position = ledger.reader().position(&channel)?.unwrap_or_default();
    let start = if position.complete { 0 } else { position.next };

    let delivered = Arc::new(Delivered {
        connector,
        context: Context {
            instance: &options.instance,
            ticket_system: "freshservice",
            ticket_instance: &options.ticket_instance,
            index_key: ledger.keys().index(),
            digest_key: &digest_key,
            assume_utc: options.assume_utc,
            received_at: options.received_at,
        },
        channel,
        delivery: if options.backfill { Delivery::Backfill } else { Delivery::Live },
        authentication: options.authentication,
        seed_secret: options.seed_secret,
        retry_of: None,
    });
    let mut summary = Summary { resumed_documents: start, ..Summary::default() };
    let chunk = Chunk::new(delivered, position.next);
    let run = pipeline::run(
        ledger,
        options.threads,
        |feed| read(documents, start, chunk, feed),
        &mut |acknowledged: Acknowledged<'_>| {
            summary.add(&acknowledged.counts);
            let read_bytes = read_bytes.load(Ordering::Relaxed);
            progress(Progress { read_bytes, total_bytes, acknowledged: summary.acknowledged() });
        },
    );
    match run {
        Ok(()) => Ok(summary),
        Err(Stopped::Input(source)) => Err(failed(source)),
        Err(Stopped::Ledger(error)) => Err(error.into()),
    }
}

/// Reads documents into chunks, of which the first is there. The last one says that the file is complete, even if it is
/// empty.
fn read<'a>(
    documents: impl Iterator<Item = io::Result<Document>>,
    start: u64,
    mut chunk: Chunk<'a>,
    feed: &mut Feed<'_, 'a>,
) -> io::Result<()> {
    chunk.to.next = start;
    for document in documents {
        let document = match document {
            Ok(document) if document.sequence < start => continue,
            Ok(document) => document,
            Err(error) => {
                // What was read before the failure is committed; the position then says where it ended.
                feed.send(chunk);
                return Err(error);
            }
        };
        chunk.to.next = document.sequence + 1;
        chunk.push(document);
        if chunk.is_full() {
            let next = Chunk::new(chunk.delivered.clone(), chunk.to.next);
            if !feed.send(std::mem::replace(&mut chunk, next)) {
                return Ok(());
            }
        }
    }
    chunk.to.complete = true;
    feed.send(chunk);
    Ok(())
}

/// The files that an argument stands for: itself, or, of a folder, every file in it and in the folders in it, in order of
/// their names. A link that leads to a folder that is already listed adds nothing.
///
/// # Errors
/// If a folder cannot be listed, or has something in it that is no file, such as a pipe.
pub fn expand(argument: PathBuf) -> io::Result<Vec<PathBuf>> {
    if !argument.is_dir() {
        return Ok(vec![argument]);
    }
    let (mut files, mut listed) = (Vec::new(), BTreeSet::new());
    list(&argument, &mut files, &mut listed)?;
    files.sort();
    Ok(files)
}

fn list(folder: &Path, files: &mut Vec<PathBuf>, listed: &mut BTreeSet<PathBuf>) -> io::Result<()> {
    if !listed.insert(folder.canonicalize()?) {
        return Ok(());
    }
    for entry in std::fs::read_dir(folder)? {
        let path = entry?.path();
        let about = |error: io::Error| io::Error::new(error.kind(), format!("{}: {error}", path.display()));
        let kind = path.metadata().map_err(about)?;
        if kind.is_dir() {
            list(&path, files, listed)?;
        } else if kind.is_file() {
            files.push(path);
        } else {
            return Err(about(io::Error::other("expected a file or a folder; name a pipe or a device by itself")));
        }
    }
    Ok(())
}
