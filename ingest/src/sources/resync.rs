//! Where the next value begins behind a broken one.
//!
//! Owns that decision. A value that begins a line of its own is known by its indentation; values of one long line are
//! known by the ",{" that they begin with and by their first key. In doubt no value is taken out of the middle of another:
//! then the broken one goes on, and what is in it is kept with it.

use std::ops::Range;

use super::structure::{Step, Structure};

/// Where a value begins behind a broken one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Found {
    At(usize),
    /// So it looks, as far as the text goes.
    Perhaps(usize),
    Nowhere,
}

/// How the objects of a file are laid out, as far as the good ones have shown.
#[derive(Clone, Debug, Default)]
pub struct Shape {
    /// What stands before the current value on its line, if it begins one.
    lead: Option<Vec<u8>>,
    /// What stood before each good object but the first, where all of them began lines with the same.
    confirmed: Option<Vec<u8>>,
    /// The first key of the last object, with its quotes.
    key: Option<Vec<u8>>,
    /// A good object went over several lines.
    has_lines: bool,
    objects: u64,
}

impl Shape {
    /// Notes what stands before the next value: all white space and commas since the last one.
    pub fn begins(&mut self, gap: &[u8]) {
        let line = gap.iter().rposition(|byte| *byte == b'\n');
        self.lead = line.map(|line| gap[line + 1..].to_vec());
    }

    /// Notes that the value is a good one.
    pub fn is_good(&mut self, value: &[u8]) {
        if !value.starts_with(b"{") {
            return;
        }
        self.objects += 1;
        if self.objects == 2 || self.objects > 2 && self.confirmed != self.lead {
            self.confirmed = self.lead.take().filter(|_| self.objects == 2);
        }
        self.key = first_key(value).map(<[u8]>::to_vec);
        self.has_lines |= value.contains(&b'\n');
    }

    /// Whether a line alone tells the beginning of a value. Without indentation, what is in a value of several lines may
    /// begin a line just like one.
    pub fn is_certain(&self) -> bool {
        self.confirmed.as_ref().is_some_and(|lead| !(self.has_lines && lead.is_empty()))
    }

    /// The first key of a broken value, or else of the object before it.
    pub fn key_of(&mut self, value: &[u8]) -> Option<Vec<u8>> {
        if let Some(key) = first_key(value) {
            self.key = Some(key.to_vec());
        }
        self.key.clone()
    }

    /// The first of some places in the text of a broken value with this first key at which another one begins.
    pub fn next_value(&self, text: &[u8], places: Range<usize>, key: Option<&[u8]>, in_array: bool) -> Found {
        for at in places.filter(|&at| text[at] == b'{') {
            let same_key = || key.is_some() && first_key(&text[at..]) == key;
            let before = before_on_its_line(&text[..at]);
            let begins = match before {
                Some(before) if self.fits(before) => self.is_certain() || same_key(),
                Some(_) => false,
                None => self.confirmed.is_none() && in_array && follows_comma(&text[..at]) && same_key(),
            };
            if begins {
                match before.map_or_else(|| goes_on(&text[at..]), |_| Some(true)) {
                    Some(true) => return Found::At(at),
                    Some(false) => {}
                    None => return Found::Perhaps(at),
                }
            }
        }
        Found::Nowhere
    }

    fn fits(&self, before: &[u8]) -> bool {
        match (&self.confirmed, &self.lead) {
            (Some(lead), _) => before == lead,
            (None, Some(lead)) => indentation(before) == indentation(lead),
            (None, None) => indentation(before).is_empty(),
        }
    }
}

/// What stands before the end of text on its line, if that is white space and commas alone and there is a line break.
fn before_on_its_line(text: &[u8]) -> Option<&[u8]> {
    let last = text.iter().rposition(|byte| !matches!(byte, b' ' | b'\t' | b'\r' | b','))?;
    (text[last] == b'\n').then(|| &text[last + 1..])
}

/// The white space before a comma that begins a line.
fn indentation(before: &[u8]) -> &[u8] {
    before.split(|byte| *byte == b',').next().unwrap_or_default()
}

/// The first key of an object, with its quotes.
fn first_key(value: &[u8]) -> Option<&[u8]> {
    let inner = value.strip_prefix(b"{")?.trim_ascii_start();
    let end = inner.strip_prefix(b"\"")?.iter().position(|byte| *byte == b'"')?;
    Some(&inner[..end + 2])
}

/// Whether values go on from here to the end of the outermost array, or to the next broken one: those of an array within
/// a broken value do not. None where the text ends before that is decided.
fn goes_on(text: &[u8]) -> Option<bool> {
    let mut rest = text;
    loop {
        let mut structure = Structure::new(true);
        let end = rest.iter().map(|byte| structure.push(*byte)).enumerate().find(|(_, step)| *step != Step::More);
        let (last, step) = end?;
        if step != Step::Ends {
            return Some(true);
        }
        rest = rest[last + 1..].trim_ascii_start();
        match rest.split_first()? {
            (b',', more) => rest = more.trim_ascii_start(),
            (b']', more) => return more.trim_ascii_start().first().map(|next| *next == b'['),
            _ => return Some(false),
        }
    }
}

fn follows_comma(text: &[u8]) -> bool {
    text.trim_ascii_end().ends_with(b",")
}
