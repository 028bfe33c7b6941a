//! The same company as topics would carry it: each event by itself, and whatever else comes in one piece, in the order of
//! the files. Owns how files are taken apart. Decides nothing about what is in them.

use std::collections::BTreeMap;
use std::io::Read;

use flate2::read::GzDecoder;
use serde_json::{Deserializer, Value};

use crate::File;

/// Where a log file of CloudTrail has its events.
const RECORDS: &str = "Records";

/// What each topic has, by connector: a line of JSON for each message.
pub(crate) fn of(files: &[File]) -> BTreeMap<&'static str, Vec<String>> {
    let mut messages = BTreeMap::<_, Vec<String>>::new();
    for file in files {
        messages.entry(file.connector).or_default().extend(pieces(file).iter().map(Value::to_string));
    }
    messages
}

fn pieces(file: &File) -> Vec<Value> {
    const OWN: &str = "the generator writes JSON, and compresses it";
    let plain: Box<dyn Read> = match file.name.rsplit_once('.') {
        Some((_, "gz")) => Box::new(GzDecoder::new(&file.bytes[..])),
        Some((_, "zst")) => Box::new(zstd::Decoder::new(&file.bytes[..]).expect(OWN)),
        _ => Box::new(&file.bytes[..]),
    };
    let mut pieces = Vec::new();
    for document in Deserializer::from_reader(plain).into_iter() {
        match document.expect(OWN) {
            Value::Array(events) => pieces.extend(events),
            piece => match piece.get(RECORDS).and_then(Value::as_array) {
                Some(events) => pieces.extend(events.iter().cloned()),
                None => pieces.push(piece),
            },
        }
    }
    pieces
}
