//! Names of keys whose values are secrets.
//!
//! Owns the one list of them. A name is compared without its case and without whatever separates its words, so that
//! "X-Api-Key", "apiKey" and "api__key" are the same name; text that need not be JSON is read by the same list. It never
//! looks at a value.

use std::sync::LazyLock;

/// Endings of such names. Ids of tokens, digests of tokens, and times of passwords end otherwise.
const ENDINGS: [&str; 71] = [
    "password",
    "passwords",
    "passwordhash",
    "passwd",
    "passphrase",
    "passcode",
    "pwd",
    "pswd",
    "otp",
    "pincode",
    "onetimecode",
    "verificationcode",
    "authorizationcode",
    "authcode",
    "authenticationcode",
    "tokencode",
    "devicecode",
    "mfacode",
    "backupcode",
    "backupcodes",
    "recoverycode",
    "recoverycodes",
    "unlockcode",
    "codeverifier",
    "secret",
    "clientsecrets",
    "secretkeybase",
    "privatekey",
    "privatekeys",
    "privkey",
    "apikey",
    "apikeys",
    "secretkey",
    "secretaccesskey",
    "sharedaccesskey",
    "storagekey",
    "accountkey",
    "sharedkey",
    "signingkey",
    "encryptionkey",
    "decryptionkey",
    "masterkey",
    "recoverykey",
    "activationkey",
    "psk",
    "jwt",
    "token",
    "accesstokens",
    "refreshtokens",
    "sessiontokens",
    "activationurl",
    "activationlink",
    "resetpasswordurl",
    "resetpasswordlink",
    "recoveryanswer",
    "securityanswer",
    "authorization",
    "assertion",
    "samlresponse",
    "cookie",
    "cookies",
    "connectionstring",
    "pkcs12",
    "keystore",
    "keytab",
    "kubeconfig",
    "dockerconfigjson",
    "seedphrase",
    "stringseed",
    "qrcodepng",
    "mnemonic",
];

/// Such names that only count whole: longer ones with this ending are words of another meaning.
const WHOLE: [&str; 13] =
    ["pin", "newpin", "oldpin", "userpin", "cardpin", "pinnumber", "puk", "pw", "pass", "bearer", "pfx", "p12", "jks"];

/// Endings that are in the list by their last word, and name no secret: digests, and places in a listing.
const HARMLESS: [&str; 6] = ["hashedtoken", "pagetoken", "nexttoken", "continuationtoken", "synctoken", "skiptoken"];

/// What may stand behind a name without changing what it is; digits too: "passwordConfirmation", "secretText", "apiKey2".
const TRAILERS: [&str; 10] =
    ["value", "text", "string", "binary", "plaintext", "confirmation", "confirm", "base64", "b64", "pem"];

/// The names under which questions stand whose answers are secrets.
const QUESTIONS: [&str; 2] = ["recoveryquestion", "securityquestion"];

/// The name of the answer that stands beside such a question.
const ANSWER: &str = "answer";

/// The names under which Kubernetes' audit log has the object that a request was about: secrets are such objects too.
const KEPT: [&str; 2] = ["requestobject", "responseobject"];

/// A name without its case and its separators: "X-Api-Key" is "xapikey".
pub fn plain(name: &str) -> Vec<u8> {
    name.bytes().filter(u8::is_ascii_alphanumeric).map(|byte| byte.to_ascii_lowercase()).collect()
}

/// Whether the value under this plain name is a secret.
pub fn is_secret(plain: &[u8]) -> bool {
    may_end_known(plain) && (is_listed(plain) || is_listed(without_trailer(plain)))
}

/// Whether a name as it is written may be one of those known here: most are decided by their last letters.
pub fn may_be_known(written: &[u8]) -> bool {
    let before_digits = without_digits(written);
    let near = &before_digits[before_digits.len().saturating_sub(2 * ESCAPE_BYTES)..];
    near.iter().any(|byte| matches!(byte, b'\\' | b'%')) || may_end_known(written)
}

/// The longest escape that may stand for a letter of a name: "\u0064".
const ESCAPE_BYTES: usize = 6;

/// Whether no name known here, written without escapes, ends like this text: by its last four letters.
#[inline]
pub fn are_ruled_out_by(text: &[u8]) -> bool {
    let [.., before, last] = text else { return false };
    if !before.is_ascii_alphabetic() || !last.is_ascii_alphabetic() {
        return false;
    }
    let ends_like = |(name, _): &(&str, Counts)| {
        let letters = &name.as_bytes()[name.len().saturating_sub(4)..];
        let end = &text[text.len().saturating_sub(letters.len())..];
        end.eq_ignore_ascii_case(letters) || !end.iter().all(u8::is_ascii_alphabetic)
    };
    !by_tail(*before, *last).iter().any(ends_like)
}

/// Whether a name with this end may be known: by its last two letters, and by those before its digits. A separator among
/// them decides nothing.
fn may_end_known(end: &[u8]) -> bool {
    let last_two = |name: &[u8]| match name {
        [.., before, last] if before.is_ascii_alphanumeric() && last.is_ascii_alphanumeric() => {
            !by_tail(*before, *last).is_empty()
        }
        _ => true,
    };
    let before_digits = without_digits(end);
    last_two(before_digits) || before_digits.len() < end.len() && last_two(end)
}

fn without_digits(name: &[u8]) -> &[u8] {
    let digits = name.iter().rev().take_while(|byte| byte.is_ascii_digit()).count();
    &name[..name.len() - digits]
}

/// Whether a question stands under this plain name, so that an answer beside it is a secret.
pub fn is_question(plain: &[u8]) -> bool {
    QUESTIONS.iter().any(|name| plain == name.as_bytes())
}

/// Whether it is the plain name of the answer to a question.
pub fn is_answer(plain: &[u8]) -> bool {
    plain == ANSWER.as_bytes()
}

/// Whether an object stands under this plain name that is a secret, where the log says that the request was about one.
pub fn is_kept(plain: &[u8]) -> bool {
    KEPT.iter().any(|name| plain == name.as_bytes())
}

fn is_listed(plain: &[u8]) -> bool {
    let [.., before, last] = plain else { return false };
    let fits = |(name, counts): &(&str, Counts)| match counts {
        Counts::AsEnding => plain.ends_with(name.as_bytes()),
        Counts::Whole => plain == name.as_bytes(),
        Counts::Never => false,
    };
    let listed = by_tail(*before, *last).iter().any(fits);
    listed && !HARMLESS.iter().any(|ending| plain.ends_with(ending.as_bytes()))
}

fn without_trailer(plain: &[u8]) -> &[u8] {
    let trimmed = TRAILERS.iter().find_map(|trailer| plain.strip_suffix(trailer.as_bytes())).unwrap_or(plain);
    without_digits(trimmed)
}

/// The names known here whose last two letters these are.
#[inline]
fn by_tail(before: u8, last: u8) -> &'static [(&'static str, Counts)] {
    &TAILS[tail(before, last)]
}

/// How a name in the lists counts.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Counts {
    AsEnding,
    Whole,
    /// Not by itself.
    Never,
}

static TAILS: LazyLock<Vec<Vec<(&'static str, Counts)>>> = LazyLock::new(|| {
    let mut tails = vec![Vec::new(); 36 * 36];
    let endings = ENDINGS.map(|name| (name, Counts::AsEnding));
    let whole = WHOLE.map(|name| (name, Counts::Whole));
    let others = TRAILERS.iter().chain(&QUESTIONS).chain(&[ANSWER]).chain(&KEPT).map(|name| (*name, Counts::Never));
    for (name, counts) in endings.into_iter().chain(whole).chain(others) {
        if let [.., before, last] = name.as_bytes() {
            tails[tail(*before, *last)].push((name, counts));
        }
    }
    tails
});

#[inline]
fn tail(before: u8, last: u8) -> usize {
    let index = |byte: u8| usize::from(if byte.is_ascii_digit() { byte - b'0' } else { (byte | 0x20) - b'a' + 10 });
    index(before) * 36 + index(last)
}
