//! Who may call what.
//!
//! Owns what every request is let in as. On a loopback address whoever has an account on the machine may do everything; a
//! page in a browser, which also reaches it, may not.

use axum::body::Body;
use axum::middleware::Next;
use counterfoil_ingest::sources::grpc::Producer;
use counterfoil_proto::v1::Authentication;
use counterfoil_query::services::Sight;
use http::{Request, Response};
use tonic::Status;

/// Lets a request in, or refuses it.
pub(crate) async fn guard(mut request: Request<Body>, next: Next) -> Response<Body> {
    if request.headers().contains_key(http::header::ORIGIN) {
        return Status::permission_denied("a page of another origin may not call this server").into_http();
    }
    request.extensions_mut().insert(Sight { payloads: true });
    request.extensions_mut().insert(Producer(Authentication::LocalConnection));
    next.run(request).await
}
