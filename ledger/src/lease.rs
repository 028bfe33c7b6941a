//! The lease of an anchor: which copy of a ledger may move it.
//!
//! Owns `ANCHOR.lease`, which names its holder and counts how often it was renewed, and the name of a copy, `DIR/holder`.
//! Nobody compares clocks: whoever waits for a lease sees it renewed, or not. That the holder may be alive all the same
//! does no harm: it finds at the anchor that it is the holder no more, before it acknowledges anything. Everything here is
//! done by whoever has the anchor's lock.
//!
//! ```text
//! counterfoil-lease v1 <holder, 16 hexadecimal digits> <renewals, 20 digits>
//! ```

use std::fs::OpenOptions;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};

use crate::error::{LedgerError, Result};
use crate::files;

/// What a lease file starts with.
const HEAD: &str = "counterfoil-lease v1 ";

/// The name of one copy of a ledger.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Holder(String);

impl Holder {
    /// Names a copy by fresh randomness, unless it has a name.
    pub(crate) fn create(data: &Path, entropy: &mut dyn FnMut(&mut [u8])) -> Result<()> {
        if path_of(data).exists() {
            return Ok(());
        }
        let mut bytes = [0; 8];
        entropy(&mut bytes);
        files::write_private(&path_of(data), format!("{:016x}\n", u64::from_be_bytes(bytes)).as_bytes())
    }

    /// The name of the copy in a data folder.
    pub(crate) fn of(data: &Path) -> Result<Self> {
        let path = path_of(data);
        let text = std::fs::read_to_string(&path).map_err(|error| LedgerError::file(&path, error))?;
        let damaged =
            || LedgerError::falsified(path.display(), "it names no copy of a ledger: delete it, and the lease");
        parse_holder(text.trim_end()).ok_or_else(damaged)
    }
}

impl std::fmt::Display for Holder {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.0)
    }
}

/// A lease as it was found. One that was renewed is another one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Lease {
    pub(crate) holder: Holder,
    renewals: u64,
}

impl Lease {
    /// The lease of an anchor; none where nobody has taken it, or where a power cut left none.
    pub(crate) fn read(anchor: &Path) -> Result<Option<Self>> {
        let path = file_of(anchor);
        match std::fs::read_to_string(&path) {
            Ok(text) => Ok(Self::parse(&text)),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(LedgerError::file(&path, error)),
        }
    }

    /// Makes a copy the holder, for good.
    pub(crate) fn take(anchor: &Path, holder: &Holder) -> Result<()> {
        let lease = Self { holder: holder.clone(), renewals: 0 };
        files::replace(&file_of(anchor), lease.format().as_bytes())
    }

    /// Takes away the lease that an anchor left which is gone: it would lock out the next ledger there.
    pub(crate) fn forget(anchor: &Path) -> Result<()> {
        let path = file_of(anchor);
        match std::fs::remove_file(&path) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => Err(LedgerError::file(&path, error)),
            _ => Ok(()),
        }
    }

    /// Shows that the holder is alive. What a power cut takes of this is not missed.
    pub(crate) fn renew(&self, anchor: &Path) -> Result<()> {
        let path = file_of(anchor);
        let renewed = Self { holder: self.holder.clone(), renewals: self.renewals.wrapping_add(1) };
        let file = OpenOptions::new().write(true).open(&path).map_err(|error| LedgerError::file(&path, error))?;
        file.write_all_at(renewed.format().as_bytes(), 0).map_err(|error| LedgerError::file(&path, error))
    }

    fn parse(text: &str) -> Option<Self> {
        let (holder, renewals) = text.strip_prefix(HEAD)?.strip_suffix('\n')?.split_once(' ')?;
        Some(Self { holder: parse_holder(holder)?, renewals: renewals.parse().ok()? })
    }

    /// Always as long, so that it can be written over in its place.
    fn format(&self) -> String {
        format!("{HEAD}{} {:020}\n", self.holder, self.renewals)
    }
}

fn parse_holder(text: &str) -> Option<Holder> {
    let is_name = text.len() == 16 && text.bytes().all(|byte| byte.is_ascii_hexdigit());
    is_name.then(|| Holder(text.to_owned()))
}

fn path_of(data: &Path) -> PathBuf {
    data.join("holder")
}

fn file_of(anchor: &Path) -> PathBuf {
    anchor.with_added_extension("lease")
}
