//! The bus on a real Kafka.

mod away;
mod consumer;
mod contract;
mod group;
mod lost;
mod original;
mod partitions;
mod topics;

use std::sync::Arc;

use bytes::Bytes;
use parking_lot::Mutex;
use platform_bus_kafka::{KafkaBus, KafkaSettings};
use platform_event_bus::{BusError, EventBus, NewRecord, Record};
use platform_testkit::kafka::KafkaServer;
use rdkafka::{ClientConfig, admin::AdminClient, client::DefaultClientContext};

fn settings(server: &KafkaServer) -> KafkaSettings {
    KafkaSettings { brokers: vec![server.bootstrap()], ..KafkaSettings::default() }
}

/// The bus of another process on the broker that the tests share.
fn a_bus() -> KafkaBus {
    KafkaBus::new(settings(KafkaServer::shared()))
}

fn a_topic() -> String {
    KafkaServer::shared().topic()
}

/// Somebody who looks after the brokers.
fn an_administrator(server: &KafkaServer) -> AdminClient<DefaultClientContext> {
    ClientConfig::new().set("bootstrap.servers", server.bootstrap()).create().expect("a client")
}

fn record(key: &str, value: &str) -> NewRecord {
    NewRecord {
        key: Some(Bytes::copy_from_slice(key.as_bytes())),
        value: Bytes::copy_from_slice(value.as_bytes()),
        ..NewRecord::default()
    }
}

fn text(record: &Record) -> String {
    String::from_utf8_lossy(&record.value).into_owned()
}

/// Publishes as the relay does: again, until it has succeeded.
async fn publish_until_done(bus: &KafkaBus, topic: &str, records: Vec<NewRecord>) {
    while let Err(_again) = bus.publish(topic, records.clone()).await {}
}

/// Reads what is on the topic now.
async fn read_all(bus: &KafkaBus, topic: &str) -> Vec<Record> {
    let mut replay = bus.replay(topic).await.expect("a replay");
    let mut all = Vec::new();
    loop {
        let some = replay.next(1_000).await.expect("records");
        if some.is_empty() {
            return all;
        }
        all.extend(some);
    }
}

/// How far the group is: what it has committed, and what there is.
async fn progress(bus: &KafkaBus, topic: &str, group: &str) -> (i64, i64) {
    let positions = bus.positions(topic, group).await.expect("positions");
    (positions.iter().map(|p| p.committed).sum(), positions.iter().map(|p| p.end).sum())
}

/// A member that reads and commits until it is dropped, and begins again after every failure.
struct Reader {
    read: Arc<Mutex<Vec<Record>>>,
    task: tokio::task::JoinHandle<()>,
}

impl Reader {
    fn start(bus: &KafkaBus, topic: &str, group: &str) -> Self {
        let read = Arc::new(Mutex::new(Vec::new()));
        let (bus, topic, group, reading) = (bus.clone(), topic.to_owned(), group.to_owned(), read.clone());
        let task = tokio::spawn(async move {
            loop {
                let Err(_again) = read_on(&bus, &topic, &group, &reading).await;
            }
        });
        Self { read, task }
    }

    fn records(&self) -> Vec<Record> {
        self.read.lock().clone()
    }

    fn values(&self) -> Vec<String> {
        self.read.lock().iter().map(text).collect()
    }
}

impl Drop for Reader {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn read_on(
    bus: &KafkaBus,
    topic: &str,
    group: &str,
    read: &Mutex<Vec<Record>>,
) -> Result<std::convert::Infallible, BusError> {
    let mut subscription = bus.subscribe(topic, group).await?;
    loop {
        let records = subscription.next(500).await?;
        read.lock().extend(records);
        subscription.commit().await?;
    }
}
