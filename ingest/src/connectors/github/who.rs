//! Who is who at GitHub: users, bots, applications, and the credentials that requests are made with.
//!
//! Owns how each of them becomes an account, an integration or a credential with one id in all events
//! (docs/decisions/0059). Logins are what users are called by and can change; of an event without an id they are all
//! that is known.

use counterfoil_proto::v1::{EntityKind, IdentityType, Ref};
use counterfoil_verify::identifier::{canonical, is_email};

use super::event::LogEvent;
use crate::connectors::draft::Principal;
use crate::connectors::naming;
use crate::json::Json;

/// What GitHub puts behind the name of an application that acts as itself.
const BOT_SUFFIX: &str = "[bot]";

type Event<'a, 'e, 'j, 'c> = &'a mut LogEvent<'e, 'j, 'c>;

/// Whoever did it. An address that an identity provider knows the actor by says who that is elsewhere.
pub fn actor(event: Event<'_, '_, '_, '_>) -> Option<Ref> {
    let is = |key: &str| event.json.get(key).and_then(Json::as_truth) == Some(true);
    let flagged = match () {
        () if is("actor_is_agent") => Some(IdentityType::AiAgent),
        () if is("actor_is_bot") => Some(IdentityType::Bot),
        () => None,
    };
    let outside = ["external_identity_nameid", "external_identity_username"];
    let outside: Vec<_> = outside
        .into_iter()
        .filter_map(|key| Some(("external_identity", event.json.text(key)?)))
        .filter(|(_, name)| is_email(&canonical(name)))
        .collect();
    let (login, id) = (event.text("actor"), event.id("actor_id"));
    user_of(event, login, id.as_deref(), flagged, &outside)
}

/// The user that a pair of keys names, such as "user" and "user_id".
pub fn user(event: Event<'_, '_, '_, '_>, login: &str, id: &str) -> Option<Ref> {
    let (login, id) = (event.text(login), event.id(id));
    user_of(event, login, id.as_deref(), None, &[])
}

/// The user that the event is about.
pub fn subject(event: Event<'_, '_, '_, '_>) -> Option<Ref> {
    user(event, "user", "user_id")
}

fn user_of(
    event: Event<'_, '_, '_, '_>,
    login: Option<&str>,
    id: Option<&str>,
    flagged: Option<IdentityType>,
    outside: &[(&'static str, &str)],
) -> Option<Ref> {
    let named = |login: &str| {
        let is_bot = login.ends_with(BOT_SUFFIX);
        if is_bot { Some(IdentityType::Bot) } else { naming::identity_type(login) }
    };
    let logins: Vec<_> = login.map(|login| ("login", login)).into_iter().chain(outside.iter().copied()).collect();
    event.draft.principal(Principal {
        id,
        logins: &logins,
        identity_type: flagged.or_else(|| login.and_then(named)).unwrap_or(IdentityType::Human),
        ..Principal::default()
    })
}

/// A GitHub App, by its client id or else by its name.
pub fn app(event: Event<'_, '_, '_, '_>) -> Option<Ref> {
    let name = event.text("integration").or_else(|| event.text("name"));
    integration(event, "app", "application_client_id", name)
}

/// An OAuth application, by its id or else by its name.
pub fn oauth_app(event: Event<'_, '_, '_, '_>) -> Option<Ref> {
    let name = event.text("oauth_application_name").or_else(|| event.text("oauth_application"));
    integration(event, "oauth_app", "oauth_application_id", name)
}

fn integration(event: Event<'_, '_, '_, '_>, within: &'static str, id: &str, name: Option<&str>) -> Option<Ref> {
    let id = event.id(id);
    // Applications of both kinds may have the same name.
    let login = name.map(|name| format!("{within}/{name}"));
    let logins = login.as_deref().map(|login| ("login", login));
    event.draft.principal(Principal {
        kind: EntityKind::Integration,
        within,
        id: id.as_deref(),
        logins: logins.as_slice(),
        values: name.map(|name| ("display_name", name)).as_slice(),
        identity_type: IdentityType::Integration,
        ..Principal::default()
    })
}

/// What the request was made with: the token or the key. Its id says which it is; its hash finds it, since whoever has a
/// token that leaked has nothing else of it. Of a token without an id the hash is the id.
pub fn credential(event: Event<'_, '_, '_, '_>) -> Option<Ref> {
    let (kind, identity_type) = kind_of(event.json.text("programmatic_access_type").unwrap_or_default());
    let hash = event.json.text("hashed_token");
    // Beside an action on a token that somebody took in a browser, the id is that of the object.
    let id = event.id("token_id").filter(|_| is_programmatic(event.json));
    let logins = hash.map(|hash| ("hashed_token", hash));
    event.draft.principal(Principal {
        kind: EntityKind::Credential,
        within: kind,
        id: id.as_deref().or(hash),
        logins: logins.as_slice(),
        identity_type,
        ..Principal::default()
    })
}

/// Whether a token or a key was used at all.
pub fn is_programmatic(json: &Json<'_>) -> bool {
    json.present("programmatic_access_type").is_some() || json.present("hashed_token").is_some()
}

/// The type of a credential, by how GitHub calls that way of access. Tokens of each have ids of their own.
fn kind_of(access_type: &str) -> (&'static str, IdentityType) {
    let said = access_type.to_ascii_lowercase().replace(['_', '-'], " ");
    let is = |words: &str| said.contains(words);
    match () {
        () if is("fine grained") => ("api_token", IdentityType::Token),
        () if is("server to server") => ("session", IdentityType::Token),
        () if is("deploy key") => ("deploy_key", IdentityType::Secret),
        () if is("ssh key") => ("ssh_key", IdentityType::Secret),
        () => ("token", IdentityType::Token),
    }
}
