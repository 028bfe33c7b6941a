//! All identities, page by page.
//!
//! Owns which entities are identities: those that act or have access. It looks nobody up: `resolve` does.

use counterfoil_proto::v1::{EntityKind, ListIdentitiesResponse};
use counterfoil_verify::entity::EntityId;
use counterfoil_verify::time::RecordedAt;

use crate::answers::pages::{Page, Question, recorded_part};
use crate::answers::{Query, Wanted};
use crate::error::Result;
use crate::views::names;

/// The most identities of a page.
const PAGE_IDENTITIES_MAX: usize = 1_000;

impl Query<'_> {
    /// A page of all accounts, persons and integrations that the ledger knew, of one system or of all.
    ///
    /// # Errors
    /// [`crate::QueryError::PageToken`] if the token belongs to another question.
    pub fn identities(
        &self,
        system: Option<&str>,
        known: Option<RecordedAt>,
        page: &Page,
    ) -> Result<ListIdentitiesResponse> {
        let question = Question::new("identities", &[system.unwrap_or_default().as_bytes(), &recorded_part(known)]);
        let (size, after) = match page.read(&question, self.basis.size)? {
            None => (self.known_size(known)?, Vec::new()),
            Some((size, after)) => (size, after),
        };
        let wanted = Wanted { system, ..Wanted::default() };
        let is_wanted = |entity: &EntityId| {
            let is_identity =
                matches!(entity.kind(), EntityKind::Account | EntityKind::Person | EntityKind::Integration);
            is_identity && wanted.is_of_system(entity)
        };
        let count = page.count(PAGE_IDENTITIES_MAX, PAGE_IDENTITIES_MAX);
        let found = names::seen_after(&self.view, &after, size, count + 1, is_wanted)?;
        let parties = self.parties(size);
        let next_page_token = match found.get(count.wrapping_sub(1)).filter(|_| found.len() > count) {
            Some(last) => question.token(size, last.as_bytes()),
            None => String::new(),
        };
        Ok(ListIdentitiesResponse {
            basis: Some(self.basis()),
            identities: found.iter().take(count).map(|entity| parties.party(entity)).collect::<Result<_>>()?,
            more: false,
            next_page_token,
        })
    }
}
