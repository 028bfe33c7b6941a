//! One request to a server that is not ours: HTTP/1.1, with TLS or without, on a connection of its own.
//!
//! Owns its limits. It follows no redirect, and sends nothing that says who asks.

use std::sync::Arc;
use std::time::Duration;

use axum::body::Body;
use bytes::Bytes;
use http::header::{CONTENT_TYPE, HOST, HeaderValue};
use http::{Method, Request, StatusCode, Uri};
use http_body_util::{BodyExt, Limited};
use hyper::client::conn::http1;
use hyper_util::rt::TokioIo;
use rustls::pki_types::ServerName;
use rustls::{ClientConfig, RootCertStore};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;

/// How long a request may take, from the connection to the last byte of the answer.
const PATIENCE: Duration = Duration::from_secs(10);
/// The largest answer.
const ANSWER_BYTES_MAX: usize = 64 << 10;

/// Where requests go.
pub(super) struct Place {
    uri: Uri,
    host: String,
    port: u16,
    authority: HeaderValue,
    tls: Option<TlsConnector>,
}

impl Place {
    /// The place behind a URL.
    ///
    /// # Errors
    /// What is wrong with it.
    pub(super) fn new(url: &str, path: &str) -> Result<Self, String> {
        let expected = || format!("expected a URL such as https://witness.example.com, got {url:?}");
        let uri: Uri = format!("{}{path}", url.trim_end_matches('/')).parse().map_err(|_| expected())?;
        let (Some(authority), Some(host)) = (uri.authority(), uri.host()) else { return Err(expected()) };
        let authority = HeaderValue::from_str(authority.as_str()).map_err(|_| expected())?;
        let (tls, port) = match uri.scheme_str() {
            Some("http") => (None, 80),
            Some("https") => (Some(connector()?), 443),
            _ => return Err(expected()),
        };
        let host = host.trim_start_matches('[').trim_end_matches(']').to_owned();
        let port = uri.port_u16().unwrap_or(port);
        Ok(Self { host, port, authority, tls, uri })
    }

    /// Posts a text.
    ///
    /// # Errors
    /// Why there is no answer.
    pub(super) async fn post(&self, body: Vec<u8>) -> Result<(StatusCode, Bytes), String> {
        let answered = tokio::time::timeout(PATIENCE, self.exchange(body)).await;
        answered.unwrap_or_else(|_| Err(format!("no answer within {} s", PATIENCE.as_secs())))
    }

    async fn exchange(&self, body: Vec<u8>) -> Result<(StatusCode, Bytes), String> {
        let stream = TcpStream::connect((self.host.as_str(), self.port)).await;
        let stream = stream.map_err(|error| format!("it cannot be reached: {error}"))?;
        match &self.tls {
            None => self.send(stream, body).await,
            Some(tls) => {
                let name = ServerName::try_from(self.host.clone()).map_err(|error| error.to_string())?;
                let stream = tls.connect(name, stream).await;
                self.send(stream.map_err(|error| format!("its TLS: {error}"))?, body).await
            }
        }
    }

    async fn send(
        &self,
        stream: impl AsyncRead + AsyncWrite + Unpin + Send + 'static,
        body: Vec<u8>,
    ) -> Result<(StatusCode, Bytes), String> {
        let told = |error: hyper::Error| format!("the connection: {error}");
        let (mut sender, connection) = http1::handshake(TokioIo::new(stream)).await.map_err(told)?;
        // It ends with the sender; what goes wrong with it, the sender says.
        tokio::spawn(connection);
        let path = self.uri.path_and_query().map_or("/", |path| path.as_str());
        let request = Request::builder()
            .method(Method::POST)
            .uri(path)
            .header(HOST, self.authority.clone())
            .header(CONTENT_TYPE, "text/plain; charset=utf-8")
            .body(Body::from(body))
            .map_err(|error| error.to_string())?;
        let (head, body) = sender.send_request(request).await.map_err(told)?.into_parts();
        let body = Limited::new(body, ANSWER_BYTES_MAX).collect().await;
        Ok((head.status, body.map_err(|error| format!("its answer: {error}"))?.to_bytes()))
    }
}

/// TLS with the certificates of the system.
fn connector() -> Result<TlsConnector, String> {
    let mut roots = RootCertStore::empty();
    let found = rustls_native_certs::load_native_certs();
    let (added, _) = roots.add_parsable_certificates(found.certs);
    if added == 0 {
        return Err("https needs certificates of the system, and none can be read: install ca-certificates".to_owned());
    }
    let config = ClientConfig::builder().with_root_certificates(roots).with_no_client_auth();
    Ok(TlsConnector::from(Arc::new(config)))
}
