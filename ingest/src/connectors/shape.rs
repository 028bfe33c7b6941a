//! Which texts of a source say nothing about a person, so that a record may hold them as they are.
//!
//! Owns the shapes of ids as machines make them, and the lists of words that are values of an enumeration. Whatever has
//! none of these shapes may be a name or a login, and goes into a record as a digest. It never decides what a text means.

/// Whether a text is an id or a code as machines make them: numbers, UUIDs, hexadecimal digits, ids with digits among
/// their letters, codes in upper case, and such behind a common prefix ("evt-17").
pub fn is_machine_made(text: &str) -> bool {
    let (before, uuid) = match text.len().checked_sub(UUID_BYTES).and_then(|at| text.split_at_checked(at)) {
        Some((before, uuid)) if is_uuid(uuid) => (before, true),
        _ => (text, false),
    };
    let words: Vec<&str> = words(before).collect();
    let is_numbered = uuid || words.iter().any(|word| word.bytes().any(|byte| byte.is_ascii_digit()));
    let fits = |word: &&str| is_made_up(word) || is_numbered && PREFIXES.contains(word);
    (uuid || !words.is_empty())
        && before.bytes().all(|byte| is_in_word(byte) || is_between(byte))
        && words.iter().all(fits)
}

/// Whether a text is a native id that is no person's: made by a machine, or the name of a machine's account.
pub fn is_impersonal(id: &str) -> bool {
    is_machine_made(id) || SERVICES.iter().any(|prefix| id.starts_with(prefix))
}

/// Whether a text is a scope as systems name them.
pub fn is_scope(text: &str) -> bool {
    is_machine_made(text) || SCOPES.contains(&text)
}

/// Whether a text is the name of an event's type, made of words that events are made of.
pub fn is_event_type(text: &str) -> bool {
    let known = |word: &str| PREFIXES.contains(&word) || EVENT_WORDS.contains(&word) || is_made_up(word);
    counterfoil_verify::entity::is_code(text) && words(text).all(known)
}

/// Whether a text is the code of an error as APIs have them, in words that begin with capitals: "AccessDenied".
pub fn is_error_code(text: &str) -> bool {
    text.len() <= ERROR_CODE_BYTES_MAX
        && text.starts_with(|first: char| first.is_ascii_uppercase())
        && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'.')
}

/// The name of an attribute of an account as a record may hold it: attributes that an organisation made up are "other".
pub fn attribute(name: &str) -> &'static str {
    ATTRIBUTES.iter().copied().find(|known| *known == name).unwrap_or("other")
}

/// How the accounts of services are named, by those who name them so that they can be told from people's.
const SERVICES: [&str; 5] = ["svc-", "svc_", "svc.", "service-account", "bot-"];

const UUID_BYTES: usize = 36;

/// The longest code of an error that stands in a record.
const ERROR_CODE_BYTES_MAX: usize = 100;

/// What stands before a number in an id, and is a word by itself.
const PREFIXES: [&str; 35] = [
    "access",
    "account",
    "api",
    "app",
    "approval",
    "change",
    "chg",
    "client",
    "deploy",
    "event",
    "evt",
    "fact",
    "grant",
    "group",
    "hook",
    "id",
    "inc",
    "integration",
    "job",
    "key",
    "okta",
    "onboarding",
    "policy",
    "req",
    "request",
    "role",
    "run",
    "session",
    "sr",
    "svc",
    "task",
    "ticket",
    "token",
    "tx",
    "user",
];

/// The words of kinds of facts, and of what producers call theirs.
const EVENT_WORDS: [&str; 45] = [
    "add",
    "added",
    "assigned",
    "assumed",
    "audit",
    "auth",
    "cancelled",
    "changed",
    "closed",
    "create",
    "created",
    "credential",
    "decision",
    "declared",
    "defined",
    "delete",
    "deleted",
    "denied",
    "disabled",
    "enabled",
    "entitlement",
    "expired",
    "granted",
    "identity",
    "lifecycle",
    "linked",
    "login",
    "modified",
    "nhi",
    "opened",
    "owner",
    "registered",
    "rejected",
    "remove",
    "removed",
    "requested",
    "retired",
    "review",
    "revoke",
    "revoked",
    "rotated",
    "snapshot",
    "test",
    "update",
    "updated",
];

/// Scopes that systems have, and people have not.
const SCOPES: [&str; 18] = [
    "admin",
    "all",
    "assigned_items",
    "default",
    "dev",
    "development",
    "entire_helpdesk",
    "global",
    "member_groups",
    "observer",
    "org",
    "prod",
    "production",
    "read",
    "specified_groups",
    "staging",
    "test",
    "write",
];

/// Attributes of accounts: those of Okta's base profile, and what others call the same.
const ATTRIBUTES: [&str; 41] = [
    "active",
    "city",
    "costCenter",
    "countryCode",
    "department",
    "displayName",
    "division",
    "email",
    "employeeNumber",
    "firstName",
    "honorificPrefix",
    "honorificSuffix",
    "lastName",
    "locale",
    "location",
    "login",
    "manager",
    "managerId",
    "middleName",
    "mobilePhone",
    "name",
    "nickName",
    "organization",
    "phone",
    "postalAddress",
    "preferredLanguage",
    "primaryPhone",
    "profileUrl",
    "role",
    "secondEmail",
    "state",
    "status",
    "streetAddress",
    "team",
    "timeZone",
    "timezone",
    "title",
    "type",
    "userName",
    "userType",
    "zipCode",
];

fn words(text: &str) -> impl Iterator<Item = &str> {
    text.split(|character: char| character.is_ascii() && is_between(character as u8)).filter(|word| !word.is_empty())
}

fn is_between(byte: u8) -> bool {
    matches!(byte, b'-' | b'_' | b'.' | b':' | b'/')
}

fn is_in_word(byte: u8) -> bool {
    byte.is_ascii_alphanumeric()
}

/// Whether nobody is called so: a letter or two with a number, a code in upper case, or digits before letters.
fn is_made_up(word: &str) -> bool {
    let letters = word.bytes().take_while(u8::is_ascii_alphabetic).count();
    let (start, rest) = word.split_at(letters);
    let digits = rest.bytes().take_while(u8::is_ascii_digit).count();
    let is_code = word.len() > 1 && word.bytes().all(|byte| byte.is_ascii_uppercase() || byte.is_ascii_digit());
    let has_digits_inside = digits > 0 && digits < rest.len();
    let is_numbered = digits > 0 && digits == rest.len() && (letters <= 2 || PREFIXES.contains(&start));
    word.len() == 1 || is_code || has_digits_inside || is_numbered
}

fn is_uuid(text: &str) -> bool {
    let fits = |(at, byte): (usize, u8)| match at {
        8 | 13 | 18 | 23 => byte == b'-',
        _ => byte.is_ascii_hexdigit(),
    };
    text.len() == UUID_BYTES && text.bytes().enumerate().all(fits)
}
