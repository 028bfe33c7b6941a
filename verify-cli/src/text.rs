//! A report as sentences and tables for a terminal. What came from outside is written so that no terminal takes it for a
//! command.

use std::io::{self, Write};

use crate::replay;
use crate::report::{Claim, Report, Source};

/// Writes the report.
///
/// # Errors
/// Of whatever it is written to.
pub fn write(report: &Report<'_>, out: &mut impl Write) -> io::Result<()> {
    let mut say = |line: String| writeln!(out, "{}", safe(&line));
    let basis = &report.basis;
    let head = head(&report.question, (&basis.origin, basis.tree_size, &basis.root));
    head.into_iter().try_for_each(&mut say)?;
    if let Some(asked) = &report.asked {
        say(format!("Asked at {} by \"{}\", about \"{}\"", asked.at, asked.by, asked.about))?;
    }
    say(String::new())?;
    report.claims.iter().flat_map(sentence).try_for_each(&mut say)?;
    for state in &report.states {
        say(String::new())?;
        let name = if state.name.is_empty() { String::new() } else { format!("{}, ", state.name) };
        say(format!("{name}{}", state.entity))?;
        for step in &state.steps {
            say(format!("    {step}"))?;
        }
        let width = state.lines.iter().map(|line| line.what.len()).max().unwrap_or_default();
        for line in &state.lines {
            say(format!("  {:width$}  {}  since {}  [record {}]", line.what, line.value(), line.since, line.record))?;
        }
        if state.lines.is_empty() {
            say("  nothing".to_owned())?;
        }
    }
    if let Some(change) = &report.change {
        say(String::new())?;
        say(change.title())?;
        say(format!(
            "  {}{}",
            change.verdict,
            if change.rule.is_empty() { String::new() } else { format!(", by rule {}", change.rule) }
        ))?;
        for ticket in &change.tickets {
            say(format!(
                "  {}: {}{}",
                ticket.ticket,
                ticket.verdict,
                if ticket.self_approved { ", approved by themselves" } else { "" }
            ))?;
            for approval in &ticket.approvals {
                say(format!("    {}  [record {}]", approval.value(), approval.record))?;
            }
        }
    }
    if let Some(period) = &report.period {
        say(String::new())?;
        say(format!("From {} until {}: {} changes", period.from, period.to, period.changes.len()))?;
        for row in period.changes.rows() {
            let (what, remarks) = (row.what(), row.remarks());
            say(format!("  {}  {what}, {remarks} [record {}.{}]", row.happened, row.record, row.fact))?;
        }
        say("Drawn from:".to_owned())?;
        for total in period.totals() {
            say(format!("  {total}"))?;
        }
        for kind in &period.kinds {
            say(format!("  {}", kind.shown()))?;
        }
        for source in &period.sources {
            say(format!("  {}", source.shown()))?;
        }
        for gap in &period.gaps {
            say(format!("! {}", gap.shown()))?;
        }
    }
    for contested in &report.contested {
        say(format!("! {contested}"))?;
    }
    if !report.sources.is_empty() {
        say(String::new())?;
        say(format!("{}:", report.sources_title()))?;
        report.sources.iter().map(counts).try_for_each(&mut say)?;
    }
    Ok(())
}

/// Writes the report on a whole log.
///
/// # Errors
/// Of whatever it is written to.
pub fn write_log(report: &replay::Report, out: &mut impl Write) -> io::Result<()> {
    let mut say = |line: String| writeln!(out, "{}", safe(&line));
    let basis = &report.basis;
    let head = head(&report.question(), (&basis.origin, basis.tree_size, &basis.root));
    head.into_iter().try_for_each(&mut say)?;
    say(String::new())?;
    report.claims.iter().flat_map(sentence).try_for_each(&mut say)?;
    if !report.sources.is_empty() {
        say(String::new())?;
        say("Sources:".to_owned())?;
        report.sources.iter().map(counts).try_for_each(&mut say)?;
    }
    Ok(())
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
