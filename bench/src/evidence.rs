//! What evidence costs whoever writes and verifies it: of an identity with 1,000 records, in a ledger of many.

use std::path::Path;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use counterfoil_ledger::Sealing;
use counterfoil_proto::v1::EntityKind;
use counterfoil_query::{Page, Query, Views};
use counterfoil_scenario::okta_history;
use counterfoil_verify::entity::EntityId;
use counterfoil_verify::evidence::{Asked, Question, verify};
use counterfoil_verify::policy::Policy;
use counterfoil_verify::time::{Moment, OccurredAt};
use counterfoil_verify::tree::TreeSize;

use crate::figure::{Figure, Rounds};
use crate::state::find;
use crate::stopwatch::{median, tell, timed, timed_briefly};
use crate::subject;

/// Records of the identity whose state is shown.
const RECORDS: usize = 1_000;
const LOGIN: &str = "long@example.com";
/// How often its evidence is written and verified.
const ROUNDS: usize = 50;
/// How many entities are proved.
const PROOFS: usize = 4_000;
/// After everything.
const AT_LAST: OccurredAt = OccurredAt(Moment { seconds: i32::MAX as i64, nanos: 0 });

/// The figures, beside so many other events of a file.
pub fn measure(folder: &Path, file: &Path, events: usize) -> Result<Vec<Figure>> {
    let location = subject::create(&folder.join("evidence"))?;
    let ledger = subject::open_sealing(&location, Sealing::AtTheEnd)?;
    let history = folder.join("evidence.jsonl");
    std::fs::write(&history, okta_history(1, LOGIN, RECORDS))?;
    subject::import_okta(&ledger, file, events)?;
    subject::import_okta(&ledger, &history, RECORDS)?;
    drop(ledger);
    let ledger = subject::open_sealing(&location, Sealing::AtTheEnd)?;
    let views = Views::open(&location.views(), ledger.reader())?;
    views.catch_up(&mut |_, _| ())?;
    let query = views.query()?;
    let policy = Policy::parse(&std::fs::read(location.policy())?)?;
    let mut figures = of_a_state(&query, &policy)?;
    figures.push(of_entities(&query)?);
    Ok(figures)
}

fn of_a_state(query: &Query<'_>, policy: &Policy) -> Result<Vec<Figure>> {
    let entity = find(query, LOGIN)?;
    let asked = Asked { at: 0, by: "bench".to_owned(), about: LOGIN.to_owned() };
    let question = Question::State { entity: entity.clone(), at: Some(AT_LAST), known_at: None };
    let (mut written, mut verified) = (Vec::new(), Vec::new());
    let (mut proofs, mut records) = (0, 0);
    for _ in 0..ROUNDS {
        let (taken, (_, bytes)) = timed(|| Ok(query.evidence(question.clone(), TreeSize(0), &asked)?))?;
        written.push(taken);
        let (taken, shown) = timed(|| Ok(verify(&bytes, policy)?))?;
        verified.push(taken);
        let count = shown.histories.get(&entity).copied().unwrap_or_default();
        ensure!(count as usize >= RECORDS, "expected the history of {RECORDS} records, got {count}");
        (proofs, records) = (member(&bytes, b"proofs")?, member(&bytes, b"records")?);
    }
    let millis = |times: Vec<Duration>| median(times).as_secs_f64() * 1e3;
    tell(&format!("{records} bytes of records, {proofs} of proofs"));
    Ok(vec![
        Figure::plain(&format!("evidence for a state with {RECORDS} records, written"), millis(written), "ms"),
        Figure::within(100.0, "… verified", millis(verified), "ms"),
        Figure::within(0.1 * records as f64 + 8_192.0, "… its proofs", proofs as f64, "bytes"),
    ])
}

/// What the map says about one entity, against its state.
fn of_entities(query: &Query<'_>) -> Result<Figure> {
    let page = Page { size: 10_000, token: String::new() };
    let listed = query.identities(Some("okta"), None, &page)?.identities;
    let entities: Vec<EntityId> = listed.iter().filter_map(|party| party.id.parse().ok()).collect();
    let accounts: Vec<_> = entities.iter().filter(|entity| entity.kind() == EntityKind::Account).collect();
    ensure!(!accounts.is_empty(), "expected accounts");
    let mut rounds = Rounds::default();
    for number in 0..PROOFS {
        let entity = accounts.get(number * 7_919 % accounts.len()).context("an account")?;
        let proved = timed_briefly(|| Ok(query.entity_proof(entity, TreeSize(0))?))?;
        let asked = timed_briefly(|| Ok(query.state(entity, AT_LAST, None)?))?;
        rounds.push(proved, asked);
    }
    Ok(rounds.at_most(3.0, "proof of an entity, made, against its state"))
}

/// The size of a member of an evidence file, by the header before it (PKWARE APPNOTE 4.3.7). The manifest names members too.
fn member(file: &[u8], name: &[u8]) -> Result<u32> {
    let is_header = |bytes: &[u8]| bytes.starts_with(b"PK\x03\x04") && bytes.ends_with(name);
    let at = file.windows(30 + name.len()).position(is_header).context("the member is there")?;
    let size = file.get(at + 18..).and_then(|bytes| bytes.first_chunk()).context("a header")?;
    Ok(u32::from_le_bytes(*size))
}
