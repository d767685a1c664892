use std::sync::Arc;

use bytes::Bytes;
use platform_event_bus::{
    DeadLetter, DeadLetterError, DeadLetters, EventBus, Headers, NewRecord, Record, memory::MemoryBus,
};

const TOPIC: &str = "topic";

async fn a_dead_letter() -> (MemoryBus, DeadLetters) {
    let bus = MemoryBus::default();
    let headers = Headers::new([("contentType", &b"x"[..])]);
    let poison =
        NewRecord { key: Some(Bytes::from_static(b"7")), headers, value: Bytes::from_static(b"poison") };
    bus.publish(TOPIC, vec![poison]).await.expect("publish");
    let letters = DeadLetters::new(Arc::new(bus.clone()), TOPIC);
    letters.add(&bus.published(TOPIC)[0], "group", "because", 2).await.expect("add");
    (bus, letters)
}

#[tokio::test]
async fn a_letter_says_why_where_from_and_how_often() {
    let (bus, letters) = a_dead_letter().await;
    let letter = letters.list().await.expect("list").remove(0);
    let source = &bus.published(TOPIC)[0];
    assert_eq!((letter.reason.as_str(), letter.group.as_str(), letter.attempts), ("because", "group", 2));
    assert_eq!(letter.source, (source.partition, source.offset));
    assert_eq!(letter.record.headers, source.headers);
    assert_eq!((letter.record.key, letter.record.value), (source.key.clone(), source.value.clone()));
    assert_eq!(letter.id.to_string().parse(), Ok(letter.id));
}

#[tokio::test]
async fn replaying_publishes_the_record_again_and_settles_the_letter() {
    let (bus, letters) = a_dead_letter().await;
    let id = letters.list().await.expect("list")[0].id;
    letters.replay(id).await.expect("replay");
    let published = bus.published(TOPIC);
    assert_eq!(published.len(), 2);
    assert_eq!((&published[0].key, &published[0].value), (&published[1].key, &published[1].value));
    assert!(letters.list().await.expect("list").is_empty());
    assert!(matches!(letters.replay(id).await, Err(DeadLetterError::Unknown(_))));
}

#[tokio::test]
async fn dropping_settles_the_letter_only() {
    let (bus, letters) = a_dead_letter().await;
    let id = letters.list().await.expect("list")[0].id;
    letters.drop(id).await.expect("drop");
    assert_eq!(bus.published(TOPIC).len(), 1);
    assert!(letters.list().await.expect("list").is_empty());
    assert!(matches!(letters.show(id).await, Err(DeadLetterError::Unknown(_))));
}

/// The letter of this record, where the bus takes no record with more bytes than `most`.
async fn the_letter_on_a_bus_that_takes(most: usize, record: &Record) -> DeadLetter {
    let bus = MemoryBus::default();
    bus.take_at_most(most);
    let letters = DeadLetters::new(Arc::new(bus), TOPIC);
    letters.add(record, "group", &"because ".repeat(1_000), 2).await.expect("the partition goes on");
    letters.list().await.expect("list").remove(0)
}

#[tokio::test]
async fn a_record_that_is_too_large_for_a_letter_leaves_one_that_says_where_it_is() {
    let headers = Headers::new([("contentType", &b"x"[..]), ("dlq-value-left-out", &b"0"[..])]);
    let key = Some(Bytes::from_static(b"7"));
    let (partition, offset, published_at) = (3, 17, 0);
    let value = Bytes::from(vec![b'x'; 100_000]);
    let record = Record { partition, offset, published_at, key, headers, value };

    let whole = the_letter_on_a_bus_that_takes(1_000_000, &record).await;
    assert_eq!((whole.left_out, whole.record.value.len()), (None, 100_000));
    let without_value = the_letter_on_a_bus_that_takes(100_000, &record).await;
    assert_eq!(
        (without_value.record.key, without_value.record.headers),
        (record.key.clone(), whole.record.headers)
    );
    let bare = the_letter_on_a_bus_that_takes(5_000, &record).await;
    assert_eq!((bare.record, bare.left_out), (NewRecord::default(), Some(100_000)));
    assert!(bare.reason.starts_with("because") && without_value.reason.len() > bare.reason.len());
    assert_eq!((bare.source, without_value.source), ((3, 17), (3, 17)));
    assert_eq!((without_value.left_out, without_value.record.value), (Some(100_000), Bytes::new()));
}

#[tokio::test]
async fn a_letter_without_its_record_is_not_replayed_and_can_be_dropped() {
    let (bus, letters) = a_dead_letter().await;
    bus.take_at_most(200);
    let record = Record { value: Bytes::from(vec![b'x'; 1_000]), ..bus.published(TOPIC)[0].clone() };
    letters.add(&record, "group", "because", 1).await.expect("added");
    let id = letters.list().await.expect("list")[1].id;
    let refused = letters.replay(id).await.expect_err("there is nothing to publish");
    let sentence = format!("the dead letter {id} is without its record, which was too large for it");
    assert!(refused.to_string().starts_with(&sentence), "{refused}");
    assert_eq!((bus.published(TOPIC).len(), letters.list().await.expect("list").len()), (1, 2));
    letters.drop(id).await.expect("dropped");
    assert_eq!(letters.list().await.expect("list").len(), 1);
}
