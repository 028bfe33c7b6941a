//! `counterfoil demo`: a company, its tickets and logs, and its story on one screen.
//!
//! The story is told by the same questions that anyone can ask of the same ledger afterwards.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};
use counterfoil_ingest::connectors;
use counterfoil_ingest::import::{Summary, import};
use counterfoil_ingest::sources::file::Input;
use counterfoil_ledger::{Ledger, Location, Reader, fsck};
use counterfoil_proto::v1::{Explanation, GetStateResponse};
use counterfoil_query::{ChangeSelector, ExplainFilter, Period, Query, Wanted};
use counterfoil_scenario::{Company, Delivery, File, Options, Story, generate};
use counterfoil_verify::entity::EntityId;
use counterfoil_verify::time::{Moment, OccurredAt, RecordedAt};
use counterfoil_verify::tree::RecordIndex;

use crate::cli::DemoArguments;
use crate::exit::{Exit, Refused};
use crate::explain::covered;
use crate::output::safe;
use crate::{import as import_verb, init, open, tables, when, words};

mod evidence;
mod flip;
mod live;
mod served;

/// How many of the newest records may be flipped: one of them lies in one piece.
const TARGETS_MAX: usize = 100;
/// The demo ledger's origin.
const ORIGIN: &str = "tallyhall.example/audit";

pub fn run(arguments: &DemoArguments) -> Result<Exit> {
    let options =
        Options { seed: arguments.seed, people: arguments.people, months: arguments.months, ..Options::default() };
    match (&arguments.messages, &arguments.data) {
        (Some(folder), _) => write_messages(folder, &generate(&options)),
        (None, Some(data)) => tell_all(arguments, data, &options),
        (None, None) => Err(Refused::Wrong("neither a data folder nor one for messages is given".to_owned()).into()),
    }
}

/// Writes what topics would carry: for each connector a file of that name.
fn write_messages(folder: &Path, company: &Company) -> Result<Exit> {
    fs::create_dir_all(folder).with_context(|| format!("make {}", folder.display()))?;
    for (connector, messages) in company.messages() {
        let file = folder.join(format!("{connector}.jsonl"));
        let lines: String = messages.iter().map(|message| format!("{message}\n")).collect();
        fs::write(&file, lines).with_context(|| format!("write {}", file.display()))?;
        say(&format!("{}: {}", file.display(), words::counted(messages.len() as u64, "message")));
    }
    Ok(Exit::Done)
}

fn tell_all(arguments: &DemoArguments, data: &Path, options: &Options) -> Result<Exit> {
    let location = Location::new(data, None);
    let folder = with_extension(data, "company");
    if folder.exists() {
        bail!("{} exists: name another --data, or remove it", folder.display());
    }
    let company = generate(options);
    company.write_to(&folder).with_context(|| format!("write {}", folder.display()))?;
    let counts = &company.truth.counts;
    say(&format!(
        "Tally Hall, a made-up company: {} people, {} tickets, {} events of Okta and {} of AWS over {} months, in {}",
        counts.people,
        counts.tickets,
        counts.okta_events,
        counts.cloudtrail_events,
        arguments.months,
        folder.display()
    ));

    init::create(&location, ORIGIN)?;
    let ledger = open::ledger(&location, false)?;
    let on_time = import_files(&ledger, &folder, &company, Delivery::OnTime)?;
    let before_late = RecordedAt(when::now());
    let late = import_files(&ledger, &folder, &company, Delivery::Late)?;
    say(&format!(
        "Imported: {} events with {} facts; {} delivered twice, {} of unknown type kept, {} conflicting, {} unreadable",
        on_time.events + late.events,
        on_time.facts + late.facts,
        on_time.duplicates + late.duplicates,
        on_time.unmapped + late.unmapped,
        on_time.conflicts + late.conflicts,
        on_time.rejected + late.rejected,
    ));
    let listed_at = live::take_listings(&ledger, &folder, &company)?;
    let opened = open::views_of(ledger, &location.views())?;
    let query = opened.views.query()?;
    tell(&query, &company.truth.story, before_late, late.events)?;
    heading(5, "What is live, and what log and approvals say of it");
    live::tell(&query, listed_at)?;
    drop(query);
    let targets = targets(&opened.ledger.reader())?;
    drop(opened);
    flip_a_bit(&location, &targets)?;
    heading(7, "A running server, asked by grpcurl");
    served::tell(&location, &company.truth.story.explained_change_uuid)?;
    heading(8, "Evidence that an auditor verifies without the server: no approval of a change is recorded");
    let file = with_extension(data, "evidence");
    evidence::tell(&location, &file, &company.truth.story.unapproved_change_uuid)?;
    suggest(data, &company.truth.story, before_late);
    Ok(Exit::Done)
}

fn import_files(ledger: &Ledger, folder: &Path, company: &Company, delivery: Delivery) -> Result<Summary> {
    let mut total = Summary::default();
    for file in company.files.iter().filter(|file| file.delivery == delivery) {
        total.add(&import_file(ledger, folder, file)?);
    }
    Ok(total)
}

fn import_file(ledger: &Ledger, folder: &Path, file: &File) -> Result<Summary> {
    let connector =
        connectors::by_name(file.connector).context("the scenario names a connector that does not exist")?;
    // What came on time is a first import of old logs; what is late now, is late.
    let options = import_verb::options("default", "default", file.delivery == Delivery::OnTime, false)?;
    let input = Input::Path(folder.join(&file.name));
    import(ledger, connector.as_ref(), &input, &options, &mut |_| ()).with_context(|| format!("import {}", file.name))
}

fn tell(query: &Query<'_>, story: &Story, before_late: RecordedAt, late_events: u64) -> Result<()> {
    let now = OccurredAt(when::now());
    let past = OccurredAt(moment(&story.past_at.to_string())?);
    let identity = account(query, &story.identity_login, now)?;

    heading(1, "What could this identity do, then and now?");
    let then = query.state(&identity, past, None)?;
    say(&format!("  {} on {}: {}", story.identity_name, day(&story.past_at.to_string()), holds(&then)));
    say(&format!("  {} today: {}", story.identity_name, holds(&query.state(&identity, now, None)?)));

    heading(2, "Who approved this change?");
    explain(query, &story.explained_change_uuid)?;

    heading(3, "And who approved this one?");
    explain(query, &story.unapproved_change_uuid)?;
    let unapproved =
        query.explain_all(Period::ALWAYS, None, ExplainFilter::Unapproved)?.collect::<Result<Vec<_>, _>>()?;
    say(&format!("  {}: {}", covered(unapproved.len(), true), tables::verdicts(&unapproved)));

    heading(4, &format!("A late log: {late_events} events of an earlier month arrive last"));
    let late = account(query, &story.late_identity_login, now)?;
    let at = OccurredAt(moment(&story.late_at.to_string())?);
    let name = &story.late_entitlement_name;
    for (what, known) in [("what we knew before it", Some(before_late)), ("what we know now", None)] {
        let state = query.state(&late, at, known)?;
        let held = state.state.iter().flat_map(|state| &state.grants).any(|grant| {
            grant.counterpart.as_ref().is_some_and(|entitlement| &entitlement.name == name) && !grant.lapsed
        });
        let verb = if held { "held" } else { "did not hold" };
        say(&format!("  {what}: on {}, {} {verb} {name}", day(&story.late_at.to_string()), story.late_identity_name));
    }
    Ok(())
}

fn account(query: &Query<'_>, login: &str, at: OccurredAt) -> Result<EntityId> {
    let matches = query.resolve(login, Wanted::default(), at, None)?.identities;
    let okta = matches.iter().find(|party| party.id.starts_with("account:okta:"));
    Ok(okta.with_context(|| format!("the ledger knows no account {login}"))?.id.parse()?)
}

fn holds(response: &GetStateResponse) -> String {
    let Some(state) = &response.state else { return String::new() };
    let status = state.account.as_ref().map(|account| account.status().as_str_name().to_lowercase());
    let status = status.unwrap_or_default().replace("account_status_", "account ");
    let mut names: Vec<String> = state
        .grants
        .iter()
        .filter(|grant| !grant.lapsed)
        .filter_map(|grant| grant.counterpart.as_ref())
        .map(|party| if party.name.is_empty() { party.id.clone() } else { party.name.clone() })
        .collect();
    names.sort();
    if names.is_empty() { format!("{status}, no access") } else { format!("{status}; {}", names.join(", ")) }
}

fn explain(query: &Query<'_>, event: &str) -> Result<()> {
    let response = query.explain(&ChangeSelector::Event(event.to_owned()), None)?;
    for explanation in &response.explanations {
        say(&format!("  {}", change_of(explanation)));
        say(&format!("  {}: {}", words::verdict(explanation.verdict()).to_uppercase(), explanation.summary));
    }
    Ok(())
}

fn change_of(explanation: &Explanation) -> String {
    let at = explanation.change.as_ref().map(|change| when::show_timestamp(&change.occurred_at));
    format!(
        "{} {} for {}, {}",
        words::kind(explanation.kind()),
        words::called(&explanation.object),
        words::called(&explanation.subject),
        at.unwrap_or_default()
    )
}

/// A record that can be changed: its number, its bytes, and a part of them that may be anything.
type Target = (RecordIndex, Vec<u8>, Vec<u8>);

/// The newest records but the last: where a bit may be flipped so that the record stays valid by itself.
fn targets(reader: &Reader) -> Result<Vec<Target>> {
    let size = reader.head().size.0;
    let mut targets = Vec::new();
    for index in (1..size.saturating_sub(1)).rev().take(TARGETS_MAX).map(RecordIndex) {
        let digest = reader.record(index)?.provenance.unwrap_or_default().content_digest;
        targets.push((index, reader.record_bytes(index)?, digest));
    }
    Ok(targets)
}

/// Changes one bit of a copy of the ledger, and asks fsck.
fn flip_a_bit(location: &Location, targets: &[Target]) -> Result<()> {
    heading(6, "One bit is flipped in a copy of the ledger");
    let sound = fsck(location, &open::holder(), &mut |_, _| ())?;
    say(&format!("  fsck of the ledger: sound, {} records", sound.records));
    let copy = Location::new(&with_extension(&location.data, "flipped"), None);
    let result = flip_in_copy(location, &copy, targets);
    let _ = fs::remove_dir_all(&copy.data);
    let _ = fs::remove_file(&copy.anchor);
    let (index, found) = result?;
    say(&format!("  flipped: one bit of record {index}, with the disk's own checksum made to fit"));
    say(&format!("  fsck of the copy: {found}"));
    Ok(())
}

fn flip_in_copy(location: &Location, copy: &Location, targets: &[Target]) -> Result<(RecordIndex, String)> {
    copy_folder(&location.data, &copy.data)?;
    fs::copy(&location.anchor, &copy.anchor)?;
    let mut flipped = None;
    for (index, bytes, digest) in targets {
        if flip::flip(&copy.data.join("log"), bytes, digest)? {
            flipped = Some(*index);
            break;
        }
    }
    let index = flipped.context("none of the newest records lies in the write-ahead log in one piece")?;
    let report = fsck(copy, &open::holder(), &mut |_, _| ())?;
    let problem = report.problem.context("fsck did not find the flipped bit")?;
    let place = problem.record.map(|index| format!("from record {index} on: ")).unwrap_or_default();
    Ok((index, format!("FALSIFIED {place}{}", problem.what)))
}

fn copy_folder(from: &Path, to: &Path) -> Result<()> {
    fs::create_dir_all(to)?;
    for entry in fs::read_dir(from)? {
        let entry = entry?;
        let (path, target) = (entry.path(), to.join(entry.file_name()));
        if path.is_dir() {
            copy_folder(&path, &target)?;
        } else {
            fs::copy(&path, &target)?;
        }
    }
    Ok(())
}

fn suggest(data: &Path, story: &Story, before_late: RecordedAt) {
    let program = quoted(&std::env::args().next().unwrap_or_else(|| "counterfoil".to_owned()));
    let data = quoted(&data.display().to_string());
    let known = when::show(before_late.0.seconds, before_late.0.nanos as i32);
    let (late, late_at) = (&story.late_identity_login, &story.late_at);
    say("\nTry on the same ledger:");
    for question in [
        format!("state {} --system okta --at {}", story.identity_login, story.past_at),
        "explain --unapproved".to_owned(),
        format!("state {late} --system okta --at {late_at} --known-at {known}"),
    ] {
        say(&format!("  {program} {question} --data {data}"));
    }
}

/// A word that a shell takes as it is.
fn quoted(word: &str) -> String {
    let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || b"/._-+:@%".contains(&byte);
    if !word.is_empty() && word.bytes().all(is_plain) {
        word.to_owned()
    } else {
        format!("'{}'", word.replace('\'', r"'\''"))
    }
}

fn heading(number: u8, text: &str) {
    say(&format!("\n{number}. {text}"));
}

fn say(text: &str) {
    for line in text.split('\n') {
        anstream::println!("{}", safe(line));
    }
}

fn moment(text: &str) -> Result<Moment> {
    when::parse(text)
}

fn day(text: &str) -> &str {
    text.get(..10).unwrap_or(text)
}

fn with_extension(path: &Path, extension: &str) -> PathBuf {
    PathBuf::from(format!("{}.{extension}", path.display().to_string().trim_end_matches('/')))
}
