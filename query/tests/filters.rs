//! Filters: what is written can be read again, nothing that is written breaks the reader, and what is true of an entry is
//! what a naive reading says.
#![allow(clippy::unwrap_used)] // A test stops where it fails.

use std::collections::{BTreeMap, BTreeSet};

use counterfoil_query::filter::{
    Comparator, DEPTH_MAX, Expression, FILTER_BYTES_MAX, Field, FilterError, Kind, Known, RESTRICTIONS_MAX,
    Restriction, parse, typed,
};
use counterfoil_verify::time::Moment;
use proptest::collection::vec;
use proptest::prelude::*;

const FIELDS: [Field; 6] = [
    Field { name: "name", kind: Kind::Text },
    Field { name: "kind", kind: Kind::Word("KIND_", || vec!["grant.added".to_owned(), "grant.removed".to_owned()]) },
    Field { name: "at", kind: Kind::Time },
    Field { name: "record", kind: Kind::Number },
    Field { name: "lapsed", kind: Kind::Flag },
    Field { name: "who", kind: Kind::Entity },
];

/// Whom a name means: everybody whose id begins so.
fn find(_: &Field, name: &str) -> Result<BTreeSet<String>, FilterError> {
    Ok(["ann", "anna", "bo"].iter().filter(|id| id.starts_with(name)).map(|id| (*id).to_owned()).collect())
}

fn any_comparator() -> impl Strategy<Value = Comparator> {
    use Comparator as C;
    let all = [C::Equal, C::Unequal, C::Less, C::LessOrEqual, C::Greater, C::GreaterOrEqual, C::Has];
    proptest::sample::select(all.to_vec())
}

fn restriction(field: String, comparator: Comparator, value: String) -> Expression {
    Expression::Restriction(Restriction { field, comparator, value, places: (0, 0) })
}

fn nested(leaf: impl Strategy<Value = Expression> + 'static) -> impl Strategy<Value = Expression> {
    leaf.prop_recursive(4, 24, 3, |inner| {
        prop_oneof![
            vec(inner.clone(), 2..4).prop_map(Expression::And),
            vec(inner.clone(), 2..4).prop_map(Expression::Or),
            inner.prop_map(|part| Expression::Not(Box::new(part))),
        ]
    })
}

fn any_expression() -> impl Strategy<Value = Expression> {
    let field = "[a-z][a-z_.0-9]{0,7}";
    nested(
        (field, any_comparator(), any::<String>())
            .prop_map(|(field, comparator, value)| restriction(field, comparator, value.chars().take(12).collect())),
    )
}

/// A comparison that fits its field.
fn any_fitting() -> impl Strategy<Value = Expression> {
    let equality = || prop_oneof![Just(Comparator::Equal), Just(Comparator::Unequal), Just(Comparator::Has)];
    let of = |field: &'static str, values: &'static [&'static str]| {
        (Just(field), equality(), proptest::sample::select(values.to_vec()))
    };
    let ordered = |field: &'static str, values: &'static [&'static str]| {
        (Just(field), any_comparator(), proptest::sample::select(values.to_vec()))
    };
    let leaf = prop_oneof![
        of("name", &["x", "Xy", "y z", "*"]),
        of("kind", &["grant.added", "GRANT_REMOVED", "kind_grant_added", "*"])
            .prop_filter("a word", |(_, c, v)| { *v != "*" || *c == Comparator::Has }),
        ordered("at", &["2026-01-01T00:00:00Z", "2026-01-01T01:00:01+01:00", "2026-01-01T00:00:02.5Z"]),
        ordered("record", &["0", "1", "2"]),
        of("lapsed", &["true", "false"]),
        of("who", &["ann", "bo", "nobody"]),
    ];
    nested(leaf.prop_map(|(field, comparator, value)| restriction(field.to_owned(), comparator, value.to_owned())))
}

/// 2026-01-01T00:00:00Z.
const START: i64 = 1_767_225_600;

type Entry = BTreeMap<&'static str, Known>;

fn any_entry() -> impl Strategy<Value = Entry> {
    let text = |values: &'static [&'static str]| {
        proptest::sample::select(values.to_vec()).prop_map(|text| Known::Text(text.to_owned()))
    };
    let time = prop_oneof![
        (0..4_i64).prop_map(|seconds| Known::Time(Moment { seconds: START + seconds, nanos: 0 })),
        Just(Known::Time(Moment { seconds: START + 2, nanos: 500_000_000 })),
    ];
    let who = vec(proptest::sample::select(vec!["ann", "anna", "bo"]), 0..3)
        .prop_map(|ids| Known::Entities(ids.into_iter().map(str::to_owned).collect()));
    let or_absent = |known: BoxedStrategy<Known>| prop_oneof![4 => known, 1 => Just(Known::Absent)];
    (
        or_absent(text(&["x", "xy", "Y Z", "*"]).boxed()),
        or_absent(text(&["grant.added", "grant.removed"]).boxed()),
        or_absent(time.boxed()),
        or_absent((0..3_u64).prop_map(Known::Number).boxed()),
        or_absent(any::<bool>().prop_map(Known::Flag).boxed()),
        or_absent(who.boxed()),
    )
        .prop_map(|(name, kind, at, record, lapsed, who)| {
            BTreeMap::from([
                ("name", name),
                ("kind", kind),
                ("at", at),
                ("record", record),
                ("lapsed", lapsed),
                ("who", who),
            ])
        })
}

/// What a filter says of an entry, as one reads it.
fn naive(expression: &Expression, entry: &Entry) -> bool {
    let Restriction { field, comparator, value, .. } = match expression {
        Expression::And(parts) => return parts.iter().all(|part| naive(part, entry)),
        Expression::Or(parts) => return parts.iter().any(|part| naive(part, entry)),
        Expression::Not(part) => return !naive(part, entry),
        Expression::Restriction(restriction) => restriction,
    };
    let known = &entry[field.as_str()];
    let is_there = !matches!(known, Known::Absent) && *known != Known::Entities(Vec::new());
    if *comparator == Comparator::Has && value == "*" {
        return is_there;
    }
    let ordered = |ordering: std::cmp::Ordering| match comparator {
        Comparator::Equal | Comparator::Has => ordering.is_eq(),
        Comparator::Unequal => !ordering.is_eq(),
        Comparator::Less => ordering.is_lt(),
        Comparator::LessOrEqual => !ordering.is_gt(),
        Comparator::Greater => ordering.is_gt(),
        Comparator::GreaterOrEqual => !ordering.is_lt(),
    };
    let same = match known {
        Known::Time(time) => {
            let wanted: jiff::Timestamp = value.parse().unwrap();
            return ordered(
                (i128::from(time.seconds) * 1_000_000_000 + i128::from(time.nanos)).cmp(&wanted.as_nanosecond()),
            );
        }
        Known::Number(number) => return ordered(number.cmp(&value.parse().unwrap())),
        Known::Absent | Known::Unknown => false,
        Known::Flag(flag) => flag.to_string() == *value,
        Known::Entities(ids) => ids.iter().any(|id| id.starts_with(value.as_str())),
        Known::Text(text) if field == "kind" => {
            text.replace('.', "_") == value.to_lowercase().replace("kind_", "").replace('.', "_")
        }
        Known::Text(text) if *comparator == Comparator::Has => text.to_lowercase().contains(&value.to_lowercase()),
        Known::Text(text) => text.to_lowercase() == value.to_lowercase(),
    };
    same != (*comparator == Comparator::Unequal)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 512, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn what_is_written_is_read_again(expression in any_expression()) {
        let text = expression.to_string();
        prop_assume!(text.len() <= FILTER_BYTES_MAX);
        prop_assert_eq!(parse(&text), Ok(Some(expression)), "{}", text);
    }

    #[test]
    fn nothing_that_is_written_breaks_the_reader(
        text in prop_oneof![
            any::<String>(),
            vec(proptest::sample::select(vec![
                "AND", "OR", "NOT", "-", "(", ")", " ", "a", "b.c", "=", "!=", "<=", ":", "*", "\"", "'", "\\", "x y", "é", ",",
            ]), 0..40).prop_map(|words| words.concat()),
        ]
    ) {
        match parse(&text) {
            Ok(Some(read)) => prop_assert_eq!(parse(&read.to_string()), Ok(Some(read))),
            Ok(None) => prop_assert_eq!(text.trim(), ""),
            Err(error) => prop_assert!((1..=text.chars().count() + 1).contains(&error.place), "{}", error),
        }
    }

    #[test]
    fn a_filter_is_true_of_what_a_naive_reading_says(expression in any_fitting(), entry in any_entry(), hidden in vec(any::<bool>(), 6)) {
        let text = expression.to_string();
        prop_assume!(text.len() <= FILTER_BYTES_MAX);
        let filter = typed(&text, &FIELDS, find).unwrap().unwrap();
        let expected = naive(&expression, &entry);
        prop_assert_eq!(filter.is_true(&|field| entry[field].clone()), Some(expected), "{}: {:?}", text, entry);
        // Whatever is not known yet: what is said then stays true.
        let is_hidden = |field: &str| hidden[FIELDS.iter().position(|known| known.name == field).unwrap()];
        let partly = filter.is_true(&|field| if is_hidden(field) { Known::Unknown } else { entry[field].clone() });
        prop_assert!(partly.is_none_or(|partly| partly == expected), "{}: {:?}", text, entry);
        prop_assert!(hidden.contains(&true) || partly.is_some());
    }
}

#[test]
fn or_binds_tighter_than_and_and_factors_are_joined_by_and() {
    let one = |name: &str| restriction(name.to_owned(), Comparator::Equal, "1".to_owned());
    let (a, b, c) = (one("a"), one("b"), one("c"));
    for (text, expected) in [
        ("a = 1 AND b = 1 OR c = 1", Expression::And(vec![a.clone(), Expression::Or(vec![b.clone(), c.clone()])])),
        ("a=1 b=1", Expression::And(vec![a.clone(), b.clone()])),
        ("(a = 1 AND b = 1) OR c = 1", Expression::Or(vec![Expression::And(vec![a.clone(), b.clone()]), c.clone()])),
        ("-a = 1 NOT (b = '1')", Expression::And(vec![Expression::Not(Box::new(a)), Expression::Not(Box::new(b))])),
        ("NOTE = 1", one("NOTE")),
    ] {
        assert_eq!(parse(text), Ok(Some(expected)), "{text}");
    }
    let at =
        parse("at >= 2026-03-01T09:30:00+01:00 AND via = credential:okta:default:api_token/00T1").unwrap().unwrap();
    let expected = "at >= \"2026-03-01T09:30:00+01:00\" AND via = \"credential:okta:default:api_token/00T1\"";
    assert_eq!(at.to_string(), expected);
    assert_eq!(parse(" \n"), Ok(None));
}

#[test]
fn an_error_says_where_and_what_was_expected() {
    let many = vec!["a = 1"; RESTRICTIONS_MAX + 1].join(" OR ");
    let deep = format!("{}a = 1{}", "(".repeat(DEPTH_MAX + 1), ")".repeat(DEPTH_MAX + 1));
    let long = format!("name = \"{}\"", "x".repeat(FILTER_BYTES_MAX));
    for (text, expected) in [
        ("name", "at character 5: expected one of = != < <= > >= : after name, got the end"),
        ("name = ", "at character 8: expected a value, in quotes where it is more than one word, got the end"),
        ("name = x y", "at character 11: expected one of = != < <= > >= : after y, got the end"),
        ("name = \"é\" AND", "at character 15: expected a field, got the end"),
        ("name = \"x", "at character 10: expected a closing \", got the end"),
        ("name = 'a\\b'", "at character 10: expected a quote or a backslash after the backslash, got \"\\\\b'\""),
        ("(name = x", "at character 10: expected a closing parenthesis, got the end"),
        ("name = x)", "at character 9: expected AND, OR or the end, got \")\""),
        (
            "name = f(x)",
            "at character 9: expected white space after the value: quote what holds other characters, got \"(x)\"",
        ),
        ("OR name = x", "at character 1: expected a field, got \"OR\""),
        ("nme = x", "at character 1: expected one of the fields name, kind, at, record, lapsed, who, got \"nme\""),
        ("kind = grant", "at character 8: expected one of grant.added, grant.removed, got \"grant\""),
        ("kind < grant.added", "at character 1: expected =, != or : for kind, which has no order, got \"<\""),
        (
            "at = yesterday",
            "at character 6: expected a time of RFC 3339, such as \"2026-03-01T09:30:00Z\", got \"yesterday\"",
        ),
        ("record = -1", "at character 10: expected a whole number, got \"-1\""),
        ("lapsed = yes", "at character 10: expected true or false, got \"yes\""),
        (&many, "expected at most 64 comparisons"),
        (&deep, "expected at most 16 parentheses and negations in each other"),
        (&long, "at character 1: expected at most 2048 bytes, got"),
    ] {
        let error = typed(text, &FIELDS, find).unwrap_err().to_string();
        assert!(error.contains(expected), "{text}: {error}");
    }
}
