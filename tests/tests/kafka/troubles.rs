//! What goes wrong with brokers, with what they permit, and with the configuration: told once, and nothing stops that has
//! nothing to do with it.

use counterfoil_tests::kafka::{Broker, until};
use counterfoil_tests::program::{LedgerFolder, run};
use serde_json::Value;

use crate::{TOPIC, broker_with, configure, events, gaps, is_failing, records, section, serve, size, wait_for};

#[test]
fn a_broker_that_dies_and_comes_back_is_read_on() {
    let Some(mut broker) = Broker::start_own("") else { return };
    let topic = broker.topic(TOPIC);
    broker.create(&topic, 2);
    broker.send(&topic, 0, events(0..10));
    let ledger = LedgerFolder::init();
    configure(&ledger, &broker, &topic, "");
    let server = serve(&ledger);
    wait_for(&server, 10);
    broker.kill();
    broker.run_own();
    broker.send(&topic, 1, events(10..20));
    wait_for(&server, 20);
    assert_eq!(gaps(&server), []);
    let log = server.stop();
    assert!(log.matches("\"level\":\"WARN\"").count() < 10, "a failure is told once: {log}");
}

#[test]
fn a_server_that_is_killed_again_and_again_reads_each_message_once() {
    let Some((broker, topic)) = broker_with(4) else { return };
    let ledger = LedgerFolder::init();
    configure(&ledger, &broker, &topic, "");
    let mut sent = 0;
    for round in 0..6 {
        for partition in 0..4 {
            broker.send(&topic, partition, events(sent..sent + 500));
            sent += 500;
        }
        let server = serve(&ledger);
        let wanted = u64::from(sent) - 2_000 + 300 * round;
        until("some more are there", || size(&server) > wanted);
        drop(server);
    }
    let server = serve(&ledger);
    wait_for(&server, u64::from(sent));
    server.stop();
    ledger.run(&["fsck"]).ended(0);
    let sources = ledger.run(&["sources", "--output", "json"]).json::<Value>();
    let totals = &sources["sources"][0];
    assert_eq!(totals["duplicates"].as_str().unwrap_or("0"), "0", "{sources:#}");
}

#[test]
fn a_broker_that_asks_for_credentials_gets_them() {
    let keys = tempfile::tempdir().unwrap();
    let password = "changeit";
    let store = keys.path().join("broker.p12");
    let made = std::process::Command::new("keytool")
        .args(["-genkeypair", "-alias", "broker", "-keyalg", "RSA", "-keysize", "2048", "-validity", "3650"])
        .args(["-dname", "CN=localhost", "-ext", "san=dns:localhost,ip:127.0.0.1", "-storetype", "PKCS12"])
        .args(["-storepass", password, "-keystore"])
        .arg(&store)
        .output();
    if !made.is_ok_and(|made| made.status.success()) {
        assert!(std::env::var_os("CI").is_none(), "keytool is missing");
        return;
    }
    let exported = std::process::Command::new("keytool")
        .args(["-exportcert", "-rfc", "-alias", "broker", "-storepass", password, "-keystore"])
        .arg(&store)
        .output()
        .unwrap();
    let settings = format!(
        "listeners=PLAINTEXT://127.0.0.1:0,SASL_SSL://127.0.0.1:0,CONTROLLER://127.0.0.1:0
advertised.listeners=PLAINTEXT://127.0.0.1:0,SASL_SSL://127.0.0.1:0
listener.security.protocol.map=PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT,SASL_SSL:SASL_SSL
ssl.keystore.type=PKCS12
ssl.keystore.location={}
ssl.keystore.password={password}
sasl.enabled.mechanisms=SCRAM-SHA-256,SCRAM-SHA-512
listener.name.sasl_ssl.scram-sha-256.sasl.jaas.config=org.apache.kafka.common.security.scram.ScramLoginModule required;
listener.name.sasl_ssl.scram-sha-512.sasl.jaas.config=org.apache.kafka.common.security.scram.ScramLoginModule required;
",
        store.display()
    );
    let Some(broker) = Broker::start_own(&settings) else { return };
    let topic = broker.topic(TOPIC);
    broker.create(&topic, 1);
    broker.send(&topic, 0, events(0..5));
    for mechanism in ["SCRAM-SHA-256", "SCRAM-SHA-512"] {
        let credentials = format!("{mechanism}=[password=the-secret-of-{mechanism}]");
        let user = ["--alter", "--add-config", &credentials, "--entity-type", "users", "--entity-name", mechanism];
        broker.tool("kafka.admin.ConfigCommand", &user);
    }
    let listener = broker.listener("SASL_SSL");
    for mechanism in ["SCRAM-SHA-256", "SCRAM-SHA-512"] {
        let ledger = LedgerFolder::init();
        ledger.file("ca.pem", &exported.stdout);
        ledger.file("password", format!("the-secret-of-{mechanism}\n"));
        let properties = format!(
            "[kafka.main.properties]\nsecurity.protocol = \"SASL_SSL\"\nsasl.mechanism = \"{mechanism}\"\n\
             sasl.username = \"{mechanism}\"\nsasl.password_file = \"password\"\nssl.ca.location = \"{}\"\n",
            ledger.beside("ca.pem").display()
        );
        let config = |properties: &str| {
            format!(
                "[kafka.main]\nbootstrap = \"{listener}\"\n{properties}\
                 [kafka.main.topics.okta]\ntopic = \"{topic}\"\nconnector = \"okta\"\n"
            )
        };
        // With a wrong password nothing is read, it is told once, and the server serves.
        ledger.file("wrong", "another");
        ledger.file("config.toml", config(&properties.replace("\"password\"", "\"wrong\"")));
        let server = serve(&ledger);
        let (_never, nothing) = std::sync::mpsc::channel::<()>();
        let _ = nothing.recv_timeout(std::time::Duration::from_secs(16));
        assert_eq!(size(&server), 1);
        let log = server.stop();
        assert!(log.contains("uthentication"), "{log}");
        assert!(!log.contains("another"), "{log}");
        assert!(log.matches("\"level\":\"WARN\"").count() < 6, "a failure is told once: {log}");

        ledger.file("config.toml", config(&properties));
        let server = serve(&ledger);
        wait_for(&server, 5);
        let record = records(&server).pop().unwrap();
        assert_eq!(record["record"]["provenance"]["authentication"], "AUTHENTICATION_BROKER_CREDENTIALS");
        server.stop();
        let checked = run(&["config", "check", "--config", ledger.beside("config.toml").to_str().unwrap()]);
        assert!(!checked.text().contains("the-secret-of"), "{}", checked.text());
    }
}

#[test]
fn a_topic_that_may_not_be_read_is_told_and_stops_no_other() {
    let settings = "listeners=PLAINTEXT://127.0.0.1:0,SASL_PLAINTEXT://127.0.0.1:0,CONTROLLER://127.0.0.1:0
advertised.listeners=PLAINTEXT://127.0.0.1:0,SASL_PLAINTEXT://127.0.0.1:0
listener.security.protocol.map=PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT,SASL_PLAINTEXT:SASL_PLAINTEXT
authorizer.class.name=org.apache.kafka.metadata.authorizer.StandardAuthorizer
super.users=User:ANONYMOUS
sasl.enabled.mechanisms=PLAIN
listener.name.sasl_plaintext.plain.sasl.jaas.config=org.apache.kafka.common.security.plain.PlainLoginModule required user_reader=\"reader-secret\";
";
    let Some(broker) = Broker::start_own(settings) else { return };
    let (open, closed) = (broker.topic("open"), broker.topic("closed"));
    let permit = |topic: &str| {
        let reader = ["--add", "--allow-principal", "User:reader", "--operation", "Read", "--topic", topic];
        broker.tool("org.apache.kafka.tools.AclCommand", &reader);
    };
    for (topic, number) in [(&open, 0), (&closed, 10)] {
        broker.create(topic, 1);
        broker.send(topic, 0, events(number..number + 3));
    }
    permit(&open);
    let ledger = LedgerFolder::init();
    ledger.file("password", "reader-secret");
    let credentials = "security.protocol = \"SASL_PLAINTEXT\"\nsasl.mechanism = \"PLAIN\"\n\
                       sasl.username = \"reader\"\nsasl.password_file = \"password\"\n";
    let config = section("main", &broker.listener("SASL_PLAINTEXT"), &open, "")
        .replace("[kafka.main.properties]\n", &format!("[kafka.main.properties]\n{credentials}"));
    let other = format!("[kafka.main.topics.other]\ntopic = \"{closed}\"\nconnector = \"okta\"\n");
    ledger.file("config.toml", config + &other);
    let server = serve(&ledger);
    wait_for(&server, 3);
    until("it is told", || is_failing(&server));
    // That another one is read does not mend it.
    broker.send(&open, 0, events(3..6));
    wait_for(&server, 6);
    assert!(is_failing(&server));
    permit(&closed);
    wait_for(&server, 9);
    until("all is well again", || !is_failing(&server));
    let log = server.stop();
    assert!(log.contains(&format!("topic {closed} may not be read with these credentials")), "{log}");
    assert!(!log.contains("there is no topic"), "{log}");
}

#[test]
fn a_topic_of_one_cluster_under_two_names_is_read_by_one_of_them() {
    let Some((broker, topic)) = broker_with(1) else { return };
    let other = broker.topic("other");
    broker.create(&other, 1);
    broker.send(&topic, 0, events(0..1_000));
    broker.send(&other, 0, events(1_000..2_000));
    let ledger = LedgerFolder::init();
    let twice = section("one", &broker.bootstrap, &topic, "") + &section("two", &broker.bootstrap, &topic, "");
    let own = format!("[kafka.two.topics.other]\ntopic = \"{other}\"\nconnector = \"okta\"\n");
    ledger.file("config.toml", twice + &own);
    let server = serve(&ledger);
    wait_for(&server, 2_000);
    assert!(is_failing(&server));
    broker.send(&topic, 0, events(2_000..3_000));
    wait_for(&server, 3_000);
    let log = server.stop();
    let told = log.matches("of the configuration already, which leads to the same cluster").count();
    assert_eq!(told, 1, "{log}");
    assert!(!log.contains("\"level\":\"ERROR\""), "{log}");
    let sources = ledger.run(&["sources", "--output", "json"]).json::<Value>();
    assert_eq!(sources["sources"][0]["duplicates"].as_str().unwrap_or("0"), "0", "{sources:#}");
}
