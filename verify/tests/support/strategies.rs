//! Arbitrary valid records, and their parts.

use super::*;

/// Any valid record: every body, every kind, every detail, every optional field there or not.
pub fn any_record() -> BoxedStrategy<Record> {
    prop_oneof![1 => any_origin_record(), 1 => any_seal_record(), 8 => any_later_record()].boxed()
}

fn any_origin_record() -> BoxedStrategy<Record> {
    let of = (any_origin(), 1..=u64::MAX, any_bytes(32));
    let lost = (vec(any::<u8>(), 1..300), any::<u64>(), any_bytes(32));
    let predecessor = (of, lost).prop_map(|((origin, size, root), (first_record, known, known_root))| Predecessor {
        origin,
        size,
        root,
        first_record,
        known_size: known.max(size),
        known_root,
    });
    (any_origin(), any_bytes(32), option::of(predecessor), any_time())
        .prop_map(|(origin, index_key_commitment, predecessor, recorded_at)| {
            let recorded_at = Time { precision: Precision::Nanosecond.into(), ..recorded_at };
            origin_record(Origin { origin, index_key_commitment, predecessor }, recorded_at)
        })
        .boxed()
}

fn any_seal_record() -> BoxedStrategy<Record> {
    let counts = || 0..=u64::MAX / 2;
    let sealed = (any_source(), (counts(), counts(), counts()), (1..=u64::MAX, any::<u64>(), any::<u64>()));
    let sealed = sealed.prop_map(|(source, (unmapped, more, facts), (duplicates, conflicts, rejected))| {
        let name = (source.system.clone(), source.instance.clone(), source.stream.clone());
        let source = Some(source);
        let events = unmapped + more;
        (name, SealedSource { source, events, facts, unmapped, duplicates, conflicts, rejected })
    });
    let sources = vec(sealed, 0..4).prop_map(|sources| BTreeMap::from_iter(sources).into_values().collect::<Vec<_>>());
    let next = vec((any_opaque(), any::<u64>()), 0..4).prop_map(|next| {
        let next = BTreeMap::from_iter(next).into_iter();
        next.map(|(channel, sequence)| Position { channel, sequence }).collect::<Vec<_>>()
    });
    let seal = (any_bytes(32), sources, next, any::<bool>()).prop_map(|(map_root, sources, next, continued)| {
        let continued = continued && !(sources.is_empty() && next.is_empty());
        Seal { map_root, sources, next, continued }
    });
    (1..=u64::MAX, any_bytes(32), any_time(), seal)
        .prop_map(|(index, prev, recorded_at, seal)| Record {
            format: FORMAT,
            index,
            prev,
            recorded_at: Some(Time { precision: Precision::Nanosecond.into(), ..recorded_at }),
            body: Some(Body::Seal(seal)),
            ..Record::default()
        })
        .boxed()
}

fn any_later_record() -> BoxedStrategy<Record> {
    let index = prop_oneof![1..1_000u64, 1..=u64::MAX];
    (index, any_bytes(32), any_time(), any_source())
        .prop_flat_map(|(index, prev, recorded_at, source)| {
            let body = any_body(&source, index);
            (Just((index, prev, recorded_at)), any_provenance(source, index), any::<bool>(), any_bytes(32), body)
        })
        .prop_map(|((index, prev, recorded_at), provenance, beside, commitment, body)| {
            let retry_of = if is_read_from_none(&body) { 0 } else { provenance.retry_of };
            Record {
                format: FORMAT,
                index,
                prev,
                recorded_at: Some(Time { precision: Precision::Nanosecond.into(), ..recorded_at }),
                provenance: Some(Provenance { retry_of, ..provenance }),
                commitment: if beside || matches!(body, Body::SourceRejected(_)) { commitment } else { Vec::new() },
                body: Some(body),
            }
        })
        .boxed()
}

/// Whether a record says what no dead letter can.
fn is_read_from_none(body: &Body) -> bool {
    matches!(body, Body::SourceGap(_) | Body::Redaction(_) | Body::KeyAnnouncement(_))
}

/// Any redaction in a record at `index`.
fn any_redaction(index: u64) -> BoxedStrategy<Redaction> {
    let range = (1..index, 1..4u64, btree_set(prop_oneof![0..5u32, Just(u32::MAX)], 1..4));
    let named = (vec(any_entity(), 0..4), any_code(), any_code(), any_entity(), btree_set(any_opaque(), 0..3));
    (vec(range, 1..5), named, 0..=index)
        .prop_map(move |(ranges, (entities, reason, rule, by, callers), searched)| {
            let mut ranges: Vec<_> = ranges;
            ranges.sort();
            let mut removed: Vec<RedactedParts> = Vec::new();
            for (first, records, parts) in ranges {
                let free = removed.last().map_or(1, |last| last.first + last.records);
                let records = records.min(index.saturating_sub(first));
                if first >= free && records > 0 {
                    removed.push(RedactedParts { first, records, parts: parts.into_iter().collect() });
                }
            }
            let entities = BTreeSet::from_iter(entities).into_iter().collect();
            let callers = callers.into_iter().collect();
            Redaction { removed, entities, reason, rule, by, callers, searched }
        })
        .boxed()
}

/// Any body but an origin, for a record of `source` at `index`.
pub fn any_body(source: &Source, index: u64) -> BoxedStrategy<Body> {
    let rejected = (1..=11, any::<u64>()).prop_map(|(reason, size)| SourceRejected { reason, size });
    let gap = (any::<u64>(), any::<u64>(), 1..=4).prop_filter_map("a gap has a width", |(one, other, reason)| {
        (one != other).then(|| SourceGap { from: one.min(other), to: one.max(other), reason })
    });
    let replaced = (1..=index.max(2) - 1, 1..=index.max(2) - 1, any_bytes(32), vec(any_entity(), 0..4));
    let remapped = (replaced, any_event(source)).prop_filter_map("a remap comes later", move |(replaced, event)| {
        let (one, other, replaces_leaf, entities) = replaced;
        let entities = BTreeSet::from_iter(entities).into_iter().collect();
        let (first_index, replaces) = (one.min(other), one.max(other));
        let is_later = replaces < index.saturating_sub(event.part.into());
        let remapped = EventRemapped { first_index, replaces, replaces_leaf, entities, event: Some(event) };
        is_later.then_some(Body::EventRemapped(remapped))
    });
    let remapped = if index > 2_000 { remapped.boxed() } else { any_event(source).prop_map(Body::Event).boxed() };
    let conflict = if index > 1 { (1..index).boxed() } else { Just(0).boxed() };
    let conflict = conflict.prop_filter("record 0 is no event", |first| *first > 0);
    let conflict = conflict.prop_map(|first_index| Body::EventConflict(EventConflict { first_index }));
    let conflict = if index > 1 { conflict.boxed() } else { any_event(source).prop_map(Body::Event).boxed() };
    let redaction = any_redaction(index.max(2)).prop_map(Body::Redaction);
    let redaction = if index > 1 { redaction.boxed() } else { any_event(source).prop_map(Body::Event).boxed() };
    let announcement =
        (any_bytes(32), any_code(), any_entity(), any_bytes(32)).prop_map(|(public_key, reason, by, former_key)| {
            Body::KeyAnnouncement(KeyAnnouncement {
                origin: "example.com/audit".to_owned(),
                public_key,
                reason,
                by,
                former_key,
            })
        });
    prop_oneof![
        8 => any_event(source).prop_map(Body::Event),
        1 => redaction,
        1 => announcement,
        1 => conflict,
        1 => remapped,
        1 => rejected.prop_map(Body::SourceRejected),
        1 => gap.prop_map(Body::SourceGap),
    ]
    .boxed()
}

fn any_entity() -> BoxedStrategy<Vec<u8>> {
    let named = "[a-z0-9]{1,9}".prop_map(|id| EntityId::new(EntityKind::Account, "okta", "acme", &id).unwrap());
    named.prop_map(|entity| entity.as_bytes().to_vec()).boxed()
}

fn any_event(source: &Source) -> BoxedStrategy<Event> {
    let parts = (1..=1_000u32).prop_flat_map(|parts| (0..parts, Just(parts)));
    (optional(any_code()), 2..=4, parts, vec(any_fact(source), 0..4))
        .prop_map(|(native_type, mapping, (part, parts), facts)| Event {
            native_type,
            mapping: if facts.is_empty() { mapping } else { Mapping::Mapped.into() },
            part,
            parts,
            facts,
        })
        .boxed()
}

fn any_provenance(source: Source, index: u64) -> BoxedStrategy<Provenance> {
    let position = (any_opaque(), any::<u64>()).prop_map(|(channel, sequence)| Position { channel, sequence });
    (position, any_opaque(), any_bytes(16), any_name(), 1..=u32::MAX, 1..=2, 1..=5, optional(any_code()), 0..index)
        .prop_map(
            move |(
                position,
                event_id,
                content_digest,
                connector,
                connector_version,
                delivery,
                authentication,
                assumed_zone,
                retry_of,
            )| {
                Provenance {
                    source: Some(source.clone()),
                    position: Some(position),
                    event_id,
                    content_digest,
                    connector,
                    connector_version,
                    delivery,
                    authentication,
                    assumed_zone,
                    retry_of,
                }
            },
        )
        .boxed()
}

/// Any valid fact of a record of `source`, with any detail whatever its kind.
pub fn any_fact(source: &Source) -> BoxedStrategy<Fact> {
    let kinds = fact_kinds().len() as i32;
    let some_ref = || option::weighted(0.4, any_ref(source));
    let head = (1..=kinds, any_time(), 1..=4, optional(any_code()), 1..=3);
    let refs = (some_ref(), some_ref(), some_ref(), some_ref());
    (head, refs, optional(any_opaque()), any_correlation(source), option::weighted(0.8, any_detail(source)))
        .prop_map(|(head, (actor, via, subject, object), scope, correlation, detail)| {
            let (kind, occurred_at, outcome, reason, confidence) = head;
            Fact {
                kind,
                occurred_at: Some(occurred_at),
                outcome,
                reason,
                confidence,
                actor,
                via,
                subject,
                object,
                scope,
                correlation: (correlation != Correlation::default()).then_some(correlation),
                detail: detail.filter(|detail| !is_empty(detail)),
            }
        })
        .boxed()
}

/// Whether a detail is left out, since it says nothing.
fn is_empty(detail: &Detail) -> bool {
    match detail {
        Detail::Grant(grant) => *grant == Grant::default(),
        Detail::Account(account) => *account == Account::default(),
        Detail::Credential(credential) => *credential == Credential::default(),
        Detail::Entitlement(entitlement) => *entitlement == Entitlement::default(),
        Detail::Ownership(ownership) => *ownership == Ownership::default(),
        Detail::Lifecycle(lifecycle) => *lifecycle == Lifecycle::default(),
        Detail::Review(review) => *review == Review::default(),
        Detail::Ticket(_)
        | Detail::Approval(_)
        | Detail::Snapshot(_)
        | Detail::PolicyDecision(_)
        | Detail::MatchingRule(_) => false,
    }
}

fn any_correlation(source: &Source) -> BoxedStrategy<Correlation> {
    (optional(any_opaque()), optional(any_opaque()), vec(any_ref(source), 0..3))
        .prop_map(|(transaction, request, tickets)| Correlation { transaction, request, tickets })
        .boxed()
}

/// Any detail, also those that say nothing.
fn any_detail(source: &Source) -> BoxedStrategy<Detail> {
    let some_ref = || option::of(any_ref(source));
    let some_time = || option::of(any_time());
    let refs = || vec(any_ref(source), 0..3);
    let grant = (some_time(), 0..=2, some_ref(), any::<bool>());
    let grant = grant.prop_map(|(expires_at, mode, inherited_via, conditional)| {
        Detail::Grant(Grant { expires_at, mode, inherited_via, conditional })
    });
    let approval =
        (optional(any_opaque()), 1..=u32::MAX, 0..=5, any::<u32>(), some_ref(), some_ref(), some_ref(), 0..=7);
    let approval = approval.prop_map(|(id, level, rule, quorum, approver, asked_by, delegate, source_decision)| {
        Detail::Approval(Approval { id, level, rule, quorum, approver, asked_by, delegate, source_decision })
    });
    let account = (btree_set(any_code(), 0..3), any::<bool>(), optional(any_opaque()), some_ref());
    let account = account.prop_map(|(changed, reversible, department, manager)| {
        Detail::Account(Account { changed: changed.into_iter().collect(), reversible, department, manager })
    });
    let credential = (some_time(), some_time(), any::<u64>());
    let credential = credential.prop_map(|(expires_at, last_used_at, rotation_interval_seconds)| {
        Detail::Credential(Credential { expires_at, last_used_at, rotation_interval_seconds })
    });
    let entitlement = (optional(any_opaque()), refs(), refs());
    let entitlement = entitlement.prop_map(|(version, implies_added, implies_removed)| {
        Detail::Entitlement(Entitlement { version, implies_added, implies_removed })
    });
    let names = || btree_set("[a-z][a-z0-9._-]{0,5}", 0..3);
    let ownership = (
        (some_ref(), some_time(), any::<u64>(), any::<bool>()),
        (any::<bool>(), names(), btree_set(any_code(), 0..3), some_time(), some_time()),
    );
    let ownership = ownership.prop_map(|(first, (storage_declared, systems, operations, suspected_at, retired_at))| {
        let (owner, expires_at, rotation_interval_seconds, purpose_declared) = first;
        let (systems, operations) = (systems.into_iter().collect(), operations.into_iter().collect());
        Detail::Ownership(Ownership {
            owner,
            expires_at,
            rotation_interval_seconds,
            purpose_declared,
            storage_declared,
            systems,
            operations,
            suspected_at,
            retired_at,
        })
    });
    let rule = (1..=u32::MAX, names(), any::<bool>()).prop_map(|(version, systems, withdrawn)| {
        let systems = systems.into_iter().collect();
        Detail::MatchingRule(MatchingRule { version, matched_by: 1, systems, withdrawn })
    });
    let lifecycle = (some_time(), optional(any_opaque()));
    let lifecycle =
        lifecycle.prop_map(|(effective_at, department)| Detail::Lifecycle(Lifecycle { effective_at, department }));
    let snapshot = (1..=3, some_time(), any::<u64>(), prop_oneof![any_bytes(0), any_bytes(32)]);
    let snapshot = snapshot
        .prop_map(|(completeness, as_of, count, root)| Detail::Snapshot(Snapshot { completeness, as_of, count, root }));
    let review = (0..=2, some_ref()).prop_map(|(decision, reviewer)| Detail::Review(Review { decision, reviewer }));
    let decision = (1..=2, optional(any_opaque()), optional(any_opaque()));
    let decision = decision.prop_map(|(effect, policy, policy_version)| {
        Detail::PolicyDecision(PolicyDecision { effect, policy, policy_version })
    });
    prop_oneof![
        grant,
        any_ticket(source).prop_map(Detail::Ticket),
        approval,
        account,
        credential,
        entitlement,
        ownership,
        lifecycle,
        snapshot,
        review,
        decision,
        rule,
    ]
    .boxed()
}

fn any_ticket(source: &Source) -> BoxedStrategy<Ticket> {
    let some_ref = || option::of(any_ref(source));
    let some_time = || option::of(any_time());
    let item = (1..=2, some_ref(), any_code(), some_time(), some_time());
    let item = item.prop_map(|(operation, target, target_type, from, until)| AccessItem {
        operation,
        target,
        target_type,
        from,
        until,
    });
    let texts = btree_set(1..=4, 0..=4);
    ((1..=5, 0..=6), some_ref(), some_ref(), vec(item, 0..3), some_time(), some_time(), 0..=7, texts)
        .prop_map(|((r#type, status), requester, assignee, items, window_start, window_end, source_decision, texts)| {
            Ticket {
                r#type,
                status,
                requester,
                assignee,
                items,
                window_start,
                window_end,
                source_decision,
                texts: texts.into_iter().collect(),
            }
        })
        .boxed()
}

/// Any valid reference in a record of `source`.
pub fn any_ref(source: &Source) -> BoxedStrategy<Ref> {
    let home = (source.system.clone(), source.instance.clone());
    let other = option::of((any_name(), any_name()));
    (1..=8, other, optional(any_opaque()), btree_set(any_bytes(16), 0..3), 0..=12)
        .prop_map(move |(kind, other, id, tokens, identity_type)| {
            let (system, instance) = other.filter(|other| *other != home).unwrap_or_default();
            let mut tokens: Vec<Vec<u8>> = tokens.into_iter().collect();
            let id = if kind == EntityKind::Identifier as i32 { String::new() } else { id };
            if id.is_empty() && tokens.is_empty() {
                tokens.push(vec![7; 16]);
            }
            Ref { kind, system, instance, id, tokens, identity_type }
        })
        .boxed()
}

fn any_source() -> BoxedStrategy<Source> {
    (any_name(), any_name(), any_name())
        .prop_map(|(system, instance, stream)| Source { system, instance, stream })
        .boxed()
}

/// Any time a record may have, the first and the last one often.
pub fn any_time() -> BoxedStrategy<Time> {
    let seconds = prop_oneof![Just(SECONDS_MIN), Just(SECONDS_MAX), Just(0), -10..10i64, SECONDS_MIN..=SECONDS_MAX];
    let nanos = prop_oneof![Just(0), Just(999_999_999), 0..1_000_000_000u32];
    (seconds, nanos, 1..=8).prop_map(|(seconds, nanos, precision)| Time { seconds, nanos, precision }).boxed()
}

fn any_origin() -> BoxedStrategy<String> {
    "[a-z]{1,8}\\.example/[a-z0-9]{1,8}".boxed()
}

fn any_name() -> BoxedStrategy<String> {
    prop_oneof![8 => "[a-c]{1}", 4 => "[a-zA-Z0-9._-]{1,12}", 1 => "[a-z]{128}"].boxed()
}

fn any_code() -> BoxedStrategy<String> {
    prop_oneof![8 => "[a-zA-Z0-9._/:-]{1,12}", 1 => "[a-z/:]{128}"].boxed()
}

fn any_opaque() -> BoxedStrategy<String> {
    prop_oneof![8 => "[!-?A-~]{1,12}", 1 => "[!-?A-~]{255}"].boxed()
}

fn optional(text: BoxedStrategy<String>) -> BoxedStrategy<String> {
    option::of(text).prop_map(Option::unwrap_or_default).boxed()
}

fn any_bytes(length: usize) -> BoxedStrategy<Vec<u8>> {
    vec(any::<u8>(), length).boxed()
}
