//! `counterfoil history`.

use anyhow::Result;
use counterfoil_query::{HistoryRequest, Period};
use counterfoil_verify::time::{Moment, OccurredAt, RecordedAt};

use crate::cli::{Exit, Format, HistoryArguments, check_period};
use crate::{output, tables, when, who};

/// Entries asked for at a time.
const PAGE_ENTRIES: usize = 1_000;

pub fn run(arguments: &HistoryArguments) -> Result<Exit> {
    let known = arguments.known_at.map(RecordedAt);
    check_period(arguments.from, arguments.at)?;
    let period = period(arguments.from, arguments.at);
    let at = OccurredAt(arguments.at.unwrap_or_else(when::now));
    let format = arguments.output.output;
    let limit = if arguments.limit == 0 { usize::MAX } else { arguments.limit };
    who::ask(&arguments.ledger, &arguments.who, (at, known), format, |query, entity| {
        let mut request =
            HistoryRequest { entity, period, known, page_size: limit.min(PAGE_ENTRIES), page_token: String::new() };
        let mut response = query.history(&request)?;
        while !response.next_page_token.is_empty() && response.entries.len() < limit {
            request.page_token = std::mem::take(&mut response.next_page_token);
            request.page_size = (limit - response.entries.len()).min(PAGE_ENTRIES);
            let page = query.history(&request)?;
            response.entries.extend(page.entries);
            response.next_page_token = page.next_page_token;
        }
        if let (Some(words), Format::Csv | Format::Jsonl) = (tables::first_only(&response), format) {
            anstream::eprintln!("counterfoil: {words}");
        }
        let rows = tables::history(&response, arguments.from, arguments.at);
        output::print(format, &response, &response.entries, &rows, response.basis.as_ref())
    })
}

/// From one moment on, up to and with another.
pub fn period(from: Option<Moment>, at: Option<Moment>) -> Period {
    Period { from: from.map_or(Period::ALWAYS.from, OccurredAt), to: at.map_or(Period::ALWAYS.to, OccurredAt) }
}
