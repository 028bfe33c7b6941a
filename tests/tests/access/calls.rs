//! Calls of any method with any bytes, and requests of HTTP/1.1 as they are written.
//!
//! Owns what the tests know of the services: their methods, roles and routes, read from the text of the .proto files.

use std::fs;
use std::io::{Read, Write};
use std::net::TcpStream;
use std::path::Path;
use std::time::Duration;

use bytes::{Buf, BufMut};
use counterfoil_tests::program::LedgerFolder;
use counterfoil_tests::server::Server;
use http::uri::PathAndQuery;
use tokio::runtime::Runtime;
use tonic::client::Grpc;
use tonic::codec::{BufferSettings, Codec, DecodeBuf, Decoder, EncodeBuf, Encoder};
use tonic::transport::{Channel, ClientTlsConfig, Endpoint};
use tonic::{Request, Status, Streaming};
use tonic_types::StatusExt;

pub const ROLES: [&str; 4] = ["read", "payload", "write", "operate"];

/// A method, as the .proto files have it.
pub struct Method {
    /// Such as `/counterfoil.v1.LedgerService/GetRecord`.
    pub path: String,
    pub role: String,
    /// Verb and template of its route, if it has one.
    pub route: Option<(String, String)>,
}

/// Every method of every service.
pub fn methods() -> Vec<Method> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap().join("proto/counterfoil/v1");
    let mut methods = Vec::new();
    for file in fs::read_dir(folder).unwrap() {
        let text = fs::read_to_string(file.unwrap().path()).unwrap();
        let mut service = "";
        for line in text.lines().map(str::trim) {
            let between = |before: &str, after: &str| Some(line.split_once(before)?.1.split_once(after)?.0.to_owned());
            if let Some(name) = line.strip_prefix("service ") {
                service = name.trim_end_matches(" {");
            } else if let Some(name) = line.strip_prefix("rpc ").and_then(|rest| rest.split_once('(')) {
                let path = format!("/counterfoil.v1.{service}/{}", name.0);
                methods.push(Method { path, role: String::new(), route: None });
            } else if let Some(role) = between("option (role) = ROLE_", ";") {
                methods.last_mut().unwrap().role = role.to_lowercase();
            } else if let Some(template) = between("get: \"", "\"") {
                methods.last_mut().unwrap().route = Some(("GET".to_owned(), template));
            } else if let Some(template) = between("post: \"", "\"") {
                methods.last_mut().unwrap().route = Some(("POST".to_owned(), template));
            }
        }
    }
    assert!(methods.len() > 15 && methods.iter().all(|method| !method.role.is_empty()));
    methods
}

/// Makes a token; the server has to be started, or to notice.
pub fn token(ledger: &LedgerFolder, name: &str, roles: &[&str]) -> String {
    let mut arguments = vec!["token", "create", "--name", name, "--expires", "3650d"];
    arguments.extend(roles.iter().flat_map(|role| ["--role", role]));
    ledger.run(&arguments).ended(0).text().trim().to_owned()
}

/// A client of a server.
pub struct Client {
    runtime: Runtime,
    channel: Channel,
}

impl Client {
    /// Connects without TLS.
    pub fn plain(server: &Server) -> Self {
        Self::connect(&server.url(), None, None).unwrap()
    }

    /// Connects; `authority` is whom the client believes to call.
    pub fn connect(url: &str, tls: Option<ClientTlsConfig>, authority: Option<&str>) -> Result<Self, String> {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        let mut endpoint = Endpoint::from_shared(url.to_owned()).unwrap();
        if let Some(authority) = authority {
            endpoint = endpoint.origin(authority.parse().unwrap());
        }
        if let Some(tls) = tls {
            endpoint = endpoint.tls_config(tls).map_err(|error| format!("{error:?}"))?;
        }
        let channel = runtime.block_on(endpoint.connect()).map_err(|error| format!("{error:?}"))?;
        Ok(Self { runtime, channel })
    }

    /// Calls a method with a token: all messages of the answer, or why there are none.
    pub fn call(&self, path: &str, token: Option<&str>, request: &[u8]) -> Result<Vec<Vec<u8>>, Status> {
        let authorization = token.map(|token| format!("Bearer {token}"));
        self.call_with(
            path,
            &authorization.iter().map(|value| ("authorization", &value[..])).collect::<Vec<_>>(),
            request,
        )
    }

    /// The same, with these headers.
    pub fn call_with(
        &self,
        path: &str,
        headers: &[(&'static str, &str)],
        request: &[u8],
    ) -> Result<Vec<Vec<u8>>, Status> {
        let mut stream = self.open(path, headers, request)?;
        let mut messages = Vec::new();
        while let Some(message) = self.next(&mut stream)? {
            messages.push(message);
        }
        Ok(messages)
    }

    /// Calls a method, and reads nothing yet.
    pub fn open(
        &self,
        path: &str,
        headers: &[(&'static str, &str)],
        request: &[u8],
    ) -> Result<Streaming<Vec<u8>>, Status> {
        let mut asked = Request::new(tokio_stream::once(request.to_vec()));
        for (name, value) in headers {
            asked.metadata_mut().append(*name, value.parse().unwrap());
        }
        let path = PathAndQuery::try_from(path).unwrap();
        self.runtime.block_on(async {
            let mut grpc = Grpc::new(self.channel.clone()).max_decoding_message_size(usize::MAX);
            grpc.ready().await.map_err(|error| Status::unknown(format!("{error:?}")))?;
            Ok(grpc.streaming(asked, path, Bytes).await?.into_inner())
        })
    }

    /// The next message.
    pub fn next(&self, stream: &mut Streaming<Vec<u8>>) -> Result<Option<Vec<u8>>, Status> {
        self.runtime.block_on(stream.message())
    }

    /// Lets others work for a moment.
    pub fn pause(&self) {
        self.runtime.block_on(async { tokio::time::sleep(Duration::from_millis(20)).await });
    }
}

/// The reason of an error, for programs.
pub fn reason(status: &Status) -> String {
    status.get_details_error_info().map(|info| format!("{}/{}", info.domain, info.reason)).unwrap_or_default()
}

/// Messages as they are on the wire.
struct Bytes;

impl Codec for Bytes {
    type Encode = Vec<u8>;
    type Decode = Vec<u8>;
    type Encoder = Self;
    type Decoder = Self;

    fn encoder(&mut self) -> Self {
        Self
    }

    fn decoder(&mut self) -> Self {
        Self
    }
}

impl Encoder for Bytes {
    type Item = Vec<u8>;
    type Error = Status;

    fn encode(&mut self, item: Vec<u8>, out: &mut EncodeBuf<'_>) -> Result<(), Status> {
        out.put_slice(&item);
        Ok(())
    }

    fn buffer_settings(&self) -> BufferSettings {
        BufferSettings::default()
    }
}

impl Decoder for Bytes {
    type Item = Vec<u8>;
    type Error = Status;

    fn decode(&mut self, input: &mut DecodeBuf<'_>) -> Result<Option<Vec<u8>>, Status> {
        let mut item = vec![0; input.remaining()];
        input.copy_to_slice(&mut item);
        Ok(Some(item))
    }

    fn buffer_settings(&self) -> BufferSettings {
        BufferSettings::default()
    }
}

/// An answer of HTTP/1.1.
pub struct Answer {
    pub code: u16,
    /// Names in lower case.
    pub headers: Vec<(String, String)>,
    pub body: String,
}

impl Answer {
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(found, _)| found == name).map(|(_, value)| &value[..])
    }
}

/// Sends a request of HTTP/1.1 over a connection, and reads the answer up to its end.
pub fn converse(mut stream: impl Read + Write, line: &str, headers: &[&str], body: &str) -> Answer {
    let headers: String = headers.iter().map(|header| format!("{header}\r\n")).collect();
    let length = body.len();
    let request = format!("{line} HTTP/1.1\r\nconnection: close\r\ncontent-length: {length}\r\n{headers}\r\n{body}");
    stream.write_all(request.as_bytes()).unwrap();
    let mut answer = Vec::new();
    // A peer that closes without a word has said all that it will.
    let _ = stream.read_to_end(&mut answer);
    let answer = String::from_utf8(answer).unwrap();
    let (head, body) = answer.split_once("\r\n\r\n").unwrap_or((&answer, ""));
    let mut lines = head.lines();
    let code = lines.next().and_then(|line| line.split(' ').nth(1)).and_then(|code| code.parse().ok()).unwrap_or(0);
    let header = |line: &str| line.split_once(": ").map(|(name, value)| (name.to_lowercase(), value.to_owned()));
    Answer { code, headers: lines.filter_map(header).collect(), body: body.to_owned() }
}

/// The same, over a new connection without TLS, to the host that it is.
pub fn http(server: &Server, line: &str, headers: &[&str]) -> Answer {
    let host = format!("host: {}", server.address);
    converse(TcpStream::connect(&server.address).unwrap(), line, &[&[&host[..]], headers].concat(), "")
}
