//! Calls that last: they end when whoever makes them may not go on.
//!
//! Owns how a call is cut off: what the caller sends ends in an error, and what it gets in a status. A stream would
//! otherwise outlive the revocation of its token.

use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use axum::body::{Body, Bytes};
use counterfoil_verify::time::Moment;
use http_body::{Body as HttpBody, Frame, SizeHint};

use super::keeper::Keeper;
use super::refusal::Refusal;
use super::register::{Caller, Flaw};

/// How long the clock may go its own way: nobody is let in much longer than that after it was put forward.
const LOOK_EVERY: Duration = Duration::from_secs(60);

/// How long a caller may go on.
#[derive(Clone)]
pub(crate) struct Lease {
    pub(crate) keeper: Keeper,
    pub(crate) caller: Caller,
    pub(crate) now: fn() -> Moment,
    /// What a flaw of its entries means: those of a token, or of a certificate.
    pub(crate) refusal: fn(Flaw) -> Refusal,
}

impl Lease {
    /// Waits until the caller may not go on, and says why.
    async fn end(self) -> Refusal {
        let mut changes = self.keeper.changes();
        loop {
            let register = changes.borrow_and_update().clone();
            let Some(register) = register else { return Refusal::Unreadable };
            let now = (self.now)();
            let until = match register.still(&self.caller, now) {
                Ok(until) => until,
                Err(flaw) => return (self.refusal)(flaw),
            };
            // A second more: it has expired then, whatever the fractions.
            let left = u64::try_from(until.seconds.saturating_sub(now.seconds)).unwrap_or_default();
            let patience = Duration::from_secs(left.saturating_add(1)).min(LOOK_EVERY);
            tokio::select! {
                changed = changes.changed() => if changed.is_err() { return Refusal::Unreadable },
                () = tokio::time::sleep(patience) => {}
            }
        }
    }
}

/// What a caller sends: an error ends it.
pub(crate) fn request(body: Body, lease: Lease) -> Body {
    cut(body, lease, |refusal| Err(axum::Error::new(refusal.status())))
}

/// What a caller gets: a status ends it over gRPC, and an error over HTTP.
pub(crate) fn answer(body: Body, lease: Lease, is_grpc: bool) -> Body {
    if !is_grpc {
        return request(body, lease);
    }
    cut(body, lease, |refusal| {
        let mut trailers = http::HeaderMap::new();
        refusal.status().add_header(&mut trailers).map_err(axum::Error::new)?;
        Ok(Frame::trailers(trailers))
    })
}

type Last = fn(Refusal) -> Result<Frame<Bytes>, axum::Error>;

fn cut(body: Body, lease: Lease, last: Last) -> Body {
    if body.is_end_stream() {
        return body;
    }
    Body::new(Cut { body: Some(body), end: Box::pin(lease.end()), last })
}

/// A body that ends early.
struct Cut {
    /// Nothing once it is cut off.
    body: Option<Body>,
    end: Pin<Box<dyn Future<Output = Refusal> + Send>>,
    last: Last,
}

impl HttpBody for Cut {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        let cut = &mut *self;
        let Some(body) = &mut cut.body else { return Poll::Ready(None) };
        if let Poll::Ready(refusal) = cut.end.as_mut().poll(context) {
            cut.body = None;
            return Poll::Ready(Some((cut.last)(refusal)));
        }
        Pin::new(body).poll_frame(context)
    }

    fn is_end_stream(&self) -> bool {
        self.body.as_ref().is_none_or(HttpBody::is_end_stream)
    }

    fn size_hint(&self) -> SizeHint {
        self.body.as_ref().map_or_else(|| SizeHint::with_exact(0), HttpBody::size_hint)
    }
}
