//! How well a ticket that a change does not name fits it, in points.
//!
//! Owns what each likeness is worth. It makes no ticket cover a change (`link` does), and chooses none (`verdict` does).

use crate::link::{Candidate, Change};

/// The ticket is for the very account, person or identifier that the change names; or for one that is linked with it.
pub const SAME_BENEFICIARY: u32 = 40;
/// See [`SAME_BENEFICIARY`].
pub const LINKED_BENEFICIARY: u32 = 30;
/// The ticket asks for the very thing, by its id; by its name, which may be that of several; or for any of its type.
pub const SAME_ENTITLEMENT: u32 = 40;
/// See [`SAME_ENTITLEMENT`].
pub const NAMED_ENTITLEMENT: u32 = 30;
/// See [`SAME_ENTITLEMENT`].
pub const TYPE_OF_ENTITLEMENT: u32 = 15;
/// How soon after the decision the change came, in seconds, and what that is worth. It is never enough to choose by: who
/// executes a ticket late is no worse.
pub const TIMES: [(i64, u32); 3] = [(3_600, 9), (24 * 3_600, 6), (7 * 24 * 3_600, 3)];

/// The points of one ticket.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Score {
    /// For whom it is.
    pub beneficiary: u32,
    /// For what it is.
    pub entitlement: u32,
    /// When it was decided.
    pub time: u32,
}

impl Score {
    /// The points of a ticket that fits a change.
    pub fn of(change: &Change<'_>, candidate: &Candidate<'_>) -> Self {
        let ticket = candidate.history.approved();
        let beneficiary = if change.names_any_of(&ticket.beneficiary) { SAME_BENEFICIARY } else { LINKED_BENEFICIARY };
        let entitlement = ticket.items.iter().filter_map(|asked| change.likeness(asked)).max().unwrap_or_default();
        let since = change.fact.evidence.occurred_at().0.seconds - candidate.history.decided_at().seconds;
        let time = TIMES.iter().find(|(within, _)| (0..=*within).contains(&since)).map_or(0, |(_, points)| *points);
        Self { beneficiary, entitlement, time }
    }

    /// All points.
    pub fn total(self) -> u32 {
        self.beneficiary + self.entitlement + self.time
    }
}
