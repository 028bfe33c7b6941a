//! Whom a fact is listed under, and what it says that they are called.
//!
//! Owns which identifiers a fact binds to whom, and what an entity was called over time. Histories, and who is who, rest on
//! it, in a server's views as in a verifier.

use std::collections::{BTreeMap, BTreeSet};

use counterfoil_proto::v1::FactKind;

use crate::entity::EntityId;
use crate::fact::{Group, entities_of, is_unresolved, kind_group, references};
use crate::identifier::Token;
use crate::replay::{FactAt, named};
use crate::time::OccurredAt;

/// The part that an entity has in a fact, and the identifiers that the fact binds to it.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Mention {
    /// Bit n is role number n.
    pub roles: u16,
    /// The identifiers.
    pub tokens: BTreeSet<Token>,
}

/// The entities that a fact is listed under. A reference with an id is listed under that id, with the identifiers that it
/// binds to it; one without, under each of its identifiers; a fact that names nobody under its system's `unresolved`.
pub fn mentions(fact: &FactAt<'_>) -> BTreeMap<EntityId, Mention> {
    let mut found: BTreeMap<EntityId, Mention> = BTreeMap::new();
    for (role, reference) in references(fact.fact) {
        for entity in named(reference, fact.source) {
            let mention = found.entry(entity).or_default();
            mention.roles |= 1 << role as u8;
            if !reference.id.is_empty() {
                mention.tokens.extend(reference.tokens.iter().filter_map(|token| Token::from_slice(token).ok()));
            }
        }
    }
    if fact.fact.kind() == FactKind::IdentifierBound {
        bind_ends(fact, &mut found);
    }
    if is_unresolved(fact.fact) {
        found.entry(EntityId::unresolved(fact.source)).or_default();
    }
    found
}

/// A binding that names the id at one end and the identifiers at the other.
fn bind_ends(fact: &FactAt<'_>, found: &mut BTreeMap<EntityId, Mention>) {
    let ends = (fact.fact.subject.as_ref(), fact.fact.object.as_ref());
    let (Some(subject), Some(object)) = ends else { return };
    for (one, other) in [(subject, object), (object, subject)] {
        let (Some(entity), true) = (EntityId::of(one, fact.source), other.id.is_empty()) else { continue };
        let tokens = other.tokens.iter().filter_map(|token| Token::from_slice(token).ok());
        found.entry(entity).or_default().tokens.extend(tokens);
    }
}

/// Whom a fact says that a ticket is for: each beneficiary with each ticket.
pub fn requests(fact: &FactAt<'_>) -> Vec<(EntityId, EntityId)> {
    let (Group::Ticket, Some(subject), Some(object)) =
        (kind_group(fact.fact.kind()), &fact.fact.subject, &fact.fact.object)
    else {
        return Vec::new();
    };
    let of = |ticket: EntityId| {
        let beneficiaries = entities_of(subject, fact.source);
        beneficiaries.map(move |beneficiary| (beneficiary, ticket.clone())).collect::<Vec<_>>()
    };
    named(object, fact.source).into_iter().flat_map(of).collect()
}

/// How many facts that bind identifiers are looked at to tell what somebody was called: whoever has more was called
/// everything all the time.
pub const RUNS_FACTS_MAX: usize = 1_000;

/// What an entity was called over time, by some records.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Runs(Vec<(OccurredAt, Box<[Token]>)>);

impl Runs {
    /// Adds a fact that binds identifiers, in the order of facts. One that says the same as the one before it adds nothing.
    pub fn push(&mut self, occurred_at: OccurredAt, tokens: Box<[Token]>) {
        if self.0.last().is_none_or(|(_, before)| *before != tokens) {
            self.0.push((occurred_at, tokens));
        }
    }

    /// When it was called otherwise than before.
    pub fn times(&self) -> impl Iterator<Item = OccurredAt> {
        self.0.iter().map(|(from, _)| *from)
    }

    /// Whether it had an identifier once and was called otherwise by then. That something is not said again is no other
    /// name.
    pub fn has_lost(&self, token: &Token, at: OccurredAt) -> bool {
        let begun = self.0.partition_point(|(from, _)| *from <= at);
        let [.., (_, newest)] = &self.0[..begun] else { return false };
        let had = self.0[..begun].iter().rev().find(|(_, tokens)| tokens.contains(token));
        had.is_some_and(|(_, had)| newest.iter().any(|one| !had.contains(one)) && !newest.contains(token))
    }
}
