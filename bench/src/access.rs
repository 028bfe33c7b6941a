//! What effective access costs: one identity through levels of groups, and how far one reaches that reaches far.

use std::fmt::Write;
use std::path::Path;

use anyhow::{Result, ensure};
use counterfoil_query::{AccessRequest, Page, Query, Views};
use counterfoil_verify::entity::EntityId;
use counterfoil_verify::time::{Moment, OccurredAt};
use serde_json::{Value, json};

use crate::figure::Figure;
use crate::stopwatch::{median, tell, timed_at_once};
use crate::subject;

/// Groups in groups: what somebody holds at the last level, the first one's members have.
const LEVELS: usize = 5;
/// Members of each of these groups: none of them is read for another's access.
const MEMBERS: usize = 1_000;
/// What whoever reaches far reaches: groups, and roles that each of them implies.
const FAR_GROUPS: usize = 200;
const ROLES_PER_GROUP: usize = 50;
const QUESTIONS: usize = 4_000;
const ROUNDS: usize = 51;
/// The bars, in milliseconds.
const ACCESS_MILLISECONDS: f64 = 1.0;
const BLAST_MILLISECONDS: f64 = 50.0;
/// Before all moments that are asked for.
const LONG_AGO: &str = "2026-01-01T00:00:00Z";
const AT: OccurredAt = OccurredAt(Moment { seconds: i32::MAX as i64, nanos: 0 });
const PLACE: &str = "directory:bench";
/// Whoever reaches far.
const FAR: &str = "9000001";

/// One identity's access through levels of groups, and a blast radius over many entitlements.
pub fn measure(folder: &Path) -> Result<Vec<Figure>> {
    let location = subject::create(&folder.join("access"))?;
    let ledger = subject::open(&location)?;
    let (lines, events) = lines()?;
    let file = folder.join("access.jsonl");
    std::fs::write(&file, lines)?;
    subject::import(&ledger, "fact", &file, events)?;
    let views = Views::open(&location.views(), ledger.reader())?;
    views.catch_up(&mut |_, _| ())?;
    let query = views.query()?;
    Ok(vec![of_one(&query)?, far(&query)?])
}

fn of_one(query: &Query<'_>) -> Result<Figure> {
    let mut times = Vec::with_capacity(QUESTIONS);
    for question in 0..QUESTIONS {
        // A stride that is prime to the number of members.
        let entity = account(&member(0, question * 7_919 % MEMBERS))?;
        let request = AccessRequest { entity, at: AT, known: None, to: None, all_paths: false, page: Page::default() };
        let (time, answer) = timed_at_once(|| Ok(query.access(&request)?))?;
        // Each level, and the role that the last one implies.
        ensure!(
            answer.accesses.len() == LEVELS + 1,
            "expected {LEVELS} groups and a role, got {}",
            answer.accesses.len()
        );
        times.push(time);
    }
    let ours = median(times).as_secs_f64() * 1e3;
    tell(&format!("effective access of one identity: {ours:.3} ms"));
    let name = format!("effective access through {LEVELS} levels of groups, p50");
    Ok(Figure::within(ACCESS_MILLISECONDS, &name, ours, "ms"))
}

fn far(query: &Query<'_>) -> Result<Figure> {
    let (entity, reached) = (account(FAR)?, (FAR_GROUPS + FAR_GROUPS * ROLES_PER_GROUP) as u64);
    let mut times = Vec::with_capacity(ROUNDS);
    for _ in 0..ROUNDS {
        let (time, answer) = timed_at_once(|| Ok(query.blast_radius(&entity, AT, None, None)?))?;
        ensure!(answer.reached_count == reached, "expected {reached} to be reached, got {}", answer.reached_count);
        times.push(time);
    }
    let ours = median(times).as_secs_f64() * 1e3;
    tell(&format!("blast radius over {reached} entitlements: {ours:.1} ms"));
    Ok(Figure::within(BLAST_MILLISECONDS, &format!("blast radius over {reached} entitlements, p50"), ours, "ms"))
}

fn account(id: &str) -> Result<EntityId> {
    Ok(format!("account:{PLACE}:{id}").parse()?)
}

/// The id of somebody who is directly in a group of a level.
fn member(level: usize, number: usize) -> String {
    (1_000_000 * (level + 1) + number).to_string()
}

/// The log of a directory, and how many events it has.
fn lines() -> Result<(String, usize)> {
    let group = |number: usize| json!({"kind": "entitlement", "id": format!("group_member/{number}")});
    let granted = |who: Value, what: Value| json!({"kind": "grant.added", "occurred_at": LONG_AGO, "subject": who, "object": what});
    let role = |number: usize| json!({"id": format!("role/{number}")});
    let implying = |of: usize, roles: Vec<Value>| {
        let object = group(of);
        json!({"kind": "entitlement.changed", "occurred_at": LONG_AGO, "object": object, "implies_added": roles})
    };
    let mut events: Vec<Vec<Value>> = Vec::new();
    for level in 0..LEVELS {
        let members = (0..MEMBERS).map(|number| granted(json!({"id": member(level, number)}), group(level)));
        events.push(members.collect());
        let further =
            if level + 1 < LEVELS { granted(group(level), group(level + 1)) } else { implying(level, vec![role(0)]) };
        events.push(vec![further]);
    }
    for number in 0..FAR_GROUPS {
        let of = LEVELS + number;
        events.push(vec![granted(json!({"id": FAR}), group(of))]);
        events
            .push(vec![implying(of, (1..=ROLES_PER_GROUP).map(|one| role(number * ROLES_PER_GROUP + one)).collect())]);
    }
    let mut lines = String::new();
    for (number, facts) in events.iter().enumerate() {
        let source = json!({"system": "directory", "instance": "bench", "stream": "log"});
        let event = json!({"id": format!("evt-{number}"), "source": source, "type": "directory", "facts": facts});
        writeln!(lines, "{event}")?;
    }
    Ok((lines, events.len()))
}
