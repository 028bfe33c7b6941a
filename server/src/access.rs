//! Who may call what.
//!
//! Owns what every request is let in as. On a loopback address whoever has an account on the machine may do everything; a
//! page in a browser, which also reaches it, may not.

use std::convert::Infallible;
use std::pin::Pin;
use std::task::{Context, Poll};

use axum::body::Body;
use counterfoil_ingest::sources::grpc::Producer;
use counterfoil_proto::v1::Authentication;
use counterfoil_query::services::Sight;
use http::{Request, Response};
use tonic::Status;
use tower::{Layer, Service};

/// Lets requests in.
#[derive(Clone, Copy)]
pub(crate) struct Guard;

impl<S> Layer<S> for Guard {
    type Service = Guarded<S>;

    fn layer(&self, inner: S) -> Guarded<S> {
        Guarded { inner }
    }
}

#[derive(Clone)]
pub(crate) struct Guarded<S> {
    inner: S,
}

impl<S> Service<Request<Body>> for Guarded<S>
where
    S: Service<Request<Body>, Response = Response<Body>, Error = Infallible>,
    S::Future: Send + 'static,
{
    type Response = Response<Body>;
    type Error = Infallible;
    type Future = Pin<Box<dyn Future<Output = Result<Response<Body>, Infallible>> + Send>>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        self.inner.poll_ready(context)
    }

    fn call(&mut self, mut request: Request<Body>) -> Self::Future {
        if request.headers().contains_key(http::header::ORIGIN) {
            let refused = Status::permission_denied("a page of another origin may not call this server");
            return Box::pin(async move { Ok(refused.into_http()) });
        }
        request.extensions_mut().insert(Sight { payloads: true });
        request.extensions_mut().insert(Producer(Authentication::LocalConnection));
        let answer = self.inner.call(request);
        Box::pin(answer)
    }
}
