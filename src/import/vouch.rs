//! What of an import the source itself vouches for: CloudTrail's log files with their digests.
//!
//! Owns how the digests that the command line names become the grade of each file, and what is told of them.

use anyhow::{Context, Result};
use counterfoil_ingest::digests::{Digests, PublicKeys, Vouched};
use counterfoil_ingest::import::expand;
use counterfoil_ingest::sources::file::Input;
use counterfoil_proto::v1::Authentication;

use crate::cli::ImportArguments;
use crate::exit::Refused;
use crate::output::safe;
use crate::words::counted;

/// The most missing log files that are named.
const NAMED_MAX: usize = 5;

/// The digests that the command line names, verified; none where it names none.
pub fn digests(arguments: &ImportArguments) -> Result<Option<Digests>> {
    let Some(keys) = &arguments.digest_keys else { return Ok(None) };
    if arguments.connector != "cloudtrail" {
        return Err(Refused::Wrong("--digests: only CloudTrail has digest files".to_owned()).into());
    }
    let keys = PublicKeys::read(keys)?;
    let mut files = Vec::new();
    for argument in &arguments.digests {
        files.extend(expand(argument.clone()).with_context(|| format!("read {}", argument.display()))?);
    }
    Ok(Some(Digests::verify(&files, &keys)?))
}

/// On whose word a file is imported.
pub fn grade(digests: Option<&mut Digests>, input: &Input) -> Result<Authentication> {
    Ok(match digests.map_or(Ok(Vouched::Unlisted), |digests| digests.check(input))? {
        Vouched::Signed => Authentication::SourceSignature,
        Vouched::Unlisted => Authentication::OperatorFile,
    })
}

/// Says what the digests vouch for, what they do not, and what is missing.
pub fn tell(digests: &Digests, files: usize) {
    let digest = counted(digests.verified() as u64, "digest");
    let signed = digests.signed();
    anstream::eprintln!("{digest} verified; of {}, the source vouches for {signed}", counted(files as u64, "file"));
    digests.notices().iter().for_each(|notice| anstream::eprintln!("{}", safe(notice)));
    let count = digests.missing().count();
    if count > 0 {
        let named = digests.missing().take(NAMED_MAX).map(|name| safe(name).to_string()).collect::<Vec<_>>().join(", ");
        let more = if count > NAMED_MAX { ", …" } else { "" };
        anstream::eprintln!(
            "{} of these digests not among the files: {named}{more}",
            counted(count as u64, "log file")
        );
    }
}
