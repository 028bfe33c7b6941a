//! Entity ids in both forms, the characters that records may hold, and the tokens of identifiers.
#![allow(clippy::unwrap_used, reason = "helpers of tests fail as tests do")]

mod support;

use counterfoil_proto::v1::{EntityKind, Ref, Source};
use counterfoil_verify::entity::{EntityError, EntityId, check_name, is_code, is_opaque, kind_name};
use counterfoil_verify::identifier::{IdentifierKind, IndexKey, Token, canonical, is_email};
use proptest::prelude::*;
use support::{any_ref, hex, okta};

const KINDS_WITH_ID: [EntityKind; 7] = [
    EntityKind::Person,
    EntityKind::Account,
    EntityKind::Credential,
    EntityKind::Entitlement,
    EntityKind::Ticket,
    EntityKind::Integration,
    EntityKind::SnapshotScope,
];

fn any_entity() -> BoxedStrategy<EntityId> {
    let name = "[a-zA-Z0-9._-]{1,128}";
    prop_oneof![
        4 => (0..7usize, name, name, "[!-?A-~]{1,255}")
            .prop_map(|(kind, system, instance, id)| EntityId::new(KINDS_WITH_ID[kind], &system, &instance, &id).unwrap()),
        1 => any::<[u8; 16]>().prop_map(|token| EntityId::identifier(&Token::from_slice(&token).unwrap())),
        1 => (name, name, name).prop_map(|(system, instance, stream)| {
            EntityId::source(&Source { system, instance, stream })
        }),
        1 => (name, name).prop_map(|(system, instance)| {
            EntityId::unresolved(&Source { system, instance, stream: "s".into() })
        }),
    ]
    .boxed()
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 1_000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn both_forms_survive_the_round_trip(entity in any_entity()) {
        prop_assert_eq!(&entity.to_string().parse::<EntityId>().unwrap(), &entity);
        prop_assert_eq!(&EntityId::from_bytes(entity.as_bytes()).unwrap(), &entity);
        prop_assert!(entity.as_bytes().len() <= 1 + 3 * 256);
    }

    #[test]
    fn a_text_has_one_id_and_an_id_one_text(text in "(person|account|ticket|unresolved|source|identifier|\\PC{0,9}):\\PC{0,40}") {
        if let Ok(entity) = text.parse::<EntityId>() {
            prop_assert_eq!(entity.to_string(), text);
            prop_assert_eq!(EntityId::from_bytes(entity.as_bytes()).unwrap(), entity);
        }
    }

    #[test]
    fn bytes_that_are_read_are_an_id(bytes in prop_oneof![
        proptest::collection::vec(any::<u8>(), 0..40),
        // Well-formed parts with any content.
        (0..12u8, "\\PC{0,5}", "[a-c]{0,2}", "\\PC{0,20}").prop_map(|(kind, system, instance, id)| {
            let part = |text: String| [vec![text.len() as u8], text.into_bytes()].concat();
            [vec![kind], part(system), part(instance), part(id)].concat()
        }),
    ]) {
        if let Ok(entity) = EntityId::from_bytes(&bytes) {
            prop_assert_eq!(entity.as_bytes(), &bytes[..]);
            prop_assert_eq!(entity.to_string().parse::<EntityId>().unwrap(), entity);
        }
    }

    #[test]
    fn a_flipped_bit_is_another_entity_or_none(entity in any_entity(), place in any::<prop::sample::Index>(), bit in 0..8) {
        let mut bytes = entity.as_bytes().to_vec();
        bytes[place.index(entity.as_bytes().len())] ^= 1u8 << bit;
        if let Ok(other) = EntityId::from_bytes(&bytes) {
            prop_assert_ne!(other.to_string(), entity.to_string());
        }
    }

    #[test]
    fn a_reference_to_an_entity_names_it(reference in any_ref(&okta())) {
        if let Some(entity) = EntityId::of(&reference, &okta()) {
            let again = entity.to_ref(&okta());
            prop_assert_eq!(EntityId::of(&again, &okta()).unwrap(), entity);
            prop_assert_eq!((&again.system, &again.instance, &again.id), (&reference.system, &reference.instance, &reference.id));
        }
    }

    #[test]
    fn the_canonical_form_is_final(text in "\\PC{0,20}") {
        let once = canonical(&text);
        prop_assert_eq!(canonical(&once), once);
    }

    #[test]
    fn any_token_survives_the_round_trip(bytes in any::<[u8; 16]>()) {
        let token = Token::from_slice(&bytes).unwrap();
        prop_assert_eq!(Token::from_hex(&token.to_string()).unwrap(), token);
        prop_assert_eq!(token.to_string(), hex(&bytes));
    }
}

#[test]
fn the_text_and_the_bytes_of_an_id() {
    let entity = EntityId::new(EntityKind::Entitlement, "okta", "acme", "group_member/00g1:x").unwrap();
    assert_eq!(entity.to_string(), "entitlement:okta:acme:group_member/00g1:x");
    assert_eq!(hex(entity.as_bytes()), "04046f6b74610461636d651367726f75705f6d656d6265722f303067313a78");
    assert_eq!(
        (entity.kind(), entity.system(), entity.instance(), entity.native_id(), entity.token()),
        (EntityKind::Entitlement, "okta", "acme", "group_member/00g1:x", None)
    );
    let token = Token::from_slice(&[0xab; 16]).unwrap();
    let identifier = EntityId::identifier(&token);
    assert_eq!(identifier.to_string(), format!("identifier:{}", "ab".repeat(16)));
    assert_eq!(hex(identifier.as_bytes()), format!("08000010{}", "ab".repeat(16)));
    assert_eq!((identifier.token(), identifier.native_id(), identifier.system()), (Some(token), "", ""));
    assert_eq!(EntityId::unresolved(&okta()).to_string(), "unresolved:okta:acme");
    assert_eq!(EntityId::source(&okta()).to_string(), "source:okta:acme:system-log");
    assert_eq!(EntityId::source(&okta()).native_id(), "system-log");
}

#[test]
fn hostile_text_is_no_id() {
    let long = format!("account:okta:acme:{}", "a".repeat(256));
    let unresolved_long = format!("unresolved:okta:acme:{}", "é".repeat(200));
    let cases = [
        "",
        ":",
        ":::",
        "account",
        "account:",
        "account:okta",
        "account:okta:acme",
        "account:okta:acme:",
        "account::acme:1",
        "account:okta::1",
        "Account:okta:acme:1",
        " account:okta:acme:1",
        "unspecified:okta:acme:1",
        "account:okta:acme:a b",
        "account:okta:acme:bob@example.com",
        "account:okta:acme:é",
        "account:okta:acme:\u{202e}1",
        "account:okta:acme:1\n",
        "account:okta:acme:\0",
        "account:ok ta:acme:1",
        "account:okta/x:acme:1",
        &long,
        "unresolved:okta:acme:",
        "unresolved:okta:acme:1",
        "unresolved:okta:acme:bob@example.com",
        "unresolved:okta",
        &unresolved_long,
        "source:okta:acme",
        "source:okta:acme:",
        "source:okta:acme:a/b",
        "source:okta:acme:a:b",
        "identifier:",
        "identifier:ab",
        "identifier:ABABABABABABABABABABABABABABABAB",
        "identifier:abababababababababababababababababab",
        "identifier:ééééééééééééééé+",
        "identifier:okta:acme:ab",
    ];
    for text in cases {
        assert!(text.parse::<EntityId>().is_err(), "{text:?} was read as {:?}", text.parse::<EntityId>());
    }
    let long = "s".repeat(129);
    for (kind, system, id) in [
        (EntityKind::Unspecified, "okta", "1"),
        (EntityKind::Identifier, "okta", "1"),
        (EntityKind::Unresolved, "okta", "bob@example.com"),
        (EntityKind::Unresolved, "okta", "a b"),
        (EntityKind::Source, "okta", "a/b"),
        (EntityKind::Account, "", "1"),
        (EntityKind::Account, &long, "1"),
    ] {
        assert!(EntityId::new(kind, system, "acme", id).is_err(), "{kind:?} {system} {id}");
    }
}

#[test]
fn hostile_bytes_are_no_id() {
    let with = |kind: u8, parts: [&[u8]; 3]| {
        let parts = parts.map(|part| [&[part.len() as u8], part].concat()).concat();
        [vec![kind], parts].concat()
    };
    let valid = with(2, [b"okta", b"acme", b"1"]);
    assert!(EntityId::from_bytes(&valid).is_ok());
    let cases = [
        vec![],
        vec![2],
        valid[..valid.len() - 1].to_vec(),
        [valid.clone(), vec![0]].concat(),
        with(0, [b"okta", b"acme", b"1"]),
        with(13, [b"okta", b"acme", b"1"]),
        with(2, [b"okta", b"acme", b""]),
        with(2, [b"okta", b"acme", b"bob@x.y"]),
        with(2, [b"okta", b"acme", &[0xff]]),
        with(2, [b"o:ta", b"acme", b"1"]),
        with(8, [b"", b"", &[1; 15]]),
        with(8, [b"okta", b"acme", &[1; 16]]),
        with(9, [b"okta", b"acme", b"1"]),
        with(10, [b"okta", b"acme", b"a/b"]),
    ];
    for bytes in cases {
        assert!(EntityId::from_bytes(&bytes).is_err(), "{bytes:?}");
    }
}

#[test]
fn the_characters_of_ids_codes_and_names() {
    for byte in 0..=255u8 {
        let text = char::from(byte).to_string();
        let visible = (0x21..=0x7e).contains(&byte);
        let plain = byte.is_ascii_alphanumeric();
        assert_eq!(is_opaque(&text), visible && byte != b'@', "{byte}");
        assert_eq!(is_code(&text), plain || b"._-/:".contains(&byte), "{byte}");
        assert_eq!(check_name(&text).is_ok(), plain || b"._-".contains(&byte), "{byte}");
    }
    for (length, opaque, code) in [
        (0, false, false),
        (1, true, true),
        (128, true, true),
        (129, true, false),
        (255, true, false),
        (256, false, false),
    ] {
        let text = "a".repeat(length);
        assert_eq!((is_opaque(&text), is_code(&text), check_name(&text).is_ok()), (opaque, code, code), "{length}");
    }
    assert_eq!(check_name("a b"), Err(EntityError::Name("a b".into())));
    assert_eq!(kind_name(EntityKind::SnapshotScope), "snapshot_scope");
}

// ---------------------------------------------------------------------------------------------------------------------
// Tokens

fn key() -> IndexKey {
    IndexKey::new(std::array::from_fn(|number| number as u8))
}

fn login(identifier: &str) -> Option<Token> {
    key().token(IdentifierKind::Login, "okta", "acme", identifier)
}

/// Computed by another program: HMAC-SHA-256 under the key 00 01 … 1f, the first 16 bytes.
#[test]
fn golden_tokens() {
    let check = |token: Option<Token>, expected: &str| assert_eq!(token.unwrap().to_string(), expected);
    check(login("ada@example.com"), "ab7633e9aa5fb26b48b11b6c9f0080f9");
    check(login("ada"), "df3bee022504b5dedc32352f584b7086");
    check(key().token(IdentifierKind::EntitlementName, "okta", "acme", "Admins"), "0df469acb450bb9a80e32f34961f497b");
    assert_eq!(key().commitment().to_string(), "2119a98478a56cc755f40fefc012b132c0de2d918e2395ef564b0fed11c042b3");
}

#[test]
fn one_identifier_in_every_spelling_has_one_token() {
    let same = [
        ["ada", " Ada\t", "ＡＤＡ"],
        ["é", "e\u{301}", "É"],
        ["é", "E\u{301}", "\u{a0}é\u{2003}"],
        ["ada@example.com", "Ada@Example.COM ", "ａｄａ＠ｅｘａｍｐｌｅ．ｃｏｍ"],
        ["ﬁn", "fin", "FIN"],
        ["νίκος", "ΝΊΚΟΣ", "Νίκος"],
    ];
    for spellings in same {
        for spelling in spellings {
            assert_eq!(login(spelling), login(spellings[0]), "{spelling:?} and {:?}", spellings[0]);
        }
    }
    for (one, other) in [("ada", "adä"), ("ada", "a da"), ("ada", "ada\0"), ("i", "ı"), ("ada", "аda"), ("ss", "ß")]
    {
        assert_ne!(login(one), login(other), "{one:?} and {other:?}");
    }
    for empty in ["", " ", "\t\r\n", "\u{3000}\u{a0}"] {
        assert_eq!(login(empty), None, "{empty:?}");
    }
}

/// Whoever canonicalises twice (a view, then the token) gets the same token, for every character there is.
#[test]
fn the_canonical_form_of_every_character_is_final() {
    for character in '\0'..=char::MAX {
        for text in [character.to_string(), format!("a{character}b"), format!("{character}\u{301}")] {
            let once = canonical(&text);
            assert_eq!(canonical(&once), once, "{text:?}");
        }
    }
}

#[test]
fn an_address_belongs_to_no_system_and_anything_else_to_one() {
    let token = |kind, system, instance, identifier| key().token(kind, system, instance, identifier).unwrap();
    use IdentifierKind::{EntitlementName, Login};
    let address = token(Login, "okta", "acme", "ada@example.com");
    assert_eq!(address, token(Login, "github", "other", "ADA@example.com"));
    assert_eq!(address, token(EntitlementName, "google", "acme", "ada@example.com"), "whatever field it came in");
    let name = token(Login, "okta", "acme", "ada");
    assert_ne!(name, token(Login, "github", "acme", "ada"));
    assert_ne!(name, token(Login, "okta", "other", "ada"));
    assert_ne!(name, token(EntitlementName, "okta", "acme", "ada"));
    // Parts do not run into each other.
    assert_ne!(token(Login, "a", "bc", "d"), token(Login, "ab", "c", "d"));
    assert_ne!(token(Login, "a", "b", "cd"), token(Login, "a", "bc", "d"));
    // Another key, other tokens.
    assert_ne!(Some(name), IndexKey::new([0; 32]).token(Login, "okta", "acme", "ada"));
    assert_ne!(key().commitment(), IndexKey::new([0; 32]).commitment());
    assert_eq!(format!("{:?}", key()), "IndexKey(…)", "a key is never shown");
}

#[test]
fn what_looks_like_an_address() {
    for (text, expected) in [
        ("ada@example.com", true),
        ("ada@corp", true),
        ("a+b@x.y", true),
        ("ada", false),
        ("@example.com", false),
        ("ada@", false),
        ("a@b@c", false),
        ("a b@c", false),
        ("a@b c", false),
        ("a@b\0", false),
        ("@", false),
        ("", false),
    ] {
        assert_eq!(is_email(text), expected, "{text:?}");
    }
}

#[test]
fn a_token_has_one_spelling() {
    for text in [
        "",
        "ab",
        &"AB".repeat(16),
        &"ab".repeat(17),
        &"zz".repeat(16),
        &"é".repeat(16),
        &format!("+{}", "a".repeat(31)),
    ] {
        assert!(Token::from_hex(text).is_err(), "{text:?}");
    }
    for length in [0, 15, 17] {
        assert!(Token::from_slice(&vec![1; length]).is_err());
    }
    assert_eq!(EntityId::of(&Ref::default(), &okta()), None);
}
