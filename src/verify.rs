//! `counterfoil verify`: a tlog-proof, or a COSE receipt, against a policy, with no ledger and no server.

use std::borrow::Cow;
use std::io::{Read, Write};
use std::path::Path;

use anyhow::{Context, Result, bail};
use counterfoil_verify::attest::{Attestation, Attested};
use counterfoil_verify::hash::LeafHash;
use counterfoil_verify::policy::{Policy, Quorum};
use counterfoil_verify::proof::TlogProof;
#[cfg(feature = "cose")]
use counterfoil_verify::receipt::{CoseReceipt, RECEIPT_FIRST_BYTE};
use counterfoil_verify::record;
use counterfoil_verify::tree::RecordIndex;

use crate::cli::VerifyArguments;
use crate::exit::Exit;
use crate::output::safe;
use crate::words::counted;
use crate::{open, when};

pub fn run(arguments: &VerifyArguments) -> Result<Exit> {
    let policy = open::policy(&arguments.policy)?;
    let name = arguments.proof.display();
    let proof = Shown::parse(&read(&arguments.proof)?).with_context(|| format!("{name} is no proof"))?;
    let refused = || format!("{name} is refused");
    check_log(&proof.origin(), &policy).with_context(refused)?;
    let record = read(&arguments.record)?;
    let (index, attested) = proof.prove(record::hash(&record), &policy).with_context(refused)?;

    let (origin, size) = (&attested.checkpoint.origin, attested.checkpoint.size);
    let mut lines = vec![
        format!("Record {index} is in the tree of {} of {origin}, which its key has signed", counted(size.0, "record")),
        match policy.witnesses().quorum() {
            Quorum::None => "The policy asks for no witness".to_owned(),
            Quorum::Of(name) => format!("Enough witnesses have cosigned it for the quorum {name}"),
        },
    ];
    lines.extend(attested.witnesses.iter().map(|witness| told("witness", witness)));
    lines.push(match (policy.replayers().quorum(), attested.is_replayed) {
        (Quorum::Of(name), true) => format!("Enough replayers have recomputed its seals for the quorum {name}"),
        (Quorum::Of(name), false) => {
            format!("Not enough replayers for the quorum {name}: what seals say is on the word of whoever runs the log")
        }
        (Quorum::None, _) => {
            "The policy asks for no replayer: what seals say is on the word of whoever runs the log".to_owned()
        }
    });
    lines.extend(attested.replayers.iter().map(|replayer| told("replayer", replayer)));
    let mut out = std::io::stdout().lock();
    lines.iter().try_for_each(|line| writeln!(out, "{}", safe(line)))?;
    Ok(Exit::Done)
}

/// What is to show that a record is in a log.
enum Shown {
    TlogProof(TlogProof),
    #[cfg(feature = "cose")]
    Receipt(CoseReceipt),
}

impl Shown {
    fn parse(bytes: &[u8]) -> Result<Self> {
        #[cfg(feature = "cose")]
        if bytes.first() == Some(&RECEIPT_FIRST_BYTE) {
            return Ok(Self::Receipt(CoseReceipt::parse(bytes)?));
        }
        Ok(Self::TlogProof(TlogProof::parse(bytes)?))
    }

    /// The log that it is said to be of.
    fn origin(&self) -> Cow<'_, str> {
        match self {
            Self::TlogProof(proof) => {
                String::from_utf8_lossy(proof.checkpoint_note.split(|byte| *byte == b'\n').next().unwrap_or_default())
            }
            #[cfg(feature = "cose")]
            Self::Receipt(receipt) => receipt.origin().as_str().into(),
        }
    }

    /// Verifies it for the record with this leaf hash: which record that is, and in which tree.
    fn prove<'p>(&self, leaf: LeafHash, policy: &'p Policy) -> Result<(RecordIndex, Attested<'p>)> {
        match self {
            Self::TlogProof(proof) => Ok((proof.index, Attested::prove(proof, leaf, policy)?)),
            #[cfg(feature = "cose")]
            Self::Receipt(receipt) => Ok(receipt.prove_inclusion(leaf, policy)?),
        }
    }
}

/// Whether the policy names the log at all. Nothing is believed of the name: the signature shows whose it is.
fn check_log(origin: &str, policy: &Policy) -> Result<()> {
    let names: Vec<&str> = policy.logs().iter().map(|log| log.key.name().as_str()).collect();
    if names.contains(&origin) {
        return Ok(());
    }
    bail!(
        "it is said to be of the log {origin}, and the policy names {}. A log that goes on after a loss \
         has a new name and a new policy, and says in record 0 what was lost",
        names.join(", ")
    )
}

fn told(kind: &str, Attestation { by, at }: &Attestation<'_>) -> String {
    let at = i64::try_from(at.0).map_or_else(|_| at.0.to_string(), |seconds| when::show(seconds, 0));
    format!("  {kind} {} ({}), at {at}", by.name, by.key.name())
}

/// A file, or standard input.
fn read(path: &Path) -> Result<Vec<u8>> {
    let mut bytes = Vec::new();
    match path == Path::new("-") {
        true => std::io::stdin().lock().read_to_end(&mut bytes).map(|_| ()),
        false => std::fs::read(path).map(|read| bytes = read),
    }
    .with_context(|| format!("read {}", path.display()))?;
    Ok(bytes)
}
