//! Whether the pages of a listing are all of it.
//!
//! Owns the order of pages and the reasons for which a listing is incomplete. It never reads an element.

use std::collections::BTreeMap;

use crate::connectors::{Next, Own, Page, Shows};

/// The reasons that pages give, as codes: what a listing that lacks something says of itself.
pub const PAGE_MISSING: &str = "page-missing";
pub const FIRST_PAGE_MISSING: &str = "first-page-missing";
pub const PAGE_TOO_MANY: &str = "page-that-nothing-leads-to";
pub const LAST_PAGE_UNKNOWN: &str = "last-page-unknown";
pub const PART_MISSING: &str = "part-missing";
pub const EMPTY_OR_FILTERED: &str = "empty-or-filtered";
pub const NOT_SHOWN: &str = "not-shown-by-pages";
/// The one reason for which a listing is complete although nothing it says shows that.
pub const STATED: &str = "stated-by-operator";

/// Whether these pages, in the order of the input, are all pages of their listing. `stated` is whether the operator says
/// that nothing comes behind those that do not tell.
///
/// # Errors
/// The reason for which they are not.
pub fn check(pages: &[&Page], stated: bool) -> Result<Option<&'static str>, &'static str> {
    if let Some(flaw) = pages.iter().find_map(|page| page.flaw) {
        return Err(flaw);
    }
    let mut strands: BTreeMap<&str, Vec<&Page>> = BTreeMap::new();
    for page in pages {
        strands.entry(page.strand).or_default().push(page);
    }
    let is_unknown = |page: &&Page| page.next == Next::Unknown || page.shows != Shows::All;
    let needs_word = pages.iter().any(is_unknown);
    let on_word = stated && needs_word;
    let needed = pages.first().map_or(&[][..], |page| page.strands);
    if !on_word && needed.iter().any(|strand| !strands.contains_key(strand)) {
        return Err(PART_MISSING);
    }
    for strand in strands.values() {
        check_strand(strand, stated)?;
    }
    if !pages.is_empty() && pages.iter().all(|page| page.shows == Shows::Nothing) {
        return Err(EMPTY_OR_FILTERED);
    }
    if needs_word && !on_word { Err(NOT_SHOWN) } else { Ok(on_word.then_some(STATED)) }
}

fn check_strand(pages: &[&Page], stated: bool) -> Result<(), &'static str> {
    // Where each page stands: none is the first.
    let mut places: BTreeMap<Option<&str>, &Page> = BTreeMap::new();
    let mut before: Option<&Page> = None;
    for &page in pages {
        let place = match (&page.own, before.map(|before| &before.next)) {
            (Own::First, _) | (Own::Behind, None) => None,
            (Own::At(place), _) | (Own::Behind, Some(Next::At(place))) => Some(place.as_str()),
            // Files without heads: one behind the other, as they were given.
            (Own::Behind, Some(Next::Unknown)) => {
                before = Some(page);
                continue;
            }
            (Own::Behind, Some(Next::Nothing)) => return Err(PAGE_TOO_MANY),
        };
        if places.insert(place, page).is_some() {
            return Err(PAGE_TOO_MANY);
        }
        before = Some(page);
    }
    let mut next = None;
    loop {
        let missing = if next.is_none() { FIRST_PAGE_MISSING } else { PAGE_MISSING };
        match &places.remove(&next).ok_or(missing)?.next {
            Next::At(place) => next = Some(place.as_str()),
            Next::Unknown if !stated => return Err(LAST_PAGE_UNKNOWN),
            Next::Unknown | Next::Nothing => break,
        }
    }
    if places.is_empty() { Ok(()) } else { Err(PAGE_TOO_MANY) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn page(strand: &'static str, own: Own, next: Next) -> Page {
        Page {
            scope: "accounts".to_owned(),
            instance: None,
            taken: None,
            shows: Shows::All,
            strand,
            strands: &["live", "gone"],
            kind: "user".to_owned(),
            path: &[],
            own,
            next,
            flaw: None,
            total: None,
        }
    }

    fn at(place: &str) -> Own {
        Own::At(place.to_owned())
    }

    fn then(place: &str) -> Next {
        Next::At(place.to_owned())
    }

    #[test]
    fn all_pages_and_not_all() {
        let gone = || page("gone", Own::First, Next::Nothing);
        let live = |own, next| page("live", own, next);
        let check = |pages: &[Page], expected: Result<Option<&'static str>, &'static str>| {
            assert_eq!(super::check(&pages.iter().collect::<Vec<_>>(), false), expected, "{pages:?}");
        };
        check(&[live(Own::First, Next::Nothing), gone()], Ok(None));
        check(&[live(Own::First, Next::Nothing)], Err(PART_MISSING));
        check(&[live(at("b"), Next::Nothing), gone(), live(at("a"), then("b")), live(Own::First, then("a"))], Ok(None));
        check(&[live(Own::First, then("a")), gone()], Err(PAGE_MISSING));
        check(&[live(at("a"), Next::Nothing), gone()], Err(FIRST_PAGE_MISSING));
        check(&[live(Own::First, then("a")), live(at("b"), Next::Nothing), gone()], Err(PAGE_MISSING));
        check(&[live(Own::First, Next::Nothing), live(at("b"), Next::Nothing), gone()], Err(PAGE_TOO_MANY));
        check(&[live(Own::First, Next::Nothing), live(Own::First, Next::Nothing), gone()], Err(PAGE_TOO_MANY));
        check(&[live(Own::First, then("a")), live(at("a"), then("a")), gone()], Err(PAGE_MISSING));
        // Pages that do not say where they stand come in the order in which they were given.
        check(&[live(Own::Behind, then("2")), live(Own::Behind, Next::Nothing), gone()], Ok(None));
        check(&[live(Own::Behind, Next::Nothing), live(Own::Behind, Next::Nothing), gone()], Err(PAGE_TOO_MANY));
        check(&[live(Own::Behind, then("2")), gone()], Err(PAGE_MISSING));
        check(&[live(Own::Behind, Next::Unknown), gone()], Err(LAST_PAGE_UNKNOWN));
        check(&[Page { flaw: Some("filtered"), ..gone() }, live(Own::First, Next::Nothing)], Err("filtered"));
        check(&[], Ok(None));
    }

    #[test]
    fn what_the_operator_may_say() {
        let unknown = || page("live", Own::Behind, Next::Unknown);
        let stated = |pages: &[Page]| super::check(&pages.iter().collect::<Vec<_>>(), true);
        assert_eq!(stated(&[unknown(), unknown()]), Ok(Some(STATED)));
        // It helps no page that says that another one comes.
        assert_eq!(stated(&[page("live", Own::First, then("a"))]), Err(PART_MISSING));
        assert_eq!(
            stated(&[page("live", Own::First, then("a")), page("gone", Own::First, Next::Nothing)]),
            Err(PAGE_MISSING)
        );
        assert_eq!(stated(&[Page { flaw: Some("filtered"), ..unknown() }]), Err("filtered"));
        let items = |own, next| Page { shows: Shows::Items, ..page("live", own, next) };
        let nothing = |own, next| Page { shows: Shows::Nothing, ..page("live", own, next) };
        let (first, last) = (items(Own::Behind, then("2")), items(Own::Behind, Next::Nothing));
        assert_eq!(stated(&[first.clone(), last.clone()]), Ok(Some(STATED)));
        assert_eq!(stated(&[last.clone(), first.clone()]), Err(PAGE_TOO_MANY), "in another order");
        assert_eq!(stated(&[first, nothing(Own::Behind, Next::Nothing)]), Ok(Some(STATED)));
        assert_eq!(stated(&[nothing(Own::Behind, Next::Nothing)]), Err(EMPTY_OR_FILTERED));
        let alone = Page { strands: &["live"], ..last };
        assert_eq!(super::check(&[&alone], false), Err(NOT_SHOWN), "it may be the last of several");
        let says_itself = [page("live", Own::First, Next::Nothing), page("gone", Own::First, Next::Nothing)];
        assert_eq!(stated(&says_itself), Ok(None));
    }
}
