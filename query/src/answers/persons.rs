//! Everything that is one person's at a moment.
//!
//! Owns the message. What a question about a person covers, `verify::people` says.

use counterfoil_proto::Shared;
use counterfoil_proto::v1::{GetStateResponse, IdentityStep, LinkedState, MemberState, Party};
use counterfoil_verify::entity::EntityId;
use counterfoil_verify::identity::contested;
use counterfoil_verify::people::{Covered, Step};
use counterfoil_verify::state::{LinkState, State};
use counterfoil_verify::time::{OccurredAt, RecordedAt};
use counterfoil_verify::tree::TreeSize;

use crate::answers::Query;
use crate::answers::convert::{evidence, rule_use};
use crate::answers::parties::Parties;
use crate::error::Result;

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

    /// What a question about a person covers.
    pub(crate) fn covered(&self, entity: &EntityId, at: OccurredAt, size: TreeSize) -> Result<Covered> {
        self.people().covered(entity, at, size)
    }
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
