//! Spans of requests: one for each that is traced, from its head to the end of its answer.
//!
//! Owns which requests are traced, and as part of which trace (W3C Trace Context, level 1), and what a span says: names
//! that the server knows, and nothing that a caller made up.

use std::sync::Arc;
use std::time::Duration;

use axum::extract::{MatchedPath, Request};
use counterfoil_verify::time::Moment;
use http::{HeaderMap, Method, StatusCode};
use opentelemetry_proto::tonic::common::v1::any_value::Value;
use opentelemetry_proto::tonic::trace::v1::span::SpanKind;
use opentelemetry_proto::tonic::trace::v1::{Span, Status, status};
use tokio::sync::mpsc;
use tonic::Code;

use super::{attribute, nanos, text};

/// The flag of a trace that is recorded.
const SAMPLED: u8 = 1;
/// Of a span: it is known whether its parent is in another process, and it is.
const PARENT_IS_KNOWN: u32 = 0x100;
const PARENT_IS_REMOTE: u32 = 0x200;

/// Opens spans.
pub(crate) struct Spans {
    pub(super) ended: mpsc::Sender<Ended>,
    pub(super) now: fn() -> Moment,
    pub(super) entropy: fn() -> [u8; 32],
    /// How many in a hundred of the requests are traced that are part of no trace yet. With 0 none is traced.
    pub(super) percent: u8,
}

/// A span that has ended, as it waits to be sent.
pub(super) type Ended = Box<Span>;

/// The span of a request that is being answered.
pub(crate) struct OpenSpan {
    span: Ended,
    place: Place,
    ended: mpsc::Sender<Ended>,
}

/// Where the request stands in its protocol.
enum Place {
    Grpc(Arc<str>),
    Http { method: Method, route: Option<String>, status: Option<StatusCode> },
}

/// The trace that a request is part of, as its caller says.
#[derive(Debug, PartialEq, Eq)]
struct Context {
    trace: [u8; 16],
    parent: [u8; 8],
    is_sampled: bool,
}

impl Spans {
    /// Opens the span of a request, if it is traced: where its caller says whether, as the caller says.
    pub(crate) fn open(&self, request: &Request, name: &Arc<str>, is_grpc: bool) -> Option<OpenSpan> {
        if self.percent == 0 {
            return None;
        }
        let context = context(request.headers());
        if context.as_ref().is_some_and(|context| !context.is_sampled) {
            return None;
        }
        let entropy = (self.entropy)();
        let (trace, rest) = entropy.split_at(16);
        let (span_id, chance) = rest.split_at(8);
        let chance = chance.iter().fold(0u64, |chance, byte| chance << 8 | u64::from(*byte));
        if context.is_none() && chance % 100 >= u64::from(self.percent) {
            return None;
        }
        let remote = if context.is_some() { PARENT_IS_REMOTE } else { 0 };
        let (trace_id, parent_span_id) = match context {
            Some(Context { trace, parent, .. }) => (trace.to_vec(), parent.to_vec()),
            None => (trace.to_vec(), Vec::new()),
        };
        let span = Span {
            trace_id,
            span_id: span_id.to_vec(),
            parent_span_id,
            flags: u32::from(SAMPLED) | PARENT_IS_KNOWN | remote,
            name: name.as_ref().to_owned(),
            kind: SpanKind::Server.into(),
            start_time_unix_nano: nanos((self.now)()),
            ..Span::default()
        };
        let place = match is_grpc {
            true => Place::Grpc(name.clone()),
            false => Place::Http {
                method: request.method().clone(),
                route: request.extensions().get::<MatchedPath>().map(|path| path.as_str().to_owned()),
                status: None,
            },
        };
        Some(OpenSpan { span: Box::new(span), place, ended: self.ended.clone() })
    }
}

impl OpenSpan {
    /// The head of the answer is there.
    pub(crate) fn answered(&mut self, head: StatusCode) {
        if let Place::Http { status, .. } = &mut self.place {
            *status = Some(head);
        }
    }

    /// Ends it. Where too many wait to be sent it is lost, and counted: nobody waits for it.
    pub(crate) fn end(self, code: Code, took: Duration) {
        let Self { mut span, place, ended } = self;
        let took = u64::try_from(took.as_nanos()).unwrap_or(u64::MAX);
        span.end_time_unix_nano = span.start_time_unix_nano.saturating_add(took);
        let is_error = match place {
            Place::Grpc(name) => {
                span.attributes.push(text("rpc.system", "grpc"));
                if let Some((service, method)) = name.split_once('/') {
                    span.attributes.push(text("rpc.service", service));
                    span.attributes.push(text("rpc.method", method));
                }
                span.attributes.push(attribute("rpc.grpc.status_code", Value::IntValue(i64::from(code as i32))));
                is_of_server(code)
            }
            Place::Http { method, route, status } => {
                span.attributes.push(text("http.request.method", known(&method)));
                span.attributes.extend(route.as_deref().map(|route| text("http.route", route)));
                let number = status.map(|status| Value::IntValue(status.as_u16().into()));
                span.attributes.extend(number.map(|number| attribute("http.response.status_code", number)));
                status.is_some_and(|status| status.is_server_error())
            }
        };
        if is_error {
            span.status = Some(Status { code: status::StatusCode::Error.into(), ..Status::default() });
        }
        if ended.try_send(span).is_err() {
            super::count_spans("lost", 1);
        }
    }
}

/// Whether the server is to blame: what a caller did wrong is no error of its span (semantic conventions for gRPC).
fn is_of_server(code: Code) -> bool {
    use Code::{DataLoss, DeadlineExceeded, Internal, Unavailable, Unimplemented, Unknown};
    matches!(code, Unknown | DeadlineExceeded | Unimplemented | Internal | Unavailable | DataLoss)
}

/// The name of a method of HTTP; callers may make up others.
fn known(method: &Method) -> &str {
    let known = [Method::GET, Method::HEAD, Method::POST, Method::PUT, Method::DELETE, Method::OPTIONS, Method::PATCH];
    if known.contains(method) { method.as_str() } else { "_OTHER" }
}

/// Reads `traceparent`; none where there is none that counts.
fn context(headers: &HeaderMap) -> Option<Context> {
    let mut given = headers.get_all("traceparent").iter();
    let (Some(text), None) = (given.next(), given.next()) else { return None };
    let text = text.to_str().ok()?;
    let parts: Vec<&str> = text.split('-').collect();
    let [version, trace, parent, flags, ..] = parts[..] else { return None };
    let [version] = hex(version)?;
    // The fields of a later version are these, and further ones.
    if version == 0xff || version == 0 && parts.len() > 4 {
        return None;
    }
    let (trace, parent, [flags]) = (hex(trace)?, hex(parent)?, hex(flags)?);
    let is_there = trace != [0; 16] && parent != [0; 8];
    is_there.then_some(Context { trace, parent, is_sampled: flags & SAMPLED != 0 })
}

/// Reads so many bytes in lower-case hexadecimal.
fn hex<const N: usize>(text: &str) -> Option<[u8; N]> {
    let is_hex = |byte: u8| matches!(byte, b'0'..=b'9' | b'a'..=b'f');
    if text.len() != 2 * N || !text.bytes().all(is_hex) {
        return None;
    }
    let mut bytes = [0; N];
    for (byte, digits) in bytes.iter_mut().zip(text.as_bytes().chunks(2)) {
        *byte = u8::from_str_radix(std::str::from_utf8(digits).ok()?, 16).ok()?;
    }
    Some(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    const TRACE: &str = "4bf92f3577b34da6a3ce929d0e0e4736";
    const PARENT: &str = "00f067aa0ba902b7";

    fn of(given: &[&str]) -> Option<Context> {
        let mut headers = HeaderMap::new();
        for given in given {
            headers.append("traceparent", given.parse().unwrap());
        }
        context(&headers)
    }

    #[test]
    fn a_trace_goes_on_where_its_caller_says_so_in_the_words_of_the_specification() {
        let check = |flags: &str, is_sampled: bool| {
            let context = of(&[&format!("00-{TRACE}-{PARENT}-{flags}")]).unwrap();
            assert_eq!((context.trace[0], context.trace[15], context.parent[7]), (0x4b, 0x36, 0xb7));
            assert_eq!(context.is_sampled, is_sampled, "{flags}");
        };
        check("01", true);
        check("00", false);
        check("03", true);
        check("02", false);
        // A later version may have more.
        assert!(of(&[&format!("01-{TRACE}-{PARENT}-01-more")]).unwrap().is_sampled);
    }

    #[test]
    fn what_is_no_trace_context_begins_a_trace() {
        let whole = format!("00-{TRACE}-{PARENT}-01");
        for given in [
            String::new(),
            format!("00-{TRACE}-{PARENT}"),
            format!("00-{TRACE}-{PARENT}-01-more"),
            format!("00-{TRACE}-{PARENT}-1"),
            format!("ff-{TRACE}-{PARENT}-01"),
            format!("0-{TRACE}-{PARENT}-01"),
            format!("00-{}-{PARENT}-01", TRACE.to_uppercase()),
            format!("00-{}-{PARENT}-01", "0".repeat(32)),
            format!("00-{TRACE}-{}-01", "0".repeat(16)),
            format!("00-+{}-{PARENT}-01", &TRACE[1..]),
            format!("00-{TRACE}{PARENT}-01"),
        ] {
            assert_eq!(of(&[&given]), None, "{given}");
        }
        assert_eq!(of(&[]), None);
        assert_eq!(of(&[&whole, &whole]), None, "which of them counts?");
        assert!(of(&[&whole]).is_some());
    }
}
