//! Whom a name means.
//!
//! Owns the order in which a name is looked for: as an entity's id, as an identifier by its token, as a whole name, as a
//! ticket's number, and at last as a part of a name. It never picks one of several: it lists them, the likeliest first.

use std::collections::BTreeSet;

use counterfoil_proto::v1::{EntityKind, ListMatchesResponse};
use counterfoil_verify::entity::EntityId;
use counterfoil_verify::identifier::{IdentifierKind, Token, canonical};
use counterfoil_verify::time::{OccurredAt, RecordedAt};
use counterfoil_verify::tree::TreeSize;

use crate::answers::Query;
use crate::error::Result;
use crate::views::names::{self, Match};
use crate::views::{histories, sources};

/// The most matches listed.
const MATCHES_MAX: usize = 50;
/// The most that are looked for: one more tells that there are more.
const FOUND_MAX: usize = MATCHES_MAX + 1;

impl Query<'_> {
    /// The entities that `who` may mean: an entity's id in text form, a login, an e-mail address, a display name, the
    /// name of an entitlement, the subject or the number of a ticket ("SR-1042"), or a part of a name.
    ///
    /// Those that an identifier means at `at` come first, then those of that whole name, then those that it meant at
    /// another time. A part of a name is tried only if nothing else fits.
    pub fn resolve(&self, who: &str, at: OccurredAt, known: Option<RecordedAt>) -> Result<ListMatchesResponse> {
        let size = self.known_size(known)?;
        let found = self.candidates(who.trim(), at, size)?;
        let matches = found.iter().take(MATCHES_MAX).map(|entity| self.party(entity)).collect::<Result<_>>()?;
        Ok(ListMatchesResponse { basis: Some(self.basis()), matches, more: found.len() > MATCHES_MAX })
    }

    fn candidates(&self, who: &str, at: OccurredAt, known: TreeSize) -> Result<Vec<EntityId>> {
        if let Ok(entity) = who.parse::<EntityId>() {
            return Ok(vec![entity]);
        }
        let name = canonical(who);
        if name.is_empty() {
            return Ok(Vec::new());
        }
        let (mut found, mut former) = (Vec::new(), Vec::new());
        for token in self.tokens(who)? {
            let bound = names::bound_to(&self.view, &token, known)?;
            let identifier = EntityId::identifier(&token);
            if bound.is_empty() && names::is_seen(&self.view, &identifier, known)? {
                former.push(identifier);
            }
            for entity in bound {
                let binding = histories::binding_at(&self.view, &entity, at, known)?;
                let is_current = binding.is_some_and(|binding| binding.tokens.contains(&token));
                if is_current { found.push(entity) } else { former.push(entity) }
            }
        }
        found.extend(self.search(&name, Match::Whole, known)?);
        found.extend(former);
        if found.is_empty() {
            found = self.tickets_numbered(&name, known)?;
        }
        for how in [Match::Start, Match::Part] {
            if found.is_empty() {
                found = self.search(&name, how, known)?;
            }
        }
        let mut listed = BTreeSet::new();
        found.retain(|entity| listed.insert(entity.clone()));
        Ok(found)
    }

    /// The tokens that `who` may have: as a login and as an entitlement's name, in every known system.
    fn tokens(&self, who: &str) -> Result<BTreeSet<Token>> {
        let key = self.reader.index_key();
        let mut tokens = BTreeSet::new();
        for (system, instance, _) in sources::objects(&self.view)?.into_keys() {
            for kind in [IdentifierKind::Login, IdentifierKind::EntitlementName] {
                tokens.extend(key.token(kind, &system, &instance, who));
            }
        }
        Ok(tokens)
    }

    fn search(&self, name: &str, how: Match, known: TreeSize) -> Result<Vec<EntityId>> {
        let mut found = names::search(&self.view, name, how, FOUND_MAX)?;
        let mut seen = Vec::with_capacity(found.len());
        for entity in found.drain(..) {
            if names::is_seen(&self.view, &entity, known)? {
                seen.push(entity);
            }
        }
        Ok(seen)
    }

    /// The tickets of that number, as people write it: letters, a dash and digits.
    fn tickets_numbered(&self, name: &str, known: TreeSize) -> Result<Vec<EntityId>> {
        let Some((letters, digits)) = name.trim_start_matches('#').split_once('-') else { return Ok(Vec::new()) };
        let is_number = !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit());
        if !is_number || !letters.bytes().all(|byte| byte.is_ascii_alphabetic()) {
            return Ok(Vec::new());
        }
        let mut found = self.search(digits.trim_start_matches('0'), Match::Whole, known)?;
        found.retain(|entity| entity.kind() == EntityKind::Ticket);
        Ok(found)
    }
}
