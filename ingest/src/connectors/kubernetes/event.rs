//! One event of the audit log, and what all its facts have in common.
//!
//! Owns actor, outcome, credential and correlation of an event, and where it has the object that a request was about.
//! Requests that were refused, failed, or were only tried give facts too, and none of them changes state.

use std::borrow::Cow;

use counterfoil_proto::v1::{Confidence, Correlation, Fact, FactKind, Outcome, Ref, Time};

use super::who;
use crate::connectors::draft::{Draft, correlation, fact};
use crate::connectors::{mentions, shape};
use crate::json::Json;

pub struct LogEvent<'e, 'j, 'c> {
    pub json: &'e Json<'j>,
    pub draft: Draft<'c>,
    pub actor: Option<Ref>,
    pub occurred_at: Time,
    via: Option<Ref>,
    outcome: Outcome,
    confidence: Confidence,
    reason: String,
    correlation: Option<Correlation>,
}

impl<'e, 'j, 'c> LogEvent<'e, 'j, 'c> {
    pub fn new(json: &'e Json<'j>, draft: Draft<'c>, occurred_at: Time) -> Self {
        Self {
            json,
            draft,
            actor: None,
            occurred_at,
            via: None,
            outcome: Outcome::Unspecified,
            confidence: Confidence::Explicit,
            reason: String::new(),
            correlation: None,
        }
    }

    /// Reads what all facts share. Left out for events that give no facts, since most are of that kind.
    pub fn prepare(&mut self) {
        self.actor = self.json.present("user").and_then(|user| who::user(user, &mut self.draft));
        self.via = who::credential(self.json, &mut self.draft);
        (self.outcome, self.confidence) = self.read_outcome();
        self.reason = self.read_reason();
        self.correlation = self.read_correlation();
        if let Some(actor) = &self.actor {
            let addresses = self.json.items("sourceIPs").iter().filter_map(Json::as_str);
            addresses.for_each(|address| self.draft.text(actor, "ip_address", address));
            let values = [("user_agent", "userAgent"), ("reason", "responseStatus.message")];
            self.draft.texts(actor, self.json, &values);
        }
    }

    /// A fact of what the event says itself.
    pub fn fact(&self, kind: FactKind) -> Fact {
        Fact {
            outcome: self.outcome.into(),
            confidence: self.confidence.into(),
            reason: self.reason.clone(),
            actor: self.actor.clone(),
            via: self.via.clone(),
            correlation: self.correlation.clone(),
            ..fact(kind, self.occurred_at)
        }
    }

    /// A fact that was concluded from what the event says.
    pub fn concluded(&self, kind: FactKind) -> Fact {
        Fact { confidence: Confidence::Derived.into(), ..self.fact(kind) }
    }

    /// Keeps a fact.
    pub fn push(&mut self, fact: Fact) {
        self.draft.facts.push(fact);
    }

    /// The object as it is after the request, or else as the request has it: the whole of it, but for a patch, which has
    /// what it changes alone. Nothing at a level of the log that leaves it out.
    pub fn object(&self, has: &str) -> Option<&'e Json<'j>> {
        let fits = |json: &&'e Json<'j>| json.get(has).is_some();
        self.json.get("responseObject").filter(fits).or_else(|| self.json.get("requestObject").filter(fits))
    }

    /// The name and the namespace of what the request was about. Of what a name was made up for, the response has it.
    pub fn named(&self) -> Option<Named<'e>> {
        let at = |path: &str| self.json.id_at(path);
        let name = ["objectRef.name", "responseObject.metadata.name", "requestObject.metadata.name"];
        let namespace = self.json.text("objectRef.namespace");
        Some(Named { namespace, name: name.into_iter().find_map(at)? })
    }

    /// Without a code nobody says that it succeeded; and what was only tried has changed nothing.
    fn read_outcome(&self) -> (Outcome, Confidence) {
        match self.json.path("responseStatus.code").and_then(Json::as_u64) {
            Some(200..=299) if self.is_dry_run() => (Outcome::Pending, Confidence::Derived),
            Some(200..=299) => (Outcome::Success, Confidence::Explicit),
            Some(401 | 403) => (Outcome::Denied, Confidence::Explicit),
            Some(_) => (Outcome::Failure, Confidence::Explicit),
            None => (Outcome::Pending, Confidence::Derived),
        }
    }

    /// Whether the API server was told to do all but keep the result.
    fn is_dry_run(&self) -> bool {
        let query = self.json.text("requestURI").and_then(|uri| uri.split_once('?')).map_or("", |(_, query)| query);
        let in_query = query.split('&').any(|part| part.split_once('=').is_some_and(|(name, _)| name == "dryRun"));
        in_query || !self.json.items("requestObject.dryRun").is_empty()
    }

    fn read_reason(&self) -> String {
        let reason = self.json.text("responseStatus.reason").filter(|reason| shape::is_error_code(reason));
        reason.map_or_else(String::new, str::to_owned)
    }

    /// What belongs to the same request, and the tickets that its object names: in labels, annotations, reasons.
    fn read_correlation(&self) -> Option<Correlation> {
        let request = self.json.text("auditID").map_or_else(String::new, |id| self.draft.opaque(id));
        let mut found = Vec::new();
        for key in ["requestObject", "responseObject"] {
            if let Some(object) = self.json.get(key) {
                mentions::find_within(object, &mut found);
            }
        }
        correlation(String::new(), request, self.draft.mentioned(&found))
    }
}

/// What a request was about: a name, within a namespace or within the cluster.
#[derive(Clone, Debug)]
pub struct Named<'e> {
    pub namespace: Option<&'e str>,
    pub name: Cow<'e, str>,
}
