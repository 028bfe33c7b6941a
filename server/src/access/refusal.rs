//! What somebody is told who is not let in.
//!
//! Owns the code, the reason and the words of every refusal, over gRPC and over HTTP. It never repeats what was shown.

use std::collections::HashMap;

use axum::body::Body;
use axum::response::IntoResponse;
use counterfoil_proto::v1::Role;
use http::Response;
use http::header::HeaderValue;
use tonic::{Code, Status};
use tonic_types::{ErrorDetails, StatusExt};

use super::register::Flaw;
use super::table::{NotThere, word};
use crate::json::problem::{self, Problem};

/// The domain of all reasons.
const DOMAIN: &str = "counterfoil";

/// Why a call is refused.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Refusal {
    /// A page in a browser calls.
    Origin,
    /// The call was meant for another host, as after DNS rebinding.
    Host,
    /// No token and no certificate is shown where one is looked for.
    TokenAbsent,
    /// The token lets nobody in.
    Token(Flaw),
    /// The certificate lets nobody in.
    Certificate(Flaw),
    /// Who may call cannot be read.
    Unreadable,
    /// The caller has not the role.
    RoleMissing(Role),
    /// The method names no role.
    Nobody,
    /// There is nothing to be called there.
    NotThere(NotThere),
}

impl Refusal {
    /// Code, reason and message.
    fn told(&self) -> (Code, &'static str, String) {
        use Code::{PermissionDenied, Unauthenticated};
        let text = str::to_owned;
        match self {
            Self::Origin => (PermissionDenied, "ORIGIN", text("a page of another origin may not call this server")),
            Self::Host => (
                PermissionDenied,
                "HOST",
                text("this server answers on this machine only: call it as localhost, or by its loopback address"),
            ),
            Self::TokenAbsent => (
                Unauthenticated,
                "TOKEN_ABSENT",
                text(
                    "who calls? Send a token in the header Authorization, as \"Bearer TOKEN\", or show a client \
                     certificate. A token in the URL, a cookie, the body or another header does not count: whoever sent \
                     one there should revoke it",
                ),
            ),
            Self::Token(Flaw::Unknown) => {
                (Unauthenticated, "TOKEN_UNKNOWN", text("the token is not known here: ask the operator for another"))
            }
            Self::Token(Flaw::Audience) => {
                (Unauthenticated, "TOKEN_AUDIENCE", text("the token is for another ledger: show that of this one"))
            }
            Self::Token(Flaw::Revoked) => {
                (Unauthenticated, "TOKEN_REVOKED", text("the token is revoked: ask the operator for another"))
            }
            Self::Token(Flaw::Expired) => {
                (Unauthenticated, "TOKEN_EXPIRED", text("the token has expired: ask the operator for another"))
            }
            Self::Certificate(Flaw::Unknown) => (
                Unauthenticated,
                "CERTIFICATE_UNKNOWN",
                text("no entry names the client certificate: ask the operator for one, or send a token"),
            ),
            Self::Certificate(Flaw::Audience) => {
                (Unauthenticated, "CERTIFICATE_AUDIENCE", text("the client certificate is for another ledger"))
            }
            Self::Certificate(Flaw::Revoked) => (
                Unauthenticated,
                "CERTIFICATE_REVOKED",
                text("the client certificate's entry is revoked: ask the operator for another"),
            ),
            Self::Certificate(Flaw::Expired) => (
                Unauthenticated,
                "CERTIFICATE_EXPIRED",
                text("the client certificate's entry has expired: ask the operator for another"),
            ),
            Self::Unreadable => (
                Code::Unavailable,
                "TOKENS_UNREADABLE",
                text("nobody is let in at the moment: the operator finds the reason in the server's log"),
            ),
            Self::RoleMissing(role) => {
                let role = word(*role);
                (PermissionDenied, "ROLE_MISSING", format!("this needs the role {role}: ask the operator for it"))
            }
            Self::Nobody => (PermissionDenied, "ROLE_UNKNOWN", text("the method names no role: nobody may call it")),
            Self::NotThere(_) => (Code::Unimplemented, "NOT_THERE", text("there is no such method")),
        }
    }

    /// As gRPC has it.
    pub(crate) fn status(&self) -> Status {
        let (code, reason, message) = self.told();
        let metadata = match self {
            Self::RoleMissing(role) => HashMap::from([("role".to_owned(), word(*role))]),
            _ => HashMap::new(),
        };
        Status::with_error_details(code, message, ErrorDetails::with_error_info(reason, DOMAIN, metadata))
    }

    /// The answer, as whoever asks expects it.
    pub(crate) fn answer(self, is_grpc: bool) -> Response<Body> {
        if is_grpc {
            return self.status().into_http();
        }
        let problem = match &self {
            Self::NotThere(NotThere::Path) => problem::no_such_path(),
            Self::NotThere(NotThere::Method(methods)) => problem::no_such_method(methods),
            _ => Problem::from(self.status()),
        };
        match self.challenge() {
            Some(challenge) => problem.challenge(challenge).into_response(),
            None => problem.into_response(),
        }
    }

    /// What to show instead (RFC 6750, section 3).
    fn challenge(&self) -> Option<HeaderValue> {
        let challenge = match self {
            Self::TokenAbsent | Self::Certificate(_) => "Bearer realm=\"counterfoil\"".to_owned(),
            Self::Token(_) => "Bearer realm=\"counterfoil\", error=\"invalid_token\"".to_owned(),
            Self::RoleMissing(role) => {
                format!("Bearer realm=\"counterfoil\", error=\"insufficient_scope\", scope=\"{}\"", word(*role))
            }
            _ => return None,
        };
        HeaderValue::from_str(&challenge).ok()
    }
}
