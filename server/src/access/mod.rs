//! Who may call what.
//!
//! Owns what every request is let in as. On a loopback address without a file of tokens, whoever has an account on the
//! machine may do everything, and a page in a browser, which also reaches it, may not. Anywhere else a caller shows a token
//! or a certificate, and may do what its roles say.

use std::sync::Arc;

use axum::body::Body;
use axum::extract::State;
use axum::middleware::Next;
use counterfoil_ingest::sources::grpc::{Producer, Seer};
use counterfoil_ingest::sources::redactions::Operator;
use counterfoil_proto::v1::{Authentication, Role};
use counterfoil_query::services::{CallerName, Sight};
use counterfoil_verify::time::Moment;
use http::header::AUTHORIZATION;
use http::{HeaderMap, Request, Response};

pub(crate) mod keeper;
mod lease;
mod local;
mod refusal;
pub(crate) mod register;
pub(crate) mod table;

use keeper::Keeper;
use lease::Lease;
use refusal::Refusal;
use register::Flaw;
use table::{Need, Roles, Table};

use crate::json::problem::is_grpc;
use crate::tls::Peer;

/// Lets requests in.
pub(crate) struct Guard {
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
        Self { table, keeper, now }
    }

    /// What a request is let in as; nothing where nobody is asked.
    fn admit<B>(&self, request: &Request<B>) -> Result<Option<Admitted>, Refusal> {
        if local::is_of_a_page(request.headers()) {
            return Err(Refusal::Origin);
        }
        let need = self.table.need(request.method(), request.uri().path());
        if need == Ok(Need::ProofOfItsOwn) {
            return Ok(None);
        }
        if self.keeper.is_none() && !local::is_for_loopback(request) {
            return Err(Refusal::Host);
        }
        if need == Ok(Need::Nothing) {
            return Ok(None);
        }
        let admitted = self.recognise(request)?;
        match need.map_err(Refusal::NotThere)? {
            Need::Role(role) if !admitted.roles.has(role) => Err(Refusal::RoleMissing(role)),
            Need::Nobody => Err(Refusal::Nobody),
            Need::Role(_) | Need::Caller | Need::Nothing | Need::ProofOfItsOwn => Ok(Some(admitted)),
        }
    }

    /// Who calls.
    fn recognise<B>(&self, request: &Request<B>) -> Result<Admitted, Refusal> {
        let Some(keeper) = &self.keeper else {
            let authentication = Authentication::LocalConnection;
            return Ok(Admitted { roles: Roles::all(), authentication, lease: None });
        };
        let register = keeper.register().ok_or(Refusal::Unreadable)?;
        let now = (self.now)();
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
        let lease = Lease { keeper: keeper.clone(), caller, now: self.now, refusal };
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

/// Lets a request in, or refuses it.
pub(crate) async fn guard(State(guard): State<Arc<Guard>>, mut request: Request<Body>, next: Next) -> Response<Body> {
    let is_grpc = is_grpc(&request);
    let admitted = match guard.admit(&request) {
        Ok(Some(admitted)) => admitted,
        Ok(None) => return next.run(request).await,
        Err(refusal) => return refusal.answer(is_grpc),
    };
    let Admitted { roles, authentication, lease } = admitted;
    // Nobody behind this needs it, and nobody shall log it.
    request.headers_mut().remove(AUTHORIZATION);
    request.extensions_mut().insert(Sight { payloads: roles.has(Role::Payload) });
    if roles.has(Role::Write) {
        request.extensions_mut().insert(Producer(authentication));
    }
    if roles.has(Role::Payload) {
        request.extensions_mut().insert(Seer);
    }
    if let Some(lease) = &lease {
        request.extensions_mut().insert(CallerName(lease.caller.entries.join(" ")));
    }
    if roles.has(Role::Operate) {
        let entries = lease.as_ref().map(|lease| lease.caller.entries.clone()).unwrap_or_default();
        request.extensions_mut().insert(Operator { authentication, entries });
    }
    let Some(lease) = lease else { return next.run(request).await };
    let answer = next.run(request.map(|body| lease::request(body, lease.clone()))).await;
    answer.map(|body| lease::answer(body, lease, is_grpc))
}
