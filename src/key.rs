//! `counterfoil key`.

use anyhow::{Context, Result, anyhow};
use counterfoil_ingest::key::Announcement;
use counterfoil_ledger::{Location, PolicyFile, Rotation, finish_rotation, retire_key};
use counterfoil_proto::v1::{Basis, KeyRetirement, KeyRotation};

use crate::cli::{Format, KeyArguments, KeyVerb, RotateArguments};
use crate::exit::{Exit, Refused};
use crate::open;
use crate::output::{self, Rows, safe};
use crate::restore::fill;

pub fn run(arguments: &KeyArguments) -> Result<Exit> {
    match &arguments.verb {
        KeyVerb::Rotate(rotate) => run_rotate(rotate),
        KeyVerb::Retire { ledger, output } => retire(&open::location(ledger), output.output),
    }
}

fn run_rotate(arguments: &RotateArguments) -> Result<Exit> {
    let announcement =
        Announcement { reason: arguments.reason.clone(), by: arguments.by.clone(), why: arguments.why.clone() };
    announcement.check().map_err(|error| Refused::Wrong(error.to_string()))?;
    let (location, holder) = (open::location(&arguments.ledger), open::holder());
    let ledger = open::ledger(&location, false)?;
    if let Err(error) = ledger.begin_rotation(&location, &mut fill) {
        let Some(done) = ledger.last_rotation() else { return Err(error.into()) };
        let (record, _) = announcement.append(&ledger, (&done.former, &done.next), &open::entropy)?;
        let Rotation { former, next } = done;
        return Err(anyhow!("{error}. Record {record} announces {next} in the place of {former}"));
    }
    drop(ledger);
    // Opened again, both keys sign.
    let ledger = open::ledger(&location, false)?;
    let change = ledger.rotation().context("the next key is gone: run this again")?;
    let (record, is_new) = announcement.append(&ledger, (&change.former, &change.next), &open::entropy)?;
    if !is_new {
        anstream::eprintln!("counterfoil: record {record} announced this key before, with the words of then");
    }
    let reader = ledger.reader();
    drop(ledger);
    let head = reader.head();
    drop(reader);
    let policy = open::in_turn(&location, || finish_rotation(&location, &change, &holder))?;
    let rotation = KeyRotation {
        basis: Some(Basis {
            origin: head.origin.as_str().to_owned(),
            tree_size: head.size.0,
            root: head.root.as_bytes().to_vec(),
            ..Basis::default()
        }),
        record: record.0,
        former: change.former.to_string(),
        key: change.next.to_string(),
    };
    let title = told(&rotation, &location, &policy);
    let format = arguments.output.output;
    if format != Format::Table {
        title.iter().for_each(|line| anstream::eprintln!("{line}"));
    }
    let rows = Rows { title, ..Rows::default() };
    output::print(format, &rotation, &[&rotation], &rows, rotation.basis.as_ref())?;
    Ok(Exit::Done)
}

fn told(rotation: &KeyRotation, location: &Location, policy: &PolicyFile) -> Vec<String> {
    let KeyRotation { record, former, key, .. } = rotation;
    let path = safe(&location.policy().display().to_string());
    let of_policy = match policy {
        PolicyFile::Replaced(kept) => format!(
            "Policy {path} names the new key: hand it out. Keep {} for what the former key signed alone.",
            safe(&kept.display().to_string())
        ),
        PolicyFile::Edited => {
            format!("Policy {path} was edited, and is left as it is: put the new key into its line of the log.")
        }
        PolicyFile::Missing => {
            "No policy lies beside the ledger: put the new key into each that was handed out.".to_owned()
        }
    };
    vec![
        format!("Record {record} announces the new key of the log."),
        format!("New:    {key}"),
        format!("Former: {former}; it signs beside the new one until `counterfoil key retire`."),
        of_policy,
        "Tell witnesses the new key, and put it into the policy that `--witnesses` names.".to_owned(),
    ]
}

fn retire(location: &Location, format: Format) -> Result<Exit> {
    let retired = open::in_turn(location, || retire_key(location, &open::holder()))?;
    let retirement = KeyRetirement { retired: retired.to_string() };
    let title = vec![
        format!("{retired} signs no more, and is deleted here."),
        "Replace every copy of the folder of keys by what it is now: where the former key still lies, it still signs."
            .to_owned(),
        "Policies of followers, and the one that `--witnesses` names, have to name the new key by now.".to_owned(),
    ];
    if format != Format::Table {
        title.iter().for_each(|line| anstream::eprintln!("{line}"));
    }
    let rows = Rows { title, ..Rows::default() };
    output::print(format, &retirement, &[&retirement], &rows, None)?;
    Ok(Exit::Done)
}
