//! What the views tell of who is who.
//!
//! Owns where each single thing is read. What follows from it, `verify::people` says.

use std::collections::BTreeSet;

use counterfoil_proto::v1::EntityKind;
use counterfoil_verify::entity::EntityId;
use counterfoil_verify::identifier::Token;
use counterfoil_verify::mention::Runs;
use counterfoil_verify::people::{self, Told, Traits as _};
use counterfoil_verify::replay::FactAt;
use counterfoil_verify::state::RuleState;
use counterfoil_verify::time::{Moment, OccurredAt};
use counterfoil_verify::tree::{RecordIndex, TreeSize};

use crate::answers::Query;
use crate::answers::judge::{PlacedDelta, TicketRows};
use crate::error::{QueryError, Result};
use crate::views::database::View;
use crate::views::keys::Position;
use crate::views::recent::Standing;
use crate::views::traits::Traits;
use crate::views::{changes, correlations, histories, names, watermarks};

/// Who is who, by what the views hold at one moment.
pub(crate) type People<'q, 'a> = people::People<Viewed<'q, 'a>>;

/// What the views tell.
pub(crate) struct Viewed<'q, 'a> {
    view: &'q View<'a>,
    standing: &'q Standing,
    /// How many records they hold.
    size: TreeSize,
}

impl<'a> Query<'a> {
    /// Who is who.
    pub(crate) fn people(&self) -> People<'_, 'a> {
        People::new(self.viewed())
    }

    /// What the views tell.
    pub(crate) fn viewed(&self) -> Viewed<'_, 'a> {
        Viewed { view: &self.view, standing: &self.standing, size: self.basis.size }
    }
}

impl Query<'_> {
    /// The matching rules that were ever declared by the first `known` records.
    pub(crate) fn rules(&self, known: TreeSize) -> Result<Vec<EntityId>> {
        rules(&self.view, &self.standing, known)
    }
}

fn rules(view: &View<'_>, standing: &Standing, known: TreeSize) -> Result<Vec<EntityId>> {
    let mut rules = Vec::new();
    for (system, instance) in &standing.ruled {
        rules.extend(names::of_kind(view, EntityKind::Rule, (system.as_str(), instance.as_str()), "", known)?);
    }
    Ok(rules)
}

impl<'q, 'a> Told for Viewed<'q, 'a> {
    type Error = QueryError;
    type Traits = Traits;
    type Ticket = TicketRows<'q, 'a>;
    type Fact = PlacedDelta;

    fn traits(&self, entity: &EntityId) -> Result<Traits> {
        Traits::read(self.view, entity)
    }

    fn identifiers(&self, entity: &EntityId) -> Result<Vec<(Token, RecordIndex)>> {
        names::identifiers_of(self.view, entity)
    }

    fn bindings(&self, token: &Token) -> Result<Vec<(EntityId, Position)>> {
        names::bindings_of(self.view, token)
    }

    fn counts(&self, place: &Position, known: TreeSize) -> bool {
        self.view.counts(place, known)
    }

    fn runs(&self, entity: &EntityId, known: TreeSize) -> Result<Option<Runs>> {
        histories::runs(self.view, entity, known)
    }

    fn requests(&self, beneficiary: &EntityId) -> Result<Vec<EntityId>> {
        changes::requests_for(self.view, beneficiary)
    }

    fn ticket(&self, ticket: &EntityId) -> Result<TicketRows<'q, 'a>> {
        TicketRows::read(self.view, ticket)
    }

    fn tickets_with(&self, fact: &FactAt<'_>, known: TreeSize) -> Result<BTreeSet<EntityId>> {
        correlations::tickets_with(self.view, fact, known)
    }

    fn tickets_known_until(&self, known: TreeSize) -> Result<Option<Moment>> {
        match known == self.size {
            true => Ok(self.standing.tickets_known_until),
            false => watermarks::tickets_known_until(self.view, known),
        }
    }

    /// Whenever they were declared, they say how evidence is read from then on.
    fn declared_rules(&self, known: TreeSize) -> Result<Vec<(EntityId, RuleState)>> {
        let mut declared = Vec::new();
        for rule in rules(self.view, self.standing, known)? {
            let state = self.traits(&rule)?.at(OccurredAt(Moment::MAX), known);
            declared.extend(state.rule.map(|declared| (rule, declared)));
        }
        Ok(declared)
    }
}
