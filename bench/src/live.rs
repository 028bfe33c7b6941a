//! What it costs to compare live access with the log and the approvals.

use std::fs::File;
use std::io::{BufWriter, Write};
use std::path::Path;

use anyhow::{Result, ensure};
use counterfoil_ingest::sources::file::Input;
use counterfoil_ledger::Ledger;
use counterfoil_query::{Page, Views};
use counterfoil_verify::entity::EntityId;
use counterfoil_verify::time::{Moment, OccurredAt};

use crate::figure::Figure;
use crate::stopwatch::{computed, median, tell, timed};
use crate::subject;
use crate::tenant::Tenant;

/// On one core: what 100,000 live grants may take.
const SECONDS_PER_GRANT: f64 = 2.0 / 100_000.0;
const ROUNDS: usize = 3;

/// Reconciliation of so many grants, by itself and against asking who holds each entitlement.
pub fn measure(folder: &Path, grants: usize) -> Result<Vec<Figure>> {
    let tenant = Tenant::with_grants(grants);
    let grants = tenant.grants();
    let location = subject::create(&folder.join("live"))?;
    let ledger = subject::open(&location)?;
    let (loading, taking) = {
        let (tickets, log) = (folder.join("tickets.jsonl"), folder.join("log.jsonl"));
        write(&tickets, |out| tenant.write_tickets(out))?;
        write(&log, |out| tenant.write_log(out))?;
        let (loading, _) = timed(|| {
            subject::import(&ledger, "freshservice", &tickets, tenant.tickets())?;
            subject::import(&ledger, "okta", &log, grants)
        })?;
        (loading, timed(|| take_listings(&ledger, &tenant, folder))?.0)
    };
    let views = Views::open(&location.views(), ledger.reader())?;
    let (projecting, _) = timed(|| Ok(views.catch_up(&mut |_, _| ())?))?;
    tell(&format!("{grants} grants: imported in {loading:.2?}, listed in {taking:.2?}, views {projecting:.2?}"));

    let query = views.query()?;
    let at = OccurredAt(Moment { seconds: i64::from(i32::MAX), nanos: 0 });
    let entitlements = (0..tenant.entitlements())
        .map(|number| Ok(format!("entitlement:okta:default:{}", tenant.entitlement(number)).parse::<EntityId>()?))
        .collect::<Result<Vec<_>>>()?;
    let (mut ours, mut baseline) = (Vec::new(), Vec::new());
    for round in 1..=ROUNDS {
        let page = Page { size: usize::MAX, token: String::new() };
        let (asked, held) = computed(|| {
            let holders = |entitlement| Ok(query.holders(entitlement, at, None, &page)?.holders.len());
            entitlements.iter().map(holders).sum::<Result<usize>>()
        })?;
        let (compared, answer) = computed(|| Ok(query.reconcile("okta", None, at, None)?))?;
        let total = answer.total.unwrap_or_default();
        let expected = (tenant.approved() as u64, (grants - tenant.approved()) as u64);
        ensure!((total.approved, total.unapproved) == expected, "expected {expected:?}, got {total:?}");
        ensure!(held == grants && answer.items.len() == grants, "expected {grants} holders and items, got {held}");
        tell(&format!("round {round}: reconciled in {compared:.2?}, listed the holders in {asked:.2?}"));
        ours.push(compared);
        baseline.push(asked);
    }
    let name = format!("reconcile {grants} live grants, on one core");
    let ours = median(ours).as_secs_f64();
    Ok(vec![
        Figure::within(SECONDS_PER_GRANT * grants as f64, &name, ours, "s"),
        Figure::plain("list the holders of as many", median(baseline).as_secs_f64(), "s"),
        Figure::plain("take listings of as many", grants as f64 / taking.as_secs_f64(), "items/s"),
    ])
}

fn take_listings(ledger: &Ledger, tenant: &Tenant, folder: &Path) -> Result<()> {
    let mut inputs = Vec::with_capacity(tenant.entitlements());
    for entitlement in 0..tenant.entitlements() {
        let file = folder.join(format!("listing{entitlement}"));
        std::fs::write(&file, tenant.listing(entitlement))?;
        inputs.push(Input::new(&file));
    }
    subject::take_okta(ledger, &inputs)
}

fn write(path: &Path, content: impl FnOnce(&mut BufWriter<File>) -> std::io::Result<()>) -> Result<()> {
    let mut file = BufWriter::new(File::create(path)?);
    content(&mut file)?;
    Ok(file.flush()?)
}
