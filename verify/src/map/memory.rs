//! The map in memory, for whoever recomputes roots from records.
//!
//! Owns a tree of leaves and branches, and appending to many entities at once: what a batch does not touch is neither
//! read nor hashed again. 170 bytes for each entity, twice that while the lists grow, and none for its further records.

use crate::hash::Hash;
use crate::map::proof::{End, MapProof, Step};
use crate::map::{EntityChain, KEY_BITS, Link, MapKey, MapRoot, branch_of, leaf_of, split_at};

/// A map in memory: at most 2^32 entities.
#[derive(Clone, Debug, Default)]
pub struct MemoryMap {
    leaves: Vec<(MapKey, EntityChain)>,
    branches: Vec<Branch>,
    top: Option<Subtree>,
}

#[derive(Clone, Copy, Debug)]
struct Subtree {
    place: Place,
    root: Hash,
}

#[derive(Clone, Copy, Debug)]
enum Place {
    Leaf(u32),
    Branch(u32),
}

#[derive(Clone, Copy, Debug)]
struct Branch {
    zero: Subtree,
    one: Subtree,
    /// The first 8 bytes of the key of `sample`, which are mostly all that is looked at.
    prefix: u64,
    /// A leaf below: its bits before `bit` are those of all of them.
    sample: u32,
    bit: u8,
}

impl MemoryMap {
    /// Appends to the chains of entities. The order of the links does not matter; each is of a later record than all
    /// that its entity has in the map.
    pub fn append(&mut self, mut links: Vec<Link>) {
        // Mostly the first bytes tell.
        links.sort_unstable_by(|one, other| one.key.prefix().cmp(&other.key.prefix()).then_with(|| one.cmp(other)));
        self.top = match self.top {
            Some(top) => Some(self.extend(top, &links)),
            None => self.grow(&links),
        };
    }

    /// The root.
    pub fn root(&self) -> MapRoot {
        self.top.map_or_else(MapRoot::empty, |top| MapRoot(top.root))
    }

    /// How many entities it has.
    pub fn count(&self) -> u64 {
        self.leaves.len() as u64
    }

    /// Shows what the map says about a key.
    pub fn prove(&self, key: &MapKey) -> MapProof {
        let mut path = Vec::new();
        let Some(mut at) = self.top else { return MapProof { path, end: End::Empty } };
        loop {
            match at.place {
                Place::Leaf(leaf) => {
                    let (found, chain) = self.leaves[leaf as usize];
                    return MapProof { path, end: End::of(key, found, chain) };
                }
                Place::Branch(branch) => {
                    let Branch { zero, one, bit, .. } = self.branches[branch as usize];
                    let (own, other) = if key.bit(bit.into()) { (one, zero) } else { (zero, one) };
                    path.push(Step { bit, sibling: other.root });
                    at = own;
                }
            }
        }
    }

    /// What stands at a place once sorted links are below it too.
    fn extend(&mut self, there: Subtree, links: &[Link]) -> Subtree {
        let (Some(first), Some(last)) = (links.first(), links.last()) else { return there };
        let parting = self.parting(there.place, &first.key).min(self.parting(there.place, &last.key));
        let (sample, end) = self.sample(there.place);
        if parting < end {
            let (zeros, ones) = split_at(links, parting);
            let key = self.leaves[sample as usize].0;
            let (own, others) = if key.bit(parting) { (ones, zeros) } else { (zeros, ones) };
            let own = self.extend(there, own);
            let others = self.grow(others).expect("a link parts here from what was there");
            let (zero, one) = if key.bit(parting) { (others, own) } else { (own, others) };
            let (number, bit) = (self.branches.len() as u32, parting as u8);
            self.branches.push(Branch { zero, one, prefix: key.prefix(), sample, bit });
            return Subtree { place: Place::Branch(number), root: branch_of(bit, zero.root, one.root) };
        }
        let root = match there.place {
            Place::Leaf(leaf) => {
                let (key, chain) = &mut self.leaves[leaf as usize];
                *chain = chain.append_all(links);
                leaf_of(key, chain)
            }
            Place::Branch(number) => {
                let Branch { zero, one, bit, .. } = self.branches[number as usize];
                let (zeros, ones) = split_at(links, bit.into());
                let (zero, one) = (self.extend(zero, zeros), self.extend(one, ones));
                let branch = &mut self.branches[number as usize];
                (branch.zero, branch.one) = (zero, one);
                branch_of(bit, zero.root, one.root)
            }
        };
        Subtree { root, ..there }
    }

    /// A tree of sorted links; none where there are none.
    fn grow(&mut self, links: &[Link]) -> Option<Subtree> {
        let key = links.first()?.key;
        let (own, others) = links.split_at(links.partition_point(|link| link.key == key));
        let chain = EntityChain::EMPTY.append_all(own);
        let there = Subtree { place: Place::Leaf(self.leaves.len() as u32), root: leaf_of(&key, &chain) };
        self.leaves.push((key, chain));
        Some(self.extend(there, others))
    }

    /// A leaf at or below a place, and where its bits stop being those of all that are there.
    fn sample(&self, place: Place) -> (u32, u16) {
        match place {
            Place::Leaf(leaf) => (leaf, KEY_BITS),
            Place::Branch(number) => {
                let Branch { sample, bit, .. } = self.branches[number as usize];
                (sample, bit.into())
            }
        }
    }

    /// Where a key first differs from what is at a place; past its own bit, anything past that.
    fn parting(&self, place: Place, key: &MapKey) -> u16 {
        let (sample, _) = self.sample(place);
        match place {
            Place::Branch(number) => {
                let Branch { prefix, bit, .. } = self.branches[number as usize];
                match (prefix ^ key.prefix()).leading_zeros() as u16 {
                    64 if bit > 64 => key.parting(&self.leaves[sample as usize].0),
                    parting => parting,
                }
            }
            Place::Leaf(_) => key.parting(&self.leaves[sample as usize].0),
        }
    }
}
