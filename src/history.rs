//! `counterfoil history`.

use anyhow::Result;
use counterfoil_proto::v1::{GetHistoryRequest, GetHistoryResponse};

use crate::cli::{Format, HistoryArguments, check_period};
use crate::client::{Client, timestamp};
use crate::exit::Exit;
use crate::{output, tables, who};

/// Entries asked for at a time.
const PAGE_ENTRIES: usize = 1_000;

pub fn run(arguments: &HistoryArguments) -> Result<Exit> {
    check_period(arguments.from, arguments.at)?;
    let client = Client::new(&arguments.ask)?;
    client.tell_beginning(arguments.known_at)?;
    let format = arguments.output.output;
    let response = read(&client, arguments);
    who::answered(&client, &arguments.who, (arguments.at, arguments.known_at), format, response, |response| {
        if let (Some(words), Format::Csv | Format::Jsonl) = (tables::first_only(response), format) {
            anstream::eprintln!("counterfoil: {words}");
        }
        let rows = tables::history(response, arguments.from, arguments.at);
        output::print(format, response, &response.entries, &rows, response.basis.as_ref())
    })
}

/// As many pages as are wanted.
fn read(client: &Client, arguments: &HistoryArguments) -> Result<GetHistoryResponse> {
    let limit = if arguments.limit == 0 { usize::MAX } else { arguments.limit };
    let mut read: Option<GetHistoryResponse> = None;
    loop {
        let (held, page_token) = match &mut read {
            Some(read) => (read.entries.len(), std::mem::take(&mut read.next_page_token)),
            None => (0, String::new()),
        };
        let request = GetHistoryRequest {
            who: arguments.who.who.clone(),
            system: arguments.who.system.clone().unwrap_or_default(),
            from: timestamp(arguments.from),
            at: timestamp(arguments.at),
            known_at: timestamp(arguments.known_at),
            min_tree_size: 0,
            with_proof: false,
            page_size: (limit - held).min(PAGE_ENTRIES) as i32,
            page_token,
            person: arguments.person.person,
        };
        let page = client.identity(|mut identity| async move { identity.get_history(request).await })?;
        let read = match &mut read {
            Some(read) => {
                read.entries.extend(page.entries);
                read.next_page_token = page.next_page_token;
                read
            }
            None => read.insert(page),
        };
        if read.next_page_token.is_empty() || read.entries.len() >= limit {
            return Ok(std::mem::take(read));
        }
    }
}
