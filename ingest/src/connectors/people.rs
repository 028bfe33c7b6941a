//! People: mapping files that say which accounts are one person's, and the rules by which accounts are matched.
//!
//! Owns the shape of such a row, in CSV or as a JSON object: one row is one account of one person, or one version of a
//! rule. It guesses nothing: a column that it does not know is an error that names those it does.
//!
//! ```csv
//! row,person,person_name,person_email,system,instance,account,login,email,from,until
//! 17,E-1042,Zoë Müller,zoe.mueller@example.com,okta,default,00u1,zoe.mueller@example.com,,2026-01-05,
//! ```
//! | column of a mapping | meaning |
//! |---|---|
//! | `row` | the row's id: with it, a row that was edited is a new version; without it, its content makes the row |
//! | `person` | the person's own id, such as a number of personnel; required |
//! | `person_name`, `person_email` | what the person is called |
//! | `system`, `instance` | where the account is; the system is required, the instance is "default" where it is left out |
//! | `account` | the account's native id, as the ledger shows it (AWS: `user/jane`); or else |
//! | `login`, `email` | what it is called there. Beside an id they are noted as what it is called from `from` on, or else from the receipt of the row on |
//! | `from`, `until` | since when, and up to when, it is this person's: a time, or a day. Without `from` it has always been |
//!
//! | column of a rule | meaning |
//! |---|---|
//! | `rule` | the rule's id; required |
//! | `version` | from 1; required |
//! | `matched_by` | what the accounts have in common: email; required |
//! | `systems` | whose accounts it joins, with ';' between them; those of every system, where it is left out. Persons of mapping files are of the system people |
//! | `withdrawn` | true: it holds no longer |
//! | `declared_at` | when it was declared; when the row was received, if it is left out |
//!
//! The built-in rule, by which equal e-mail addresses of any systems mean one person, holds until a rule is declared, and
//! never again.

use counterfoil_proto::v1::{
    EntityKind, Fact, FactKind, IdentityType, Mapping, MatchedBy, MatchingRule, Ref, RejectReason, Time, fact::Detail,
};

use super::draft::{Draft, Principal, fact};
use super::fields::Fields;
use super::rows::{self, Named};
use super::split::elements;
use super::{Connector, Context, EventId, PartContext, Reading, Reject, Split};
use crate::json::Json;
use crate::times;

pub struct People;

/// The connector's name, and its system's.
pub const NAME: &str = "people";

impl Connector for People {
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
        has("person") && has("system") || has("rule") && has("matched_by")
    }

    fn split<'a>(&self, document: &Json<'a>, raw: &'a str) -> Result<Split<'a>, Reject> {
        match document {
            Json::Array(_) => elements(raw, &[], &PartContext::default()),
            _ => Ok(Split::Event),
        }
    }

    fn read(&self, event: &Json<'_>, _part: &PartContext, context: &Context<'_>) -> Result<Reading, Reject> {
        const EXPECTED: &str = "a row with a person and a system, or with a rule";
        if !matches!(event, Json::Object(_)) {
            return Err(Reject::new(RejectReason::NotAnEvent, format!("expected {EXPECTED}, got another value")));
        }
        if !self.recognises(event) && super::recognised_by_another(self, event).is_some() {
            return Err(super::stranger(self, event, EXPECTED));
        }
        let row = Fields::new(event, String::new());
        let mut draft = Draft::new(context, NAME, context.instance);
        if row.value("rule").is_some() {
            return rule(&row, draft);
        }
        let event_id = rows::event_id(&row, &draft)?;
        mapping(&row, &mut draft)?;
        row.finish("a row of a mapping")?;
        draft.finish("mapping", event_id, "mapping.row", Mapping::NoFacts)
    }
}

fn mapping(row: &Fields<'_, '_>, draft: &mut Draft<'_>) -> Result<(), Reject> {
    let person = row.id("person")?.ok_or_else(|| row.invalid("person", "the id of a person"))?;
    let name = row.text("person_name")?.map(|name| ("display_name", name));
    let email = row.text("person_email")?;
    let home = rows::place(row, ("system", "instance"))?;
    let home = home.ok_or_else(|| row.invalid("system", "the system that the account is in"))?;
    let (id, logins) = (row.id("account")?, rows::logins(row)?);
    let (from, until) = (rows::time(row, "from", draft)?, rows::end(row, "until", draft)?);
    let order = |time: &Time| (time.seconds, time.nanos);
    if from.zip(until).is_some_and(|(from, until)| order(&until) <= order(&from)) {
        return Err(row.invalid("until", "a time after from"));
    }
    let person = draft.principal(Principal {
        kind: EntityKind::Person,
        id: Some(&person),
        values: name.as_slice(),
        identity_type: IdentityType::Human,
        ..Principal::default()
    });
    // What an account is called does not hold as long as it is somebody's: it is noted apart.
    let account = Named {
        id: id.as_deref(),
        logins: if id.is_some() { &[] } else { &logins },
        values: &[],
        kind: EntityKind::Account,
        identity_type: IdentityType::Unspecified,
    };
    let account = rows::reference(account, home, draft)
        .ok_or_else(|| row.invalid("account", "the account's id in account, or else its login or email"))?;
    let link = |kind, at| Fact { subject: person.clone(), object: Some(account.clone()), ..fact(kind, at) };
    draft.facts.push(link(FactKind::IdentityLinked, from.unwrap_or_else(rows::always)));
    if let Some(until) = until {
        draft.facts.push(link(FactKind::IdentityUnlinked, until));
    }
    let called_at = from.unwrap_or_else(|| times::received(draft.context.received_at));
    if let (Some(person), Some(email)) = (&person, email) {
        bind(person, &[("email", email)], None, called_at, draft);
    }
    if id.is_some() && !logins.is_empty() {
        bind(&account, &logins, Some(home), called_at, draft);
    }
    Ok(())
}

/// Notes what an entity is called from a moment on.
fn bind(entity: &Ref, logins: &[(&'static str, &str)], home: Option<(&str, &str)>, at: Time, draft: &mut Draft<'_>) {
    for (name, login) in logins {
        draft.text(entity, name, login);
    }
    let called = draft.principal(Principal { kind: EntityKind::Identifier, logins, home, ..Principal::default() });
    if called.is_some() {
        draft.facts.push(Fact { subject: Some(entity.clone()), object: called, ..fact(FactKind::IdentifierBound, at) });
    }
}

fn rule(row: &Fields<'_, '_>, mut draft: Draft<'_>) -> Result<Reading, Reject> {
    let id = row.id("rule")?.unwrap_or_default();
    let version = rows::number(row, "version")?.filter(|version| *version > 0);
    let version = version.ok_or_else(|| row.invalid("version", "the rule's version, from 1"))?;
    let matched_by = row.choice("matched_by", "MATCHED_BY_", MatchedBy::as_str_name)?;
    let rule = MatchingRule {
        version,
        matched_by: matched_by.ok_or_else(|| row.invalid("matched_by", "email"))?.into(),
        systems: rows::systems(row, "systems")?,
        withdrawn: rows::flag(row, "withdrawn")?,
    };
    let declared_at = rows::time(row, "declared_at", &draft)?;
    row.finish("a rule")?;
    let object = Ref { kind: EntityKind::Rule.into(), id: draft.name(&id), ..Ref::default() };
    draft.text(&object, "name", &id);
    let event_id = EventId::Version(format!("rule/{}/{version}", object.id));
    draft.facts.push(Fact {
        object: Some(object),
        detail: Some(Detail::MatchingRule(rule)),
        ..fact(FactKind::RuleDeclared, declared_at.unwrap_or_else(|| times::received(draft.context.received_at)))
    });
    draft.finish("rules", event_id, "rule", Mapping::NoFacts)
}
