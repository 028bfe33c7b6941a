//! The way to a server: its address, how it is recognised, and who asks.

use std::net::IpAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context, Result};
use http::HeaderValue;
use tonic::body::Body;
use tonic::transport::{Certificate, Channel, ClientTlsConfig, Endpoint, Identity};
use tower::ServiceExt;
use tower::util::BoxCloneSyncService;

use crate::exit::Refused;

/// How long a server may take to accept a connection.
const CONNECT_PATIENCE: Duration = Duration::from_secs(10);

/// What may be on its way to a reader: a stream of records waits less for its leave to go on.
const STREAM_WINDOW_BYTES: u32 = 1 << 20;

type BoxError = Box<dyn std::error::Error + Send + Sync>;
/// The way to the services.
pub type Transport = BoxCloneSyncService<http::Request<Body>, http::Response<Body>, BoxError>;

/// A server.
#[derive(Clone, Debug)]
pub struct Remote {
    /// Such as "http://127.0.0.1:7401".
    pub url: String,
    /// A file with the token that says who asks.
    pub token_file: Option<PathBuf>,
    /// The certificates to trust instead of those of the system.
    pub ca: Option<PathBuf>,
    /// The certificate that says who asks, and its private key.
    pub client: Option<(PathBuf, PathBuf)>,
}

impl Remote {
    /// The way there, which is taken at once. `named` is how the server was given: "--server".
    pub async fn connect(&self, named: &str) -> Result<Transport> {
        let (endpoint, token) = self.endpoint(named)?;
        let unreachable = |error| Unreachable(format!("{} cannot be reached: {}", self.url, innermost(&error)));
        Ok(with_token(endpoint.connect().await.map_err(unreachable)?, token))
    }

    /// The way there, which is taken with the first call, and again whenever it was lost.
    pub fn connect_lazily(&self, named: &str) -> Result<Transport> {
        let (endpoint, token) = self.endpoint(named)?;
        Ok(with_token(endpoint.connect_lazy(), token))
    }

    fn endpoint(&self, named: &str) -> Result<(Endpoint, Option<HeaderValue>)> {
        let wrong = |why: String| Refused::Wrong(format!("{named} {}: {why}", self.url));
        let expected = "expected a URL such as http://127.0.0.1:7401";
        let endpoint = Endpoint::from_shared(self.url.clone())
            .map_err(|error| wrong(format!("{error}: {expected}")))?
            .connect_timeout(CONNECT_PATIENCE)
            .initial_stream_window_size(STREAM_WINDOW_BYTES)
            .initial_connection_window_size(2 * STREAM_WINDOW_BYTES);
        let endpoint = match endpoint.uri().scheme_str() {
            Some("http") => endpoint,
            Some("https") => endpoint
                .tls_config(self.tls()?)
                .map_err(|error| wrong(format!("its certificates: {}", innermost(&error))))?,
            _ => return Err(wrong(expected.to_owned()).into()),
        };
        let token = self.token_file.as_deref().map(read_token).transpose()?;
        check_secrecy(&endpoint, token.as_ref()).map_err(wrong)?;
        Ok((endpoint, token))
    }

    fn tls(&self) -> Result<ClientTlsConfig> {
        let read = |path: &Path| std::fs::read(path).with_context(|| format!("read {}", path.display()));
        let mut config = ClientTlsConfig::new();
        config = match &self.ca {
            None => config.with_enabled_roots(),
            Some(ca) => config.ca_certificate(Certificate::from_pem(read(ca)?)),
        };
        if let Some((certificate, key)) = &self.client {
            config = config.identity(Identity::from_pem(read(certificate)?, read(key)?));
        }
        Ok(config)
    }
}

/// Why a server cannot be asked.
#[derive(Debug)]
struct Unreachable(String);

impl std::error::Error for Unreachable {}

impl std::fmt::Display for Unreachable {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.0)
    }
}

fn with_token(channel: Channel, token: Option<HeaderValue>) -> Transport {
    let service = channel.map_request(move |mut request: http::Request<Body>| {
        if let Some(token) = &token {
            request.headers_mut().insert(http::header::AUTHORIZATION, token.clone());
        }
        request
    });
    Transport::new(service.map_err(Into::into))
}

/// Refuses to show a token to whoever is on the way.
fn check_secrecy(endpoint: &Endpoint, token: Option<&HeaderValue>) -> Result<(), String> {
    let uri = endpoint.uri();
    let host = uri.host().unwrap_or_default().trim_start_matches('[').trim_end_matches(']');
    let is_here = host == "localhost" || host.parse::<IpAddr>().is_ok_and(|address| address.is_loopback());
    if token.is_some() && uri.scheme_str() != Some("https") && !is_here {
        return Err("a token is not sent to another machine without TLS: write https://".to_owned());
    }
    Ok(())
}

fn read_token(path: &Path) -> Result<HeaderValue> {
    let token = std::fs::read_to_string(path).with_context(|| format!("read {}", path.display()))?;
    let mut header: HeaderValue = format!("Bearer {}", token.trim())
        .parse()
        .map_err(|_| Refused::Wrong(format!("{} holds no token: expected one line", path.display())))?;
    header.set_sensitive(true);
    Ok(header)
}

fn innermost(error: &dyn std::error::Error) -> String {
    let mut innermost = error;
    while let Some(source) = innermost.source() {
        innermost = source;
    }
    innermost.to_string()
}
