//! The one verdict over all tickets that may cover a change.
//!
//! Owns which of several tickets counts, and when none does. It judges no single ticket (`link` does).

use counterfoil_proto::v1::{LinkRule, Verdict};

use crate::link::is_in_time;
use crate::score::Score;

/// By how many points the best of several tickets that merely fit has to be better than the next, for it to be meant.
pub const MARGIN_MIN: u32 = 10;

/// What one ticket says about a change, and how well it fits.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Finding {
    /// Whether it covers the change, and if not, why.
    pub verdict: Verdict,
    /// The points of a ticket that the change does not name; none of one that it does.
    pub score: Option<Score>,
}

/// The verdict over all tickets.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Overall {
    /// What they come to.
    pub verdict: Verdict,
    /// Of a ticket that was chosen by its points: by how many it is better than the next, or than none.
    pub margin: u32,
}

/// Puts what tickets say about a change into order, the best first, leaves out those that count for nothing beside better
/// ones, and gives what they come to. A change that names several tickets, or shares its request with several, is covered by
/// the best of them; of several that merely fit, one counts that fits clearly better than all others.
pub fn choose<T>(rule: LinkRule, tickets: &mut Vec<T>, of: impl Fn(&T) -> Finding) -> Overall {
    let verdict = |ticket: &T| of(ticket).verdict;
    let points = |ticket: &T| of(ticket).score.map_or(0, Score::total);
    if rule != LinkRule::Window {
        tickets.sort_by_key(|ticket| rank(verdict(ticket)));
        return Overall { verdict: tickets.first().map_or(Verdict::NoneRecorded, verdict), margin: 0 };
    }
    // What was approved in time leaves no doubt; what was approved late, none beside what never was.
    for is_preferred in [is_in_time, is_approved] {
        if tickets.iter().any(|ticket| is_preferred(verdict(ticket))) {
            tickets.retain(|ticket| is_preferred(verdict(ticket)));
        }
    }
    tickets.sort_by_key(|ticket| (std::cmp::Reverse(points(ticket)), rank(verdict(ticket))));
    match &tickets[..] {
        [] => Overall { verdict: Verdict::NoneRecorded, margin: 0 },
        [only] => Overall { verdict: verdict(only), margin: points(only) },
        [best, next, ..] => match points(best) - points(next) {
            margin @ MARGIN_MIN.. => Overall { verdict: verdict(best), margin },
            margin => Overall { verdict: Verdict::Ambiguous, margin },
        },
    }
}

fn is_approved(verdict: Verdict) -> bool {
    is_in_time(verdict) || verdict == Verdict::ApprovedLate
}

/// Whether a ticket is for the change at all, whatever became of its approval.
pub fn is_about_it(verdict: Verdict) -> bool {
    !matches!(verdict, Verdict::OtherBeneficiary | Verdict::OutOfScope | Verdict::OutOfWindow | Verdict::TicketUnknown)
}

fn rank(verdict: Verdict) -> u8 {
    match verdict {
        Verdict::Approved => 0,
        Verdict::ApprovedRecordedLate => 1,
        Verdict::ApprovedUnspecific => 2,
        Verdict::ApprovedLate => 3,
        Verdict::EditedAfterApproval => 4,
        Verdict::Pending => 5,
        Verdict::Rejected => 6,
        Verdict::OutOfWindow => 7,
        Verdict::OutOfScope => 8,
        Verdict::OtherBeneficiary => 9,
        _ => 10,
    }
}
