//! `counterfoil export`: the whole log, as a folder of tiles.

use std::io::Write;
use std::time::Duration;

use anyhow::{Result, bail};
use counterfoil_ledger::{TileSource, export};
use counterfoil_verify::note::NOTE_BYTES_MAX;
use counterfoil_verify::tile::{BUNDLE_BYTES_MAX, Tile};
use http::StatusCode;

use crate::cli::ExportArguments;
use crate::client::Client;
use crate::exit::Exit;
use crate::open;
use crate::output;
use crate::words::counted;

/// How often a server that has no room is asked again, and how long after.
const TRIES_MAX: usize = 30;
const AGAIN_AFTER: Duration = Duration::from_secs(1);

pub fn run(arguments: &ExportArguments) -> Result<Exit> {
    let policy = arguments.policy.as_deref().map(open::policy).transpose()?;
    let bar = open::bar("Exporting", "records");
    let mut progress = |done, total| {
        bar.set_length(total);
        bar.set_position(done);
    };
    let exported = match Client::of_server(&arguments.ask)? {
        Some(client) => export(&mut Served(client), &arguments.to, policy.as_ref(), &mut progress),
        None => {
            let ledger = open::ledger(&open::location_of(&arguments.ask)?, false)?;
            export(&mut ledger.reader(), &arguments.to, policy.as_ref(), &mut progress).map_err(Into::into)
        }
    };
    bar.finish_and_clear();
    let exported = exported?;
    let head = &exported.checkpoint;
    let told = format!(
        "{} of {} in {}, {} of them new, root {}",
        counted(head.size.0, "record"),
        head.origin,
        arguments.to.display(),
        head.size.0 - exported.before.0,
        head.root.to_base64()
    );
    writeln!(std::io::stdout(), "{}", output::safe(&told))?;
    Ok(Exit::Done)
}

/// A server, or whoever else serves a tiled log.
struct Served(Client);

impl Served {
    /// Gets all of these, and asks again for what there was no room for.
    fn get(&self, paths: &[String], bytes_max: usize) -> Result<Vec<Vec<u8>>> {
        let mut got: Vec<Option<Vec<u8>>> = vec![None; paths.len()];
        for _ in 0..TRIES_MAX {
            let places: Vec<usize> = (0..got.len()).filter(|place| got[*place].is_none()).collect();
            if places.is_empty() {
                break;
            }
            let asked = places.iter().map(|place| paths[*place].clone()).collect();
            let mut is_busy = false;
            for (place, (status, sent)) in places.into_iter().zip(self.0.get(asked, bytes_max)?) {
                match status {
                    StatusCode::OK => got[place] = Some(sent),
                    StatusCode::SERVICE_UNAVAILABLE | StatusCode::TOO_MANY_REQUESTS => is_busy = true,
                    _ => bail!("{}", refusal(&paths[place], status, &sent)),
                }
            }
            if is_busy {
                self.0.pause(AGAIN_AFTER);
            }
        }
        match got.iter().position(Option::is_none) {
            None => Ok(got.into_iter().flatten().collect()),
            Some(place) => bail!("the server has no room for {}: try again later", paths[place]),
        }
    }
}

impl TileSource for Served {
    type Error = anyhow::Error;

    fn checkpoint(&mut self) -> Result<Vec<u8>> {
        Ok(self.get(&["/checkpoint".to_owned()], NOTE_BYTES_MAX)?.remove(0))
    }

    fn tiles(&mut self, tiles: &[Tile]) -> Result<Vec<Vec<u8>>> {
        let paths: Vec<String> = tiles.iter().map(|tile| format!("/tile/{tile}")).collect();
        self.get(&paths, BUNDLE_BYTES_MAX)
    }
}

/// What a server answers that gives nothing, in its own words where it has some.
fn refusal(path: &str, status: StatusCode, sent: &[u8]) -> String {
    let problem: Option<serde_json::Value> = serde_json::from_slice(sent).ok();
    let detail = problem.as_ref().and_then(|problem| problem["error"]["message"].as_str()).unwrap_or_default();
    match detail {
        "" => format!("the server answers {status} to {path}: expected a tiled log there (c2sp.org/tlog-tiles)"),
        detail => format!("the server answers {status} to {path}: {detail}"),
    }
}
