//! Deadlines of calls: `grpc-timeout` (gRPC over HTTP/2, section "Requests"), and over HTTP `X-Server-Timeout`, in
//! seconds.
//!
//! Owns that no call is worked on once its caller has given up: what a call waits for is dropped with it.

use std::time::Duration;

use axum::body::Body;
use axum::middleware::Next;
use http::{HeaderMap, Request, Response};
use tonic::Status;

/// Answers a request, or puts an end to it once its deadline has passed.
pub(crate) async fn keep(request: Request<Body>, next: Next) -> Response<Body> {
    let deadline = match deadline(request.headers()) {
        None => return next.run(request).await,
        Some(Err(expected)) => return Status::invalid_argument(expected).into_http(),
        Some(Ok(deadline)) => deadline,
    };
    let passed = || {
        let why = "the deadline passed before there was an answer: allow more time, or ask for less";
        Status::deadline_exceeded(why).into_http()
    };
    tokio::time::timeout(deadline, next.run(request)).await.unwrap_or_else(|_| passed())
}

/// The deadline that a request sets, if it sets one; or what was expected of it.
fn deadline(headers: &HeaderMap) -> Option<Result<Duration, &'static str>> {
    let given = |name: &str| headers.get(name).map(|value| value.to_str().unwrap_or_default());
    if let Some(text) = given("grpc-timeout") {
        return Some(timeout(text).ok_or("grpc-timeout: expected up to 8 digits and a unit"));
    }
    let text = given("x-server-timeout")?;
    Some(seconds(text).ok_or("X-Server-Timeout: expected seconds, such as 2.5"))
}

/// Reads seconds, with a fraction or without.
fn seconds(text: &str) -> Option<Duration> {
    let is_plain = text.len() <= 16 && text.bytes().all(|byte| byte.is_ascii_digit() || byte == b'.');
    text.parse().ok().filter(|_| is_plain).and_then(|seconds| Duration::try_from_secs_f64(seconds).ok())
}

/// Reads the value of `grpc-timeout`: at most 8 digits and a unit.
fn timeout(text: &str) -> Option<Duration> {
    let (digits, unit) = text.split_at_checked(text.len().checked_sub(1)?)?;
    let is_number = (1..=8).contains(&digits.len()) && digits.bytes().all(|byte| byte.is_ascii_digit());
    let count: u64 = digits.parse().ok().filter(|_| is_number)?;
    Some(match unit {
        "H" => Duration::from_secs(count * 3_600),
        "M" => Duration::from_secs(count * 60),
        "S" => Duration::from_secs(count),
        "m" => Duration::from_millis(count),
        "u" => Duration::from_micros(count),
        "n" => Duration::from_nanos(count),
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use http::{HeaderName, HeaderValue};

    use super::*;

    #[test]
    fn a_timeout_has_a_unit() {
        for (text, expected) in [
            ("1H", Some(Duration::from_secs(3_600))),
            ("2M", Some(Duration::from_secs(120))),
            ("3S", Some(Duration::from_secs(3))),
            ("4m", Some(Duration::from_millis(4))),
            ("5u", Some(Duration::from_micros(5))),
            ("99999999n", Some(Duration::from_nanos(99_999_999))),
            ("100000000n", None),
            ("1", None),
            ("S", None),
            ("", None),
            ("+1S", None),
            ("1s", None),
            ("1é", None),
        ] {
            assert_eq!(timeout(text), expected, "{text}");
        }
    }

    #[test]
    fn either_header_sets_a_deadline_and_none_is_ignored() {
        let check = |headers: &[(&'static str, &[u8])], expected: Option<Option<u64>>| {
            let named = |(name, value): &(&'static str, &[u8])| {
                (HeaderName::from_static(name), HeaderValue::from_bytes(value).expect("the value of a header"))
            };
            let found = deadline(&headers.iter().map(named).collect()).map(Result::ok);
            assert_eq!(found, expected.map(|seconds| seconds.map(Duration::from_secs)), "{headers:?}");
        };
        check(&[], None);
        check(&[("timeout", b"1")], None);
        check(&[("grpc-timeout", b"2S")], Some(Some(2)));
        check(&[("x-server-timeout", b"3")], Some(Some(3)));
        check(&[("x-server-timeout", b"3"), ("grpc-timeout", b"2S")], Some(Some(2)));
        // What cannot be read sets none, and is refused.
        for broken in [&b"soon"[..], b"", b"\xff"] {
            check(&[("grpc-timeout", broken), ("x-server-timeout", b"3")], Some(None));
            check(&[("x-server-timeout", broken)], Some(None));
        }
    }

    #[test]
    fn a_timeout_over_http_is_in_seconds() {
        for (text, expected) in [
            ("2", Some(Duration::from_secs(2))),
            ("0.001", Some(Duration::from_millis(1))),
            ("", None),
            ("1s", None),
            ("-1", None),
            ("+1", None),
            ("1e3", None),
            ("inf", None),
            ("1.2.3", None),
            ("99999999999999999", None),
        ] {
            assert_eq!(seconds(text), expected, "{text}");
        }
    }
}
