//! The changes that gave access, each with its approval, page by page.
//!
//! Owns which of them are listed. It judges nothing itself: `explain` does.

use std::collections::BTreeSet;

use counterfoil_proto::Shared;
use counterfoil_proto::v1::{EntityKind, Explanation, FactKind, ListExplanationsResponse, Party, Verdict};
use counterfoil_verify::entity::EntityId;
use counterfoil_verify::link::is_in_time;
use counterfoil_verify::replay::facts_of;
use counterfoil_verify::time::{OccurredAt, RecordedAt};
use counterfoil_verify::tree::TreeSize;

use crate::answers::judge::Judge;
use crate::answers::pages::{Page, Question, occurred_part, recorded_part};
use crate::answers::{Period, Query, Wanted};
use crate::error::{QueryError, Result};
use crate::views::changes;
use crate::views::keys::{Position, first_at, position_bytes, read_position};

/// The most explanations of a page.
const PAGE_EXPLANATIONS_MAX: usize = 1_000;
/// The most changes that are explained for one page: a page that finds few of them wanted ends early.
const PAGE_CHANGES_MAX: usize = 5_000;

/// Which of the changes to list.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ExplainFilter {
    /// Every change that gave access.
    All,
    /// Those that no approval is shown to have preceded: every verdict but approved and approved, recorded late.
    Unapproved,
}

impl ExplainFilter {
    fn wants(self, verdict: Verdict) -> bool {
        self == Self::All || !is_in_time(verdict)
    }
}

/// Which page of which changes to list.
#[derive(Clone, Debug, PartialEq)]
pub struct ExplanationsRequest {
    /// Which of them by their approval.
    pub which: ExplainFilter,
    /// When they happened.
    pub period: Period,
    /// Which records count.
    pub known: Option<RecordedAt>,
    /// Only what these have executed: an id, an identifier or a name. Empty for everybody.
    pub by: String,
    /// Only what is about the access of these. Empty for everybody.
    pub for_whom: String,
    /// Of an account these mean all that is the same person's; a person is always meant so.
    pub person: bool,
    /// Only changes with these verdicts; all, if there are none.
    pub verdicts: Vec<Verdict>,
    /// Only changes of these kinds; all, if there are none.
    pub kinds: Vec<FactKind>,
    /// Which of them: at most 1,000, which is also what 0 means.
    pub page: Page,
}

impl Query<'_> {
    /// A page of the changes that gave access and are wanted, in the order in which they happened.
    ///
    /// # Errors
    /// [`QueryError::NoSuchEntity`], [`QueryError::NobodyCalled`] and [`QueryError::TooManyCalled`]; [`QueryError::PageToken`] if the token belongs to
    /// another question.
    pub fn explanations(&self, request: &ExplanationsRequest) -> Result<ListExplanationsResponse> {
        let Period { from, to } = request.period;
        let question = request.question();
        let (size, after) = match request.page.read(&question, self.basis.size)? {
            None => (self.known_size(request.known)?, None),
            Some((size, place)) => (size, Some(read_position(&place).ok_or(QueryError::PageToken("names no place"))?)),
        };
        let by = self.everybody(&request.by, request.person, to, size)?;
        let for_whom = self.everybody(&request.for_whom, request.person, to, size)?;
        let filter = Filter { request, by: ids(&by), for_whom: ids(&for_whom) };
        let count = request.page.count(PAGE_EXPLANATIONS_MAX, PAGE_EXPLANATIONS_MAX);
        let mut changes = changes::read(&self.view, after.unwrap_or(first_at(from)), to, size)?;
        if after.is_some() {
            // The last of the page before.
            changes.next().transpose()?;
        }
        let mut judge = Judge::new(self);
        let mut explanations = Vec::new();
        let (mut last, mut explained) = (None, 0);
        for position in changes.by_ref() {
            let position = position?;
            explanations
                .extend(Some(self.explain_at(position, size, &mut judge)?).filter(|explained| filter.wants(explained)));
            last = Some(position);
            explained += 1;
            if explanations.len() == count || explained == PAGE_CHANGES_MAX {
                break;
            }
        }
        let goes_on = changes.next().transpose()?.is_some();
        Ok(ListExplanationsResponse {
            basis: Some(self.basis()),
            moment: Some(self.moment((to != Period::ALWAYS.to).then_some(to), request.known, size)?),
            explanations,
            unread: Some(self.unread()?),
            by,
            for_whom,
            next_page_token: match last {
                Some(last) if goes_on => question.token(size, &position_bytes(&last)),
                _ => String::new(),
            },
        })
    }

    /// Explains every change that gave access in a period, in the order in which they happened.
    pub fn explain_all(
        &self,
        period: Period,
        known: Option<RecordedAt>,
        which: ExplainFilter,
    ) -> Result<impl Iterator<Item = Result<Explanation>> + '_> {
        let size = self.known_size(known)?;
        let mut judge = Judge::new(self);
        let explained = move |position: Result<Position>| self.explain_at(position?, size, &mut judge);
        let is_listed = move |explanation: &Result<Explanation>| {
            explanation.as_ref().map_or(true, |explanation| which.wants(explanation.verdict()))
        };
        Ok(changes::read(&self.view, first_at(period.from), period.to, size)?.map(explained).filter(is_listed))
    }

    fn explain_at(&self, (_, index, fact): Position, size: TreeSize, judge: &mut Judge<'_, '_>) -> Result<Explanation> {
        let record = self.read_record(index)?;
        let found = facts_of(&record).find(|found| found.evidence.fact == fact);
        let found = found.ok_or(QueryError::NoSuchFact { index, fact, count: facts_of(&record).count() })?;
        self.explain_fact(&record, &found, size, judge)
    }

    /// Everybody who is called so, with all that is theirs where a person is meant; nobody is asked for with an empty name.
    pub(crate) fn everybody(
        &self,
        who: &str,
        person: bool,
        at: OccurredAt,
        size: TreeSize,
    ) -> Result<Vec<Shared<Party>>> {
        if who.is_empty() {
            return Ok(Vec::new());
        }
        self.check_seen(who)?;
        let called = self.resolve_known(who, Wanted { everybody: true, ..Wanted::default() }, at, size)?;
        if called.more {
            return Err(QueryError::TooManyCalled(who.to_owned()));
        }
        if called.identities.is_empty() {
            return Err(QueryError::NobodyCalled(who.to_owned()));
        }
        let mut everybody = called.identities;
        let named: Vec<EntityId> = everybody.iter().filter_map(|party| party.id.parse().ok()).collect();
        let parties = self.parties(size);
        for entity in named.iter().filter(|one| person || one.kind() == EntityKind::Person) {
            let covered = self.covered(entity, at, size)?;
            if covered.is_cut {
                return Err(QueryError::TooManyCalled(who.to_owned()));
            }
            for party in parties.parties(&covered.entities())? {
                if everybody.iter().all(|known| known.id != party.id) {
                    everybody.push(party);
                }
            }
        }
        Ok(everybody)
    }
}

impl ExplanationsRequest {
    fn question(&self) -> Question {
        let period = [self.period.from, self.period.to].map(occurred_part).concat();
        let verdicts: Vec<u8> = self.verdicts.iter().flat_map(|verdict| i32::from(*verdict).to_be_bytes()).collect();
        let kinds: Vec<u8> = self.kinds.iter().flat_map(|kind| i32::from(*kind).to_be_bytes()).collect();
        let parts: [&[u8]; 7] = [
            &[self.which as u8, self.person.into()],
            &period,
            &recorded_part(self.known),
            self.by.as_bytes(),
            self.for_whom.as_bytes(),
            &verdicts,
            &kinds,
        ];
        Question::new("explanations", &parts)
    }
}

/// Which of the changes are wanted, beyond their time.
struct Filter<'a> {
    request: &'a ExplanationsRequest,
    by: BTreeSet<&'a str>,
    for_whom: BTreeSet<&'a str>,
}

impl Filter<'_> {
    fn wants(&self, explanation: &Explanation) -> bool {
        let is_one = |wanted: &BTreeSet<&str>, party: &Option<Shared<Party>>| {
            wanted.is_empty() || party.as_ref().is_some_and(|party| wanted.contains(party.id.as_str()))
        };
        let verdict = explanation.verdict();
        is_one(&self.by, &explanation.executor)
            && is_one(&self.for_whom, &explanation.subject)
            && (self.request.kinds.is_empty() || self.request.kinds.contains(&explanation.kind()))
            && (self.request.verdicts.is_empty() || self.request.verdicts.contains(&verdict))
            && self.request.which.wants(verdict)
    }
}

fn ids(parties: &[Shared<Party>]) -> BTreeSet<&str> {
    parties.iter().map(|party| party.id.as_str()).collect()
}
