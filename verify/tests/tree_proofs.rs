//! Owns the tests of the tree and its proofs against three oracles: a naive tree straight from RFC 6962
//! (`common`), the crate tlog_tiles and the crate ct-merkle.

mod common;

use common::*;
use counterfoil_verify::hash::{Hash, HashError, LeafHash, empty_root, leaf_hash, node_hash};
use counterfoil_verify::proof::{PATH_HASHES_MAX, ProofError, verify_consistency, verify_inclusion, verify_range};
use counterfoil_verify::tree::{
    Frontier, NodeSource, RecordIndex, SubtreeRoot, TreeError, TreeSize, consistency_proof, inclusion_proof, root_at,
};
use ct_merkle::mem_backed_tree::MemoryBackedTree;
use proptest::prelude::*;
use sha2::Sha256;

type OracleTree = MemoryBackedTree<Sha256, Vec<u8>>;

fn oracle_tree(size: usize) -> OracleTree {
    let mut tree = OracleTree::new();
    (0..size).for_each(|index| tree.push(record(index)));
    tree
}

/// The hashes of tlog_tiles, stored as it asks for them.
struct StoredHashes(Vec<tlog_tiles::Hash>);

impl StoredHashes {
    fn new(size: usize) -> StoredHashes {
        let mut stored = StoredHashes(Vec::new());
        for index in 0..size {
            let hashes = tlog_tiles::stored_hashes(index as u64, &record(index), &stored);
            stored.0.extend(hashes.expect("the oracle appends"));
        }
        stored
    }
}

impl tlog_tiles::HashReader for StoredHashes {
    fn read_hashes(&self, indexes: &[u64]) -> Result<Vec<tlog_tiles::Hash>, tlog_tiles::Error> {
        Ok(indexes.iter().map(|index| self.0[*index as usize]).collect())
    }
}

fn theirs(hash: Hash) -> tlog_tiles::Hash {
    tlog_tiles::Hash(*hash.as_bytes())
}

fn all_theirs(path: &[Hash]) -> Vec<tlog_tiles::Hash> {
    path.iter().map(|hash| theirs(*hash)).collect()
}

fn size_of(leaves: &[LeafHash]) -> TreeSize {
    TreeSize(leaves.len() as u64)
}

fn build_inclusion(leaves: &[LeafHash], index: usize) -> Vec<Hash> {
    inclusion_proof(&Leaves(leaves), RecordIndex(index as u64), size_of(leaves)).expect("in memory")
}

fn build_consistency(leaves: &[LeafHash], old: usize) -> Vec<Hash> {
    consistency_proof(&Leaves(leaves), TreeSize(old as u64), size_of(leaves)).expect("in memory")
}

/// A random tree with an index in it, and a smaller, non-empty tree.
fn tree_and_position() -> impl Strategy<Value = (usize, usize)> {
    (1..3000_usize).prop_flat_map(|size| (Just(size), 0..size))
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(192))]

    #[test]
    fn inclusion_agrees_with_every_oracle((size, index) in tree_and_position(), wrong in any::<u64>()) {
        let leaves = leaves(size);
        let (leaf, root) = (leaves[index], tree_head(&leaves));
        let path = build_inclusion(&leaves, index);
        prop_assert_eq!(&path, &inclusion_path(index, &leaves));

        let stored = StoredHashes::new(size);
        prop_assert_eq!(tlog_tiles::tree_hash(size as u64, &stored).expect("oracle"), theirs(root));
        let oracle = tlog_tiles::prove_record(size as u64, index as u64, &stored).expect("oracle");
        prop_assert_eq!(&all_theirs(&path), &oracle);

        let tree = oracle_tree(size);
        let oracle = tree.root();
        prop_assert_eq!(&oracle.as_bytes()[..], &root.as_bytes()[..]);
        let oracle = tree.prove_inclusion(index);
        let bytes: Vec<u8> = path.iter().flat_map(|hash| *hash.as_bytes()).collect();
        prop_assert_eq!(&bytes[..], oracle.as_bytes());

        let check = |index: u64, path: &[Hash]| {
            verify_inclusion(leaf, RecordIndex(index), size_of(&leaves), path, root)
        };
        let right = index as u64;
        prop_assert_eq!(check(right, &path), Ok(()));
        for claimed in [wrong, wrong % size as u64, right + 1, right ^ 1, size as u64] {
            prop_assert_eq!(check(claimed, &path).is_ok(), claimed == right, "index {}", claimed);
        }
        for wrong in wrong_lengths(&path, root) {
            prop_assert!(check(right, &wrong).is_err());
        }
    }

    #[test]
    fn consistency_agrees_with_every_oracle((new, position) in tree_and_position()) {
        let old = position + 1;
        let leaves = leaves(new);
        let (old_root, new_root) = (tree_head(&leaves[..old]), tree_head(&leaves));
        let path = build_consistency(&leaves, old);
        prop_assert_eq!(&path, &consistency_path(old, &leaves));

        let stored = StoredHashes::new(new);
        let oracle = tlog_tiles::prove_tree(new as u64, old as u64, &stored).expect("oracle");
        prop_assert_eq!(&all_theirs(&path), &oracle);

        // ct-merkle writes an empty proof only for equal trees too.
        let tree = oracle_tree(new);
        let oracle = tree.prove_consistency(new - old);
        let verified = tree.root().verify_consistency(&oracle_tree(old).root(), &oracle);
        prop_assert!(verified.is_ok());

        let check = |old_size: usize, path: &[Hash]| verify_consistency(
            TreeSize(old_size as u64), old_root, size_of(&leaves), new_root, path);
        prop_assert_eq!(check(old, &path), Ok(()));
        for wrong in [old - 1, old + 1, new + 1] {
            prop_assert!(check(wrong, &path).is_err(), "old size {}", wrong);
        }
        for wrong in wrong_lengths(&path, new_root) {
            prop_assert!(check(old, &wrong).is_err());
        }
    }

    #[test]
    fn a_range_of_any_tree_is_proved((size, last) in tree_and_position(), begin in any::<prop::sample::Index>()) {
        let first = begin.index(last + 1);
        let leaves = leaves(size);
        let paths = (inclusion_path(first, &leaves), inclusion_path(last, &leaves));
        let mut claimed = Claimed { leaves: leaves[first..=last].to_vec(), first, size, paths: (&paths.0, &paths.1) };
        let root = tree_head(&leaves);
        prop_assert!(claimed.is_proved(root));
        let middle = claimed.leaves.len() / 2;
        claimed.leaves.remove(middle);
        prop_assert!(!claimed.is_proved(root));
    }

    #[test]
    fn a_frontier_restored_at_any_size_goes_on_alike((size, cut) in tree_and_position()) {
        let leaves = leaves(size);
        let mut frontier = Frontier::new();
        leaves[..cut].iter().for_each(|leaf| { frontier.append(*leaf, |_| ()); });
        let mut restored = Frontier::from_parts(frontier.size(), frontier.hashes().to_vec()).expect("consistent");
        prop_assert_eq!(&restored, &frontier);
        for (index, leaf) in leaves.iter().enumerate().skip(cut) {
            prop_assert_eq!(restored.append(*leaf, |_| ()), RecordIndex(index as u64));
        }
        prop_assert_eq!(restored.size(), size_of(&leaves));
        prop_assert_eq!(restored.root(), tree_head(&leaves));
    }
}

/// The path without its first or last hash, and with one more at either end.
fn wrong_lengths(path: &[Hash], extra: Hash) -> Vec<Vec<Hash>> {
    let mut wrong = vec![[&[extra], path].concat(), [path, &[extra]].concat()];
    if let [_, rest @ ..] = path {
        wrong.push(rest.to_vec());
    }
    if let [rest @ .., _] = path {
        wrong.push(rest.to_vec());
    }
    wrong
}

#[test]
fn every_small_tree_proves_itself_and_nothing_else() {
    let leaves = leaves(40);
    for size in 1..=leaves.len() {
        let leaves = &leaves[..size];
        let root = tree_head(leaves);
        for index in 0..size {
            let path = build_inclusion(leaves, index);
            for (claimed, leaf) in leaves.iter().enumerate() {
                let at = |index| verify_inclusion(*leaf, RecordIndex(index as u64), size_of(leaves), &path, root);
                assert_eq!(at(claimed).is_ok(), claimed == index);
                assert_eq!(at(index).is_ok(), claimed == index);
            }
        }
        for old in 1..=size {
            let path = build_consistency(leaves, old);
            for claimed in 0..=size + 1 {
                let old_root = tree_head(&leaves[..old]);
                let claimed_size = TreeSize(claimed as u64);
                let result = verify_consistency(claimed_size, old_root, size_of(leaves), root, &path);
                assert_eq!(result.is_ok(), claimed == old, "{claimed} for {old} in {size}");
            }
        }
    }
}

/// A range of leaves with the paths of its ends, as somebody claims it.
#[derive(Clone)]
struct Claimed<'t> {
    leaves: Vec<LeafHash>,
    first: usize,
    size: usize,
    paths: (&'t [Hash], &'t [Hash]),
}

impl Claimed<'_> {
    fn is_proved(&self, root: Hash) -> bool {
        let (first, size) = (RecordIndex(self.first as u64), TreeSize(self.size as u64));
        verify_range(&self.leaves, first, size, self.paths, root).is_ok()
    }
}

#[test]
fn every_range_of_every_small_tree_is_proved() {
    let leaves = leaves(64);
    for size in 1..=leaves.len() {
        let leaves = &leaves[..size];
        let root = tree_head(leaves);
        let paths: Vec<Vec<Hash>> = (0..size).map(|index| inclusion_path(index, leaves)).collect();
        for first in 0..size {
            for last in first..size {
                let claimed = leaves[first..=last].to_vec();
                let claimed = Claimed { leaves: claimed, first, size, paths: (&paths[first], &paths[last]) };
                assert!(claimed.is_proved(root), "{first} to {last} of {size}");
            }
        }
    }
}

#[test]
fn a_range_that_is_another_is_not_proved() {
    let all = leaves(21);
    for size in 1..=20 {
        let leaves = &all[..size];
        let root = tree_head(leaves);
        let paths: Vec<Vec<Hash>> = (0..size).map(|index| inclusion_path(index, leaves)).collect();
        for first in 0..size {
            for last in first..size {
                let what = format!("{first} to {last} of {size}");
                let good = Claimed {
                    leaves: leaves[first..=last].to_vec(),
                    first,
                    size,
                    paths: (&paths[first], &paths[last]),
                };
                let none = Claimed { leaves: Vec::new(), ..good.clone() };
                assert!(!none.is_proved(root), "{what}: nothing");
                for at in 0..good.leaves.len() {
                    let mut short = good.clone();
                    short.leaves.remove(at);
                    assert!(!short.is_proved(root), "{what}: without leaf {at}");
                    let mut other = good.clone();
                    other.leaves[at] = all[20];
                    assert!(!other.is_proved(root), "{what}: another leaf {at}");
                    let mut more = good.clone();
                    more.leaves.insert(at, all[20]);
                    assert!(!more.is_proved(root), "{what}: one more at {at}");
                    if at > 0 {
                        let mut swapped = good.clone();
                        swapped.leaves.swap(at - 1, at);
                        assert!(!swapped.is_proved(root), "{what}: swapped at {at}");
                    }
                }
                for other in (0..size + 2).filter(|other| *other != first) {
                    assert!(!Claimed { first: other, ..good.clone() }.is_proved(root), "{what}: at {other}");
                }
                let (own, others) = (good.paths, [&paths[..first], &paths[first + 1..]].concat());
                for other in &others {
                    assert!(!Claimed { paths: (other, own.1), ..good.clone() }.is_proved(root), "{what}: its begin");
                }
                for path in wrong_lengths(&paths[last], root) {
                    assert!(!Claimed { paths: (own.0, &path), ..good.clone() }.is_proved(root), "{what}: its end");
                }
                assert!(!good.is_proved(empty_root()), "{what}: another root");
            }
        }
    }
    let none = verify_range(&[], RecordIndex(0), TreeSize(0), (&[], &[]), empty_root());
    assert_eq!(none, Err(ProofError::NoRecords));
    let far = verify_range(&all[..2], RecordIndex(u64::MAX), TreeSize(u64::MAX), (&[], &[]), empty_root());
    assert!(far.is_err());
}

#[test]
fn completed_subtrees_are_every_perfect_subtree_once() {
    let leaves = leaves(1030);
    let mut frontier = Frontier::new();
    let mut completed: Vec<SubtreeRoot> = Vec::new();
    for leaf in &leaves {
        frontier.append(*leaf, |subtree| completed.push(subtree));
    }
    for subtree in &completed {
        let Ok(expected) = Leaves(&leaves).node(subtree.level, subtree.index);
        assert_eq!(subtree.hash, expected);
    }
    let count = |level: u8| completed.iter().filter(|subtree| subtree.level == level).count();
    let counts: Vec<usize> = (0..12).map(count).collect();
    assert_eq!(counts, [1030, 515, 257, 128, 64, 32, 16, 8, 4, 2, 1, 0]);
    completed.sort_by_key(|subtree| (subtree.level, subtree.index));
    completed.dedup_by_key(|subtree| (subtree.level, subtree.index));
    assert_eq!(completed.len(), counts.iter().sum::<usize>());
}

#[test]
fn a_frontier_needs_one_hash_for_each_set_bit() {
    let check = |size, found, expected| {
        let hashes = vec![empty_root(); found];
        let result = Frontier::from_parts(TreeSize(size), hashes).map(|frontier| frontier.size());
        let error = TreeError::FrontierLength { size: TreeSize(size), expected, found };
        assert_eq!(result, if found == expected { Ok(TreeSize(size)) } else { Err(error) });
    };
    for (size, expected) in [(0, 0), (1, 1), (7, 3), (8, 1), (u64::MAX, 64)] {
        (0..70).for_each(|found| check(size, found, expected));
    }
}

#[test]
fn proofs_that_cannot_be_built() {
    let leaves = leaves(7);
    let source = Leaves(&leaves);
    let size = TreeSize(7);
    let index = RecordIndex(7);
    let outside = inclusion_proof(&source, index, size);
    assert_eq!(outside, Err(TreeError::IndexOutsideTree { index, size }));
    let index = RecordIndex(0);
    let empty = inclusion_proof(&source, index, TreeSize(0));
    assert!(matches!(empty, Err(TreeError::IndexOutsideTree { .. })));
    let (old, new) = (TreeSize(7), TreeSize(6));
    let shrinking = consistency_proof(&source, old, new);
    assert_eq!(shrinking, Err(TreeError::ShrinkingTree { old, new }));
}

/// A source without nodes, which names the one it was asked for.
struct Missing;

#[derive(Debug, PartialEq, thiserror::Error)]
#[error("no node {1} at level {0}")]
struct MissingNode(u8, u64);

impl NodeSource for Missing {
    type Error = MissingNode;

    fn node(&self, level: u8, index: u64) -> Result<Hash, MissingNode> {
        Err(MissingNode(level, index))
    }
}

#[test]
fn an_error_of_the_source_comes_through() {
    let found = root_at(&Missing, TreeSize(768));
    assert_eq!(found, Err(TreeError::Node(MissingNode(9, 0))));
    let found = inclusion_proof(&Missing, RecordIndex(600), TreeSize(768));
    assert_eq!(found, Err(TreeError::Node(MissingNode(9, 0))));
    let found = consistency_proof(&Missing, TreeSize(512), TreeSize(768));
    assert_eq!(found, Err(TreeError::Node(MissingNode(8, 2))));
}

/// A tree of any size whose records are all alike: every perfect subtree of a level has the same root.
struct Uniform;

impl NodeSource for Uniform {
    type Error = std::convert::Infallible;

    fn node(&self, level: u8, _index: u64) -> Result<Hash, Self::Error> {
        Ok((0..level).fold(leaf_hash(b"").0, |hash, _| node_hash(hash, hash)))
    }
}

#[test]
fn trees_up_to_the_largest_number_do_not_overflow() {
    let check = |index: u64, size: u64| {
        let (index, size) = (RecordIndex(index), TreeSize(size));
        let root = root_at(&Uniform, size).expect("computed");
        let path = inclusion_proof(&Uniform, index, size).expect("computed");
        let included = verify_inclusion(leaf_hash(b""), index, size, &path, root);
        let old = TreeSize(index.0);
        let old_root = root_at(&Uniform, old).expect("computed");
        let links = consistency_proof(&Uniform, old, size).expect("computed");
        let consistent = verify_consistency(old, old_root, size, root, &links);
        (included, consistent, path.len(), links.len())
    };
    let top = 1 << 63;
    assert_eq!(check(5, top >> 1), (Ok(()), Ok(()), 62, 63));
    assert_eq!(check(1, top), (Ok(()), Ok(()), 63, 63));
    assert_eq!(check(top - 1, top).0, Ok(()));
    let too_long = Err(ProofError::PathTooLong { found: 64 });
    assert_eq!(check(5, top).1, too_long);
    assert_eq!(check(5, u64::MAX).0, too_long);
    assert_eq!(check(u64::MAX - 1, u64::MAX).0, Ok(()));
    assert_eq!(PATH_HASHES_MAX, 63);
}

#[test]
fn the_special_cases_of_consistency() {
    let leaves = leaves(7);
    let (empty, three, seven) = (empty_root(), tree_head(&leaves[..3]), tree_head(&leaves));
    let check = |old, old_root, new, new_root, path: &[Hash]| {
        verify_consistency(TreeSize(old), old_root, TreeSize(new), new_root, path)
    };
    assert_eq!(check(0, empty, 7, seven, &[]), Ok(()));
    assert_eq!(check(0, empty, 0, empty, &[]), Ok(()));
    assert_eq!(check(7, seven, 7, seven, &[]), Ok(()));

    assert!(matches!(check(0, three, 7, seven, &[]), Err(ProofError::OldRoot { .. })));
    assert!(matches!(check(0, empty, 0, three, &[]), Err(ProofError::Root { .. })));
    assert!(matches!(check(0, three, 0, three, &[]), Err(ProofError::OldRoot { .. })));
    assert!(matches!(check(7, three, 7, seven, &[]), Err(ProofError::Root { .. })));
    assert!(matches!(check(0, empty, 7, seven, &[seven]), Err(ProofError::PathGoesOn { .. })));
    assert!(matches!(check(7, seven, 7, seven, &[seven]), Err(ProofError::PathGoesOn { .. })));
    assert!(matches!(check(3, three, 7, seven, &[]), Err(ProofError::PathEndsEarly { .. })));
    assert!(matches!(check(4, three, 7, seven, &[]), Err(ProofError::PathEndsEarly { .. })));
    assert!(matches!(check(7, seven, 3, three, &[]), Err(ProofError::ShrinkingTree { .. })));
}

#[test]
fn the_tree_of_one_record_has_an_empty_path() {
    let leaf = leaf_hash(b"only");
    let check =
        |index, size, path: &[Hash], root| verify_inclusion(leaf, RecordIndex(index), TreeSize(size), path, root);
    assert_eq!(check(0, 1, &[], leaf.0), Ok(()));
    assert!(matches!(check(0, 1, &[leaf.0], leaf.0), Err(ProofError::PathGoesOn { .. })));
    assert!(matches!(check(0, 1, &[], empty_root()), Err(ProofError::Root { .. })));
    assert!(matches!(check(0, 0, &[], empty_root()), Err(ProofError::IndexOutsideTree { .. })));
    assert!(matches!(check(1, 1, &[], leaf.0), Err(ProofError::IndexOutsideTree { .. })));
}

// A path that ends early leads to the right root if the "leaf" is the inner node where it should start.
#[test]
fn an_inner_node_is_no_leaf_and_no_older_tree() {
    let leaves = leaves(16);
    let root = tree_head(&leaves);
    for index in 0..16 {
        let path = build_inclusion(&leaves, index as usize);
        for level in 0..=4 {
            let Ok(node) = Leaves(&leaves).node(level, index >> level);
            let rest = &path[usize::from(level)..];
            for claimed in [index, index >> level] {
                let claimed = RecordIndex(claimed);
                let claim = verify_inclusion(LeafHash(node), claimed, TreeSize(16), rest, root);
                assert_eq!(claim.is_ok(), level == 0, "level {level} above {index}");
            }
        }
    }
    let same = empty_root();
    for (old, new) in [(1, 2), (4, 7), (4, 8)] {
        let claim = verify_consistency(TreeSize(old), same, TreeSize(new), same, &[]);
        assert_eq!(claim, Err(ProofError::PathEndsEarly { found: 0 }));
    }
    let claim = verify_consistency(TreeSize(3), same, TreeSize(7), same, &[same]);
    assert_eq!(claim, Err(ProofError::PathEndsEarly { found: 1 }));
}

#[test]
fn every_flipped_bit_of_an_inclusion_proof_is_rejected() {
    for (index, size) in [(0, 1), (5, 7), (6, 7), (0, 8), (299, 300)] {
        let leaves = leaves(size);
        let (leaf, root) = (leaves[index], tree_head(&leaves));
        let path = build_inclusion(&leaves, index);
        let check =
            |leaf, path: &[Hash], root| verify_inclusion(leaf, RecordIndex(index as u64), size_of(&leaves), path, root);
        assert_eq!(check(leaf, &path, root), Ok(()));
        for flipped in hash_flips(leaf.0) {
            assert!(check(LeafHash(flipped), &path, root).is_err());
        }
        for flipped in hash_flips(root) {
            assert!(check(leaf, &path, flipped).is_err());
        }
        for position in 0..path.len() {
            for flipped in hash_flips(path[position]) {
                let mut path = path.clone();
                path[position] = flipped;
                assert!(check(leaf, &path, root).is_err());
            }
        }
    }
}

#[test]
fn every_flipped_bit_of_a_consistency_proof_is_rejected() {
    for (old, new) in [(1, 2), (3, 7), (4, 7), (6, 8), (256, 300), (299, 300)] {
        let leaves = leaves(new);
        let (old_root, new_root) = (tree_head(&leaves[..old]), tree_head(&leaves));
        let path = build_consistency(&leaves, old);
        let check = |old_root, new_root, path: &[Hash]| {
            verify_consistency(TreeSize(old as u64), old_root, size_of(&leaves), new_root, path)
        };
        assert_eq!(check(old_root, new_root, &path), Ok(()));
        for flipped in hash_flips(old_root) {
            assert!(check(flipped, new_root, &path).is_err());
        }
        for flipped in hash_flips(new_root) {
            assert!(check(old_root, flipped, &path).is_err());
        }
        for position in 0..path.len() {
            for flipped in hash_flips(path[position]) {
                let mut path = path.clone();
                path[position] = flipped;
                assert!(check(old_root, new_root, &path).is_err());
            }
        }
    }
}

#[test]
fn numbers_have_one_spelling() {
    for accepted in ["0", "1", "10", "18446744073709551615"] {
        let size: TreeSize = accepted.parse().expect("accepted");
        assert_eq!(size.to_string(), accepted);
        let index: RecordIndex = accepted.parse().expect("accepted");
        assert_eq!(index.to_string(), accepted);
    }
    for refused in ["", "00", "01", "+1", "-1", " 1", "1 ", "1.0", "0x1", "1e3", "\u{661}", "18446744073709551616"] {
        assert!(refused.parse::<TreeSize>().is_err(), "{refused:?}");
        assert!(refused.parse::<RecordIndex>().is_err(), "{refused:?}");
    }
}

#[test]
fn hashes_have_one_spelling() {
    let hash = empty_root();
    let text = hash.to_base64();
    assert_eq!(Hash::from_base64(&text), Ok(hash));
    let url_safe = text.replace('/', "_").replace('+', "-");
    // The last character before the padding carries two bits that must be zero.
    let loose_bits = text.replace("U=", "V=");
    assert_ne!(loose_bits, text);
    for refused in [&text[..43], &format!("{text}="), &format!("{text}\n"), "", &url_safe, &loose_bits, "AAAA"] {
        assert!(Hash::from_base64(refused).is_err(), "{refused:?}");
    }
    assert_eq!(Hash::from_slice(&[0; 31]), Err(HashError::Length { found: 31 }));
    assert_eq!(format!("{hash:?}"), hash.to_string());
    assert_eq!(hash.to_string().len(), 64);
}
