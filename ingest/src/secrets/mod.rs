//! Secrets in payloads: found, and replaced before anything is kept.
//!
//! Owns what counts as a secret (the value of a key that says so, or text in a form that only secrets have) and the
//! fingerprint that stands in its place: `redacted:hmac-sha256:` and 32 hexadecimal digits, keyed, so that the same secret
//! is recognised wherever it turns up and nobody else can test a guess. It never keeps, logs or returns a secret.

mod keys;
mod names;

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

/// Replaces the secrets of bytes that nobody has parsed, or can.
pub fn redact_bytes<'b>(bytes: &'b [u8], key: &DigestKey) -> Cow<'b, [u8]> {
    // Without a parser a letter may stand there by its number, and the end of a line as two. The bytes stay as they are
    // unless that hides a secret.
    let scanned = scan_encoded(bytes, key);
    if let Some(spelt) = spelt_out(&scanned)
        && let Cow::Owned(redacted) = scan(&spelt, key)
    {
        return Cow::Owned(redacted);
    }
    scanned
}

/// The bytes with visible ASCII characters in place of their JSON escapes, and a blank in place of white space, if there
/// are any; quotes and backslashes stay.
fn spelt_out(bytes: &[u8]) -> Option<Vec<u8>> {
    static ESCAPED: LazyLock<Regex> = LazyLock::new(|| compile(r"\\+(?:u00([2-7][0-9A-Fa-f])|[nrtbf])"));
    let spelt = ESCAPED.replace_all(bytes, |found: &Captures<'_>| {
        let Some(digits) = found.get(1) else { return b" ".to_vec() };
        let number = std::str::from_utf8(digits.as_bytes()).ok().and_then(|digits| u8::from_str_radix(digits, 16).ok());
        match number {
            Some(byte) if byte.is_ascii_graphic() && !matches!(byte, b'"' | b'\'' | b'\\') => vec![byte],
            _ => found[0].to_vec(),
        }
    });
    (*spelt != *bytes).then(|| spelt.into_owned())
}

/// Scans, also behind a percent-encoding of JSON, as AWS writes its policies: what hides a secret is kept without it.
fn scan_encoded<'b>(bytes: &'b [u8], key: &DigestKey) -> Cow<'b, [u8]> {
    static ENCODED: LazyLock<Regex> = LazyLock::new(|| compile("%([2-7][0-9A-Fa-f])"));
    let scanned = scan(bytes, key);
    if !scanned.windows(ENCODED_QUOTE.len()).any(|three| three == ENCODED_QUOTE) {
        return scanned;
    }
    let plain = ENCODED.replace_all(&scanned, |found: &Captures<'_>| {
        let number = std::str::from_utf8(&found[1]).ok().and_then(|digits| u8::from_str_radix(digits, 16).ok());
        number.map_or_else(|| found[0].to_vec(), |byte| vec![byte])
    });
    match scan(&plain, key) {
        Cow::Owned(redacted) => Cow::Owned(redacted),
        Cow::Borrowed(_) => scanned,
    }
}

/// Whether anything was replaced in bytes, as far as they show it.
pub fn has_fingerprint(bytes: &[u8]) -> bool {
    bytes.windows(FINGERPRINT_PREFIX.len()).any(|window| window == FINGERPRINT_PREFIX.as_bytes())
}

/// Whether the text of a payload has anything that a secret has: where it has not, there is nothing to replace.
pub fn may_hold_secrets(raw: &str) -> bool {
    may_hold(raw.as_bytes())
}

fn may_hold(text: &[u8]) -> bool {
    keys::any(text) || PREFILTER.is_match(text)
}

/// What the keys above a value say about it.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Place {
    Open,
    /// Links, which Okta names after what they do: "resetPassword": {"href": …}.
    Links,
    /// A question for the recovery of an account: its answer is a secret.
    Question,
    /// What a cluster of Kubernetes keeps as a secret, as its audit log has it: all but its head is one.
    Kept,
    /// The head of such a thing, which may repeat the rest in an annotation.
    KeptHead,
    Secret,
}

fn redact<'a>(json: &Json<'a>, place: Place, key: &DigestKey) -> Option<Json<'a>> {
    let place = if place == Place::Kept && !json.is_container() { Place::Secret } else { place };
    match json {
        Json::Str(text) if place == Place::Secret => {
            let blank = json.is_absent() || is_fingerprint(text.trim().as_bytes());
            (!blank).then(|| Json::Str(fingerprint(text.as_bytes(), key).into()))
        }
        Json::Str(text) => scanned_text(text, key).map(|text| Json::Str(text.into())),
        Json::U64(_) | Json::I64(_) | Json::F64(_) if place == Place::Secret => {
            Some(Json::Str(fingerprint(json.to_text().as_bytes(), key).into()))
        }
        Json::Array(items) => {
            let changed = replaced(items.iter().map(|item| redact(item, place, key)))?;
            let items = items.iter().zip(changed);
            Some(Json::Array(items.map(|(item, new)| new.unwrap_or_else(|| item.clone())).collect()))
        }
        Json::Object(members) => {
            let is_of_kept = place == Place::Open && is_about_kept(json);
            let changed = replaced(members.iter().map(|(name, value)| {
                let is_kept = is_of_kept && names::is_kept(&names::plain(name));
                let inner = if is_kept { Place::Kept } else { place_of(name, value, place) };
                let name = scanned_text(name, key);
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

/// Whether an object is an event about what a cluster of Kubernetes keeps as a secret.
fn is_about_kept(json: &Json<'_>) -> bool {
    json.get("objectRef").and_then(|about| about.text("resource")) == Some("secrets")
}

fn place_of(name: &str, value: &Json<'_>, outer: Place) -> Place {
    let plain = names::plain(name);
    match outer {
        Place::Secret => Place::Secret,
        Place::Kept => match name {
            "apiVersion" | "kind" | "type" => Place::Open,
            "items" => Place::Kept,
            "metadata" => Place::KeptHead,
            _ => Place::Secret,
        },
        Place::KeptHead if name == "annotations" => Place::KeptHead,
        Place::KeptHead if name == "kubectl.kubernetes.io/last-applied-configuration" => Place::Secret,
        Place::Links if value.get("href").is_some() => Place::Open,
        Place::Question if names::is_answer(&plain) => Place::Secret,
        _ if name == "_links" => Place::Links,
        _ if names::is_secret(&plain) => Place::Secret,
        _ if names::is_question(&plain) => Place::Question,
        _ => Place::Open,
    }
}

/// The text without its secrets; none where it has none.
fn scanned_text(text: &str, key: &DigestKey) -> Option<String> {
    if !may_hold(text.as_bytes()) {
        return None;
    }
    // It may be JSON itself, which nobody has parsed.
    match redact_bytes(text.as_bytes(), key) {
        Cow::Borrowed(_) => None,
        Cow::Owned(bytes) => Some(into_text(bytes)),
    }
}

/// Names of a URL's parameters whose values are secrets.
const PARAMETERS: &str = r"(?:[a-z]+[-_])?(?:key|token|sig|signature)|[a-z]*token|code";

/// What an event about a secret that a cluster of Kubernetes keeps has, wherever its text stands.
const ABOUT_KEPT: &str = r#"resource[\\"'\s]*:[\\"'\s]*secrets"#;

/// The quote of JSON in its percent-encoding.
const ENCODED_QUOTE: &[u8] = b"%22";

/// Finds every form that [`scan`] finds, and more, in one pass; also escapes that could hide one in the text of JSON.
/// It asks for no boundary of a word: in JSON the end of a line is a letter behind a backslash.
static PREFILTER: LazyLock<Regex> = LazyLock::new(|| {
    let alternatives = [
        &format!("[?&;](?i:{PARAMETERS})="),
        r"A[KS]IA[0-9A-Z]{16}",
        r"gh[oprsu]_[A-Za-z0-9]|github_pat_|gl[a-z]{2,5}-[A-Za-z0-9_-]{16}",
        r"xox[a-z]-|xapp-|hooks\.slack\.com/services/",
        r"(?i:ssws|bearer|basic)[\s\\]",
        r"eyJ[A-Za-z0-9_-]{8}",
        r"PRIVATE KEY",
        r"AIza[0-9A-Za-z_-]|GOCSPX-|ya29\.",
        r"[sr]k_(?:live|test)_|whsec_|sk-[A-Za-z0-9_-]{20}",
        r"hv[sbr]\.|s\.[A-Za-z0-9]{24}|npm_[A-Za-z0-9]{20}|pypi-[A-Za-z0-9_-]{16}",
        r"counterfoil_[0-9a-f]{16}_",
        r#":\\*/\\*/[^\s/?#:@"']*:[^\s/?#@"']+@"#,
        r"(?i:aws)[A-Za-z_ -]*(?i:secret)",
        ABOUT_KEPT,
        r"\\u00|\\/",
        "%22",
    ];
    compile(&alternatives.join("|"))
});

/// A form that secrets have. The group `s` is what to replace; without it the whole match is.
struct Form {
    pattern: Regex,
    /// Words have this form too, so it only counts where the text looks made up by a machine.
    only_random: bool,
}

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
        r"\bcounterfoil_[0-9a-f]{16}_(?<s>[A-Za-z0-9_-]{43})",
        r"(?i)\bssws\s+(?<s>[A-Za-z0-9_-]{20,})",
        r#"[A-Za-z][A-Za-z0-9+.-]*:\\*/\\*/[^\s/?#:@"']*:(?<s>[^\s/?#@"']+)@"#,
        &format!(r#"[?&;](?i:{PARAMETERS})=(?<s>[^&\s"'#<>\\]+)"#),
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

/// Replaces what a key says is a secret, and whatever has the form of one.
fn scan<'b>(bytes: &'b [u8], key: &DigestKey) -> Cow<'b, [u8]> {
    static KEPT: LazyLock<Regex> = LazyLock::new(|| compile(ABOUT_KEPT));
    let mut scanned = keys::redact(bytes, KEPT.is_match(bytes), key);
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

fn replacement(found: &Captures<'_>, form: &Form, key: &DigestKey) -> Vec<u8> {
    let whole = &found[0];
    let (before, secret, after) = match (found.get(0), found.name("s")) {
        (Some(all), Some(part)) => {
            let (start, end) = (part.start() - all.start(), part.end() - all.start());
            (&whole[..start], &whole[start..end], &whole[end..])
        }
        _ => (&whole[..0], whole, &whole[..0]),
    };
    if is_fingerprint(secret) || (form.only_random && !looks_random(secret)) {
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

/// Whether text is a fingerprint and nothing else.
fn is_fingerprint(text: &[u8]) -> bool {
    text.strip_prefix(FINGERPRINT_PREFIX.as_bytes())
        .is_some_and(|digits| digits.len() == 32 && digits.iter().all(u8::is_ascii_hexdigit))
}

fn into_text(bytes: Vec<u8>) -> String {
    // Every form begins and ends at ASCII, so that what was text stays text.
    String::from_utf8(bytes).unwrap_or_else(|error| String::from_utf8_lossy(error.as_bytes()).into_owned())
}
