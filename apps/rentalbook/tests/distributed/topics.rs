//! A topic that somebody else has made, or changes while it is used.

use std::{
    cell::{Cell, RefCell},
    collections::BTreeSet,
    fs::File,
    process::{Command, Stdio},
};

use futures_util::future::join_all;
use hyper::Method;
use platform_bus_kafka::rdkafka::{
    ClientConfig,
    admin::{AdminClient, AdminOptions, NewPartitions, NewTopic, TopicReplication},
    client::DefaultClientContext,
};
use platform_testkit::{kafka::KafkaServer, until};
use rentalbook::cli::ServiceArg;

use super::Scene;
use crate::{
    harness::distributed::{Distributed, engines},
    killing::program::{as_tested, free_ports},
};

/// Customers at a time.
const CUSTOMERS: usize = 8;

fn an_administrator(brokers: &str) -> AdminClient<DefaultClientContext> {
    ClientConfig::new().set("bootstrap.servers", brokers).create().expect("a client")
}

/// Places orders, one after the other, until it is told to stop.
async fn request(scene: &Scene, taken: &RefCell<Vec<i64>>, stop: &Cell<bool>) {
    while !stop.get() {
        let answer = scene.request_book("COSMOS").await;
        assert!([201, 202].contains(&answer.status), "{answer:?}");
        taken.borrow_mut().push(answer.number("id"));
    }
}

/// The values of a key in all items of a collection, sorted.
async fn all(scene: &Scene, collection: &str, key: &str) -> Vec<i64> {
    let mut found = Vec::new();
    for page in 0.. {
        let path = format!("/{collection}?size=1000&page={page}");
        let answer = scene.send(ServiceArg::Gateway, Method::GET, &path, None).await.json();
        let items = answer["_embedded"][collection].as_array().expect("a list");
        if items.is_empty() {
            break;
        }
        found.extend(items.iter().map(|item| item[key].as_i64().expect("a number")));
    }
    found.sort_unstable();
    found
}

#[tokio::test(flavor = "multi_thread")]
async fn replicas_share_the_partitions_and_say_how_many_they_have() {
    let scene = Scene::open().await;
    for service in [ServiceArg::Order, ServiceArg::Rent, ServiceArg::Delivery, ServiceArg::Mypage] {
        // Two replicas, four partitions.
        scene
            .until("each has its half", async || {
                let said = scene.send(service, Method::GET, "/actuator/prometheus", None).await;
                let said = String::from_utf8_lossy(&said.body);
                let mut lines =
                    said.lines().filter(|line| line.starts_with("rentalbook_consumer_partitions{"));
                lines.next().is_some_and(|line| line.ends_with("} 2"))
            })
            .await;
    }
    scene.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn three_partitions_become_twelve_under_load_and_nothing_is_lost_or_done_twice() {
    let mut engines = engines();
    engines.kafka.partitions = 3;
    let (brokers, topic) = (engines.kafka.brokers.join(","), engines.topic.clone());
    let scene = Scene::of(Distributed::open_on(engines, |config| config).await);
    let (taken, stop) = (RefCell::<Vec<_>>::default(), Cell::new(false));

    let growing = async {
        let parts = scene.parts().await;
        let taken_since = |before: usize| taken.borrow().len() - before;
        until("orders are taken", async || taken_since(0) >= 100).await;
        let delivery = &parts.groups[2];
        let positions = async || parts.bus.positions(&topic, delivery).await.expect("positions");
        until("three partitions are read", async || {
            let positions = positions().await;
            positions.len() == 3 && positions.iter().all(|position| position.committed > 0)
        })
        .await;
        let twelve = NewPartitions::new(&topic, 12);
        let grown = an_administrator(&brokers).create_partitions([&twelve], &AdminOptions::new()).await;
        grown.expect("an answer").remove(0).expect("it grows");
        until("the new partitions are written and read", async || {
            let positions = positions().await;
            positions.len() == 12 && positions.iter().all(|position| position.committed > 0)
        })
        .await;
        let before = taken.borrow().len();
        until("more orders are taken", async || taken_since(before) >= 100).await;
        stop.set(true);
    };
    let customers = join_all((0..CUSTOMERS).map(|_| request(&scene, &taken, &stop)));
    tokio::join!(customers, growing);

    let last = *taken.borrow().iter().max().expect("an order");
    scene.until_shown(last, "Ship").await;
    scene.settle().await;
    let answered: Vec<_> = taken.borrow().iter().copied().collect::<BTreeSet<_>>().into_iter().collect();
    assert_eq!(answered.len(), taken.borrow().len(), "ids are unique");
    for (collection, key) in
        [("orders", "id"), ("rents", "orderId"), ("deliveries", "orderId"), ("mypages", "orderId")]
    {
        assert!(all(&scene, collection, key).await == answered, "{collection}: one of each order");
    }
    scene.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_topic_that_forgets_is_reported_when_a_replica_starts() {
    let kafka = KafkaServer::shared();
    let topic = kafka.topic();
    let forgetful = NewTopic::new(&topic, 3, TopicReplication::Fixed(1))
        .set("cleanup.policy", "compact")
        .set("retention.ms", "60000");
    let made = an_administrator(&kafka.bootstrap()).create_topics([&forgetful], &AdminOptions::new()).await;
    made.expect("an answer").remove(0).expect("it is made");

    let folder = tempfile::tempdir().expect("a folder");
    let log = folder.path().join("log");
    let file = || File::options().create(true).append(true).open(&log).expect("a file");
    let mut replica = Command::new(as_tested())
        .args(["rent", "--log", "json"])
        .env("RENTALBOOK_PORT", free_ports()[0].to_string())
        .env("RENTALBOOK_KAFKA_BROKERS", kafka.bootstrap())
        .env("RENTALBOOK_KAFKA_TOPIC", &topic)
        .env("RENTALBOOK_KAFKA_GROUP_PREFIX", format!("{topic}-"))
        .stdin(Stdio::null())
        .stdout(file())
        .stderr(file())
        .spawn()
        .expect("the program starts");
    let wanted =
        ["has cleanup.policy=compact, it should be delete", "has retention.ms=60000, it should be -1"]
            .map(|what| format!("the topic {topic} {what}"));
    until("it says what is wrong", async || {
        let said = std::fs::read_to_string(&log).expect("its words");
        let errors = |what: &String| said.lines().any(|l| l.contains("ERROR") && l.contains(what));
        wanted.iter().all(errors)
    })
    .await;
    assert!(replica.try_wait().expect("a status").is_none(), "and goes on with it");
    replica.kill().expect("it is killed");
    replica.wait().expect("it has ended");
}
