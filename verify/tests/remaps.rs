//! Events that are read again: which reading counts by how many records, and what a remapping has to repeat.
#![allow(clippy::unwrap_used, reason = "helpers of tests fail as tests do")]

mod support;

use counterfoil_proto::v1::{EventRemapped, Fact, FactKind, Record, Ref, record::Body};
use counterfoil_verify::entity::EntityId;
use counterfoil_verify::remap::{check, place_of, reading_of};
use counterfoil_verify::replay::{facts_known, replay};
use counterfoil_verify::tree::{RecordIndex, TreeSize};
use support::*;

fn added(to: &str, seconds: i64) -> Fact {
    let (subject, object) = (Some(account(to)), Some(group("g1")));
    Fact { subject, object, ..fact(FactKind::GrantAdded, seconds) }
}

fn removed(from: &str, seconds: i64) -> Fact {
    Fact { kind: FactKind::GrantRemoved.into(), ..added(from, seconds) }
}

/// Gives a record its part of several.
fn part(mut record: Record, part: u32, parts: u32) -> Record {
    let event = match &mut record.body {
        Some(Body::Event(event)) => event,
        Some(Body::EventRemapped(remapped)) => remapped.event.as_mut().unwrap(),
        _ => unreachable!(),
    };
    (event.part, event.parts) = (part, parts);
    record
}

/// Who holds the group by the first `known` records.
fn holders(records: &[Record], known: u64) -> Vec<String> {
    let group: EntityId = "entitlement:okta:acme:group_member/g1".parse().unwrap();
    let state = replay(&group, records, at(100), TreeSize(known));
    let name = |key: &String| key.trim_end().rsplit(':').next().unwrap().to_owned();
    state.grants.keys().map(name).collect()
}

#[test]
fn the_newest_reading_counts_for_whoever_knows_it() {
    let first = record_of(1, vec![added("wrong", 10)]);
    let second = remapped(3, &[&first], vec![added("better", 10)]);
    let third = remapped(5, &[&second], vec![added("right", 10)]);
    let other = record_of(2, vec![added("other", 20)]);
    assert_eq!([&first, &second, &third].map(place_of), [RecordIndex(1); 3]);
    let records = [third, other, first, second];
    let by = |known| holders(&records, known);
    assert_eq!([by(0), by(1)], [vec![""; 0], vec![]]);
    assert_eq!(by(2), ["wrong"]);
    assert_eq!(by(3), ["other", "wrong"]);
    assert_eq!(by(4), ["better", "other"]);
    assert_eq!(by(5), ["better", "other"]);
    assert_eq!(by(6), ["other", "right"]);
}

/// All parts of a reading are replaced together, whatever number of parts replaces them.
#[test]
fn a_reading_of_several_records_is_one() {
    let old = [part(record_of(1, vec![added("a", 1)]), 0, 2), part(record_of(2, vec![added("b", 1)]), 1, 2)];
    let of = [&old[0], &old[1]];
    let new = [part(remapped(4, &of, vec![added("c", 1)]), 0, 2), part(remapped(5, &of, vec![added("d", 1)]), 1, 2)];
    assert_eq!([&new[0], &new[1]].map(reading_of), [RecordIndex(4); 2]);
    let last = remapped(7, &[&new[0], &new[1]], vec![removed("e", 1)]);
    assert_eq!((check(&new, &old), check(std::slice::from_ref(&last), &new)), (Ok(()), Ok(())));
    let records = [&old[..], &new, &[last]].concat();
    assert_eq!(holders(&records, 3), ["a", "b"]);
    assert_eq!(holders(&records, 4), ["a", "b"]);
    assert_eq!(holders(&records, 6), ["c", "d"]);
    assert_eq!(holders(&records, 8), [""; 0]);
    // Who has one part of the remapping only can tell as well.
    assert_eq!(holders(&[old[0].clone(), new[1].clone()], 6), ["d"]);
}

/// Of what happened in one second, the order is that in which the events came: reading one of them again changes nothing.
#[test]
fn what_is_read_again_keeps_its_place() {
    let first = record_of(1, vec![added("a", 10)]);
    let again = remapped(3, &[&first], vec![Fact { scope: "s".into(), ..added("b", 10) }, added("a", 10)]);
    let records = [first, record_of(2, vec![removed("a", 10)]), again];
    assert_eq!(holders(&records[..2], 9), [""; 0]);
    let found = facts_known(&records.iter().collect::<Vec<_>>(), TreeSize(9));
    assert_eq!(found.iter().map(|fact| fact.evidence.index).collect::<Vec<_>>(), [2, 3, 3]);
    assert_eq!(replay(&"account:okta:acme:a".parse().unwrap(), &records, at(100), TreeSize(9)).grants.len(), 0);
    assert_eq!(replay(&"account:okta:acme:b".parse().unwrap(), &records, at(100), TreeSize(9)).grants.len(), 1);
}

#[test]
fn a_remapping_fits_what_it_replaces() {
    let old = [part(record_of(1, vec![added("a", 1)]), 0, 2), part(record_of(2, vec![added("b", 1)]), 1, 2)];
    let new = remapped(4, &[&old[0], &old[1]], vec![added("c", 1)]);
    assert_eq!(check(std::slice::from_ref(&new), &old), Ok(()));
    let refused = |name: &str, new: &[Record], old: &[Record]| assert!(check(new, old).is_err(), "{name}");
    let with = |change: fn(&mut EventRemapped)| {
        let mut new = new.clone();
        let Some(Body::EventRemapped(remapped)) = &mut new.body else { unreachable!() };
        change(remapped);
        [new]
    };
    refused("nothing", &[], &old);
    refused("no remapping", &[record_of(4, vec![added("c", 1)])], &old);
    refused("of nothing", std::slice::from_ref(&new), &[]);
    refused("of one part", std::slice::from_ref(&new), &old[..1]);
    refused("one part of two", &[part(new.clone(), 0, 2)], &old);
    refused("another leaf", &with(|remapped| remapped.replaces_leaf[0] ^= 1), &old);
    refused("another record", &with(|remapped| remapped.replaces = 2), &old);
    refused("an entity less", &with(|remapped| drop(remapped.entities.pop())), &old);
    refused(
        "a stranger",
        &with(|remapped| {
            let stranger = EntityId::of(&Ref { ..account("zz") }, &okta()).unwrap();
            remapped.entities.push(stranger.as_bytes().to_vec());
        }),
        &old,
    );
    let mut moved = old.clone();
    moved[1].provenance.as_mut().unwrap().event_id = "another".into();
    refused("of another event", &[remapped(4, &[&moved[1], &old[1]], vec![added("c", 1)])], &moved);
    let mut strange = new.clone();
    strange.provenance.as_mut().unwrap().content_digest[0] ^= 1;
    refused("of other content", &[strange], &old);
    // The event is named by its first record, whichever reading is replaced.
    let next = remapped(6, &[&new], vec![added("d", 1)]);
    assert_eq!(check(std::slice::from_ref(&next), std::slice::from_ref(&new)), Ok(()));
    let mut misnamed = next.clone();
    let Some(Body::EventRemapped(remapped)) = &mut misnamed.body else { unreachable!() };
    remapped.first_index = 4;
    refused("named by the reading before", &[misnamed], &[new]);
}
