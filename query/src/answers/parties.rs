//! What people call an entity.
//!
//! Owns how an entity is shown: its id, and the newest values that lie beside its records, as far as they were known. Names
//! are returned as the source gave them, however hostile; whoever prints them escapes them.

use std::cell::RefCell;
use std::sync::Arc;

use counterfoil_proto::Shared;
use counterfoil_proto::v1::{Party, Ref, Source};
use counterfoil_verify::entity::EntityId;
use counterfoil_verify::kept::Kept;
use counterfoil_verify::replay::named;
use counterfoil_verify::tree::TreeSize;

use crate::answers::Query;
use crate::error::Result;
use crate::views::database::View;
use crate::views::names::{self, Called};

/// What entities are called by the first `known` records, so that an answer about an earlier knowledge shows the names of
/// that time.
pub(crate) struct Parties<'q, 'a> {
    view: &'q View<'a>,
    known: TreeSize,
    shows_names: bool,
    /// Those that were met in the answer and are not kept for others: who acted, say, stands beside many grants.
    met: RefCell<Kept<String, Arc<Called>>>,
}

impl<'a> Query<'a> {
    /// What entities are called by the first `known` records.
    pub(crate) fn parties(&self, known: TreeSize) -> Parties<'_, 'a> {
        Parties { view: &self.view, known, shows_names: self.shows_names, met: RefCell::new(Kept::new()) }
    }
}

impl Parties<'_, '_> {
    /// An entity and what people call it.
    pub(crate) fn party(&self, entity: &EntityId) -> Result<Shared<Party>> {
        self.with_id(&entity.to_text())
    }

    /// The entity with that id in text form; none for an empty text.
    pub(crate) fn of(&self, id: &str) -> Result<Option<Shared<Party>>> {
        if id.is_empty() { Ok(None) } else { self.with_id(id).map(Some) }
    }

    fn with_id(&self, id: &str) -> Result<Shared<Party>> {
        let called = match names::called_lately(self.view, id, self.known) {
            Some(called) => called,
            None => {
                let read = || names::called(self.view, id, self.known);
                Arc::clone(&*self.met.borrow_mut().get(&id.to_owned(), read)?)
            }
        };
        let party = &called.party;
        Ok(match self.shows_names {
            true => party.clone(),
            false => Party { id: party.id.clone(), identity_type: party.identity_type, ..Party::default() }.into(),
        })
    }

    /// What a fact's reference names: its id, or the first of its identifiers.
    pub(crate) fn named(&self, reference: &Option<Ref>, source: &Source) -> Result<Option<Shared<Party>>> {
        let entity = reference.as_ref().and_then(|reference| named(reference, source).into_iter().next());
        entity.map(|entity| self.party(&entity)).transpose()
    }
}

/// How a party is called in a sentence: by name, else by login or e-mail address, else by native id.
pub(crate) fn label(party: &Party) -> String {
    let named = [&party.name, &party.login, &party.email].into_iter().find(|name| !name.is_empty());
    named.cloned().unwrap_or_else(|| short_id(party))
}

/// The native id alone, or the whole id where it has none.
pub(crate) fn short_id(party: &Party) -> String {
    let native = party.id.parse::<EntityId>().map(|entity| entity.native_id().to_owned());
    native.ok().filter(|native| !native.is_empty()).unwrap_or_else(|| party.id.clone())
}
