//! The checkpoints that an auditor has seen: two of one size and different roots are two histories.
//!
//! Owns the file, one checkpoint a line: `ORIGIN SIZE ROOT`. Without a proof from one to the other, checkpoints of
//! different sizes say nothing of each other; evidence has none. Whoever has all records has that proof.

use std::collections::BTreeMap;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};
use counterfoil_verify::checkpoint::{Checkpoint, Origin};
use counterfoil_verify::evidence::{Flaw, Rejected, Step};
use counterfoil_verify::hash::Hash;

/// Bytes of such a file, at most.
const BYTES_MAX: u64 = 64 << 20;

/// What was seen.
pub struct Remembered {
    path: PathBuf,
    /// By the log and the size.
    roots: BTreeMap<(String, u64), String>,
}

impl Remembered {
    /// Reads the file; where there is none yet, nothing was seen.
    pub fn read(path: &Path) -> Result<Self> {
        let mut remembered = Self { path: path.to_owned(), roots: BTreeMap::new() };
        let text = match std::fs::metadata(path) {
            Ok(found) if found.len() > BYTES_MAX => bail!("{} is too large", path.display()),
            Ok(_) => std::fs::read_to_string(path).with_context(|| format!("read {}", path.display()))?,
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(remembered),
            Err(error) => return Err(error).with_context(|| format!("read {}", path.display())),
        };
        for (number, line) in text.lines().enumerate() {
            let fields: Vec<&str> = line.split(' ').collect();
            let [origin, size, root] = fields[..] else {
                bail!("line {} of {} is no checkpoint", number + 1, path.display());
            };
            let size = size.parse().with_context(|| format!("line {} of {}", number + 1, path.display()))?;
            remembered.roots.insert((origin.to_owned(), size), root.to_owned());
        }
        Ok(remembered)
    }

    /// Compares a checkpoint with those that were seen, and remembers it.
    pub fn compare(&mut self, checkpoint: &Checkpoint) -> Result<(), Rejected> {
        let root = checkpoint.root.to_base64();
        let key = (checkpoint.origin.to_string(), checkpoint.size.0);
        let seen = self.roots.entry(key).or_insert_with(|| root.clone());
        if *seen == root {
            return Ok(());
        }
        let what = format!(
            "expected the root {seen} that was seen before for {} records of {}, got {root}: the log shows two histories",
            checkpoint.size, checkpoint.origin
        );
        Err(Rejected { flaw: Flaw::Falsified, step: Step::Checkpoint, what })
    }

    /// The roots of a log that were seen, by its size.
    pub fn roots_of(&self, origin: &Origin) -> Result<BTreeMap<u64, Hash>> {
        let own = self.roots.iter().filter(|((of, _), _)| of == origin.as_str());
        let roots = own.map(|((_, size), root)| {
            let expected = || format!("expected the root for {size} records in {}", self.path.display());
            Ok((*size, Hash::from_base64(root).with_context(expected)?))
        });
        roots.collect()
    }

    /// Writes the file anew, whole or not at all.
    pub fn write(&self) -> Result<()> {
        let text: String =
            self.roots.iter().map(|((origin, size), root)| format!("{origin} {size} {root}\n")).collect();
        let mut beside = self.path.clone().into_os_string();
        beside.push(".new");
        std::fs::write(&beside, text).with_context(|| format!("write {}", Path::new(&beside).display()))?;
        std::fs::rename(&beside, &self.path).with_context(|| format!("write {}", self.path.display()))
    }
}
