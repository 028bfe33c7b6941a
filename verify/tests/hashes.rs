//! The hashes are those of the library's hasher that is given all at once, however long the message is.

use counterfoil_verify::hash::{Hash, domain_hash, empty_root, node_hash};
use sha2::{Digest, Sha256};

fn naive(message: &[u8]) -> Hash {
    Hash::from_bytes(Sha256::digest(message).into())
}

/// Around one block and two, where the padding needs a block more.
#[test]
fn every_length_is_hashed_as_sha_256_is() {
    assert_eq!(empty_root(), naive(b""));
    for length in 0..300 {
        let part: Vec<u8> = (0..length).map(|byte| byte as u8).collect();
        for split in [0, length / 3, length] {
            let (one, other) = part.split_at(split);
            let message = [b"counterfoil/test/v1\0", one, other].concat();
            assert_eq!(domain_hash("counterfoil/test/v1", &[one, other]), naive(&message), "{length} at {split}");
        }
    }
    let (left, right) = (naive(b"left"), naive(b"right"));
    let node = [&[1], &left.as_bytes()[..], right.as_bytes()].concat();
    assert_eq!(node_hash(left, right), naive(&node));
}
