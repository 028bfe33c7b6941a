//! `counterfoil explain`: one change, or a list of them.

use anyhow::Result;
use clap::builder::{PossibleValuesParser, TypedValueParser};
use counterfoil_proto::Shared;
use counterfoil_proto::v1::{ExplainChangeRequest, FactKind, ListChangesRequest, ListChangesResponse, Party, Verdict};
use counterfoil_verify::fact::can_change_access;
use counterfoil_verify::link::is_in_time;

use crate::cli::{Effect, ExplainArguments, Format, check_period};
use crate::client::{Client, timestamp};
use crate::exit::{Exit, Refused};
use crate::output::{self, Rows, table};
use crate::{tables, words};

pub fn run(arguments: &ExplainArguments) -> Result<Exit> {
    check_period(arguments.from, arguments.at)?;
    check_verdicts(arguments)?;
    let client = Client::new(&arguments.ask)?;
    client.tell_beginning(arguments.known_at)?;
    match &arguments.change {
        Some(change) => one(&client, change, arguments),
        None => list(&client, arguments),
    }
}

fn check_verdicts(arguments: &ExplainArguments) -> Result<(), Refused> {
    let is_covering = |verdict: &&Verdict| is_in_time(**verdict);
    match arguments.verdict.iter().find(is_covering) {
        Some(verdict) if arguments.unapproved => {
            let verdict = words::verdict(*verdict).replace(' ', "-");
            let why = format!("--unapproved never lists what is {verdict}: ask with --all --verdict {verdict}");
            Err(Refused::Wrong(why))
        }
        _ => Ok(()),
    }
}

fn one(client: &Client, change: &str, arguments: &ExplainArguments) -> Result<Exit> {
    let format = arguments.output.output;
    let request = ExplainChangeRequest {
        change: change.to_owned(),
        known_at: timestamp(arguments.known_at),
        ..Default::default()
    };
    let response = client.linkage(|mut linkage| async move { linkage.explain_change(request).await })?;
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

/// How many changes there are, in words.
pub fn covered(count: usize, unapproved: bool) -> String {
    match (count, unapproved) {
        (1, true) => "1 change that gave access is not covered".to_owned(),
        (_, true) => format!("{count} changes that gave access are not covered"),
        (_, false) => format!("{} gave access", words::counted(count as u64, "change")),
    }
}

fn list_of(words: impl Iterator<Item = String>) -> String {
    words.collect::<Vec<_>>().join(" or ")
}

/// Whom a list is limited to, a line for each part of it.
fn people(response: &ListChangesResponse) -> Vec<String> {
    let parties = |word: &str, parties: &[Shared<Party>]| {
        let names = parties.iter().map(|party| format!("{} ({})", words::called(&Some(party.clone())), party.id));
        (!parties.is_empty()).then(|| format!("only {word} {}", list_of(names)))
    };
    parties("by", &response.by).into_iter().chain(parties("for", &response.for_whom)).collect()
}

/// What else it is limited to, a line for each part of it.
fn limited_to(arguments: &ExplainArguments) -> Vec<String> {
    let verdicts = list_of(arguments.verdict.iter().map(|verdict| words::verdict(*verdict)));
    let kinds = list_of(arguments.kind.iter().map(|kind| words::kind(*kind)));
    let mut words = Vec::new();
    words.extend((!verdicts.is_empty()).then(|| format!("only with the verdict {verdicts}")));
    words.extend((!kinds.is_empty()).then(|| format!("only {kinds}")));
    words.extend(arguments.filter.iter().map(|filter| format!("only where {filter}")));
    words
}

fn list(client: &Client, arguments: &ExplainArguments) -> Result<Exit> {
    let response = read(client, arguments)?;
    let format = arguments.output.output;
    let people = people(&response);
    if format != Format::Table {
        people.iter().for_each(|line| anstream::eprintln!("counterfoil: {}", output::safe(line)));
    }
    let what = match arguments.effect {
        None | Some(Effect::Gives) => covered(response.explanations.len(), arguments.unapproved),
        Some(Effect::Takes) => {
            format!("{} took access away", words::counted(response.explanations.len() as u64, "change"))
        }
        Some(Effect::Any) => format!("{} of access", words::counted(response.explanations.len() as u64, "change")),
    };
    let counts = tables::verdicts(&response.explanations);
    let counts = if counts.is_empty() { String::new() } else { format!(": {counts}") };
    let mut title = vec![what + &counts];
    title.extend(people);
    title.extend(limited_to(arguments));
    title.push(tables::limits(arguments.from, arguments.at, &response.moment));
    if let Some(hidden) = response.unread.as_ref().and_then(tables::unread) {
        match format {
            Format::Table => title.push(hidden),
            _ => anstream::eprintln!("counterfoil: {hidden}"),
        }
    }
    let rows = tables::explanations(&response.explanations, title);
    output::print(format, &response, &response.explanations, &rows, response.basis.as_ref())?;
    Ok(Exit::Done)
}

/// All pages.
fn read(client: &Client, arguments: &ExplainArguments) -> Result<ListChangesResponse> {
    let mut request = ListChangesRequest {
        unapproved: arguments.unapproved,
        from: timestamp(arguments.from),
        at: timestamp(arguments.at),
        known_at: timestamp(arguments.known_at),
        by: arguments.by.clone().unwrap_or_default(),
        for_whom: arguments.for_whom.clone().unwrap_or_default(),
        person: arguments.person,
        verdicts: arguments.verdict.iter().map(|verdict| i32::from(*verdict)).collect(),
        kinds: arguments.kind.iter().map(|kind| i32::from(*kind)).collect(),
        effect: arguments.effect.map_or(0, |effect| effect.wire().into()),
        filter: arguments.filter.clone().unwrap_or_default(),
        ..ListChangesRequest::default()
    };
    let ask =
        |request: ListChangesRequest| client.linkage(|mut linkage| async move { linkage.list_changes(request).await });
    let mut read = ask(request.clone())?;
    while !read.next_page_token.is_empty() {
        request.page_token = std::mem::take(&mut read.next_page_token);
        let page = ask(request.clone())?;
        read.explanations.extend(page.explanations);
        read.next_page_token = page.next_page_token;
    }
    Ok(read)
}

/// Verdicts on the command line, such as "none-recorded".
pub fn verdicts() -> impl TypedValueParser<Value = Verdict> {
    let mut verdicts = enumerated(Verdict::try_from);
    // What changed no access is not listed.
    verdicts.retain(|verdict| *verdict != Verdict::NotAChange);
    named(verdicts, |verdict| words::verdict(verdict).replace(' ', "-"))
}

/// The kinds of facts that change access on the command line, such as "grant.added".
pub fn kinds() -> impl TypedValueParser<Value = FactKind> {
    let mut kinds = enumerated(FactKind::try_from);
    kinds.retain(|kind| can_change_access(*kind));
    named(kinds, words::kind)
}

/// Every value of an enum but that which stands for none.
pub fn enumerated<T, E>(of: impl Fn(i32) -> Result<T, E>) -> Vec<T> {
    (1..=i32::from(u8::MAX)).filter_map(|number| of(number).ok()).collect()
}

/// Values by their names.
pub fn named<T: Copy + Send + Sync + 'static>(
    values: Vec<T>,
    name: impl Fn(T) -> String,
) -> impl TypedValueParser<Value = T> {
    let names: Vec<(String, T)> = values.into_iter().map(|value| (name(value), value)).collect();
    let possible = PossibleValuesParser::new(names.iter().map(|(name, _)| name.clone()).collect::<Vec<_>>());
    possible.map(move |given| {
        let found = names.iter().find(|(name, _)| *name == given);
        found.expect("the parser takes no other").1
    })
}
