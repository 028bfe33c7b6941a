//! Secrets in payloads: found, and replaced before anything is kept.
//!
//! Owns what counts as a secret (the value of a key that says so, or text in a form that only secrets have) and the
//! fingerprint that stands in its place: `redacted:hmac-sha256:` and 32 hexadecimal digits, keyed, so that the same secret
//! is recognised wherever it turns up and nobody else can test a guess. It never keeps, logs or returns a secret.

use std::borrow::Cow;
use std::sync::LazyLock;

use regex::bytes::{Captures, Regex};

use crate::json::{DigestKey, Json};

/// What every fingerprint begins with.
pub const FINGERPRINT_PREFIX: &str = "redacted:hmac-sha256:";

/// Replaces the secrets of a parsed payload; none where it has none.
pub fn redact_json<'a>(json: &Json<'a>, key: &DigestKey) -> Option<Json<'a>> {
    redact(json, Place::Open, key)
}

/// Replaces the secrets of bytes that do not parse.
pub fn redact_bytes<'b>(bytes: &'b [u8], key: &DigestKey) -> Cow<'b, [u8]> {
    if PREFILTER.is_match(bytes) { scan(bytes, key) } else { Cow::Borrowed(bytes) }
}

/// Whether the text of a payload has anything that a secret has: where it has not, there is nothing to replace.
pub fn may_hold_secrets(raw: &str) -> bool {
    PREFILTER.is_match(raw.as_bytes())
}

/// What the keys above a value say about it.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Place {
    Open,
    /// A question for the recovery of an account: its answer is a secret.
    Question,
    Secret,
}

fn redact<'a>(json: &Json<'a>, place: Place, key: &DigestKey) -> Option<Json<'a>> {
    match json {
        Json::Str(text) if place == Place::Secret => {
            let blank = json.is_absent() || text.starts_with(FINGERPRINT_PREFIX);
            (!blank).then(|| Json::Str(fingerprint(text.as_bytes(), key).into()))
        }
        Json::Str(text) => {
            if !PREFILTER.is_match(text.as_bytes()) {
                return None;
            }
            match scan(text.as_bytes(), key) {
                Cow::Borrowed(_) => None,
                Cow::Owned(bytes) => Some(Json::Str(into_text(bytes).into())),
            }
        }
        Json::U64(_) | Json::I64(_) | Json::F64(_) if place == Place::Secret => {
            Some(Json::Str(fingerprint(json.to_text().as_bytes(), key).into()))
        }
        Json::Array(items) => {
            let changed = replaced(items.iter().map(|item| redact(item, place, key)))?;
            let items = items.iter().zip(changed);
            Some(Json::Array(items.map(|(item, new)| new.unwrap_or_else(|| item.clone())).collect()))
        }
        Json::Object(members) => {
            let changed = replaced(members.iter().map(|(name, value)| {
                let inner = place_of(name, value, place);
                let name = PREFILTER.is_match(name.as_bytes()).then(|| scan(name.as_bytes(), key));
                let name = match name {
                    Some(Cow::Owned(bytes)) => Some(into_text(bytes)),
                    _ => None,
                };
                let value = redact(value, inner, key);
                (name.is_some() || value.is_some()).then_some((name, value))
            }))?;
            let members = members.iter().zip(changed);
            Some(Json::Object(
                members
                    .map(|((name, value), new)| {
                        let (new_name, new_value) = new.unwrap_or_default();
                        (new_name.map_or_else(|| name.clone(), Cow::Owned), new_value.unwrap_or_else(|| value.clone()))
                    })
                    .collect(),
            ))
        }
        _ => None,
    }
}

/// The changes, unless there are none.
fn replaced<T>(changes: impl Iterator<Item = Option<T>>) -> Option<Vec<Option<T>>> {
    let changes: Vec<Option<T>> = changes.collect();
    changes.iter().any(Option::is_some).then_some(changes)
}

fn place_of(name: &str, value: &Json<'_>, outer: Place) -> Place {
    // Okta's links are named after what they do: "resetPassword": {"href": …}.
    let is_link = value.get("href").is_some();
    match outer {
        Place::Secret if !is_link => Place::Secret,
        Place::Question if name == "answer" => Place::Secret,
        _ => {
            let plain = plain_name(name);
            if is_link {
                Place::Open
            } else if is_secret_name(&plain) {
                Place::Secret
            } else if plain == "recoveryquestion" || plain == "securityquestion" {
                Place::Question
            } else {
                Place::Open
            }
        }
    }
}

/// A key without its case and its separators: "X-Api-Key" is "xapikey".
fn plain_name(name: &str) -> String {
    name.chars().filter(char::is_ascii_alphanumeric).map(|character| character.to_ascii_lowercase()).collect()
}

/// Endings of the names of keys whose values are secrets. Ids of tokens and digests of tokens end otherwise.
const SECRET_ENDINGS: [&str; 27] = [
    "password",
    "passwd",
    "passphrase",
    "passcode",
    "secret",
    "privatekey",
    "apikey",
    "secretkey",
    "secretaccesskey",
    "signingkey",
    "encryptionkey",
    "accesstoken",
    "refreshtoken",
    "idtoken",
    "sessiontoken",
    "securitytoken",
    "authtoken",
    "bearertoken",
    "apitoken",
    "statetoken",
    "recoverytoken",
    "activationtoken",
    "activationurl",
    "resetpasswordurl",
    "recoveryanswer",
    "authorization",
    "cookie",
];

fn is_secret_name(plain: &str) -> bool {
    matches!(plain, "token" | "pwd" | "jwt") || SECRET_ENDINGS.iter().any(|ending| plain.ends_with(ending))
}

/// The same endings in running text, where words may be separated.
const ENDINGS: &str = r"password|passwd|passphrase|passcode|secret|cookie|authorization|recovery[-_. ]?answer|(?:private|api|secret|secret[-_. ]?access|signing|encryption)[-_. ]?key|(?:access|refresh|id|session|security|auth|bearer|api|state|recovery|activation)[-_. ]?token|activation[-_. ]?url|reset[-_. ]?password[-_. ]?url";
/// The same whole names in running text.
const WHOLE: &str = "token|pwd|jwt";

/// Names of a URL's parameters whose values are secrets.
const PARAMETERS: &str = r"(?:[a-z]+[-_])?(?:key|token|sig|signature)|[a-z]*token|code";

/// Finds all that [`scan`] finds, and more, in one pass; also escapes that could hide a secret in the text of JSON.
static PREFILTER: LazyLock<Regex> = LazyLock::new(|| {
    let alternatives = [
        &format!(r#"(?i:{ENDINGS}|["'](?:{WHOLE})|answer)[-_. ]?\\*["']\s*:"#),
        &format!(r"(?i:{ENDINGS}|\b(?:{WHOLE}))="),
        &format!("[?&;](?i:{PARAMETERS})="),
        r"A[KS]IA[0-9A-Z]{16}",
        r"gh[oprsu]_[A-Za-z0-9]|github_pat_|gl[a-z]{2,5}-[A-Za-z0-9_-]{16}",
        r"xox[a-z]-|xapp-|hooks\.slack\.com/services/",
        r"(?i:ssws|bearer|basic)\s",
        r"eyJ[A-Za-z0-9_-]{8}",
        r"PRIVATE KEY",
        r"AIza[0-9A-Za-z_-]|GOCSPX-|ya29\.",
        r"[sr]k_(?:live|test)_|whsec_|\bsk-[A-Za-z0-9_-]{20}",
        r"\bhv[sbr]\.|\bs\.[A-Za-z0-9]{24}|npm_[A-Za-z0-9]{20}|pypi-[A-Za-z0-9_-]{16}",
        r#":\\*/\\*/[^\s/?#:@"']*:[^\s/?#@"']+@"#,
        r"(?i:aws)[A-Za-z_ -]*(?i:secret)",
        r"\\u00|\\/",
    ];
    compile(&alternatives.join("|"))
});

/// A form that secrets have. The group `s` is what to replace; without it the whole match is.
struct Form {
    pattern: Regex,
    /// Words have this form too, so it only counts where the text looks made up by a machine.
    only_random: bool,
}

static NESTED: LazyLock<Regex> =
    LazyLock::new(|| compile(&format!(r#"(?i:{ENDINGS}|["'](?:{WHOLE}))[-_. ]?\\*["']\s*:\s*(?<s>[\[{{])"#)));

static FORMS: LazyLock<Vec<Form>> = LazyLock::new(|| {
    let form = |only_random: bool| move |pattern: &str| Form { pattern: compile(pattern), only_random };
    let certain = [
        r"(?s)-----BEGIN [A-Z0-9 ]*PRIVATE KEY[A-Z ]*-----.*?(?:-----END [A-Z0-9 ]*PRIVATE KEY[A-Z ]*-----|\z)",
        r"\beyJ[A-Za-z0-9_-]{8,}\.[A-Za-z0-9_-]{8,}\.[A-Za-z0-9_-]*",
        r"\bA[KS]IA[0-9A-Z]{16}\b",
        r"\bgh[oprsu]_[A-Za-z0-9]{20,}|\bgithub_pat_[A-Za-z0-9_]{20,}",
        r"\bgl[a-z]{2,5}-[A-Za-z0-9_-]{16,}",
        r"\bxox[a-z]-[A-Za-z0-9-]{10,}|\bxapp-[A-Za-z0-9-]{10,}",
        r"hooks\.slack\.com/services/(?<s>[A-Za-z0-9/]{20,})",
        r"\bAIza[0-9A-Za-z_-]{30,}|\bGOCSPX-[A-Za-z0-9_-]{20,}|\bya29\.[A-Za-z0-9_-]{20,}",
        r"\b[sr]k_(?:live|test)_[0-9A-Za-z]{10,}|\bwhsec_[A-Za-z0-9+/=]{16,}",
        r"\bhv[sbr]\.[A-Za-z0-9_-]{20,}",
        r"\bnpm_[A-Za-z0-9]{30,}|\bpypi-[A-Za-z0-9_-]{16,}",
        r"(?i)\bssws\s+(?<s>[A-Za-z0-9_-]{20,})",
        r#"[A-Za-z][A-Za-z0-9+.-]*:\\*/\\*/[^\s/?#:@"']*:(?<s>[^\s/?#@"']+)@"#,
        &format!(r#"[?&;](?i:{PARAMETERS})=(?<s>[^&\s"'#<>\\]+)"#),
        &format!(r#"(?i:{ENDINGS}|\b(?:{WHOLE}))=(?<s>[^&\s"'#<>,;\\]+)"#),
        &format!(r#"(?i:{ENDINGS}|["'](?:{WHOLE}))[-_. ]?\\*["']\s*:\s*\\*["'](?<s>[^"'\\]+)"#),
        r#"(?s)(?i:recovery_?question).{0,400}?answer\\*["']\s*:\s*\\*["'](?<s>[^"'\\]+)"#,
        // Numbers under such a name.
        r#"(?i:password|passwd|passcode|pwd)\\*["']\s*:\s*(?<s>[0-9]+)"#,
        r#"(?i)aws[a-z_ -]*secret[a-z_ -]*key["']?\s*[:=]\s*["']?(?<s>[A-Za-z0-9/+]{40})"#,
    ];
    let likely = [
        r"(?i)\b(?:bearer|basic)\s+(?<s>[A-Za-z0-9._~+/-]{8,}=*)",
        r"\bsk-[A-Za-z0-9_-]{20,}",
        r"\bs\.[A-Za-z0-9]{24}\b",
    ];
    certain.into_iter().map(form(false)).chain(likely.into_iter().map(form(true))).collect()
});

fn compile(pattern: &str) -> Regex {
    regex::bytes::RegexBuilder::new(pattern)
        .unicode(false)
        .build()
        .expect("the patterns are constants, and a test compiles them")
}

/// Replaces whatever has the form of a secret.
fn scan<'b>(bytes: &'b [u8], key: &DigestKey) -> Cow<'b, [u8]> {
    let mut scanned = scan_nested(bytes, key);
    for form in FORMS.iter() {
        if !form.pattern.is_match(&scanned) {
            continue;
        }
        let replaced = form.pattern.replace_all(&scanned, |found: &Captures<'_>| replacement(found, form, key));
        if *replaced != *scanned {
            scanned = Cow::Owned(replaced.into_owned());
        }
    }
    scanned
}

/// Replaces an object or an array under the name of a secret, whole, up to where its bracket closes or the bytes end.
fn scan_nested<'b>(bytes: &'b [u8], key: &DigestKey) -> Cow<'b, [u8]> {
    let mut kept: Vec<u8> = Vec::new();
    let mut done = 0;
    while let Some(found) = NESTED.captures(&bytes[done..]).and_then(|found| found.name("s")) {
        let start = done + found.start();
        let end = start + bracket_length(&bytes[start..]);
        kept.extend_from_slice(&bytes[done..start]);
        kept.push(b'"');
        kept.extend_from_slice(fingerprint(&bytes[start..end], key).as_bytes());
        kept.push(b'"');
        done = end;
    }
    if done == 0 {
        return Cow::Borrowed(bytes);
    }
    kept.extend_from_slice(&bytes[done..]);
    Cow::Owned(kept)
}

/// How far it is from an opening bracket to the one that closes it, brackets in strings aside; or to the end.
fn bracket_length(bytes: &[u8]) -> usize {
    let (mut depth, mut in_string, mut escaped) = (0u32, false, false);
    for (position, byte) in bytes.iter().enumerate() {
        match byte {
            _ if escaped => escaped = false,
            b'\\' => escaped = in_string,
            b'"' => in_string = !in_string,
            b'{' | b'[' if !in_string => depth += 1,
            b'}' | b']' if !in_string => {
                depth -= 1;
                if depth == 0 {
                    return position + 1;
                }
            }
            _ => {}
        }
    }
    bytes.len()
}

fn replacement(found: &Captures<'_>, form: &Form, key: &DigestKey) -> Vec<u8> {
    let whole = &found[0];
    let (before, secret, after) = match (found.get(0), found.name("s")) {
        (Some(all), Some(part)) => {
            let (start, end) = (part.start() - all.start(), part.end() - all.start());
            (&whole[..start], &whole[start..end], &whole[end..])
        }
        _ => (&whole[..0], whole, &whole[..0]),
    };
    let known = secret.starts_with(FINGERPRINT_PREFIX.as_bytes());
    if known || (form.only_random && !looks_random(secret)) {
        return whole.to_vec();
    }
    [before, fingerprint(secret, key).as_bytes(), after].concat()
}

/// Whether text has digits, or capitals after small letters: words seldom do.
fn looks_random(text: &[u8]) -> bool {
    let capital_inside = |pair: &[u8]| pair[0].is_ascii_lowercase() && pair[1].is_ascii_uppercase();
    text.iter().any(u8::is_ascii_digit) || text.windows(2).any(capital_inside)
}

/// The fingerprint of a secret: the same with and without the name of its scheme before it.
fn fingerprint(secret: &[u8], key: &DigestKey) -> String {
    let secret = secret.trim_ascii();
    let bare = ["bearer ", "basic ", "ssws "].iter().find_map(|scheme| {
        let (head, rest) = secret.split_at_checked(scheme.len())?;
        head.eq_ignore_ascii_case(scheme.as_bytes()).then_some(rest)
    });
    let hex = key.hex("counterfoil/secret/v1", bare.unwrap_or(secret).trim_ascii());
    format!("{FINGERPRINT_PREFIX}{hex}")
}

fn into_text(bytes: Vec<u8>) -> String {
    // Every form begins and ends at ASCII, so that what was text stays text.
    String::from_utf8(bytes).unwrap_or_else(|error| String::from_utf8_lossy(error.as_bytes()).into_owned())
}
