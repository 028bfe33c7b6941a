//! The trail of a ticket, explained grants and reversal plans, as rows.

use std::collections::BTreeSet;

use counterfoil_proto::v1::{
    AccessAtStep, AccessStanding, ExplainGrantResponse, GrantExplanation, PlanReversalResponse, ResolvedParty,
    ReversalStep, Ruling, ThreeVerdicts, TraceMoment, TraceTicketResponse, TracedApproval, TracedChange,
};
use pbjson_types::Timestamp;

use crate::output::Rows;
use crate::tables::{rested, title, vouched_for};
use crate::when::show_timestamp;
use crate::words::{called, called_in_full, counted, decision, kind, times, to_the_second, verdict, word};

/// Somebody, and the person that they are linked with.
fn resolved(party: &Option<ResolvedParty>) -> String {
    let Some(resolved) = party else { return String::new() };
    let name = called_in_full(&resolved.party);
    match &resolved.person {
        Some(_) => format!("{name} ({})", called(&resolved.person)),
        None => name,
    }
}

fn ruling(ruling: Ruling) -> String {
    word(ruling.as_str_name(), "RULING_").to_uppercase()
}

/// The three verdicts, a line each.
pub fn verdicts(verdicts: &Option<ThreeVerdicts>) -> Vec<String> {
    let Some(verdicts) = verdicts else { return Vec::new() };
    let line = |what: &str, of: Ruling, why: &str| format!("{what}: {}. {why}", ruling(of));
    vec![
        line("explained", verdicts.explained(), &verdicts.explained_because),
        line("approved", verdicts.approved(), &verdicts.approved_because),
        line("reversible", verdicts.reversible(), &verdicts.reversible_because),
    ]
}

/// A line of a trail, by the second and nanosecond of what it tells; none where no time is known.
type Event = (Option<(i64, i32)>, Vec<String>);

/// What happened to a ticket and because of it, in the order in which it happened.
pub fn trail(response: &TraceTicketResponse) -> Rows {
    let mut lines = title(&response.ticket, &response.moment);
    let mut push = |what: &str, who: String| {
        lines.push(format!("{what}: {}", if who.is_empty() { "nobody named".to_owned() } else { who }));
    };
    push("asked by", resolved(&response.requester));
    push("for", resolved(&response.beneficiary));
    let by = |executor: &counterfoil_proto::v1::Executor| {
        let with = called(&executor.credential);
        let with = if with.is_empty() { String::new() } else { format!(" with {with}") };
        format!("{}{with}", resolved(&executor.executor))
    };
    push("carried out by", response.executors.iter().map(by).collect::<Vec<_>>().join(", "));
    push("closed by", resolved(&response.closed_by));
    lines.extend(verdicts(&response.verdicts));
    lines.extend(response.gaps.iter().map(|gap| format!("gap: {}", gap.summary)));
    lines.extend(response.cut.then(|| "There is more than was followed: changes may be missing.".to_owned()));
    let explanations = response.changes.iter().filter_map(|change| change.explanation.as_ref());
    let rested_on = explanations.map(|explanation| &explanation.change);
    let approvals = response.approvals.iter().flat_map(|approval| [&approval.asked, &approval.decided]);
    lines.extend(vouched_for(rested_on.chain(approvals).chain([&response.opened, &response.closed])));

    let mut events: Vec<Event> = Vec::new();
    let mut add = |at: Option<Timestamp>, cells: [String; 5]| {
        let order = at.map(|at| (at.seconds, at.nanos));
        let when = to_the_second(&show_timestamp(&at));
        events.push((order, [vec![when], cells.to_vec()].concat()));
    };
    if let Some(state) = &response.state {
        let items = state.items.iter().map(|item| match &item.target {
            Some(_) => called(&item.target),
            None => format!("any {}", item.target_type),
        });
        let until = state.items.iter().filter_map(|item| item.until).max_by_key(|until| until.seconds);
        let until = until.map_or_else(String::new, |until| format!("until {}", show_timestamp(&Some(until))));
        let (_, record) = rested(&response.opened);
        let items = items.collect::<Vec<_>>().join(", ");
        let cells = ["asked for".to_owned(), resolved(&response.requester), items, until, record];
        add(state.opened_at, cells);
    }
    for approval in &response.approvals {
        approval_rows(approval, &mut add);
    }
    for change in &response.changes {
        change_row(change, &mut add);
    }
    if response.closed.is_some() {
        let (_, record) = rested(&response.closed);
        let at = response.closed.as_ref().and_then(|closed| closed.occurred_at);
        add(at, ["closed".to_owned(), resolved(&response.closed_by), String::new(), String::new(), record]);
    }
    // What has no time comes last.
    events.sort_by_key(|(at, _)| (at.is_none(), *at));
    Rows {
        title: lines,
        columns: vec!["when", "what", "who", "which", "how", "record"],
        rows: events.into_iter().map(|(_, cells)| cells).collect(),
    }
}

fn approval_rows(approval: &TracedApproval, add: &mut impl FnMut(Option<Timestamp>, [String; 5])) {
    let level = format!("level {}", approval.level);
    if let Some(asked) = &approval.asked {
        let (_, record) = rested(&approval.asked);
        let by = resolved(&approval.asked_by);
        let by = if by.is_empty() { String::new() } else { format!(", by {by}") };
        let how = format!("{level}{by}");
        add(
            asked.occurred_at,
            ["asked to approve".to_owned(), resolved(&approval.approver), String::new(), how, record],
        );
    }
    if let Some(decided) = &approval.decided {
        let (_, record) = rested(&approval.decided);
        let who = if approval.decided_by.is_some() { &approval.decided_by } else { &approval.approver };
        let for_whom = match &approval.on_behalf_of {
            Some(_) => format!(", for {}", resolved(&approval.on_behalf_of)),
            None => String::new(),
        };
        let cells = [decision(approval.decision()), resolved(who), String::new(), format!("{level}{for_whom}"), record];
        add(decided.occurred_at, cells);
    }
}

fn change_row(change: &TracedChange, add: &mut impl FnMut(Option<Timestamp>, [String; 5])) {
    let Some(explanation) = &change.explanation else { return };
    let (_, record) = rested(&explanation.change);
    let with = called(&explanation.credential);
    let who = called(&explanation.executor);
    let who = if with.is_empty() { who } else { format!("{who} with {with}") };
    let which = format!("{} for {}", called(&explanation.object), called(&explanation.subject));
    let covered = if change.covered { "" } else { ", not covered" };
    let how = format!("{}{covered}", verdict(change.verdict()));
    let at = explanation.change.as_ref().and_then(|by| by.occurred_at);
    add(at, [kind(explanation.kind()), who, which.trim_start_matches(" for ").to_owned(), how, record]);
}

/// What the beneficiary had at each step.
pub fn trace_steps(response: &TraceTicketResponse) -> Rows {
    let mut rows = Vec::new();
    for step in &response.steps {
        let name = match step.step() {
            TraceMoment::Unspecified => "",
            TraceMoment::BeforeRequest => "before the request",
            TraceMoment::AtApproval => "at approval",
            TraceMoment::AfterChange => "after the change",
            TraceMoment::AfterExpiry => "after expiry",
            TraceMoment::Now => "now",
        };
        let at = to_the_second(&show_timestamp(&step.at));
        if step.at.is_none() {
            rows.push(vec![name.to_owned(), at, String::new(), String::new(), step.missing.clone(), String::new()]);
            continue;
        }
        for access in &step.access {
            let which = if access.target.is_some() { called(&access.target) } else { "the account".to_owned() };
            let (_, record) = rested(&access.evidence);
            let holder = called_in_full(&access.holder);
            rows.push(vec![name.to_owned(), at.clone(), which, holder, how_held(access), record]);
        }
        if step.access.is_empty() {
            let nothing = "it asks for nothing that could be had".to_owned();
            rows.push(vec![name.to_owned(), at, String::new(), String::new(), nothing, String::new()]);
        }
    }
    let records: BTreeSet<u64> = response.steps.iter().flat_map(|step| step.records.iter().copied()).collect();
    let records = records.iter().map(u64::to_string).collect::<Vec<_>>().join(", ");
    let by = if records.is_empty() { String::new() } else { format!(", by the records {records}") };
    Rows {
        title: vec![format!("What the beneficiary had of it{by}:")],
        columns: vec!["step", "at", "which", "holder", "how", "record"],
        rows,
    }
}

fn how_held(access: &AccessAtStep) -> String {
    let end = show_timestamp(&access.expires_at);
    let mut how = standing(access.standing()).to_owned();
    if !end.is_empty() {
        how.push_str(if access.standing() == AccessStanding::Lapsed { " on " } else { " until " });
        how.push_str(&end);
    }
    if !access.scope.is_empty() {
        how.push_str(&format!(", in scope {}", access.scope));
    }
    how
}

fn standing(standing: AccessStanding) -> &'static str {
    match standing {
        AccessStanding::Unspecified => "",
        AccessStanding::NeverGiven => "not given",
        AccessStanding::Held => "held",
        AccessStanding::SeenOnly => "seen in a listing only",
        AccessStanding::Lapsed => "lapsed",
        AccessStanding::Removed => "removed",
    }
}

/// What gave each access, and what took it away.
pub fn grants(response: &ExplainGrantResponse) -> Rows {
    let mut lines = title(&response.holder, &response.moment);
    lines.push(format!(
        "{}   {}",
        called(&response.entitlement),
        response.entitlement.as_ref().map_or("", |one| &one.id)
    ));
    if response.grants.is_empty() {
        lines.push("No record gives it by then.".to_owned());
    }
    lines.extend(response.grants.iter().map(|grant| grant.summary.clone()));
    lines.extend(response.cut.then(|| "More entities stand for them than were followed.".to_owned()));
    let rested_on = response.grants.iter().flat_map(|grant| {
        let explained = [&grant.given, &grant.removed].into_iter().flatten();
        explained.map(|explanation| &explanation.change).chain([&grant.seen])
    });
    lines.extend(vouched_for(rested_on));
    let mut rows = Vec::new();
    for grant in &response.grants {
        grant_rows(grant, &mut rows);
    }
    Rows { title: lines, columns: vec!["", "when", "who", "how", "record"], rows }
}

fn grant_rows(grant: &GrantExplanation, rows: &mut Vec<Vec<String>>) {
    let mut push = |what: &str, when: String, who: String, how: String, record: String| {
        rows.push(vec![what.to_owned(), when, who, how, record]);
    };
    let mut how = standing(grant.standing()).to_owned();
    if !grant.scope.is_empty() {
        how.push_str(&format!(", in scope {}", grant.scope));
    }
    push("holder", String::new(), called_in_full(&grant.holder), how, String::new());
    for (what, explained) in [("given", &grant.given), ("removed", &grant.removed)] {
        let Some(explanation) = explained else { continue };
        let (when, record) = rested(&explanation.change);
        let with = called(&explanation.credential);
        let with = if with.is_empty() { String::new() } else { format!("with {with}") };
        push(what, when, called(&explanation.executor), with, record);
        if what == "removed" {
            continue;
        }
        push("approval", String::new(), String::new(), verdict(explanation.verdict()), String::new());
        for linked in &explanation.tickets {
            let approvals = linked.state.iter().flat_map(|state| &state.approvals);
            for approval in approvals {
                let (_, record) = rested(&approval.evidence);
                let who = if approval.decided_by.is_some() { &approval.decided_by } else { &approval.approver };
                let how =
                    format!("{}, level {}, {}", decision(approval.decision()), approval.level, called(&linked.ticket));
                let when = to_the_second(&show_timestamp(&approval.decided_at));
                push("approver", when, called(who), how, record);
            }
        }
    }
    if grant.seen.is_some() {
        let (when, record) = rested(&grant.seen);
        push("seen", when, String::new(), "in a listing".to_owned(), record);
    }
    let missing: Vec<String> = grant.missing().map(|part| word(part.as_str_name(), "MISSING_PART_")).collect();
    if !missing.is_empty() {
        push("missing", String::new(), String::new(), missing.join(", "), String::new());
    }
}

/// The operations of a plan, and what is not to be undone.
pub fn reversal(response: &PlanReversalResponse) -> Rows {
    let row = |step: &ReversalStep| {
        let (when, record) = rested(&step.change);
        let (_, because) = rested(&step.because);
        vec![
            word(step.status().as_str_name(), "REVERSAL_STATUS_"),
            kind(step.operation()),
            step.summary.clone(),
            format!("{} {when}", kind(step.kind())),
            record,
            because,
        ]
    };
    let mut lines: Vec<String> =
        response.of.iter().map(|party| format!("of {} ({})", called(&Some(party.clone())), party.id)).collect();
    lines.extend(response.moment.as_ref().map(times));
    let applicable = response.steps.iter().filter(|step| step.operation != 0).count() as u64;
    lines.push(format!(
        "{} to carry out in this order; {} in all",
        counted(applicable, "operation"),
        counted(response.steps.len() as u64, "effect")
    ));
    lines.extend(
        response.cut.then(|| "There is more: narrow the time, and ask again once these are undone.".to_owned()),
    );
    lines.extend(vouched_for(response.steps.iter().map(|step| &step.change)));
    Rows {
        title: lines,
        columns: vec!["", "operation", "what", "change", "record", "because of"],
        rows: response.steps.iter().map(row).collect(),
    }
}
