//! Changes that are easily taken for another ticket's, each with people of its own, so that what stands behind each is
//! beyond doubt: namesakes, an address that is given away, two tickets in one hour, a deputy, a ticket that is over.
//!
//! Owns these plots. Without any, the company and its bytes are as they are.

use jiff::{SignedDuration, Timestamp};

use crate::action::{ActionIndex, Basis, Deed};
use crate::approvals::{Ending, Pace, Panel};
use crate::calendar::{day_of, days, hours, midnight, minutes, some_time};
use crate::case::{Case, CaseIndex, Operation, Request};
use crate::chronicle::Chronicle;
use crate::company::{Access, DOMAIN, Identity, IdentityIndex, Nature};
use crate::names::{FIRST_NAMES, JUSTIFICATIONS, LAST_NAMES};
use crate::truth::Verdict;

/// Longer than the longest of them takes.
const COURSE: i64 = 18;

/// Each of them so many times, spread over the span.
pub(crate) fn play(chronicle: &mut Chronicle, times: u32) {
    for _ in 0..times {
        for number in 0..Plot::ALL.len() {
            let (from, to) = (chronicle.span.start + days(5), chronicle.span.end - days(COURSE));
            let at = some_time(&mut chronicle.random, from, to);
            let group = *chronicle.random.pick(&chronicle.company.elective_groups);
            Plot::ALL[number](&mut Plot { chronicle, at, group: Access::Group(group) });
        }
    }
}

/// One near miss.
struct Plot<'c> {
    chronicle: &'c mut Chronicle,
    /// When it begins.
    at: Timestamp,
    /// What it is about.
    group: Access,
}

impl<'c> Plot<'c> {
    const ALL: [fn(&mut Plot<'c>); 12] = [
        Plot::namesakes,
        Plot::address_given_away,
        Plot::twins_of_which_none_is_named,
        Plot::twins_of_which_one_is_named,
        Plot::twins_of_which_a_transaction_names_one,
        Plot::twins_of_which_one_was_rejected,
        Plot::twins_of_which_one_is_over,
        Plot::twins_of_which_one_is_for_anything,
        Plot::twins_for_two_people,
        Plot::deputy,
        Plot::too_late,
        Plot::opposite,
    ];

    /// Two have the same first name, and the ticket is for one of them.
    fn namesakes(&mut self) {
        let (first, second) = (self.newcomer(), self.newcomer());
        let name = self.chronicle.company.of(first).first_name.clone();
        self.chronicle.company.identities[second.0].first_name = name;
        let (case, decided_at) = self.asked(first, minutes(0));
        self.by_hand(decided_at + hours(2), first, Basis::window(case));
        self.by_hand(decided_at + hours(3), second, Basis::NONE);
    }

    /// Whoever asked has left, and somebody else got the address, and the access.
    fn address_given_away(&mut self) {
        let former = self.newcomer();
        let (_, decided_at) = self.asked(former, minutes(0));
        let admin = self.chronicle.admin(former);
        let left_at = decided_at + days(1);
        self.chronicle.take(left_at, admin, former, Access::Account, None);
        let login = self.chronicle.company.of(former).login.clone();
        let newcomer = self.newcomer_called(login, left_at + days(1));
        self.by_hand(left_at + days(2), newcomer, Basis::NONE);
        self.group = self.another_group();
        let (case, decided_at) = self.asked(newcomer, days(4));
        self.by_hand(decided_at + hours(5), newcomer, Basis::window(case));
    }

    fn twins_of_which_none_is_named(&mut self) {
        let who = self.newcomer();
        let ([first, second], decided_at) = self.twins(who);
        self.by_hand(decided_at + hours(3), who, Basis::ambiguous(first, second));
    }

    fn twins_of_which_one_is_named(&mut self) {
        let who = self.newcomer();
        let ([_, second], decided_at) = self.twins(who);
        self.by_hand(decided_at + hours(3), who, Basis::explicit(Verdict::Approved, second));
    }

    /// Another event of the transaction, about somebody else, names one.
    fn twins_of_which_a_transaction_names_one(&mut self) {
        let (who, other) = (self.newcomer(), self.newcomer());
        let ([first, _], decided_at) = self.twins(who);
        let at = decided_at + hours(3);
        let change = self.by_hand(at, who, Basis::transaction(first));
        let executor = self.chronicle.actions[change.0].executor;
        let beside = at + SignedDuration::from_millis(40);
        let beside = self.chronicle.act(beside, executor, other, Deed::UpdateProfile("costCenter"), Some(first));
        let transaction = self.chronicle.random.uuid();
        for action in [change, beside] {
            self.chronicle.actions[action.0].transaction = Some(transaction);
        }
    }

    fn twins_of_which_one_was_rejected(&mut self) {
        let who = self.newcomer();
        let (_, rejected_at) = self.ask(who, who, minutes(10), Ending::Rejected, |_| ());
        let (case, decided_at) = self.asked(who, minutes(30));
        self.by_hand(rejected_at.max(decided_at) + hours(1), who, Basis::window(case));
    }

    /// The first was for its own day and the next.
    fn twins_of_which_one_is_over(&mut self) {
        let who = self.newcomer();
        let until = midnight(day_of(self.at)) + days(2);
        self.ask(who, who, minutes(0), Ending::Approved, |case| case.until = Some(until));
        let (case, _) = self.asked(who, minutes(20));
        self.by_hand(until + days(2), who, Basis::window(case));
    }

    /// The second asks for a group, whichever.
    fn twins_of_which_one_is_for_anything(&mut self) {
        let who = self.newcomer();
        let (case, _) = self.asked(who, minutes(0));
        let (_, decided_at) = self.ask(who, who, minutes(20), Ending::Approved, |case| case.is_for_any = true);
        self.by_hand(decided_at + hours(2), who, Basis::window(case));
    }

    fn twins_for_two_people(&mut self) {
        let (first, second) = (self.newcomer(), self.newcomer());
        let (case, _) = self.asked(first, minutes(0));
        let (other, decided_at) = self.asked(second, minutes(7));
        self.by_hand(decided_at + hours(2), second, Basis::window(other));
        self.by_hand(decided_at + hours(3), first, Basis::window(case));
    }

    /// Somebody asks for their deputy; who was to approve has a deputy, too. Whoever asked gets it as well, and so does
    /// somebody for whom the number of the ticket is given.
    fn deputy(&mut self) {
        let (chief, deputy, colleague) = (self.newcomer(), self.newcomer(), self.newcomer());
        let (case, decided_at) = self.ask(chief, deputy, minutes(0), Ending::Approved, |case| {
            case.course.approvals[0].delegate = Some(colleague);
        });
        self.by_hand(decided_at + hours(1), deputy, Basis::window(case));
        self.by_hand(decided_at + hours(2), chief, Basis::NONE);
        self.by_hand(decided_at + hours(3), colleague, Basis::explicit(Verdict::OtherBeneficiary, case));
    }

    /// A day after the ticket has ceased to cover what does not name it.
    fn too_late(&mut self) {
        let who = self.newcomer();
        let (_, decided_at) = self.asked(who, minutes(0));
        self.by_hand(decided_at + days(15), who, Basis::NONE);
    }

    /// The ticket asks to take away what is given.
    fn opposite(&mut self) {
        let who = self.newcomer();
        let (_, decided_at) =
            self.ask(who, who, minutes(0), Ending::Approved, |case| case.operation = Operation::Remove);
        self.by_hand(decided_at + hours(1), who, Basis::NONE);
    }

    /// Two tickets for the same within the hour, both approved.
    fn twins(&mut self, who: IdentityIndex) -> ([CaseIndex; 2], Timestamp) {
        let (first, first_at) = self.asked(who, minutes(0));
        let (second, second_at) = self.asked(who, minutes(40));
        ([first, second], first_at.max(second_at))
    }

    fn asked(&mut self, who: IdentityIndex, after: SignedDuration) -> (CaseIndex, Timestamp) {
        self.ask(who, who, after, Ending::Approved, |_| ())
    }

    /// A ticket, and when it was decided.
    fn ask(
        &mut self,
        requester: IdentityIndex,
        beneficiary: IdentityIndex,
        after: SignedDuration,
        ending: Ending,
        change: impl FnOnce(&mut Case),
    ) -> (CaseIndex, Timestamp) {
        let company = &self.chronicle.company;
        let request = Request {
            requester,
            beneficiary,
            items: vec![self.group],
            operation: Operation::Add,
            subject: format!("{} for {}", company.name(self.group), company.of(beneficiary).first_name),
            justification: JUSTIFICATIONS[0],
            opened_at: self.at + after,
        };
        let mut case = self.chronicle.draft(request, Panel::Single, ending, Pace::Prompt);
        change(&mut case);
        let decided_at = case.course.decided_at.unwrap_or(case.opened_at);
        (self.chronicle.file(case), decided_at)
    }

    /// An administrator gives it.
    fn by_hand(&mut self, at: Timestamp, who: IdentityIndex, basis: Basis) -> ActionIndex {
        let admin = self.chronicle.admin(who);
        let at = at + self.chronicle.random.milliseconds();
        self.chronicle.give(at, admin, who, self.group, basis)
    }

    fn another_group(&mut self) -> Access {
        let mut others = self.chronicle.company.elective_groups.clone();
        others.retain(|group| Access::Group(*group) != self.group);
        Access::Group(*self.chronicle.random.pick(&others))
    }

    fn newcomer(&mut self) -> IdentityIndex {
        let n = self.chronicle.company.identities.len();
        self.newcomer_called(format!("lookalike{n}@{DOMAIN}"), self.at - days(2))
    }

    /// Somebody new, whose account nobody asked for.
    fn newcomer_called(&mut self, login: String, from: Timestamp) -> IdentityIndex {
        let random = &mut self.chronicle.random;
        let n = self.chronicle.company.identities.len();
        let department = n % self.chronicle.company.departments.len();
        let identity = Identity {
            nature: Nature::Lookalike,
            okta_id: random.okta_id("00u"),
            login,
            first_name: random.pick(&FIRST_NAMES).0.into(),
            last_name: random.pick(&LAST_NAMES).0.into(),
            job_title: "Lookalike".into(),
            department,
            manager: Some(self.chronicle.company.departments[department].head),
            freshservice_id: 21_000_400_000 + 7 * n as u64,
            helpdesk: false,
            known_from: Some(from),
            from,
            until: None,
        };
        self.chronicle.company.identities.push(identity);
        let who = IdentityIndex(n);
        let admin = self.chronicle.admin(who);
        let at = from + self.chronicle.random.milliseconds();
        self.chronicle.give(at, admin, who, Access::Account, Basis::NONE);
        who
    }
}
