use std::{collections::HashSet, process::Stdio, time::Duration};

use platform_bus_kafka::{KafkaBus, KafkaSettings};
use platform_event_bus::{EventBus as _, NewRecord};
use platform_testkit::{kafka::KafkaServer, until};
use rdkafka::{
    mocking::MockCluster,
    types::{RDKafkaApiKey, RDKafkaRespErr},
};
use tokio::process::{Child, Command};

use crate::{Reader, a_bus, a_topic, progress, publish_until_done, record};

const GROUP: &str = "members";

/// Enough keys for every partition to have some.
fn a_round(round: usize) -> Vec<NewRecord> {
    (0..120).map(|key| record(&key.to_string(), &format!("{round}-{key}"))).collect()
}

fn partitions(reader: &Reader) -> HashSet<u32> {
    reader.records().iter().map(|record| record.partition).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn two_members_share_the_partitions_and_read_everything() {
    let (topic, buses) = (a_topic(), [a_bus(), a_bus()]);
    let first = Reader::start(&buses[0], &topic, GROUP);
    publish_until_done(&buses[0], &topic, a_round(0)).await;
    until("the first has all partitions", async || partitions(&first).len() == 12).await;
    let second = Reader::start(&buses[1], &topic, GROUP);
    let mut round = 0;
    until("the second has some", async || {
        round += 1;
        publish_until_done(&buses[0], &topic, a_round(round)).await;
        partitions(&second).len() >= 6
    })
    .await;
    let rest = progress(&buses[0], &topic, GROUP).await.1;
    until("all is committed", async || progress(&buses[0], &topic, GROUP).await == (rest, rest)).await;
    let read: HashSet<_> = first.values().into_iter().chain(second.values()).collect();
    assert_eq!(read.len(), (round + 1) * 120, "everything is read by somebody");

    // A member that leaves is replaced at once, and not when its session would have ended.
    drop(second);
    let began = std::time::Instant::now();
    let before = first.records().len();
    publish_until_done(&buses[0], &topic, a_round(round + 1)).await;
    until("the first has all of it", async || first.records().len() >= before + 120).await;
    println!("after a member has left: {:?}", began.elapsed());
}

const BROKER: &str = "BUS_KAFKA_TEST_BROKER";
const TOPIC: &str = "BUS_KAFKA_TEST_TOPIC";

/// The other process of the next test, which starts it with its broker and its topic; it has nothing to do otherwise.
#[tokio::test(flavor = "multi_thread")]
#[ignore = "is a part of a_killed_member_is_replaced_within_seconds"]
async fn a_member_in_another_process() {
    let (Ok(broker), Ok(topic)) = (std::env::var(BROKER), std::env::var(TOPIC)) else { return };
    let bus = KafkaBus::new(KafkaSettings { brokers: vec![broker], ..KafkaSettings::default() });
    let _reader = Reader::start(&bus, &topic, GROUP);
    std::future::pending::<()>().await;
}

fn another_process(topic: &str) -> Child {
    Command::new(std::env::current_exe().expect("our own binary"))
        .args(["--exact", "group::a_member_in_another_process", "--ignored"])
        .env(BROKER, KafkaServer::shared().bootstrap())
        .env(TOPIC, topic)
        .stdout(Stdio::null())
        .kill_on_drop(true)
        .spawn()
        .expect("another process")
}

#[tokio::test(flavor = "multi_thread")]
async fn a_killed_member_is_replaced_within_seconds() {
    let (bus, topic) = (a_bus(), a_topic());
    publish_until_done(&bus, &topic, a_round(0)).await;
    let mut other = another_process(&topic);
    until("the other has read all", async || progress(&bus, &topic, GROUP).await == (120, 120)).await;
    let ours = Reader::start(&bus, &topic, GROUP);
    let mut round = 0;
    until("we have half of it", async || {
        round += 1;
        publish_until_done(&bus, &topic, a_round(round)).await;
        partitions(&ours).len() >= 6
    })
    .await;

    other.kill().await.expect("killed");
    let began = std::time::Instant::now();
    publish_until_done(&bus, &topic, a_round(round + 1)).await;
    let rest = progress(&bus, &topic, GROUP).await.1;
    until("all is read", async || progress(&bus, &topic, GROUP).await == (rest, rest)).await;
    let took = began.elapsed();
    println!("after a member was killed: {took:?}");
    assert!(took < Duration::from_secs(20), "{took:?}");
    let values: HashSet<_> = ours.values().into_iter().collect();
    let last = (0..120).map(|key| format!("{}-{key}", round + 1));
    assert!(last.into_iter().all(|value| values.contains(&value)), "what came after its end is ours");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_slow_member_that_has_lost_partitions_moves_no_position_back() {
    let (topic, buses) = (a_topic(), [a_bus(), a_bus()]);
    publish_until_done(&buses[0], &topic, a_round(0)).await;
    // It has read everything and is busy, so that it takes note of nothing.
    let mut slow = buses[0].subscribe(&topic, GROUP).await.expect("a member");
    let mut read = 0;
    while read < 120 {
        read += slow.next(120).await.expect("records").len();
    }
    let second = Reader::start(&buses[1], &topic, GROUP);
    // While the group waits for it, its commit is either taken or there is nothing left to commit.
    slow.commit().await.expect("committed");
    let reading = async {
        loop {
            slow.next(120).await.expect("records");
        }
    };
    let mut round = 0;
    let sharing = until("the other has some", async || {
        round += 1;
        publish_until_done(&buses[0], &topic, a_round(round)).await;
        partitions(&second).len() >= 6
    });
    tokio::select! {
        () = reading => {}
        () = sharing => {}
    }
    // What the other one has, it has committed; the slow one has read more than it has committed.
    let before = buses[0].positions(&topic, GROUP).await.expect("positions");
    slow.commit().await.expect("committed");
    let after = buses[0].positions(&topic, GROUP).await.expect("positions");
    for (before, after) in before.iter().zip(&after) {
        assert!(before.committed <= after.committed, "{before:?} has become {after:?}");
    }
}

/// A broker that says for a while that it is not, or not yet, the one that keeps the positions of groups.
#[tokio::test(flavor = "multi_thread")]
async fn where_a_group_is_can_be_asked_while_its_coordinator_changes() {
    let cluster = MockCluster::new(1).expect("a broker");
    cluster.create_topic("topic", 3, 1).expect("a topic");
    let changing = [
        RDKafkaRespErr::RD_KAFKA_RESP_ERR_NOT_COORDINATOR,
        RDKafkaRespErr::RD_KAFKA_RESP_ERR_COORDINATOR_LOAD_IN_PROGRESS,
        RDKafkaRespErr::RD_KAFKA_RESP_ERR_COORDINATOR_NOT_AVAILABLE,
    ];
    cluster.request_errors(RDKafkaApiKey::OffsetFetch, &changing);
    let bus = KafkaBus::new(KafkaSettings {
        brokers: vec![cluster.bootstrap_servers()],
        ..KafkaSettings::default()
    });
    let positions = bus.positions("topic", "group").await.expect("positions");
    assert_eq!(positions.len(), 3);
}
