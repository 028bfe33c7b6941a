//! A made-up company, Tally Hall, that asks for access in Freshservice and gives it in Okta and in AWS: files in the shapes
//! those systems really send, with planted violations, and the list of what is true. The demo, the tests and the benchmarks
//! feed on it. Everything follows from [`Options`]: no clock, no randomness of the machine, no file is read.
//!
//! ```
//! use counterfoil_scenario::{Options, generate};
//!
//! let company = generate(&Options { people: 12, months: 1, ..Options::default() });
//! assert_eq!(company.files[0].name, "freshservice/agents.json");
//! assert!(company.truth.changes.len() > 100);
//! ```

mod action;
mod approvals;
mod calendar;
mod case;
mod chronicle;
mod cloud;
mod company;
mod directory;
mod files;
mod freshservice;
mod identities;
mod live;
mod lives;
mod messages;
mod migration;
mod names;
mod near_misses;
mod noise;
mod okta;
mod random;
mod requests;
mod states;
mod story;
mod stream;
mod truth;
mod verdicts;

use std::collections::BTreeMap;
use std::io;
use std::path::Path;

pub use stream::{okta_events, okta_events_among, okta_history};
pub use truth::{
    AccountStatus, Change, Counts, Kept, KeptReason, Lapsed, Live, LiveKind, NonHuman, OwnerOf, Reach, Redefinition,
    Rule, State, Story, Truth, Verdict, Whose,
};

/// What a company follows from.
#[derive(Clone, Debug)]
pub struct Options {
    pub seed: u64,
    /// Employees at the start; fewer than 12 are taken as 12.
    pub people: u32,
    /// The first day, from 1970 on.
    pub start: jiff::civil::Date,
    /// How long the story is; at least one month.
    pub months: u32,
    /// How often each change is planted that is easily taken for another ticket's; the list of what is true has them, too.
    pub near_misses: u32,
}

impl Default for Options {
    fn default() -> Options {
        Options { seed: 1, people: 60, start: jiff::civil::date(2026, 1, 1), months: 6, near_misses: 0 }
    }
}

/// A generated company.
#[derive(Clone, Debug)]
pub struct Company {
    /// In the order of import.
    pub files: Vec<File>,
    /// What is live when the story ends, as the APIs of Okta and AWS list it.
    pub listings: Vec<Listings>,
    /// The log of the company's own directory, with groups within groups: for whoever asks about effective access.
    pub directory: File,
    /// What says who is who: mapping file, matching rules, the register of non-human identities, and a few accounts more
    /// that are easily taken for somebody else's. In the order of import, behind the files.
    pub identities: Vec<File>,
    pub truth: Truth,
}

/// What one run of `counterfoil snapshot` takes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Listings {
    pub connector: &'static str,
    pub files: Vec<File>,
    /// What the pages do not say themselves: which call they answer, of which account they are, and when they were taken.
    /// Where they do not say when, they do not say that they are all either: that is on the operator's word.
    pub scope: Option<String>,
    pub instance: Option<&'static str>,
    pub as_of: Option<jiff::Timestamp>,
}

/// One file as a source would deliver it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct File {
    /// Relative, as in `freshservice/tickets.jsonl`.
    pub name: String,
    /// `freshservice`, `okta`, `cloudtrail`, `people`, `nhi` or `fact`, which the directory has too.
    pub connector: &'static str,
    pub delivery: Delivery,
    pub bytes: Vec<u8>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Delivery {
    OnTime,
    /// After everything else, though what it tells happened before.
    Late,
}

/// Lets the company live through its span and writes down what its systems would have sent.
pub fn generate(options: &Options) -> Company {
    let span = calendar::Span::new(options.start, options.months);
    let mut random = random::Random::new(options.seed, "company");
    let company = company::found(options.people, options.months, &span, &mut random);
    let mut chronicle = chronicle::Chronicle::new(span, company, random);
    migration::play(&mut chronicle);
    lives::arrivals(&mut chronicle);
    lives::changes(&mut chronicle);
    story::play(&mut chronicle);
    requests::play(&mut chronicle);
    lives::departures(&mut chronicle);
    noise::play(&mut chronicle);
    cloud::plots::play(&mut chronicle);
    near_misses::play(&mut chronicle, options.near_misses);

    let order = chronicle.number_cases();
    let (files, mut counts) = files::render(&chronicle, &order, &mut random::Random::new(options.seed, "files"));
    let changes = verdicts::list(&chronicle);
    for change in &changes {
        *counts.verdicts.entry(change.verdict).or_default() += 1;
    }
    let story = story::tell(&chronicle);
    let states = states::sample(&chronicle, &story, &mut random::Random::new(options.seed, "states"));
    let widened = verdicts::widened(&chronicle);
    let (okta, mut live) = live::listings(&chronicle, &mut random::Random::new(options.seed, "live"));
    let (aws, live_in_aws) = cloud::live::listings(&chronicle, &mut random::Random::new(options.seed, "live in aws"));
    live.extend(live_in_aws);
    let listings = [okta].into_iter().chain(aws).collect();
    let (lapsed, kept) = (chronicle.lapsed(), chronicle.kept());
    let directory::Directory { file: directory, reach, redefinitions } = directory::of(&chronicle);
    let identities::Identities { files: identities, whose, non_human } =
        identities::make(&chronicle, &mut random::Random::new(options.seed, "identities"));
    let truth =
        Truth { changes, widened, states, lapsed, kept, live, reach, redefinitions, whose, non_human, story, counts };
    Company { files, listings, directory, identities, truth }
}

impl Company {
    /// Writes the files, and beside them `ground-truth.json`.
    pub fn write_to(&self, dir: &Path) -> io::Result<()> {
        let listed = self.listings.iter().flat_map(|listings| &listings.files);
        for file in self.files.iter().chain(listed).chain([&self.directory]).chain(&self.identities) {
            let path = dir.join(&file.name);
            std::fs::create_dir_all(path.parent().unwrap_or(dir))?;
            std::fs::write(path, &file.bytes)?;
        }
        std::fs::write(dir.join("ground-truth.json"), self.truth.to_json()?)
    }

    /// What the files hold, as messages of topics: for each connector a line of JSON each, in the order of import.
    pub fn messages(&self) -> BTreeMap<&'static str, Vec<String>> {
        messages::of(&self.files)
    }
}
