//! A report as sentences and tables for a terminal. What came from outside is written so that no terminal takes it for a
//! command.

use std::fmt::Write;

use crate::replay;
use crate::report::{Claim, Report, Source};

/// The report.
pub fn of(report: &Report) -> String {
    let mut out = String::new();
    let mut say = |line: String| {
        // Writing to a text does not fail.
        let _ = writeln!(out, "{}", safe(&line));
    };
    let basis = &report.basis;
    head(&report.question, (&basis.origin, basis.tree_size, &basis.root)).into_iter().for_each(&mut say);
    if let Some(asked) = &report.asked {
        say(format!("Asked at {} by {:?}, about {:?}", asked.at, asked.by, asked.about));
    }
    say(String::new());
    report.claims.iter().flat_map(sentence).for_each(&mut say);
    for state in &report.states {
        say(String::new());
        let name = if state.name.is_empty() { String::new() } else { format!("{}, ", state.name) };
        say(format!("{name}{}", state.entity));
        for step in &state.steps {
            say(format!("    {step}"));
        }
        let width = state.lines.iter().map(|line| line.what.len()).max().unwrap_or_default();
        for line in &state.lines {
            say(format!("  {:width$}  {}  since {}  [record {}]", line.what, line.value(), line.since, line.record));
        }
        if state.lines.is_empty() {
            say("  nothing".to_owned());
        }
    }
    if let Some(change) = &report.change {
        say(String::new());
        say(change.title());
        say(format!(
            "  {}{}",
            change.verdict,
            if change.rule.is_empty() { String::new() } else { format!(", by rule {}", change.rule) }
        ));
        for ticket in &change.tickets {
            say(format!(
                "  {}: {}{}",
                ticket.ticket,
                ticket.verdict,
                if ticket.self_approved { ", approved by themselves" } else { "" }
            ));
            for approval in &ticket.approvals {
                say(format!("    {}  [record {}]", approval.value(), approval.record));
            }
        }
    }
    for contested in &report.contested {
        say(format!("! {contested}"));
    }
    if !report.sources.is_empty() {
        say(String::new());
        say("Sources before the seal, on the word of whoever runs the log:".to_owned());
        report.sources.iter().map(counts).for_each(&mut say);
    }
    out
}

/// The report on a whole log.
pub fn of_log(report: &replay::Report) -> String {
    let basis = &report.basis;
    let mut lines = head(&report.question(), (&basis.origin, basis.tree_size, &basis.root)).to_vec();
    lines.push(String::new());
    lines.extend(report.claims.iter().flat_map(sentence));
    if !report.sources.is_empty() {
        lines.push(String::new());
        lines.push("Sources:".to_owned());
        lines.extend(report.sources.iter().map(counts));
    }
    lines.iter().map(|line| safe(line) + "\n").collect()
}

/// What is proved, and of which log.
fn head(question: &str, (origin, size, root): (&str, u64, &str)) -> [String; 3] {
    ["PROVED".to_owned(), question.to_owned(), format!("Log {origin}, {size} records, root {root}")]
}

fn sentence(claim: &Claim) -> [String; 2] {
    let mark = if claim.independent { "✓" } else { "·" };
    [format!("  {mark} {}", claim.claim), format!("      on the word of: {}", claim.rests_on)]
}

fn counts(source: &Source) -> String {
    format!(
        "  {}: {} events, {} facts, {} unmapped, {} duplicates, {} conflicts, {} rejected",
        source.source,
        source.events,
        source.facts,
        source.unmapped,
        source.duplicates,
        source.conflicts,
        source.rejected
    )
}

/// A text without control characters, and without those that turn around what stands beside them.
pub fn safe(text: &str) -> String {
    let is_odd = |char: char| {
        char.is_control() || matches!(char, '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
    };
    text.chars().map(|char| if is_odd(char) { '\u{fffd}' } else { char }).collect()
}
