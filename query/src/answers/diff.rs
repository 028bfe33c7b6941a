//! What changed between two moments.
//!
//! Owns the comparison of two states, line by line: each thing that a state lists is a line with a name and a text. It
//! compares what was true at either time, not what happened between them: access that was given and taken away again
//! differs in nothing.

use std::collections::{BTreeMap, BTreeSet};

use counterfoil_proto::v1::{
    Decision, DiffStateResponse, Difference, DifferenceKind, FactKind, GrantMode, TicketStatus, Time,
};
use counterfoil_verify::approval::derive;
use counterfoil_verify::entity::EntityId;
use counterfoil_verify::state::{Evidence, LinkState, State, TicketState};
use counterfoil_verify::time::{Moment, OccurredAt, RecordedAt};
use counterfoil_verify::tree::TreeSize;

use crate::answers::Query;
use crate::answers::convert::{evidence, is_lapsed, moment_text, words};
use crate::answers::parties::Parties;
use crate::error::Result;
use crate::views::deltas;
use crate::views::keys::{FIRST, entity_prefix};

/// What a line is about, whom it is about, and what tells it from others of the same kind.
type Subject = (&'static str, String, String);
/// What it says, and the fact that it rests on.
type Line = (String, Evidence);

impl Query<'_> {
    /// What differs between two moments of an entity. Either moment has both its times.
    ///
    /// The evidence of a difference is what the later state rests on; of something removed, the fact that removed it, or
    /// what it rested on before where no fact says so.
    pub fn diff(
        &self,
        entity: &EntityId,
        before: (OccurredAt, Option<RecordedAt>),
        after: (OccurredAt, Option<RecordedAt>),
    ) -> Result<DiffStateResponse> {
        let moment = |(at, known): (OccurredAt, Option<RecordedAt>)| -> Result<_> {
            let size = self.known_size(known)?;
            Ok((self.moment(Some(at), known, size)?, Side { at, size, whose: BTreeSet::from([entity.clone()]) }))
        };
        let ((before, old), (after, new)) = (moment(before)?, moment(after)?);
        // What is gone may have had no name yet, or none any more: the later knowledge has both.
        let parties = self.parties(old.size.max(new.size));
        Ok(DiffStateResponse {
            basis: Some(self.basis()),
            before: Some(before),
            after: Some(after),
            entity: Some(parties.party(entity)?),
            differences: self.differences(entity, (&old, &new), &parties)?,
            members: Vec::new(),
            members_cut: false,
        })
    }

    /// What differs between two moments of a person: what is theirs at either moment, and the state of each part of it at
    /// the moment at which it is.
    pub fn diff_of_person(
        &self,
        entity: &EntityId,
        before: (OccurredAt, Option<RecordedAt>),
        after: (OccurredAt, Option<RecordedAt>),
    ) -> Result<DiffStateResponse> {
        let moment = |(at, known): (OccurredAt, Option<RecordedAt>)| -> Result<_> {
            let size = self.known_size(known)?;
            let covered = self.covered(entity, at, size)?;
            let whose = covered.entities().into_iter().collect();
            Ok((self.moment(Some(at), known, size)?, Side { at, size, whose }, covered))
        };
        let ((before, old, first), (after, new, last)) = (moment(before)?, moment(after)?);
        // What is gone may have had no name yet, or none any more: the later knowledge has both.
        let parties = self.parties(old.size.max(new.size));
        let mut differences = Vec::new();
        for member in old.whose.union(&new.whose) {
            let found = self.differences(member, (&old, &new), &parties)?;
            let party = (*member != last.whose).then(|| parties.party(member)).transpose()?;
            differences.extend(found.into_iter().map(|one| Difference { member: party.clone(), ..one }));
        }
        let members: Vec<EntityId> = old.whose.union(&new.whose).filter(|one| **one != last.whose).cloned().collect();
        Ok(DiffStateResponse {
            basis: Some(self.basis()),
            before: Some(before),
            after: Some(after),
            entity: Some(parties.party(&last.whose)?),
            differences,
            members: parties.parties(&members)?,
            members_cut: first.is_cut || last.is_cut,
        })
    }

    /// What differs between two moments of one entity; at a moment at which it is not meant, it has nothing.
    fn differences(
        &self,
        entity: &EntityId,
        (old, new): (&Side, &Side),
        parties: &Parties<'_, '_>,
    ) -> Result<Vec<Difference>> {
        let (until, size) = (new.at, new.size);
        let lines = |side: &Side| -> Result<BTreeMap<Subject, Line>> {
            match side.whose.contains(entity) {
                true => Ok(lines(&self.replayed(entity, side.at, side.size)?, side.at)),
                false => Ok(BTreeMap::new()),
            }
        };
        let (old, new) = (lines(old)?, lines(new)?);
        let subjects: BTreeSet<&Subject> = old.keys().chain(new.keys()).collect();
        let gone: Vec<&Subject> = old.keys().filter(|subject| !new.contains_key(subject)).collect();
        let removals = self.removals(entity, &gone, until, size)?;
        let mut differences = Vec::new();
        for subject in subjects {
            let (kind, old, new) = match (old.get(subject), new.get(subject)) {
                (None, new) => (DifferenceKind::Added, None, new),
                (old, None) => (DifferenceKind::Removed, old, None),
                (Some((old, _)), Some((new, _))) if old == new => continue,
                (old, new) => (DifferenceKind::Changed, old, new),
            };
            let text = |line: Option<&Line>| line.map(|(text, _)| text.clone()).unwrap_or_default();
            differences.push(Difference {
                kind: kind.into(),
                what: subject.0.to_owned(),
                party: parties.of(&subject.1)?,
                before: text(old),
                after: text(new),
                evidence: removals.get(subject).or(new.or(old).map(|(_, by)| by)).map(evidence),
                member: None,
            });
        }
        Ok(differences)
    }
}

/// One moment of a comparison, and who is meant at it.
struct Side {
    at: OccurredAt,
    size: TreeSize,
    whose: BTreeSet<EntityId>,
}

impl Query<'_> {
    /// The facts that removed these things from an entity's state last.
    fn removals<'s>(
        &self,
        entity: &EntityId,
        gone: &[&'s Subject],
        until: OccurredAt,
        size: TreeSize,
    ) -> Result<BTreeMap<&'s Subject, Evidence>> {
        let mut removals = BTreeMap::new();
        if gone.is_empty() {
            return Ok(removals);
        }
        let mut state = State::default();
        for delta in deltas::read(&self.view, &entity_prefix(entity), FIRST, until, size)? {
            let (position, delta) = delta?;
            // Most facts add; only the others are worth a comparison.
            let only_adds = matches!(delta.fact.kind(), FactKind::GrantAdded | FactKind::GrantModified);
            let listed = |state: &State| gone.iter().copied().filter(|subject| is_listed(state, subject)).collect();
            let before: BTreeSet<&Subject> = if only_adds { BTreeSet::new() } else { listed(&state) };
            delta.apply(&mut state, entity, position);
            if !before.is_empty() {
                let after = listed(&state);
                removals.extend(before.difference(&after).map(|subject| (*subject, delta.evidence(position))));
            }
        }
        Ok(removals)
    }
}

/// Whether a state still lists something that a single fact can take out of it.
fn is_listed(state: &State, (what, party, apart): &Subject) -> bool {
    match *what {
        GRANT => state.grants.contains_key(&format!("{party} {apart}")),
        HELD => state.held.contains_key(&format!("{party} {apart}")),
        IMPLIED => state.implies.contains_key(&format!("{party} {apart}")),
        OWNER => state.owners.contains_key(party),
        LINKED => state.linked.values().any(|link| link.counterpart == *party && place_of(link) == *apart),
        _ => false,
    }
}

const GRANT: &str = "grant";
const HELD: &str = "held itself";
const IMPLIED: &str = "implied";
const OWNER: &str = "owner";
const LINKED: &str = "linked";

/// In which system a link means an identifier.
fn place_of(link: &LinkState) -> String {
    if link.system.is_empty() { String::new() } else { format!("{}:{}", link.system, link.instance) }
}

/// Everything that a state lists.
fn lines(state: &State, at: OccurredAt) -> BTreeMap<Subject, Line> {
    let mut lines = BTreeMap::new();
    let mut add = |what, party: &str, apart: &str, text: String, by: Evidence| {
        lines.insert((what, party.to_owned(), apart.to_owned()), (text, by));
    };
    if let Some(account) = &state.account {
        let status = words(account.status().as_str_name(), "ACCOUNT_STATUS_");
        let reversibly = if account.reversible { ", to be lifted" } else { "" };
        add("account status", "", "", format!("{status}{reversibly}"), account.evidence);
        add("account lock", "", "", (if account.locked { "locked" } else { "open" }).to_owned(), account.evidence);
        if !account.department.is_empty() {
            add("department", "", "", account.department.clone(), account.evidence);
        }
    }
    let held = state.held.values().map(|grant| (HELD, grant));
    for (what, grant) in state.grants.values().map(|grant| (GRANT, grant)).chain(held) {
        let detail = grant.grant.clone().unwrap_or_default();
        let mut text = match detail.mode() {
            GrantMode::Eligible => "eligible".to_owned(),
            GrantMode::Active | GrantMode::Unspecified => "held".to_owned(),
        };
        text.push_str(&expiry(&detail.expires_at, at));
        for (said, value) in [(" in scope ", &grant.scope), (" through ", &grant.inherited_via)] {
            if !value.is_empty() {
                text.push_str(&format!("{said}{value}"));
            }
        }
        if detail.conditional {
            text.push_str(", with conditions");
        }
        add(what, &grant.counterpart, &grant.scope, text, grant.evidence);
    }
    for (id, credential) in &state.credentials {
        let mut text = words(credential.status().as_str_name(), "CREDENTIAL_STATUS_");
        text.push_str(&expiry(&credential.expires_at, at));
        if !credential.owner.is_empty() {
            text.push_str(&format!(", owned by {}", credential.owner));
        }
        add("credential", id, "", text, credential.evidence);
    }
    for implied in state.implies.values() {
        let scope = if implied.scope.is_empty() { String::new() } else { format!(" in scope {}", implied.scope) };
        add(IMPLIED, &implied.implied, &implied.scope, format!("yes{scope}"), implied.evidence);
    }
    if let Some(version) = &state.version {
        add("version", "", "", version.version.clone(), version.evidence);
    }
    for (id, by) in &state.owners {
        add(OWNER, id, "", "yes".to_owned(), *by);
    }
    for link in state.linked.values() {
        add(LINKED, &link.counterpart, &place_of(link), "yes".to_owned(), link.evidence);
    }
    if let Some(removed) = state.removed {
        add("removed", "", "", "yes".to_owned(), removed);
    }
    if let Some(register) = &state.register {
        let held = match (register.registered, register.retired) {
            (_, true) => "retired",
            (true, false) => "registered",
            (false, false) => "not registered",
        };
        let purpose = if register.purpose_declared { ", purpose declared" } else { "" };
        let mut text = format!("{held}{purpose}{}", expiry(&register.expires_at, at));
        if register.rotation_interval_seconds != 0 {
            text.push_str(&format!(", to be rotated every {} s", register.rotation_interval_seconds));
        }
        if register.storage_declared {
            text.push_str(", storage declared");
        }
        for (said, names) in
            [(", for the systems ", &register.systems), (", for the operations ", &register.operations)]
        {
            if !names.is_empty() {
                text.push_str(&format!("{said}{}", names.join(" ")));
            }
        }
        if let Some(since) = &register.suspected_at {
            text.push_str(&format!(", suspected of misuse since {}", moment_text(Moment::of(since))));
        }
        add("register", "", "", text, register.evidence);
    }
    if let Some(declared) = &state.rule {
        let systems =
            if declared.rule.systems.is_empty() { "all systems".to_owned() } else { declared.rule.systems.join(" ") };
        let matched = words(declared.rule.matched_by().as_str_name(), "MATCHED_BY_");
        let text = match declared.rule.withdrawn {
            true => format!("version {}, withdrawn", declared.rule.version),
            false => format!("version {}, joins {systems} by {matched}", declared.rule.version),
        };
        add("rule", "", "", text, declared.evidence);
    }
    if let Some(step) = &state.lifecycle {
        let kind = FactKind::try_from(step.kind).unwrap_or_default();
        add("lifecycle", "", "", words(kind.as_str_name(), "FACT_KIND_LIFECYCLE_"), step.evidence);
    }
    if let Some(ticket) = &state.ticket {
        ticket_lines(ticket, &mut add);
    }
    lines
}

fn ticket_lines(ticket: &TicketState, add: &mut impl FnMut(&'static str, &str, &str, String, Evidence)) {
    let decision = |decision: Decision| words(decision.as_str_name(), "DECISION_");
    if ticket.version.status() != TicketStatus::Unspecified {
        let status = words(ticket.version.status().as_str_name(), "TICKET_STATUS_");
        add("ticket status", "", "", status, ticket.evidence);
    }
    if let Some(derived) = derive(ticket) {
        let by = derived.completed_by.unwrap_or(ticket.evidence);
        add("ticket decision", "", "", decision(derived.decision), by);
    }
    if ticket.version.source_decision() != Decision::Unspecified {
        let by = ticket.source_decided.unwrap_or(ticket.evidence);
        add("ticket decision by its source", "", "", decision(ticket.version.source_decision()), by);
    }
    for beneficiary in &ticket.beneficiary {
        add("beneficiary", beneficiary, "", "yes".to_owned(), ticket.evidence);
    }
    for asked in &ticket.items {
        let operation = words(asked.item.operation().as_str_name(), "ACCESS_OPERATION_");
        let target = asked.targets.first().map_or("", String::as_str);
        add(
            "asked for",
            target,
            &asked.item.target_type,
            format!("{operation} {}", asked.item.target_type),
            ticket.evidence,
        );
    }
    for (id, row) in &ticket.approvals {
        add("approval", &row.approver, id, decision(row.decision()), row.evidence);
    }
}

fn expiry(expires_at: &Option<Time>, at: OccurredAt) -> String {
    match expires_at {
        None => String::new(),
        Some(time) if is_lapsed(expires_at, at) => format!(", ran out at {}", moment_text(Moment::of(time))),
        Some(time) => format!(" until {}", moment_text(Moment::of(time))),
    }
}
