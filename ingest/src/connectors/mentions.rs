//! Tickets that an event mentions in its texts: "SR-123", "INC-123", "CHN-123".
//!
//! Owns what a mention looks like. It never decides whether the ticket exists or covers anything.

use crate::json::Json;

/// The most mentions read from one event.
pub const MENTIONS_MAX: usize = 16;

/// The prefixes of Freshservice's ticket numbers, and the type each stands for.
const PREFIXES: [(&str, &str); 3] = [("SR-", "ticket"), ("INC-", "ticket"), ("CHN-", "change")];

/// Adds the ids of the tickets that a text mentions, such as "ticket/123", without doubles. A mention stands between
/// word boundaries, in upper case, with a number of at most 12 digits; in a URL it may be percent-encoded around.
pub fn find(text: &str, found: &mut Vec<String>) {
    if text.contains('%') {
        find_plain(&percent_decoded(text), found);
    } else {
        find_plain(text, found);
    }
}

/// Adds the tickets that the texts of a value mention, however deep they stand.
pub fn find_within(json: &Json<'_>, found: &mut Vec<String>) {
    match json {
        Json::Str(text) => find(text, found),
        Json::Array(items) => items.iter().for_each(|item| find_within(item, found)),
        Json::Object(members) => members.iter().for_each(|(_, value)| find_within(value, found)),
        _ => {}
    }
}

/// The ticket that a text is the number of, such as "SR-123" or "#INC-7".
pub fn ticket_number(text: &str) -> Option<String> {
    let text = text.trim().trim_start_matches('#');
    let mut found = Vec::new();
    find_plain(text, &mut found);
    let whole = PREFIXES.iter().any(|(prefix, _)| text.strip_prefix(prefix).is_some_and(is_number));
    found.pop().filter(|_| whole)
}

fn find_plain(text: &str, found: &mut Vec<String>) {
    let bytes = text.as_bytes();
    let is_word =
        |at: usize| bytes.get(at).is_some_and(|byte| byte.is_ascii_alphanumeric() || *byte == b'_' || *byte >= 0x80);
    for (dash, _) in text.match_indices('-') {
        for (prefix, kind) in PREFIXES {
            let Some(start) = (dash + 1).checked_sub(prefix.len()) else {
                continue;
            };
            let starts_word = start == 0 || !is_word(start - 1);
            if &bytes[start..=dash] != prefix.as_bytes() || !starts_word {
                continue;
            }
            let digits = bytes[dash + 1..].iter().take_while(|byte| byte.is_ascii_digit()).count();
            let end = dash + 1 + digits;
            if !(1..=12).contains(&digits) || is_word(end) || found.len() >= MENTIONS_MAX {
                continue;
            }
            let number = text[dash + 1..end].trim_start_matches('0');
            let ticket = format!("{kind}/{number}");
            if !number.is_empty() && !found.contains(&ticket) {
                found.push(ticket);
            }
        }
    }
}

fn is_number(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit())
}

/// Undoes percent-encoding (RFC 3986, section 2.1); what is no encoding stays as it is.
fn percent_decoded(text: &str) -> String {
    let bytes = text.as_bytes();
    let mut decoded = Vec::with_capacity(bytes.len());
    let mut at = 0;
    while at < bytes.len() {
        let encoded = text
            .get(at + 1..at + 3)
            .filter(|_| bytes[at] == b'%')
            .and_then(|digits| u8::from_str_radix(digits, 16).ok());
        match encoded {
            Some(byte) => {
                decoded.push(byte);
                at += 3;
            }
            None => {
                decoded.push(bytes[at]);
                at += 1;
            }
        }
    }
    String::from_utf8_lossy(&decoded).into_owned()
}
