//! Trap 21, as a property: whatever the spelling of a key that says secret, whatever stands under it, however deep and
//! wherever the document is cut off, the planted value does not survive.

#![allow(clippy::unwrap_used)] // A test stops where it fails.

#[path = "fixtures/support.rs"]
mod support;

use counterfoil_ingest::json::{Json, parse};
use counterfoil_ingest::secrets::{may_hold_secrets, redact_bytes, redact_json};
use proptest::prelude::*;
use support::digest_key;

/// Names under which secrets stand, in small letters and without separators.
const SECRET_NAMES: [&str; 59] = [
    "password",
    "newpassword",
    "passwordconfirmation",
    "password2",
    "passwordhash",
    "passwd",
    "passphrase",
    "passcode",
    "pwd",
    "pass",
    "secret",
    "clientsecret",
    "secrettext",
    "secretvalue",
    "privatekey",
    "privatekeypem",
    "apikey",
    "xapikey",
    "xapikeyvalue",
    "secretaccesskey",
    "signingkey",
    "encryptionkey",
    "masterkey",
    "sharedaccesskey",
    "accountkey",
    "recoverykey",
    "token",
    "accesstoken",
    "refreshtoken",
    "idtoken",
    "sessiontoken",
    "invitetoken",
    "bottoken",
    "jwt",
    "bearer",
    "otp",
    "totp",
    "smsotp",
    "pin",
    "pincode",
    "verificationcode",
    "authorizationcode",
    "backupcodes",
    "codeverifier",
    "clientassertion",
    "assertion",
    "samlresponse",
    "authorization",
    "proxyauthorization",
    "cookie",
    "setcookie",
    "connectionstring",
    "pkcs12",
    "keystore",
    "keytab",
    "kubeconfig",
    "recoveryanswer",
    "activationurl",
    "seedphrase",
];

/// Names that look like it and hold ids, digests, counts, and names of things.
const OTHER_NAMES: [&str; 32] = [
    "id",
    "tokenid",
    "requestapitokenid",
    "accesskeyid",
    "externalsessionid",
    "hashedtoken",
    "tokentype",
    "tokenendpointauthmethod",
    "nextpagetoken",
    "passwordchanged",
    "passwordchangedat",
    "passwordexpired",
    "secretname",
    "secretarn",
    "cookiesaccepted",
    "keyboard",
    "key",
    "publickey",
    "author",
    "authorizationserver",
    "answer",
    "spin",
    "shipping",
    "opinion",
    "compass",
    "bypass",
    "otpenabled",
    "pinned",
    "signature",
    "certificate",
    "fingerprint",
    "assertiontype",
];

const SEPARATORS: [&str; 12] = ["_", "-", ".", " ", "__", "/", "·", "\u{a0}", "\\n", "\\u002d", "\\\"", "\\\\"];

/// A key as JSON spells it: each letter in any case or by its number, with anything between them. A leading or trailing
/// separator counts too.
fn spelling(name: String) -> impl Strategy<Value = String> {
    let letter = (any::<bool>(), 0..8_u8, proptest::option::weighted(0.2, proptest::sample::select(&SEPARATORS[..])));
    proptest::collection::vec(letter, name.len() + 1).prop_map(move |choices| {
        let mut key = String::new();
        let letters = name.chars().map(Some).chain([None]);
        for (letter, (upper, number, separator)) in letters.zip(choices) {
            key.push_str(separator.unwrap_or_default());
            let Some(letter) = letter else { continue };
            let letter = if upper { letter.to_ascii_uppercase() } else { letter };
            match number {
                0 => key.push_str(&format!("\\u{:04x}", u32::from(letter))),
                _ => key.push(letter),
            }
        }
        key
    })
}

/// What is planted, and the JSON value that it stands in.
fn value() -> impl Strategy<Value = (String, String)> {
    let text = "[qvxz]{6}[0-9]{6}";
    (text, 0..9_u8, any::<u32>()).prop_map(|(planted, form, number)| match form {
        0 => (planted.clone(), format!("\"{planted}\"")),
        1 => (planted.clone(), format!("\"say \\\"{planted}\\\" \\\\\"")),
        2 => (planted.clone(), format!("[1, \"{planted}\"]")),
        3 => (planted.clone(), format!("{{\"a\": {{\"b\": [\"}}]{planted}\"]}}}}")),
        4 => (planted.clone(), format!("{{\"href\": \"{planted}\"}}")),
        5 => (format!("{}", 700_000_000_u64 + u64::from(number)), format!("{}", 700_000_000_u64 + u64::from(number))),
        6 => (format!("7{number:09}"), format!("-7{number:09}.5e3")),
        7 => (planted.clone(), format!("{{\"a\": \"\\\"}}\", \"b\": \"{planted}\"}}")),
        _ => (planted.clone(), format!("\"\\n{planted}")),
    })
}

/// A document with a member at some depth of objects, arrays, and JSON within strings.
fn nested(member: &str, places: &[u8]) -> String {
    let mut json = format!("{{\"id\": 7, {member}, \"next\": \"x\"}}");
    for place in places {
        json = match place {
            0 => format!("{{\"deep\": {json}, \"note\": \"it's: a = b\"}}"),
            1 => format!("[null, {json}]"),
            _ => format!("{{\"body\": {}}}", Json::Str(json.into()).to_text()),
        };
    }
    json
}

fn survives(bytes: &[u8], planted: &str) -> bool {
    // Half of a secret is too much as well.
    bytes.windows(6).any(|part| part == &planted.as_bytes()[..6])
}

/// The document is read or not, whole or cut off: the value is gone.
fn check_gone(document: &str, planted: &str, cut: prop::sample::Index) -> Result<(), TestCaseError> {
    if let Ok(json) = parse(document.as_bytes()) {
        prop_assert!(may_hold_secrets(document), "the fast test misses {document}");
        let clean = redact_json(&json, &digest_key()).map(|clean| clean.to_text());
        prop_assert!(clean.is_some_and(|clean| !survives(clean.as_bytes(), planted)), "{document}");
    }
    let cut = &document.as_bytes()[..cut.index(document.len() + 1)];
    for bytes in [document.as_bytes(), cut] {
        let clean = redact_bytes(bytes, &digest_key());
        prop_assert!(!survives(&clean, planted), "{}", String::from_utf8_lossy(&clean));
        let again = redact_bytes(&clean, &digest_key());
        prop_assert!(again == clean, "twice is once");
    }
    Ok(())
}

fn secret_key() -> impl Strategy<Value = String> {
    proptest::sample::select(&SECRET_NAMES[..]).prop_flat_map(|name| spelling(name.to_owned()))
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 4_000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn no_value_under_the_name_of_a_secret_survives(
        key in secret_key(),
        (planted, value) in value(),
        places in proptest::collection::vec(0..3_u8, 0..4),
        cut in any::<prop::sample::Index>(),
    ) {
        check_gone(&nested(&format!("\"{key}\" : {value}"), &places), &planted, cut)?;
    }

    #[test]
    fn no_value_assigned_to_the_name_of_a_secret_survives(
        name in proptest::sample::select(&SECRET_NAMES[..]),
        separators in proptest::collection::vec(proptest::sample::select(&["", "", "", "_", "-", ".", "%2D"][..]), 30),
        planted in "[qvxz]{6}[0-9]{6}",
        form in 0..5_u8,
        places in proptest::collection::vec(0..3_u8, 0..3),
        cut in any::<prop::sample::Index>(),
    ) {
        let name: String = name.chars().zip(&separators).flat_map(|(letter, separator)| {
            [separator, letter.to_string().as_str()].concat().chars().collect::<Vec<_>>()
        }).collect();
        let text = match form {
            0 => format!("run {name}={planted} now"),
            1 => format!("a=1&{name}={planted}&b=2"),
            2 => format!("export {name} = \"{planted} {planted}\""),
            3 => format!("{{{name}: '{planted}'}}"),
            // Percent-encoding is for names without quotes.
            _ => format!("{{\"{}\"=>\"{planted}\"}}", name.replace("%2D", "-")),
        };
        let note = Json::Str(text.into()).to_text();
        check_gone(&nested(&format!("\"note\": {note}"), &places), &planted, cut)?;
    }

    #[test]
    fn what_only_looks_like_it_stays(
        (name, key) in proptest::sample::select(&OTHER_NAMES[..])
            .prop_flat_map(|name| (Just(name), spelling(name.to_owned()))),
        places in proptest::collection::vec(0..2_u8, 0..4),
        whole in any::<bool>(),
    ) {
        let mut document = nested(&format!("\"{key}\": \"a5b6c7d8\", \"n\": 1234567"), &places);
        if !whole {
            document.pop();
        }
        let clean = redact_bytes(document.as_bytes(), &digest_key());
        prop_assert!(*clean == *document.as_bytes(), "{name}: {}", String::from_utf8_lossy(&clean));
        if let Ok(json) = parse(document.as_bytes()) {
            prop_assert_eq!(redact_json(&json, &digest_key()), None);
        }
    }

    #[test]
    fn any_bytes_are_taken(bytes in proptest::collection::vec(proptest::sample::select(&b"\"\\':=[]{}, pinu0\n"[..]), 0..80)) {
        let clean = redact_bytes(&bytes, &digest_key()).into_owned();
        redact_bytes(&clean, &digest_key());
    }
}

/// Text of UTF-16 has a zero between its letters.
#[test]
fn utf_16_hides_no_key() {
    let wide = |text: &str| text.encode_utf16().flat_map(u16::to_le_bytes).collect::<Vec<u8>>();
    let clean = redact_bytes(&wide(r#"{"pass_word" : "hunter2zz", "pin": 4711}"#), &digest_key()).into_owned();
    for planted in ["hunter2zz", "4711"] {
        assert!(!clean.windows(2 * planted.len()).any(|part| part == wide(planted)), "{clean:?}");
    }
}

/// Many quotes and separators cost no more than their number.
#[test]
fn hostile_text_is_scanned_in_one_go() {
    for piece in ["\":", "\\\":", "=", " =", "\"\\\":'", "{\"pin\":", "[", "pin=", "\\\\\\\\"] {
        let text = piece.repeat((1 << 20) / piece.len());
        redact_bytes(text.as_bytes(), &digest_key());
        may_hold_secrets(&text);
    }
}
