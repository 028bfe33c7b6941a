//! `counterfoil init`.

use std::path::Path;

use anyhow::Result;
use counterfoil_ledger::{SystemClock, init};
use counterfoil_verify::checkpoint::Origin;

use crate::cli::InitArguments;
use crate::exit::{Exit, Refused};
use crate::open;
use crate::output::safe;

pub fn run(arguments: &InitArguments) -> Result<Exit> {
    if arguments.origin.contains("://") {
        let why = format!(
            "the origin is a URL without its scheme: write {:?} without what stands before //",
            arguments.origin
        );
        return Err(Refused::Wrong(why).into());
    }
    Origin::new(&arguments.origin).map_err(|error| Refused::Wrong(format!("--origin: {error}")))?;
    let location = open::location(&arguments.ledger);
    create(&location, &arguments.origin)?;
    let show = |path: &Path| safe(&path.display().to_string());
    anstream::eprintln!("Ledger {} in {}", arguments.origin, show(&location.data));
    anstream::eprintln!(
        "Anchor {}: keep it on another volume; a restored old copy is recognised by it",
        show(&location.anchor)
    );
    anstream::eprintln!(
        "Policy {}: hand it to verifiers, in confidence: it holds the key of identifiers",
        show(&location.policy())
    );
    Ok(Exit::Done)
}

/// Makes a ledger with randomness from the operating system.
pub fn create(location: &counterfoil_ledger::Location, origin: &str) -> Result<()> {
    let mut failed = None;
    init(location, origin, &SystemClock::new(), &mut |bytes| failed = failed.take().or(getrandom::fill(bytes).err()))?;
    match failed {
        Some(error) => Err(anyhow::anyhow!("the operating system gave no randomness ({error}): remove the new ledger")),
        None => Ok(()),
    }
}
