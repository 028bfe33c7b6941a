//! Owns the archive of an evidence file: a ZIP file (PKWARE APPNOTE 6.3.10) with one way of writing it.
//!
//! Its members are stored and not compressed, in one order, without times, extra fields, comments, or anything between
//! them: the bytes of the members give the bytes of the file. What is written otherwise is no evidence file, whatever a
//! program that unpacks archives makes of it. Never judges what the members say.

use super::{EVIDENCE_BYTES_MAX, Rejected, Step};

/// The members, in their order.
pub(super) const MEMBERS: [&str; 7] =
    ["manifest", "checkpoint", "records", "proofs", "openings", "cosignatures", "asked"];

/// The contents of the members, in the order of [`MEMBERS`].
pub(super) type Contents<'a> = [&'a [u8]; MEMBERS.len()];

const LOCAL_BYTES: usize = 30;
const VERSION: u16 = 10;
/// 1 January 1980, the first day there is.
const DATE: u16 = 0x0021;

/// The file of these members.
///
/// # Errors
/// [`Rejected`] if it would be larger than evidence may be.
pub(super) fn pack(contents: &Contents<'_>) -> Result<Vec<u8>, Rejected> {
    let total: usize = contents.iter().map(|content| content.len()).sum();
    if total > EVIDENCE_BYTES_MAX - 4_096 {
        return Err(too_large(total));
    }
    let mut file = Vec::with_capacity(total + 1_024);
    for (name, content) in MEMBERS.iter().zip(contents) {
        file.extend_from_slice(&local(name, content));
        file.extend_from_slice(content);
    }
    let directory = directory(contents);
    file.extend_from_slice(&directory);
    Ok(file)
}

/// The members of a file that [`pack`] could have written.
///
/// # Errors
/// [`Rejected`] of any other.
pub(super) fn unpack(file: &[u8]) -> Result<Contents<'_>, Rejected> {
    if file.len() > EVIDENCE_BYTES_MAX {
        return Err(too_large(file.len()));
    }
    let mut rest = file;
    let mut contents: Contents<'_> = [&[]; MEMBERS.len()];
    for (name, content) in MEMBERS.iter().zip(&mut contents) {
        let malformed = || {
            let what =
                format!("expected the member {name:?} next, stored, in the one way of writing it, got something else");
            Rejected::malformed(Step::Archive, what)
        };
        let size = rest.get(18..22).and_then(|size| size.first_chunk()).ok_or_else(malformed)?;
        let header = LOCAL_BYTES + name.len();
        let end = header.checked_add(u32::from_le_bytes(*size) as usize).ok_or_else(malformed)?;
        let (own, behind) = rest.split_at_checked(end).ok_or_else(malformed)?;
        let (head, data) = own.split_at(header);
        if head != local(name, data) {
            return Err(malformed());
        }
        (*content, rest) = (data, behind);
    }
    if rest != directory(&contents) {
        let what = "expected the directory of these members behind the last one, and the end, got something else";
        return Err(Rejected::malformed(Step::Archive, what));
    }
    Ok(contents)
}

fn too_large(found: usize) -> Rejected {
    let what = format!("expected an evidence file of at most {EVIDENCE_BYTES_MAX} bytes, got {found}");
    Rejected::malformed(Step::Archive, what)
}

/// What stands before a member (4.3.7), with its name.
fn local(name: &str, content: &[u8]) -> Vec<u8> {
    [&b"PK\x03\x04"[..], &common(name, content), name.as_bytes()].concat()
}

/// What local headers and the directory say alike, from the version that is needed on.
fn common(name: &str, content: &[u8]) -> Vec<u8> {
    let size = u32::try_from(content.len()).unwrap_or(u32::MAX).to_le_bytes();
    let length = u16::try_from(name.len()).unwrap_or(u16::MAX).to_le_bytes();
    let head = [VERSION, 0, 0, 0, DATE].map(u16::to_le_bytes).concat();
    [&head[..], &crc32fast::hash(content).to_le_bytes(), &size, &size, &length, &[0, 0]].concat()
}

/// The directory (4.3.12) and the end of the file (4.3.16).
fn directory(contents: &Contents<'_>) -> Vec<u8> {
    let (mut offset, mut directory) = (0_u32, Vec::new());
    for (name, content) in MEMBERS.iter().zip(contents) {
        directory.extend_from_slice(b"PK\x01\x02");
        directory.extend_from_slice(&VERSION.to_le_bytes());
        directory.extend_from_slice(&common(name, content));
        // No comment, the first disk, no attributes.
        directory.extend_from_slice(&[0; 10]);
        directory.extend_from_slice(&offset.to_le_bytes());
        directory.extend_from_slice(name.as_bytes());
        let size = u32::try_from(LOCAL_BYTES + name.len() + content.len()).unwrap_or(u32::MAX);
        offset = offset.saturating_add(size);
    }
    let size = u32::try_from(directory.len()).unwrap_or(u32::MAX).to_le_bytes();
    let count = (MEMBERS.len() as u16).to_le_bytes();
    let end = [&b"PK\x05\x06"[..], &[0; 4], &count, &count, &size, &offset.to_le_bytes(), &[0, 0]].concat();
    directory.extend_from_slice(&end);
    directory
}
