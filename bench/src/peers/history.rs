//! A history table in PostgreSQL that is asked as of a moment, against GetState.
//!
//! The events are those that change what somebody holds; each is a version, a row of the table and a record of the ledger.
//! The question is the newest version of each entitlement of an identity at or before a moment, of which those count that
//! are held. The index has all columns, in the order of the question: the table itself is not read. GetState answers the
//! same, and when each was learned, by whom it was given, what it is called, and which record says so.

use std::collections::BTreeSet;
use std::path::Path;
use std::pin::pin;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use anyhow::{Context, Result, ensure};
use counterfoil_proto::v1::GetStateRequest;
use counterfoil_proto::v1::identity_service_client::IdentityServiceClient;
use counterfoil_scenario::okta_events_among;
use serde_json::Value;
use tokio::runtime::Runtime;
use tokio_postgres::binary_copy::BinaryCopyInWriter;
use tokio_postgres::types::Type;

use crate::figure::{Figure, Rounds};
use crate::peers::postgres::Postgres;
use crate::served::{Served, at_once};
use crate::stopwatch::tell;
use crate::{import, questions, subject};

const ROUNDS: usize = 5;
const VERSIONS_PER_ACCOUNT: usize = 50;
const SEED: u64 = 6;
/// Clients that ask at the same time, and the questions of each in a round.
const ASKING: usize = 32;
const ASKED: usize = 1_000;
/// Questions whose answers are compared.
const COMPARED: usize = 200;
/// What an account's id in the ledger begins with, and an entitlement's.
const ACCOUNT: &str = "account:okta:default:";
const ENTITLEMENT: &str = "entitlement:okta:default:";

const TABLE: &str = "
    CREATE TABLE history (identity text NOT NULL, entitlement text NOT NULL, at timestamptz NOT NULL,
        is_held boolean NOT NULL, record bigint NOT NULL);";
const INDEX: &str = "
    CREATE INDEX ON history (identity, entitlement, at DESC) INCLUDE (is_held, record);";
const VACUUM: &str = "VACUUM (ANALYZE) history";
const COLUMNS: [Type; 5] = [Type::TEXT, Type::TEXT, Type::TIMESTAMPTZ, Type::BOOL, Type::INT8];
const AS_OF: &str = "
    SELECT entitlement, record FROM (
        SELECT DISTINCT ON (entitlement) entitlement, is_held, record FROM history
        WHERE identity = $1 AND at <= $2 ORDER BY entitlement, at DESC
    ) AS newest WHERE is_held";

/// What an event changes.
struct Version {
    identity: String,
    entitlement: String,
    at: SystemTime,
    is_held: bool,
}

impl Version {
    /// None of an event that changes nothing.
    fn of(event: &[u8]) -> Result<Option<Self>> {
        let event: Value = serde_json::from_slice(event)?;
        let kind = event["eventType"].as_str().context("an event has a type")?;
        let (of, is_held) = match kind.rsplit_once('.') {
            Some((of, "add")) => (of, true),
            Some((of, "remove")) => (of, false),
            _ => return Ok(None),
        };
        let (target, id) = match of {
            "group.user_membership" => ("UserGroup", "group_member"),
            _ => ("AppInstance", "app_assignment"),
        };
        let named = |target: &str| {
            let targets = event["target"].as_array().into_iter().flatten();
            let mut found = targets.filter(|one| one["type"] == target);
            found.next().and_then(|one| one["id"].as_str()).with_context(|| format!("a {kind} without a {target}"))
        };
        let published: pbjson_types::Timestamp = serde_json::from_value(event["published"].clone())?;
        let since = Duration::new(published.seconds.unsigned_abs(), published.nanos.unsigned_abs());
        Ok(Some(Self {
            identity: named("User")?.to_owned(),
            entitlement: format!("{id}/{}", named(target)?),
            at: SystemTime::UNIX_EPOCH + since,
            is_held,
        }))
    }
}

/// The figure at so many versions.
pub fn measure(folder: &Path, clients: &Runtime, postgres: &Postgres, versions: usize) -> Result<Figure> {
    let accounts = versions / VERSIONS_PER_ACCOUNT;
    let changes = || {
        let events = okta_events_among(SEED, accounts);
        events.filter(|event| !matches!(Version::of(event), Ok(None))).take(versions)
    };
    tell(&format!("{versions} versions of {accounts} identities"));
    let file = folder.join("changes.jsonl");
    import::write_events(&file, changes())?;
    let location = subject::create(&folder.join("history"))?;
    let (_, caught_up, _) = import::import(&location, &file, versions)?;
    tell(&format!("imported, views caught up, in {caught_up:.2?}"));
    clients.block_on(fill(postgres, changes()))?;

    let served = Served::start(&location)?;
    // Twice as many events as versions pass: every other one is a sign-in.
    let requests =
        Arc::new(served.clients.block_on(async { questions::questions(served.connect().await?, 2 * versions).await })?);
    let asked: Arc<Vec<(String, SystemTime)>> = Arc::new(requests.iter().map(question).collect::<Result<_>>()?);
    compare(&served, clients, postgres, &requests, &asked)?;
    let mut rounds = Rounds::default();
    for round in 0..=ROUNDS {
        let ours = questions::ask(&served, &requests, ASKING, ASKED)?;
        let theirs = ask(clients, postgres, &asked)?;
        // The first only reads what both keep in memory.
        if round > 0 {
            tell(&format!("round {round}: {ASKING} clients {ours:.2?}, as of a moment in PostgreSQL {theirs:.2?}"));
            rounds.push(ours, theirs);
        }
    }
    served.stop()?;
    let name = format!("GetState, {ASKING} clients, against a history table of {versions} versions in PostgreSQL");
    Ok(rounds.at_least(1.0, &name, (ASKING * ASKED) as f64, "calls/s"))
}

async fn fill(postgres: &Postgres, events: impl Iterator<Item = Vec<u8>>) -> Result<()> {
    let client = postgres.connect().await?;
    client.batch_execute(TABLE).await?;
    let mut rows =
        pin!(BinaryCopyInWriter::new(client.copy_in("COPY history FROM STDIN (FORMAT binary)").await?, &COLUMNS));
    for (event, record) in events.zip(1_i64..) {
        let Version { identity, entitlement, at, is_held } =
            Version::of(&event)?.context("every event is a version")?;
        rows.as_mut().write(&[&identity, &entitlement, &at, &is_held, &record]).await?;
    }
    rows.as_mut().finish().await?;
    client.batch_execute(INDEX).await?;
    client.batch_execute(VACUUM).await?;
    Ok(())
}

/// The same question to the table.
fn question(request: &GetStateRequest) -> Result<(String, SystemTime)> {
    let who = request.who.strip_prefix(ACCOUNT).with_context(|| format!("{} is no account of Okta's", request.who))?;
    let at = request.at.as_ref().context("every question has its moment")?;
    Ok((who.to_owned(), SystemTime::UNIX_EPOCH + Duration::from_secs(at.seconds.unsigned_abs())))
}

/// Both give the same answers.
fn compare(
    served: &Served,
    clients: &Runtime,
    postgres: &Postgres,
    requests: &[GetStateRequest],
    asked: &[(String, SystemTime)],
) -> Result<()> {
    let mut identity = IdentityServiceClient::new(served.clients.block_on(served.connect())?);
    let client = clients.block_on(postgres.connect())?;
    let mut held = 0;
    for (request, (who, at)) in requests.iter().zip(asked).step_by((requests.len() / COMPARED).max(1)) {
        let state =
            served.clients.block_on(identity.get_state(request.clone()))?.into_inner().state.unwrap_or_default();
        let ours: BTreeSet<String> =
            state.grants.into_iter().filter_map(|grant| Some(grant.counterpart?.id.clone())).collect();
        let rows = clients.block_on(client.query(AS_OF, &[who, at]))?;
        let theirs: BTreeSet<String> =
            rows.iter().map(|row| format!("{ENTITLEMENT}{}", row.get::<_, &str>(0))).collect();
        ensure!(ours == theirs, "expected the same of {who}, got {ours:?} and {theirs:?}");
        held += ours.len();
    }
    ensure!(held > 0, "expected somebody to hold something");
    Ok(())
}

/// How long so many clients take to ask the table.
fn ask(clients: &Runtime, postgres: &Postgres, asked: &Arc<Vec<(String, SystemTime)>>) -> Result<Duration> {
    let connections = clients.block_on(async {
        let mut prepared = Vec::new();
        for client in postgres.connect_often(ASKING).await? {
            prepared.push((client.prepare(AS_OF).await?, client));
        }
        Ok::<_, anyhow::Error>(prepared)
    })?;
    at_once(clients, connections, |number, (as_of, client)| {
        let asked = asked.clone();
        async move {
            for call in 0..ASKED {
                let (who, at) = &asked[(number * ASKED + call) * 7_919 % asked.len()];
                std::hint::black_box(client.query(&as_of, &[who, at]).await?);
            }
            Ok(())
        }
    })
}
