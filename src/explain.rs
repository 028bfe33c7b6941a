//! `counterfoil explain`: one change, or a list of them.

use anyhow::Result;
use clap::builder::{PossibleValuesParser, TypedValueParser};
use counterfoil_ledger::Reader;
use counterfoil_proto::v1::{ExplainChangeResponse, Explanation, FactKind, Mapping, Party, Verdict, record::Body};
use counterfoil_query::{ChangeSelector, ExplainFilter, Query};
use counterfoil_verify::fact::can_give_access;
use counterfoil_verify::link::is_in_time;
use counterfoil_verify::time::{OccurredAt, RecordedAt};
use counterfoil_verify::tree::RecordIndex;

use crate::cli::{Exit, ExplainArguments, Format, Place, Refused, check_period};
use crate::history::period;
use crate::output::{self, Rows, table};
use crate::{open, tables, when, who, words};

pub fn run(arguments: &ExplainArguments) -> Result<Exit> {
    check_period(arguments.from, arguments.at)?;
    let known = arguments.known_at.map(RecordedAt);
    let opened = open::views(&arguments.ledger)?;
    opened.tell_beginning(known)?;
    let query = opened.views.query()?;
    match &arguments.change {
        Some(change) => one(&query, &opened.reader(), &selector(change)?, known, arguments.output.output),
        None => list(&query, arguments, known),
    }
}

fn one(
    query: &Query<'_>,
    reader: &Reader,
    change: &ChangeSelector,
    known: Option<RecordedAt>,
    format: Format,
) -> Result<Exit> {
    if let ChangeSelector::Record(index, _) = change
        && let Some(instead) = instead_of(reader, *index)?
    {
        anstream::eprintln!("counterfoil: {}", output::safe(&instead));
        return Ok(Exit::NotFound);
    }
    let response = query.explain(change, known)?;
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

/// What a record is that holds nothing to explain, and what to ask instead.
fn instead_of(reader: &Reader, index: RecordIndex) -> Result<Option<String>> {
    let record = reader.record(index)?;
    let see = format!("see `counterfoil record {index}`");
    Ok(match &record.body {
        Some(Body::Event(event)) if !event.facts.is_empty() => None,
        Some(Body::Event(event)) => {
            let why = match event.mapping() {
                Mapping::Unmapped => "whose type no connector knows, so that nothing was read out of it",
                Mapping::Incomplete => "that lacks what its facts need",
                _ => "that says nothing about identities or access",
            };
            Some(format!("record {index} holds an event of type {}, {why}: {see}", event.native_type))
        }
        Some(Body::EventConflict(conflict)) => Some(format!(
            "record {index} says that the event of record {first} came again with other content, and changes nothing: \
             ask `counterfoil explain {first}`",
            first = conflict.first_index
        )),
        Some(Body::SourceRejected(_)) => Some(format!(
            "record {index} holds what could not be read as an event: see `counterfoil deadletter show {index}`"
        )),
        Some(Body::SourceGap(_)) => {
            Some(format!("record {index} says that a part of a source will never be read: {see}"))
        }
        Some(Body::Origin(_)) | None => {
            Some(format!("record {index} says which ledger this is, and changes nothing: {see}"))
        }
    })
}

/// Which of the listed changes are wanted, beyond their time.
struct Filter<'a> {
    by: Option<Vec<Party>>,
    for_whom: Option<Vec<Party>>,
    verdicts: &'a [Verdict],
    kinds: &'a [FactKind],
}

impl Filter<'_> {
    fn wants(&self, explanation: &Explanation) -> bool {
        let is_one = |wanted: &Option<Vec<Party>>, party: &Option<Party>| {
            wanted
                .as_ref()
                .is_none_or(|wanted| party.as_ref().is_some_and(|party| wanted.iter().any(|one| one.id == party.id)))
        };
        is_one(&self.by, &explanation.executor)
            && is_one(&self.for_whom, &explanation.subject)
            && (self.verdicts.is_empty() || self.verdicts.contains(&explanation.verdict()))
            && (self.kinds.is_empty() || self.kinds.contains(&explanation.kind()))
    }

    /// Whom it leaves, a line for each part of it.
    fn people(&self) -> Vec<String> {
        let parties = |word: &str, wanted: &Option<Vec<Party>>| {
            let names = |party: &Party| format!("{} ({})", words::called(&Some(party.clone())), party.id);
            wanted.as_ref().map(|wanted| format!("only {word} {}", list_of(wanted.iter().map(names))))
        };
        parties("by", &self.by).into_iter().chain(parties("for", &self.for_whom)).collect()
    }

    /// What it leaves of them, a line for each part of it.
    fn words(&self) -> Vec<String> {
        let verdicts = list_of(self.verdicts.iter().map(|verdict| words::verdict(*verdict)));
        let kinds = list_of(self.kinds.iter().map(|kind| words::kind(*kind)));
        let mut words = Vec::new();
        words.extend((!verdicts.is_empty()).then(|| format!("only with the verdict {verdicts}")));
        words.extend((!kinds.is_empty()).then(|| format!("only {kinds}")));
        words
    }
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

fn list(query: &Query<'_>, arguments: &ExplainArguments, known: Option<RecordedAt>) -> Result<Exit> {
    let is_covering = |verdict: &&Verdict| is_in_time(**verdict);
    if let (true, Some(verdict)) = (arguments.unapproved, arguments.verdict.iter().find(is_covering)) {
        let verdict = words::verdict(*verdict).replace(' ', "-");
        let why = format!("--unapproved never lists what is {verdict}: ask with --all --verdict {verdict}");
        return Err(Refused::Wrong(why).into());
    }
    let at = OccurredAt(arguments.at.unwrap_or_else(when::now));
    let mut filter = Filter { by: None, for_whom: None, verdicts: &arguments.verdict, kinds: &arguments.kind };
    for (wanted, name) in [(&mut filter.by, &arguments.by), (&mut filter.for_whom, &arguments.for_whom)] {
        let Some(name) = name else { continue };
        let called = who::called(query, name, (at, known))?.matches;
        if called.is_empty() {
            return Ok(who::nobody(name));
        }
        *wanted = Some(called);
    }
    let which = if arguments.unapproved { ExplainFilter::Unapproved } else { ExplainFilter::All };
    let is_wanted = |explanation: &Result<Explanation, _>| explanation.as_ref().map_or(true, |one| filter.wants(one));
    let explanations = query.explain_all(period(arguments.from, arguments.at), known, which)?;
    let explanations = explanations.filter(is_wanted).collect::<Result<Vec<_>, _>>()?;

    let format = arguments.output.output;
    if format != Format::Table {
        filter.people().iter().for_each(|line| anstream::eprintln!("counterfoil: {}", output::safe(line)));
    }
    let what = covered(explanations.len(), arguments.unapproved);
    let counts = tables::verdicts(&explanations);
    let counts = if counts.is_empty() { String::new() } else { format!(": {counts}") };
    let moment = query.moment_of(arguments.at.map(OccurredAt), known)?;
    let mut title = vec![what + &counts];
    title.extend(filter.people());
    title.extend(filter.words());
    let moment = Some(moment);
    title.push(tables::limits(arguments.from, arguments.at, &moment));
    let unread = query.unread()?;
    if let Some(hidden) = tables::unread(&unread) {
        match format {
            Format::Table => title.push(hidden),
            _ => anstream::eprintln!("counterfoil: {hidden}"),
        }
    }
    let rows = tables::explanations(&explanations, title);
    let response = ExplainChangeResponse { basis: Some(query.basis()), moment, explanations, unread: Some(unread) };
    output::print(format, &response, &response.explanations, &rows, response.basis.as_ref())?;
    Ok(Exit::Done)
}

/// A record's number, also with a fact's, or else an event id.
fn selector(text: &str) -> Result<ChangeSelector> {
    if !text.bytes().all(|byte| byte.is_ascii_digit() || byte == b'.') {
        return Ok(ChangeSelector::Event(text.to_owned()));
    }
    match text.parse::<Place>() {
        Ok(Place { record, fact }) => Ok(ChangeSelector::Record(record, fact)),
        Err(_) if text.split('.').count() > 2 => Ok(ChangeSelector::Event(text.to_owned())),
        Err(why) => Err(Refused::Wrong(why).into()),
    }
}

/// Verdicts on the command line, such as "none-recorded".
pub fn verdicts() -> impl TypedValueParser<Value = Verdict> {
    let mut verdicts = enumerated(Verdict::try_from);
    // What changed no access is not listed.
    verdicts.retain(|verdict| *verdict != Verdict::NotAChange);
    named(verdicts, |verdict| words::verdict(verdict).replace(' ', "-"))
}

/// The kinds of facts that give access on the command line, such as "grant.added".
pub fn kinds() -> impl TypedValueParser<Value = FactKind> {
    let mut kinds = enumerated(FactKind::try_from);
    kinds.retain(|kind| can_give_access(*kind));
    named(kinds, words::kind)
}

/// Every value of an enum but that which stands for none.
fn enumerated<T, E>(of: impl Fn(i32) -> Result<T, E>) -> Vec<T> {
    (1..=i32::from(u8::MAX)).filter_map(|number| of(number).ok()).collect()
}

/// Values by their names.
fn named<T: Copy + Send + Sync + 'static>(
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
