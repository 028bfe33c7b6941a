//! How a run ends, and why a question was not asked.

use std::fmt;
use std::process::ExitCode;

use tonic::Code;

use crate::client::NoAnswer;

/// How a run ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Exit {
    /// Done.
    Done,
    /// It failed; for fsck: the ledger is falsified.
    Failed,
    /// The command line is wrong.
    Wrong,
    /// For fsck: the ledger cannot be read.
    Unreadable,
    /// Nothing fits the name, id or number.
    NotFound,
    /// Several entities fit the name.
    Ambiguous,
}

impl Exit {
    /// How a run ends that failed.
    pub fn of(error: &anyhow::Error) -> Self {
        match error.downcast_ref::<Refused>() {
            Some(Refused::Wrong(_)) => return Self::Wrong,
            Some(Refused::NotFound(_)) => return Self::NotFound,
            None => {}
        }
        let code = match error.downcast_ref::<NoAnswer>() {
            Some(NoAnswer(status)) => status.code(),
            None => return Self::Failed,
        };
        match code {
            Code::NotFound => Self::NotFound,
            Code::InvalidArgument | Code::OutOfRange => Self::Wrong,
            _ => Self::Failed,
        }
    }
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(match exit {
            Exit::Done => 0,
            Exit::Failed => 1,
            Exit::Wrong | Exit::Unreadable => 2,
            Exit::NotFound => 3,
            Exit::Ambiguous => 4,
        })
    }
}

/// Why a question is not asked, or has no answer.
#[derive(Debug)]
pub enum Refused {
    /// The command line is wrong in a way that its parser does not see.
    Wrong(String),
    /// Nothing fits what was given.
    NotFound(String),
}

impl std::error::Error for Refused {}

impl fmt::Display for Refused {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (Self::Wrong(why) | Self::NotFound(why)) = self;
        f.write_str(why)
    }
}
