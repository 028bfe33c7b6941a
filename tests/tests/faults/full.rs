//! A disk is full: appends are refused and say so, health says so, reads go on, and once there is room appends go on by
//! themselves.

use std::fs::{self, File};
use std::io::{ErrorKind, Write};
use std::path::{Path, PathBuf};
use std::process::Command;

use counterfoil_ledger::Location;
use counterfoil_proto::v1::GetStateRequest;
use counterfoil_proto::v1::identity_service_client::IdentityServiceClient;
use counterfoil_proto::v1::ingest_service_client::IngestServiceClient;
use counterfoil_query::services::reason_of;
use counterfoil_tests::campaign::Campaign;
use counterfoil_tests::feed::{Feed, call, event, post};
use counterfoil_tests::http::{Answer, curl, curl_with};
use counterfoil_tests::kafka::until;
use counterfoil_tests::program::{LedgerFolder, ORIGIN};
use counterfoil_tests::server::Server;
use counterfoil_tests::{okta, oracle};
use rand_chacha::rand_core::Rng;
use tempfile::TempDir;
use tonic::Code;
use tonic::transport::Channel;
use tonic_health::pb::HealthCheckRequest;
use tonic_health::pb::health_check_response::ServingStatus;
use tonic_health::pb::health_client::HealthClient;

/// Room for three databases, and for what RocksDB wants free before it writes again: 64 MiB.
const DISK: &str = "size=160m";
/// Room for an anchor.
const SMALL_DISK: &str = "size=64k";
/// A disk that is full takes fewer events than these.
const EVENTS_MAX: usize = 2_000;

/// A ledger that has a part of it on a disk of its own.
struct Place {
    // They go away in this order.
    ledger: LedgerFolder,
    disk: Disk,
    _mounted: TempDir,
    location: Location,
    /// A full disk still has so many bytes, at most. That of an anchor has none: an anchor needs next to nothing.
    spare: u64,
}

/// A file system in memory.
struct Disk(PathBuf);

impl Disk {
    /// None where mounting is not allowed, which `scripts/test` says; in CI nothing may be left out.
    fn mount(folder: &Path, size: &str) -> Option<Self> {
        let mounted = Command::new("mount").args(["-t", "tmpfs", "-o", size, "tmpfs"]).arg(folder).output();
        let is_mounted = mounted.is_ok_and(|mounted| mounted.status.success());
        let is_ci = std::env::var_os("CI").is_some_and(|ci| ci == "true");
        assert!(is_mounted || !is_ci, "no file system can be mounted: run this as root");
        is_mounted.then(|| Self(folder.to_owned()))
    }

    /// Fills it, but for so many bytes.
    fn fill(&self, but: usize) {
        let keep = self.0.join("keep");
        fs::write(&keep, vec![1; but]).unwrap();
        let mut file = File::create(self.0.join("filler")).unwrap();
        let bytes = vec![1; 1 << 20];
        let full = (0..).find_map(|_| file.write(&bytes).err()).unwrap();
        assert_eq!(full.kind(), ErrorKind::StorageFull);
        fs::remove_file(keep).unwrap();
    }

    fn free(&self) {
        fs::remove_file(self.0.join("filler")).unwrap();
    }
}

impl Drop for Disk {
    fn drop(&mut self) {
        // What still has files there keeps them.
        let _ = Command::new("umount").arg("--lazy").arg(&self.0).status();
    }
}

impl Place {
    /// A new ledger: its anchor is on the disk, or else everything is.
    fn new(is_anchor: bool) -> Option<Self> {
        let mounted = tempfile::tempdir().unwrap();
        let disk = Disk::mount(mounted.path(), if is_anchor { SMALL_DISK } else { DISK })?;
        let ledger = match is_anchor {
            true => LedgerFolder::empty(),
            false => LedgerFolder { folder: tempfile::tempdir_in(mounted.path()).unwrap() },
        };
        let anchor = if is_anchor { mounted.path().join("anchor") } else { ledger.beside("ledger.anchor") };
        ledger.run(&["init", "--origin", ORIGIN, "--anchor", anchor.to_str().unwrap()]).ended(0);
        let location = Location::new(&ledger.data(), Some(&anchor));
        let spare = if is_anchor { 0 } else { 128 << 10 };
        Some(Self { ledger, disk, _mounted: mounted, location, spare })
    }

    fn serve(&self) -> Server {
        let anchor = self.location.anchor.to_str().unwrap();
        let server = Server::start_with(&self.ledger, &["--listen", "127.0.0.1:0", "--anchor", anchor]);
        until("it is ready", || ready(&server).status == 200);
        server
    }
}

#[test]
fn a_full_disk_stops_appends_and_nothing_else_until_there_is_room() {
    let campaign = Campaign::new("a disk is full", 2, 20);
    let mut acknowledged = 0;
    for case in 0..campaign.count() {
        let Some(place) = Place::new(case % 2 == 1) else {
            eprintln!("SKIPPED: the test of a full disk: mounting is not allowed");
            return;
        };
        let feed = Feed::default();
        check(&place, &feed, &mut campaign.random(case), case % 4 >= 2);
        acknowledged += feed.acknowledged().len();
        campaign.passed();
    }
    campaign
        .end(&format!("each refused with a reason, then taken; {acknowledged} events acknowledged: 0 lost, 0 doubled"));
}

/// Fills the disk while a server runs, and makes room again, for the same one or for the one after it.
fn check(place: &Place, feed: &Feed, random: &mut impl Rng, is_killed: bool) {
    let server = place.serve();
    (0..5).for_each(|_| assert!(feed.send(|number| post(&server.address, number))));
    server.stop();
    // RocksDB takes room in advance with the first write: there is none.
    let server = place.serve();
    place.disk.fill((random.next_u64() % (place.spare + 1)) as usize);

    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let channel = runtime.block_on(Channel::from_shared(server.url()).unwrap().connect()).unwrap();
    let mut ingest = IngestServiceClient::new(channel.clone());
    let mut refusal = None;
    for _ in 0..EVENTS_MAX {
        let is_taken = feed.send(|number| match runtime.block_on(call(&mut ingest, number)) {
            Ok(place) => Some(place),
            Err(status) => {
                refusal = Some(status);
                None
            }
        });
        if !is_taken {
            break;
        }
    }
    let refusal = refusal.expect("a full disk takes no more events");
    assert_eq!((refusal.code(), reason_of(&refusal).as_deref()), (Code::Unavailable, Some("NO_SPACE")), "{refusal:?}");
    assert!(refusal.message().contains("there is no room left on a disk of the ledger"), "{refusal:?}");
    assert!(!format!("{refusal:?}").contains(place.ledger.folder.path().to_str().unwrap()), "which one is not told");
    let kind = ["--header", "Content-Type: application/json", "--data-binary", "@-"];
    let url = format!("{}/v1/ingest/okta", server.url());
    let answer = curl_with(&[&kind[..], &[&url]].concat(), &event(900_000));
    assert!(answer.error(503).contains("nothing was acknowledged; send it again later"), "{answer}");

    let not_ready = ready(&server);
    assert_eq!(not_ready.status, 503, "{not_ready}");
    assert!(String::from_utf8_lossy(&not_ready.body).contains("until there is room on a disk"), "{not_ready}");
    let mut health = HealthClient::new(channel.clone());
    let mut serves = |service: &str| {
        let request = HealthCheckRequest { service: service.to_owned() };
        let answer = runtime.block_on(health.check(request)).unwrap().into_inner();
        answer.status() == ServingStatus::Serving
    };
    // Who follows the ledger's condition for the health service may be a moment later.
    until("the health service says so", || !serves("") && !serves("counterfoil.v1.IngestService"));
    assert!(serves("counterfoil.v1.LedgerService") && serves("counterfoil.v1.IdentityService"), "reads go on");
    let known = feed.acknowledged().len() as u64;
    let asked = GetStateRequest { who: okta::login(1), min_tree_size: 1 + known, ..GetStateRequest::default() };
    let state = runtime.block_on(IdentityServiceClient::new(channel).get_state(asked)).unwrap().into_inner();
    assert_eq!(state.basis.unwrap().tree_size, 1 + known, "what was acknowledged, and no more");

    let server = if is_killed {
        server.kill();
        // Without room it may start or say why not.
        place.ledger.run(&["checkpoint", "--anchor", place.location.anchor.to_str().unwrap()]);
        place.disk.free();
        place.serve()
    } else {
        place.disk.free();
        until("there is room again", || ready(&server).status == 200);
        server
    };
    assert!(feed.settle(&server.address) && feed.send(|number| post(&server.address, number)));
    let log = server.stop();
    if !is_killed {
        assert_eq!(log.matches("a disk is full").count(), 1, "told once: {log}");
        assert_eq!(log.matches("there is room again").count(), 1, "{log}");
    }
    let mut sent = feed.sent();
    // It was refused, and is there only if it was durable by then.
    sent.push(okta::uuid(900_000));
    assert!(oracle::check(&place.location, &sent, &feed.acknowledged()) <= 1);
}

fn ready(server: &Server) -> Answer {
    curl(&[format!("{}/readyz", server.url())])
}
