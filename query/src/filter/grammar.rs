//! The grammar of filters, as far as lists of this ledger need it.
//!
//! Owns the way from a text to an expression and back. After the EBNF of AIP-160
//! (<https://google.aip.dev/assets/misc/ebnf-filtering.txt>):
//!
//! ```text
//! filter      = [expression]
//! expression  = sequence {WS "AND" WS sequence}
//! sequence    = factor {WS factor}                     factors side by side are joined by AND
//! factor      = term {WS "OR" WS term}                 OR binds tighter than AND
//! term        = [("NOT" WS) | "-"] simple
//! simple      = restriction | "(" expression ")"
//! restriction = field comparator arg                   a bare value, a function and a composite argument are refused
//! field       = NAME {"." NAME}                        letters, digits and "_"
//! comparator  = "<=" | "<" | ">=" | ">" | "!=" | "=" | ":"
//! arg         = TEXT | STRING                          TEXT ends at white space, a parenthesis or a quote
//! ```
//! AND, OR and NOT are written in capitals. In a STRING, a backslash stands before a quote or a backslash.

use std::fmt;

use super::{DEPTH_MAX, FILTER_BYTES_MAX, FilterError, RESTRICTIONS_MAX};

/// How a field is compared.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Comparator {
    /// `=`
    Equal,
    /// `!=`
    Unequal,
    /// `<`
    Less,
    /// `<=`
    LessOrEqual,
    /// `>`
    Greater,
    /// `>=`
    GreaterOrEqual,
    /// `:`
    Has,
}

impl Comparator {
    /// Longer ones first: one is the beginning of another.
    const ALL: [(&'static str, Self); 7] = [
        ("<=", Self::LessOrEqual),
        (">=", Self::GreaterOrEqual),
        ("!=", Self::Unequal),
        ("<", Self::Less),
        (">", Self::Greater),
        ("=", Self::Equal),
        (":", Self::Has),
    ];

    /// As it is written.
    pub fn symbol(self) -> &'static str {
        Self::ALL.iter().find(|(_, comparator)| *comparator == self).map_or("", |(symbol, _)| symbol)
    }
}

/// One comparison.
#[derive(Clone, Debug, Eq)]
pub struct Restriction {
    /// The field's name.
    pub field: String,
    /// How it is compared.
    pub comparator: Comparator,
    /// With what.
    pub value: String,
    /// The character where the field begins, and the one where the value does, from 1; 0 if it was not read from a text.
    pub places: (usize, usize),
}

impl PartialEq for Restriction {
    /// Where it stands makes no difference.
    fn eq(&self, other: &Self) -> bool {
        (&self.field, self.comparator, &self.value) == (&other.field, other.comparator, &other.value)
    }
}

/// A filter. `And` and `Or` hold at least two parts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Expression {
    /// All of these.
    And(Vec<Self>),
    /// One of these at least.
    Or(Vec<Self>),
    /// Not this.
    Not(Box<Self>),
    /// A comparison.
    Restriction(Restriction),
}

/// Reads a filter; none of a text without anything in it.
///
/// # Errors
/// [`FilterError`], with where it goes wrong.
pub fn parse(text: &str) -> Result<Option<Expression>, FilterError> {
    let mut parser = Parser { text, at: 0, restrictions: 0 };
    if text.len() > FILTER_BYTES_MAX {
        let got = format!("{} bytes", text.len());
        return Err(FilterError { place: 1, expected: format!("at most {FILTER_BYTES_MAX} bytes"), got });
    }
    parser.skip_space();
    if parser.rest().is_empty() {
        return Ok(None);
    }
    let expression = parser.expression(0)?;
    parser.skip_space();
    match parser.rest().is_empty() {
        true => Ok(Some(expression)),
        false => Err(parser.expected("AND, OR or the end")),
    }
}

struct Parser<'t> {
    text: &'t str,
    /// In bytes.
    at: usize,
    restrictions: usize,
}

impl<'t> Parser<'t> {
    fn rest(&self) -> &'t str {
        &self.text[self.at..]
    }

    fn place(&self) -> usize {
        self.text[..self.at].chars().count() + 1
    }

    fn skip_space(&mut self) {
        self.at = self.text.len() - self.rest().trim_start().len();
    }

    fn expected(&self, expected: impl Into<String>) -> FilterError {
        let got: String = self.rest().split_whitespace().next().unwrap_or_default().chars().take(20).collect();
        let got = if got.is_empty() { "the end".to_owned() } else { format!("{got:?}") };
        FilterError { place: self.place(), expected: expected.into(), got }
    }

    fn take(&mut self, symbol: &str) -> bool {
        let is_there = self.rest().starts_with(symbol);
        self.at += if is_there { symbol.len() } else { 0 };
        is_there
    }

    /// A word of the language: no field begins so, unless it goes on.
    fn take_keyword(&mut self, keyword: &str) -> bool {
        let rest = self.rest().strip_prefix(keyword);
        let ends = |rest: &str| rest.chars().next().is_none_or(|next| next.is_whitespace() || next == '(');
        rest.is_some_and(ends) && self.take(keyword)
    }

    fn expression(&mut self, depth: usize) -> Result<Expression, FilterError> {
        let mut parts = vec![self.factor(depth)?];
        loop {
            self.skip_space();
            if self.rest().is_empty() || self.rest().starts_with(')') {
                return Ok(joined(parts, Expression::And));
            }
            self.take_keyword("AND");
            parts.push(self.factor(depth)?);
        }
    }

    fn factor(&mut self, depth: usize) -> Result<Expression, FilterError> {
        let mut parts = vec![self.term(depth)?];
        loop {
            self.skip_space();
            if !self.take_keyword("OR") {
                return Ok(joined(parts, Expression::Or));
            }
            parts.push(self.term(depth)?);
        }
    }

    fn term(&mut self, depth: usize) -> Result<Expression, FilterError> {
        self.skip_space();
        if depth == DEPTH_MAX {
            return Err(self.expected(format!("at most {DEPTH_MAX} parentheses and negations in each other")));
        }
        if self.take_keyword("NOT") || self.take("-") {
            self.skip_space();
            return Ok(Expression::Not(Box::new(self.simple(depth + 1)?)));
        }
        self.simple(depth)
    }

    fn simple(&mut self, depth: usize) -> Result<Expression, FilterError> {
        if !self.take("(") {
            return self.restriction().map(Expression::Restriction);
        }
        if depth >= DEPTH_MAX {
            return Err(self.expected(format!("at most {DEPTH_MAX} parentheses and negations in each other")));
        }
        let inner = self.expression(depth + 1)?;
        self.skip_space();
        if self.take(")") { Ok(inner) } else { Err(self.expected("a closing parenthesis")) }
    }

    fn restriction(&mut self) -> Result<Restriction, FilterError> {
        if self.restrictions == RESTRICTIONS_MAX {
            return Err(self.expected(format!("at most {RESTRICTIONS_MAX} comparisons")));
        }
        self.restrictions += 1;
        let field_place = self.place();
        let length = self.rest().find(|c: char| !(c.is_ascii_alphanumeric() || c == '_' || c == '.'));
        let field = &self.rest()[..length.unwrap_or(self.rest().len())];
        if field.is_empty() || ["AND", "OR", "NOT"].contains(&field) {
            return Err(self.expected("a field"));
        }
        self.at += field.len();
        self.skip_space();
        let found = Comparator::ALL.iter().find(|(symbol, _)| self.rest().starts_with(symbol));
        let Some((symbol, comparator)) = found else {
            return Err(self.expected(format!("one of = != < <= > >= : after {field}")));
        };
        self.at += symbol.len();
        self.skip_space();
        let value_place = self.place();
        let value = self.value()?;
        Ok(Restriction { field: field.to_owned(), comparator: *comparator, value, places: (field_place, value_place) })
    }

    fn value(&mut self) -> Result<String, FilterError> {
        if let Some(quote) = self.rest().chars().next().filter(|first| ['"', '\''].contains(first)) {
            return self.quoted(quote);
        }
        let length = self.rest().find(|c: char| c.is_whitespace() || ['(', ')', '"', '\'', ','].contains(&c));
        let value = &self.rest()[..length.unwrap_or(self.rest().len())];
        if value.is_empty() {
            return Err(self.expected("a value, in quotes where it is more than one word"));
        }
        self.at += value.len();
        match self.rest().chars().next().filter(|next| ['(', '"', '\'', ','].contains(next)) {
            Some(_) => Err(self.expected("white space after the value: quote what holds other characters")),
            None => Ok(value.to_owned()),
        }
    }

    fn quoted(&mut self, quote: char) -> Result<String, FilterError> {
        let mut value = String::new();
        let mut characters = self.rest().char_indices().skip(1);
        while let Some((place, character)) = characters.next() {
            match character {
                '\\' => match characters.next() {
                    Some((_, escaped @ ('\\' | '"' | '\''))) => value.push(escaped),
                    _ => {
                        self.at += place;
                        return Err(self.expected("a quote or a backslash after the backslash"));
                    }
                },
                end if end == quote => {
                    self.at += place + end.len_utf8();
                    return Ok(value);
                }
                other => value.push(other),
            }
        }
        self.at = self.text.len();
        Err(self.expected(format!("a closing {quote}")))
    }
}

fn joined(mut parts: Vec<Expression>, join: impl Fn(Vec<Expression>) -> Expression) -> Expression {
    if parts.len() == 1 { parts.remove(0) } else { join(parts) }
}

impl fmt::Display for Expression {
    /// As it can be read again, with every value in quotes.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let all = |f: &mut fmt::Formatter<'_>, parts: &[Self], word: &str, is_bare: fn(&Self) -> bool| {
            for (number, part) in parts.iter().enumerate() {
                f.write_str(if number == 0 { "" } else { word })?;
                if is_bare(part) { write!(f, "{part}")? } else { write!(f, "({part})")? }
            }
            Ok(())
        };
        match self {
            Self::And(parts) => all(f, parts, " AND ", |part| !matches!(part, Self::And(_))),
            Self::Or(parts) => all(f, parts, " OR ", |part| !matches!(part, Self::And(_) | Self::Or(_))),
            Self::Not(part) if matches!(**part, Self::Restriction(_)) => write!(f, "NOT {part}"),
            Self::Not(part) => write!(f, "NOT ({part})"),
            Self::Restriction(Restriction { field, comparator, value, .. }) => {
                let value = value.replace('\\', "\\\\").replace('"', "\\\"");
                write!(f, "{field} {} \"{value}\"", comparator.symbol())
            }
        }
    }
}
