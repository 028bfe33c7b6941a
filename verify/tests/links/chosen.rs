//! Which of several tickets counts.

use std::collections::BTreeSet;

use crate::cases::*;
use crate::support::*;
use counterfoil_proto::v1::{LinkRule, Verdict};
use counterfoil_verify::link::{is_in_time, is_provisional};
use counterfoil_verify::score::Score;
use counterfoil_verify::state::TicketState;
use counterfoil_verify::ticket::CLOCK_TOLERANCE_SECONDS;
use counterfoil_verify::time::Moment;
use counterfoil_verify::verdict::{Finding, MARGIN_MIN, Overall, choose};
use proptest::collection::vec;
use proptest::prelude::*;

/// A change to a ticket, and the points of it then.
type Case = (&'static str, fn(&mut TicketState), (u32, u32, u32));

#[test]
fn points_of_a_ticket_that_fits() {
    let cases: &[Case] = &[
        ("for the same account and group, decided 1000 s before", |_| {}, (40, 40, 9)),
        ("for one of their identifiers", |t| t.beneficiary = vec![ID1.into()], (30, 40, 9)),
        ("for the account and an identifier", |t| t.beneficiary = vec![ID1.into(), U1.into()], (40, 40, 9)),
        ("for any group", |t| t.items[0].targets.clear(), (40, 15, 9)),
        ("for something else and this", |t| t.items.insert(0, other(t)), (40, 40, 9)),
        ("for something else", |t| t.items[0] = other(t), (40, 0, 9)),
        ("decided an hour before", |t| decided(t, 3_600), (40, 40, 9)),
        ("decided longer before", |t| decided(t, 3_601), (40, 40, 6)),
        ("decided a day before", |t| decided(t, 24 * 3_600), (40, 40, 6)),
        ("decided in that week", |t| decided(t, 24 * 3_600 + 1), (40, 40, 3)),
        ("decided in an earlier one", |t| decided(t, 7 * 24 * 3_600 + 1), (40, 40, 0)),
        ("decided afterwards", |t| decided(t, -1), (40, 40, 0)),
    ];
    for (name, change, (beneficiary, entitlement, time)) in cases {
        let mut ticket = approved();
        change(&mut ticket);
        let score = judge(grant_of(group("g1")), &ticket, LIVE, Score::of);
        assert_eq!(score, Score { beneficiary: *beneficiary, entitlement: *entitlement, time: *time }, "{name}");
        assert_eq!(score.total(), beneficiary + entitlement + time, "{name}");
    }
}

#[test]
fn a_name_is_worth_less_than_an_id() {
    let mut asked = group("g1");
    asked.tokens = vec![vec![7; 16]];
    let by_name = |ticket: &mut TicketState| ticket.items[0].targets = vec![format!("identifier:{}", "07".repeat(16))];
    let mut ticket = approved();
    by_name(&mut ticket);
    assert_eq!(judge(grant_of(asked.clone()), &ticket, LIVE, Score::of).entitlement, 30);
    ticket.items[0].targets.push(G1.to_owned());
    assert_eq!(judge(grant_of(asked), &ticket, LIVE, Score::of).entitlement, 40);
}

fn other(ticket: &TicketState) -> counterfoil_verify::state::ItemState {
    let mut other = ticket.items[0].clone();
    other.targets = vec![G1.replace("g1", "g2")];
    other
}

fn decided(ticket: &mut TicketState, before: i64) {
    use counterfoil_proto::v1::Decision::Approved;
    ticket.approvals.insert("r1".into(), row(Approved, 20, CHANGED - before));
}

/// Long after this, a time alone could tell: it never may.
#[test]
fn no_time_tells_which_of_two_is_meant() {
    let longest = counterfoil_verify::score::TIMES.iter().map(|(_, points)| *points).max().unwrap();
    assert!(longest < MARGIN_MIN);
}

#[test]
fn a_verdict_is_provisional_until_the_tickets_are_known_an_hour_past_the_change() {
    let record = record_of(CHANGE_INDEX, vec![grant_of(group("g1"))]);
    let change = counterfoil_verify::replay::facts_of(&record).next().unwrap();
    let until = |seconds| is_provisional(&change, Some(Moment { seconds, nanos: 0 }));
    let enough = CHANGED + CLOCK_TOLERANCE_SECONDS + 3_600;
    assert!(is_provisional(&change, None) && until(CHANGED) && until(enough - 1));
    assert!(!until(enough) && !until(enough + 1));
}

const VERDICTS: [Verdict; 11] = [
    Verdict::Approved,
    Verdict::ApprovedLate,
    Verdict::ApprovedRecordedLate,
    Verdict::ApprovedUnspecific,
    Verdict::EditedAfterApproval,
    Verdict::Rejected,
    Verdict::Pending,
    Verdict::OtherBeneficiary,
    Verdict::OutOfScope,
    Verdict::OutOfWindow,
    Verdict::TicketUnknown,
];

fn finding() -> impl Strategy<Value = Finding> {
    let points = (0..2_u32, 0..3_u32, 0..4_u32);
    (0..VERDICTS.len(), points).prop_map(|(verdict, (beneficiary, entitlement, time))| Finding {
        verdict: VERDICTS[verdict],
        score: Some(Score { beneficiary: beneficiary * 10, entitlement: entitlement * 15, time: time * 3 }),
    })
}

/// In words: of those that fit, whatever was approved in time hides the rest, and so does what was approved late; then
/// one has to be better than every other by the margin.
fn naive(fitting: &[Finding]) -> (Verdict, BTreeSet<usize>) {
    let of = |wanted: fn(Verdict) -> bool| -> Vec<usize> {
        (0..fitting.len()).filter(|place| wanted(fitting[*place].verdict)).collect()
    };
    let classes = [of(is_in_time), of(|verdict| verdict == Verdict::ApprovedLate), of(|_| true)];
    let counting = classes.into_iter().find(|class| !class.is_empty()).unwrap_or_default();
    let points = |place: &usize| i64::from(fitting[*place].score.unwrap().total());
    let best = counting
        .iter()
        .copied()
        .find(|one| counting.iter().all(|other| one == other || points(one) - points(other) >= i64::from(MARGIN_MIN)));
    let verdict = match (best, counting.len()) {
        (_, 0) => Verdict::NoneRecorded,
        (Some(best), _) => fitting[best].verdict,
        (None, _) => Verdict::Ambiguous,
    };
    (verdict, counting.into_iter().collect())
}

proptest! {
    #[test]
    fn one_of_several_that_fit_is_chosen_as_words_say(fitting in vec(finding(), 0..6)) {
        let mut places: Vec<usize> = (0..fitting.len()).collect();
        let overall = choose(LinkRule::Window, &mut places, |place| fitting[*place]);
        let (verdict, counting) = naive(&fitting);
        prop_assert_eq!(overall.verdict, verdict);
        prop_assert_eq!(places.iter().copied().collect::<BTreeSet<_>>(), counting);
        let points: Vec<u32> = places.iter().map(|place| fitting[*place].score.unwrap().total()).collect();
        prop_assert!(points.is_sorted_by(|one, other| one >= other));
        let margin = points.first().map_or(0, |best| best - points.get(1).copied().unwrap_or_default());
        prop_assert_eq!(overall.margin, margin);
        if !matches!(verdict, Verdict::Ambiguous | Verdict::NoneRecorded) {
            prop_assert_eq!(fitting[places[0]].verdict, verdict);
        }
    }

    #[test]
    fn the_best_of_several_that_are_named_counts(named in vec(finding(), 0..6)) {
        for rule in [LinkRule::Explicit, LinkRule::Correlation] {
            let mut places: Vec<usize> = (0..named.len()).collect();
            let overall = choose(rule, &mut places, |place| Finding { score: None, ..named[*place] });
            prop_assert_eq!(places.len(), named.len());
            let has = |verdict| named.iter().any(|one| one.verdict == verdict);
            let expected = match named.is_empty() {
                true => Verdict::NoneRecorded,
                false if has(Verdict::Approved) => Verdict::Approved,
                false if has(Verdict::ApprovedRecordedLate) => Verdict::ApprovedRecordedLate,
                false => overall.verdict,
            };
            prop_assert_eq!(overall, Overall { verdict: expected, margin: 0 });
            prop_assert!(named.is_empty() || has(overall.verdict));
        }
    }
}
