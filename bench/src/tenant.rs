//! A made-up tenant whose live access is compared with its log: who holds which groups and applications, the grants in
//! Okta's log, the tickets and approvals of some of them, and the listings.
//!
//! Owns the payloads, in the shapes that Okta and Freshservice send, and nothing else. Everybody holds ten entitlements;
//! every fifth grant was asked for and approved the day before, in a ticket of its own that the grant does not name.

use std::io::{Result, Write};

/// Who holds one group or application.
const HOLDERS: usize = 500;
const HELD: usize = 10;
/// One entitlement of so many is an application; the others are groups.
const APP_EVERY: usize = 4;
/// One grant of so many has a ticket.
const TICKET_EVERY: usize = 5;
/// The ids that Freshservice gives people, and the one who approves.
const REQUESTERS: usize = 21_000_000_000;
const APPROVER: usize = 20_999_999_999;

/// A tenant with so many entitlements of 500 holders each.
pub struct Tenant {
    entitlements: usize,
}

/// That somebody holds something.
#[derive(Clone, Copy)]
struct Grant {
    number: usize,
    person: usize,
    entitlement: usize,
}

impl Grant {
    /// Everybody has some.
    fn has_ticket(self) -> bool {
        (self.number + self.entitlement).is_multiple_of(TICKET_EVERY)
    }
}

impl Tenant {
    /// A tenant with about so many grants.
    pub fn with_grants(grants: usize) -> Self {
        Self { entitlements: (grants / HOLDERS).max(HELD) }
    }

    pub fn entitlements(&self) -> usize {
        self.entitlements
    }

    pub fn grants(&self) -> usize {
        self.entitlements * HOLDERS
    }

    /// The grants that a ticket covers.
    pub fn approved(&self) -> usize {
        self.each_grant().filter(|grant| grant.has_ticket()).count()
    }

    /// Who there is: everybody holds ten entitlements.
    pub fn people(&self) -> usize {
        self.grants() / HELD
    }

    /// The id of an entitlement in the ledger, after its system and instance.
    pub fn entitlement(&self, number: usize) -> String {
        let kind = if is_app(number) { "app_assignment" } else { "group_member" };
        format!("{kind}/{}", entitlement_id(number))
    }

    fn each_grant(&self) -> impl Iterator<Item = Grant> + '_ {
        (0..self.entitlements).flat_map(|entitlement| self.grants_of(entitlement))
    }

    /// The holders of two entitlements are mostly other people.
    fn grants_of(&self, entitlement: usize) -> impl Iterator<Item = Grant> + '_ {
        (0..HOLDERS).map(move |holder| {
            let number = entitlement * HOLDERS + holder;
            Grant { number, person: (entitlement * HOLDERS + holder * 7) % self.people(), entitlement }
        })
    }

    /// Freshservice: everybody, then each ticket as it was opened, and its approval.
    pub fn write_tickets(&self, out: &mut impl Write) -> Result<()> {
        const PEOPLE_AT: &str = "2025-12-01T08:00:00Z";
        for person in 0..self.people() {
            let id = REQUESTERS + person;
            writeln!(
                out,
                r#"{{"requester":{{"id":{id},"active":true,"primary_email":"person{person}@example.com","first_name":"Person","last_name":"{person}","created_at":"{PEOPLE_AT}","updated_at":"{PEOPLE_AT}"}}}}"#
            )?;
        }
        for grant in self.each_grant().filter(|grant| grant.has_ticket()) {
            let (number, who, item) =
                (1 + grant.number, REQUESTERS + grant.person, self.entitlement(grant.entitlement));
            let (opened, decided) = (time(1, grant.number), time(2, grant.number));
            writeln!(
                out,
                r#"{{"ticket":{{"id":{number},"type":"Service Request","status":2,"approval_status":0,"requester_id":{who},"requested_for_id":{who},"subject":"Access","custom_fields":{{"access_items":"okta/{item}","access_operation":"add"}},"created_at":"{opened}","updated_at":"{opened}"}}}}"#
            )?;
            writeln!(
                out,
                r#"{{"approvals":[{{"id":{number},"approval_status":{{"id":1,"name":"approved"}},"approval_type":1,"approver_id":{APPROVER},"approver_name":"Bo Ode","level":1,"user_id":{who},"created_at":"{opened}","updated_at":"{decided}"}}],"ticket_id":{number}}}"#
            )?;
        }
        Ok(())
    }

    /// How many events these are.
    pub fn tickets(&self) -> usize {
        self.people() + 2 * self.approved()
    }

    /// Okta's log: every grant, on the day after the approvals.
    pub fn write_log(&self, out: &mut impl Write) -> Result<()> {
        for grant in self.each_grant() {
            let Grant { number, person, entitlement } = grant;
            let (id, published) = (entitlement_id(entitlement), time(3, number));
            let user =
                format!(r#"{{"id":"{}","type":"User","alternateId":"person{person}@example.com"}}"#, user_id(person));
            let (event_type, targets) = match is_app(entitlement) {
                true => (
                    "application.user_membership.add",
                    format!(
                        r#"{user},{{"id":"{id}","type":"AppInstance","displayName":"App {entitlement}"}},{{"id":"0ua{number:017}","type":"AppUser"}}"#
                    ),
                ),
                false => (
                    "group.user_membership.add",
                    format!(r#"{user},{{"id":"{id}","type":"UserGroup","displayName":"Group {entitlement}"}}"#),
                ),
            };
            writeln!(
                out,
                r#"{{"uuid":"00000000-0000-4000-8000-{number:012}","published":"{published}","eventType":"{event_type}","actor":{{"id":"00u99999999999999999","type":"User","alternateId":"admin@example.com"}},"outcome":{{"result":"SUCCESS"}},"transaction":{{"id":"t{number}","detail":{{}}}},"debugContext":{{"debugData":{{"requestId":"r{number}"}}}},"target":[{targets}]}}"#
            )?;
        }
        Ok(())
    }

    /// Who holds an entitlement, as Okta's API lists it on one page, with its head.
    pub fn listing(&self, entitlement: usize) -> String {
        let user = |grant: Grant| {
            let (id, login) = (user_id(grant.person), format!("person{}@example.com", grant.person));
            match is_app(entitlement) {
                true => {
                    format!(
                        r#"{{"id":"{id}","status":"ACTIVE","scope":"USER","credentials":{{"userName":"{login}"}}}}"#
                    )
                }
                false => member(&id, &login),
            }
        };
        let users: Vec<String> = self.grants_of(entitlement).map(user).collect();
        let kind = if is_app(entitlement) { "apps" } else { "groups" };
        page(&format!("{kind}/{}/users", entitlement_id(entitlement)), "Sun, 01 Mar 2026 09:00:00 GMT", &users)
    }
}

/// A member of a group, in a listing.
pub fn member(id: &str, login: &str) -> String {
    format!(r#"{{"id":"{id}","status":"ACTIVE","profile":{{"login":"{login}","email":"{login}"}}}}"#)
}

/// The only page of a listing, with its head.
pub fn page(path: &str, date: &str, elements: &[String]) -> String {
    let link = format!(r#"<https://example.okta.com/api/v1/{path}>; rel="self""#);
    format!("HTTP/2 200\r\ndate: {date}\r\nlink: {link}\r\n\r\n[{}]\n", elements.join(","))
}

fn is_app(entitlement: usize) -> bool {
    entitlement.is_multiple_of(APP_EVERY)
}

fn user_id(person: usize) -> String {
    format!("00u{person:017}")
}

fn entitlement_id(entitlement: usize) -> String {
    format!("{}{entitlement:017}", if is_app(entitlement) { "0oa" } else { "00g" })
}

/// Some second of a day of January 2026: the same one of each day for one grant.
fn time(day: usize, number: usize) -> String {
    let second = number % 86_400;
    format!("2026-01-{day:02}T{:02}:{:02}:{:02}Z", second / 3_600, second / 60 % 60, second % 60)
}
