//! A message that stands in many answers, or many times in one.
//!
//! Owns that it is copied and encoded once: in an answer of many rows, most of the bytes are what the same few entities are
//! called. On the wire and in JSON it is the message that it holds.

use std::hash::{Hash, Hasher};
use std::ops::Deref;
use std::sync::{Arc, OnceLock};

use prost::bytes::{Buf, BufMut};
use prost::encoding::{DecodeContext, WireType};
use prost::{DecodeError, Message};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// A shared message. Cloning it is cheap.
#[derive(Clone, Debug, Default)]
pub struct Shared<M>(Arc<Kept<M>>);

#[derive(Debug, Default)]
struct Kept<M> {
    message: M,
    /// Its bytes, from when they are first asked for.
    encoded: OnceLock<Box<[u8]>>,
}

impl<M: Message> Shared<M> {
    fn encoded(&self) -> &[u8] {
        self.0.encoded.get_or_init(|| self.0.message.encode_to_vec().into())
    }
}

impl<M: Clone> Shared<M> {
    /// The message, to be changed: for whoever else holds it, it stays as it is.
    pub fn to_mut(&mut self) -> &mut M {
        if Arc::get_mut(&mut self.0).is_none() {
            *self = Self::from(self.0.message.clone());
        }
        let kept = Arc::get_mut(&mut self.0).expect("nobody else holds it");
        kept.encoded.take();
        &mut kept.message
    }
}

impl<M> From<M> for Shared<M> {
    fn from(message: M) -> Self {
        Self(Arc::new(Kept { message, encoded: OnceLock::new() }))
    }
}

impl<M> Deref for Shared<M> {
    type Target = M;

    fn deref(&self) -> &M {
        &self.0.message
    }
}

impl<M: PartialEq> PartialEq for Shared<M> {
    fn eq(&self, other: &Self) -> bool {
        **self == **other
    }
}

impl<M: Eq> Eq for Shared<M> {}

impl<M: Hash> Hash for Shared<M> {
    fn hash<H: Hasher>(&self, state: &mut H) {
        (**self).hash(state);
    }
}

impl<M: Message + Clone + Default> Message for Shared<M> {
    fn encode_raw(&self, buffer: &mut impl BufMut) {
        buffer.put_slice(self.encoded());
    }

    fn merge_field(
        &mut self,
        tag: u32,
        wire_type: WireType,
        buffer: &mut impl Buf,
        context: DecodeContext,
    ) -> Result<(), DecodeError> {
        self.to_mut().merge_field(tag, wire_type, buffer, context)
    }

    fn encoded_len(&self) -> usize {
        self.encoded().len()
    }

    fn clear(&mut self) {
        *self = Self::default();
    }
}

impl<M: Serialize> Serialize for Shared<M> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        (**self).serialize(serializer)
    }
}

impl<'de, M: Deserialize<'de>> Deserialize<'de> for Shared<M> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        M::deserialize(deserializer).map(Self::from)
    }
}

#[cfg(test)]
mod tests {
    use crate::v1::{GrantState, Party};

    use super::*;

    fn party(name: &str) -> Party {
        Party { id: "account:okta:default:00u1".to_owned(), name: name.to_owned(), ..Party::default() }
    }

    #[test]
    fn it_is_on_the_wire_and_in_json_what_it_holds() {
        for name in ["", "Yuki"] {
            let (plain, shared) = (party(name), Shared::from(party(name)));
            for _ in 0..2 {
                assert_eq!(shared.encode_to_vec(), plain.encode_to_vec());
                assert_eq!(shared.encoded_len(), plain.encoded_len());
            }
            assert_eq!(Shared::<Party>::decode(&plain.encode_to_vec()[..]), Ok(shared.clone()));
            let json = serde_json::to_value(&plain).unwrap();
            assert_eq!(serde_json::to_value(&shared).unwrap(), json);
            assert_eq!(serde_json::from_value::<Shared<Party>>(json).unwrap(), shared);
            let grant = GrantState { counterpart: Some(shared.clone()), actor: Some(shared), ..GrantState::default() };
            assert_eq!(GrantState::decode(&grant.encode_to_vec()[..]), Ok(grant));
        }
    }

    #[test]
    fn a_change_is_in_the_bytes_and_nobody_elses() {
        let mut one = Shared::from(party("Yuki"));
        let other = one.clone();
        assert_eq!(one.encoded_len(), other.encoded_len());
        one.to_mut().name = "Yuki Moreau".to_owned();
        assert_eq!(one.encode_to_vec(), party("Yuki Moreau").encode_to_vec());
        assert_eq!(other.encode_to_vec(), party("Yuki").encode_to_vec());
        one.to_mut().name.clear();
        assert_eq!(one.encode_to_vec(), party("").encode_to_vec());
    }
}
