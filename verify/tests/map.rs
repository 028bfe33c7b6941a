//! Owns the tests of the entity map against a model that anybody can read: the definition of its root, by recursion
//! over all that is in it.
#![allow(clippy::unwrap_used, reason = "helpers of tests fail as tests do")]

mod common;

use std::collections::{BTreeMap, HashMap};

use common::*;
use counterfoil_proto::v1::EntityKind;
use counterfoil_verify::entity::EntityId;
use counterfoil_verify::hash::{Hash, LeafHash, leaf_hash};
use counterfoil_verify::map::memory::MemoryMap;
use counterfoil_verify::map::pages::{Page, PagePlace, Pages, PagesError, Slot, WritePages, append, prove};
use counterfoil_verify::map::proof::{End, MAP_PROOF_BYTES_MAX, MapProof, MapProofError, Step};
use counterfoil_verify::map::{EntityChain, Link, MapKey, MapRoot};
use counterfoil_verify::tree::RecordIndex;
use proptest::prelude::*;
use sha2::{Digest, Sha256};

// ---------------------------------------------------------------------------------------------------------------------
// The model

fn sha(parts: &[&[u8]]) -> [u8; 32] {
    Sha256::digest(parts.concat()).into()
}

/// How many records an entity has, and the head of its chain.
type Chain = (u64, [u8; 32]);

/// Each entity's key and chain, from all links in the order of the log.
type Content = BTreeMap<[u8; 32], Chain>;

fn content(links: &[Link]) -> Content {
    let mut links = links.to_vec();
    links.sort_by_key(|link| link.index);
    let mut content = Content::new();
    for Link { key, index, leaf } in links {
        let (count, head) = content.entry(*key.0.as_bytes()).or_insert((0, [0; 32]));
        *count += 1;
        *head = sha(&[b"counterfoil/entity/v1\0", head, &index.0.to_be_bytes(), leaf.0.as_bytes()]);
    }
    content
}

fn model_root(content: &Content) -> [u8; 32] {
    let entries: Vec<_> = content.iter().collect();
    if entries.is_empty() { sha(&[b"counterfoil/map-empty/v1\0"]) } else { below(&entries, 0) }
}

fn below(entries: &[(&[u8; 32], &Chain)], bit: usize) -> [u8; 32] {
    if let [(key, (count, head))] = entries {
        return sha(&[b"counterfoil/map-leaf/v1\0", *key, &count.to_be_bytes(), head]);
    }
    let (zeros, ones): (Vec<_>, Vec<_>) =
        entries.iter().copied().partition(|(key, _)| key[bit / 8] & 0x80 >> (bit % 8) == 0);
    match (zeros.is_empty(), ones.is_empty()) {
        (true, _) => below(&ones, bit + 1),
        (_, true) => below(&zeros, bit + 1),
        _ => sha(&[b"counterfoil/map-branch/v1\0", &[bit as u8], &below(&zeros, bit + 1), &below(&ones, bit + 1)]),
    }
}

// ---------------------------------------------------------------------------------------------------------------------
// What is tested against it

/// A store of pages in memory.
#[derive(Default)]
struct Store(HashMap<PagePlace, Page>);

impl Pages for Store {
    type Error = std::convert::Infallible;

    fn read(&self, place: &PagePlace) -> Result<Option<Page>, Self::Error> {
        Ok(self.0.get(place).cloned())
    }
}

impl WritePages for Store {
    fn write(&mut self, place: PagePlace, page: Page) -> Result<(), Self::Error> {
        self.0.insert(place, page);
        Ok(())
    }
}

fn entity(number: u64) -> EntityId {
    EntityId::new(EntityKind::Account, "okta", "acme", &format!("00u{number}")).unwrap()
}

/// The bytes of a made-up record.
fn leaf(index: u64) -> LeafHash {
    leaf_hash(&index.to_be_bytes())
}

fn link(number: u64, index: u64) -> Link {
    Link { key: MapKey::of(&entity(number)), index: RecordIndex(index), leaf: leaf(index) }
}

/// `count` entities with one to three records each.
fn filled(count: u64) -> MemoryMap {
    let mut map = MemoryMap::default();
    map.append(
        (0..2 * count)
            .map(|index| link(index * index % count, index))
            .chain((0..count).map(|number| link(number, 1_000_000 + number)))
            .collect(),
    );
    map
}

/// Keys that agree in many bits, as no honest ids do: some bits of a few keys are turned.
fn any_key() -> impl Strategy<Value = MapKey> {
    let bits = proptest::sample::select(vec![0u16, 1, 3, 4, 7, 8, 62, 63, 64, 65, 127, 128, 251, 252, 254, 255]);
    (0..3u8, proptest::collection::vec(bits, 0..4)).prop_map(|(base, turned)| {
        let mut bytes = sha(&[&[base / 2]]);
        for bit in turned {
            bytes[usize::from(bit / 8)] ^= 0x80 >> (bit % 8);
        }
        MapKey(Hash::from_bytes(bytes))
    })
}

/// Links of one record after the other, each to a few keys, honest or not; and where the batches end.
fn any_links() -> impl Strategy<Value = (Vec<Link>, Vec<usize>)> {
    let key = prop_oneof![any_key(), (0..40u64).prop_map(|number| MapKey::of(&entity(number)))];
    let records = proptest::collection::vec(proptest::collection::btree_set(key, 0..4), 0..60);
    (records, proptest::collection::vec(0..200usize, 0..6)).prop_map(|(records, cuts)| {
        let links = (0..).zip(records).flat_map(|(index, keys)| {
            keys.into_iter().map(move |key| Link { key, index: RecordIndex(index), leaf: leaf(index) })
        });
        (links.collect(), cuts)
    })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 600, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn however_it_was_filled_the_root_is_that_of_the_definition((links, mut cuts) in any_links(), other in any_key()) {
        let content = content(&links);
        let expected = MapRoot(Hash::from_bytes(model_root(&content)));
        let (mut map, mut store) = (MemoryMap::default(), Store::default());
        cuts.sort();
        let mut start = 0;
        for cut in cuts.into_iter().map(|cut| cut.min(links.len())).chain([links.len()]) {
            // The order within a batch makes no difference.
            let batch: Vec<Link> = links[start..cut].iter().rev().copied().collect();
            let in_pages = append(&mut store, map.root(), batch.clone()).unwrap();
            map.append(batch);
            prop_assert_eq!(in_pages, map.root());
            start = cut;
        }
        prop_assert_eq!(map.root(), expected);
        prop_assert_eq!(map.count(), content.len() as u64);
        for key in content.keys().map(|key| MapKey(Hash::from_bytes(*key))).chain([other]) {
            let proof = map.prove(&key);
            prop_assert_eq!(&proof, &prove(&store, expected, &key).unwrap());
            prop_assert_eq!(MapProof::from_bytes(&proof.to_bytes()), Ok(proof.clone()));
            let chain = content.get(key.0.as_bytes());
            let chain = chain.map(|&(count, head)| EntityChain { count, head: Hash::from_bytes(head) });
            prop_assert_eq!(proof.verify_key(expected, &key), Ok(chain));
        }
    }

    #[test]
    fn no_bytes_make_the_reader_panic(bytes in proptest::collection::vec(any::<u8>(), 0..300)) {
        if let Ok(proof) = MapProof::from_bytes(&bytes) {
            prop_assert_eq!(proof.to_bytes(), bytes);
            prop_assert!(proof.verify(filled(3).root(), &entity(1)).is_err());
        }
    }

    /// Any path and any end, which no map has.
    #[test]
    fn no_made_up_proof_is_accepted(
        bits in proptest::collection::vec(any::<u8>(), 0..12),
        hash in any::<[u8; 32]>(),
        count in any::<u64>(),
        end in 0..3usize,
    ) {
        let hash = Hash::from_bytes(hash);
        let path = bits.into_iter().map(|bit| Step { bit, sibling: hash }).collect();
        let chain = EntityChain { count, head: hash };
        let end = [End::Empty, End::Entity(chain), End::Other(MapKey(hash), chain)][end];
        let proof = MapProof { path, end };
        prop_assert!(proof.verify(filled(3).root(), &entity(1)).is_err());
    }
}

// ---------------------------------------------------------------------------------------------------------------------
// What is rejected

/// A proof of each kind, with the entity that it is about and the root.
fn proofs() -> Vec<(EntityId, MapRoot, MapProof)> {
    let map = filled(50);
    let proof = |entity: EntityId| (entity.clone(), map.root(), map.prove(&MapKey::of(&entity)));
    let mut proofs: Vec<_> = [entity(7), entity(49), entity(50), entity(999)].into_iter().map(proof).collect();
    proofs.push((entity(1), MapRoot::empty(), MemoryMap::default().prove(&MapKey::of(&entity(1)))));
    let one = filled(1);
    proofs.push((entity(0), one.root(), one.prove(&MapKey::of(&entity(0)))));
    proofs.push((entity(1), one.root(), one.prove(&MapKey::of(&entity(1)))));
    proofs
}

#[test]
fn every_flipped_bit_is_rejected() {
    for (entity, root, proof) in proofs() {
        assert!(proof.verify(root, &entity).is_ok());
        for (byte, flipped) in bit_flips(&proof.to_bytes()) {
            let judged = MapProof::from_bytes(&flipped).and_then(|proof| proof.verify(root, &entity));
            assert!(judged.is_err(), "{entity}: byte {byte}: {judged:?}");
        }
        for flipped in hash_flips(root.0) {
            assert!(matches!(proof.verify(MapRoot(flipped), &entity), Err(MapProofError::Root { .. })));
        }
    }
}

#[test]
fn every_cut_or_longer_proof_is_rejected() {
    for (entity, root, proof) in proofs() {
        let bytes = proof.to_bytes();
        for length in 0..bytes.len() {
            let judged = MapProof::from_bytes(&bytes[..length]).and_then(|proof| proof.verify(root, &entity));
            assert!(judged.is_err(), "{entity}: {length} bytes");
        }
        for more in [vec![0], vec![0x28, 1], [bytes.as_slice(), &[0]].concat(), vec![0; MAP_PROOF_BYTES_MAX + 1]] {
            assert!(MapProof::from_bytes(&[bytes.as_slice(), &more].concat()).is_err());
        }
        for place in 0..proof.path.len() {
            let mut cut = proof.clone();
            cut.path.remove(place);
            assert!(cut.verify(root, &entity).is_err());
            let mut doubled = proof.clone();
            doubled.path.insert(place, proof.path[place]);
            assert!(matches!(doubled.verify(root, &entity), Err(MapProofError::Order { .. })));
            for other in 0..place {
                let mut swapped = proof.clone();
                swapped.path.swap(place, other);
                assert!(matches!(swapped.verify(root, &entity), Err(MapProofError::Order { .. })));
                let mut swapped = proof.clone();
                (swapped.path[place].sibling, swapped.path[other].sibling) =
                    (proof.path[other].sibling, proof.path[place].sibling);
                assert!(swapped.verify(root, &entity).is_err());
            }
        }
    }
}

#[test]
fn another_count_another_head_and_another_entity_are_rejected() {
    let map = filled(50);
    let (root, proof) = (map.root(), map.prove(&MapKey::of(&entity(9))));
    let End::Entity(chain) = proof.end else { panic!("{proof:?}") };
    assert!(chain.count > 1);
    let with = |end| MapProof { path: proof.path.clone(), end }.verify(root, &entity(9));
    for count in [0, 1, chain.count - 1, chain.count + 1, u64::MAX] {
        assert!(matches!(with(End::Entity(EntityChain { count, ..chain })), Err(MapProofError::Root { .. })));
    }
    for head in hash_flips(chain.head) {
        assert!(with(End::Entity(EntityChain { head, ..chain })).is_err());
    }
    for number in (0..60).filter(|number| *number != 9) {
        assert!(proof.verify(root, &entity(number)).is_err());
    }
    for other in [filled(49).root(), filled(51).root(), MapRoot::empty()] {
        assert!(proof.verify(other, &entity(9)).is_err());
    }
}

#[test]
fn nobody_who_is_there_can_be_made_absent() {
    let map = filled(50);
    let root = map.root();
    for number in 0..50 {
        let (entity_of, key) = (entity(number), MapKey::of(&entity(number)));
        assert_eq!(MapProof { path: Vec::new(), end: End::Empty }.verify(root, &entity_of).ok(), None);
        let own = map.prove(&key);
        let End::Entity(chain) = own.end else { panic!("{own:?}") };
        // Its own leaf as if it were another's; and as if it were nothing.
        let own_as_other = MapProof { end: End::Other(key, chain), ..own.clone() };
        assert_eq!(own_as_other.verify(root, &entity_of), Err(MapProofError::OtherWay));
        let nothing = MapProof { end: End::Empty, ..own.clone() };
        assert!(matches!(nothing.verify(root, &entity_of), Err(MapProofError::Form(_))));
        // Any other leaf, with its own true path or with the path of the one that is denied.
        for other in (0..50).filter(|other| *other != number).map(|other| MapKey::of(&entity(other))) {
            let theirs = map.prove(&other);
            let End::Entity(chain) = theirs.end else { panic!("{theirs:?}") };
            let end = End::Other(other, chain);
            assert_eq!(MapProof { end, ..theirs.clone() }.verify(root, &entity_of), Err(MapProofError::OtherWay));
            assert!(MapProof { end, ..own.clone() }.verify(root, &entity_of).is_err());
        }
    }
}

#[test]
fn nobody_who_is_absent_can_be_made_present() {
    let map = filled(50);
    for number in 50..100 {
        let proof = map.prove(&MapKey::of(&entity(number)));
        let End::Other(_, chain) = proof.end else { panic!("{proof:?}") };
        let claimed = MapProof { end: End::Entity(chain), ..proof };
        assert!(matches!(claimed.verify(map.root(), &entity(number)), Err(MapProofError::Root { .. })));
    }
}

/// Here the two sides are the wrong way round, so that each entity stands in the other's place.
#[test]
fn a_root_that_breaks_the_rules_shows_nothing() {
    let mut map = MemoryMap::default();
    map.append(vec![link(1, 1), link(2, 2)]);
    let (one, two) = (MapKey::of(&entity(1)), MapKey::of(&entity(2)));
    let [proof, other] = [map.prove(&one), map.prove(&two)];
    let [step] = proof.path[..] else { panic!("{proof:?}") };
    let (End::Entity(chain), End::Entity(theirs)) = (proof.end, other.end) else { panic!("{proof:?}") };
    let leaves = [other.path[0].sibling, step.sibling];
    // `sides` of the false root: each leaf on the side of the other's key.
    let is_one = one.0.as_bytes()[usize::from(step.bit / 8)] & 0x80 >> (step.bit % 8) != 0;
    let [zero, at_one] = if is_one { leaves } else { [leaves[1], leaves[0]] };
    let forged = sha(&[b"counterfoil/map-branch/v1\0", &[step.bit], zero.as_bytes(), at_one.as_bytes()]);
    let root = MapRoot(Hash::from_bytes(forged));
    let answers = [End::Entity(chain), End::Entity(theirs), End::Other(two, theirs), End::Other(two, chain)];
    for sibling in leaves {
        for end in answers {
            let judged = MapProof { path: vec![Step { sibling, ..step }], end }.verify(root, &entity(1));
            assert!(judged.is_err(), "{end:?}");
        }
    }
}

#[test]
fn a_history_is_complete_or_rejected() {
    let links: Vec<Link> = (0..200).map(|index| link(index % 7, index)).collect();
    let mut map = MemoryMap::default();
    map.append(links.clone());
    let root = map.root();
    let all: Vec<_> =
        links.iter().filter(|link| link.key == MapKey::of(&entity(3))).map(|l| (l.index, l.leaf)).collect();
    let proof = map.prove(&MapKey::of(&entity(3)));
    let check = |records: &[(RecordIndex, LeafHash)]| proof.verify_complete(root, &entity(3), records.iter().copied());
    assert_eq!(check(&all), Ok(()));
    let count = all.len() as u64;
    let incomplete = |found| Err(MapProofError::Incomplete { expected: count, found });
    for place in 0..all.len() {
        let mut without = all.clone();
        without.remove(place);
        assert_eq!(check(&without), incomplete(count - 1));
        assert_eq!(check(&all[..place]), incomplete(place as u64));
        let mut altered = all.clone();
        altered[place].1 = leaf(1_000);
        assert_eq!(check(&altered), incomplete(count));
        let mut moved = all.clone();
        moved[place].0 = RecordIndex(moved[place].0.0 + 1);
        assert_eq!(check(&moved), incomplete(count));
        let mut doubled = all.clone();
        doubled.insert(place, all[place]);
        assert!(matches!(check(&doubled), Err(MapProofError::Records { .. })));
        if place > 0 {
            let mut swapped = all.clone();
            swapped.swap(place, place - 1);
            assert!(matches!(check(&swapped), Err(MapProofError::Records { .. })));
        }
    }
    let more = [all.as_slice(), &[(RecordIndex(900), leaf(900))]].concat();
    assert_eq!(check(&more), incomplete(count + 1));

    let absent = map.prove(&MapKey::of(&entity(8)));
    assert_eq!(absent.verify_complete(root, &entity(8), []), Ok(()));
    let found = absent.verify_complete(root, &entity(8), all[..1].iter().copied());
    assert_eq!(found, Err(MapProofError::Incomplete { expected: 0, found: 1 }));
}

#[test]
fn proofs_have_one_spelling() {
    let zeros = |bytes: &[u8]| [bytes, &[0; 32]].concat();
    let refused: [(&str, Vec<u8>); 8] = [
        ("no message", vec![0xff]),
        ("an unknown field", vec![0x30, 1]),
        ("an explicit default", vec![0x20, 0]),
        ("an end without records", vec![0x2a, 1, 0]),
        ("a count without a head", vec![0x20, 1]),
        ("a bit without a sibling", vec![0x0a, 1, 0, 0x20, 1]),
        ("a path to nothing", zeros(&[0x0a, 1, 0, 0x12, 32])),
        ("a head alone", zeros(&[0x2a, 32])),
    ];
    for (what, bytes) in refused {
        assert!(matches!(MapProof::from_bytes(&bytes), Err(MapProofError::Form(_))), "{what}");
    }
    assert_eq!(MapProof::from_bytes(&[]), Ok(MapProof { path: Vec::new(), end: End::Empty }));
    let too_large = vec![0; MAP_PROOF_BYTES_MAX + 1];
    assert_eq!(MapProof::from_bytes(&too_large), Err(MapProofError::TooLarge(MAP_PROOF_BYTES_MAX + 1)));
}

#[test]
fn the_longest_path_fits() {
    let step = |bit| Step { bit, sibling: Hash::from_bytes([0xff; 32]) };
    let key = MapKey(Hash::from_bytes([0xff; 32]));
    let end = End::Other(key, EntityChain { count: u64::MAX, head: key.0 });
    let longest = MapProof { path: (0..=255).map(step).collect(), end };
    assert!(longest.to_bytes().len() <= MAP_PROOF_BYTES_MAX);
    assert_eq!(MapProof::from_bytes(&longest.to_bytes()), Ok(longest));
}

// ---------------------------------------------------------------------------------------------------------------------
// Pages

/// Every page in turn is missing, is empty, or is that of another moment: proofs and appends that need it are errors, all
/// others come to what they came to with it.
#[test]
fn a_page_that_is_not_the_right_one_is_an_error() {
    let links: Vec<Link> = (0..100).map(|number| link(number, number)).collect();
    let (mut store, mut map) = (Store::default(), MemoryMap::default());
    append(&mut store, MapRoot::empty(), links.clone()).unwrap();
    let earlier = store.0.clone();
    let more: Vec<Link> = (0..100).map(|number| link(number, 100 + number)).collect();
    map.append(links.clone());
    append(&mut store, map.root(), more.clone()).unwrap();
    map.append(more);
    let root = map.root();

    let check = |store: &Store, place: &PagePlace, what: &str| {
        let (mut proofs, mut appends) = (0, 0);
        for Link { key, .. } in &links {
            match prove(store, root, key) {
                Ok(proof) => assert_eq!(proof, map.prove(key), "{place:?} {what}"),
                Err(PagesError::Broken(broken)) => {
                    assert_eq!(broken, *place, "{what}");
                    proofs += 1;
                }
                Err(PagesError::Store(never)) => match never {},
            }
            let next = vec![Link { key: *key, ..link(0, 1_000) }];
            let (mut store, mut map) = (Store(store.0.clone()), map.clone());
            match append(&mut store, root, next.clone()) {
                Ok(root) => {
                    map.append(next);
                    assert_eq!(root, map.root(), "{place:?} {what}");
                }
                Err(PagesError::Broken(broken)) => {
                    assert_eq!(broken, *place, "{what}");
                    appends += 1;
                }
                Err(PagesError::Store(never)) => match never {},
            }
        }
        assert!(proofs > 0 && proofs == appends, "{place:?} {what}: {proofs} proofs, {appends} appends");
        let all = links.iter().map(|Link { key, .. }| Link { key: *key, ..link(0, 1_000) }).collect();
        assert!(append(&mut Store(store.0.clone()), root, all).is_err(), "{place:?} {what}");
        assert!(append(&mut Store(store.0.clone()), root, Vec::new()).is_ok() || *place == PagePlace::TOP);
    };
    for place in store.0.keys().copied().collect::<Vec<_>>() {
        let page = store.0.remove(&place).unwrap();
        check(&store, &place, "missing");
        for (other, what) in [(Page::default(), "empty"), (earlier[&place].clone(), "of an earlier moment")] {
            assert_ne!(other, page);
            store.0.insert(place, other);
            check(&store, &place, what);
        }
        store.0.insert(place, page);
    }
}

/// What no map has, and a store that mixed something up could give: the same page everywhere.
#[test]
fn broken_pages_are_an_error() {
    struct Everywhere(Page);

    impl Pages for Everywhere {
        type Error = std::convert::Infallible;

        fn read(&self, _: &PagePlace) -> Result<Option<Page>, Self::Error> {
            Ok(Some(self.0.clone()))
        }
    }

    impl WritePages for Everywhere {
        fn write(&mut self, _: PagePlace, _: Page) -> Result<(), Self::Error> {
            Ok(())
        }
    }

    let below = Slot::Below(Hash::from_bytes([1; 32]));
    let key = MapKey(Hash::from_bytes([0xff; 32]));
    // The root is that of the first of them, at every depth.
    let root = MapRoot(Hash::from_bytes([1; 32]));
    for slots in [vec![(15, below)], vec![(0, below), (15, below)], vec![(16, below)], vec![(16, below), (32, below)]] {
        let mut store = Everywhere(Page { slots: slots.into_iter().collect() });
        assert!(matches!(prove(&store, root, &key), Err(PagesError::Broken(_))));
        assert!(matches!(append(&mut store, root, vec![Link { key, ..link(1, 1) }]), Err(PagesError::Broken(_))));
    }
}

#[test]
fn a_batch_writes_what_it_touches_once() {
    #[derive(Default)]
    struct Counting(Store, HashMap<PagePlace, u32>);

    impl Pages for Counting {
        type Error = std::convert::Infallible;

        fn read(&self, place: &PagePlace) -> Result<Option<Page>, Self::Error> {
            self.0.read(place)
        }
    }

    impl WritePages for Counting {
        fn write(&mut self, place: PagePlace, page: Page) -> Result<(), Self::Error> {
            *self.1.entry(place).or_default() += 1;
            self.0.write(place, page)
        }
    }

    let mut store = Counting::default();
    let links = (0..5_000).map(|number| link(number, number)).collect();
    let root = append(&mut store, MapRoot::empty(), links).unwrap();
    assert!(store.1.len() > 500 && store.1.values().all(|count| *count == 1));
    store.1.clear();
    let root = append(&mut store, root, (0..3).map(|index| link(17, 10_000 + index)).collect()).unwrap();
    assert!(store.1.len() <= 6, "one entity touches one page of each depth");
    store.1.clear();
    assert_eq!(append(&mut store, root, Vec::new()).unwrap(), root);
    assert!(store.1.is_empty(), "nothing touches nothing");
}

// ---------------------------------------------------------------------------------------------------------------------
// Vectors

#[test]
fn the_vectors_do_not_change() {
    let mut map = MemoryMap::default();
    let mut written = format!("empty {}\n", map.root().0);
    for index in 0..40 {
        map.append(vec![link(index * index % 11, index)]);
        written += &format!("{index} {} {} {}\n", entity(index * index % 11), leaf(index), map.root().0);
    }
    for number in 0..8 {
        let key = MapKey::of(&entity(number));
        let proof = map.prove(&key);
        let answer = match proof.verify(map.root(), &entity(number)).unwrap() {
            Some(EntityChain { count, head }) => format!("{count} {head}"),
            None => "absent".to_owned(),
        };
        let bytes: String = proof.to_bytes().iter().map(|byte| format!("{byte:02x}")).collect();
        written += &format!("{} {} {answer}\n{bytes}\n", entity(number), key.0);
    }
    assert_eq!(written, include_str!("golden/map.txt"));
}
