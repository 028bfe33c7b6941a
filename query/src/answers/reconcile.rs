//! Live access against the log and the approvals, for all listings of a system.
//!
//! Owns which listings count, and the message. What is found of an access is `verify::reconcile`'s to say.

use std::collections::BTreeSet;

use counterfoil_proto::v1::{
    EntityKind, ReconcileKind, ReconcileResponse, ReconcileTotals, ReconciledItem, ReconciledListing,
};
use counterfoil_verify::entity::EntityId;
use counterfoil_verify::listing::Listing;
use counterfoil_verify::reconcile::{Line, Taken, Totals, reconcile};
use counterfoil_verify::scope::Coverage;
use counterfoil_verify::state::{EndState, ListingsState};
use counterfoil_verify::time::{Moment, OccurredAt, RecordedAt};
use counterfoil_verify::tree::{RecordIndex, TreeSize};

use crate::answers::Query;
use crate::answers::convert::{evidence, optional_timestamp, timestamp};
use crate::answers::judge::Judge;
use crate::answers::live::{Gathered, Gatherer};
use crate::answers::parties::Parties;
use crate::error::Result;
use crate::views::{names, sources};

/// Why a complete listing cannot be compared: its list is not beside its end any more.
const LIST_GONE: &str = "list-gone";
/// Why a scope has no listing: one began and never ended.
const NEVER_ENDED: &str = "never-ended";

/// What one scope came to: each access with the records that it rests on.
#[derive(Default)]
struct Compared {
    listing: ReconciledListing,
    totals: Totals,
    lines: Vec<(Line, BTreeSet<u64>)>,
}

impl<'a> Query<'a> {
    /// Compares the last complete listing of each scope of a system, at a moment or before it, with the log and the
    /// approvals around the time when it was taken.
    pub fn reconcile(
        &self,
        system: &str,
        instance: Option<&str>,
        at: OccurredAt,
        known: Option<RecordedAt>,
    ) -> Result<ReconcileResponse> {
        let size = self.known_size(known)?;
        let mut response = ReconcileResponse {
            basis: Some(self.basis()),
            moment: Some(self.moment(Some(at), known, size)?),
            system: system.to_owned(),
            ..ReconcileResponse::default()
        };
        let parties = self.parties(size);
        let mut judge = self.judge();
        let mut total = Totals::default();
        let mut items: Vec<Vec<ReconciledItem>> = Vec::new();
        for scope in self.scopes(system, instance, size)? {
            let Some(listings) = self.replayed(&scope, at, size)?.listings else { continue };
            let compared = self.reconcile_scope(&scope, &listings, size, &mut judge)?;
            let lines = compared.lines.into_iter();
            let reconciled = lines.map(|(line, records)| parties.reconciled(&line, &scope, records));
            items.push(reconciled.collect::<Result<_>>()?);
            total.add(&compared.totals);
            response.listings.push(compared.listing);
        }
        // Moved once: a list that grows is moved again and again, and is large.
        response.items.reserve_exact(items.iter().map(Vec::len).sum());
        items.into_iter().for_each(|items| response.items.extend(items));
        response.total = Some(message(&total));
        Ok(response)
    }

    /// The scopes of the listings of a system.
    fn scopes(&self, system: &str, instance: Option<&str>, size: TreeSize) -> Result<Vec<EntityId>> {
        let is_meant = |(of, at): &(String, String)| {
            of.eq_ignore_ascii_case(system) && instance.is_none_or(|instance| at == instance)
        };
        let places: BTreeSet<(String, String)> =
            sources::objects(&self.view)?.into_keys().map(|(system, instance, _)| (system, instance)).collect();
        let mut scopes = Vec::new();
        for (system, instance) in places.into_iter().filter(is_meant) {
            scopes.extend(names::of_kind(&self.view, EntityKind::SnapshotScope, (&system, &instance), "", size)?);
        }
        scopes.sort_by(|one, other| (one.instance(), one.native_id()).cmp(&(other.instance(), other.native_id())));
        Ok(scopes)
    }

    fn reconcile_scope<'q>(
        &'q self,
        scope: &EntityId,
        listings: &ListingsState,
        size: TreeSize,
        judge: &mut Judge<'q, 'a>,
    ) -> Result<Compared> {
        let later_incomplete = listings.is_open() || listings.ended != listings.complete;
        let mut message = ReconciledListing { scope: scope.to_string(), later_incomplete, ..Default::default() };
        let read = listings.complete.as_ref().map(|end| self.listing(end)).transpose()?;
        let (Some(end), Some(Some(listing)), Some(coverage)) = (&listings.complete, read, Coverage::of(scope)) else {
            let reason = match (&listings.complete, &listings.ended) {
                (Some(_), _) => LIST_GONE,
                (None, Some(ended)) => &ended.reason,
                (None, None) => NEVER_ENDED,
            };
            message.reason = reason.to_owned();
            return Ok(Compared { listing: message, ..Compared::default() });
        };
        let to = end.evidence.occurred_at().0;
        let taken = Taken { from: end.as_of.as_ref().map_or(to, Moment::of), to };
        let Gathered { known, mut records } =
            Gatherer::new(self, judge, taken, size).gather(&coverage, (scope.system(), scope.instance()), &listing)?;
        let (lines, totals) = reconcile(&listing, &known, true, &taken);
        message = ReconciledListing {
            complete: true,
            reason: end.reason.clone(),
            as_of: optional_timestamp(&end.as_of),
            ended_at: Some(timestamp(to)),
            end: Some(evidence(&end.evidence)),
            count: end.count,
            totals: Some(self::message(&totals)),
            ..message
        };
        let rests_on = |line: Line| {
            let mut rests_on = records.remove(&line.item.key()).unwrap_or_default();
            rests_on.insert(end.evidence.index);
            (line, rests_on)
        };
        Ok(Compared { listing: message, totals, lines: lines.into_iter().map(rests_on).collect() })
    }

    /// The list beside the end of a listing; none where it is not there any more.
    pub(crate) fn listing(&self, end: &EndState) -> Result<Option<Listing>> {
        let beside = self.read_beside(RecordIndex(end.evidence.index))?;
        let content = beside.and_then(|beside| beside.payload).map(|payload| payload.content).unwrap_or_default();
        Ok(Listing::from_bytes(&content).ok().filter(|listing| listing.count() == end.count))
    }
}

impl Parties<'_, '_> {
    fn reconciled(&self, line: &Line, scope: &EntityId, records: BTreeSet<u64>) -> Result<ReconciledItem> {
        let access = &line.known.access;
        let change = if line.kind == ReconcileKind::Revoked { access.revoked } else { access.given_by() };
        Ok(ReconciledItem {
            kind: line.kind.into(),
            subject: Some(self.party(&line.item.subject)?),
            object: line.item.object.as_ref().map(|object| self.party(object)).transpose()?,
            scope: line.item.scope.clone(),
            listing: scope.to_string(),
            verdict: line.known.approval.verdict.into(),
            change: change.as_ref().map(evidence),
            until: line.known.ends_at().map(timestamp),
            records: records.into_iter().collect(),
        })
    }
}

fn message(totals: &Totals) -> ReconcileTotals {
    ReconcileTotals {
        approved: totals.of(ReconcileKind::Approved),
        unapproved: totals.of(ReconcileKind::Unapproved),
        unrecorded: totals.of(ReconcileKind::Unrecorded),
        expired: totals.of(ReconcileKind::Expired),
        revoked: totals.of(ReconcileKind::Revoked),
        no_access: totals.no_access,
        missing: totals.of(ReconcileKind::Missing),
    }
}
