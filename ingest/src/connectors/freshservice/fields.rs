//! The fields that an organisation makes up itself: custom fields of tickets, and the bodies of its webhooks.
//!
//! Owns which names are tried for which meaning, and nothing else: a field is looked up in the order of its names.

use crate::json::Json;

/// For each meaning, the names of the fields that may have it; the first that is present counts.
#[derive(Clone, Debug)]
pub struct FieldMap {
    // Custom fields of tickets and changes.
    pub access_items: Vec<String>,
    pub access_operation: Vec<String>,
    pub access_from: Vec<String>,
    pub access_until: Vec<String>,
    pub justification: Vec<String>,
    pub rollback_plan: Vec<String>,
    pub revocation_trigger: Vec<String>,
    // Fields of a webhook's body.
    pub ticket_id: Vec<String>,
    pub ticket_type: Vec<String>,
    pub subject: Vec<String>,
    pub status: Vec<String>,
    pub approval_status: Vec<String>,
    pub requester_id: Vec<String>,
    pub requester_email: Vec<String>,
    pub requester_name: Vec<String>,
    pub requested_for_id: Vec<String>,
    pub requested_for_email: Vec<String>,
    pub agent_email: Vec<String>,
    pub created_at: Vec<String>,
    pub updated_at: Vec<String>,
}

impl Default for FieldMap {
    fn default() -> Self {
        let names = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect();
        Self {
            access_items: names(&["access_items"]),
            access_operation: names(&["access_operation"]),
            access_from: names(&["access_from"]),
            access_until: names(&["access_until"]),
            justification: names(&["justification"]),
            rollback_plan: names(&["rollback_plan"]),
            revocation_trigger: names(&["revocation_trigger"]),
            ticket_id: names(&["ticket_id", "ticket_id_numeric", "id"]),
            ticket_type: names(&["ticket_type", "ticket_ticket_type", "type"]),
            subject: names(&["ticket_subject", "subject"]),
            status: names(&["ticket_status", "status"]),
            approval_status: names(&["ticket_approval_status", "approval_status"]),
            requester_id: names(&["ticket_requester_id", "requester_id"]),
            requester_email: names(&["ticket_requester_email", "requester_email"]),
            requester_name: names(&["ticket_requester_name", "requester_name"]),
            requested_for_id: names(&["ticket_requested_for_id", "requested_for_id"]),
            requested_for_email: names(&["ticket_requested_for_email", "requested_for_email"]),
            agent_email: names(&["ticket_agent_email", "agent_email"]),
            created_at: names(&["ticket_created_at", "created_at"]),
            updated_at: names(&["ticket_updated_at", "updated_at"]),
        }
    }
}

/// The first field of these names that is present.
pub fn field<'v, 'j>(json: &'v Json<'j>, names: &[String]) -> Option<&'v Json<'j>> {
    names.iter().filter_map(|name| json.get(name)).find(|value| !value.is_absent())
}

/// The text of the first field that is present. A list of choices is one item per line.
pub fn text(json: &Json<'_>, names: &[String]) -> Option<String> {
    match field(json, names)? {
        Json::Array(items) => {
            let lines: Vec<_> = items.iter().filter_map(Json::id).collect();
            Some(lines.join("\n"))
        }
        value => value.id().map(|text| text.into_owned()),
    }
}
