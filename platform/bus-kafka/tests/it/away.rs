use std::{
    collections::{BTreeMap, HashSet},
    net::TcpListener,
    time::{Duration, Instant},
};

use platform_bus_kafka::{KafkaBus, KafkaSettings};
use platform_event_bus::{BusError, EventBus as _, Record};
use platform_testkit::{kafka::KafkaServer, until};
use rdkafka::admin::{AdminOptions, NewTopic, TopicReplication};
use tokio::sync::oneshot;

use crate::{Reader, an_administrator, publish_until_done, read_all, record, settings, text};

/// Longer than a call may take, on a busy machine.
const BOUNDED: Duration = Duration::from_secs(10);

async fn in_time<T>(call: impl Future<Output = Result<T, BusError>>) {
    let began = Instant::now();
    assert!(call.await.is_err(), "Kafka is away");
    assert!(began.elapsed() < BOUNDED, "it took {:?}", began.elapsed());
}

async fn everybody_is_told(bus: &KafkaBus, topic: &str) {
    in_time(bus.publish(topic, vec![record("key", "refused")])).await;
    in_time(bus.subscribe(topic, "group")).await;
    in_time(bus.replay(topic)).await;
    in_time(bus.positions(topic, "group")).await;
    in_time(bus.check_topic(topic)).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn without_kafka_there_is_a_bus_and_its_calls_say_so_in_time() {
    let nobody = TcpListener::bind("127.0.0.1:0").and_then(|free| free.local_addr()).expect("a port");
    let settings = KafkaSettings {
        brokers: vec![nobody.to_string()],
        answer_within: Duration::from_secs(2),
        ..KafkaSettings::default()
    };
    everybody_is_told(&KafkaBus::new(settings), "topic").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_topic_is_checked_although_kafka_came_after_the_process() {
    let server = KafkaServer::start();
    let topic = server.topic();
    let forgetful = NewTopic::new(&topic, 1, TopicReplication::Fixed(1));
    let made = an_administrator(&server).create_topics([&forgetful], &AdminOptions::new()).await;
    made.expect("an answer").remove(0).expect("it is made");
    server.kill();

    let settings = KafkaSettings { answer_within: Duration::from_secs(2), ..settings(&server) };
    let (tell, told) = oneshot::channel();
    let checking = tokio::spawn({
        let topic = topic.clone();
        async move {
            let on_waiting = |reason| drop(tell.send(reason));
            KafkaBus::new(settings).check_topic_when_there(&topic, on_waiting).await
        }
    });
    told.await.expect("it says why it waits");
    server.start_again();
    let unsuitable = checking.await.expect("no panic");
    let settings: Vec<_> = unsuitable.iter().map(|not| (not.topic.as_str(), not.setting)).collect();
    assert_eq!(settings, [(topic.as_str(), "retention.ms")]);
}

const KEYS: usize = 5;

/// Batches of each round, and the records of each batch.
const BATCHES: usize = 40;
const BATCH: usize = 50;

/// Each key's numbers, in the sequence in which they were read, without those that are there again.
fn first_copies(records: &[Record]) -> BTreeMap<String, Vec<usize>> {
    let mut seen = HashSet::new();
    let mut numbers: BTreeMap<_, Vec<_>> = BTreeMap::new();
    for record in records {
        let number: usize = text(record).parse().expect("a number");
        if seen.insert(number) {
            let key = String::from_utf8_lossy(record.key.as_deref().unwrap_or_default()).into_owned();
            numbers.entry(key).or_default().push(number);
        }
    }
    numbers
}

/// The same of everything that was published, of the first `count`.
fn published(count: usize) -> BTreeMap<String, Vec<usize>> {
    let of_key = |key| (0..count).filter(|number| number % KEYS == key).collect();
    (0..KEYS).map(|key| (format!("key-{key}"), of_key(key))).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn after_a_crash_of_the_broker_publishing_and_consuming_go_on_and_nothing_is_lost() {
    let server = KafkaServer::start();
    let settings = KafkaSettings { answer_within: Duration::from_secs(3), ..settings(&server) };
    let (bus, topic) = (KafkaBus::new(settings), server.topic());
    let reader = Reader::start(&bus, &topic, "readers");

    for round in 0..2 {
        let before = round * BATCHES * BATCH;
        // A producer that retries as the relay does; the broker is killed in the middle of its work.
        let publishing = async {
            for batch in 0..BATCHES {
                let first = before + batch * BATCH;
                let numbers = first..first + BATCH;
                let batch = numbers.map(|n| record(&format!("key-{}", n % KEYS), &n.to_string()));
                publish_until_done(&bus, &topic, batch.collect()).await;
            }
        };
        let crashing = async {
            until("some of it is read", async || reader.read.lock().len() > before + 2 * BATCH).await;
            tokio::task::block_in_place(|| server.kill());
            everybody_is_told(&bus, &topic).await;
            tokio::task::block_in_place(|| server.start_again());
        };
        futures_util::future::join(publishing, crashing).await;
        let all = published(before + BATCHES * BATCH);
        let count = all.values().map(Vec::len).sum::<usize>();
        until("everything is read", async || {
            reader.records().iter().map(text).collect::<HashSet<_>>().len() >= count
        })
        .await;
        assert_eq!(first_copies(&read_all(&bus, &topic).await), all, "the sequence of each key on the topic");
        assert_eq!(first_copies(&reader.records()), all, "the sequence of each key as it was read");
    }
}
