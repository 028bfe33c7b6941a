//! The rules for access keys, passwords, MFA devices and other credentials.
//!
//! Owns which credential such an event is about, and whose it is. Its value never comes here: AWS logs none, and what a
//! copy may have is replaced before it is read.

use counterfoil_proto::v1::{EntityKind, FactKind, IdentityType, Ref};

use super::event::LogEvent;
use super::iam::user_of;
use super::identity;

type Event<'a, 'e, 'j, 'c> = &'a mut LogEvent<'e, 'j, 'c>;

/// One way in which credentials of a kind are named.
struct Named {
    /// The type of the credential.
    kind: &'static str,
    identity_type: IdentityType,
    /// Where a request has its id, and where the response to its creation has it.
    request: &'static str,
    response: &'static str,
    /// Where the response has the name of its owner.
    owner: &'static str,
}

pub fn access_key(event: Event<'_, '_, '_, '_>, kind: FactKind) {
    named(
        event,
        kind,
        &Named {
            kind: "access_key",
            identity_type: IdentityType::ApiKey,
            request: "accessKeyId",
            response: "accessKey.accessKeyId",
            owner: "accessKey.userName",
        },
    );
}

pub fn ssh_key(event: Event<'_, '_, '_, '_>, kind: FactKind) {
    named(
        event,
        kind,
        &Named {
            kind: "ssh_key",
            identity_type: IdentityType::Secret,
            request: "sSHPublicKeyId",
            response: "sSHPublicKey.sSHPublicKeyId",
            owner: "sSHPublicKey.userName",
        },
    );
}

pub fn certificate(event: Event<'_, '_, '_, '_>, kind: FactKind) {
    named(
        event,
        kind,
        &Named {
            kind: "certificate",
            identity_type: IdentityType::Certificate,
            request: "certificateId",
            response: "certificate.certificateId",
            owner: "certificate.userName",
        },
    );
}

/// A password that is good for one service only.
pub fn of_service(event: Event<'_, '_, '_, '_>, kind: FactKind) {
    named(
        event,
        kind,
        &Named {
            kind: "secret",
            identity_type: IdentityType::Secret,
            request: "serviceSpecificCredentialId",
            response: "serviceSpecificCredential.serviceSpecificCredentialId",
            owner: "serviceSpecificCredential.userName",
        },
    );
}

pub fn mfa_device(event: Event<'_, '_, '_, '_>, kind: FactKind) {
    named(
        event,
        kind,
        &Named {
            kind: "token",
            identity_type: IdentityType::Token,
            request: "serialNumber",
            response: "virtualMFADevice.serialNumber",
            owner: "virtualMFADevice.user.userName",
        },
    );
}

/// A token by which a directory elsewhere writes into that of IAM Identity Center.
pub fn bearer_token(event: Event<'_, '_, '_, '_>, kind: FactKind) {
    named(
        event,
        kind,
        &Named {
            kind: "api_token",
            identity_type: IdentityType::Token,
            request: "bearerTokenId",
            response: "bearerToken.tokenId",
            owner: "bearerToken.userName",
        },
    );
}

fn named(event: Event<'_, '_, '_, '_>, kind: FactKind, named: &Named) {
    // What is updated is made active or inactive, and the request says which.
    let kind = match (kind, event.request("status")) {
        (FactKind::CredentialEnabled, Some("Active")) | (FactKind::CredentialEnabled, None) => kind,
        (FactKind::CredentialEnabled, Some(_)) => FactKind::CredentialDisabled,
        _ => kind,
    };
    let Some(id) = event.request(named.request).or_else(|| event.response(named.response)) else { return };
    let object = event.draft.credential(named.kind, id, None, named.identity_type);
    let owner = match (user_of(event), event.response(named.owner)) {
        (Some(owner), _) => Some(owner),
        (None, Some(name)) => identity::user(&mut event.draft, name, &[], None),
        // Without a name in the request, AWS takes whoever acts; a device is nobody's until it is assigned.
        (None, None) => {
            event.actor.clone().filter(|_| matches!(named.kind, "access_key" | "ssh_key" | "certificate" | "secret"))
        }
    };
    about(event, kind, object, owner);
}

fn about(event: Event<'_, '_, '_, '_>, kind: FactKind, object: Ref, owner: Option<Ref>) {
    let mut fact = event.fact(kind);
    fact.object = Some(object);
    fact.subject = owner;
    event.push(fact);
}

/// The password of a user for the console, or of the root user.
pub fn password(event: Event<'_, '_, '_, '_>, kind: FactKind) {
    let owner = user_of(event).or_else(|| event.actor.clone());
    if let Some(owner) = owner {
        password_of(event, kind, owner);
    }
}

/// Says something about the one password of an account.
pub fn password_of(event: Event<'_, '_, '_, '_>, kind: FactKind, owner: Ref) {
    if let Some(object) = the_password(&owner) {
        about(event, kind, object, Some(owner));
    }
}

/// The one password of an account.
pub fn the_password(owner: &Ref) -> Option<Ref> {
    (!owner.id.is_empty()).then(|| Ref {
        kind: EntityKind::Credential.into(),
        system: owner.system.clone(),
        instance: owner.instance.clone(),
        id: format!("password/{}", owner.id),
        identity_type: IdentityType::Secret.into(),
        ..Ref::default()
    })
}
