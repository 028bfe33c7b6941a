//! Which role a call needs.
//!
//! Owns the one table of everything that can be called: methods and their HTTP routes with the roles that their
//! descriptors name, and the routes of the server's own. What is not in it is not there: no caller gets past it, whatever
//! is behind it.

use std::collections::HashMap;

use counterfoil_proto::v1::Role;
use http::Method;
use prost_reflect::DescriptorPool;

use crate::ServerError;
use crate::hooks::{HOOK_PATH, PUSH_PATH};
use crate::rpc::Rpc;
use crate::snapshots::SNAPSHOT_PATH;
use crate::tiles::{CHECKPOINT_PATH, TILE_PATH};

/// Routes of the server's own.
const ROUTES: [(Method, &str, Need); 10] = [
    (Method::GET, "/healthz", Need::Nothing),
    (Method::GET, "/readyz", Need::Nothing),
    (Method::GET, "/metrics", Need::Role(Role::Operate)),
    (Method::GET, "/openapi.json", Need::Caller),
    // Tiles hold whole records, and a checkpoint is of use to whoever reads tiles: `/v1/checkpoint` has it for others.
    (Method::GET, CHECKPOINT_PATH, Need::Role(Role::Payload)),
    (Method::GET, TILE_PATH, Need::Role(Role::Payload)),
    (Method::POST, PUSH_PATH, Need::Role(Role::Write)),
    (Method::POST, SNAPSHOT_PATH, Need::Role(Role::Write)),
    (Method::POST, HOOK_PATH, Need::ProofOfItsOwn),
    (Method::GET, HOOK_PATH, Need::ProofOfItsOwn),
];
/// Services of others: whether they live is told to everybody, what they look like to every caller.
const HEALTH: &str = "grpc.health.v1.Health";
const REFLECTION: [&str; 2] = ["grpc.reflection.v1.ServerReflection", "grpc.reflection.v1alpha.ServerReflection"];

/// What a call needs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Need {
    /// Nothing: it is open to everybody.
    Nothing,
    /// A proof that the route itself asks for, as webhooks show it.
    ProofOfItsOwn,
    /// A known caller, whatever its roles.
    Caller,
    /// A caller with this role.
    Role(Role),
    /// Its descriptor names no role: nobody may call it.
    Nobody,
}

/// The roles of one caller.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Roles(u32);

impl Roles {
    /// All that there are.
    pub(crate) fn all() -> Self {
        [Role::Read, Role::Payload, Role::Write, Role::Operate].into_iter().collect()
    }

    pub(crate) fn has(self, role: Role) -> bool {
        role != Role::Unspecified && self.0 & (1 << role as u32) != 0
    }

    pub(crate) fn with(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }
}

impl FromIterator<Role> for Roles {
    fn from_iter<I: IntoIterator<Item = Role>>(roles: I) -> Self {
        Self(roles.into_iter().fold(0, |all, role| all | 1 << role as u32))
    }
}

/// The name of a role as people write it.
pub(crate) fn word(role: Role) -> String {
    role.as_str_name().trim_start_matches("ROLE_").to_lowercase()
}

/// Why a call needs nothing: it cannot be made.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum NotThere {
    /// Nothing is at its path.
    Path,
    /// What is at its path is called with these methods only.
    Method(Vec<Method>),
}

/// What can be called, and what each call needs.
pub(crate) struct Table {
    /// By the path of a gRPC method, such as `/counterfoil.v1.LedgerService/GetRecord`.
    methods: HashMap<String, Need>,
    routes: Vec<Route>,
}

/// A route of HTTP.
struct Route {
    method: Method,
    segments: Vec<Segment>,
    need: Need,
}

/// A part of a route's path.
#[derive(Debug, PartialEq, Eq)]
enum Segment {
    /// What stands between two slashes, as it is.
    Literal(String),
    /// Anything that is not empty, between two slashes.
    Variable,
    /// Anything that is not empty, up to the end.
    Rest,
}

impl Table {
    /// The table of a server of these methods.
    ///
    /// # Errors
    /// [`ServerError::Methods`] if one stands at a path that is not understood, which is a defect.
    pub(crate) fn new(rpcs: &[Rpc]) -> Result<Self, ServerError> {
        let mut table = Self { methods: HashMap::new(), routes: Vec::new() };
        for rpc in rpcs {
            let need = if rpc.role == Role::Unspecified { Need::Nobody } else { Need::Role(rpc.role) };
            table.methods.insert(rpc.path(), need);
            if let Some(binding) = &rpc.binding {
                table.routes.push(Route::new(binding.method.clone(), &binding.path, need)?);
            }
        }
        let others = DescriptorPool::decode(tonic_health::pb::FILE_DESCRIPTOR_SET);
        let others = others.map_err(|error| ServerError::Methods(error.to_string()))?;
        for method in others.get_service_by_name(HEALTH).iter().flat_map(|health| health.methods()) {
            table.methods.insert(format!("/{HEALTH}/{}", method.name()), Need::Nothing);
        }
        for service in REFLECTION {
            table.methods.insert(format!("/{service}/ServerReflectionInfo"), Need::Caller);
        }
        for (method, path, need) in ROUTES {
            table.routes.push(Route::new(method, path, need)?);
        }
        Ok(table)
    }

    /// What a call needs.
    ///
    /// # Errors
    /// Why it cannot be made.
    pub(crate) fn need(&self, method: &Method, path: &str) -> Result<Need, NotThere> {
        if let Some(need) = self.methods.get(path) {
            return Ok(*need);
        }
        // The head of an answer is that of the whole.
        let method = if method == Method::HEAD { &Method::GET } else { method };
        let mut methods = Vec::new();
        for route in self.routes.iter().filter(|route| route.fits(path)) {
            if route.method == *method {
                return Ok(route.need);
            }
            methods.push(route.method.clone());
        }
        Err(if methods.is_empty() { NotThere::Path } else { NotThere::Method(methods) })
    }
}

impl Route {
    fn new(method: Method, path: &str, need: Need) -> Result<Self, ServerError> {
        let strange = || ServerError::Methods(format!("the path {path} is not understood"));
        Ok(Self { method, segments: segments_of(path).ok_or_else(strange)?, need })
    }

    fn fits(&self, path: &str) -> bool {
        let Some(path) = path.strip_prefix('/') else { return false };
        let mut given = path.split('/');
        for segment in &self.segments {
            let Some(part) = given.next() else { return false };
            let fits = match segment {
                Segment::Literal(literal) => literal == part,
                Segment::Variable => !part.is_empty(),
                Segment::Rest => return !part.is_empty() || given.next().is_some(),
            };
            if !fits {
                return false;
            }
        }
        given.next().is_none()
    }
}

/// The segments of a path. What fits anything up to the end stands there.
fn segments_of(path: &str) -> Option<Vec<Segment>> {
    let segment = |segment: &str| match segment.strip_prefix('{').and_then(|rest| rest.strip_suffix('}')) {
        Some(name) if !name.trim_start_matches('*').is_empty() && !name.contains(['=', '{', '}']) => {
            match name.strip_prefix('*') {
                Some(name) if !name.contains('*') => Some(Segment::Rest),
                None if !name.contains('*') => Some(Segment::Variable),
                _ => None,
            }
        }
        None if !segment.is_empty() && !segment.contains(['{', '}', '*', ':']) => {
            Some(Segment::Literal(segment.to_owned()))
        }
        _ => None,
    };
    let segments: Vec<Segment> = path.strip_prefix('/')?.split('/').map(segment).collect::<Option<_>>()?;
    let is_last = |at: usize| at + 1 == segments.len();
    segments.iter().enumerate().all(|(at, segment)| *segment != Segment::Rest || is_last(at)).then_some(segments)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rpc;

    #[test]
    fn a_call_needs_what_its_descriptor_names() {
        let table = Table::new(&rpc::all(&rpc::pool().unwrap()).unwrap()).unwrap();
        let (read, write) = (Ok(Need::Role(Role::Read)), Ok(Need::Role(Role::Write)));
        let payload = Ok(Need::Role(Role::Payload));
        let (nothing, only) = (Err(NotThere::Path), |method| Err(NotThere::Method(vec![method])));
        for (method, path, expected) in [
            (Method::POST, "/counterfoil.v1.LedgerService/GetRecord", read.clone()),
            (Method::POST, "/counterfoil.v1.IngestService/AppendStream", write.clone()),
            (Method::GET, "/v1/records/7", read.clone()),
            (Method::HEAD, "/v1/records/7", read.clone()),
            (Method::GET, "/v1/records/7/proof", read.clone()),
            (Method::GET, "/v1/identities/entitlement%3Aokta%2F00g1/state", read),
            (Method::POST, "/v1/append", write.clone()),
            (Method::GET, "/healthz", Ok(Need::Nothing)),
            (Method::GET, "/metrics", Ok(Need::Role(Role::Operate))),
            (Method::GET, "/openapi.json", Ok(Need::Caller)),
            (Method::POST, "/v1/ingest/okta", write.clone()),
            (Method::POST, "/counterfoil.v1.IngestService/Snapshot", write.clone()),
            (Method::POST, "/v1/snapshots/okta", write),
            (Method::GET, "/checkpoint", payload.clone()),
            (Method::HEAD, "/tile/0/000", payload.clone()),
            (Method::GET, "/tile/0/x001/000.p/7", payload.clone()),
            (Method::GET, "/tile/entries/005", payload.clone()),
            (Method::GET, "/tile/0//000", payload),
            (Method::POST, "/tile/0/000", only(Method::GET)),
            (Method::GET, "/tile/", nothing.clone()),
            (Method::GET, "/tile", nothing.clone()),
            (Method::GET, "/tiles/0/000", nothing.clone()),
            (Method::GET, "/checkpoint/", nothing.clone()),
            (Method::GET, "/v1/snapshots/okta", only(Method::POST)),
            (Method::POST, "/v1/snapshots/", nothing.clone()),
            (Method::POST, "/v1/ingest/okta/hook", Ok(Need::ProofOfItsOwn)),
            (Method::GET, "/v1/ingest/okta/hook", Ok(Need::ProofOfItsOwn)),
            (Method::DELETE, "/v1/ingest/okta/hook", Err(NotThere::Method(vec![Method::POST, Method::GET]))),
            (Method::POST, "/grpc.health.v1.Health/Check", Ok(Need::Nothing)),
            (Method::POST, "/grpc.health.v1.Health/Watch", Ok(Need::Nothing)),
            (Method::POST, "/grpc.reflection.v1.ServerReflection/ServerReflectionInfo", Ok(Need::Caller)),
            // What is spelled otherwise, or goes on, is not there.
            (Method::POST, "/v1/records/7", only(Method::GET)),
            (Method::GET, "/v1/append", only(Method::POST)),
            (Method::GET, "/v1/records/7/", nothing.clone()),
            (Method::GET, "/v1/records//proof", nothing.clone()),
            (Method::GET, "//v1/records/7", nothing.clone()),
            (Method::GET, "/v1/record%73/7", nothing.clone()),
            (Method::GET, "/V1/records/7", nothing.clone()),
            (Method::POST, "/counterfoil.v1.LedgerService/getRecord", nothing.clone()),
            (Method::POST, "/counterfoil.v1.LedgerService/GetRecord/", nothing.clone()),
            (Method::POST, "/grpc.health.v1.Health/Else", nothing.clone()),
            (Method::GET, "/", nothing.clone()),
            (Method::GET, "*", nothing.clone()),
            (Method::GET, "", nothing.clone()),
        ] {
            assert_eq!(table.need(&method, path), expected, "{method} {path}");
        }
    }

    #[test]
    fn a_template_that_is_not_understood_is_a_defect() {
        for template in [
            "v1/x",
            "/v1//x",
            "/v1/{who=a/*}",
            "/v1/**",
            "/v1/x:verb",
            "/v1/{who}x",
            "/v1/{}",
            "/v1/{*}",
            "/v1/{**all}",
            "/v1/{*all}/x",
        ] {
            assert!(segments_of(template).is_none(), "{template}");
        }
    }

    #[test]
    fn nobody_has_the_role_that_is_none() {
        assert!(!Roles::all().has(Role::Unspecified) && !Roles::from_iter([Role::Unspecified]).has(Role::Read));
        assert!(Roles::from_iter([Role::Read]).has(Role::Read) && !Roles::from_iter([Role::Read]).has(Role::Payload));
    }
}
