//! Figures: what was measured, against what, and the bar.

use comfy_table::{Table, presets};
use serde::Serialize;

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
    /// Passes if ours is at least `bar` times the baseline.
    pub fn at_least(bar: f64, name: &str, ours: f64, baseline: f64, unit: &'static str) -> Self {
        let ratio = ours / baseline;
        Self::compared(name, ours, baseline, unit, bar, ratio >= bar)
    }

    /// Passes if ours is at most `bar` times the baseline.
    pub fn at_most(bar: f64, name: &str, ours: f64, baseline: f64, unit: &'static str) -> Self {
        let ratio = ours / baseline;
        Self::compared(name, ours, baseline, unit, bar, ratio <= bar)
    }

    /// Passes if ours is at most `bar`, in its own unit.
    pub fn within(bar: f64, name: &str, ours: f64, unit: &'static str) -> Self {
        Self { bar: Some(rounded(bar)), ok: ours <= bar, ..Self::plain(name, ours, unit) }
    }

    /// A figure without a bar.
    pub fn plain(name: &str, ours: f64, unit: &'static str) -> Self {
        Self { name: name.to_owned(), ours: rounded(ours), baseline: None, unit, ratio: None, bar: None, ok: true }
    }

    /// Whether it passes.
    pub fn is_ok(&self) -> bool {
        self.ok
    }

    fn compared(name: &str, ours: f64, baseline: f64, unit: &'static str, bar: f64, ok: bool) -> Self {
        Self {
            name: name.to_owned(),
            ours: rounded(ours),
            baseline: Some(rounded(baseline)),
            unit,
            ratio: Some(rounded(ours / baseline)),
            bar: Some(bar),
            ok,
        }
    }
}

/// Three decimals.
fn rounded(number: f64) -> f64 {
    (number * 1000.0).round() / 1000.0
}

/// Prints figures as a table.
pub fn print(figures: &[Figure]) {
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
