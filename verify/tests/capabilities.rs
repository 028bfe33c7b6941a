//! What ids say of capabilities, and that more access never makes anything less risky.
#![allow(clippy::unwrap_used, reason = "helpers of tests fail as tests do")]

use std::collections::BTreeSet;

use counterfoil_proto::v1::{Capability, RiskTier};
use counterfoil_verify::capability::{ALTERING, Meaning, giving, meaning, tier};
use counterfoil_verify::entity::EntityId;
use proptest::prelude::*;

fn of(id: &str) -> Meaning {
    meaning(&id.parse::<EntityId>().unwrap())
}

#[test]
fn ids_of_vendors_are_known_and_all_others_are_not() {
    let resets = Meaning::Known(&[Capability::ResetPasswords]);
    assert_eq!(of("entitlement:okta:default:role/HELP_DESK_ADMIN"), resets);
    // The same id elsewhere is another thing, and so is a label that sounds like one.
    for unknown in [
        "entitlement:fact:default:role/HELP_DESK_ADMIN",
        "entitlement:okta:default:role/help_desk_admin",
        "entitlement:okta:default:role/READ_ONLY",
        "entitlement:aws:111122223333:policy/arn:aws:iam::111122223333:policy/ReadOnlyAccess",
        "entitlement:freshservice:default:role/27000",
    ] {
        assert_eq!(of(unknown), Meaning::Unknown, "{unknown}");
    }
    let administrator = "arn:aws:iam::aws:policy/AdministratorAccess";
    for kind in ["policy", "permission"] {
        let Meaning::Known(held) = of(&format!("entitlement:aws:111122223333:{kind}/{administrator}")) else {
            panic!()
        };
        assert!(ALTERING.iter().all(|one| held.contains(one)), "{kind}");
    }
    // These give what they imply.
    for nothing in ["entitlement:okta:default:group_member/00g1", "account:aws:111122223333:role/Batch"] {
        assert_eq!(of(nothing), Meaning::Known(&[]), "{nothing}");
    }
}

#[test]
fn what_gives_a_capability_is_what_the_table_says_of_it() {
    for capability in (1..).map_while(|number| Capability::try_from(number).ok()) {
        let found: Vec<_> = giving(capability).collect();
        for (system, native) in &found {
            let Meaning::Known(held) = of(&format!("entitlement:{system}:default:{native}")) else {
                panic!("{native}")
            };
            assert!(held.contains(&capability), "{native} {capability:?}");
        }
        assert!(!found.is_empty(), "{capability:?}");
    }
}

proptest! {
    #[test]
    fn a_tier_never_falls_when_access_grows(
        some in prop::collection::btree_set(1..8_i32, 0..7),
        more in prop::collection::btree_set(1..8_i32, 0..7),
        unknown in any::<bool>(),
        more_unknown in any::<bool>(),
    ) {
        let named = |set: &BTreeSet<i32>| set.iter().map(|one| Capability::try_from(*one).unwrap()).collect::<Vec<_>>();
        let all: BTreeSet<i32> = some.union(&more).copied().collect();
        let (before, after) = (tier(named(&some), unknown), tier(named(&all), unknown || more_unknown));
        prop_assert!(before <= after);
        prop_assert_eq!(before == RiskTier::Low, some.is_empty() && !unknown);
    }
}
