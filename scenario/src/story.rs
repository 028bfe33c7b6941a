//! The story for somebody with five minutes: an access that was explained and is gone, one that nobody approved, and one
//! whose end the log reports late. Plays it and finds it again. Its groups are nobody else's.

use jiff::Timestamp;

use crate::action::{ActionIndex, Basis};
use crate::approvals::{Pace, Panel};
use crate::calendar::{days, hours, minutes, whole_second, working};
use crate::case::{CaseIndex, Operation, Request};
use crate::chronicle::Chronicle;
use crate::company::{Access, IdentityIndex};
use crate::random::uuid_text;
use crate::truth::{Story, Verdict};

pub(crate) const LATE_FILE: &str = "okta/system-log-late.jsonl";

pub(crate) fn play(chronicle: &mut Chronicle) {
    let cast = &chronicle.company.cast;
    let (hero, latecomer, passer) = (cast.hero, cast.latecomer, cast.passer);
    let [explained, unapproved, export, command] = chronicle.company.story_groups.map(Access::Group);

    let (_, given) = gains(chronicle, hero, explained, 150);
    let removed = loses(chronicle, hero, explained, 550);
    let at = working_at(chronicle, 720);
    let admin = chronicle.admin(hero);
    let helped_itself = chronicle.give(at, admin, hero, unapproved, Basis::NONE);

    gains(chronicle, latecomer, export, 150);
    let late_removed = loses(chronicle, latecomer, export, 400);
    let (_, late_given) = gains(chronicle, passer, command, 200);
    let late_taken = loses(chronicle, passer, command, 450);
    for action in [late_removed, late_given, late_taken] {
        chronicle.actions[action.0].late = true;
    }

    let story = &mut chronicle.story;
    story.explained = Some(given);
    story.unapproved = Some(helped_itself);
    story.past_removed = Some(removed);
    story.late_removed = Some(late_removed);
}

/// Finds the story again; the tickets have their numbers by now.
pub(crate) fn tell(chronicle: &Chronicle) -> Story {
    let company = &chronicle.company;
    let action = |mark: Option<ActionIndex>| &chronicle.actions[mark.expect("the story has been played").0];
    let explained = action(chronicle.story.explained);
    let removed = action(chronicle.story.past_removed);
    let unapproved = action(chronicle.story.unapproved);
    let late = action(chronicle.story.late_removed);
    let [past_group, unapproved_group, late_group, _] = company.story_groups.map(Access::Group);
    let (hero, latecomer) = (company.of(company.cast.hero), company.of(company.cast.latecomer));
    let (_, agent_token) = chronicle.agent_tokens[0];
    let agent_token = &chronicle.tokens[agent_token];
    Story {
        identity_login: hero.login.clone(),
        identity_name: hero.display_name(),
        past_at: middle(explained.at, removed.at),
        past_entitlement: company.item(past_group),
        past_entitlement_name: company.name(past_group).to_owned(),
        past_removed_at: removed.at,
        explained_change_uuid: uuid_text(explained.uuid),
        explained_ticket: chronicle.ticket(explained.reference.expect("the explained change names its ticket")),
        unapproved_change_uuid: uuid_text(unapproved.uuid),
        unapproved_entitlement: company.item(unapproved_group),
        unapproved_entitlement_name: company.name(unapproved_group).to_owned(),
        late_file: LATE_FILE.to_owned(),
        late_identity_login: latecomer.login.clone(),
        late_identity_name: latecomer.display_name(),
        late_at: whole_second(late.at + days(2)),
        late_entitlement: company.item(late_group),
        late_entitlement_name: company.name(late_group).to_owned(),
        agent_login: company.of(agent_token.owner).login.clone(),
        agent_token_id: agent_token.id.clone(),
    }
}

/// Asked for, approved on two levels, given by the provisioner with a reference.
fn gains(chronicle: &mut Chronicle, who: IdentityIndex, access: Access, permille: i64) -> (CaseIndex, ActionIndex) {
    let (case, approved_at) = ask(chronicle, who, access, Operation::Add, permille);
    let at = approved_at + minutes(3);
    let provisioner = chronicle.provisioner(at);
    (case, chronicle.give(at, provisioner, who, access, Basis::explicit(Verdict::Approved, case)))
}

fn loses(chronicle: &mut Chronicle, who: IdentityIndex, access: Access, permille: i64) -> ActionIndex {
    let (case, approved_at) = ask(chronicle, who, access, Operation::Remove, permille);
    let at = approved_at + hours(1);
    let provisioner = chronicle.provisioner(at);
    chronicle.take(at, provisioner, who, access, Some(case))
}

fn ask(
    chronicle: &mut Chronicle,
    who: IdentityIndex,
    access: Access,
    operation: Operation,
    permille: i64,
) -> (CaseIndex, Timestamp) {
    let opened_at = working_at(chronicle, permille);
    let (verb, justification) = match operation {
        Operation::Add => ("Add", "On-call rotation starts Monday"),
        Operation::Remove => ("Remove", "Rotation is over"),
    };
    let subject =
        format!("{verb}: {} for {}", chronicle.company.name(access), chronicle.company.of(who).display_name());
    let request =
        Request { requester: who, beneficiary: who, items: vec![access], operation, subject, justification, opened_at };
    chronicle.approved(request, Panel::TwoLevels, Pace::Usual)
}

fn working_at(chronicle: &mut Chronicle, permille: i64) -> Timestamp {
    let at = chronicle.span.permille(permille).max(chronicle.span.start + days(4));
    working(&mut chronicle.random, at)
}

fn middle(from: Timestamp, to: Timestamp) -> Timestamp {
    whole_second(from + (from.duration_until(to)) / 2)
}
