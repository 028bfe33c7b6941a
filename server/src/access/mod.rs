//! Who may call what.
//!
//! Owns what every request is let in as. On a loopback address without a file of tokens, whoever has an account on the
//! machine may do everything, and a page in a browser, which also reaches it, may not. Anywhere else a caller shows a token
//! or a certificate, and may do what its roles say.

use std::convert::Infallible;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use axum::body::Body;
use counterfoil_ingest::sources::grpc::Producer;
use counterfoil_proto::v1::{Authentication, Role};
use counterfoil_query::services::Sight;
use counterfoil_verify::time::Moment;
use http::header::AUTHORIZATION;
use http::{HeaderMap, Request, Response};
use tower::{Layer, Service};

pub(crate) mod keeper;
mod lease;
mod local;
mod refusal;
pub(crate) mod register;
pub(crate) mod table;

use keeper::Keeper;
use lease::Lease;
use refusal::{Refusal, is_grpc};
use register::Flaw;
use table::{Need, Roles, Table};

use crate::tls::Peer;

/// Lets requests in.
#[derive(Clone)]
pub(crate) struct Guard(Arc<Shared>);

struct Shared {
    table: Table,
    /// Who may call; nothing where whoever reaches the address may.
    keeper: Option<Keeper>,
    now: fn() -> Moment,
}

/// What a request is let in as.
struct Admitted {
    roles: Roles,
    authentication: Authentication,
    lease: Option<Lease>,
}

impl Guard {
    /// Lets in whom `keeper` knows; without one, whoever calls from this machine.
    pub(crate) fn new(table: Table, keeper: Option<Keeper>, now: fn() -> Moment) -> Self {
        Self(Arc::new(Shared { table, keeper, now }))
    }

    /// What a request is let in as; nothing where it is open to everybody.
    fn admit<B>(&self, request: &Request<B>) -> Result<Option<Admitted>, Refusal> {
        if local::is_of_a_page(request.headers()) {
            return Err(Refusal::Origin);
        }
        if self.0.keeper.is_none() && !local::is_for_loopback(request) {
            return Err(Refusal::Host);
        }
        let need = self.0.table.need(request.method(), request.uri().path());
        if need == Some(Need::Nothing) {
            return Ok(None);
        }
        let admitted = self.recognise(request)?;
        match need {
            Some(Need::Role(role)) if !admitted.roles.has(role) => Err(Refusal::RoleMissing(role)),
            Some(Need::Nobody) => Err(Refusal::Nobody),
            None => Err(Refusal::NotThere),
            Some(Need::Role(_) | Need::Caller | Need::Nothing) => Ok(Some(admitted)),
        }
    }

    /// Who calls.
    fn recognise<B>(&self, request: &Request<B>) -> Result<Admitted, Refusal> {
        let Some(keeper) = &self.0.keeper else {
            let authentication = Authentication::LocalConnection;
            return Ok(Admitted { roles: Roles::all(), authentication, lease: None });
        };
        let register = keeper.register().ok_or(Refusal::Unreadable)?;
        let now = (self.0.now)();
        let peer = request.extensions().get::<Peer>().map(|peer| peer.names()).unwrap_or_default();
        let refusal: fn(Flaw) -> Refusal;
        let caller = match token(request.headers())? {
            Some(token) => {
                refusal = Refusal::Token;
                register.of_token(token, now)
            }
            None if !peer.is_empty() => {
                refusal = Refusal::Certificate;
                register.of_certificate(peer, now)
            }
            None => return Err(Refusal::TokenAbsent),
        };
        let caller = caller.map_err(refusal)?;
        let (roles, authentication) = (caller.roles, Authentication::ClientCredentials);
        let lease = Lease { keeper: keeper.clone(), caller, now: self.0.now, refusal };
        Ok(Admitted { roles, authentication, lease: Some(lease) })
    }
}

/// The token that a request shows, in the one place where it counts (RFC 6750, section 2.1).
fn token(headers: &HeaderMap) -> Result<Option<&str>, Refusal> {
    let mut shown = headers.get_all(AUTHORIZATION).iter();
    let Some(header) = shown.next() else { return Ok(None) };
    if shown.next().is_some() {
        return Err(Refusal::Token(Flaw::Unknown));
    }
    let (scheme, token) = header.to_str().ok().and_then(|header| header.split_once(' ')).unwrap_or_default();
    if scheme.eq_ignore_ascii_case("bearer") { Ok(Some(token.trim())) } else { Err(Refusal::TokenAbsent) }
}

impl<S> Layer<S> for Guard {
    type Service = Guarded<S>;

    fn layer(&self, inner: S) -> Guarded<S> {
        Guarded { guard: self.clone(), inner }
    }
}

#[derive(Clone)]
pub(crate) struct Guarded<S> {
    guard: Guard,
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
        let is_grpc = is_grpc(&request);
        let admitted = match self.guard.admit(&request) {
            Ok(admitted) => admitted,
            Err(refusal) => return Box::pin(async move { Ok(refusal.answer(is_grpc)) }),
        };
        let Some(Admitted { roles, authentication, lease }) = admitted else {
            return Box::pin(self.inner.call(request));
        };
        // Nobody behind this needs it, and nobody shall log it.
        request.headers_mut().remove(AUTHORIZATION);
        request.extensions_mut().insert(Sight { payloads: roles.has(Role::Payload) });
        if roles.has(Role::Write) {
            request.extensions_mut().insert(Producer(authentication));
        }
        let Some(lease) = lease else { return Box::pin(self.inner.call(request)) };
        let answer = self.inner.call(request.map(|body| lease::request(body, lease.clone())));
        Box::pin(async move { Ok(answer.await?.map(|body| lease::answer(body, lease, is_grpc))) })
    }
}
