//! The sections `[kafka.NAME]`: clusters, what is read from them, and how this program shows who it is.

use std::collections::BTreeMap;

use counterfoil_ingest::sources::kafka::{Cluster, Format, Schema, Start, TOPIC_BYTES_MAX, Topic};

use super::origin::{self, Origin};
use super::reader::Reader;

/// What stands in the names of librdkafka's properties that are secrets, and in names that people take for such: "pas" for
/// passwords and passphrases, however they are written.
const SECRETS: [&str; 5] = ["jaas", "key.pem", "oauthbearer.config", "pas", "secret"];
/// Files hold secrets. The settings that name them end like this.
const OF_FILE: &str = "_file";

/// Reads one section. What is wrong with it, the reader keeps.
pub fn read(reader: &mut Reader<'_>, name: &str) -> Option<Cluster> {
    let path = |key: &str| format!("kafka.{name}.{key}");
    let bootstrap = reader.needed(&path("bootstrap"), |text| match text {
        "" => Err("expected addresses such as broker-1:9092,broker-2:9092".to_owned()),
        text => Ok(text.to_owned()),
    });
    let group = reader.parsed(&path("group"), Some("counterfoil"), |text| match text {
        "" => Err("expected a name".to_owned()),
        text => Ok(text.to_owned()),
    });
    let properties = properties(reader, &path("properties"));
    let sections = reader.sections(&path("topics"));
    if sections.is_empty() {
        reader.problem(
            &path("topics"),
            "is missing: name each topic in a section of its own, such as [kafka.NAME.topics.okta]",
        );
    }
    let topics: Vec<Option<Topic>> =
        sections.iter().map(|section| topic(reader, section, &path(&format!("topics.{section}")))).collect();
    let topics = topics.into_iter().collect::<Option<Vec<_>>>()?;
    for (place, Topic { topic, .. }) in topics.iter().enumerate() {
        if topics[..place].iter().any(|other| other.topic == *topic) {
            reader.problem(&path("topics"), &format!("has the topic {topic} twice: one connector reads it"));
        }
    }
    Some(Cluster { name: name.to_owned(), bootstrap: bootstrap?, group: group?, properties: properties?, topics })
}

fn topic(reader: &mut Reader<'_>, section: &str, path: &str) -> Option<Topic> {
    let path = |key: &str| format!("{path}.{key}");
    let topic = reader.parsed(&path("topic"), Some(section), |text| {
        let is_topic = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-');
        match !text.is_empty() && text.len() <= TOPIC_BYTES_MAX && text.chars().all(is_topic) {
            true => Ok(text.to_owned()),
            false => Err(format!("expected a topic's name of at most {TOPIC_BYTES_MAX} letters, digits, ., _ and -")),
        }
    });
    let origin = origin::read(reader, &path);
    let start = reader.parsed(&path("start"), Some("earliest"), |text| match text {
        "earliest" => Ok(Start::Earliest),
        "latest" => Ok(Start::Latest),
        _ => Err("expected earliest or latest".to_owned()),
    });
    let is_protobuf = reader.parsed(&path("format"), Some("json"), |text| match text {
        "json" => Ok(false),
        "protobuf" => Ok(true),
        _ => Err("expected json or protobuf".to_owned()),
    });
    let format = match is_protobuf? {
        false => Some(Format::Json),
        true => schema(reader, &path).map(Format::Protobuf),
    };
    let backfill = reader.flag(&path("backfill"), false);
    let assume_utc = reader.flag(&path("assume_utc"), false);
    let Origin { connector, instance, ticket_instance } = origin?;
    let (topic, start, format) = (topic?, start?, format?);
    Some(Topic { topic, connector, instance, ticket_instance, format, start, backfill, assume_utc })
}

fn schema(reader: &mut Reader<'_>, path: &dyn Fn(&str) -> String) -> Option<Schema> {
    let message = reader.needed(&path("message"), |text| Ok(text.to_owned()));
    let confluent = reader.flag(&path("confluent"), false);
    let setting = path("descriptors");
    let Some(file) = reader.path(&setting) else {
        reader.needed(&setting, |_| Ok(()));
        return None;
    };
    let message = message?;
    let read = std::fs::read(&file).map_err(|error| error.to_string());
    let schema = read.and_then(|bytes| Schema::read(&bytes, &message, confluent).map_err(|error| error.to_string()));
    schema.map_err(|why| reader.problem(&setting, &format!("names {}: {why}", file.display()))).ok()
}

/// Properties of librdkafka, with the secrets that files hold.
fn properties(reader: &mut Reader<'_>, path: &str) -> Option<BTreeMap<String, String>> {
    let mut properties = Some(BTreeMap::new());
    for name in reader.below(path) {
        let setting = format!("{path}.{name}");
        let is_secret = |name: &str| SECRETS.iter().any(|secret| name.to_ascii_lowercase().contains(secret));
        let of_file = name.strip_suffix(OF_FILE).filter(|name| is_secret(name));
        let read = if let Some(secret) = of_file {
            let file = reader.unquoted(&setting).then(|| reader.path(&setting)).flatten();
            file.and_then(|file| match std::fs::read_to_string(&file) {
                Ok(text) => Some((secret.to_owned(), text.trim_end_matches(['\r', '\n']).to_owned())),
                Err(error) => {
                    reader.problem(&setting, &format!("names {}: {error}", file.display()));
                    None
                }
            })
        } else if is_secret(&name) {
            reader.secret(&setting, &format!("is a secret: name the file that holds it, with {name}{OF_FILE}"));
            None
        } else if let Err(why) = Cluster::check_property(&name) {
            reader.secret(&setting, &why);
            None
        } else {
            let value = reader.unquoted(&setting).then(|| reader.plain(&setting)).flatten();
            value.map(|value| (name, value))
        };
        match (read, &mut properties) {
            (Some(property), Some(properties)) => drop(properties.insert(property.0, property.1)),
            _ => properties = None,
        }
    }
    properties
}
