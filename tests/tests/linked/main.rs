//! Links on a labelled set: made-up companies whose near misses are told apart by the list of what is true, in any
//! order of arrival; and at past sizes of the log, against a naive model.
#![allow(clippy::unwrap_used, reason = "a test stops where it fails")]

mod naive;
mod people;
mod tickets;

use std::collections::{BTreeMap, BTreeSet};

use counterfoil_proto::v1::{Explanation, FactKind, LinkRule, Record, Verdict};
use counterfoil_query::{ExplainFilter, Period, Views};
use counterfoil_scenario::{Change, Company, Options, Rule, Truth, Verdict as True, generate};
use counterfoil_tests::campaign::{Campaign, is_torture};
use counterfoil_tests::inside::InsideLedger;
use counterfoil_tests::named;
use counterfoil_verify::time::RecordedAt;
use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::Rng;

use crate::naive::{Answer, Model};

/// How many pieces a company's events arrive in, when they arrive in no order.
const PIECES: usize = 12;
/// How many past sizes of each log the naive model is asked about.
const SIZES: usize = 4;
/// Of the changes that only points can tell, the share that has to be told.
const FOUND_PERCENT: usize = 95;

/// The least number of events of a large company.
const EVENTS_MIN: u64 = 50_000;

/// A company of at least [`EVENTS_MIN`] events, or of some thousands.
fn company(seed: u64) -> Company {
    let (people, months, near_misses) = if is_torture() { (135, 9, 60) } else { (24, 2, 5) };
    generate(&Options { seed, people, months, near_misses, ..Options::default() })
}

#[test]
fn s2_03_links_on_a_labelled_set() {
    let campaign = Campaign::new("links of made-up companies, their events in any order", 2, 25);
    let mut all = Figures::default();
    for case in 0..campaign.count() {
        let mut random = campaign.random(case);
        let seed = random.next_u64();
        let company = company(seed);
        for (order, history) in [("in order", in_order(&company)), ("in no order", in_no_order(&company, &mut random))]
        {
            let context = format!("seed {seed}, {order}");
            let events = history.ledger.ledger.reader().head().size.0;
            assert!(!is_torture() || events >= EVENTS_MIN, "{context}: {events} events");
            let figures = check(&history, &company.truth, &context);
            eprintln!("{context}: {events} events; {figures}");
            all.add(&figures);
            check_past(&history, &mut random, &context);
        }
        campaign.passed();
    }
    campaign.end(&all.to_string());
}

/// A log, and when it had arrived at which size.
struct History {
    ledger: InsideLedger,
    views: Views,
    sizes: Vec<(RecordedAt, u64)>,
}

impl History {
    fn of(ledger: InsideLedger, sizes: Vec<(RecordedAt, u64)>) -> Self {
        let views = ledger.views();
        Self { ledger, views, sizes }
    }

    fn explained(&self, known: Option<RecordedAt>) -> Vec<Explanation> {
        let query = self.views.query().unwrap();
        let all = query.explain_all(Period::ALWAYS, known, ExplainFilter::All).unwrap();
        let all = all.collect::<Result<Vec<Explanation>, _>>().unwrap();
        let is_about_nobody = |kind| matches!(kind, FactKind::EntitlementChanged | FactKind::EntitlementDefined);
        all.into_iter().filter(|one| !is_about_nobody(one.kind())).collect()
    }
}

/// Imports something, and notes when and how much there is then.
fn arrive(ledger: &InsideLedger, connector: &str, lines: &[u8], is_backfill: bool, sizes: &mut Vec<(RecordedAt, u64)>) {
    let path = ledger.folder.path().join(format!("arriving-{}.jsonl", sizes.len()));
    std::fs::write(&path, lines).unwrap();
    let summary = ledger.import(connector, &path, is_backfill);
    assert_eq!((summary.rejected, summary.conflicts), (0, 0), "{summary:?}");
    sizes.push((ledger.now(), ledger.ledger.reader().head().size.0));
    ledger.pass(1);
}

/// Old logs, system by system.
fn in_order(company: &Company) -> History {
    let (ledger, mut sizes) = (InsideLedger::new(), Vec::new());
    for (connector, lines) in company.messages() {
        for piece in lines.chunks(lines.len().div_ceil(PIECES)) {
            arrive(&ledger, connector, piece.join("\n").as_bytes(), true, &mut sizes);
        }
    }
    History::of(ledger, sizes)
}

/// Live, and nothing in the order in which it happened.
fn in_no_order(company: &Company, random: &mut ChaCha8Rng) -> History {
    let messages = company.messages();
    let mut lines: Vec<(&str, &str)> =
        messages.iter().flat_map(|(connector, lines)| lines.iter().map(|line| (*connector, line.as_str()))).collect();
    for last in (1..lines.len()).rev() {
        lines.swap(last, below(random, last + 1));
    }
    let (ledger, mut sizes) = (InsideLedger::new(), Vec::new());
    for piece in lines.chunks(lines.len().div_ceil(PIECES)) {
        let mut by_connector: BTreeMap<&str, String> = BTreeMap::new();
        for (connector, line) in piece {
            *by_connector.entry(connector).or_default() += &format!("{line}\n");
        }
        for (connector, lines) in by_connector {
            arrive(&ledger, connector, lines.as_bytes(), false, &mut sizes);
        }
    }
    History::of(ledger, sizes)
}

fn below(random: &mut ChaCha8Rng, bound: usize) -> usize {
    usize::try_from(random.next_u64() % bound as u64).unwrap()
}

/// How many changes were linked how.
#[derive(Default)]
struct Figures {
    named: usize,
    shared: usize,
    /// Those that only points can tell, and those of them that were told.
    scored: usize,
    found: usize,
    /// Reported as ambiguous, and those among them that nobody could tell.
    ambiguous: usize,
    untold: usize,
    unasked: usize,
}

impl Figures {
    fn add(&mut self, other: &Self) {
        self.named += other.named;
        self.shared += other.shared;
        self.scored += other.scored;
        self.found += other.found;
        self.ambiguous += other.ambiguous;
        self.untold += other.untold;
        self.unasked += other.unasked;
    }
}

impl std::fmt::Display for Figures {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { named, shared, scored, found, ambiguous, untold, unasked } = self;
        write!(
            f,
            "{named} named and {shared} by a shared transaction, all right; by points {found} of {scored} found, "
        )?;
        write!(f, "none wrong; {ambiguous} ambiguous, {untold} of them by nature; {unasked} that nobody asked for")
    }
}

/// What makes a change itself: its event, and what it gave.
type Key = (String, String);

fn true_key(change: &Change) -> Key {
    let credential = change.credential_id.iter().map(|id| format!("/{id}"));
    (change.event_uuid.clone(), [change.entitlement.clone()].into_iter().chain(credential).collect())
}

fn key_of(explanation: &Explanation) -> Key {
    let about = explanation.subject.as_ref().unwrap();
    (explanation.event_id.clone(), named::object(about, explanation.object.as_ref()))
}

fn numbers(explanation: &Explanation) -> Vec<String> {
    let id = |one: &counterfoil_proto::v1::LinkedTicket| one.ticket.as_ref().unwrap().id.clone();
    let number = |id: String| format!("SR-{}", id.rsplit('/').next().unwrap());
    explanation.tickets.iter().map(id).map(number).collect()
}

/// Every change of the truth is linked as it should be, and nothing else is.
fn check(history: &History, truth: &Truth, context: &str) -> Figures {
    let explained: BTreeMap<Key, Explanation> =
        history.explained(None).into_iter().map(|one| (key_of(&one), one)).collect();
    let expected: BTreeMap<Key, &Change> = truth.changes.iter().map(|change| (true_key(change), change)).collect();
    assert_eq!(explained.keys().collect::<Vec<_>>(), expected.keys().collect::<Vec<_>>(), "{context}");
    let mut figures = Figures::default();
    for (key, explanation) in &explained {
        let change = expected[key];
        check_one(change, explanation, &mut figures, &format!("{context}: {change:#?}\n{explanation:#?}"));
    }
    assert!(figures.found * 100 >= figures.scored * FOUND_PERCENT, "{context}: {figures}");
    for count in [figures.named, figures.shared, figures.scored, figures.untold, figures.unasked] {
        assert!(count > 0, "{context}: {figures}");
    }
    figures
}

fn check_one(change: &Change, explanation: &Explanation, figures: &mut Figures, context: &str) {
    let verdict = match explanation.verdict() {
        // That the ledger learned of it late is no matter of links.
        Verdict::ApprovedRecordedLate => Verdict::Approved,
        verdict => verdict,
    };
    let is = match change.verdict {
        True::Approved => Verdict::Approved,
        True::ApprovedLate => Verdict::ApprovedLate,
        True::OtherBeneficiary => Verdict::OtherBeneficiary,
        True::Rejected => Verdict::Rejected,
        True::Pending => Verdict::Pending,
        True::None => Verdict::NoneRecorded,
        True::Ambiguous => Verdict::Ambiguous,
    };
    let linked = numbers(explanation);
    let is_told = || assert_eq!((verdict, linked.first()), (is, change.ticket.as_ref()), "{context}");
    match change.rule {
        Some(Rule::Explicit) => {
            is_told();
            assert_eq!((explanation.rule(), linked.len()), (LinkRule::Explicit, 1), "{context}");
            figures.named += 1;
        }
        Some(Rule::Transaction) => {
            is_told();
            assert_eq!((explanation.rule(), linked.len()), (LinkRule::Correlation, 1), "{context}");
            figures.shared += 1;
        }
        Some(Rule::Window) => {
            figures.scored += 1;
            assert_eq!(explanation.rule(), LinkRule::Window, "{context}");
            match verdict {
                Verdict::Ambiguous => {
                    assert!(change.ticket.as_ref().is_some_and(|ticket| linked.contains(ticket)), "{context}");
                    figures.ambiguous += 1;
                }
                _ => {
                    is_told();
                    figures.found += 1;
                }
            }
        }
        None if change.verdict == True::Ambiguous => {
            assert_eq!((verdict, explanation.rule()), (is, LinkRule::Window), "{context}");
            let (linked, candidates): (BTreeSet<_>, BTreeSet<_>) =
                (linked.iter().collect(), change.candidates.iter().collect());
            assert_eq!(linked, candidates, "{context}");
            figures.ambiguous += 1;
            figures.untold += 1;
        }
        None => {
            assert_eq!((verdict, linked.len()), (is, 0), "{context}");
            figures.unasked += 1;
        }
    }
}

/// What was known at some past sizes of the log, against the naive model.
fn check_past(history: &History, random: &mut ChaCha8Rng, context: &str) {
    let reader = history.ledger.ledger.reader();
    let records: Vec<Record> = reader.records(0..reader.head().size.0).collect::<Result<_, _>>().unwrap();
    let model = Model::read(&records);
    for _ in 0..SIZES {
        let (known, size) = history.sizes[below(random, history.sizes.len())];
        let mut expected = model.answers(size);
        for explanation in history.explained(Some(known)) {
            let place = explanation.change.unwrap();
            let ticket = |one: &counterfoil_proto::v1::LinkedTicket| one.ticket.as_ref().unwrap().id.parse().unwrap();
            let mut found = Answer {
                verdict: explanation.verdict(),
                rule: explanation.rule(),
                tickets: explanation.tickets.iter().map(ticket).collect(),
            };
            let mut naive = expected.remove(&(place.record, place.fact)).unwrap();
            // Which of those stands first that say the same is nobody's to say.
            let is_chosen = found.rule == LinkRule::Window && found.verdict != Verdict::Ambiguous;
            for answer in [&mut found, &mut naive] {
                let first = usize::from(is_chosen).min(answer.tickets.len());
                answer.tickets[first..].sort();
            }
            assert_eq!(found, naive, "{context}, known at size {size}: {explanation:#?}");
        }
        assert_eq!(expected, BTreeMap::new(), "{context}, known at size {size}");
    }
}
