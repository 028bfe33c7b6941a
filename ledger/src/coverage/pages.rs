//! The pages of the entity map as rows of the derived data.
//!
//! Owns their bytes, and that an append sees what was written before it and is in no database yet. What a page means is
//! for `verify::map::pages` to say, which believes nothing that is read here.
//!
//! ```text
//! map   u8 depth ‖ the half-bytes in which its keys agree, two in a byte  →  u16 slots ‖ u16 pages ‖ slot …
//! ```
//! `slots` has a bit for each slot in which there is something, the lowest for slot 0; `pages` one for each of them that
//! is a page below. A slot is the 32 bytes of the root over that page, or the key, u64 count and head of one entity.

use std::collections::{BTreeMap, HashMap};

use counterfoil_verify::hash::Hash;
use counterfoil_verify::map::pages::{self, Page, PagePlace, Pages, PagesError, Slot, WritePages};
use counterfoil_verify::map::{EntityChain, Link, MapKey, MapRoot};
use counterfoil_verify::seal::{EntityMap, SealError};

use crate::error::{LedgerError, Result};
use crate::store::{DerivedDb, MAP, cf};

/// Pages that are in no database yet, as bytes: read, each would take four times as much.
pub(crate) type Written = HashMap<PagePlace, Box<[u8]>>;

/// The map: what is in the derived data, below what was written since.
pub(crate) struct StoredMap<'a> {
    pub(crate) derived: &'a DerivedDb,
    pub(crate) written: &'a mut Written,
}

/// Why a map could not be appended to, or a seal was rejected.
pub(crate) enum MapError {
    Seal(SealError),
    Pages(LedgerError),
}

impl From<SealError> for MapError {
    fn from(error: SealError) -> Self {
        Self::Seal(error)
    }
}

impl EntityMap for StoredMap<'_> {
    type Error = MapError;

    fn append(&mut self, root: MapRoot, links: Vec<Link>) -> std::result::Result<MapRoot, MapError> {
        pages::append(self, root, links).map_err(|error| MapError::Pages(told(error)))
    }
}

impl Pages for StoredMap<'_> {
    type Error = LedgerError;

    fn read(&self, place: &PagePlace) -> Result<Option<Page>> {
        match self.written.get(place) {
            Some(written) => Ok(page(written)),
            None => Ok(self.derived.0.get_pinned_cf(cf(&self.derived.0, MAP), key(place))?.and_then(|row| page(&row))),
        }
    }
}

impl WritePages for StoredMap<'_> {
    fn write(&mut self, place: PagePlace, page: Page) -> Result<()> {
        self.written.insert(place, value(&page).into());
        Ok(())
    }
}

/// What is wrong with the map, in the ledger's words.
pub(crate) fn told(error: PagesError<LedgerError>) -> LedgerError {
    match error {
        PagesError::Store(error) => error,
        broken @ PagesError::Broken(_) => LedgerError::falsified("the entity map", broken),
    }
}

/// The key of a page.
pub(crate) fn key(PagePlace { depth, prefix }: &PagePlace) -> Vec<u8> {
    let mut key = vec![*depth];
    key.extend_from_slice(&prefix[..usize::from(depth.div_ceil(2))]);
    key
}

/// The bytes of a page.
fn value(page: &Page) -> Vec<u8> {
    let bits = |is_in: fn(&Slot) -> bool| {
        let numbers = page.slots.iter().filter(|(_, slot)| is_in(slot)).map(|(number, _)| *number);
        numbers.fold(0_u16, |bits, number| bits | 1 << number).to_be_bytes()
    };
    let mut value = Vec::with_capacity(4 + 72 * page.slots.len());
    value.extend_from_slice(&bits(|_| true));
    value.extend_from_slice(&bits(|slot| matches!(slot, Slot::Below(_))));
    for slot in page.slots.values() {
        match slot {
            Slot::Below(root) => value.extend_from_slice(root.as_bytes()),
            Slot::Entity(key, EntityChain { count, head }) => {
                value.extend_from_slice(key.0.as_bytes());
                value.extend_from_slice(&count.to_be_bytes());
                value.extend_from_slice(head.as_bytes());
            }
        }
    }
    value
}

/// Reads the bytes of a page; none if they are another thing.
pub(crate) fn page(value: &[u8]) -> Option<Page> {
    let (slots, value) = value.split_first_chunk::<2>()?;
    let (below, mut value) = value.split_first_chunk::<2>()?;
    let (there, below) = (u16::from_be_bytes(*slots), u16::from_be_bytes(*below));
    let mut take = |length: usize| {
        let (taken, rest) = value.split_at_checked(length)?;
        value = rest;
        Some(taken)
    };
    let mut slots = BTreeMap::new();
    for number in (0..16).filter(|number| there >> number & 1 == 1) {
        let slot = if below >> number & 1 == 1 {
            Slot::Below(Hash::from_slice(take(Hash::LENGTH)?).ok()?)
        } else {
            let key = MapKey(Hash::from_slice(take(Hash::LENGTH)?).ok()?);
            let count = u64::from_be_bytes(take(8)?.try_into().ok()?);
            Slot::Entity(key, EntityChain { count, head: Hash::from_slice(take(Hash::LENGTH)?).ok()? })
        };
        slots.insert(number, slot);
    }
    let is_whole = below & !there == 0 && value.is_empty();
    is_whole.then_some(Page { slots })
}
