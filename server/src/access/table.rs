//! Which role a call needs.
//!
//! Owns the one table of everything that can be called: methods and their HTTP routes with the roles that their
//! descriptors name, and the routes of the server's own. What is not in it is not there: no caller gets past it, whatever
//! is behind it.

use std::collections::HashMap;

use counterfoil_proto::DESCRIPTORS;
use counterfoil_proto::v1::Role;
use http::Method;
use prost_reflect::{DescriptorPool, DynamicMessage, ExtensionDescriptor, MethodDescriptor, Value};

/// Routes of the server's own; all are read with GET.
const ROUTES: [(&str, Need); 3] =
    [("/healthz", Need::Nothing), ("/readyz", Need::Nothing), ("/metrics", Need::Role(Role::Operate))];
/// Services of others: whether they live is told to everybody, what they look like to every caller.
const HEALTH: &str = "grpc.health.v1.Health";
const REFLECTION: [&str; 2] = ["grpc.reflection.v1.ServerReflection", "grpc.reflection.v1alpha.ServerReflection"];

/// What a call needs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Need {
    /// Nothing: it is open to everybody.
    Nothing,
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

/// The descriptors of the services cannot be understood, which is a defect.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub struct TableError(String);

/// What can be called, and what each call needs.
pub(crate) struct Table {
    /// By the path of a gRPC method, such as `/counterfoil.v1.LedgerService/GetRecord`.
    methods: HashMap<String, Need>,
    routes: Vec<Route>,
}

/// A route of HTTP.
struct Route {
    method: Method,
    /// A literal, or nothing for a variable, which is one segment that is not empty.
    segments: Vec<Option<String>>,
    need: Need,
}

impl Table {
    /// The table of this server.
    pub(crate) fn new() -> Result<Self, TableError> {
        let mut table = Self { methods: HashMap::new(), routes: Vec::new() };
        let own = pool(DESCRIPTORS)?;
        let extension = |name: &str| {
            own.get_extension_by_name(name).ok_or_else(|| TableError(format!("the option {name} is missing")))
        };
        let (role, rule) = (extension("counterfoil.v1.role")?, extension("google.api.http")?);
        for method in own.services().flat_map(|service| service.methods().collect::<Vec<_>>()) {
            let need = need_of(&method, &role)?;
            table.methods.insert(path_of(&method), need);
            table.add_routes(&method, &rule, need)?;
        }
        let others = pool(tonic_health::pb::FILE_DESCRIPTOR_SET)?;
        for method in others.services().flat_map(|service| service.methods().collect::<Vec<_>>()) {
            if method.parent_service().full_name() == HEALTH {
                table.methods.insert(path_of(&method), Need::Nothing);
            }
        }
        for service in REFLECTION {
            table.methods.insert(format!("/{service}/ServerReflectionInfo"), Need::Caller);
        }
        for (path, need) in ROUTES {
            table.routes.push(Route { method: Method::GET, segments: segments_of(path)?, need });
        }
        Ok(table)
    }

    /// What a call needs; nothing is told of what cannot be called.
    pub(crate) fn need(&self, method: &Method, path: &str) -> Option<Need> {
        if let Some(need) = self.methods.get(path) {
            return Some(*need);
        }
        // The head of an answer is that of the whole.
        let method = if method == Method::HEAD { &Method::GET } else { method };
        self.routes.iter().find(|route| route.method == *method && route.fits(path)).map(|route| route.need)
    }

    /// The routes that the descriptor of a method names.
    fn add_routes(
        &mut self,
        method: &MethodDescriptor,
        rule: &ExtensionDescriptor,
        need: Need,
    ) -> Result<(), TableError> {
        let options = method.options();
        if !options.has_extension(rule) {
            return Ok(());
        }
        let option = options.get_extension(rule);
        let rule = option.as_message().ok_or_else(|| TableError("google.api.http is no message".to_owned()))?;
        let additional = rule.get_field_by_name("additional_bindings");
        let additional = additional.as_ref().and_then(|bindings| bindings.as_list()).unwrap_or_default();
        for rule in std::iter::once(rule).chain(additional.iter().filter_map(Value::as_message)) {
            let (method, template) = route_of(rule)
                .ok_or_else(|| TableError(format!("a route of {} is not understood", method.full_name())))?;
            self.routes.push(Route { method, segments: segments_of(&template)?, need });
        }
        Ok(())
    }
}

impl Route {
    fn fits(&self, path: &str) -> bool {
        let Some(path) = path.strip_prefix('/') else { return false };
        let mut given = path.split('/');
        let fit = self.segments.iter().all(|segment| match (segment, given.next()) {
            (Some(literal), Some(given)) => literal == given,
            (None, Some(given)) => !given.is_empty(),
            (_, None) => false,
        });
        fit && given.next().is_none()
    }
}

fn pool(descriptors: &[u8]) -> Result<DescriptorPool, TableError> {
    DescriptorPool::decode(descriptors).map_err(|error| TableError(error.to_string()))
}

fn path_of(method: &MethodDescriptor) -> String {
    format!("/{}/{}", method.parent_service().full_name(), method.name())
}

/// The role that the descriptor of a method names.
fn need_of(method: &MethodDescriptor, role: &ExtensionDescriptor) -> Result<Need, TableError> {
    let options = method.options();
    let number = options.get_extension(role).as_enum_number().unwrap_or_default();
    match Role::try_from(number) {
        Ok(Role::Unspecified) => Ok(Need::Nobody),
        Ok(role) => Ok(Need::Role(role)),
        Err(_) => Err(TableError(format!("{} names the unknown role {number}", method.full_name()))),
    }
}

/// Method and template of one binding of `google.api.http`.
fn route_of(rule: &DynamicMessage) -> Option<(Method, String)> {
    let verbs = [Method::GET, Method::PUT, Method::POST, Method::DELETE, Method::PATCH];
    verbs.into_iter().find_map(|method| {
        let field = method.as_str().to_lowercase();
        let template = rule.has_field_by_name(&field).then(|| rule.get_field_by_name(&field)).flatten()?;
        Some((method, template.as_str()?.to_owned()))
    })
}

/// The segments of a path template (`google.api.HttpRule`): literals, and variables of one segment.
fn segments_of(template: &str) -> Result<Vec<Option<String>>, TableError> {
    let strange = || TableError(format!("the path template {template} is not understood"));
    let path = template.strip_prefix('/').ok_or_else(strange)?;
    let segment = |segment: &str| match segment.strip_prefix('{').and_then(|rest| rest.strip_suffix('}')) {
        Some(name) if !name.contains(['=', '*', '{', '}']) => Ok(None),
        None if !segment.is_empty() && !segment.contains(['{', '}', '*', ':']) => Ok(Some(segment.to_owned())),
        _ => Err(strange()),
    };
    path.split('/').map(segment).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_call_needs_what_its_descriptor_names() {
        let table = Table::new().unwrap();
        let (read, write) = (Some(Need::Role(Role::Read)), Some(Need::Role(Role::Write)));
        for (method, path, expected) in [
            (Method::POST, "/counterfoil.v1.LedgerService/GetRecord", read),
            (Method::POST, "/counterfoil.v1.IngestService/AppendStream", write),
            (Method::GET, "/v1/records/7", read),
            (Method::HEAD, "/v1/records/7", read),
            (Method::GET, "/v1/records/7/proof", read),
            (Method::GET, "/v1/identities/entitlement%3Aokta%2F00g1/state", read),
            (Method::POST, "/v1/append", write),
            (Method::GET, "/healthz", Some(Need::Nothing)),
            (Method::GET, "/metrics", Some(Need::Role(Role::Operate))),
            (Method::POST, "/grpc.health.v1.Health/Check", Some(Need::Nothing)),
            (Method::POST, "/grpc.health.v1.Health/Watch", Some(Need::Nothing)),
            (Method::POST, "/grpc.reflection.v1.ServerReflection/ServerReflectionInfo", Some(Need::Caller)),
            // What is spelled otherwise, or goes on, is not there.
            (Method::POST, "/v1/records/7", None),
            (Method::GET, "/v1/append", None),
            (Method::GET, "/v1/records/7/", None),
            (Method::GET, "/v1/records//proof", None),
            (Method::GET, "//v1/records/7", None),
            (Method::GET, "/v1/record%73/7", None),
            (Method::GET, "/V1/records/7", None),
            (Method::POST, "/counterfoil.v1.LedgerService/getRecord", None),
            (Method::POST, "/counterfoil.v1.LedgerService/GetRecord/", None),
            (Method::POST, "/grpc.health.v1.Health/Else", None),
            (Method::GET, "/", None),
            (Method::GET, "*", None),
            (Method::GET, "", None),
        ] {
            assert_eq!(table.need(&method, path), expected, "{method} {path}");
        }
    }

    #[test]
    fn a_template_that_is_not_understood_is_a_defect() {
        for template in ["v1/x", "/v1//x", "/v1/{who=a/*}", "/v1/**", "/v1/x:verb", "/v1/{who}x"] {
            assert!(segments_of(template).is_err(), "{template}");
        }
    }

    #[test]
    fn nobody_has_the_role_that_is_none() {
        assert!(!Roles::all().has(Role::Unspecified) && !Roles::from_iter([Role::Unspecified]).has(Role::Read));
        assert!(Roles::from_iter([Role::Read]).has(Role::Read) && !Roles::from_iter([Role::Read]).has(Role::Payload));
    }
}
