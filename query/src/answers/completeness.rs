//! How complete the inventory is: of each of its parts how many there are, and how many of them lack what.
//!
//! Owns what is counted, and where. What one lacks, the inventory and the paths say.

use std::collections::BTreeMap;

use counterfoil_proto::v1::{
    EntityKind, GapCount, GetInventoryReportResponse, InventoryCount, InventoryPart, RegisterGap,
};
use counterfoil_verify::time::{OccurredAt, RecordedAt};

use crate::answers::Query;
use crate::answers::nhi::Inventory;
use crate::error::Result;
use crate::views::nhi;

/// How many of the list are read at once.
const READ_MAX: usize = 1_000;

/// What was counted of a part of the inventory, in one system or in all of them.
#[derive(Default)]
struct Counted {
    count: u64,
    without_gap: u64,
    gaps: BTreeMap<RegisterGap, u64>,
}

/// By the part, and by the system: an empty one for all of them.
struct Report(BTreeMap<(InventoryPart, String), Counted>);

impl Query<'_> {
    /// How complete the inventory is at a moment.
    pub fn inventory_report(&self, at: OccurredAt, known: Option<RecordedAt>) -> Result<GetInventoryReportResponse> {
        let size = self.known_size(known)?;
        let mut inventory = Inventory::new(self, at, size);
        let (mut report, mut cut) = (Report::new(), false);
        let mut entities = nhi::after(&self.view, &[], size, READ_MAX)?;
        while let Some(last) = entities.last() {
            for entity in &entities {
                let Some(one) = inventory.one(entity)? else { continue };
                let is_credential = entity.kind() == EntityKind::Credential;
                let part = if is_credential { InventoryPart::Credentials } else { InventoryPart::Identities };
                report.add(part, entity.system(), one.gaps());
                for path in inventory.paths(entity, &one)? {
                    report.add(InventoryPart::Paths, &path.system, path.gaps());
                    cut |= path.cut;
                }
            }
            entities = nhi::after(&self.view, last.as_bytes(), size, READ_MAX)?;
        }
        Ok(GetInventoryReportResponse {
            basis: Some(self.basis()),
            moment: Some(self.moment(Some(at), known, size)?),
            counts: report.0.into_iter().map(|((part, system), counted)| counted.message(part, system)).collect(),
            cut,
        })
    }
}

impl Report {
    /// Each part has its line, also where there is nothing of it.
    fn new() -> Self {
        let parts = [InventoryPart::Identities, InventoryPart::Credentials, InventoryPart::Paths];
        Self(parts.map(|part| ((part, String::new()), Counted::default())).into())
    }

    fn add(&mut self, part: InventoryPart, system: &str, gaps: impl Iterator<Item = RegisterGap> + Clone) {
        for system in [Some(""), Some(system).filter(|system| !system.is_empty())].into_iter().flatten() {
            self.0.entry((part, system.to_owned())).or_default().add(gaps.clone());
        }
    }
}

impl Counted {
    fn add(&mut self, gaps: impl Iterator<Item = RegisterGap>) {
        self.count += 1;
        let mut gaps = gaps.peekable();
        self.without_gap += u64::from(gaps.peek().is_none());
        gaps.for_each(|gap| *self.gaps.entry(gap).or_default() += 1);
    }

    fn message(self, part: InventoryPart, system: String) -> InventoryCount {
        let gap = |(gap, count): (RegisterGap, u64)| GapCount { gap: gap.into(), count };
        InventoryCount {
            part: part.into(),
            system,
            count: self.count,
            without_gap: self.without_gap,
            gaps: self.gaps.into_iter().map(gap).collect(),
        }
    }
}
