//! A filter held to the fields of one list.
//!
//! Owns which comparisons each kind of field takes, what the values of a filter mean, and whether a filter is true of an
//! entry. Of an entry that is only partly known, it says so where the rest decides: a list need not work out what makes no
//! difference.

use std::cmp::Ordering;
use std::collections::BTreeSet;

use counterfoil_verify::time::Moment;

use super::grammar::{Comparator, Expression, Restriction};
use super::{FilterError, parse};

/// What kind of value a field holds.
#[derive(Clone, Copy, Debug)]
pub enum Kind {
    /// Text: `:` asks for a part of it, in any case of letters.
    Text,
    /// One of these words; also as the protobuf has it, with this prefix.
    Word(&'static str, fn() -> Vec<String>),
    /// A time, as RFC 3339 has it.
    Time,
    /// A whole number.
    Number,
    /// `true` or `false`.
    Flag,
    /// An entity, or several: whom a name or an id means.
    Entity,
}

/// A field of a list.
#[derive(Clone, Copy, Debug)]
pub struct Field {
    /// Its name.
    pub name: &'static str,
    /// What it holds.
    pub kind: Kind,
}

/// A comparison whose value is understood.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Test {
    /// There is a value: `field:*`.
    Present,
    /// Text that is this, in any case of letters.
    Is(String),
    /// Text that holds this, in any case of letters.
    Holds(String),
    /// A time or a number that compares so.
    Time(Comparator, Moment),
    /// A number that compares so.
    Number(Comparator, u64),
    /// A flag that is this.
    Flag(bool),
    /// One of these entities, in text form.
    OneOf(BTreeSet<String>),
}

/// A filter that is held to the fields of a list.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Typed {
    /// All of these.
    And(Vec<Self>),
    /// One of these at least.
    Or(Vec<Self>),
    /// Not this.
    Not(Box<Self>),
    /// A comparison of the field with that name.
    Test(&'static str, Test),
}

/// What is known of a field of an entry.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Known {
    /// It was not worked out yet.
    Unknown,
    /// There is none.
    Absent,
    /// Text, or a word.
    Text(String),
    /// A time.
    Time(Moment),
    /// A number.
    Number(u64),
    /// A flag.
    Flag(bool),
    /// Entities, in text form.
    Entities(Vec<String>),
}

/// Reads a filter of a list with these fields; none of an empty one. `find` says whom a name means, in text form.
///
/// # Errors
/// What `find` says, and [`FilterError`].
pub fn typed<E: From<FilterError>>(
    text: &str,
    fields: &[Field],
    mut find: impl FnMut(&Field, &str) -> Result<BTreeSet<String>, E>,
) -> Result<Option<Typed>, E> {
    parse(text)?.map(|expression| held(&expression, fields, &mut find)).transpose()
}

fn held<E: From<FilterError>>(
    expression: &Expression,
    fields: &[Field],
    find: &mut impl FnMut(&Field, &str) -> Result<BTreeSet<String>, E>,
) -> Result<Typed, E> {
    Ok(match expression {
        Expression::And(parts) => {
            Typed::And(parts.iter().map(|part| held(part, fields, find)).collect::<Result<_, _>>()?)
        }
        Expression::Or(parts) => {
            Typed::Or(parts.iter().map(|part| held(part, fields, find)).collect::<Result<_, _>>()?)
        }
        Expression::Not(part) => Typed::Not(Box::new(held(part, fields, find)?)),
        Expression::Restriction(restriction) => {
            let field = fields.iter().find(|field| field.name == restriction.field).ok_or_else(|| {
                let names: Vec<&str> = fields.iter().map(|field| field.name).collect();
                wrong(restriction.places.0, format!("one of the fields {}", names.join(", ")), &restriction.field)
            })?;
            let test = test(restriction, field, find)?;
            match restriction.comparator {
                Comparator::Unequal if !matches!(test, Test::Time(..) | Test::Number(..)) => {
                    Typed::Not(Box::new(Typed::Test(field.name, test)))
                }
                _ => Typed::Test(field.name, test),
            }
        }
    })
}

fn test<E: From<FilterError>>(
    restriction: &Restriction,
    field: &Field,
    find: &mut impl FnMut(&Field, &str) -> Result<BTreeSet<String>, E>,
) -> Result<Test, E> {
    let Restriction { comparator, value, places, .. } = restriction;
    let (comparator, place) = (*comparator, places.1);
    if comparator == Comparator::Has && value == "*" {
        return Ok(Test::Present);
    }
    let is_equality = matches!(comparator, Comparator::Equal | Comparator::Unequal | Comparator::Has);
    if !is_equality && !matches!(field.kind, Kind::Time | Kind::Number) {
        let expected = format!("=, != or : for {}, which has no order", field.name);
        return Err(wrong(places.0, expected, comparator.symbol()).into());
    }
    Ok(match field.kind {
        Kind::Text if comparator == Comparator::Has => Test::Holds(value.to_lowercase()),
        Kind::Text => Test::Is(value.to_lowercase()),
        Kind::Word(prefix, words) => {
            let plain = value.to_lowercase();
            let plain = plain.strip_prefix(&prefix.to_lowercase()).unwrap_or(&plain);
            let said: String = plain.replace(['.', '-', ' '], "_");
            match words().into_iter().find(|word| word.replace('.', "_") == said) {
                Some(word) => Test::Is(word),
                None => return Err(wrong(place, format!("one of {}", words().join(", ")), value).into()),
            }
        }
        Kind::Time => match value.parse::<jiff::Timestamp>() {
            Ok(time) => Test::Time(comparator, moment(time)),
            Err(_) => {
                let expected = "a time of RFC 3339, such as \"2026-03-01T09:30:00Z\"".to_owned();
                return Err(wrong(place, expected, value).into());
            }
        },
        Kind::Number => match value.parse() {
            Ok(number) => Test::Number(comparator, number),
            Err(_) => return Err(wrong(place, "a whole number".to_owned(), value).into()),
        },
        Kind::Flag => match value.to_lowercase().as_str() {
            "true" => Test::Flag(true),
            "false" => Test::Flag(false),
            _ => return Err(wrong(place, "true or false".to_owned(), value).into()),
        },
        Kind::Entity => Test::OneOf(find(field, value)?),
    })
}

fn wrong(place: usize, expected: String, got: &str) -> FilterError {
    let got: String = got.chars().take(40).collect();
    FilterError { place, expected, got: format!("{got:?}") }
}

fn moment(time: jiff::Timestamp) -> Moment {
    let nanos = time.as_nanosecond();
    let (seconds, rest) = (nanos.div_euclid(1_000_000_000), nanos.rem_euclid(1_000_000_000));
    Moment { seconds: i64::try_from(seconds).unwrap_or(i64::MAX), nanos: u32::try_from(rest).unwrap_or_default() }
}

impl Typed {
    /// Whether it is true of an entry; none where that hangs on a field that is not known yet. What is absent is equal to
    /// nothing, and neither earlier nor later than anything.
    pub fn is_true(&self, of: &impl Fn(&'static str) -> Known) -> Option<bool> {
        match self {
            Self::And(parts) => all(parts, of, true),
            Self::Or(parts) => all(parts, of, false),
            Self::Not(part) => part.is_true(of).map(|is_true| !is_true),
            Self::Test(field, test) => test.is_true(&of(field)),
        }
    }

    /// Of an entity that every entry has to be about, in that field: what the filter demands whatever else it says.
    pub fn demanded<'t>(&'t self, field: &str) -> Option<&'t BTreeSet<String>> {
        match self {
            Self::And(parts) => parts.iter().find_map(|part| part.demanded(field)),
            Self::Test(own, Test::OneOf(entities)) if *own == field => Some(entities),
            _ => None,
        }
    }
}

/// Kleene's conjunction, or with `unit` false his disjunction.
fn all(parts: &[Typed], of: &impl Fn(&'static str) -> Known, unit: bool) -> Option<bool> {
    let mut is_open = false;
    for part in parts {
        match part.is_true(of) {
            Some(is_true) if is_true != unit => return Some(!unit),
            Some(_) => {}
            None => is_open = true,
        }
    }
    (!is_open).then_some(unit)
}

impl Test {
    fn is_true(&self, known: &Known) -> Option<bool> {
        Some(match (self, known) {
            (_, Known::Unknown) => return None,
            (Self::Present, known) => *known != Known::Absent && *known != Known::Entities(Vec::new()),
            (Self::Is(wanted), Known::Text(text)) => text.to_lowercase() == *wanted,
            (Self::Holds(wanted), Known::Text(text)) => text.to_lowercase().contains(wanted),
            (Self::Time(comparator, wanted), Known::Time(time)) => compare(*comparator, time.cmp(wanted)),
            (Self::Number(comparator, wanted), Known::Number(number)) => compare(*comparator, number.cmp(wanted)),
            (Self::Flag(wanted), Known::Flag(flag)) => flag == wanted,
            (Self::OneOf(wanted), Known::Entities(entities)) => entities.iter().any(|one| wanted.contains(one)),
            // What is not there is not the same either.
            (Self::Time(Comparator::Unequal, _) | Self::Number(Comparator::Unequal, _), Known::Absent) => true,
            _ => false,
        })
    }
}

fn compare(comparator: Comparator, order: Ordering) -> bool {
    match comparator {
        Comparator::Equal | Comparator::Has => order.is_eq(),
        Comparator::Unequal => order.is_ne(),
        Comparator::Less => order.is_lt(),
        Comparator::LessOrEqual => order.is_le(),
        Comparator::Greater => order.is_gt(),
        Comparator::GreaterOrEqual => order.is_ge(),
    }
}
