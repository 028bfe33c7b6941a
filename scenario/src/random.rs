//! The one source of chance: a ChaCha stream that depends on a seed and a purpose, on nothing else.
//! Owns every draw and the shapes of made-up ids. Never reads a clock or the system's randomness.

use jiff::SignedDuration;
use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::{Rng, SeedableRng};

/// A stream of draws. Two purposes of one seed are independent streams.
pub(crate) struct Random(ChaCha8Rng);

impl Random {
    /// The stream of `seed` for `purpose`; only the first 24 bytes of the purpose count.
    pub(crate) fn new(seed: u64, purpose: &str) -> Random {
        let mut key = [0; 32];
        key[..8].copy_from_slice(&seed.to_le_bytes());
        for (slot, byte) in key[8..].iter_mut().zip(purpose.bytes()) {
            *slot = byte;
        }
        Random(ChaCha8Rng::from_seed(key))
    }

    /// A number in `0..bound`; `bound` is at least 1. The bias is below 2⁻³² for every bound used here.
    pub(crate) fn below(&mut self, bound: u64) -> u64 {
        ((u128::from(self.0.next_u64()) * u128::from(bound)) >> 64) as u64
    }

    /// A number in `low..high`, or `low` where the range is empty.
    pub(crate) fn between(&mut self, low: i64, high: i64) -> i64 {
        low + self.below((high - low).max(1) as u64) as i64
    }

    /// True in `percent` of 100 draws.
    pub(crate) fn chance(&mut self, percent: u64) -> bool {
        self.below(100) < percent
    }

    /// One of `items`, which is never empty.
    pub(crate) fn pick<'a, T>(&mut self, items: &'a [T]) -> &'a T {
        &items[self.below(items.len() as u64) as usize]
    }

    pub(crate) fn shuffle<T>(&mut self, items: &mut [T]) {
        for last in (1..items.len()).rev() {
            items.swap(last, self.below(last as u64 + 1) as usize);
        }
    }

    /// Part of a second, as Okta's times have it and Freshservice's have not.
    pub(crate) fn milliseconds(&mut self) -> SignedDuration {
        SignedDuration::from_millis(self.between(1, 1000))
    }

    /// The 128 bits of a version 4 UUID.
    pub(crate) fn uuid(&mut self) -> u128 {
        let bits = u128::from(self.0.next_u64()) << 64 | u128::from(self.0.next_u64());
        bits & !(0xf << 76) & !(0x3 << 62) | 0x4 << 76 | 0x2 << 62
    }

    /// An id as Okta makes them: a prefix of three characters and 17 of base 62.
    pub(crate) fn okta_id(&mut self, prefix: &str) -> String {
        const BASE62: &[u8; 62] = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
        let tail = (0..17).map(|_| char::from(*self.pick(BASE62)));
        prefix.chars().chain(tail).collect()
    }

    /// 32 lower-case hexadecimal digits, as in Okta's request ids.
    pub(crate) fn hex(&mut self) -> String {
        format!("{:016x}{:016x}", self.0.next_u64(), self.0.next_u64())
    }
}

/// 128 bits as text, as [`Random::hex`] writes them.
pub(crate) fn hex_text(bits: u128) -> String {
    format!("{bits:032x}")
}

/// A UUID as text.
pub(crate) fn uuid_text(bits: u128) -> String {
    let hex = hex_text(bits);
    format!("{}-{}-{}-{}-{}", &hex[..8], &hex[8..12], &hex[12..16], &hex[16..20], &hex[20..])
}
