//! Responses of an API as people keep them: the body alone, or, as `curl -i` writes it, with its head before it.
//!
//! Owns how a file falls into responses. It never looks at what a body means.
//!
//! ```text
//! file      = *( [ head ] body )          several bodies without heads are pages one behind the other
//! head      = *( "HTTP/" … CRLF *( name ":" value CRLF ) CRLF )     of several, as after a redirect, the last counts
//! body      = one JSON value
//! ```

use counterfoil_proto::v1::{Precision, RejectReason, Time};
use counterfoil_verify::time::{self};
use jiff::fmt::rfc2822::DateTimeParser;
use serde_json::value::RawValue;

use crate::json::{Reject, quoted};

/// The longest head, in bytes: servers allow no more than 64 KiB.
const HEAD_BYTES_MAX: usize = 1 << 16;

/// One response.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Kept<'t> {
    pub head: Option<Head>,
    /// The JSON text of the body.
    pub body: &'t str,
    /// Where it stood, for people: "response 3".
    pub place: String,
}

/// What the head of a response says that matters here.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Head {
    pub status: u16,
    /// When the server answered.
    pub date: Option<Time>,
    /// The URL that it answers, and that of the page behind it (RFC 8288).
    pub own: Option<String>,
    pub next: Option<String>,
}

/// Takes a file apart, into at most `max` responses and one more. What cannot be read ends it: it is given back with what
/// came before.
pub fn responses(text: &str, max: usize) -> (Vec<Kept<'_>>, Option<(Reject, &str)>) {
    let mut found = Vec::new();
    let mut rest = text.trim_start_matches('\u{feff}').trim_start();
    while !rest.is_empty() && found.len() <= max {
        let place = format!("response {}", found.len() + 1);
        match response(rest, place) {
            Ok((kept, tail)) => {
                found.push(kept);
                rest = tail.trim_start();
            }
            Err(reject) => return (found, Some((reject, rest))),
        }
    }
    (found, None)
}

fn response(text: &str, place: String) -> Result<(Kept<'_>, &str), Reject> {
    let (mut head, mut rest) = (None, text);
    while rest.starts_with("HTTP/") {
        let (found, tail) = read_head(rest)?;
        (head, rest) = (Some(found), tail);
    }
    let mut values = serde_json::Deserializer::from_str(rest).into_iter::<&RawValue>();
    let not_json = |error: String| Reject::new(RejectReason::NotJson, format!("expected a body of JSON: {error}"));
    let body = match values.next() {
        Some(body) => body.map_err(|error| not_json(error.to_string()))?.get(),
        None => return Err(not_json("there is nothing behind the head".to_owned())),
    };
    let end = values.byte_offset();
    Ok((Kept { head, body, place }, &rest[end..]))
}

fn read_head(text: &str) -> Result<(Head, &str), Reject> {
    let broken = |what: &str| {
        let message = format!("expected the head of a response as curl -i writes it, {what}");
        Reject::new(RejectReason::NotAnEvent, message)
    };
    let within = &text[..text.floor_char_boundary(HEAD_BYTES_MAX)];
    let ends = ["\r\n\r\n", "\n\n"].into_iter().filter_map(|end| Some((within.find(end)?, end.len())));
    let (length, gap) = ends.min().ok_or_else(|| broken("got one without the blank line behind it"))?;
    let mut lines = text[..length].lines();
    let status = lines.next().and_then(|line| line.split_whitespace().nth(1)).and_then(|code| code.parse().ok());
    let mut head = Head { status: status.ok_or_else(|| broken("got one without a status"))?, ..Head::default() };
    for line in lines {
        let Some((name, value)) = line.split_once(':') else { continue };
        match name.trim().to_ascii_lowercase().as_str() {
            "date" => head.date = Some(date(value.trim())?),
            "link" => links(value, &mut head),
            _ => {}
        }
    }
    Ok((head, &text[length + gap..]))
}

/// The links of one header: `<https://…>; rel="next", <https://…>; rel="self"`.
fn links(value: &str, head: &mut Head) {
    for part in value.split('<').skip(1) {
        let Some((url, parameters)) = part.split_once('>') else { continue };
        let relation = parameters.split(';').find_map(|parameter| parameter.trim().strip_prefix("rel="));
        let relation = relation.map(|relation| relation.trim_matches(|c: char| c == '"' || c == ',' || c == ' '));
        match relation {
            Some("self") => head.own = Some(url.to_owned()),
            Some("next") => head.next = Some(url.to_owned()),
            _ => {}
        }
    }
}

/// A date of RFC 9110: "Sun, 01 Mar 2026 09:30:00 GMT".
fn date(text: &str) -> Result<Time, Reject> {
    static PARSER: DateTimeParser = DateTimeParser::new();
    let read = PARSER.parse_timestamp(text).ok().map(|date| Time {
        seconds: date.as_second(),
        nanos: 0,
        precision: Precision::Second.into(),
    });
    read.filter(time::is_valid).ok_or_else(|| {
        let message =
            format!("expected a date such as Sun, 01 Mar 2026 09:30:00 GMT in the head, got {}", quoted(text));
        Reject::new(RejectReason::TimeInvalid, message)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_of_curl() {
        let text = "\u{feff}HTTP/1.1 302 Found\r\nlocation: /x\r\n\r\nHTTP/2 200 \r\nDate: Sun, 01 Mar 2026 09:30:00 GMT\r\n\
            link: <https://a/api/v1/users?limit=2>; rel=\"self\"\r\nLINK: <https://a/api/v1/users?after=x>; rel=\"next\"\r\n\
            \r\n[1,\n2]\nHTTP/2 200\nlink: <https://a/1>; rel=\"self\", <https://a/2>;rel=next\n\n{}";
        let (found, rest) = responses(text, 9);
        assert_eq!(rest, None);
        let [first, second] = &found[..] else { panic!("{found:?}") };
        let head = first.head.clone().expect("a head");
        assert_eq!((head.status, head.own.as_deref()), (200, Some("https://a/api/v1/users?limit=2")));
        assert_eq!(head.next.as_deref(), Some("https://a/api/v1/users?after=x"));
        assert_eq!(head.date.map(|date| date.seconds), Some(1_772_357_400));
        assert_eq!((first.body, first.place.as_str()), ("[1,\n2]", "response 1"));
        let head = second.head.clone().expect("a head");
        assert_eq!((head.own.as_deref(), head.next.as_deref()), (Some("https://a/1"), Some("https://a/2")));
        assert_eq!((second.body, head.date), ("{}", None));
    }

    #[test]
    fn bodies_alone_and_what_is_broken() {
        let check = |text: &str, bodies: &[&str], reason: Option<RejectReason>| {
            let (found, rest) = responses(text, 9);
            assert_eq!(found.iter().map(|kept| kept.body).collect::<Vec<_>>(), bodies, "{text}");
            assert!(found.iter().all(|kept| kept.head.is_none()), "{text}");
            assert_eq!(rest.map(|(reject, _)| reject.reason), reason, "{text}");
        };
        check("", &[], None);
        check(" [1] \n {\"a\":2}", &["[1]", "{\"a\":2}"], None);
        check("[1] [2", &["[1]"], Some(RejectReason::NotJson));
        check("[1]\nHTTP/2 200\r\n\r\n", &["[1]"], Some(RejectReason::NotJson));
        check("HTTP/2 200\r\nlink: x", &[], Some(RejectReason::NotAnEvent));
        check("HTTP/2\r\n\r\n[]", &[], Some(RejectReason::NotAnEvent));
        check("HTTP/2 200\r\ndate: yesterday\r\n\r\n[]", &[], Some(RejectReason::TimeInvalid));
        check("GET / HTTP/1.1", &[], Some(RejectReason::NotJson));
    }
}
