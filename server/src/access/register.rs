//! Who may do what: the entries of a file, as the server asks them.
//!
//! Owns how an access token is written and recognised, and what makes an entry count at a moment. It reads no file and no
//! clock, and holds no token: only the digests of their secrets.
//!
//! ```text
//! counterfoil_<id: 16 hexadecimal digits>_<32 secret bytes in base64url: 43 characters>
//! ```

use std::collections::HashMap;

use base64::prelude::{BASE64_URL_SAFE_NO_PAD, Engine};
use counterfoil_proto::v1::{AccessEntry, AccessFile};
use counterfoil_verify::time::Moment;
use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq;

use super::table::Roles;

const PREFIX: &str = "counterfoil_";
pub(crate) const ID_DIGITS: usize = 16;

/// Who may do what.
pub(crate) struct Register {
    entries: HashMap<String, Entry>,
    /// The ids of the entries of each name of a certificate.
    certificates: HashMap<String, Vec<String>>,
}

struct Entry {
    roles: Roles,
    is_of_here: bool,
    expires: Moment,
    is_revoked: bool,
    secret_sha256: [u8; 32],
}

/// Somebody who is let in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Caller {
    /// The entries that let it in.
    pub(crate) entries: Vec<String>,
    pub(crate) roles: Roles,
}

/// Why what was shown lets nobody in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Flaw {
    Unknown,
    Audience,
    Revoked,
    Expired,
}

impl Register {
    /// The entries of a file that was checked, for the ledger of an origin.
    pub(crate) fn new(file: AccessFile, origin: &str) -> Self {
        let mut certificates: HashMap<String, Vec<String>> = HashMap::new();
        let mut entries = HashMap::new();
        for entry in file.entries {
            if !entry.certificate.is_empty() {
                certificates.entry(entry.certificate.clone()).or_default().push(entry.id.clone());
            }
            entries.insert(entry.id.clone(), Entry::new(&entry, origin));
        }
        Self { entries, certificates }
    }

    /// Who shows a token. Whether it is out of date is told to nobody who does not know it.
    pub(crate) fn of_token(&self, token: &str, now: Moment) -> Result<Caller, Flaw> {
        let (id, secret) = read(token).ok_or(Flaw::Unknown)?;
        let entry = self.entries.get(id);
        let digest: [u8; 32] = Sha256::digest(secret).into();
        // The digest of nothing that anybody knows: an unknown id costs what a wrong secret costs.
        let kept = entry.map_or([0; 32], |entry| entry.secret_sha256);
        let is_right = bool::from(digest.ct_eq(&kept));
        let entry = entry.filter(|_| is_right).ok_or(Flaw::Unknown)?;
        entry.flaw(now).map_or_else(|| Ok(Caller { entries: vec![id.to_owned()], roles: entry.roles }), Err)
    }

    /// Who shows a certificate with these names. Where several entries count, it has the roles of all of them.
    pub(crate) fn of_certificate(&self, names: &[String], now: Moment) -> Result<Caller, Flaw> {
        let ids = names.iter().filter_map(|name| self.certificates.get(name)).flatten();
        let (mut caller, mut worst) = (Caller { entries: Vec::new(), roles: Roles::default() }, Flaw::Unknown);
        for (id, entry) in ids.filter_map(|id| Some((id, self.entries.get(id)?))) {
            match entry.flaw(now) {
                Some(flaw) => worst = flaw,
                None => {
                    caller.roles = caller.roles.with(entry.roles);
                    caller.entries.push(id.clone());
                }
            }
        }
        if caller.entries.is_empty() { Err(worst) } else { Ok(caller) }
    }

    /// Until when somebody who was let in stays so, if nothing changes; or why not.
    pub(crate) fn still(&self, caller: &Caller, now: Moment) -> Result<Moment, Flaw> {
        let mut until = Moment::MAX;
        let mut roles = Roles::default();
        for id in &caller.entries {
            let entry = self.entries.get(id).ok_or(Flaw::Unknown)?;
            if let Some(flaw) = entry.flaw(now) {
                return Err(flaw);
            }
            until = until.min(entry.expires);
            roles = roles.with(entry.roles);
        }
        // Whoever has other roles now shall ask again.
        if roles == caller.roles { Ok(until) } else { Err(Flaw::Revoked) }
    }
}

impl Entry {
    fn new(entry: &AccessEntry, origin: &str) -> Self {
        let expires = entry.expires_at.as_ref().map_or(Moment::MIN, |time| Moment {
            seconds: time.seconds,
            nanos: u32::try_from(time.nanos).unwrap_or_default(),
        });
        Self {
            roles: entry.roles().collect(),
            is_of_here: entry.audience == origin,
            expires,
            is_revoked: entry.revoked_at.is_some(),
            secret_sha256: entry.secret_sha256[..].try_into().unwrap_or_default(),
        }
    }

    fn flaw(&self, now: Moment) -> Option<Flaw> {
        if !self.is_of_here {
            Some(Flaw::Audience)
        } else if self.is_revoked {
            Some(Flaw::Revoked)
        } else if self.expires <= now {
            Some(Flaw::Expired)
        } else {
            None
        }
    }
}

/// A token as it is shown.
pub(crate) fn write(id: &str, secret: &[u8; 32]) -> String {
    format!("{PREFIX}{id}_{}", BASE64_URL_SAFE_NO_PAD.encode(secret))
}

/// The id of a token, and its secret.
fn read(token: &str) -> Option<(&str, [u8; 32])> {
    let (id, rest) = token.strip_prefix(PREFIX)?.split_at_checked(ID_DIGITS)?;
    let secret = BASE64_URL_SAFE_NO_PAD.decode(rest.strip_prefix('_')?).ok()?;
    Some((id, secret.try_into().ok()?))
}

#[cfg(test)]
mod tests {
    use counterfoil_ingest::json::DigestKey;
    use counterfoil_ingest::secrets::{FINGERPRINT_PREFIX, redact_bytes};

    use super::*;

    #[test]
    fn a_token_that_is_ingested_is_kept_without_its_secret() {
        for byte in [0x00, 0x5a, 0xfb, 0xff] {
            let token = write("0123456789abcdef", &[byte; 32]);
            let secret = &token[PREFIX.len() + ID_DIGITS + 1..];
            let text = format!("a job used {token} again");
            let clean = redact_bytes(text.as_bytes(), &DigestKey::new([7; 32]));
            let clean = String::from_utf8_lossy(&clean);
            let kept = clean.replace(FINGERPRINT_PREFIX, "");
            assert_ne!(kept, clean, "{clean}");
            assert!(!kept.contains(&secret[..8]) && !kept.contains(&secret[secret.len() - 8..]), "{clean}");
        }
    }
}
