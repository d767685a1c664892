//! How fast the bus is on a real broker of its own: batches out, a backlog in, a replay, a lone record there and
//! back. `cargo run --release -p platform-bus-kafka --example throughput`

#![allow(clippy::print_stdout, reason = "it shows figures")]

use std::time::{Duration, Instant};

use bytes::Bytes;
use platform_bus_kafka::{KafkaBus, KafkaSettings};
use platform_event_bus::{BusError, EventBus, Headers, NewRecord};
use platform_testkit::kafka::KafkaServer;

const RECORDS: usize = 102_400;
const BATCH: usize = 4_096;
/// As a consumer takes them: most of a transaction.
const MOST: usize = 500;
const ROUNDS: usize = 5;
const LONE: usize = 200;

fn record(n: usize) -> NewRecord {
    NewRecord {
        key: Some(Bytes::from(n.to_string())),
        headers: Headers::new([("kind", &b"Noted"[..]), ("id", &b"0123456789abcdef"[..])]),
        value: Bytes::from(vec![b'x'; 300]),
    }
}

fn rate(count: usize, began: Instant) -> f64 {
    f64::from(u32::try_from(count).unwrap_or(u32::MAX)) / began.elapsed().as_secs_f64()
}

async fn publish(bus: &KafkaBus, topic: &str) -> Result<f64, BusError> {
    let batches: Vec<Vec<_>> =
        (0..RECORDS / BATCH).map(|batch| (0..BATCH).map(|n| record(batch * BATCH + n)).collect()).collect();
    let began = Instant::now();
    for batch in batches {
        bus.publish(topic, batch).await?;
    }
    Ok(rate(RECORDS, began))
}

/// Records a second with the commit of every batch, and records of a batch.
async fn consume(bus: &KafkaBus, topic: &str, group: &str) -> Result<(f64, usize), BusError> {
    let mut member = bus.subscribe(topic, group).await?;
    // Joining is not what is measured.
    let (mut read, mut batches) = (member.next(1).await?.len(), 0);
    let began = Instant::now();
    while read < RECORDS {
        read += member.next(MOST).await?.len();
        member.commit().await?;
        batches += 1;
    }
    Ok((rate(read, began), read / batches))
}

async fn replay(bus: &KafkaBus, topic: &str) -> Result<f64, BusError> {
    let began = Instant::now();
    let mut replay = bus.replay(topic).await?;
    let mut read = 0;
    loop {
        let some = replay.next(1_000).await?.len();
        if some == 0 {
            return Ok(rate(read, began));
        }
        read += some;
    }
}

/// Median of the time from publishing a record to having it.
async fn lone(bus: &KafkaBus, topic: &str) -> Result<Duration, BusError> {
    let mut member = bus.subscribe(topic, "lone").await?;
    bus.publish(topic, vec![record(0)]).await?;
    member.next(MOST).await?;
    let mut took = Vec::with_capacity(LONE);
    for n in 0..LONE {
        let began = Instant::now();
        let (published, read) =
            futures_util::future::join(bus.publish(topic, vec![record(n)]), member.next(MOST)).await;
        published?;
        read?;
        took.push(began.elapsed());
    }
    took.sort();
    Ok(took[LONE / 2])
}

#[tokio::main]
async fn main() -> Result<(), BusError> {
    let server = KafkaServer::start();
    let settings = KafkaSettings { brokers: vec![server.bootstrap()], ..KafkaSettings::default() };
    let bus = KafkaBus::new(settings);
    for round in 0..ROUNDS {
        let topic = server.topic();
        let published = publish(&bus, &topic).await?;
        let (consumed, batch) = consume(&bus, &topic, "group").await?;
        let replayed = replay(&bus, &topic).await?;
        let lone = lone(&bus, &server.topic()).await?;
        println!(
            "round {round}: published {published:.0}/s, consumed {consumed:.0}/s in batches of {batch}, \
             replayed {replayed:.0}/s; a lone record is there after {lone:?}"
        );
    }
    Ok(())
}
