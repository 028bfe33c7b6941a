//! The demo's evidence: a file that shows that no approval of a change is recorded, verified as an auditor does, and once more
//! after somebody altered it.

use std::fs;
use std::path::Path;

use anyhow::{Context, Result, ensure};
use counterfoil_ledger::Location;
use counterfoil_query::ChangeSelector;
use counterfoil_verify::evidence::{Answer, Asked, Question, Verified, verify};
use counterfoil_verify::policy::Policy;
use counterfoil_verify::tree::TreeSize;

use super::{quoted, say};
use crate::{open, when, words};

/// Writes the evidence of a change beside the ledger, verifies it, and alters it.
pub fn tell(location: &Location, file: &Path, change: &str) -> Result<()> {
    let opened = open::views_of(open::ledger(location, false)?, &location.views())?;
    let query = opened.views.query()?;
    let (record, fact) = query.one_change(&ChangeSelector::Event(change.to_owned()), None)?;
    let asked = Asked { at: when::now().seconds, by: "demo".to_owned(), about: change.to_owned() };
    let question = Question::Change { record: record.0, fact, known_at: None };
    let (_, bytes) = query.evidence(question, TreeSize(0), &asked)?;
    fs::write(file, &bytes).with_context(|| format!("write {}", file.display()))?;
    say(&format!("  {}: {} bytes", file.display(), bytes.len()));

    let policy = Policy::parse(&fs::read(location.policy())?).context("read the ledger's policy")?;
    let verified = verify(&bytes, &policy).context("verify the evidence")?;
    say(&format!("  verified: {}", shown(&verified)));
    // As somebody does who has the file, and wants it to say something else.
    let mut altered = bytes;
    let middle = altered.len() / 2;
    altered[middle] ^= 1;
    let rejected = verify(&altered, &policy).err();
    ensure!(rejected.is_some(), "an altered file was taken for evidence");
    say(&format!("  with one bit altered: rejected, {}", rejected.map(|why| why.to_string()).unwrap_or_default()));
    let [file, policy] =
        [file.display().to_string(), location.policy().display().to_string()].map(|path| quoted(&path));
    say(&format!("  an auditor runs: counterfoil-verify {file} --policy {policy}"));
    Ok(())
}

fn shown(verified: &Verified<'_>) -> String {
    let Answer::Change { found: Some(found), .. } = &verified.answer else { return String::new() };
    let absent = verified.histories.values().filter(|count| **count == 0).count();
    format!(
        "{} for the change, recomputed from {}; the histories of {} entities are whole, {absent} of them empty",
        words::verdict(found.overall.verdict),
        words::counted(verified.records.len() as u64, "record"),
        verified.histories.len(),
    )
}
