//! Owns the tests of the request to a witness, and of the judgement on it.

mod common;

use common::*;
use counterfoil_verify::checkpoint::Checkpoint;
use counterfoil_verify::hash::{Hash, empty_root};
use counterfoil_verify::note::SigningKey;
use counterfoil_verify::policy::Policy;
use counterfoil_verify::tree::TreeSize;
use counterfoil_verify::witness::{AddCheckpoint, Refusal, Seen};
use proptest::prelude::*;

fn head(leaves: &[counterfoil_verify::hash::LeafHash]) -> Checkpoint {
    Checkpoint { origin: origin(), size: TreeSize(leaves.len() as u64), root: tree_head(leaves) }
}

fn request(old: u64, path: Vec<Hash>, head: &Checkpoint) -> AddCheckpoint {
    let note = head.sign(&log_key()).expect("signs");
    AddCheckpoint { old: TreeSize(old), path, checkpoint_note: note.format() }
}

fn policy() -> Policy {
    let other = SigningKey::from_seed(key_name("example.com/other"), &[7; 32]);
    let text = format!("log {}\nlog {}\nquorum none\n", other.verifier_key(), log_key().verifier_key());
    Policy::parse(text.as_bytes()).expect("a policy")
}

proptest! {
    // Every tree goes on from every one before it, and from no other, whatever was claimed.
    #[test]
    fn what_goes_on_is_cosigned_and_nothing_else(new in 1..40_usize, old in 0..40_usize, claimed in 0..45_u64, fork: bool) {
        let leaves = leaves(new);
        let size = old.min(new);
        let mut before = leaves[..size].to_vec();
        if fork && size > 0 {
            before[size / 2] = counterfoil_verify::hash::leaf_hash(b"another record");
        }
        let seen = Seen { size: TreeSize(size as u64), root: tree_head(&before) };
        let path = if size == 0 || size == new { Vec::new() } else { consistency_path(size, &leaves) };
        let asked = request(claimed, path, &head(&leaves));
        let (checkpoint, _) = asked.open(policy().logs()).expect("signed");
        let judged = asked.check(&checkpoint, Some(seen).filter(|seen| seen.size.0 > 0));
        if claimed > new as u64 {
            prop_assert_eq!(judged, Err(Refusal::Shrinking { old: TreeSize(claimed), new: TreeSize(new as u64) }));
        } else if claimed != size as u64 {
            prop_assert_eq!(judged, Err(Refusal::Conflict { size: seen.size }));
        } else if fork && size > 0 {
            prop_assert!(matches!(judged, Err(Refusal::Inconsistent(_))), "{:?}", judged);
        } else {
            prop_assert_eq!(judged, Ok(()));
        }
    }

    #[test]
    fn requests_survive_the_round_trip(old: u64, count in 0..64_usize, note in "[ -~\n]{0,80}") {
        let path = (0..count).map(|index| leaves(index + 1)[index].0).collect();
        let request = AddCheckpoint { old: TreeSize(old), path, checkpoint_note: note.into_bytes() };
        prop_assert_eq!(AddCheckpoint::parse(&request.format()), Ok(request));
    }

    #[test]
    fn what_parses_is_written_back(body in "(old [0-9]{1,3}\n)?([A-Za-z0-9+/]{43}=\n){0,3}\n?[ -~\n]{0,20}") {
        if let Ok(request) = AddCheckpoint::parse(body.as_bytes()) {
            prop_assert_eq!(request.format(), body.into_bytes());
        }
    }
}

#[test]
fn bodies_of_no_known_form() {
    let good = String::from_utf8(
        request(3, consistency_path(3, &classic_leaves()[..7]), &head(&classic_leaves()[..7])).format(),
    )
    .expect("text");
    assert!(AddCheckpoint::parse(good.as_bytes()).is_ok());
    let line = format!("{}\n", empty_root().to_base64());
    for body in [
        "".to_owned(),
        "\n".to_owned(),
        good.replacen("old 3\n", "", 1),
        good.replacen("old 3\n", "old\n", 1),
        good.replacen("old 3\n", "old 03\n", 1),
        good.replacen("old 3\n", "old -3\n", 1),
        good.replacen("old 3\n", "old 3 \n", 1),
        good.replacen("old 3\n", "Old 3\n", 1),
        good.replacen("old 3\n", "old 18446744073709551616\n", 1),
        good.replacen("=\n", "\n", 1),
        good.replacen("old 3\n", "old 3\r\n", 1),
        format!("old 3\n{}", line.repeat(4)),
        format!("old 3\n{}\n", line.repeat(64)),
    ] {
        assert!(matches!(AddCheckpoint::parse(body.as_bytes()), Err(Refusal::Form { .. })), "{body:?}");
    }
    assert!(matches!(AddCheckpoint::parse(b"old 3\n\xff\n\n"), Err(Refusal::Form { .. })));
    let longest = format!("old 3\n{}\n", line.repeat(63));
    assert_eq!(AddCheckpoint::parse(longest.as_bytes()).map(|request| request.path.len()), Ok(63));
}

#[test]
fn whose_checkpoint_it_is_comes_first() {
    let head = head(&classic_leaves()[..7]);
    let policy = policy();
    let open = |note: Vec<u8>| {
        AddCheckpoint { old: TreeSize(0), path: Vec::new(), checkpoint_note: note }
            .open(policy.logs())
            .map(|(head, _)| head)
    };
    let signed = head.sign(&log_key()).expect("signs");
    assert_eq!(open(signed.format()), Ok(head.clone()));
    assert!(matches!(open(head.format().into_bytes()), Err(Refusal::Form { .. })));

    let stranger = SigningKey::from_seed(key_name("example.com/stranger"), &[5; 32]);
    let unknown = signed.text().replace(ORIGIN, "example.com/stranger");
    let unknown = stranger.sign(&unknown).expect("signs").format();
    assert_eq!(open(unknown), Err(Refusal::UnknownLog { origin: "example.com/stranger".to_owned() }));
    // Another log of the policy, the right name with another key, and a signature of another text.
    let other = SigningKey::from_seed(key_name("example.com/other"), &[7; 32]);
    assert_eq!(open(other.sign(signed.text()).expect("signs").format()), Err(Refusal::NotSigned));
    let impostor = SigningKey::from_seed(key_name(ORIGIN), &[6; 32]);
    assert_eq!(open(impostor.sign(signed.text()).expect("signs").format()), Err(Refusal::NotSigned));
    let moved = String::from_utf8(signed.format()).expect("text").replacen("\n7\n", "\n8\n", 1);
    assert_eq!(open(moved.into_bytes()), Err(Refusal::NotSigned));

    let extended = log_key().sign(&format!("{}more\n", signed.text())).expect("signs").format();
    assert!(matches!(open(extended), Err(Refusal::Checkpoint(_))));
    let empty = |root: Hash| log_key().sign(&format!("{ORIGIN}\n0\n{}\n", root.to_base64())).expect("signs").format();
    assert!(open(empty(empty_root())).is_ok());
    assert!(matches!(open(empty(head.root)), Err(Refusal::Inconsistent(_))));
}
