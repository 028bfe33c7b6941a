//! Appending: what goes in comes out chained, hashed and signed; what is known is known for ever.
#![allow(clippy::unwrap_used, reason = "a test stops where it fails")]

mod common;

use std::collections::HashMap;

use common::*;
use counterfoil_ledger::{Advance, ChannelPosition, LastRead, Ledger, LedgerError, Outcome, PreparedEvent};
use counterfoil_verify::tree::{RecordIndex, TreeSize};
use proptest::prelude::*;

#[test]
fn what_is_appended_can_be_read_and_verified() {
    let home = Home::new(1);
    let ledger = home.open();
    check_sound(&home, &ledger.reader());
    for (round, count) in [1, 2, 255, 1, 0, 700].into_iter().enumerate() {
        let start = ledger.reader().head().size.0;
        let events = (0..count).map(|number| event(&format!("{round}/{number}"), number)).collect();
        let receipt = append(&ledger, events);
        assert_eq!(receipt.outcomes, (start..start + count).map(recorded).collect::<Vec<_>>());
        assert_eq!(receipt.size, TreeSize(start + count));
        check_sound(&home, &ledger.reader());
    }
    let written = bytes(&ledger.reader());
    drop(ledger);
    let ledger = home.open();
    assert_eq!(bytes(&ledger.reader()), written, "the same after a restart");
    check_sound(&home, &ledger.reader());
}

#[test]
fn batches_form_while_the_one_before_syncs() {
    let home = Home::new(1);
    let ledger = home.open();
    let each = 3;
    let pending: Vec<_> =
        (0..50).map(|number| ledger.submit(batch(numbered(each * number..each * (number + 1)))).unwrap()).collect();
    for (number, pending) in (0..).zip(pending) {
        let receipt = pending.wait().unwrap();
        let first = 1 + each * number;
        assert_eq!(receipt.outcomes, (first..first + each).map(recorded).collect::<Vec<_>>());
        assert!(receipt.size.0 >= first + each, "its tree holds it, and whatever was committed with it");
    }
    check_sound(&home, &ledger.reader());
    assert_eq!(ledger.reader().head().size, TreeSize(1 + 50 * each));
}

#[test]
fn an_event_is_known_by_its_id_and_its_content() {
    let home = Home::new(1);
    let mut ledger = home.open();
    let check = |ledger: &Ledger, events: &[(&str, u64)], expected: &[Outcome]| {
        let events = events.iter().map(|(id, content)| event(id, *content)).collect();
        assert_eq!(append(ledger, events).outcomes, expected);
    };
    // Within a batch.
    let events = [("a", 1), ("a", 1), ("a", 2), ("a", 2), ("b", 1)];
    check(&ledger, &events, &[recorded(1), duplicate(1), conflict(2), duplicate(2), recorded(3)]);
    for _ in 0..2 {
        // Across batches, and in the second round across a restart.
        check(&ledger, &events, &[duplicate(1), duplicate(1), duplicate(2), duplicate(2), duplicate(3)]);
        ledger = reopened(&home, ledger);
    }
    check(&ledger, &[("a", 3), ("b", 2), ("a", 3)], &[conflict(4), conflict(5), duplicate(4)]);
    ledger = reopened(&home, ledger);
    check(&ledger, &[("a", 3), ("a", 1), ("b", 2)], &[duplicate(4), duplicate(1), duplicate(5)]);
    assert_eq!(told(&ledger.reader()), ["a", "a conflicts with 1", "b", "a conflicts with 1", "b conflicts with 3"]);
    let counted: Vec<(String, u64)> =
        ledger.reader().duplicates().unwrap().into_iter().map(|(source, count)| (source.connector, count)).collect();
    assert_eq!(counted, [("test".to_owned(), 2 + 5 + 5 + 1 + 3)]);
    check_sound(&home, &ledger.reader());
}

#[test]
fn counts_alone_change_no_head() {
    let home = Home::new(1);
    let ledger = home.open();
    append(&ledger, numbered(0..10));
    let before = ledger.reader().head();
    append(&ledger, numbered(0..10));
    assert_eq!(ledger.reader().head().checkpoint, before.checkpoint);
}

#[test]
fn an_event_with_many_facts_spans_consecutive_records() {
    let home = Home::new(1);
    let ledger = home.open();
    let events = vec![event("a", 1), event_of_parts("b", 1, 3), event("c", 1), event_of_parts("b", 1, 3)];
    let receipt = append(&ledger, events);
    assert_eq!(receipt.outcomes, [recorded(1), recorded(2), recorded(5), duplicate(2)]);
    assert_eq!(told(&ledger.reader()), ["a", "b part 0 of 3", "b part 1 of 3", "b part 2 of 3", "c"]);
    let times: Vec<_> = (2..5).map(|index| ledger.reader().record(RecordIndex(index)).unwrap().recorded_at).collect();
    assert!(times.iter().all(|time| *time == times[0]));
    check_sound(&home, &ledger.reader());
    // Of other content, only the first part's place is named.
    assert_eq!(append(&ledger, vec![event_of_parts("b", 2, 3)]).outcomes, [conflict(6)]);
    drop(ledger);
    let ledger = home.open();
    let again = vec![event_of_parts("b", 1, 3), event_of_parts("b", 2, 3)];
    assert_eq!(append(&ledger, again).outcomes, [duplicate(2), duplicate(6)]);
}

#[test]
fn a_position_moves_with_its_batch_and_may_end() {
    let home = Home::new(1);
    let ledger = home.open();
    let position = |ledger: &Ledger| ledger.reader().position(CHANNEL).unwrap();
    assert_eq!(position(&ledger), None);
    ledger.append(batch_over(0..3, numbered(0..3))).unwrap();
    assert_eq!(position(&ledger), Some(ChannelPosition { next: 3, ..Default::default() }));
    // Without a new record, too: all of them were known.
    ledger.append(batch_over(3..7, numbered(0..3))).unwrap();
    assert_eq!(position(&ledger), Some(ChannelPosition { next: 7, ..Default::default() }));
    let mut end = batch(Vec::new());
    let last = Some(LastRead { sequence: 6, digest: [9; 16] });
    let to = ChannelPosition { next: 7, complete: true, last };
    end.positions = vec![Advance { channel: CHANNEL.to_owned(), from: 7, to }];
    ledger.append(end).unwrap();
    let ledger = reopened(&home, ledger);
    assert_eq!(position(&ledger), Some(to));
    assert_eq!(ledger.reader().position("another").unwrap(), None);
}

#[test]
fn a_batch_goes_on_where_its_channel_stands_or_is_refused() {
    let home = Home::new(1);
    let ledger = home.open();
    ledger.append(batch_over(0..3, numbered(0..3))).unwrap();
    let before = ledger.reader().head().size;
    for wrong in [batch_over(0..3, numbered(3..6)), batch_over(4..6, numbered(3..6))] {
        let Err(LedgerError::OutOfOrder { stands: 3, .. }) = ledger.append(wrong) else { panic!("expected a refusal") };
    }
    assert_eq!(ledger.reader().head().size, before);
    // Handed over together: what follows a refused batch is refused with it, other channels go on, and so does this one.
    let batches = [
        batch_over(4..6, numbered(4..6)),
        batch_over(6..8, numbered(6..8)),
        batch(numbered(100..101)),
        batch_over(3..5, numbered(3..5)),
        batch_over(5..9, numbered(5..9)),
    ];
    let receipts: Vec<_> = batches.into_iter().map(|batch| ledger.submit(batch).unwrap()).collect();
    let taken: Vec<bool> = receipts.into_iter().map(|receipt| receipt.wait().is_ok()).collect();
    assert_eq!(taken, [false, false, true, true, true]);
    assert_eq!(ledger.reader().position(CHANNEL).unwrap().map(|position| position.next), Some(9));
    assert_eq!(ledger.reader().head().size.0, before.0 + 7);
    // A source that begins anew is read from where it begins.
    let (from, anew) = (9, 0);
    ledger.append(batch_over(from..anew, Vec::new())).unwrap();
    ledger.append(batch_over(0..1, Vec::new())).unwrap();
    check_sound(&home, &ledger.reader());
}

#[test]
fn a_reader_sees_nothing_past_the_head() {
    let home = Home::new(1);
    let ledger = home.open();
    append(&ledger, numbered(0..20));
    let reader = ledger.reader();
    let size = reader.head().size;
    let past = RecordIndex(size.0);
    let refused = [
        reader.record_bytes(past).err(),
        reader.record(past).err(),
        reader.beside(past).err(),
        reader.inclusion_proof(past, TreeSize(size.0 + 1)).err(),
        reader.consistency_proof(TreeSize(1), TreeSize(size.0 + 1)).err(),
    ];
    for error in refused {
        assert_eq!(
            error.unwrap().to_string(),
            format!("record {} is not in the ledger, which holds {size} records", size.0)
        );
    }
    assert_eq!(reader.records(0..u64::MAX).count() as u64, size.0);
    assert_eq!(reader.records(size.0..u64::MAX).count(), 0);
}

#[test]
fn what_was_known_by_a_moment() {
    let home = Home::new(1);
    let ledger = home.open();
    let mut sizes = vec![(home.clock.now(), 1)];
    for round in 0..5 {
        home.clock.pass(10);
        append(&ledger, numbered(round * 3..round * 3 + 3));
        sizes.push((home.clock.now(), 4 + round * 3));
    }
    for (time, size) in sizes {
        assert_eq!(ledger.reader().size_at(time).unwrap(), TreeSize(size), "{time:?}");
    }
    let long_before = counterfoil_verify::time::RecordedAt(counterfoil_verify::time::Moment { seconds: 0, nanos: 0 });
    assert_eq!(ledger.reader().size_at(long_before).unwrap(), TreeSize(0));
}

fn reopened(home: &Home, ledger: Ledger) -> Ledger {
    drop(ledger);
    home.open()
}

/// What a ledger comes to, told again without a tree, a chain or a disk.
#[derive(Default)]
struct Model {
    /// What is in the records after the first: id and content; a conflict says which record came first.
    records: Vec<String>,
    known: HashMap<(u64, u64), u64>,
    first: HashMap<u64, u64>,
}

impl Model {
    fn append(&mut self, id: u64, content: u64) -> Outcome {
        if let Some(index) = self.known.get(&(id, content)) {
            return duplicate(*index);
        }
        let index = self.records.len() as u64 + 1;
        self.known.insert((id, content), index);
        match self.first.get(&id) {
            None => {
                self.first.insert(id, index);
                self.records.push(format!("{id}"));
                recorded(index)
            }
            Some(first) => {
                self.records.push(format!("{id} conflicts with {first}"));
                conflict(index)
            }
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 24, ..ProptestConfig::default() })]

    /// Few ids and fewer contents, so that most events were there before; a restart between some batches.
    #[test]
    fn any_deliveries_come_to_what_the_model_says(
        batches in prop::collection::vec((prop::collection::vec((0..12_u64, 0..3_u64), 0..20), any::<bool>()), 1..6),
    ) {
        let home = Home::new(1);
        let mut ledger = home.open();
        let mut model = Model::default();
        for (events, restart) in batches {
            let prepared: Vec<PreparedEvent> =
                events.iter().map(|(id, content)| event(&id.to_string(), *content)).collect();
            let expected: Vec<Outcome> = events.iter().map(|(id, content)| model.append(*id, *content)).collect();
            prop_assert_eq!(append(&ledger, prepared).outcomes, expected);
            if restart {
                ledger = reopened(&home, ledger);
            }
        }
        prop_assert_eq!(told(&ledger.reader()), model.records);
        check_sound(&home, &ledger.reader());
    }
}
