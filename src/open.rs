//! Opening a ledger and its views for a question, with progress on a terminal.

use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context, Result};
use counterfoil_ledger::{Ledger, LedgerError, Location, Options, Sealing, SystemClock};
use counterfoil_query::Views;
use counterfoil_verify::policy::Policy;
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

use crate::cli::{AskArguments, LedgerArguments, TokensArguments};
use crate::exit::Refused;
use crate::when;

/// How long one run waits for another that has the ledger: longer than a question takes.
const PATIENCE: Duration = Duration::from_secs(3);
/// How often it waits, since a third may be quicker.
const TURNS_MAX: usize = 20;

/// A ledger with its views, for one run.
pub struct Opened {
    // Fields drop in this order: the views first, then the ledger that they read.
    pub views: Views,
    pub ledger: Ledger,
}

pub fn location(arguments: &LedgerArguments) -> Location {
    Location::new(&arguments.data, arguments.anchor.as_deref())
}

/// The ledger that is asked, where no server is.
pub fn location_of(arguments: &AskArguments) -> Result<Location> {
    let data = arguments.data.as_deref().context("neither a data folder nor a server is given")?;
    Ok(Location::new(data, arguments.anchor.as_deref()))
}

/// The file that says who may call.
pub fn tokens(arguments: &TokensArguments) -> PathBuf {
    arguments.tokens.clone().unwrap_or_else(|| location(&arguments.ledger).tokens())
}

/// Whom to believe, as a file says it.
pub fn policy(path: &Path) -> Result<Policy> {
    let policy = std::fs::read(path).with_context(|| format!("read the policy {}", path.display()))?;
    Policy::parse(&policy).with_context(|| format!("{} is no policy", path.display()))
}

/// Randomness that was never used before.
pub fn entropy() -> [u8; 32] {
    let mut bytes = [0; 32];
    // Without randomness nothing may be sealed, and nobody let in.
    getrandom::fill(&mut bytes).expect("the operating system gives randomness");
    bytes
}

/// Opens a ledger as its owner, for one run, at whose end it is sealed.
pub fn ledger(location: &Location, accept_clock: bool) -> Result<Ledger> {
    ledger_as(location, accept_clock, &holder(), Sealing::AtTheEnd)
}

/// The same, for a run that describes itself in other words, and seals at other times.
pub fn ledger_as(location: &Location, accept_clock: bool, holder: &str, sealing: Sealing) -> Result<Ledger> {
    let sealing = match std::env::var("COUNTERFOIL_SEAL").as_deref() {
        Err(_) | Ok("") => sealing,
        Ok("never") => Sealing::Never,
        Ok(other) => return Err(Refused::Wrong(format!("COUNTERFOIL_SEAL: expected never, got {other:?}")).into()),
    };
    let options = || Options { clock: Box::new(SystemClock::new()), accept_clock, holder: holder.to_owned(), sealing };
    let ledger = in_turn(location, || Ledger::open(location, options()))?;
    if ledger.caught_up() > 0 {
        anstream::eprintln!(
            "counterfoil: {} records beyond the anchor's size were caught up: they were durable when the last run was cut \
             off, and are signed now. No more than one commit can be left so: if there are many, ask who brought back an \
             older anchor",
            ledger.caught_up()
        );
    }
    Ok(ledger)
}

/// How this run describes itself to another that finds the ledger in use.
pub fn holder() -> String {
    let verb = std::env::args().nth(1).unwrap_or_default();
    format!("counterfoil {verb}, {}", since())
}

/// Since when this run has the ledger.
pub fn since() -> String {
    format!("since {}", when::show(when::now().seconds, 0))
}

/// Takes what needs the ledger for itself; where another process has it, after waiting a little.
pub fn in_turn<T>(location: &Location, mut take: impl FnMut() -> Result<T, LedgerError>) -> Result<T> {
    for _ in 0..TURNS_MAX {
        match take() {
            Err(LedgerError::InUse { .. }) if location.wait_until_free(PATIENCE)? => {}
            taken => return Ok(taken?),
        }
    }
    Ok(take()?)
}

/// Brings the views of an open ledger up to date.
pub fn views_of(ledger: Ledger, folder: &Path) -> Result<Opened> {
    let views = Views::open(folder, ledger.reader())?;
    let bar = bar("Building views", "records");
    views.catch_up(&mut |done, total| {
        bar.set_length(total);
        bar.set_position(done);
    })?;
    bar.finish_and_clear();
    Ok(Opened { views, ledger })
}

/// A progress bar on stderr; nothing where stderr is no terminal.
pub fn bar(what: &'static str, unit: &str) -> ProgressBar {
    let bar = ProgressBar::with_draw_target(Some(0), ProgressDrawTarget::stderr_with_hz(10));
    let template = format!("{{msg}} [{{bar:30}}] {{human_pos}}/{{human_len}} {unit} {{per_sec}}, {{eta}} left");
    if let Ok(style) = ProgressStyle::with_template(&template) {
        bar.set_style(style.progress_chars("=> "));
    }
    bar.set_message(what);
    bar
}
