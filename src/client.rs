//! The services that answer, wherever they are: in this process, over a ledger that it opens, or on a server. Both are
//! asked in the same way, and give the same answers.

use std::future::Future;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, Result, anyhow};
use counterfoil_ingest::intake::Intake;
use counterfoil_ingest::retry::Retries;
use counterfoil_ingest::sources::grpc::{Ingest, Producer, Seer};
use counterfoil_ingest::sources::pages::Listings;
use counterfoil_ingest::sources::redactions::Operator;
use counterfoil_ledger::Ledger;
use counterfoil_proto::v1::identity_service_client::IdentityServiceClient;
use counterfoil_proto::v1::ingest_service_client::IngestServiceClient;
use counterfoil_proto::v1::ledger_service_client::LedgerServiceClient;
use counterfoil_proto::v1::linkage_service_client::LinkageServiceClient;
use counterfoil_proto::v1::proof_service_client::ProofServiceClient;
use counterfoil_proto::v1::source_service_client::SourceServiceClient;
use counterfoil_proto::v1::{Authentication, GetCheckpointRequest, GetCheckpointResponse};
use counterfoil_query::services::{Answers, Log, Progress, Sight};
use counterfoil_verify::time::Moment;
use http::StatusCode;
use http_body_util::{BodyExt, Limited};
use pbjson_types::Timestamp;
use tokio::runtime::Runtime;
use tonic::body::Body;
use tonic::service::RoutesBuilder;
use tonic::{Response, Status};
use tower::ServiceExt;

use crate::cli::AskArguments;
use crate::exit::Refused;
use crate::open;
use crate::transport::{Remote, Transport};
use crate::when;

/// Why a server is not told that its clock is right.
pub const CLOCK_OF_SERVER: &str = "--accept-clock is for whoever has the ledger: start the server with it";

/// The services, and what keeps them.
pub struct Client {
    transport: Transport,
    runtime: Runtime,
    // Last, so that what reads the ledger is gone before it.
    #[cfg_attr(not(feature = "cose"), expect(dead_code, reason = "it is kept for as long as it is read"))]
    ledger: Option<Arc<Ledger>>,
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
                let (routes, ledger) = answering(arguments, false)?;
                Self::embedded(routes, ledger)
            }
        }
    }

    /// The same, which take dead letters again.
    pub fn retrying(arguments: &AskArguments, accept_clock: bool) -> Result<Self> {
        match &arguments.server {
            Some(_) if accept_clock => Err(Refused::Wrong(CLOCK_OF_SERVER.to_owned()).into()),
            Some(server) => Self::remote(server, arguments),
            None => {
                let (mut routes, ledger) = answering(arguments, accept_clock)?;
                add_ingest(&mut routes, &ledger, None);
                Self::embedded(routes, ledger)
            }
        }
    }

    /// Services that append, and answer from the log alone: no views are built.
    pub fn appending(arguments: &AskArguments, accept_clock: bool) -> Result<Self> {
        Self::intake(arguments, accept_clock, None)
    }

    /// Services that make backups, without a server in this folder.
    pub fn backing_up(arguments: &AskArguments, to: Option<PathBuf>) -> Result<Self> {
        Self::intake(arguments, false, to)
    }

    fn intake(arguments: &AskArguments, accept_clock: bool, backups: Option<PathBuf>) -> Result<Self> {
        match &arguments.server {
            Some(_) if accept_clock => Err(Refused::Wrong(CLOCK_OF_SERVER.to_owned()).into()),
            Some(server) => Self::remote(server, arguments),
            None => {
                let ledger = Arc::new(open::ledger(&open::location_of(arguments)?, accept_clock)?);
                let mut routes = RoutesBuilder::default();
                add_ingest(&mut routes, &ledger, backups);
                Self::embedded(routes, ledger)
            }
        }
    }

    /// Services that answer from the log alone: no views are built.
    pub fn of_log(arguments: &AskArguments) -> Result<Self> {
        match &arguments.server {
            Some(server) => Self::remote(server, arguments),
            None => {
                let ledger = Arc::new(open::ledger(&open::location_of(arguments)?, false)?);
                let mut routes = RoutesBuilder::default();
                Log::at(ledger.reader()).add_to(&mut routes);
                Self::embedded(routes, ledger)
            }
        }
    }

    /// Who has the ledger's files may see what lies beside the records, and append.
    fn embedded(routes: RoutesBuilder, ledger: Arc<Ledger>) -> Result<Self> {
        let service = routes.routes().prepare().map_request(|mut request: http::Request<Body>| {
            request.extensions_mut().insert(Sight { payloads: true });
            request.extensions_mut().insert(Producer(Authentication::OperatorFile));
            request.extensions_mut().insert(Seer);
            let authentication = Authentication::OperatorFile;
            request.extensions_mut().insert(Operator { authentication, entries: Vec::new() });
            request
        });
        let transport = Transport::new(service.map_err(Into::into));
        Ok(Self { transport, runtime: runtime()?, ledger: Some(ledger) })
    }

    fn remote(server: &str, arguments: &AskArguments) -> Result<Self> {
        let remote = Remote {
            url: server.to_owned(),
            token_file: arguments.token_file.clone(),
            ca: arguments.ca.clone(),
            client: arguments.client_cert.clone().zip(arguments.client_key.clone()),
        };
        let runtime = runtime()?;
        let transport = runtime.block_on(remote.connect("--server"))?;
        Ok(Self { transport, runtime, ledger: None })
    }

    /// The ledger, where this process has it.
    #[cfg(feature = "cose")]
    pub fn ledger(&self) -> Option<&Ledger> {
        self.ledger.as_deref()
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

    /// Asks `ProofService`.
    pub fn proof<A, F>(&self, ask: impl FnOnce(ProofServiceClient<Transport>) -> F) -> Result<A>
    where
        F: Future<Output = Result<Response<A>, Status>>,
    {
        let client = ProofServiceClient::new(self.transport.clone());
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

    /// Hands over to `IngestService`, which servers have, [`Client::retrying`] and
    /// [`Client::appending`].
    pub fn ingest<A, F>(&self, ask: impl FnOnce(IngestServiceClient<Transport>) -> F) -> Result<A>
    where
        F: Future<Output = Result<Response<A>, Status>>,
    {
        let client = IngestServiceClient::new(self.transport.clone());
        self.wait(ask(client.max_decoding_message_size(usize::MAX)))
    }

    /// Gets what lies at these paths of a server, all at once, each of at most so many bytes: the codes, and what was sent.
    pub fn get(&self, paths: Vec<String>, bytes_max: usize) -> Result<Vec<(StatusCode, Vec<u8>)>> {
        self.runtime.block_on(async {
            let answers: Vec<_> =
                paths.into_iter().map(|path| tokio::spawn(get(self.transport.clone(), path, bytes_max))).collect();
            let mut got = Vec::new();
            for answer in answers {
                got.push(answer.await??);
            }
            Ok(got)
        })
    }

    /// Waits before a server is asked again.
    pub fn pause(&self, time: Duration) {
        self.runtime.block_on(tokio::time::sleep(time));
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

async fn get(transport: Transport, path: String, bytes_max: usize) -> Result<(StatusCode, Vec<u8>)> {
    let request = http::Request::get(&path).body(Body::empty())?;
    let got = transport.oneshot(request).await.map_err(|error| anyhow!("GET {path}: {error}"))?;
    let status = got.status();
    let sent = Limited::new(got.into_body(), bytes_max).collect().await;
    let sent = sent.map_err(|error| anyhow!("GET {path}: {error}: expected at most {bytes_max} bytes"))?;
    Ok((status, sent.to_bytes().to_vec()))
}

fn add_ingest(routes: &mut RoutesBuilder, ledger: &Arc<Ledger>, backups: Option<PathBuf>) {
    let intake = Arc::new(Intake::new(ledger.clone(), when::now, open::entropy));
    let (listings, retries) = (Listings::new(intake.clone()), Retries::new(intake.clone(), Vec::new()));
    routes.add_service(Ingest::server(intake, listings, retries, backups));
}

/// What answers from the views and from the log of a ledger that this program opens.
fn answering(arguments: &AskArguments, accept_clock: bool) -> Result<(RoutesBuilder, Arc<Ledger>)> {
    let location = open::location_of(arguments)?;
    let opened = open::views_of(open::ledger(&location, accept_clock)?, &location.views())?;
    let (views, ledger) = (Arc::new(opened.views), Arc::new(opened.ledger));
    let progress = Progress::at(ledger.reader().head().size);
    let mut routes = RoutesBuilder::default();
    Log::at(ledger.reader()).add_to(&mut routes);
    Answers::new(views, progress, when::now).add_to(&mut routes);
    Ok((routes, ledger))
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

/// A time as a request has it.
pub fn timestamp(moment: Option<Moment>) -> Option<Timestamp> {
    moment.map(|moment| Timestamp { seconds: moment.seconds, nanos: moment.nanos as i32 })
}

fn runtime() -> Result<Runtime> {
    tokio::runtime::Builder::new_current_thread().enable_all().build().context("no runtime can be started")
}
