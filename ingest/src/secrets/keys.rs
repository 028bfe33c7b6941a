//! Secrets that their keys give away, in text that need not be JSON: `"password": "…"`, `api_key=…`, at any depth of
//! JSON within JSON's strings, cut off anywhere.
//!
//! Owns where a key stands in such text and how far its value goes. In doubt a value ends later rather than earlier. It
//! never decides which names are secrets.

use std::borrow::Cow;
use std::ops::Range;

use super::{fingerprint, is_fingerprint, names};
use crate::json::DigestKey;

/// How far behind its question the answer to it may stand, in bytes.
const ANSWER_BYTES_MAX: usize = 400;
/// How much text before a "=" or ":" is looked at for a name without quotes, in bytes.
const BARE_NAME_BYTES_MAX: usize = 64;

/// Whether any key in the text is the name of a secret, or of an answer that may be one.
pub fn any(text: &[u8]) -> bool {
    let mut plain = Vec::with_capacity(64);
    // Where nothing is escaped, a few letters rule out nearly every key.
    let has_escapes = text.contains(&b'\\') || text.contains(&b'%');
    separators(text, 0).any(|at| {
        let before = &text[..at];
        let is_ruled_out = !has_escapes && names::are_ruled_out_by(before.strip_suffix(b"\"").unwrap_or(before));
        !is_ruled_out
            && key_before(text, at, &mut plain).is_some()
            && (names::is_secret(&plain) || names::is_answer(&plain))
    })
}

/// Replaces the values under names of secrets; what is an object or an array, whole. With `has_kept` the text is about
/// secrets that a cluster of Kubernetes keeps, so that what it says they are goes too.
pub fn redact<'t>(text: &'t [u8], has_kept: bool, digest_key: &DigestKey) -> Cow<'t, [u8]> {
    let mut kept: Vec<u8> = Vec::new();
    let (mut done, mut from, mut question) = (0, 0, None);
    let mut plain = Vec::with_capacity(64);
    while let Some(at) = separators(text, from).next() {
        from = at + 1;
        let Some(key) = key_before(text, at, &mut plain) else { continue };
        if names::is_question(&plain) {
            question = Some(at);
        }
        let answers = names::is_answer(&plain) && question.is_some_and(|question| at - question <= ANSWER_BYTES_MAX);
        let is_kept = has_kept && names::is_kept(&plain);
        if !answers && !is_kept && !names::is_secret(&plain) {
            continue;
        }
        let Some(value) = value_after(text, at, &key) else { continue };
        kept.extend_from_slice(&text[done..value.bytes.start]);
        let replacement = fingerprint(&text[value.bytes.clone()], digest_key);
        let delimiter = if value.is_bare { key.delimiter } else { b"" };
        kept.extend([delimiter, replacement.as_bytes(), delimiter].concat());
        done = value.bytes.end;
        from = from.max(done);
    }
    if done == 0 {
        return Cow::Borrowed(text);
    }
    kept.extend_from_slice(&text[done..]);
    Cow::Owned(kept)
}

/// Where names may end: every ":" and "=".
fn separators(text: &[u8], from: usize) -> impl Iterator<Item = usize> {
    let found = move |(at, byte): (usize, &u8)| matches!(byte, b':' | b'=').then_some(from + at);
    text[from..].iter().enumerate().filter_map(found)
}

struct Key<'t> {
    /// The quote that ends the key, with the backslashes before it; empty for a name without quotes.
    delimiter: &'t [u8],
}

/// The key that ends before a separator, if it may be one that matters; its plain name goes into `plain`.
fn key_before<'t>(text: &'t [u8], separator: usize, plain: &mut Vec<u8>) -> Option<Key<'t>> {
    plain.clear();
    let blank = text[..separator].iter().rev().take_while(|byte| is_blank(**byte)).count();
    let end = separator - blank;
    let last = *text[..end].last()?;
    if is_quote(last) {
        let level = level(text, end - 1);
        let name_end = end - 1 - backslashes(level);
        if !names::may_be_known(&text[..name_end]) {
            return None;
        }
        let start = (0..name_end).rev().find(|&at| text[at] == last && self::level(text, at) <= level);
        unescape(&text[start.map_or(0, |quote| quote + 1)..name_end], level, plain);
        return Some(Key { delimiter: &text[name_end..end] });
    }
    if !names::may_be_known(&text[..end]) {
        return None;
    }
    let name = bare_name(&text[..end]);
    url_decode(name, plain);
    if !names::is_secret(plain) {
        // A name that only counts whole is the last word.
        let word = name.iter().rposition(|byte| *byte == b' ').map_or(name, |space| &name[space + 1..]);
        plain.clear();
        url_decode(word, plain);
    }
    Some(Key { delimiter: b"" })
}

/// The name without quotes that text ends with, and the words before it.
fn bare_name(text: &[u8]) -> &[u8] {
    let in_name =
        |byte: &u8| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-' | b'.' | b' ' | b'%' | b'[' | b']');
    let length = text.iter().rev().take(BARE_NAME_BYTES_MAX).take_while(|byte| in_name(byte)).count();
    &text[text.len() - length..]
}

/// Adds the plain form of a name in a JSON string that stands `level` strings deep. What is escaped is no letter, unless
/// it is a letter by its number.
fn unescape(name: &[u8], level: u32, plain: &mut Vec<u8>) {
    let mut at = 0;
    while let Some(&byte) = name.get(at) {
        let run = name[at..].iter().take_while(|byte| **byte == b'\\').count();
        at += run.max(1);
        // Each level halves the backslashes, and one that is left over escapes what follows.
        if run == 0 {
            push_plain(byte, plain);
        } else if run % (2 << level) != 0 {
            let number = name.get(at + 1..at + 5).filter(|_| name.get(at) == Some(&b'u')).and_then(hex);
            if let Some(letter) = number.and_then(|number| u8::try_from(number).ok()) {
                push_plain(letter, plain);
            }
            at += if number.is_some() { 5 } else { 1 };
        }
    }
}

/// Adds the plain form of a name in which letters may be percent-encoded.
fn url_decode(name: &[u8], plain: &mut Vec<u8>) {
    let mut at = 0;
    while let Some(&byte) = name.get(at) {
        let number = name.get(at + 1..at + 3).filter(|_| byte == b'%').and_then(hex);
        push_plain(number.and_then(|number| u8::try_from(number).ok()).unwrap_or(byte), plain);
        at += if number.is_some() { 3 } else { 1 };
    }
}

fn hex(digits: &[u8]) -> Option<u32> {
    u32::from_str_radix(std::str::from_utf8(digits).ok()?, 16).ok()
}

fn push_plain(byte: u8, plain: &mut Vec<u8>) {
    if byte.is_ascii_alphanumeric() {
        plain.push(byte.to_ascii_lowercase());
    }
}

struct Value {
    bytes: Range<usize>,
    /// It has no quotes of its own.
    is_bare: bool,
}

/// The value behind a separator, unless it says nothing or is replaced already.
fn value_after(text: &[u8], separator: usize, key: &Key<'_>) -> Option<Value> {
    let is_assignment = text[separator] == b'=';
    let is_quoted_key = !key.delimiter.is_empty();
    let start = value_start(text, separator);
    let escapes = text[start..].iter().take_while(|byte| **byte == b'\\').count();
    let value = match text.get(start + escapes) {
        Some(&quote) if is_quote(quote) => {
            let start = start + escapes + 1;
            // What looks like the next member is one: the quote was the end of the text that the name stands in.
            let next = text[start..].iter().find(|byte| !is_blank(**byte));
            if !is_quoted_key && matches!(next, Some(b',' | b'}' | b']' | b':')) {
                return None;
            }
            let level = level(text, start - 1);
            let closes = |at: &usize| text[*at] == quote && self::level(text, *at) <= level;
            let end = (start..text.len()).find(closes);
            let end = end.map_or(text.len(), |quote| quote - backslashes(self::level(text, quote)));
            Value { bytes: start..end, is_bare: false }
        }
        Some(b'{' | b'[') => {
            let first_quote = text[start..].iter().position(|byte| *byte == b'"');
            let level = match first_quote {
                _ if is_quoted_key => (key.delimiter.len() - 1).trailing_ones(),
                Some(quote) => level(text, start + quote),
                None => 0,
            };
            let end = start + bracket_length(&text[start..], level, key.delimiter.ends_with(b"'"));
            Value { bytes: start..end, is_bare: true }
        }
        _ if !is_quoted_key && !is_assignment => return None,
        _ => {
            let ends = |byte: &u8| match byte {
                b',' | b'"' | b'\'' | b'\\' | b' ' | b'\t' | b'\r' | b'\n' => true,
                b'&' | b'#' | b'<' | b'>' | b';' => is_assignment,
                b'}' | b']' => !is_assignment,
                _ => false,
            };
            let length = text[start..].iter().take_while(|byte| !ends(byte)).count();
            Value { bytes: start..start + length, is_bare: true }
        }
    };
    let says_nothing = match text[value.bytes.clone()].trim_ascii() {
        b"" | b"null" | b"N/A" | b"<null>" => true,
        b"true" | b"false" => value.is_bare,
        [b'{' | b'[', inner @ ..] if value.is_bare => {
            inner.iter().all(|byte| is_blank(*byte) || matches!(byte, b'}' | b']'))
        }
        said => is_fingerprint(said),
    };
    (!says_nothing).then_some(value)
}

/// Where a value begins: behind white space. Behind a "=" there is some only if there is some before it.
fn value_start(text: &[u8], separator: usize) -> usize {
    let at = separator + 1;
    if text[separator] == b':' {
        let mut at = at;
        loop {
            match text.get(at..) {
                Some([b'\\', b'n' | b'r' | b't', ..]) => at += 2,
                Some([byte, ..]) if is_blank(*byte) => at += 1,
                _ => return at,
            }
        }
    }
    let arrow = usize::from(text.get(at) == Some(&b'>'));
    let is_spaced = separator > 0 && matches!(text[separator - 1], b' ' | b'"' | b'\'');
    let spaces = text[at + arrow..].iter().take_while(|byte| **byte == b' ').count();
    at + arrow + if is_spaced || arrow > 0 { spaces } else { 0 }
}

/// How far it is from an opening bracket to the one that closes it, brackets in strings aside; or to the end of the
/// string in which all of it stands `level` strings deep; or to the end.
fn bracket_length(text: &[u8], level: u32, single_quotes: bool) -> usize {
    let (mut depth, mut string) = (0_usize, None);
    for (at, &byte) in text.iter().enumerate() {
        match byte {
            b'"' | b'\'' if byte == b'"' || single_quotes => match self::level(text, at) {
                outer if outer < level => return at - backslashes(outer),
                inner if inner > level => {}
                _ if string == Some(byte) => string = None,
                _ if string.is_none() => string = Some(byte),
                _ => {}
            },
            b'{' | b'[' if string.is_none() => depth += 1,
            b'}' | b']' if string.is_none() => {
                depth -= 1;
                if depth == 0 {
                    return at + 1;
                }
            }
            _ => {}
        }
    }
    text.len()
}

/// How many strings of JSON within one another the quote at this place ends, less one: a quote of the outermost has no
/// backslash before it, the next one 1, the next one 3, and backslashes of the text's own come in multiples of more.
fn level(text: &[u8], quote: usize) -> u32 {
    text[..quote].iter().rev().take_while(|byte| **byte == b'\\').count().trailing_ones()
}

/// How many backslashes belong to a quote of this level.
fn backslashes(level: u32) -> usize {
    (1 << level) - 1
}

fn is_quote(byte: u8) -> bool {
    matches!(byte, b'"' | b'\'')
}

/// White space; also the zeros between the letters of UTF-16.
fn is_blank(byte: u8) -> bool {
    matches!(byte, b' ' | b'\t' | b'\r' | b'\n' | 0)
}
