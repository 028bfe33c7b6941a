//! The messages of the services in JSON, in the mapping of protobuf.
//!
//! Owns that there is one such mapping in the whole program: that of the generated types, which also the command line
//! prints.

use prost::Message;
use serde::Serialize;
use serde::de::DeserializeOwned;
use tonic::Status;

/// How a message is read and written.
#[derive(Clone, Copy)]
pub(crate) struct Codec {
    /// From JSON to protobuf.
    pub(crate) read: fn(&[u8]) -> Result<Vec<u8>, serde_json::Error>,
    /// From protobuf to JSON.
    pub(crate) write: fn(&[u8]) -> Result<Vec<u8>, Status>,
}

macro_rules! codecs {
    ($($name:literal => $message:ident,)*) => {
        /// How the message of this name is read and written.
        pub(crate) fn of(name: &str) -> Option<Codec> {
            match name {
                $($name => Some(codec::<counterfoil_proto::v1::$message>()),)*
                _ => None,
            }
        }
    };
}
counterfoil_proto::each_message!(codecs);

fn codec<M: Message + Default + Serialize + DeserializeOwned>() -> Codec {
    Codec {
        read: |json| Ok(serde_json::from_slice::<M>(json)?.encode_to_vec()),
        write: |message| {
            let unreadable =
                |error: &dyn std::error::Error| Status::internal(format!("the answer is damaged: {error}"));
            let message = M::decode(message).map_err(|error| unreadable(&error))?;
            serde_json::to_vec(&message).map_err(|error| unreadable(&error))
        },
    }
}
