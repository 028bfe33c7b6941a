//! A state as lines: what is so, since when, and by which record.

use counterfoil_proto::v1::{AccountStatus, Confidence, CredentialStatus, Decision, FactKind};
use counterfoil_verify::approval::derive;
use counterfoil_verify::state::{Evidence, GrantState, State};
use counterfoil_verify::time::Moment;
use serde::Serialize;

use crate::report::{Names, shown_at};

/// One thing that is so. What does not apply is left out.
#[derive(Debug, Default, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Line {
    pub what: &'static str,
    /// The entity that it is about, beside the one whose state it is.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub of: String,
    /// What that one is called, as far as a value is open.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub name: String,
    #[serde(skip_serializing_if = "String::is_empty")]
    pub scope: String,
    #[serde(skip_serializing_if = "String::is_empty")]
    pub status: String,
    /// Until when it holds.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub until: String,
    /// It had run out by the moment that was asked about.
    #[serde(skip_serializing_if = "is_false")]
    pub lapsed: bool,
    #[serde(skip_serializing_if = "is_false")]
    pub conditional: bool,
    /// What it is inherited through.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub through: String,
    /// No log says so.
    #[serde(skip_serializing_if = "is_false")]
    pub seen_in_a_listing_only: bool,
    /// When it happened.
    pub since: String,
    pub record: u64,
    /// The number of the fact in that record.
    pub fact: u32,
}

fn is_false(flag: &bool) -> bool {
    !flag
}

impl Line {
    fn new(what: &'static str, by: &Evidence) -> Self {
        Self { what, since: shown_at(by.occurred_at().0), record: by.index, fact: by.fact, ..Self::default() }
    }

    fn of(what: &'static str, of: &str, names: &Names<'_>, by: &Evidence) -> Self {
        Self { of: of.to_owned(), name: names.of_id(of), ..Self::new(what, by) }
    }

    /// The line for people, without when and by which record.
    pub fn value(&self) -> String {
        let of = match self.name.is_empty() {
            true => self.of.clone(),
            false => format!("{} ({})", self.name, self.of),
        };
        let mut parts = vec![if self.scope.is_empty() { of } else { format!("{of} in {}", self.scope) }];
        parts.extend(Some(self.status.clone()).filter(|status| !status.is_empty()));
        if !self.until.is_empty() {
            parts.push(format!("{} {}", if self.lapsed { "ran out" } else { "until" }, self.until));
        }
        parts.extend(self.conditional.then(|| "under conditions".to_owned()));
        parts.extend((!self.through.is_empty()).then(|| format!("through {}", self.through)));
        parts.extend(self.seen_in_a_listing_only.then(|| "seen in a listing only".to_owned()));
        parts.retain(|part| !part.is_empty());
        parts.join(", ")
    }
}

/// Everything that a state says, in a fixed order.
pub fn lines(state: &State, at: Option<Moment>, names: &Names<'_>) -> Vec<Line> {
    let mut lines = Vec::new();
    if let Some(account) = &state.account {
        let locked = if account.locked { ", locked" } else { "" };
        let status = format!("{}{locked}", account_status(account.status()));
        lines.push(Line { status, ..Line::new("account", &account.evidence) });
    }
    lines.extend(state.grants.values().map(|held| grant("grant", held, at, names)));
    lines.extend(state.held.values().map(|held| grant("holds", held, at, names)));
    for (credential, held) in &state.credentials {
        let until = held.expires_at.as_ref().map(Moment::of);
        lines.push(Line {
            status: credential_status(held.status()).to_owned(),
            ..ending(Line::of("credential", credential, names, &held.evidence), until, at)
        });
    }
    if let Some(ticket) = &state.ticket {
        let status = derive(ticket).map_or("no decision", |derived| decision(derived.decision)).to_owned();
        let of = ticket.beneficiary.first().map_or("", String::as_str);
        lines.push(Line { status, ..Line::of("ticket for", of, names, &ticket.evidence) });
    }
    for one in state.implies.values() {
        lines.push(Line { scope: one.scope.clone(), ..Line::of("implies", &one.implied, names, &one.evidence) });
    }
    lines.extend(state.owners.iter().map(|(owner, by)| Line::of("owner", owner, names, by)));
    if let Some(register) = &state.register {
        let status = if register.retired { "retired" } else { "registered" }.to_owned();
        lines.push(Line { status, ..Line::new("register", &register.evidence) });
    }
    lines.extend(state.linked.values().map(|link| Line::of("linked with", &link.counterpart, names, &link.evidence)));
    if let Some(step) = &state.lifecycle {
        let status = match step.kind() {
            FactKind::LifecycleJoiner => "joiner",
            FactKind::LifecycleMover => "mover",
            _ => "leaver",
        };
        lines.push(Line { status: status.to_owned(), ..Line::new("lifecycle", &step.evidence) });
    }
    if let Some(version) = &state.version {
        lines.push(Line { status: version.version.clone(), ..Line::new("version", &version.evidence) });
    }
    lines.extend(state.removed.iter().map(|removed| Line::new("removed", removed)));
    lines
}

fn grant(what: &'static str, held: &GrantState, at: Option<Moment>, names: &Names<'_>) -> Line {
    let terms = held.grant.as_ref();
    let until = terms.and_then(|terms| terms.expires_at.as_ref()).map(Moment::of);
    let line = Line {
        scope: held.scope.clone(),
        conditional: terms.is_some_and(|terms| terms.conditional),
        through: held.inherited_via.clone(),
        seen_in_a_listing_only: held.confidence() == Confidence::Snapshot,
        ..Line::of(what, &held.counterpart, names, &held.evidence)
    };
    ending(line, until, at)
}

/// With an end, and whether that was by the moment that was asked about.
fn ending(line: Line, until: Option<Moment>, at: Option<Moment>) -> Line {
    let Some(until) = until else { return line };
    Line { until: shown_at(until), lapsed: at.is_some_and(|at| until <= at), ..line }
}

fn account_status(status: AccountStatus) -> &'static str {
    match status {
        AccountStatus::Unspecified => "unknown",
        AccountStatus::Seen => "seen",
        AccountStatus::Created => "created",
        AccountStatus::Enabled => "enabled",
        AccountStatus::Disabled => "disabled",
        AccountStatus::Deleted => "deleted",
    }
}

fn credential_status(status: CredentialStatus) -> &'static str {
    match status {
        CredentialStatus::Unspecified => "seen",
        CredentialStatus::Active => "active",
        CredentialStatus::Disabled => "disabled",
        CredentialStatus::Revoked => "revoked",
        CredentialStatus::Expired => "expired",
    }
}

fn decision(decision: Decision) -> &'static str {
    match decision {
        Decision::Approved => "approved",
        Decision::Rejected => "rejected",
        Decision::Cancelled => "cancelled",
        Decision::Expired => "expired",
        _ => "not decided",
    }
}
