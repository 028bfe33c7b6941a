//! What it costs to ask which approval covers a change, against a call that does nothing.

use std::fmt::Write;
use std::path::Path;

use anyhow::{Context, Result, ensure};
use counterfoil_ledger::Location;
use counterfoil_proto::v1::ExplainChangeRequest;
use counterfoil_proto::v1::linkage_service_client::LinkageServiceClient;
use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};
use tonic_health::pb::HealthCheckRequest;
use tonic_health::pb::health_client::HealthClient;

use crate::figure::{Figure, Rounds};
use crate::served::Served;
use crate::stopwatch::{median, tell, timed_briefly};
use crate::subject;

/// A change that is asked about comes after so many that are not.
const APART: usize = 97;
/// Of those asked about, every second one has an approved ticket.
const TICKETED: usize = 2;
const ROUNDS: usize = 5;
/// Calls in a round.
const CALLS: usize = 1_000;

/// A change that is asked about.
pub struct Change {
    /// The id of its native event.
    id: String,
    /// An approved ticket asks for it.
    is_covered: bool,
}

/// Memberships given by these events; every second one has a ticket that was approved an hour before, and neither names the
/// other. The tickets are imported.
pub fn with_tickets(location: &Location, file: &Path, events: impl Iterator<Item = Vec<u8>>) -> Result<Vec<Change>> {
    let (mut changes, mut lines, mut tickets) = (Vec::new(), String::new(), 0);
    let added = events.filter(|line| line.windows(ADDED.len()).any(|part| part == ADDED.as_bytes()));
    for (number, line) in added.step_by(APART).enumerate() {
        let event: Value = serde_json::from_slice(&line)?;
        let is_covered = number % TICKETED == 0;
        if is_covered {
            let (user, group) = (target(&event, "User")?, target(&event, "UserGroup")?);
            tickets += 1;
            let at: Timestamp = text(&event["published"])?.parse()?;
            writeln!(lines, "{}", ticket(tickets, at, text(&user["alternateId"])?, text(&group["id"])?)?)?;
        }
        changes.push(Change { id: text(&event["uuid"])?.to_owned(), is_covered });
    }
    std::fs::write(file, lines)?;
    let ledger = subject::open(location)?;
    subject::import(&ledger, "fact", file, tickets)?;
    tell(&format!("{tickets} tickets, {} changes to ask about", changes.len()));
    Ok(changes)
}

const ADDED: &str = "group.user_membership.add";

/// A ticket that was opened two hours and approved an hour before.
fn ticket(number: usize, at: Timestamp, login: &str, group: &str) -> Result<Value> {
    let before = |hours| anyhow::Ok(at.checked_sub(SignedDuration::from_hours(hours))?.to_string());
    let (object, asker) = (json!({"id": format!("ticket/{number}")}), json!({"id": "u-1"}));
    let target = json!({"system": "okta", "instance": "default", "id": format!("group_member/{group}")});
    let opened = json!({
        "kind": "ticket.opened", "occurred_at": before(2)?, "actor": asker.clone(), "object": object.clone(),
        "subject": {"kind": "identifier", "email": login}, "requester": asker,
        "items": [{"operation": "add", "target_type": "okta:group_member", "target": target}],
    });
    let approved = json!({
        "kind": "approval.granted", "occurred_at": before(1)?, "actor": {"id": "u-2"}, "object": object,
        "approval_id": format!("a-{number}"), "approver": {"id": "u-2"}, "decision": "approved",
    });
    let source = json!({"system": "desk", "instance": "bench", "stream": "tickets"});
    Ok(json!({"id": format!("evt-{number}"), "source": source, "type": "desk.ticket", "facts": [opened, approved]}))
}

fn target<'e>(event: &'e Value, kind: &str) -> Result<&'e Value> {
    let targets = event["target"].as_array().context("expected an event with targets")?;
    targets.iter().find(|target| target["type"] == kind).with_context(|| format!("expected a target of type {kind}"))
}

fn text(value: &Value) -> Result<&str> {
    value.as_str().context("expected a string")
}

/// The median of what one client waits until a change is explained.
pub fn measure(served: &Served, changes: &[Change], name: &str) -> Result<Figure> {
    let mut rounds = Rounds::default();
    for round in 1..=ROUNDS {
        let channel = served.clients.block_on(served.connect())?;
        let mut linkage = LinkageServiceClient::new(channel.clone());
        let mut health = HealthClient::new(channel);
        let (mut asked, mut empty) = (Vec::new(), Vec::new());
        for call in (round * CALLS..).take(CALLS) {
            let change = &changes[call * 7_919 % changes.len()];
            let request = ExplainChangeRequest { change: change.id.clone(), ..ExplainChangeRequest::default() };
            asked.push(timed_briefly(|| {
                let answer = served.clients.block_on(linkage.explain_change(request))?.into_inner();
                let is_found = answer.explanations.iter().all(|one| !one.tickets.is_empty());
                ensure!(is_found || !change.is_covered, "change {}: {:?}", change.id, answer.explanations);
                Ok(())
            })?);
            let request = HealthCheckRequest::default();
            empty.push(timed_briefly(|| Ok(served.clients.block_on(health.check(request))?))?);
        }
        let (asked, empty) = (median(asked), median(empty));
        tell(&format!("round {round}: ExplainChange {asked:.1?}, an empty call {empty:.1?}"));
        rounds.push(asked, empty);
    }
    Ok(rounds.at_most(3.0, name))
}
