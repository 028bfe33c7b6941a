//! What whoever handed listings over is told: the same, whichever way they came.

use counterfoil_ledger::Head;
use counterfoil_proto::v1::{self, Completeness, SnapshotResponse};
use pbjson_types::Timestamp;

use super::{ListingSummary, Taken};
use crate::sources::receipt::basis;

/// What was taken, with a tree that holds the records.
pub fn response(taken: &Taken, head: &Head) -> SnapshotResponse {
    SnapshotResponse {
        basis: Some(basis(head)),
        listings: taken.listings.iter().map(message).collect(),
        strange: taken.strange,
        checkpoint: head.checkpoint.to_vec(),
    }
}

fn message(listing: &ListingSummary) -> v1::ListingSummary {
    let completeness = if listing.is_complete { Completeness::Complete } else { Completeness::Incomplete };
    v1::ListingSummary {
        scope: listing.scope.to_string(),
        completeness: completeness.into(),
        reason: listing.reason.to_owned(),
        as_of: Some(Timestamp {
            seconds: listing.as_of.seconds,
            nanos: i32::try_from(listing.as_of.nanos).unwrap_or_default(),
        }),
        pages: listing.pages,
        count: listing.count,
        events: listing.events,
        duplicates: listing.duplicates,
        rejected: listing.rejected,
        facts: listing.facts,
        begin: listing.begin.0,
        end: listing.end.0,
    }
}
