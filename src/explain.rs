//! `counterfoil explain`.

use anyhow::{Result, bail};
use counterfoil_proto::v1::ExplainChangeResponse;
use counterfoil_query::{ChangeSelector, ExplainFilter, Query};
use counterfoil_verify::time::{OccurredAt, RecordedAt};
use counterfoil_verify::tree::RecordIndex;

use crate::cli::{Exit, ExplainArguments, Format};
use crate::history::period;
use crate::output::{self, Rows, table};
use crate::{open, tables};

pub fn run(arguments: &ExplainArguments) -> Result<Exit> {
    let known = arguments.known_at.map(RecordedAt);
    let format = arguments.output.output;
    let opened = open::views(&arguments.ledger)?;
    let query = opened.views.query()?;
    let Some(change) = &arguments.change else { return list(&query, arguments, format) };
    let response = query.explain(&selector(change)?, known)?;
    if let (Format::Table, [first, rest @ ..]) = (format, &response.explanations[..]) {
        // Each point by point; the last one with the basis.
        let all: Vec<Rows> = std::iter::once(first)
            .chain(rest)
            .map(|explanation| tables::explanation(explanation, &response.moment))
            .collect();
        let (last, others) = all.split_last().expect("there is a first");
        for rows in others {
            anstream::println!("{}", table(rows));
        }
        output::print(format, &response, &response.explanations, last, response.basis.as_ref())?;
    } else {
        let rows = tables::explanations(&response.explanations, Vec::new());
        output::print(format, &response, &response.explanations, &rows, response.basis.as_ref())?;
    }
    Ok(Exit::Done)
}

fn list(query: &Query<'_>, arguments: &ExplainArguments, format: Format) -> Result<Exit> {
    let known = arguments.known_at.map(RecordedAt);
    let period = period(arguments.from, arguments.at);
    let filter = if arguments.unapproved { ExplainFilter::Unapproved } else { ExplainFilter::All };
    let explanations = query.explain_all(period, known, filter)?.collect::<Result<Vec<_>, _>>()?;
    let what = if arguments.unapproved { "changes that gave access are not covered" } else { "changes gave access" };
    let moment = query.moment_of(arguments.at.map(OccurredAt), known)?;
    let title =
        vec![format!("{} {what}: {}", explanations.len(), tables::verdicts(&explanations)), tables::times(&moment)];
    let rows = tables::explanations(&explanations, title);
    let response = ExplainChangeResponse { basis: Some(query.basis()), moment: Some(moment), explanations };
    output::print(format, &response, &response.explanations, &rows, response.basis.as_ref())?;
    Ok(Exit::Done)
}

/// A record's number, also with a fact's, or else an event id.
fn selector(text: &str) -> Result<ChangeSelector> {
    let is_number = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    let (record, fact) = text.split_once('.').map_or((text, None), |(record, fact)| (record, Some(fact)));
    if !is_number(record) || !fact.is_none_or(is_number) {
        return Ok(ChangeSelector::Event(text.to_owned()));
    }
    match (record.parse(), fact.map(str::parse).transpose()) {
        (Ok(record), Ok(fact)) => Ok(ChangeSelector::Record(RecordIndex(record), fact)),
        _ => bail!("{text} is too large for the number of a record"),
    }
}
