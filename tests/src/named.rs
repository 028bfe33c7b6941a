//! How the ground truth of a made-up company names what an answer is about: as its tickets do.

use counterfoil_proto::Shared;
use counterfoil_proto::v1::Party;
use counterfoil_verify::entity::EntityId;

/// Whose it is: the native id. One that hides what could be somebody's login is known by what the account is called.
///
/// # Panics
/// If the party has no id.
pub fn subject(party: &Party) -> String {
    let entity: EntityId = party.id.parse().expect("the id of an entity");
    match entity.native_id().split_once("/~") {
        Some((kind, _)) => format!("{kind}/{}", called(party)),
        None => entity.native_id().to_owned(),
    }
}

/// How an account logs in.
pub fn called(party: &Party) -> &str {
    if party.login.is_empty() { &party.email } else { &party.login }
}

/// What it is: "okta/group_member/00g1", "aws@111122223333/password". Without an object, it is the account itself.
///
/// # Panics
/// If a party has no id.
pub fn object(subject: &Party, object: Option<&Shared<Party>>) -> String {
    let entity: EntityId = object.map_or(subject, |object| object).id.parse().expect("the id of an entity");
    let place = match entity.instance() {
        "default" => entity.system().to_owned(),
        account => format!("{}@{account}", entity.system()),
    };
    let Some(object) = object else { return format!("{place}/account") };
    match entity.native_id().split_once('/').expect("a type and a name") {
        // In AWS their ids are nobody's but the ledger's.
        (kind @ ("password" | "access_key"), _) => format!("{place}/{kind}"),
        (kind, id) if id.starts_with('~') => format!("{place}/{kind}/{}", object.name),
        _ => format!("{place}/{}", entity.native_id()),
    }
}
