//! Where a JSON value ends, byte by byte.
//!
//! Owns which order of brackets, strings, colons and commas a value may have: what breaks it is noticed where it stands,
//! not where the file ends. It never looks into strings, numbers and words: whether those are right, the parser says.

/// The deepest nesting that is followed: far beyond what the parser takes, and a bound on what a missing bracket costs.
const DEPTH_MAX: usize = 256;

/// What a byte does to a value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step {
    /// It belongs to the value, which goes on.
    More,
    /// The value ends with it.
    Ends,
    /// The value ended before it.
    Ended,
    /// No value has this byte here.
    Breaks,
}

/// What may come next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Next {
    Value,
    /// A key, or the end of the object.
    Key,
    Colon,
    /// A comma, or the end of the object or array.
    Comma,
}

/// A value as far as it has been read.
#[derive(Debug)]
pub struct Structure {
    /// The open brackets.
    open: Vec<u8>,
    next: Next,
    in_string: bool,
    escaped: bool,
    in_word: bool,
    in_array: bool,
}

impl Structure {
    /// A value of which nothing has been read; an element of an array, or a value by itself.
    pub fn new(in_array: bool) -> Self {
        Self { open: Vec::new(), next: Next::Value, in_string: false, escaped: false, in_word: false, in_array }
    }

    /// Whether nothing is open: what is read so far may be whole.
    pub fn is_flat(&self) -> bool {
        self.open.is_empty() && !self.in_string
    }

    /// Takes one byte.
    pub fn push(&mut self, byte: u8) -> Step {
        if self.in_string {
            return self.push_in_string(byte);
        }
        if self.in_word {
            let ends = match self.open.last() {
                // A word that stands alone goes to the end of its line, or to the next element.
                None => byte == b'\n' || self.in_array && matches!(byte, b',' | b']'),
                Some(_) => matches!(byte, b' ' | b'\t' | b'\r' | b'\n' | b',' | b'}' | b']'),
            };
            if !ends {
                let fits = self.open.is_empty() || !matches!(byte, b'{' | b'[' | b'"' | b':');
                return if fits { Step::More } else { Step::Breaks };
            }
            if self.open.is_empty() {
                return Step::Ended;
            }
            self.in_word = false;
            self.next = Next::Comma;
        }
        match (byte, self.next) {
            (b' ' | b'\t' | b'\r' | b'\n', _) => {}
            (b'"', Next::Value | Next::Key) => self.in_string = true,
            (b'{' | b'[', Next::Value) if self.open.len() < DEPTH_MAX => {
                self.open.push(byte);
                self.next = if byte == b'{' { Next::Key } else { Next::Value };
            }
            (b'}', Next::Key | Next::Comma) if self.open.last() == Some(&b'{') => return self.close(),
            (b']', Next::Value | Next::Comma) if self.open.last() == Some(&b'[') => return self.close(),
            (b':', Next::Colon) => self.next = Next::Value,
            (b',', Next::Comma) => {
                self.next = if self.open.last() == Some(&b'{') { Next::Key } else { Next::Value };
            }
            (b'{' | b'[' | b'}' | b']' | b':' | b',', _) if !self.open.is_empty() => return Step::Breaks,
            (_, Next::Value) => self.in_word = true,
            _ => return Step::Breaks,
        }
        Step::More
    }

    fn push_in_string(&mut self, byte: u8) -> Step {
        match byte {
            // A string has no line break in it, so a missing quote is noticed at the end of the line.
            b'\n' => return Step::Breaks,
            _ if self.escaped => self.escaped = false,
            b'\\' => self.escaped = true,
            b'"' => {
                self.in_string = false;
                if self.open.is_empty() {
                    return Step::Ends;
                }
                self.next = if self.next == Next::Key { Next::Colon } else { Next::Comma };
            }
            _ => {}
        }
        Step::More
    }

    fn close(&mut self) -> Step {
        self.open.pop();
        self.next = Next::Comma;
        if self.open.is_empty() { Step::Ends } else { Step::More }
    }
}

/// The brackets of a value that is broken, followed without regard to anything else in it.
#[derive(Debug, Default)]
pub struct Brackets {
    open: Vec<u8>,
    in_string: bool,
    escaped: bool,
}

impl Brackets {
    /// How much more text it takes until all of them are closed, each by its like: an error once they cannot be.
    pub fn closes_after(&mut self, text: &[u8]) -> Result<Option<usize>, Unclosed> {
        for (at, byte) in text.iter().enumerate() {
            if self.closes_with(*byte)? {
                return Ok(Some(at + 1));
            }
        }
        Ok(None)
    }

    fn closes_with(&mut self, byte: u8) -> Result<bool, Unclosed> {
        match byte {
            b'\n' => (self.in_string, self.escaped) = (false, false),
            _ if self.escaped => self.escaped = false,
            b'\\' => self.escaped = self.in_string,
            b'"' => self.in_string = !self.in_string,
            b'{' | b'[' if !self.in_string => self.open.push(byte),
            b'}' | b']' if !self.in_string => {
                // In ASCII a bracket that closes is two behind the one that opens.
                if self.open.pop() != Some(byte - 2) {
                    return Err(Unclosed);
                }
                return Ok(self.open.is_empty());
            }
            _ => {}
        }
        Ok(false)
    }
}

/// Brackets that never close.
#[derive(Debug)]
pub struct Unclosed;
