//! Who is who: which matching rules hold, and which links contradict each other.
//!
//! Owns the rule that holds while none was declared, what rules join, and what makes a link contested. Links themselves
//! are replayed (`replay`); this only says what they and the rules come to. It links nothing by itself, and prefers none
//! of several records that contradict each other.

use std::collections::BTreeMap;
use std::rc::Rc;

use counterfoil_proto::v1::{EntityKind, MatchedBy};

use crate::entity::EntityId;
use crate::state::{Evidence, LinkState, RuleState};

/// What the rule is called that holds while none was declared: whoever has the same e-mail address, in whatever system, is
/// the same person.
pub const BUILT_IN: &str = "built-in:email";
/// Its version.
pub const BUILT_IN_VERSION: u32 = 1;

/// A rule that holds.
#[derive(Clone, Debug, PartialEq)]
pub struct MatchingRule {
    /// Its entity in text form, or [`BUILT_IN`].
    pub id: String,
    /// Its version.
    pub version: u32,
    /// The systems that it joins; all of them, where there are none.
    systems: Vec<String>,
    /// The fact that declares it; none for the built-in one.
    pub evidence: Option<Evidence>,
}

impl MatchingRule {
    fn built_in() -> Self {
        Self { id: BUILT_IN.to_owned(), version: BUILT_IN_VERSION, systems: Vec::new(), evidence: None }
    }

    fn joins(&self, one: &str, other: &str) -> bool {
        let has = |system: &str| self.systems.iter().any(|known| known == system);
        self.systems.is_empty() || has(one) && has(other)
    }
}

/// The rules that hold.
#[derive(Clone, Debug, PartialEq)]
pub struct MatchingRules(Vec<Rc<MatchingRule>>);

impl MatchingRules {
    /// Those that hold where these were declared: each as its state has it, unless it was withdrawn. Where none was ever
    /// declared, the built-in one holds; where all were withdrawn, none.
    pub fn in_force(declared: impl IntoIterator<Item = (EntityId, RuleState)>) -> Self {
        let mut declared: Vec<_> = declared.into_iter().collect();
        declared.sort_by(|(one, _), (other, _)| one.cmp(other));
        if declared.is_empty() {
            return Self(vec![Rc::new(MatchingRule::built_in())]);
        }
        let holds = |(entity, state): (EntityId, RuleState)| {
            let RuleState { rule, evidence } = state;
            let holds = !rule.withdrawn && rule.matched_by() == MatchedBy::Email;
            holds.then(|| {
                let (id, version, systems) = (entity.to_text(), rule.version, rule.systems);
                Rc::new(MatchingRule { id, version, systems, evidence: Some(evidence) })
            })
        };
        Self(declared.into_iter().filter_map(holds).collect())
    }

    /// Whether one of them joins the accounts of all systems.
    pub fn join_everything(&self) -> bool {
        self.0.iter().any(|rule| rule.systems.is_empty())
    }

    /// The first rule that takes accounts of these two systems with the same e-mail address for the same person's.
    pub fn joining(&self, one: &str, other: &str) -> Option<&Rc<MatchingRule>> {
        self.0.iter().find(|rule| rule.joins(one, other))
    }
}

/// The links of an entity that contradict each other: an account is one person's of each source at a time, and an
/// identifier is one account's of each system. A person may have any number of accounts.
pub fn contested<'l>(entity: &EntityId, links: &'l BTreeMap<String, LinkState>) -> Vec<&'l LinkState> {
    let claims = |kind: EntityKind| match entity.kind() {
        EntityKind::Person => false,
        EntityKind::Identifier => matches!(kind, EntityKind::Person | EntityKind::Account),
        _ => kind == EntityKind::Person,
    };
    let claimed = |link: &'l LinkState| {
        let by = link.counterpart.parse::<EntityId>().ok().filter(|by| claims(by.kind()))?;
        Some((by, (&link.system, &link.instance), link))
    };
    let claimed: Vec<_> = links.values().filter_map(claimed).collect();
    let place = |by: &EntityId| (by.kind(), by.system().to_owned(), by.instance().to_owned());
    let is_contested = |(by, meant, _): &&(EntityId, (&String, &String), &LinkState)| {
        claimed.iter().any(|(other, also, _)| other != by && also == meant && place(other) == place(by))
    };
    claimed.iter().filter(is_contested).map(|(.., link)| *link).collect()
}
