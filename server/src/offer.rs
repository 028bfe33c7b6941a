//! What a server offers: everything, or one side of it.
//!
//! Owns which services that makes, and what is said to whoever asks for another one.

use std::path::PathBuf;
use std::sync::Arc;

use axum::Router;
use axum::routing::{any, post};
use counterfoil_ingest::sources::http::Hook;
use counterfoil_ingest::sources::kafka::Cluster;
use counterfoil_ledger::Ledger;
use counterfoil_query::Views;
use counterfoil_query::follow::Following;
use counterfoil_query::services::problem;
use tokio::sync::watch;
use tonic::service::Routes;
use tonic::{Code, Status};

use crate::hooks::{HOOK_PATH, PUSH_PATH};
use crate::json::problem::Problem;
use crate::rpc::Rpc;
use crate::snapshots::SNAPSHOT_PATH;
use crate::witnesses::Witnesses;

/// What is answered from the log.
pub(crate) const OF_LOG: &str = "counterfoil.v1.LedgerService";
/// What takes events.
pub(crate) const OF_INTAKE: &str = "counterfoil.v1.IngestService";
/// What is answered from the views.
pub(crate) const OF_VIEWS: [&str; 4] = [
    "counterfoil.v1.IdentityService",
    "counterfoil.v1.LinkageService",
    "counterfoil.v1.ProofService",
    "counterfoil.v1.SourceService",
];

/// How a server takes events.
pub struct Events {
    /// Where they go.
    pub ledger: Arc<Ledger>,
    /// What posts by itself.
    pub hooks: Vec<Hook>,
    /// What its process reads besides, for whoever reads a message of theirs again.
    pub clusters: Vec<Arc<Cluster>>,
    /// The folder of backups, if callers may have any made.
    pub backups: Option<PathBuf>,
}

/// What a server offers besides its log.
#[derive(Default)]
pub struct Offer {
    /// It takes events.
    pub events: Option<Events>,
    /// It answers questions from these views.
    pub views: Option<Arc<Views>>,
    /// Its log is a copy of another server's, and how that goes.
    pub following: Option<watch::Receiver<Following>>,
    /// Who is asked to cosign its checkpoints, if somebody is.
    pub witnesses: Option<Witnesses>,
}

impl Offer {
    /// The services that it makes.
    pub(crate) fn services(&self) -> Vec<&'static str> {
        let mut services = vec![OF_LOG];
        services.extend(self.events.is_some().then_some(OF_INTAKE));
        services.extend(self.views.iter().flat_map(|_| OF_VIEWS));
        services
    }
}

/// Answers the methods of all services but these.
pub(crate) fn refuse_others(routes: &mut Routes, services: &[&str], rpcs: &[Rpc]) {
    let mut router = std::mem::take(routes.axum_router_mut());
    for rpc in rpcs.iter().filter(|rpc| !services.contains(&rpc.descriptor.parent_service().full_name())) {
        let name = rpc.descriptor.parent_service().name().to_owned();
        let is_standby = is_standby(services);
        let refused = move || async move { refusal(&name, is_standby).into_http::<axum::body::Body>() };
        router = router.route(&rpc.path(), post(refused));
    }
    *routes.axum_router_mut() = router;
}

/// Whether these are the services of a standby, which has nothing but its log.
pub(crate) fn is_standby(services: &[&str]) -> bool {
    services == [OF_LOG]
}

/// Answers whoever posts events to a server that takes none.
pub(crate) fn refuse_events(router: Router, services: &[&str]) -> Router {
    let is_standby = is_standby(services);
    [PUSH_PATH, HOOK_PATH, SNAPSHOT_PATH].into_iter().fold(router, |router, path| {
        router.route(path, any(move || async move { Problem::from(refusal("IngestService", is_standby)) }))
    })
}

fn refusal(service: &str, is_standby: bool) -> Status {
    if is_standby && service == "IngestService" {
        let why = "this is a standby, which takes events once its owner's lease has run out: send them to the owner";
        return problem(Code::Unavailable, "STANDBY", why.to_owned());
    }
    let why = match service {
        "IngestService" => "it answers questions, and takes no events: send them to the server whose log it copies",
        _ => "it takes events, and answers no questions: ask a server that was started with `counterfoil query`",
    };
    problem(Code::Unimplemented, "NOT_OFFERED", format!("this server has no {service}: {why}"))
}
