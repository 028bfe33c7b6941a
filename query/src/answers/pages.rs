//! Page tokens.
//!
//! Owns what a list that goes on hands out. A token is bound to the question and to the records that counted when its
//! first page was asked for, so that the pages together are one answer whatever is appended meanwhile.
//!
//! ```text
//! token   = hexadecimal of: u8 1 ‖ u64 hash of the question ‖ u64 known size ‖ where the page before ended
//! ```

use counterfoil_verify::hash::domain_hash;
use counterfoil_verify::time::{OccurredAt, RecordedAt};
use counterfoil_verify::tree::TreeSize;

use crate::error::{QueryError, Result};
use crate::views::keys::key;

const TOKEN_FORMAT: u8 = 1;
/// What stands before the place: the format, the question and the size.
const HEAD_BYTES: usize = 1 + 8 + 8;
/// The longest place is that of an entity and a scope.
const TOKEN_BYTES_MAX: usize = HEAD_BYTES + 4_096;

/// How much of a list is wanted, and from where on.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Page {
    /// The most entries; 0 is as many as the list gives by itself.
    pub size: usize,
    /// `next_page_token` of the page before, or empty.
    pub token: String,
}

impl Page {
    /// The most entries, between 1 and `max`; `usual` where nothing is asked for.
    pub(crate) fn count(&self, usual: usize, max: usize) -> usize {
        match self.size {
            0 => usual,
            asked => asked.min(max),
        }
    }

    /// The records that count, and where the page before ended; none for the first page.
    ///
    /// # Errors
    /// [`QueryError::PageToken`] if the token belongs to another question, or to records that are not there.
    pub(crate) fn read(&self, question: &Question, basis: TreeSize) -> Result<Option<(TreeSize, Vec<u8>)>> {
        if self.token.is_empty() {
            return Ok(None);
        }
        let bytes = from_hex(&self.token).ok_or(QueryError::PageToken("is none that this program gives"))?;
        let read = || {
            let (&TOKEN_FORMAT, rest) = bytes.split_first()? else { return None };
            let (asked, rest) = rest.split_first_chunk::<8>()?;
            let (size, place) = rest.split_first_chunk::<8>()?;
            Some((asked, TreeSize(u64::from_be_bytes(*size)), place.to_vec()))
        };
        let (asked, size, place) = read().ok_or(QueryError::PageToken("is none that this program gives"))?;
        if *asked != question.0 {
            return Err(QueryError::PageToken("belongs to another question"));
        }
        if size > basis {
            return Err(QueryError::PageToken("rests on records that these views do not hold yet"));
        }
        Ok(Some((size, place)))
    }
}

/// A question, so far as a token is bound to it.
pub(crate) struct Question([u8; 8]);

impl Question {
    /// `what` names the list; `parts` are everything that was asked for.
    pub(crate) fn new(what: &str, parts: &[&[u8]]) -> Self {
        let lengths: Vec<[u8; 8]> = parts.iter().map(|part| (part.len() as u64).to_be_bytes()).collect();
        let framed: Vec<&[u8]> = lengths.iter().zip(parts).flat_map(|(length, part)| [&length[..], part]).collect();
        let hash = domain_hash(&format!("counterfoil/query/{what}/v1"), &framed);
        let mut short = [0; 8];
        short.copy_from_slice(&hash.as_bytes()[..8]);
        Self(short)
    }

    /// The token for what follows a place.
    pub(crate) fn token(&self, size: TreeSize, place: &[u8]) -> String {
        let bytes = key(&[TOKEN_FORMAT], &[&self.0, &size.0.to_be_bytes(), place]);
        bytes.iter().map(|byte| format!("{byte:02x}")).collect()
    }
}

/// A time of a question.
pub(crate) fn occurred_part(at: OccurredAt) -> Vec<u8> {
    at.0.to_sortable_bytes().to_vec()
}

/// The known-at time of a question, as it was asked for.
pub(crate) fn recorded_part(known: Option<RecordedAt>) -> Vec<u8> {
    known.map(|known| known.0.to_sortable_bytes().to_vec()).unwrap_or_default()
}

fn from_hex(text: &str) -> Option<Vec<u8>> {
    let digits = text.as_bytes();
    let is_token = digits.len().is_multiple_of(2)
        && digits.len() <= 2 * TOKEN_BYTES_MAX
        && digits.iter().all(u8::is_ascii_hexdigit);
    let byte = |start: usize| u8::from_str_radix(text.get(start..start + 2)?, 16).ok();
    is_token.then(|| (0..digits.len()).step_by(2).map(byte).collect()).flatten()
}
