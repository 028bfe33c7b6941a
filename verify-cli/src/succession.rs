//! A log's next key, taken into a policy.

use std::io::Write;

use anyhow::Context;
use counterfoil_verify::attest::AttestError;
use counterfoil_verify::policy::Policy;
use counterfoil_verify::proof::TlogProof;
use counterfoil_verify::succession::{SuccessionError, succeed};

use crate::report::shown_at;

/// Prints the policy with the next key, and says on whose word.
pub fn run(proof: &[u8], policy: &Policy) -> anyhow::Result<u8> {
    let proof = TlogProof::parse(proof).context("read the proof")?;
    let succession = match succeed(policy, &proof) {
        Ok(succession) => succession,
        Err(error) => {
            let code = code(&error);
            eprintln!("counterfoil-verify: {:#}", anyhow::Error::new(error));
            return Ok(code);
        }
    };
    std::io::stdout().write_all(succession.policy.format().as_bytes()).context("print the policy")?;
    eprintln!(
        "Record {} of {}, of {}, announces {}\nin the place of {}.\nThat is on the word of the former key and of {}, who have \
         seen that record. Comments of the policy are not kept.",
        succession.index,
        succession.key.name(),
        shown_at(succession.at.0),
        succession.key,
        succession.former,
        match succession.witnesses {
            1 => "one witness of the policy".to_owned(),
            more => format!("{more} witnesses of the policy"),
        },
    );
    Ok(0)
}

/// As for evidence: 1 where it is falsified or short of the quorum, 2 where it is no proof of an announcement.
fn code(error: &SuccessionError) -> u8 {
    match error {
        SuccessionError::NoRecord
        | SuccessionError::Record(_)
        | SuccessionError::NoAnnouncement(_)
        | SuccessionError::Known(_)
        | SuccessionError::Attest(AttestError::Checkpoint(_)) => 2,
        SuccessionError::Index { .. }
        | SuccessionError::OtherLog { .. }
        | SuccessionError::OtherKey { .. }
        | SuccessionError::Key { .. }
        | SuccessionError::NoWitnesses
        | SuccessionError::Attest(_) => 1,
    }
}
