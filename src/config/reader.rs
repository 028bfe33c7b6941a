//! Reads settings one by one, and collects everything that is wrong with any of them.

use std::collections::BTreeSet;
use std::ops::RangeInclusive;
use std::path::PathBuf;

use figment::value::{Dict, Value};

use super::settings::Settings;

/// A setting that counts.
pub struct Shown {
    /// Its name, such as "ingest.okta.connector".
    pub name: String,
    pub value: String,
    /// Where it stands.
    pub origin: String,
}

/// Reads settings.
pub struct Reader<'a> {
    settings: &'a Settings,
    shown: Vec<Shown>,
    problems: Vec<String>,
    known: BTreeSet<String>,
}

impl<'a> Reader<'a> {
    pub fn new(settings: &'a Settings) -> Self {
        Self { settings, shown: Vec::new(), problems: Vec::new(), known: BTreeSet::new() }
    }

    /// Says what is wrong with a setting.
    pub fn problem(&mut self, path: &str, why: &str) {
        let origin = match self.settings.has(path) {
            true => format!("{}: ", self.settings.origin(path)),
            false => String::new(),
        };
        self.problems.push(format!("{origin}{path} {why}"));
    }

    /// A text, read by `parse`; without a default it may be missing.
    pub fn parsed<T>(
        &mut self,
        path: &str,
        default: Option<&str>,
        parse: impl FnOnce(&str) -> Result<T, String>,
    ) -> Option<T> {
        let text = match self.take(path) {
            Some(Value::String(_, text)) => text,
            Some(_) => {
                self.problem(path, "is wrong: expected a text in quotes");
                return None;
            }
            None => default?.to_owned(),
        };
        match parse(&text) {
            Ok(value) => {
                self.show(path, &text);
                Some(value)
            }
            Err(why) => {
                self.problem(path, &format!("is wrong: {why}, got {text:?}"));
                None
            }
        }
    }

    /// A text that must be there.
    pub fn needed<T>(&mut self, path: &str, parse: impl FnOnce(&str) -> Result<T, String>) -> Option<T> {
        if !self.settings.has(path) {
            self.known.insert(path.to_owned());
            self.problem(path, "is missing");
            return None;
        }
        self.parsed(path, None, parse)
    }

    /// A text, a number, or yes or no, as it is written.
    pub fn plain(&mut self, path: &str) -> Option<String> {
        let text = match self.take(path)? {
            Value::String(_, text) => text,
            Value::Bool(_, flag) => flag.to_string(),
            Value::Num(_, number) => {
                let whole = number.to_i128().or_else(|| i128::try_from(number.to_u128()?).ok());
                whole.map(|whole| whole.to_string()).or_else(|| number.to_f64().map(|number| number.to_string()))?
            }
            _ => {
                self.problem(path, "is wrong: expected a text, a number, true or false");
                return None;
            }
        };
        self.show(path, &text);
        Some(text)
    }

    /// Whether a setting that is there can be read: a name in quotes hides its dots.
    pub fn unquoted(&mut self, path: &str) -> bool {
        let is_there = self.settings.has(path);
        if !is_there {
            self.known.insert(path.to_owned());
            self.problem(path, "cannot be read: write its dots without quotes");
        }
        is_there
    }

    /// What must not stand in settings, and is not repeated.
    pub fn secret(&mut self, path: &str, why: &str) {
        self.known.insert(path.to_owned());
        self.problem(path, why);
    }

    /// The names of the sections below another.
    pub fn sections(&self, path: &str) -> Vec<String> {
        self.settings.sections(path)
    }

    /// The names of all settings below another, however deep.
    pub fn below(&self, path: &str) -> Vec<String> {
        let mut names = Vec::new();
        if let Some(Value::Dict(_, dict)) = self.settings.value(path) {
            leaves("", &dict, &mut names);
        }
        names
    }

    /// A path; of one in the file, relative to the file.
    pub fn path(&mut self, path: &str) -> Option<PathBuf> {
        let folder = self.settings.folder(path).map(ToOwned::to_owned);
        self.parsed(path, None, |text| match text {
            "" => Err("expected a path".to_owned()),
            text => Ok(folder.map_or_else(|| PathBuf::from(text), |folder| folder.join(text))),
        })
    }

    /// Yes or no.
    pub fn flag(&mut self, path: &str, default: bool) -> bool {
        let value = match self.take(path) {
            Some(Value::Bool(_, flag)) => flag,
            Some(_) => {
                self.problem(path, "is wrong: expected true or false");
                return default;
            }
            None => default,
        };
        self.show(path, &value.to_string());
        value
    }

    /// A number within this range.
    pub fn count(&mut self, path: &str, default: u32, range: RangeInclusive<u32>) -> u32 {
        let value = match self.take(path) {
            Some(value) => {
                let count = value.to_i128().or_else(|| i128::try_from(value.to_u128()?).ok());
                count.and_then(|count| u32::try_from(count).ok())
            }
            None => Some(default),
        };
        match value.filter(|count| range.contains(count)) {
            Some(count) => {
                self.show(path, &count.to_string());
                count
            }
            None => {
                let (least, most) = range.into_inner();
                self.problem(path, &format!("is wrong: expected a number from {least} to {most}"));
                default
            }
        }
    }

    /// The settings that count, and what is wrong: also those that there are not.
    pub fn finish(mut self) -> (Vec<Shown>, Vec<String>) {
        let mut paths = Vec::new();
        leaves("", &self.settings.all(), &mut paths);
        for path in paths.iter().filter(|path| !self.known.contains(*path)) {
            let above = path.rsplit_once('.').map_or("", |(above, _)| above);
            let beside = |known: &&String| known.rsplit_once('.').map_or("", |(above, _)| above) == above;
            let names = self.known.iter().filter(beside).map(|known| known.rsplit('.').next().unwrap_or_default());
            let names = names.collect::<Vec<_>>().join(", ");
            // Its value is not repeated: it may be what does not belong here.
            self.problems.push(format!("{}: there is no setting {path}: expected {names}", self.settings.origin(path)));
        }
        (self.shown, self.problems)
    }

    fn take(&mut self, path: &str) -> Option<Value> {
        self.known.insert(path.to_owned());
        self.settings.value(path)
    }

    fn show(&mut self, path: &str, value: &str) {
        let origin = self.settings.origin(path);
        self.shown.push(Shown { name: path.to_owned(), value: value.to_owned(), origin });
    }
}

fn leaves(above: &str, dict: &Dict, found: &mut Vec<String>) {
    for (name, value) in dict {
        let path = if above.is_empty() { name.clone() } else { format!("{above}.{name}") };
        match value {
            Value::Dict(_, below) => leaves(&path, below, found),
            _ => found.push(path),
        }
    }
}
