//! What lies beside records about somebody.
//!
//! Owns which parts are about them: all of a record that names them but the values of others, and whatever else says their
//! address. It looks at every record, since nothing that is kept for answers can be trusted to name all of them.

use std::collections::BTreeSet;
use std::ops::Range;

use counterfoil_ledger::{Entry, Reader};
use counterfoil_proto::v1::{Beside, Values, record::Body};
use counterfoil_verify::beside::{self, ENVELOPE};
use counterfoil_verify::entity::EntityId;
use counterfoil_verify::fact::entity_set;
use counterfoil_verify::identifier::{IdentifierKind, canonical, is_email};
use counterfoil_verify::redaction::redaction_of;
use counterfoil_verify::tree::RecordIndex;
use prost::Message;

use super::RedactError;

/// Shorter ones are words of their own.
const LOGIN_CHARACTERS_MIN: usize = 3;

/// Parts to remove beside a record, and the entities whose values are among them.
pub(super) struct Found {
    pub(super) index: RecordIndex,
    pub(super) parts: Vec<u32>,
    pub(super) entities: BTreeSet<EntityId>,
}

/// Who is looked for, and what they are called, in canonical form.
pub(super) struct Search<'a> {
    reader: &'a Reader,
    theirs: &'a BTreeSet<EntityId>,
    addresses: BTreeSet<String>,
    logins: BTreeSet<String>,
    names: BTreeSet<String>,
}

impl<'a> Search<'a> {
    /// Looks for entities, and for the addresses that were named.
    pub(super) fn new(reader: &'a Reader, theirs: &'a BTreeSet<EntityId>, named: &[String]) -> Self {
        let addresses = named.iter().map(|name| canonical(name)).filter(|name| is_email(name)).collect();
        Self { reader, theirs, addresses, logins: BTreeSet::new(), names: BTreeSet::new() }
    }

    /// What is about them beside the records of a range.
    pub(super) fn of(&mut self, range: Range<u64>) -> Result<Vec<Found>, RedactError> {
        // First what they are called in any record: an earlier one may say it too.
        for entry in self.reader.entries(range.clone()) {
            let entry = entry?;
            for (entity, values) in entry.beside.iter().flat_map(beside::values) {
                if self.theirs.contains(&entity) {
                    self.learn(&entity, values);
                }
            }
        }
        let mut found = Vec::new();
        for entry in self.reader.entries(range) {
            found.extend(self.found(&entry?));
        }
        Ok(found)
    }

    fn learn(&mut self, entity: &EntityId, values: Values) {
        for value in values.values {
            let called = canonical(&value.value);
            // Of an address that is somebody else's by now, the entity is not theirs.
            let is_theirs = |kind, system, instance| {
                let token = self.reader.index_key().token(kind, system, instance, &called);
                token.is_some_and(|token| self.theirs.contains(&EntityId::identifier(&token)))
            };
            match value.name.as_str() {
                "login" | "email" if is_email(&called) && is_theirs(IdentifierKind::Login, "", "") => {
                    self.addresses.insert(called);
                }
                "login"
                    if called.len() >= LOGIN_CHARACTERS_MIN
                        && is_theirs(IdentifierKind::Login, entity.system(), entity.instance()) =>
                {
                    self.logins.insert(called);
                }
                "display_name" | "name" if called.contains(' ') => {
                    self.names.insert(called);
                }
                _ => {}
            }
        }
    }

    fn found(&self, Entry { record, beside }: &Entry) -> Option<Found> {
        let beside = beside.as_ref()?;
        let has_values = beside::values(beside).any(|(entity, _)| self.theirs.contains(&entity));
        let is_named = || entity_set(record).iter().any(|entity| self.theirs.contains(entity));
        // What another redaction of theirs says is kept, unless it says more of them than that.
        let is_about = redaction_of(record).is_none() && (has_values || is_named());
        // Nothing says whom these are about but their bytes.
        let is_unread = matches!(record.body, Some(Body::SourceRejected(_)));
        let is_letter = is_unread && there(beside).any(|(_, content)| self.is_called(content));
        let is_wanted = |(number, content): &(u32, &[u8])| match *number {
            _ if is_letter => true,
            0 | ENVELOPE => is_about || self.says_address(content),
            _ if values_of(content).is_some_and(|(entity, _)| self.theirs.contains(&entity)) => true,
            _ if is_about => self.is_called(content),
            _ => self.says_address(content),
        };
        of_parts(RecordIndex(record.index), there(beside).filter(is_wanted))
    }

    fn says_address(&self, content: &[u8]) -> bool {
        says(content, [&self.addresses])
    }

    fn is_called(&self, content: &[u8]) -> bool {
        says(content, [&self.addresses, &self.logins, &self.names])
    }
}

/// All that is there beside a record.
pub(super) fn all(index: RecordIndex, beside: &Beside) -> Option<Found> {
    of_parts(index, there(beside))
}

fn of_parts<'b>(index: RecordIndex, parts: impl Iterator<Item = (u32, &'b [u8])>) -> Option<Found> {
    let mut found = Found { index, parts: Vec::new(), entities: BTreeSet::new() };
    for (number, content) in parts {
        found.parts.push(number);
        let of_values = (1..ENVELOPE).contains(&number).then(|| values_of(content)).flatten();
        found.entities.extend(of_values.map(|(entity, _)| entity));
    }
    (!found.parts.is_empty()).then_some(found)
}

/// The parts that hold anything still.
fn there(beside: &Beside) -> impl Iterator<Item = (u32, &[u8])> {
    let content = beside::parts(beside).map(|(number, sealed)| (number, sealed.content.as_slice()));
    content.filter(|(_, content)| !content.is_empty())
}

fn values_of(content: &[u8]) -> Option<(EntityId, Values)> {
    let values = Values::decode(content).ok()?;
    Some((EntityId::from_bytes(&values.entity).ok()?, values))
}

/// Whether some bytes say any of these, as words of their own, whatever the case and however JSON writes it.
fn says<const N: usize>(content: &[u8], called: [&BTreeSet<String>; N]) -> bool {
    if called.iter().all(|called| called.is_empty()) {
        return false;
    }
    let text = canonical(&String::from_utf8_lossy(content));
    let unescaped = text.contains("\\u").then(|| canonical(&without_escapes(&text)));
    let says = |text: &str| called.iter().flat_map(|called| called.iter()).any(|word| has_word(text, word));
    says(&text) || unescaped.is_some_and(|text| says(&text))
}

fn has_word(text: &str, word: &str) -> bool {
    let is_part = |character: Option<char>| character.is_some_and(char::is_alphanumeric);
    text.match_indices(word)
        .any(|(at, _)| !is_part(text[..at].chars().next_back()) && !is_part(text[at + word.len()..].chars().next()))
}

/// A text in which each `\u` with four hexadecimal digits is the character that JSON means by it.
fn without_escapes(text: &str) -> String {
    let mut units: Vec<u16> = Vec::new();
    let mut rest = text;
    while let Some((before, after)) = rest.split_once("\\u") {
        units.extend(before.encode_utf16());
        let unit = after.get(..4).and_then(|digits| u16::from_str_radix(digits, 16).ok());
        rest = match unit {
            Some(unit) => {
                units.push(unit);
                &after[4..]
            }
            None => after,
        };
    }
    units.extend(rest.encode_utf16());
    String::from_utf16_lossy(&units)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_word_is_found_however_it_is_written() {
        let called = BTreeSet::from(["ada.l@x.example".to_owned(), "ünal".to_owned()]);
        for (content, expected) in [
            ("{\"to\":\"ada.l@x.example\"}", true),
            ("ADA.L@X.Example", true),
            ("\"ada.l\\u0040x.example\"", true),
            ("\"\\u00DCnal\"", true),
            ("\"ada.l\\u00zz@x.example\"", false),
            ("nada.l@x.example", false),
            ("ada.l@x.examples", false),
            ("<ada.l@x.example>", true),
            ("", false),
        ] {
            assert_eq!(says(content.as_bytes(), [&called]), expected, "{content}");
        }
        assert!(!says(b"anything", [&BTreeSet::new()]));
    }
}
