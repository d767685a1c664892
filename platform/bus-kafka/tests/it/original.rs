//! Records as the original's Java producers write them: without a key, without an id of the event, with the headers
//! of Spring Cloud Stream.

use platform_event_bus::EventBus as _;
use platform_testkit::kafka::KafkaServer;
use rdkafka::{
    ClientConfig,
    message::{Header, OwnedHeaders},
    producer::{FutureProducer, FutureRecord},
    util::Timeout,
};

use crate::{a_bus, a_topic};

/// What was on the original's topic while its services ran.
const RECORDED: &str = include_str!("../../../../contracts/tests/it/original-events.jsonl");

/// A record that says of itself nothing at all.
const WITHOUT_A_TYPE: &str = r#"{"a":1}"#;

/// The headers that the Java binder adds: a content type, and how the headers themselves are to be read.
const HEADERS: [(&str, &str); 2] = [
    ("contentType", "\"application/json\""),
    ("spring_json_header_types", r#"{"contentType":"java.lang.String"}"#),
];

async fn publish_as_the_original(topic: &str, lines: &[&str]) {
    let producer: FutureProducer = ClientConfig::new()
        .set("bootstrap.servers", KafkaServer::shared().bootstrap())
        .create()
        .expect("a producer");
    for line in lines {
        let headers = HEADERS.iter().fold(OwnedHeaders::new(), |headers, (key, value)| {
            headers.insert(Header { key, value: Some(*value) })
        });
        let record = FutureRecord::<(), _>::to(topic).payload(*line).headers(headers);
        producer.send(record, Timeout::Never).await.expect("delivered");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn records_of_the_original_arrive_byte_for_byte() {
    let (bus, topic) = (a_bus(), a_topic());
    assert_eq!(bus.check_topic(&topic).await.expect("a topic"), []);
    let lines: Vec<_> = RECORDED.lines().chain([WITHOUT_A_TYPE]).collect();
    assert!(lines.len() > 50, "the recording is there");
    publish_as_the_original(&topic, &lines).await;

    let mut member = bus.subscribe(&topic, "group").await.expect("a member");
    let mut records = Vec::new();
    while records.len() < lines.len() {
        records.extend(member.next(1_000).await.expect("records"));
    }
    for record in &records {
        assert_eq!(record.key, None);
        let headers: Vec<_> = record.headers.iter().collect();
        assert_eq!(headers, HEADERS.map(|(name, value)| (name.as_bytes(), value.as_bytes())));
    }
    let mut arrived: Vec<_> = records.iter().map(|record| &record.value[..]).collect();
    let mut expected: Vec<_> = lines.iter().map(|line| line.as_bytes()).collect();
    arrived.sort_unstable();
    expected.sort_unstable();
    assert_eq!(arrived, expected);
}
