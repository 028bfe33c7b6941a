//! The methods of the services, as the descriptors have them.
//!
//! Owns what a method is called, the role that it needs, and where it stands in HTTP (`google.api.http`). Everything that
//! is said about methods elsewhere comes from here.

use counterfoil_proto::DESCRIPTORS;
use counterfoil_proto::v1::Role;
use http::Method;
use prost_reflect::{DescriptorPool, DynamicMessage, ExtensionDescriptor, MethodDescriptor, Value};

use crate::ServerError;

/// A method of a service.
#[derive(Clone, Debug)]
pub(crate) struct Rpc {
    /// Its descriptor, which knows the messages.
    pub(crate) descriptor: MethodDescriptor,
    /// The role without which nobody may call it.
    pub(crate) role: Role,
    /// Where it stands in HTTP; not every method does.
    pub(crate) binding: Option<Binding>,
}

/// Where a method stands in HTTP.
#[derive(Clone, Debug)]
pub(crate) struct Binding {
    pub(crate) method: Method,
    /// The path, with the fields that it holds in braces: "/v1/records/{index}".
    pub(crate) path: String,
    /// The request is the body. Otherwise its fields are in the path and in the query.
    pub(crate) has_body: bool,
}

impl Rpc {
    /// Its path in gRPC: "/counterfoil.v1.LedgerService/GetRecord".
    pub(crate) fn path(&self) -> String {
        format!("/{}/{}", self.descriptor.parent_service().full_name(), self.descriptor.name())
    }
}

impl Binding {
    /// The fields that the path holds.
    pub(crate) fn path_fields(&self) -> impl Iterator<Item = &str> {
        self.path.split('/').filter_map(|segment| segment.strip_prefix('{')?.strip_suffix('}'))
    }
}

/// The descriptors of the services.
///
/// # Errors
/// [`ServerError::Methods`] if they are damaged, which is a defect.
pub(crate) fn pool() -> Result<DescriptorPool, ServerError> {
    DescriptorPool::decode(DESCRIPTORS).map_err(|error| ServerError::Methods(error.to_string()))
}

/// Every method of every service, in the order of the descriptors.
///
/// # Errors
/// [`ServerError::Methods`] if one stands in HTTP in a way that is not served.
pub(crate) fn all(pool: &DescriptorPool) -> Result<Vec<Rpc>, ServerError> {
    let extension = |name: &str| {
        let missing = || ServerError::Methods(format!("the option {name} is not in the descriptors"));
        pool.get_extension_by_name(name).ok_or_else(missing)
    };
    let (http, role) = (extension("google.api.http")?, extension("counterfoil.v1.role")?);
    let methods = pool.services().flat_map(|service| service.methods().collect::<Vec<_>>());
    methods.map(|method| read(method, &http, &role)).collect()
}

fn read(method: MethodDescriptor, http: &ExtensionDescriptor, role: &ExtensionDescriptor) -> Result<Rpc, ServerError> {
    let options = method.options();
    let role = options.get_extension(role).as_enum_number().and_then(|number| Role::try_from(number).ok());
    let binding = options.has_extension(http).then(|| match options.get_extension(http).as_message() {
        Some(rule) => binding(rule),
        None => Err("its rule is no message".to_owned()),
    });
    let name = method.full_name().to_owned();
    let binding = binding.transpose().map_err(|why| ServerError::Methods(format!("{name} is not served: {why}")))?;
    Ok(Rpc { descriptor: method, role: role.unwrap_or_default(), binding })
}

/// Reads a `google.api.HttpRule`: as much of it as these services use, and no more.
fn binding(rule: &DynamicMessage) -> Result<Binding, String> {
    let text = |field: &str| rule.get_field_by_name(field).and_then(|value| value.as_str().map(str::to_owned));
    let given = |field: &str| text(field).filter(|text| !text.is_empty());
    let (method, path) = match (given("get"), given("post")) {
        (Some(path), None) => (Method::GET, path),
        (None, Some(path)) => (Method::POST, path),
        _ => return Err("expected a path for either get or post".to_owned()),
    };
    let has_body = match given("body").as_deref() {
        None => false,
        Some("*") => true,
        Some(other) => return Err(format!("expected the whole request as the body, got the field {other}")),
    };
    let more = rule.get_field_by_name("additional_bindings");
    let has_more = more.as_ref().and_then(|more| Value::as_list(more)).is_some_and(|more| !more.is_empty());
    if has_more || given("response_body").is_some() || path.contains(['*', '=', ':']) || has_body != (method == "POST")
    {
        return Err(format!("{method} {path} is of a kind that is not served"));
    }
    Ok(Binding { method, path, has_body })
}
