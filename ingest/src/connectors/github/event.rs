//! One event of the audit log, and what all its facts have in common.
//!
//! Owns actor, credential and correlation of an event. The log has what succeeded; the few types that say of themselves
//! that something failed or was refused have rules that say so.

use counterfoil_proto::v1::{Correlation, Fact, FactKind, Ref, Time};

use super::who;
use crate::connectors::draft::{Draft, correlation, fact};
use crate::connectors::mentions;
use crate::json::Json;

pub struct LogEvent<'e, 'j, 'c> {
    pub json: &'e Json<'j>,
    pub draft: Draft<'c>,
    pub actor: Option<Ref>,
    occurred_at: Time,
    via: Option<Ref>,
    correlation: Option<Correlation>,
}

impl<'e, 'j, 'c> LogEvent<'e, 'j, 'c> {
    pub fn new(json: &'e Json<'j>, draft: Draft<'c>, occurred_at: Time) -> Self {
        Self { json, draft, actor: None, occurred_at, via: None, correlation: None }
    }

    /// Reads what all facts share. Left out for events that give no facts, since most are of that kind.
    pub fn prepare(&mut self) {
        self.actor = who::actor(self);
        self.via = who::credential(self);
        self.correlation = self.read_correlation();
        let values = [
            ("ip_address", "actor_ip"),
            ("user_agent", "user_agent"),
            ("access_type", "programmatic_access_type"),
            ("scopes", "token_scopes"),
        ];
        if let Some(actor) = &self.actor {
            self.draft.texts(actor, self.json, &values);
        }
    }

    /// A fact of this event.
    pub fn fact(&self, kind: FactKind) -> Fact {
        Fact {
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

    /// A text of the event, which the API of organizations may have a level deeper.
    pub fn text(&self, key: &str) -> Option<&'e str> {
        self.json.present(key).or_else(|| self.json.get("data")?.present(key)).and_then(Json::as_str)
    }

    /// An id of the event, in the same places. Where GitHub has none, it may write 0.
    pub fn id(&self, key: &str) -> Option<String> {
        let id = self.json.id_at(key).or_else(|| self.json.get("data")?.id_at(key));
        id.filter(|id| id != "0").map(std::borrow::Cow::into_owned)
    }

    /// What belongs to the same request, and the tickets that its texts name. The user agent is sent with every request
    /// and names none.
    fn read_correlation(&self) -> Option<Correlation> {
        let request = self.json.text("request_id").map_or_else(String::new, |id| self.draft.opaque(id));
        let mut found = Vec::new();
        if let Json::Object(members) = self.json {
            for (_, value) in members.iter().filter(|(name, _)| name != "user_agent") {
                mentions::find_within(value, &mut found);
            }
        }
        correlation(String::new(), request, self.draft.mentioned(&found))
    }
}
