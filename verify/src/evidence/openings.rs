//! Owns the check of what lies beside records: that it is what the records commit to, and that the tokens in them are those
//! of the identifiers that can be seen.

use std::collections::BTreeMap;

use counterfoil_proto::v1::{Beside, EvidenceOpenings};

use super::histories::Records;
use super::{Rejected, Step};
use crate::beside::{self, commitment};
use crate::entity::EntityId;
use crate::hash::Hash;
use crate::identifier::{IdentifierKind, IndexKey, canonical, is_email};
use crate::tokens::{self, WrongToken};

/// What lies beside the records of a file, as far as it is there.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Opened {
    /// The newest value of each name, by the entity and the name.
    pub values: BTreeMap<EntityId, BTreeMap<String, String>>,
    /// The records of which something was opened.
    pub records: usize,
    /// Those of which nothing was.
    pub withheld: usize,
    /// Tokens that are shown to be those of a value.
    pub tokens_shown: usize,
    /// Tokens whose value is not there: they are what whoever runs the log says.
    pub tokens_on_word: usize,
}

/// Checks the openings, each against its record.
pub(super) fn check(
    member: &EvidenceOpenings,
    records: &Records,
    index_key: Option<&IndexKey>,
) -> Result<Opened, Rejected> {
    let mut openings: BTreeMap<u64, &Beside> = BTreeMap::new();
    let mut opened = Opened::default();
    for opening in &member.openings {
        let index = opening.index;
        let malformed =
            |what: &str| Rejected::malformed(Step::Openings, format!("the opening of record {index}: {what}"));
        let beside = opening.beside.as_ref().ok_or_else(|| malformed("it is empty"))?;
        if openings.last_key_value().is_some_and(|(before, _)| *before >= index) {
            return Err(malformed("it is not in order"));
        }
        let record = records.get(index).ok_or_else(|| malformed("the record is not there"))?;
        let found = commitment(beside).map_err(|error| malformed(&error.to_string()))?;
        if beside.payload.is_none() || *found.as_bytes() != record.commitment[..] {
            let what = format!("what is said to lie beside record {index} is not what it commits to");
            return Err(Rejected::falsified(Step::Openings, what));
        }
        openings.insert(index, beside);
    }
    for (index, record) in records.iter() {
        let beside = openings.get(index).copied();
        match beside {
            Some(beside) => {
                opened.records += 1;
                for (entity, values) in beside::values(beside) {
                    let held = opened.values.entry(entity).or_default();
                    held.extend(values.values.into_iter().map(|value| (value.name, value.value)));
                }
            }
            None => opened.withheld += usize::from(Hash::from_slice(&record.commitment).is_ok()),
        }
        if let Some(key) = index_key {
            let wrong = |error: WrongToken| Rejected::falsified(Step::Tokens, format!("record {index}: {error}"));
            let found = tokens::check(record, beside, key).map_err(wrong)?;
            opened.tokens_shown += found.shown;
            opened.tokens_on_word += found.on_word;
        }
    }
    Ok(opened)
}

/// The address that was asked for, where one of these entities is its identifier: then it is known whom that stands for.
pub(super) fn about(about: &str, entities: impl IntoIterator<Item = EntityId>, key: &IndexKey) -> Option<EntityId> {
    let token = key.token(IdentifierKind::Login, "", "", about).filter(|_| is_email(&canonical(about)))?;
    entities.into_iter().find(|entity| *entity == EntityId::identifier(&token))
}
