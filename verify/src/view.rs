//! The record of an event as it lies in its bytes, or in its message: names and ids are borrowed from there.
//!
//! Owns how such a record is read without being decoded, for whoever goes through all records of a log: making the message
//! takes some twenty allocations, and writing it again, to see that its bytes are canonical, as long once more. It reads what
//! nearly every record is made of; other bodies are refused here, which says nothing against them. What a record has to keep
//! is for `rules` to say, of both. Text is bytes here: for each there is a rule that allows some ASCII alone.

use counterfoil_proto::v1::{Correlation, Event, Fact, Position, Provenance, Record, Ref, Source, Time, fact::Detail};

use crate::fact::{Role, references_in};
use crate::wire::{Fields, Strange, Value};

/// What a record says of its place, and of what lies beside it.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Head<'a> {
    pub format: u32,
    pub index: u64,
    pub prev: &'a [u8],
    pub recorded_at: Option<Time>,
    pub commitment: &'a [u8],
}

/// A record of an event as it first came.
pub(crate) struct EventRecord<'a> {
    pub head: Head<'a>,
    pub provenance: ProvenanceView<'a>,
    pub event: EventView<'a>,
}

#[derive(Default)]
pub(crate) struct ProvenanceView<'a> {
    pub source: Option<SourceView<'a>>,
    pub position: Option<PositionView<'a>>,
    pub event_id: &'a [u8],
    pub content_digest: &'a [u8],
    pub connector: &'a [u8],
    pub connector_version: u32,
    pub delivery: i32,
    pub authentication: i32,
    pub assumed_zone: &'a [u8],
    pub retry_of: u64,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct SourceView<'a> {
    pub system: &'a [u8],
    pub instance: &'a [u8],
    pub stream: &'a [u8],
}

#[derive(Default)]
pub(crate) struct PositionView<'a> {
    pub channel: &'a [u8],
    pub sequence: u64,
}

#[derive(Default)]
pub(crate) struct EventView<'a> {
    pub native_type: &'a [u8],
    pub mapping: i32,
    pub part: u32,
    pub parts: u32,
    pub facts: Vec<FactView<'a>>,
}

#[derive(Default)]
pub(crate) struct FactView<'a> {
    pub kind: i32,
    pub occurred_at: Option<Time>,
    pub outcome: i32,
    pub reason: &'a [u8],
    pub confidence: i32,
    pub actor: Option<RefView<'a>>,
    pub via: Option<RefView<'a>>,
    pub subject: Option<RefView<'a>>,
    pub object: Option<RefView<'a>>,
    pub scope: &'a [u8],
    pub correlation: Option<CorrelationView<'a>>,
    pub detail: Option<DetailView<'a>>,
}

#[derive(Clone, Copy, Default)]
pub(crate) struct RefView<'a> {
    pub kind: i32,
    pub system: &'a [u8],
    pub instance: &'a [u8],
    pub id: &'a [u8],
    pub tokens: Tokens<'a>,
    pub identity_type: i32,
}

#[derive(Default)]
pub(crate) struct CorrelationView<'a> {
    pub transaction: &'a [u8],
    pub request: &'a [u8],
    pub tickets: Vec<RefView<'a>>,
}

/// Details are decoded after all: there are many, and few records have any.
pub(crate) enum DetailView<'a> {
    Read(Box<Detail>),
    Of(&'a Detail),
}

/// The tokens of a reference.
#[derive(Clone, Copy)]
pub(crate) enum Tokens<'a> {
    Listed(&'a [Vec<u8>]),
    /// Each of 16 bytes, behind the two of its key and its length.
    Encoded(&'a [u8]),
}

const TOKEN_FIELD_BYTES: usize = 2 + crate::identifier::TOKEN_BYTES;

impl<'a> EventRecord<'a> {
    /// Reads the bytes of a record. What is refused may be one all the same.
    pub fn read(bytes: &'a [u8]) -> Result<Self, Strange> {
        let (mut head, mut provenance, mut event) = (Head::default(), None, None);
        let mut fields = Fields::of(bytes);
        while let Some((number, value)) = fields.next()? {
            match number {
                1 => head.format = value.small()?,
                2 => head.index = value.number()?,
                3 => head.prev = value.bytes()?,
                4 => head.recorded_at = Some(time(value)?),
                5 => provenance = Some(ProvenanceView::read(value)?),
                6 => head.commitment = value.bytes()?,
                8 => event = Some(EventView::read(value)?),
                _ => return Err(Strange),
            }
        }
        Ok(Self { head, provenance: provenance.ok_or(Strange)?, event: event.ok_or(Strange)? })
    }
}

impl<'a> Head<'a> {
    pub fn of(record: &'a Record) -> Self {
        let Record { format, index, recorded_at, .. } = *record;
        Self { format, index, prev: &record.prev, recorded_at, commitment: &record.commitment }
    }
}

impl<'a> ProvenanceView<'a> {
    fn read(value: Value<'a>) -> Result<Self, Strange> {
        let mut it = Self::default();
        let mut fields = Fields::of(value.message()?);
        while let Some((number, value)) = fields.next()? {
            match number {
                1 => it.source = Some(SourceView::read(value)?),
                2 => it.position = Some(PositionView::read(value)?),
                3 => it.event_id = value.bytes()?,
                4 => it.content_digest = value.bytes()?,
                5 => it.connector = value.bytes()?,
                6 => it.connector_version = value.small()?,
                7 => it.delivery = value.enumeration()?,
                8 => it.authentication = value.enumeration()?,
                9 => it.assumed_zone = value.bytes()?,
                10 => it.retry_of = value.number()?,
                _ => return Err(Strange),
            }
        }
        Ok(it)
    }

    pub fn of(provenance: &'a Provenance) -> Self {
        Self {
            source: provenance.source.as_ref().map(SourceView::of),
            position: provenance.position.as_ref().map(PositionView::of),
            event_id: provenance.event_id.as_bytes(),
            content_digest: &provenance.content_digest,
            connector: provenance.connector.as_bytes(),
            connector_version: provenance.connector_version,
            delivery: provenance.delivery,
            authentication: provenance.authentication,
            assumed_zone: provenance.assumed_zone.as_bytes(),
            retry_of: provenance.retry_of,
        }
    }
}

impl<'a> SourceView<'a> {
    fn read(value: Value<'a>) -> Result<Self, Strange> {
        let mut it = Self::default();
        let mut fields = Fields::of(value.message()?);
        while let Some((number, value)) = fields.next()? {
            match number {
                1 => it.system = value.bytes()?,
                2 => it.instance = value.bytes()?,
                3 => it.stream = value.bytes()?,
                _ => return Err(Strange),
            }
        }
        Ok(it)
    }

    pub fn of(source: &'a Source) -> Self {
        Self {
            system: source.system.as_bytes(),
            instance: source.instance.as_bytes(),
            stream: source.stream.as_bytes(),
        }
    }

    pub fn to_source(self) -> Source {
        let [system, instance, stream] =
            [self.system, self.instance, self.stream].map(|name| String::from_utf8_lossy(name).into_owned());
        Source { system, instance, stream }
    }
}

impl<'a> PositionView<'a> {
    fn read(value: Value<'a>) -> Result<Self, Strange> {
        let mut it = Self::default();
        let mut fields = Fields::of(value.message()?);
        while let Some((number, value)) = fields.next()? {
            match number {
                1 => it.channel = value.bytes()?,
                2 => it.sequence = value.number()?,
                _ => return Err(Strange),
            }
        }
        Ok(it)
    }

    fn of(position: &'a Position) -> Self {
        Self { channel: position.channel.as_bytes(), sequence: position.sequence }
    }
}

impl<'a> EventView<'a> {
    fn read(value: Value<'a>) -> Result<Self, Strange> {
        // Most events have one fact.
        let mut it = Self { facts: Vec::with_capacity(1), ..Self::default() };
        let mut fields = Fields::repeating(value.message()?, 5);
        while let Some((number, value)) = fields.next()? {
            match number {
                1 => it.native_type = value.bytes()?,
                2 => it.mapping = value.enumeration()?,
                3 => it.part = value.small()?,
                4 => it.parts = value.small()?,
                5 => it.facts.push(FactView::read(value)?),
                _ => return Err(Strange),
            }
        }
        Ok(it)
    }

    pub fn of(event: &'a Event) -> Self {
        Self {
            native_type: event.native_type.as_bytes(),
            mapping: event.mapping,
            part: event.part,
            parts: event.parts,
            facts: event.facts.iter().map(FactView::of).collect(),
        }
    }
}

impl<'a> FactView<'a> {
    fn read(value: Value<'a>) -> Result<Self, Strange> {
        let mut it = Self::default();
        let mut fields = Fields::of(value.message()?);
        while let Some((number, value)) = fields.next()? {
            match number {
                1 => it.kind = value.enumeration()?,
                2 => it.occurred_at = Some(time(value)?),
                3 => it.outcome = value.enumeration()?,
                4 => it.reason = value.bytes()?,
                5 => it.confidence = value.enumeration()?,
                6 => it.actor = Some(RefView::read(value)?),
                7 => it.via = Some(RefView::read(value)?),
                8 => it.subject = Some(RefView::read(value)?),
                9 => it.object = Some(RefView::read(value)?),
                10 => it.scope = value.bytes()?,
                11 => it.correlation = Some(CorrelationView::read(value)?),
                _ if it.detail.is_none() => it.detail = Some(DetailView::Read(Box::new(detail(number, value)?))),
                _ => return Err(Strange),
            }
        }
        Ok(it)
    }

    pub fn of(fact: &'a Fact) -> Self {
        Self {
            kind: fact.kind,
            occurred_at: fact.occurred_at,
            outcome: fact.outcome,
            reason: fact.reason.as_bytes(),
            confidence: fact.confidence,
            actor: fact.actor.as_ref().map(RefView::of),
            via: fact.via.as_ref().map(RefView::of),
            subject: fact.subject.as_ref().map(RefView::of),
            object: fact.object.as_ref().map(RefView::of),
            scope: fact.scope.as_bytes(),
            correlation: fact.correlation.as_ref().map(CorrelationView::of),
            detail: fact.detail.as_ref().map(DetailView::Of),
        }
    }

    /// Every reference with its role, in the order of the fields.
    pub fn references(&self) -> impl Iterator<Item = (Role, RefView<'_>)> {
        let named = |role, reference: &Option<RefView<'a>>| reference.map(|reference| (role, reference));
        let own = [
            named(Role::Actor, &self.actor),
            named(Role::Via, &self.via),
            named(Role::Subject, &self.subject),
            named(Role::Object, &self.object),
        ];
        let tickets = self.tickets().iter().map(|ticket| (Role::Ticket, *ticket));
        let mut details = Vec::new();
        if let Some(detail) = self.detail() {
            references_in(detail, &mut |role, reference| details.push((role, RefView::of(reference))));
        }
        own.into_iter().flatten().chain(tickets).chain(details)
    }

    pub fn detail(&self) -> Option<&Detail> {
        match self.detail.as_ref()? {
            DetailView::Read(detail) => Some(detail),
            DetailView::Of(detail) => Some(detail),
        }
    }

    /// The tickets that it refers to.
    pub fn tickets(&self) -> &[RefView<'a>] {
        self.correlation.as_ref().map_or(&[], |correlation| &correlation.tickets)
    }
}

impl<'a> RefView<'a> {
    fn read(value: Value<'a>) -> Result<Self, Strange> {
        let (message, mut it, mut first) = (value.message()?, Self::default(), None);
        let mut fields = Fields::repeating(message, 5);
        while let Some((number, value)) = fields.next()? {
            match number {
                1 => it.kind = value.enumeration()?,
                2 => it.system = value.bytes()?,
                3 => it.instance = value.bytes()?,
                4 => it.id = value.bytes()?,
                5 if value.message()?.len() + 2 == TOKEN_FIELD_BYTES => {
                    let end = message.len() - fields.rest().len();
                    let start = *first.get_or_insert(end - TOKEN_FIELD_BYTES);
                    it.tokens = Tokens::Encoded(&message[start..end]);
                }
                6 => it.identity_type = value.enumeration()?,
                _ => return Err(Strange),
            }
        }
        Ok(it)
    }

    pub fn of(reference: &'a Ref) -> Self {
        Self {
            kind: reference.kind,
            system: reference.system.as_bytes(),
            instance: reference.instance.as_bytes(),
            id: reference.id.as_bytes(),
            tokens: Tokens::Listed(&reference.tokens),
            identity_type: reference.identity_type,
        }
    }
}

impl<'a> CorrelationView<'a> {
    fn read(value: Value<'a>) -> Result<Self, Strange> {
        let mut it = Self::default();
        let mut fields = Fields::repeating(value.message()?, 3);
        while let Some((number, value)) = fields.next()? {
            match number {
                1 => it.transaction = value.bytes()?,
                2 => it.request = value.bytes()?,
                3 => it.tickets.push(RefView::read(value)?),
                _ => return Err(Strange),
            }
        }
        Ok(it)
    }

    pub fn of(correlation: &'a Correlation) -> Self {
        let Correlation { transaction, request, tickets } = correlation;
        let tickets = tickets.iter().map(RefView::of).collect();
        Self { transaction: transaction.as_bytes(), request: request.as_bytes(), tickets }
    }

    pub fn is_empty(&self) -> bool {
        self.transaction.is_empty() && self.request.is_empty() && self.tickets.is_empty()
    }
}

impl<'a> Tokens<'a> {
    pub fn iter(self) -> impl Iterator<Item = &'a [u8]> {
        let (listed, encoded): (&[Vec<u8>], &[u8]) = match self {
            Self::Listed(listed) => (listed, &[]),
            Self::Encoded(encoded) => (&[], encoded),
        };
        let encoded = encoded.chunks_exact(TOKEN_FIELD_BYTES).map(|field| &field[2..]);
        listed.iter().map(Vec::as_slice).chain(encoded)
    }

    pub fn is_empty(self) -> bool {
        match self {
            Self::Listed(listed) => listed.is_empty(),
            Self::Encoded(encoded) => encoded.is_empty(),
        }
    }
}

impl Default for Tokens<'_> {
    fn default() -> Self {
        Self::Listed(&[])
    }
}

fn time(value: Value<'_>) -> Result<Time, Strange> {
    let mut time = Time::default();
    let mut fields = Fields::of(value.message()?);
    while let Some((number, value)) = fields.next()? {
        match number {
            1 => time.seconds = value.signed()?,
            2 => time.nanos = value.small()?,
            3 => time.precision = value.enumeration()?,
            _ => return Err(Strange),
        }
    }
    Ok(time)
}

fn detail(number: u32, value: Value<'_>) -> Result<Detail, Strange> {
    Ok(match number {
        12 => Detail::Grant(value.decoded()?),
        13 => Detail::Ticket(value.decoded()?),
        14 => Detail::Approval(value.decoded()?),
        15 => Detail::Account(value.decoded()?),
        16 => Detail::Credential(value.decoded()?),
        17 => Detail::Entitlement(value.decoded()?),
        18 => Detail::Ownership(value.decoded()?),
        19 => Detail::Lifecycle(value.decoded()?),
        20 => Detail::Snapshot(value.decoded()?),
        21 => Detail::Review(value.decoded()?),
        22 => Detail::PolicyDecision(value.decoded()?),
        23 => Detail::MatchingRule(value.decoded()?),
        _ => return Err(Strange),
    })
}
