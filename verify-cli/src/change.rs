//! What the tickets say about a change.

use counterfoil_proto::v1::{FactKind, LinkRule, Ref, Verdict};
use counterfoil_verify::evidence::Answer;
use counterfoil_verify::judge::{Found, Judged};
use counterfoil_verify::replay::{facts_of, named};
use counterfoil_verify::state::ApprovalState;
use serde::Serialize;

use crate::report::{Names, shown_at};

/// A change, the verdict on it, and each ticket that has a part in that.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub struct ChangeOf {
    pub record: u64,
    pub fact: u32,
    pub kind: String,
    pub happened: String,
    #[serde(skip_serializing_if = "String::is_empty")]
    pub subject: String,
    #[serde(skip_serializing_if = "String::is_empty")]
    pub subject_name: String,
    #[serde(skip_serializing_if = "String::is_empty")]
    pub object: String,
    #[serde(skip_serializing_if = "String::is_empty")]
    pub object_name: String,
    pub verdict: String,
    /// How the tickets were found: explicit, correlation or window.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub rule: String,
    /// By how many points the ticket that was chosen is better than the next.
    pub margin: u32,
    pub tickets: Vec<TicketOf>,
}

/// What one ticket says.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub struct TicketOf {
    pub ticket: String,
    pub verdict: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub points: Option<u32>,
    pub self_approved: bool,
    pub order_on_sources_word: bool,
    pub approvals: Vec<ApprovalOf>,
    pub records: Vec<u64>,
}

/// One approver's part.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub struct ApprovalOf {
    pub level: u32,
    pub approver: String,
    pub approver_name: String,
    pub decision: String,
    pub at: String,
    pub record: u64,
}

impl ChangeOf {
    /// The change for people.
    pub fn title(&self) -> String {
        let shown = |id: &str, name: &str| if name.is_empty() { id.to_owned() } else { format!("{name} ({id})") };
        format!(
            "{}: {} {}, {} [record {}.{}]",
            self.kind,
            shown(&self.subject, &self.subject_name),
            shown(&self.object, &self.object_name),
            self.happened,
            self.record,
            self.fact
        )
    }
}

impl ApprovalOf {
    /// The approval for people.
    pub fn value(&self) -> String {
        let who = if self.approver_name.is_empty() { &self.approver } else { &self.approver_name };
        format!("level {}: {who}, {} {}", self.level, self.decision, self.at)
    }
}

/// Of an answer about a change.
pub fn of(answer: &Answer, names: &Names<'_>) -> Option<ChangeOf> {
    let Answer::Change { record, fact: number, found } = answer else { return None };
    let fact = facts_of(record).nth(*number as usize)?;
    let id = |reference: &Option<Ref>| {
        let named = reference.as_ref().map(|reference| named(reference, fact.source));
        named.and_then(|named| named.first().map(ToString::to_string)).unwrap_or_default()
    };
    let (subject, object) = (id(&fact.fact.subject), id(&fact.fact.object));
    Some(ChangeOf {
        record: record.index,
        fact: *number,
        kind: kind_name(fact.fact.kind()),
        happened: shown_at(fact.evidence.occurred_at().0),
        subject_name: names.of_id(&subject),
        object_name: names.of_id(&object),
        subject,
        object,
        verdict: verdict(found.as_ref().map_or(Verdict::NotAChange, |found| found.overall.verdict)),
        rule: found.as_ref().map(rule).unwrap_or_default(),
        margin: found.as_ref().map_or(0, |found| found.overall.margin),
        tickets: found.iter().flat_map(|found| &found.judged).map(|one| ticket(one, names)).collect(),
    })
}

fn rule(found: &Found) -> String {
    match found.rule {
        _ if found.judged.is_empty() => String::new(),
        LinkRule::Explicit => "explicit".to_owned(),
        LinkRule::Correlation => "correlation".to_owned(),
        LinkRule::Window => "window".to_owned(),
        LinkRule::Unspecified => String::new(),
    }
}

fn ticket(judged: &Judged, names: &Names<'_>) -> TicketOf {
    let approval = |row: &ApprovalState| ApprovalOf {
        level: row.level,
        approver: row.approver.clone(),
        approver_name: names.of_id(&row.approver),
        decision: word(row.decision().as_str_name(), "DECISION_"),
        at: shown_at(row.evidence.occurred_at().0),
        record: row.evidence.index,
    };
    let approvals = judged.basis().iter().flat_map(|basis| basis.approvals.values().map(approval)).collect();
    TicketOf {
        ticket: judged.ticket.to_text(),
        verdict: verdict(judged.verdict),
        points: judged.score.map(|score| score.total()),
        self_approved: judged.self_approved,
        order_on_sources_word: judged.judgement.is_some_and(|judgement| judgement.order_on_sources_word),
        approvals,
        records: judged.records.iter().copied().collect(),
    }
}

fn verdict(verdict: Verdict) -> String {
    word(verdict.as_str_name(), "VERDICT_")
}

/// A kind of facts as words: "grant added".
pub fn kind_name(kind: FactKind) -> String {
    word(kind.as_str_name(), "FACT_KIND_")
}

/// A code as words.
pub fn word(code: &str, prefix: &str) -> String {
    code.strip_prefix(prefix).unwrap_or(code).to_lowercase().replace('_', " ")
}
