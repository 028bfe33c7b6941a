//! The log's key is changed, in three steps that each may be cut off and done again.
//!
//! Owns their order. From the first on two keys sign, so that whoever knows only one of them finds its signature:
//!
//! ```text
//! begin     next.key is made                              log.key signs, and next.key beside it
//!           the log announces it in a record
//! finish    former.key ← log.key ← next.key               log.key signs, and former.key beside it
//! retire    former.key is gone, its public half kept      log.key signs alone
//! ```
//! What an announcement says, and on whose word, is for whoever appends it; when it is believed, for `verify`.

use counterfoil_verify::note::{SigningKey, VerifierKey};
use counterfoil_verify::policy::Policy;

use crate::error::{LedgerError, Result};
use crate::files;
use crate::keys::{FORMER, Keys, LOG, NEXT, fresh, remove_key, replace_key, write_key, write_retired};
use crate::ledger::{Ledger, Location};
use crate::lock::Lock;

/// What became of the policy beside the ledger.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PolicyFile {
    /// It names the new key now.
    Replaced,
    /// Somebody wrote in it: it is left as it is, and names the former key still.
    Edited,
    /// There is none.
    Missing,
}

/// Makes the next key, unless a run that was cut off has made it. Nobody may have the ledger.
///
/// # Errors
/// [`LedgerError::Rotation`] while the key before the last still signs.
pub fn begin(location: &Location, holder: &str, entropy: &mut dyn FnMut(&mut [u8])) -> Result<()> {
    let _lock = Lock::take(&location.data, holder)?;
    match Keys::read(&location.keys())?.beside {
        Some((NEXT, _)) => Ok(()),
        Some(_) => Err(LedgerError::Rotation {
            problem: "the former key still signs beside the log's own: retire that first".to_owned(),
        }),
        None => {
            remove_key(&location.keys(), NEXT)?;
            write_key(&location.keys(), NEXT, &fresh(entropy))?;
            files::sync_folder(&location.keys())
        }
    }
}

impl Ledger {
    /// The log's key, and the next one, if there is one.
    pub fn next_key(&self) -> (VerifierKey, Option<VerifierKey>) {
        let (origin, keys) = (self.reader().head().origin, self.keys());
        let next = keys.beside.iter().find(|(name, _)| *name == NEXT);
        let public = |seed: &[u8; 32]| SigningKey::from_seed(origin.key_name(), seed).verifier_key();
        (public(&keys.log_seed), next.map(|(_, seed)| public(seed)))
    }
}

/// Puts the next key, once it is announced, in the place of the log's own. Nobody may have the ledger.
///
/// # Errors
/// [`LedgerError::Rotation`] if there is no next key.
pub fn finish(location: &Location, holder: &str) -> Result<PolicyFile> {
    let _lock = Lock::take(&location.data, holder)?;
    let (origin, folder, keys) = (location.origin()?, location.keys(), Keys::read(&location.keys())?);
    let Some((NEXT, next)) = &keys.beside else {
        return Err(LedgerError::Rotation { problem: "there is no next key: begin anew".to_owned() });
    };
    replace_key(&folder, FORMER, &keys.log_seed)?;
    replace_key(&folder, LOG, next)?;
    remove_key(&folder, NEXT)?;
    let policy = |seed| {
        let key = SigningKey::from_seed(origin.key_name(), seed).verifier_key();
        Policy::of_log(key, keys.index.clone()).format()
    };
    let path = location.policy();
    match std::fs::read_to_string(&path) {
        Ok(text) if text == policy(&keys.log_seed) => {
            files::replace_private(&path, policy(next).as_bytes())?;
            Ok(PolicyFile::Replaced)
        }
        Ok(_) => Ok(PolicyFile::Edited),
        Err(_) => Ok(PolicyFile::Missing),
    }
}

/// Has the former key sign no more, and forgets its private half. Gives its public half, by which old backups are known.
/// Nobody may have the ledger.
///
/// # Errors
/// [`LedgerError::Rotation`] if there is none, or the rotation before is not finished.
pub fn retire(location: &Location, holder: &str) -> Result<VerifierKey> {
    let _lock = Lock::take(&location.data, holder)?;
    let (origin, folder, mut keys) = (location.origin()?, location.keys(), Keys::read(&location.keys())?);
    let problem = match &keys.beside {
        Some((FORMER, seed)) => {
            let former = SigningKey::from_seed(origin.key_name(), seed).verifier_key();
            keys.retired.retain(|key| key != former.public_key());
            keys.retired.push(*former.public_key());
            write_retired(&folder, &keys.retired)?;
            remove_key(&folder, FORMER)?;
            remove_key(&folder, NEXT)?;
            return Ok(former);
        }
        Some(_) => "the next key is not in place yet: finish the rotation",
        None => "no former key signs",
    };
    Err(LedgerError::Rotation { problem: problem.to_owned() })
}
