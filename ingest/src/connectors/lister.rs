//! What a connector says about listings of live access: which one a response is a page of, and what an element lists.
//!
//! Owns the interface between a connector and the pipeline of listings. Like everything of a connector it is a pure
//! function: it never reads a clock, a file or the ledger, and never decides whether a listing is complete.

use std::borrow::Cow;

use counterfoil_proto::v1::{AccountStatus, Fact, Time};
use counterfoil_verify::listing::Inheritance;

use super::Reject;
use super::draft::Draft;
use crate::json::Json;

/// What reads the listings of one system.
pub trait Lister {
    /// A report of the system's own form as the JSON of a page; none where the text is no such report.
    fn report(&self, _text: &str) -> Option<Result<String, Reject>> {
        None
    }

    /// The listings that a response has pages of. None where it is a page of nothing that is known here.
    fn pages(&self, response: &Response<'_, '_>) -> Result<Vec<Page>, Reject>;

    /// Reads one element of a page: what it lists. An element that lists nothing, such as an assignment that is over,
    /// gives nothing.
    fn element(&self, kind: &str, json: &Json<'_>, at: Time, draft: &mut Draft<'_>) -> Result<Vec<Seen>, Reject>;
}

/// A response of a source's API, as it was kept.
#[derive(Clone, Copy, Debug)]
pub struct Response<'e, 'j> {
    pub body: &'e Json<'j>,
    /// The tenant that the operator names.
    pub instance: &'e str,
    /// The path and query that it answers, such as "/api/v1/users?limit=200", where it or the operator says so.
    pub target: Option<&'e str>,
    /// The path and query of the page behind it; none where its head names none.
    pub next: Option<&'e str>,
    /// It was kept with its head, so that no next page means that there is none.
    pub has_head: bool,
}

/// One page of a listing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Page {
    /// The native id of the listing's scope (`verify::scope`).
    pub scope: String,
    /// The tenant that the page itself names, where it does.
    pub instance: Option<String>,
    /// When it was taken, where it says so itself.
    pub taken: Option<Time>,
    pub shows: Shows,
    /// The part of the listing that this page is of, where the source gives it in several.
    pub strand: &'static str,
    /// Every part that the listing has.
    pub strands: &'static [&'static str],
    /// What its elements are, such as "user" or "group_member/00g1".
    pub kind: String,
    /// The keys that lead to the array of elements in the body.
    pub path: &'static [&'static str],
    pub own: Own,
    pub next: Next,
    /// Why the listing is not complete even with all its pages: a code.
    pub flaw: Option<&'static str>,
    /// How many elements the source says that there are in all.
    pub total: Option<u64>,
}

/// What a page shows of the listing that it is of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Shows {
    /// Where it stands, and what was asked for.
    All,
    /// What it lists, and neither what stands before it nor what was asked for: the operator's word is needed.
    Items,
    /// Not even that such items were asked for: it has no element. A listing of such pages alone proves nothing.
    Nothing,
}

/// Where a page stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Own {
    First,
    /// Behind the page that names this as the next one.
    At(String),
    /// It does not say: behind the page before it in the input.
    Behind,
}

/// What comes behind a page.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Next {
    Nothing,
    At(String),
    /// It does not say.
    Unknown,
}

/// Something that an element lists.
#[derive(Clone, Debug, PartialEq)]
pub struct Seen {
    /// A `snapshot.item` about an account or what it holds; or what an entitlement is, or implies.
    pub fact: Fact,
    /// Of an account that is listed itself.
    pub status: AccountStatus,
    /// Of something held.
    pub inheritance: Inheritance,
}

impl Seen {
    /// What is held by itself, and through nothing else.
    pub fn direct(fact: Fact) -> Self {
        Self { inheritance: Inheritance::Direct, ..fact.into() }
    }
}

impl From<Fact> for Seen {
    fn from(fact: Fact) -> Self {
        Self { fact, status: AccountStatus::Unspecified, inheritance: Inheritance::Unsaid }
    }
}

/// A path and query taken apart.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Target<'t> {
    /// The segments of the path.
    pub segments: Vec<&'t str>,
    /// The parameters of the query, decoded.
    pub query: Vec<(Cow<'t, str>, Cow<'t, str>)>,
}

impl<'t> Target<'t> {
    /// Takes a URL, or a path with or without a query, apart. What stands before `root` in the path is left out.
    pub fn of(text: &'t str, root: &str) -> Self {
        let text = text.split_once("://").map_or(text, |(_, rest)| rest.split_once('/').map_or("", |(_, path)| path));
        let (path, query) = text.split_once('?').unwrap_or((text, ""));
        let path = path.split_once(root).map_or(path, |(_, rest)| rest);
        let pair = |text: &'t str| {
            let (name, value) = text.split_once('=').unwrap_or((text, ""));
            (decoded(name), decoded(value))
        };
        Self {
            segments: path.split('/').filter(|segment| !segment.is_empty()).collect(),
            query: query.split('&').filter(|text| !text.is_empty()).map(pair).collect(),
        }
    }

    /// The value of a parameter.
    pub fn get(&self, name: &str) -> Option<&str> {
        self.query.iter().find(|(found, _)| found == name).map(|(_, value)| value.as_ref())
    }

    /// Whether it has a parameter that is not among these: such a listing leaves something out.
    pub fn has_other_than(&self, names: &[&str]) -> bool {
        self.query.iter().any(|(found, _)| !names.contains(&found.as_ref()))
    }
}

/// Text of a query without its encoding, in which "+" is a blank.
fn decoded(text: &str) -> Cow<'_, str> {
    match text.contains('+') {
        true => percent_decoded(&text.replace('+', " ")).into_owned().into(),
        false => percent_decoded(text),
    }
}

/// Text without its percent-encoding (RFC 3986, section 2.1). What is not encoded well stays.
pub fn percent_decoded(text: &str) -> Cow<'_, str> {
    if !text.contains('%') {
        return Cow::Borrowed(text);
    }
    let bytes = text.as_bytes();
    let mut plain = Vec::with_capacity(bytes.len());
    let mut at = 0;
    while let Some(&byte) = bytes.get(at) {
        let code = (byte == b'%').then(|| text.get(at + 1..at + 3)).flatten();
        match code.and_then(|code| u8::from_str_radix(code, 16).ok()) {
            Some(decoded) => {
                plain.push(decoded);
                at += 3;
            }
            None => {
                plain.push(byte);
                at += 1;
            }
        }
    }
    Cow::Owned(String::from_utf8_lossy(&plain).into_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_target_is_taken_apart() {
        let check = |text: &str, segments: &[&str], query: &[(&str, &str)]| {
            let target = Target::of(text, "api/v1/");
            assert_eq!(target.segments, segments, "{text}");
            let found: Vec<(&str, &str)> = target.query.iter().map(|(name, value)| (&**name, &**value)).collect();
            assert_eq!(found, query, "{text}");
        };
        check("https://acme.okta.com/api/v1/users?limit=200", &["users"], &[("limit", "200")]);
        check("/api/v1/groups/00g1/users", &["groups", "00g1", "users"], &[]);
        check("groups/00g1/users?after=a%2Bb", &["groups", "00g1", "users"], &[("after", "a+b")]);
        check("users?filter=status+eq+%22DEPROVISIONED%22&", &["users"], &[("filter", "status eq \"DEPROVISIONED\"")]);
        check("users?x=%zz%4", &["users"], &[("x", "%zz%4")]);
        check("https://acme.okta.com", &[], &[]);
        check("users?x=%C3%A4&%FF", &["users"], &[("x", "ä"), ("\u{fffd}", "")]);
    }
}
