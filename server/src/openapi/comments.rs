//! The comments of the `.proto` files, which are the descriptions of the document.

use std::collections::HashMap;

use prost_reflect::{
    DescriptorPool, EnumDescriptor, FieldDescriptor, MessageDescriptor, MethodDescriptor, ServiceDescriptor,
};

/// The comments before each thing, by its file and its path in it.
pub(crate) struct Comments(HashMap<(String, Vec<i32>), String>);

impl Comments {
    pub(crate) fn of(pool: &DescriptorPool) -> Self {
        let mut found = HashMap::new();
        for file in pool.files() {
            let info = file.file_descriptor_proto().source_code_info.clone().unwrap_or_default();
            for location in info.location {
                if let Some(comment) = location.leading_comments {
                    found.insert((file.name().to_owned(), location.path), tidy(&comment));
                }
            }
        }
        Self(found)
    }

    pub(crate) fn of_service(&self, service: &ServiceDescriptor) -> String {
        self.at(service.parent_file().name(), service.path())
    }

    pub(crate) fn of_method(&self, method: &MethodDescriptor) -> String {
        self.at(method.parent_service().parent_file().name(), method.path())
    }

    pub(crate) fn of_message(&self, message: &MessageDescriptor) -> String {
        self.at(message.parent_file().name(), message.path())
    }

    pub(crate) fn of_field(&self, field: &FieldDescriptor) -> String {
        self.at(field.parent_message().parent_file().name(), field.path())
    }

    pub(crate) fn of_enum(&self, kind: &EnumDescriptor) -> String {
        let file = kind.parent_file();
        let mut lines = vec![self.at(file.name(), kind.path())];
        for value in kind.values() {
            let comment = self.at(file.name(), value.path());
            if !comment.is_empty() {
                lines.push(format!("- `{}`: {}", value.name(), comment.replace('\n', " ")));
            }
        }
        lines.retain(|line| !line.is_empty());
        lines.join("\n")
    }

    fn at(&self, file: &str, path: &[i32]) -> String {
        self.0.get(&(file.to_owned(), path.to_vec())).cloned().unwrap_or_default()
    }
}

/// A comment without the blank that each of its lines begins with.
fn tidy(comment: &str) -> String {
    let lines = comment.lines().map(|line| line.strip_prefix(' ').unwrap_or(line).trim_end());
    lines.collect::<Vec<_>>().join("\n").trim().to_owned()
}
