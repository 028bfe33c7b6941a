//! Where events come from: the settings that every source of them has.

use counterfoil_ingest::connectors;
use counterfoil_verify::entity::check_name;

use super::reader::Reader;

/// Who reads the events of a source, and whose they are.
pub struct Origin {
    pub connector: String,
    pub instance: String,
    pub ticket_instance: String,
}

/// Reads them. What is wrong with them, the reader keeps.
pub fn read(reader: &mut Reader<'_>, path: &dyn Fn(&str) -> String) -> Option<Origin> {
    let connector = reader.needed(&path("connector"), |text| match connectors::names().contains(&text) {
        true => Ok(text.to_owned()),
        false => Err(format!("expected one of {}", connectors::names().join(", "))),
    });
    let tenant = |text: &str| check_name(text).map(|()| text.to_owned()).map_err(|error| error.to_string());
    let instance = reader.parsed(&path("instance"), Some("default"), tenant);
    let ticket_instance = reader.parsed(&path("ticket_instance"), Some("default"), tenant);
    Some(Origin { connector: connector?, instance: instance?, ticket_instance: ticket_instance? })
}
