//! What a question costs over gRPC, against a call that does nothing.

use std::sync::Arc;
use std::time::Duration;

use anyhow::{Result, ensure};
use counterfoil_proto::v1::identity_service_client::IdentityServiceClient;
use counterfoil_proto::v1::{GetStateRequest, ListIdentitiesRequest};
use pbjson_types::Timestamp;
use tonic::transport::Channel;
use tonic_health::pb::HealthCheckRequest;
use tonic_health::pb::health_client::HealthClient;

use crate::figure::{Figure, Rounds};
use crate::served::Served;
use crate::stopwatch::{median, tell, timed_briefly};

/// Rounds of each figure: one client's latency jumps with the placement of threads.
const ROUNDS: usize = 5;
/// Calls of one client in a round.
const CALLS: usize = 1_000;
/// Clients that ask at the same time, each over a connection of its own, and the calls of each.
const ASKING: usize = 32;
const ASKED: usize = 250;
/// 2026-01-01T00:00:00Z, when the events begin, and how many come in an hour.
const START: i64 = 1_767_225_600;
const EVENTS_PER_HOUR: usize = 2_000;

/// Asks for the state of every account there is, each at some moment of the time that so many events took.
pub async fn questions(channel: Channel, events: usize) -> Result<Vec<GetStateRequest>> {
    let mut identity = IdentityServiceClient::new(channel);
    let seconds = (events * 3_600 / EVENTS_PER_HOUR).max(1);
    let mut questions = Vec::new();
    let mut request = ListIdentitiesRequest { system: "okta".to_owned(), ..ListIdentitiesRequest::default() };
    loop {
        let listed = identity.list_identities(request.clone()).await?.into_inner();
        for party in listed.identities.into_iter().filter(|party| party.id.starts_with("account:")) {
            // A stride that is prime to nearly everything: neighbours in the list are far apart in time.
            let second = (questions.len() * 7_919_017 % seconds) as i64;
            let at = Some(Timestamp { seconds: START + second, nanos: 0 });
            questions.push(GetStateRequest { who: party.id.clone(), at, ..GetStateRequest::default() });
        }
        if listed.next_page_token.is_empty() {
            break;
        }
        request.page_token = listed.next_page_token;
    }
    ensure!(questions.len() > 100, "expected accounts to ask about, got {}", questions.len());
    Ok(questions)
}

/// The median of what one client waits for the state of somebody at a past moment.
pub fn of_one_client(served: &Served, requests: &[GetStateRequest], bar: f64, name: &str) -> Result<Figure> {
    let mut rounds = Rounds::default();
    for round in 1..=ROUNDS {
        let channel = served.clients.block_on(served.connect())?;
        let mut identity = IdentityServiceClient::new(channel.clone());
        let mut health = HealthClient::new(channel);
        let (mut asked, mut empty) = (Vec::new(), Vec::new());
        for call in (round * CALLS..).take(CALLS) {
            let request = requests[call * 7_919 % requests.len()].clone();
            asked.push(timed_briefly(|| Ok(served.clients.block_on(identity.get_state(request))?))?);
            let request = HealthCheckRequest::default();
            empty.push(timed_briefly(|| Ok(served.clients.block_on(health.check(request))?))?);
        }
        let (asked, empty) = (median(asked), median(empty));
        tell(&format!("round {round}: GetState {asked:.1?}, an empty call {empty:.1?}"));
        rounds.push(asked, empty);
    }
    Ok(rounds.at_most(bar, name))
}

/// How many such questions are answered where many ask.
pub fn of_many_clients(served: &Served, requests: Vec<GetStateRequest>) -> Result<Figure> {
    let requests = Arc::new(requests);
    let mut rounds = Rounds::default();
    for round in 1..=ROUNDS {
        let asked = ask(served, &requests, ASKING, ASKED)?;
        let empty = served.at_once(ASKING, |_, channel| {
            let mut health = HealthClient::new(channel);
            async move {
                for _ in 0..ASKED {
                    health.check(HealthCheckRequest::default()).await?;
                }
                Ok(())
            }
        })?;
        tell(&format!("round {round}: {ASKING} clients {asked:.2?}, empty calls {empty:.2?}"));
        rounds.push(asked, empty);
    }
    let name = format!("GetState over gRPC, {ASKING} clients");
    Ok(rounds.at_least(0.5, &name, (ASKING * ASKED) as f64, "calls/s"))
}

/// How long so many clients take to ask so many questions each.
pub fn ask(served: &Served, requests: &Arc<Vec<GetStateRequest>>, clients: usize, each: usize) -> Result<Duration> {
    served.at_once(clients, |client, channel| {
        let (requests, mut identity) = (requests.clone(), IdentityServiceClient::new(channel));
        async move {
            for call in 0..each {
                let request = requests[(client * each + call) * 7_919 % requests.len()].clone();
                identity.get_state(request).await?;
            }
            Ok(())
        }
    })
}
