//! A reversal plan for people.
//!
//! Owns the message of a step and its words. It decides nothing: `verify::reversal` does.

use counterfoil_proto::v1::{
    AccountStatus, CredentialStatus, EntityKind, FactKind, Grant, GrantMode, Irreversible, Party, ReversalStatus,
    ReversalStep,
};
use counterfoil_verify::reversal::{Part, Step, Value};
use counterfoil_verify::time::Moment;

use crate::answers::convert::{evidence, moment_text, optional_timestamp, words};
use crate::answers::parties::{Parties, label};
use crate::error::Result;

impl Parties<'_, '_> {
    /// The message for a step of a plan.
    pub(crate) fn step(&self, step: &Step<'_>) -> Result<ReversalStep> {
        let (fact, source) = (step.change.fact, step.change.source);
        let implied = match &step.part {
            Part::Implied(key) => self.of(implied_of(key))?,
            _ => None,
        };
        let restored = match (&step.before, step.operation) {
            (Value::Grant(grant), Some(_)) => grant.clone(),
            _ => Grant::default(),
        };
        let subject = self.named(&fact.subject, source)?;
        let object = self.named(&fact.object, source)?;
        let named = |party: Option<&Party>| party.map_or_else(|| "somebody unnamed".to_owned(), label);
        let about = About {
            bearer: label(&*self.party(&step.entity)?),
            subject: named(subject.as_deref()),
            object: named(object.as_deref()),
            implied: named(implied.as_deref()),
        };
        Ok(ReversalStep {
            status: step.status.into(),
            operation: step.operation.map_or(0, Into::into),
            summary: about.sentence(step),
            subject,
            object,
            scope: fact.scope.clone(),
            implied,
            expires_at: optional_timestamp(&restored.expires_at),
            mode: restored.mode,
            inherited_via: self.named(&restored.inherited_via, source)?,
            conditional: restored.conditional,
            before: value_words(&step.before),
            after: value_words(&step.after),
            now: value_words(&step.now),
            assumed: step.is_assumed,
            change: Some(evidence(&step.change.evidence)),
            kind: fact.kind,
            actor: self.named(&fact.actor, source)?,
            via: self.named(&fact.via, source)?,
            because: step.because.as_ref().map(evidence),
            irreversible: step.irreversible.into(),
            used: step.used.as_ref().map(evidence),
        })
    }
}

/// What the parties of a step are called.
struct About {
    bearer: String,
    subject: String,
    object: String,
    implied: String,
}

impl About {
    fn sentence(&self, step: &Step<'_>) -> String {
        let Self { subject, object, .. } = self;
        let mut sentence = match step.status {
            ReversalStatus::Applicable => self.operation(step),
            ReversalStatus::AlreadyUndone if step.because.is_none() => "It ran out by itself".to_owned(),
            ReversalStatus::AlreadyUndone => "A later change undid it".to_owned(),
            ReversalStatus::Superseded => match (&step.part, step.before == Value::Absent) {
                (Part::Status, true) => format!("{subject} got other access since, which its deletion would take away"),
                _ => "A later change, which is not to be undone, stands in its place".to_owned(),
            },
            ReversalStatus::TargetGone => match step.entity.kind() {
                EntityKind::Account => format!("{subject} or {object} is no more"),
                _ => format!("{} or {} is no more", self.bearer, self.implied),
            },
            ReversalStatus::Irreversible => self.why(step.irreversible),
            ReversalStatus::NoEffect => "It left everything as it was".to_owned(),
            ReversalStatus::NotNeeded => "Undoing an earlier change of the plan undoes it as well".to_owned(),
            ReversalStatus::Unspecified => String::new(),
        };
        if step.is_assumed && step.operation.is_some() {
            sentence.push_str("; no record says how it was before");
        }
        if let (Value::Grant(Grant { conditional: true, .. }), Some(FactKind::GrantAdded | FactKind::GrantModified)) =
            (&step.before, step.operation)
        {
            sentence.push_str("; it was under conditions, which the source knows");
        }
        if step.used.is_some() {
            sentence.push_str("; it was used since, and what was done with it stays done");
        }
        sentence.push('.');
        sentence
    }

    fn operation(&self, step: &Step<'_>) -> String {
        let Self { bearer, subject, object, implied } = self;
        let how = match &step.before {
            Value::Grant(grant) => grant_words(grant),
            _ => String::new(),
        };
        match step.operation {
            Some(FactKind::GrantRemoved) => format!("Take {object} from {subject}"),
            Some(FactKind::GrantAdded) => format!("Give {object} to {subject} again{how}"),
            Some(FactKind::GrantModified) => format!("Let {subject} hold {object} as before{how}"),
            Some(FactKind::AccountDeleted) => format!("Delete the account of {subject}"),
            Some(FactKind::AccountDisabled) => format!("Switch the account of {subject} off"),
            Some(FactKind::AccountEnabled) => format!("Switch the account of {subject} on"),
            Some(FactKind::AccountLocked) => format!("Lock the account of {subject}"),
            Some(FactKind::AccountUnlocked) => format!("Unlock the account of {subject}"),
            Some(FactKind::CredentialRevoked) => format!("Revoke {bearer}"),
            Some(FactKind::CredentialEnabled) => format!("Switch {bearer} on"),
            Some(FactKind::CredentialDisabled) => format!("Switch {bearer} off"),
            Some(FactKind::EntitlementChanged) if step.before == Value::Absent => {
                format!("Let {bearer} imply {implied} no longer")
            }
            Some(FactKind::EntitlementChanged) => format!("Let {bearer} imply {implied} again"),
            _ => "Nothing has to be done".to_owned(),
        }
    }

    fn why(&self, why: Irreversible) -> String {
        let Self { bearer, subject, .. } = self;
        match why {
            Irreversible::AccountDeleted => {
                format!("The account of {subject} was deleted: one of the same name would be another account")
            }
            Irreversible::EntitlementRemoved => {
                format!("{bearer} was removed: one of the same name would be another one")
            }
            Irreversible::CredentialRevoked => format!("{bearer} was revoked: it can be replaced, not restored"),
            Irreversible::CredentialRotated => format!("The secret that {bearer} had before is gone"),
            Irreversible::CredentialExpired => format!("{bearer} ran out: it can be replaced, not restored"),
            Irreversible::Used => format!("{bearer} was used: what was done or read stays done or read"),
            Irreversible::ValuesUnknown => {
                format!("Attributes of {subject} changed, and the records do not hold what they were")
            }
            Irreversible::Unspecified => String::new(),
        }
    }
}

/// What a part of a state is, in words.
fn value_words(value: &Value) -> String {
    match value {
        Value::Absent => "not there".to_owned(),
        Value::Status(AccountStatus::Unspecified) | Value::Credential(CredentialStatus::Unspecified) => {
            "unknown".to_owned()
        }
        Value::Status(status) => words(status.as_str_name(), "ACCOUNT_STATUS_"),
        Value::Locked(is_locked) => if *is_locked { "locked" } else { "open" }.to_owned(),
        Value::Credential(status) => words(status.as_str_name(), "CREDENTIAL_STATUS_"),
        Value::Grant(grant) => format!("held{}", grant_words(grant)),
        Value::Implied => "implied".to_owned(),
    }
}

/// How a grant holds: " until 2026-04-01T00:00:00Z, eligible".
fn grant_words(grant: &Grant) -> String {
    let mut how =
        grant.expires_at.as_ref().map_or_else(String::new, |end| format!(" until {}", moment_text(Moment::of(end))));
    if grant.mode() == GrantMode::Eligible {
        how.push_str(", eligible");
    }
    if let Some(through) = grant.inherited_via.as_ref().filter(|through| !through.id.is_empty()) {
        how.push_str(&format!(", through {}", through.id));
    }
    how
}

/// The entity in the key of what is implied, before its scope.
fn implied_of(key: &str) -> &str {
    key.split_once(' ').map_or(key, |(entity, _)| entity)
}
