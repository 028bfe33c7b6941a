//! What a caller is told of the server's own troubles.
//!
//! Owns that no answer names what lies on the server's disk, or quotes what its storage says: only its operator can mend
//! that, and finds it in the log. The caller is told the code and the reason. Whoever asks over a folder of its own is its
//! own operator, and is told everything.

use axum::body::Body;
use axum::response::Response;
use counterfoil_query::services::{problem, reason_of};
use http::HeaderMap;
use http_body::Frame;
use http_body_util::BodyExt;
use tonic::Status;

use crate::json::problem::name;

/// The reasons of such troubles: what they quote may be an error of the disk. What else is wrong is the caller's affair,
/// such as a message that cannot be decoded.
const REASONS: [&str; 7] = ["ANCHOR_MOVED", "BACKUP", "CLOSED", "LEDGER", "STORAGE", "VIEWS_DAMAGED", "VIEWS_IN_USE"];
/// What is told instead.
const TOLD: &str = "this failed on the server: its operator finds the reason in its log";

/// The status that a caller gets. What it leaves out is logged.
pub(crate) fn status(status: Status) -> Status {
    hide(&status).unwrap_or(status)
}

/// An answer over gRPC, whose status stands in its head or behind its messages.
pub(crate) fn answer(response: Response) -> Response {
    if let Some(given) = Status::from_header_map(response.headers()) {
        return hide(&given).map_or(response, Status::into_http);
    }
    response.map(|body| {
        Body::new(body.map_frame(|frame| match frame.into_trailers() {
            Ok(trailers) => Frame::trailers(behind(trailers)),
            Err(data) => data,
        }))
    })
}

/// The status behind the messages of an answer.
fn behind(mut trailers: HeaderMap) -> HeaderMap {
    if let Some(hidden) = Status::from_header_map(&trailers).and_then(|given| hide(&given)) {
        trailers.clear();
        // It was read from such headers, and fits into them.
        let _ = hidden.add_header(&mut trailers);
    }
    trailers
}

/// What is told instead of a status that only the operator can make use of.
fn hide(status: &Status) -> Option<Status> {
    let reason = reason_of(status).filter(|reason| REASONS.contains(&reason.as_str()))?;
    if status.message() == TOLD {
        return None;
    }
    tracing::error!(reason, code = name(status.code()), error = status.message(), "a request failed");
    // Not with the same details: they hold the message too.
    Some(problem(status.code(), &reason, TOLD))
}

#[cfg(test)]
mod tests {
    use tonic::Code;

    use super::*;

    const PATH: &str = "read or write /srv/audit/ledger.anchor";

    #[test]
    fn the_reason_is_told_and_the_place_is_not() {
        for (code, reason, is_own) in [
            (Code::Internal, "STORAGE", true),
            (Code::Internal, "LEDGER", true),
            (Code::Unavailable, "CLOSED", true),
            (Code::DataLoss, "VIEWS_DAMAGED", true),
            (Code::DataLoss, "FALSIFIED", false),
            (Code::InvalidArgument, "INVALID_FIELD", false),
            (Code::Unavailable, "CLOCK_JUMPED", false),
        ] {
            let given = problem(code, reason, PATH);
            let told = status(given);
            assert_eq!((told.code(), reason_of(&told).as_deref()), (code, Some(reason)));
            assert_eq!(told.message(), if is_own { TOLD } else { PATH }, "{reason}");
            assert_eq!(String::from_utf8_lossy(told.details()).contains(PATH), !is_own, "{reason}: nor in its details");
        }
        assert_eq!(status(Status::internal("failed to decode")).message(), "failed to decode");
    }

    #[tokio::test]
    async fn a_status_is_found_wherever_it_stands() {
        let failed = || problem(Code::Internal, "STORAGE", PATH);
        let head = answer(failed().into_http());
        assert_eq!(Status::from_header_map(head.headers()).unwrap().message(), TOLD);
        let mut trailers = HeaderMap::new();
        failed().add_header(&mut trailers).unwrap();
        let frames = [Ok::<_, std::convert::Infallible>(Frame::trailers(trailers))];
        let body = http_body_util::StreamBody::new(tokio_stream::iter(frames));
        let collected = answer(Response::new(Body::new(body))).into_body().collect().await.unwrap();
        let told = Status::from_header_map(collected.trailers().unwrap()).unwrap();
        assert_eq!((told.message(), reason_of(&told).as_deref()), (TOLD, Some("STORAGE")));
    }
}
