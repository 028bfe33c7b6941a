//! The changes of access, each with its approval, page by page.
//!
//! Owns which of them are listed. It judges nothing itself: `explain` does; and it works out no verdict of a change that the
//! rest of what is asked leaves out.

use std::collections::BTreeSet;
use std::iter::Peekable;

use counterfoil_proto::Shared;
use counterfoil_proto::v1::{
    ChangeEffect, EntityKind, Explanation, FactKind, ListChangesResponse, Party, Record, Verdict,
};
use counterfoil_verify::entity::EntityId;
use counterfoil_verify::fact::Role;
use counterfoil_verify::link::is_in_time;
use counterfoil_verify::replay::{FactAt, facts_of};
use counterfoil_verify::time::{OccurredAt, RecordedAt};
use counterfoil_verify::tree::{RecordIndex, TreeSize};

use crate::answers::pages::{Page, Question, occurred_part, recorded_part};
use crate::answers::reversal::Timelines;
use crate::answers::wanted::Wants;
use crate::answers::{Period, Query, Wanted};
use crate::error::{QueryError, Result};
use crate::views::changes::{self, Effect};
use crate::views::histories::{self, has_role};
use crate::views::keys::{Position, first_at, position_bytes, read_position};

/// The most explanations of a page.
const PAGE_EXPLANATIONS_MAX: usize = 1_000;
/// The most places that are looked at for one page: a page that finds few of them wanted ends early.
const PAGE_CHANGES_MAX: usize = 5_000;
/// The most entities whose histories are read side by side, rather than all changes.
const HISTORIES_MAX: usize = 64;

/// Which of the changes to list.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ExplainFilter {
    /// Every change.
    All,
    /// Those that no approval is shown to have preceded: every verdict but approved and approved, recorded late.
    Unapproved,
}

impl ExplainFilter {
    pub(crate) fn wants(self, verdict: Verdict) -> bool {
        self == Self::All || !is_in_time(verdict)
    }
}

/// Which page of which changes to list.
#[derive(Clone, Debug, PartialEq)]
pub struct ChangesRequest {
    /// Which of them by their approval.
    pub which: ExplainFilter,
    /// Which of them by what they did; without one, those that gave access.
    pub effect: ChangeEffect,
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
    /// Only changes that this is true of; all, if it is empty.
    pub filter: String,
    /// Which of them: at most 1,000, which is also what 0 means.
    pub page: Page,
}

impl Default for ChangesRequest {
    fn default() -> Self {
        Self {
            which: ExplainFilter::All,
            effect: ChangeEffect::Unspecified,
            period: Period::ALWAYS,
            known: None,
            by: String::new(),
            for_whom: String::new(),
            person: false,
            verdicts: Vec::new(),
            kinds: Vec::new(),
            filter: String::new(),
            page: Page::default(),
        }
    }
}

impl Query<'_> {
    /// A page of the changes that are wanted, in the order in which they happened.
    ///
    /// # Errors
    /// [`QueryError::NoSuchEntity`], [`QueryError::NobodyCalled`] and [`QueryError::TooManyCalled`]; [`QueryError::Filter`];
    /// [`QueryError::PageToken`] if the token belongs to another question.
    pub fn changes(&self, request: &ChangesRequest) -> Result<ListChangesResponse> {
        let Period { from, to } = request.period;
        let question = request.question();
        let (size, after) = match request.page.read(&question, self.basis.size)? {
            None => (self.known_size(request.known)?, None),
            Some((size, place)) => (size, Some(read_position(&place).ok_or(QueryError::PageToken("names no place"))?)),
        };
        let by = self.everybody(&request.by, request.person, to, size)?;
        let for_whom = self.everybody(&request.for_whom, request.person, to, size)?;
        let wants = Wants::new(self, request, (&by, &for_whom), to, size)?;
        let count = request.page.count(PAGE_EXPLANATIONS_MAX, PAGE_EXPLANATIONS_MAX);
        let mut positions = self.positions(&wants, after.unwrap_or(first_at(from)), to, size)?;
        if after.is_some() && positions.peek().is_some_and(|next| next.as_ref().ok() == after.as_ref()) {
            // The last of the page before.
            positions.next().transpose()?;
        }
        let (mut judge, mut timelines) = (self.judge(), Timelines::new(self, size)?);
        let mut explanations = Vec::new();
        let (mut last, mut looked_at) = (None, 0);
        let mut read: Option<Record> = None;
        while explanations.len() < count && looked_at < PAGE_CHANGES_MAX {
            let Some(position) = positions.next().transpose()? else { break };
            last = Some(position);
            looked_at += 1;
            let Some(effect) = changes::effect_at(&self.view, &position)? else { continue };
            let held = read.take().filter(|record| record.index == position.2.0);
            let record = held.map_or_else(|| self.read_record(position.2), Ok)?;
            let fact = fact_at(&record, position)?;
            if wants.may_want(&record, &fact, effect) {
                let mut explanation = self.explain_fact(&record, &fact, size, &mut judge)?;
                if wants.wants(&record, &fact, &explanation) {
                    self.rule(&mut explanation, &fact, &mut timelines, &mut judge)?;
                    explanations.push(explanation);
                }
            }
            read = Some(record);
        }
        let goes_on = positions.next().transpose()?.is_some();
        Ok(ListChangesResponse {
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

    /// The places where wanted changes may be: those in the histories of somebody whom each of them has to name, or else
    /// those of all changes.
    fn positions<'v>(
        &'v self,
        wants: &Wants<'_>,
        from: Position,
        to: OccurredAt,
        size: TreeSize,
    ) -> Result<Peekable<Box<dyn Iterator<Item = Result<Position>> + 'v>>> {
        let named = wants.named().filter(|(entities, _)| entities.len() <= HISTORIES_MAX);
        let Some((entities, role)) = named else {
            let wanted = wants.effects();
            let all = changes::read(&self.view, from, to, size)?;
            let all = all.filter(move |change| change.as_ref().map_or(true, |(_, effect)| wanted.contains(effect)));
            let all: Box<dyn Iterator<Item = Result<Position>>> = Box::new(all.map(|change| Ok(change?.0)));
            return Ok(all.peekable());
        };
        let mut histories = Vec::with_capacity(entities.len());
        for entity in entities.iter().filter_map(|id| id.parse().ok()) {
            let entries = histories::read(&self.view, &entity, before(from), to, size)?;
            let entries =
                entries.filter(move |entry| entry.as_ref().map_or(true, |(_, roles)| has_role(*roles, &[role])));
            histories.push(entries.map(|entry| Ok(entry?.0)).peekable());
        }
        let merged: Box<dyn Iterator<Item = Result<Position>>> = Box::new(Merged(histories));
        Ok(merged.peekable())
    }

    /// Explains every change that gave access in a period, in the order in which they happened.
    pub fn explain_all(
        &self,
        period: Period,
        known: Option<RecordedAt>,
        which: ExplainFilter,
    ) -> Result<impl Iterator<Item = Result<Explanation>> + '_> {
        let size = self.known_size(known)?;
        let (mut judge, mut timelines) = (self.judge(), Timelines::new(self, size)?);
        let mut explained = move |position: Position| -> Result<Option<Explanation>> {
            let record = self.read_record(position.2)?;
            let fact = fact_at(&record, position)?;
            let mut explanation = self.explain_fact(&record, &fact, size, &mut judge)?;
            if !which.wants(explanation.verdict()) {
                return Ok(None);
            }
            self.rule(&mut explanation, &fact, &mut timelines, &mut judge)?;
            Ok(Some(explanation))
        };
        let changes = changes::read(&self.view, first_at(period.from), period.to, size)?;
        Ok(changes.filter_map(move |change| match change {
            Ok((_, Effect::Took)) => None,
            Ok((position, Effect::Gave)) => explained(position).transpose(),
            Err(error) => Some(Err(error)),
        }))
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

impl ChangesRequest {
    fn question(&self) -> Question {
        let period = [self.period.from, self.period.to].map(occurred_part).concat();
        let verdicts: Vec<u8> = self.verdicts.iter().flat_map(|verdict| i32::from(*verdict).to_be_bytes()).collect();
        let kinds: Vec<u8> = self.kinds.iter().flat_map(|kind| i32::from(*kind).to_be_bytes()).collect();
        let parts: [&[u8]; 9] = [
            &[self.which as u8, self.person.into()],
            &period,
            &recorded_part(self.known),
            self.by.as_bytes(),
            self.for_whom.as_bytes(),
            &verdicts,
            &kinds,
            &[self.effect as u8],
            self.filter.as_bytes(),
        ];
        Question::new("changes", &parts)
    }
}

/// The fact at a place of its record.
pub(crate) fn fact_at(record: &Record, (_, _, index, fact): Position) -> Result<FactAt<'_>> {
    let found = facts_of(record).find(|found| found.evidence.fact == fact);
    found.ok_or_else(|| QueryError::NoSuchFact { index, fact, count: facts_of(record).count() })
}

/// The place before one: histories are read from after a place.
fn before((at, place, index, fact): Position) -> Position {
    match (fact.checked_sub(1), index.0.checked_sub(1)) {
        (Some(fact), _) => (at, place, index, fact),
        (None, Some(before)) => (at, place, RecordIndex(before), u32::MAX),
        (None, None) => (at, place, index, 0),
    }
}

/// Several rows of places in one order, each place once.
struct Merged<I: Iterator<Item = Result<Position>>>(Vec<Peekable<I>>);

impl<I: Iterator<Item = Result<Position>>> Iterator for Merged<I> {
    type Item = Result<Position>;

    fn next(&mut self) -> Option<Self::Item> {
        let order = |next: &Result<Position>| next.as_ref().ok().copied();
        // An error comes first: none is less than any place.
        let least = self.0.iter_mut().filter_map(|rows| rows.peek().map(order)).min()?;
        let mut found = None;
        for rows in &mut self.0 {
            if rows.peek().map(order) == Some(least) && (found.is_none() || least.is_some()) {
                found = rows.next();
            }
        }
        found
    }
}

/// The roles in which a field of a filter names somebody.
pub(crate) fn role_of(field: &str) -> Option<Role> {
    match field {
        "actor" => Some(Role::Actor),
        "via" => Some(Role::Via),
        "subject" => Some(Role::Subject),
        "object" => Some(Role::Object),
        _ => None,
    }
}

/// The ids of parties.
pub(crate) fn ids(parties: &[Shared<Party>]) -> BTreeSet<String> {
    parties.iter().map(|party| party.id.clone()).collect()
}
