//! A reading while a connector makes it: references, facts, and the values that go beside them.
//!
//! Owns how a native id, a login and a name become a reference that a record may hold, and where each personal value
//! goes instead. It knows no system: which field is an id and which is a login is the connector's to say.

use std::borrow::Cow;
use std::collections::BTreeSet;

use counterfoil_proto::v1::{
    Confidence, Correlation, EntityKind, Fact, FactKind, IdentityType, Mapping, Outcome, Ref, RejectReason, Source,
    Time,
};
use counterfoil_verify::entity::{EntityId, is_code, is_opaque};
use counterfoil_verify::fact::{entities_of, references};
use counterfoil_verify::identifier::{IdentifierKind, Token};

use super::{Context, EventId, FACTS_MAX, Reading, Reject, shape};
use crate::json::Json;
use crate::values::Book;

/// The longest native id that stands in a record as it is; with its type before it, it stays within 255 bytes.
const OPAQUE_BYTES_MAX: usize = 200;
/// The longest login or name that gets a token, in bytes.
const IDENTIFIER_BYTES_MAX: usize = 1_024;

/// The types of entitlements and of accounts whose ids are names that systems give: no person has such a name.
const NAMED_TYPES: [&str; 8] =
    ["role", "policy", "permission", "oauth_scope", "license", "rbac_binding", "session_role", "service"];

/// What has been read so far.
pub struct Draft<'c> {
    pub context: &'c Context<'c>,
    pub facts: Vec<Fact>,
    source: Source,
    book: Book,
}

/// Somebody, or something, that acts or has access.
#[derive(Clone, Copy, Debug, Default)]
pub struct Principal<'p> {
    pub kind: EntityKind,
    /// What stands before its id, where ids are unique within a type only: "user", "role". Empty where there is none.
    pub within: &'static str,
    /// The native, immutable id.
    pub id: Option<&'p str>,
    /// What it is known by: ("login", …), ("email", …).
    pub logins: &'p [(&'static str, &'p str)],
    /// Its other values: names, titles.
    pub values: &'p [(&'static str, &'p str)],
    pub identity_type: IdentityType,
    /// Its system and tenant; none for those of the event's own source.
    pub home: Option<(&'p str, &'p str)>,
}

impl<'c> Draft<'c> {
    /// An empty draft of an event of `system` in `instance`.
    pub fn new(context: &'c Context<'c>, system: &str, instance: &str) -> Self {
        Self {
            context,
            facts: Vec::new(),
            source: Source { system: system.to_owned(), instance: instance.to_owned(), stream: String::new() },
            book: Book::default(),
        }
    }

    /// Closes the draft. An event that gave facts is mapped, whatever `otherwise` says.
    pub fn finish(
        self,
        stream: impl Into<Cow<'static, str>>,
        event_id: EventId,
        native_type: &str,
        otherwise: Mapping,
    ) -> Result<Reading, Reject> {
        if self.facts.len() > FACTS_MAX {
            return Err(Reject::new(
                RejectReason::TooManyFacts,
                format!(
                    "expected at most {FACTS_MAX} facts from one event, got {}; send the listing in pages",
                    self.facts.len()
                ),
            ));
        }
        let event_id = match event_id {
            EventId::Native(id) => EventId::Native(self.opaque(&id)),
            EventId::Version(id) => EventId::Version(self.name(&id)),
            EventId::Content => EventId::Content,
        };
        // Values lie beside the record of an entity that it names; of any other, the payload alone keeps them.
        let named: BTreeSet<EntityId> = self
            .facts
            .iter()
            .flat_map(references)
            .flat_map(|(_, reference)| entities_of(reference, &self.source))
            .collect();
        Ok(Reading {
            system: None,
            instance: None,
            stream: stream.into(),
            event_id,
            native_type: if is_code(native_type) { native_type.to_owned() } else { String::new() },
            mapping: if self.facts.is_empty() { otherwise } else { Mapping::Mapped },
            values: self.book.into_values(&named),
            facts: self.facts,
        })
    }

    /// A native id as it may stand in a record: itself, or "~" and its keyed digest where it could be somebody's name or
    /// login, or is too long.
    pub fn opaque(&self, id: &str) -> String {
        if shape::is_impersonal(id) { self.name(id) } else { self.digested(id) }
    }

    /// A scope as it may stand in a record.
    pub fn scope(&self, scope: &str) -> String {
        if shape::is_scope(scope) { self.name(scope) } else { self.digested(scope) }
    }

    /// What names no person, such as a role: itself, or "~" and its keyed digest where a record cannot hold it.
    pub fn name(&self, name: &str) -> String {
        if is_opaque(name) && name.len() <= OPAQUE_BYTES_MAX && !name.starts_with('~') {
            return name.to_owned();
        }
        self.digested(name)
    }

    /// "~" and the keyed digest of text that is no id at all, such as a department's name.
    pub fn digested(&self, text: &str) -> String {
        let hex = self.context.digest_key.hex("counterfoil/native-id/v1", text.as_bytes());
        format!("~{hex}")
    }

    /// "type/id" of an entitlement, a credential or a ticket.
    pub fn typed(&self, kind: &str, id: &str) -> String {
        let id = if NAMED_TYPES.contains(&kind) { self.name(id) } else { self.opaque(id) };
        format!("{kind}/{id}")
    }

    /// A reference to a principal; none if neither an id nor a login is known. Its values go beside the record.
    pub fn principal(&mut self, principal: Principal<'_>) -> Option<Ref> {
        let (system, instance) = self.home(principal.home);
        let mut reference = Ref {
            kind: match principal.kind {
                EntityKind::Unspecified => EntityKind::Account.into(),
                kind => kind.into(),
            },
            system,
            instance,
            id: principal.id.map_or_else(String::new, |id| match principal.within {
                "" => self.opaque(id),
                kind => self.typed(kind, id),
            }),
            identity_type: principal.identity_type.into(),
            ..Ref::default()
        };
        // What is no id as machines make them is what people know it by.
        let bare = reference.id.strip_prefix(principal.within).unwrap_or_default().trim_start_matches('/');
        let known_by = principal.id.filter(|_| bare.starts_with('~')).map(|id| ("login", id));
        let mut tokens = Vec::with_capacity(principal.logins.len() + 1);
        for (name, login) in principal.logins.iter().chain(&known_by) {
            if let Some(token) = self.token(IdentifierKind::Login, principal.home, login) {
                tokens.push((token, *name, *login));
            }
        }
        let own = EntityId::of(&reference, &self.source);
        let first = tokens.first().map(|(token, ..)| *token);
        let entity = own.clone().or_else(|| Some(EntityId::identifier(&first?)))?;
        for (token, name, login) in &tokens {
            let of = own.clone().unwrap_or_else(|| EntityId::identifier(token));
            self.book.add(of, name, login);
        }
        for (name, value) in principal.values {
            self.book.add(entity.clone(), name, value);
        }
        reference.tokens = sorted(tokens.into_iter().map(|(token, ..)| token));
        Some(reference)
    }

    /// A reference to an entitlement by its whole id ("group_member/00g1"), its name, or both; none without either.
    pub fn entitlement(&mut self, id: Option<String>, name: Option<&str>, home: Option<(&str, &str)>) -> Option<Ref> {
        let (system, instance) = self.home(home);
        let token = name.and_then(|name| self.token(IdentifierKind::EntitlementName, home, name));
        if id.is_none() && token.is_none() {
            return None;
        }
        let reference = Ref {
            kind: EntityKind::Entitlement.into(),
            system,
            instance,
            id: id.unwrap_or_default(),
            tokens: sorted(token),
            ..Ref::default()
        };
        if let Some(name) = name {
            self.text(&reference, "display_name", name);
        }
        Some(reference)
    }

    /// A reference to a credential.
    pub fn credential(&mut self, kind: &str, id: &str, name: Option<&str>, identity_type: IdentityType) -> Ref {
        let reference = Ref {
            kind: EntityKind::Credential.into(),
            id: self.typed(kind, id),
            identity_type: identity_type.into(),
            ..Ref::default()
        };
        if let Some(name) = name {
            self.text(&reference, "display_name", name);
        }
        reference
    }

    /// A reference to a ticket of the event's own system, such as "ticket/1042".
    pub fn own_ticket(&self, kind: &str, id: &str) -> Ref {
        Ref { kind: EntityKind::Ticket.into(), id: self.typed(kind, id), ..Ref::default() }
    }

    /// References to tickets that the event's texts mention: those of the ticket system.
    pub fn mentioned(&self, tickets: &[String]) -> Vec<Ref> {
        let home = Some((self.context.ticket_system, self.context.ticket_instance));
        let (system, instance) = self.home(home);
        let reference = |id: &String| Ref {
            kind: EntityKind::Ticket.into(),
            system: system.clone(),
            instance: instance.clone(),
            id: id.clone(),
            ..Ref::default()
        };
        tickets.iter().map(reference).collect()
    }

    /// Notes a value of whatever a reference names: its id, or its first identifier.
    pub fn text(&mut self, reference: &Ref, name: &str, value: &str) {
        let identifier = || {
            let token = Token::from_slice(reference.tokens.first()?).ok()?;
            Some(EntityId::identifier(&token))
        };
        if let Some(entity) = EntityId::of(reference, &self.source).or_else(identifier) {
            self.book.add(entity, name, value);
        }
    }

    /// Notes texts of an event as values of whatever a reference names: what each is called, and where it stands.
    pub fn texts(&mut self, reference: &Ref, json: &Json<'_>, values: &[(&str, &str)]) {
        for (name, path) in values {
            if let Some(value) = json.text(path) {
                self.text(reference, name, value);
            }
        }
    }

    /// The system and instance of a reference: empty for those of the event's own source.
    pub fn home(&self, home: Option<(&str, &str)>) -> (String, String) {
        match home {
            Some((system, instance)) if (system, instance) != (&self.source.system, &self.source.instance) => {
                (system.to_owned(), instance.to_owned())
            }
            _ => (String::new(), String::new()),
        }
    }

    fn token(&self, kind: IdentifierKind, home: Option<(&str, &str)>, identifier: &str) -> Option<Token> {
        let (system, instance) = home.unwrap_or((&self.source.system, &self.source.instance));
        (identifier.len() <= IDENTIFIER_BYTES_MAX)
            .then(|| self.context.index_key.token(kind, system, instance, identifier))
            .flatten()
    }
}

/// A fact that the event states itself and that succeeded; the caller fills in whom and what it is about.
pub fn fact(kind: FactKind, occurred_at: Time) -> Fact {
    Fact {
        kind: kind.into(),
        occurred_at: Some(occurred_at),
        outcome: Outcome::Success.into(),
        confidence: Confidence::Explicit.into(),
        ..Fact::default()
    }
}

/// The permissions of an entitlement that has a document which says them, such as a policy. The document is never read.
pub fn permissions(of: &Ref) -> Vec<Ref> {
    let bare = of.id.split_once('/').map_or(of.id.as_str(), |(_, bare)| bare);
    vec![Ref { id: format!("permission/{bare}"), tokens: Vec::new(), ..of.clone() }]
}

/// A time as it stands in the event id of a version: 2026-03-01T09:30:00Z.
pub fn version(time: &Time) -> String {
    jiff::Timestamp::from_second(time.seconds).map_or_else(
        |_| format!("{}s", time.seconds),
        |second| match time.nanos {
            0 => second.to_string(),
            nanos => format!("{second}+{nanos}ns"),
        },
    )
}

/// The correlation, unless nothing is known of it.
pub fn correlation(transaction: String, request: String, tickets: Vec<Ref>) -> Option<Correlation> {
    let correlation = Correlation { transaction, request, tickets };
    (correlation != Correlation::default()).then_some(correlation)
}

fn sorted(tokens: impl IntoIterator<Item = Token>) -> Vec<Vec<u8>> {
    let mut tokens: Vec<Vec<u8>> = tokens.into_iter().map(|token| token.as_bytes().to_vec()).collect();
    tokens.sort_unstable();
    tokens.dedup();
    tokens
}
