//! What a webhook and this program both know.
//!
//! Owns that a secret is never shown, and is wiped from memory once it is not needed.

use std::fmt;

use aws_lc_rs::{constant_time, digest};
use zeroize::Zeroizing;

/// The fewest bytes of a secret that nobody guesses.
const BYTES_MIN: usize = 16;
/// The most secrets of one source: the one in use, and the one that replaces it.
const SECRETS_MAX: usize = 4;

/// One secret.
#[derive(Clone)]
pub struct Secret(Zeroizing<Vec<u8>>);

/// The secrets of a source: each of them is believed, so that one can be replaced by another.
#[derive(Clone, Debug)]
pub struct Secrets(Vec<Secret>);

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret")
    }
}

impl Secret {
    /// Its bytes, to sign with.
    pub fn bytes(&self) -> &[u8] {
        &self.0
    }

    /// Whether this is it. How long that takes tells nothing about either.
    pub fn is(&self, given: &[u8]) -> bool {
        let digest = |bytes: &[u8]| digest::digest(&digest::SHA256, bytes);
        constant_time::verify_slices_are_equal(digest(&self.0).as_ref(), digest(given).as_ref()).is_ok()
    }
}

impl Secrets {
    /// Reads the content of a file: a secret a line.
    ///
    /// # Errors
    /// What is wrong with it, without any of it.
    pub fn read(content: &[u8]) -> Result<Self, String> {
        let lines = content.split(|byte| *byte == b'\n').map(<[u8]>::trim_ascii).filter(|line| !line.is_empty());
        let secrets: Vec<Secret> = lines.map(|line| Secret(Zeroizing::new(line.to_vec()))).collect();
        if secrets.is_empty() || secrets.len() > SECRETS_MAX {
            return Err(format!("expected 1 to {SECRETS_MAX} secrets, each on a line, got {}", secrets.len()));
        }
        match secrets.iter().all(|secret| secret.0.len() >= BYTES_MIN) {
            true => Ok(Self(secrets)),
            false => Err(format!("expected at least {BYTES_MIN} characters in each secret: others can be guessed")),
        }
    }

    /// Each of them.
    pub fn iter(&self) -> impl Iterator<Item = &Secret> {
        self.0.iter()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_line_is_a_secret_and_none_is_shown() {
        let secrets = Secrets::read(b"the-old-secret-0123\r\n\nthe-new-secret-4567\n").unwrap();
        let is = |given: &str| secrets.iter().any(|secret| secret.is(given.as_bytes()));
        assert!(is("the-old-secret-0123") && is("the-new-secret-4567"));
        assert!(!is("the-new-secret-456") && !is("the-new-secret-4568") && !is(""));
        assert_eq!(format!("{secrets:?}"), "Secrets([Secret, Secret])");
        assert!(Secrets::read(b"\n").is_err());
        assert!(Secrets::read(b"short").unwrap_err().contains("at least 16"));
        assert!(Secrets::read(&b"the-old-secret-0123\n".repeat(5)).is_err());
    }
}
