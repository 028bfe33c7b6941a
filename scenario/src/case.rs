//! One ticket: what it asks for, how its approval went, when it was finished. Owns the dates that follow from these.
//! Knows nothing of the events in Okta.

use jiff::Timestamp;

use crate::approvals::{Answer, Course, Ending};
use crate::calendar::{days, minutes};
use crate::company::{Access, IdentityIndex};

/// One ticket, from opening to closing.
pub(crate) struct Case {
    /// The Freshservice id; assigned when all cases are known, in order of opening.
    pub(crate) number: u64,
    pub(crate) requester: IdentityIndex,
    pub(crate) beneficiary: IdentityIndex,
    /// Empty for an incident.
    pub(crate) items: Vec<Access>,
    /// It asks for any thing of the type of its items, and names none.
    pub(crate) is_for_any: bool,
    pub(crate) operation: Operation,
    pub(crate) from: Option<Timestamp>,
    pub(crate) until: Option<Timestamp>,
    pub(crate) subject: String,
    pub(crate) justification: &'static str,
    pub(crate) opened_at: Timestamp,
    pub(crate) ending: Ending,
    pub(crate) course: Course,
    /// When the last thing it asked for was done.
    pub(crate) finished_at: Option<Timestamp>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Operation {
    Add,
    Remove,
}

/// What is asked, by whom, for whom.
pub(crate) struct Request {
    pub(crate) requester: IdentityIndex,
    pub(crate) beneficiary: IdentityIndex,
    pub(crate) items: Vec<Access>,
    pub(crate) operation: Operation,
    pub(crate) subject: String,
    pub(crate) justification: &'static str,
    pub(crate) opened_at: Timestamp,
}

#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(crate) struct CaseIndex(pub(crate) usize);

impl Case {
    pub(crate) fn approved_at(&self) -> Option<Timestamp> {
        self.course.decided_at.filter(|_| self.ending == Ending::Approved)
    }

    /// Who said yes, in the order of their answers.
    pub(crate) fn approvers(&self) -> Vec<IdentityIndex> {
        let mut yes: Vec<_> = (self.course.approvals.iter())
            .filter_map(|row| {
                row.answer.filter(|(answer, _)| *answer == Answer::Approved).map(|(_, at)| (at, row.approver))
            })
            .collect();
        yes.sort();
        yes.into_iter().map(|(_, approver)| approver).collect()
    }

    /// When an approved ticket was resolved, a rejected one closed.
    pub(crate) fn resolved_at(&self) -> Option<Timestamp> {
        match self.ending {
            Ending::Approved => self
                .finished_at
                .max(self.course.decided_at)
                .filter(|_| self.finished_at.is_some())
                .map(|at| at + minutes(10)),
            Ending::Rejected => self.course.decided_at.map(|at| at + minutes(10)),
            Ending::Undecided => None,
        }
    }

    pub(crate) fn closed_at(&self) -> Option<Timestamp> {
        self.resolved_at().filter(|_| self.ending == Ending::Approved).map(|at| at + days(2))
    }
}
