//! The services that answer, wherever they are: in this process, over a ledger that it opens, or on a server. Both are
//! asked in the same way, and give the same answers.

use std::future::Future;
use std::net::IpAddr;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, Result};
use counterfoil_ledger::Ledger;
use counterfoil_proto::v1::identity_service_client::IdentityServiceClient;
use counterfoil_proto::v1::ingest_service_client::IngestServiceClient;
use counterfoil_proto::v1::ledger_service_client::LedgerServiceClient;
use counterfoil_proto::v1::linkage_service_client::LinkageServiceClient;
use counterfoil_proto::v1::source_service_client::SourceServiceClient;
use counterfoil_proto::v1::{GetCheckpointRequest, GetCheckpointResponse};
use counterfoil_query::services::{Answers, Log, Sight};
use counterfoil_verify::time::Moment;
use pbjson_types::Timestamp;
use tokio::runtime::Runtime;
use tokio::sync::watch;
use tonic::body::Body;
use tonic::service::RoutesBuilder;
use tonic::transport::{Certificate, Channel, ClientTlsConfig, Endpoint, Identity};
use tonic::{Response, Status};
use tower::ServiceExt;
use tower::util::BoxCloneSyncService;

use crate::cli::AskArguments;
use crate::exit::Refused;
use crate::open;
use crate::when;

/// How long a server may take to accept a connection.
const CONNECT_PATIENCE: Duration = Duration::from_secs(10);

type BoxError = Box<dyn std::error::Error + Send + Sync>;
/// The way to the services.
pub type Transport = BoxCloneSyncService<http::Request<Body>, http::Response<Body>, BoxError>;

/// The services, and what keeps them.
pub struct Client {
    transport: Transport,
    runtime: Runtime,
    // Last, so that what reads the ledger is gone before it.
    _ledger: Option<Ledger>,
}

impl Client {
    /// The services of a server, if one is named.
    pub fn of_server(arguments: &AskArguments) -> Result<Option<Self>> {
        arguments.server.as_ref().map(|server| Self::remote(server, arguments)).transpose()
    }

    /// Services that answer from the views and from the log.
    pub fn new(arguments: &AskArguments) -> Result<Self> {
        match &arguments.server {
            Some(server) => Self::remote(server, arguments),
            None => {
                let location = open::location_of(arguments)?;
                let opened = open::views_of(open::ledger(&location, false)?, &location.views())?;
                let (views, ledger) = (Arc::new(opened.views), opened.ledger);
                let (_, reached) = watch::channel(ledger.reader().head().size);
                let mut routes = RoutesBuilder::default();
                Log::new(ledger.reader(), reached.clone()).add_to(&mut routes);
                Answers::new(views, reached, when::now).add_to(&mut routes);
                Self::embedded(routes, ledger)
            }
        }
    }

    /// Services that answer from the log alone: no views are built.
    pub fn of_log(arguments: &AskArguments) -> Result<Self> {
        match &arguments.server {
            Some(server) => Self::remote(server, arguments),
            None => {
                let ledger = open::ledger(&open::location_of(arguments)?, false)?;
                let (_, reached) = watch::channel(ledger.reader().head().size);
                let mut routes = RoutesBuilder::default();
                Log::new(ledger.reader(), reached).add_to(&mut routes);
                Self::embedded(routes, ledger)
            }
        }
    }

    /// Who has the ledger's files may see what lies beside the records.
    fn embedded(routes: RoutesBuilder, ledger: Ledger) -> Result<Self> {
        let service = routes.routes().prepare().map_request(|mut request: http::Request<Body>| {
            request.extensions_mut().insert(Sight { payloads: true });
            request
        });
        let transport = Transport::new(service.map_err(Into::into));
        Ok(Self { transport, runtime: runtime()?, _ledger: Some(ledger) })
    }

    fn remote(server: &str, arguments: &AskArguments) -> Result<Self> {
        let wrong = |why: String| Refused::Wrong(format!("--server {server}: {why}"));
        let mut endpoint = Endpoint::from_shared(server.to_owned())
            .map_err(|error| wrong(format!("{error}: expected a URL such as http://127.0.0.1:7401")))?
            .connect_timeout(CONNECT_PATIENCE);
        let scheme = endpoint.uri().scheme_str().unwrap_or_default().to_owned();
        match scheme.as_str() {
            "http" => {}
            "https" => {
                let wrong = |error| wrong(format!("its certificates: {}", innermost(&error)));
                endpoint = endpoint.tls_config(tls(arguments)?).map_err(wrong)?;
            }
            _ => return Err(wrong("expected a URL such as http://127.0.0.1:7401".to_owned()).into()),
        }
        let token = arguments.token_file.as_deref().map(read_token).transpose()?;
        check_secrecy(&endpoint, token.as_ref()).map_err(wrong)?;
        let runtime = runtime()?;
        let connected: Channel = runtime
            .block_on(endpoint.connect())
            .map_err(|error| Unreachable(format!("{server} cannot be reached: {}", innermost(&error))))?;
        let service = connected.map_request(move |mut request: http::Request<Body>| {
            if let Some(token) = &token {
                request.headers_mut().insert(http::header::AUTHORIZATION, token.clone());
            }
            request
        });
        Ok(Self { transport: Transport::new(service.map_err(Into::into)), runtime, _ledger: None })
    }

    /// Asks `IdentityService`.
    pub fn identity<A, F>(&self, ask: impl FnOnce(IdentityServiceClient<Transport>) -> F) -> Result<A>
    where
        F: Future<Output = Result<Response<A>, Status>>,
    {
        let client = IdentityServiceClient::new(self.transport.clone());
        self.wait(ask(client.max_decoding_message_size(usize::MAX)))
    }

    /// Asks `LinkageService`.
    pub fn linkage<A, F>(&self, ask: impl FnOnce(LinkageServiceClient<Transport>) -> F) -> Result<A>
    where
        F: Future<Output = Result<Response<A>, Status>>,
    {
        let client = LinkageServiceClient::new(self.transport.clone());
        self.wait(ask(client.max_decoding_message_size(usize::MAX)))
    }

    /// Asks `LedgerService`.
    pub fn log<A, F>(&self, ask: impl FnOnce(LedgerServiceClient<Transport>) -> F) -> Result<A>
    where
        F: Future<Output = Result<Response<A>, Status>>,
    {
        let client = LedgerServiceClient::new(self.transport.clone());
        self.wait(ask(client.max_decoding_message_size(usize::MAX)))
    }

    /// Asks `SourceService`.
    pub fn sources<A, F>(&self, ask: impl FnOnce(SourceServiceClient<Transport>) -> F) -> Result<A>
    where
        F: Future<Output = Result<Response<A>, Status>>,
    {
        let client = SourceServiceClient::new(self.transport.clone());
        self.wait(ask(client.max_decoding_message_size(usize::MAX)))
    }

    /// Hands over to `IngestService`, which only servers have.
    pub fn ingest<A, F>(&self, ask: impl FnOnce(IngestServiceClient<Transport>) -> F) -> Result<A>
    where
        F: Future<Output = Result<Response<A>, Status>>,
    {
        let client = IngestServiceClient::new(self.transport.clone());
        self.wait(ask(client.max_decoding_message_size(usize::MAX)))
    }

    fn wait<A>(&self, answer: impl Future<Output = Result<Response<A>, Status>>) -> Result<A> {
        match self.runtime.block_on(answer) {
            Ok(response) => Ok(response.into_inner()),
            Err(status) => Err(NoAnswer(Box::new(status)).into()),
        }
    }

    /// The newest checkpoint.
    pub fn checkpoint(&self) -> Result<GetCheckpointResponse> {
        self.log(|mut log| async move { log.get_checkpoint(GetCheckpointRequest::default()).await })
    }

    /// Says so where a question counts what was known before the ledger began: that is nothing.
    pub fn tell_beginning(&self, known: Option<Moment>) -> Result<()> {
        let Some(known) = known else { return Ok(()) };
        let Some(began) = self.checkpoint()?.began_at else { return Ok(()) };
        if (known.seconds, i64::from(known.nanos)) < (began.seconds, i64::from(began.nanos)) {
            anstream::eprintln!(
                "counterfoil: the ledger began {}, and held 0 records at {}: nothing was known then",
                when::show(began.seconds, began.nanos),
                when::show(known.seconds, known.nanos as i32)
            );
        }
        Ok(())
    }
}

/// Why a question has no answer, in the words of whoever was asked.
#[derive(Debug)]
pub struct NoAnswer(pub Box<Status>);

impl std::error::Error for NoAnswer {}

impl std::fmt::Display for NoAnswer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self.0.message() {
            "" => write!(f, "no answer: {}", self.0.code().description()),
            message => f.write_str(message),
        }
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

/// A time as a request has it.
pub fn timestamp(moment: Option<Moment>) -> Option<Timestamp> {
    moment.map(|moment| Timestamp { seconds: moment.seconds, nanos: moment.nanos as i32 })
}

fn runtime() -> Result<Runtime> {
    tokio::runtime::Builder::new_current_thread().enable_all().build().context("no runtime can be started")
}

fn tls(arguments: &AskArguments) -> Result<ClientTlsConfig> {
    let read = |path: &Path| std::fs::read(path).with_context(|| format!("read {}", path.display()));
    let mut config = ClientTlsConfig::new();
    config = match &arguments.ca {
        None => config.with_enabled_roots(),
        Some(ca) => config.ca_certificate(Certificate::from_pem(read(ca)?)),
    };
    if let Some((certificate, key)) = arguments.client_cert.as_deref().zip(arguments.client_key.as_deref()) {
        config = config.identity(Identity::from_pem(read(certificate)?, read(key)?));
    }
    Ok(config)
}

/// Refuses to show a token to whoever is on the way.
fn check_secrecy(endpoint: &Endpoint, token: Option<&http::HeaderValue>) -> Result<(), String> {
    let uri = endpoint.uri();
    let host = uri.host().unwrap_or_default().trim_start_matches('[').trim_end_matches(']');
    let is_here = host == "localhost" || host.parse::<IpAddr>().is_ok_and(|address| address.is_loopback());
    if token.is_some() && uri.scheme_str() != Some("https") && !is_here {
        return Err("a token is not sent to another machine without TLS: write https://".to_owned());
    }
    Ok(())
}

fn read_token(path: &Path) -> Result<http::HeaderValue> {
    let token = std::fs::read_to_string(path).with_context(|| format!("read {}", path.display()))?;
    let mut header: http::HeaderValue = format!("Bearer {}", token.trim())
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
