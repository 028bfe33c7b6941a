//! The map in pages, for whoever keeps it in a store of keys and values.
//!
//! Owns how the map falls into pages, appending to many entities at once, and proofs out of pages. The store owns how a
//! page is written and that a batch is written whole. How the map falls into pages has no part in its root.
//!
//! Nothing that a store gives is believed: each page has the root by which the one above it names it, and the top page
//! the root of the map. A page that is missing, damaged or of another moment is an error, and never a wrong root.
//!
//! A page is a place of the map where keys agree in their first `depth` half-bytes; it has a slot for each next
//! half-byte. A key that is alone in its slot stands there itself, several stand in the page below. At a million
//! entities a key is found in the fifth page or the sixth.

use std::collections::BTreeMap;
use std::error::Error;

use crate::hash::Hash;
use crate::map::proof::{End, MapProof, Step};
use crate::map::{EntityChain, KEY_BITS, Link, MapKey, MapRoot, branch_of, leaf_of};

/// Bits of a key that a page tells apart.
pub const PAGE_BITS: u16 = 4;

/// Where the pages are.
pub trait Pages {
    /// Why a page could not be read or written.
    type Error: Error + 'static;

    /// Reads a page. The top page of an empty map is not read.
    ///
    /// # Errors
    /// Of the store.
    fn read(&self, place: &PagePlace) -> Result<Option<Page>, Self::Error>;
}

/// Where pages are written too. Between two calls the map is as the last one left it.
pub trait WritePages: Pages {
    /// Writes a page, new or in the place of the old one: each at most once in a batch, those below before those above.
    ///
    /// # Errors
    /// Of the store.
    fn write(&mut self, place: PagePlace, page: Page) -> Result<(), Self::Error>;
}

/// Where a page stands in the map.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PagePlace {
    /// In how many half-bytes its keys agree, at most 63.
    pub depth: u8,
    /// These half-bytes, and zeros.
    pub prefix: [u8; Hash::LENGTH],
}

/// A page: its slots by the half-byte, 0 to 15, that the keys in each have next.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Page {
    /// The slots in which there is a key, at least one.
    pub slots: BTreeMap<u8, Slot>,
}

/// What is in a slot.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Slot {
    /// One entity.
    Entity(MapKey, EntityChain),
    /// Several, in the page below, and the root over them.
    Below(Hash),
}

/// Why a map in pages could not be read or written. `E` is the error of its store.
#[derive(Debug, thiserror::Error)]
pub enum PagesError<E: Error + 'static> {
    /// Of the store.
    #[error("read or write a page of the entity map")]
    Store(#[source] E),
    /// A page is missing, or is another than the one that belongs there.
    #[error("expected the page of the entity map at {0:?}, got none or another: build the map again from the records")]
    Broken(PagePlace),
}

/// Appends to the chains of entities in the map of a root, and gives the new one. The order of the links does not matter;
/// each is of a later record than all that its entity has in the map.
///
/// # Errors
/// [`PagesError`]; some pages may have been written then.
pub fn append<P: WritePages>(
    pages: &mut P,
    root: MapRoot,
    mut links: Vec<Link>,
) -> Result<MapRoot, PagesError<P::Error>> {
    links.sort_unstable();
    let top = if root == MapRoot::empty() { Page::default() } else { read(pages, PagePlace::TOP, root.0)? };
    if links.is_empty() { Ok(root) } else { fill(pages, PagePlace::TOP, top, &links).map(MapRoot) }
}

/// Shows what the map of a root says about a key.
///
/// # Errors
/// [`PagesError`].
pub fn prove<P: Pages>(pages: &P, root: MapRoot, key: &MapKey) -> Result<MapProof, PagesError<P::Error>> {
    let mut path = Vec::new();
    if root == MapRoot::empty() {
        return Ok(MapProof { path, end: End::Empty });
    }
    let mut place = PagePlace::TOP;
    let mut page = read(pages, place, root.0)?;
    loop {
        let roots = page.roots();
        let mut at = roots.as_slice();
        while let Some(Halves { bit, zero, one }) = Halves::of(at, place.depth) {
            let (own, other) = if key.bit(bit.into()) { (one, zero) } else { (zero, one) };
            path.extend(join(other, place.depth).map(|sibling| Step { bit, sibling }));
            at = own;
        }
        let Some((number, slot)) = at.first().and_then(|(number, _)| page.slots.get_key_value(number)) else {
            return Err(PagesError::Broken(place));
        };
        match slot {
            Slot::Entity(found, chain) => return Ok(MapProof { path, end: End::of(key, *found, *chain) }),
            Slot::Below(root) => (place, page) = below(pages, place, *number, *root)?,
        }
    }
}

/// Reads every page of the map of a root, and says how many there are.
///
/// # Errors
/// [`PagesError`].
pub fn count<P: Pages>(pages: &P, root: MapRoot) -> Result<u64, PagesError<P::Error>> {
    let mut count = 0;
    let mut rest = if root == MapRoot::empty() { Vec::new() } else { vec![(PagePlace::TOP, root.0)] };
    while let Some((place, root)) = rest.pop() {
        count += 1;
        for (number, slot) in read(pages, place, root)?.slots {
            if let Slot::Below(root) = slot {
                rest.push((place.below(number).ok_or(PagesError::Broken(place))?, root));
            }
        }
    }
    Ok(count)
}

/// Appends sorted links, of which there is at least one, to what is in a page, and gives the root over it.
fn fill<P: WritePages>(
    pages: &mut P,
    place: PagePlace,
    mut page: Page,
    links: &[Link],
) -> Result<Hash, PagesError<P::Error>> {
    let number_of = |link: &Link| link.key.half_byte(place.depth);
    for links in links.chunk_by(|one, other| number_of(one) == number_of(other)) {
        let (first, number) = (links[0].key, number_of(&links[0]));
        let is_alone = links[links.len() - 1].key == first;
        let slot = match page.slots.get(&number) {
            None if is_alone => Slot::Entity(first, EntityChain::EMPTY.append_all(links)),
            Some(Slot::Entity(key, chain)) if is_alone && *key == first => Slot::Entity(*key, chain.append_all(links)),
            Some(Slot::Below(root)) => {
                let (place, page) = below(pages, place, number, *root)?;
                Slot::Below(fill(pages, place, page, links)?)
            }
            there => {
                let mut page = Page::default();
                let place = place.below(number).ok_or(PagesError::Broken(place))?;
                if let Some(Slot::Entity(key, chain)) = there {
                    page.slots.insert(key.half_byte(place.depth), Slot::Entity(*key, *chain));
                }
                Slot::Below(fill(pages, place, page, links)?)
            }
        };
        page.slots.insert(number, slot);
    }
    let root = page.root(place.depth).ok_or(PagesError::Broken(place))?;
    pages.write(place, page).map_err(PagesError::Store)?;
    Ok(root)
}

/// Reads the page below a slot.
fn below<P: Pages>(
    pages: &P,
    place: PagePlace,
    number: u8,
    root: Hash,
) -> Result<(PagePlace, Page), PagesError<P::Error>> {
    let place = place.below(number).ok_or(PagesError::Broken(place))?;
    Ok((place, read(pages, place, root)?))
}

/// Reads the page that has this root.
fn read<P: Pages>(pages: &P, place: PagePlace, root: Hash) -> Result<Page, PagesError<P::Error>> {
    let page = pages.read(&place).map_err(PagesError::Store)?;
    let is_own = |page: &Page| {
        let are_half_bytes = page.slots.keys().all(|number| *number < 1 << PAGE_BITS);
        are_half_bytes && page.root(place.depth) == Some(root)
    };
    page.filter(is_own).ok_or(PagesError::Broken(place))
}

impl PagePlace {
    /// The page that all keys are in or below.
    pub const TOP: Self = Self { depth: 0, prefix: [0; Hash::LENGTH] };

    /// Where the page below a slot stands; nowhere, if that is past the last half-byte.
    fn below(mut self, number: u8) -> Option<Self> {
        let shift = if self.depth.is_multiple_of(2) { PAGE_BITS } else { 0 };
        self.prefix[usize::from(self.depth / 2)] |= number << shift;
        self.depth += 1;
        (u16::from(self.depth) * PAGE_BITS < KEY_BITS).then_some(self)
    }
}

impl Page {
    /// The root over it; none over an empty one.
    fn root(&self, depth: u8) -> Option<Hash> {
        join(&self.roots(), depth)
    }

    fn roots(&self) -> Vec<(u8, Hash)> {
        let root = |slot: &Slot| match slot {
            Slot::Entity(key, chain) => leaf_of(key, chain),
            Slot::Below(root) => *root,
        };
        self.slots.iter().map(|(number, slot)| (*number, root(slot))).collect()
    }
}

/// The slots of a page on the two sides of the first bit in which they differ.
struct Halves<'a> {
    bit: u8,
    zero: &'a [(u8, Hash)],
    one: &'a [(u8, Hash)],
}

impl<'a> Halves<'a> {
    fn of(slots: &'a [(u8, Hash)], depth: u8) -> Option<Self> {
        let [(first, _), .., (last, _)] = slots else { return None };
        // The half-byte is the lower one of the number.
        let within = (first ^ last).leading_zeros() as u8 - PAGE_BITS as u8;
        let (zero, one) = slots.split_at(slots.partition_point(|(number, _)| number >> (3 - within) & 1 == 0));
        Some(Self { bit: depth * PAGE_BITS as u8 + within, zero, one })
    }
}

/// The root over some slots of a page; none over none.
fn join(slots: &[(u8, Hash)], depth: u8) -> Option<Hash> {
    match Halves::of(slots, depth) {
        None => slots.first().map(|(_, root)| *root),
        Some(Halves { bit, zero, one }) => Some(branch_of(bit, join(zero, depth)?, join(one, depth)?)),
    }
}
