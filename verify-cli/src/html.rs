//! A report as a page for people: one file, without scripts, and with nothing that is fetched.

use std::io::{self, Write};

use crate::period::{KindOf, SourceOf};
use crate::report::Report;
use crate::text::safe;

const STYLE: &str = "body{font:16px/1.5 system-ui,sans-serif;max-width:60rem;margin:2rem auto;padding:0 1rem;color:#111;\
background:#fff}h1{font-size:1.4rem}h2{font-size:1.1rem;margin-top:2rem}table{border-collapse:collapse;width:100%}\
th,td{text-align:left;vertical-align:top;padding:.3rem .6rem;border-bottom:1px solid #ccc}.word{color:#555}\
code{overflow-wrap:anywhere}";

/// Writes the page.
///
/// # Errors
/// Of whatever it is written to.
pub fn write(report: &Report<'_>, out: &mut impl Write) -> io::Result<()> {
    let basis = &report.basis;
    let mut add = |html: String| writeln!(out, "{html}");
    add(format!(
        "<!doctype html><html lang=\"en\"><head><meta charset=\"utf-8\"><title>Evidence: {}</title>\
         <meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; style-src 'unsafe-inline'\">\
         <style>{STYLE}</style></head><body>",
        escaped(&report.question)
    ))?;
    add(format!("<h1>{}</h1>", escaped(&report.question)))?;
    add(format!(
        "<p>Proved. Log <code>{}</code>, {} records, root <code>{}</code>.</p>",
        escaped(&basis.origin),
        basis.tree_size,
        escaped(&basis.root)
    ))?;
    if let Some(asked) = &report.asked {
        add(format!(
            "<p>Asked at {} by {}, about {}.</p>",
            escaped(&asked.at),
            escaped(&asked.by),
            escaped(&asked.about)
        ))?;
    }
    add("<h2>What is proved, and on whose word</h2><table><tr><th>Claim</th><th>Rests on</th></tr>".to_owned())?;
    for claim in &report.claims {
        let class = if claim.independent { "" } else { " class=\"word\"" };
        add(format!("<tr{class}><td>{}</td><td>{}</td></tr>", escaped(&claim.claim), escaped(&claim.rests_on)))?;
    }
    add("</table>".to_owned())?;
    for state in &report.states {
        let name = if state.name.is_empty() { &state.entity } else { &state.name };
        add(format!("<h2>{}</h2><p><code>{}</code></p>", escaped(name), escaped(&state.entity)))?;
        for step in &state.steps {
            add(format!("<p class=\"word\">{}</p>", escaped(step)))?;
        }
        add("<table><tr><th>What</th><th></th><th>Since</th><th>Record</th></tr>".to_owned())?;
        for line in &state.lines {
            add(format!(
                "<tr><td>{}</td><td>{}</td><td>{}</td><td>{}</td></tr>",
                line.what,
                escaped(&line.value()),
                escaped(&line.since),
                line.record
            ))?;
        }
        add("</table>".to_owned())?;
    }
    if let Some(change) = &report.change {
        add(format!(
            "<h2>{}</h2><p>Verdict: <strong>{}</strong></p>",
            escaped(&change.title()),
            escaped(&change.verdict)
        ))?;
        add("<table><tr><th>Ticket</th><th>Verdict</th><th>Approvals</th></tr>".to_owned())?;
        for ticket in &change.tickets {
            let approvals: Vec<String> = ticket.approvals.iter().map(|approval| escaped(&approval.value())).collect();
            add(format!(
                "<tr><td>{}</td><td>{}</td><td>{}</td></tr>",
                escaped(&ticket.ticket),
                escaped(&ticket.verdict),
                approvals.join("<br>")
            ))?;
        }
        add("</table>".to_owned())?;
    }
    if let Some(period) = &report.period {
        add(format!("<h2>{} changes from {} until {}</h2>", period.changes.len(), period.from, period.to))?;
        add("<table><tr><th>Happened</th><th>What</th><th>Whose</th><th>Of what</th><th></th><th>Record</th></tr>"
            .to_owned())?;
        for row in period.changes.rows() {
            add(format!(
                "<tr><td>{}</td><td>{}</td><td>{}</td><td>{}</td><td>{}</td><td>{}.{}</td></tr>",
                escaped(&row.happened),
                escaped(&row.kind),
                escaped(&row.subject.shown()),
                escaped(&row.object.shown()),
                escaped(&row.remarks()),
                row.record,
                row.fact
            ))?;
        }
        add("</table><h2>Drawn from</h2>".to_owned())?;
        let kinds = period.kinds.iter().map(KindOf::shown);
        let sources = period.sources.iter().map(SourceOf::shown);
        for line in period.totals().into_iter().chain(kinds).chain(sources) {
            add(format!("<p>{}</p>", escaped(&line)))?;
        }
        for gap in &period.gaps {
            add(format!("<p><strong>{}</strong></p>", escaped(&gap.shown())))?;
        }
    }
    for contested in &report.contested {
        add(format!("<p><strong>{}</strong></p>", escaped(contested)))?;
    }
    add(format!(
        "<h2>{}</h2><table><tr><th>Source</th><th>Events</th><th>Facts</th><th>Unmapped</th><th>Duplicates</th>\
         <th>Conflicts</th><th>Rejected</th></tr>",
        report.sources_title()
    ))?;
    for source in &report.sources {
        add(format!(
            "<tr><td>{}</td><td>{}</td><td>{}</td><td>{}</td><td>{}</td><td>{}</td><td>{}</td></tr>",
            escaped(&source.source),
            source.events,
            source.facts,
            source.unmapped,
            source.duplicates,
            source.conflicts,
            source.rejected
        ))?;
    }
    add("</table></body></html>".to_owned())?;
    Ok(())
}

fn escaped(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for char in safe(text).chars() {
        match char {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '"' => escaped.push_str("&quot;"),
            '\'' => escaped.push_str("&#39;"),
            other => escaped.push(other),
        }
    }
    escaped
}
