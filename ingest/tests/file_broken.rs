//! A broken element of an array takes none of its neighbours along, and no byte is lost.
#![allow(clippy::unwrap_used, reason = "helpers of tests fail as tests do")]

use std::fs::File;
use std::io::Write;

use counterfoil_ingest::sources::file::Input;
use proptest::prelude::*;
use proptest::sample::Index;
use serde_json::{Value, json};

/// How a program writes an array.
#[derive(Clone, Copy, Debug)]
enum Layout {
    OneLine,
    LinePerElement,
    CommasFirst,
    Indented,
}

impl Layout {
    fn element(self, element: &Value) -> String {
        match self {
            Self::Indented => serde_json::to_string_pretty(element).unwrap().replace('\n', "\n  "),
            _ => element.to_string(),
        }
    }

    fn array(self, elements: &[String]) -> String {
        match self {
            Self::OneLine => format!("[{}]", elements.join(",")),
            Self::LinePerElement => format!("[{}]\n", elements.join(",\n")),
            Self::CommasFirst => format!("[\n{}\n]\n", elements.join("\n,")),
            Self::Indented => format!("[\n  {}\n]\n", elements.join(",\n  ")),
        }
    }
}

/// What goes wrong in an element.
#[derive(Clone, Copy, Debug)]
enum Damage {
    QuoteLost,
    QuoteAdded,
    BracketLost,
    CommaLost,
    CutOff,
    WordWrong,
}

/// The element's text, damaged somewhere behind its first key: at a byte of its own of that kind.
fn damaged(text: &str, damage: Damage, place: Index) -> Option<String> {
    let first = text.find(':')? + 1;
    let places = |wanted: &[char]| -> Vec<usize> {
        text.char_indices()
            .skip_while(|(at, _)| *at < first)
            .filter(|(_, c)| wanted.contains(c))
            .map(|(at, _)| at)
            .collect()
    };
    let pick = |wanted: &[char]| {
        let places = places(wanted);
        (!places.is_empty()).then(|| *place.get(&places))
    };
    let without = |at: usize| [&text[..at], &text[at + 1..]].concat();
    let with = |at: usize, added: &str| [&text[..at], added, &text[at..]].concat();
    Some(match damage {
        Damage::QuoteLost => without(pick(&['"'])?),
        Damage::QuoteAdded => with(pick(&['x', ':', ','])?, "\""),
        Damage::BracketLost => without(pick(&['}', ']'])?),
        Damage::CommaLost => without(pick(&[','])?),
        Damage::CutOff => text[..pick(&['x', '"', ':', ',', '{', '['])?].to_owned(),
        Damage::WordWrong => with(pick(&[':'])? + 1, "tru"),
    })
}

fn element() -> impl Strategy<Value = Value> {
    let text = proptest::sample::select(
        &["x", "", "},{\"id\":9}", "]", "\\", "a\nb\",", "{\"id\":1},\n{\"id\":2}", "x: y, z", "\u{e9}"][..],
    );
    let inner = proptest::collection::vec((text.clone(), 0..9_u8), 0..4);
    (1..1_000_u32, text, inner, any::<bool>()).prop_map(|(id, text, inner, deep)| {
        let inner: Vec<Value> =
            inner.into_iter().map(|(text, n)| json!({"name": text, "n": n, "l": [1, [text]]})).collect();
        let inner = if deep { json!({"of": {"list": inner}}) } else { json!(inner) };
        json!({"id": id, "note": text, "list": inner, "ok": true})
    })
}

fn documents(name: &str, bytes: &[u8]) -> Vec<Vec<u8>> {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join(name);
    File::create(&path).unwrap().write_all(bytes).unwrap();
    Input::new(&path).documents().unwrap().map(|document| document.unwrap().bytes).collect()
}

/// The text less what may stand between two documents.
fn bare(text: &[u8]) -> Vec<u8> {
    text.iter().copied().filter(|byte| !b" \t\r\n,[]".contains(byte)).collect()
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 3_000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn a_broken_element_takes_no_other_along(
        elements in proptest::collection::vec((element(), proptest::option::weighted(0.3, (0..6_usize, any::<Index>()))), 1..12),
        layout in 0..4_usize,
    ) {
        let layout = [Layout::OneLine, Layout::LinePerElement, Layout::CommasFirst, Layout::Indented][layout];
        let damages = [
            Damage::QuoteLost, Damage::QuoteAdded, Damage::BracketLost, Damage::CommaLost, Damage::CutOff, Damage::WordWrong,
        ];
        let mut good = Vec::new();
        // On one long line, text that reads like an element is told from one by its quotes alone: with these damaged,
        // nothing tells them apart.
        let mut is_ambiguous = false;
        let written: Vec<String> = elements.iter().map(|(element, damage)| {
            let text = layout.element(element);
            let broken = damage.and_then(|(damage, place)| damaged(&text, damages[damage], place));
            is_ambiguous |= broken.is_some() && matches!(layout, Layout::OneLine) && text.contains("{\\\"id");
            broken.unwrap_or_else(|| {
                good.push(element.clone());
                text
            })
        }).collect();
        let array = layout.array(&written);
        let found = documents("x.json", array.as_bytes());
        // Every good element comes whole, and in order; what is broken comes in between.
        let mut expected = good.iter();
        let mut next = expected.next();
        for document in &found {
            let value: Option<Value> = serde_json::from_slice(document).ok();
            if value.is_some() && value.as_ref() == next {
                next = expected.next();
            }
        }
        prop_assert!(next.is_none() || is_ambiguous, "{array}\n{next:?} is not in\n{}", shown(&found));
        // No byte is lost, and none comes twice.
        prop_assert_eq!(bare(&found.concat()), bare(array.as_bytes()), "{}\n{}", array, shown(&found));
    }
}

fn shown(documents: &[Vec<u8>]) -> String {
    documents.iter().map(|document| format!("{}\n", String::from_utf8_lossy(document))).collect()
}
/// The numbers of the elements that come whole.
fn whole(documents: &[Vec<u8>]) -> Vec<u64> {
    documents.iter().filter_map(|document| serde_json::from_slice::<Value>(document).ok()?["id"].as_u64()).collect()
}

#[test]
fn what_is_behind_a_broken_value_is_read_however_long_the_file_is() {
    let broken = |number: u64| number % 7 == 3;
    for layout in [Layout::OneLine, Layout::LinePerElement, Layout::CommasFirst, Layout::Indented] {
        let elements: Vec<String> = (0..6_000_u64)
            .map(|number| {
                let text =
                    layout.element(&json!({"id": number, "list": [{"id": 1}, {"id": 2}], "note": "x".repeat(300)}));
                if broken(number) { text.replace("x\"", "x") } else { text }
            })
            .collect();
        let array = layout.array(&elements);
        let expected: Vec<u64> = (0..6_000).filter(|number| !broken(*number)).collect();
        assert_eq!(whole(&documents("x.json", array.as_bytes())), expected, "{layout:?}");
        // Two arrays, one behind the other.
        let twice = [array.as_bytes(), b"\n", array.as_bytes()].concat();
        assert_eq!(whole(&documents("x.json", &twice)), [expected.clone(), expected].concat(), "{layout:?}");
    }
}

#[test]
fn values_that_stand_by_themselves_are_found_again_too() {
    let value = |number: u64| serde_json::to_string_pretty(&json!({"id": number, "list": [{"id": 1}]})).unwrap();
    let mut values: Vec<String> = (0..20).map(value).collect();
    values[0] = values[0].replace("],", "");
    values[7] = values[7].replace("\"id\": 1", "\"id: 1");
    values[12].truncate(20);
    let found = documents("x.json", values.join("\n").as_bytes());
    let expected: Vec<u64> = (0..20).filter(|number| ![0, 7, 12].contains(number)).collect();
    assert_eq!(whole(&found).into_iter().filter(|id| expected.contains(id)).collect::<Vec<_>>(), expected);
}

#[test]
fn a_value_that_is_too_large_takes_none_along() {
    let large = "x".repeat(70 << 20);
    for rest in ["\"}", "", "\", \"a\": [{\"id\": 2}, tru {\"}"] {
        let array = format!(
            "[{{\"id\":1}},\n{{\"id\":2}},\n{{\"id\":3,\"large\":\"{large}{rest},\n{{\"id\":4}},\n{{\"id\":5}}]"
        );
        let found = documents("x.json", array.as_bytes());
        assert_eq!(whole(&found), [1, 2, 4, 5], "{rest}");
        assert!(found[2].len() == 1 << 20 && found.len() == 5, "its beginning is kept");
    }
}

/// However much is broken, it is read in about one go.
#[test]
fn hostile_arrays_are_read_in_one_go() {
    for piece in [
        "{\"a\":\"x},",
        "{\"a\":[",
        "{\"a\":[{\"b\":1},",
        "{\"a\"}",
        "\"\n",
        "[",
        "{\"a\":\"x},\n",
        "}",
        "{,{,",
        "{\"a\":{\"b\":1},",
    ] {
        let array = format!("[{}", piece.repeat((1 << 19) / piece.len()));
        let found = documents("x.json", array.as_bytes());
        assert_eq!(bare(&found.concat()).len(), bare(array.as_bytes()).len(), "{piece}");
    }
}
