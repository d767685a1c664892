use platform_bus_kafka::Unsuitable;
use platform_event_bus::EventBus as _;
use platform_testkit::{kafka::KafkaServer, until};
use rdkafka::admin::{AdminOptions, NewTopic, ResourceSpecifier, TopicReplication};

use crate::{a_bus, a_topic, an_administrator, record};

/// How Kafka has a setting of a topic.
async fn setting(topic: &str, name: &str) -> String {
    let administrator = an_administrator(KafkaServer::shared());
    let specifier = ResourceSpecifier::Topic(topic);
    let mut found =
        administrator.describe_configs([&specifier], &AdminOptions::new()).await.expect("an answer");
    let config = found.remove(0).expect("a topic");
    config.get(name).and_then(|entry| entry.value.clone()).expect("a value")
}

#[tokio::test(flavor = "multi_thread")]
async fn a_missing_topic_is_made_and_keeps_everything() {
    let (bus, topic) = (a_bus(), a_topic());
    assert_eq!(bus.check_topic(&topic).await.expect("a look"), []);
    for name in [topic.clone(), format!("{topic}.dlq")] {
        assert_eq!(bus.positions(&name, "nobody").await.expect("positions").len(), 12);
        assert_eq!(setting(&name, "retention.ms").await, "-1");
        assert_eq!(setting(&name, "retention.bytes").await, "-1");
        assert_eq!(setting(&name, "cleanup.policy").await, "delete");
        assert_eq!(setting(&name, "min.insync.replicas").await, "1");
    }
    let (events, letters) = (&topic, format!("{topic}.dlq"));
    assert_eq!(setting(events, "max.message.bytes").await, "1048588");
    assert_eq!(
        setting(&letters, "max.message.bytes").await,
        "16777216",
        "a letter is larger than its record"
    );
    assert_eq!(bus.check_topic(&topic).await.expect("a look"), [], "again");
}

#[tokio::test(flavor = "multi_thread")]
async fn processes_that_start_together_make_it_once() {
    let topic = a_topic();
    let starting = (0..6).map(|n| {
        let (bus, topic) = (a_bus(), topic.clone());
        async move { bus.publish(&topic, vec![record("key", &n.to_string())]).await }
    });
    for published in futures_util::future::join_all(starting).await {
        published.expect("published");
    }
    let bus = a_bus();
    let positions = bus.positions(&topic, "nobody").await.expect("positions");
    assert_eq!((positions.len(), positions.iter().map(|p| p.end).sum::<i64>()), (12, 6));
    assert_eq!(positions.iter().filter(|p| p.end > 0).count(), 1, "a key has one partition in all of them");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_topic_that_forgets_is_reported_and_used_as_it_is() {
    let (bus, topic) = (a_bus(), a_topic());
    let forgetful = NewTopic::new(&topic, 3, TopicReplication::Fixed(1))
        .set("cleanup.policy", "compact")
        .set("retention.ms", "60000")
        .set("retention.bytes", "1000000");
    let administrator = an_administrator(KafkaServer::shared());
    administrator.create_topics([&forgetful], &AdminOptions::new()).await.expect("an answer");
    let mut found = Vec::new();
    until("the topic is known", async || {
        found = bus.check_topic(&topic).await.unwrap_or_default();
        !found.is_empty()
    })
    .await;
    let sentences: Vec<_> = found.iter().map(Unsuitable::to_string).collect();
    let expected = [
        "has cleanup.policy=compact, it should be delete: compacting would leave the last record of each key only",
        "has retention.ms=60000, it should be -1: records are needed for ever",
        "has retention.bytes=1000000, it should be -1: records are needed for ever",
    ];
    assert_eq!(sentences, expected.map(|sentence| format!("the topic {topic} {sentence}")));

    bus.publish(&topic, vec![record("key", "value")]).await.expect("published");
    assert_eq!(bus.positions(&topic, "nobody").await.expect("positions").len(), 3, "any number works");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_topic_whose_records_nobody_of_us_could_read_is_reported() {
    let (bus, topic) = (a_bus(), a_topic());
    let with_zstd = NewTopic::new(&topic, 3, TopicReplication::Fixed(1))
        .set("retention.ms", "-1")
        .set("compression.type", "zstd");
    let administrator = an_administrator(KafkaServer::shared());
    administrator.create_topics([&with_zstd], &AdminOptions::new()).await.expect("an answer");
    let mut found = Vec::new();
    until("the topic is known", async || {
        found = bus.check_topic(&topic).await.unwrap_or_default();
        !found.is_empty()
    })
    .await;
    let sentences: Vec<_> = found.iter().map(Unsuitable::to_string).collect();
    let expected = format!(
        "the topic {topic} has compression.type=zstd, it should be producer: the librdkafka of this program is built \
         without zstd, and every group stops at such a record"
    );
    assert_eq!(sentences, [expected]);
}
