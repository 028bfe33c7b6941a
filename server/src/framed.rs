//! The bodies of gRPC requests.
//!
//! Owns how large a message may be, how long one may take to arrive, that all of them count in the room of all bodies, and
//! that a request which breaks off never looks like one that ended. It never looks into a message.

use std::collections::HashSet;
use std::error::Error;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use axum::body::{Body, Bytes};
use axum::extract::State;
use axum::middleware::Next;
use axum::response::Response;
use counterfoil_ingest::sources::grpc::MESSAGE_BYTES_MAX;
use counterfoil_query::services::problem;
use http::Request;
use http_body::{Body as HttpBody, Frame, SizeHint};
use tokio::time::Sleep;
use tonic::{Code, Status};

use crate::json::body::PATIENCE;
use crate::json::problem::is_grpc;
use crate::room::{Room, Taken};
use crate::rpc::Rpc;

/// Before each message: whether it is compressed, and its length.
const HEAD_BYTES: usize = 5;

/// What the bodies of calls are held to.
pub(crate) struct Bounds {
    room: Room,
    /// The calls whose messages stay in memory until they are answered. Of others, each message is gone when the next
    /// one is asked for.
    keeping: HashSet<String>,
}

impl Bounds {
    pub(crate) fn new(rpcs: &[Rpc], room: Room) -> Self {
        let is_conversation = |rpc: &&Rpc| rpc.descriptor.is_client_streaming() && rpc.descriptor.is_server_streaming();
        let keeping = rpcs.iter().filter(|rpc| !is_conversation(rpc)).map(Rpc::path).collect();
        Self { room, keeping }
    }
}

/// Answers a request whose body is held to its bounds.
pub(crate) async fn bound(State(bounds): State<Arc<Bounds>>, request: Request<Body>, next: Next) -> Response {
    if !is_grpc(&request) {
        return next.run(request).await;
    }
    let keeps = bounds.keeping.contains(request.uri().path());
    let taken = Arc::new(bounds.room.begin());
    let mut request = request.map(|inner| Body::new(Framed::new(inner, taken.clone(), keeps)));
    if !keeps {
        drop(taken);
        return next.run(request).await;
    }
    // Who works on after the call has lost its caller keeps the room by this.
    request.extensions_mut().insert(taken.clone());
    let response = next.run(request).await;
    drop(taken);
    response
}

/// A body of messages.
struct Framed {
    inner: Body,
    taken: Arc<Taken>,
    keeps: bool,
    reading: Reading,
    /// The end of the patience with the message that is arriving; nothing where nobody waits for one.
    patience: Option<Pin<Box<Sleep>>>,
}

impl Framed {
    fn new(inner: Body, taken: Arc<Taken>, keeps: bool) -> Self {
        Self { inner, taken, keeps, reading: Reading::default(), patience: None }
    }

    fn count(&mut self, data: &[u8]) -> Result<(), Status> {
        self.taken.take(data.len())?;
        if self.reading.push(data)? {
            self.patience = None;
        }
        Ok(())
    }

    /// Whether whoever sends has had time enough. Who takes no room may take its time.
    fn is_too_slow(&mut self, context: &mut Context<'_>) -> bool {
        if self.taken.bytes() == 0 {
            return false;
        }
        let patience = self.patience.get_or_insert_with(|| Box::pin(tokio::time::sleep(PATIENCE)));
        patience.as_mut().poll(context).is_ready()
    }

    fn end(&mut self, error: axum::Error) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        self.inner = Body::empty();
        self.reading = Reading::default();
        Poll::Ready(Some(Err(error)))
    }
}

impl HttpBody for Framed {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        let framed = &mut *self;
        if !framed.keeps {
            // More is asked for: the messages that were whole have been dealt with.
            framed.taken.keep(framed.reading.begun);
        }
        let early = |why: String| axum::Error::new(problem(Code::Aborted, "ENDED_EARLY", why));
        match Pin::new(&mut framed.inner).poll_frame(context) {
            Poll::Ready(Some(Ok(frame))) => match frame.data_ref().map_or(Ok(()), |data| framed.count(data)) {
                Ok(()) => Poll::Ready(Some(Ok(frame))),
                Err(status) => framed.end(axum::Error::new(status)),
            },
            Poll::Ready(Some(Err(error))) if is_told(&error) => framed.end(error),
            // Left to tonic, a cancelled request may be taken for one that ended.
            Poll::Ready(Some(Err(error))) => framed.end(early(format!("the request broke off: {error}"))),
            Poll::Ready(None) if framed.reading.begun > 0 => {
                framed.end(early("the request ended within a message: send it again".to_owned()))
            }
            Poll::Ready(None) => Poll::Ready(None),
            Poll::Pending if framed.is_too_slow(context) => {
                let why = format!("a message took longer than {} s to arrive", PATIENCE.as_secs());
                framed.end(axum::Error::new(problem(Code::DeadlineExceeded, "TOO_SLOW", why)))
            }
            Poll::Pending => Poll::Pending,
        }
    }

    fn is_end_stream(&self) -> bool {
        self.reading.begun == 0 && self.inner.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.inner.size_hint()
    }
}

/// Whether an error says by itself what a caller is told.
fn is_told(error: &axum::Error) -> bool {
    let first: &(dyn Error + 'static) = error;
    std::iter::successors(Some(first), |&error| error.source()).any(|error| error.is::<Status>())
}

/// Where in a message the bytes stand that came last.
#[derive(Default)]
struct Reading {
    head: [u8; HEAD_BYTES],
    /// How much of a message is there that is not whole, its head included.
    begun: usize,
    /// What is missing of the message behind a head that is whole.
    missing: usize,
}

impl Reading {
    /// Goes on with these bytes, and says whether a message became whole.
    fn push(&mut self, mut data: &[u8]) -> Result<bool, Status> {
        let mut is_whole = false;
        while !data.is_empty() {
            if self.begun < HEAD_BYTES {
                let (head, rest) = data.split_at(data.len().min(HEAD_BYTES - self.begun));
                self.head[self.begun..self.begun + head.len()].copy_from_slice(head);
                self.begun += head.len();
                data = rest;
                if self.begun < HEAD_BYTES {
                    break;
                }
                let [_, length @ ..] = self.head;
                self.missing = u32::from_be_bytes(length) as usize;
                if self.missing > MESSAGE_BYTES_MAX {
                    let expected = format!("expected a message of at most {MESSAGE_BYTES_MAX} bytes");
                    let why = format!("{expected}, got one of {}: send it in parts", self.missing);
                    return Err(problem(Code::ResourceExhausted, "MESSAGE_TOO_LARGE", why));
                }
            } else {
                let here = data.len().min(self.missing);
                self.begun += here;
                self.missing -= here;
                data = &data[here..];
            }
            if self.missing == 0 {
                self.begun = 0;
                is_whole = true;
            }
        }
        Ok(is_whole)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn message(length: usize) -> Vec<u8> {
        let mut message = vec![0];
        message.extend((length as u32).to_be_bytes());
        message.resize(HEAD_BYTES + length, b'x');
        message
    }

    #[test]
    fn messages_are_followed_however_they_are_cut() {
        let lengths = [0, 1, 7, 0, 0, 300, 4];
        let all: Vec<u8> = lengths.iter().flat_map(|length| message(*length)).collect();
        let ends: Vec<usize> = lengths
            .iter()
            .scan(0, |end, length| {
                *end += HEAD_BYTES + length;
                Some(*end)
            })
            .collect();
        for size in 1..=all.len() {
            let (mut reading, mut came) = (Reading::default(), 0);
            for piece in all.chunks(size) {
                let before = came;
                came += piece.len();
                let is_whole = reading.push(piece).unwrap();
                let begins = ends.iter().rev().find(|end| **end <= came).copied().unwrap_or(0);
                assert_eq!(reading.begun, came - begins, "{came} in pieces of {size}");
                assert_eq!(is_whole, begins > before, "{came} in pieces of {size}");
            }
        }
    }

    #[test]
    fn a_message_that_is_too_large_is_refused_at_its_head() {
        assert!(!Reading::default().push(&message(MESSAGE_BYTES_MAX)[..HEAD_BYTES]).unwrap());
        let refused = Reading::default().push(&message(MESSAGE_BYTES_MAX + 1)[..HEAD_BYTES]).unwrap_err();
        assert_eq!(refused.code(), Code::ResourceExhausted);
    }

    /// A body of these pieces.
    fn body(pieces: Vec<Vec<u8>>, room: &Room, keeps: bool) -> Framed {
        let pieces = pieces.into_iter().map(|piece| Ok::<_, std::convert::Infallible>(Bytes::from(piece)));
        Framed::new(Body::from_stream(tokio_stream::iter(pieces)), Arc::new(room.begin()), keeps)
    }

    #[test]
    fn room_is_given_back_when_the_next_message_is_asked_for_or_when_the_call_ends() {
        let mut context = Context::from_waker(std::task::Waker::noop());
        let mut poll = |body: &mut Framed| Pin::new(body).poll_frame(&mut context);
        for keeps in [false, true] {
            let (one, other) = (message(100), message(50));
            let cut = [&one[..], &other[..20]].concat();
            let room = Room::new();
            let mut body = body(vec![cut, other[20..].to_vec()], &room, keeps);
            assert!(matches!(poll(&mut body), Poll::Ready(Some(Ok(_)))));
            assert_eq!(body.taken.bytes(), 125);
            assert!(matches!(poll(&mut body), Poll::Ready(Some(Ok(_)))));
            assert_eq!(body.taken.bytes(), if keeps { 160 } else { 55 });
            assert!(matches!(poll(&mut body), Poll::Ready(None)));
            assert_eq!(body.taken.bytes(), if keeps { 160 } else { 0 });
        }
    }

    #[test]
    fn what_breaks_off_is_an_error_of_its_own() {
        let mut context = Context::from_waker(std::task::Waker::noop());
        let mut body = body(vec![message(9)[..8].to_vec()], &Room::new(), true);
        assert!(matches!(Pin::new(&mut body).poll_frame(&mut context), Poll::Ready(Some(Ok(_)))));
        let Poll::Ready(Some(Err(error))) = Pin::new(&mut body).poll_frame(&mut context) else { panic!("an end") };
        assert_eq!(Status::from_error(error.into()).code(), Code::Aborted);
        assert!(matches!(Pin::new(&mut body).poll_frame(&mut context), Poll::Ready(None)));

        let cancelled = tokio_stream::once(Err::<Bytes, _>(std::io::Error::other("a peer that went away")));
        let mut body = Framed::new(Body::from_stream(cancelled), Arc::new(Room::new().begin()), true);
        let Poll::Ready(Some(Err(error))) = Pin::new(&mut body).poll_frame(&mut context) else { panic!("an end") };
        assert_eq!(Status::from_error(error.into()).code(), Code::Aborted);
        let told = tokio_stream::once(Err::<Bytes, _>(Status::unauthenticated("revoked")));
        let mut body = Framed::new(Body::from_stream(told), Arc::new(Room::new().begin()), true);
        let Poll::Ready(Some(Err(error))) = Pin::new(&mut body).poll_frame(&mut context) else { panic!("an end") };
        assert_eq!(Status::from_error(error.into()).code(), Code::Unauthenticated);
    }
}
