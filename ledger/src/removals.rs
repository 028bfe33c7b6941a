//! What redactions removed, in a file beside the anchor: it survives the loss of the data folder, so that a backup from
//! before a redaction is redacted again.
//!
//! Owns `ANCHOR.redactions`: numbers of records and of parts, and nothing personal. The owner adds to it once a redaction is
//! durable and before it is signed, and writes at each start what the log says, whatever is in the file. Whoever restores
//! believes it. It never decides what is removed.
//!
//! ```text
//! counterfoil-redactions v1 example.com/audit c7a1…
//! 1042 <leaf hash of that record> 17+1:0,1 40+3:0 9f3e…
//! ```
//! A line for each redaction record: its number and its leaf hash, then ranges of records (the first, how many) and the
//! numbers of the parts; at the end of each line the first 16 digits of the domain hash of what stands before.

use std::fs::OpenOptions;
use std::io::{ErrorKind, Read, Write};
use std::path::{Path, PathBuf};

use counterfoil_proto::v1::{RedactedParts, Redaction};
use counterfoil_verify::checkpoint::Origin;
use counterfoil_verify::hash::{Hash, LeafHash, domain_hash};
use counterfoil_verify::record;
use counterfoil_verify::redaction::redaction_of;
use counterfoil_verify::tree::RecordIndex;

use crate::anchor::Anchor;
use crate::error::{LedgerError, Result};
use crate::files;
use crate::recover::decode;
use crate::store::LogDb;

const HEAD: &str = "counterfoil-redactions v1";
/// The longest file that is read: thousands of large redactions.
const BYTES_MAX: u64 = 256 << 20;

/// Where it is told what was redacted of a log of which something was lost.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum KnownRedactions {
    /// In the file beside the anchor.
    BesideTheAnchor,
    /// In this copy of it.
    In(PathBuf),
    /// Nowhere: whatever was redacted by what was lost is there again.
    Lost,
}

/// The file, for the owner.
pub(crate) struct Removals {
    path: PathBuf,
    head: String,
}

/// What one redaction record removed.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Removal {
    pub(crate) by: RecordIndex,
    pub(crate) leaf: LeafHash,
    pub(crate) removed: Vec<RedactedParts>,
}

impl Removals {
    /// The file beside an anchor.
    pub(crate) fn beside(anchor: &Path, origin: &Origin) -> Self {
        Self { path: path_of(anchor), head: with_checksum(&format!("{HEAD} {origin}")) }
    }

    /// Makes the file say what these redaction records of the log say, and nothing else.
    pub(crate) fn bring_up(&self, log: &LogDb, redactions: &[RecordIndex]) -> Result<()> {
        let text = self.head.clone() + &lines_of(log, redactions)?;
        match std::fs::read(&self.path) {
            Ok(found) if found == text.as_bytes() => Ok(()),
            _ => files::replace(&self.path, text.as_bytes()),
        }
    }

    /// Adds these redaction records, durably, as long as the lease of the anchor is held: they may be of a history that
    /// nobody goes on with.
    pub(crate) fn add(&self, anchor: &Anchor, log: &LogDb, redactions: &[RecordIndex]) -> Result<()> {
        let lines = lines_of(log, redactions)?;
        let failed = |error| LedgerError::file(&self.path, error);
        let file = anchor.as_holder(|| {
            let mut file = OpenOptions::new().append(true).open(&self.path).map_err(failed)?;
            file.write_all(lines.as_bytes()).map(|()| file).map_err(failed)
        })?;
        file.sync_data().map_err(failed)
    }
}

/// The file beside an anchor.
fn path_of(anchor: &Path) -> PathBuf {
    anchor.with_added_extension("redactions")
}

/// What is known, wherever it is told.
///
/// # Errors
/// As of [`read`].
pub(crate) fn known(where_told: &KnownRedactions, anchor: &Path, origin: &Origin) -> Result<Vec<Removal>> {
    match where_told {
        KnownRedactions::BesideTheAnchor => read(&path_of(anchor), origin),
        KnownRedactions::In(path) => read(path, origin),
        KnownRedactions::Lost => Ok(Vec::new()),
    }
}

/// Reads such a file of a log. A last line that was cut off is of a redaction that nobody was told of.
///
/// # Errors
/// [`LedgerError::Redactions`] if it is not there, of another log, or damaged.
fn read(path: &Path, origin: &Origin) -> Result<Vec<Removal>> {
    let wrong = |problem: String| LedgerError::Redactions { path: path.to_owned(), problem };
    let file = match std::fs::File::open(path) {
        Err(error) if error.kind() == ErrorKind::NotFound => return Err(wrong("is not there".to_owned())),
        opened => opened.map_err(|error| LedgerError::file(path, error))?,
    };
    let mut text = String::new();
    let read = file.take(BYTES_MAX + 1).read_to_string(&mut text);
    read.map_err(|error| wrong(format!("cannot be read ({error})")))?;
    if text.len() as u64 > BYTES_MAX {
        return Err(wrong(format!("has more than {BYTES_MAX} bytes")));
    }
    let mut lines = text.split_inclusive('\n').filter(|line| line.ends_with('\n'));
    let head = lines.next().and_then(checked).ok_or_else(|| wrong("is damaged in line 1".to_owned()))?;
    if head != format!("{HEAD} {origin}") {
        return Err(wrong(format!("is no list of the redactions of {origin}: it begins with {head:?}")));
    }
    let damaged = |line: usize| wrong(format!("is damaged in line {line}"));
    lines.zip(2..).map(|(line, number)| checked(line).and_then(parse).ok_or_else(|| damaged(number))).collect()
}

fn lines_of(log: &LogDb, redactions: &[RecordIndex]) -> Result<String> {
    let mut lines = String::new();
    for index in redactions {
        let wrong = |problem: &str| LedgerError::falsified(format!("record {index}"), problem);
        let bytes = log.record(index.0)?.ok_or_else(|| wrong("it is missing"))?;
        let record = decode(index.0, &bytes)?;
        let Redaction { removed, .. } = redaction_of(&record).ok_or_else(|| wrong("it is no redaction"))?;
        let mut line = format!("{index} {}", record::hash(&bytes).0);
        for RedactedParts { first, records, parts } in removed {
            let parts: Vec<String> = parts.iter().map(u32::to_string).collect();
            line.push_str(&format!(" {first}+{records}:{}", parts.join(",")));
        }
        lines.push_str(&with_checksum(&line));
    }
    Ok(lines)
}

fn parse(line: &str) -> Option<Removal> {
    let mut fields = line.split(' ');
    let by = RecordIndex(fields.next()?.parse().ok()?);
    let leaf = LeafHash(hash(fields.next()?)?);
    let range = |field: &str| {
        let (first, rest) = field.split_once('+')?;
        let (records, parts) = rest.split_once(':')?;
        let parts = parts.split(',').map(|part| part.parse().ok()).collect::<Option<_>>()?;
        Some(RedactedParts { first: first.parse().ok()?, records: records.parse().ok()?, parts })
    };
    Some(Removal { by, leaf, removed: fields.map(range).collect::<Option<_>>()? })
}

fn hash(digits: &str) -> Option<Hash> {
    let digit = |at: usize| u8::from_str_radix(digits.get(at..at + 2)?, 16).ok();
    let bytes: Vec<u8> = (0..digits.len()).step_by(2).map(digit).collect::<Option<_>>()?;
    Hash::from_slice(&bytes).ok()
}

fn with_checksum(line: &str) -> String {
    format!("{line} {}\n", checksum(line))
}

/// What a line says, if its checksum is right.
fn checked(line: &str) -> Option<&str> {
    let (line, found) = line.strip_suffix('\n')?.rsplit_once(' ')?;
    (checksum(line) == found).then_some(line)
}

fn checksum(line: &str) -> String {
    domain_hash("counterfoil/redactions-line/v1", &[line.as_bytes()]).to_string()[..16].to_owned()
}
