//! What a listing covers: whose access would be in it, if they had any.
//!
//! Owns the names of scopes and what follows from them: which grants and accounts are absent if such a listing, being
//! complete, does not have them. It knows no system: a connector says which of these its listings are.
//!
//! ```text
//! scope  = part *( "+" part )
//! part   = "accounts"                        every account
//!        / "accounts/" TYPE "/"              every account of a type: those whose ids begin so
//!        / "accounts/" NAME                  every account of a population that only the source can tell
//!        / "definitions/" TYPE               every entitlement of a type
//!        / "holders/" TYPE                   everyone who holds anything of a type
//!        / "holders/" TYPE "/" ID            everyone who holds one entitlement
//!        / "held/" TYPE "/" ACCOUNT          what one account holds of a type
//!        / "held/" TYPE "/" TYPE "/"         what the accounts of the second type hold of the first
//!        / "credentials/" TYPE               every credential of a type
//!        / "implying/" TYPE "/" ID           what implies one entitlement
//!        / "implied/" TYPE "/" KIND "/" ID   what of a type the entitlement KIND/ID implies
//!        / "within/" SCOPE "/" part          the same, of what holds in SCOPE alone
//! ```

use counterfoil_proto::v1::EntityKind;

use crate::entity::EntityId;

/// A part of what a listing covers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Covered {
    /// Every account.
    Accounts,
    /// Every account whose id begins with this: "user/".
    AccountsOf(String),
    /// Every account of a population: nothing that a log says tells whether an account is one of it.
    Population(String),
    /// Every entitlement of a type.
    Definitions(String),
    /// Everyone who holds an entitlement whose id is, or begins with, this: "group_member/00g1", or "role/".
    Holders(String),
    /// What is held of entitlements whose ids begin with the first, by the account with this id, or, where that ends with
    /// "/", by every account whose id begins so.
    Held(String, String),
    /// Every credential whose id begins with this: "password/".
    Credentials(String),
    /// What implies this entitlement.
    Implying(String),
    /// What this entitlement implies of a type.
    Implied(String, String),
    /// What holds in one scope, of what this covers.
    Within(String, Box<Covered>),
}

/// What a listing covers, in one system and instance.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Coverage {
    system: String,
    instance: String,
    parts: Vec<Covered>,
}

impl Coverage {
    /// What the listings of a scope cover; none where its name says nothing here.
    pub fn of(scope: &EntityId) -> Option<Self> {
        if scope.kind() != EntityKind::SnapshotScope {
            return None;
        }
        let parts = scope.native_id().split('+').map(part).collect::<Option<_>>()?;
        Some(Self { system: scope.system().to_owned(), instance: scope.instance().to_owned(), parts })
    }

    /// Its parts.
    pub fn parts(&self) -> &[Covered] {
        &self.parts
    }

    /// Whether a complete listing would have what `subject` holds in `scope`, or, without an object, the account itself.
    pub fn covers(&self, subject: &EntityId, object: Option<&EntityId>, scope: &str) -> bool {
        let is_here = |entity: &EntityId| entity.system() == self.system && entity.instance() == self.instance;
        // An identifier belongs to no system, and stands for an account of whoever uses it.
        let is_identifier = subject.kind() == EntityKind::Identifier;
        (is_here(subject) || is_identifier && object.is_some())
            && object.is_none_or(is_here)
            && self.parts.iter().any(|part| part.covers(subject, object, scope))
    }
}

impl Covered {
    /// Whether it covers this, in its own system and instance.
    fn covers(&self, subject: &EntityId, object: Option<&EntityId>, scope: &str) -> bool {
        let is_account = object.is_none() && subject.kind() == EntityKind::Account;
        let held = object.filter(|object| object.kind() == EntityKind::Entitlement).map(EntityId::native_id);
        match self {
            Self::Accounts => is_account,
            Self::AccountsOf(kind) => is_account && is_of(subject.native_id(), kind),
            Self::Holders(what) => held.is_some_and(|held| is_of(held, what)),
            Self::Held(kind, holder) => {
                held.is_some_and(|held| is_of(held, kind)) && is_of(subject.native_id(), holder)
            }
            Self::Credentials(kind) => {
                object.is_some_and(|object| object.kind() == EntityKind::Credential && is_of(object.native_id(), kind))
            }
            Self::Within(within, part) => scope == within && part.covers(subject, object, scope),
            Self::Population(_) | Self::Definitions(_) | Self::Implying(_) | Self::Implied(..) => false,
        }
    }
}

/// Whether an id is this one, or of this type.
fn is_of(id: &str, what: &str) -> bool {
    if what.ends_with('/') { id.starts_with(what) } else { id == what }
}

fn part(text: &str) -> Option<Covered> {
    if text == "accounts" {
        return Some(Covered::Accounts);
    }
    let (word, rest) = text.split_once('/')?;
    let typed = |text: &str| text.split_once('/').is_some_and(|(kind, id)| !kind.is_empty() && !id.is_empty());
    match word {
        _ if rest.is_empty() => None,
        "accounts" if rest.ends_with('/') => Some(Covered::AccountsOf(rest.to_owned())),
        "accounts" => Some(Covered::Population(rest.to_owned())),
        "credentials" if !rest.contains('/') => Some(Covered::Credentials(format!("{rest}/"))),
        "definitions" => Some(Covered::Definitions(format!("{rest}/"))),
        "holders" if typed(rest) => Some(Covered::Holders(rest.to_owned())),
        "holders" if !rest.contains('/') => Some(Covered::Holders(format!("{rest}/"))),
        "implying" if typed(rest) => Some(Covered::Implying(rest.to_owned())),
        "held" if typed(rest) => {
            let (kind, account) = rest.split_once('/')?;
            Some(Covered::Held(format!("{kind}/"), account.to_owned()))
        }
        "implied" => {
            let (kind, entitlement) = rest.split_once('/')?;
            typed(entitlement).then(|| Covered::Implied(format!("{kind}/"), entitlement.to_owned()))
        }
        "within" => {
            let (scope, within) = rest.split_once('/').filter(|(scope, _)| !scope.is_empty())?;
            part(within)
                .filter(|part| !matches!(part, Covered::Within(..)))
                .map(|part| Covered::Within(scope.to_owned(), Box::new(part)))
        }
        _ => None,
    }
}
