//! A listing of live access: what it saw, as bytes, and the root that its end commits to.
//!
//! Owns the bytes of an item, the order of items and the tree over them (RFC 6962, section 2.1). It holds ids and tokens
//! alone, so that it may be shown to whoever may see records. It never judges what a listing covers (that is `scope`) and
//! never checks a proof (that is `listing_proof`).
//!
//! ```text
//! key   = u16 length ‖ subject ‖ u16 length ‖ object ‖ u16 length ‖ scope     entity ids in binary form; empty: nothing
//! item  = key ‖ u8 status ‖ u8 inheritance ‖ u8 count ‖ 16 bytes for each token, ascending
//! list  = u32 length ‖ item, for each item, in ascending order of the bytes of their keys, without doubles
//! root  = the root of the tree whose leaves are SHA-256(00 ‖ item); no item: SHA-256("")
//! ```

use std::fmt;

use counterfoil_proto::v1::AccountStatus;

use crate::entity::{EntityId, is_opaque};
use crate::hash::{Hash, LeafHash, leaf_hash};
use crate::identifier::{TOKEN_BYTES, Token};
use crate::tree::Frontier;

/// The most items of one listing: the largest tenants have fewer accounts.
pub const ITEMS_MAX: usize = 1_000_000;
/// The most tokens of one item: a login, and the addresses that an account has.
pub const ITEM_TOKENS_MAX: usize = 255;

/// What makes an item itself: who holds it, what, and where. Keys sort as their bytes do.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ItemKey(Box<[u8]>);

impl ItemKey {
    /// The key of what `subject` holds in `scope`; without an object, of the subject itself.
    pub fn new(subject: &EntityId, object: Option<&EntityId>, scope: &str) -> Self {
        let parts = [subject.as_bytes(), object.map_or(&[][..], EntityId::as_bytes), scope.as_bytes()];
        let mut key = Vec::with_capacity(parts.iter().map(|part| 2 + part.len()).sum());
        for part in parts {
            let length = u16::try_from(part.len()).expect("an entity id has at most 769 bytes, a scope 255");
            key.extend_from_slice(&length.to_be_bytes());
            key.extend_from_slice(part);
        }
        Self(key.into_boxed_slice())
    }

    /// Its bytes, as in an item.
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }
}

impl fmt::Debug for ItemKey {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match Parts::split(&self.0) {
            Some((parts, _)) => write!(out, "{:?} {:?} {:?}", parts.subject, parts.object, parts.scope),
            None => write!(out, "{:?}", &self.0),
        }
    }
}

/// By what something is held, as the listing says.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[repr(u8)]
pub enum Inheritance {
    /// It does not say.
    #[default]
    Unsaid = 0,
    /// By itself: nothing else explains it.
    Direct = 1,
    /// Through a group, say, that implies it.
    Inherited = 2,
}

impl Inheritance {
    const ALL: [Self; 3] = [Self::Unsaid, Self::Direct, Self::Inherited];
}

/// One item: an account, an entitlement, or what one of them holds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Item {
    /// Who is listed, or who holds it.
    pub subject: EntityId,
    /// What is held; none where the subject itself is listed.
    pub object: Option<EntityId>,
    /// Where it holds, in the source's own id.
    pub scope: String,
    /// Of an account that is listed itself: whether it can be used. Otherwise unspecified.
    pub status: AccountStatus,
    /// Of something held: whether the listing says by what.
    pub inheritance: Inheritance,
    /// The identifiers of the subject, ascending.
    pub tokens: Vec<Token>,
}

/// Why some bytes are not an item, or not a list of items.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ListingError {
    /// Other bytes than this version writes.
    #[error(
        "expected an item as key, status and tokens, got {0} bytes of another form: take it from the list unchanged"
    )]
    Item(usize),
    /// A list that is cut off, or goes on.
    #[error("expected a length and an item at byte {0} of the list: take the whole list unchanged")]
    List(usize),
    /// The order, or a double.
    #[error("expected the items of a list in ascending order of their keys, got another at item {0}")]
    Order(usize),
    /// More than a listing may have.
    #[error("expected at most {ITEMS_MAX} items in one listing: list in several scopes")]
    TooMany,
}

impl Item {
    /// What makes it itself.
    pub fn key(&self) -> ItemKey {
        ItemKey::new(&self.subject, self.object.as_ref(), &self.scope)
    }

    /// Whether it is live access: something held, or an account that is not known to be switched off.
    pub fn is_live(&self) -> bool {
        use counterfoil_proto::v1::EntityKind as Kind;
        let holds =
            matches!(self.subject.kind(), Kind::Account | Kind::Identifier | Kind::Integration | Kind::Credential);
        holds && !matches!(self.status, AccountStatus::Disabled | AccountStatus::Deleted)
    }

    /// Its bytes.
    pub fn to_bytes(&self) -> Vec<u8> {
        let mut bytes = self.key().0.into_vec();
        bytes.push(self.status as u8);
        bytes.push(self.inheritance as u8);
        bytes.push(u8::try_from(self.tokens.len()).expect("whoever makes an item keeps to the most tokens"));
        self.tokens.iter().for_each(|token| bytes.extend_from_slice(token.as_bytes()));
        bytes
    }

    /// Reads an item. Accepts exactly the bytes that [`Item::to_bytes`] gives.
    ///
    /// # Errors
    /// [`ListingError::Item`].
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, ListingError> {
        let read = || {
            let (parts, rest) = Parts::split(bytes)?;
            let (&[status, inheritance, count], rest) = rest.split_first_chunk()?;
            if rest.len() != usize::from(count) * TOKEN_BYTES {
                return None;
            }
            let tokens: Vec<Token> = rest.chunks(TOKEN_BYTES).map(Token::from_slice).collect::<Result<_, _>>().ok()?;
            let status = AccountStatus::try_from(i32::from(status)).ok()?;
            let inheritance = *Inheritance::ALL.get(usize::from(inheritance))?;
            let is_in_order = tokens.is_sorted_by(|one, other| one < other);
            let scope_fits = parts.scope.is_empty() || is_opaque(parts.scope);
            (is_in_order && scope_fits).then(|| Self {
                subject: parts.subject,
                object: parts.object,
                scope: parts.scope.to_owned(),
                status,
                inheritance,
                tokens,
            })
        };
        read().ok_or(ListingError::Item(bytes.len()))
    }
}

/// The parts of a key.
struct Parts<'a> {
    subject: EntityId,
    object: Option<EntityId>,
    scope: &'a str,
}

impl<'a> Parts<'a> {
    /// Reads a key from the beginning of some bytes, and gives what comes behind it.
    fn split(bytes: &'a [u8]) -> Option<(Self, &'a [u8])> {
        let mut rest = bytes;
        let mut part = || {
            let (length, tail) = rest.split_first_chunk::<2>()?;
            let (part, tail) = tail.split_at_checked(usize::from(u16::from_be_bytes(*length)))?;
            rest = tail;
            Some(part)
        };
        let (subject, object, scope) = (part()?, part()?, part()?);
        let object = match object {
            [] => None,
            object => Some(EntityId::from_bytes(object).ok()?),
        };
        let subject = EntityId::from_bytes(subject).ok()?;
        Some((Self { subject, object, scope: std::str::from_utf8(scope).ok()? }, rest))
    }
}

/// The items of one listing, in the order of their keys.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Listing {
    items: Vec<(ItemKey, Item)>,
}

impl Listing {
    /// Puts items in order. Of items with one key the first stays; the others are given back, since whoever lists
    /// something twice may have left something out.
    ///
    /// # Errors
    /// [`ListingError::TooMany`].
    pub fn new(items: impl IntoIterator<Item = Item>) -> Result<(Self, Vec<Item>), ListingError> {
        let mut keyed: Vec<(ItemKey, Item)> = Vec::new();
        for item in items {
            if keyed.len() == ITEMS_MAX {
                return Err(ListingError::TooMany);
            }
            keyed.push((item.key(), item));
        }
        keyed.sort_by(|(one, _), (other, _)| one.cmp(other));
        let (mut items, mut doubles) = (Vec::with_capacity(keyed.len()), Vec::new());
        for (key, item) in keyed {
            if items.last().is_some_and(|(last, _)| *last == key) {
                doubles.push(item);
            } else {
                items.push((key, item));
            }
        }
        Ok((Self { items }, doubles))
    }

    /// The items with their keys, in order.
    pub fn items(&self) -> &[(ItemKey, Item)] {
        &self.items
    }

    /// How many there are.
    pub fn count(&self) -> u64 {
        self.items.len() as u64
    }

    /// The item with that key.
    pub fn get(&self, key: &ItemKey) -> Option<&Item> {
        self.position(key).ok().map(|at| &self.items[at].1)
    }

    /// Where the item with that key stands, or else where it would.
    pub fn position(&self, key: &ItemKey) -> Result<usize, usize> {
        self.items.binary_search_by(|(found, _)| found.cmp(key))
    }

    /// The leaves of its tree.
    pub fn leaves(&self) -> Vec<LeafHash> {
        self.items.iter().map(|(_, item)| leaf_hash(&item.to_bytes())).collect()
    }

    /// The root of its tree.
    pub fn root(&self) -> Hash {
        let mut frontier = Frontier::new();
        for leaf in self.leaves() {
            frontier.append(leaf, |_| ());
        }
        frontier.root()
    }

    /// The whole list, as it lies beside the end of the listing.
    pub fn to_bytes(&self) -> Vec<u8> {
        let mut bytes = Vec::new();
        for (_, item) in &self.items {
            let item = item.to_bytes();
            let length = u32::try_from(item.len()).expect("an item has at most 8 KiB");
            bytes.extend_from_slice(&length.to_be_bytes());
            bytes.extend_from_slice(&item);
        }
        bytes
    }

    /// Reads a whole list. Accepts exactly the bytes that [`Listing::to_bytes`] gives.
    ///
    /// # Errors
    /// [`ListingError`].
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, ListingError> {
        let mut items: Vec<(ItemKey, Item)> = Vec::new();
        let mut rest = bytes;
        while !rest.is_empty() {
            let at = bytes.len() - rest.len();
            let cut = || {
                let (length, tail) = rest.split_first_chunk::<4>()?;
                tail.split_at_checked(usize::try_from(u32::from_be_bytes(*length)).ok()?)
            };
            let (item, tail) = cut().ok_or(ListingError::List(at))?;
            let item = Item::from_bytes(item)?;
            let key = item.key();
            if items.last().is_some_and(|(last, _)| *last >= key) {
                return Err(ListingError::Order(items.len()));
            }
            if items.len() == ITEMS_MAX {
                return Err(ListingError::TooMany);
            }
            items.push((key, item));
            rest = tail;
        }
        Ok(Self { items })
    }
}
