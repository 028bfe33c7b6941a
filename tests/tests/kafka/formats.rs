//! What is in a value: CloudEvents, and Protocol Buffers by a description.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use counterfoil_tests::kafka::{Sent, until};
use counterfoil_tests::okta;
use counterfoil_tests::program::{LedgerFolder, run};
use counterfoil_tests::server::Server;
use serde_json::Value;

use super::{broker_with, bytes, configure, event, events, number, position, records, serve, size, wait_for};

/// An event in Protocol Buffers.
const ACME: &str = "syntax = \"proto3\"; package acme; import \"google/protobuf/struct.proto\";
        message Log { string uuid = 1; string published = 2; string eventType = 3; string version = 4;
          google.protobuf.Struct actor = 5; google.protobuf.Struct outcome = 6; repeated google.protobuf.Struct target = 7;
          google.protobuf.Struct transaction = 8; int64 sequence = 9; }";

#[test]
fn cloud_events_are_unpacked_in_both_modes() {
    let Some((broker, topic)) = broker_with(1) else { return };
    let structured = |content_type: &str, body: &str| Sent {
        headers: vec![("content-type".to_owned(), content_type.as_bytes().to_vec())],
        ..Sent::value(body)
    };
    let text = |number| String::from_utf8(event(number)).unwrap();
    let attributes = r#""specversion": "1.0", "id": "a1", "source": "/gate", "type": "okta.event""#;
    let json = "application/cloudevents+json; charset=UTF-8";
    let in_string = serde_json::to_string(&text(1)).unwrap();
    let in_base64 = STANDARD.encode(event(2));
    broker.send(
        &topic,
        0,
        [
            structured(json, &format!("{{{attributes}, \"data\": {}}}", text(0))),
            structured(json, &format!("{{{attributes}, \"data\": {in_string}}}")),
            structured(json, &format!("{{{attributes}, \"data_base64\": \"{in_base64}\"}}")),
            Sent {
                headers: vec![
                    ("ce_specversion".to_owned(), b"1.0".to_vec()),
                    ("ce_id".to_owned(), b"a2".to_vec()),
                    ("content-type".to_owned(), b"application/json".to_vec()),
                ],
                ..Sent::value(event(3))
            },
            // Not understood, and said so.
            structured(json, &format!("{{{}, \"data\": {}}}", attributes.replace("1.0", "0.3"), text(4))),
            structured("application/cloudevents+avro", "x"),
            structured(json, &format!("{{{attributes}}}")),
            structured(json, &format!("{{{attributes}, \"id\": \"b\", \"data\": {}}}", text(5))),
        ],
    );
    let ledger = LedgerFolder::init();
    configure(&ledger, &broker, &topic, "");
    let server = serve(&ledger);
    wait_for(&server, 8);
    let records = records(&server);
    let is_event = |record: &Value| record["record"]["event"].is_object();
    assert_eq!(records.iter().map(is_event).collect::<Vec<_>>(), [true, true, true, true, false, false, false, false]);
    for (number, record) in (0..).zip(&records[..4]) {
        assert_eq!(bytes(&record["payload"]), event(number));
        let envelope: Value = serde_json::from_slice(&bytes(&record["envelope"])).unwrap();
        match number {
            3 => assert_eq!(envelope["headers"][1]["ce_id"], "a2"),
            _ => assert_eq!(envelope["cloudEvent"]["id"], "a1"),
        }
    }
    let reason = |place: usize| records[place]["record"]["sourceRejected"]["reason"].as_str().unwrap().to_owned();
    assert_eq!(reason(4), "REJECT_REASON_NOT_AN_EVENT");
    assert_eq!(reason(7), "REJECT_REASON_DUPLICATE_KEY");
    server.stop();
}

/// Writes the description of events in Protocol Buffers beside a ledger.
fn describe(ledger: &LedgerFolder) -> Vec<u8> {
    let source = ledger.file("acme.proto", ACME);
    let files = protox::Compiler::new([source.parent().expect("a file is in a folder")])
        .and_then(|mut compiler| {
            compiler.include_imports(true).open_file("acme.proto")?;
            Ok(compiler.encode_file_descriptor_set())
        })
        .expect("it is a description");
    ledger.file("acme.binpb", &files);
    files
}

#[test]
fn protobuf_is_read_by_its_description() {
    let Some((broker, topic)) = broker_with(1) else { return };
    let ledger = LedgerFolder::init();
    let files = describe(&ledger);
    let pool = prost_reflect::DescriptorPool::decode(files.as_slice()).unwrap();
    let message = pool.get_message_by_name("acme.Log").unwrap();
    let encode = |number: u32| {
        let mut native: Value = serde_json::from_slice(&event(number)).unwrap();
        native.as_object_mut().unwrap().retain(|name, _| message.get_field_by_json_name(name).is_some());
        native["sequence"] = (1_u64 << 53).into();
        let dynamic = prost_reflect::DynamicMessage::deserialize(message.clone(), native).unwrap();
        prost::Message::encode_to_vec(&dynamic)
    };
    let confluent = |head: &[u8], number| Sent::value([&[0, 0, 0, 0, 7], head, &encode(number)].concat());
    broker.send(
        &topic,
        0,
        [confluent(&[0], 0), confluent(&[2, 0], 1), Sent::value(encode(2)), Sent::value(vec![0, 0, 0, 0, 7, 0, 0xff])],
    );
    let file = "format = \"protobuf\"\nmessage = \"acme.Log\"\ndescriptors = \"acme.binpb\"\nconfluent = true";
    configure(&ledger, &broker, &topic, file);
    let server = serve(&ledger);
    wait_for(&server, 4);
    let records = records(&server);
    let is_event = |record: &Value| record["record"]["event"].is_object();
    assert_eq!(records.iter().map(is_event).collect::<Vec<_>>(), [true, true, false, false]);
    assert_eq!(records[1]["record"]["event"]["facts"][0]["kind"], "FACT_KIND_GRANT_ADDED");
    let payload: Value = serde_json::from_slice(&bytes(&records[0]["payload"])).unwrap();
    assert_eq!((&payload["uuid"], &payload["sequence"]), (&okta::uuid(0).into(), &(1_u64 << 53).into()));
    server.stop();
}

/// What a topic's configuration got wrong is mended in the configuration, and retried on the server that reads it.
#[test]
fn what_was_configured_wrong_is_retried_once_it_is_right() {
    let Some((broker, topic)) = broker_with(1) else { return };
    let ledger = LedgerFolder::init();
    describe(&ledger);
    // Events in JSON, of a topic that is taken for one of Protocol Buffers; one of them without a zone, and one in an array.
    let zoneless = |number: u32| okta::joined(number, "2026-03-01T10:00:00", number, 1);
    let of = |number: u32| serde_json::from_slice::<Value>(&event(number)).unwrap();
    let values = [of(0), zoneless(1), Value::Array(vec![of(2), zoneless(3)])];
    let key = Some(b"k".to_vec());
    let sent =
        values.map(|value| Sent { key: key.clone(), value: Some(value.to_string().into_bytes()), ..Sent::default() });
    broker.send(&topic, 0, sent);
    let wrong = "format = \"protobuf\"\nmessage = \"acme.Log\"\ndescriptors = \"acme.binpb\"";
    configure(&ledger, &broker, &topic, wrong);
    let server = serve(&ledger);
    wait_for(&server, 3);
    let retry = |server: &Server, which: &[&str], code: i32| -> Vec<Value> {
        let to = ["--server", &server.url(), "--output", "json"];
        let retried = run(&[&["deadletter", "retry"], which, &to].concat());
        assert_eq!(retried.code, code, "{} {}", retried.text(), retried.stderr);
        let retried: Value = serde_json::from_str(retried.text()).unwrap();
        retried["retried"].as_array().unwrap().clone()
    };
    let events = |retried: &Value| retried["events"].as_array().map_or(0, Vec::len);
    let still = retry(&server, &["--all"], 1);
    assert_eq!(still.iter().map(events).collect::<Vec<_>>(), [0, 0, 0]);
    assert!(still[0]["error"].as_str().unwrap().contains("acme.Log"), "{still:?}");
    assert_eq!(size(&server), 4, "nothing was appended");
    server.stop();

    configure(&ledger, &broker, &topic, "");
    let server = serve(&ledger);
    // The first goes through, the second has no zone, and of the third that is half so.
    let retried = retry(&server, &["--all"], 1);
    assert_eq!(retried.iter().map(events).collect::<Vec<_>>(), [1, 0, 2]);
    let outcomes: Vec<&Value> =
        retried[2]["events"].as_array().unwrap().iter().map(|event| &event["outcome"]).collect();
    assert_eq!(outcomes, ["APPENDED_RECORDED", "APPENDED_REJECTED"]);
    until("the views have them", || {
        let letters = run(&["deadletter", "list", "--server", &server.url(), "--output", "json"]).json::<Value>();
        letters["basis"]["treeSize"] == "7"
    });
    let retried = retry(&server, &["--all", "--assume-zone", "UTC"], 0);
    assert_eq!(retried.iter().map(|one| number(&one["record"])).collect::<Vec<_>>(), [2, 6]);
    let records = records(&server);
    let event_ids: Vec<&Value> = records
        .iter()
        .filter(|record| record["record"]["event"].is_object())
        .map(|record| &record["record"]["provenance"]["eventId"])
        .collect();
    assert_eq!(event_ids, [0, 2, 1, 3].map(okta::uuid).iter().collect::<Vec<_>>());
    for (at, offset, letter) in [(4, 0, 1), (5, 2, 3), (7, 1, 2), (8, 2, 6)] {
        let record = &records[at - 1];
        assert_eq!(position(record), (position(&records[0]).0, offset), "{record:#}");
        let provenance = &record["record"]["provenance"];
        assert_eq!(number(&provenance["retryOf"]), letter, "{provenance:#}");
        assert_eq!(provenance["authentication"], "AUTHENTICATION_OPEN_BROKER");
    }
    // It stands beside the first event of a message, as ever.
    let envelope: Value = serde_json::from_slice(&bytes(&records[3]["envelope"])).unwrap();
    assert_eq!((&envelope["key"], envelope.get("reading")), (&Value::from("k"), None));
    // The partition goes on where it stood.
    broker.send(&topic, 0, self::events(10..11));
    wait_for(&server, 9);
    server.stop();
    ledger.run(&["fsck"]).ended(0);
}
