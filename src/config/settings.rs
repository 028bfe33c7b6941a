//! Where settings stand: the layers, and the line of each key in the file.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use figment::providers::Env;
use figment::value::{Dict, Map, Value};
use figment::{Figment, Metadata, Profile, Provider};
use toml::de::{DeTable, DeValue};

use super::Given;
use crate::cli::LogFormat;

/// What the names of environment variables begin with.
const PREFIX: &str = "COUNTERFOIL_";
/// The settings that the environment may give. Other variables of that prefix are for other verbs.
const OF_ENVIRONMENT: [&str; 25] = [
    "data",
    "anchor",
    "listen",
    "tls_cert",
    "tls_key",
    "client_ca",
    "tokens",
    "accept_clock",
    "witnesses",
    "backups",
    "log_format",
    "otlp_endpoint",
    "otlp_token_file",
    "otlp_ca",
    "otlp_seconds",
    "otlp_percent",
    "follow",
    "policy",
    "follow_token_file",
    "follow_ca",
    "follow_client_cert",
    "follow_client_key",
    "lease_seconds",
    "ingest",
    "kafka",
];
/// The name of the layer of the command line.
const COMMAND_LINE: &str = "the command line";

/// All layers, the last of which counts.
pub struct Settings {
    figment: Figment,
    file: Option<File>,
}

/// The file, and where in it each key stands.
struct File {
    path: PathBuf,
    lines: BTreeMap<String, usize>,
}

/// Values with a name for where they come from.
struct Layer {
    name: String,
    values: Dict,
}

impl Provider for Layer {
    fn metadata(&self) -> Metadata {
        Metadata::named(self.name.clone())
    }

    fn data(&self) -> Result<Map<Profile, Dict>, figment::Error> {
        Ok(Profile::Default.collect(self.values.clone()))
    }
}

impl Settings {
    /// Gathers the layers.
    ///
    /// # Errors
    /// What is wrong with the file as a whole, and where.
    pub fn gather(given: &Given<'_>) -> Result<Self, String> {
        let mut figment = Figment::new();
        let mut file = None;
        if let Some(path) = &given.service.config {
            let (values, read) = File::read(path)?;
            figment = figment.merge(Layer { name: path.display().to_string(), values });
            file = Some(read);
        }
        let is_setting = |key: &figment::value::UncasedStr| {
            let first = key.as_str().split("__").next().unwrap_or_default().to_ascii_lowercase();
            OF_ENVIRONMENT.contains(&first.as_str())
        };
        let environment = Env::prefixed(PREFIX).filter(is_setting).split("__");
        let flags = Layer { name: COMMAND_LINE.to_owned(), values: flags(given) };
        Ok(Self { figment: figment.merge(environment).merge(flags), file })
    }

    /// Whether there is such a setting.
    pub fn has(&self, path: &str) -> bool {
        self.value(path).is_some()
    }

    /// A setting.
    pub fn value(&self, path: &str) -> Option<Value> {
        self.figment.find_value(path).ok()
    }

    /// Every setting.
    pub fn all(&self) -> Dict {
        self.figment.extract().unwrap_or_default()
    }

    /// The names of the sections below another.
    pub fn sections(&self, path: &str) -> Vec<String> {
        match self.value(path) {
            Some(Value::Dict(_, sections)) => sections.into_keys().collect(),
            _ => Vec::new(),
        }
    }

    /// Where a setting stands.
    pub fn origin(&self, path: &str) -> String {
        let Some(layer) = self.figment.find_metadata(path) else { return "default".to_owned() };
        if layer.name == COMMAND_LINE {
            return format!("{COMMAND_LINE}, --{}", path.replace('_', "-"));
        }
        match &self.file {
            Some(file) if layer.name == file.path.display().to_string() => file.origin(path),
            _ => format!("the environment, {PREFIX}{}", path.replace('.', "__").to_ascii_uppercase()),
        }
    }

    /// The folder that a path in a setting is relative to, where that is not the working folder.
    pub fn folder(&self, path: &str) -> Option<&Path> {
        let file = self.file.as_ref()?;
        let is_from_file = self.figment.find_metadata(path)?.name == file.path.display().to_string();
        file.path.parent().filter(|_| is_from_file)
    }
}

impl File {
    fn read(path: &Path) -> Result<(Dict, Self), String> {
        let named = path.display();
        let text = std::fs::read_to_string(path).map_err(|error| format!("{named} cannot be read: {error}"))?;
        // Not the whole error: that shows the line, which may hold what somebody wrongly put there.
        let wrong = |error: toml::de::Error| {
            let line = error.span().map_or(1, |span| line_of(&text, span.start));
            format!("{named}, line {line}: {}", error.message())
        };
        let values = toml::from_str(&text).map_err(wrong)?;
        let table = DeTable::parse(&text).map_err(wrong)?;
        let mut lines = BTreeMap::new();
        find_lines(&text, "", table.get_ref(), &mut lines);
        Ok((values, Self { path: path.to_owned(), lines }))
    }

    fn origin(&self, path: &str) -> String {
        match self.lines.get(path) {
            Some(line) => format!("{}, line {line}", self.path.display()),
            None => self.path.display().to_string(),
        }
    }
}

fn find_lines(text: &str, above: &str, table: &DeTable<'_>, lines: &mut BTreeMap<String, usize>) {
    for (key, value) in table {
        let path = if above.is_empty() { key.get_ref().to_string() } else { format!("{above}.{}", key.get_ref()) };
        if let DeValue::Table(below) = value.get_ref() {
            find_lines(text, &path, below, lines);
        }
        lines.insert(path, line_of(text, key.span().start));
    }
}

fn line_of(text: &str, at: usize) -> usize {
    text.bytes().take(at).filter(|byte| *byte == b'\n').count() + 1
}

/// What the command line says.
fn flags(given: &Given<'_>) -> Dict {
    let Given { service, owner, follow } = given;
    let shown = |path: &PathBuf| path.display().to_string();
    let log_format = service.log_format.map(|format| match format {
        LogFormat::Text => "text".to_owned(),
        LogFormat::Json => "json".to_owned(),
    });
    let texts = [
        ("data", service.data.as_ref().map(shown)),
        ("anchor", owner.anchor.as_ref().map(shown)),
        ("witnesses", owner.witnesses.as_ref().map(shown)),
        ("backups", owner.backups.as_ref().map(shown)),
        ("listen", service.listen.map(|address| address.to_string())),
        ("tls_cert", service.tls_cert.as_ref().map(shown)),
        ("tls_key", service.tls_key.as_ref().map(shown)),
        ("client_ca", service.client_ca.as_ref().map(shown)),
        ("tokens", service.tokens.as_ref().map(shown)),
        ("log_format", log_format),
        ("otlp_endpoint", service.otlp_endpoint.clone()),
        ("otlp_token_file", service.otlp_token_file.as_ref().map(shown)),
        ("otlp_ca", service.otlp_ca.as_ref().map(shown)),
        ("follow", follow.follow.clone()),
        ("policy", follow.policy.as_ref().map(shown)),
        ("follow_token_file", follow.follow_token_file.as_ref().map(shown)),
        ("follow_ca", follow.follow_ca.as_ref().map(shown)),
        ("follow_client_cert", follow.follow_client_cert.as_ref().map(shown)),
        ("follow_client_key", follow.follow_client_key.as_ref().map(shown)),
    ];
    let mut flags: Dict =
        texts.into_iter().filter_map(|(name, text)| Some((name.to_owned(), Value::from(text?)))).collect();
    let numbers = [
        ("lease_seconds", follow.lease_seconds),
        ("otlp_seconds", service.otlp_seconds),
        ("otlp_percent", service.otlp_percent),
    ];
    let numbers = numbers.into_iter().filter_map(|(name, number)| Some((name.to_owned(), Value::from(number?))));
    flags.extend(numbers);
    if owner.accept_clock {
        flags.insert("accept_clock".to_owned(), Value::from(true));
    }
    flags
}
