//! Owns the questions that evidence answers, and which histories each needs: those that are asked for while it is answered,
//! and no others.

use std::collections::BTreeSet;

use counterfoil_proto::v1::{
    AbsenceQuestion, ChangeQuestion, Delivery, PeriodQuestion, Precision, StateQuestion, Time, evidence_manifest,
};

use super::histories::Histories;
use super::{Answer, Rejected, Step};
use crate::entity::EntityId;
use crate::fact::entity_set;
use crate::judge::Judge;
use crate::link::Change;
use crate::people::People;
use crate::people::recorded::{self, Recorded};
use crate::population::{self, Period};
use crate::replay::{changes_access, facts_of};
use crate::time::{self, Moment, OccurredAt, RecordedAt};
use crate::tree::TreeSize;

/// Entities whose absence one file may show, at most.
const ENTITIES_MAX: usize = 1_000;

/// A question.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Question {
    /// What an identity could do, with all that is theirs.
    State {
        /// Who.
        entity: EntityId,
        /// When; none for all that is recorded.
        at: Option<OccurredAt>,
        /// By what was recorded then; none for all that the seal covers.
        known_at: Option<RecordedAt>,
    },
    /// That nothing is recorded of these, in ascending order.
    Absence(BTreeSet<EntityId>),
    /// Which approval covers a change.
    Change {
        /// The record.
        record: u64,
        /// The number of the fact in it.
        fact: u32,
        /// By what was recorded then; none for all that the seal covers.
        known_at: Option<RecordedAt>,
    },
    /// What changed in a period, and that it is all.
    Period {
        /// The period.
        period: Period,
        /// By what was recorded then; none for all that the seal covers.
        known_at: Option<RecordedAt>,
    },
}

/// The one question of a manifest.
pub(super) enum Posed {
    Whose(evidence_manifest::Question),
    Period(PeriodQuestion),
}

impl Posed {
    /// None where there are none or two.
    pub(super) fn of(question: Option<evidence_manifest::Question>, period: Option<PeriodQuestion>) -> Option<Self> {
        match (question, period) {
            (Some(question), None) => Some(Self::Whose(question)),
            (None, Some(period)) => Some(Self::Period(period)),
            _ => None,
        }
    }

    /// As the fields of a manifest.
    pub(super) fn parts(self) -> (Option<evidence_manifest::Question>, Option<PeriodQuestion>) {
        match self {
            Self::Whose(question) => (Some(question), None),
            Self::Period(period) => (None, Some(period)),
        }
    }
}

impl Question {
    /// Reads a question.
    pub(super) fn read(posed: Posed) -> Result<Self, Rejected> {
        let malformed = |what: String| Rejected::malformed(Step::Manifest, what);
        let entity = |bytes: &[u8]| EntityId::from_bytes(bytes).map_err(|error| malformed(error.to_string()));
        let moment = |time: Option<Time>| match time {
            Some(time) if !time::is_valid(&time) => Err(malformed("the question has a time that is none".to_owned())),
            time => Ok(time.as_ref().map(Moment::of)),
        };
        match posed {
            Posed::Whose(evidence_manifest::Question::State(asked)) => Ok(Self::State {
                entity: entity(&asked.entity)?,
                at: moment(asked.at)?.map(OccurredAt),
                known_at: moment(asked.known_at)?.map(RecordedAt),
            }),
            Posed::Whose(evidence_manifest::Question::Absence(asked)) => {
                let entities = asked.entities.iter().map(|bytes| entity(bytes)).collect::<Result<Vec<_>, _>>()?;
                let is_ascending = entities.is_sorted_by(|one, other| one < other);
                match entities.len() {
                    1..=ENTITIES_MAX if is_ascending => Ok(Self::Absence(entities.into_iter().collect())),
                    _ => Err(malformed(format!("expected 1 to {ENTITIES_MAX} entities in ascending order"))),
                }
            }
            Posed::Whose(evidence_manifest::Question::Change(ChangeQuestion { record, fact, known_at })) => {
                Ok(Self::Change { record, fact, known_at: moment(known_at)?.map(RecordedAt) })
            }
            Posed::Period(PeriodQuestion { from, to, known_at }) => {
                let (from, to) = (moment(from)?.map(OccurredAt), moment(to)?.map(OccurredAt));
                let period = from.zip(to).and_then(|(from, to)| Period::new(from, to));
                let period = period.ok_or_else(|| {
                    malformed("expected a period that begins before it ends, got another or none".to_owned())
                })?;
                Ok(Self::Period { period, known_at: moment(known_at)?.map(RecordedAt) })
            }
        }
    }

    /// The question as the manifest has it.
    pub(super) fn posed(&self) -> Posed {
        let time = |moment: Moment| moment.to_time(Precision::Nanosecond);
        let known_at = self.known_at().map(|known_at| time(known_at.0));
        match self {
            Self::State { entity, at, .. } => Posed::Whose(evidence_manifest::Question::State(StateQuestion {
                entity: entity.as_bytes().to_vec(),
                at: at.map(|at| time(at.0)),
                known_at,
            })),
            Self::Absence(entities) => Posed::Whose(evidence_manifest::Question::Absence(AbsenceQuestion {
                entities: entities.iter().map(|entity| entity.as_bytes().to_vec()).collect(),
            })),
            Self::Change { record, fact, .. } => Posed::Whose(evidence_manifest::Question::Change(ChangeQuestion {
                record: *record,
                fact: *fact,
                known_at,
            })),
            Self::Period { period, .. } => Posed::Period(PeriodQuestion {
                from: Some(time(period.from().0)),
                to: Some(time(period.to().0)),
                known_at,
            }),
        }
    }

    /// The moment by the ledger's clock that it is asked as of.
    pub fn known_at(&self) -> Option<RecordedAt> {
        match self {
            Self::State { known_at, .. } | Self::Change { known_at, .. } | Self::Period { known_at, .. } => *known_at,
            Self::Absence(_) => None,
        }
    }

    /// The record that it is about.
    pub fn record(&self) -> Option<u64> {
        match self {
            Self::Change { record, .. } => Some(*record),
            Self::State { .. } | Self::Absence(_) | Self::Period { .. } => None,
        }
    }

    /// The period that it is about.
    pub fn period(&self) -> Option<Period> {
        match self {
            Self::Period { period, .. } => Some(*period),
            Self::State { .. } | Self::Absence(_) | Self::Change { .. } => None,
        }
    }
}

/// Answers a question by the first `known` records; none if it is about a fact that is not there, or was read again since.
/// Whose histories that needs, `recorded` has noted afterwards.
///
/// # Errors
/// Of whoever has the histories.
pub fn answer<H: recorded::Histories>(
    question: &Question,
    recorded: &Recorded<H>,
    known: TreeSize,
) -> Result<Option<Answer>, H::Error> {
    match question {
        Question::State { entity, at, .. } => {
            let moment = at.unwrap_or(OccurredAt(Moment::MAX));
            let covered = People::new(recorded).covered(entity, moment, known)?;
            let states = covered.entities().into_iter();
            let states = states.map(|of| Ok((of.clone(), recorded.state(&of, moment, known)?)));
            let states = states.collect::<Result<_, H::Error>>()?;
            Ok(Some(Answer::State { entity: entity.clone(), at: *at, covered, states }))
        }
        Question::Absence(entities) => {
            for entity in entities {
                recorded.records(entity)?;
            }
            Ok(Some(Answer::Absence(entities.iter().cloned().collect())))
        }
        Question::Change { record: index, fact: number, .. } => {
            let record = recorded.record(*index)?;
            // Whoever is named by a record is named by what was read again of it.
            for entity in entity_set(&record).iter().take(1) {
                recorded.records(entity)?;
            }
            let counts = recorded.counts(&record, known);
            let Some(fact) = facts_of(&record).nth(*number as usize).filter(|_| counts) else {
                return Ok(None);
            };
            let mut judge = Judge::new(recorded);
            let delivery = record.provenance.as_ref().map_or(Delivery::Unspecified, |provenance| provenance.delivery());
            let found = match changes_access(&fact) {
                true => {
                    let aliases = judge.beneficiary(&fact, known)?;
                    let change = Change::new(fact, delivery, aliases.entities());
                    Some(judge.judge(&change, &aliases, known)?)
                }
                false => None,
            };
            Ok(Some(Answer::Change { record: record.clone(), fact: *number, found }))
        }
        Question::Period { period, .. } => {
            let records = recorded.since(period.recorded_from())?;
            Ok(Some(Answer::Period { period: *period, population: population::of(*period, &records, known) }))
        }
    }
}

/// Answers the question of a file from its histories, all of which it has to need.
pub(super) fn check(question: &Question, histories: &Histories<'_>, known: TreeSize) -> Result<Answer, Rejected> {
    let recorded = Recorded::new(histories);
    let missing =
        || Rejected::falsified(Step::Closure, "the change that is asked about is not there, or was read again");
    let answer = answer(question, &recorded, known)?.ok_or_else(missing)?;
    let asked = recorded.asked();
    if let Some(entity) = histories.entities().find(|entity| !asked.contains(entity)) {
        let what = format!("the history of {entity} is there, and the question does not need it");
        return Err(Rejected::malformed(Step::Closure, what));
    }
    if let (Answer::Absence(_), (1.., _)) = (&answer, histories.present_and_absent()) {
        return Err(Rejected::falsified(Step::Closure, "one of those that are said to be absent has records"));
    }
    Ok(answer)
}
