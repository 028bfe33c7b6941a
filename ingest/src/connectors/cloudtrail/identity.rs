//! Who is who in AWS: users, roles, sessions, services and people of IAM Identity Center.
//!
//! Owns how each of them becomes an account with one id in all events. Requests name users, groups and roles by their
//! names alone, which are unique within an account: those are their ids here, digested where they could be somebody's
//! login, and the unique ids (AIDA…, AROA…) and ARNs are identifiers of theirs (docs/decisions/0012).

use counterfoil_proto::v1::{IdentityType, Ref};

use super::SYSTEM;
use crate::connectors::draft::{Draft, Principal};
use crate::connectors::naming;
use crate::json::Json;

/// The role of an account that IAM Identity Center made for a permission set. The names of its sessions are those of
/// people, given by Identity Center; the name of any other session is whatever its maker wrote.
const OF_IDENTITY_CENTER: &str = "AWSReservedSSO_";
/// A role of a service's own.
const OF_A_SERVICE: &str = "AWSServiceRoleFor";

/// The most digits of an account's number. AWS gives 12.
const ACCOUNT_DIGITS_MAX: usize = 32;

/// Who acts, and with what.
pub struct Identity {
    pub actor: Option<Ref>,
    pub via: Option<Ref>,
}

/// An IAM user.
pub fn user(draft: &mut Draft<'_>, name: &str, ids: &[(&'static str, &str)], home: Option<&str>) -> Option<Ref> {
    let logins: Vec<_> = [("login", name)].iter().chain(ids).copied().collect();
    draft.principal(Principal {
        within: "user",
        id: Some(name),
        logins: &logins,
        identity_type: naming::identity_type(name).unwrap_or_default(),
        home: home.map(|home| (SYSTEM, home)),
        ..Principal::default()
    })
}

/// A role, as who acts in its sessions.
pub fn role(draft: &mut Draft<'_>, name: &str, ids: &[(&'static str, &str)], home: Option<&str>) -> Option<Ref> {
    // A user may have the same name as a role.
    let login = format!("role/{name}");
    let logins: Vec<_> = [("login", login.as_str())].iter().chain(ids).copied().collect();
    let identity_type =
        if name.starts_with(OF_A_SERVICE) { IdentityType::System } else { IdentityType::WorkloadIdentity };
    draft.principal(Principal {
        within: "role",
        id: Some(name),
        logins: &logins,
        identity_type,
        home: home.map(|home| (SYSTEM, home)),
        ..Principal::default()
    })
}

/// What whoever may assume a role holds.
pub fn session_role(draft: &mut Draft<'_>, name: &str, home: Option<&str>) -> Option<Ref> {
    let id = draft.typed("session_role", name);
    draft.entitlement(Some(id), Some(name), home.map(|home| (SYSTEM, home)))
}

/// The root user of an account.
pub fn root(draft: &mut Draft<'_>, account: &str, arn: Option<&str>) -> Option<Ref> {
    let login = arn.map(|arn| ("login", arn));
    draft.principal(Principal {
        within: "root",
        id: Some(account),
        logins: login.as_slice(),
        home: Some((SYSTEM, account)),
        ..Principal::default()
    })
}

/// Somebody of IAM Identity Center.
pub fn person(
    draft: &mut Draft<'_>,
    id: &str,
    logins: &[(&'static str, &str)],
    values: &[(&'static str, &str)],
) -> Option<Ref> {
    draft.principal(Principal {
        within: "sso_user",
        id: Some(id),
        logins,
        values,
        identity_type: IdentityType::Human,
        ..Principal::default()
    })
}

/// Whoever signed a request, and with what.
pub fn of(json: &Json<'_>, draft: &mut Draft<'_>) -> Identity {
    let arn = json.text("arn").and_then(Arn::parse);
    let home = json.text("accountId").or(arn.as_ref().map(|arn| arn.account)).filter(|home| is_account(home));
    let caller = Caller { json, arn, home };
    match json.text("type").unwrap_or_default() {
        "IAMUser" => caller.iam_user(draft),
        "AssumedRole" | "Role" => caller.assumed_role(draft),
        "Root" => {
            let actor = home.and_then(|home| root(draft, home, caller.text("arn")));
            Identity { actor, via: caller.credential(draft) }
        }
        "FederatedUser" => {
            let name = caller.resource("federated-user");
            let login = caller.text("arn").map(|arn| ("login", arn));
            let actor =
                name.and_then(|name| caller.named("federated_user", name, login, IdentityType::Unspecified, draft));
            Identity { actor, via: caller.issuer(draft).or_else(|| caller.credential(draft)) }
        }
        "SAMLUser" => caller.vouched_for("saml_user", draft),
        "WebIdentityUser" => caller.vouched_for("web_identity", draft),
        "IdentityCenterUser" | "Unknown" => caller.of_identity_center(draft),
        "AWSService" => {
            let service = caller.text("invokedBy").or(caller.text("principalId"));
            let within = if service.is_some_and(is_service) { "service" } else { "other" };
            let actor = service.and_then(|service| caller.named(within, service, None, IdentityType::System, draft));
            Identity { actor, via: None }
        }
        _ => Identity { actor: caller.by_unique_id(draft), via: caller.credential(draft) },
    }
}

/// Whether a text is the name of a service as AWS writes it: "cloudtrail.amazonaws.com".
pub fn is_service(text: &str) -> bool {
    let usual = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || matches!(byte, b'-' | b'.');
    text.strip_suffix(".amazonaws.com").is_some_and(|name| !name.is_empty() && name.bytes().all(usual))
}

/// Whether a text is the number of an account. Instances are named by it, so that nothing else may pass for one.
pub fn is_account(text: &str) -> bool {
    (1..=ACCOUNT_DIGITS_MAX).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_digit())
}

/// The text at a path, unless it stands for nothing: AWS hides what somebody may have typed by mistake.
pub fn known<'v>(json: &'v Json<'_>, path: &str) -> Option<&'v str> {
    json.text(path).filter(|text| !text.starts_with("HIDDEN_DUE_TO_SECURITY_REASONS"))
}

/// The name of an Amazon resource: "arn:aws:iam::123456789012:role/path/Name".
#[derive(Clone, Copy)]
pub struct Arn<'t> {
    pub account: &'t str,
    /// "role/path/Name".
    resource: &'t str,
}

impl<'t> Arn<'t> {
    pub fn parse(text: &'t str) -> Option<Self> {
        let mut parts = text.strip_prefix("arn:")?.splitn(5, ':');
        let account = parts.nth(3)?;
        Some(Self { account, resource: parts.next()? })
    }

    /// What stands behind the type: a path and a name, or names.
    pub fn of_type(self, kind: &str) -> Option<&'t str> {
        self.resource.strip_prefix(kind)?.strip_prefix('/').filter(|rest| !rest.is_empty())
    }

    /// The name of a resource of a type, without its path.
    pub fn name(self, kind: &str) -> Option<&'t str> {
        self.of_type(kind)?.rsplit('/').next().filter(|name| !name.is_empty())
    }
}

struct Caller<'e, 'j> {
    json: &'e Json<'j>,
    arn: Option<Arn<'e>>,
    /// The account that it belongs to.
    home: Option<&'e str>,
}

impl<'e> Caller<'e, '_> {
    fn text(&self, path: &str) -> Option<&'e str> {
        known(self.json, path)
    }

    fn resource(&self, kind: &str) -> Option<&'e str> {
        self.arn?.of_type(kind)
    }

    fn named(
        &self,
        within: &'static str,
        id: &str,
        login: Option<(&'static str, &str)>,
        identity_type: IdentityType,
        draft: &mut Draft<'_>,
    ) -> Option<Ref> {
        draft.principal(Principal {
            within,
            id: Some(id),
            logins: login.as_slice(),
            identity_type,
            home: self.home.map(|home| (SYSTEM, home)),
            ..Principal::default()
        })
    }

    fn iam_user(&self, draft: &mut Draft<'_>) -> Identity {
        let name = self.text("userName").or_else(|| self.arn?.name("user"));
        let ids = [("unique_id", self.text("principalId")), ("arn", self.text("arn"))];
        let actor = match name {
            Some(name) => user(draft, name, &present(ids), self.home),
            None => self.by_unique_id(draft),
        };
        Identity { actor, via: self.credential(draft) }
    }

    fn assumed_role(&self, draft: &mut Draft<'_>) -> Identity {
        let session = self.resource("assumed-role").and_then(|names| names.split_once('/')).map(|(_, session)| session);
        let Some(role) = self.role(draft) else {
            return Identity { actor: self.by_unique_id(draft), via: self.credential(draft) };
        };
        match session.filter(|_| self.role_name().is_some_and(|name| name.starts_with(OF_IDENTITY_CENTER))) {
            Some(session) => {
                let id = self.text("onBehalfOf.userId").unwrap_or(session);
                Identity { actor: person(draft, id, &[("login", session)], &[]), via: Some(role) }
            }
            None => {
                if let Some(session) = session {
                    draft.text(&role, "session_name", session);
                }
                Identity { actor: Some(role), via: self.credential(draft) }
            }
        }
    }

    /// The role whose session it is.
    fn role(&self, draft: &mut Draft<'_>) -> Option<Ref> {
        let issuer = self.text("sessionContext.sessionIssuer.arn");
        let arn =
            issuer.or(self.text("arn")).filter(|arn| Arn::parse(arn).is_some_and(|arn| arn.name("role").is_some()));
        let ids = [("unique_id", self.unique_id()), ("arn", arn)];
        role(draft, self.role_name()?, &present(ids), self.home)
    }

    fn role_name(&self) -> Option<&'e str> {
        let of_session = self.resource("assumed-role").and_then(|names| names.split('/').next());
        let of_issuer = || Arn::parse(self.text("sessionContext.sessionIssuer.arn")?)?.name("role");
        of_session.or_else(|| self.arn?.name("role")).or_else(of_issuer)
    }

    /// The unique id of a user, or of the role of a session, whose own name stands behind it.
    fn unique_id(&self) -> Option<&'e str> {
        self.text("principalId").and_then(|id| id.split(':').next()).filter(|id| !id.is_empty())
    }

    /// Somebody of whom the event has no name, such as a caller of another account.
    fn by_unique_id(&self, draft: &mut Draft<'_>) -> Option<Ref> {
        let logins = self.unique_id().or(self.text("userName")).map(|id| ("unique_id", id));
        if logins.is_none() {
            return self.named("account", self.home?, None, IdentityType::Unspecified, draft);
        }
        draft.principal(Principal {
            logins: logins.as_slice(),
            home: self.home.map(|home| (SYSTEM, home)),
            ..Principal::default()
        })
    }

    /// Somebody whom another identity provider vouches for.
    fn vouched_for(&self, within: &'static str, draft: &mut Draft<'_>) -> Identity {
        let login = self.text("userName").map(|name| ("login", name));
        let actor = self.text("principalId").or(self.text("userName")).and_then(|id| {
            let actor = self.named(within, id, login, IdentityType::Unspecified, draft)?;
            if let Some(provider) = self.text("identityProvider") {
                draft.text(&actor, "identity_provider", provider);
            }
            Some(actor)
        });
        Identity { actor, via: self.credential(draft) }
    }

    /// Somebody of IAM Identity Center, by the id that its directory gave. The name beside it is one for show.
    fn of_identity_center(&self, draft: &mut Draft<'_>) -> Identity {
        let values = self.text("userName").map(|name| ("display_name", name));
        let actor = match self.text("onBehalfOf.userId").or(self.text("principalId")) {
            Some(id) => person(draft, id, &[], values.as_slice()),
            None => self.by_unique_id(draft),
        };
        Identity { actor, via: self.credential(draft) }
    }

    /// The user or the role that a federated session was made by.
    fn issuer(&self, draft: &mut Draft<'_>) -> Option<Ref> {
        let arn = self.text("sessionContext.sessionIssuer.arn")?;
        let ids = [("unique_id", self.text("sessionContext.sessionIssuer.principalId")), ("arn", Some(arn))];
        let parsed = Arn::parse(arn)?;
        match parsed.name("user") {
            Some(name) => user(draft, name, &present(ids), self.home),
            None => role(draft, parsed.name("role")?, &present(ids), self.home),
        }
    }

    /// The key that signed the request. That of a session was issued for a while.
    fn credential(&self, draft: &mut Draft<'_>) -> Option<Ref> {
        let of_session =
            self.json.present("sessionContext").is_some() || !matches!(self.text("type"), Some("IAMUser" | "Root"));
        let (kind, identity_type) =
            if of_session { ("session", IdentityType::Token) } else { ("access_key", IdentityType::ApiKey) };
        let id = self.text("accessKeyId").or(self.text("credentialId"))?;
        let (system, instance) = draft.home(self.home.map(|home| (SYSTEM, home)));
        Some(Ref { system, instance, ..draft.credential(kind, id, None, identity_type) })
    }
}

fn present<'t, const N: usize>(values: [(&'static str, Option<&'t str>); N]) -> Vec<(&'static str, &'t str)> {
    values.into_iter().filter_map(|(name, value)| Some((name, value?))).collect()
}
