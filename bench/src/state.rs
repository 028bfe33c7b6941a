//! What a long history costs whoever asks for a moment of it.

use std::path::Path;

use anyhow::{Result, ensure};
use counterfoil_ingest::sources::file::Input;
use counterfoil_query::{Query, Views, Wanted};
use counterfoil_scenario::okta_history;
use counterfoil_verify::entity::EntityId;
use counterfoil_verify::time::{Moment, OccurredAt};

use crate::figure::{Figure, Rounds};
use crate::stopwatch::{tell, timed_briefly};
use crate::{subject, tenant};

const SHORT_EVENTS: usize = 100;
/// Seconds from one event of a history to the next.
const EVENT_GAP: i64 = 600;
/// 2026-01-01T00:00:00Z, when the histories start.
const START: i64 = 1_767_225_600;
const AT_LAST: OccurredAt = OccurredAt(Moment { seconds: i32::MAX as i64, nanos: 0 });
/// What both were seen in, by Okta's API, before all moments that are asked for.
const LISTED: &str = "groups/00g00000000000000001/users";
/// Questions to each of the two.
const QUESTIONS: usize = 4_000;

/// State at past moments of an identity with a long history against one with a short one that holds as many groups: as
/// the logs alone have it, and where a listing saw both.
pub fn measure(folder: &Path, long_events: usize) -> Result<Vec<Figure>> {
    let location = subject::create(&folder.join("histories"))?;
    let ledger = subject::open(&location)?;
    for (seed, name, events) in [(1, "long", long_events), (2, "short", SHORT_EVENTS)] {
        let file = folder.join(format!("{name}.jsonl"));
        std::fs::write(&file, okta_history(seed, &format!("{name}@example.com"), events))?;
        subject::import_okta(&ledger, &file, events)?;
    }
    let views = Views::open(&location.views(), ledger.reader())?;
    views.catch_up(&mut |_, _| ())?;
    let logged = compare(&views.query()?, long_events, "")?;

    let query = views.query()?;
    let members = ["long@example.com", "short@example.com"]
        .map(|login| Ok(tenant::member(find(&query, login)?.native_id(), login)))
        .into_iter()
        .collect::<Result<Vec<_>>>()?;
    let file = folder.join("listing");
    std::fs::write(&file, tenant::page(LISTED, "Thu, 01 Jan 2026 01:00:00 GMT", &members))?;
    subject::take_okta(&ledger, &[Input::new(&file)])?;
    views.catch_up(&mut |_, _| ())?;
    let query = views.query()?;
    for login in ["long@example.com", "short@example.com"] {
        let state = query.state(&find(&query, login)?, AT_LAST, None)?.state.unwrap_or_default();
        ensure!(!state.sights.is_empty(), "expected {login} to have been seen in a listing");
    }
    Ok(vec![logged, compare(&query, long_events, ", with a listing")?])
}

fn compare(query: &Query<'_>, long_events: usize, what: &str) -> Result<Figure> {
    let (long, short) = (find(query, "long@example.com")?, find(query, "short@example.com")?);
    // Moments between two events, spread over either history, sorted into pairs that hold equally many groups.
    let long_moments = moments(query, &long, long_events)?;
    let short_moments = moments(query, &short, SHORT_EVENTS)?;
    let pairs: Vec<(OccurredAt, OccurredAt)> = short_moments
        .iter()
        .flat_map(|(held, short)| {
            long_moments.iter().filter(move |(other, _)| other == held).map(|(_, long)| (*long, *short))
        })
        .collect();
    ensure!(!pairs.is_empty(), "expected moments at which both hold equally many groups");
    tell(&format!("state at {} pairs of moments", pairs.len()));

    let mut rounds = Rounds::default();
    let ask = |entity, at| timed_briefly(|| Ok(query.state(entity, at, None)?));
    for question in 0..QUESTIONS {
        // A stride that is prime to nearly everything: neighbours in the list are neighbours in time.
        let (long_at, short_at) = pairs[question * 7_919 % pairs.len()];
        rounds.push(ask(&long, long_at)?, ask(&short, short_at)?);
    }
    let name = format!("state at a past time, {long_events} events against {SHORT_EVENTS}{what}");
    Ok(rounds.at_most(1.5, &name))
}

/// The one account of a login.
pub fn find(query: &Query<'_>, login: &str) -> Result<EntityId> {
    let accounts = query.resolve(login, Wanted::default(), AT_LAST, None)?;
    ensure!(accounts.identities.len() == 1, "expected one account called {login}, got {:?}", accounts.identities);
    Ok(accounts.identities[0].id.parse()?)
}

/// Up to 400 moments in the later half of a history, with how many groups are held at each.
fn moments(query: &Query<'_>, entity: &EntityId, events: usize) -> Result<Vec<(usize, OccurredAt)>> {
    let step = (events / 2 / 400).max(1);
    (events / 2..events)
        .step_by(step)
        .map(|event| {
            let at = OccurredAt(Moment { seconds: START + event as i64 * EVENT_GAP + EVENT_GAP / 2, nanos: 0 });
            let state = query.state(entity, at, None)?.state.unwrap_or_default();
            Ok((state.grants.len(), at))
        })
        .collect()
}
