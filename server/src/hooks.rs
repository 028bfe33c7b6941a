//! Documents that are posted: `/v1/ingest/CONNECTOR` for producers who were let in, and
//! `/v1/ingest/CONNECTOR/SOURCE` for the webhooks of a system, which show by themselves who they are.
//!
//! Owns the requests: their limits, how many a source may make, and the handshake by which Okta checks that a hook is
//! wanted. What is in them is `ingest::sources::http`'s to say.

use std::collections::HashMap;
use std::sync::Arc;

use axum::body::Body;
use axum::extract::{FromRequestParts, Path, Query, Request};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use axum::{Json, Router};
use counterfoil_ingest::intake::{BYTES_MAX, Intake};
use counterfoil_ingest::sources::grpc::{Producer, producer};
use counterfoil_ingest::sources::http::{self as source, CONTENT_TYPES, Hook, Told};
use counterfoil_query::services::{invalid, problem, shown};
use governor::clock::{Clock, DefaultClock};
use governor::{DefaultDirectRateLimiter, Quota};
use http::HeaderValue;
use http::request::Parts;
use serde_json::json;
use tonic::{Code, Status};

use crate::json::body;
use crate::json::problem::Problem;
use crate::room::Room;

/// The path of producers.
pub(crate) const PUSH_PATH: &str = "/v1/ingest/{connector}";
/// The path of hooks.
pub(crate) const HOOK_PATH: &str = "/v1/ingest/{connector}/{source}";
/// What Okta sends once, to be sent back.
const CHALLENGE: &str = "x-okta-verification-challenge";
/// The longest challenge that is sent back.
const CHALLENGE_BYTES_MAX: usize = 1_024;

/// The hooks, and the way in.
struct Hooks {
    intake: Arc<Intake>,
    room: Room,
    hooks: HashMap<String, (Hook, DefaultDirectRateLimiter)>,
}

/// Adds their paths.
pub(crate) fn add_to(router: Router, intake: Arc<Intake>, room: Room, hooks: Vec<Hook>) -> Router {
    let limited = |hook: Hook| {
        let limiter = DefaultDirectRateLimiter::direct(Quota::per_minute(hook.per_minute));
        (hook.name.clone(), (hook, limiter))
    };
    let hooks = hooks.into_iter().map(limited).collect();
    let posted = Arc::new(Hooks { intake, room, hooks });
    let (pushed, verified) = (posted.clone(), posted.clone());
    router
        .route(PUSH_PATH, post(move |request: Request| async move { pushed.push(request).await.into_response() }))
        .route(
            HOOK_PATH,
            post(move |request: Request| async move { posted.hook(request).await.into_response() })
                .merge(get(move |request: Request| async move { verified.verify(request).await.into_response() })),
        )
}

impl Hooks {
    /// A body of a producer who was let in.
    async fn push(&self, request: Request) -> Result<Response, Problem> {
        let (mut parts, content) = request.into_parts();
        let Producer(authentication) = producer(&parts.extensions)?;
        let connector: String = path(&mut parts).await?;
        let told = told(&parts)?;
        let content = self.read(&parts, content).await?;
        let _taken = content.taken();
        let receipt = source::receive(self.intake.clone(), connector, told, &parts.headers, content, authentication);
        Ok(Json(receipt.await?).into_response())
    }

    /// A body of a hook.
    async fn hook(&self, request: Request) -> Result<Response, Problem> {
        let (mut parts, content) = request.into_parts();
        let (hook, limiter) = self.find(&mut parts).await?;
        let told = told(&parts)?;
        for (field, name) in [("instance", &told.instance), ("ticket_instance", &told.ticket_instance)] {
            if !name.is_empty() {
                return Err(invalid(field, "it stands in the configuration of the source".to_owned()).into());
            }
        }
        hook.check.headers(&parts.headers, self.intake.now()).map_err(refused)?;
        let content = self.read(&parts, content).await?;
        let _taken = content.taken();
        let authentication = hook.check.whole(&parts.headers, content.as_ref(), self.intake.now()).map_err(refused)?;
        if let Err(early) = limiter.check() {
            let why = format!("source {} may make {} requests in a minute", hook.name, hook.per_minute);
            let status = problem(Code::ResourceExhausted, "RATE_LIMITED", why);
            return Err(Problem::from(status).retry_after(early.wait_time_from(DefaultClock::default().now())));
        }
        let (instance, ticket_instance) = (hook.instance.clone(), hook.ticket_instance.clone());
        let told = Told { instance, ticket_instance, ..told };
        let connector = hook.connector.clone();
        let receipt = source::receive(self.intake.clone(), connector, told, &parts.headers, content, authentication);
        Ok(Json(receipt.await?).into_response())
    }

    /// Okta's question whether a hook is wanted here.
    async fn verify(&self, request: Request) -> Result<Response, Problem> {
        let (mut parts, content) = request.into_parts();
        body::refuse(&content)?;
        self.find(&mut parts).await?;
        let challenge = parts.headers.get(CHALLENGE).and_then(|value| value.to_str().ok());
        match challenge.filter(|challenge| challenge.len() <= CHALLENGE_BYTES_MAX) {
            Some(challenge) => Ok(Json(json!({"verification": challenge})).into_response()),
            None => {
                let why = "expected the header X-Okta-Verification-Challenge: events are sent with POST";
                Err(Status::invalid_argument(why).into())
            }
        }
    }

    /// The hook that the path names.
    async fn find(&self, parts: &mut Parts) -> Result<&(Hook, DefaultDirectRateLimiter), Problem> {
        let (connector, name): (String, String) = path(parts).await?;
        let found = self.hooks.get(&name).filter(|(hook, _)| hook.connector == connector);
        let missing = || {
            let why = format!("no source {} is configured for the connector {}", shown(&name), shown(&connector));
            Problem::from(problem(Code::NotFound, "NO_SUCH_SOURCE", why))
        };
        found.ok_or_else(missing)
    }

    async fn read(&self, parts: &Parts, content: Body) -> Result<body::Held, Problem> {
        body::check_type(&parts.headers, &CONTENT_TYPES)?;
        body::read(&self.room, content, BYTES_MAX).await
    }
}

async fn path<T: serde::de::DeserializeOwned + Send>(parts: &mut Parts) -> Result<T, Problem> {
    let read = Path::from_request_parts(parts, &()).await;
    read.map(|Path(read)| read).map_err(|error| Status::invalid_argument(error.to_string()).into())
}

fn told(parts: &Parts) -> Result<Told, Problem> {
    let read = Query::try_from_uri(&parts.uri);
    read.map(|Query(told)| told).map_err(|error| Status::invalid_argument(error.body_text()).into())
}

fn refused(why: source::Refusal) -> Problem {
    let status = problem(Code::Unauthenticated, "NOT_THE_SOURCE", why.to_string());
    Problem::from(status).challenge(HeaderValue::from_static("Bearer"))
}
