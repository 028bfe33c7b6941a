//! The register of non-human identities: who answers for each, what it is for, and how long it may be used.
//!
//! Owns the shape of such a row, in CSV or as a JSON object: one row is one identity or one credential, and all that the
//! register says of it. It guesses nothing: a column that it does not know is an error that names those it does.
//!
//! ```csv
//! row,system,id,login,type,owner,purpose,expires_at,rotation_interval,stored_in,systems,operations,updated_at
//! n-3,okta,api_token/00T1,,token,E-1042,Provisions accounts from tickets,2026-12-31,90d,vault: kv/okta,okta,okta.users.manage,2026-01-05
//! ```
//! | column | meaning |
//! |---|---|
//! | `row` | the row's id: with it, a row that was edited is a new version; without it, its content makes the row |
//! | `system`, `instance` | where it is; the system is required, the instance is "default" where it is left out |
//! | `id` | its native id: of a credential with its type (`api_token/00T1`); or else |
//! | `login`, `email` | what it is called there; whoever is called so in any system is meant |
//! | `name` | what people call it |
//! | `type` | service_account, api_key, token, secret, certificate, webhook_secret, integration, workload_identity, bot, ai_agent, system; required |
//! | `owner` | whoever answers for it: the person's id of the mapping files, or an e-mail address, or, with `owner_system` and `owner_instance`, an account's login |
//! | `purpose` | what it is for, in words |
//! | `expires_at` | up to when it may be used: a time, or a day |
//! | `rotation_interval` | how often its secret is to be rotated: 90d, 12h, 30m, 45s |
//! | `stored_in` | where its secret is kept, in words. Never the secret |
//! | `systems`, `operations` | what it may touch, and do there: codes, with ';' between them |
//! | `suspected_at`, `retired_at` | since when it is suspected of misuse, and out of use |
//! | `updated_at` | since when the row says so; when it was received, if it is left out |
//!
//! A row is all that the register says: what an earlier version said and a later one leaves out is gone.

use counterfoil_proto::v1::{
    EntityKind, Fact, FactKind, IdentityType, Mapping, Ownership, Ref, RejectReason, fact::Detail,
};

use super::draft::{Draft, Principal, fact};
use super::fields::Fields;
use super::rows::{self, Named};
use super::split::elements;
use super::{Connector, Context, PartContext, Reading, Reject, Split, people};
use crate::json::Json;
use crate::times;

pub struct Register;

/// The connector's name, and its system's.
pub const NAME: &str = "nhi";

impl Connector for Register {
    fn name(&self) -> &'static str {
        NAME
    }

    fn version(&self) -> u32 {
        1
    }

    fn system(&self) -> &str {
        NAME
    }

    fn recognises(&self, event: &Json<'_>) -> bool {
        let has = |name: &str| event.get(name).is_some();
        has("system") && has("type") && ["owner", "purpose", "rotation_interval", "stored_in"].into_iter().any(has)
    }

    fn split<'a>(&self, document: &Json<'a>, raw: &'a str) -> Result<Split<'a>, Reject> {
        match document {
            Json::Array(_) => elements(raw, &[], &PartContext::default()),
            _ => Ok(Split::Event),
        }
    }

    fn read(&self, event: &Json<'_>, _part: &PartContext, context: &Context<'_>) -> Result<Reading, Reject> {
        const EXPECTED: &str = "a row with a system and a type";
        if !matches!(event, Json::Object(_)) {
            return Err(Reject::new(RejectReason::NotAnEvent, format!("expected {EXPECTED}, got another value")));
        }
        if !self.recognises(event) && super::recognised_by_another(self, event).is_some() {
            return Err(super::stranger(self, event, EXPECTED));
        }
        let row = Fields::new(event, String::new());
        let mut draft = Draft::new(context, NAME, context.instance);
        let event_id = rows::event_id(&row, &draft)?;
        entry(&row, &mut draft)?;
        row.finish("a row of the register")?;
        draft.finish("register", event_id, "register.row", Mapping::NoFacts)
    }
}

fn entry(row: &Fields<'_, '_>, draft: &mut Draft<'_>) -> Result<(), Reject> {
    let home = rows::place(row, ("system", "instance"))?;
    let home = home.ok_or_else(|| row.invalid("system", "the system that it is in"))?;
    let identity_type = row.choice("type", "IDENTITY_TYPE_", IdentityType::as_str_name)?;
    let identity_type = identity_type.filter(|one| !matches!(one, IdentityType::Human | IdentityType::Unspecified));
    let identity_type = identity_type.ok_or_else(|| row.invalid("type", "the type of a non-human identity"))?;
    let (id, logins) = (row.id("id")?, rows::logins(row)?);
    let name = row.text("name")?.map(|name| ("display_name", name));
    let subject = Named {
        id: id.as_deref(),
        logins: &logins,
        values: name.as_slice(),
        kind: rows::kind_of(id.as_deref(), identity_type),
        identity_type,
    };
    let subject = rows::reference(subject, home, draft)
        .ok_or_else(|| row.invalid("id", "its id in id, or else its login or email"))?;
    let texts = [("purpose", row.text("purpose")?), ("stored_in", row.text("stored_in")?)];
    for (name, text) in texts {
        if let Some(text) = text {
            draft.text(&subject, name, text);
        }
    }
    let [is_purpose_declared, is_storage_declared] = texts.map(|(_, text)| text.is_some());
    let retired_at = rows::time(row, "retired_at", draft)?;
    let said = Ownership {
        expires_at: rows::end(row, "expires_at", draft)?,
        rotation_interval_seconds: rows::interval(row, "rotation_interval")?,
        storage_declared: is_storage_declared,
        systems: rows::systems(row, "systems")?,
        operations: rows::operations(row, "operations")?,
        suspected_at: rows::time(row, "suspected_at", draft)?,
        retired_at,
        ..Ownership::default()
    };
    let owner = owner(row, draft)?;
    let updated_at = rows::time(row, "updated_at", draft)?;
    let at = updated_at.unwrap_or_else(|| times::received(draft.context.received_at));
    let mut push = |kind, at, detail: Ownership| {
        let detail = (detail != Ownership::default()).then_some(Detail::Ownership(detail));
        draft.facts.push(Fact { subject: Some(subject.clone()), detail, ..fact(kind, at) });
    };
    // An entry is replayed first, and what it says piece by piece comes behind it.
    push(FactKind::NhiRegistered, at, said);
    if owner.is_some() {
        push(FactKind::OwnerAssigned, at, Ownership { owner, ..Ownership::default() });
    }
    if is_purpose_declared {
        push(FactKind::PurposeDeclared, at, Ownership::default());
    }
    if let Some(retired_at) = retired_at {
        push(FactKind::NhiRetired, retired_at, Ownership::default());
    }
    Ok(())
}

/// Whoever answers for it.
fn owner(row: &Fields<'_, '_>, draft: &mut Draft<'_>) -> Result<Option<Ref>, Reject> {
    let home = rows::place(row, ("owner_system", "owner_instance"))?;
    let Some(owner) = row.id("owner")? else {
        return match home {
            Some(_) => Err(row.invalid("owner", "the login of the owner's account in owner_system")),
            None => Ok(None),
        };
    };
    let logins = [(if owner.contains('@') { "email" } else { "login" }, owner.as_str())];
    let principal = match home {
        Some(home) => Principal { logins: &logins, home: Some(home), ..Principal::default() },
        None if owner.contains('@') => Principal { kind: EntityKind::Person, logins: &logins, ..Principal::default() },
        None => Principal {
            kind: EntityKind::Person,
            id: Some(&owner),
            home: Some((people::NAME, draft.context.instance)),
            ..Principal::default()
        },
    };
    Ok(draft.principal(principal))
}
