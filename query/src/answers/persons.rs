//! Everything that is one person's at a moment.
//!
//! Owns what a question about a person covers, and how each part of it came to be theirs. Of what records contradict each
//! other about it shows every side, and goes no further from there.

use std::rc::Rc;

use counterfoil_proto::Shared;
use counterfoil_proto::v1::{EntityKind, GetStateResponse, IdentityStep, LinkedState, MemberState, Party};
use counterfoil_verify::entity::EntityId;
use counterfoil_verify::identity::contested;
use counterfoil_verify::state::{LinkState, State};
use counterfoil_verify::time::{OccurredAt, RecordedAt};
use counterfoil_verify::tree::TreeSize;

use crate::answers::Query;
use crate::answers::aliases::{Aliases, Step};
use crate::answers::convert::{evidence, rule_use};
use crate::answers::parties::Parties;
use crate::answers::people::{Asked, People, Span};
use crate::error::Result;

/// What a question about a person covers.
pub(crate) struct Covered {
    /// The person; or whoever the question names, where nobody says whose that is, or several records do.
    pub(crate) whose: EntityId,
    /// What else is theirs, in ascending order.
    pub(crate) members: Vec<Member>,
    /// More is theirs than was followed.
    pub(crate) is_cut: bool,
}

/// Something that is a person's.
pub(crate) struct Member {
    pub(crate) entity: EntityId,
    /// How one comes from the person to it.
    steps: Vec<Rc<Step>>,
    /// Who else has it, by other records.
    contested_by: Vec<LinkState>,
}

impl Covered {
    /// The person and all that is theirs.
    pub(crate) fn entities(&self) -> Vec<EntityId> {
        let members = self.members.iter().map(|member| member.entity.clone());
        std::iter::once(self.whose.clone()).chain(members).collect()
    }
}

impl Query<'_> {
    /// What the log says about a person, or about whoever else an entity is at a moment, with all that is theirs then.
    pub fn state_of_person(
        &self,
        entity: &EntityId,
        at: OccurredAt,
        known: Option<RecordedAt>,
    ) -> Result<GetStateResponse> {
        let size = self.known_size(known)?;
        let covered = self.covered(entity, at, size)?;
        let parties = self.parties(size);
        let mut state = self.state_message(&covered.whose, at, size)?;
        for member in &covered.members {
            state.members.push(MemberState {
                state: Some(self.state_message(&member.entity, at, size)?),
                steps: member.steps.iter().map(|step| parties.identity_step(step)).collect::<Result<_>>()?,
                contested_by: member.contested_by.iter().map(|by| parties.linked(by, true)).collect::<Result<_>>()?,
            });
        }
        state.members_cut = covered.is_cut;
        Ok(GetStateResponse {
            basis: Some(self.basis()),
            moment: Some(self.moment(Some(at), known, size)?),
            state: Some(state),
        })
    }

    /// What a question about a person covers: that of an account, or of whatever else is somebody's, is about whose it is.
    pub(crate) fn covered(&self, entity: &EntityId, at: OccurredAt, size: TreeSize) -> Result<Covered> {
        let mut people = People::new(self);
        let mut whose = entity.clone();
        let mut aliases = people.aliases(vec![whose.clone()], at, size)?;
        if entity.kind() != EntityKind::Person {
            let mut persons = aliases.entities().iter().filter(|one| one.kind() == EntityKind::Person);
            if let (Some(person), None) = (persons.next(), persons.next()) {
                whose = person.clone();
                aliases = people.aliases(vec![whose.clone()], at, size)?;
            }
        }
        // What is contested is said to be so, also where an address leads there as well.
        let mut members = people.claimed(&aliases, at, size)?;
        let others = aliases.entities().iter().filter(|one| **one != whose && is_somebody(one));
        members.extend(others.map(|one| Member {
            entity: one.clone(),
            steps: aliases.steps(one),
            contested_by: Vec::new(),
        }));
        members.sort_by(|one, other| one.entity.cmp(&other.entity));
        members.dedup_by(|later, first| later.entity == first.entity);
        Ok(Covered { whose, members, is_cut: aliases.is_cut })
    }
}

impl People<'_, '_> {
    /// What records say is one of these persons', and others say is somebody else's.
    fn claimed(&mut self, aliases: &Aliases, at: OccurredAt, known: TreeSize) -> Result<Vec<Member>> {
        let mut asked = Asked { at, known, span: Span::ALWAYS };
        let mut claimed = Vec::new();
        for person in aliases.entities().iter().filter(|one| one.kind() == EntityKind::Person) {
            let links = self.traits_at(person, &mut asked)?.map(|state| state.linked).unwrap_or_default();
            for link in links.values() {
                let Ok(other) = link.counterpart.parse::<EntityId>() else { continue };
                let others = self.traits_at(&other, &mut asked)?.map(|state| state.linked).unwrap_or_default();
                let (own, against): (Vec<&LinkState>, Vec<&LinkState>) =
                    contested(&other, &others).into_iter().partition(|by| by.counterpart == person.to_text());
                if own.is_empty() {
                    continue;
                }
                let against: Vec<LinkState> = against.into_iter().cloned().collect();
                let step = |from: &EntityId, to: &EntityId, record| {
                    Rc::new(Step { from: from.clone(), to: to.clone(), record, rule: None, before: None })
                };
                let first = step(person, &other, link.evidence.index);
                let mut claim = |entity: EntityId, further: Option<Rc<Step>>| {
                    let steps = aliases.steps(person).into_iter().chain([first.clone()]).chain(further).collect();
                    claimed.push(Member { entity, steps, contested_by: against.clone() });
                };
                let Some(token) = other.token() else {
                    claim(other, None);
                    continue;
                };
                for (meant, record) in self.meant_by(&token, false, &mut asked)? {
                    if (meant.system(), meant.instance()) == (link.system.as_str(), link.instance.as_str()) {
                        let further = step(&other, &meant, record);
                        claim(meant, Some(further));
                    }
                }
            }
        }
        Ok(claimed)
    }
}

/// Whether an entity is somebody or something that can act or hold access, rather than what it is called.
fn is_somebody(entity: &EntityId) -> bool {
    matches!(entity.kind(), EntityKind::Person | EntityKind::Account | EntityKind::Credential | EntityKind::Integration)
}

impl Parties<'_, '_> {
    fn identity_step(&self, step: &Step) -> Result<IdentityStep> {
        Ok(IdentityStep {
            from: Some(self.party(&step.from)?),
            to: Some(self.party(&step.to)?),
            record: step.record,
            rule: step.rule.as_deref().map(rule_use),
        })
    }

    /// Whom an entity is linked with.
    pub(crate) fn links(&self, entity: &EntityId, state: &State) -> Result<Vec<LinkedState>> {
        let contradicted = contested(entity, &state.linked);
        state.linked.values().map(|link| self.linked(link, contradicted.contains(&link))).collect()
    }

    fn linked(&self, link: &LinkState, is_contested: bool) -> Result<LinkedState> {
        Ok(LinkedState {
            party: self.of(&link.counterpart)?,
            evidence: Some(evidence(&link.evidence)),
            contested: is_contested,
            system: link.system.clone(),
            instance: link.instance.clone(),
        })
    }

    /// The names of several.
    pub(crate) fn parties(&self, entities: &[EntityId]) -> Result<Vec<Shared<Party>>> {
        entities.iter().map(|entity| self.party(entity)).collect()
    }
}
