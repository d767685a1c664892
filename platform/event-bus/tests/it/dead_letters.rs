use std::sync::Arc;

use bytes::Bytes;
use platform_event_bus::{DeadLetterError, DeadLetters, EventBus, Headers, NewRecord, memory::MemoryBus};

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
