//! A report as sentences and tables for a terminal. What came from outside is written so that no terminal takes it for a
//! command.

use std::io::{self, Write};

use crate::report::Report;

/// Writes the report.
///
/// # Errors
/// Of whatever it is written to.
pub fn write(report: &Report<'_>, out: &mut impl Write) -> io::Result<()> {
    let mut say = |line: String| writeln!(out, "{}", safe(&line));
    let basis = &report.basis;
    say("PROVED".to_owned())?;
    say(report.question.clone())?;
    say(format!("Log {}, {} records, root {}", basis.origin, basis.tree_size, basis.root))?;
    if let Some(asked) = &report.asked {
        say(format!("Asked at {} by \"{}\", about \"{}\"", asked.at, asked.by, asked.about))?;
    }
    say(String::new())?;
    for claim in &report.claims {
        say(format!("  {} {}", if claim.independent { "✓" } else { "·" }, claim.claim))?;
        say(format!("      on the word of: {}", claim.rests_on))?;
    }
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
        for source in &report.sources {
            say(format!(
                "  {}: {} events, {} facts, {} unmapped, {} duplicates, {} conflicts, {} rejected",
                source.source,
                source.events,
                source.facts,
                source.unmapped,
                source.duplicates,
                source.conflicts,
                source.rejected
            ))?;
        }
    }
    Ok(())
}

/// A text without control characters, and without those that turn around what stands beside them.
pub fn safe(text: &str) -> String {
    let is_odd = |char: char| {
        char.is_control() || matches!(char, '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
    };
    text.chars().map(|char| if is_odd(char) { '\u{fffd}' } else { char }).collect()
}
