//! What rows of tables that people keep have in common: mapping files and registers, as CSV or as JSON.
//!
//! Owns how a cell is read, where everything may be text, and how a row names an account, a credential or a person. It
//! guesses nothing: what it cannot read is an error that says what was expected.

use counterfoil_proto::v1::{EntityKind, IdentityType, Precision, Ref, Time};
use counterfoil_verify::entity::{check_name, is_code};
use counterfoil_verify::time::Moment;

use super::access::CREDENTIAL_TYPES;
use super::draft::{Draft, Principal};
use super::fields::Fields;
use super::{EventId, Reject};
use crate::json::Json;
use crate::times;

/// The most codes in one cell.
const CODES_MAX: usize = 100;
/// The longest name of a system or an instance, so that a row's references always fit.
const NAME_BYTES_MAX: usize = 64;
/// What stands before the ids of accounts that are unique within a type only: those of AWS (decision 0012)
/// and of Kubernetes (decision 0059).
const ACCOUNT_TYPES: [&str; 10] = [
    "federated_user",
    "node",
    "role",
    "root",
    "saml_user",
    "service",
    "service_account",
    "sso_user",
    "user",
    "web_identity",
];

/// What makes a row itself: the id that its table gives it, and its content; without an id, its content alone.
pub fn event_id(fields: &Fields<'_, '_>, draft: &Draft<'_>) -> Result<EventId, Reject> {
    let row = fields.opaque("row", draft)?;
    Ok(if row.is_empty() { EventId::Content } else { EventId::Version(format!("row/{row}")) })
}

/// A time, or a day, which is its first moment in UTC.
pub fn time(fields: &Fields<'_, '_>, name: &'static str, draft: &Draft<'_>) -> Result<Option<Time>, Reject> {
    match fields.value(name).and_then(Json::as_str).and_then(times::day) {
        Some(day) => Ok(Some(day)),
        None => fields.time(name, draft.context.assume_utc),
    }
}

/// When something ends: a day ends with its last second, and dates that mean "never" are none.
pub fn end(fields: &Fields<'_, '_>, name: &'static str, draft: &Draft<'_>) -> Result<Option<Time>, Reject> {
    Ok(time(fields, name, draft)?.filter(|time| !times::is_never(time)).map(times::through))
}

/// The time of what has been so for as long as anything is known.
pub fn always() -> Time {
    Moment::MIN.to_time(Precision::Always)
}

/// A whole number, also as text.
pub fn number(fields: &Fields<'_, '_>, name: &'static str) -> Result<Option<u32>, Reject> {
    let number = fields.value(name).map(|value| value.as_u64().and_then(|number| u32::try_from(number).ok()));
    match number {
        None => Ok(None),
        Some(Some(number)) => Ok(Some(number)),
        Some(None) => Err(fields.invalid(name, "a whole number")),
    }
}

/// True or false, also as text; false where the cell is empty.
pub fn flag(fields: &Fields<'_, '_>, name: &'static str) -> Result<bool, Reject> {
    match fields.value(name) {
        Some(Json::Str(text)) if text.eq_ignore_ascii_case("true") => Ok(true),
        Some(Json::Str(text)) if text.eq_ignore_ascii_case("false") => Ok(false),
        Some(Json::Str(_)) => Err(fields.invalid(name, "true or false")),
        _ => fields.flag(name),
    }
}

/// A span of time such as 90d, 12h, 30m or 45s, in seconds.
pub fn interval(fields: &Fields<'_, '_>, name: &'static str) -> Result<u64, Reject> {
    let Some(text) = fields.text(name)? else { return Ok(0) };
    let read = || {
        let (number, unit) = text.trim().split_at_checked(text.trim().len().checked_sub(1)?)?;
        let seconds = match unit {
            "s" => 1,
            "m" => 60,
            "h" => 3_600,
            "d" => 86_400,
            _ => return None,
        };
        number.parse::<u32>().ok().filter(|number| *number > 0).map(|number| u64::from(number) * seconds)
    };
    read().ok_or_else(|| fields.invalid(name, "a span of time such as 90d, 12h, 30m or 45s"))
}

/// Names of systems: an array, or one text with ';' between them; in ascending order, each once.
pub fn systems(fields: &Fields<'_, '_>, name: &'static str) -> Result<Vec<String>, Reject> {
    codes(fields, name, |text| check_name(text).is_ok(), "names of systems, such as okta")
}

/// Codes of operations, likewise.
pub fn operations(fields: &Fields<'_, '_>, name: &'static str) -> Result<Vec<String>, Reject> {
    codes(fields, name, is_code, "codes of operations, such as okta.users.manage")
}

fn codes(
    fields: &Fields<'_, '_>,
    name: &'static str,
    is_valid: fn(&str) -> bool,
    expected: &str,
) -> Result<Vec<String>, Reject> {
    let invalid =
        || fields.invalid(name, &format!("at most {CODES_MAX} {expected}, in an array or with ';' between them"));
    let mut codes: Vec<String> = match fields.value(name) {
        None => Vec::new(),
        Some(Json::Str(text)) => text.split(';').map(|code| code.trim().to_owned()).collect(),
        Some(Json::Array(items)) => {
            items.iter().map(|item| item.as_str().map(str::to_owned).ok_or_else(invalid)).collect::<Result<_, _>>()?
        }
        Some(_) => return Err(invalid()),
    };
    if codes.len() > CODES_MAX || !codes.iter().all(|code| is_valid(code)) {
        return Err(invalid());
    }
    codes.sort_unstable();
    codes.dedup();
    Ok(codes)
}

/// The system and the tenant in two cells; a tenant that is not given is "default".
pub fn place<'e>(
    fields: &Fields<'e, '_>,
    (system, instance): (&'static str, &'static str),
) -> Result<Option<(&'e str, &'e str)>, Reject> {
    let place = fields.text(system)?.zip(Some(fields.text(instance)?.unwrap_or("default")));
    let is_name = |name: &str| check_name(name).is_ok() && name.len() <= NAME_BYTES_MAX;
    match place {
        Some((one, other)) if !is_name(one) || !is_name(other) => {
            Err(fields.invalid(system, "a system and an instance of 1 to 64 of a-z, A-Z, 0-9, '.', '_', '-'"))
        }
        place => Ok(place),
    }
}

/// Who or what a row is about, by its native id or by what it is called.
#[derive(Clone, Copy)]
pub struct Named<'e> {
    pub id: Option<&'e str>,
    pub logins: &'e [(&'static str, &'e str)],
    pub values: &'e [(&'static str, &'e str)],
    pub kind: EntityKind,
    pub identity_type: IdentityType,
}

/// The logins in two cells.
pub fn logins<'e>(fields: &Fields<'e, '_>) -> Result<Vec<(&'static str, &'e str)>, Reject> {
    let cells = [("login", fields.text("login")?), ("email", fields.text("email")?)];
    Ok(cells.into_iter().filter_map(|(name, value)| Some((name, value?))).collect())
}

/// A reference to an account, a credential or an integration of a system; none if the row names none. Ids of accounts
/// have their types before them where the system's have ("user/jane"), and those of credentials always ("api_token/00T1").
pub fn reference(named: Named<'_>, home: (&str, &str), draft: &mut Draft<'_>) -> Option<Ref> {
    let Named { id, logins, values, kind, identity_type } = named;
    if let (EntityKind::Credential, Some((of, native))) = (kind, id.and_then(|id| id.split_once('/'))) {
        let (system, instance) = draft.home(Some(home));
        let id = draft.typed(of, native);
        let reference =
            Ref { kind: kind.into(), system, instance, id, identity_type: identity_type.into(), ..Ref::default() };
        values.iter().for_each(|(name, value)| draft.text(&reference, name, value));
        return Some(reference);
    }
    let typed = id.and_then(|id| id.split_once('/')).and_then(|(of, native)| {
        let of = ACCOUNT_TYPES.into_iter().find(|known| *known == of)?;
        Some((of, native))
    });
    let (within, id) = typed.map_or(("", id), |(of, native)| (of, Some(native)));
    draft.principal(Principal { kind, within, id, logins, values, identity_type, home: Some(home) })
}

/// What kind of entity an id is of: a credential's says so itself.
pub fn kind_of(id: Option<&str>, identity_type: IdentityType) -> EntityKind {
    let is_credential = |id: &str| id.split_once('/').is_some_and(|(of, _)| CREDENTIAL_TYPES.contains(&of));
    match identity_type {
        _ if id.is_some_and(is_credential) => EntityKind::Credential,
        IdentityType::Integration => EntityKind::Integration,
        _ => EntityKind::Account,
    }
}
