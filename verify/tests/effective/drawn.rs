//! Random facts about who holds what and what that means, on a few entities, so that they meet: cycles, ends, removals,
//! redefinitions. They are in the order of arrival, which is not that in which they happened.
#![allow(dead_code, reason = "each test uses another part of it")]

use counterfoil_proto::v1::{Entitlement, EntityKind, Fact, FactKind as K, Grant, Ref, fact::Detail};
use counterfoil_verify::entity::EntityId;
use proptest::prelude::*;

use super::{PLACE, time};

/// The kinds of facts that a case is made of, by their numbers.
const KINDS: usize = 12;
/// Two people, and a role that can be acted as.
pub const PEOPLE: [&str; 3] = ["u0", "u1", "r"];
pub const GROUPS: usize = 5;

/// The id of what a reference names.
pub fn text(reference: &Ref) -> String {
    let kind = if reference.kind() == EntityKind::Account { "account" } else { "entitlement" };
    format!("{kind}:{PLACE}:{}", reference.id)
}

fn account(id: &str) -> Ref {
    Ref { kind: EntityKind::Account.into(), id: id.to_owned(), ..Ref::default() }
}

fn group(number: usize) -> Ref {
    Ref { kind: EntityKind::Entitlement.into(), id: format!("group_member/g{number}"), ..Ref::default() }
}

fn fact(kind: K, seconds: i64) -> Fact {
    let occurred_at = Some(time(seconds));
    Fact { kind: kind.into(), occurred_at, outcome: 1, confidence: 1, ..Fact::default() }
}

#[derive(Clone, Debug)]
pub struct Drawn {
    kind: usize,
    who: usize,
    one: usize,
    other: usize,
    scope: usize,
    seconds: i64,
    until: Option<i64>,
    mode: i32,
    conditional: bool,
}

pub fn drawn() -> impl Strategy<Value = Drawn> {
    let ends = (0..KINDS, 0..PEOPLE.len(), 0..GROUPS, 0..GROUPS, 0..8_usize);
    let how = (
        0..20_i64,
        prop::option::weighted(0.3, 0..40_i64),
        prop_oneof![3 => 0..2, 1 => Just(2)],
        prop::bool::weighted(0.2),
    );
    (ends, how).prop_map(|((kind, who, one, other, scope), (seconds, until, mode, conditional))| Drawn {
        kind,
        who,
        one,
        other,
        scope,
        seconds,
        until,
        mode,
        conditional,
    })
}

impl Drawn {
    pub fn fact(&self) -> Fact {
        let (who, one, other) = (account(PEOPLE[self.who]), group(self.one), group(self.other));
        let scope = ["s", "t"].get(self.scope).copied().unwrap_or_default().to_owned();
        let grant = Grant {
            expires_at: self.until.map(time),
            mode: self.mode,
            inherited_via: None,
            conditional: self.conditional,
        };
        let grant = (grant != Grant::default()).then_some(Detail::Grant(grant));
        // A role that can be assumed is what some groups imply.
        let gained = if self.other == 0 { account("r") } else { other.clone() };
        let implies = |added: Vec<Ref>, removed: Vec<Ref>| {
            let version = "v".to_owned();
            Some(Detail::Entitlement(Entitlement { version, implies_added: added, implies_removed: removed }))
        };
        let base = |kind| Fact { scope: scope.clone(), ..fact(kind, self.seconds) };
        match self.kind {
            0 | 1 => Fact { subject: Some(who), object: Some(one), detail: grant, ..base(K::GrantAdded) },
            2 => Fact { subject: Some(who), object: Some(one), ..base(K::GrantRemoved) },
            3 | 4 => Fact { subject: Some(other), object: Some(one), detail: grant, ..base(K::GrantAdded) },
            5 => Fact { subject: Some(other), object: Some(one), ..base(K::GrantRemoved) },
            6 | 7 => Fact { object: Some(one), detail: implies(vec![gained], vec![]), ..base(K::EntitlementChanged) },
            8 => Fact { object: Some(one), detail: implies(vec![], vec![gained]), ..base(K::EntitlementChanged) },
            9 => Fact { object: Some(one), detail: implies(vec![gained], vec![]), ..base(K::EntitlementDefined) },
            10 if self.one == self.other => Fact { object: Some(one), ..fact(K::EntitlementRemoved, self.seconds) },
            10 => Fact { subject: Some(one), object: Some(other), ..fact(K::IdentityLinked, self.seconds) },
            _ => {
                let kind = if self.conditional { K::AccountDisabled } else { K::AccountEnabled };
                Fact { subject: Some(account(PEOPLE[1 + self.who % 2])), ..fact(kind, self.seconds) }
            }
        }
    }
}

pub fn everything() -> Vec<EntityId> {
    let groups = (0..GROUPS).map(|number| text(&group(number)));
    PEOPLE.iter().map(|id| text(&account(id))).chain(groups).map(|id| id.parse().unwrap()).collect()
}
