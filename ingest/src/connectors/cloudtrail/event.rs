//! One event of CloudTrail, and what all its facts have in common.
//!
//! Owns actor, outcome, credential and correlation of an event. An event that was refused or failed gives facts too, and
//! none of them changes state; neither does one that says of itself that it only read.

use counterfoil_proto::v1::{Confidence, Correlation, Fact, FactKind, Outcome, Ref, Time};

use super::identity::{self, Identity};
use crate::connectors::draft::{Draft, correlation, fact};
use crate::connectors::{mentions, shape};
use crate::json::Json;

pub struct LogEvent<'e, 'j, 'c> {
    pub json: &'e Json<'j>,
    pub draft: Draft<'c>,
    pub actor: Option<Ref>,
    via: Option<Ref>,
    occurred_at: Time,
    /// How it ended, where it did not simply succeed.
    refusal: Option<Outcome>,
    reason: String,
    correlation: Option<Correlation>,
}

impl<'e, 'j, 'c> LogEvent<'e, 'j, 'c> {
    pub fn new(json: &'e Json<'j>, draft: Draft<'c>, occurred_at: Time) -> Self {
        Self {
            json,
            draft,
            actor: None,
            via: None,
            occurred_at,
            refusal: None,
            reason: String::new(),
            correlation: None,
        }
    }

    /// Reads what all facts share. Left out for events that give no facts, since most are of that kind.
    pub fn prepare(&mut self) {
        if let Some(user) = self.json.present("userIdentity") {
            Identity { actor: self.actor, via: self.via } = identity::of(user, &mut self.draft);
        }
        self.refusal = self.read_refusal();
        self.correlation = self.read_correlation();
        let values = [
            ("ip_address", "sourceIPAddress"),
            ("user_agent", "userAgent"),
            ("reason", "errorMessage"),
            ("invoked_by", "userIdentity.invokedBy"),
            ("source_identity", "userIdentity.sessionContext.sourceIdentity"),
        ];
        if let Some(actor) = &self.actor {
            self.draft.texts(actor, self.json, &values);
        }
    }

    /// A fact of what was changed. Old versions of the log do not say whether an event only read: then its name does.
    pub fn fact(&self, kind: FactKind) -> Fact {
        let (outcome, confidence) = match self.json.get("readOnly").and_then(Json::as_truth) {
            Some(false) => (Outcome::Success, Confidence::Explicit),
            Some(true) => (Outcome::Pending, Confidence::Derived),
            None => (Outcome::Success, Confidence::Derived),
        };
        self.with(kind, outcome, confidence)
    }

    /// A fact of what was used, or seen: AWS calls such an event one that only read.
    pub fn fact_of_use(&self, kind: FactKind) -> Fact {
        self.with(kind, Outcome::Success, Confidence::Explicit)
    }

    fn with(&self, kind: FactKind, outcome: Outcome, confidence: Confidence) -> Fact {
        let (outcome, confidence) =
            self.refusal.map_or((outcome, confidence), |refusal| (refusal, Confidence::Explicit));
        Fact {
            outcome: outcome.into(),
            confidence: confidence.into(),
            reason: self.reason.clone(),
            actor: self.actor.clone(),
            via: self.via.clone(),
            correlation: self.correlation.clone(),
            ..fact(kind, self.occurred_at)
        }
    }

    /// Keeps a fact.
    pub fn push(&mut self, fact: Fact) {
        self.draft.facts.push(fact);
    }

    /// Keeps that something was refused or failed, where the event does not say what it was about: CloudTrail leaves
    /// out the request then.
    pub fn keep_refusal(&mut self, kind: FactKind) {
        if self.refusal.is_some() && self.draft.facts.is_empty() {
            let fact = self.fact(kind);
            self.push(fact);
        }
    }

    /// A text of the request.
    pub fn request(&self, path: &str) -> Option<&'e str> {
        self.json.path("requestParameters")?.text(path)
    }

    /// A text of the response.
    pub fn response(&self, path: &str) -> Option<&'e str> {
        self.json.path("responseElements")?.text(path)
    }

    /// How an event ended that has an error, or a sign-in whose response says that it failed.
    fn read_refusal(&mut self) -> Option<Outcome> {
        let name = self.json.text("eventName").unwrap_or_default();
        let response =
            self.json.path("responseElements").and_then(|response| response.get(name)).and_then(Json::as_str);
        let failed = self.json.present("errorMessage").is_some() || response == Some("Failure");
        let Some(code) = self.json.text("errorCode") else {
            return failed.then_some(Outcome::Failure);
        };
        if shape::is_error_code(code) {
            self.reason = code.to_owned();
        } else if let Some(actor) = &self.actor {
            self.draft.text(actor, "reason", code);
        }
        const DENIALS: [&str; 5] =
            ["AccessDenied", "UnauthorizedOperation", "Unauthorized", "NotAuthorized", "Forbidden"];
        let is_denied = DENIALS.iter().any(|denial| code.contains(denial));
        Some(if is_denied { Outcome::Denied } else { Outcome::Failure })
    }

    /// What belongs to the same request, and the tickets that its texts name: those of the request, of an error, and the
    /// name that a session was given. The user agent is sent with every request and names none.
    fn read_correlation(&self) -> Option<Correlation> {
        let id = |path| self.json.text(path).map_or_else(String::new, |id| self.draft.opaque(id));
        let mut found = Vec::new();
        if let Some(request) = self.json.get("requestParameters") {
            mentions::find_within(request, &mut found);
        }
        for path in ["errorMessage", "userIdentity.arn", "userIdentity.sessionContext.sourceIdentity"] {
            if let Some(text) = self.json.text(path) {
                mentions::find(text, &mut found);
            }
        }
        correlation(id("sharedEventID"), id("requestID"), self.draft.mentioned(&found))
    }
}
