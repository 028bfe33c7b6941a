//! `counterfoil config check`.

use anyhow::Result;

use crate::cli::{ConfigArguments, ConfigVerb};
use crate::config::{self, Given};
use crate::exit::Exit;
use crate::output::{self, Rows};

pub fn run(arguments: &ConfigArguments) -> Result<Exit> {
    let ConfigVerb::Check(arguments) = &arguments.verb;
    let given = Given { service: &arguments.service, owner: &arguments.owner, follow: &arguments.follow };
    let checked = config::check(&given);
    let rows = Rows {
        columns: vec!["setting", "value", "from"],
        rows: checked.shown.into_iter().map(|shown| vec![shown.name, shown.value, shown.origin]).collect(),
        ..Rows::default()
    };
    anstream::print!("{}", output::table(&rows));
    match checked.config {
        Ok(_) => Ok(Exit::Done),
        Err(problems) => {
            problems.iter().for_each(|problem| anstream::eprintln!("counterfoil: {}", output::safe(problem)));
            Ok(Exit::Wrong)
        }
    }
}
