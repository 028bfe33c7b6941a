//! Opening a ledger and its views for a question, with progress on a terminal.

use std::path::Path;

use anyhow::Result;
use counterfoil_ledger::{Ledger, Location, Options, SystemClock};
use counterfoil_query::Views;
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

use crate::cli::LedgerArguments;

/// A ledger with its views, for one run.
pub struct Opened {
    // Fields drop in this order: the views first, then the ledger that they read.
    pub views: Views,
    _ledger: Ledger,
}

pub fn location(arguments: &LedgerArguments) -> Location {
    Location::new(&arguments.data, arguments.anchor.as_deref())
}

/// Opens a ledger as its owner.
pub fn ledger(location: &Location, accept_clock: bool) -> Result<Ledger> {
    let holder = std::env::args().take(2).skip(1).fold("counterfoil".to_owned(), |name, verb| format!("{name} {verb}"));
    Ok(Ledger::open(location, Options { clock: Box::new(SystemClock::new()), accept_clock, holder })?)
}

/// Opens a ledger and brings its views up to date.
pub fn views(arguments: &LedgerArguments) -> Result<Opened> {
    let location = location(arguments);
    let ledger = ledger(&location, false)?;
    views_of(ledger, &location.views())
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
    Ok(Opened { views, _ledger: ledger })
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
