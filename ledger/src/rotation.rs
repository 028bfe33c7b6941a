//! The log's key is changed, in three steps that each may be cut off and done again.
//!
//! Owns their order. From the first on two keys sign, so that whoever knows only one of them finds its signature:
//!
//! ```text
//! begin     next.key is made                              log.key signs, and next.key beside it
//!           the log announces it in a record
//! finish    former.key ← log.key ← next.key, the policy,  log.key signs, and former.key beside it
//!           next.key is gone
//! retire    former.key is gone, its public half kept      log.key signs alone
//! ```
//! What an announcement says, and on whose word, is for whoever appends it; when it is believed, for `verify`.

use std::path::PathBuf;

use counterfoil_verify::checkpoint::Origin;
use counterfoil_verify::note::{SigningKey, VerifierKey};
use counterfoil_verify::policy::Policy;

use crate::error::{LedgerError, Result};
use crate::files;
use crate::keys::{FORMER, Keys, LOG, NEXT, Seed, fresh, remove_key, remove_unfinished, replace_key, write_retired};
use crate::ledger::{Ledger, Location};
use crate::lock::Lock;

/// What became of the policy beside the ledger.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PolicyFile {
    /// It names the new key now. That of before is kept here.
    Replaced(PathBuf),
    /// Somebody wrote in it: it is left as it is, and names the former key still.
    Edited,
    /// There is none.
    Missing,
}

/// A log's key, and the one that comes in its place.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rotation {
    /// The key until then.
    pub former: VerifierKey,
    /// The next one.
    pub next: VerifierKey,
}

impl Ledger {
    /// Makes the log's next key, unless a run that was cut off has made it. It signs from when the ledger is opened again.
    ///
    /// # Errors
    /// [`LedgerError::Rotation`] while the key before the last still signs.
    pub fn begin_rotation(&self, location: &Location, entropy: &mut dyn FnMut(&mut [u8])) -> Result<()> {
        match (&self.keys().next, &self.keys().former) {
            (Some(_), _) => Ok(()),
            (None, Some(_)) => Err(LedgerError::Rotation {
                problem: "the former key still signs beside the log's own: retire that first".to_owned(),
            }),
            (None, None) => replace_key(&location.keys(), NEXT, &fresh(entropy)),
        }
    }

    /// The change that is done, but for the former key, which signs still.
    pub fn last_rotation(&self) -> Option<Rotation> {
        let (keys, origin) = (self.keys(), &self.reader().head().origin);
        let former = keys.former.as_ref().filter(|_| keys.next.is_none())?;
        Some(Rotation { former: public(former, origin), next: public(&keys.log_seed, origin) })
    }

    /// The change of the key that was begun, if one was.
    pub fn rotation(&self) -> Option<Rotation> {
        rotation(self.keys(), &self.reader().head().origin)
    }
}

/// The change that was begun: also one of which the next key is in its place already.
fn rotation(keys: &Keys, origin: &Origin) -> Option<Rotation> {
    let next = keys.next.as_ref()?;
    let former = if *next == keys.log_seed { keys.former.as_ref()? } else { &keys.log_seed };
    Some(Rotation { former: public(former, origin), next: public(next, origin) })
}

fn public(seed: &Seed, origin: &Origin) -> VerifierKey {
    SigningKey::from_seed(origin.key_name(), seed).verifier_key()
}

/// Puts the next key, once it is announced, in the place of the log's own. Nobody may have the ledger.
///
/// # Errors
/// [`LedgerError::Rotation`] if another change, or none, was begun.
pub fn finish(location: &Location, announced: &Rotation, holder: &str) -> Result<PolicyFile> {
    let _lock = Lock::take(&location.data, holder)?;
    let (origin, folder, keys) = (location.origin()?, location.keys(), Keys::read(&location.keys())?);
    let next = keys.next.as_ref().filter(|_| rotation(&keys, &origin).as_ref() == Some(announced));
    let Some(next) = next else {
        return Err(LedgerError::Rotation {
            problem: "the key that was announced is not the next one: begin anew".to_owned(),
        });
    };
    if *next != keys.log_seed {
        replace_key(&folder, FORMER, &keys.log_seed)?;
        replace_key(&folder, LOG, next)?;
    }
    let policy = |key: &VerifierKey| Policy::of_log(key.clone(), keys.index.clone()).format();
    let path = location.policy();
    let file = match std::fs::read_to_string(&path) {
        Ok(text) if text == policy(&announced.former) => {
            // What the former key signed alone is verified with the policy of then.
            let kept = path.with_added_extension(announced.former.id().to_string());
            files::replace_private(&kept, text.as_bytes())?;
            files::replace_private(&path, policy(&announced.next).as_bytes())?;
            PolicyFile::Replaced(kept)
        }
        Ok(text) if text == policy(&announced.next) => {
            PolicyFile::Replaced(path.with_added_extension(announced.former.id().to_string()))
        }
        Ok(_) => PolicyFile::Edited,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => PolicyFile::Missing,
        Err(error) => return Err(LedgerError::file(&path, error)),
    };
    remove_key(&folder, NEXT)?;
    Ok(file)
}

/// Has the former key sign no more, and forgets its private half. Gives its public half, by which old backups are known.
/// Nobody may have the ledger.
///
/// # Errors
/// [`LedgerError::Rotation`] if there is none, or the change before is not finished.
pub fn retire(location: &Location, holder: &str) -> Result<VerifierKey> {
    let _lock = Lock::take(&location.data, holder)?;
    let (origin, folder, mut keys) = (location.origin()?, location.keys(), Keys::read(&location.keys())?);
    let problem = match (&keys.next, &keys.former) {
        (None, Some(seed)) => {
            let former = public(seed, &origin);
            keys.retired.push(*former.public_key());
            write_retired(&folder, &keys.retired)?;
            remove_unfinished(&folder)?;
            remove_key(&folder, FORMER)?;
            return Ok(former);
        }
        (Some(_), _) => "the change of the key is not finished: run `counterfoil key rotate` again",
        (None, None) => "no former key signs",
    };
    Err(LedgerError::Rotation { problem: problem.to_owned() })
}
