//! Which approval covers a change, and what live access came to, as rows.

use counterfoil_proto::v1::{
    Evidence, Explanation, LinkRule, LinkScore, Moment, ReconcileKind, ReconcileResponse, ReconcileTotals,
    ReconciledItem, ReconciledListing, UnreadEvents,
};

use crate::output::Rows;
use crate::tables::trail::verdicts as verdict_lines;
use crate::tables::{rested, vouched_for};
use crate::when::show_timestamp;
use crate::words::{called, called_in_full, counted, decided_instead, decision, kind, times, verdict, word};

/// Several explanations as a table, one a row.
pub fn explanations(explanations: &[Explanation], mut title: Vec<String>) -> Rows {
    title.extend(vouched_for(explanations.iter().flat_map(rests_on)));
    let row = |explanation: &Explanation| {
        let (occurred_at, record) = rested(&explanation.change);
        vec![
            occurred_at,
            verdict(explanation.verdict()),
            kind(explanation.kind()),
            called(&explanation.subject),
            called(&explanation.object),
            called(&explanation.executor),
            explanation.tickets.iter().map(|ticket| called(&ticket.ticket)).collect::<Vec<_>>().join(", "),
            approvers(explanation),
            record,
        ]
    };
    Rows {
        title,
        columns: vec!["occurred", "verdict", "change", "for", "what", "by", "ticket", "approvers", "record"],
        rows: explanations.iter().map(row).collect(),
    }
}

/// What an explanation rests on: the change, and the tickets with their approvals.
fn rests_on(explanation: &Explanation) -> Vec<&Option<Evidence>> {
    let states = explanation.tickets.iter().filter_map(|ticket| ticket.state.as_ref());
    let of_tickets = states.flat_map(|state| {
        std::iter::once(&state.evidence).chain(state.approvals.iter().map(|approval| &approval.evidence))
    });
    std::iter::once(&explanation.change).chain(of_tickets).collect()
}

fn approvers(explanation: &Explanation) -> String {
    let states = explanation.tickets.iter().filter_map(|ticket| ticket.state.as_ref());
    let names: Vec<String> = states
        .flat_map(|state| &state.approvals)
        .map(|approval| format!("{} {}", called(&approval.approver), decision(approval.decision())))
        .collect();
    names.join(", ")
}

/// How many explanations have each verdict, the most frequent first.
pub fn verdicts(explanations: &[Explanation]) -> String {
    let mut counts: Vec<(usize, String)> = Vec::new();
    for explanation in explanations {
        let name = verdict(explanation.verdict());
        match counts.iter_mut().find(|(_, known)| *known == name) {
            Some((count, _)) => *count += 1,
            None => counts.push((1, name)),
        }
    }
    counts.sort_by(|one, other| other.cmp(one));
    counts.iter().map(|(count, name)| format!("{count} {name}")).collect::<Vec<_>>().join(", ")
}

/// What may hide changes that a list does not have; nothing where everything was read.
pub fn unread(unread: &UnreadEvents) -> Option<String> {
    let counts = [
        (unread.incomplete, "incomplete"),
        (unread.unmapped, "of unknown type"),
        (unread.conflicts, "conflicting"),
        (unread.rejected, "unreadable"),
    ];
    let counts = counts.iter().filter(|(count, _)| *count > 0).map(|(count, what)| format!("{count} {what}"));
    let counts = counts.collect::<Vec<_>>().join(", ");
    (!counts.is_empty()).then(|| format!("beside these, events may hide changes: {counts}; see `counterfoil sources`"))
}

/// One explanation, point by point.
pub fn explanation(explanation: &Explanation, moment: &Option<Moment>) -> Rows {
    let (occurred_at, record) = rested(&explanation.change);
    let mut rows = Vec::new();
    let mut push = |what: &str, which: String| {
        if !which.is_empty() {
            rows.push(vec![what.to_owned(), which]);
        }
    };
    push("verdict", verdict(explanation.verdict()).to_uppercase());
    push("change", format!("{} {}", kind(explanation.kind()), called(&explanation.object)).trim().to_owned());
    push("for", called_in_full(&explanation.subject));
    push("when", occurred_at);
    push("executed by", called_in_full(&explanation.executor));
    push("with", called(&explanation.credential));
    let rule = match explanation.rule() {
        LinkRule::Explicit => "the change names the ticket",
        LinkRule::Correlation => "another event of the same transaction names the ticket",
        LinkRule::Window => "same beneficiary and entitlement, within the ticket's window",
        LinkRule::Unspecified => "",
    };
    for linked in &explanation.tickets {
        push("ticket", format!("{}: {}", called(&linked.ticket), verdict(linked.verdict())));
        let Some(state) = &linked.state else { continue };
        push("requested by", called(&state.requester));
        push("requested for", called(&state.beneficiary));
        for approval in &state.approvals {
            let by = called(&approval.approver);
            let at = show_timestamp(&approval.decided_at);
            let decided = decision(approval.decision()) + &decided_instead(approval);
            push("approver", format!("{by}: {decided}, level {}, {at}", approval.level));
        }
        let records = linked.records.iter().map(u64::to_string).collect::<Vec<_>>().join(", ");
        push("ticket's records", records);
        if let Some(LinkScore { beneficiary, entitlement, time }) = linked.score {
            let all = beneficiary + entitlement + time;
            push("points", format!("{all}: {beneficiary} for whom, {entitlement} for what, {time} for when"));
        }
    }
    push("linked because", rule.to_owned());
    if explanation.order_on_sources_word {
        push("order", "on the sources' word: both were recorded as backfill".to_owned());
    }
    if explanation.provisional {
        push(
            "may change",
            match &explanation.tickets_known_until {
                None => "no source of tickets is recorded".to_owned(),
                until => format!("tickets are known up to {}", show_timestamp(until)),
            },
        );
    }
    push("record", record);
    let mut title = vec![explanation.summary.clone()];
    title.extend(moment.as_ref().map(times));
    title.extend(verdict_lines(&explanation.verdicts));
    title.extend(vouched_for(rests_on(explanation)));
    Rows { title, columns: vec!["", ""], rows }
}

/// Live access against log and approvals: what is not as it should be, a row each.
pub fn reconciled(response: &ReconcileResponse) -> Rows {
    let row = |item: &ReconciledItem| {
        let (since, record) = rested(&item.change);
        let object = if item.object.is_some() { called(&item.object) } else { "its account".to_owned() };
        vec![
            word(item.kind().as_str_name(), "RECONCILE_KIND_"),
            called_in_full(&item.subject),
            object,
            verdict(item.verdict()),
            show_timestamp(&item.until),
            since,
            record,
        ]
    };
    let complete: Vec<&ReconciledListing> = response.listings.iter().filter(|listing| listing.complete).collect();
    let mut title: Vec<String> = response.moment.iter().map(times).collect();
    let count: u64 = complete.iter().map(|listing| listing.count).sum();
    title.push(match complete.is_empty() {
        true => format!("{} has no complete listing by then: take one with `counterfoil snapshot`", response.system),
        false => format!(
            "{} in {} of {}",
            counted(count, "item"),
            counted(complete.len() as u64, "complete listing"),
            response.system
        ),
    });
    title.extend(response.total.as_ref().filter(|_| !complete.is_empty()).map(totals));
    for listing in &response.listings {
        let scope = listing.scope.splitn(4, ':').last().unwrap_or_default();
        if !listing.complete {
            title.push(format!("{scope}: nothing to compare with ({})", listing.reason));
        } else if listing.later_incomplete {
            let as_of = show_timestamp(&listing.as_of);
            title.push(format!("{scope}: as of {as_of}; a later listing is incomplete"));
        }
    }
    title.extend(vouched_for(response.items.iter().map(|item| &item.change)));
    let differs = |item: &&ReconciledItem| item.kind() != ReconcileKind::Approved;
    Rows {
        title,
        columns: vec!["", "who", "what", "approval", "until", "changed", "record"],
        rows: response.items.iter().filter(differs).map(row).collect(),
    }
}

fn totals(totals: &ReconcileTotals) -> String {
    let counts = [
        (totals.approved, "approved"),
        (totals.unapproved, "unapproved"),
        (totals.unrecorded, "unrecorded"),
        (totals.expired, "expired"),
        (totals.revoked, "revoked but live"),
        (totals.no_access, "no access by themselves"),
    ];
    let listed: Vec<String> =
        counts.iter().filter(|(count, _)| *count > 0).map(|(count, what)| format!("{count} {what}")).collect();
    let missing = if totals.missing > 0 { format!("; {} missing", totals.missing) } else { String::new() };
    if listed.is_empty() { missing.trim_start_matches("; ").to_owned() } else { listed.join(", ") + &missing }
}
