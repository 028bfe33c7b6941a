//! Listings of live access: from files with pages of them to begin, items and end in the ledger, whichever way the files
//! came.
//!
//! Owns the pipeline of a listing: which pages are its, whether they are all, the items, and what its end commits to. A
//! listing that lacks anything is recorded as incomplete, with the reason; what cannot be read is kept as rejected. An
//! item is known by scope, item and digest of what is listed, so that one that did not change is a duplicate. Nothing is
//! recorded before every page was read and put in its place. If the process dies on the way, the listing has no end; taken
//! again it gets one.

mod answer;
mod file;
mod pages;
mod responses;
mod sorting;

use std::collections::{BTreeMap, BTreeSet};
use std::io;

use counterfoil_ledger::{Batch, Ledger, LedgerError, Outcome, PreparedEvent};
use counterfoil_proto::v1::{
    Authentication, Completeness, Confidence, Delivery, EntityKind, Fact, FactKind, Mapping, Ref, RejectReason,
    Snapshot, Source, Time, fact::Detail,
};
use counterfoil_verify::entity::EntityId;
use counterfoil_verify::identifier::Token;
use counterfoil_verify::listing::{ITEM_TOKENS_MAX, Item, Listing, ListingError};
use counterfoil_verify::time::Moment;
use counterfoil_verify::tree::RecordIndex;
use prost::Message;

use crate::connectors::draft::{Draft, fact};
use crate::connectors::split::elements;
use crate::connectors::{self, Connector, Context, EventId, Lister, Page, PartContext, Reading, Seen, Shows, Split};
use crate::json::{self, DigestKey, Reject};
use crate::letter::Rejected;
use crate::prepare::{Delivered, Document, Made, Prepared};
use crate::secrets;
use sorting::{Gathered, Text};

pub use answer::response;
pub use file::{File, read};

/// The stream of the records of listings.
const STREAM: &str = "listing";
/// Events in a batch.
const BATCH_EVENTS: usize = 1_000;
/// How many responses and elements the pages of a run may have together: so many, and one more for each so many bytes. Of
/// each something is kept in memory, which is many times what the shortest of them take in a page.
const PARTS_FREE: usize = 100_000;
const PART_BYTES: usize = 256;
/// Why a listing is incomplete although it has all its pages.
const ELEMENT_UNREADABLE: &str = "element-unreadable";
const PAGE_UNREADABLE: &str = "page-unreadable";
const LISTED_TWICE: &str = "listed-twice";
const COUNT_MISMATCH: &str = "count-mismatch";

/// How listings are taken.
pub struct SnapshotOptions {
    /// The tenant that they are of.
    pub instance: String,
    /// What the pages are of that do not say so, such as "groups/00g1/users".
    pub target: Option<String>,
    /// When the pages were taken that do not say so.
    pub as_of: Option<Time>,
    /// The operator says that nothing comes behind the pages that do not tell.
    pub stated: bool,
    /// How whoever handed them over was authenticated.
    pub authentication: Authentication,
    /// Now.
    pub received_at: Moment,
    /// Fresh randomness, never used before.
    pub seed_secret: [u8; 32],
}

/// What became of one listing.
#[derive(Clone, Debug, PartialEq)]
pub struct ListingSummary {
    pub scope: EntityId,
    pub is_complete: bool,
    /// Why it is incomplete, or on whose word it is complete: a code; empty where its pages say so themselves.
    pub reason: &'static str,
    /// When its first page was taken.
    pub as_of: Time,
    pub pages: u64,
    /// The items in it.
    pub count: u64,
    /// Of its elements: those newly recorded, those known as they are, and those that could not be read.
    pub events: u64,
    pub duplicates: u64,
    pub rejected: u64,
    /// Facts newly recorded, beginning and end included.
    pub facts: u64,
    /// The records of its beginning and of its end.
    pub begin: RecordIndex,
    pub end: RecordIndex,
}

/// What was taken.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Taken {
    /// The listings, in the order of their first pages.
    pub listings: Vec<ListingSummary>,
    /// Files and pages that are of no known listing; each is recorded with its bytes.
    pub strange: u64,
}

/// Why nothing more was taken. Only where a listing is too large, or the ledger fails, was anything recorded before.
#[derive(Debug, thiserror::Error)]
pub enum SnapshotError {
    /// A file cannot be read.
    #[error("read {name}")]
    File {
        /// The file.
        name: String,
        /// Why not.
        source: io::Error,
    },
    /// Nothing says when a page was taken.
    #[error("{0} does not say when it was taken: keep it with the head of its response, or say it in as_of")]
    NoTime(String),
    /// The connector reads no listings.
    #[error("the connector {0} reads no listings: those that do are {known}", known = connectors::listers().join(", "))]
    NoLister(&'static str),
    /// Too many elements for their bytes.
    #[error(
        "expected at most {0} responses and elements in pages of this size, got more: give fewer pages at a time, if these \
         are what the API gave"
    )]
    TooMany(usize),
    /// Too much for one listing.
    #[error("{0}")]
    TooLarge(ListingError),
    /// The ledger does not take it.
    #[error(transparent)]
    Ledger(#[from] LedgerError),
}

/// Takes the listings whose pages are in `files`.
///
/// # Errors
/// [`SnapshotError`]. A listing that lacks something is no error, and neither is what cannot be read.
pub fn take(
    ledger: &Ledger,
    connector: &dyn Connector,
    files: &[File],
    options: &SnapshotOptions,
) -> Result<Taken, SnapshotError> {
    let lister = connector.lister().ok_or(SnapshotError::NoLister(connector.name()))?;
    let digest_key = DigestKey::new(*ledger.keys().ingest());
    let digests = files.iter().flat_map(|file| digest_key.digest("counterfoil/file/v1", &file.bytes));
    let bytes: Vec<u8> = digests.collect();
    let digest = digest_key.hex("counterfoil/listing-files/v1", &bytes);
    let channel = format!("listing/{digest}/{}/{}", connector.name(), options.instance);
    let delivered = Delivered {
        connector,
        context: Context {
            instance: &options.instance,
            ticket_system: "freshservice",
            ticket_instance: "default",
            index_key: ledger.keys().index(),
            digest_key: &digest_key,
            assume_utc: false,
            received_at: options.received_at,
        },
        channel,
        delivery: Delivery::Live,
        authentication: options.authentication,
        seed_secret: options.seed_secret,
        retry_of: None,
    };
    let parts_max = PARTS_FREE + files.iter().map(|file| file.bytes.len()).sum::<usize>() / PART_BYTES;
    let mut taker = Taker { delivered, lister, options, sequence: 0, rejected: Vec::new(), parts: 0, parts_max };
    let texts: Vec<Text<'_>> = files.iter().map(|file| Text::of(file, lister)).collect();
    let listings = taker.sort(&texts)?;
    let mut taken = Taken { strange: taker.rejected.len() as u64, ..Taken::default() };
    submit(ledger, std::mem::take(&mut taker.rejected))?;
    for (scope, listing) in listings {
        taken.listings.push(taker.take_one(ledger, scope, &listing)?);
    }
    Ok(taken)
}

struct Taker<'a> {
    delivered: Delivered<'a>,
    lister: &'a dyn Lister,
    options: &'a SnapshotOptions,
    /// The number of the next document.
    sequence: u64,
    /// What is a page of no known listing.
    rejected: Vec<Prepared>,
    /// The responses and elements so far, and how many there may be.
    parts: usize,
    parts_max: usize,
}

impl<'a> Taker<'a> {
    fn take_one(
        &mut self,
        ledger: &Ledger,
        scope: EntityId,
        gathered: &Gathered<'_>,
    ) -> Result<ListingSummary, SnapshotError> {
        let times = gathered.pages.iter().map(|(.., time)| *time);
        let as_of = times.clone().min_by_key(Moment::of).expect("a listing has a page");
        let ended = times.max_by_key(Moment::of).expect("a listing has a page");
        let (mut events, mut items, mut elements_count) = (Vec::new(), Vec::new(), 0);
        for (page, kept, _) in &gathered.pages {
            if page.shows == Shows::Nothing {
                continue;
            }
            let parts = match elements(kept.body, page.path, &PartContext::default()) {
                Ok(Split::Parts(parts)) => parts,
                Ok(Split::Event) => continue,
                Err(reject) => {
                    let document = self.document(kept.place.clone());
                    events.push(self.delivered.reject(&document, 0, Rejected::of(kept.body.as_bytes()), &reject));
                    continue;
                }
            };
            elements_count += parts.len() as u64;
            for (number, part) in parts.iter().enumerate() {
                let place = format!("{}, element {}", kept.place, number + 1);
                events.push(self.element((&scope, page), &part.raw, place, as_of, &mut items));
            }
        }
        let rejected = events.iter().filter(|prepared| matches!(prepared.made, Made::Rejected(_))).count() as u64;
        let (listing, doubles) = Listing::new(items).map_err(SnapshotError::TooLarge)?;
        let pages: Vec<&Page> = gathered.pages.iter().map(|(page, ..)| page).collect();
        let total = pages.iter().filter_map(|page| page.total).max();
        let whole = pages::check(&pages, self.options.stated).and_then(|on_word| match () {
            () if gathered.is_broken => Err(PAGE_UNREADABLE),
            () if rejected > 0 => Err(ELEMENT_UNREADABLE),
            () if !doubles.is_empty() => Err(LISTED_TWICE),
            () if total.is_some_and(|total| total != elements_count) => Err(COUNT_MISMATCH),
            () => Ok(on_word),
        });
        let (is_complete, reason) = match whole {
            Ok(on_word) => (true, on_word.unwrap_or_default()),
            Err(reason) => (false, reason),
        };
        let head =
            Snapshot { completeness: Completeness::Incomplete.into(), as_of: Some(as_of), ..Snapshot::default() };
        let end = Snapshot {
            completeness: if is_complete { Completeness::Complete } else { Completeness::Incomplete }.into(),
            count: listing.count(),
            root: listing.root().as_bytes().to_vec(),
            ..head.clone()
        };
        // Both are known by what the end says: another outcome is another listing.
        let content = [&end.encode_to_vec()[..], reason.as_bytes()].concat();
        let begin = self.mark(&scope, FactKind::SnapshotBegin, as_of, (head, ""), &content, Vec::new());
        let end = self.mark(&scope, FactKind::SnapshotEnd, ended, (end, reason), &content, listing.to_bytes());
        let mut counts = (0, 0, 0);
        let all = std::iter::once(begin).chain(events).chain([end]).collect::<Vec<_>>();
        let last = all.len() - 1;
        let outcomes = submit(ledger, all)?;
        let index = |place: usize| match outcomes[place].0 {
            Outcome::Recorded(index) | Outcome::Duplicate(index) | Outcome::Conflict(index) => index,
        };
        let (begin, end) = (index(0), index(last));
        for (place, (outcome, facts, is_read)) in outcomes.into_iter().enumerate() {
            let is_element = place > 0 && place < last;
            match outcome {
                Outcome::Recorded(_) => {
                    counts.0 += u64::from(is_element && is_read);
                    counts.2 += facts;
                }
                Outcome::Duplicate(_) | Outcome::Conflict(_) => counts.1 += u64::from(is_element && is_read),
            }
        }
        Ok(ListingSummary {
            scope,
            is_complete,
            reason,
            as_of,
            pages: gathered.pages.len() as u64,
            count: listing.count(),
            events: counts.0,
            duplicates: counts.1,
            rejected,
            facts: counts.2,
            begin,
            end,
        })
    }

    /// Reads one element, and adds what it lists to the items.
    fn element(
        &mut self,
        of: (&EntityId, &Page),
        raw: &str,
        place: String,
        at: Time,
        items: &mut Vec<Item>,
    ) -> Prepared {
        let document = self.document(place);
        self.try_element(&document, of, raw, at, items)
            .unwrap_or_else(|reject| self.delivered.reject(&document, 0, Rejected::of(raw.as_bytes()), &reject))
    }

    fn try_element(
        &self,
        document: &Document,
        (scope, page): (&EntityId, &Page),
        raw: &str,
        at: Time,
        items: &mut Vec<Item>,
    ) -> Result<Prepared, Reject> {
        let digest_key = self.delivered.context.digest_key;
        let json = json::parse(raw.as_bytes())?;
        let redacted = secrets::may_hold_secrets(raw).then(|| secrets::redact_json(&json, digest_key)).flatten();
        let json = redacted.as_ref().unwrap_or(&json);
        let payload = redacted.as_ref().map_or_else(|| raw.as_bytes().to_vec(), |json| json.to_text().into_bytes());
        let source = source(scope);
        let mut draft = Draft::new(&self.delivered.context, &source.system, &source.instance);
        let seen = self.lister.element(&page.kind, json, at, &mut draft)?;
        let listed: Vec<Item> =
            seen.iter().map(|seen| item(seen, &source)).collect::<Option<_>>().ok_or_else(|| {
                Reject::new(
                    RejectReason::FieldInvalid,
                    "expected an element that says whom and what it lists, by id or login",
                )
            })?;
        draft.facts.extend(seen.into_iter().map(|seen| Fact { confidence: Confidence::Snapshot.into(), ..seen.fact }));
        let (native_type, _) = page.kind.split_once(' ').unwrap_or((&page.kind, ""));
        let whom = listed.first().map_or_else(String::new, |item| item.subject.to_string());
        let name = EventId::Version(format!("listing/{}/{whom}", page.scope));
        let reading = draft.finish(STREAM, name, &format!("listing.{native_type}"), Mapping::NoFacts)?;
        let reading = Reading { instance: Some(source.instance), ..reading };
        let content = if listed.is_empty() {
            json::content_digest(json, raw.as_bytes(), digest_key)
        } else {
            let items = listed.iter().flat_map(Item::to_bytes);
            let values = reading.values.iter().flat_map(Message::encode_length_delimited_to_vec);
            digest_key.digest("counterfoil/listing-item/v1", &items.chain(values).collect::<Vec<u8>>())
        };
        let prepared = self.delivered.prepare_reading(document, 0, content, payload, reading)?;
        // An element may list the same twice, such as a role that it has in two ways.
        let keys: BTreeMap<_, _> = listed.into_iter().map(|item| (item.key(), item)).collect();
        items.extend(keys.into_values());
        Ok(prepared)
    }

    /// The beginning or the end of a listing, with what lies beside it.
    fn mark(
        &mut self,
        scope: &EntityId,
        kind: FactKind,
        at: Time,
        (detail, reason): (Snapshot, &str),
        content: &[u8],
        payload: Vec<u8>,
    ) -> Prepared {
        let object = Ref { kind: EntityKind::SnapshotScope.into(), id: scope.native_id().to_owned(), ..Ref::default() };
        let fact = Fact {
            confidence: Confidence::Snapshot.into(),
            reason: reason.to_owned(),
            object: Some(object),
            detail: Some(Detail::Snapshot(detail)),
            ..fact(kind, at)
        };
        let word = if kind == FactKind::SnapshotBegin { "begin" } else { "end" };
        let reading = Reading {
            system: None,
            instance: Some(scope.instance().to_owned()),
            stream: STREAM.into(),
            event_id: EventId::Version(format!("listing/{word}/{}", self.short(scope))),
            native_type: format!("listing.{word}"),
            mapping: Mapping::Mapped,
            facts: vec![fact],
            values: Vec::new(),
        };
        let document = self.document(scope.native_id().to_owned());
        let content = self.delivered.context.digest_key.digest("counterfoil/listing/v1", content);
        self.delivered
            .prepare_reading(&document, 0, content, payload, reading)
            .expect("a listing's scope is an entity, and its head holds numbers, times and hashes")
    }

    /// The scope in an event id: itself, unless it is too long for that.
    fn short(&self, scope: &EntityId) -> String {
        const BYTES_MAX: usize = 150;
        let id = scope.native_id();
        let digest = || self.delivered.context.digest_key.hex("counterfoil/native-id/v1", id.as_bytes());
        if id.len() <= BYTES_MAX { id.to_owned() } else { format!("~{}", digest()) }
    }

    fn reject(&mut self, place: &str, bytes: &[u8], reject: &Reject) {
        let document = self.document(place.to_owned());
        let prepared = self.delivered.reject(&document, 0, Rejected::of(bytes), reject);
        self.rejected.push(prepared);
    }

    fn document(&mut self, place: String) -> Document {
        let sequence = self.sequence;
        self.sequence += 1;
        Document { sequence, place, ..Document::default() }
    }
}

/// The source of a listing's records.
fn source(scope: &EntityId) -> Source {
    Source { system: scope.system().to_owned(), instance: scope.instance().to_owned(), stream: STREAM.to_owned() }
}

/// What a listing's tree holds of something that was seen; none where it names nobody or nothing.
fn item(seen: &Seen, source: &Source) -> Option<Item> {
    let fact = &seen.fact;
    let (subject, object) = match (&fact.detail, fact.kind()) {
        (Some(Detail::Entitlement(detail)), _) => (&fact.object, Some(detail.implies_added.first()?)),
        (_, FactKind::SnapshotItem) => (&fact.subject, fact.object.as_ref()),
        _ => (&fact.object, None),
    };
    let subject = subject.as_ref()?;
    let tokens: BTreeSet<Token> = subject.tokens.iter().filter_map(|token| Token::from_slice(token).ok()).collect();
    let tokens: Vec<Token> = tokens.into_iter().take(ITEM_TOKENS_MAX).collect();
    let named = |reference: &Ref| {
        let by_token = || Token::from_slice(reference.tokens.first()?).ok();
        EntityId::of(reference, source).or_else(|| by_token().map(|token| EntityId::identifier(&token)))
    };
    Some(Item {
        subject: named(subject)?,
        object: object.map(|object| named(object).ok_or(())).transpose().ok()?,
        scope: fact.scope.clone(),
        status: seen.status,
        inheritance: seen.inheritance,
        tokens,
    })
}

/// Hands events to the ledger and waits for them: what became of each, how many facts it has, and whether it was read.
fn submit(ledger: &Ledger, events: Vec<Prepared>) -> Result<Vec<(Outcome, u64, bool)>, LedgerError> {
    let counts: Vec<(u64, bool)> =
        events.iter().map(|prepared| (prepared.facts as u64, !matches!(prepared.made, Made::Rejected(_)))).collect();
    let mut events: Vec<PreparedEvent> = events.into_iter().map(|prepared| prepared.event).collect();
    let mut receipts = Vec::new();
    while !events.is_empty() {
        let rest = events.split_off(events.len().min(BATCH_EVENTS));
        receipts.push(ledger.submit(Batch { events, positions: Vec::new() })?);
        events = rest;
    }
    let mut outcomes = Vec::with_capacity(counts.len());
    for receipt in receipts {
        outcomes.extend(receipt.wait()?.outcomes);
    }
    Ok(outcomes.into_iter().zip(counts).map(|(outcome, (facts, is_read))| (outcome, facts, is_read)).collect())
}
