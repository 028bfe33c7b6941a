//! All that is one person's, for whoever removes it: accounts, persons and identifiers, from the records alone.
//!
//! Owns how far it goes from what was named. Too much removed cannot be brought back, and too little can be removed later:
//! what is somebody else's too is left out, and has to be named.

use std::collections::{BTreeSet, HashMap};

use counterfoil_ledger::Reader;
use counterfoil_proto::v1::{EntityKind, FactKind};
use counterfoil_verify::entity::EntityId;
use counterfoil_verify::fact::{entities_of, references};
use counterfoil_verify::identifier::{IdentifierKind, Token, canonical, is_email};
use counterfoil_verify::replay::facts_of;

use super::RedactError;

/// What records say of who is who.
#[derive(Default)]
struct Known {
    /// Who was ever known by an identifier.
    holders: HashMap<Token, BTreeSet<EntityId>>,
    /// The identifiers by which somebody was ever known.
    tokens: HashMap<EntityId, BTreeSet<Token>>,
    /// What was ever said to be one and the same person's.
    links: HashMap<EntityId, BTreeSet<EntityId>>,
}

/// All that is of those who are named.
///
/// # Errors
/// [`RedactError::Named`] if a name is none that can be looked for, or if several entities of one system have it;
/// [`RedactError::Ledger`] if the log cannot be read.
pub(super) fn whose(reader: &Reader, named: &[String]) -> Result<BTreeSet<EntityId>, RedactError> {
    let known = Known::read(reader)?;
    let mut theirs = BTreeSet::new();
    for name in named {
        theirs.extend(known.named(reader, name)?);
    }
    known.complete(&mut theirs);
    Ok(theirs)
}

impl Known {
    fn read(reader: &Reader) -> Result<Self, RedactError> {
        let mut known = Self::default();
        for record in reader.records(0..reader.head().size.0) {
            let record = record?;
            for fact in facts_of(&record) {
                for (_, reference) in references(fact.fact) {
                    let Some(entity) = EntityId::of(reference, fact.source).filter(is_somebody) else { continue };
                    let tokens = reference.tokens.iter().filter_map(|token| Token::from_slice(token).ok());
                    tokens.for_each(|token| known.bind(&entity, token));
                }
                let ends = [&fact.fact.subject, &fact.fact.object].map(|end| end.as_ref());
                let (FactKind::IdentifierBound | FactKind::IdentityLinked, [Some(one), Some(other)]) =
                    (fact.fact.kind(), ends)
                else {
                    continue;
                };
                let ends = [one, other].map(|end| entities_of(end, fact.source).collect::<Vec<_>>());
                for one in &ends[0] {
                    ends[1].iter().for_each(|other| known.join(fact.fact.kind(), one, other));
                }
            }
        }
        Ok(known)
    }

    fn join(&mut self, kind: FactKind, one: &EntityId, other: &EntityId) {
        for (one, other) in [(one, other), (other, one)] {
            match other.token() {
                Some(token) if kind == FactKind::IdentifierBound && is_somebody(one) => self.bind(one, token),
                _ if kind == FactKind::IdentityLinked => {
                    self.links.entry(one.clone()).or_default().insert(other.clone());
                }
                _ => {}
            }
        }
    }

    fn bind(&mut self, entity: &EntityId, token: Token) {
        self.holders.entry(token).or_default().insert(entity.clone());
        self.tokens.entry(entity.clone()).or_default().insert(token);
    }

    /// The entities that a name means.
    fn named(&self, reader: &Reader, name: &str) -> Result<Vec<EntityId>, RedactError> {
        let wrong = |why: String| RedactError::Named { name: name.to_owned(), why };
        if let Ok(entity) = name.parse::<EntityId>() {
            return match is_somebody(&entity) || entity.token().is_some() {
                true => Ok(vec![entity]),
                false => Err(wrong("it is no person's, account's or identifier's id".to_owned())),
            };
        }
        let expected = "expected an entity id (account:okta:default:00u1) or an e-mail address: `counterfoil state` \
                        lists the ids that a name may mean";
        let token = Some(name).filter(|name| is_email(&canonical(name)));
        let token = token.and_then(|name| reader.index_key().token(IdentifierKind::Login, "", "", name));
        let token = token.ok_or_else(|| wrong(expected.to_owned()))?;
        if !self.is_of_one(&token) {
            let holders = self.holders.get(&token).into_iter().flatten().map(EntityId::to_text).collect::<Vec<_>>();
            return Err(wrong(format!("several had it, one after another: name one of {}", holders.join(", "))));
        }
        Ok(vec![EntityId::identifier(&token)])
    }

    /// Adds all that is of the same person, as far as it is nobody else's.
    fn complete(&self, theirs: &mut BTreeSet<EntityId>) {
        let mut next: Vec<EntityId> = theirs.iter().cloned().collect();
        while let Some(entity) = next.pop() {
            let identifiers = self.tokens.get(&entity).into_iter().flatten().filter(|token| self.is_of_one(token));
            let mut found: Vec<EntityId> = identifiers.map(EntityId::identifier).collect();
            if let Some(token) = entity.token().filter(|token| self.is_of_one(token)) {
                found.extend(self.holders.get(&token).into_iter().flatten().cloned());
            }
            let persons = self.persons_of(&entity);
            let is_followed = |other: &&EntityId| other.kind() != EntityKind::Person || persons.len() == 1;
            found.extend(self.links.get(&entity).into_iter().flatten().filter(is_followed).cloned());
            for other in found {
                if !theirs.contains(&other) && self.is_nobody_elses(&other, theirs) {
                    theirs.insert(other.clone());
                    next.push(other);
                }
            }
        }
    }

    /// Whether nobody had an identifier after somebody else in the same system.
    fn is_of_one(&self, token: &Token) -> bool {
        let holders = self.holders.get(token);
        let mut places = BTreeSet::new();
        holders.into_iter().flatten().all(|one| places.insert((one.kind(), one.system(), one.instance())))
    }

    /// Whether no record says that something is another person's.
    fn is_nobody_elses(&self, entity: &EntityId, theirs: &BTreeSet<EntityId>) -> bool {
        let has_person = theirs.iter().any(|one| one.kind() == EntityKind::Person);
        let persons = self.persons_of(entity);
        match entity.kind() {
            EntityKind::Person => !has_person,
            _ if has_person => persons.iter().all(|person| theirs.contains(*person)),
            _ => persons.len() <= 1,
        }
    }

    fn persons_of(&self, entity: &EntityId) -> Vec<&EntityId> {
        let links = self.links.get(entity).into_iter().flatten();
        links.filter(|other| other.kind() == EntityKind::Person).collect()
    }
}

/// Whether an entity is somebody, rather than what somebody has, asks for or is called.
fn is_somebody(entity: &EntityId) -> bool {
    matches!(entity.kind(), EntityKind::Person | EntityKind::Account)
}
