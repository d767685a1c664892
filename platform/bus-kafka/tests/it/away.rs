use std::{
    net::TcpListener,
    time::{Duration, Instant},
};

use platform_bus_kafka::{KafkaBus, KafkaSettings};
use platform_event_bus::{BusError, EventBus as _};
use platform_testkit::{kafka::KafkaServer, until};

use crate::{Reader, publish_until_done, read_all, record, settings, text};

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

/// Each key's values, in the sequence in which they were read, without those that are there again.
fn first_copies(records: &[platform_event_bus::Record], key: &str) -> Vec<String> {
    let mut values: Vec<String> = Vec::new();
    for record in records.iter().filter(|record| record.key.as_deref() == Some(key.as_bytes())) {
        let value = text(record);
        if !values.contains(&value) {
            values.push(value);
        }
    }
    values
}

#[tokio::test(flavor = "multi_thread")]
async fn after_a_crash_of_the_broker_publishing_and_consuming_go_on_and_nothing_is_lost() {
    let server = KafkaServer::start();
    let (bus, topic) = (KafkaBus::new(settings(&server)), server.topic());
    let reader = Reader::start(&bus, &topic, "readers");
    let waiting = bus.subscribe(&topic, "waiting").await.expect("a member");

    let mut n = 0;
    for round in 0..2 {
        // A producer that retries as the relay does; the broker is killed in the middle of its work.
        let publishing = async {
            for _ in 0..100 {
                let batch = (0..50).map(|at| record(&format!("key-{}", at % 5), &(n + at).to_string()));
                publish_until_done(&bus, &topic, batch.collect()).await;
                n += 50;
            }
        };
        let crashing = async {
            until("some of it is read", async || reader.records().len() > 500 + round * 5_000).await;
            tokio::task::block_in_place(|| server.kill());
            everybody_is_told(&bus, &topic).await;
            tokio::task::block_in_place(|| server.start_again());
        };
        futures_util::future::join(publishing, crashing).await;
        let last = (n - 1).to_string();
        until("everything is read", async || reader.values().contains(&last)).await;
    }

    let published = read_all(&bus, &topic).await;
    for key in 0..5 {
        let key = format!("key-{key}");
        let expected: Vec<_> =
            (0..n).filter(|at| format!("key-{}", at % 5) == key).map(|at| at.to_string()).collect();
        assert_eq!(first_copies(&published, &key), expected, "the sequence of {key} on the topic");
        until("all of the key is read", async || {
            first_copies(&reader.records(), &key).len() == expected.len()
        })
        .await;
        assert_eq!(first_copies(&reader.records(), &key), expected, "the sequence of {key} as it was read");
    }
    drop(waiting);
}
