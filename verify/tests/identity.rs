//! Which matching rules hold, and which links contradict each other.
#![allow(clippy::unwrap_used)] // A test stops where it fails.

use std::collections::BTreeMap;

use counterfoil_proto::v1::{MatchedBy, MatchingRule};
use counterfoil_verify::entity::EntityId;
use counterfoil_verify::identity::{BUILT_IN, MatchingRules, contested};
use counterfoil_verify::state::{Evidence, LinkState, RuleState};

fn rule(id: &str, systems: &[&str], withdrawn: bool) -> (EntityId, RuleState) {
    let systems = systems.iter().map(|system| (*system).to_owned()).collect();
    let rule = MatchingRule { version: 3, matched_by: MatchedBy::Email.into(), systems, withdrawn };
    (format!("rule:people:default:{id}").parse().unwrap(), RuleState { rule, evidence: Evidence::default() })
}

#[test]
fn the_built_in_rule_holds_until_one_is_declared() {
    let joining = |declared: Vec<(EntityId, RuleState)>, one: &str, other: &str| {
        let rules = MatchingRules::in_force(declared);
        rules.joining(one, other).map(|rule| (rule.id.clone(), rule.version))
    };
    let built_in = Some((BUILT_IN.to_owned(), 1));
    assert_eq!(joining(vec![], "okta", "aws"), built_in);
    assert!(MatchingRules::in_force([]).join_everything());
    let named = |id: &str| Some((format!("rule:people:default:{id}"), 3));
    let declared = || vec![rule("a", &["okta", "aws"], false), rule("b", &["okta", "github"], false)];
    assert_eq!(joining(declared(), "okta", "aws"), named("a"));
    assert_eq!(joining(declared(), "github", "okta"), named("b"));
    assert_eq!(joining(declared(), "github", "aws"), None, "each rule joins its own systems alone");
    assert!(!MatchingRules::in_force(declared()).join_everything());
    assert_eq!(joining(vec![rule("a", &[], false)], "github", "aws"), named("a"));
    assert_eq!(joining(vec![rule("a", &[], true)], "okta", "aws"), None, "nothing comes back once one was declared");
}

#[test]
fn links_that_contradict_each_other_are_told() {
    let check = |entity: &str, links: &[(&str, &str)], expected: &[&str]| {
        let link = |(counterpart, place): &(&str, &str)| {
            let (system, instance) = place.split_once(':').unwrap_or_default();
            let (system, instance) = (system.to_owned(), instance.to_owned());
            let link =
                LinkState { counterpart: (*counterpart).to_owned(), system, instance, evidence: Evidence::default() };
            (link.key(), link)
        };
        let links: BTreeMap<String, LinkState> = links.iter().map(link).collect();
        let found: Vec<&str> =
            contested(&entity.parse().unwrap(), &links).iter().map(|link| link.counterpart.as_str()).collect();
        assert_eq!(found, expected, "{entity}: {links:?}");
    };
    let (p1, p2) = ("person:people:default:p1", "person:people:default:p2");
    let other = "person:hr:default:9";
    let (account, second) = ("account:okta:default:00u1", "account:okta:default:00u2");
    let mail = "identifier:00112233445566778899aabbccddeeff";
    check(account, &[(p1, "")], &[]);
    check(account, &[(p1, ""), (other, "")], &[]);
    check(account, &[(p1, ""), (p2, ""), (other, "")], &[p1, p2]);
    check(account, &[(second, ""), (p1, "")], &[]);
    check(p1, &[(account, ""), (second, "")], &[]);
    // An address is somebody's in one system, and somebody else's in another.
    check(mail, &[(p1, "okta:default"), (p2, "aws:default")], &[]);
    check(mail, &[(p1, "okta:default"), (p2, "okta:default")], &[p1, p2]);
    check(mail, &[(account, ""), (second, "")], &[account, second]);
}
