//! A message of Kafka as a producer may write it that is not librdkafka: the bytes of the protocol, written by hand.
//!
//! It can send what the libraries refuse, such as names of headers that are no text.

use std::io::{Read, Write};
use std::net::TcpStream;

/// Of CRC-32C, its bits in reverse order.
const POLYNOMIAL: u32 = 0x82f6_3b78;
/// When the message was made, in milliseconds.
const MADE_AT: i64 = 1_772_000_000_000;

/// Sends one message to the broker that leads a partition, and waits until it has it.
///
/// # Panics
/// If the broker does not take it.
pub fn produce(leader: &str, topic: &str, partition: i32, value: &[u8], header: (&[u8], &[u8])) {
    let batch = batch(value, header);
    // Request 0, produce, in version 3.
    let mut request = Vec::new();
    request.extend(0_i16.to_be_bytes());
    request.extend(3_i16.to_be_bytes());
    request.extend(1_i32.to_be_bytes());
    put_text(&mut request, "tests");
    // No transaction, all replicas, and how long they may take.
    request.extend((-1_i16).to_be_bytes());
    request.extend((-1_i16).to_be_bytes());
    request.extend(10_000_i32.to_be_bytes());
    request.extend(1_i32.to_be_bytes());
    put_text(&mut request, topic);
    request.extend(1_i32.to_be_bytes());
    request.extend(partition.to_be_bytes());
    put_bytes(&mut request, &batch);

    let mut framed = Vec::new();
    put_bytes(&mut framed, &request);
    let mut stream = TcpStream::connect(leader).expect("the broker listens");
    stream.write_all(&framed).expect("the broker reads");
    let mut size = [0; 4];
    stream.read_exact(&mut size).expect("the broker answers");
    let mut answer = vec![0; u32::from_be_bytes(size) as usize];
    stream.read_exact(&mut answer).expect("the broker answers");
    // Number of the request, one topic, its name, one partition, its number, and how it went.
    let place = 4 + 4 + 2 + topic.len() + 4 + 4;
    assert_eq!(answer[place..place + 2], [0, 0], "the broker refuses it: {answer:?}");
}

/// A batch of one message, in version 2 of the format.
fn batch(value: &[u8], (name, content): (&[u8], &[u8])) -> Vec<u8> {
    let mut record = vec![0];
    put_number(&mut record, 0);
    put_number(&mut record, 0);
    put_number(&mut record, -1);
    put_counted(&mut record, value);
    put_number(&mut record, 1);
    put_counted(&mut record, name);
    put_counted(&mut record, content);

    let mut summed = Vec::new();
    summed.extend(0_i16.to_be_bytes());
    summed.extend(0_i32.to_be_bytes());
    summed.extend(MADE_AT.to_be_bytes());
    summed.extend(MADE_AT.to_be_bytes());
    summed.extend((-1_i64).to_be_bytes());
    summed.extend((-1_i16).to_be_bytes());
    summed.extend((-1_i32).to_be_bytes());
    summed.extend(1_i32.to_be_bytes());
    put_counted(&mut summed, &record);

    let mut rest = Vec::new();
    rest.extend((-1_i32).to_be_bytes());
    rest.push(2);
    rest.extend(crc32c(&summed).to_be_bytes());
    rest.extend(summed);
    let mut batch = 0_i64.to_be_bytes().to_vec();
    put_bytes(&mut batch, &rest);
    batch
}

fn put_text(out: &mut Vec<u8>, text: &str) {
    out.extend(i16::try_from(text.len()).expect("a short text").to_be_bytes());
    out.extend(text.as_bytes());
}

fn put_bytes(out: &mut Vec<u8>, bytes: &[u8]) {
    out.extend(i32::try_from(bytes.len()).expect("few bytes").to_be_bytes());
    out.extend(bytes);
}

fn put_counted(out: &mut Vec<u8>, bytes: &[u8]) {
    put_number(out, i64::try_from(bytes.len()).expect("few bytes"));
    out.extend(bytes);
}

/// A number of as many bytes as it needs, its sign in the lowest bit.
fn put_number(out: &mut Vec<u8>, number: i64) {
    let mut rest = ((number << 1) ^ (number >> 63)) as u64;
    while rest >= 0x80 {
        out.push(rest as u8 | 0x80);
        rest >>= 7;
    }
    out.push(rest as u8);
}

fn crc32c(bytes: &[u8]) -> u32 {
    let step = |sum: u32, byte: &u8| {
        (0..8).fold(sum ^ u32::from(*byte), |sum, _| if sum & 1 == 1 { sum >> 1 ^ POLYNOMIAL } else { sum >> 1 })
    };
    !bytes.iter().fold(!0, step)
}
