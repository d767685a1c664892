use std::{
    collections::HashMap,
    sync::atomic::{AtomicBool, Ordering},
    time::Instant,
};

use platform_event_bus::{EventBus as _, Record};
use platform_testkit::{kafka::KafkaServer, until};
use rdkafka::admin::{AdminOptions, NewPartitions, NewTopic, TopicReplication};

use crate::{Reader, a_bus, a_topic, an_administrator, publish_until_done, read_all, record, text};

const KEYS: usize = 40;

/// For each key and partition the numbers in the sequence of the records.
fn sequences(records: &[Record]) -> HashMap<(String, u32), Vec<usize>> {
    let mut found: HashMap<_, Vec<_>> = HashMap::new();
    for record in records {
        let key = String::from_utf8_lossy(record.key.as_deref().unwrap_or_default()).into_owned();
        found.entry((key, record.partition)).or_default().push(text(record).parse().expect("a number"));
    }
    found
}

#[tokio::test(flavor = "multi_thread")]
async fn partitions_are_added_while_everybody_works() {
    let (bus, topic) = (a_bus(), a_topic());
    let administrator = an_administrator(KafkaServer::shared());
    let three = NewTopic::new(&topic, 3, TopicReplication::Fixed(1));
    administrator.create_topics([&three], &AdminOptions::new()).await.expect("an answer");
    let reader = Reader::start(&bus, &topic, "readers");
    let partitions = |records: &[Record]| {
        records.iter().map(|record| record.partition).collect::<std::collections::HashSet<_>>().len()
    };

    let stop = AtomicBool::new(false);
    let publishing = async {
        let mut number = 0;
        while !stop.load(Ordering::Relaxed) {
            let batch = (0..KEYS).map(|key| record(&key.to_string(), &number.to_string())).collect();
            publish_until_done(&bus, &topic, batch).await;
            number += 1;
        }
        number
    };
    let adding = async {
        until("three partitions are read", async || partitions(&reader.records()) == 3).await;
        let twelve = NewPartitions::new(&topic, 12);
        administrator.create_partitions([&twelve], &AdminOptions::new()).await.expect("an answer");
        let began = Instant::now();
        until("positions know the new ones", async || {
            bus.positions(&topic, "readers").await.expect("positions").len() == 12
        })
        .await;
        until("the new ones are read", async || partitions(&reader.records()) == 12).await;
        println!("new partitions are read after {:?}", began.elapsed());
        stop.store(true, Ordering::Relaxed);
    };
    let (rounds, ()) = futures_util::future::join(publishing, adding).await;
    until("everything is read", async || reader.records().len() >= rounds * KEYS).await;

    for records in [read_all(&bus, &topic).await, reader.records()] {
        let mut numbers: HashMap<String, Vec<usize>> = HashMap::new();
        for ((key, partition), sequence) in sequences(&records) {
            assert!(sequence.is_sorted(), "{key} in partition {partition}: {sequence:?}");
            numbers.entry(key).or_default().extend(sequence);
        }
        assert_eq!(numbers.len(), KEYS);
        for (key, mut all) in numbers {
            all.sort_unstable();
            all.dedup();
            assert_eq!(all.len(), rounds, "nothing of {key} is lost");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_key_goes_where_the_java_clients_send_it() {
    let (bus, topic) = (a_bus(), a_topic());
    // murmur2 of the key, made positive, modulo 12: as org.apache.kafka.common.utils.Utils computes it.
    let expected = [("1", 3), ("42", 4), ("21", 0), ("foobar", 6), ("a-little-bit-long-string", 8)];
    let batch = expected.map(|(key, _)| record(key, key)).to_vec();
    bus.publish(&topic, batch).await.expect("published");
    let found = read_all(&bus, &topic).await;
    for (key, partition) in expected {
        let found = found.iter().find(|record| text(record) == key).expect("it is there");
        assert_eq!(found.partition, partition, "{key}");
    }
}
