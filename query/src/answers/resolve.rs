//! Whom a name means.
//!
//! Owns the order in which a name is looked for: as an entity's id, as an identifier by its token, as a whole name, as a
//! ticket's number, and at last as a part of a name. It never picks one of several: it lists them, the likeliest first.

use std::collections::BTreeSet;

use counterfoil_proto::v1::{EntityKind, ListIdentitiesResponse};
use counterfoil_verify::entity::EntityId;
use counterfoil_verify::identifier::{IdentifierKind, Token, canonical};
use counterfoil_verify::time::{OccurredAt, RecordedAt};
use counterfoil_verify::tree::TreeSize;

use crate::answers::Query;
use crate::error::Result;
use crate::views::names::{self, Match};
use crate::views::{histories, sources};

/// The most matches listed to choose one of.
const LISTED_MAX: usize = 50;
/// The most matches that stand for everybody of a name.
const EVERYBODY_MAX: usize = 10_000;
/// The types of tickets by what people put before a number, as Freshservice does.
const TICKET_PREFIXES: [(&str, &str); 3] = [("sr", "ticket"), ("inc", "ticket"), ("chn", "change")];

/// Which of those that a name means are wanted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub struct Wanted<'a> {
    /// Those of one system, in any case of letters; of every system where it is none.
    pub system: Option<&'a str>,
    /// Everybody who may act or get access, rather than one entity to choose from a list: no tickets, and many more.
    pub everybody: bool,
}

impl Wanted<'_> {
    fn max(&self) -> usize {
        if self.everybody { EVERYBODY_MAX } else { LISTED_MAX }
    }

    fn fits(&self, entity: &EntityId) -> bool {
        let acts = !matches!(
            entity.kind(),
            EntityKind::Ticket | EntityKind::SnapshotScope | EntityKind::Source | EntityKind::Unresolved
        );
        self.is_of_system(entity) && (acts || !self.everybody)
    }

    pub(crate) fn is_of_system(&self, entity: &EntityId) -> bool {
        self.system.is_none_or(|system| entity.system().eq_ignore_ascii_case(system))
    }
}

impl Query<'_> {
    /// The entities that `who` may mean: an entity's id in text form, the last part of one ("ticket/1042"), a login, an
    /// e-mail address, a display name, the name of an entitlement, the subject or the number of a ticket ("SR-1042"), or
    /// a part of a name.
    ///
    /// Those that an identifier means at `at` come first, then those of that whole name, then those that it meant at
    /// another time. A part of a name is tried only if nothing else fits.
    pub fn resolve(
        &self,
        who: &str,
        wanted: Wanted<'_>,
        at: OccurredAt,
        known: Option<RecordedAt>,
    ) -> Result<ListIdentitiesResponse> {
        self.resolve_known(who, wanted, at, self.known_size(known)?)
    }

    /// The same, by the first `size` records.
    pub(crate) fn resolve_known(
        &self,
        who: &str,
        wanted: Wanted<'_>,
        at: OccurredAt,
        size: TreeSize,
    ) -> Result<ListIdentitiesResponse> {
        let found = self.candidates(who.trim(), wanted, at, size)?;
        let parties = self.parties(size);
        let identities = found.iter().take(wanted.max()).map(|entity| parties.party(entity)).collect::<Result<_>>()?;
        let more = found.len() > wanted.max();
        Ok(ListIdentitiesResponse { basis: Some(self.basis()), identities, more, next_page_token: String::new() })
    }

    /// At most one more than are wanted, so that it shows where there are more.
    fn candidates(&self, who: &str, wanted: Wanted<'_>, at: OccurredAt, known: TreeSize) -> Result<Vec<EntityId>> {
        if let Ok(entity) = who.parse::<EntityId>() {
            return Ok(Some(entity).filter(|entity| wanted.is_of_system(entity)).into_iter().collect());
        }
        if canonical(who).is_empty() {
            return Ok(Vec::new());
        }
        let (mut found, mut former) = (Vec::new(), Vec::new());
        let mut called = BTreeSet::new();
        for token in self.tokens(who)? {
            let bound = names::bound_to(&self.view, &token, known)?;
            let identifier = EntityId::identifier(&token);
            if bound.is_empty() && names::is_seen(&self.view, &identifier, known)? {
                former.push(identifier.clone());
            }
            if !bound.is_empty() {
                called.insert(identifier);
            }
            for entity in bound {
                let binding = histories::binding_at(&self.view, &entity, at, known)?;
                let is_current = binding.is_some_and(|binding| binding.tokens.contains(&token));
                if is_current { found.push(entity) } else { former.push(entity) }
            }
        }
        found.extend(self.search(who, Match::Whole, wanted, known)?);
        found.extend(former);
        // What somebody is called is that one, also where a record knows nothing else of them.
        found.retain(|entity| wanted.fits(entity) && !called.contains(entity));
        if found.is_empty() {
            found = self.native(who, wanted, known)?;
        }
        for how in [Match::Start, Match::Part] {
            if found.is_empty() {
                found = self.search(who, how, wanted, known)?;
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

    /// By name: whoever may not see names finds nobody by them either.
    fn search(&self, name: &str, how: Match, wanted: Wanted<'_>, known: TreeSize) -> Result<Vec<EntityId>> {
        if !self.shows_names {
            return Ok(Vec::new());
        }
        names::search(&self.view, name, how, known, wanted.max() + 1, |entity| wanted.fits(entity))
    }

    /// The entities with a native id as people write it: "ticket/1042", "#1042", "SR-1042". What stands before a dash
    /// tells the type of a ticket.
    fn native(&self, who: &str, wanted: Wanted<'_>, known: TreeSize) -> Result<Vec<EntityId>> {
        let name = canonical(who);
        let bare = name.trim_start_matches('#');
        let (kind, id) = match (bare.split_once('-'), bare.split_once('/')) {
            (Some((prefix, number)), _) if is_number(number) => {
                let known = TICKET_PREFIXES.iter().find(|(known, _)| *known == prefix);
                (known.map(|(_, kind)| *kind), number.trim_start_matches('0'))
            }
            (_, Some((kind, id))) => (Some(kind), id),
            _ if bare.len() < name.len() && is_number(bare) => (Some("ticket"), bare.trim_start_matches('0')),
            _ => (None, ""),
        };
        let Some(kind) = kind.filter(|_| !id.is_empty()) else { return Ok(Vec::new()) };
        let mut found = self.search(id, Match::Whole, wanted, known)?;
        let is_meant = |entity: &EntityId| {
            let of_kind = entity.native_id().split_once('/').filter(|(found, _)| found.eq_ignore_ascii_case(kind));
            of_kind.is_some_and(|(_, found)| canonical(found) == id)
        };
        found.retain(is_meant);
        Ok(found)
    }
}

fn is_number(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit())
}
