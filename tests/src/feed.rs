//! Clients that send events until the server is gone, and the log of what it acknowledged, which lives in another process
//! than the server.
//!
//! Owns which events were sent and acknowledged: one that was not is sent again to the next server, as any producer does.

use std::collections::BTreeMap;
use std::io::{Read, Write};
use std::net::TcpStream;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use base64::prelude::{BASE64_STANDARD, Engine};
use counterfoil_proto::v1::ingest_service_client::IngestServiceClient;
use counterfoil_proto::v1::{AppendRequest, AppendResponse, Appended};
use serde_json::Value;
use tonic::transport::Channel;

use crate::okta;
use crate::oracle::Place;

const PUBLISHED: &str = "2026-03-01T10:00:00.000Z";

/// Which events were sent, and what of them was acknowledged.
#[derive(Default)]
pub struct Feed {
    sent: AtomicU32,
    again: Mutex<Vec<u32>>,
    acknowledged: Mutex<BTreeMap<u32, Place>>,
}

/// The bytes of an event of that number.
pub fn event(number: u32) -> Vec<u8> {
    okta::joined(number, PUBLISHED, number, 1).to_string().into_bytes()
}

impl Feed {
    /// The ids of all events that were sent.
    pub fn sent(&self) -> Vec<String> {
        (0..self.sent.load(Ordering::SeqCst)).map(okta::uuid).collect()
    }

    /// What was acknowledged, and as what.
    pub fn acknowledged(&self) -> BTreeMap<String, Place> {
        let acknowledged = self.acknowledged.lock().unwrap_or_else(PoisonError::into_inner);
        acknowledged.iter().map(|(number, place)| (okta::uuid(*number), place.clone())).collect()
    }

    /// Whether everything that was sent was acknowledged.
    pub fn is_settled(&self) -> bool {
        self.again.lock().unwrap_or_else(PoisonError::into_inner).is_empty()
    }

    /// Sends events over HTTP, each by itself, until one is not acknowledged.
    pub fn post(&self, address: &str) {
        while self.send(|number| post(address, number)) {}
    }

    /// Sends events over gRPC, each by itself, until one is not acknowledged.
    ///
    /// # Panics
    /// If there is no thread for it.
    pub fn call(&self, address: &str) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
        let Ok(channel) = Channel::from_shared(format!("http://{address}")) else { return };
        let Ok(channel) = runtime.block_on(channel.connect()) else { return };
        let mut client = IngestServiceClient::new(channel);
        while self.send(|number| runtime.block_on(call(&mut client, number)).ok()) {}
    }

    /// Sends again, over HTTP, what was not acknowledged. Whether now everything is.
    pub fn settle(&self, address: &str) -> bool {
        while !self.is_settled() {
            if !self.send(|number| post(address, number)) {
                return false;
            }
        }
        true
    }

    /// Sends one event, again or a new one. Whether it was acknowledged.
    ///
    /// # Panics
    /// If it was acknowledged before, and somewhere else.
    pub fn send(&self, deliver: impl FnOnce(u32) -> Option<Place>) -> bool {
        let again = self.again.lock().unwrap_or_else(PoisonError::into_inner).pop();
        let number = again.unwrap_or_else(|| self.sent.fetch_add(1, Ordering::SeqCst));
        match deliver(number) {
            Some(place) => {
                self.acknowledged.lock().unwrap_or_else(PoisonError::into_inner).insert(number, place);
                true
            }
            None => {
                self.again.lock().unwrap_or_else(PoisonError::into_inner).push(number);
                false
            }
        }
    }
}

/// Posts an event over a connection of its own: where it is, if the server says so.
pub fn post(address: &str, number: u32) -> Option<Place> {
    let body = event(number);
    let head = format!(
        "POST /v1/ingest/okta HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nConnection: close\r\n\
         Content-Length: {}\r\n\r\n",
        body.len()
    );
    let mut stream = TcpStream::connect(address).ok()?;
    stream.set_read_timeout(Some(Duration::from_secs(60))).ok()?;
    stream.write_all(&[head.as_bytes(), &body].concat()).ok()?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer).ok()?;
    let body = answer.strip_prefix("HTTP/1.1 200 ")?.split_once("\r\n\r\n")?.1;
    let receipt: Value = serde_json::from_str(body).ok()?;
    let event = &receipt["events"][0];
    let is_there = ["APPENDED_RECORDED", "APPENDED_DUPLICATE"].map(Value::from).contains(&event["outcome"]);
    let leaf = BASE64_STANDARD.decode(event["leafHash"].as_str()?).ok()?;
    is_there.then_some((event["index"].as_str()?.parse().ok()?, leaf))
}

/// Appends an event over gRPC: where it is.
///
/// # Errors
/// What the server says instead.
pub async fn call(client: &mut IngestServiceClient<Channel>, number: u32) -> Result<Place, tonic::Status> {
    let documents = vec![event(number)];
    let request = AppendRequest { connector: "okta".to_owned(), documents, ..AppendRequest::default() };
    let receipt: AppendResponse = client.append(request).await?.into_inner();
    let [event] = &receipt.events[..] else { return Err(tonic::Status::internal("expected one event")) };
    match event.outcome() {
        Appended::Recorded | Appended::Duplicate => Ok((event.index, event.leaf_hash.clone())),
        other => Err(tonic::Status::internal(format!("{other:?}"))),
    }
}
