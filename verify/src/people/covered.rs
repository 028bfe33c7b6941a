//! Everything that is one person's at a moment.
//!
//! Owns what a question about a person covers, and how each part of it came to be theirs. Of what records contradict each
//! other about it shows every side, and goes no further from there.

use std::rc::Rc;

use counterfoil_proto::v1::EntityKind;

use crate::entity::EntityId;
use crate::identity::contested;
use crate::people::{Aliases, Asked, People, Step, Told};
use crate::state::LinkState;
use crate::time::OccurredAt;
use crate::tree::TreeSize;

/// What a question about a person covers.
#[derive(Debug)]
pub struct Covered {
    /// The person; or whoever the question names, where nobody says whose that is, or several records do.
    pub whose: EntityId,
    /// What else is theirs, in ascending order.
    pub members: Vec<Member>,
    /// More is theirs than was followed.
    pub is_cut: bool,
}

/// Something that is a person's.
#[derive(Debug)]
pub struct Member {
    /// What it is.
    pub entity: EntityId,
    /// How one comes from the person to it.
    pub steps: Vec<Rc<Step>>,
    /// Who else has it, by other records.
    pub contested_by: Vec<LinkState>,
}

impl Covered {
    /// The person and all that is theirs.
    pub fn entities(&self) -> Vec<EntityId> {
        let members = self.members.iter().map(|member| member.entity.clone());
        std::iter::once(self.whose.clone()).chain(members).collect()
    }
}

impl<T: Told> People<T> {
    /// What a question about a person covers: that of an account, or of whatever else is somebody's, is about whose it is.
    ///
    /// # Errors
    /// Of whoever tells of them.
    pub fn covered(&mut self, entity: &EntityId, at: OccurredAt, known: TreeSize) -> Result<Covered, T::Error> {
        let mut whose = entity.clone();
        let mut aliases = self.aliases(vec![whose.clone()], at, known)?;
        if entity.kind() != EntityKind::Person {
            let mut persons = aliases.entities().iter().filter(|one| one.kind() == EntityKind::Person);
            if let (Some(person), None) = (persons.next(), persons.next()) {
                whose = person.clone();
                aliases = self.aliases(vec![whose.clone()], at, known)?;
            }
        }
        // What is contested is said to be so, also where an address leads there as well.
        let mut members = self.claimed(&aliases, at, known)?;
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

    /// What records say is one of these persons', and others say is somebody else's.
    fn claimed(&mut self, aliases: &Aliases, at: OccurredAt, known: TreeSize) -> Result<Vec<Member>, T::Error> {
        let mut asked = Asked::new(at, known);
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
