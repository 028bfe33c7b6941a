//! Who is asked, on which levels, and when each of them answers. Owns the rule by which answers become a decision,
//! as Freshservice has it. Knows nothing of what is being approved.

use jiff::Timestamp;

use crate::calendar::{minutes, working};
use crate::company::IdentityIndex;
use crate::random::Random;

/// The answers, and when they became a decision.
#[derive(Clone)]
pub(crate) struct Course {
    pub(crate) approvals: Vec<Approval>,
    pub(crate) decided_at: Option<Timestamp>,
}

/// One row: one approver on one level.
#[derive(Clone)]
pub(crate) struct Approval {
    pub(crate) approver: IdentityIndex,
    /// Whoever was to answer in the approver's place.
    pub(crate) delegate: Option<IdentityIndex>,
    pub(crate) level: u8,
    pub(crate) quorum: Quorum,
    pub(crate) asked_at: Timestamp,
    pub(crate) answer: Option<(Answer, Timestamp)>,
}

/// How many of a level have to say yes; the number is Freshservice's `approval_type`.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Quorum {
    Everyone = 1,
    Anyone = 2,
    Majority = 3,
}

/// The number is Freshservice's `approval_status.id`; 0 is a row nobody has answered.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Answer {
    Approved = 1,
    Rejected = 2,
    /// By the system, when the others had decided.
    Cancelled = 3,
}

#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Panel {
    /// One approver.
    Single,
    /// One approver, then another.
    TwoLevels,
    /// Two approvers, both needed.
    Everyone,
    /// Three approvers, two needed.
    Majority,
}

impl Panel {
    /// Most often one approver, and never more than there are.
    pub(crate) fn any(random: &mut Random, approvers: usize) -> Panel {
        match random.below(20) {
            0..4 if approvers >= 2 => Panel::TwoLevels,
            4..6 if approvers >= 2 => Panel::Everyone,
            6..8 if approvers >= 3 => Panel::Majority,
            _ => Panel::Single,
        }
    }
}

/// How it is to end.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Ending {
    Approved,
    Rejected,
    /// Somebody never answers.
    Undecided,
}

/// How long people take.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Pace {
    /// Twenty minutes to twenty hours, in working hours.
    Usual,
    /// Minutes, at any hour: the days of the migration.
    Prompt,
}

/// Lets `approvers` (as many as the panel needs) answer from `asked_at` on.
pub(crate) fn decide(
    random: &mut Random,
    approvers: &[IdentityIndex],
    panel: Panel,
    ending: Ending,
    pace: Pace,
    asked_at: Timestamp,
) -> Course {
    let first_at = wait(random, pace, asked_at);
    let second_at = wait(random, pace, first_at);
    let last = |at| match ending {
        Ending::Approved => Some((Answer::Approved, at)),
        Ending::Rejected => Some((Answer::Rejected, at)),
        Ending::Undecided => None,
    };
    let row = |n: usize, level, quorum, asked_at, answer| Approval {
        approver: approvers[n],
        delegate: None,
        level,
        quorum,
        asked_at,
        answer,
    };
    let yes = Some((Answer::Approved, first_at));
    let (approvals, decided_at) = match panel {
        Panel::Single => (vec![row(0, 1, Quorum::Anyone, asked_at, last(first_at))], first_at),
        Panel::TwoLevels => {
            let second = row(1, 2, Quorum::Anyone, first_at, last(second_at));
            (vec![row(0, 1, Quorum::Anyone, asked_at, yes), second], second_at)
        }
        Panel::Everyone => {
            let second = row(1, 1, Quorum::Everyone, asked_at, last(second_at));
            (vec![row(0, 1, Quorum::Everyone, asked_at, yes), second], second_at)
        }
        Panel::Majority => {
            // The first two decide; the third is overruled, or is no longer asked.
            let (first, third) = match ending {
                Ending::Approved if random.chance(50) => (yes, Some((Answer::Rejected, first_at + minutes(4)))),
                Ending::Approved => (yes, Some((Answer::Cancelled, second_at))),
                Ending::Rejected => (last(first_at), Some((Answer::Cancelled, second_at))),
                Ending::Undecided => (yes, None),
            };
            let row = |n, answer| row(n, 1, Quorum::Majority, asked_at, answer);
            (vec![row(0, first), row(1, last(second_at)), row(2, third)], second_at)
        }
    };
    Course { approvals, decided_at: (ending != Ending::Undecided).then_some(decided_at) }
}

fn wait(random: &mut Random, pace: Pace, from: Timestamp) -> Timestamp {
    match pace {
        Pace::Usual => {
            let at = from + minutes(random.between(20, 20 * 60));
            working(random, at)
        }
        Pace::Prompt => from + minutes(random.between(5, 90)),
    }
}
