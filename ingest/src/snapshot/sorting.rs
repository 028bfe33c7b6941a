//! Which listing each page is of.
//!
//! Owns the way from files to the pages of listings, in the order of their first ones. What is a page of no known listing is
//! kept as rejected, and makes every listing of the run incomplete: it may be one of any of them.

use std::borrow::Cow;
use std::collections::HashMap;

use counterfoil_proto::v1::{EntityKind, RejectReason, Time};
use counterfoil_verify::entity::EntityId;
use counterfoil_verify::scope::Coverage;

use super::responses::{Kept, responses};
use super::{File, SnapshotError, Taker};
use crate::connectors::split::items;
use crate::connectors::{Lister, Page, Response, Shows};
use crate::json::{self, Reject};

/// What a file holds: pages as they are, or those of a report.
pub struct Text<'f> {
    name: &'f str,
    /// As it was delivered.
    bytes: &'f [u8],
    text: Result<Cow<'f, str>, Reject>,
}

impl<'f> Text<'f> {
    /// Reads a file's bytes.
    pub fn of(File { name, bytes }: &'f File, lister: &dyn Lister) -> Self {
        let not_utf8 = |_| Reject::new(RejectReason::NotUtf8, "expected UTF-8: send the page in UTF-8");
        let text = std::str::from_utf8(bytes).map_err(not_utf8);
        let text = text.and_then(|text| lister.report(text).map_or(Ok(text.into()), |report| report.map(Cow::Owned)));
        Self { name, bytes, text }
    }
}

/// The pages of one listing.
#[derive(Default)]
pub struct Gathered<'t> {
    pub pages: Vec<(Page, Kept<'t>, Time)>,
    /// A page of it could not be read.
    pub is_broken: bool,
}

impl Taker<'_> {
    /// Puts every page to its listing, in the order of the first ones.
    pub fn sort<'t>(&mut self, files: &'t [Text<'_>]) -> Result<Vec<(EntityId, Gathered<'t>)>, SnapshotError> {
        let mut listings: Vec<(EntityId, Gathered<'t>)> = Vec::new();
        let mut places: HashMap<EntityId, usize> = HashMap::new();
        for Text { name, bytes, text } in files {
            let text = match text {
                Ok(text) => text,
                Err(reject) => {
                    self.reject(name, bytes, reject);
                    continue;
                }
            };
            let (found, rest) = responses(text, self.parts_max - self.parts);
            self.count(found.len())?;
            for kept in found {
                let place = format!("{name}, {}", kept.place);
                match self.pages_of(&kept) {
                    Ok(pages) => {
                        let date = kept.head.as_ref().and_then(|head| head.date).or(self.options.as_of);
                        for (scope, page) in pages {
                            self.count(elements_of(&page, kept.body))?;
                            let date = page.taken.or(date).ok_or_else(|| SnapshotError::NoTime(place.clone()))?;
                            let at = *places.entry(scope).or_insert_with_key(|scope| {
                                listings.push((scope.clone(), Gathered::default()));
                                listings.len() - 1
                            });
                            listings[at].1.pages.push((page, kept.clone(), date));
                        }
                    }
                    Err(reject) => self.reject(&place, kept.body.as_bytes(), &reject),
                }
            }
            if let Some((reject, rest)) = rest {
                self.reject(name, rest.as_bytes(), &reject);
            }
        }
        // A page that could not be put anywhere may be one of any of these.
        let is_broken = !self.rejected.is_empty();
        listings.iter_mut().for_each(|(_, gathered)| gathered.is_broken = is_broken);
        Ok(listings)
    }

    /// Counts responses or elements before anything is made of them.
    fn count(&mut self, parts: usize) -> Result<(), SnapshotError> {
        self.parts += parts;
        if self.parts > self.parts_max { Err(SnapshotError::TooMany(self.parts_max)) } else { Ok(()) }
    }

    fn pages_of(&self, kept: &Kept<'_>) -> Result<Vec<(EntityId, Page)>, Reject> {
        let head = kept.head.as_ref();
        if let Some(status) = head.map(|head| head.status).filter(|status| !(200..300).contains(status)) {
            let message = format!("expected a response with the status 200, got {status}: ask again");
            return Err(Reject::new(RejectReason::NotAnEvent, message));
        }
        let body = json::parse(kept.body.as_bytes())?;
        let pages = self.lister.pages(&Response {
            body: &body,
            instance: &self.options.instance,
            target: head.and_then(|head| head.own.as_deref()).or(self.options.target.as_deref()),
            next: head.and_then(|head| head.next.as_deref()),
            has_head: head.is_some(),
        })?;
        pages
            .into_iter()
            .map(|page| {
                let scope = EntityId::new(
                    EntityKind::SnapshotScope,
                    self.delivered.connector.system(),
                    page.instance.as_deref().unwrap_or(&self.options.instance),
                    &page.scope,
                );
                let scope = scope.ok().filter(|scope| Coverage::of(scope).is_some());
                let no_scope = || Reject::new(RejectReason::FieldInvalid, format!("{:?} is no scope", page.scope));
                Ok((scope.ok_or_else(no_scope)?, page))
            })
            .collect()
    }
}

/// How many elements a page has. One whose elements cannot be read has none: it is kept as a whole.
fn elements_of(page: &Page, body: &str) -> usize {
    if page.shows == Shows::Nothing { 0 } else { items(body, page.path).map_or(0, |items| items.len()) }
}
