//! Listings: their bytes, their root and their proofs, against a naive oracle; and what a scope covers.
#![allow(clippy::unwrap_used, reason = "helpers of tests fail as tests do")]

mod common;

use std::collections::BTreeMap;

use common::{bit_flips, hash_flips, inclusion_path, tree_head};
use counterfoil_proto::v1::AccountStatus;
use counterfoil_verify::entity::EntityId;
use counterfoil_verify::hash::{Hash, LeafHash, leaf_hash};
use counterfoil_verify::identifier::Token;
use counterfoil_verify::listing::{Inheritance, Item, ItemKey, Listing, ListingError};
use counterfoil_verify::listing_proof::{Listed, ListingHead, ListingProof};
use counterfoil_verify::scope::Coverage;
use proptest::collection::vec;
use proptest::prelude::*;

fn id(text: &str) -> EntityId {
    text.parse().unwrap()
}

fn any_item() -> impl Strategy<Value = Item> {
    let subjects = ["account:okta:acme:u1", "account:okta:acme:u22", "account:okta:acme:u3", "account:okta:a:u1"];
    let subject = prop_oneof![
        6 => prop::sample::select(subjects.to_vec()).prop_map(id),
        1 => any::<[u8; 16]>().prop_map(|token| EntityId::identifier(&Token::from_slice(&token).unwrap())),
    ];
    let objects = ["entitlement:okta:acme:group_member/g1", "entitlement:okta:acme:role/R"];
    let object = proptest::option::of(prop::sample::select(objects.to_vec()).prop_map(id));
    let status = prop::sample::select(vec![0, 3, 4]).prop_map(|status| AccountStatus::try_from(status).unwrap());
    let inheritances = vec![Inheritance::Unsaid, Inheritance::Direct, Inheritance::Inherited];
    let inheritance = prop::sample::select(inheritances);
    (subject, object, "[ab]{0,2}", status, inheritance, vec(any::<[u8; 16]>(), 0..3)).prop_map(
        |(subject, object, scope, status, inheritance, mut tokens)| {
            tokens.sort();
            tokens.dedup();
            let tokens = tokens.iter().map(|token| Token::from_slice(token).unwrap()).collect();
            Item { subject, object, scope, status, inheritance, tokens }
        },
    )
}

/// The oracle: the bytes written by hand, sorted in a map, and the tree straight from RFC 6962.
struct Naive {
    items: BTreeMap<Vec<u8>, Vec<u8>>,
}

impl Naive {
    fn of(items: &[Item]) -> Self {
        let mut sorted = BTreeMap::new();
        for item in items {
            let mut key = Vec::new();
            let object = item.object.as_ref().map(|object| object.as_bytes().to_vec()).unwrap_or_default();
            for part in [item.subject.as_bytes(), &object, item.scope.as_bytes()] {
                key.push((part.len() / 256) as u8);
                key.push((part.len() % 256) as u8);
                key.extend(part);
            }
            let mut bytes = key.clone();
            bytes.push(item.status as i32 as u8);
            bytes.push(match item.inheritance {
                Inheritance::Unsaid => 0,
                Inheritance::Direct => 1,
                Inheritance::Inherited => 2,
            });
            bytes.push(item.tokens.len() as u8);
            item.tokens.iter().for_each(|token| bytes.extend(token.as_bytes()));
            sorted.entry(key).or_insert(bytes);
        }
        Self { items: sorted }
    }

    fn leaves(&self) -> Vec<LeafHash> {
        self.items.values().map(|bytes| leaf_hash(bytes)).collect()
    }

    fn listed(&self, at: usize) -> Listed {
        let item = self.items.values().nth(at).unwrap().clone();
        Listed { item, index: at as u64, path: inclusion_path(at, &self.leaves()) }
    }

    fn prove(&self, key: &ItemKey) -> ListingProof {
        let before = self.items.range(..key.as_bytes().to_vec()).count();
        if self.items.contains_key(key.as_bytes()) {
            return ListingProof::Present(self.listed(before));
        }
        ListingProof::Absent {
            before: (before > 0).then(|| self.listed(before - 1)),
            after: (before < self.items.len()).then(|| self.listed(before)),
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn a_listing_is_what_the_naive_one_is(items in vec(any_item(), 0..40), asked in any_item()) {
        let naive = Naive::of(&items);
        let (listing, doubles) = Listing::new(items.clone()).unwrap();
        prop_assert_eq!(listing.count() as usize, naive.items.len());
        prop_assert_eq!(doubles.len(), items.len() - naive.items.len());
        prop_assert_eq!(listing.root(), tree_head(&naive.leaves()));
        let listed: Vec<Vec<u8>> = listing.items().iter().map(|(_, item)| item.to_bytes()).collect();
        prop_assert_eq!(&listed, &naive.items.values().cloned().collect::<Vec<_>>());
        let read = Listing::from_bytes(&listing.to_bytes());
        prop_assert_eq!(read.as_ref(), Ok(&listing));

        for key in items.iter().map(Item::key).chain([asked.key()]) {
            let proof = listing.prove(&key);
            prop_assert_eq!(&proof, &naive.prove(&key));
            prop_assert_eq!(listing.head().verify(&key, &proof), Ok(listing.get(&key).cloned()));
        }
    }

    #[test]
    fn no_other_bytes_are_an_item(item in any_item()) {
        let bytes = item.to_bytes();
        prop_assert_eq!(Item::from_bytes(&bytes), Ok(item));
        for (at, flipped) in bit_flips(&bytes) {
            // Another item, or none: never the same one from other bytes.
            if let Ok(other) = Item::from_bytes(&flipped) {
                prop_assert_eq!(other.to_bytes(), flipped, "byte {}", at);
            }
        }
        for length in 0..bytes.len() {
            prop_assert!(Item::from_bytes(&bytes[..length]).is_err());
        }
        prop_assert!(Item::from_bytes(&[&bytes[..], b"\0"].concat()).is_err());
    }
}

fn account(number: u32) -> Item {
    Item {
        subject: id(&format!("account:okta:acme:00u{number}")),
        object: Some(id("entitlement:okta:acme:group_member/00g1")),
        scope: String::new(),
        status: AccountStatus::Unspecified,
        inheritance: Inheritance::Inherited,
        tokens: vec![Token::from_slice(&[number as u8; 16]).unwrap()],
    }
}

/// Each part of a proof with one bit changed.
fn flips(proof: &ListingProof) -> Vec<ListingProof> {
    let of = |listed: &Listed| {
        let items = bit_flips(&listed.item).map(|(_, item)| Listed { item, ..listed.clone() });
        let indices = (0..64).map(|bit| Listed { index: listed.index ^ (1 << bit), ..listed.clone() });
        let paths = (0..listed.path.len()).flat_map(|at| {
            hash_flips(listed.path[at]).map(move |hash| {
                let mut changed = listed.clone();
                changed.path[at] = hash;
                changed
            })
        });
        items.chain(indices).chain(paths).collect::<Vec<_>>()
    };
    match proof {
        ListingProof::Present(listed) => of(listed).into_iter().map(ListingProof::Present).collect(),
        ListingProof::Absent { before, after } => {
            let befores = before.iter().flat_map(of).map(|changed| (Some(changed), after.clone()));
            let afters = after.iter().flat_map(of).map(|changed| (before.clone(), Some(changed)));
            let gone = [(None, after.clone()), (before.clone(), None)];
            let gone = gone.into_iter().filter(|pair| *pair != (before.clone(), after.clone()));
            befores.chain(afters).chain(gone).map(|(before, after)| ListingProof::Absent { before, after }).collect()
        }
    }
}

#[test]
fn one_bit_changed_and_nothing_is_proved() {
    for size in [1, 2, 5, 8] {
        let (listing, _) = Listing::new((1..=size).map(|number| account(2 * number))).unwrap();
        let head = listing.head();
        for number in 1..=2 * size + 1 {
            let key = account(number).key();
            let proof = listing.prove(&key);
            assert_eq!(head.verify(&key, &proof).unwrap().is_some(), number % 2 == 0, "{number} of {size}");
            for flipped in flips(&proof) {
                assert!(head.verify(&key, &flipped).is_err(), "{number} of {size}: {flipped:?}");
            }
            for root in hash_flips(head.root) {
                assert!(ListingHead { root, ..head }.verify(&key, &proof).is_err());
            }
            // A path alone does not tell every size apart, but behind the last item nothing stands.
            let is_behind_all = matches!(proof, ListingProof::Absent { after: None, .. });
            for bit in (0..64).filter(|_| is_behind_all) {
                let count = head.count ^ (1 << bit);
                assert!(ListingHead { count, ..head }.verify(&key, &proof).is_err(), "{number} of {count}");
            }
        }
    }
}

#[test]
fn what_is_listed_is_never_shown_to_be_absent() {
    let (listing, _) = Listing::new((1..=6).map(account)).unwrap();
    let head = listing.head();
    let listed = |number| match listing.prove(&account(number).key()) {
        ListingProof::Present(listed) => Some(listed),
        ListingProof::Absent { .. } => None,
    };
    let sides: Vec<Option<Listed>> = (0..=7).map(listed).collect();
    for number in 1..=6 {
        let key = account(number).key();
        for (before, after) in sides.iter().flat_map(|one| sides.iter().map(move |other| (one, other))) {
            let forged = ListingProof::Absent { before: before.clone(), after: after.clone() };
            assert!(head.verify(&key, &forged).is_err(), "{number}");
        }
        let other = ListingProof::Present(listed(number % 6 + 1).unwrap());
        assert!(head.verify(&key, &other).is_err(), "{number}");
    }
    let nothing = ListingProof::Absent { before: None, after: None };
    assert!(
        ListingHead { count: 0, ..head }.verify(&account(1).key(), &nothing).is_err(),
        "the root is not that of none"
    );
    let (empty, _) = Listing::new([]).unwrap();
    assert_eq!(empty.head().verify(&account(1).key(), &empty.prove(&account(1).key())), Ok(None));
}

#[test]
fn a_list_is_whole_and_in_order() {
    let (listing, _) = Listing::new((1..=3).map(account)).unwrap();
    let bytes = listing.to_bytes();
    let one = bytes.len() / 3;
    let swapped = [&bytes[one..2 * one], &bytes[..one]].concat();
    assert_eq!(Listing::from_bytes(&swapped), Err(ListingError::Order(1)));
    let doubled = [&bytes[..one], &bytes[..one]].concat();
    assert_eq!(Listing::from_bytes(&doubled), Err(ListingError::Order(1)));
    assert_eq!(Listing::from_bytes(&bytes[..one + 9]), Err(ListingError::List(one)));
    assert!(matches!(Listing::from_bytes(&[0, 0, 0, 1, 9]), Err(ListingError::Item(1))));
}

#[test]
fn an_item_has_one_spelling() {
    let token = |byte| Token::from_slice(&[byte; 16]).unwrap();
    for (tokens, scope, fits) in [
        (vec![token(1), token(2)], "all", true),
        (vec![token(2), token(1)], "all", false),
        (vec![token(1), token(1)], "all", false),
        (vec![], "somebody@example.com", false),
        (vec![], "two words", false),
    ] {
        let item = Item { tokens, scope: scope.to_owned(), ..account(1) };
        assert_eq!(Item::from_bytes(&item.to_bytes()).is_ok(), fits, "{item:?}");
    }
}

/// The bytes of the formats document, written out.
#[test]
fn the_golden_item() {
    let item = account(1);
    let mut expected = Vec::new();
    expected.extend(b"\0\x10\x02\x04okta\x04acme\x0400u1".as_slice());
    expected.extend(b"\0\x1d\x04\x04okta\x04acme\x11group_member/00g1".as_slice());
    expected.extend(b"\0\0\0\x02\x01".as_slice());
    expected.extend([1; 16]);
    assert_eq!(item.to_bytes(), expected);
    let (listing, _) = Listing::new([item]).unwrap();
    let root: Hash = leaf_hash(&expected).0;
    assert_eq!(listing.root(), root);
    assert_eq!(listing.to_bytes(), [&(expected.len() as u32).to_be_bytes()[..], &expected].concat());
}

#[test]
fn what_a_scope_covers() {
    let scope = |name: &str| Coverage::of(&id(&format!("snapshot_scope:okta:acme:{name}")));
    let (u1, u2) = ("account:okta:acme:00u1", "account:okta:acme:00u2");
    let (stranger, named) = ("account:okta:other:00u1", "identifier:000102030405060708090a0b0c0d0e0f");
    let (g1, g2, role) = ("group_member/00g1", "group_member/00g2", "role/SUPER");
    let check_in = |name: &str, subject: &str, object: Option<&str>, within: &str, expected: bool| {
        let object = object.map(|object| match object.contains(':') {
            true => id(object),
            false => id(&format!("entitlement:okta:acme:{object}")),
        });
        let covered = scope(name).unwrap().covers(&id(subject), object.as_ref(), within);
        assert_eq!(covered, expected, "{name}: {subject} {object:?} {within}");
    };
    let check = |name: &str, subject: &str, object: Option<&str>, expected| {
        check_in(name, subject, object, "", expected);
        check_in(name, subject, object, "prod", expected);
        check_in(&format!("within/prod/{name}"), subject, object, "prod", expected);
        check_in(&format!("within/prod/{name}"), subject, object, "dev", false);
    };
    check("accounts", u1, None, true);
    check("accounts", stranger, None, false);
    check("accounts", named, None, false);
    check("accounts", u1, Some(g1), false);
    check("accounts/agents", u1, None, false);
    check("holders/group_member/00g1", u1, Some(g1), true);
    check("holders/group_member/00g1", named, Some(g1), true);
    check("holders/group_member/00g1", stranger, Some(g1), false);
    check("holders/group_member/00g1", u1, Some(g2), false);
    check("holders/group_member/00g1", u1, None, false);
    check("holders/group_member", u1, Some(g2), true);
    check("holders/group_member", u1, Some(role), false);
    check("held/role/00u1", u1, Some(role), true);
    check("held/role/00u1", u2, Some(role), false);
    check("held/role/00u1", u1, Some(g1), false);
    check_in("accounts/agents+holders/role", u2, Some(role), "", true);
    let (user, service) = ("account:okta:acme:user/jo", "account:okta:acme:role/jo");
    check("accounts/user/", user, None, true);
    check("accounts/user/", service, None, false);
    check("accounts/user", user, None, false);
    check("held/group_member/user/", user, Some(g1), true);
    check("held/group_member/user/", service, Some(g1), false);
    check("held/group_member/user/", user, Some(role), false);
    check("held/group_member/user/", named, Some(g1), false);
    let (password, key) = ("credential:okta:acme:password/user/jo", "credential:okta:acme:access_key/1");
    check("credentials/password", user, Some(password), true);
    check("credentials/password", named, Some(password), true);
    check("credentials/password", user, Some(key), false);
    check("credentials/password", user, Some("credential:okta:other:password/user/jo"), false);
    check("holders/password", user, Some(password), false);
    check_in("holders/role+within/prod/holders/group_member", u1, Some(g1), "dev", false);
    check_in("holders/role+within/prod/holders/group_member", u1, Some(role), "dev", true);
    for nobody in ["definitions/group_member", "implying/app_assignment/0oa1", "implied/role/group_member/00g1"] {
        check(nobody, u1, Some(g1), false);
        check(nobody, u1, None, false);
    }
    for unknown in [
        "users",
        "holders/",
        "held/role",
        "implying/x",
        "accounts+",
        "+accounts",
        "holders/a/",
        "implied/role/x",
        "credentials/",
        "credentials/a/b",
        "within/prod",
        "within//accounts",
        "within/prod/",
        "within/prod/within/dev/accounts",
    ] {
        assert_eq!(scope(unknown), None, "{unknown}");
    }
    assert_eq!(Coverage::of(&id(u1)), None);
}
