//! `counterfoil demo`.
use anyhow::Result;

use crate::cli::{DemoArguments, Exit};

pub fn run(_arguments: &DemoArguments) -> Result<Exit> {
    Ok(Exit::Done)
}
