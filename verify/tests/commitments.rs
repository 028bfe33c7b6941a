//! What lies beside a record opens under the record's commitment, in parts, and in no other form.
#![allow(clippy::unwrap_used, reason = "helpers of tests fail as tests do")]

mod support;

use counterfoil_proto::v1::{Beside, EntityKind, Sealed, Value, Values};
use counterfoil_verify::beside::{BesideError, commitment, is_removed, open, remove, seal, values};
use counterfoil_verify::entity::EntityId;
use counterfoil_verify::hash::{Hash, domain_hash};
use hmac::{Hmac, KeyInit, Mac};
use prost::Message;
use sha2::Sha256;

const SEED: [u8; 32] = [0x5e; 32];

fn of(id: &str, name: &str, value: &str) -> Values {
    let entity = EntityId::new(EntityKind::Account, "okta", "acme", id).unwrap();
    let value = Value { name: name.into(), value: value.into() };
    Values { entity: entity.as_bytes().to_vec(), values: vec![value] }
}

fn sealed() -> (Beside, Hash) {
    let beside = seal(SEED, b"{\"actor\":\"ada\"}".to_vec(), &[of("1", "login", "ada"), of("2", "login", "bob")], None);
    let commitment = commitment(&beside).unwrap();
    (beside, commitment)
}

/// The salt of a part, by the formula in the module's comment.
fn salt(number: u32) -> Vec<u8> {
    let mut mac = Hmac::<Sha256>::new_from_slice(&SEED).unwrap();
    mac.update(b"counterfoil/salt/v1\0");
    mac.update(&number.to_be_bytes());
    mac.finalize().into_bytes().to_vec()
}

fn part_commitment(number: u32, content: &[u8]) -> Hash {
    domain_hash("counterfoil/commitment/v1", &[&salt(number), &number.to_be_bytes(), content])
}

fn parts(beside: &Beside) -> Vec<Sealed> {
    beside.payload.iter().chain(&beside.values).cloned().collect()
}

/// Removes some parts: the seed gives way to the salts of what survives, a removed content to its commitment.
fn redacted(beside: &Beside, removed: &[usize]) -> Beside {
    let redacted = (0..).zip(parts(beside)).map(|(number, part)| {
        if removed.contains(&(number as usize)) {
            let commitment = part_commitment(number, &part.content).as_bytes().to_vec();
            Sealed { commitment, ..Sealed::default() }
        } else {
            Sealed { salt: salt(number), ..part }
        }
    });
    let mut parts: Vec<Sealed> = redacted.collect();
    let payload = Some(parts.remove(0));
    Beside { seed: Vec::new(), payload, values: parts, envelope: None }
}

#[test]
fn what_was_sealed_opens() {
    let (beside, commitment) = sealed();
    let opened = open(&beside.encode_to_vec(), &commitment).unwrap();
    assert_eq!(opened, beside);
    let read: Vec<(String, Values)> = values(&opened).map(|(entity, values)| (entity.to_string(), values)).collect();
    assert_eq!(
        read,
        [
            ("account:okta:acme:1".to_owned(), of("1", "login", "ada")),
            ("account:okta:acme:2".to_owned(), of("2", "login", "bob")),
        ]
    );
}

#[test]
fn the_commitment_is_the_one_of_the_formula() {
    let (beside, commitment) = sealed();
    let all: Vec<u8> = (0..)
        .zip(parts(&beside))
        .flat_map(|(number, part)| *part_commitment(number, &part.content).as_bytes())
        .collect();
    assert_eq!(commitment, domain_hash("counterfoil/commitments/v1", &[&3u32.to_be_bytes(), &all]));
    // Frozen: records hold it.
    assert_eq!(commitment.to_string(), include_str!("golden/commitment.txt").trim());
}

#[test]
fn no_flipped_bit_opens() {
    let (beside, commitment) = sealed();
    for beside in [beside.clone(), redacted(&beside, &[0]), redacted(&beside, &[1, 2])] {
        let bytes = beside.encode_to_vec();
        assert!(open(&bytes, &commitment).is_ok());
        for bit in 0..bytes.len() * 8 {
            let mut flipped = bytes.clone();
            flipped[bit / 8] ^= 1 << (bit % 8);
            assert!(open(&flipped, &commitment).is_err(), "bit {bit}");
        }
        for bit in 0..256 {
            let mut flipped = *commitment.as_bytes();
            flipped[bit / 8] ^= 1 << (bit % 8);
            assert_eq!(open(&bytes, &Hash::from_bytes(flipped)), Err(BesideError::Mismatch), "bit {bit}");
        }
    }
}

#[test]
fn any_parts_can_be_removed_and_the_record_still_checks() {
    let (beside, commitment) = sealed();
    for mask in 0..8usize {
        let removed: Vec<usize> = (0..3).filter(|part| mask & 1 << part != 0).collect();
        let left = redacted(&beside, &removed);
        let numbers: Vec<u32> = removed.iter().map(|part| *part as u32).collect();
        assert_eq!(remove(&beside, &numbers), Ok(left.clone()), "{removed:?}");
        // One after another comes to the same.
        let by_turns = numbers.iter().try_fold(remove(&beside, &[]).unwrap(), |left, number| remove(&left, &[*number]));
        assert_eq!(by_turns, Ok(left.clone()), "{removed:?}");
        assert_eq!(remove(&left, &numbers), Ok(left.clone()), "it is gone already: {removed:?}");
        let gone = parts(&left).iter().map(is_removed).collect::<Vec<_>>();
        assert_eq!(gone, (0..3).map(|part| removed.contains(&part)).collect::<Vec<_>>());
        let bytes = left.encode_to_vec();
        assert_eq!(open(&bytes, &commitment).unwrap(), left, "{removed:?}");
        let contains = |needle: &[u8]| bytes.windows(needle.len()).any(|window| window == needle);
        assert!(!contains(&SEED));
        for (number, part) in (0..).zip(parts(&beside)) {
            let is_removed = removed.contains(&(number as usize));
            assert_eq!(contains(&part.content), !is_removed, "content {number} of {removed:?}");
            assert_eq!(contains(&salt(number)), !is_removed, "salt {number} of {removed:?}");
        }
        let survivors = values(&left).count();
        assert_eq!(survivors, 2 - removed.iter().filter(|part| **part > 0).count());
    }
}

/// With everything that a redaction leaves behind, the removed content cannot be confirmed by guessing it.
#[test]
fn a_guess_of_what_was_removed_cannot_be_checked() {
    let (beside, _) = sealed();
    let left = redacted(&beside, &[1]);
    let gone = &left.values[0].commitment;
    let guess = of("1", "login", "ada").encode_to_vec();
    let mut known = vec![vec![0; 32], Vec::new(), gone.clone()];
    known.extend(parts(&left).into_iter().map(|part| part.salt));
    // A surviving salt is no seed: nothing derives from it.
    let derived = known.iter().map(|salt| {
        let mut mac = Hmac::<Sha256>::new_from_slice(salt).unwrap();
        mac.update(b"counterfoil/salt/v1\0");
        mac.update(&1u32.to_be_bytes());
        mac.finalize().into_bytes().to_vec()
    });
    for salt in known.clone().into_iter().chain(derived.collect::<Vec<_>>()) {
        let commitment = domain_hash("counterfoil/commitment/v1", &[&salt, &1u32.to_be_bytes(), &guess]);
        assert_ne!(commitment.as_bytes().as_slice(), gone.as_slice());
    }
    // Equal contents have unequal commitments, in one record and in two.
    let twice = seal(SEED, Vec::new(), &[of("1", "login", "ada"), of("1", "login", "ada")], None);
    let other =
        seal([1; 32], Vec::new(), &twice.values.iter().map(|_| of("1", "login", "ada")).collect::<Vec<_>>(), None);
    assert_ne!(redacted(&twice, &[1, 2]).values[0], redacted(&twice, &[1, 2]).values[1]);
    assert_ne!(commitment(&twice), commitment(&other));
}

#[test]
fn an_envelope_is_the_last_part_and_no_values() {
    const ENVELOPE: u32 = u32::MAX;
    let content = b"{\"key\":\"ada\"}";
    let with = seal(SEED, b"payload".to_vec(), &[of("1", "login", "ada")], Some(content.to_vec()));
    let values = with.values[0].content.clone();
    let numbered = [(0, b"payload".as_slice()), (1, &values), (ENVELOPE, content)];
    let all: Vec<u8> =
        numbered.iter().flat_map(|(number, content)| *part_commitment(*number, content).as_bytes()).collect();
    let expected = domain_hash("counterfoil/commitments/v1", &[&3u32.to_be_bytes(), &all]);
    assert_eq!(commitment(&with), Ok(expected));
    let bytes = with.encode_to_vec();
    assert_eq!(open(&bytes, &expected), Ok(with.clone()));
    for bit in 0..bytes.len() * 8 {
        let mut flipped = bytes.clone();
        flipped[bit / 8] ^= 1 << (bit % 8);
        assert!(open(&flipped, &expected).is_err(), "bit {bit}");
    }
    // It can be removed alone, and stay alone.
    let own = |number: u32, sealed: &Sealed| Sealed { salt: salt(number), ..sealed.clone() };
    let gone = |number: u32, sealed: &Sealed| Sealed {
        commitment: part_commitment(number, &sealed.content).as_bytes().to_vec(),
        ..Sealed::default()
    };
    type Left = fn(u32, &Sealed) -> Sealed;
    let (own, gone): (Left, Left) = (own, gone);
    for (others, envelope) in [(own, gone), (gone, own), (gone, gone)] {
        let left = Beside {
            seed: Vec::new(),
            payload: with.payload.as_ref().map(|payload| others(0, payload)),
            values: vec![others(1, &with.values[0])],
            envelope: with.envelope.as_ref().map(|sealed| envelope(ENVELOPE, sealed)),
        };
        assert_eq!(open(&left.encode_to_vec(), &expected), Ok(left));
    }
    let left = remove(&with, &[ENVELOPE]).unwrap();
    assert_eq!(left.envelope, with.envelope.as_ref().map(|sealed| gone(ENVELOPE, sealed)));
    assert_eq!(open(&left.encode_to_vec(), &expected), Ok(left.clone()));
    let never = sealed().0;
    assert_eq!(remove(&never, &[ENVELOPE]), Err(BesideError::NoSuchPart(ENVELOPE)));
    assert_eq!(remove(&never, &[0, 3]), Err(BesideError::NoSuchPart(3)));
    // It is never taken for values, nor values for it.
    let as_values = Beside {
        values: [with.values.clone(), with.envelope.iter().cloned().collect()].concat(),
        envelope: None,
        ..with.clone()
    };
    assert_eq!(open(&as_values.encode_to_vec(), &expected), Err(BesideError::Mismatch));
    let (two, _) = sealed();
    let as_envelope =
        Beside { values: vec![two.values[0].clone()], envelope: Some(two.values[1].clone()), ..two.clone() };
    assert_ne!(commitment(&as_envelope), commitment(&two));
    assert_ne!(commitment(&Beside { envelope: None, ..with.clone() }), commitment(&with));
}

/// A change to what lies beside, and the error that it gives.
type Case = (&'static str, fn(&mut Beside), BesideError);

#[test]
fn what_does_not_open() {
    let (beside, commitment) = sealed();
    let redacted = redacted(&beside, &[1]);
    let of_the_whole: &[Case] = &[
        ("values in another order", |beside| beside.values.swap(0, 1), BesideError::Mismatch),
        ("one value less", |beside| drop(beside.values.pop()), BesideError::Mismatch),
        ("one value more", |beside| beside.values.push(beside.values[0].clone()), BesideError::Mismatch),
        ("an empty value more", |beside| beside.values.push(Sealed::default()), BesideError::Mismatch),
        ("no payload", |beside| beside.payload = None, BesideError::NotCanonical),
        ("an empty payload", |beside| beside.payload = Some(Sealed::default()), BesideError::Mismatch),
        ("no seed", |beside| beside.seed.clear(), BesideError::Unopenable(0)),
        ("a short seed", |beside| beside.seed.truncate(31), BesideError::Unopenable(0)),
        ("a salt besides the seed", |beside| beside.values[0].salt = vec![1; 32], BesideError::Unopenable(1)),
        (
            "a commitment besides the seed",
            |beside| {
                beside.values[0] = Sealed { commitment: vec![1; 32], ..Sealed::default() };
            },
            BesideError::Unopenable(1),
        ),
    ];
    let of_the_rest: &[Case] = &[
        ("content besides its commitment", |beside| beside.values[0].content = vec![1], BesideError::Unopenable(1)),
        ("a salt besides a commitment", |beside| beside.values[0].salt = vec![1; 32], BesideError::Unopenable(1)),
        ("a short commitment", |beside| beside.values[0].commitment.truncate(31), BesideError::Unopenable(1)),
        ("a short salt", |beside| beside.values[1].salt.truncate(31), BesideError::Unopenable(2)),
        ("another salt", |beside| beside.values[1].salt[0] ^= 1, BesideError::Mismatch),
        ("parts in another order", |beside| beside.values.swap(0, 1), BesideError::Mismatch),
        (
            "the payload in place of a value",
            |beside| {
                let payload = beside.payload.replace(beside.values[1].clone()).unwrap();
                beside.values[1] = payload;
            },
            BesideError::Mismatch,
        ),
    ];
    for (valid, cases) in [(&beside, of_the_whole), (&redacted, of_the_rest)] {
        for (name, change, error) in cases {
            let mut changed = valid.clone();
            change(&mut changed);
            assert_eq!(open(&changed.encode_to_vec(), &commitment).as_ref(), Err(error), "{name}");
        }
    }
    let bytes = beside.encode_to_vec();
    assert_eq!(open(&[bytes.clone(), vec![0x28, 1]].concat(), &commitment), Err(BesideError::NotCanonical));
    assert_eq!(open(&[], &commitment), Err(BesideError::NotCanonical));
    assert_eq!(open(&bytes[..bytes.len() - 1], &commitment), Err(BesideError::NotCanonical));
}
