//! References of a document: who and what a fact names.
//!
//! Owns how an id, a login, an address and a name become one reference.

use counterfoil_proto::v1::{EntityKind, IdentityType, Ref};
use counterfoil_verify::entity::{check_name, is_code};

use crate::connectors::access::{ENTITLEMENT_TYPES, entity_kind};
use crate::connectors::draft::{Draft, Principal};
use crate::connectors::fields::Fields;
use crate::connectors::{Reject, mentions};
use crate::json::Json;

/// The longest name of a system or an instance in a reference: a hundred references still fit one record.
const NAME_BYTES_MAX: usize = 64;

/// The reference in a field, of the kind `default` unless it says otherwise.
pub fn reference(
    fields: &Fields<'_, '_>,
    name: &'static str,
    default: EntityKind,
    draft: &mut Draft<'_>,
) -> Result<Option<Ref>, Reject> {
    match fields.value(name) {
        None => Ok(None),
        Some(json) => read(json, fields.path(name), default, draft).map(Some),
    }
}

/// The references in an array.
pub fn list(
    fields: &Fields<'_, '_>,
    name: &'static str,
    max: usize,
    default: EntityKind,
    draft: &mut Draft<'_>,
) -> Result<Vec<Ref>, Reject> {
    let items = fields.list(name, max)?.iter().enumerate();
    items
        .map(|(number, json)| {
            let at = format!("{}[{number}]", fields.path(name));
            read(json, at, default, draft)
        })
        .collect()
}

/// The tickets that the fact refers to.
pub fn tickets(fields: &Fields<'_, '_>, draft: &mut Draft<'_>) -> Result<Vec<Ref>, Reject> {
    list(fields, "tickets", mentions::MENTIONS_MAX, EntityKind::Ticket, draft)
}

fn read(json: &Json<'_>, at: String, default: EntityKind, draft: &mut Draft<'_>) -> Result<Ref, Reject> {
    if let (Json::Str(number), EntityKind::Ticket) = (json, default)
        && let Some(ticket) = mentions::ticket_number(number)
    {
        return Ok(draft.mentioned(&[ticket]).remove(0));
    }
    let fields = Fields::of(json, at)?;
    let kind = fields.choice("kind", "ENTITY_KIND_", EntityKind::as_str_name)?.unwrap_or(default);
    let (system, instance) = (fields.text("system")?, fields.text("instance")?);
    let home = match (system, instance) {
        (None, None) => None,
        (Some(system), Some(instance)) => Some((system, instance)),
        _ => return Err(fields.invalid("system", "both system and instance, or neither")),
    };
    let names = home.into_iter().flat_map(|(system, instance)| [system, instance]);
    for name in names {
        if check_name(name).is_err() || name.len() > NAME_BYTES_MAX {
            return Err(fields.invalid("system", "system and instance of 1 to 64 of a-z, A-Z, 0-9, '.', '_', '-'"));
        }
    }
    let id = fields.id("id")?;
    let name = fields.text("name")?;
    let identity_type = fields.choice("type", "IDENTITY_TYPE_", IdentityType::as_str_name)?.unwrap_or_default();
    let reference = match kind {
        EntityKind::Entitlement | EntityKind::Credential | EntityKind::Ticket => {
            let id = id.map(|id| typed(&fields, kind, &id, draft)).transpose()?;
            thing(kind, id, name, home, draft)
        }
        EntityKind::Unresolved | EntityKind::Source | EntityKind::Correlation => {
            return Err(fields.invalid("kind", "something that a fact can name"));
        }
        _ => {
            let logins: Vec<_> = [("login", fields.text("login")?), ("email", fields.text("email")?)]
                .into_iter()
                .filter_map(|(name, value)| Some((name, value?)))
                .collect();
            let values = name.map(|name| ("display_name", name));
            draft.principal(Principal {
                kind,
                id: id.as_deref().filter(|_| kind != EntityKind::Identifier),
                logins: &logins,
                values: values.as_slice(),
                identity_type,
                home,
                ..Principal::default()
            })
        }
    };
    let mut reference = reference.ok_or_else(|| fields.invalid("id", "an id, or else a login, an email or a name"))?;
    reference.identity_type = identity_type.into();
    fields.finish("a reference of this kind")?;
    Ok(reference)
}

/// Something with an id of the form "type/id"; an entitlement may be known by its name alone.
fn thing(
    kind: EntityKind,
    id: Option<String>,
    name: Option<&str>,
    home: Option<(&str, &str)>,
    draft: &mut Draft<'_>,
) -> Option<Ref> {
    if kind == EntityKind::Entitlement {
        return draft.entitlement(id, name, home);
    }
    let (system, instance) = draft.home(home);
    let reference = Ref { kind: kind.into(), system, instance, id: id?, ..Ref::default() };
    if let Some(name) = name {
        draft.text(&reference, "display_name", name);
    }
    Some(reference)
}

fn typed(fields: &Fields<'_, '_>, kind: EntityKind, id: &str, draft: &Draft<'_>) -> Result<String, Reject> {
    let example = match kind {
        EntityKind::Entitlement => {
            format!("an id of the form type/id, with a type of {}", ENTITLEMENT_TYPES.join(", "))
        }
        EntityKind::Credential => "an id of the form type/id, such as api_token/00T1".to_owned(),
        _ => "an id of the form type/id, such as ticket/1042".to_owned(),
    };
    let parts = id.split_once('/').filter(|(name, native)| {
        let known = kind != EntityKind::Entitlement || entity_kind(name) == Some(kind);
        known && !native.is_empty() && name.len() <= 32 && is_code(name)
    });
    match parts {
        Some((name, native)) => Ok(draft.typed(name, native)),
        None => Err(fields.invalid("id", &example)),
    }
}
