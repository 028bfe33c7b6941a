//! The chain of digests: which of them verify, and where a link is missing.
//!
//! Owns whose signature a digest is tried with, and what a failure means. A signature proves itself, so that it may come
//! from a digest that is broken itself; but only one that should fit, and does not, speaks against a digest.

use std::collections::BTreeMap;

use super::digest::{Digest, Previous};
use super::keys::PublicKeys;

/// What a set of digests comes to.
#[derive(Debug, Default)]
pub struct Findings<'d> {
    pub verified: Vec<&'d Digest>,
    pub notices: Vec<String>,
    pub failures: Vec<String>,
}

type Place = (String, String);

/// Verifies every digest by itself, and then the links between those that are genuine.
pub fn verify<'d>(digests: &'d [Digest], keys: &PublicKeys) -> Findings<'d> {
    let mut followers: BTreeMap<&Place, Vec<(&Digest, &Previous)>> = BTreeMap::new();
    for digest in digests {
        if let Some(previous) = &digest.previous {
            followers.entry(&previous.place).or_default().push((digest, previous));
        }
    }
    let made =
        |digest: &Digest, signature: &[u8]| keys.made(&digest.fingerprint, digest.signed_text().as_bytes(), signature);
    let is_genuine = |digest: &Digest| {
        let of_followers = followers.get(&digest.place).into_iter().flatten().map(|(_, previous)| &previous.signature);
        digest.signature.iter().chain(of_followers).any(|signature| made(digest, signature) == Some(true))
    };
    let genuine: Vec<bool> = digests.iter().map(is_genuine).collect();
    let mut findings = Findings::default();
    for (digest, is_genuine) in digests.iter().zip(&genuine) {
        if *is_genuine {
            findings.verified.push(digest);
            continue;
        }
        let is_trusted = |follower: &Digest| {
            digests.iter().zip(&genuine).any(|(one, genuine)| *genuine && std::ptr::eq(one, follower))
        };
        let contradicted = followers.get(&digest.place).into_iter().flatten().any(|(follower, _)| is_trusted(follower));
        let name = digest.name();
        if made(digest, &[]).is_none() {
            findings.failures.push(format!(
                "{name}: no key has the fingerprint {}: list the public keys of its region and time",
                crate::json::quoted(&digest.fingerprint)
            ));
        } else if contradicted || digest.signature.is_some() {
            findings.failures.push(format!(
                "{name}: its signature does not fit: the digest or the signature was changed, or the key is another's"
            ));
        } else {
            findings.notices.push(format!(
                "{name}: no signature for it: give the next digest too, or put the x-amz-meta-signature of its S3 object into {name}.sig"
            ));
        }
    }
    findings.notices.extend(breaks(&findings.verified));
    findings
}

/// Where the chain of a series begins, and where it is broken.
fn breaks(verified: &[&Digest]) -> Vec<String> {
    let mut series: BTreeMap<(&str, &str), Vec<&Digest>> = BTreeMap::new();
    for digest in verified {
        series.entry(digest.series()).or_default().push(digest);
    }
    let mut told = Vec::new();
    for digests in series.values_mut() {
        digests.sort_by_key(|digest| &digest.end);
        let is_here =
            |link: &Previous| digests.iter().any(|digest| digest.place == link.place && digest.hash == link.hash);
        for (number, digest) in digests.iter().enumerate() {
            let name = digest.name();
            match &digest.previous {
                Some(previous) if is_here(previous) => {}
                Some(previous) if number > 0 => told.push(format!(
                    "{name}: the chain of digests is broken before {}: {} is not among those that verify",
                    digest.start, previous.place.1
                )),
                None if number > 0 => told.push(format!(
                    "{name}: the chain of digests starts anew at {}: validation was off before it, so that nobody vouches for that time",
                    digest.start
                )),
                _ => {}
            }
        }
    }
    told
}
