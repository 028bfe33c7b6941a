//! One event of the System Log, and what all its facts have in common.
//!
//! Owns actor, targets, outcome, credential and correlation of an event. Targets are found by their type, never by their
//! place: Okta gives them in any order.

use counterfoil_proto::v1::{Confidence, Correlation, EntityKind, Fact, FactKind, IdentityType, Outcome, Ref, Time};

use crate::connectors::draft::{Draft, Principal, correlation, fact};
use crate::connectors::{mentions, naming};
use crate::json::Json;

pub struct LogEvent<'e, 'j, 'c> {
    pub json: &'e Json<'j>,
    pub draft: Draft<'c>,
    pub actor: Option<Ref>,
    occurred_at: Time,
    outcome: Option<Outcome>,
    reason: String,
    via: Option<Ref>,
    correlation: Option<Correlation>,
}

impl<'e, 'j, 'c> LogEvent<'e, 'j, 'c> {
    pub fn new(json: &'e Json<'j>, draft: Draft<'c>, occurred_at: Time) -> Self {
        Self {
            json,
            draft,
            actor: None,
            occurred_at,
            outcome: None,
            reason: String::new(),
            via: None,
            correlation: None,
        }
    }

    /// Reads what all facts share. Left out for events that give no facts, since most are of that kind.
    pub fn prepare(&mut self) {
        self.outcome = self.json.text("outcome.result").map(outcome);
        self.actor = self.json.present("actor").and_then(|actor| principal(actor, &mut self.draft));
        self.via = known(self.json, "transaction.detail.requestApiTokenId")
            .map(|token| self.draft.credential("api_token", token, None, IdentityType::Token));
        self.correlation = self.read_correlation();
        self.read_reason();
        if let Some(actor) = &self.actor {
            let values = [("ip_address", "client.ipAddress"), ("user_agent", "client.userAgent.rawUserAgent")];
            self.draft.texts(actor, self.json, &values);
        }
    }

    /// A fact of this event. Without an outcome nobody says that it succeeded, so it changes no state.
    pub fn fact(&self, kind: FactKind) -> Fact {
        let confidence = if self.outcome.is_some() { Confidence::Explicit } else { Confidence::Derived };
        Fact {
            outcome: self.outcome.unwrap_or(Outcome::Pending).into(),
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

    /// The first target of one of these types; the types are tried in their order.
    pub fn target(&self, types: &[&str]) -> Option<&'e Json<'j>> {
        let targets = self.json.items("target");
        types.iter().find_map(|kind| targets.iter().find(|target| target.text("type") == Some(kind)))
    }

    /// All targets of a type.
    pub fn targets(&self, kind: &str) -> impl Iterator<Item = &'e Json<'j>> {
        self.json.items("target").iter().filter(move |target| target.text("type") == Some(kind))
    }

    /// The user that the event is about.
    pub fn user(&mut self) -> Option<Ref> {
        if let Some(user) = self.target(&["User"]) {
            return principal(user, &mut self.draft);
        }
        // The id of an AppUser is the application's: only its login says who it is.
        let login = known(self.target(&["AppUser"])?, "alternateId")?;
        self.draft.principal(Principal {
            logins: &[("login", login)],
            identity_type: identity_type(login),
            ..Principal::default()
        })
    }

    /// The entitlement that the first target of one of these types is.
    pub fn entitlement(&mut self, kind: &str, types: &[&str]) -> Option<Ref> {
        let target = self.target(types)?;
        let id = target.id_at("id").map(|id| self.draft.typed(kind, &id));
        let name = known(target, "displayName").or_else(|| known(target, "alternateId"));
        self.draft.entitlement(id, name, None)
    }

    /// A text of the event's debug data.
    pub fn debug(&self, key: &str) -> Option<&'e str> {
        self.json.path("debugContext.debugData")?.text(key)
    }

    /// What belongs to the same request, and the tickets that its texts name. Texts that a client sends with every request
    /// (the User-Agent) name none: they say nothing about this one.
    fn read_correlation(&mut self) -> Option<Correlation> {
        let id = |path| known(self.json, path).map_or_else(String::new, |id| self.draft.opaque(id));
        let (transaction, request) = (id("transaction.id"), id("debugContext.debugData.requestId"));
        let mut found = Vec::new();
        for path in ["outcome.reason", "displayMessage"] {
            if let Some(text) = self.json.text(path) {
                mentions::find(text, &mut found);
            }
        }
        if let Some(Json::Object(members)) = self.json.path("debugContext.debugData") {
            for text in members.iter().filter_map(|(_, value)| value.as_str()) {
                mentions::find(text, &mut found);
            }
        }
        correlation(transaction, request, self.draft.mentioned(&found))
    }

    /// The reason is a code of Okta's, or else a sentence, which may name anybody.
    fn read_reason(&mut self) {
        let Some(reason) = self.json.text("outcome.reason") else {
            return;
        };
        let is_code = reason.len() <= 128
            && reason.contains('_')
            && reason.bytes().all(|byte| byte.is_ascii_uppercase() || byte.is_ascii_digit() || byte == b'_');
        if is_code {
            self.reason = reason.to_owned();
        } else if let Some(actor) = self.actor.clone() {
            self.draft.text(&actor, "reason", reason);
        }
    }
}

/// What Okta says of the outcome, in any letter case.
fn outcome(result: &str) -> Outcome {
    match result.to_ascii_uppercase().as_str() {
        "SUCCESS" | "ALLOW" => Outcome::Success,
        "DENY" => Outcome::Denied,
        "CHALLENGE" | "PENDING" | "DEFERRED" | "SCHEDULED" | "UNKNOWN" => Outcome::Pending,
        _ => Outcome::Failure,
    }
}

/// The text at a path, unless it stands for nothing: Okta writes "unknown" for that too.
pub fn known<'v>(json: &'v Json<'_>, path: &str) -> Option<&'v str> {
    json.text(path).filter(|text| !text.eq_ignore_ascii_case("unknown"))
}

/// The principal that an actor or a target is.
pub fn principal(json: &Json<'_>, draft: &mut Draft<'_>) -> Option<Ref> {
    let kind = json.text("type").unwrap_or_default();
    let login = known(json, "alternateId");
    let (entity_kind, identity_type) = match kind {
        "PublicClientApp" => (EntityKind::Integration, IdentityType::Integration),
        "SystemPrincipal" => (EntityKind::Account, IdentityType::System),
        "User" => (EntityKind::Account, login.map_or(IdentityType::Human, identity_type)),
        _ => (EntityKind::Account, IdentityType::Unspecified),
    };
    // The alternate id of an application repeats its id, and that of the system is the same everywhere.
    let login = login.filter(|_| !matches!(kind, "PublicClientApp" | "SystemPrincipal"));
    let logins = login.map(|login| ("login", login));
    let values = known(json, "displayName").map(|name| ("display_name", name));
    draft.principal(Principal {
        kind: entity_kind,
        id: json.id_at("id").as_deref().filter(|id| *id != "unknown"),
        logins: logins.as_slice(),
        values: values.as_slice(),
        identity_type,
        ..Principal::default()
    })
}

/// What kind of identity a user is: a human's, unless it is named as a service's.
pub fn identity_type(login: &str) -> IdentityType {
    naming::identity_type(login).unwrap_or(IdentityType::Human)
}
