//! What is gone from the topic is not passed over in silence.

use platform_event_bus::EventBus as _;
use platform_testkit::{kafka::KafkaServer, until};
use rdkafka::{Offset, TopicPartitionList, admin::AdminOptions};

use crate::{a_bus, a_topic, an_administrator, progress, record, text};

#[tokio::test(flavor = "multi_thread")]
async fn a_group_whose_place_is_gone_reads_everything_that_is_left() {
    let (bus, topic) = (a_bus(), a_topic());
    let batch: Vec<_> = (0..10).map(|n| record("key", &n.to_string())).collect();
    bus.publish(&topic, batch).await.expect("published");
    let mut member = bus.subscribe(&topic, "group").await.expect("a member");
    let first = member.next(2).await.expect("records");
    member.commit().await.expect("committed");
    drop(member);
    bus.left().await;

    // Somebody deletes what the group has not read yet.
    let partition = i32::try_from(first[0].partition).expect("small");
    let mut until_six = TopicPartitionList::new();
    until_six.add_partition_offset(&topic, partition, Offset::Offset(6)).expect("a place");
    let administrator = an_administrator(KafkaServer::shared());
    administrator.delete_records(&until_six, &AdminOptions::new()).await.expect("deleted");

    let mut member = bus.subscribe(&topic, "group").await.expect("a member");
    let mut left = Vec::new();
    while left.len() < 4 {
        left.extend(member.next(10).await.expect("records").iter().map(text));
    }
    assert_eq!(left, ["6", "7", "8", "9"]);
    let mut replay = bus.replay(&topic).await.expect("a replay");
    assert_eq!(replay.next(100).await.expect("records").len(), 4);
    assert!(replay.next(100).await.expect("the end").is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_topic_that_is_deleted_is_told_and_begins_anew() {
    let (bus, topic) = (a_bus(), a_topic());
    bus.publish(&topic, vec![record("key", "old")]).await.expect("published");
    let mut member = bus.subscribe(&topic, "group").await.expect("a member");
    assert_eq!(text(&member.next(10).await.expect("a record")[0]), "old");
    member.commit().await.expect("committed");

    let administrator = an_administrator(KafkaServer::shared());
    administrator.delete_topics(&[&topic], &AdminOptions::new()).await.expect("deleted");
    let told = tokio::time::timeout(platform_testkit::PATIENCE, member.next(10)).await;
    let reason = told.expect("it is told").expect_err("the topic is gone").to_string();
    assert!(reason.contains("nknown topic"), "{reason}");
    drop(member);
    bus.left().await;

    until("it is made again", async || bus.publish(&topic, vec![record("key", "new")]).await.is_ok()).await;
    let mut member = bus.subscribe(&topic, "group").await.expect("a member");
    let mut values = Vec::new();
    until("the new record", async || {
        values.extend(member.next(10).await.unwrap_or_default().iter().map(text));
        values.contains(&"new".to_owned())
    })
    .await;
    assert_eq!(progress(&bus, &topic, "group").await.1, 1);
}
