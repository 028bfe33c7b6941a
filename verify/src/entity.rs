//! What has a history, and the bytes that name it.
//!
//! Owns the id of an entity, its binary and its text form, and which characters an opaque id may have. It never looks
//! anything up and never sees a personal value: an identifier is known here by its token alone.

use std::fmt;

use counterfoil_proto::v1::{EntityKind, Ref, Source};

use crate::identifier::Token;
use crate::view::{RefView, SourceView};

/// The longest native id, in bytes: it must fit the one length byte of the binary form.
pub const NATIVE_ID_BYTES_MAX: usize = 255;
/// The longest name of a system, an instance or a stream, in bytes.
pub const NAME_BYTES_MAX: usize = 128;

/// The id of an entity: kind, then system, instance and native id, each behind one length byte.
///
/// Two ids are the same entity exactly if their bytes are equal. Ids sort by kind, then by length of the system and so
/// on: an order for storage, not for people.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct EntityId(Box<[u8]>);

/// What an [`EntityId`] is made of, before it is: for whoever needs its bytes alone, to hash them.
#[derive(Clone, Copy)]
pub(crate) struct EntityName<'a> {
    kind: EntityKind,
    parts: [&'a [u8]; 3],
}

/// Why some text or bytes are not an entity id.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum EntityError {
    /// The text lacks a part.
    #[error("{0:?} is not an entity id: expected KIND:SYSTEM:INSTANCE:ID, such as account:okta:default:00u1")]
    Form(String),
    /// The kind is not known, or has no such ids.
    #[error(
        "{0:?} is not a kind of entity: expected one of person, account, credential, entitlement, ticket, integration, snapshot_scope, identifier, unresolved, source, rule, correlation"
    )]
    Kind(String),
    /// The native id could be a personal value.
    #[error(
        "{0:?} is not an opaque id: expected 1 to 255 visible ASCII characters without '@'; anything else is an identifier and goes in by its token"
    )]
    NativeId(String),
    /// The system, instance or stream has other characters.
    #[error("{0:?} is not a name: expected 1 to 128 of a-z, A-Z, 0-9, '.', '_', '-'")]
    Name(String),
    /// The binary form is broken.
    #[error("an entity id of {0} bytes does not have the form kind, system, instance, id")]
    Bytes(usize),
}

impl EntityId {
    /// The id of something that a source names by a native id.
    pub fn new(kind: EntityKind, system: &str, instance: &str, id: &str) -> Result<Self, EntityError> {
        EntityName::new(kind, system.as_bytes(), instance.as_bytes(), id.as_bytes()).map(|name| name.to_id())
    }

    /// The id of an identifier: its token stands for system, instance and value.
    pub fn identifier(token: &Token) -> Self {
        EntityName::identifier(token).to_id()
    }

    /// What a system's tickets say about somebody they do not name. The caller has checked the source's names.
    pub fn unresolved(source: &Source) -> Self {
        EntityName::unresolved(SourceView::of(source)).to_id()
    }

    /// The entity that a source's rejected events and gaps belong to. The caller has checked the source's names.
    pub fn source(source: &Source) -> Self {
        let Source { system, instance, stream } = source;
        EntityName { kind: EntityKind::Source, parts: [system.as_bytes(), instance.as_bytes(), stream.as_bytes()] }
            .to_id()
    }

    /// The entity that every declaration of a matching rule belongs to besides the rule itself: its history shows which rules
    /// there are, and that there are no others.
    pub fn matching_rules() -> Self {
        EntityName { kind: EntityKind::Rule, parts: [b"counterfoil", b"ledger", b"declared"] }.to_id()
    }

    /// The id that a fact's reference gives, where it gives one. `source` fills in what the reference leaves out. A
    /// reference that no record may hold gives none.
    pub fn of(reference: &Ref, source: &Source) -> Option<Self> {
        EntityName::of(&RefView::of(reference), SourceView::of(source)).map(|name| name.to_id())
    }

    /// Whether this is [`EntityId::of`] a reference.
    pub fn is_id_of(&self, reference: &Ref, source: &Source) -> bool {
        !reference.id.is_empty()
            && self.native_id() == reference.id
            && self.kind() == reference.kind()
            && (self.system(), self.instance()) == place_of(reference, source)
    }

    /// Reads the binary form. Accepts exactly the bytes that an id of this version has.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, EntityError> {
        let malformed = || EntityError::Bytes(bytes.len());
        let (&kind, mut rest) = bytes.split_first().ok_or_else(malformed)?;
        let kind = EntityKind::try_from(i32::from(kind)).map_err(|_| malformed())?;
        let mut parts: [&[u8]; 3] = [b""; 3];
        for part in &mut parts {
            let (&length, tail) = rest.split_first().ok_or_else(malformed)?;
            (*part, rest) = tail.split_at_checked(usize::from(length)).ok_or_else(malformed)?;
        }
        if !rest.is_empty() {
            return Err(malformed());
        }
        let [system, instance, id] = parts;
        if kind == EntityKind::Identifier {
            let token = Token::from_slice(id).map_err(|_| malformed())?;
            let is_alone = system.is_empty() && instance.is_empty();
            return if is_alone { Ok(Self::identifier(&token)) } else { Err(malformed()) };
        }
        let text = |part| std::str::from_utf8(part).map_err(|_| malformed());
        Self::new(kind, text(system)?, text(instance)?, text(id)?)
    }

    /// The binary form, at most 1 + 3 × 256 bytes.
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }

    /// What kind of entity it is.
    pub fn kind(&self) -> EntityKind {
        EntityKind::try_from(i32::from(self.0[0])).unwrap_or(EntityKind::Unspecified)
    }

    /// The system, such as "okta"; empty for an identifier.
    pub fn system(&self) -> &str {
        self.text(0)
    }

    /// The tenant; empty for an identifier.
    pub fn instance(&self) -> &str {
        self.text(1)
    }

    /// The native id, such as "00u1" or "group_member/00g1"; of a source its stream; empty for an identifier.
    pub fn native_id(&self) -> &str {
        if self.kind() == EntityKind::Identifier { "" } else { self.text(2) }
    }

    /// The token of an identifier.
    pub fn token(&self) -> Option<Token> {
        (self.kind() == EntityKind::Identifier).then(|| Token::from_slice(self.part(2)).ok()).flatten()
    }

    /// The reference that names this entity in a fact of `source`.
    pub fn to_ref(&self, source: &Source) -> Ref {
        let mut reference = Ref { kind: self.kind().into(), ..Ref::default() };
        if let Some(token) = self.token() {
            reference.tokens.push(token.as_bytes().to_vec());
            return reference;
        }
        if self.system() != source.system || self.instance() != source.instance {
            reference.system = self.system().to_owned();
            reference.instance = self.instance().to_owned();
        }
        reference.id = self.native_id().to_owned();
        reference
    }

    /// The text form, such as "account:okta:default:00u1".
    pub fn to_text(&self) -> String {
        let kind = kind_name(self.kind());
        if let Some(token) = self.token() {
            return format!("{kind}:{token}");
        }
        let parts = [kind, self.system(), self.instance(), self.native_id()];
        let count = if self.kind() == EntityKind::Unresolved { 3 } else { 4 };
        parts[..count].join(":")
    }

    /// The parts of it.
    pub(crate) fn name(&self) -> EntityName<'_> {
        EntityName { kind: self.kind(), parts: [self.part(0), self.part(1), self.part(2)] }
    }

    fn part(&self, number: usize) -> &[u8] {
        let mut rest = &self.0[1..];
        for _ in 0..number {
            rest = &rest[1 + usize::from(rest[0])..];
        }
        &rest[1..1 + usize::from(rest[0])]
    }

    fn text(&self, number: usize) -> &str {
        std::str::from_utf8(self.part(number)).unwrap_or_default()
    }
}

impl<'a> EntityName<'a> {
    /// See [`EntityId::new`].
    pub fn new(kind: EntityKind, system: &'a [u8], instance: &'a [u8], id: &'a [u8]) -> Result<Self, EntityError> {
        let is_no_id = || EntityError::NativeId(String::from_utf8_lossy(id).into_owned());
        if kind == EntityKind::Unspecified || kind == EntityKind::Identifier {
            return Err(EntityError::Kind(kind_name(kind).to_owned()));
        }
        check_name_bytes(system)?;
        check_name_bytes(instance)?;
        match kind {
            EntityKind::Source => check_name_bytes(id)?,
            EntityKind::Unresolved if id.is_empty() => {}
            EntityKind::Unresolved => return Err(is_no_id()),
            _ if are_opaque(id) => {}
            _ => return Err(is_no_id()),
        }
        Ok(Self { kind, parts: [system, instance, id] })
    }

    /// See [`EntityId::of`].
    pub fn of(reference: &RefView<'a>, source: SourceView<'a>) -> Option<Self> {
        if reference.id.is_empty() {
            return None;
        }
        let (system, instance) = match reference.system.is_empty() {
            true => (source.system, source.instance),
            false => (reference.system, reference.instance),
        };
        Self::new(EntityKind::try_from(reference.kind).ok()?, system, instance, reference.id).ok()
    }

    /// See [`EntityId::identifier`].
    pub fn identifier(token: &'a Token) -> Self {
        Self { kind: EntityKind::Identifier, parts: [b"", b"", token.as_bytes()] }
    }

    /// See [`EntityId::unresolved`].
    pub fn unresolved(source: SourceView<'a>) -> Self {
        Self { kind: EntityKind::Unresolved, parts: [source.system, source.instance, b""] }
    }

    /// The bytes of the id, piece by piece.
    pub fn pieces<T>(&self, take: impl FnOnce(&[&[u8]; 6]) -> T) -> T {
        let [system, instance, id] = self.parts;
        let length = |part: &[u8]| u8::try_from(part.len()).expect("every caller has checked the lengths");
        let head = [self.kind as u8, length(system)];
        take(&[&head, system, &[length(instance)], instance, &[length(id)], id])
    }

    pub fn to_id(self) -> EntityId {
        EntityId(self.pieces(|pieces| pieces.concat()).into_boxed_slice())
    }
}

impl fmt::Display for EntityId {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(&self.to_text())
    }
}

impl fmt::Debug for EntityId {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "{self}")
    }
}

impl std::str::FromStr for EntityId {
    type Err = EntityError;

    fn from_str(text: &str) -> Result<Self, EntityError> {
        let form = || EntityError::Form(text.to_owned());
        let (kind, rest) = text.split_once(':').ok_or_else(form)?;
        let kind = kind_from_name(kind).ok_or_else(|| EntityError::Kind(kind.to_owned()))?;
        if kind == EntityKind::Identifier {
            return Token::from_hex(rest).map(|token| Self::identifier(&token)).map_err(|_| form());
        }
        let mut parts = rest.splitn(3, ':');
        let system = parts.next().ok_or_else(form)?;
        let instance = parts.next().ok_or_else(form)?;
        let id = parts.next();
        if id.is_some() == (kind == EntityKind::Unresolved) {
            return Err(form());
        }
        Self::new(kind, system, instance, id.unwrap_or_default())
    }
}

/// The system and the instance that a reference is of.
pub fn place_of<'a>(reference: &'a Ref, source: &'a Source) -> (&'a str, &'a str) {
    match reference.system.is_empty() {
        true => (&source.system, &source.instance),
        false => (&reference.system, &reference.instance),
    }
}

/// Whether text may stand in a record as a native id: visible ASCII without '@', so that no address and no name with a
/// space or an accent gets in.
pub fn is_opaque(text: &str) -> bool {
    are_opaque(text.as_bytes())
}

/// [`is_opaque`] of bytes.
pub(crate) fn are_opaque(text: &[u8]) -> bool {
    (1..=NATIVE_ID_BYTES_MAX).contains(&text.len()) && all(text, |byte| byte.is_ascii_graphic() & (byte != b'@'))
}

/// Whether text may stand in a record as a code: an enum value or a type name of the source's own.
pub fn is_code(text: &str) -> bool {
    are_code(text.as_bytes())
}

/// [`is_code`] of bytes.
pub(crate) fn are_code(text: &[u8]) -> bool {
    (1..=NAME_BYTES_MAX).contains(&text.len())
        && all(text, |byte| byte.is_ascii_alphanumeric() | matches!(byte, b'.' | b'_' | b'-' | b'/' | b':'))
}

/// Whether all bytes are of a kind. It goes through all of them, so that the compiler can look at many at once.
fn all(text: &[u8], is_of: impl Fn(u8) -> bool) -> bool {
    text.iter().fold(true, |is_so, byte| is_so & is_of(*byte))
}

/// Checks the name of a system, an instance or a stream.
pub fn check_name(text: &str) -> Result<(), EntityError> {
    check_name_bytes(text.as_bytes())
}

/// [`check_name`] of bytes.
pub(crate) fn check_name_bytes(text: &[u8]) -> Result<(), EntityError> {
    let valid = (1..=NAME_BYTES_MAX).contains(&text.len())
        && all(text, |byte| byte.is_ascii_alphanumeric() | matches!(byte, b'.' | b'_' | b'-'));
    if valid { Ok(()) } else { Err(EntityError::Name(String::from_utf8_lossy(text).into_owned())) }
}

/// The name of a kind in the text form of ids.
pub fn kind_name(kind: EntityKind) -> &'static str {
    match kind {
        EntityKind::Unspecified => "unspecified",
        EntityKind::Person => "person",
        EntityKind::Account => "account",
        EntityKind::Credential => "credential",
        EntityKind::Entitlement => "entitlement",
        EntityKind::Ticket => "ticket",
        EntityKind::Integration => "integration",
        EntityKind::SnapshotScope => "snapshot_scope",
        EntityKind::Identifier => "identifier",
        EntityKind::Unresolved => "unresolved",
        EntityKind::Source => "source",
        EntityKind::Rule => "rule",
        EntityKind::Correlation => "correlation",
    }
}

fn kind_from_name(name: &str) -> Option<EntityKind> {
    (1..=12).filter_map(|number| EntityKind::try_from(number).ok()).find(|&kind| kind_name(kind) == name)
}
