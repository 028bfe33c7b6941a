//! Figures: what was measured, against what, and the bar.

use std::path::Path;
use std::process::ExitCode;
use std::time::Duration;

use anyhow::{Context, Result};
use comfy_table::{Table, presets};
use serde::Serialize;

use crate::stopwatch::median;

/// One figure. `ours` and `baseline` are in `unit`.
#[derive(Clone, Debug, Serialize)]
pub struct Figure {
    name: String,
    ours: f64,
    baseline: Option<f64>,
    unit: &'static str,
    ratio: Option<f64>,
    bar: Option<f64>,
    ok: bool,
}

impl Figure {
    /// Passes if ours is at most `bar`, in its own unit.
    pub fn within(bar: f64, name: &str, ours: f64, unit: &'static str) -> Self {
        Self { bar: Some(rounded(bar)), ok: ours <= bar, ..Self::plain(name, ours, unit) }
    }

    /// Passes if ours is at most `bar` times the baseline, both in `unit`.
    pub fn at_most(bar: f64, name: &str, (ours, baseline): (f64, f64), unit: &'static str) -> Self {
        let ratio = ours / baseline;
        Self::compared(name, (ours, baseline, unit), ratio, bar, ratio <= bar)
    }

    /// A figure without a bar.
    pub fn plain(name: &str, ours: f64, unit: &'static str) -> Self {
        Self { name: name.to_owned(), ours: rounded(ours), baseline: None, unit, ratio: None, bar: None, ok: true }
    }

    fn compared(name: &str, (ours, baseline, unit): (f64, f64, &'static str), ratio: f64, bar: f64, ok: bool) -> Self {
        Self {
            baseline: Some(rounded(baseline)),
            ratio: Some(rounded(ratio)),
            bar: Some(bar),
            ok,
            ..Self::plain(name, ours, unit)
        }
    }
}

/// What was measured beside its baseline, round after round. A machine that is slow for a while is slow for both of a
/// round: the ratio is the median of the rounds' own.
#[derive(Default)]
pub struct Rounds {
    ours: Vec<Duration>,
    baseline: Vec<Duration>,
}

impl Rounds {
    /// Adds a round.
    pub fn push(&mut self, ours: Duration, baseline: Duration) {
        self.ours.push(ours);
        self.baseline.push(baseline);
    }

    /// Passes if ours does so much `work` at least `bar` times as fast as the baseline; in work per second.
    pub fn at_least(self, bar: f64, name: &str, work: f64, unit: &'static str) -> Figure {
        let ratio = middle(self.each().map(|(ours, baseline)| baseline / ours).collect());
        let per_second = |times| work / median(times).as_secs_f64();
        let (ours, baseline) = (per_second(self.ours), per_second(self.baseline));
        Figure::compared(name, (ours, baseline, unit), ratio, bar, ratio >= bar)
    }

    /// Passes if ours takes at most `bar` times as long as the baseline; in microseconds.
    pub fn at_most(self, bar: f64, name: &str) -> Figure {
        let ratio = middle(self.each().map(|(ours, baseline)| ours / baseline).collect());
        let micros = |times| median(times).as_secs_f64() * 1e6;
        let (ours, baseline) = (micros(self.ours), micros(self.baseline));
        Figure::compared(name, (ours, baseline, "µs"), ratio, bar, ratio <= bar)
    }

    /// The seconds of each round.
    fn each(&self) -> impl Iterator<Item = (f64, f64)> + '_ {
        self.ours.iter().zip(&self.baseline).map(|(ours, baseline)| (ours.as_secs_f64(), baseline.as_secs_f64()))
    }
}

/// The middle one; of an even number, the upper of the two.
fn middle(mut numbers: Vec<f64>) -> f64 {
    numbers.sort_unstable_by(f64::total_cmp);
    numbers.get(numbers.len() / 2).copied().unwrap_or(f64::NAN)
}

/// Three decimals.
fn rounded(number: f64) -> f64 {
    (number * 1000.0).round() / 1000.0
}

/// Prints figures as a table and writes them to a file. It is a failure if a bar is missed.
pub fn report(figures: &[Figure], path: &Path) -> Result<ExitCode> {
    print(figures);
    let json = serde_json::to_string_pretty(figures)? + "\n";
    std::fs::write(path, json).with_context(|| format!("write {}", path.display()))?;
    Ok(if figures.iter().all(|figure| figure.ok) { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

fn print(figures: &[Figure]) {
    let mut table = Table::new();
    table.load_preset(presets::UTF8_HORIZONTAL_ONLY);
    table.set_header(["figure", "ours", "baseline", "unit", "ratio", "bar", "ok"]);
    for figure in figures {
        let optional = |number: Option<f64>| number.map(|number| number.to_string()).unwrap_or_default();
        table.add_row([
            figure.name.clone(),
            figure.ours.to_string(),
            optional(figure.baseline),
            figure.unit.to_owned(),
            optional(figure.ratio),
            optional(figure.bar),
            match (figure.bar, figure.ok) {
                (None, _) => String::new(),
                (Some(_), true) => "yes".to_owned(),
                (Some(_), false) => "NO".to_owned(),
            },
        ]);
    }
    println!("{table}");
}
