//! How CloudTrail delivers: compressed files of `Records`, in the folders of its bucket. In them events stand in no order,
//! some come in a later file than their time, some come twice, and files do not come in their order either. Owns the
//! layout of this delivery. Decides nothing about what happened.

use std::collections::BTreeMap;
use std::io::Write;

use flate2::{Compression, GzBuilder};
use jiff::Timestamp;
use serde_json::{Value, json};

use super::{ACCOUNT, trail};
use crate::calendar::days;
use crate::chronicle::Chronicle;
use crate::random::Random;
use crate::truth::Counts;
use crate::{Delivery, File};

/// One file tells of so many days.
const DAYS: i64 = 7;

/// Every log file, in the order of import, and how much is in them.
pub(crate) fn files(chronicle: &Chronicle, random: &mut Random, counts: &mut Counts) -> Vec<File> {
    let mut calls: Vec<_> = chronicle.actions.iter().filter_map(|action| Some((action, action.cloud()?))).collect();
    calls.sort_by_key(|(action, _)| action.at);
    let mut weeks: BTreeMap<i64, Vec<Value>> = BTreeMap::new();
    for (action, deed) in calls {
        let event = trail::event(chronicle, action, deed, random);
        let mut week = (action.at.as_second() - chronicle.span.start.as_second()) / (DAYS * 86_400);
        counts.cloudtrail_events += 1;
        if random.chance(6) {
            counts.cloudtrail_postponed += 1;
            week += random.between(1, 4);
        }
        if random.chance(3) {
            counts.cloudtrail_duplicates += 1;
            weeks.entry(week + random.between(0, 3)).or_default().push(event.clone());
        }
        weeks.entry(week).or_default().push(event);
    }
    let mut files: Vec<File> = Vec::new();
    for (week, mut events) in weeks {
        random.shuffle(&mut events);
        files.push(file(chronicle.span.start + days(DAYS * (week + 1)), &events, random));
    }
    for n in 1..files.len() {
        if random.chance(20) {
            files.swap(n - 1, n);
        }
    }
    files
}

fn file(delivered_at: Timestamp, events: &[Value], random: &mut Random) -> File {
    const MEMORY: &str = "writing to memory does not fail";
    let mut encoder = GzBuilder::new().mtime(0).write(Vec::new(), Compression::default());
    encoder.write_all(json!({ "Records": events }).to_string().as_bytes()).expect(MEMORY);
    let (day, time) = (delivered_at.strftime("%Y/%m/%d"), delivered_at.strftime("%Y%m%dT%H%MZ"));
    let unique = &random.hex()[..16];
    File {
        name: format!(
            "cloudtrail/AWSLogs/{ACCOUNT}/CloudTrail/us-east-1/{day}/{ACCOUNT}_CloudTrail_us-east-1_{time}_{unique}.json.gz"
        ),
        connector: "cloudtrail",
        delivery: Delivery::OnTime,
        bytes: encoder.finish().expect(MEMORY),
    }
}
