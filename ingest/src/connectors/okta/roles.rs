//! Administrator roles, which the log names by label: "Organization administrator, Application administrator (all)".
//!
//! Owns how such a list is read, and which label is which of Okta's role types.

/// One role of a list.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Role<'t> {
    pub label: &'t str,
    /// What stands in parentheses behind it; empty where nothing does.
    pub scope: &'t str,
}

/// The most roles read from one event.
const ROLES_MAX: usize = 100;

/// Reads a list of roles. A comma within parentheses separates nothing.
pub fn roles(labels: &str) -> Vec<Role<'_>> {
    let mut roles: Vec<Role<'_>> = Vec::new();
    let mut depth = 0_usize;
    let mut start = 0;
    let ends = labels.char_indices().chain([(labels.len(), ',')]);
    for (at, character) in ends {
        match character {
            '(' => depth += 1,
            ')' => depth = depth.saturating_sub(1),
            ',' if depth == 0 || at == labels.len() => {
                let role = role(&labels[start..at]);
                if !role.label.is_empty() && !roles.contains(&role) && roles.len() < ROLES_MAX {
                    roles.push(role);
                }
                start = (at + 1).min(labels.len());
            }
            _ => {}
        }
    }
    roles
}

fn role(text: &str) -> Role<'_> {
    let (label, scope) = text.split_once('(').unwrap_or((text, ""));
    let scope = scope.trim();
    Role { label: label.trim(), scope: scope.strip_suffix(')').unwrap_or(scope).trim() }
}

/// Okta's type of the role with this label; none for a role that the organisation made itself.
pub fn code(label: &str) -> Option<&'static str> {
    const CODES: [(&str, &str); 14] = [
        ("super", "SUPER_ADMIN"),
        ("organization", "ORG_ADMIN"),
        ("org", "ORG_ADMIN"),
        ("application", "APP_ADMIN"),
        ("app", "APP_ADMIN"),
        ("user", "USER_ADMIN"),
        ("group", "USER_ADMIN"),
        ("help desk", "HELP_DESK_ADMIN"),
        ("read only", "READ_ONLY_ADMIN"),
        ("mobile", "MOBILE_ADMIN"),
        ("api access management", "API_ACCESS_MANAGEMENT_ADMIN"),
        ("report", "REPORT_ADMIN"),
        ("group membership", "GROUP_MEMBERSHIP_ADMIN"),
        ("workflows", "WORKFLOWS_ADMIN"),
    ];
    if let Some((_, code)) = CODES.iter().find(|(_, code)| *code == label) {
        return Some(code);
    }
    let label = label.to_lowercase().replace('-', " ");
    let name = label.strip_suffix(" administrator").or_else(|| label.strip_suffix(" admin"))?;
    CODES.iter().find(|(known, _)| *known == name).map(|(_, code)| *code)
}
