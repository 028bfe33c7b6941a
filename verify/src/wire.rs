//! A protobuf message in canonical form, read where it lies: nothing is copied.
//!
//! Owns which bytes [`Message::encode`] gives: fields in the order of their numbers, no value that is left out as the default,
//! no number longer than it has to be. What it refuses may still be a message: whoever decodes it and writes it again says
//! why it is not canonical.

use prost::Message;

/// Bytes of a number of 64 bits, 7 of them in each.
const VARINT_BYTES_MAX: usize = 10;

/// Not what a message in canonical form has, at least not in a field that is read here.
#[derive(Debug)]
pub struct Strange;

/// The fields of a message, one after another.
pub struct Fields<'a> {
    rest: &'a [u8],
    last: u32,
    /// The one field of the message that may come again.
    repeated: u32,
}

/// What a field holds.
#[derive(Clone, Copy)]
pub enum Value<'a> {
    Number(u64),
    Bytes(&'a [u8]),
}

impl<'a> Fields<'a> {
    /// Of a message in which no field is repeated.
    pub fn of(message: &'a [u8]) -> Self {
        Self::repeating(message, 0)
    }

    /// Of a message in which one field is repeated.
    pub fn repeating(message: &'a [u8], repeated: u32) -> Self {
        Self { rest: message, last: 0, repeated }
    }

    /// The next field with its number, which is above that of the one before; none at the end.
    #[inline(always)]
    pub fn next(&mut self) -> Result<Option<(u32, Value<'a>)>, Strange> {
        if self.rest.is_empty() {
            return Ok(None);
        }
        let key = varint(&mut self.rest)?;
        let number = u32::try_from(key >> 3).map_err(|_| Strange)?;
        let is_next = number > self.last || (number == self.last && number == self.repeated && number > 0);
        if !is_next {
            return Err(Strange);
        }
        self.last = number;
        let value = match key & 7 {
            0 => Value::Number(varint(&mut self.rest)?),
            2 => {
                let length = usize::try_from(varint(&mut self.rest)?).map_err(|_| Strange)?;
                let (bytes, behind) = self.rest.split_at_checked(length).ok_or(Strange)?;
                self.rest = behind;
                Value::Bytes(bytes)
            }
            _ => return Err(Strange),
        };
        Ok(Some((number, value)))
    }

    /// What was not read yet.
    pub fn rest(&self) -> &'a [u8] {
        self.rest
    }
}

impl<'a> Value<'a> {
    /// A `uint64`.
    #[inline]
    pub fn number(self) -> Result<u64, Strange> {
        match self {
            Self::Number(number) if number != 0 => Ok(number),
            _ => Err(Strange),
        }
    }

    /// A `uint32`.
    #[inline]
    pub fn small(self) -> Result<u32, Strange> {
        u32::try_from(self.number()?).map_err(|_| Strange)
    }

    /// A `sint64`.
    #[inline]
    pub fn signed(self) -> Result<i64, Strange> {
        let number = self.number()?;
        Ok((number >> 1) as i64 ^ -((number & 1) as i64))
    }

    /// An enum. No rule knows a negative one.
    #[inline]
    pub fn enumeration(self) -> Result<i32, Strange> {
        i32::try_from(self.number()?).map_err(|_| Strange)
    }

    /// `bytes`, or a `string` of which a rule says what it may have.
    #[inline]
    pub fn bytes(self) -> Result<&'a [u8], Strange> {
        self.message().and_then(|bytes| if bytes.is_empty() { Err(Strange) } else { Ok(bytes) })
    }

    /// A message, or one of repeated bytes: these are there even where they are empty.
    #[inline]
    pub fn message(self) -> Result<&'a [u8], Strange> {
        match self {
            Self::Bytes(bytes) => Ok(bytes),
            Self::Number(_) => Err(Strange),
        }
    }

    /// A message that is decoded after all, and written again to see that it is canonical.
    pub fn decoded<M: Message + Default>(self) -> Result<M, Strange> {
        let bytes = self.message()?;
        let message = M::decode(bytes).map_err(|_| Strange)?;
        if message.encode_to_vec() == bytes { Ok(message) } else { Err(Strange) }
    }
}

/// A number, in as few bytes as it has to have.
#[inline(always)]
fn varint(rest: &mut &[u8]) -> Result<u64, Strange> {
    match rest.split_first() {
        // Nearly all are keys and lengths of one byte.
        Some((&byte, behind)) if byte < 0x80 => {
            *rest = behind;
            Ok(byte.into())
        }
        _ => longer_varint(rest),
    }
}

fn longer_varint(rest: &mut &[u8]) -> Result<u64, Strange> {
    let mut number = 0;
    for (place, &byte) in rest.iter().enumerate().take(VARINT_BYTES_MAX) {
        // The tenth byte has room for one bit alone.
        if place + 1 == VARINT_BYTES_MAX && byte > 1 {
            break;
        }
        number |= u64::from(byte & 0x7f) << (7 * place);
        if byte < 0x80 {
            *rest = &rest[place + 1..];
            return if byte == 0 { Err(Strange) } else { Ok(number) };
        }
    }
    Err(Strange)
}
