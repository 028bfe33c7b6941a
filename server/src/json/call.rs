//! gRPC calls of services in the same process, with messages as they are encoded.

use axum::body::Bytes;
use http::Extensions;
use http::uri::PathAndQuery;
use tonic::client::Grpc;
use tonic::codec::{Codec, DecodeBuf, Decoder, EncodeBuf, Encoder};
use tonic::service::Routes;
use tonic::{Request, Status, Streaming};

/// The services.
#[derive(Clone)]
pub(crate) struct Caller(Routes);

impl Caller {
    pub(crate) fn new(routes: Routes) -> Self {
        Self(routes)
    }

    /// Calls a method that answers once. The extensions say who calls.
    pub(crate) async fn unary(&self, path: PathAndQuery, message: Bytes, who: Extensions) -> Result<Bytes, Status> {
        let mut client = self.client().await?;
        Ok(client.unary(request(message, who), path, Encoded).await?.into_inner())
    }

    /// Calls a method that answers with a stream.
    pub(crate) async fn stream(
        &self,
        path: PathAndQuery,
        message: Bytes,
        who: Extensions,
    ) -> Result<Streaming<Bytes>, Status> {
        let mut client = self.client().await?;
        Ok(client.server_streaming(request(message, who), path, Encoded).await?.into_inner())
    }

    async fn client(&self) -> Result<Grpc<Routes>, Status> {
        // What the services answer was made here, and is not limited.
        let mut client = Grpc::new(self.0.clone()).max_decoding_message_size(usize::MAX);
        client.ready().await.map_err(|error| Status::unavailable(error.to_string()))?;
        Ok(client)
    }
}

fn request(message: Bytes, who: Extensions) -> Request<Bytes> {
    let (metadata, _, message) = Request::new(message).into_parts();
    Request::from_parts(metadata, who, message)
}

/// Messages that are encoded already.
#[derive(Clone, Copy)]
struct Encoded;

impl Codec for Encoded {
    type Encode = Bytes;
    type Decode = Bytes;
    type Encoder = Self;
    type Decoder = Self;

    fn encoder(&mut self) -> Self {
        *self
    }

    fn decoder(&mut self) -> Self {
        *self
    }
}

impl Encoder for Encoded {
    type Item = Bytes;
    type Error = Status;

    fn encode(&mut self, message: Bytes, buffer: &mut EncodeBuf<'_>) -> Result<(), Status> {
        bytes::BufMut::put(buffer, message);
        Ok(())
    }
}

impl Decoder for Encoded {
    type Item = Bytes;
    type Error = Status;

    fn decode(&mut self, buffer: &mut DecodeBuf<'_>) -> Result<Option<Bytes>, Status> {
        let length = bytes::Buf::remaining(buffer);
        Ok(Some(bytes::Buf::copy_to_bytes(buffer, length)))
    }
}
