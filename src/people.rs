//! `counterfoil people`.

use anyhow::Result;

use crate::cli::{PeopleArguments, PeopleVerb};
use crate::exit::Exit;
use crate::import;

/// The connector that reads mapping files and matching rules.
const CONNECTOR: &str = "people";

pub fn run(arguments: &PeopleArguments) -> Result<Exit> {
    match &arguments.verb {
        PeopleVerb::Import(table) => import::table(CONNECTOR, table),
    }
}
