//! Listings that are posted: `/v1/snapshots/CONNECTOR`, a form whose parts are files of pages (RFC 7578).
//!
//! Owns the form, and that what is said about the pages stands in the query, by the fields of `SnapshotOptions`. What is in
//! them is `ingest::sources::pages`' to say.

use std::sync::Arc;

use axum::body::Body;
use axum::extract::multipart::MultipartError;
use axum::extract::{DefaultBodyLimit, FromRequest, FromRequestParts, Multipart, Query, RawPathParams, Request};
use axum::response::{IntoResponse, Response};
use axum::routing::post;
use axum::{Json, Router};
use counterfoil_ingest::sources::grpc::{Producer, producer};
use counterfoil_ingest::sources::pages::{Listings, PAGES_MAX, RUN_BYTES_MAX, Run};
use counterfoil_proto::v1::SnapshotOptions;
use counterfoil_query::services::{invalid, shown};
use http::header::CONTENT_ENCODING;
use http::request::Parts;
use prost_reflect::{DescriptorPool, MessageDescriptor};
use tonic::Status;

use crate::ServerError;
use crate::json::problem::Problem;
use crate::json::{body, fields};
use crate::room::Room;

/// The path of listings.
pub(crate) const SNAPSHOT_PATH: &str = "/v1/snapshots/{connector}";
/// The content type of bodies.
pub(crate) const FORM: &str = "multipart/form-data";
/// The name of every part.
pub(crate) const PART: &str = "page";
/// The largest body: all pages, and what stands around each.
const BODY_BYTES_MAX: usize = RUN_BYTES_MAX + PAGES_MAX * 1_024;

/// The way in.
struct Snapshots {
    listings: Listings,
    room: Room,
    options: MessageDescriptor,
}

/// Adds their path.
///
/// # Errors
/// [`ServerError::Methods`] if the descriptors are damaged, which is a defect.
pub(crate) fn add_to(
    router: Router,
    pool: &DescriptorPool,
    listings: Listings,
    room: Room,
) -> Result<Router, ServerError> {
    let posted = Arc::new(Snapshots { listings, room, options: options(pool)? });
    let take = move |request: Request| async move { posted.take(request).await.into_response() };
    // Bodies are limited here.
    Ok(router.route(SNAPSHOT_PATH, post(take).layer(DefaultBodyLimit::disable())))
}

/// What may be said about pages.
///
/// # Errors
/// [`ServerError::Methods`] if it is not in the descriptors, which is a defect.
pub(crate) fn options(pool: &DescriptorPool) -> Result<MessageDescriptor, ServerError> {
    let name = "counterfoil.v1.SnapshotOptions";
    let missing = || ServerError::Methods(format!("{name} is not in the descriptors"));
    pool.get_message_by_name(name).ok_or_else(missing)
}

impl Snapshots {
    async fn take(&self, request: Request) -> Result<Response, Problem> {
        let (mut parts, content) = request.into_parts();
        let Producer(authentication) = producer(&parts.extensions)?;
        body::check_type(&parts.headers, &[FORM])?;
        if parts.headers.get(CONTENT_ENCODING).is_some_and(|encoding| encoding != "identity") {
            let why = "expected identity: pages may be compressed, each by itself, but not the form";
            return Err(invalid("Content-Encoding", why.to_owned()).into());
        }
        let told = self.told(&mut parts).await?;
        let mut run = self.listings.begin(told, authentication)?;
        let taken = Arc::new(self.room.begin());
        let content = body::count(content, taken.clone(), BODY_BYTES_MAX);
        body::in_time(collect(Request::from_parts(parts, content), &mut run)).await.map_err(body::refused)?;
        Ok(Json(run.take(taken).await?).into_response())
    }

    /// What is said about the pages.
    async fn told(&self, parts: &mut Parts) -> Result<SnapshotOptions, Status> {
        let in_path = RawPathParams::from_request_parts(parts, &()).await;
        let in_path = in_path.map_err(|error| Status::invalid_argument(error.to_string()))?;
        let in_query: Result<Query<Vec<(String, String)>>, _> = Query::try_from_uri(&parts.uri);
        let Query(in_query) = in_query.map_err(|error| Status::invalid_argument(error.to_string()))?;
        let in_query = in_query.iter().map(|(name, text)| (name.as_str(), text.as_str()));
        let told = fields::gather(&self.options, in_path.iter(), in_query)?;
        serde_json::from_value(told).map_err(|error| Status::invalid_argument(error.to_string()))
    }
}

/// Adds the pages of a form to a run.
async fn collect(request: Request<Body>, run: &mut Run) -> Result<(), Status> {
    let form = Multipart::from_request(request, &()).await;
    let mut form = form.map_err(|error| invalid("Content-Type", error.body_text()))?;
    while let Some(mut part) = form.next_field().await.map_err(broken)? {
        if part.name() != Some(PART) {
            let name = shown(part.name().unwrap_or_default());
            return Err(invalid("body", format!("expected parts called {PART}, each a file of pages, got {name}")));
        }
        let name = part.file_name().unwrap_or_default().to_owned();
        let mut bytes = Vec::new();
        while let Some(data) = part.chunk().await.map_err(broken)? {
            run.check(&name, bytes.len() + data.len())?;
            bytes.extend_from_slice(&data);
        }
        run.add(name, bytes)?;
    }
    Ok(())
}

/// What is wrong with a form: what was found out on the way, or how it is written.
fn broken(error: MultipartError) -> Status {
    let why = error.body_text();
    Status::try_from_error(error.into())
        .unwrap_or_else(|_| invalid("body", format!("the form cannot be read: {why}: send it again")))
}
